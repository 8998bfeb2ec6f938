//! Which plans could answer an alert, side by side, *do nothing* among them, and why some are not on offer.

mod sides;

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::alert::Alert;
use super::graph::Walk;
use super::identity::Identity;
use super::plan::Residual;
use super::playbook::Playbook;
use super::policy::{Assessment, Facts, Outcome};
use super::vocabulary::{Layer, Tier, Verb};

pub use sides::{Held, RULE, Slice, held};

/// What a connector can do for one verb, known without asking the provider.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Capability {
    /// In words.
    pub title: String,
    /// Which layer it closes.
    pub layer: Layer,
    /// What it interrupts, in words; empty when nothing.
    pub breaks: String,
    /// Why it cannot be taken back; `None` when it can.
    pub irreversible: Option<String>,
    /// What stays open afterwards.
    pub residual: Vec<Residual>,
}

/// What one connector can do.
pub type Capabilities = BTreeMap<Verb, Capability>;

/// One candidate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Choice {
    /// Playbook id; `None` is *do nothing*.
    pub playbook: Option<String>,
    /// The digit that stages it: the playbook's place in its file, the same for every alert; 0 is *do nothing*. `None`
    /// beyond the ninth.
    pub key: Option<u8>,
    /// One line for people.
    pub title: String,
    /// Highest tier among its steps.
    pub tier: Tier,
    /// Teams that own its steps, each once, in order.
    pub teams: Vec<String>,
    /// What it breaks and what it leaves, in one line.
    pub impact: String,
    /// Layers it closes.
    pub closes: Vec<Layer>,
    /// How much of the identity it cuts off.
    pub slice: Slice,
    /// What somebody who holds it keeps.
    pub leaves: Vec<Held>,
    /// Why it is less than it looks like.
    pub trap: Option<String>,
    /// Whether it can be taken back.
    pub undo: String,
    /// How much work it is.
    pub effort: String,
    /// Who has to agree.
    pub approval: String,
    /// Why it cannot be chosen now.
    pub disabled: Option<String>,
    /// Why it is not certain that it is meant for this alert.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unsure: Option<String>,
}

/// What an option is judged against.
pub struct Situation<'a> {
    /// The alert at hand.
    pub alert: &'a Alert,
    /// Whose access it is about.
    pub identity: &'a Identity,
    /// What the identity's connector can do; `None` when it has no connector.
    pub capabilities: Option<&'a Capabilities>,
    /// Who stops working when the identity is cut off.
    pub impact: &'a Walk,
    /// What somebody who holds it can reach.
    pub exposure: &'a Walk,
    /// What conditions read.
    pub facts: &'a Facts<'a>,
    /// What the policy says.
    pub assessment: &'a Assessment,
    /// Layers that were closed already, by proof.
    pub closed: BTreeSet<Layer>,
}

/// Returns the candidates: matching playbooks by [`RULE`], then *do nothing*.
pub fn choices(situation: &Situation<'_>, playbooks: &[Playbook]) -> Vec<Choice> {
    let fitting = playbooks.iter().enumerate().filter_map(|(at, book)| {
        let outcome = book.when.outcome(situation.facts);
        let unsure = match outcome {
            Outcome::NotMatched => return None,
            Outcome::Matched => None,
            // A person may know what we do not.
            Outcome::Unjudged(why) => Some(format!("may not be meant: {why}")),
        };
        Some((at, book, unsure))
    });
    let mut offered: Vec<Choice> = fitting
        .map(|(at, book, unsure)| choice(situation, at, book, unsure))
        .collect();
    offered.sort_by_key(|c| (c.tier, c.slice));
    offered.push(do_nothing(situation));
    offered
}

fn choice(situation: &Situation<'_>, at: usize, book: &Playbook, unsure: Option<String>) -> Choice {
    let mut teams: Vec<String> = Vec::new();
    for step in &book.steps {
        if !teams.contains(&step.team) {
            teams.push(step.team.clone());
        }
    }
    let closes = closes(situation, book);
    let sides = sides::of(situation, book, &closes);
    Choice {
        playbook: Some(book.id.clone()),
        key: book.digit(at),
        title: book.title.clone(),
        tier: book.tier(),
        teams,
        impact: impact_line(situation, book),
        closes,
        slice: sides.slice,
        leaves: sides.leaves,
        trap: sides.trap,
        undo: sides.undo,
        effort: sides.effort,
        approval: sides.approval,
        disabled: disabled(situation, book),
        unsure,
    }
}

fn acting(book: &Playbook) -> impl Iterator<Item = Verb> {
    let verbs = book.steps.iter().map(|s| s.verb);
    verbs.filter(|verb| verb.contains())
}

fn closes(situation: &Situation<'_>, book: &Playbook) -> Vec<Layer> {
    let mut layers: Vec<Layer> = acting(book)
        .filter_map(|verb| situation.capabilities?.get(&verb))
        .map(|c| c.layer)
        .collect();
    layers.sort();
    layers.dedup();
    layers
}

fn impact_line(situation: &Situation<'_>, book: &Playbook) -> String {
    let dependants = situation.impact.count();
    let breaks = if acting(book).next().is_none() {
        "interrupts nothing".to_owned()
    } else if acting(book).any(Verb::cuts_everybody) {
        match dependants {
            0 if !situation.identity.is_listed() => "what it breaks is unknown".to_owned(),
            0 => "breaks nothing on the map".to_owned(),
            1 => "breaks 1 dependant".to_owned(),
            n => format!("breaks {n} dependants"),
        }
    } else if acting(book).any(|verb| interrupts(situation, verb)) {
        "interrupts its use".to_owned()
    } else {
        "spares others".to_owned()
    };
    let layers = closes(situation, book);
    let closed = if layers.is_empty() {
        "closes no layer".to_owned()
    } else {
        format!(
            "closes {}",
            layers
                .iter()
                .map(|l| l.as_str())
                .collect::<Vec<_>>()
                .join(", ")
        )
    };
    format!("{breaks}; {closed}")
}

/// Tells whether somebody who uses it now notices, as its connector says.
fn interrupts(situation: &Situation<'_>, verb: Verb) -> bool {
    let known = situation.capabilities.and_then(|all| all.get(&verb));
    known.is_some_and(|capability| !capability.breaks.is_empty())
}

fn disabled(situation: &Situation<'_>, book: &Playbook) -> Option<String> {
    if let Some(reason) = &book.refused {
        return Some(reason.clone());
    }
    let acts = book.tier() > Tier::Monitor;
    if acts && !situation.alert.is_confident() {
        let confidence = situation
            .alert
            .confidence
            .map_or_else(|| "not stated".to_owned(), |percent| format!("{percent} %"));
        return Some(format!(
            "low confidence ({confidence}): only monitoring is offered"
        ));
    }
    if let Some(reason) = situation.assessment.refuses(book.tier()) {
        return Some(reason.to_owned());
    }
    let Some(capabilities) = situation.capabilities else {
        let name = situation.identity.connector.as_deref();
        return acts.then(|| match name {
            Some(name) => format!("connector `{name}` is not configured"),
            None => "no connector can reach this identity".to_owned(),
        });
    };
    let missing = book.steps.iter().find(|step| {
        !step.optional
            && !step.can_be_handed_over()
            && !step.is_handed_over()
            && step.verb != Verb::PreserveEvidence
            && !capabilities.contains_key(&step.verb)
    });
    missing.map(|step| format!("the connector does not offer {}", step.verb))
}

fn do_nothing(situation: &Situation<'_>) -> Choice {
    let reach = situation.exposure.count();
    let closed: Vec<&str> = situation.closed.iter().map(|l| l.as_str()).collect();
    let keeps = match closed.is_empty() {
        true => "whoever holds it keeps everything".to_owned(),
        false => format!(
            "closed already, by proof: {}; whoever holds it keeps the rest",
            closed.join(", ")
        ),
    };
    Choice {
        playbook: None,
        key: Some(0),
        title: "Do nothing for now, with a reason".to_owned(),
        tier: Tier::Monitor,
        teams: vec!["SOC".to_owned()],
        impact: format!("breaks nothing; {keeps} and reaches {reach} on the map"),
        closes: Vec::new(),
        slice: Slice::Look,
        leaves: held(situation),
        trap: None,
        undo: "changes nothing".to_owned(),
        effort: "a reason".to_owned(),
        approval: "nobody".to_owned(),
        disabled: None,
        unsure: None,
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::super::graph::{EdgeKind, Graph, Limits, Look};
    use super::super::ids::{IdentityId, NodeId};
    use super::super::playbook::PlaybookFile;
    use super::super::policy::{About, Policy};
    use super::super::text::Untrusted;
    use super::super::vocabulary::{ActionPattern, IdentityKind, Severity};
    use super::*;

    const BOOKS: &str = r#"
[[playbook]]
id = "off"
title = "Turn it off"
when = { patterns = ["credential_exposed"] }
step = [{ do = "preserve_evidence", team = "SOC", tier = "monitor" }, { do = "disable_identity", team = "IAM", tier = "hard" }]

[[playbook]]
id = "narrow"
title = "End its sessions"
when = {}
step = [{ do = "preserve_evidence", team = "SOC", tier = "monitor" }, { do = "revoke_sessions", team = "IAM", tier = "soft" }]

[[playbook]]
id = "look"
title = "Look"
when = {}
step = [{ do = "review_sessions", team = "SOC", tier = "monitor" }]
"#;

    fn capabilities() -> Capabilities {
        let capability = |layer| Capability {
            title: "t".into(),
            layer,
            breaks: String::new(),
            irreversible: None,
            residual: Vec::new(),
        };
        BTreeMap::from([
            (Verb::DisableIdentity, capability(Layer::Credentials)),
            (Verb::RevokeSessions, capability(Layer::Sessions)),
        ])
    }

    fn offered(confidence: Option<u8>, capabilities: Option<&Capabilities>) -> Vec<Choice> {
        offered_after(&[], confidence, capabilities)
    }

    fn offered_after(
        closed: &[Layer],
        confidence: Option<u8>,
        capabilities: Option<&Capabilities>,
    ) -> Vec<Choice> {
        let books = PlaybookFile::parse(BOOKS).unwrap().playbooks;
        let mut alert = super::super::queue::tests::alert("a", Some(Severity::High), 1);
        alert.confidence = confidence;
        alert.pattern = ActionPattern::CredentialExposed;
        let identity = Identity::not_in_inventory(
            IdentityId::new("p:x"),
            Untrusted::from("x"),
            IdentityKind::OauthClient,
        );
        let mut graph = Graph::default();
        graph.add_edge(NodeId::new("shop"), EdgeKind::DependsOn, NodeId::new("p:x"));
        let (impact, exposure) = (graph.impact(&NodeId::new("p:x")), Walk::default());
        let look = Look::at(&graph, &NodeId::new("p:x"), Limits::FULL);
        let facts = Facts::new(About {
            alert: &alert,
            identity: Some(&identity),
            graph: &graph,
            look: &look,
            live: None,
            newcomers: 0,
            elsewhere: false,
            now: alert.observed,
        });
        let assessment = Policy::default().assess(&facts);
        let situation = Situation {
            facts: &facts,
            assessment: &assessment,
            alert: &alert,
            identity: &identity,
            capabilities,
            impact: &impact,
            exposure: &exposure,
            closed: closed.iter().copied().collect(),
        };
        choices(&situation, &books)
    }

    #[test]
    fn the_narrowest_comes_first_and_nothing_last() {
        let caps = capabilities();
        let ids: Vec<_> = offered(Some(95), Some(&caps))
            .into_iter()
            .map(|c| c.playbook)
            .collect();
        assert_eq!(
            ids,
            [
                Some("look".into()),
                Some("narrow".into()),
                Some("off".into()),
                None
            ]
        );
    }

    #[test]
    fn impact_tells_who_breaks_and_what_closes() {
        let caps = capabilities();
        let all = offered(Some(95), Some(&caps));
        assert_eq!(all[1].impact, "spares others; closes sessions");
        assert_eq!(all[2].impact, "breaks 1 dependant; closes credentials");
    }

    #[test]
    fn an_option_that_its_connector_says_interrupts_does_not_say_that_it_spares() {
        let mut caps = capabilities();
        let sessions = caps.get_mut(&Verb::RevokeSessions).unwrap();
        sessions.breaks = "whoever is signed in signs in again".to_owned();
        let all = offered(Some(95), Some(&caps));
        assert_eq!(all[1].impact, "interrupts its use; closes sessions");
    }

    #[test]
    fn doing_nothing_after_something_was_proven_is_not_the_same_as_before() {
        let caps = capabilities();
        let all = offered_after(&[Layer::Credentials], Some(95), Some(&caps));
        let nothing = all.last().unwrap();
        assert!(
            nothing
                .impact
                .contains("closed already, by proof: credentials; whoever holds it keeps the rest"),
            "{}",
            nothing.impact
        );
        assert!(
            nothing
                .leaves
                .iter()
                .all(|held| held.layer != Layer::Credentials)
        );
    }

    #[rstest]
    #[case(Some(20), true, "low confidence (20 %): only monitoring is offered")]
    #[case(Some(95), false, "no connector can reach this identity")]
    fn destructive_choices_say_why_they_are_off(
        #[case] confidence: Option<u8>,
        #[case] connected: bool,
        #[case] reason: &str,
    ) {
        let caps = capabilities();
        let all = offered(confidence, connected.then_some(&caps));
        assert_eq!(all[0].disabled, None, "looking is always possible");
        assert_eq!(all[1].disabled.as_deref(), Some(reason));
        assert_eq!(all[2].disabled.as_deref(), Some(reason));
        assert_eq!(all[3].disabled, None, "doing nothing is always possible");
    }

    #[rstest]
    #[case(
        "[[playbook]]\nid='a'\ntitle='t'\nwhen={}\nstep=[{do='revoke_sessions',team='x',tier='soft'}]",
        "before it keeps evidence"
    )]
    #[case("[[playbook]]\nid='a'\ntitle='t'\nwhen={}\nstep=[]", "no steps")]
    #[case(
        "[[playbook]]\nid='a'\ntitle='t'\nwhen={}\nstep=[{do='burn_down',team='x',tier='soft'}]",
        "burn_down"
    )]
    #[case(
        "[[playbook]]\nid='a'\ntitle='t'\nwhen={}\nstep=[{do='watch',team=' ',tier='monitor'}]",
        "owning team"
    )]
    fn bad_playbooks_name_the_problem(#[case] text: &str, #[case] problem: &str) {
        let error = PlaybookFile::parse(text).unwrap_err().to_string();
        assert!(error.contains(problem), "{error}");
    }
}
