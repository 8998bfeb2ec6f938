//! The readiness screen: one identity a line, only the lines on screen; beside or below them what is missing of the one at
//! the cursor, and what to do about it.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Paragraph, Widget, Wrap};

use super::theme::Role;
use super::{Ui, cut_left, cut_top, frame, parts_line, scrolled};
use crate::app::model::Model;
use crate::app::readiness::ReadinessScreen;
use crate::domain::alert::age;
use crate::domain::readiness::{RULE, Readiness, Verdict};
use crate::domain::text::{cells, fit, show};

/// Width from which what is missing stands beside the list.
const WIDE: u16 = 110;

/// Draws the screen.
pub fn render(model: &Model, ui: Ui<'_>, area: Rect, buf: &mut Buffer) {
    let screen = &model.readiness;
    let width = usize::from(area.width);
    let mut head = vec![numbers(screen, ui, width)];
    head.extend(filter(screen, ui, width));
    let (top, rest) = cut_top(area, head.len() as u16);
    Paragraph::new(head).render(top, buf);
    let (list, beside) = if rest.width >= WIDE {
        cut_left(rest, 56)
    } else {
        cut_top(rest, (rest.height / 2).max(4))
    };
    let at = match screen.shown() {
        0 => 0,
        _ => screen.cursor() + 1,
    };
    let title = format!("Readiness {at}/{}", screen.shown());
    let inside = frame(&title, !screen.reading, ui, list, buf);
    rows(model, ui, inside, buf);
    missing(model, ui, beside, buf);
}

/// Says how many could be contained, as of when, and who was not asked.
fn numbers(screen: &ReadinessScreen, ui: Ui<'_>, width: usize) -> Line<'static> {
    let Some(judged) = &screen.judged else {
        return Line::styled(" judging everybody", ui.theme.style(Role::Key));
    };
    let [not, partly, ready] = screen.counts;
    let when = match screen.judging {
        true => "judging again".to_owned(),
        false => format!("judged {} ago", age(judged.at, ui.now)),
    };
    let parts = [
        (
            format!("{} {not} not containable from here", ui.glyphs.failed),
            Role::Error,
        ),
        (
            format!("{} {partly} partly", ui.glyphs.requested),
            Role::Warn,
        ),
        (format!("{} {ready} ready", ui.glyphs.proven), Role::Good),
        (when, Role::Muted),
        (
            "by what is known here; `stanch identity readiness --live` asks providers".to_owned(),
            Role::Muted,
        ),
    ];
    parts_line(parts.into(), ui, width)
}

/// Returns the line of the filter while there is one.
fn filter(screen: &ReadinessScreen, ui: Ui<'_>, width: usize) -> Option<Line<'static>> {
    let text = screen.filter.value();
    if !screen.typing && text.is_empty() {
        return None;
    }
    let end = if screen.typing { "_" } else { "" };
    let all = screen.judged.as_ref().map_or(0, |judged| judged.all.len());
    let (said, role) = match (text.is_empty(), screen.shown()) {
        (true, _) => (
            "words of id, name, verdict, gaps: not no_owner -lab:".to_owned(),
            Role::Muted,
        ),
        (false, 0) => ("nobody is left; Esc clears it".to_owned(), Role::Warn),
        (false, n) => (format!("{n} of {all}"), Role::Muted),
    };
    let typed = fit(
        &format!(" filter: {}{end}  ", show(text)),
        width,
        ui.glyphs.ellipsis,
    );
    let room = width.saturating_sub(cells(&typed));
    Some(Line::from(vec![
        Span::styled(typed, ui.theme.style(Role::Key)),
        Span::styled(fit(&said, room, ui.glyphs.ellipsis), ui.theme.style(role)),
    ]))
}

fn rows(model: &Model, ui: Ui<'_>, area: Rect, buf: &mut Buffer) {
    let screen = &model.readiness;
    let all = screen.shown();
    if all == 0 {
        let text = match &screen.judged {
            None => "Everybody is being judged.",
            Some(judged) if judged.all.is_empty() => {
                "The inventory lists nobody; [inventory] in the configuration names its sources."
            }
            Some(_) => "Nobody is left by the filter. Esc clears it.",
        };
        Paragraph::new(text)
            .wrap(Wrap { trim: true })
            .render(area, buf);
        return;
    }
    let width = usize::from(area.width);
    let head = format!("  {:<8}  {:>4}  who and what is missing", "verdict", "risk");
    let head = fit(&head, width, ui.glyphs.ellipsis);
    let mut lines = vec![Line::styled(head, ui.theme.style(Role::Muted))];
    let height = usize::from(area.height).saturating_sub(1);
    let first = screen
        .cursor()
        .saturating_sub(height / 2)
        .min(all.saturating_sub(height));
    for place in first..(first + height).min(all) {
        if let Some(one) = screen.row(place) {
            let trust = super::trust_tag(model, &one.id, ui);
            lines.push(row(one, trust, place == screen.cursor(), width, ui));
        }
    }
    Paragraph::new(lines).render(area, buf);
}

/// The mark of a verdict, which always stands beside its word, and its meaning for the theme.
const fn verdict(verdict: Verdict, ui: Ui<'_>) -> (&'static str, Role) {
    match verdict {
        Verdict::Not => (ui.glyphs.failed, Role::Error),
        Verdict::Partly => (ui.glyphs.requested, Role::Warn),
        Verdict::Ready => (ui.glyphs.proven, Role::Good),
    }
}

fn row(
    one: &Readiness,
    trust: Option<(String, Role)>,
    selected: bool,
    width: usize,
    ui: Ui<'_>,
) -> Line<'static> {
    let (mark, role) = verdict(one.verdict, ui);
    let style = |role| ui.theme.row(role, selected);
    let (word, text, gaps_style) = (style(role), style(Role::Base), style(Role::Muted));
    let cursor = if selected { ui.glyphs.cursor } else { " " };
    let stand = format!("{mark} {:<6}", one.verdict.as_str());
    let left = format!("  {:>4}  ", one.risk);
    let (trust, loud) = trust.map_or((String::new(), Role::Base), |(text, role)| {
        (format!("{text}  "), role)
    });
    let trusted = style(loud);
    let room = width.saturating_sub(2 + cells(&stand) + cells(&left) + cells(&trust));
    let who = fit(&show(one.id.as_str()), room * 3 / 5, ui.glyphs.ellipsis);
    let rest = room.saturating_sub(cells(&who) + 2);
    let gaps: Vec<String> = one
        .gaps
        .iter()
        .map(|gap| gap.kind.as_str().replace('_', " "))
        .collect();
    let gaps = fit(&gaps.join(", "), rest, ui.glyphs.ellipsis);
    let fill = " ".repeat(rest.saturating_sub(cells(&gaps)));
    Line::from(vec![
        Span::styled(format!("{cursor} "), ui.theme.style(Role::Key)),
        Span::styled(stand, word),
        Span::styled(left, text),
        Span::styled(format!("{who}  "), text),
        Span::styled(trust, trusted),
        Span::styled(format!("{gaps}{fill}"), gaps_style),
    ])
}

/// Draws what is missing of the identity at the cursor, the heaviest first, each with what to do about it.
fn missing(model: &Model, ui: Ui<'_>, area: Rect, buf: &mut Buffer) {
    let screen = &model.readiness;
    let inside = frame("What is missing", screen.reading, ui, area, buf);
    let Some(one) = screen.current() else { return };
    let (mark, role) = verdict(one.verdict, ui);
    let stand = match one.verdict {
        Verdict::Not => "NOT containable from here",
        Verdict::Partly => "PARTLY containable: something would be left",
        Verdict::Ready => "READY: nothing known is missing",
    };
    let name = match one.name.raw() {
        "" => show(one.id.as_str()),
        _ => one.name.show(),
    };
    let mut lines = vec![
        Line::styled(name.into_owned(), ui.theme.style(Role::Title)),
        Line::styled(format!("{mark} {stand}"), ui.theme.style(role)),
    ];
    lines.extend(super::trust_line(model, &one.id, ui));
    for gap in &one.gaps {
        let (mark, role) = match gap.kind.is_fatal() {
            true => (ui.glyphs.failed, Role::Error),
            false => (ui.glyphs.high, Role::Warn),
        };
        let kind = gap.kind.as_str().replace('_', " ");
        lines.push(Line::from(vec![
            Span::styled(format!("{mark} {kind}"), ui.theme.style(role)),
            Span::raw(format!(" ({}): {}", gap.kind.weight(), gap.what)),
        ]));
        lines.push(Line::from(vec![
            Span::styled("    fix: ", ui.theme.style(Role::Muted)),
            Span::raw(gap.fix.clone()),
        ]));
    }
    lines.push(Line::styled(
        format!("risk {one}; {RULE}"),
        ui.theme.style(Role::Muted),
    ));
    let scroll = if screen.reading { screen.scroll } else { 0 };
    scrolled(lines, scroll, ui, inside, buf);
}
