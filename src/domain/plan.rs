//! A plan: a playbook bound to one identity, frozen, with the exact requests that would leave and a digest over all.
//!
//! A plan is approved and run by its digest and nothing else, so whatever could change the effect is part of the
//! canonical bytes: requests, targets, what would break, preconditions, nonce and expiry.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::alert::bound;
use super::ids::{AlertId, IdentityId, NodeId, PlanDigest, StepId};
use super::text::Untrusted;
use super::vocabulary::{Criticality, Layer, Tier, Verb};

/// How long a plan may be run after it was built, in seconds: long enough to be read and approved, short enough that
/// what it was built from still holds (`LOG` §4.2: 15 minutes).
pub const PLAN_LIFETIME_S: i64 = 15 * 60;

/// Returns when a plan that is built now was built, to the millisecond as its record keeps it, and when it expires.
pub fn lifetime(now: Timestamp) -> (Timestamp, Timestamp) {
    let created = Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now);
    let expires = created.checked_add(SignedDuration::from_secs(PLAN_LIFETIME_S));
    (created, expires.unwrap_or(created))
}

/// A frozen plan. Its field order is irrelevant: the digest is over [`canonical`] bytes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// Format version of this object, 1.
    pub v: u8,
    /// The alert that it answers.
    pub alert: AlertId,
    /// The incident that the alert belongs to, as its source says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub incident: Option<Untrusted>,
    /// Whom it contains.
    pub identity: IdentityId,
    /// The name to type for a hard-tier plan.
    pub identity_name: Untrusted,
    /// Values that its requests were rendered with (`client_id = "svc-deploy"`), besides what the provider was asked.
    pub params: BTreeMap<String, String>,
    /// Environment of the identity, as the inventory says.
    pub environment: Option<Untrusted>,
    /// Which playbook.
    pub playbook: String,
    /// SHA-256 of the playbook's canonical bytes, hex.
    pub playbook_sha256: String,
    /// Highest tier among the steps.
    pub tier: Tier,
    /// When it was built.
    pub created: Timestamp,
    /// When it can no longer be run.
    pub expires: Timestamp,
    /// Makes two plans with equal effects differ, so that an approval is for one of them.
    pub nonce: String,
    /// Built on the drill, not on real systems.
    pub drill: bool,
    /// What is done, in order.
    pub steps: Vec<PlanStep>,
    /// Steps of the playbook that were left out, with the reason.
    pub skipped: Vec<Skipped>,
    /// What the map said when it was built.
    pub impact: ImpactSnapshot,
    /// What an attacker still holds after all steps are proven.
    pub residual: Vec<Residual>,
    /// Facts that must still hold when it runs; drift voids the plan.
    pub preconditions: Vec<Precondition>,
}

/// One bound step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanStep {
    /// `1`, `2`, … in order of execution.
    pub id: StepId,
    /// What it does.
    pub verb: Verb,
    /// In words, from the connector.
    pub title: String,
    /// Why it stands here, from the playbook.
    pub why: String,
    /// Who owns it.
    pub team: String,
    /// How far it goes.
    pub tier: Tier,
    /// Which layer it closes.
    pub layer: Layer,
    /// Which configured connector carries it out; empty for hand-off steps.
    pub connector: String,
    /// On what, in words and native ids.
    pub target: Untrusted,
    /// Exact requests, in order.
    pub requests: Vec<RenderedRequest>,
    /// How it is proven; `None` for hand-off steps.
    pub verify: Option<RenderedVerify>,
    /// How it is taken back.
    pub undo: Undo,
    /// What it interrupts, in words.
    pub breaks: String,
    /// Whether sending it twice has the effect of sending it once.
    pub idempotent: bool,
    /// How many seconds after the step before it that issues a credential took hold it is carried out, by itself; `None` is
    /// with the others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after_s: Option<u64>,
}

/// A step of the playbook that this plan does not contain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Skipped {
    /// What it would have done.
    pub verb: Verb,
    /// Why not.
    pub reason: String,
}

/// One request exactly as it will leave, except that secrets stand as references.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RenderedRequest {
    /// Its name in the connector file; later filters refer to its answer by it.
    pub id: String,
    /// HTTP method.
    pub method: String,
    /// Absolute URL.
    pub url: String,
    /// Headers besides authorisation, `Content-Type` and `Idempotency-Key`, which the sender adds.
    pub headers: Vec<(String, String)>,
    /// What is sent.
    pub body: Body,
    /// Status codes that mean *accepted*.
    pub expect: Vec<u16>,
    /// Status codes that mean *already so*.
    pub already: Vec<u16>,
    /// jq filter over the answer that must be true for success, for APIs that report errors with status 200.
    pub accept_if: Option<String>,
    /// Where a secret in the answer goes, so that it never reaches the journal.
    pub capture: Option<Capture>,
    /// How the next page of a list is asked for. The body of a list read to its end is the array of its pages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<NextPage>,
}

/// Where an answer says what the next page is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum NextPage {
    /// In a `Link` header with `rel="next"` (RFC 8288).
    Link,
    /// In its body, as a whole URL.
    Url {
        /// jq filter that finds it; null or empty after the last page.
        filter: String,
    },
    /// In its body, as a mark that goes into the query of the same URL.
    Query {
        /// jq filter that finds it; null or empty after the last page.
        filter: String,
        /// Name in the query.
        name: String,
    },
    /// In its body, as a mark that goes into the form.
    Form {
        /// jq filter that finds it; null or empty after the last page.
        filter: String,
        /// Name of the field.
        name: String,
    },
}

/// A request body, structured until the moment it is sent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Body {
    /// No body.
    None,
    /// JSON. An object `{"$secret": "file:…"}` stands for the secret behind that reference.
    Json {
        /// The value to serialise.
        value: Value,
    },
    /// `application/x-www-form-urlencoded`.
    Form {
        /// Fields in order.
        fields: Vec<FormField>,
    },
}

/// One form field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FormField {
    /// Its name.
    pub name: String,
    /// Its value, when it is no secret.
    pub value: Option<String>,
    /// A reference to its value, when it is a secret.
    pub secret: Option<String>,
}

/// Puts a secret from an answer where it belongs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Capture {
    /// jq filter that finds it in the answer.
    pub filter: String,
    /// File it is written to, mode 0600.
    pub sink: String,
}

/// How a step is proven: requests repeated until a filter over their answers is true, or the deadline passes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RenderedVerify {
    /// What is asked.
    pub requests: Vec<RenderedRequest>,
    /// jq filter over `{"<request id>": {"status": 200, "body": …}}`; true proves the step.
    pub proven_if: String,
    /// In words, what a proof means.
    pub says: String,
    /// Pause between tries, in milliseconds.
    pub interval_ms: u64,
    /// When to give up, in milliseconds from the first try.
    pub deadline_ms: u64,
}

/// How a step is taken back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Undo {
    /// By these requests, proven like any step.
    Requests {
        /// Exact requests.
        requests: Vec<RenderedRequest>,
        /// How the undo is proven.
        verify: Option<RenderedVerify>,
    },
    /// It cannot be, for this reason.
    Irreversible {
        /// Why.
        reason: String,
    },
    /// It changed nothing.
    NothingToUndo,
}

/// A fact the plan was built on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Precondition {
    /// Which connector asks.
    pub connector: String,
    /// The read that told it.
    pub request: RenderedRequest,
    /// jq filter over the answer's body.
    pub filter: String,
    /// What it gave.
    pub expected: Value,
    /// In words.
    pub says: String,
}

/// What the map said when the plan was built.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImpactSnapshot {
    /// Who stops working.
    pub breaks: Vec<ImpactNode>,
    /// What an attacker who holds the identity can reach.
    pub reaches: Vec<ImpactNode>,
    /// Whether a walk was cut at its cap.
    pub truncated: bool,
    /// Why the steps stand in this order: layers, shared nodes, cycles.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub order: Vec<String>,
}

impl ImpactSnapshot {
    /// Says how another snapshot differs from this one, one line each; nothing when both show the same nodes.
    pub fn drift(&self, now: &Self) -> Vec<String> {
        let sides = [
            ("breaks", &self.breaks, &now.breaks),
            ("reaches", &self.reaches, &now.reaches),
        ];
        let mut lines = Vec::new();
        for (side, was, is) in sides {
            let lacks =
                |nodes: &[ImpactNode], node: &ImpactNode| nodes.iter().all(|n| n.node != node.node);
            let label = |n: &ImpactNode| super::text::show_identifier(n.label.raw()).into_owned();
            let more = is.iter().filter(|n| lacks(was, n));
            lines.extend(more.map(|n| format!("+ {side} {}", label(n))));
            let less = was.iter().filter(|n| lacks(is, n));
            lines.extend(less.map(|n| format!("- {side} {}", label(n))));
        }
        lines
    }
}

/// One node of a snapshot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImpactNode {
    /// Its key on the map.
    pub node: NodeId,
    /// What people call it.
    pub label: Untrusted,
    /// How much hangs on it.
    pub criticality: Option<Criticality>,
    /// How many edges away.
    pub depth: usize,
}

/// Something the attacker keeps although every step is proven.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Residual {
    /// Which layer stays open.
    pub layer: Layer,
    /// In words.
    pub text: String,
    /// For how long at most, in seconds from the last act; `None` is *until somebody ends it*.
    pub at_most_s: Option<u64>,
}

impl Residual {
    /// Says for how long it stays open, in words that fit a line whatever a provider says.
    pub fn lasts(&self) -> String {
        self.at_most_s.map_or_else(
            || "until somebody ends it".to_owned(),
            |s| format!("for at most {}", bound(s)),
        )
    }
}

/// Returns canonical bytes of a value: JSON without spaces, object keys sorted, ASCII only.
///
/// The bytes depend on content alone, so two programs that agree on a plan agree on its digest. Floats do not occur:
/// every number in a plan is an integer or a string.
pub fn canonical(value: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    write_canonical(value, &mut out);
    out
}

fn write_canonical(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Object(map) => {
            let mut keys: Vec<_> = map.keys().collect();
            keys.sort();
            out.push(b'{');
            for (i, key) in keys.into_iter().enumerate() {
                if i > 0 {
                    out.push(b',');
                }
                write_ascii_string(key, out);
                out.push(b':');
                write_canonical(&map[key.as_str()], out);
            }
            out.push(b'}');
        }
        Value::Array(items) => {
            out.push(b'[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push(b',');
                }
                write_canonical(item, out);
            }
            out.push(b']');
        }
        Value::String(text) => write_ascii_string(text, out),
        other => out.extend_from_slice(other.to_string().as_bytes()),
    }
}

/// Writes a JSON string with everything outside 0x20-0x7E as `\uXXXX`, so that `cat` of it commands no terminal.
pub fn write_ascii_string(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    for c in text.chars() {
        match c {
            '"' => out.extend_from_slice(b"\\\""),
            '\\' => out.extend_from_slice(b"\\\\"),
            '\n' => out.extend_from_slice(b"\\n"),
            '\r' => out.extend_from_slice(b"\\r"),
            '\t' => out.extend_from_slice(b"\\t"),
            ' '..='~' => out.push(c as u8),
            _ => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    out.extend_from_slice(format!("\\u{unit:04x}").as_bytes());
                }
            }
        }
    }
    out.push(b'"');
}

/// Returns the SHA-256 of bytes as lower-case hex.
pub fn sha256_hex(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// Writes bytes as lower-case hex.
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut out = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        out.push(char::from(DIGITS[usize::from(byte >> 4)]));
        out.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    out
}

impl PlanStep {
    /// Tells whether people do this, and the console only writes down that it was handed over.
    pub fn is_handed_over(&self) -> bool {
        let by_hand = self.connector.is_empty() && self.requests.is_empty();
        by_hand && self.verb != Verb::PreserveEvidence
    }
}

impl Plan {
    /// Returns the canonical JSON value of this plan.
    pub fn to_value(&self) -> Value {
        // Plans consist of strings, integers, lists and maps with string keys, which always serialise.
        serde_json::to_value(self).unwrap_or(Value::Null)
    }

    /// Returns the digest by which this plan is approved and run.
    pub fn digest(&self) -> PlanDigest {
        PlanDigest::new(sha256_hex(&canonical(&self.to_value())))
    }

    /// Returns the connectors that its steps go through, each once.
    pub fn connectors(&self) -> Vec<&str> {
        let mut names: Vec<&str> = Vec::new();
        for step in self.steps.iter().filter(|s| !s.connector.is_empty()) {
            if !names.contains(&step.connector.as_str()) {
                names.push(&step.connector);
            }
        }
        names
    }

    /// Returns the step whose effect another waits for: the last before it that issues a credential.
    pub fn issues_before(&self, step: &PlanStep) -> Option<&PlanStep> {
        let before = self.steps.iter().take_while(|s| s.id != step.id);
        before.filter(|s| s.verb == Verb::IssueCredential).last()
    }

    /// Finds a step.
    pub fn step(&self, id: &StepId) -> Option<&PlanStep> {
        self.steps.iter().find(|s| s.id == *id)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn canonical_bytes_ignore_key_order_and_stay_ascii() {
        let a = json!({"b": 1, "a": ["\u{202e}", {"y": null, "x": true}]});
        let b: Value =
            serde_json::from_str(r#"{"a":["\u202e",{"x":true,"y":null}],"b":1}"#).unwrap();
        assert_eq!(canonical(&a), canonical(&b));
        assert_eq!(
            canonical(&a),
            br#"{"a":["\u202e",{"x":true,"y":null}],"b":1}"#
        );
    }

    #[test]
    fn canonical_bytes_read_back() {
        let value = json!({"k\"\\\u{1F600}\u{7f}\n": [1, -2, "x"]});
        assert_eq!(
            serde_json::from_slice::<Value>(&canonical(&value)).unwrap(),
            value
        );
    }
}
