//! The inbox of approvals and the debt board: one a line, and below them the one at the cursor in full.

mod campaign;
mod way;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Paragraph, Widget, Wrap};
use tui_input::Input;

use super::overlay::dialog;
use super::theme::Role;
use super::wrap::wrap_all;
use super::{Ui, cut_top, frame};
use crate::app::board::Side;
use crate::app::model::Model;
use crate::app::saying::Saying;
use crate::domain::alert::age;
use crate::domain::authority::{Standing, asked_by};
use crate::domain::debt::Debt;
use crate::domain::decision::PlanState;
use crate::domain::ids::PlanDigest;
use crate::domain::text::{fit, show, show_identifier};

/// Draws the screen.
pub fn render(model: &Model, ui: Ui<'_>, area: Rect, buf: &mut Buffer) {
    let count = model.board_lines(ui.now);
    let title = match model.board.side {
        Side::Approvals => format!("Approvals ({count})"),
        Side::Debts => format!("Debts ({count})"),
        Side::WayBack => format!("Way back to trust ({count})"),
        Side::Campaign => match model.board.campaigns.get(model.board.campaign) {
            Some((_, ledger)) => format!("Campaign ({} live of {count})", ledger.live()),
            None => "Campaigns".to_owned(),
        },
    };
    if let Some(text) = empty(model, count) {
        let inside = frame(&title, true, ui, area, buf);
        let lines = wrap_all(
            text.lines().map(Line::raw).collect(),
            usize::from(inside.width),
        );
        return Paragraph::new(lines).render(inside, buf);
    }
    let (list, below) = cut_top(area, (area.height / 2).max(5));
    let inside = frame(&title, true, ui, list, buf);
    let (width, height) = (usize::from(inside.width), usize::from(inside.height));
    let (lines, full) = match model.board.side {
        Side::Approvals => approvals(model, ui, width),
        Side::Debts => debts(model, ui, width),
        Side::WayBack => way::lines(model, ui, width),
        Side::Campaign => campaign::lines(model, ui, width),
    };
    let at = model.board.cursor.min(count.saturating_sub(1));
    let first = at
        .saturating_sub(height / 2)
        .min(lines.len().saturating_sub(height));
    let shown: Vec<Line<'static>> = lines.into_iter().skip(first).take(height).collect();
    Paragraph::new(shown).render(inside, buf);
    let inside = frame("What it is", false, ui, below, buf);
    let full = wrap_all(full, usize::from(inside.width));
    Paragraph::new(full).render(inside, buf);
}

/// Says what would stand here and how it comes to, where nothing does.
fn empty(model: &Model, count: usize) -> Option<&'static str> {
    Some(match model.board.side {
        _ if count > 0 => return None,
        Side::Approvals if model.authority.is_none() => {
            "No plan waits for anybody: nobody has to be asked.\n\n\
             `[authority] roster` in the configuration names who must agree to what; its plans then stand here until \
             somebody agrees, refuses, or their time is over."
        }
        Side::Approvals => {
            "No plan waits for anybody.\n\n\
             A plan that needs a second person stands here from when it is asked for until somebody agrees, refuses, or \
             its time is over. Enter reads it, and only there it can be agreed to."
        }
        Side::Debts => {
            "Nothing is temporary.\n\n\
             Holds, blocks, locks, probations and old credentials that work beside a new one stand here until somebody \
             ends them, the next to end first. H on an alert asks for a hold."
        }
        Side::WayBack => {
            "Nobody was contained who is not trusted again.\n\n\
             Whoever is contained stands here with the gates on the way back: y vouches for the next one, x lifts every \
             control once all are passed."
        }
        // A campaign without rows has been read, and says so in the title.
        Side::Campaign if !model.board.campaigns.is_empty() => return None,
        Side::Campaign => {
            "No campaign.\n\n\
             One breach, many identities: mark alerts with space in the queue and press K, or `stanch campaign new`. Each \
             identity then has a plan of its own, and here stands how far that has come."
        }
    })
}

fn styled(text: &str, at: bool, role: Role, width: usize, ui: Ui<'_>) -> Line<'static> {
    let cursor = if at { ui.glyphs.cursor } else { " " };
    let text = fit(&format!("{cursor} {text}"), width, ui.glyphs.ellipsis);
    Line::styled(format!("{text:<width$}"), ui.theme.row(role, at))
}

type Lines = Vec<Line<'static>>;

fn approvals(model: &Model, ui: Ui<'_>, width: usize) -> (Lines, Lines) {
    let inbox = model.inbox(ui.now);
    let at = model.board.cursor.min(inbox.len().saturating_sub(1));
    let line = |(n, (digest, state)): (usize, &(&PlanDigest, &PlanState))| {
        let standing = model.standing(state);
        let (word, role) = match &standing {
            Standing::Waiting { .. } if model.can_judge(state).is_ok() => ("YOU", Role::Warn),
            Standing::Waiting { .. } => ("others", Role::Base),
            Standing::Refused { .. } => ("refused", Role::Muted),
            _ => ("agreed", Role::Good),
        };
        let text = format!(
            "{word:<8} {:<7} {}  {}  asked by {}  {} left  {}",
            state.plan.tier.as_str(),
            show_identifier(state.plan.identity_name.raw()),
            show(&state.plan.playbook),
            show(&asked_by(model.authority.as_deref(), state)),
            age(ui.now, state.plan.expires),
            digest.short(),
        );
        styled(&text, n == at, role, width, ui)
    };
    let lines = inbox.iter().enumerate().map(line).collect();
    let full = inbox
        .get(at)
        .map(|(digest, state)| full(model, digest, state, ui));
    (lines, full.unwrap_or_default())
}

/// Says who agreed, who is missing, what has to be known first.
fn full(model: &Model, digest: &PlanDigest, state: &PlanState, ui: Ui<'_>) -> Lines {
    let standing = match model.standing(state) {
        Standing::Free => "nobody need agree".to_owned(),
        Standing::Agreed { by } => format!(
            "agreed: {}; enter, and it can be run from here",
            by.join(", ")
        ),
        Standing::Waiting { by, missing, could } => {
            let agreed = if by.is_empty() {
                "nobody".to_owned()
            } else {
                by.join(", ")
            };
            format!(
                "agreed so far: {agreed}; {missing} more needed, {} could",
                could.join(", ")
            )
        }
        Standing::Refused { by, reason } => format!("{by} refused it: {reason}"),
    };
    let mut lines = vec![Line::raw(show(&standing).into_owned())];
    if let Some((at, what)) = state.timed_out {
        let text = format!(
            "too few agreed by {}: {}",
            at.strftime("%H:%M:%SZ"),
            what.as_str().replace('_', " ")
        );
        lines.push(Line::styled(text, ui.theme.style(Role::Warn)));
    }
    for warning in model.plan_warnings(digest, &state.plan) {
        let text = format!("{} {}", ui.glyphs.high, show(&warning));
        lines.push(Line::styled(text, ui.theme.style(Role::Warn)));
    }
    if let Err(why) = model.can_judge(state) {
        let text = format!("not for you to agree: {}", show(&why));
        lines.push(Line::styled(text, ui.theme.style(Role::Muted)));
    }
    for step in &state.plan.steps {
        let text = format!("{} {} [{}]", step.id, show(&step.title), step.tier);
        lines.push(Line::raw(text));
    }
    lines
}

fn debts(model: &Model, ui: Ui<'_>, width: usize) -> (Lines, Lines) {
    let debts = &model.board.debts;
    let at = model.board.cursor.min(debts.len().saturating_sub(1));
    let line = |(n, debt): (usize, &Debt)| {
        let (left, role) = match debt.is_overdue(ui.now) {
            true => ("OVERDUE".to_owned(), Role::Error),
            false => (format!("{} left", age(ui.now, debt.until)), Role::Base),
        };
        let who = debt.identity.as_ref().map_or("-", |id| id.as_str());
        let text = format!(
            "{:<9} {left:<10} {}  {}  owner {}  for {}",
            debt.kind.as_str(),
            show_identifier(who),
            show(&debt.what),
            show(&debt.owner),
            age(debt.since, ui.now),
        );
        styled(&text, n == at, role, width, ui)
    };
    let lines = debts.iter().enumerate().map(line).collect();
    let full = debts.get(at).map(|debt| {
        let muted = ui.theme.style(Role::Muted);
        let told = debt.told(model.has_pager(), ui.now);
        let row = |name: &'static str, text: &str| {
            Line::from(vec![
                Span::styled(format!("{name:<12}"), muted),
                Span::raw(show(text).into_owned()),
            ])
        };
        let mut rows = vec![
            row("what", &debt.what),
            row("owner", &debt.owner),
            row("alert", debt.alert.as_str()),
            row("ends", &debt.until.strftime("%F %H:%M:%SZ").to_string()),
            row("then", &debt.next),
            row("meanwhile", &debt.meanwhile),
            row("name", &debt.id),
        ];
        rows.extend(told.map(|told| row("people told", &told)));
        rows
    });
    (lines, full.unwrap_or_default())
}

/// Asks for what has to be typed before it counts.
pub fn say(saying: &Saying, input: &Input, ui: Ui<'_>, area: Rect, buf: &mut Buffer) {
    let inside = dialog(&saying.asks(), 78, 7, ui, area, buf);
    // The end of it is where somebody types.
    let typed = show(input.value());
    let room = usize::from(inside.width)
        .saturating_mul(2)
        .saturating_sub(1);
    let skip = typed.chars().count().saturating_sub(room);
    let typed: String = typed.chars().skip(skip).collect();
    let text = vec![
        Line::from(vec![
            Span::raw(typed),
            Span::styled("_", ui.theme.style(Role::Key)),
        ]),
        Line::default(),
        Line::styled(saying.about(), ui.theme.style(Role::Muted)),
    ];
    Paragraph::new(text)
        .wrap(Wrap { trim: false })
        .render(inside, buf);
}
