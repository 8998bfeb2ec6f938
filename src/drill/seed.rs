//! Where the drill's numbers come from: what is *seen* follows from the seed, what must be *secret* from the system.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::error::DrillError;

/// Derives values from a seed and a label, so that the order in which tasks ask does not matter.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seed(pub u64);

impl Seed {
    /// Returns the first `digits` (at most 64) hex digits that belong to `label`.
    pub fn hex(self, label: &str, digits: usize) -> String {
        let mut hex = hex(&self.digest(label));
        hex.truncate(digits);
        hex
    }

    /// Returns a factor in 0.85 to 1.15, so that nothing happens on the exact beat.
    pub fn jitter(self, label: &str) -> f64 {
        let byte = self.digest(label)[0];
        0.85 + 0.3 * f64::from(byte) / 255.0
    }

    fn digest(self, label: &str) -> [u8; 32] {
        let mut hasher = Sha256::new();
        hasher.update(self.0.to_be_bytes());
        hasher.update(label.as_bytes());
        hasher.finalize().into()
    }
}

/// A secret that the lab made up. It opens nothing but this lab, yet it is treated like any other: `Debug` hides it,
/// and it is stored only in the lab's own state file, which only its owner may read.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct LabSecret(String);

impl LabSecret {
    /// Makes up a secret of 24 random bytes behind a prefix that tells what it is.
    pub fn make(prefix: &str) -> Result<Self, DrillError> {
        let mut bytes = [0; 24];
        getrandom::fill(&mut bytes).map_err(DrillError::Random)?;
        Ok(Self(format!("{prefix}{}", URL_SAFE_NO_PAD.encode(bytes))))
    }

    /// Wraps a secret that the lab handed out.
    pub fn new(value: String) -> Self {
        Self(value)
    }

    /// Returns the secret, to be sent.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Tells whether `other` is this secret. Digests are compared, so that time tells nothing about the bytes.
    pub fn is(&self, other: &str) -> bool {
        Sha256::digest(self.0.as_bytes()) == Sha256::digest(other.as_bytes())
    }

    /// Returns the fingerprint in the notation of OpenSSH: `SHA256:` and unpadded Base64.
    pub fn fingerprint(&self) -> String {
        let digest = Sha256::digest(self.0.as_bytes());
        format!("SHA256:{}", STANDARD_NO_PAD.encode(digest))
    }
}

impl fmt::Debug for LabSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LabSecret(…)")
    }
}

/// Returns random bytes as hex, for ids that must be unlike those of any earlier lab.
pub(super) fn random_hex(bytes: usize) -> Result<String, DrillError> {
    let mut buffer = vec![0; bytes];
    getrandom::fill(&mut buffer).map_err(DrillError::Random)?;
    Ok(hex(&buffer))
}

fn hex(bytes: &[u8]) -> String {
    use fmt::Write as _;
    bytes.iter().fold(String::new(), |mut out, byte| {
        // Writing to a String cannot fail.
        let _ = write!(out, "{byte:02x}");
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_seeds_agree_and_different_ones_do_not() {
        assert_eq!(Seed(7).hex("a", 12), Seed(7).hex("a", 12));
        assert_ne!(Seed(7).hex("a", 12), Seed(8).hex("a", 12));
        assert_ne!(Seed(7).hex("a", 12), Seed(7).hex("b", 12));
        assert!((0.85..=1.15).contains(&Seed(7).jitter("x")));
    }

    #[test]
    fn a_secret_does_not_show_itself() {
        let secret = LabSecret::make("dk_").unwrap();
        assert!(!format!("{secret:?}").contains(secret.expose()));
        assert!(secret.is(secret.expose()) && !secret.is("dk_"));
        assert!(secret.fingerprint().starts_with("SHA256:"));
    }
}
