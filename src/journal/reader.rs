//! Reads every log of a store. Other people's logs are untrusted input: sizes are bounded, links and foreign files
//! refused, nothing is shown that is not signed, and whatever is wrong becomes a [`Problem`], never an error.

use std::collections::{BTreeMap, VecDeque};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;

use crate::domain::decision::{Entry, RecordType};
use crate::domain::text::show;

use super::actor::{host_name, safe_name, user_name};
use super::block;
use super::checkpoint::Head;
use super::fs::{Fs, How, Real};
use super::layout::{LogDir, segment_name};
use super::record::{self, Record};
use super::remains::Remains;
use super::walk::{Event, KeySpan, Mark, Walk};
use super::writer::Lot;

/// Bytes of a log that are read in one piece.
const PIECE: usize = 4 * 1024 * 1024;

type Read<T = Record> = Result<T, record::ReadError>;

/// Most logs of one store that are read.
const MOST_LOGS: usize = 1024;

/// Something about a log that people should know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// `<host>/<user>` or a path, safe to draw.
    pub log: String,
    /// In words, safe to draw.
    pub text: String,
    /// Whether records are lost or not what was signed; else somebody should look.
    pub grave: bool,
}

impl Problem {
    fn new(log: &str, text: impl std::fmt::Display) -> Self {
        Self {
            log: show(log).into_owned(),
            text: show(&text.to_string()).into_owned(),
            grave: true,
        }
    }
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.log, self.text)
    }
}

/// One committed record with the bytes that were signed.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// The record.
    pub entry: Entry,
    /// Its line without the line feed.
    pub raw: Vec<u8>,
    /// Where the line begins.
    pub place: Place,
}

/// A place in the segments of a log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// First sequence number of the segment.
    pub segment: u64,
    /// Byte offset in it.
    pub offset: u64,
}

/// Reads all committed records of a store, merged by time; records of one log keep their order.
pub fn read_store(store: &Path) -> (Vec<Entry>, Vec<Problem>) {
    let (lines, problems) = read_lines(store);
    (lines.into_iter().map(|l| l.entry).collect(), problems)
}

/// As [`read_store`], with the verbatim lines.
pub fn read_lines(store: &Path) -> (Vec<Line>, Vec<Problem>) {
    let (logs, mut problems) = logs_in(store);
    let mut lines = Vec::new();
    for (owner, log) in logs {
        LogReader::new(owner, log).read(&mut lines, &mut problems);
    }
    (merge(lines), problems)
}

/// Goes along every log of a store and checks chain, roots and signatures (without `signatures`, the last of each log),
/// but reads no record. Returns how many lines and bytes are committed, and what is wrong.
pub fn check_chains(store: &Path, signatures: bool) -> (u64, u64, Vec<Problem>) {
    let (logs, mut problems) = logs_in(store);
    let (mut lines, mut bytes) = (0, 0);
    for (owner, log) in logs {
        let mut walk = Walk::new(owner.clone(), signatures);
        match walk.run(&log, &mut |_| {}) {
            Err(e) => problems.push(Problem::new(&owner, e)),
            Ok(tail) => problems.extend(tail.bad.map(|bad| Problem::new(&owner, bad.why))),
        }
        if !signatures && !walk.confirm() {
            problems.push(Problem::new(
                &owner,
                "the last head is not signed by this log's key",
            ));
        }
        lines += walk.good.seq;
        bytes += walk.passed;
    }
    (lines, bytes, problems)
}

/// Sorts by time. Where a log's clock stepped back, its later record counts as being as late as the one before.
pub fn merge(lines: Vec<Line>) -> Vec<Line> {
    let mut latest: BTreeMap<String, Timestamp> = BTreeMap::new();
    let mut keyed: Vec<(Timestamp, Line)> = lines
        .into_iter()
        .map(|line| {
            let at = latest
                .entry(line.entry.log.clone())
                .or_insert(line.entry.ts);
            *at = line.entry.ts.max(*at);
            (*at, line)
        })
        .collect();
    keyed.sort_by(|(a, x), (b, y)| {
        a.cmp(b)
            .then_with(|| x.entry.log.cmp(&y.entry.log))
            .then(x.entry.seq.cmp(&y.entry.seq))
    });
    keyed.into_iter().map(|(_, line)| line).collect()
}

/// Finds the logs of a store: `<host>/<user>` and the open directory.
pub fn logs_in(store: &Path) -> (Vec<(String, LogDir)>, Vec<Problem>) {
    let fs: Arc<dyn Fs> = Arc::new(Real);
    let mut problems = Vec::new();
    let mut logs = Vec::new();
    let top = File::open(store).and_then(|root| fs.open(&root, "logs", How::Dir, 0));
    let top = match top {
        Ok(top) => top,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return (logs, problems),
        Err(e) => {
            problems.push(Problem::new(&store.display().to_string(), e));
            return (logs, problems);
        }
    };
    let mut names = Owners::default();
    for host in fs.list(&top).unwrap_or_default() {
        let dir = match fs.open(&top, &host, How::Dir, 0) {
            Ok(dir) if safe_name(&host) == host => dir,
            Ok(_) => continue,
            Err(e) => {
                problems.push(Problem::new(&host, e));
                continue;
            }
        };
        for user in fs.list(&dir).unwrap_or_default() {
            let owner = format!("{host}/{user}");
            let path: PathBuf = store.join("logs").join(&host).join(&user);
            match LogDir::at(Arc::clone(&fs), &dir, path, &user) {
                _ if logs.len() >= MOST_LOGS => {
                    problems.push(Problem::new(&owner, "too many logs: not read"));
                }
                _ if safe_name(&user) != user => {
                    problems.push(Problem::new(&owner, "not the name of a log: not read"));
                }
                Ok(log) => match names.refuse(&host, &user, log.owner) {
                    Some(why) => problems.push(Problem::new(&owner, why)),
                    None => logs.push((owner, log)),
                },
                Err(e) => problems.push(Problem::new(&owner, e)),
            }
        }
    }
    (logs, problems)
}

/// Who may own whose log.
#[derive(Default)]
struct Owners {
    known: BTreeMap<u32, String>,
}

impl Owners {
    /// On the host where it was written, a log in somebody's name must be theirs: else anybody could plant approvals.
    /// A copy that I made (or root did) is mine; whether it is genuine is for its key to tell.
    fn refuse(&mut self, host: &str, user: &str, uid: u32) -> Option<String> {
        let mine = uid == rustix::process::geteuid().as_raw() || uid == 0;
        if mine || host != host_name() {
            return None;
        }
        let name = self.known.entry(uid).or_insert_with(|| user_name(uid));
        (name != user).then(|| format!("the directory belongs to {name}, not to {user}: not read"))
    }
}

/// Reads one log, and goes on where it stopped.
///
/// A long log is read in pieces, so that nobody needs the memory for all of it. The first time its chain is gone along
/// once without reading a record: the last signature covers every line before it, and with them the heads on the way.
/// What is then read up to one of these heads, and gives the same root, is what was signed.
#[derive(Debug)]
pub struct LogReader {
    owner: String,
    log: LogDir,
    walk: Walk,
    /// Heads to read up to, in order.
    marks: VecDeque<Mark>,
    surveyed: bool,
    first: bool,
    told: Option<Problem>,
    keys: usize,
    rest: (u64, u64, u64),
}

impl LogReader {
    /// Begins at the beginning.
    pub fn new(owner: String, log: LogDir) -> Self {
        let walk = Walk::new(owner.clone(), false);
        Self {
            owner,
            log,
            walk,
            marks: VecDeque::new(),
            surveyed: false,
            first: true,
            told: None,
            keys: 0,
            rest: (0, 0, 0),
        }
    }

    /// Begins where another walk stood.
    pub fn resume(log: LogDir, walk: Walk) -> Self {
        let mut reader = Self::new(walk.owner.clone(), log);
        reader.keys = walk.keys.len();
        reader.walk = walk;
        reader
    }

    /// Returns the walk, where it stands.
    pub const fn walk(&self) -> &Walk {
        &self.walk
    }

    /// Tells whether nothing was committed since the last call: it would begin where the last commit ended, or in the
    /// segment that follows. Anything else about the log is for a whole look to say; `false` where that has to come first.
    pub fn is_quiet(&self) -> bool {
        let good = &self.walk.good;
        if self.first || !self.marks.is_empty() || self.told.is_some() || good.seq == 0 {
            return false;
        }
        let fs = &*self.log.fs;
        let mut next = [0];
        let same = self.log.open(&segment_name(good.segment), How::Read);
        let same = same.is_ok_and(|file| {
            fs.len(&file).is_ok_and(|len| len >= good.offset)
                // Room behind the lines is no content.
                && fs.read_at(&file, &mut next, good.offset).is_ok()
                && next == [0]
        });
        let begun = || {
            good.seq != good.segment
                && fs
                    .is_there(&self.log.dir, &segment_name(good.seq))
                    .unwrap_or(true)
        };
        same && !begun()
    }

    /// Goes on behind what this process wrote itself and returns these records; `None` when it does not stand right where
    /// they begin, so that they have to be read. No signature is checked: it is this process's own.
    pub fn take(&mut self, lot: Lot) -> Option<Vec<Entry>> {
        let ready = !self.first && self.marks.is_empty() && self.told.is_none();
        if !ready || !lot.follows(&self.walk) {
            return None;
        }
        let mut entries = lot.pass(&mut self.walk);
        sign(&self.walk.keys, entries.iter_mut());
        Some(entries)
    }

    /// Appends records committed since the last call, and problems that were not told yet.
    pub fn read(&mut self, lines: &mut Vec<Line>, problems: &mut Vec<Problem>) {
        while self.read_some(PIECE, lines, problems) {}
    }

    /// As [`Self::read`], about `most` bytes; tells whether there is more.
    pub fn read_some(
        &mut self,
        most: usize,
        lines: &mut Vec<Line>,
        problems: &mut Vec<Problem>,
    ) -> bool {
        if !self.surveyed {
            self.surveyed = true;
            self.survey(most);
        }
        let Some(mark) = self.marks.pop_front() else {
            self.run(None, lines, problems);
            self.first = false;
            return false;
        };
        let (from, before) = ((lines.len(), problems.len()), self.walk.clone());
        let there = self.run(Some(&mark), lines, problems)
            && self
                .walk
                .head
                .as_ref()
                .is_some_and(|(h, _)| *h == mark.head);
        if !there {
            // It is no longer what it was a moment ago: from here on every signature has to tell.
            lines.truncate(from.0);
            problems.truncate(from.1);
            self.keys = before.keys.len();
            self.walk = before;
            self.marks.clear();
        }
        if self.marks.is_empty() {
            self.walk.check_each();
        }
        true
    }

    /// Goes along the chain alone and notes heads that the last signature covers; where that one does not hold, heads that
    /// are signed themselves.
    fn survey(&mut self, most: usize) {
        self.marks = [false, true]
            .into_iter()
            .find_map(|every| self.heads(most, every))
            .unwrap_or_default();
        if self.marks.is_empty() {
            self.walk.check_each();
        }
    }

    fn heads(&self, most: usize, every: bool) -> Option<VecDeque<Mark>> {
        let mut walk = self.walk.clone();
        if every {
            walk.check_each();
        }
        let (mut passed, mut place) = (0, (0, 0));
        let mut marks = VecDeque::new();
        let mark = |head: &Head, (segment, offset)| Mark {
            head: head.clone(),
            segment,
            offset,
        };
        // What stops it is found and told again when the records are read.
        let _ = walk.run(&self.log, &mut |event| match event {
            Event::Line {
                segment,
                offset,
                bytes,
                ..
            } => {
                passed += bytes.len();
                place = (segment, offset);
            }
            Event::Commit(head) if passed >= most => {
                passed = 0;
                marks.push_back(mark(head, place));
            }
            _ => {}
        });
        if !walk.confirm() {
            return None;
        }
        if let Some((head, _)) = &walk.head
            && marks.back().is_none_or(|last| last.head != *head)
        {
            marks.push_back(mark(head, place));
        }
        Some(marks)
    }

    /// Reads on, to a mark where one is given; tells whether it was reached.
    fn run(
        &mut self,
        mark: Option<&Mark>,
        lines: &mut Vec<Line>,
        problems: &mut Vec<Problem>,
    ) -> bool {
        let mut pending = Vec::new();
        let begin = lines.len();
        let actor = self
            .owner
            .split_once('/')
            .map_or_else(String::new, |(host, user)| format!("{user}@{host}"));
        let owner = self.owner.clone();
        let before = Remains::of(&self.log);
        let mut sink = |event: Event<'_, Read>| match event {
            Event::Line {
                bytes,
                seen,
                segment,
                offset,
                ..
            } => pending.push((Place { segment, offset }, bytes.to_vec(), seen)),
            // That it was withheld stands in a record of its own.
            Event::Withheld { .. } => {}
            Event::Commit(head) => {
                for (place, raw, read) in pending.drain(..) {
                    match read.and_then(|r| entry_of(r, &head.origin, &actor)) {
                        Ok(entry) => lines.push(Line { entry, raw, place }),
                        Err(e) => problems.push(Problem::new(&owner, e)),
                    }
                }
            }
            Event::Damage(bad) => {
                pending.clear();
                problems.push(Problem::new(
                    &owner,
                    format!("damaged from record {} on: {}", bad.from, bad.why),
                ));
            }
        };
        let ended = self
            .walk
            .run_to(mark.cloned(), &self.log, &record::read, &mut sink);
        let new = lines[begin..].iter_mut();
        sign(&self.walk.keys, new.map(|line| &mut line.entry));
        for key in self
            .walk
            .keys
            .iter()
            .skip(self.keys)
            .filter(|k| k.uncontinued)
        {
            let text = format!(
                "from record {} on another key signs, which the key before did not sign: `log verify` tells who vouches for it",
                key.seq
            );
            problems.push(Problem::new(&owner, text));
        }
        self.keys = self.walk.keys.len();
        if mark.is_some() {
            return ended.is_ok_and(|tail| tail.paused);
        }
        let problem = match ended {
            Err(e) => Some(Problem::new(&owner, e)),
            Ok(tail) => tail
                .bad
                .map(|bad| {
                    let place = format!("{} at byte {}", segment_name(bad.segment), bad.offset);
                    format!(
                        "records from {} on are not trustworthy ({place}): {}",
                        bad.from, bad.why
                    )
                })
                .or_else(|| before.missing(&self.log, &self.walk))
                .map(|text| Problem::new(&owner, text))
                .or_else(|| self.cut(tail.rest)),
        };
        if problem.is_some() && problem != self.told {
            problems.extend(problem.clone());
        }
        self.told = problem;
        true
    }

    /// Says that bytes stand behind the last checkpoint. They may be a write that is under way right now, so who follows
    /// a log says so only when they stay.
    fn cut(&mut self, rest: u64) -> Option<Problem> {
        let at = (self.walk.good.segment, self.walk.good.offset, rest);
        let stays = self.first || self.rest == at;
        self.rest = at;
        (rest > 0 && stays).then(|| Problem {
            grave: false,
            ..Problem::new(
                &self.owner,
                format!(
                    "{rest} bytes after the last signed head are no records yet: a write that was cut short, or is under way"
                ),
            )
        })
    }
}

/// Notes which key signs what a person answers for.
pub(super) fn sign<'e>(keys: &[KeySpan], entries: impl Iterator<Item = &'e mut Entry>) {
    let mut names: BTreeMap<usize, Arc<str>> = BTreeMap::new();
    for entry in entries {
        if !matches!(
            entry.kind,
            RecordType::Plan
                | RecordType::Decision
                | RecordType::Approval
                | RecordType::Intent
                | RecordType::BreakGlass
        ) {
            continue;
        }
        // What somebody said on another host is theirs; a block that is not sound is nobody's.
        if entry.kind == RecordType::Approval && entry.body.contains_key("block") {
            let verdict = entry.body_as().ok();
            let key = verdict.and_then(|verdict| block::signer_of(&verdict));
            entry.signer = key.map(Into::into);
            continue;
        }
        let at = keys.iter().rposition(|key| key.from <= entry.seq);
        entry.signer = at.map(|at| {
            let name = names
                .entry(at)
                .or_insert_with(|| keys[at].by.to_vkey().into());
            Arc::clone(name)
        });
    }
}

/// Whose log it stands in says who wrote it; what the line claims about its actor proves nothing.
pub(super) fn entry(raw: &[u8], log: &str, actor: &str) -> Read<Entry> {
    entry_of(record::read(raw)?, log, actor)
}

fn entry_of(record: Record, log: &str, actor: &str) -> Read<Entry> {
    if record.kind == RecordType::Checkpoint {
        return Err(record::ReadError::Frame("note"));
    }
    Ok(Entry {
        log: log.to_owned(),
        seq: record.seq,
        kind: record.kind,
        ts: record.ts,
        actor: actor.to_owned(),
        signer: None,
        body: record.body,
    })
}
