//! The live queue: which alerts there are, in which order, and what waits behind `▲ n new`.
//!
//! While somebody reads, rows must not move under the cursor. New alerts therefore collect aside until the analyst
//! takes them in, and everything is found by id, never by row number.
//!
//! A million alerts are normal, so memory holds only what sorting, drawing and filtering need: 48 bytes an alert, its
//! id, and every other text once. The full alert is read from the store when somebody looks at it.

use std::collections::hash_map::RandomState;
use std::collections::{HashMap, HashSet};
use std::hash::BuildHasher as _;
use std::sync::Arc;

use hashbrown::HashTable;
use jiff::Timestamp;

use super::alert::{Alert, Subject};
use super::filter::Filter;
use super::ids::AlertId;
use super::text::Untrusted;
use super::vocabulary::{ActionPattern, Severity};
use names::{Folded, Names};
use order::Order;
use sieve::Sieve;
use slim::{Slim, Who, class, seconds};

mod names;
mod order;
mod sieve;
mod slim;

pub use sieve::Facts;
pub use slim::Slot;

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
    /// Since when the identity is exposed.
    pub since: Timestamp,
    /// How often it came.
    pub count: u32,
}

/// Alerts in order of urgency.
#[derive(Clone, Debug)]
pub struct Queue {
    rows: Vec<Slim>,
    texts: Texts,
    by_id: HashTable<u32>,
    hasher: RandomState,
    who_places: HashMap<Who, u32>,
    order: Order,
    /// The alerts that the filter lets through, once it has looked at all.
    chosen: Option<Order>,
    /// The filter at work.
    sieve: Option<Sieve>,
    waiting: Vec<Slot>,
    /// Alerts in the order that belong elsewhere by now, with what their class and exposure should be.
    displaced: HashMap<Slot, (u16, u32)>,
    closed: HashSet<AlertId>,
    closed_rows: usize,
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
            by_id: HashTable::new(),
            hasher: RandomState::new(),
            who_places: HashMap::new(),
            order: Order::default(),
            chosen: None,
            sieve: None,
            waiting: Vec::new(),
            displaced: HashMap::new(),
            closed: HashSet::new(),
            closed_rows: 0,
        }
    }
}

impl Queue {
    /// Takes in alerts that arrived. Known ids are updated in place; new ones join the order at once when `follow` is
    /// set or nothing is shown yet, and wait otherwise.
    pub fn take<'r>(&mut self, rows: impl IntoIterator<Item = &'r Row>, follow: bool) {
        let was_empty = self.order.len() == 0;
        for row in rows {
            match self.slot(&row.alert.id) {
                Some(slot) => self.take_again(slot, row),
                None => self.take_new(row),
            }
        }
        if follow || was_empty {
            self.take_in_waiting();
        }
    }

    fn take_new(&mut self, row: &Row) {
        let slot = Slot::new(self.texts.ids.push(row.alert.id.as_str()));
        let id = row.alert.id.as_str();
        let (hasher, ids) = (&self.hasher, &self.texts.ids);
        self.by_id
            .insert_unique(hasher.hash_one(id), slot.number(), |at| {
                hasher.hash_one(ids.get(*at as usize))
            });
        let closed = self.closed.contains(&row.alert.id);
        self.closed_rows += usize::from(closed);
        let mut slim = Slim {
            closed,
            ..Slim::default()
        };
        self.describe(&mut slim, row);
        (slim.class, slim.since) = rank_of(row, closed);
        self.rows.push(slim);
        self.waiting.push(slot);
    }

    fn take_again(&mut self, slot: Slot, row: &Row) {
        let mut slim = self.rows[slot.at()];
        self.describe(&mut slim, row);
        self.rows[slot.at()] = slim;
        self.belongs(slot, rank_of(row, slim.closed));
    }

    fn describe(&mut self, slim: &mut Slim, row: &Row) {
        let who = row.alert.subject.as_ref().map_or(0, |s| self.who(s));
        let Texts { names, titles, .. } = &mut self.texts;
        slim.describe(row, who, names, titles);
    }

    /// Returns the place of a subject in the list, counted from one.
    fn who(&mut self, subject: &Subject) -> u32 {
        let names = &mut self.texts.names;
        let who = Who {
            provider: names.take(subject.provider.raw()),
            native: names.take(subject.native_id.raw()),
            name: names.take(subject.name.as_ref().map_or("", Untrusted::raw)),
            kind: subject.kind,
        };
        let whos = &mut self.texts.whos;
        *self.who_places.entry(who).or_insert_with(|| {
            whos.push(who);
            u32::try_from(whos.len()).unwrap_or(u32::MAX)
        })
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
        for (slot, (class, since)) in std::mem::take(&mut self.displaced) {
            let before = self.rows[slot.at()].rank(slot);
            self.order.remove(before, &self.rows);
            if let Some(chosen) = &mut self.chosen {
                chosen.remove(before, &self.rows);
            }
            let slim = &mut self.rows[slot.at()];
            (slim.class, slim.since, slim.placed) = (class, since, false);
            self.waiting.push(slot);
        }
        let slots = std::mem::take(&mut self.waiting);
        let ranks = slots.iter().map(|slot| self.rows[slot.at()].rank(*slot));
        self.order.add(ranks.collect(), &self.rows);
        for slot in slots {
            self.rows[slot.at()].placed = true;
        }
    }

    /// Says which alerts are over, and sorts them behind the open ones at the next taking in.
    pub fn set_closed(&mut self, id: &AlertId, closed: bool) {
        let changed = if closed {
            self.closed.insert(id.clone())
        } else {
            self.closed.remove(id)
        };
        let Some(slot) = self.slot(id).filter(|_| changed) else {
            return;
        };
        let slim = &mut self.rows[slot.at()];
        slim.closed = closed;
        let since = self.displaced.get(&slot).map_or(slim.since, |(_, s)| *s);
        let rank = (class(slim.severity, closed), since);
        self.closed_rows = if closed {
            self.closed_rows + 1
        } else {
            self.closed_rows - 1
        };
        self.belongs(slot, rank);
    }

    /// Lets only alerts through that a filter asks for; one that asks for all lets all through. Call
    /// [`Self::look_on`] until it has looked at all; until then what was shown stays.
    pub fn set_filter(&mut self, filter: &Filter, facts: Facts<'_>) {
        if filter.is_all() {
            (self.sieve, self.chosen) = (None, None);
        } else {
            self.sieve = Some(Sieve::new(filter, &self.texts, facts));
        }
    }

    /// Lets the filter look at the next slice and returns whether there is more.
    pub fn look_on(&mut self) -> bool {
        let Some(sieve) = &mut self.sieve else {
            return false;
        };
        if sieve.look_on(&self.rows) {
            return true;
        }
        self.chosen = Some(self.order.sifted(|slot| sieve.passes(slot)));
        self.sieve = None;
        false
    }

    /// Tells whether a filter is looking.
    pub const fn is_looking(&self) -> bool {
        self.sieve.is_some()
    }

    fn in_force(&self) -> &Order {
        self.chosen.as_ref().unwrap_or(&self.order)
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
        self.rows.len()
    }

    /// Returns how many alerts are not over.
    pub const fn open(&self) -> usize {
        self.rows.len() - self.closed_rows
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
        let hash = self.hasher.hash_one(id.as_str());
        let is = |at: &u32| self.texts.ids.get(*at as usize) == id.as_str();
        self.by_id.find(hash, is).map(|at| Slot::new(*at as usize))
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
            since: Timestamp::from_second(i64::from(slim.since)).unwrap_or(Timestamp::UNIX_EPOCH),
            count: slim.count,
        }
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

    /// Returns the row number of an alert in the order shown.
    pub fn position(&self, id: &AlertId) -> Option<usize> {
        let slot = self.slot(id)?;
        self.in_force()
            .position(self.rows[slot.at()].rank(slot), &self.rows)
    }

    /// Returns the alert `delta` rows from `from`, stopping at the ends; the first one when `from` is not shown.
    pub fn step(&self, from: Option<&AlertId>, delta: isize) -> Option<AlertId> {
        let at = from.and_then(|id| self.position(id));
        let last = self.len().checked_sub(1)?;
        self.at(at.map_or(0, |at| at.saturating_add_signed(delta).min(last)))
    }
}

/// Returns class and exposure of an alert.
fn rank_of(row: &Row, closed: bool) -> (u16, u32) {
    (
        class(row.alert.severity, closed),
        seconds(row.alert.exposed_since()),
    )
}

#[cfg(test)]
pub(crate) mod tests {
    use rstest::rstest;

    use super::super::vocabulary::ActionPattern;
    use super::*;

    pub(crate) fn alert(id: &str, severity: Option<Severity>, exposed: i64) -> Alert {
        Alert {
            id: AlertId::new(id),
            native_id: None,
            candidates: Vec::new(),
            source: "test".into(),
            format: "ocsf_detection_finding".into(),
            time: Timestamp::from_second(exposed).ok(),
            observed: Timestamp::from_second(exposed).unwrap(),
            exposed_at: None,
            title: Untrusted::from("title"),
            severity,
            severity_raw: None,
            confidence: Some(90),
            pattern: ActionPattern::CredentialExposed,
            subject: None,
            resource: None,
            action: None,
            evidence_url: None,
            incident: None,
            techniques: Vec::new(),
            raw_sha256: String::new(),
        }
    }

    fn row(id: &str, severity: Option<Severity>, exposed: i64) -> Row {
        let alert = alert(id, severity, exposed);
        let seen = alert.observed;
        Row {
            alert: Arc::new(alert),
            count: 1,
            first_seen: seen,
            last_seen: seen,
        }
    }

    fn shown(queue: &Queue) -> Vec<String> {
        queue
            .from(0)
            .map(|slot| queue.id(slot).as_str().to_owned())
            .collect()
    }

    fn filter(queue: &mut Queue, text: &str) {
        filter_with(queue, text, &[]);
    }

    fn filter_with(queue: &mut Queue, text: &str, states: &[(&str, &'static str)]) {
        let states = states
            .iter()
            .map(|(id, state)| (queue.slot(&AlertId::new(*id)).unwrap(), *state));
        let facts = Facts {
            identity: &|_| None,
            states: states.collect(),
            now: 100,
        };
        queue.set_filter(&Filter::parse(text).unwrap(), facts);
        while queue.look_on() {}
    }

    #[test]
    fn worst_first_then_longest_exposed() {
        let mut queue = Queue::default();
        let high = Some(Severity::High);
        queue.take(
            &[
                row("b", high, 20),
                row("a", high, 10),
                row("c", Some(Severity::Critical), 30),
            ],
            true,
        );
        queue.take(&[row("n", None, 1), row("l", Some(Severity::Low), 1)], true);
        assert_eq!(shown(&queue), ["c", "a", "b", "n", "l"]);
    }

    #[test]
    fn new_alerts_wait_and_repeats_count_in_place() {
        let mut queue = Queue::default();
        queue.take(&[row("a", None, 10)], false);
        queue.take(
            &[
                row("b", Some(Severity::Critical), 5),
                Row {
                    count: 2,
                    ..row("a", None, 10)
                },
            ],
            false,
        );
        assert_eq!(shown(&queue), ["a"]);
        assert_eq!(queue.waiting(), 1);
        let a = queue.slot(&AlertId::new("a")).unwrap();
        assert_eq!(queue.shown(a).count, 2);
        queue.take_in_waiting();
        assert_eq!(shown(&queue), ["b", "a"]);
    }

    #[test]
    fn closed_alerts_sink() {
        let mut queue = Queue::default();
        queue.take(
            &[row("a", Some(Severity::Critical), 1), row("b", None, 2)],
            true,
        );
        queue.set_closed(&AlertId::new("a"), true);
        queue.take_in_waiting();
        assert_eq!(shown(&queue), ["b", "a"]);
        assert_eq!(queue.open(), 1);
    }

    #[test]
    fn steps_stop_at_the_ends() {
        let mut queue = Queue::default();
        assert_eq!(queue.step(None, 1), None);
        queue.take(&[row("a", None, 1), row("b", None, 2)], true);
        let a = AlertId::new("a");
        let b = AlertId::new("b");
        assert_eq!(queue.step(Some(&a), -5), Some(a.clone()));
        assert_eq!(queue.step(Some(&a), 5), Some(b));
        assert_eq!(queue.step(Some(&AlertId::new("gone")), 1), Some(a));
    }

    fn rich() -> Queue {
        let mut queue = Queue::default();
        let mut rows = [
            row("siem/A-1", Some(Severity::Critical), 10),
            row("siem/b-2", Some(Severity::High), 40),
            row("edr/c-3", None, 90),
        ];
        let subject = |name: &str| Subject {
            provider: Untrusted::from("sso"),
            native_id: Untrusted::from(format!("AKIA-{name}").as_str()),
            kind: super::super::vocabulary::IdentityKind::AccessKey,
            name: Some(Untrusted::from(name)),
        };
        for (row, name) in rows.iter_mut().zip(["Svc-Deploy", "svc-report"]) {
            Arc::make_mut(&mut row.alert).subject = Some(subject(name));
        }
        Arc::make_mut(&mut rows[2].alert).title = Untrusted::from("Token REPLAY seen");
        Arc::make_mut(&mut rows[2].alert).pattern = ActionPattern::TokenReplay;
        rows[1].count = 7;
        queue.take(&rows, true);
        queue
    }

    #[rstest]
    #[case("", &["siem/A-1", "siem/b-2", "edr/c-3"])]
    #[case("svc-", &["siem/A-1", "siem/b-2"])]
    #[case("deploy", &["siem/A-1"])]
    #[case("a-1", &["siem/A-1"])]
    #[case("-svc-", &["edr/c-3"])]
    #[case("replay", &["edr/c-3"])]
    #[case("title:replay", &["edr/c-3"])]
    #[case("title:svc", &[])]
    #[case("id:siem/", &["siem/A-1", "siem/b-2"])]
    #[case("key~akia-*deploy", &["siem/A-1"])]
    #[case("identity=svc-report", &["siem/b-2"])]
    #[case("provider:sso sev:high", &["siem/b-2"])]
    #[case("sev>=high", &["siem/A-1", "siem/b-2"])]
    #[case("-sev>=high", &["edr/c-3"])]
    #[case("count>5", &["siem/b-2"])]
    #[case("age>=60s", &["siem/A-1", "siem/b-2"])]
    #[case("conf<90", &[])]
    #[case("pattern:replay", &["edr/c-3"])]
    #[case("kind:access_key", &["siem/A-1", "siem/b-2"])]
    #[case("source:test", &["siem/A-1", "siem/b-2", "edr/c-3"])]
    #[case("owner:payments", &[])]
    fn filters_choose(#[case] text: &str, #[case] want: &[&str]) {
        let mut queue = rich();
        filter(&mut queue, text);
        assert_eq!(shown(&queue), want);
        let places: Vec<_> = want
            .iter()
            .map(|id| queue.position(&AlertId::new(*id)))
            .collect();
        assert_eq!(places, (0..want.len()).map(Some).collect::<Vec<_>>());
    }

    #[test]
    fn states_are_filtered_by_what_the_queue_shows() {
        let mut queue = rich();
        queue.set_closed(&AlertId::new("siem/b-2"), true);
        let states = [("siem/b-2", "closed"), ("siem/A-1", "failed")];
        for (text, want) in [
            ("state:failed", vec!["siem/A-1"]),
            ("state:new", vec!["edr/c-3"]),
            ("state:over", vec!["siem/b-2"]),
            ("-state:open", vec!["siem/b-2"]),
        ] {
            filter_with(&mut queue, text, &states);
            assert_eq!(shown(&queue), want, "{text}");
        }
    }

    #[test]
    fn what_changed_its_rank_moves_only_when_rows_may() {
        let mut queue = rich();
        filter(&mut queue, "svc-");
        queue.take(&[row("siem/A-1", Some(Severity::Low), 5)], false);
        assert_eq!(shown(&queue)[0], "siem/A-1");
        queue.take_in_waiting();
        filter(&mut queue, "");
        assert_eq!(shown(&queue), ["siem/b-2", "edr/c-3", "siem/A-1"]);
        assert_eq!(queue.position(&AlertId::new("siem/A-1")), Some(2));
    }
}
