//! From lines to a complete queue, durable store included, beside parsing alone and beside bare bytes with bare rows.

use std::fs::File;
use std::hint::black_box;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use rusqlite::{Connection, params};
use serde::Deserialize;
use stanch::domain::queue::{Queue, Row};
use stanch::intake::decode::decode;
use stanch::intake::store::{Store, StoredAlert};

use super::goals::{BESIDE_BARE, Goals, Must, TWICE_LNAV};
use super::{BATCH, FILE_BATCH, batch, lines, memory, processor, size, unknown};

/// Parses lines into a typed `&str`, and nothing else.
pub fn parse(raw: &[&[u8]]) {
    for line in raw {
        black_box(serde_json::from_slice::<Typed<'_>>(line).unwrap());
    }
}

/// What a plain reader would take out of a line: every field of it.
#[derive(Deserialize)]
#[expect(dead_code, reason = "what a plain reader would take out of a line")]
struct Typed<'l> {
    #[serde(borrow)]
    metadata: Metadata<'l>,
    class_uid: u32,
    time: i64,
    severity_id: u8,
    severity: &'l str,
    status_id: u8,
    status: &'l str,
    confidence_score: u8,
    risk_score: u8,
    message: &'l str,
    #[serde(borrow)]
    finding_info: Finding<'l>,
    #[serde(borrow)]
    actor: Actor<'l>,
    #[serde(borrow)]
    device: Device<'l>,
    #[serde(borrow)]
    src_endpoint: Endpoint<'l>,
    #[serde(borrow)]
    resources: Vec<Resource<'l>>,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "what a plain reader would take out of a line")]
struct Metadata<'l> {
    uid: &'l str,
    version: &'l str,
    #[serde(borrow)]
    product: Product<'l>,
    correlation_uid: &'l str,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "what a plain reader would take out of a line")]
struct Product<'l> {
    name: &'l str,
    vendor_name: &'l str,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "what a plain reader would take out of a line")]
struct Finding<'l> {
    uid: &'l str,
    title: &'l str,
    #[serde(borrow)]
    attacks: Vec<Attack<'l>>,
    created_time: i64,
    first_seen_time: i64,
    related_events_count: u32,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "what a plain reader would take out of a line")]
struct Attack<'l> {
    #[serde(borrow)]
    tactic: Named<'l>,
    #[serde(borrow)]
    technique: Named<'l>,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "what a plain reader would take out of a line")]
struct Named<'l> {
    uid: &'l str,
    name: &'l str,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "what a plain reader would take out of a line")]
struct Actor<'l> {
    #[serde(borrow)]
    user: User<'l>,
    #[serde(borrow)]
    session: Session<'l>,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "what a plain reader would take out of a line")]
struct User<'l> {
    name: &'l str,
    uid: &'l str,
    email_addr: &'l str,
    type_id: u8,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "what a plain reader would take out of a line")]
struct Session<'l> {
    uid: &'l str,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "what a plain reader would take out of a line")]
struct Device<'l> {
    hostname: &'l str,
    ip: &'l str,
    region: &'l str,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "what a plain reader would take out of a line")]
struct Endpoint<'l> {
    ip: &'l str,
    port: u32,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "what a plain reader would take out of a line")]
struct Resource<'l> {
    uid: &'l str,
    #[serde(rename = "type")]
    kind: &'l str,
    namespace: &'l str,
    #[serde(borrow)]
    labels: Vec<&'l str>,
}

fn rows(stored: Vec<StoredAlert>) -> Vec<Row> {
    let row = |stored: StoredAlert| Row {
        alert: stored.alert,
        count: stored.count,
        first_seen: stored.first_seen,
        last_seen: stored.last_seen,
    };
    stored.into_iter().map(row).collect()
}

/// The raw bytes and the row of each alert, appended and inserted with nothing else: what the disk and SQLite take.
fn bare(dir: &Path, text: &str, rows: &[(String, String)], batch: usize) -> Took {
    std::fs::create_dir(dir).unwrap();
    let db = Connection::open(dir.join("bare.db")).unwrap();
    db.pragma_update(None, "journal_mode", "WAL").unwrap();
    db.pragma_update(None, "synchronous", "FULL").unwrap();
    db.pragma_update(None, "wal_autocheckpoint", 8_192).unwrap();
    let schema = "CREATE TABLE alert (seq INTEGER PRIMARY KEY, id_hash INTEGER, id TEXT, count INTEGER, first_seen INTEGER,
        last_seen INTEGER, segment INTEGER, offset INTEGER, length INTEGER, alert TEXT) STRICT;
        CREATE INDEX alert_id ON alert (id_hash);";
    db.execute_batch(schema).unwrap();
    let mut file = File::create(dir.join("raw")).unwrap();
    let (began, used) = (Instant::now(), processor());
    let mut raw = text.split_inclusive('\n');
    for (at, lot) in rows.chunks(batch).enumerate() {
        let bytes: String = raw.by_ref().take(lot.len()).collect();
        file.write_all(bytes.as_bytes()).unwrap();
        file.sync_data().unwrap();
        db.execute_batch("BEGIN IMMEDIATE").unwrap();
        let sql = "INSERT INTO alert (id_hash, id, count, first_seen, last_seen, segment, offset, length, alert)
                   VALUES (?1, ?2, 1, ?3, ?3, 1, ?4, ?5, ?6)";
        let mut insert = db.prepare_cached(sql).unwrap();
        for (i, (id, json)) in lot.iter().enumerate() {
            let n = (at * batch + i) as i64;
            let hash = n.wrapping_mul(0x1E37_79B9_7F4A_7C15);
            insert
                .execute(params![hash, id, n, n, json.len() as i64, json])
                .unwrap();
        }
        drop(insert);
        db.execute_batch("COMMIT").unwrap();
    }
    Took(began.elapsed(), processor().saturating_sub(used))
}

/// Processor time that bytes and rows of alerts take with nothing else, each, in batches of a size.
pub fn bare_each(dir: &Path, text: &str, batch: usize) -> f64 {
    let now = Timestamp::now();
    let row = |line: &str| {
        let alert = decode(None, line.as_bytes(), "siem", now)
            .unwrap()
            .remove(0);
        (alert.id.to_string(), serde_json::to_string(&alert).unwrap())
    };
    let rows: Vec<(String, String)> = text.lines().map(row).collect();
    bare(dir, text, &rows, batch).1.as_secs_f64() / rows.len().max(1) as f64
}

/// Time on the clock, and of the processor.
#[derive(Clone, Copy, Default)]
struct Took(Duration, Duration);

impl Took {
    const MOST: Self = Self(Duration::MAX, Duration::MAX);

    /// Returns the less of each.
    fn min(self, other: Self) -> Self {
        Self(self.0.min(other.0), self.1.min(other.1))
    }
}

impl std::ops::AddAssign for Took {
    fn add_assign(&mut self, more: Self) {
        self.0 += more.0;
        self.1 += more.1;
    }
}

fn time(work: &mut dyn FnMut()) -> Took {
    let (began, used) = (Instant::now(), processor());
    work();
    Took(began.elapsed(), processor().saturating_sub(used))
}

/// Puts decoded lines into a queue, and tells what an alert takes there.
fn queued(raw: &[&[u8]], now: Timestamp, goals: &mut Goals) -> Took {
    let before = memory(std::process::id(), "RssAnon");
    let mut queue = Queue::default();
    let mut took = Took::default();
    for lot in raw.chunks(BATCH) {
        let decoded = rows(
            batch(lot, now)
                .accepted
                .into_iter()
                .flat_map(|piece| piece.alerts)
                .map(|alert| StoredAlert {
                    alert: Arc::new(alert),
                    count: 1,
                    first_seen: now,
                    last_seen: now,
                })
                .collect(),
        );
        took += time(&mut || queue.take(&decoded, true, &unknown));
    }
    let after = memory(std::process::id(), "RssAnon");
    let bytes = after.saturating_sub(before) / raw.len().max(1);
    println!("  memory of the queue: {bytes} B an alert");
    let most = Must::Most(200.0);
    goals.add(
        14,
        "memory of an alert in the queue",
        most,
        bytes as f64,
        "B",
    );
    took
}

/// Reads `n` alerts, and prints how fast and how large.
pub fn run(dir: &Path, n: usize, goals: &mut Goals) {
    let text = lines(n);
    let raw: Vec<&[u8]> = text.lines().map(str::as_bytes).collect();
    println!("ingest: {n} alerts, {} B each", text.len() / n.max(1));
    let now = Timestamp::now();
    let (mut typed, mut decoded) = (Took::MOST, Took::MOST);
    for _ in 0..3 {
        typed = typed.min(time(&mut || parse(&raw)));
        decoded = decoded.min(time(&mut || {
            for line in &raw {
                black_box(decode(None, line, "siem", now).unwrap());
            }
        }));
    }
    let tell = |what: &str, took: Took| {
        println!(
            "  {what:<44} {:>9.0} alerts/s, {:.2} x typed parsing; processor {:.2} µs each, {:.2} x",
            n as f64 / took.0.as_secs_f64(),
            typed.0.as_secs_f64() / took.0.as_secs_f64(),
            took.1.as_secs_f64() * 1e6 / n as f64,
            typed.1.as_secs_f64() / took.1.as_secs_f64()
        );
    };
    tell("serde_json into a typed &str, nothing else", typed);
    tell("decoded", decoded);

    tell("put into the queue alone", queued(&raw, now, goals));

    let mut store = Store::open(&dir.join("store")).unwrap();
    let mut queue = Queue::default();
    let (mut putting, mut pairs) = (Took::default(), Vec::new());
    let whole = time(&mut || {
        for lot in raw.chunks(BATCH) {
            let mut batch = Some(batch(lot, Timestamp::now()));
            let mut stored = None;
            putting += time(&mut || {
                stored = Some(store.take("siem", batch.take().unwrap()).unwrap());
            });
            queue.take(&rows(stored.unwrap().touched), true, &unknown);
        }
    });
    tell("decoded, stored durably, in the queue", whole);
    tell("of which: stored", putting);
    assert_eq!((queue.all(), store.counts().unwrap().alerts), (n, n as u64));
    for row in store.alerts(n).unwrap().into_iter().rev() {
        let json = serde_json::to_string(&*row.alert).unwrap();
        pairs.push((row.alert.id.to_string(), json));
    }
    println!(
        "  on the disk: {} B an alert",
        size(&dir.join("store")) / n.max(1) as u64
    );
    drop(store);
    std::fs::remove_dir_all(dir.join("store")).unwrap();
    let file = dir.join("alerts.jsonl");
    std::fs::write(&file, &text).unwrap();
    let read = time(&mut || super::feed::load(&file, &dir.join("read"), n));
    tell("the same from a file, by its source", read);
    std::fs::remove_dir_all(dir.join("read")).unwrap();
    std::fs::remove_file(&file).unwrap();
    let alone = bare(&dir.join("bare"), &text, &pairs, BATCH);
    tell("bare bytes and bare rows, durable", alone);
    let large = bare(&dir.join("large"), &text, &pairs, FILE_BATCH);
    tell("the same in batches as large as of a file", large);
    let beside = |took: Took| {
        let wall = alone.0.as_secs_f64() / took.0.as_secs_f64();
        let used = alone.1.as_secs_f64() / took.1.as_secs_f64();
        format!("{wall:.2} x (processor {used:.2} x)")
    };
    println!(
        "  beside bare bytes and rows: from a file {}, on one thread {}, storing alone {}",
        beside(read),
        beside(whole),
        beside(putting)
    );
    judge(goals, [typed, alone, large, decoded, read, putting]);
}

/// Holds what things took against the goals.
fn judge(goals: &mut Goals, [typed, alone, large, decoded, read, putting]: [Took; 6]) {
    let ratio = |one: Took, other: Took| one.0.as_secs_f64() / other.0.as_secs_f64();
    let used = |one: Took, other: Took| one.1.as_secs_f64() / other.1.as_secs_f64();
    let mut least = |number, what, bound, figure| {
        goals.add(number, what, Must::Least(bound), figure, "x");
    };
    least(
        1,
        "decoding, beside typed parsing",
        0.8,
        ratio(typed, decoded),
    );
    least(
        1,
        "from a file to a durable queue, beside bare bytes and rows",
        0.8,
        ratio(alone, read),
    );
    least(
        1,
        "storing alone, beside bare bytes and rows",
        0.8,
        ratio(alone, putting),
    );
    least(
        1,
        "decoding, beside typed parsing, processor time",
        0.8,
        used(typed, decoded),
    );
    least(
        10,
        "processor time from a file to a queue, beside bare bytes and rows",
        BESIDE_BARE,
        used(large, read),
    );
    least(
        2,
        "loading all from a file, beside typed parsing",
        TWICE_LNAV,
        ratio(typed, read),
    );
}
