//! A stream of alerts through everything at once: a file that grows, the source that follows it, the durable store, a
//! second process's way of reading along, the queue, the screen, and keys in between.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use stanch::app::keymap::Keymap;
use stanch::app::keys::Key;
use stanch::app::model::Model;
use stanch::app::msg::Msg;
use stanch::app::settings::SourceSettings;
use stanch::app::update::update;
use stanch::domain::queue::{Queue, Row};
use stanch::intake::decode::Decoders;
use stanch::intake::source::{self, IntakeEvent};
use stanch::intake::store::{LockedStore, Mark, Store};
use stanch::runtime::history;
use stanch::ui::glyphs::UNICODE;
use stanch::ui::theme::Theme;
use stanch::ui::{Ui, draw};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::bare::{self, Packed};
use super::goals::{BESIDE_BARE, Goals, Must, THIRD_OF_LNAV, shortest};
use super::{BATCH, batch, line, lines, memory, share, size, unknown};

/// Shortest time between two frames that no key asked for.
const FRAME: Duration = Duration::from_millis(33);

/// Between two keys.
const KEY: Duration = Duration::from_millis(25);

/// Longest wait for the rest after the last line was written.
const DRAIN: Duration = Duration::from_mins(5);

/// How many lines stood in the file, and since when.
type Written = Mutex<Vec<(Instant, usize)>>;

/// Writes lines at a rate, in pieces of 10 ms, and notes how many stand in the file.
fn write(path: &Path, rate: usize, seconds: usize, written: &Written) {
    let mut file = OpenOptions::new().append(true).open(path).unwrap();
    let began = Instant::now();
    let (mut text, all) = (String::new(), rate * seconds);
    let mut done = 0;
    while done < all {
        let due = (began.elapsed().as_secs_f64() * rate as f64) as usize;
        text.clear();
        (done..due.min(all)).for_each(|i| line(i, &mut text));
        done = done.max(due.min(all));
        written.lock().unwrap().push((Instant::now(), done));
        file.write_all(text.as_bytes()).unwrap();
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Reads along as another process does, and returns how many alerts it saw and how long its slowest look took.
fn read_along(
    dir: PathBuf,
    is_over: Arc<AtomicBool>,
) -> std::thread::JoinHandle<(usize, Duration, Duration)> {
    std::thread::spawn(move || {
        let store = Store::open(&dir).unwrap();
        let (mut mark, mut seen, mut slowest) = (Mark::default(), 0, Duration::ZERO);
        loop {
            let ends = is_over.load(Ordering::SeqCst);
            let began = Instant::now();
            let changes = store.changes(mark, 1_024).unwrap();
            slowest = slowest.max(began.elapsed());
            mark = changes.mark;
            seen += changes.rows.len();
            match (changes.is_more, ends) {
                (true, _) => {}
                (false, true) => return (seen, slowest, super::thread_processor()),
                (false, false) => std::thread::sleep(Duration::from_millis(100)),
            }
        }
    })
}

/// A console without a terminal: the loop of the real one.
struct Screen {
    model: Model,
    keymap: Keymap,
    theme: &'static Theme,
}

impl Screen {
    /// Takes a message in, and returns for how long that kept the processor.
    fn take(&mut self, msg: Msg) -> Duration {
        let before = super::thread_processor();
        // Alerts that are looked at are read from the store; nobody needs the answer here.
        drop(update(&mut self.model, &self.keymap, msg, Timestamp::now()));
        super::thread_processor().saturating_sub(before)
    }

    fn draw(&mut self) {
        let area = Rect::new(0, 0, 120, 40);
        let mut frame = Buffer::empty(area);
        let ui = Ui {
            theme: self.theme,
            keymap: &self.keymap,
            glyphs: &UNICODE,
            now: Timestamp::now(),
        };
        draw(&self.model, ui, area, &mut frame);
        self.model.dirty = false;
    }
}

/// What a run of the loop saw.
#[derive(Default)]
struct Seen {
    keys: Vec<Duration>,
    ages: Vec<Duration>,
    frames: usize,
    /// The longest that one message kept the processor: how late a key can be by that, whatever else the machine does.
    longest: Duration,
    /// How many alerts there were then.
    at: usize,
}

/// Sends keys and takes in alerts until all are in the queue. In between it waits, as the loop of the console does.
fn look(
    runtime: &tokio::runtime::Runtime,
    screen: &mut Screen,
    events: &mut mpsc::Receiver<IntakeEvent>,
    written: &Written,
    all: usize,
) -> Seen {
    let mut seen = Seen::default();
    let (mut next_key, mut last_frame) = (Instant::now(), Instant::now());
    let (mut down, end) = (true, Instant::now() + DRAIN * 10);
    while screen.model.queue.all() < all && Instant::now() < end {
        if next_key <= Instant::now() {
            screen.take(Msg::Key(Key::char(if down { 'j' } else { 'k' })));
            screen.draw();
            // From when it was pressed, which may have been while alerts were taken in.
            seen.keys.push(next_key.elapsed());
            (down, next_key) = (!down, Instant::now() + KEY);
        }
        if screen.model.dirty && last_frame.elapsed() >= FRAME {
            screen.draw();
            last_frame = Instant::now();
            seen.frames += 1;
            let shown = screen.model.queue.all();
            let mut stood = written.lock().unwrap();
            stood.retain(|(_, count)| *count > shown);
            seen.ages
                .push(stood.first().map_or(Duration::ZERO, |(at, _)| at.elapsed()));
        }
        let due = match screen.model.dirty {
            true => next_key.min(last_frame + FRAME),
            false => next_key,
        };
        let next = async { tokio::time::timeout_at(due.into(), events.recv()).await };
        match runtime.block_on(next) {
            Ok(Some(IntakeEvent::Alerts(stored))) => {
                let rows = stored.into_iter().map(history::row).collect();
                let took = screen.take(Msg::Alerts(rows));
                if took > seen.longest {
                    (seen.longest, seen.at) = (took, screen.model.queue.all());
                }
            }
            // Nobody follows the file any more; what is missing shows in the counts.
            Ok(None) => return seen,
            Ok(Some(_)) | Err(_) => {}
        }
    }
    seen
}

/// Starts what follows a file, and returns what it tells.
fn follow(
    runtime: &tokio::runtime::Runtime,
    file: &Path,
    store: &Arc<LockedStore>,
    cancel: &CancellationToken,
) -> mpsc::Receiver<IntakeEvent> {
    let (tx, events) = mpsc::channel(64);
    let settings = SourceSettings::File {
        name: "siem".to_owned(),
        path: file.to_owned(),
        format: None,
    };
    let decoders = Arc::clone(Decoders::shipped());
    let running = source::run(settings, decoders, store.clone(), tx, cancel.clone());
    runtime.spawn(running);
    events
}

fn runtime() -> tokio::runtime::Runtime {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(1).enable_all().build().unwrap()
}

/// Reads a file that is there into a queue, through the durable store.
pub fn load(file: &Path, state: &Path, n: usize) {
    let store = Arc::new(LockedStore::new(Store::open(state).unwrap()));
    let (runtime, cancel) = (runtime(), CancellationToken::new());
    let mut queue = Queue::default();
    let mut events = follow(&runtime, file, &store, &cancel);
    while queue.all() < n {
        if let Some(IntakeEvent::Alerts(stored)) = events.blocking_recv() {
            let rows: Vec<Row> = stored.into_iter().map(history::row).collect();
            queue.take(&rows, true, &unknown);
        }
    }
    cancel.cancel();
}

/// Drives `rate` alerts a second for `seconds`, and prints what came of it.
pub fn run(dir: &Path, rate: usize, seconds: usize, goals: &mut Goals) {
    let (file, state) = (dir.join("alerts.jsonl"), dir.join("state"));
    std::fs::write(&file, "").unwrap();
    let store = Arc::new(LockedStore::new(Store::open(&state).unwrap()));
    let (runtime, cancel) = (runtime(), CancellationToken::new());
    let mut events = follow(&runtime, &file, &store, &cancel);
    let is_over = Arc::new(AtomicBool::new(false));
    let reader = read_along(state.clone(), is_over.clone());
    let (all, written) = (rate * seconds, Arc::new(Written::default()));
    let (before, used) = (memory(std::process::id(), "RssAnon"), super::processor());
    let began = Instant::now();
    let writer = {
        let written = written.clone();
        std::thread::spawn(move || {
            write(&file, rate, seconds, &written);
            (Instant::now(), super::thread_processor())
        })
    };
    let mut screen = Screen {
        model: Model::default(),
        keymap: Keymap::default(),
        theme: Box::leak(Box::new(Theme::named("terminal").unwrap())),
    };
    let mut seen = look(&runtime, &mut screen, &mut events, &written, all);
    let (took, ended) = (began.elapsed(), Instant::now());
    let (last_written, writing) = writer.join().unwrap();
    let used = super::processor().saturating_sub(used);
    let after = memory(std::process::id(), "RssAnon");
    is_over.store(true, Ordering::SeqCst);
    let (along, slowest, reading) = reader.join().unwrap();
    cancel.cancel();
    let counts = store.lock().counts().unwrap();
    let lost = all as i64 - counts.alerts as i64;
    seen.keys.sort_unstable();
    seen.ages.sort_unstable();
    println!("feed: {rate} alerts a second for {seconds} s, {all} alerts");
    println!(
        "  lost {lost}, doubled {}, in the queue {}, seen by another process {along}",
        counts.arrivals - counts.alerts,
        screen.model.queue.all()
    );
    println!(
        "  taken in at {:.0}/s; the last was on the screen {:.0} ms after it was written",
        all as f64 / took.as_secs_f64(),
        ended.saturating_duration_since(last_written).as_secs_f64() * 1e3
    );
    let ms = |d: Duration| d.as_secs_f64() * 1e3;
    println!(
        "  key answered: p50 {:.2} ms, p99 {:.2} ms, worst {:.2} ms, {} keys; the longest that one message kept the processor: \
         {:.2} ms, at {} alerts",
        ms(share(&seen.keys, 500)),
        ms(share(&seen.keys, 990)),
        ms(share(&seen.keys, 1_000)),
        seen.keys.len(),
        ms(seen.longest),
        seen.at
    );
    println!(
        "  age of the oldest alert not shown: p50 {:.0} ms, p99 {:.0} ms; {:.0} frames/s",
        ms(share(&seen.ages, 500)),
        ms(share(&seen.ages, 990)),
        seen.frames as f64 / took.as_secs_f64()
    );
    let percent = |used: Duration| used.as_secs_f64() / took.as_secs_f64() * 100.0;
    println!(
        "  processor {:.0} % of a core, {:.2} µs an alert; besides, the writer of the file {:.0} %, the other reader {:.0} %, \
         whose slowest look took {:.0} ms",
        percent(used.saturating_sub(writing + reading)),
        used.saturating_sub(writing + reading).as_secs_f64() * 1e6 / all.max(1) as f64,
        percent(writing),
        percent(reading),
        ms(slowest)
    );
    println!(
        "  memory {} B an alert in the queue, {} MB at most; {} B an alert on the disk",
        after.saturating_sub(before) / all.max(1),
        memory(std::process::id(), "VmHWM") / 1_000_000,
        size(&state) / all.max(1) as u64
    );
    assert_eq!((lost, along), (0, all));
    let own = used.saturating_sub(writing + reading).as_secs_f64() / all.max(1) as f64;
    let drain = ended.saturating_duration_since(last_written);
    let wrong = lost.unsigned_abs() + counts.arrivals - counts.alerts;
    judge(dir, goals, &seen, drain, wrong, own);
}

/// Holds what was seen against the goals; `own` is the processor time of an alert in seconds.
fn judge(dir: &Path, goals: &mut Goals, seen: &Seen, drain: Duration, wrong: u64, own: f64) {
    let text = lines(50_000);
    let raw: Vec<&[u8]> = text.lines().map(str::as_bytes).collect();
    let parsing = shortest(|| super::ingest::parse(&raw)).as_secs_f64() / raw.len() as f64;
    let mut most = |number, what, bound, figure| {
        goals.add(number, what, Must::Most(bound), figure, "ms");
    };
    let ms = |d: Duration| d.as_secs_f64() * 1e3;
    let (key, age) = (share(&seen.keys, 990), share(&seen.ages, 990));
    most(8, "key answered while alerts arrive, p99", 15.0, ms(key));
    most(
        8,
        "the longest that one message kept the screen",
        15.0,
        ms(seen.longest),
    );
    most(
        9,
        "age of what is not on the screen yet, p99",
        100.0,
        ms(age),
    );
    most(9, "until the last is on the screen", 100.0, ms(drain));
    goals.add(
        9,
        "alerts lost or doubled",
        Must::Most(0.0),
        wrong as f64,
        "",
    );
    let most = Must::Most(THIRD_OF_LNAV);
    goals.add(
        10,
        "processor time of all, beside typed parsing",
        most,
        own / parsing,
        "x",
    );
    // The batches of a feed at this rate are about as large.
    for (parses, what) in [
        (
            false,
            "processor time of all, beside bare bytes and packed rows",
        ),
        (
            true,
            "processor time of all, beside parsing, bytes, packed rows",
        ),
    ] {
        let bare = bare_each(&dir.join("bare"), &text, parses);
        println!(
            "  {:.2} µs of the processor each, bare, for: {what}",
            bare * 1e6
        );
        goals.add(10, what, Must::Least(BESIDE_BARE), bare / own, "x");
    }
}

/// Processor time in seconds that the bytes and packed rows of an alert take with nothing else, in batches as those of a
/// feed.
fn bare_each(dir: &Path, text: &str, parses: bool) -> f64 {
    let state = dir.join("state");
    let mut store = Store::open(&state).unwrap();
    let raw: Vec<&[u8]> = text.lines().map(str::as_bytes).collect();
    for lot in raw.chunks(BATCH) {
        store.put("siem", &batch(lot, Timestamp::now())).unwrap();
    }
    let packed = Packed::of(&state);
    let took = bare::packed(&dir.join("rows"), text, &packed, BATCH, parses);
    std::fs::remove_dir_all(dir).unwrap();
    took.1.as_secs_f64() / raw.len().max(1) as f64
}
