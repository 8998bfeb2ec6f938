//! Whether a plan may be run: who asks, and whether those agreed who must.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::journal::Report;
use super::services::Services;
use super::{silence, steady};
use crate::app::model::Level;
use crate::app::msg::Msg;
use crate::domain::authority::{Act, Authority, Standing, TimeOut, requesters};
use crate::domain::decision::{
    Approval, BreakGlass, Decision, DecisionKind, PlanState, RecordType,
};
use crate::domain::ids::PlanDigest;
use crate::domain::text::show;
use crate::domain::vocabulary::Tier;
use crate::journal::VerdictBlock;

/// How long the drill's simulated analyst reads, in drill time.
const READING: Duration = Duration::from_secs(3);

/// How often the logs of others are looked at for their verdict: it is seen within a second.
const LOOK: Duration = Duration::from_millis(200);

/// Whether whoever runs a plan waits for others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Patience {
    /// Until they agreed, somebody refused, or the plan expired.
    Wait,
    /// Not at all: what is missing is said.
    Leave,
    /// Nobody is asked: somebody acts alone, and somebody else looks at it afterwards.
    Alone,
}

/// What may be run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Go {
    /// The plan.
    Ahead,
    /// Another one in its place, since nobody agreed in time.
    Instead(PlanDigest),
}

/// Returns the key that signs what this process writes. The system says who that is: on a roster that lists accounts of
/// hosts, the key counts only for those.
pub async fn own_key(services: &Services) -> Result<String, String> {
    let key = services.journal.key().await;
    let key = key.ok_or("this console has no log of its own, so it is nobody's")?;
    let person = services.authority.as_ref();
    let person = person.and_then(|a| a.roster.holder_of(&key));
    let uid = rustix::process::geteuid().as_raw();
    match person {
        Some(who) if !who.uids.is_empty() && !who.uids.contains(&uid) => Err(format!(
            "the key of this log is {}'s, and this process runs as user {uid}, who is not on the roster for it",
            show(&who.name)
        )),
        _ => Ok(key),
    }
}

/// Returns why whoever runs this process may write nothing down, if so: who looks on decides nothing.
pub async fn may_decide(services: &Services) -> Result<(), String> {
    let Some(authority) = &services.authority else {
        return Ok(());
    };
    let own = own_key(services).await?;
    authority.looks_on(&own).map_or(Ok(()), Err)
}

/// Tells whether whoever runs this process may do this with a plan; else why not.
pub async fn may(services: &Services, act: Act, state: &PlanState) -> Result<(), String> {
    let Some(authority) = &services.authority else {
        return Ok(());
    };
    let own = own_key(services).await?;
    authority.roster.allows(&own, act, &state.plan).map(drop)
}

/// Tells whether somebody may be waited for before a plan is run.
pub const fn may_take_time(services: &Services) -> bool {
    services.authority.is_some() || services.drill_speed.is_some()
}

/// Makes sure that a plan may be run and has the approval it needs; returns why it has not.
pub async fn obtain(
    services: &Services,
    digest: &PlanDigest,
    state: &PlanState,
    reason: Option<&str>,
    (patience, stop): (Patience, &AtomicBool),
    report: &Report,
) -> Result<Go, String> {
    let Some(authority) = &services.authority else {
        return in_drill(services, digest, state).await.map(|()| Go::Ahead);
    };
    may(services, Act::Trigger, state).await?;
    let mut state = state.clone();
    loop {
        let missing = match authority.standing(&state) {
            Standing::Free | Standing::Agreed { .. } => return Ok(Go::Ahead),
            Standing::Refused { by, reason } => {
                return Err(format!("{} refused it: {}", show(&by), show(&reason)));
            }
            Standing::Waiting { missing, could, .. } => wanted(digest, missing, &could),
        };
        if patience == Patience::Alone {
            let done = alone(services, authority, digest, &state, reason).await;
            return done.map(|()| Go::Ahead);
        }
        if state.asked.is_none() {
            ask(services, authority, digest, &state).await?;
            let text = missing.clone();
            report(Msg::Notice {
                level: Level::Warn,
                text,
            });
        }
        if steady::now() >= state.plan.expires {
            return Err(format!("it expired before enough people agreed: {missing}"));
        }
        if patience == Patience::Leave || stop.load(Ordering::Relaxed) {
            return Err(missing);
        }
        tokio::time::sleep(LOOK).await;
        if let Some((_, now)) = services.journal.plan(digest.as_str()).await {
            state = now;
        }
        match silence::settle(services, digest, &state, report).await? {
            Some((TimeOut::SoftContain, Some(instead))) => return Ok(Go::Instead(instead)),
            Some((TimeOut::Expire | TimeOut::SoftContain, _)) => {
                return Err(format!("nobody agreed in time: {missing}"));
            }
            Some((TimeOut::Escalate, _)) | None => {}
        }
    }
}

/// Says who is still needed, and how they agree.
pub fn wanted(digest: &PlanDigest, missing: u8, could: &[String]) -> String {
    let people = match could {
        [] => "nobody else on the roster could".to_owned(),
        names => format!("{} could", show(&names.join(", "))),
    };
    format!(
        "{missing} more must agree, {people}: stanch approve {}",
        digest.short()
    )
}

/// Asks others to agree to a plan, and writes down who must.
pub async fn ask(
    services: &Services,
    authority: &Authority,
    digest: &PlanDigest,
    state: &PlanState,
) -> Result<(), String> {
    let asked = Decision {
        plan: Some(digest.clone()),
        needs: Some(authority.quorum(&state.plan)),
        ..Decision::on(state.plan.alert.clone(), DecisionKind::Ask, None)
    };
    let recorded = services.journal.record(RecordType::Decision, &asked).await;
    recorded.map_err(|e| format!("the request could not be recorded: {e}"))
}

/// Acts without asking anybody: written down with the reason before anything leaves, and only when what was done so before
/// was looked at by somebody else.
async fn alone(
    services: &Services,
    authority: &Authority,
    digest: &PlanDigest,
    state: &PlanState,
    reason: Option<&str>,
) -> Result<(), String> {
    let reason = reason.ok_or("whoever acts alone says why")?;
    let decisions = services.journal.latest().await;
    let decisions = decisions.map_err(|e| e.to_string())?;
    if let Some((last, glass)) = authority.unreviewed(&decisions) {
        return Err(format!(
            "{} acted alone by plan {} on {}, and nobody else reviewed it yet: stanch break-glass review {}",
            show(&glass.actor),
            last.short(),
            glass.at.strftime("%F %H:%MZ"),
            last.short()
        ));
    }
    let broken = BreakGlass {
        digest: digest.clone(),
        alert: state.plan.alert.clone(),
        reason: reason.to_owned(),
    };
    let recorded = services
        .journal
        .record(RecordType::BreakGlass, &broken)
        .await;
    recorded.map_err(|e| format!("not recorded: {e}"))
}

/// Writes down that somebody looked at what another did alone; returns why it does not count.
pub async fn review(services: &Services, digest: &PlanDigest, reason: &str) -> Result<(), String> {
    let authority = roster(services)?;
    let own = own_key(services).await?;
    let decisions = services.journal.latest().await;
    let decisions = decisions.map_err(|e| e.to_string())?;
    let glass = decisions.glass(digest);
    let glass = glass.ok_or("nobody acted alone by this plan")?;
    authority.may_review(&own, glass)?;
    if authority.reviewed(glass) {
        return Err("it was reviewed already".to_owned());
    }
    let review = Decision {
        plan: Some(digest.clone()),
        ..Decision::on(
            glass.alert.clone(),
            DecisionKind::Review,
            Some(reason.to_owned()),
        )
    };
    let recorded = services.journal.record(RecordType::Decision, &review).await;
    recorded.map_err(|e| format!("not recorded: {e}"))
}

/// Returns the roster, or says that there is none.
pub fn roster(services: &Services) -> Result<&Authority, String> {
    let none = "no roster is configured, so nobody is asked; `[authority] roster` names one";
    services.authority.as_deref().ok_or_else(|| none.to_owned())
}

/// Checks that whoever runs this program may give this verdict on somebody else's plan; returns their key.
pub async fn may_judge(
    services: &Services,
    state: &PlanState,
    approved: bool,
    reason: Option<&str>,
) -> Result<String, String> {
    let authority = roster(services)?;
    let own = own_key(services).await?;
    authority.roster.allows(&own, Act::Judge, &state.plan)?;
    let same = |key: &&str| authority.roster.same_person(key, &own);
    if approved && requesters(state).iter().any(same) {
        return Err("whoever asks for a plan cannot agree to it".to_owned());
    }
    if !approved && reason.is_none_or(|reason| reason.trim().is_empty()) {
        return Err("say why: whoever asked has to know".to_owned());
    }
    if steady::now() >= state.plan.expires {
        return Err(format!("it expired at {}", state.plan.expires));
    }
    Ok(own)
}

/// Records a verdict of whoever runs this program on somebody else's plan; returns why it cannot be given.
pub async fn judge(
    services: &Services,
    digest: &PlanDigest,
    state: &PlanState,
    approved: bool,
    reason: Option<&str>,
) -> Result<(), String> {
    may_judge(services, state, approved, reason).await?;
    record(services, digest, approved, reason, None).await
}

/// Records a verdict on a plan of another host, and returns the block that carries it there.
pub async fn judge_for_elsewhere(
    services: &Services,
    digest: &PlanDigest,
    state: &PlanState,
    approved: bool,
    reason: Option<&str>,
) -> Result<String, String> {
    let key = may_judge(services, state, approved, reason).await?;
    let block = VerdictBlock {
        digest: digest.clone(),
        approved,
        at: jiff::Timestamp::now(),
        expires: state.plan.expires,
        key,
        reason: reason.map(str::to_owned),
    };
    let signed = services.journal.sign(block.text()).await;
    let signed = signed.ok_or("this console has no key to sign with")?;
    // It must later be found in the log of whoever gave it.
    record(services, digest, approved, reason, None).await?;
    Ok(VerdictBlock::wrap(&signed))
}

/// Takes a verdict in that was given on another host; returns whose it is.
pub async fn take_block(
    services: &Services,
    digest: &PlanDigest,
    state: &PlanState,
    (block, signed): (&VerdictBlock, String),
) -> Result<String, String> {
    let authority = roster(services)?;
    may_decide(services).await?;
    let who = authority
        .roster
        .allows(&block.key, Act::Judge, &state.plan)?;
    let same = |key: &&str| authority.roster.same_person(key, &block.key);
    if block.approved && requesters(state).iter().any(same) {
        return Err("whoever asks for a plan cannot agree to it".to_owned());
    }
    if block.expires != state.plan.expires || block.digest != *digest {
        return Err("the block is about another plan".to_owned());
    }
    if steady::now() >= state.plan.expires {
        return Err(format!("it expired at {}", state.plan.expires));
    }
    let known = state.verdicts.iter();
    let mut known = known.filter(|v| v.signer.as_deref() == Some(&block.key));
    if known.any(|v| v.approval.approved == block.approved) {
        return Err("this verdict stands in the log already".to_owned());
    }
    let name = who.name.clone();
    let reason = block.reason.as_deref();
    record(services, digest, block.approved, reason, Some(signed)).await?;
    Ok(name)
}

async fn record(
    services: &Services,
    digest: &PlanDigest,
    approved: bool,
    reason: Option<&str>,
    block: Option<String>,
) -> Result<(), String> {
    let approval = Approval {
        digest: digest.clone(),
        approved,
        by: None,
        reason: reason.map(str::to_owned),
        block,
    };
    let recorded = services
        .journal
        .record(RecordType::Approval, &approval)
        .await;
    recorded.map_err(|e| format!("not recorded: {e}"))
}

/// The drill plays the second person itself.
async fn in_drill(
    services: &Services,
    digest: &PlanDigest,
    state: &PlanState,
) -> Result<(), String> {
    if state.verdicts.iter().any(|v| !v.approval.approved) {
        return Err("somebody refused this plan".to_owned());
    }
    let Some(speed) = services.drill_speed else {
        return Ok(());
    };
    if state.plan.tier < Tier::Hard || state.verdicts.iter().any(|v| v.approval.approved) {
        return Ok(());
    }
    tokio::time::sleep(READING.div_f64(speed.max(0.1))).await;
    let approval = Approval {
        digest: digest.clone(),
        approved: true,
        by: Some("second analyst (simulated)".to_owned()),
        reason: Some("drill".to_owned()),
        block: None,
    };
    services
        .journal
        .record(RecordType::Approval, &approval)
        .await
        .map_err(|e| format!("not recorded: {e}"))
}
