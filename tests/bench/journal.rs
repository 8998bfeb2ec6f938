//! What the decision log costs beside what the machine can do, both in the same minute: `cargo bench --bench journal`.
//!
//! `STANCH_BENCH_LINES` sets the size of the log that is verified (one million), `STANCH_BENCH_DIR` the disk.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};
use stanch::domain::decision::RecordType;
use stanch::domain::wanted::Wanted;
use stanch::journal::{self, JournalConfig, Options, Writer};
use stanch::runtime::anchor::Anchoring;
use stanch::runtime::journal::Journal;

/// Lines from one checkpoint to the next, the checkpoint included.
const APART: usize = 64;

fn config(dir: &Path) -> JournalConfig {
    JournalConfig {
        store: dir.join("store"),
        site: "bench.example".into(),
        keys: dir.join("keys"),
        drill: false,
        allow_network_fs: false,
        person: None,
        policy: None,
        fallback: None,
    }
}

fn record(n: usize) -> (RecordType, Value) {
    let body = json!({
        "alert": format!("siem/f-{n}"),
        "identity": format!("idp:svc-{}", n % 977),
        "reason": "looked at the sessions of the last day and at what the owner answered on the phone",
        "scopes": ["read", "write", "deploy"],
        "score": n % 100,
    });
    (RecordType::View, body)
}

fn fill(dir: &Path, lines: usize) {
    let (mut writer, _) = Writer::open(config(dir), Timestamp::now()).unwrap();
    for batch in 0..lines.div_ceil(APART) {
        let records: Vec<_> = (0..APART - 1).map(|i| record(batch * APART + i)).collect();
        writer.append(Timestamp::now(), &records).unwrap();
    }
}

fn segments(dir: &Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    let list = |dir: &Path| {
        std::fs::read_dir(dir)
            .unwrap()
            .flatten()
            .map(|e| e.path())
            .collect::<Vec<_>>()
    };
    for host in list(&dir.join("store/logs")) {
        for user in list(&host) {
            all.extend(
                list(&user)
                    .into_iter()
                    .filter(|p| p.extension().is_some_and(|e| e == "jsonl")),
            );
        }
    }
    all.sort();
    all
}

/// The median of five runs.
fn time(mut run: impl FnMut()) -> Duration {
    let mut times: Vec<Duration> = (0..5)
        .map(|_| {
            let began = Instant::now();
            run();
            began.elapsed()
        })
        .collect();
    times.sort();
    times[2]
}

fn tool(name: &str, args: &[&str], files: &[PathBuf]) -> Option<Duration> {
    Command::new(name).arg("--version").output().ok()?;
    Some(time(|| {
        assert!(
            Command::new(name)
                .args(args)
                .args(files)
                .output()
                .unwrap()
                .status
                .success()
        );
    }))
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "what a plain reader would take out of a line")]
struct Typed<'l> {
    v: u8,
    seq: u64,
    prev: &'l str,
    #[serde(rename = "type")]
    kind: &'l str,
    ts: Option<&'l str>,
    #[serde(borrow)]
    actor: Option<Actor<'l>>,
    mono: Option<u64>,
    alert: Option<&'l str>,
    identity: Option<&'l str>,
    reason: Option<&'l str>,
    #[serde(default, borrow)]
    scopes: Vec<&'l str>,
    score: Option<u8>,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "what a plain reader would take out of a line")]
struct Actor<'l> {
    user: Option<&'l str>,
    uid: Option<u32>,
    host: Option<&'l str>,
    pid: Option<u32>,
    boot: Option<&'l str>,
}

fn verifying(dir: &Path, lines: usize) {
    let store = dir.join("store");
    let files = segments(dir);
    let bytes: u64 = files.iter().map(|f| f.metadata().unwrap().len()).sum();
    let mega = bytes as f64 / 1e6;
    let rate = |t: Duration| mega / t.as_secs_f64();
    let good = |signatures| {
        let (n, all, problems) = journal::check_chains(&store, signatures);
        assert!(
            n as usize >= lines && all == bytes && problems.is_empty(),
            "{n} {all} {problems:?}"
        );
    };
    let raw = time(|| good(false));
    let signed = time(|| good(true));
    println!("{lines} lines, {mega:.0} MB, a checkpoint every {APART}");
    println!(
        "chain and roots          {raw:>10.3?} {:>7.0} MB/s",
        rate(raw)
    );
    println!(
        "chain, roots, signatures {signed:>10.3?} {:>7.0} MB/s",
        rate(signed)
    );
    for (name, args) in [("openssl", &["dgst", "-sha256"][..]), ("sha256sum", &[])] {
        if let Some(took) = tool(name, args, &files) {
            let ratio = took.as_secs_f64() / raw.as_secs_f64();
            println!(
                "{name:<24} {took:>10.3?} {:>7.0} MB/s, chain and roots are {ratio:.2} x that",
                rate(took)
            );
        }
    }
    let full = time(|| {
        let report = journal::verify(std::slice::from_ref(&store), &Options::default());
        assert!(report.intact());
    });
    let quick = time(|| {
        let options = Options {
            quick: true,
            ..Options::default()
        };
        assert!(journal::verify(std::slice::from_ref(&store), &options).intact());
    });
    let typed = time(|| {
        for file in &files {
            let text = std::fs::read_to_string(file).unwrap();
            for line in text.lines() {
                std::hint::black_box(serde_json::from_str::<Typed<'_>>(line).is_ok());
            }
        }
    });
    let ratio = typed.as_secs_f64() / quick.as_secs_f64();
    println!(
        "verify, every record read {full:>9.3?} {:>7.0} lines/s",
        lines as f64 / full.as_secs_f64()
    );
    println!(
        "verify --quick           {quick:>10.3?} {:>7.0} lines/s",
        lines as f64 / quick.as_secs_f64()
    );
    println!(
        "serde_json, typed        {typed:>10.3?} {:>7.0} lines/s, quick is {ratio:.2} x that",
        lines as f64 / typed.as_secs_f64()
    );
}

/// The most memory that this process ever had, in MB.
fn memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:"));
    let kilo = line.and_then(|l| l.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    kilo.unwrap_or(0) / 1024
}

/// Reading a long log as the console does, before anything else needs memory.
fn following(dir: &Path) {
    let began = Instant::now();
    let mut follower = journal::Follower::new(&dir.join("store"));
    let (mut all, mut more, mut first) = (0, true, None);
    while more {
        let (mut lines, mut problems) = (Vec::new(), Vec::new());
        more = follower.poll_some(&mut lines, &mut problems);
        assert!(problems.is_empty(), "{problems:?}");
        all += lines.len();
        first.get_or_insert(began.elapsed());
    }
    println!(
        "followed {all} records   {:>10.3?}, the first after {:.3?}, {} MB of memory",
        began.elapsed(),
        first.unwrap_or_default(),
        memory()
    );
}

/// What `stanch log show` asks the index, each median of five.
fn finding(dir: &Path) {
    let (cache, stores) = (dir.join("cache"), [dir.join("store")]);
    let open = || journal::Index::open(Some(&cache), &stores).unwrap();
    let began = Instant::now();
    let index = open();
    println!("index built              {:>10.3?}", began.elapsed());
    println!("index found as it is     {:>10.3?}", time(|| drop(open())));
    let questions = [
        ("", Some(10)),
        ("type:view", Some(10)),
        ("analyst:root", Some(10)),
        ("since:1d", Some(10)),
        ("until:2020-01-01", None),
        ("identity:idp:svc-77", None),
        ("identity:svc-77", Some(10)),
        ("alert:siem/f-77777", None),
        ("alert:f-777", Some(10)),
        ("kind:claim", None),
        ("outcome:unknown", None),
        ("f-77777", None),
        ("\"no such words\"", None),
    ];
    for (typed, last) in questions {
        let mut found = 0;
        let took = time(|| {
            let (mut wanted, _) = Wanted::typed(typed, Timestamp::now());
            index.settle(&mut wanted).unwrap();
            let mut search = index.search(&wanted, None).unwrap();
            let hits = match last {
                None => search.all().unwrap(),
                Some(n) => search.before(None, n).unwrap(),
            };
            found = index.read(&hits).unwrap().lines.len();
        });
        let what = format!("{typed} {}", last.map_or("", |_| "-n 10"));
        println!("{what:<24} {took:>10.3?}  {found} records read");
    }
}

/// The median and the 99th of a hundred.
fn spread(mut times: Vec<Duration>) -> (Duration, Duration) {
    times.sort();
    (times[times.len() / 2], times[times.len() * 99 / 100])
}

fn appending(dir: &Path) {
    let (mut writer, _) = Writer::open(config(dir), Timestamp::now()).unwrap();
    let mut bare = File::options()
        .append(true)
        .create(true)
        .open(dir.join("bare"))
        .unwrap();
    let database = rusqlite::Connection::open(dir.join("reference.db")).unwrap();
    database
        .execute_batch(
            "pragma journal_mode=wal; pragma synchronous=full; create table t(line text)",
        )
        .unwrap();
    let body = record(7).1;
    let append = |writer: &mut Writer| {
        writer
            .append(Timestamp::now(), &[(RecordType::Session, body.clone())])
            .unwrap();
    };
    append(&mut writer);
    let file = segments(dir).pop().unwrap();
    let before = file.metadata().unwrap().len();
    append(&mut writer);
    let line = vec![b'x'; (file.metadata().unwrap().len() - before) as usize];
    let text = String::from_utf8(line.clone()).unwrap();
    let mut times: [Vec<Duration>; 3] = Default::default();
    // In turns, so that what the disk does otherwise hits all alike.
    for _ in 0..2000 {
        let began = Instant::now();
        bare.write_all(&line).unwrap();
        bare.sync_data().unwrap();
        times[0].push(began.elapsed());
        let began = Instant::now();
        append(&mut writer);
        times[1].push(began.elapsed());
        let began = Instant::now();
        database
            .execute("insert into t values (?1)", [&text])
            .unwrap();
        times[2].push(began.elapsed());
    }
    let [bare, ours, sqlite] = times.map(spread);
    let ratio = |a: Duration, b: Duration| a.as_secs_f64() / b.as_secs_f64();
    println!(
        "append + fdatasync, {} B   p50 {:>9.1?}  p99 {:>9.1?}",
        line.len(),
        bare.0,
        bare.1
    );
    println!(
        "durable decision         p50 {:>9.1?}  p99 {:>9.1?}  ({:.2} x, {:.2} x)",
        ours.0,
        ours.1,
        ratio(ours.0, bare.0),
        ratio(ours.1, bare.1)
    );
    println!(
        "SQLite WAL, full         p50 {:>9.1?}  p99 {:>9.1?}",
        sqlite.0, sqlite.1
    );
}

/// Sixteen callers through the journal's thread, beside one thread that commits what sixteen callers hand it.
fn together(dir: &Path) {
    const CALLERS: usize = 16;
    const EACH: usize = 250;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let nowhere = Anchoring {
        poster: None,
        warn_lines: u64::MAX,
        warn_s: i64::MAX,
    };
    let journal = Journal::open(config(dir), false, nowhere, Arc::new(|_| ()));
    let ours = runtime.block_on(async {
        journal
            .append(vec![(RecordType::Session, record(1).1)])
            .await
            .unwrap();
        let began = Instant::now();
        let mut all = tokio::task::JoinSet::new();
        for _ in 0..CALLERS {
            let journal = journal.clone();
            all.spawn(async move {
                for n in 0..EACH {
                    journal
                        .append(vec![(RecordType::Session, record(n).1)])
                        .await
                        .unwrap();
                }
            });
        }
        while all.join_next().await.is_some() {}
        began.elapsed()
    });
    let (orders, inbox) = std::sync::mpsc::channel::<(Vec<u8>, tokio::sync::oneshot::Sender<()>)>();
    let path = dir.join("group");
    let thread = std::thread::spawn(move || {
        let mut file = File::options()
            .append(true)
            .create(true)
            .open(path)
            .unwrap();
        while let Ok(first) = inbox.recv() {
            let lot: Vec<_> = std::iter::once(first).chain(inbox.try_iter()).collect();
            let bytes: Vec<u8> = lot.iter().flat_map(|(b, _)| b).copied().collect();
            file.write_all(&bytes).unwrap();
            file.sync_data().unwrap();
            for (_, answer) in lot {
                answer.send(()).unwrap();
            }
        }
    });
    let reference = runtime.block_on(async {
        let began = Instant::now();
        let mut all = tokio::task::JoinSet::new();
        for _ in 0..CALLERS {
            let orders = orders.clone();
            all.spawn(async move {
                for _ in 0..EACH {
                    let (sender, answer) = tokio::sync::oneshot::channel();
                    orders.send((vec![b'x'; 1000], sender)).unwrap();
                    answer.await.unwrap();
                }
            });
        }
        while all.join_next().await.is_some() {}
        began.elapsed()
    });
    drop(orders);
    thread.join().unwrap();
    let rate = |t: Duration| (CALLERS * EACH) as f64 / t.as_secs_f64();
    println!("16 callers               {:>7.0} records/s", rate(ours));
    println!(
        "16 callers, bytes alone  {:>7.0} records/s, ours is {:.2} x that",
        rate(reference),
        rate(ours) / rate(reference)
    );
}

fn main() {
    // Benches are built by `cargo test --benches` too, which is no time to measure.
    if !std::env::args().any(|a| a == "--bench") {
        return;
    }
    let lines = std::env::var("STANCH_BENCH_LINES")
        .ok()
        .and_then(|n| n.parse().ok())
        .unwrap_or(1_000_000);
    let disk =
        std::env::var("STANCH_BENCH_DIR").unwrap_or_else(|_| env!("CARGO_TARGET_TMPDIR").into());
    let dir = tempfile::tempdir_in(disk).unwrap();
    let shm = Path::new("/dev/shm");
    let long = if shm.is_dir() {
        tempfile::tempdir_in(shm)
    } else {
        tempfile::tempdir()
    };
    let long = long.unwrap();
    fill(long.path(), lines);
    following(long.path());
    appending(dir.path());
    let group = dir.path().join("together");
    std::fs::create_dir(&group).unwrap();
    together(&group);
    verifying(long.path(), lines);
    finding(long.path());
}
