//! The options: what could be done about the selected alert, with the key that stages it.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Paragraph, Widget};

use super::theme::Role;
use super::{Ui, frame};
use crate::app::model::Model;
use crate::domain::options::Choice;
use crate::domain::text::{fit, show};
use crate::domain::vocabulary::Tier;

/// Returns how high the pane wants to be: two lines an option where there is room, one otherwise.
pub fn height(model: &Model, _width: u16, most: u16) -> u16 {
    let n = model.detail.choices.len().max(1) as u16;
    let wanted = n * 2 + 1;
    if wanted <= most {
        wanted
    } else {
        (n + 1).min(most)
    }
}

/// Draws the options.
pub fn render(model: &Model, ui: Ui<'_>, area: Rect, buf: &mut Buffer) {
    let inside = frame(
        "Options (a number stages one; nothing is sent before you confirm)",
        false,
        ui,
        area,
        buf,
    );
    if model.detail.choices.is_empty() {
        let text =
            "No options: the alert names no identity. Dismiss it (D), or note what you find (n).";
        Paragraph::new(text).render(inside, buf);
        return;
    }
    let two = usize::from(inside.height) >= model.detail.choices.len() * 2;
    let mut lines = Vec::new();
    for (i, choice) in model.detail.choices.iter().enumerate() {
        let key = if choice.playbook.is_none() {
            "0".to_owned()
        } else {
            (i + 1).to_string()
        };
        lines.extend(choice_lines(choice, &key, two, ui, inside.width));
    }
    Paragraph::new(lines).render(inside, buf);
}

/// Returns the meaning of a tier for the theme.
pub const fn tier_role(tier: Tier) -> Role {
    match tier {
        Tier::Monitor => Role::Good,
        Tier::Soft => Role::Warn,
        Tier::Hard => Role::Error,
    }
}

fn choice_lines(
    choice: &Choice,
    key: &str,
    two: bool,
    ui: Ui<'_>,
    width: u16,
) -> Vec<Line<'static>> {
    let width = usize::from(width);
    let off = choice.disabled.is_some();
    let (key_role, text_role) = if off {
        (Role::Muted, Role::Muted)
    } else {
        (Role::Key, Role::Base)
    };
    let teams = choice.teams.join(", ");
    let second = match &choice.disabled {
        Some(reason) => format!("not now: {}", show(reason)),
        None => choice.impact.clone(),
    };
    let tier = format!("{:<7} ", choice.tier.as_str());
    let head = |title: &str| {
        Line::from(vec![
            Span::styled(format!(" {key} "), ui.theme.style(key_role)),
            Span::styled(
                tier.clone(),
                ui.theme.style(if off {
                    Role::Muted
                } else {
                    tier_role(choice.tier)
                }),
            ),
            Span::styled(
                fit(title, width.saturating_sub(11), ui.glyphs.ellipsis),
                ui.theme.style(text_role),
            ),
        ])
    };
    if two {
        let detail = fit(
            &format!("{second}  [{teams}]"),
            width.saturating_sub(11),
            ui.glyphs.ellipsis,
        );
        vec![
            head(&show(&choice.title)),
            Line::styled(format!("{:11}{detail}", ""), ui.theme.style(Role::Muted)),
        ]
    } else {
        vec![head(&format!(
            "{}: {second} [{teams}]",
            show(&choice.title)
        ))]
    }
}
