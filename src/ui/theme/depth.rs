//! How many colours a terminal has, and a style in as many.

use anstyle::{Ansi256Color, AnsiColor, RgbColor};
use anstyle_lossy::palette::VGA;
use anstyle_lossy::{rgb_to_ansi, rgb_to_xterm, xterm_to_ansi};
use ratatui::style::{Color, Modifier, Style};

/// How many colours a terminal shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Depth {
    /// None: bold, reverse and underline remain.
    Mono,
    /// The 16 of its own palette.
    Sixteen,
    /// The 256 of xterm.
    Palette,
    /// 24 bits.
    True,
}

impl Depth {
    /// Tells from the environment, without asking the terminal, whose answer could come as keystrokes.
    ///
    /// GNU screen (`STY`) reduces 24-bit colours to wrong ones even where `COLORTERM` was inherited from the terminal
    /// around it, so it gets 256.
    pub fn of_environment(get: impl Fn(&str) -> Option<String>) -> Self {
        let term = get("TERM").unwrap_or_default();
        if term == "dumb" {
            return Self::Mono;
        }
        let in_screen = get("STY").is_some_and(|sty| !sty.is_empty());
        let colorterm = get("COLORTERM").unwrap_or_default();
        if matches!(colorterm.as_str(), "truecolor" | "24bit") || term.ends_with("-direct") {
            return if in_screen { Self::Palette } else { Self::True };
        }
        if term.contains("256color") || in_screen {
            return Self::Palette;
        }
        Self::Sixteen
    }

    /// Returns a style with its colours brought down to this depth. Names of the 16 colours stay, as they are what the
    /// terminal's own palette says. A colour behind the text becomes `reverse` where there are none.
    pub fn style(self, style: Style) -> Style {
        let style = match (self, style.bg) {
            (Self::Mono, Some(_)) => style.add_modifier(Modifier::REVERSED),
            _ => style,
        };
        Style {
            fg: style.fg.and_then(|colour| self.colour(colour)),
            bg: style.bg.and_then(|colour| self.colour(colour)),
            ..style
        }
    }

    fn colour(self, colour: Color) -> Option<Color> {
        match (self, colour) {
            (Self::Mono, _) => None,
            (Self::Palette, Color::Rgb(r, g, b)) => {
                Some(Color::Indexed(rgb_to_xterm(RgbColor(r, g, b)).0))
            }
            (Self::Sixteen, Color::Rgb(r, g, b)) => {
                Some(named(rgb_to_ansi(RgbColor(r, g, b), VGA)))
            }
            (Self::Sixteen, Color::Indexed(index)) => {
                Some(named(xterm_to_ansi(Ansi256Color(index), VGA)))
            }
            (_, same) => Some(same),
        }
    }
}

const fn named(colour: AnsiColor) -> Color {
    match colour {
        AnsiColor::Black => Color::Black,
        AnsiColor::Red => Color::Red,
        AnsiColor::Green => Color::Green,
        AnsiColor::Yellow => Color::Yellow,
        AnsiColor::Blue => Color::Blue,
        AnsiColor::Magenta => Color::Magenta,
        AnsiColor::Cyan => Color::Cyan,
        AnsiColor::White => Color::Gray,
        AnsiColor::BrightBlack => Color::DarkGray,
        AnsiColor::BrightRed => Color::LightRed,
        AnsiColor::BrightGreen => Color::LightGreen,
        AnsiColor::BrightYellow => Color::LightYellow,
        AnsiColor::BrightBlue => Color::LightBlue,
        AnsiColor::BrightMagenta => Color::LightMagenta,
        AnsiColor::BrightCyan => Color::LightCyan,
        AnsiColor::BrightWhite => Color::White,
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(&[("TERM", "dumb"), ("COLORTERM", "truecolor")], Depth::Mono)]
    #[case(&[("TERM", "linux")], Depth::Sixteen)]
    #[case(&[], Depth::Sixteen)]
    #[case(&[("TERM", "xterm-256color")], Depth::Palette)]
    #[case(&[("TERM", "tmux-256color"), ("COLORTERM", "truecolor")], Depth::True)]
    #[case(&[("TERM", "xterm"), ("COLORTERM", "24bit")], Depth::True)]
    #[case(&[("TERM", "xterm-direct")], Depth::True)]
    #[case(&[("TERM", "screen"), ("STY", "1.tty"), ("COLORTERM", "truecolor")], Depth::Palette)]
    fn the_environment_tells_the_depth(#[case] env: &[(&str, &str)], #[case] depth: Depth) {
        let get = |name: &str| {
            let found = env.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        assert_eq!(Depth::of_environment(get), depth);
    }

    #[rstest]
    #[case(Depth::True, Color::Rgb(255, 0, 0), Some(Color::Rgb(255, 0, 0)))]
    #[case(Depth::Palette, Color::Rgb(255, 0, 0), Some(Color::Indexed(196)))]
    #[case(Depth::Palette, Color::Red, Some(Color::Red))]
    #[case(Depth::Sixteen, Color::Rgb(250, 80, 80), Some(Color::LightRed))]
    #[case(Depth::Sixteen, Color::Indexed(196), Some(Color::Red))]
    #[case(Depth::Mono, Color::Red, None)]
    fn colours_come_down_to_the_depth(
        #[case] depth: Depth,
        #[case] colour: Color,
        #[case] want: Option<Color>,
    ) {
        let style = depth.style(Style::new().fg(colour).bg(colour));
        assert_eq!((style.fg, style.bg), (want, want));
    }
}
