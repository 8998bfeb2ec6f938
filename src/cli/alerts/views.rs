//! `stanch alerts views`.

use std::io::Write;
use std::path::Path;

use serde_json::json;

use super::{DONE, FAILED};
use crate::app::settings::View;
use crate::config::views;
use crate::domain::queue::Grouping;
use crate::domain::text::show;

/// What is to be done before the views are listed.
pub(super) struct Change<'c> {
    /// Save this one.
    pub save: Option<View>,
    /// Remove the one of this name.
    pub remove: Option<&'c str>,
}

/// Reads what a view folds.
pub(super) fn fold(word: &str) -> Result<Grouping, String> {
    const ALL: [Grouping; 4] = [
        Grouping::Off,
        Grouping::Stream,
        Grouping::Identity,
        Grouping::Incident,
    ];
    let found = ALL.into_iter().find(|fold| name(*fold) == word);
    found.ok_or_else(|| format!("no `{word}`; there are {}", ALL.map(name).join(", ")))
}

fn name(fold: Grouping) -> &'static str {
    match fold {
        Grouping::Off => "none",
        Grouping::Stream => "kind",
        Grouping::Identity => "identity",
        Grouping::Incident => "incident",
    }
}

/// Saves or removes a view if that is asked for, and lists all.
pub(super) fn run(
    configured: &[View],
    state: &Path,
    change: &Change<'_>,
    json: bool,
    out: &mut dyn Write,
) -> anyhow::Result<u8> {
    let path = views::file(state);
    if let Some(view) = &change.save {
        crate::cli::setup::make_private(state)?;
        views::save(&path, configured, view).map_err(anyhow::Error::msg)?;
    }
    let mut code = DONE;
    if let Some(name) = change.remove
        && !views::remove(&path, name).map_err(anyhow::Error::msg)?
    {
        code = FAILED;
        let text = format!("no saved view `{}`", show(name));
        writeln!(
            out,
            "{}",
            if json {
                json!({ "problem": text }).to_string()
            } else {
                text
            }
        )?;
    }
    let saved = views::read(&path).map_err(anyhow::Error::msg)?;
    let place = path.display().to_string();
    let all = configured
        .iter()
        .map(|view| (view, "configuration"))
        .chain(saved.iter().map(|view| (view, place.as_str())));
    for (key, (view, from)) in (1..).zip(all) {
        let (title, filter, fold) = (show(&view.name), show(&view.filter), name(view.fold));
        if json {
            let row =
                json!({ "key": key, "name": title, "filter": filter, "fold": fold, "from": from });
            writeln!(out, "{row}")?;
        } else {
            writeln!(out, "{key}  {title:<20}  {fold:<8}  {filter}  ({from})")?;
        }
    }
    Ok(code)
}
