//! Tells people that something temporary is overdue: by the first configured connector that tells people, with its exact
//! request in a plan of its own; else the log says that nobody can be told.

use super::hands;
use super::journal::Report;
use super::services::Services;
use super::telling::{About, recorded};
use super::{approval, steady, tickets};
use crate::app::model::Level;
use crate::app::msg::Msg;
use crate::domain::debt::{Debt, NOBODY, PAGERS};
use crate::domain::decision::{Decision, DecisionKind, RecordType};
use crate::domain::identity::Identity;
use crate::domain::ids::{AlertId, IdentityId, PlanDigest};
use crate::domain::plan::Plan;
use crate::domain::vocabulary::IdentityKind;

/// What a plan that only tells people has for a playbook.
pub const PLAYBOOK: &str = "page";

/// What is overdue, and whom that concerns.
#[derive(Clone, Debug)]
pub struct Overdue {
    /// The name under which the log keeps that people were told.
    pub key: String,
    /// For which alert.
    pub alert: AlertId,
    /// About whom.
    pub identity: IdentityId,
    /// In words.
    pub says: String,
}

impl Overdue {
    /// Takes what has to be said from the board; nothing where it names nobody.
    pub fn of(debt: &Debt) -> Option<Self> {
        Some(Self {
            key: debt.page_key(),
            alert: debt.alert.clone(),
            identity: debt.identity.clone()?,
            says: format!("{} of {}: {}", debt.kind, debt.owner, debt.what),
        })
    }
}

/// Tells people once, whoever has the duty when it becomes due. That they are told is in the log before anything leaves.
/// Returns the plan that tells them, to be run.
pub async fn page(
    services: &Services,
    overdue: &Overdue,
    report: &Report,
) -> Result<Option<PlanDigest>, String> {
    approval::may_decide(services).await?;
    let about = format!("page {}", overdue.key);
    let Some(_hands) = hands::unless_elsewhere(services.journal.store(), &about, "tells people")
    else {
        return Ok(None);
    };
    let latest = services.journal.latest().await.map_err(|e| e.to_string())?;
    if latest.holds.paged(&overdue.key).is_some() {
        return Ok(None);
    }
    let (plan, what) = match by_connector(services, overdue).await {
        Ok(plan) => {
            let name = plan.connectors().join(", ");
            let digest = recorded(services, plan).await?;
            let text = format!("people are told through `{name}`, plan {}", digest.short());
            (Some(digest), text)
        }
        Err(why) => (None, why),
    };
    let reason = format!("{}; {what}", overdue.says);
    let paged = Decision {
        hold: Some(overdue.key.clone()),
        identity: Some(overdue.identity.clone()),
        plan: plan.clone(),
        ..Decision::on(
            overdue.alert.clone(),
            DecisionKind::Paged,
            Some(reason.clone()),
        )
    };
    let recorded = services.journal.record(RecordType::Decision, &paged).await;
    recorded.map_err(|e| format!("not recorded that people are told: {e}"))?;
    report(Msg::Notice {
        level: Level::Warn,
        text: format!("overdue: {reason}"),
    });
    Ok(plan)
}

/// Makes the plan that tells people.
async fn by_connector(services: &Services, overdue: &Overdue) -> Result<Plan, String> {
    let now = steady::now();
    let mut offering = PAGERS.iter().filter_map(|verb| {
        let mut all = services.connectors.iter();
        all.find(|(_, c)| c.actions().contains_key(verb))
            .map(|_| *verb)
    });
    let verb = offering.next().ok_or_else(|| NOBODY.to_owned())?;
    let about = About {
        alert: overdue.alert.clone(),
        identity: overdue.identity.clone(),
    };
    let mut steps = [about.step(verb, "Tell people", &overdue.says)];
    let identity = Identity::not_in_inventory(
        overdue.identity.clone(),
        about.name(services),
        IdentityKind::Unknown,
    );
    tickets::bind(services, &overdue.alert, &identity, &mut steps, now).await;
    let [step] = steps;
    if step.is_handed_over() {
        return Err(format!("nobody could be told: {}", step.why));
    }
    Ok(about.plan(services, PLAYBOOK, step))
}
