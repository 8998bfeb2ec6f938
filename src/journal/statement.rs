//! A short text that a person signed with a key of their own, apart from the key that signs their log: an approval, or
//! vouching for a colleague's new key. The record that carries it is in the log of whoever says it.

use ed25519_dalek::VerifyingKey;
use serde_json::{Value, json};

use super::agent::{self, Agent, AgentError, AgentKey};
use super::note::{Verifier, signature_line};

/// A person's key in an agent, ready to sign.
#[derive(Debug)]
pub struct Signer {
    agent: Agent,
    key: AgentKey,
}

impl Signer {
    /// Takes the key with this comment or fingerprint; an empty text means the only one there is.
    pub fn new(mut agent: Agent, wanted: &str) -> Result<Self, AgentError> {
        let key = agent.key(wanted)?;
        Ok(Self { agent, key })
    }

    /// The key that signs.
    pub fn key(&self) -> &AgentKey {
        &self.key
    }

    /// Signs `text` as a statement in the log `origin`; returns what a record keeps of it. `text` must end in a line
    /// feed (C2SP signed-note).
    pub fn sign(&mut self, origin: &str, text: &str) -> Result<Value, AgentError> {
        let signature = self.agent.sign(&self.key.key, text.as_bytes())?;
        let by = Verifier {
            name: origin.to_owned(),
            key: self.key.key,
        };
        let line = signature_line(origin, by.id(), &signature);
        Ok(json!({
            "ssh_key": agent::public_line(&self.key.key),
            "note": format!("{text}\n{line}"),
        }))
    }
}

/// Reads back what [`Signer::sign`] made for this very text in this log; returns the key that signed it.
pub fn check(signed: &Value, origin: &str, text: &str) -> Option<VerifyingKey> {
    let by = Verifier {
        name: origin.to_owned(),
        key: agent::read_public(signed["ssh_key"].as_str()?)?,
    };
    (by.open(signed["note"].as_str()?)? == text).then_some(by.key)
}

/// What is signed when somebody vouches for a key of another log.
pub fn countersignature(origin: &str, vkey: &str, seq: u64) -> String {
    format!("stanch countersign\n{origin}\n{vkey}\n{seq}\n")
}

/// What is signed when somebody agrees to a plan, or refuses it.
pub fn approval(digest: &str, approved: bool) -> String {
    let verdict = if approved { "approve" } else { "reject" };
    format!("stanch {verdict}\n{digest}\n")
}
