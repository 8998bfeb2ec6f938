//! `stanch config` and `stanch init`.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use super::{Global, exit, setup};
use crate::config::{Config, EXAMPLE};
use crate::domain::authority::lint::{Doubt, World, lint};
use crate::domain::ids::NodeId;
use crate::domain::inventory::{Inventory, Loss, Mistake};
use crate::domain::policy::Level;
use crate::domain::text::show;
use crate::ui::theme::Themes;

/// Arguments of `stanch config`.
#[derive(Debug, clap::Args)]
pub struct ConfigArgs {
    /// What to do.
    #[command(subcommand)]
    pub action: ConfigAction,
}

/// Subcommands of `stanch config`.
#[derive(Debug, clap::Subcommand)]
pub enum ConfigAction {
    /// Read the configuration and everything it names, and say what is wrong.
    Check,
    /// Say where the console looks for its configuration and keeps its state.
    Path,
    /// Print the commented default.
    Example,
}

/// Arguments of `stanch init`.
#[derive(Debug, clap::Args)]
pub struct InitArgs {
    /// Where to write it, if not where --config says or at the usual place.
    pub file: Option<PathBuf>,
}

/// Carries `stanch config` out.
pub fn config(global: &Global, args: &ConfigArgs, out: &mut dyn Write) -> anyhow::Result<u8> {
    let path = setup::config_path(global)?;
    match args.action {
        ConfigAction::Example => write!(out, "{EXAMPLE}")?,
        ConfigAction::Path => {
            let state = setup::state_dir(global)?;
            if global.json {
                let row =
                    serde_json::json!({ "config": path, "exists": path.exists(), "state": state });
                writeln!(out, "{row}")?;
            } else {
                let note = if path.exists() {
                    ""
                } else {
                    "  (not there; `stanch init` writes one)"
                };
                writeln!(out, "configuration  {}{note}", path.display())?;
                writeln!(out, "state          {}", state.display())?;
            }
        }
        ConfigAction::Check => {
            let checked = examine(global, &path)?;
            for error in &checked.errors {
                tell!("stanch: {error}");
            }
            for note in &checked.notes {
                tell!("stanch: note: {note}");
            }
            let Checked { config, parts, .. } = checked;
            let Some(parts) = parts else {
                return Ok(exit::USAGE);
            };
            note_unreachable(&config, &parts);
            let (sources, connectors) = (config.source.len(), config.connector.len());
            let (identities, playbooks) = (
                parts.inventory.identities().len(),
                parts.rules.playbooks.len(),
            );
            if global.json {
                let row = serde_json::json!({
                    "config": path, "sources": sources, "connectors": connectors, "identities": identities, "playbooks": playbooks,
                });
                writeln!(out, "{row}")?;
            } else {
                writeln!(out, "{}: ok", path.display())?;
                writeln!(
                    out,
                    "{sources} sources, {connectors} connectors, {identities} identities, {playbooks} playbooks"
                )?;
            }
        }
    }
    Ok(exit::DONE)
}

/// A configuration that was read with everything that it names.
struct Checked {
    config: Config,
    /// What it names; `None` where something is wrong.
    parts: Option<setup::Parts>,
    /// What is wrong, masked.
    errors: Vec<String>,
    /// What is doubtful, masked.
    notes: Vec<String>,
}

/// Reads a configuration as `stanch config check` does, to be put in force; else says everything that is wrong.
pub(super) fn read_checked(
    global: &Global,
    path: &Path,
) -> Result<(Config, setup::Parts), Vec<String>> {
    let checked = examine(global, path);
    let checked = checked.map_err(|error| vec![format!("{error:#}")])?;
    match checked.parts {
        Some(parts) => Ok((checked.config, parts)),
        None => Err(checked.errors),
    }
}

fn examine(global: &Global, path: &Path) -> anyhow::Result<Checked> {
    let config = Config::load(path)?;
    let cache = setup::cache_dir(global);
    let parts = setup::load_parts(&config, path, cache.as_deref());
    let mut notes = Vec::new();
    let mut errors = wrong_inside(&config, path, super::look::themes(global), &mut notes);
    let parts = match parts {
        Ok(parts) => Some(parts),
        Err(more) => {
            errors.splice(0..0, more);
            None
        }
    };
    errors.extend(wrong_roster(&config, path, parts.as_ref(), &mut notes));
    let inventory = match &parts {
        Some(parts) => parts.inventory.clone(),
        None => setup::load_inventory(&config, cache.as_deref()),
    };
    for finding in parts.iter().flat_map(|parts| &parts.rules.findings) {
        match finding.level {
            Level::Error => errors.push(anyhow::anyhow!("{finding}")),
            Level::Warning => notes.push(finding.to_string()),
        }
    }
    let mistakes = inventory.background().mistakes.iter();
    let masked = |text: String| crate::journal::mask_tokens(&text).into_owned();
    let errors: Vec<String> = mistakes
        .filter(|m| m.loss > Loss::None)
        .map(|m| wrong_inventory(path, &inventory, m))
        .chain(errors.iter().map(|e| format!("{e:#}")))
        .map(masked)
        .collect();
    notes.extend(doubts_of(&inventory));
    Ok(Checked {
        config,
        parts: parts.filter(|_| errors.is_empty()),
        errors,
        notes: notes.into_iter().map(masked).collect(),
    })
}

/// Says what is wrong with the inventory: of a source that cannot be read at all, where the configuration names it.
fn wrong_inventory(path: &Path, inventory: &Inventory, mistake: &Mistake) -> String {
    let source = inventory.background().sources.get(mistake.source);
    if mistake.loss < Loss::Source || source.is_none_or(|s| s.trouble.is_none()) {
        return mistake.to_string();
    }
    let key = Config::inventory_key(path);
    let at = mistake.source.to_string();
    Config::blame(path, &["inventory", key, &at], mistake.to_string()).to_string()
}

/// Says what is doubtful about the inventory. All of it is used, so it is no error.
fn doubts_of(inventory: &Inventory) -> Vec<String> {
    let sources = inventory.background().sources.iter();
    let used = sources.filter(|source| source.identities > 0);
    let troubles = used.filter_map(|source| {
        let trouble = source.trouble.as_ref()?;
        Some(format!("inventory {}: {trouble}", source.shown()))
    });
    let mistakes = inventory.background().mistakes.iter();
    let doubts = mistakes.filter(|m| m.loss == Loss::None);
    troubles.chain(doubts.map(ToString::to_string)).collect()
}

/// Returns what is wrong with the secrets of the console's own and with the screen.
fn wrong_inside(
    config: &Config,
    path: &Path,
    themes: anyhow::Result<Themes>,
    notes: &mut Vec<String>,
) -> Vec<anyhow::Error> {
    let mut errors = Vec::new();
    for (name, connector) in &config.connector {
        let Some(reference) = connector.auth.secret() else {
            continue;
        };
        if let Err(error) = crate::connect::secret::check(reference) {
            let key = ["connector", name.as_str(), "auth"];
            errors.push(Config::blame(path, &key, error.to_string()).into());
        }
    }
    for (index, source) in config.source.iter().enumerate() {
        let Some((key, reference)) = source.secret() else {
            continue;
        };
        if let Err(error) = crate::net::secret::check(reference) {
            let at = index.to_string();
            errors.push(Config::blame(path, &["source", &at, key], error.to_string()).into());
        }
    }
    if let Err(error) = setup::anchoring(config) {
        errors.push(Config::blame(path, &["journal", "anchor", "url"], error).into());
    }
    match themes.map(|themes| themes.named(&config.ui.theme)) {
        Ok(Ok(theme)) => {
            for doubt in theme.doubts() {
                notes.push(format!("theme `{}`: {doubt}", show(&config.ui.theme)));
            }
        }
        Ok(Err(error)) => {
            errors.push(Config::blame(path, &["ui", "theme"], error.to_string()).into());
        }
        Err(error) => errors.push(error),
    }
    errors
}

/// Returns what is wrong with the roster and the rules of who must agree: a plan that nobody can ever agree to is no plan.
fn wrong_roster(
    config: &Config,
    path: &Path,
    parts: Option<&setup::Parts>,
    notes: &mut Vec<String>,
) -> Vec<anyhow::Error> {
    let blame = |text: String| Config::blame(path, &["authority", "roster"], text).into();
    if let Err(error) = setup::authority(config) {
        return vec![blame(format!("{error:#}"))];
    }
    let doubts = parts.map_or_else(Vec::new, |parts| roster_doubts(config, parts));
    let (wrong, doubtful): (Vec<Doubt>, Vec<Doubt>) = doubts.into_iter().partition(|d| d.is_error);
    notes.extend(
        doubtful
            .iter()
            .map(|d| format!("roster: {}", show(&d.says))),
    );
    let says = wrong.iter().map(|d| show(&d.says).into_owned());
    says.map(blame).collect()
}

/// Lints the roster against everything else that the configuration names; nothing where there is none.
fn roster_doubts(config: &Config, parts: &setup::Parts) -> Vec<Doubt> {
    let Ok(Some(authority)) = setup::authority(config) else {
        return Vec::new();
    };
    let cards = parts.inventory.identities().values();
    let environments = cards.filter_map(|card| card.environment.as_ref());
    let graph = parts.inventory.graph();
    let world = World {
        playbooks: parts
            .rules
            .playbooks
            .iter()
            .map(|b| b.id.as_str())
            .collect(),
        connectors: config.connector.keys().map(String::as_str).collect(),
        environments: environments.map(|e| e.raw().to_lowercase()).collect(),
        on_map: &|node| graph.node(&NodeId::new(node)).is_some(),
    };
    lint(&authority, &world)
}

/// Says which identities name a connector that this configuration lacks. Inventories are shared, so it is no error.
fn note_unreachable(config: &Config, parts: &setup::Parts) {
    const NAMED: usize = 3;
    let lacking: Vec<(&str, &str)> = parts
        .inventory
        .identities()
        .values()
        .filter_map(|identity| Some((identity.connector.as_deref()?, identity.id.as_str())))
        .filter(|(connector, _)| !config.connector.contains_key(*connector))
        .collect();
    if lacking.is_empty() {
        return;
    }
    let names: Vec<String> = lacking
        .iter()
        .take(NAMED)
        .map(|(connector, id)| format!("{} (`{}`)", show(id), show(connector)))
        .collect();
    let more = if lacking.len() > NAMED { ", …" } else { "" };
    let subject = match lacking.len() {
        1 => "1 identity names a connector that is".to_owned(),
        n => format!("{n} identities name connectors that are"),
    };
    tell!(
        "stanch: note: {subject} not configured, so nothing can be done about it from here: {}{more}",
        names.join(", ")
    );
}

/// Writes the commented default, never over a file that is there.
pub fn init(global: &Global, args: &InitArgs, out: &mut dyn Write) -> anyhow::Result<u8> {
    let path = match &args.file {
        Some(path) => path.clone(),
        None => setup::config_path(global)?,
    };
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent)
            .with_context(|| format!("cannot make {}", parent.display()))?;
    }
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(&path)
        .with_context(|| {
            format!(
                "cannot write {} (a file that is there is never overwritten)",
                path.display()
            )
        })?;
    file.write_all(EXAMPLE.as_bytes())?;
    writeln!(out, "wrote {}", path.display())?;
    writeln!(
        out,
        "next: name an alert source, an inventory and a connector in it, then `stanch config check`"
    )?;
    Ok(exit::DONE)
}
