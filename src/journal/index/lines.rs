//! Reads what the index points to from the log, where it has to be what it was when the chain was checked.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;

use serde_json::Value;

use super::super::fs::{How, read_from};
use super::super::merkle::leaf_hash;
use super::super::reader::{Line, entry};
use super::{Hit, Index, IndexError};
use crate::domain::decision::{Decisions, RecordType};
use crate::domain::ids::AlertId;

/// Records, and what is decided about the plans and acts that they belong to.
#[derive(Debug, Default)]
pub struct Block {
    /// The records, in the order that they were asked for.
    pub lines: Vec<Line>,
    /// What every record decides about their plans and acts; other plans and acts are not in it.
    pub decisions: Decisions,
}

impl Index {
    /// Reads these records, and those of the same plans and acts.
    pub fn read(&self, hits: &[Hit]) -> Result<Block, IndexError> {
        let lines = self.lines(hits)?;
        let (mut plans, mut acts, mut alerts) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        for Line { entry, .. } in &lines {
            let text = |key: &str| {
                entry
                    .body
                    .get(key)
                    .and_then(Value::as_str)
                    .map(str::to_owned)
            };
            plans.extend(text("digest").or_else(|| text("plan")));
            acts.extend(text("intent"));
            // Whose access a claim or a note is about, the plans of its alert say.
            alerts.extend(text("alert").filter(|_| entry.kind == RecordType::Decision));
        }
        let related = self.related(plans, acts, alerts)?;
        self.block(hits, lines, &related)
    }

    /// Reads every record about one alert, and those of its plans and acts.
    pub fn about_alert(&self, hits: &[Hit], alert: &AlertId) -> Result<Block, IndexError> {
        let alerts = BTreeSet::from([alert.as_str().to_owned()]);
        let related = self.related(BTreeSet::new(), BTreeSet::new(), alerts)?;
        let mut all = hits.to_vec();
        let there: BTreeSet<i64> = hits.iter().map(|hit| hit.id).collect();
        all.extend(related.into_iter().filter(|hit| !there.contains(&hit.id)));
        let lines = super::super::reader::merge(self.lines(&all)?);
        let mut block = self.read(&all)?;
        block.lines = lines;
        Ok(block)
    }

    fn related(
        &self,
        plans: BTreeSet<String>,
        acts: BTreeSet<String>,
        alerts: BTreeSet<String>,
    ) -> Result<Vec<Hit>, IndexError> {
        if plans.is_empty() && acts.is_empty() && alerts.is_empty() {
            return Ok(Vec::new());
        }
        let list = |all: BTreeSet<String>| all.into_iter().collect::<Vec<_>>();
        self.of_plans(&list(plans), &list(acts), &list(alerts))
    }

    fn block(&self, hits: &[Hit], lines: Vec<Line>, related: &[Hit]) -> Result<Block, IndexError> {
        let there: BTreeMap<i64, usize> = hits.iter().enumerate().map(|(n, h)| (h.id, n)).collect();
        let more: Vec<Hit> = related
            .iter()
            .filter(|h| !there.contains_key(&h.id))
            .cloned()
            .collect();
        let others = self.lines(&more)?;
        let mut all: Vec<&Line> = lines.iter().chain(&others).collect();
        // Each log in its order; between logs there is none.
        all.sort_by(|a, b| (&a.entry.log, a.entry.seq).cmp(&(&b.entry.log, b.entry.seq)));
        let mut decisions = Decisions::default();
        for line in all {
            decisions.apply(&line.entry);
        }
        Ok(Block { lines, decisions })
    }

    fn lines(&self, hits: &[Hit]) -> Result<Vec<Line>, IndexError> {
        let mut files: BTreeMap<(i64, u64), File> = BTreeMap::new();
        hits.iter().map(|hit| self.line(hit, &mut files)).collect()
    }

    fn line(&self, hit: &Hit, files: &mut BTreeMap<(i64, u64), File>) -> Result<Line, IndexError> {
        let wrong = |why: &str| IndexError::Stale(format!("record {} {why}", hit.seq));
        let known = self.logs.iter().find(|known| known.id == hit.log);
        let known = known.ok_or_else(|| wrong("is of a log that is gone"))?;
        let file = match files.entry((hit.log, hit.place.segment)) {
            std::collections::btree_map::Entry::Occupied(there) => there.into_mut(),
            std::collections::btree_map::Entry::Vacant(room) => {
                let (name, _) = known.log.segment_file(hit.place.segment);
                let opened = known.log.open(&name, How::Read);
                room.insert(opened.map_err(|e| IndexError::Stale(e.to_string()))?)
            }
        };
        let raw = read_from(&*known.log.fs, file, hit.place.offset, hit.len)?;
        if leaf_hash(&raw)[..] != hit.leaf[..] {
            return Err(wrong("is not where it was"));
        }
        let entry = entry(&raw, &known.origin, &known.actor).map_err(|e| wrong(&e.to_string()))?;
        Ok(Line {
            entry,
            raw,
            place: hit.place,
        })
    }
}
