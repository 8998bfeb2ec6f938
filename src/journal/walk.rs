//! Goes along a log line by line and checks the chain, the tree and the signed heads.
//!
//! What counts as recorded ends at the last *valid* checkpoint. A line that follows one, however well it fits, is not
//! committed yet: a rule that trusts a fitting `prev` alone accepts torn data.

mod ahead;
mod met;
mod state;

use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::Value;

use crate::domain::text::show;

use super::checkpoint::{self, Head, Invalid, prefix};
use super::error::JournalError;
use super::fs::{How, content_end};
use super::layout::{LogDir, segment_name};
use super::merkle::{CompactRange, Hash, ZERO, leaf_hash, unhex};
use super::note::Verifier;
use super::record::{self, MAX_LINE};
pub use met::{Bad, Event, Mark, Tail, Why};

use ahead::{Ahead, End, Look, Signer, Source, Stop};

/// A writer begins a new segment beyond this many bytes.
pub const SEGMENT_LIMIT: u64 = 64 * 1024 * 1024;
/// A reader refuses a segment beyond this many bytes.
const SEGMENT_CAP: u64 = 4 * SEGMENT_LIMIT;

/// A place between two lines, with everything needed to go on from it.
#[derive(Clone, Debug)]
pub struct Point {
    /// Sequence number of the next line.
    pub seq: u64,
    /// Leaf hash of the line before.
    pub prev: Hash,
    /// The tree over all lines before.
    pub range: CompactRange,
    /// First sequence number of the segment.
    pub segment: u64,
    /// Byte offset in the segment.
    pub offset: u64,
}

impl Point {
    /// The very beginning.
    pub fn start() -> Self {
        Self {
            seq: 0,
            prev: ZERO,
            range: CompactRange::default(),
            segment: 0,
            offset: 0,
        }
    }

    /// Goes past one line (without its line feed) and returns its leaf hash.
    pub fn pass(&mut self, line: &[u8]) -> Hash {
        let leaf = leaf_hash(line);
        self.step(leaf, line.len());
        leaf
    }

    /// Goes past a line of `len` bytes of which the leaf hash is known, or all that is left.
    pub fn step(&mut self, leaf: Hash, len: usize) {
        self.seq += 1;
        self.prev = leaf;
        self.range.push(leaf);
        self.offset += len as u64 + 1;
    }
}

/// What stops a walk before the end.
enum Halt {
    Bad(Bad),
    Paused,
}

impl Tail {
    /// Tells whether the log ends at its last valid checkpoint.
    pub fn is_clean(&self) -> bool {
        self.bad.is_none() && self.rest == 0 && self.later.is_empty()
    }
}

/// From where on which key signs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeySpan {
    /// The record that brought it.
    pub seq: u64,
    /// Smallest size that it signs; a key before it signs up to here.
    pub from: u64,
    /// The key.
    pub by: Verifier,
    /// Whether the key before it did not sign the change: a new epoch.
    pub uncontinued: bool,
}

/// A key that takes over with the next checkpoint.
#[derive(Clone, Debug)]
struct Incoming {
    seq: u64,
    by: Verifier,
    epoch: bool,
}

/// A walk along one log; it can be continued when the log has grown.
#[derive(Clone, Debug)]
pub struct Walk {
    /// `<host>/<user>`, from the directory: the origin must end in it.
    pub owner: String,
    /// The key in force, learned from the genesis record and from records that change it.
    pub verifier: Option<Verifier>,
    /// All keys so far, oldest first.
    pub keys: Vec<KeySpan>,
    /// Where the last valid checkpoint ended.
    pub good: Point,
    /// That checkpoint, as signed.
    pub head: Option<(Head, String)>,
    /// How many checkpoints were passed.
    pub checkpoints: u64,
    /// How many committed bytes were passed.
    pub passed: u64,
    /// Leaf hashes of all lines so far, when somebody wants them.
    pub leaves: Option<Vec<Hash>>,
    /// Set when somebody wants it to end.
    pub stop: Option<Arc<AtomicBool>>,
    every_signature: bool,
    /// Where to rest.
    rest_at: Option<Mark>,
    incoming: Option<Incoming>,
    /// Whether content was withheld from the segment that is read.
    pruned: bool,
    at: Point,
}

/// Finds where the line after the first `lines` lines begins.
fn offset_of(log: &LogDir, file: &File, name: &str, lines: u64) -> Result<u64, JournalError> {
    let bytes = super::fs::read_from(&*log.fs, file, 0, SEGMENT_CAP as usize)
        .map_err(log.failed("read", name))?;
    let mut ends = memchr::memchr_iter(b'\n', &bytes);
    let end = usize::try_from(lines)
        .ok()
        .and_then(|n| n.checked_sub(1))
        .and_then(|n| ends.nth(n));
    // Fewer lines than were read already: what is missing shows as a segment that became shorter.
    Ok(end.map_or(bytes.len() as u64 + 1, |at| at as u64 + 1))
}

impl Walk {
    /// Begins a walk. Without `every_signature`, roots are recomputed for every checkpoint but the caller checks only
    /// the last signature by [`Walk::confirm`]: as it covers every line before, nothing is believed unsigned.
    pub fn new(owner: String, every_signature: bool) -> Self {
        Self {
            owner,
            verifier: None,
            keys: Vec::new(),
            incoming: None,
            leaves: None,
            stop: None,
            good: Point::start(),
            head: None,
            checkpoints: 0,
            passed: 0,
            every_signature,
            rest_at: None,
            pruned: false,
            at: Point::start(),
        }
    }

    /// Checks the signature of the last checkpoint, and every later one from now on.
    pub fn confirm(&mut self) -> bool {
        self.every_signature = true;
        match (&self.head, &self.verifier) {
            (None, _) => true,
            (Some((head, signed)), Some(by)) => Head::open(signed, by).as_ref() == Some(head),
            (Some(_), None) => false,
        }
    }

    /// Goes on from the last valid checkpoint to the end of what is there.
    pub fn run(
        &mut self,
        log: &LogDir,
        sink: &mut dyn FnMut(Event<'_>),
    ) -> Result<Tail, JournalError> {
        self.run_with(log, &|_| (), sink)
    }

    /// As [`Walk::run_with`], no further than to a checkpoint that was met there before.
    pub fn run_to<T: Send>(
        &mut self,
        mark: Option<Mark>,
        log: &LogDir,
        look: Look<'_, T>,
        sink: &mut dyn FnMut(Event<'_, T>),
    ) -> Result<Tail, JournalError> {
        self.rest_at = mark;
        let ended = self.run_with(log, look, sink);
        self.rest_at = None;
        ended
    }

    /// From now on every signature is checked.
    pub fn check_each(&mut self) {
        self.every_signature = true;
    }

    /// As [`Walk::run`]; `look` is asked about every record, ahead of the walk and on two cores, so also about lines that
    /// turn out not to fit.
    pub fn run_with<T: Send>(
        &mut self,
        log: &LogDir,
        look: Look<'_, T>,
        sink: &mut dyn FnMut(Event<'_, T>),
    ) -> Result<Tail, JournalError> {
        self.at = self.good.clone();
        self.incoming = None;
        let (segments, _) = log.segments()?;
        let later = |than: u64| {
            segments
                .iter()
                .copied()
                .filter(|s| *s > than)
                .collect::<Vec<_>>()
        };
        if !segments.contains(&self.at.segment) {
            return Ok(self.missing(&segments));
        }
        loop {
            let stop = self.stop.as_ref();
            if stop.is_some_and(|stop| stop.load(Ordering::Relaxed)) {
                return Err(JournalError::Stopped);
            }
            let first = self.at.segment;
            let (bad, len) = self.segment(log, look, sink)?;
            if self.is_at_mark() {
                return Ok(Tail {
                    paused: true,
                    ..Tail::default()
                });
            }
            let here = if self.good.segment == first {
                self.good.offset
            } else {
                0
            };
            let rest = len.saturating_sub(here);
            let tail = Tail {
                bad,
                segment: first,
                rest,
                uncommitted: self.at.seq - self.good.seq,
                later: later(first),
                paused: false,
            };
            let Some(next) = tail.later.first().copied() else {
                return Ok(tail);
            };
            let clean = tail.bad.is_none() && rest == 0;
            if next != self.good.seq || !(clean || self.declares_damage(log, next, first)?) {
                return Ok(self.unreachable(tail, next));
            }
            if !clean {
                let bad = tail
                    .bad
                    .unwrap_or_else(|| self.bad(first, here, Invalid::NotCanonical.into()));
                sink(Event::Damage(&bad));
            }
            self.good.segment = next;
            self.good.offset = 0;
            self.at = self.good.clone();
            self.incoming = None;
        }
    }

    fn bad(&self, segment: u64, offset: u64, why: Why) -> Bad {
        Bad {
            seq: self.at.seq,
            from: self.good.seq,
            segment,
            offset,
            why,
        }
    }

    fn missing(&self, segments: &[u64]) -> Tail {
        let expected = segment_name(self.at.segment);
        let bad = segments.first().map(|first| {
            let found = segment_name(*first);
            self.bad(
                self.at.segment,
                self.at.offset,
                Why::Segment {
                    expected: expected.clone(),
                    found,
                },
            )
        });
        let gone = (self.at.seq > 0 && bad.is_none()).then(|| {
            self.bad(
                self.at.segment,
                self.at.offset,
                Why::Segment {
                    expected,
                    found: "nothing".into(),
                },
            )
        });
        Tail {
            bad: bad.or(gone),
            segment: self.at.segment,
            later: segments.to_vec(),
            ..Tail::default()
        }
    }

    fn unreachable(&self, mut tail: Tail, next: u64) -> Tail {
        if tail.bad.is_none() {
            let why = Why::Segment {
                expected: segment_name(self.good.seq),
                found: segment_name(next),
            };
            tail.bad = Some(self.bad(tail.segment, self.at.offset, why));
        }
        tail
    }

    /// Tells whether the segment `next` begins with a record that says where `first` is damaged, chained to the last
    /// valid checkpoint.
    fn declares_damage(&self, log: &LogDir, next: u64, first: u64) -> Result<bool, JournalError> {
        // A segment that begins where this one does would lead in a circle.
        if next <= first {
            return Ok(false);
        }
        let (name, _) = log.segment_file(next);
        let file = log.open(&name, How::Read)?;
        let bytes = super::fs::read_from(&*log.fs, &file, 0, MAX_LINE + 1)
            .map_err(log.failed("read", &name))?;
        let Some(line) = bytes.split(|b| *b == b'\n').next() else {
            return Ok(false);
        };
        let start = prefix(self.good.seq, &self.good.prev);
        let begins = |kind: &str| line.starts_with(format!("{start}{kind}\"").as_bytes());
        let declared = (begins("segment") || begins("genesis"))
            && record::read(line).is_ok_and(|r| {
                let damaged = r.body.get("damaged").unwrap_or(&Value::Null);
                damaged["segment"] == segment_name(first)
                    && damaged["offset"].as_u64() == Some(self.good.offset)
            });
        Ok(declared)
    }

    /// Reads one segment from where the walk stands; returns what stopped it and where its lines end.
    fn segment<T: Send>(
        &mut self,
        log: &LogDir,
        look: Look<'_, T>,
        sink: &mut dyn FnMut(Event<'_, T>),
    ) -> Result<(Option<Bad>, u64), JournalError> {
        let (name, pruned) = log.segment_file(self.at.segment);
        let file = log.open(&name, How::Read)?;
        self.pruned = pruned;
        if pruned && self.at.offset > 0 {
            // Content may have been withheld since this walk stood here: the lines are as many, and shorter.
            let offset = offset_of(log, &file, &name, self.at.seq - self.at.segment)?;
            self.at.offset = offset;
            self.good.offset = offset;
        }
        let len = log.fs.len(&file).map_err(log.failed("look at", &name))?;
        if len > SEGMENT_CAP {
            let what = format!("{len} bytes large, more than any segment");
            return Err(JournalError::Foreign {
                path: log.path.join(&name),
                what,
            });
        }
        if len < self.at.offset {
            return Err(JournalError::RolledBack {
                path: log.path.join(&name),
                known: self.at.offset,
                found: len,
            });
        }
        let end =
            content_end(&*log.fs, &file, self.at.offset).map_err(log.failed("read", &name))?;
        self.lines(log, (&file, end), &name, look, sink)
    }

    fn lines<T: Send>(
        &mut self,
        log: &LogDir,
        (file, end): (&File, u64),
        name: &str,
        look: Look<'_, T>,
        sink: &mut dyn FnMut(Event<'_, T>),
    ) -> Result<(Option<Bad>, u64), JournalError> {
        let mark = self.rest_at.as_ref();
        // A record and the checkpoint behind it take no more.
        let cap = mark
            .filter(|m| m.segment == self.at.segment)
            .map_or(SEGMENT_CAP, |m| m.offset + 2 * MAX_LINE as u64);
        let source = Source::new(&*log.fs, file, self.at.offset, end, cap);
        let by = self.signer(None);
        let ended = ahead::along(source, by, look, &mut |piece| {
            let mut from = 0;
            for mut known in piece.lines.drain(..) {
                let line = &piece.bytes[from..from + known.len];
                from += known.len + 1;
                known.signed = known.signed && piece.by.as_deref() == self.verifier.as_ref();
                let (segment, offset) = (self.at.segment, self.at.offset);
                self.line(line, known, look, sink)
                    .map_err(|why| Halt::Bad(self.bad(segment, offset, why)))?;
                if self.is_at_mark() {
                    return Err(Halt::Paused);
                }
            }
            Ok(self.signer(piece.by.clone()))
        });
        let bad = match ended {
            Ok(End::Read(len)) => return Ok((None, len)),
            Err(Stop::Io(error)) => return Err(log.failed("read", name)(error)),
            Ok(End::TooLong) => self.bad(self.at.segment, self.at.offset, Why::TooLong),
            Err(Stop::Said(Halt::Bad(bad))) => bad,
            Err(Stop::Said(Halt::Paused)) => return Ok((None, self.at.offset)),
        };
        Ok((Some(bad), end))
    }

    fn is_at_mark(&self) -> bool {
        self.rest_at
            .as_ref()
            .is_some_and(|mark| self.good.seq > mark.head.size)
    }

    /// The key that every signature is checked against; `before` where it is the same.
    fn signer(&self, before: Signer) -> Signer {
        let by = self.verifier.as_ref().filter(|_| self.every_signature);
        if before.as_deref() == by {
            return before;
        }
        by.cloned().map(Arc::new)
    }

    fn line<T>(
        &mut self,
        line: &[u8],
        known: Ahead<T>,
        look: Look<'_, T>,
        sink: &mut dyn FnMut(Event<'_, T>),
    ) -> Result<(), Why> {
        if let Some(leaf) = self.pruned.then(|| unhex(line)).flatten() {
            if self.verifier.is_none() {
                return Err(Why::Genesis("its content was withheld".into()));
            }
            let seq = self.at.seq;
            self.at.step(leaf, line.len());
            self.keep_leaf(seq, leaf);
            sink(Event::Withheld { seq });
            return Ok(());
        }
        if line.len() > MAX_LINE {
            return Err(Why::TooLong);
        }
        if let Some(byte) = known.strange {
            return Err(Why::Byte(byte));
        }
        let Some(rest) = checkpoint::after_prefix(line, self.at.seq, &self.at.prev) else {
            let start = prefix(self.at.seq, &self.at.prev);
            let found = String::from_utf8_lossy(&line[..line.len().min(start.len())]);
            return Err(Why::Chain {
                expected: start,
                found: show(&found).into_owned(),
            });
        };
        if rest.starts_with(b"checkpoint\"") {
            return self.checkpoint(line, &known, sink);
        }
        if self.at.seq == 0 {
            self.verifier = Some(self.genesis(line).map_err(Why::Genesis)?);
        } else if rest.starts_with(b"key_rotate\"")
            || (self.at.offset == 0 && rest.starts_with(b"genesis\""))
        {
            self.incoming = Some(self.key_change(line).map_err(Why::Key)?);
        }
        let (seq, segment, offset) = (self.at.seq, self.at.segment, self.at.offset);
        self.pass(&known);
        sink(Event::Line {
            seq,
            segment,
            offset,
            bytes: line,
            seen: known.seen.unwrap_or_else(|| look(line)),
        });
        Ok(())
    }

    fn checkpoint<T>(
        &mut self,
        line: &[u8],
        known: &Ahead<T>,
        sink: &mut dyn FnMut(Event<'_, T>),
    ) -> Result<(), Why> {
        let Some(by) = &self.verifier else {
            return Err(Why::Genesis("a checkpoint comes first".into()));
        };
        let signed = checkpoint::note_in(line, self.at.seq, &self.at.prev)?;
        let head = Head {
            origin: by.name.clone(),
            size: self.at.seq,
            root: self.at.range.root(),
        };
        // Where the key changes, the signatures are all that vouches for it.
        let every = (self.every_signature && !known.signed) || self.incoming.is_some();
        let both;
        let signers: &[&Verifier] = match &self.incoming {
            None => &[by],
            Some(new) if new.epoch => &[&new.by],
            Some(new) => {
                both = [by, &new.by];
                &both
            }
        };
        checkpoint::check(&signed, &head, signers, every)?;
        if self.keys.is_empty() {
            self.take_key(0, 0, by.clone(), false);
        }
        if let Some(new) = self.incoming.take() {
            self.take_key(new.seq, head.size, new.by, new.epoch);
        }
        self.pass(known);
        self.passed += self.at.offset
            - if self.good.segment == self.at.segment {
                self.good.offset
            } else {
                0
            };
        self.good = self.at.clone();
        self.checkpoints += 1;
        sink(Event::Commit(&head));
        self.head = Some((head, signed));
        Ok(())
    }

    fn pass<T>(&mut self, known: &Ahead<T>) {
        let seq = self.at.seq;
        self.at.step(known.leaf, known.len);
        self.keep_leaf(seq, known.leaf);
    }

    fn keep_leaf(&mut self, seq: u64, leaf: Hash) {
        if let Some(leaves) = &mut self.leaves {
            // Lines that were void after damage are replaced.
            leaves.truncate(seq as usize);
            leaves.push(leaf);
        }
    }

    /// Notes that a key signs from `from` lines on.
    pub fn take_key(&mut self, seq: u64, from: u64, by: Verifier, epoch: bool) {
        let uncontinued = epoch && self.verifier.as_ref() != Some(&by);
        self.verifier = Some(by.clone());
        self.keys.push(KeySpan {
            seq,
            from,
            by,
            uncontinued,
        });
    }

    /// Reads the key that a record brings, in the same log and after the same head.
    fn key_change(&self, line: &[u8]) -> Result<Incoming, String> {
        let (Some(old), None) = (&self.verifier, &self.incoming) else {
            return Err("another one in the same write does so too".to_owned());
        };
        let record = record::read(line).map_err(|e| e.to_string())?;
        let epoch = record.kind == crate::domain::decision::RecordType::Genesis;
        let text = |key: &str| record.body.get(key).and_then(Value::as_str);
        let by = text(if epoch { "key" } else { "new_vkey" })
            .and_then(Verifier::from_vkey)
            .filter(|by| by.name == old.name)
            .ok_or("it names no usable key of this log")?;
        if epoch {
            let (head, signed) = self.head.as_ref().ok_or("there is no head before it")?;
            if text("last_head") != Some(signed) {
                return Err("it does not name the last head before it".to_owned());
            }
            // Heads before may have been passed on the strength of a later signature; there is none by this key.
            if Head::open(signed, old).as_ref() != Some(head) {
                return Err("the head before it is not signed by the key before it".to_owned());
            }
        }
        Ok(Incoming {
            seq: record.seq,
            by,
            epoch,
        })
    }

    fn genesis(&self, line: &[u8]) -> Result<Verifier, String> {
        let record = record::read(line).map_err(|e| e.to_string())?;
        if record.kind != crate::domain::decision::RecordType::Genesis {
            return Err(format!("it is a {} record", record.kind));
        }
        let vkey = record.body.get("key").and_then(Value::as_str);
        let verifier = vkey
            .and_then(Verifier::from_vkey)
            .ok_or("it names no usable Ed25519 key")?;
        let site = verifier
            .name
            .strip_suffix(&self.owner)
            .and_then(|s| s.strip_suffix('/'));
        if site.is_none_or(|s| s.is_empty() || s.contains('/')) {
            return Err(format!(
                "its key is for {}, the directory is {}",
                show(&verifier.name),
                self.owner
            ));
        }
        Ok(verifier)
    }
}
