//! Signed assertions with which the console proves who it is: JWS compact form (RFC 7515), RS256 and ES256 (RFC 7518).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, RSA_PKCS1_SHA256, RsaKeyPair,
};
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject as _;
use serde_json::{Value, json};
use zeroize::Zeroizing;

/// Why nothing could be signed. Never holds the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JwtError {
    /// Not PEM.
    #[error("is no private key in PEM form; give the file as the provider handed it out")]
    NotPem,
    /// A key that cannot sign here.
    #[error("is neither an RSA key of 2048 bits or more nor a P-256 key in PKCS #8 form")]
    Unusable,
    /// The key did not sign.
    #[error("could not sign")]
    Failed,
}

/// Signs claims with a private key in PEM form; `key_id` becomes `kid`.
pub fn sign(
    pem: &str,
    key_id: Option<&str>,
    claims: &Value,
) -> Result<Zeroizing<String>, JwtError> {
    let der = PrivateKeyDer::from_pem_slice(pem.as_bytes()).map_err(|_| JwtError::NotPem)?;
    let random = SystemRandom::new();
    let text = |algorithm: &str| {
        let mut header = json!({"alg": algorithm, "typ": "JWT"});
        if let (Some(id), Some(map)) = (key_id, header.as_object_mut()) {
            map.insert("kid".to_owned(), Value::from(id));
        }
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        format!("{}.{}", part(&header), part(claims))
    };
    let rsa = match &der {
        PrivateKeyDer::Pkcs1(der) => RsaKeyPair::from_der(der.secret_pkcs1_der()).ok(),
        PrivateKeyDer::Pkcs8(der) => RsaKeyPair::from_pkcs8(der.secret_pkcs8_der()).ok(),
        _ => None,
    };
    let (text, signature) = if let Some(key) = rsa {
        let text = text("RS256");
        let mut signature = vec![0; key.public().modulus_len()];
        key.sign(&RSA_PKCS1_SHA256, &random, text.as_bytes(), &mut signature)
            .map_err(|_| JwtError::Failed)?;
        (text, signature)
    } else {
        let PrivateKeyDer::Pkcs8(der) = &der else {
            return Err(JwtError::Unusable);
        };
        let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let key = EcdsaKeyPair::from_pkcs8(algorithm, der.secret_pkcs8_der(), &random)
            .map_err(|_| JwtError::Unusable)?;
        let text = text("ES256");
        let signature = key
            .sign(&random, text.as_bytes())
            .map_err(|_| JwtError::Failed)?;
        (text, signature.as_ref().to_vec())
    };
    Ok(Zeroizing::new(format!(
        "{text}.{}",
        URL_SAFE_NO_PAD.encode(signature)
    )))
}

#[cfg(test)]
mod tests {
    use ring::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};

    use super::*;

    #[test]
    fn what_is_signed_can_be_checked_by_whoever_has_the_public_key() {
        let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
        let claims = json!({"iss": "console", "exp": 60});
        let signed = sign(&key.serialize_pem(), Some("k1"), &claims).unwrap();
        let (text, signature) = signed.rsplit_once('.').unwrap();
        let public = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, key.public_key_raw());
        let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
        public.verify(text.as_bytes(), &signature).unwrap();
        let (header, body) = text.split_once('.').unwrap();
        let read = |part| -> Value {
            serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
        };
        assert_eq!(
            read(header),
            json!({"alg": "ES256", "typ": "JWT", "kid": "k1"})
        );
        assert_eq!(read(body), claims);
    }

    #[test]
    fn what_is_no_key_is_refused_without_showing_it() {
        let claims = json!({});
        assert_eq!(sign("hunter2", None, &claims).err(), Some(JwtError::NotPem));
        let odd = "-----BEGIN PRIVATE KEY-----\naHVudGVyMg==\n-----END PRIVATE KEY-----\n";
        assert_eq!(sign(odd, None, &claims).err(), Some(JwtError::Unusable));
    }
}
