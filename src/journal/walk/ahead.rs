//! What can be said of a line without the lines before it, found on two cores at once: its leaf hash, a byte that no log
//! writes, and whether a checkpoint in it is signed. Whether it *fits* is for the walk to say, one line after the other.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;

use super::super::checkpoint;
use super::super::merkle::{Hash, leaf_hash};
use super::super::note::Verifier;

/// Fewer bytes are not worth a second thread.
const PIECE: usize = 128 * 1024;

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

/// Goes over every whole line of a block in order, while another thread looks ahead; signatures are checked against `by`
/// where one is given. Ends early when `each` says so.
pub fn along<E>(
    block: &[u8],
    by: Option<&Verifier>,
    each: &mut dyn FnMut(&[u8], Ahead) -> Result<(), E>,
) -> Result<(), E> {
    let pieces = split(block);
    let mut walk = |piece: &[u8], known: Vec<Ahead>| {
        let mut from = 0;
        for ahead in known {
            let line = &piece[from..from + ahead.len];
            from += ahead.len + 1;
            each(line, ahead)?;
        }
        Ok(())
    };
    if pieces.len() < 2 {
        return pieces.iter().try_for_each(|p| walk(p, look(p, by)));
    }
    // Whoever is free takes the next piece; this thread only as long as there is nothing to go over.
    let next = AtomicUsize::new(0);
    let (done, ready) = mpsc::channel();
    std::thread::scope(|scope| {
        let (pieces, next) = (&pieces, &next);
        let ahead = std::thread::Builder::new().spawn_scoped(scope, move || {
            loop {
                let i = next.fetch_add(1, Ordering::Relaxed);
                let Some(piece) = pieces.get(i) else { return };
                if done.send((i, look(piece, by))).is_err() {
                    return;
                }
            }
        });
        // No thread to be had: slower, and the same.
        drop(ahead);
        let mut known: Vec<Option<Vec<Ahead>>> = pieces.iter().map(|_| None).collect();
        for i in 0..pieces.len() {
            let found = loop {
                while let Ok((at, found)) = ready.try_recv() {
                    known[at] = Some(found);
                }
                if let Some(found) = known[i].take() {
                    break found;
                }
                let mine = next.fetch_add(1, Ordering::Relaxed);
                if let Some(piece) = pieces.get(mine) {
                    known[mine] = Some(look(piece, by));
                } else {
                    match ready.recv() {
                        Ok((at, found)) => known[at] = Some(found),
                        Err(_) => break look(pieces[i], by),
                    }
                }
            };
            if let Err(stop) = walk(pieces[i], found) {
                next.store(pieces.len(), Ordering::Relaxed);
                return Err(stop);
            }
        }
        Ok(())
    })
}

/// Cuts a block at line feeds into pieces worth a thread's while; what follows the last line feed is left out.
fn split(block: &[u8]) -> Vec<&[u8]> {
    let mut pieces = Vec::new();
    let mut rest = &block[..memchr::memrchr(b'\n', block).map_or(0, |at| at + 1)];
    while rest.len() > PIECE {
        let end = memchr::memchr(b'\n', &rest[PIECE..]).map_or(rest.len(), |at| PIECE + at + 1);
        let (piece, more) = rest.split_at(end);
        pieces.push(piece);
        rest = more;
    }
    if !rest.is_empty() {
        pieces.push(rest);
    }
    pieces
}

fn look(piece: &[u8], by: Option<&Verifier>) -> Vec<Ahead> {
    let mut from = 0;
    memchr::memchr_iter(b'\n', piece)
        .map(|end| {
            let line = &piece[from..end];
            from = end + 1;
            one(line, by)
        })
        .collect()
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
