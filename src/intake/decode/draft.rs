//! What a decoder fills in, and how it becomes an alert.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use sha2::{Digest, Sha256};

use super::fields::Fields;
use super::{
    Decoded, Origin, Undecodable, bounded_id, hex, into_bounded_id, into_untrusted, untrusted,
};
use crate::domain::alert::{Alert, Resource, Subject};
use crate::domain::ids::AlertId;
use crate::domain::small::Small;
use crate::domain::text::Untrusted;
use crate::domain::vocabulary::{ActionPattern, Severity};
use crate::intake::json::Json;

/// Most technique ids and candidates kept of one alert.
const MOST_LISTED: usize = 32;

/// Most signals listed.
const MOST_SIGNALS: usize = 8;

/// Seconds of 2000-01-01: an earlier time of an alert is a clock that was never set.
const EARLIEST: i64 = 946_684_800;

/// How far ahead a source's clock may be before its time cannot be believed.
const AHEAD: SignedDuration = SignedDuration::from_hours(24);

/// An alert in the making. Texts are the source's own.
#[derive(Debug, Default)]
pub(super) struct Draft {
    /// Name of the kind.
    pub kind: Small,
    /// The source's own event id.
    pub id: Option<Small>,
    /// What makes the id unique in the source, where it is not by itself; becomes the key.
    pub key: Option<String>,
    /// Recipe for an id derived from the content: the parts that stay the same when the alert is sent again.
    pub recipe: Vec<String>,
    /// When it happened.
    pub time: Option<Timestamp>,
    /// Since when the identity has been exposed, as far as the source says.
    pub exposed_at: Option<Timestamp>,
    /// One line for people.
    pub title: Option<Small>,
    /// In our words.
    pub severity: Option<Severity>,
    /// The source's own, as JSON text.
    pub severity_raw: Option<Small>,
    /// 0 to 100.
    pub confidence: Option<u8>,
    /// The strongest first.
    pub signals: Vec<ActionPattern>,
    /// Whom it is about.
    pub subject: Option<Subject>,
    /// Whom it may be about.
    pub candidates: Vec<Subject>,
    /// Id and type of what was touched.
    pub resource: Option<Resource>,
    /// Event name or finding type.
    pub action: Option<Small>,
    /// Where the source shows more.
    pub url: Option<Small>,
    /// What the source groups it under.
    pub incident: Option<Small>,
    /// ATT&CK ids.
    pub techniques: Vec<Small>,
}

impl Draft {
    /// Starts an alert of `kind`.
    pub fn new(kind: &str) -> Self {
        Self {
            kind: kind.into(),
            ..Self::default()
        }
    }

    /// Adds a pattern if it is one and not there yet.
    pub fn signal(&mut self, pattern: impl Into<Option<ActionPattern>>) {
        if let Some(pattern) = pattern.into()
            && !self.signals.contains(&pattern)
            && self.signals.len() < MOST_SIGNALS
        {
            self.signals.push(pattern);
        }
    }

    /// Sets what was touched, if it has an id.
    pub fn touched(&mut self, id: Option<impl AsRef<str>>, kind: &str) {
        if let Some(id) = id.filter(|_| self.resource.is_none()) {
            self.resource = Some(Resource {
                id: Untrusted::new(bounded_id(id.as_ref())),
                kind: untrusted(kind),
            });
        }
    }

    /// Keeps the source's severity as it stands.
    pub fn severity_from(
        &mut self,
        raw: Option<&Json<'_>>,
        means: impl Fn(&Json<'_>) -> Option<Severity>,
    ) {
        self.severity_raw = raw.and_then(Json::scalar_json);
        self.severity = raw.and_then(means);
    }

    /// Tells whether anything of the source names this alert.
    fn is_named(&self) -> bool {
        self.id.is_some() || self.title.is_some() || self.action.is_some()
    }

    /// Makes the alert, unless a field had the wrong type or nothing names it.
    pub fn finish(
        self,
        fields: &Fields<'_, '_>,
        origin: &Origin<'_>,
    ) -> Result<Decoded, Undecodable> {
        if let Some(wrong) = fields.wrong() {
            return Err(Undecodable::WrongType {
                kind: self.kind.into(),
                path: wrong.path,
                found: wrong.found,
                wanted: wrong.wanted,
            });
        }
        self.complete(origin)
    }

    /// Makes the alert, unless nothing names it.
    pub fn complete(self, origin: &Origin<'_>) -> Result<Decoded, Undecodable> {
        if !self.is_named() {
            return Err(Undecodable::Nameless {
                kind: self.kind.into(),
            });
        }
        let own = self.id.or_else(|| origin.envelope.id.clone());
        let derived = || match derived(&self.kind, &self.recipe) {
            Some(id) => id,
            None => origin.derived_id().into(),
        };
        let id = own.map_or_else(derived, into_bounded_id);
        let key = self
            .key
            .map(Small::from)
            .map(into_bounded_id)
            .filter(|key| *key != id);
        let time = self.time.or(origin.envelope.time);
        let (exposed_at, doubt) = exposure(self.exposed_at, time, origin.observed);
        let title = self.title.or_else(|| self.action.clone());
        let signals = if self.signals.is_empty() {
            vec![ActionPattern::Other]
        } else {
            self.signals
        };
        let mut candidates = self.candidates;
        candidates.retain(|c| Some(c) != self.subject.as_ref());
        candidates.truncate(MOST_LISTED);
        let alert = Arc::new(Alert {
            id: keyed(origin.source, key.as_ref().unwrap_or(&id)),
            native_id: key.is_some().then(|| Untrusted::new(id)),
            source: origin.source.into(),
            time,
            observed: origin.observed,
            exposed_at,
            title: title.map_or_else(|| untrusted(&self.kind), into_untrusted),
            severity: self.severity,
            severity_raw: self.severity_raw.map(into_untrusted),
            confidence: self.confidence.map(|c| c.min(100)),
            pattern: signals[0],
            subject: self.subject,
            candidates,
            resource: self.resource,
            action: self.action.map(into_untrusted),
            evidence_url: self.url.map(into_untrusted),
            incident: self.incident.map(into_untrusted),
            techniques: techniques(self.techniques),
            raw_sha256: origin.raw_sha256,
            resolved: None,
            format: self.kind,
        });
        Ok(Decoded {
            alert,
            signals,
            doubt,
        })
    }
}

/// Names an alert by its source and what is unique there.
fn keyed(source: &str, key: &str) -> AlertId {
    let mut id = String::with_capacity(source.len() + 1 + key.len());
    id.push_str(source);
    id.push('/');
    id.push_str(key);
    AlertId::new(id)
}

/// Hashes the parts of a recipe; nothing when all of them are empty.
fn derived(kind: &str, recipe: &[String]) -> Option<Small> {
    if recipe.iter().all(String::is_empty) {
        return None;
    }
    let mut hasher = Sha256::new_with_prefix(kind);
    for part in recipe {
        // Lengths keep `ab`, `c` and `a`, `bc` apart.
        hasher.update((part.len() as u64).to_be_bytes());
        hasher.update(part);
    }
    let digest = hex(&hasher.finalize());
    Some(format!("sha256-{}", digest.get(..32).unwrap_or(&digest)).into())
}

/// Says since when the identity was exposed, and why a time of the source is not believed for that.
pub(super) fn exposure(
    exposed: Option<Timestamp>,
    time: Option<Timestamp>,
    observed: Timestamp,
) -> (Option<Timestamp>, Option<String>) {
    let is_past = |t: Timestamp| t.as_second() >= EARLIEST;
    // A host whose own clock was never set cannot judge others.
    let is_ahead = |t: Timestamp| is_past(observed) && t.duration_since(observed) > AHEAD;
    let usable = |t: &Timestamp| is_past(*t) && !is_ahead(*t);
    let doubt = time.filter(|t| !usable(t)).map(|t| {
        let what = if is_past(t) {
            "in the future"
        } else {
            "before 2000"
        };
        format!("its time {t} lies {what}; the exposure counts from the arrival instead")
    });
    let begin = exposed.into_iter().chain(time).filter(usable).min();
    let fallback = time.map(|_| observed);
    (begin.or(fallback), doubt)
}

fn techniques(listed: Vec<Small>) -> Vec<Untrusted> {
    // Most alerts name one; that list is taken as it is.
    if let [id] = listed.as_slice()
        && id.trim() == id.as_str()
        && !id.is_empty()
    {
        return listed.into_iter().map(into_untrusted).collect();
    }
    let mut kept: Vec<Untrusted> = Vec::with_capacity(listed.len().min(MOST_LISTED));
    for id in listed.iter().map(|id| untrusted(id.trim())) {
        if kept.len() < MOST_LISTED && !id.is_empty() && !kept.contains(&id) {
            kept.push(id);
        }
    }
    kept
}
