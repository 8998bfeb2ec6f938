//! The SHA-256 of some bytes, as it is kept and told.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, Visitor};
use serde::{Serialize, Serializer};

const DIGITS: &[u8; 16] = b"0123456789abcdef";

/// A SHA-256, or none where nobody took one. It is told as 64 lower-case hex digits, and none as nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest(Option<[u8; 32]>);

impl Digest {
    /// Reads what was told. Nothing for what is no SHA-256.
    pub fn parse(text: &str) -> Option<Self> {
        if text.is_empty() {
            return Some(Self(None));
        }
        let mut bytes = [0; 32];
        if text.len() != 64 {
            return None;
        }
        let digit = |c: u8| match c {
            b'0'..=b'9' => Some(c - b'0'),
            b'a'..=b'f' => Some(c - b'a' + 10),
            _ => None,
        };
        for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            *byte = (digit(pair[0])? << 4) | digit(pair[1])?;
        }
        Some(Self(Some(bytes)))
    }

    /// Returns the bytes.
    pub const fn bytes(&self) -> Option<&[u8; 32]> {
        self.0.as_ref()
    }
}

impl From<[u8; 32]> for Digest {
    fn from(bytes: [u8; 32]) -> Self {
        Self(Some(bytes))
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = [0; 64];
        for (pair, byte) in text.chunks_exact_mut(2).zip(self.0.iter().flatten()) {
            pair[0] = DIGITS[usize::from(byte >> 4)];
            pair[1] = DIGITS[usize::from(byte & 15)];
        }
        let text = self.0.map_or(&[][..], |_| &text[..]);
        f.write_str(std::str::from_utf8(text).unwrap_or_default())
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(Read)
    }
}

struct Read;

impl Visitor<'_> for Read {
    type Value = Digest;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("64 lower-case hex digits")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Digest, E> {
        Digest::parse(text).ok_or_else(|| E::invalid_value(serde::de::Unexpected::Str(text), &self))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn none_is_told_as_nothing() {
        assert_eq!(serde_json::to_string(&Digest::default()).unwrap(), "\"\"");
        assert_eq!(Digest::parse(""), Some(Digest::default()));
        for text in ["0", "g", &"0".repeat(63), &"A".repeat(64)] {
            assert_eq!(Digest::parse(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn it_is_read_as_it_is_told(bytes in any::<[u8; 32]>()) {
            let digest = Digest::from(bytes);
            let json = serde_json::to_string(&digest).unwrap();
            prop_assert_eq!(serde_json::from_str::<Digest>(&json).unwrap(), digest);
            let want = bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"));
            prop_assert_eq!(digest.to_string(), want);
            prop_assert_eq!(digest.bytes(), Some(&bytes));
        }
    }
}
