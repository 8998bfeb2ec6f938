use std::collections::BTreeMap;

use rstest::rstest;

use super::super::{Finding, Source, load};
use crate::domain::options::{Capabilities, Capability};
use crate::domain::policy::Mode;
use crate::domain::vocabulary::{Layer, Verb};

const DEFAULTS: &str = "[[threshold]]\nsoft = 40\nhard = 75\n";

const BOOKS: &str = r#"
[[playbook]]
id = "cut"
title = "t"
when = { patterns = ["token_replay"] }
step = [{ do = "preserve_evidence", team = "SOC", tier = "monitor" }, { do = "revoke_sessions", team = "IAM", tier = "soft" }]
[[playbook]]
id = "hard"
title = "t"
when = { patterns = ["data_exfil"] }
step = [{ do = "preserve_evidence", team = "SOC", tier = "monitor" }, { do = "disable_credential", team = "IAM", tier = "hard" }]
[[playbook]]
id = "rotate"
title = "t"
when = { patterns = ["secret_read"] }
step = [{ do = "preserve_evidence", team = "SOC", tier = "monitor" }, { do = "rotate_secret", team = "IAM", tier = "soft" }]
[[playbook]]
id = "final"
title = "t"
when = { patterns = ["recon"] }
step = [{ do = "preserve_evidence", team = "SOC", tier = "monitor" }, { do = "revoke_grants", team = "IAM", tier = "soft", irreversible = "gone is gone" }]
[[playbook]]
id = "noundo"
title = "t"
when = { patterns = ["posture"] }
step = [{ do = "preserve_evidence", team = "SOC", tier = "monitor" }, { do = "disable_credential", team = "IAM", tier = "soft" }]
[[playbook]]
id = "noverify"
title = "t"
when = { patterns = ["other"] }
step = [{ do = "preserve_evidence", team = "SOC", tier = "monitor" }, { do = "unbind_tool", team = "app", tier = "soft" }]
[[playbook]]
id = "critical"
title = "t"
when = { if = "has(identity.criticality) && identity.criticality == criticality.business_critical && alert.confident" }
step = [{ do = "preserve_evidence", team = "SOC", tier = "monitor" }, { do = "restrict_privilege", team = "IAM", tier = "soft" }]
[[playbook]]
id = "people"
title = "t"
when = { kinds = ["human"] }
step = [{ do = "preserve_evidence", team = "SOC", tier = "monitor" }, { do = "revoke_sessions", team = "IAM", tier = "soft" }]
[[playbook]]
id = "broken"
title = "t"
when = {}
step = [{ do = "revoke_tokens", team = "IAM", tier = "soft" }]
"#;

fn means() -> BTreeMap<String, Capabilities> {
    let can = |layer, irreversible: Option<&str>| Capability {
        title: "t".into(),
        layer,
        breaks: String::new(),
        irreversible: irreversible.map(str::to_owned),
        residual: Vec::new(),
    };
    let able = BTreeMap::from([
        (
            Verb::RevokeSessions,
            can(Layer::Sessions, Some("a session is over")),
        ),
        (
            Verb::DisableCredential,
            can(Layer::Credentials, Some("deleted")),
        ),
        (Verb::RestrictPrivilege, can(Layer::Permissions, None)),
        (Verb::RevokeGrants, can(Layer::Grants, None)),
        (Verb::RotateSecret, can(Layer::Credentials, None)),
    ]);
    BTreeMap::from([("c".to_owned(), able)])
}

fn told(modes: &str) -> (Vec<String>, Vec<(Mode, bool)>) {
    let text = format!("{DEFAULTS}{modes}");
    let policy = Source {
        name: "p.toml",
        text: &text,
    };
    let books = Source {
        name: "b.toml",
        text: BOOKS,
    };
    let loaded = load(policy, &[books], Some(&means()));
    assert!(
        loaded.policy.is_armed(),
        "a mode takes nothing away from analysts"
    );
    let found = loaded.findings.iter().filter(|f| f.file == "p.toml");
    let modes = loaded.policy.modes.iter();
    (
        found.map(Finding::to_string).collect(),
        modes.map(|m| (m.mode, m.why_not.is_some())).collect(),
    )
}

#[rstest]
#[case(
    "[[mode]]\nplaybook = 'cut'\nmode = 'auto'\ncountdown_s = 60",
    Mode::Auto
)]
#[case("[[mode]]\nplaybook = 'cut'\nmode = 'shadow'", Mode::Shadow)]
#[case("[[mode]]\nplaybook = 'hard'\nmode = 'shadow'", Mode::Shadow)]
#[case("[[mode]]\nplaybook = 'hard'\nmode = 'ask'", Mode::Ask)]
#[case(
    "[automation]\ncountdown_s = 10\nper_hour = 60\n[[mode]]\nplaybook = 'cut'\nmode = 'auto'",
    Mode::Auto
)]
fn what_may_run_so_does(#[case] modes: &str, #[case] mode: Mode) {
    assert_eq!(told(modes), (Vec::new(), vec![(mode, false)]));
}

/// Every mistake, one row each. What has one asks.
#[rstest]
#[case::unknown_playbook(
    "[[mode]]\nplaybook = 'cutt'\nmode = 'auto'",
    "p.toml:5:12: error: `cutt`: there is no such playbook; did you mean `cut`?"
)]
#[case::two_modes(
    "[[mode]]\nplaybook = 'cut'\nmode = 'ask'\n[[mode]]\nplaybook = 'cut'\nmode = 'auto'",
    "p.toml:8:12: error: `cut`: shadowed: this playbook has a mode already"
)]
#[case::hard_step(
    "[[mode]]\nplaybook = 'hard'\nmode = 'auto'",
    "p.toml:6:8: error: `hard`: it cannot be `auto`: disable_credential is of the hard tier, so a person decides"
)]
#[case::cuts_everybody(
    "[[mode]]\nplaybook = 'rotate'\nmode = 'auto'",
    "p.toml:6:8: error: `rotate`: it cannot be `auto`: rotate_secret cuts off everybody who uses the identity, so a person decides"
)]
#[case::irreversible(
    "[[mode]]\nplaybook = 'final'\nmode = 'auto'",
    "p.toml:6:8: error: `final`: it cannot be `auto`: revoke_grants cannot be taken back, so a person decides"
)]
#[case::missing_undo(
    "[[mode]]\nplaybook = 'noundo'\nmode = 'auto'",
    "p.toml:6:8: error: `noundo`: it cannot be `auto`: connector `c` has no undo for disable_credential, so a person decides"
)]
#[case::missing_verify(
    "[[mode]]\nplaybook = 'noverify'\nmode = 'auto'",
    "p.toml:6:8: error: `noverify`: it cannot be `auto`: no configured connector does unbind_tool and reads it back, so nobody would verify it"
)]
#[case::only_critical(
    "[[mode]]\nplaybook = 'critical'\nmode = 'auto'",
    "p.toml:6:8: error: `critical`: it cannot be `auto`: it is only for identities that wait for a person"
)]
#[case::critical_kind(
    "[automation]\ncritical_kinds = ['human']\n[[mode]]\nplaybook = 'people'\nmode = 'auto'",
    "p.toml:8:8: error: `people`: it cannot be `auto`: it is for human, and `critical_kinds` calls that kind business-critical"
)]
#[case::broken_book(
    "[[mode]]\nplaybook = 'broken'\nmode = 'auto'",
    "p.toml:6:8: error: `broken`: it cannot be `auto`: the playbook itself does not lint"
)]
#[case::too_short(
    "[[mode]]\nplaybook = 'cut'\nmode = 'auto'\ncountdown_s = 9",
    "p.toml:7:15: error: `cut`: a countdown of 9 s; it has 10 to 600 s, so that somebody can stop it"
)]
#[case::too_long(
    "[[mode]]\nplaybook = 'cut'\nmode = 'auto'\ncountdown_s = 601",
    "p.toml:7:15: error: `cut`: a countdown of 601 s"
)]
#[case::no_countdown(
    "[[mode]]\nplaybook = 'cut'\nmode = 'ask'\ncountdown_s = 30",
    "p.toml:7:15: error: `cut`: only `auto` counts down, and this is `ask`"
)]
#[case::all_too_short(
    "[automation]\ncountdown_s = 0\n[[mode]]\nplaybook = 'cut'\nmode = 'auto'",
    "p.toml:5:15: error: a countdown of 0 s"
)]
#[case::no_brake(
    "[automation]\nper_hour = 61\n[[mode]]\nplaybook = 'cut'\nmode = 'auto'",
    "p.toml:5:12: error: 61 automatic runs an hour; 1 to 60 are possible"
)]
#[case::none_at_all(
    "[automation]\nper_hour = 0\n[[mode]]\nplaybook = 'cut'\nmode = 'auto'",
    "p.toml:5:12: error: 0 automatic runs an hour"
)]
fn mistakes_ask(#[case] modes: &str, #[case] message: &str) {
    let (found, modes) = told(modes);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].starts_with(message), "{}", found[0]);
    assert_eq!(modes.last().map(|(mode, _)| *mode), Some(Mode::Ask));
}

/// What is no word of ours is a mistake of the file, and nothing of it is armed.
#[rstest]
#[case(
    "[[mode]]\nplaybook = 'cut'\nmode = 'atuo'",
    "p.toml:6:8: error: unknown variant `atuo`, expected one of `shadow`, `ask`, `auto`; did you mean `auto`?"
)]
#[case(
    "[[mode]]\nplaybook = 'cut'\nmoed = 'auto'",
    "p.toml:6:1: error: unknown field `moed`"
)]
#[case(
    "[[mode]]\nplaybook = 'cut'",
    "p.toml:4:1: error: missing field `mode`"
)]
#[case(
    "[automation]\nper_huor = 3",
    "p.toml:5:1: error: unknown field `per_huor`"
)]
#[case(
    "[automation]\nper_hour = -1",
    "p.toml:5:12: error: invalid value: integer `-1`, expected u32"
)]
#[case(
    "[automation]\ncritical_kinds = ['robot']",
    "p.toml:5:19: error: unknown variant `robot`"
)]
fn words_that_are_none_disarm_the_file(#[case] modes: &str, #[case] message: &str) {
    let text = format!("{DEFAULTS}{modes}");
    let loaded = load(
        Source {
            name: "p.toml",
            text: &text,
        },
        &[],
        None,
    );
    let found = loaded.findings[0].to_string();
    assert!(found.starts_with(message), "{found}");
    assert!(!loaded.policy.is_armed() && !loaded.policy.does_anything_alone());
}
