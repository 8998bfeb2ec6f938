//! Views of the queue that were saved from the screen: a file of their own in the state folder, so that nobody's
//! configuration is rewritten.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::desk::{Fold, MOST_VIEWS, ViewSettings};
use super::put;
use crate::app::settings::View;
use crate::domain::filter::Filter;
use crate::domain::queue::Grouping;

/// Name of the file in the state folder.
const FILE: &str = "views.toml";

/// Longest name of a view, in characters.
const LONGEST_NAME: usize = 40;

/// What stands above the views in their file.
const HEAD: &str = "# Views saved from the console (V, s) or by `stanch alerts views --save`. Each could as well stand in the\n\
                    # configuration.\n\n";

#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Saved {
    view: Vec<ViewSettings>,
}

/// Returns the file of saved views of a state folder.
pub fn file(state: &Path) -> PathBuf {
    state.join(FILE)
}

/// Reads the saved views; none where nothing was saved.
pub fn read(path: &Path) -> Result<Vec<View>, String> {
    let saved = load(path)?;
    Ok(saved.view.iter().map(super::desk::view).collect())
}

/// Saves a view beside those of the configuration; one of the same name that was saved before gives way to it.
pub fn save(path: &Path, configured: &[View], view: &View) -> Result<(), String> {
    let name = view.name.trim();
    if name.is_empty() || name.chars().count() > LONGEST_NAME || name.chars().any(char::is_control)
    {
        return Err(format!(
            "a view needs a name of one line and at most {LONGEST_NAME} characters"
        ));
    }
    if configured.iter().any(|other| other.name == name) {
        return Err(format!(
            "the configuration has a view `{name}`; give another name"
        ));
    }
    Filter::parse(&view.filter).map_err(|error| format!("the filter cannot be used: {error}"))?;
    let mut saved = load(path)?;
    let settings = ViewSettings {
        name: name.to_owned(),
        filter: view.filter.clone(),
        fold: match view.fold {
            Grouping::Off => Fold::None,
            Grouping::Stream => Fold::Kind,
            Grouping::Identity => Fold::Identity,
            Grouping::Incident => Fold::Incident,
        },
    };
    let is_full = saved.view.len() + configured.len() >= MOST_VIEWS;
    match saved.view.iter_mut().find(|other| other.name == name) {
        Some(other) => *other = settings,
        None if is_full => {
            return Err(format!(
                "there are {MOST_VIEWS} views already, as many as digits to choose them with; save under the name of one of \
                 them, or take one out of {}",
                path.display()
            ));
        }
        None => saved.view.push(settings),
    }
    write(path, &saved)
}

/// Takes a saved view away. Tells whether there was one of that name.
pub fn remove(path: &Path, name: &str) -> Result<bool, String> {
    let mut saved = load(path)?;
    let before = saved.view.len();
    saved.view.retain(|view| view.name != name);
    if saved.view.len() == before {
        return Ok(false);
    }
    write(path, &saved).map(|()| true)
}

fn load(path: &Path) -> Result<Saved, String> {
    let failed = |why: &dyn std::fmt::Display| format!("cannot read {}: {why}", path.display());
    match std::fs::read_to_string(path) {
        Ok(text) => toml::from_str(&text).map_err(|error| failed(&error.message())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Saved::default()),
        Err(error) => Err(failed(&error)),
    }
}

/// Writes beside the file and puts that in its place: whoever reads meanwhile reads the one or the other.
fn write(path: &Path, saved: &Saved) -> Result<(), String> {
    let failed = |why: &dyn std::fmt::Display| format!("cannot write {}: {why}", path.display());
    let text = toml::to_string(saved).map_err(|error| failed(&error))?;
    put::in_place(path, format!("{HEAD}{text}").as_bytes()).map_err(|error| failed(&error))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn view(name: &str, filter: &str) -> View {
        View {
            name: name.to_owned(),
            filter: filter.to_owned(),
            fold: Grouping::Incident,
        }
    }

    #[test]
    fn views_are_kept_replaced_and_taken_away() {
        let dir = tempfile::tempdir().unwrap();
        let path = file(dir.path());
        assert_eq!(read(&path), Ok(Vec::new()));
        save(&path, &[], &view(" keys ", "key~AKIA* \"two words\"")).unwrap();
        save(&path, &[], &view("mine", "by:alice")).unwrap();
        save(&path, &[], &view("mine", "by:bob")).unwrap();
        let want = [
            view("keys", "key~AKIA* \"two words\""),
            view("mine", "by:bob"),
        ];
        assert_eq!(read(&path).unwrap(), want);
        let mode = path.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(remove(&path, "keys"), Ok(true));
        assert_eq!(remove(&path, "keys"), Ok(false));
        assert_eq!(read(&path).unwrap(), want[1..]);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_cannot_be_a_view_is_refused_and_nothing_is_lost() {
        let dir = tempfile::tempdir().unwrap();
        let path = file(dir.path());
        for n in 0..7 {
            save(&path, &[], &view(&n.to_string(), "")).unwrap();
        }
        let configured = [view("a", ""), view("b", "")];
        let refused =
            |name: &str, filter: &str| save(&path, &configured, &view(name, filter)).unwrap_err();
        assert!(refused("", "").contains("needs a name"));
        assert!(refused("a", "").contains("the configuration has a view `a`"));
        assert!(refused("3", "sev>=hihg").contains("no severity `hihg`"));
        assert!(refused("more", "").contains("9 views already"));
        save(&path, &configured, &view("3", "sev>=high")).unwrap();
        assert_eq!(read(&path).unwrap().len(), 7);
        std::fs::write(&path, "view = 3").unwrap();
        assert!(read(&path).is_err() && save(&path, &[], &view("x", "")).is_err());
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "view = 3");
    }
}
