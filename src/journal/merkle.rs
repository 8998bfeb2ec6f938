//! Merkle tree hashes of RFC 6962 §2.1, kept as a compact range so that appending costs one hash per level.

use sha2::{Digest, Sha256};

pub use crate::domain::plan::hex;

/// A SHA-256 value.
pub type Hash = [u8; 32];

/// `prev` of the very first line of a log.
pub const ZERO: Hash = [0; 32];

/// Returns `SHA-256(0x00 || line)`, the leaf hash of RFC 6962 §2.1. It is also the next line's `prev`.
pub fn leaf_hash(line: &[u8]) -> Hash {
    Sha256::new()
        .chain_update([0])
        .chain_update(line)
        .finalize()
        .into()
}

/// Returns `SHA-256(0x01 || left || right)`, the node hash of RFC 6962 §2.1.
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    Sha256::new()
        .chain_update([1])
        .chain_update(left)
        .chain_update(right)
        .finalize()
        .into()
}

/// Reads 64 lower-case hex digits.
pub fn unhex(text: &[u8]) -> Option<Hash> {
    let mut hash = ZERO;
    for (byte, pair) in hash.iter_mut().zip(text.chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    (hex(&hash).as_bytes() == text).then_some(hash)
}

/// The hashes of the perfect subtrees that make up a tree of `size` leaves, largest first.
///
/// One subtree stands for each bit set in `size`, so it never holds more than 64 hashes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CompactRange {
    size: u64,
    peaks: Vec<Hash>,
}

impl CompactRange {
    /// Returns how many leaves the tree has.
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Returns the hashes of its perfect subtrees, largest first.
    pub fn peaks(&self) -> &[Hash] {
        &self.peaks
    }

    /// Puts a tree together from its size and its perfect subtrees.
    pub fn of(size: u64, peaks: Vec<Hash>) -> Option<Self> {
        (size.count_ones() as usize == peaks.len()).then_some(Self { size, peaks })
    }

    /// Adds one leaf hash at the right.
    pub fn push(&mut self, leaf: Hash) {
        let mut node = leaf;
        // Each trailing one bit of the old size is a perfect subtree that the new leaf completes.
        for _ in 0..self.size.trailing_ones() {
            if let Some(left) = self.peaks.pop() {
                node = node_hash(&left, &node);
            }
        }
        self.peaks.push(node);
        self.size += 1;
    }

    /// Returns the root of the tree; for no leaves, the hash of the empty string (RFC 6962 §2.1).
    pub fn root(&self) -> Hash {
        let mut peaks = self.peaks.iter().rev();
        let Some(last) = peaks.next() else {
            return Sha256::digest([]).into();
        };
        peaks.fold(*last, |right, left| node_hash(left, &right))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// MTH as RFC 6962 §2.1 defines it: by recursion on the largest power of two below n.
    fn by_definition(leaves: &[&[u8]]) -> Hash {
        match leaves {
            [] => Sha256::digest([]).into(),
            [one] => leaf_hash(one),
            many => {
                let mut k = 1;
                while k * 2 < many.len() {
                    k *= 2;
                }
                node_hash(&by_definition(&many[..k]), &by_definition(&many[k..]))
            }
        }
    }

    #[test]
    fn roots_agree_with_the_definition() {
        let leaves: Vec<Vec<u8>> = (0..130_u8).map(|i| vec![i; usize::from(i)]).collect();
        let mut range = CompactRange::default();
        for n in 0..leaves.len() {
            let slices: Vec<&[u8]> = leaves[..n].iter().map(Vec::as_slice).collect();
            assert_eq!(range.root(), by_definition(&slices), "size {n}");
            assert_eq!(range.size(), n as u64);
            range.push(leaf_hash(&leaves[n]));
        }
    }

    #[test]
    fn knows_the_published_roots() {
        // The empty tree and the single empty leaf, as every Certificate Transparency implementation tests them.
        let mut range = CompactRange::default();
        assert_eq!(
            hex(&range.root()),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
        range.push(leaf_hash(b""));
        assert_eq!(
            hex(&range.root()),
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
        );
        for leaf in [
            &b"\x00"[..],
            b"\x10",
            b"\x20\x21",
            b"\x30\x31",
            b"\x40\x41\x42\x43",
            b"\x50\x51\x52\x53\x54\x55\x56\x57",
            b"\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f",
        ] {
            range.push(leaf_hash(leaf));
        }
        assert_eq!(
            hex(&range.root()),
            "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"
        );
    }
}
