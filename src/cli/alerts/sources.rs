//! `stanch alerts sources`.

use std::io::Write;
use std::path::Path;

use jiff::Timestamp;
use serde_json::json;

use super::{DONE, FAILED};
use crate::domain::alert::age;
use crate::domain::text::show;
use crate::intake::store::{Health, Store};
use crate::runtime::duty;

/// Lists every configured source with how it is, and who takes alerts in. Fails when one is not well.
pub(super) fn list(
    sources: &[(String, &str)],
    state: &Path,
    json: bool,
    now: Timestamp,
    out: &mut dyn Write,
) -> anyhow::Result<u8> {
    let store = Store::open(state)?;
    let known = store.health()?;
    let holder = duty::holder(state)?;
    let mut all_well = true;
    for (name, kind) in sources {
        let health = known.iter().find(|h| h.name == *name);
        let quarantined = store.quarantined_of(name)?;
        // What was written down last is what holds as long as somebody is there to write.
        let is_healthy = health.filter(|_| holder.is_some()).map(|h| h.is_healthy);
        all_well &= is_healthy != Some(false);
        if json {
            let row = json!({
                "name": name,
                "kind": kind,
                "healthy": is_healthy,
                "state": health.map(|h| show(&h.state)),
                "last_success": health.and_then(|h| h.last_success),
                "last_arrival": health.and_then(|h| h.last_arrival),
                "lag_s": health.and_then(|h| h.lag_s),
                "last_error": health.and_then(|h| h.last_error.as_deref()).map(show),
                "last_error_at": health.and_then(|h| h.last_error_at),
                "quarantined": quarantined,
                "taken_in_by": &holder,
            });
            writeln!(out, "{row}")?;
            continue;
        }
        let mark = match is_healthy {
            Some(true) => "ok",
            Some(false) => "NOT OK",
            None => "-",
        };
        writeln!(
            out,
            "{name:<20}  {kind:<11}  {mark:<6}  {}",
            words(health, quarantined, now)
        )?;
    }
    if !json {
        match &holder {
            Some(holder) => writeln!(
                out,
                "alerts are taken in by {}, for {}",
                show(&holder.to_string()),
                age(holder.since, now)
            )?,
            None => writeln!(
                out,
                "nobody takes alerts in at the moment; `stanch serve` or an open console does"
            )?,
        }
    }
    Ok(if all_well { DONE } else { FAILED })
}

/// Lists the APIs that sources of kind `poll` know.
pub(super) fn presets(json: bool, out: &mut dyn Write) -> anyhow::Result<u8> {
    for preset in crate::intake::poll::presets()? {
        if json {
            let row = json!({
                "name": preset.name, "title": preset.title, "doc": preset.doc, "params": preset.params,
            });
            writeln!(out, "{row}")?;
            continue;
        }
        let params: Vec<String> = preset
            .params
            .iter()
            .map(|(name, default)| match default.as_str() {
                "" => name.clone(),
                default => format!("{name} = {default:?}"),
            })
            .collect();
        let (name, title, params) = (preset.name, preset.title, params.join(", "));
        writeln!(out, "{name:<20}  {title:<58}  {params}")?;
    }
    Ok(DONE)
}

fn words(health: Option<&Health>, quarantined: u64, now: Timestamp) -> String {
    let Some(health) = health else {
        return "nothing came yet".to_owned();
    };
    let mut parts = Vec::new();
    if !health.state.is_empty() {
        parts.push(show(&health.state).into_owned());
    }
    parts.push(match health.last_arrival {
        Some(at) => format!("last alert came {} ago", age(at, now)),
        None => "nothing came yet".to_owned(),
    });
    parts.extend(health.lag_s.map(|lag| format!("{lag} s after it happened")));
    if let (Some(error), Some(at)) = (&health.last_error, health.last_error_at) {
        parts.push(format!("last error {} ago: {}", age(at, now), show(error)));
    }
    if quarantined > 0 {
        parts.push(format!("{quarantined} unreadable kept"));
    }
    parts.join("; ")
}
