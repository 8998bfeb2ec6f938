//! AWS Signature Version 4: a request is proved by a key that never leaves.
//!
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>. For every service but S3,
//! whose paths are encoded otherwise.

use jiff::Timestamp;
use ring::hmac;
use sha2::{Digest as _, Sha256};
use url::Url;
use zeroize::Zeroizing;

/// What a request is proved by.
#[derive(Clone, Copy)]
pub struct Key<'k> {
    /// Id of the access key.
    pub id: &'k str,
    /// The secret access key.
    pub secret: &'k str,
    /// The session's token, for temporary keys.
    pub token: Option<&'k str>,
    /// Region of the service.
    pub region: &'k str,
    /// Name of the service in signatures.
    pub service: &'k str,
}

/// Returns the headers that prove a request: `authorization`, `x-amz-date` and, for temporary keys,
/// `x-amz-security-token`. `content_type` must be sent as it is given here.
pub fn sign(
    key: &Key<'_>,
    method: &str,
    url: &Url,
    content_type: Option<&str>,
    body: &[u8],
    now: Timestamp,
) -> Vec<(&'static str, String)> {
    let stamp = now.strftime("%Y%m%dT%H%M%SZ").to_string();
    let day = &stamp[..8];
    let mut signed: Vec<(&str, String)> = Vec::new();
    signed.extend(content_type.map(|kind| ("content-type", kind.trim().to_owned())));
    signed.push(("host", host(url)));
    signed.push(("x-amz-date", stamp.clone()));
    signed.extend(
        key.token
            .map(|token| ("x-amz-security-token", token.to_owned())),
    );
    let names: Vec<&str> = signed.iter().map(|(name, _)| *name).collect();
    let names = names.join(";");
    let lines: Vec<String> = signed
        .iter()
        .map(|(name, value)| format!("{name}:{value}"))
        .collect();
    let request = format!(
        "{method}\n{}\n{}\n{}\n\n{names}\n{}",
        path(url),
        query(url),
        lines.join("\n"),
        hex(&Sha256::digest(body))
    );
    let scope = format!("{day}/{}/{}/aws4_request", key.region, key.service);
    let text = format!(
        "AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{}",
        hex(&Sha256::digest(request.as_bytes()))
    );
    let first = Zeroizing::new(format!("AWS4{}", key.secret));
    let parts = [day, key.region, key.service, "aws4_request", &text];
    let signature = parts
        .iter()
        .fold(first.as_bytes().to_vec(), |secret, part| {
            let secret = Zeroizing::new(secret);
            let key = hmac::Key::new(hmac::HMAC_SHA256, &secret);
            hmac::sign(&key, part.as_bytes()).as_ref().to_vec()
        });
    let authorization = format!(
        "AWS4-HMAC-SHA256 Credential={}/{scope}, SignedHeaders={names}, Signature={}",
        key.id,
        hex(&signature)
    );
    let mut headers = vec![("authorization", authorization), ("x-amz-date", stamp)];
    headers.extend(
        key.token
            .map(|token| ("x-amz-security-token", token.to_owned())),
    );
    headers
}

fn host(url: &Url) -> String {
    let name = url.host_str().unwrap_or_default();
    match url.port() {
        Some(port) => format!("{name}:{port}"),
        None => name.to_owned(),
    }
}

/// Encodes the path, which a URL holds encoded once, once more.
fn path(url: &Url) -> String {
    let segments: Vec<String> = url.path().split('/').map(encoded).collect();
    segments.join("/")
}

fn query(url: &Url) -> String {
    let mut pairs: Vec<(String, String)> = url
        .query_pairs()
        .map(|(name, value)| (encoded(&name), encoded(&value)))
        .collect();
    pairs.sort();
    let pairs: Vec<String> = pairs
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    pairs.join("&")
}

/// Encodes all but the unreserved characters (RFC 3986 §2.3).
fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(byte.into());
        } else {
            out.push('%');
            out.push_str(&hex(&[byte]).to_ascii_uppercase());
        }
    }
    out
}

fn hex(bytes: &[u8]) -> String {
    let digit = |n: u8| char::from_digit(n.into(), 16).unwrap_or('0');
    bytes
        .iter()
        .flat_map(|b| [digit(b >> 4), digit(b & 0xf)])
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the AWS General Reference, "Signature Version 4 signing process".
    #[test]
    fn the_documented_example() {
        let key = Key {
            id: "AKIDEXAMPLE",
            secret: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
            token: None,
            region: "us-east-1",
            service: "iam",
        };
        let url =
            Url::parse("https://iam.amazonaws.com/?Version=2010-05-08&Action=ListUsers").unwrap();
        let kind = "application/x-www-form-urlencoded; charset=utf-8";
        let now: Timestamp = "2015-08-30T12:36:00Z".parse().unwrap();
        let headers = sign(&key, "GET", &url, Some(kind), b"", now);
        let wanted = "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, \
                      SignedHeaders=content-type;host;x-amz-date, \
                      Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7";
        assert_eq!(headers[0].1, wanted);
        assert_eq!(headers[1].1, "20150830T123600Z");
    }

    #[test]
    fn temporary_keys_sign_their_token_and_paths_are_encoded_twice() {
        let key = Key {
            id: "ASIAEXAMPLE",
            secret: "s",
            token: Some("session"),
            region: "eu-west-1",
            service: "x",
        };
        let url = Url::parse("http://127.0.0.1:25000/a%20b/c?q=1%202").unwrap();
        assert_eq!(path(&url), "/a%2520b/c");
        assert_eq!(
            (query(&url), host(&url)),
            ("q=1%202".to_owned(), "127.0.0.1:25000".to_owned())
        );
        let headers = sign(&key, "POST", &url, None, b"{}", Timestamp::UNIX_EPOCH);
        assert!(
            headers[0]
                .1
                .contains("SignedHeaders=host;x-amz-date;x-amz-security-token")
        );
        assert_eq!(headers[2], ("x-amz-security-token", "session".to_owned()));
    }
}
