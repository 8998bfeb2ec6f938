//! Letting a filter look over a million alerts without holding anybody up.
//!
//! What many alerts share is looked at once: one pass over the distinct texts tells which of them contain a word, and
//! each row then costs a few bits. The rows are taken in slices, so that a key pressed meanwhile is answered.

use std::collections::HashMap;

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
    filter: Filter,
    parts: Vec<(bool, Part)>,
    states: HashMap<Slot, &'static str>,
    now: u32,
    /// Where to look; everywhere without it.
    within: Option<Hits>,
    bits: Hits,
    looked_at: usize,
    /// Whether alerts came or moved since it began.
    is_stirred: bool,
}

/// What a filter let through.
#[derive(Clone, Debug)]
pub struct Sifted {
    filter: Filter,
    bits: Hits,
}

impl Sifted {
    /// Returns where a filter has to look that may let through nothing else; `None` where it has to look everywhere.
    pub fn within(&self, filter: &Filter) -> Option<Hits> {
        filter.narrows(&self.filter).then(|| self.bits.clone())
    }
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
    titles: Option<Hits>,
    targets: Option<Hits>,
    actions: Option<Hits>,
    sources: Option<Hits>,
    incidents: Option<Hits>,
    whos: Option<Hits>,
    /// There are as many ids as alerts, so they are looked at with the rows and not ahead of them.
    ids: Option<Match>,
}

impl Any {
    /// Tells which of the rows from a slot on have it: one pass for each place where it may stand at all.
    fn having(&self, from: usize, rows: &[Slim], among: &Bits, ids: &Folded) -> Bits {
        let mut found = Bits::default();
        if let Some(hits) = &self.titles {
            found.mark(rows, among, |_, row| hits.has(row.title.at()));
        }
        if let Some(hits) = &self.targets {
            found.mark(rows, among, |_, row| hits.has(row.target.at()));
        }
        if let Some(hits) = &self.whos {
            found.mark(rows, among, |_, row| hits.has(row.who as usize));
        }
        if let Some(hits) = &self.actions {
            found.mark(rows, among, |_, row| hits.has(row.action.at()));
        }
        if let Some(hits) = &self.sources {
            found.mark(rows, among, |_, row| hits.has(row.source.at()));
        }
        if let Some(hits) = &self.incidents {
            found.mark(rows, among, |_, row| hits.has(row.incident.at()));
        }
        match &self.ids {
            Some(Match::Contains(text)) => {
                // Far apart, each costs as much as the way to it.
                if found.left(among) > rows.len() / 8 {
                    let all = from..from + rows.len();
                    ids.containing_among(text, all, |at| found.add(at - from));
                } else {
                    let contains = ids.contains(text);
                    found.mark_each(among, |at| contains(from + at));
                }
            }
            Some(wanted) => found.mark_each(among, |at| wanted.means(ids.get(from + at))),
            None => {}
        }
        found
    }
}

/// Rows that are looked at together: few enough to stay near while one test after another goes over them.
const TOGETHER: usize = 4_096;

/// Which of them pass.
#[derive(Clone, Copy)]
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

    /// Those of some places from one on, where a word begins, that are in a set.
    fn within(hits: &Hits, from: usize) -> Self {
        let mut found = Self::default();
        for (mine, theirs) in found.0.iter_mut().zip(hits.words(from)) {
            *mine = *theirs;
        }
        found
    }

    fn add(&mut self, at: usize) {
        self.0[at / 64] |= 1 << (at % 64);
    }

    fn is_empty(&self) -> bool {
        self.0.iter().all(|bits| *bits == 0)
    }

    /// Returns how many of some others are not in it.
    fn left(&self, among: &Self) -> usize {
        let left = self.0.iter().zip(&among.0);
        left.map(|(bits, among)| (among & !bits).count_ones() as usize)
            .sum()
    }

    /// Adds those of the rows among some others that pass a test, which gets their places in `rows`.
    fn mark(&mut self, rows: &[Slim], among: &Self, passes: impl Fn(usize, &Slim) -> bool) {
        let words = self.0.iter_mut().zip(&among.0).zip(rows.chunks(64));
        for (word, ((bits, among), rows)) in words.enumerate() {
            let left = *among & !*bits;
            // Where few are left, the others need not be read.
            if left.count_ones() < 16 {
                for at in places(&[left]).take_while(|at| *at < rows.len()) {
                    *bits |= u64::from(passes(word * 64 + at, &rows[at])) << at;
                }
                continue;
            }
            for (at, row) in rows.iter().enumerate() {
                *bits |= u64::from(passes(word * 64 + at, row)) << at;
            }
        }
    }

    /// Adds those of the places among some others that pass a test.
    fn mark_each(&mut self, among: &Self, passes: impl Fn(usize) -> bool) {
        for (word, (bits, among)) in self.0.iter_mut().zip(&among.0).enumerate() {
            for at in places(&[*among & !*bits]) {
                *bits |= u64::from(passes(word * 64 + at)) << at;
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
    /// Makes a filter ready. This looks once at every distinct text. `within` is where to look, if not everywhere.
    pub fn new(filter: &Filter, texts: &Texts, facts: Facts<'_>, within: Option<Hits>) -> Self {
        let parts = filter
            .terms
            .iter()
            .map(|Term { negated, test }| (*negated, part(test, texts, &facts)))
            .collect();
        Self {
            filter: filter.clone(),
            parts,
            states: facts.states,
            now: facts.now,
            within,
            bits: Hits::default(),
            looked_at: 0,
            is_stirred: false,
        }
    }

    /// Looks at the next rows and returns whether there are more.
    pub fn look_on(&mut self, rows: &[Slim], texts: &Texts) -> bool {
        let all = rows.len();
        let end = all.min(self.looked_at + SLICE);
        self.bits.grow(end);
        for from in (self.looked_at..end).step_by(TOGETHER) {
            let rows = &rows[from..end.min(from + TOGETHER)];
            let passing = self.passing(from, rows, texts);
            self.bits.add_words(from, &passing.0);
        }
        self.looked_at = end;
        end < all
    }

    /// Tells whether a row that was looked at passes.
    pub fn passes(&self, slot: Slot) -> bool {
        self.bits.has(slot.at())
    }

    /// Alerts come or move: it looks everywhere, from the beginning if it did not before.
    pub fn stir(&mut self) {
        self.is_stirred = true;
        if self.within.take().is_some() {
            (self.bits, self.looked_at) = (Hits::default(), 0);
        }
    }

    /// Tells whether it looked only at what another let through.
    pub const fn is_narrow(&self) -> bool {
        self.within.is_some()
    }

    /// Returns what it let through, if that is still so.
    pub fn ended(self) -> Option<Sifted> {
        let Self { filter, bits, .. } = self;
        (!self.is_stirred).then_some(Sifted { filter, bits })
    }

    /// Returns which of the rows from a slot on pass, and perhaps some behind them.
    fn passing(&self, from: usize, rows: &[Slim], texts: &Texts) -> Bits {
        let everywhere = Bits([u64::MAX; TOGETHER / 64]);
        let within = self.within.as_ref();
        let mut passing = within.map_or(everywhere, |within| Bits::within(within, from));
        for (negated, part) in &self.parts {
            if passing.is_empty() {
                break;
            }
            let found = self.having(part, from, rows, &passing, texts);
            passing.keep(&found, *negated);
        }
        passing
    }

    /// Returns which of the rows from a slot on have what a part asks for, among some of them.
    fn having(&self, part: &Part, from: usize, rows: &[Slim], among: &Bits, texts: &Texts) -> Bits {
        let of = |test: &dyn Fn(&Slim) -> bool| Bits::of(rows, among, |_, row| test(row));
        match part {
            Part::Any(any) => any.having(from, rows, among, &texts.ids),
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
        ids: Some(Match::Contains(text.to_owned())),
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
        Field::Id => any.ids = Some(wanted.clone()),
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::Queue;
    use super::super::tests::{begin_filter, row, unknown};
    use super::*;
    use crate::domain::ids::AlertId;

    #[derive(Clone, Debug)]
    enum Act {
        Come(usize, bool, bool),
        Move,
        Go(usize),
        Type(&'static str, bool),
    }

    fn act() -> impl Strategy<Value = Act> {
        // Typed on, turned around, taken back, and with something behind it.
        const TYPED: [&str; 12] = [
            "",
            "a",
            "a1",
            "a12",
            "1",
            "a -a1",
            "a -a12",
            "a 2",
            "a1 sev:low",
            "sev:low",
            "sev:low 1",
            "-1",
        ];
        let typed = proptest::sample::select(&TYPED[..]);
        prop_oneof![
            4 => (0_usize..130, any::<bool>(), any::<bool>()).prop_map(|(n, low, follow)| Act::Come(n, low, follow)),
            1 => Just(Act::Move),
            1 => (0_usize..130).prop_map(Act::Go),
            6 => (typed, any::<bool>()).prop_map(|(text, ends)| Act::Type(text, ends)),
        ]
    }

    fn shown(queue: &Queue) -> Vec<AlertId> {
        queue.from(0).map(|slot| queue.id(slot)).collect()
    }

    proptest! {
        /// Whatever was looked for before, and whatever comes while it is looked for.
        #[test]
        fn a_look_at_what_is_left_finds_what_a_look_at_all_finds(acts in proptest::collection::vec(act(), 1..40)) {
            let mut queue = Queue::default();
            let mut typed = "";
            for (at, act) in acts.into_iter().enumerate() {
                match act {
                    Act::Come(n, low, follow) => {
                        let severity = low.then_some(Severity::Low);
                        let exposed = i64::try_from(at).unwrap();
                        queue.take([&row(&format!("a{n}"), severity, exposed)], follow, &unknown);
                    }
                    Act::Move => queue.take_in_waiting(),
                    Act::Go(n) => drop(queue.remove(&[AlertId::new(format!("a{n}"))])),
                    Act::Type(text, ends) => {
                        typed = text;
                        begin_filter(&mut queue, typed, &[]);
                        while ends && queue.look_on() {}
                    }
                }
                if !queue.is_looking() {
                    continue;
                }
                let (mut narrow, mut wide) = (queue.clone(), queue.clone());
                while narrow.look_on() {}
                (wide.sieve, wide.sifted, wide.chosen) = (None, None, None);
                begin_filter(&mut wide, typed, &[]);
                while wide.look_on() {}
                prop_assert_eq!(shown(&narrow), shown(&wide));
            }
        }
    }
}
