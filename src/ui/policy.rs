//! The policy's screen: one playbook a line; beside or below them what is to be known of the one at the cursor.

use jiff::Timestamp;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Paragraph, Widget};

use super::options::tier_role;
use super::theme::Role;
use super::{Ui, cut_left, cut_top, frame, parts_line, scrolled};
use crate::app::model::Model;
use crate::app::policy_screen::{Overview, PolicyRow, overview};
use crate::domain::alert::age;
use crate::domain::policy::Mode;
use crate::domain::text::{cells, fit, show};

/// Width from which what is told of a playbook stands beside the list.
const WIDE: u16 = 110;

/// Draws the screen.
pub fn render(model: &Model, ui: Ui<'_>, area: Rect, buf: &mut Buffer) {
    let all = overview(model, ui.now);
    let screen = &model.policy_screen;
    let (top, rest) = cut_top(area, 1);
    Paragraph::new(numbers(&all, ui, usize::from(area.width))).render(top, buf);
    let (list, beside) = if rest.width >= WIDE {
        cut_left(rest, 60)
    } else {
        cut_top(rest, (rest.height * 3 / 5).max(4))
    };
    let count = all.playbooks.len();
    let at = screen.cursor.min(count.saturating_sub(1));
    let title = format!("Playbooks {}/{count}", if count == 0 { 0 } else { at + 1 });
    let inside = frame(&title, !screen.reading, ui, list, buf);
    // The last column is no place for a number: what stands beside the list would touch it.
    let width = usize::from(inside.width.saturating_sub(1));
    let height = usize::from(inside.height);
    let mut lines = vec![Line::styled(header(width), ui.theme.style(Role::Muted))];
    let height = height.saturating_sub(1);
    let first = at
        .saturating_sub(height / 2)
        .min(count.saturating_sub(height));
    let shown = all.playbooks.iter().enumerate().skip(first).take(height);
    lines.extend(shown.map(|(n, one)| row(one, n == at, width, ui)));
    Paragraph::new(lines).render(inside, buf);
    let inside = frame("What it does by itself", screen.reading, ui, beside, buf);
    if let Some(one) = all.playbooks.get(at) {
        scrolled(told(&all, one, ui), screen.scroll, ui, inside, buf);
    }
}

/// Says whether the policy is armed, what the brake says, and why nothing runs from here.
fn numbers(all: &Overview, ui: Ui<'_>, width: usize) -> Line<'static> {
    let (word, role) = match &all.refused {
        None => ("armed".to_owned(), Role::Good),
        Some(why) => (
            format!("NOT ARMED, everybody only looks: {}", show(why)),
            Role::Error,
        ),
    };
    let braked = all.ran_in_hour + all.counting >= all.per_hour as usize;
    let brake = format!(
        "brake: {} of {} an hour{}",
        all.ran_in_hour,
        all.per_hour,
        if braked { ", HOLDS" } else { "" }
    );
    let mut parts = vec![
        (show(&all.policy).into_owned(), Role::Title),
        (word, role),
        (brake, if braked { Role::Warn } else { Role::Muted }),
    ];
    if all.counting > 0 {
        parts.push((format!("{} counting down", all.counting), Role::Error));
    }
    if let Some(why) = all.standstill {
        parts.push((
            format!("from here nothing runs by itself: {why}"),
            Role::Warn,
        ));
    }
    parts_line(parts, ui, width)
}

/// Widths of the columns: mode, tier, last run, runs and vetoes.
const MODE: usize = 10;
const TIER: usize = 8;
const LAST: usize = 9;
const COUNTS: usize = 10;

fn room(width: usize) -> usize {
    width.saturating_sub(2 + MODE + TIER + LAST + COUNTS)
}

fn header(width: usize) -> String {
    let room = room(width);
    let book = fit("playbook", room, "");
    format!(
        "  {:<MODE$}{:<TIER$}{book:<room$}{:>LAST$}{:>COUNTS$}",
        "mode", "tier", "last run", "run/veto"
    )
}

/// The word of a mode, with what is wrong where something is.
fn mode(one: &PolicyRow) -> (&'static str, Role) {
    match (one.is_armed, one.wanted, one.mode) {
        (false, _, _) => ("NOT ARMED", Role::Error),
        (_, Mode::Auto, Mode::Auto) => ("AUTO", Role::Warn),
        (_, Mode::Shadow, Mode::Shadow) => ("shadow", Role::Base),
        (_, Mode::Ask, _) => ("ask", Role::Base),
        _ => ("ask (!)", Role::Error),
    }
}

fn row(one: &PolicyRow, selected: bool, width: usize, ui: Ui<'_>) -> Line<'static> {
    let (word, role) = mode(one);
    let room = room(width);
    let book = fit(
        &show(&one.playbook),
        room.saturating_sub(1),
        ui.glyphs.ellipsis,
    );
    let pad = " ".repeat(room.saturating_sub(cells(&book)));
    let done = &one.by_itself;
    let last = done.last_run.map_or("-".to_owned(), |at| age(at, ui.now));
    let counts = match done.begun + done.run + done.shadow {
        0 => "-".to_owned(),
        _ => format!("{}/{}", done.run, done.vetoed),
    };
    let style = |role| ui.theme.row(role, selected);
    let (first, tier, text) = (style(role), style(tier_role(one.tier)), style(Role::Base));
    let cursor = if selected { ui.glyphs.cursor } else { " " };
    Line::from(vec![
        Span::styled(format!("{cursor} "), ui.theme.style(Role::Key)),
        Span::styled(format!("{word:<MODE$}"), first),
        Span::styled(format!("{:<TIER$}", one.tier.as_str()), tier),
        Span::styled(format!("{book}{pad}{last:>LAST$}{counts:>COUNTS$}"), text),
    ])
}

fn told(all: &Overview, one: &PolicyRow, ui: Ui<'_>) -> Vec<Line<'static>> {
    let style = |role| ui.theme.style(role);
    let mut lines = Vec::new();
    let title = match one.title.as_str() {
        "" => "there is no such playbook".to_owned(),
        title => show(title).into_owned(),
    };
    lines.push(Line::styled(title, style(Role::Title)));
    for why in &one.why_not {
        let text = format!("{} {}", ui.glyphs.failed, show(why));
        lines.push(Line::styled(text, style(Role::Error)));
    }
    let how = match (one.is_armed, one.mode, one.countdown_s) {
        (false, _, _) => "Nobody can use it, until that is put right.".to_owned(),
        (_, Mode::Auto, Some(s)) => format!(
            "It runs by itself after {s} s; any key on the row stops it. At most {} an hour, of all together.",
            all.per_hour
        ),
        (_, Mode::Shadow, _) => {
            "It writes down what it would have done, and an analyst stages it as ever.".to_owned()
        }
        _ => "An analyst stages it; nothing runs by itself.".to_owned(),
    };
    lines.push(Line::raw(how));
    if !one.teams.is_empty() {
        lines.push(Line::raw(format!(
            "Teams: {}.",
            show(&one.teams.join(", "))
        )));
    }
    let done = &one.by_itself;
    let when = |at: Option<Timestamp>| {
        at.map_or("never".to_owned(), |at| format!("{} ago", age(at, ui.now)))
    };
    lines.push(Line::raw(format!(
        "Ran by itself {} times, last {}.",
        done.run,
        when(done.last_run)
    )));
    lines.push(Line::raw(format!(
        "Of {} countdowns {} stopped by a person, {} came to nothing otherwise.",
        done.begun, done.vetoed, done.stopped
    )));
    lines.push(Line::raw(format!(
        "{} times a person had to decide, {} times the brake held it, {} times in shadow.",
        done.waits, done.braked, done.shadow
    )));
    if let Some(alert) = &done.last_alert {
        let text = format!(
            "Last about {} {}; a goes there.",
            show(alert.as_str()),
            when(done.last)
        );
        lines.push(Line::styled(text, style(Role::Muted)));
    }
    lines
}
