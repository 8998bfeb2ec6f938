//! Programs that behave, and those that do not.

use std::path::Path;

use rstest::rstest;
use serde_json::json;

use super::Connector;
use super::testing::{identity, settings};
use crate::app::settings::{AuthSettings, SecretRef};
use crate::domain::coverage::WireOutcome;
use crate::domain::decision::ErrorClass;
use crate::domain::plan::Body;
use crate::domain::vocabulary::Verb;

/// A connector that runs a script; `acting` is what its act does.
fn connector(dir: &Path, acting: &str) -> Connector {
    let file = dir.join("own.toml");
    let text = format!(
        r#"
kind = "command"
title = "Script"
never_self = "name"

[command]
program = "sh"
schemes = ["script"]
username_env = "WHO"
password_env = "PASS"
env = {{ GREETING = "hello" }}
refused = [3]

[param.name]
from = "identity"
pattern = '[^/]*'
help = "a name"

[[lookup]]
read = {{ id = "look", argv = ["-s", "--", "name={{name}}"], input = 'printf "{{\"arg\": \"%s\", \"env\": \"%s\"}}" "$1" "$(env | cut -d= -f1 | sort | tr "\n" " ")"' }}
missing = "nothing"
vars = {{ arg = ".arg", environment = ".env" }}

[[context.identity]]
read = {{ id = "look", argv = ["-s", "--", "name={{name}}"], input = 'printf "{{\"arg\": \"%s\"}}" "$1"' }}
shape = "{{attributes: {{arg: .arg, environment: $environment, pass: \"none\"}}}}"

[action.disable_identity]
title = "Act"
layer = "credentials"
breaks = "all"
idempotent = true
target = "{{name}}"
request = [{{ id = "act", argv = ["-s", "--", "name={{name}}"], input = '''{acting}''' }}]
verify = {{ request = [{{ id = "read", argv = ["-s"], input = "echo '{{}}'" }}], proven_if = "true", says = "it is so" }}
undo = {{ irreversible = "no" }}
"#
    );
    std::fs::write(&file, text).unwrap();
    let mut settings = settings("script://here/x", "");
    settings.preset = None;
    settings.file = Some(file);
    settings.timeout_s = 1;
    let secret = dir.join("s");
    std::fs::write(&secret, "canary-1").unwrap();
    std::fs::set_permissions(&secret, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    settings.auth = AuthSettings::Basic {
        username: "console".to_owned(),
        password: SecretRef::File(secret),
    };
    Connector::new("c", &settings).unwrap_or_else(|e| panic!("{e}"))
}

fn named(name: &str) -> crate::domain::identity::Identity {
    let mut who = identity("x");
    who.params = [("name".to_owned(), name.to_owned())].into();
    who
}

#[rstest]
#[case::done("exit 0", WireOutcome::Accepted, None)]
#[case::refused("exit 3", WireOutcome::Rejected, Some(ErrorClass::Refused))]
#[case::failed("exit 1", WireOutcome::Unknown, Some(ErrorClass::Lost))]
#[case::killed("kill -9 $$", WireOutcome::Unknown, Some(ErrorClass::Lost))]
#[case::hangs("exec sleep 60", WireOutcome::Unknown, Some(ErrorClass::Lost))]
#[case::talks_forever("exec yes", WireOutcome::Unknown, Some(ErrorClass::Lost))]
#[case::complains(
    "echo canary-1 >&2; exit 3",
    WireOutcome::Rejected,
    Some(ErrorClass::Refused)
)]
#[tokio::test]
async fn ends_decide(
    #[case] acting: &str,
    #[case] outcome: WireOutcome,
    #[case] class: Option<ErrorClass>,
) {
    let dir = tempfile::tempdir().unwrap();
    let connector = connector(dir.path(), acting);
    let bound = connector
        .bind(
            &named("n"),
            &[Verb::DisableIdentity],
            jiff::Timestamp::now(),
        )
        .await
        .unwrap();
    let run = connector.run(&bound.steps[0].requests, "k").await;
    assert_eq!(
        (run.outcome, run.error_class, run.attempts),
        (outcome, class, 1)
    );
    assert!(!format!("{run:?}").contains("canary"));
}

#[rstest]
#[case("$(id)")]
#[case("; exit 7")]
#[case("`id`")]
#[case("-c")]
#[case("a b 'c'")]
#[tokio::test]
async fn a_name_is_an_argument_and_nothing_of_the_console_is_in_the_environment(
    #[case] name: &str,
) {
    let dir = tempfile::tempdir().unwrap();
    let connector = connector(dir.path(), "exit 0");
    let read = connector.read_context(&named(name)).await;
    assert_eq!(read.context.unknown, []);
    assert_eq!(read.context.attributes["arg"].raw(), format!("name={name}"));
    let environment = read.context.attributes["environment"].raw();
    for variable in environment.split_whitespace() {
        let known = [
            "GREETING", "HOME", "LANG", "PASS", "PATH", "PWD", "WHO", "SHLVL", "_", "OLDPWD",
        ];
        assert!(known.contains(&variable), "{variable}");
    }
    assert!(
        !read
            .evidence
            .iter()
            .any(|(_, bytes, _)| String::from_utf8_lossy(bytes).contains("canary"))
    );
}

#[tokio::test]
async fn a_run_that_is_not_of_this_connector_is_not_started() {
    let dir = tempfile::tempdir().unwrap();
    let connector = connector(dir.path(), "exit 0");
    let bound = connector
        .bind(
            &named("n"),
            &[Verb::DisableIdentity],
            jiff::Timestamp::now(),
        )
        .await
        .unwrap();
    let good = &bound.steps[0].requests[0];
    let mut elsewhere = good.clone();
    elsewhere.url = "script://there/x".to_owned();
    let mut sent = good.clone();
    sent.method = "POST".to_owned();
    let mut odd = good.clone();
    odd.body = Body::Json {
        value: json!({"argv": [["-c", "id"]]}),
    };
    for request in [elsewhere, sent, odd] {
        let run = connector.run(&[request], "k").await;
        assert_eq!(run.outcome, WireOutcome::NotSent, "{run:?}");
    }
}

#[test]
fn an_address_holds_no_password_and_has_a_known_scheme() {
    for place in [
        "postgresql://u:hunter2@h/db",
        "https://h/db",
        "postgresql://h/db?sslmode=disable",
        "postgresql:",
    ] {
        let error = Connector::new("c", &settings(place, "postgresql"))
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("base_url") && !error.contains("hunter2"),
            "{error}"
        );
    }
}
