//! A table (RFC 4180) that a spreadsheet does not run.

use serde_json::Value;

use crate::domain::decision::Decisions;
use crate::domain::text::show;
use crate::journal::Line;

use crate::domain::words;

/// First row.
const HEAD: [&str; 17] = [
    "time",
    "log",
    "seq",
    "type",
    "actor",
    "alert",
    "identity",
    "verb",
    "undo",
    "plan",
    "step",
    "intent",
    "outcome",
    "http_status",
    "state",
    "reason",
    "summary",
];

/// Writes the records as a table.
pub fn write(lines: &[&Line], decisions: &Decisions) -> Vec<u8> {
    let mut text = HEAD.map(cell).join(",") + "\r\n";
    for line in lines {
        let row = row(line, decisions).map(|c| cell(&c));
        text.push_str(&row.join(","));
        text.push_str("\r\n");
    }
    text.into_bytes()
}

fn row(line: &Line, decisions: &Decisions) -> [String; HEAD.len()] {
    let entry = &line.entry;
    let act = words::act_of(entry, decisions);
    let field = |name: &str| match entry.body.get(name) {
        None | Some(Value::Null | Value::Object(_) | Value::Array(_)) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    };
    let or = |name: &str, of: Option<&str>| match (field(name), of) {
        (text, Some(of)) if text.is_empty() => of.to_owned(),
        (text, _) => text,
    };
    let plan = entry.body.get("plan");
    let in_plan = |name: &str| plan.and_then(|p| p.get(name)).and_then(Value::as_str);
    let intent = act.map(|a| &a.intent);
    [
        format!("{:.9}", entry.ts),
        entry.log.clone(),
        entry.seq.to_string(),
        entry.kind.to_string(),
        entry.actor.clone(),
        or(
            "alert",
            intent
                .map(|i| i.alert.as_str())
                .or_else(|| in_plan("alert")),
        ),
        or(
            "identity",
            intent
                .map(|i| i.identity.as_str())
                .or_else(|| in_plan("identity")),
        ),
        or("verb", intent.map(|i| i.verb.as_str())),
        field("undo"),
        or("digest", intent.map(|i| i.digest.as_str())),
        or("step", intent.map(|i| i.step.as_str())),
        field("intent"),
        or(
            "outcome",
            act.and_then(|a| a.outcome.as_ref())
                .map(|o| o.outcome.as_str()),
        ),
        field("http_status"),
        act.map_or_else(String::new, |a| a.cell().to_string()),
        field("reason"),
        words::summary(entry, decisions),
    ]
}

/// Quotes a cell. One that a spreadsheet would take for a formula begins with an apostrophe (CWE-1236).
fn cell(text: &str) -> String {
    let shown = show(text);
    let formula = text
        .trim_start()
        .starts_with(['=', '+', '-', '@', '\t', '\r'])
        || text.starts_with(['\t', '\r', '\n'])
        || shown.starts_with(['=', '+', '-', '@']);
    let mark = if formula { "'" } else { "" };
    format!("\"{mark}{}\"", shown.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("plain", "\"plain\"")]
    #[case("=1+1", "\"'=1+1\"")]
    #[case("+1", "\"'+1\"")]
    #[case("-1", "\"'-1\"")]
    #[case("@SUM(A1)", "\"'@SUM(A1)\"")]
    #[case("  =1", "\"'  =1\"")]
    #[case("a\"b", "\"a\"\"b\"")]
    fn cells(#[case] text: &str, #[case] want: &str) {
        assert_eq!(cell(text), want);
    }

    proptest! {
        #[test]
        fn no_cell_is_a_formula_or_breaks_its_row(text in any::<String>(), lead in "[=+@\t\r\n -]{0,3}") {
            let cell = cell(&format!("{lead}{text}"));
            let inner = &cell[1..cell.len() - 1];
            prop_assert!(!inner.trim_start().starts_with(['=', '+', '-', '@']));
            prop_assert!(!cell.contains(['\r', '\n', '\t']));
            prop_assert_eq!(inner.replace("\"\"", "").matches('"').count(), 0);
        }
    }
}
