//! What an identity normally does beside what it is seen doing.

use ratatui::text::{Line, Span};

use super::{UNKNOWN, opt, single};
use crate::app::model::Model;
use crate::domain::identity::Identity;
use crate::domain::observed::{Aspect, Fits, Row, Seen, compare};
use crate::domain::text::{cells, fit};
use crate::ui::Ui;
use crate::ui::theme::Role;
use crate::ui::wrap::wrap_all;

/// Width of the column of labels, with the gap behind it.
const LABEL: usize = 12;

/// Returns what is normal and what is seen of the identity at hand.
pub(super) fn rows(model: &Model, card: &Identity) -> Vec<Row> {
    let alert = model.selected.as_ref().and_then(|id| model.alerts.read(id));
    let live = model.live.get(&card.id).map(|live| &live.context);
    compare(card.usual.as_deref(), alert.map(|a| &**a), live)
}

/// Returns both sides beside each other, one aspect after the other; a line to say so where neither is known.
pub(super) fn lines(rows: &[Row], ui: Ui<'_>, width: u16) -> Vec<Line<'static>> {
    if rows.is_empty() {
        return vec![single(ui, "normally", UNKNOWN.to_owned())];
    }
    let room = usize::from(width).saturating_sub(LABEL);
    let left = (room * 2 / 5).clamp(8, 40);
    let head = format!(
        "{:<LABEL$}{:<left$}  {}",
        "compared", "normally", "as seen now"
    );
    let mut lines = vec![Line::styled(head, ui.theme.style(Role::Muted))];
    for row in rows {
        lines.extend(row_lines(row, left, room.saturating_sub(left + 2), ui));
    }
    lines
}

fn row_lines(row: &Row, left: usize, right: usize, ui: Ui<'_>) -> Vec<Line<'static>> {
    let label = match row.aspect {
        Aspect::Origin => "from",
        Aspect::Hours => "at",
        Aspect::Action => "does",
        Aspect::Target => "to",
    };
    let normally: Vec<String> = row.normally.iter().map(|n| opt(Some(n))).collect();
    let normally = match normally.as_slice() {
        [] => UNKNOWN.to_owned(),
        some => some.join(", "),
    };
    let normally = fit(&normally, left, ui.glyphs.ellipsis);
    let pad = " ".repeat(left.saturating_sub(cells(&normally)) + 2);
    let mut first = vec![
        Span::styled(format!("{label:<LABEL$}"), ui.theme.style(Role::Muted)),
        Span::raw(format!("{normally}{pad}")),
    ];
    if row.seen.is_empty() {
        first.push(Span::styled("nothing seen", ui.theme.style(Role::Muted)));
        return vec![Line::from(first)];
    }
    let seen = row.seen.iter().map(|seen| seen_line(seen, ui));
    let seen = wrap_all(seen.collect(), right);
    let blank = vec![Span::raw(" ".repeat(LABEL + left + 2))];
    let begins = std::iter::once(first).chain(std::iter::repeat(blank));
    let both = |(mut begin, line): (Vec<Span<'static>>, Line<'static>)| {
        begin.extend(line.spans);
        Line::from(begin)
    };
    begins.zip(seen).map(both).collect()
}

fn seen_line(seen: &Seen, ui: Ui<'_>) -> Line<'static> {
    let (mark, word, role) = match seen.fits {
        Fits::Usual => (ui.glyphs.proven, "usual", Role::Good),
        Fits::Unusual => (ui.glyphs.high, "UNUSUAL", Role::Error),
        Fits::Unknown => (ui.glyphs.unknown, "not comparable", Role::Muted),
    };
    Line::from(vec![
        Span::styled(format!("{mark} {word} "), ui.theme.style(role)),
        Span::raw(format!("{} ({})", seen.text, seen.from)),
    ])
}
