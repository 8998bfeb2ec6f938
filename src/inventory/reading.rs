//! What is read of one source, and everything that is wrong with it.

use std::collections::{BTreeSet, HashMap};
use std::fmt::Display;
use std::sync::Arc;

use jiff::Timestamp;

use crate::domain::graph::{Edge, Node};
use crate::domain::identity::merge::Account;
use crate::domain::identity::roster::Team;
use crate::domain::identity::{Identity, Origin};
use crate::domain::ids::IdentityId;
use crate::domain::inventory::{Loss, Mistake};
use crate::domain::text::{Untrusted, fit, show};

/// Most mistakes of one source that are told one by one.
pub(super) const MOST_MISTAKES: usize = 100;

/// Longest text of a card, in bytes: what is longer is no name, owner or reason.
const LONGEST_TEXT: usize = 4_096;

/// Longest id, in bytes. AWS documents 2,048 for ARNs.
const LONGEST_ID: usize = 2_048;

/// Most items of one list of a card; who holds more is broken into several by any provider.
const MOST_ITEMS: usize = 2_000;

/// Longest message taken over from a parser, in terminal cells.
const LONGEST_MESSAGE: usize = 300;

/// What is known of a source before it is read.
#[derive(Clone, Debug)]
pub(super) struct About {
    /// Its place in the order of trust.
    pub rank: usize,
    /// Where its entries come from, unless they say when they are from.
    pub origin: Arc<Origin>,
    /// What stands before the colon of ids, where the format leaves that open.
    pub provider: Option<String>,
    /// The connector of those that name none.
    pub connector: Option<String>,
}

/// An edge, and in which line it stands.
#[derive(Clone, Debug)]
pub(super) struct Drawn {
    pub edge: Edge,
    pub line: usize,
}

/// Everything that was read of one source.
#[derive(Debug)]
pub(super) struct Reading {
    pub about: About,
    pub accounts: Vec<Account>,
    pub nodes: Vec<Node>,
    pub edges: Vec<Drawn>,
    pub teams: Vec<Team>,
    /// Providers that compare names without regard to case.
    pub folding: BTreeSet<String>,
    /// By class of credential.
    pub offboarding: Vec<(String, Untrusted)>,
    pub mistakes: Vec<Mistake>,
    /// How many more there are.
    unsaid: usize,
    /// Several entries about one identity are how this format says several things about it.
    pub repeats: bool,
    /// Where each identity was seen first.
    lines: HashMap<IdentityId, usize>,
    /// The format of what was read, where it is one.
    pub format: Option<&'static str>,
}

impl Reading {
    pub fn new(about: About) -> Self {
        Self {
            about,
            accounts: Vec::new(),
            nodes: Vec::new(),
            edges: Vec::new(),
            teams: Vec::new(),
            folding: BTreeSet::new(),
            offboarding: Vec::new(),
            mistakes: Vec::new(),
            unsaid: 0,
            repeats: false,
            lines: HashMap::new(),
            format: None,
        }
    }

    /// Notes a mistake in a line; 0 where it is in none.
    pub fn mistake(&mut self, line: usize, problem: impl Display, loss: Loss) {
        if self.mistakes.len() >= MOST_MISTAKES {
            self.unsaid += 1;
            return;
        }
        self.mistakes.push(Mistake {
            source: self.about.rank,
            place: show(&self.about.origin.place).into_owned(),
            line,
            problem: bounded(&problem.to_string()),
            loss,
        });
    }

    /// Says how many mistakes were not told.
    pub fn finish(&mut self) {
        if self.unsaid > 0 {
            let place = show(&self.about.origin.place).into_owned();
            self.mistakes.push(Mistake {
                source: self.about.rank,
                place,
                line: 0,
                problem: format!("{} more mistakes like these", self.unsaid),
                loss: Loss::Entry,
            });
        }
    }

    /// Takes a card. `as_of` is when the entry says that it was true.
    pub fn card(&mut self, line: usize, mut card: Identity, as_of: Option<Timestamp>) {
        let id = show(card.id.as_str()).into_owned();
        match card.id.as_str().split_once(':') {
            Some((provider, native)) if !provider.is_empty() && !native.is_empty() => {}
            _ => {
                let problem = format!(
                    "id: `{}` is not `provider:native-id`, such as `keycloak:svc-deploy`",
                    fit(&id, 80, "…")
                );
                return self.mistake(line, problem, Loss::Entry);
            }
        }
        if card.id.as_str().len() > LONGEST_ID {
            let problem =
                format!("id: longer than {LONGEST_ID} bytes, which no provider gives out");
            return self.mistake(line, problem, Loss::Entry);
        }
        self.limit(line, &id, &mut card);
        if let Some(&first) = self.lines.get(&card.id).filter(|_| !self.repeats) {
            let problem = format!(
                "id: `{id}` is listed twice, first in line {first}; they are taken together, better merge the two entries"
            );
            self.mistake(line, problem, Loss::None);
        }
        self.lines.entry(card.id.clone()).or_insert(line);
        if card.connector.is_none() {
            card.connector.clone_from(&self.about.connector);
        }
        let origin = match as_of {
            None => Arc::clone(&self.about.origin),
            at => self.dated(at),
        };
        self.accounts.push(Account {
            rank: self.about.rank,
            origin,
            line: u32::try_from(line).unwrap_or(0),
            card: Box::new(card),
        });
    }

    /// Returns the source's origin at another time; entries of one time share one.
    pub fn dated(&self, at: Option<Timestamp>) -> Arc<Origin> {
        let last = self.accounts.last().map(|a| &a.origin);
        let fits = |o: &&Arc<Origin>| o.at == at;
        match last.into_iter().chain([&self.about.origin]).find(fits) {
            Some(origin) => Arc::clone(origin),
            None => Arc::new(Origin {
                at,
                ..Origin::clone(&self.about.origin)
            }),
        }
    }

    /// Cuts what is too long or too much.
    fn limit(&mut self, line: usize, id: &str, card: &mut Identity) {
        let mut cut: Vec<&'static str> = Vec::new();
        let mut text = |name: &'static str, text: &mut Untrusted| {
            if text.raw().len() > LONGEST_TEXT {
                let end = text.raw().floor_char_boundary(LONGEST_TEXT);
                *text = Untrusted::new(&text.raw()[..end]);
                cut.push(name);
            }
        };
        text("name", &mut card.name);
        for (name, value) in [
            ("environment", &mut card.environment),
            ("workload", &mut card.workload),
            ("business_owner", &mut card.business_owner),
            ("technical_owner", &mut card.technical_owner),
            ("on_call", &mut card.on_call),
            ("contact", &mut card.contact),
            ("uninterruptible", &mut card.uninterruptible),
            ("stop_cost", &mut card.stop_cost),
        ] {
            if let Some(value) = value {
                text(name, value);
            }
        }
        card.aliases.iter_mut().for_each(|a| text("aliases", a));
        for credential in &mut card.credentials {
            text("credential.id", &mut credential.id);
            text("credential.kind", &mut credential.kind);
            for value in [
                &mut credential.store,
                &mut credential.rotation,
                &mut credential.fingerprint,
                &mut credential.offboarding,
            ]
            .into_iter()
            .flatten()
            {
                text("credential", value);
            }
            for list in [&mut credential.consumers, &mut credential.hard_coded] {
                list.truncate(MOST_ITEMS);
                for value in list {
                    text("credential", value);
                }
            }
        }
        card.scopes
            .iter_mut()
            .for_each(|s| text("scope", &mut s.name));
        for grant in &mut card.grants {
            text("grant", &mut grant.id);
            text("grant", &mut grant.to);
            grant.scopes.truncate(MOST_ITEMS);
        }
        card.recovery
            .iter_mut()
            .for_each(|r| text("recovery", &mut r.id));
        for name in cut.drain(..).collect::<BTreeSet<_>>() {
            let problem = format!(
                "{name}: a text of `{}` is longer than {LONGEST_TEXT} bytes and cut",
                fit(id, 80, "…")
            );
            self.mistake(line, problem, Loss::Entry);
        }
        let mut too_many = |name: &str, length: usize| {
            if length > MOST_ITEMS {
                let problem = format!(
                    "{name}: `{}` has {length}, of which the first {MOST_ITEMS} are read",
                    fit(id, 80, "…")
                );
                self.mistake(line, problem, Loss::Entry);
            }
        };
        too_many("aliases", card.aliases.len());
        too_many("scopes", card.scopes.len());
        too_many("credential", card.credentials.len());
        too_many("grant", card.grants.len());
        too_many("recovery", card.recovery.len());
        card.aliases.truncate(MOST_ITEMS);
        card.scopes.truncate(MOST_ITEMS);
        card.credentials.truncate(MOST_ITEMS);
        card.grants.truncate(MOST_ITEMS);
        card.recovery.truncate(MOST_ITEMS);
    }

    /// Takes a node of the map.
    pub fn node(&mut self, line: usize, mut node: Node) {
        if node.id.as_str().trim().is_empty() {
            return self.mistake(line, "id: a node needs one", Loss::Entry);
        }
        for text in [
            Some(&mut node.label),
            node.owner.as_mut(),
            node.environment.as_mut(),
        ]
        .into_iter()
        .flatten()
        {
            if text.raw().len() > LONGEST_TEXT {
                let end = text.raw().floor_char_boundary(LONGEST_TEXT);
                *text = Untrusted::new(&text.raw()[..end]);
            }
        }
        self.nodes.push(node);
    }

    /// Takes an edge of the map.
    pub fn edge(&mut self, line: usize, edge: impl Into<Edge>) {
        let edge = edge.into();
        if edge.from == edge.to {
            let (from, how) = (&edge.from, edge.kind.as_str());
            let problem = format!("`{from}` {how} itself, which says nothing");
            return self.mistake(line, problem, Loss::Entry);
        }
        self.edges.push(Drawn { edge, line });
    }
}

/// Parsers write several lines and may quote what they found.
pub(super) fn bounded(message: &str) -> String {
    let line = message.split_whitespace().collect::<Vec<_>>().join(" ");
    fit(&show(&line), LONGEST_MESSAGE, "…")
}
