//! Logs that are checked in are verified in three ways: by the program, and by the two scripts that it prints. A byte
//! that is flipped in any of their lines is refused by all three.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use rstest::rstest;

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(name)
}

fn stanch(home: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_stanch"))
        .args(args)
        .current_dir(home)
        .env("HOME", home)
        .output()
        .unwrap()
}

/// The scripts as they are printed.
struct Scripts(tempfile::TempDir);

impl Scripts {
    fn printed() -> Self {
        let dir = tempfile::tempdir().unwrap();
        for (how, file) in [("--explain", "verify.py"), ("--explain=shell", "verify.sh")] {
            let printed = stanch(dir.path(), &["log", "verify", how]);
            assert!(printed.status.success(), "{printed:?}");
            std::fs::write(dir.path().join(file), printed.stdout).unwrap();
        }
        Self(dir)
    }

    /// Exit codes of the program for the store, and of both scripts for one log of it.
    fn judge(&self, store: &Path, log: &Path) -> [i32; 3] {
        let home = self.0.path();
        let ours = stanch(home, &["log", "verify", "--store", store.to_str().unwrap()]);
        let script = |with: &str, file: &str| {
            let done = Command::new(with)
                .arg(home.join(file))
                .arg(log)
                .output()
                .unwrap();
            assert!(
                !String::from_utf8_lossy(&done.stderr).contains("Traceback"),
                "{done:?}"
            );
            done.status.code().unwrap()
        };
        [
            ours.status.code().unwrap(),
            script("python3", "verify.py"),
            script("bash", "verify.sh"),
        ]
    }
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().flatten() {
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &to);
        } else {
            std::fs::copy(entry.path(), to).unwrap();
        }
    }
}

/// Segments of one log, whole or pruned.
fn segments(log: &Path) -> Vec<PathBuf> {
    let mut all: Vec<PathBuf> = std::fs::read_dir(log)
        .unwrap()
        .map(|e| e.unwrap().path())
        .filter(|p| p.extension().is_some_and(|e| e == "jsonl" || e == "pruned"))
        .collect();
    all.sort();
    all
}

/// What happened to a copy of a golden log.
type Change = fn(&Path);

fn intact(_: &Path) {}

/// Says something else than was signed.
fn tampered(store: &Path) {
    let segment = store.join("logs/jump1/alice/00000000000000000000.jsonl");
    let text = std::fs::read_to_string(&segment).unwrap();
    std::fs::write(segment, text.replacen("\"one\"", "\"ONE\"", 1)).unwrap();
}

/// Ends after an earlier checkpoint, with everything gone that the log itself would tell it by.
fn truncated(store: &Path) {
    let log = store.join("logs/jump1/bob");
    let segment = log.join("00000000000000000000.jsonl");
    let text = std::fs::read_to_string(&segment).unwrap();
    let kept: Vec<&str> = text.lines().take(2).collect();
    std::fs::write(segment, kept.join("\n") + "\n").unwrap();
    std::fs::remove_file(log.join("checkpoint")).unwrap();
}

/// Ends in the middle of a line; the head that was published still names what is gone.
fn torn(store: &Path) {
    let segment = store.join("logs/jump1/alice/00000000000000000000.jsonl");
    let bytes = std::fs::read(&segment).unwrap();
    std::fs::write(segment, &bytes[..bytes.len() - 100]).unwrap();
}

/// What people read who have to decide whether a log can be believed.
#[rstest]
#[case::intact("peer-heads", intact)]
#[case::tampered("peer-heads", tampered)]
#[case::truncated("peer-heads", truncated)]
#[case::torn("peer-heads", torn)]
#[case::damaged("damaged", intact)]
#[case::unknown_act("unknown-act", intact)]
#[case::every_record("every-record", intact)]
fn transcripts(#[case] name: &str, #[case] change: Change) {
    let dir = tempfile::tempdir().unwrap();
    let store = dir.path().join("store");
    copy(&golden(name), &store);
    change(&store);
    let told = stanch(
        dir.path(),
        &["log", "verify", "--store", store.to_str().unwrap()],
    );
    let text = String::from_utf8(told.stdout).unwrap();
    let text = text.replace(store.to_str().unwrap(), "STORE");
    let code = told.status.code().unwrap();
    let title = std::thread::current().name().unwrap().to_owned();
    let title = title.rsplit("case_").next().unwrap();
    let title = title.split_once('_').unwrap().1;
    insta::assert_snapshot!(
        format!("transcript_{title}"),
        format!("$ stanch log verify --store STORE\n{text}exit code {code}\n")
    );
}

/// An act of unknown effect is somebody's work in hand until it is old.
#[rstest]
#[case(&[], 0)]
#[case(&["--strict"], 3)]
#[case(&["--strict", "--unknown-age", "2026-11-21T08:14:59Z"], 0)]
#[case(&["--strict", "--unknown-age", "2026-11-21T08:15:01Z"], 3)]
#[case(&["--strict", "--unknown-age", "30000d"], 0)]
#[case(&["--unknown-age", "2d"], 2)]
fn unknown_acts_have_an_age(#[case] args: &[&str], #[case] code: i32) {
    let dir = tempfile::tempdir().unwrap();
    let store = golden("unknown-act");
    let store = ["log", "verify", "--store", store.to_str().unwrap()];
    let told = stanch(dir.path(), &[&store, args].concat());
    assert_eq!(told.status.code(), Some(code), "{told:?}");
}

#[rstest]
#[case::plain("plain", "alice", 0)]
#[case::rotated_key("rotated-key", "alice", 0)]
#[case::recovered("recovered", "alice", 0)]
#[case::damaged("damaged", "alice", 1)]
#[case::pruned("pruned", "alice", 0)]
#[case::peer_heads("peer-heads", "alice", 0)]
#[case::seen_by_a_peer("peer-heads", "bob", 0)]
#[case::countersigned("countersigned", "alice", 0)]
#[case::countersigner("countersigned", "bob", 0)]
#[case::unknown_act("unknown-act", "alice", 0)]
#[case::every_record("every-record", "alice", 0)]
fn golden_logs_verify_in_three_ways_and_no_flipped_byte_does(
    #[case] name: &str,
    #[case] user: &str,
    #[case] code: i32,
) {
    let scripts = Scripts::printed();
    let store = scripts.0.path().join("store");
    copy(&golden(name), &store);
    let log = store.join("logs/jump1").join(user);
    assert_eq!(scripts.judge(&store, &log), [code; 3], "{name}");
    for segment in segments(&log) {
        let whole = std::fs::read(&segment).unwrap();
        // In the first line, somewhere in the middle, and in the signature at the end.
        let places = [30, whole.len() * 3 / 7, whole.len() - 40];
        for at in places {
            let mut flipped = whole.clone();
            flipped[at] ^= 1;
            std::fs::write(&segment, flipped).unwrap();
            let file = segment.file_name().unwrap();
            let what = format!("{name}/{user}: byte {at} of {}", file.display());
            assert_eq!(scripts.judge(&store, &log), [1; 3], "{what}");
        }
        std::fs::write(&segment, whole).unwrap();
    }
}
