//! What acting costs beside a bare loop: 1,000 steps over 100 identities against a peer on loopback, each with its records
//! and its read-back, after evidence was kept of each identity: `cargo bench --bench fanout`. The budget is 1.5 times what
//! a loop costs that does nothing but send the same requests and bring as much to the same kind of log.
//!
//! The loop goes through one client, in as many rows as the console acts on identities at once. As `LOG` §3.6 orders it, in
//! each row a record is on the disk before a request leaves, one before its effect is read back, and one after that:
//! what no program that keeps that order can do without, and nothing else. Appends of all rows share a wait for the disk,
//! as they do while the console acts. Evidence is brought to the disk before the record that names it. It looks for no other
//! console and plans nothing. A loop that keeps no evidence is timed too, and requests, appends and files of evidence by
//! themselves, for whoever wants to know what the loop is made of.
//!
//! `STANCH_BENCH_DIR` sets the disk of the log, `STANCH_BENCH_ROUNDS` how often all is done (5).

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::Path as UrlPath;
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
use stanch::runtime::memory::Allocator;
use stanch::runtime::planner::{Alerted, build};
use stanch::runtime::services::{Latest, Services};

/// As in the program.
#[global_allocator]
static ALLOCATOR: Allocator = Allocator;

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
    let (acts, looks) = (Arc::clone(&asked), Arc::clone(&asked));
    let json = |text: Vec<u8>| ([("content-type", "application/json")], text);
    let act = async move || {
        acts.fetch_add(1, Ordering::Relaxed);
        json(b"{}".to_vec())
    };
    // No two identities have the same sessions, nor the same evidence.
    let state = async move |UrlPath((_, id)): UrlPath<(String, String)>| {
        looks.fetch_add(1, Ordering::Relaxed);
        json(evidence_of(&id))
    };
    let app = Router::new()
        .route("/act/{verb}/{id}", post(act))
        .route("/state/{verb}/{id}", get(state));
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
        allow_network_fs: false,
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
        let (services, report, digest) = (services.clone(), report.clone(), digest.clone());
        // As the console does it, and as the rows of the bare loop.
        tokio::spawn(async move {
            let stop = AtomicBool::new(false);
            let waiting = (Patience::Leave, &stop);
            let ended = execute::run(&services, &digest, None, waiting, &report).await;
            assert!(ended.all_proven(), "{}", ended.text);
            ended.cells.len()
        })
    });
    let proven: Vec<_> = futures::stream::iter(runs)
        .buffer_unordered(AT_ONCE)
        .collect()
        .await;
    let proven = proven.into_iter().map(|steps| steps.unwrap_or(0)).sum();
    (began.elapsed(), proven)
}

/// What a bare loop does of requests and appends.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Does {
    Requests,
    Appends,
    /// Requests and appends.
    Both,
    /// Files of evidence too.
    All,
}

/// Of each identity its confirmation, its evidence and its acts: as many requests as the console sends, and as many appends
/// and files, in the same order.
async fn bare(url: &str, dir: &Path, does: Does) -> anyhow::Result<Duration> {
    let client = reqwest::Client::builder().no_proxy().build()?;
    let journal = journal(dir);
    // Opening a log is nothing that the console did while it acted.
    anyhow::ensure!(journal.blocked().await.is_none(), "the log is blocked");
    let began = Instant::now();
    let rows = (0..IDENTITIES).map(|n| {
        let (client, journal, shelf) = (client.clone(), journal.clone(), journal.clone());
        let decision = Decision::on(
            AlertId::new(format!("bench/{n}")),
            DecisionKind::Note,
            Some("a line ".repeat(40)),
        );
        let append = async move |records: usize| {
            if does != Does::Requests {
                let decisions = vec![decision.clone(); records];
                journal.record_decisions(&decisions).await?;
            }
            anyhow::Ok(())
        };
        let send = async move |request: reqwest::RequestBuilder| {
            if does != Does::Appends {
                request.send().await?.error_for_status()?.bytes().await?;
            }
            anyhow::Ok(())
        };
        let keep = async move |name: String| {
            if does == Does::All {
                let kept = evidence_of(&name);
                shelf.blob("sessions", "bench", kept).await?;
            }
            anyhow::Ok(())
        };
        let url = url.to_owned();
        let to = move |what: &str, verb: &str| format!("{url}/{what}/{verb}/i{n}");
        async move {
            append(1).await?;
            append(1).await?;
            send(client.get(to("state", "sessions"))).await?;
            keep(format!("i{n}")).await?;
            append(2).await?;
            for (verb, _) in VERBS {
                append(1).await?;
                send(client.post(to("act", verb))).await?;
                append(1).await?;
                send(client.get(to("state", verb))).await?;
                append(1).await?;
            }
            anyhow::Ok(())
        }
    });
    let took = all(rows, began).await?;
    journal.end().await;
    Ok(took)
}

/// What the peer tells of an identity.
fn evidence_of(id: &str) -> Vec<u8> {
    format!("{{\"off\":true,\"of\":\"{id}\"}}").into_bytes()
}

/// A file of evidence of each identity.
async fn evidence(dir: &Path) -> anyhow::Result<Duration> {
    let journal = journal(dir);
    anyhow::ensure!(journal.blocked().await.is_none(), "the log is blocked");
    let began = Instant::now();
    let rows = (0..IDENTITIES).map(|n| {
        let journal = journal.clone();
        async move {
            let kept = evidence_of(&format!("i{n}"));
            journal.blob("sessions", "bench", kept).await?;
            anyhow::Ok(())
        }
    });
    let took = all(rows, began).await?;
    journal.end().await;
    Ok(took)
}

/// Waits for all rows, as many of them at once as are acted on at once.
async fn all(
    rows: impl Iterator<Item = impl Future<Output = anyhow::Result<()>> + Send + 'static>,
    began: Instant,
) -> anyhow::Result<Duration> {
    let mut rows = futures::stream::iter(rows.map(tokio::spawn)).buffer_unordered(AT_ONCE);
    while let Some(row) = rows.next().await {
        row??;
    }
    Ok(began.elapsed())
}

/// Makes a folder for what is timed next, on a disk that owes nothing to what was timed before.
fn folder(base: &Path) -> anyhow::Result<PathBuf> {
    let dir = tempfile::tempdir_in(base)?.keep();
    rustix::fs::syncfs(std::fs::File::open(&dir)?)?;
    Ok(dir)
}

async fn round(base: &Path) -> anyhow::Result<f64> {
    let new = || folder(base);
    let dir = new()?;
    let (url, asked) = peer().await?;
    let services = services(&dir, &url)?;
    let digests = plans(&services).await?;
    let count = |dir: &Path| (asked.load(Ordering::Relaxed), written(dir));
    let before = count(&dir);
    let (took, steps) = acting(&services, &digests).await;
    services.journal.end().await;
    let after = count(&dir);
    let done = (after.0 - before.0, after.1 - before.1);

    let other = new()?;
    let all = bare(&url, &other, Does::All).await?;
    let again = count(&other);
    // The first record of a log is no append of the loop.
    anyhow::ensure!(
        done == (again.0 - after.0, again.1 - 1),
        "{done:?} {again:?}"
    );
    let both = bare(&url, &new()?, Does::Both).await?;
    let requests = bare(&url, &new()?, Does::Requests).await?;
    let appends = bare(&url, &new()?, Does::Appends).await?;
    let evidence = evidence(&new()?).await?;

    let ms = |d: Duration| d.as_secs_f64() * 1e3;
    let ratio = ms(took) / ms(all);
    println!(
        "{steps} steps, {} requests, {} records: {:>7.1} ms, the bare loop {:>7.1} ms: {ratio:.2} times   (without evidence {:.1} ms: \
         {:.2} times; requests alone {:.1} ms, appends alone {:.1} ms, evidence alone {:.1} ms)",
        done.0,
        done.1,
        ms(took),
        ms(all),
        ms(both),
        ms(took) / ms(both),
        ms(requests),
        ms(appends),
        ms(evidence)
    );
    Ok(ratio)
}

fn main() -> anyhow::Result<()> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let base = std::env::var_os("STANCH_BENCH_DIR").map_or_else(std::env::temp_dir, PathBuf::from);
    let rounds = std::env::var("STANCH_BENCH_ROUNDS").ok();
    let rounds = rounds.map_or(Ok(5), |text| text.parse::<usize>())?;
    println!(
        "{IDENTITIES} identities, {AT_ONCE} at once, {}",
        base.display()
    );
    let runtime = tokio::runtime::Runtime::new()?;
    // Removed when all is timed: a disk that is told of every block set free (mount option `discard`) is slower for a while.
    let base = tempfile::tempdir_in(base)?;
    let mut ratios = Vec::new();
    for _ in 0..rounds {
        ratios.push(runtime.block_on(round(base.path()))?);
    }
    ratios.sort_by(f64::total_cmp);
    if let Some(middle) = ratios.get(ratios.len() / 2) {
        println!(
            "the console over the bare loop, in the middle round: {middle:.2}    (budget 1.5)"
        );
    }
    Ok(())
}

/// Counts the records of all logs below a folder.
fn written(dir: &Path) -> usize {
    let (entries, _) = stanch::journal::read_store(&dir.join("store"));
    entries.len()
}
