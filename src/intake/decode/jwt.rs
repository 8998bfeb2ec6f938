//! Signed tokens: the claims of a compact JWS, with its signature checked when a key set is configured.
//!
//! RFC 7515 (compact serialisation), RFC 7517 (key sets), RFC 7518 §3 and RFC 8037 (RS256, RS384, RS512, PS256, ES256,
//! ES384, EdDSA). A key's own type and `alg` decide how it is used, never the token's header alone; `none` and shared
//! secrets are not accepted. Without keys the claims are read as they are: a file is as trustworthy as whoever wrote it.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{self, RsaPublicKeyComponents, UnparsedPublicKey, VerificationAlgorithm};
use serde::Deserialize;

use crate::domain::text::{fit, show};

/// Most keys of one set.
const MOST_KEYS: usize = 100;

/// Why a token is not accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JwtError {
    /// Not three base64url parts with JSON in the first two.
    #[error("its {part} is not base64url-encoded JSON")]
    Malformed {
        /// Which part.
        part: &'static str,
    },
    /// An algorithm that no configured key has.
    #[error("no configured key fits its algorithm {alg} and key id {kid}")]
    NoKey {
        /// `alg` of the header, made visible.
        alg: String,
        /// `kid` of the header, made visible.
        kid: String,
    },
    /// A signature that no fitting key made.
    #[error("its signature is wrong")]
    BadSignature,
    /// A token of another purpose (RFC 8417 §4.6: an ID token must not pass as an event).
    #[error("its type {typ} is not secevent+jwt")]
    OtherType {
        /// `typ` of the header, made visible.
        typ: String,
    },
}

/// Why a key set cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeySetError {
    /// Not a JSON Web Key Set.
    #[error("not a key set (RFC 7517 §5): {0}")]
    Syntax(#[from] serde_json::Error),
    /// No key in it can check a signature.
    #[error("no key in it can check a signature; RSA, EC P-256 and P-384, and Ed25519 keys can")]
    Empty,
    /// More keys than anybody has.
    #[error("{0} keys, more than the 100 that are read")]
    TooMany(usize),
}

/// Keys that senders of tokens sign with.
#[derive(Debug, Default)]
pub struct KeySet {
    keys: Vec<Key>,
}

#[derive(Debug)]
struct Key {
    id: Option<String>,
    alg: Option<String>,
    material: Material,
}

#[derive(Debug)]
enum Material {
    Rsa { n: Vec<u8>, e: Vec<u8> },
    P256(Vec<u8>),
    P384(Vec<u8>),
    Ed25519(Vec<u8>),
}

#[derive(Deserialize)]
struct Jwks {
    keys: Vec<Jwk>,
}

#[derive(Deserialize)]
struct Jwk {
    kty: String,
    kid: Option<String>,
    alg: Option<String>,
    #[serde(rename = "use")]
    usage: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    typ: Option<String>,
}

impl KeySet {
    /// Reads a JSON Web Key Set. Keys for encryption and of unknown types are left out.
    pub fn parse(text: &str) -> Result<Self, KeySetError> {
        let set: Jwks = serde_json::from_str(text)?;
        if set.keys.len() > MOST_KEYS {
            return Err(KeySetError::TooMany(set.keys.len()));
        }
        let keys: Vec<Key> = set.keys.into_iter().filter_map(Key::new).collect();
        if keys.is_empty() {
            return Err(KeySetError::Empty);
        }
        Ok(Self { keys })
    }

    fn check(&self, header: &Header, signed: &[u8], signature: &[u8]) -> Result<(), JwtError> {
        let mut fits = false;
        for key in &self.keys {
            let of_id = match (&key.id, &header.kid) {
                (Some(own), Some(wanted)) => own == wanted,
                _ => true,
            };
            let of_alg = key.alg.as_ref().is_none_or(|alg| *alg == header.alg);
            if of_id && of_alg {
                match key.material.check(&header.alg, signed, signature) {
                    Some(true) => return Ok(()),
                    Some(false) => fits = true,
                    None => {}
                }
            }
        }
        if fits {
            return Err(JwtError::BadSignature);
        }
        let shown = |text: &str| fit(&show(text), 40, "…");
        Err(JwtError::NoKey {
            alg: shown(&header.alg),
            kid: header.kid.as_deref().map_or("none".to_owned(), shown),
        })
    }
}

impl Key {
    fn new(jwk: Jwk) -> Option<Self> {
        if jwk.usage.is_some_and(|usage| usage != "sig") {
            return None;
        }
        let bytes = |text: Option<String>| URL_SAFE_NO_PAD.decode(text?).ok();
        let point = |x: Option<String>, y: Option<String>| {
            // An uncompressed point (SEC 1 §2.3.3).
            let (x, y) = (bytes(x)?, bytes(y)?);
            Some([vec![4], x, y].concat())
        };
        let material = match (jwk.kty.as_str(), jwk.crv.as_deref()) {
            ("RSA", _) => Material::Rsa {
                n: bytes(jwk.n)?,
                e: bytes(jwk.e)?,
            },
            ("EC", Some("P-256")) => Material::P256(point(jwk.x, jwk.y)?),
            ("EC", Some("P-384")) => Material::P384(point(jwk.x, jwk.y)?),
            ("OKP", Some("Ed25519")) => Material::Ed25519(bytes(jwk.x)?),
            _ => return None,
        };
        Some(Self {
            id: jwk.kid,
            alg: jwk.alg,
            material,
        })
    }
}

impl Material {
    /// Checks a signature; nothing when this kind of key cannot make signatures of that algorithm.
    fn check(&self, alg: &str, signed: &[u8], signature: &[u8]) -> Option<bool> {
        let plain = |how: &'static dyn VerificationAlgorithm, key: &[u8]| {
            Some(
                UnparsedPublicKey::new(how, key)
                    .verify(signed, signature)
                    .is_ok(),
            )
        };
        match (self, alg) {
            (Self::Rsa { n, e }, _) => {
                let how = match alg {
                    "RS256" => &signature::RSA_PKCS1_2048_8192_SHA256,
                    "RS384" => &signature::RSA_PKCS1_2048_8192_SHA384,
                    "RS512" => &signature::RSA_PKCS1_2048_8192_SHA512,
                    "PS256" => &signature::RSA_PSS_2048_8192_SHA256,
                    "PS384" => &signature::RSA_PSS_2048_8192_SHA384,
                    "PS512" => &signature::RSA_PSS_2048_8192_SHA512,
                    _ => return None,
                };
                let key = RsaPublicKeyComponents { n, e };
                Some(key.verify(how, signed, signature).is_ok())
            }
            (Self::P256(key), "ES256") => plain(&signature::ECDSA_P256_SHA256_FIXED, key),
            (Self::P384(key), "ES384") => plain(&signature::ECDSA_P384_SHA384_FIXED, key),
            (Self::Ed25519(key), "EdDSA" | "Ed25519") => plain(&signature::ED25519, key),
            _ => None,
        }
    }
}

/// Returns the claims of a token as JSON text.
pub(crate) fn claims(token: &str, keys: Option<&KeySet>) -> Result<String, JwtError> {
    let malformed = |part| JwtError::Malformed { part };
    let mut parts = token.split('.');
    let (Some(head), Some(body), Some(seal), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(malformed("form"));
    };
    let decode = |text: &str, part| URL_SAFE_NO_PAD.decode(text).map_err(|_| malformed(part));
    let header: Header =
        serde_json::from_slice(&decode(head, "header")?).map_err(|_| malformed("header"))?;
    if let Some(keys) = keys {
        // A media type may be written with or without `application/` (RFC 7515 §4.1.9).
        let typ = header.typ.as_deref().unwrap_or_default();
        let plain = typ.rsplit('/').next().unwrap_or(typ);
        if !plain.eq_ignore_ascii_case("secevent+jwt") {
            let typ = fit(&show(typ), 40, "…");
            return Err(JwtError::OtherType { typ });
        }
        let signed = &token.as_bytes()[..head.len() + 1 + body.len()];
        keys.check(&header, signed, &decode(seal, "signature")?)?;
    }
    String::from_utf8(decode(body, "claims")?).map_err(|_| malformed("claims"))
}

#[cfg(test)]
mod tests {
    use ring::rand::SystemRandom;
    use ring::signature::{Ed25519KeyPair, KeyPair as _};
    use rstest::rstest;

    use super::*;

    const CLAIMS: &str = r#"{"iss":"https://idp.example","jti":"j1","events":{}}"#;

    struct Signer {
        pair: Ed25519KeyPair,
    }

    impl Signer {
        fn new() -> Self {
            let document = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
            let pair = Ed25519KeyPair::from_pkcs8(document.as_ref()).unwrap();
            Self { pair }
        }

        fn set(&self, kid: &str) -> KeySet {
            let x = URL_SAFE_NO_PAD.encode(self.pair.public_key());
            let text =
                format!(r#"{{"keys":[{{"kty":"OKP","crv":"Ed25519","kid":"{kid}","x":"{x}"}}]}}"#);
            KeySet::parse(&text).unwrap()
        }

        fn token(&self, header: &str) -> String {
            let [head, body] = [header, CLAIMS].map(|part| URL_SAFE_NO_PAD.encode(part));
            let signed = format!("{head}.{body}");
            let seal = URL_SAFE_NO_PAD.encode(self.pair.sign(signed.as_bytes()));
            format!("{signed}.{seal}")
        }
    }

    #[test]
    fn a_signed_token_opens_with_its_key_only() {
        let (own, other) = (Signer::new(), Signer::new());
        let token = own.token(r#"{"alg":"EdDSA","kid":"k","typ":"secevent+jwt"}"#);
        assert_eq!(claims(&token, Some(&own.set("k"))).unwrap(), CLAIMS);
        assert_eq!(claims(&token, None).unwrap(), CLAIMS);
        assert_eq!(
            claims(&token, Some(&other.set("k"))),
            Err(JwtError::BadSignature)
        );
        let changed = token.replacen('.', ".e", 1);
        assert!(claims(&changed, Some(&own.set("k"))).is_err());
    }

    #[rstest]
    #[case(
        r#"{"alg":"none","typ":"secevent+jwt"}"#,
        "no configured key fits its algorithm none"
    )]
    #[case(
        r#"{"alg":"HS256","typ":"secevent+jwt"}"#,
        "no configured key fits its algorithm HS256"
    )]
    #[case(
        r#"{"alg":"RS256","typ":"secevent+jwt"}"#,
        "no configured key fits its algorithm RS256"
    )]
    #[case(
        r#"{"alg":"EdDSA","kid":"x","typ":"secevent+jwt"}"#,
        "no configured key fits its algorithm EdDSA and key id x"
    )]
    #[case(r#"{"alg":"EdDSA","typ":"JWT"}"#, "its type JWT is not secevent+jwt")]
    #[case(r#"{"alg":"EdDSA"}"#, "its type  is not secevent+jwt")]
    #[case("[]", "its header is not base64url-encoded JSON")]
    fn refuses(#[case] header: &str, #[case] message: &str) {
        let own = Signer::new();
        let error = claims(&own.token(header), Some(&own.set("k")))
            .unwrap_err()
            .to_string();
        assert!(error.starts_with(message), "{error}");
    }

    #[rstest]
    #[case("{}", "not a key set")]
    #[case(r#"{"keys":[]}"#, "no key in it")]
    #[case(r#"{"keys":[{"kty":"oct","k":"AAAA"}]}"#, "no key in it")]
    fn refuses_sets(#[case] text: &str, #[case] message: &str) {
        assert!(
            KeySet::parse(text)
                .unwrap_err()
                .to_string()
                .starts_with(message)
        );
    }
}
