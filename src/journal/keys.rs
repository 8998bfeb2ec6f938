//! The signing key of a user on a host: one PKCS#8 PEM file that `openssl pkey` reads.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use ed25519_dalek::SigningKey;
use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use ed25519_dalek::pkcs8::{DecodePrivateKey as _, EncodePrivateKey as _, KeypairBytes};
use rustix::fs::{CWD, OFlags, RenameFlags, renameat_with};
use rustix::io::Errno;
use zeroize::Zeroizing;

/// Most bytes of a key file that are read; a PKCS#8 Ed25519 key takes 119.
const MAX_KEY_FILE: u64 = 4096;

/// Why there is no usable signing key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The system refused.
    #[error("cannot {what} {}: {source}", path.display())]
    Io {
        /// What was tried.
        what: &'static str,
        /// On which path.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Others could read or replace it.
    #[error("the key {} has mode {mode:03o}, so others can read or write it: `chmod 600` it, and rotate it if they may have", path.display())]
    Mode {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// It is somebody else's.
    #[error("the key {} belongs to uid {owner}, not to uid {me}: use a key of your own", path.display())]
    Owner {
        /// The file.
        path: PathBuf,
        /// Whose it is.
        owner: u32,
        /// Who asks.
        me: u32,
    },
    /// It is a link, a directory, a device, or has several names.
    #[error("the key {} is {what}: put a plain file there", path.display())]
    Kind {
        /// The path.
        path: PathBuf,
        /// What stands there.
        what: &'static str,
    },
    /// It holds something else.
    #[error("the key {} is no PKCS#8 PEM Ed25519 private key: move it aside to have a new one made", path.display())]
    Format {
        /// The file.
        path: PathBuf,
    },
    /// The system gives no randomness.
    #[error("cannot get random bytes for a new key: {0}")]
    Random(String),
}

fn io<'a>(what: &'static str, path: &'a Path) -> impl FnOnce(std::io::Error) -> KeyError + 'a {
    move |source| KeyError::Io {
        what,
        path: path.to_owned(),
        source,
    }
}

/// Reads `<dir>/<host>.pem`, or makes it at first use: directory 0700, file 0600, complete or absent even if the
/// machine stops in between.
pub fn load_or_create(dir: &Path, host: &str) -> Result<SigningKey, KeyError> {
    let path = dir.join(format!("{host}.pem"));
    match path.symlink_metadata() {
        Ok(_) => return load(&path),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
        Err(e) => return Err(io("look at", &path)(e)),
    }
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
        .map_err(io("make the directory", dir))?;
    create(dir, &path)?;
    // Another console may have been first; whatever stands there now is the key.
    load(&path)
}

/// Path of the key that is to take over.
fn next_path(dir: &Path, host: &str) -> PathBuf {
    dir.join(format!("{host}.next.pem"))
}

/// Makes the key that is to take over; one that was left by a rotation that did not get through is used.
pub fn make_next(dir: &Path, host: &str) -> Result<SigningKey, KeyError> {
    let path = next_path(dir, host);
    if path.symlink_metadata().is_err() {
        create(dir, &path)?;
    }
    load(&path)
}

/// Reads the key that was to take over, if there is one.
pub fn load_next(dir: &Path, host: &str) -> Option<SigningKey> {
    load(&next_path(dir, host)).ok()
}

/// Puts the new key in the place of the old one, which is gone then.
pub fn promote_next(dir: &Path, host: &str) -> Result<(), KeyError> {
    let path = dir.join(format!("{host}.pem"));
    std::fs::rename(next_path(dir, host), &path)
        .and_then(|()| File::open(dir)?.sync_all())
        .map_err(io("replace", &path))
}

/// Reads a key, refusing one that others may know or have put there.
pub fn load(path: &Path) -> Result<SigningKey, KeyError> {
    let kind = |what| KeyError::Kind {
        path: path.to_owned(),
        what,
    };
    let found = path.symlink_metadata().map_err(io("look at", path))?;
    if found.is_symlink() {
        return Err(kind("a symbolic link"));
    }
    if !found.is_file() {
        return Err(kind("not a regular file"));
    }
    let file = File::options()
        .read(true)
        .custom_flags((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed())
        .open(path)
        .map_err(io("open", path))?;
    // Judged again on the open file, as the path may have been exchanged in between.
    let found = file.metadata().map_err(io("look at", path))?;
    if !found.is_file() || found.nlink() != 1 {
        return Err(kind("not a regular file with one name"));
    }
    let me = rustix::process::geteuid().as_raw();
    if found.uid() != me {
        return Err(KeyError::Owner {
            path: path.to_owned(),
            owner: found.uid(),
            me,
        });
    }
    if found.mode() & 0o077 != 0 {
        return Err(KeyError::Mode {
            path: path.to_owned(),
            mode: found.mode() & 0o777,
        });
    }
    let mut pem = Zeroizing::new(String::new());
    (&file)
        .take(MAX_KEY_FILE)
        .read_to_string(&mut pem)
        .map_err(io("read", path))?;
    SigningKey::from_pkcs8_pem(&pem).map_err(|_| KeyError::Format {
        path: path.to_owned(),
    })
}

fn create(dir: &Path, path: &Path) -> Result<(), KeyError> {
    let mut secret = Zeroizing::new([0_u8; 32]);
    getrandom::fill(secret.as_mut()).map_err(|e| KeyError::Random(e.to_string()))?;
    // Without the public key this is PKCS#8 version 1, the one that openssl 3.0 reads.
    let pair = KeypairBytes {
        secret_key: *secret,
        public_key: None,
    };
    let pem = pair
        .to_pkcs8_pem(LineEnding::LF)
        .map_err(|_| KeyError::Format {
            path: path.to_owned(),
        })?;
    let mut suffix = [0_u8; 8];
    getrandom::fill(&mut suffix).map_err(|e| KeyError::Random(e.to_string()))?;
    let temporary = dir.join(format!(".{}.tmp", super::merkle::hex(&suffix)));
    let made = write_key(&temporary, pem.as_bytes()).and_then(|()| place(&temporary, path));
    let removed = match std::fs::remove_file(&temporary) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(()),
        other => other,
    };
    made.map_err(io("write", path))?;
    removed.map_err(io("remove", &temporary))?;
    File::open(dir)
        .and_then(|d| d.sync_all())
        .map_err(io("sync", dir))
}

/// Gives a new key its name unless another console was first.
fn place(temporary: &Path, path: &Path) -> std::io::Result<()> {
    let renamed = renameat_with(CWD, temporary, CWD, path, RenameFlags::NOREPLACE);
    let placed = match renamed {
        // Not all file systems can do that. With two names for a moment, a console that reads it just then refuses it.
        Err(Errno::INVAL | Errno::NOSYS) => std::fs::hard_link(temporary, path),
        other => other.map_err(Into::into),
    };
    match placed {
        Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        other => other,
    }
}

/// Writes a key that everybody knows, for logs that are made again byte by byte.
#[cfg(test)]
pub fn fixed(dir: &Path, name: &str, seed: u8) {
    let pair = KeypairBytes {
        secret_key: [seed; 32],
        public_key: None,
    };
    std::fs::create_dir_all(dir).unwrap();
    let pem = pair.to_pkcs8_pem(LineEnding::LF).unwrap();
    write_key(&dir.join(format!("{name}.pem")), pem.as_bytes()).unwrap();
}

fn write_key(path: &Path, pem: &[u8]) -> std::io::Result<()> {
    let mut file = File::options()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(pem)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use rstest::rstest;

    use super::*;

    fn pem(dir: &Path) -> PathBuf {
        dir.join("jump1.pem")
    }

    #[test]
    fn makes_a_private_key_once() {
        let dir = tempfile::tempdir().unwrap();
        let keys = dir.path().join("keys");
        let one = load_or_create(&keys, "jump1").unwrap();
        assert_eq!(load_or_create(&keys, "jump1").unwrap(), one);
        let mode = |p: &Path| p.metadata().unwrap().mode() & 0o777;
        assert_eq!((mode(&keys), mode(&pem(&keys))), (0o700, 0o600));
        assert_eq!(std::fs::read_dir(&keys).unwrap().count(), 1);
    }

    #[test]
    fn many_consoles_at_first_run_agree_on_one_key() {
        let dir = tempfile::tempdir().unwrap();
        let keys: Vec<_> = std::thread::scope(|scope| {
            let all: Vec<_> = (0..8)
                .map(|_| scope.spawn(|| load_or_create(dir.path(), "jump1").unwrap().to_bytes()))
                .collect();
            all.into_iter().map(|t| t.join().unwrap()).collect()
        });
        assert!(keys.iter().all(|k| *k == keys[0]));
    }

    #[rstest]
    #[case(0o640, "640")]
    #[case(0o604, "604")]
    #[case(0o660, "660")]
    fn refuses_what_others_can_open(#[case] mode: u32, #[case] says: &str) {
        let dir = tempfile::tempdir().unwrap();
        load_or_create(dir.path(), "jump1").unwrap();
        std::fs::set_permissions(pem(dir.path()), std::fs::Permissions::from_mode(mode)).unwrap();
        let error = load_or_create(dir.path(), "jump1").unwrap_err().to_string();
        assert!(
            error.contains(says) && error.contains("chmod 600"),
            "{error}"
        );
    }

    #[test]
    fn refuses_links_and_other_things() {
        let dir = tempfile::tempdir().unwrap();
        load_or_create(dir.path(), "real").unwrap();
        std::os::unix::fs::symlink(dir.path().join("real.pem"), pem(dir.path())).unwrap();
        let says = |name: &str| load_or_create(dir.path(), name).unwrap_err().to_string();
        assert!(says("jump1").contains("symbolic link"));
        std::fs::create_dir(dir.path().join("dir.pem")).unwrap();
        assert!(says("dir").contains("not a regular file"));
        std::fs::hard_link(dir.path().join("real.pem"), dir.path().join("twin.pem")).unwrap();
        assert!(says("twin").contains("one name"));
    }

    #[test]
    fn never_repeats_what_a_broken_file_holds() {
        let dir = tempfile::tempdir().unwrap();
        write_key(&pem(dir.path()), b"-----BEGIN canary-7f3a-----").unwrap();
        let error = load(&pem(dir.path())).unwrap_err();
        assert!(error.to_string().contains("move it aside"));
        assert!(!format!("{error:?}{error}").contains("canary"));
    }
}
