//! What is in one answer.

use jiff::Timestamp;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::contact::Asked;
use super::spec::{Api, PagingKind};
use crate::intake::json::Json;
use crate::intake::store::Next;
use crate::intake::time;
use crate::jq::{self, Filter, Val};

/// Most items of one answer.
const MOST_ITEMS: usize = 100_000;

/// Longest address of a next page.
const LONGEST_LINK: usize = 16 << 10;

/// One item as it came.
pub(super) struct Item {
    pub raw: Vec<u8>,
    /// Short hash of what makes it another version.
    pub revision: Option<u64>,
}

/// The items of an answer.
#[derive(Default)]
pub(super) struct Page {
    pub items: Vec<Item>,
    pub newest: Option<Timestamp>,
    pub oldest: Option<Timestamp>,
    /// How the next page is asked for.
    pub next: Option<Next>,
}

impl Page {
    /// Finds the items of an answer, and what it says about the next one.
    pub fn read(api: &Api, asked: &Asked) -> Result<Self, String> {
        let text = std::str::from_utf8(&asked.body)
            .map_err(|e| format!("the answer is not UTF-8 from byte {} on", e.valid_up_to()))?;
        let parse = |text: &str| -> Result<Val, String> {
            let value: Value =
                serde_json::from_str(text).map_err(|e| format!("the answer is no JSON: {e}"))?;
            Ok(jq::to_val(&value))
        };
        let (mut found, mut answer) = (Vec::new(), Val::Null);
        if api.spec.answer.is_lines {
            for line in text.lines().filter(|line| !line.trim().is_empty()) {
                found.extend(list(&api.items, &parse(line)?)?);
            }
        } else {
            answer = parse(text)?;
            found = list(&api.items, &answer)?;
        }
        if found.len() > MOST_ITEMS {
            return Err(format!("the answer holds more than {MOST_ITEMS} items"));
        }
        let mut page = Self {
            items: Vec::with_capacity(found.len()),
            newest: None,
            oldest: None,
            next: next(api, asked, &answer)?,
        };
        for value in found {
            page.add(api, &value)?;
        }
        Ok(page)
    }

    /// Adds the items of an answer of the second step.
    pub fn extend(&mut self, api: &Api, asked: &Asked) -> Result<(), String> {
        let Some(filter) = &api.detailed else {
            return Ok(());
        };
        let answer: Value = serde_json::from_slice(&asked.body)
            .map_err(|e| format!("the answer is no JSON: {e}"))?;
        for value in list(filter, &jq::to_val(&answer))? {
            if self.items.len() == MOST_ITEMS {
                return Err(format!("the answer holds more than {MOST_ITEMS} items"));
            }
            self.add(api, &value)?;
        }
        Ok(())
    }

    fn add(&mut self, api: &Api, value: &Value) -> Result<(), String> {
        let wants_val = api.time.is_some() || api.revision.is_some();
        let val = wants_val.then(|| jq::to_val(value));
        if let (Some(filter), Some(val)) = (&api.time, &val) {
            // An item without a time moves nothing.
            let at = filter.find(val, &[], |out| timestamp(&out)).ok().flatten();
            self.newest = self.newest.max(at);
            self.oldest = match (self.oldest, at) {
                (Some(oldest), Some(at)) => Some(oldest.min(at)),
                (oldest, at) => oldest.or(at),
            };
        }
        let revision = match (&api.revision, &val) {
            (Some(filter), Some(val)) => filter
                .find(val, &[], Some)
                .map_err(|error| format!("`answer.revision`: {error}"))?
                .map(|out| short_hash(&out)),
            _ => None,
        };
        let raw = serde_json::to_vec(value).map_err(|e| e.to_string())?;
        self.items.push(Item { raw, revision });
        Ok(())
    }
}

/// Finds how the next page is asked for.
fn next(api: &Api, asked: &Asked, answer: &Val) -> Result<Option<Next>, String> {
    match api.spec.paging.kind {
        PagingKind::None | PagingKind::Offset => Ok(None),
        PagingKind::Link => {
            let link = asked.next_link();
            link.map(|link| bounded(link).map(Next::Url)).transpose()
        }
        PagingKind::Url => match pointer(api, answer)? {
            Some(Value::String(link)) => bounded(link).map(Next::Url).map(Some),
            Some(_) => Err("the next page's address is no text".to_owned()),
            None => Ok(None),
        },
        PagingKind::Token => match pointer(api, answer)? {
            Some(value) if value.to_string().len() > LONGEST_LINK => {
                Err("what points at the next page is too long".to_owned())
            }
            value => Ok(value.map(Next::Token)),
        },
    }
}

fn pointer(api: &Api, answer: &Val) -> Result<Option<Value>, String> {
    let Some(filter) = &api.next else {
        return Ok(None);
    };
    let usable = |out: Value| match out {
        Value::Null => None,
        Value::String(text) if text.is_empty() => None,
        other => Some(other),
    };
    filter
        .find(answer, &[], usable)
        .map_err(|error| format!("`paging.next`: {error}"))
}

fn bounded(link: String) -> Result<String, String> {
    match link.len() {
        0..=LONGEST_LINK => Ok(link),
        _ => Err("the next page's address is too long".to_owned()),
    }
}

/// Runs the filter that finds the list of items.
fn list(filter: &Filter, answer: &Val) -> Result<Vec<Value>, String> {
    let found = filter
        .find(answer, &[], Some)
        .map_err(|error| format!("`answer.items`: {error}"))?;
    match found {
        Some(Value::Array(items)) => Ok(items),
        _ => Err("there is no list of items where the description says; is this the right API and version?".to_owned()),
    }
}

fn timestamp(value: &Value) -> Option<Timestamp> {
    match value {
        Value::String(text) => time::from_text(text),
        Value::Number(number) => time::from_json(&Json::Number(number.clone())),
        _ => None,
    }
}

fn short_hash(value: &Value) -> u64 {
    let digest = Sha256::digest(value.to_string().as_bytes());
    let mut first = [0; 8];
    first.copy_from_slice(&digest[..8]);
    u64::from_be_bytes(first)
}
