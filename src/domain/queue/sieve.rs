//! Letting a filter look over a million alerts without holding anybody up.
//!
//! What many alerts share is looked at once: one pass over the distinct texts tells which of them contain a word, and
//! each row then costs a few bits. The rows are taken in slices, so that a key pressed meanwhile is answered.

use std::collections::HashMap;
use std::ops::Range;

use super::Texts;
use super::names::{Folded, Hits, places};
use super::slim::{Lane, Slim, Slot, Who};
use crate::domain::alert::Subject;
use crate::domain::filter::{Counted, Field, Filter, Match, Order, State, Term, Test};
use crate::domain::identity::Identity;
use crate::domain::text::Untrusted;
use crate::domain::vocabulary::{ActionPattern, IdentityKind, Severity};

/// Rows looked at in one slice: about a millisecond.
pub const SLICE: usize = 65_536;

/// What the queue itself does not know.
pub struct Facts<'f> {
    /// The inventory's identity of a subject, if there is just one.
    pub identity: &'f dyn Fn(&Subject) -> Option<&'f Identity>,
    /// How alerts stand, in the queue's words; those not in it are `new`.
    pub states: HashMap<Slot, &'static str>,
    /// Who has taken alerts, or was given them.
    pub analysts: HashMap<Slot, String>,
    /// Now, in Unix seconds.
    pub now: u32,
}

/// A filter made ready for the rows of a queue.
#[derive(Clone, Debug)]
pub struct Sieve {
    parts: Vec<(bool, Part)>,
    states: HashMap<Slot, &'static str>,
    now: u32,
    bits: Hits,
    looked_at: usize,
}

#[derive(Clone, Debug)]
enum Part {
    /// Any of these.
    Any(Any),
    Severity(Order, Severity),
    Number(Counted, Order, u64),
    Pattern(Vec<ActionPattern>),
    Kind(Hits),
    State(State),
    Hygiene(bool),
    Analyst(HashMap<Slot, String>, Match),
}

/// Where a text may stand, each with the texts that have it.
#[derive(Clone, Debug, Default)]
struct Any {
    ids: Option<Ids>,
    titles: Option<Hits>,
    targets: Option<Hits>,
    actions: Option<Hits>,
    sources: Option<Hits>,
    incidents: Option<Hits>,
    whos: Option<Hits>,
}

/// What ids are looked for, and which of those that were looked at are such. There are as many ids as alerts, so they
/// are looked at with the rows and not ahead of them.
#[derive(Clone, Debug)]
struct Ids {
    wanted: Match,
    hits: Hits,
}

impl Ids {
    const fn like(wanted: Match) -> Self {
        let hits = Hits::empty();
        Self { wanted, hits }
    }

    fn look_at(&mut self, slots: Range<usize>, ids: &Folded) {
        self.hits.grow(slots.end);
        match &self.wanted {
            Match::Contains(text) => ids.containing_among(text, slots, &mut self.hits),
            Match::Is(_) | Match::Like(_) => {
                for at in slots.filter(|at| self.wanted.means(ids.get(*at))) {
                    self.hits.add(at);
                }
            }
        }
    }
}

impl Any {
    /// Tells which of the rows from a slot on have it: one pass for each place where it may stand at all.
    fn having(&self, from: usize, rows: &[Slim], among: &Bits) -> Bits {
        let mut found = Bits::default();
        let mut mark = |hits: &Option<Hits>, at: fn(&Slim) -> usize| {
            if let Some(hits) = hits {
                found.mark(rows, among, |_, row| hits.has(at(row)));
            }
        };
        mark(&self.titles, |row| row.title.at());
        mark(&self.targets, |row| row.target.at());
        mark(&self.whos, |row| row.who as usize);
        mark(&self.actions, |row| row.action.at());
        mark(&self.sources, |row| row.source.at());
        mark(&self.incidents, |row| row.incident.at());
        if let Some(Ids { hits, .. }) = &self.ids {
            found.mark(rows, among, |at, _| hits.has(from + at));
        }
        found
    }
}

/// Rows that are looked at together: few enough to stay near while one test after another goes over them.
const TOGETHER: usize = 4_096;

/// Which of them pass.
struct Bits([u64; TOGETHER / 64]);

impl Default for Bits {
    fn default() -> Self {
        Self([0; TOGETHER / 64])
    }
}

impl Bits {
    /// Those of the rows among some others that pass a test, which gets their places in `rows`.
    fn of(rows: &[Slim], among: &Self, passes: impl Fn(usize, &Slim) -> bool) -> Self {
        let mut found = Self::default();
        found.mark(rows, among, passes);
        found
    }

    /// Adds those of the rows among some others that pass a test, which gets their places in `rows`.
    fn mark(&mut self, rows: &[Slim], among: &Self, passes: impl Fn(usize, &Slim) -> bool) {
        let words = self.0.iter_mut().zip(&among.0).zip(rows.chunks(64));
        for (word, ((bits, among), rows)) in words.enumerate() {
            if *among == 0 {
                continue;
            }
            for (at, row) in rows.iter().enumerate() {
                *bits |= u64::from(passes(word * 64 + at, row)) << at;
            }
        }
    }

    /// Keeps those that are in another set, or those that are not.
    fn keep(&mut self, other: &Self, negated: bool) {
        for (mine, theirs) in self.0.iter_mut().zip(&other.0) {
            *mine &= if negated { !*theirs } else { *theirs };
        }
    }
}

impl Sieve {
    /// Makes a filter ready. This looks once at every distinct text.
    pub fn new(filter: &Filter, texts: &Texts, facts: Facts<'_>) -> Self {
        let parts = filter
            .terms
            .iter()
            .map(|Term { negated, test }| (*negated, part(test, texts, &facts)))
            .collect();
        Self {
            parts,
            states: facts.states,
            now: facts.now,
            bits: Hits::default(),
            looked_at: 0,
        }
    }

    /// Looks at the next rows and returns whether there are more.
    pub fn look_on(&mut self, rows: &[Slim], texts: &Texts) -> bool {
        let all = rows.len();
        let end = all.min(self.looked_at + SLICE);
        for (_, part) in &mut self.parts {
            if let Part::Any(Any { ids: Some(ids), .. }) = part {
                ids.look_at(self.looked_at..end, &texts.ids);
            }
        }
        self.bits.grow(end);
        for from in (self.looked_at..end).step_by(TOGETHER) {
            let rows = &rows[from..end.min(from + TOGETHER)];
            let passing = self.passing(from, rows);
            let places = places(&passing.0).take_while(|at| *at < rows.len());
            places.for_each(|at| self.bits.add(from + at));
        }
        self.looked_at = end;
        end < all
    }

    /// Tells whether a row that was looked at passes.
    pub fn passes(&self, slot: Slot) -> bool {
        self.bits.has(slot.at())
    }

    /// Returns which of the rows from a slot on pass, and perhaps some behind them.
    fn passing(&self, from: usize, rows: &[Slim]) -> Bits {
        let mut passing = Bits([u64::MAX; TOGETHER / 64]);
        for (negated, part) in &self.parts {
            let found = self.having(part, from, rows, &passing);
            passing.keep(&found, *negated);
        }
        passing
    }

    /// Returns which of the rows from a slot on have what a part asks for, among some of them.
    fn having(&self, part: &Part, from: usize, rows: &[Slim], among: &Bits) -> Bits {
        let of = |test: &dyn Fn(&Slim) -> bool| Bits::of(rows, among, |_, row| test(row));
        match part {
            Part::Any(any) => any.having(from, rows, among),
            Part::Severity(order, wanted) => of(&|row| {
                row.severity
                    .is_some_and(|severity| order.holds(&severity, wanted))
            }),
            Part::Number(counted, order, wanted) => of(&|row| {
                let value = match counted {
                    Counted::Confidence => row.confidence.map(u64::from),
                    Counted::Count => Some(u64::from(row.count)),
                    Counted::Age => Some(u64::from(self.now.saturating_sub(row.since))),
                };
                value.is_some_and(|value| order.holds(&value, wanted))
            }),
            Part::Pattern(patterns) => of(&|row| patterns.contains(&row.pattern)),
            Part::Hygiene(wanted) => of(&|row| row.is_hygiene == *wanted),
            Part::Analyst(claims, wanted) => Bits::of(rows, among, |at, _| {
                let name = claims.get(&Slot::new(from + at));
                name.is_some_and(|name| wanted.means(name))
            }),
            Part::Kind(whos) => of(&|row| whos.has(row.who as usize)),
            Part::State(State::Open) => of(&|row| row.lane != Lane::Over),
            Part::State(State::Over) => of(&|row| row.lane == Lane::Over),
            Part::State(State::Word(word)) => Bits::of(rows, among, |at, row| {
                // Nobody decided or did anything about the others.
                let untouched = if row.is_resolved { "resolved" } else { "new" };
                let state = self.states.get(&Slot::new(from + at)).copied();
                state.unwrap_or(untouched) == *word
            }),
        }
    }
}

fn part(test: &Test, texts: &Texts, facts: &Facts<'_>) -> Part {
    match test {
        Test::Text(text) => Part::Any(anywhere(text, texts)),
        Test::Name(field, wanted) => Part::Any(named(*field, wanted, texts, facts)),
        Test::Severity(order, severity) => Part::Severity(*order, *severity),
        Test::Number(counted, order, number) => Part::Number(*counted, *order, *number),
        Test::Pattern(patterns) => Part::Pattern(patterns.clone()),
        Test::Kind(kind) => Part::Kind(of_kind(*kind, texts, facts)),
        Test::State(state) => Part::State(*state),
        Test::Hygiene(wanted) => Part::Hygiene(*wanted),
        Test::Analyst(wanted) => Part::Analyst(facts.analysts.clone(), wanted.clone()),
    }
}

fn anywhere(text: &str, texts: &Texts) -> Any {
    let names = texts.names.texts().containing(text);
    let whos = whos(texts, |who| {
        [who.provider, who.native, who.name]
            .into_iter()
            .any(|name| names.has_name(name))
    });
    let names = names.if_any();
    Any {
        ids: Some(Ids::like(Match::Contains(text.to_owned()))),
        titles: texts.titles.texts().containing(text).if_any(),
        whos: whos.if_any(),
        targets: names.clone(),
        actions: names.clone(),
        incidents: names.clone(),
        sources: names,
    }
}

/// Returns the places in the list of subjects, counted from one, that pass.
fn whos(texts: &Texts, passes: impl Fn(&Who) -> bool) -> Hits {
    Hits::of(texts.whos.len() + 1, |at| {
        at.checked_sub(1).is_some_and(|at| passes(&texts.whos[at]))
    })
}

fn named(field: Field, wanted: &Match, texts: &Texts, facts: &Facts<'_>) -> Any {
    let find = |texts: &Folded| match wanted {
        Match::Contains(text) => texts.containing(text),
        Match::Is(_) | Match::Like(_) => texts.passing(|name| wanted.means(name)),
    };
    let names = || find(texts.names.texts());
    let by_identity = |means: &dyn Fn(&Identity) -> bool| {
        whos(texts, |who| {
            (facts.identity)(&texts.subject(who)).is_some_and(means)
        })
    };
    let means = |text: Option<&Untrusted>| text.is_some_and(|t| wanted.means(t.raw()));
    let mut any = Any::default();
    match field {
        Field::Id => any.ids = Some(Ids::like(wanted.clone())),
        Field::Title => any.titles = Some(find(texts.titles.texts())),
        Field::Target => any.targets = Some(names()),
        Field::Action => any.actions = Some(names()),
        Field::Source => any.sources = Some(names()),
        Field::Incident => any.incidents = Some(names()),
        Field::Provider => {
            let names = names();
            any.whos = Some(whos(texts, |who| names.has_name(who.provider)));
        }
        Field::Identity => {
            let names = names();
            let has = |who: &Who| names.has_name(who.native) || names.has_name(who.name);
            any.whos = Some(whos(texts, has));
        }
        Field::Owner => {
            any.whos = Some(by_identity(&|identity| {
                means(identity.business_owner.as_ref())
                    || means(identity.technical_owner.as_ref())
                    || means(identity.on_call.as_ref())
            }));
        }
        Field::Vendor => {
            any.whos = Some(by_identity(&|identity| {
                identity.has_vendor(&|name| wanted.means(name))
            }));
        }
        Field::Environment => {
            any.whos = Some(by_identity(&|identity| {
                means(identity.environment.as_ref())
            }));
        }
        Field::Key => {
            let names = names();
            let credentials =
                by_identity(&|identity| identity.credentials.iter().any(|c| means(Some(&c.id))));
            let mut hits = whos(texts, |who| names.has_name(who.native));
            hits.join(&credentials);
            any.whos = Some(hits);
            any.targets = Some(names);
        }
    }
    any
}

/// The inventory knows better than the alert.
fn of_kind(kind: IdentityKind, texts: &Texts, facts: &Facts<'_>) -> Hits {
    whos(texts, |who| {
        let known = (facts.identity)(&texts.subject(who)).map(|identity| identity.kind);
        known.unwrap_or(who.kind) == kind
    })
}
