//! Service accounts of Google Cloud, their keys, and what policies give them, from the output of
//! `gcloud iam service-accounts list`, `gcloud iam service-accounts keys list`, `gcloud projects get-iam-policy`,
//! `gcloud asset list --content-type resource` or `iam-policy`, and `gcloud asset search-all-iam-policies`, each with
//! `--format json`, one after the other in one file.
//! <https://docs.cloud.google.com/iam/docs/reference/rest/v1/projects.serviceAccounts>,
//! <https://docs.cloud.google.com/asset-inventory/docs/reference/rest/v1/assets/list>,
//! <https://docs.cloud.google.com/iam/docs/reference/rest/v1/Policy>

use std::collections::BTreeMap;

use serde_json::Value;

use super::reading::Reading;
use super::value::{at, list, said, text, time};
use crate::domain::graph::EdgeKind;
use crate::domain::identity::{Credential, Grant, Identity, Level, Scope};
use crate::domain::ids::{IdentityId, NodeId};
use crate::domain::inventory::Loss;
use crate::domain::text::{Untrusted, show};
use crate::domain::vocabulary::{Driver, IdentityKind};

/// Tells whether this is an account, a key, an asset or a policy.
pub(super) fn is_entry(value: &Value) -> bool {
    let has = |key: &str| value.get(key).is_some();
    (has("email") && has("uniqueId"))
        || has("assetType")
        || is_key(value)
        || at(value, &["policy", "bindings"]).is_some()
        || (has("bindings") && (has("etag") || has("version")))
}

fn is_key(value: &Value) -> bool {
    text(value, &["name"]).is_some_and(|n| n.contains("/serviceAccounts/") && n.contains("/keys/"))
}

struct Binding {
    line: usize,
    role: String,
    member: String,
    on: Option<String>,
}

/// Everything read of one or more projects.
#[derive(Default)]
pub(super) struct Projects {
    /// By address.
    accounts: BTreeMap<String, (usize, Identity)>,
    /// Addresses by unique id, which assets use.
    addresses: BTreeMap<String, String>,
    keys: Vec<(usize, String, Credential)>,
    bindings: Vec<Binding>,
}

impl Projects {
    /// Takes one entry.
    pub fn take(&mut self, reading: &mut Reading, line: usize, value: &Value) {
        reading.format = Some("google");
        let data = at(value, &["resource", "data"]).unwrap_or(value);
        let kind = text(value, &["assetType"]).or_else(|| text(value, &["asset_type"]));
        let is_asset_of =
            |word: &str| kind.is_some_and(|k| k == format!("iam.googleapis.com/{word}"));
        if is_key(data) {
            self.key(line, data);
        } else if data.get("email").is_some() && (kind.is_none() || is_asset_of("ServiceAccount")) {
            self.account(reading, line, data);
        }
        let on = text(value, &["name"])
            .or_else(|| text(value, &["resource"]))
            .map(str::to_owned);
        for path in [
            &["bindings"][..],
            &["policy", "bindings"],
            &["iamPolicy", "bindings"],
        ] {
            for binding in list(value, path) {
                self.binding(line, binding, on.as_deref());
            }
        }
    }

    fn account(&mut self, reading: &mut Reading, line: usize, data: &Value) {
        let Some(email) = text(data, &["email"]) else {
            return reading.mistake(line, "a service account needs `email`", Loss::Entry);
        };
        let provider = reading.about.provider.as_deref().unwrap_or("gcp");
        let mut card = Identity::blank(IdentityId::new(format!("{provider}:{email}")));
        card.name = said(data, &["displayName"]).unwrap_or_else(|| {
            Untrusted::from(email.split_once('@').map_or(email, |(name, _)| name))
        });
        card.kind = IdentityKind::ServiceAccount;
        card.driver = Driver::Script;
        card.enabled = Some(data.get("disabled").and_then(Value::as_bool) != Some(true));
        card.workload = said(data, &["description"]);
        for key in ["uniqueId", "oauth2ClientId", "name"] {
            let alias = said(data, &[key]);
            card.aliases
                .extend(alias.filter(|a| !card.aliases.contains(a)));
        }
        // What people call it need not be its address.
        card.aliases.push(email.into());
        if let Some(unique) = text(data, &["uniqueId"]) {
            self.addresses.insert(unique.to_owned(), email.to_owned());
        }
        if let Some((first, _)) = self.accounts.get(email) {
            let problem = format!(
                "service account `{}` is listed twice, first in line {first}",
                show(email)
            );
            return reading.mistake(line, problem, Loss::Entry);
        }
        self.accounts.insert(email.to_owned(), (line, card));
    }

    fn key(&mut self, line: usize, data: &Value) {
        let Some((account, key)) = text(data, &["name"])
            .and_then(|n| n.split_once("/serviceAccounts/"))
            .and_then(|(_, rest)| rest.split_once("/keys/"))
        else {
            return;
        };
        // Keys that Google keeps and renews by itself cannot leak.
        if text(data, &["keyType"]) == Some("SYSTEM_MANAGED") {
            return;
        }
        let credential = Credential {
            id: key.into(),
            kind: "service_account_key".into(),
            created: time(data, &["validAfterTime"]),
            expires: time(data, &["validBeforeTime"]),
            enabled: Some(data.get("disabled").and_then(Value::as_bool) != Some(true)),
            ..Credential::default()
        };
        self.keys.push((line, account.to_owned(), credential));
    }

    fn binding(&mut self, line: usize, binding: &Value, on: Option<&str>) {
        let Some(role) = text(binding, &["role"]) else {
            return;
        };
        for member in list(binding, &["members"]).iter().filter_map(Value::as_str) {
            self.bindings.push(Binding {
                line,
                role: role.to_owned(),
                member: member.to_owned(),
                on: on.map(str::to_owned),
            });
        }
    }

    /// Gives accounts their keys and roles, now that all are known.
    pub fn finish(mut self, reading: &mut Reading) {
        for (line, account, key) in std::mem::take(&mut self.keys) {
            let address = self.addresses.get(&account).cloned().unwrap_or(account);
            if let Some((_, card)) = self.accounts.get_mut(&address) {
                card.credentials.push(key);
            } else {
                let problem = format!(
                    "key `{}` is of service account `{}`, which is not in the list",
                    key.id.show(),
                    show(&address)
                );
                reading.mistake(line, problem, Loss::Entry);
            }
        }
        let provider = reading
            .about
            .provider
            .as_deref()
            .unwrap_or("gcp")
            .to_owned();
        for binding in std::mem::take(&mut self.bindings) {
            self.grant(reading, &provider, &binding);
        }
        for (line, card) in self.accounts.into_values() {
            reading.card(line, card, None);
        }
    }

    fn grant(&mut self, reading: &mut Reading, provider: &str, binding: &Binding) {
        let Binding {
            line,
            role,
            member,
            on,
        } = binding;
        // A policy on an account says who may act as it.
        let target = on
            .as_deref()
            .and_then(|on| on.split_once("/serviceAccounts/"))
            .map(|(_, account)| {
                self.addresses
                    .get(account)
                    .cloned()
                    .unwrap_or_else(|| account.to_owned())
            });
        let by = member.strip_prefix("serviceAccount:");
        if let Some((_, card)) = target.as_ref().and_then(|t| self.accounts.get_mut(t)) {
            card.grants.push(Grant {
                id: Untrusted::new(format!("{role} {member}")),
                to: Untrusted::new(member.as_str()),
                kind: Some("delegation".into()),
                scopes: vec![Untrusted::new(role.as_str())],
                since: None,
                expires: None,
            });
            if let Some(by) = by.filter(|by| self.accounts.contains_key(*by) && impersonates(role))
            {
                let from = NodeId::new(format!("{provider}:{by}"));
                let to = NodeId::new(format!("{provider}:{}", target.unwrap_or_default()));
                if from != to {
                    reading.edge(*line, (from, EdgeKind::CanReach, to));
                }
            }
        }
        let Some((_, card)) = by.and_then(|by| self.accounts.get_mut(by)) else {
            return;
        };
        let short = on.as_deref().map(|on| on.rsplit('/').next().unwrap_or(on));
        let name = match short {
            Some(on) => format!("{role} on {on}"),
            None => role.clone(),
        };
        if card.scopes.iter().any(|s| s.name.raw() == name) {
            return;
        }
        let level = level(role);
        card.scopes.push(Scope {
            name: Untrusted::new(name),
            privileged: level.is_some_and(Level::is_privileged),
            level,
            on: on.as_deref().map(Untrusted::from),
            ..Scope::default()
        });
    }
}

/// Tells whether a role on an account lets its holder act as it, or make himself a key of it. Of custom roles nobody here
/// knows, so they do.
/// <https://docs.cloud.google.com/iam/docs/service-account-permissions>
fn impersonates(role: &str) -> bool {
    let Some(name) = role.strip_prefix("roles/") else {
        return true;
    };
    matches!(
        name,
        "owner"
            | "editor"
            | "iam.serviceAccountTokenCreator"
            | "iam.serviceAccountOpenIdTokenCreator"
            | "iam.serviceAccountUser"
            | "iam.serviceAccountAdmin"
            | "iam.serviceAccountKeyAdmin"
            | "iam.workloadIdentityUser"
            | "iam.securityAdmin"
    )
}

/// Tells how much a predefined role gives, by name; of custom roles it is unknown here.
/// <https://docs.cloud.google.com/iam/docs/roles-permissions>
fn level(role: &str) -> Option<Level> {
    let name = role.strip_prefix("roles/")?;
    let admin = [
        "owner",
        "iam.securityAdmin",
        "iam.serviceAccountAdmin",
        "iam.serviceAccountKeyAdmin",
        "iam.serviceAccountTokenCreator",
        "iam.serviceAccountUser",
        "iam.workloadIdentityUser",
        "iam.roleAdmin",
        "iam.organizationRoleAdmin",
        "resourcemanager.organizationAdmin",
        "resourcemanager.projectIamAdmin",
        "resourcemanager.folderAdmin",
    ];
    let secrets = [
        "secretmanager.admin",
        "secretmanager.secretAccessor",
        "cloudkms.cryptoKeyDecrypter",
        "cloudkms.cryptoKeyEncrypterDecrypter",
    ];
    let ends = |word: &str| name.to_ascii_lowercase().ends_with(word);
    if admin.contains(&name) {
        Some(Level::Admin)
    } else if secrets.contains(&name) {
        Some(Level::SecretReading)
    } else if ends("viewer") || ends("reader") || ends("subscriber") || ends("browser") {
        Some(Level::Read)
    } else if name == "editor"
        || [
            "admin",
            "editor",
            "writer",
            "creator",
            "user",
            "publisher",
            "developer",
        ]
        .iter()
        .any(|w| ends(w))
    {
        Some(Level::Write)
    } else {
        None
    }
}
