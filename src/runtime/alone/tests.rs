use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use rstest::rstest;
use serde_json::json;
use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

use super::*;
use crate::app::settings::{AuthSettings, ConnectorSettings, Desk};
use crate::connect::Connectors;
use crate::domain::decision::RecordType;
use crate::domain::ids::AlertId;
use crate::domain::policy::lint::load;
use crate::domain::policy::{Finding, Source};
use crate::journal::JournalConfig;
use crate::runtime::anchor::Anchoring;
use crate::runtime::journal::Journal;
use crate::runtime::services::{Latest, SHIPPED};

const BOOKS: &str = r#"
[[playbook]]
id = "cut"
title = "Revoke tokens"
when = {}
step = [{ do = "preserve_evidence", team = "SOC", tier = "monitor" }, { do = "revoke_tokens", team = "IAM", tier = "soft" }]
[[playbook]]
id = "hard"
title = "The same, and it interrupts"
when = {}
step = [{ do = "preserve_evidence", team = "SOC", tier = "monitor" }, { do = "revoke_tokens", team = "IAM", tier = "hard" }, { do = "notify_owner", team = "SOC", tier = "monitor" }]
"#;

/// A provider, a store for logs, and the services of the consoles on them.
struct World {
    dir: tempfile::TempDir,
    server: MockServer,
    revoked: Arc<AtomicUsize>,
}

impl World {
    async fn new() -> Self {
        let server = MockServer::start().await;
        let revoked = Arc::new(AtomicUsize::new(0));
        let (seen, count) = (Arc::clone(&revoked), Arc::clone(&revoked));
        let introspect = move |_: &Request| {
            let active = seen.load(Ordering::SeqCst) == 0;
            ResponseTemplate::new(200)
                .set_body_json(json!({"active": active, "client_id": "svc-a"}))
        };
        let revoke = move |_: &Request| {
            count.fetch_add(1, Ordering::SeqCst);
            ResponseTemplate::new(200)
        };
        let answers = |at: &'static str| Mock::given(method("POST")).and(path(at));
        answers("/oauth/introspect")
            .respond_with(introspect)
            .mount(&server)
            .await;
        answers("/oauth/revoke")
            .respond_with(revoke)
            .mount(&server)
            .await;
        let dir = tempfile::tempdir().unwrap();
        let token = dir.path().join("token");
        std::fs::write(&token, "stolen-token-0123456789").unwrap();
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        std::fs::set_permissions(&token, mode).unwrap();
        Self {
            dir,
            server,
            revoked,
        }
    }

    /// A console of this user; several write into the same log.
    fn console(&self, keys: &str, read_only: bool) -> Services {
        let books = Source {
            name: "books",
            text: BOOKS,
        };
        let loaded = load(SHIPPED[0], &[books], None);
        assert_eq!(loaded.findings, Vec::<Finding>::new());
        let idp = ConnectorSettings {
            preset: Some("oauth".to_owned()),
            file: None,
            base_url: self.server.uri(),
            params: BTreeMap::new(),
            auth: AuthSettings::default(),
            ca_file: None,
            timeout_s: 5,
        };
        let inventory = Arc::new(self.inventory());
        let journal = JournalConfig {
            store: self.dir.path().join("store"),
            site: "soc.example".into(),
            keys: self.dir.path().join(keys),
            drill: false,
            allow_network_fs: true,
            person: None,
            policy: None,
            fallback: None,
        };
        let anchoring = Anchoring {
            poster: None,
            warn_lines: 100,
            warn_s: 900,
        };
        Services {
            connectors: Arc::new(Connectors::load(&[("idp".to_owned(), idp)].into()).unwrap()),
            playbooks: loaded.playbooks.into(),
            policy: Arc::new(loaded.policy),
            authority: None,
            own: None,
            latest: Latest::new(inventory.clone()),
            inventory,
            inventory_sources: None,
            journal: Journal::open(journal, read_only, anchoring, Arc::new(|_| {})),
            alerts: None,
            desk: Desk::default(),
            views: None,
            drill_speed: None,
        }
    }

    fn inventory(&self) -> crate::domain::inventory::Inventory {
        let text = format!(
            "[[identity]]\nid = 'idp:svc-a'\nname = 'svc-a'\nkind = 'oauth_client'\ntechnical_owner = 'Platform'\n\
             connector = 'idp'\nparams = {{ client_id = 'svc-a' }}\n\n\
             [[identity.credential]]\nid = 'leaked'\nkind = 'access_token'\nsecret_ref = 'file:{}'\n",
            self.dir.path().join("token").display()
        );
        crate::inventory::parse(&text, "test").unwrap()
    }

    fn sent(&self) -> usize {
        self.revoked.load(Ordering::SeqCst)
    }
}

fn alert() -> AlertId {
    AlertId::new("siem/f-1")
}

fn asked(services: &Services, playbook: &str) -> Begin {
    let identity = services
        .inventory
        .identities()
        .values()
        .next()
        .unwrap()
        .clone();
    Begin {
        decision: Decision {
            identity: Some(identity.id.clone()),
            playbook: Some(playbook.to_owned()),
            ..Decision::on(alert(), DecisionKind::AutoBegun, Some("it is bad".into()))
        },
        incident: None,
        identity,
        graph: services.inventory.graph().clone(),
        seconds: 30,
    }
}

async fn told(services: &Services) -> Vec<DecisionKind> {
    let known = services.journal.latest().await.unwrap();
    let all = known.of_alert(&alert()).iter();
    let kinds = all.map(|(_, _, d)| d.kind).filter(|k| k.is_automatic());
    kinds.collect()
}

async fn last(services: &Services) -> Decision {
    let known = services.journal.latest().await.unwrap();
    known.of_alert(&alert()).last().unwrap().2.clone()
}

async fn ends(services: &Services, decision: Decision) -> Ended {
    let (stop, report) = (AtomicBool::new(false), Arc::new(|_| {}) as Report);
    run(services, decision, &stop, &report).await
}

/// Begins a countdown; returns its record.
async fn counting(services: &Services) -> Decision {
    begin(services, asked(services, "cut")).await.unwrap();
    let begun = last(services).await;
    assert_eq!(begun.kind, DecisionKind::AutoBegun, "{:?}", begun.reason);
    begun
}

#[tokio::test]
async fn a_countdown_is_a_record_with_its_plan_its_end_and_the_policy_that_says_so() {
    let world = World::new().await;
    let services = world.console("keys", false);
    let before = Timestamp::now();
    let begun = counting(&services).await;
    let left = begun.until.unwrap().duration_since(before).as_secs();
    assert!((30..60).contains(&left), "{left}");
    let plan = begun.plan.unwrap();
    assert!(services.journal.plan(plan.as_str()).await.is_some());
    let digest = policy_digest(&services.playbooks, &services.policy.file);
    assert_eq!(begun.by_policy.as_deref(), Some(&*digest));
    assert_eq!(world.sent(), 0);
}

#[rstest]
#[case("hard", "is disruptive: a person decides")]
#[case("nobody's", "no plan: there is no playbook")]
#[tokio::test]
async fn what_is_not_routine_or_cannot_be_planned_waits(#[case] book: &str, #[case] why: &str) {
    let world = World::new().await;
    let services = world.console("keys", false);
    begin(&services, asked(&services, book)).await.unwrap();
    let waits = last(&services).await;
    assert_eq!((waits.kind, &waits.plan), (DecisionKind::AutoWaits, &None));
    assert!(waits.reason.as_deref().unwrap().contains(why), "{waits:?}");
}

#[tokio::test]
async fn what_counted_down_runs_once_and_that_is_written_down_first() {
    let world = World::new().await;
    let services = world.console("keys", false);
    let begun = counting(&services).await;
    let ended = ends(&services, begun.clone()).await;
    assert!(ended.ran && ended.all_proven(), "{}", ended.text);
    assert_eq!(world.sent(), 1);
    let again = ends(&services, begun).await;
    assert!(!again.ran);
    assert_eq!(
        again.text,
        "the countdown was stopped, or run already; nothing was sent"
    );
    assert_eq!(world.sent(), 1);
    assert_eq!(
        told(&services).await,
        [DecisionKind::AutoBegun, DecisionKind::AutoRun]
    );
    let log = services.journal.latest().await.unwrap();
    let run_at = log.alone().of(&alert()).unwrap().at;
    assert!(log.acts_for(&alert()).all(|act| act.at >= run_at));
}

#[rstest]
#[case(DecisionKind::AutoVetoed, "the countdown was stopped, or run already")]
#[case(DecisionKind::Claim, "somebody has taken the alert in hand")]
#[case(DecisionKind::Dismiss, "somebody has taken the alert in hand")]
#[tokio::test]
async fn what_another_console_wrote_just_now_counts(#[case] kind: DecisionKind, #[case] why: &str) {
    let world = World::new().await;
    let (services, other) = (world.console("keys", false), world.console("keys", false));
    let begun = counting(&services).await;
    let decision = match kind {
        DecisionKind::AutoVetoed => Decision {
            kind,
            ..begun.clone()
        },
        _ => Decision::on(alert(), kind, Some("mine".into())),
    };
    other
        .journal
        .record(RecordType::Decision, &decision)
        .await
        .unwrap();
    // Nobody follows the log here: what stands in it is read because it is asked for.
    let ended = ends(&services, begun).await;
    assert!(!ended.ran && ended.text.contains(why), "{}", ended.text);
    assert_eq!(world.sent(), 0);
    assert!(!told(&services).await.contains(&DecisionKind::AutoRun));
}

#[tokio::test]
async fn nothing_runs_that_cannot_be_written_down() {
    let world = World::new().await;
    let services = world.console("keys", false);
    let begun = counting(&services).await;
    let watching = world.console("keys-c", true);
    let ended = ends(&watching, begun.clone()).await;
    assert!(!ended.ran, "{}", ended.text);
    assert!(
        ended.text.starts_with("the run could not be recorded"),
        "{}",
        ended.text
    );
    let nothing = Decision {
        plan: None,
        ..begun
    };
    assert_eq!(
        ends(&services, nothing).await.text,
        "a countdown without a plan"
    );
    assert_eq!(world.sent(), 0);
    assert_eq!(told(&services).await, [DecisionKind::AutoBegun]);
}
