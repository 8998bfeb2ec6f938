//! Policy on the real path: lint with places and exit codes, a console that refuses to arm, explain, backtest.

use super::desk::{Desk, finding};

const CONNECTOR: &str = "[connector.sso]\npreset = 'oauth'\nbase_url = 'https://sso.example.org'\n";
const CARD: &str = "[[identity]]\nid = 'sso:svc-a'\nname = 'svc-a'\nkind = 'service_account'\naliases = ['svc-a']\n";

#[test]
fn what_is_shipped_lints_and_can_be_copied() {
    let desk = Desk::configured("", "");
    desk.run(&["policy", "lint"]).ends(0);
    for (name, args) in [
        ("policy.toml", &["policy", "example"][..]),
        ("books.toml", &["policy", "example", "--playbooks"][..]),
    ] {
        let text = desk.run(args).ends(0).out;
        let file = desk.write(name, &text).display().to_string();
        let done = desk.run(&["policy", "lint", &file]).ends(0);
        assert!(done.out.contains("0 errors"), "{}", done.out);
    }
}

#[test]
fn mistakes_have_a_file_a_line_and_a_column() {
    let desk = Desk::configured("", "");
    let text = "[[threshold]]\nsoft = 40\nhard = 75\n\n[[rule]]\nid = 'r'\nwhen = 'alert.sevrity == severity.high'\nscore = 5\nwhy = 'w'\n";
    let file = desk.write("mine.toml", text).display().to_string();
    let done = desk.run(&["policy", "lint", &file]).ends(1);
    let want = format!(
        "{file}:7:15: error: `r`: there is no `alert.sevrity`; did you mean `alert.severity`?"
    );
    assert!(done.out.contains(&want), "{}", done.out);
    let row = desk
        .run(&["policy", "lint", &file, "--json"])
        .ends(1)
        .json();
    let found = &row["findings"][0];
    assert_eq!(
        (row["armed"].as_bool(), row["errors"].as_u64()),
        (Some(false), Some(1))
    );
    assert_eq!(
        (found["line"].as_u64(), found["column"].as_u64()),
        (Some(7), Some(15))
    );
    assert_eq!(found["item"], "r");
}

#[test]
fn what_does_not_lint_is_not_armed_and_everything_says_why() {
    let config = format!("[policy]\nfile = 'mine.toml'\n{CONNECTOR}");
    let desk = Desk::configured(&config, &format!("{CARD}connector = 'sso'\n"));
    desk.write(
        "mine.toml",
        "[[rule]]\nid = 'r'\nwhen = 'alert.confident'\nscore = 5\nwhy = 'w'\n",
    );
    desk.alert(&finding("f-1", "svc-a"));
    desk.run(&["config", "check"]).ends(2).tells(&[
        "mine.toml:1:1: error:",
        "no threshold is for all other kinds",
    ]);
    // Looking goes on.
    desk.run(&["alerts", "list"])
        .ends(0)
        .tells(&["not armed:", "mine.toml:1:1"]);
    let options = desk
        .run(&["plan", "f-1", "--options", "--json"])
        .ends(0)
        .json();
    let all = options.as_array().unwrap();
    let acting: Vec<_> = all.iter().filter(|o| o["tier"] != "monitor").collect();
    assert!(!acting.is_empty());
    for option in acting {
        let reason = option["disabled"].as_str().unwrap();
        assert!(
            reason.contains("look only: the policy does not lint"),
            "{reason}"
        );
    }
    assert!(
        all.iter()
            .any(|o| o["tier"] == "monitor" && o["disabled"].is_null())
    );
    desk.run(&["plan", "f-1", "--playbook", "cut-live-access"])
        .ends(4)
        .tells(&["is refused: look only"]);
}

#[test]
fn one_playbook_with_a_mistake_does_not_take_the_others_along() {
    let config = format!("[playbooks]\nfiles = ['books.toml']\n{CONNECTOR}");
    let desk = Desk::configured(&config, &format!("{CARD}connector = 'sso'\n"));
    let step = "step = [{ do = 'preserve_evidence', team = 'SOC', tier = 'monitor' }, { do = 'revoke_tokens', team = 'IAM', tier = 'soft' }]";
    let books = format!(
        "[[playbook]]\nid = 'good'\ntitle = 't'\nwhen = {{}}\n{step}\n\
         [[playbook]]\nid = 'bad'\ntitle = 't'\nwhen = {{ if = 'alert.confidnt' }}\n{step}\n"
    );
    desk.write("books.toml", &books);
    desk.alert(&finding("f-1", "svc-a"));
    let options = desk
        .run(&["plan", "f-1", "--options", "--json"])
        .ends(0)
        .json();
    let ids: Vec<&str> = options
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|o| o["playbook"].as_str())
        .collect();
    assert_eq!(ids, ["good"]);
    desk.run(&["plan", "f-1", "--playbook", "bad"]).ends(2);
}

#[test]
fn explain_names_every_rule_with_what_it_looked_at() {
    let desk = Desk::configured(CONNECTOR, CARD);
    desk.alert(&finding("f-1", "svc-a"));
    let told = desk
        .run(&["policy", "explain", "f-1", "--json"])
        .ends(0)
        .json();
    assert_eq!(told["identity"], "sso:svc-a");
    let rows = told["trace"].as_array().unwrap();
    let words = ["matched", "not matched", "could not be judged"];
    for row in rows {
        assert!(words.contains(&row["outcome"].as_str().unwrap()), "{row}");
        assert!(!row["because"].as_str().unwrap().is_empty(), "{row}");
    }
    let find = |id: &str| rows.iter().find(|r| r["id"] == id).unwrap();
    assert_eq!(find("severity-critical")["outcome"], "matched");
    assert_eq!(
        find("severity-critical")["looked"]["alert.severity"],
        "critical"
    );
    assert_eq!(find("unmapped")["what"], "gate");
    let text = desk.run(&["policy", "explain", "f-1"]).ends(0).out;
    assert!(
        text.contains("alert.severity = critical") && text.contains("soft from 40"),
        "{text}"
    );
}

#[test]
fn a_backtest_replays_without_keeping_anything() {
    let desk = Desk::configured(CONNECTOR, &format!("{CARD}connector = 'sso'\n"));
    let lines = [
        finding("f-1", "svc-a"),
        finding("f-2", "svc-b"),
        "nonsense".to_owned(),
    ];
    let file = desk
        .write("recorded.jsonl", &lines.join("\n"))
        .display()
        .to_string();
    let told = desk
        .run(&["policy", "backtest", &file, "--json"])
        .ends(0)
        .json();
    let sum = &told["summary"];
    assert_eq!(
        (sum["alerts"].as_u64(), told["undecodable"].as_u64()),
        (Some(2), Some(1))
    );
    assert_eq!(told["alerts"].as_array().unwrap().len(), 2);
    let armed: u64 = sum["armed"]
        .as_object()
        .unwrap()
        .values()
        .filter_map(serde_json::Value::as_u64)
        .sum();
    assert_eq!(armed, 2, "each alert comes to one end");
    // Nobody can reach svc-b from here, so what the policy would do there is missed.
    let missed: Vec<_> = told["alerts"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|a| a["missed"] == true)
        .collect();
    assert_eq!(missed.len(), 1, "{told}");
    assert_eq!(missed[0]["why"], "no connector can reach this identity");
    let text = desk.run(&["policy", "backtest", &file]).ends(0).out;
    assert!(
        text.contains("2 alerts, 1 inputs could not be decoded") && text.contains("shadow"),
        "{text}"
    );
    assert!(!desk.path("state").exists(), "nothing is stored");
}

#[test]
fn another_policy_can_be_tried() {
    let desk = Desk::configured(CONNECTOR, &format!("{CARD}connector = 'sso'\n"));
    let file = desk
        .write("recorded.jsonl", &finding("f-1", "svc-a"))
        .display()
        .to_string();
    let text = "[[threshold]]\nsoft = 99\nhard = 100\n";
    let policy = desk.write("timid.toml", text).display().to_string();
    let told = desk
        .run(&["policy", "backtest", "--policy", &policy, &file, "--json"])
        .ends(0)
        .json();
    assert_eq!(told["summary"]["armed"]["looks"], 1);
    let bad = desk.write("bad.toml", "rule = 3").display().to_string();
    desk.run(&["policy", "backtest", "--policy", &bad, &file])
        .ends(1)
        .tells(&["does not lint"]);
}

#[test]
fn fields_say_what_they_mean() {
    let desk = Desk::configured("", "");
    let rows = desk.run(&["policy", "fields", "--json"]).ends(0).rows();
    assert!(rows.len() > 50);
    let severity = rows
        .iter()
        .find(|r| r["field"] == "alert.severity")
        .unwrap();
    assert_eq!(severity["may_be_unknown"], true);
    assert_eq!(severity["words"].as_array().unwrap().len(), 5);
}

#[test]
fn status_tells_modes_and_what_is_not_armed() {
    let desk = Desk::configured(CONNECTOR, CARD);
    let rows = desk.run(&["policy", "status", "--json"]).ends(0).json();
    let books = rows["playbooks"].as_array().unwrap();
    assert_eq!(books.len(), 19);
    assert!(
        books
            .iter()
            .all(|b| b["mode"] == "ask" && b["is_armed"] == true)
    );
    assert_eq!(
        (&rows["per_hour"], &rows["ran_in_hour"]),
        (&3.into(), &0.into())
    );
    let text = desk.run(&["policy", "status"]).ends(0).out;
    assert!(text.contains("brake: 0 ran by themselves"), "{text}");
}
