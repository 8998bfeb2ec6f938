//! What taking alerts in costs beside what the machine can do, in one run: `cargo bench --bench intake -- [PART…]`.
//!
//! Parts: `ingest`, `decoders`, `feed`, `start`; all of them without one. `STANCH_BENCH_ALERTS` sets how many alerts are
//! read and loaded (one million), `STANCH_BENCH_SECONDS` and `STANCH_BENCH_RATE` the stream (10 s of 50,000 a second; the
//! goal is 60), `STANCH_BENCH_DIR` the disk, `STANCH_CORPUS` a collection of payloads for the decoders.

#[path = "intake/bare.rs"]
mod bare;
#[path = "intake/decoders.rs"]
mod decoders;
#[path = "intake/feed.rs"]
mod feed;
#[path = "intake/goals.rs"]
mod goals;
#[path = "intake/ingest.rs"]
mod ingest;
#[path = "intake/start.rs"]
mod start;
#[path = "intake/typed.rs"]
mod typed;

use std::fmt::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use stanch::domain::alert::Subject;
use stanch::domain::urgency::Standing;
use stanch::intake::decode::decode;
use stanch::intake::store::{Accepted, Batch, Store};
use stanch::runtime::memory::Allocator;

/// As in the program.
#[global_allocator]
static ALLOCATOR: Allocator = Allocator;

/// Lines of one batch, as sources read them.
const BATCH: usize = 1_000;

/// Lines of one batch of a file that is read as fast as possible.
const FILE_BATCH: usize = 4_000;

/// Nothing is known of anybody.
fn unknown(_: &Subject) -> Standing {
    Standing::default()
}

/// Writes an alert of about 1.2 kB: an OCSF finding about one of 20,011 accounts.
fn line(i: usize, out: &mut String) {
    const TITLES: [&str; 6] = [
        "Token used from another network",
        "Access key used from a new address",
        "Secrets read in quick succession",
        "Role granted outside of a change",
        "Consent given to an unknown application",
        "Sign-in without the usual client",
    ];
    let (who, host, part) = (i * 7_919 % 20_011, i * 31 % 4_093, i % 251);
    let title = TITLES[i % TITLES.len()];
    let _ = write!(
        out,
        r#"{{"metadata":{{"uid":"A{i:09}","version":"1.5.0","product":{{"name":"detector","vendor_name":"Lab"}},"correlation_uid":"C{:06}"}},"#,
        i / 40,
    );
    let _ = write!(
        out,
        r#""class_uid":2004,"category_uid":2,"activity_id":1,"type_uid":200401,"time":{},"severity_id":{},"severity":"as numbered","status_id":1,"status":"New","confidence_score":{},"risk_score":{},"#,
        1_795_000_000_000_usize + i,
        1 + i % 5,
        50 + i % 50,
        i % 100,
    );
    let _ = write!(
        out,
        r#""message":"{title}: svc-{who:05} on host-{host:04} from 10.{part}.{}.7","finding_info":{{"uid":"f-{i:x}","title":"{title}","analytic":{{"type_id":1,"uid":"R-{}"}},"attacks":[{{"tactic":{{"uid":"TA0006","name":"Credential Access"}},"technique":{{"uid":"T1528","name":"Steal Application Access Token"}}}}],"created_time":{},"first_seen_time":{},"related_events_count":{}}},"#,
        host % 256,
        i % 31,
        1_795_000_000_000_usize + i,
        1_794_999_990_000_usize + i,
        i % 17,
    );
    let _ = write!(
        out,
        r#""actor":{{"user":{{"name":"svc-{who:05}","uid":"U{who:06}","email_addr":"svc-{who:05}@example.org","type_id":3}},"session":{{"uid":"{:016x}"}}}},"device":{{"hostname":"host-{host:04}","ip":"10.{part}.0.9","os":{{"name":"Linux","type_id":200}},"region":"eu-west-1"}},"#,
        i.wrapping_mul(0x9E37_79B9_7F4A_7C15),
    );
    let _ = writeln!(
        out,
        r#""src_endpoint":{{"ip":"10.{part}.{}.7","port":{},"location":{{"country":"NL"}}}},"resources":[{{"uid":"secret-{host:04}","type":"Secret","namespace":"prod","labels":["team:payments","tier:{}"]}}]}}"#,
        host % 256,
        1024 + i % 60_000,
        i % 4,
    );
}

/// Returns lines, each with its end.
fn lines(n: usize) -> String {
    let mut all = String::with_capacity(n * 1_250);
    (0..n).for_each(|i| line(i, &mut all));
    all
}

/// Decodes lines into a batch, as a source does.
fn batch(raw: &[&[u8]], now: Timestamp) -> Batch {
    let accepted = raw.iter().map(|raw| Accepted {
        raw: raw.to_vec().into(),
        alerts: decode(None, raw, "siem", now).unwrap(),
    });
    Batch {
        accepted: accepted.collect(),
        observed: now,
        ..Batch::default()
    }
}

/// Fills a store with `n` alerts.
fn fill(dir: &Path, n: usize) -> Store {
    let mut store = Store::open(dir).unwrap();
    let mut text = String::new();
    for first in (0..n).step_by(BATCH) {
        text.clear();
        (first..n.min(first + BATCH)).for_each(|i| line(i, &mut text));
        let raw: Vec<&[u8]> = text.lines().map(str::as_bytes).collect();
        store.put("siem", &batch(&raw, Timestamp::now())).unwrap();
    }
    store
}

/// Bytes of a value of `/proc/self/status`.
fn memory(pid: u32, name: &str) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with(name));
    let kib = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<usize>().ok());
    kib.unwrap_or(0) << 10
}

/// Processor time that this process used, all threads together: what others do on the machine does not count in it.
fn processor() -> Duration {
    used_by(rustix::time::ClockId::ProcessCPUTime)
}

/// Processor time that this thread used.
fn thread_processor() -> Duration {
    used_by(rustix::time::ClockId::ThreadCPUTime)
}

fn used_by(clock: rustix::time::ClockId) -> Duration {
    let used = rustix::time::clock_gettime(clock);
    Duration::new(
        used.tv_sec.try_into().unwrap_or(0),
        used.tv_nsec.try_into().unwrap_or(0),
    )
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

    /// Returns how often this fits into what something else took, by the clock and by the processor.
    fn beside(self, other: Self) -> (f64, f64) {
        let ratio = |one: Duration, other: Duration| one.as_secs_f64() / other.as_secs_f64();
        (ratio(self.0, other.0), ratio(self.1, other.1))
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

/// Bytes of all files below a folder.
fn size(dir: &Path) -> u64 {
    let entries = std::fs::read_dir(dir).unwrap().flatten();
    entries
        .map(|entry| match entry.metadata() {
            Ok(found) if found.is_dir() => size(&entry.path()),
            Ok(found) => found.len(),
            Err(_) => 0,
        })
        .sum()
}

fn number(name: &str, default: usize) -> usize {
    let text = std::env::var(name).ok();
    text.and_then(|n| n.parse().ok()).unwrap_or(default)
}

/// Returns a share of sorted figures.
fn share<T: Copy>(sorted: &[T], of_thousand: usize) -> T {
    sorted[(sorted.len() * of_thousand / 1_000).min(sorted.len() - 1)]
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    // Benches are built by `cargo test --benches` too, which is no time to measure.
    if !args.iter().any(|a| a == "--bench") {
        return;
    }
    let wanted =
        |part: &str| args.iter().all(|a| a.starts_with("--")) || args.iter().any(|a| a == part);
    let disk =
        std::env::var("STANCH_BENCH_DIR").unwrap_or_else(|_| env!("CARGO_TARGET_TMPDIR").into());
    let alerts = number("STANCH_BENCH_ALERTS", 1_000_000);
    let dir = || tempfile::tempdir_in(&disk).unwrap();
    let mut goals = goals::Goals::default();
    if wanted("ingest") {
        ingest::run(dir().path(), alerts, &mut goals);
    }
    if wanted("decoders") {
        decoders::run();
    }
    if wanted("feed") {
        let seconds = number("STANCH_BENCH_SECONDS", 10);
        let rate = number("STANCH_BENCH_RATE", 50_000);
        feed::run(dir().path(), rate, seconds, &mut goals);
    }
    if wanted("start") {
        start::run(dir().path(), alerts, &mut goals);
    }
    goals.tell();
}
