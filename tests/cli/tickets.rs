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
