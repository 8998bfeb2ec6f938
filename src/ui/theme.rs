//! Styles by meaning. This is the only place that names a colour.
//!
//! A theme is a TOML file of role to words: a colour by name, by `#rrggbb` or from the file's own `[palette]`; `on` and a
//! colour behind the text; any of `bold`, `dim`, `underline`, `reverse`. What it leaves out comes from the theme that it
//! `inherits`, without one from `base`.

mod contrast;
mod depth;

use std::collections::BTreeMap;

use ratatui::style::{Color, Modifier, Style};

pub use contrast::LEAST_CONTRAST;
pub use depth::Depth;

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

/// How many themes may inherit from one another.
const DEEPEST: usize = 8;

/// Why a theme cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ThemeError {
    /// There is no theme of that name.
    #[error("there is no theme `{0}`; have: {1}")]
    Unknown(String, String),
    /// Not TOML, or a value that is no text.
    #[error("cannot read theme `{0}`: {1}")]
    Syntax(String, toml::de::Error),
    /// A role that does not exist.
    #[error("theme `{theme}` has a role `{role}` that does not exist; have: {names}", names = role_names())]
    Role {
        /// Which theme.
        theme: String,
        /// Which role.
        role: String,
    },
    /// A word that is no colour and no attribute.
    #[error(
        "theme `{theme}`, role `{role}`: `{word}` is no colour, no name of the palette and no attribute (bold, dim, underline, reverse)"
    )]
    Word {
        /// Which theme.
        theme: String,
        /// Where.
        role: String,
        /// Which word.
        word: String,
    },
    /// Themes that inherit from each other in a ring.
    #[error("theme `{0}` inherits from itself, or through more than {DEEPEST} others")]
    Ring(String),
}

fn role_names() -> String {
    let names: Vec<&str> = ROLES.iter().map(|(name, _)| *name).collect();
    names.join(", ")
}

/// A set of styles.
#[derive(Clone, Debug)]
pub struct Theme {
    styles: BTreeMap<Role, Style>,
}

const EMBEDDED: &[(&str, &str)] = &[
    ("terminal", include_str!("../../themes/terminal.toml")),
    ("dark", include_str!("../../themes/dark.toml")),
    ("light", include_str!("../../themes/light.toml")),
    (
        "high-contrast",
        include_str!("../../themes/high-contrast.toml"),
    ),
    (
        "deuteranopia",
        include_str!("../../themes/deuteranopia.toml"),
    ),
    ("mono", include_str!("../../themes/mono.toml")),
];

/// The themes that can be chosen: those inside the program and those of the user, which win.
#[derive(Clone, Debug, Default)]
pub struct Themes {
    own: BTreeMap<String, String>,
}

/// A theme's file as it is written.
#[derive(serde::Deserialize)]
struct File {
    #[serde(default)]
    inherits: Option<String>,
    #[serde(default)]
    palette: BTreeMap<String, String>,
    #[serde(flatten)]
    roles: BTreeMap<String, String>,
}

impl Themes {
    /// Takes the user's themes by name, as TOML.
    pub const fn new(own: BTreeMap<String, String>) -> Self {
        Self { own }
    }

    /// Returns all names: the embedded ones first, each once.
    pub fn names(&self) -> Vec<&str> {
        let embedded = EMBEDDED.iter().map(|(name, _)| *name);
        let own = self.own.keys().map(String::as_str);
        embedded
            .chain(own.filter(|name| text_of(name).is_none()))
            .collect()
    }

    /// Reads a theme with all that it inherits.
    ///
    /// # Errors
    /// If there is none of that name, or its file or one that it inherits has a mistake.
    pub fn named(&self, name: &str) -> Result<Theme, ThemeError> {
        self.read(name, DEEPEST)
    }

    fn read(&self, name: &str, left: usize) -> Result<Theme, ThemeError> {
        let left = left
            .checked_sub(1)
            .ok_or_else(|| ThemeError::Ring(name.to_owned()))?;
        let own = self.own.get(name).map(String::as_str);
        let text = own
            .or_else(|| text_of(name))
            .ok_or_else(|| ThemeError::Unknown(name.to_owned(), self.names().join(", ")))?;
        let file: File =
            toml::from_str(text).map_err(|error| ThemeError::Syntax(name.to_owned(), error))?;
        let mut theme = match &file.inherits {
            // A theme of one's own may go by the name of the embedded one that it changes a little.
            Some(parent) if parent == name && own.is_some() => {
                Self::default().read(parent, left)?
            }
            Some(parent) => self.read(parent, left)?,
            None => Theme {
                styles: BTreeMap::new(),
            },
        };
        for (role_name, words) in &file.roles {
            let found = ROLES.iter().find(|(known, _)| known == role_name);
            let (_, role) = found.ok_or_else(|| ThemeError::Role {
                theme: name.to_owned(),
                role: role_name.clone(),
            })?;
            let style = style(words, &file.palette).map_err(|word| ThemeError::Word {
                theme: name.to_owned(),
                role: role_name.clone(),
                word,
            })?;
            theme.styles.insert(*role, style);
        }
        Ok(theme)
    }
}

fn text_of(name: &str) -> Option<&'static str> {
    let found = EMBEDDED.iter().find(|(n, _)| *n == name);
    found.map(|(_, text)| *text)
}

impl Theme {
    /// Finds an embedded theme.
    ///
    /// # Errors
    /// If there is none of that name.
    pub fn named(name: &str) -> Result<Self, ThemeError> {
        Themes::default().named(name)
    }

    /// Returns the style of a meaning.
    pub fn style(&self, role: Role) -> Style {
        self.styles.get(&role).copied().unwrap_or_default()
    }

    /// Returns the style of a meaning in a row of a list, which may be the row of the cursor. Where that one is reversed,
    /// only what is bold or underlined stays of the meaning: a colour would stand as a patch behind its words, and what is
    /// dim cannot be read.
    pub fn row(&self, role: Role, is_selected: bool) -> Style {
        let (under, over) = (self.style(role), self.style(Role::Selected));
        if !is_selected {
            return under;
        }
        if matches!(role, Role::Muted | Role::Base) {
            return over;
        }
        if !over.add_modifier.contains(Modifier::REVERSED) {
            return under.patch(over);
        }
        let kept = under.add_modifier & (Modifier::BOLD | Modifier::UNDERLINED);
        over.add_modifier(kept)
    }

    /// Returns the theme in the colours that a terminal has. All colours come from themes, so nothing has to be reduced
    /// frame by frame.
    #[must_use]
    pub fn reduced(&self, depth: Depth) -> Self {
        let styles = self.styles.iter();
        let styles = styles.map(|(role, style)| (*role, depth.style(*style)));
        let mut theme = Self {
            styles: styles.collect(),
        };
        // `base` is behind everything, so it says nothing by being reversed.
        if let Some(base) = theme.styles.get_mut(&Role::Base) {
            base.add_modifier.remove(Modifier::REVERSED);
        }
        let ground = theme.style(Role::Base).bg;
        if let Some(selected) = theme.styles.get_mut(&Role::Selected)
            && selected.bg == ground
        {
            selected.bg = None;
            selected.add_modifier.insert(Modifier::REVERSED);
        }
        theme
    }
}

/// Reads the words of a style; the word that says nothing on failure.
fn style(words: &str, palette: &BTreeMap<String, String>) -> Result<Style, String> {
    let mut style = Style::new();
    let mut behind = false;
    for word in words.split_whitespace() {
        style = match word {
            "on" if !behind => {
                behind = true;
                continue;
            }
            "bold" => style.add_modifier(Modifier::BOLD),
            "dim" => style.add_modifier(Modifier::DIM),
            "underline" => style.add_modifier(Modifier::UNDERLINED),
            "reverse" => style.add_modifier(Modifier::REVERSED),
            _ => {
                let named = palette.get(word).map_or(word, String::as_str);
                let colour: Color = named.parse().map_err(|_| word.to_owned())?;
                if behind {
                    style.bg(colour)
                } else {
                    style.fg(colour)
                }
            }
        };
        behind = false;
    }
    if behind {
        return Err("on".to_owned());
    }
    Ok(style)
}

#[cfg(test)]
mod tests;
