//! `stanch config` and `stanch init`.

use std::io::Write;
use std::path::PathBuf;

use anyhow::Context as _;

use super::{Global, exit, setup};
use crate::config::{Config, EXAMPLE};

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
    /// Where to write it, if not at the usual place.
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
            let config = Config::load(&path)?;
            let parts = setup::load_parts(&config, &path)?;
            let (sources, connectors) = (config.source.len(), config.connector.len());
            let (identities, playbooks) =
                (parts.inventory.identities().len(), parts.playbooks.len());
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

/// Writes the commented default, never over a file that is there.
pub fn init(args: &InitArgs, out: &mut dyn Write) -> anyhow::Result<u8> {
    let path = match &args.file {
        Some(path) => path.clone(),
        None => setup::default_config_path()?,
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
