//! Judging whether everybody could be contained now, and writing that down for people with spreadsheets.

use std::io::Write;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::services::Services;
use crate::app::readiness::{Judged, Untold};
use crate::config::put;
use crate::connect::MAY_NOT_READ;
use crate::domain::readiness::{Readiness, of_all};
use crate::domain::text::{Untrusted, show};

/// Judges everybody. `untold` is what providers did not tell so far; nobody is asked.
pub fn judge(services: &Services, untold: Vec<Untold>, now: Timestamp) -> Judged {
    let mut means = services.means();
    let refused = untold
        .into_iter()
        .filter_map(|(id, unknown)| Some((id, refusal(&unknown)?)));
    means.refused = refused.collect();
    Judged::new(of_all(&services.inventory, &means, now), now)
}

/// Returns what a provider refused to the console's own account. That it cannot be reached says nothing about rights.
pub fn refusal(unknown: &[(String, Untrusted)]) -> Option<String> {
    let mut refused = unknown.iter().filter(|(_, why)| is_refusal(why.raw()));
    let (part, why) = refused.next()?;
    Some(format!("{}: {}", show(part), why.show()))
}

/// Tells whether the provider knows the console and refuses it, or does not even let it log in.
fn is_refusal(why: &str) -> bool {
    why.contains(MAY_NOT_READ) || why.contains("the console's own login was refused")
}

/// Writes what was judged into the state folder, under a name that says when; returns the file.
pub fn export(services: &Services, judged: &Judged) -> Result<PathBuf, String> {
    let (views, _) = services
        .views
        .as_ref()
        .ok_or("this console is only the log's screen")?;
    let dir = views.parent().unwrap_or(Path::new("."));
    let name = format!("readiness-{}.csv", judged.at.strftime("%Y%m%dT%H%M%SZ"));
    let path = dir.join(name);
    let mut text = Vec::new();
    csv(&judged.all, &mut text)
        .and_then(|()| put::in_place(&path, &text))
        .map_err(|error| format!("cannot write {}: {error}", path.display()))?;
    Ok(path)
}

/// Writes a row for each gap, and one for each identity without any. A cell that a spreadsheet would take for a formula
/// begins with an apostrophe.
pub fn csv(judged: &[Readiness], out: &mut dyn Write) -> std::io::Result<()> {
    let mut rows = csv::Writer::from_writer(out);
    rows.write_record([
        "id", "name", "verdict", "risk", "reach", "gap", "weight", "what", "fix",
    ])?;
    for one in judged {
        let own = [
            show(one.id.as_str()).into_owned(),
            one.name.show().into_owned(),
            one.verdict.to_string(),
            one.risk.to_string(),
            one.reach.to_string(),
        ];
        let own = || own.iter().map(|c| plain(c));
        for gap in &one.gaps {
            let cells = [
                gap.kind.to_string(),
                gap.kind.weight().to_string(),
                plain(&gap.what),
                plain(&gap.fix),
            ];
            rows.write_record(own().chain(cells))?;
        }
        if one.gaps.is_empty() {
            rows.write_record(own().chain(std::iter::repeat_n(String::new(), 4)))?;
        }
    }
    rows.flush()
}

fn plain(cell: &str) -> String {
    match cell.starts_with(['=', '+', '-', '@']) {
        true => format!("'{cell}"),
        false => cell.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::IdentityId;
    use crate::domain::readiness::{Gap, GapKind, Verdict};
    use crate::net::auth::AuthError;

    #[test]
    fn a_refusal_is_told_from_a_failure() {
        let refused = format!("cannot read `client`: status 403; {MAY_NOT_READ}");
        assert!(is_refusal(&refused));
        assert!(is_refusal(&AuthError::Refused(401).to_string()));
        let down = AuthError::NoAnswer("cannot be reached".to_owned());
        assert!(!is_refusal(&down.to_string()));
        assert!(!is_refusal("cannot read `client-403`: status 500"));
    }

    #[test]
    fn no_cell_is_a_formula_and_none_breaks_out_of_its_row() {
        let gap = Gap {
            kind: GapKind::NoCut,
            what: "=HYPERLINK(\"x\")".to_owned(),
            fix: "+1".to_owned(),
        };
        let one = |gaps| Readiness {
            id: IdentityId::new("lab:a\r\nb,\"c\""),
            name: "@SUM(A1)".into(),
            verdict: Verdict::Not,
            risk: 25,
            reach: 5,
            gaps,
        };
        let mut text = Vec::new();
        csv(&[one(vec![gap]), one(Vec::new())], &mut text).unwrap();
        let text = String::from_utf8(text).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 3, "{text}");
        let own = r#""lab:a\u{d}\u{a}b,""c""",'@SUM(A1),not,25,5"#;
        let first = format!("{own},no_cut,5,\"'=HYPERLINK(\"\"x\"\")\",'+1");
        assert_eq!(lines[1..], [first, format!("{own},,,,")]);
    }
}
