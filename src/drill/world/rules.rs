//! The rules: who may log in, what a token may do now, what a cut ends.

use jiff::{SignedDuration, Timestamp};

use super::super::finding::{Act, Facts};
use super::super::scenario::{LabPart, SelfGrant};
use super::super::seed::{LabSecret, Seed};
use super::{Caller, Client, Deny, Role, Session, World};

/// Most live tokens of one client; the oldest gives way, as with many providers.
const MOST_TOKENS: usize = 40;
/// Most clients in all, so that a loop of requests cannot fill the disk.
const MOST_CLIENTS: usize = 100;

impl World {
    /// Finds a client by the id it logs in with.
    pub fn by_client_id(&self, client_id: &str) -> Option<&Client> {
        self.clients.iter().find(|c| c.client_id == client_id)
    }

    /// Finds a client by its internal id.
    pub fn client(&self, id: &str) -> Result<&Client, Deny> {
        let found = self.clients.iter().find(|c| c.id == id);
        found.ok_or(Deny::NotFound("no client has this id"))
    }

    /// Finds a client by its internal id, to change it.
    pub fn client_mut(&mut self, id: &str) -> Result<&mut Client, Deny> {
        let found = self.clients.iter_mut().find(|c| c.id == id);
        found.ok_or(Deny::NotFound("no client has this id"))
    }

    /// Tells whether a client can act: it is on, and so is what it acts for.
    pub fn usable(&self, client: &Client, lab: &LabPart) -> bool {
        let mut at = client;
        // Makers of makers end at a client of the scenario; the bound only guards against an edited state file.
        for _ in 0..MOST_CLIENTS {
            if !at.enabled {
                return false;
            }
            let Some(maker) = &at.created_by else {
                return true;
            };
            match self.by_client_id(maker) {
                Some(maker) if may_mint(maker, lab) => at = maker,
                _ => return false,
            }
        }
        false
    }

    /// Checks a client's secret.
    pub fn check_secret(
        &self,
        client_id: &str,
        secret: &str,
        lab: &LabPart,
    ) -> Result<&Client, Deny> {
        let client = self.by_client_id(client_id).ok_or(Deny::Client)?;
        if client.secret.is(secret) && self.usable(client, lab) {
            Ok(client)
        } else {
            Err(Deny::Client)
        }
    }

    /// Checks a deploy key; returns its client's internal id and its own id.
    pub fn check_key(
        &mut self,
        key: &str,
        now: Timestamp,
        lab: &LabPart,
    ) -> Result<(String, String), Deny> {
        let holds = |c: &&Client| c.credentials.iter().any(|k| k.enabled && k.value.is(key));
        let client = self.clients.iter().find(holds).ok_or(Deny::Client)?;
        if !self.usable(client, lab) {
            return Err(Deny::Client);
        }
        let id = client.id.clone();
        let keys = &mut self.client_mut(&id)?.credentials;
        let used = keys
            .iter_mut()
            .find(|k| k.value.is(key))
            .ok_or(Deny::Client)?;
        used.last_used = Some(now);
        Ok((id, used.id.clone()))
    }

    /// Issues an access token to a client that has proven who it is.
    pub fn issue(
        &mut self,
        client: &str,
        minted_with: &str,
        caller: &Caller,
        now: Timestamp,
        lab: &LabPart,
    ) -> Result<LabSecret, Deny> {
        let token =
            LabSecret::make("at_").map_err(|_| Deny::Request("no random bytes for a token"))?;
        self.sessions.retain(|s| s.expires > now);
        let own = |s: &&Session| s.client == client;
        if self.sessions.iter().filter(own).count() >= MOST_TOKENS {
            // Sessions stand in order of issue, so the first is the oldest.
            if let Some(oldest) = self.sessions.iter().position(|s| s.client == client) {
                self.sessions.remove(oldest);
            }
        }
        let id = self.new_id("s", "session");
        self.sessions.push(Session {
            id,
            client: client.to_owned(),
            token: token.fingerprint(),
            started: now,
            last_seen: now,
            expires: now
                .checked_add(SignedDuration::from_secs(lab.token_ttl_s))
                .unwrap_or(Timestamp::MAX),
            source_ip: caller.source_ip.clone(),
            user_agent: caller.user_agent.clone(),
            minted_with: minted_with.to_owned(),
        });
        self.notice(
            client,
            caller,
            now,
            lab,
            Act::Login {
                with: minted_with.to_owned(),
            },
        );
        Ok(token)
    }

    /// Finds the live session of a token, whose client can act.
    pub fn session(
        &self,
        token: &str,
        now: Timestamp,
        lab: &LabPart,
    ) -> Option<(&Session, &Client)> {
        let print = LabSecret::new(token.to_owned()).fingerprint();
        let session = self
            .sessions
            .iter()
            .find(|s| s.token == print && s.expires > now)?;
        let client = self.clients.iter().find(|c| c.id == session.client)?;
        self.usable(client, lab).then_some((session, client))
    }

    /// Checks a bearer token and, if one is needed, a role; returns the client's internal id.
    pub fn allow(
        &mut self,
        token: &str,
        role: Option<&str>,
        now: Timestamp,
        lab: &LabPart,
    ) -> Result<String, Deny> {
        let (session, client) = self.session(token, now, lab).ok_or(Deny::Token)?;
        let (session, id) = (session.id.clone(), client.id.clone());
        let allowed = role.is_none_or(|role| client.has(role));
        if let Some(seen) = self.sessions.iter_mut().find(|s| s.id == session) {
            seen.last_seen = now;
        }
        if allowed { Ok(id) } else { Err(Deny::Role) }
    }

    /// Ends the session of a token if it belongs to `client`, or to anybody when `None`.
    pub fn revoke_token(&mut self, token: &str, client: Option<&str>) {
        let print = LabSecret::new(token.to_owned()).fingerprint();
        self.sessions
            .retain(|s| s.token != print || client.is_some_and(|c| c != s.client));
    }

    /// Gives a client a role it asked for itself, where the self-service rules let it.
    pub fn grant_self(
        &mut self,
        token: &str,
        role: &str,
        caller: &Caller,
        now: Timestamp,
        lab: &LabPart,
    ) -> Result<(), Deny> {
        let id = self.allow(token, None, now, lab)?;
        let def = lab.role.iter().find(|r| r.name == role);
        let def = def.ok_or(Deny::NotFound("no role has this name"))?;
        let client = self.client_mut(&id)?;
        let lets = |g: &SelfGrant| (g.gives == role || g.gives == "*") && client.has(&g.holder);
        if !lab.self_grant.iter().any(lets) {
            return Err(Deny::Role);
        }
        if !client.has(role) {
            client.roles.push(Role {
                name: def.name.clone(),
                privileged: def.privileged,
                granted_at: now,
                granted_by: client.client_id.clone(),
            });
            self.notice(
                &id,
                caller,
                now,
                lab,
                Act::Grant {
                    role: role.to_owned(),
                },
            );
        }
        Ok(())
    }

    /// Creates a client on behalf of another; returns its client id and secret.
    pub fn mint_client(
        &mut self,
        token: &str,
        wish: &str,
        roles: &[String],
        caller: &Caller,
        now: Timestamp,
        lab: &LabPart,
    ) -> Result<(String, LabSecret), Deny> {
        let maker = self.allow(token, None, now, lab)?;
        let maker = self.client(&maker)?;
        if !may_mint(maker, lab) || maker.created_by.is_some() {
            return Err(Deny::Role);
        }
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
        if wish.is_empty() || wish.len() > 48 || !wish.chars().all(plain) {
            return Err(Deny::Request(
                "a client id is 1 to 48 letters, digits and hyphens",
            ));
        }
        if self.clients.len() >= MOST_CLIENTS {
            return Err(Deny::Request("the lab holds no more clients"));
        }
        let (maker_id, maker_name) = (maker.id.clone(), maker.client_id.clone());
        let owner = maker.owner.clone();
        let roles = build_roles(roles, lab, now, &maker_name)?;
        let secret =
            LabSecret::make("cs_").map_err(|_| Deny::Request("no random bytes for a secret"))?;
        let id = self.new_id("c", "client");
        let mut client_id = wish.to_owned();
        if self.by_client_id(&client_id).is_some() {
            client_id = format!("{wish}-{}", self.made);
        }
        self.clients.push(Client {
            id,
            client_id: client_id.clone(),
            enabled: true,
            not_before: None,
            secret: secret.clone(),
            secret_version: 1,
            secret_set: now,
            created_by: Some(maker_name),
            owner,
            roles,
            credentials: Vec::new(),
        });
        self.notice(
            &maker_id,
            caller,
            now,
            lab,
            Act::MintClient {
                client_id: client_id.clone(),
            },
        );
        Ok((client_id, secret))
    }

    /// Sets exactly these roles; those that stay keep their history.
    pub fn set_roles(
        &mut self,
        id: &str,
        names: &[String],
        now: Timestamp,
        lab: &LabPart,
    ) -> Result<(), Deny> {
        let client = self.client_mut(id)?;
        let mut roles = build_roles(names, lab, now, "console")?;
        for role in &mut roles {
            if let Some(kept) = client.roles.iter().find(|r| r.name == role.name) {
                *role = kept.clone();
            }
        }
        client.roles = roles;
        Ok(())
    }

    /// Ends every session of a client.
    pub fn end_sessions(&mut self, id: &str, now: Timestamp) -> Result<(), Deny> {
        self.client_mut(id)?.not_before = Some(now);
        self.sessions.retain(|s| s.client != id);
        Ok(())
    }

    /// Remembers an act for the alerts file, if it came from where nobody should be.
    pub fn notice(
        &mut self,
        client: &str,
        caller: &Caller,
        now: Timestamp,
        lab: &LabPart,
        act: Act,
    ) {
        let Some(source) = caller.source_ip.as_ref() else {
            return;
        };
        if lab.baseline_sources.contains(source) {
            return;
        }
        let Ok(client) = self.client(client) else {
            return;
        };
        let facts = Facts {
            identity: client.client_id.clone(),
            source_ip: source.clone(),
            user_agent: caller.user_agent.clone(),
            at: now,
            act,
        };
        self.noticed.push(facts);
    }

    fn new_id(&mut self, prefix: &str, kind: &str) -> String {
        self.made += 1;
        let label = format!("{kind}/{}", self.made);
        format!("{prefix}-{}", Seed(self.seed).hex(&label, 10))
    }
}

fn may_mint(client: &Client, lab: &LabPart) -> bool {
    lab.role
        .iter()
        .any(|r| r.mints_clients && client.has(&r.name))
}

fn build_roles(
    names: &[String],
    lab: &LabPart,
    now: Timestamp,
    by: &str,
) -> Result<Vec<Role>, Deny> {
    let mut roles: Vec<Role> = Vec::new();
    for name in names {
        let def = lab.role.iter().find(|r| r.name == *name);
        let def = def.ok_or(Deny::Request("no role has one of these names"))?;
        if roles.iter().any(|r| r.name == *name) {
            continue;
        }
        roles.push(Role {
            name: name.clone(),
            privileged: def.privileged,
            granted_at: now,
            granted_by: by.to_owned(),
        });
    }
    Ok(roles)
}
