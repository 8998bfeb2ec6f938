//! What an act came to when the log failed it: kept in the fallback folder and the system's log, and taken in by the
//! console that opens the log next.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::domain::decision::RecordType;

use super::super::error::JournalError;
use super::super::fallback::Fallback;
use super::super::redact;
use super::{State, Writer};

/// Records in one piece when what was kept is taken in.
const AT_ONCE: usize = 64;

impl Writer {
    /// Keeps records that the log did not take, because what they tell happened already. From then on this process writes
    /// nothing more and says where they are.
    pub fn keep_elsewhere(
        &mut self,
        now: Timestamp,
        records: &[(RecordType, Value)],
        error: &JournalError,
    ) {
        let why = match &self.state {
            State::Poisoned(why) => why.clone(),
            _ => error.to_string(),
        };
        let masked = |(kind, body): &(_, _)| (*kind, redact::record(*kind, body).into_owned());
        let records: Vec<(RecordType, Value)> = records.iter().map(masked).collect();
        let actor = self
            .actor
            .signing(&self.verifier, self.config.person.as_deref());
        let dir = self.config.fallback.as_deref();
        let fallback = self.fallback(dir.unwrap_or(std::path::Path::new("")));
        let lines = fallback.lines(now, &actor, &why, &records);
        let mut places = Vec::new();
        let mut failed = String::new();
        if dir.is_some() {
            match fallback.keep(&lines) {
                Ok(()) => places.push(fallback.path().display().to_string()),
                Err(e) => failed = format!(" (not in {}: {e})", fallback.path().display()),
            }
        }
        let told = lines.iter().filter(|l| self.peers.anchors.tell(l)).count();
        if told == lines.len() {
            places.push("the system's log".to_owned());
        }
        let text = if places.is_empty() {
            let words: Vec<String> = records
                .iter()
                .map(|(kind, body)| brief(*kind, body))
                .collect();
            format!("and nowhere else{failed}: write down {}", words.join(", "))
        } else {
            format!("but in {}{failed}", places.join(" and "))
        };
        if !matches!(self.state, State::Poisoned(_)) {
            self.poison(&why);
        }
        self.unrecorded = Some(format!("NOT RECORDED in the log {text}"));
    }

    /// Says what came of acts that is not in the log, and where it is instead.
    pub fn unrecorded(&self) -> Option<&str> {
        self.unrecorded.as_deref()
    }

    /// Takes in what an earlier console could only keep elsewhere. Returns how many records.
    pub(super) fn take_kept(&mut self, now: Timestamp) -> Result<usize, JournalError> {
        let Some(dir) = self.config.fallback.clone() else {
            return Ok(0);
        };
        let fallback = self.fallback(&dir);
        let read = fallback.read().map_err(|source| JournalError::Io {
            what: "read what was kept in",
            path: fallback.path(),
            source,
        })?;
        let Some(kept) = read else {
            return Ok(0);
        };
        // Only what tells of acts is ever kept.
        let happened = |kind| {
            matches!(
                kind,
                RecordType::Attempt | RecordType::Outcome | RecordType::Verify
            )
        };
        let mut records = kept.records;
        records.retain(|(kind, _)| happened(*kind));
        for lot in records.chunks(AT_ONCE) {
            self.commit(now, lot)?;
        }
        let told = json!({
            "kept_elsewhere": fallback.path().display().to_string(),
            "sha256": kept.sha256,
            "records": records.len(),
        });
        self.commit(now, &[(RecordType::Anomaly, told)])?;
        // Left in place it is taken in twice, which says nothing new.
        let _ = fallback.put_aside(&kept.sha256);
        Ok(records.len())
    }

    fn fallback(&self, dir: &std::path::Path) -> Fallback {
        Fallback::new(dir, &self.verifier.name, &self.log.path)
    }
}

fn brief(kind: RecordType, body: &Value) -> String {
    let word =
        |name: &str| crate::domain::text::show(body[name].as_str().unwrap_or("?")).into_owned();
    let what = match kind {
        RecordType::Verify => word("proof"),
        _ => word("outcome"),
    };
    format!("{kind} {what} of {}", word("intent"))
}
