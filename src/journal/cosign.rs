//! Witnesses: others who sign a head after they saw that it continues what they saw before, with the time.
//!
//! Sources: <https://c2sp.org/tlog-cosignature> (Ed25519, type 0x04) and <https://c2sp.org/tlog-witness>.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signature, VerifyingKey};
use jiff::Timestamp;
use sha2::{Digest, Sha256};

use super::merkle::{Hash, hex};
use super::note;

/// Signature type of Ed25519 cosignatures.
const COSIGNATURE: u8 = 0x04;
/// Most hashes of a consistency proof in a request.
const MOST_HASHES: usize = 63;

/// A witness's public key with its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WitnessKey {
    /// What the witness calls itself.
    pub name: String,
    key: VerifyingKey,
}

impl WitnessKey {
    /// Reads `name+hash+key` of signature type 0x04; `None` when it is malformed, of another type, or when the hash does
    /// not fit the key.
    pub fn from_vkey(text: &str) -> Option<Self> {
        let mut parts = text.splitn(3, '+');
        let (name, id, key) = (parts.next()?, parts.next()?, parts.next()?);
        let bytes = STANDARD.decode(key).ok()?;
        let (COSIGNATURE, key) = bytes.split_first().map(|(t, k)| (*t, k))? else {
            return None;
        };
        let witness = Self {
            name: name.to_owned(),
            key: VerifyingKey::from_bytes(key.try_into().ok()?).ok()?,
        };
        let fits = note::is_key_name(name) && hex(&witness.id()) == id;
        (fits && !witness.key.is_weak()).then_some(witness)
    }

    fn id(&self) -> [u8; 4] {
        let hash = Sha256::new()
            .chain_update(self.name.as_bytes())
            .chain_update([b'\n', COSIGNATURE])
            .chain_update(self.key.as_bytes())
            .finalize();
        [hash[0], hash[1], hash[2], hash[3]]
    }

    /// Finds a valid cosignature of this witness on a note; returns its line and when it was made.
    pub fn find<'n>(&self, signed: &'n str) -> Option<(&'n str, Timestamp)> {
        let (text, lines) = note::split(signed)?;
        lines.split_inclusive('\n').find_map(|line| {
            let (name, encoded) = line.trim_end().strip_prefix("\u{2014} ")?.split_once(' ')?;
            let bytes = STANDARD.decode(encoded).ok()?;
            let (id, rest) = bytes.split_first_chunk::<4>()?;
            let (time, signature) = rest.split_first_chunk::<8>()?;
            if name != self.name || *id != self.id() {
                return None;
            }
            let time = u64::from_be_bytes(*time);
            let message = format!("cosignature/v1\ntime {time}\n{text}");
            let signature = Signature::from_bytes(signature.try_into().ok()?);
            self.key
                .verify_strict(message.as_bytes(), &signature)
                .ok()?;
            let at = Timestamp::from_second(i64::try_from(time).ok()?).ok()?;
            Some((line, at))
        })
    }
}

/// Writes the body of `add-checkpoint`; `None` when the proof is longer than a witness takes.
pub fn request(old: u64, proof: &[Hash], signed: &str) -> Option<String> {
    if proof.len() > MOST_HASHES {
        return None;
    }
    let mut body = format!("old {old}\n");
    for hash in proof {
        body.push_str(&STANDARD.encode(hash));
        body.push('\n');
    }
    body.push('\n');
    body.push_str(signed);
    Some(body)
}

/// A witness of the tests: its verifier key, and a signature line of it on a note.
#[cfg(test)]
pub fn cosign(seed: u8, name: &str, signed: &str, time: u64) -> (String, String) {
    use ed25519_dalek::{Signer as _, SigningKey};
    let key = SigningKey::from_bytes(&[seed; 32]);
    let witness = WitnessKey {
        name: name.to_owned(),
        key: key.verifying_key(),
    };
    let text = note::split(signed).map_or(signed, |(text, _)| text);
    let signature = key.sign(format!("cosignature/v1\ntime {time}\n{text}").as_bytes());
    let bytes = [
        &witness.id()[..],
        &time.to_be_bytes(),
        &signature.to_bytes(),
    ]
    .concat();
    let line = format!("\u{2014} {name} {}\n", STANDARD.encode(bytes));
    let material = [&[COSIGNATURE], &witness.key.as_bytes()[..]].concat();
    let vkey = format!(
        "{name}+{}+{}",
        hex(&witness.id()),
        STANDARD.encode(material)
    );
    (vkey, line)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of C2SP tlog-cosignature: a note with a log's signature and a cosignature.
    const NOTE: &str = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n\
        \u{2014} example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n";

    #[test]
    fn a_cosignature_counts_for_its_witness_and_its_note_alone() {
        let (vkey, line) = cosign(7, "w1.example", NOTE, 1_679_315_147);
        let witness = WitnessKey::from_vkey(&vkey).unwrap();
        let signed = format!("{NOTE}{line}");
        let (found, at) = witness.find(&signed).unwrap();
        assert_eq!((found, at.as_second()), (&*line, 1_679_315_147));
        assert_eq!(witness.find(NOTE), None);
        assert_eq!(witness.find(&signed.replace("20852163", "20852164")), None);
        let (other, _) = cosign(8, "w1.example", NOTE, 1);
        assert_eq!(WitnessKey::from_vkey(&other).unwrap().find(&signed), None);
        let (renamed, _) = cosign(7, "w2.example", NOTE, 1);
        assert_eq!(WitnessKey::from_vkey(&renamed).unwrap().find(&signed), None);
        // A log's key is no witness's, and the other way round.
        assert!(super::super::note::Verifier::from_vkey(&vkey).is_none());
        assert!(WitnessKey::from_vkey(&vkey.replace("w1", "w2")).is_none());
    }

    #[test]
    fn requests_are_as_the_protocol_says() {
        let body = request(7, &[[0; 32], [255; 32]], NOTE).unwrap();
        let want = format!("old 7\n{}=\n{}8=\n\n{NOTE}", "A".repeat(43), "/".repeat(42));
        assert_eq!(body, want);
        assert_eq!(request(7, &[[0; 32]; 64], NOTE), None);
    }
}
