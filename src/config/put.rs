//! Puts files into the state folder whole or not at all.

use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

/// Writes beside a file and puts that in its place: whoever reads meanwhile reads the one or the other. Others can read it
/// only in a folder that is shared with a group.
pub fn in_place(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let dir = path.parent().unwrap_or(Path::new("."));
    let shared = dir
        .metadata()
        .is_ok_and(|found| found.mode() & 0o2070 == 0o2070);
    let mode = if shared { 0o660 } else { 0o600 };
    let new = path.with_extension(format!("{}.tmp", std::process::id()));
    let put = || -> std::io::Result<()> {
        let mut options = std::fs::OpenOptions::new();
        let file = options.write(true).create(true).truncate(true).mode(mode);
        let mut file = file.open(&new)?;
        // The umask may have taken bits away that the others of a shared folder need.
        file.set_permissions(std::fs::Permissions::from_mode(mode))?;
        file.write_all(bytes)?;
        file.sync_all()?;
        std::fs::rename(&new, path)
    };
    put().inspect_err(|_| {
        // What could not be put in place is of no use.
        let _ = std::fs::remove_file(&new);
    })
}
