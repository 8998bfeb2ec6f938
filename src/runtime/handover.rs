//! Gives the terminal to a pager or an editor and takes it back: what they show and write stays text.

use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::io::AsyncWriteExt as _;
use tokio::process::{Child, Command};

/// Most bytes read of what an editor leaves; a field takes far less.
const MOST: u64 = 64 * 1024;

/// To whom the terminal goes.
pub enum Away {
    /// The shell, until `fg`.
    Shell,
    /// A pager, with all of the screen's text.
    Pager,
    /// An editor, with what is written so far.
    Editor(String),
}

/// Variables that name a pager, as POSIX `man` reads it.
const PAGER: [&str; 1] = ["PAGER"];

/// Variables that name an editor, the first before the second.
const EDITOR: [&str; 2] = ["VISUAL", "EDITOR"];

/// Names the program of a variable, split at spaces and run without a shell; the first variable that is set counts.
fn program(variables: &[&str], otherwise: &str) -> Vec<String> {
    let given = variables.iter().filter_map(|name| std::env::var(name).ok());
    let mut split = given.map(|line| {
        let words = line.split_whitespace().map(str::to_owned);
        words.collect::<Vec<String>>()
    });
    split
        .find(|argv| !argv.is_empty())
        .unwrap_or_else(|| vec![otherwise.to_owned()])
}

fn command(argv: &[String]) -> Command {
    let mut command = Command::new(argv.first().map_or("", String::as_str));
    command.args(argv.iter().skip(1)).kill_on_drop(true);
    command
}

fn begun(argv: &[String], variables: &[&str], child: io::Result<Child>) -> Result<Child, String> {
    child.map_err(|error| {
        format!(
            "cannot start `{}`: {error}; ${} names what is started instead",
            argv.join(" "),
            variables.join(" or $")
        )
    })
}

/// Starts the pager on a text.
pub fn pager(text: String) -> Result<Child, String> {
    let argv = program(&PAGER, "less");
    let mut child = begun(&argv, &PAGER, command(&argv).stdin(Stdio::piped()).spawn())?;
    if let Some(mut stdin) = child.stdin.take() {
        tokio::spawn(async move {
            // Who leaves the pager early wants no more of it.
            let _ = stdin.write_all(text.as_bytes()).await;
        });
    }
    Ok(child)
}

/// A text in a file of its own, which goes when this does.
pub struct Note(PathBuf);

impl Note {
    /// Writes a text into a new file that only its owner can read.
    pub fn new(folder: &Path, text: &str) -> io::Result<Self> {
        let path = folder.join(format!(".note-{}.txt", uuid::Uuid::now_v7()));
        let mut file = std::fs::File::options()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)?;
        let note = Self(path);
        writeln!(file, "{text}")?;
        Ok(note)
    }

    /// Starts the editor on it.
    pub fn edit(&self) -> Result<Child, String> {
        let argv = program(&EDITOR, "vi");
        begun(&argv, &EDITOR, command(&argv).arg(&self.0).spawn())
    }

    /// Returns what stands in it now.
    pub fn read(&self) -> io::Result<String> {
        let mut bytes = Vec::new();
        std::fs::File::open(&self.0)?
            .take(MOST)
            .read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }
}

impl Drop for Note {
    fn drop(&mut self) {
        // An editor may have moved it away.
        let _ = std::fs::remove_file(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn a_note_is_its_owners_alone_and_goes_when_it_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let note = Note::new(dir.path(), "so far").unwrap();
        let mode = note.0.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(note.read().unwrap(), "so far\n");
        drop(note);
        assert_eq!(dir.path().read_dir().unwrap().count(), 0);
    }

    #[test]
    fn what_an_editor_leaves_is_bounded() {
        let dir = tempfile::tempdir().unwrap();
        let note = Note::new(dir.path(), &"x".repeat(1 << 20)).unwrap();
        assert_eq!(note.read().unwrap().len() as u64, MOST);
    }
}
