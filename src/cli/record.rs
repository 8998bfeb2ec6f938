//! What a subcommand writes down about alerts: who may, that the log can be written, and what the caller hears.

use std::io::Write;

use jiff::Timestamp;
use serde_json::json;

use super::plan::{silent, with_setup};
use super::refusal::{refuse, refuse_blocked, refuse_read_only};
use super::setup::Setup;
use super::{Global, exit};
use crate::app::model::Model;
use crate::domain::decision::Decision;
use crate::domain::text::show;
use crate::runtime::approval;

/// What is to be written down, or why not.
pub(super) type Chosen = Result<Vec<Decision>, String>;

/// Writes down what `choose` decides on what is known now, all of it or nothing.
///
/// Whoever looks on is told before anything is looked up: what else is in the way does not matter to them.
pub(super) fn recording(
    global: &Global,
    out: &mut dyn Write,
    choose: impl FnOnce(&Setup, &mut Model, Timestamp) -> anyhow::Result<Chosen>,
) -> anyhow::Result<u8> {
    if global.read_only {
        return refuse_read_only(global.json, out);
    }
    with_setup(global, silent(), async |setup: &Setup, mut model| {
        if let Some(reason) = setup.services.journal.blocked().await {
            return refuse_blocked(&reason, global.json, out);
        }
        let allowed = approval::may_decide(&setup.services).await;
        let chosen = match allowed {
            Err(refusal) => Err(format!("not recorded: {}", show(&refusal))),
            Ok(()) => choose(setup, &mut model, Timestamp::now())?,
        };
        let decisions = match chosen {
            Ok(decisions) => decisions,
            Err(refusal) => return refuse(global.json, &refusal, out),
        };
        let written = setup.services.decide(&decisions).await;
        written.map_err(|e| anyhow::anyhow!("NOT recorded: {e}"))?;
        for decision in &decisions {
            if global.json {
                writeln!(out, "{}", json!({ "recorded": decision }))?;
            } else {
                let word = decision.kind.as_str().replace('_', " ");
                writeln!(out, "recorded: {word} {}", show(decision.alert.as_str()))?;
            }
        }
        Ok(exit::DONE)
    })
}

/// Reads why somebody decides: it stands in the log, so that blanks are none.
pub(in crate::cli) fn reason(text: &str) -> Result<String, String> {
    match text.trim() {
        "" => Err("a reason is needed: it stands in the log".to_owned()),
        text => Ok(text.to_owned()),
    }
}
