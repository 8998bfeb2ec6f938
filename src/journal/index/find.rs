//! What somebody asks for, as a question to the index.

use rusqlite::params_from_iter;
use rusqlite::types::Value as Sql;
use serde_json::json;

use super::super::reader::Place;
use super::update::nanoseconds;
use super::{Index, IndexError, Kind};
use crate::domain::coverage::CellState;
use crate::domain::decision::RecordType;
use crate::domain::ids::AlertId;
use crate::domain::wanted::{Named, Wanted};
use crate::domain::words::Field;

/// Stands for the values of a list.
const IN: &str = "in (select value from json_each(?))";

/// Where a record stands that may be meant.
#[derive(Clone, Debug)]
pub struct Hit {
    pub(super) id: i64,
    pub(super) log: i64,
    pub(super) seq: u64,
    pub(super) at: i64,
    pub(super) place: Place,
    pub(super) len: usize,
    pub(super) leaf: Vec<u8>,
}

/// Columns of a [`Hit`].
const HIT: &str = "r.id, r.log, r.seq, r.at, r.segment, r.place, r.len, r.leaf";
/// The order of time; an index has it.
const OLDEST: &str = "order by r.at, r.log, r.seq";
const NEWEST: &str = "order by r.at desc, r.log desc, r.seq desc";
/// A condition that more records meet helps nobody who wants the newest: these are found sooner by going along all.
const BROAD: i64 = 20_000;

/// A condition, and what stands in it.
struct Part {
    /// As it is asked with the help of an index on `column`.
    sql: String,
    with: Vec<Sql>,
}

fn part(sql: impl Into<String>, with: impl IntoIterator<Item = Sql>) -> Part {
    Part {
        sql: sql.into(),
        with: with.into_iter().collect(),
    }
}

/// What somebody asks for: perhaps some more records, never fewer.
pub struct Search<'i> {
    index: &'i Index,
    parts: Vec<Part>,
    /// All of them, oldest first, where they are few.
    few: Option<Vec<Hit>>,
}

impl std::fmt::Debug for Search<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Search({} parts)", self.parts.len())
    }
}

impl Search<'_> {
    /// Returns where all of them stand, oldest first.
    pub fn all(&self) -> Result<Vec<Hit>, IndexError> {
        let (parts, with) = self.joined(false);
        let sql = format!("select {HIT} from rec r where {parts} {OLDEST}");
        self.index.ask(&sql, with)
    }

    /// Returns where the last `most` before a record stand, oldest first; without one, the newest.
    pub fn before(&mut self, hit: Option<&Hit>, most: usize) -> Result<Vec<Hit>, IndexError> {
        if self.few.is_none() && self.is_narrow()? {
            self.few = Some(self.all()?);
        }
        if let Some(few) = &self.few {
            let key = |h: &Hit| (h.at, h.log, h.seq);
            let end = hit.map_or(few.len(), |hit| few.partition_point(|h| key(h) < key(hit)));
            return Ok(few[end.saturating_sub(most)..end].to_vec());
        }
        let (mut parts, mut with) = self.joined(true);
        if let Some(hit) = hit {
            parts.push_str(" and (r.at, r.log, r.seq) < (?, ?, ?)");
            with.extend([hit.at, hit.log, hit.seq as i64].map(Sql::Integer));
        }
        let sql = format!("select {HIT} from rec r where {parts} {NEWEST} limit {most}");
        let mut hits = self.index.ask(&sql, with)?;
        hits.reverse();
        Ok(hits)
    }

    /// Tells whether one condition alone leaves few records.
    fn is_narrow(&self) -> Result<bool, IndexError> {
        for part in &self.parts {
            let sql = format!(
                "select count(*) from (select 1 from rec r where {} limit {})",
                part.sql,
                BROAD + 1
            );
            let mut asked = self.index.db.prepare_cached(&sql)?;
            let count: i64 = asked.query_row(params_from_iter(&part.with), |r| r.get(0))?;
            if count <= BROAD {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// All conditions; `along` where records are gone along in the order of time, with no other index.
    fn joined(&self, along: bool) -> (String, Vec<Sql>) {
        let with = self.parts.iter().flat_map(|p| p.with.clone()).collect();
        let all: Vec<String> = self
            .parts
            .iter()
            .map(|p| {
                if along {
                    p.sql.replace("r.", "+r.").replace("+r.at ", "r.at ")
                } else {
                    p.sql.clone()
                }
            })
            .collect();
        (all.join(" and "), with)
    }
}

fn list(ids: &[i64]) -> Sql {
    Sql::Text(json!(ids).to_string())
}

fn words<'w>(all: impl IntoIterator<Item = &'w str>) -> Sql {
    Sql::Text(json!(all.into_iter().collect::<Vec<_>>()).to_string())
}

impl Index {
    /// Finds out which names stand in the logs exactly as they were asked for. Returns, in words, which stand in none: an
    /// empty answer would read as if nothing had been done.
    pub fn settle(&self, wanted: &mut Wanted) -> Result<Vec<String>, IndexError> {
        let mut strange = Vec::new();
        let fields = [
            (Field::Identity, &mut wanted.identity),
            (Field::Alert, &mut wanted.alert),
        ];
        for (field, named) in fields {
            let Some(named) = named else { continue };
            let exact = self.id_of(kind_of(field), named.word())?.is_some();
            let (ids, plans) = self.about(field, named, exact)?;
            if ids.is_empty() && plans.is_empty() {
                strange.push(format!(
                    "no record names {} {}",
                    field.as_str(),
                    named.word()
                ));
            }
            named.settle(exact);
        }
        if let Some(who) = &mut wanted.analyst {
            let mut names = self.names(Kind::Who)?;
            names.extend(
                self.logs
                    .iter()
                    .map(|known| (known.id, known.origin.clone())),
            );
            if !names.iter().any(|(_, name)| who.means_analyst(name)) {
                strange.push(format!("no record names analyst {}", who.word()));
            }
            who.settle(names.iter().any(|(_, name)| who.is_analyst(name)));
        }
        Ok(strange)
    }

    /// Returns every alert that ends so.
    pub fn alerts_ending(&self, end: &str) -> Result<Vec<AlertId>, IndexError> {
        let names = self.names(Kind::Alert)?.into_iter().map(|(_, name)| name);
        Ok(names
            .filter(|name| name.ends_with(end))
            .map(AlertId::new)
            .collect())
    }

    /// Begins to look for records; with `seq`, for those of this number.
    pub fn search(&self, wanted: &Wanted, seq: Option<u64>) -> Result<Search<'_>, IndexError> {
        // Logs that are gone are not asked.
        let ids: Vec<i64> = self.logs.iter().map(|known| known.id).collect();
        let mut parts = vec![part(format!("r.log {IN}"), [list(&ids)])];
        if let Some(seq) = seq {
            // None of ours is so large.
            let seq = i64::try_from(seq).unwrap_or(-1);
            parts.push(part("r.seq = ?", [Sql::Integer(seq)]));
        }
        self.plain(wanted, &mut parts)?;
        self.named(wanted, &mut parts)?;
        if self.containing(&wanted.texts)? {
            parts.push(part("r.id in (select id from temp.hit)", []));
        }
        Ok(Search {
            index: self,
            parts,
            few: None,
        })
    }

    /// Returns where the records of these plans stand, and what is about these alerts.
    pub(super) fn of_plans(
        &self,
        plans: &[String],
        acts: &[String],
        alerts: &[String],
    ) -> Result<Vec<Hit>, IndexError> {
        let named = |kind: Kind| {
            format!(
                "select id from name where kind = {} and text {IN}",
                kind as i64
            )
        };
        // Plans that are named, those of the acts that are named, and those of the alerts.
        let sql = format!(
            "with p(id) as materialized ({} union select plan from rec where act in ({}) and plan is not null
                union select id from plan where alert in ({}))
             select {HIT} from rec r where r.id in (
                select id from rec where plan in (select id from p)
                union select id from rec where act in (select act from rec where plan in (select id from p) and act is not null)
                union select id from rec where act in ({}))
             order by r.log, r.seq",
            named(Kind::Plan), named(Kind::Act), named(Kind::Alert), named(Kind::Act),
        );
        let list = |all: &[String]| words(all.iter().map(String::as_str));
        self.ask(
            &sql,
            vec![list(plans), list(acts), list(alerts), list(acts)],
        )
    }

    pub(super) fn ask(&self, sql: &str, with: Vec<Sql>) -> Result<Vec<Hit>, IndexError> {
        let mut asked = self.db.prepare_cached(sql)?;
        let rows = asked.query_map(params_from_iter(with), |r| {
            let number = |at: usize| r.get::<_, i64>(at);
            Ok(Hit {
                id: number(0)?,
                log: number(1)?,
                seq: number(2)? as u64,
                at: number(3)?,
                place: Place {
                    segment: number(4)? as u64,
                    offset: number(5)? as u64,
                },
                len: number(6)? as usize,
                leaf: r.get(7)?,
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    fn plain(&self, wanted: &Wanted, parts: &mut Vec<Part>) -> Result<(), IndexError> {
        let text = |word: &str| Sql::Text(word.to_owned());
        match wanted.types.as_slice() {
            [] => {}
            // An index gives the records of one type in the order of time.
            [one] => parts.push(part("r.type = ?", [text(one.as_str())])),
            many => {
                let all = words(many.iter().map(|t| t.as_str()));
                parts.push(part(format!("r.type {IN}"), [all]));
            }
        }
        if !wanted.kinds.is_empty() {
            let kinds = words(wanted.kinds.iter().map(String::as_str));
            let with = [text(RecordType::Decision.as_str()), kinds];
            parts.push(part(format!("r.type = ? and r.sub {IN}"), with));
        }
        // Where a clock stepped back, a record counts as later than it says: never as earlier.
        if let Some(since) = wanted.since.map(nanoseconds) {
            let with = [since, since].map(Sql::Integer);
            parts.push(part("r.at >= ? and +r.ts >= ?", with));
        }
        if let Some(until) = wanted.until.map(nanoseconds) {
            let late = "select coalesce(max(back), 0) from log";
            let back: i64 = self.db.query_row(late, [], |r| r.get(0))?;
            let with = [until.saturating_add(back), until].map(Sql::Integer);
            parts.push(part("r.at <= ? and +r.ts <= ?", with));
        }
        if !wanted.outcomes.is_empty() {
            let all = words(wanted.outcomes.iter().map(String::as_str));
            let sql = format!(
                "r.act in (select id from act where cell {IN} union select id from act where wire {IN})"
            );
            parts.push(part(sql, [all.clone(), all]));
        }
        if wanted.unknown {
            let with = [RecordType::Intent.as_str(), CellState::Unknown.as_str()].map(text);
            let sql = "r.type = ? and r.act in (select id from act where cell = ?)";
            parts.push(part(sql, with));
        }
        if let Some(who) = &wanted.analyst {
            let names = self.names(Kind::Who)?;
            let meant = names.iter().filter(|(_, name)| who.means_analyst(name));
            let ids: Vec<i64> = meant.map(|(id, _)| *id).collect();
            let logs = self.logs.iter().filter(|k| who.means_analyst(&k.origin));
            let logs: Vec<i64> = logs.map(|known| known.id).collect();
            let sql = format!("(r.actor {IN} or r.by {IN} or r.log {IN})");
            parts.push(part(sql, [list(&ids), list(&ids), list(&logs)]));
        }
        Ok(())
    }

    fn named(&self, wanted: &Wanted, parts: &mut Vec<Part>) -> Result<(), IndexError> {
        let fields = [
            (Field::Identity, &wanted.identity),
            (Field::Alert, &wanted.alert),
        ];
        for (field, named) in fields {
            let Some(named) = named else { continue };
            let column = field.as_str();
            let (ids, plans) = self.about(field, named, named.is_exact())?;
            let sql = format!(
                "(r.{column} {IN} or r.plan {IN} or r.act in (
                    select act from rec where {column} {IN} and act is not null
                    union select act from rec where plan {IN} and act is not null)
                  or (r.alert in (select alert from plan where id {IN}) and r.type = 'decision'))"
            );
            let with = [&ids, &plans, &ids, &plans, &plans].map(|all| list(all));
            parts.push(part(sql, with));
        }
        Ok(())
    }

    /// Names that may be meant, and plans that are about one of them or call it so. `exact`: there is exactly such a name.
    fn about(
        &self,
        field: Field,
        named: &Named,
        exact: bool,
    ) -> Result<(Vec<i64>, Vec<i64>), IndexError> {
        let kind = kind_of(field);
        let mut same = self.db.prepare_cached(
            "select id from name where kind = ?1 and text = ?2
             union select id from name where kind = ?1 and tail = ?2",
        )?;
        let rows = same.query_map((kind as i64, named.word()), |r| r.get(0))?;
        let mut ids = rows.collect::<Result<Vec<i64>, _>>()?;
        if !exact {
            ids.extend(self.names_with(kind, &named.word().to_lowercase())?);
        }
        let called = match field {
            Field::Identity => "or called = ?",
            Field::Alert => "and ? is not null",
        };
        let sql = format!("select id from plan where {} {IN} {called}", field.as_str());
        let mut plans = self.db.prepare_cached(&sql)?;
        let with = [list(&ids), Sql::Text(named.word().to_owned())];
        let rows = plans.query_map(params_from_iter(with), |r| r.get(0))?;
        Ok((ids, rows.collect::<Result<_, _>>()?))
    }
}

const fn kind_of(field: Field) -> Kind {
    match field {
        Field::Identity => Kind::Identity,
        Field::Alert => Kind::Alert,
    }
}
