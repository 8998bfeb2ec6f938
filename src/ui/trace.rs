//! The trace: what the policy says about an alert, and why, rule by rule.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::options::tier_role;
use super::theme::Role;
use super::{Ui, frame, scrolled};
use crate::app::policy::Told;
use crate::domain::options::RULE;
use crate::domain::policy::trace::TraceRow;
use crate::domain::text::show;

/// Draws it.
pub fn render(told: &Told, scroll: usize, ui: Ui<'_>, area: Rect, buf: &mut Buffer) {
    let inside = frame("Why: what the policy says", true, ui, area, buf);
    let style = |role| ui.theme.style(role);
    let who = match told.identity.as_str() {
        "" => "nobody is named",
        who => who,
    };
    let made = &told.assessment;
    let (soft, hard) = made.thresholds;
    let limits = match soft {
        ..=100 => format!("  score {}; soft from {soft}, hard from {hard}", made.score),
        _ => String::new(),
    };
    let mut lines = vec![
        Line::styled(format!("{}  {who}", told.alert), style(Role::Title)),
        Line::from(vec![
            Span::styled(made.tier.to_string(), style(tier_role(made.tier))),
            Span::raw(limits),
        ]),
    ];
    if let Some((tier, why)) = &made.most {
        let text = format!("{} at most {tier}: {}", ui.glyphs.failed, show(why));
        lines.push(Line::styled(text, style(Role::Error)));
    }
    for why in &made.ask {
        let text = format!("{} a person decides: {}", ui.glyphs.high, show(why));
        lines.push(Line::styled(text, style(Role::Warn)));
    }
    for reason in &made.reasons {
        lines.push(Line::raw(format!("  {}", show(reason))));
    }
    lines.extend(options(told, ui));
    for what in ["rule", "gate", "playbook"] {
        let rows: Vec<&TraceRow> = told.rows.iter().filter(|row| row.what == what).collect();
        let matched = rows.iter().filter(|row| row.outcome == "matched").count();
        let title = format!("{what}s: {matched} of {} matched", rows.len());
        lines.push(Line::default());
        lines.push(Line::styled(title, style(Role::Title)));
        for row in rows {
            lines.extend(about(row, ui));
        }
    }
    scrolled(lines, scroll, ui, inside, buf);
}

/// The options side by side: what each breaks, what it leaves to whoever holds the identity, and until when.
fn options(told: &Told, ui: Ui<'_>) -> Vec<Line<'static>> {
    let style = |role| ui.theme.style(role);
    let mut lines = vec![
        Line::default(),
        Line::styled("options, side by side", style(Role::Title)),
        Line::styled(format!("  {RULE}"), style(Role::Muted)),
    ];
    for choice in &told.choices {
        let key = choice
            .key
            .map_or_else(|| "-".to_owned(), |key| key.to_string());
        lines.push(Line::from(vec![
            Span::styled(format!("{key} "), style(Role::Key)),
            Span::styled(format!("{:<8}", choice.tier), style(tier_role(choice.tier))),
            Span::raw(show(&choice.title).into_owned()),
        ]));
        if let Some(reason) = &choice.disabled {
            let text = format!("    {} not now: {}", ui.glyphs.failed, show(reason));
            lines.push(Line::styled(text, style(Role::Error)));
        }
        if let Some(trap) = &choice.trap {
            let text = format!("    {} {trap}", ui.glyphs.high);
            lines.push(Line::styled(text, style(Role::Warn)));
        }
        let facts = [
            &choice.impact,
            &choice.undo,
            &choice.effort,
            &choice.approval,
        ];
        for (name, fact) in ["breaks", "undo", "work", "agrees"].iter().zip(facts) {
            lines.push(Line::from(vec![
                Span::styled(format!("    {name:<8}"), style(Role::Muted)),
                Span::raw(show(fact).into_owned()),
            ]));
        }
        for held in &choice.leaves {
            lines.push(Line::from(vec![
                Span::styled("    leaves  ", style(Role::Muted)),
                Span::raw(held.line(told.at)),
            ]));
        }
    }
    lines
}

fn about(row: &TraceRow, ui: Ui<'_>) -> Vec<Line<'static>> {
    let (mark, role) = match row.outcome {
        "matched" => (ui.glyphs.proven, Role::Good),
        "not matched" => (" ", Role::Muted),
        _ => (ui.glyphs.high, Role::Warn),
    };
    let style = ui.theme.style(role);
    let head = format!(
        "{mark} {:<11} {} ({})",
        row.outcome,
        show(&row.id),
        show(&row.effect)
    );
    let because = format!("    {}", show(&row.because));
    let looked = row
        .looked
        .iter()
        .map(|(field, value)| format!("{field} = {value}"));
    let looked: Vec<String> = looked.collect();
    let mut lines = vec![
        Line::from(vec![
            Span::styled(head, style),
            Span::raw(format!(" {}", show(&row.why))),
        ]),
        Line::styled(because, style),
    ];
    if !looked.is_empty() {
        let text = format!("    {}", looked.join(", "));
        lines.push(Line::styled(text, ui.theme.style(Role::Muted)));
    }
    lines
}
