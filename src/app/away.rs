//! The terminal goes to somebody else for a while: the shell, a pager, an editor.

use jiff::Timestamp;
use tui_input::Input;

use super::command::{Command, Scope};
use super::field;
use super::keymap::{Keymap, Meaning};
use super::keys::Key;
use super::model::{Level, Model, Overlay};
use super::msg::Effect;

/// Returns the text that is being written and may be written in an editor: a reason or a note. What confirms a plan is
/// typed.
fn written(model: &mut Model) -> Option<&mut Input> {
    match &mut model.overlay {
        Overlay::Reason(prompt) => Some(&mut prompt.input),
        Overlay::Say(_, input) => Some(input),
        _ => None,
    }
}

/// Takes the key of the editor while something is written; nothing for every other key.
pub fn key(model: &mut Model, keymap: &Keymap, key: Key, now: Timestamp) -> Option<Vec<Effect>> {
    let meaning = keymap.resolve(Scope::Triage, &[key]);
    if !matches!(meaning, Meaning::Command(Command::Editor)) {
        return None;
    }
    let text = written(model)?.value().to_owned();
    if let Some(reason) = refused(model) {
        model.say(now, Level::Warn, format!("editor: {reason}"));
        return Some(Vec::new());
    }
    Some(vec![Effect::Edit(text)])
}

/// Returns why the terminal cannot be given away now.
pub fn refused(model: &Model) -> Option<String> {
    if model.acting() {
        return Some("an act is under way, and nobody would see it".to_owned());
    }
    let counts = model.counts_down();
    counts.then(|| "a countdown is on, and nobody would see it".to_owned())
}

/// Takes in what was written in the editor: one line, bounded, as a paste is.
pub fn edited(model: &mut Model, text: &str, now: Timestamp) {
    let Some(input) = written(model) else { return };
    *input = Input::default();
    let text = text.trim_end();
    field::paste(input, text);
    let kept = input.value().chars().count();
    if kept < text.chars().count() {
        let text = format!("only the first {kept} characters are kept");
        model.say(now, Level::Warn, text);
    }
    model.dirty = true;
}
