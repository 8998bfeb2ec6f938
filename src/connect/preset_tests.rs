//! The embedded connector files, and what the lint says about broken ones.

use std::collections::BTreeMap;

use rstest::rstest;

use super::lint;
use super::presets;
use super::testing::{GOOD, settings};
use super::{ConnectError, Connector};
use crate::domain::vocabulary::Verb;

/// Parameters that a configuration must give.
const NEEDED: &[(&str, &str, &str)] = &[
    ("github_repository", "owner", "acme"),
    ("google_service_account", "project", "prod-123"),
    ("keycloak", "realm", "prod"),
    ("pagerduty", "from_email", "soc@acme.example"),
    ("slack_message", "channel", "C024BE91L"),
    ("pagerduty", "service_id", "PIJ90N7"),
    ("webhook", "path", "/hook"),
];

#[test]
fn embedded_files_are_clean() {
    for preset in presets() {
        let place = match preset {
            "postgresql" => "postgresql://db.example:5432/app",
            _ => "https://provider.example/prefix",
        };
        let mut settings = settings(place, preset);
        for (preset_of, name, value) in NEEDED {
            if preset == *preset_of {
                settings.params.insert((*name).into(), (*value).into());
            }
        }
        let connector = Connector::new("c", &settings).unwrap_or_else(|e| panic!("{e}"));
        assert!(!connector.actions().is_empty());
        for (verb, info) in connector.actions() {
            // Whoever has a connector for it need not tell people by hand.
            let tells = matches!(verb, Verb::OpenTicket | Verb::NotifyOwner);
            let by_person = verb.is_manual() && !tells;
            assert!(!by_person && *verb != Verb::PreserveEvidence);
            assert_eq!(info.reversible, info.irreversible.is_none());
        }
    }
}

#[rstest]
#[case::nothing_on_the_card(&[], false)]
#[case::empty(&[("workload", "")], false)]
#[case::given(&[("workload", "shop")], true)]
fn an_act_is_offered_where_the_card_gives_what_it_needs(
    #[case] params: &[(&str, &str)],
    #[case] offered: bool,
) {
    let settings = settings("https://provider.example/prefix", "kubernetes");
    let connector = Connector::new("c", &settings).unwrap();
    let mut who = super::testing::identity("x");
    let given = params.iter().map(|(k, v)| ((*k).into(), (*v).into()));
    who.params = given.collect();
    assert_eq!(connector.offers(Verb::IsolateWorkload, &who), offered);
    assert!(connector.offers(Verb::RevokeTokens, &who));
    assert!(!connector.offers(Verb::PauseAgent, &who));
}

fn lint_of(text: &str) -> Result<(), ConnectError> {
    lint::parse("own.toml", text, &BTreeMap::new()).map(|_| ())
}

#[test]
fn the_good_file_is_good() {
    lint_of(GOOD).unwrap_or_else(|e| panic!("{e}"));
}

#[rstest]
#[case::unknown_key("kind = \"http\"", "kind = \"http\"\nretries = 3", "retries")]
#[case::unknown_kind("kind = \"http\"", "kind = \"ftp\"", "ftp")]
#[case::unknown_verb("[action.disable_identity]", "[action.obliterate]", "obliterate")]
#[case::unknown_placeholder("/clients/{id}/disable", "/clients/{idd}/disable", "{idd}")]
#[case::unknown_in_target("client {client_id}", "client {name}", "{name}")]
#[case::unknown_in_body(
    "json = { why = \"{client_id}\" }",
    "json = { why = \"{whose}\" }",
    "{whose}"
)]
#[case::level_2_expression("/clients/{id}/disable", "/clients/{+id}/disable", "level 1")]
#[case::path_climbs("/clients/{id}/disable", "/clients/../{id}", "base_url")]
#[case::path_is_a_host("/clients/{id}/disable", "//evil.example/{id}", "placeholder")]
#[case::no_undo("undo = { irreversible = \"no\" }", "", "undo")]
#[case::empty_undo("undo = { irreversible = \"no\" }", "undo = {}", "irreversible")]
#[case::undo_without_verify(
    "undo = { irreversible = \"no\" }",
    "undo = { request = [{ id = \"u\", path = \"/u\" }] }",
    "verify"
)]
#[case::no_verify("verify = {", "verified = {", "verif")]
#[case::verify_asks_nothing(
    "request = [{ id = \"read\", path = \"/clients/{id}\" }]",
    "request = []",
    "asks nothing"
)]
#[case::bad_jq(
    "proven_if = \".read.body.enabled == false\"",
    "proven_if = \".read.body.enabled ==\"",
    "does not parse"
)]
#[case::endless_jq(
    "proven_if = \".read.body.enabled == false\"",
    "proven_if = \"def f: f; f\"",
    "not offered"
)]
#[case::unknown_variable(
    "proven_if = \".read.body.enabled == false\"",
    "proven_if = \"$nope\"",
    "$nope"
)]
#[case::bad_regex("pattern = '[a-z.-]+'", "pattern = '['", "regular expression")]
#[case::own_header(
    "expect = [204]",
    "expect = [204], headers = { Authorization = \"x\" }",
    "Authorization"
)]
#[case::bad_status("expect = [204]", "expect = [42]", "42")]
#[case::bad_method("method = \"POST\"", "method = \"TRACE\"", "TRACE")]
#[case::capture_without_place(
    "expect = [204]",
    "expect = [204], capture = { filter = \".s\", file = \"f\" }",
    "secret_dir"
)]
#[case::plain_secret(
    "expect = [204]",
    "expect = [204], secret_form = { token = \"hunter2\" }",
    "credential:"
)]
#[case::circle(
    "path = \"/clients?client_id={client_id}\"",
    "path = \"/clients?client_id={id}\"",
    "circle"
)]
#[case::wait_too_long(
    "says = \"it is disabled\"",
    "says = \"it is disabled\", deadline_ms = 86400000",
    "deadline_ms"
)]
#[case::only_with_what_must_be_given(
    "target = \"client {client_id}\"",
    "target = \"client {client_id}\"\nonly_with = [\"client_id\"]",
    "empty default"
)]
fn lint_names_file_block_and_way_out(#[case] from: &str, #[case] to: &str, #[case] says: &str) {
    assert!(GOOD.contains(from), "{from}");
    let error = lint_of(&GOOD.replace(from, to)).unwrap_err().to_string();
    assert!(error.contains("own.toml"), "{error}");
    assert!(error.contains(says), "{error}");
    assert!(!error.contains("hunter2"), "{error}");
}

#[rstest]
#[case::both(Some("lab"), Some("/x.toml"), "exactly one")]
#[case::neither(None, None, "exactly one")]
#[case::unknown(Some("okat"), None, "use one of aws_role, aws_user, ")]
#[case::missing_file(None, Some("/nonexistent.toml"), "/nonexistent.toml")]
#[case::missing_param(Some("keycloak"), None, "`realm` is missing")]
fn settings_are_checked(
    #[case] preset: Option<&str>,
    #[case] file: Option<&str>,
    #[case] says: &str,
) {
    let mut settings = settings("https://h", "lab");
    settings.preset = preset.map(str::to_owned);
    settings.file = file.map(Into::into);
    let error = Connector::new("prod", &settings).unwrap_err().to_string();
    assert!(error.contains(says), "{error}");
}

/// The README's table is what the presets are: each with its title, its acts, which of them can be taken back, which cannot
/// be proven; and what is said to be proven live has a test against the real server.
#[test]
fn the_table_of_the_readme_is_true() {
    let readme = include_str!("../../README.md");
    let live = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/live");
    for preset in presets() {
        let start = format!("| `{preset}` | ");
        let rows = readme
            .lines()
            .filter_map(|line| line.strip_prefix(&start))
            .map(|line| line.trim_end_matches(" |").split(" | ").collect::<Vec<_>>());
        let cells = rows.into_iter().find(|cells| cells.len() == 3);
        let cells = cells.unwrap_or_else(|| panic!("`{preset}` is not in the table of the README"));
        let spec: crate::connect::spec::Spec =
            toml::from_str(crate::connect::preset::find(preset).unwrap()).unwrap();
        let mut acts: Vec<String> = spec
            .action
            .iter()
            .map(|(verb, action)| {
                let undo = if action.undo.irreversible.is_none() {
                    " ↺"
                } else {
                    ""
                };
                let never = |p: &crate::connect::spec::Provable| p.condition.trim() == "false";
                let guess = if action.provable.as_ref().is_some_and(never) {
                    " ?"
                } else {
                    ""
                };
                format!("`{verb}`{undo}{guess}")
            })
            .collect();
        let mut listed: Vec<&str> = cells[1].split(", ").collect();
        acts.sort();
        listed.sort_unstable();
        assert_eq!(listed, acts, "acts of `{preset}`");
        assert_eq!(cells[0], spec.title, "title of `{preset}`");
        if cells[2].contains("in CI") {
            let file = cells[2].split("(`live/").nth(1);
            let file = file.and_then(|rest| rest.split("`)").next());
            let file = file.unwrap_or_else(|| panic!("`{preset}` names no live test"));
            let test = std::fs::read_to_string(format!("{live}/{file}")).unwrap();
            let named = [format!("'{preset}'"), format!("\"{preset}\"")];
            assert!(
                named.iter().any(|n| test.contains(n)),
                "{file} does not name `{preset}`"
            );
        }
    }
}
