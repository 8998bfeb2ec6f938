//! A transmitter for tests.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use serde_json::json;

use crate::intake::decode::Decoders;
use crate::intake::decode::jwt::KeySet;

/// Who it is.
pub(crate) const ISSUER: &str = "https://idp.example.org/";

/// A transmitter's key.
pub(crate) struct Signer(Ed25519KeyPair);

impl Signer {
    pub fn new() -> Self {
        let document = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        Self(Ed25519KeyPair::from_pkcs8(document.as_ref()).unwrap())
    }

    pub fn decoders(&self) -> Arc<Decoders> {
        let x = URL_SAFE_NO_PAD.encode(self.0.public_key());
        let keys = format!(r#"{{"keys":[{{"kty":"OKP","crv":"Ed25519","kid":"k","x":"{x}"}}]}}"#);
        let mut decoders = Decoders::default();
        decoders.set_keys(KeySet::parse(&keys).unwrap());
        Arc::new(decoders)
    }

    pub fn token(&self, jti: &str, issuer: &str, audience: &str, event: &str) -> String {
        let head = r#"{"alg":"EdDSA","kid":"k","typ":"secevent+jwt"}"#;
        let claims = json!({
            "iss": issuer, "jti": jti, "iat": 1_790_000_000, "aud": [audience],
            "sub_id": {"format": "iss_sub", "iss": ISSUER, "sub": "svc-deploy"},
            "events": {event: {"event_timestamp": 1_790_000_000}},
        });
        let signed = format!(
            "{}.{}",
            URL_SAFE_NO_PAD.encode(head),
            URL_SAFE_NO_PAD.encode(claims.to_string())
        );
        let seal = URL_SAFE_NO_PAD.encode(self.0.sign(signed.as_bytes()));
        format!("{signed}.{seal}")
    }

    pub fn good(&self, jti: &str) -> String {
        let event = "https://schemas.openid.net/secevent/caep/event-type/session-revoked";
        self.token(jti, ISSUER, "soc", event)
    }
}
