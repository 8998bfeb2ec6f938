//! What a condition can do is decided when it is read; what it cannot know is said.

use rstest::rstest;
use stanch::domain::policy::lint::load;
use stanch::domain::policy::schema::FIELDS;
use stanch::domain::policy::{Finding, Source};
use stanch::domain::vocabulary::Tier;
use stanch::runtime::services::SHIPPED;

use super::desk::case;

const DEFAULTS: &str = "[[threshold]]\nsoft = 40\nhard = 75\n";

fn policy(rules: &str) -> stanch::domain::policy::Policy {
    let text = format!("{DEFAULTS}{rules}");
    let loaded = load(
        Source {
            name: "p.toml",
            text: &text,
        },
        &[],
        None,
    );
    assert_eq!(loaded.findings, Vec::<Finding>::new());
    loaded.policy
}

#[test]
fn what_is_shipped_lints() {
    let loaded = load(SHIPPED[0], &SHIPPED[1..], None);
    let told: Vec<String> = loaded.findings.iter().map(Finding::to_string).collect();
    assert_eq!(told, Vec::<String>::new());
}

#[test]
fn what_nobody_knows_is_never_silently_false() {
    let policy = policy(
        "[[rule]]\nid = 'prod'\nwhen = 'identity.environment == \"production\"'\nscore = 50\nwhy = 'w'\n",
    );
    let made = case("secret_read", "api_token").judge_by(&policy, Vec::new());
    let row = made.row("prod");
    assert_eq!(row.outcome, "could not be judged");
    assert_eq!(row.because, "identity.environment is unknown");
    assert_eq!(row.looked, [("identity.environment", "unknown".to_owned())]);
    assert_eq!(
        made.assessment.ask,
        ["`prod` could not be judged: identity.environment is unknown"],
        "a person decides"
    );
}

#[rstest]
#[case("identity.environment == 'x' && alert.confidence < 50", false)]
#[case("identity.environment == 'x' || alert.confidence > 50", true)]
#[case("has(identity.environment) && identity.environment == 'x'", false)]
#[case("!has(identity.environment)", true)]
fn what_settles_a_condition_settles_it(#[case] when: &str, #[case] matched: bool) {
    let policy = policy(&format!(
        "[[rule]]\nid = 'r'\nwhen = \"{when}\"\nscore = 50\nwhy = 'w'\n"
    ));
    let made = case("secret_read", "api_token").judge_by(&policy, Vec::new());
    assert_eq!(made.row("r").outcome == "matched", matched);
    assert_eq!(made.assessment.ask, Vec::<String>::new());
}

#[test]
fn every_rule_stands_in_the_trace_with_what_it_saw() {
    let made = case("token_replay", "oauth_client").judge();
    let (policy, books) = (load(SHIPPED[0], &[], None).policy, made.books.len());
    let all = policy.file.rules.len() + policy.file.gates.len() + books;
    assert_eq!(made.trace.len(), all);
    for row in &made.trace {
        assert!(!row.because.is_empty() && !row.why.is_empty(), "{row:?}");
        assert!(
            row.what == "playbook" || row.at.starts_with("shipped policy.toml:"),
            "{row:?}"
        );
    }
    let row = made.row("severity-critical");
    assert_eq!(row.outcome, "not matched");
    assert_eq!(
        row.because,
        "alert.severity == severity.critical does not hold"
    );
    assert_eq!(row.looked, [("alert.severity", "high".to_owned())]);
}

#[test]
fn a_policy_with_a_mistake_lets_nobody_do_more_than_look() {
    let text = format!("{DEFAULTS}[[rule]]\nid = 'r'\nwhen = 'alert.typo'\nscore = 5\nwhy = 'w'\n");
    let source = Source {
        name: "p.toml",
        text: &text,
    };
    let loaded = load(source, &SHIPPED[1..], None);
    let made = case("credential_exposed", "access_key").judge_by(&loaded.policy, loaded.playbooks);
    assert_eq!(made.assessment.tier, Tier::Monitor);
    let acting = made.choices.iter().filter(|c| c.tier > Tier::Monitor);
    for choice in acting {
        let reason = choice.disabled.as_deref().unwrap();
        assert!(
            reason.starts_with("look only: the policy does not lint: p.toml:6:15: error: `r`: there is no `alert.typo`"),
            "{reason}"
        );
    }
    assert!(
        made.choices.iter().any(|c| c.disabled.is_none()),
        "looking is always possible"
    );
}

#[test]
fn every_field_is_read_as_the_type_that_it_says() {
    // Reading all of them through conditions of their types is what rules do.
    for field in FIELDS {
        let known = if field.optional {
            format!("has({0}) && {0} == {0}", field.path)
        } else {
            format!("{0} == {0}", field.path)
        };
        let made = stanch::domain::policy::check::condition(&known);
        assert!(made.is_ok(), "{}: {made:?}", field.path);
        assert!(!field.doc.is_empty());
    }
}
