use std::time::Duration;

use super::super::follow::Follower;
use super::super::{Problem, read_store};
use super::*;

fn texts(entries: &[crate::domain::decision::Entry]) -> Vec<&str> {
    entries
        .iter()
        .filter_map(|e| e.body.get("text")?.as_str())
        .collect()
}

fn at(second: i8) -> Timestamp {
    now() + jiff::SignedDuration::from_secs(second.into())
}

#[test]
fn logs_are_merged_by_time_and_each_keeps_its_order() {
    let place = Place::new();
    let (mut alice, _) = place.open();
    let mut bob = place.open_user("bob");
    alice.append(at(5), &[note("a5")]).unwrap();
    bob.append(at(6), &[note("b6")]).unwrap();
    // Alice's clock steps back: her record stays behind her earlier one.
    alice.append(at(1), &[note("a1")]).unwrap();
    bob.append(at(7), &[note("b7")]).unwrap();
    assert_eq!(place.notes(), ["a5", "a1", "b6", "b7"]);
    let report = place.verify();
    assert!(report.intact());
    assert_eq!(
        (
            report.warnings(),
            report.exit_code(None),
            report.exit_code(Some(Timestamp::MAX))
        ),
        (3, 0, 3),
        "two steps forward, one back"
    );
    assert!(report.logs[0].findings[1].text.contains("stepped back 400"));
}

#[test]
fn hostile_logs_are_told_and_hurt_nobody() {
    let place = Place::new();
    write(&mut place.open().0, &["one"]);
    let logs = place.store().join("logs/jump1");
    let make = |user: &str, bytes: &[u8]| {
        std::fs::create_dir(logs.join(user)).unwrap();
        put(&logs.join(user).join("00000000000000000000.jsonl"), bytes);
    };
    make("endless", &vec![b'x'; 4 * 1024 * 1024]);
    make("binary", &[0, 159, 146, 150, b'\n']);
    make("empty", b"");
    make("nested", "[".repeat(50_000).as_bytes());
    std::fs::create_dir(logs.join("fifo")).unwrap();
    let fifo = logs.join("fifo/00000000000000000000.jsonl");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        &fifo,
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RWXU,
        0,
    )
    .unwrap();
    make("sparse", b"");
    let sparse = std::fs::File::options()
        .write(true)
        .open(logs.join("sparse/00000000000000000000.jsonl"))
        .unwrap();
    sparse.set_len(1 << 40).unwrap();
    std::os::unix::fs::symlink(place.log(), logs.join("link")).unwrap();
    std::fs::create_dir(logs.join("white space")).unwrap();
    put(&logs.join("file"), b"");
    let (entries, problems) = read_store(&place.store());
    assert_eq!(texts(&entries), ["one"]);
    for name in [
        "endless",
        "binary",
        "fifo",
        "sparse",
        "link",
        "white space",
        "file",
    ] {
        assert!(
            problems.iter().any(|p| p.log.ends_with(name)),
            "{name}: {problems:?}"
        );
    }
    assert_eq!(place.verify().exit_code(None), 1);
}

#[test]
fn nothing_behind_the_last_checkpoint_is_shown() {
    use std::io::Write as _;
    let place = Place::new();
    write(&mut place.open().0, &["one"]);
    let bytes = std::fs::read(place.segment()).unwrap();
    write(&mut place.open().0, &["two"]);
    let longer = std::fs::read(place.segment()).unwrap();
    let line = longer[bytes.len()..]
        .split_inclusive(|b| *b == b'\n')
        .next()
        .unwrap();
    put(&place.segment(), &bytes);
    std::fs::File::options()
        .append(true)
        .open(place.segment())
        .unwrap()
        .write_all(line)
        .unwrap();
    assert_eq!(place.notes(), ["one"]);
}

#[test]
fn the_writer_is_told_by_the_directory_not_by_the_line() {
    let place = Place::new();
    let mut config = place.config();
    config.keys = place.dir.path().join("mallory-keys");
    let liar = Actor {
        value: json!({"user": "alice"}),
        ..actor("mallory")
    };
    let (mut writer, _) = Writer::open_as(config, liar, Arc::new(Real), now()).unwrap();
    write(&mut writer, &["one"]);
    let (entries, _) = read_store(&place.store());
    assert!(entries.iter().all(|e| e.actor == "mallory@jump1"));
}

#[test]
fn a_follower_gives_each_record_once() {
    let place = Place::new();
    let mut follower = Follower::new(&place.store());
    assert_eq!(follower.poll(), (Vec::new(), Vec::new()));
    let (mut alice, _) = place.open();
    assert_eq!(follower.poll().0.len(), 1);
    write(&mut alice, &["one"]);
    let mut bob = place.open_user("bob");
    write(&mut bob, &["uno"]);
    let (entries, problems) = follower.poll();
    assert_eq!(
        (texts(&entries), problems),
        (vec!["one", "uno"], Vec::new())
    );
    assert_eq!(follower.poll(), (Vec::new(), Vec::new()));
    alice
        .begin_segment(now(), &json!({"reason": "size"}))
        .unwrap();
    write(&mut alice, &["two"]);
    assert_eq!(texts(&follower.poll().0), ["two"]);
}

#[test]
fn a_follower_tells_damage_once_and_goes_on_after_it() {
    let place = Place::new();
    let (mut alice, _) = place.open();
    write(&mut alice, &["one"]);
    let mut follower = Follower::new(&place.store());
    follower.poll();
    write(&mut alice, &["two"]);
    let mut bytes = std::fs::read(place.segment()).unwrap();
    let at = bytes.len() - 50;
    bytes[at] ^= 1;
    put(&place.segment(), &bytes);
    let told: Vec<Problem> = (0..3).flat_map(|_| follower.poll().1).collect();
    assert_eq!(told.len(), 1, "{told:?}");
    let (mut alice, opened) = place.open();
    assert!(opened.damaged.is_some());
    write(&mut alice, &["three"]);
    let (entries, problems) = follower.poll();
    assert_eq!(texts(&entries), ["three"]);
    assert!(problems[0].text.contains("damaged"), "{problems:?}");
}

#[tokio::test]
async fn a_follower_wakes_when_anybody_writes() {
    let place = Place::new();
    drop(place.open());
    let mut follower = Follower::new(&place.store());
    follower.poll();
    // Written before waiting: the event is kept.
    let mut bob = place.open_user("bob");
    write(&mut bob, &["uno"]);
    let mut seen = Vec::new();
    let all = async {
        while seen.len() < 2 {
            follower.changed().await.unwrap();
            let (entries, _) = follower.poll();
            if texts(&entries).contains(&"uno") {
                write(&mut bob, &["due"]);
            }
            seen.extend(texts(&entries).into_iter().map(str::to_owned));
        }
    };
    tokio::time::timeout(Duration::from_secs(30), all)
        .await
        .unwrap();
    assert_eq!(seen, ["uno", "due"]);
}

/// One watches, another reads, and the store does not exist when they begin.
#[tokio::test]
async fn watching_alone_is_enough_from_before_the_first_log() {
    let place = Place::new();
    std::fs::create_dir(place.store()).unwrap();
    let (mut watcher, mut reader) = (Follower::new(&place.store()), Follower::new(&place.store()));
    let (mut writer, _) = place.open();
    write(&mut writer, &["0"]);
    let mut got = 0;
    let all = async {
        while got < 5 {
            watcher.changed().await.unwrap();
            for text in texts(&reader.poll().0) {
                got += 1;
                assert!(text.parse::<usize>().is_ok());
                write(&mut writer, &[&got.to_string()]);
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(30), all)
        .await
        .unwrap();
}
