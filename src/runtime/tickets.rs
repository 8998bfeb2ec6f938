//! Tickets and notices that the console sends itself: a step that tells people goes through the first configured connector
//! that offers it (Slack, PagerDuty, a webhook), with its exact request in the plan; else it stays a step for people.

use jiff::Timestamp;

use super::services::Services;
use crate::connect::Connector;
use crate::domain::identity::Identity;
use crate::domain::ids::{AlertId, IdentityId};
use crate::domain::plan::PlanStep;
use crate::domain::text::Untrusted;
use crate::domain::vocabulary::{IdentityKind, Verb};

/// Hands steps that tell people to connectors, where there are some.
pub async fn bind(
    services: &Services,
    alert: &AlertId,
    identity: &Identity,
    steps: &mut [PlanStep],
    now: Timestamp,
) {
    for step in steps {
        if !matches!(step.verb, Verb::OpenTicket | Verb::NotifyOwner) || !step.is_handed_over() {
            continue;
        }
        let mut offering = services.connectors.iter();
        let found = offering.find(|(_, c)| c.actions().contains_key(&step.verb));
        let Some((name, connector)) = found else {
            continue;
        };
        let whom = (&identity.id, &identity.name);
        let given = [("subject", identity.id.as_str()), ("alert", alert.as_str())];
        if let Err(why) = through(name, connector, whom, &given, step, now).await {
            step.why = format!("{}; by hand, because {why}", step.why);
        }
    }
}

/// Takes over what a connector would send. It is told no more than is given.
pub async fn through(
    name: &str,
    connector: &Connector,
    (id, called): (&IdentityId, &Untrusted),
    given: &[(&str, &str)],
    step: &mut PlanStep,
    now: Timestamp,
) -> Result<(), String> {
    let mut about = Identity::not_in_inventory(id.clone(), called.clone(), IdentityKind::Unknown);
    about.params = given
        .iter()
        .filter(|(param, _)| connector.takes(param))
        .map(|(param, value)| ((*param).to_owned(), (*value).to_owned()))
        .collect();
    let bound = connector.bind(&about, &[step.verb], now).await;
    let mut bound = bound.map_err(|error| format!("`{name}` cannot: {error}"))?;
    let sent = bound.steps.pop().ok_or("nothing is to be sent")?;
    step.title = sent.title;
    name.clone_into(&mut step.connector);
    step.target = sent.target;
    step.requests = sent.requests;
    step.verify = sent.verify;
    step.undo = sent.undo;
    step.breaks = sent.breaks;
    step.idempotent = sent.idempotent;
    Ok(())
}
