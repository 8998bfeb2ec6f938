//! T8: many writers at once. T13: clocks that step. T10: what others say about the same bytes.

use rstest::rstest;

use super::*;

/// Writes `each` batches from each of `writers` threads, as consoles of the given users.
fn race(place: &Place, users: &[String], each: usize) {
    std::thread::scope(|scope| {
        for (n, user) in users.iter().enumerate() {
            scope.spawn(move || {
                let mut config = place.config();
                config.keys = place.dir.path().join(format!("keys-{user}"));
                let patiently = |act: &mut dyn FnMut() -> Result<(), JournalError>| {
                    while let Err(e) = act() {
                        // Two seconds are long for one person and short for sixteen busy writers.
                        assert!(matches!(e, JournalError::Locked { .. }), "{e}");
                    }
                };
                let mut writer = None;
                patiently(&mut || {
                    let fs = Arc::new(Real);
                    writer = Some(Writer::open_as(config.clone(), actor(user), fs, now())?.0);
                    Ok(())
                });
                let mut writer = writer.unwrap();
                for i in 0..each {
                    let batch = [note(&format!("{n}.{i}")), note(&format!("{n}.{i} too"))];
                    patiently(&mut || writer.append(now(), &batch).map(|_| ()));
                }
            });
        }
    });
}

fn check(place: &Place, users: &[String], each: usize) {
    let notes = place.notes();
    assert_eq!(notes.len(), users.len() * each * 2);
    for n in 0..users.len() {
        let own: Vec<&String> = notes
            .iter()
            .filter(|t| t.starts_with(&format!("{n}.")))
            .collect();
        let wanted: Vec<String> = (0..each)
            .flat_map(|i| [format!("{n}.{i}"), format!("{n}.{i} too")])
            .collect();
        assert!(
            own.into_iter().eq(wanted.iter()),
            "writer {n}: order or content"
        );
    }
    let report = place.verify();
    assert!(report.intact(), "{report:?}");
    assert_eq!(report.logs.iter().map(|l| l.recovered).sum::<u64>(), 0);
}

#[rstest]
#[case(1)]
#[case(2)]
#[case(4)]
#[case(8)]
#[case(16)]
fn writers_of_one_log_keep_each_others_records(#[case] writers: usize) {
    let place = Place::new();
    let users = vec!["alice".to_owned(); writers];
    race(&place, &users, 320 / writers);
    check(&place, &users, 320 / writers);
    assert_eq!(place.verify().logs.len(), 1);
}

#[test]
fn eight_logs_grow_at_once() {
    let place = Place::new();
    let users: Vec<String> = (0..8).map(|n| format!("user{n}")).collect();
    race(&place, &users, 40);
    check(&place, &users, 40);
    assert_eq!(place.verify().logs.len(), 8);
}

/// A clock that steps is told where it stepped, and is never an integrity failure.
#[rstest]
#[case("2026-11-21T08:15:00Z", "2026-11-21T08:15:00Z", 0)]
#[case("2026-11-21T08:15:00Z", "2026-11-21T08:15:00.000000001Z", 0)]
#[case("2026-11-21T08:15:00Z", "2026-11-21T08:14:59.998Z", 1)]
#[case("2026-11-21T08:15:00Z", "2026-11-20T08:15:00Z", 1)]
#[case("2026-11-21T08:15:00Z", "1970-01-01T00:00:00Z", 1)]
#[case("1970-01-01T00:00:00Z", "2026-11-21T08:15:00Z", 1)]
#[case("1969-12-31T23:59:59Z", "1970-01-01T00:00:00Z", 0)]
#[case("2038-01-19T03:14:07Z", "2038-01-19T03:14:08Z", 0)]
#[case("2038-01-19T03:14:08Z", "1901-12-13T20:45:52Z", 1)]
#[case("2106-02-07T06:28:15Z", "2106-02-07T06:28:16Z", 0)]
#[case("2026-11-21T08:15:00Z", "9999-12-30T22:00:00.999999999Z", 1)]
#[case("9999-12-30T22:00:00.999999999Z", "0001-01-01T00:00:00Z", 1)]
#[case("2016-12-31T23:59:60Z", "2017-01-01T00:00:00Z", 0)]
fn a_clock_that_steps_is_a_warning(
    #[case] first: &str,
    #[case] second: &str,
    #[case] warnings: usize,
) {
    let place = Place::new();
    let times: Vec<Timestamp> = [first, second].iter().map(|t| t.parse().unwrap()).collect();
    let fs = Arc::new(Real);
    let mut writer = Writer::open_as(place.config(), actor("alice"), fs, times[0])
        .unwrap()
        .0;
    writer.append(times[0], &[note("first")]).unwrap();
    writer.append(times[1], &[note("second")]).unwrap();
    // What is written at a strange time is read again in the order in which it was written.
    assert_eq!(place.notes(), ["first", "second"]);
    let report = place.verify();
    let stepped: Vec<_> = report.logs[0]
        .findings
        .iter()
        .filter(|f| f.check == "clock")
        .collect();
    assert!(
        report.intact() && report.warnings() == warnings,
        "{report:?}"
    );
    assert_eq!(stepped.len(), warnings, "{stepped:?}");
}

/// Runs a program of the system; `None` where it is not installed.
fn tool(name: &str, args: &[&str], input: &[u8]) -> Option<String> {
    use std::io::Write as _;
    use std::process::{Command, Stdio};
    let child = Command::new(name)
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn();
    let Ok(mut child) = child else {
        println!("SKIPPED {name}: not on this machine");
        return None;
    };
    child.stdin.take().unwrap().write_all(input).unwrap();
    let done = child.wait_with_output().unwrap();
    assert!(done.status.success(), "{name} {args:?}");
    Some(String::from_utf8(done.stdout).unwrap())
}

#[test]
fn common_programs_say_the_same_about_the_bytes() {
    let place = Place::new();
    let (mut writer, _) = place.open();
    write(&mut writer, &["caf\u{e9} \u{202e}\u{9b}", "two"]);
    let bytes = std::fs::read(place.segment()).unwrap();
    let lines: Vec<&[u8]> = bytes
        .strip_suffix(b"\n")
        .unwrap()
        .split(|b| *b == b'\n')
        .collect();
    for pair in lines.windows(2) {
        let leaf = [b"\0", pair[0]].concat();
        let next = String::from_utf8(pair[1].to_vec()).unwrap();
        for (name, args) in [
            ("sha256sum", &[][..]),
            ("openssl", &["dgst", "-sha256", "-r"]),
        ] {
            if let Some(said) = tool(name, args, &leaf) {
                assert!(
                    next.contains(&format!("\"prev\":\"{}\"", &said[..64])),
                    "{name}"
                );
            }
        }
    }
    if let Some(said) = tool("jq", &["-r", "select(.text) | .text"], &bytes) {
        assert_eq!(said, "caf\u{e9} \u{202e}\u{9b}\ntwo\n");
    }
    let import = format!(
        ".mode ascii\n.separator \"\\037\" \"\\n\"\ncreate table raw(line text);\n.import '{}' raw\n\
         select count(*), sum(json_valid(line)) from raw;\n",
        place.segment().display()
    );
    if let Some(said) = tool("sqlite3", &[":memory:"], import.as_bytes()) {
        let n = lines.len();
        assert_eq!(said.trim_end(), format!("{n}\u{1f}{n}"));
    }
}
