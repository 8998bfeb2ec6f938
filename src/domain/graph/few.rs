//! Which nodes changed since a map was sealed: few, and walks ask of every node they meet.

use super::kinds::NodeIx;

/// Bits of a set.
const BITS: u32 = 1_024;

/// A set of nodes that may claim to hold one that it does not hold, never the other way round. With some dozen nodes in it
/// that is rare, and finding it out costs what would be spent without the set.
#[derive(Clone, Debug, Default)]
pub(super) struct Few([u64; BITS as usize / 64]);

impl Few {
    /// Adds a node.
    pub const fn add(&mut self, node: NodeIx) {
        let (word, bit) = Self::place(node);
        self.0[word] |= bit;
    }

    /// Tells whether a node may be among them.
    pub const fn may_have(&self, node: NodeIx) -> bool {
        let (word, bit) = Self::place(node);
        self.0[word] & bit != 0
    }

    const fn place(node: NodeIx) -> (usize, u64) {
        // Neighbours are far apart: the golden ratio in 32 bits (Knuth, volume 3, 6.4).
        let spread = node.0.wrapping_mul(0x9e37_79b9) >> (32 - BITS.ilog2());
        (spread as usize / 64, 1 << (spread % 64))
    }
}
