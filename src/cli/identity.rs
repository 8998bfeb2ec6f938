//! `stanch identity`: who is known, what is known about them, what hangs on them, and whether they could be contained.

mod list;
mod map;
mod readiness;
mod show;

use std::io::Write;

use jiff::Timestamp;

use super::{Global, setup};
use crate::domain::ids::IdentityId;
use crate::domain::inventory::Inventory;

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
    /// List identities with owners and what is doubtful about them, then the sources and their mistakes.
    List(list::ListArgs),
    /// Show everything known about one identity: who said it and when, what contradicts it, what is doubtful.
    Show(show::ShowArgs),
    /// Print what hangs on an identity, what its holder reaches, and how two nodes hang together.
    Map(map::MapArgs),
    /// Tell which identities could not be contained now, why, and what to do about it; the greatest risk first.
    Readiness(readiness::ReadinessArgs),
}

/// Carries `stanch identity` out.
pub fn run(global: &Global, args: &IdentityArgs, out: &mut dyn Write) -> anyhow::Result<u8> {
    let now = Timestamp::now();
    match &args.action {
        IdentityAction::List(args) => list::run(global, args, now, out),
        IdentityAction::Show(args) => show::run(global, args, now, out),
        IdentityAction::Map(args) => map::run(global, args, now, out),
        IdentityAction::Readiness(args) => readiness::run(global, args, now, out),
    }
}

/// Finds the one identity that is meant, by whatever it is called.
///
/// # Errors
/// If no inventory lists it, or several may be meant.
pub fn find(inventory: &Inventory, text: &str) -> anyhow::Result<IdentityId> {
    show::found(inventory, text).map(|(card, _)| card.id.clone())
}

/// Says on standard error what of the inventory is missing.
fn tell_trouble(inventory: &Inventory) {
    for line in setup::inventory_trouble(inventory) {
        tell!("stanch: {line}");
    }
}
