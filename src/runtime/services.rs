//! What planning, acting and reading back need, shared by the console and the subcommands.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use crate::app::model::Model;
use crate::app::reload::{Reload, troubles};
use crate::app::settings::{Desk, View};
use crate::connect::{Connector, Connectors};
use crate::domain::identity::Identity;
use crate::domain::inventory::Inventory;
use crate::domain::options::{Capabilities, Capability};
use crate::domain::playbook::{Playbook, PlaybookFile};
use crate::domain::policy::{Policy, Source};
use crate::domain::readiness::Means;
use crate::intake::store::LockedStore;

use super::approval;
use super::journal::Journal;
use crate::domain::authority::Authority;
use crate::domain::decision::Decision;

/// The shipped playbooks, used unless the configuration names files.
pub const SHIPPED_PLAYBOOKS: &str = include_str!("playbooks.toml");

/// The shipped policy, used unless the configuration names a file.
pub const SHIPPED_POLICY: &str = include_str!("policy.toml");

/// How messages name the shipped files.
pub const SHIPPED: [Source<'static>; 2] = [
    Source {
        name: "shipped policy.toml",
        text: SHIPPED_POLICY,
    },
    Source {
        name: "shipped playbooks.toml",
        text: SHIPPED_PLAYBOOKS,
    },
];

/// The inventory as it was read last, for what outlives a reading: watches, and what time alone does.
#[derive(Clone, Debug, Default)]
pub struct Latest(Arc<Mutex<Arc<Inventory>>>);

impl Latest {
    /// Begins with this one.
    pub fn new(inventory: Arc<Inventory>) -> Self {
        Self(Arc::new(Mutex::new(inventory)))
    }

    /// Returns it.
    pub fn get(&self) -> Arc<Inventory> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Takes in what was read; returns what was known before.
    pub fn set(&self, inventory: Arc<Inventory>) -> Arc<Inventory> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut known, inventory)
    }
}

/// The parts behind the keystroke path.
#[derive(Clone)]
pub struct Services {
    /// Providers by name.
    pub connectors: Arc<Connectors>,
    /// What may be done.
    pub playbooks: Arc<[Playbook]>,
    /// What is to be done.
    pub policy: Arc<Policy>,
    /// Who may do what; `None` where no roster is configured and nobody is asked.
    pub authority: Option<Arc<Authority>>,
    /// The key that signs what this process writes, where there is a roster and it counts for whoever runs this process.
    pub own: Option<Arc<str>>,
    /// What is known about identities.
    pub inventory: Arc<Inventory>,
    /// The same as it was read last, in whichever copy of these services.
    pub latest: Latest,
    /// Where that comes from; `None` where it is read once, as in the drill.
    pub inventory_sources: Option<Arc<Mutex<crate::inventory::Sources>>>,
    /// The decision log.
    pub journal: Journal,
    /// Alerts that arrived; `None` when this console is only the log's screen.
    pub alerts: Option<Arc<LockedStore>>,
    /// How fast things have to be, and the views to choose from.
    pub desk: Desk,
    /// Where views are saved that were made on the screen, and those of the configuration; `None` when this console is
    /// only the log's screen.
    pub views: Option<(PathBuf, Vec<View>)>,
    /// How many drill seconds pass in a second; `None` outside the drill.
    pub drill_speed: Option<f64>,
}

impl Services {
    /// Reads the shipped playbooks.
    pub fn shipped_playbooks() -> Result<Arc<[Playbook]>, crate::domain::playbook::PlaybookError> {
        Ok(PlaybookFile::parse(SHIPPED_PLAYBOOKS)?.playbooks.into())
    }

    /// Reads the shipped policy.
    pub fn shipped_policy() -> Arc<Policy> {
        Arc::new(crate::domain::policy::lint::load(SHIPPED[0], &[], None).policy)
    }

    /// Returns these services with the inventory as it was read last.
    pub fn current(&self) -> Self {
        Self {
            inventory: self.latest.get(),
            ..self.clone()
        }
    }

    /// Returns what each connector can do, for the options.
    pub fn capabilities(&self) -> Arc<BTreeMap<String, Capabilities>> {
        Arc::new(means(&self.connectors).capabilities)
    }

    /// Writes decisions durably, all or none, if whoever runs this process may decide anything.
    pub async fn decide(&self, decisions: &[Decision]) -> Result<(), String> {
        approval::may_decide(self).await?;
        let written = self.journal.record_decisions(decisions).await;
        written.map_err(|e| e.to_string())
    }

    fn id_params(&self) -> BTreeMap<String, String> {
        let named = self
            .connectors
            .iter()
            .filter_map(|(name, c)| Some((name.to_owned(), c.id_param()?.to_owned())));
        named.collect()
    }

    /// Finds the connector of an identity, or says why there is none.
    pub fn connector_of(&self, identity: &Identity) -> Result<&Arc<Connector>, String> {
        let name = identity
            .connector
            .as_deref()
            .ok_or("the inventory names no connector for this identity")?;
        self.connectors
            .get(name)
            .ok_or_else(|| format!("connector `{name}` is not configured"))
    }

    /// Returns what could be done, for judging readiness. Nobody is asked.
    pub fn means(&self) -> Means {
        means(&self.connectors)
    }

    /// Returns a model that knows everything these services know.
    pub fn model(&self) -> Model {
        Model {
            inventory: self.inventory.clone(),
            playbooks: self.playbooks.clone(),
            policy: self.policy.clone(),
            now: jiff::Timestamp::now(),
            capabilities: self.capabilities(),
            id_params: Arc::new(self.id_params()),
            desk: self.desk.clone(),
            authority: self.authority.clone(),
            own: self.own.clone(),
            reload: Reload {
                troubles: troubles(&self.inventory),
                ..Reload::default()
            },
            ..Model::default()
        }
    }
}

/// Returns what these connectors could do, for judging readiness. Nobody is asked. Every act of a connector is read back:
/// a file without `verify` is not loaded.
pub fn means(connectors: &Connectors) -> Means {
    let of = |connector: &Connector| -> Capabilities {
        let actions = connector.actions().iter();
        actions
            .map(|(verb, info)| (*verb, capability(info)))
            .collect()
    };
    let needs = |connector: &Connector| connector.identity_params().map(str::to_owned).collect();
    Means {
        capabilities: connectors
            .iter()
            .map(|(name, connector)| (name.to_owned(), of(connector)))
            .collect(),
        needs: connectors
            .iter()
            .map(|(name, connector)| (name.to_owned(), needs(connector)))
            .collect(),
        ..Means::default()
    }
}

fn capability(info: &crate::connect::ActionInfo) -> Capability {
    Capability {
        title: info.title.clone(),
        layer: info.layer,
        breaks: info.breaks.clone(),
        irreversible: info.irreversible.clone(),
        residual: Vec::new(),
    }
}
