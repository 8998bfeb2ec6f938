//! Whether what a theme shows can be read: contrast as WCAG 2.2 reckons it.

use ratatui::style::{Color, Modifier};

use super::{ROLES, Role, Theme};

/// The least contrast of text that is read (WCAG 2.2, success criterion 1.4.3).
pub const LEAST_CONTRAST: f64 = 4.5;

/// The least of lines, which are not read (success criterion 1.4.11).
const LEAST_LINE: f64 = 3.0;

impl Theme {
    /// Returns what is hard to read in it, in words; empty when nothing is. Colours by name and those over the terminal's
    /// own background cannot be reckoned with: what they look like is up to the terminal.
    pub fn doubts(&self) -> Vec<String> {
        let base = self.style(Role::Base);
        let mut doubts = Vec::new();
        let behind = [
            ("base", base.bg),
            ("selected", self.style(Role::Selected).bg),
        ];
        for (name, role) in ROLES {
            let style = self.style(*role);
            let least = match role {
                Role::Border => LEAST_LINE,
                _ => LEAST_CONTRAST,
            };
            let own = style.bg.map(|bg| (*name, Some(bg)));
            let grounds = own.map_or_else(|| behind.to_vec(), |own| vec![own]);
            for (ground, bg) in grounds {
                let Some(ratio) = ratio(style.fg.or(base.fg), bg) else {
                    continue;
                };
                if ratio < least {
                    doubts.push(format!(
                        "`{name}` on `{ground}` has a contrast of {ratio:.1}, less than {least}"
                    ));
                }
            }
            if base.bg.is_none() && matches!(style.fg, Some(Color::Rgb(..))) && style.bg.is_none() {
                doubts.push(format!(
                    "`{name}` has a colour of its own over the terminal's background, which may be any"
                ));
            }
        }
        let selected = self.style(Role::Selected);
        if selected.bg.is_none() && !selected.add_modifier.contains(Modifier::REVERSED) {
            doubts.push("`selected` has neither `reverse` nor a colour behind it".to_owned());
        }
        doubts
    }
}

/// Returns the contrast of two colours, 1 to 21; nothing where one is the terminal's.
pub(super) fn ratio(text: Option<Color>, ground: Option<Color>) -> Option<f64> {
    let (a, b) = (luminance(text?)?, luminance(ground?)?);
    Some((a.max(b) + 0.05) / (a.min(b) + 0.05))
}

fn luminance(colour: Color) -> Option<f64> {
    let [r, g, b] = linear(colour)?;
    Some(0.2126 * r + 0.7152 * g + 0.0722 * b)
}

/// Returns the parts of a colour as amounts of light, 0 to 1 (IEC 61966-2-1).
pub(super) fn linear(colour: Color) -> Option<[f64; 3]> {
    let Color::Rgb(r, g, b) = colour else {
        return None;
    };
    Some([r, g, b].map(|part| {
        let part = f64::from(part) / 255.0;
        if part <= 0.040_45 {
            part / 12.92
        } else {
            ((part + 0.055) / 1.055).powf(2.4)
        }
    }))
}
