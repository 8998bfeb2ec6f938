//! What stands beside the queue for the selected alert: whose access it is, the map around it, what could be done.

use std::sync::Arc;

use jiff::Timestamp;

use super::map::{AT_ONCE_EDGES, MapAsk, MapQuestion};
use super::model::Model;
use super::{card_screen, map_screen};
use crate::domain::alert::Alert;
use crate::domain::drawing::{draw_live, draw_newcomers};
use crate::domain::graph::{Graph, Limits, Look};
use crate::domain::identity::Identity;
use crate::domain::ids::{AlertId, IdentityId, NodeId};
use crate::domain::inventory::{Candidate, Resolution};
use crate::domain::newcomers::{Deed, Newcomer, newcomers};
use crate::domain::options::{Choice, Situation, choices};
use crate::domain::policy::Assessment;
use crate::domain::vocabulary::IdentityKind;

/// What is shown beside the queue for the selected alert, computed when something it hangs on changes.
#[derive(Clone, Debug, Default)]
pub struct Detail {
    /// Whose access it is, with a card when the alert says enough for one.
    pub identity: Option<Identity>,
    /// Several identities it may be.
    pub candidates: Vec<Candidate>,
    /// The map with what its provider says and what joined the incident.
    pub graph: Arc<Graph>,
    /// What the map says of it.
    pub look: Arc<Look>,
    /// Whether more is being found out.
    pub looking: bool,
    /// What joined the incident: it came to be, or was touched, through the identity since that was exposed.
    pub newcomers: Vec<Newcomer>,
    /// The inventory's map, on which the other things stand.
    base: Arc<Graph>,
    /// Which answer of the provider is on the map.
    live_at: Option<Timestamp>,
    /// What could be done.
    pub choices: Vec<Choice>,
    /// What the policy says; `None` while nobody is named.
    pub assessment: Option<Assessment>,
}

impl Model {
    /// Computes what the panes beside the queue show.
    pub fn refresh_detail(&mut self) {
        if self.is_passing() {
            // Once the cursor rests.
            return;
        }
        let detail = self.selected.as_ref().map(|id| self.detail_of(id));
        let before = std::mem::replace(&mut self.detail, detail.unwrap_or_default());
        self.keep_room();
        self.dirty = true;
        card_screen::fill(self);
        let same_map = Arc::ptr_eq(&before.graph, &self.detail.graph);
        let about = |detail: &Detail| detail.identity.as_ref().map(|card| card.id.clone());
        if same_map && about(&before) == about(&self.detail) {
            return;
        }
        self.ask_look();
        if !same_map {
            map_screen::follow(self, &before.graph);
        }
    }

    /// Tells whether the selected alert is still being read.
    pub fn is_reading(&self) -> bool {
        let selected = self.selected.as_ref();
        selected.is_some_and(|id| self.alerts.get(id).is_none())
    }

    /// Tells whether the panes about the selected alert are about to change by themselves.
    pub fn is_filling(&self) -> bool {
        !self.is_passing() && (self.is_reading() || self.detail.looking)
    }

    fn keep_room(&mut self) {
        self.most_choices = self.most_choices.max(self.detail.choices.len());
    }

    /// Asks for the whole of what the map says of the identity at hand, where a frame had no time for it. One such question
    /// is under way at a time: whoever runs through the queue asks about where he stops.
    fn ask_look(&mut self) {
        let Some(card) = &self.detail.identity else {
            return;
        };
        let ask = MapAsk {
            graph: self.detail.graph.clone(),
            what: MapQuestion::Look(NodeId::from(&card.id)),
        };
        if ask.is_small() || !self.detail.look.truncated() {
            return;
        }
        self.detail.looking = true;
        if self.looked_for.is_none() {
            self.looked_for = Some(ask.clone());
            self.asks.push(ask);
        }
    }

    /// Returns what is known of a node of a map, and whether more is being found out, where that is what stands beside the
    /// queue: it need not be asked twice.
    pub fn known_look(&self, graph: &Arc<Graph>, node: &NodeId) -> Option<(Arc<Look>, bool)> {
        let detail = &self.detail;
        let card = detail.identity.as_ref()?;
        let same = Arc::ptr_eq(graph, &detail.graph) && NodeId::from(&card.id) == *node;
        same.then(|| (detail.look.clone(), detail.looking))
    }

    /// Takes in the whole of what the map says of the identity at hand.
    pub fn take_look(&mut self, graph: &Arc<Graph>, node: &NodeId, look: Arc<Look>) {
        let is_it = |ask: &mut MapAsk| {
            Arc::ptr_eq(&ask.graph, graph) && ask.what == MapQuestion::Look(node.clone())
        };
        let answered = self.looked_for.take_if(is_it).is_some();
        let same = Arc::ptr_eq(graph, &self.detail.graph);
        let card = self.detail.identity.as_ref();
        let Some(card) = card.filter(|card| same && NodeId::from(&card.id) == *node) else {
            if answered && self.detail.looking {
                self.ask_look();
            }
            return;
        };
        self.detail.looking = false;
        let alert = self.selected.as_ref().and_then(|id| self.alerts.read(id));
        let newcomers = self.detail.newcomers.len();
        let found = alert.map(|alert| self.judge(alert, card, (graph, &look), newcomers));
        let (assessment, choices) = found.unzip();
        self.detail.assessment = assessment;
        self.detail.choices = choices.unwrap_or_default();
        self.keep_room();
        self.detail.look = look;
        card_screen::fill(self);
    }

    /// Returns the card of an identity, also of one that only the map knows.
    pub fn card_of(&self, id: &IdentityId) -> Option<Identity> {
        if let Some(card) = self.inventory.identity(id) {
            return Some(card.clone());
        }
        let node = self.detail.graph.node(&NodeId::from(id))?;
        let kind = IdentityKind::Unknown;
        let card = Identity::not_in_inventory(id.clone(), node.label.clone(), kind);
        Some(self.reachable(card))
    }

    /// Returns what the policy says about an identity on an alert, and what could be done.
    pub fn judge(
        &self,
        alert: &Alert,
        card: &Identity,
        (graph, look): (&Graph, &Look),
        newcomers: usize,
    ) -> (Assessment, Vec<Choice>) {
        let name = card.connector.as_ref();
        let facts = self.facts(alert, Some(card), (graph, look), newcomers);
        let assessment = self.policy.assess(&facts);
        let situation = Situation {
            alert,
            identity: card,
            capabilities: name.and_then(|name| self.capabilities.get(name)),
            impact: &look.impact,
            exposure: &look.exposure,
            facts: &facts,
            assessment: &assessment,
            closed: self
                .decisions
                .closed_layers(self.decisions.acts_on(&card.id)),
        };
        let mut choices = choices(&situation, &self.playbooks);
        self.limit(&mut choices, card);
        (assessment, choices)
    }

    /// Returns the plans that could be made for somebody else on the map of an alert. What joined the incident is about the
    /// alert's own identity, not about this one.
    pub fn plans_for(&self, alert: &Alert, card: &Identity, graph: &Graph) -> Vec<Choice> {
        let look = Look::at(graph, &NodeId::from(&card.id), Limits::AT_ONCE);
        let (_, mut choices) = self.judge(alert, card, (graph, &look), 0);
        choices.retain(|choice| choice.playbook.is_some());
        choices
    }

    /// Returns the map with what the provider of an identity says and what joined the incident; the one at hand where
    /// nothing changed.
    fn map_around(&self, card: &Identity, alert: &Alert) -> Detail {
        let base = self.inventory.graph();
        let live = self.live.get(&card.id).filter(|live| live.at.is_some());
        let context = live.map(|live| &live.context);
        let deeds = self.deeds.of(&card.id).iter();
        let open = |deed: &&Deed| !self.row_state(&deed.alert).is_over();
        let deeds: Vec<Deed> = deeds.filter(open).cloned().collect();
        let newcomers = newcomers(card, alert.exposed_since(), &deeds, context, base);
        let live_at = live.and_then(|live| live.at);
        let known = &self.detail;
        let same = known.identity.as_ref() == Some(card)
            && Arc::ptr_eq(&known.base, base)
            && known.live_at == live_at
            && known.newcomers == newcomers;
        if same {
            return Detail {
                choices: Vec::new(),
                assessment: None,
                ..known.clone()
            };
        }
        let mut graph = base.clone();
        if context.is_some() || !newcomers.is_empty() {
            let graph = Arc::make_mut(&mut graph);
            if let Some(context) = context {
                draw_live(graph, card, context);
            }
            draw_newcomers(graph, card, &newcomers);
        }
        let small = graph.edges() <= AT_ONCE_EDGES;
        let limits = if small { Limits::FULL } else { Limits::AT_ONCE };
        let look = Look::at(&graph, &NodeId::from(&card.id), limits);
        Detail {
            identity: Some(card.clone()),
            candidates: Vec::new(),
            graph,
            look: Arc::new(look),
            looking: false,
            newcomers,
            base: base.clone(),
            live_at,
            choices: Vec::new(),
            assessment: None,
        }
    }

    /// Gives the card of an unlisted identity the connector of the provider that the alert names: what an intruder makes
    /// is in no inventory, and must be reachable all the same.
    fn reachable(&self, mut card: Identity) -> Identity {
        let provider = card
            .id
            .as_str()
            .split_once(':')
            .map_or("", |(provider, _)| provider);
        let native = card
            .id
            .as_str()
            .split_once(':')
            .map_or("", |(_, native)| native);
        if card.connector.is_none() && self.capabilities.contains_key(provider) {
            card.connector = Some(provider.to_owned());
            if let Some(param) = self.id_params.get(provider) {
                card.params.insert(param.clone(), native.to_owned());
            }
        }
        card
    }

    /// Computes identity, map and choices for one alert.
    pub fn detail_of(&self, id: &AlertId) -> Detail {
        let alert = self.alerts.read(id);
        alert.map_or_else(Detail::default, |alert| self.detail_for(alert))
    }

    /// Computes identity, map and choices for an alert that is at hand.
    pub fn detail_for(&self, alert: &Alert) -> Detail {
        let (identity, candidates) = match self.inventory.resolve(alert) {
            Resolution::Known(id) => (self.inventory.identity(&id).cloned(), Vec::new()),
            Resolution::Unlisted(card) => (Some(self.reachable(*card)), Vec::new()),
            Resolution::Candidates(found) => (None, found),
            Resolution::Unresolved => (None, Vec::new()),
        };
        let Some(card) = &identity else {
            return Detail {
                candidates,
                ..Detail::default()
            };
        };
        let mut detail = self.map_around(card, alert);
        let around = (&*detail.graph, &*detail.look);
        let (assessment, choices) = self.judge(alert, card, around, detail.newcomers.len());
        detail.assessment = Some(assessment);
        detail.choices = choices;
        detail
    }
}
