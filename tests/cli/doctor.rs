//! `stanch doctor`: what each connector could do now.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;

use super::desk::{Desk, Done};

/// Answers every request with an administrator's name, and counts those that are no reads.
fn broker() -> (String, std::sync::Arc<std::sync::atomic::AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let place = format!("http://{}", listener.local_addr().unwrap());
    let acts = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let count = std::sync::Arc::clone(&acts);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut head = [0; 4096];
            let length = stream.read(&mut head).unwrap();
            if !head[..length].starts_with(b"GET ") {
                count.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            }
            let body = r#"{"name": "soc", "tags": ["administrator"]}"#;
            let _ = write!(
                stream,
                "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
                body.len()
            );
        }
    });
    (place, acts)
}

#[track_caller]
fn prints(done: &Done, parts: &[&str]) {
    for part in parts {
        assert!(done.out.contains(part), "no `{part}` in: {}", done.out);
    }
}

#[test]
fn what_is_possible_and_what_is_not_is_told_without_changing_anything() {
    let (place, acts) = broker();
    let desk = Desk::configured(
        &format!(
            "[connector.good]\npreset = 'rabbitmq'\nbase_url = '{place}'\n\n\
             [connector.gone]\npreset = 'rabbitmq'\nbase_url = 'http://127.0.0.1:1'\n\
             auth = {{ kind = 'basic', username = 'soc', password = 'env:NOT_SET_ANYWHERE' }}\n"
        ),
        "",
    );
    prints(
        &desk.run(&["doctor", "good"]).ends(0),
        &[
            "ok       it answers",
            "ok       may: the tag `administrator`",
            "possible: revoke_sessions, rotate_secret",
        ],
    );
    prints(
        &desk.run(&["doctor"]).ends(1),
        &[
            "no       its secrets can be read: environment variable `NOT_SET_ANYWHERE` is not set",
            "no       it answers: it cannot be reached",
            "impossible: revoke_sessions",
        ],
    );
    let told = desk.run(&["doctor", "--json"]).ends(1).json();
    let first = &told["connectors"][0];
    assert_eq!(
        (&first["connector"], &first["reachable"]["state"]),
        (&"gone".into(), &"no".into())
    );
    assert!(
        told["connectors"][1]["actions"]
            .as_array()
            .unwrap()
            .iter()
            .all(|a| a["state"] == "ok")
    );
    desk.run(&["doctor", "nobody"])
        .ends(2)
        .tells(&["there are: gone, good"]);
    assert_eq!(acts.load(std::sync::atomic::Ordering::SeqCst), 0);
}
