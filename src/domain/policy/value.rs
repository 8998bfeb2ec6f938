//! What a condition works with: types, values, and the closed word lists behind them.

use std::borrow::Cow;
use std::fmt;

use crate::domain::graph::NodeKind;
use crate::domain::text::show;
use crate::domain::vocabulary::{ActionPattern, Criticality, Driver, IdentityKind, Severity};

/// A closed list of words without an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Words {
    /// [`ActionPattern`].
    Pattern,
    /// [`IdentityKind`].
    Kind,
    /// [`Driver`], without *unknown*.
    Driver,
    /// [`NodeKind`], as files spell it.
    Node,
}

impl Words {
    /// Returns the words.
    pub fn all(self) -> Vec<&'static str> {
        match self {
            Self::Pattern => ActionPattern::ALL.iter().map(|p| p.as_str()).collect(),
            Self::Kind => IdentityKind::ALL.iter().map(|k| k.as_str()).collect(),
            Self::Driver => [Driver::Human, Driver::Script, Driver::Autonomous]
                .iter()
                .map(|d| d.as_str())
                .collect(),
            Self::Node => NodeKind::ALL.iter().map(|k| node_word(*k)).collect(),
        }
    }
}

/// Returns how files spell a kind of node.
pub const fn node_word(kind: NodeKind) -> &'static str {
    match kind {
        NodeKind::SecretStore => "secret_store",
        NodeKind::RecoveryPath => "recovery_path",
        NodeKind::TrustBoundary => "trust_boundary",
        other => other.as_str(),
    }
}

/// A closed list of words in an order: compared with constants such as `severity.high`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ranks {
    /// [`Severity`].
    Severity,
    /// [`Criticality`].
    Criticality,
    /// How far an attacker may have come by what happened: `none` < `possible` < `exposed` < `used`.
    Exposure,
}

impl Ranks {
    /// All lists.
    pub const ALL: [Self; 3] = [Self::Severity, Self::Criticality, Self::Exposure];

    /// Returns the name under which its constants stand.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Severity => "severity",
            Self::Criticality => "criticality",
            Self::Exposure => "exposure",
        }
    }

    /// Returns the words, the lowest first.
    pub fn all(self) -> Vec<&'static str> {
        match self {
            Self::Severity => Severity::ALL.iter().map(|s| s.as_str()).collect(),
            Self::Criticality => Criticality::ALL.iter().map(|c| c.as_str()).collect(),
            Self::Exposure => vec!["none", "possible", "exposed", "used"],
        }
    }
}

/// The type of an expression.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// True or false.
    Bool,
    /// A whole number.
    Int,
    /// Free text.
    Text,
    /// One of a closed list of words.
    Word(Words),
    /// One of a closed list of words in an order.
    Rank(Ranks),
    /// A moment.
    Time,
    /// A length of time.
    Span,
    /// Several texts.
    Texts,
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool => f.pad("bool"),
            Self::Int => f.pad("whole number"),
            Self::Text => f.pad("text"),
            Self::Word(_) => f.pad("word"),
            Self::Rank(ranks) => f.pad(&format!("rank of {}", ranks.name())),
            Self::Time => f.pad("time"),
            Self::Span => f.pad("duration"),
            Self::Texts => f.pad("list of texts"),
        }
    }
}

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub enum Val<'f> {
    /// See [`Type::Bool`].
    Bool(bool),
    /// See [`Type::Int`].
    Int(i64),
    /// See [`Type::Text`] and [`Type::Word`].
    Text(Cow<'f, str>),
    /// See [`Type::Rank`]: the place in the list, from 0.
    Rank(Ranks, u8),
    /// See [`Type::Time`], in seconds since 1970.
    Time(i64),
    /// See [`Type::Span`], in seconds.
    Span(i64),
    /// See [`Type::Texts`].
    Texts(Vec<&'f str>),
}

impl<'f> Val<'f> {
    /// Makes a text.
    pub const fn text(text: &'f str) -> Self {
        Self::Text(Cow::Borrowed(text))
    }

    /// Tells whether it is of a type.
    pub const fn is(&self, ty: Type) -> bool {
        matches!(
            (self, ty),
            (Self::Bool(_), Type::Bool)
                | (Self::Int(_), Type::Int)
                | (Self::Text(_), Type::Text | Type::Word(_))
                | (Self::Rank(..), Type::Rank(_))
                | (Self::Time(_), Type::Time)
                | (Self::Span(_), Type::Span)
                | (Self::Texts(_), Type::Texts)
        )
    }

    /// Returns it as people read it, escaped and not longer than a line.
    pub fn shown(&self) -> String {
        /// Texts shown of a list.
        const TOLD: usize = 4;
        let quoted =
            |text: &str| format!("\"{}\"", crate::domain::text::fit(&show(text), 60, "..."));
        match self {
            Self::Bool(value) => value.to_string(),
            Self::Int(value) => value.to_string(),
            Self::Text(text) => quoted(text),
            Self::Rank(ranks, at) => ranks
                .all()
                .get(usize::from(*at))
                .map_or_else(String::new, |word| (*word).to_owned()),
            Self::Time(second) => jiff::Timestamp::from_second(*second)
                .map_or_else(|_| second.to_string(), |t| t.to_string()),
            Self::Span(seconds) => span_shown(*seconds),
            Self::Texts(texts) => {
                let told: Vec<String> = texts.iter().take(TOLD).map(|t| quoted(t)).collect();
                let more = match texts.len().saturating_sub(TOLD) {
                    0 => String::new(),
                    n => format!(", and {n} more"),
                };
                format!("[{}{more}]", told.join(", "))
            }
        }
    }
}

fn span_shown(seconds: i64) -> String {
    let sign = if seconds < 0 { "-" } else { "" };
    let s = seconds.unsigned_abs();
    let (h, m, s) = (s / 3_600, s % 3_600 / 60, s % 60);
    match (h, m, s) {
        (0, 0, s) => format!("{sign}{s}s"),
        (0, m, 0) => format!("{sign}{m}m"),
        (0, m, s) => format!("{sign}{m}m{s}s"),
        (h, 0, 0) => format!("{sign}{h}h"),
        (h, m, _) => format!("{sign}{h}h{m}m"),
    }
}

/// Returns the name that is most like `word`, if any is like it at all.
pub fn nearest<'n>(word: &str, names: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    /// Longest names compared: beyond it nobody mistyped one of ours.
    const LONGEST: usize = 64;
    if word.len() > LONGEST {
        return None;
    }
    let near = names
        .into_iter()
        .map(|name| (distance(word, name), name))
        .min_by_key(|(far, _)| *far);
    near.filter(|(far, name)| *far <= 1 + name.len().max(word.len()) / 3)
        .map(|(_, name)| name)
}

/// Edits between two words, two neighbours that changed places counting as one.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows = vec![(0..=b.len()).collect::<Vec<usize>>()];
    for i in 1..=a.len() {
        let mut row = vec![i; b.len() + 1];
        for j in 1..=b.len() {
            let same = usize::from(a[i - 1] != b[j - 1]);
            let mut best = (rows[i - 1][j] + 1)
                .min(row[j - 1] + 1)
                .min(rows[i - 1][j - 1] + same);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            row[j] = best;
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("sevrity", Some("severity"))]
    #[case("severiyt", Some("severity"))]
    #[case("patern", Some("pattern"))]
    #[case("zzzzzzzz", None)]
    fn a_mistyped_name_finds_its_neighbour(#[case] word: &str, #[case] want: Option<&str>) {
        assert_eq!(nearest(word, ["severity", "pattern", "confidence"]), want);
    }

    #[test]
    fn nodes_are_spelled_as_files_spell_them() {
        for kind in NodeKind::ALL {
            let word = serde_json::to_value(kind).unwrap();
            assert_eq!(word, node_word(kind));
        }
    }
}
