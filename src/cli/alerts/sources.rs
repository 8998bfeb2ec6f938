//! `stanch alerts sources`.

use std::io::Write;
use std::path::Path;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::json;

use super::{Configured, DONE, FAILED};
use crate::app::settings::Retention;
use crate::domain::alert::{age, seconds};
use crate::domain::text::show;
use crate::intake::store::{Deletion, Health, Store};
use crate::runtime::duty;

/// Lists every configured source with how it is, and who takes alerts in. Fails when one is not well.
pub(super) fn list(
    configured: &Configured,
    state: &Path,
    json: bool,
    now: Timestamp,
    out: &mut dyn Write,
) -> anyhow::Result<u8> {
    let store = Store::open(state)?;
    let known = store.health()?;
    let holder = duty::holder(state)?;
    let kept = Kept::read(&store, configured.retention)?;
    let mut all_well = true;
    for (name, kind) in &configured.sources {
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
                "store": &kept,
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
    if !json {
        writeln!(out, "{}", kept.in_words(now))?;
    }
    Ok(if all_well { DONE } else { FAILED })
}

/// What is kept, for how long, and what was deleted last.
#[derive(Serialize)]
struct Kept {
    bytes: u64,
    keep_s: Option<u64>,
    keep_bytes: Option<u64>,
    last_deletion: Option<Deletion>,
}

impl Kept {
    fn read(store: &Store, retention: Retention) -> anyhow::Result<Self> {
        Ok(Self {
            bytes: store.bytes()?,
            keep_s: retention.keep_s,
            keep_bytes: retention.most_bytes,
            last_deletion: store.last_deletion()?,
        })
    }

    fn in_words(&self, now: Timestamp) -> String {
        let mega = |bytes: u64| format!("{} MB", bytes.div_ceil(1_000_000));
        let bytes = match self.keep_bytes {
            Some(most) => format!("{} of {}", mega(self.bytes), mega(most)),
            None => mega(self.bytes),
        };
        let keep = match self.keep_s {
            Some(s) => format!("{} days after they last came", s / 86_400),
            None => "however old they are".to_owned(),
        };
        let last = match &self.last_deletion {
            Some(deletion) => format!("{} ago {}", age(deletion.at, now), deletion.in_words()),
            None => "none was deleted yet".to_owned(),
        };
        format!("alerts take {bytes} and are kept {keep}; {last}")
    }
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
    parts.extend(
        health
            .lag_s
            .map(|lag| format!("{} after it happened", seconds(lag))),
    );
    if let (Some(error), Some(at)) = (&health.last_error, health.last_error_at) {
        parts.push(format!("last error {} ago: {}", age(at, now), show(error)));
    }
    if quarantined > 0 {
        parts.push(format!("{quarantined} unreadable kept"));
    }
    parts.join("; ")
}
