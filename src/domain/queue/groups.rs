//! Alerts of one kind folded into a line: the most urgent of them stands for all.

use std::collections::{HashMap, HashSet};

use super::names::{Hits, Name};
use super::order::{Order, Rank};
use super::room;
use super::slim::{Lane, Slim, Slot};
use crate::domain::places::Places;
use crate::domain::vocabulary::{ActionPattern, Severity};

/// What is folded together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Grouping {
    /// Nothing.
    Off,
    /// Alerts that say the same of one identity: same source, same pattern.
    #[default]
    Stream,
    /// All alerts about one identity.
    Identity,
    /// All alerts that one source puts under one incident, whoever they are about; the others by identity.
    Incident,
}

impl Grouping {
    /// Returns the next one, round and round.
    pub const fn next(self) -> Self {
        match self {
            Self::Off => Self::Stream,
            Self::Stream => Self::Identity,
            Self::Identity => Self::Incident,
            Self::Incident => Self::Off,
        }
    }

    /// Returns what it does, in words.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Off => "each alert on a line of its own",
            Self::Stream => "alerts of one kind about one identity on a line",
            Self::Identity => "all alerts about one identity on a line",
            Self::Incident => {
                "all alerts that a source puts under one incident on a line, the others by identity"
            }
        }
    }
}

/// What alerts of one group share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Kind {
    Alone(Slot),
    Stream(u32, Lane, ActionPattern, Name),
    Identity(u32, Lane),
    /// Ids of incidents are a source's own: the same one of two sources need not be the same.
    Incident(Name, Name, Lane),
    /// One thing that a source says again and again of one target without naming anybody.
    Nobody(Name, Lane, ActionPattern, Name, Name),
}

/// What is known of a group.
#[derive(Clone, Copy, Debug, Default)]
struct Group {
    head: Rank,
    alerts: u32,
    /// How often they came, all together.
    times: u64,
    worst: Option<Severity>,
    /// The folding that this is of.
    folding: u32,
}

/// There may be as many as alerts.
const _: () = assert!(size_of::<Group>() == 32);

/// Which alerts are of one kind. A kind is looked up once for each alert and has a number from then on: whatever filter
/// is in force, folding a million alerts hashes nothing.
#[derive(Clone, Debug, Default)]
struct Kinds {
    by: Grouping,
    /// By their numbers.
    all: Vec<Kind>,
    numbers: Places,
    of: Vec<u32>,
}

impl Kinds {
    /// The kind was not looked up.
    const UNKNOWN: u32 = u32::MAX;
    /// It shares its line with no other.
    const ALONE: u32 = u32::MAX - 1;

    /// Returns the number of an alert's kind, unless it is alone.
    fn number(&mut self, slot: Slot, row: &Slim) -> Option<u32> {
        room::grow(&mut self.of, slot.at() + 1, Self::UNKNOWN);
        if self.of[slot.at()] == Self::UNKNOWN {
            self.of[slot.at()] = match kind(self.by, slot, row) {
                Kind::Alone(_) => Self::ALONE,
                kind => self.new_or_known(kind),
            };
        }
        Some(self.of[slot.at()]).filter(|number| *number != Self::ALONE)
    }

    fn new_or_known(&mut self, kind: Kind) -> u32 {
        let hash = self.numbers.hash(kind);
        self.find(hash, kind).unwrap_or_else(|| {
            let number = u32::try_from(self.all.len()).unwrap_or(Self::ALONE);
            room::push(&mut self.all, kind);
            self.numbers.add(hash, number);
            number
        })
    }

    fn find(&self, hash: u32, kind: Kind) -> Option<u32> {
        self.numbers.find(hash, |at| self.all[at as usize] == kind)
    }

    /// Returns the number of an alert's kind, if it has one.
    fn known(&self, slot: Slot, row: &Slim) -> Option<u32> {
        match self.of.get(slot.at()).copied() {
            Some(Self::ALONE) => None,
            None | Some(Self::UNKNOWN) => {
                let kind = kind(self.by, slot, row);
                self.find(self.numbers.hash(kind), kind)
            }
            number => number,
        }
    }

    /// The kind of an alert is another one now.
    fn forget(&mut self, slot: Slot) {
        if let Some(number) = self.of.get_mut(slot.at()) {
            *number = Self::UNKNOWN;
        }
    }
}

/// How many alerts a line stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Folded {
    /// Alerts.
    pub alerts: u32,
    /// How often they came, all together.
    pub times: u64,
    /// Whom they are about: how many identities.
    pub identities: u32,
    /// The worst severity of any.
    pub worst: Option<Severity>,
}

/// Alerts of which the groups are looked up before the first of them is counted in.
const TOGETHER: usize = 32;

/// The lines of a folded queue.
#[derive(Clone, Debug)]
pub struct Groups {
    kinds: Kinds,
    heads: Order,
    /// By the number of their kind. One of an earlier folding is nothing: of few alerts few groups are looked at.
    groups: Vec<Group>,
    /// Counts foldings, from one on.
    folding: u32,
    /// Whom incidents are about.
    people: HashMap<u32, HashSet<u32>>,
}

impl Groups {
    /// Returns lines without alerts.
    pub fn by(by: Grouping) -> Self {
        let kinds = Kinds {
            by,
            ..Kinds::default()
        };
        Self {
            kinds,
            heads: Order::default(),
            groups: Vec::new(),
            folding: 1,
            people: HashMap::new(),
        }
    }

    /// Returns what is folded together.
    pub const fn grouping(&self) -> Grouping {
        self.kinds.by
    }

    /// Folds these alerts, and no others.
    pub fn fold(&mut self, order: &Order, rows: &[Slim]) {
        let mut shown = Hits::none(rows.len());
        order.from(0).for_each(|slot| shown.add(slot.at()));
        self.begin();
        let mut heads = Hits::none(rows.len());
        let mut places = shown.places();
        let mut some = Vec::with_capacity(TOGETHER);
        // In the order in which they came: a million rows in the order of their urgency are a million far reads.
        loop {
            some.clear();
            some.extend(places.by_ref().take(TOGETHER));
            if some.is_empty() {
                break;
            }
            self.come_near(&some);
            for at in &some {
                let (slot, row) = (Slot::new(*at), &rows[*at]);
                match self.take(slot, row) {
                    Some((_, Some(before))) if before < row.rank(slot) => continue,
                    Some((_, Some(before))) => heads.remove(before.slot.at()),
                    Some((_, None)) | None => {}
                }
                heads.add(*at);
            }
        }
        self.heads = order.sifted(|slot| heads.has(slot.at()));
    }

    /// Forgets all groups.
    fn begin(&mut self) {
        self.people.clear();
        self.folding = self.folding.wrapping_add(1);
        if self.folding == 0 {
            (self.groups, self.folding) = (Vec::new(), 1);
        }
    }

    fn group(&self, number: u32) -> Option<&Group> {
        let group = self.groups.get(number as usize);
        group.filter(|group| group.folding == self.folding)
    }

    /// Looks at the groups of some alerts at the same time: they lie far apart, and waiting for one after the other would be
    /// most of what folding costs. Nothing hangs on what is there, as the processor would wait for that.
    fn come_near(&self, slots: &[usize]) {
        let numbers = slots.iter().filter_map(|at| self.kinds.of.get(*at));
        let groups = numbers.map(|number| self.groups.get(*number as usize));
        std::hint::black_box(groups.fold(0, |all, group| all ^ group.map_or(0, |g| g.folding)));
    }

    /// Counts an alert in. Returns its kind's number and what stood for that before, unless it is alone.
    fn take(&mut self, slot: Slot, row: &Slim) -> Option<(u32, Option<Rank>)> {
        let number = self.kinds.number(slot, row)?;
        let at = number as usize;
        room::grow(&mut self.groups, at + 1, Group::default());
        let group = &mut self.groups[at];
        let head = (group.folding == self.folding).then_some(group.head);
        group.take(row.rank(slot), row, self.folding);
        // Every other line is about one identity.
        if self.kinds.by == Grouping::Incident && row.incident != Name::default() {
            let known = self.people.entry(number).or_default();
            if row.who != 0 {
                known.insert(row.who);
            }
        }
        Some((number, head))
    }

    /// Takes in alerts that joined the order.
    pub fn add(&mut self, ranks: &[Rank], rows: &[Slim]) {
        // Each by itself: places of many that lie far apart are looked up at the same time.
        for rank in ranks {
            self.kinds.number(rank.slot, &rows[rank.slot.at()]);
        }
        let (mut new, mut changed) = (Vec::new(), Vec::new());
        for rank in ranks {
            match self.take(rank.slot, &rows[rank.slot.at()]) {
                None => new.push(*rank),
                Some((_, Some(before))) if before < *rank => {}
                Some(now) => changed.push(now),
            }
        }
        // Several of one kind: what stood for it before the first of them is in a line, what did in between is in none.
        changed.sort_by_key(|(number, _)| *number);
        changed.dedup_by_key(|(number, _)| *number);
        new.extend(
            changed
                .iter()
                .filter_map(|(number, _)| self.group(*number))
                .map(|group| group.head),
        );
        let gone = changed.into_iter().filter_map(|(_, before)| before);
        self.heads.remove_all(gone.collect());
        self.heads.add(new);
    }

    /// Takes in that an alert is not what it was, by what it says or by where it stands, and tells whether it is still of
    /// its kind.
    pub fn changed(&mut self, slot: Slot, before: &Slim, now: &Slim) -> bool {
        let by = self.kinds.by;
        let is_same = kind(by, slot, before) == kind(by, slot, now);
        if !is_same {
            self.kinds.forget(slot);
        }
        is_same
    }

    /// Takes in that an alert came again that is in a line and still of its kind, and tells whether the line could be kept.
    pub fn came_again(&mut self, slot: Slot, before: &Slim, now: &Slim) -> bool {
        let is_same = (before.who, before.severity) == (now.who, now.severity);
        if let Some(number) = self.kinds.known(slot, now).filter(|_| is_same)
            && let Some(group) = self.groups.get_mut(number as usize)
            && group.folding == self.folding
        {
            group.times += u64::from(now.count.saturating_sub(before.count));
        }
        is_same
    }

    /// Returns the lines.
    pub const fn heads(&self) -> &Order {
        &self.heads
    }

    /// Returns the alert that stands for this one, which is in the order: itself, where it is alone.
    pub fn head_of(&self, slot: Slot, rows: &[Slim]) -> Option<Rank> {
        let row = &rows[slot.at()];
        match self.kinds.known(slot, row) {
            Some(number) => self.group(number).map(|group| group.head),
            None => Some(row.rank(slot)),
        }
    }

    /// Returns how many alerts the line of this one stands for, unless it is alone.
    pub fn folded(&self, slot: Slot, rows: &[Slim]) -> Option<Folded> {
        let row = &rows[slot.at()];
        let number = self.kinds.known(slot, row)?;
        let group = self.group(number)?;
        let people = self.people.get(&number).map(HashSet::len);
        let identities = people.unwrap_or(usize::from(row.who != 0));
        Some(Folded {
            alerts: group.alerts,
            times: group.times,
            identities: u32::try_from(identities).unwrap_or(u32::MAX),
            worst: group.worst,
        })
    }

    /// Tells whether two alerts are on one line.
    pub fn same(&self, one: Slot, other: Slot, rows: &[Slim]) -> bool {
        let kind = |slot: Slot| kind(self.kinds.by, slot, &rows[slot.at()]);
        kind(one) == kind(other)
    }
}

impl Group {
    fn take(&mut self, rank: Rank, row: &Slim, folding: u32) {
        if self.folding != folding {
            *self = Self {
                head: rank,
                folding,
                ..Self::default()
            };
        }
        self.head = self.head.min(rank);
        self.alerts += 1;
        self.times += u64::from(row.count);
        self.worst = self.worst.max(row.severity);
    }
}

/// Alerts that name nobody are about the same where one source says the same of the same target, and where their source
/// puts them under one incident; nothing else says so.
fn kind(by: Grouping, slot: Slot, row: &Slim) -> Kind {
    match (by, row.who) {
        (Grouping::Incident, _) if row.incident != Name::default() => {
            Kind::Incident(row.source, row.incident, row.lane)
        }
        (Grouping::Off, _) => Kind::Alone(slot),
        (_, 0) if row.target != Name::default() => {
            Kind::Nobody(row.source, row.lane, row.pattern, row.title, row.target)
        }
        (_, 0) => Kind::Alone(slot),
        (Grouping::Stream, who) => Kind::Stream(who, row.lane, row.pattern, row.source),
        (Grouping::Identity | Grouping::Incident, who) => Kind::Identity(who, row.lane),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use jiff::Timestamp;
    use proptest::prelude::*;

    use super::super::tests::{alert, filter, unknown};
    use super::super::{Queue, Row};
    use super::*;
    use crate::domain::alert::{Resource, Subject};
    use crate::domain::ids::AlertId;
    use crate::domain::text::Untrusted;
    use crate::domain::vocabulary::IdentityKind;

    #[derive(Clone, Debug)]
    enum Act {
        Come(usize, u8, u8, u8, bool),
        Stand(usize, Lane),
        Sift(&'static str),
        Fold(Grouping),
        Move,
        Go(usize),
    }

    fn act() -> impl Strategy<Value = Act> {
        let lanes = prop_oneof![Just(Lane::Open), Just(Lane::Snoozed), Just(Lane::Over)];
        let filters = prop_oneof![Just(""), Just("a1"), Just("sev:low"), Just("target:t1 -a3")];
        let by = prop_oneof![
            Just(Grouping::Off),
            Just(Grouping::Stream),
            Just(Grouping::Identity),
            Just(Grouping::Incident),
        ];
        prop_oneof![
            6 => (0_usize..14, 0_u8..3, 0_u8..4, 0_u8..3, any::<bool>())
                .prop_map(|(n, severity, who, what, follow)| Act::Come(n, severity, who, what, follow)),
            2 => (0_usize..14, lanes).prop_map(|(n, lane)| Act::Stand(n, lane)),
            1 => filters.prop_map(Act::Sift),
            1 => by.prop_map(Act::Fold),
            1 => Just(Act::Move),
            1 => (0_usize..14).prop_map(Act::Go),
        ]
    }

    fn row(n: usize, severity: u8, who: u8, what: u8, count: u64) -> Row {
        let severity = match severity {
            0 => None,
            1 => Some(Severity::Low),
            _ => Some(Severity::Critical),
        };
        let mut alert = alert(&format!("a{n}"), severity, i64::from(what) * 7 + 1);
        alert.subject = (who > 0).then(|| Subject {
            provider: Untrusted::from("p"),
            native_id: Untrusted::from(&*format!("n{who}")),
            kind: IdentityKind::Workload,
            name: None,
        });
        alert.resource = (what > 0).then(|| Resource {
            id: Untrusted::from(&*format!("t{what}")),
            kind: Untrusted::from("host"),
        });
        alert.incident = (what > 1).then(|| Untrusted::from(&*format!("i{who}")));
        let seen = Timestamp::from_second(50).unwrap();
        Row {
            alert: Arc::new(alert),
            count,
            first_seen: seen,
            last_seen: seen,
        }
    }

    /// The lines with what is told of each.
    fn lines(queue: &Queue) -> Vec<(AlertId, Folded)> {
        let line = |slot| (queue.id(slot), queue.shown(slot).folded);
        queue.from(0).map(line).collect()
    }

    proptest! {
        /// However a queue came to be: its lines are those that its alerts fold into when none was ever folded before.
        #[test]
        fn lines_follow_every_change(acts in proptest::collection::vec(act(), 1..60)) {
            let mut queue = Queue::default();
            for (at, act) in acts.into_iter().enumerate() {
                match act {
                    Act::Come(n, severity, who, what, follow) => {
                        let row = row(n, severity, who, what, at as u64 + 1);
                        queue.take([&row], follow, &unknown);
                    }
                    Act::Stand(n, lane) => queue.set_lanes([(AlertId::new(format!("a{n}")), lane)]),
                    Act::Sift(text) => filter(&mut queue, text),
                    Act::Fold(by) => queue.set_grouping(by),
                    Act::Move => queue.take_in_waiting(),
                    Act::Go(n) => drop(queue.remove(&[AlertId::new(format!("a{n}"))])),
                }
                let mut afresh = queue.clone();
                (afresh.groups, afresh.refold) = (None, true);
                afresh.fold();
                prop_assert_eq!(lines(&queue), lines(&afresh));
                for (head, line) in lines(&queue) {
                    let members = queue.members(&head);
                    prop_assert_eq!(members.len(), line.alerts as usize);
                    prop_assert!(members.iter().all(|id| queue.position(id) == queue.position(&head)));
                    let of = |id: &AlertId| queue.rows[queue.slot(id).unwrap().at()];
                    let times: u64 = members.iter().map(|id| u64::from(of(id).count)).sum();
                    prop_assert_eq!(times, line.times);
                    let worst = members.iter().filter_map(|id| of(id).severity).max();
                    prop_assert_eq!(worst, line.worst);
                }
            }
        }
    }
}
