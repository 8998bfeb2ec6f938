//! `stanch identity show --message`: what to write to whoever answers for it.

use std::io::Write;

use anyhow::bail;
use jiff::Timestamp;
use serde_json::json;

use super::{Global, exit, found, plan, setup};
use crate::app::contact;
use crate::domain::contact::{Case, message};
use crate::domain::graph::{Limits, Look};
use crate::domain::ids::NodeId;
use crate::domain::text::show;
use crate::journal::mask_tokens;

/// Prints the message: about an alert, or about none.
pub(super) fn run(
    global: &Global,
    id: &str,
    alert: Option<&str>,
    now: Timestamp,
    out: &mut dyn Write,
) -> anyhow::Result<u8> {
    if let Some(wanted) = alert {
        return plan::with_setup(global, plan::silent(), async |setup, mut model| {
            let alert = plan::find(setup, &mut model, wanted)?;
            let detail = model.detail_of(&alert);
            let Some(card) = &detail.identity else {
                bail!("alert `{alert}` names nobody, so there is no owner to write to");
            };
            let meant = found(&setup.services.inventory, id).map(|(card, _)| &card.id);
            if card.id.as_str() != id && meant.ok() != Some(&card.id) {
                bail!(
                    "alert `{alert}` is about {}, not about `{}`",
                    card.id,
                    show(id)
                );
            }
            let lines = contact::about(&model, &alert, &detail, now).unwrap_or_default();
            write(&lines, global.json, out)
        });
    }
    let inventory = setup::inventory(global, now)?;
    crate::cli::identity::tell_trouble(&inventory);
    let (card, _) = found(&inventory, id)?;
    let look = Look::at(inventory.graph(), &NodeId::from(&card.id), Limits::FULL);
    let lines = message(&Case {
        card,
        alert: None,
        breaks: Some(&look.breaks),
        plan: None,
        choices: &[],
        now,
    });
    write(&lines, global.json, out)
}

fn write(lines: &[String], as_json: bool, out: &mut dyn Write) -> anyhow::Result<u8> {
    let lines: Vec<_> = lines.iter().map(|line| mask_tokens(line)).collect();
    if as_json {
        writeln!(out, "{}", json!({ "message": lines }))?;
    } else {
        writeln!(out, "{}", lines.join("\n"))?;
    }
    Ok(exit::DONE)
}
