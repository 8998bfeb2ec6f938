//! Running a mapping on one object.

use std::borrow::Cow;
use std::cell::OnceCell;

use jiff::Timestamp;
use serde_json::Value;

use super::spec::{How, Vocabulary};
use super::{Compiled, Field, Filters, Mapping, values};
use crate::domain::alert::Subject;
use crate::domain::vocabulary::{ActionPattern, IdentityKind, Severity};
use crate::intake::decode::draft::Draft;
use crate::intake::decode::identity::subject;
use crate::intake::decode::pattern::{from_operation, from_technique, from_type, glob};
use crate::intake::decode::registry::Results;
use crate::intake::decode::{Decoded, Origin, Undecodable, severity};
use crate::intake::json::Json;
use crate::intake::time;
use crate::jq::{JqError, Val};

/// Most alerts that one object gives.
const MOST_EACH: usize = 1_000;

/// Decodes an object: one alert, or one for each object that `each` yields.
pub(super) fn decode(
    mapping: &Mapping,
    filters: &Filters,
    value: &Json<'_>,
    origin: &Origin<'_>,
) -> Results {
    let value = if mapping.spec.nest {
        Cow::Owned(values::nested(value))
    } else {
        Cow::Borrowed(value)
    };
    let Some(each) = &filters.each else {
        return vec![one(mapping, filters, &value, origin)];
    };
    let mut decoded = Results::new();
    let input = Input::new(&value);
    let listed = each.find(&input, |part| {
        let text = part.to_string();
        let part = crate::intake::json::parse(&text).ok()?;
        decoded.push(one(mapping, filters, &part, origin));
        (decoded.len() >= MOST_EACH).then_some(())
    });
    if let Err(error) = listed {
        decoded.push(Err(problem(mapping, "each", error.to_string())));
    }
    decoded
}

/// What filters run on. The interpreter's copy of it is made when it is first needed.
struct Input<'r> {
    value: &'r Json<'r>,
    vars: Vec<Json<'r>>,
    copy: OnceCell<(Val, Vec<Val>)>,
}

impl<'r> Input<'r> {
    const fn new(value: &'r Json<'r>) -> Self {
        Self {
            value,
            vars: Vec::new(),
            copy: OnceCell::new(),
        }
    }
}

impl Compiled {
    /// Runs it until `take` returns something for one of its outputs.
    fn find<T>(
        &self,
        input: &Input<'_>,
        mut take: impl FnMut(Value) -> Option<T>,
    ) -> Result<Option<T>, JqError> {
        let quick = self.quick.as_ref();
        if let Some(outputs) = quick.and_then(|quick| quick.run(input.value, &input.vars)) {
            return Ok(outputs.into_iter().find_map(take));
        }
        let (value, vars) = input.copy.get_or_init(|| {
            let vars = input.vars.iter().map(values::from_json);
            (values::from_json(input.value), vars.collect())
        });
        self.filter.find(value, vars, &mut take)
    }
}

fn one(
    mapping: &Mapping,
    filters: &Filters,
    value: &Json<'_>,
    origin: &Origin<'_>,
) -> Result<Decoded, Undecodable> {
    let mut texts: Vec<Option<String>> = Vec::new();
    let plain = Input::new(value);
    for (compiled, parse) in &filters.parse {
        let mut is_text = true;
        let found = compiled.find(&plain, |out| match out {
            Value::String(text) => Some(text),
            Value::Null => None,
            _ => {
                is_text = false;
                None
            }
        });
        if !is_text {
            let text = format!("`{}` is no text", compiled.filter.source());
            return Err(problem(mapping, "parse", text));
        }
        texts.push(found.map_err(|e| problem(mapping, &parse.from, e.to_string()))?);
    }
    let mut input = Input::new(value);
    for (text, (_, parse)) in texts.iter().zip(&filters.parse) {
        input.vars.push(match (text, &parse.how) {
            (None, _) => Json::Null,
            (Some(text), How::Json) => values::parse_json(text),
            (Some(text), How::KeyValues) => values::parse_key_values(text),
        });
    }
    Run {
        mapping,
        filters,
        input: &input,
    }
    .draft(origin)?
    .complete(origin)
}

fn problem(mapping: &Mapping, field: &str, problem: String) -> Undecodable {
    Undecodable::Mapping {
        kind: mapping.spec.kind.clone(),
        field: field.to_owned(),
        problem,
    }
}

struct Run<'r> {
    mapping: &'r Mapping,
    filters: &'r Filters,
    input: &'r Input<'r>,
}

impl Run<'_> {
    fn draft(&self, origin: &Origin<'_>) -> Result<Draft, Undecodable> {
        let mut draft = Draft::new(&self.mapping.spec.kind);
        draft.id = self.text("id")?.map(Into::into);
        draft.key = self.text("key")?.filter(|_| draft.id.is_some());
        draft.recipe = self.all("recipe", |out| Some(scalar(&out).unwrap_or_default()))?;
        draft.time = self.time("time")?;
        draft.exposed_at = self.time("exposed_at")?;
        draft.title = self.text("title")?.map(Into::into);
        draft.action = self.text("action")?.map(Into::into);
        draft.url = self.text("url")?.map(Into::into);
        let incidents = self.all("incident", |out| scalar(&out))?;
        let incident = incidents.into_iter().find(|id| !id.trim().is_empty());
        draft.incident = incident.map(Into::into);
        self.severity(&mut draft)?;
        let confidence = self.first("confidence", |out| match out {
            Value::Number(number) => number.as_f64(),
            Value::String(text) => text.trim().parse().ok(),
            _ => None,
        })?;
        draft.confidence = confidence
            .filter(|c| (0.0..=100.0).contains(c))
            .map(|c| c as u8);
        let resource = self.text("resource")?;
        let resource_kind = self.text("resource_kind")?;
        draft.touched(resource, resource_kind.as_deref().unwrap_or_default());
        self.identity(&mut draft, origin)?;
        let techniques = self.all("techniques", |out| scalar(&out))?;
        self.signals(&mut draft)?;
        for id in techniques {
            draft.signal(from_technique(&id));
            draft.techniques.push(id.into());
        }
        Ok(draft)
    }

    fn severity(&self, draft: &mut Draft) -> Result<(), Undecodable> {
        let raw = self.first("severity", |out| match &out {
            Value::String(text) if text.trim().is_empty() => None,
            Value::String(_) | Value::Number(_) | Value::Bool(_) => Some(out),
            _ => None,
        })?;
        draft.severity_raw = raw.as_ref().map(|raw| raw.to_string().into());
        draft.severity = raw.as_ref().and_then(|raw| self.meaning(raw));
        // A severity of ours, where the source gives none: there is no raw value beside it.
        if draft.severity.is_none() {
            draft.severity = self
                .text("severity_rule")?
                .as_deref()
                .and_then(Severity::parse);
        }
        Ok(())
    }

    /// Looks a severity up: the mapping's words, its scale, else the common words.
    fn meaning(&self, raw: &Value) -> Option<Severity> {
        let text = scalar(raw)?;
        let words = &self.mapping.severities;
        if let Some((_, severity)) = words.iter().find(|(word, _)| glob(word, text.trim())) {
            return Some(*severity);
        }
        let number = raw.as_f64().or_else(|| text.trim().parse().ok());
        let steps = self.mapping.scale.iter().rev();
        let of_scale = || {
            let number = number?;
            let step = steps.into_iter().find(|(from, _)| number >= *from)?;
            Some(step.1)
        };
        of_scale().or_else(|| severity::word(&text))
    }

    fn identity(&self, draft: &mut Draft, origin: &Origin<'_>) -> Result<(), Undecodable> {
        let provider = self.text("provider")?;
        let provider = provider.as_deref().unwrap_or(origin.source);
        let name = self.text("identity_name")?;
        let word = self.text("identity_kind")?;
        let kind = word.map_or(IdentityKind::Unknown, |word| self.kind(&word));
        if let Some(id) = self.text("identity")? {
            draft.subject = Some(subject(provider, id, kind, name.as_deref()));
        }
        draft.candidates = self.all("candidates", |out| self.candidate(&out, provider))?;
        Ok(())
    }

    fn kind(&self, word: &str) -> IdentityKind {
        let own = &self.mapping.identity_kinds;
        let found = own.iter().find(|(name, _)| glob(name, word));
        found
            .map(|(_, kind)| *kind)
            .or_else(|| IdentityKind::parse(word))
            .unwrap_or(IdentityKind::Unknown)
    }

    /// Reads a candidate: an id, or an object with `id` and possibly `kind`, `name`, `provider`.
    fn candidate(&self, out: &Value, provider: &str) -> Option<Subject> {
        let Value::Object(members) = out else {
            let id = scalar(out).filter(|id| !id.trim().is_empty())?;
            return Some(subject(provider, id, IdentityKind::Unknown, None));
        };
        let text = |key: &str| {
            members
                .get(key)
                .and_then(scalar)
                .filter(|t| !t.trim().is_empty())
        };
        let kind = text("kind").map_or(IdentityKind::Unknown, |word| self.kind(&word));
        let own = text("provider");
        let provider = own.as_deref().unwrap_or(provider);
        Some(subject(
            provider,
            text("id")?,
            kind,
            text("name").as_deref(),
        ))
    }

    fn signals(&self, draft: &mut Draft) -> Result<(), Undecodable> {
        let rules = self.mapping.spec.pattern.iter();
        let rules = rules
            .zip(&self.mapping.patterns)
            .zip(&self.filters.patterns);
        for ((spec, table), filter) in rules {
            let mut found: Vec<ActionPattern> = Vec::new();
            let ran = filter.find(self.input, |out| {
                let name = scalar(&out)?;
                let own = table.iter().find(|(wanted, _)| glob(wanted, name.trim()));
                let shared = || match spec.vocabulary? {
                    Vocabulary::Techniques => from_technique(&name),
                    Vocabulary::Operations => from_operation(&name),
                    Vocabulary::FindingTypes => from_type(&name),
                };
                found.extend(own.map(|(_, pattern)| *pattern).or_else(shared));
                None::<()>
            });
            ran.map_err(|e| problem(self.mapping, "pattern", e.to_string()))?;
            for pattern in found {
                draft.signal(pattern);
            }
        }
        Ok(())
    }

    /// Returns the first text or number that is not blank.
    fn text(&self, field: &'static str) -> Result<Option<String>, Undecodable> {
        self.first(field, |out| {
            scalar(&out).filter(|text| !text.trim().is_empty())
        })
    }

    /// Returns the first readable time.
    fn time(&self, field: &'static str) -> Result<Option<Timestamp>, Undecodable> {
        self.first(field, |out| match out {
            Value::String(text) => time::from_text(&text),
            Value::Number(number) => time::from_json(&Json::Number(number)),
            _ => None,
        })
    }

    /// Runs a field's filter up to the first usable output. An array or object in its place is an error: the message
    /// is not what its kind documents.
    fn first<T>(
        &self,
        field: &'static str,
        mut take: impl FnMut(Value) -> Option<T>,
    ) -> Result<Option<T>, Undecodable> {
        let Some(filter) = self.filters.fields.get(field) else {
            return Ok(None);
        };
        let mut wrong = None;
        let found = self.run(filter, |out| {
            wrong = wrong.or(match out {
                Value::Array(_) => Some("an array"),
                Value::Object(_) => Some("an object"),
                Value::Bool(_) if field != "severity" => Some("a boolean"),
                _ => None,
            });
            take(out)
        });
        match (found, wrong) {
            (Ok(found), None) => Ok(found),
            (Ok(_), Some(found)) => {
                let text = format!(
                    "`{}` is {found} where text or a number must be",
                    filter.source()
                );
                Err(problem(self.mapping, field, text))
            }
            (Err(error), _) => Err(self.failed(field, filter, &error)),
        }
    }

    /// Runs a field's filter and keeps every usable output, also of an array.
    fn all<T>(
        &self,
        field: &'static str,
        take: impl Fn(Value) -> Option<T>,
    ) -> Result<Vec<T>, Undecodable> {
        let Some(filter) = self.filters.fields.get(field) else {
            return Ok(Vec::new());
        };
        let mut kept = Vec::new();
        let ran = self.run(filter, |out| {
            match out {
                Value::Array(items) => kept.extend(items.into_iter().filter_map(&take)),
                other => kept.extend(take(other)),
            }
            None::<()>
        });
        ran.map_err(|error| self.failed(field, filter, &error))?;
        Ok(kept)
    }

    fn run<T>(
        &self,
        field: &Field,
        take: impl FnMut(Value) -> Option<T>,
    ) -> Result<Option<T>, String> {
        match field {
            Field::Paths { paths, .. } => paths.find(self.input.value, take),
            Field::Filter(compiled) => {
                let found = compiled.find(self.input, take);
                found.map_err(|error| error.to_string())
            }
        }
    }

    fn failed(&self, field: &str, filter: &Field, error: &str) -> Undecodable {
        problem(
            self.mapping,
            field,
            format!("`{}`: {error}", filter.source()),
        )
    }
}

/// Writes a text or number as text.
fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}
