//! A proof that one record stands in a log, to be checked without the log.
//!
//! Source: <https://c2sp.org/tlog-proof>, with the record's line as `extra` data, and inclusion proofs of RFC 9162
//! §2.1.3. The signed head at the end covers every line before it.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::checkpoint::Head;
use super::merkle::{Hash, leaf_hash, node_hash};
use super::note::Verifier;
use super::reader::logs_in;
use super::record::MAX_LINE;
use super::walk::Walk;

/// First line of every proof.
const TITLE: &str = "c2sp.org/tlog-proof@v1";
/// Most bytes of a proof: a line in base64, 64 hashes and a note.
pub const MAX_PROOF: usize = 2 * MAX_LINE + 64 * 64 + super::note::MAX_NOTE;

/// Why a proof cannot be made or does not hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// Not in the format.
    #[error("it is no proof of the form {TITLE}: {0}")]
    Format(&'static str),
    /// The hashes lead elsewhere.
    #[error("the record is not at place {index} of the log whose head was signed")]
    Path {
        /// Where it should stand.
        index: u64,
    },
    /// Somebody else signed, or nobody.
    #[error("the head over {size} lines of {origin} is not signed by the given key")]
    Signature {
        /// Which log.
        origin: String,
        /// How many lines.
        size: u64,
    },
    /// The log cannot be read up to a signed head.
    #[error("the log {origin} holds no signed record {seq}")]
    Missing {
        /// Which log.
        origin: String,
        /// Which record.
        seq: u64,
    },
}

/// Makes proofs for records of one log.
pub struct Prover {
    leaves: Vec<Hash>,
    head: Head,
    signed: String,
}

impl Prover {
    /// Reads the log of this origin in a store; `None` when there is none with a signed head.
    pub fn open(store: &Path, origin: &str) -> Option<Self> {
        let (logs, _) = logs_in(store);
        let ends = |owner: &str| origin.strip_suffix(owner).is_some_and(|s| s.ends_with('/'));
        let (owner, log) = logs.into_iter().find(|(owner, _)| ends(owner))?;
        let mut walk = Walk::new(owner, false);
        walk.leaves = Some(Vec::new());
        walk.run(&log, &mut |_| {}).ok()?;
        if !walk.confirm() {
            return None;
        }
        let (head, signed) = walk.head?;
        let mut leaves = walk.leaves?;
        leaves.truncate(head.size as usize);
        (leaves.len() as u64 == head.size).then_some(Self {
            leaves,
            head,
            signed,
        })
    }

    /// Proves that `line` is record `seq`.
    pub fn prove(&self, seq: u64, line: &[u8]) -> Result<String, ProofError> {
        let missing = || ProofError::Missing {
            origin: self.head.origin.clone(),
            seq,
        };
        let at = usize::try_from(seq).map_err(|_| missing())?;
        if self.leaves.get(at) != Some(&leaf_hash(line)) {
            return Err(missing());
        }
        let mut text = format!("{TITLE}\nextra {}\nindex {seq}\n", STANDARD.encode(line));
        for hash in path(at, &self.leaves) {
            text.push_str(&STANDARD.encode(hash));
            text.push('\n');
        }
        text.push('\n');
        text.push_str(&self.signed);
        Ok(text)
    }
}

impl Prover {
    /// Returns `PROOF(old, D[new])` of RFC 6962 §2.1.2: that the tree over `new` lines continues the one over `old`. Empty
    /// for an old size of nothing or of the same; `None` when the log has fewer lines, or `old` is the larger.
    pub fn consistency(&self, old: u64, new: u64) -> Option<Vec<Hash>> {
        let (old, new) = (usize::try_from(old).ok()?, usize::try_from(new).ok()?);
        let leaves = self.leaves.get(..new).filter(|_| old <= new)?;
        Some(if old == 0 || old == new {
            Vec::new()
        } else {
            subproof(old, leaves)
        })
    }
}

/// Checks such a proof by RFC 9162 §2.1.4.2, as a witness does.
#[cfg(test)]
pub fn consistent(sizes: (u64, u64), roots: (Hash, Hash), proof: &[Hash]) -> bool {
    let ((old, new), (was, is)) = (sizes, roots);
    if old == 0 || old == new {
        return proof.is_empty() && (old == 0 || was == is);
    }
    let mut path = proof.to_vec();
    if old.is_power_of_two() {
        path.insert(0, was);
    }
    let (mut first, mut second) = (old - 1, new - 1);
    let shift = first.trailing_ones();
    (first, second) = (first >> shift, second >> shift);
    let mut hashes = path.into_iter();
    let Some(mut from) = hashes.next() else {
        return false;
    };
    let mut to = from;
    for hash in hashes {
        if second == 0 {
            return false;
        }
        if first & 1 == 1 || first == second {
            (from, to) = (node_hash(&hash, &from), node_hash(&hash, &to));
            while first & 1 == 0 && first != 0 {
                (first, second) = (first >> 1, second >> 1);
            }
        } else {
            to = node_hash(&to, &hash);
        }
        (first, second) = (first >> 1, second >> 1);
    }
    (from, to, second) == (was, is, 0)
}

/// `SUBPROOF(m, D[n], true)` of RFC 6962 §2.1.2, for 0 < m < n, in the order that it is sent.
fn subproof(mut old: usize, mut leaves: &[Hash]) -> Vec<Hash> {
    let mut up = Vec::new();
    // Whether the old tree is a subtree of its own here, whose root the other side has.
    let mut known = true;
    while old < leaves.len() {
        let (left, right) = leaves.split_at(split(leaves.len()));
        if old <= left.len() {
            up.push(root(right));
            leaves = left;
        } else {
            up.push(root(left));
            old -= left.len();
            leaves = right;
            known = false;
        }
    }
    if !known {
        up.push(root(leaves));
    }
    up.reverse();
    up
}

/// Root of a subtree (RFC 6962 §2.1).
fn root(leaves: &[Hash]) -> Hash {
    let mut range = super::merkle::CompactRange::default();
    for leaf in leaves {
        range.push(*leaf);
    }
    range.root()
}

/// Largest power of two below `n`, for `n` of at least 2.
const fn split(n: usize) -> usize {
    let below = n - 1;
    1 << (usize::BITS - 1 - below.leading_zeros())
}

/// PATH(m, D[n]) of RFC 6962 §2.1.1, deepest first.
fn path(mut at: usize, mut leaves: &[Hash]) -> Vec<Hash> {
    let mut up = Vec::new();
    while leaves.len() > 1 {
        let (left, right) = leaves.split_at(split(leaves.len()));
        if at < left.len() {
            up.push(root(right));
            leaves = left;
        } else {
            up.push(root(left));
            at -= left.len();
            leaves = right;
        }
    }
    up.reverse();
    up
}

/// A proof that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    /// Place of the record.
    pub index: u64,
    /// Its line, without the line feed.
    pub line: Vec<u8>,
    /// Which log and how many lines the signed head covers.
    pub head: Head,
    hashes: Vec<Hash>,
    signed: String,
}

impl Proof {
    /// Reads a proof; nothing in it is believed yet.
    pub fn parse(text: &str) -> Result<Self, ProofError> {
        use ProofError::Format;
        if text.len() > MAX_PROOF {
            return Err(Format("it is too long"));
        }
        let (top, signed) = text.split_once("\n\n").ok_or(Format("no empty line"))?;
        let mut lines = top.lines();
        if lines.next() != Some(TITLE) {
            return Err(Format("another first line"));
        }
        let extra = lines.next().and_then(|l| l.strip_prefix("extra "));
        let line = extra
            .and_then(|e| STANDARD.decode(e).ok())
            .ok_or(Format("no record as extra data"))?;
        let index = lines
            .next()
            .and_then(|l| l.strip_prefix("index ")?.parse().ok())
            .ok_or(Format("no index"))?;
        let hashes = lines
            .map(|l| STANDARD.decode(l).ok()?.try_into().ok())
            .collect::<Option<Vec<Hash>>>()
            .filter(|h| h.len() <= 64)
            .ok_or(Format("an unusable hash"))?;
        let head = super::note::split(signed)
            .and_then(|(text, _)| Head::from_text(text))
            .ok_or(Format("no signed head"))?;
        Ok(Self {
            index,
            line,
            head,
            hashes,
            signed: signed.to_owned(),
        })
    }

    /// Checks the way from the record to the root (RFC 9162 §2.1.3.2) and the signature of one of these keys.
    pub fn check(&self, keys: &[Verifier]) -> Result<(), ProofError> {
        let wrong = ProofError::Path { index: self.index };
        if self.index >= self.head.size {
            return Err(wrong);
        }
        let (mut at, mut last) = (self.index, self.head.size - 1);
        let mut node = leaf_hash(&self.line);
        for hash in &self.hashes {
            if last == 0 {
                return Err(wrong);
            }
            if at & 1 == 1 || at == last {
                node = node_hash(hash, &node);
                while at & 1 == 0 && at != 0 {
                    at >>= 1;
                    last >>= 1;
                }
            } else {
                node = node_hash(&node, hash);
            }
            at >>= 1;
            last >>= 1;
        }
        if last != 0 || node != self.head.root {
            return Err(wrong);
        }
        let signed = |by: &Verifier| Head::open(&self.signed, by).as_ref() == Some(&self.head);
        if !keys.iter().any(signed) {
            return Err(ProofError::Signature {
                origin: crate::domain::text::show(&self.head.origin).into_owned(),
                size: self.head.size,
            });
        }
        Ok(())
    }

    /// Checks against the keys that a trust file pins for this log.
    pub fn check_trusted(&self, trust: &super::trust::Trust) -> Result<(), ProofError> {
        self.check(&trust.keys_of(&self.head.origin))
    }

    /// Checks against the keys that a store's own log of that origin names: proves no more than that log does.
    pub fn check_in_store(&self, store: &Path) -> Result<(), ProofError> {
        let (logs, _) = logs_in(store);
        let origin = &self.head.origin;
        let ends = |owner: &str| origin.strip_suffix(owner).is_some_and(|s| s.ends_with('/'));
        let mut keys = Vec::new();
        for (owner, log) in logs.into_iter().filter(|(owner, _)| ends(owner)) {
            let mut walk = Walk::new(owner, true);
            if walk.run(&log, &mut |_| {}).is_ok() {
                keys.extend(walk.keys.into_iter().map(|k| k.by));
            }
        }
        self.check(&keys)
    }
}

#[cfg(test)]
mod tests {
    use ed25519_dalek::SigningKey;
    use proptest::prelude::*;

    use super::*;

    fn prover(n: usize) -> (Prover, Verifier, Vec<Vec<u8>>) {
        let key = SigningKey::from_bytes(&[5; 32]);
        let lines: Vec<Vec<u8>> = (0..n).map(|i| format!("line {i}").into_bytes()).collect();
        let leaves: Vec<Hash> = lines.iter().map(|l| leaf_hash(l)).collect();
        let head = Head {
            origin: "s/h/a".into(),
            size: n as u64,
            root: root(&leaves),
        };
        let by = Verifier {
            name: "s/h/a".into(),
            key: key.verifying_key(),
        };
        let signed = head.sign(&key);
        let prover = Prover {
            leaves,
            head,
            signed,
        };
        (prover, by, lines)
    }

    #[test]
    fn every_size_is_shown_to_continue_every_smaller_one() {
        let (prover, ..) = prover(70);
        let root_of = |n: u64| root(&prover.leaves[..n as usize]);
        for new in 0..=70 {
            for old in 0..=new {
                let proof = prover.consistency(old, new).unwrap();
                let roots = (root_of(old), root_of(new));
                assert!(consistent((old, new), roots, &proof), "{old} of {new}");
                let other = (leaf_hash(b"x"), roots.1);
                assert!(old == 0 || !consistent((old, new), other, &proof));
            }
            assert_eq!(prover.consistency(new + 1, new), None);
        }
        assert_eq!(prover.consistency(1, 71), None);
    }

    #[test]
    fn every_record_of_every_size_is_proven_and_nothing_else() {
        for n in 1..=33 {
            let (prover, by, lines) = prover(n);
            for (i, line) in lines.iter().enumerate() {
                let text = prover.prove(i as u64, line).unwrap();
                let proof = Proof::parse(&text).unwrap();
                assert_eq!(proof.check(std::slice::from_ref(&by)), Ok(()), "{i} of {n}");
                assert!(proof.check(&[]).is_err());
                let other = Proof {
                    line: b"line x".to_vec(),
                    ..proof.clone()
                };
                assert!(other.check(std::slice::from_ref(&by)).is_err());
                let moved = Proof {
                    index: proof.index + 1,
                    ..proof
                };
                assert!(
                    moved.check(std::slice::from_ref(&by)).is_err(),
                    "{i} of {n}"
                );
            }
            assert!(prover.prove(n as u64, b"line x").is_err());
            assert!(prover.prove(0, b"line x").is_err());
        }
    }

    proptest! {
        #[test]
        fn no_changed_byte_passes(at in 0_usize..1000, bit in 0_u8..8) {
            let (prover, by, lines) = prover(21);
            let mut bytes = prover.prove(13, &lines[13]).unwrap().into_bytes();
            let at = at % bytes.len();
            bytes[at] ^= 1_u8 << bit;
            let good = String::from_utf8(bytes)
                .ok()
                .and_then(|t| Proof::parse(&t).ok())
                .is_some_and(|p| p.check(&[by]).is_ok());
            prop_assert!(!good);
        }

        #[test]
        fn no_text_makes_it_panic(text in any::<String>()) {
            let _ = Proof::parse(&text);
            let _ = Proof::parse(&format!("{TITLE}\n{text}"));
        }
    }
}
