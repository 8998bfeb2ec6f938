//! A campaign from beginning to end: one plan each, and what is not proven counts as live.

use serde_json::{Value, json};
use wiremock::matchers::{body_string_contains, method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::desk::{Desk, finding};

/// A provider that knows the tokens of two identities and ends the first's.
async fn server() -> MockServer {
    let server = MockServer::start().await;
    let answer = |at: &'static str, body: Value| {
        Mock::given(method("POST"))
            .and(path(at))
            .respond_with(ResponseTemplate::new(200).set_body_json(body))
    };
    for (token, client) in [("token-a", "svc-a"), ("token-b", "svc-b")] {
        let live = json!({"active": true, "client_id": client, "exp": 4_000_000_000_u64});
        // Before the plan, when it is checked, and then it is dead.
        Mock::given(method("POST"))
            .and(path("/oauth/introspect"))
            .and(body_string_contains(token))
            .respond_with(ResponseTemplate::new(200).set_body_json(live))
            .up_to_n_times(if token == "token-a" { 6 } else { 99 })
            .mount(&server)
            .await;
    }
    answer("/oauth/introspect", json!({"active": false}))
        .mount(&server)
        .await;
    answer("/oauth/revoke", json!({})).mount(&server).await;
    server
}

fn desk(url: &str) -> Desk {
    let desk = Desk::configured(
        &format!("[connector.idp]\npreset = 'oauth'\nbase_url = '{url}'\ntimeout_s = 5\n"),
        "",
    );
    let mut inventory = String::new();
    for (name, vendor) in [("svc-a", "Acme"), ("svc-b", "Acme"), ("svc-c", "Other")] {
        let token = desk.write(name, &format!("token-{}", &name[4..]));
        std::fs::set_permissions(&token, std::os::unix::fs::PermissionsExt::from_mode(0o600))
            .unwrap();
        let row = format!(
            "[[identity]]\nid = 'idp:{name}'\nname = '{name}'\nkind = 'oauth_client'\ntechnical_owner = 'Platform'\n\
             connector = 'idp'\nparams = {{ client_id = '{name}' }}\n\
             [[identity.credential]]\nid = 'leaked-{name}'\nkind = 'access_token'\nconsumers = ['{vendor} Build']\nsecret_ref = 'file:{}'\n\n",
            token.display()
        );
        inventory.push_str(&row);
    }
    desk.write("inventory.toml", &inventory);
    desk.alert(&finding("f-1", "svc-a"));
    desk
}

fn stand(desk: &Desk, name: &str, identity: &str) -> (String, bool) {
    let text = desk
        .run(&["campaign", "status", name, "--json"])
        .ends(0)
        .json();
    let rows = text["rows"].as_array().unwrap().iter();
    let row = rows.clone().find(|r| r["identity"] == identity);
    let row = row.unwrap_or_else(|| panic!("{text}"));
    let stand = row["stand"].as_str().unwrap().to_owned();
    (stand, row["live"].as_bool().unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_breach_many_identities_one_plan_each() {
    let server = server().await;
    let desk = desk(&server.uri());
    let new = |more: &[&str]| {
        let mut args = vec!["campaign", "new", "--reason", "Acme was breached"];
        args.extend(more);
        desk.run(&args)
    };
    new(&["--filter", "sev>=high", "--alert", "f-1"])
        .ends(2)
        .tells(&["a severity is about alerts"]);
    new(&["--filter", "vendor:nobody", "--alert", "f-1"]).ends(4);
    let rows = |json: &str| -> Vec<Value> {
        let rows = json.lines().map(serde_json::from_str);
        rows.collect::<Result<_, _>>().unwrap()
    };
    let none = ["--filter", "vendor:nobody", "--alert", "f-1", "--json"];
    let none = rows(&new(&none).ends(4).out);
    assert!(none[0]["refused"].as_str().unwrap().contains("nobody"));
    let dry = ["--filter", "vendor:acme", "--alert", "f-1", "--dry-run"];
    let told = rows(&new(&[&dry[..], &["--json"]].concat()).ends(0).out);
    assert_eq!(
        told[1],
        json!({"identity": "idp:svc-b", "alert": "siem/f-1"})
    );
    let dry = new(&dry).ends(0);
    assert_eq!(dry.out, "idp:svc-a  on siem/f-1\nidp:svc-b  on siem/f-1\n");
    let begun = new(&[
        "--filter",
        "vendor:acme",
        "--alert",
        "f-1",
        "--playbook",
        "cut-live-access",
        "--json",
    ]);
    let begun = begun.ends(0).json();
    assert_eq!(begun["identities"], 2);
    let name = begun["campaign"].as_str().unwrap();
    assert_eq!(stand(&desk, name, "idp:svc-a"), ("unplanned".into(), true));
    // One plan each, and a second call makes no second one.
    let planned = ["campaign", "plan", name, "--json"];
    let planned = rows(&desk.run(&planned).ends(0).out);
    assert_eq!(planned.len(), 2, "{planned:?}");
    assert_eq!(desk.run(&["campaign", "plan", name]).ends(0).out, "");
    assert_eq!(stand(&desk, name, "idp:svc-b"), ("planned".into(), true));
    let of_a = planned.iter().find(|row| row["identity"] == "idp:svc-a");
    let run = of_a.unwrap()["run"].as_str().unwrap();
    let digest = run.strip_prefix("stanch contain ").unwrap();
    let done = desk.run(&["contain", digest]);
    let (word, live) = stand(&desk, name, "idp:svc-a");
    println!("{}\n{word}", done.out);
    assert!(
        !live || word == "partly" || word == "requested",
        "{word}: {}{}",
        done.out,
        done.err
    );
    // Somebody's word counts for nothing while the provider shows a token that lives.
    let unused = [
        "campaign",
        "unused",
        name,
        "idp:svc-b",
        "--reason",
        "the team says so",
    ];
    let row = rows(&desk.run(&[&unused[..], &["--json"]].concat()).ends(3).out);
    assert_eq!(row[0]["state"], "unknown");
    let done = desk.run(&unused).ends(3);
    assert!(done.out.contains("counts as LIVE"), "{}", done.out);
    assert_eq!(
        stand(&desk, name, "idp:svc-b"),
        ("unproven_unused".into(), true)
    );
    let end = |more: &[&str]| {
        let mut args = vec!["campaign", "end", name, "--reason", "enough"];
        args.extend(more);
        desk.run(&args)
    };
    end(&[]).ends(4).tells(&["not ended", "LIVE of 2"]);
    let ended = rows(&end(&["--cancel", "--json"]).ends(0).out);
    assert_eq!(ended[0]["ended"], true);
    assert!(ended[0]["live"].as_u64() >= Some(1), "{ended:?}");
    let again = rows(&end(&["--cancel", "--json"]).ends(4).out);
    assert!(again[0]["refused"].is_string());
    desk.run(&["campaign", "plan", name]).ends(4);
    let text = desk
        .run(&["campaign", "status", name, "--json"])
        .ends(0)
        .json();
    assert_eq!(text["burn_down"][0]["live"], 2, "{text}");
    assert_eq!(
        text["ended"]["reason"].as_str().unwrap().split(' ').next(),
        Some("enough")
    );
    let list = desk.run(&["campaign", "list"]).ends(0).out;
    assert!(
        list.contains("Acme was breached") && list.contains("ended by"),
        "{list}"
    );
    desk.run(&["log", "verify"]).ends(0);
}
