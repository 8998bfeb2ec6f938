//! Whether a containment may be taken back: a credential that is known to be leaked is not revived, because whoever found it
//! holds it still; it is replaced. Nor is what an intruder may have given himself: a credential that was added, a right or a
//! consent that was granted.

use jiff::Timestamp;

use super::alert::Alert;
use super::coverage::CellState;
use super::decision::{DecisionKind, Decisions};
use super::hold::Gate;
use super::ids::{AlertId, IdentityId};
use super::vocabulary::{ActionPattern as P, Verb};

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
/// Held back is what lets a credential be used again, and what gives rights back that grew. An undo of `disable_credential`
/// brings back that very credential, so nothing makes it safe; one of `disable_identity` is safe once the secret is a new one, by
/// proof or, where there is none that this console could rotate, by the word of somebody who vouches for that after the exposure.
/// A new secret says nothing of a credential that was added beside it, nor an undo of `restrict_privilege` of who gave a right:
/// there it takes the word of somebody who looked.
pub fn refusal(
    decisions: &Decisions,
    identity: &IdentityId,
    verb: Verb,
    told: &[Told<'_>],
) -> Option<String> {
    let asked = Asked {
        decisions,
        identity,
        told,
    };
    match verb {
        Verb::DisableCredential | Verb::RetireCredential => asked.of_a_key(),
        Verb::DisableIdentity => asked.of_all_of_it(),
        Verb::RestrictPrivilege | Verb::RevokeGrants => asked.of_rights(),
        _ => None,
    }
}

/// Of whom it is asked, and what is known.
struct Asked<'a> {
    decisions: &'a Decisions,
    identity: &'a IdentityId,
    told: &'a [Told<'a>],
}

impl<'a> Asked<'a> {
    fn of_a_key(&self) -> Option<String> {
        if let Some(id) = self.gone() {
            return Some(unknown_leak(id));
        }
        let instead = "could use it again; leave it off, make a new one and hand that out";
        if let Some((_, alert)) = self.last(&[P::CredentialExposed]) {
            return Some(format!("{} {instead}", exposed(alert)));
        }
        let (_, alert) = self.last(&[P::CredentialCreatedOrAdded])?;
        Some(format!("{} {instead}", added(alert)))
    }

    fn of_all_of_it(&self) -> Option<String> {
        if let Some(id) = self.gone() {
            return Some(unknown_leak(id));
        }
        let identity = self.identity;
        // What has no secret of its own, as a role, or whose secret lies elsewhere, is replaced by people, and they answer
        // for it.
        let open = |at: &(Timestamp, &AlertId)| !self.vouched(Gate::Credentials, at.0);
        let leaked = self.last(&[P::CredentialExposed]).filter(open);
        if let Some((_, alert)) = leaked.filter(|(since, _)| !self.rotated(*since)) {
            return Some(format!(
                "{} could log in again; rotate its secret first, by a plan with `rotate_secret`, and take this back once that \
                 is proven; where this console rotates nothing, somebody vouches for it: `stanch restore {identity} --gate \
                 credentials --reason '...'`",
                exposed(alert)
            ));
        }
        let (_, alert) = self.last(&[P::CredentialCreatedOrAdded]).filter(open)?;
        Some(format!(
            "{} could log in again; take it off at the provider, then vouch for that: `stanch restore {identity} --gate \
             credentials --reason '...'`",
            added(alert)
        ))
    }

    fn of_rights(&self) -> Option<String> {
        if let Some(id) = self.gone() {
            return Some(format!(
                "whether its rights grew cannot be told, because alert {id} is not stored any more; grant what its work needs \
                 at the provider instead"
            ));
        }
        let grew = [
            P::PrivilegeEscalated,
            P::PermissionChanged,
            P::ConsentOrGrantAdded,
        ];
        let (since, alert) = self.last(&grew)?;
        (!self.vouched(Gate::Linked, since)).then(|| {
            format!(
                "alert {alert} says that its rights grew, and this gives back every right that stood when the plan was made, \
                 also one that an intruder gave himself; grant what its work needs at the provider, or look at them and vouch \
                 for that: `stanch restore {} --gate linked --reason '...'`",
                self.identity
            )
        })
    }

    /// Returns an alert that is not stored any more.
    fn gone(&self) -> Option<&'a AlertId> {
        self.told.iter().find_map(|one| match one {
            Told::Gone(id) => Some(*id),
            Told::Alert(_) => None,
        })
    }

    /// Returns the alert of one of these patterns whose exposure began last, and when that was.
    fn last(&self, patterns: &[P]) -> Option<(Timestamp, &'a AlertId)> {
        let alerts = self.told.iter().filter_map(|one| match one {
            Told::Alert(alert) if patterns.contains(&alert.pattern) => Some(*alert),
            _ => None,
        });
        alerts.map(|alert| (alert.exposed_since(), &alert.id)).max()
    }

    /// Tells whether somebody vouched for a gate after that.
    fn vouched(&self, gate: Gate, since: Timestamp) -> bool {
        let way = self.decisions.holds.way_back(self.identity);
        let said = way.and_then(|way| way.gates.get(&gate));
        said.is_some_and(|said| said.at > since)
    }

    /// Tells whether its secret was replaced after that, by proof.
    fn rotated(&self, since: Timestamp) -> bool {
        self.decisions.acts_on(self.identity).any(|act| {
            let replaces = matches!(act.intent.verb, Verb::RotateSecret | Verb::RetireCredential);
            let rotates = replaces && !act.intent.undo;
            rotates && act.at > since && act.cell() == CellState::Proven
        })
    }
}

fn exposed(alert: &AlertId) -> String {
    format!("alert {alert} says that its credential is exposed, so whoever found it")
}

fn added(alert: &AlertId) -> String {
    format!("alert {alert} says that a credential was added, so whoever has that")
}

fn unknown_leak(alert: &AlertId) -> String {
    format!(
        "whether its credential leaked cannot be told, because alert {alert} is not stored any more; make a new credential \
         at the provider instead"
    )
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
    #[case::an_added_key(
        "credential_created_or_added",
        Verb::DisableCredential,
        None,
        Some("a credential was added")
    )]
    #[case::an_added_key_of_an_owner(
        "credential_created_or_added",
        Verb::DisableIdentity,
        Some("agrees"),
        Some("take it off at the provider")
    )]
    #[case::roles("credential_exposed", Verb::RestrictPrivilege, None, None)]
    #[case::rights_that_grew(
        "privilege_escalated",
        Verb::RestrictPrivilege,
        None,
        Some("an intruder gave himself")
    )]
    #[case::a_new_secret_says_nothing_of_rights(
        "permission_changed",
        Verb::RestrictPrivilege,
        Some("agrees"),
        Some("an intruder gave himself")
    )]
    #[case::consents(
        "consent_or_grant_added",
        Verb::RevokeGrants,
        None,
        Some("gate linked")
    )]
    #[case::rights_and_sessions("privilege_escalated", Verb::RevokeSessions, None, None)]
    #[case::no_leak("token_replay", Verb::DisableCredential, None, None)]
    fn what_leaked_or_was_added_is_replaced_not_revived(
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
    #[case::before_it(-5, "linked", true)]
    #[case::for_something_else(9, "credentials", true)]
    #[case::for_this(9, "linked", false)]
    fn somebody_may_vouch_for_its_rights(
        #[case] s: i64,
        #[case] gate: &str,
        #[case] refused: bool,
    ) {
        let mut decisions = Decisions::default();
        acted(&mut decisions, 5, Verb::RestrictPrivilege, "agrees");
        vouched(&mut decisions, s, gate);
        let (identity, alert) = (IdentityId::new("p:a"), alert("privilege_escalated"));
        let told = refusal(
            &decisions,
            &identity,
            Verb::RestrictPrivilege,
            &[Told::Alert(&alert)],
        );
        assert_eq!(told.is_some(), refused, "{told:?}");
    }

    fn vouched(decisions: &mut Decisions, s: i64, gate: &str) {
        let said = Decision {
            gate: Gate::parse(gate),
            identity: Some(IdentityId::new("p:a")),
            ..Decision::on(AlertId::new(""), DecisionKind::Gate, Some("looked".into()))
        };
        let body = serde_json::to_value(said).unwrap();
        record(decisions, s, RecordType::Decision, &body);
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
        vouched(&mut decisions, s, gate);
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
