//! `stanch log metrics`: where the time went.

use std::fmt::Write as _;
use std::io::Write;
use std::path::PathBuf;

use clap::Args;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::Context;
use super::course::{Course, STAGES, by_alert};
use super::filter::{load, parse_time};
use crate::cli::progress::{self, Stop, Unit};
use crate::domain::alert::seconds as span;

/// Arguments of `stanch log metrics`.
#[derive(Debug, Args)]
pub struct MetricsArgs {
    /// Read a copied journal instead (repeatable).
    #[arg(long, value_name = "DIR")]
    pub store: Vec<PathBuf>,
    /// Only this alert.
    #[arg(long, value_name = "ID")]
    alert: Option<String>,
    /// Only alerts with something happening from then on: `2026-11-21T08:00:00Z`, or `2h`, `3d` before now.
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    since: Option<Timestamp>,
}

/// Measures every alert.
pub fn run(args: &MetricsArgs, context: &Context<'_>, out: &mut dyn Write) -> anyhow::Result<u8> {
    let stop = Stop::AtOnce("nothing was changed");
    let work = progress::begin("reading the log", (Unit::Time, 0), stop, true);
    let loaded = load(&args.store, context)?;
    loaded.tell(context);
    let by_alert = by_alert(&loaded.lines);
    let of = (Unit::Things("alerts"), by_alert.len() as u64);
    drop(work);
    let work = progress::begin("measuring", of, stop, true);
    let courses: Vec<Course> = by_alert
        .iter()
        .inspect(|_| work.add(1))
        .filter(|(id, _)| args.alert.as_ref().is_none_or(|w| id.as_str() == w))
        .map(|(id, lines)| {
            let alert = (context.alert)(id);
            Course::of(id, alert.as_ref(), lines, &loaded.decisions)
        })
        .filter(|c| {
            args.since
                .is_none_or(|since| latest(c).is_some_and(|t| t >= since))
        })
        .collect();
    drop(work);
    let medians: Vec<(&str, Option<i64>)> = STAGES
        .iter()
        .map(|stage| {
            (
                *stage,
                median(courses.iter().filter_map(|c| seconds(c, stage)).collect()),
            )
        })
        .collect();
    let total = median(
        courses
            .iter()
            .filter(|c| c.proven.is_some())
            .filter_map(|c| c.total_s)
            .collect(),
    );
    if context.json {
        let by_stage: Value = medians
            .iter()
            .map(|(s, m)| ((*s).to_owned(), json!(m)))
            .collect();
        let value = json!({"alerts": courses, "median_s": by_stage, "median_proven_s": total});
        writeln!(out, "{}", serde_json::to_string_pretty(&value)?)?;
        return Ok(0);
    }
    let cell = |s: Option<i64>| s.map_or_else(|| "-".to_owned(), span);
    let mut head = format!("{:<32}", "alert");
    for stage in STAGES {
        let _ = write!(head, "  {stage:>11}");
    }
    writeln!(
        out,
        "{head}  {:>8}  {:>11}  acts  unknown  taken back",
        "total", "longest"
    )?;
    for course in &courses {
        let mut row = format!("{:<32}", course.alert);
        for stage in STAGES {
            let _ = write!(row, "  {:>11}", cell(seconds(course, stage)));
        }
        let undone = if course.undone == 0 {
            "0".to_owned()
        } else {
            format!(
                "{} (interrupted {})",
                course.undone,
                span(course.interrupted_s)
            )
        };
        writeln!(
            out,
            "{row}  {:>8}  {:>11}  {:>4}  {:>7}  {undone}",
            cell(course.total_s),
            course.longest.unwrap_or("-"),
            course.acts,
            course.unknown
        )?;
    }
    let mut row = format!("{:<32}", "median");
    for (_, median) in &medians {
        let _ = write!(row, "  {:>11}", cell(*median));
    }
    writeln!(out, "{row}  {:>8}", cell(total))?;
    Ok(0)
}

fn seconds(course: &Course, until: &str) -> Option<i64> {
    course
        .stages
        .iter()
        .find(|s| s.until == until)
        .map(|s| s.seconds)
}

fn latest(course: &Course) -> Option<Timestamp> {
    let all = [
        course.detected,
        course.acknowledged,
        course.decided,
        course.approved,
        course.executed,
        course.proven,
    ];
    all.into_iter().flatten().max()
}

fn median(mut all: Vec<i64>) -> Option<i64> {
    all.sort_unstable();
    all.get(all.len().checked_sub(1)? / 2).copied()
}
