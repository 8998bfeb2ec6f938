//! What a provider says about an identity right now, and the evidence for it.

use std::collections::BTreeMap;

use futures::future::join_all;
use jiff::Timestamp;
use serde_json::Value;
use tokio::time::{Instant, timeout_at};

use super::connector::Connector;
use super::evidence;
use super::jq;
use super::lint;
use super::render;
use super::resolve::Resolved;
use super::spec::ReadSpec;
use crate::domain::identity::{Credential, Identity, LiveContext, Scope, Session};
use crate::domain::text::Untrusted;

/// Most entries of one kind that are kept for the card.
const MAX_ENTRIES: usize = 500;
/// Most characters of one field.
const MAX_FIELD: usize = 512;

/// A live context and the answers that it was read from.
#[derive(Clone, Debug, Default)]
pub struct ContextRead {
    /// For the identity card. What could not be read stands in its `unknown`.
    pub context: LiveContext,
    /// Name, bytes without secrets, and source URL of every answer.
    pub evidence: Vec<(String, Vec<u8>, String)>,
}

/// Parts of the card that a read can fill.
#[derive(Clone, Copy)]
enum Part {
    Sessions,
    Roles,
    Grants,
    Credentials,
    Identity,
}

impl Part {
    const fn name(self) -> &'static str {
        match self {
            Self::Sessions => "sessions",
            Self::Roles => "roles",
            Self::Grants => "grants",
            Self::Credentials => "credentials",
            Self::Identity => "identity",
        }
    }
}

impl Connector {
    /// Reads everything the connector can tell about an identity, as much at once as possible. Changes nothing. It takes
    /// twice as long as one exchange may, at most: once for what has to be looked up first, once for the rest.
    ///
    /// Never fails as a whole: what could not be read is listed as unknown with the provider and the reason.
    pub async fn read_context(&self, identity: &Identity) -> ContextRead {
        let end = Instant::now() + self.patience * 2;
        let mut out = ContextRead::default();
        let mut resolved = Resolved::default();
        match self.parameters(identity) {
            Ok(scope) => {
                resolved.scope = scope;
                let now = Value::from(Timestamp::now().as_second());
                resolved.scope.insert("now_s".to_owned(), now);
            }
            Err(error) => {
                self.miss(&mut out, "everything", &error.to_string());
                return out;
            }
        }
        let spec = &self.spec.context;
        let parts = [
            (Part::Identity, &spec.identity),
            (Part::Sessions, &spec.sessions),
            (Part::Roles, &spec.roles),
            (Part::Grants, &spec.grants),
            (Part::Credentials, &spec.credentials),
        ];
        let mut ready = Vec::new();
        // Plain loops: closures over references make the future's type too narrow to be spawned.
        let mut all: Vec<(Part, &ReadSpec)> = Vec::new();
        for (part, of_part) in parts {
            if of_part.is_empty() {
                out.context.unread.push(part.name().to_owned());
            }
            for read in of_part {
                all.push((part, read));
            }
        }
        for (part, read) in all {
            let mut wanted = lint::uses(&read.read);
            wanted.extend(jq::mentioned(&read.shape).into_iter().map(str::to_owned));
            let looking = self.resolve(identity, &wanted, &mut resolved);
            match timeout_at(end, looking).await {
                Ok(Ok(())) => ready.push((part, read)),
                Ok(Err(error)) => self.miss(&mut out, part.name(), &error.to_string()),
                Err(_) => self.miss(&mut out, part.name(), &self.late()),
            }
        }
        for (id, (request, body)) in &resolved.reads {
            out.evidence
                .push(self.as_evidence(id, body.clone(), &request.url));
        }
        let mut asking = Vec::new();
        for (_, read) in &ready {
            asking.push(timeout_at(end, self.read_part(identity, read, &resolved)));
        }
        let answers = join_all(asking).await;
        for ((part, _), answer) in ready.iter().zip(answers) {
            match answer.unwrap_or_else(|_| Err(self.late())) {
                Ok((evidence, shaped)) => {
                    out.evidence.push(evidence);
                    if let Err(why) = fill(&mut out.context, *part, &shaped) {
                        self.miss(&mut out, part.name(), &why);
                    }
                }
                Err(why) => self.miss(&mut out, part.name(), &why),
            }
        }
        out
    }

    /// Notes what is unknown, through whom, and why.
    fn miss(&self, out: &mut ContextRead, part: &str, why: &str) {
        let why = Untrusted::new(format!("{}: {why}", self.name));
        out.context.unknown.push((part.to_owned(), why));
    }

    fn late(&self) -> String {
        format!("no answer within {} s", self.patience.as_secs() * 2)
    }

    async fn read_part(
        &self,
        identity: &Identity,
        read: &ReadSpec,
        resolved: &Resolved,
    ) -> Result<((String, Vec<u8>, String), Value), String> {
        let request = render::read(&self.base, &read.read, &resolved.scope, identity)
            .map_err(|e| e.to_string())?;
        let (_, body) = self
            .ask(&request)
            .await
            .map_err(|why| format!("cannot read `{}`: {why}", read.read.id))?;
        let shaped = jq::first(&jq::with_vars(&read.shape, &resolved.scope), &body)
            .map_err(|e| e.to_string())?;
        Ok((self.as_evidence(&read.read.id, body, &request.url), shaped))
    }

    fn as_evidence(&self, name: &str, mut body: Value, url: &str) -> (String, Vec<u8>, String) {
        evidence::strip(&mut body, &self.spec.redact);
        (
            name.to_owned(),
            body.to_string().into_bytes(),
            url.to_owned(),
        )
    }
}

/// Puts shaped data on the card. Fields of an unexpected type count as not known.
fn fill(context: &mut LiveContext, part: Part, shaped: &Value) -> Result<(), String> {
    if let Part::Identity = part {
        if let Some(enabled) = shaped.get("enabled").and_then(Value::as_bool) {
            context.enabled = Some(enabled);
        }
        context.attributes.extend(attributes(shaped));
        return Ok(());
    }
    let items = shaped
        .as_array()
        .ok_or_else(|| format!("the connector's shape for {} gave no list", part.name()))?;
    for item in items.iter().take(MAX_ENTRIES) {
        match part {
            Part::Sessions => context.sessions.extend(session(item)),
            Part::Roles => context.scopes.extend(scope(item)),
            Part::Grants => context.grants.extend(text(Some(item))),
            Part::Credentials => context.credentials.extend(credential(item)),
            Part::Identity => {}
        }
    }
    if items.len() > MAX_ENTRIES {
        return Err(format!(
            "{} more {} than are shown",
            items.len() - MAX_ENTRIES,
            part.name()
        ));
    }
    Ok(())
}

fn attributes(shaped: &Value) -> BTreeMap<String, Untrusted> {
    shaped
        .get("attributes")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
        .take(MAX_ENTRIES)
        .filter_map(|(key, value)| Some((key.chars().take(64).collect(), text(Some(value))?)))
        .collect()
}

fn text(value: Option<&Value>) -> Option<Untrusted> {
    let raw = match value? {
        Value::String(s) if s.is_empty() => return None,
        Value::String(s) => s.chars().take(MAX_FIELD).collect(),
        Value::Number(n) => n.to_string(),
        Value::Bool(b) => b.to_string(),
        Value::Array(_) | Value::Object(_) | Value::Null => return None,
    };
    Some(Untrusted::new(raw))
}

/// Reads RFC 3339 text, or epoch seconds as a number or digits.
fn time(value: Option<&Value>) -> Option<Timestamp> {
    match value? {
        Value::String(s) if s.bytes().all(|b| b.is_ascii_digit()) => {
            Timestamp::from_second(s.parse().ok()?).ok()
        }
        Value::String(s) => s.parse().ok(),
        Value::Number(n) => Timestamp::from_second(n.as_i64()?).ok(),
        _ => None,
    }
}

fn session(item: &Value) -> Option<Session> {
    Some(Session {
        id: text(item.get("id"))?,
        kind: text(item.get("kind")).unwrap_or_else(|| Untrusted::new("session")),
        started: time(item.get("started")),
        last_seen: time(item.get("last_seen")),
        expires: time(item.get("expires")),
        origin: text(item.get("origin")),
    })
}

fn scope(item: &Value) -> Option<Scope> {
    Some(Scope {
        name: text(item.get("name"))?,
        privileged: item
            .get("privileged")
            .and_then(Value::as_bool)
            .unwrap_or(false),
        ..Scope::default()
    })
}

fn credential(item: &Value) -> Option<Credential> {
    Some(Credential {
        id: text(item.get("id"))?,
        kind: text(item.get("kind")).unwrap_or_else(|| Untrusted::new("credential")),
        store: text(item.get("store")),
        created: time(item.get("created")),
        expires: time(item.get("expires")),
        last_used: time(item.get("last_used")),
        rotation: text(item.get("rotation")),
        enabled: item.get("enabled").and_then(Value::as_bool),
        // Where a copy lies is for the inventory to say, never for an answer.
        secret_ref: None,
        ..Credential::default()
    })
}
