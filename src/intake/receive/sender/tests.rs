use hyper::header::HeaderName;
use rstest::rstest;

use super::*;

/// RFC 4231 has no such texts; these were made with `openssl dgst -sha256 -hmac It's-a-Secret`.
const SECRET: &str = "It's-a-Secret";
const BODY: &[u8] = b"Hello, World!";

fn reference() -> SecretRef {
    SecretRef::Cmd(vec!["printf".to_owned(), SECRET.to_owned()])
}

fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
    pairs
        .iter()
        .map(|(name, value)| {
            let name: HeaderName = name.parse().unwrap();
            (name, value.parse().unwrap())
        })
        .collect()
}

fn signature(parts: &[&[u8]]) -> Vec<u8> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
    hmac::sign(&key, &parts.concat()).as_ref().to_vec()
}

fn hex_of(parts: &[&[u8]]) -> String {
    crate::intake::decode::hex(&signature(parts))
}

const NOW: i64 = 1_790_000_000;

async fn verdict(auth: SenderAuth, pairs: &[(&str, &str)]) -> Result<(), String> {
    let verifier = Verifier::new(auth).await.unwrap();
    let now = Timestamp::from_second(NOW).unwrap();
    verifier
        .verify(&headers(pairs), BODY, now)
        .await
        .map_err(|refusal| {
            let text = refusal.to_string();
            assert!(!text.contains(SECRET), "{text}");
            text
        })
}

#[rstest]
#[case("sha256=", None)]
#[case("sha256=00", Some("its signature in `X-Hub-Signature-256` is wrong"))]
#[case(
    "sha1=",
    Some("`X-Hub-Signature-256` is not a signature of the configured kind")
)]
#[case(
    "sha256=zz",
    Some("`X-Hub-Signature-256` is not a hexadecimal signature")
)]
#[tokio::test]
async fn github(#[case] begin: &str, #[case] wrong: Option<&str>) {
    let value = match begin {
        "sha256=" => format!("{begin}{}", hex_of(&[BODY])),
        other => other.to_owned(),
    };
    let secret = reference();
    let found = verdict(
        SenderAuth::Github { secret },
        &[("X-Hub-Signature-256", &value)],
    )
    .await;
    assert_eq!(found.err().as_deref(), wrong);
}

#[tokio::test]
async fn proof_that_is_missing_or_given_twice() {
    let github = || SenderAuth::Github {
        secret: reference(),
    };
    let header = "X-Hub-Signature-256";
    let value = format!("sha256={}", hex_of(&[BODY]));
    let missing = verdict(github(), &[]).await.unwrap_err();
    assert!(
        missing.starts_with("no `X-Hub-Signature-256` header"),
        "{missing}"
    );
    let verifier = Verifier::new(github()).await.unwrap();
    let mut twice = headers(&[(header, &value)]);
    twice.append(header, value.parse().unwrap());
    let several = verifier.has_proof(&twice).unwrap_err();
    assert_eq!(several, Refusal::Several(header.to_owned()));
}

#[rstest]
#[case(0, true, None)]
#[case(-300, true, None)]
#[case(-301, true, Some("it was signed 301 s away from now"))]
#[case(301, true, Some("it was signed 301 s away from now"))]
#[case(i64::MIN + NOW + 1, true, Some("it was signed"))]
#[case(0, false, Some("its signature in `X-Slack-Signature` is wrong"))]
#[tokio::test]
async fn slack(#[case] away: i64, #[case] is_signed: bool, #[case] wrong: Option<&str>) {
    let at = NOW.saturating_add(away).to_string();
    let base: [&[u8]; 4] = [b"v0:", at.as_bytes(), b":", BODY];
    let signature = if is_signed {
        hex_of(&base)
    } else {
        hex_of(&[BODY])
    };
    let value = format!("v0={signature}");
    let found = verdict(
        SenderAuth::Slack {
            secret: reference(),
        },
        &[
            ("X-Slack-Signature", &value),
            ("X-Slack-Request-Timestamp", &at),
        ],
    )
    .await;
    match (found, wrong) {
        (Ok(()), None) => {}
        (Err(text), Some(wrong)) => assert!(text.starts_with(wrong), "{text}"),
        (found, wrong) => panic!("{found:?} {wrong:?}"),
    }
}

#[tokio::test]
async fn the_other_ways() {
    let base64 = STANDARD.encode(signature(&[BODY]));
    let basic = format!("basic {}", STANDARD.encode(format!("soc:{SECRET}")));
    let bearer = format!("Bearer {SECRET}");
    let ways: [(SenderAuth, &str, &str); 5] = [
        (
            SenderAuth::Gitlab {
                secret: reference(),
            },
            "X-Gitlab-Token",
            SECRET,
        ),
        (
            SenderAuth::Hmac {
                secret: reference(),
                header: "X-Signature".to_owned(),
                prefix: String::new(),
                encoding: SignatureEncoding::Base64,
            },
            "X-Signature",
            &base64,
        ),
        (
            SenderAuth::Bearer {
                secret: reference(),
            },
            "Authorization",
            &bearer,
        ),
        (
            SenderAuth::Basic {
                username: "soc".to_owned(),
                secret: reference(),
            },
            "Authorization",
            &basic,
        ),
        (
            SenderAuth::Header {
                header: "X-Gitlab-Event-Streaming-Token".to_owned(),
                secret: reference(),
            },
            "X-Gitlab-Event-Streaming-Token",
            SECRET,
        ),
    ];
    for (auth, header, value) in ways {
        assert_eq!(
            verdict(auth.clone(), &[(header, value)]).await,
            Ok(()),
            "{header}"
        );
        let longer = format!("{value}x");
        for wrong in [&value[..value.len() - 1], &longer] {
            let found = verdict(auth.clone(), &[(header, wrong)]).await;
            assert!(found.is_err(), "{header}: {wrong}");
        }
    }
}
