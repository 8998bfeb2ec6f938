//! Subcommands that print what is built in.

use std::io::Write;

use clap::CommandFactory as _;

use super::{Cli, Global, exit, look};
use crate::app::command::{Danger, REGISTRY, Scope};

/// Lists every command with the keys in force.
pub fn keys(global: &Global, out: &mut dyn Write) -> anyhow::Result<u8> {
    let keymap = look::keymap(global)?;
    let json = global.json;
    for spec in REGISTRY {
        let scope = match spec.scope {
            Scope::Triage => "triage",
            Scope::Plan => "plan",
            Scope::Reader => "reader",
            Scope::Log => "log",
            Scope::Map => "map",
            Scope::Readiness => "readiness",
            Scope::Card => "card",
            Scope::Coverage => "coverage",
            Scope::Policy => "policy",
            Scope::Board => "board",
        };
        let danger = match spec.danger {
            Danger::Safe => "safe",
            Danger::Records => "records",
            Danger::Acts => "acts",
        };
        if json {
            let row = serde_json::json!({
                "id": spec.id, "scope": scope, "keys": keymap.keys(spec), "title": spec.title, "help": spec.help, "danger": danger,
            });
            writeln!(out, "{row}")?;
        } else {
            writeln!(
                out,
                "{:<9} {:<20} {:<20} {}",
                scope,
                keymap.keys(spec).join("  "),
                spec.id,
                spec.help
            )?;
        }
    }
    Ok(exit::DONE)
}

/// Prints a completion script.
pub fn completions(shell: clap_complete::Shell, mut out: &mut dyn Write) -> anyhow::Result<u8> {
    clap_complete::generate(shell, &mut Cli::command(), "stanch", &mut out);
    Ok(exit::DONE)
}

/// Prints the manual page.
pub fn man(mut out: &mut dyn Write) -> anyhow::Result<u8> {
    clap_mangen::Man::new(Cli::command()).render(&mut out)?;
    Ok(exit::DONE)
}
