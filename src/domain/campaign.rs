//! A campaign: one breach, many identities. It says who is to be contained and keeps the ledger of how far that has come;
//! it acts on nobody. Each identity has plans of its own, each agreed to and run by its own digest.
//!
//! Everything follows from the log: who belongs to it is a record each, how they stand follows from the acts on them, so
//! whoever reads the log goes on with it.

pub mod select;

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::authority::{Authority, Standing};
use super::coverage::CellState;
use super::decision::{Act, Decision, DecisionKind, Decisions, Entry, PlanState};
use super::hold::Said;
use super::identity::{Credential, LiveContext};
use super::ids::{AlertId, IdentityId, PlanDigest};
use super::vocabulary::words;

/// Most identities of one campaign.
pub const MOST: usize = 1_000;

words! {
    /// How an identity of a campaign stands.
    Stand {
        /// Something failed.
        Failed = "failed",
        /// Nobody knows what came of it.
        Unknown = "unknown",
        /// No plan is there.
        Unplanned = "unplanned",
        /// Somebody says that nobody can use it, and nothing proves that.
        UnprovenUnused = "unproven_unused",
        /// A plan can be run.
        Planned = "planned",
        /// Others must agree to its plan.
        Waiting = "waiting",
        /// Somebody refused its plan, or it expired.
        Refused = "refused",
        /// Its plan runs, or waits for its proof.
        Requested = "requested",
        /// What was done was taken back, and nobody trusts it again.
        TakenBack = "taken_back",
        /// All that its plan does is proven, and the plan itself leaves something open.
        Partly = "partly",
        /// All is proven, and nothing that its plan knows of is open.
        Contained = "contained",
        /// It was contained, and every gate of the way back is passed.
        Restored = "restored",
        /// Its provider showed that nobody can use it.
        Unused = "unused",
    }
}

impl Stand {
    /// Tells whether whoever holds it may still get in. Only proofs end that: what somebody says does not.
    pub const fn is_live(self) -> bool {
        !matches!(self, Self::Contained | Self::Restored | Self::Unused)
    }
}

/// An identity of a campaign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The alert that its plans answer.
    pub alert: AlertId,
    /// When it was taken in.
    pub since: Timestamp,
    /// Who says that nobody can use it, and whether its provider showed that.
    pub unused: Option<(Said, bool)>,
}

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Campaign {
    /// Its name: `c-` and hex digits.
    pub id: String,
    /// What it is about, and why, in the words of whoever began it.
    pub by: Said,
    /// How it was asked who belongs to it; `None` where they were named or marked.
    pub filter: Option<String>,
    /// By which playbook they are to be contained.
    pub playbook: Option<String>,
    /// Who belongs to it.
    pub targets: BTreeMap<IdentityId, Target>,
    /// Who ended it, and why.
    pub ended: Option<Said>,
}

/// All of them: part of the fold over the logs.
#[derive(Clone, Debug, Default)]
pub struct Campaigns {
    all: BTreeMap<String, Campaign>,
    /// Came before the records that they are about: logs have no order among each other.
    early: BTreeMap<String, Vec<(Entry, Decision)>>,
}

impl Campaigns {
    /// Takes in one decision.
    pub fn take(&mut self, entry: &Entry, decision: &Decision) {
        let Some(id) = decision.campaign.clone() else {
            return;
        };
        match decision.kind {
            DecisionKind::Campaign => self.join(&id, entry, decision),
            DecisionKind::CampaignUnused | DecisionKind::CampaignEnd => {
                let Some(campaign) = self.all.get_mut(&id) else {
                    return self.keep(id, entry, decision);
                };
                let said = Said::of(entry, decision);
                if decision.kind == DecisionKind::CampaignEnd {
                    // The first end counts.
                    campaign.ended.get_or_insert(said);
                    return;
                }
                let target = decision.identity.as_ref();
                let Some(target) = target.and_then(|id| campaign.targets.get_mut(id)) else {
                    return self.keep(id, entry, decision);
                };
                let proven = decision.found == Some(CellState::Proven);
                let last = target.unused.as_ref();
                if last.is_none_or(|(before, _)| before.at <= said.at) {
                    target.unused = Some((said, proven));
                }
            }
            _ => {}
        }
    }

    fn keep(&mut self, id: String, entry: &Entry, decision: &Decision) {
        let early = self.early.entry(id).or_default();
        early.push((entry.clone(), decision.clone()));
    }

    fn join(&mut self, id: &str, entry: &Entry, decision: &Decision) {
        let Some(identity) = decision.identity.clone() else {
            return;
        };
        let campaign = self.all.entry(id.to_owned()).or_insert_with(|| Campaign {
            id: id.to_owned(),
            by: Said::of(entry, decision),
            filter: decision.to.clone(),
            playbook: decision.playbook.clone(),
            targets: BTreeMap::new(),
            ended: None,
        });
        if campaign.targets.len() < MOST {
            let target = || Target {
                alert: decision.alert.clone(),
                since: entry.ts,
                unused: None,
            };
            campaign.targets.entry(identity).or_insert_with(target);
        }
        for (entry, decision) in self.early.remove(id).unwrap_or_default() {
            self.take(&entry, &decision);
        }
    }

    /// Returns all campaigns, the latest first.
    pub fn all(&self) -> Vec<&Campaign> {
        let mut all: Vec<&Campaign> = self.all.values().collect();
        all.sort_by(|a, b| (b.by.at, &b.id).cmp(&(a.by.at, &a.id)));
        all
    }

    /// Finds one by its name or an unambiguous beginning of it.
    pub fn find(&self, id: &str) -> Option<&Campaign> {
        let mut found = self.all.values().filter(|c| c.id.starts_with(id));
        let first = found.next()?;
        (first.id == id || found.next().is_none()).then_some(first)
    }
}

/// One line of the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Whom.
    pub identity: IdentityId,
    /// The alert that its plans answer.
    pub alert: AlertId,
    /// How it stands.
    pub stand: Stand,
    /// Its last plan since the campaign began.
    pub plan: Option<PlanDigest>,
    /// Why it stands so, in words.
    pub says: String,
}

/// The ledger of a campaign, as of a time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ledger {
    /// Those who are live first, and of them those that need somebody first.
    pub rows: Vec<Row>,
}

impl Ledger {
    /// Returns how many may still be used.
    pub fn live(&self) -> usize {
        self.rows.iter().filter(|row| row.stand.is_live()).count()
    }

    /// Returns how many stand so.
    pub fn count(&self, stand: Stand) -> usize {
        self.rows.iter().filter(|row| row.stand == stand).count()
    }

    /// Says how far it has come, in a line.
    pub fn says(&self) -> String {
        let counts = Stand::ALL.iter().filter_map(|stand| {
            let n = self.count(*stand);
            (n > 0).then(|| format!("{n} {}", stand.as_str().replace('_', " ")))
        });
        let counts: Vec<String> = counts.collect();
        format!(
            "{} LIVE of {}: {}",
            self.live(),
            self.rows.len(),
            counts.join(", ")
        )
    }
}

/// Keeps the ledger.
pub fn ledger(
    decisions: &Decisions,
    authority: Option<&Authority>,
    campaign: &Campaign,
    now: Timestamp,
) -> Ledger {
    let plans = last_plans(decisions, campaign);
    let row = |(identity, target): (&IdentityId, &Target)| {
        let plan = plans.get(identity).copied();
        let plan = plan.filter(|(_, state)| state.at >= target.since);
        let (stand, says) = match stand(decisions, identity, target, now) {
            Some(found) => found,
            None => unrun(authority, plan.map(|(_, state)| state), target, now),
        };
        Row {
            identity: identity.clone(),
            alert: target.alert.clone(),
            stand,
            plan: plan.map(|(digest, _)| digest.clone()),
            says,
        }
    };
    let mut rows: Vec<Row> = campaign.targets.iter().map(row).collect();
    rows.sort_by(|a, b| (a.stand, &a.identity).cmp(&(b.stand, &b.identity)));
    Ledger { rows }
}

/// Most times that a burn-down looks at: more than a terminal has columns for it.
const LOOKS: usize = 240;

/// Returns how many were live over time: at the beginning, at changes (a share of them where there are many), and now.
pub fn burn_down(
    decisions: &Decisions,
    campaign: &Campaign,
    now: Timestamp,
) -> Vec<(Timestamp, u32)> {
    let mut times: Vec<Timestamp> = Vec::new();
    for (identity, target) in &campaign.targets {
        times.push(target.since);
        times.extend(target.unused.iter().map(|(said, _)| said.at));
        let acts = decisions.acts_on(identity).map(|act| act.last);
        times.extend(acts.filter(|at| *at >= target.since));
        let way = decisions.holds.way_back(identity);
        let restored = way.and_then(|way| way.restored.as_ref());
        times.extend(restored.map(|(said, _)| said.at));
    }
    times.push(now);
    times.retain(|at| *at <= now);
    times.sort();
    times.dedup();
    // Each look goes through all identities, so a long history is looked at here and there; the ends always are.
    let step = times.len().div_ceil(LOOKS).max(1);
    let last = times.len().saturating_sub(1);
    let times = times.into_iter().enumerate();
    let times = times.filter(|(n, _)| n % step == 0 || *n == last);
    let times: Vec<Timestamp> = times.map(|(_, at)| at).collect();
    let live_at = |at: Timestamp| {
        let joined = campaign.targets.iter().filter(|(_, t)| t.since <= at);
        let live = joined.filter(|(identity, target)| {
            stand(decisions, identity, target, at).is_none_or(|(stand, _)| stand.is_live())
        });
        u32::try_from(live.count()).unwrap_or(u32::MAX)
    };
    let mut series: Vec<(Timestamp, u32)> = Vec::new();
    for at in times {
        let live = live_at(at);
        let is_last = at == now;
        if is_last || series.last().is_none_or(|(_, before)| *before != live) {
            series.push((at, live));
        }
    }
    series
}

/// Returns the last plan about each identity of a campaign that contains anything.
fn last_plans<'d>(
    decisions: &'d Decisions,
    campaign: &Campaign,
) -> BTreeMap<&'d IdentityId, (&'d PlanDigest, &'d PlanState)> {
    let mut last: BTreeMap<&IdentityId, (&PlanDigest, &PlanState)> = BTreeMap::new();
    for (digest, state) in decisions.plans() {
        let mut steps = state.plan.steps.iter();
        let about = &state.plan.identity;
        if !campaign.targets.contains_key(about) || !steps.any(|step| step.verb.contains()) {
            continue;
        }
        let kept = last.entry(about).or_insert((digest, state));
        if (state.at, digest) > (kept.1.at, kept.0) {
            *kept = (digest, state);
        }
    }
    last
}

/// Says how an identity stands by what was done about it, as of a time; `None` while nothing was.
fn stand(
    decisions: &Decisions,
    identity: &IdentityId,
    target: &Target,
    at: Timestamp,
) -> Option<(Stand, String)> {
    let way = decisions.holds.way_back(identity);
    let restored = way.and_then(|way| way.restored.as_ref());
    if let Some((said, _)) = restored.filter(|(said, _)| said.at >= target.since && said.at <= at) {
        let acts = decisions.acts_on(identity).filter(|act| act.at <= at);
        let mut since = acts.filter(|act| !act.intent.undo && act.at > said.at);
        if since.next().is_none() {
            return Some((Stand::Restored, format!("trusted again: {}", said.reason)));
        }
    }
    let acts = decisions.acts_on(identity);
    let acts: Vec<&Act> = acts
        .filter(|act| act.at >= target.since && act.at <= at && act.intent.verb.contains())
        .collect();
    let by_plan = acts.last().map(|act| done(decisions, act, &acts, at));
    let unused = target.unused.as_ref().filter(|(said, _)| said.at <= at);
    match (by_plan, unused) {
        (Some((stand, says)), _) if !stand.is_live() => Some((stand, says)),
        // A proof counts until something is done about it that does not come out well.
        (None, Some((said, true))) => Some((Stand::Unused, said.reason.clone())),
        (None, Some((said, false))) => Some((
            Stand::UnprovenUnused,
            format!("{} says so, nothing proves it: {}", said.actor, said.reason),
        )),
        (by_plan, _) => by_plan,
    }
}

/// Says how the plan stands that was run last.
fn done(decisions: &Decisions, last: &Act, acts: &[&Act], at: Timestamp) -> (Stand, String) {
    let digest = &last.intent.digest;
    let of_plan = || acts.iter().filter(|act| act.intent.digest == *digest);
    let known = |act: &Act| {
        if act.last <= at {
            act.cell()
        } else {
            CellState::Requested
        }
    };
    let Some((_, state)) = decisions.plan(digest.as_str()) else {
        let says = format!("its plan {} is in no log", digest.short());
        return (Stand::Unknown, says);
    };
    let undone = of_plan().any(|act| act.intent.undo && known(act) == CellState::Proven);
    if undone {
        return (Stand::TakenBack, "what was done was taken back".to_owned());
    }
    let steps = state.plan.steps.iter();
    let steps = steps.filter(|step| step.verb.contains() && !step.is_handed_over());
    let mut worst: Option<(Stand, String)> = None;
    for step in steps {
        let act = of_plan().rfind(|act| act.intent.step == step.id && !act.intent.undo);
        let stand = match act.map(|act| known(act)) {
            Some(CellState::Proven) => continue,
            Some(CellState::Failed) => Stand::Failed,
            Some(CellState::Unknown) => Stand::Unknown,
            Some(CellState::NotContainable) => Stand::Partly,
            Some(_) => Stand::Requested,
            None => Stand::Partly,
        };
        if worst.as_ref().is_none_or(|(known, _)| stand < *known) {
            worst = Some((stand, step.title.clone()));
        }
    }
    if let Some(worst) = worst {
        return worst;
    }
    let handed = state.plan.steps.iter().find(|step| {
        let by_hand = step.is_handed_over() && step.verb.contains();
        by_hand && !step.verb.is_manual()
    });
    let open = state.plan.residual.iter().find(|r| r.at_most_s.is_none());
    match (handed, open) {
        (Some(step), _) => (Stand::Partly, format!("by hand: {}", step.title)),
        (None, Some(open)) => (
            Stand::Partly,
            format!("still open: {}, {}", open.layer, open.text),
        ),
        (None, None) => (
            Stand::Contained,
            format!("plan {} is proven", digest.short()),
        ),
    }
}

/// Says how an identity stands about which nothing was done.
fn unrun(
    authority: Option<&Authority>,
    plan: Option<&PlanState>,
    target: &Target,
    now: Timestamp,
) -> (Stand, String) {
    let Some(state) = plan else {
        let says = format!(
            "nobody made a plan since {}",
            target.since.strftime("%m-%d %H:%MZ")
        );
        return (Stand::Unplanned, says);
    };
    if state.plan.expires <= now || state.outlived {
        return (Stand::Refused, "its plan expired".to_owned());
    }
    match authority.map(|a| a.standing(state)) {
        Some(Standing::Refused { by, reason }) => {
            (Stand::Refused, format!("{by} refused it: {reason}"))
        }
        Some(Standing::Waiting { missing, could, .. }) => (
            Stand::Waiting,
            format!("{missing} more must agree: {} could", could.join(", ")),
        ),
        Some(Standing::Agreed { by }) => (Stand::Planned, format!("{} agreed", by.join(", "))),
        Some(Standing::Free) | None => (Stand::Planned, "it can be run".to_owned()),
    }
}

/// Makes the records that begin a campaign: one for each identity, so that whatever is read of it is whole.
pub fn begin(
    whom: impl IntoIterator<Item = (IdentityId, AlertId)>,
    reason: &str,
    filter: Option<&str>,
    playbook: Option<&str>,
    now: Timestamp,
) -> Vec<Decision> {
    let whom: BTreeMap<IdentityId, AlertId> = whom.into_iter().collect();
    let about = format!("{reason}\n{}\n{}", now.as_nanosecond(), whom.len());
    let hex = super::plan::sha256_hex(about.as_bytes());
    let name = format!("c-{}", hex.get(..10).unwrap_or_default());
    let record = |(identity, alert): (IdentityId, AlertId)| Decision {
        campaign: Some(name.clone()),
        identity: Some(identity),
        playbook: playbook.map(str::to_owned),
        to: filter.map(str::to_owned),
        ..Decision::on(alert, DecisionKind::Campaign, Some(reason.to_owned()))
    };
    whom.into_iter().map(record).collect()
}

/// Judges what a provider shows: that nobody can use it is shown by its being off, or by every credential being off and
/// nothing else living; what could not be read shows nothing. That it was not used so far is no proof.
pub fn shows_unused(context: &LiveContext, now: Timestamp) -> Result<String, String> {
    if context.enabled == Some(false) && context.sessions.is_empty() {
        return Ok("its provider shows it turned off, with no session".to_owned());
    }
    if let Some((what, why)) = context.unknown.first() {
        return Err(format!("{what} could not be read: {}", why.raw()));
    }
    if !context.sessions.is_empty() {
        return Err(format!(
            "its provider lists {} sessions",
            context.sessions.len()
        ));
    }
    let dead = |c: &Credential| c.enabled == Some(false) || c.expires.is_some_and(|at| at <= now);
    let live = context.credentials.iter().filter(|c| !dead(c)).count();
    match (context.credentials.len(), live) {
        (0, _) => Err("its provider shows neither that it is off nor its credentials".to_owned()),
        (n, 0) => Ok(format!(
            "its provider shows all {n} credentials off or expired"
        )),
        (n, live) => Err(format!("{live} of its {n} credentials can be used")),
    }
}

#[cfg(test)]
mod tests;
