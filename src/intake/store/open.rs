//! How the store is opened, and made where there is none.

use std::fs::{self, DirBuilder, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use rusqlite::{Connection, OpenFlags};
use rustix::fs::StatVfsMountFlags;

use super::spool::Spool;
use super::{SCHEMA_VERSION, StoreError, changes, health, listed, lot, retain, rows};

/// Bytes of a page of a new database: lots are long, and each page costs the system two calls.
const PAGE_BYTES: i32 = 16 << 10;

/// Pages the WAL may grow before a checkpoint: 32 MiB, so that bursts are not interrupted by one every 1,000 pages.
const CHECKPOINT_PAGES: i32 = 2_048;

/// Bytes to which the WAL is cut when it was longer.
const WAL_BYTES: i64 = 64 << 20;

/// Prepared statements kept: more than there are.
const STATEMENTS: usize = 128;

/// Milliseconds to wait for another process that is writing.
const BUSY_MS: u64 = 5_000;

/// Opens database and spool in `dir`, or makes them.
pub(super) fn open(dir: &Path) -> Result<(Connection, Spool), StoreError> {
    let path = dir.join("alerts.db");
    if path.exists() && is_mounted_read_only(dir) {
        return Ok((fixed(&path)?, Spool::open_fixed(&dir.join("spool"))?));
    }
    let shared = prepare(dir)?;
    if !path.exists()
        && let Err(error) = make(&path, shared)
    {
        // What stands in its way does so below too, and is told there with the database's own name.
        tracing::debug!("no database is made ahead: {error}");
    }
    touch(&path, shared)?;
    Ok((connect(&path)?, Spool::open(&dir.join("spool"), shared)?))
}

/// Prepares a connection, and makes the tables that are missing.
fn set_up(db: &Connection, path: &Path) -> Result<(), StoreError> {
    make_tables(db, path)?;
    db.pragma_update(None, "synchronous", "FULL")?;
    db.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
    db.pragma_update(None, "journal_size_limit", WAL_BYTES)?;
    db.set_prepared_statement_cache_capacity(STATEMENTS);
    Ok(())
}

/// The version that wrote the tables; 0 where there are none.
///
/// # Errors
///
/// When the file is no database, and when a newer program wrote it: its tables are not read.
fn version(db: &Connection, path: &Path) -> Result<i32, StoreError> {
    let found = db
        .pragma_query_value(None, "user_version", |row| row.get(0))
        .map_err(|error| StoreError::unlike(path, error))?;
    if found > SCHEMA_VERSION {
        let path = path.to_owned();
        return Err(StoreError::Newer { path, found });
    }
    Ok(found)
}

fn make_tables(db: &Connection, path: &Path) -> Result<(), StoreError> {
    let unlike = |error| StoreError::unlike(path, error);
    let found = version(db, path)?;
    if found == 0 {
        // These two count only while the file is still empty; the second, so that deleting can give pages back. It is written
        // whenever it is said, and then the disk is waited for three times.
        db.pragma_update(None, "page_size", PAGE_BYTES)
            .map_err(unlike)?;
        db.pragma_update(None, "auto_vacuum", "INCREMENTAL")
            .map_err(unlike)?;
    }
    db.pragma_update(None, "journal_mode", "WAL")
        .map_err(unlike)?;
    let tables = [
        rows::SCHEMA,
        lot::SCHEMA,
        health::SCHEMA,
        changes::SCHEMA,
        retain::SCHEMA,
        retain::GONE_SCHEMA,
        retain::DELETION_SCHEMA,
        retain::removed::SCHEMA,
        listed::SCHEMA,
    ];
    let make = |db: &Connection| {
        let mut all = tables.iter();
        all.try_for_each(|sql| db.execute_batch(sql).map_err(unlike))
    };
    if found == SCHEMA_VERSION {
        // Nothing is written unless a later program of the same version added a table. They are looked at in one go: by
        // itself each statement would take and give back the database's locks.
        let as_it_comes = rusqlite::TransactionBehavior::Deferred;
        let tx = rusqlite::Transaction::new_unchecked(db, as_it_comes)?;
        if make(&tx).is_ok() && tx.commit().is_ok() {
            return Ok(());
        }
        // Where two add it at the same moment one of them has to come again, and waits for its turn below.
    }
    // One wait for the disk instead of one for each table: a console shows nothing before.
    let all_or_none = rusqlite::TransactionBehavior::Immediate;
    let tx = rusqlite::Transaction::new_unchecked(db, all_or_none)?;
    make(&tx)?;
    tx.pragma_update(None, "user_version", SCHEMA_VERSION)?;
    tx.commit()?;
    Ok(())
}

/// Makes `dir` private, or leaves it shared. Tells whether it is shared.
fn prepare(dir: &Path) -> Result<bool, StoreError> {
    match fs::metadata(dir) {
        Ok(found) if found.mode() & 0o2070 == 0o2070 => Ok(true),
        Ok(found) => {
            if found.mode() & 0o077 != 0 {
                fs::set_permissions(dir, Permissions::from_mode(0o700))
                    .map_err(StoreError::io(dir))?;
            }
            Ok(false)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let made = DirBuilder::new().recursive(true).mode(0o700).create(dir);
            made.map_err(StoreError::io(dir))?;
            Ok(false)
        }
        Err(error) => Err(StoreError::io(dir)(error)),
    }
}

/// Opens the database. The files that SQLite puts beside it are made with the process's own mask and get the database's
/// bits only a moment later; another account that opens them in between may not write them, and has only to come again.
fn connect(path: &Path) -> Result<Connection, StoreError> {
    let end = std::time::Instant::now() + std::time::Duration::from_secs(1);
    loop {
        let db = Connection::open(path)?;
        db.busy_timeout(std::time::Duration::from_millis(BUSY_MS))?;
        let error = match set_up(&db, path) {
            Ok(()) => return Ok(db),
            Err(error) => error,
        };
        let StoreError::Sqlite(rusqlite::Error::SqliteFailure(failure, _)) = &error else {
            return Err(error);
        };
        if failure.code != rusqlite::ErrorCode::ReadOnly || std::time::Instant::now() > end {
            return Err(error);
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
}

/// Tells whether nothing can be written in `dir`, whoever asks.
fn is_mounted_read_only(dir: &Path) -> bool {
    rustix::fs::statvfs(dir).is_ok_and(|found| found.f_flag.contains(StatVfsMountFlags::RDONLY))
}

/// Opens a database that nobody can write to: SQLite is told so, for it would put files beside it otherwise (SQLite,
/// *Write-Ahead Logging*, section "Read-Only Databases").
fn fixed(path: &Path) -> Result<Connection, StoreError> {
    let only = |what| StoreError::Fixed {
        path: path.to_owned(),
        what,
    };
    let unwritten = fs::metadata(path.with_extension("db-wal")).map_or(0, |wal| wal.len());
    if unwritten > 0 {
        return Err(only("alerts.db-wal beside it holds what is not in it yet"));
    }
    let from_root = std::path::absolute(path).map_err(StoreError::io(path))?;
    let uri = url::Url::from_file_path(from_root);
    let mut uri = uri.map_err(|()| only("its path cannot be written as a URL"))?;
    uri.set_query(Some("immutable=1"));
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI;
    let db = Connection::open_with_flags(uri.as_str(), flags)?;
    db.set_prepared_statement_cache_capacity(STATEMENTS);
    let found = version(&db, path)?;
    if found < SCHEMA_VERSION {
        return Err(only("an older program wrote it"));
    }
    Ok(db)
}

/// Makes a database with its tables beside `path` and gives it its name when it is whole: the disk is waited for twice,
/// where a database that grows under its name waits eleven times before a console shows anything. Where another process
/// was sooner, or the file system has no links, the name is left to whoever opens it.
fn make(path: &Path, shared: bool) -> Result<(), StoreError> {
    // Nobody else's: what is written by two becomes the database of both. In containers that share a folder, processes have
    // the same number.
    let beside = path.with_extension(format!("new-{}", uuid::Uuid::now_v7()));
    let _half = Half(&beside);
    touch(&beside, shared)?;
    let db = Connection::open(&beside)?;
    db.pragma_update(None, "synchronous", "OFF")?;
    make_tables(&db, &beside)?;
    // Closing brings what SQLite wrote into the one file.
    db.close().map_err(|(_, error)| error)?;
    let synced = fs::File::open(&beside).and_then(|file| file.sync_all());
    synced.map_err(StoreError::io(&beside))?;
    if fs::hard_link(&beside, path).is_ok()
        && let Some(folder) = path.parent()
    {
        let synced = fs::File::open(folder).and_then(|folder| folder.sync_all());
        synced.map_err(StoreError::io(folder))?;
    }
    Ok(())
}

/// A file on its way, which goes with what SQLite put beside it.
struct Half<'p>(&'p Path);

impl Drop for Half<'_> {
    fn drop(&mut self) {
        for more in ["", "-wal", "-shm", "-journal"] {
            let mut name = self.0.as_os_str().to_owned();
            name.push(more);
            // Most of them are not there; what stays is in nobody's way.
            let _ = fs::remove_file(name);
        }
    }
}

/// Makes sure that `path` exists with the right mode before SQLite, which copies it to its WAL, opens it. A file that is
/// there is not opened: closing it would give up the locks that this process has on it (`fcntl(2)`), by which SQLite tells
/// that the database is in use.
pub(super) fn touch(path: &Path, shared: bool) -> Result<(), StoreError> {
    let mode = if shared { 0o660 } else { 0o600 };
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(mode);
    match options.open(path) {
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(StoreError::io(path)(error)),
    }
    let found = fs::metadata(path).map_err(StoreError::io(path))?;
    // The umask may have taken bits away, or an older copy may have too many. Another owner's file is left alone.
    if found.mode() & 0o777 != mode && found.uid() == rustix::process::geteuid().as_raw() {
        fs::set_permissions(path, Permissions::from_mode(mode)).map_err(StoreError::io(path))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use rstest::rstest;

    use super::super::Store;
    use super::super::tests::{accepted, batch};
    use super::*;

    fn files(dir: &Path) -> Vec<std::ffi::OsString> {
        let all = fs::read_dir(dir).unwrap();
        let mut names: Vec<_> = all.map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    }

    #[test]
    fn what_cannot_be_written_is_read_and_left_alone() {
        let state = tempfile::tempdir().unwrap();
        // SQLite takes these for a part of its own.
        let dir = state.path().join("100% of it? #1");
        let mut store = Store::open(&dir).unwrap();
        store
            .put("s", &batch(vec![accepted("a", 1, 1)], None))
            .unwrap();
        drop(store);
        let before = files(&dir);
        let db = fixed(&dir.join("alerts.db")).unwrap();
        assert_eq!(rows::alerts(&db, 9).unwrap().len(), 1);
        assert!(health::put_state(&db, "s", true, "reads").is_err());
        assert_eq!(files(&dir), before);
        let spool = Spool::open_fixed(&dir.join("spool")).unwrap();
        drop(spool.lock().unwrap());
    }

    #[rstest]
    #[case::not_all_in_it(|store: &Store| { store.db.execute_batch("PRAGMA wal_autocheckpoint = 0").unwrap(); }, "alerts.db-wal beside it")]
    #[case::older(|store: &Store| { store.db.pragma_update(None, "user_version", 1).unwrap(); }, "an older program wrote it")]
    #[case::newer(|store: &Store| { store.db.pragma_update(None, "user_version", 9).unwrap(); }, "use the newer program")]
    fn what_would_have_to_be_written_is_said(#[case] spoil: fn(&Store), #[case] why: &str) {
        let dir = tempfile::tempdir().unwrap();
        let mut store = Store::open(dir.path()).unwrap();
        spoil(&store);
        store
            .put("s", &batch(vec![accepted("a", 1, 1)], None))
            .unwrap();
        // As the disk holds it while somebody has it open.
        let (path, copy) = (dir.path().join("alerts.db"), dir.path().join("copy.db"));
        fs::copy(&path, &copy).unwrap();
        if why.contains("wal") {
            fs::copy(path.with_extension("db-wal"), copy.with_extension("db-wal")).unwrap();
        } else {
            store
                .db
                .execute_batch("PRAGMA wal_checkpoint(TRUNCATE)")
                .unwrap();
            fs::copy(&path, &copy).unwrap();
        }
        let error = fixed(&copy).unwrap_err().to_string();
        assert!(error.contains(why), "{error}");
    }

    #[rstest]
    #[case(0o755, 0o700, 0o600)]
    #[case(0o2770, 0o2770, 0o660)]
    fn modes_are_narrow(#[case] before: u32, #[case] dir_mode: u32, #[case] file_mode: u32) {
        let parent = tempfile::tempdir().unwrap();
        let dir = parent.path().join("state");
        fs::create_dir(&dir).unwrap();
        fs::set_permissions(&dir, Permissions::from_mode(before)).unwrap();
        let mut store = Store::open(&dir).unwrap();
        store
            .put("s", &batch(vec![accepted("a", 1, 1)], None))
            .unwrap();
        let mode = |name: &str| fs::metadata(dir.join(name)).unwrap().permissions().mode() & 0o7777;
        for file in [
            "alerts.db",
            "alerts.db-wal",
            "alerts.db-shm",
            "spool/lock",
            "spool/00000001.seg",
        ] {
            assert_eq!(mode(file), file_mode, "{file}");
        }
        assert_eq!((mode(""), mode("spool")), (dir_mode, dir_mode));
    }

    #[test]
    fn who_opens_a_new_store_at_the_same_moment_shares_it() {
        for _ in 0..20 {
            let dir = tempfile::tempdir().unwrap();
            let together = std::sync::Barrier::new(6);
            std::thread::scope(|scope| {
                for n in 0..6 {
                    let (dir, together) = (dir.path(), &together);
                    scope.spawn(move || {
                        together.wait();
                        let mut store = Store::open(dir).unwrap();
                        let one = batch(vec![accepted(&format!("a{n}"), 1, 1)], None);
                        store.put("s", &one).unwrap();
                    });
                }
            });
            let store = Store::open(dir.path()).unwrap();
            assert_eq!(store.counts().unwrap().alerts, 6);
            let left = fs::read_dir(dir.path()).unwrap();
            let names = left.map(|entry| entry.unwrap().file_name().into_string().unwrap());
            assert_eq!(names.filter(|name| name.contains("new-")).count(), 0);
        }
    }

    #[test]
    fn a_newer_schema_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        store.db.pragma_update(None, "user_version", 99).unwrap();
        drop(store);
        assert!(matches!(
            Store::open(dir.path()),
            Err(StoreError::Newer { found: 99, .. })
        ));
    }

    #[test]
    fn a_second_store_of_the_process_leaves_the_first_one_its_locks() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("alerts.db");
        let held = || {
            let inode = format!(":{} ", std::fs::metadata(&path).unwrap().ino());
            let locks = std::fs::read_to_string("/proc/locks").unwrap();
            let locks = locks.lines().filter(|line| line.contains(&inode));
            // The kernel shows a lock again, under its next number, when others went before the list was read to its end.
            let unnumbered = locks.filter_map(|line| Some(line.split_once(": ")?.1));
            unnumbered.collect::<BTreeSet<_>>().len()
        };
        let first = Store::open(dir.path()).unwrap();
        first.counts().unwrap();
        assert_eq!(held(), 1, "SQLite says that the database is in use");
        let second = Store::open(dir.path()).unwrap();
        assert_eq!(held(), 1);
        drop(second);
        assert_eq!(held(), 1);
        drop(first);
        assert_eq!(held(), 0);
    }

    #[test]
    fn a_new_database_appears_whole_and_leaves_nothing_beside_it() {
        let dir = tempfile::tempdir().unwrap();
        make(&dir.path().join("alerts.db"), false).unwrap();
        let names = || {
            let files = std::fs::read_dir(dir.path()).unwrap();
            files
                .map(|f| f.unwrap().file_name().into_string().unwrap())
                .collect::<Vec<_>>()
        };
        assert_eq!(names(), ["alerts.db"]);
        // Whoever comes second makes no other one of it.
        let inode = std::fs::metadata(dir.path().join("alerts.db"))
            .unwrap()
            .ino();
        make(&dir.path().join("alerts.db"), false).unwrap();
        let after = std::fs::metadata(dir.path().join("alerts.db"))
            .unwrap()
            .ino();
        assert_eq!((names().len(), after), (1, inode));
        let store = Store::open(dir.path()).unwrap();
        assert_eq!(store.counts().unwrap().alerts, 0);
        let mode: String = store
            .db
            .pragma_query_value(None, "journal_mode", |row| row.get(0))
            .unwrap();
        assert_eq!(mode, "wal");
    }

    #[test]
    fn opening_what_is_there_writes_nothing() {
        let dir = tempfile::tempdir().unwrap();
        drop(Store::open(dir.path()).unwrap());
        let store = Store::open(dir.path()).unwrap();
        let written = fs::metadata(dir.path().join("alerts.db-wal"))
            .unwrap()
            .len();
        assert_eq!(written, 0, "each write waits for the disk");
        let vacuum: i32 = store
            .db
            .pragma_query_value(None, "auto_vacuum", |row| row.get(0))
            .unwrap();
        assert_eq!(vacuum, 2, "incremental, as it was made");
    }
}
