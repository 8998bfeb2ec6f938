use rstest::rstest;

use super::*;

fn own(text: &str) -> Result<Theme, ThemeError> {
    let files = BTreeMap::from([("mine".to_owned(), text.to_owned())]);
    Themes::new(files).named("mine")
}

#[test]
fn every_embedded_theme_defines_every_role_and_can_be_read() {
    for name in Themes::default().names() {
        let theme = Theme::named(name).unwrap();
        for (word, role) in ROLES {
            assert!(theme.styles.contains_key(role), "{name} lacks {word}");
        }
        assert_eq!(theme.doubts(), Vec::<String>::new(), "{name}");
    }
}

#[test]
fn high_contrast_keeps_its_word() {
    let theme = Theme::named("high-contrast").unwrap();
    let base = theme.style(Role::Base);
    for (name, role) in ROLES {
        let style = theme.style(*role);
        let ratio = contrast::ratio(style.fg.or(base.fg), style.bg.or(base.bg)).unwrap();
        assert!(ratio >= 7.0, "{name}: {ratio:.1}");
    }
}

#[test]
fn mono_names_no_colour() {
    let mono = Theme::named("mono").unwrap();
    let mut styles = mono.styles.values();
    assert!(styles.all(|s| s.fg.is_none() && s.bg.is_none()));
}

/// How somebody without the receptors for green sees it (Viénot, Brettel, Mollon 1999), as amounts of light.
fn without_green(colour: Color) -> [f64; 3] {
    let [r, g, b] = contrast::linear(colour).unwrap();
    let both = 0.292_75 * r + 0.707_25 * g;
    [both, both, -0.022_34 * r + 0.022_34 * g + b]
}

#[test]
fn who_sees_no_green_tells_what_is_bad_from_what_is_good() {
    let theme = Theme::named("deuteranopia").unwrap();
    let apart = [
        (Role::Critical, Role::Good),
        (Role::Error, Role::Good),
        (Role::High, Role::Low),
        (Role::Critical, Role::Medium),
        (Role::Critical, Role::Low),
        (Role::Warn, Role::Good),
    ];
    for (one, other) in apart {
        let seen = |role| without_green(theme.style(role).fg.unwrap()).map(f64::cbrt);
        let (a, b) = (seen(one), seen(other));
        let distance: f64 = a
            .iter()
            .zip(b)
            .map(|(a, b)| (a - b).powi(2))
            .sum::<f64>()
            .sqrt();
        assert!(distance > 0.2, "{one:?} and {other:?}: {distance:.2}");
    }
}

#[rstest]
#[case("base = \"pinkish\"", "role `base`: `pinkish` is no colour")]
#[case("base = \"red on\"", "`on` is no colour")]
#[case("glow = \"red\"", "role `glow` that does not exist; have: base,")]
#[case("inherits = \"nothing\"", "no theme `nothing`; have: terminal, dark")]
#[case("inherits = \"mine\"", "no theme `mine`")]
#[case("base = 3", "cannot read theme `mine`")]
#[case("base = \"ink\"", "`ink` is no colour, no name of the palette")]
fn mistakes_are_named(#[case] text: &str, #[case] message: &str) {
    let error = own(text).unwrap_err().to_string();
    assert!(error.contains(message), "{error}");
}

#[test]
fn rings_end() {
    let files = [("a", "inherits = \"b\""), ("b", "inherits = \"a\"")];
    let files = files.map(|(name, text)| (name.to_owned(), text.to_owned()));
    let error = Themes::new(BTreeMap::from(files)).named("a").unwrap_err();
    assert!(matches!(error, ThemeError::Ring(_)), "{error}");
}

#[test]
fn a_theme_of_ones_own_changes_one_role_and_may_take_the_name_of_an_embedded_one() {
    let text = "inherits = \"dark\"\ncritical = \"ink on blood bold\"\n[palette]\nink = \"#ffffff\"\nblood = \"#800000\"";
    let theme = own(text).unwrap();
    let want = Style::new()
        .fg(Color::Rgb(255, 255, 255))
        .bg(Color::Rgb(128, 0, 0));
    assert_eq!(
        theme.style(Role::Critical),
        want.add_modifier(Modifier::BOLD)
    );
    let dark = Theme::named("dark").unwrap();
    assert_eq!(theme.style(Role::Good), dark.style(Role::Good));

    let files = BTreeMap::from([("dark".to_owned(), text.to_owned())]);
    let themes = Themes::new(files);
    assert_eq!(
        themes.named("dark").unwrap().style(Role::Critical),
        theme.style(Role::Critical)
    );
    assert_eq!(themes.names(), Themes::default().names());
}

#[rstest]
#[case(
    "inherits = \"dark\"\nmuted = \"#303030\"",
    "`muted` on `base` has a contrast of"
)]
#[case(
    "inherits = \"terminal\"\nmuted = \"#303030\"",
    "over the terminal's background"
)]
#[case("inherits = \"mono\"\nselected = \"bold\"", "`selected` has neither")]
fn what_is_hard_to_read_is_said(#[case] text: &str, #[case] doubt: &str) {
    let doubts = own(text).unwrap().doubts();
    assert!(doubts.iter().any(|said| said.contains(doubt)), "{doubts:?}");
}

#[rstest]
fn what_is_selected_and_what_is_read_stays_in_sight_in_fewer_colours(
    #[values(Depth::Mono, Depth::Sixteen, Depth::Palette, Depth::True)] depth: Depth,
) {
    for name in Themes::default().names() {
        let theme = Theme::named(name).unwrap().reduced(depth);
        let (base, selected) = (theme.style(Role::Base), theme.style(Role::Selected));
        let reversed = selected.add_modifier.contains(Modifier::REVERSED);
        assert!(
            reversed || selected.bg.is_some_and(|bg| Some(bg) != base.bg),
            "{name}"
        );
        for (word, role) in ROLES {
            let style = theme.style(*role);
            let (text, ground) = (style.fg.or(base.fg), style.bg.or(base.bg));
            assert!(
                text.is_none() || text != ground,
                "{name}: {word} at {depth:?}"
            );
            let picked = selected.bg.filter(|_| style.bg.is_none());
            assert!(
                text.is_none() || text != picked,
                "{name}: selected {word} at {depth:?}"
            );
            assert!(
                depth > Depth::Mono || (style.fg.is_none() && style.bg.is_none()),
                "{name}"
            );
        }
    }
}
