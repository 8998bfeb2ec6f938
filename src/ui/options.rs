//! The options: what could be done about the selected alert, with the key that stages it.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Paragraph, Widget};

use super::theme::Role;
use super::wrap::wrap_all;
use super::{Ui, frame, overlay, passing, scrolled};
use crate::app::automation::words;
use crate::app::map::Choosing;
use crate::app::model::Model;
use crate::domain::options::Choice;
use crate::domain::text::{cells, fit, show, show_identifier};
use crate::domain::vocabulary::Tier;

/// Most lines that are about what runs by itself.
const BY_ITSELF: usize = 3;

/// Returns how high the pane wants to be: a line an option below its title.
pub fn height(model: &Model, width: u16, most: u16, now: jiff::Timestamp) -> u16 {
    let (alert, detail) = model.room_of();
    let born = u16::from(!crate::app::born::targets(detail).is_empty());
    let words = alert.and_then(|id| words(model, id, now));
    let alone = words.map_or(0, |w| {
        (cells(&w.long) + 1).div_ceil(usize::from(width.max(1)))
    });
    let choices = detail.choices.len().max(model.most_choices).max(1);
    let n = choices as u16 + born + alone.min(BY_ITSELF) as u16;
    (n + 1).min(most.max(2))
}

/// Width from which the title is told in full.
const WIDE_TITLE: u16 = 110;

fn title(model: &Model, wide: bool) -> String {
    let policy = model.detail.assessment.as_ref().map(|made| {
        let ask = match (made.ask.is_empty(), wide) {
            (true, _) => "",
            (false, true) => ", a person decides",
            (false, false) => ", ask",
        };
        let bound = match &made.most {
            Some((most, _)) if wide => format!(", at most {most}"),
            _ => String::new(),
        };
        let (tier, score) = (made.tier, made.score);
        format!("policy: {tier} {score}{bound}{ask}; w why; ")
    });
    let how = match (model.read_only, wide) {
        (true, _) => "read-only: none can be staged",
        (false, true) => "a number stages one; nothing is sent before you confirm",
        (false, false) => "a digit sends nothing yet",
    };
    format!("Options ({}{how})", policy.unwrap_or_default())
}

/// Draws the options.
pub fn render(model: &Model, ui: Ui<'_>, area: Rect, buf: &mut Buffer) {
    if model.is_passing() {
        return passing("Options", ui, area, buf);
    }
    let title = title(model, area.width >= WIDE_TITLE);
    let inside = frame(&title, false, ui, area, buf);
    if model.detail.choices.is_empty() {
        let text = match model.selected {
            Some(_) if model.is_reading() => "reading the alert",
            Some(_) => {
                "Nobody is named, so nothing can be contained: 0 do nothing, D dismiss, n note."
            }
            None => "No alert is selected.",
        };
        Paragraph::new(text).render(inside, buf);
        return;
    }
    let mut lines = Vec::new();
    lines.extend(by_itself(model, ui, usize::from(inside.width)));
    for choice in &model.detail.choices {
        let key = choice
            .key
            .map_or_else(|| "-".to_owned(), |key| key.to_string());
        lines.push(choice_line(choice, &key, ui, usize::from(inside.width)));
    }
    lines.extend(born(model, ui));
    scrolled(lines, 0, ui, inside, buf);
}

/// Says what runs, or does not run, by itself.
fn by_itself(model: &Model, ui: Ui<'_>, width: usize) -> Option<Line<'static>> {
    let words = words(model, model.selected.as_ref()?, ui.now)?;
    let role = match words.counts {
        true => Role::Error,
        false => Role::Muted,
    };
    let text = format!(" {}", show(&words.long));
    let text = fit(
        &text,
        (width * BY_ITSELF).saturating_sub(8),
        ui.glyphs.ellipsis,
    );
    Some(Line::styled(text, ui.theme.style(role)))
}

/// Names other targets: identities that were made through the one at hand.
fn born(model: &Model, ui: Ui<'_>) -> Option<Line<'static>> {
    let targets = crate::app::born::targets(&model.detail);
    let first = targets.first()?;
    let more = match targets.len() {
        1 => String::new(),
        n => format!(" and {} more", n - 1),
    };
    let text = format!(" o  made through it since the exposure, a target too: {first}{more}");
    Some(Line::styled(text, ui.theme.style(Role::Warn)))
}

/// Returns the meaning of a tier for the theme.
pub const fn tier_role(tier: Tier) -> Role {
    match tier {
        Tier::Monitor => Role::Good,
        Tier::Soft => Role::Warn,
        Tier::Hard => Role::Error,
    }
}

/// Key, tier, title, and what it means in one line; on narrow screens the title gives way first.
pub(super) fn choice_line(choice: &Choice, key: &str, ui: Ui<'_>, width: usize) -> Line<'static> {
    let off = choice.disabled.is_some();
    let (key_role, text_role, tier_role) = match off {
        true => (Role::Muted, Role::Muted, Role::Muted),
        false => (Role::Key, Role::Base, tier_role(choice.tier)),
    };
    let room = width.saturating_sub(11);
    let title_room = if width >= 100 {
        room * 2 / 5
    } else {
        room * 35 / 100
    };
    let title = fit(&show(&choice.title), title_room, ui.glyphs.ellipsis);
    let pad = title_room.saturating_sub(cells(&title)) + 1;
    let meaning = match (&choice.disabled, &choice.unsure) {
        (Some(reason), _) => format!("not now: {}", show(reason)),
        (None, Some(why)) => format!("{}; {}", show(why), choice.impact),
        (None, None) => {
            let trap = choice.trap.as_ref().map(|t| format!("{t}; "));
            let (trap, impact) = (trap.unwrap_or_default(), &choice.impact);
            format!("{trap}{impact}  [{}]", choice.teams.join(", "))
        }
    };
    let meaning = fit(
        &meaning,
        room.saturating_sub(title_room + 1),
        ui.glyphs.ellipsis,
    );
    Line::from(vec![
        Span::styled(format!(" {key} "), ui.theme.style(key_role)),
        Span::styled(
            format!("{:<7} ", choice.tier.as_str()),
            ui.theme.style(tier_role),
        ),
        Span::styled(
            format!("{title}{}", " ".repeat(pad)),
            ui.theme.style(text_role),
        ),
        Span::styled(meaning, ui.theme.style(text_role)),
    ])
}

/// Offers over a screen what could be done about an identity or something of it.
pub(super) fn choose(choosing: &Choosing, ui: Ui<'_>, area: Rect, buf: &mut Buffer) {
    let name = show_identifier(choosing.identity.name.raw());
    let title = fit(&format!("Stage a plan on {name}"), 90, ui.glyphs.ellipsis);
    let width = 110.min(area.width);
    let inside = usize::from(width.saturating_sub(4));
    let note = choosing.note.iter().map(|note| Line::raw(note.clone()));
    let mut lines = wrap_all(note.collect(), inside);
    for choice in &choosing.choices {
        let key = choice
            .key
            .map_or_else(|| "-".to_owned(), |key| key.to_string());
        lines.push(choice_line(choice, &key, ui, inside));
    }
    if choosing.choices.is_empty() {
        let text = match choosing.note {
            Some(_) => "No playbook that is for this alert does that.",
            None => "No playbook is for it.",
        };
        lines.push(Line::raw(text));
    }
    let text =
        "A digit shows the plan; nothing is sent before you confirm. Any other key closes this.";
    let text = Line::styled(text, ui.theme.style(Role::Muted));
    lines.extend(wrap_all(vec![text], inside));
    let height = lines.len() as u16 + 2;
    let inside = overlay::dialog(&title, width, height.max(5), ui, area, buf);
    Paragraph::new(lines).render(inside, buf);
}
