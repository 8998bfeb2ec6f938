use rstest::rstest;
use serde_json::{Value, json};

use super::*;
use crate::domain::decision::RecordType;
use crate::domain::decision::testing::fold;
use crate::domain::filter::Filter;
use crate::domain::graph::Graph;
use crate::domain::identity::Identity;
use crate::domain::inventory::Inventory;
use crate::domain::vocabulary::IdentityKind;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

fn entry(second: i64, kind: RecordType, body: &Value) -> Entry {
    Entry {
        log: "local/jump1/ada".to_owned(),
        seq: u64::try_from(second).unwrap(),
        kind,
        ts: at(second),
        actor: "ada".to_owned(),
        signer: None,
        body: body.as_object().unwrap().clone(),
    }
}

/// The campaign over `p:a` and `p:b`, begun at 0.
fn begun() -> Vec<Entry> {
    let whom = ["p:a", "p:b"].map(|id| (IdentityId::new(id), AlertId::new("s/1")));
    let records = begin(whom, "acme was breached", Some("vendor:acme"), None, at(0));
    let bodies = records.iter().map(|d| serde_json::to_value(d).unwrap());
    bodies
        .map(|body| entry(0, RecordType::Decision, &body))
        .collect()
}

/// A plan for `p:a` with these steps, and what it leaves open.
fn plan(verbs: &[&str], residual: &Value) -> (Entry, PlanDigest) {
    let step = |(i, verb): (usize, &&str)| {
        json!({"id": (i + 1).to_string(), "verb": verb, "title": format!("does {verb}"), "why": "", "team": "soc", "tier": "soft",
            "layer": "tokens", "connector": "p", "target": "p:a", "requests": [], "verify": null,
            "undo": {"kind": "nothing_to_undo"}, "breaks": "", "idempotent": true})
    };
    let steps: Vec<Value> = verbs.iter().enumerate().map(step).collect();
    let plan = json!({
        "v": 1, "alert": "s/1", "identity": "p:a", "identity_name": "svc-a", "params": {}, "environment": null,
        "playbook": "cut", "playbook_sha256": "", "tier": "soft", "created": at(10), "expires": at(910), "nonce": "n",
        "drill": false, "skipped": [], "residual": residual, "preconditions": [], "steps": steps,
        "impact": {"breaks": [], "reaches": [], "truncated": false},
    });
    let read: crate::domain::plan::Plan = serde_json::from_value(plan.clone()).unwrap();
    let digest = read.digest();
    let record = json!({"digest": digest.as_str(), "plan": plan});
    (entry(10, RecordType::Plan, &record), digest)
}

fn act(second: i64, digest: &PlanDigest, step: &str, verb: &str, undo: bool) -> Entry {
    let intent = json!({"intent": format!("i{second}"), "digest": digest.as_str(), "step": step, "verb": verb,
        "identity": "p:a", "alert": "s/1", "undo": undo, "process": {"boot": "b", "pid": 1, "start": 1}});
    entry(second, RecordType::Intent, &intent)
}

fn came(second: i64, of: i64, outcome: &str) -> Entry {
    let outcome = json!({"intent": format!("i{of}"), "outcome": outcome, "attempts": 1});
    entry(second, RecordType::Outcome, &outcome)
}

fn proof(second: i64, of: i64, proof: &str) -> Entry {
    let verify =
        json!({"intent": format!("i{of}"), "proof": proof, "says": "read back", "tries": 1});
    entry(second, RecordType::Verify, &verify)
}

fn stands(entries: &[Entry], now: i64) -> (Stand, Stand, usize) {
    let decisions = fold(entries);
    let campaign = decisions.campaigns.all()[0].clone();
    let ledger = ledger(&decisions, None, &campaign, at(now));
    let of = |id: &str| {
        ledger
            .rows
            .iter()
            .find(|r| r.identity.as_str() == id)
            .unwrap()
            .stand
    };
    (of("p:a"), of("p:b"), ledger.live())
}

#[test]
fn each_identity_goes_its_own_way_and_only_proofs_end_it() {
    let mut log = begun();
    assert_eq!(stands(&log, 5), (Stand::Unplanned, Stand::Unplanned, 2));
    let (record, digest) = plan(&["preserve_evidence", "revoke_tokens"], &json!([]));
    log.push(record);
    assert_eq!(stands(&log, 20), (Stand::Planned, Stand::Unplanned, 2));
    assert_eq!(stands(&log, 910).0, Stand::Refused, "it expired");
    log.push(act(21, &digest, "1", "preserve_evidence", false));
    log.push(came(22, 21, "accepted"));
    log.push(proof(23, 21, "agrees"));
    assert_eq!(
        stands(&log, 30).0,
        Stand::Planned,
        "evidence contains nothing"
    );
    log.push(act(31, &digest, "2", "revoke_tokens", false));
    assert_eq!(stands(&log, 32).0, Stand::Unknown);
    log.push(came(33, 31, "accepted"));
    assert_eq!(stands(&log, 34), (Stand::Requested, Stand::Unplanned, 2));
    log.push(proof(35, 31, "agrees"));
    assert_eq!(stands(&log, 36), (Stand::Contained, Stand::Unplanned, 1));
    log.push(act(41, &digest, "2", "revoke_tokens", true));
    log.push(came(42, 41, "accepted"));
    log.push(proof(43, 41, "agrees"));
    assert_eq!(stands(&log, 44), (Stand::TakenBack, Stand::Unplanned, 2));
    // Trusted again by every gate: nobody need contain it.
    let trusted = json!({"kind": "restore", "alert": "s/1", "reason": "rotated", "identity": "p:a", "until": at(9_000)});
    log.push(entry(50, RecordType::Decision, &trusted));
    assert_eq!(stands(&log, 51), (Stand::Restored, Stand::Unplanned, 1));
}

#[rstest]
#[case::failed(&["revoke_tokens"], json!([]), &[("rejected", None)], Stand::Failed)]
#[case::disagrees(&["revoke_tokens"], json!([]), &[("accepted", Some("disagrees"))], Stand::Failed)]
#[case::no_proof(&["revoke_tokens"], json!([]), &[("accepted", Some("cannot_tell"))], Stand::Unknown)]
#[case::stopped_between(&["revoke_tokens", "disable_credential"], json!([]), &[("accepted", Some("agrees"))], Stand::Partly)]
#[case::leaves_something(&["revoke_tokens"], json!([{"layer": "credentials", "text": "not touched", "at_most_s": null}]), &[("accepted", Some("agrees"))], Stand::Partly)]
#[case::leaves_for_a_while(&["revoke_tokens"], json!([{"layer": "tokens", "text": "cached", "at_most_s": 300}]), &[("accepted", Some("agrees"))], Stand::Contained)]
fn what_is_not_proven_in_full_is_live(
    #[case] verbs: &[&str],
    #[case] residual: Value,
    #[case] happened: &[(&str, Option<&str>)],
    #[case] want: Stand,
) {
    let mut log = begun();
    let (record, digest) = plan(verbs, &residual);
    log.push(record);
    for (i, (outcome, proven)) in happened.iter().enumerate() {
        let second = 20 + 10 * i64::try_from(i).unwrap();
        log.push(act(second, &digest, &(i + 1).to_string(), verbs[i], false));
        log.push(came(second + 1, second, outcome));
        log.extend(proven.map(|p| proof(second + 2, second, p)));
    }
    let found = stands(&log, 100).0;
    assert_eq!(found, want);
    assert_eq!(found.is_live(), want != Stand::Contained);
}

#[test]
fn unused_counts_as_live_until_it_is_proven() {
    let mut log = begun();
    let campaign = fold(&log).campaigns.all()[0].id.clone();
    let said = |second, found: &str| {
        let body = json!({"kind": "campaign_unused", "alert": "s/1", "identity": "p:b", "campaign": campaign,
            "reason": "nobody uses it", "found": found});
        entry(second, RecordType::Decision, &body)
    };
    log.push(said(10, "unknown"));
    assert_eq!(
        stands(&log, 11),
        (Stand::Unplanned, Stand::UnprovenUnused, 2)
    );
    log.push(said(20, "proven"));
    assert_eq!(stands(&log, 21), (Stand::Unplanned, Stand::Unused, 1));
    // Logs have no order among each other: what is read first counts all the same.
    let mut turned = log.clone();
    turned.reverse();
    assert_eq!(stands(&turned, 21), stands(&log, 21));
    let (decisions, end) = (fold(&log), at(100));
    let series = burn_down(&decisions, decisions.campaigns.all()[0], end);
    assert_eq!(series, [(at(0), 2), (at(20), 1), (end, 1)]);
    let ended = json!({"kind": "campaign_end", "alert": "s/1", "campaign": campaign, "reason": "cancelled"});
    log.push(entry(30, RecordType::Decision, &ended));
    log.push(entry(31, RecordType::Decision, &ended));
    let decisions = fold(&log);
    let ended = decisions.campaigns.all()[0].ended.clone();
    assert_eq!(
        ended.map(|said| said.at),
        Some(at(30)),
        "the first end counts"
    );
}

#[rstest]
#[case::off(json!({"enabled": false}), true)]
#[case::off_but_a_session(json!({"enabled": false, "sessions": [{"id": "s", "kind": "session"}]}), false)]
#[case::says_nothing(json!({}), false)]
#[case::all_off(json!({"credentials": [{"id": "k", "enabled": false}, {"id": "l", "expires": "2020-01-01T00:00:00Z"}]}), true)]
#[case::one_lives(json!({"credentials": [{"id": "k", "enabled": false}, {"id": "l"}]}), false)]
#[case::never_used(json!({"credentials": [{"id": "k", "last_used": null}]}), false)]
#[case::unread(json!({"credentials": [{"id": "k", "enabled": false}], "unknown": [["sessions", "403"]]}), false)]
fn only_what_a_provider_shows_proves_that_nobody_can_use_it(
    #[case] shown: Value,
    #[case] proven: bool,
) {
    let full = json!({"enabled": null, "sessions": [], "scopes": [], "grants": [], "credentials": [], "unknown": [], "attributes": {}});
    let mut full = full.as_object().unwrap().clone();
    for (key, value) in shown.as_object().unwrap() {
        full.insert(key.clone(), value.clone());
    }
    let credentials = full["credentials"].as_array().unwrap().iter().map(|c| {
        let mut whole = json!({"id": "", "kind": "", "store": null, "created": null, "expires": null, "last_used": null,
            "rotation": null, "secret_ref": null});
        for (key, value) in c.as_object().unwrap() {
            whole[key] = value.clone();
        }
        whole
    });
    let credentials: Vec<Value> = credentials.collect();
    full.insert("credentials".into(), credentials.into());
    let context: LiveContext = serde_json::from_value(full.into()).unwrap();
    let found = shows_unused(&context, at(0));
    assert_eq!(found.is_ok(), proven, "{found:?}");
}

fn inventory() -> Inventory {
    let card = |id: &str, kind, owner: &str| Identity {
        technical_owner: Some(owner.into()),
        ..Identity::not_in_inventory(IdentityId::new(id), id[id.len() - 4..].into(), kind)
    };
    let used = Identity {
        environment: Some("production".into()),
        credentials: vec![Credential {
            consumers: vec!["Acme Build".into()],
            ..Credential::default()
        }],
        ..card("gh:ci-1", IdentityKind::CiToken, "Platform")
    };
    let all = [
        used,
        card("gh:ci-2", IdentityKind::CiToken, "Payments"),
        card("idp:acme-sync", IdentityKind::OauthClient, "Platform"),
    ];
    Inventory::new(all, Graph::default())
}

#[rstest]
#[case("vendor:acme", Ok(&["gh:ci-1"][..]))]
#[case("acme", Ok(&["gh:ci-1", "idp:acme-sync"][..]))]
#[case("provider:gh -owner:payments", Ok(&["gh:ci-1"][..]))]
#[case("kind:ci_token", Ok(&["gh:ci-1", "gh:ci-2"][..]))]
#[case("env=production owner~plat*", Ok(&["gh:ci-1"][..]))]
#[case("sev>=high", Err("a severity is about alerts"))]
#[case("title:leak acme", Err("a title is about alerts"))]
#[case("", Err("an empty filter would take everybody"))]
fn a_filter_means_identities(#[case] text: &str, #[case] want: Result<&[&str], &str>) {
    let filter = Filter::parse(text).unwrap();
    let found = select::chosen(&filter, &inventory());
    match (found, want) {
        (Ok(found), Ok(want)) => {
            let found: Vec<&str> = found.iter().map(IdentityId::as_str).collect();
            assert_eq!(found, want);
        }
        (Err(found), Err(want)) => assert!(found.contains(want), "{found}"),
        (found, want) => panic!("{found:?} {want:?}"),
    }
}
