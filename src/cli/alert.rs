//! `stanch alert`: decisions about alerts that send nothing, as the keys of the console make them.

use std::io::Write;

use clap::{Args, Subcommand};
use jiff::Timestamp;

use super::coverage::{self, AboutArgs, CellArgs, Held};
use super::record::recording;
use super::{Global, exit, plan};
use crate::app::deciding;
use crate::app::model::Model;
use crate::app::row_state::RowState;
use crate::domain::decision::{Decision, DecisionKind};
use crate::domain::ids::AlertId;
use crate::domain::text::show;

/// Arguments of `stanch alert`.
#[derive(Debug, Args)]
pub struct AlertArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Take alerts: others see that you are on them
    Claim(Which),
    /// Give alerts to somebody, with a word on how they stand
    Assign {
        #[command(flatten)]
        which: Which,
        /// To whom
        #[arg(long, value_name = "NAME")]
        to: String,
        /// How it stands
        #[arg(long, value_name = "TEXT", value_parser = crate::cli::record::reason)]
        reason: String,
    },
    /// Put alerts off for a time
    Snooze {
        #[command(flatten)]
        which: Which,
        /// For how long: `30m`, `4h`, `2d`; at most 14 days
        #[arg(long = "for", value_name = "SPAN")]
        span: String,
        /// Why
        #[arg(long, value_name = "TEXT", value_parser = crate::cli::record::reason)]
        reason: String,
    },
    /// Take up again what was put off
    Wake(Which),
    /// Judge alerts to be no case; they stay in the log
    Dismiss {
        #[command(flatten)]
        which: Which,
        /// Why
        #[arg(long, value_name = "TEXT", value_parser = crate::cli::record::reason)]
        reason: String,
    },
    /// Show what is proven, layer by node, what is left until when, and for how long a use opens the alert again
    Coverage(AboutArgs),
    /// Close an alert as contained; refused while anything is neither proven nor accepted as a risk
    Close(AboutArgs),
    /// Take a cell of the coverage on as a risk instead of a proof
    AcceptRisk {
        #[command(flatten)]
        cell: CellArgs,
        /// Why, and until when
        #[arg(long, value_name = "TEXT", value_parser = crate::cli::record::reason)]
        reason: String,
    },
    /// Say what a look by hand at a cell of the coverage came to
    Check {
        #[command(flatten)]
        cell: CellArgs,
        /// What it came to
        #[arg(long)]
        found: Held,
        /// How you know
        #[arg(long, value_name = "TEXT", value_parser = crate::cli::record::reason)]
        reason: String,
    },
    /// Write a note on alerts
    Note {
        #[command(flatten)]
        which: Which,
        /// What
        #[arg(long, value_name = "TEXT", value_parser = crate::cli::record::reason)]
        reason: String,
    },
}

#[derive(Debug, Args)]
struct Which {
    /// Keys of alerts, the ends of them, or the ids of their source
    #[arg(required = true, value_name = "ALERT")]
    alerts: Vec<String>,
}

impl What {
    /// Returns the alerts, the decision, and the text that a console would be told; nothing for what is about the coverage.
    fn parts(&self) -> Option<(&Which, DecisionKind, String)> {
        Some(match self {
            Self::Coverage(_) | Self::Close(_) | Self::AcceptRisk { .. } | Self::Check { .. } => {
                return None;
            }
            Self::Claim(which) => (which, DecisionKind::Claim, String::new()),
            Self::Wake(which) => (which, DecisionKind::Wake, String::new()),
            Self::Assign { which, to, reason } => {
                (which, DecisionKind::Assign, format!("{to} {reason}"))
            }
            Self::Snooze {
                which,
                span,
                reason,
            } => (which, DecisionKind::Snooze, format!("{span} {reason}")),
            Self::Dismiss { which, reason } => (which, DecisionKind::Dismiss, reason.clone()),
            Self::Note { which, reason } => (which, DecisionKind::Note, reason.clone()),
        })
    }
}

/// Records a decision about each of the alerts, or about none.
pub fn run(global: &Global, args: &AlertArgs, out: &mut dyn Write) -> anyhow::Result<u8> {
    match &args.what {
        What::Coverage(about) => return coverage::coverage(global, about, out),
        What::Close(about) => return coverage::close(global, about, out),
        What::AcceptRisk { cell, reason } => {
            return coverage::accept_risk(global, cell, reason, out);
        }
        What::Check {
            cell,
            found,
            reason,
        } => return coverage::check(global, cell, *found, reason, out),
        _ => {}
    }
    let Some((which, kind, text)) = args.what.parts() else {
        return Ok(exit::USAGE);
    };
    recording(global, out, |setup, model, now| {
        let mut alerts = Vec::new();
        for wanted in &which.alerts {
            let id = plan::find(setup, model, wanted)?;
            if let Some(refusal) = refusal(model, &id, kind) {
                return Ok(Err(format!("{}: {refusal}", show(id.as_str()))));
            }
            alerts.push(id);
        }
        decisions(&alerts, kind, &text, now).map(Ok)
    })
}

fn decisions(
    alerts: &[AlertId],
    kind: DecisionKind,
    text: &str,
    now: Timestamp,
) -> anyhow::Result<Vec<Decision>> {
    let (to, until, reason) = match kind {
        DecisionKind::Claim | DecisionKind::Wake => (None, None, None),
        _ => {
            let (to, until, reason) =
                deciding::parsed(kind, text, now).map_err(anyhow::Error::msg)?;
            (to, until, Some(reason))
        }
    };
    let one = |alert: &AlertId| Decision {
        to: to.clone(),
        until,
        ..Decision::on(alert.clone(), kind, reason.clone())
    };
    Ok(alerts.iter().map(one).collect())
}

/// Says why a decision makes no sense for an alert as it stands.
fn refusal(model: &Model, id: &AlertId, kind: DecisionKind) -> Option<&'static str> {
    let state = model.row_state(id);
    match kind {
        DecisionKind::Wake if state != RowState::Snoozed => Some("it is not put off"),
        DecisionKind::Claim | DecisionKind::Note => None,
        _ if state.is_over() => Some("it is closed; claim it to open it again"),
        _ => None,
    }
}
