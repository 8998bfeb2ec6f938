//! Sends the requests of a plan, exactly as they were approved, and says what became of them.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde_json::Value;
use zeroize::Zeroize;

use super::capture::Sink;
use super::connector::Connector;
use super::http::{Answer, Exchange, Way};
use super::jq;
use super::outcome::{MAX_TRIES, class_of, classify, pause};
use crate::domain::coverage::WireOutcome;
use crate::domain::decision::{Attempt, ErrorClass};
use crate::domain::ids::IntentId;
use crate::domain::plan::{RenderedRequest, sha256_hex};

/// What became of the requests of one step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunResult {
    /// The outcome of the request that decided: the first that was not taken, else the last.
    pub outcome: WireOutcome,
    /// Its HTTP status, if it was answered.
    pub http_status: Option<u16>,
    /// The provider's own id of it.
    pub provider_request_id: Option<String>,
    /// How many requests left or tried to leave, over the whole step.
    pub attempts: u32,
    /// What went wrong, naming the request. Also set when the effect took place and something beside it failed.
    pub error: Option<String>,
    /// What kind of thing went wrong first.
    pub error_class: Option<ErrorClass>,
    /// `Retry-After` of its answer.
    pub retry_after: Option<String>,
    /// Bytes of request bodies that left or may have left, over the whole step.
    pub bytes_sent: u64,
    /// Every try of requests that were sent more than once.
    pub tries: Vec<Attempt>,
    /// SHA-256 of the headers of its answer, hex.
    pub headers_sha256: Option<String>,
    /// SHA-256 of the body of its answer, hex.
    pub body_sha256: Option<String>,
    /// Files that captured secrets were written to.
    pub captured: Vec<PathBuf>,
}

impl RunResult {
    fn new() -> Self {
        Self {
            outcome: WireOutcome::NoChange,
            http_status: None,
            provider_request_id: None,
            attempts: 0,
            error: None,
            error_class: None,
            retry_after: None,
            bytes_sent: 0,
            tries: Vec::new(),
            headers_sha256: None,
            body_sha256: None,
            captured: Vec::new(),
        }
    }

    fn note(&mut self, id: &str, class: ErrorClass, why: &str) {
        self.error_class.get_or_insert(class);
        let text = format!("request `{id}`: {why}");
        self.error = Some(match self.error.take() {
            Some(before) => format!("{before}; {text}"),
            None => text,
        });
    }
}

impl Connector {
    /// Sends requests in order and stops at the first that is not taken. Nothing unknown is ever sent again.
    ///
    /// `idempotency_key` goes out as `Idempotency-Key` with the first request; later ones of the same step append their
    /// number, because one key stands for one request.
    pub async fn run(&self, requests: &[RenderedRequest], idempotency_key: &str) -> RunResult {
        self.run_by(Way::Own, requests, idempotency_key).await
    }

    /// Sends them by connections of their own, or, where sending them twice equals sending them once, by shared ones.
    pub async fn run_by(
        &self,
        way: Way,
        requests: &[RenderedRequest],
        idempotency_key: &str,
    ) -> RunResult {
        let mut result = RunResult::new();
        let mut effect = false;
        for (i, request) in requests.iter().enumerate() {
            let key = match i {
                0 => idempotency_key.to_owned(),
                _ => format!("{idempotency_key}-{}", i + 1),
            };
            let outcome = self.run_one(request, &key, way, &mut result).await;
            let taken = matches!(
                outcome,
                WireOutcome::Accepted | WireOutcome::AcceptedAsync | WireOutcome::NoChange
            );
            result.outcome = match (outcome, effect) {
                // Something of this step did leave and take effect: it is not true that nothing was sent.
                (
                    WireOutcome::NotSent | WireOutcome::Rejected | WireOutcome::BlockedRedirect,
                    true,
                ) => {
                    result.note(
                        &request.id,
                        ErrorClass::Answer,
                        "the requests before it took effect",
                    );
                    WireOutcome::Unknown
                }
                (WireOutcome::NoChange, true) => WireOutcome::Accepted,
                (WireOutcome::Accepted, true) if result.outcome == WireOutcome::AcceptedAsync => {
                    WireOutcome::AcceptedAsync
                }
                (outcome, _) => outcome,
            };
            if !taken {
                break;
            }
            effect |= outcome != WireOutcome::NoChange;
        }
        result
    }

    async fn run_one(
        &self,
        request: &RenderedRequest,
        key: &str,
        way: Way,
        result: &mut RunResult,
    ) -> WireOutcome {
        let sink = match self.sink(request) {
            Ok(sink) => sink,
            Err(why) => {
                result.note(
                    &request.id,
                    ErrorClass::Console,
                    &format!("not sent, because its secret would be lost: {why}"),
                );
                return WireOutcome::NotSent;
            }
        };
        for attempt in 1.. {
            result.attempts += 1;
            let answer = match self.exchange(request, Some(key), way).await {
                Err(error) => {
                    result.note(&request.id, ErrorClass::Console, &error.to_string());
                    return WireOutcome::NotSent;
                }
                Ok(Exchange::NotSent(why)) => {
                    result.note(&request.id, ErrorClass::Connect, &why);
                    return WireOutcome::NotSent;
                }
                Ok(Exchange::Lost(why, sent)) => {
                    result.bytes_sent += sent;
                    result.note(&request.id, ErrorClass::Lost, &why);
                    return WireOutcome::Unknown;
                }
                Ok(Exchange::Answer(answer)) => answer,
            };
            let (outcome, why) = classify(&answer, request);
            result.bytes_sent += answer.sent;
            let mut tried = Attempt {
                intent: IntentId::new(key),
                request: request.id.clone(),
                attempt,
                at: Timestamp::now(),
                outcome,
                http_status: Some(answer.status),
                retry_after: answer.retry_after.clone(),
                waited_ms: None,
            };
            if outcome == WireOutcome::Deferred && attempt < MAX_TRIES {
                let wait = pause(answer.retry_after.as_deref(), attempt + 1, Timestamp::now());
                if let Some(wait) = wait {
                    tried.waited_ms = u64::try_from(wait.as_millis()).ok();
                    result.tries.push(tried);
                    tokio::time::sleep(wait).await;
                    continue;
                }
            }
            if attempt > 1 {
                result.tries.push(tried);
            }
            result.retry_after.clone_from(&answer.retry_after);
            result.http_status = Some(answer.status);
            result.provider_request_id.clone_from(&answer.request_id);
            result.headers_sha256 = Some(answer.headers_sha256.clone());
            result.body_sha256 = answer.body.as_ref().ok().map(|bytes| sha256_hex(&bytes.0));
            if let Some(why) = why {
                let class = class_of(outcome, answer.status).unwrap_or(ErrorClass::Answer);
                result.note(&request.id, class, &why);
            }
            if let (Some(sink), WireOutcome::Accepted | WireOutcome::AcceptedAsync) =
                (sink, outcome)
            {
                match capture(&answer, request, sink) {
                    Ok(path) => result.captured.push(path),
                    Err(why) => result.note(&request.id, ErrorClass::Beside, &why),
                }
            }
            return outcome;
        }
        WireOutcome::Unknown
    }

    /// Opens the place for a secret before anything is sent.
    fn sink(&self, request: &RenderedRequest) -> Result<Option<Sink>, String> {
        let Some(capture) = &request.capture else {
            return Ok(None);
        };
        let dir = self
            .secret_dir
            .as_deref()
            .ok_or_else(|| "the connector has no `secret_dir`".to_owned())?;
        Sink::prepare(Path::new(&capture.sink), dir)
            .map(Some)
            .map_err(|e| e.to_string())
    }
}

/// Takes the secret out of an answer and keeps it. Errors never hold it.
fn capture(answer: &Answer, request: &RenderedRequest, sink: Sink) -> Result<PathBuf, String> {
    let lost = |why: &str| {
        format!(
            "it took effect, but its new secret was not captured ({why}); read it from the provider"
        )
    };
    let filter = request.capture.as_ref().map_or("", |c| c.filter.as_str());
    let body = answer.json().map_err(lost)?;
    match jq::first(filter, &body) {
        Ok(Value::String(mut secret)) if !secret.is_empty() => {
            let kept = sink.keep(&secret).map_err(|e| lost(&e.to_string()));
            secret.zeroize();
            kept
        }
        _ => Err(lost("it is not where the connector file says")),
    }
}
