//! Our evaluation beside that of the library whose language it is: on every condition that we let pass, both say the same,
//! and where a field is unknown the library fails.

use std::collections::BTreeMap;

use cel::{Context, Program, Value};
use jiff::Timestamp;
use proptest::prelude::*;

use crate::domain::alert::Alert;
use crate::domain::graph::{Graph, Look};
use crate::domain::identity::{Identity, Scope};
use crate::domain::ids::IdentityId;
use crate::domain::policy::check::condition;
use crate::domain::policy::schema::FIELDS;
use crate::domain::policy::value::{Ranks, Val};
use crate::domain::policy::{About, Facts};
use crate::domain::vocabulary::{Criticality, IdentityKind, Severity};

/// What is judged: every combination of some things known and unknown.
#[derive(Clone, Debug)]
struct World {
    alert: Alert,
    identity: Identity,
}

fn worlds() -> impl Strategy<Value = World> {
    let confidence = proptest::option::of(0_u8..=100);
    let severity = proptest::option::of(0_usize..5);
    let criticality = proptest::option::of(0_usize..4);
    let environment = proptest::option::of("(production|staging)");
    let scopes = proptest::collection::vec("(admin|read|secrets.read)", 0..3);
    (confidence, severity, criticality, environment, scopes).prop_map(|(c, s, k, e, scopes)| {
        let severity = s.map(|n| Severity::ALL[n]);
        let mut alert = crate::domain::queue::tests::alert("s/1", severity, 100);
        alert.confidence = c;
        let id = IdentityId::new("p:x");
        let mut identity = Identity::not_in_inventory(id, "x".into(), IdentityKind::AiAgent);
        identity.criticality = k.map(|n| Criticality::ALL[n]);
        identity.environment = e.map(|e| e.as_str().into());
        identity.scopes = scopes
            .into_iter()
            .map(|name| Scope {
                name: name.as_str().into(),
                ..Scope::default()
            })
            .collect();
        World { alert, identity }
    })
}

const ATOMS: &[&str] = &[
    "alert.confident",
    "alert.confidence >= 50",
    "alert.confidence + 10 < 90",
    "has(alert.confidence)",
    "alert.severity >= severity.high",
    "alert.severity == severity.low",
    "severity.medium != alert.severity",
    "alert.pattern in [\"other\", \"recon\"]",
    "identity.kind == \"ai_agent\"",
    "has(identity.environment)",
    "identity.environment == \"production\"",
    "identity.environment.startsWith(\"prod\")",
    "identity.environment.contains(\"ag\")",
    "identity.environment.endsWith(\"g\")",
    "identity.criticality < criticality.high",
    "size(identity.scopes) > 1",
    "\"admin\" in identity.scopes",
    "identity.scopes.exists(x, x == \"admin\" || x.contains(\"read\"))",
    "identity.scopes.all(x, x.startsWith(\"a\") && alert.confidence > 20)",
    "identity.listed",
    "(alert.confident ? alert.confidence : 5) > 10",
    "true",
    "false",
];

fn conditions() -> impl Strategy<Value = String> {
    let atom = (0..ATOMS.len()).prop_map(|n| ATOMS[n].to_owned());
    atom.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            inner.clone().prop_map(|a| format!("!({a})")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a}) && {b}")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a}) || ({b})")),
            (inner.clone(), inner.clone(), inner)
                .prop_map(|(a, b, c)| format!("({a}) ? ({b}) : ({c})")),
        ]
    })
}

/// Binds every known field; one that is unknown is not there.
fn bound(facts: &Facts<'_>) -> Context<'static, 'static> {
    let mut roots: BTreeMap<&str, BTreeMap<String, Value>> = BTreeMap::new();
    for field in FIELDS {
        let Some((root, name)) = field.path.split_once('.') else {
            continue;
        };
        let value = match (field.get)(facts) {
            None | Some(Val::Time(_) | Val::Span(_)) => {
                roots.entry(root).or_default();
                continue;
            }
            Some(Val::Bool(b)) => Value::Bool(b),
            Some(Val::Int(n)) => Value::Int(n),
            Some(Val::Rank(_, n)) => Value::Int(n.into()),
            Some(Val::Text(t)) => Value::from(t.as_ref()),
            Some(Val::Texts(all)) => {
                Value::from(all.iter().map(|t| Value::from(*t)).collect::<Vec<_>>())
            }
        };
        roots
            .entry(root)
            .or_default()
            .insert(name.to_owned(), value);
    }
    for ranks in Ranks::ALL {
        let words = ranks.all().into_iter().enumerate();
        let words = words.map(|(n, word)| (word.to_owned(), Value::Int(n as i64)));
        roots.insert(ranks.name(), words.collect());
    }
    let mut context = Context::default();
    for (root, fields) in roots {
        let fields: std::collections::HashMap<String, Value> = fields.into_iter().collect();
        context.add_variable_from_value(root.to_owned(), fields);
    }
    context
}

fn with_facts<T>(world: &World, look: impl FnOnce(&Facts<'_>) -> T) -> T {
    let (graph, empty) = (Graph::default(), Look::default());
    look(&Facts::new(About {
        alert: &world.alert,
        identity: Some(&world.identity),
        graph: &graph,
        look: &empty,
        live: None,
        newcomers: 0,
        elsewhere: false,
        now: Timestamp::UNIX_EPOCH,
    }))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn we_say_what_the_library_says(world in worlds(), source in conditions()) {
        let Ok(term) = condition(&source) else {
            return Ok(()); // Too deep for a condition.
        };
        let (ours, theirs) = with_facts(&world, |facts| {
            let program = Program::compile(&source).unwrap();
            (term.holds(facts), program.execute(&bound(facts)))
        });
        match (ours, theirs) {
            (Ok(ours), Ok(Value::Bool(theirs))) => prop_assert_eq!(ours, theirs, "{}", source),
            (Err(_), Err(_)) => {}
            (ours, theirs) => prop_assert!(false, "{}: {:?} beside {:?}", source, ours, theirs),
        }
    }

    #[test]
    fn every_field_is_of_the_type_that_it_says(world in worlds()) {
        with_facts(&world, |facts| {
            for field in FIELDS {
                let value = (field.get)(facts);
                assert!(field.optional || value.is_some(), "{}", field.path);
                assert!(value.is_none_or(|v| v.is(field.ty)), "{}", field.path);
            }
        });
    }
}
