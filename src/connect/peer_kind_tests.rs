//! Bad peers for every kind of request: JSON behind a header, a form behind an OAuth login, a signed AWS query. Each peer has
//! one class and one number of calls, and no secret is in anything that is kept.

use std::path::Path;
use std::sync::atomic::Ordering;

use futures::StreamExt as _;
use rstest::rstest;
use serde_json::json;

use super::Connector;
use super::peer_tests::{Manner, Peer};
use super::testing::{good, settings};
use crate::app::settings::{AuthSettings, ConnectorSettings, SecretRef};
use crate::domain::coverage::WireOutcome::{self, *};
use crate::domain::decision::Outcome;
use crate::domain::ids::IntentId;
use crate::domain::plan::{Body, FormField, RenderedRequest};

const CANARY: &str = "canary-9d1e";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Json,
    Form,
    AwsQuery,
}

struct Row {
    name: &'static str,
    manner: Manner,
    want: WireOutcome,
    calls: usize,
}

impl Row {
    /// Tells whether only a deadline ends it.
    const fn hangs(&self) -> bool {
        matches!(
            self.manner,
            Manner::Silent | Manner::Trickle(_) | Manner::Forever(..)
        )
    }
}

fn says(name: &'static str, answer: &str, want: WireOutcome, calls: usize) -> Row {
    let manner = Manner::Say(format!("HTTP/1.1 {answer}").into_bytes());
    Row {
        name,
        manner,
        want,
        calls,
    }
}

fn raw(name: &'static str, bytes: &[u8]) -> Row {
    lost(name, Manner::Say(bytes.to_vec()))
}

const fn lost(name: &'static str, manner: Manner) -> Row {
    Row {
        name,
        manner,
        want: Unknown,
        calls: 1,
    }
}

/// Answers with a status, and no more than that.
fn statuses(other: &str) -> Vec<Row> {
    let none = "Content-Length: 0\r\n\r\n";
    let status =
        |name, line: &str, want, calls| says(name, &format!("{line}\r\n{none}"), want, calls);
    let busy = |name, line: &str, after: &str, calls| {
        says(
            name,
            &format!("{line}\r\nRetry-After: {after}\r\n{none}"),
            Deferred,
            calls,
        )
    };
    let mut rows = vec![
        status("202 for ever", "202 Later", AcceptedAsync, 1),
        status("206", "206 Partial", Unknown, 1),
        status("304", "304 Same", BlockedRedirect, 1),
        status("400", "400 Bad", Rejected, 1),
        status("403", "403 No", Rejected, 1),
        status("404", "404 Gone", NoChange, 1),
        status("409", "409 Conflict", NoChange, 1),
        status("500", "500 Error", Unknown, 1),
        status("502", "502 Gateway", Unknown, 1),
        busy("429 now", "429 Busy", "0", 3),
        busy(
            "429 by a date",
            "429 Busy",
            "Thu, 01 Jan 1970 00:00:00 GMT",
            3,
        ),
        busy("429 for years", "429 Busy", "1000000000", 1),
        busy("503 now", "503 Busy", "0", 3),
        busy("503 for years", "503 Busy", "99999999999999999999", 1),
    ];
    let targets = [
        other.to_owned(),
        format!("{other}/act"),
        "//evil.example/".to_owned(),
        "/same".to_owned(),
    ];
    for (name, line) in [
        ("301", "301 Moved"),
        ("302", "302 Found"),
        ("303", "303 See"),
        ("307", "307 Again"),
        ("308", "308 For good"),
    ] {
        for target in &targets {
            let line = format!("{line}\r\nLocation: {target}");
            rows.push(status(name, &line, BlockedRedirect, 1));
        }
    }
    rows
}

/// Answers that are broken.
fn broken() -> Vec<Row> {
    let chunked = "200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    let bomb = "200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\n\x1f\u{8b}\x08";
    let head = b"HTTP/1.1 200 OK\r\n".to_vec();
    let with = |more: &[u8]| [head.as_slice(), more].concat();
    vec![
        says(
            "short body",
            "200 OK\r\nContent-Length: 50\r\n\r\n{}",
            Unknown,
            1,
        ),
        says(
            "reset in the body",
            "200 OK\r\nContent-Length: 50\r\n\r\n",
            Unknown,
            1,
        ),
        says(
            "a lie in chunks",
            &format!("{chunked}ff\r\nshort"),
            Unknown,
            1,
        ),
        says("a bad chunk", &format!("{chunked}zz\r\n"), Unknown, 1),
        says(
            "two lengths",
            "200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n{}",
            Unknown,
            1,
        ),
        says("headers cut", "200 OK\r\nContent-Le", Unknown, 1),
        says("100 and no more", "100 Continue\r\n\r\n", Unknown, 1),
        says(
            "a broken refusal",
            "403 No\r\nContent-Length: 50\r\n\r\nshort",
            Rejected,
            1,
        ),
        says(
            "error inside",
            "200 OK\r\nContent-Length: 12\r\n\r\n{\"ok\":false}",
            Rejected,
            1,
        ),
        says(
            "no JSON",
            "200 OK\r\nContent-Length: 4\r\n\r\noops",
            Unknown,
            1,
        ),
        says(
            "another shape",
            "200 OK\r\nContent-Length: 3\r\n\r\n[1]",
            Unknown,
            1,
        ),
        says(
            "a key twice",
            "200 OK\r\nContent-Length: 22\r\n\r\n{\"ok\":true,\"ok\":false}",
            Rejected,
            1,
        ),
        says("compressed unasked", bomb, Unknown, 1),
        raw("garbage", b"\x00\xff\x16\x03 nonsense\r\n\r\n"),
        raw("HTTP/0.9", b"<html>hello</html>"),
        raw("nothing", b""),
        raw("a TLS alert", b"\x15\x03\x01\x00\x02\x02\x28"),
        raw(
            "1 MB of header",
            &with(&[b"X: ".to_vec(), vec![b'a'; 1 << 20], b"\r\n\r\n".to_vec()].concat()),
        ),
        raw(
            "10,000 headers",
            &with(&[b"X: y\r\n".repeat(10_000), b"\r\n".to_vec()].concat()),
        ),
        lost("black hole", Manner::Silent),
        lost(
            "endless body",
            Manner::Forever(with(b"\r\n"), vec![b' '; 65_536]),
        ),
        lost(
            "10 GB",
            Manner::Forever(
                with(b"Content-Length: 10000000000\r\n\r\n"),
                vec![b'1'; 65_536],
            ),
        ),
        lost(
            "endless headers",
            Manner::Forever(head.clone(), b"A: b\r\n".repeat(1000)),
        ),
        lost(
            "a byte at a time",
            Manner::Trickle(with(b"Content-Length: 90000\r\n\r\n")),
        ),
    ]
}

fn secret(dir: &Path) -> SecretRef {
    let file = dir.join("secret");
    std::fs::write(&file, CANARY).unwrap();
    std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    SecretRef::File(file)
}

fn connector(kind: Kind, base: &str, dir: &Path, timeout_s: u64) -> Connector {
    let auth = match kind {
        Kind::Json => AuthSettings::Header {
            header: "X-Token".into(),
            prefix: String::new(),
            token: secret(dir),
        },
        Kind::Form => AuthSettings::ClientCredentials {
            token_url: Some("/login".into()),
            client_id: "soc".into(),
            client_secret: secret(dir),
            scope: None,
        },
        Kind::AwsQuery => AuthSettings::AwsSigv4 {
            access_key_id: "AKIAEXAMPLE".into(),
            secret_access_key: secret(dir),
            session_token: None,
            region: "us-east-1".into(),
        },
    };
    let place = match kind {
        Kind::AwsQuery => settings(base, "aws_user"),
        _ => good(base, dir),
    };
    let settings = ConnectorSettings {
        auth,
        timeout_s,
        ..place
    };
    Connector::new("peer", &settings).unwrap()
}

fn request(kind: Kind, base: &str, dir: &Path) -> RenderedRequest {
    let field = |name: &str, value: Option<&str>, secret| FormField {
        name: name.into(),
        value: value.map(str::to_owned),
        secret,
    };
    let body = match kind {
        Kind::Json => Body::Json {
            value: json!({"why": "contained"}),
        },
        Kind::Form => Body::Form {
            fields: vec![field(
                "token",
                None,
                Some(format!("file:{}", dir.join("secret").display())),
            )],
        },
        Kind::AwsQuery => Body::Form {
            fields: vec![
                field("Action", Some("UpdateAccessKey"), None),
                field("Version", Some("2010-05-08"), None),
            ],
        },
    };
    RenderedRequest {
        id: "act".into(),
        method: "POST".into(),
        url: format!("{base}/act"),
        headers: Vec::new(),
        body,
        expect: vec![200, 202, 204],
        already: vec![404, 409],
        accept_if: Some("if . == null then true else .ok end".into()),
        capture: None,
        next: None,
    }
}

/// What would stand in the log.
fn logged(result: &super::RunResult) -> String {
    let outcome = Outcome {
        intent: IntentId::new("i"),
        outcome: result.outcome,
        http_status: result.http_status,
        provider_request_id: result.provider_request_id.clone(),
        attempts: result.attempts,
        error: result.error.clone(),
        error_class: result.error_class,
        retry_after: result.retry_after.clone(),
        bytes_sent: Some(result.bytes_sent),
        headers_sha256: result.headers_sha256.clone(),
        body_sha256: result.body_sha256.clone(),
        evidence: Vec::new(),
    };
    let tries = serde_json::to_string(&result.tries).unwrap();
    format!(
        "{} {tries} {result:?}",
        serde_json::to_string(&outcome).unwrap()
    )
}

async fn meet(kind: Kind, row: Row) -> Result<(), String> {
    let dir = tempfile::tempdir().unwrap();
    let timeout_s = if row.hangs() { 2 } else { 20 };
    let peer = Peer::start(row.manner).await;
    let connector = connector(kind, &peer.url, dir.path(), timeout_s);
    let request = request(kind, &peer.url, dir.path());
    // An answer without a body has no JSON to look into.
    let request = RenderedRequest {
        accept_if: request.accept_if.filter(|_| !row.name.starts_with("202")),
        ..request
    };
    let result = connector.run(&[request], "key-1").await;
    let calls = peer.calls.load(Ordering::SeqCst);
    let (got, want) = ((result.outcome, calls), (row.want, row.calls));
    if got != want {
        return Err(format!(
            "{kind:?} {}: {got:?}, not {want:?}: {result:?}",
            row.name
        ));
    }
    let kept = format!("{} {connector:?}", logged(&result));
    let sent = peer.seen.lock().unwrap().clone();
    if kind != Kind::AwsQuery && !sent.contains(CANARY) && !sent.contains("canary-issued") {
        return Err(format!(
            "{kind:?} {}: the secret was not even used",
            row.name
        ));
    }
    if kept.contains("canary") {
        return Err(format!("{kind:?} {}: a secret in {kept}", row.name));
    }
    if kind == Kind::AwsQuery && sent.contains(CANARY) {
        return Err(format!("{}: a signing key left", row.name));
    }
    Ok(())
}

#[rstest]
#[case(Kind::Json)]
#[case(Kind::Form)]
#[case(Kind::AwsQuery)]
#[tokio::test]
async fn every_kind_of_request_meets_every_bad_peer(#[case] kind: Kind) {
    let other = Peer::saying("HTTP/1.1 200 OK\r\n\r\n").await;
    let rows: Vec<Row> = statuses(&other.url).into_iter().chain(broken()).collect();
    assert!(rows.len() >= 45, "{}", rows.len());
    // Whoever waits for its deadline shares the processor with nobody, so that the request is out in time.
    let (slow, quick): (Vec<Row>, Vec<Row>) = rows.into_iter().partition(Row::hangs);
    let quick = futures::stream::iter(quick.into_iter().map(|row| meet(kind, row)));
    let mut met: Vec<Result<(), String>> = quick.buffer_unordered(4).collect().await;
    for row in slow {
        met.push(meet(kind, row).await);
    }
    let wrong: Vec<String> = met.into_iter().filter_map(Result::err).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(
        other.calls.load(Ordering::SeqCst),
        0,
        "redirects reach nobody"
    );
}

#[rstest]
#[case(Kind::Json, Rejected, 1)]
#[case(Kind::Form, Rejected, 2)]
#[case(Kind::AwsQuery, Rejected, 1)]
#[tokio::test]
async fn a_refused_credential_is_renewed_once_where_it_can_be(
    #[case] kind: Kind,
    #[case] want: WireOutcome,
    #[case] calls: usize,
) {
    let row = says("401", "401 Who\r\nContent-Length: 0\r\n\r\n", want, calls);
    assert_eq!(meet(kind, row).await, Ok(()));
}

#[rstest]
#[case(Kind::Json)]
#[case(Kind::Form)]
#[case(Kind::AwsQuery)]
#[tokio::test]
async fn whoever_cannot_be_reached_got_nothing(#[case] kind: Kind) {
    let closed = {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        listener.local_addr().unwrap()
    };
    let plain = Peer::saying("HTTP/1.1 200 OK\r\n\r\n").await;
    for base in [
        format!("http://{closed}"),
        "https://name.invalid".to_owned(),
        plain.url.replace("http:", "https:"),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let connector = connector(kind, &base, dir.path(), 5);
        let request = request(kind, &base, dir.path());
        let result = connector.run(&[request], "key-1").await;
        assert_eq!(result.outcome, NotSent, "{base}: {result:?}");
        assert!(!logged(&result).contains("canary"));
    }
    assert!(!plain.seen.lock().unwrap().contains("POST"));
}
