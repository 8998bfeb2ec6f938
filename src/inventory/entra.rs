//! Service principals of Entra, as Graph lists them:
//! `GET /v1.0/servicePrincipals?$expand=appRoleAssignments` (and another time with `owners`, since Graph expands one
//! relation at a time), each page as it comes. `oauth2PermissionGrants` and `appRoleAssignments` may follow as lists.
//! <https://learn.microsoft.com/en-us/graph/api/resources/serviceprincipal>,
//! <https://learn.microsoft.com/en-us/graph/api/resources/approleassignment>,
//! <https://learn.microsoft.com/en-us/graph/api/resources/oauth2permissiongrant>

use std::collections::{BTreeMap, HashMap};

use serde_json::Value;

use super::reading::Reading;
use super::value::{list, said, text, time};
use crate::domain::identity::{Credential, Grant, Identity, Level, Scope};
use crate::domain::ids::IdentityId;
use crate::domain::inventory::Loss;
use crate::domain::text::{Untrusted, show};
use crate::domain::vocabulary::{Driver, IdentityKind};

/// Tells whether this is a service principal, or something granted to one.
pub(super) fn is_entry(value: &Value) -> bool {
    let has = |key: &str| value.get(key).is_some();
    (has("appId") && has("id")) || is_assignment(value) || is_consent(value)
}

fn is_assignment(value: &Value) -> bool {
    ["appRoleId", "principalId", "resourceId"]
        .iter()
        .all(|k| value.get(k).is_some())
}

fn is_consent(value: &Value) -> bool {
    ["clientId", "consentType", "scope"]
        .iter()
        .all(|k| value.get(k).is_some())
}

/// Everything read of one tenant.
#[derive(Default)]
pub(super) struct Tenant {
    cards: BTreeMap<String, (usize, Identity)>,
    /// Values of application roles by id: `Mail.Read`.
    roles: HashMap<String, String>,
    assignments: Vec<(usize, Value)>,
    consents: Vec<(usize, Value)>,
}

impl Tenant {
    /// Takes one object.
    pub fn take(&mut self, reading: &mut Reading, line: usize, value: &Value) {
        reading.format = Some("entra");
        if is_assignment(value) {
            return self.assignments.push((line, value.clone()));
        }
        if is_consent(value) {
            return self.consents.push((line, value.clone()));
        }
        for role in list(value, &["appRoles"]) {
            if let (Some(id), Some(name)) = (text(role, &["id"]), text(role, &["value"])) {
                self.roles.insert(id.to_ascii_lowercase(), name.to_owned());
            }
        }
        let nested = |key| list(value, &[key]).iter().map(|v| (line, v.clone()));
        self.assignments.extend(nested("appRoleAssignments"));
        self.consents.extend(nested("oauth2PermissionGrants"));
        let Some(id) = text(value, &["id"]) else {
            return reading.mistake(line, "a service principal needs an `id`", Loss::Entry);
        };
        let provider = reading.about.provider.as_deref().unwrap_or("entra");
        let card = card(provider, id, value);
        let owners = owners(value);
        // Graph expands one relation at a time, so that the same principal comes in several lists.
        let (_, own) = self.cards.entry(id.to_owned()).or_insert((line, card));
        own.technical_owner = own.technical_owner.take().or(owners.0);
        own.contact = own.contact.take().or(owners.1);
    }

    /// Gives the principals what was granted to them, now that all are known.
    pub fn finish(mut self, reading: &mut Reading) {
        if self.cards.is_empty() && self.assignments.is_empty() && self.consents.is_empty() {
            return;
        }
        let provider = reading.about.provider.as_deref().unwrap_or("entra");
        reading.folding.insert(provider.to_owned());
        for (line, assignment) in std::mem::take(&mut self.assignments) {
            let principal = text(&assignment, &["principalId"]).unwrap_or_default();
            let role = text(&assignment, &["appRoleId"]).unwrap_or_default();
            let name = self.roles.get(&role.to_ascii_lowercase());
            let name = name.cloned().unwrap_or_else(|| role.to_owned());
            let on = said(&assignment, &["resourceDisplayName"]);
            let Some((_, card)) = self.cards.get_mut(principal) else {
                // People and groups hold roles too; they are no service principals.
                if text(&assignment, &["principalType"]).is_none_or(|t| t == "ServicePrincipal") {
                    missing(reading, line, "an application role", principal);
                }
                continue;
            };
            if card.scopes.iter().any(|s| s.name.raw() == name) {
                continue;
            }
            let level = level(&name);
            card.scopes.push(Scope {
                name: Untrusted::new(name),
                privileged: level.is_some_and(Level::is_privileged),
                level,
                on,
                ..Scope::default()
            });
        }
        for (line, consent) in std::mem::take(&mut self.consents) {
            let client = text(&consent, &["clientId"]).unwrap_or_default();
            let Some((_, card)) = self.cards.get_mut(client) else {
                missing(reading, line, "a consent", client);
                continue;
            };
            let who = match text(&consent, &["principalId"]) {
                Some(person) => format!("user {person}"),
                None => "all users".to_owned(),
            };
            let scopes = text(&consent, &["scope"]).unwrap_or_default();
            card.grants.push(Grant {
                id: said(&consent, &["id"]).unwrap_or_else(|| Untrusted::new(who.as_str())),
                to: Untrusted::new(who),
                kind: Some("consent".into()),
                scopes: scopes.split_whitespace().map(Untrusted::from).collect(),
                since: None,
                expires: None,
            });
        }
        for (line, card) in self.cards.into_values() {
            reading.card(line, card, None);
        }
    }
}

fn missing(reading: &mut Reading, line: usize, what: &str, principal: &str) {
    let problem = format!(
        "{what} is given to `{}`, which is not in the list",
        show(principal)
    );
    reading.mistake(line, problem, Loss::None);
}

fn card(provider: &str, id: &str, value: &Value) -> Identity {
    let mut card = Identity::blank(IdentityId::new(format!("{provider}:{id}")));
    card.name = said(value, &["displayName"])
        .or_else(|| said(value, &["appDisplayName"]))
        .unwrap_or_default();
    card.kind = match text(value, &["servicePrincipalType"]) {
        Some("ManagedIdentity") => IdentityKind::Workload,
        Some(_) => IdentityKind::OauthClient,
        None => IdentityKind::Unknown,
    };
    card.driver = Driver::Script;
    card.enabled = value.get("accountEnabled").and_then(Value::as_bool);
    card.created = time(value, &["createdDateTime"]);
    card.aliases
        .extend(text(value, &["appId"]).map(Untrusted::from));
    for name in list(value, &["servicePrincipalNames"]) {
        let name = name.as_str().map(Untrusted::from);
        card.aliases
            .extend(name.filter(|n| !card.aliases.contains(n)));
    }
    for (key, kind) in [
        ("passwordCredentials", "client_secret"),
        ("keyCredentials", "certificate"),
    ] {
        for credential in list(value, &[key]) {
            card.credentials
                .extend(said(credential, &["keyId"]).map(|id| Credential {
                    id,
                    kind: kind.into(),
                    created: time(credential, &["startDateTime"]),
                    expires: time(credential, &["endDateTime"]),
                    ..Credential::default()
                }));
        }
    }
    card
}

/// Returns who owns a principal, and how to reach them.
fn owners(value: &Value) -> (Option<Untrusted>, Option<Untrusted>) {
    let owners = list(value, &["owners"]);
    let name = |o: &Value| {
        text(o, &["displayName"])
            .or_else(|| text(o, &["userPrincipalName"]))
            .map(str::to_owned)
    };
    let reach = |o: &Value| {
        text(o, &["mail"])
            .or_else(|| text(o, &["userPrincipalName"]))
            .map(str::to_owned)
    };
    let join = |found: Vec<String>| (!found.is_empty()).then(|| Untrusted::new(found.join(", ")));
    (
        join(owners.iter().filter_map(name).take(10).collect()),
        join(owners.iter().filter_map(reach).take(10).collect()),
    )
}

/// Tells how much a permission of Graph gives, by the way they are named; those that lead to every other are known.
/// <https://learn.microsoft.com/en-us/graph/permissions-reference>
fn level(name: &str) -> Option<Level> {
    let admin = [
        "RoleManagement.ReadWrite.Directory",
        "AppRoleAssignment.ReadWrite.All",
        "Application.ReadWrite.All",
        "Application.ReadWrite.OwnedBy",
        "Directory.ReadWrite.All",
        "PrivilegedAccess.ReadWrite.AzureADGroup",
        "UserAuthenticationMethod.ReadWrite.All",
    ];
    let has = |word: &str| name.split('.').any(|part| part == word);
    if admin.contains(&name) {
        Some(Level::Admin)
    } else if has("ReadWrite") || has("Write") || has("Send") || has("Manage") || has("FullControl")
    {
        Some(Level::Write)
    } else if has("Read") || has("ReadBasic") {
        Some(Level::Read)
    } else {
        None
    }
}
