//! Options for an identity that stand over a screen: a digit stages one, anything else closes them.

use jiff::Timestamp;

use super::keys::{Code, Key};
use super::map::Choosing;
use super::model::{Level, Model};
use super::msg::Effect;
use super::planning;

/// Where a screen keeps them.
pub type Slot = fn(&mut Model) -> &mut Option<Choosing>;

/// Handles a key while options are shown.
pub fn key(model: &mut Model, slot: Slot, key: Key, now: Timestamp) -> Vec<Effect> {
    model.dirty = true;
    let Some(choosing) = slot(model).take() else {
        return Vec::new();
    };
    let digit = match key.code {
        Code::Char(c) if !key.ctrl => c.to_digit(10),
        _ => None,
    };
    let (Some(digit), Some(alert)) = (digit, model.selected.clone()) else {
        return Vec::new();
    };
    let found = choosing
        .choices
        .iter()
        .find(|c| c.key.map(u32::from) == Some(digit))
        .cloned();
    let Some(choice) = found else {
        let text = format!("option {digit} is not for this");
        model.say(now, Level::Warn, text);
        *slot(model) = Some(choosing);
        return Vec::new();
    };
    if choice.disabled.is_some() {
        // Its reason stands in its line.
        *slot(model) = Some(choosing);
        return Vec::new();
    }
    planning::stage_on(model, alert, *choosing.identity, choice)
}
