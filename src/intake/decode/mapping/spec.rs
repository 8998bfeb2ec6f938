//! The TOML of a mapping.

use std::collections::BTreeMap;

use serde::Deserialize;

/// One file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Spec {
    /// Name of the format: lower-case letters, digits and `_`.
    pub kind: String,
    /// What sends it.
    pub title: String,
    /// Where its fields are documented.
    pub doc: String,
    /// Alternatives of conditions that all hold.
    pub detect: Vec<Vec<String>>,
    /// Whether keys such as `a.b` are read as `b` inside `a`.
    #[serde(default)]
    pub nest: bool,
    /// Filter that yields the objects which are one alert each.
    pub each: Option<String>,
    /// Texts that hold more fields.
    #[serde(default)]
    pub parse: BTreeMap<String, Parse>,
    /// Where everything stands.
    pub fields: FieldFilters,
    /// Words of the source's severity.
    #[serde(default)]
    pub severities: BTreeMap<String, String>,
    /// Numbers of the source's severity: from this number on, this word.
    #[serde(default)]
    pub severity_scale: Vec<(f64, String)>,
    /// Words of the source for kinds of identities.
    #[serde(default)]
    pub identity_kinds: BTreeMap<String, String>,
    /// What the alert stands for; all that fit are signals, the first is the pattern.
    #[serde(default)]
    pub pattern: Vec<Pattern>,
    /// Keys whose values are secrets.
    #[serde(default)]
    pub secrets: Vec<String>,
    /// Examples with what they must decode to.
    pub sample: Vec<Sample>,
}

/// A text that holds more fields.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Parse {
    /// Filter that yields the text.
    pub from: String,
    /// How it is written.
    #[serde(rename = "as")]
    pub how: How,
}

/// How a text holds fields.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub(super) enum How {
    /// One JSON value.
    Json,
    /// `key=value` and `key="value"`, separated by commas or blanks.
    KeyValues,
}

/// Filters by field.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct FieldFilters {
    pub id: Option<String>,
    pub key: Option<String>,
    pub recipe: Option<String>,
    pub time: Option<String>,
    pub exposed_at: Option<String>,
    pub title: Option<String>,
    pub severity: Option<String>,
    pub severity_rule: Option<String>,
    pub confidence: Option<String>,
    pub action: Option<String>,
    pub resource: Option<String>,
    pub resource_kind: Option<String>,
    pub identity: Option<String>,
    pub identity_name: Option<String>,
    pub identity_kind: Option<String>,
    pub provider: Option<String>,
    pub candidates: Option<String>,
    pub url: Option<String>,
    pub incident: Option<String>,
    pub techniques: Option<String>,
}

impl FieldFilters {
    /// Lists the filters that are there, with their names.
    pub fn listed(&self) -> impl Iterator<Item = (&'static str, &str)> {
        [
            ("id", &self.id),
            ("key", &self.key),
            ("recipe", &self.recipe),
            ("time", &self.time),
            ("exposed_at", &self.exposed_at),
            ("title", &self.title),
            ("severity", &self.severity),
            ("severity_rule", &self.severity_rule),
            ("confidence", &self.confidence),
            ("action", &self.action),
            ("resource", &self.resource),
            ("resource_kind", &self.resource_kind),
            ("identity", &self.identity),
            ("identity_name", &self.identity_name),
            ("identity_kind", &self.identity_kind),
            ("provider", &self.provider),
            ("candidates", &self.candidates),
            ("url", &self.url),
            ("incident", &self.incident),
            ("techniques", &self.techniques),
        ]
        .into_iter()
        .filter_map(|(name, filter)| Some((name, filter.as_deref()?)))
    }
}

/// One way to tell the pattern.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Pattern {
    /// Filter whose outputs are looked up.
    pub of: String,
    /// Names and what they stand for; one `*` stands for anything, the longest fitting name counts.
    #[serde(default)]
    pub table: BTreeMap<String, String>,
    /// A shared table to ask after the own one.
    pub vocabulary: Option<Vocabulary>,
}

/// Shared tables.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub(super) enum Vocabulary {
    /// ATT&CK technique ids.
    Techniques,
    /// Names of calls as audit logs write them.
    Operations,
    /// Finding types of GuardDuty and Security Hub.
    FindingTypes,
}

/// An example.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Sample {
    /// The message, as JSON text.
    pub input: String,
    /// Fields of the alert with the values they must have.
    pub expect: BTreeMap<String, toml::Value>,
}
