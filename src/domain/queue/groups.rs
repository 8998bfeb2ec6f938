//! Alerts of one kind folded into a line: the most urgent of them stands for all.

use std::collections::{HashMap, HashSet};

use foldhash::quality::RandomState;

use super::names::Name;
use super::order::{Order, Rank};
use super::slim::{Lane, Slim, Slot};
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
#[derive(Clone, Copy, Debug)]
struct Group {
    head: Rank,
    alerts: u32,
    /// How often they came, all together.
    times: u64,
    worst: Option<Severity>,
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

/// The lines of a folded queue.
#[derive(Clone, Debug, Default)]
pub struct Groups {
    by: Grouping,
    heads: Order,
    groups: HashMap<Kind, Group, RandomState>,
    /// Whom incidents are about.
    people: HashMap<Kind, HashSet<u32>>,
}

impl Groups {
    /// Folds these alerts; they come in order.
    pub fn new(by: Grouping, order: &Order, rows: &[Slim]) -> Self {
        let mut groups: HashMap<Kind, Group, RandomState> = HashMap::default();
        let mut people = HashMap::new();
        let mut heads = Vec::new();
        for slot in order.from(0) {
            let row = &rows[slot.at()];
            let kind = kind(by, slot, row);
            meet(&mut people, kind, row);
            groups
                .entry(kind)
                .and_modify(|group| group.take(row))
                .or_insert_with(|| {
                    heads.push(row.rank(slot));
                    Group::new(row.rank(slot), row)
                });
        }
        let mut order = Order::default();
        order.add(heads, rows);
        Self {
            by,
            heads: order,
            groups,
            people,
        }
    }

    /// Takes in alerts that joined the order.
    pub fn add(&mut self, ranks: &[Rank], rows: &[Slim]) {
        let mut heads: HashMap<Kind, Rank, RandomState> = HashMap::default();
        for rank in ranks {
            let row = &rows[rank.slot.at()];
            let kind = kind(self.by, rank.slot, row);
            meet(&mut self.people, kind, row);
            let Some(group) = self.groups.get_mut(&kind) else {
                self.groups.insert(kind, Group::new(*rank, row));
                heads.insert(kind, *rank);
                continue;
            };
            group.take(row);
            if *rank < group.head {
                if heads.insert(kind, *rank).is_none() {
                    self.heads.remove(group.head, rows);
                }
                group.head = *rank;
            }
        }
        self.heads.add(heads.into_values().collect(), rows);
    }

    /// Takes in that an alert of the order came again, and tells whether its line could be kept.
    pub fn came_again(&mut self, slot: Slot, before: &Slim, now: &Slim) -> bool {
        let kind_now = kind(self.by, slot, now);
        let group = self.groups.get_mut(&kind_now);
        let is_same = (before.who, before.severity) == (now.who, now.severity)
            && kind(self.by, slot, before) == kind_now;
        let Some(group) = group.filter(|_| is_same) else {
            return false;
        };
        let more = u64::from(now.count.saturating_sub(before.count));
        group.times += more;
        true
    }

    /// Returns the lines.
    pub const fn heads(&self) -> &Order {
        &self.heads
    }

    /// Returns the alert that stands for this one.
    pub fn head_of(&self, slot: Slot, rows: &[Slim]) -> Option<Rank> {
        Some(self.group(slot, rows)?.head)
    }

    /// Returns how many alerts the line of this one stands for.
    pub fn folded(&self, slot: Slot, rows: &[Slim]) -> Option<Folded> {
        let row = &rows[slot.at()];
        let kind = kind(self.by, slot, row);
        let group = self.groups.get(&kind)?;
        let people = self.people.get(&kind).map(HashSet::len);
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
        let kind = |slot: Slot| kind(self.by, slot, &rows[slot.at()]);
        kind(one) == kind(other)
    }

    fn group(&self, slot: Slot, rows: &[Slim]) -> Option<&Group> {
        self.groups.get(&kind(self.by, slot, &rows[slot.at()]))
    }
}

impl Group {
    fn new(head: Rank, row: &Slim) -> Self {
        Self {
            head,
            alerts: 1,
            times: u64::from(row.count),
            worst: row.severity,
        }
    }

    fn take(&mut self, row: &Slim) {
        self.alerts += 1;
        self.times += u64::from(row.count);
        self.worst = self.worst.max(row.severity);
    }
}

/// Notes whom an incident is about. Every other line is about one identity.
fn meet(people: &mut HashMap<Kind, HashSet<u32>>, kind: Kind, row: &Slim) {
    if matches!(kind, Kind::Incident(..)) {
        let known = people.entry(kind).or_default();
        if row.who != 0 {
            known.insert(row.who);
        }
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
