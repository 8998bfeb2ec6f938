//! Secrets are put into everything that comes in, and are looked for in everything that is left behind.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

use super::common::Pty;

/// Never in any file, stream or answer: what references lead to, and the console's surroundings.
const REFERRED: [(&str, &str); 4] = [
    ("file", "pw-File0canary1Q9z8Y7x6W5v4U3t2S1r0"),
    ("env", "pw-Env00canary2Q9z8Y7x6W5v4U3t2S1r0"),
    ("cmd", "pw-Cmd00canary3Q9z8Y7x6W5v4U3t2S1r0"),
    ("surroundings", "pw-Around0canary4Q9z8Y7x6W5v4U3t2S1"),
];
/// Typed, or told by others: masked wherever a person's or a provider's words are kept.
const TYPED: &str = "ghp_Typed0canary5Aa1Bb2Cc3Dd4Ee5Ff6Gg7Hh8";
const ANSWERED: &str = "ghp_Answer0canary6Aa1Bb2Cc3Dd4Ee5Ff6Gg7Hh";
const BEARER: &str = "eyJhbGciOiJub25lIn0.eyJjYW5hcnkiOiI3In0.Bearer0canary7Aa1Bb2";
const HEADER: &str = "ghp_Header0canary8Aa1Bb2Cc3Dd4Ee5Ff6Gg7Hh";
/// In an alert: its raw bytes belong to the alert store, and nowhere else.
const ALERTED: &str = "ghp_Alert00canary9Aa1Bb2Cc3Dd4Ee5Ff6Gg7Hh";
/// In input that is no alert: its raw bytes are kept apart, and nowhere else.
const MALFORMED: &str = "ghp_Broken0canaryBAa1Bb2Cc3Dd4Ee5Ff6Gg7Hh";
/// Pasted into the configuration, or an inventory, where no secret belongs: an error says where, and not what.
const PASTED: &str = "ghp_Pasted0canaryCAa1Bb2Cc3Dd4Ee5Ff6Gg7Hh";
/// In the inventory, which is read and not copied.
const LISTED: &str = "ghp_Listed0canaryAAa1Bb2Cc3Dd4Ee5Ff6Gg7Hh";

/// Answers introspection with a secret in its body and a header, and revocation with an error that repeats the request.
fn provider() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            std::thread::spawn(move || {
                let mut request = vec![0; 65_536];
                let mut got = 0;
                while let Ok(n) = stream.read(&mut request[got..]) {
                    got += n;
                    let text = String::from_utf8_lossy(&request[..got]).into_owned();
                    let body = text.split_once("\r\n\r\n").map_or("", |(_, b)| b);
                    if n > 0 && !body.contains("token=") {
                        continue;
                    }
                    let (status, answer) = if text.contains("/revoke") {
                        let echo = text.replace(['"', '\\', '\r', '\n'], " ");
                        (
                            "500 Oh no",
                            format!(
                                "{{\"error\":\"cannot do {ANSWERED} Bearer {BEARER}: {echo}\"}}"
                            ),
                        )
                    } else {
                        (
                            "200 OK",
                            format!(
                                "{{\"active\":true,\"client_id\":\"svc\",\"note\":\"{ANSWERED}\",\"password\":\"{ANSWERED}\"}}"
                            ),
                        )
                    };
                    let _ = write!(
                        stream,
                        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nX-Api-Key: {HEADER}\r\nX-Request-Id: {HEADER}\r\nRetry-After: {HEADER}\r\nSet-Cookie: s={HEADER}\r\n\
                         Connection: close\r\nContent-Length: {}\r\n\r\n{answer}",
                        answer.len()
                    );
                    return;
                }
            });
        }
    });
    port
}

struct Desk(tempfile::TempDir);

impl Desk {
    fn new() -> Self {
        let desk = Self(tempfile::tempdir().unwrap());
        let port = provider();
        let [(_, file), _, (_, cmd), _] = REFERRED;
        let file = desk.secret("secrets/token", file);
        let script = desk.secret("secrets/print", &format!("#!/bin/sh\necho {cmd}\n"));
        std::fs::set_permissions(&script, PermissionsExt::from_mode(0o700)).unwrap();
        desk.write(
            "stanch.toml",
            &format!(
                "[[source]]\nkind='file'\nname='siem'\npath='alerts.jsonl'\n[inventory]\nfiles=['inventory.toml']\n\
                 [connector.as]\npreset='oauth'\nbase_url='http://127.0.0.1:{port}'\ntimeout_s=5\n\
                 auth={{kind='basic',username='console',password='env:CANARY'}}\n\
                 [connector.other]\npreset='oauth'\nbase_url='http://127.0.0.1:{port}'\ntimeout_s=5\n\
                 auth={{kind='basic',username='console',password='cmd:{}'}}\n",
                script.display()
            ),
        );
        let identity = |name: &str, connector: &str| {
            format!(
                "[[identity]]\nid='{connector}:{name}'\nname='{name}'\nkind='oauth_client'\nconnector='{connector}'\naliases=['{name}']\n\
                 business_owner='asks for {LISTED}'\nparams={{client_id='{name}'}}\n\
                 [[identity.credential]]\nid='t1'\nkind='access_token'\nsecret_ref='file:{}'\n",
                file.display()
            )
        };
        desk.write(
            "inventory.toml",
            &(identity("svc", "as") + &identity("bot", "other")),
        );
        let alert = |n: usize, name: &str| {
            format!(
                r#"{{"class_uid":2004,"category_uid":2,"activity_id":1,"type_uid":200401,"time":1794000000000,"severity_id":4,"confidence_score":90,"metadata":{{"version":"1.5.0","correlation_uid":"{ALERTED}","product":{{"name":"detector","vendor_name":"Example"}}}},"finding_info":{{"uid":"f-{n}","title":"Token {ALERTED} of {name}","desc":"Authorization: Bearer {ALERTED}","types":["token_replay"]}},"unmapped":{{"password":"{ALERTED}"}},"evidences":[{{"actor":{{"user":{{"uid":"{name}","name":"{name}","type_id":4}}}}}}]}}"#
            )
        };
        desk.write(
            "alerts.jsonl",
            &format!(
                "{}\n{}\n{}\n{{\"password\":\"{MALFORMED}\" broken\n{{\"class_uid\":2004,\"metadata\":\"{MALFORMED}\",\"finding_info\":[\"{MALFORMED}\"]}}\n",
                alert(1, "svc"),
                alert(2, "bot"),
                alert(3, "svc"),
            ),
        );
        desk
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    }

    fn secret(&self, name: &str, text: &str) -> PathBuf {
        let path = self.write(name, text);
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).unwrap();
        path
    }

    /// Opens the console, acts by keys, writes a note and leaves; returns what the terminal got.
    fn console(&self) -> Vec<u8> {
        let [_, (_, env), _, (_, around)] = REFERRED;
        let environment = [("CANARY", env), ("AWS_SECRET_ACCESS_KEY", around)];
        let args = [
            "--config",
            "stanch.toml",
            "--state-dir",
            "state",
            "--verbose",
        ];
        let mut pty = Pty::stanch(self.0.path(), 200, 60, &args, &environment);
        pty.wait_for("svc");
        pty.send("g");
        let mut digit = None;
        pty.wait("an option that cuts live access", |pty| {
            let text = pty.text();
            let line = text.lines().find(|l| l.contains("Cut live access"));
            line.is_some_and(|l| l.contains(|c: char| c.is_ascii_digit()))
        });
        for line in pty.text().lines() {
            if let Some((before, _)) = line.split_once("Cut live access") {
                digit = before.chars().find(char::is_ascii_digit);
            }
        }
        pty.send(&digit.unwrap().to_string());
        pty.wait_for("NOT SENT YET");
        // A preview takes no key in its first moments.
        let chosen = |pty: &Pty| {
            let text = pty.text();
            // The frame that tells of the preview may be half drawn yet, and the button not there.
            let before = text.split_once("[ Run ]").map(|(t, _)| t);
            before.is_some_and(|t| !t.ends_with(char::is_whitespace))
        };
        // A key that was taken shows, however slow the machine; pressed again it could undo what it did.
        let press_until = |pty: &mut Pty, key: &str, done: &dyn Fn(&Pty) -> bool| {
            while !done(pty) {
                pty.send(key);
                let end = Instant::now() + Duration::from_secs(3);
                while !done(pty) && Instant::now() < end {
                    pty.read_for(Duration::from_millis(50));
                }
            }
        };
        press_until(&mut pty, "\t", &chosen);
        press_until(&mut pty, "\r", &|pty| !pty.text().contains("NOT SENT YET"));
        pty.wait_for("Plan: ended");
        pty.send("\x1b");
        pty.wait_for("Alerts");
        pty.send("n");
        pty.wait_for("Note");
        pty.send(&format!("he said {TYPED}"));
        pty.wait_for(TYPED);
        pty.send("\r");
        pty.wait("the note to be recorded", |pty| !pty.text().contains(TYPED));
        pty.send("L");
        pty.wait_for("he said");
        pty.send("q");
        pty.wait_for("Options (policy");
        pty.send("q");
        let code = pty.wait_end();
        assert_eq!(code, 0, "{}", pty.text());
        pty.raw.clone()
    }

    /// Runs to the end and returns both streams.
    fn run(&self, args: &[&str]) -> (String, String) {
        self.run_on("stanch.toml", args)
    }

    fn run_on(&self, config: &str, args: &[&str]) -> (String, String) {
        let [_, (_, env), _, (_, around)] = REFERRED;
        let done = Command::new(env!("CARGO_BIN_EXE_stanch"))
            .args(args)
            .args(["--config", config, "--state-dir", "state", "--verbose"])
            .current_dir(self.0.path())
            .env("HOME", self.0.path())
            .env("CANARY", env)
            .env("AWS_SECRET_ACCESS_KEY", around)
            .output()
            .unwrap();
        let text = |b: &[u8]| String::from_utf8_lossy(b).into_owned();
        (text(&done.stdout), text(&done.stderr))
    }
}

fn files(dir: &Path, all: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).unwrap().flatten() {
        if entry.path().is_dir() {
            files(&entry.path(), all);
        } else {
            all.push(entry.path());
        }
    }
}

/// A secret as it stands, and as it may have been written down by a program.
fn forms(secret: &str) -> Vec<Vec<u8>> {
    let basic = format!("console:{secret}");
    let hex = secret
        .bytes()
        .fold(String::new(), |out, b| format!("{out}{b:02x}"));
    let reversed: String = secret.chars().rev().collect();
    let mut all = vec![
        secret.to_owned(),
        hex,
        reversed,
        secret.replace('_', "%5F").replace('-', "%2D"),
    ];
    for text in [secret, basic.as_str()] {
        // Without the last digits, which depend on what follows.
        all.extend(
            [STANDARD.encode(text), URL_SAFE_NO_PAD.encode(text)]
                .map(|t| t[..t.len() - 4].to_owned()),
        );
    }
    all.into_iter().map(String::into_bytes).collect()
}

/// What a run of the program was, and what it wrote to both streams.
type Streams = Vec<(String, String, String)>;

/// Works on both alerts, then reads everything that can be read.
fn work(desk: &Desk, streams: &mut Streams) {
    let mut run = |args: &[&str]| {
        let (out, err) = desk.run(args);
        streams.push((args.join(" "), out.clone(), err));
        out
    };
    for alert in ["siem/f-1", "siem/f-2"] {
        run(&["plan", alert, "--options"]);
        let plan = run(&["plan", alert, "--playbook", "cut-live-access", "--json"]);
        let plan: serde_json::Value = serde_json::from_str(&plan).unwrap();
        run(&["contain", plan["digest"].as_str().unwrap()]);
        run(&["reconcile", alert]);
        run(&["identity", "show", "svc"]);
    }
    let said = format!("he said {TYPED} and Authorization: Bearer {BEARER}");
    run(&["log", "acknowledge", "--reason", &said]);
    run(&["config", "check"]);
    run(&["alerts", "malformed"]);
    run(&["alerts", "malformed", "--json"]);
    run(&["log", "verify"]);
    run(&["log", "verify", "--json"]);
    run(&["log", "show"]);
    run(&["log", "metrics"]);
    run(&["log", "report", "siem/f-1"]);
    for format in ["jsonl", "csv", "md", "ocsf"] {
        run(&["log", "export", "--format", format]);
    }
    let intents = run(&["log", "show", "--type", "intent", "--json"]);
    assert!(intents.lines().count() >= 2, "nothing was sent");
}

/// Configurations and an inventory with a secret where none belongs.
fn mistakes(desk: &Desk, streams: &mut Streams) {
    let connector = "[connector.as]\npreset='oauth'\nbase_url='http://127.0.0.1:1'\n";
    let wrong = [
        ("syntax", format!("[connector.as]\npassword = {PASTED}\n")),
        (
            "secret",
            format!("{connector}auth={{kind='basic',username='u',password='{PASTED}'}}\n"),
        ),
        (
            "cmd",
            format!("{connector}auth={{kind='bearer',token='cmd:/bin/false {PASTED}'}}\n"),
        ),
        ("kind", format!("[[source]]\nkind='{PASTED}'\n")),
        ("type", format!("{connector}timeout_s='{PASTED}'\n")),
        ("key", format!("[journal]\n'{PASTED}'=1\n")),
        ("site", format!("[journal]\nsite='{PASTED}+'\n")),
        ("inventory", "[inventory]\nfiles=['list.toml']\n".to_owned()),
    ];
    std::fs::create_dir(desk.0.path().join("pasted")).unwrap();
    desk.write(
        "pasted/list.toml",
        &format!("[[identity]]\nid='a:b'\nname='b'\nkind='{PASTED}'\n"),
    );
    for (name, text) in wrong {
        let config = format!("pasted/{name}.toml");
        desk.write(&config, &text);
        for args in [&["config", "check"][..], &["alerts", "list"]] {
            let (out, err) = desk.run_on(&config, args);
            streams.push((format!("{} on {name}", args.join(" ")), out, err));
        }
    }
}

/// Every file that was left, but what the test put there itself.
fn left_behind(desk: &Desk) -> Vec<(String, Vec<u8>)> {
    let home = desk.0.path();
    let inputs = [
        "secrets",
        "pasted",
        "alerts.jsonl",
        "inventory.toml",
        "stanch.toml",
    ];
    let mut left = Vec::new();
    files(home, &mut left);
    left.retain(|p| !inputs.iter().any(|i| p.starts_with(home.join(i))));
    left.iter()
        .map(|p| {
            let name = p.strip_prefix(home).unwrap().display().to_string();
            (name, std::fs::read(p).unwrap())
        })
        .collect()
}

/// Tells whether a secret is where it came in to be: an alert in the alert store, a title before the eyes of people.
fn belongs(kind: &str, place: &str) -> bool {
    let store = place.starts_with("state/")
        && !place.contains("/journal/")
        && !place.ends_with("trace.log");
    let screen = place == "the terminal";
    let shown = [
        "output of plan",
        "output of identity",
        "output of alerts list",
    ];
    let shown = screen || shown.iter().any(|s| place.starts_with(s));
    match kind {
        "alerted" => store || shown,
        "listed" => shown,
        "malformed" => store || place.starts_with("output of alerts malformed"),
        "typed" => screen,
        _ => false,
    }
}

#[test]
fn no_secret_is_left_behind() {
    let desk = Desk::new();
    let mut streams = Vec::new();
    work(&desk, &mut streams);
    mistakes(&desk, &mut streams);
    let terminal = desk.console();
    let mut places = left_behind(&desk);
    let has = |wanted: &dyn Fn(&str, &[u8]) -> bool| places.iter().any(|(n, b)| wanted(n, b));
    assert!(
        has(&|name, bytes| name.ends_with("trace.log") && bytes.len() > 200),
        "no trace"
    );
    // They did come in: what stands in their place is here.
    let masked = |name: &str, bytes: &[u8]| {
        name.contains("/journal/") && memchr::memmem::find(bytes, b"ghp_\\u2026").is_some()
    };
    assert!(has(&masked), "what was typed is not in the log");
    places.push(("the terminal".to_owned(), terminal));
    for (args, out, err) in streams {
        places.push((format!("output of {args}"), out.into_bytes()));
        places.push((format!("errors of {args}"), err.into_bytes()));
    }
    let others = [
        ("typed", TYPED),
        ("answered", ANSWERED),
        ("bearer", BEARER),
        ("header", HEADER),
        ("alerted", ALERTED),
        ("listed", LISTED),
        ("malformed", MALFORMED),
        ("pasted", PASTED),
    ];
    let mut found = Vec::new();
    for (kind, secret) in REFERRED.into_iter().chain(others) {
        let forms = forms(secret);
        let holds = |bytes: &[u8]| {
            forms
                .iter()
                .any(|f| memchr::memmem::find(bytes, f).is_some())
        };
        for (place, bytes) in places.iter().filter(|(place, _)| !belongs(kind, place)) {
            if holds(bytes) {
                found.push(format!("{kind} in {place}"));
            }
        }
    }
    assert!(found.is_empty(), "{} hits: {found:#?}", found.len());
    println!("{} places, no secret", places.len());
}
