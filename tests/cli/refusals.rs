//! What is refused says why to people, and to programs in a row.

use rstest::rstest;
use serde_json::Value;

use super::away;
use super::idp::Idp;

#[rstest]
#[case::only_looks_on(&["--read-only", "contain", "DIGEST"], "--read-only")]
#[case::no_plan_is_made(&["--read-only", "plan", "f-1", "--playbook", "cut-live-access"], "a plan is a record")]
#[case::taken_back_before_it_ran(&["undo", "DIGEST", "2"], "")]
#[case::holds(&["--read-only", "hold", "end", "h-1", "--reason", "why"], "--read-only")]
#[case::closes(&["alert", "close", "f-1"], "nothing was contained")]
#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_is_a_row(#[case] args: &[&str], #[case] why: &str) {
    let idp = Idp::start().await;
    let desk = away::desk(&idp.url());
    let plan = ["plan", "f-1", "--playbook", "cut-live-access", "--json"];
    let plan = desk.run(&plan).ends(0).json();
    let digest = plan["digest"].as_str().unwrap();
    let mut args: Vec<&str> = args
        .iter()
        .map(|arg| if *arg == "DIGEST" { digest } else { arg })
        .collect();
    args.push("--json");
    let done = desk.run(&args).ends(4);
    let row: Value = serde_json::from_str(&done.out).unwrap();
    let said = row["refused"].as_str().unwrap();
    assert!(!said.is_empty() && said.contains(why), "{said}");
    done.tells(&["stanch: ", why]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_that_ran_is_refused_in_a_row() {
    let idp = Idp::start().await;
    let desk = away::desk(&idp.url());
    let plan = ["plan", "f-1", "--playbook", "cut-live-access", "--json"];
    let plan = desk.run(&plan).ends(0).json();
    let contain = ["contain", plan["digest"].as_str().unwrap(), "--json"];
    desk.run(&contain).ends(0);
    let again = desk.run(&contain).ends(4).json();
    assert_eq!(
        (&again["ran"], &again["steps"]),
        (&false.into(), &Value::Array(vec![]))
    );
    let said = again["refused"].as_str().unwrap();
    assert!(said.contains("a plan runs once"), "{said}");
    assert_eq!(idp.revoked(), 1);
}
