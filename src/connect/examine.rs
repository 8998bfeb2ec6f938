//! What a configured connector could do now: secrets, reachability and the permissions of the console's own account, found
//! out without changing anything.

use std::collections::BTreeMap;

use reqwest::Method;
use reqwest::header::HeaderMap;
use serde_json::Value;
use url::Url;

use super::connector::{Connector, MAY_NOT_READ};
use super::http::{Exchange, Outgoing, Payload};
use super::jq;
use super::render;
use super::secret;
use crate::app::settings::AuthSettings;
use crate::domain::identity::Identity;
use crate::domain::ids::IdentityId;
use crate::domain::text::Untrusted;
use crate::domain::vocabulary::{IdentityKind, Verb};

/// What was found out about one thing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// It is so.
    Yes,
    /// It is not so, and why.
    No(String),
    /// It could not be told, and why.
    Unknown(String),
}

/// One permission of the console's own account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Permission {
    /// In the provider's words.
    pub needs: String,
    /// The actions that need it; empty for all.
    pub verbs: Vec<Verb>,
    /// Whether the account has it.
    pub found: Found,
}

/// What a connector could do now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Examination {
    /// Whether the secrets of `auth` can be read, and the place for new ones can be written.
    pub secrets: Found,
    /// Whether the provider answers at all.
    pub reachable: Found,
    /// What its own account may do.
    pub permissions: Vec<Permission>,
    /// Whether each action is possible, as far as that can be told.
    pub actions: BTreeMap<Verb, Found>,
}

impl Examination {
    /// Tells whether everything that was looked at is as it should be.
    pub fn is_good(&self) -> bool {
        let mut all = [&self.secrets, &self.reachable]
            .into_iter()
            .chain(self.actions.values());
        all.all(|found| *found == Found::Yes)
    }
}

impl Connector {
    /// Finds out what this connector could do now. Sends reads only.
    pub async fn examine(&self) -> Examination {
        let secrets = self.own_secrets();
        let reachable = self.reach().await;
        let mut permissions = Vec::new();
        for check in &self.spec.check {
            let found = match (&secrets, &reachable) {
                (Found::Yes, Found::Yes) => self.permission(check).await,
                (Found::Yes, other) | (other, _) => Found::Unknown(reason(other)),
            };
            permissions.push(Permission {
                needs: check.needs.clone(),
                verbs: check.verbs.clone(),
                found,
            });
        }
        let actions = self.spec.action.keys().map(|verb| {
            let told = permissions
                .iter()
                .filter(|p| p.verbs.is_empty() || p.verbs.contains(verb));
            let told: Vec<&Found> = [&secrets, &reachable]
                .into_iter()
                .chain(told.map(|p| &p.found))
                .collect();
            (*verb, worst(&told))
        });
        Examination {
            actions: actions.collect(),
            secrets,
            reachable,
            permissions,
        }
    }

    fn own_secrets(&self) -> Found {
        let auth = &self.settings.auth;
        if let Some(Err(error)) = auth.secret().map(secret::check) {
            return Found::No(error.to_string());
        }
        let also = match auth {
            AuthSettings::AwsSigv4 {
                session_token: Some(token),
                ..
            } => secret::check(token).map_err(|e| e.to_string()),
            AuthSettings::Mtls { certificate, .. } => readable(certificate),
            AuthSettings::KubernetesServiceAccount { token_file } => readable(token_file),
            _ => Ok(()),
        };
        let place = self.secret_dir.as_deref().map_or(Ok(()), |dir| {
            super::capture::Sink::prepare(&dir.join("stanch-doctor"), dir)
                .map(drop)
                .map_err(|e| e.to_string())
        });
        match also.and(place) {
            Ok(()) => Found::Yes,
            Err(why) => Found::No(why),
        }
    }

    /// Asks for the place itself, as nobody: any answer will do.
    async fn reach(&self) -> Found {
        if self.spec.command.is_some() {
            // What a program reaches, only the program can tell.
            return Found::Yes;
        }
        let Ok(url) = Url::parse(self.base.as_str()) else {
            return Found::No("its address is malformed".to_owned());
        };
        let out = Outgoing {
            method: Method::GET,
            url,
            headers: HeaderMap::new(),
            payload: Payload::Empty,
        };
        match self.client().await {
            Err(error) => Found::No(error.to_string()),
            Ok(http) => match http.send(out).await {
                Exchange::Answer(_) => Found::Yes,
                Exchange::NotSent(why) => Found::No(format!("it cannot be reached: {why}")),
                Exchange::Lost(why, _) => Found::No(format!("it gives no usable answer: {why}")),
            },
        }
    }

    async fn permission(&self, check: &super::spec::CheckSpec) -> Found {
        if let Some(when) = &check.when
            && !render::holds(when, &self.params, "check").unwrap_or(false)
        {
            return Found::Unknown("it cannot be asked about with these settings".to_owned());
        }
        let nobody = Identity::not_in_inventory(
            IdentityId::new("nobody"),
            Untrusted::new("nobody"),
            IdentityKind::Unknown,
        );
        let request = match render::read(&self.base, &check.read, &self.params, &nobody) {
            Ok(request) => request,
            Err(error) => return Found::Unknown(error.to_string()),
        };
        let body = match self.ask(&request).await {
            Ok((_, body)) => body,
            Err(why) if why.contains(MAY_NOT_READ) => return Found::No(why),
            Err(why) => return Found::Unknown(why),
        };
        let Some(filter) = &check.ok_if else {
            return Found::Yes;
        };
        match jq::first(&jq::with_vars(filter, &self.params), &body) {
            Ok(Value::Bool(true)) => Found::Yes,
            Ok(_) => Found::No("the provider answers that it has not".to_owned()),
            Err(error) => Found::Unknown(error.to_string()),
        }
    }
}

fn readable(path: &std::path::Path) -> Result<(), String> {
    match std::fs::File::open(path) {
        Ok(_) => Ok(()),
        Err(e) => Err(format!("cannot open `{}`: {e}", path.display())),
    }
}

fn reason(found: &Found) -> String {
    match found {
        Found::Yes => String::new(),
        Found::No(why) | Found::Unknown(why) => why.clone(),
    }
}

/// An action is possible when nothing speaks against it, and everything that could was told.
fn worst(told: &[&Found]) -> Found {
    let no = told.iter().find(|f| matches!(f, Found::No(_)));
    let unknown = told.iter().find(|f| matches!(f, Found::Unknown(_)));
    // Secrets and reachability alone say nothing about permissions.
    match no.or(unknown) {
        Some(found) => (*found).clone(),
        None if told.len() <= 2 => Found::Unknown("the connector file names no check".to_owned()),
        None => Found::Yes,
    }
}
