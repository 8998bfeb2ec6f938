//! The provider is not there, or goes away between plan and act.

use std::net::TcpListener;

use serde_json::json;
use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::common::Pty;
use super::desk::{Desk, finding};

const TOKEN: &str = "stolen-token-0123456789";

/// A port that nothing listens on.
fn closed() -> String {
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    format!("http://127.0.0.1:{port}")
}

pub fn desk(url: &str) -> Desk {
    let desk = Desk::configured(
        &format!("[connector.idp]\npreset = 'oauth'\nbase_url = '{url}'\ntimeout_s = 5\n"),
        "",
    );
    let token = desk.write("token", TOKEN);
    std::fs::set_permissions(&token, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let inventory = format!(
        "[[identity]]\nid = 'idp:svc-a'\nname = 'svc-a'\nkind = 'oauth_client'\ntechnical_owner = 'Platform'\n\
         connector = 'idp'\nparams = {{ client_id = 'svc-a' }}\n\n\
         [[identity.credential]]\nid = 'leaked'\nkind = 'access_token'\nsecret_ref = 'file:{}'\n",
        token.display()
    );
    desk.write("inventory.toml", &inventory);
    desk.alert(&finding("f-1", "svc-a"));
    desk
}

#[test]
fn a_plan_without_its_provider_fails_and_says_which() {
    let url = closed();
    let desk = desk(&url);
    let done = desk
        .run(&["plan", "f-1", "--playbook", "cut-live-access"])
        .ends(1);
    assert_eq!(done.out, "");
    done.tells(&["cannot read `token`", &format!("{url} cannot be reached")]);
    let rows = desk
        .run(&["log", "show", "--type", "plan", "--json"])
        .ends(0);
    assert_eq!(rows.out, "", "nothing was planned");
}

#[test]
fn a_login_without_its_server_says_so() {
    let url = closed();
    let desk = desk(&url);
    let config = std::fs::read_to_string(desk.path("config.toml")).unwrap();
    let config = config.replace(
        "preset = 'oauth'",
        "preset = 'keycloak'\nparams = { realm = 'prod' }",
    ) + "auth = { kind = 'client_credentials', client_id = 'soc', client_secret = 'env:HOME' }\n";
    desk.write("config.toml", &config);
    desk.run(&["plan", "f-1", "--playbook", "isolate-identity"])
        .ends(1)
        .tells(&[
            "the console could not log in",
            &format!("{url} cannot be reached"),
        ]);
}

#[test]
fn the_console_lives_on_without_the_provider() {
    let desk = desk(&closed());
    let options = desk.options();
    let options: Vec<&str> = options.iter().map(String::as_str).collect();
    let mut pty = Pty::stanch(desk.home(), 120, 40, &options, &[]);
    pty.wait_for("svc-a");
    pty.send("g");
    pty.wait_for("Cut live access");
    pty.wait_for("Platform");
    pty.send("2");
    pty.wait_for("not run: cannot read `token`");
    pty.send("\x1b");
    desk.alert(&finding("f-2", "svc-elsewhere"));
    pty.wait_for("2 open");
    pty.send("q");
    assert_eq!(pty.wait_end(), 0);
    desk.run(&["log", "verify"]).ends(0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_goes_away_after_the_plan_is_sent_nothing() {
    // A server of its own: pooled ones go on listening.
    let server = MockServer::builder().start().await;
    let body = json!({"active": true, "client_id": "svc-a", "exp": 4_000_000_000_u64});
    Mock::given(method("POST"))
        .and(path("/oauth/introspect"))
        .respond_with(ResponseTemplate::new(200).set_body_json(body))
        .mount(&server)
        .await;
    let desk = desk(&server.uri());
    let plan = desk
        .run(&["plan", "f-1", "--playbook", "cut-live-access", "--json"])
        .ends(0);
    assert!(!plan.out.contains(TOKEN));
    let digest = plan.json()["digest"].as_str().unwrap().to_owned();
    drop(server);

    desk.run(&["contain", &digest]).ends(4).tells(&[
        "not run: cannot check the plan against the provider",
        "cannot be reached",
    ]);
    let intents = desk
        .run(&["log", "show", "--type", "intent", "--json"])
        .ends(0);
    assert_eq!(intents.out, "", "nothing was sent");
}
