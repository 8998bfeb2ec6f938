//! Which fields the records of real runs have: what every reader of the log asks for is written by the console itself.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::Value;

use super::desk::{Desk, finding};

/// Fields that every record has, null where nothing on this system tells.
const FRAME: [&str; 20] = [
    "/v",
    "/seq",
    "/prev",
    "/type",
    "/ts",
    "/actor/user",
    "/actor/uid",
    "/actor/euid",
    "/actor/loginuid",
    "/actor/sessionid",
    "/actor/person",
    "/actor/version",
    "/actor/host",
    "/actor/tty",
    "/actor/ssh_from",
    "/actor/sudo_from",
    "/actor/pid",
    "/actor/start",
    "/mono",
    "/clk/sync",
];

/// Asserts that some record of a type has these fields, with something in them.
#[track_caller]
fn has(records: &[Value], kind: &str, fields: &[&str]) {
    for field in fields {
        let told = |r: &&Value| r["type"] == kind && r.pointer(field).is_some_and(|v| !v.is_null());
        let seen: Vec<_> = records.iter().filter(|r| r["type"] == kind).collect();
        assert!(
            records.iter().any(|r| told(&r)),
            "no {kind} with {field}: {seen:#?}"
        );
    }
}

#[track_caller]
fn framed(records: &[Value]) {
    for record in records {
        for field in FRAME {
            assert!(record.pointer(field).is_some(), "no {field} in {record}");
        }
        let own = ["/actor/key", "/actor/boot", "/actor/version"];
        assert!(
            own.iter()
                .all(|f| !record.pointer(f).unwrap_or(&Value::Null).is_null()),
            "{record}"
        );
    }
}

/// What a plan leaves open is said once per layer: with the reason where there is one.
#[test]
fn a_layer_that_stays_open_is_named_once() {
    let desk = Desk::new();
    let alerts = desk.drill(&["alerts", "list", "--json"]).ends(0).rows();
    let about = |row: &&Value| row["pattern"] == "secret_read";
    let alert = alerts.iter().find(about).unwrap()["key"].as_str().unwrap();
    let plan = desk
        .drill(&["plan", alert, "--playbook", "cut-live-access", "--json"])
        .ends(0)
        .json();
    let left = plan
        .pointer("/plan/residual")
        .and_then(Value::as_array)
        .unwrap();
    let told: Vec<_> = left
        .iter()
        .map(|r| (r["layer"].as_str().unwrap(), r["text"].as_str().unwrap()))
        .collect();
    let again = "whoever holds the client's secret or keys can log in again";
    assert_eq!(
        told,
        [
            ("credentials", again),
            ("permissions", "not touched by this plan")
        ]
    );
}

/// A hard plan in the drill: who, what, when, why, on what evidence, and what it came to.
#[test]
fn an_act_in_the_drill_leaves_every_field() {
    let desk = Desk::new();
    let alerts = desk.drill(&["alerts", "list", "--json"]).ends(0).rows();
    let about = |row: &&Value| row["identity"]["native_id"] == "svc-deploy";
    let alert = alerts.iter().find(about).unwrap()["key"].as_str().unwrap();
    let plan = desk
        .drill(&["plan", alert, "--playbook", "isolate-identity", "--json"])
        .ends(0)
        .json();
    let digest = plan["digest"].as_str().unwrap();
    let confirmed = ["--confirm", "svc-deploy", "--reason", "its key leaked"];
    desk.drill(&[&["contain", digest], &confirmed[..]].concat())
        .ends(0);

    let records = desk.drill(&["log", "show", "--json"]).ends(0).rows();
    framed(&records);
    assert!(records.iter().all(|r| r["policy"].is_string()));
    let confirm = ["/kind", "/alert", "/reason", "/plan"];
    has(&records, "decision", &confirm);
    let rendered = [
        "/digest",
        "/plan/playbook",
        "/plan/playbook_sha256",
        "/plan/incident",
        "/plan/environment",
        "/plan/expires",
        "/plan/nonce",
        "/plan/steps/0/requests",
    ];
    has(&records, "plan", &rendered);
    has(&records, "approval", &["/digest", "/approved", "/by"]);
    let intent = [
        "/intent",
        "/digest",
        "/step",
        "/verb",
        "/provider",
        "/identity",
        "/environment",
        "/alert",
        "/incident",
        "/plan/log",
        "/process/boot",
    ];
    has(&records, "intent", &intent);
    let outcome = [
        "/outcome",
        "/http_status",
        "/provider_request_id",
        "/attempts",
        "/bytes_sent",
        "/headers_sha256",
        "/body_sha256",
        "/evidence/0/name",
        "/evidence/0/sha256",
        "/evidence/0/size",
        "/evidence/0/source",
        "/evidence/0/media",
        "/evidence/0/fetched_at",
    ];
    has(&records, "outcome", &outcome);
    let verify = ["/intent", "/proof", "/says", "/tries", "/evidence_sha256"];
    has(&records, "verify", &verify);
    // An intent says where its plan stands.
    for intent in records.iter().filter(|r| r["type"] == "intent") {
        let at = |r: &&Value| r["type"] == "plan" && r["seq"] == intent["plan"]["seq"];
        let plan = records.iter().find(at).unwrap();
        assert_eq!(plan["digest"], intent["digest"]);
    }
}

/// Revokes at the third try, and says before that the token is alive and after that it is not.
fn busy() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let revoked = AtomicUsize::new(0);
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let (mut request, mut got) = (vec![0; 65_536], 0);
            while !String::from_utf8_lossy(&request[..got]).contains("token=") {
                match stream.read(&mut request[got..]) {
                    Ok(n) if n > 0 => got += n,
                    _ => break,
                }
            }
            let revoke = String::from_utf8_lossy(&request[..got]).contains("/revoke");
            let before = revoked.fetch_add(usize::from(revoke), Ordering::SeqCst);
            let (status, body) = match (revoke, before) {
                (true, 0 | 1) => ("429 Later\r\nRetry-After: 0", "{}".to_owned()),
                (true, _) => ("200 OK", "{}".to_owned()),
                _ => (
                    "200 OK",
                    format!("{{\"active\":{},\"client_id\":\"svc\"}}", before < 3),
                ),
            };
            let _ = write!(
                stream,
                "HTTP/1.1 {status}\r\nX-Request-Id: r-{before}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            );
        }
    });
    port
}

/// A provider that is busy, and a person with a name.
#[test]
fn tries_waits_and_persons_are_recorded() {
    let desk = Desk::configured(
        &format!(
            "[journal]\nperson = 'Alice Example'\n[connector.as]\npreset='oauth'\nbase_url='http://127.0.0.1:{}'\ntimeout_s=5\n\
             auth={{kind='basic',username='console',password='cmd:/bin/hostname'}}\n",
            busy()
        ),
        "",
    );
    let token = desk.write("token", "a-token-that-is-alive");
    std::fs::set_permissions(&token, std::fs::Permissions::from_mode(0o600)).unwrap();
    desk.write(
        "inventory.toml",
        &format!(
            "[[identity]]\nid='as:svc'\nname='svc'\nkind='oauth_client'\nconnector='as'\naliases=['svc']\n\
             params={{client_id='svc'}}\n\
             [[identity.credential]]\nid='t1'\nkind='access_token'\nsecret_ref='file:{}'\n",
            token.display()
        ),
    );
    desk.alert(&finding("f-1", "svc"));
    let plan = desk
        .run(&[
            "plan",
            "siem/f-1",
            "--playbook",
            "cut-live-access",
            "--json",
        ])
        .ends(0)
        .json();
    desk.run(&["contain", plan["digest"].as_str().unwrap()]);
    let records = desk.run(&["log", "show", "--json"]).ends(0).rows();
    framed(&records);
    has(&records, "decision", &["/actor/person/claimed"]);
    let tries: Vec<_> = records.iter().filter(|r| r["type"] == "attempt").collect();
    let told = |field: &str| tries.iter().map(|t| t[field].clone()).collect::<Vec<_>>();
    assert_eq!(told("attempt"), [1, 2, 3], "{tries:#?}");
    assert_eq!(told("http_status"), [429, 429, 200]);
    assert_eq!(
        told("retry_after"),
        [Value::from("0"), Value::from("0"), Value::Null]
    );
    assert!(
        told("waited_ms")[..2].iter().all(Value::is_u64),
        "{tries:#?}"
    );
    let came = |r: &&Value| r["type"] == "outcome" && r["attempts"] == 3;
    let outcome = records.iter().find(came).unwrap();
    assert_eq!(outcome["provider_request_id"], "r-2");
    assert_eq!(outcome["intent"], tries[0]["intent"]);
    // Three times the same body left.
    let sent = outcome["bytes_sent"].as_u64().unwrap();
    assert!(sent > 0 && sent.is_multiple_of(3), "{outcome}");
}
