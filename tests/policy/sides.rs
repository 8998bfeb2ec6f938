//! Options side by side: what breaks, what is left and until when, what can be taken back, who agrees (rows 32, 35, 36).

use rstest::rstest;
use stanch::domain::options::{RULE, Slice};
use stanch::domain::vocabulary::{Layer, Tier};

use super::desk::{at, case};

const RICH: &str = "credential = [{ id = 'k1', kind = 'client_secret', expires = 1970-01-02T00:00:00Z }]\n\
                    grant = [{ id = 'g', to = 'p:y' }]\n\
                    recovery = [{ id = 'recovery:bg', kind = 'break_glass', state = 'open' }]\n\
                    scopes = [{ name = 'admin', level = 'admin' }]\n";

#[test]
fn row32_doing_nothing_leaves_everything_and_says_until_when() {
    let made = case("credential_exposed", "api_token").with(RICH).judge();
    let nothing = made.choices.last().unwrap();
    assert_eq!(nothing.playbook, None);
    let layers: Vec<Layer> = nothing.leaves.iter().map(|h| h.layer).collect();
    let want = [
        Layer::Sessions,
        Layer::Credentials,
        Layer::Grants,
        Layer::Permissions,
        Layer::Recovery,
    ];
    assert_eq!(layers, want);
    let told: Vec<String> = nothing.leaves.iter().map(|h| h.line(at(2_000))).collect();
    assert_eq!(
        told[0],
        "sessions: sessions and tokens that nobody has counted, until somebody ends it"
    );
    assert_eq!(told[1], "credentials: 1 credential, for 23h26m more");
}

#[rstest]
#[case::both_closed("leaked-credential", None)]
#[case::row36_sessions_only("cut-live-access", Some("whoever has the credential comes back"))]
fn row36_what_is_less_than_it_looks_like_is_flagged(#[case] id: &str, #[case] trap: Option<&str>) {
    let card = "credential = [{ id = 'k1', kind = 'client_secret' }]";
    let made = case("credential_used_anomalously", "oauth_client")
        .with(card)
        .judge();
    assert_eq!(made.option(id).trap.as_deref(), trap);
}

#[test]
fn p16_a_reset_alone_is_no_containment() {
    let text = "[[playbook]]\nid = 'reset'\ntitle = 'Reset'\nwhen = {}\nstep = [{ do = 'preserve_evidence', team = 'SOC', tier = 'monitor' }, \
                { do = 'rotate_secret', team = 'IAM', tier = 'hard', irreversible = 'r' }]";
    let books = stanch::domain::playbook::PlaybookFile::parse(text)
        .unwrap()
        .playbooks;
    let policy = stanch::domain::policy::Policy::default();
    let made = case("post_click", "human")
        .with(RICH)
        .judge_by(&policy, books);
    let reset = made.option("reset");
    assert_eq!(
        reset.trap.as_deref(),
        Some("reset only: leaves sessions, grants open")
    );
    assert_eq!(reset.undo, "cannot be taken back: rotate secret");
}

#[test]
fn row35_the_narrowest_comes_first_by_a_rule_that_is_shown() {
    let made = case("credential_used_anomalously", "oauth_client").judge();
    let keys: Vec<(Tier, Slice)> = made.choices.iter().map(|c| (c.tier, c.slice)).collect();
    let (last, rest) = keys.split_last().unwrap();
    assert!(rest.is_sorted(), "{keys:?}");
    assert_eq!(
        *last,
        (Tier::Monitor, Slice::Look),
        "doing nothing stands apart"
    );
    assert_eq!(made.option("cut-live-access").slice, Slice::Session);
    assert_eq!(made.option("isolate-identity").slice, Slice::Identity);
    assert!(RULE.starts_with("narrowest first"));
}

#[test]
fn row38_reversibility_and_who_agrees_are_told_for_each() {
    let made = case("token_replay", "oauth_client")
        .with("criticality = 'business_critical'")
        .judge();
    let replay = made.option("token-replay");
    assert_eq!(
        replay.undo, "nothing to take back: whoever may logs in anew",
        "nothing to rotate here"
    );
    assert!(
        replay
            .approval
            .starts_with("you type its name and why; it is business-critical")
    );
    let with_secret = case("token_replay", "oauth_client").with(RICH).judge();
    let undo = &with_secret.option("token-replay").undo;
    assert_eq!(undo, "cannot be taken back: rotate secret");
    assert!(
        made.choices
            .iter()
            .all(|c| !c.effort.is_empty() && !c.approval.is_empty())
    );
}

/// What ends tokens where the provider knows no difference: a plan that ends sessions leaves none.
#[rstest]
#[case::apart(true, Some("reset only: leaves tokens open"))]
#[case::the_same(false, None)]
fn tokens_are_sessions_where_nothing_ends_them_alone(
    #[case] apart: bool,
    #[case] trap: Option<&str>,
) {
    let text = "[[playbook]]\nid = 'cut'\ntitle = 'Cut'\nwhen = {}\nstep = [{ do = 'preserve_evidence', team = 'SOC', tier = 'monitor' }, \
                { do = 'disable_credential', team = 'IAM', tier = 'soft' }, { do = 'revoke_sessions', team = 'IAM', tier = 'soft' }]";
    let books = stanch::domain::playbook::PlaybookFile::parse(text)
        .unwrap()
        .playbooks;
    let mut case = case("credential_exposed", "oauth_client").with_live_token();
    if !apart {
        case = case.without(stanch::domain::vocabulary::Verb::RevokeTokens);
    }
    let made = case.judge_by(&stanch::domain::policy::Policy::default(), books);
    assert_eq!(made.option("cut").trap.as_deref(), trap);
}
