use proptest::prelude::*;
use rstest::rstest;

use super::*;

#[rstest]
#[case(
    "alert.sevrity == severity.high",
    6,
    "there is no `alert.sevrity`; did you mean `alert.severity`?"
)]
#[case(
    "alert.confident && alrt.confident",
    24,
    "there is no `alrt.confident`; did you mean `alert.confident`?"
)]
#[case("nwo > now", 0, "there is no `nwo`; did you mean `now`?")]
#[case("alert", 0, "`alert` has fields and is no value itself")]
#[case(
    "alert.pattern == 'token_repaly'",
    17,
    "`token_repaly` is no such word; did you mean `token_replay`?"
)]
#[case(
    "alert.pattern in ['recon', 'exfil']",
    27,
    "`exfil` is no such word; did you mean"
)]
#[case("alert.pattern in ['recon', 'recon']", 27, "twice")]
#[case("alert.pattern in []", 17, "empty list")]
#[case(
    "alert.severity >= 'high'",
    0,
    "severity is a rank, not a text; compare with `severity.high`"
)]
#[case("alert.severity >= severity.hgih", 18, "did you mean `severity.high`?")]
#[case(
    "alert.severity == criticality.high",
    0,
    "a rank of severity is compared with a rank of criticality"
)]
#[case(
    "alert.confidence == '80'",
    0,
    "a whole number is compared with a text, which is never equal"
)]
#[case("alert.confidence > 0.8", 19, "only whole numbers")]
#[case(
    "alert.confidence",
    0,
    "a condition must be true or false, and this is a whole number"
)]
#[case("alert.pattern > 'recon'", 0, "a word has no order")]
#[case("identity.environment > 'a'", 0, "a text has no order")]
#[case(
    "alert.confident && alert.confidence",
    19,
    "this must be true or false, and it is a whole number"
)]
#[case("!alert.confidence", 1, "this must be true or false")]
#[case(
    "has(alert.pattern)",
    4,
    "`alert.pattern` is always known; leave has() away"
)]
#[case("has(alert.typo)", 10, "there is no `alert.typo`")]
#[case("alert.?severity == severity.high", 5, "this is no condition")]
#[case("alert[?'severity'] == severity.high", 5, "this is no condition")]
#[case(
    "alert['severity'] == severity.high",
    0,
    "this operator is not offered"
)]
#[case("identity.environment == null", 24, "`null` is equal to nothing here")]
#[case(
    "identity.environment.matches('a+')",
    21,
    "there is no function `matches`"
)]
#[case("identity.environment.containss('a')", 21, "did you mean `contains`?")]
#[case("identity.scopes.contains('a')", 0, "ask a list with")]
#[case("identity.kind.startsWith('a')", 0, "compare a word with ==")]
#[case("identity.scopes.map(x, x)[0] == 'a'", 0, "")]
#[case("identity.scopes.exists(now, now == 'a')", 0, "`now` is taken")]
#[case(
    "alert.confident.exists(x, x == 'a')",
    0,
    "only a list can be gone through"
)]
#[case(
    "now - alert.exposed_since > 15",
    0,
    "a duration is compared with a whole number"
)]
#[case(
    "now - alert.exposed_since > duration('15 min')",
    37,
    "`15 min` is no duration; write it as `1h30m`"
)]
#[case("now > timestamp('yesterday')", 16, "`yesterday` is no timestamp")]
#[case("now + now > now", 0, "do not add up")]
#[case("size(alert.confidence) > 1", 5, "has no size")]
#[case("{'a': 1} == {'a': 1}", 0, "")]
#[case("alert.confident &&", 18, "this is no condition")]
#[case("", 0, "empty")]
#[case("[alert.confident]", 0, "a list stands only at the right of `in`")]
#[case("alert.confident ? 1 : 'a'", 0, "both sides of `?` must be alike")]
fn mistakes_are_named_where_they_stand(
    #[case] source: &str,
    #[case] at: usize,
    #[case] problem: &str,
) {
    let faults = condition(source).unwrap_err();
    let found = faults.iter().any(|f| f.problem.contains(problem));
    assert!(found, "{source}: {faults:?}");
    assert_eq!(faults[0].at, at, "{source}: {faults:?}");
}

#[test]
fn all_mistakes_are_told_at_once() {
    let faults =
        condition("alert.a == 1 && alert.confidence == 'x' || !has(identity.zzz)").unwrap_err();
    assert_eq!(faults.len(), 3, "{faults:?}");
}

#[rstest]
#[case("alert.confident")]
#[case("alert.severity >= severity.high && has(identity.environment)")]
#[case("!(alert.confident || map.known) && map.breaks + 1 > 2 * 3")]
#[case("alert.confident && (map.known || map.truncated)")]
#[case("identity.kind in [\"human\", \"mailbox\"]")]
#[case("now - alert.exposed_since > duration(\"1h30m\")")]
#[case("identity.scopes.exists(x, x.startsWith(\"admin\")) && !identity.scopes.all(x, x == \"a\")")]
#[case("\"T1552\" in alert.techniques && size(alert.techniques) < 3")]
#[case("(alert.confident ? map.breaks : map.reaches) > 3")]
fn what_is_read_is_said_the_same(#[case] source: &str) {
    let term = condition(source).unwrap();
    assert_eq!(term.to_string(), source);
    assert_eq!(condition(&term.to_string()).unwrap(), term);
}

#[rstest]
#[case("!".repeat(3_000) + "alert.confident")]
#[case("(".repeat(2_000) + "alert.confident" + &")".repeat(2_000))]
#[case("1".to_owned() + &"+1".repeat(2_000) + " == 1")]
#[case("alert.confident".to_owned() + &" && alert.confident".repeat(500))]
#[case("[".repeat(4_000))]
#[case("alert".to_owned() + &".a".repeat(1_500))]
#[case("true ? ".repeat(250) + "true")]
#[case("(".repeat(17) + "true" + &")".repeat(17))]
#[case("1".to_owned() + &"+1".repeat(25) + " == 1")]
#[case("identity.scopes.exists(a, ".repeat(20) + "true" + &")".repeat(20))]
#[case("x".repeat(5_000))]
fn hostile_conditions_end_in_a_message(#[case] source: String) {
    assert!(!condition(&source).unwrap_err().is_empty());
}

#[test]
fn what_is_allowed_can_be_read() {
    let nested = "(".repeat(MOST_NESTED) + "alert.confident" + &")".repeat(MOST_NESTED);
    assert!(condition(&nested).is_ok());
    assert!(condition(&("1".to_owned() + &"+1".repeat(MOST_SUMS) + " == 25")).is_ok());
}

#[test]
fn many_alternatives_are_no_depth() {
    let all: Vec<String> = (0..40).map(|n| format!("map.breaks == {n}")).collect();
    assert!(condition(&all.join(" || ")).is_ok());
}

#[rstest]
#[case("1h30m", Some(5_400))]
#[case("90s", Some(90))]
#[case("15m", Some(900))]
#[case("15", None)]
#[case("", None)]
#[case("1d", None)]
#[case("9999999999999999999h", None)]
fn spans_are_read(#[case] text: &str, #[case] want: Option<i64>) {
    assert_eq!(calls::span(text), want);
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(source in any::<String>()) {
        let _ = condition(&source);
    }

    #[test]
    fn no_almost_condition_makes_it_panic(source in "(alert\\.|identity\\.|has\\(|!|\\(|\\)| && | \\|\\| |==|'[a-z]{0,3}'|[0-9]{1,3}|confident|kind|in|\\[|\\]|\\?|:|\\.exists\\(x,|\u{fc}|\"){0,24}") {
        for fault in condition(&source).err().into_iter().flatten() {
            prop_assert!(fault.at <= source.len());
        }
    }
}
