//! Reads effects back: a 200 is not proof.

use std::time::Duration;

use serde_json::{Map, Value, json};
use tokio::time::{Instant, sleep};

use super::connector::Connector;
use super::error::ConnectError;
use super::jq;
use crate::domain::coverage::Proof;
use crate::domain::plan::{Precondition, RenderedVerify, canonical, sha256_hex};

/// Longest wait for a proof, whatever a plan says.
const MAX_DEADLINE: Duration = Duration::from_mins(10);
/// Shortest pause between tries, whatever a plan says.
const MIN_INTERVAL: Duration = Duration::from_millis(50);

/// What a read-back told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifyResult {
    /// The verdict.
    pub proof: Proof,
    /// In words.
    pub says: String,
    /// How often it was asked.
    pub tries: u32,
    /// SHA-256 of the canonical bytes of the last complete set of answers, hex.
    pub evidence_sha256: Option<String>,
}

/// A fact that no longer holds.
#[derive(Clone, Debug, PartialEq)]
pub struct Drift {
    /// The fact, in words.
    pub says: String,
    /// What it was when the plan was built.
    pub expected: Value,
    /// What it is now.
    pub found: Value,
}

impl Connector {
    /// Asks until the proof comes or the deadline passes; asks once at least.
    ///
    /// An answer with a status that the connector file does not expect tells nothing: neither proof nor disproof.
    pub async fn verify(&self, verify: &RenderedVerify) -> VerifyResult {
        let end = Instant::now() + Duration::from_millis(verify.deadline_ms).min(MAX_DEADLINE);
        let interval = Duration::from_millis(verify.interval_ms).max(MIN_INTERVAL);
        let mut tries = 0;
        let mut evidence_sha256 = None;
        loop {
            tries += 1;
            let (proof, says) = match self.answers(verify).await {
                Err(why) => (Proof::CannotTell, why),
                Ok(answers) => {
                    evidence_sha256 = Some(sha256_hex(&canonical(&answers)));
                    match jq::is_true(&verify.proven_if, &answers) {
                        Ok(true) => (Proof::Agrees, verify.says.clone()),
                        Ok(false) => (
                            Proof::Disagrees,
                            format!("the provider answers, and this is not so: {}", verify.says),
                        ),
                        Err(error) => (Proof::CannotTell, error.to_string()),
                    }
                }
            };
            if proof == Proof::Agrees || Instant::now() + interval > end {
                return VerifyResult {
                    proof,
                    says,
                    tries,
                    evidence_sha256,
                };
            }
            sleep(interval).await;
        }
    }

    /// Asks everything once; `{"<request id>": {"status": …, "body": …}}`.
    async fn answers(&self, verify: &RenderedVerify) -> Result<Value, String> {
        let mut out = Map::new();
        for request in &verify.requests {
            let (status, body) = self.ask(request).await.map_err(|why| {
                format!(
                    "cannot tell, because `{}` gave no usable answer: {why}",
                    request.id
                )
            })?;
            out.insert(request.id.clone(), json!({"status": status, "body": body}));
        }
        Ok(Value::Object(out))
    }

    /// Reads a precondition again; `Some` when it no longer holds.
    pub async fn drift(&self, precondition: &Precondition) -> Result<Option<Drift>, ConnectError> {
        let id = &precondition.request.id;
        let (_, body) =
            self.ask(&precondition.request)
                .await
                .map_err(|why| ConnectError::Read {
                    id: id.clone(),
                    why,
                })?;
        let found = jq::first(&precondition.filter, &body).map_err(|error| ConnectError::Jq {
            block: format!("precondition `{id}`"),
            error,
        })?;
        Ok((found != precondition.expected).then(|| Drift {
            says: precondition.says.clone(),
            expected: precondition.expected.clone(),
            found,
        }))
    }
}
