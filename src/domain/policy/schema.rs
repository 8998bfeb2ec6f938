//! The fields that conditions may read, each with its type and what it means. What is not here does not exist, and a
//! condition that names it is refused.

use super::facts::Facts;
use super::value::{Ranks, Type, Val, Words, node_word};
use crate::domain::alert::Alert;
use crate::domain::graph::AccessLayer;
use crate::domain::identity::Identity;
use crate::domain::observed::Aspect;
use crate::domain::text::Untrusted;
use crate::domain::urgency::{Exposure, Privilege, Standing};
use crate::domain::vocabulary::Driver;

/// One field.
pub struct Field {
    /// How conditions name it.
    pub path: &'static str,
    /// Its type.
    pub ty: Type,
    /// Whether it may be unknown, so that `has()` makes sense.
    pub optional: bool,
    /// What it means.
    pub doc: &'static str,
    /// Reads it; `None` when it is unknown.
    pub get: for<'f> fn(&'f Facts<'_>) -> Option<Val<'f>>,
}

const fn known(
    path: &'static str,
    ty: Type,
    doc: &'static str,
    get: for<'f> fn(&'f Facts<'_>) -> Option<Val<'f>>,
) -> Field {
    Field {
        path,
        ty,
        optional: false,
        doc,
        get,
    }
}

const fn maybe(
    path: &'static str,
    ty: Type,
    doc: &'static str,
    get: for<'f> fn(&'f Facts<'_>) -> Option<Val<'f>>,
) -> Field {
    Field {
        path,
        ty,
        optional: true,
        doc,
        get,
    }
}

fn text(text: Option<&Untrusted>) -> Option<Val<'_>> {
    let text = text.filter(|t| !t.is_empty())?;
    Some(Val::text(text.raw()))
}

fn texts(texts: &[Untrusted]) -> Val<'_> {
    Val::Texts(texts.iter().map(Untrusted::raw).collect())
}

fn count(n: usize) -> Val<'static> {
    Val::Int(i64::try_from(n).unwrap_or(i64::MAX))
}

fn of(
    identity: Option<&Identity>,
    read: impl FnOnce(&Identity) -> Option<Val<'_>>,
) -> Option<Val<'_>> {
    identity.and_then(read)
}

/// Returns the rank of how far an attacker may have come.
pub fn exposure(alert: &Alert) -> u8 {
    match Exposure::of(alert.pattern) {
        Exposure::None => 0,
        Exposure::Possible => 1,
        Exposure::Exposed => 2,
        Exposure::Used => 3,
    }
}

/// All fields.
pub const FIELDS: &[Field] = &[
    known("now", Type::Time, "the moment of the question", |f| {
        Some(Val::Time(f.now.as_second()))
    }),
    known(
        "alert.pattern",
        Type::Word(Words::Pattern),
        "what happened",
        |f| Some(Val::text(f.alert.pattern.as_str())),
    ),
    maybe(
        "alert.severity",
        Type::Rank(Ranks::Severity),
        "how bad, as the source says",
        |f| Some(Val::Rank(Ranks::Severity, f.alert.severity? as u8)),
    ),
    maybe(
        "alert.confidence",
        Type::Int,
        "how sure the source is, 0 to 100",
        |f| Some(Val::Int(f.alert.confidence?.into())),
    ),
    known(
        "alert.confident",
        Type::Bool,
        "whether the source is sure enough for more than looking",
        |f| Some(Val::Bool(f.alert.is_confident())),
    ),
    known(
        "alert.exposure",
        Type::Rank(Ranks::Exposure),
        "how far an attacker may have come, by the pattern",
        |f| Some(Val::Rank(Ranks::Exposure, exposure(f.alert))),
    ),
    known(
        "alert.elsewhere",
        Type::Bool,
        "the same credential is named in a second environment",
        |f| Some(Val::Bool(f.elsewhere)),
    ),
    known(
        "alert.source",
        Type::Text,
        "name of the configured source",
        |f| Some(Val::text(&f.alert.source)),
    ),
    known("alert.format", Type::Text, "which decoder read it", |f| {
        Some(Val::text(&f.alert.format))
    }),
    maybe(
        "alert.action",
        Type::Text,
        "event name or finding type in the source's words",
        |f| text(f.alert.action.as_ref()),
    ),
    known(
        "alert.techniques",
        Type::Texts,
        "MITRE ATT&CK technique ids",
        |f| Some(texts(&f.alert.techniques)),
    ),
    known(
        "alert.named",
        Type::Bool,
        "whether it is known whom it is about",
        |f| Some(Val::Bool(f.identity.is_some())),
    ),
    maybe("alert.time", Type::Time, "when it happened", |f| {
        Some(Val::Time(f.alert.time?.as_second()))
    }),
    known(
        "alert.observed",
        Type::Time,
        "when it reached this host",
        |f| Some(Val::Time(f.alert.observed.as_second())),
    ),
    known(
        "alert.exposed_since",
        Type::Time,
        "since when the identity is exposed",
        |f| Some(Val::Time(f.alert.exposed_since().as_second())),
    ),
    maybe("identity.id", Type::Text, "`provider:native-id`", |f| {
        Some(Val::text(f.identity?.id.as_str()))
    }),
    maybe("identity.name", Type::Text, "what people call it", |f| {
        of(f.identity, |i| text(Some(&i.name)))
    }),
    maybe(
        "identity.provider",
        Type::Text,
        "the part of the id before the colon",
        |f| Some(Val::text(f.identity?.provider())),
    ),
    maybe(
        "identity.kind",
        Type::Word(Words::Kind),
        "what kind of thing holds the access",
        |f| Some(Val::text(f.identity?.kind.as_str())),
    ),
    maybe(
        "identity.driver",
        Type::Word(Words::Driver),
        "who or what drives it",
        |f| {
            let driver = f.identity?.driver;
            (driver != Driver::Unknown).then(|| Val::text(driver.as_str()))
        },
    ),
    maybe(
        "identity.environment",
        Type::Text,
        "`production`, `staging`, …",
        |f| of(f.identity, |i| text(i.environment.as_ref())),
    ),
    maybe("identity.workload", Type::Text, "what runs under it", |f| {
        of(f.identity, |i| text(i.workload.as_ref()))
    }),
    maybe(
        "identity.criticality",
        Type::Rank(Ranks::Criticality),
        "how much hangs on it",
        |f| {
            Some(Val::Rank(
                Ranks::Criticality,
                f.identity?.criticality? as u8,
            ))
        },
    ),
    maybe(
        "identity.uninterruptible",
        Type::Bool,
        "somebody declared that a stop may cost more than letting it run",
        |f| Some(Val::Bool(f.identity?.uninterruptible.is_some())),
    ),
    maybe(
        "identity.listed",
        Type::Bool,
        "whether an inventory lists it",
        |f| Some(Val::Bool(f.identity?.is_listed())),
    ),
    maybe(
        "identity.owned",
        Type::Bool,
        "whether a business or technical owner is known",
        |f| {
            let identity = f.identity?;
            let owner = identity
                .business_owner
                .as_ref()
                .or(identity.technical_owner.as_ref());
            Some(Val::Bool(owner.is_some_and(|o| !o.is_empty())))
        },
    ),
    maybe(
        "identity.connected",
        Type::Bool,
        "whether a connector can reach it",
        |f| Some(Val::Bool(f.identity?.connector.is_some())),
    ),
    maybe(
        "identity.enabled",
        Type::Bool,
        "whether it can be used; its provider's word counts more than a list's",
        |f| {
            let live = f.live.and_then(|live| live.enabled);
            Some(Val::Bool(live.or(f.identity?.enabled)?))
        },
    ),
    maybe(
        "identity.privileged",
        Type::Bool,
        "administrative or secret-reading power",
        |f| match Standing::of(f.identity).privilege {
            Privilege::Unknown => None,
            Privilege::Ordinary => Some(Val::Bool(false)),
            Privilege::Privileged => Some(Val::Bool(true)),
        },
    ),
    maybe("identity.created", Type::Time, "when it was made", |f| {
        Some(Val::Time(f.identity?.created?.as_second()))
    }),
    maybe(
        "identity.last_used",
        Type::Time,
        "when it or any credential of it was last seen in use",
        |f| Some(Val::Time(f.identity?.last_seen()?.as_second())),
    ),
    maybe(
        "identity.scopes",
        Type::Texts,
        "roles and scopes it holds",
        |f| {
            let scopes = &f.identity?.scopes;
            Some(Val::Texts(scopes.iter().map(|s| s.name.raw()).collect()))
        },
    ),
    maybe(
        "identity.credentials",
        Type::Int,
        "how many long-lived secrets and keys it holds",
        |f| Some(count(f.identity?.credentials.len())),
    ),
    maybe(
        "identity.hard_coded",
        Type::Bool,
        "a copy of a secret of it stands in code, an image or a file",
        |f| {
            let credentials = &f.identity?.credentials;
            Some(Val::Bool(
                credentials.iter().any(|c| !c.hard_coded.is_empty()),
            ))
        },
    ),
    maybe(
        "identity.shared",
        Type::Bool,
        "a secret of it has more than one consumer",
        |f| {
            let credentials = &f.identity?.credentials;
            Some(Val::Bool(credentials.iter().any(|c| c.consumers.len() > 1)))
        },
    ),
    maybe(
        "identity.grants",
        Type::Int,
        "how many may act for it or as it",
        |f| Some(count(f.identity?.grants.len())),
    ),
    maybe(
        "identity.open_recovery",
        Type::Int,
        "how many ways back in are open or in wrong hands",
        |f| Some(count(f.open_recovery()?)),
    ),
    maybe(
        "identity.has_intent",
        Type::Bool,
        "whether somebody wrote down what an agent was approved for",
        |f| Some(Val::Bool(f.identity?.intent.is_some())),
    ),
    maybe(
        "identity.sessions",
        Type::Int,
        "live sessions and tokens, once its provider was asked",
        |f| Some(count(f.live?.sessions.len())),
    ),
    maybe(
        "identity.unusual_action",
        Type::Bool,
        "what it does is not what it normally does",
        |f| Some(Val::Bool(f.unusual(Aspect::Action)?)),
    ),
    maybe(
        "identity.unusual_hours",
        Type::Bool,
        "it is at work when it normally is not",
        |f| Some(Val::Bool(f.unusual(Aspect::Hours)?)),
    ),
    maybe(
        "identity.unusual_origin",
        Type::Bool,
        "it comes from where it normally does not",
        |f| Some(Val::Bool(f.unusual(Aspect::Origin)?)),
    ),
    maybe(
        "resource.id",
        Type::Text,
        "the source's id of what was touched",
        |f| of_resource(f, |r| text(Some(&r.id))),
    ),
    maybe(
        "resource.kind",
        Type::Text,
        "its type in the source's words",
        |f| of_resource(f, |r| text(Some(&r.kind))),
    ),
    maybe(
        "resource.node",
        Type::Word(Words::Node),
        "what it is on the map",
        |f| Some(Val::text(node_word(f.touched()?.kind))),
    ),
    maybe(
        "resource.criticality",
        Type::Rank(Ranks::Criticality),
        "how much hangs on it, as the map says",
        |f| {
            Some(Val::Rank(
                Ranks::Criticality,
                f.touched()?.criticality? as u8,
            ))
        },
    ),
    maybe(
        "resource.environment",
        Type::Text,
        "where it is, as the map says",
        |f| text(f.touched()?.environment.as_ref()),
    ),
    maybe(
        "resource.unusual",
        Type::Bool,
        "the identity normally does not touch it",
        |f| Some(Val::Bool(f.unusual(Aspect::Target)?)),
    ),
    maybe(
        "resource.in_intent",
        Type::Bool,
        "it is among what the agent was approved for",
        |f| Some(Val::Bool(f.in_intent()?)),
    ),
    known(
        "map.known",
        Type::Bool,
        "whether the map says anything of the identity",
        |f| Some(Val::Bool(f.is_mapped())),
    ),
    maybe(
        "map.breaks",
        Type::Int,
        "how many stop working when it is cut off",
        |f| f.is_mapped().then(|| count(f.look.impact.count())),
    ),
    maybe(
        "map.breaks_critical",
        Type::Int,
        "how many of them the business stops without",
        |f| {
            let by = &f.look.breaks.by_criticality;
            let critical = Some(crate::domain::vocabulary::Criticality::BusinessCritical);
            let n = by
                .iter()
                .find(|(c, _)| *c == critical)
                .map_or(0, |(_, n)| *n);
            f.is_mapped().then(|| count(n))
        },
    ),
    maybe(
        "map.environments",
        Type::Int,
        "in how many environments they are",
        |f| {
            let by = &f.look.breaks.by_environment;
            let named = by.iter().filter(|(name, _)| name.is_some()).count();
            f.is_mapped().then(|| count(named))
        },
    ),
    maybe(
        "map.reaches",
        Type::Int,
        "how much its holder reaches",
        |f| f.is_mapped().then(|| count(f.look.exposure.count())),
    ),
    maybe(
        "map.reaches_critical",
        Type::Int,
        "how much of that the business stops without",
        |f| f.is_mapped().then(|| count(f.reached().critical)),
    ),
    maybe(
        "map.reaches_stores",
        Type::Int,
        "how many secret stores its holder reaches",
        |f| f.is_mapped().then(|| count(f.reached().stores)),
    ),
    maybe(
        "map.siblings",
        Type::Int,
        "how many share a store, a secret or a trust boundary with it",
        |f| f.is_mapped().then(|| count(f.look.siblings.found.len())),
    ),
    maybe(
        "map.users",
        Type::Int,
        "how many use it, its secrets or its store",
        |f| f.is_mapped().then(|| count(f.look.users.found.len())),
    ),
    maybe(
        "map.downstream_keys",
        Type::Int,
        "how many keys were issued with it",
        |f| {
            let rows = f
                .look
                .layers
                .iter()
                .filter(|row| row.layer == AccessLayer::Downstream);
            f.is_mapped().then(|| count(rows.count()))
        },
    ),
    known(
        "map.newcomers",
        Type::Int,
        "how much it made or touched for the first time since it is exposed",
        |f| Some(count(f.newcomers)),
    ),
    known(
        "map.truncated",
        Type::Bool,
        "whether the map was too large to look at as a whole",
        |f| Some(Val::Bool(f.look.truncated())),
    ),
];

fn of_resource<'f>(
    facts: &'f Facts<'_>,
    read: impl FnOnce(&'f crate::domain::alert::Resource) -> Option<Val<'f>>,
) -> Option<Val<'f>> {
    facts.alert.resource.as_ref().and_then(read)
}

/// Finds a field by its name.
pub fn find(path: &str) -> Option<(usize, &'static Field)> {
    FIELDS.iter().enumerate().find(|(_, f)| f.path == path)
}
