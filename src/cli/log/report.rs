//! `stanch log report`: one incident for those who were not there.

mod frameworks;
mod text;

use std::io::Write;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

use anyhow::bail;
use clap::Args;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::json;

use crate::app::exposure::{self, Exposure};
use crate::cli::Global;
use crate::cli::plan::{finish, progress, with_setup};
use crate::cli::progress::{self, Stop, Unit};
use crate::cli::refusal::{refuse, refuse_blocked, refuse_read_only};
use crate::domain::alert::Alert;
use crate::domain::decision::{Act, Decisions, PlanRecord, RecordType, Verdict};
use crate::domain::ids::{AlertId, PlanDigest};
use crate::domain::plan::Plan;
use crate::domain::text::show;
use crate::journal::{self, Line};
use crate::runtime::approval::Patience;
use crate::runtime::execute;
use crate::runtime::telling::{self, About};

use super::Context;
use super::ask::Records;
use super::course::{Course, by_alert};
use super::export::{deliver, record};
use crate::domain::words;

pub use frameworks::Tag;

/// Arguments of `stanch log report`.
#[derive(Debug, Args)]
pub struct ReportArgs {
    /// Which alert: its key (`source/id`), or an end of it that only one has.
    alert: String,
    /// Write to this new file instead of standard output.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Read a copied journal instead (repeatable).
    #[arg(long, value_name = "DIR")]
    pub store: Vec<PathBuf>,
    /// Send it in brief through this connector (presets `webhook` and `slack_message`): a plan of its own, with its exact
    /// request in the log.
    #[arg(long, value_name = "CONNECTOR", conflicts_with_all = ["out", "store"])]
    pub send: Option<String>,
}

/// One plan of the incident.
pub struct PlanPart {
    /// Its name.
    pub digest: PlanDigest,
    /// Who wrote it.
    pub author: String,
    /// The plan.
    pub plan: Plan,
    /// Verdicts on it: who, where it stands, what.
    pub verdicts: Vec<Verdict>,
}

/// Everything that the records tell about one alert.
pub struct Incident<'a> {
    /// Which alert.
    pub id: AlertId,
    /// The alert itself, where it is stored here.
    pub alert: Option<Alert>,
    /// Its milestones.
    pub course: Course,
    /// How long the identity was open, where the alert is stored here.
    pub exposure: Option<Exposure>,
    /// When the report is written.
    pub at: Timestamp,
    /// Its records.
    pub lines: Vec<&'a Line>,
    /// What all records decide together.
    pub decisions: &'a Decisions,
    /// Its plans.
    pub plans: Vec<PlanPart>,
    /// Its acts.
    pub acts: Vec<&'a Act>,
    /// Which frameworks ask for what was done.
    pub tags: Vec<Tag>,
    /// Whether the journal verifies as a whole.
    pub intact: bool,
}

/// Writes the report, and records that it left.
pub fn run(args: &ReportArgs, context: &Context<'_>, out: &mut dyn Write) -> anyhow::Result<u8> {
    with_incident(args, context, |incident| {
        let bytes = if context.json {
            serde_json::to_string_pretty(&value(incident))? + "\n"
        } else {
            text::write(incident)
        };
        deliver(args.out.as_deref(), bytes.as_bytes(), out)?;
        let format = if context.json {
            "report json"
        } else {
            "report md"
        };
        record(context, format, &incident.lines, bytes.as_bytes());
        Ok(())
    })
    .map(|((), code)| code)
}

/// Sends the report in brief, as a plan of its own that is run at once.
pub fn send(
    global: &Global,
    (args, through): (&ReportArgs, &str),
    context: &Context<'_>,
    out: &mut dyn Write,
) -> anyhow::Result<u8> {
    if global.read_only {
        return refuse_read_only(global.json, out);
    }
    let ((about, text), _) = with_incident(args, context, |incident| {
        let plan = incident.plans.last().map(|part| part.plan.identity.clone());
        let about = plan.map(|identity| About {
            alert: incident.id.clone(),
            identity,
        });
        Ok((about, text::brief(incident)))
    })?;
    let Some(about) = about else {
        let why = "no plan was made for this alert, so there is nothing to tell anybody; without --send it is printed";
        return refuse(global.json, why, out);
    };
    let report = progress(global.json);
    with_setup(global, report.clone(), async |setup, _| {
        let services = &setup.services;
        if let Some(reason) = services.journal.blocked().await {
            return refuse_blocked(&reason, global.json, out);
        }
        let digest = match telling::report(services, &about, through, &text).await {
            Ok(digest) => digest,
            Err(why) => return refuse(global.json, &why, out),
        };
        let waiting = (Patience::Leave, &AtomicBool::new(false));
        let ended = execute::run(services, &digest, None, waiting, &report).await;
        finish(&digest, &ended, global.json, out)
    })
}

/// Puts together what the records tell about the alert, for as long as something is done with it. Returns what that came to,
/// and the exit code of the reading.
fn with_incident<T>(
    args: &ReportArgs,
    context: &Context<'_>,
    work: impl FnOnce(&Incident<'_>) -> anyhow::Result<T>,
) -> anyhow::Result<(T, u8)> {
    let stop = Stop::AtOnce("nothing was written");
    let reading = progress::begin("reading the log", (Unit::Time, 0), stop, true);
    let mut records = Records::open(&args.store, context)?;
    let id = find(&args.alert, &records.alerts_ending(&args.alert)?)?;
    let block = records.about(&id)?;
    records.tell();
    let lines: Vec<&Line> = block
        .lines
        .iter()
        .filter(|l| words::names(&l.entry, words::Field::Alert, id.as_str(), &block.decisions))
        .collect();
    let alert = (context.alert)(&id);
    let of_alerts = by_alert(&block.lines);
    let own = of_alerts.get(&id).map_or(&[][..], Vec::as_slice);
    let course = Course::of(&id, alert.as_ref(), own, &block.decisions);
    let plans = plans_of(&id, &block.lines, &block.decisions);
    let acts: Vec<&Act> = block.decisions.acts_for(&id).collect();
    let options = journal::Options {
        quick: true,
        ..journal::Options::default()
    };
    let incident = Incident {
        tags: frameworks::tags(&acts, plans.iter().any(|p| !p.verdicts.is_empty())),
        intact: journal::verify(&context.stores(&args.store), &options).intact(),
        exposure: alert
            .as_ref()
            .map(|alert| exposure::of(&block.decisions, alert)),
        at: Timestamp::now(),
        id,
        alert,
        course,
        decisions: &block.decisions,
        plans,
        acts,
        lines,
    };
    reading.is_whole();
    let done = work(&incident)?;
    Ok((done, records.exit_code()))
}

fn find(wanted: &str, all: &[AlertId]) -> anyhow::Result<AlertId> {
    if let Some(id) = all.iter().find(|id| id.as_str() == wanted) {
        return Ok(id.clone());
    }
    let ends: Vec<&AlertId> = all
        .iter()
        .filter(|id| id.as_str().ends_with(wanted))
        .collect();
    match ends.as_slice() {
        [one] => Ok((*one).clone()),
        [] => bail!("no record names the alert {}", show(wanted)),
        many => bail!(
            "{} alerts end in {}: give the whole key",
            many.len(),
            show(wanted)
        ),
    }
}

fn plans_of(id: &AlertId, lines: &[Line], decisions: &Decisions) -> Vec<PlanPart> {
    let records = lines.iter().filter(|l| l.entry.kind == RecordType::Plan);
    records
        .filter_map(|line| {
            let record: PlanRecord = line.entry.body_as().ok()?;
            // A plan that does not hash to its name is in no fold, and in no report.
            let (digest, state) = decisions.plan(record.digest.as_str())?;
            (record.plan.alert == *id).then(|| PlanPart {
                digest: digest.clone(),
                author: line.entry.actor.clone(),
                plan: state.plan.clone(),
                verdicts: state.verdicts.clone(),
            })
        })
        .collect()
}

/// The report as JSON. Field names are stable; text is safe to draw.
fn value(incident: &Incident<'_>) -> serde_json::Value {
    let text = |t: &str| show(t).into_owned();
    let timeline: Vec<_> = incident
        .lines
        .iter()
        .map(|l| {
            json!({
                "time": l.entry.ts, "who": text(&l.entry.actor), "log": text(&l.entry.log), "seq": l.entry.seq,
                "type": l.entry.kind, "what": text(&words::summary(&l.entry, incident.decisions)),
            })
        })
        .collect();
    let plans: Vec<_> = incident
        .plans
        .iter()
        .map(|p| {
            json!({
                "digest": p.digest.as_str(), "author": text(&p.author), "plan": shown(&p.plan),
                "verdicts": p.verdicts.iter().map(|v| json!({
                    "by": text(&v.by), "approved": v.approval.approved, "reason": v.approval.reason.as_deref().map(text),
                })).collect::<Vec<_>>(),
            })
        })
        .collect();
    let acts: Vec<_> = incident
        .acts
        .iter()
        .map(|a| {
            json!({
                "intent": shown(&a.intent), "at": a.at, "by": text(&a.actor), "state": a.cell(),
                "d3fend": a.intent.verb.d3fend(), "outcome": a.outcome.as_ref().map(shown),
                "verify": a.verify.as_ref().map(shown),
            })
        })
        .collect();
    json!({
        "alert": text(incident.id.as_str()),
        "title": incident.alert.as_ref().map(|a| a.title.show().into_owned()),
        "intact": incident.intact,
        "course": incident.course,
        "exposure": incident.exposure,
        "timeline": timeline,
        "plans": plans,
        "acts": acts,
        "frameworks": incident.tags,
    })
}

/// A value with every string made safe to draw.
fn shown(value: &impl Serialize) -> serde_json::Value {
    fn walk(value: &mut serde_json::Value) {
        match value {
            serde_json::Value::String(text) => *text = show(text).into_owned(),
            serde_json::Value::Array(items) => items.iter_mut().for_each(walk),
            serde_json::Value::Object(map) => map.values_mut().for_each(walk),
            _ => {}
        }
    }
    let mut value = serde_json::to_value(value).unwrap_or_default();
    walk(&mut value);
    value
}
