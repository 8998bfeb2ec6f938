//! The lines above and below everything: what this console is, whether it is sound, and which keys apply.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Paragraph, Widget};

use super::Ui;
use super::theme::Role;
use crate::app::board::Side;
use crate::app::command::{Command, Scope, disabled_reason, scope};
use crate::app::model::{AnchorView, Level, Model, Overlay, Stage};
use crate::app::reader::is_searchable;
use crate::domain::automation::left_s;
use crate::domain::text::{cells, fit, show};

/// Returns the header: a banner in the drill, then one line of health.
pub fn head_lines(model: &Model, ui: Ui<'_>, width: u16) -> Vec<Line<'static>> {
    let mut lines = Vec::new();
    if let Some(drill) = &model.drill {
        let intruder = if drill.intruder_in {
            "INTRUDER IN"
        } else {
            "intruder out"
        };
        let begin = format!(" DRILL  {}  {intruder}", show(&drill.title));
        let says = [
            "nothing here is real; connect real systems: stanch init",
            "not real; connect real systems: stanch init",
            "not real; for real: stanch init",
        ];
        let room = usize::from(width).saturating_sub(cells(&begin) + 3);
        let fits = says.iter().find(|words| cells(words) <= room);
        let text = format!("{begin}   {}", fits.unwrap_or(&says[2]));
        lines.push(bar(&text, width, ui.theme.style(Role::Banner), ui));
    }
    lines.push(health(model, ui, width));
    lines
}

fn bar(text: &str, width: u16, style: Style, ui: Ui<'_>) -> Line<'static> {
    let fitted = fit(text, usize::from(width), ui.glyphs.ellipsis);
    let pad = usize::from(width).saturating_sub(cells(&fitted));
    Line::styled(format!("{fitted}{}", " ".repeat(pad)), style)
}

fn sources(n: usize) -> String {
    format!("{n} source{}", if n == 1 { "" } else { "s" })
}

fn health(model: &Model, ui: Ui<'_>, width: u16) -> Line<'static> {
    let mut parts: Vec<(String, Role)> = vec![(" stanch".into(), Role::Title)];
    if model.drill.is_none() && model.log_only.is_none() {
        parts.push(("LIVE".into(), Role::Warn));
    }
    if model.read_only {
        parts.push(("READ-ONLY".into(), Role::Warn));
    }
    if let Some(place) = &model.log_only {
        parts.push((format!("log of {place}"), Role::Base));
        return fit_parts(parts, ui, width);
    }
    parts.push(match (model.queue.open(), model.opening.alerts) {
        (open, false) => (format!("{open} open"), Role::Base),
        (0, true) => ("reading alerts".to_owned(), Role::Base),
        (open, true) => (format!("{open} open so far"), Role::Base),
    });
    if let Some(holder) = &model.duty {
        parts.push((format!("taken in by {}", show(holder)), Role::Base));
    }
    let sick: Vec<String> = model
        .sources
        .iter()
        .filter(|(_, s)| !s.healthy)
        .map(|(n, s)| format!("{}: {}", show(n), s.text))
        .collect();
    match (model.sources.len(), sick.first()) {
        (_, Some(first)) => parts.push((format!("SOURCE {first}"), Role::Error)),
        (0, None) => parts.push(match model.opening.sources {
            0 => ("no alert source configured".into(), Role::Warn),
            n => (format!("{} starting", sources(n)), Role::Base),
        }),
        (n, None) => parts.push((format!("{} ok", sources(n)), Role::Base)),
    }
    if let Some(first) = model.reload.troubles.first() {
        let fitted = fit(first, 40, ui.glyphs.ellipsis);
        parts.push((format!("INVENTORY {fitted}"), Role::Warn));
    }
    let total: u64 = model.malformed.values().map(|(n, _)| n).sum();
    if total > 0 {
        parts.push((format!("{total} malformed kept"), Role::Warn));
    }
    if model.unread > 0 {
        parts.push((unread(model, ui), Role::Warn));
    }
    match &model.journal_problem {
        Some(problem) => parts.push((format!("JOURNAL {problem}"), Role::Error)),
        None => parts.push(match model.journal_space {
            None if model.opening.log => ("reading journal".into(), Role::Base),
            None => ("journal ok".into(), Role::Base),
            Some(mib) => (format!("journal: {mib} MiB free"), Role::Warn),
        }),
    }
    parts.extend(model.anchors.as_ref().map(|view| anchors(view, ui.now)));
    parts.extend(counting(model, ui));
    match model.waiting_approvals(ui.now) {
        (0, 0) => {}
        (0, n) => parts.push((format!("{n} wait for approval"), Role::Base)),
        (own, _) => parts.push((format!("{own} TO APPROVE"), Role::Warn)),
    }
    let unknowns = model.open_unknowns().count();
    if unknowns > 0 {
        parts.push((format!("{unknowns} UNKNOWN"), Role::Error));
    }
    fit_parts(parts, ui, width)
}

/// Says how many warnings nobody has read yet, and by which key they are read.
fn unread(model: &Model, ui: Ui<'_>) -> String {
    let spec = Command::Messages.spec(Scope::Triage);
    let key = spec.and_then(|spec| ui.keymap.first(spec));
    let n = model.unread;
    key.map_or_else(
        || format!("{n} unread"),
        |key| format!("{n} unread ({key})"),
    )
}

/// Says what is about to run by itself, and when the next of it does.
fn counting(model: &Model, ui: Ui<'_>) -> Option<(String, Role)> {
    let open = model.decisions.alone().countdowns();
    let open = open.filter(|(id, _)| model.countdown(id).is_some());
    let left: Vec<i64> = open.map(|(_, count)| left_s(count, ui.now)).collect();
    let next = left.iter().min()?;
    Some((format!("AUTO {} in {next} s", left.len()), Role::Error))
}

/// Says how far the log is ahead of what left this machine: only that much could be cut off unseen.
fn anchors(view: &AnchorView, now: jiff::Timestamp) -> (String, Role) {
    let age = view.age_s(now);
    let age = match age {
        0..120 => format!("{age} s"),
        120..7200 => format!("{} min", age / 60),
        _ => format!("{} h", age / 3600),
    };
    let behind = format!("{} lines, {age}", view.behind);
    match &view.problem {
        Some(_) => (format!("ANCHOR FAILS, {behind} behind"), Role::Warn),
        None if view.behind == 0 => ("anchored".into(), Role::Base),
        None if view.is_late(now) => (format!("UN-ANCHORED {behind}"), Role::Warn),
        None if !view.somewhere => ("no anchor".into(), Role::Base),
        None => (format!("{behind} un-anchored"), Role::Base),
    }
}

/// The shortest that a part is cut to.
const LEAST: usize = 12;
/// How much of a problem is told before what is well has to go for it.
const TOLD: usize = 60;

/// Joins parts with two spaces. Where they do not fit, long reasons are cut first, as a long reason of one must not hide
/// that there is another; then what is well goes, from the right; then reasons are cut further.
fn fit_parts(mut parts: Vec<(String, Role)>, ui: Ui<'_>, width: u16) -> Line<'static> {
    let width = usize::from(width);
    let over = |parts: &[(String, Role)], most: usize| {
        let taken: usize = parts
            .iter()
            .map(|(text, _)| cells(text).min(most) + 2)
            .sum();
        (taken.saturating_sub(2)).saturating_sub(width)
    };
    while over(&parts, TOLD) > 0
        && let Some(at) = parts.iter().rposition(|(_, role)| *role == Role::Base)
    {
        parts.remove(at);
    }
    loop {
        let over = over(&parts, usize::MAX);
        let longest = parts.iter_mut().max_by_key(|(text, _)| cells(text));
        let Some((text, _)) = longest.filter(|(text, _)| over > 0 && cells(text) > LEAST) else {
            break;
        };
        let room = cells(text).saturating_sub(over).max(LEAST);
        *text = fit(text, room, ui.glyphs.ellipsis);
    }
    let mut room = width;
    let mut spans = Vec::new();
    for (text, role) in parts {
        if !spans.is_empty() {
            spans.push(Span::raw("  "));
            room = room.saturating_sub(2);
        }
        let fitted = fit(&text, room, ui.glyphs.ellipsis);
        room -= cells(&fitted);
        spans.push(Span::styled(fitted, ui.theme.style(role)));
    }
    Line::from(spans)
}

/// Draws the last line: the latest message while it is fresh, else the keys that apply.
pub fn bottom(model: &Model, ui: Ui<'_>, area: Rect, buf: &mut Buffer) {
    let fresh = model.toast_until.is_some_and(|until| until > ui.now);
    let line = match model.messages.last().filter(|_| fresh) {
        Some(message) => {
            let (word, role) = match message.level {
                Level::Info => ("", Role::Good),
                Level::Warn => ("note: ", Role::Warn),
                Level::Error => ("ERROR: ", Role::Error),
            };
            let text = format!(" {word}{}", message.text);
            Line::styled(
                fit(&text, usize::from(area.width), ui.glyphs.ellipsis),
                ui.theme.style(role),
            )
        }
        None => hints(model, ui, area.width),
    };
    Paragraph::new(line).render(area, buf);
}

fn hints(model: &Model, ui: Ui<'_>, width: u16) -> Line<'static> {
    let scope = scope(model);
    let commands: &[Command] = match (&model.overlay, scope) {
        (Overlay::Plan(view), _) if crate::app::planning::takes_text(view) => {
            &[Command::Back, Command::Rebuild, Command::PageDown]
        }
        (Overlay::Plan(view), _) => plan_hints(&view.stage),
        (_, Scope::Log) => log_hints(model),
        (_, Scope::Map) => map_hints(model),
        (_, Scope::Readiness) => readiness_hints(model),
        (_, Scope::Card) => card_hints(model),
        (_, Scope::Coverage) => COVERAGE_HINTS,
        (_, Scope::Policy) => &[
            Command::Down,
            Command::NextPane,
            Command::ToAlert,
            Command::Help,
            Command::Back,
        ],
        (_, Scope::Board) => board_hints(model),
        (overlay, Scope::Reader) if !is_searchable(overlay) => {
            &[Command::Down, Command::PageDown, Command::Back]
        }
        (_, Scope::Reader) => &[
            Command::Down,
            Command::PageDown,
            Command::Filter,
            Command::Back,
        ],
        _ => &[
            Command::Help,
            Command::Filter,
            Command::NextPane,
            Command::Claim,
            Command::DoNothing,
            Command::Dismiss,
            Command::Progress,
            Command::Timeline,
            Command::Quit,
            Command::Down,
        ],
    };
    if !model.pending.is_empty() {
        return onward(model, scope, ui, width);
    }
    let mut room = usize::from(width);
    let mut spans = Vec::new();
    if matches!(model.overlay, Overlay::Palette(_)) {
        for (key, title) in [("enter", "do"), ("esc", "back"), ("up/down", "move")] {
            push_hint(&mut spans, &mut room, key, title, ui);
        }
        return Line::from(spans);
    }
    let typing = match scope {
        Scope::Log => model.timeline.typing,
        Scope::Triage => model.sift.typing,
        Scope::Map => model.map.typing,
        Scope::Readiness => model.readiness.typing,
        Scope::Reader => model.reader.typing,
        Scope::Plan | Scope::Card | Scope::Coverage | Scope::Policy | Scope::Board => false,
    };
    if typing {
        let last = match scope {
            Scope::Map => ("up/down", "next match"),
            Scope::Reader => ("up/down", "scroll"),
            _ => ("up/down", "move"),
        };
        for (key, title) in [("enter", "keep"), ("esc", "clear"), last] {
            push_hint(&mut spans, &mut room, key, title, ui);
        }
        return Line::from(spans);
    }
    if scope == Scope::Triage && model.sift.is_typed() {
        push_hint(&mut spans, &mut room, "esc", "show all", ui);
    } else if scope == Scope::Triage && model.timeline.away {
        push_hint(&mut spans, &mut room, "esc", "back to the record", ui);
    }
    // While the cursor runs the line stays as it is, whatever it passes.
    let steady = model.is_passing() && !model.read_only;
    let can = |command: &Command| steady || disabled_reason(*command, model).is_none();
    if scope == Scope::Triage && can(&Command::Stage(1)) {
        push_hint(&mut spans, &mut room, &digits(ui), "stage", ui);
    }
    // What cannot be done now would only send people to keys that refuse; the palette lists it with the reason.
    let commands = commands.iter().filter(|command| can(command));
    for spec in commands.filter_map(|c| c.spec(scope)) {
        // What is unbound is found in the palette.
        if let Some(key) = ui.keymap.first(spec) {
            push_hint(&mut spans, &mut room, key, spec.title, ui);
        }
    }
    Line::from(spans)
}

/// The keys of the options: the first and the last of them.
fn digits(ui: Ui<'_>) -> String {
    let key = |n| {
        Command::Stage(n)
            .spec(Scope::Triage)
            .and_then(|spec| ui.keymap.first(spec))
    };
    match (key(1), key(9)) {
        (Some(first), Some(last)) => format!("{first}-{last}"),
        (first, last) => first.or(last).unwrap_or_default().to_owned(),
    }
}

/// How keys pressed so far can go on.
fn onward(model: &Model, scope: Scope, ui: Ui<'_>, width: u16) -> Line<'static> {
    let mut room = usize::from(width);
    let mut spans = Vec::new();
    push_hint(&mut spans, &mut room, "esc", "none of these", ui);
    for (keys, spec) in ui.keymap.onward(scope, &model.pending) {
        push_hint(&mut spans, &mut room, &keys, spec.title, ui);
    }
    Line::from(spans)
}

const fn log_hints(model: &Model) -> &'static [Command] {
    if model.timeline.record.is_some() {
        return &[
            Command::Down,
            Command::PageDown,
            Command::ToAlert,
            Command::ToIdentity,
            Command::Out,
        ];
    }
    &[
        Command::Filter,
        Command::OpenRecord,
        Command::ToAlert,
        Command::ToIdentity,
        Command::Verify,
        Command::Help,
        Command::Out,
        Command::OnlyAlert,
        Command::OnlyIdentity,
        Command::Back,
    ]
}

const fn map_hints(model: &Model) -> &'static [Command] {
    if model.map.card.is_some() || model.map.paths.is_some() {
        return &[
            Command::Out,
            Command::Down,
            Command::Copy,
            Command::Reroot,
            Command::PlanHere,
            Command::Help,
        ];
    }
    &[
        Command::NextPane,
        Command::OpenNode,
        Command::Filter,
        Command::PlanHere,
        Command::PathView,
        Command::Help,
        Command::Out,
        Command::Mark,
        Command::Fold,
        Command::Reroot,
        Command::Copy,
        Command::ToAlert,
    ]
}

const fn readiness_hints(model: &Model) -> &'static [Command] {
    if model.readiness.reading {
        return &[
            Command::Out,
            Command::Down,
            Command::OpenNode,
            Command::Copy,
            Command::Help,
        ];
    }
    &[
        Command::Filter,
        Command::OpenNode,
        Command::NextPane,
        Command::Export,
        Command::ToAlert,
        Command::Help,
        Command::Out,
        Command::Copy,
        Command::Refresh,
    ]
}

const fn card_hints(model: &Model) -> &'static [Command] {
    if model.card.reading.is_some() {
        return &[
            Command::Out,
            Command::Down,
            Command::Copy,
            Command::PlanHere,
            Command::NextPane,
            Command::Help,
        ];
    }
    &[
        Command::NextPane,
        Command::OpenNode,
        Command::PlanHere,
        Command::Copy,
        Command::Refresh,
        Command::Help,
        Command::Out,
        Command::OpenMap,
    ]
}

const COVERAGE_HINTS: &[Command] = &[
    Command::Back,
    Command::Down,
    Command::AcceptRisk,
    Command::Checked(true),
    Command::Checked(false),
    Command::Reconcile,
    Command::Close,
];

fn board_hints(model: &Model) -> &'static [Command] {
    match model.board.side {
        Side::Approvals => &[
            Command::OpenRecord,
            Command::Refuse,
            Command::ToAlert,
            Command::NextPane,
            Command::Help,
            Command::Back,
        ],
        Side::WayBack => &[
            Command::Claim,
            Command::Close,
            Command::ToAlert,
            Command::NextPane,
            Command::Help,
            Command::Back,
        ],
        Side::Campaign => &[
            Command::OpenRecord,
            Command::NextCampaign,
            Command::ToAlert,
            Command::NextPane,
            Command::Help,
            Command::Back,
        ],
        Side::Debts => &[
            Command::OpenRecord,
            Command::Claim,
            Command::Close,
            Command::ToAlert,
            Command::NextPane,
            Command::Help,
            Command::Back,
        ],
    }
}

const fn plan_hints(stage: &Stage) -> &'static [Command] {
    match stage {
        Stage::Preview | Stage::Judging => &[
            Command::Back,
            Command::SwitchButton,
            Command::Accept,
            Command::PageDown,
            Command::Rebuild,
        ],
        Stage::WaitingApproval => &[Command::Back, Command::PageDown, Command::BreakGlass],
        Stage::Running => &[
            Command::Stop,
            Command::Coverage,
            Command::PageDown,
            Command::Back,
        ],
        Stage::Failed(_) => &[Command::Rebuild, Command::Back],
        Stage::TakingBack(_) => &[
            Command::Back,
            Command::SwitchButton,
            Command::Accept,
            Command::Down,
        ],
        Stage::Ended => &[
            Command::Coverage,
            Command::TakeBack,
            Command::HandOffDone,
            Command::PageDown,
            Command::Back,
        ],
        Stage::Building => &[Command::PageDown, Command::Back],
    }
}

fn push_hint(spans: &mut Vec<Span<'static>>, room: &mut usize, key: &str, title: &str, ui: Ui<'_>) {
    let width = cells(key) + cells(title) + 4;
    if width > *room {
        return;
    }
    *room -= width;
    spans.push(Span::styled(format!(" {key}"), ui.theme.style(Role::Key)));
    spans.push(Span::raw(format!(" {title}  ")));
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(
        120,
        " stanch  LIVE  7 open  6 sources ok  JOURNAL disk full  2 UNKNOWN"
    )]
    #[case(52, " stanch  LIVE  7 open  JOURNAL disk full  2 UNKNOWN")]
    #[case(39, " stanch  LIVE  JOURNAL disk…  2 UNKNOWN")]
    fn what_is_wrong_stays_in_sight(#[case] width: u16, #[case] want: &str) {
        let theme = crate::ui::theme::Theme::named("mono").unwrap();
        let ui = Ui {
            theme: &theme,
            glyphs: &crate::ui::glyphs::UNICODE,
            keymap: &crate::app::keymap::Keymap::default(),
            now: Timestamp::UNIX_EPOCH,
        };
        let parts = vec![
            (" stanch".to_owned(), Role::Title),
            ("LIVE".to_owned(), Role::Warn),
            ("7 open".to_owned(), Role::Base),
            ("6 sources ok".to_owned(), Role::Base),
            ("JOURNAL disk full".to_owned(), Role::Error),
            ("2 UNKNOWN".to_owned(), Role::Error),
        ];
        let line: String = fit_parts(parts, ui, width)
            .spans
            .iter()
            .map(|span| span.content.as_ref())
            .collect();
        assert_eq!(line, want);
    }

    #[rstest]
    #[case(0, 0, None, true, "anchored", Role::Base)]
    #[case(3, 40, None, true, "3 lines, 40 s un-anchored", Role::Base)]
    #[case(3, 1_000, None, true, "UN-ANCHORED 3 lines, 16 min", Role::Warn)]
    #[case(100, 1, None, true, "UN-ANCHORED 100 lines, 1 s", Role::Warn)]
    #[case(3, 40, None, false, "no anchor", Role::Base)]
    #[case(
        3,
        8_000,
        Some("503"),
        true,
        "ANCHOR FAILS, 3 lines, 2 h behind",
        Role::Warn
    )]
    fn the_distance_to_the_last_anchor_is_seen(
        #[case] behind: u64,
        #[case] age: i64,
        #[case] problem: Option<&str>,
        #[case] somewhere: bool,
        #[case] text: &str,
        #[case] role: Role,
    ) {
        let view = AnchorView {
            somewhere,
            behind,
            since: (behind > 0).then_some(Timestamp::UNIX_EPOCH),
            problem: problem.map(str::to_owned),
            warn_lines: 100,
            warn_s: 900,
        };
        let now = Timestamp::from_second(age).unwrap();
        let (said, how) = anchors(&view, now);
        assert_eq!((said.as_str(), how), (text, role));
    }
}
