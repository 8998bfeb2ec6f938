//! Checking a mapping when it is loaded.

use jiff::Timestamp;
use toml::Value;

use super::spec::Spec;
use super::{Condition, Mapping, Origin};
use crate::domain::alert::Alert;
use crate::domain::digest::Digest;
use crate::domain::text::show;
use crate::domain::vocabulary::{ActionPattern, IdentityKind, Severity};
use crate::intake::decode::envelope::Envelope;
use crate::intake::json::{self, Keys};

/// Why a mapping cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum MappingError {
    /// Not TOML, an unknown key or a wrong type.
    #[error("not a mapping: {0}")]
    Syntax(String),
    /// A name or word that nobody knows.
    #[error("{place}: `{word}` is no {what}; {way_out}")]
    Word {
        /// Where.
        place: String,
        /// The word, made visible.
        word: String,
        /// What it should be.
        what: &'static str,
        /// What to write instead.
        way_out: String,
    },
    /// Something that must be there is not.
    #[error("{0}")]
    Missing(&'static str),
    /// A filter that is not accepted.
    #[error("{0}")]
    Filter(String),
    /// A sample that does not decode to what it expects.
    #[error("sample {number}: {problem}")]
    Sample {
        /// Counted from 1.
        number: usize,
        /// What differs.
        problem: String,
    },
    /// Two mappings of the same name.
    #[error("`{0}` is mapped twice; give one of them another `kind`")]
    Twice(String),
}

/// Longest file read, in bytes.
const LONGEST: usize = 256 << 10;

/// Reads a mapping and checks its words.
pub(super) fn parse(text: &str) -> Result<Mapping, MappingError> {
    if text.len() > LONGEST {
        return Err(MappingError::Missing(
            "longer than the 256 KiB that a mapping may have",
        ));
    }
    let spec: Spec = toml::from_str(text).map_err(|e| MappingError::Syntax(e.to_string()))?;
    let is_name = |name: &str| {
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
        !name.is_empty() && name.len() <= 64 && name.bytes().all(plain)
    };
    if !is_name(&spec.kind) {
        return Err(word(
            "kind",
            &spec.kind,
            "format name",
            "use lower-case letters, digits and `_`",
        ));
    }
    if let Some(name) = spec.parse.keys().find(|name| !is_name(name)) {
        return Err(word(
            "parse",
            name,
            "variable name",
            "use lower-case letters, digits and `_`",
        ));
    }
    if spec.detect.iter().all(Vec::is_empty) {
        return Err(MappingError::Missing(
            "`detect` is empty; name paths by which the kind is told",
        ));
    }
    if spec.sample.is_empty() {
        return Err(MappingError::Missing(
            "there is no `[[sample]]`; add a message and what it means",
        ));
    }
    let severities = table(
        &spec.severities,
        "severities",
        "severity",
        Severity::parse,
        Severity::ALL,
        Severity::as_str,
    )?;
    let identity_kinds = table(
        &spec.identity_kinds,
        "identity_kinds",
        "identity kind",
        IdentityKind::parse,
        IdentityKind::ALL,
        IdentityKind::as_str,
    )?;
    let mut patterns = Vec::new();
    for pattern in &spec.pattern {
        patterns.push(table(
            &pattern.table,
            "pattern",
            "action pattern",
            ActionPattern::parse,
            ActionPattern::ALL,
            ActionPattern::as_str,
        )?);
    }
    let mut scale = Vec::new();
    for (from, name) in &spec.severity_scale {
        let severity = Severity::parse(name).ok_or_else(|| {
            word(
                "severity_scale",
                name,
                "severity",
                &listed(Severity::ALL, Severity::as_str),
            )
        })?;
        scale.push((*from, severity));
    }
    scale.sort_by(|a, b| a.0.total_cmp(&b.0));
    let detect = spec
        .detect
        .iter()
        .filter(|all| !all.is_empty())
        .map(|all| all.iter().map(|c| Condition::parse(c)).collect())
        .collect();
    Ok(Mapping {
        detect,
        severities,
        scale,
        identity_kinds,
        patterns,
        filters: std::sync::OnceLock::new(),
        spec,
    })
}

/// Reads a table of words; exact names come before those with `*`, longer ones before shorter ones.
fn table<T: Copy + 'static>(
    words: &std::collections::BTreeMap<String, String>,
    place: &'static str,
    what: &'static str,
    parse: fn(&str) -> Option<T>,
    all: &[T],
    as_str: fn(T) -> &'static str,
) -> Result<Vec<(String, T)>, MappingError> {
    let mut rows = Vec::new();
    for (name, meaning) in words {
        let found = parse(meaning).ok_or_else(|| {
            let names: Vec<&str> = all.iter().map(|&t| as_str(t)).collect();
            word(
                place,
                meaning,
                what,
                &format!("use one of {}", names.join(", ")),
            )
        })?;
        rows.push((name.clone(), found));
    }
    rows.sort_by_key(|(name, _)| (name.contains('*'), std::cmp::Reverse(name.len())));
    Ok(rows)
}

fn listed<T: Copy>(all: &[T], as_str: fn(T) -> &'static str) -> String {
    let names: Vec<&str> = all.iter().map(|&t| as_str(t)).collect();
    format!("use one of {}", names.join(", "))
}

fn word(place: &str, word: &str, what: &'static str, way_out: &str) -> MappingError {
    MappingError::Word {
        place: place.to_owned(),
        word: show(word).into_owned(),
        what,
        way_out: way_out.to_owned(),
    }
}

/// Compiles the filters and decodes the samples.
pub(super) fn samples(mapping: &Mapping) -> Result<(), MappingError> {
    mapping
        .filters()
        .map_err(|problem| MappingError::Filter(problem.clone()))?;
    for (index, sample) in mapping.spec.sample.iter().enumerate() {
        let fail = |problem: String| MappingError::Sample {
            number: index + 1,
            problem,
        };
        let value = json::parse(sample.input.trim()).map_err(|e| fail(e.to_string()))?;
        if !mapping.detects(&value, &Keys::of(&value)) {
            return Err(fail("`detect` does not recognise it".to_owned()));
        }
        let origin = Origin {
            source: "sample",
            observed: Timestamp::UNIX_EPOCH,
            raw_sha256: Digest::default(),
            place: None,
            envelope: Envelope::default(),
        };
        let first = mapping.decode(&value, &origin).into_iter().next();
        let decoded = match first {
            Some(Ok(decoded)) => decoded,
            Some(Err(reason)) => return Err(fail(reason.to_string())),
            None => return Err(fail("it gives no alert".to_owned())),
        };
        for (field, want) in &sample.expect {
            let found = field_of(&decoded.alert, field)
                .ok_or_else(|| fail(format!("`{}` is no field to expect", show(field))))?;
            let want = match want {
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            if found != want {
                return Err(fail(format!(
                    "`{field}` is `{}`, not `{}`",
                    show(&found),
                    show(&want)
                )));
            }
        }
    }
    Ok(())
}

/// Returns a field as samples write it; empty when it is absent.
pub(in crate::intake::decode) fn field_of(alert: &Alert, field: &str) -> Option<String> {
    let subject = alert.subject.as_ref();
    Some(match field {
        "format" => alert.format.to_string(),
        "exposed_at" => alert.exposed_at.map(|t| t.to_string()).unwrap_or_default(),
        "id" => alert.own_id().to_owned(),
        "key" => {
            let key = alert.id.as_str().strip_prefix(&*alert.source);
            key.and_then(|k| k.strip_prefix('/'))
                .unwrap_or_default()
                .to_owned()
        }
        "time" => alert.time.map(|t| t.to_string()).unwrap_or_default(),
        "title" => alert.title.raw().to_owned(),
        "severity" => alert.severity.map_or("", Severity::as_str).to_owned(),
        "severity_raw" => {
            let raw = alert.severity_raw.as_ref().map_or("", |s| s.raw());
            let text = serde_json::from_str::<String>(raw);
            text.unwrap_or_else(|_| raw.to_owned())
        }
        "confidence" => alert.confidence.map(|c| c.to_string()).unwrap_or_default(),
        "pattern" => alert.pattern.as_str().to_owned(),
        "identity" => subject.map_or("", |s| s.native_id.raw()).to_owned(),
        "identity_kind" => subject.map_or("", |s| s.kind.as_str()).to_owned(),
        "identity_name" => subject
            .and_then(|s| s.name.as_ref())
            .map_or("", |n| n.raw())
            .to_owned(),
        "provider" => subject.map_or("", |s| s.provider.raw()).to_owned(),
        "candidate" => alert
            .candidates
            .first()
            .map_or("", |s| s.native_id.raw())
            .to_owned(),
        "resource" => alert
            .resource
            .as_ref()
            .map_or("", |r| r.id.raw())
            .to_owned(),
        "resource_kind" => alert
            .resource
            .as_ref()
            .map_or("", |r| r.kind.raw())
            .to_owned(),
        "action" => alert.action.as_ref().map_or("", |a| a.raw()).to_owned(),
        "url" => alert
            .evidence_url
            .as_ref()
            .map_or("", |u| u.raw())
            .to_owned(),
        "incident" => alert.incident.as_ref().map_or("", |i| i.raw()).to_owned(),
        "technique" => alert.techniques.first().map_or("", |t| t.raw()).to_owned(),
        _ => return None,
    })
}
