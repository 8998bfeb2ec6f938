//! Binds a playbook to an identity: asks the provider what is there, renders every request, freezes and records it.

mod facts;

use std::sync::Arc;

use jiff::Timestamp;

use super::approval;
use super::services::Services;
use super::tickets;
use crate::connect::{Bound, BoundStep};
use crate::domain::authority::Act;
use crate::domain::decision::{PlanRecord, RecordType};
use crate::domain::graph::{Graph, Limits, Look, Walk};
use crate::domain::identity::Identity;
use crate::domain::ids::{AlertId, IdentityId, NodeId, PlanDigest, StepId};
use crate::domain::overlap;
use crate::domain::plan::{
    ImpactNode, ImpactSnapshot, Plan, PlanStep, Residual, Skipped, Undo, canonical, lifetime,
    sha256_hex,
};
use crate::domain::playbook::{Playbook, StepTemplate};
use crate::domain::policy::PolicyFile;
use crate::domain::sequence::{Around, sequence};
use crate::domain::text::{Untrusted, show};
use crate::domain::vocabulary::{Layer, Tier, Verb};
use facts::{AboutAlert, about};

/// What a plan answers.
#[derive(Clone, Copy, Debug)]
pub struct Alerted<'a> {
    /// Which alert.
    pub id: &'a AlertId,
    /// Its incident, as its source says.
    pub incident: Option<&'a Untrusted>,
    /// The map with what the provider says, where that was asked: the order of steps hangs on it.
    pub graph: Option<&'a Graph>,
}

/// Builds a plan and records it. The returned plan is in the journal under the returned digest.
pub async fn build(
    services: &Services,
    alert: &Alerted<'_>,
    identity: &Identity,
    playbook: &str,
    now: Timestamp,
) -> Result<(PlanDigest, Arc<Plan>), String> {
    let plan = draft(services, alert, identity, playbook, now).await?;
    // A plan that could not be run is not begun.
    if let Some(authority) = &services.authority {
        let own = approval::own_key(services).await?;
        let allowed = authority.roster.allows(&own, Act::Trigger, &plan);
        allowed.map(drop)?;
    }
    let digest = plan.digest();
    let record = PlanRecord {
        digest: digest.clone(),
        plan,
    };
    services
        .journal
        .record(RecordType::Plan, &record)
        .await
        .map_err(|e| format!("the plan was not recorded: {e}"))?;
    Ok((digest, Arc::new(record.plan)))
}

async fn draft(
    services: &Services,
    alert: &Alerted<'_>,
    identity: &Identity,
    playbook: &str,
    now: Timestamp,
) -> Result<Plan, String> {
    let book = services.playbooks.iter().find(|b| b.id == playbook);
    let book = book.ok_or_else(|| format!("there is no playbook `{}`", show(playbook)))?;
    if let Some(reason) = &book.refused {
        return Err(format!(
            "playbook `{}` is refused: {reason}",
            show(playbook)
        ));
    }
    let connector = services.connector_of(identity);
    let offered = |verb: Verb| connector.as_ref().is_ok_and(|c| c.offers(verb, identity));
    let about = about(services, alert.id, identity, now).await;
    let (mut kept, skipped) = chosen(book, about.as_ref(), offered, connector.as_ref().err())?;
    let said = in_order(services, alert, book, &mut kept, identity, now);
    let verbs: Vec<Verb> = kept
        .iter()
        .filter(|s| !s.is_handed_over())
        .map(|s| s.verb)
        .filter(|v| offered(*v))
        .collect();
    let mut bound = match &connector {
        Ok(connector) if !verbs.is_empty() => connector
            .bind(identity, &verbs, now)
            .await
            .map_err(|e| e.to_string())?,
        _ => Bound {
            steps: Vec::new(),
            preconditions: Vec::new(),
        },
    };
    let mut residual = left_over(&bound.steps);
    let connector_name = identity.connector.clone().unwrap_or_default();
    let mut steps = Vec::new();
    for (i, template) in kept.iter().enumerate() {
        let id = StepId::new((i + 1).to_string());
        let own = template.is_handed_over();
        let fact = about.as_ref().and_then(|about| about.asks(template));
        let found = bound
            .steps
            .iter()
            .position(|b| !own && b.verb == template.verb);
        steps.push(match found.map(|at| bound.steps.remove(at)) {
            Some(step) => bound_step(id, template, step, &connector_name),
            None => own_step(id, template, identity, &connector_name),
        });
        if let (Some(step), Some((_, said))) = (steps.last_mut(), fact) {
            step.why = format!("{}; {said}", step.why);
        }
    }
    for open in untouched(services, identity, &steps) {
        // A step that says what stays open in a layer, and for good, says it better than "not touched".
        let said = |r: &Residual| r.layer == open.layer && r.at_most_s.is_none();
        if !residual.iter().any(said) {
            residual.push(open);
        }
    }
    // What tells people closes no layer, so it comes after what is left open was found.
    tickets::bind(services, alert.id, identity, &mut steps, now).await;
    let impact = ImpactSnapshot {
        order: said,
        ..impact_of(services, &identity.id)
    };
    let (created, expires) = lifetime(now);
    Ok(Plan {
        v: 1,
        alert: alert.id.clone(),
        // A plan is never masked later, as its digest is over every byte.
        incident: alert
            .incident
            .map(|i| Untrusted::new(crate::journal::mask_tokens(i.raw()))),
        identity: identity.id.clone(),
        identity_name: identity.name.clone(),
        params: identity.params.clone(),
        environment: identity.environment.clone(),
        playbook: book.id.clone(),
        playbook_sha256: playbook_digest(book),
        tier: steps.iter().map(|s| s.tier).max().unwrap_or(Tier::Monitor),
        created,
        expires,
        nonce: uuid::Uuid::now_v7().to_string(),
        drill: services.drill_speed.is_some(),
        steps,
        skipped,
        impact,
        residual,
        preconditions: bound.preconditions,
    })
}

/// Returns the steps that are done, and those that are left out.
fn chosen<'b>(
    book: &'b Playbook,
    about: Option<&AboutAlert>,
    offered: impl Fn(Verb) -> bool,
    no_connector: Option<&String>,
) -> Result<(Vec<&'b StepTemplate>, Vec<Skipped>), String> {
    let (mut kept, mut skipped) = (Vec::new(), Vec::new());
    let missing = "the connector does not offer it";
    for step in &book.steps {
        let fact = about.and_then(|about| about.asks(step));
        let own = step.is_handed_over() || step.verb == Verb::PreserveEvidence;
        let mut skip = |reason: String| {
            skipped.push(Skipped {
                verb: step.verb,
                reason,
            });
        };
        if let Some((false, said)) = fact {
            skip(said);
        } else if own || offered(step.verb) || step.can_be_handed_over() {
            kept.push(step);
        } else if step.optional {
            skip(missing.to_owned());
        } else {
            let why = no_connector.map_or(missing, String::as_str);
            return Err(format!("cannot plan {}: {why}", step.verb));
        }
    }
    Ok((kept, skipped))
}

/// Puts steps in the order that the map asks for; returns what is to be known about it.
fn in_order(
    services: &Services,
    alert: &Alerted<'_>,
    book: &Playbook,
    steps: &mut Vec<&StepTemplate>,
    identity: &Identity,
    now: Timestamp,
) -> Vec<String> {
    let node = NodeId::from(&identity.id);
    let known = alert.graph.filter(|graph| graph.find(&node).is_some());
    let graph = known.unwrap_or_else(|| services.inventory.graph());
    let look = Look::at(graph, &node, Limits::AT_ONCE);
    let verbs: Vec<Verb> = steps.iter().map(|step| step.verb).collect();
    let around = Around {
        identity,
        graph,
        look: &look,
        now,
    };
    let found = sequence(&verbs, book.as_written.as_deref(), &around);
    *steps = found
        .order
        .iter()
        .filter_map(|at| steps.get(*at).copied())
        .collect();
    found.says
}

/// Returns the SHA-256 of the policy and all playbooks in force, hex, over the same canonical bytes as that of each.
pub fn policy_digest(books: &[Playbook], policy: &PolicyFile) -> String {
    let value = serde_json::json!({ "playbooks": books, "policy": policy });
    sha256_hex(&canonical(&value))
}

fn playbook_digest(book: &Playbook) -> String {
    let value = serde_json::to_value(book).unwrap_or_default();
    sha256_hex(&canonical(&value))
}

fn bound_step(id: StepId, template: &StepTemplate, bound: BoundStep, connector: &str) -> PlanStep {
    PlanStep {
        id,
        verb: template.verb,
        title: match template.after_s {
            Some(after) => {
                let span = overlap::span(after);
                format!("{}, {span} after the new one took hold", bound.title)
            }
            None => bound.title,
        },
        why: template.why.clone(),
        team: template.team.clone(),
        tier: template.tier,
        layer: bound.layer,
        connector: connector.to_owned(),
        target: bound.target,
        requests: bound.requests,
        verify: bound.verify,
        undo: bound.undo,
        breaks: bound.breaks,
        idempotent: bound.idempotent,
        after_s: template.after_s,
    }
}

/// A step that the console does itself (evidence), or that people do.
fn own_step(id: StepId, template: &StepTemplate, identity: &Identity, connector: &str) -> PlanStep {
    let evidence = template.verb == Verb::PreserveEvidence;
    let contact = identity
        .on_call
        .as_ref()
        .map_or_else(|| "on-call unknown".to_owned(), |c| c.show().into_owned());
    let title = match template.verb {
        Verb::PreserveEvidence => {
            "Keep evidence: sessions, roles, credentials as the provider lists them".to_owned()
        }
        Verb::ReviewSessions => "Review its sessions by hand".to_owned(),
        Verb::Watch => "Watch it more closely".to_owned(),
        Verb::CheckLinked => "Check siblings and recovery paths by hand".to_owned(),
        Verb::NotifyOwner => format!("Tell the owner ({contact})"),
        Verb::OpenTicket => "Open a ticket".to_owned(),
        other => by_hand(template, other),
    };
    let acts = !template.verb.is_manual() && !evidence;
    PlanStep {
        id,
        verb: template.verb,
        title,
        why: template.why.clone(),
        team: template.team.clone(),
        tier: template.tier,
        layer: Layer::Sessions,
        connector: if evidence {
            connector.to_owned()
        } else {
            String::new()
        },
        target: Untrusted::new(identity.id.as_str()),
        requests: Vec::new(),
        verify: None,
        undo: match &template.irreversible {
            Some(reason) if acts => Undo::Irreversible {
                reason: reason.clone(),
            },
            _ => Undo::NothingToUndo,
        },
        breaks: String::new(),
        idempotent: true,
        after_s: template.after_s,
    }
}

/// Says what a team is asked to do, how it sees that it took hold, and how it is taken back.
fn by_hand(template: &StepTemplate, verb: Verb) -> String {
    let what = verb.as_str().replace('_', " ");
    let verify = template.verify.as_ref();
    let verify = verify.map_or_else(String::new, |v| format!("; it took hold when {v}"));
    let what = match template.after_s {
        Some(after) => format!(
            "{what}, {} after the new one took hold",
            overlap::span(after)
        ),
        None => what,
    };
    let undo = template.undo.as_ref();
    let undo = undo.map_or_else(String::new, |u| format!("; taken back: {u}"));
    format!("By hand, {}: {what}{verify}{undo}", template.team)
}

/// What the steps leave to an attacker, without what another step of the same plan ends: a session that a live secret
/// could renew is no worry once the secret is dead.
fn left_over(steps: &[BoundStep]) -> Vec<Residual> {
    let mut left: Vec<Residual> = Vec::new();
    for (i, step) in steps.iter().enumerate() {
        let ended = |r: &&Residual| {
            let others = steps.iter().enumerate().filter(|(j, _)| *j != i);
            others
                .map(|(_, other)| other)
                .any(|other| other.layer == r.layer && !other.requests.is_empty())
        };
        for residual in step.leaves.iter().filter(|r| !ended(r)) {
            if !left.contains(residual) {
                left.push(residual.clone());
            }
        }
    }
    left
}

/// Layers that this provider could close and this plan leaves open: the trap of resetting one thing only.
fn untouched(services: &Services, identity: &Identity, steps: &[PlanStep]) -> Vec<Residual> {
    let Ok(connector) = services.connector_of(identity) else {
        return Vec::new();
    };
    let offered = connector.actions().iter();
    let offered = offered.filter(|(verb, _)| connector.offers(**verb, identity));
    let mut layers: Vec<Layer> = offered.map(|(_, action)| action.layer).collect();
    layers.sort();
    layers.dedup();
    let closed = |layer: &Layer| {
        steps
            .iter()
            .any(|s| s.layer == *layer && !s.requests.is_empty())
    };
    let open = layers.into_iter().filter(|layer| !closed(layer));
    open.map(|layer| Residual {
        layer,
        text: "not touched by this plan".to_owned(),
        at_most_s: None,
    })
    .collect()
}

/// Returns what the map says of an identity now.
pub(super) fn impact_of(services: &Services, identity: &IdentityId) -> ImpactSnapshot {
    let graph = services.inventory.graph();
    let node = NodeId::from(identity);
    let (breaks, reaches) = (graph.impact(&node), graph.exposure(&node));
    let list = |walk: &Walk| {
        walk.branches
            .iter()
            .filter(|b| !b.aside)
            .filter_map(|b| {
                let node = graph.at(b.node)?;
                Some(ImpactNode {
                    node: node.id.clone(),
                    label: node.label.clone(),
                    criticality: node.criticality,
                    depth: b.depth as usize,
                })
            })
            .take(SNAPSHOT_CAP)
            .collect::<Vec<_>>()
    };
    let truncated = breaks.truncated
        || reaches.truncated
        || breaks.branches.len() > SNAPSHOT_CAP
        || reaches.branches.len() > SNAPSHOT_CAP;
    ImpactSnapshot {
        breaks: list(&breaks),
        reaches: list(&reaches),
        truncated,
        order: Vec::new(),
    }
}

/// Most nodes a plan lists on each side: a journal line holds 64 KiB.
const SNAPSHOT_CAP: usize = 60;
