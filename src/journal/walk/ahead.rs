//! What can be said of a line without the lines before it, found on two cores at once: its leaf hash, a byte that no log
//! writes, and whether a checkpoint in it is signed. Whether it *fits* is for the walk to say, one line after the other.

use super::super::checkpoint;
use super::super::merkle::{Hash, leaf_hash};
use super::super::note::Verifier;

/// Fewer lines are not worth a second thread.
const WORTH: usize = 256;

/// One line, without its line feed.
pub struct Ahead {
    /// How long it is.
    pub len: usize,
    /// Its leaf hash.
    pub leaf: Hash,
    /// The first byte outside 0x20-0x7E.
    pub strange: Option<u8>,
    /// It carries a note that the given key signed.
    pub signed: bool,
}

/// Looks at every whole line of a block; signatures are checked against `by` where one is given.
pub fn look(block: &[u8], by: Option<&Verifier>) -> Vec<Ahead> {
    let mut lines = Vec::new();
    let mut from = 0;
    for end in memchr::memchr_iter(b'\n', block) {
        lines.push(&block[from..end]);
        from = end + 1;
    }
    let each = |lines: &[&[u8]]| lines.iter().map(|l| one(l, by)).collect::<Vec<_>>();
    if lines.len() < WORTH {
        return each(&lines);
    }
    let (left, right) = lines.split_at(lines.len() / 2);
    std::thread::scope(|scope| {
        let other = std::thread::Builder::new().spawn_scoped(scope, || each(right));
        let mut all = each(left);
        match other.map(std::thread::ScopedJoinHandle::join) {
            Ok(Ok(rest)) => all.extend(rest),
            // No thread to be had: slower, and the same.
            _ => all.extend(each(right)),
        }
        all
    })
}

fn one(line: &[u8], by: Option<&Verifier>) -> Ahead {
    let strange = |b: &u8| !(0x20..0x7f).contains(b);
    // Without an early end this is a few wide instructions.
    let any = line.iter().fold(false, |any, b| any | strange(b));
    Ahead {
        len: line.len(),
        leaf: leaf_hash(line),
        strange: line.iter().copied().find(|b| any && strange(b)),
        signed: by
            .is_some_and(|by| checkpoint::signed_note(line).is_some_and(|n| by.open(&n).is_some())),
    }
}
