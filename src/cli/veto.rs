//! `stanch veto`: stops a countdown, as any key on its row does.

use std::io::Write;

use jiff::Timestamp;
use serde_json::json;

use super::plan::{self, silent, with_setup};
use super::refusal::{not_recorded, refuse, refuse_blocked, refuse_read_only};
use super::{Global, exit};
use crate::app::automation::{stopping, words};
use crate::domain::decision::{Decision, DecisionKind, Decisions};
use crate::domain::ids::AlertId;
use crate::domain::text::show;
use crate::runtime::{alone, approval};

/// Arguments of `stanch veto`.
#[derive(Debug, clap::Args)]
pub struct VetoArgs {
    /// Keys of alerts, the ends of them, or the ids of their source
    #[arg(required = true, value_name = "ALERT")]
    pub alerts: Vec<String>,
    /// Why
    #[arg(long, value_name = "TEXT", value_parser = crate::cli::record::reason)]
    pub reason: Option<String>,
}

/// Writes a veto down for each of the alerts, or for none.
pub fn veto(global: &Global, args: &VetoArgs, out: &mut dyn Write) -> anyhow::Result<u8> {
    if global.read_only {
        return refuse_read_only(global.json, out);
    }
    with_setup(global, silent(), async |setup, mut model| {
        if let Some(reason) = setup.services.journal.blocked().await {
            return refuse_blocked(&reason, global.json, out);
        }
        let mut vetoes = Vec::new();
        for wanted in &args.alerts {
            let id = plan::find(setup, &mut model, wanted)?;
            let Some(veto) = stopping(&model, &id) else {
                let known = words(&model, &id, Timestamp::now());
                let known = known.map_or_else(String::new, |words| format!(": {}", words.long));
                let (id, known) = (show(id.as_str()), show(&known));
                let why = format!("nothing counts down for {id}{known}");
                return refuse(global.json, &why, out);
            };
            vetoes.push(Decision {
                reason: args.reason.clone(),
                ..veto
            });
        }
        if let Err(refusal) = approval::may_decide(&setup.services).await {
            return not_recorded(global.json, &refusal, out);
        }
        alone::record(&setup.services, vetoes.clone())
            .await
            .map_err(|e| anyhow::anyhow!("NOT recorded: {e}"))?;
        let after = setup.services.journal.latest().await?;
        let mut late = false;
        for veto in &vetoes {
            let ran = has_begun(&after, veto);
            late |= ran;
            tell(veto, ran, global.json, out)?;
        }
        Ok(if late { exit::NOT_PROVEN } else { exit::DONE })
    })
}

/// Tells whether the run was in the log before the veto. Whoever runs it looks once more before anything is sent.
fn has_begun(log: &Decisions, veto: &Decision) -> bool {
    let all = log.of_alert(&veto.alert).iter();
    let mut of_plan = all.filter(|(_, _, d)| d.plan == veto.plan);
    of_plan.any(|(_, _, d)| d.kind == DecisionKind::AutoRun)
}

fn tell(veto: &Decision, ran: bool, json: bool, out: &mut dyn Write) -> anyhow::Result<()> {
    let alert: &AlertId = &veto.alert;
    let book = veto.playbook.as_deref().unwrap_or_default();
    if json {
        let row = json!({
            "alert": alert, "playbook": book, "plan": veto.plan, "vetoed": !ran, "had_begun": ran, "recorded": veto,
        });
        writeln!(out, "{row}")?;
    } else if ran {
        let at = show(alert.as_str());
        writeln!(
            out,
            "{} had come to its end for {at} at the same moment; whether anything was sent: stanch log show --alert {at}",
            show(book)
        )?;
    } else {
        let book = show(book);
        writeln!(
            out,
            "stopped: {book} does not run by itself for {}",
            show(alert.as_str())
        )?;
    }
    Ok(())
}
