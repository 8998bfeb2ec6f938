//! `stanch identity map`: the dependency map around one identity or node.

use std::io::Write;

use anyhow::bail;
use jiff::Timestamp;

use crate::cli::{Global, exit, setup};
use crate::config::Config;
use crate::domain::ids::NodeId;
use crate::domain::inventory::Inventory;
use crate::domain::text::show;

/// Arguments of `stanch identity map`.
#[derive(Debug, clap::Args)]
pub struct MapArgs {
    /// Id of an identity or of another node of the map.
    pub id: String,
}

/// Carries `stanch identity map` out.
pub fn map(global: &Global, args: &MapArgs, out: &mut dyn Write) -> anyhow::Result<u8> {
    let inventory = inventory(global)?;
    let node = NodeId::new(args.id.as_str());
    let graph = inventory.graph();
    if graph.node(&node).is_none() {
        bail!("`{}` is not on the map", show(&args.id));
    }
    let (impact, exposure) = (graph.impact(&node), graph.exposure(&node));
    writeln!(out, "if cut off, breaks: {}", impact.count())?;
    writeln!(out, "its holder reaches: {}", exposure.count())?;
    Ok(exit::DONE)
}

/// Reads the inventory in force.
fn inventory(global: &Global) -> anyhow::Result<Inventory> {
    if setup::is_drill(global)? {
        let name = global.drill.as_deref().unwrap_or(crate::drill::DEFAULT);
        let text = crate::drill::Scenario::load(name)?.inventory_toml(Timestamp::now());
        return Ok(crate::inventory::parse(&text, "drill scenario")?);
    }
    let config = Config::load(&setup::config_path(global)?)?;
    Ok(crate::inventory::load(&config.inventory.files)?)
}
