//! Signed tree heads (C2SP tlog-checkpoint) and the one journal line that carries each.
//!
//! Source: <https://c2sp.org/tlog-checkpoint>. A checkpoint line has no free field: it must equal, byte for byte, what
//! [`line`] writes again from its parts, so a changed bit in the very last line of a log is found too.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::SigningKey;

use crate::domain::plan::write_ascii_string;

use super::merkle::{Hash, hex};
use super::note::{self, Verifier};

/// A tree head: whose, how large, and which root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// Which log (`site/host/user`).
    pub origin: String,
    /// How many lines it covers.
    pub size: u64,
    /// Root of the tree over these lines.
    pub root: Hash,
}

impl Head {
    /// Writes the text that is signed: origin, size and root, one a line.
    pub fn to_text(&self) -> String {
        format!(
            "{}\n{}\n{}\n",
            self.origin,
            self.size,
            STANDARD.encode(self.root)
        )
    }

    /// Reads the text; extension lines are refused, as this log writes none.
    pub fn from_text(text: &str) -> Option<Self> {
        let mut lines = text.strip_suffix('\n')?.split('\n');
        let (origin, size, root) = (lines.next()?, lines.next()?, lines.next()?);
        let head = Self {
            origin: origin.to_owned(),
            size: size.parse().ok()?,
            root: STANDARD.decode(root).ok()?.try_into().ok()?,
        };
        // Writing it again refuses `+1`, `01` and odd base64 alike.
        (lines.next().is_none() && head.to_text() == text).then_some(head)
    }

    /// Signs the head.
    pub fn sign(&self, key: &SigningKey) -> String {
        note::sign(&self.to_text(), &self.origin, key)
    }

    /// Signs the head with the key that ends and with the one that takes over.
    pub fn sign_both(&self, old: &SigningKey, new: &SigningKey) -> String {
        let signed = self.sign(old);
        note::countersign(&signed, &self.origin, new).unwrap_or(signed)
    }

    /// Opens a signed head of this key and origin.
    pub fn open(signed: &str, by: &Verifier) -> Option<Self> {
        let head = Self::from_text(by.open(signed)?)?;
        (head.origin == by.name).then_some(head)
    }
}

/// Writes the fixed start of every line.
pub fn prefix(seq: u64, prev: &Hash) -> String {
    format!(
        "{{\"v\":1,\"seq\":{seq},\"prev\":\"{}\",\"type\":\"",
        hex(prev)
    )
}

/// Returns what follows [`prefix`] in a line that starts so. Every line of a log comes through here, so nothing is written
/// only to be compared.
pub fn after_prefix<'l>(line: &'l [u8], seq: u64, prev: &Hash) -> Option<&'l [u8]> {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut digits = [0; 20];
    let (mut from, mut left) = (digits.len(), seq);
    loop {
        from -= 1;
        digits[from] = b'0' + (left % 10) as u8;
        left /= 10;
        if left == 0 {
            break;
        }
    }
    let rest = line.strip_prefix(b"{\"v\":1,\"seq\":")?;
    let rest = rest.strip_prefix(&digits[from..])?;
    let rest = rest.strip_prefix(b",\"prev\":\"")?;
    let (found, rest) = rest.split_at_checked(2 * prev.len())?;
    let same = prev.iter().zip(found.chunks_exact(2)).all(|(byte, pair)| {
        pair == [
            DIGITS[usize::from(byte >> 4)],
            DIGITS[usize::from(byte & 15)],
        ]
    });
    rest.strip_prefix(b"\",\"type\":\"").filter(|_| same)
}

/// Returns the type of a line that starts as every line does, whatever its place.
pub fn word(line: &[u8]) -> Option<&[u8]> {
    let rest = line.strip_prefix(b"{\"v\":1,\"seq\":")?;
    let digits = rest.iter().take_while(|b| b.is_ascii_digit()).count();
    let rest = rest[digits..].strip_prefix(b",\"prev\":\"")?;
    let (_, rest) = rest.split_at_checked(2 * size_of::<Hash>())?;
    let rest = rest.strip_prefix(b"\",\"type\":\"")?;
    rest.split(|b| *b == b'"').next()
}

/// Writes the checkpoint line, without its line feed.
pub fn line(seq: u64, prev: &Hash, signed: &str) -> Vec<u8> {
    let mut out = prefix(seq, prev).into_bytes();
    out.extend_from_slice(b"checkpoint\",\"note\":");
    write_ascii_string(signed, &mut out);
    out.push(b'}');
    out
}

/// Why a checkpoint line is not valid where it stands.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    /// It is not written as this program writes it.
    #[error("the checkpoint line is not in canonical form")]
    NotCanonical,
    /// Another log's head.
    #[error("the checkpoint names origin {found:?}, expected {expected:?}")]
    Origin {
        /// Origin of this log.
        expected: String,
        /// What stands there.
        found: String,
    },
    /// The head is about another number of lines.
    #[error("the checkpoint covers {found} lines, expected {expected}")]
    Size {
        /// How many lines precede it.
        expected: u64,
        /// What stands there.
        found: u64,
    },
    /// The lines before it are not the lines that were signed.
    #[error("the checkpoint's root is {found}, recomputed from the bytes it is {expected}")]
    Root {
        /// Hex, recomputed.
        expected: String,
        /// Hex, as signed.
        found: String,
    },
    /// Nobody with the log's key signed it.
    #[error("the checkpoint's signature is not by the key valid here ({key})")]
    Signature {
        /// Hex id of the key that should have signed.
        key: String,
    },
}

/// Reads the note of a line that may be a checkpoint; nothing about the line is checked.
pub fn signed_note(line: &[u8]) -> Option<String> {
    let head = line.get(..line.len().min(140))?;
    memchr::memmem::find(head, b",\"type\":\"checkpoint\",\"note\":")?;
    let text = std::str::from_utf8(line).ok()?;
    let at = text.find(",\"note\":")? + 8;
    serde_json::from_str(text.get(at..text.len().checked_sub(1)?)?).ok()
}

/// Reads the note out of a checkpoint line that starts with `start` (see [`prefix`]), canonical form checked.
pub fn note_in(line_bytes: &[u8], seq: u64, prev: &Hash) -> Result<String, Invalid> {
    let text = std::str::from_utf8(line_bytes).map_err(|_| Invalid::NotCanonical)?;
    let at = text
        .find(",\"note\":")
        .and_then(|i| text.get(i + 8..text.len().checked_sub(1)?));
    let signed: String = at
        .and_then(|json| serde_json::from_str(json).ok())
        .ok_or(Invalid::NotCanonical)?;
    if line(seq, prev, &signed) != line_bytes {
        return Err(Invalid::NotCanonical);
    }
    Ok(signed)
}

/// Checks a signed head against what the lines before it give. `signature: false` leaves out the curve arithmetic,
/// for heads that a later signed root covers anyway.
/// Where a key takes over, `by` holds the old and the new one, and both must have signed, in this order.
pub fn check(
    signed: &str,
    expected: &Head,
    by: &[&Verifier],
    signature: bool,
) -> Result<(), Invalid> {
    let (text, lines) = note::split(signed).ok_or(Invalid::NotCanonical)?;
    let found = Head::from_text(text).ok_or(Invalid::NotCanonical)?;
    if found.origin != expected.origin {
        return Err(Invalid::Origin {
            expected: expected.origin.clone(),
            found: found.origin,
        });
    }
    if found.size != expected.size {
        return Err(Invalid::Size {
            expected: expected.size,
            found: found.size,
        });
    }
    if found.root != expected.root {
        return Err(Invalid::Root {
            expected: hex(&expected.root),
            found: hex(&found.root),
        });
    }
    let mut again = format!("{text}\n");
    let mut found = lines.lines();
    for by in by {
        let id = by.id();
        let bad = || Invalid::Signature { key: hex(&id) };
        let line = found.next().ok_or_else(bad)?;
        let own = note::signature_of(line, &by.name, id).ok_or_else(bad)?;
        again.push_str(&note::signature_line(&by.name, id, &own));
        if signature && by.open(signed).is_none() {
            return Err(bad());
        }
    }
    // Exactly these lines in exactly one spelling: nothing in a checkpoint line may be free.
    if again != signed {
        return Err(Invalid::NotCanonical);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::super::merkle::ZERO;
    use super::*;

    fn head() -> Head {
        Head {
            origin: "soc.example/jump1/alice".into(),
            size: 42,
            root: [7; 32],
        }
    }

    fn verifier(key: &SigningKey) -> Verifier {
        Verifier {
            name: head().origin,
            key: key.verifying_key(),
        }
    }

    #[rstest]
    #[case(0)]
    #[case(9)]
    #[case(10)]
    #[case(u64::MAX)]
    fn compares_a_start_as_it_would_write_it(#[case] seq: u64) {
        let prev = [0xa7; 32];
        let start = prefix(seq, &prev);
        let mut line = format!("{start}view\"").into_bytes();
        assert_eq!(after_prefix(&line, seq, &prev), Some(&b"view\""[..]));
        assert_eq!(word(&line), Some(&b"view"[..]));
        assert_eq!(after_prefix(&line, seq ^ 1, &prev), None);
        for bit in 0..start.len() * 8 {
            line[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(after_prefix(&line, seq, &prev), None, "bit {bit}");
            line[bit / 8] ^= 1 << (bit % 8);
        }
        for len in 0..start.len() {
            assert_eq!(after_prefix(&line[..len], seq, &prev), None);
        }
    }

    #[test]
    fn every_changed_bit_of_the_line_is_found() {
        let key = SigningKey::from_bytes(&[3; 32]);
        let good = line(42, &ZERO, &head().sign(&key));
        let judge = |bytes: &[u8]| {
            note_in(bytes, 42, &ZERO).and_then(|n| check(&n, &head(), &[&verifier(&key)], true))
        };
        assert_eq!(judge(&good), Ok(()));
        for bit in 0..good.len() * 8 {
            let mut bad = good.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(judge(&bad).is_err(), "bit {bit}");
        }
    }

    #[rstest]
    #[case("a\n+1\nBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=\n")]
    #[case("a\n01\nBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=\n")]
    #[case("a\n1\nBwcH\n")]
    #[case("a\n1\nBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=\nextension\n")]
    #[case("a\n1")]
    #[case("")]
    fn refuses_heads(#[case] text: &str) {
        assert_eq!(Head::from_text(text), None);
    }

    #[test]
    fn a_second_signature_makes_a_line_not_canonical() {
        let key = SigningKey::from_bytes(&[3; 32]);
        let one = head().sign(&key);
        let two = format!("{one}{}", &one[one.rfind('\u{2014}').unwrap()..]);
        assert!(verifier(&key).open(&two).is_some());
        assert!(check(&two, &head(), &[&verifier(&key)], false).is_err());
    }
}
