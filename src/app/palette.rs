//! The palette: every command of the screen by its name, and the themes.

use jiff::Timestamp;
use tui_input::Input;

use super::command::{Command, REGISTRY, Scope, Spec, disabled_reason};
use super::field;
use super::keys::{Code, Key};
use super::model::{Level, Model, Overlay};
use super::msg::Effect;

/// What is typed, and what lies under the palette.
#[derive(Debug)]
pub struct Palette {
    /// What is searched for.
    pub input: Input,
    /// Which of the lines found has the cursor.
    pub at: usize,
    /// The screen to go back to.
    pub under: Box<Overlay>,
}

/// Something that can be chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Choice {
    /// A command of the screen.
    Command(&'static str),
    /// A theme by its name.
    Theme(String),
}

/// A line of the palette.
#[derive(Clone, Debug)]
pub struct Entry {
    /// What it does.
    pub choice: Choice,
    /// Its row, if it is a command.
    pub spec: Option<&'static Spec>,
    /// Its name.
    pub title: String,
    /// What it does, in a sentence.
    pub help: String,
    /// Why it cannot be done now.
    pub disabled: Option<String>,
}

/// Opens the palette over what is shown.
pub fn open(model: &mut Model) {
    let under = Box::new(std::mem::take(&mut model.overlay));
    model.overlay = Overlay::Palette(Palette {
        input: Input::default(),
        at: 0,
        under,
    });
}

/// Returns the lines that match what is typed, the best first.
pub fn found(model: &Model, palette: &Palette) -> Vec<Entry> {
    let scope = super::command::scope(model);
    let commands = REGISTRY.iter().filter(|spec| offered(spec, scope));
    let commands = commands.map(|spec| Entry {
        choice: Choice::Command(spec.id),
        spec: Some(spec),
        title: match spec.command {
            Command::Stage(n) => format!("{} {n}", spec.title),
            _ => spec.title.to_owned(),
        },
        help: spec.help.to_owned(),
        disabled: disabled_reason(spec.command, model),
    });
    let themes = model.themes.iter().map(|name| Entry {
        choice: Choice::Theme(name.clone()),
        spec: None,
        title: format!("theme {name}"),
        help: "Shown at once, kept until the console ends.".to_owned(),
        disabled: None,
    });
    let wanted = palette.input.value().trim().to_lowercase();
    let all = commands.chain(themes);
    let mut scored: Vec<(u8, Entry)> = all
        .filter_map(|entry| Some((rank(&entry, &wanted)?, entry)))
        .collect();
    scored.sort_by_key(|(rank, _)| *rank);
    scored.into_iter().map(|(_, entry)| entry).collect()
}

/// Tells whether a command is one to look for: moving about is done with keys.
fn offered(spec: &Spec, scope: Scope) -> bool {
    use Command as C;
    let moves = matches!(
        spec.command,
        C::Down
            | C::Up
            | C::PageDown
            | C::PageUp
            | C::Top
            | C::Bottom
            | C::NextPane
            | C::PrevPane
            | C::Palette
    );
    spec.scope == scope && !moves
}

/// Returns how well an entry matches, 0 best; nothing when it does not.
fn rank(entry: &Entry, wanted: &str) -> Option<u8> {
    let title = entry.title.to_lowercase();
    let id = entry.spec.map_or("", |spec| spec.id);
    let begins = |text: &str| {
        text.split([' ', '.', '_'])
            .any(|word| word.starts_with(wanted))
    };
    if title.starts_with(wanted) {
        // Digits are in sight on the options themselves.
        let digit = entry
            .spec
            .is_some_and(|spec| matches!(spec.command, Command::Stage(_)));
        return Some(u8::from(digit && wanted.is_empty()));
    }
    if begins(&title) || begins(id) {
        return Some(1);
    }
    if title.contains(wanted) || id.contains(wanted) {
        return Some(2);
    }
    let help = entry.help.to_lowercase();
    if wanted
        .split_whitespace()
        .all(|word| help.contains(word) || title.contains(word))
    {
        return Some(3);
    }
    is_spread(wanted, &title).then_some(4)
}

/// Tells whether the characters stand in a text in their order.
fn is_spread(wanted: &str, text: &str) -> bool {
    let mut rest = text.chars();
    let mut typed = wanted.chars().filter(|c| !c.is_whitespace());
    typed.all(|c| rest.any(|other| other == c))
}

/// Returns the theme to draw with: the one under the palette's cursor, else the one in force.
pub fn theme(model: &Model) -> &str {
    if let Overlay::Palette(palette) = &model.overlay
        && let Some(Entry {
            choice: Choice::Theme(name),
            ..
        }) = found(model, palette).get(palette.at)
        && let Some(known) = model.themes.iter().find(|known| *known == name)
    {
        return known;
    }
    &model.theme
}

/// Handles a key while the palette is open. What is chosen is returned for the screen under it, which is back then.
pub fn key(model: &mut Model, key: Key, now: Timestamp) -> Option<Command> {
    model.dirty = true;
    let Overlay::Palette(palette) = &mut model.overlay else {
        return None;
    };
    match key.code {
        Code::Esc => close(model),
        Code::Char('c') if key.ctrl => close(model),
        Code::Down => move_by(model, 1),
        Code::Up => move_by(model, -1),
        Code::PageDown => move_by(model, 10),
        Code::PageUp => move_by(model, -10),
        Code::Enter => return choose(model, now),
        _ => {
            field::edit(&mut palette.input, key);
            palette.at = 0;
        }
    }
    None
}

fn close(model: &mut Model) {
    if let Overlay::Palette(palette) = std::mem::take(&mut model.overlay) {
        model.overlay = *palette.under;
    }
}

fn move_by(model: &mut Model, rows: isize) {
    let Overlay::Palette(palette) = &model.overlay else {
        return;
    };
    let last = found(model, palette).len().saturating_sub(1);
    if let Overlay::Palette(palette) = &mut model.overlay {
        palette.at = palette.at.saturating_add_signed(rows).min(last);
    }
}

fn choose(model: &mut Model, now: Timestamp) -> Option<Command> {
    let Overlay::Palette(palette) = &model.overlay else {
        return None;
    };
    let entry = found(model, palette).into_iter().nth(palette.at)?;
    if entry.disabled.is_some() {
        // Its reason stands in its line.
        return None;
    }
    close(model);
    match entry.choice {
        Choice::Command(_) => entry.spec.map(|spec| spec.command),
        Choice::Theme(name) => {
            let text = format!(
                "theme {name} until this console ends; for good: theme = \"{name}\" under [ui]"
            );
            model.theme = name;
            model.say(now, Level::Info, text);
            None
        }
    }
}

/// Puts pasted text where it is typed.
pub fn paste(model: &mut Model, text: &str) -> Vec<Effect> {
    if let Overlay::Palette(palette) = &mut model.overlay {
        field::paste(&mut palette.input, text);
        palette.at = 0;
    }
    Vec::new()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use rstest::rstest;

    use super::*;
    use crate::app::keymap::Keymap;
    use crate::app::msg::Msg;
    use crate::app::update::update;

    fn press(model: &mut Model, keymap: &Keymap, keys: &[Key]) -> Vec<Effect> {
        let mut effects = Vec::new();
        for key in keys {
            effects.extend(update(model, keymap, Msg::Key(*key), Timestamp::UNIX_EPOCH));
        }
        effects
    }

    fn typed(model: &mut Model, text: &str) -> Vec<Effect> {
        let keys: Vec<Key> = text.chars().map(Key::char).collect();
        press(model, &Keymap::default(), &keys)
    }

    fn model() -> Model {
        Model {
            themes: vec!["terminal".into(), "dark".into()],
            theme: "terminal".into(),
            ..Model::default()
        }
    }

    #[test]
    fn a_command_is_found_by_its_name_and_done_on_the_screen_below() {
        let mut model = model();
        typed(&mut model, ":messages");
        press(&mut model, &Keymap::default(), &[Key::plain(Code::Enter)]);
        assert!(matches!(model.overlay, Overlay::Messages { .. }));
    }

    #[test]
    fn what_cannot_be_done_says_why_and_is_not_done() {
        let mut model = model();
        typed(&mut model, ":drill score");
        press(&mut model, &Keymap::default(), &[Key::plain(Code::Enter)]);
        let Overlay::Palette(palette) = &model.overlay else {
            panic!("closed");
        };
        let entries = found(&model, palette);
        assert_eq!(
            entries[0].disabled.as_deref(),
            Some("only the drill has a score")
        );
    }

    #[test]
    fn a_read_only_console_finds_what_acts_and_does_not_do_it() {
        let mut model = model();
        model.read_only = true;
        typed(&mut model, ":");
        let Overlay::Palette(palette) = &model.overlay else {
            panic!("closed");
        };
        let acting = found(&model, palette);
        let acting = acting.iter().filter(|entry| {
            let danger = entry.spec.map(|spec| spec.danger);
            danger.is_some_and(|danger| danger != super::super::command::Danger::Safe)
        });
        let reasons: Vec<_> = acting.map(|entry| entry.disabled.as_deref()).collect();
        assert!(reasons.len() > 10);
        assert!(
            reasons
                .iter()
                .all(|reason| *reason == Some("this console is read-only"))
        );
    }

    #[test]
    fn a_theme_is_shown_while_it_is_looked_at_and_kept_when_it_is_chosen() {
        let mut model = model();
        typed(&mut model, ":theme dark");
        assert_eq!(theme(&model), "dark");
        press(&mut model, &Keymap::default(), &[Key::plain(Code::Esc)]);
        assert_eq!(theme(&model), "terminal");
        typed(&mut model, ":theme dark");
        press(&mut model, &Keymap::default(), &[Key::plain(Code::Enter)]);
        assert_eq!(theme(&model), "dark");
        assert!(matches!(model.overlay, Overlay::None));
    }

    #[rstest]
    #[case("", "refresh")]
    #[case("stage", "stage option 1")]
    #[case("map", "map")]
    #[case("invent", "read the inventory")]
    #[case("triage.claim", "claim")]
    #[case("zzzz", "")]
    fn what_fits_best_comes_first(#[case] wanted: &str, #[case] first: &str) {
        let mut model = model();
        typed(&mut model, &format!(":{wanted}"));
        let Overlay::Palette(palette) = &model.overlay else {
            panic!("closed");
        };
        let entries = found(&model, palette);
        let title = entries.first().map_or("", |entry| entry.title.as_str());
        assert_eq!(title, first);
    }

    #[test]
    fn a_sequence_waits_for_its_last_key() {
        let changes = BTreeMap::from([("messages".to_owned(), vec!["x y".to_owned()])]);
        let keymap = Keymap::changed(&changes).unwrap();
        let mut model = model();
        press(&mut model, &keymap, &[Key::char('x')]);
        assert_eq!(model.pending, [Key::char('x')]);
        press(&mut model, &keymap, &[Key::char('q')]);
        assert!(model.pending.is_empty() && !model.quit);
        press(&mut model, &keymap, &[Key::char('x'), Key::char('y')]);
        assert!(matches!(model.overlay, Overlay::Messages { .. }));
    }
}
