//! A record in words, the same in the log's subcommands and on its screen.

use serde_json::Value;

use super::authority::TimeOut;
use super::coverage::CellState;
use super::decision::{
    Act, Approval, BreakGlass, Decision, DecisionKind, Decisions, Entry, Intent, Outcome,
    PlanRecord, RecordType, Verify,
};
use super::hold::{Ending, Gate};
use super::ids::{AlertId, IdentityId, IntentId, PlanDigest, StepId};
use super::plan::Plan;

/// Returns one sentence about a record. It may hold text from outside: show it through `domain::text::show`.
pub fn summary(entry: &Entry, decisions: &Decisions) -> String {
    let words = match entry.kind {
        RecordType::Plan => entry.body_as().ok().map(|r| plan(&r)),
        RecordType::Approval => entry.body_as().ok().map(|r| approval(&r)),
        RecordType::Intent => entry.body_as().ok().map(|r| intent(&r)),
        RecordType::BreakGlass => entry.body_as().ok().map(|r| alone(&r)),
        RecordType::Outcome => entry.body_as().ok().map(|r| outcome(&r, decisions)),
        RecordType::Verify => entry.body_as().ok().map(|r| verify(&r, decisions)),
        RecordType::Decision => entry.body_as().ok().map(|r| decision(&r)),
        RecordType::Genesis => Some(format!("begins the log {}", text(entry, "origin"))),
        RecordType::Recovered => Some(format!(
            "put {} torn bytes of {} aside",
            entry.body.get("bytes").unwrap_or(&Value::Null),
            text(entry, "segment")
        )),
        RecordType::Segment => Some(segment(entry)),
        RecordType::Anomaly if entry.body.get("acknowledged") == Some(&Value::Bool(true)) => Some(
            format!("acknowledged the damage: {}", text(entry, "reason")),
        ),
        RecordType::Prune => Some(pruned(entry)),
        RecordType::Retention => Some(deleted(entry)),
        RecordType::Anomaly if entry.body.contains_key("clock") => Some(clock_step(entry)),
        RecordType::Anomaly => anomaly(entry),
        RecordType::KeyRotate => Some(format!(
            "lets a new signing key take over: {}",
            text(entry, "reason")
        )),
        RecordType::PeerHeads => Some(peer_heads(entry)),
        RecordType::Anchor => Some(format!(
            "{} confirmed the log up to {} lines",
            text(entry, "kind"),
            number(entry, "size")
        )),
        RecordType::Export => Some(format!(
            "exported {} records as {}",
            number(entry, "records"),
            text(entry, "format")
        )),
        RecordType::Note => entry
            .body
            .get("text")
            .and_then(Value::as_str)
            .map(str::to_owned),
        _ => None,
    };
    words.unwrap_or_else(|| {
        let body = Value::Object(entry.body.clone()).to_string();
        let cut: String = body.chars().take(200).collect();
        if cut == body { cut } else { cut + "…" }
    })
}

fn alone(alone: &BreakGlass) -> String {
    format!(
        "BREAK-GLASS: acts alone by plan {} for alert {}{}",
        alone.digest.short(),
        alone.alert.as_str(),
        because(Some(&alone.reason))
    )
}

fn deleted(entry: &Entry) -> String {
    let day = |field| text(entry, field).chars().take(10).collect::<String>();
    format!(
        "deleted {} old alerts from the alert store, which came from {} to {}",
        number(entry, "alerts"),
        day("oldest"),
        day("newest")
    )
}

fn number(entry: &Entry, field: &str) -> u64 {
    entry.body.get(field).and_then(Value::as_u64).unwrap_or(0)
}

fn anomaly(entry: &Entry) -> Option<String> {
    if let Some(vouched) = entry.body.get("countersigned") {
        return Some(format!(
            "vouches for the new key of {}: {}",
            vouched["origin"].as_str().unwrap_or("?"),
            text(entry, "reason")
        ));
    }
    let peers = entry.body.get("peers")?.as_array()?;
    let all: Vec<&str> = peers.iter().filter_map(Value::as_str).collect();
    Some(format!("found other logs changed: {}", all.join("; ")))
}

fn peer_heads(entry: &Entry) -> String {
    let heads = entry.body.get("heads").and_then(Value::as_array);
    let all: Vec<String> = heads
        .into_iter()
        .flatten()
        .map(|head| {
            let origin = head["origin"].as_str().unwrap_or("?");
            format!("{origin} ({} lines)", head["size"])
        })
        .collect();
    format!("saw {}", all.join(", "))
}

/// Finds the act that a record belongs to.
pub fn act_of<'a>(entry: &Entry, decisions: &'a Decisions) -> Option<&'a Act> {
    let id = entry.body.get("intent")?.as_str()?;
    decisions.act(&IntentId::new(id))
}

/// Finds the alert that a record is about, itself or through its act or plan.
pub fn alert_of(entry: &Entry, decisions: &Decisions) -> Option<AlertId> {
    let text = |value: Option<&Value>| value.and_then(Value::as_str).map(AlertId::new);
    text(entry.body.get("alert"))
        .or_else(|| text(entry.body.get("plan").and_then(|p| p.get("alert"))))
        .or_else(|| act_of(entry, decisions).map(|act| act.intent.alert.clone()))
        .or_else(|| {
            let digest = entry.body.get("digest").and_then(Value::as_str)?;
            let (_, state) = decisions.plan(digest)?;
            Some(state.plan.alert.clone())
        })
}

/// Finds the identity that a record is about: itself, or through its act, its plan or the plans of its alert.
pub fn identity_of(entry: &Entry, decisions: &Decisions) -> Option<IdentityId> {
    let body = |key: &str| entry.body.get(key).and_then(Value::as_str);
    let planned = || {
        entry
            .body
            .get("plan")
            .and_then(|p| p.get("identity"))
            .and_then(Value::as_str)
    };
    if let Some(id) = body("identity").or_else(planned) {
        return Some(IdentityId::new(id));
    }
    if let Some(act) = act_of(entry, decisions) {
        return Some(act.intent.identity.clone());
    }
    let digest = body("digest").or_else(|| body("plan"));
    if let Some((_, state)) = digest.and_then(|digest| decisions.plan(digest)) {
        return Some(state.plan.identity.clone());
    }
    // A claim or a note names an alert alone; whose access that is, its plans say.
    let alert = body("alert").filter(|_| entry.kind == RecordType::Decision)?;
    let alert = AlertId::new(alert);
    let state = decisions.plans_for(&alert).next()?;
    Some(state.plan.identity.clone())
}

/// What a record can be asked for by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// Whose access it is about.
    Identity,
    /// Which alert it is about.
    Alert,
}

impl Field {
    /// Its name in records.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Alert => "alert",
        }
    }

    /// Tells whether an id is the one meant: itself, or its last part (`svc-deploy` for `lab:svc-deploy`).
    pub fn is(self, id: &str, wanted: &str) -> bool {
        let last = match self {
            Self::Identity => id.split_once(':').map(|(_, native)| native),
            Self::Alert => id.split_once('/').map(|(_, own)| own),
        };
        !wanted.is_empty() && (id == wanted || last == Some(wanted))
    }

    fn of_plan(self, plan: &Plan, wanted: &str) -> bool {
        match self {
            Self::Identity => {
                self.is(plan.identity.as_str(), wanted) || plan.identity_name.raw() == wanted
            }
            Self::Alert => self.is(plan.alert.as_str(), wanted),
        }
    }
}

/// Tells whether a record is about `wanted`, itself or through its act, its plan or the plans of its alert.
pub fn names(entry: &Entry, field: Field, wanted: &str, decisions: &Decisions) -> bool {
    let text = |key: &str| entry.body.get(key).and_then(Value::as_str);
    if text(field.as_str()).is_some_and(|id| field.is(id, wanted)) {
        return true;
    }
    let digest = text("digest").or_else(|| text("plan"));
    if let Some((_, state)) = digest.and_then(|d| decisions.plan(d)) {
        return field.of_plan(&state.plan, wanted);
    }
    if let Some(act) = act_of(entry, decisions) {
        let plan = decisions.plan(act.intent.digest.as_str());
        let id = match field {
            Field::Identity => act.intent.identity.as_str(),
            Field::Alert => act.intent.alert.as_str(),
        };
        return field.is(id, wanted)
            || plan.is_some_and(|(_, state)| field.of_plan(&state.plan, wanted));
    }
    // A claim or a note names an alert alone; whose access that is, its plans say.
    entry.kind == RecordType::Decision
        && text("alert").is_some_and(|alert| {
            let alert = AlertId::new(alert);
            let mut plans = decisions.plans_for(&alert);
            plans.any(|state| field.of_plan(&state.plan, wanted))
        })
}

fn segment(entry: &Entry) -> String {
    let Some(damaged) = entry.body.get("damaged") else {
        return format!("begins a new segment ({})", text(entry, "reason"));
    };
    format!(
        "goes on after damage: {} bytes from byte {} of {} are not trustworthy ({})",
        damaged["bytes"],
        damaged["offset"],
        damaged["segment"].as_str().unwrap_or("?"),
        damaged["why"].as_str().unwrap_or("?")
    )
}

fn plan(record: &PlanRecord) -> String {
    let plan = &record.plan;
    let steps = plan.steps.len();
    format!(
        "planned {} of {} in {steps} step{} ({}, alert {})",
        plan.playbook,
        plan.identity.as_str(),
        if steps == 1 { "" } else { "s" },
        record.digest.short(),
        plan.alert.as_str()
    )
}

fn approval(approval: &Approval) -> String {
    let verb = if approval.approved {
        "approved"
    } else {
        "rejected"
    };
    let by = approval
        .by
        .as_ref()
        .map_or_else(String::new, |by| format!(" for {by}"));
    format!(
        "{verb} plan {}{by}{}",
        approval.digest.short(),
        because(approval.reason.as_ref())
    )
}

/// What was known when it was written; what came of it has lines of its own.
fn intent(intent: &Intent) -> String {
    format!(
        "about to {}{} on {} (plan {} step {}, alert {})",
        if intent.undo { "take back " } else { "" },
        intent.verb,
        intent.identity.as_str(),
        intent.digest.short(),
        intent.step.as_str(),
        intent.alert.as_str()
    )
}

/// What is new comes first: lines are cut at the right.
fn outcome(outcome: &Outcome, decisions: &Decisions) -> String {
    let status = outcome
        .http_status
        .map_or_else(String::new, |s| format!(" (HTTP {s})"));
    format!(
        "{}{status}: {}{}",
        outcome.outcome,
        what(&outcome.intent, decisions),
        because(outcome.error.as_ref())
    )
}

fn verify(verify: &Verify, decisions: &Decisions) -> String {
    format!(
        "read-back {}: {}: {}",
        verify.proof,
        what(&verify.intent, decisions),
        verify.says
    )
}

fn what(intent: &IntentId, decisions: &Decisions) -> String {
    let act = decisions.act(intent);
    act.map_or_else(
        || format!("intent {}", intent.as_str()),
        |a| format!("{} on {}", a.intent.verb, a.intent.identity.as_str()),
    )
}

fn cell_of(decision: &Decision) -> String {
    decision.cell.as_ref().map_or_else(
        || "?".to_owned(),
        |cell| format!("{} of {}", cell.layer, cell.node),
    )
}

fn decision(decision: &Decision) -> String {
    let plan = decision.plan.as_ref().map_or("?", PlanDigest::short);
    let step = decision.step.as_ref().map_or("?", StepId::as_str);
    let (asked, handed, did, confirmed, given, put_off, taken, looked, by_itself);
    let (silent, reviewed, held, vouched, restored, kept);
    let verb = match decision.kind {
        DecisionKind::Ask => {
            asked = format!("asked others to agree to plan {plan} for");
            &asked
        }
        DecisionKind::Confirm => {
            confirmed = format!("confirmed plan {plan} for");
            &confirmed
        }
        DecisionKind::HandOver => {
            handed = format!("handed over step {step} of plan {plan} for");
            &handed
        }
        DecisionKind::HandOverDone => {
            let who = decision.to.as_deref().unwrap_or("?");
            did = format!("wrote down that {who} did step {step} of plan {plan} for");
            &did
        }
        DecisionKind::Assign => {
            given = format!("gave {}", decision.to.as_deref().unwrap_or("?"));
            &given
        }
        DecisionKind::Snooze => {
            let until = decision
                .until
                .map_or("?".to_owned(), |t| t.strftime("%F %H:%M:%SZ").to_string());
            put_off = format!("put off until {until}");
            &put_off
        }
        DecisionKind::TimedOut => {
            let came = decision.came_to.map_or("?", TimeOut::as_str);
            silent = format!(
                "wrote down that too few agreed to plan {plan} in time, so: {}, for",
                came.replace('_', " ")
            );
            &silent
        }
        DecisionKind::Review => {
            reviewed = format!("reviewed what somebody did alone by plan {plan} on");
            &reviewed
        }
        DecisionKind::Hold => {
            let until = decision
                .until
                .map_or("?".to_owned(), |t| t.strftime("%F %H:%M:%SZ").to_string());
            let ending = decision.ending.map_or("?", Ending::as_str);
            held = format!("holds containment until {until}, then {ending}, of");
            &held
        }
        DecisionKind::AgreeHold => "agreed to the hold on",
        DecisionKind::EndHold => "ended the hold on",
        DecisionKind::Gate => {
            let gate = decision.gate.map_or("?", Gate::says);
            let identity = decision.identity.as_ref().map_or("?", IdentityId::as_str);
            vouched = format!("vouched for {identity} ({gate}) on");
            &vouched
        }
        DecisionKind::Restore => {
            let identity = decision.identity.as_ref().map_or("?", IdentityId::as_str);
            restored = format!("trusts {identity} again, on");
            &restored
        }
        DecisionKind::Wake => "took up again",
        DecisionKind::Claim => "claimed",
        DecisionKind::Dismiss => "dismissed",
        DecisionKind::CloseContained => "closed as contained",
        DecisionKind::DoNothing => "chose to do nothing now about",
        DecisionKind::KeepOld => {
            let step = decision.step.as_ref().map_or("?", StepId::as_str);
            kept = format!("stopped step {step} of plan {plan}, which waited for its time, for");
            &kept
        }
        DecisionKind::Note => "noted on",
        DecisionKind::Reopen => "saw it used after it was contained, so opened again",
        DecisionKind::AcceptRisk => {
            taken = format!("took on the risk of {} for", cell_of(decision));
            &taken
        }
        DecisionKind::Checked => {
            let found = decision
                .found
                .map_or_else(|| "?".to_owned(), CellState::words);
            looked = format!("looked at {} ({found}) for", cell_of(decision));
            &looked
        }
        automatic => {
            by_itself = by_policy(automatic, decision);
            &by_itself
        }
    };
    format!(
        "{verb} alert {}{}",
        decision.alert.as_str(),
        because(decision.reason.as_ref())
    )
}

/// Says what a policy did by itself, and what is about an identity rather than its alert, up to the alert.
fn by_policy(kind: DecisionKind, decision: &Decision) -> String {
    let book = decision.playbook.as_deref().unwrap_or("?");
    let plan = decision.plan.as_ref().map_or("?", PlanDigest::short);
    let whom = decision.identity.as_ref().map_or("?", IdentityId::as_str);
    let campaign = decision.campaign.as_deref().unwrap_or("?");
    match kind {
        DecisionKind::AutoBegun => {
            let until = decision
                .until
                .map_or("?".to_owned(), |t| t.strftime("%H:%M:%SZ").to_string());
            format!("the policy runs plan {plan} ({book}) at {until} unless somebody stops it, for")
        }
        DecisionKind::AutoVetoed => {
            format!("stopped what the policy was about to run ({book}) for")
        }
        DecisionKind::AutoStopped => format!("the policy does not run {book} for"),
        DecisionKind::AutoRun => format!("the policy runs plan {plan} ({book}) for"),
        DecisionKind::AutoBraked => format!("the brake holds {book}, a person decides, for"),
        DecisionKind::AutoWaits => format!("{book} waits for a person, for"),
        DecisionKind::Recontain => format!("proposes to contain {whom} again, by"),
        DecisionKind::Paged => format!("told people what is overdue about {whom}, for"),
        DecisionKind::Campaign => format!("took {whom} into campaign {campaign}, on"),
        DecisionKind::CampaignUnused => {
            let found = decision
                .found
                .map_or_else(|| "?".to_owned(), CellState::words);
            format!("called {whom} unused ({found}) in campaign {campaign}, on")
        }
        DecisionKind::CampaignEnd => format!("ended campaign {campaign}, on"),
        _ => format!("in shadow, the policy would have run {book} for"),
    }
}

fn pruned(entry: &Entry) -> String {
    let list = |name: &str| entry.body.get(name).and_then(Value::as_array);
    let ranges = list("withheld").into_iter().flatten();
    let records: u64 = ranges
        .filter_map(|r| r[1].as_u64()?.checked_sub(r[0].as_u64()?)?.checked_add(1))
        .fold(0, u64::saturating_add);
    format!(
        "took out the content of {records} records and {} files of evidence: {}",
        list("blobs").map_or(0, Vec::len),
        text(entry, "reason")
    )
}

fn clock_step(entry: &Entry) -> String {
    let step = &entry.body["clock"];
    format!(
        "the wall clock stepped by {} ms while {} ms passed",
        step["step_ms"], step["passed_ms"]
    )
}

fn because(reason: Option<&String>) -> String {
    reason.map_or_else(String::new, |r| format!(": {r}"))
}

fn text<'a>(entry: &'a Entry, field: &str) -> &'a str {
    entry.body.get(field).and_then(Value::as_str).unwrap_or("?")
}
