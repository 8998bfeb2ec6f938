//! What time asks of whoever has the duty: it is done once, whoever dies meanwhile; and a service that reads its
//! configuration again.

use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use stanch::domain::decision::RecordType;
use stanch::journal::{JournalConfig, Writer};
use stanch::runtime::duty;
use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::desk::{Desk, finding};
use super::served::Served;

/// How soon another process has the duty when its holder dies: a demand, not a guess.
const TAKEOVER: Duration = Duration::from_secs(2);

/// Longest wait for what must happen.
const PATIENCE: Duration = Duration::from_secs(30);

/// A desk whose notices go to a webhook.
async fn desk() -> (Desk, MockServer) {
    let server = MockServer::start().await;
    let answer = ResponseTemplate::new(200).set_body_json(json!({}));
    Mock::given(method("POST"))
        .and(path("/hook"))
        .respond_with(answer)
        .mount(&server)
        .await;
    let hook = format!(
        "[connector.desk]\npreset = 'webhook'\nbase_url = '{}'\nparams = {{ path = '/hook' }}\n",
        server.uri()
    );
    let inventory = "[[identity]]\nid = 'idp:svc-a'\nname = 'svc-a'\nkind = 'oauth_client'\ntechnical_owner = 'Platform'\n";
    (Desk::configured(&hook, inventory), server)
}

/// Writes records into the log of this desk, past the checks of the program.
fn write(desk: &Desk, records: &[(RecordType, Value)]) {
    let config = JournalConfig {
        store: desk.path("state/journal"),
        site: "local".into(),
        keys: desk.path("state/keys"),
        drill: false,
        allow_network_fs: true,
        person: None,
        policy: None,
        fallback: None,
    };
    let now = Timestamp::now();
    let (mut writer, _) = Writer::open(config, now).unwrap();
    writer.append(now, records).unwrap();
}

/// A hold that ends in a page.
fn hold(name: &str, alert: &str, until: Timestamp) -> (RecordType, Value) {
    let body = json!({
        "kind": "hold", "alert": alert, "reason": "month end", "hold": name, "identity": "idp:svc-a", "until": until,
        "ending": "page",
    });
    (RecordType::Decision, body)
}

/// Returns the records of this kind about a hold.
fn told(desk: &Desk, kind: &str, about: &str) -> Vec<Value> {
    let rows = desk.run(&["log", "show", "--kind", kind, "--json"]).ends(0);
    let rows = rows.rows().into_iter();
    rows.filter(|row| row.to_string().contains(about)).collect()
}

fn hang_up(served: &Served) {
    let pid = rustix::process::Pid::from_raw(served.pid() as i32).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::HUP).unwrap();
}

async fn posts(server: &MockServer, alert: &str) -> usize {
    let sent = server.received_requests().await.unwrap();
    let about = format!("\"{alert}\"");
    let bodies = sent.iter().map(|r| String::from_utf8_lossy(&r.body));
    bodies.filter(|body| body.contains(&about)).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn people_are_told_once_that_a_hold_is_over() {
    let (desk, server) = desk().await;
    desk.alert(&finding("f-1", "svc-a"));
    desk.run(&["alerts", "list"]).ends(0);
    let ended = Timestamp::now() - SignedDuration::from_mins(10);
    write(&desk, &[hold("h-over", "siem/f-1", ended)]);
    for round in 0..2 {
        let mut served = Served::start(&desk);
        if round == 0 {
            served.says("10 min ago, when no console was open: everybody is told");
            served.says("people are told through `desk`");
            served.says("requested");
        } else {
            served.says("health: ok, takes the alerts in");
        }
        assert_eq!(served.ends(), Some(0));
        assert_eq!(posts(&server, "siem/f-1").await, 1, "round {round}");
    }
    assert_eq!(told(&desk, "end_hold", "h-over").len(), 1);
    assert_eq!(told(&desk, "paged", "h-over").len(), 1);
    desk.run(&["log", "verify"]).ends(0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_nobody_can_be_told_the_log_says_so() {
    let desk = Desk::configured("", "");
    desk.run(&["alerts", "list"]).ends(0);
    let ended = Timestamp::now() - SignedDuration::from_mins(1);
    write(&desk, &[hold("h-over", "siem/f-1", ended)]);
    let mut served = Served::start(&desk);
    served.says("NOBODY CAN BE PAGED");
    assert_eq!(served.ends(), Some(0));
    assert_eq!(told(&desk, "paged", "h-over").len(), 1);
}

#[test]
fn a_service_reads_its_configuration_again_and_keeps_the_old_one_when_the_new_one_is_wrong() {
    let desk = Desk::configured("", "");
    let first = std::fs::read_to_string(desk.path("config.toml")).unwrap();
    desk.alert(&finding("f-1", "svc-a"));
    let mut served = Served::start(&desk);
    served.says("health: ok, takes the alerts in");
    served.says("alert siem/f-1");
    // Wrong in what it says, and in what it names.
    desk.write("config.toml", &(first.clone() + "\n[nonsense]\nx = 1\n"));
    hang_up(&served);
    served.says("configuration: ");
    served.says("NOT taken over; the one before stays in force");
    served.says("health: NOT ok, takes the alerts in; configuration: not taken over");
    let roster = "\n[authority]\nroster = 'roster.toml'\n";
    desk.write("config.toml", &(first.clone() + roster));
    desk.write(
        "roster.toml",
        "[[person]]\nname = 'ada'\nrole = 'analyst'\n",
    );
    hang_up(&served);
    served.says("nobody can ever run one");
    served.says("NOT taken over");
    // What was in force goes on.
    desk.alert(&finding("f-2", "svc-a"));
    served.says("alert siem/f-2");
    // A right one: another source is taken in, by the same process, and what is known is known.
    desk.write("other.jsonl", &(finding("g-1", "svc-b") + "\n"));
    let more = "\n[[source]]\nkind = 'file'\nname = 'other'\npath = 'other.jsonl'\n";
    desk.write("config.toml", &(first + more));
    hang_up(&served);
    served.says("the configuration was read again and is in force");
    served.says("serving 2 sources: siem, other");
    served.says("health: ok, takes the alerts in");
    served.says("alert other/g-1");
    desk.alert(&finding("f-3", "svc-a"));
    served.says("alert siem/f-3");
    let holder = duty::holder(&desk.path("state")).unwrap().unwrap();
    assert_eq!(holder.pid, served.pid());
    assert_eq!(served.ends(), Some(0));
    let rows = desk.run(&["alerts", "list", "--json"]).ends(0).rows();
    assert_eq!(rows.len(), 4, "nothing is taken in twice");
    desk.run(&["log", "verify"]).ends(0);
}

/// Of two services the one with the duty is killed around the time at which something is due; rounds by
/// `STANCH_DUTY_ROUNDS`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes minutes; .ci/run runs it"]
async fn whoever_has_the_duty_may_die_at_any_moment() {
    let rounds = std::env::var("STANCH_DUTY_ROUNDS");
    let rounds: u32 = rounds.ok().and_then(|n| n.parse().ok()).unwrap_or(5);
    let (desk, server) = desk().await;
    desk.run(&["alerts", "list"]).ends(0);
    let state = desk.path("state");
    let mut on_duty = Served::start(&desk);
    on_duty.says("health: ok, takes the alerts in");
    let mut slowest = Duration::ZERO;
    for round in 0..rounds {
        let mut next = Served::start(&desk);
        next.says("health: ok, stands by");
        let due = Timestamp::now() + SignedDuration::from_millis(600);
        let (name, alert) = (format!("h-{round:03}"), format!("siem/f-{round:03}"));
        write(&desk, &[hold(&name, &alert, due)]);
        // From long before it is due to long after: before it is seen, while it is written down, while people are told.
        let at = due + SignedDuration::from_millis(i64::from(round * 61 % 1_400) - 400);
        let wait = at.duration_since(Timestamp::now());
        tokio::time::sleep(wait.try_into().unwrap_or_default()).await;
        on_duty.kill();
        let died = Instant::now();
        loop {
            let holder = duty::holder(&state).unwrap();
            if holder.is_some_and(|holder| holder.pid == next.pid()) {
                break;
            }
            assert!(died.elapsed() < TAKEOVER, "round {round}: nobody took over");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        slowest = slowest.max(died.elapsed());
        on_duty = next;
    }
    println!("{rounds} rounds; the slowest takeover took {slowest:?}");
    let end = Instant::now() + PATIENCE;
    let acts = || {
        let acts = desk.run(&["log", "show", "--type", "intent", "--json"]);
        acts.ends(0).rows()
    };
    while acts().len() < rounds as usize && Instant::now() < end {
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    // What was begun comes to its outcome.
    assert_eq!(on_duty.ends(), Some(0));
    let acts = acts();
    let mut unsent = 0;
    for round in 0..rounds {
        let (name, alert) = (format!("h-{round:03}"), format!("siem/f-{round:03}"));
        for kind in ["end_hold", "paged"] {
            assert_eq!(told(&desk, kind, &name).len(), 1, "{kind} of {name}");
        }
        let intents = acts
            .iter()
            .filter(|act| act.to_string().contains(&format!("\"{alert}\"")))
            .count();
        let sent = posts(&server, &alert).await;
        assert!(
            intents == 1 && sent <= 1,
            "{alert}: {intents} intents, {sent} sent"
        );
        unsent += usize::from(sent == 0);
    }
    // Killed between the intent and the request: it is unknown, and never sent again by itself.
    println!("{unsent} were killed before the request left");
    desk.run(&["log", "verify"]).ends(0);
}
