//! `stanch doctor`: what each connector could do now, found out without changing anything.

use std::io::Write;

use serde_json::{Value, json};

use super::progress::{self, Stop, Unit};
use super::{Global, exit, setup};
use crate::config::Config;
use crate::connect::examine::{Examination, Found};
use crate::connect::{Connector, Connectors};
use crate::domain::text::show;

/// Arguments of `stanch doctor`.
#[derive(Debug, clap::Args)]
pub struct DoctorArgs {
    /// Look at these connectors only.
    pub connector: Vec<String>,
}

/// Examines the configured connectors; 1 when something that they offer is not possible or could not be told.
pub fn run(global: &Global, args: &DoctorArgs, out: &mut dyn Write) -> anyhow::Result<u8> {
    let path = setup::config_path(global)?;
    let config = Config::load(&path)?;
    let connectors = Connectors::load(&config.connector)?;
    if let Some(name) = args
        .connector
        .iter()
        .find(|name| connectors.get(name).is_none())
    {
        let known: Vec<&str> = connectors.iter().map(|(name, _)| name).collect();
        anyhow::bail!(
            "no connector `{}` is configured; there are: {}",
            show(name),
            known.join(", ")
        );
    }
    let wanted = |name: &str| args.connector.is_empty() || args.connector.iter().any(|n| n == name);
    let chosen: Vec<_> = connectors.iter().filter(|(name, _)| wanted(name)).collect();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    let found: Vec<Examination> = {
        let of = (Unit::Things("connectors"), chosen.len() as u64);
        let stop = Stop::AtOnce("nothing was changed; `stanch doctor NAME` looks at one");
        let work = progress::begin("looking at connectors", of, stop, true);
        let examined = async |connector: &Connector| {
            let found = connector.examine().await;
            work.add(1);
            found
        };
        let asked = chosen.iter().map(|(_, connector)| examined(connector));
        runtime.block_on(futures::future::join_all(asked))
    };
    let mut good = true;
    let mut rows = Vec::new();
    for ((_, connector), examination) in chosen.iter().zip(&found) {
        good &= examination.is_good();
        match global.json {
            true => rows.push(row(connector, examination)),
            false => print(connector, examination, out)?,
        }
    }
    if global.json {
        writeln!(out, "{}", json!({ "connectors": rows }))?;
    } else if chosen.is_empty() {
        writeln!(out, "no connector is configured")?;
    }
    Ok(if good { exit::DONE } else { exit::FAILED })
}

fn print(
    connector: &Connector,
    examination: &Examination,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    writeln!(
        out,
        "{}  {} at {}",
        show(connector.name()),
        show(connector.title()),
        show(connector.place())
    )?;
    let mut line = |mark: &Found, what: &str| match mark {
        Found::Yes => writeln!(out, "  ok       {}", show(what)),
        Found::No(why) => writeln!(out, "  no       {}: {}", show(what), show(why)),
        Found::Unknown(why) => writeln!(out, "  unknown  {}: {}", show(what), show(why)),
    };
    line(&examination.secrets, "its secrets can be read")?;
    line(&examination.reachable, "it answers")?;
    for permission in &examination.permissions {
        line(&permission.found, &format!("may: {}", permission.needs))?;
    }
    let of = |wanted: fn(&Found) -> bool| -> String {
        let verbs = examination
            .actions
            .iter()
            .filter(|(_, found)| wanted(found));
        let verbs: Vec<&str> = verbs.map(|(verb, _)| verb.as_str()).collect();
        verbs.join(", ")
    };
    for (name, verbs) in [
        ("possible", of(|f| *f == Found::Yes)),
        ("impossible", of(|f| matches!(f, Found::No(_)))),
        ("not known", of(|f| matches!(f, Found::Unknown(_)))),
    ] {
        if !verbs.is_empty() {
            writeln!(out, "  {name}: {verbs}")?;
        }
    }
    Ok(())
}

fn row(connector: &Connector, examination: &Examination) -> Value {
    let permissions = examination.permissions.iter().map(|permission| {
        let verbs: Vec<&str> = permission.verbs.iter().map(|v| v.as_str()).collect();
        let (state, why) = told(&permission.found);
        json!({ "needs": permission.needs, "for": verbs, "state": state, "why": why })
    });
    let actions = examination.actions.iter().map(|(verb, found)| {
        let (state, why) = told(found);
        json!({ "action": verb.as_str(), "state": state, "why": why })
    });
    let (secrets, reachable) = (told(&examination.secrets), told(&examination.reachable));
    json!({
        "connector": connector.name(), "preset": connector.preset(), "place": connector.place(),
        "secrets": { "state": secrets.0, "why": secrets.1 }, "reachable": { "state": reachable.0, "why": reachable.1 },
        "permissions": permissions.collect::<Vec<_>>(), "actions": actions.collect::<Vec<_>>(),
    })
}

fn told(found: &Found) -> (&'static str, Option<&str>) {
    match found {
        Found::Yes => ("ok", None),
        Found::No(why) => ("no", Some(why)),
        Found::Unknown(why) => ("unknown", Some(why)),
    }
}
