//! `stanch policy backtest`.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use jiff::Timestamp;
use serde_json::json;

use super::{Global, exit, name_of, setup};
use crate::app::model::Model;
use crate::app::policy::backtest;
use crate::cli::alerts::recorded;
use crate::cli::progress::{self, Stop, Unit};
use crate::config::Config;
use crate::domain::alert::Alert;
use crate::domain::policy::backtest::{Replayed, Summary, sum};
use crate::domain::policy::lint::load;
use crate::domain::policy::{Policy, Source};
use crate::domain::text::show;
use crate::runtime::services::means;

/// What is asked.
pub(super) struct Asked<'a> {
    /// Kind to decode as.
    pub format: Option<&'a str>,
    /// A policy to try.
    pub policy: Option<&'a Path>,
    /// Tell of every alert.
    pub all: bool,
    /// Files of alerts.
    pub files: &'a [PathBuf],
}

/// Replays.
pub(super) fn run(global: &Global, asked: &Asked<'_>, out: &mut dyn Write) -> anyhow::Result<u8> {
    let now = Timestamp::now();
    let mut model = model(global, now)?;
    if let Some(file) = asked.policy {
        model.policy = Arc::new(tried(file)?);
    }
    if let Some(reason) = &model.policy.refused {
        tell!("stanch: {}", show(reason));
        return Ok(exit::FAILED);
    }
    let configured = setup::decoders::configured(global)?;
    let mut alerts: Vec<Arc<Alert>> = Vec::new();
    let rejected = recorded(
        &configured.decoders,
        asked.format,
        asked.files,
        now,
        &mut |alert| {
            alerts.push(Arc::new(alert));
        },
    )?;
    let replayed = {
        let of = (Unit::Things("alerts"), alerts.len() as u64);
        let stop = Stop::AtOnce("nothing was changed");
        let work = progress::begin("replaying", of, stop, true);
        backtest(&mut model, &alerts, &mut || work.add(1))
    };
    let summary = sum(&replayed);
    if global.json {
        let row = json!({ "summary": summary, "undecodable": rejected, "alerts": replayed });
        writeln!(out, "{row}")?;
    } else {
        print(&summary, rejected, &replayed, asked.all, out)?;
    }
    Ok(exit::DONE)
}

/// Returns a model that knows what is in force, and nothing that happened.
fn model(global: &Global, now: Timestamp) -> anyhow::Result<Model> {
    let (inventory, connectors) = setup::known(global, now)?;
    let capabilities = means(&connectors).capabilities;
    let rules = if setup::is_drill(global)? {
        setup::policy::shipped()?
    } else {
        let path = setup::config_path(global)?;
        let config = Config::load(&path)?;
        let read = setup::policy::read(&config, &path, Some(&capabilities));
        read.map_err(|errors| setup::all(&errors))?
    };
    let params = connectors.iter();
    let params = params.filter_map(|(name, c)| Some((name.to_owned(), c.id_param()?.to_owned())));
    Ok(Model {
        inventory,
        playbooks: rules.playbooks,
        policy: rules.policy,
        id_params: Arc::new(params.collect()),
        capabilities: Arc::new(capabilities),
        now,
        ..Model::default()
    })
}

fn tried(file: &Path) -> anyhow::Result<Policy> {
    let name = name_of(file);
    let text =
        std::fs::read_to_string(file).with_context(|| format!("cannot read {}", show(&name)))?;
    let source = Source {
        name: &name,
        text: &text,
    };
    Ok(load(source, &[], None).policy)
}

fn print(
    sum: &Summary,
    rejected: usize,
    all: &[Replayed],
    whole: bool,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let armed = |word: &str| sum.armed.get(word).copied().unwrap_or(0);
    writeln!(
        out,
        "{} alerts, {rejected} inputs could not be decoded",
        sum.alerts
    )?;
    writeln!(out, "shadow  acts on {}", sum.shadow)?;
    writeln!(
        out,
        "armed   acts on {}, waits for a person on {}, is bounded on {}, has no option on {}, only looks at {}",
        armed("acts"),
        armed("waits"),
        armed("bounded"),
        armed("no_option"),
        armed("looks")
    )?;
    let (shadow, now) = (sum.shadow_interrupted, sum.interrupted);
    writeln!(
        out,
        "interrupted  shadow {} identities with {} dependants, armed {} with {}",
        shadow.0, shadow.1, now.0, now.1
    )?;
    writeln!(out, "missed  {}", sum.missed)?;
    if !sum.playbooks.is_empty() {
        writeln!(
            out,
            "\n{:<26} {:>6} {:>6} {:>10}",
            "playbook", "shadow", "armed", "interrupts"
        )?;
    }
    for (book, (shadow, armed, interrupts)) in &sum.playbooks {
        writeln!(
            out,
            "{:<26} {shadow:>6} {armed:>6} {interrupts:>10}",
            show(book)
        )?;
    }
    let told: Vec<&Replayed> = all.iter().filter(|one| whole || one.missed).collect();
    if !told.is_empty() {
        writeln!(out)?;
    }
    for one in told {
        let who = one
            .identity
            .as_ref()
            .map_or("-".to_owned(), ToString::to_string);
        let book = one
            .playbook
            .as_deref()
            .or(one.shadow.as_deref())
            .unwrap_or("-");
        writeln!(
            out,
            "{:<9} {:<7} {:>3}  {:<27} {who}  {}  {}  {}",
            if one.missed {
                "missed"
            } else {
                one.armed.as_str()
            },
            one.shadow_tier,
            one.score,
            one.pattern,
            show(book),
            one.alert,
            show(&one.why)
        )?;
    }
    Ok(())
}
