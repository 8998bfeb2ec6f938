//! The log's screen: whether the log is sound, what is unknown, then one record a line, only the lines on screen.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Paragraph, Widget, Wrap};

use super::plan::cell_role;
use super::theme::Role;
use super::{Ui, cut_top, frame, record};
use crate::app::model::Model;
use crate::app::timeline::{Row, Timeline, Verdict, Verification};
use crate::domain::alert::age;
use crate::domain::coverage::CellState;
use crate::domain::decision::{Act, RecordType};
use crate::domain::text::{cells, fit, show};
use crate::domain::wanted::TERMS;

/// Width of the time column.
const TIME: usize = 11;

/// Draws the screen.
pub fn render(model: &Model, ui: Ui<'_>, area: Rect, buf: &mut Buffer) {
    let width = usize::from(area.width);
    let mut head = vec![verification(&model.timeline, ui, width)];
    head.extend(loading(&model.timeline, ui, width));
    head.extend(unknowns(model, ui, width, usize::from(area.height) / 4));
    if model.timeline.record.is_none() {
        head.extend(filter(&model.timeline, ui, width));
    }
    let (top, rest) = cut_top(area, head.len() as u16);
    Paragraph::new(head).render(top, buf);
    if let Some(view) = &model.timeline.record {
        record::render(model, view, ui, rest, buf);
        return;
    }
    let inside = frame(&title(&model.timeline, ui), true, ui, rest, buf);
    if model.timeline.shown() == 0 {
        let text = match &model.timeline {
            t if t.unscanned() > 0 => "Looking.",
            t if t.is_filtered() => "No record matches yet. Esc clears the filter.",
            t if t.waiting() > 0 || !t.read => "Its records appear here as soon as they are read.",
            _ => "No record yet. What anybody decides and does appears here.",
        };
        Paragraph::new(text)
            .wrap(Wrap { trim: true })
            .render(inside, buf);
        return;
    }
    Paragraph::new(rows(model, ui, inside)).render(inside, buf);
}

fn title(timeline: &Timeline, ui: Ui<'_>) -> String {
    let shown = timeline.shown();
    let at = if shown == 0 { 0 } else { timeline.cursor() + 1 };
    let how = if timeline.follows() {
        "following".to_owned()
    } else if timeline.unseen() > 0 {
        format!("{} {} new (G)", ui.glyphs.down, timeline.unseen())
    } else {
        "G follows".to_owned()
    };
    format!("Log {at}/{shown}  {how}")
}

/// Returns the line of the filter while there is one: what is typed, what it leaves, what in it cannot be used.
fn filter(timeline: &Timeline, ui: Ui<'_>, width: usize) -> Option<Line<'static>> {
    if !timeline.typing && timeline.filter.value().is_empty() {
        return None;
    }
    let end = if timeline.typing { "_" } else { "" };
    let typed = format!(" filter: {}{end}  ", show(timeline.filter.value()));
    let (after, role) = match &timeline.complaint {
        Some(why) => (why.clone(), Role::Warn),
        None if timeline.unscanned() > 0 => (
            format!("looking; {} to go", timeline.unscanned()),
            Role::Muted,
        ),
        None if timeline.typing && timeline.filter.value().is_empty() => {
            (format!("words, or {}:", TERMS.join(": ")), Role::Muted)
        }
        None => (
            format!("{} of {} records", timeline.shown(), timeline.kept()),
            Role::Muted,
        ),
    };
    // What is typed last is what somebody looks at; the rest may be cut.
    let typed = fit(&typed, width, ui.glyphs.ellipsis);
    let room = width.saturating_sub(cells(&typed));
    Some(Line::from(vec![
        Span::styled(typed, ui.theme.style(Role::Key)),
        Span::styled(
            fit(&show(&after), room, ui.glyphs.ellipsis),
            ui.theme.style(role),
        ),
    ]))
}

/// Says what of the log is not here: not yet, or not any more.
fn loading(timeline: &Timeline, ui: Ui<'_>, width: usize) -> Option<Line<'static>> {
    let (text, role) = if timeline.waiting() > 0 {
        let text = format!(
            " reading the log: {} records here, {} to come",
            timeline.kept(),
            timeline.waiting()
        );
        (text, Role::Key)
    } else if !timeline.read {
        (" reading the log".to_owned(), Role::Key)
    } else if timeline.older() > 0 {
        let text = format!(
            " the last {} of {} records; filters find no older one, `stanch log show` does",
            timeline.kept(),
            timeline.kept() as u64 + timeline.older()
        );
        (text, Role::Warn)
    } else {
        return None;
    };
    Some(Line::styled(
        fit(&text, width, ui.glyphs.ellipsis),
        ui.theme.style(role),
    ))
}

fn verification(timeline: &Timeline, ui: Ui<'_>, width: usize) -> Line<'static> {
    let (text, role) = match &timeline.verification {
        Verification::NotYet => ("not verified; v verifies".to_owned(), Role::Warn),
        Verification::Running { done, all } => {
            let mut text = match (done * 100).checked_div(*all) {
                Some(percent) => {
                    format!("being verified: {percent} % of {} kB", all.div_ceil(1_000))
                }
                None => "being verified".to_owned(),
            };
            if timeline.is_verified_on_demand() {
                text.push_str("; esc ends it");
            }
            (text, Role::Key)
        }
        Verification::Ended(v) if v.heads.is_empty() && v.intact => {
            ("nothing to verify yet".to_owned(), Role::Warn)
        }
        Verification::Ended(v) => verdict(v, timeline.unverified(), ui),
    };
    let text = fit(&format!(" log {text}"), width, ui.glyphs.ellipsis);
    Line::styled(text, ui.theme.style(role))
}

fn verdict(v: &Verdict, since: usize, ui: Ui<'_>) -> (String, Role) {
    let at = v
        .seq
        .map_or_else(String::new, |seq| format!(" at record {seq}"));
    let finding = v.finding.as_deref().unwrap_or("see stanch log verify");
    let ago = age(v.at, ui.now);
    let since = match since {
        0 => String::new(),
        n => format!("; {n} record{} since (v)", plural(n)),
    };
    if !v.intact {
        return (format!("NOT INTACT{at}: {finding}"), Role::Error);
    }
    let logs = v.heads.len();
    let text = format!(
        "intact: {} lines in {logs} log{}, verified {ago} ago{since}",
        v.lines,
        plural(logs),
    );
    match v.warnings {
        0 if since.is_empty() => (text, Role::Good),
        0 => (text, Role::Warn),
        n => {
            let text = format!("{text}; {n} warning{}{at}: {finding}", plural(n));
            (text, Role::Warn)
        }
    }
}

const fn plural(n: usize) -> &'static str {
    if n == 1 { "" } else { "s" }
}

/// Returns a line for each act whose outcome nobody knows, newest first, at most `most`.
fn unknowns(model: &Model, ui: Ui<'_>, width: usize, most: usize) -> Vec<Line<'static>> {
    let all: Vec<&Act> = model.open_unknowns().collect();
    let room = if all.len() > most {
        most.saturating_sub(1)
    } else {
        most
    };
    let style = ui.theme.style(Role::Error);
    let line = |text: String| Line::styled(fit(&text, width, ui.glyphs.ellipsis), style);
    let mut lines: Vec<Line<'static>> = all
        .iter()
        .rev()
        .take(room)
        .map(|act| line(unknown(act, ui)))
        .collect();
    if all.len() > room && most > 0 {
        let text = format!(" and {} more UNKNOWN: / is:unknown", all.len() - room);
        lines.push(line(text));
    }
    lines
}

fn unknown(act: &Act, ui: Ui<'_>) -> String {
    let why = match &act.outcome {
        None => "no outcome was recorded".to_owned(),
        Some(outcome) => outcome
            .error
            .clone()
            .unwrap_or_else(|| "it may or may not have happened".to_owned()),
    };
    let undo = if act.intent.undo { "take back " } else { "" };
    format!(
        " {} UNKNOWN {undo}{} on {} {} ago by {} (alert {}): {}",
        ui.glyphs.unknown,
        act.intent.verb,
        act.intent.identity,
        age(act.at, ui.now),
        show(&act.actor),
        act.intent.alert,
        show(&why)
    )
}

fn rows(model: &Model, ui: Ui<'_>, area: Rect) -> Vec<Line<'static>> {
    let timeline = &model.timeline;
    let width = usize::from(area.width);
    let who = match width {
        0..100 => 12,
        100..160 => 16,
        _ => 24,
    };
    let head = format!("  {:<TIME$}  {:<who$}  what", "time (UTC)", "who");
    let head = fit(&head, width, ui.glyphs.ellipsis);
    let mut lines = vec![Line::styled(head, ui.theme.style(Role::Muted))];
    let height = usize::from(area.height).saturating_sub(1);
    let (at, shown) = (timeline.cursor(), timeline.shown());
    let first = if timeline.follows() {
        shown.saturating_sub(height)
    } else {
        at.saturating_sub(height / 2)
            .min(shown.saturating_sub(height))
    };
    for place in first..(first + height).min(shown) {
        if let Some(row) = timeline.row(place) {
            lines.push(line(row, place == at, (width, who), ui));
        }
    }
    lines
}

fn line(row: Row<'_>, selected: bool, (width, who): (usize, usize), ui: Ui<'_>) -> Line<'static> {
    let state = row.state.map(|state| state.cell);
    let stands = state.map_or(Role::Base, cell_role);
    let style = ui.theme.row(role(row.kind), selected);
    let state_style = ui.theme.row(stands, selected);
    let actor = fit(row.actor, who, ui.glyphs.ellipsis);
    let pad = " ".repeat(who.saturating_sub(cells(&actor)));
    let left = format!("{}  {actor}{pad}  ", time(row, ui));
    let word = state.map_or_else(String::new, |s| state_word(s, ui));
    let room = width.saturating_sub(2 + cells(&left) + cells(&word));
    // Beside how it stands, that it was about to happen says nothing.
    let said = state
        .and(row.text.strip_prefix("about to "))
        .unwrap_or(row.text);
    let text = fit(said, room, ui.glyphs.ellipsis);
    let fill = " ".repeat(room.saturating_sub(cells(&text)));
    let cursor = if selected { ui.glyphs.cursor } else { " " };
    Line::from(vec![
        Span::raw(format!("{cursor} ")),
        Span::styled(left, style),
        Span::styled(word, state_style),
        Span::styled(format!("{text}{fill}"), style),
    ])
}

fn state_word(state: CellState, ui: Ui<'_>) -> String {
    format!("{} {}: ", ui.glyphs.cell(state), state.words())
}

/// The time of day today, else the day and the minute.
fn time(row: Row<'_>, ui: Ui<'_>) -> String {
    let (day, today) = (row.ts.strftime("%F"), ui.now.strftime("%F"));
    let text = if day.to_string() == today.to_string() {
        row.ts.strftime("%H:%M:%S").to_string()
    } else {
        row.ts.strftime("%m-%d %H:%M").to_string()
    };
    format!("{text:<TIME$}")
}

const fn role(kind: RecordType) -> Role {
    match kind {
        RecordType::Anomaly | RecordType::Recovered | RecordType::BreakGlass => Role::Warn,
        // How an act stands is said where it begins; what led there is for whoever looks closer.
        RecordType::Attempt
        | RecordType::Outcome
        | RecordType::Verify
        | RecordType::View
        | RecordType::Genesis
        | RecordType::Session
        | RecordType::Segment
        | RecordType::PeerHeads
        | RecordType::Anchor
        | RecordType::Config => Role::Muted,
        _ => Role::Base,
    }
}
