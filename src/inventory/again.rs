//! Reading all sources again while the console runs: what a source said before is used, with its age, where it cannot be
//! read now. Nobody should lose the map at three in the morning to a file that is just being written.

use std::path::PathBuf;
use std::sync::Arc;

use jiff::Timestamp;

use super::http::{self, Fetched};
use super::reading::Reading;
use super::{assemble, read_file, read_source};
use crate::app::settings::{InventorySettings, InventorySource};
use crate::domain::alert::age;
use crate::domain::identity::flags::Limits;
use crate::domain::inventory::{Inventory, Loss, SourceState};

/// The sources of an inventory with what each last said that could be used.
#[derive(Debug)]
pub struct Sources {
    settings: InventorySettings,
    cache: Option<PathBuf>,
    kept: Vec<Option<Kept>>,
    /// What was put together last, by what it came from.
    last: Vec<Came>,
}

/// What a source said, and when it was read.
#[derive(Debug)]
struct Kept {
    text: Arc<str>,
    at: Option<Timestamp>,
    read: Timestamp,
}

/// Whence what is used of a source came; when all of it is the same, nothing has to be put together anew.
#[derive(Debug, PartialEq, Eq)]
struct Came {
    text: Option<Arc<str>>,
    at: Option<Timestamp>,
    trouble: Option<String>,
}

impl Sources {
    /// Names them; nothing is read yet. `cache` is the folder in which copies of what addresses answered are kept.
    pub fn new(settings: InventorySettings, cache: Option<PathBuf>) -> Self {
        let kept = settings.source.iter().map(|_| None).collect();
        Self {
            settings,
            cache,
            kept,
            last: Vec::new(),
        }
    }

    /// Tells whether there is anything to read.
    pub fn is_empty(&self) -> bool {
        self.settings.source.is_empty()
    }

    /// Reads every source into one inventory. Blocks for as long as the slowest address may take; must not be called where
    /// nothing may block for that long.
    pub fn read(&mut self, now: Timestamp) -> Inventory {
        let (readings, states, came) = self.ask(false, now);
        self.last = came;
        assemble::assemble(readings, states, self.limits())
    }

    /// Reads every source again, also addresses whose copies are fresh. `None` where all say what they said.
    pub fn again(&mut self, now: Timestamp) -> Option<Inventory> {
        let (readings, states, came) = self.ask(true, now);
        if came == self.last {
            return None;
        }
        self.last = came;
        Some(assemble::assemble(readings, states, self.limits()))
    }

    fn limits(&self) -> Limits {
        Limits {
            stale_after_d: self.settings.stale_after_d,
            unused_after_d: self.settings.unused_after_d,
        }
    }

    fn ask(&mut self, anew: bool, now: Timestamp) -> (Vec<Reading>, Vec<SourceState>, Vec<Came>) {
        let sources = &self.settings.source;
        let mut fetched = http::fetch_all(sources, self.cache.as_deref(), anew, now).into_iter();
        let limits = self.limits();
        let (mut readings, mut states, mut came) = (Vec::new(), Vec::new(), Vec::new());
        for (rank, (source, kept)) in sources.iter().zip(&mut self.kept).enumerate() {
            let text = match (&source.file, &source.url) {
                (Some(path), None) => read_file(path),
                _ => fetched
                    .next()
                    .unwrap_or_else(|| Err("it was not asked".to_owned())),
            };
            let (reading, state, from) = one(rank, source, limits, text, kept, now);
            readings.push(reading);
            states.push(state);
            came.push(from);
        }
        (readings, states, came)
    }
}

fn place(source: &InventorySource) -> String {
    match (&source.file, &source.url) {
        (Some(path), _) => path.display().to_string(),
        (None, url) => url.clone().unwrap_or_default(),
    }
}

/// Reads one source; where nothing of it can be used, what it said before is.
fn one(
    rank: usize,
    source: &InventorySource,
    limits: Limits,
    mut text: Result<Fetched, String>,
    kept: &mut Option<Kept>,
    now: Timestamp,
) -> (Reading, SourceState, Came) {
    let place = place(source);
    let mut copy = text.as_mut().ok().and_then(|fetched| fetched.copy.take());
    if kept.is_none() {
        // What another process was told is as good as what this one was.
        let before = copy.as_mut().and_then(|copy| copy.before.take());
        *kept = before.map(|(text, at)| Kept {
            text: text.into(),
            at: Some(at),
            read: at,
        });
    }
    let new = text.as_ref().ok().map(|fetched| Kept {
        text: fetched.text.as_str().into(),
        at: fetched.at,
        read: now,
    });
    let (reading, mut state) = read_source(rank, source, limits, place.clone(), text);
    let lost = reading.mistakes.iter().find(|m| m.loss == Loss::Source);
    // An address that answers with nothing that can be used was not asked in vain before.
    let is_blank = new.as_ref().is_some_and(|new| new.text.trim().is_empty());
    let is_empty = state.identities == 0 && (is_blank || !reading.mistakes.is_empty());
    let is_lost = lost.is_some() || copy.is_some() && is_empty;
    if let (true, Some(kept)) = (is_lost, kept.as_ref()) {
        let why = lost.or(reading.mistakes.first());
        let nothing = || "its answer is empty".to_owned();
        let why = why.map_or_else(nothing, |m| match m.line {
            0 => m.problem.clone(),
            line => format!("line {line}: {}", m.problem),
        });
        let before = Fetched {
            text: kept.text.to_string(),
            at: kept.at,
            trouble: Some(format!(
                "{why}; what was read {} ago is used",
                age(kept.read, now)
            )),
            copy: None,
        };
        // The reason stands there without the age, which changes with every look.
        let came = Came {
            text: Some(Arc::clone(&kept.text)),
            at: kept.at,
            trouble: Some(why),
        };
        let (reading, state) = read_source(rank, source, limits, place, Ok(before));
        return (reading, state, came);
    }
    if let (false, Some(copy), Some(new)) = (is_lost, copy, new.as_ref()) {
        // An answer that says nothing must not push out one that did.
        state.trouble = state.trouble.or_else(|| copy.keep(&new.text));
    }
    let came = Came {
        text: new.as_ref().map(|new| Arc::clone(&new.text)),
        at: new.as_ref().and_then(|new| new.at),
        trouble: state.trouble.clone(),
    };
    if !is_lost {
        *kept = new;
    }
    (reading, state, came)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn sources(files: &[&Path]) -> Sources {
        let source = files.iter().map(InventorySource::of_file).collect();
        let settings = InventorySettings {
            source,
            ..InventorySettings::default()
        };
        Sources::new(settings, None)
    }

    fn card(name: &str) -> String {
        format!("[[identity]]\nid = 'lab:{name}'\nname = '{name}'\n")
    }

    fn names(inventory: &Inventory) -> Vec<&str> {
        let all = inventory.identities().keys();
        all.map(crate::domain::ids::IdentityId::as_str).collect()
    }

    #[test]
    fn a_changed_file_is_read_and_an_unchanged_one_is_no_news() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("inventory.toml");
        std::fs::write(&path, card("a")).unwrap();
        let (mut sources, now) = (sources(&[&path]), Timestamp::now());
        assert_eq!(names(&sources.read(now)), ["lab:a"]);
        assert!(sources.again(now).is_none());
        std::fs::write(&path, card("b")).unwrap();
        assert_eq!(names(&sources.again(now).unwrap()), ["lab:b"]);
    }

    #[test]
    fn what_cannot_be_read_now_is_what_it_was_and_says_so() {
        let dir = tempfile::tempdir().unwrap();
        let (path, other) = (dir.path().join("a.toml"), dir.path().join("b.toml"));
        std::fs::write(&path, card("a")).unwrap();
        std::fs::write(&other, card("b")).unwrap();
        let (mut sources, now) = (sources(&[&path, &other]), Timestamp::now());
        sources.read(now);
        let trouble = |inventory: &Inventory| inventory.background().sources[0].trouble.clone();
        for broken in [Some("[[identity"), None] {
            match broken {
                Some(text) => std::fs::write(&path, text).unwrap(),
                None => std::fs::remove_file(&path).unwrap(),
            }
            let inventory = sources.again(now).unwrap();
            assert_eq!(names(&inventory), ["lab:a", "lab:b"]);
            let said = trouble(&inventory).unwrap();
            assert!(said.contains("what was read <1m ago is used"), "{said}");
            assert!(sources.again(now).is_none(), "the same trouble is no news");
        }
        std::fs::write(&path, card("c")).unwrap();
        let inventory = sources.again(now).unwrap();
        assert_eq!(names(&inventory), ["lab:b", "lab:c"]);
        assert_eq!(trouble(&inventory), None);
    }

    #[test]
    fn a_file_that_never_was_there_comes_when_it_comes() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("late.toml");
        let (mut sources, now) = (sources(&[&path]), Timestamp::now());
        let inventory = sources.read(now);
        assert!(inventory.background().sources[0].trouble.is_some());
        std::fs::write(&path, card("a")).unwrap();
        assert_eq!(names(&sources.again(now).unwrap()), ["lab:a"]);
    }
}
