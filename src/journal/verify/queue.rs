//! Records are read on two cores, in lots, and then looked at in their order.

use std::ops::Range;
use std::sync::atomic::Ordering;

use super::super::checkpoint::Head;
use super::super::glance::{self, Glance};
use super::super::layout::LogDir;
use super::super::reader::Line;
use super::super::record::{self, ReadError, Record};
use super::super::walk::{Bad, Event};
use super::{Audit, Level};
use crate::domain::decision::{Entry, RecordType};

/// Lines of one lot.
const LOT: usize = 8192;
/// Fewer lines are not worth a second thread.
const WORTH: usize = 128;

/// Bytes of one lot.
const LOT_BYTES: usize = 8 * 1024 * 1024;

/// Records of these kinds are looked into one by one.
const LOOKED_INTO: [RecordType; 4] = [
    RecordType::PeerHeads,
    RecordType::Anchor,
    RecordType::Recovered,
    RecordType::Prune,
];

/// What records of these kinds say together is checked when all logs are read.
const KEPT: [RecordType; 6] = [
    RecordType::Plan,
    RecordType::Approval,
    RecordType::Intent,
    RecordType::Outcome,
    RecordType::Verify,
    RecordType::Decision,
];

enum Met {
    Line {
        seq: u64,
        segment: u64,
        offset: u64,
        /// Where its bytes stand in the queue.
        at: Range<usize>,
    },
    Withheld(u64),
    Commit(Head),
    Damage(Bad),
}

/// What a walk met and nobody looked at yet.
#[derive(Default)]
pub struct Queue {
    met: Vec<Met>,
    /// All lines that wait, end to end.
    bytes: Vec<u8>,
    /// Lines since the last commit.
    pending: Vec<Line>,
    /// Committed lines of the kinds that are kept.
    pub lines: Vec<Line>,
}

impl Audit<'_> {
    /// Takes in what the walk meets.
    pub(super) fn meet(&mut self, log: &LogDir, event: &Event<'_>) {
        self.queue.met.push(match event {
            Event::Line {
                seq,
                segment,
                offset,
                bytes,
            } => {
                let from = self.queue.bytes.len();
                self.queue.bytes.extend_from_slice(bytes);
                Met::Line {
                    seq: *seq,
                    segment: *segment,
                    offset: *offset,
                    at: from..self.queue.bytes.len(),
                }
            }
            Event::Withheld { seq } => Met::Withheld(*seq),
            Event::Commit(head) => Met::Commit((*head).clone()),
            Event::Damage(bad) => Met::Damage((*bad).clone()),
        });
        if self.queue.met.len() >= LOT || self.queue.bytes.len() >= LOT_BYTES {
            self.look(log);
        }
    }

    /// Looks at everything that waits.
    pub(super) fn look(&mut self, log: &LogDir) {
        let met = std::mem::take(&mut self.queue.met);
        let bytes = std::mem::take(&mut self.queue.bytes);
        let mut read = read_all(&met, &bytes).into_iter();
        for met in &met {
            match met {
                Met::Line {
                    seq,
                    segment,
                    offset,
                    at,
                } => {
                    self.report.segments += u64::from(*offset == 0);
                    if let Some(progress) = &self.options.progress {
                        progress.fetch_add(at.len() as u64 + 1, Ordering::Relaxed);
                    }
                    match read.next() {
                        Some(Ok((glance, record))) => {
                            self.glance(&glance);
                            if let Some(record) = record {
                                self.record(log, *segment, &record);
                                self.keep(record, &bytes[at.clone()]);
                            }
                        }
                        Some(Err(e)) => {
                            let text = format!("record {seq} cannot be read: {e}");
                            self.find(Level::Warning, "records", Some(*seq), text);
                        }
                        None => {}
                    }
                }
                Met::Withheld(seq) => self.evidence.withheld(*seq),
                Met::Commit(head) => {
                    for mut line in self.queue.pending.drain(..) {
                        line.entry.log.clone_from(&head.origin);
                        self.queue.lines.push(line);
                    }
                    self.facts.roots.insert(head.size, head.root);
                    self.committed = true;
                }
                Met::Damage(bad) => {
                    self.queue.pending.clear();
                    let text = format!("record {}: {}", bad.seq, bad.why);
                    self.find(Level::Failure, "damaged", Some(bad.seq), text);
                }
            }
        }
        drop(read);
        // The room is used again.
        (self.queue.met, self.queue.bytes) = (met, bytes);
        self.queue.met.clear();
        self.queue.bytes.clear();
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
            body: record.body,
        };
        self.queue.pending.push(Line { entry, raw });
    }
}

/// A record's frame, and the whole of it where some check looks into its body.
type Read<'l> = Result<(Glance<'l>, Option<Record>), ReadError>;

fn read_one(line: &[u8]) -> Read<'_> {
    let glance = glance::at(line)?;
    let whole = glance.telling || KEPT.contains(&glance.kind) || LOOKED_INTO.contains(&glance.kind);
    let record = whole.then(|| record::read(line)).transpose()?;
    Ok((glance, record))
}

fn read_all<'l>(met: &[Met], bytes: &'l [u8]) -> Vec<Read<'l>> {
    let each = |met: &[Met]| {
        let lines = met.iter().filter_map(|m| match m {
            Met::Line { at, .. } => Some(read_one(&bytes[at.clone()])),
            _ => None,
        });
        lines.collect::<Vec<_>>()
    };
    if met.len() < WORTH {
        return each(met);
    }
    let (left, right) = met.split_at(met.len() / 2);
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
