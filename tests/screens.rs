//! Screens as they are drawn, with their styles; and that no size can break them.

#[path = "screens/escapes.rs"]
mod escapes;
#[path = "screens/every.rs"]
mod every;
#[path = "screens/first.rs"]
mod first;
#[path = "common/oracle.rs"]
mod oracle;
#[path = "common/payloads.rs"]
mod payloads;
#[path = "screens/pointing.rs"]
mod pointing;
#[path = "screens/ways.rs"]
mod ways;
mod world;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};
use rstest::rstest;
use stanch::app::keymap::Keymap;
use stanch::app::keys::Key;
use stanch::app::model::Model;
use stanch::app::msg::Msg;
use stanch::ui::glyphs::{ASCII, UNICODE};
use stanch::ui::theme::Theme;
use stanch::ui::{Ui, draw};
use world::{World, now};

fn rendered(model: &Model, theme: &str, ascii: bool, width: u16, height: u16) -> Buffer {
    let theme = Theme::named(theme).unwrap();
    let area = Rect::new(0, 0, width, height);
    let mut buffer = Buffer::empty(area);
    let glyphs = if ascii { &ASCII } else { &UNICODE };
    draw(
        model,
        Ui {
            theme: &theme,
            keymap: &Keymap::default(),
            glyphs,
            now: now(),
        },
        area,
        &mut buffer,
    );
    buffer
}

/// Text, and below each row the runs of style that are not plain: `3..9 Red+BOLD`.
fn dump(buffer: &Buffer) -> String {
    let width = usize::from(buffer.area.width);
    let mut out = String::new();
    for row in buffer.content.chunks(width) {
        let text: String = row.iter().map(ratatui::buffer::Cell::symbol).collect();
        out += text.trim_end();
        out.push('\n');
        let mut runs: Vec<(usize, usize, Style)> = Vec::new();
        for (i, cell) in row.iter().enumerate() {
            match runs.last_mut() {
                Some((_, end, style)) if *style == cell.style() => *end = i + 1,
                _ => runs.push((i, i + 1, cell.style())),
            }
        }
        let named: Vec<String> = runs
            .iter()
            .filter_map(|(from, to, style)| Some(format!("{from}..{to} {}", name(*style)?)))
            .collect();
        if !named.is_empty() {
            out.push_str("    | ");
            out.push_str(&named.join(", "));
            out.push('\n');
        }
    }
    out
}

fn name(style: Style) -> Option<String> {
    let colour = style
        .fg
        .filter(|c| *c != ratatui::style::Color::Reset)
        .map(|c| c.to_string());
    let modifier = Some(style.add_modifier)
        .filter(|m| *m != Modifier::empty())
        .map(|m| format!("{m:?}"));
    let parts: Vec<String> = [colour, modifier].into_iter().flatten().collect();
    (!parts.is_empty()).then(|| parts.join("+"))
}

#[rstest]
#[case("failed", 80, 24)]
#[case("palette_typed", 120, 40)]
#[case("unresolved", 80, 24)]
#[case("hinted", 80, 24)]
#[case("contradicted", 80, 24)]
#[case("hostile", 120, 40)]
#[case("no_journal", 80, 24)]
#[case("filtered", 80, 24)]
#[case("filtered", 120, 40)]
#[case("filter_wrong", 80, 24)]
#[case("filter_empty", 80, 24)]
#[case("folded", 80, 24)]
#[case("folded", 120, 40)]
#[case("put_off", 80, 24)]
#[case("observed", 80, 24)]
#[case("observed", 120, 40)]
#[case("log_filtered", 80, 24)]
#[case("log_typing", 120, 40)]
#[case("log_broken", 80, 24)]
#[case("log_only", 80, 24)]
#[case("log_outcome", 80, 24)]
#[case("map_layers", 80, 24)]
#[case("map_siblings", 80, 24)]
#[case("map_users", 80, 24)]
#[case("map_paths", 80, 24)]
#[case("map_marked", 80, 24)]
#[case("map_folded", 80, 24)]
#[case("map_here", 80, 24)]
#[case("map_search", 80, 24)]
#[case("map_large", 80, 24)]
#[case("map_hostile", 120, 40)]
#[case("why_rules", 120, 40)]
#[case("policy_modes", 80, 24)]
#[case("policy_modes", 120, 40)]
#[case("policy_refused", 80, 24)]
#[case("policy_read", 80, 24)]
#[case("alone_counts", 80, 24)]
#[case("alone_counts", 120, 40)]
#[case("alone_read_only", 80, 24)]
#[case("alone_vetoed", 120, 40)]
#[case("alone_waits", 80, 24)]
#[case("alone_waits", 120, 40)]
#[case("alone_braked", 120, 40)]
#[case("ready_filtered", 80, 24)]
#[case("ready_typing", 80, 24)]
#[case("ready_reading", 80, 24)]
#[case("ready_judging", 80, 24)]
#[case("ready_nobody", 80, 24)]
#[case("ready_hostile", 120, 40)]
#[case("card_born", 80, 24)]
#[case("card_row", 80, 24)]
#[case("card_nobody_says", 80, 24)]
#[case("card_hostile", 120, 40)]
#[case("coverage_risk", 80, 24)]
#[case("coverage_reopened", 80, 24)]
#[case("coverage_reason", 80, 24)]
#[case("coverage_queue", 80, 24)]
#[case("board_inbox", 80, 24)]
#[case("board_inbox", 120, 40)]
#[case("board_debts", 80, 24)]
#[case("board_debts", 120, 40)]
#[case("board_gates", 80, 24)]
#[case("board_gates", 120, 40)]
#[case("board_campaign", 80, 24)]
#[case("board_campaign", 120, 40)]
#[case("board_refuse", 80, 24)]
#[case("board_agreed", 80, 24)]
#[case("board_vouch", 80, 24)]
#[case("board_lift", 80, 24)]
#[case("board_again", 80, 24)]
#[case("board_begin", 80, 24)]
#[case("board_untrusted", 80, 24)]
#[case("card_hostile_credentials", 80, 24)]
fn screens_in_colour(#[case] screen: &str, #[case] width: u16, #[case] height: u16) {
    let world = World::showing(screen);
    let text = dump(&rendered(&world.model, "terminal", false, width, height));
    insta::assert_snapshot!(format!("{screen}_{width}x{height}"), text);
}

#[test]
fn keys_in_any_order_never_panic_and_never_run_a_plan_unread() {
    use proptest::prelude::*;
    let names = "K T B A y ] R e M f o y z N + - h l L a A i I / j k g G tab 1 2 3 0 c D X n r v p ? m S esc enter backspace q x y space pgdn ctrl-r ctrl-x ctrl-l left";
    let names: Vec<&str> = names.split(' ').collect();
    proptest!(ProptestConfig::with_cases(64), |(picks in proptest::collection::vec(0..names.len(), 1..60))| {
        let mut world = World::showing("triage");
        for pick in picks {
            // No time passes between these keys, so no preview is ever armed.
            let effects = world.send(Msg::Key(Key::parse(names[pick]).unwrap()));
            let ran = effects.iter().any(|e| matches!(e, stanch::app::msg::Effect::Run(..)));
            prop_assert!(!ran);
            world.answer(&effects);
            rendered(&world.model, "terminal", false, 80, 24);
        }
    });
}

#[test]
fn years_keep_the_columns_and_what_has_no_pattern_shows_its_title() {
    let world = World::showing("old");
    let text = dump(&rendered(&world.model, "mono", true, 120, 40));
    let row = |name: &str| text.lines().find(|l| l.contains(name)).unwrap().to_owned();
    let (head, old) = (row("sev "), row("svc-old"));
    assert!(old.contains("3000d"), "{old}");
    assert_eq!(head.find("identity"), old.find("svc-old"));
    assert_eq!(head.find("what happened"), old.find("bucket listed"));
}
