//! Writes a captured secret to its file: prepared before the request leaves, so that it cannot be lost for want of a place.

use std::io::Write;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{FileType, Mode, OFlags};

/// A place for a secret, already opened.
#[derive(Debug)]
pub struct Sink {
    directory: OwnedFd,
    file: Option<OwnedFd>,
    partial: String,
    name: String,
    path: PathBuf,
}

/// Why there is no place for a secret.
#[derive(Debug, thiserror::Error)]
pub enum SinkError {
    /// Not directly below the configured directory.
    #[error("sink `{0}` is not directly below the configured `secret_dir`")]
    Elsewhere(String),
    /// The directory could be read or changed by others.
    #[error("secret_dir `{path}` {why}")]
    Directory {
        /// Which directory.
        path: String,
        /// What is wrong, and the way out.
        why: String,
    },
    /// Writing failed.
    #[error("cannot write the secret to `{path}`: {error}")]
    Write {
        /// Which file.
        path: String,
        /// What the system said.
        error: String,
    },
}

impl Sink {
    /// Opens a new file, mode 0600, beside where the secret will be.
    pub fn prepare(path: &Path, secret_dir: &Path) -> Result<Self, SinkError> {
        let elsewhere = || SinkError::Elsewhere(path.display().to_string());
        let name = path
            .file_name()
            .and_then(|n| n.to_str())
            .filter(|n| !n.starts_with('.'))
            .ok_or_else(elsewhere)?;
        if !secret_dir.is_absolute() || path.parent() != Some(secret_dir) {
            return Err(elsewhere());
        }
        let directory = open_directory(secret_dir)?;
        let partial = format!(".{name}.{}.partial", uuid::Uuid::now_v7());
        let flags =
            OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = rustix::fs::openat(&directory, &partial, flags, Mode::RUSR | Mode::WUSR)
            .map_err(|e| SinkError::Write {
                path: path.display().to_string(),
                error: e.to_string(),
            })?;
        Ok(Self {
            directory,
            file: Some(file),
            partial,
            name: name.to_owned(),
            path: path.to_owned(),
        })
    }

    /// Writes the secret, makes it durable and gives it its name. A former secret of that name is replaced.
    pub fn keep(mut self, secret: &str) -> Result<PathBuf, SinkError> {
        let failed = |error: std::io::Error| SinkError::Write {
            path: self.path.display().to_string(),
            error: error.to_string(),
        };
        if let Some(fd) = self.file.take() {
            let mut file = std::fs::File::from(fd);
            file.write_all(secret.as_bytes()).map_err(failed)?;
            file.sync_all().map_err(failed)?;
            rustix::fs::renameat(&self.directory, &self.partial, &self.directory, &self.name)
                .and_then(|()| rustix::fs::fsync(&self.directory))
                .map_err(|e| failed(e.into()))?;
        }
        Ok(self.path.clone())
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        if self.file.is_some() {
            // Nothing was written; a file that stays behind is empty.
            let _ =
                rustix::fs::unlinkat(&self.directory, &self.partial, rustix::fs::AtFlags::empty());
        }
    }
}

fn open_directory(path: &Path) -> Result<OwnedFd, SinkError> {
    let fail = |why: String| SinkError::Directory {
        path: path.display().to_string(),
        why,
    };
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let fd = rustix::fs::open(path, flags, Mode::empty())
        .map_err(|e| fail(format!("cannot be opened: {e}; create it with mode 0700")))?;
    let stat = rustix::fs::fstat(&fd).map_err(|e| fail(format!("cannot be examined: {e}")))?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::Directory {
        return Err(fail("is no directory; create one".to_owned()));
    }
    if stat.st_uid != rustix::process::geteuid().as_raw() {
        return Err(fail("belongs to somebody else; use your own".to_owned()));
    }
    if stat.st_mode & 0o077 != 0 {
        return Err(fail(
            "is open to group or others; run `chmod 700` on it".to_owned(),
        ));
    }
    Ok(fd)
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    fn private() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        fs::set_permissions(dir.path(), Permissions::from_mode(0o700)).unwrap();
        dir
    }

    #[test]
    fn keeps_a_secret_for_its_owner_alone_and_replaces_links() {
        let dir = private();
        let other = private();
        fs::write(other.path().join("victim"), "untouched").unwrap();
        let path = dir.path().join("svc.secret");
        symlink(other.path().join("victim"), &path).unwrap();
        let kept = Sink::prepare(&path, dir.path())
            .unwrap()
            .keep("canary")
            .unwrap();
        assert_eq!(fs::read_to_string(&kept).unwrap(), "canary");
        let meta = fs::symlink_metadata(&kept).unwrap();
        assert!(meta.is_file() && meta.permissions().mode() & 0o777 == 0o600);
        assert_eq!(
            fs::read_to_string(other.path().join("victim")).unwrap(),
            "untouched"
        );
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn refuses_other_places_and_open_directories() {
        let dir = private();
        for path in ["/etc/passwd", "../x", "a/b", ".hidden", ".."] {
            assert!(
                Sink::prepare(&dir.path().join(path), dir.path()).is_err(),
                "{path}"
            );
        }
        drop(Sink::prepare(&dir.path().join("unused"), dir.path()).unwrap());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
        fs::set_permissions(dir.path(), Permissions::from_mode(0o750)).unwrap();
        assert!(Sink::prepare(&dir.path().join("x"), dir.path()).is_err());
    }
}
