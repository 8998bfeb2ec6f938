//! Small things over the screen: help, messages, the drill's score, a reason, a last question.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Clear, Padding, Paragraph, Widget, Wrap};

use super::picture::sparkline;
use super::theme::Role;
use super::{Ui, frame, scrolled};
use crate::app::command::{REGISTRY, Scope};
use crate::app::model::{Level, Model, ReasonPrompt, SourceView};
use crate::domain::alert::age;
use crate::domain::coverage::CellState;
use crate::domain::decision::DecisionKind;
use crate::domain::text::{counted, seen, show};

/// By scope, what its keys are headed with.
const SCOPES: [(Scope, &str); 10] = [
    (Scope::Triage, "Triage"),
    (Scope::Plan, "Plan"),
    (Scope::Coverage, "Coverage"),
    (Scope::Log, "Log"),
    (Scope::Map, "Map"),
    (Scope::Readiness, "Readiness"),
    (Scope::Card, "Card"),
    (Scope::Policy, "Policy"),
    (Scope::Board, "Approvals and debts"),
    (Scope::Reader, "Help, messages, score"),
];

/// Draws all keys in force, by scope; while words are searched for, only the lines that have them.
pub fn help(model: &Model, scroll: usize, ui: Ui<'_>, area: Rect, buf: &mut Buffer) {
    let reader = &model.reader;
    let mut lines = Vec::new();
    let (mut shown, mut all) = (0, 0);
    for (scope, title) in SCOPES {
        let rows = REGISTRY.iter().filter(|s| s.scope == scope);
        let mut found = Vec::new();
        for spec in rows {
            all += 1;
            let keys = ui.keymap.keys(spec).join("  ");
            let keys = if keys.is_empty() {
                "no key".to_owned()
            } else {
                keys
            };
            let text = format!("{keys} {title} {} {} {}", spec.title, spec.id, spec.help);
            if reader.is_active() && !reader.wants(&text) {
                continue;
            }
            shown += 1;
            found.push(Line::from(vec![
                Span::styled(format!("  {keys:<17} "), ui.theme.style(Role::Key)),
                Span::raw(spec.help),
            ]));
        }
        if !found.is_empty() {
            lines.push(Line::default());
            lines.push(Line::styled(title, ui.theme.style(Role::Title)));
            lines.extend(found);
        }
    }
    let title = searched("Help", model, shown, all);
    let inside = frame(&title, true, ui, area, buf);
    let first = match (reader.is_active(), shown) {
        (true, 0) => "No key and no command has these words. Esc shows all of them.",
        (true, _) => "",
        (false, _) => {
            "The way: select an alert, read whose it is, press the number of an option, read the plan, confirm. / searches."
        }
    };
    if first.is_empty() {
        lines.remove(0);
    } else {
        lines.insert(0, Line::raw(first));
    }
    scrolled(lines, scroll, ui, inside, buf);
}

/// Returns a title with what is searched for and how much of it there is.
fn searched(title: &str, model: &Model, shown: usize, all: usize) -> String {
    if !model.reader.is_active() {
        return title.to_owned();
    }
    let end = if model.reader.typing { "_" } else { "" };
    let words = show(model.reader.input.value()).into_owned();
    format!("{title} /{words}{end}  {shown} of {all}")
}

/// Draws the messages so far, newest first.
pub fn messages(model: &Model, scroll: usize, ui: Ui<'_>, area: Rect, buf: &mut Buffer) {
    let reader = &model.reader;
    let wanted = |text: &str| !reader.is_active() || reader.wants(text);
    let mut lines: Vec<Line<'static>> = model
        .messages
        .iter()
        .rev()
        .filter(|m| wanted(&m.text))
        .map(|m| {
            let (word, role) = match m.level {
                Level::Info => ("info ", Role::Base),
                Level::Warn => ("note ", Role::Warn),
                Level::Error => ("ERROR", Role::Error),
            };
            Line::from(vec![
                Span::styled(
                    format!("{:>7} ago  ", age(m.at, ui.now)),
                    ui.theme.style(Role::Muted),
                ),
                Span::styled(format!("{word}  "), ui.theme.style(role)),
                Span::raw(m.text.clone()),
            ])
        })
        .collect();
    let title = searched("Messages", model, lines.len(), model.messages.len());
    let inside = frame(&title, true, ui, area, buf);
    for (source, (total, reason)) in &model.malformed {
        let text = format!(
            "{source}: {} kept; the last one: {}",
            counted(*total as usize, "malformed input", "malformed inputs"),
            seen(reason)
        );
        lines.insert(0, Line::styled(text, ui.theme.style(Role::Warn)));
    }
    if !reader.is_active() && !model.sources.is_empty() {
        lines.push(Line::default());
        lines.push(Line::styled("Sources", ui.theme.style(Role::Title)));
        lines.extend(
            model
                .sources
                .iter()
                .map(|(name, view)| source(model, name, view, ui)),
        );
    }
    if lines.is_empty() {
        let text = match reader.is_active() {
            true => "No message has these words. Esc shows all of them.",
            false => "Nothing has gone wrong, and nothing else was said.",
        };
        lines.push(Line::raw(text));
    }
    scrolled(lines, scroll, ui, inside, buf);
}

/// Says how a source is and how much it brought, as a picture and in words.
fn source(model: &Model, name: &str, view: &SourceView, ui: Ui<'_>) -> Line<'static> {
    let numbers = model.pace.of(name, ui.now);
    let (all, last) = (numbers.iter().sum::<u32>(), numbers[numbers.len() - 1]);
    let (word, role) = match view.healthy {
        true => ("ok  ", Role::Good),
        false => ("SICK", Role::Error),
    };
    Line::from(vec![
        Span::styled(format!("  {word}  "), ui.theme.style(role)),
        Span::raw(format!("{}: {}  ", show(name), view.text)),
        Span::styled(sparkline(&numbers, ui), ui.theme.style(Role::Key)),
        Span::styled(
            format!("  {all} in 2 h, {last} in the last minutes"),
            ui.theme.style(Role::Muted),
        ),
    ])
}

/// Draws the drill's score.
pub fn score(model: &Model, scroll: usize, ui: Ui<'_>, area: Rect, buf: &mut Buffer) {
    let inside = frame("Drill score", true, ui, area, buf);
    let lines = model
        .drill
        .iter()
        .flat_map(|d| &d.score)
        .map(|text| Line::raw(text.clone()))
        .collect();
    scrolled(lines, scroll, ui, inside, buf);
}

/// Clears a place in the middle, draws a box around it and returns the room inside.
pub(super) fn dialog(
    title: &str,
    width: u16,
    height: u16,
    ui: Ui<'_>,
    area: Rect,
    buf: &mut Buffer,
) -> Rect {
    let area = centred(area, width, height);
    Clear.render(area, buf);
    let block = Block::bordered()
        .border_set(ui.glyphs.border)
        .border_style(ui.theme.style(Role::BorderFocus))
        .title(Line::styled(
            format!(" {title} "),
            ui.theme.style(Role::Title),
        ))
        .padding(Padding::horizontal(1));
    let inside = block.inner(area);
    block.render(area, buf);
    inside
}

/// Columns that must be free on each side of a dialog; with fewer it takes the whole width, as single letters of what is
/// below say nothing.
const BESIDE: u16 = 3;

fn centred(area: Rect, width: u16, height: u16) -> Rect {
    let width = match width.saturating_add(2 * BESIDE) > area.width {
        true => area.width,
        false => width,
    };
    let height = height.min(area.height);
    Rect {
        x: area.x + (area.width - width) / 2,
        y: area.y + (area.height - height) / 2,
        width,
        height,
    }
}

/// Asks for a reason.
pub fn reason(prompt: &ReasonPrompt, ui: Ui<'_>, area: Rect, buf: &mut Buffer) {
    let title = match prompt.kind {
        DecisionKind::Dismiss => "Dismiss: why is this no case?",
        DecisionKind::DoNothing => "Do nothing for now: why?",
        DecisionKind::Note => "Note",
        DecisionKind::Assign => {
            "Give to whom, and how does it stand?  (bob token revoked, ask IAM)"
        }
        DecisionKind::Snooze => "Put off for how long, and why?  (4h vendor rotates at noon)",
        DecisionKind::AcceptRisk => "Accept the risk: why is this acceptable, and until when?",
        DecisionKind::Checked if prompt.found == Some(CellState::Proven) => {
            "It holds: what did you look at?"
        }
        DecisionKind::Checked => "It does NOT hold: what did you see?",
        DecisionKind::HandOverDone => {
            "Done by whom, what, and how was it seen?  (bob agent paused, its queue is empty)"
        }
        DecisionKind::Hold => "Hold for how long, then what, and why?  (4h page month end runs)",
        _ => "Why?",
    };
    let about = match prompt.alerts.as_slice() {
        [one] => show(one.as_str()).into_owned(),
        many => format!("{} ALERTS", many.len()),
    };
    let about = match &prompt.step {
        Some((digest, step)) => format!("step {step} of plan {}, {about}", digest.short()),
        None => about,
    };
    let about = match &prompt.cell {
        Some(cell) => format!("{} of {}, {about}", cell.layer, cell.node),
        None => about,
    };
    let inside = dialog(title, 78, 7, ui, area, buf);
    let text = vec![
        Line::from(vec![
            Span::raw(show(prompt.input.value()).into_owned()),
            Span::styled("_", ui.theme.style(Role::Key)),
        ]),
        Line::default(),
        Line::styled(
            format!("about {about}   Enter records it, Esc leaves"),
            ui.theme.style(Role::Muted),
        ),
    ];
    Paragraph::new(text)
        .wrap(Wrap { trim: false })
        .render(inside, buf);
}

/// Offers the views of the configuration.
pub fn views(model: &Model, ui: Ui<'_>, area: Rect, buf: &mut Buffer) {
    let views = &model.desk.views;
    let height = u16::try_from(views.len().max(2)).unwrap_or(9) + 3;
    let inside = dialog(
        "Views: press a digit, s saves what is shown now, Esc leaves",
        78,
        height,
        ui,
        area,
        buf,
    );
    if views.is_empty() {
        let text = "There are none. Press s to save what is shown now; each [[view]] of the configuration has a name, a filter as typed after /, and what to fold.";
        Paragraph::new(text)
            .wrap(Wrap { trim: true })
            .render(inside, buf);
        return;
    }
    let lines: Vec<Line<'_>> = views
        .iter()
        .zip(1..)
        .map(|(view, digit)| {
            Line::from(vec![
                Span::styled(format!("{digit} "), ui.theme.style(Role::Key)),
                Span::raw(format!("{:<20} ", show(&view.name))),
                Span::styled(
                    format!("{}  {}", show(&view.filter), view.fold.as_str()),
                    ui.theme.style(Role::Muted),
                ),
            ])
        })
        .collect();
    Paragraph::new(lines).render(inside, buf);
}

/// Asks for the name of a view.
pub fn save_view(model: &Model, name: &tui_input::Input, ui: Ui<'_>, area: Rect, buf: &mut Buffer) {
    let inside = dialog("Save this view: under which name?", 78, 7, ui, area, buf);
    let filter = match model.sift.input.value() {
        "" => "all alerts".to_owned(),
        filter => show(filter).into_owned(),
    };
    let text = vec![
        Line::from(vec![
            Span::raw(show(name.value()).into_owned()),
            Span::styled("_", ui.theme.style(Role::Key)),
        ]),
        Line::default(),
        Line::styled(
            format!(
                "{filter}; {}   Enter saves it, Esc leaves",
                model.queue.grouping().as_str()
            ),
            ui.theme.style(Role::Muted),
        ),
    ];
    Paragraph::new(text)
        .wrap(Wrap { trim: false })
        .render(inside, buf);
}

/// Asks whether to leave while an act is under way, or while what one came to is not in the log.
pub fn confirm_quit(model: &Model, ui: Ui<'_>, area: Rect, buf: &mut Buffer) {
    let leave = "Press Q (capital) to leave; any other key stays.";
    let (title, height, text) = match &model.unrecorded {
        Some(unrecorded) => (
            "Leave with an outcome NOT RECORDED?",
            8,
            format!("{}. {leave}", show(unrecorded)),
        ),
        None => (
            "Leave while a plan is running?",
            6,
            format!(
                "The running step is recorded before the console ends; later steps are not sent. {leave}"
            ),
        ),
    };
    let inside = dialog(title, 72, height, ui, area, buf);
    Paragraph::new(text)
        .wrap(Wrap { trim: true })
        .render(inside, buf);
}
