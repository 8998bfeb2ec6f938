use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use ring::hmac;
use rstest::rstest;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::mpsc;

use super::*;
use crate::app::settings::{SecretRef, SenderAuth};
use crate::intake::decode::hex;
use crate::intake::events::testing::{ISSUER, Signer};
use crate::intake::store::Store;

const SECRET: &str = "hook-secret";

fn secret() -> SecretRef {
    SecretRef::Cmd(vec!["printf".to_owned(), SECRET.to_owned()])
}

fn finding(uid: &str) -> String {
    json!({
        "class_uid": 2004, "activity_id": 1, "time": 1_790_000_000_000_i64, "severity_id": 5,
        "metadata": {"version": "1.4.0"}, "finding_info": {"uid": uid, "title": "Token used elsewhere"},
    })
    .to_string()
}

fn signed(body: &[u8]) -> (&'static str, String) {
    let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
    let value = format!("sha256={}", hex(hmac::sign(&key, body).as_ref()));
    ("X-Hub-Signature-256", value)
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packed = GzEncoder::new(Vec::new(), Compression::best());
    packed.write_all(bytes).unwrap();
    packed.finish().unwrap()
}

/// Returns the head of a request to the webhook; the header `sign` becomes the signature.
fn head(method: &str, body: &[u8], headers: &[(&str, &str)]) -> String {
    let mut lines = vec![
        format!("{method} /hooks/hook HTTP/1.1"),
        "Host: x".to_owned(),
        format!("Content-Length: {}", body.len()),
    ];
    for (name, value) in headers {
        lines.push(match *name {
            "sign" => {
                let (name, value) = signed(body);
                format!("{name}: {value}")
            }
            name => format!("{name}: {value}"),
        });
    }
    lines.join("\r\n") + "\r\n\r\n"
}

/// A body, its headers, and how many alerts are in it.
type Row = (Vec<u8>, &'static [(&'static str, &'static str)], u64);

/// A receiver with one webhook of at most 64 KiB a body, and what it stored and told.
struct Place {
    address: SocketAddr,
    store: Arc<LockedStore>,
    events: mpsc::Receiver<IntakeEvent>,
    cancel: CancellationToken,
    served: tokio::task::JoinHandle<()>,
    dir: tempfile::TempDir,
}

impl Place {
    async fn new(sender: SenderAuth) -> Self {
        let source = SourceSettings::Webhook {
            name: "hook".to_owned(),
            sender,
            format: None,
            max_body_kib: 64,
        };
        Self::with(source, Decoders::shipped()).await
    }

    async fn with(source: SourceSettings, decoders: &Arc<Decoders>) -> Self {
        let settings = ReceiverSettings {
            listen: "127.0.0.1:0".to_owned(),
            allow_remote: false,
            patience_s: 1,
        };
        let receiver = Receiver::bind(&settings, &[source], decoders)
            .await
            .unwrap();
        let dir = tempfile::tempdir().unwrap();
        let store = Arc::new(LockedStore::new(Store::open(dir.path()).unwrap()));
        let (tx, events) = mpsc::channel(1_000);
        let cancel = CancellationToken::new();
        Self {
            address: receiver.address().unwrap(),
            served: tokio::spawn(receiver.run(Arc::clone(&store), tx, cancel.clone())),
            store,
            events,
            cancel,
            dir,
        }
    }

    async fn github() -> Self {
        Self::new(SenderAuth::Github { secret: secret() }).await
    }

    /// Posts a body and returns the status and the answer.
    async fn post(&self, body: &[u8], headers: &[(&str, &str)]) -> (u16, Value) {
        let text = head("POST", body, headers);
        self.raw(&[text.as_bytes(), body].concat()).await
    }

    /// Sends bytes as they are.
    async fn raw(&self, bytes: &[u8]) -> (u16, Value) {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        let mut answer = Vec::new();
        // A connection that is closed while more was to come ends in an error, after the answer.
        let _ = stream.read_to_end(&mut answer).await;
        let answer = String::from_utf8(answer).unwrap();
        let status = answer.split(' ').nth(1).map_or(0, |s| s.parse().unwrap());
        let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        (status, serde_json::from_str(body).unwrap_or(Value::Null))
    }

    fn stored(&self) -> Vec<(String, u64)> {
        let rows = self.store.lock().alerts(100).unwrap();
        let mut rows: Vec<_> = rows
            .iter()
            .map(|row| (row.alert.id.to_string(), row.count))
            .collect();
        rows.sort();
        rows
    }

    fn kept(&self) -> usize {
        self.store.lock().quarantine(100).unwrap().len()
    }
}

#[tokio::test]
async fn what_is_answered_is_stored_and_told_once() {
    let mut place = Place::github().await;
    let body = finding("a-1");
    let (name, value) = signed(body.as_bytes());
    let first = place.post(body.as_bytes(), &[(name, &value)]).await;
    assert_eq!(first, (200, json!({"alerts": 1, "new": 1})));
    assert_eq!(place.stored(), [("hook/a-1".to_owned(), 1)]);
    assert!(
        matches!(place.events.recv().await, Some(IntakeEvent::Alerts(rows)) if rows.len() == 1)
    );
    let again = place.post(body.as_bytes(), &[(name, &value)]).await;
    let before = json!({"alerts": 1, "new": 0, "stored_before": true});
    assert_eq!(again, (200, before), "a replay changes nothing");
    assert_eq!(place.stored(), [("hook/a-1".to_owned(), 1)]);
    place.cancel.cancel();
    place.served.await.unwrap();
    assert!(TcpStream::connect(place.address).await.is_err());
}

#[tokio::test]
async fn packed_forms_lines_lists_and_binary_events_are_read() {
    let place = Place::github().await;
    let lines = format!("{}\n{}\n", finding("l-1"), finding("l-2"));
    let list = format!("[{},{}]", finding("i-1"), finding("i-2"));
    let pretty =
        serde_json::to_vec_pretty(&serde_json::from_str::<Value>(&finding("p-1")).unwrap());
    let form: String = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("payload", &finding("f-1"))
        .finish();
    let rows: [Row; 6] = [
        (
            gzip(finding("g-1").as_bytes()),
            &[("Content-Encoding", "gzip")],
            1,
        ),
        (lines.into_bytes(), &[], 2),
        (list.into_bytes(), &[], 2),
        (pretty.unwrap(), &[], 1),
        (
            form.into_bytes(),
            &[("Content-Type", "application/x-www-form-urlencoded")],
            1,
        ),
        (
            finding("c-1").into_bytes(),
            &[
                ("ce-specversion", "1.0"),
                ("ce-id", "e"),
                ("ce-source", "s"),
                ("ce-type", "t"),
            ],
            1,
        ),
    ];
    let mut all = 0;
    for (body, headers, count) in rows {
        let (name, value) = signed(&body);
        let mut headers = headers.to_vec();
        headers.push((name, &value));
        let (status, answer) = place.post(&body, &headers).await;
        assert_eq!((status, &answer["new"]), (200, &json!(count)), "{answer}");
        all += count;
    }
    assert_eq!(place.stored().len() as u64, all);
}

/// Bad input, and what its sender is told.
#[rstest]
#[case::unsigned("POST", b"{}".to_vec(), &[], 401, "no `X-Hub-Signature-256` header")]
#[case::wrong("POST", b"{}".to_vec(), &[("X-Hub-Signature-256", "sha256=00")], 401, "its signature in `X-Hub-Signature-256` is wrong")]
#[case::too_long("POST", vec![b' '; 65 << 10], &[("sign", "")], 413, "longer than 64 KiB")]
#[case::bomb("POST", gzip(&vec![b' '; 8 << 20]), &[("sign", ""), ("Content-Encoding", "gzip")], 413, "unpacks to more than 64 KiB")]
#[case::no_gzip("POST", b"{}".to_vec(), &[("sign", ""), ("Content-Encoding", "gzip")], 400, "is no gzip")]
#[case::other_encoding("POST", b"{}".to_vec(), &[("sign", ""), ("Content-Encoding", "br")], 415, "something other than gzip")]
#[case::not_utf8("POST", b"{\"a\":\"\xff\"}".to_vec(), &[("sign", "")], 400, "not UTF-8 from byte 6 on")]
#[case::no_json("POST", b"hello".to_vec(), &[("sign", "")], 400, "")]
#[case::unknown("POST", b"{\"hello\":1}".to_vec(), &[("sign", "")], 400, "no decoder knows this object")]
#[case::empty("POST", b" \n".to_vec(), &[("sign", "")], 400, "the body is empty")]
#[case::get("GET", Vec::new(), &[], 405, "only POST")]
#[tokio::test]
async fn bad_input_is_told_from_good(
    #[case] method: &str,
    #[case] body: Vec<u8>,
    #[case] headers: &[(&str, &str)],
    #[case] status: u16,
    #[case] message: &str,
) {
    let place = Place::github().await;
    let text = head(method, &body, headers);
    let (found, answer) = place.raw(&[text.as_bytes(), &body].concat()).await;
    assert_eq!(found, status, "{answer}");
    let said = answer["error"].as_str().unwrap();
    assert!(said.contains(message), "{said}");
    assert_eq!(place.stored(), []);
    // What an authentic sender sent is kept, with the reason.
    assert_eq!(place.kept(), usize::from(answer["kept"] == json!(true)));
    assert_eq!(
        answer["kept"] == json!(true),
        status == 400 && !said.contains("body")
    );
}

#[tokio::test]
async fn a_slow_sender_is_told_and_let_go() {
    let place = Place::github().await;
    let head = "POST /hooks/hook HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\nX-Hub-Signature-256: sha256=00\r\n\r\n{";
    let (status, answer) = place.raw(head.as_bytes()).await;
    assert_eq!(status, 408, "{answer}");
    assert_eq!(answer["error"], "the body did not come within 1 s");
    // One that never finishes its headers gets nothing.
    let (status, _) = place.raw(b"POST /hooks/hook HTTP/1.1\r\nHost:").await;
    assert!(status == 0 || status == 408, "{status}");
}

#[tokio::test]
async fn other_paths_and_questions_about_the_hook() {
    let place = Place::github().await;
    let (status, _) = place
        .raw(b"POST /other HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
        .await;
    assert_eq!(status, 404);
    let asked = b"OPTIONS /hooks/hook HTTP/1.1\r\nHost: x\r\nWebHook-Request-Origin: events.example\r\n\r\n";
    assert_eq!(place.raw(asked).await.0, 200);
    let body = br#"{"zen":"x","hook_id":1}"#;
    let (name, value) = signed(body);
    let ping = place
        .post(body, &[(name, &value), ("X-GitHub-Event", "ping")])
        .await;
    assert_eq!(ping, (200, json!({"alerts": 0, "pong": true})));
    let body = br#"{"type":"url_verification","challenge":"abc"}"#;
    let (name, value) = signed(body);
    let challenge = place.post(body, &[(name, &value)]).await;
    assert_eq!(challenge, (200, json!({"challenge": "abc"})));
    assert_eq!(place.kept(), 0);
}

#[tokio::test]
async fn turning_away_is_told_with_the_address_and_not_at_any_rate() {
    let mut place = Place::github().await;
    for _ in 0..5 {
        assert_eq!(place.post(b"{}", &[]).await.0, 401);
    }
    place.cancel.cancel();
    place.served.await.unwrap();
    let mut told = Vec::new();
    while let Some(event) = place.events.recv().await {
        told.push(event);
    }
    assert!(
        matches!(&told[..], [IntakeEvent::Notice { source, text }]
            if source == "hook" && text.starts_with("a sender at 127.0.0.1 was turned away: no `X-Hub")),
        "{told:?}"
    );
    let health = place.store.lock().health().unwrap();
    assert!(
        health[0]
            .last_error
            .as_ref()
            .unwrap()
            .contains("was turned away")
    );
}

#[tokio::test]
async fn a_source_without_its_secret_or_keys_is_not_listened_for() {
    let settings = ReceiverSettings {
        listen: "127.0.0.1:0".to_owned(),
        ..ReceiverSettings::default()
    };
    let hook = SourceSettings::Webhook {
        name: "hook".to_owned(),
        sender: SenderAuth::Bearer {
            secret: SecretRef::File("/nonexistent/secret".into()),
        },
        format: None,
        max_body_kib: 64,
    };
    let events = SourceSettings::EventsPush {
        name: "idp".to_owned(),
        issuer: "https://idp.example".to_owned(),
        audience: "soc".to_owned(),
        token: None,
    };
    for (source, reason) in [
        (hook, "source hook is not listened for without its secret"),
        (events, "source idp is not listened for without keys"),
    ] {
        let error = Receiver::bind(&settings, &[source], Decoders::shipped())
            .await
            .unwrap_err()
            .to_string();
        assert!(error.starts_with(reason), "{error}");
    }
}

#[tokio::test]
async fn what_cannot_be_stored_is_not_acknowledged_and_comes_again() {
    let place = Place::github().await;
    let body = finding("a-1");
    let (name, value) = signed(body.as_bytes());
    // Another process that writes for longer than anybody waits.
    let other = rusqlite::Connection::open(place.dir.path().join("alerts.db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let (status, answer) = place.post(body.as_bytes(), &[(name, &value)]).await;
    assert_eq!(
        (status, &answer["error"]),
        (503, &json!("not stored; send it again"))
    );
    other.execute_batch("ROLLBACK").unwrap();
    assert_eq!(place.stored(), []);
    let again = place.post(body.as_bytes(), &[(name, &value)]).await;
    assert_eq!(again, (200, json!({"alerts": 1, "new": 1})));
}

/// A receiver with one transmitter, whose events need a bearer token too.
async fn transmitter(signer: &Signer) -> Place {
    let source = SourceSettings::EventsPush {
        name: "idp".to_owned(),
        issuer: ISSUER.to_owned(),
        audience: "soc".to_owned(),
        token: Some(secret()),
    };
    Place::with(source, &signer.decoders()).await
}

const CAEP: &str = "https://schemas.openid.net/secevent/caep/event-type/session-revoked";

fn push(body: &[u8], token: &str, kind: &str) -> Vec<u8> {
    let head = format!(
        "POST /events/idp HTTP/1.1\r\nHost: x\r\nContent-Type: {kind}\r\nAuthorization: Bearer {token}\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

#[tokio::test]
async fn pushed_events_are_accepted_once_they_are_stored() {
    let signer = Signer::new();
    let place = transmitter(&signer).await;
    let token = signer.good("a");
    for _ in 0..2 {
        let pushed = push(token.as_bytes(), SECRET, "application/secevent+jwt");
        assert_eq!(place.raw(&pushed).await, (202, Value::Null));
        let stored = place.stored();
        assert!(stored.len() == 1 && stored[0].1 == 1, "{stored:?}");
    }
    let live = "https://schemas.openid.net/secevent/ssf/event-type/verification";
    let token = signer.token("b", ISSUER, "soc", live);
    let pushed = push(
        token.as_bytes(),
        SECRET,
        "application/secevent+jwt; charset=utf-8",
    );
    assert_eq!(place.raw(&pushed).await.0, 202);
    assert_eq!(place.stored().len(), 1, "a sign of life is no alert");
    let health = place.store.lock().health().unwrap();
    assert!(health[0].last_success.is_some());
}

/// What RFC 8935 has a transmitter told.
#[rstest]
#[case::login(
    "wrong",
    "application/secevent+jwt",
    "good",
    "authentication_failed",
    "the secret in `Authorization` is wrong"
)]
#[case::kind(
    SECRET,
    "application/json",
    "good",
    "invalid_request",
    "the content type must be"
)]
#[case::form(
    SECRET,
    "application/secevent+jwt",
    "form",
    "invalid_request",
    "is not base64url-encoded JSON"
)]
#[case::binary(
    SECRET,
    "application/secevent+jwt",
    "binary",
    "invalid_request",
    "no text"
)]
#[case::signature(
    SECRET,
    "application/secevent+jwt",
    "foreign",
    "invalid_key",
    "its signature is wrong"
)]
#[case::issuer(
    SECRET,
    "application/secevent+jwt",
    "issuer",
    "invalid_issuer",
    "https://evil.example/"
)]
#[case::audience(
    SECRET,
    "application/secevent+jwt",
    "audience",
    "invalid_audience",
    "for somebody else"
)]
#[tokio::test]
async fn refused_events(
    #[case] token: &str,
    #[case] kind: &str,
    #[case] which: &str,
    #[case] err: &str,
    #[case] description: &str,
) {
    let signer = Signer::new();
    let place = transmitter(&signer).await;
    let body = match which {
        "good" => signer.good("a").into_bytes(),
        "form" => b"not.a.token".to_vec(),
        "binary" => vec![0xff, 0xfe],
        "foreign" => Signer::new().good("a").into_bytes(),
        "issuer" => signer
            .token("a", "https://evil.example/", "soc", CAEP)
            .into_bytes(),
        _ => signer.token("a", ISSUER, "other", CAEP).into_bytes(),
    };
    let (status, answer) = place.raw(&push(&body, token, kind)).await;
    assert_eq!(
        (status, answer["err"].as_str()),
        (400, Some(err)),
        "{answer}"
    );
    let said = answer["description"].as_str().unwrap();
    assert!(said.contains(description), "{said}");
    assert_eq!((place.stored(), place.kept()), (Vec::new(), 0));
}
