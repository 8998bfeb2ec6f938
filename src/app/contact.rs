//! The message to whoever answers for an identity, from what the console knows.

use jiff::Timestamp;

use super::model::{Detail, Level, Model};
use super::msg::Effect;
use crate::domain::contact::{Case, message};
use crate::domain::ids::AlertId;

/// Returns the message about the identity of an alert, line by line; `None` where nobody is named.
pub fn about(
    model: &Model,
    alert: &AlertId,
    detail: &Detail,
    now: Timestamp,
) -> Option<Vec<String>> {
    let card = detail.identity.as_ref()?;
    // A plan may be about somebody else whom the alert led to.
    let plan = model.decisions.last_plan(alert);
    let plan = plan.filter(|(_, plan)| plan.identity == card.id);
    let stands = model.row_state(alert).as_str().to_lowercase();
    let case = Case {
        card,
        alert: model.alerts.read(alert).map(|alert| &**alert),
        breaks: Some(&detail.look.breaks),
        plan: plan.as_ref().map(|(_, plan)| (*plan, stands.as_str())),
        choices: &detail.choices,
        now,
    };
    Some(message(&case))
}

/// Copies the message about the selected alert. It is one line there: what is pasted into a shell by mistake runs nothing.
pub fn copy(model: &mut Model, now: Timestamp) -> Vec<Effect> {
    let selected = model.selected.clone();
    let lines = selected.and_then(|id| about(model, &id, &model.detail, now));
    let Some(lines) = lines else {
        let text = "nobody is named here, so there is no owner to write to";
        model.say(now, Level::Warn, text);
        return Vec::new();
    };
    vec![Effect::Copy(lines.join(" "))]
}
