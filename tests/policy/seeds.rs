//! One test a sentence of the requirements that states a rule. The name of each case begins with the requirement's id.

use rstest::rstest;
use stanch::domain::vocabulary::{Severity, Tier};

use super::desk::case;

const AGENT: &str = "driver = 'autonomous'\nintent = { purpose = 'triage tickets', tools = ['search'], targets = ['tickets'] }";
const SECRET: &str =
    "credential = [{ id = 'k1', kind = 'client_secret', last_used = 1970-01-01T00:00:01Z }]";
const USUAL: &str = "usual = { actions = ['ingest'], targets = ['queue'] }";
const CRITICAL_MAP: &str = "[[node]]\nid = 'pay'\nkind = 'workload'\nlabel = 'payments'\ncriticality = 'business_critical'\n\
                            [[edge]]\nfrom = 'pay'\nkind = 'depends_on'\nto = 'p:x'";

/// T1, T2, T5, T6, T8: how far the policy goes, by what happened to whom and with what.
#[rstest]
#[case::t8_a_confirmed_leak_is_rotated_and_suspended(
    "credential_exposed",
    "api_token",
    95,
    "",
    Tier::Hard
)]
#[case::t8_also_where_the_source_calls_it_low(
    "credential_exposed",
    "access_key",
    80,
    "",
    Tier::Hard
)]
#[case::t6_replay_is_ended_softly_first("token_replay", "oauth_client", 90, "", Tier::Soft)]
#[case::e0_after_a_click_access_ends_before_reuse("post_click", "human", 70, "", Tier::Soft)]
#[case::t11_an_agent_beyond_its_intent_is_paused(
    "agent_beyond_intent",
    "ai_agent",
    60,
    AGENT,
    Tier::Hard
)]
#[case::t7_low_confidence_only_looks(
    "credential_used_anomalously",
    "service_account",
    30,
    "",
    Tier::Monitor
)]
#[case::t7_low_confidence_bounds_even_a_leak(
    "credential_exposed",
    "access_key",
    30,
    "",
    Tier::Monitor
)]
#[case::t5_posture_is_no_attack("posture", "service_account", 90, "", Tier::Monitor)]
#[case::t1_privilege_weighs_in(
    "secret_read",
    "service_account",
    90,
    "scopes = [{ name = 'admin', level = 'admin' }]",
    Tier::Soft
)]
fn how_far(
    #[case] pattern: &str,
    #[case] kind: &str,
    #[case] confidence: u8,
    #[case] card: &str,
    #[case] tier: Tier,
) {
    let severity = match pattern {
        "posture" => Severity::Medium,
        _ => Severity::High,
    };
    let case = case(pattern, kind).sure(confidence).severity(severity);
    let made = case.with(card).judge();
    assert_eq!(made.assessment.tier, tier, "{:#?}", made.assessment);
}

/// T4: "ingestion continues, secret request isolates": the same account, another target.
#[test]
fn t4_the_same_account_goes_on_with_its_work_and_not_with_secrets() {
    let map = format!("{USUAL}\n[[node]]\nid = 'vault'\nkind = 'secret_store'\nlabel = 'vault'");
    let daily = case("first_time_access", "service_account").touches("queue");
    let daily = daily.with(&map).judge();
    let secret = case("secret_read", "service_account").touches("vault");
    let secret = secret.with(&map).judge();
    assert_eq!(
        daily.assessment.tier,
        Tier::Monitor,
        "{:#?}",
        daily.assessment
    );
    assert!(
        secret.assessment.tier >= Tier::Soft,
        "{:#?}",
        secret.assessment
    );
    assert_eq!(secret.row("secret-touched").outcome, "matched");
    assert_eq!(secret.row("unusual-target").outcome, "matched");
}

/// T3: "does the request match the task, the environment, the expected blast radius?"
#[rstest]
#[case("tickets/42", "not matched")]
#[case("vault/prod", "matched")]
fn t3_an_agents_act_is_held_against_its_approved_intent(#[case] touched: &str, #[case] want: &str) {
    let made = case("first_time_access", "ai_agent")
        .touches(touched)
        .with(AGENT)
        .judge();
    let row = made.row("beyond-intent");
    assert_eq!(row.outcome, want, "{row:?}");
    assert!(
        row.looked
            .iter()
            .any(|(field, _)| *field == "resource.in_intent")
    );
}

/// T7, row 26: low confidence: every destructive option is off, with the reason.
#[rstest]
#[case("credential_used_anomalously", "service_account")]
#[case("token_replay", "human")]
#[case("secret_read", "ai_agent")]
#[case("credential_exposed", "access_key")]
#[case("first_time_access", "ci_token")]
fn t7_low_confidence_turns_every_destructive_option_off(#[case] pattern: &str, #[case] kind: &str) {
    let made = case(pattern, kind).sure(20).judge();
    let acting = made.choices.iter().filter(|c| c.tier > Tier::Monitor);
    let mut n = 0;
    for choice in acting {
        let reason = choice.disabled.as_deref().unwrap_or_default();
        assert!(reason.contains("low confidence"), "{choice:?}");
        n += 1;
    }
    assert!(n > 0 && made.option("low-confidence").disabled.is_none());
    assert_eq!(
        made.verbs("low-confidence"),
        ["preserve_evidence", "review_sessions", "watch"]
    );
}

/// T9, T10, X2: a person decides, and both risks are there to weigh.
#[rstest]
#[case::t9("criticality = 'business_critical'", "business-critical")]
#[case::t10("uninterruptible = 'settles card payments'", "uninterruptible")]
#[case::t10_by_the_map(CRITICAL_MAP, "breaks-the-business")]
#[case::e8_shared(
    "credential = [{ id = 'k', kind = 'key', consumers = ['a', 'b'] }]",
    "shared"
)]
fn t9_a_person_decides(#[case] card: &str, #[case] gate: &str) {
    let made = case("credential_exposed", "api_token").with(card).judge();
    assert_eq!(made.row(gate).outcome, "matched");
    assert!(!made.assessment.ask.is_empty());
    // It may be contained all the same: it is a person who says so.
    assert!(made.refused().is_empty(), "{:?}", made.refused());
}

/// P6 to P13, row 31: the playbook of each case, its steps in order, and who owns them.
#[rstest]
#[case::p6_cloud_key("credential_exposed", "access_key", "leaked-cloud-key",
    &["disable_credential", "revoke_sessions", "revoke_tokens", "restrict_privilege", "check_linked"])]
#[case::p7_ci_token("credential_used_anomalously", "ci_token", "freeze-pipeline",
    &["freeze_pipeline", "rotate_secret", "check_linked"])]
#[case::p8_ai_agent("secret_read", "ai_agent", "rein-in-agent",
    &["pause_agent", "revoke_grants", "unbind_tool", "review_sessions", "check_linked"])]
#[case::t11_ai_agent("agent_beyond_intent", "ai_agent", "rein-in-agent", &["pause_agent"])]
#[case::p9_takeover("cross_system_movement", "service_account", "service-account-takeover",
    &["restrict_privilege", "isolate_workload", "block_network", "check_linked"])]
#[case::p10_secret("credential_exposed", "api_token", "exposed-secret",
    &["preserve_evidence", "rotate_secret", "revoke_sessions", "disable_identity"])]
#[case::p11_replay("token_replay", "oauth_client", "token-replay", &["revoke_sessions", "rotate_secret"])]
#[case::p12_click("post_click", "human", "post-click",
    &["revoke_sessions", "isolate_mailbox", "restrict_privilege", "block_action"])]
#[case::p13_prompt("post_click", "ai_agent", "poisoned-prompt", &["pause_agent", "block_action", "review_sessions"])]
#[case::e6_recovery("recovery_tampered", "human", "recovery-tampered", &["protect_recovery", "revoke_sessions"])]
#[case::a1_stale("stale_identity_active", "service_account", "stale-identity", &["disable_identity", "notify_owner"])]
fn playbooks(#[case] pattern: &str, #[case] kind: &str, #[case] id: &str, #[case] order: &[&str]) {
    let made = case(pattern, kind).judge();
    let choice = made.option(id);
    assert_eq!(choice.disabled, None);
    let verbs = made.verbs(id);
    assert_eq!(verbs[0], "preserve_evidence", "E2: evidence first");
    let mut rest = verbs.iter();
    for verb in order {
        assert!(
            rest.any(|v| v == verb),
            "{verb} is not where it belongs in {verbs:?}"
        );
    }
}

/// P4, row 37: an owner for each step, among the four teams.
#[test]
fn p4_every_step_has_an_owner() {
    let made = case("posture", "unknown").judge();
    let mut seen = std::collections::BTreeSet::new();
    for step in made.books.iter().flat_map(|book| &book.steps) {
        assert!(["SOC", "IAM", "platform", "application"].contains(&step.team.as_str()));
        assert!(!step.why.is_empty(), "{step:?}");
        seen.insert(step.team.clone());
    }
    assert_eq!(seen.len(), 4);
}

/// P17: compensating controls end the playbooks of what was long-lived.
#[rstest]
#[case("leaked-cloud-key", "short-lived credentials")]
#[case("freeze-pipeline", "a token for each run")]
#[case("rein-in-agent", "authorise by intent")]
#[case("exposed-secret", "short-lived ones")]
fn p17_compensating_controls(#[case] id: &str, #[case] text: &str) {
    let made = case("posture", "unknown").judge();
    let book = made.books.iter().find(|b| b.id == id).unwrap();
    assert!(book.steps.iter().any(|s| s.why.contains(text)), "{book:?}");
}

/// P11, row 34: "rotate if token material is reusable": the step hangs on a fact.
#[test]
fn p11_rotation_hangs_on_whether_the_material_can_be_used_again() {
    let made = case("token_replay", "oauth_client").with(SECRET).judge();
    let book = made.books.iter().find(|b| b.id == "token-replay").unwrap();
    let step = book.steps.iter().find(|s| s.term.is_some()).unwrap();
    assert_eq!(step.verb.as_str(), "rotate_secret");
    assert_eq!(
        step.term.as_ref().unwrap().to_string(),
        "has(identity.credentials) && identity.credentials > 0"
    );
}

/// Row 33 and §5 "disable before sessions for keys": what is revoked before that is minted again.
#[rstest]
#[case("leaked-cloud-key", "disable_credential", "revoke_sessions")]
#[case("leaked-credential", "disable_credential", "revoke_sessions")]
#[case("leaked-credential", "revoke_sessions", "restrict_privilege")]
#[case("isolate-identity", "disable_identity", "revoke_sessions")]
#[case("recovery-tampered", "protect_recovery", "revoke_sessions")]
fn row33_order_of_layers(#[case] id: &str, #[case] first: &str, #[case] then: &str) {
    let verbs = case("posture", "unknown").judge().verbs(id);
    let at = |verb: &str| verbs.iter().position(|v| *v == verb).unwrap();
    assert!(at(first) < at(then), "{verbs:?}");
}

/// Row 38, §5 "deactivate, do not delete": no shipped playbook acts irreversibly without saying so.
#[test]
fn row38_what_cannot_be_taken_back_says_so() {
    let made = case("posture", "unknown").judge();
    for book in &made.books {
        for step in &book.steps {
            let destroys = step.verb.as_str() == "rotate_secret";
            assert!(
                !destroys || step.irreversible.is_some(),
                "{}: {step:?}",
                book.id
            );
        }
    }
}

/// P1 to P3: every pattern that may be an attack has, for every kind, a named playbook that acts.
#[test]
fn p3_every_attack_is_mapped_before_it_happens() {
    use stanch::domain::vocabulary::{ActionPattern, IdentityKind};
    let signals = [
        "session_revoked_signal",
        "credential_changed_signal",
        "account_state_signal",
        "posture",
        "other",
        "recon",
    ];
    let mut bare = Vec::new();
    for pattern in ActionPattern::ALL {
        for kind in IdentityKind::ALL {
            let made = case(pattern.as_str(), kind.as_str()).judge();
            assert!(
                made.choices.iter().any(|c| c.playbook.is_none()),
                "do nothing is always there"
            );
            let acts = made
                .choices
                .iter()
                .any(|c| c.tier > Tier::Monitor && c.disabled.is_none());
            if !acts && !signals.contains(&pattern.as_str()) {
                bare.push(format!("{pattern} of {kind}"));
            }
        }
    }
    assert_eq!(bare, Vec::<String>::new());
}

/// "A digit belongs to its playbook": no two options of one alert share one.
#[test]
fn a_digit_means_one_thing_on_every_alert() {
    use stanch::domain::vocabulary::{ActionPattern, IdentityKind};
    for pattern in ActionPattern::ALL {
        for kind in IdentityKind::ALL {
            for confidence in [20, 90] {
                let made = case(pattern.as_str(), kind.as_str())
                    .sure(confidence)
                    .judge();
                let mut keys: Vec<u8> = made.choices.iter().filter_map(|c| c.key).collect();
                let all = keys.len();
                assert_eq!(all, made.choices.len(), "every option has a digit");
                keys.sort_unstable();
                keys.dedup();
                assert_eq!(keys.len(), all, "{pattern} of {kind}");
            }
        }
    }
}
