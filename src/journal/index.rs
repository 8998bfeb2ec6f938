//! Finds records without reading the whole log: a SQLite file in the user's cache, derived from the logs and thrown away
//! whenever anything about it is odd.
//!
//! It only says *where* to look. A record found through it is read from the log and must hash to what was there when the
//! chain was checked; verifying never asks it.

mod find;
mod lines;
mod scan;
mod update;

use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension as _, TransactionBehavior};

use super::layout::LogDir;
use super::reader::{Problem, logs_in};
use crate::domain::plan::sha256_hex;

pub use find::{Hit, Search};
pub use lines::Block;

/// What this program writes; another version's file is thrown away.
const VERSION: i32 = 1;
/// How long another process that updates the file is waited for.
const BUSY: Duration = Duration::from_millis(500);

const TABLES: &str = "
    create table log(id integer primary key, owner text unique not null, origin text not null default '',
        files text not null default '', walk text not null default '', latest integer not null default 0,
        back integer not null default 0);
    create table name(id integer primary key, kind integer not null, text text not null, tail text, unique(kind, text));
    create table lower(kind integer not null, body text not null);
    create table rec(id integer primary key, log integer not null, seq integer not null, segment integer not null,
        place integer not null, len integer not null, leaf blob not null, at integer not null, ts integer not null,
        type text not null, sub text, actor integer not null, by integer, alert integer, identity integer, act integer,
        plan integer);
    create table plan(id integer primary key, alert integer not null, identity integer not null, called text not null);
    create table act(id integer primary key, cell text not null, wire text, proof text, what text not null);
    create table words(first integer primary key, body text not null);
";
/// Made when the first records stand, which is several times as fast.
const INDEXES: &str = "
    create unique index if not exists rec_seq on rec(seq, log);
    create index if not exists rec_at on rec(at, log, seq);
    create index if not exists rec_type on rec(type, at, log, seq);
    create index if not exists rec_actor on rec(actor);
    create index if not exists rec_by on rec(by) where by is not null;
    create index if not exists rec_alert on rec(alert) where alert is not null;
    create index if not exists rec_identity on rec(identity) where identity is not null;
    create index if not exists rec_act on rec(act) where act is not null;
    create index if not exists rec_plan on rec(plan) where plan is not null;
    create index if not exists name_tail on name(kind, tail) where tail is not null;
    create index if not exists plan_alert on plan(alert);
    create index if not exists plan_identity on plan(identity);
    create index if not exists act_cell on act(cell);
    create index if not exists act_wire on act(wire);
";

/// Why the index is of no use.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    /// SQLite refused, or the file is none of ours.
    #[error("{0}")]
    Sqlite(#[from] rusqlite::Error),
    /// The file cannot be made or read.
    #[error("{0}")]
    Io(#[from] std::io::Error),
    /// Another version wrote it.
    #[error("it is of version {0}")]
    Version(i32),
    /// It does not fit the log.
    #[error("it says otherwise than the log: {0}")]
    Stale(String),
}

/// What a name is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Who = 0,
    Alert = 1,
    Identity = 2,
    Act = 3,
    Plan = 4,
}

/// A log and its number in the index.
struct Known {
    id: i64,
    origin: String,
    actor: String,
    log: LogDir,
}

/// Where the records of some stores stand.
pub struct Index {
    db: Connection,
    logs: Vec<Known>,
    problems: Vec<Problem>,
    said: Option<String>,
}

impl std::fmt::Debug for Index {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Index({} logs)", self.logs.len())
    }
}

impl Index {
    /// Opens the index of these stores in the directory `cache` and takes in what is new in the logs. One that cannot be
    /// used is thrown away and built anew; where no file can be, it is built in memory.
    pub fn open(cache: Option<&Path>, stores: &[PathBuf]) -> Result<Self, IndexError> {
        let mut said = None;
        if let Some(path) = cache.map(|dir| file_of(dir, stores)) {
            for _ in 0..2 {
                match Self::at(&path).and_then(|db| Self::over(db, stores)) {
                    Ok(index) => return Ok(Self { said, ..index }),
                    Err(IndexError::Sqlite(e)) if is_busy(&e) => {
                        said = Some("the index of the log is in use by another process; the log was read in full".into());
                        break;
                    }
                    Err(IndexError::Io(e)) => {
                        said = Some(format!("the index of the log cannot be kept: {e}"));
                        break;
                    }
                    Err(e) => {
                        said = Some(format!(
                            "the index of the log was thrown away ({e}) and built anew"
                        ));
                        remove(&path);
                    }
                }
            }
        }
        let index = Self::over(made(Connection::open_in_memory()?)?, stores)?;
        Ok(Self { said, ..index })
    }

    /// As [`Self::open`], after throwing away what is there, which was found to be odd: `why`.
    pub fn anew(
        cache: Option<&Path>,
        stores: &[PathBuf],
        why: &IndexError,
    ) -> Result<Self, IndexError> {
        if let Some(dir) = cache {
            remove(&file_of(dir, stores));
        }
        let said = Some(format!(
            "the index of the log was thrown away ({why}) and built anew"
        ));
        let index = Self::open(cache, stores)?;
        Ok(Self {
            said: index.said.clone().or(said),
            ..index
        })
    }

    /// Removes the index of these stores: content was taken out of them, and none of it may stay.
    pub fn discard(cache: &Path, stores: &[PathBuf]) {
        remove(&file_of(cache, stores));
    }

    /// Says, once, what was odd about the file.
    pub fn take_said(&mut self) -> Option<String> {
        self.said.take()
    }

    /// Returns what is wrong with the logs.
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    fn at(path: &Path) -> Result<Connection, IndexError> {
        if let Some(dir) = path.parent() {
            std::fs::DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(dir)?;
        }
        // Made here, as SQLite would let others read it; what it adds beside it gets the same mode.
        std::fs::File::options()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path)?;
        let db = Connection::open(path)?;
        db.busy_timeout(BUSY)?;
        made(db)
    }

    fn over(mut db: Connection, stores: &[PathBuf]) -> Result<Self, IndexError> {
        let (mut logs, mut problems) = (Vec::new(), Vec::new());
        for store in stores {
            let (mut found, wrong) = logs_in(store);
            problems.extend(wrong);
            found.sort_by(|a, b| a.0.cmp(&b.0));
            for (owner, log) in found {
                // Two copies of one store hold logs of the same owner.
                let name = format!("{} {owner}", store.display());
                db.execute("insert or ignore into log(owner) values (?1)", [&name])?;
                let number = "select id from log where owner = ?1";
                let id = db.query_row(number, [&name], |r| r.get(0))?;
                update::forget_if_changed(&mut db, id, &log)?;
                logs.push((id, owner, log));
            }
        }
        let mut known = Vec::new();
        for (id, owner, log) in logs {
            update::bring_up_to_date(&mut db, id, &owner, &log, &mut problems)?;
            let origin = "select origin from log where id = ?1";
            let origin = db.query_row(origin, [id], |r| r.get(0))?;
            let actor = owner
                .split_once('/')
                .map_or_else(String::new, |(host, user)| format!("{user}@{host}"));
            known.push(Known {
                id,
                origin,
                actor,
                log,
            });
        }
        let logs = known;
        Ok(Self {
            db,
            logs,
            problems,
            said: None,
        })
    }

    fn id_of(&self, kind: Kind, text: &str) -> Result<Option<i64>, IndexError> {
        let found = self
            .db
            .prepare_cached("select id from name where kind = ?1 and text = ?2")?
            .query_row((kind as i64, text), |r| r.get(0));
        Ok(found.optional()?)
    }

    /// All names of a kind, with their numbers.
    fn names(&self, kind: Kind) -> Result<Vec<(i64, String)>, IndexError> {
        let mut names = self
            .db
            .prepare_cached("select id, text from name where kind = ?1")?;
        let rows = names.query_map([kind as i64], |r| Ok((r.get(0)?, r.get(1)?)))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

fn file_of(dir: &Path, stores: &[PathBuf]) -> PathBuf {
    let full = |store: &PathBuf| store.canonicalize().unwrap_or_else(|_| store.clone());
    let all: Vec<String> = stores
        .iter()
        .map(|s| full(s).display().to_string())
        .collect();
    dir.join(format!(
        "log-{}.index",
        &sha256_hex(all.join("\n").as_bytes())[..16]
    ))
}

/// Makes the tables where there are none.
fn made(mut db: Connection) -> Result<Connection, IndexError> {
    // Whole after a power cut, or found damaged: no more is needed of what can be built again.
    db.execute_batch(
        "pragma journal_mode = truncate; pragma synchronous = normal; pragma secure_delete = on;
         pragma cache_size = -65536;",
    )?;
    let begun = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let version: i32 = begun.query_row("pragma user_version", [], |r| r.get(0))?;
    let tables: i64 = begun.query_row("select count(*) from sqlite_master", [], |r| r.get(0))?;
    match (version, tables) {
        (VERSION, _) => {}
        (0, 0) => {
            begun.execute_batch(TABLES)?;
            begun.pragma_update(None, "user_version", VERSION)?;
        }
        (other, _) => return Err(IndexError::Version(other)),
    }
    begun.commit()?;
    Ok(db)
}

fn is_busy(error: &rusqlite::Error) -> bool {
    use rusqlite::ErrorCode::{DatabaseBusy, DatabaseLocked};
    matches!(
        error.sqlite_error_code(),
        Some(DatabaseBusy | DatabaseLocked)
    )
}

/// Removes the file and what SQLite keeps beside it. What cannot be removed shows when it is opened again.
fn remove(path: &Path) {
    for more in ["", "-journal", "-wal", "-shm"] {
        let mut name = path.as_os_str().to_owned();
        name.push(more);
        let _ = std::fs::remove_file(PathBuf::from(name));
    }
}
