//! Where what is known about identities comes from.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::AuthSettings;

/// Settings of the inventory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct InventorySettings {
    /// The sources, the most trusted first. `files` is an older name of it.
    #[serde(alias = "files")]
    pub source: Vec<InventorySource>,
    /// After how many days what a source says counts as stale, 1 to 36,500.
    pub stale_after_d: u32,
    /// After how many days without use an identity counts as unused, 1 to 36,500.
    pub unused_after_d: u32,
    /// After how many seconds a running console reads all sources again, 60 to 86,400; 0 only on a key.
    pub reload_s: u32,
    /// After how many seconds the provider is asked again about the identity of the selected alert, 60 to 86,400; 0 only
    /// on a key.
    pub live_again_s: u32,
}

impl Default for InventorySettings {
    fn default() -> Self {
        Self {
            source: Vec::new(),
            stale_after_d: 90,
            unused_after_d: 90,
            reload_s: 600,
            live_again_s: 120,
        }
    }
}

/// One source: a path alone, or a table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(remote = "Self", deny_unknown_fields)]
pub struct InventorySource {
    /// Its name on screen; the file's name or the address when not given.
    pub name: Option<String>,
    /// A file. Exactly one of `file` and `url` is set.
    pub file: Option<PathBuf>,
    /// An address that answers with such a file; https unless the host is loopback.
    pub url: Option<String>,
    /// The format; found from the content when not given.
    pub format: Option<String>,
    /// What stands before the colon of its identities' ids, where the format leaves that open.
    pub provider: Option<String>,
    /// The connector of those of its identities that name none.
    pub connector: Option<String>,
    /// How the console proves who it is.
    #[serde(default)]
    pub auth: AuthSettings,
    /// PEM file of a private certificate authority, trusted besides the system's.
    pub ca_file: Option<PathBuf>,
    /// Longest wait for all of it, in seconds, 1 to 120.
    #[serde(default = "default_timeout_s")]
    pub timeout_s: u64,
    /// For how many seconds a copy is used without asking again, up to 86,400.
    #[serde(default = "default_fresh_s")]
    pub fresh_s: u64,
    /// After how many days what it says counts as stale; that of the inventory when not given.
    pub stale_after_d: Option<u32>,
}

impl InventorySource {
    /// Names a file of which everything else is found out.
    pub fn of_file(path: impl Into<PathBuf>) -> Self {
        Self {
            file: Some(path.into()),
            ..Self::default()
        }
    }

    /// Makes every path relative to `base`, the folder of the configuration.
    pub fn make_absolute(&mut self, base: &Path) {
        for path in [&mut self.file, &mut self.ca_file].into_iter().flatten() {
            *path = base.join(&*path);
        }
        if let Some(secret) = self.auth.secret_mut() {
            secret.make_absolute(base);
        }
    }

    /// Returns what it is called on screen.
    pub fn shown_name(&self) -> String {
        let of_file = || {
            let name = self.file.as_ref()?.file_name()?;
            Some(name.to_string_lossy().into_owned())
        };
        let name = self.name.clone().or_else(of_file);
        name.or_else(|| self.url.clone()).unwrap_or_default()
    }
}

const fn default_timeout_s() -> u64 {
    10
}

const fn default_fresh_s() -> u64 {
    300
}

impl Default for InventorySource {
    fn default() -> Self {
        Self {
            name: None,
            file: None,
            url: None,
            format: None,
            provider: None,
            connector: None,
            auth: AuthSettings::None,
            ca_file: None,
            timeout_s: default_timeout_s(),
            fresh_s: default_fresh_s(),
            stale_after_d: None,
        }
    }
}

impl Serialize for InventorySource {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Self::serialize(self, serializer)
    }
}

impl<'de> Deserialize<'de> for InventorySource {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(PathOrTable)
    }
}

/// Reads a path or a table. An untagged enum would not say which key of the table is wrong.
struct PathOrTable;

impl<'de> Visitor<'de> for PathOrTable {
    type Value = InventorySource;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a path, or a table with `file` or `url`")
    }

    fn visit_str<E: Error>(self, path: &str) -> Result<Self::Value, E> {
        Ok(InventorySource::of_file(path))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        // Not the trait's, which comes back here, but the table's own.
        InventorySource::deserialize(MapAccessDeserializer::new(map))
    }
}
