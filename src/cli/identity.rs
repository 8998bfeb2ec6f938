//! `stanch identity`: who is known, and what hangs together.

use std::io::Write;

use super::Global;

pub mod map;

/// Arguments of `stanch identity`.
#[derive(Debug, clap::Args)]
pub struct IdentityArgs {
    /// What to do.
    #[command(subcommand)]
    pub action: IdentityAction,
}

/// Subcommands of `stanch identity`.
#[derive(Debug, clap::Subcommand)]
pub enum IdentityAction {
    /// Print what hangs on an identity, what its holder reaches, and how two nodes hang together.
    Map(map::MapArgs),
}

/// Carries `stanch identity` out.
pub fn run(global: &Global, args: &IdentityArgs, out: &mut dyn Write) -> anyhow::Result<u8> {
    match &args.action {
        IdentityAction::Map(args) => map::map(global, args, out),
    }
}
