//! Finds words: in the lines as they stand in the log, and in what is said of them.

use std::fs::File;
use std::sync::atomic::{AtomicUsize, Ordering};

use memchr::memmem::Finder;

use super::super::fs::{How, read_from};
use super::super::layout::LogDir;
use super::super::record::MAX_LINE;
use super::update::NOT_THERE;
use super::{Index, IndexError, Kind};

/// Bytes that are looked through at once.
const PIECE: u64 = 2 * 1024 * 1024;
/// With more records than these, all others are looked at as well: asking for each of them would take longer.
const MANY: usize = 50_000;

impl Index {
    /// Returns the names of a kind that contain this lower-case text.
    pub(super) fn names_with(&self, kind: Kind, text: &str) -> Result<Vec<i64>, IndexError> {
        let finder = Finder::new(text);
        let mut all = Vec::new();
        let mut names = self
            .db
            .prepare_cached("select body from lower where kind = ?1")?;
        let mut rows = names.query([kind as i64])?;
        while let Some(row) = rows.next()? {
            let body = row.get_ref(0)?.as_bytes().unwrap_or_default();
            all.extend(lines_with(body, &finder).filter_map(id_of));
        }
        Ok(all)
    }

    /// Notes in `temp.hit` which records contain the longest of these lower-case texts; tells whether it did, else any may.
    pub(super) fn containing(&self, texts: &[String]) -> Result<bool, IndexError> {
        let texts = texts.iter().filter(|t| !t.contains(NOT_THERE));
        let longest = texts.max_by_key(|t| t.len());
        let Some(text) = longest.filter(|t| !t.is_empty()) else {
            return Ok(false);
        };
        self.db.execute_batch(
            "create temp table if not exists hit(id integer primary key); delete from temp.hit",
        )?;
        let mut many = 0;
        let spoken = text.replace('\n', " ");
        let finder = Finder::new(&spoken);
        let mut put = self
            .db
            .prepare_cached("insert or ignore into temp.hit values (?1)")?;
        let mut words = self.db.prepare_cached("select body from words")?;
        let mut rows = words.query([])?;
        while let Some(row) = rows.next()? {
            let body = row.get_ref(0)?.as_bytes().unwrap_or_default();
            for id in lines_with(body, &finder).filter_map(id_of) {
                put.execute([id])?;
                many += 1;
            }
            if many > MANY {
                return Ok(false);
            }
        }
        let mut put = self.db.prepare_cached(
            "insert or ignore into temp.hit select id from rec where log = ?1 and seq = ?2",
        )?;
        for known in &self.logs {
            let found = raw(&known.log, text);
            many += found.len();
            if many > MANY {
                return Ok(false);
            }
            for seq in found {
                put.execute((known.id, i64::try_from(seq).unwrap_or(-1)))?;
            }
        }
        Ok(true)
    }
}

/// Every line that holds the text, once.
fn lines_with<'b>(bytes: &'b [u8], finder: &Finder<'_>) -> impl Iterator<Item = &'b [u8]> {
    let mut from = 0;
    std::iter::from_fn(move || {
        let at = from + finder.find(bytes.get(from..)?)?;
        let start = memchr::memrchr(b'\n', &bytes[..at]).map_or(0, |n| n + 1);
        let end = memchr::memchr(b'\n', &bytes[at..]).map_or(bytes.len(), |n| at + n);
        from = end + 1;
        Some(&bytes[start..end])
    })
}

/// The number before the tab.
fn id_of(line: &[u8]) -> Option<i64> {
    let tab = memchr::memchr(b'\t', line)?;
    std::str::from_utf8(&line[..tab]).ok()?.parse().ok()
}

/// Sequence numbers of all lines of a log that hold the lower-case text, looked for on two cores.
fn raw(log: &LogDir, text: &str) -> Vec<u64> {
    // A line of a log holds nothing else.
    if !text.bytes().all(|b| (0x20..0x7f).contains(&b)) {
        return Vec::new();
    }
    let mut pieces: Vec<(File, u64)> = Vec::new();
    for first in log.segments().map(|(all, _)| all).unwrap_or_default() {
        let (name, _) = log.segment_file(first);
        let Ok(file) = log.open(&name, How::Read) else {
            continue;
        };
        let len = log.fs.len(&file).unwrap_or(0);
        for at in (0..len).step_by(PIECE as usize) {
            if let Ok(file) = file.try_clone() {
                pieces.push((file, at));
            }
        }
    }
    let (finder, next) = (Finder::new(text), AtomicUsize::new(0));
    let work = || {
        let mut found = Vec::new();
        while let Some((file, at)) = pieces.get(next.fetch_add(1, Ordering::Relaxed)) {
            found.extend(piece(log, file, *at, &finder));
        }
        found
    };
    std::thread::scope(|scope| {
        let other = std::thread::Builder::new().spawn_scoped(scope, work);
        let mut all = work();
        // No thread to be had: this one did it all.
        all.extend(other.ok().and_then(|o| o.join().ok()).unwrap_or_default());
        all.sort_unstable();
        all.dedup();
        all
    })
}

/// Looks through one piece and as much around it as a line takes.
fn piece(log: &LogDir, file: &File, at: u64, finder: &Finder<'_>) -> Vec<u64> {
    let from = at.saturating_sub(MAX_LINE as u64 + 1);
    let most = (at - from + PIECE) as usize + MAX_LINE;
    let mut bytes = read_from(&*log.fs, file, from, most).unwrap_or_default();
    bytes.make_ascii_lowercase();
    let all = lines_with(&bytes, finder).filter_map(|line| {
        let digits = line.strip_prefix(b"{\"v\":1,\"seq\":")?;
        let end = digits.iter().position(|b| !b.is_ascii_digit())?;
        std::str::from_utf8(&digits[..end]).ok()?.parse().ok()
    });
    all.collect()
}
