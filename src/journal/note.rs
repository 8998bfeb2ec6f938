//! Signed notes (C2SP signed-note): a text, an empty line, and one line per signature.
//!
//! Source: <https://c2sp.org/signed-note>. Only Ed25519 (type 0x01) is produced and checked; signature lines of other
//! keys are skipped, which is what makes key rotation and witnesses possible.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use sha2::{Digest, Sha256};

/// Signature type of Ed25519 (C2SP signed-note §Signature types).
const ED25519: u8 = 0x01;

/// Most bytes of a note that is looked at: a checkpoint with a dozen witness lines is below 2 KiB.
pub const MAX_NOTE: usize = 16 * 1024;

/// The first four bytes of the hash that names a key.
pub type KeyId = [u8; 4];

/// Returns `SHA-256(name || 0x0A || 0x01 || public key)[:4]`.
pub fn key_id(name: &str, key: &VerifyingKey) -> KeyId {
    let hash = Sha256::new()
        .chain_update(name)
        .chain_update([b'\n', ED25519])
        .chain_update(key.as_bytes())
        .finalize();
    [hash[0], hash[1], hash[2], hash[3]]
}

/// A public key with the name that it signs under: a *verifier key* of C2SP signed-note.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verifier {
    /// Key name; for a journal its origin.
    pub name: String,
    /// The key.
    pub key: VerifyingKey,
}

impl Verifier {
    /// Returns the id that stands before signatures of this key.
    pub fn id(&self) -> KeyId {
        key_id(&self.name, &self.key)
    }

    /// Writes `name+hash+key` as a line for a trust file.
    pub fn to_vkey(&self) -> String {
        let mut bytes = vec![ED25519];
        bytes.extend_from_slice(self.key.as_bytes());
        format!(
            "{}+{}+{}",
            self.name,
            super::merkle::hex(&self.id()),
            STANDARD.encode(bytes)
        )
    }

    /// Reads `name+hash+key`; `None` when it is malformed, of another type, or when the hash does not fit the key.
    pub fn from_vkey(text: &str) -> Option<Self> {
        let mut parts = text.splitn(3, '+');
        let (name, id, key) = (parts.next()?, parts.next()?, parts.next()?);
        let bytes = STANDARD.decode(key).ok()?;
        let (ED25519, key) = bytes.split_first().map(|(t, k)| (*t, k))? else {
            return None;
        };
        let key = VerifyingKey::from_bytes(key.try_into().ok()?).ok()?;
        let verifier = Self {
            name: name.to_owned(),
            key,
        };
        let fits = is_key_name(name) && super::merkle::hex(&verifier.id()) == id;
        (fits && !key.is_weak()).then_some(verifier)
    }

    /// Tells whether `signed` ends in a valid signature of this key, and returns the signed text.
    pub fn open<'a>(&self, signed: &'a str) -> Option<&'a str> {
        let (text, signatures) = split(signed)?;
        signatures
            .lines()
            .filter_map(|line| signature_of(line, &self.name, self.id()))
            .any(|signature| self.key.verify_strict(text.as_bytes(), &signature).is_ok())
            .then_some(text)
    }
}

/// Returns the note with one signature line of `key` under `name`. `text` must end in a line feed.
pub fn sign(text: &str, name: &str, key: &SigningKey) -> String {
    let id = key_id(name, &key.verifying_key());
    let line = signature_line(name, id, &key.sign(text.as_bytes()));
    format!("{text}\n{line}")
}

/// Writes a signature line with its line feed.
pub fn signature_line(name: &str, id: KeyId, signature: &Signature) -> String {
    let mut bytes = id.to_vec();
    bytes.extend_from_slice(&signature.to_bytes());
    format!("\u{2014} {name} {}\n", STANDARD.encode(bytes))
}

/// Adds a second signature line, of `key` under `name`, to a note.
pub fn countersign(signed: &str, name: &str, key: &SigningKey) -> Option<String> {
    let (text, _) = split(signed)?;
    let own = sign(text, name, key);
    Some(format!("{signed}{}", own.get(text.len() + 1..)?))
}

/// Splits a note into its text (with the final line feed) and its signature lines.
pub fn split(signed: &str) -> Option<(&str, &str)> {
    // The last empty line separates, as the text may contain empty lines itself.
    let at = signed.rfind("\n\n")?;
    let (text, signatures) = (&signed[..=at], &signed[at + 2..]);
    let whole = signed.len() <= MAX_NOTE && signatures.ends_with('\n');
    let clean = !signed.chars().any(|c| c < ' ' && c != '\n');
    (whole && clean && signatures.lines().all(is_signature_line)).then_some((text, signatures))
}

/// Reads the signature of the key `name`/`id` from a signature line.
pub fn signature_of(line: &str, name: &str, id: KeyId) -> Option<Signature> {
    let (who, encoded) = line.strip_prefix("\u{2014} ")?.split_once(' ')?;
    let bytes = STANDARD.decode(encoded).ok()?;
    let (found, signature) = bytes.split_first_chunk::<4>()?;
    let known = who == name && *found == id;
    known
        .then(|| signature.try_into().ok().map(|b| Signature::from_bytes(&b)))
        .flatten()
}

fn is_signature_line(line: &str) -> bool {
    line.strip_prefix("\u{2014} ")
        .and_then(|rest| rest.split_once(' '))
        .is_some_and(|(name, encoded)| is_key_name(name) && STANDARD.decode(encoded).is_ok())
}

/// Tells whether this can name a key: not empty, neither spaces nor plus (C2SP signed-note §Format).
pub fn is_key_name(name: &str) -> bool {
    !name.is_empty() && !name.contains(|c: char| c.is_whitespace() || c == '+')
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    /// Example of <https://c2sp.org/signed-note> and of golang.org/x/mod/sumdb/note.
    const VKEY: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
    const NOTE: &str = "If you think cryptography is the answer to your problem,\n\
        then you don't know what your problem is.\n\
        \n\
        \u{2014} PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";

    #[test]
    fn opens_the_published_note() {
        let verifier = Verifier::from_vkey(VKEY).unwrap();
        assert!(verifier.open(NOTE).unwrap().ends_with("problem is.\n"));
        assert_eq!(verifier.to_vkey(), VKEY);
    }

    #[test]
    fn skips_signatures_of_others() {
        let verifier = Verifier::from_vkey(VKEY).unwrap();
        let two = format!(
            "{NOTE}\u{2014} witness.example {}\n",
            STANDARD.encode([7; 76])
        );
        assert!(verifier.open(&two).is_some());
    }

    #[rstest]
    #[case::text(NOTE.replace("answer", "questi"))]
    #[case::name(NOTE.replace("PeterNeumann", "PeterNewmann"))]
    #[case::signature(NOTE.replace("x08go/ZJ", "x08go/ZK"))]
    #[case::no_final_line_feed(NOTE.trim_end().to_owned())]
    #[case::no_signature("text\n\n".to_owned())]
    #[case::empty(String::new())]
    fn refuses(#[case] note: String) {
        assert_eq!(Verifier::from_vkey(VKEY).unwrap().open(&note), None);
    }

    #[rstest]
    #[case("PeterNeumann+c74f20a4+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW")]
    #[case("PeterNeumann+c74f20a3+AhpcUPDhMQegwxbzhKqiBfsVkmqq")]
    #[case("a b+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW")]
    #[case("")]
    fn refuses_a_verifier_key(#[case] vkey: &str) {
        assert_eq!(Verifier::from_vkey(vkey), None);
    }

    #[test]
    fn what_it_signs_it_opens() {
        let key = SigningKey::from_bytes(&[9; 32]);
        let verifier = Verifier {
            name: "a/b/c".into(),
            key: key.verifying_key(),
        };
        let note = sign("a/b/c\n1\nAAAA\n", "a/b/c", &key);
        assert_eq!(verifier.open(&note), Some("a/b/c\n1\nAAAA\n"));
    }
}
