//! One process takes alerts in; others see them, say who does it, and take over.

use std::time::Duration;

use serde_json::json;

use super::common::Pty;
use super::desk::{Desk, finding};
use super::served::{Served, free_address, secret};

/// A desk with a file and a webhook.
fn desk() -> (Desk, String) {
    let desk = Desk::configured("", "");
    let address = free_address();
    let token = secret(&desk, "hook.secret", "hook-secret-0123");
    let config = std::fs::read_to_string(desk.path("config.toml")).unwrap();
    let config = format!(
        "{config}\n[receiver]\nlisten = '{address}'\n\n\
         [[source]]\nkind = 'webhook'\nname = 'hook'\nsender = {{ kind = 'bearer', secret = '{token}' }}\n"
    );
    desk.write("config.toml", &config);
    (desk, format!("http://{address}/hooks/hook"))
}

fn post(url: &str, body: String) -> (u16, String) {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let request = client.post(url).bearer_auth("hook-secret-0123").body(body);
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    })
}

fn ids(desk: &Desk) -> Vec<String> {
    let rows = desk.run(&["alerts", "list", "--json"]).ends(0).rows();
    let mut ids: Vec<String> = rows
        .iter()
        .map(|row| row["key"].as_str().unwrap().to_owned())
        .collect();
    ids.sort();
    ids
}

#[test]
fn alerts_are_taken_in_without_a_screen() {
    let (desk, url) = desk();
    desk.alert(&finding("f-1", "svc-a"));
    let mut served = Served::start(&desk);
    served.says("this process takes the alerts in");
    served.says("alert siem/f-1");
    let (status, answer) = post(&url, finding("h-1", "svc-a"));
    assert_eq!((status, answer.trim()), (200, "{\"alerts\":1,\"new\":1}"));
    assert_eq!(post(&url, "{\"hello\":1}".to_owned()).0, 400);

    let done = desk.run(&["alerts", "sources", "--json"]).ends(0);
    let rows = done.rows();
    assert_eq!(rows.len(), 2);
    for (row, (name, quarantined)) in rows.iter().zip([("siem", 0), ("hook", 1)]) {
        assert_eq!(row["name"], name);
        assert_eq!(row["healthy"], json!(true), "{row}");
        assert_eq!(row["state"], "following");
        assert_eq!(row["quarantined"], quarantined);
        assert!(
            row["last_arrival"].is_string() && row["lag_s"].as_i64() >= Some(90),
            "{row}"
        );
        assert_eq!(row["taken_in_by"]["pid"], served.pid());
    }
    desk.alert(&finding("f-2", "svc-a"));
    assert_eq!(
        ids(&desk),
        ["hook/h-1", "siem/f-1", "siem/f-2"],
        "a subcommand waits for what is being stored"
    );
    assert_eq!(served.ends(), Some(0));
    let rows = desk.run(&["alerts", "sources", "--json"]).ends(0).rows();
    assert_eq!(rows[0]["taken_in_by"], json!(null));
    assert_eq!(rows[0]["healthy"], json!(null), "nobody looks");
}

#[test]
fn a_console_beside_it_shows_new_alerts_and_takes_over() {
    let (desk, url) = desk();
    let mut served = Served::start(&desk);
    served.says("source hook: following");
    let options = desk.options();
    let options: Vec<&str> = options.iter().map(String::as_str).collect();
    let mut pty = Pty::stanch(desk.home(), 160, 40, &options, &[]);
    pty.wait_for(&format!("taken in by serve (process {}", served.pid()));
    assert_eq!(post(&url, finding("h-1", "svc-hook")).0, 200);
    pty.wait_for("1 open");
    desk.alert(&finding("f-1", "svc-file"));
    pty.wait_for("2 open");
    pty.wait_for("2 sources ok");
    // The message at the bottom fades; then nothing is written while nothing happens.
    pty.wait("the message to fade", |pty| {
        !pty.text().contains("takes over when it ends")
    });
    while pty.read_for(Duration::from_millis(500)) {}
    assert!(!pty.read_for(Duration::from_secs(3)), "{}", pty.text());

    served.kill();
    pty.wait("the duty", |pty| !pty.text().contains("taken in by"));
    desk.alert(&finding("f-2", "svc-file"));
    pty.wait_for("3 open");
    let rows = desk.run(&["alerts", "sources", "--json"]).ends(0).rows();
    assert_eq!(rows[0]["taken_in_by"]["program"], "console");
    pty.send("q");
    assert_eq!(pty.wait_end(), 0);
    assert_eq!(ids(&desk), ["hook/h-1", "siem/f-1", "siem/f-2"]);
}

#[test]
fn what_is_wrong_with_a_source_is_on_the_screen() {
    let desk = Desk::configured("", "");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let token = secret(&desk, "token", "t0ken");
    let config = std::fs::read_to_string(desk.path("config.toml")).unwrap();
    let config = format!(
        "{config}\n[receiver]\nlisten = '{address}'\n\n\
         [[source]]\nkind = 'webhook'\nname = 'hook'\nsender = {{ kind = 'bearer', secret = '{token}' }}\n"
    );
    desk.write("config.toml", &config);
    desk.run(&["serve"]).ends(2).tells(&[
        "cannot listen at",
        "set `receiver.listen` to a free address",
    ]);
    let options = desk.options();
    let options: Vec<&str> = options.iter().map(String::as_str).collect();
    let mut pty = Pty::stanch(desk.home(), 160, 40, &options, &[]);
    pty.wait_for("SOURCE hook: failed: cannot listen at");
    // Another one that only looks says the same.
    let mut other = Pty::stanch(desk.home(), 160, 40, &options, &[]);
    other.wait_for("SOURCE hook: failed: cannot listen at");
    other.wait_for("taken in by console");
    let done = desk.run(&["alerts", "sources"]).ends(1);
    assert!(
        done.out.contains("NOT OK  failed: cannot listen at"),
        "{}",
        done.out
    );
    // What it waits for is tried again by itself.
    drop(taken);
    pty.wait_for("2 sources ok");
    other.wait_for("2 sources ok");
    for pty in [&mut pty, &mut other] {
        pty.send("q");
        assert_eq!(pty.wait_end(), 0);
    }
}

#[test]
fn a_second_one_waits_and_takes_over() {
    let (desk, url) = desk();
    let mut first = Served::start(&desk);
    first.says("source hook: following");
    let mut second = Served::start(&desk);
    second.says(&format!(
        "alerts are taken in by serve (process {}",
        first.pid()
    ));
    assert_eq!(post(&url, finding("h-1", "svc-a")).0, 200);
    second.says("alert hook/h-1");
    first.kill();
    second.says("this process takes the alerts in");
    second.says("source hook: following");
    assert_eq!(post(&url, finding("h-2", "svc-a")).0, 200);
    assert_eq!(second.ends(), Some(0));
    assert_eq!(ids(&desk), ["hook/h-1", "hook/h-2"]);
}

#[test]
fn what_cannot_work_ends_at_once_with_the_reason() {
    let (desk, _) = desk();
    std::fs::remove_file(desk.path("hook.secret")).unwrap();
    let reason = "source hook is not listened for without its secret: cannot open secret file";
    desk.run(&["serve"]).ends(2).tells(&[reason]);
    desk.run(&["config", "check"])
        .ends(2)
        .tells(&["source.sender", "cannot open secret file"]);
    let config = std::fs::read_to_string(desk.path("config.toml")).unwrap();
    desk.write("config.toml", &config.replace("127.0.0.1", "0.0.0.0"));
    desk.run(&["serve"])
        .ends(2)
        .tells(&["receiver.listen", "reachable from outside"]);
    Desk::new().bare(&["serve"]).ends(2).tells(&["no drill"]);
}
