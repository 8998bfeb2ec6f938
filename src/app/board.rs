//! What the inbox of approvals and the debt board show.

use jiff::Timestamp;

use super::model::Model;
use crate::domain::authority::{Act, Standing};
use crate::domain::debt::{Debt, debts};
use crate::domain::decision::PlanState;
use crate::domain::graph::NodeKind;
use crate::domain::ids::{NodeId, PlanDigest};
use crate::domain::plan::Plan;

/// Which of the two.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Side {
    /// Plans that wait for somebody to agree.
    #[default]
    Approvals,
    /// What is temporary.
    Debts,
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

    /// Says what people rely on that a plan, or whoever is to be contained, gets at.
    pub fn plan_warnings(&self, plan: &Plan) -> Vec<String> {
        let graph = self.inventory.graph();
        let is_way_back = |id: &NodeId| {
            let node = graph.node(id);
            node.is_some_and(|node| node.kind == NodeKind::RecoveryPath)
        };
        let authority = self.authority.as_ref();
        authority.map_or_else(Vec::new, |a| a.warnings(plan, is_way_back))
    }

    /// Looks again at what is temporary.
    pub fn refresh_debts(&mut self, now: Timestamp) {
        self.board.debts = debts(&self.decisions, self.authority.as_deref(), now);
    }

    /// Returns how many lines the board shows.
    pub fn board_lines(&self, now: Timestamp) -> usize {
        match self.board.side {
            Side::Approvals => self.inbox(now).len(),
            Side::Debts => self.board.debts.len(),
        }
    }
}
