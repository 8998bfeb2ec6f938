//! What holds for every screen: how it looks at four sizes, that no size breaks it, and that it can do without colour.

use std::collections::BTreeSet;

use rstest::rstest;
use stanch::app::model::Overlay;

use super::world::World;
use super::{Key, Msg, dump, rendered};

/// Every screen and whatever can lie over one, each once.
pub const SCREENS: [&str; 46] = [
    "help_searched",
    "tour",
    "zoomed",
    "wider",
    "triage",
    "views",
    "save_view",
    "reason",
    "palette",
    "help",
    "messages",
    "score",
    "quit",
    "preview_soft",
    "preview_hard",
    "running",
    "ended",
    "judging",
    "refuse",
    "inbox",
    "debts",
    "board_gates",
    "board_vouch",
    "board_campaign",
    "why",
    "policy",
    "log",
    "log_plan",
    "map",
    "map_exposure",
    "map_card",
    "map_plan",
    "ready",
    "ready_card",
    "card",
    "card_sessions",
    "card_credentials",
    "card_grants",
    "card_effects",
    "card_contact",
    "card_message",
    "card_plan",
    "coverage",
    "empty",
    "unrecorded",
    "read_only",
];

/// The same in further states.
pub const STATES: [&str; 63] = [
    "passing",
    "failed",
    "palette_typed",
    "unresolved",
    "hinted",
    "contradicted",
    "hostile",
    "no_journal",
    "filtered",
    "filter_wrong",
    "filter_empty",
    "folded",
    "put_off",
    "observed",
    "log_filtered",
    "log_typing",
    "log_broken",
    "log_only",
    "log_outcome",
    "map_layers",
    "map_siblings",
    "map_users",
    "map_paths",
    "map_marked",
    "map_folded",
    "map_here",
    "map_search",
    "map_large",
    "map_hostile",
    "why_rules",
    "policy_modes",
    "policy_refused",
    "policy_read",
    "alone_counts",
    "alone_read_only",
    "alone_vetoed",
    "alone_waits",
    "alone_braked",
    "ready_filtered",
    "ready_typing",
    "ready_reading",
    "ready_judging",
    "ready_nobody",
    "ready_hostile",
    "card_born",
    "card_row",
    "card_nobody_says",
    "card_hostile",
    "coverage_risk",
    "coverage_reopened",
    "coverage_reason",
    "coverage_queue",
    "card_hostile_credentials",
    "log_hostile",
    "log_hostile_record",
    "card_hostile_grants",
    "card_hostile_effects",
    "board_agreed",
    "board_lift",
    "board_again",
    "board_begin",
    "board_untrusted",
    "old",
];

const SIZES: [(u16, u16); 4] = [(60, 15), (80, 24), (120, 40), (200, 50)];

/// Returns every screen in every state.
pub fn all() -> impl Iterator<Item = &'static str> {
    SCREENS.into_iter().chain(STATES)
}

fn four_sizes(screen: &str, theme: &str, ascii: bool) -> String {
    let world = World::showing(screen);
    let sizes = SIZES.map(|(width, height)| {
        let text = dump(&rendered(&world.model, theme, ascii, width, height));
        format!("== {width}x{height}\n{text}")
    });
    sizes.concat()
}

#[rstest]
fn every_screen_looks_as_it_did(
    #[values(0, 1, 2, 3)] part: usize,
    #[values("terminal", "mono")] theme: &str,
) {
    for screen in SCREENS.iter().skip(part).step_by(4) {
        let ascii = theme == "mono";
        let text = four_sizes(screen, theme, ascii);
        assert!(!ascii || text.is_ascii(), "{text}");
        insta::with_settings!({prepend_module_to_snapshot => false, omit_expression => true}, {
            insta::assert_snapshot!(format!("{screen}.{theme}"), text);
        });
    }
}

/// A name for every kind of overlay: a new one does not compile until it stands here, and fails below until it is shown.
fn kind(overlay: &Overlay) -> &'static str {
    match overlay {
        Overlay::None => "none",
        Overlay::Plan(_) => "plan",
        Overlay::Reason(_) => "reason",
        Overlay::Help { .. } => "help",
        Overlay::Messages { .. } => "messages",
        Overlay::Score { .. } => "score",
        Overlay::Trace { .. } => "trace",
        Overlay::Log => "log",
        Overlay::Map => "map",
        Overlay::Readiness => "readiness",
        Overlay::Policy => "policy",
        Overlay::Card => "card",
        Overlay::Coverage => "coverage",
        Overlay::Board => "board",
        Overlay::Say(..) => "refuse",
        Overlay::Views => "views",
        Overlay::SaveView(_) => "save view",
        Overlay::Palette(_) => "palette",
        Overlay::ConfirmQuit => "confirm quit",
    }
}

#[test]
fn no_screen_is_left_out() {
    let shown = SCREENS.map(|screen| kind(&World::showing(screen).model.overlay));
    let shown = BTreeSet::from(shown);
    assert_eq!(shown.len(), 19, "{shown:?}");
    let names: BTreeSet<&str> = all().collect();
    assert_eq!(names.len(), SCREENS.len() + STATES.len(), "named twice");
}

/// Tells whether every case is asked for instead of a share of them: it takes minutes.
pub fn every_case() -> bool {
    std::env::var_os("STANCH_EVERY_CASE").is_some()
}

fn widths(screen: usize) -> Vec<u16> {
    let step = if every_case() { 1 } else { 23 };
    // Another offset for another screen, so that together they meet every width.
    let offset = screen % step;
    (0..=130)
        .skip(offset)
        .step_by(step)
        .chain([60, 80, 109, 110])
        .collect()
}

#[rstest]
fn no_size_breaks_a_screen(#[values(0, 1, 2, 3, 4, 5, 6, 7)] part: usize) {
    for (n, screen) in all().enumerate().skip(part).step_by(8) {
        let world = World::showing(screen);
        for width in widths(n) {
            for height in 0..=50 {
                rendered(&world.model, "terminal", false, width, height);
            }
        }
    }
}

#[rstest]
#[case("triage", "j")]
#[case("folded", "j")]
#[case("log", "k")]
#[case("log_plan", "j")]
#[case("map", "j")]
#[case("map_exposure", "j")]
#[case("ready", "j")]
#[case("card", "j")]
#[case("card_credentials", "j")]
#[case("card_effects", "j")]
#[case("card_contact", "j")]
#[case("coverage", "j")]
#[case("policy", "j")]
#[case("palette", "down")]
#[case("quit", "esc")]
#[case("preview_soft", "tab")]
fn without_colour_the_cursor_can_still_be_told(#[case] screen: &str, #[case] key: &str) {
    let mut world = World::showing(screen);
    let look = |w: &World| dump(&rendered(&w.model, "mono", true, 80, 24));
    let before = look(&world);
    assert!(before.contains("REVERSED"), "{before}");
    world.press(key);
    assert_ne!(before, look(&world));
}

#[test]
fn a_key_that_is_held_down_changes_lines_of_the_queue_alone() {
    let (width, height) = (120, 40);
    let mut world = World::showing("passing");
    let drawn = |w: &World| rendered(&w.model, "mono", true, width, height);
    let before = drawn(&world);
    assert!(dump(&before).contains("shown when the cursor rests"));
    world.send(Msg::Key(Key::char('k')));
    let after = drawn(&world);
    let lines = before.content.chunks(usize::from(width));
    let lines = lines.zip(after.content.chunks(usize::from(width)));
    // The line left, the line come to, and how many lines down that is.
    let changed = lines.filter(|(a, b)| a != b).count();
    assert!((1..=3).contains(&changed), "{changed}");
}

#[test]
fn without_colour_severity_and_outcomes_are_words() {
    for (screen, words) in [
        ("triage", ["CRIT", "HIGH", "medium"].as_slice()),
        ("ended", &["proven", "failed", "unknown"]),
        ("coverage", &["proven", "unknown", "open"]),
        ("messages", &["malformed"]),
        ("log_broken", &["broken"]),
        ("ready", &["ready"]),
    ] {
        let world = World::showing(screen);
        let text = dump(&rendered(&world.model, "mono", true, 120, 40));
        for word in words {
            assert!(text.contains(word), "no `{word}` in {screen}:\n{text}");
        }
    }
}
