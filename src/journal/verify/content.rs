//! What the records of all logs say together: acts and what came of them, and whether approvals are for what ran.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

use crate::domain::decision::{Approval, Decisions, Entry, Intent, RecordType};
use crate::domain::plan::{canonical, sha256_hex};
use crate::domain::text::show;

use super::super::reader::Line;
use super::super::record;
use super::super::trust::Trust;
use super::{Finding, Level, authority};

/// An act that nobody can vouch for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct UnknownAct {
    /// Its intent id.
    pub intent: String,
    /// What it was to do.
    pub verb: String,
    /// To whom.
    pub identity: String,
    /// When it was written.
    pub at: Timestamp,
    /// By whom.
    pub actor: String,
    /// Which log its intent is in.
    pub log: String,
    /// Its place there.
    pub seq: u64,
}

/// Acts and approvals. Field names are stable.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Content {
    /// How many intents.
    pub intents: usize,
    /// How many intents are in which state (`open`, `requested`, `proven`, `failed`, `unknown`, …).
    pub states: BTreeMap<&'static str, usize>,
    /// Intents whose effect is not known.
    pub unknown: Vec<UnknownAct>,
    /// How many plans.
    pub plans: usize,
    /// How many verdicts.
    pub approvals: usize,
    /// How many of these are for a plan that is here and hashes to its name.
    pub bound: usize,
    /// Verdicts by whoever wrote the plan.
    pub self_approvals: usize,
    /// Intents written after their plan expired.
    pub expired: usize,
    /// Everything that was found.
    pub findings: Vec<Finding>,
}

struct Plan {
    author: String,
    log: String,
    expires: Option<Timestamp>,
}

/// The drill's second analyst is simulated in the one log that there is.
fn is_drill(raw: &[u8]) -> bool {
    record::read(raw).is_ok_and(|r| r.drill)
}

impl Content {
    /// Looks at all records of all logs; with a roster, persons count and not what a record says about itself.
    pub fn of(lines: &[Line], trust: Option<&Trust>) -> Self {
        let mut content = Self::default();
        let plans = content.take_plans(lines);
        let mut decisions = Decisions::default();
        let mut intents = BTreeSet::new();
        for Line { entry, raw, .. } in lines {
            decisions.apply(entry);
            match entry.kind {
                RecordType::Approval => content.take_approval(entry, raw, &plans, trust),
                RecordType::Intent => content.take_intent(entry, &plans, &mut intents),
                _ => {}
            }
        }
        if let Some(trust) = trust {
            content.findings.extend(authority::check(&decisions, trust));
        }
        for act in decisions.acts() {
            *content.states.entry(act.cell().as_str()).or_default() += 1;
        }
        content.unknown = decisions
            .unknowns()
            .map(|act| UnknownAct {
                intent: act.intent.intent.to_string(),
                verb: act.intent.verb.to_string(),
                identity: act.intent.identity.to_string(),
                at: act.at,
                actor: show(&act.actor).into_owned(),
                log: show(&act.place.0).into_owned(),
                seq: act.place.1,
            })
            .collect();
        content
    }

    fn find(&mut self, level: Level, check: &'static str, entry: &Entry, text: &str) {
        let text = show(&format!("{} record {}: {text}", entry.log, entry.seq)).into_owned();
        self.findings.push(Finding {
            level,
            check,
            seq: Some(entry.seq),
            text,
        });
    }

    fn take_plans(&mut self, lines: &[Line]) -> BTreeMap<String, Plan> {
        let mut plans = BTreeMap::new();
        for Line { entry, .. } in lines.iter().filter(|l| l.entry.kind == RecordType::Plan) {
            self.plans += 1;
            let named = entry
                .body
                .get("digest")
                .and_then(Value::as_str)
                .unwrap_or_default();
            let plan = entry.body.get("plan").unwrap_or(&Value::Null);
            // Hashed as it stands in the record, so that a field unknown to this version counts too.
            if sha256_hex(&canonical(plan)) != named {
                self.find(
                    Level::Failure,
                    "plans",
                    entry,
                    "the plan does not hash to the digest that names it",
                );
                continue;
            }
            let expires = plan["expires"].as_str().and_then(|t| t.parse().ok());
            plans.insert(
                named.to_owned(),
                Plan {
                    author: entry.actor.clone(),
                    log: entry.log.clone(),
                    expires,
                },
            );
        }
        plans
    }

    fn take_approval(
        &mut self,
        entry: &Entry,
        raw: &[u8],
        plans: &BTreeMap<String, Plan>,
        trust: Option<&Trust>,
    ) {
        self.approvals += 1;
        let Ok(approval) = entry.body_as::<Approval>() else {
            self.find(
                Level::Warning,
                "approvals",
                entry,
                "the approval cannot be read",
            );
            return;
        };
        let Some(plan) = plans.get(approval.digest.as_str()) else {
            self.find(
                Level::Warning,
                "approvals",
                entry,
                "the approval is for a plan that is not here",
            );
            return;
        };
        self.bound += 1;
        if let Some(trust) = trust.filter(|_| approval.block.is_some()) {
            // Given on another host: the key in the block counts, not the log that holds it.
            let holder = entry
                .signer
                .as_deref()
                .and_then(|key| trust.holder_named(key));
            let text = match holder {
                None => "the verdict of another host is forged, or nobody's on the roster",
                Some(who) if Some(who) == trust.writer_of(&plan.log) && approval.approved => {
                    self.self_approvals += 1;
                    "the plan was approved by the person who wrote it"
                }
                Some(_) => return,
            };
            self.find(Level::Failure, "approvals", entry, text);
        } else if let Some(trust) = trust.filter(|_| approval.approved && !is_drill(raw)) {
            let who = trust.writer_of(&entry.log);
            if who.is_none() {
                let text = "approved in a log that belongs to nobody on the roster";
                self.find(Level::Warning, "approvals", entry, text);
            } else if who == trust.writer_of(&plan.log) {
                self.self_approvals += 1;
                let text = "the plan was approved by the person who wrote it";
                self.find(Level::Failure, "approvals", entry, text);
            }
        } else if approval.approved && approval.by.as_ref().unwrap_or(&entry.actor) == &plan.author
        {
            self.self_approvals += 1;
            self.find(
                Level::Warning,
                "approvals",
                entry,
                "the plan was approved by whoever wrote it",
            );
        }
    }

    fn take_intent(
        &mut self,
        entry: &Entry,
        plans: &BTreeMap<String, Plan>,
        seen: &mut BTreeSet<String>,
    ) {
        self.intents += 1;
        let Ok(intent) = entry.body_as::<Intent>() else {
            self.find(
                Level::Warning,
                "actions",
                entry,
                "the intent cannot be read",
            );
            return;
        };
        if !seen.insert(intent.intent.as_str().to_owned()) {
            self.find(
                Level::Failure,
                "actions",
                entry,
                "the intent id stands twice",
            );
        }
        match plans.get(intent.digest.as_str()) {
            None => self.find(
                Level::Warning,
                "actions",
                entry,
                "the plan of this intent is not here",
            ),
            Some(plan) if !intent.undo && plan.expires.is_some_and(|e| entry.ts > e) => {
                self.expired += 1;
                self.find(
                    Level::Warning,
                    "approvals",
                    entry,
                    "the intent was written after its plan expired",
                );
            }
            Some(_) => {}
        }
    }
}
