//! A local socket as a source: programs of this host write JSON lines to it.
//!
//! Only the owner of the socket and root may connect: its mode says so, and who connects is asked of the system besides.
//! A sender that closes its side is told how many of its lines are stored.

use std::io;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio::sync::mpsc::Sender;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::batch::Builder;
use super::lines::Lines;
use super::{Decoding, IntakeEvent, SourceState, put, tell};
use crate::intake::store::LockedStore;

/// Senders at once; others wait.
const MOST_SENDERS: usize = 64;

/// Bytes read at a time.
const CHUNK: usize = 64 << 10;

/// How long to wait before trying again to make the socket.
const RETRY: Duration = Duration::from_secs(5);

/// How long a sender may be silent. What it sent so far is stored; its place is for others.
const LONGEST_SILENCE: Duration = Duration::from_mins(10);

/// How long a sender may take to read what became of its lines.
const PATIENCE: Duration = Duration::from_secs(5);

/// A socket that is listened at; its file goes with it.
struct Bound {
    listener: UnixListener,
    path: PathBuf,
}

impl Drop for Bound {
    fn drop(&mut self) {
        // The next one to listen removes what is left.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Everything that a sender's task needs.
struct Desk {
    name: String,
    decoding: Decoding,
    store: Arc<LockedStore>,
    tx: Sender<IntakeEvent>,
    cancel: CancellationToken,
    /// How long a sender may be silent.
    silence: Duration,
}

/// Listens until cancelled.
pub(super) async fn run(
    name: String,
    path: PathBuf,
    decoding: Decoding,
    store: Arc<LockedStore>,
    tx: Sender<IntakeEvent>,
    cancel: CancellationToken,
) {
    let desk = Desk {
        name,
        decoding,
        store,
        tx,
        cancel,
        silence: LONGEST_SILENCE,
    };
    listen(Arc::new(desk), path).await;
}

async fn listen(desk: Arc<Desk>, path: PathBuf) {
    let cancel = desk.cancel.clone();
    let mut told = None;
    let bound = loop {
        match bind(&path) {
            Ok(bound) => break bound,
            Err(error) => {
                let reason = format!("{}: {error}", path.display());
                if told.as_ref() != Some(&reason) {
                    desk.state(SourceState::Failed(reason.clone())).await;
                    told = Some(reason);
                }
            }
        }
        tokio::select! {
            () = cancel.cancelled() => return,
            () = tokio::time::sleep(RETRY) => {}
        }
    };
    desk.state(SourceState::Following).await;
    let (room, tasks) = (Arc::new(Semaphore::new(MOST_SENDERS)), TaskTracker::new());
    loop {
        let accepted = async {
            let permit = Arc::clone(&room).acquire_owned().await;
            (permit, bound.listener.accept().await)
        };
        tokio::select! {
            () = cancel.cancelled() => break,
            (permit, accepted) = accepted => match accepted {
                Ok((stream, _)) => {
                    let desk = Arc::clone(&desk);
                    tasks.spawn(async move {
                        desk.serve(stream).await;
                        drop(permit);
                    });
                }
                Err(error) => {
                    desk.notice(format!("a connection could not be accepted: {error}")).await;
                    tokio::time::sleep(RETRY).await;
                }
            },
        }
    }
    tasks.close();
    tasks.wait().await;
}

/// Makes the socket. One that nobody listens at any more is replaced; anything else at its place is left alone.
fn bind(path: &Path) -> io::Result<Bound> {
    match std::fs::symlink_metadata(path) {
        Ok(meta) if !meta.file_type().is_socket() => {
            let text = "something else is there, which is no socket; name another path";
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, text));
        }
        Ok(_) if std::os::unix::net::UnixStream::connect(path).is_ok() => {
            let text = "another process listens there; name another path";
            return Err(io::Error::new(io::ErrorKind::AddrInUse, text));
        }
        Ok(_) => std::fs::remove_file(path)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let listener = UnixListener::bind(path)?;
    let bound = Bound {
        listener,
        path: path.to_owned(),
    };
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
    Ok(bound)
}

/// What came of one sender's lines.
#[derive(Default)]
struct Sum {
    alerts: u64,
    unreadable: u64,
}

impl Desk {
    async fn serve(&self, mut stream: UnixStream) {
        let peer = match stream.peer_cred() {
            Ok(peer) => peer,
            Err(error) => {
                return self
                    .notice(format!("nobody knows who connected: {error}"))
                    .await;
            }
        };
        let process = peer
            .pid()
            .map_or_else(String::new, |pid| format!(", process {pid}"));
        let who = format!("uid {}{process}", peer.uid());
        // Between making the socket and setting its mode anybody may have connected.
        if peer.uid() != 0 && peer.uid() != rustix::process::geteuid().as_raw() {
            return self
                .notice(format!(
                    "a sender was turned away: {who} is neither the owner nor root"
                ))
                .await;
        }
        self.state(SourceState::Served(format!("last sender {who}")))
            .await;
        let answer = match self.read(&mut stream).await {
            Ok(sum) => json!({ "alerts": sum.alerts, "unreadable": sum.unreadable }),
            Err(reason) => {
                self.notice(format!("a sender was cut off ({who}): {reason}"))
                    .await;
                json!({ "error": reason })
            }
        };
        let line = format!("{answer}\n");
        // A sender that does not read does not want to know.
        let _ = tokio::time::timeout(PATIENCE, stream.write_all(line.as_bytes())).await;
    }

    async fn read(&self, stream: &mut UnixStream) -> Result<Sum, String> {
        let mut lines = Lines::default();
        let mut chunk = vec![0; CHUNK];
        let mut sum = Sum::default();
        loop {
            let read = tokio::select! {
                () = self.cancel.cancelled() => return Err("the receiver ends; send the rest again".to_owned()),
                read = tokio::time::timeout(self.silence, stream.read(&mut chunk)) => read,
            };
            let read = read.map_err(|_| {
                format!(
                    "it sent nothing for {} s; {} of its alerts are stored, and what had no line end is not",
                    self.silence.as_secs(),
                    sum.alerts
                )
            })?;
            let count = read.map_err(|error| error.to_string())?;
            let mut rest = &chunk[..count];
            loop {
                let builder = Builder::new(&self.name, &self.decoding, Timestamp::now());
                let batch = builder.of_lines(&mut lines, &mut rest, count == 0);
                if !batch.is_empty() {
                    let alerts: usize = batch.accepted.iter().map(|a| a.alerts.len()).sum();
                    sum.alerts += alerts as u64;
                    sum.unreadable += batch.refused.len() as u64;
                    let (store, name) = (Arc::clone(&self.store), self.name.clone());
                    let stored = tokio::task::spawn_blocking(move || put(&store, &name, batch));
                    let told = stored
                        .await
                        .map_err(|error| format!("the storing thread died: {error}"))?
                        .map_err(|error| error.to_string())?;
                    tell(told.into_events(&self.name), &self.tx, &self.cancel).await;
                }
                if rest.is_empty() {
                    break;
                }
            }
            if count == 0 {
                return Ok(sum);
            }
        }
    }

    async fn notice(&self, text: String) {
        let event = IntakeEvent::Notice {
            source: self.name.clone(),
            text,
        };
        tell(std::iter::once(event), &self.tx, &self.cancel).await;
    }

    async fn state(&self, state: SourceState) {
        let event = IntakeEvent::Source {
            source: self.name.clone(),
            state,
        };
        tell(std::iter::once(event), &self.tx, &self.cancel).await;
    }
}

#[cfg(test)]
mod tests;
