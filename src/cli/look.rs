//! How a console looks: theme, depth of colour, marks and keys, from options, configuration and environment.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{Colour, Global, exit, setup};
use crate::app::keymap::Keymap;
use crate::config::Config;
use crate::runtime::console::Look;
use crate::runtime::themes::read;
use crate::ui::glyphs::{ASCII, UNICODE};
use crate::ui::theme::{Depth, Theme, ThemeError, Themes};

/// Shortest time between frames on this host, and over SSH, where every frame costs a slow link.
const GAP_LOCAL: Duration = Duration::from_millis(33);
const GAP_SSH: Duration = Duration::from_millis(100);

/// Returns how the console is to look.
pub(super) fn look(global: &Global, config: &Config) -> anyhow::Result<Look> {
    let own = own(global)?;
    let config = own.as_ref().unwrap_or(config);
    let depth = depth(global.color, |name| std::env::var(name).ok());
    let name = match depth {
        Depth::Mono => "mono",
        _ => global.theme.as_deref().unwrap_or(&config.ui.theme),
    };
    let gap = if std::env::var_os("SSH_CONNECTION").is_some() {
        GAP_SSH
    } else {
        GAP_LOCAL
    };
    let glyphs = if global.ascii || config.ui.ascii {
        &ASCII
    } else {
        &UNICODE
    };
    let themes = themes(global)?;
    Ok(Look {
        theme: themes.named(name)?.reduced(depth),
        name: name.to_owned(),
        themes,
        themes_folder: themes_folder(global)?,
        mouse: config.ui.mouse,
        depth,
        glyphs,
        keymap: bound(config)?,
        gap,
    })
}

/// Returns the keys in force.
pub(super) fn keymap(global: &Global) -> anyhow::Result<Keymap> {
    let path = setup::config_path(global)?;
    if !path.exists() && global.config.is_none() {
        return Ok(Keymap::default());
    }
    bound(&Config::load(&path)?)
}

fn bound(config: &Config) -> anyhow::Result<Keymap> {
    Keymap::changed(&config.keys).map_err(|errors| {
        let texts: Vec<String> = errors.iter().map(ToString::to_string).collect();
        anyhow::anyhow!("{}", texts.join("\n"))
    })
}

/// Returns the configuration of one's own for the drill, so that its theme and keys are those that the hands know.
fn own(global: &Global) -> anyhow::Result<Option<Config>> {
    let path = setup::config_path(global)?;
    if !setup::is_drill(global)? || !path.exists() {
        return Ok(None);
    }
    match Config::load(&path) {
        Ok(config) => Ok(Some(config)),
        Err(error) => {
            tell!("stanch: note: the drill looks as usual: {error}");
            Ok(None)
        }
    }
}

fn depth(colour: Colour, get: impl Fn(&str) -> Option<String>) -> Depth {
    let plain = get("NO_COLOR").is_some_and(|value| !value.is_empty());
    match colour {
        Colour::Never => Depth::Mono,
        Colour::Auto if plain => Depth::Mono,
        Colour::Auto => Depth::of_environment(get),
        Colour::Always => Depth::of_environment(get).max(Depth::Sixteen),
        Colour::Sixteen => Depth::Sixteen,
        Colour::Palette => Depth::Palette,
        Colour::True => Depth::True,
    }
}

/// Returns the themes, with those in the folder `themes` beside the configuration file.
pub(super) fn themes(global: &Global) -> anyhow::Result<Themes> {
    read(&themes_folder(global)?)
}

fn themes_folder(global: &Global) -> anyhow::Result<PathBuf> {
    let config = setup::config_path(global)?;
    Ok(config.parent().unwrap_or(Path::new(".")).join("themes"))
}

/// Lists the themes, and what is hard to read in them.
pub fn list(global: &Global, out: &mut dyn Write) -> anyhow::Result<u8> {
    let themes = themes(global)?;
    let mut failed = false;
    let mut rows = Vec::new();
    for name in themes.names() {
        let read = themes.named(name).map(|theme| Theme::doubts(&theme));
        failed |= read.is_err();
        if !global.json {
            write_theme(name, &read, out)?;
            continue;
        }
        rows.push(match read {
            Ok(doubts) => serde_json::json!({"name": name, "doubts": doubts}),
            Err(error) => serde_json::json!({"name": name, "error": error.to_string()}),
        });
    }
    if global.json {
        writeln!(out, "{}", serde_json::Value::from(rows))?;
    }
    Ok(if failed { exit::FAILED } else { exit::DONE })
}

fn write_theme(
    name: &str,
    read: &Result<Vec<String>, ThemeError>,
    out: &mut dyn Write,
) -> std::io::Result<()> {
    match read {
        Ok(doubts) => {
            writeln!(out, "{name}")?;
            doubts
                .iter()
                .try_for_each(|doubt| writeln!(out, "  hard to read: {doubt}"))
        }
        Err(error) => writeln!(out, "{name}\n  cannot be used: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(Colour::Auto, "1", Depth::Mono)]
    #[case(Colour::Auto, "", Depth::Palette)]
    #[case(Colour::Always, "1", Depth::Palette)]
    #[case(Colour::Never, "", Depth::Mono)]
    #[case(Colour::True, "1", Depth::True)]
    #[case(Colour::Sixteen, "", Depth::Sixteen)]
    fn options_win_over_the_environment(
        #[case] colour: Colour,
        #[case] no_color: &str,
        #[case] want: Depth,
    ) {
        let got = depth(colour, |name| match name {
            "NO_COLOR" => Some(no_color.to_owned()),
            "TERM" => Some("xterm-256color".to_owned()),
            _ => None,
        });
        assert_eq!(got, want);
    }
}
