//! How the alerts of a lot are written: texts behind their lengths, words that repeat once a lot.
//!
//! A change of this form gets another number in the first byte. Words of closed lists are written out, so that a program
//! with more of them reads what one with fewer wrote.

use std::sync::Arc;

use jiff::Timestamp;

use crate::domain::alert::{Alert, Resolved, Resource, Subject};
use crate::domain::digest::Digest;
use crate::domain::ids::AlertId;
use crate::domain::small::Small;
use crate::domain::text::Untrusted;
use crate::domain::vocabulary::{ActionPattern, IdentityKind, Severity};
use crate::intake::store::StoredAlert;
use crate::intake::store::rows::{micros, rounded};

/// The form that is written.
const FORM: u8 = 1;

/// Most words of a lot; the others stand where they are used.
const MOST_WORDS: usize = 200;

/// Bytes for which room is made at first.
const USUAL_BYTES: usize = 64 << 10;

/// Words that are told apart from outside.
const PLACES: usize = 256;

/// Stands for a word that is written out behind it.
const SPELT: u8 = 255;

/// Which parts of an alert there are.
mod has {
    pub const OWN_KEY: u32 = 1;
    pub const NATIVE_ID: u32 = 1 << 1;
    pub const OBSERVED: u32 = 1 << 2;
    pub const TIME: u32 = 1 << 3;
    pub const EXPOSED: u32 = 1 << 4;
    pub const EXPOSED_THEN: u32 = 1 << 5;
    pub const SEVERITY_RAW: u32 = 1 << 6;
    pub const CONFIDENCE: u32 = 1 << 7;
    pub const SUBJECT: u32 = 1 << 8;
    pub const CANDIDATES: u32 = 1 << 9;
    pub const RESOURCE: u32 = 1 << 10;
    pub const ACTION: u32 = 1 << 11;
    pub const URL: u32 = 1 << 12;
    pub const INCIDENT: u32 = 1 << 13;
    pub const TECHNIQUES: u32 = 1 << 14;
    pub const DIGEST: u32 = 1 << 15;
    pub const RESOLVED: u32 = 1 << 16;
}

/// What a lot keeps of one alert.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Entry {
    pub stored: StoredAlert,
    /// Where its bytes begin in the segment of the lot, and how many there are.
    pub offset: u64,
    pub length: u64,
}

/// Writes the alerts of a lot, each with the place of its bytes in the segment and how many there are.
pub(super) fn pack<'e>(entries: impl Iterator<Item = (&'e StoredAlert, u64, u64)>) -> Vec<u8> {
    let mut writer = Writer::default();
    writer.out.reserve(USUAL_BYTES);
    let mut ends: Vec<u8> = Vec::new();
    for (stored, offset, length) in entries {
        writer.entry(stored, offset, length);
        let end = u32::try_from(writer.out.len()).unwrap_or(u32::MAX);
        ends.extend_from_slice(&end.to_le_bytes());
    }
    let Writer {
        words, base, out, ..
    } = writer;
    let mut head = Writer::default();
    head.out.reserve(out.len() + ends.len() + 512);
    head.out.push(FORM);
    head.time(base.unwrap_or_default());
    head.number((ends.len() / 4) as u64);
    head.number(words.len() as u64);
    for word in &words {
        head.text(word);
    }
    head.out.extend_from_slice(&ends);
    head.out.extend_from_slice(&out);
    head.out
}

struct Writer {
    words: Vec<String>,
    /// Where words stand in the list that look the same from outside: nearly all that are written were written before.
    places: [u8; PLACES],
    /// The time at which the first of them was read, which is that of all of a batch.
    base: Option<Timestamp>,
    out: Vec<u8>,
}

impl Default for Writer {
    fn default() -> Self {
        Self {
            words: Vec::new(),
            places: [SPELT; PLACES],
            base: None,
            out: Vec::new(),
        }
    }
}

impl Writer {
    fn entry(&mut self, stored: &StoredAlert, offset: u64, length: u64) {
        let alert = &stored.alert;
        let base = *self.base.get_or_insert(alert.observed);
        let own = alert.id.as_str().strip_prefix(&*alert.source);
        let own = own.and_then(|rest| rest.strip_prefix('/'));
        let digest = alert.raw_sha256.bytes();
        let flags = [
            (own.is_some(), has::OWN_KEY),
            (alert.native_id.is_some(), has::NATIVE_ID),
            (alert.observed != base, has::OBSERVED),
            (alert.time.is_some(), has::TIME),
            (alert.exposed_at.is_some(), has::EXPOSED),
            (alert.exposed_at == alert.time, has::EXPOSED_THEN),
            (alert.severity_raw.is_some(), has::SEVERITY_RAW),
            (alert.confidence.is_some(), has::CONFIDENCE),
            (alert.subject.is_some(), has::SUBJECT),
            (!alert.candidates.is_empty(), has::CANDIDATES),
            (alert.resource.is_some(), has::RESOURCE),
            (alert.action.is_some(), has::ACTION),
            (alert.evidence_url.is_some(), has::URL),
            (alert.incident.is_some(), has::INCIDENT),
            (!alert.techniques.is_empty(), has::TECHNIQUES),
            (digest.is_some(), has::DIGEST),
            (alert.resolved.is_some(), has::RESOLVED),
        ];
        let flags = flags.iter().filter(|(is, _)| *is);
        let flags = flags.fold(0_u32, |all, (_, flag)| all | flag);
        self.out.extend_from_slice(&flags.to_le_bytes());
        // What an alert is looked for by stands first.
        self.word(&alert.source);
        self.text(own.unwrap_or(alert.id.as_str()));
        self.optional(alert.native_id.as_ref());
        self.number(offset);
        self.number(length);
        self.number(stored.count);
        let again = micros(stored.last_seen) - micros(stored.first_seen);
        self.number(again.max(0).unsigned_abs());
        match digest {
            Some(bytes) => self.out.extend_from_slice(bytes),
            None => self.text(""),
        }
        self.alert(alert, flags);
    }

    fn alert(&mut self, alert: &Alert, flags: u32) {
        if flags & has::OBSERVED != 0 {
            self.time(alert.observed);
        }
        if let Some(time) = alert.time {
            self.time(time);
        }
        if let Some(time) = alert.exposed_at.filter(|_| flags & has::EXPOSED_THEN == 0) {
            self.time(time);
        }
        self.word(&alert.format);
        self.text(alert.title.raw());
        self.word(alert.severity.map_or("", Severity::as_str));
        self.optional(alert.severity_raw.as_ref());
        self.out.extend(alert.confidence);
        self.word(alert.pattern.as_str());
        if let Some(subject) = &alert.subject {
            self.subject(subject);
        }
        if !alert.candidates.is_empty() {
            self.number(alert.candidates.len() as u64);
            for subject in &alert.candidates {
                self.subject(subject);
            }
        }
        if let Some(resource) = &alert.resource {
            self.text(resource.id.raw());
            self.word(resource.kind.raw());
        }
        self.optional(alert.action.as_ref());
        self.optional(alert.evidence_url.as_ref());
        self.optional(alert.incident.as_ref());
        if !alert.techniques.is_empty() {
            self.number(alert.techniques.len() as u64);
            for technique in &alert.techniques {
                self.word(technique.raw());
            }
        }
        if let Some(resolved) = &alert.resolved {
            self.time(resolved.at);
            self.text(&resolved.reason);
        }
    }

    fn subject(&mut self, subject: &Subject) {
        self.word(subject.provider.raw());
        self.text(subject.native_id.raw());
        self.word(subject.kind.as_str());
        self.out.push(u8::from(subject.name.is_some()));
        self.optional(subject.name.as_ref());
    }

    fn optional(&mut self, text: Option<&Untrusted>) {
        if let Some(text) = text {
            self.text(text.raw());
        }
    }

    fn text(&mut self, text: &str) {
        self.number(text.len() as u64);
        self.out.extend_from_slice(text.as_bytes());
    }

    /// Writes the place of a word in the list of words.
    fn word(&mut self, word: &str) {
        let bytes = word.as_bytes();
        let end = |byte: Option<&u8>| byte.map_or(0, |byte| usize::from(*byte));
        let looks = bytes.len() * 7 + end(bytes.first()) * 3 + end(bytes.last()) * 31;
        let place = &mut self.places[looks % PLACES];
        let is_there = |at: u8| self.words.get(usize::from(at)).is_some_and(|w| w == word);
        if !is_there(*place) {
            let found = self.words.iter().position(|known| known == word);
            let at = found.unwrap_or(self.words.len());
            if at == MOST_WORDS {
                self.out.push(SPELT);
                return self.text(word);
            }
            if found.is_none() {
                self.words.push(word.to_owned());
            }
            *place = at as u8;
        }
        self.out.push(*place);
    }

    /// Writes a number in as few bytes as it needs, seven bits each.
    fn number(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.out.push(number as u8 | 0x80);
            number >>= 7;
        }
        self.out.push(number as u8);
    }

    fn time(&mut self, time: Timestamp) {
        let (mut second, mut fraction) = (time.as_second(), time.subsec_nanosecond());
        // Of a time before 1970 the fraction is negative too.
        if fraction < 0 {
            (second, fraction) = (second - 1, fraction + 1_000_000_000);
        }
        self.number(((second << 1) ^ (second >> 63)).cast_unsigned());
        self.number(u64::from(fraction.unsigned_abs()));
    }
}

/// The alerts of a lot, each read when it is asked for.
#[derive(Debug)]
pub(super) struct Reader<'b> {
    words: Vec<&'b str>,
    base: Timestamp,
    ends: &'b [u8],
    entries: &'b [u8],
}

impl<'b> Reader<'b> {
    /// Reads what stands before the alerts; nothing when it is damaged, or of another form.
    pub fn new(bytes: &'b [u8]) -> Option<Self> {
        let mut cursor = Cursor(bytes);
        if cursor.byte()? != FORM {
            return None;
        }
        let base = cursor.time()?;
        let count = usize::try_from(cursor.number()?).ok()?;
        let words = cursor.number()?;
        if words > MOST_WORDS as u64 {
            return None;
        }
        let words = (0..words).map(|_| cursor.text()).collect::<Option<_>>()?;
        let ends = cursor.bytes(count.checked_mul(4)?)?;
        Some(Self {
            words,
            base,
            ends,
            entries: cursor.0,
        })
    }

    /// Returns how many alerts there are.
    pub const fn len(&self) -> usize {
        self.ends.len() / 4
    }

    /// Returns id and own id of an alert.
    pub fn ids(&self, at: usize) -> Option<(AlertId, Option<&'b str>)> {
        let (_, _, id, native) = self.begin(at)?;
        Some((id, native))
    }

    /// Reads an alert.
    pub fn entry(&self, at: usize) -> Option<Entry> {
        let (mut cursor, source, id, native) = self.begin(at)?;
        let flags = self.flags(at)?;
        let (offset, length) = (cursor.number()?, cursor.number()?);
        let (count, again) = (cursor.number()?, cursor.number()?);
        let raw_sha256 = if flags & has::DIGEST != 0 {
            let bytes: [u8; 32] = cursor.bytes(32)?.try_into().ok()?;
            bytes.into()
        } else {
            Digest::parse(cursor.text()?)?
        };
        let observed = match flags & has::OBSERVED {
            0 => self.base,
            _ => cursor.time()?,
        };
        let is = |flag: u32| flags & flag != 0;
        let time = is(has::TIME).then(|| cursor.time());
        let time = time.map_or(Some(None), |found| found.map(Some))?;
        let exposed_at = match (is(has::EXPOSED), is(has::EXPOSED_THEN)) {
            (false, _) => None,
            (true, true) => time,
            (true, false) => Some(cursor.time()?),
        };
        let alert = Alert {
            id,
            native_id: native.map(Untrusted::new),
            source: source.into(),
            time,
            observed,
            exposed_at,
            raw_sha256,
            ..self.rest(&mut cursor, flags)?
        };
        let first_seen = rounded(observed);
        let last_seen = i64::try_from(again).ok()?.checked_add(micros(first_seen))?;
        Some(Entry {
            stored: StoredAlert {
                alert: Arc::new(alert),
                count,
                first_seen,
                last_seen: Timestamp::from_microsecond(last_seen).ok()?,
            },
            offset,
            length,
        })
    }

    fn rest(&self, cursor: &mut Cursor<'b>, flags: u32) -> Option<Alert> {
        let is = |flag: u32| flags & flag != 0;
        let format = self.word(cursor)?.into();
        let title = Untrusted::new(cursor.text()?);
        let severity = self.word(cursor)?;
        let severity_raw = cursor.optional(is(has::SEVERITY_RAW))?;
        let confidence = match is(has::CONFIDENCE) {
            true => Some(cursor.byte()?),
            false => None,
        };
        let pattern = ActionPattern::parse(self.word(cursor)?)?;
        let subject = match is(has::SUBJECT) {
            true => Some(self.subject(cursor)?),
            false => None,
        };
        let mut candidates = Vec::new();
        if is(has::CANDIDATES) {
            for _ in 0..cursor.number()? {
                candidates.push(self.subject(cursor)?);
            }
        }
        let resource = match is(has::RESOURCE) {
            true => Some(Resource {
                id: Untrusted::new(cursor.text()?),
                kind: Untrusted::new(self.word(cursor)?),
            }),
            false => None,
        };
        let action = cursor.optional(is(has::ACTION))?;
        let evidence_url = cursor.optional(is(has::URL))?;
        let incident = cursor.optional(is(has::INCIDENT))?;
        let mut techniques = Vec::new();
        if is(has::TECHNIQUES) {
            for _ in 0..cursor.number()? {
                techniques.push(Untrusted::new(self.word(cursor)?));
            }
        }
        let resolved = match is(has::RESOLVED) {
            true => Some(Resolved {
                at: cursor.time()?,
                reason: cursor.text()?.to_owned(),
            }),
            false => None,
        };
        Some(Alert {
            id: AlertId::new(""),
            native_id: None,
            source: Small::default(),
            format,
            time: None,
            observed: self.base,
            exposed_at: None,
            title,
            severity: Severity::parse(severity),
            severity_raw,
            confidence,
            pattern,
            subject,
            candidates,
            resource,
            action,
            evidence_url,
            incident,
            techniques,
            raw_sha256: Digest::default(),
            resolved,
        })
    }

    fn subject(&self, cursor: &mut Cursor<'b>) -> Option<Subject> {
        let provider = Untrusted::new(self.word(cursor)?);
        let native_id = Untrusted::new(cursor.text()?);
        let kind = IdentityKind::parse(self.word(cursor)?)?;
        let is_named = cursor.byte()? != 0;
        Some(Subject {
            provider,
            native_id,
            kind,
            name: cursor.optional(is_named)?,
        })
    }

    fn bytes(&self, at: usize) -> Option<&'b [u8]> {
        let end = |at: usize| {
            let bytes = self.ends.get(at * 4..at * 4 + 4)?;
            usize::try_from(u32::from_le_bytes(bytes.try_into().ok()?)).ok()
        };
        let from = match at.checked_sub(1) {
            Some(before) => end(before)?,
            None => 0,
        };
        self.entries.get(from..end(at)?)
    }

    fn flags(&self, at: usize) -> Option<u32> {
        let bytes = self.bytes(at)?.get(..4)?;
        Some(u32::from_le_bytes(bytes.try_into().ok()?))
    }

    fn begin(&self, at: usize) -> Option<(Cursor<'b>, &'b str, AlertId, Option<&'b str>)> {
        let flags = self.flags(at)?;
        let mut cursor = Cursor(self.bytes(at)?.get(4..)?);
        let source = self.word(&mut cursor)?;
        let own = cursor.text()?;
        let id = if flags & has::OWN_KEY == 0 {
            AlertId::new(own)
        } else {
            let mut id = String::with_capacity(source.len() + own.len() + 1);
            id.push_str(source);
            id.push('/');
            id.push_str(own);
            AlertId::new(id)
        };
        let native = match flags & has::NATIVE_ID {
            0 => None,
            _ => Some(cursor.text()?),
        };
        Some((cursor, source, id, native))
    }

    fn word(&self, cursor: &mut Cursor<'b>) -> Option<&'b str> {
        match cursor.byte()? {
            SPELT => cursor.text(),
            place => self.words.get(usize::from(place)).copied(),
        }
    }
}

struct Cursor<'b>(&'b [u8]);

impl<'b> Cursor<'b> {
    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    fn bytes(&mut self, count: usize) -> Option<&'b [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn number(&mut self) -> Option<u64> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }

    fn text(&mut self) -> Option<&'b str> {
        let length = usize::try_from(self.number()?).ok()?;
        std::str::from_utf8(self.bytes(length)?).ok()
    }

    /// Reads a text if there is one.
    #[expect(clippy::option_option, reason = "outer: damaged, inner: not there")]
    fn optional(&mut self, is_there: bool) -> Option<Option<Untrusted>> {
        match is_there {
            true => Some(Some(Untrusted::new(self.text()?))),
            false => Some(None),
        }
    }

    fn time(&mut self) -> Option<Timestamp> {
        let second = self.number()?;
        let second = (second >> 1).cast_signed() ^ -(second & 1).cast_signed();
        let fraction = i32::try_from(self.number()?).ok()?;
        Timestamp::new(second, fraction).ok()
    }
}

#[cfg(test)]
mod tests;
