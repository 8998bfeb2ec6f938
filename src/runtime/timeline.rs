//! What the log's screen asks for: one record in full, and whether the log is what was signed. Both read files, so
//! neither runs where keys are handled.

use jiff::Timestamp;
use tokio::sync::oneshot;

use super::journal::{Journal, Report};
use crate::app::msg::Msg;
use crate::app::timeline::Verdict;
use crate::domain::text::show;
use crate::journal::{Level, Options, read_store, verify as verify_stores};

/// How often a log that grows meanwhile is looked at before it is called broken: a record written between reading the
/// lines and reading the head looks like a head without its lines.
const TRIES: usize = 3;

/// Works on a thread of its own. A blocking task would do, but the runtime waits for those when the console ends, and
/// verifying a long log takes a while.
fn aside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> oneshot::Receiver<T> {
    let (sender, done) = oneshot::channel();
    // Whoever asked may be gone by then.
    std::thread::spawn(move || drop(sender.send(work())));
    done
}

/// Reads one record from the disk, as it stands there now.
pub async fn read(journal: Journal, log: String, seq: u64, report: Report) {
    let store = journal.store().to_owned();
    let wanted = log.clone();
    let found = aside(move || {
        let (entries, _) = read_store(&store);
        let mut entries = entries.into_iter();
        entries.find(|e| e.seq == seq && e.log == wanted)
    });
    let result = match found.await {
        Ok(Some(entry)) => Ok(Box::new(entry)),
        Ok(None) => Err(format!(
            "record {seq} of {log} can no longer be read; v verifies the log"
        )),
        Err(_) => Err("reading the log failed; `stanch log show` may say more".to_owned()),
    };
    report(Msg::Record { log, seq, result });
}

/// Verifies all logs of the store.
pub async fn verify(journal: Journal, report: Report) {
    let stores = [journal.store().to_owned()];
    let verified = aside(move || {
        let mut report = verify_stores(&stores, &Options::default());
        for _ in 1..TRIES {
            if report.intact() {
                break;
            }
            report = verify_stores(&stores, &Options::default());
        }
        report
    });
    let at = Timestamp::now();
    let verdict = match verified.await {
        Ok(found) => verdict(&found),
        Err(_) => Verdict {
            at,
            intact: false,
            lines: 0,
            logs: 0,
            warnings: 0,
            finding: Some("verifying failed; run `stanch log verify`".to_owned()),
            seq: None,
        },
    };
    report(Msg::Verified(verdict));
}

fn verdict(report: &crate::journal::Report) -> Verdict {
    let of_logs = report.logs.iter().flat_map(|log| {
        let named = move |f: &crate::journal::Finding| (Some(log.origin.clone()), f.clone());
        log.findings.iter().map(named)
    });
    let of_content = report.content.findings.iter().map(|f| (None, f.clone()));
    let findings: Vec<_> = of_logs.chain(of_content).collect();
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
        logs: report.logs.len(),
        warnings: report.warnings(),
        seq: worst.and_then(|(_, f)| f.seq).filter(|_| refused.is_none()),
        finding: refused.or(told),
    }
}
