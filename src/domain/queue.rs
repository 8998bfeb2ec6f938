//! The live queue: which alerts there are, in which order, and what waits behind `▲ n new`.
//!
//! While somebody reads, rows must not move under the cursor. New alerts therefore collect aside until the analyst
//! takes them in, and everything is found by id, never by row number.
//!
//! A million alerts are normal, so memory holds only what sorting, drawing and filtering need: 52 bytes an alert, its
//! id, and every other text once. The full alert is read from the store when somebody looks at it.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;

use super::alert::{Alert, Subject};
use super::filter::Filter;
use super::ids::AlertId;
use super::places::Places;
use super::text::Untrusted;
use super::urgency::{Standing, Urgency};
use super::vocabulary::{ActionPattern, Severity};
use about::About;
use environments::Environments;
use groups::Groups;
use names::{Folded, Name, Names};
use order::{Order, Rank};
use sieve::{Sieve, Sifted};
use slim::{Slim, Who};

mod about;
mod arrive;
mod environments;
mod groups;
mod names;
mod order;
mod remove;
mod room;
mod sieve;
mod slim;

pub use environments::Several;
pub use groups::{Folded as Lines, Grouping};
pub use sieve::Facts;
pub use slim::{Lane, Slot};

/// One alert with what repetition told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The alert as last seen.
    pub alert: Arc<Alert>,
    /// How often it came.
    pub count: u64,
    /// When it first came.
    pub first_seen: Timestamp,
    /// When it last came.
    pub last_seen: Timestamp,
}

/// What a line of the queue shows of an alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shown<'q> {
    /// Severity.
    pub severity: Option<Severity>,
    /// What happened.
    pub pattern: ActionPattern,
    /// The identity's name or native id, raw; `None` when the alert names nobody.
    pub identity: Option<&'q str>,
    /// What was touched, raw; may be empty.
    pub target: &'q str,
    /// Its title in lower case, raw; may be empty.
    pub title: &'q str,
    /// The incident under which its line is folded, raw; `None` where lines are folded by something else.
    pub incident: Option<&'q str>,
    /// Since when the identity is exposed.
    pub since: Timestamp,
    /// How many alerts the line stands for, and how often they came.
    pub folded: Lines,
    /// Where it stands before anything else counts.
    pub lane: Lane,
    /// Whether it is routine.
    pub is_hygiene: bool,
    /// Whether its source counts it as over.
    pub is_resolved: bool,
}

/// Alerts in order of urgency.
#[derive(Clone, Debug)]
pub struct Queue {
    rows: Vec<Slim>,
    texts: Texts,
    by_id: Places,
    who_places: Places,
    order: Order,
    /// The alerts that the filter lets through, once it has looked at all.
    chosen: Option<Order>,
    /// The filter at work.
    sieve: Option<Sieve>,
    /// What let those through, as long as no alert came or moved since it began to look.
    sifted: Option<Sifted>,
    waiting: Vec<Slot>,
    /// Alerts in the order that belong elsewhere by now, with what their class and exposure should be.
    displaced: HashMap<Slot, (u16, u32)>,
    /// Where alerts stand that are not simply open.
    lanes: HashMap<AlertId, Lane>,
    over: usize,
    /// Whether a source ever counted an alert as over.
    has_resolved: bool,
    /// Alerts that were deleted.
    gone: usize,
    /// By place in the list of subjects: what weighs in.
    standings: Vec<Standing>,
    /// By place in the list of subjects: how many alerts about it are not over.
    open_about: Vec<u32>,
    environments: Environments,
    about: About,
    groups: Option<Groups>,
    grouping: Grouping,
    /// Whether lines must be folded anew.
    refold: bool,
}

/// What the rows share, and their ids.
#[derive(Clone, Debug)]
pub struct Texts {
    names: Names,
    titles: Names,
    ids: Folded,
    whos: Vec<Who>,
}

impl Texts {
    /// Returns a subject as an alert would name it.
    fn subject(&self, who: &Who) -> Subject {
        let name = self.names.get(who.name);
        Subject {
            provider: Untrusted::from(self.names.get(who.provider)),
            native_id: Untrusted::from(self.names.get(who.native)),
            kind: who.kind,
            name: (!name.is_empty()).then(|| Untrusted::from(name)),
        }
    }
}

impl Default for Queue {
    fn default() -> Self {
        let mut names = Names::default();
        // So that the name of nothing is the default one.
        names.take("");
        Self {
            rows: Vec::new(),
            texts: Texts {
                names,
                titles: Names::default(),
                ids: Folded::default(),
                whos: Vec::new(),
            },
            by_id: Places::default(),
            who_places: Places::default(),
            order: Order::default(),
            chosen: None,
            sieve: None,
            sifted: None,
            waiting: Vec::new(),
            displaced: HashMap::new(),
            lanes: HashMap::new(),
            over: 0,
            has_resolved: false,
            gone: 0,
            standings: Vec::new(),
            open_about: Vec::new(),
            environments: Environments::default(),
            about: About::default(),
            groups: None,
            grouping: Grouping::default(),
            refold: true,
        }
    }
}

impl Queue {
    /// Counts an alert among those about its identity, or no longer, unless it is over.
    fn count(&mut self, slim: &Slim, by: i32) {
        let place = (slim.who as usize).checked_sub(1);
        if let Some(place) = place.filter(|_| slim.lane != Lane::Over) {
            let open = &mut self.open_about[place];
            *open = open.saturating_add_signed(by);
        }
    }

    fn standing(&self, who: u32) -> Standing {
        let place = (who as usize).checked_sub(1);
        place.map_or_else(Standing::default, |place| self.standings[place])
    }

    /// Returns the native id of a subject.
    fn native(&self, who: u32) -> Option<Name> {
        let place = (who as usize).checked_sub(1);
        place.map(|place| self.texts.whos[place].native)
    }

    fn is_elsewhere(&self, who: u32) -> bool {
        let native = self.native(who);
        native.is_some_and(|native| self.environments.are_several(native))
    }

    /// Tells whether the credential that an alert is about is named in a second environment.
    pub fn is_named_elsewhere(&self, id: &AlertId) -> bool {
        self.slot(id)
            .is_some_and(|slot| self.is_elsewhere(self.rows[slot.at()].who))
    }

    /// Raises the alerts about credentials of which a second environment was seen just now. New ones are looked at once
    /// for all of a batch.
    fn escalate(&mut self) {
        let news = self.environments.take_news();
        if news.is_empty() {
            return;
        }
        for slot in self.about.any_of(&news) {
            let mut slim = self.rows[slot.at()];
            // It may name another one by now.
            let native = self.native(slim.who);
            if slim.is_gone || !native.is_some_and(|native| news.contains(&native)) {
                continue;
            }
            let since = self.displaced.get(&slot).map_or(slim.since, |(_, s)| *s);
            slim.escalate();
            self.rows[slot.at()] = slim;
            self.belongs(slot, (slim.class(), since));
        }
    }

    /// Tells how urgent an alert is, and why.
    pub fn urgency(&self, alert: &Alert) -> Urgency {
        let who = self
            .slot(&alert.id)
            .map_or(0, |slot| self.rows[slot.at()].who);
        Urgency::of(alert, self.standing(who), self.is_elsewhere(who))
    }

    /// Notes where an alert belongs. One that stands in the order stays there until rows may move.
    fn belongs(&mut self, slot: Slot, (class, since): (u16, u32)) {
        let slim = &mut self.rows[slot.at()];
        if !slim.placed {
            (slim.class, slim.since) = (class, since);
        } else if (slim.class, slim.since) == (class, since) {
            self.displaced.remove(&slot);
        } else {
            self.displaced.insert(slot, (class, since));
        }
    }

    /// Moves what waited into the order, and to its place what belongs elsewhere by now.
    pub fn take_in_waiting(&mut self) {
        self.stir();
        let moved = !self.displaced.is_empty();
        let displaced = std::mem::take(&mut self.displaced);
        let stood = displaced
            .keys()
            .map(|slot| self.rows[slot.at()].rank(*slot));
        let stood: Vec<Rank> = stood.collect();
        if let Some(chosen) = &mut self.chosen {
            chosen.remove_all(stood.clone());
        }
        self.order.remove_all(stood);
        for (slot, (class, since)) in displaced {
            let slim = &mut self.rows[slot.at()];
            (slim.class, slim.since, slim.placed) = (class, since, false);
            self.waiting.push(slot);
        }
        let slots = std::mem::take(&mut self.waiting);
        let ranks: Vec<Rank> = slots
            .iter()
            .map(|slot| self.rows[slot.at()].rank(*slot))
            .collect();
        match &mut self.groups {
            // A filter looks again before it lets new ones through.
            Some(groups) if !moved && self.chosen.is_none() => groups.add(&ranks, &self.rows),
            _ => {}
        }
        self.order.add(ranks);
        for slot in slots {
            self.rows[slot.at()].placed = true;
        }
        self.refold |= moved;
        self.fold();
    }

    /// Says where alerts stand before anything else counts; they move there at the next taking in.
    pub fn set_lanes(&mut self, lanes: impl IntoIterator<Item = (AlertId, Lane)>) {
        for (id, lane) in lanes {
            self.set_lane(&id, lane);
        }
        self.fold();
    }

    fn set_lane(&mut self, id: &AlertId, lane: Lane) {
        let before = match lane {
            Lane::Open => self.lanes.remove(id),
            lane => self.lanes.insert(id.clone(), lane),
        };
        let before = before.unwrap_or_default();
        let Some(slot) = self.slot(id).filter(|_| before != lane) else {
            return;
        };
        let was = self.rows[slot.at()];
        let slim = Slim { lane, ..was };
        self.rows[slot.at()] = slim;
        self.count(&was, -1);
        self.count(&slim, 1);
        if let Some(groups) = &mut self.groups {
            groups.changed(slot, &was, &slim);
        }
        let since = self.displaced.get(&slot).map_or(slim.since, |(_, s)| *s);
        let rank = (slim.class(), since);
        self.over += usize::from(lane == Lane::Over);
        self.over -= usize::from(before == Lane::Over);
        self.belongs(slot, rank);
        // One that is over stands for no others.
        self.refold = true;
    }

    /// Says what is folded together.
    pub fn set_grouping(&mut self, by: Grouping) {
        (self.grouping, self.refold) = (by, true);
        self.fold();
    }

    /// Returns what is folded together.
    pub const fn grouping(&self) -> Grouping {
        self.grouping
    }

    /// Folds the lines anew if that is due.
    fn fold(&mut self) {
        if !std::mem::take(&mut self.refold) {
            return;
        }
        let by = self.grouping;
        if by == Grouping::Off {
            self.groups = None;
            return;
        }
        let order = self.chosen.as_ref().unwrap_or(&self.order);
        let known = self.groups.take().filter(|known| known.grouping() == by);
        let mut groups = known.unwrap_or_else(|| Groups::by(by));
        groups.fold(order, &self.rows);
        self.groups = Some(groups);
    }

    /// Lets only alerts through that a filter asks for; one that asks for all lets all through. Call
    /// [`Self::look_on`] until it has looked at all; until then what was shown stays.
    pub fn set_filter(&mut self, filter: &Filter, facts: Facts<'_>) {
        if filter.is_all() {
            (self.sieve, self.sifted) = (None, None);
            (self.chosen, self.refold) = (None, true);
            self.fold();
        } else {
            let sifted = self.sifted.as_ref();
            let within = sifted.and_then(|sifted| sifted.within(filter));
            self.sieve = Some(Sieve::new(filter, &self.texts, facts, within));
        }
    }

    /// Alerts come or move: what a filter let through before says nothing about them.
    fn stir(&mut self) {
        self.sifted = None;
        if let Some(sieve) = &mut self.sieve {
            sieve.stir();
        }
    }

    /// Lets the filter look at the next slice and returns whether there is more.
    pub fn look_on(&mut self) -> bool {
        let Some(sieve) = &mut self.sieve else {
            return false;
        };
        if sieve.look_on(&self.rows, &self.texts) {
            return true;
        }
        let narrow = self.chosen.as_ref().filter(|_| sieve.is_narrow());
        let among = narrow.unwrap_or(&self.order);
        self.chosen = Some(among.sifted(|slot| sieve.passes(slot)));
        self.sifted = self.sieve.take().and_then(Sieve::ended);
        self.refold = true;
        self.fold();
        false
    }

    /// Tells whether a filter is looking.
    pub const fn is_looking(&self) -> bool {
        self.sieve.is_some()
    }

    fn in_force(&self) -> &Order {
        let unfolded = self.chosen.as_ref().unwrap_or(&self.order);
        self.groups.as_ref().map_or(unfolded, Groups::heads)
    }

    /// Returns how many alerts wait to be shown.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Returns how many alerts the order holds that is shown.
    pub fn len(&self) -> usize {
        self.in_force().len()
    }

    /// Tells whether nothing is shown.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns how many alerts there are, shown or not.
    pub const fn all(&self) -> usize {
        self.rows.len() - self.gone
    }

    /// Returns how many alerts are not over.
    pub const fn open(&self) -> usize {
        self.all() - self.over
    }

    /// Returns the alerts in the order shown, from a place on.
    pub fn from(&self, at: usize) -> impl Iterator<Item = Slot> {
        self.in_force().from(at)
    }

    /// Returns the id of the alert at a place in the order shown.
    pub fn at(&self, at: usize) -> Option<AlertId> {
        self.in_force().get(at).map(|slot| self.id(slot))
    }

    /// Returns the id of an alert.
    pub fn id(&self, slot: Slot) -> AlertId {
        AlertId::new(self.texts.ids.get(slot.at()))
    }

    /// Finds an alert.
    pub fn slot(&self, id: &AlertId) -> Option<Slot> {
        self.slot_of(self.by_id.hash(id.as_str()), id)
    }

    fn slot_of(&self, hash: u32, id: &AlertId) -> Option<Slot> {
        let is = |at: u32| self.texts.ids.is(at as usize, id.as_str());
        let found = self.by_id.find(hash, is);
        found.map(|at| Slot::new(at as usize))
    }

    /// Returns what a line shows of an alert.
    pub fn shown(&self, slot: Slot) -> Shown<'_> {
        let slim = &self.rows[slot.at()];
        let names = &self.texts.names;
        let who = (slim.who as usize)
            .checked_sub(1)
            .map(|at| &self.texts.whos[at]);
        let identity = who.map(|who| match names.get(who.name) {
            "" => names.get(who.native),
            name => name,
        });
        Shown {
            severity: slim.severity,
            pattern: slim.pattern,
            identity,
            target: names.get(slim.target),
            title: self.texts.titles.get(slim.title),
            incident: Some(names.get(slim.incident))
                .filter(|text| self.grouping == Grouping::Incident && !text.is_empty()),
            since: Timestamp::from_second(i64::from(slim.since)).unwrap_or(Timestamp::UNIX_EPOCH),
            folded: self.lines(slot),
            lane: slim.lane,
            is_hygiene: slim.is_hygiene,
            is_resolved: slim.is_resolved,
        }
    }

    /// Returns how many alerts the line of this one stands for.
    fn lines(&self, slot: Slot) -> Lines {
        let alone = Lines {
            alerts: 1,
            times: u64::from(self.rows[slot.at()].count),
            identities: u32::from(self.rows[slot.at()].who != 0),
            worst: self.rows[slot.at()].severity,
        };
        let groups = self.groups.as_ref();
        groups
            .and_then(|g| g.folded(slot, &self.rows))
            .unwrap_or(alone)
    }

    /// Tells whether the source of an alert counts it as over.
    pub fn is_resolved(&self, id: &AlertId) -> bool {
        // Asked for every alert that comes, and seldom true of any.
        let slot = || self.slot(id);
        self.has_resolved && slot().is_some_and(|slot| self.rows[slot.at()].is_resolved)
    }

    /// Returns whom an alert names.
    pub fn subject(&self, slot: Slot) -> Option<Subject> {
        let place = (self.rows[slot.at()].who as usize).checked_sub(1)?;
        Some(self.texts.subject(&self.texts.whos[place]))
    }

    /// Finds the most urgent alert shown whose subject passes a test. Each subject is tested once.
    pub fn first_about(&self, means: impl Fn(&Subject) -> bool) -> Option<AlertId> {
        let whos = &self.texts.whos;
        let meant: Vec<bool> = whos
            .iter()
            .map(|who| means(&self.texts.subject(who)))
            .collect();
        let is_meant = |slot: &Slot| {
            let place = (self.rows[slot.at()].who as usize).checked_sub(1);
            place.is_some_and(|place| meant[place])
        };
        self.from(0).find(is_meant).map(|slot| self.id(slot))
    }

    /// Returns the points of urgency of an alert.
    pub fn points(&self, slot: Slot) -> u8 {
        self.rows[slot.at()].points
    }

    /// Returns the alerts that a line stands for, in order; the alert alone where nothing is folded. Looks at all.
    pub fn members(&self, id: &AlertId) -> Vec<AlertId> {
        let (Some(slot), Some(groups)) = (self.slot(id), &self.groups) else {
            return self.slot(id).map(|_| id.clone()).into_iter().collect();
        };
        let shown = self.chosen.as_ref().unwrap_or(&self.order);
        let members = shown
            .from(0)
            .filter(|other| groups.same(slot, *other, &self.rows));
        members.map(|slot| self.id(slot)).collect()
    }

    /// Tells whether one line stands for both alerts.
    pub fn is_one_line(&self, one: &AlertId, other: &AlertId) -> bool {
        let both = self.slot(one).zip(self.slot(other));
        both.is_some_and(|(a, b)| {
            a == b
                || self
                    .groups
                    .as_ref()
                    .is_some_and(|g| g.same(a, b, &self.rows))
        })
    }

    /// Tells whether two alerts name the same identity.
    pub fn is_about_the_same(&self, one: &AlertId, other: &AlertId) -> bool {
        let who = |id: &AlertId| self.slot(id).map_or(0, |slot| self.rows[slot.at()].who);
        who(one) != 0 && who(one) == who(other)
    }

    /// Returns how many other alerts that are not over are about the same identity.
    pub fn others_about(&self, id: &AlertId) -> u32 {
        let Some(slim) = self.slot(id).map(|slot| self.rows[slot.at()]) else {
            return 0;
        };
        let place = (slim.who as usize).checked_sub(1);
        let open = place.map_or(0, |place| self.open_about[place]);
        open.saturating_sub(u32::from(slim.lane != Lane::Over))
    }

    /// Returns the alert that stands for this one in the order shown.
    pub fn line_of(&self, id: &AlertId) -> Option<Slot> {
        let slot = self.slot(id)?;
        let Some(groups) = &self.groups else {
            return Some(slot);
        };
        Some(groups.head_of(slot, &self.rows)?.slot)
    }

    /// Returns the row number of an alert in the order shown, or of the line into which it is folded.
    pub fn position(&self, id: &AlertId) -> Option<usize> {
        let slot = self.slot(id)?;
        let own = self.rows[slot.at()].rank(slot);
        let Some(groups) = &self.groups else {
            return self.in_force().position(own);
        };
        let shown = self.chosen.as_ref().unwrap_or(&self.order);
        shown.position(own)?;
        groups.heads().position(groups.head_of(slot, &self.rows)?)
    }

    /// Returns the alert `delta` rows from `from`, stopping at the ends; the first one when `from` is not shown.
    pub fn step(&self, from: Option<&AlertId>, delta: isize) -> Option<AlertId> {
        let at = from.and_then(|id| self.position(id));
        let last = self.len().checked_sub(1)?;
        self.at(at.map_or(0, |at| at.saturating_add_signed(delta).min(last)))
    }
}

#[cfg(test)]
pub(crate) mod tests;
