//! Putting what was read of all sources together, and finding what does not fit.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::reading::{Drawn, Reading, bounded};
use crate::domain::drawing::credential_node;
use crate::domain::graph::Graph;
use crate::domain::identity::flags::Limits;
use crate::domain::identity::merge::merge_all;
use crate::domain::identity::roster::Roster;
use crate::domain::identity::{Field, Identity};
use crate::domain::ids::NodeId;
use crate::domain::inventory::{Background, Inventory, Loss, Mistake, SourceState};
use crate::domain::text::show;

/// Most mistakes told of contradictions, and of references that lead nowhere.
const MOST_OF_A_KIND: usize = 100;

/// Puts readings together, the most trusted first.
pub(super) fn assemble(
    readings: Vec<Reading>,
    mut states: Vec<SourceState>,
    limits: Limits,
) -> Inventory {
    let mut background = Background {
        limits,
        ..Background::default()
    };
    let mut graph = Graph::default();
    let (mut accounts, mut edges, mut described) = (Vec::new(), Vec::new(), HashSet::new());
    let mut offboarding: BTreeMap<_, _> = BTreeMap::new();
    for mut reading in readings {
        reading.finish();
        let rank = reading.about.rank;
        if let Some(state) = states.get_mut(rank) {
            let ids: HashSet<_> = reading.accounts.iter().map(|a| &a.card.id).collect();
            state.identities = ids.len();
        }
        let place = show(&reading.about.origin.place).into_owned();
        for node in reading.nodes {
            // The more trusted source comes first and stays.
            if described.insert(node.id.clone()) {
                graph.add_node(node);
            }
        }
        edges.extend(reading.edges.into_iter().map(|e| (rank, place.clone(), e)));
        accounts.extend(reading.accounts);
        reading
            .teams
            .into_iter()
            .for_each(|t| background.roster.add(t));
        background.folding.extend(reading.folding);
        for (class, procedure) in reading.offboarding {
            offboarding.entry(class).or_insert(procedure);
        }
        background.mistakes.extend(reading.mistakes);
    }
    background.offboarding = offboarding;
    for account in &mut accounts {
        let (rank, place) = (account.rank, &account.origin.place);
        let found = owns_itself(&mut account.card, &background.roster);
        background
            .mistakes
            .extend(found.into_iter().map(|problem| Mistake {
                source: rank,
                place: show(place).into_owned(),
                line: account.line as usize,
                problem,
                loss: Loss::Entry,
            }));
    }
    let cards = merge_all(accounts);
    contradictions(&cards, &states, &mut background.mistakes);
    dangling(&cards, &edges, &described, &mut background.mistakes);
    for (_, _, edge) in edges {
        graph.add(edge.edge);
    }
    background.sources = states;
    background.mistakes.sort_by_key(|m| (m.source, m.line));
    Inventory::build(cards, graph, background)
}

/// Takes out owners that are the identity itself: it would answer to nobody. A team may be called like what it runs.
fn owns_itself(card: &mut Identity, roster: &Roster) -> Vec<String> {
    let own = [
        card.id.as_str().to_owned(),
        card.native_id().to_owned(),
        card.name.raw().to_owned(),
    ];
    let id = show(card.id.as_str()).into_owned();
    let mut found = Vec::new();
    for (field, owner) in [
        (Field::BusinessOwner, &mut card.business_owner),
        (Field::TechnicalOwner, &mut card.technical_owner),
    ] {
        let is_self = owner
            .as_ref()
            .is_some_and(|o| own.iter().any(|s| s == o.raw()) && roster.find(o.raw()).is_none());
        if is_self {
            *owner = None;
            found.push(bounded(&format!(
                "{field}: `{id}` cannot own itself; name who answers for it"
            )));
        }
    }
    found
}

/// Tells what sources say differently, each in the place of the one that is not in force.
fn contradictions(cards: &[Identity], states: &[SourceState], mistakes: &mut Vec<Mistake>) {
    let ranks: HashMap<&str, usize> = states.iter().map(|s| &*s.place).zip(0..).collect();
    let all = cards
        .iter()
        .flat_map(|card| card.contradictions().map(move |said| (card, said)));
    let mut more = 0;
    for (index, (card, said)) in all.enumerate() {
        if index >= MOST_OF_A_KIND {
            more += 1;
            continue;
        }
        let value = said.value.as_ref().map(|v| v.show()).unwrap_or_default();
        let winner = card
            .origin(&said.at)
            .map_or_else(String::new, |o| format!(", which {} says", show(&o.source)));
        let problem = format!(
            "{} of `{}`: `{value}` contradicts what is used{winner}",
            said.at, card.id
        );
        mistakes.push(Mistake {
            source: ranks.get(&*said.origin.place).copied().unwrap_or(0),
            place: show(&said.origin.place).into_owned(),
            line: said.line as usize,
            problem: bounded(&problem),
            loss: Loss::None,
        });
    }
    left_out(more, "contradictions; the cards show them", mistakes);
}

/// Says how many of a kind were not told.
fn left_out(more: usize, what: &str, mistakes: &mut Vec<Mistake>) {
    if more > 0 {
        mistakes.push(Mistake {
            source: usize::MAX,
            place: "all sources".to_owned(),
            line: 0,
            problem: format!("{more} more {what}"),
            loss: Loss::None,
        });
    }
}

/// Tells which edges lead to something that nobody describes. They are drawn all the same.
fn dangling(
    cards: &[Identity],
    edges: &[(usize, String, Drawn)],
    described: &HashSet<NodeId>,
    mistakes: &mut Vec<Mistake>,
) {
    let mut known: HashSet<NodeId> = HashSet::new();
    for card in cards {
        known.insert(NodeId::from(&card.id));
        for credential in &card.credentials {
            known.insert(credential_node(&card.id, credential.id.raw()));
            known.extend(
                credential
                    .store
                    .as_ref()
                    .map(|s| NodeId::new(format!("store:{}", s.raw()))),
            );
        }
    }
    let mut more = 0;
    let mut told = 0;
    for (rank, place, Drawn { edge, line }) in edges {
        let ends = [&edge.from, &edge.to];
        let lost = ends
            .into_iter()
            .find(|end| !described.contains(*end) && !known.contains(*end));
        let Some(lost) = lost else { continue };
        if told >= MOST_OF_A_KIND {
            more += 1;
            continue;
        }
        told += 1;
        let problem = format!(
            "`{}` {} `{}`: nothing describes `{lost}`, so what hangs on it is unknown",
            edge.from,
            edge.kind.as_str(),
            edge.to
        );
        mistakes.push(Mistake {
            source: *rank,
            place: place.clone(),
            line: *line,
            problem: bounded(&problem),
            loss: Loss::None,
        });
    }
    left_out(more, "references that lead nowhere", mistakes);
}
