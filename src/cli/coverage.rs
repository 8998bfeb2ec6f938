//! The coverage matrix by subcommand: what is proven, risks taken on, what people found by hand, closing.

use std::io::Write;

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::record::{Chosen, recording};
use super::{Global, exit, plan};
use crate::app::coverage::{found, no_risk, not_by_hand};
use crate::app::deciding;
use crate::app::model::Model;
use crate::app::msg::Effect;
use crate::domain::alert::age;
use crate::domain::coverage::matrix::{Cell, Coverage};
use crate::domain::decision::{Decision, DecisionKind};
use crate::domain::ids::{AlertId, NodeId};
use crate::domain::text::show;
use crate::domain::vocabulary::Layer;

/// Which alert.
#[derive(Debug, Args)]
pub struct AboutArgs {
    /// Key of an alert, the end of it, or the id of its source
    pub alert: String,
}

/// Which cell of an alert's coverage.
#[derive(Debug, Args)]
pub struct CellArgs {
    /// Key of an alert, the end of it, or the id of its source
    pub alert: String,
    /// Node of the cell, as `stanch alert coverage` names it; the identity that was contained when left out
    #[arg(long, value_name = "NODE")]
    pub node: Option<String>,
    /// Layer of the cell: sessions, tokens, credentials, grants, permissions, workload, pipeline, recovery, siblings
    #[arg(long, value_name = "LAYER")]
    pub layer: String,
}

/// What a look by hand came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Held {
    /// It is contained, or was never touched.
    Holds,
    /// It is open.
    Open,
}

impl CellArgs {
    fn find<'c>(&self, coverage: &'c Coverage) -> anyhow::Result<&'c Cell> {
        let layer = Layer::parse(&self.layer).with_context(|| {
            let all: Vec<&str> = Layer::ALL.iter().map(|l| l.as_str()).collect();
            format!(
                "there is no layer `{}`: one of {}",
                show(&self.layer),
                all.join(", ")
            )
        })?;
        let first = coverage.nodes.first().map(|(node, _)| node.clone());
        let node = match &self.node {
            Some(node) => NodeId::new(node.clone()),
            None => first.context("nothing was contained for this alert")?,
        };
        coverage.cell(&node, layer).with_context(|| {
            format!(
                "the coverage has no cell {layer} of {node}; `stanch alert coverage` lists them"
            )
        })
    }
}

/// `stanch alert coverage`.
pub fn coverage(global: &Global, args: &AboutArgs, out: &mut dyn Write) -> anyhow::Result<u8> {
    plan::with_setup(global, plan::silent(), async |setup, mut model| {
        let alert = plan::find(setup, &mut model, &args.alert)?;
        model.selected = Some(alert.clone());
        model.refresh_detail();
        let now = Timestamp::now();
        let matrix = model.coverage_of(&alert);
        let refusal = deciding::not_closed(&model, &alert);
        if global.json {
            let value = document(&model, &alert, &matrix, refusal.as_deref(), now);
            writeln!(out, "{value}")?;
        } else {
            print(&model, &alert, &matrix, refusal.as_deref(), now, out)?;
        }
        Ok(if refusal.is_none() {
            exit::DONE
        } else {
            exit::NOT_PROVEN
        })
    })
}

/// Returns the matrix as stable JSON.
pub fn document(
    model: &Model,
    alert: &AlertId,
    matrix: &Coverage,
    refusal: Option<&str>,
    now: Timestamp,
) -> Value {
    let watched = model.watched(now).into_iter().filter(|w| w.alert == *alert);
    let cells: Vec<Value> = matrix
        .cells
        .iter()
        .map(|cell| {
            json!({
                "node": cell.name.node.as_str(), "label": cell.label.show(), "layer": cell.name.layer,
                "state": cell.state, "says": cell.says, "until": cell.until, "left_s": cell.left_s(now),
                "accepted": cell.accepted, "blocks": cell.blocks(),
            })
        })
        .collect();
    json!({
        "alert": alert.as_str(),
        "state": model.row_state(alert).as_str(),
        "contained": matrix.nodes.iter().take(matrix.contained).map(|(node, _)| node.as_str()).collect::<Vec<_>>(),
        "cells": cells,
        "more_linked": matrix.more,
        "to_check": matrix.to_check().count(),
        "watched": watched.collect::<Vec<_>>(),
        "reopened": model.reopened(alert),
        "not_closed_because": refusal,
    })
}

fn print(
    model: &Model,
    alert: &AlertId,
    matrix: &Coverage,
    refusal: Option<&str>,
    now: Timestamp,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    if matrix.nodes.is_empty() {
        writeln!(out, "nothing was contained for {alert} yet")?;
        return Ok(());
    }
    for cell in &matrix.cells {
        let left = match (cell.left_s(now), cell.until) {
            (Some(_), Some(until)) => format!("{} left: ", age(now, until)),
            _ => String::new(),
        };
        let risk = cell.accepted.as_ref().map_or_else(String::new, |a| {
            format!("RISK ACCEPTED by {} ({}): ", show(&a.by), show(&a.reason))
        });
        writeln!(
            out,
            "{:<15} {:<12} {:<28} {risk}{left}{}",
            cell.state.words(),
            cell.name.layer.as_str(),
            cell.name.node.to_string(),
            cell.says
        )?;
    }
    if matrix.more > 0 {
        writeln!(
            out,
            "and {} more linked; `stanch identity map` shows them",
            matrix.more
        )?;
    }
    for watched in model.watched(now).into_iter().filter(|w| w.alert == *alert) {
        writeln!(
            out,
            "{} is watched for {} more: any use opens the alert again",
            watched.identity,
            age(now, watched.until)
        )?;
    }
    if let Some(why) = model.reopened(alert) {
        writeln!(out, "REOPENED: {}", show(why))?;
    }
    match refusal {
        Some(why) => writeln!(out, "cannot be closed: {why}")?,
        None => writeln!(out, "can be closed as contained")?,
    }
    Ok(())
}

/// `stanch alert close`.
pub fn close(global: &Global, args: &AboutArgs, out: &mut dyn Write) -> anyhow::Result<u8> {
    about(global, &args.alert, out, |model, alert, now| {
        model.selected = Some(alert.clone());
        model.refresh_detail();
        if let Some(refusal) = deciding::not_closed(model, alert) {
            return Ok(Err(format!("not closed: {refusal}")));
        }
        let effects = deciding::close_alert(model, alert.clone(), now);
        let records = effects.into_iter().find_map(|effect| match effect {
            Effect::Record(decisions) => Some(decisions),
            _ => None,
        });
        Ok(records.ok_or_else(|| "not closed".to_owned()))
    })
}

/// `stanch alert accept-risk`.
pub fn accept_risk(
    global: &Global,
    args: &CellArgs,
    reason: &str,
    out: &mut dyn Write,
) -> anyhow::Result<u8> {
    let reason = reason.to_owned();
    about(global, &args.alert, out, |model, alert, _| {
        let matrix = model.coverage_of(alert);
        let cell = args.find(&matrix)?;
        if let Some(refusal) = no_risk(cell) {
            return Ok(Err(format!("not recorded: {}: {refusal}", cell.in_words())));
        }
        Ok(Ok(vec![Decision {
            cell: Some(cell.name.clone()),
            ..Decision::on(alert.clone(), DecisionKind::AcceptRisk, Some(reason))
        }]))
    })
}

/// `stanch alert check`.
pub fn check(
    global: &Global,
    args: &CellArgs,
    held: Held,
    reason: &str,
    out: &mut dyn Write,
) -> anyhow::Result<u8> {
    let reason = reason.to_owned();
    about(global, &args.alert, out, |model, alert, _| {
        let matrix = model.coverage_of(alert);
        let cell = args.find(&matrix)?;
        if let Some(refusal) = not_by_hand(cell) {
            return Ok(Err(format!("not recorded: {}: {refusal}", cell.in_words())));
        }
        Ok(Ok(vec![Decision {
            cell: Some(cell.name.clone()),
            found: Some(found(held == Held::Holds)),
            ..Decision::on(alert.clone(), DecisionKind::Checked, Some(reason))
        }]))
    })
}

/// Finds the alert and writes down what is decided about it; a refusal names it.
fn about(
    global: &Global,
    wanted: &str,
    out: &mut dyn Write,
    choose: impl FnOnce(&mut Model, &AlertId, Timestamp) -> anyhow::Result<Chosen>,
) -> anyhow::Result<u8> {
    recording(global, out, |setup, model, now| {
        let alert = plan::find(setup, model, wanted)?;
        let chosen = choose(model, &alert, now)?;
        Ok(chosen.map_err(|refusal| format!("{}: {refusal}", show(alert.as_str()))))
    })
}
