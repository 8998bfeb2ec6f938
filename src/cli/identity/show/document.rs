//! All that is known about an identity, as one JSON document.

use serde_json::{Map, Value, json};

use super::{Live, View};
use crate::domain::identity::{At, Credential, Field};
use crate::domain::text::{Untrusted, show};

impl View<'_> {
    /// Returns who said a field and what others say.
    fn provenance(&self, at: &At) -> Map<String, Value> {
        let mut map = Map::new();
        if let Some(origin) = self.card.origin(at) {
            map.insert("source".to_owned(), json!(show(&origin.source)));
            map.insert("as_of".to_owned(), json!(origin.at));
            map.insert("stale".to_owned(), json!(origin.is_stale(self.now)));
        }
        let conflicts: Vec<Value> = self
            .card
            .conflicts(at)
            .map(|said| {
                json!({
                    "value": said.value.as_ref().map(Untrusted::show), "source": show(&said.origin.source),
                    "as_of": said.origin.at, "place": show(&said.origin.place), "line": Some(said.line).filter(|l| *l > 0),
                })
            })
            .collect();
        if !conflicts.is_empty() {
            map.insert("conflicts".to_owned(), Value::Array(conflicts));
        }
        map
    }

    /// Returns a field with its provenance; an unknown one is null.
    fn field(&self, at: impl Into<At>, value: Option<&Untrusted>) -> Value {
        let Some(value) = value else {
            return Value::Null;
        };
        let mut map = Map::new();
        map.insert("value".to_owned(), json!(value.show()));
        map.extend(self.provenance(&at.into()));
        Value::Object(map)
    }

    pub(super) fn json(&self) -> Value {
        let card = self.card;
        let shown = |texts: &[Untrusted]| -> Vec<String> {
            texts.iter().map(|t| t.show().into_owned()).collect()
        };
        let mut all = Map::new();
        all.insert("id".to_owned(), json!(show(card.id.as_str())));
        all.insert("found_by".to_owned(), json!(self.reason.reason));
        for (field, value) in card.told() {
            let told = self.field(field, value.as_ref());
            all.insert(field.as_str().to_owned(), told);
        }
        all.insert("aliases".to_owned(), json!(shown(&card.aliases)));
        let scopes: Vec<Value> = card
            .scopes
            .iter()
            .map(|s| {
                let mut map = self.provenance(&At::of(Field::Scope, s.name.raw()));
                map.extend(object(json!({
                    "name": s.name.show(), "privileged": s.privileged, "level": s.level,
                    "on": s.on.as_ref().map(Untrusted::show), "used": s.used, "last_used": s.last_used,
                })));
                Value::Object(map)
            })
            .collect();
        all.insert("scopes".to_owned(), Value::Array(scopes));
        let credentials = card.credentials.iter().map(|c| self.credential(c));
        all.insert("credentials".to_owned(), credentials.collect());
        let grants: Vec<Value> = card
            .grants
            .iter()
            .map(|g| {
                let mut map = self.provenance(&At::of(Field::Grant, g.id.raw()));
                map.extend(object(json!({
                    "id": g.id.show(), "to": g.to.show(), "kind": g.kind.as_ref().map(Untrusted::show),
                    "scopes": shown(&g.scopes), "since": g.since, "expires": g.expires,
                })));
                Value::Object(map)
            })
            .collect();
        all.insert("grants".to_owned(), Value::Array(grants));
        let recovery: Vec<Value> = card
            .recovery
            .iter()
            .map(|r| {
                let mut map = self.provenance(&At::of(Field::Recovery, r.id.raw()));
                map.extend(object(json!({
                    "id": r.id.show(), "kind": r.kind.as_ref().map(Untrusted::show), "state": r.state,
                })));
                Value::Object(map)
            })
            .collect();
        all.insert("recovery".to_owned(), Value::Array(recovery));
        let intent = card.intent.as_ref().map(|i| {
            json!({ "purpose": i.purpose.as_ref().map(Untrusted::show), "tools": shown(&i.tools), "targets": shown(&i.targets) })
        });
        all.insert("intent".to_owned(), json!(intent));
        let usual = card.usual.as_ref().map(|u| {
            json!({
                "origins": shown(&u.origins), "hours": u.hours.as_ref().map(Untrusted::show),
                "actions": shown(&u.actions), "targets": shown(&u.targets),
            })
        });
        all.insert("usual".to_owned(), json!(usual));
        let observed = self.observed();
        let observed = observed.iter().map(|row| {
            json!({ "aspect": row.aspect, "normally": shown(&row.normally), "seen": row.seen })
        });
        all.insert("observed".to_owned(), observed.collect());
        let alert = self.alert.as_ref().map(|alert| show(alert.id.as_str()));
        all.insert("observed_alert".to_owned(), json!(alert));
        let sources = card.origins.iter().map(|o| {
            json!({ "name": show(&o.source), "place": show(&o.place), "as_of": o.at, "stale": o.is_stale(self.now) })
        });
        all.insert("sources".to_owned(), sources.collect());
        all.insert("flags".to_owned(), json!(self.flags));
        let live = self.live.as_ref().map(live_json);
        all.insert("live".to_owned(), json!(live));
        Value::Object(all)
    }

    fn credential(&self, c: &Credential) -> Value {
        let mut map = self.provenance(&At::of(Field::Credential, c.id.raw()));
        map.extend(object(credential_json(c)));
        let at = |s: &&crate::domain::identity::Said| {
            s.at.item.as_deref() == Some(c.id.raw()) && s.at.field != Field::Credential
        };
        let conflicts: Vec<Value> = self
            .card
            .contradictions()
            .filter(at)
            .map(|s| {
                json!({
                    "field": s.at.field, "value": s.value.as_ref().map(Untrusted::show), "source": show(&s.origin.source),
                    "as_of": s.origin.at,
                })
            })
            .collect();
        if !conflicts.is_empty() {
            map.insert("conflicts".to_owned(), Value::Array(conflicts));
        }
        Value::Object(map)
    }
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

fn credential_json(c: &Credential) -> Value {
    let text = |t: &Option<Untrusted>| t.as_ref().map(|t| t.show().into_owned());
    let texts = |texts: &[Untrusted]| -> Vec<String> {
        texts.iter().map(|t| t.show().into_owned()).collect()
    };
    json!({
        "id": c.id.show(), "kind": c.kind.show(), "store": text(&c.store), "fingerprint": text(&c.fingerprint),
        "created": c.created, "rotated": c.rotated, "expires": c.expires, "last_used": c.last_used,
        "rotation": text(&c.rotation), "enabled": c.enabled, "consumers": texts(&c.consumers),
        "offboarding": text(&c.offboarding), "hard_coded": texts(&c.hard_coded), "can_be_proven": c.secret_ref.is_some(),
    })
}

fn live_json((context, at): &Live) -> Value {
    let sessions: Vec<Value> = context
        .sessions
        .iter()
        .map(|s| {
            json!({
                "id": s.id.show(), "kind": s.kind.show(), "origin": s.origin.as_ref().map(Untrusted::show),
                "started": s.started, "last_seen": s.last_seen, "expires": s.expires,
            })
        })
        .collect();
    let scopes: Vec<Value> = context
        .scopes
        .iter()
        .map(|s| json!({ "name": s.name.show(), "privileged": s.privileged }))
        .collect();
    let unknown: Vec<Value> = context
        .unknown
        .iter()
        .map(|(part, why)| json!({ "part": show(part), "why": why.show() }))
        .collect();
    let attributes: Map<String, Value> = context
        .attributes
        .iter()
        .map(|(k, v)| (show(k).into_owned(), json!(v.show())))
        .collect();
    json!({
        "as_of": at, "enabled": context.enabled, "sessions": sessions, "scopes": scopes,
        "grants": context.grants.iter().map(Untrusted::show).collect::<Vec<_>>(),
        "credentials": context.credentials.iter().map(credential_json).collect::<Vec<_>>(),
        "attributes": attributes, "unknown": unknown,
    })
}
