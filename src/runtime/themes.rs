//! Themes of the user's own: read from their folder, and again whenever something changes there.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use inotify::{Inotify, WatchMask};
use tokio::sync::mpsc;

use crate::domain::text::show;
use crate::ui::theme::Themes;

/// Largest file of a theme, in bytes; a theme has some twenty lines.
const LARGEST: u64 = 64 * 1024;

/// Room for the notices of one read.
const NOTICE_BYTES: usize = 4 << 10;

/// Reads the themes of a folder; one that is not there holds none.
pub fn read(folder: &Path) -> anyhow::Result<Themes> {
    let files = match std::fs::read_dir(folder) {
        Ok(files) => files,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Themes::default()),
        Err(error) => {
            return Err(error).with_context(|| format!("cannot read {}", folder.display()));
        }
    };
    let mut own = BTreeMap::new();
    for file in files {
        let path = file
            .with_context(|| format!("cannot read {}", folder.display()))?
            .path();
        let name = path.file_stem().and_then(|name| name.to_str());
        let (Some(name), Some("toml")) = (name, path.extension().and_then(|end| end.to_str()))
        else {
            continue;
        };
        own.insert(name.to_owned(), one(&path)?);
    }
    Ok(Themes::new(own))
}

fn one(path: &Path) -> anyhow::Result<String> {
    let about = || format!("cannot read {}", path.display());
    let size = std::fs::metadata(path).with_context(about)?.len();
    anyhow::ensure!(
        size <= LARGEST,
        "{}: {size} bytes are no theme; {LARGEST} at most",
        path.display()
    );
    std::fs::read_to_string(path).with_context(about)
}

/// Reads the folder again whenever a file in it was written, moved or deleted, on a thread of its own; a folder that is
/// not there, or cannot be watched, is left alone.
pub fn watch(folder: PathBuf) -> mpsc::Receiver<Result<Themes, String>> {
    let (sender, changed) = mpsc::channel(1);
    // To give back what watches nothing takes the system ten milliseconds, and somebody waits for the first frame.
    if !folder.is_dir() {
        return changed;
    }
    let mask = WatchMask::CLOSE_WRITE | WatchMask::MOVED_TO | WatchMask::MOVED_FROM;
    let made = Inotify::init().and_then(|inotify| {
        let mut watches = inotify.watches();
        watches.add(&folder, mask | WatchMask::DELETE)?;
        Ok(inotify)
    });
    if let Ok(mut inotify) = made {
        std::thread::spawn(move || {
            let mut room = vec![0; NOTICE_BYTES];
            while inotify.read_events_blocking(&mut room).is_ok() {
                let themes = read(&folder).map_err(|e| show(&format!("{e:#}")).into_owned());
                if sender.blocking_send(themes).is_err() {
                    return;
                }
            }
        });
    }
    changed
}
