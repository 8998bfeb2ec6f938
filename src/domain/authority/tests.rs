use rstest::rstest;

use jiff::SignedDuration;

use super::*;
use crate::domain::decision::{Approval, Place, PlanState};
use crate::domain::ids::NodeId;
use crate::domain::plan::ImpactNode;

fn plan_of(tier: Tier) -> Plan {
    let step = serde_json::json!({
        "id": "1", "verb": "revoke_sessions", "title": "", "why": "", "team": "IAM", "tier": tier, "layer": "sessions",
        "connector": "lab", "target": "ada", "requests": [], "verify": null, "undo": {"kind": "nothing_to_undo"},
        "breaks": "", "idempotent": true,
    });
    serde_json::from_value(serde_json::json!({
        "v": 1, "alert": "a", "identity": "i", "identity_name": "i", "params": {}, "environment": "production",
        "playbook": "p", "playbook_sha256": "", "tier": tier, "created": "2026-11-21T08:00:00Z",
        "expires": "2026-11-21T08:15:00Z", "nonce": "n", "drill": false, "steps": [step], "skipped": [],
        "impact": {"breaks": [], "reaches": [], "truncated": false}, "residual": [], "preconditions": [],
    }))
    .unwrap()
}

/// `name role log[,log] team[,team] power…`, a power as `tier:environment:provider`.
fn roster(people: &[&str]) -> Roster {
    let list = |text: &str| -> Vec<String> {
        let filled = text.split(',').filter(|t| !t.is_empty() && *t != "-");
        filled.map(str::to_owned).collect()
    };
    let analyst = |line: &&str| {
        let words: Vec<&str> = line.split(' ').collect();
        let powers = words[4..].iter().map(|power| {
            let parts: Vec<&str> = power.split(':').collect();
            Power {
                up_to: Tier::parse(parts[0]).unwrap(),
                environments: list(parts[1]),
                providers: list(parts[2]),
            }
        });
        Analyst {
            name: words[0].to_owned(),
            role: Role::parse(words[1]).unwrap(),
            keys: list(words[2]).into_iter().collect(),
            uids: BTreeSet::new(),
            accounts: Vec::new(),
            teams: list(words[3]),
            powers: powers.collect(),
        }
    };
    Roster {
        analysts: people.iter().map(analyst).collect(),
    }
}

fn verdict(log: &str, approved: bool, minute: i64) -> Verdict {
    Verdict {
        by: "whoever the record claims".to_owned(),
        log: "site/host/claimed".to_owned(),
        signer: Some(log.into()),
        at: plan_of(Tier::Hard).created + jiff::SignedDuration::from_mins(minute),
        approval: Approval {
            digest: plan_of(Tier::Hard).digest(),
            approved,
            by: Some("mira".to_owned()),
            reason: Some("no".to_owned()),
            block: None,
        },
    }
}

const PEOPLE: [&str; 5] = [
    "ada analyst h/ada soc",
    "mira approver h/mira,h2/mira soc,iam",
    "noor approver h/noor iam",
    "cleo commander h/cleo soc",
    "olaf observer h/olaf -",
];

fn asked(quorum: &Quorum, verdicts: &[(&str, bool, i64)]) -> String {
    let verdicts: Vec<Verdict> = verdicts
        .iter()
        .map(|(log, yes, minute)| verdict(log, *yes, *minute))
        .collect();
    let plan = plan_of(Tier::Hard);
    match roster(&PEOPLE).standing(quorum, &plan, &["h/ada"], &verdicts) {
        Standing::Free => "free".to_owned(),
        Standing::Agreed { by } => format!("agreed {}", by.join(",")),
        Standing::Waiting { by, missing, could } => {
            format!("waiting {} {missing} {}", by.join(","), could.join(","))
        }
        Standing::Refused { by, reason } => format!("refused {by} {reason}"),
    }
}

#[rstest]
#[case::nobody_yet(&[], "waiting  1 mira,noor,cleo")]
#[case::one_is_enough(&[("h/mira", true, 1)], "agreed mira")]
#[case::the_requester_does_not_count(&[("h/ada", true, 1)], "waiting  1 mira,noor,cleo")]
#[case::an_observer_does_not_count(&[("h/olaf", true, 1)], "waiting  1 mira,noor,cleo")]
#[case::a_stranger_does_not_count(&[("h/eve", true, 1)], "waiting  1 mira,noor,cleo")]
#[case::too_late(&[("h/mira", true, 15)], "waiting  1 mira,noor,cleo")]
#[case::a_no_ends_it(&[("h/mira", true, 1), ("h/noor", false, 2)], "refused noor no")]
#[case::a_no_of_a_stranger_does_not(&[("h/eve", false, 1), ("h/mira", true, 2)], "agreed mira")]
fn one_other_person(#[case] verdicts: &[(&str, bool, i64)], #[case] want: &str) {
    let one = Quorum {
        count: 1,
        ..Quorum::default()
    };
    assert_eq!(asked(&one, verdicts), want);
}

#[rstest]
#[case::one_person_counts_once(&[("h/mira", true, 1), ("h2/mira", true, 2)], "waiting mira 1 noor,cleo")]
#[case::two(&[("h/mira", true, 1), ("h/cleo", true, 2)], "agreed mira,cleo")]
fn two_other_people(#[case] verdicts: &[(&str, bool, i64)], #[case] want: &str) {
    let two = Quorum {
        count: 2,
        ..Quorum::default()
    };
    assert_eq!(asked(&two, verdicts), want);
}

#[rstest]
// Mira speaks for the SOC or for IAM, whichever the other does not.
#[case(&[("h/mira", true, 1), ("h/noor", true, 2)], "agreed mira,noor")]
#[case(&[("h/noor", true, 1), ("h/mira", true, 2)], "agreed noor,mira")]
#[case(&[("h/cleo", true, 1), ("h/cleo", true, 2)], "waiting cleo 1 mira,noor")]
fn one_of_each_team(#[case] verdicts: &[(&str, bool, i64)], #[case] want: &str) {
    let two = Quorum {
        count: 2,
        one_per_team: true,
        ..Quorum::default()
    };
    assert_eq!(asked(&two, verdicts), want);
}

#[test]
fn only_the_named_roles_count() {
    let commander = Quorum {
        count: 1,
        roles: BTreeSet::from([Role::Commander]),
        one_per_team: false,
    };
    let verdicts = [("h/mira", true, 1)];
    assert_eq!(asked(&commander, &verdicts), "waiting  1 cleo");
    assert_eq!(asked(&Quorum::default(), &verdicts), "free");
}

#[rstest]
#[case("ada analyst h/ada soc", Act::Trigger, "ok")]
#[case(
    "ada analyst h/ada soc",
    Act::Judge,
    "ada is analyst and may not judge plans; nobody on the roster could"
)]
#[case(
    "ada observer h/ada soc",
    Act::Trigger,
    "ada is observer and may not run plans; nobody on the roster could"
)]
#[case("ada analyst h/ada soc hard:Production:lab", Act::Trigger, "ok")]
#[case(
    "ada analyst h/ada soc soft:production:lab",
    Act::Trigger,
    "ada may not do this: a plan of the hard tier in production through lab; nobody on the roster could"
)]
#[case("ada analyst h/ada soc hard:staging:", Act::Trigger, "ada may not")]
#[case("ada analyst h/ada soc hard::vault", Act::Trigger, "ada may not")]
#[case("ada analyst h/ada soc soft:production: hard::lab", Act::Trigger, "ok")]
fn roles_and_powers(#[case] who: &str, #[case] act: Act, #[case] want: &str) {
    let plan = plan_of(Tier::Hard);
    let said = match roster(&[who]).allows("h/ada", act, &plan) {
        Ok(_) => "ok".to_owned(),
        Err(reason) => reason,
    };
    assert!(said.starts_with(want), "{said}");
}

#[test]
fn an_unknown_environment_lies_outside_of_every_named_one() {
    let mut plan = plan_of(Tier::Soft);
    plan.environment = None;
    let roster = roster(&[
        "ada analyst h/ada soc hard:production:",
        "bo analyst h/bo -",
    ]);
    let said = roster.allows("h/ada", Act::Trigger, &plan).unwrap_err();
    assert!(said.contains("where the environment is unknown"), "{said}");
    assert!(said.ends_with("; bo could"), "{said}");
}

/// A plan of Ada's that she asked about at its creation, and what was said since.
fn asked_about(verdicts: &[(&str, bool, i64)], timed_out: Option<(i64, TimeOut)>) -> PlanState {
    let plan = plan_of(Tier::Hard);
    let at = |minute| plan.created + SignedDuration::from_mins(minute);
    PlanState {
        at: plan.created,
        actor: "ada".to_owned(),
        place: Place {
            log: "h/ada".to_owned(),
            seq: 1,
        },
        signer: Some("h/ada".into()),
        asked: Some((plan.created, Some("h/ada".into()))),
        needs: None,
        outlived: false,
        timed_out: timed_out.map(|(minute, what)| (at(minute), what)),
        verdicts: verdicts
            .iter()
            .map(|(log, yes, minute)| verdict(log, *yes, *minute))
            .collect(),
        plan,
    }
}

fn two_and(on_timeout: TimeOut) -> Authority {
    Authority {
        roster: roster(&PEOPLE),
        hard: Quorum {
            count: 2,
            ..Quorum::default()
        },
        wait_s: 300,
        on_timeout: Some(on_timeout),
        ..Authority::default()
    }
}

#[rstest]
#[case::not_yet(TimeOut::Escalate, 4, &[], None)]
#[case::due(TimeOut::Escalate, 5, &[], Some(TimeOut::Escalate))]
#[case::narrower(TimeOut::SoftContain, 5, &[], Some(TimeOut::SoftContain))]
#[case::gone(TimeOut::Expire, 5, &[], Some(TimeOut::Expire))]
#[case::nobody_is_asked_about_a_dead_plan(TimeOut::Escalate, 15, &[], Some(TimeOut::Expire))]
#[case::agreed(TimeOut::Escalate, 5, &[("h/mira", true, 1), ("h/noor", true, 2)], None)]
#[case::refused(TimeOut::Escalate, 5, &[("h/mira", false, 1)], None)]
fn silence_comes_to_what_was_decided_before(
    #[case] on_timeout: TimeOut,
    #[case] minute: i64,
    #[case] verdicts: &[(&str, bool, i64)],
    #[case] want: Option<TimeOut>,
) {
    let state = asked_about(verdicts, None);
    let now = state.plan.created + SignedDuration::from_mins(minute);
    let authority = two_and(on_timeout);
    assert_eq!(authority.silence(&state, now), want);
    // Once it is written down it is not due again, whatever the clock says.
    let told = PlanState {
        timed_out: Some((now, on_timeout)),
        ..state
    };
    assert_eq!(authority.silence(&told, now), None);
}

#[rstest]
#[case::a_commander_is_enough_then(5, "h/cleo", true)]
#[case::nobody_else_is(5, "h/mira", false)]
// Somebody wrote that nobody answered before anybody could have.
#[case::not_before_its_time(1, "h/cleo", false)]
fn after_escalation_a_commander_agrees_alone(
    #[case] minute: i64,
    #[case] who: &str,
    #[case] agreed: bool,
) {
    let state = asked_about(&[(who, true, 6)], Some((minute, TimeOut::Escalate)));
    let standing = two_and(TimeOut::Escalate).standing(&state);
    assert_eq!(
        matches!(standing, Standing::Agreed { .. }),
        agreed,
        "{standing:?}"
    );
}

#[test]
fn one_account_of_a_host_is_one_person() {
    let mut people = roster(&PEOPLE);
    for at in [0, 1] {
        people.analysts[at].uids = [1_000].into();
    }
    let one = Quorum {
        count: 1,
        ..Quorum::default()
    };
    let verdicts = [verdict("h/mira", true, 1)];
    let standing = people.standing(&one, &plan_of(Tier::Hard), &["h/ada"], &verdicts);
    assert!(matches!(standing, Standing::Waiting { .. }), "{standing:?}");
}

#[test]
fn what_people_rely_on_is_warned_of() {
    let mut plan = plan_of(Tier::Hard);
    let node = |id: &str| ImpactNode {
        node: NodeId::new(id),
        label: id.into(),
        criticality: None,
        depth: 1,
    };
    plan.impact.reaches = vec![node("sso:mira"), node("sso:olaf"), node("log"), node("db")];
    plan.impact.breaks = vec![node("glass")];
    let mut authority = two_and(TimeOut::Expire);
    authority.guarded = ["log".to_owned()].into();
    authority.roster.analysts[1].accounts = vec!["sso:mira".to_owned()];
    authority.roster.analysts[4].accounts = vec!["sso:olaf".to_owned()];
    let warnings = authority.warnings(&plan, |id| id.as_str() == "glass");
    assert_eq!(
        warnings,
        [
            "the account of mira, who could agree, can be reached by whoever holds it",
            "log, which people rely on now, can be reached by whoever holds it",
            "glass, a way back in, is interrupted by this plan",
        ]
    );
}
