//! Whether a containment may be taken back: a credential that is known to be leaked is not revived, because whoever found it
//! holds it still. It is replaced.

use jiff::Timestamp;

use super::alert::Alert;
use super::coverage::CellState;
use super::decision::{DecisionKind, Decisions};
use super::hold::Gate;
use super::ids::{AlertId, IdentityId};
use super::vocabulary::{ActionPattern, Verb};

/// What is known of an alert that an identity was contained for.
#[derive(Clone, Copy, Debug)]
pub enum Told<'a> {
    /// The alert.
    Alert(&'a Alert),
    /// It is not stored any more, so nobody can say.
    Gone(&'a AlertId),
}

/// Returns the alerts that an identity was contained for, without those that were judged no case.
pub fn asked(decisions: &Decisions, identity: &IdentityId) -> Vec<AlertId> {
    let mut alerts: Vec<AlertId> = Vec::new();
    for act in decisions.acts_on(identity) {
        let alert = &act.intent.alert;
        let last = decisions.of_alert(alert).iter().rev();
        let judged = last.map(|(_, _, d)| d.kind).find(|k| k.tells_state());
        if judged != Some(DecisionKind::Dismiss) && !alerts.contains(alert) {
            alerts.push(alert.clone());
        }
    }
    alerts
}

/// Says why a step is not taken back, and what to do instead; `None` when it may be.
///
/// Only what lets a credential be used again is held back. An undo of `disable_credential` brings back that very
/// credential, so nothing makes it safe; one of `disable_identity` is safe once the secret is a new one, by proof or, where there
/// is none that this console could rotate, by the word of somebody who vouches for that after the exposure.
pub fn refusal(
    decisions: &Decisions,
    identity: &IdentityId,
    verb: Verb,
    told: &[Told<'_>],
) -> Option<String> {
    let key = matches!(verb, Verb::DisableCredential | Verb::RetireCredential);
    if !key && verb != Verb::DisableIdentity {
        return None;
    }
    let mut leaked: Option<(&AlertId, Timestamp)> = None;
    for one in told {
        match one {
            Told::Alert(alert) if alert.pattern == ActionPattern::CredentialExposed => {
                let since = alert.exposed_since();
                leaked = leaked.max(Some((&alert.id, since)));
            }
            Told::Alert(_) => {}
            Told::Gone(id) => {
                return Some(format!(
                    "whether its credential leaked cannot be told, because alert {id} is not stored any more; make a new \
                     credential at the provider instead"
                ));
            }
        }
    }
    let (alert, since) = leaked?;
    let says = format!("alert {alert} says that its credential is exposed, so whoever found it");
    if key {
        return Some(format!(
            "{says} could use it again; leave it off, make a new one and hand that out"
        ));
    }
    let rotated = decisions.acts_on(identity).any(|act| {
        let replaces = matches!(act.intent.verb, Verb::RotateSecret | Verb::RetireCredential);
        let rotates = replaces && !act.intent.undo;
        rotates && act.at > since && act.cell() == CellState::Proven
    });
    // What has no secret of its own, as a role, or whose secret lies elsewhere, is replaced by people, and they answer for it.
    let vouched = decisions.holds.way_back(identity);
    let vouched = vouched.and_then(|way| way.gates.get(&Gate::Credentials));
    let vouched = vouched.is_some_and(|said| said.at > since);
    (!rotated && !vouched).then(|| {
        format!(
            "{says} could log in again; rotate its secret first, by a plan with `rotate_secret`, and take this back once that \
             is proven; where this console rotates nothing, somebody vouches for it: `stanch restore {identity} --gate \
             credentials --reason '...'`"
        )
    })
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::{Value, json};

    use super::*;
    use crate::domain::decision::{Decision, Entry, RecordType};

    fn at(s: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + s).unwrap()
    }

    fn alert(pattern: &str) -> Alert {
        serde_json::from_value(json!({
            "id": "s/1", "source": "s", "format": "f", "time": at(0), "observed": at(1), "exposed_at": null,
            "title": "t", "severity": null, "severity_raw": null, "confidence": null, "pattern": pattern,
            "subject": null, "resource": null, "action": null, "evidence_url": null, "techniques": [], "raw_sha256": "",
        }))
        .unwrap()
    }

    fn record(decisions: &mut Decisions, s: i64, kind: RecordType, body: &Value) {
        decisions.apply(&Entry {
            signer: None,
            log: "l".into(),
            seq: s.unsigned_abs(),
            kind,
            ts: at(s),
            actor: "alice".into(),
            body: body.as_object().unwrap().clone(),
        });
        assert_eq!(decisions.unreadable, 0);
    }

    fn acted(decisions: &mut Decisions, s: i64, verb: Verb, proof: &str) {
        let intent = format!("i{s}");
        let body = json!({
            "intent": intent, "digest": format!("d{s}"), "step": "1", "verb": verb, "identity": "p:a",
            "alert": "s/1", "undo": false, "process": {"boot": "b", "pid": 1, "start": 1},
        });
        record(decisions, s, RecordType::Intent, &body);
        let body = json!({"intent": intent, "outcome": "accepted", "attempts": 1});
        record(decisions, s, RecordType::Outcome, &body);
        let body = json!({"intent": intent, "proof": proof, "says": "s", "tries": 1});
        record(decisions, s, RecordType::Verify, &body);
    }

    #[rstest]
    #[case::a_leaked_key(
        "credential_exposed",
        Verb::DisableCredential,
        None,
        Some("make a new one")
    )]
    #[case::a_leaked_key_stays_leaked(
        "credential_exposed",
        Verb::DisableCredential,
        Some("agrees"),
        Some("make a new one")
    )]
    #[case::its_owner(
        "credential_exposed",
        Verb::DisableIdentity,
        None,
        Some("rotate its secret first")
    )]
    #[case::not_proven(
        "credential_exposed",
        Verb::DisableIdentity,
        Some("disagrees"),
        Some("rotate its secret first")
    )]
    #[case::rotated("credential_exposed", Verb::DisableIdentity, Some("agrees"), None)]
    #[case::roles("credential_exposed", Verb::RestrictPrivilege, None, None)]
    #[case::no_leak("token_replay", Verb::DisableCredential, None, None)]
    fn a_leaked_credential_is_replaced_not_revived(
        #[case] pattern: &str,
        #[case] verb: Verb,
        #[case] rotated: Option<&str>,
        #[case] want: Option<&str>,
    ) {
        let mut decisions = Decisions::default();
        acted(&mut decisions, 5, verb, "agrees");
        if let Some(proof) = rotated {
            acted(&mut decisions, 9, Verb::RotateSecret, proof);
        }
        let (identity, alert) = (IdentityId::new("p:a"), alert(pattern));
        assert_eq!(asked(&decisions, &identity), [AlertId::new("s/1")]);
        let told = refusal(&decisions, &identity, verb, &[Told::Alert(&alert)]);
        assert_eq!(told.is_some(), want.is_some(), "{told:?}");
        assert!(told.unwrap_or_default().contains(want.unwrap_or_default()));
    }

    #[rstest]
    #[case::before_the_exposure(-5, "credentials", true)]
    #[case::for_something_else(9, "siblings", true)]
    #[case::for_this(9, "credentials", false)]
    fn somebody_may_vouch_for_what_this_console_cannot_rotate(
        #[case] s: i64,
        #[case] gate: &str,
        #[case] refused: bool,
    ) {
        let mut decisions = Decisions::default();
        acted(&mut decisions, 5, Verb::DisableIdentity, "agrees");
        let said = Decision {
            gate: Gate::parse(gate),
            identity: Some(IdentityId::new("p:a")),
            ..Decision::on(AlertId::new(""), DecisionKind::Gate, Some("at AWS".into()))
        };
        let body = serde_json::to_value(said).unwrap();
        record(&mut decisions, s, RecordType::Decision, &body);
        let (identity, alert) = (IdentityId::new("p:a"), alert("credential_exposed"));
        let told = [Told::Alert(&alert)];
        let key = refusal(&decisions, &identity, Verb::DisableCredential, &told);
        assert!(key.is_some(), "the leaked key itself is never revived");
        let told = refusal(&decisions, &identity, Verb::DisableIdentity, &told);
        assert_eq!(told.is_some(), refused, "{told:?}");
    }

    #[test]
    fn what_nobody_can_say_is_refused_and_what_was_no_case_is_not_asked() {
        let mut decisions = Decisions::default();
        acted(&mut decisions, 5, Verb::DisableIdentity, "agrees");
        let (identity, id) = (IdentityId::new("p:a"), AlertId::new("s/1"));
        let told = refusal(
            &decisions,
            &identity,
            Verb::DisableIdentity,
            &[Told::Gone(&id)],
        );
        assert!(told.unwrap().contains("not stored any more"));
        let body = Decision::on(id, DecisionKind::Dismiss, None);
        let body = serde_json::to_value(body).unwrap();
        record(&mut decisions, 8, RecordType::Decision, &body);
        assert!(asked(&decisions, &identity).is_empty());
    }
}
