//! What runs by itself, as a table of events and a clock that is set by hand: countdown, veto, brake, crash.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use rstest::rstest;
use stanch::app::keymap::Keymap;
use stanch::app::keys::Key;
use stanch::app::model::Model;
use stanch::app::msg::{Effect, Msg};
use stanch::app::update::update;
use stanch::domain::alert::{Alert, Resource, Subject};
use stanch::domain::decision::{Decision, DecisionKind, Entry, RecordType};
use stanch::domain::hold::Ending;
use stanch::domain::ids::{AlertId, IdentityId, PlanDigest};
use stanch::domain::options::Capability;
use stanch::domain::policy::lint::load;
use stanch::domain::policy::{Finding, Source};
use stanch::domain::queue::Row;
use stanch::domain::vocabulary::{ActionPattern, IdentityKind, Layer, Severity, Verb};

const BOOKS: &str = r#"
[[playbook]]
id = "cut"
title = "End sessions"
when = {}
step = [{ do = "preserve_evidence", team = "SOC", tier = "monitor" }, { do = "revoke_sessions", team = "IAM", tier = "soft" }]
[[playbook]]
id = "off"
title = "Turn off"
when = {}
step = [{ do = "preserve_evidence", team = "SOC", tier = "monitor" }, { do = "disable_identity", team = "IAM", tier = "hard" }]
"#;

const POLICY: &str = r#"
[[threshold]]
soft = 40
hard = 75
[[rule]]
id = "bad"
when = "has(alert.severity) && alert.severity >= severity.high"
score = 90
why = "it is bad"
[[gate]]
id = "low-confidence"
when = "!alert.confident"
most = "monitor"
why = "nobody is sure"
[[gate]]
id = "shared"
when = "has(identity.shared) && identity.shared"
ask = true
why = "others hold the same secret"
"#;

const AUTO: &str = "[[mode]]\nplaybook = 'cut'\nmode = 'auto'\n";
const SHADOW: &str = "[[mode]]\nplaybook = 'cut'\nmode = 'shadow'\n";

fn start() -> Timestamp {
    Timestamp::from_second(1_800_000_000).unwrap()
}

fn row(id: &str, at: Timestamp, confidence: u8) -> Row {
    let alert = Alert {
        id: AlertId::new(format!("test/{id}")),
        native_id: None,
        candidates: Vec::new(),
        source: "test".into(),
        format: "ocsf_detection_finding".into(),
        time: Some(at),
        observed: at,
        exposed_at: None,
        title: "token used from elsewhere".into(),
        severity: Some(Severity::High),
        severity_raw: None,
        confidence: Some(confidence),
        pattern: ActionPattern::TokenReplay,
        subject: Some(Subject {
            provider: "p".into(),
            native_id: id.split('#').next().unwrap_or(id).into(),
            kind: IdentityKind::OauthClient,
            name: None,
        }),
        resource: Some(Resource {
            id: "db".into(),
            kind: "secret".into(),
        }),
        action: None,
        evidence_url: None,
        incident: None,
        techniques: Vec::new(),
        raw_sha256: stanch::domain::digest::Digest::default(),
        resolved: None,
    };
    Row {
        alert: Arc::new(alert),
        count: 1,
        first_seen: at,
        last_seen: at,
    }
}

/// A console on duty with a log in memory, which answers as the runtime does.
struct Desk {
    model: Model,
    keymap: Keymap,
    now: Timestamp,
    log: Vec<Entry>,
    ran: Vec<PlanDigest>,
}

impl Desk {
    fn with(modes: &str, card: &str) -> Self {
        let identity = |id: &str| {
            format!(
                "[[identity]]\nid='p:{id}'\nname='{id}'\nkind='oauth_client'\nconnector='c'\naliases=['{id}']\n{card}\n"
            )
        };
        let names = ["svc-a", "svc-b", "svc-c", "svc-d", "svc-e"];
        let listed: String = names.iter().map(|name| identity(name)).collect();
        let text = format!("{POLICY}{modes}");
        let books = Source {
            name: "b.toml",
            text: BOOKS,
        };
        let loaded = load(
            Source {
                name: "p.toml",
                text: &text,
            },
            &[books],
            None,
        );
        assert_eq!(loaded.findings, Vec::<Finding>::new());
        let can = |layer| Capability {
            title: "t".into(),
            layer,
            breaks: String::new(),
            irreversible: None,
            residual: Vec::new(),
        };
        let able = BTreeMap::from([
            (Verb::RevokeSessions, can(Layer::Sessions)),
            (Verb::DisableIdentity, can(Layer::Credentials)),
        ]);
        let model = Model {
            inventory: Arc::new(stanch::inventory::parse(&listed, "test").unwrap()),
            playbooks: loaded.playbooks.into(),
            policy: Arc::new(loaded.policy),
            capabilities: Arc::new(BTreeMap::from([("c".to_owned(), able)])),
            ..Model::default()
        };
        Self {
            model,
            keymap: Keymap::default(),
            now: start(),
            log: Vec::new(),
            ran: Vec::new(),
        }
    }

    fn new(modes: &str) -> Self {
        let mut desk = Self::with(modes, "technical_owner='team'");
        desk.send(Msg::LogRead);
        desk.send(Msg::Duty(None));
        desk
    }

    /// Another process on the same log, after this one ended.
    fn after_crash(self, modes: &str, later: i64) -> Self {
        let mut desk = Self::with(modes, "technical_owner='team'");
        desk.now = self.now;
        desk.pass(later);
        desk.log.clone_from(&self.log);
        let rows: Vec<Row> = vec![row("svc-a", start(), 90)];
        desk.send(Msg::Stored(rows));
        desk.send(Msg::Journal(self.log));
        desk.send(Msg::LogRead);
        desk.send(Msg::Duty(None));
        desk
    }

    /// Sends an event, and what it asks for back as records, until nothing more comes of it.
    fn send(&mut self, msg: Msg) {
        let mut next = vec![msg];
        while let Some(msg) = next.pop() {
            for effect in update(&mut self.model, &self.keymap, msg, self.now) {
                match effect {
                    Effect::RecordAlone(decisions) => {
                        for decision in decisions {
                            next.push(self.write("own", decision));
                        }
                    }
                    Effect::BeginAlone(begin) => {
                        let mut decision = begin.decision;
                        let n = self.log.len();
                        decision.plan = Some(PlanDigest::new(format!("{n:064x}")));
                        decision.until = Some(plus(self.now, i64::from(begin.seconds)));
                        next.push(self.write("own", decision));
                    }
                    Effect::RunAlone(mut decision) => {
                        decision.kind = DecisionKind::AutoRun;
                        let plan = decision.plan.clone().unwrap();
                        self.ran.push(plan.clone());
                        next.push(Msg::RunEnded {
                            digest: plan,
                            text: "done".into(),
                            ran: true,
                        });
                        next.push(self.write("own", *decision));
                    }
                    Effect::Continue => next.push(Msg::Continue),
                    _ => {}
                }
            }
        }
    }

    fn write(&mut self, log: &str, decision: Decision) -> Msg {
        let body = serde_json::to_value(decision).unwrap();
        let entry = Entry {
            signer: None,
            log: log.to_owned(),
            seq: self.log.len() as u64,
            kind: RecordType::Decision,
            ts: self.now,
            actor: if log == "own" { "alice" } else { "bob" }.to_owned(),
            body: body.as_object().unwrap().clone(),
        };
        self.log.push(entry.clone());
        Msg::Journal(vec![entry])
    }

    fn other(&mut self, decision: Decision) {
        let msg = self.write("other", decision);
        self.send(msg);
    }

    fn alert(&mut self, id: &str) {
        self.send(Msg::Alerts(vec![row(id, self.now, 90)]));
    }

    fn press(&mut self, name: &str) {
        self.send(Msg::Key(Key::parse(name).unwrap()));
    }

    fn pass(&mut self, seconds: i64) {
        self.now = plus(self.now, seconds);
    }

    fn tick(&mut self, seconds: i64) {
        self.pass(seconds);
        self.send(Msg::Tick);
    }

    /// Returns what is in the log of what runs by itself.
    fn told(&self) -> Vec<&'static str> {
        let kinds = self.log.iter().filter_map(|e| e.body_as::<Decision>().ok());
        let kinds = kinds.filter(|d| d.kind.is_automatic());
        kinds.map(|d| d.kind.as_str()).collect()
    }

    fn why(&self) -> String {
        let last = self.log.last().unwrap().body_as::<Decision>().unwrap();
        last.reason.unwrap_or_default()
    }

    fn selected_words(&self) -> String {
        let id = self.model.selected.clone().unwrap();
        let words = stanch::app::automation::words(&self.model, &id, self.now);
        words.map_or_else(String::new, |w| format!("{}|{}", w.short, w.long))
    }
}

fn plus(at: Timestamp, seconds: i64) -> Timestamp {
    at.checked_add(SignedDuration::from_secs(seconds)).unwrap()
}

#[test]
fn a_countdown_is_seen_to_its_end_and_then_runs_once() {
    let mut desk = Desk::new(AUTO);
    desk.alert("svc-a");
    assert_eq!(desk.told(), ["auto_begun"]);
    assert!(desk.model.counts_down());
    assert!(
        desk.selected_words()
            .starts_with("30 s: any key stops|cut RUNS BY ITSELF in 30 s")
    );
    for _ in 0..29 {
        desk.tick(1);
    }
    assert!(desk.ran.is_empty(), "not before its end");
    assert!(desk.selected_words().starts_with("1 s: any key"));
    desk.tick(1);
    assert_eq!(desk.told(), ["auto_begun", "auto_run"]);
    let counted = desk.log[0].body_as::<Decision>().unwrap().plan.unwrap();
    assert_eq!(desk.ran, [counted], "the very plan that counted down");
    for _ in 0..100 {
        desk.tick(7);
    }
    desk.alert("svc-a");
    assert_eq!(desk.ran.len(), 1);
}

#[rstest]
fn any_key_on_the_row_stops_it_and_does_nothing_else(
    #[values(
        "j", "k", "down", "tab", "1", "2", "c", "D", "0", "q", "esc", "enter", "space", "?", "L",
        "ctrl-c", "ctrl-z", "/", "x"
    )]
    key: &str,
) {
    let mut desk = Desk::new(AUTO);
    desk.alert("svc-a");
    desk.tick(12);
    desk.press(key);
    assert_eq!(desk.told(), ["auto_begun", "auto_vetoed"]);
    assert!(!desk.model.quit && !desk.model.sift.typing);
    assert!(matches!(
        desk.model.overlay,
        stanch::app::model::Overlay::None
    ));
    assert!(desk.selected_words().contains("was stopped by alice"));
    for _ in 0..60 {
        desk.tick(1);
    }
    desk.alert("svc-a#2");
    desk.tick(60);
    assert!(desk.ran.is_empty(), "a veto holds for the identity");
    assert_eq!(desk.told().len(), 2);
    desk.pass(3_600);
    desk.alert("svc-a#3");
    assert_eq!(desk.told().last(), Some(&"auto_begun"), "for an hour");
}

#[test]
fn a_veto_holds_although_it_cannot_be_written_down() {
    let mut desk = Desk::new(AUTO);
    desk.alert("svc-a");
    let key = Msg::Key(Key::parse("j").unwrap());
    let effects = update(&mut desk.model, &desk.keymap, key, desk.now);
    assert!(
        matches!(effects.as_slice(), [Effect::RecordAlone(d)] if d[0].kind == DecisionKind::AutoVetoed)
    );
    let alert = AlertId::new("test/svc-a");
    let text = "NOT recorded: no space".to_owned();
    desk.send(Msg::AloneFailed { alert, text });
    desk.tick(31);
    assert!(desk.ran.is_empty());
}

#[test]
fn whoever_looks_on_starts_nothing_and_stops_nothing() {
    let mut desk = Desk::new(AUTO);
    desk.alert("svc-a");
    // Nobody is on this roster, so whoever sits here only looks.
    desk.model.authority = Some(Arc::default());
    assert!(
        desk.selected_words()
            .contains("another console can stop it")
    );
    desk.press("j");
    desk.alert("svc-b");
    desk.tick(31);
    assert_eq!(desk.told(), ["auto_begun"]);
    assert!(desk.ran.is_empty());
    let why = stanch::app::automation::standstill(&desk.model);
    assert_eq!(why, Some("you look on here, and a start is a decision"));
}

#[test]
fn a_key_on_another_row_stops_nothing() {
    let mut desk = Desk::new(AUTO);
    desk.send(Msg::Alerts(vec![row("svc-b", start(), 10)]));
    desk.press("g");
    desk.alert("svc-a");
    assert_eq!(desk.told(), ["auto_begun"]);
    desk.press("?");
    desk.press("esc");
    desk.tick(30);
    assert_eq!(desk.ran.len(), 1);
}

#[rstest]
#[case(DecisionKind::Claim, "a person has taken the alert in hand")]
#[case(DecisionKind::Dismiss, "a person has taken the alert in hand")]
#[case(DecisionKind::DoNothing, "a person has taken the alert in hand")]
fn whoever_takes_the_alert_elsewhere_stops_it(#[case] kind: DecisionKind, #[case] why: &str) {
    let mut desk = Desk::new(AUTO);
    desk.alert("svc-a");
    desk.other(Decision::on(AlertId::new("test/svc-a"), kind, None));
    assert_eq!(desk.told(), ["auto_begun", "auto_stopped"]);
    assert_eq!(desk.why(), why);
    desk.tick(31);
    assert!(desk.ran.is_empty());
}

#[test]
fn putting_it_off_stops_it_and_stays_put_off() {
    let mut desk = Desk::new(AUTO);
    desk.alert("svc-a");
    let alert = AlertId::new("test/svc-a");
    let put_off = Decision {
        until: Some(plus(desk.now, 900)),
        ..Decision::on(alert.clone(), DecisionKind::Snooze, Some("later".into()))
    };
    desk.other(put_off);
    assert_eq!(desk.told(), ["auto_begun", "auto_stopped"]);
    assert_eq!(desk.model.row_state(&alert).as_str(), "snoozed");
}

#[test]
fn a_veto_of_another_console_counts() {
    let mut desk = Desk::new(AUTO);
    desk.alert("svc-a");
    let veto = Decision {
        playbook: Some("cut".into()),
        ..Decision::on(AlertId::new("test/svc-a"), DecisionKind::AutoVetoed, None)
    };
    desk.other(veto);
    desk.tick(31);
    assert!(desk.ran.is_empty());
    assert!(desk.selected_words().contains("stopped by bob"));
}

#[rstest]
#[case(
    "criticality='business_critical'\nstop_cost='a day of parcels'",
    "it is business-critical. Stopping it: 0 on the map break, a day of parcels. Going on: whoever holds it reaches 0 and keeps sessions, credentials"
)]
#[case(
    "uninterruptible='labels of today'",
    "it is uninterruptible (labels of today). Stopping it: 0 on the map break. Going on: "
)]
#[case(
    "credential=[{id='k', kind='key', consumers=['a', 'b']}]",
    "others hold the same secret. Stopping it: "
)]
fn who_waits_for_a_person_is_told_with_both_risks(#[case] card: &str, #[case] why: &str) {
    let mut desk = Desk::with(AUTO, card);
    desk.send(Msg::LogRead);
    desk.send(Msg::Duty(None));
    desk.alert("svc-a");
    assert_eq!(desk.told(), ["auto_waits"]);
    assert!(desk.why().starts_with(why), "{}", desk.why());
    assert!(
        desk.selected_words()
            .contains("Going on: whoever holds it reaches")
    );
    desk.send(Msg::Alerts(vec![
        row("svc-a#2", desk.now, 90),
        row("svc-a#3", desk.now, 90),
    ]));
    desk.tick(31);
    assert_eq!(desk.told(), ["auto_waits"], "said once");
}

#[test]
fn a_kind_that_is_called_critical_and_a_stranger_wait() {
    let modes = format!("[automation]\ncritical_kinds = ['oauth_client']\n{AUTO}");
    let mut desk = Desk::new(&modes);
    desk.alert("svc-a");
    assert_eq!(desk.told(), ["auto_waits"]);
    assert!(
        desk.why()
            .starts_with("the policy calls every oauth_client business-critical")
    );
}

#[rstest]
#[case::unsure(10, 0)]
#[case::long_ago(90, 3_601)]
#[case::in_the_future(90, -3_700)]
fn what_is_unsure_or_long_past_begins_nothing(#[case] confidence: u8, #[case] ago: i64) {
    let mut desk = Desk::new(AUTO);
    desk.send(Msg::Alerts(vec![row(
        "svc-a",
        plus(start(), -ago),
        confidence,
    )]));
    desk.tick(31);
    assert_eq!(desk.told(), Vec::<&str>::new());
}

#[rstest]
#[case::ask("", 0)]
#[case::said_ask("[[mode]]\nplaybook = 'cut'\nmode = 'ask'\n", 0)]
#[case::auto(AUTO, 1)]
fn without_a_mode_everything_asks(#[case] modes: &str, #[case] begun: usize) {
    let mut desk = Desk::new(modes);
    desk.alert("svc-a");
    assert_eq!(desk.told().len(), begun);
}

#[test]
fn the_brake_holds_what_is_too_much_for_an_hour() {
    let mut desk = Desk::new(&format!("[automation]\nper_hour = 2\n{AUTO}"));
    for id in ["svc-a", "svc-b", "svc-c"] {
        desk.alert(id);
    }
    assert_eq!(desk.told(), ["auto_begun", "auto_begun", "auto_braked"]);
    assert_eq!(
        desk.why(),
        "0 ran by themselves within the last hour and 2 count down; at most 2 an hour"
    );
    let said: Vec<&str> = desk
        .model
        .messages
        .iter()
        .map(|m| m.text.as_str())
        .collect();
    assert!(
        said.iter()
            .any(|text| text.starts_with("brake: cut asks for test/svc-c")),
        "{said:?}"
    );
    desk.tick(30);
    assert_eq!(desk.ran.len(), 2);
    desk.pass(3_500);
    desk.alert("svc-d");
    assert_eq!(desk.told().last(), Some(&"auto_braked"));
    desk.pass(100);
    desk.alert("svc-e");
    assert_eq!(desk.told().last(), Some(&"auto_begun"), "an hour later");
}

#[rstest]
#[case::elsewhere(|desk: &mut Desk| desk.send(Msg::Duty(Some("serve".into()))))]
#[case::read_only(|desk: &mut Desk| desk.model.read_only = true)]
#[case::no_journal(|desk: &mut Desk| desk.send(Msg::JournalProblem(Some("full".into()))))]
#[case::log_unread(|desk: &mut Desk| desk.model.timeline.read = false)]
fn only_who_has_the_duty_and_a_log_starts_anything(#[case] change: fn(&mut Desk)) {
    let mut desk = Desk::new(AUTO);
    change(&mut desk);
    desk.alert("svc-a");
    desk.tick(31);
    assert_eq!(desk.told(), Vec::<&str>::new());
}

#[test]
fn who_takes_over_looks_at_what_came_meanwhile() {
    let mut desk = Desk::new(AUTO);
    desk.send(Msg::Duty(Some("serve".into())));
    desk.alert("svc-a");
    desk.send(Msg::Duty(None));
    assert_eq!(desk.told(), ["auto_begun"]);
}

#[test]
fn shadow_writes_down_once_what_would_have_been() {
    let mut desk = Desk::new(SHADOW);
    desk.alert("svc-a");
    desk.alert("svc-a");
    desk.tick(31);
    assert_eq!(desk.told(), ["auto_shadow"]);
    assert_eq!(
        desk.why(),
        "would have run after 30 s: End sessions; spares others; closes sessions"
    );
    assert!(desk.ran.is_empty() && !desk.model.counts_down());
    desk.press("j");
    assert_eq!(desk.told(), ["auto_shadow"], "nothing to veto");
}

#[test]
fn a_crash_in_a_countdown_runs_nothing_twice() {
    let begun = |later| {
        let mut desk = Desk::new(AUTO);
        desk.alert("svc-a");
        desk.tick(5);
        desk.after_crash(AUTO, later)
    };
    // At once: the countdown goes on, and ends as it was said.
    let mut desk = begun(5);
    assert_eq!(desk.told(), ["auto_begun"]);
    desk.tick(20);
    assert_eq!(desk.told(), ["auto_begun", "auto_run"]);
    let mut desk = desk.after_crash(AUTO, 5);
    desk.tick(60);
    assert!(
        desk.ran.is_empty(),
        "what is in the log as run is never run again"
    );
    // Later than its end: nobody saw it, so it begins anew, once, in full.
    let mut desk = begun(300);
    assert_eq!(desk.told(), ["auto_begun", "auto_begun"]);
    desk.tick(29);
    assert!(desk.ran.is_empty());
    // Again: a person decides.
    let mut desk = desk.after_crash(AUTO, 300);
    assert_eq!(desk.told(), ["auto_begun", "auto_begun", "auto_stopped"]);
    desk.tick(31);
    assert!(desk.ran.is_empty());
}

#[test]
fn a_console_that_stood_still_runs_nothing_unseen() {
    let mut desk = Desk::new(AUTO);
    desk.alert("svc-a");
    desk.tick(3_000);
    assert_eq!(desk.told(), ["auto_begun", "auto_begun"]);
    assert!(desk.ran.is_empty());
    desk.tick(-2_900);
    assert_eq!(desk.told().last(), Some(&"auto_stopped"));
    assert_eq!(desk.why(), "the clock was put back during the countdown");
}

#[test]
fn many_alerts_about_one_intruder_are_one_reason() {
    let mut desk = Desk::new(AUTO);
    let rows = (0..40).map(|n| row(&format!("svc-a#{n}"), start(), 90));
    desk.send(Msg::Alerts(rows.collect()));
    assert_eq!(desk.told(), ["auto_begun"]);
    desk.tick(30);
    assert_eq!(desk.ran.len(), 1);
}

#[test]
fn what_runs_by_itself_no_more_is_stopped_in_its_countdown() {
    let mut desk = Desk::new(AUTO);
    desk.alert("svc-a");
    let mut policy = (*desk.model.policy).clone();
    policy.modes.clear();
    desk.model.policy = Arc::new(policy);
    desk.tick(30);
    assert!(desk.ran.is_empty());
}

#[test]
fn the_screen_tells_what_runs_how_and_why_not() {
    use stanch::app::model::Overlay;
    use stanch::app::policy_screen::overview;

    let mut desk = Desk::new(AUTO);
    desk.alert("svc-a");
    desk.tick(30);
    desk.press("P");
    assert!(matches!(desk.model.overlay, Overlay::Policy));
    let all = overview(&desk.model, desk.now);
    assert_eq!((all.ran_in_hour, all.per_hour, all.counting), (1, 3, 0));
    assert_eq!(all.standstill, None);
    let row = &all.playbooks[0];
    assert_eq!((row.playbook.as_str(), row.countdown_s), ("cut", Some(30)));
    assert_eq!((row.by_itself.run, row.by_itself.vetoed), (1, 0));
    assert_eq!(row.by_itself.last_run, Some(desk.now));
    desk.press("?");
    desk.press("esc");
    assert!(
        matches!(desk.model.overlay, Overlay::Policy),
        "back where one was"
    );
    desk.press("j");
    desk.press("a");
    assert!(
        matches!(desk.model.overlay, Overlay::Policy),
        "the other did nothing yet"
    );
    desk.press("k");
    desk.press("a");
    assert!(matches!(desk.model.overlay, Overlay::None));
    assert_eq!(desk.model.selected, Some(AlertId::new("test/svc-a")));
}

#[test]
fn keys_of_other_screens_stop_nothing() {
    let mut desk = Desk::new(AUTO);
    desk.press("P");
    desk.alert("svc-a");
    for key in ["j", "k", "tab", "tab", "?", "esc", "m", "esc"] {
        desk.press(key);
    }
    assert_eq!(desk.told(), ["auto_begun"]);
    desk.press("esc");
    assert_eq!(
        desk.told(),
        ["auto_begun"],
        "the key that closes a screen is not on the row"
    );
    desk.press("esc");
    assert_eq!(desk.told(), ["auto_begun", "auto_vetoed"]);
}

#[test]
fn what_somebody_holds_back_waits_for_a_person_on_every_alert_about_the_identity() {
    let mut desk = Desk::new(AUTO);
    let until = plus(desk.now, 600);
    desk.other(Decision {
        identity: Some(IdentityId::new("p:svc-a")),
        hold: Some("h-1".into()),
        ending: Some(Ending::Page),
        until: Some(until),
        ..Decision::on(AlertId::new("test/svc-a#earlier"), DecisionKind::Hold, None)
    });
    desk.alert("svc-a");
    assert_eq!(desk.told(), ["auto_waits"]);
    assert!(
        desk.why().starts_with("somebody holds it back until "),
        "{}",
        desk.why()
    );
    desk.alert("svc-b");
    assert_eq!(desk.told(), ["auto_waits", "auto_begun"]);
}

#[test]
fn a_hold_that_comes_during_a_countdown_ends_it() {
    let mut desk = Desk::new(AUTO);
    desk.alert("svc-a");
    desk.other(Decision {
        identity: Some(IdentityId::new("p:svc-a")),
        hold: Some("h-1".into()),
        ending: Some(Ending::Page),
        until: Some(plus(desk.now, 600)),
        ..Decision::on(AlertId::new("test/svc-a#earlier"), DecisionKind::Hold, None)
    });
    for _ in 0..40 {
        desk.tick(1);
    }
    assert_eq!(desk.told(), ["auto_begun", "auto_stopped"]);
    assert!(desk.ran.is_empty());
}
