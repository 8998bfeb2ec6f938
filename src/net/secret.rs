//! Reads secrets at the moment they are needed, and only from places nobody else can read.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use rustix::fs::{FileType, Mode, OFlags};
use secrecy::SecretString;
use tokio::io::AsyncReadExt;
use zeroize::Zeroize;

use crate::app::settings::SecretRef;

/// Longest secret in bytes.
const MAX_SECRET: u64 = 64 * 1024;
/// Longest run of a `cmd:` program.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(10);

/// Why a secret could not be read. Never holds the secret.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The variable is not set or not text.
    #[error("environment variable `{0}` is not set; export it or use `file:`")]
    Env(String),
    /// The file cannot be opened; also when it is a symbolic link.
    #[error("cannot open secret file `{path}`: {error}; it must be a regular file, not a link")]
    Open {
        /// Which file.
        path: String,
        /// What the system said.
        error: String,
    },
    /// The file could have been planted or read by others.
    #[error("secret file `{path}` {why}")]
    Unsafe {
        /// Which file.
        path: String,
        /// What is wrong, and the way out.
        why: &'static str,
    },
    /// The program failed; its output is not repeated.
    #[error("secret command `{program}` {why}")]
    Command {
        /// Which program.
        program: String,
        /// What went wrong.
        why: String,
    },
    /// Nothing in it.
    #[error("secret `{0}` is empty")]
    Empty(String),
    /// The reference itself does not parse; it may be the secret, so it is not repeated.
    #[error("{0}")]
    Reference(String),
}

/// Reads what a reference in text form names.
pub async fn read_text(reference: &str) -> Result<SecretString, SecretError> {
    let parsed = SecretRef::try_from(reference.to_owned()).map_err(SecretError::Reference)?;
    read(&parsed).await
}

/// Reads what a reference names; one trailing line end is not part of it.
pub async fn read(reference: &SecretRef) -> Result<SecretString, SecretError> {
    let mut raw = match reference {
        SecretRef::Env(name) => std::env::var(name).map_err(|_| SecretError::Env(name.clone()))?,
        SecretRef::File(path) => read_file(path)?,
        SecretRef::Cmd(argv) => run_command(argv).await?,
    };
    let length = raw.trim_end_matches(['\n', '\r']).len();
    let secret = SecretString::from(raw[..length].to_owned());
    raw.zeroize();
    if length == 0 {
        return Err(SecretError::Empty(reference.to_string()));
    }
    Ok(secret)
}

/// Tells whether a secret could be read now, as far as that can be told without starting a program.
pub fn check(reference: &SecretRef) -> Result<(), SecretError> {
    let mut raw = match reference {
        SecretRef::Env(name) => std::env::var(name).map_err(|_| SecretError::Env(name.clone()))?,
        SecretRef::File(path) => read_file(path)?,
        SecretRef::Cmd(_) => return Ok(()),
    };
    let empty = raw.trim_end_matches(['\n', '\r']).is_empty();
    raw.zeroize();
    match empty {
        true => Err(SecretError::Empty(reference.to_string())),
        false => Ok(()),
    }
}

fn read_file(path: &Path) -> Result<String, SecretError> {
    let shown = path.display().to_string();
    let unsafe_file = |why| SecretError::Unsafe {
        path: shown.clone(),
        why,
    };
    let open_failed = |error: std::io::Error| SecretError::Open {
        path: shown.clone(),
        error: error.to_string(),
    };
    // Non-blocking, so that a planted FIFO cannot hang the console before it is recognised.
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let fd = rustix::fs::open(path, flags, Mode::empty()).map_err(|e| open_failed(e.into()))?;
    let stat = rustix::fs::fstat(&fd).map_err(|e| open_failed(e.into()))?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return Err(unsafe_file("is no regular file; point to one"));
    }
    if stat.st_uid != 0 && stat.st_uid != rustix::process::geteuid().as_raw() {
        return Err(unsafe_file(
            "belongs to somebody else; own it or let root own it",
        ));
    }
    if stat.st_mode & 0o077 != 0 {
        return Err(unsafe_file(
            "is open to group or others; run `chmod 600` on it",
        ));
    }
    let mut text = String::new();
    File::from(fd)
        .take(MAX_SECRET + 1)
        .read_to_string(&mut text)
        .map_err(open_failed)?;
    if text.len() as u64 > MAX_SECRET {
        text.zeroize();
        return Err(unsafe_file("is longer than 64 KiB; that is no secret"));
    }
    Ok(text)
}

async fn run_command(argv: &[String]) -> Result<String, SecretError> {
    let (program, rest) = argv
        .split_first()
        .ok_or_else(|| SecretError::Reference("a `cmd:` reference names no program".to_owned()))?;
    let fail = |why: String| SecretError::Command {
        program: program.clone(),
        why,
    };
    let mut child = tokio::process::Command::new(program)
        .args(rest)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        // Error output may hold parts of a secret and would draw over the screen.
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .map_err(|e| fail(format!("cannot be started: {e}")))?;
    let stdout = child.stdout.take();
    let work = async {
        let mut text = String::new();
        if let Some(out) = stdout {
            out.take(MAX_SECRET)
                .read_to_string(&mut text)
                .await
                .map_err(|e| fail(format!("gave no text: {e}")))?;
        }
        let status = child
            .wait()
            .await
            .map_err(|e| fail(format!("was lost: {e}")))?;
        if status.success() {
            Ok(text)
        } else {
            text.zeroize();
            Err(fail(format!("ended with {status}; run it by hand")))
        }
    };
    tokio::time::timeout(COMMAND_TIMEOUT, work)
        .await
        .map_err(|_| fail("did not end within 10 s".to_owned()))?
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};

    use rstest::rstest;
    use secrecy::ExposeSecret;

    use super::*;

    fn file(dir: &Path, mode: u32, text: &str) -> SecretRef {
        let path = dir.join("s");
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        SecretRef::File(path)
    }

    #[rstest]
    #[case(0o600, "canary-1\n", Some("canary-1"))]
    #[case(0o400, "canary-1", Some("canary-1"))]
    #[case(0o640, "canary-1", None)]
    #[case(0o604, "canary-1", None)]
    #[case(0o620, "canary-1", None)]
    #[case(0o600, "\n", None)]
    #[tokio::test]
    async fn file_modes(#[case] mode: u32, #[case] text: &str, #[case] want: Option<&str>) {
        let dir = tempfile::tempdir().unwrap();
        let got = read(&file(dir.path(), mode, text)).await;
        match (got, want) {
            (Ok(secret), Some(want)) => assert_eq!(secret.expose_secret(), want),
            (Err(error), None) => assert!(!format!("{error} {error:?}").contains("canary")),
            (got, want) => panic!("{got:?} {want:?}"),
        }
    }

    #[tokio::test]
    async fn links_directories_and_fifos_are_refused_without_hanging() {
        let dir = tempfile::tempdir().unwrap();
        file(dir.path(), 0o600, "x");
        symlink(dir.path().join("s"), dir.path().join("link")).unwrap();
        rustix::fs::mknodat(
            rustix::fs::CWD,
            dir.path().join("fifo"),
            FileType::Fifo,
            Mode::RUSR | Mode::WUSR,
            0,
        )
        .unwrap();
        for name in ["link", "fifo", ".", "missing"] {
            assert!(
                read(&SecretRef::File(dir.path().join(name))).await.is_err(),
                "{name}"
            );
        }
    }

    #[rstest]
    #[case(&["printf", "s3cret"], true)]
    #[case(&["false"], false)]
    #[case(&["/nonexistent/program"], false)]
    #[case(&["true"], false)]
    #[tokio::test]
    async fn commands_run_without_a_shell(#[case] argv: &[&str], #[case] ok: bool) {
        let argv = argv.iter().map(|&a| a.to_owned()).collect();
        assert_eq!(read(&SecretRef::Cmd(argv)).await.is_ok(), ok);
    }
}
