//! From the body of a plan to the bytes that leave; secrets are read or made at this moment.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;
use zeroize::Zeroizing;

use super::capture::Sink;
use super::error::ConnectError;
use super::http::{Bytes, Payload};
use super::secret;
use crate::app::settings::SecretRef;
use crate::domain::plan::Body;

/// Random bytes of a new secret.
const NEW_SECRET: usize = 32;

/// Turns a structured body into bytes, reading secrets now.
pub async fn payload(
    body: &Body,
    json_type: &'static str,
    secret_dir: Option<&Path>,
) -> Result<Payload, ConnectError> {
    use secrecy::ExposeSecret as _;
    Ok(match body {
        Body::None => Payload::Empty,
        Body::Json { value } => {
            let mut value = value.clone();
            fill(&mut value, secret_dir).await?;
            let bytes = Bytes(value.to_string().into_bytes());
            Payload::Bytes(json_type, bytes)
        }
        Body::Form { fields } => {
            // The serializer cannot be held across an await, so the secrets are read first.
            let mut secrets = Vec::new();
            for field in fields {
                secrets.push(match &field.secret {
                    Some(reference) => Some(secret::read_text(reference).await?),
                    None => None,
                });
            }
            let mut form = url::form_urlencoded::Serializer::new(String::new());
            for (field, secret) in fields.iter().zip(&secrets) {
                if let Some(value) = &field.value {
                    form.append_pair(&field.name, value);
                }
                if let Some(secret) = secret {
                    form.append_pair(&field.name, secret.expose_secret());
                }
            }
            // Servers that check a signature over a form may write it anew first, and leave only unreserved characters.
            let text = Zeroizing::new(form.finish());
            let bytes = Bytes(text.replace('*', "%2A").replace("%7E", "~").into_bytes());
            Payload::Bytes("application/x-www-form-urlencoded", bytes)
        }
    })
}

/// Replaces `{"$secret": "file:…"}` by the secret, `{"$new_secret": "/path"}` by a new one that is kept there, and `{"$now": "+1s"}` by the time of sending in epoch seconds.
async fn fill(value: &mut Value, secret_dir: Option<&Path>) -> Result<(), ConnectError> {
    use secrecy::ExposeSecret as _;
    let mut open = vec![value];
    while let Some(next) = open.pop() {
        let directive = next
            .as_object()
            .filter(|map| map.len() == 1)
            .and_then(|map| map.iter().next());
        match directive.map(|(key, v)| (key.as_str(), v.as_str())) {
            Some(("$secret", Some(reference))) => {
                let secret = secret::read_text(reference).await?;
                *next = Value::String(secret.expose_secret().to_owned());
            }
            Some(("$new_secret", Some(path))) => {
                *next = Value::String(new_secret(Path::new(path), secret_dir).await?);
            }
            Some(("$now", Some(offset))) => {
                let offset: i64 = offset
                    .strip_prefix('+')
                    .and_then(|o| o.strip_suffix('s'))
                    .and_then(|o| o.parse().ok())
                    .unwrap_or(0);
                *next = Value::from(jiff::Timestamp::now().as_second().saturating_add(offset));
            }
            _ => match next {
                Value::Array(items) => open.extend(items),
                Value::Object(map) => open.extend(map.values_mut()),
                Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
            },
        }
    }
    Ok(())
}

/// Makes a secret and keeps it before anybody hears of it. One that is there already, from a try that was not answered, is
/// sent again.
async fn new_secret(path: &Path, secret_dir: Option<&Path>) -> Result<String, ConnectError> {
    use secrecy::ExposeSecret as _;
    let fail = |why: String| ConnectError::NoPlace(why);
    let dir = secret_dir.ok_or_else(|| fail("the connector has no `secret_dir`".to_owned()))?;
    let sink = Sink::prepare(path, dir).map_err(|e| fail(e.to_string()))?;
    if path.exists() {
        let there = secret::read(&SecretRef::File(path.to_owned())).await?;
        return Ok(there.expose_secret().to_owned());
    }
    let mut random = Zeroizing::new([0; NEW_SECRET]);
    getrandom::fill(random.as_mut_slice()).map_err(|e| fail(e.to_string()))?;
    let secret = URL_SAFE_NO_PAD.encode(random.as_slice());
    sink.keep(&secret).map_err(|e| fail(e.to_string()))?;
    Ok(secret)
}
