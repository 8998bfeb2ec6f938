//! Decisions about alerts from the command line, and lists of them.

use super::desk::Desk;

fn of(desk: &Desk, filter: &str) -> Vec<String> {
    let rows = desk
        .drill(&["alerts", "list", "--json", "--filter", filter])
        .ends(0)
        .rows();
    let keys = rows
        .iter()
        .map(|row| row["key"].as_str().unwrap().to_owned());
    keys.collect()
}

#[test]
fn alerts_are_claimed_given_put_off_and_dismissed_with_a_record_of_each() {
    let desk = Desk::new();
    let all = of(&desk, "");
    let [one, two, ..] = all.as_slice() else {
        panic!("{all:?}")
    };
    desk.drill(&["alert", "claim", one, two]).ends(0);
    assert_eq!(of(&desk, "state:claimed").len(), 2);
    desk.drill(&["alert", "assign", one, "--to", "bob", "--reason", "ask IAM"])
        .ends(0);
    assert_eq!(of(&desk, "by:bob"), [one.as_str()]);
    desk.drill(&["alert", "wake", two])
        .ends(4)
        .tells(&["it is not put off"]);
    desk.drill(&["alert", "snooze", two, "--for", "90d", "--reason", "r"])
        .ends(2)
        .tells(&["not between 1m and 14d"]);
    desk.drill(&[
        "alert",
        "snooze",
        two,
        "--for",
        "4h",
        "--reason",
        "vendor rotates",
    ])
    .ends(0);
    assert_eq!(of(&desk, "state:snoozed"), [two.as_str()]);
    desk.drill(&["alert", "wake", two]).ends(0);
    assert_eq!(of(&desk, "state:snoozed"), [] as [&str; 0]);
    let told = desk
        .drill(&[
            "alert",
            "dismiss",
            two,
            "--reason",
            "a test of ours",
            "--json",
        ])
        .ends(0)
        .json();
    assert_eq!(told["recorded"]["kind"], "dismiss");
    assert_eq!(of(&desk, "state:over"), [two.as_str()]);
    desk.drill(&["alert", "snooze", one, two, "--for", "1h", "--reason", "r"])
        .ends(4)
        .tells(&["claim it to open it again"]);
    assert_eq!(of(&desk, "state:snoozed"), [] as [&str; 0], "all or none");
    let told = desk
        .drill(&["log", "show", "--type", "decision"])
        .ends(0)
        .out;
    for part in [
        "gave bob alert",
        "put off until",
        "took up again",
        "dismissed alert",
    ] {
        assert!(told.contains(part), "{told}");
    }
    desk.drill(&["log", "verify", "--strict"]).ends(0);
}

#[test]
fn a_wrong_filter_is_a_mistake_of_the_user() {
    let desk = Desk::new();
    desk.drill(&["alerts", "list", "--filter", "sev>=hihg"])
        .ends(2)
        .tells(&["column 1: no severity `hihg`"]);
}
