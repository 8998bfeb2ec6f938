//! The tabs of the card: going about, opening a row, copying it, and starting a plan with what ends it.

use jiff::Timestamp;

use super::card::{CardScreen, Row};
use super::command::Command;
use super::map::Choosing;
use super::model::{Level, Model, Overlay};
use super::msg::Effect;
use super::update::anywhere;
use super::{contact, context, map_screen};
use crate::domain::identity::Identity;
use crate::domain::text::{show, show_identifier};
use crate::domain::vocabulary::Verb;

/// Opens the screen on the identity of the selected alert.
pub fn open(model: &mut Model, now: Timestamp) {
    if model.detail.identity.is_none() {
        model.say(now, Level::Warn, "no identity, so no card");
        return;
    }
    // What lay behind the queue is left for good.
    model.readiness.away = false;
    model.map.away = false;
    let tab = model.card.tab;
    model.card = CardScreen::on(tab);
    model.overlay = Overlay::Card;
    fill(model);
}

/// Takes in what there is now, while the screen is there.
pub fn fill(model: &mut Model) {
    if !model.card.open {
        return;
    }
    let card = model.detail.identity.as_ref();
    let live = card.and_then(|card| model.live.get(&card.id));
    model.card.fill(&model.detail, live);
}

/// Carries out a command of the screen.
pub fn command(model: &mut Model, command: Command, now: Timestamp) -> Vec<Effect> {
    match command {
        Command::Down => go(model, 1),
        Command::Up => go(model, -1),
        Command::PageDown => go(model, 10),
        Command::PageUp => go(model, -10),
        Command::Top => go(model, isize::MIN),
        Command::Bottom => go(model, isize::MAX),
        Command::NextPane => model.card.turn(1),
        Command::PrevPane => model.card.turn(-1),
        Command::OpenNode => read(model),
        Command::Copy => return copy(model, now),
        Command::PlanHere => plan(model, now),
        Command::Refresh => {
            let effects = context::read(model, true);
            fill(model);
            return effects;
        }
        Command::OpenMap => {
            leave(model);
            map_screen::open(model, now);
        }
        Command::Out => out(model),
        Command::Back => leave(model),
        other => return anywhere(model, other),
    }
    Vec::new()
}

fn go(model: &mut Model, delta: isize) {
    match &mut model.card.reading {
        // The end of a text is known where it is drawn; a position beyond it could not be scrolled back from.
        Some(_) if delta == isize::MAX => {}
        Some(scroll) => *scroll = scroll.saturating_add_signed(delta),
        None => model.card.step(delta),
    }
}

/// Shows all that is known of the row.
fn read(model: &mut Model) {
    if model.card.current().is_some() {
        model.card.reading.get_or_insert(0);
    }
}

/// Closes the nearest thing that is open.
fn out(model: &mut Model) {
    if model.card.reading.take().is_none() {
        leave(model);
    }
}

fn leave(model: &mut Model) {
    model.card.open = false;
    model.card.reading = None;
    model.card.choosing = None;
    model.overlay = model.resting();
}

fn copy(model: &mut Model, now: Timestamp) -> Vec<Effect> {
    let text = match model.card.current() {
        Some(Row::Message) => return contact::copy(model, now),
        Some(Row::Person(_, who)) => who.as_ref().map(|who| show(who.raw()).into_owned()),
        Some(row) => Some(show(row.id()).into_owned()),
        None => None,
    };
    let Some(text) = text.filter(|text| !text.is_empty()) else {
        model.say(now, Level::Warn, "there is nothing here to copy");
        return Vec::new();
    };
    vec![Effect::Copy(text)]
}

/// Offers the plans that end what the row shows, on the alert at hand; for another identity all that are for it.
fn plan(model: &mut Model, now: Timestamp) {
    let Some(row) = model.card.current().cloned() else {
        model.say(now, Level::Warn, "there is nothing here to plan with");
        return;
    };
    let selected = model.selected.as_ref();
    let alert = selected.and_then(|id| model.alerts.read(id)).cloned();
    let (Some(alert), Some(card)) = (alert, model.detail.identity.clone()) else {
        let text = "no alert is selected for which a plan could be made";
        model.say(now, Level::Warn, text);
        return;
    };
    if let Some(id) = row.other() {
        let Some(other) = model.card_of(&id) else {
            model.say(now, Level::Warn, format!("{id} is on no map any more"));
            return;
        };
        let choices = model.plans_for(&alert, &other, &model.detail.graph);
        model.card.choosing = Some(Choosing {
            identity: Box::new(other),
            choices,
            note: None,
        });
        return;
    }
    let acts = row.acts();
    if acts.is_empty() {
        model.say(
            now,
            Level::Warn,
            "no act ends this; o works on what a provider can end",
        );
        return;
    }
    let does = |playbook: &str| {
        let book = model.playbooks.iter().find(|book| book.id == playbook);
        book.is_some_and(|book| book.steps.iter().any(|step| acts.contains(&step.verb)))
    };
    let mut choices = model.detail.choices.clone();
    choices.retain(|choice| choice.playbook.as_deref().is_some_and(does));
    let note = note(model, &card, acts);
    model.card.choosing = Some(Choosing {
        identity: Box::new(card),
        choices,
        note: Some(note),
    });
}

/// Says what ends the row, and that it ends its like too: nobody should think that one session is picked out where a
/// provider ends all.
fn note(model: &Model, card: &Identity, acts: &[Verb]) -> String {
    let name = card.connector.as_ref();
    let Some(name) = name else {
        return "No connector can reach it, so nothing ends this from here.".to_owned();
    };
    let offered = model.capabilities.get(name);
    let titles: Vec<String> = acts
        .iter()
        .filter_map(|verb| Some(format!("{verb} ({})", show(&offered?.get(verb)?.title))))
        .collect();
    let who = show_identifier(card.name.raw());
    match titles.is_empty() {
        true => format!("{} offers nothing that ends this.", show(name)),
        false => format!(
            "Ended by {}: for all of {who}, this one among them; the plan shows the exact requests.",
            titles.join(" or ")
        ),
    }
}
