//! Reading what a provider says now: all at once, for a while, and what is said of what did not come.

use wiremock::matchers::method;
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::Connector;
use super::testing::{identity, settings};
use crate::app::settings::ConnectorSettings;

/// A provider that answers no read of a client before all of them have come.
fn answers_all_or_none(reads: usize) -> String {
    use std::io::Write as _;
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let all = std::sync::Arc::new(std::sync::Barrier::new(reads));
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (mut stream, all) = (stream.unwrap(), all.clone());
            std::thread::spawn(move || {
                let mut begin = vec![0; 4096];
                let n = std::io::Read::read(&mut stream, &mut begin).unwrap();
                let text = String::from_utf8_lossy(&begin[..n]).into_owned();
                let body = match text.split(' ').nth(1).unwrap() {
                    path if path.starts_with("/admin/clients?") => {
                        r#"[{"id":"c1","client_id":"svc.deploy","enabled":true,"secret_version":3}]"#
                    }
                    path => {
                        all.wait();
                        if path == "/admin/clients/c1" {
                            "{}"
                        } else {
                            "[]"
                        }
                    }
                };
                let answer = format!(
                    "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
                    body.len()
                );
                // Whoever gave up does not read it.
                let _ = stream.write_all(answer.as_bytes());
            });
        }
    });
    url
}

#[tokio::test]
async fn everything_is_asked_at_the_same_time() {
    let url = answers_all_or_none(5);
    let connector = Connector::new("lab", &settings(&url, "lab")).unwrap();
    let context = connector
        .read_context(&identity("svc.deploy"))
        .await
        .context;
    assert_eq!(context.unknown, vec![]);
}

#[tokio::test]
async fn a_provider_that_does_not_answer_is_named_with_what_is_unknown_and_waited_for_no_longer() {
    let server = MockServer::start().await;
    Mock::given(method("GET"))
        .respond_with(ResponseTemplate::new(200).set_delay(std::time::Duration::from_mins(10)))
        .mount(&server)
        .await;
    let settings = ConnectorSettings {
        timeout_s: 1,
        ..settings(&server.uri(), "lab")
    };
    let connector = Connector::new("idp-eu", &settings).unwrap();
    let read = connector.read_context(&identity("svc.deploy")).await;
    let unknown = &read.context.unknown;
    let parts: Vec<&str> = unknown.iter().map(|(part, _)| part.as_str()).collect();
    assert_eq!(
        parts,
        ["identity", "identity", "sessions", "roles", "credentials"]
    );
    for (part, why) in unknown {
        assert!(why.raw().starts_with("idp-eu: "), "{part}: {why:?}");
    }
    // One after the other would have taken a second each.
    let last = unknown.last().map(|(_, why)| why.raw());
    assert_eq!(last, Some("idp-eu: no answer within 2 s"));
}
