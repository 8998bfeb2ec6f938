//! What is read again by itself: the inventory's files and addresses, and what the provider says of the identity at hand.
//! Both at a stated age, never more often than a minute, and away from the keys.

use std::sync::Arc;

use jiff::Timestamp;

use super::context;
use super::model::{Level, Model};
use super::msg::Effect;
use super::readiness_screen;
use crate::domain::inventory::Inventory;

/// How old things may grow, and how the last reading went.
#[derive(Clone, Debug, Default)]
pub struct Reload {
    /// After how many seconds the inventory is read again by itself; 0 only by a key.
    pub every_s: u32,
    /// After how many seconds the provider is asked again about the identity at hand; 0 only by a key.
    pub live_again_s: u32,
    /// When the inventory was last read; `None` before the console looked at the clock.
    pub at: Option<Timestamp>,
    /// Whether it is being read.
    pub reading: bool,
    /// Whether somebody waits for it.
    pub by_key: bool,
    /// What is wrong with its sources, and what is therefore old. Escaped already.
    pub troubles: Vec<String>,
}

/// Returns what is wrong with the sources of an inventory.
pub fn troubles(inventory: &Inventory) -> Vec<String> {
    let sources = inventory.background().sources.iter();
    let told = sources.filter_map(|s| Some(format!("{}: {}", s.shown(), s.trouble.as_ref()?)));
    told.collect()
}

/// Reads what has grown old. Called at least once a minute.
pub fn tick(model: &mut Model, now: Timestamp) -> Vec<Effect> {
    let mut effects = Vec::new();
    let since = *model.reload.at.get_or_insert(now);
    if is_due(since, model.reload.every_s, now) {
        effects.extend(ask(model));
    }
    let card = model.detail.identity.as_ref();
    let live = card.and_then(|card| model.live.get(&card.id));
    let read = live.filter(|live| !live.loading).and_then(|live| live.at);
    if read.is_some_and(|at| is_due(at, model.reload.live_again_s, now)) {
        effects.extend(context::read(model, true));
    }
    effects
}

fn is_due(since: Timestamp, after_s: u32, now: Timestamp) -> bool {
    after_s > 0 && now.as_second() - since.as_second() >= i64::from(after_s)
}

/// Reads the inventory again, unless that is under way.
pub fn ask(model: &mut Model) -> Vec<Effect> {
    match std::mem::replace(&mut model.reload.reading, true) {
        true => Vec::new(),
        false => vec![Effect::ReadInventory],
    }
}

/// Reads it because somebody pressed a key.
pub fn by_key(model: &mut Model, now: Timestamp) -> Vec<Effect> {
    let text = match model.reload.reading {
        true => "the inventory is being read",
        false => "reading the inventory again",
    };
    model.say(now, Level::Info, text);
    model.reload.by_key = true;
    ask(model)
}

/// Takes in what the sources say now; `None` where they say what they said.
pub fn take(model: &mut Model, read: Option<Arc<Inventory>>, now: Timestamp) -> Vec<Effect> {
    model.reload.reading = false;
    model.reload.at = Some(now);
    model.dirty = true;
    let by_key = std::mem::take(&mut model.reload.by_key);
    let Some(inventory) = read else {
        if by_key {
            model.say(now, Level::Info, "the inventory says what it said");
        }
        return Vec::new();
    };
    let before = std::mem::replace(&mut model.reload.troubles, troubles(&inventory));
    let new: Vec<String> = model
        .reload
        .troubles
        .iter()
        .filter(|trouble| !before.contains(trouble))
        .cloned()
        .collect();
    let listed = inventory.identities().len();
    let was = model.inventory.identities().len();
    if new.is_empty() {
        let text = match listed == was {
            true => format!("the inventory was read again: {listed} identities"),
            false => format!("the inventory was read again: {listed} identities, {was} before"),
        };
        model.say(now, Level::Info, text);
    }
    for trouble in new {
        model.say(now, Level::Warn, format!("inventory {trouble}"));
    }
    model.inventory = inventory.clone();
    // Plans and judgements are made of what is shown.
    let mut effects = vec![Effect::UseInventory(inventory)];
    model.refresh_detail();
    effects.extend(context::read(model, false));
    if model.readiness.open {
        effects.extend(readiness_screen::judge(model));
    }
    effects
}
