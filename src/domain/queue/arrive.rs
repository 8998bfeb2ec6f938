//! Alerts arrive: what they call things is looked up, and they get their places.
//!
//! A million alerts lie far apart in memory, and so do the texts by which they are found: waiting for one after the other is
//! most of what an alert costs here. Each look-up is therefore done for some alerts before the next one is, so that many
//! are waited for at the same time.

use super::names::Name;
use super::room;
use super::slim::{Lane, Slim, Slot, Who, seconds};
use super::{Queue, Row, Texts};
use crate::domain::alert::Subject;
use crate::domain::text::Untrusted;
use crate::domain::urgency::{Standing, Urgency};

/// Alerts for which each look-up is done before the next: as many as the processor keeps close.
const TOGETHER: usize = 64;

/// What an alert calls things.
#[derive(Clone, Copy, Debug, Default)]
pub struct Called {
    /// What was touched.
    pub target: Name,
    /// Title, in lower case.
    pub title: Name,
    /// The source's name of the event.
    pub action: Name,
    /// The alert source.
    pub source: Name,
    /// The incident that the source puts it under; empty where it names none.
    pub incident: Name,
    /// Whom it names: a place in the list of those, plus one; zero for nobody.
    pub who: u32,
    provider: Name,
    native: Name,
    name: Name,
}

fn raw(text: Option<&Untrusted>) -> &str {
    text.map_or("", Untrusted::raw)
}

fn each(rows: &[&Row], called: &mut [Called], mut take: impl FnMut(&Row, &mut Called)) {
    for (row, called) in rows.iter().zip(called) {
        take(row, called);
    }
}

impl Texts {
    /// Returns what alerts call things, but not whom they name.
    fn called(&mut self, rows: &[&Row]) -> Vec<Called> {
        let Self { names, titles, .. } = self;
        let mut called = vec![Called::default(); rows.len()];
        each(rows, &mut called, |row, called| {
            called.target = names.take(raw(row.alert.resource.as_ref().map(|r| &r.id)));
        });
        each(rows, &mut called, |row, called| {
            let subject = row.alert.subject.as_ref();
            called.native = names.take(raw(subject.map(|s| &s.native_id)));
        });
        each(rows, &mut called, |row, called| {
            let subject = row.alert.subject.as_ref();
            called.name = names.take(raw(subject.and_then(|s| s.name.as_ref())));
        });
        each(rows, &mut called, |row, called| {
            called.incident = names.take(raw(row.alert.incident.as_ref()));
        });
        // These are few.
        let (mut provider, mut source) = (Name::default(), Name::default());
        each(rows, &mut called, |row, called| {
            let subject = row.alert.subject.as_ref();
            provider = names.take_again(raw(subject.map(|s| &s.provider)), provider);
            source = names.take_again(&row.alert.source, source);
            (called.provider, called.source) = (provider, source);
            called.action = names.take(raw(row.alert.action.as_ref()));
        });
        each(rows, &mut called, |row, called| {
            called.title = titles.take_lower(row.alert.title.raw());
        });
        called
    }
}

impl Queue {
    /// Takes in alerts that arrived. Known ids are updated in place; new ones join the order at once when `follow` is
    /// set or nothing is shown yet, and wait otherwise. `known` tells what weighs in of a subject; each is asked for once.
    pub fn take<'r>(
        &mut self,
        rows: impl IntoIterator<Item = &'r Row>,
        follow: bool,
        known: &dyn Fn(&Subject) -> Standing,
    ) {
        self.stir();
        let was_empty = self.order.len() == 0;
        let rows: Vec<&Row> = rows.into_iter().collect();
        for rows in rows.chunks(TOGETHER) {
            self.take_together(rows, known);
        }
        self.escalate();
        if follow || was_empty {
            self.take_in_waiting();
        }
        self.fold();
    }

    fn take_together(&mut self, rows: &[&Row], known: &dyn Fn(&Subject) -> Standing) {
        let hash = |row: &&Row| self.by_id.hash(row.alert.id.as_str());
        let hashes: Vec<u32> = rows.iter().map(hash).collect();
        let find = |(row, hash): (&&Row, &u32)| self.slot_of(*hash, &row.alert.id);
        let slots: Vec<Option<Slot>> = rows.iter().zip(&hashes).map(find).collect();
        let mut called = self.texts.called(rows);
        for (row, called) in rows.iter().zip(&mut called) {
            let subject = row.alert.subject.as_ref();
            called.who = subject.map_or(0, |subject| self.who(subject, called, known));
        }
        let found = hashes.into_iter().zip(slots).zip(&called);
        for (row, ((hash, slot), called)) in rows.iter().zip(found) {
            // One may be there twice.
            match slot.or_else(|| self.slot_of(hash, &row.alert.id)) {
                Some(slot) => self.take_again(slot, row, called),
                None => self.take_new(hash, row, called),
            }
        }
    }

    fn take_new(&mut self, hash: u32, row: &Row, called: &Called) {
        let slot = Slot::new(self.texts.ids.push(row.alert.id.as_str()));
        self.by_id.add(hash, slot.number());
        let lane = match self.lanes.is_empty() {
            true => Lane::default(),
            false => self.lanes.get(&row.alert.id).copied().unwrap_or_default(),
        };
        self.over += usize::from(lane == Lane::Over);
        let mut slim = Slim {
            lane,
            ..Slim::default()
        };
        let since = self.describe(&mut slim, row, called);
        (slim.class, slim.since) = (slim.class(), since);
        self.count(&slim, 1);
        self.about.add(slim.who);
        room::push(&mut self.rows, slim);
        room::push(&mut self.waiting, slot);
    }

    fn take_again(&mut self, slot: Slot, row: &Row, called: &Called) {
        let before = self.rows[slot.at()];
        let mut slim = before;
        let since = self.describe(&mut slim, row, called);
        self.rows[slot.at()] = slim;
        if slim.who != before.who {
            self.about.moved(slot);
        }
        self.count(&before, -1);
        self.count(&slim, 1);
        if let Some(groups) = &mut self.groups {
            let is_same = groups.changed(slot, &before, &slim);
            // What a filter hides is in no line.
            let chosen = self.chosen.as_ref();
            let is_in_line =
                before.placed && chosen.is_none_or(|c| c.position(before.rank(slot)).is_some());
            self.refold |= is_in_line && !(is_same && groups.came_again(slot, &before, &slim));
        }
        self.belongs(slot, (slim.class(), since));
    }

    /// Takes over what a row says, and returns since when its identity is exposed.
    fn describe(&mut self, slim: &mut Slim, row: &Row, called: &Called) -> u32 {
        slim.describe(row, called);
        self.has_resolved |= slim.is_resolved;
        let standing = self.standing(called.who);
        slim.weigh(&Urgency::of(
            &row.alert,
            standing,
            self.is_elsewhere(called.who),
        ));
        seconds(row.alert.exposed_since())
    }

    /// Returns the place of a subject in the list, counted from one.
    fn who(
        &mut self,
        subject: &Subject,
        called: &Called,
        known: &dyn Fn(&Subject) -> Standing,
    ) -> u32 {
        let who = Who {
            provider: called.provider,
            native: called.native,
            name: called.name,
            kind: subject.kind,
        };
        let whos = &mut self.texts.whos;
        let hash = self.who_places.hash(who);
        let found = self.who_places.find(hash, |at| whos[at as usize] == who);
        let at = found.unwrap_or_else(|| {
            let at = u32::try_from(whos.len()).unwrap_or(u32::MAX);
            let alike = self.about.alike(who.native).map(|at| whos[at]);
            self.environments.take(&who, alike);
            room::push(whos, who);
            self.who_places.add(hash, at);
            room::push(&mut self.standings, known(subject));
            room::push(&mut self.open_about, 0);
            self.about.add_who(who.native);
            at
        });
        at.saturating_add(1)
    }
}
