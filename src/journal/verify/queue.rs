//! What a walk meets, record by record: looked into, kept where records are checked together, and counted.

use std::sync::atomic::Ordering;

use super::super::glance::{self, Parted};
use super::super::layout::LogDir;
use super::super::reader::{Line, Place};
use super::super::record::{self, ReadError, Record};
use super::super::walk::Event;
use super::{Audit, Level, in_words};
use crate::domain::decision::{Entry, RecordType};

/// Records of these kinds are looked into one by one.
const LOOKED_INTO: [RecordType; 4] = [
    RecordType::PeerHeads,
    RecordType::Anchor,
    RecordType::Recovered,
    RecordType::Prune,
];

/// What records of these kinds say together is checked when all logs are read.
const KEPT: [RecordType; 7] = [
    RecordType::Plan,
    RecordType::Approval,
    RecordType::Intent,
    RecordType::Outcome,
    RecordType::Verify,
    RecordType::Decision,
    RecordType::BreakGlass,
];

/// Records that are checked together when all logs are read.
#[derive(Default)]
pub struct Queue {
    /// Those since the last commit.
    pending: Vec<Line>,
    /// Committed ones.
    pub lines: Vec<Line>,
    /// Bytes since progress was told.
    untold: u64,
}

/// How many bytes are looked at before it is told how far it is.
const TELL_EVERY: u64 = 1024 * 1024;

impl Audit<'_> {
    /// Takes in what the walk meets.
    pub(super) fn meet(&mut self, log: &LogDir, event: Event<'_, Read>) {
        match event {
            Event::Line {
                seq,
                segment,
                offset,
                bytes,
                seen,
            } => {
                self.report.segments += u64::from(offset == 0);
                self.queue.untold += bytes.len() as u64 + 1;
                if self.queue.untold >= TELL_EVERY {
                    self.tell();
                }
                match seen {
                    Ok((glance, record)) => {
                        self.glance(&glance.rejoin(bytes));
                        if let Some(record) = record {
                            self.record(log, segment, &record);
                            self.keep(record, bytes);
                        }
                    }
                    Err(e) => {
                        let text = format!("record {seq} cannot be read: {e}");
                        self.find(Level::Warning, "records", Some(seq), text);
                    }
                }
            }
            Event::Withheld { seq } => self.evidence.withheld(seq),
            Event::Commit(head) => {
                for mut line in self.queue.pending.drain(..) {
                    line.entry.log.clone_from(&head.origin);
                    self.queue.lines.push(line);
                }
                self.facts.roots.insert(head.size, head.root);
                self.committed = true;
            }
            Event::Damage(bad) => {
                self.queue.pending.clear();
                let text = format!("record {}: {}", bad.seq, in_words(bad));
                self.find(Level::Failure, "damaged", Some(bad.seq), text);
            }
        }
    }

    /// Tells how far it is.
    pub(super) fn tell(&mut self) {
        let untold = std::mem::take(&mut self.queue.untold);
        if let Some(progress) = &self.options.progress {
            progress.fetch_add(untold, Ordering::Relaxed);
        }
    }

    fn keep(&mut self, record: Record, raw: &[u8]) {
        if !KEPT.contains(&record.kind) {
            return;
        }
        // Of an approval the frame is asked for again.
        let raw = if record.kind == RecordType::Approval {
            raw.to_vec()
        } else {
            Vec::new()
        };
        let owner = self.walk.owner.split_once('/');
        let entry = Entry {
            log: String::new(),
            seq: record.seq,
            kind: record.kind,
            ts: record.ts,
            actor: owner.map_or_else(String::new, |(host, user)| format!("{user}@{host}")),
            signer: None,
            body: record.body,
        };
        self.queue.pending.push(Line {
            entry,
            raw,
            place: Place::default(),
        });
    }
}

/// A record's frame, and the whole of it where some check looks into its body.
pub type Read = Result<(Parted, Option<Record>), ReadError>;

/// Reads one line.
pub fn read(line: &[u8]) -> Read {
    let glance = glance::at(line)?;
    let whole = glance.telling || KEPT.contains(&glance.kind) || LOOKED_INTO.contains(&glance.kind);
    let record = whole.then(|| record::read(line)).transpose()?;
    Ok((glance.part(line), record))
}
