//! From options to running parts: configuration or drill, state folder, inventory, connectors, journal, alerts.

pub mod decoders;
pub mod policy;

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use anyhow::Context as _;
use directories::ProjectDirs;
use jiff::Timestamp;

use self::policy::InForce;
use super::Global;
use crate::app::model::Level;
use crate::app::msg::Msg;
use crate::app::settings::{AuthSettings, ConnectorSettings, SecretRef, SourceSettings};
use crate::config::{Config, views};
use crate::connect::{Connector, Connectors};
use crate::domain::alert::Alert;
use crate::domain::authority::Authority;
use crate::domain::ids::AlertId;
use crate::domain::inventory::{Inventory, Loss};
use crate::domain::policy::Finding;
use crate::domain::text::show;
use crate::drill::{Lab, LabHandle, LabOptions, Scenario};
use crate::intake::decode::Decoders;
use crate::intake::store::{LockedStore, Store, StoreError};
use crate::inventory::Sources;
use crate::journal::{JournalConfig, Trust};
use crate::runtime::anchor::{Anchoring, Poster};
use crate::runtime::approval;
use crate::runtime::intake::Intake;
use crate::runtime::journal::{Journal, Report};
use crate::runtime::planner;
use crate::runtime::services::{Latest, Services, means};
use crate::runtime::watch::Watcher;

fn dirs() -> anyhow::Result<ProjectDirs> {
    ProjectDirs::from("", "", "stanch")
        .context("cannot find a home folder; set HOME, or give --config and --state-dir")
}

/// Returns where the configuration is expected without `--config`.
pub fn default_config_path() -> anyhow::Result<PathBuf> {
    Ok(dirs()?.config_dir().join("config.toml"))
}

/// Returns the configuration file in force.
pub fn config_path(global: &Global) -> anyhow::Result<PathBuf> {
    global.config.clone().map_or_else(default_config_path, Ok)
}

fn base_state_dir(global: &Global) -> anyhow::Result<PathBuf> {
    if let Some(dir) = &global.state_dir {
        return Ok(dir.clone());
    }
    let dirs = dirs()?;
    Ok(dirs
        .state_dir()
        .unwrap_or_else(|| dirs.data_local_dir())
        .to_owned())
}

/// Tells whether these options mean the drill: asked for, or nothing is configured.
pub fn is_drill(global: &Global) -> anyhow::Result<bool> {
    Ok(global.drill.is_some() || (global.config.is_none() && !default_config_path()?.exists()))
}

/// Says that what follows is about the drill, where nobody asked for it: a configuration that is not found must not pass for
/// one that has nothing to show.
pub fn tell_if_drill(global: &Global) -> anyhow::Result<()> {
    if global.drill.is_none() && is_drill(global)? {
        tell!(
            "stanch: nothing is configured, so this is the drill; none of it is real (stanch init)"
        );
    }
    Ok(())
}

/// Returns the state folder in force; the drill's lies apart from the real one.
pub fn state_dir(global: &Global) -> anyhow::Result<PathBuf> {
    let base = base_state_dir(global)?;
    Ok(if is_drill(global)? {
        drill_dir(&base)
    } else {
        base
    })
}

fn drill_dir(base: &Path) -> PathBuf {
    base.join("drill").join("current")
}

/// Returns the folder of what can be made again at any time.
pub fn cache_dir(global: &Global) -> Option<PathBuf> {
    match own_folder(global) {
        Some(dir) => Some(dir.join("cache")),
        None => Some(dirs().ok()?.cache_dir().to_owned()),
    }
}

/// Returns the journal's folder.
pub fn journal_dir(state: &Path) -> PathBuf {
    state.join("journal")
}

/// Returns the folder of signing keys and of what this user saw of other logs.
pub fn keys_dir(global: &Global) -> anyhow::Result<PathBuf> {
    if is_drill(global)? {
        return Ok(state_dir(global)?.join("keys"));
    }
    Ok(match own_folder(global) {
        Some(dir) => dir.join("keys"),
        None => dirs()?.config_dir().join("keys"),
    })
}

/// Returns where the console remembers what is about one person's own screen, in the drill and out of it.
pub fn remembered(global: &Global) -> anyhow::Result<PathBuf> {
    let own = match own_folder(global) {
        Some(dir) => return Ok(crate::config::remembered::path(dir)),
        None => dirs()?,
    };
    let folder = own.state_dir().unwrap_or_else(|| own.data_local_dir());
    Ok(crate::config::remembered::path(folder))
}

/// Returns the state folder if it was given and is nobody else's: what is one person's stays out of a shared one.
fn own_folder(global: &Global) -> Option<&PathBuf> {
    use std::os::unix::fs::MetadataExt as _;
    let shared = |dir: &&PathBuf| {
        let found = dir.metadata();
        found.is_ok_and(|found| found.mode() & 0o2070 == 0o2070)
    };
    global.state_dir.as_ref().filter(|dir| !shared(dir))
}

/// Returns what opens the own log for writing.
pub fn journal_config(global: &Global) -> anyhow::Result<JournalConfig> {
    let drill = is_drill(global)?;
    let config = if drill {
        Config::default()
    } else {
        Config::load(&config_path(global)?)?
    };
    let person = person(&config);
    let fallback = fallback(&config, drill);
    Ok(JournalConfig {
        store: journal_dir(&state_dir(global)?),
        site: config.journal.site,
        keys: keys_dir(global)?,
        drill,
        allow_network_fs: config.journal.allow_network_fs,
        person,
        policy: None,
        fallback,
    })
}

/// What the person calls themselves, if they do.
fn person(config: &Config) -> Option<String> {
    let name = config.journal.person.trim();
    (!name.is_empty()).then(|| name.chars().take(128).collect())
}

/// Where outcomes go that the log does not take: the folder of the configuration, else this user's runtime folder, which
/// is on no disk. The drill's outcomes are worth nothing.
fn fallback(config: &Config, drill: bool) -> Option<PathBuf> {
    let given = &config.journal.fallback_dir;
    let runtime = || Some(PathBuf::from(std::env::var_os("XDG_RUNTIME_DIR")?).join("stanch"));
    let dir = if given.as_os_str().is_empty() {
        runtime()
    } else {
        Some(given.clone())
    };
    dir.filter(|dir| !drill && dir.is_absolute())
}

/// Returns where signed heads go.
pub fn anchoring(config: &Config) -> Result<Anchoring, String> {
    let settings = &config.journal.anchor;
    let poster = (!settings.url.is_empty())
        .then(|| Poster::new(&settings.url))
        .transpose()?;
    let poster = match (poster, settings.witness_key.as_str()) {
        (poster, "") => poster,
        (Some(poster), key) => Some(poster.witnessed(key)?),
        (None, _) => {
            return Err("journal.anchor.witness_key needs the witness's journal.anchor.url".into());
        }
    };
    Ok(Anchoring {
        poster,
        warn_lines: settings.warn_lines.max(1),
        warn_s: settings.warn_s.into(),
    })
}

/// Reads who may do what, where a roster is configured.
pub(super) fn authority(config: &Config) -> anyhow::Result<Option<Authority>> {
    let settings = &config.authority;
    let Some(path) = &settings.roster else {
        return Ok(None);
    };
    let trust = Trust::load(path)?;
    Ok(Some(Authority {
        roster: trust.roster(),
        soft: settings.soft.clone(),
        hard: settings.hard.clone(),
        playbooks: settings.playbooks.clone(),
        wait_s: settings.wait_s,
        on_timeout: Some(settings.on_timeout),
        guarded: settings.guarded.iter().cloned().collect(),
    }))
}

/// Returns what finds alerts that were stored in a state folder, making nothing there. The store is opened for the first
/// question and stays open: metrics ask for every alert of a log.
pub fn stored_alerts(state: &Path) -> impl Fn(&AlertId) -> Option<Alert> {
    let state = state.to_owned();
    let store = OnceCell::new();
    move |id| {
        let open = || {
            let made = state.join("alerts.db").is_file();
            made.then(|| Store::open(&state).ok()).flatten()
        };
        // A report without the alert's own words is still a report.
        let stored = store.get_or_init(open).as_ref()?.alert(id).ok()??;
        Some(Arc::unwrap_or_clone(stored.alert))
    }
}

/// Makes a folder that only its owner can look into.
pub fn make_private(dir: &Path) -> anyhow::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    let made = std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir);
    made.with_context(|| {
        format!(
            "cannot make {}; give another folder with --state-dir",
            dir.display()
        )
    })
}

/// What a configuration names, read and checked.
pub struct Parts {
    /// Identities and the map.
    pub inventory: Arc<Inventory>,
    /// Where they come from; `None` for the drill's, which is read once.
    pub sources: Option<Sources>,
    /// Providers.
    pub connectors: Arc<Connectors>,
    /// Playbooks and policy in force.
    pub rules: InForce,
    /// What decodes alerts.
    pub decoders: Arc<Decoders>,
}

/// Reads everything that the configuration at `path` names. Each error says on which of its lines.
/// What is wrong with the inventory is no error: it stands in [`Inventory::background`].
pub fn load_parts(
    config: &Config,
    path: &Path,
    cache: Option<&Path>,
) -> Result<Parts, Vec<anyhow::Error>> {
    let connectors = load_connectors(config, path);
    let able = connectors.as_ref().ok().map(|c| means(c).capabilities);
    let rules = policy::read(config, path, able.as_ref());
    let decoders = decoders::load(config, path);
    match (connectors, rules, decoders) {
        (Ok(connectors), Ok(rules), Ok(decoders)) => {
            let cache = cache.map(Path::to_path_buf);
            let mut sources = Sources::new(config.inventory.clone(), cache);
            Ok(Parts {
                inventory: Arc::new(sources.read(Timestamp::now())),
                sources: Some(sources).filter(|sources| !sources.is_empty()),
                connectors: Arc::new(connectors),
                rules,
                decoders: Arc::new(decoders),
            })
        }
        (connectors, rules, decoders) => {
            let mut errors = connectors.err().unwrap_or_default();
            errors.extend(rules.err().into_iter().flatten());
            errors.extend(decoders.err());
            Err(errors)
        }
    }
}

/// Reads the inventory; what is wrong with it stands in it.
pub fn load_inventory(config: &Config, cache: Option<&Path>) -> Arc<Inventory> {
    let inventory = crate::inventory::load(&config.inventory, cache, Timestamp::now());
    Arc::new(inventory)
}

/// Returns the inventory in force, the drill's or that of the configuration; nobody acts, and no provider is asked.
pub fn inventory(global: &Global, now: Timestamp) -> anyhow::Result<Arc<Inventory>> {
    if is_drill(global)? {
        return drill_inventory(&drill_scenario(global)?, now);
    }
    let config = Config::load(&config_path(global)?)?;
    Ok(load_inventory(&config, cache_dir(global).as_deref()))
}

/// Returns the connectors in force; nobody is asked.
pub fn connectors(global: &Global) -> anyhow::Result<Connectors> {
    if is_drill(global)? {
        // Nothing is sent and nothing kept, so the places do not matter.
        let nowhere = std::path::absolute(state_dir(global)?)?;
        let lab = lab_connector(
            "http://127.0.0.1:9".to_owned(),
            &nowhere,
            nowhere.join("console.token"),
        );
        return Ok(Connectors::load(&[("lab".to_owned(), lab)].into())?);
    }
    let path = config_path(global)?;
    let config = Config::load(&path)?;
    load_connectors(&config, &path).map_err(|errors| all(&errors))
}

/// The same, with what could be done.
pub fn known(global: &Global, now: Timestamp) -> anyhow::Result<(Arc<Inventory>, Arc<Connectors>)> {
    let connectors = Arc::new(connectors(global)?);
    Ok((inventory(global, now)?, connectors))
}

fn drill_scenario(global: &Global) -> anyhow::Result<Scenario> {
    let name = global.drill.as_deref().unwrap_or(crate::drill::DEFAULT);
    Ok(Scenario::load(name)?)
}

fn drill_inventory(scenario: &Scenario, now: Timestamp) -> anyhow::Result<Arc<Inventory>> {
    let (own, catalog) = (scenario.inventory_toml(now), scenario.catalog_toml(now));
    // The scenario's own text must have no mistakes; what the catalog contradicts is part of the drill.
    crate::inventory::parse(&own, "drill")?;
    Ok(Arc::new(crate::inventory::parse_all(&[
        ("drill", &own),
        ("catalog", &catalog),
    ])))
}

/// Returns how the console reaches the lab.
fn lab_connector(base_url: String, secrets: &Path, token: PathBuf) -> ConnectorSettings {
    ConnectorSettings {
        preset: Some("lab".to_owned()),
        file: None,
        base_url,
        params: [("secret_dir".to_owned(), secrets.display().to_string())].into(),
        auth: AuthSettings::Bearer {
            token: SecretRef::File(token),
        },
        ca_file: None,
        timeout_s: 5,
    }
}

/// Says what of the inventory is missing, in a few lines: what hangs on it is unknown, not nothing. Masked already.
pub fn inventory_trouble(inventory: &Inventory) -> Vec<String> {
    const TOLD: usize = 3;
    let background = inventory.background();
    let old = background.sources.iter().filter(|s| s.identities > 0);
    let old = old.filter_map(|s| Some(format!("inventory {}: {}", s.shown(), s.trouble.as_ref()?)));
    let lost: Vec<_> = background
        .mistakes
        .iter()
        .filter(|m| m.loss > Loss::None)
        .collect();
    let told = lost.iter().take(TOLD).map(|m| format!("inventory: {m}"));
    let more = lost.len().saturating_sub(TOLD);
    let more = (more > 0)
        .then(|| format!("inventory: {more} more mistakes; `stanch config check` tells them all"));
    let lines = old.chain(told).chain(more);
    lines
        .map(|line| crate::journal::mask_tokens(&line).into_owned())
        .collect()
}

/// Makes one error of many.
pub fn all(errors: &[anyhow::Error]) -> anyhow::Error {
    let lines: Vec<String> = errors.iter().map(|e| format!("{e:#}")).collect();
    anyhow::anyhow!("{}", lines.join("\n"))
}

pub(super) fn load_connectors(
    config: &Config,
    path: &Path,
) -> Result<Connectors, Vec<anyhow::Error>> {
    let blame = |name: &str, error: &dyn std::error::Error| {
        Config::blame(path, &["connector", name], error.to_string()).into()
    };
    Connectors::load(&config.connector).map_err(|first| {
        let errors: Vec<anyhow::Error> = config
            .connector
            .iter()
            .filter_map(|(name, settings)| {
                let error = Connector::new(name, settings).err()?;
                Some(blame(name, &error))
            })
            .collect();
        if errors.is_empty() {
            vec![blame("", &first)]
        } else {
            errors
        }
    })
}

/// The drill beside the services.
pub struct Drill {
    /// The lab and its attack.
    pub lab: LabHandle,
    /// What is practised.
    pub scenario: Scenario,
    /// How many drill seconds pass in a second.
    pub speed: f64,
}

/// How the drill is to be started.
#[derive(Clone, Debug)]
pub struct DrillStart {
    /// Which scenario.
    pub scenario: String,
    /// How many drill seconds pass in a second.
    pub speed: f64,
    /// Makes the attack repeatable.
    pub seed: u64,
    /// Begin anew, and put an earlier drill aside.
    pub fresh: bool,
    /// A policy instead of the shipped one.
    pub policy: Option<PathBuf>,
}

/// A store that is being opened.
type Opened = tokio::task::JoinHandle<Result<Store, StoreError>>;

/// Begins to open the store of a state folder.
fn open_store(state: &Path) -> Opened {
    let state = state.to_owned();
    tokio::task::spawn_blocking(move || Store::open(&state))
}

/// Everything behind the keystroke path.
pub struct Setup {
    /// Planning, acting, reading back.
    pub services: Services,
    /// Alert sources.
    pub sources: Vec<SourceSettings>,
    /// What decodes their alerts.
    pub decoders: Arc<Decoders>,
    /// Alerts that arrived.
    pub store: Arc<LockedStore>,
    /// The drill, when this is one.
    pub drill: Option<Drill>,
    /// What is wrong with policy and playbooks.
    pub findings: Vec<Finding>,
    /// The configuration in force.
    pub config: Config,
    /// The state folder.
    pub state: PathBuf,
    /// Nothing can be recorded.
    pub read_only: bool,
}

impl Setup {
    /// Puts the parts together. `drill` says how to start the drill if this is one.
    pub async fn open(global: &Global, drill: DrillStart, report: Report) -> anyhow::Result<Self> {
        crate::runtime::console::survive_size_limits()?;
        let state = state_dir(global)?;
        if is_drill(global)? {
            return Self::open_drill(global, state, drill, report).await;
        }
        let path = config_path(global)?;
        let config = Config::load(&path)?;
        make_private(&state)?;
        // Making a store waits for the disk; what the configuration names is read meanwhile.
        let store = open_store(&state);
        let parts = load_parts(&config, &path, cache_dir(global).as_deref())
            .map_err(|errors| all(&errors))?;
        let keys = keys_dir(global)?;
        Self::assemble(global, (state, store), config, parts, keys, None, report).await
    }

    /// Puts the parts of a configuration together that was read and checked.
    pub async fn open_checked(
        global: &Global,
        config: Config,
        parts: Parts,
        report: Report,
    ) -> anyhow::Result<Self> {
        let (state, keys) = (state_dir(global)?, keys_dir(global)?);
        let store = open_store(&state);
        Self::assemble(global, (state, store), config, parts, keys, None, report).await
    }

    /// Puts the parts of a configuration together that was in force, reading anew what it names.
    pub async fn reopen(global: &Global, config: Config, report: Report) -> anyhow::Result<Self> {
        let path = config_path(global)?;
        let parts = load_parts(&config, &path, cache_dir(global).as_deref())
            .map_err(|errors| all(&errors))?;
        Self::open_checked(global, config, parts, report).await
    }

    async fn open_drill(
        global: &Global,
        state: PathBuf,
        start: DrillStart,
        report: Report,
    ) -> anyhow::Result<Self> {
        // A second console joins the drill that is running.
        let fresh = start.fresh && !Lab::is_running(&state.join("lab.json"));
        if fresh && let Some(aside) = put_aside(&state)? {
            let log = journal_dir(&aside);
            report(Msg::Notice {
                level: Level::Info,
                text: format!(
                    "a drill begins anew; the log of the one before: stanch log show --store {}",
                    show(&log.to_string_lossy())
                ),
            });
        }
        make_private(&state)?;
        let scenario = Scenario::load(&start.scenario)?;
        let (alerts_file, token_file) = (state.join("alerts.jsonl"), state.join("console.token"));
        let options = LabOptions {
            state_file: state.join("lab.json"),
            alerts_file: alerts_file.clone(),
            console_token_file: token_file.clone(),
            fresh,
            speed: start.speed,
            seed: start.seed,
            attack: true,
        };
        let lab = Lab::start(&scenario, options).await?;
        let secrets = std::path::absolute(state.join("secrets"))?;
        make_private(&secrets)?;
        let connector = lab_connector(lab.base_url(), &secrets, token_file);
        let source = SourceSettings::File {
            name: "drill".to_owned(),
            path: alerts_file,
            format: None,
        };
        let config = Config {
            source: vec![source],
            connector: [("lab".to_owned(), connector)].into(),
            ..Config::default()
        };
        let connectors = Connectors::load(&config.connector)?;
        let rules = match &start.policy {
            Some(file) => policy::with(file, &connectors)?,
            None => policy::shipped()?,
        };
        let parts = Parts {
            inventory: drill_inventory(&scenario, Timestamp::now())?,
            sources: None,
            connectors: Arc::new(connectors),
            rules,
            decoders: Arc::clone(Decoders::shipped()),
        };
        let keys = state.join("keys");
        let drill = Drill {
            lab,
            scenario,
            speed: start.speed,
        };
        let store = open_store(&state);
        let drill = Some(drill);
        Self::assemble(global, (state, store), config, parts, keys, drill, report).await
    }

    async fn assemble(
        global: &Global,
        (state, store): (PathBuf, Opened),
        config: Config,
        parts: Parts,
        keys: PathBuf,
        drill: Option<Drill>,
        report: Report,
    ) -> anyhow::Result<Self> {
        let journal = JournalConfig {
            store: journal_dir(&state),
            site: config.journal.site.clone(),
            keys,
            drill: drill.is_some(),
            allow_network_fs: config.journal.allow_network_fs,
            person: person(&config),
            policy: Some(planner::policy_digest(
                &parts.rules.playbooks,
                &parts.rules.policy.file,
            )),
            fallback: fallback(&config, drill.is_some()),
        };
        let anchoring = anchoring(&config).map_err(anyhow::Error::msg)?;
        let (mut desk, saved) = (config.desk(), views::file(&state));
        let configured = desk.views.clone();
        // Views that cannot be read are no reason to have no console; saving one says what is wrong.
        desk.views.extend(views::read(&saved).unwrap_or_default());
        let authority = authority(&config)?.map(Arc::new);
        let store = Arc::new(LockedStore::new(store.await??));
        let mut services = Services {
            authority,
            own: None,
            alerts: Some(store.clone()),
            connectors: parts.connectors,
            playbooks: parts.rules.playbooks,
            policy: parts.rules.policy,
            latest: Latest::new(parts.inventory.clone()),
            inventory: parts.inventory,
            inventory_sources: parts.sources.map(|sources| Arc::new(Mutex::new(sources))),
            journal: Journal::open(journal, global.read_only, anchoring, report.clone()),
            desk,
            views: Some((saved, configured)),
            drill_speed: drill.as_ref().map(|d| d.speed),
        };
        if services.authority.is_some() && !global.read_only {
            match approval::own_key(&services).await {
                Ok(key) => services.own = Some(key.into()),
                Err(text) => report(Msg::Notice {
                    level: Level::Warn,
                    text,
                }),
            }
        }
        Ok(Self {
            services,
            sources: config.source.clone(),
            decoders: parts.decoders,
            store,
            drill,
            findings: parts.rules.findings,
            config,
            state,
            read_only: global.read_only,
        })
    }

    /// Returns what takes alerts in, as this program.
    pub fn intake(&self, program: &'static str) -> Intake {
        Intake {
            program,
            sources: self.sources.clone(),
            receiver: self.config.receiver.clone(),
            decoders: self.decoders.clone(),
            store: self.store.clone(),
            state: self.state.clone(),
            retention: self.config.retention(),
            journal: self.services.journal.clone(),
            // Whoever only looks cannot write down what a watch finds.
            watcher: (!self.read_only).then(|| Watcher {
                connectors: self.services.connectors.clone(),
                inventory: self.services.latest.clone(),
                settings: self.services.desk.watch,
                store: self.store.clone(),
                journal: self.services.journal.clone(),
            }),
            services: (!self.read_only).then(|| self.services.clone()),
        }
    }

    /// Returns the store, alone for as long as the guard lives.
    pub fn store(&self) -> parking_lot::FairMutexGuard<'_, Store> {
        self.store.lock()
    }

    /// Returns the sources with input that could not be read and is kept: how much, and what was wrong with the latest.
    pub fn malformed(&self) -> anyhow::Result<BTreeMap<String, (u64, String)>> {
        let store = self.store();
        let mut found = BTreeMap::new();
        for source in store.sources()? {
            let (total, reason) = (store.quarantined_of(&source)?, store.last_reason(&source)?);
            found.extend(reason.map(|reason| (source, (total, reason))));
        }
        Ok(found)
    }
}

/// Moves an earlier drill out of the way, and says where to; its log stays readable with `stanch log show --store`.
fn put_aside(state: &Path) -> anyhow::Result<Option<PathBuf>> {
    if !state.exists() {
        return Ok(None);
    }
    let name = Timestamp::now().strftime("%Y%m%dT%H%M%S%3fZ").to_string();
    let aside = state.with_file_name(name);
    std::fs::rename(state, &aside)
        .with_context(|| format!("cannot move {} to {}", state.display(), aside.display()))?;
    Ok(Some(aside))
}
