//! The assessment of one alert: score, tier, bounds, who has to be asked.

use serde::Serialize;

use super::Policy;
use super::facts::Facts;
use super::term::{Term, Unjudged};
use crate::domain::vocabulary::{IdentityKind, Tier};

/// Thresholds that no score reaches.
pub(super) const NEVER: (u8, u8) = (101, 101);

/// How a condition came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It holds.
    Matched,
    /// It does not hold.
    NotMatched,
    /// Nobody knows, and a person is asked.
    Unjudged(Unjudged),
}

impl Outcome {
    /// Judges a condition. One that was never read holds nowhere, and its policy is not armed.
    pub fn of(term: Option<&Term>, facts: &Facts<'_>) -> Self {
        match term.map(|term| term.holds(facts)) {
            Some(Ok(true)) => Self::Matched,
            Some(Ok(false)) | None => Self::NotMatched,
            Some(Err(why)) => Self::Unjudged(why),
        }
    }

    /// Returns the word shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Matched => "matched",
            Self::NotMatched => "not matched",
            Self::Unjudged(_) => "could not be judged",
        }
    }
}

/// What a policy says about an alert.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Assessment {
    /// 0 to 100.
    pub score: u8,
    /// How far the policy would go.
    pub tier: Tier,
    /// How far it would go if nothing bounded it from above.
    pub unbounded: Tier,
    /// From which score on soft, and hard, for this kind of identity.
    pub thresholds: (u8, u8),
    /// How far anybody may go here, where that is bounded, and why.
    pub most: Option<(Tier, String)>,
    /// Why a person has to decide; empty when nobody has to.
    pub ask: Vec<String>,
    /// What counts, in words, the weightiest first.
    pub reasons: Vec<String>,
    /// How each rule, then each gate, came out.
    #[serde(skip)]
    pub outcomes: Vec<Outcome>,
}

impl Assessment {
    /// Returns one that nothing counted for.
    const fn new(thresholds: (u8, u8)) -> Self {
        Self {
            score: 0,
            tier: Tier::Monitor,
            unbounded: Tier::Monitor,
            thresholds,
            most: None,
            ask: Vec::new(),
            reasons: Vec::new(),
            outcomes: Vec::new(),
        }
    }

    /// Says it in one shown line.
    pub fn line(&self) -> String {
        let ask = match self.ask.first() {
            Some(why) => format!(", a person decides: {why}"),
            None => String::new(),
        };
        let most = match &self.most {
            Some((tier, why)) => format!(", at most {tier}: {why}"),
            None => String::new(),
        };
        format!("{} (score {}){most}{ask}", self.tier, self.score)
    }

    /// Returns why an option of a tier is off, if it is.
    pub fn refuses(&self, tier: Tier) -> Option<&str> {
        let (most, why) = self.most.as_ref()?;
        (tier > *most).then_some(why.as_str())
    }
}

impl Policy {
    /// Assesses an alert. It never fails: what could not be judged makes a person decide.
    pub fn assess(&self, facts: &Facts<'_>) -> Assessment {
        if let Some(reason) = &self.refused {
            return Assessment {
                most: Some((Tier::Monitor, format!("look only: {reason}"))),
                ask: vec![reason.clone()],
                ..Assessment::new(NEVER)
            };
        }
        let kind = facts.identity.map_or(IdentityKind::Unknown, |i| i.kind);
        let thresholds = self.threshold(kind);
        let mut made = Assessment::new(thresholds);
        let mut sum = 0_i32;
        let mut counted: Vec<(i16, &str)> = Vec::new();
        for rule in &self.file.rules {
            let outcome = Outcome::of(rule.term.as_deref(), facts);
            match outcome {
                Outcome::Matched => {
                    sum += i32::from(rule.score);
                    counted.push((rule.score, &rule.why));
                }
                Outcome::Unjudged(why) => made.ask.push(unjudged(&rule.id, why)),
                Outcome::NotMatched => {}
            }
            made.outcomes.push(outcome);
        }
        made.score = sum.clamp(0, 100) as u8;
        made.tier = match made.score {
            score if score >= thresholds.1 => Tier::Hard,
            score if score >= thresholds.0 => Tier::Soft,
            _ => Tier::Monitor,
        };
        counted.sort_by_key(|(score, _)| std::cmp::Reverse(score.abs()));
        let said = counted
            .iter()
            .map(|(score, why)| format!("{score:+} {why}"));
        made.reasons.extend(said);
        self.bound(facts, &mut made);
        made
    }

    fn bound(&self, facts: &Facts<'_>, made: &mut Assessment) {
        for gate in &self.file.gates {
            let outcome = Outcome::of(gate.term.as_deref(), facts);
            made.outcomes.push(outcome);
            match outcome {
                Outcome::NotMatched => continue,
                Outcome::Unjudged(why) => {
                    made.ask.push(unjudged(&gate.id, why));
                    continue;
                }
                Outcome::Matched => {}
            }
            if let Some(least) = gate.least.filter(|least| *least > made.tier) {
                made.tier = least;
                made.reasons.push(format!("at least {least}: {}", gate.why));
            }
            if let Some(most) = gate.most
                && made.most.as_ref().is_none_or(|(known, _)| most < *known)
            {
                made.most = Some((most, gate.why.clone()));
            }
            if gate.ask {
                made.ask.push(gate.why.clone());
            }
        }
        made.unbounded = made.tier;
        // A bound from above is stronger than one from below: it is there to spare somebody.
        if let Some((most, _)) = &made.most {
            made.tier = made.tier.min(*most);
        }
    }
}

fn unjudged(id: &str, why: Unjudged) -> String {
    format!("`{id}` could not be judged: {why}")
}
