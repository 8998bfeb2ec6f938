//! Work that takes long: how far it is, and ctrl-c.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use super::common::Pty;

/// An alert in our own words.
fn alert(number: u32) -> String {
    format!(
        r#"{{"class_uid":2004,"category_uid":2,"activity_id":1,"type_uid":200401,"severity_id":4,"time":1767225600000,"metadata":{{"version":"1.6.0","product":{{"name":"x"}}}},"finding_info":{{"uid":"f-{number}","title":"Reuse"}}}}"#
    )
}

/// A pipe with a name: it says nothing more until somebody writes, and the program does not know how much will come.
fn pipe(home: &Path) -> PathBuf {
    let path = home.join("alerts.jsonl");
    let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
    rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, mode, 0).unwrap();
    path
}

fn importing(home: &Path, plain: bool) -> (Pty, std::fs::File) {
    let path = pipe(home);
    let config = home.join("c.toml");
    std::fs::write(&config, "").unwrap();
    let mut args = vec!["--config", config.to_str().unwrap()];
    args.extend(plain.then_some("--plain"));
    args.extend(["alerts", "import", path.to_str().unwrap()]);
    let pty = Pty::stanch(home, 80, 24, &args, &[]);
    // Opens once the other side reads.
    let writer = std::fs::File::options().write(true).open(path).unwrap();
    (pty, writer)
}

#[test]
fn an_import_says_how_far_it_is_and_ctrl_c_keeps_what_was_read() {
    let home = tempfile::tempdir().unwrap();
    let (mut pty, mut writer) = importing(home.path(), false);
    writeln!(writer, "{}", alert(1)).unwrap();
    pty.wait_for("importing: 0.0 MB, 1 s");
    pty.send("\x03");
    pty.wait_for("ctrl-c once more ends at once");
    writeln!(writer, "{}", alert(2)).unwrap();
    assert_eq!(pty.wait_end(), 130, "{}", pty.text());
    let text = pty.text().replace('\n', "");
    assert!(text.contains("1 new alert, 0 stored before"), "{text}");
    assert!(text.contains("the same command goes on"), "{text}");
    // The line of progress left nothing behind.
    assert!(!text.contains("importing:"), "{text}");
}

#[test]
fn a_second_ctrl_c_ends_an_import_at_once() {
    let home = tempfile::tempdir().unwrap();
    let (mut pty, _writer) = importing(home.path(), true);
    pty.wait_for("importing: 0.0 MB, 0 s");
    pty.send("\x03");
    pty.wait_for("ctrl-c once more ends at once");
    pty.send("\x03");
    assert_eq!(pty.wait_end(), 130, "{}", pty.text());
    assert!(
        pty.text().contains("what was whole before stays"),
        "{}",
        pty.text()
    );
}
