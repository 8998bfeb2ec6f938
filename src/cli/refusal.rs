//! Why a subcommand did nothing: to people on standard error, and with `--json` as a row too.

use std::io::Write;

use serde_json::{Value, json};

use super::exit;
use crate::domain::ids::PlanDigest;
use crate::domain::text::show;
use crate::journal::mask_tokens;

/// Says why nothing was done. `why` was escaped already.
pub(super) fn refuse(json: bool, why: &str, out: &mut dyn Write) -> anyhow::Result<u8> {
    refuse_row(json, why, &json!({ "refused": why }), out)
}

/// Says why something was not written down.
pub(super) fn not_recorded(json: bool, why: &str, out: &mut dyn Write) -> anyhow::Result<u8> {
    refuse(json, &format!("not recorded: {}", show(why)), out)
}

/// Says why a plan was not run.
pub(super) fn not_run(
    digest: &PlanDigest,
    why: &str,
    json: bool,
    out: &mut dyn Write,
) -> anyhow::Result<u8> {
    let row = json!({
        "digest": digest.as_str(), "ran": false, "refused": why, "text": why, "steps": [],
    });
    let text = format!("not run: {}", show(&mask_tokens(why)));
    refuse_row(json, &text, &row, out)
}

/// Says why nothing can be recorded.
pub fn refuse_blocked(reason: &str, json: bool, out: &mut dyn Write) -> anyhow::Result<u8> {
    let why = format!("the journal blocks every act: {reason}");
    let row = json!({ "ran": false, "refused": why, "journal": { "blocked": reason } });
    let text = format!("not run: {}", show(&mask_tokens(&why)));
    refuse_row(json, &text, &row, out)
}

/// Says that somebody only looks on.
pub(super) fn refuse_read_only(json: bool, out: &mut dyn Write) -> anyhow::Result<u8> {
    refuse(json, "refused: --read-only", out)
}

/// Says that no log has such a plan: what was typed is wrong, so there is no row.
pub(super) fn no_plan(digest: &str) -> u8 {
    tell!(
        "stanch: no log holds one plan {} (give at least 8 digits of its digest); make one with `stanch plan ALERT`",
        show(digest)
    );
    exit::USAGE
}

fn refuse_row(json: bool, text: &str, row: &Value, out: &mut dyn Write) -> anyhow::Result<u8> {
    if json {
        writeln!(out, "{row}")?;
    }
    tell!("stanch: {text}");
    Ok(exit::REFUSED)
}
