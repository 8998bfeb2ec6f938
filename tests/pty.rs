//! What only a terminal shows: the real program in a pty.

#[path = "pty/away.rs"]
mod away;
mod common;
#[path = "pty/long.rs"]
mod long;

use std::time::Duration;

use common::{Pty, assert_no_query};
use portable_pty::CommandBuilder;
use rstest::rstest;
use rustix::process::Signal;

#[test]
fn opens_on_the_drill_and_leaves_the_terminal_as_it_was() {
    let home = tempfile::tempdir().unwrap();
    let mut pty = Pty::stanch(home.path(), 80, 24, &[], &[]);
    pty.wait_for("DRILL");
    pty.wait_for("svc-deploy");
    assert!(pty.screen().alternate_screen());
    pty.send("q");
    assert_eq!(pty.wait_end(), 0, "{}", pty.text());
    pty.assert_restored();
    assert!(pty.text().contains("The drill is over."), "{}", pty.text());
    assert_no_query(&pty.raw);
}

#[rstest]
#[case(Signal::TERM)]
#[case(Signal::HUP)]
#[case(Signal::QUIT)]
fn a_signal_ends_it_with_every_mode_put_back(#[case] signal: Signal) {
    let home = tempfile::tempdir().unwrap();
    let mut pty = Pty::stanch(home.path(), 80, 24, &[], &[]);
    pty.wait_for("DRILL");
    pty.signal(signal);
    assert_eq!(pty.wait_end(), 0);
    pty.assert_restored();
}

#[test]
fn ctrl_z_hands_the_terminal_back_and_fg_repaints() {
    let home = tempfile::tempdir().unwrap();
    let mut pty = Pty::stanch(home.path(), 80, 24, &[], &[]);
    pty.wait_for("svc-deploy");
    pty.send("\x1a");
    pty.wait("the program to stop", |pty| pty.state() == 'T');
    pty.wait("the modes to be left", |pty| {
        !pty.screen().alternate_screen() && !pty.screen().hide_cursor()
    });
    pty.signal(Signal::CONT);
    pty.wait("the alternate screen", |pty| {
        pty.screen().alternate_screen()
    });
    pty.wait_for("DRILL");
    pty.send("?");
    pty.wait_for("Help");
    pty.send("\x1b");
    assert_no_query(&pty.raw);
}

#[test]
fn resizing_draws_anew_down_to_almost_nothing() {
    let home = tempfile::tempdir().unwrap();
    let mut pty = Pty::stanch(home.path(), 80, 24, &[], &[]);
    pty.wait_for("svc-deploy");
    pty.resize(120, 40);
    pty.wait_for("Dependency map");
    pty.resize(30, 8);
    pty.wait_for("needs 60x15, have 30x8");
    pty.resize(1, 1);
    pty.resize(200, 50);
    pty.wait_for("Sessions and scopes");
    pty.send("q");
    assert_eq!(pty.wait_end(), 0);
}

#[test]
fn no_color_still_shows_the_selected_row() {
    let home = tempfile::tempdir().unwrap();
    let mut pty = Pty::stanch(home.path(), 80, 24, &[], &[("NO_COLOR", "1")]);
    pty.wait_for("svc-deploy");
    pty.wait("a reversed row", |pty| {
        let screen = pty.screen();
        (3..12).any(|row| screen.cell(row, 10).is_some_and(vt100::Cell::inverse))
    });
    let (rows, cols) = pty.screen().size();
    for row in 0..rows.get() {
        for col in 0..cols.get() {
            let cell = pty.screen().cell(row, col).unwrap();
            let plain =
                cell.fgcolor() == vt100::Color::Default && cell.bgcolor() == vt100::Color::Default;
            assert!(plain, "colour at {row},{col}");
        }
    }
}

#[test]
fn a_real_console_writes_nothing_while_nothing_happens() {
    let home = tempfile::tempdir().unwrap();
    let config = home.path().join("c.toml");
    let alerts = home.path().join("alerts.jsonl");
    std::fs::write(&alerts, "").unwrap();
    std::fs::write(
        &config,
        format!(
            "[[source]]\nkind='file'\nname='siem'\npath='{}'\n",
            alerts.display()
        ),
    )
    .unwrap();
    let mut pty = Pty::stanch(
        home.path(),
        80,
        24,
        &["--config", config.to_str().unwrap()],
        &[],
    );
    pty.wait_for("1 source ok");
    while pty.read_for(Duration::from_millis(400)) {}
    // A minute may turn within the watch, and ages with it; an empty queue has none.
    assert!(
        !pty.read_for(Duration::from_secs(2)),
        "{:?}",
        String::from_utf8_lossy(&pty.raw)
    );
    pty.send("q");
    assert_eq!(pty.wait_end(), 0);
}

#[test]
fn pasted_text_is_not_a_row_of_keys() {
    let home = tempfile::tempdir().unwrap();
    let mut pty = Pty::stanch(home.path(), 80, 24, &[], &[]);
    pty.wait_for("svc-deploy");
    pty.send("\x1b[200~q2\r\r\x1b[201~");
    pty.wait_for("ignored a paste");
    assert!(pty.screen().alternate_screen());
}

/// Not a test of its own: the body of the child of the next one.
#[test]
#[ignore = "run by a_panic_puts_the_terminal_back"]
fn panic_child() {
    stanch::term::session::install_panic_hook();
    let _session = stanch::term::session::Session::enter(true).unwrap();
    panic!("about \x1b]0;evil\x07 text");
}

#[test]
fn a_panic_puts_the_terminal_back() {
    let mut command = CommandBuilder::new(std::env::current_exe().unwrap());
    command.args([
        "--ignored",
        "--exact",
        "panic_child",
        "--nocapture",
        "--test-threads=1",
    ]);
    let mut pty = Pty::start(command, 80, 24);
    pty.wait_end();
    pty.assert_restored();
    assert!(
        pty.text().contains(r"\u{1b}]0;evil\u{7} text"),
        "{}",
        pty.text()
    );
    assert!(
        pty.raw.windows(8).any(|w| w == b"\x1b[?1049h"),
        "the child never took the terminal"
    );
}

/// The log where the drill's would lie, opened as another process does.
fn writer(home: &std::path::Path) -> stanch::journal::Writer {
    use stanch::journal::{JournalConfig, Writer};
    let config = JournalConfig {
        store: home.join("state/drill/current/journal"),
        site: "soc.example".into(),
        keys: home.join("keys"),
        drill: true,
        allow_network_fs: true,
        person: None,
        policy: None,
        fallback: None,
    };
    Writer::open(config, jiff::Timestamp::now()).unwrap().0
}

/// Writes a log, and returns its segment.
fn written_log(home: &std::path::Path) -> std::path::PathBuf {
    use stanch::domain::decision::RecordType;
    let store = home.join("state/drill/current/journal");
    let now = jiff::Timestamp::now();
    let mut writer = writer(home);
    let claim = serde_json::json!({"kind": "claim", "alert": "siem/8", "reason": null});
    let intent = serde_json::json!({
        "intent": "i-1", "digest": "ab".repeat(32), "step": "1", "verb": "revoke_sessions",
        "identity": "sso:svc-deploy", "alert": "siem/8", "undo": false,
        "process": {"pid": 1, "start": 1, "boot": "b"},
    });
    writer
        .append(now, &[(RecordType::Decision, claim)])
        .unwrap();
    writer.append(now, &[(RecordType::Intent, intent)]).unwrap();
    let log = |dir: &std::path::Path| {
        std::fs::read_dir(dir)
            .unwrap()
            .next()
            .unwrap()
            .unwrap()
            .path()
    };
    log(&log(&store.join("logs"))).join("00000000000000000000.jsonl")
}

#[test]
fn the_log_alone_is_read_verified_and_followed_and_no_key_writes_to_it() {
    let home = tempfile::tempdir().unwrap();
    let segment = written_log(home.path());
    let before = std::fs::read(&segment).unwrap();
    let state = home.path().join("state");
    let args = ["--state-dir", state.to_str().unwrap(), "log"];
    let mut pty = Pty::stanch(home.path(), 80, 24, &args, &[]);
    pty.wait_for("claimed alert siem/8");
    pty.wait_for("UNKNOWN revoke_sessions on sso:svc-deploy");
    pty.wait_for("log intact");
    for key in [
        "1", "0", "c", "D", "X", "n", "r", "p", "2", "S", "\t", "\x12", "\x18",
    ] {
        pty.send(key);
    }
    pty.send("\r");
    pty.wait_for("Every field");
    pty.send("\x1b");
    pty.wait_for("G follows");
    assert_eq!(std::fs::read(&segment).unwrap(), before);
    // Another process writes on while a record is read.
    let note = |text: &str| {
        let note = serde_json::json!({"kind": "note", "alert": "siem/8", "reason": text});
        let mut writer = writer(home.path());
        writer
            .append(
                jiff::Timestamp::now(),
                &[(stanch::domain::decision::RecordType::Decision, note)],
            )
            .unwrap();
    };
    note("from elsewhere");
    pty.wait_for("1 new (G)");
    pty.wait_for("1 record since (v)");
    pty.send("G");
    pty.wait_for("following");
    pty.wait_for("noted on alert siem/8: from elsewhere");
    note("and again");
    pty.wait_for("and again");
    let before = std::fs::read(&segment).unwrap();
    pty.send("v");
    pty.wait_for("10 lines");
    pty.send("/");
    pty.wait_for("filter: _");
    pty.send("claimed");
    pty.wait_for("1 of 5 records");
    pty.send("\ra");
    pty.wait_for("filter: alert:siem/8");
    pty.wait_for("4 of 5 records");
    pty.send("\x1b");
    pty.wait_for("filter: claimed");
    pty.send("q");
    assert_eq!(pty.wait_end(), 0, "{}", pty.text());
    pty.assert_restored();
    assert_no_query(&pty.raw);
    assert_eq!(std::fs::read(&segment).unwrap(), before);
}

#[test]
fn a_tampered_log_is_called_so_with_the_place() {
    let home = tempfile::tempdir().unwrap();
    let segment = written_log(home.path());
    let text = std::fs::read_to_string(&segment).unwrap();
    std::fs::write(&segment, text.replacen("siem/8", "siem/9", 1)).unwrap();
    let state = home.path().join("state");
    let args = ["--state-dir", state.to_str().unwrap(), "log"];
    let mut pty = Pty::stanch(home.path(), 120, 40, &args, &[]);
    pty.wait_for("NOT INTACT at record");
    pty.send("q");
    assert_eq!(pty.wait_end(), 0);
}

#[test]
fn the_log_alone_without_a_terminal_says_what_to_do() {
    let home = tempfile::tempdir().unwrap();
    let done = std::process::Command::new(env!("CARGO_BIN_EXE_stanch"))
        .arg("log")
        .env("HOME", home.path())
        .output()
        .unwrap();
    assert_eq!(done.status.code(), Some(2));
    let said = String::from_utf8(done.stderr).unwrap();
    assert!(
        said.contains("stanch log show") && said.contains("stanch log verify"),
        "{said}"
    );
}

#[test]
fn a_second_console_joins_the_drill_that_is_running() {
    let home = tempfile::tempdir().unwrap();
    let mut first = Pty::stanch(home.path(), 80, 24, &[], &[]);
    first.wait_for("CRIT");
    let mut second = Pty::stanch(home.path(), 80, 24, &[], &[]);
    second.wait_for("CRIT");
    // What one decides, the other shows.
    first.send("c");
    first.wait_for("claimed");
    second.wait_for("claimed");
    second.send("q");
    assert_eq!(second.wait_end(), 0, "{}", second.text());
    first.send("q");
    assert_eq!(first.wait_end(), 0, "{}", first.text());
}
