//! Containment of a user of a real JupyterHub, with a token that works before and is refused after.

use reqwest::Method;
use serde_json::{Value, json};

use super::console::{acts, is_whole, plan, requests, states};
use super::desk::{Desk, finding};
use super::server::{self, Secrets};

async fn call(method: Method, url: &str, token: &str, body: Option<Value>) -> (u16, Value) {
    let mut request = server::client()
        .request(method, url)
        .header("authorization", format!("token {token}"));
    if let Some(body) = body {
        request = request.json(&body);
    }
    let answer = request.send().await.unwrap();
    let status = answer.status().as_u16();
    (status, answer.json().await.unwrap_or(Value::Null))
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs real servers; run: cargo test --test live -- --ignored"]
async fn every_token_of_a_user_is_revoked_and_refused() {
    let words = server::start("jupyterhub.sh", &[]);
    let (url, setup) = (&words["url"], &words["setup"]);
    let user = format!("{url}/users/svc-deployer");
    assert_eq!(call(Method::POST, &user, setup, None).await.0, 201);
    let mut tokens = Vec::new();
    for note in ["leaked", "minted with the leaked one"] {
        let body = Some(json!({"note": note}));
        let (status, answer) = call(Method::POST, &format!("{user}/tokens"), setup, body).await;
        assert_eq!(status, 201, "{answer}");
        let text = |name: &str| answer[name].as_str().unwrap().to_owned();
        tokens.push((text("id"), text("token")));
    }
    let own = format!("{url}/user");
    assert_eq!(call(Method::GET, &own, &tokens[0].1, None).await.0, 200);

    let secrets = Secrets::new();
    let file = secrets.put("console", &words["token"]);
    let connector = format!(
        "[connector.live]\npreset = 'jupyterhub'\nbase_url = '{url}'\n\
         auth = {{ kind = 'header', header = 'Authorization', prefix = 'token ', token = 'file:{}' }}\n",
        file.display()
    );
    let card = "[[identity]]\nid = 'live:svc-deployer'\nname = 'svc-deployer'\nkind = 'service_account'\n\
        environment = 'production'\nbusiness_owner = 'Research'\nconnector = 'live'\nparams = { user = 'svc-deployer' }\n";
    let desk = Desk::configured(&connector, card);
    desk.alert(&finding("f-1", "svc-deployer"));
    let told = desk.run(&["doctor", "--json"]).ends(0).json();
    assert_eq!(told["connectors"][0]["actions"][0]["state"], "ok", "{told}");

    let (digest, planned) = plan(&desk, "cut-live-access");
    let wanted: Vec<(String, String)> = tokens
        .iter()
        .map(|(id, _)| ("DELETE".to_owned(), format!("{user}/tokens/{id}")))
        .collect();
    assert_eq!(requests(&planned), wanted);
    assert!(
        planned
            .to_string()
            .contains("the user logs in again and makes a new token")
    );
    let done = desk.run(&["contain", &digest, "--json"]).ends(0);
    assert_eq!(states(&done), ["proven", "proven", "handed_off"]);
    for (_, token) in &tokens {
        assert_eq!(call(Method::GET, &own, token, None).await.0, 403);
    }
    desk.run(&["undo", &digest, "2"])
        .ends(4)
        .tells(&["irreversible"]);
    assert_eq!(acts(&desk), ["intent", "outcome", "verify"].repeat(2));
    is_whole(&desk, &[&words["token"], &tokens[0].1, &tokens[1].1]);
}
