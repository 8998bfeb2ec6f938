//! Security event tokens from a transmitter of Shared Signals: what every delivery checks (RFC 8417, RFC 8935 §2.4).

use serde_json::Value;

use super::decode::Decoders;
use super::decode::jwt::{self, JwtError};
use crate::domain::text::{fit, show};

/// Event types that are about the stream itself, by their last part (SSF 1.0 §7.1.5).
const CONTROL: &str = "https://schemas.openid.net/secevent/ssf/event-type/";

#[cfg(test)]
pub(crate) mod testing;

/// A token that may be taken in.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Accepted {
    /// Its id.
    pub jti: String,
    /// What it says about the stream, if it says nothing else.
    pub control: Option<String>,
}

/// Why a token is not taken in, as its transmitter is told (RFC 8935 §2.4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    /// Code of the registry "Security Event Token Error Codes".
    pub err: &'static str,
    /// In words.
    pub description: String,
}

/// Who may send what.
#[derive(Clone, Debug)]
pub(crate) struct Expected {
    /// `iss`.
    pub issuer: String,
    /// One of `aud`.
    pub audience: String,
}

fn fault(err: &'static str, description: impl Into<String>) -> Fault {
    Fault {
        err,
        description: description.into(),
    }
}

impl Expected {
    /// Checks signature, type, issuer, audience and form.
    pub fn check(&self, token: &str, decoders: &Decoders) -> Result<Accepted, Fault> {
        let Some(keys) = decoders.keys() else {
            return Err(fault("invalid_key", "this receiver has no keys yet"));
        };
        let claims = jwt::claims(token.trim(), Some(keys)).map_err(|error| {
            let err = match error {
                JwtError::NoKey { .. } | JwtError::BadSignature => "invalid_key",
                JwtError::Malformed { .. } | JwtError::OtherType { .. } => "invalid_request",
            };
            fault(err, error.to_string())
        })?;
        let claims: Value = serde_json::from_str(&claims)
            .map_err(|_| fault("invalid_request", "its claims are no JSON"))?;
        let text = |key: &str| claims.get(key).and_then(Value::as_str);
        let shown = |text: Option<&str>| fit(&show(text.unwrap_or("none")), 120, "…");
        if text("iss") != Some(self.issuer.as_str()) {
            let found = shown(text("iss"));
            return Err(fault("invalid_issuer", format!("its issuer is {found}")));
        }
        let is_ours = match claims.get("aud") {
            Some(Value::String(one)) => *one == self.audience,
            Some(Value::Array(several)) => several.iter().any(|a| *a == self.audience.as_str()),
            _ => false,
        };
        if !is_ours {
            return Err(fault("invalid_audience", "it is for somebody else"));
        }
        let jti = text("jti").filter(|jti| !jti.is_empty() && jti.len() <= 512);
        let jti = jti.ok_or_else(|| fault("invalid_request", "it has no usable jti"))?;
        let events = claims.get("events").and_then(Value::as_object);
        let events = events.filter(|events| !events.is_empty());
        let events = events.ok_or_else(|| fault("invalid_request", "it holds no events"))?;
        let control = events.iter().find_map(|(uri, event)| {
            let name = uri.strip_prefix(CONTROL)?;
            let status = event.get("status").and_then(Value::as_str);
            Some(match status {
                Some(status) => format!("{} {}", shown(Some(name)), shown(Some(status))),
                None => shown(Some(name)),
            })
        });
        Ok(Accepted {
            jti: jti.to_owned(),
            control: control.filter(|_| events.len() == 1),
        })
    }
}
