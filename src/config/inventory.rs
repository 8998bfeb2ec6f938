//! What sources of the inventory must keep to.

use std::collections::BTreeSet;

use toml::de::DeTable;

use super::Broken;
use crate::app::settings::{AuthSettings, InventorySettings};

/// Checks names, ranges and what belongs together. `text` is the file, of which `files` may be the older name of the list.
pub(super) fn check(text: &str, settings: &InventorySettings) -> Vec<Broken> {
    let list = list_key(text);
    let (mut names, mut found) = (BTreeSet::new(), Vec::new());
    for (i, source) in settings.source.iter().enumerate() {
        let mut blame = |field: &str, problem: String| {
            let key = ["inventory", list, &i.to_string(), field];
            found.push((key.map(str::to_owned).into(), problem));
        };
        if source.file.is_some() == source.url.is_some() {
            let field = if source.url.is_some() { "url" } else { "file" };
            blame(field, "set exactly one of `file` and `url`".to_owned());
        }
        if let Some(name) = &source.name {
            if name.trim().is_empty() {
                blame("name", "a source needs a name that can be read".to_owned());
            } else if !names.insert(name) {
                blame("name", format!("`{name}` is used twice"));
            }
        }
        if !(1..=120).contains(&source.timeout_s) {
            let given = source.timeout_s;
            blame(
                "timeout_s",
                format!("{given} is out of range; use 1 to 120 seconds"),
            );
        }
        if source.fresh_s > 86_400 {
            let given = source.fresh_s;
            blame(
                "fresh_s",
                format!("{given} is out of range; use up to 86400 seconds"),
            );
        }
        if let Some(days) = source.stale_after_d.and_then(out_of_range) {
            blame("stale_after_d", days);
        }
        if let Some(provider) = source
            .provider
            .as_ref()
            .filter(|p| p.is_empty() || p.contains(':'))
        {
            blame(
                "provider",
                format!("`{provider}` is no provider; use a word without a colon"),
            );
        }
        if matches!(
            source.auth,
            AuthSettings::AwsSigv4 { .. } | AuthSettings::AwsAssumedRole { .. }
        ) {
            let problem =
                "requests to AWS cannot be made here; export the list with its command line";
            blame("auth", problem.to_owned());
        }
    }
    for (field, days) in [
        ("stale_after_d", settings.stale_after_d),
        ("unused_after_d", settings.unused_after_d),
    ] {
        if let Some(problem) = out_of_range(days) {
            found.push((["inventory", field].map(str::to_owned).into(), problem));
        }
    }
    for (field, seconds) in [
        ("reload_s", settings.reload_s),
        ("live_again_s", settings.live_again_s),
    ] {
        if seconds != 0 && !(60..=86_400).contains(&seconds) {
            let problem =
                format!("{seconds} is out of range; use 60 to 86400 seconds, or 0 for never");
            found.push((["inventory", field].map(str::to_owned).into(), problem));
        }
    }
    found
}

fn out_of_range(days: u32) -> Option<String> {
    let fits = (1..=36_500).contains(&days);
    (!fits).then(|| format!("{days} is out of range; use 1 to 36500 days"))
}

/// Returns the key under which a configuration lists the sources of its inventory.
pub(super) fn list_key(text: &str) -> &'static str {
    let is_old = DeTable::parse(text).is_ok_and(|root| {
        let inventory = root.get_ref().get("inventory").map(toml::Spanned::get_ref);
        inventory.is_some_and(|i| i.get("files").is_some())
    });
    if is_old { "files" } else { "source" }
}
