//! What several tests share.

use std::collections::BTreeMap;
use std::path::Path;

use crate::app::settings::{AuthSettings, ConnectorSettings};
use crate::domain::identity::Identity;
use crate::domain::ids::IdentityId;
use crate::domain::text::Untrusted;
use crate::domain::vocabulary::IdentityKind;

/// What an attacker who names things would like to be called.
pub const HOSTILE: &[&str] = &[
    "",
    ".",
    "..",
    "../..",
    "/",
    "//",
    "//evil.example/",
    "a/b",
    "a\\b",
    "\\\\evil",
    "..\\..",
    "%2e%2e",
    "%2f",
    "%00",
    "%",
    "a%0d%0a",
    "\0",
    "a\nb",
    "a\r\nHost: evil",
    "\t",
    "\u{7f}",
    "\u{85}",
    "\u{1b}[2J",
    "?",
    "a?b=c",
    "#",
    "a#b",
    "\u{202e}x",
    "\u{200b}",
    "\u{feff}a",
    "a\u{2028}b",
    ".\u{200d}.",
    "https://evil.example",
    "http:evil/..",
    "@evil/",
    "user@h/x",
    ":80/x",
    "{y}/..",
    "\u{3164}",
    "a/../../b",
];

/// A small connector file without faults.
pub const GOOD: &str = r#"
kind = "http"
title = "Test provider"
never_self = "client_id"

[param.client_id]
from = "identity"
pattern = '[a-z.-]+'
help = "the client id"

[[lookup]]
read = { id = "clients", path = "/clients?client_id={client_id}" }
vars = { id = ".[0].id" }
missing = "no such client"

[[context.identity]]
read = { id = "client", path = "/clients/{id}" }
shape = "{enabled, attributes: {note: .note}}"

[action.disable_identity]
title = "Disable"
layer = "credentials"
breaks = "everything"
idempotent = true
target = "client {client_id}"
request = [{ id = "disable", method = "POST", path = "/clients/{id}/disable", json = { why = "{client_id}" }, expect = [204] }]
verify = { request = [{ id = "read", path = "/clients/{id}" }], proven_if = ".read.body.enabled == false", interval_ms = 50, deadline_ms = 200, says = "it is disabled" }
undo = { irreversible = "no" }
precondition = [{ lookup = "clients", filter = ".[0].enabled", says = "whether it is enabled" }]
"#;

/// Settings of an embedded connector without authentication.
pub fn settings(base_url: &str, preset: &str) -> ConnectorSettings {
    ConnectorSettings {
        preset: Some(preset.to_owned()),
        file: None,
        base_url: base_url.to_owned(),
        params: BTreeMap::new(),
        auth: AuthSettings::None,
        ca_file: None,
        timeout_s: 5,
    }
}

/// Settings of the connector file [`GOOD`], written below a directory.
pub fn good(base_url: &str, dir: &Path) -> ConnectorSettings {
    let path = dir.join("good.toml");
    std::fs::write(&path, GOOD).unwrap();
    ConnectorSettings {
        preset: None,
        file: Some(path),
        ..settings(base_url, "")
    }
}

/// An identity with a client id.
pub fn identity(client_id: &str) -> Identity {
    let mut identity = Identity::not_in_inventory(
        IdentityId::new("test:svc"),
        Untrusted::new("svc"),
        IdentityKind::ServiceAccount,
    );
    identity.params.insert("client_id".into(), client_id.into());
    identity
}
