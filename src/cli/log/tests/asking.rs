use super::*;

/// What is said beside the answer.
fn warned(store: &Path, args: &[&str]) -> String {
    let cli = Cli::parse_from(std::iter::once("log").chain(args.iter().copied()));
    let said = std::cell::RefCell::new(String::new());
    let context = Context {
        warn: &|text| {
            said.borrow_mut().push_str(text);
            said.borrow_mut().push('\n');
        },
        ..context(store, false)
    };
    run(&cli.log, &context, &mut Vec::new()).unwrap();
    said.into_inner()
}

#[rstest]
#[case(&["--identity", "kc:svc"], 11, "")]
#[case(&["--identity", "svc"], 11, "")]
#[case(&["--identity", "sv"], 11, "")]
#[case(&["--identity", "nobody"], 0, "no record names identity nobody\n")]
#[case(&["--identity", "kc:svc", "--alert", "99"], 0, "no record names alert 99\n")]
#[case(&["--alert", "7"], 11, "")]
#[case(&["--analyst", "mallory"], 0, "no record names analyst mallory\n")]
#[case(&["--identity", "svc", "--kind", "claim"], 1, "")]
#[case(&["--identity", "svc", "--kind", "hand_over"], 1, "")]
fn records_are_found_by_the_names_that_people_use(
    #[case] args: &[&str],
    #[case] shown: usize,
    #[case] says: &str,
) {
    let dir = incident();
    let at = dir.path().join("store");
    let args: Vec<&str> = std::iter::once("show")
        .chain(args.iter().copied())
        .collect();
    let (code, text) = run_log(&at, &args, false);
    assert_eq!((code, text.lines().count()), (0, shown), "{text}");
    assert_eq!(warned(&at, &args), says);
}

#[test]
fn every_decision_has_a_line_of_its_own_and_no_line_tells_what_came_later() {
    let dir = incident();
    let (_, text) = run_log(&dir.path().join("store"), &["show"], false);
    let line = |has: &str| {
        text.lines()
            .find(|l| l.contains(has))
            .unwrap_or_else(|| panic!("{has} in {text}"))
    };
    line("claimed alert siem/7");
    line("handed over step 3 of plan");
    let intent = line("about to rotate_secret");
    assert!(!intent.contains("unknown"), "{intent}");
}
