//! Bad peers: what one request comes to when the other side misbehaves, and how often it was really sent.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rstest::rstest;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::http::Way;
use super::testing::{good, settings};
use super::{Connector, RunResult};
use crate::app::settings::{AuthSettings, ConnectorSettings, SecretRef};
use crate::domain::coverage::WireOutcome::{self, *};
use crate::domain::plan::{Body, FormField, RenderedRequest};

/// A server that answers every connection with the same bytes and then closes it.
pub(super) struct Peer {
    pub(super) url: String,
    pub(super) calls: Arc<AtomicUsize>,
    pub(super) seen: Arc<std::sync::Mutex<String>>,
}

/// What a peer does after it has read a request.
#[derive(Clone, Debug)]
pub(super) enum Manner {
    Say(Vec<u8>),
    /// Says something, then the same piece forever.
    Forever(Vec<u8>, Vec<u8>),
    /// Says something, then a byte now and then.
    Trickle(Vec<u8>),
    /// Keeps the connection open and says nothing.
    Silent,
    /// Closes before reading.
    Hang,
}

impl Peer {
    pub(super) async fn start(manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let calls = Arc::new(AtomicUsize::new(0));
        let seen = Arc::new(std::sync::Mutex::new(String::new()));
        let (count, log) = (Arc::clone(&calls), Arc::clone(&seen));
        tokio::spawn(async move {
            while let Ok((mut socket, _)) = listener.accept().await {
                let count = Arc::clone(&count);
                let (manner, log) = (manner.clone(), Arc::clone(&log));
                tokio::spawn(async move {
                    if let Manner::Hang = manner {
                        count.fetch_add(1, Ordering::SeqCst);
                        return;
                    }
                    let request = read_request(&mut socket).await;
                    log.lock().unwrap().push_str(&request);
                    if request.starts_with("POST /login ") {
                        let body = r#"{"access_token":"canary-issued","token_type":"Bearer","expires_in":300}"#;
                        let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n";
                        let text = format!("{head}Content-Length: {}\r\n\r\n{body}", body.len());
                        let _ = socket.write_all(text.as_bytes()).await;
                        return;
                    }
                    count.fetch_add(1, Ordering::SeqCst);
                    match manner {
                        Manner::Say(bytes) => {
                            let _ = socket.write_all(&bytes).await;
                            let _ = socket.shutdown().await;
                        }
                        Manner::Forever(head, piece) => {
                            let _ = socket.write_all(&head).await;
                            while socket.write_all(&piece).await.is_ok() {}
                        }
                        Manner::Trickle(head) => {
                            let _ = socket.write_all(&head).await;
                            let mut pace =
                                tokio::time::interval(std::time::Duration::from_millis(100));
                            while socket.write_all(b"a").await.is_ok() {
                                pace.tick().await;
                            }
                        }
                        Manner::Silent => {
                            let _ = socket.read(&mut [0; 16]).await;
                        }
                        Manner::Hang => {}
                    }
                });
            }
        });
        Self { url, calls, seen }
    }

    pub(super) async fn saying(text: &str) -> Self {
        Self::start(Manner::Say(text.as_bytes().to_vec())).await
    }
}

async fn read_request(socket: &mut tokio::net::TcpStream) -> String {
    let mut buffer = Vec::new();
    let mut piece = [0; 4096];
    loop {
        let n = socket.read(&mut piece).await.unwrap_or(0);
        buffer.extend_from_slice(&piece[..n]);
        let text = String::from_utf8_lossy(&buffer).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head
                .to_ascii_lowercase()
                .split_once("content-length: ")
                .and_then(|(_, rest)| rest.split("\r\n").next()?.parse().ok())
                .unwrap_or(0);
            if body.len() >= length {
                return text;
            }
        }
        if n == 0 {
            return text;
        }
    }
}

fn request(base: &str) -> RenderedRequest {
    RenderedRequest {
        id: "act".into(),
        method: "POST".into(),
        url: format!("{base}/act"),
        headers: Vec::new(),
        body: Body::None,
        expect: vec![200, 202, 204],
        already: vec![404, 409],
        accept_if: None,
        capture: None,
        next: None,
    }
}

fn connector(base: &str) -> Connector {
    let dir = tempfile::tempdir().unwrap();
    let settings = ConnectorSettings {
        timeout_s: 1,
        ..good(base, dir.path())
    };
    Connector::new("peer", &settings).unwrap()
}

async fn run(peer: &Peer, change: impl FnOnce(&mut RenderedRequest)) -> (RunResult, usize) {
    run_by(Way::Own, peer, change).await
}

async fn run_by(
    way: Way,
    peer: &Peer,
    change: impl FnOnce(&mut RenderedRequest),
) -> (RunResult, usize) {
    let mut request = request(&peer.url);
    change(&mut request);
    let result = connector(&peer.url).run_by(way, &[request], "key-1").await;
    (result, peer.calls.load(Ordering::SeqCst))
}

#[rstest]
#[case::ok("200 OK\r\nContent-Length: 2\r\n\r\n{}", Accepted, 1)]
#[case::no_content("204 No Content\r\n\r\n", Accepted, 1)]
#[case::later("202 Accepted\r\nContent-Length: 0\r\n\r\n", AcceptedAsync, 1)]
#[case::plain_text("200 OK\r\nContent-Length: 5\r\n\r\nhello", Accepted, 1)]
#[case::other_2xx("206 Partial\r\nContent-Length: 0\r\n\r\n", Unknown, 1)]
#[case::gone("404 Not Found\r\nContent-Length: 0\r\n\r\n", NoChange, 1)]
#[case::conflict("409 Conflict\r\nContent-Length: 0\r\n\r\n", NoChange, 1)]
#[case::bad_request("400 Bad\r\nContent-Length: 0\r\n\r\n", Rejected, 1)]
#[case::unauthorised("401 No\r\nContent-Length: 0\r\n\r\n", Rejected, 1)]
#[case::forbidden("403 No\r\nContent-Length: 0\r\n\r\n", Rejected, 1)]
#[case::teapot("418 T\r\nContent-Length: 0\r\n\r\n", Rejected, 1)]
#[case::moved(
    "301 M\r\nLocation: http://evil.example/\r\nContent-Length: 0\r\n\r\n",
    BlockedRedirect,
    1
)]
#[case::not_modified("304 N\r\n\r\n", BlockedRedirect, 1)]
#[case::server_error("500 E\r\nContent-Length: 0\r\n\r\n", Unknown, 1)]
#[case::bad_gateway("502 E\r\nContent-Length: 0\r\n\r\n", Unknown, 1)]
#[case::busy_now("503 B\r\nRetry-After: 0\r\nContent-Length: 0\r\n\r\n", Deferred, 3)]
#[case::too_many_now("429 B\r\nRetry-After: 0\r\nContent-Length: 0\r\n\r\n", Deferred, 3)]
#[case::too_many_for_long(
    "429 B\r\nRetry-After: 1000000000\r\nContent-Length: 0\r\n\r\n",
    Deferred,
    1
)]
#[case::busy_past_date(
    "503 B\r\nRetry-After: Thu, 01 Jan 1970 00:00:00 GMT\r\nContent-Length: 0\r\n\r\n",
    Deferred,
    3
)]
#[case::short_body("200 OK\r\nContent-Length: 50\r\n\r\n{}", Unknown, 1)]
#[case::chunked_lie("200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\nshort", Unknown, 1)]
#[case::bad_chunk("200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", Unknown, 1)]
#[case::broken_refusal("403 No\r\nContent-Length: 50\r\n\r\nshort", Rejected, 1)]
#[case::two_lengths(
    "200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n{}",
    Unknown,
    1
)]
#[case::headers_cut("200 OK\r\nContent-Le", Unknown, 1)]
#[case::endless_informational("100 Continue\r\n\r\n", Unknown, 1)]
#[tokio::test]
async fn answers_have_a_class(
    #[case] answer: &str,
    #[case] want: WireOutcome,
    #[case] calls: usize,
    #[values(Way::Own, Way::Shared)] way: Way,
) {
    let peer = Peer::saying(&format!("HTTP/1.1 {answer}")).await;
    let (result, seen) = run_by(way, &peer, |_| {}).await;
    assert_eq!((result.outcome, seen), (want, calls), "{result:?}");
    assert_eq!(result.attempts as usize, calls);
    let clean = matches!(want, Accepted | AcceptedAsync | NoChange);
    assert_eq!(result.error.is_none(), clean, "{result:?}");
}

#[rstest]
#[case::garbage(Manner::Say(b"\x00\xff\x16\x03 nonsense\r\n\r\n".to_vec()))]
#[case::http_0_9(Manner::Say(b"<html>hello</html>".to_vec()))]
#[case::nothing(Manner::Say(Vec::new()))]
#[case::tls_alert(Manner::Say(b"\x15\x03\x01\x00\x02\x02\x28".to_vec()))]
#[case::silent(Manner::Silent)]
#[case::hangs_up(Manner::Hang)]
#[case::huge_header(Manner::Say([b"HTTP/1.1 200 OK\r\nX: ".to_vec(), vec![b'a'; 1 << 20], b"\r\n\r\n".to_vec()].concat()))]
#[case::many_headers(Manner::Say([b"HTTP/1.1 200 OK\r\n".to_vec(), b"X: y\r\n".repeat(10_000), b"\r\n".to_vec()].concat()))]
#[case::endless_body(Manner::Forever(b"HTTP/1.1 200 OK\r\n\r\n".to_vec(), vec![b' '; 65_536]))]
#[case::ten_gigabytes(Manner::Forever(b"HTTP/1.1 200 OK\r\nContent-Length: 10000000000\r\n\r\n".to_vec(), vec![b'1'; 65_536]))]
#[case::endless_headers(Manner::Forever(b"HTTP/1.1 200 OK\r\n".to_vec(), b"A: b\r\n".repeat(1000)))]
#[tokio::test]
async fn what_left_and_got_no_usable_answer_is_unknown_and_never_sent_again(
    #[case] manner: Manner,
    #[values(Way::Own, Way::Shared)] way: Way,
) {
    let peer = Peer::start(manner).await;
    let (result, calls) = run_by(way, &peer, |_| {}).await;
    assert_eq!((result.outcome, calls), (Unknown, 1), "{result:?}");
    assert!(result.error.is_some());
}

/// A server that counts connections and requests. It answers a connection's requests and keeps it, up to so many; the next is
/// read and not answered.
async fn keeper(answers: usize) -> (String, Arc<AtomicUsize>, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (connections, requests) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (opened, read) = (Arc::clone(&connections), Arc::clone(&requests));
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            opened.fetch_add(1, Ordering::SeqCst);
            let read = Arc::clone(&read);
            tokio::spawn(async move {
                for n in 0.. {
                    if read_request(&mut socket).await.is_empty() {
                        return;
                    }
                    read.fetch_add(1, Ordering::SeqCst);
                    if n == answers {
                        return;
                    }
                    let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}";
                    socket.write_all(answer).await.unwrap();
                }
            });
        }
    });
    (url, connections, requests)
}

#[rstest]
#[case::of_its_own(Way::Own, [Accepted, Accepted, Accepted], 3, 3)]
#[case::shared(Way::Shared, [Accepted, Accepted, Unknown], 1, 3)]
#[tokio::test]
async fn a_connection_that_ends_under_a_request_loses_it_and_nothing_is_sent_again(
    #[case] way: Way,
    #[case] want: [WireOutcome; 3],
    #[case] connections: usize,
    #[case] calls: usize,
) {
    let (url, opened, read) = keeper(2).await;
    let connector = connector(&url);
    let mut came = Vec::new();
    for _ in 0..3 {
        let result = connector.run_by(way, &[request(&url)], "k").await;
        assert_eq!(result.attempts, 1, "{result:?}");
        came.push(result.outcome);
    }
    assert_eq!(came, want);
    let seen = [&opened, &read].map(|n| n.load(Ordering::SeqCst));
    assert_eq!(seen, [connections, calls]);
}

#[tokio::test]
async fn refused_unresolved_and_untrusted_peers_get_nothing() {
    let closed = {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        listener.local_addr().unwrap()
    };
    let plain = Peer::saying("HTTP/1.1 200 OK\r\n\r\n").await;
    let plain_as_tls = plain.url.replace("http:", "https:");
    for base in [
        format!("http://{closed}"),
        "https://name.invalid".to_owned(),
        plain_as_tls,
    ] {
        let result = connector(&base).run(&[request(&base)], "k").await;
        assert_eq!(result.outcome, NotSent, "{base}: {result:?}");
        assert!(result.error.is_some() && result.http_status.is_none());
    }
    assert!(!plain.seen.lock().unwrap().contains("POST"));
}

#[rstest]
#[case(301)]
#[case(302)]
#[case(303)]
#[case(307)]
#[case(308)]
#[tokio::test]
async fn redirects_reach_nobody(#[case] status: u16) {
    let other = Peer::saying("HTTP/1.1 200 OK\r\n\r\n").await;
    for target in [
        format!("{}/stolen", other.url),
        "//evil.example/".to_owned(),
        "/same".to_owned(),
        "https://evil.example".to_owned(),
    ] {
        let peer = Peer::saying(&format!(
            "HTTP/1.1 {status} M\r\nLocation: {target}\r\nContent-Length: 0\r\n\r\n"
        ))
        .await;
        let (result, calls) = run(&peer, |_| {}).await;
        assert_eq!((result.outcome, calls), (BlockedRedirect, 1), "{target}");
    }
    assert_eq!(other.calls.load(Ordering::SeqCst), 0);
}

#[rstest]
#[case::good(r#"{"ok":true}"#, Accepted)]
#[case::error_inside(r#"{"ok":false}"#, Rejected)]
#[case::not_json("oops", Unknown)]
#[case::other_shape("[1]", Unknown)]
#[case::too_deep(&"[".repeat(100_000), Unknown)]
#[tokio::test]
async fn errors_inside_a_200_count(#[case] body: &str, #[case] want: WireOutcome) {
    let peer = Peer::saying(&format!(
        "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    ))
    .await;
    let (result, _) = run(&peer, |r| r.accept_if = Some(".ok".into())).await;
    assert_eq!(result.outcome, want, "{result:?}");
}

#[tokio::test]
async fn what_leaves_is_what_was_rendered() {
    let peer = Peer::saying("HTTP/1.1 204 N\r\nX-Request-Id: r-77\r\n\r\n").await;
    let hostile = "\",\"admin\":true,\"x\":\"\r\nHost: evil";
    let (result, _) = run(&peer, |r| {
        r.body = Body::Json {
            value: json!({"note": hostile, "at": {"$now": "+1s"}}),
        };
    })
    .await;
    assert_eq!(result.outcome, Accepted);
    assert_eq!(result.provider_request_id.as_deref(), Some("r-77"));
    let seen = peer.seen.lock().unwrap().clone();
    let (head, body) = seen.split_once("\r\n\r\n").unwrap();
    let head = head.to_ascii_lowercase();
    for line in [
        "post /act http/1.1",
        "idempotency-key: key-1",
        "content-type: application/json",
    ] {
        assert!(head.contains(line), "{head}");
    }
    assert!(head.contains(&format!("user-agent: stanch/{}", env!("CARGO_PKG_VERSION"))));
    let body: serde_json::Value = serde_json::from_str(body).unwrap();
    assert_eq!(body["note"], hostile);
    assert!(body["at"].as_i64().unwrap() > 1_700_000_000 && body.as_object().unwrap().len() == 2);
}

#[tokio::test]
async fn a_request_for_another_place_is_refused() {
    let other = Peer::saying("HTTP/1.1 200 OK\r\n\r\n").await;
    let peer = Peer::saying("HTTP/1.1 200 OK\r\n\r\n").await;
    let base = format!("{}/prefix", peer.url);
    let user = peer.url.replace("http://", "http://user@");
    for url in [
        format!("{}/act", other.url),
        format!("{}/elsewhere", peer.url),
        format!("{base}/../act"),
        format!("{user}/prefix/act"),
        "not a url".to_owned(),
    ] {
        let mut request = request(&base);
        request.url.clone_from(&url);
        let result = connector(&base).run(&[request], "k").await;
        assert_eq!(result.outcome, NotSent, "{url}");
    }
    assert_eq!(
        other.calls.load(Ordering::SeqCst) + peer.calls.load(Ordering::SeqCst),
        0
    );
}

#[tokio::test]
async fn a_step_stops_at_the_first_failure_and_does_not_claim_that_nothing_left() {
    let good = Peer::saying("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await;
    let connector = connector(&good.url);
    let mut refused = request(&good.url);
    refused.expect = vec![204];
    let mut elsewhere = request(&good.url);
    elsewhere.url = "http://127.0.0.1:1/act".into();
    let result = connector
        .run(&[request(&good.url), elsewhere, request(&good.url)], "k")
        .await;
    assert_eq!(
        (result.outcome, good.calls.load(Ordering::SeqCst)),
        (Unknown, 1)
    );
    assert!(result.error.unwrap().contains("took effect"));
    assert_eq!(connector.run(&[], "k").await.outcome, NoChange);
    assert_eq!(connector.run(&[refused], "k").await.outcome, Unknown);
}

/// A canary in every secret place: nothing that can be printed may hold it.
#[tokio::test]
async fn secrets_are_sent_and_never_shown() {
    const CANARY: &str = "canary-7f3a";
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("secret");
    std::fs::write(&file, CANARY).unwrap();
    std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let reference = SecretRef::File(file.clone());
    for answer in ["200 OK", "500 E", "301 M", "401 U", "garbage"] {
        let peer = Peer::saying(&format!(
            "HTTP/1.1 {answer}\r\nContent-Length: 11\r\n\r\n{CANARY}"
        ))
        .await;
        let mut settings = settings(&peer.url, "lab");
        settings.auth = AuthSettings::Bearer {
            token: reference.clone(),
        };
        settings.timeout_s = 1;
        let connector = Connector::new("c", &settings).unwrap();
        let mut request = request(&peer.url);
        request.accept_if = Some(".ok".into());
        request.body = Body::Form {
            fields: vec![FormField {
                name: "token".into(),
                value: None,
                secret: Some(format!("file:{}", file.display())),
            }],
        };
        let result = connector.run(std::slice::from_ref(&request), "k").await;
        assert_eq!(
            peer.seen.lock().unwrap().matches(CANARY).count(),
            2,
            "header and field"
        );
        let shown = format!("{result:?} {connector:?} {request:?} {settings:?}");
        assert!(!shown.contains(CANARY), "{shown}");
    }
}
