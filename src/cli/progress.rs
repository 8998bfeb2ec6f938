//! How work that takes long tells how far it is, and how it ends when somebody presses ctrl-c.
//!
//! Both are about the whole process: there is one terminal and one disposition of SIGINT, so what is under way is kept
//! in one place. A thread of its own draws the line and hears the signal, so that work which waits is no less polite.

use std::io::{self, IsTerminal as _, Write};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, mpsc};
use std::time::{Duration, Instant};

use tokio::signal::unix::{SignalKind, signal};

use super::exit;
use crate::domain::text::{fit, show};

/// How often the line is drawn anew.
const PACE: Duration = Duration::from_millis(250);

/// What is over sooner says nothing.
const QUIET: Duration = Duration::from_millis(700);

/// How often a line is said where none can be drawn over.
const SAID_EVERY: Duration = Duration::from_secs(10);

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Bytes.
    Bytes,
    /// Things of this name, in the plural.
    Things(&'static str),
    /// Nothing; only time passes.
    Time,
}

/// What ctrl-c does first; the second time it always ends at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// Ends at once, because nothing can be half done; the text says how to go on.
    AtOnce(&'static str),
    /// Ends where a whole piece is done; the work asks [`Work::asked`] and says itself how to go on.
    Between,
}

/// Work was ended by whoever began it; the text says what was done, and how to go on.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Interrupted(pub String);

struct Shared {
    what: String,
    unit: Unit,
    total: u64,
    done: Arc<AtomicU64>,
    since: Instant,
    stop: Stop,
    draws: bool,
    /// Nothing of what is done now may be left half done.
    whole: AtomicBool,
    asked: AtomicBool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Style {
    /// Not at all: nobody looks.
    Silent,
    /// One line that is drawn over.
    Line,
    /// A line now and then, for who cannot have one drawn over.
    Lines,
}

/// Whether what is said is JSON; set once somebody listens.
static JSON: OnceLock<bool> = OnceLock::new();
static CURRENT: Mutex<Option<Arc<Shared>>> = Mutex::new(None);
/// Whether the line stands on the terminal right now; whoever writes there takes it away first.
static SHOWN: Mutex<bool> = Mutex::new(false);

/// Work under way, until this is dropped.
pub struct Work(Arc<Shared>);

/// Says that work begins: what it is (shown text), what is counted and how much there is of it, zero when that is not
/// known. With `draws` off nothing is drawn, because the answer itself goes to the terminal as it comes.
pub fn begin(what: impl Into<String>, (unit, total): (Unit, u64), stop: Stop, draws: bool) -> Work {
    let shared = Arc::new(Shared {
        what: what.into(),
        unit,
        total,
        done: Arc::default(),
        since: Instant::now(),
        stop,
        draws,
        whole: AtomicBool::new(false),
        asked: AtomicBool::new(false),
    });
    *current() = Some(shared.clone());
    Work(shared)
}

impl Work {
    /// Returns what counts how much is done, for whoever does it.
    pub fn counter(&self) -> Arc<AtomicU64> {
        self.0.done.clone()
    }

    /// Counts more as done.
    pub fn add(&self, more: u64) {
        self.0.done.fetch_add(more, Ordering::Relaxed);
    }

    /// Tells whether it is to end.
    pub fn asked(&self) -> bool {
        self.0.asked.load(Ordering::SeqCst)
    }

    /// From now on ctrl-c waits and nothing is drawn: what is done now is short and is not left half done.
    pub fn is_whole(&self) {
        self.0.whole.store(true, Ordering::SeqCst);
        clear();
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        let mut current = current();
        // A later one may have taken its place.
        if current.as_ref().is_some_and(|c| Arc::ptr_eq(c, &self.0)) {
            *current = None;
        }
        drop(current);
        clear();
    }
}

/// Standard error, on which a line of progress makes way for what is written.
pub struct Beside;

impl Write for Beside {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut shown = shown();
        wipe(&mut shown);
        io::stderr().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

/// Begins to hear ctrl-c and to draw. Once in a process; without it work is silent and ctrl-c kills.
pub fn listen(plain: bool, json: bool) {
    let style = if !io::stderr().is_terminal() {
        Style::Silent
    } else if plain || std::env::var("TERM").is_ok_and(|term| term == "dumb") {
        Style::Lines
    } else {
        Style::Line
    };
    if JSON.set(json).is_err() {
        return;
    }
    let (ready, is_ready) = mpsc::channel();
    std::thread::spawn(move || {
        let made = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        let Ok(runtime) = made else { return };
        runtime.block_on(async {
            let Ok(mut interrupt) = signal(SignalKind::interrupt()) else {
                return;
            };
            // The other end waits for it.
            let _ = ready.send(());
            let mut pace = tokio::time::interval(PACE);
            let mut said = None;
            loop {
                tokio::select! {
                    Some(()) = interrupt.recv() => on_interrupt(),
                    _ = pace.tick(), if style != Style::Silent => tell(style, &mut said),
                }
            }
        });
    });
    // Without the thread nothing is told and ctrl-c kills, as it does everywhere.
    let _ = is_ready.recv();
}

fn current() -> std::sync::MutexGuard<'static, Option<Arc<Shared>>> {
    CURRENT.lock().unwrap_or_else(PoisonError::into_inner)
}

fn shown() -> std::sync::MutexGuard<'static, bool> {
    SHOWN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Takes the line away.
fn clear() {
    wipe(&mut shown());
}

fn wipe(shown: &mut bool) {
    if std::mem::take(shown) {
        // Whoever has closed this end reads nothing of it.
        let _ = io::stderr().write_all(b"\r\x1b[K");
    }
}

fn tell(style: Style, said: &mut Option<Duration>) {
    // Held until the line stands, so that none is drawn after the work ended.
    let current = current();
    let drawn = |work: &&Arc<Shared>| work.draws && !work.whole.load(Ordering::SeqCst);
    let Some(work) = current.as_ref().filter(drawn) else {
        return;
    };
    let passed = work.since.elapsed();
    if passed < QUIET {
        return;
    }
    let text = line(
        &work.what,
        (work.unit, work.total),
        work.done.load(Ordering::Relaxed),
        passed,
    );
    let mut shown = shown();
    if style == Style::Line {
        let width = rustix::termios::tcgetwinsize(io::stderr()).map_or(80, |size| size.ws_col);
        let text = fit(&text, usize::from(width.max(20)) - 1, "…");
        let _ = io::stderr().write_all(format!("\r{text}\x1b[K").as_bytes());
        *shown = true;
    } else if said.is_none_or(|at| passed < at || passed.abs_diff(at) >= SAID_EVERY) {
        *said = Some(passed);
        let _ = io::stderr().write_all(format!("{text}\n").as_bytes());
    }
}

fn on_interrupt() {
    let work = current().clone();
    let Some(work) = work else { leave(None) };
    let again = work.asked.swap(true, Ordering::SeqCst);
    let waits = work.stop == Stop::Between || work.whole.load(Ordering::SeqCst);
    if again {
        leave(Some(format!(
            "{}: ended at once; what was whole before stays",
            work.what
        )));
    }
    match work.stop {
        _ if waits => say("ending with the piece at hand; ctrl-c once more ends at once"),
        Stop::AtOnce(how) => {
            let done = amount((work.unit, work.total), work.done.load(Ordering::Relaxed));
            let after = done.map_or_else(String::new, |done| format!(" after {done}"));
            leave(Some(format!("{}: interrupted{after}; {how}", work.what)));
        }
        Stop::Between => {}
    }
}

fn leave(text: Option<String>) -> ! {
    match text {
        Some(text) => say(&text),
        None => clear(),
    }
    std::process::exit(exit::INTERRUPTED.into());
}

fn say(text: &str) {
    let line = match JSON.get().is_some_and(|json| *json) {
        true => serde_json::json!({ "error": text }).to_string(),
        false => format!("stanch: {}", show(text)),
    };
    let mut shown = shown();
    wipe(&mut shown);
    tell!("{line}");
}

/// How far work is, in a line.
fn line(what: &str, of: (Unit, u64), done: u64, passed: Duration) -> String {
    let shown = amount(of, done).map_or_else(String::new, |done| format!(": {done}"));
    let total = of.1;
    if total == 0 {
        return format!("{what}{shown}, {} s", passed.as_secs());
    }
    let done = done.min(total);
    let percent = u128::from(done) * 100 / u128::from(total);
    // The first moments say little about the rest.
    if done == 0 || passed.as_secs() < 3 {
        return format!("{what}{shown} ({percent} %)");
    }
    let left = passed.as_secs_f64() / done as f64 * (total - done) as f64;
    format!("{what}{shown} ({percent} %), about {} s left", left.ceil())
}

fn amount((unit, total): (Unit, u64), done: u64) -> Option<String> {
    let done = if total > 0 { done.min(total) } else { done };
    let one = |count: u64| match unit {
        Unit::Bytes => format!("{:.1}", count as f64 / 1_000_000.0),
        _ => count.to_string(),
    };
    let name = match unit {
        Unit::Bytes => "MB",
        Unit::Things(name) => name,
        Unit::Time => return None,
    };
    Some(match total {
        0 => format!("{} {name}", one(done)),
        total => format!("{} of {} {name}", one(done), one(total)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case((Unit::Bytes, 0), 2_500_000, 1, "reading: 2.5 MB, 1 s")]
    #[case((Unit::Bytes, 10_000_000), 2_500_000, 1, "reading: 2.5 of 10.0 MB (25 %)")]
    #[case((Unit::Bytes, 10_000_000), 2_500_000, 4, "reading: 2.5 of 10.0 MB (25 %), about 12 s left")]
    // What grew meanwhile is not more than all of it.
    #[case((Unit::Things("plans"), 3), 5, 4, "reading: 3 of 3 plans (100 %), about 0 s left")]
    #[case((Unit::Time, 0), 0, 7, "reading, 7 s")]
    #[case((Unit::Bytes, u64::MAX), u64::MAX, 9, "reading: 18446744073709.6 of 18446744073709.6 MB (100 %), about 0 s left")]
    fn a_line_says_how_far_it_is(
        #[case] of: (Unit, u64),
        #[case] done: u64,
        #[case] seconds: u64,
        #[case] want: &str,
    ) {
        let text = line("reading", of, done, Duration::from_secs(seconds));
        assert_eq!(text, want);
    }

    #[test]
    fn work_that_nobody_listens_to_counts_all_the_same() {
        let work = begin("importing", (Unit::Bytes, 10), Stop::Between, true);
        work.add(4);
        assert_eq!(work.counter().load(Ordering::Relaxed), 4);
        assert!(!work.asked());
    }
}
