//! Steps that tell people go through a connector where there is one, exactly as the plan shows; and a leaked key is not
//! revived.

use serde_json::{Value, json};
use wiremock::matchers::{method, path};
use wiremock::{Mock, ResponseTemplate};

use super::away;
use super::desk::Desk;
use super::idp::Idp;

fn with_webhook(url: &str, extra: &str) -> Desk {
    let desk = away::desk(url);
    let config = std::fs::read_to_string(desk.path("config.toml")).unwrap();
    let hook = format!(
        "\n[connector.desk]\npreset = 'webhook'\nbase_url = '{url}'\nparams = {{ path = '/hook' }}\n{extra}"
    );
    desk.write("config.toml", &(config + &hook));
    desk
}

fn step_of<'v>(plan: &'v Value, verb: &str) -> &'v Value {
    let steps = plan["plan"]["steps"].as_array().unwrap();
    let found = steps.iter().find(|s| s["verb"] == verb);
    found.unwrap_or_else(|| panic!("{plan}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_owner_is_told_by_the_request_that_the_plan_shows() {
    let idp = Idp::start().await;
    let hook = Mock::given(method("POST")).and(path("/hook"));
    let hook = hook.respond_with(ResponseTemplate::new(200));
    hook.mount(&idp.server).await;
    let desk = with_webhook(&idp.url(), "");
    let plan = desk
        .run(&["plan", "f-1", "--playbook", "cut-live-access", "--json"])
        .ends(0)
        .json();
    let step = step_of(&plan, "notify_owner");
    assert_eq!(step["connector"], "desk");
    let shown = &step["requests"][0]["body"]["value"];
    assert_eq!(
        (&shown["subject"], &shown["alert"]),
        (&json!("idp:svc-a"), &json!("siem/f-1"))
    );
    assert!(
        !shown.to_string().contains("second network"),
        "nothing that the alert says"
    );
    let digest = plan["digest"].as_str().unwrap();
    desk.run(&["contain", digest]);
    let sent = idp.server.received_requests().await.unwrap();
    let told: Vec<Value> = sent
        .iter()
        .filter(|r| r.url.path() == "/hook")
        .map(|r| serde_json::from_slice(&r.body).unwrap())
        .collect();
    assert_eq!(told, std::slice::from_ref(shown));
    // A notice contains nothing: it is no cell, and holds up no alert.
    let coverage = desk.run(&["alert", "coverage", "f-1", "--json"]).json();
    let cells = coverage["cells"].as_array().unwrap();
    assert!(cells.iter().all(|c| c["layer"] != "recovery"), "{coverage}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_report_is_sent_in_brief_and_the_log_has_what_was_sent() {
    let idp = Idp::start().await;
    let hook = Mock::given(method("POST")).and(path("/hook"));
    let hook = hook.respond_with(ResponseTemplate::new(200));
    hook.mount(&idp.server).await;
    let desk = with_webhook(&idp.url(), "");
    let send = |through: &str| desk.run(&["log", "report", "f-1", "--send", through, "--json"]);
    let plan = desk
        .run(&["plan", "f-1", "--playbook", "cut-live-access", "--json"])
        .ends(0)
        .json();
    let digest = plan["digest"].as_str().unwrap();
    desk.run(&["contain", digest]);
    let before = idp.server.received_requests().await.unwrap().len();

    let wrong = send("idp").ends(4).json();
    assert!(wrong.to_string().contains("these do: desk"), "{wrong}");
    let sent = send("desk").ends(3).json();
    assert_eq!(sent["steps"][0]["state"], "requested", "{sent}");
    let all = idp.server.received_requests().await.unwrap();
    let [told] = &all[before..] else {
        panic!("{} requests", all.len() - before);
    };
    let told: Value = serde_json::from_slice(&told.body).unwrap();
    assert_eq!(
        (&told["kind"], &told["alert"]),
        (&json!("report"), &json!("siem/f-1"))
    );
    let text = told["text"].as_str().unwrap();
    for part in [
        "Incident siem/f-1\n",
        "Journal: verifies\n",
        ", cut-live-access, by ",
        ". revoke_tokens: proven\n",
        "; all of it: stanch log report siem/f-1\n",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(
        !text.contains("second network"),
        "nothing that the alert says"
    );
    let log = desk.run(&["log", "show", "--json"]).ends(0).out;
    assert!(log.contains("all of it: stanch log report"), "{log}");
    desk.run(&["log", "verify"]).ends(0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_report_of_what_nobody_planned_is_not_sent() {
    let idp = Idp::start().await;
    let desk = with_webhook(&idp.url(), "");
    let refused = desk.run(&["log", "report", "f-1", "--send", "desk"]);
    refused.ends(2).tells(&["nothing was decided there yet"]);
    let reads = ["--read-only", "log", "report", "f-1", "--send", "desk"];
    desk.run(&reads).ends(4);
    let sent = idp.server.received_requests().await.unwrap();
    assert!(sent.iter().all(|r| r.url.path() != "/hook"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_connector_that_can_people_tell_the_owner() {
    let idp = Idp::start().await;
    let desk = away::desk(&idp.url());
    let plan = desk
        .run(&["plan", "f-1", "--playbook", "cut-live-access", "--json"])
        .ends(0)
        .json();
    assert_eq!(step_of(&plan, "notify_owner")["connector"], "");
    assert_eq!(step_of(&plan, "notify_owner")["requests"], json!([]));
}
