//! Views of the queue: chosen with a digit, saved under a name.

use jiff::Timestamp;
use tui_input::Input;

use super::keys::{Code, Key};
use super::model::{Level, Model, Overlay};
use super::msg::Effect;
use super::settings::View;
use super::{field, sift};

/// Handles a key while views are shown: a digit chooses one, `s` saves what is shown now, anything else leaves.
pub fn key(model: &mut Model, key: Key, now: Timestamp) -> Vec<Effect> {
    model.overlay = Overlay::None;
    model.dirty = true;
    match key.code {
        Code::Char(digit @ '1'..='9') => {
            let at = digit as usize - '1' as usize;
            let Some(view) = model.desk.views.get(at).cloned() else {
                return Vec::new();
            };
            model.queue.set_grouping(view.fold);
            sift::set(model, &view.filter, now)
        }
        Code::Char('s') => {
            match &model.sift.complaint {
                Some(complaint) => {
                    let text = format!("no view of a filter that cannot be used: {complaint}");
                    model.say(now, Level::Warn, text);
                }
                None => model.overlay = Overlay::SaveView(Input::default()),
            }
            Vec::new()
        }
        _ => Vec::new(),
    }
}

/// Handles a key while the name of a view is typed.
pub fn name_key(model: &mut Model, key: Key) -> Vec<Effect> {
    model.dirty = true;
    let Overlay::SaveView(name) = &mut model.overlay else {
        return Vec::new();
    };
    match key.code {
        Code::Esc => model.overlay = Overlay::None,
        Code::Enter if name.value().trim().is_empty() => {}
        Code::Enter => {
            let view = View {
                name: name.value().trim().to_owned(),
                filter: model.sift.input.value().to_owned(),
                fold: model.queue.grouping(),
            };
            model.overlay = Overlay::None;
            return vec![Effect::SaveView(view)];
        }
        _ => field::edit(name, key),
    }
    Vec::new()
}

/// Takes in that a view was saved, and where; or why not.
pub fn saved(model: &mut Model, result: Result<(View, String), String>, now: Timestamp) {
    let (view, place) = match result {
        Ok(saved) => saved,
        Err(reason) => {
            return model.say(
                now,
                Level::Error,
                format!("the view is not saved: {reason}"),
            );
        }
    };
    let views = &mut model.desk.views;
    let known = views.iter().position(|other| other.name == view.name);
    let at = known.unwrap_or(views.len());
    if known.is_some() {
        views[at] = view;
    } else {
        views.push(view);
    }
    let text = format!("saved in {place}; V {} shows it again", at + 1);
    model.say(now, Level::Info, text);
}
