//! The terminal goes to a pager or an editor and comes back; the mouse; themes that change while the console runs.

use std::path::Path;

use super::common::{Pty, assert_no_query};

/// A program of the user's own, as a variable names it. The shell reads it, so that nobody minds a file that is still open
/// for writing in a process that another test starts.
fn program(home: &Path, name: &str, script: &str) -> String {
    let path = home.join(name);
    std::fs::write(&path, format!("{script}\n")).unwrap();
    format!("sh {}", path.display())
}

#[test]
fn the_pager_gets_the_whole_text_and_keys_typed_for_it_command_nothing() {
    let home = tempfile::tempdir().unwrap();
    let script =
        "cat > page.txt; echo THE-PAGER; read line < /dev/tty; echo \"got $line\" > line.txt";
    let pager = program(home.path(), "pager", script);
    let mut pty = Pty::stanch(home.path(), 80, 24, &[], &[("PAGER", &pager)]);
    pty.wait_for("svc-deploy");
    pty.send("?");
    pty.wait_for("Help");
    pty.send("|");
    pty.wait_for("THE-PAGER");
    assert!(!pty.screen().alternate_screen());
    // ctrl-c is for the pager, which reads on; what is typed ahead is nobody's command.
    pty.send("mine\nqqq\x1b");
    pty.wait("the console", |pty| pty.screen().alternate_screen());
    pty.wait_for("Help");
    let page = std::fs::read_to_string(home.path().join("page.txt")).unwrap();
    for text in ["Take the alert", "Help, messages, score", "ctrl-l"] {
        assert!(page.contains(text), "{page}");
    }
    assert!(page.lines().count() > 100 && !page.contains('\x1b'));
    let line = std::fs::read_to_string(home.path().join("line.txt")).unwrap();
    assert_eq!(line, "got mine\n");
    pty.send("\x1b");
    pty.wait_for("Alerts");
    pty.send("q");
    assert_eq!(pty.wait_end(), 0, "{}", pty.text());
    pty.assert_restored();
    assert_no_query(&pty.raw);
}

#[test]
fn a_pager_that_is_not_there_is_said_and_ctrl_c_in_one_ends_no_console() {
    let home = tempfile::tempdir().unwrap();
    let mut pty = Pty::stanch(home.path(), 80, 24, &[], &[("PAGER", "/nowhere/less -R")]);
    pty.wait_for("svc-deploy");
    pty.send("|");
    pty.wait_for("cannot start `/nowhere/less -R`");
    drop(pty);
    let pager = program(home.path(), "pager", "echo THE-PAGER; read line < /dev/tty");
    let mut pty = Pty::stanch(home.path(), 80, 24, &[], &[("PAGER", &pager)]);
    pty.wait_for("svc-deploy");
    pty.send("|");
    pty.wait_for("THE-PAGER");
    pty.send("\x03");
    pty.wait("the console", |pty| pty.screen().alternate_screen());
    pty.wait_for("svc-deploy");
    pty.send("q");
    assert_eq!(pty.wait_end(), 0, "{}", pty.text());
}

#[test]
fn a_note_is_written_in_the_editor_and_its_file_goes() {
    let home = tempfile::tempdir().unwrap();
    let script = "stat -c %a \"$1\" > mode.txt; dirname \"$1\" > folder.txt; cat \"$1\" > before.txt\n\
                  printf 'seen with\\nthe owner \\033]0;evil\\007.\\n' > \"$1\"";
    let editor = program(home.path(), "editor", script);
    let mut pty = Pty::stanch(home.path(), 80, 24, &[], &[("EDITOR", &editor)]);
    pty.wait_for("CRIT");
    pty.send("n");
    pty.wait_for("Note");
    pty.send("so far\x0f");
    pty.wait_for("seen with the owner ]0;evil.");
    let read = |name: &str| std::fs::read_to_string(home.path().join(name)).unwrap();
    assert_eq!(read("mode.txt"), "600\n");
    assert_eq!(read("before.txt"), "so far\n");
    let left = std::fs::read_dir(read("folder.txt").trim()).unwrap();
    let names = left.map(|file| file.unwrap().file_name().into_string().unwrap());
    assert!(names.into_iter().all(|name| !name.starts_with(".note-")));
    // One that fails changes nothing.
    program(home.path(), "editor", "echo gone > \"$1\"; exit 3");
    pty.send("\x0f");
    pty.wait_for("the text is as it was");
    pty.wait_for("seen with the owner ]0;evil.");
    pty.send("\x1b");
    pty.wait("the note to be left", |pty| {
        !pty.text().contains("Enter records")
    });
    pty.send("q");
    assert_eq!(pty.wait_end(), 0, "{}", pty.text());
    pty.assert_restored();
}

fn configured(home: &Path, text: &str) -> [String; 3] {
    let config = home.join("c.toml");
    std::fs::write(&config, text).unwrap();
    let config = config.to_str().unwrap().to_owned();
    ["--config".to_owned(), config, "--drill".to_owned()]
}

#[test]
fn the_mouse_is_taken_only_on_demand_and_given_back() {
    let home = tempfile::tempdir().unwrap();
    let args = configured(home.path(), "[ui]\nmouse = true\n");
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let mut pty = Pty::stanch(home.path(), 120, 40, &args, &[]);
    pty.wait_for("CRIT");
    let has = |pty: &Pty, what: &str| String::from_utf8_lossy(&pty.raw).contains(what);
    assert!(has(&pty, "\x1b[?1000h\x1b[?1006h"));
    // A click in the pane of the sessions gives it the focus, the next key scrolls it.
    pty.send("\x1b[<0;100;20M\x1b[<0;100;20m");
    pty.wait("another pane in focus", |pty| {
        !pty.text().contains("▶Alerts")
    });
    pty.send("\x1b[<65;100;20M");
    pty.send("q");
    assert_eq!(pty.wait_end(), 0, "{}", pty.text());
    assert!(has(&pty, "\x1b[?1006l\x1b[?1000l"));
    pty.assert_restored();

    let mut pty = Pty::stanch(home.path(), 80, 24, &[], &[]);
    pty.wait_for("CRIT");
    pty.send("q");
    assert_eq!(pty.wait_end(), 0);
    assert!(!has(&pty, "?1000"));
}

#[test]
fn a_theme_that_is_edited_is_taken_over_and_a_bad_one_is_not() {
    let home = tempfile::tempdir().unwrap();
    std::fs::create_dir(home.path().join("themes")).unwrap();
    let theme = home.path().join("themes/mine.toml");
    let write = |text: &str| {
        let new = home.path().join("themes/mine.new");
        std::fs::write(&new, text).unwrap();
        std::fs::rename(new, &theme).unwrap();
    };
    write("inherits = 'dark'\ntitle = '#010203'");
    let args = configured(home.path(), "[ui]\ntheme = 'mine'\n");
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let mut pty = Pty::stanch(home.path(), 80, 24, &args, &[("COLORTERM", "truecolor")]);
    let shows = |pty: &Pty, colour: (u8, u8, u8)| {
        let wanted = vt100::Color::Rgb(colour.0, colour.1, colour.2);
        let cells = (0..24).flat_map(|row| (0..80).map(move |col| (row, col)));
        let mut cells = cells.filter_map(|(row, col)| pty.screen().cell(row, col));
        cells.any(|cell| cell.fgcolor() == wanted)
    };
    pty.wait("the first colour", |pty| shows(pty, (1, 2, 3)));
    write("inherits = 'dark'\ntitle = '#040506'");
    pty.wait("the second colour", |pty| shows(pty, (4, 5, 6)));
    write("inherits = 'dark'\ntitle = 'no-colour'");
    pty.wait_for("the theme stays as it was");
    assert!(shows(&pty, (4, 5, 6)));
    write("inherits = 'dark'\ntitle = '#070809'");
    pty.wait("the third colour", |pty| shows(pty, (7, 8, 9)));
    pty.send("q");
    assert_eq!(pty.wait_end(), 0, "{}", pty.text());
}
