//! The configuration file: read, checked, with every path made absolute.

mod alerts;
mod desk;
mod inventory;
pub mod put;
pub mod remembered;
mod sources;
pub mod views;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use toml::de::{DeArray, DeTable, DeValue};

use crate::app::keymap::Keymap;
use crate::app::settings::{
    ConnectorSettings, Desk, InventorySettings, ReceiverSettings, Retention, SourceSettings,
};
use crate::domain::authority::{Quorum, TimeOut};
pub use alerts::AlertSettings;
pub use desk::{Fold, SlaSettings, ViewSettings, WatchSettings};

/// The commented default, which `stanch init` writes.
pub const EXAMPLE: &str = include_str!("../config.example.toml");

/// Everything that can be configured.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where alerts come from.
    pub source: Vec<SourceSettings>,
    /// Where senders of alerts are listened to.
    pub receiver: ReceiverSettings,
    /// How long alerts are kept.
    pub alerts: AlertSettings,
    /// How alerts are decoded besides what is shipped.
    pub decoders: DecoderSettings,
    /// What is known about identities.
    pub inventory: InventorySettings,
    /// What may be done.
    pub playbooks: Files,
    /// How alerts are weighed.
    pub policy: PolicySettings,
    /// Providers by name.
    pub connector: BTreeMap<String, ConnectorSettings>,
    /// Who may do what.
    pub authority: AuthoritySettings,
    /// The decision log.
    pub journal: JournalSettings,
    /// Until when alerts are to be contained.
    pub sla: SlaSettings,
    /// How long containments are watched.
    pub watch: WatchSettings,
    /// Views of the queue.
    pub view: Vec<ViewSettings>,
    /// The screen.
    pub ui: UiSettings,
    /// Keys instead of the default ones, by the id of a command.
    pub keys: BTreeMap<String, Vec<String>>,
}

/// A list of files.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Files {
    /// Their paths.
    pub files: Vec<PathBuf>,
}

/// Settings of the policy.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PolicySettings {
    /// A policy of one's own instead of the shipped one.
    pub file: Option<PathBuf>,
}

/// Settings of the decoders.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DecoderSettings {
    /// Mapping files of one's own; each wins over what is shipped.
    pub mappings: Vec<PathBuf>,
    /// A file with the JSON Web Key Set of those who sign security event tokens.
    pub token_keys: Option<PathBuf>,
}

/// Who may do what, and how many must agree. Without a roster nobody is asked, as there is nobody to ask.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AuthoritySettings {
    /// The roster: `[[person]]` tables with keys, roles, teams and powers. The same file is `log verify --trust`.
    pub roster: Option<PathBuf>,
    /// Who must agree to plans of the soft tier.
    pub soft: Quorum,
    /// Who must agree to plans of the hard tier.
    pub hard: Quorum,
    /// Who must agree to plans of these playbooks instead.
    pub playbooks: BTreeMap<String, Quorum>,
    /// How long those who are asked have, in seconds; at most until the plan expires.
    pub wait_s: u32,
    /// What happens when they say nothing.
    pub on_timeout: TimeOut,
    /// Nodes of the map that people rely on during an incident: the log's anchor, a way back in. Those who must agree are
    /// warned when one is within reach.
    pub guarded: Vec<String>,
}

impl Default for AuthoritySettings {
    fn default() -> Self {
        Self {
            roster: None,
            soft: Quorum::default(),
            hard: Quorum {
                count: 1,
                ..Quorum::default()
            },
            playbooks: BTreeMap::new(),
            wait_s: 300,
            on_timeout: TimeOut::Escalate,
            guarded: Vec::new(),
        }
    }
}

/// Settings of the decision log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct JournalSettings {
    /// First part of every log's origin line.
    pub site: String,
    /// Your name as every record says it; a claim, which a roster can confirm.
    pub person: String,
    /// Folder, better on another disk, for what an act came to when the log itself fails; empty for the runtime folder.
    pub fallback_dir: PathBuf,
    /// Act although the log lies on a network file system.
    pub allow_network_fs: bool,
    /// Copies of signed heads outside this machine.
    pub anchor: AnchorSettings,
}

/// Settings of anchors.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AnchorSettings {
    /// Where each signed head is posted; empty for nowhere.
    pub url: String,
    /// Key of the C2SP witness whose submission prefix the URL is; empty when it just takes what comes.
    pub witness_key: String,
    /// As many lines without an anchor are worth a warning.
    pub warn_lines: u64,
    /// As many seconds without one are.
    pub warn_s: u32,
}

impl Default for AnchorSettings {
    fn default() -> Self {
        Self {
            url: String::new(),
            witness_key: String::new(),
            warn_lines: 100,
            warn_s: 900,
        }
    }
}

impl Default for JournalSettings {
    fn default() -> Self {
        Self {
            site: "local".to_owned(),
            person: String::new(),
            fallback_dir: PathBuf::new(),
            allow_network_fs: false,
            anchor: AnchorSettings::default(),
        }
    }
}

/// Settings of the screen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct UiSettings {
    /// Name of a theme.
    pub theme: String,
    /// ASCII marks.
    pub ascii: bool,
    /// The wheel scrolls, a click selects.
    pub mouse: bool,
}

impl Default for UiSettings {
    fn default() -> Self {
        Self {
            theme: "terminal".to_owned(),
            ascii: false,
            mouse: false,
        }
    }
}

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error(
        "cannot read {path}: {error}\n  way out: `stanch init` writes a commented file; `--config FILE` names another one"
    )]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// Not TOML, an unknown key or a wrong type. The text shows line, column and key.
    #[error(
        "{path}: {error}\n  way out: `stanch config example` prints every key with its meaning"
    )]
    Syntax {
        /// Which file.
        path: PathBuf,
        /// Where and what.
        error: String,
    },
    /// Rules are broken.
    #[error("{}", list(path, faults))]
    Rules {
        /// Which file.
        path: PathBuf,
        /// Each of them; never empty.
        faults: Vec<Fault>,
    },
}

/// A broken rule.
#[derive(Debug)]
pub struct Fault {
    /// Line of the key; `None` when it does not stand in the file.
    line: Option<usize>,
    /// Which key.
    key: String,
    /// What is wrong, and the way out.
    problem: String,
}

fn list(path: &Path, faults: &[Fault]) -> String {
    let one = |fault: &Fault| {
        let line = fault.line.map_or(String::new(), |n| format!("line {n}: "));
        format!("{}: {line}{}: {}", path.display(), fault.key, fault.problem)
    };
    faults.iter().map(one).collect::<Vec<_>>().join("\n")
}

impl Config {
    /// Reads and checks a file.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let read = |error| ConfigError::Read {
            path: path.to_owned(),
            error,
        };
        let text = std::fs::read_to_string(path).map_err(read)?;
        let mut config = Self::parse(&text, path)?;
        config.make_absolute(path.parent().unwrap_or(Path::new(".")));
        Ok(config)
    }

    /// Checks the text of a file; `path` is for messages only.
    pub fn parse(text: &str, path: &Path) -> Result<Self, ConfigError> {
        let config: Self = toml::from_str(text).map_err(|error| ConfigError::Syntax {
            path: path.to_owned(),
            error: describe(text, &error),
        })?;
        let faults: Vec<Fault> = validate_sources(&config.source)
            .into_iter()
            .chain(validate_connectors(&config.connector))
            .chain(sources::check(&config))
            .chain(inventory::check(text, &config.inventory))
            .chain(validate_site(&config.journal.site))
            .chain(desk::validate(&config.sla, &config.view))
            .chain(desk::validate_watch(&config.watch))
            .chain(alerts::validate(&config.alerts))
            .chain(validate_keys(&config.keys))
            .map(|(key, problem)| fault(text, &key, problem))
            .collect();
        if faults.is_empty() {
            return Ok(config);
        }
        Err(ConfigError::Rules {
            path: path.to_owned(),
            faults,
        })
    }

    /// Returns an error about a key of the file that this configuration was read from: which line, and what is wrong
    /// with what it names.
    pub fn blame(path: &Path, key: &[&str], problem: String) -> ConfigError {
        // The file was readable a moment ago; without it the error has no line.
        let text = std::fs::read_to_string(path).unwrap_or_default();
        let key: Vec<String> = key.iter().map(|&k| k.to_owned()).collect();
        ConfigError::Rules {
            path: path.to_owned(),
            faults: vec![fault(&text, &key, problem)],
        }
    }

    /// Returns the key under which the file at `path` lists the sources of its inventory: `files` is the older name.
    pub fn inventory_key(path: &Path) -> &'static str {
        inventory::list_key(&std::fs::read_to_string(path).unwrap_or_default())
    }

    /// Returns the analyst's desk.
    pub fn desk(&self) -> Desk {
        desk::desk(&self.sla, &self.view, &self.watch)
    }

    /// Returns how long alerts are kept.
    pub fn retention(&self) -> Retention {
        alerts::retention(&self.alerts)
    }

    fn make_absolute(&mut self, base: &Path) {
        let fix = |path: &mut PathBuf| *path = base.join(&*path);
        for source in &mut self.inventory.source {
            source.make_absolute(base);
        }
        self.playbooks.files.iter_mut().for_each(fix);
        self.policy.file.iter_mut().for_each(fix);
        self.authority.roster.iter_mut().for_each(fix);
        if !self.journal.fallback_dir.as_os_str().is_empty() {
            fix(&mut self.journal.fallback_dir);
        }
        self.decoders.mappings.iter_mut().for_each(fix);
        self.decoders.token_keys.iter_mut().for_each(fix);
        for source in &mut self.source {
            source.make_absolute(base);
        }
        for connector in self.connector.values_mut() {
            connector.file.iter_mut().for_each(fix);
            connector.ca_file.iter_mut().for_each(fix);
            connector.auth.make_absolute(base);
        }
    }
}

/// Says where a TOML error is and what it is, without the line itself: a secret pasted by mistake may stand on it.
fn describe(text: &str, error: &toml::de::Error) -> String {
    let message = error.message();
    // Type errors quote the value they found.
    let message = match (message.find("string \""), message.rfind("\", expected")) {
        (Some(from), Some(to)) if from < to => {
            format!("{}string{}", &message[..from], &message[to + 1..])
        }
        _ => message.to_owned(),
    };
    let message = without_value(
        &message,
        &["integer `", "floating point `", "boolean `", "variant `"],
    );
    let Some(before) = error.span().and_then(|span| text.get(..span.start)) else {
        return message;
    };
    let line = before.matches('\n').count() + 1;
    let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
    let start = before.rfind('\n').map_or(0, |at| at + 1);
    let key = before[start..]
        .split(['=', '{'])
        .next()
        .map(str::trim)
        .filter(|k| !k.is_empty());
    let key = key.map_or(String::new(), |k| format!(", key `{k}`"));
    format!("line {line}, column {column}{key}: {message}")
}

/// Cuts the quoted value that follows one of these words.
fn without_value(message: &str, words: &[&str]) -> String {
    let found = words.iter().find_map(|word| {
        let from = message.find(word)? + word.len() - 1;
        let to = from + 1 + message[from + 1..].find('`')?;
        Some(format!(
            "{}{}",
            message[..from].trim_end(),
            &message[to + 1..]
        ))
    });
    found.unwrap_or_else(|| message.to_owned())
}

/// A key, as the names and indices that lead to it, and what is wrong.
type Broken = (Vec<String>, String);

fn fault(text: &str, key: &[String], problem: String) -> Fault {
    let shown: Vec<&str> = key
        .iter()
        .map(String::as_str)
        .filter(|k| k.parse::<usize>().is_err())
        .collect();
    Fault {
        line: line_of(text, key),
        key: shown.join("."),
        problem,
    }
}

/// Finds the line of a key, or of the nearest one around it that stands in the file; `None` when there is none.
fn line_of(text: &str, key: &[String]) -> Option<usize> {
    let root = DeTable::parse(text).ok()?;
    let (mut table, mut found): (Option<&DeTable<'_>>, Option<usize>) =
        (Some(root.get_ref()), None);
    let mut list: Option<&DeArray<'_>> = None;
    for part in key {
        let value = match (table, list) {
            (Some(table), _) => {
                let Some((name, value)) = table.get_key_value(part.as_str()) else {
                    break;
                };
                found = Some(name.span().start);
                value
            }
            (None, Some(list)) => {
                let Some(value) = part.parse::<usize>().ok().and_then(|i| list.get(i)) else {
                    break;
                };
                found = Some(value.span().start);
                value
            }
            (None, None) => break,
        };
        (table, list) = match value.get_ref() {
            DeValue::Table(table) => (Some(table), None),
            DeValue::Array(list) => (None, Some(list)),
            _ => (None, None),
        };
    }
    Some(text.get(..found?)?.matches('\n').count() + 1)
}

fn validate_sources(sources: &[SourceSettings]) -> Vec<Broken> {
    let (mut names, mut found) = (BTreeSet::new(), Vec::new());
    for (i, source) in sources.iter().enumerate() {
        let name = source.name();
        let plain = !name.is_empty()
            && name
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
        let problem = if !plain {
            format!("`{name}` is no name; use letters, digits, `-`, `_` and `.`")
        } else if !names.insert(name) {
            format!(
                "`{name}` is used twice; alert ids would collide, so give each source its own name"
            )
        } else {
            continue;
        };
        found.push((
            vec!["source".to_owned(), i.to_string(), "name".to_owned()],
            problem,
        ));
    }
    found
}

fn validate_connectors(connectors: &BTreeMap<String, ConnectorSettings>) -> Vec<Broken> {
    let mut found = Vec::new();
    for (name, connector) in connectors {
        let mut blame = |field: &str, problem: String| {
            let key = vec!["connector".to_owned(), name.clone(), field.to_owned()];
            found.push((key, problem));
        };
        if connector.preset.is_some() == connector.file.is_some() {
            let field = if connector.preset.is_some() {
                "file"
            } else {
                "preset"
            };
            blame(field, "set exactly one of `preset` and `file`".to_owned());
        }
        if !(1..=120).contains(&connector.timeout_s) {
            let given = connector.timeout_s;
            blame(
                "timeout_s",
                format!("{given} is out of range; use 1 to 120 seconds"),
            );
        }
    }
    found
}

fn validate_site(site: &str) -> Option<Broken> {
    let plain = !site.is_empty()
        && site
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "-.".contains(c));
    let problem = || format!("`{site}` is no site name; use letters, digits, `-` and `.`");
    (!plain).then(|| (vec!["journal".to_owned(), "site".to_owned()], problem()))
}

fn validate_keys(changes: &BTreeMap<String, Vec<String>>) -> Vec<Broken> {
    let errors = Keymap::changed(changes).err().unwrap_or_default();
    let broken = errors.into_iter().map(|error| {
        let changed = error.ids().find(|id| changes.contains_key(*id));
        let key = ["keys", changed.unwrap_or_default()];
        (key.map(str::to_owned).to_vec(), error.to_string())
    });
    broken.collect()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[test]
    fn the_example_is_the_default() {
        assert_eq!(
            Config::parse(EXAMPLE, Path::new("example")).unwrap(),
            Config::default()
        );
    }

    #[test]
    fn every_commented_block_of_the_example_is_valid() {
        // A commented setting begins with `# [` or `# key = `; prose does not.
        let is_setting = |l: &str| {
            let body = l.strip_prefix("# ").unwrap_or("");
            body.starts_with('[')
                || body
                    .split_once(" = ")
                    .is_some_and(|(k, _)| k.chars().all(|c| c.is_ascii_lowercase() || c == '_'))
        };
        let text: String = EXAMPLE
            .lines()
            .filter(|l| is_setting(l))
            .map(|l| l.trim_start_matches("# ").to_owned() + "\n")
            .collect();
        let config = Config::parse(&text, Path::new("example")).unwrap();
        assert_eq!(
            (config.source.len(), config.connector.len()),
            (8, 1),
            "{text}"
        );
    }

    #[rstest]
    #[case("[ui]\ntheem = 'x'", "theem")]
    #[case("[ui]\ntheem = 'x'", "line 2")]
    #[case("source = 3", "source")]
    #[case("[[source]]\nkind='stdin'\nname='a b'", "`a b` is no name")]
    #[case(
        "[[source]]\nkind='stdin'\nname='a'\n[[source]]\nkind='stdin'\nname='a'",
        "used twice"
    )]
    #[case(
        "[connector.x]\nbase_url='https://h'",
        "exactly one of `preset` and `file`"
    )]
    #[case(
        "[connector.x]\npreset='oauth'\nbase_url='https://h'\ntimeout_s=0",
        "1 to 120 seconds"
    )]
    #[case(
        "[connector.x]\npreset='oauth'\nbase_url='https://h'\nauth={kind='bearer',token='hunter2'}",
        "a secret must be a reference"
    )]
    #[case("[receiver]\nlisten='0.0.0.0:80'", "reachable from outside")]
    #[case("[receiver]\nlisten='here'", "line 2: receiver.listen")]
    #[case("[receiver]\npatience_s=0", "1 to 300 seconds")]
    #[case(
        "[[source]]\nkind='webhook'\nname='w'\nsender={kind='bearer',secret='hunter2'}",
        "a secret must be a reference"
    )]
    #[case(
        "[[source]]\nkind='webhook'\nname='w'\nmax_body_kib=0\nsender={kind='bearer',secret='env:X'}",
        "1 to 16384 KiB"
    )]
    #[case(
        "[[source]]\nkind='events_push'\nname='e'\nissuer='i'\naudience='a'",
        "set `decoders.token_keys`"
    )]
    #[case("[alerts]\nkeep='soon'", "line 2: alerts.keep: `soon` is no span")]
    #[case("[alerts]\nkeep='5m'", "at least a day")]
    #[case("[alerts]\nkeep=90", "line 2, column 6, key `keep`")]
    #[case(
        "[alerts]\nkeep='30d'\nkeep_bytes='lots'",
        "line 3: alerts.keep_bytes: `lots` is no size"
    )]
    #[case("[alerts]\nkeep_bytes='1MB'", "at least 256MB")]
    #[case("[journal]\nsite=''", "line 2: journal.site")]
    #[case("# this site\n[journal]\nsite=''", "line 3: journal.site")]
    #[case(
        "[[source]]\nkind='stdin'\nname='a'\n[[source]]\nkind='stdin'\nname='b c'",
        "line 6: source.name"
    )]
    #[case(
        "[connector.a]\npreset='oauth'\nbase_url='https://h'\n[connector.x]\nbase_url='https://h'",
        "line 4: connector.x.preset"
    )]
    fn mistakes_are_named(#[case] text: &str, #[case] want: &str) {
        let error = Config::parse(text, Path::new("c.toml"))
            .unwrap_err()
            .to_string();
        assert!(error.contains(want) && error.contains("c.toml"), "{error}");
    }

    #[test]
    fn every_mistake_is_named_at_once() {
        let text = "[[source]]\nkind='stdin'\nname='a b'\n[connector.x]\nbase_url='https://h'\ntimeout_s=0\n[journal]\nsite=''";
        let error = Config::parse(text, Path::new("c.toml"))
            .unwrap_err()
            .to_string();
        let keys = [
            "source.name",
            "connector.x.preset",
            "connector.x.timeout_s",
            "journal.site",
        ];
        for (line, key) in error.lines().zip(keys) {
            assert!(
                line.starts_with("c.toml: line ") && line.contains(key),
                "{error}"
            );
        }
        assert_eq!(error.lines().count(), keys.len(), "{error}");
    }

    #[rstest]
    #[case("auth={kind='bearer',token='hunter2'}")]
    #[case("auth='hunter2'")]
    #[case("auth={kind='hunter2'}")]
    #[case("params='hunter2'")]
    fn a_pasted_secret_is_not_repeated(#[case] line: &str) {
        let text = format!("[connector.x]\npreset='oauth'\nbase_url='https://h'\n{line}");
        let text = text.as_str();
        let error = Config::parse(text, Path::new("c.toml"))
            .unwrap_err()
            .to_string();
        assert!(!error.contains("hunter2"), "{error}");
    }
}
