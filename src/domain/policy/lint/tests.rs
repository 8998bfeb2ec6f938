use rstest::rstest;

use super::*;

const DEFAULTS: &str = "[[threshold]]\nsoft = 40\nhard = 75\n";
const RULE: &str = "[[rule]]\nid = 'a'\nwhen = 'alert.confident'\nscore = 5\nwhy = 'w'\n";

fn policy(text: &str) -> Vec<String> {
    let source = Source {
        name: "p.toml",
        text,
    };
    let loaded = load(source, &[], None);
    assert_eq!(loaded.policy.is_armed(), loaded.findings.is_empty());
    loaded.findings.iter().map(Finding::to_string).collect()
}

fn books(text: &str) -> (Vec<Playbook>, Vec<String>) {
    let empty = Source {
        name: "p.toml",
        text: DEFAULTS,
    };
    let source = Source {
        name: "b.toml",
        text,
    };
    let loaded = load(empty, &[source], None);
    let told = loaded.findings.iter().map(Finding::to_string).collect();
    (loaded.playbooks, told)
}

#[test]
fn what_is_right_is_armed() {
    assert_eq!(policy(&format!("{DEFAULTS}{RULE}")), Vec::<String>::new());
}

#[rstest]
#[case(
    "[[rule]]\nid = 'b'\nwhen = 'alert.sevrity == 1'\nscore = 5\nwhy = 'w'",
    "p.toml:6:15: error: `b`: there is no `alert.sevrity`; did you mean `alert.severity`?"
)]
#[case(
    "[[rule]]\nid = 'b'\nwhen = \"alert.confidence == 'x'\"\nscore = 5\nwhy = 'w'",
    "p.toml:6:9: error: `b`: a whole number is compared with a text"
)]
#[case(
    "[[rule]]\nid = 'b'\nwhen = '''\nalert.confident &&\n  alert.x\n'''\nscore = 5\nwhy = 'w'",
    "p.toml:8:9: error: `b`: there is no `alert.x`"
)]
#[case(
    "[[rule]]\nid = 'b'\nwhen = 'alert.confidence > 100'\nscore = 5\nwhy = 'w'",
    "p.toml:6:8: error: `b`: unreachable: this can never hold"
)]
#[case(
    "[[rule]]\nid = 'b'\nwhen = 'map.newcomers >= 0'\nscore = 5\nwhy = 'w'",
    "p.toml:6:8: error: `b`: this always holds; write `true`"
)]
#[case(
    "[[rule]]\nid = 'b'\nwhen = 'map.known'\nscore = 5\nwhy = 'w'\n[[rule]]\nid = 'c'\nwhen = 'map.known == true'\nscore = 9\nwhy = 'w'",
    "p.toml:11:8: error: `c`: shadowed: it holds whenever `b` does and only then"
)]
#[case(
    "[[rule]]\nid = 'b'\nwhen = 'map.known'\nscore = 0\nwhy = 'w'",
    "p.toml:7:9: error: `b`: 0 adds nothing or too much"
)]
#[case(
    "[[rule]]\nid = 'b'\nwhen = 'map.known'\nscore = 5\nwhy = ' '",
    "p.toml:8:7: error: `b`: it does not say why"
)]
#[case(
    "[[rule]]\nid = 'b'\nwhen = 'map.known'\nscore = 5",
    "p.toml:4:1: error: missing field `why`"
)]
#[case(
    "[[rule]]\nid = 'b'\nwehn = 'map.known'\nscore = 5\nwhy = 'w'",
    "did you mean `when`?"
)]
#[case(
    "[[rule]]\nid = 'b'\nwhen = 'map.known'\nscore = 5\nwhy = 'w'\n[[gate]]\nid = 'b'\nwhen = 'map.truncated'\nask = true\nwhy = 'w'",
    "p.toml:10:6: error: `b`: this id is used twice"
)]
#[case(
    "[[gate]]\nid = 'g'\nwhen = 'map.truncated'\nwhy = 'w'",
    "p.toml:4:1: error: `g`: it bounds nothing"
)]
#[case(
    "[[gate]]\nid = 'g'\nwhen = 'map.truncated'\nmost = 'hard'\nwhy = 'w'",
    "p.toml:7:8: error: `g`: this bounds nothing: every tier is within it"
)]
#[case(
    "[[gate]]\nid = 'g'\nwhen = 'map.truncated'\nleast = 'hard'\nmost = 'soft'\nwhy = 'w'",
    "p.toml:7:9: error: `g`: `least` lies above `most`"
)]
#[case(
    "[[gate]]\nid = 'g'\nwhen = 'map.truncated'\nmost = 'sfot'\nwhy = 'w'",
    "did you mean `soft`?"
)]
#[case(
    "[[gate]]\nid = 'g'\nwhen = 'map.truncated'\nask = true\nwhy = 'w'\n[[gate]]\nid = 'h'\nwhen = 'map.truncated && map.known'\nask = true\nwhy = 'w'",
    "p.toml:11:8: error: `h`: shadowed: wherever it holds, `g` does the same or more"
)]
#[case(
    "[[threshold]]\nsoft = 10\nhard = 20",
    "p.toml:4:1: error: shadowed: an earlier threshold is for all other kinds already"
)]
#[case(
    "[[threshold]]\nkinds = ['human']\nsoft = 50\nhard = 20",
    "p.toml:6:8: error: soft (50) lies above hard (20), so soft is unreachable"
)]
#[case(
    "[[threshold]]\nkinds = ['human']\nsoft = 0\nhard = 20",
    "p.toml:6:8: error: 0 is out of range"
)]
#[case(
    "[[threshold]]\nkinds = ['robot']\nsoft = 5\nhard = 20",
    "p.toml:5:10: error: unknown variant `robot`"
)]
#[case(
    "[[threshold]]\nkinds = ['human']\nsoft = 5\nhard = 20\n[[threshold]]\nkinds = ['human']\nsoft = 5\nhard = 20",
    "p.toml:9:9: error: shadowed: an earlier threshold is for human already"
)]
#[case("rule = 3", "error: ")]
#[case("= broken", "p.toml:4:1: error: ")]
fn a_policy_with_a_mistake_is_not_armed(#[case] text: &str, #[case] want: &str) {
    let told = policy(&format!("{DEFAULTS}{text}"));
    assert!(told.iter().any(|line| line.contains(want)), "{told:#?}");
}

#[test]
fn more_rules_than_anybody_can_check_are_refused() {
    let told = policy(&format!("{DEFAULTS}{}", RULE.repeat(300)));
    assert_eq!(
        told,
        ["p.toml:1:1: error: 301 rules, gates and thresholds; at most 256 are read"]
    );
}

#[test]
fn a_policy_without_a_threshold_for_everybody_is_not_armed() {
    let told = policy(RULE);
    assert!(
        told[0].contains("no threshold is for all other kinds"),
        "{told:?}"
    );
}

const LOOK: &str = "[[playbook]]\nid = 'look'\ntitle = 't'\nwhen = {}\nstep = [{ do = 'review_sessions', team = 'SOC', tier = 'monitor' }]\n";

#[rstest]
#[case(
    "when = { if = 'alert.confident' }\nstep = [{ do = 'revoke_sessions', team = 'IAM', tier = 'soft' }]",
    "b.toml:10:9: error: `b`: it acts before it keeps evidence"
)]
#[case("when = {}\nstep = []", "b.toml:6:1: error: `b`: it has no steps")]
#[case(
    "when = {}\nstep = [{ do = 'revoke_session', team = 'IAM', tier = 'soft' }]",
    "did you mean `revoke_sessions`?"
)]
#[case(
    "when = {}\nstep = [{ do = 'watch', tier = 'monitor' }]",
    "b.toml:10:9: error: missing field `team`"
)]
#[case(
    "when = {}\nstep = [{ do = 'watch', team = ' ', tier = 'monitor' }]",
    "b.toml:10:32: error: `b`: a step has no owning team"
)]
#[case(
    "when = {}\nstep = [{ do = 'watch', team = 'SOC', tier = 'soft' }]",
    "error: `b`: watch only looks or tells; its tier is `monitor`"
)]
#[case(
    "when = {}\nstep = [{ do = 'preserve_evidence', team = 'SOC', tier = 'monitor' }, { do = 'isolate_workload', team = 'platform', tier = 'hard', by_hand = true, verify = 'v' }]",
    "say in `undo` how it is taken back, or in `irreversible` why it cannot be"
)]
#[case(
    "when = {}\nstep = [{ do = 'preserve_evidence', team = 'SOC', tier = 'monitor' }, { do = 'isolate_workload', team = 'platform', tier = 'hard', by_hand = true, undo = 'u' }]",
    "say in `verify` how somebody sees that it took hold"
)]
#[case(
    "when = { if = 'alert.confidnt' }\nstep = [{ do = 'watch', team = 'SOC', tier = 'monitor' }]",
    "b.toml:9:22: error: `b`: there is no `alert.confidnt`; did you mean `alert.confident`?"
)]
#[case(
    "when = { patterns = ['recon'], if = 'alert.pattern == \"posture\"' }\nstep = [{ do = 'watch', team = 'SOC', tier = 'monitor' }]",
    "b.toml:9:8: error: `b`: unreachable: no alert can meet all of this at once"
)]
#[case(
    "when = { patterns = ['recn'] }\nstep = [{ do = 'watch', team = 'SOC', tier = 'monitor' }]",
    "did you mean `recon`?"
)]
#[case(
    "when = { patterns = ['recon'] }\nstep = [{ do = 'review_sessions', team = 'SOC', tier = 'monitor' }]",
    "b.toml:9:8: error: `b`: shadowed: wherever it is offered, `look` is, with the same steps"
)]
fn a_playbook_with_a_mistake_is_refused(#[case] rest: &str, #[case] want: &str) {
    let (all, told) = books(&format!(
        "{LOOK}[[playbook]]\nid = 'b'\ntitle = 't'\n{rest}\n"
    ));
    assert!(told.iter().any(|line| line.contains(want)), "{told:#?}");
    // What is right beside it stays armed, where the file could be read.
    if let [look, bad] = all.as_slice() {
        assert_eq!(look.refused, None);
        assert!(bad.refused.is_some());
    }
}

#[test]
fn steps_that_nobody_can_carry_out_are_warned_of() {
    let text = "[[playbook]]\nid = 'b'\ntitle = 't'\nwhen = {}\nstep = [{ do = 'preserve_evidence', team = 'SOC', tier = 'monitor' }, { do = 'freeze_pipeline', team = 'platform', tier = 'hard' }]";
    let empty = Source {
        name: "p.toml",
        text: DEFAULTS,
    };
    let means = BTreeMap::from([("sso".to_owned(), Capabilities::new())]);
    let source = Source {
        name: "b.toml",
        text,
    };
    let loaded = load(empty, &[source], Some(&means));
    let told = loaded.findings[0].to_string();
    assert_eq!(
        told,
        "b.toml:5:78: warning: `b`: no configured connector offers freeze_pipeline, so it is never available; \
                      configure one, or say in `verify` and `undo` how a team does it by hand"
    );
    assert_eq!(loaded.playbooks[0].refused, None);
}
