//! Styles by meaning. This is the only place that names a colour.

use std::collections::BTreeMap;

use ratatui::style::{Color, Modifier, Style};

/// A meaning that has a style. Every one of them is also a word or a mark on screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "each name is its meaning")]
pub enum Role {
    Base,
    Muted,
    Title,
    Border,
    BorderFocus,
    Selected,
    Critical,
    High,
    Medium,
    Low,
    Info,
    Good,
    Warn,
    Error,
    Banner,
    Key,
}

const ROLES: &[(&str, Role)] = &[
    ("base", Role::Base),
    ("muted", Role::Muted),
    ("title", Role::Title),
    ("border", Role::Border),
    ("border_focus", Role::BorderFocus),
    ("selected", Role::Selected),
    ("critical", Role::Critical),
    ("high", Role::High),
    ("medium", Role::Medium),
    ("low", Role::Low),
    ("info", Role::Info),
    ("good", Role::Good),
    ("warn", Role::Warn),
    ("error", Role::Error),
    ("banner", Role::Banner),
    ("key", Role::Key),
];

/// Why a theme cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ThemeError {
    /// There is no theme of that name.
    #[error("there is no theme `{0}`; have: {names}", names = names().join(", "))]
    Unknown(String),
    /// Not TOML.
    #[error("cannot read theme: {0}")]
    Syntax(#[from] toml::de::Error),
    /// A role that does not exist.
    #[error("theme has a role `{0}` that does not exist")]
    Role(String),
    /// A word that is no colour and no attribute.
    #[error("theme role `{role}`: `{word}` is no colour and no attribute")]
    Word {
        /// Where.
        role: String,
        /// Which word.
        word: String,
    },
}

/// A set of styles.
#[derive(Clone, Debug)]
pub struct Theme {
    styles: BTreeMap<Role, Style>,
}

const EMBEDDED: &[(&str, &str)] = &[
    ("terminal", include_str!("../../themes/terminal.toml")),
    ("mono", include_str!("../../themes/mono.toml")),
];

/// Returns the names of the embedded themes.
pub fn names() -> Vec<&'static str> {
    EMBEDDED.iter().map(|(name, _)| *name).collect()
}

impl Theme {
    /// Finds an embedded theme.
    pub fn named(name: &str) -> Result<Self, ThemeError> {
        let found = EMBEDDED.iter().find(|(n, _)| *n == name);
        let (_, text) = found.ok_or_else(|| ThemeError::Unknown(name.to_owned()))?;
        Self::parse(text)
    }

    /// Reads a theme: TOML of role to style words.
    pub fn parse(text: &str) -> Result<Self, ThemeError> {
        let words: BTreeMap<String, String> = toml::from_str(text)?;
        let mut styles = BTreeMap::new();
        for (name, value) in words {
            let role = ROLES
                .iter()
                .find(|(n, _)| *n == name)
                .map(|(_, role)| *role);
            let role = role.ok_or_else(|| ThemeError::Role(name.clone()))?;
            styles.insert(role, style(&name, &value)?);
        }
        Ok(Self { styles })
    }

    /// Returns the style of a meaning.
    pub fn style(&self, role: Role) -> Style {
        self.styles.get(&role).copied().unwrap_or_default()
    }
}

fn style(role: &str, words: &str) -> Result<Style, ThemeError> {
    let mut style = Style::new();
    for word in words.split_whitespace() {
        style = match word {
            "bold" => style.add_modifier(Modifier::BOLD),
            "dim" => style.add_modifier(Modifier::DIM),
            "underline" => style.add_modifier(Modifier::UNDERLINED),
            "reverse" => style.add_modifier(Modifier::REVERSED),
            _ => {
                let colour: Result<Color, _> = word.parse();
                let fail = |_| ThemeError::Word {
                    role: role.to_owned(),
                    word: word.to_owned(),
                };
                style.fg(colour.map_err(fail)?)
            }
        };
    }
    Ok(style)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_embedded_theme_defines_every_role() {
        for name in names() {
            let theme = Theme::named(name).unwrap();
            for (word, role) in ROLES {
                assert!(theme.styles.contains_key(role), "{name} lacks {word}");
            }
        }
    }

    #[test]
    fn mono_names_no_colour() {
        let mono = Theme::named("mono").unwrap();
        assert!(
            mono.styles
                .values()
                .all(|s| s.fg.is_none() && s.bg.is_none())
        );
    }

    #[test]
    fn mistakes_are_named() {
        assert!(
            Theme::parse("base = \"pinkish\"")
                .unwrap_err()
                .to_string()
                .contains("pinkish")
        );
        assert!(
            Theme::parse("glow = \"red\"")
                .unwrap_err()
                .to_string()
                .contains("glow")
        );
        assert!(
            Theme::named("x")
                .unwrap_err()
                .to_string()
                .contains("terminal")
        );
    }
}
