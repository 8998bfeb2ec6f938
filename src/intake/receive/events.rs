//! Security events pushed by their transmitter (RFC 8935).

use std::sync::Arc;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_LANGUAGE, CONTENT_TYPE};
use hyper::{HeaderMap, Method, Request, Response, StatusCode};
use jiff::Timestamp;
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::sender::Verifier;
use super::{Desk, Outcome, answer, body, not_stored, only_post, with};
use crate::app::settings::SourceSettings;
use crate::intake::decode::{Decoders, MAX_LINE, hex};
use crate::intake::events::{Expected, Fault};
use crate::intake::source::Decoding;
use crate::intake::source::batch::Builder;
use crate::intake::source::lines::Line;
use crate::intake::store::Delivery;
use crate::net::secret::SecretError;

/// For how many seconds the same token is the same sending.
const SAME_FOR_S: u32 = 7 * 86_400;

/// One configured transmitter.
#[derive(Debug)]
pub(super) struct Events {
    name: String,
    expected: Expected,
    token: Option<Verifier>,
    decoding: Decoding,
}

impl Events {
    /// Takes the settings of a transmitter, and reads its secret; nothing when they are another source's.
    pub async fn new(
        source: &SourceSettings,
        decoders: &Arc<Decoders>,
    ) -> Result<Option<Self>, SecretError> {
        let SourceSettings::EventsPush {
            name,
            issuer,
            audience,
            token,
        } = source
        else {
            return Ok(None);
        };
        let token = match token {
            Some(token) => Some(Verifier::bearer(token.clone()).await?),
            None => None,
        };
        Ok(Some(Self {
            name: name.clone(),
            expected: Expected {
                issuer: issuer.clone(),
                audience: audience.clone(),
            },
            token,
            decoding: Decoding {
                format: None,
                decoders: Arc::clone(decoders),
            },
        }))
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// Takes one token in.
    pub async fn take(&self, desk: &Desk, request: Request<Incoming>) -> Outcome {
        let now = Timestamp::now();
        let (head, incoming) = request.into_parts();
        if head.method != Method::POST {
            return only_post();
        }
        if let Some(token) = &self.token
            && let Err(refusal) = token.verify(&head.headers, b"", now).await
        {
            return faulty("authentication_failed", &refusal.to_string());
        }
        if !is_token(&head.headers) {
            let text = "the content type must be application/secevent+jwt";
            return faulty("invalid_request", text);
        }
        let read = body::read(incoming, MAX_LINE, desk.receiver.patience).await;
        let token = match read {
            Ok(token) => token,
            Err(error) => return Outcome::refused(error.status(), &error.to_string()),
        };
        let Ok(text) = std::str::from_utf8(&token) else {
            return faulty("invalid_request", "the token is no text");
        };
        let accepted = match self.expected.check(text, &self.decoding.decoders) {
            Ok(accepted) => accepted,
            Err(Fault { err, description }) => return faulty(err, &description),
        };
        if let Some(control) = accepted.control {
            return self.about_the_stream(desk, &control).await;
        }
        self.store(desk, token, now).await
    }

    async fn store(&self, desk: &Desk, token: Vec<u8>, now: Timestamp) -> Outcome {
        let sha256 = hex(&Sha256::digest(&token));
        let mut builder = Builder::new(&self.name, &self.decoding, now);
        builder.add(Line::Whole(token.trim_ascii().to_vec().into()));
        let mut batch = builder.finish();
        batch.delivery = Some(Delivery {
            sha256,
            for_s: SAME_FOR_S,
        });
        match desk.store(&self.name, batch).await {
            // An event that nobody can read is kept, and arrived all the same (RFC 8935 §2.2).
            Ok(_) => taken(),
            Err(error) => not_stored(&error),
        }
    }

    /// Keeps that the stream lives, and says what its transmitter says about it.
    async fn about_the_stream(&self, desk: &Desk, control: &str) -> Outcome {
        let (store, name) = (Arc::clone(&desk.store), self.name.clone());
        let noted = tokio::task::spawn_blocking(move || {
            let store = store.lock();
            store.note_contact(&name, Timestamp::now(), Ok(()))
        });
        if let Ok(Err(error)) = noted.await {
            return not_stored(&error);
        }
        if control != "verification" {
            desk.note(&self.name, format!("its transmitter says: {control}"))
                .await;
        }
        taken()
    }
}

/// Nothing but the status (RFC 8935 §2.2).
fn taken() -> Outcome {
    let mut taken = Response::new(Full::new(Bytes::new()));
    *taken.status_mut() = StatusCode::ACCEPTED;
    taken.into()
}

/// Says what is wrong as RFC 8935 §2.3 has it.
fn faulty(err: &str, description: &str) -> Outcome {
    let body = json!({ "err": err, "description": description });
    let refused = answer(StatusCode::BAD_REQUEST, &body);
    Outcome {
        answer: with(refused, CONTENT_LANGUAGE, "en"),
        notice: Some(format!("{err}: {description}")),
    }
}

fn is_token(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|v| v.to_str().ok());
    let kind = kind.and_then(|kind| kind.split(';').next());
    kind.is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/secevent+jwt"))
}
