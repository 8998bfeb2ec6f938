//! What the log's screen asks for: one record in full, and whether the log is what was signed. Both read files, so
//! neither runs where keys are handled.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::oneshot;

use super::journal::{Journal, Report};
use crate::app::msg::Msg;
use crate::app::timeline::{Found, Stored, Verdict};
use crate::domain::decision::{Outcome, RecordType};
use crate::domain::text::show;
use crate::journal::{self, BlobState, FoundLine, Level, Options};

/// How often a log that grows meanwhile is looked at before it is called broken: a record written between reading the
/// lines and reading the head looks like a head without its lines.
const TRIES: usize = 3;

/// How often somebody who waits hears how far it is.
const PACE: Duration = Duration::from_millis(250);

/// Works on a thread of its own. A blocking task would do, but the runtime waits for those when the console ends, and
/// verifying a long log takes a while.
fn aside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> oneshot::Receiver<T> {
    let (sender, done) = oneshot::channel();
    // Whoever asked may be gone by then.
    std::thread::spawn(move || drop(sender.send(work())));
    done
}

/// Reads one record from the disk, as it stands there now, and looks at its evidence.
pub async fn read(journal: Journal, log: String, seq: u64, report: Report) {
    let store = journal.store().to_owned();
    let origin = log.clone();
    let found = aside(move || journal::find(&store, &origin, seq).map(|f| Box::new(full(f))));
    let result = match found.await {
        Ok(Ok(found)) => Ok(found),
        Ok(Err(why)) => Err(format!("{why}; v verifies the log")),
        Err(_) => Err("reading the log failed; `stanch log show` may say more".to_owned()),
    };
    report(Msg::Record { log, seq, result });
}

fn full(found: FoundLine) -> Found {
    let entry = &found.line.entry;
    let stored = (entry.kind == RecordType::Outcome)
        .then(|| entry.body_as::<Outcome>().ok())
        .flatten()
        .map_or_else(Vec::new, |outcome| outcome.evidence);
    let evidence = stored.into_iter().map(|one| {
        let state = match found.blob(&one.sha256) {
            BlobState::Matches => Stored::Matches,
            BlobState::Differs => Stored::Differs,
            BlobState::Missing => Stored::Missing,
            BlobState::Unreadable(why) => Stored::Unreadable(why),
        };
        (one, state)
    });
    Found {
        evidence: evidence.collect(),
        entry: found.line.entry,
    }
}

/// Verifies all logs of the store, as `stanch log verify` does.
/// Once `stop` is set it ends soon and says nothing more.
pub async fn verify(journal: Journal, stop: Arc<AtomicBool>, report: Report) {
    let stores = [journal.store().to_owned()];
    let progress = Arc::new(AtomicU64::new(0));
    let options = Options {
        seen: journal.seen().map(Path::to_owned),
        progress: Some(Arc::clone(&progress)),
        stop: Some(Arc::clone(&stop)),
        ..Options::default()
    };
    let all = Arc::new(AtomicU64::new(0));
    let size = Arc::clone(&all);
    let mut verified = aside(move || {
        size.store(bytes_of(&stores[0]), Ordering::Relaxed);
        let mut report = journal::verify(&stores, &options);
        for _ in 1..TRIES {
            if report.intact() || options.stop.as_ref().is_some_and(is_set) {
                break;
            }
            report = journal::verify(&stores, &options);
        }
        report
    });
    let mut pace = tokio::time::interval(PACE);
    pace.tick().await;
    let ended = loop {
        tokio::select! {
            ended = &mut verified => break ended,
            _ = pace.tick(), if !is_set(&stop) => {
                let (done, all) = (progress.load(Ordering::Relaxed), all.load(Ordering::Relaxed));
                report(Msg::VerifyProgress { done: done.min(all), all });
            }
        }
    };
    if is_set(&stop) {
        return;
    }
    let verdict = match ended {
        Ok(found) => verdict(&found),
        Err(_) => Verdict {
            at: Timestamp::now(),
            intact: false,
            lines: 0,
            heads: Vec::new(),
            warnings: 0,
            finding: Some("verifying failed; run `stanch log verify`".to_owned()),
            seq: None,
        },
    };
    report(Msg::Verified(verdict));
}

fn is_set(stop: &Arc<AtomicBool>) -> bool {
    stop.load(Ordering::SeqCst)
}

/// Adds up all segments of a store; only for showing how far verifying is.
pub fn bytes_of(store: &Path) -> u64 {
    let inside = |dir: PathBuf| {
        let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
        entries.map(|e| e.path())
    };
    let logs = inside(store.join("logs")).flat_map(inside);
    logs.flat_map(inside)
        .filter(|path| path.extension().is_some_and(|e| e == "jsonl"))
        .filter_map(|path| path.metadata().ok())
        .map(|file| file.len())
        .sum()
}

fn verdict(report: &journal::Report) -> Verdict {
    let of_logs = report.logs.iter().flat_map(|log| {
        let named = move |f: &journal::Finding| (Some(log.origin.clone()), f.clone());
        log.findings.iter().map(named)
    });
    let of_store = report.content.findings.iter().chain(&report.findings);
    let findings: Vec<_> = of_logs.chain(of_store.map(|f| (None, f.clone()))).collect();
    let worst = findings
        .iter()
        .find(|(_, f)| f.level == Level::Failure)
        .or_else(|| findings.first());
    let told = worst.map(|(log, f)| match log {
        Some(log) => format!("{}: {}", show(log), show(&f.text)),
        None => show(&f.text).into_owned(),
    });
    let refused = report.refused.first().map(|text| show(text).into_owned());
    Verdict {
        at: Timestamp::now(),
        intact: report.intact(),
        lines: report.logs.iter().map(|l| l.records).sum(),
        heads: report
            .logs
            .iter()
            .map(|l| (l.origin.clone(), l.records))
            .collect(),
        warnings: report.warnings(),
        seq: worst.and_then(|(_, f)| f.seq).filter(|_| refused.is_none()),
        finding: refused.or(told),
    }
}
