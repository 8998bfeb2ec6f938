//! A console in a known state: the drill's inventory, a few alerts, and whatever overlay a test wants to see.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use stanch::app::keymap::Keymap;
use stanch::app::keys::Key;
use stanch::app::model::{DrillView, Model, Phase};
use stanch::app::msg::{Effect, Msg};
use stanch::app::passing;
use stanch::app::update::update;
use stanch::domain::coverage::CellState;
use stanch::domain::identity::{LiveContext, Scope, Session};
use stanch::domain::ids::{PlanDigest, StepId};
use stanch::domain::options::Capability;
use stanch::domain::plan::{
    Body, ImpactNode, ImpactSnapshot, Plan, PlanStep, RenderedRequest, RenderedVerify, Residual,
    Undo,
};
use stanch::domain::queue::Row;
use stanch::domain::text::Untrusted;
use stanch::domain::vocabulary::{Criticality, Layer, Tier, Verb};
use stanch::drill::Scenario;
use stanch::runtime::services::Services;

/// The moment in which every test happens.
pub fn now() -> Timestamp {
    "2026-11-21T03:14:00Z".parse().unwrap()
}

pub mod board;
pub mod card;
pub mod coverage;
pub mod evil;
pub mod maps;
pub mod modes;
pub mod ready;
pub mod records;
pub mod standing;

use evil::spice;

/// A console without its outside.
pub struct World {
    /// Its state.
    pub model: Model,
    keymap: Keymap,
    /// The time of the next event.
    pub clock: Timestamp,
}

/// An alert of another kind that names nobody and hints at somebody.
fn hinting() -> serde_json::Value {
    serde_json::json!({
        "fingerprint": "f7", "startsAt": "2026-11-21T11:50:00Z", "status": { "state": "active" },
        "labels": {
            "alertname": "TokenUsedFromNewNetwork", "severity": "critical", "action_pattern": "token_replay",
            "pod": "api-0", "namespace": "payments",
        },
    })
}

fn finding(uid: &str, who: &str, title: &str, pattern: &str, severity: u8, minutes: i64) -> Value {
    let at = now().as_millisecond() - minutes * 60_000;
    json!({
        "class_uid": 2004, "category_uid": 2, "activity_id": 1, "type_uid": 200_401, "time": at,
        "severity_id": severity, "confidence_score": 91,
        "metadata": {"version": "1.5.0", "product": {"name": "Lab Identity", "vendor_name": "Lab"}},
        "finding_info": {"uid": uid, "title": spice(title), "types": [pattern], "first_seen_time": at},
        "resources": [{"uid": spice("prod/payments-db"), "type": "Secret"}],
        "evidences": [{"actor": {"user": {"uid": who, "name": who, "type_id": 4}, "idp": {"uid": "lab", "name": "lab"}}}],
    })
}

fn drill_findings() -> Vec<Value> {
    vec![
        finding(
            "f1",
            "svc-deploy",
            "svc-deploy read secret prod/payments-db",
            "secret_read",
            5,
            12,
        ),
        finding(
            "f2",
            "svc-deploy",
            "svc-deploy logged in from a new address",
            "credential_used_anomalously",
            4,
            14,
        ),
        finding(
            "f3",
            "vendor-shipfast",
            "API key unused for two years is active",
            "stale_identity_active",
            3,
            60 * 30,
        ),
        finding(
            "f4",
            "svc-backup-legacy",
            "Old backup account is active",
            "stale_identity_active",
            3,
            60 * 5,
        ),
    ]
}

fn held(name: &str, privileged: bool) -> Scope {
    Scope {
        name: spice(name).as_str().into(),
        privileged,
        ..Scope::default()
    }
}

fn rows(findings: &[Value]) -> Vec<Row> {
    let decode = |value: &Value| {
        let mut alerts =
            stanch::intake::decode::decode(None, value.to_string().as_bytes(), "drill", now())
                .unwrap();
        let alert = alerts.remove(0);
        Row {
            alert,
            count: 1,
            first_seen: now(),
            last_seen: now(),
        }
    };
    findings.iter().map(decode).collect()
}

impl World {
    fn new() -> Self {
        let scenario = Scenario::load(stanch::drill::DEFAULT).unwrap();
        let inventory = stanch::inventory::parse(&scenario.inventory_toml(now()), "drill").unwrap();
        let capability = |title: &str, layer, breaks: &str| Capability {
            title: title.to_owned(),
            layer,
            breaks: spice(breaks),
            irreversible: None,
            residual: Vec::new(),
        };
        let lab = BTreeMap::from([
            (
                Verb::DisableCredential,
                capability("Disable the deploy keys", Layer::Credentials, "deploys"),
            ),
            (
                Verb::RevokeSessions,
                capability("End all sessions", Layer::Sessions, "logins"),
            ),
            (
                Verb::RestrictPrivilege,
                capability("Reduce the roles", Layer::Permissions, ""),
            ),
            (
                Verb::RotateSecret,
                capability("Rotate the secret", Layer::Credentials, "consumers"),
            ),
            (
                Verb::DisableIdentity,
                capability("Disable the client", Layer::Credentials, "everything"),
            ),
        ]);
        let model = Model {
            inventory: Arc::new(inventory),
            playbooks: Services::shipped_playbooks().unwrap(),
            policy: Services::shipped_policy(),
            capabilities: Arc::new(BTreeMap::from([("lab".to_owned(), lab)])),
            drill: Some(DrillView {
                title: "Leaked deploy key".into(),
                intruder_in: true,
                score: vec![
                    "The intruder is still in.".into(),
                    "Rightful work was not interrupted.".into(),
                ],
            }),
            ..Model::default()
        };
        let mut world = Self {
            model,
            keymap: Keymap::default(),
            clock: now(),
        };
        world.send(Msg::Source {
            name: "drill".into(),
            healthy: true,
            text: spice("following"),
        });
        world
    }

    /// Returns a world that shows a screen, by name.
    pub fn showing(screen: &str) -> Self {
        let mut world = Self::new();
        if screen == "empty" {
            return world;
        }
        if screen == "contradicted" {
            world.contradict();
        }
        world.alerts(screen);
        world.show(screen);
        world
    }

    fn show(&mut self, screen: &str) {
        let world = self;
        match screen {
            "preview_soft" => world.preview("1", Tier::Soft),
            "preview_hard" => {
                world.preview("1", Tier::Hard);
                world.type_text("svc-dep");
            }
            "running" | "ended" | "failed" => world.run(screen),
            "reason" => {
                world.press("D");
                world.type_text("planned key rotation, ticket 4711");
            }
            "help" => world.press("?"),
            board if board.starts_with("board_") => world.standing(board),
            "why" => world.press("w"),
            "why_rules" => world.press("w pgdn pgdn pgdn pgdn"),
            "help_searched" => {
                world.press("? /");
                world.type_text("hold");
            }
            "tour" => world.model.tour = Some(1),
            "zoomed" => world.press("tab Z"),
            "wider" => world.press("> > >"),
            "passing" => {
                for _ in 0..2 {
                    world.send(Msg::Key(Key::char('j')));
                }
            }
            "messages" => world.press("m"),
            "palette" => world.press(":"),
            "palette_typed" => {
                world.press(":");
                world.type_text("identity");
                world.press("down");
            }
            "score" => world.press("S"),
            "quit" => {
                world.run("running");
                world.press("esc q");
            }
            "unrecorded" => {
                let text = "NOT RECORDED in the log but in /run/user/1000/stanch/local+jump1+alice+01.jsonl and the system's log";
                world.send(Msg::Unrecorded(text.into()));
                let why =
                    format!("{text}: cannot bring to the disk: Input/output error (os error 5)");
                world.send(Msg::JournalProblem(Some(why)));
                world.press("q");
            }
            "log" | "log_filtered" | "log_typing" | "log_broken" | "log_only" => world.log(screen),
            "log_hostile" | "log_hostile_record" => world.hostile_log(screen),
            "log_plan" | "log_outcome" => world.log_record(screen),
            "filtered" => {
                world.press("/");
                world.type_text("sev>=high -gone svc");
                world.press("enter");
            }
            "folded" => {
                world.press("z");
                world.press("space");
            }
            "put_off" => {
                world.press("space");
                world.press("space");
                world.press("s");
                world.type_text("4h vendor rotates at noon");
            }
            "views" => world.press("V"),
            "save_view" => {
                world.press("/");
                world.type_text("sev>=high");
                world.press("enter V s");
            }
            "inbox" | "debts" | "judging" | "refuse" => world.board(screen),
            "observed" => world.press("tab pgdn"),
            alone if alone.starts_with("alone") || alone.starts_with("policy") => {
                world.modes(alone);
            }
            map if map.starts_with("map") => world.map(map),
            ready if ready.starts_with("ready") => world.ready(ready),
            card if card.starts_with("card") => world.card(card),
            coverage if coverage.starts_with("coverage") => world.coverage(coverage),
            "filter_wrong" => {
                world.press("/");
                world.type_text("svc sev>=hihg");
            }
            "filter_empty" => {
                world.press("/");
                world.type_text("nobody");
            }
            "read_only" => {
                world.model.read_only = true;
                world.press("1");
            }
            "no_journal" => {
                world.send(Msg::JournalProblem(Some("no space left on device".into())));
            }
            _ => {}
        }
    }

    /// Reads a second source that does not agree with the first.
    fn contradict(&mut self) {
        let scenario = Scenario::load(stanch::drill::DEFAULT).unwrap();
        let catalog = "as_of = 2026-06-01T00:00:00Z\n[[identity]]\nid = 'lab:vendor-shipfast'\nenvironment = 'staging'\n\
                       technical_owner = 'Logistics'\nuninterruptible = 'labels of today'\nstop_cost = 'a day of parcels'\n";
        let own = scenario.inventory_toml(now());
        let texts = [("drill", own.as_str()), ("catalog", catalog)];
        self.model.inventory = Arc::new(stanch::inventory::parse_all(&texts));
    }

    fn alerts(&mut self, screen: &str) {
        let mut findings = drill_findings();
        if screen == "hostile" || screen == "log_hostile" {
            let title = &spice(
                "\u{1b}]0;pwned\u{7}Quarterly \u{202e}gpj.exe\u{200b} \u{9b}31m report\r\nrow",
            );
            findings.push(finding(
                "f5",
                "svc-dep\u{202e}loy\u{430}",
                title,
                "secret_read",
                5,
                99,
            ));
        }
        if screen == "unresolved" {
            let mut nameless = finding(
                "f6",
                "x",
                "Key found in a public repository",
                "credential_exposed",
                5,
                3,
            );
            nameless.as_object_mut().unwrap().remove("evidences");
            findings = vec![nameless];
        }
        if screen == "old" {
            let (eight_years, title) = (60 * 24 * 3_000, "Bucket listed by a stranger");
            findings.push(finding(
                "f7",
                "svc-old",
                title,
                "unheard_of",
                4,
                eight_years,
            ));
        }
        if screen == "hinted" {
            findings = vec![hinting()];
        }
        if screen == "contradicted" {
            findings.retain(|f| f["finding_info"]["uid"] == "f3");
        }
        self.send(Msg::Alerts(rows(&findings)));
        self.send(Msg::Malformed {
            source: "drill".into(),
            total: 1,
            reason: spice("not JSON"),
        });
        if let Some(card) = self.model.detail.identity.clone() {
            let context = LiveContext {
                enabled: Some(true),
                sessions: vec![Session {
                    id: Untrusted::new(spice("s-4a0a7401a4")),
                    kind: Untrusted::new(spice("access_token")),
                    started: now().checked_sub(SignedDuration::from_mins(12)).ok(),
                    last_seen: None,
                    expires: now().checked_add(SignedDuration::from_mins(9)).ok(),
                    origin: Some(Untrusted::new(spice("203.0.113.66 python-requests/2.32.4"))),
                }],
                scopes: vec![held("deploy", false), held("secrets.read", true)],
                unknown: vec![(
                    "grants".into(),
                    Untrusted::new(spice("the provider answered 503")),
                )],
                ..LiveContext::default()
            };
            self.send(Msg::Context {
                identity: card.id,
                at: now(),
                context: Box::new(context),
            });
        }
    }

    /// Feeds one event.
    pub fn send(&mut self, msg: Msg) -> Vec<Effect> {
        update(&mut self.model, &self.keymap, msg, self.clock)
    }

    /// Presses keys by name.
    pub fn press(&mut self, names: &str) {
        for name in names.split(' ') {
            let effects = self.send(Msg::Key(Key::parse(name).unwrap()));
            self.answer(&effects);
        }
        if self.model.is_passing() {
            let effects = passing::rest(&mut self.model);
            self.answer(&effects);
        }
    }

    fn type_text(&mut self, text: &str) {
        self.clock = self
            .clock
            .checked_add(SignedDuration::from_secs(1))
            .unwrap();
        for c in text.chars() {
            self.send(Msg::Key(Key::char(c)));
        }
        self.clock = now();
    }

    /// Answers requests for plans as the runtime would.
    pub fn answer(&mut self, effects: &[Effect]) {
        for effect in effects {
            if let Effect::BuildPlan { ticket, .. } = effect {
                self.built(*ticket, Tier::Soft);
            }
            if let Effect::Judge(_) = effect {
                self.judge();
            }
        }
    }

    fn preview(&mut self, key: &str, tier: Tier) {
        let effects = self.send(Msg::Key(Key::parse(key).unwrap()));
        let ticket = effects.iter().find_map(|e| {
            if let Effect::BuildPlan { ticket, .. } = e {
                Some(*ticket)
            } else {
                None
            }
        });
        self.built(ticket.expect("a plan is asked for"), tier);
    }

    fn built(&mut self, ticket: u64, tier: Tier) -> PlanDigest {
        let plan = plan(tier);
        let digest = plan.digest();
        self.send(Msg::PlanBuilt {
            ticket,
            result: Ok((digest.clone(), Arc::new(plan))),
        });
        digest
    }

    fn run(&mut self, how: &str) {
        let effects = self.send(Msg::Key(Key::char('1')));
        let ticket = effects.iter().find_map(|e| {
            if let Effect::BuildPlan { ticket, .. } = e {
                Some(*ticket)
            } else {
                None
            }
        });
        let digest = self.built(ticket.expect("a plan is asked for"), Tier::Soft);
        self.clock = now().checked_add(SignedDuration::from_secs(1)).unwrap();
        self.press("tab enter");
        self.clock = now();
        if how == "failed" {
            let text = spice("cannot check the plan against the provider: connection refused");
            self.send(Msg::RunEnded {
                digest,
                text,
                ran: false,
            });
            return;
        }
        self.send(Msg::Started {
            digest: digest.clone(),
        });
        let mut step = |id: &str, phase| {
            self.send(Msg::Step {
                digest: digest.clone(),
                step: StepId::new(id),
                phase,
            });
        };
        step(
            "1",
            Phase::Ended(
                CellState::Proven,
                spice("6 documents stored beside the log"),
            ),
        );
        if how == "running" {
            step("2", Phase::Verifying);
            return;
        }
        step(
            "2",
            Phase::Ended(CellState::Failed, spice("introspection still says active")),
        );
        step(
            "3",
            Phase::Ended(
                CellState::Unknown,
                spice("timed out after the request was sent"),
            ),
        );
        let text = "ended: 1 proven, 1 failed, 1 unknown".to_owned();
        self.send(Msg::RunEnded {
            digest,
            text,
            ran: true,
        });
    }
}

fn request(id: &str, method: &str, path: &str) -> RenderedRequest {
    RenderedRequest {
        id: id.to_owned(),
        method: method.to_owned(),
        url: format!("http://127.0.0.1:4000{path}"),
        headers: Vec::new(),
        body: Body::None,
        expect: vec![204],
        already: Vec::new(),
        accept_if: None,
        capture: None,
        next: None,
    }
}

fn step(id: &str, verb: Verb, title: &str, tier: Tier, path: &str) -> PlanStep {
    let acts = verb != Verb::PreserveEvidence;
    PlanStep {
        id: StepId::new(id),
        verb,
        title: spice(title),
        why: spice("what is there now may be gone in a minute"),
        team: "IAM".to_owned(),
        tier,
        layer: Layer::Sessions,
        connector: "lab".to_owned(),
        target: Untrusted::new(spice("client svc-deploy")),
        requests: if acts {
            vec![request("act", "POST", path)]
        } else {
            Vec::new()
        },
        verify: acts.then(|| RenderedVerify {
            requests: vec![request("read", "GET", "/admin/clients/c-1/sessions")],
            proven_if: "true".into(),
            says: spice("the client has no live session"),
            interval_ms: 500,
            deadline_ms: 10_000,
        }),
        undo: if acts {
            Undo::Irreversible {
                reason: spice("tokens cannot be reissued"),
            }
        } else {
            Undo::NothingToUndo
        },
        breaks: if acts {
            spice("whoever works with these tokens must log in again")
        } else {
            String::new()
        },
        idempotent: true,
        after_s: None,
    }
}

fn plan(tier: Tier) -> Plan {
    let node = |label: &str, criticality| ImpactNode {
        node: stanch::domain::ids::NodeId::new(label),
        label: Untrusted::new(spice(label)),
        criticality,
        depth: 1,
    };
    Plan {
        v: 1,
        alert: stanch::domain::ids::AlertId::new("drill/f1"),
        incident: None,
        identity: stanch::domain::ids::IdentityId::new("lab:svc-deploy"),
        identity_name: Untrusted::from("svc-deploy"),
        params: BTreeMap::new(),
        environment: Some(Untrusted::new(spice("production"))),
        playbook: "cut-live-access".into(),
        playbook_sha256: "0".repeat(64),
        tier,
        created: now(),
        expires: now().checked_add(SignedDuration::from_mins(15)).unwrap(),
        nonce: "n".into(),
        drill: true,
        steps: vec![
            step(
                "1",
                Verb::PreserveEvidence,
                "Keep evidence",
                Tier::Monitor,
                "",
            ),
            step(
                "2",
                Verb::RevokeTokens,
                "Revoke the tokens",
                tier,
                "/admin/clients/c-1/not-before",
            ),
            step(
                "3",
                Verb::RevokeSessions,
                "End all sessions",
                tier,
                "/admin/clients/c-1/logout",
            ),
        ],
        skipped: Vec::new(),
        impact: ImpactSnapshot {
            breaks: vec![node(
                "payments-release",
                Some(Criticality::BusinessCritical),
            )],
            reaches: vec![
                node("payments database", Some(Criticality::BusinessCritical)),
                node("artifact store", None),
            ],
            truncated: false,
            order: vec!["cached layer, 2: s-1, s-2; ended by step 2".to_owned()],
        },
        residual: vec![Residual {
            layer: Layer::Credentials,
            text: spice("the secret still works"),
            at_most_s: None,
        }],
        preconditions: Vec::new(),
    }
}
