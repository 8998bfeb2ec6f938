//! What the inbox of approvals, the debt board, the way back to trust and the campaigns show.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::model::Model;
use crate::domain::authority::{Act, Standing};
use crate::domain::campaign::{self, Campaign, Ledger};
use crate::domain::debt::{Debt, Trust, controls, debts, way_back};
use crate::domain::decision::PlanState;
use crate::domain::graph::NodeKind;
use crate::domain::hold::WayBack;
use crate::domain::ids::{IdentityId, NodeId, PlanDigest};
use crate::domain::plan::Plan;

/// Which of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Side {
    /// Plans that wait for somebody to agree.
    #[default]
    Approvals,
    /// What is temporary.
    Debts,
    /// Who is not trusted, and the gates on the way back.
    WayBack,
    /// One breach, many identities: how far that has come.
    Campaign,
}

impl Side {
    /// All of them, in the order of the tab key.
    pub const ALL: [Self; 4] = [Self::Approvals, Self::Debts, Self::WayBack, Self::Campaign];

    /// Returns the next, round and round.
    pub fn next(self) -> Self {
        let at = Self::ALL.iter().position(|s| *s == self).unwrap_or(0);
        Self::ALL[(at + 1) % Self::ALL.len()]
    }
}

/// Somebody on the way back to trust.
#[derive(Clone, Debug)]
pub struct BackRow {
    /// Whom.
    pub identity: IdentityId,
    /// Whether anybody may rely on it.
    pub trust: Trust,
    /// Whether it is trusted again, and watched.
    pub is_trusted: bool,
    /// Who vouched for what.
    pub way: WayBack,
    /// Controls that stand, in the order in which they are lifted.
    pub stands: Vec<String>,
}

/// The screen's own state.
#[derive(Debug, Default)]
pub struct Board {
    /// Whether it lies over the queue.
    pub open: bool,
    /// What it shows.
    pub side: Side,
    /// Where the cursor is.
    pub cursor: usize,
    /// What is temporary, as it was when the screen was opened or something changed.
    pub debts: Vec<Debt>,
    /// Who is not trusted, or watched; those who need somebody first.
    pub back: Vec<BackRow>,
    /// Campaigns with their ledgers, the latest first.
    pub campaigns: Vec<(Campaign, Ledger)>,
    /// Which of them shows.
    pub campaign: usize,
    /// How many of the one that shows were live over time.
    pub burned: Vec<(Timestamp, u32)>,
}

impl Model {
    /// Returns the plans that wait for somebody, what expires first first.
    pub fn inbox(&self, now: Timestamp) -> Vec<(&PlanDigest, &PlanState)> {
        let mut open = self.decisions.asked();
        open.retain(|(_, state)| state.plan.expires > now);
        open.sort_by_key(|(_, state)| state.plan.expires);
        open
    }

    /// Returns where a plan stands; free where nobody is asked.
    pub fn standing(&self, state: &PlanState) -> Standing {
        let authority = self.authority.as_ref();
        authority.map_or(Standing::Free, |a| a.standing(state))
    }

    /// Tells whether whoever sits here can agree to a plan: they may, did not ask for it, and did not speak yet.
    pub fn can_judge(&self, state: &PlanState) -> Result<(), String> {
        let Some(authority) = &self.authority else {
            return Err("no roster is configured, so nobody is asked".to_owned());
        };
        if let Some(refusal) = self.may_not(Act::Judge, &state.plan) {
            return Err(refusal);
        }
        let own = self.own.as_deref().unwrap_or_default();
        let same = |key: &&str| authority.roster.same_person(key, own);
        if crate::domain::authority::requesters(state).iter().any(same) {
            return Err("whoever asks for a plan cannot agree to it".to_owned());
        }
        let mut said = state.verdicts.iter().filter_map(|v| v.signer.as_deref());
        if said.any(|key| authority.roster.same_person(key, own)) {
            return Err("you said what you think of it already".to_owned());
        }
        Ok(())
    }

    /// Returns how many plans wait for whoever sits here, and how many for anybody.
    pub fn waiting_approvals(&self, now: Timestamp) -> (usize, usize) {
        let inbox = self.inbox(now);
        let waits = |state: &&PlanState| matches!(self.standing(state), Standing::Waiting { .. });
        let open: Vec<&PlanState> = inbox.into_iter().map(|(_, s)| s).filter(waits).collect();
        let own = open.iter().filter(|s| self.can_judge(s).is_ok()).count();
        (own, open.len())
    }

    /// Says what people have to know before a plan is run: what it repeats that may have been done, and what people rely on
    /// that it, or whoever is to be contained, gets at.
    pub fn plan_warnings(&self, digest: &PlanDigest, plan: &Plan) -> Vec<String> {
        let graph = self.inventory.graph();
        let is_way_back = |id: &NodeId| {
            let node = graph.node(id);
            node.is_some_and(|node| node.kind == NodeKind::RecoveryPath)
        };
        let authority = self.authority.as_ref();
        let relied = authority.map_or_else(Vec::new, |a| a.warnings(plan, is_way_back));
        let repeated = self.decisions.repeated(digest, plan);
        repeated.into_iter().chain(relied).collect()
    }

    /// Looks again at what is temporary.
    pub fn refresh_debts(&mut self, now: Timestamp) {
        self.board.debts = debts(&self.decisions, self.authority.as_deref(), now);
        self.board.back = self.on_the_way_back(now);
        let all = self.decisions.campaigns.all().into_iter();
        let authority = self.authority.as_deref();
        let kept = |c: &Campaign| {
            let ledger = campaign::ledger(&self.decisions, authority, c, now);
            (c.clone(), ledger)
        };
        self.board.campaigns = all.map(kept).collect();
        self.refresh_burned(now);
    }

    /// Looks again at how the campaign that shows went.
    pub fn refresh_burned(&mut self, now: Timestamp) {
        let shown = self.board.campaigns.get(self.board.campaign);
        let series = shown.map(|(c, _)| campaign::burn_down(&self.decisions, c, now));
        self.board.burned = series.unwrap_or_default();
    }

    fn on_the_way_back(&self, now: Timestamp) -> Vec<BackRow> {
        let acted: BTreeSet<&IdentityId> = self
            .decisions
            .acts()
            .map(|act| &act.intent.identity)
            .collect();
        let rows = acted.into_iter().filter_map(|identity| {
            let trust = self.trust(identity, now);
            trust.mark()?;
            let stands = controls(&self.decisions, identity);
            Some(BackRow {
                identity: identity.clone(),
                is_trusted: matches!(trust, Trust::Probation { .. }),
                trust,
                way: way_back(&self.decisions, identity),
                stands: stands.map(|(_, step, _)| step.title.clone()).collect(),
            })
        });
        let mut rows: Vec<BackRow> = rows.collect();
        rows.sort_by_key(|row| !row.trust.is_loud());
        rows
    }

    /// Returns how many lines the board shows.
    pub fn board_lines(&self, now: Timestamp) -> usize {
        match self.board.side {
            Side::Approvals => self.inbox(now).len(),
            Side::Debts => self.board.debts.len(),
            Side::WayBack => self.board.back.len(),
            Side::Campaign => {
                let shown = self.board.campaigns.get(self.board.campaign);
                shown.map_or(0, |(_, ledger)| ledger.rows.len())
            }
        }
    }
}
