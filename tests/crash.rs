//! kill -9 between intent and outcome: the next start shows *unknown*, sends nothing by itself, and reads back on a key.

#[expect(dead_code, reason = "this file needs only a part of it")]
mod common;

#[path = "common/request.rs"]
mod request;

use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::Pty;
use request::read_request;
use serde_json::Value;

/// An OAuth server that calls a token active until told otherwise, and never answers a revocation.
struct SilentServer {
    port: u16,
    revocations: Arc<AtomicUsize>,
    active: Arc<AtomicBool>,
    arrived: Receiver<()>,
}

impl SilentServer {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (revocations, active) = (
            Arc::new(AtomicUsize::new(0)),
            Arc::new(AtomicBool::new(true)),
        );
        let (sender, arrived) = channel();
        let (count, state) = (revocations.clone(), active.clone());
        // Held open for ever: a closed connection would be an answer.
        let held: Arc<Mutex<Vec<TcpStream>>> = Arc::default();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (count, state, sender, held) =
                    (count.clone(), state.clone(), sender.clone(), held.clone());
                std::thread::spawn(move || {
                    while let Some(path) = read_request(&stream) {
                        if path.ends_with("/revoke") {
                            count.fetch_add(1, Ordering::SeqCst);
                            held.lock().unwrap().push(stream.try_clone().unwrap());
                            let _ = sender.send(());
                            return;
                        }
                        let body = format!("{{\"active\":{}}}", state.load(Ordering::SeqCst));
                        let answer = format!(
                            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
                            body.len()
                        );
                        if (&stream).write_all(answer.as_bytes()).is_err() {
                            return;
                        }
                    }
                });
            }
        });
        Self {
            port,
            revocations,
            active,
            arrived,
        }
    }
}

const ALERT: &str = r#"{"class_uid":2004,"category_uid":2,"activity_id":1,"type_uid":200401,"time":1794000000000,"severity_id":4,"confidence_score":90,"metadata":{"version":"1.5.0","product":{"name":"detector","vendor_name":"Example"}},"finding_info":{"uid":"f-1","title":"Token of svc-robot used from elsewhere","types":["token_replay"]},"evidences":[{"actor":{"user":{"uid":"svc-robot","name":"svc-robot","type_id":4}}}]}"#;

fn write_world(home: &Path, port: u16) {
    use std::os::unix::fs::PermissionsExt as _;
    let secret = |name: &str| {
        let path = home.join(name);
        std::fs::write(&path, "not-a-real-secret\n").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        path.display().to_string()
    };
    let (token, console) = (secret("token"), secret("console"));
    std::fs::write(home.join("alerts.jsonl"), format!("{ALERT}\n")).unwrap();
    let inventory = format!(
        "[[identity]]\nid='as:svc-robot'\nname='svc-robot'\nkind='oauth_client'\nconnector='as'\naliases=['svc-robot']\n\
         params={{client_id='svc-robot'}}\n[[identity.credential]]\nid='t1'\nkind='access_token'\nsecret_ref='file:{token}'\n"
    );
    std::fs::write(home.join("inventory.toml"), inventory).unwrap();
    let config = format!(
        "[[source]]\nkind='file'\nname='siem'\npath='alerts.jsonl'\n[inventory]\nfiles=['inventory.toml']\n\
         [connector.as]\npreset='oauth'\nbase_url='http://127.0.0.1:{port}'\ntimeout_s=60\n\
         auth={{kind='basic',username='console',password='file:{console}'}}\n"
    );
    std::fs::write(home.join("stanch.toml"), config).unwrap();
}

fn stanch(home: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_stanch"));
    command
        .args(args)
        .args(["--config", "stanch.toml", "--state-dir", "state"])
        .current_dir(home)
        .env("HOME", home);
    command
}

fn output(home: &Path, args: &[&str]) -> (Option<i32>, String) {
    let done = stanch(home, args).output().unwrap();
    let text =
        String::from_utf8_lossy(&done.stdout).into_owned() + &String::from_utf8_lossy(&done.stderr);
    (done.status.code(), text)
}

/// Plans the cut for the alert, and returns the plan's digest.
fn planned(home: &Path) -> String {
    let args = [
        "plan",
        "siem/f-1",
        "--playbook",
        "cut-live-access",
        "--json",
    ];
    let plan = stanch(home, &args).output().unwrap();
    let read: Value = serde_json::from_slice(&plan.stdout).unwrap_or_else(|_| panic!("{plan:?}"));
    read["digest"].as_str().unwrap().to_owned()
}

#[test]
fn killed_between_intent_and_outcome() {
    let server = SilentServer::start();
    let home = tempfile::tempdir().unwrap();
    write_world(home.path(), server.port);
    let digest = planned(home.path());

    let mut acting = stanch(home.path(), &["contain", &digest])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    server
        .arrived
        .recv_timeout(Duration::from_secs(30))
        .expect("the revocation never arrived");
    acting.kill().unwrap();
    acting.wait().unwrap();

    // The log is whole, and says that one act is unknown.
    let (code, text) = output(home.path(), &["log", "verify"]);
    assert_eq!(code, Some(0), "{text}");
    let (_, text) = output(home.path(), &["log", "show", "--unknown"]);
    assert!(
        text.contains("revoke_tokens") && text.contains("svc-robot"),
        "{text}"
    );

    // The next console shows it, and sends nothing by itself.
    let mut pty = Pty::stanch(
        home.path(),
        120,
        40,
        &["--config", "stanch.toml", "--state-dir", "state"],
        &[],
    );
    pty.wait_for("UNKNOWN");
    pty.wait_for("1 UNKNOWN");
    pty.send("X");
    pty.wait_for("read it back (v)");
    assert_eq!(server.revocations.load(Ordering::SeqCst), 1);

    // Its key reads back: the token is still active, so the act failed.
    pty.send("v");
    pty.wait_for("FAILED");
    assert_eq!(server.revocations.load(Ordering::SeqCst), 1);
    pty.send("q");
    assert_eq!(pty.wait_end(), 0);

    // The plan is used up; running it again is refused, not repeated.
    let (code, text) = output(home.path(), &["contain", &digest]);
    assert_eq!(code, Some(4), "{text}");
    assert!(text.contains("was run already"), "{text}");
    assert_eq!(server.revocations.load(Ordering::SeqCst), 1);
}

#[rstest::rstest]
#[case::took_effect(false, 0, "proven")]
#[case::did_nothing(true, 1, "failed")]
fn a_lost_act_ends_as_what_is_read_back(
    #[case] active: bool,
    #[case] code: i32,
    #[case] word: &str,
) {
    let server = SilentServer::start();
    let home = tempfile::tempdir().unwrap();
    write_world(home.path(), server.port);
    let digest = planned(home.path());
    let mut acting = stanch(home.path(), &["contain", &digest])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    server
        .arrived
        .recv_timeout(Duration::from_secs(30))
        .expect("the revocation never arrived");
    acting.kill().unwrap();
    acting.wait().unwrap();
    server.active.store(active, Ordering::SeqCst);
    let (ended, text) = output(home.path(), &["reconcile", "siem/f-1", "--json"]);
    assert_eq!(ended, Some(code), "{text}");
    let told: Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
    assert_eq!(told["read"][0]["state"], word, "{text}");
    assert_eq!(server.revocations.load(Ordering::SeqCst), 1);
}
