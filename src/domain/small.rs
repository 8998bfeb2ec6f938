//! Text that is mostly short: names, ids, words of a source.
//!
//! An alert has a dozen of them, and made by one thread and dropped by another each costs more than reading it did. Up to
//! 24 bytes therefore stand where the text is kept, longer ones beside it as always.

use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;

use compact_str::{CompactString, ToCompactString as _};
use serde::de::{Deserialize, Deserializer, Error, Visitor};
use serde::{Serialize, Serializer};

/// Text that is mostly short.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Small(CompactString);

impl Deref for Small {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl Small {
    /// Takes a text with its ASCII letters in lower case.
    pub fn in_lower(text: &str) -> Self {
        let mut small = CompactString::from(text);
        small.make_ascii_lowercase();
        Self(small)
    }

    /// Returns the text.
    pub fn as_str(&self) -> &str {
        self
    }
}

impl PartialEq<str> for Small {
    fn eq(&self, other: &str) -> bool {
        **self == *other
    }
}

impl PartialEq<&str> for Small {
    fn eq(&self, other: &&str) -> bool {
        **self == **other
    }
}

impl fmt::Display for Small {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&**self, f)
    }
}

impl From<Small> for String {
    fn from(text: Small) -> Self {
        text.0.into()
    }
}

impl fmt::Debug for Small {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

impl From<u64> for Small {
    fn from(number: u64) -> Self {
        Self(number.to_compact_string())
    }
}

impl From<&str> for Small {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

impl From<String> for Small {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

impl From<&String> for Small {
    fn from(text: &String) -> Self {
        Self(text.into())
    }
}

impl From<Cow<'_, str>> for Small {
    fn from(text: Cow<'_, str>) -> Self {
        Self(text.into())
    }
}

impl Serialize for Small {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self)
    }
}

impl<'de> Deserialize<'de> for Small {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(Read)
    }
}

struct Read;

impl Visitor<'_> for Read {
    type Value = Small;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Small, E> {
        Ok(text.into())
    }

    fn visit_string<E: Error>(self, text: String) -> Result<Small, E> {
        Ok(text.into())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn numbers_are_written_in_digits() {
        for number in [0, 7, 1_795_000_000_000, u64::MAX] {
            assert_eq!(&*Small::from(number), number.to_string());
        }
    }

    proptest! {
        #[test]
        fn it_is_the_text(one in ".{0,40}", other in ".{0,40}") {
            let (a, b) = (Small::from(&*one), Small::from(other.clone()));
            prop_assert_eq!((&*a, &*b), (&*one, &*other));
            prop_assert_eq!(a.cmp(&b), one.cmp(&other));
            prop_assert_eq!(&*Small::in_lower(&one), one.to_ascii_lowercase());
            prop_assert_eq!(format!("{a:?}"), format!("{one:?}"));
            let json = serde_json::to_string(&a).unwrap();
            prop_assert_eq!(&json, &serde_json::to_string(&one).unwrap());
            prop_assert_eq!(serde_json::from_str::<Small>(&json).unwrap(), a);
        }
    }
}
