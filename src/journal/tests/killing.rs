//! Processes that are killed, or whose disk is full, in the middle of writing. The test binary is its own child.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use super::*;

const ROLE: &str = "STANCH_TEST_CHILD_STORE";

/// Where and as whom the child writes, when this process is one.
fn role() -> Option<(PathBuf, String)> {
    let role = std::env::var(ROLE).ok()?;
    let (dir, user) = role.rsplit_once('|')?;
    Some((dir.into(), user.to_owned()))
}

fn child_config(dir: &Path, user: &str) -> JournalConfig {
    JournalConfig {
        store: dir.join("store"),
        site: "soc.example".into(),
        keys: dir.join(format!("keys-{user}")),
        drill: false,
        allow_network_fs: true,
        person: None,
        policy: None,
        fallback: None,
    }
}

fn child_open(dir: &Path, user: &str) -> Result<(Writer, Opened), JournalError> {
    Writer::open_as(child_config(dir, user), actor(user), Arc::new(Real), now())
}

/// Not a test by itself: writes until somebody ends it, and says what is acknowledged.
#[test]
#[ignore = "runs as the child of the tests below"]
fn child() {
    let Some((dir, user)) = role() else { return };
    let mut writer = loop {
        match child_open(&dir, &user) {
            Ok((writer, _)) => break writer,
            Err(JournalError::Locked { .. }) => {}
            Err(e) => panic!("{e}"),
        }
    };
    for n in 0.. {
        let text = format!("{}-{n}", std::process::id());
        match writer.append(now(), &[note(&text), note("second of the batch")]) {
            Ok(_) => println!("\nACK {text}"),
            Err(JournalError::Locked { .. }) => {}
            Err(e) => {
                println!("\nFULL {e}");
                return;
            }
        }
    }
}

fn command(place: &Place, user: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    child_args(&mut command, place, user);
    command
}

fn child_args(command: &mut Command, place: &Place, user: &str) {
    command
        .args([
            "--exact",
            "journal::tests::killing::child",
            "--ignored",
            "--nocapture",
        ])
        .env(ROLE, format!("{}|{user}", place.dir.path().display()))
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
}

/// Reads acknowledgements until there are `most`, then kills; returns all that were ever printed.
fn kill_after(mut child: Child, most: usize) -> Vec<String> {
    let out = child.stdout.take().unwrap();
    let mut acks = Vec::new();
    for line in BufReader::new(out).lines() {
        let Ok(line) = line else { break };
        if let Some(text) = line.strip_prefix("ACK ") {
            acks.push(text.to_owned());
            if acks.len() == most {
                // What it printed before it died is read on: acknowledged is acknowledged.
                child.kill().unwrap();
            }
        }
    }
    child.wait().unwrap();
    acks
}

/// T5: four processes on one log and four on logs of their own, all killed in the middle, again and again.
#[test]
fn no_acknowledged_record_is_lost_to_kill_9() {
    let rounds: usize = std::env::var("STANCH_KILL_ROUNDS")
        .ok()
        .and_then(|n| n.parse().ok())
        .unwrap_or(8);
    let place = Place::new();
    let users = [
        "shared", "shared", "shared", "shared", "own1", "own2", "own3", "own4",
    ];
    let mut acked = Vec::new();
    let mut kills = 0;
    for round in 0..rounds {
        let children = users.map(|user| command(&place, user).spawn().unwrap());
        let lots: Vec<Vec<String>> = std::thread::scope(|scope| {
            let all: Vec<_> = children
                .into_iter()
                .enumerate()
                .map(|(i, child)| {
                    scope.spawn(move || kill_after(child, 1 + (round * 7 + i * 3) % 5))
                })
                .collect();
            all.into_iter().map(|t| t.join().unwrap()).collect()
        });
        kills += lots.len();
        acked.extend(lots.into_iter().flatten());
    }
    for user in ["shared", "own1", "own2", "own3", "own4"] {
        let (_, opened) = child_open(place.dir.path(), user).unwrap();
        assert_eq!(opened.damaged, None, "{user}");
    }
    let report = place.verify();
    assert!(report.intact(), "{report:?}");
    let notes: std::collections::BTreeSet<String> = place.notes().into_iter().collect();
    let lost: Vec<&String> = acked.iter().filter(|t| !notes.contains(*t)).collect();
    assert!(lost.is_empty(), "lost {lost:?}");
    println!(
        "{kills} kills, {} acknowledged batches, 0 lost",
        acked.len()
    );
    assert!(
        kills >= 8 * rounds && acked.len() >= kills,
        "{kills} {}",
        acked.len()
    );
}

/// T7: the file may not grow beyond a limit, with the signal for it ignored and not.
#[test]
fn a_file_size_limit_loses_nothing_and_goes_on_later() {
    for trap in ["trap '' XFSZ; ", ""] {
        let place = Place::new();
        let mut shell = Command::new("sh");
        shell
            .arg("-c")
            .arg(format!("{trap}ulimit -f 64; exec \"$0\" \"$@\""));
        shell.arg(std::env::current_exe().unwrap());
        child_args(&mut shell, &place, "alice");
        let child = match shell.spawn() {
            Ok(child) => child,
            Err(e) => {
                println!("SKIPPED a_file_size_limit: no shell ({e})");
                return;
            }
        };
        // It ends by itself, at the limit.
        let acks = kill_after(child, usize::MAX);
        assert!(acks.len() > 5, "{}", acks.len());
        let (mut writer, opened) = child_open(place.dir.path(), "alice").unwrap();
        assert_eq!(opened.damaged, None);
        write(&mut writer, &["there is room again"]);
        let notes = place.notes();
        assert!(acks.iter().all(|a| notes.contains(a)), "trap {trap:?}");
        assert_eq!(notes.last().unwrap(), "there is room again");
        assert!(place.verify().intact());
    }
}

/// A small memory disk, taken away when dropped.
struct Disk(PathBuf);

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}

/// T7: a full disk refuses new records, takes the reserved outcome, and goes on when there is room.
#[test]
fn a_full_disk_refuses_acts_and_keeps_room_for_their_outcome() {
    let dir = tempfile::tempdir().unwrap();
    let mount = Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=1m", "tmpfs"])
        .arg(dir.path())
        .output();
    if !mount.as_ref().is_ok_and(|o| o.status.success()) {
        println!("SKIPPED a_full_disk: mounting a tmpfs takes root");
        return;
    }
    let _disk = Disk(dir.path().to_owned());
    let keys = tempfile::tempdir().unwrap();
    let config = JournalConfig {
        store: dir.path().join("store"),
        site: "soc.example".into(),
        keys: keys.path().join("keys"),
        drill: false,
        allow_network_fs: true,
        person: None,
        policy: None,
        fallback: None,
    };
    let (mut writer, _) =
        Writer::open_as(config.clone(), actor("alice"), Arc::new(Real), now()).unwrap();
    writer.reserve(1).unwrap();
    let filler = dir.path().join("filler");
    let mut file = std::fs::File::create(&filler).unwrap();
    while std::io::Write::write(&mut file, &[0; 4096]).is_ok_and(|n| n > 0) {}
    // No room for another act, but for the outcome of the one that runs.
    assert!(writer.reserve(1000).is_err());
    let outcome = || (RecordType::Outcome, json!({"text": "outcome"}));
    writer.append(now(), &[outcome()]).unwrap();
    let mut written = 1;
    let refused = loop {
        match writer.append(now(), &[outcome()]) {
            Ok(_) => written += 1,
            Err(e) => break e,
        }
    };
    assert!(written >= 64, "{written}: {refused}");
    // Not only removed: a process that another test begins may hold it open for a moment.
    file.set_len(0).unwrap();
    drop(file);
    std::fs::remove_file(&filler).unwrap();
    writer.append(now(), &[outcome()]).unwrap();
    drop(writer);
    let (_, opened) = Writer::open_as(config, actor("alice"), Arc::new(Real), now()).unwrap();
    assert_eq!((opened.damaged, opened.recovered), (None, None));
    let report = verify(&[dir.path().join("store")], &Options::default());
    assert!(report.intact());
    assert_eq!(report.logs[0].records, 2 + 2 * (written + 1));
}
