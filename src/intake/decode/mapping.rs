//! Declarative mappings: alert kinds described in TOML with jq filters.
//!
//! ```toml
//! kind = "acme_alert"                       # the format's name
//! title = "ACME detection service"
//! doc = "https://acme.example/api/alerts"   # where its fields are documented
//! detect = [["acmeVersion", "alert.id"], ["type=acme.*"]]   # any of the lists, all of its conditions
//!
//! [fields]                                  # each a jq filter; the first usable output counts
//! id = ".alert.id"
//! time = ".alert.at, .receivedAt"
//! title = ".alert.name"
//! severity = ".alert.level"
//! action = ".alert.rule"
//! identity = ".alert.principal"
//!
//! [severities]                              # only for words that are not the common ones
//! P1 = "critical"
//!
//! [[pattern]]
//! of = ".alert.rule"
//! table = { "token.reuse" = "token_replay", "secret.*" = "secret_read" }
//!
//! [[sample]]                                # checked whenever the mapping is loaded
//! input = '{"acmeVersion":1,"alert":{"id":"a1","at":"2026-01-02T03:04:05Z","name":"Reuse","rule":"token.reuse"}}'
//! expect = { id = "a1", time = "2026-01-02T03:04:05Z", title = "Reuse", pattern = "token_replay" }
//! ```
//!
//! A condition of `detect` is a path that must be there, `!path` for one that must not, or `path=value`, where one `*`
//! stands for anything. Filters see the whole object as `.`, and what `[parse.NAME]` read out of a text as `$NAME`.

mod check;
mod paths;
mod quick;
mod run;
mod shipped;
mod spec;
mod values;

use std::collections::BTreeMap;
use std::sync::OnceLock;

pub use check::MappingError;
#[cfg(test)]
pub(super) use check::field_of;
pub(super) use shipped::shipped;

use super::fields;
use super::pattern::glob;
use super::registry::{KindInfo, Results};
use super::{Origin, Undecodable};
use crate::domain::vocabulary::{ActionPattern, IdentityKind, Severity};
use crate::intake::json::{Json, Keys};
use crate::jq::{Filter, JqError};

/// One mapping, checked.
#[derive(Debug)]
pub struct Mapping {
    spec: spec::Spec,
    detect: Vec<Vec<Condition>>,
    severities: Vec<(String, Severity)>,
    scale: Vec<(f64, Severity)>,
    identity_kinds: Vec<(String, IdentityKind)>,
    patterns: Vec<Vec<(String, ActionPattern)>>,
    filters: OnceLock<Result<Filters, String>>,
}

/// The filters, compiled when the kind is met first: that costs milliseconds, and most kinds are never met.
#[derive(Debug)]
struct Filters {
    each: Option<Compiled>,
    parse: Vec<(Compiled, spec::Parse)>,
    fields: BTreeMap<&'static str, Field>,
    patterns: Vec<Compiled>,
}

/// A filter, with the quick way through it where there is one.
#[derive(Debug)]
struct Compiled {
    quick: Option<quick::Quick>,
    filter: Filter,
}

/// How a field is found.
#[derive(Debug)]
enum Field {
    Paths { paths: paths::Paths, source: String },
    Filter(Compiled),
}

impl Field {
    fn source(&self) -> &str {
        match self {
            Self::Paths { source, .. } => source,
            Self::Filter(compiled) => compiled.filter.source(),
        }
    }
}

#[derive(Debug)]
enum Condition {
    Has(String),
    Lacks(String),
    Equals(String, String),
}

impl Condition {
    fn parse(text: &str) -> Self {
        match (text.strip_prefix('!'), text.split_once('=')) {
            (Some(path), _) => Self::Lacks(path.trim().to_owned()),
            (None, Some((path, value))) => {
                Self::Equals(path.trim().to_owned(), value.trim().to_owned())
            }
            (None, None) => Self::Has(text.trim().to_owned()),
        }
    }

    /// Tells whether it may hold, had a value on the way not the wrong type.
    fn may_hold(&self, value: &Json<'_>) -> bool {
        match self {
            Self::Has(path) => fields::may_have(value, path),
            Self::Lacks(path) => !fields::has(value, path),
            Self::Equals(path, _) => {
                self.holds(value, &Keys::of(value)) || fields::is_mistyped(value, path)
            }
        }
    }

    fn holds(&self, value: &Json<'_>, keys: &Keys) -> bool {
        match self {
            Self::Has(path) => keys.may_begin(path) && fields::has(value, path),
            Self::Lacks(path) => !(keys.may_begin(path) && fields::has(value, path)),
            Self::Equals(path, wanted) => {
                keys.may_begin(path)
                    && fields::id_at(value, path).is_some_and(|found| glob(wanted, &found))
            }
        }
    }
}

impl Mapping {
    /// Reads a mapping and checks it: its words, its filters, and that its samples decode to what they expect.
    pub fn load(text: &str) -> Result<Self, MappingError> {
        let mapping = Self::parse(text)?;
        check::samples(&mapping)?;
        Ok(mapping)
    }

    /// Reads a mapping and checks its words, not its filters.
    pub(super) fn parse(text: &str) -> Result<Self, MappingError> {
        check::parse(text)
    }

    /// Returns the format's name.
    pub fn kind(&self) -> &str {
        &self.spec.kind
    }

    /// Returns what is known about it.
    pub fn info(&self) -> KindInfo {
        KindInfo {
            names: vec![self.spec.kind.clone()],
            title: self.spec.title.clone(),
            doc: self.spec.doc.clone(),
            is_mapping: true,
        }
    }

    /// Returns the keys whose values are secrets, wherever they stand.
    pub(super) fn secrets(&self) -> &[String] {
        &self.spec.secrets
    }

    /// Tells whether an object is of this kind.
    pub(super) fn detects(&self, value: &Json<'_>, keys: &Keys) -> bool {
        self.detect
            .iter()
            .any(|all| all.iter().all(|condition| condition.holds(value, keys)))
    }

    /// Tells whether an object would be of this kind, had a value in it not the wrong type.
    pub(super) fn may_detect(&self, value: &Json<'_>) -> bool {
        self.detect
            .iter()
            .any(|all| all.iter().all(|condition| condition.may_hold(value)))
    }

    /// Decodes an object.
    pub(super) fn decode(&self, value: &Json<'_>, origin: &Origin<'_>) -> Results {
        match self.filters() {
            Ok(filters) => run::decode(self, filters, value, origin),
            Err(problem) => vec![Err(Undecodable::Mapping {
                kind: self.spec.kind.clone(),
                field: "filters".to_owned(),
                problem: problem.clone(),
            })],
        }
    }

    fn filters(&self) -> Result<&Filters, &String> {
        let compiled = self.filters.get_or_init(|| {
            self.compile()
                .map_err(|(field, error)| format!("{field}: {error}"))
        });
        compiled.as_ref()
    }

    fn compile(&self) -> Result<Filters, (String, JqError)> {
        let names: Vec<&str> = self.spec.parse.keys().map(String::as_str).collect();
        let compile = |field: &str, source: &str, vars: &[&str]| {
            let filter = Filter::compile(source, vars);
            Ok(Compiled {
                filter: filter.map_err(|error| (field.to_owned(), error))?,
                quick: quick::Quick::read(source, vars),
            })
        };
        let each = self.spec.each.as_deref();
        let mut fields = BTreeMap::new();
        for (name, source) in self.spec.fields.listed() {
            let field = match paths::Paths::parse(source) {
                Some(paths) => Field::Paths {
                    paths,
                    source: source.trim().to_owned(),
                },
                None => Field::Filter(compile(name, source, &names)?),
            };
            fields.insert(name, field);
        }
        Ok(Filters {
            each: each
                .map(|source| compile("each", source, &[]))
                .transpose()?,
            parse: self
                .spec
                .parse
                .iter()
                .map(|(name, parse)| Ok((compile(name, &parse.from, &[])?, parse.clone())))
                .collect::<Result<_, _>>()?,
            fields,
            patterns: self
                .spec
                .pattern
                .iter()
                .map(|pattern| compile("pattern", &pattern.of, &names))
                .collect::<Result<_, _>>()?,
        })
    }
}

/// Returns the messages of a mapping's samples.
#[cfg(test)]
pub(super) fn samples_of(text: &str) -> Vec<String> {
    let mapping = Mapping::parse(text);
    let samples = mapping.map(|m| m.spec.sample).unwrap_or_default();
    samples.into_iter().map(|s| s.input).collect()
}

#[cfg(test)]
mod tests;
