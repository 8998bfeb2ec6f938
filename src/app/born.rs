//! Identities that came to be through the one at hand since it was exposed: offered as targets of a plan, never chosen.

use jiff::Timestamp;

use super::map::Choosing;
use super::model::{Detail, Level, Model};
use crate::domain::graph::{Joined, NodeKind};
use crate::domain::ids::IdentityId;

/// Returns them, the earliest first.
pub fn targets(detail: &Detail) -> Vec<IdentityId> {
    let born = detail.newcomers.iter();
    born.filter(|n| n.joined == Joined::Born && n.kind == NodeKind::Identity)
        .map(|n| IdentityId::new(n.node.as_str()))
        .collect()
}

/// Shows the options for the first of them, or for the one after the one that is shown.
pub fn offer(model: &mut Model, after: Option<&IdentityId>, now: Timestamp) {
    let targets = targets(&model.detail);
    let at = after.and_then(|after| targets.iter().position(|t| t == after));
    let at = at.map_or(0, |at| (at + 1) % targets.len().max(1));
    let selected = model.selected.as_ref();
    let alert = selected.and_then(|id| model.alerts.read(id)).cloned();
    let card = targets.get(at).and_then(|id| model.card_of(id));
    let (Some(alert), Some(card)) = (alert, card) else {
        let text = "no identity is known to have been made through it since it was exposed";
        model.say(now, Level::Info, text);
        return;
    };
    let choices = model.plans_for(&alert, &card, &model.detail.graph);
    let next = match targets.len() {
        1 => String::new(),
        all => format!("; {} of {all}, o shows the next", at + 1),
    };
    model.born = Some(Choosing {
        identity: Box::new(card),
        choices,
        note: Some(format!("Made through it since it was exposed{next}.")),
    });
}
