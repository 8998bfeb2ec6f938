//! One webhook: who sent it, what is in it, and what its sender is told.

use std::sync::Arc;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{HeaderName, HeaderValue, WWW_AUTHENTICATE};
use hyper::{HeaderMap, Method, Request, Response, StatusCode};
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use super::sender::{Refusal, Verifier};
use super::{Desk, Outcome, answer, body, not_stored, only_post, with};
use crate::app::settings::SourceSettings;
use crate::domain::text::{fit, show};
use crate::intake::decode::{Decoders, hex};
use crate::intake::source::Decoding;
use crate::intake::source::batch;
use crate::intake::store::Delivery;
use crate::net::secret::SecretError;

/// Longest challenge that is given back.
const LONGEST_CHALLENGE: usize = 512;

/// One configured webhook.
#[derive(Debug)]
pub(super) struct Hook {
    name: String,
    sender: Verifier,
    decoding: Decoding,
    cap: usize,
}

impl Hook {
    /// Takes the settings of a webhook, and reads its secret; nothing when they are another source's.
    pub async fn new(
        source: &SourceSettings,
        decoders: &Arc<Decoders>,
    ) -> Result<Option<Self>, SecretError> {
        let SourceSettings::Webhook {
            name,
            sender,
            format,
            max_body_kib,
        } = source
        else {
            return Ok(None);
        };
        Ok(Some(Self {
            name: name.clone(),
            sender: Verifier::new(sender.clone()).await?,
            decoding: Decoding {
                format: format.clone(),
                decoders: Arc::clone(decoders),
            },
            cap: *max_body_kib as usize * 1024,
        }))
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// Takes one request in.
    pub async fn take(&self, desk: &Desk, request: Request<Incoming>) -> Outcome {
        let now = Timestamp::now();
        let (head, incoming) = request.into_parts();
        match head.method {
            Method::POST => {}
            Method::GET if head.headers.contains_key(OKTA_CHALLENGE) => {
                return self.okta_verification(&head.headers, now).await;
            }
            Method::OPTIONS if head.headers.contains_key("WebHook-Request-Origin") => {
                return handshake(&head.headers);
            }
            _ => return only_post(),
        }
        let early = if self.sender.needs_no_body() {
            self.sender.verify(&head.headers, b"", now).await
        } else {
            self.sender.has_proof(&head.headers)
        };
        if let Err(refusal) = early {
            return turned_away(&refusal);
        }
        let body = match body::read(incoming, self.cap, desk.receiver.patience).await {
            Ok(body) => body,
            Err(error) => return Outcome::refused(error.status(), &error.to_string()),
        };
        // The signature is over what was sent, packed or not.
        if !self.sender.needs_no_body()
            && let Err(refusal) = self.sender.verify(&head.headers, &body, now).await
        {
            return turned_away(&refusal);
        }
        let sha256 = hex(&Sha256::digest(&body));
        match body::open(&head.headers, body, self.cap) {
            Ok(body) => self.store(desk, &head.headers, body, sha256, now).await,
            Err(error) => Outcome::refused(error.status(), &error.to_string()),
        }
    }

    async fn store(
        &self,
        desk: &Desk,
        headers: &HeaderMap,
        body: Vec<u8>,
        sha256: String,
        now: Timestamp,
    ) -> Outcome {
        if body.trim_ascii().is_empty() {
            return Outcome::refused(StatusCode::BAD_REQUEST, "the body is empty");
        }
        if let Some(outcome) = about_the_hook(headers, &body) {
            return outcome;
        }
        let body = match binary_event(headers, &body) {
            Some(event) => event,
            None => body,
        };
        let decoding = self.decoding.clone();
        let name = self.name.clone();
        let decoded =
            tokio::task::spawn_blocking(move || batch::of_body(&name, &decoding, body, now));
        let mut batch = match decoded.await {
            Ok(batch) => batch,
            Err(error) => {
                let text = format!("the decoding thread died: {error}");
                return Outcome::refused(StatusCode::INTERNAL_SERVER_ERROR, &text);
            }
        };
        batch.delivery = Some(Delivery {
            sha256,
            for_s: self.sender.same_for_s(),
        });
        let arrived = match desk.store(&self.name, batch).await {
            Ok(arrived) => arrived,
            Err(error) => return not_stored(&error),
        };
        if let Some(reason) = arrived.reason.filter(|_| arrived.accepted == 0) {
            // The console counts it already, with the reason.
            let body = json!({ "error": reason, "kept": true });
            return answer(StatusCode::BAD_REQUEST, &body).into();
        }
        let mut body = json!({ "alerts": arrived.accepted, "new": arrived.new });
        if arrived.refused > 0 {
            body["unreadable"] = json!(arrived.refused);
        }
        if arrived.is_replay {
            body["stored_before"] = json!(true);
        }
        answer(StatusCode::OK, &body).into()
    }

    /// Proves to Okta that the address is ours (Okta, "Event hooks", one-time verification request).
    async fn okta_verification(&self, headers: &HeaderMap, now: Timestamp) -> Outcome {
        if let Err(refusal) = self.sender.verify(headers, b"", now).await {
            return turned_away(&refusal);
        }
        let challenge = headers.get(OKTA_CHALLENGE).and_then(|v| v.to_str().ok());
        match challenge.filter(|c| c.len() <= LONGEST_CHALLENGE) {
            Some(challenge) => answer(StatusCode::OK, &json!({ "verification": challenge })).into(),
            None => Outcome::refused(StatusCode::BAD_REQUEST, "the challenge is no short text"),
        }
    }
}

const OKTA_CHALLENGE: &str = "X-Okta-Verification-Challenge";

fn turned_away(refusal: &Refusal) -> Outcome {
    let status = match refusal {
        Refusal::Own(_) => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::UNAUTHORIZED,
    };
    let mut outcome = Outcome::refused(status, &refusal.to_string());
    if status == StatusCode::UNAUTHORIZED {
        outcome.answer = with(outcome.answer, WWW_AUTHENTICATE, "Bearer");
    } else {
        // What is wrong with our secret is not the sender's business.
        let text = json!({ "error": "not received for now; send it again" });
        outcome.answer = answer(status, &text);
    }
    outcome
}

/// Answers the question whether events may be sent here (CloudEvents, "HTTP Webhook", §4).
fn handshake(headers: &HeaderMap) -> Outcome {
    let mut allowed = Response::new(Full::new(Bytes::new()));
    if let Some(origin) = headers.get("WebHook-Request-Origin") {
        let name = HeaderName::from_static("webhook-allowed-origin");
        allowed.headers_mut().insert(name, origin.clone());
    }
    with(
        allowed,
        HeaderName::from_static("webhook-allowed-rate"),
        "*",
    )
    .into()
}

/// Answers what is about the webhook itself and no alert.
fn about_the_hook(headers: &HeaderMap, body: &[u8]) -> Option<Outcome> {
    let event = headers.get("X-GitHub-Event").map(HeaderValue::as_bytes);
    if event == Some(b"ping") {
        return Some(answer(StatusCode::OK, &json!({ "alerts": 0, "pong": true })).into());
    }
    // Only short bodies ask such things.
    if body.len() > 16 << 10 {
        return None;
    }
    let value: Value = serde_json::from_slice(body).ok()?;
    let text = |key: &str| value.get(key).and_then(Value::as_str);
    match (text("type"), text("Type")) {
        // Slack, "Events API", url_verification.
        (Some("url_verification"), _) => {
            let challenge = text("challenge").filter(|c| c.len() <= LONGEST_CHALLENGE)?;
            Some(answer(StatusCode::OK, &json!({ "challenge": challenge })).into())
        }
        // Amazon SNS wants an address to be visited. Where a sender points is never visited: a person decides.
        (_, Some("SubscriptionConfirmation")) => {
            let url = fit(&show(text("SubscribeURL").unwrap_or("none")), 400, "…");
            Some(Outcome {
                answer: answer(
                    StatusCode::OK,
                    &json!({ "alerts": 0, "waits_for_a_person": true }),
                ),
                notice: Some(format!(
                    "Amazon SNS asks to confirm its subscription; if it is yours, open {url}"
                )),
            })
        }
        _ => None,
    }
}

/// Gives an event in binary mode its envelope back (CloudEvents, "HTTP Protocol Binding", §3.1).
fn binary_event(headers: &HeaderMap, body: &[u8]) -> Option<Vec<u8>> {
    headers.get("ce-specversion")?;
    let mut event = Map::new();
    for (name, value) in headers {
        if let (Some(name), Ok(value)) = (name.as_str().strip_prefix("ce-"), value.to_str()) {
            event.insert(name.to_owned(), Value::from(value));
        }
    }
    let data: Value = serde_json::from_slice(body).ok()?;
    event.insert("data".to_owned(), data);
    serde_json::to_vec(&Value::Object(event)).ok()
}
