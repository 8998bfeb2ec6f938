//! Plans that change nothing and only tell people: that something is overdue, or how an incident went.

use std::collections::BTreeMap;

use super::planner::{self, policy_digest};
use super::services::Services;
use super::{steady, tickets};
use crate::connect::Connector;
use crate::domain::decision::{PlanRecord, RecordType};
use crate::domain::ids::{AlertId, IdentityId, PlanDigest, StepId};
use crate::domain::plan::{Plan, PlanStep, Undo, lifetime};
use crate::domain::text::Untrusted;
use crate::domain::vocabulary::{Layer, Tier, Verb};

/// What a plan that sends a report has for a playbook.
pub const REPORT: &str = "report";

const TITLE: &str = "Send the report";

/// The parameter of a connector that is what a report says.
pub const PARAM: &str = "report";

/// For what people are told something.
#[derive(Clone, Debug)]
pub struct About {
    /// For which alert.
    pub alert: AlertId,
    /// About whom.
    pub identity: IdentityId,
}

impl About {
    /// Returns what whom it is about is called.
    pub fn name(&self, services: &Services) -> Untrusted {
        let card = services.inventory.identity(&self.identity);
        card.map_or_else(
            || Untrusted::new(self.identity.as_str()),
            |card| card.name.clone(),
        )
    }

    /// Returns a step that tells people, which nobody carries out yet.
    pub fn step(&self, verb: Verb, title: &str, why: &str) -> PlanStep {
        PlanStep {
            id: StepId::new("1"),
            verb,
            title: title.to_owned(),
            why: why.to_owned(),
            team: "soc".to_owned(),
            tier: Tier::Monitor,
            layer: Layer::Sessions,
            connector: String::new(),
            target: Untrusted::new(self.identity.as_str()),
            requests: Vec::new(),
            verify: None,
            undo: Undo::NothingToUndo,
            breaks: String::new(),
            idempotent: true,
            after_s: None,
        }
    }

    /// Makes a plan of that step.
    pub fn plan(&self, services: &Services, playbook: &str, step: PlanStep) -> Plan {
        let card = services.inventory.identity(&self.identity);
        let (created, expires) = lifetime(steady::now());
        Plan {
            v: 1,
            alert: self.alert.clone(),
            incident: None,
            identity: self.identity.clone(),
            identity_name: self.name(services),
            params: BTreeMap::new(),
            environment: card.and_then(|c| c.environment.clone()),
            playbook: playbook.to_owned(),
            playbook_sha256: policy_digest(&services.playbooks, &services.policy.file),
            tier: Tier::Monitor,
            created,
            expires,
            nonce: uuid::Uuid::now_v7().to_string(),
            drill: services.drill_speed.is_some(),
            steps: [step].into(),
            skipped: Vec::new(),
            impact: planner::impact_of(services, &self.identity),
            residual: Vec::new(),
            preconditions: Vec::new(),
        }
    }
}

/// Writes a plan down that nothing was done by yet, and returns its name.
pub async fn recorded(services: &Services, plan: Plan) -> Result<PlanDigest, String> {
    let digest = plan.digest();
    let record = PlanRecord {
        digest: digest.clone(),
        plan,
    };
    let written = services.journal.record(RecordType::Plan, &record).await;
    written.map_err(|error| format!("the plan was not recorded: {error}"))?;
    Ok(digest)
}

fn takes_reports(connector: &Connector) -> bool {
    connector.takes(PARAM) && connector.actions().contains_key(&Verb::NotifyOwner)
}

/// Makes the plan that sends a report through a connector, with the exact request, and writes it down.
pub async fn report(
    services: &Services,
    about: &About,
    through: &str,
    text: &str,
) -> Result<PlanDigest, String> {
    let connector = services.connectors.get(through);
    let connector = connector.filter(|c| takes_reports(c)).ok_or_else(|| {
        let all = services.connectors.iter();
        let able: Vec<&str> = all
            .filter(|(_, c)| takes_reports(c))
            .map(|(name, _)| name)
            .collect();
        match able.is_empty() {
            true => format!(
                "no connector `{through}` sends reports, nor does any other; the presets `webhook` and `slack_message` do"
            ),
            false => format!(
                "no connector `{through}` sends reports; these do: {}",
                able.join(", ")
            ),
        }
    })?;
    let mut step = about.step(
        Verb::NotifyOwner,
        TITLE,
        "how it went, for those who were not there",
    );
    let given = [
        ("subject", about.identity.as_str()),
        ("alert", about.alert.as_str()),
        (PARAM, text),
    ];
    let name = about.name(services);
    let whom = (&about.identity, &name);
    tickets::through(through, connector, whom, &given, &mut step, steady::now()).await?;
    TITLE.clone_into(&mut step.title);
    recorded(services, about.plan(services, REPORT, step)).await
}
