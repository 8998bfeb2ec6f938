//! What the lab's identity provider knows, and its rules: who may log in, what a token may do, what a cut ends.
//!
//! Everything is decided at the moment of use: a token is worth what its client may do *now*. A client that another
//! client made acts only while its maker is enabled and still holds a role that may make clients.

mod rules;

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::error::DrillError;
use super::finding::Facts;
use super::intruder::Intruder;
use super::lab::LabStatus;
use super::scenario::{LabPart, Scenario, offset};
use super::seed::{LabSecret, Seed, random_hex};

/// Version of the state file.
pub(super) const STATE_VERSION: u8 = 1;
/// The whole state, as it stands in the state file.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct World {
    pub v: u8,
    /// Made up at each fresh start: tells this lab from any other on the same port.
    pub lab_id: String,
    pub scenario: String,
    pub seed: u64,
    pub port: u16,
    pub console_token: LabSecret,
    pub clients: Vec<Client>,
    pub sessions: Vec<Session>,
    pub secrets: BTreeMap<String, LabSecret>,
    /// Counts sessions, clients and alerts ever made: their ids follow from it.
    pub made: u64,
    pub status: LabStatus,
    pub intruder: Intruder,
    /// How many of the scenario's noise lines have been written.
    pub noise_written: usize,
    /// What has been noticed since the last write to the alerts file.
    #[serde(skip)]
    pub noticed: Vec<Facts>,
}

#[derive(Debug, Serialize, Deserialize)]
#[expect(
    clippy::struct_field_names,
    reason = "`client_id` is OAuth's own word for it, besides the internal `id`"
)]
pub(super) struct Client {
    pub id: String,
    pub client_id: String,
    pub enabled: bool,
    pub not_before: Option<Timestamp>,
    pub secret: LabSecret,
    pub secret_version: u64,
    pub secret_set: Timestamp,
    /// Client id of its maker, for clients that clients made.
    pub created_by: Option<String>,
    pub owner: Owner,
    pub roles: Vec<Role>,
    pub credentials: Vec<Credential>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Owner {
    pub business: String,
    pub technical: String,
    pub on_call: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Role {
    pub name: String,
    pub privileged: bool,
    pub granted_at: Timestamp,
    pub granted_by: String,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Credential {
    pub id: String,
    pub kind: String,
    pub store: String,
    pub created: Timestamp,
    pub last_used: Option<Timestamp>,
    pub enabled: bool,
    pub value: LabSecret,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Session {
    pub id: String,
    /// Internal id of the client it belongs to.
    pub client: String,
    /// Only the digest is kept.
    pub token: String,
    pub started: Timestamp,
    pub last_seen: Timestamp,
    pub expires: Timestamp,
    pub source_ip: Option<String>,
    pub user_agent: String,
    /// `client_secret`, or the id of the key.
    pub minted_with: String,
}

/// Who sent a request, as the front of the lab reports it.
#[derive(Clone, Debug, Default)]
pub(super) struct Caller {
    pub source_ip: Option<String>,
    pub user_agent: String,
}

/// Why a request was refused. Ids and secrets from the request are never repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Deny {
    /// Client authentication failed (RFC 6749 §5.2 `invalid_client`).
    Client,
    /// The token is unknown, ended, or its client is off (RFC 6750 §3.1 `invalid_token`).
    Token,
    /// The client lacks a role (RFC 6750 §3.1 `insufficient_scope`).
    Role,
    /// No such thing.
    NotFound(&'static str),
    /// The request makes no sense.
    Request(&'static str),
}

impl World {
    /// Makes up a new lab.
    pub fn begin(scenario: &Scenario, seed: Seed, now: Timestamp) -> Result<Self, DrillError> {
        let lab = &scenario.file.lab;
        let mut clients = Vec::new();
        for def in &lab.client {
            clients.push(begin_client(lab, def, seed, now)?);
        }
        let mut secrets = BTreeMap::new();
        for secret in &lab.secret {
            secrets.insert(secret.name.clone(), LabSecret::make("lab_only_")?);
        }
        let attack = &scenario.file.attack;
        let leaked = clients
            .iter()
            .flat_map(|c| &c.credentials)
            .find(|c| c.id == attack.credential)
            .map(|c| c.value.clone());
        let victim = clients.iter().find(|c| c.client_id == attack.client);
        let secret = victim
            .filter(|_| attack.holds_secret)
            .map(|c| c.secret.clone());
        Ok(Self {
            v: STATE_VERSION,
            lab_id: random_hex(8)?,
            scenario: scenario.id.to_owned(),
            seed: seed.0,
            port: 0,
            console_token: LabSecret::make("console_")?,
            clients,
            sessions: Vec::new(),
            secrets,
            made: 0,
            status: LabStatus::at_start(now),
            intruder: Intruder::holding(leaked, secret),
            noise_written: 0,
            noticed: Vec::new(),
        })
    }
}

impl Client {
    /// Tells whether it holds a role.
    pub fn has(&self, role: &str) -> bool {
        self.roles.iter().any(|r| r.name == role)
    }
}

fn begin_client(
    lab: &LabPart,
    def: &super::scenario::ClientDef,
    seed: Seed,
    now: Timestamp,
) -> Result<Client, DrillError> {
    let when = |text: &str| offset(text, now).unwrap_or(now);
    let privileged = |name: &str| lab.role.iter().any(|r| r.name == name && r.privileged);
    let mut credentials = Vec::new();
    for credential in &def.credentials {
        credentials.push(Credential {
            id: credential.id.clone(),
            kind: credential.kind.clone(),
            store: credential.store.clone(),
            created: when(&credential.created),
            last_used: None,
            enabled: true,
            value: LabSecret::make("dk_")?,
        });
    }
    let roles = def.roles.iter().map(|r| Role {
        name: r.name.clone(),
        privileged: privileged(&r.name),
        granted_at: when(&r.granted),
        granted_by: r.by.clone(),
    });
    Ok(Client {
        id: format!("c-{}", seed.hex(&format!("client/{}", def.client_id), 10)),
        client_id: def.client_id.clone(),
        enabled: true,
        not_before: None,
        secret: LabSecret::make("cs_")?,
        secret_version: 1,
        secret_set: when(&def.secret_age),
        created_by: None,
        owner: Owner {
            business: def.owner.business.clone(),
            technical: def.owner.technical.clone(),
            on_call: def.owner.on_call.clone(),
        },
        roles: roles.collect(),
        credentials,
    })
}
