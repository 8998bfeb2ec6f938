//! What acting costs beside bare requests: 1,000 steps over 100 identities against a peer on loopback, each with its records
//! and its read-back: `cargo bench --bench fanout`. The budget is 1.5 times what the same requests, and the same records and
//! files of evidence, cost by themselves.
//!
//! `STANCH_BENCH_DIR` sets the disk of the log.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use axum::Router;
use axum::routing::{get, post};
use futures::StreamExt as _;
use jiff::Timestamp;
use stanch::app::settings::{AuthSettings, ConnectorSettings, Desk};
use stanch::connect::Connectors;
use stanch::domain::decision::{Decision, DecisionKind};
use stanch::domain::ids::{AlertId, IdentityId, PlanDigest};
use stanch::domain::playbook::PlaybookFile;
use stanch::journal::JournalConfig;
use stanch::runtime::anchor::Anchoring;
use stanch::runtime::approval::Patience;
use stanch::runtime::execute;
use stanch::runtime::journal::{Journal, Report};
use stanch::runtime::planner::{Alerted, build};
use stanch::runtime::services::{Latest, Services};

const IDENTITIES: usize = 100;
/// How many identities are acted on at once.
const AT_ONCE: usize = 16;
/// Ten acts on each.
const VERBS: [(&str, &str); 10] = [
    ("revoke_sessions", "sessions"),
    ("revoke_tokens", "tokens"),
    ("revoke_grants", "grants"),
    ("restrict_privilege", "permissions"),
    ("disable_credential", "credentials"),
    ("disable_identity", "credentials"),
    ("pause_agent", "workload"),
    ("unbind_tool", "permissions"),
    ("isolate_workload", "workload"),
    ("freeze_pipeline", "pipeline"),
];

fn connector() -> String {
    let mut text = String::from(
        "kind = \"http\"\ntitle = \"Bench\"\n[param.id]\nfrom = \"identity\"\npattern = '[a-z0-9]{1,8}'\nhelp = \"its id\"\n\
         [[context.sessions]]\nread = { id = \"sessions\", path = \"/state/sessions/{id}\" }\nshape = \"[]\"\n",
    );
    for (verb, layer) in VERBS {
        let _ = write!(
            text,
            "[action.{verb}]\ntitle = \"{verb}\"\nlayer = \"{layer}\"\nbreaks = \"it\"\nidempotent = true\ntarget = \"{{id}}\"\n\
             request = [{{ id = \"act\", method = \"POST\", path = \"/act/{verb}/{{id}}\", expect = [200] }}]\n\
             verify = {{ request = [{{ id = \"now\", path = \"/state/{verb}/{{id}}\" }}], proven_if = \".now.body.off\", says = \"it is off\", interval_ms = 500, deadline_ms = 5000 }}\n\
             undo = {{ irreversible = \"a bench takes nothing back\" }}\n"
        );
    }
    text
}

fn playbook() -> String {
    let mut steps = String::new();
    for (verb, _) in VERBS {
        let _ = write!(
            steps,
            ", {{ do = \"{verb}\", team = \"IAM\", tier = \"soft\" }}"
        );
    }
    format!(
        "[[playbook]]\nid = \"all\"\ntitle = \"All\"\nwhen = {{}}\nas_written = \"a bench\"\nstep = [{{ do = \"preserve_evidence\", team = \"SOC\", tier = \"monitor\" }}{steps}]\n"
    )
}

fn inventory() -> String {
    let one = |n| {
        format!(
            "[[identity]]\nid = 'p:i{n}'\nname = 'i{n}'\nkind = 'service_account'\ntechnical_owner = 'team'\nconnector = 'c'\nparams = {{ id = 'i{n}' }}\n"
        )
    };
    (0..IDENTITIES).map(one).collect()
}

/// A peer that does at once what it is asked, and counts.
async fn peer() -> anyhow::Result<(String, Arc<AtomicUsize>)> {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = |asked: &Arc<AtomicUsize>, answer: &'static str| {
        let asked = Arc::clone(asked);
        move || {
            asked.fetch_add(1, Ordering::Relaxed);
            std::future::ready(([("content-type", "application/json")], answer))
        }
    };
    let app = Router::new()
        .route("/act/{verb}/{id}", post(count(&asked, "{}")))
        .route("/state/{verb}/{id}", get(count(&asked, "{\"off\":true}")));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);
    tokio::spawn(async move { axum::serve(listener, app).await });
    Ok((url, asked))
}

fn journal(dir: &Path) -> Journal {
    let config = JournalConfig {
        store: dir.join("store"),
        site: "bench.example".into(),
        keys: dir.join("keys"),
        drill: false,
        allow_network_fs: true,
        person: None,
        policy: None,
        fallback: None,
    };
    let anchoring = Anchoring {
        poster: None,
        warn_lines: 100_000,
        warn_s: 900,
    };
    Journal::open(config, false, anchoring, Arc::new(|_| {}))
}

fn services(dir: &Path, url: &str) -> anyhow::Result<Services> {
    let file = dir.join("c.toml");
    std::fs::write(&file, connector())?;
    let settings = ConnectorSettings {
        preset: None,
        file: Some(file),
        base_url: url.to_owned(),
        params: BTreeMap::new(),
        auth: AuthSettings::default(),
        ca_file: None,
        timeout_s: 5,
    };
    let inventory = Arc::new(stanch::inventory::parse(&inventory(), "bench")?);
    Ok(Services {
        connectors: Arc::new(Connectors::load(&[("c".to_owned(), settings)].into())?),
        playbooks: PlaybookFile::parse(&playbook())?.playbooks.into(),
        policy: Arc::default(),
        authority: None,
        own: None,
        latest: Latest::new(inventory.clone()),
        inventory,
        inventory_sources: None,
        journal: journal(dir),
        alerts: None,
        desk: Desk::default(),
        views: None,
        drill_speed: None,
    })
}

async fn plans(services: &Services) -> anyhow::Result<Vec<PlanDigest>> {
    let mut digests = Vec::new();
    for n in 0..IDENTITIES {
        let id = IdentityId::new(format!("p:i{n}"));
        let identity = services.inventory.identity(&id);
        let identity = identity.ok_or_else(|| anyhow::anyhow!("{id} is not listed"))?;
        let alerted = Alerted {
            id: &AlertId::new(format!("bench/{n}")),
            incident: None,
            graph: None,
        };
        let built = build(services, &alerted, identity, "all", Timestamp::now()).await;
        digests.push(built.map_err(anyhow::Error::msg)?.0);
    }
    Ok(digests)
}

/// Runs all plans; returns how long it took and how many steps were proven.
async fn acting(services: &Services, digests: &[PlanDigest]) -> (Duration, usize) {
    let report: Report = Arc::new(|_| {});
    let began = Instant::now();
    let runs = digests.iter().map(|digest| {
        let (services, report) = (services.clone(), report.clone());
        async move {
            let stop = AtomicBool::new(false);
            let waiting = (Patience::Leave, &stop);
            let ended = execute::run(&services, digest, None, waiting, &report).await;
            assert!(ended.all_proven(), "{}", ended.text);
            ended.cells.len()
        }
    });
    let proven: Vec<usize> = futures::stream::iter(runs)
        .buffer_unordered(AT_ONCE)
        .collect()
        .await;
    (began.elapsed(), proven.iter().sum())
}

/// The same number of requests, half of them writes, in as many rows as are acted on at once.
async fn bare(url: &str, requests: usize) -> anyhow::Result<Duration> {
    let client = reqwest::Client::builder().no_proxy().build()?;
    let began = Instant::now();
    let each = requests / IDENTITIES;
    let rows = (0..IDENTITIES).map(|n| {
        let (client, url) = (client.clone(), url.to_owned());
        async move {
            for at in 0..each {
                let request = match at % 2 {
                    0 => client.post(format!("{url}/act/x/i{n}")),
                    _ => client.get(format!("{url}/state/x/i{n}")),
                };
                request.send().await?.error_for_status()?.bytes().await?;
            }
            anyhow::Ok(())
        }
    });
    let mut rows = futures::stream::iter(rows).buffer_unordered(AT_ONCE);
    while let Some(row) = rows.next().await {
        row?;
    }
    Ok(began.elapsed())
}

/// The same number of records, each on the disk before the next of its row, and a file of evidence for each row before them.
async fn records(dir: &Path, lines: usize) -> anyhow::Result<Duration> {
    let journal = journal(dir);
    let each = lines / IDENTITIES;
    let began = Instant::now();
    let rows = (0..IDENTITIES).map(|n| {
        let journal = journal.clone();
        async move {
            let kept = format!("evidence of row {n}").into_bytes();
            journal.blob("sessions", "bench", kept).await?;
            let alert = AlertId::new(format!("bench/{n}"));
            let decision = Decision::on(alert, DecisionKind::Note, Some("a line ".repeat(40)));
            for _ in 0..each {
                journal
                    .record_decisions(std::slice::from_ref(&decision))
                    .await?;
            }
            anyhow::Ok(())
        }
    });
    let mut rows = futures::stream::iter(rows).buffer_unordered(AT_ONCE);
    while let Some(row) = rows.next().await {
        row?;
    }
    let took = began.elapsed();
    journal.end().await;
    Ok(took)
}

fn main() -> anyhow::Result<()> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let base = std::env::var_os("STANCH_BENCH_DIR").map_or_else(std::env::temp_dir, PathBuf::from);
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(async {
        let (dir, other) = (tempfile::tempdir_in(&base)?, tempfile::tempdir_in(&base)?);
        let (url, asked) = peer().await?;
        let services = services(dir.path(), &url)?;
        let digests = plans(&services).await?;
        let before = (asked.load(Ordering::Relaxed), lines(dir.path()));
        let (took, steps) = acting(&services, &digests).await;
        let requests = asked.load(Ordering::Relaxed) - before.0;
        let written = lines(dir.path()) - before.1;
        services.journal.end().await;
        let bare = bare(&url, requests).await?;
        let records = records(other.path(), written).await?;
        let ms = |d: Duration| d.as_secs_f64() * 1e3;
        println!("{steps} steps over {IDENTITIES} identities, {AT_ONCE} at once: {requests} requests, {written} lines");
        println!("the console           {:>9.1} ms", ms(took));
        println!("bare requests         {:>9.1} ms", ms(bare));
        println!("bare records          {:>9.1} ms", ms(records));
        let ratio = ms(took) / (ms(bare) + ms(records));
        println!("console over both     {ratio:>9.2}    (budget 1.5)");
        anyhow::Ok(())
    })
}

/// Counts the lines of all logs below a folder.
fn lines(dir: &Path) -> usize {
    let mut found = 0;
    let mut folders = vec![dir.join("store/logs")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "jsonl") {
                let text = std::fs::read(&path).unwrap_or_default();
                found += memchr::memchr_iter(b'\n', &text).count();
            }
        }
    }
    found
}
