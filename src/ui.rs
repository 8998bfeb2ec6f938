//! From the model to a buffer of cells. Nothing here keeps state, waits or reads a clock.
//!
//! Every function is total: any area, down to nothing, is drawn without a panic.

use jiff::Timestamp;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Borders, Clear, Paragraph, Widget};

use crate::app::command::{Command, Scope};
use crate::app::keymap::Keymap;
use crate::app::model::{LEAST, Model, Overlay, Pane};
use crate::domain::debt::Trust;
use crate::domain::ids::IdentityId;
use crate::domain::text::{cells, fit};

pub mod board;
pub mod card;
pub mod coverage;
pub mod glyphs;
pub mod hit;
pub mod log;
pub mod map;
pub mod options;
pub mod overlay;
pub mod page;
pub mod palette;
pub mod picture;
pub mod plain;
pub mod plan;
pub mod policy;
pub mod queue;
pub mod readiness;
pub mod record;
pub mod status;
pub mod theme;
pub mod tour;
pub mod trace;
pub mod wrap;

use glyphs::Glyphs;
use theme::{Role, Theme};

/// Width from which the queue and the identity stand side by side.
const WIDE: u16 = 110;

/// What drawing needs besides the model.
#[derive(Clone, Copy)]
pub struct Ui<'a> {
    /// Styles by meaning.
    pub theme: &'a Theme,
    /// Marks and lines, Unicode or ASCII.
    pub glyphs: &'a Glyphs,
    /// The keys in force, for hints and help.
    pub keymap: &'a Keymap,
    /// The time for ages and countdowns.
    pub now: Timestamp,
}

/// Says of somebody who was contained that nobody may rely on them yet, or that they are watched; the same on every screen.
fn trust_line(model: &Model, identity: &IdentityId, ui: Ui<'_>) -> Option<Line<'static>> {
    let trust = model.trust(identity, ui.now);
    trust.mark()?;
    let style = ui.theme.style(trust_role(&trust));
    Some(Line::styled(trust.to_string(), style))
}

/// The same in a word or two, for a line that has no room for more.
fn trust_tag(model: &Model, identity: &IdentityId, ui: Ui<'_>) -> Option<(String, Role)> {
    let trust = model.trust(identity, ui.now);
    Some((trust.mark()?.to_owned(), trust_role(&trust)))
}

const fn trust_role(trust: &Trust) -> Role {
    match trust.is_loud() {
        true => Role::Error,
        false => Role::Warn,
    }
}

/// Draws the whole console. Returns where the queue is, when keys move the cursor in it.
pub fn draw(model: &Model, ui: Ui<'_>, area: Rect, buf: &mut Buffer) -> Option<Rect> {
    buf.set_style(area, ui.theme.style(Role::Base));
    if area.width < LEAST.0 || area.height < LEAST.1 {
        let text = format!(
            "needs {}x{}, have {}x{}",
            LEAST.0, LEAST.1, area.width, area.height
        );
        Paragraph::new(text).render(area, buf);
        return None;
    }
    let (head, top) = top(model, ui, area);
    Paragraph::new(head).render(top, buf);
    let (tour, body, bottom) = below(model, ui, (area, top));
    tour::render(model, ui, tour, buf);
    let queue = screen(model, ui, body, buf);
    over(model, ui, body, buf);
    status::bottom(model, ui, bottom, buf);
    queue.filter(|_| matches!(model.overlay, Overlay::None))
}

/// Draws the queue anew over a frame in which it had that place, and nothing else.
pub fn queue_alone(model: &Model, ui: Ui<'_>, place: Rect, buf: &mut Buffer) {
    Clear.render(place, buf);
    buf.set_style(place, ui.theme.style(Role::Base));
    queue::render(model, ui, place, buf);
    if model.layout.zoomed {
        zoomed(ui, place, buf);
    }
}

/// Returns the lines at the top, and their place.
fn top(model: &Model, ui: Ui<'_>, area: Rect) -> (Vec<Line<'static>>, Rect) {
    let head = status::head_lines(model, ui, area.width);
    let (top, _) = cut_top(area, head.len() as u16);
    (head, top)
}

/// Returns the places of the tour, the screen and the line at the bottom.
fn below(model: &Model, ui: Ui<'_>, (area, top): (Rect, Rect)) -> (Rect, Rect, Rect) {
    let (_, rest) = cut_top(area, top.height);
    let (tour, rest) = cut_top(rest, tour::height(model, ui, area));
    let (body, bottom) = cut_bottom(rest, 1);
    (tour, body, bottom)
}

/// Draws the screen without what lies over it. Returns where the queue is.
fn screen(model: &Model, ui: Ui<'_>, body: Rect, buf: &mut Buffer) -> Option<Rect> {
    // The palette lies over a screen, which goes on being drawn.
    let screen = model.overlay.screen();
    match screen {
        Overlay::Plan(view) => plan::render(model, view, ui, body, buf),
        Overlay::Help { scroll } => overlay::help(model, *scroll, ui, body, buf),
        Overlay::Messages { scroll } => overlay::messages(model, *scroll, ui, body, buf),
        Overlay::Score { scroll } => overlay::score(model, *scroll, ui, body, buf),
        Overlay::Trace { told, scroll } => trace::render(told, *scroll, ui, body, buf),
        Overlay::Log => log::render(model, ui, body, buf),
        Overlay::Map => map::screen::render(model, ui, body, buf),
        Overlay::Readiness => readiness::render(model, ui, body, buf),
        Overlay::Policy => policy::render(model, ui, body, buf),
        Overlay::Board => board::render(model, ui, body, buf),
        Overlay::Say(..) if model.board.open => board::render(model, ui, body, buf),
        Overlay::Card => card::screen::render(model, ui, body, buf),
        Overlay::Coverage => coverage::render(model, ui, body, buf),
        Overlay::Reason(_) if model.coverage.open => coverage::render(model, ui, body, buf),
        Overlay::None
        | Overlay::Say(..)
        | Overlay::Reason(_)
        | Overlay::Views
        | Overlay::SaveView(_)
        | Overlay::Palette(_)
        | Overlay::ConfirmQuit => return triage(model, ui, body, buf),
    }
    None
}

/// Draws what lies over the screen.
fn over(model: &Model, ui: Ui<'_>, body: Rect, buf: &mut Buffer) {
    match &model.overlay {
        Overlay::Reason(prompt) => overlay::reason(prompt, ui, body, buf),
        Overlay::Views => overlay::views(model, ui, body, buf),
        Overlay::Palette(palette) => palette::render(model, palette, ui, body, buf),
        Overlay::SaveView(name) => overlay::save_view(model, name, ui, body, buf),
        Overlay::Say(saying, input) => board::say(saying, input, ui, body, buf),
        Overlay::ConfirmQuit => overlay::confirm_quit(model, ui, body, buf),
        Overlay::None => {
            if let Some(choosing) = &model.born {
                options::choose(choosing, ui, body, buf);
            }
        }
        _ => {}
    }
}

/// The queue beside, or above, the identity and its options. Returns where the queue is.
fn triage(model: &Model, ui: Ui<'_>, area: Rect, buf: &mut Buffer) -> Option<Rect> {
    let (panes, options) = places(model, ui, area);
    let queue = panes.iter().find(|(pane, _)| *pane == Pane::Queue);
    let queue = queue.map(|(_, place)| *place);
    for (pane, place) in panes {
        match pane {
            Pane::Queue => queue::render(model, ui, place, buf),
            // What is below stays empty, so that the terminal can move the lines of the queue.
            Pane::Identity if model.is_passing() => passing("Identity", ui, place, buf),
            _ if model.is_passing() => {}
            Pane::Identity => card::identity(model, ui, place, buf),
            Pane::Sessions => card::sessions(model, ui, place, buf),
            Pane::Map => map::render(model, ui, place, buf),
        }
        if model.layout.zoomed {
            zoomed(ui, place, buf);
        }
    }
    options::render(model, ui, options, buf);
    queue
}

/// Says in a pane that it is about the alert on which the cursor will rest.
pub(crate) fn passing(title: &str, ui: Ui<'_>, area: Rect, buf: &mut Buffer) {
    let inside = frame(title, false, ui, area, buf);
    let text = Line::styled("shown when the cursor rests", ui.theme.style(Role::Muted));
    Paragraph::new(text).render(inside, buf);
}

/// Returns where the panes of the triage screen are, and the options.
fn places(model: &Model, ui: Ui<'_>, area: Rect) -> (Vec<(Pane, Rect)>, Rect) {
    let focus = model.focus.unwrap_or(Pane::Queue);
    let height = options::height(model, area.width, area.height / 3, ui.now);
    let (above, options) = cut_bottom(area, height);
    if model.layout.zoomed {
        return (vec![(focus, above)], options);
    }
    if area.width >= WIDE {
        let (queue, panes) = cut_left(above, u16::from(model.layout.queue_percent));
        let card_height = (panes.height * 2 / 5).clamp(6, 15).min(panes.height);
        let (identity, rest) = cut_top(panes, card_height);
        let (sessions, map) = cut_top(rest, (rest.height * 2 / 5).min(rest.height));
        let panes = vec![
            (Pane::Queue, queue),
            (Pane::Identity, identity),
            (Pane::Sessions, sessions),
            (Pane::Map, map),
        ];
        return (panes, options);
    }
    let percent = u32::from(model.layout.queue_percent.saturating_sub(12));
    let height = u32::from(above.height) * percent / 100;
    let (queue, pane) = cut_top(above, (height as u16).max(4));
    let beside = match focus {
        Pane::Queue => Pane::Identity,
        other => other,
    };
    (vec![(Pane::Queue, queue), (beside, pane)], options)
}

/// Room that a frame's line keeps at its end for what is below.
const BELOW: u16 = 24;

/// Says on the frame of a pane that it has the others' place, and how they come back.
fn zoomed(ui: Ui<'_>, area: Rect, buf: &mut Buffer) {
    let keys = Command::Zoom.spec(Scope::Triage);
    let keys = keys.map(|spec| ui.keymap.keys(spec)).unwrap_or_default();
    let key = keys.first().map_or(":", String::as_str);
    let text = format!(" zoomed; {key} shows the others ");
    let width = cells(&text) as u16;
    let Some(x) = area.right().checked_sub(width + BELOW) else {
        return;
    };
    // A title that long says more than this.
    if x < area.x + area.width / 3 || area.height == 0 {
        return;
    }
    let place = Rect::new(x, area.y, width, 1);
    Paragraph::new(Line::styled(text, ui.theme.style(Role::Key))).render(place, buf);
}

/// Draws a titled frame and returns the room inside.
pub(crate) fn frame(title: &str, focused: bool, ui: Ui<'_>, area: Rect, buf: &mut Buffer) -> Rect {
    let role = if focused {
        Role::BorderFocus
    } else {
        Role::Border
    };
    let mark = if focused { ui.glyphs.focus } else { " " };
    let block = Block::new()
        .borders(Borders::TOP)
        .border_set(ui.glyphs.border)
        .border_style(ui.theme.style(role))
        .title(Line::styled(
            format!("{mark}{title} "),
            ui.theme.style(Role::Title),
        ));
    let inside = block.inner(area);
    block.render(area, buf);
    inside
}

/// Draws lines from a scroll position on, and says how many are below.
pub(crate) fn scrolled(
    lines: Vec<Line<'static>>,
    scroll: usize,
    ui: Ui<'_>,
    area: Rect,
    buf: &mut Buffer,
) {
    let lines = wrap::wrap_all(lines, usize::from(area.width));
    let height = usize::from(area.height);
    let first = scroll.min(lines.len().saturating_sub(height));
    let below = lines.len().saturating_sub(first + height);
    let shown: Vec<Line<'static>> = lines.into_iter().skip(first).take(height).collect();
    Paragraph::new(shown).render(area, buf);
    if (below > 0 || first > 0) && area.y > 0 {
        // On the line of the frame, where it covers nothing that is read.
        let text = match (first, below) {
            (0, below) => format!(" {} {below} more ", ui.glyphs.down),
            (first, 0) => format!(" {} {first} ", ui.glyphs.up),
            (first, below) => format!(
                " {} {first}  {} {below} more ",
                ui.glyphs.up, ui.glyphs.down
            ),
        };
        let width = (text.chars().count() as u16).min(area.width);
        let at = Rect {
            x: area.right() - width,
            y: area.y - 1,
            width,
            height: 1,
        };
        Paragraph::new(Line::styled(text, ui.theme.style(Role::Key))).render(at, buf);
    }
}

pub(crate) fn cut_top(area: Rect, height: u16) -> (Rect, Rect) {
    let height = height.min(area.height);
    (
        Rect { height, ..area },
        Rect {
            y: area.y + height,
            height: area.height - height,
            ..area
        },
    )
}

/// Cuts off so many percent of the width, with a column between.
pub(crate) fn cut_left(area: Rect, percent: u16) -> (Rect, Rect) {
    let left = u32::from(area.width) * u32::from(percent) / 100;
    let left = u16::try_from(left).unwrap_or(area.width).min(area.width);
    (
        Rect {
            width: left.saturating_sub(1),
            ..area
        },
        Rect {
            x: area.x + left,
            width: area.width - left,
            ..area
        },
    )
}

/// Joins parts as far as they fit, each in its style.
pub(crate) fn parts_line(parts: Vec<(String, Role)>, ui: Ui<'_>, width: usize) -> Line<'static> {
    let mut room = width.saturating_sub(1);
    let mut spans = vec![Span::raw(" ")];
    for (text, role) in parts {
        let text = fit(&format!("{text}  "), room, ui.glyphs.ellipsis);
        room -= cells(&text);
        spans.push(Span::styled(text, ui.theme.style(role)));
    }
    Line::from(spans)
}

pub(crate) fn cut_bottom(area: Rect, height: u16) -> (Rect, Rect) {
    let height = height.min(area.height);
    let (top, bottom) = cut_top(area, area.height - height);
    (top, bottom)
}
