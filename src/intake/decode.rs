//! From the bytes of one line to normalised alerts.
//!
//! A decoder sees one JSON value, never I/O and never the clock. Arrays and the envelopes that transports put around
//! alerts are opened here (`envelope`), so a decoder only knows its own format. Kinds that need signatures, several
//! shapes or logic are code (`registry`); all others are declarative `mapping`s in TOML.

mod alertmanager;
mod aws;
mod cloudevents;
mod draft;
mod elastic;
mod entra;
mod envelope;
mod fields;
mod github;
mod identity;
pub mod jwt;
pub mod mapping;
mod ocsf;
mod okta;
mod pattern;
mod redact;
mod registry;
mod severity;
mod ssf;

use std::cell::Cell;
use std::sync::Arc;

use bumpalo::Bump;
use jiff::Timestamp;
use sha2::{Digest as _, Sha256};

use super::json::{self, Json, JsonError, Keys};
use crate::domain::alert::Alert;
use crate::domain::digest::Digest;
use crate::domain::small::Small;
use crate::domain::text::{Untrusted, fit, show};
use crate::domain::vocabulary::ActionPattern;
use envelope::{Envelope, Inside};
use registry::Kind;

pub(crate) use crate::domain::plan::hex;
pub use registry::{Decoders, KindInfo};

/// Longest line that is read, in bytes.
pub const MAX_LINE: usize = 1 << 20;

/// Longest file that is read as one document, in bytes; each alert in it may have [`MAX_LINE`].
pub const MAX_DOCUMENT: usize = 64 << 20;

/// Longest id that is kept as it is; a longer one is cut and completed by its hash, so that it stays unique.
const LONGEST_ID: usize = 512;

/// Longest text kept in an alert, in characters; the raw bytes keep the rest.
const LONGEST_TEXT: usize = 1_024;

/// Envelopes and lists inside each other that are opened.
const MOST_ENVELOPES: usize = 8;

/// Most alerts taken from one line or document; a real one has a few hundred bytes.
const MOST_ITEMS: usize = 500_000;

/// Most reasons told of one line or document: a hostile list can hold as many wrong elements as bytes.
const MOST_REASONS: usize = 1_000;

/// Most bytes of memory for what is read that are kept from one line to the next.
const MOST_SPARE: usize = 1 << 20;

thread_local! {
    /// Memory for what is read of a line.
    static ARENA: Cell<Bump> = Cell::new(Bump::new());
}

/// Why bytes are not an alert. The text names the problem, with whatever it quotes made visible once; the bytes themselves go
/// to the quarantine.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Undecodable {
    /// Longer than [`MAX_LINE`].
    #[error("{bytes} bytes long, more than the 1 MiB that one alert may have")]
    TooLong {
        /// The length.
        bytes: u64,
    },
    /// Not UTF-8 (RFC 8259 §8.1).
    #[error("not UTF-8 from byte {at} on")]
    NotUtf8 {
        /// The first bad byte, counted from 0.
        at: usize,
    },
    /// Not one acceptable JSON value.
    #[error(transparent)]
    Json(#[from] JsonError),
    /// A JSON value that cannot be an alert.
    #[error("{found} where an alert must be a JSON object")]
    NotAnObject {
        /// Its type.
        found: &'static str,
    },
    /// An object of no known kind.
    #[error(
        "no decoder knows this object (its keys: {keys}); `stanch alerts kinds` lists the known kinds, and a mapping file adds one"
    )]
    UnknownShape {
        /// Its first keys, made visible.
        keys: String,
    },
    /// An object without anything by which its kind names alerts.
    #[error(
        "not {kind}: nothing in it names an alert of that kind, neither an id nor a title nor an event name"
    )]
    Nameless {
        /// The kind.
        kind: String,
    },
    /// A field of another type than the kind documents.
    #[error("{kind}: `{path}` is {found} where {wanted} must be")]
    WrongType {
        /// The kind.
        kind: String,
        /// The path of the field.
        path: String,
        /// The type found.
        found: &'static str,
        /// What is documented.
        wanted: &'static str,
    },
    /// A filter of a mapping does not fit the object.
    #[error("{kind}: field `{field}`: {problem}")]
    Mapping {
        /// The kind.
        kind: String,
        /// The field of the mapping.
        field: String,
        /// What went wrong, made visible.
        problem: String,
    },
    /// A signed token that cannot be accepted.
    #[error("security event token: {0}")]
    Token(#[from] jwt::JwtError),
    /// A format name that no decoder has.
    #[error("unknown format {name}; `stanch alerts kinds` lists the known ones")]
    UnknownFormat {
        /// The name, made visible.
        name: String,
    },
    /// Envelopes inside envelopes without end.
    #[error("more than {MOST_ENVELOPES} envelopes or lists inside each other")]
    TooManyEnvelopes,
    /// More alerts in one line than are taken.
    #[error("more than {MOST_ITEMS} elements in one line; the rest is left out")]
    TooManyItems,
    /// One element of an array; see the reason inside.
    #[error("element {index} of the array: {reason}")]
    Element {
        /// Counted from 0.
        index: usize,
        /// What is wrong with it.
        reason: Box<Undecodable>,
    },
}

/// One decoded alert with everything its source hints at.
#[derive(Clone, Debug, PartialEq)]
pub struct Decoded {
    /// The alert: large, so made once and never moved.
    pub alert: Arc<Alert>,
    /// Every pattern that some field supports, the strongest first; the first is [`Alert::pattern`].
    pub signals: Vec<ActionPattern>,
    /// Why something in it is not believed, although it is an alert.
    pub doubt: Option<String>,
}

/// What one line held. An array may hold both.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Contents {
    /// The alerts.
    pub alerts: Vec<Decoded>,
    /// What was no alert.
    pub rejected: Vec<Undecodable>,
    /// What to keep instead of the line, where the line holds secrets that somebody found.
    pub redacted: Option<Vec<u8>>,
}

impl Contents {
    /// Returns the alerts alone.
    pub fn into_alerts(self) -> Vec<Arc<Alert>> {
        // Collected in place, a list would be cut to its new size, which takes longer than a new one.
        let mut alerts = Vec::with_capacity(self.alerts.len());
        alerts.extend(self.alerts.into_iter().map(|decoded| decoded.alert));
        alerts
    }
}

/// What a decoder is told besides the value.
struct Origin<'o> {
    source: &'o str,
    observed: Timestamp,
    raw_sha256: Digest,
    /// The place in the line, where it holds a list.
    place: Option<usize>,
    /// Id and time of the envelope, used when the alert itself has none.
    envelope: Envelope,
}

impl Origin<'_> {
    /// Returns the id of an alert that brings none and has no recipe, derived from the line and the place in it.
    fn derived_id(&self) -> String {
        let digest = self.raw_sha256.to_string();
        let beginning = digest.get(..32).unwrap_or(&digest);
        let suffix = self.place.map(|at| format!("-{at}"));
        format!("sha256-{beginning}{}", suffix.unwrap_or_default())
    }
}

/// Decodes one line with the shipped decoders; the first element of an array that is no alert fails the line.
pub fn decode(
    format: Option<&str>,
    line: &[u8],
    source: &str,
    observed: Timestamp,
) -> Result<Vec<Arc<Alert>>, Undecodable> {
    let mut contents = decode_all(format, line, source, observed)?;
    match contents.rejected.is_empty() {
        true => Ok(contents.into_alerts()),
        false => Err(contents.rejected.swap_remove(0)),
    }
}

/// Decodes one line with the shipped decoders; see [`Decoders::decode`].
pub fn decode_all(
    format: Option<&str>,
    line: &[u8],
    source: &str,
    observed: Timestamp,
) -> Result<Contents, Undecodable> {
    Decoders::shipped().decode(format, line, source, observed)
}

impl Decoders {
    /// Decodes one line and keeps apart what could and could not be read. `format` names a kind; `None` and `auto` find
    /// it for each alert. Fails when the line as a whole is unreadable.
    pub fn decode(
        &self,
        format: Option<&str>,
        line: &[u8],
        source: &str,
        observed: Timestamp,
    ) -> Result<Contents, Undecodable> {
        self.decode_within(MAX_LINE, format, line, source, observed)
    }

    /// Decodes a file that is one document, which may be a long list of alerts.
    pub fn decode_document(
        &self,
        format: Option<&str>,
        text: &[u8],
        source: &str,
        observed: Timestamp,
    ) -> Result<Contents, Undecodable> {
        let contents = self.decode_within(MAX_DOCUMENT, format, text, source, observed)?;
        let is_one = contents.alerts.len() + contents.rejected.len() <= 1;
        if text.len() > MAX_LINE && is_one {
            return Err(Undecodable::TooLong {
                bytes: text.len() as u64,
            });
        }
        Ok(contents)
    }

    fn decode_within(
        &self,
        limit: usize,
        format: Option<&str>,
        line: &[u8],
        source: &str,
        observed: Timestamp,
    ) -> Result<Contents, Undecodable> {
        let format = format.filter(|f| *f != "auto");
        if let Some(name) = format.filter(|f| !self.knows(f)) {
            let name = fit(&show(name), 80, "…");
            return Err(Undecodable::UnknownFormat { name });
        }
        if line.len() > limit {
            return Err(Undecodable::TooLong {
                bytes: line.len() as u64,
            });
        }
        // What is wrong is said by the slower way.
        let text = simdutf8::basic::from_utf8(line)
            .or_else(|_| std::str::from_utf8(line))
            .map_err(|e| Undecodable::NotUtf8 {
                at: e.valid_up_to(),
            })?;
        let digest: [u8; 32] = Sha256::digest(line).into();
        let mut arena = ARENA.take();
        let mut opening = Opening {
            decoders: self,
            arena: &arena,
            format,
            source,
            observed,
            raw_sha256: digest.into(),
            contents: Contents::default(),
            items: 0,
            secrets: Vec::new(),
            has_texts: false,
        };
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let opened = opening.text(text, Envelope::default(), Place::default());
        let contents = opening.contents;
        if arena.allocated_bytes() <= MOST_SPARE {
            arena.reset();
            ARENA.set(arena);
        }
        opened.map(|()| contents)
    }
}

/// Where in a line something stands.
#[derive(Clone, Copy, Default)]
struct Place {
    /// Envelopes and lists around it.
    depth: usize,
    /// Position in the outermost list.
    index: Option<usize>,
}

impl Place {
    const fn deeper(self) -> Self {
        Self {
            depth: self.depth + 1,
            ..self
        }
    }

    fn element(self, index: usize) -> Self {
        Self {
            depth: self.depth + 1,
            index: self.index.or(Some(index)),
        }
    }
}

/// One line being opened.
struct Opening<'o> {
    decoders: &'o Decoders,
    /// Where what is read lies until the line is done.
    arena: &'o Bump,
    format: Option<&'o str>,
    source: &'o str,
    observed: Timestamp,
    raw_sha256: Digest,
    contents: Contents,
    items: usize,
    /// Keys of secrets in what was decoded.
    secrets: Vec<String>,
    /// Whether some of it stood in text inside the line.
    has_texts: bool,
}

impl Opening<'_> {
    /// Opens text: JSON, or a signed token.
    fn text(&mut self, text: &str, envelope: Envelope, place: Place) -> Result<(), Undecodable> {
        if envelope::looks_like_token(text) {
            let claims = jwt::claims(text.trim(), self.decoders.keys())?;
            let claims = json::parse_in(&claims, self.arena)?;
            self.object(&claims, envelope, place);
            return Ok(());
        }
        let value = json::parse_in(text, self.arena)?;
        self.value(&value, envelope, place);
        if place.depth == 0 && !self.secrets.is_empty() {
            let keys: Vec<&str> = self.secrets.iter().map(String::as_str).collect();
            self.contents.redacted =
                redact::without(&value, &keys, self.has_texts).map(String::into_bytes);
        }
        Ok(())
    }

    /// Opens text inside something; what is wrong with it is noted for the place.
    fn inner_text(&mut self, text: &str, envelope: Envelope, place: Place) {
        self.has_texts = true;
        if let Err(reason) = self.text(text, envelope, place) {
            self.reject(reason, place);
        }
    }

    fn value(&mut self, value: &Json<'_>, envelope: Envelope, place: Place) {
        if place.depth > MOST_ENVELOPES {
            return self.reject(Undecodable::TooManyEnvelopes, place);
        }
        let Json::List(items) = value else {
            return self.unwrap(value, envelope, place);
        };
        // An id of the envelope names all of its content together, so it cannot name one of several elements.
        let id = envelope.id.filter(|_| items.len() == 1);
        for (index, item) in items.iter().enumerate() {
            let at = place.element(index);
            if self.items >= MOST_ITEMS {
                return self.reject(Undecodable::TooManyItems, at);
            }
            let outer = Envelope {
                id: id.clone(),
                time: envelope.time,
            };
            match item {
                Json::Text(token) if envelope::looks_like_token(token) => {
                    self.inner_text(token, outer, at);
                }
                item => self.value(item, outer, at),
            }
        }
    }

    fn unwrap(&mut self, value: &Json<'_>, outer: Envelope, place: Place) {
        let named = |envelope: Envelope| Envelope {
            id: envelope.id.or(outer.id.clone()),
            time: envelope.time.or(outer.time),
        };
        let keys = Keys::of(value);
        let may_be_envelope = envelope::is_marked(value, &keys);
        if may_be_envelope && let Some(found) = envelope::mistyped(value) {
            return self.reject(found, place);
        }
        if may_be_envelope && let Some((inside, envelope)) = envelope::open(value) {
            return self.inside(inside, named(envelope), place.deeper());
        }
        if may_be_envelope && let Some(sets) = envelope::token_set(value) {
            for (index, (_, token)) in sets.iter().enumerate() {
                match token.text() {
                    Some(token) => self.inner_text(token, outer.clone(), place.element(index)),
                    None => self.value(token, outer.clone(), place.element(index)),
                }
            }
            return;
        }
        if may_be_envelope
            && self.format != Some("cloudevents")
            && let Some((inside, envelope)) = envelope::cloud_event(value)
            && self.recognises(&inside, place.depth)
        {
            return self.inside(inside, named(envelope), place.deeper());
        }
        let known = self.decoders.find_by(self.format, value, &keys);
        if known.is_none()
            && let Some(inside) = envelope::batch(value)
            && self.recognises(&inside, place.depth)
        {
            let envelope = Envelope {
                time: outer.time.or_else(|| envelope::report_time(value)),
                ..outer
            };
            return self.inside(inside, envelope, place.deeper());
        }
        self.known(known, value, outer, place);
    }

    fn inside(&mut self, inside: Inside<'_, '_>, envelope: Envelope, place: Place) {
        match inside {
            Inside::Value(value) => self.value(value, envelope, place),
            Inside::Text(text) => self.inner_text(&text, envelope, place),
        }
    }

    /// Tells whether some decoder knows what is inside an envelope.
    fn recognises(&self, inside: &Inside<'_, '_>, depth: usize) -> bool {
        match inside {
            Inside::Value(value) => self.recognises_value(value, depth),
            Inside::Text(text) if envelope::looks_like_token(text) => true,
            Inside::Text(text) => json::parse_in(text, self.arena)
                .is_ok_and(|value| self.recognises_value(&value, depth)),
        }
    }

    fn recognises_value(&self, value: &Json<'_>, depth: usize) -> bool {
        if depth > MOST_ENVELOPES {
            return false;
        }
        match value {
            // One is enough: what the others lack is told element by element.
            Json::List(items) => {
                let first = items.iter().take(8);
                first
                    .into_iter()
                    .any(|i| self.recognises_value(i, depth + 1))
            }
            Json::Text(text) => envelope::looks_like_token(text),
            Json::Object(_) => {
                envelope::open(value).is_some()
                    || envelope::cloud_event(value).is_some()
                    || self.decoders.find(None, value).is_some()
                    || envelope::batch(value).is_some_and(|i| self.recognises(&i, depth + 1))
            }
            _ => false,
        }
    }

    fn object(&mut self, value: &Json<'_>, envelope: Envelope, place: Place) {
        let kind = self.decoders.find(self.format, value);
        self.known(kind, value, envelope, place);
    }

    /// Decodes an object whose kind is known, if it has one.
    fn known(
        &mut self,
        kind: Option<Kind<'_>>,
        value: &Json<'_>,
        envelope: Envelope,
        place: Place,
    ) {
        self.items += 1;
        let origin = Origin {
            source: self.source,
            observed: self.observed,
            raw_sha256: self.raw_sha256,
            place: place.index.map(|_| self.items - 1),
            envelope,
        };
        if !matches!(value, Json::Object(_)) {
            let found = value.type_name();
            return self.reject(Undecodable::NotAnObject { found }, place);
        }
        // Asked for by name, a kind decodes also what it would not recognise, and says what is missing.
        let kind = match self.format {
            Some(format) => self.decoders.named(format),
            None => kind,
        };
        let Some(kind) = kind else {
            // The reason is better when the kind is still to be seen.
            let mistyped = self.decoders.find_mistyped(value);
            let reasons = mistyped
                .map(|kind| kind.decode(value, &origin))
                .unwrap_or_default();
            let reason = match reasons.into_iter().next() {
                Some(Err(reason)) => reason,
                _ => unknown(value),
            };
            return self.reject(reason, place);
        };
        kind.secrets(|key| {
            if !self.secrets.iter().any(|known| known == key) {
                self.secrets.push(key.to_owned());
            }
        });
        let results = kind.decode(value, &origin);
        // Most lines hold one, which stays where it is.
        if self.contents.alerts.is_empty() && results.iter().all(Result::is_ok) {
            self.contents.alerts = results.into_iter().filter_map(Result::ok).collect();
            return;
        }
        for decoded in results {
            match decoded {
                Ok(decoded) => self.contents.alerts.push(decoded),
                Err(reason) => self.reject(reason, place),
            }
        }
    }

    fn reject(&mut self, reason: Undecodable, place: Place) {
        if self.contents.rejected.len() >= MOST_REASONS {
            return;
        }
        self.contents.rejected.push(match place.index {
            Some(index) => Undecodable::Element {
                index,
                reason: Box::new(reason),
            },
            None => reason,
        });
    }
}

fn unknown(value: &Json<'_>) -> Undecodable {
    let keys: Vec<&str> = match value {
        Json::Object(members) => members.iter().take(8).map(|(key, _)| &**key).collect(),
        _ => Vec::new(),
    };
    let keys = if keys.is_empty() {
        "none".to_owned()
    } else {
        fit(&show(&keys.join(", ")), 120, "…")
    };
    Undecodable::UnknownShape { keys }
}

/// Tells whether `format` names a shipped decoder, a family of them, or is `auto`.
pub fn is_known(format: &str) -> bool {
    format == "auto" || Decoders::shipped().knows(format)
}

/// Tells whether bytes are only the beginning of a JSON value.
pub fn is_incomplete(text: &[u8]) -> bool {
    std::str::from_utf8(text).is_ok_and(|text| json::parse(text).is_err_and(|e| e.is_incomplete()))
}

/// Takes a text of the source into an alert, bounded.
fn untrusted(text: &str) -> Untrusted {
    bounded_text(text).map_or_else(|| Untrusted::new(text), Untrusted::new)
}

/// Does the same with a text that is not used otherwise.
fn into_untrusted(text: Small) -> Untrusted {
    Untrusted::new(bounded_text(&text).map_or(text, Small::from))
}

/// Returns what is kept of a text that is too long.
fn bounded_text(text: &str) -> Option<String> {
    if text.len() <= LONGEST_TEXT {
        return None;
    }
    let (end, _) = text.char_indices().nth(LONGEST_TEXT)?;
    Some(format!("{}…", &text[..end]))
}

/// Takes an id of the source, bounded without two ids becoming one.
fn bounded_id(id: &str) -> Small {
    if id.len() <= LONGEST_ID {
        return id.into();
    }
    let mut end = LONGEST_ID / 2;
    while !id.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}…{}", &id[..end], hex(&Sha256::digest(id.as_bytes()))).into()
}

/// Does the same with an id that is not used otherwise.
fn into_bounded_id(id: Small) -> Small {
    match id.len() {
        0..=LONGEST_ID => id,
        _ => bounded_id(&id),
    }
}

#[cfg(test)]
mod tests;
