//! Whether a plan may be begun: it is known, agreed to and still true, and nobody else acts on the identity.

use std::sync::atomic::AtomicBool;

use super::super::approval::{self, Go, Patience};
use super::super::hands::{self, Hands, Taken};
use super::super::journal::Report;
use super::super::planner;
use super::super::services::Services;
use super::super::steady;
use crate::app::msg::Msg;
use crate::domain::decision::{Decisions, PlanState};
use crate::domain::ids::PlanDigest;
use crate::domain::plan::Plan;

/// A plan of which something is to be done.
pub(super) struct Found {
    pub digest: PlanDigest,
    pub state: PlanState,
    /// Why it cannot be run any more, as all logs had it when it was asked for.
    spent: Result<(), String>,
}

/// Finds a plan of which something is to be done. Nothing is begun that could not be written down: a log that is damaged or
/// lost its disk stops every act.
pub(super) async fn begin(services: &Services, digest: &PlanDigest) -> Result<Found, String> {
    let journal = &services.journal;
    let wanted = digest.clone();
    let look = move |decisions: &Decisions| {
        let (digest, state) = decisions.plan(wanted.as_str())?;
        Some(Found {
            digest: digest.clone(),
            state: state.clone(),
            spent: unspent(decisions, digest),
        })
    };
    // Asked together: each by itself may have to wait for what others write.
    let (found, blocked) = tokio::join!(journal.look_now(look), journal.blocked());
    let found = found.map_err(|error| error.to_string())?;
    let found = found.ok_or_else(|| format!("the journal holds no plan {}", digest.short()))?;
    match blocked {
        None => Ok(found),
        Some(reason) => Err(format!("nothing can be recorded: {reason}")),
    }
}

/// What may be done.
pub(super) enum Allowed {
    /// The plan, by this console alone.
    Run(Option<Hands>),
    /// Another one in its place.
    Instead(PlanDigest),
}

pub(super) async fn allowed(
    services: &Services,
    Found {
        digest,
        state,
        spent,
    }: &Found,
    reason: Option<&str>,
    waiting: (Patience, &AtomicBool),
    report: &Report,
) -> Result<Allowed, String> {
    let plan = &state.plan;
    // Nobody is asked about a plan that cannot be run.
    timely(services, plan)?;
    spent.clone()?;
    match approval::obtain(services, digest, state, reason, waiting, report).await? {
        Go::Ahead => {}
        Go::Instead(other) => return Ok(Allowed::Instead(other)),
    }
    let hands = alone(services, digest, plan, report)?;
    // Whatever is checked against the world is checked after somebody was waited for. Who began the plan in the blink of an
    // eye where nobody was is seen when the first intent is written.
    timely(services, plan)?;
    if approval::may_take_time(services) {
        let known = digest.clone();
        let look = move |decisions: &Decisions| unspent(decisions, &known);
        let looked = services.journal.look_now(look).await;
        looked.map_err(|error| error.to_string())??;
    }
    unchanged(services, plan)?;
    for precondition in &plan.preconditions {
        let connector = services.connectors.get(&precondition.connector);
        let connector = connector
            .ok_or_else(|| format!("connector `{}` is not configured", precondition.connector))?;
        match connector.drift(precondition).await {
            Ok(None) => {}
            Ok(Some(drift)) => {
                let (was, is) = (&drift.expected, &drift.found);
                return Err(format!(
                    "the plan is void, {}: was {was}, is {is}; build it anew",
                    precondition.says
                ));
            }
            Err(error) => {
                return Err(format!(
                    "cannot check the plan against the provider: {error}"
                ));
            }
        }
    }
    Ok(Allowed::Run(hands))
}

/// Makes sure that nobody else acts on the identity; it stays so for as long as what is returned lives.
pub(super) fn alone(
    services: &Services,
    digest: &PlanDigest,
    plan: &Plan,
    report: &Report,
) -> Result<Option<Hands>, String> {
    let what = format!("plan {}", digest.short());
    match hands::take(services.journal.store(), plan.identity.as_str(), &what) {
        Ok(Taken::Here(hands)) => Ok(Some(hands)),
        Ok(Taken::Elsewhere(who)) => Err(format!(
            "{who} acts on {} now; wait until that has ended, and look what came of it",
            plan.identity
        )),
        Err(error) => {
            // Then only the records tell, as between hosts.
            let text = format!("who else acts on {} cannot be told: {error}", plan.identity);
            report(Msg::Notice {
                level: crate::app::model::Level::Warn,
                text,
            });
            Ok(None)
        }
    }
}

/// Makes sure that the map still says what people agreed to.
fn unchanged(services: &Services, plan: &Plan) -> Result<(), String> {
    let drift = plan
        .impact
        .drift(&planner::impact_of(services, &plan.identity));
    if drift.is_empty() {
        return Ok(());
    }
    let text = drift.join(", ");
    Err(format!(
        "the plan is void, what it touches has changed: {text}; build it anew"
    ))
}

/// Makes sure that a plan is run before it expires, and where it was made.
fn timely(services: &Services, plan: &Plan) -> Result<(), String> {
    if steady::now() >= plan.expires {
        return Err(format!(
            "the plan expired at {}; build it anew",
            plan.expires
        ));
    }
    if plan.drill != services.drill_speed.is_some() {
        return Err(
            "the plan was made on the drill and this is not it, or the other way round".to_owned(),
        );
    }
    Ok(())
}

/// Makes sure that the logs let a plan be run.
fn unspent(decisions: &Decisions, digest: &PlanDigest) -> Result<(), String> {
    decisions.still_lives(digest)?;
    if decisions.was_run(digest) {
        return Err("the plan was run already; a plan runs once, so build it anew".to_owned());
    }
    Ok(())
}
