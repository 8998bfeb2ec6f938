//! From lines to a complete queue, durable store included, beside parsing alone and beside bare bytes with bare rows.

use std::hint::black_box;
use std::path::Path;

use jiff::Timestamp;
use stanch::domain::queue::{Queue, Row};
use stanch::intake::decode::decode;
use stanch::intake::store::{Store, StoredAlert};

use super::bare::{self, Packed};
use super::goals::{BESIDE_BARE, Goals, Must, THIRD_OF_LNAV, TWICE_LNAV};
use super::{BATCH, FILE_BATCH, Took, batch, lines, memory, size, time, typed, unknown};

/// Parses lines into a typed `&str`, and nothing else.
pub fn parse(raw: &[&[u8]]) {
    for line in raw {
        typed::parse(line);
    }
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
                    alert,
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

/// What bytes and rows take with nothing else done.
struct Bare {
    /// Rows of JSON.
    json: Took,
    /// The lots of the store.
    packed: Took,
    /// The lots of the store, behind typed parsing.
    parsed: Took,
}

impl Bare {
    fn measure(dir: &Path, text: &str, json: &bare::Json, packed: &Packed, batch: usize) -> Self {
        let side = |name: &str, work: &dyn Fn(&Path) -> Took| {
            let dir = dir.join(name);
            let took = work(&dir);
            std::fs::remove_dir_all(dir).unwrap();
            took
        };
        Self {
            json: side("json", &|dir| bare::json(dir, text, json, batch)),
            packed: side("packed", &|dir| {
                bare::packed(dir, text, packed, batch, false)
            }),
            parsed: side("parsed", &|dir| {
                bare::packed(dir, text, packed, batch, true)
            }),
        }
    }

    fn sides(&self) -> [(&'static str, Took); 3] {
        [
            ("bare bytes and rows of JSON", self.json),
            ("bare bytes and packed rows", self.packed),
            ("typed parsing, bare bytes, packed rows", self.parsed),
        ]
    }

    /// Prints how something does beside each side.
    fn beside(&self, what: &str, took: Took) {
        for (side, bare) in self.sides() {
            let (clock, used) = bare.beside(took);
            println!("  {what:<44} {clock:.2} x {side}; processor {used:.2} x");
        }
    }
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
        let (clock, used) = typed.beside(took);
        println!(
            "  {what:<44} {:>9.0} alerts/s, {clock:.2} x typed parsing; processor {:.2} µs each, {used:.2} x",
            n as f64 / took.0.as_secs_f64(),
            took.1.as_secs_f64() * 1e6 / n as f64,
        );
    };
    tell("serde_json into a typed &str, nothing else", typed);
    tell("decoded", decoded);

    tell("put into the queue alone", queued(&raw, now, goals));

    let mut store = Store::open(&dir.join("store")).unwrap();
    let mut queue = Queue::default();
    let mut putting = Took::default();
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
    let row = |stored: StoredAlert| {
        let json = serde_json::to_string(&*stored.alert).unwrap();
        (stored.alert.id.to_string(), json)
    };
    let json: bare::Json = store
        .alerts(n)
        .unwrap()
        .into_iter()
        .rev()
        .map(row)
        .collect();
    drop(store);
    let packed = Packed::of(&dir.join("store"));
    println!(
        "  on the disk: {} B an alert, of which {} B are its packed row",
        size(&dir.join("store")) / n.max(1) as u64,
        packed.bytes_each()
    );
    std::fs::remove_dir_all(dir.join("store")).unwrap();
    let bare = Bare::measure(dir, &text, &json, &packed, BATCH);
    drop(packed);

    let file = dir.join("alerts.jsonl");
    std::fs::write(&file, &text).unwrap();
    let read = time(&mut || super::feed::load(&file, &dir.join("read"), n));
    tell("the same from a file, by its source", read);
    let packed = Packed::of(&dir.join("read"));
    std::fs::remove_dir_all(dir.join("read")).unwrap();
    std::fs::remove_file(&file).unwrap();
    let large = Bare::measure(dir, &text, &json, &packed, FILE_BATCH);
    for (size, bare) in [(BATCH, &bare), (FILE_BATCH, &large)] {
        for (side, took) in bare.sides() {
            tell(&format!("{side}, by {size}"), took);
        }
    }
    large.beside("from a file, beside", read);
    bare.beside("on one thread, beside", whole);
    bare.beside("storing alone, beside", putting);
    judge(goals, [typed, decoded, read], &large);
}

/// Holds what things took against the goals.
fn judge(goals: &mut Goals, [typed, decoded, read]: [Took; 3], bare: &Bare) {
    let mut least = |number, what, bound, figure| {
        goals.add(number, what, Must::Least(bound), figure, "x");
    };
    let (clock, used) = typed.beside(decoded);
    least(1, "decoding, beside typed parsing", 0.8, clock);
    least(1, "decoding, beside typed parsing, processor", 0.8, used);
    let (clock, used) = typed.beside(read);
    least(1, "from a file, beside typed parsing", 0.8, clock);
    least(
        2,
        "loading all from a file, beside typed parsing",
        TWICE_LNAV,
        clock,
    );
    least(
        10,
        "from a file, beside typed parsing, processor",
        1.0 / THIRD_OF_LNAV,
        used,
    );
    for (side, took) in [
        (
            "from a file, beside bare bytes and packed rows",
            bare.packed,
        ),
        (
            "from a file, beside parsing, bytes, packed rows",
            bare.parsed,
        ),
    ] {
        let (clock, _) = took.beside(read);
        least(1, side, BESIDE_BARE, clock);
    }
    for (side, took) in [
        (
            "from a file, beside bare bytes and packed rows, processor",
            bare.packed,
        ),
        (
            "from a file, beside parsing, bytes, packed rows, processor",
            bare.parsed,
        ),
    ] {
        let (_, used) = took.beside(read);
        least(10, side, BESIDE_BARE, used);
    }
}
