//! One lab's state behind a lock: each change is written down, its alerts appended, and its status told.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::error::DrillError;
use super::finding::{self, Numbered};
use super::lab::LabStatus;
use super::scenario::{LabPart, ScenarioFile};
use super::seed::Seed;
use super::world::World;

/// What the tasks of one lab share.
#[derive(Debug)]
pub(super) struct Shared {
    pub scenario: ScenarioFile,
    pub seed: Seed,
    pub speed: f64,
    pub stop: CancellationToken,
    inner: Mutex<Inner>,
    status: watch::Sender<LabStatus>,
    state_file: PathBuf,
}

#[derive(Debug)]
struct Inner {
    world: World,
    alerts: File,
    /// Cleared when the lab ends: a late request must not write over what the next process continues.
    open: bool,
}

/// The lab has ended.
#[derive(Clone, Copy, Debug)]
pub(super) struct Closed;

impl Shared {
    /// Takes over a state; nothing is written before the first [`Shared::act`].
    pub fn new(
        scenario: ScenarioFile,
        world: World,
        speed: f64,
        state_file: PathBuf,
        alerts: File,
    ) -> Self {
        let (status, _) = watch::channel(world.status.clone());
        Self {
            scenario,
            seed: Seed(world.seed),
            speed,
            stop: CancellationToken::new(),
            inner: Mutex::new(Inner {
                world,
                alerts,
                open: true,
            }),
            status,
            state_file,
        }
    }

    /// Changes the state, then writes it down and tells whoever waits.
    pub fn act<T>(
        &self,
        change: impl FnOnce(&mut World, &LabPart, Timestamp) -> T,
    ) -> Result<T, Closed> {
        let mut inner = self.lock();
        if !inner.open {
            return Err(Closed);
        }
        let now = Timestamp::now();
        let result = change(&mut inner.world, &self.scenario.lab, now);
        self.commit(&mut inner, Ok(()));
        Ok(result)
    }

    /// Reads the state.
    pub fn look<T>(&self, read: impl FnOnce(&World) -> T) -> T {
        read(&self.lock().world)
    }

    /// Appends the next line of noise.
    pub fn make_noise(&self, index: usize) -> Result<(), Closed> {
        let Some(noise) = self.scenario.noise.get(index) else {
            return Ok(());
        };
        let mut inner = self.lock();
        if !inner.open {
            return Err(Closed);
        }
        inner.world.status.alerts += 1;
        inner.world.noise_written = index + 1;
        let now = Timestamp::now();
        let line = finding::of_noise(numbered(&inner.world, &self.scenario.lab, now), noise, now);
        let written = append(&mut inner.alerts, &line);
        self.commit(&mut inner, written);
        Ok(())
    }

    /// Follows the status.
    pub fn subscribe(&self) -> watch::Receiver<LabStatus> {
        self.status.subscribe()
    }

    /// Ends the lab: later requests change nothing.
    pub fn close(&self) {
        self.lock().open = false;
        self.stop.cancel();
    }

    /// Writes down what changed and tells it. A full disk does not stop the drill; the status says so.
    fn commit(&self, inner: &mut Inner, written: io::Result<()>) {
        let written = written.and(self.write_findings(inner));
        let world = &mut inner.world;
        world.status.revision += 1;
        let saved = save(&self.state_file, world);
        world.status.trouble = match (written, saved) {
            (Err(e), _) => Some(format!("write the drill's alerts: {e}")),
            (_, Err(e)) => Some(e.to_string()),
            _ => None,
        };
        self.status.send_replace(world.status.clone());
    }

    fn write_findings(&self, inner: &mut Inner) -> io::Result<()> {
        let mut result = Ok(());
        for facts in std::mem::take(&mut inner.world.noticed) {
            inner.world.status.alerts += 1;
            let first = *inner.world.status.first_alert_at.get_or_insert(facts.at);
            let line = finding::of_act(numbered(&inner.world, &self.scenario.lab, first), &facts);
            result = result.and(append(&mut inner.alerts, &line));
        }
        result
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // A panic elsewhere leaves plain data behind; the drill goes on with it.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn numbered<'a>(world: &'a World, lab: &'a LabPart, first_seen: Timestamp) -> Numbered<'a> {
    Numbered {
        lab,
        lab_id: &world.lab_id,
        number: world.status.alerts,
        first_seen,
    }
}

/// Appends one line in one write, so that a reader never sees a half of it unless the disk is full.
fn append(file: &mut File, line: &str) -> io::Result<()> {
    file.write_all(format!("{line}\n").as_bytes())
}

/// Writes the state beside its file and renames it into place.
fn save(path: &Path, world: &World) -> Result<(), DrillError> {
    let text = serde_json::to_vec(world).map_err(|e| DrillError::State {
        path: path.to_owned(),
        why: e.to_string(),
    })?;
    replace(path, &text).map_err(|e| DrillError::file("write the drill's state to", path, e))
}

/// Replaces a file at once, readable by its owner only. The new file has another inode, so that whoever follows the
/// old one sees a rotation and not a truncation.
pub(super) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    let beside = PathBuf::from(beside);
    match fs::remove_file(&beside) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
        _ => {}
    }
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&beside)?;
    file.write_all(bytes)?;
    fs::rename(&beside, path)
}
