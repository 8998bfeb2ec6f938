//! The console as lines.

use std::sync::Arc;

use jiff::Timestamp;
use stanch::app::msg::Msg;
use stanch::domain::queue::Row;
use stanch::domain::text::Untrusted;
use stanch::domain::vocabulary::Severity;
use stanch::ui::plain::Plain;

fn titled(id: &str, severity: Severity, title: &str, count: u64) -> Row {
    let row = crate::row(id, 90);
    let mut alert = (*row.alert).clone();
    alert.severity = Some(severity);
    alert.title = Untrusted::from(title);
    Row {
        alert: Arc::new(alert),
        count,
        ..row
    }
}

fn told(plain: &mut Plain, msg: &Msg) -> Vec<String> {
    plain.lines(msg, Timestamp::UNIX_EPOCH)
}

#[test]
fn an_alert_is_one_line_that_commands_no_terminal() {
    let title = "\u{1b}]0;pwned\u{7}Key\r\nused";
    let rows = vec![titled("svc-a", Severity::Critical, title, 3)];
    let lines = told(&mut Plain::default(), &Msg::Alerts(rows));
    assert_eq!(lines.len(), 1);
    let begin = "00:00:00Z alert: CRITICAL: svc-a: token replay: ";
    assert!(lines[0].starts_with(begin), "{lines:?}");
    assert!(
        lines[0].ends_with(", came 3 times  [test/svc-a]"),
        "{lines:?}"
    );
    assert!(!lines[0].chars().any(char::is_control), "{lines:?}");
}

#[test]
fn of_a_flood_the_worst_are_told_and_the_rest_is_counted() {
    let low = |n: usize| titled(&n.to_string(), Severity::Low, "low", 1);
    let mut rows: Vec<Row> = (0..100).map(low).collect();
    rows.push(titled("bad", Severity::Critical, "worst", 1));
    let lines = told(&mut Plain::default(), &Msg::Alerts(rows));
    assert_eq!(lines.len(), 21);
    assert!(lines[0].contains("CRITICAL"), "{}", lines[0]);
    assert!(lines[20].ends_with("and 81 more alerts, none of them worse"));
}

#[test]
fn a_story_is_told_from_its_beginning() {
    let story = Msg::Story(vec!["first".into(), "then".into()]);
    assert_eq!(
        told(&mut Plain::default(), &story),
        ["00:00:00Z info: first", "00:00:00Z info: then"]
    );
}

#[test]
fn what_did_not_change_is_not_told_again() {
    let mut plain = Plain::default();
    let source = |healthy, text: &str| Msg::Source {
        name: "siem".into(),
        healthy,
        text: text.into(),
    };
    assert_eq!(told(&mut plain, &source(true, "following")).len(), 1);
    assert_eq!(told(&mut plain, &source(true, "page 2")).len(), 0);
    assert_eq!(
        told(&mut plain, &source(false, "503")),
        ["00:00:00Z source siem FAILS: 503"]
    );
    assert_eq!(told(&mut plain, &source(false, "503")).len(), 0);
    assert_eq!(told(&mut plain, &source(true, "following")).len(), 1);
    let full = || Msg::JournalProblem(Some("disk full".into()));
    assert_eq!(told(&mut plain, &full()).len(), 1);
    assert_eq!(told(&mut plain, &full()).len(), 0);
    assert_eq!(
        told(&mut plain, &Msg::JournalProblem(None)),
        ["00:00:00Z journal: ok again"]
    );
}
