//! Databases that earlier programs wrote, and files that no program of ours wrote.

use rstest::rstest;

use super::*;

/// What version 1 began as: no lots, no places of contact, no deletions.
const FIRST: &str = "
CREATE TABLE alert (
    seq INTEGER PRIMARY KEY, id_hash INTEGER NOT NULL, id TEXT NOT NULL, count INTEGER NOT NULL,
    first_seen INTEGER NOT NULL, last_seen INTEGER NOT NULL, segment INTEGER NOT NULL, offset INTEGER NOT NULL,
    length INTEGER NOT NULL, alert TEXT NOT NULL
) STRICT;
CREATE INDEX alert_id ON alert (id_hash);
CREATE TABLE quarantine (
    seq INTEGER PRIMARY KEY, source TEXT NOT NULL, at INTEGER NOT NULL, reason TEXT NOT NULL,
    full_length INTEGER NOT NULL, sha256 TEXT NOT NULL, segment INTEGER NOT NULL, offset INTEGER NOT NULL,
    length INTEGER NOT NULL
) STRICT;
CREATE TABLE source (
    name TEXT PRIMARY KEY, cursor TEXT, quarantined INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;
PRAGMA user_version = 1;
";

/// What its last programs added.
const LAST: &str = "
CREATE TABLE health (
    name TEXT PRIMARY KEY, is_healthy INTEGER NOT NULL DEFAULT 1, state TEXT NOT NULL DEFAULT '', contact INTEGER,
    arrival INTEGER, lag INTEGER, error TEXT, error_at INTEGER
) STRICT, WITHOUT ROWID;
CREATE TABLE delivery (
    source TEXT NOT NULL, sha256 TEXT NOT NULL, at INTEGER NOT NULL, PRIMARY KEY (source, sha256)
) STRICT, WITHOUT ROWID;
CREATE INDEX delivery_at ON delivery (at);
CREATE TABLE again (n INTEGER PRIMARY KEY AUTOINCREMENT, seq INTEGER NOT NULL) STRICT;
CREATE INDEX alert_last_seen ON alert (last_seen);
CREATE INDEX alert_segment ON alert (segment);
CREATE INDEX quarantine_segment ON quarantine (segment);
";

fn raw(id: &str) -> Vec<u8> {
    accepted(id, 1_795_000_000, 1).raw.into()
}

/// An alert as version 1 wrote it: without what came later.
fn row(id: &str) -> String {
    let sha256 = decode::hex(&sha2::Sha256::digest(raw(id)));
    format!(
        r#"{{"id":"s/{id}","source":"s","format":"ocsf_detection_finding","time":"2026-11-18T11:06:40Z",
        "observed":"2026-11-18T11:06:41Z","exposed_at":null,"title":"Token reused","severity":"high","severity_raw":"4",
        "confidence":80,"pattern":"token_replay","subject":{{"provider":"aws","native_id":"AKIAEXAMPLE00000001",
        "kind":"access_key","name":null}},"resource":null,"action":null,"evidence_url":null,"techniques":["T1528"],
        "raw_sha256":"{sha256}"}}"#
    )
}

/// Writes a database of version 1 with alerts `a` and `b`, a quarantined piece, and a source that was read to byte 10.
fn write(dir: &Path, more: &str) {
    let spool = dir.join("spool");
    fs::create_dir(&spool).unwrap();
    let db = Connection::open(dir.join("alerts.db")).unwrap();
    db.execute_batch(FIRST).unwrap();
    db.execute_batch(more).unwrap();
    let (mut bytes, mut offset) = (Vec::new(), 0);
    for (seq, id) in [(1, "a"), (2, "b")] {
        let raw = raw(id);
        let sql = "INSERT INTO alert VALUES (?1, ?2, ?3, ?4, ?5, ?5, 1, ?6, ?7, ?8)";
        let key = AlertId::new(format!("s/{id}"));
        let seen = at(1).as_microsecond();
        let length = raw.len() as i64;
        let (hash, json) = (rows::id_hash(&key), row(id));
        let values = rusqlite::params![seq, hash, key.as_str(), seq, seen, offset, length, json];
        db.execute(sql, values).unwrap();
        bytes.extend_from_slice(&raw);
        bytes.push(b'\n');
        offset += length + 1;
    }
    let cursor = serde_json::to_string(&cursor(0, 10)).unwrap();
    let sql = "INSERT INTO quarantine VALUES (1, 's', ?1, 'not JSON', 3, '00', 1, ?2, 3)";
    db.execute(sql, rusqlite::params![at(1).as_microsecond(), offset])
        .unwrap();
    bytes.extend_from_slice(b"{a}\n");
    let sql = "INSERT INTO source VALUES ('s', ?1, 1)";
    db.execute(sql, [cursor]).unwrap();
    fs::write(spool.join("00000001.seg"), bytes).unwrap();
}

#[rstest]
#[case::its_first_form("")]
#[case::its_last_form(LAST)]
fn a_database_of_version_1_is_taken_over(#[case] more: &str) {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), more);
    let mut store = Store::open(dir.path()).unwrap();
    let counts = Counts {
        alerts: 2,
        arrivals: 3,
        quarantined: 1,
    };
    assert_eq!(store.counts().unwrap(), counts);
    assert_eq!(store.cursor("s").unwrap(), Some(cursor(0, 10)));
    let found = store.alerts(9).unwrap();
    let ids: Vec<&str> = found.iter().map(|row| row.alert.own_id()).collect();
    assert_eq!(ids, ["b", "a"]);
    let a = &found[1];
    assert_eq!((a.count, a.first_seen), (1, at(1)));
    assert_eq!(a.alert.resolved, None);
    assert!(a.alert.subject.is_some());
    assert_eq!(store.raw(&a.alert.id).unwrap(), Some(raw("a")));
    let held = store.quarantine(9).unwrap();
    assert_eq!(held[0].beginning.raw(), "{a}");

    // One that came again counts, new ones are stored in lots behind the old rows, and all of it stays.
    let new = ["a", "c", "d"].map(|id| accepted(id, 1_795_000_000, 2));
    let batch = batch(new.to_vec(), Some(cursor(0, 20)));
    let stored = store.put("s", &batch).unwrap();
    assert_eq!(stored.new, 2);
    drop(store);
    let mut store = Store::open(dir.path()).unwrap();
    let found = store.alerts(9).unwrap();
    let ids: Vec<(&str, u64)> = found.iter().map(|r| (r.alert.own_id(), r.count)).collect();
    assert_eq!(ids, [("d", 1), ("c", 1), ("b", 2), ("a", 2)]);
    assert!(store.put("s", &batch).unwrap().replayed);
    assert_eq!(store.named("AKIA", 9).unwrap().len(), 0);
    // Whoever reads along from the beginning sees each, and the one that came again twice.
    assert_eq!(store.changes(Mark::default(), 9).unwrap().rows.len(), 5);

    // A program of version 1 would not see the lots, so it must not open it any more.
    let version: i32 = store
        .db
        .pragma_query_value(None, "user_version", |row| row.get(0))
        .unwrap();
    assert_eq!(version, SCHEMA_VERSION);
}

#[rstest]
#[case::other_columns("CREATE TABLE alert (id TEXT, body TEXT); PRAGMA user_version = 1;")]
#[case::a_view("CREATE VIEW alert AS SELECT 1; PRAGMA user_version = 1;")]
fn what_no_program_of_ours_wrote_is_refused_with_the_way_out(#[case] sql: &str) {
    let dir = tempfile::tempdir().unwrap();
    let db = Connection::open(dir.path().join("alerts.db")).unwrap();
    db.execute_batch(sql).unwrap();
    drop(db);
    let error = Store::open(dir.path()).unwrap_err().to_string();
    assert!(error.contains("move alerts.db and spool aside"), "{error}");
}

#[test]
fn what_is_no_database_is_refused_with_the_way_out() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(
        dir.path().join("alerts.db"),
        "no database at all\n".repeat(99),
    )
    .unwrap();
    let error = Store::open(dir.path()).unwrap_err().to_string();
    assert!(error.contains("move alerts.db and spool aside"), "{error}");
}
