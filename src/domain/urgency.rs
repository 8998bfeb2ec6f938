//! How urgent an alert is: exposure × privilege × time, in points that are told in one line.
//!
//! Points give the class; in a class the longest exposed comes first. Nothing in the points moves with the clock, so a
//! queue in order stays in order. What is routine hygiene stands behind everything that may be an attack.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::alert::{Alert, CONFIDENCE_TO_ACT};
use super::identity::Identity;
use super::vocabulary::{ActionPattern, Severity};

/// Most points that an alert can have.
pub const MOST: u8 = 18;

/// How far an attacker may have come, by what happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Exposure {
    /// Nobody else holds anything.
    None,
    /// Somebody may.
    Possible,
    /// Somebody can.
    Exposed,
    /// Somebody does, and uses it.
    Used,
}

impl Exposure {
    /// Returns what a pattern tells.
    pub const fn of(pattern: ActionPattern) -> Self {
        use ActionPattern as P;
        match pattern {
            P::Posture => Self::None,
            P::CredentialUsedAnomalously
            | P::TokenReplay
            | P::PrivilegeEscalated
            | P::ConsentOrGrantAdded
            | P::SecretRead
            | P::VolumeOrChaining
            | P::CrossSystemMovement
            | P::AgentBeyondIntent
            | P::RecoveryTampered
            | P::DefenseTampered
            | P::DataExfil
            | P::WorkloadExec => Self::Used,
            P::CredentialExposed
            | P::CredentialCreatedOrAdded
            | P::PermissionChanged
            | P::PostClick => Self::Exposed,
            P::FirstTimeAccess
            | P::SessionPolicyViolation
            | P::StaleIdentityActive
            | P::Recon
            | P::SessionRevokedSignal
            | P::CredentialChangedSignal
            | P::AccountStateSignal
            | P::Other => Self::Possible,
        }
    }
}

/// How much an identity may do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Privilege {
    /// Nobody listed it, or what it may do.
    #[default]
    Unknown,
    /// Nothing that gives administrative or secret-reading power.
    Ordinary,
    /// Administrative or secret-reading power.
    Privileged,
}

/// What the inventory says about an identity that weighs in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// How much it may do.
    pub privilege: Privilege,
    /// When it, or any of its credentials, was last seen in use.
    pub last_used: Option<Timestamp>,
    /// When the last of its credentials ends, where each of them does.
    pub expires: Option<Timestamp>,
}

impl Standing {
    /// Takes out of a card what weighs in.
    pub fn of(card: Option<&Identity>) -> Self {
        let Some(card) = card else {
            return Self::default();
        };
        let privilege = match card.scopes.as_slice() {
            [] => Privilege::Unknown,
            scopes if scopes.iter().any(|s| s.privileged) => Privilege::Privileged,
            _ => Privilege::Ordinary,
        };
        let credentials = &card.credentials;
        // One that has no end counts as alive for ever.
        let ends: Option<Vec<Timestamp>> = credentials.iter().map(|c| c.expires).collect();
        Self {
            privilege,
            last_used: card.last_seen(),
            expires: ends.and_then(|ends| ends.into_iter().max()),
        }
    }
}

/// One reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// What the source says; none counts as medium, as unknown is not harmless.
    Severity(Option<Severity>),
    /// How far somebody may have come.
    Exposure(Exposure),
    /// How much the identity may do.
    Privilege(Privilege),
    /// A credential of it was used after the exposure began.
    UsedSince,
    /// All its credentials had ended before the alert came.
    Expired,
    /// The source is not sure.
    Unsure,
    /// The same credential is named in a second environment.
    Elsewhere,
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Severity(Some(severity)) => severity.as_str(),
            Self::Severity(None) => "no severity given",
            Self::Exposure(Exposure::None) => "nobody holds it",
            Self::Exposure(Exposure::Possible) => "possibly exposed",
            Self::Exposure(Exposure::Exposed) => "exposed",
            Self::Exposure(Exposure::Used) => "in use by somebody",
            Self::Privilege(Privilege::Unknown) => "unknown privilege",
            Self::Privilege(Privilege::Ordinary) => "ordinary privilege",
            Self::Privilege(Privilege::Privileged) => "privileged",
            Self::UsedSince => "used since",
            Self::Expired => "expired",
            Self::Unsure => "unsure",
            Self::Elsewhere => "in a second environment",
        })
    }
}

/// How urgent an alert is, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Urgency {
    parts: [(Why, i8); 7],
    /// Whether it is routine: nothing in it points at an attack.
    pub is_hygiene: bool,
}

impl Urgency {
    /// What a second environment adds.
    pub const ELSEWHERE: i8 = 2;

    /// Weighs an alert about an identity; `elsewhere` tells whether the same credential is named in a second environment.
    pub fn of(alert: &Alert, standing: Standing, elsewhere: bool) -> Self {
        let exposure = Exposure::of(alert.pattern);
        let if_so = |holds: bool, points: i8| if holds { points } else { 0 };
        let used = standing
            .last_used
            .is_some_and(|t| t > alert.exposed_since());
        let expired = standing.expires.is_some_and(|t| t <= alert.observed);
        let unsure = alert.confidence.is_some_and(|c| c < CONFIDENCE_TO_ACT);
        let severity = alert.severity.unwrap_or(Severity::Medium);
        let parts = [
            (Why::Severity(alert.severity), by_severity(severity)),
            (
                Why::Exposure(exposure),
                match exposure {
                    Exposure::None => 0,
                    Exposure::Possible => 1,
                    Exposure::Exposed => 2,
                    Exposure::Used => 4,
                },
            ),
            (
                Why::Privilege(standing.privilege),
                match standing.privilege {
                    Privilege::Ordinary => 0,
                    Privilege::Unknown => 1,
                    Privilege::Privileged => 2,
                },
            ),
            (Why::UsedSince, if_so(used, 1)),
            (Why::Elsewhere, if_so(elsewhere, Self::ELSEWHERE)),
            (Why::Expired, if_so(expired, -3)),
            (Why::Unsure, if_so(unsure, -2)),
        ];
        let routine = exposure <= Exposure::Possible && severity <= Severity::Low;
        let dead = exposure <= Exposure::Exposed && expired && !used;
        Self {
            parts,
            is_hygiene: !elsewhere && (exposure == Exposure::None || routine || dead),
        }
    }

    /// Returns how many points, from 0 to [`MOST`].
    pub fn points(&self) -> u8 {
        let sum: i8 = self.parts.iter().map(|(_, points)| points).sum();
        u8::try_from(sum.max(0)).unwrap_or(0).min(MOST)
    }

    /// Returns what counts, each with its points.
    pub fn reasons(&self) -> impl Iterator<Item = (Why, i8)> {
        self.parts.into_iter().filter(|(_, points)| *points != 0)
    }
}

const fn by_severity(severity: Severity) -> i8 {
    match severity {
        Severity::Info => 0,
        Severity::Low => 2,
        Severity::Medium => 4,
        Severity::High => 6,
        Severity::Critical => 9,
    }
}

impl fmt::Display for Urgency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let class = if self.is_hygiene {
            "hygiene"
        } else {
            "urgency"
        };
        write!(f, "{class} {}", self.points())?;
        for (n, (why, points)) in self.reasons().enumerate() {
            let sign = match (n, points < 0) {
                (0, _) => ":",
                (_, true) => " -",
                (_, false) => " +",
            };
            write!(f, "{sign} {why} {}", points.abs())?;
        }
        Ok(())
    }
}

/// Until when an alert of a severity is to be contained, in seconds since the exposure began.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sla {
    /// For critical alerts.
    pub critical_s: u32,
    /// For high ones.
    pub high_s: u32,
    /// For medium ones, and those whose source gives no severity.
    pub medium_s: u32,
    /// For low ones.
    pub low_s: u32,
}

impl Default for Sla {
    fn default() -> Self {
        Self {
            critical_s: 15 * 60,
            high_s: 60 * 60,
            medium_s: 8 * 3_600,
            low_s: 3 * 86_400,
        }
    }
}

/// How an alert stands against its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// More than half of the time is left, or there is no limit.
    Fine,
    /// Less than half.
    Soon,
    /// None.
    Late,
}

impl Sla {
    /// Returns how long a severity may take, in seconds.
    pub const fn limit_s(&self, severity: Option<Severity>) -> Option<u32> {
        match severity {
            Some(Severity::Critical) => Some(self.critical_s),
            Some(Severity::High) => Some(self.high_s),
            Some(Severity::Medium) | None => Some(self.medium_s),
            Some(Severity::Low) => Some(self.low_s),
            Some(Severity::Info) => None,
        }
    }

    /// Tells how an open alert stands `now`, exposed `since` then.
    pub fn due(&self, severity: Option<Severity>, since: Timestamp, now: Timestamp) -> Due {
        let Some(limit) = self.limit_s(severity) else {
            return Due::Fine;
        };
        let passed = (now.as_second() - since.as_second()).max(0);
        match passed {
            p if p >= i64::from(limit) => Due::Late,
            p if p * 2 >= i64::from(limit) => Due::Soon,
            _ => Due::Fine,
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::domain::queue::tests::alert;

    const PRIVILEGED: Standing = Standing {
        privilege: Privilege::Privileged,
        last_used: None,
        expires: None,
    };

    fn at(second: i64) -> Option<Timestamp> {
        Timestamp::from_second(second).ok()
    }

    #[rstest]
    #[case::worst(Some(Severity::Critical), ActionPattern::SecretRead, Standing { last_used: at(200), ..PRIVILEGED }, true,
        "urgency 18: critical 9 + in use by somebody 4 + privileged 2 + used since 1 + in a second environment 2")]
    #[case::unlisted(
        None,
        ActionPattern::CredentialExposed,
        Standing::default(),
        false,
        "urgency 7: no severity given 4 + exposed 2 + unknown privilege 1"
    )]
    #[case::dead(Some(Severity::High), ActionPattern::CredentialExposed, Standing { expires: at(50), ..PRIVILEGED }, false,
        "hygiene 7: high 6 + exposed 2 + privileged 2 - expired 3")]
    #[case::dead_but_used(Some(Severity::High), ActionPattern::CredentialExposed,
        Standing { expires: at(50), last_used: at(200), ..PRIVILEGED }, false,
        "urgency 8: high 6 + exposed 2 + privileged 2 + used since 1 - expired 3")]
    #[case::posture(
        Some(Severity::High),
        ActionPattern::Posture,
        PRIVILEGED,
        false,
        "hygiene 8: high 6 + privileged 2"
    )]
    #[case::routine(
        Some(Severity::Info),
        ActionPattern::Other,
        Standing::default(),
        false,
        "hygiene 2: possibly exposed 1 + unknown privilege 1"
    )]
    fn says_why(
        #[case] severity: Option<Severity>,
        #[case] pattern: ActionPattern,
        #[case] standing: Standing,
        #[case] elsewhere: bool,
        #[case] text: &str,
    ) {
        let mut alert = alert("s/1", severity, 100);
        alert.pattern = pattern;
        let urgency = Urgency::of(&alert, standing, elsewhere);
        assert_eq!(urgency.to_string(), text);
    }

    #[test]
    fn who_is_not_sure_waits() {
        let mut alert = alert("s/1", Some(Severity::High), 100);
        let sure = Urgency::of(&alert, PRIVILEGED, false).points();
        alert.confidence = Some(CONFIDENCE_TO_ACT - 1);
        assert_eq!(Urgency::of(&alert, PRIVILEGED, false).points() + 2, sure);
    }

    #[test]
    fn a_credential_without_an_end_never_counts_as_expired() {
        let mut card = Identity::not_in_inventory(
            crate::domain::ids::IdentityId::new("p:a"),
            "a".into(),
            crate::domain::vocabulary::IdentityKind::AccessKey,
        );
        assert_eq!(Standing::of(Some(&card)).expires, None);
        let ends = |second| super::super::identity::Credential {
            id: "k".into(),
            kind: "key".into(),
            expires: second,
            ..super::super::identity::Credential::default()
        };
        card.credentials = vec![ends(at(5)), ends(at(7))];
        assert_eq!(Standing::of(Some(&card)).expires, at(7));
        card.credentials.push(ends(None));
        assert_eq!(Standing::of(Some(&card)).expires, None);
    }

    #[rstest]
    #[case(Some(Severity::Critical), 449, Due::Fine)]
    #[case(Some(Severity::Critical), 450, Due::Soon)]
    #[case(Some(Severity::Critical), 900, Due::Late)]
    #[case(None, 900, Due::Fine)]
    #[case(Some(Severity::Info), i64::from(u32::MAX), Due::Fine)]
    #[case(Some(Severity::Critical), -5, Due::Fine)]
    fn time_runs_from_the_exposure(
        #[case] severity: Option<Severity>,
        #[case] passed: i64,
        #[case] due: Due,
    ) {
        let (since, now) = (at(1_000).unwrap(), at(1_000 + passed).unwrap());
        assert_eq!(Sla::default().due(severity, since, now), due);
    }
}
