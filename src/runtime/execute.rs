//! Runs a plan: for every step the intent is on the disk before a request leaves, and the outcome before anything goes
//! on (`LOG` §3.6). Nothing is sent that the journal does not hold under the digest.

use std::sync::atomic::{AtomicBool, Ordering};

use jiff::Timestamp;

mod later;
mod may;
mod revives;

pub use self::later::later;
use self::may::{Allowed, Found, allowed, alone, begin};
use self::revives::revives;
use super::approval::{self, Patience};
use super::journal::{NotRecorded, Report};
use super::services::Services;
use crate::app::model::Phase;
use crate::app::msg::Msg;
use crate::connect::Connector;
use crate::connect::http::Way;
use crate::domain::authority::Act;
use crate::domain::coverage::{CellState, Proof, WireOutcome, cell};
use crate::domain::decision::{
    Attempt, Decision, DecisionKind, Decisions, ErrorClass, Evidence, Intent, Outcome, Place,
    RecordType, Verify,
};
use crate::domain::identity::Identity;
use crate::domain::ids::{IntentId, PlanDigest, StepId};
use crate::domain::overlap;
use crate::domain::plan::{Plan, PlanStep, RenderedRequest, RenderedVerify, Undo};
use crate::domain::vocabulary::{IdentityKind, Tier, Verb};

/// Why a run ends before it sent anything.
const GAVE_WAY: &str = "another console began to run this plan at the same moment";

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// In words.
    pub text: String,
    /// Whether anything was sent; a refusal sends nothing.
    pub ran: bool,
    /// Every step with what is known about it.
    pub cells: Vec<(StepId, CellState)>,
}

impl Ended {
    /// One that sent nothing.
    pub fn refused(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            ran: false,
            cells: Vec::new(),
        }
    }

    /// Tells whether every step that this console carries out is proven.
    pub fn all_proven(&self) -> bool {
        self.ran
            && self
                .cells
                .iter()
                .all(|(_, c)| matches!(c, CellState::Proven | CellState::HandedOff))
    }

    /// Tells whether any step failed.
    pub fn any_failed(&self) -> bool {
        self.cells.iter().any(|(_, c)| *c == CellState::Failed)
    }
}

/// What a run needs.
pub struct Run<'a> {
    services: &'a Services,
    digest: &'a PlanDigest,
    report: &'a Report,
    stop: &'a AtomicBool,
    place: &'a Place,
}

/// Runs the plan that the journal holds under `digest`.
pub async fn run(
    services: &Services,
    digest: &PlanDigest,
    reason: Option<&str>,
    (patience, stop): (Patience, &AtomicBool),
    report: &Report,
) -> Ended {
    let found = match begin(services, digest).await {
        Ok(found) => found,
        Err(reason) => return Ended::refused(reason),
    };
    let reason = reason.map(str::trim).filter(|r| !r.is_empty());
    if found.state.plan.tier == Tier::Hard && reason.is_none() {
        return Ended::refused("a plan of the hard tier needs a reason; nothing was sent");
    }
    let _hands = match allowed(services, &found, reason, (patience, stop), report).await {
        Ok(Allowed::Run(hands)) => hands,
        Ok(Allowed::Instead(instead)) => {
            let waiting = (Patience::Leave, stop);
            return Box::pin(run(services, &instead, reason, waiting, report)).await;
        }
        Err(reason) => return Ended::refused(reason),
    };
    let Found { digest, state, .. } = found;
    // Who confirmed it stands in the log by itself, before the first step does.
    let confirmed = Decision {
        plan: Some(digest.clone()),
        ..Decision::on(
            state.plan.alert.clone(),
            DecisionKind::Confirm,
            reason.map(str::to_owned),
        )
    };
    if let Err(error) = services
        .journal
        .record(RecordType::Decision, &confirmed)
        .await
    {
        return Ended::refused(format!("the confirmation could not be recorded: {error}"));
    }
    report(Msg::Started {
        digest: digest.clone(),
    });
    let run = Run {
        services,
        digest: &digest,
        report,
        stop,
        place: &state.place,
    };
    run.steps(&state.plan).await
}

impl Run<'_> {
    async fn steps(&self, plan: &Plan) -> Ended {
        let mut cells = Vec::new();
        let mut begun = false;
        for step in &plan.steps {
            if self.stop.load(Ordering::SeqCst) {
                let text = format!("stopped before step {}; later steps were not sent", step.id);
                return ended(plan, text, cells);
            }
            // It waits for what this run does, and is carried out by itself when its time has come.
            if let Some(after) = step.after_s.filter(|_| !step.is_handed_over()) {
                let says = format!(
                    "in {}, by itself; `stanch debts` lists it",
                    overlap::span(after)
                );
                self.phase(&step.id, Phase::Ended(CellState::Open, says));
                cells.push((step.id.clone(), CellState::Open));
                continue;
            }
            match self.step(plan, step, &mut begun).await {
                Ok(None) => {
                    let text = format!("{GAVE_WAY}; nothing was sent from here");
                    return Ended::refused(text);
                }
                Ok(Some(state)) => {
                    cells.push((step.id.clone(), state));
                    // Without evidence nothing is destroyed.
                    if step.verb == Verb::PreserveEvidence && state != CellState::Proven {
                        let text = "stopped: evidence could not be kept, so nothing was changed"
                            .to_owned();
                        return ended(plan, text, cells);
                    }
                }
                Err(error) => {
                    cells.push((step.id.clone(), CellState::Unknown));
                    let text = format!("stopped at step {}: {error}", step.id);
                    return ended(plan, text, cells);
                }
            }
        }
        let text = summary(&cells);
        ended(plan, text, cells)
    }

    fn phase(&self, step: &StepId, phase: Phase) {
        (self.report)(Msg::Step {
            digest: self.digest.clone(),
            step: step.clone(),
            phase,
        });
    }

    /// Carries out one step; `None` when another console has begun this plan. An error means that the journal could not
    /// be written.
    async fn step(
        &self,
        plan: &Plan,
        step: &PlanStep,
        begun: &mut bool,
    ) -> Result<Option<CellState>, NotRecorded> {
        if step.is_handed_over() {
            let says = format!("{} does this by hand", step.team);
            let handed = Decision {
                plan: Some(self.digest.clone()),
                step: Some(step.id.clone()),
                ..Decision::on(
                    plan.alert.clone(),
                    DecisionKind::HandOver,
                    Some(format!("{}: {says}", step.title)),
                )
            };
            self.services
                .journal
                .record(RecordType::Decision, &handed)
                .await?;
            self.phase(&step.id, Phase::Ended(CellState::HandedOff, says));
            return Ok(Some(CellState::HandedOff));
        }
        let intent = if *begun {
            self.intent(plan, step, false).await?
        } else {
            // Between the look whether it ran already and this record, another console may have begun the same plan.
            let (intent, goes_on) = self.first_intent(plan, step, Decisions::may_go_on).await?;
            if !goes_on {
                self.not_sent(step, &intent, GAVE_WAY.to_owned()).await?;
                return Ok(None);
            }
            intent
        };
        *begun = true;
        let state = if step.verb == Verb::PreserveEvidence {
            self.keep_evidence(plan, step, &intent).await?
        } else {
            match self.services.connectors.get(&step.connector) {
                Some(connector) => {
                    self.act(
                        connector,
                        step,
                        &step.requests,
                        step.verify.as_ref(),
                        &intent,
                    )
                    .await?
                }
                None => {
                    self.not_sent(
                        step,
                        &intent,
                        format!("connector `{}` is not configured", step.connector),
                    )
                    .await?
                }
            }
        };
        Ok(Some(state))
    }

    async fn intent(
        &self,
        plan: &Plan,
        step: &PlanStep,
        undo: bool,
    ) -> Result<IntentId, NotRecorded> {
        let intent = self.intended(plan, step, undo);
        let journal = &self.services.journal;
        journal.record(RecordType::Intent, &intent).await?;
        Ok(intent.intent)
    }

    /// Writes an intent down, and tells whether it goes on: another console may have written one before it.
    async fn first_intent(
        &self,
        plan: &Plan,
        step: &PlanStep,
        goes_on: fn(&Decisions, &IntentId) -> bool,
    ) -> Result<(IntentId, bool), NotRecorded> {
        let intent = self.intended(plan, step, false);
        let own = intent.intent.clone();
        let look = move |decisions: &Decisions| goes_on(decisions, &own);
        let journal = &self.services.journal;
        let goes_on = journal
            .record_and_look(RecordType::Intent, &intent, look)
            .await?;
        Ok((intent.intent, goes_on))
    }

    fn intended(&self, plan: &Plan, step: &PlanStep, undo: bool) -> Intent {
        Intent {
            intent: IntentId::new(uuid::Uuid::now_v7().to_string()),
            digest: self.digest.clone(),
            step: step.id.clone(),
            verb: step.verb,
            provider: Some(step.connector.clone()),
            identity: plan.identity.clone(),
            environment: plan.environment.as_ref().map(|e| e.raw().to_owned()),
            alert: plan.alert.clone(),
            plan: Some(self.place.clone()),
            undo,
            incident: plan.incident.as_ref().map(|i| i.raw().to_owned()),
            process: crate::journal::process(),
        }
    }

    async fn keep_evidence(
        &self,
        plan: &Plan,
        step: &PlanStep,
        intent: &IntentId,
    ) -> Result<CellState, NotRecorded> {
        self.phase(&step.id, Phase::Sending);
        let identity = self.identity(plan, step);
        let connector = match self.services.connector_of(&identity) {
            Ok(connector) => connector,
            Err(reason) => return self.not_sent(step, intent, reason).await,
        };
        let read = connector.read_context(&identity).await;
        let fetched = Timestamp::now();
        if read.evidence.is_empty() {
            let reasons: Vec<String> = read
                .context
                .unknown
                .iter()
                .map(|(p, r)| format!("{p}: {}", r.show()))
                .collect();
            return self.not_sent(step, intent, reasons.join("; ")).await;
        }
        let mut evidence = Vec::new();
        for (name, bytes, source) in read.evidence {
            let kept = self.services.journal.blob(&name, &source, bytes).await?;
            evidence.push(Evidence {
                // Connectors keep answers as JSON, stripped of secrets.
                media: Some("application/json".to_owned()),
                fetched_at: Some(fetched),
                ..kept
            });
        }
        let missing = read.context.unknown.len();
        let says = match missing {
            0 => format!("{} documents stored beside the log", evidence.len()),
            n => format!(
                "{} documents stored beside the log, {n} could not be read",
                evidence.len()
            ),
        };
        let outcome = Outcome {
            evidence,
            ..blank(intent, WireOutcome::Accepted)
        };
        let kept = Verify {
            intent: intent.clone(),
            proof: Proof::Agrees,
            says: says.clone(),
            tries: 1,
            evidence_sha256: None,
        };
        // That the files are on the disk is the outcome and its proof at once.
        self.services.journal.kept(&outcome, &kept).await?;
        let state = cell(WireOutcome::Accepted, Some(Proof::Agrees));
        self.phase(&step.id, Phase::Ended(state, says));
        Ok(state)
    }

    /// Returns the card that a plan was made from; one that no inventory lists is put together from the plan itself.
    fn identity(&self, plan: &Plan, step: &PlanStep) -> Identity {
        let listed = self.services.inventory.identity(&plan.identity).cloned();
        listed.unwrap_or_else(|| Identity {
            connector: Some(step.connector.clone()).filter(|name| !name.is_empty()),
            params: plan.params.clone(),
            ..Identity::not_in_inventory(
                plan.identity.clone(),
                plan.identity_name.clone(),
                IdentityKind::Unknown,
            )
        })
    }

    async fn act(
        &self,
        connector: &Connector,
        step: &PlanStep,
        requests: &[RenderedRequest],
        verify: Option<&RenderedVerify>,
        intent: &IntentId,
    ) -> Result<CellState, NotRecorded> {
        self.phase(&step.id, Phase::Sending);
        let (outcome, tries) = send(connector, step, requests, intent).await;
        self.services.journal.outcome(&tries, &outcome).await?;
        let refused = matches!(
            outcome.outcome,
            WireOutcome::NotSent | WireOutcome::Rejected | WireOutcome::BlockedRedirect
        );
        let (Some(verify), false) = (verify, refused) else {
            let state = cell(outcome.outcome, None);
            let status = outcome
                .http_status
                .map_or_else(String::new, |s| format!(" ({s})"));
            let error = outcome
                .error
                .as_ref()
                .map_or_else(String::new, |e| format!(": {e}"));
            self.phase(
                &step.id,
                Phase::Ended(state, format!("{}{status}{error}", outcome.outcome)),
            );
            return Ok(state);
        };
        self.phase(&step.id, Phase::Verifying);
        let told = connector.verify(verify).await;
        let proof = Verify {
            intent: intent.clone(),
            proof: told.proof,
            says: told.says,
            tries: told.tries,
            evidence_sha256: told.evidence_sha256,
        };
        self.services
            .journal
            .record(RecordType::Verify, &proof)
            .await?;
        let state = cell(outcome.outcome, Some(proof.proof));
        self.phase(&step.id, Phase::Ended(state, proof.says));
        Ok(state)
    }

    async fn not_sent(
        &self,
        step: &PlanStep,
        intent: &IntentId,
        error: String,
    ) -> Result<CellState, NotRecorded> {
        let outcome = Outcome {
            error: Some(error.clone()),
            error_class: Some(ErrorClass::Console),
            attempts: 0,
            ..blank(intent, WireOutcome::NotSent)
        };
        self.services
            .journal
            .record(RecordType::Outcome, &outcome)
            .await?;
        self.phase(
            &step.id,
            Phase::Ended(CellState::Failed, format!("not sent: {error}")),
        );
        Ok(CellState::Failed)
    }
}

/// Sends a step's requests. A step without any is already so, and only its read-back counts.
async fn send(
    connector: &Connector,
    step: &PlanStep,
    requests: &[RenderedRequest],
    intent: &IntentId,
) -> (Outcome, Vec<Attempt>) {
    if requests.is_empty() {
        let outcome = Outcome {
            attempts: 0,
            ..blank(intent, WireOutcome::NoChange)
        };
        return (outcome, Vec::new());
    }
    // What must not be sent twice has a connection of its own: a failure to connect is then known to have sent nothing, and
    // no connection can end under it that was used before.
    let way = match step.idempotent && requests == step.requests {
        true => Way::Shared,
        false => Way::Own,
    };
    let mut result = connector.run_by(way, requests, intent.as_str()).await;
    for tried in &mut result.tries {
        tried.intent = intent.clone();
    }
    let outcome = Outcome {
        intent: intent.clone(),
        outcome: result.outcome,
        http_status: result.http_status,
        provider_request_id: result.provider_request_id,
        attempts: result.attempts,
        error: result.error,
        error_class: result.error_class,
        retry_after: result.retry_after,
        bytes_sent: Some(result.bytes_sent),
        headers_sha256: result.headers_sha256,
        body_sha256: result.body_sha256,
        evidence: Vec::new(),
    };
    (outcome, result.tries)
}

/// Every step with what is known about it; those that were not reached are open.
fn ended(plan: &Plan, text: String, mut cells: Vec<(StepId, CellState)>) -> Ended {
    for step in plan.steps.iter().skip(cells.len()) {
        cells.push((step.id.clone(), CellState::Open));
    }
    Ended {
        text,
        ran: true,
        cells,
    }
}

fn blank(intent: &IntentId, outcome: WireOutcome) -> Outcome {
    Outcome {
        intent: intent.clone(),
        outcome,
        http_status: None,
        provider_request_id: None,
        attempts: 1,
        error: None,
        error_class: None,
        retry_after: None,
        bytes_sent: None,
        headers_sha256: None,
        body_sha256: None,
        evidence: Vec::new(),
    }
}

fn summary(cells: &[(StepId, CellState)]) -> String {
    let count = |state| cells.iter().filter(|(_, c)| *c == state).count();
    let mut parts = Vec::new();
    for state in CellState::ALL {
        let n = count(*state);
        if n > 0 {
            parts.push(format!("{n} {}", state.as_str().replace('_', " ")));
        }
    }
    format!("ended: {}", parts.join(", "))
}

/// Takes one proven step of a plan back, as an act of its own with intent, outcome and read-back.
pub async fn undo(
    services: &Services,
    digest: &PlanDigest,
    step: &StepId,
    report: &Report,
) -> Ended {
    let Found { digest, state, .. } = match begin(services, digest).await {
        Ok(found) => found,
        Err(reason) => return Ended::refused(reason),
    };
    if let Err(reason) = approval::may(services, Act::Trigger, &state).await {
        return Ended::refused(reason);
    }
    let Some(step) = state.plan.step(step) else {
        return Ended::refused(format!("the plan has no step {step}"));
    };
    let (requests, verify) = match &step.undo {
        Undo::Requests { requests, verify } => (requests, verify),
        Undo::Irreversible { reason } => {
            return Ended::refused(format!("step {} is irreversible: {reason}", step.id));
        }
        Undo::NothingToUndo => return Ended::refused(format!("step {} changed nothing", step.id)),
    };
    let Some(connector) = services.connectors.get(&step.connector) else {
        return Ended::refused(format!("connector `{}` is not configured", step.connector));
    };
    let _hands = match alone(services, &digest, &state.plan, report) {
        Ok(hands) => hands,
        Err(reason) => return Ended::refused(reason),
    };
    let decisions = match services.journal.decisions().await {
        Ok(decisions) => decisions,
        Err(error) => return Ended::refused(error.to_string()),
    };
    if decisions.act_of(&digest, &step.id).is_none() {
        return Ended::refused(format!(
            "step {} was never sent, so there is nothing to take back",
            step.id
        ));
    }
    if let Some(why) = revives(services, &decisions, &state.plan.identity, step.verb).await {
        return Ended::refused(format!("step {} is not taken back: {why}", step.id));
    }
    let run = Run {
        services,
        digest: &digest,
        report,
        stop: &AtomicBool::new(false),
        place: &state.place,
    };
    let done = async {
        let intent = run.intent(&state.plan, step, true).await?;
        run.act(connector, step, requests, verify.as_ref(), &intent)
            .await
    };
    match done.await {
        Ok(cell) => Ended {
            text: format!("undo of step {}: {cell}", step.id),
            ran: true,
            cells: vec![(step.id.clone(), cell)],
        },
        Err(error) => Ended {
            text: format!("undo of step {} stopped: {error}", step.id),
            ran: true,
            cells: vec![(step.id.clone(), CellState::Unknown)],
        },
    }
}
