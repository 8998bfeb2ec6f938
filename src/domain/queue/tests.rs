use rstest::rstest;

use super::super::vocabulary::{ActionPattern, IdentityKind};
use super::*;

/// Nothing is known of anybody.
pub(crate) fn unknown(_: &Subject) -> Standing {
    Standing::default()
}

pub(crate) fn alert(id: &str, severity: Option<Severity>, exposed: i64) -> Alert {
    Alert {
        id: AlertId::new(id),
        native_id: None,
        candidates: Vec::new(),
        source: "test".into(),
        format: "ocsf_detection_finding".into(),
        time: Timestamp::from_second(exposed).ok(),
        observed: Timestamp::from_second(exposed).unwrap(),
        exposed_at: None,
        title: Untrusted::from("title"),
        severity,
        severity_raw: None,
        confidence: Some(90),
        pattern: ActionPattern::CredentialExposed,
        subject: None,
        resource: None,
        action: None,
        evidence_url: None,
        incident: None,
        techniques: Vec::new(),
        raw_sha256: crate::domain::digest::Digest::default(),
        resolved: None,
    }
}

pub(super) fn row(id: &str, severity: Option<Severity>, exposed: i64) -> Row {
    let alert = alert(id, severity, exposed);
    let seen = alert.observed;
    Row {
        alert: Arc::new(alert),
        count: 1,
        first_seen: seen,
        last_seen: seen,
    }
}

fn shown(queue: &Queue) -> Vec<String> {
    queue
        .from(0)
        .map(|slot| queue.id(slot).as_str().to_owned())
        .collect()
}

pub(super) fn filter(queue: &mut Queue, text: &str) {
    filter_with(queue, text, &[]);
}

fn filter_with(queue: &mut Queue, text: &str, states: &[(&str, &'static str)]) {
    begin_filter(queue, text, states);
    while queue.look_on() {}
}

pub(super) fn begin_filter(queue: &mut Queue, text: &str, states: &[(&str, &'static str)]) {
    let states = states
        .iter()
        .map(|(id, state)| (queue.slot(&AlertId::new(*id)).unwrap(), *state));
    let facts = Facts {
        identity: &|_| None,
        states: states.collect(),
        now: 100,
        analysts: HashMap::new(),
    };
    queue.set_filter(&Filter::parse(text).unwrap(), facts);
}

#[test]
fn worst_first_then_longest_exposed() {
    let mut queue = Queue::default();
    let high = Some(Severity::High);
    queue.take(
        &[
            row("b", high, 20),
            row("a", high, 10),
            row("c", Some(Severity::Critical), 30),
        ],
        true,
        &unknown,
    );
    queue.take(
        &[row("n", None, 1), row("l", Some(Severity::Low), 1)],
        true,
        &unknown,
    );
    assert_eq!(shown(&queue), ["c", "a", "b", "n", "l"]);
}

#[test]
fn new_alerts_wait_and_repeats_count_in_place() {
    let mut queue = Queue::default();
    queue.take(&[row("a", None, 10)], false, &unknown);
    queue.take(
        &[
            row("b", Some(Severity::Critical), 5),
            Row {
                count: 2,
                ..row("a", None, 10)
            },
        ],
        false,
        &unknown,
    );
    assert_eq!(shown(&queue), ["a"]);
    assert_eq!(queue.waiting(), 1);
    let a = queue.slot(&AlertId::new("a")).unwrap();
    assert_eq!(queue.shown(a).folded.times, 2);
    queue.take_in_waiting();
    assert_eq!(shown(&queue), ["b", "a"]);
}

#[test]
fn closed_alerts_sink() {
    let mut queue = Queue::default();
    queue.take(
        &[row("a", Some(Severity::Critical), 1), row("b", None, 2)],
        true,
        &unknown,
    );
    queue.set_lanes([(AlertId::new("a"), Lane::Over)]);
    queue.take_in_waiting();
    assert_eq!(shown(&queue), ["b", "a"]);
    assert_eq!(queue.open(), 1);
}

#[test]
fn steps_stop_at_the_ends() {
    let mut queue = Queue::default();
    assert_eq!(queue.step(None, 1), None);
    queue.take(&[row("a", None, 1), row("b", None, 2)], true, &unknown);
    let a = AlertId::new("a");
    let b = AlertId::new("b");
    assert_eq!(queue.step(Some(&a), -5), Some(a.clone()));
    assert_eq!(queue.step(Some(&a), 5), Some(b));
    assert_eq!(queue.step(Some(&AlertId::new("gone")), 1), Some(a));
}

fn rich() -> Queue {
    let mut queue = Queue::default();
    let mut rows = [
        row("siem/A-1", Some(Severity::Critical), 10),
        row("siem/b-2", Some(Severity::High), 40),
        row("edr/c-3", None, 90),
    ];
    let subject = |name: &str| Subject {
        provider: Untrusted::from("sso"),
        native_id: Untrusted::from(format!("AKIA-{name}").as_str()),
        kind: super::super::vocabulary::IdentityKind::AccessKey,
        name: Some(Untrusted::from(name)),
    };
    for (row, name) in rows.iter_mut().zip(["Svc-Deploy", "svc-report"]) {
        Arc::make_mut(&mut row.alert).subject = Some(subject(name));
    }
    Arc::make_mut(&mut rows[2].alert).title = Untrusted::from("Token REPLAY seen");
    Arc::make_mut(&mut rows[2].alert).pattern = ActionPattern::TokenReplay;
    rows[1].count = 7;
    queue.take(&rows, true, &unknown);
    queue
}

#[rstest]
#[case("", &["siem/A-1", "siem/b-2", "edr/c-3"])]
#[case("svc-", &["siem/A-1", "siem/b-2"])]
#[case("deploy", &["siem/A-1"])]
#[case("a-1", &["siem/A-1"])]
#[case("-svc-", &["edr/c-3"])]
#[case("replay", &["edr/c-3"])]
#[case("title:replay", &["edr/c-3"])]
#[case("title:svc", &[])]
#[case("id:siem/", &["siem/A-1", "siem/b-2"])]
#[case("key~akia-*deploy", &["siem/A-1"])]
#[case("identity=svc-report", &["siem/b-2"])]
#[case("provider:sso sev:high", &["siem/b-2"])]
#[case("sev>=high", &["siem/A-1", "siem/b-2"])]
#[case("-sev>=high", &["edr/c-3"])]
#[case("count>5", &["siem/b-2"])]
#[case("age>=60s", &["siem/A-1", "siem/b-2"])]
#[case("conf<90", &[])]
#[case("pattern:replay", &["edr/c-3"])]
#[case("kind:access_key", &["siem/A-1", "siem/b-2"])]
#[case("source:test", &["siem/A-1", "siem/b-2", "edr/c-3"])]
#[case("owner:payments", &[])]
fn filters_choose(#[case] text: &str, #[case] want: &[&str]) {
    let mut queue = rich();
    filter(&mut queue, text);
    assert_eq!(shown(&queue), want);
    let places: Vec<_> = want
        .iter()
        .map(|id| queue.position(&AlertId::new(*id)))
        .collect();
    assert_eq!(places, (0..want.len()).map(Some).collect::<Vec<_>>());
}

#[test]
fn states_are_filtered_by_what_the_queue_shows() {
    let mut queue = rich();
    queue.set_lanes([(AlertId::new("siem/b-2"), Lane::Over)]);
    let states = [("siem/b-2", "closed"), ("siem/A-1", "failed")];
    for (text, want) in [
        ("state:failed", vec!["siem/A-1"]),
        ("state:new", vec!["edr/c-3"]),
        ("state:over", vec!["siem/b-2"]),
        ("-state:open", vec!["siem/b-2"]),
    ] {
        filter_with(&mut queue, text, &states);
        assert_eq!(shown(&queue), want, "{text}");
    }
}

#[test]
fn what_its_source_counts_as_over_is_not_new() {
    let mut queue = rich();
    let mut over = row("edr/d-4", None, 20);
    let at = over.alert.observed;
    Arc::make_mut(&mut over.alert).resolved = Some(crate::domain::alert::Resolved {
        at,
        reason: "it is silent".into(),
    });
    queue.take(&[over], true, &unknown);
    let states = [("siem/b-2", "closed"), ("siem/A-1", "failed")];
    for (text, want) in [("state:resolved", "edr/d-4"), ("state:new", "edr/c-3")] {
        filter_with(&mut queue, text, &states);
        assert_eq!(shown(&queue), [want], "{text}");
    }
}

#[test]
fn what_changed_its_rank_moves_only_when_rows_may() {
    let mut queue = rich();
    filter(&mut queue, "svc-");
    queue.take(&[row("siem/A-1", Some(Severity::Low), 5)], false, &unknown);
    assert_eq!(shown(&queue)[0], "siem/A-1");
    queue.take_in_waiting();
    filter(&mut queue, "");
    assert_eq!(shown(&queue), ["siem/b-2", "edr/c-3", "siem/A-1"]);
    assert_eq!(queue.position(&AlertId::new("siem/A-1")), Some(2));
}

fn of_key(id: &str, provider: &str, key: &str, kind: IdentityKind) -> Row {
    let mut row = row(id, Some(Severity::Low), 10);
    let alert = Arc::make_mut(&mut row.alert);
    alert.subject = Some(Subject {
        provider: Untrusted::from(provider),
        native_id: Untrusted::from(key),
        kind,
        name: None,
    });
    row
}

#[test]
fn a_key_in_a_second_environment_raises_all_its_alerts() {
    let mut queue = Queue::default();
    let key = IdentityKind::AccessKey;
    queue.take(&[of_key("other", "aws:1", "AKIA2", key)], true, &unknown);
    queue.take(&[of_key("a", "aws:1", "AKIA1", key)], true, &unknown);
    queue.take(&[of_key("again", "aws:1", "AKIA1", key)], true, &unknown);
    let before = queue.points(queue.slot(&AlertId::new("a")).unwrap());
    queue.take(&[of_key("b", "aws:2", "AKIA1", key)], true, &unknown);
    queue.set_grouping(Grouping::Off);
    assert_eq!(shown(&queue), ["a", "again", "b", "other"]);
    for id in ["a", "again", "b"] {
        let slot = queue.slot(&AlertId::new(id)).unwrap();
        assert_eq!(queue.points(slot), before + 2, "{id}");
    }
    let alert = of_key("a", "aws:1", "AKIA1", key).alert;
    assert!(
        queue
            .urgency(&alert)
            .to_string()
            .contains("second environment")
    );
}

/// In whatever order and batches alerts come, and whomever they name when they come again: those are raised that name a
/// credential of which two environments are known, and each once.
#[test]
fn alerts_are_raised_as_if_all_had_been_known_from_the_beginning() {
    let (key, token) = (IdentityKind::AccessKey, IdentityKind::ApiToken);
    let sent = [
        // Its source did not say what it is.
        ("u", "aws:1", "AKIA1", IdentityKind::Unknown),
        ("a", "aws:1", "AKIA1", key),
        ("b", "aws:1", "AKIA2", key),
        ("x", "aws:1", "AKIA1", key),
        // It is about another one from here on, and about the first again.
        ("a", "aws:1", "AKIA2", key),
        ("a", "aws:1", "AKIA1", key),
        ("c", "aws:2", "AKIA2", key),
        ("d", "aws:3", "AKIA2", key),
        // From one that is not raised yet to one that is.
        ("x", "aws:2", "AKIA2", key),
        ("b", "aws:1", "AKIA3", key),
        ("e", "aws:2", "AKIA1", token),
        ("f", "aws:9", "AKIA4", key),
    ];
    let rows: Vec<Row> = sent
        .iter()
        .map(|(id, provider, native, kind)| of_key(id, provider, native, *kind))
        .collect();
    for batch in 1..=rows.len() {
        let mut queue = Queue::default();
        for rows in rows.chunks(batch) {
            queue.take(rows, true, &unknown);
        }
        for row in ["u", "a", "b", "c", "d", "e", "f", "x"] {
            let slot = queue.slot(&AlertId::new(row)).unwrap();
            let last = rows.iter().rfind(|r| r.alert.id.as_str() == row).unwrap();
            // What the card says of it.
            let want = queue.urgency(&last.alert).points();
            assert_eq!(queue.points(slot), want, "{row}, in batches of {batch}");
        }
        let is_raised = |id: &&str| queue.is_named_elsewhere(&AlertId::new(*id));
        let raised: Vec<&str> = ["u", "a", "b", "c", "d", "e", "f", "x"]
            .into_iter()
            .filter(is_raised)
            .collect();
        assert_eq!(
            raised,
            ["u", "a", "c", "d", "e", "x"],
            "in batches of {batch}"
        );
    }
}

#[test]
fn a_name_in_two_environments_is_not_one_credential() {
    let mut queue = Queue::default();
    let kind = IdentityKind::ServiceAccount;
    queue.take(&[of_key("a", "dev", "deploy", kind)], true, &unknown);
    queue.take(&[of_key("b", "prod", "deploy", kind)], true, &unknown);
    let alert = of_key("a", "dev", "deploy", kind).alert;
    assert!(!queue.urgency(&alert).to_string().contains("second"));
}

#[test]
fn one_line_stands_for_alerts_of_one_kind() {
    let mut queue = Queue::default();
    let kind = IdentityKind::ServiceAccount;
    let of = |id: &str, severity, name: &str| {
        let mut row = of_key(id, "p", name, kind);
        Arc::make_mut(&mut row.alert).severity = severity;
        row
    };
    let low = Some(Severity::Low);
    queue.take(&[of("a1", low, "a"), of("b1", low, "b")], true, &unknown);
    queue.take(
        &[of("a2", low, "a"), row("nobody", low, 10)],
        true,
        &unknown,
    );
    queue.take(&[row("nobody-2", low, 10)], true, &unknown);
    assert_eq!(shown(&queue), ["a1", "b1", "nobody", "nobody-2"]);
    let a1 = AlertId::new("a1");
    let a2 = AlertId::new("a2");
    assert_eq!(queue.members(&a1), [a1.clone(), a2.clone()]);
    assert_eq!(queue.others_about(&a1), 1);
    assert_eq!(queue.position(&a2), Some(0), "folded into the first line");

    // A worse one stands for the others.
    queue.take(&[of("a3", Some(Severity::Critical), "a")], true, &unknown);
    assert_eq!(shown(&queue), ["a3", "b1", "nobody", "nobody-2"]);
    let line = queue.shown(queue.slot(&a1).unwrap()).folded;
    assert_eq!((line.alerts, line.times), (3, 3));
    let again = Row {
        count: 5,
        ..of("a1", low, "a")
    };
    queue.take(&[again], true, &unknown);
    assert_eq!(queue.shown(queue.slot(&a2).unwrap()).folded.times, 7);

    // What is over stands apart, and for nobody.
    queue.set_lanes([(AlertId::new("a3"), Lane::Over)]);
    assert_eq!(queue.members(&a1), [a1, a2]);
    queue.take_in_waiting();
    assert_eq!(shown(&queue), ["a1", "b1", "nobody", "nobody-2", "a3"]);
    queue.set_grouping(Grouping::Off);
    assert_eq!(queue.len(), 6);
}

#[test]
fn a_stream_about_nobody_is_one_line_a_target() {
    let mut queue = Queue::default();
    let of = |id: &str, title: &str, target: Option<&str>| {
        let mut row = row(id, Some(Severity::Low), 10);
        let alert = Arc::make_mut(&mut row.alert);
        alert.title = title.into();
        alert.resource = target.map(|id| crate::domain::alert::Resource {
            id: id.into(),
            kind: "host".into(),
        });
        row
    };
    let rows = [
        of("a1", "port scan", Some("host-a")),
        of("a2", "port scan", Some("host-a")),
        of("b1", "port scan", Some("host-b")),
        of("c1", "shell in container", Some("host-a")),
        of("d1", "port scan", None),
        of("d2", "port scan", None),
    ];
    queue.take(&rows, true, &unknown);
    assert_eq!(shown(&queue), ["a1", "b1", "c1", "d1", "d2"]);
    let a1 = queue.slot(&AlertId::new("a1")).unwrap();
    let folded = queue.shown(a1).folded;
    assert_eq!((folded.alerts, folded.identities), (2, 0));
}

#[test]
fn one_line_stands_for_the_alerts_of_one_incident() {
    let mut queue = Queue::default();
    queue.set_grouping(Grouping::Incident);
    let (low, high) = (Some(Severity::Low), Some(Severity::High));
    let of = |id: &str, severity, name: &str, incident: &str, source: &str| {
        let mut row = of_key(id, "p", name, IdentityKind::ServiceAccount);
        let alert = Arc::make_mut(&mut row.alert);
        (alert.severity, alert.source) = (severity, source.into());
        alert.incident = (!incident.is_empty()).then(|| Untrusted::from(incident));
        row
    };
    let nobody = |id: &str, incident: &str| {
        let mut row = row(id, low, 10);
        Arc::make_mut(&mut row.alert).incident = Some(Untrusted::from(incident));
        row
    };
    let rows = [
        of("a", high, "svc-a", "7", "test"),
        of("b", low, "svc-b", "7", "test"),
        nobody("n", "7"),
        of("elsewhere", low, "svc-a", "7", "other"),
        of("c", low, "svc-c", "", "test"),
        of("d", low, "svc-c", "", "other"),
    ];
    for row in &rows {
        queue.take([row], true, &unknown);
    }
    assert_eq!(shown(&queue), ["a", "elsewhere", "c"]);
    let line = |queue: &Queue, id: &str| {
        let shown = queue.shown(queue.slot(&AlertId::new(id)).unwrap());
        let folded = shown.folded;
        let incident = shown.incident.map(str::to_owned);
        (folded.alerts, folded.identities, folded.worst, incident)
    };
    let seven = Some("7".to_owned());
    assert_eq!(line(&queue, "b"), (3, 2, high, seven.clone()));
    assert_eq!(line(&queue, "elsewhere"), (1, 1, low, seven.clone()));
    assert_eq!(line(&queue, "d"), (2, 1, low, None));
    // What changes is seen on the line.
    let worse = of("b", Some(Severity::Critical), "svc-b", "7", "test");
    queue.take([&worse], true, &unknown);
    assert_eq!(line(&queue, "a").2, Some(Severity::Critical));
    let moved = of("c", low, "svc-c", "7", "test");
    queue.take([&moved], true, &unknown);
    assert_eq!(line(&queue, "a"), (4, 3, Some(Severity::Critical), seven));
    assert_eq!(line(&queue, "d").0, 1);

    let same =
        |one: &str, other: &str| queue.is_about_the_same(&AlertId::new(one), &AlertId::new(other));
    assert!(same("a", "elsewhere") && !same("a", "b") && !same("n", "n"));

    filter(&mut queue, "incident:7 source:other");
    assert_eq!(shown(&queue), ["elsewhere"]);
}

#[test]
fn folding_as_alerts_come_is_folding_at_the_end() {
    let severities = [None, Some(Severity::Low), Some(Severity::Critical)];
    let rows: Vec<Row> = (0..300usize)
        .map(|i| {
            let name = format!("n{}", i * 7 % 11);
            let mut row = of_key(&format!("r{i}"), "p", &name, IdentityKind::Workload);
            let alert = Arc::make_mut(&mut row.alert);
            alert.severity = severities[i * 5 % 3];
            alert.exposed_at = Timestamp::from_second((i * 37 % 101) as i64).ok();
            row
        })
        .collect();
    let mut slowly = Queue::default();
    for batch in rows.chunks(7) {
        slowly.take(batch, true, &unknown);
    }
    let mut at_once = Queue::default();
    at_once.take(&rows, true, &unknown);
    assert_eq!(slowly.len(), 11);
    assert_eq!(shown(&slowly), shown(&at_once));
    filter_with(&mut slowly, "sev:low", &[]);
    assert!(shown(&slowly).iter().all(|id| {
        let slot = slowly.slot(&AlertId::new(id.as_str())).unwrap();
        slowly.shown(slot).severity == Some(Severity::Low)
    }));
}

#[test]
fn what_is_routine_stands_behind_and_can_be_asked_for() {
    let mut queue = Queue::default();
    let mut posture = row("posture", Some(Severity::Critical), 1);
    Arc::make_mut(&mut posture.alert).pattern = ActionPattern::Posture;
    queue.take(
        &[posture, row("leak", Some(Severity::Low), 90)],
        true,
        &unknown,
    );
    assert_eq!(shown(&queue), ["leak", "posture"]);
    filter_with(&mut queue, "is:hygiene", &[]);
    assert_eq!(shown(&queue), ["posture"]);
    filter_with(&mut queue, "is:urgent", &[]);
    assert_eq!(shown(&queue), ["leak"]);
}

/// Alerts of one lot are looked up before any of them is put: one may be there twice, and a credential named in a second
/// environment is one for those before it too.
#[test]
fn a_lot_comes_to_what_its_alerts_come_to_one_by_one() {
    let row = |n: usize| {
        let severity = [None, Some(Severity::Low), Some(Severity::Critical)][n % 3];
        let mut row = row(&format!("a{}", n % 83), severity, 1 + (n * 37 % 50) as i64);
        let alert = Arc::make_mut(&mut row.alert);
        alert.subject = (!n.is_multiple_of(5)).then(|| Subject {
            provider: Untrusted::from(["p", "q"][n / 60]),
            native_id: Untrusted::from(&*format!("k{}", n % 7)),
            kind: IdentityKind::AccessKey,
            name: None,
        });
        alert.title = Untrusted::from(["Key", "Token"][n % 2]);
        (row.count, row.last_seen) = (1 + (n / 83) as u64, row.first_seen);
        row
    };
    let rows: Vec<Row> = (0..120).map(row).collect();
    for (follow, by) in [
        (true, Grouping::Off),
        (true, Grouping::Stream),
        (false, Grouping::Identity),
    ] {
        let (mut lot, mut single) = (Queue::default(), Queue::default());
        for queue in [&mut lot, &mut single] {
            queue.set_grouping(by);
            queue.take([&rows[0]], follow, &unknown);
        }
        lot.take(&rows, follow, &unknown);
        for row in &rows {
            single.take([row], follow, &unknown);
        }
        for queue in [&mut lot, &mut single] {
            queue.take_in_waiting();
        }
        let lines = |queue: &Queue| -> Vec<String> {
            let line = |slot| {
                let (id, points) = (queue.id(slot), queue.points(slot));
                format!("{id} {points} {:?}", queue.shown(slot))
            };
            queue.from(0).map(line).collect()
        };
        assert_eq!(lines(&lot), lines(&single), "{by:?}");
        assert_eq!((lot.all(), single.all()), (83, 83));
    }
}
