//! Typed bodies of journal records, and the fold that turns records into what everybody decided.
//!
//! The journal frames a record (`v`, `seq`, `prev`, `type`, `ts`, `actor`); this page says what stands in it. Losing
//! every other file loses no decision.

mod alone;
mod contained;
mod fold;
#[cfg(test)]
pub(crate) mod testing;

use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::authority::{Quorum, TimeOut};
use super::coverage::{CellName, CellState, Proof, WireOutcome};
use super::hold::{Ending, Gate};
use super::ids::{AlertId, IdentityId, IntentId, PlanDigest, StepId};
use super::plan::Plan;
use super::vocabulary::{Verb, words};

pub use alone::{Alone, ByItself, OnBook};
pub use fold::{Act, Decisions, Glass, PlanState, Review};

words! {
    /// The `type` of a journal record (`LOG` §3.3).
    RecordType {
        /// First record of a log or of a new epoch.
        Genesis = "genesis",
        /// A console started or ended.
        Session = "session",
        /// A decision of an analyst: claim, dismiss, note, ….
        Decision = "decision",
        /// Somebody looked at evidence.
        View = "view",
        /// A frozen plan.
        Plan = "plan",
        /// A verdict on one plan digest.
        Approval = "approval",
        /// A request is about to leave.
        Intent = "intent",
        /// One try of several.
        Attempt = "attempt",
        /// What the request came to.
        Outcome = "outcome",
        /// What the read-back told.
        Verify = "verify",
        /// Free text.
        Note = "note",
        /// Torn bytes were put aside.
        Recovered = "recovered",
        /// Something is wrong with a log.
        Anomaly = "anomaly",
        /// Signed tree head.
        Checkpoint = "checkpoint",
        /// A new segment begins.
        Segment = "segment",
        /// The signing key changes.
        KeyRotate = "key_rotate",
        /// Heads of other logs seen.
        PeerHeads = "peer_heads",
        /// Somebody else confirmed a size.
        Anchor = "anchor",
        /// A copy left.
        Export = "export",
        /// The configuration in force.
        Config = "config",
        /// Somebody acted alone.
        BreakGlass = "break_glass",
        /// Old content was removed.
        Prune = "prune",
        /// Old alerts were deleted from the alert store.
        Retention = "retention",
    }
}

impl RecordType {
    /// Tells whether a write of this record must end in a checkpoint and reach the disk before anything goes on.
    pub const fn is_decision_class(self) -> bool {
        matches!(
            self,
            Self::Genesis
                | Self::Session
                | Self::Decision
                | Self::Plan
                | Self::Approval
                | Self::Intent
                | Self::Outcome
                | Self::Verify
                | Self::BreakGlass
                | Self::KeyRotate
                | Self::Recovered
                | Self::PeerHeads
                | Self::Export
                | Self::Prune
                | Self::Retention
        )
    }
}

words! {
    /// What an analyst decided about an alert.
    DecisionKind {
        /// Took it.
        Claim = "claim",
        /// Judged it no case.
        Dismiss = "dismiss",
        /// Judged it over, everything proven.
        CloseContained = "close_contained",
        /// Gave it to somebody, with a word on how it stands.
        Assign = "assign",
        /// Put it off until a time.
        Snooze = "snooze",
        /// Took it up before that time.
        Wake = "wake",
        /// Chose to do nothing now.
        DoNothing = "do_nothing",
        /// Asked others to agree to a plan.
        Ask = "ask",
        /// Wrote down what came of it that they did not in time.
        TimedOut = "timed_out",
        /// Looked at what somebody did alone.
        Review = "review",
        /// Delays a containment for a while.
        Hold = "hold",
        /// Agreed that somebody else delays it.
        AgreeHold = "agree_hold",
        /// Ended what was temporary.
        EndHold = "end_hold",
        /// Vouched for something that must hold before an identity is trusted again.
        Gate = "gate",
        /// Trusts an identity again.
        Restore = "restore",
        /// Proposes to contain somebody again who is trusted again, as an alert came about them while they are watched.
        Recontain = "recontain",
        /// Took an identity into a campaign.
        Campaign = "campaign",
        /// Said that nobody can use an identity of a campaign; whether that is proven, `found` says.
        CampaignUnused = "campaign_unused",
        /// Ended a campaign.
        CampaignEnd = "campaign_end",
        /// Told people, or said that nobody can be told, that something temporary is overdue.
        Paged = "paged",
        /// Confirmed that a plan is to run.
        Confirm = "confirm",
        /// Left a step to people of another team.
        HandOver = "hand_over",
        /// Wrote down that such a step was done, by whom, and what they say of it.
        HandOverDone = "hand_over_done",
        /// Stopped a step that waits for its time: what it would turn off stays on until somebody ends that.
        KeepOld = "keep_old",
        /// Wrote something down.
        Note = "note",
        /// Took a cell of the coverage on as a risk, instead of a proof.
        AcceptRisk = "accept_risk",
        /// Looked at a cell of the coverage by hand.
        Checked = "checked",
        /// It was used after it was contained, so it is open again.
        Reopen = "reopen",
        /// The policy began a countdown, at whose end it runs a plan.
        AutoBegun = "auto_begun",
        /// Somebody stopped the countdown.
        AutoVetoed = "auto_vetoed",
        /// The countdown came to nothing: a person took the alert, or something does not hold any more.
        AutoStopped = "auto_stopped",
        /// The policy runs the plan. It stands before the first step does.
        AutoRun = "auto_run",
        /// The policy would have begun a countdown, but ran too much within the last hour.
        AutoBraked = "auto_braked",
        /// The policy would have begun a countdown, but a person has to decide.
        AutoWaits = "auto_waits",
        /// What the policy would have done, in shadow.
        AutoShadow = "auto_shadow",
    }
}

impl DecisionKind {
    /// Tells whether this is about what the policy does by itself.
    pub const fn is_automatic(self) -> bool {
        matches!(
            self,
            Self::AutoBegun
                | Self::AutoVetoed
                | Self::AutoStopped
                | Self::AutoRun
                | Self::AutoBraked
                | Self::AutoWaits
                | Self::AutoShadow
        )
    }

    /// Tells whether whoever decides so has taken the alert in hand: nothing is begun by itself after that.
    pub const fn is_in_hand(self) -> bool {
        matches!(
            self,
            Self::Claim
                | Self::Dismiss
                | Self::CloseContained
                | Self::Assign
                | Self::Snooze
                | Self::DoNothing
                | Self::Confirm
        )
    }
}

/// Body of a `decision` record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// What was decided.
    pub kind: DecisionKind,
    /// About which alert.
    pub alert: AlertId,
    /// Why; required for what somebody decides instead of acting, and for plans of the hard tier.
    pub reason: Option<String>,
    /// Which plan, for a request, a confirmation or a hand-over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<PlanDigest>,
    /// Which of its steps, for a hand-over and for what came of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<StepId>,
    /// To whom it was given; who did a step that was handed over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// Until when it is put off, held or watched, or a countdown runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// About which identity, where not the alert as a whole is meant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<IdentityId>,
    /// Which playbook, for what is automatic.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub playbook: Option<String>,
    /// Who decided what is automatic: SHA-256 of policy and playbooks in force, hex.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by_policy: Option<String>,
    /// Which cell of the coverage, for an accepted risk or what somebody found by hand; whose use opened it again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cell: Option<CellName>,
    /// What somebody found by hand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub found: Option<CellState>,
    /// Which hold; for a page, which debt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold: Option<String>,
    /// Which campaign.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub campaign: Option<String>,
    /// What happens when it ends by time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ending: Option<Ending>,
    /// What is vouched for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gate: Option<Gate>,
    /// Who must agree, for a request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub needs: Option<Quorum>,
    /// What the silence came to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub came_to: Option<TimeOut>,
}

impl DecisionKind {
    /// Tells whether it says how an alert stands: whether somebody has it, or it is over. Others only add to that.
    pub const fn tells_state(self) -> bool {
        matches!(
            self,
            Self::Claim
                | Self::Dismiss
                | Self::CloseContained
                | Self::Assign
                | Self::DoNothing
                | Self::Reopen
        )
    }
}

impl Decision {
    /// A decision about an alert alone.
    pub const fn on(alert: AlertId, kind: DecisionKind, reason: Option<String>) -> Self {
        Self {
            kind,
            alert,
            reason,
            plan: None,
            step: None,
            to: None,
            until: None,
            identity: None,
            playbook: None,
            by_policy: None,
            cell: None,
            found: None,
            hold: None,
            campaign: None,
            ending: None,
            gate: None,
            needs: None,
            came_to: None,
        }
    }
}

words! {
    /// What kind of thing went wrong with a request, so that machines need not read sentences.
    ErrorClass {
        /// The console itself could not send it: a secret, a file, a request that is not the connector's.
        Console = "console",
        /// Nothing left: name resolution, refused connection, TLS failure.
        Connect = "connect",
        /// It left, and no usable answer came: time-out, reset.
        Lost = "lost",
        /// 401 or 403: the console's own credential may not do it.
        Credential = "credential",
        /// 429 or 503: later.
        Busy = "busy",
        /// 3xx, not followed.
        Redirect = "redirect",
        /// Another 4xx, or an error inside of an answer.
        Refused = "refused",
        /// 5xx.
        Provider = "provider",
        /// An answer that is not what this request answers, or cannot be read.
        Answer = "answer",
        /// It took effect, but something beside it failed: its new secret was not captured.
        Beside = "beside",
    }
}

/// Body of an `attempt` record: one try of a request that was sent more than once. Written together with the outcome.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// Of which intent.
    pub intent: IntentId,
    /// Id of the request within the step.
    pub request: String,
    /// Which try of this request, from 1.
    pub attempt: u32,
    /// When its answer was there.
    pub at: Timestamp,
    /// What happened on the wire.
    pub outcome: WireOutcome,
    /// Status of its answer.
    pub http_status: Option<u16>,
    /// `Retry-After` as the provider gave it.
    pub retry_after: Option<String>,
    /// How long the console waited before the next try, in milliseconds; `None` when it was the last.
    pub waited_ms: Option<u64>,
}

/// Body of a `plan` record.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlanRecord {
    /// SHA-256 over the canonical plan.
    pub digest: PlanDigest,
    /// The plan itself.
    pub plan: Plan,
}

/// Body of an `approval` record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    /// On which plan.
    pub digest: PlanDigest,
    /// Yes or no.
    pub approved: bool,
    /// Who said it, where that is not the writer of the record (the drill's simulated analyst).
    pub by: Option<String>,
    /// Why.
    pub reason: Option<String>,
    /// The verdict as somebody signed it on another host, taken into this log as evidence: then it is theirs, not the
    /// writer's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub block: Option<String>,
}

/// Body of a `break_glass` record: somebody acts alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BreakGlass {
    /// By which plan.
    pub digest: PlanDigest,
    /// For which alert.
    pub alert: AlertId,
    /// Why nobody else could be asked.
    pub reason: String,
}

/// A verdict as the logs hold it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Who says to have given it.
    pub by: String,
    /// In which log it stands (`site/host/user`).
    pub log: String,
    /// The key that signs it.
    pub signer: Option<Arc<str>>,
    /// When it was recorded.
    pub at: Timestamp,
    /// What it says.
    pub approval: Approval,
}

/// Body of an `intent` record, durable before the request leaves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Intent {
    /// UUIDv7; also the `Idempotency-Key`.
    pub intent: IntentId,
    /// Of which plan.
    pub digest: PlanDigest,
    /// Which step.
    pub step: StepId,
    /// What it does.
    pub verb: Verb,
    /// Through which connector; `None` for records of older versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// To whom.
    pub identity: IdentityId,
    /// Where that identity lives, as the inventory says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
    /// For which alert.
    pub alert: AlertId,
    /// Where the plan's record stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<Place>,
    /// Whether this takes the step back.
    pub undo: bool,
    /// The incident that the alert belongs to, as its source says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub incident: Option<String>,
    /// The acting process, so that another console can tell a running act from an orphan.
    pub process: Process,
}

/// Where a record stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// Which log (`site/host/user`).
    pub log: String,
    /// Its place in that log.
    pub seq: u64,
}

/// A process, told apart from a later one with the same number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    /// Process id.
    pub pid: u32,
    /// Its start time in clock ticks since boot (`/proc/PID/stat` field 22).
    pub start: u64,
    /// `/proc/sys/kernel/random/boot_id`.
    pub boot: String,
}

/// Body of an `outcome` record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// Of which intent.
    pub intent: IntentId,
    /// What happened on the wire.
    pub outcome: WireOutcome,
    /// Status of the last answer.
    pub http_status: Option<u16>,
    /// The provider's id of the request, from its answer's headers.
    pub provider_request_id: Option<String>,
    /// How many times it was sent.
    pub attempts: u32,
    /// In words, what went wrong.
    pub error: Option<String>,
    /// The same as a word for machines.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_class: Option<ErrorClass>,
    /// `Retry-After` of the last answer, as the provider gave it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<String>,
    /// Bytes of request bodies that left or may have left, over all tries; heads are not counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes_sent: Option<u64>,
    /// SHA-256 of the answer's headers, hex: each as `name: value` and a line feed, sorted by bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub headers_sha256: Option<String>,
    /// SHA-256 of the answer's body, hex.
    pub body_sha256: Option<String>,
    /// Evidence stored beside the log.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub evidence: Vec<Evidence>,
}

/// A file beside the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// What it is.
    pub name: String,
    /// SHA-256 of its bytes, hex; also its name under `blobs/`.
    pub sha256: String,
    /// Its size in bytes.
    pub size: u64,
    /// Where it came from.
    pub source: String,
    /// Its media type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media: Option<String>,
    /// When it was fetched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fetched_at: Option<Timestamp>,
}

/// Body of a `verify` record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verify {
    /// Of which intent.
    pub intent: IntentId,
    /// What the read-back told.
    pub proof: Proof,
    /// In words.
    pub says: String,
    /// How many times it asked.
    pub tries: u32,
    /// SHA-256 of the last answers, hex.
    pub evidence_sha256: Option<String>,
}

/// One journal record as the fold needs it.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Which log it is from (`site/host/user`).
    pub log: String,
    /// Its place in that log.
    pub seq: u64,
    /// What it is.
    pub kind: RecordType,
    /// When it was written.
    pub ts: Timestamp,
    /// Who wrote it.
    pub actor: String,
    /// The key that signs it, as `origin+id+base64`: known for plans, decisions and verdicts that were read in order.
    /// Two logs of one name can differ in nothing else.
    pub signer: Option<Arc<str>>,
    /// Everything else.
    pub body: Map<String, Value>,
}

impl Entry {
    /// Reads the body as one of the types above.
    pub fn body_as<T: serde::de::DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        T::deserialize(&self.body)
    }
}
