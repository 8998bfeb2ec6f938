//! Starting the lab, finding one that already runs, and following it.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::net::Ipv4Addr;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use super::attack::Attack;
use super::error::DrillError;
use super::http;
use super::scenario::Scenario;
use super::seed::Seed;
use super::shared::{Shared, replace};
use super::traffic::{Worker, noise};
use super::world::{STATE_VERSION, World};

/// How long another process may take to start answering.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long a process that is just ending may take to let go of a lab that is to begin anew.
const PATIENCE_ANEW: Duration = Duration::from_secs(1);
/// How long one answer of the lab may take; it waits for changes for shorter than that.
const ANSWER_WITHIN: Duration = Duration::from_secs(15);
/// Most bytes of a state file: far above what the lab writes, far below what hurts.
const MOST_STATE: u64 = 4 * 1024 * 1024;

/// Where a lab keeps its things and how it runs.
#[derive(Clone, Debug)]
pub struct LabOptions {
    /// The lab's state, JSON, 0600. `<state_file>.lock` beside it is locked by the process that runs the lab.
    pub state_file: PathBuf,
    /// Alerts are appended here, a line each; the product's file source follows it.
    pub alerts_file: PathBuf,
    /// The token for `/admin`, 0600.
    pub console_token_file: PathBuf,
    /// Whether to begin anew instead of continuing.
    pub fresh: bool,
    /// How many times faster than real time scripted events come, above 0, at most 1000.
    pub speed: f64,
    /// Decides everything that is seen; used when a lab begins, an older lab keeps its own.
    pub seed: u64,
    /// Whether this process plays the intruder, the rightful workloads and the other alerts.
    pub attack: bool,
}

/// How the drill stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LabStatus {
    /// Whether anything the intruder holds worked when it was last tried.
    pub intruder_in: bool,
    /// Since when that is so.
    pub since: Timestamp,
    /// When this lab began: since when the intruder has held the key.
    pub started: Timestamp,
    /// When the first alert about the intruder was written.
    pub first_alert_at: Option<Timestamp>,
    /// When the intruder last succeeded with anything.
    pub last_success_at: Option<Timestamp>,
    /// What the intruder tried.
    pub attempts: u64,
    /// How much of it worked.
    pub successes: u64,
    /// How many different secrets the intruder has read, all after the first alert.
    pub secrets_read: u64,
    /// Runs of rightful workloads that worked.
    pub legit_ok: u64,
    /// Runs of rightful workloads that were refused.
    pub legit_failed: u64,
    /// Lines written to the alerts file.
    pub alerts: u64,
    /// Grows with every change.
    pub revision: u64,
    /// What keeps the lab from writing its files, if anything.
    pub trouble: Option<String>,
    /// Whether the lab answers; only one run by another process may not.
    pub reachable: bool,
}

impl LabStatus {
    pub(super) fn at_start(now: Timestamp) -> Self {
        Self {
            intruder_in: true,
            since: now,
            started: now,
            first_alert_at: None,
            last_success_at: None,
            attempts: 0,
            successes: 0,
            secrets_read: 0,
            legit_ok: 0,
            legit_failed: 0,
            alerts: 0,
            revision: 0,
            trouble: None,
            reachable: true,
        }
    }
}

/// Starts labs.
#[derive(Debug)]
pub struct Lab;

/// A lab that runs, here or in another process. Dropping it ends a lab that runs here.
#[derive(Debug)]
pub struct LabHandle {
    base_url: String,
    status: watch::Receiver<LabStatus>,
    tasks: JoinSet<()>,
    here: Option<Here>,
}

#[derive(Debug)]
struct Here {
    shared: Arc<Shared>,
    /// Held as long as the lab runs here.
    _lock: File,
}

impl Drop for Here {
    fn drop(&mut self) {
        self.shared.close();
    }
}

impl Lab {
    /// Tells whether a living process runs the lab of this state file. Starting a drill anew would pull its files away.
    pub fn is_running(state_file: &Path) -> bool {
        state_file.exists() && matches!(try_lock(state_file), Ok(None))
    }

    /// Continues the lab of `options.state_file`, or attaches to the process that runs it, or begins anew when there is
    /// none or `fresh` asks for it. Listens on 127.0.0.1 only.
    pub async fn start(scenario: &Scenario, options: LabOptions) -> Result<LabHandle, DrillError> {
        if !(options.speed > 0.0 && options.speed <= 1000.0) {
            return Err(DrillError::Speed {
                speed: options.speed,
            });
        }
        // Building any HTTP client needs one; whoever came first has installed the same.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(ANSWER_WITHIN)
            .build()
            .map_err(DrillError::Client)?;
        let patience = if options.fresh {
            PATIENCE_ANEW
        } else {
            PATIENCE
        };
        let deadline = Instant::now() + patience;
        loop {
            if let Some(lock) = try_lock(&options.state_file)? {
                return serve(scenario, &options, http, lock).await;
            }
            if !options.fresh
                && let Some(handle) = attach(scenario, &options.state_file, &http).await?
            {
                return Ok(handle);
            }
            if Instant::now() >= deadline {
                let path = options.state_file;
                return Err(if options.fresh {
                    DrillError::InUse { path }
                } else {
                    DrillError::NotAnswering { path }
                });
            }
            sleep(Duration::from_millis(50)).await;
        }
    }
}

impl LabHandle {
    /// Returns `http://127.0.0.1:<port>`, without a slash at the end.
    pub fn base_url(&self) -> String {
        self.base_url.clone()
    }

    /// Tells whether the lab runs in this process.
    pub fn is_here(&self) -> bool {
        self.here.is_some()
    }

    /// Returns how the drill stands; cheap.
    pub fn status(&self) -> LabStatus {
        self.status.borrow().clone()
    }

    /// Waits until the status changes; changes since the last call count as one. Never returns once the lab has ended.
    pub async fn changed(&mut self) {
        if self.status.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Waits until everything the intruder holds has failed; tells whether that was so within `limit`.
    pub async fn wait_out(&self, limit: Duration) -> bool {
        let mut status = self.status.clone();
        let out = status.wait_for(|s| s.reachable && !s.intruder_in);
        matches!(timeout(limit, out).await, Ok(Ok(_)))
    }

    /// Ends a lab that runs here, so that its state can be continued; lets go of one that runs elsewhere.
    pub async fn shutdown(mut self) {
        if let Some(here) = self.here.as_ref() {
            here.shared.close();
        }
        self.tasks.shutdown().await;
    }
}

fn try_lock(state_file: &Path) -> Result<Option<File>, DrillError> {
    let mut path = state_file.as_os_str().to_owned();
    path.push(".lock");
    let path = PathBuf::from(path);
    let failed = |e| DrillError::file("lock", &path, e);
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(&path)
        .map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(e)) => Err(failed(e)),
    }
}

fn read_state(path: &Path, scenario: &Scenario) -> Result<Option<World>, DrillError> {
    let failed = |e| DrillError::file("read the drill's state from", path, e);
    let wrong = |why: String| DrillError::State {
        path: path.to_owned(),
        why,
    };
    match fs::metadata(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(failed(e)),
        Ok(meta) if meta.len() > MOST_STATE => return Err(wrong("it is too large".to_owned())),
        Ok(_) => {}
    }
    let bytes = fs::read(path).map_err(failed)?;
    // The parser's message may quote the file, which holds the lab's secrets; its place suffices.
    let world: World = serde_json::from_slice(&bytes).map_err(|e| {
        wrong(format!(
            "line {} column {} is not as expected",
            e.line(),
            e.column()
        ))
    })?;
    if world.v != STATE_VERSION {
        return Err(wrong(format!(
            "it has version {}, not {STATE_VERSION}",
            world.v
        )));
    }
    if world.scenario != scenario.id() {
        return Err(wrong(format!(
            "it belongs to another scenario than `{}`",
            scenario.id()
        )));
    }
    Ok(Some(world))
}

async fn serve(
    scenario: &Scenario,
    options: &LabOptions,
    http: reqwest::Client,
    lock: File,
) -> Result<LabHandle, DrillError> {
    let old = if options.fresh {
        None
    } else {
        read_state(&options.state_file, scenario)?
    };
    let anew = old.is_none();
    let mut world = match old {
        Some(world) => world,
        None => World::begin(scenario, Seed(options.seed), Timestamp::now())?,
    };
    let failed = |source| DrillError::Bind {
        port: world.port,
        source,
    };
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, world.port))
        .await
        .map_err(failed)?;
    let port = listener.local_addr().map_err(failed)?.port();
    world.port = port;
    let token_file = &options.console_token_file;
    replace(token_file, world.console_token.expose().as_bytes())
        .map_err(|e| DrillError::file("write the console's token to", token_file, e))?;
    let alerts = open_alerts(&options.alerts_file, anew)?;
    let state_file = options.state_file.clone();
    let shared = Arc::new(Shared::new(
        scenario.file.clone(),
        world,
        options.speed,
        state_file,
        alerts,
    ));
    // From here on others can find the lab.
    let _ = shared.act(|world, _, _| world.status.reachable = true);
    if let Some(why) = shared.look(|w| w.status.trouble.clone()) {
        return Err(DrillError::State {
            path: options.state_file.clone(),
            why,
        });
    }
    let base_url = format!("http://127.0.0.1:{port}");
    let mut tasks = JoinSet::new();
    let served = axum::serve(listener, http::router(Arc::clone(&shared)))
        .with_graceful_shutdown(shared.stop.clone().cancelled_owned());
    tasks.spawn(async move {
        // It ends without an error, by its own account.
        let _ = served.await;
    });
    if options.attack {
        play(&mut tasks, &shared, &http, &base_url);
    }
    Ok(LabHandle {
        base_url,
        status: shared.subscribe(),
        tasks,
        here: Some(Here {
            shared,
            _lock: lock,
        }),
    })
}

fn open_alerts(path: &Path, anew: bool) -> Result<File, DrillError> {
    let failed = |e| DrillError::file("open the drill's alerts file", path, e);
    if anew {
        replace(path, b"").map_err(failed)?;
    }
    OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .open(path)
        .map_err(failed)
}

fn play(tasks: &mut JoinSet<()>, shared: &Arc<Shared>, http: &reqwest::Client, base_url: &str) {
    let attack = Attack {
        shared: Arc::clone(shared),
        http: http.clone(),
        base_url: base_url.to_owned(),
    };
    tasks.spawn(attack.run());
    for index in 0..shared.scenario.workload.len() {
        let worker = Worker {
            shared: Arc::clone(shared),
            http: http.clone(),
            base_url: base_url.to_owned(),
            index,
        };
        tasks.spawn(worker.run());
    }
    tasks.spawn(noise(Arc::clone(shared)));
}

/// What `GET /lab/status` answers, as far as followers need it.
#[derive(Debug, Deserialize)]
struct Told {
    lab_id: String,
    status: LabStatus,
}

async fn ask(http: &reqwest::Client, base_url: &str, after: Option<u64>) -> Option<Told> {
    let mut url = format!("{base_url}/lab/status");
    if let Some(after) = after {
        url = format!("{url}?after={after}");
    }
    let answer = http.get(url).send().await.ok()?;
    if answer.status() != reqwest::StatusCode::OK {
        return None;
    }
    answer.json().await.ok()
}

/// Finds the lab that another process runs; `None` while it does not answer.
async fn attach(
    scenario: &Scenario,
    state_file: &Path,
    http: &reqwest::Client,
) -> Result<Option<LabHandle>, DrillError> {
    let Some(world) = read_state(state_file, scenario)? else {
        return Ok(None);
    };
    let base_url = format!("http://127.0.0.1:{}", world.port);
    let told = ask(http, &base_url, None).await;
    let Some(told) = told.filter(|told| told.lab_id == world.lab_id) else {
        return Ok(None);
    };
    let (tell, status) = watch::channel(told.status);
    let mut tasks = JoinSet::new();
    tasks.spawn(follow(http.clone(), base_url.clone(), world.lab_id, tell));
    Ok(Some(LabHandle {
        base_url,
        status,
        tasks,
        here: None,
    }))
}

/// Passes on each change of a lab in another process. The lab holds the answer back until there is one.
async fn follow(
    http: reqwest::Client,
    base_url: String,
    lab_id: String,
    tell: watch::Sender<LabStatus>,
) {
    loop {
        let seen = tell.borrow().revision;
        let told = ask(&http, &base_url, Some(seen)).await;
        if let Some(told) = told.filter(|told| told.lab_id == lab_id) {
            tell.send_if_modified(|status| {
                let differs = *status != told.status;
                *status = told.status;
                differs
            });
        } else {
            tell.send_if_modified(|status| std::mem::replace(&mut status.reachable, false));
            // Another process may take the lab up again at the same port.
            sleep(Duration::from_millis(500)).await;
        }
    }
}
