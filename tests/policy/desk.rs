//! An alert, an identity and a map, as short as a table row wants them, and what policy and playbooks make of them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use jiff::Timestamp;
use stanch::domain::alert::{Alert, Resource, Subject};
use stanch::domain::graph::{Graph, Limits, Look};
use stanch::domain::identity::{Identity, LiveContext, Session};
use stanch::domain::ids::{AlertId, NodeId};
use stanch::domain::inventory::Inventory;
use stanch::domain::options::{Capabilities, Capability, Choice, Situation, choices};
use stanch::domain::playbook::Playbook;
use stanch::domain::policy::lint::{Loaded, load};
use stanch::domain::policy::trace::TraceRow;
use stanch::domain::policy::{About, Assessment, Facts, Policy};
use stanch::domain::vocabulary::{ActionPattern, IdentityKind, Layer, Severity, Tier, Verb};
use stanch::runtime::services::SHIPPED;

/// What policy and playbooks make of a case.
pub struct Made {
    pub assessment: Assessment,
    pub choices: Vec<Choice>,
    pub trace: Vec<TraceRow>,
    pub books: Vec<Playbook>,
}

impl Made {
    /// Returns the ids of the playbooks offered, in order, also of those that are off.
    pub fn offered(&self) -> Vec<&str> {
        let ids = self.choices.iter().filter_map(|c| c.playbook.as_deref());
        ids.collect()
    }

    /// Returns an option.
    #[track_caller]
    pub fn option(&self, id: &str) -> &Choice {
        let found = self
            .choices
            .iter()
            .find(|c| c.playbook.as_deref() == Some(id));
        found.unwrap_or_else(|| panic!("{id} is not offered; {:?} are", self.offered()))
    }

    /// Returns the verbs of a playbook, in order.
    #[track_caller]
    pub fn verbs(&self, id: &str) -> Vec<&'static str> {
        let book = self.books.iter().find(|b| b.id == id).unwrap();
        book.steps.iter().map(|s| s.verb.as_str()).collect()
    }

    /// Returns why the options that act are off.
    pub fn refused(&self) -> Vec<&str> {
        let acting = self.choices.iter().filter(|c| c.tier > Tier::Monitor);
        acting.filter_map(|c| c.disabled.as_deref()).collect()
    }

    #[track_caller]
    pub fn row(&self, id: &str) -> &TraceRow {
        self.trace.iter().find(|row| row.id == id).unwrap()
    }
}

/// A case to be judged.
pub struct Case {
    pub alert: Alert,
    inventory: String,
    live: Option<LiveContext>,
    without: Option<Verb>,
}

pub fn case(pattern: &str, kind: &str) -> Case {
    let kind = IdentityKind::parse(kind).unwrap();
    Case {
        alert: Alert {
            id: AlertId::new("test/1"),
            native_id: None,
            source: "test".into(),
            format: "test".into(),
            time: None,
            observed: at(1_000),
            exposed_at: None,
            title: "t".into(),
            severity: Some(Severity::High),
            severity_raw: None,
            confidence: Some(90),
            pattern: ActionPattern::parse(pattern).unwrap(),
            subject: Some(Subject {
                provider: "p".into(),
                native_id: "x".into(),
                kind,
                name: None,
            }),
            candidates: Vec::new(),
            resource: None,
            action: None,
            evidence_url: None,
            incident: None,
            techniques: Vec::new(),
            resolved: None,
            raw_sha256: stanch::domain::digest::Digest::default(),
        },
        inventory: format!(
            "[[identity]]\nid = 'p:x'\nname = 'x'\nkind = '{kind}'\nconnector = 'c'\ntechnical_owner = 'team'\n"
        ),
        live: None,
        without: None,
    }
}

pub fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

impl Case {
    pub fn sure(mut self, percent: u8) -> Self {
        self.alert.confidence = Some(percent);
        self
    }

    pub fn severity(mut self, severity: Severity) -> Self {
        self.alert.severity = Some(severity);
        self
    }

    pub fn touches(mut self, id: &str) -> Self {
        self.alert.resource = Some(Resource {
            id: id.into(),
            kind: "thing".into(),
        });
        self
    }

    /// Adds to the card, in the words of the inventory, or, after it, to the map.
    pub fn with(mut self, lines: &str) -> Self {
        self.inventory.push_str(lines);
        self.inventory.push('\n');
        self
    }

    /// Its provider lists one live token.
    pub fn with_live_token(mut self) -> Self {
        let token = Session {
            id: "t".into(),
            kind: "access_token".into(),
            started: None,
            last_seen: None,
            expires: None,
            origin: None,
        };
        self.live = Some(LiveContext {
            sessions: vec![token],
            ..LiveContext::default()
        });
        self
    }

    /// Its connector cannot do this.
    pub fn without(mut self, verb: Verb) -> Self {
        self.without = Some(verb);
        self
    }

    /// Judges it by what is shipped.
    pub fn judge(self) -> Made {
        static SHIPPED_SET: LazyLock<Loaded> =
            LazyLock::new(|| load(SHIPPED[0], &SHIPPED[1..], None));
        assert_eq!(
            SHIPPED_SET.findings,
            Vec::new(),
            "what is shipped must lint"
        );
        self.judge_by(&SHIPPED_SET.policy, SHIPPED_SET.playbooks.clone())
    }

    pub fn judge_by(self, policy: &Policy, books: Vec<Playbook>) -> Made {
        let inventory: Inventory = stanch::inventory::parse(&self.inventory, "test").unwrap();
        let identity: &Identity = inventory.identities().values().next().unwrap();
        let graph: &Graph = inventory.graph();
        let look = Look::at(graph, &NodeId::from(&identity.id), Limits::FULL);
        let facts = Facts::new(About {
            alert: &self.alert,
            identity: Some(identity),
            graph,
            look: &look,
            live: self.live.as_ref(),
            newcomers: 0,
            elsewhere: false,
            now: at(2_000),
        });
        let assessment = policy.assess(&facts);
        let trace = policy.trace(&facts, &assessment, &books);
        let mut means = everything();
        means.retain(|verb, _| Some(*verb) != self.without);
        let situation = Situation {
            alert: &self.alert,
            identity,
            capabilities: Some(&means),
            impact: &look.impact,
            exposure: &look.exposure,
            facts: &facts,
            assessment: &assessment,
            closed: BTreeSet::new(),
        };
        let choices = choices(&situation, &books);
        Made {
            assessment,
            choices,
            trace,
            books,
        }
    }
}

/// A connector that can do everything.
pub fn everything() -> Capabilities {
    let layer = |verb: Verb| match verb {
        Verb::RevokeSessions => Layer::Sessions,
        Verb::RevokeTokens => Layer::Tokens,
        Verb::RevokeGrants => Layer::Grants,
        Verb::RestrictPrivilege | Verb::BlockAction => Layer::Permissions,
        Verb::FreezePipeline => Layer::Pipeline,
        Verb::ProtectRecovery => Layer::Recovery,
        Verb::IsolateWorkload | Verb::BlockNetwork | Verb::PauseAgent | Verb::UnbindTool => {
            Layer::Workload
        }
        _ => Layer::Credentials,
    };
    let verbs = Verb::ALL.iter().filter(|v| !v.is_manual());
    let all = verbs.map(|verb| {
        let capability = Capability {
            title: verb.to_string(),
            layer: layer(*verb),
            breaks: String::new(),
            irreversible: None,
            residual: Vec::new(),
        };
        (*verb, capability)
    });
    all.collect::<BTreeMap<_, _>>()
}
