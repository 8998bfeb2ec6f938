//! Copies of signed heads outside the writer's power, and how far the log is ahead of them.
//!
//! Only a head that is durable is ever handed out. Source of the message format: RFC 3164 §4.1 as syslog(3) writes it
//! to `/dev/log`; systemd-journald and rsyslog both read it.

use std::collections::VecDeque;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use crate::domain::plan::write_ascii_string;

use super::checkpoint::Head;

/// The system's log socket.
pub const DEV_LOG: &str = "/dev/log";
/// Facility authpriv (10), severity informational (6).
const PRIORITY: u8 = 10 * 8 + 6;
/// The same facility, severity critical (2).
const ALARM: u8 = 10 * 8 + 2;
/// Heads kept for whoever takes them: a later one covers every earlier one.
const MOST_PENDING: usize = 16;

/// A signed head to be copied somewhere else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// Which log.
    pub origin: String,
    /// How many lines it covers.
    pub size: u64,
    /// The signed note (C2SP tlog-checkpoint), to be sent as it stands.
    pub note: String,
}

/// How far anchors reach.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AnchorState {
    /// How many lines are durable.
    pub size: u64,
    /// How many of them somebody else confirmed.
    pub anchored: u64,
    /// When the first of the others was written; `None` when there are none.
    pub since: Option<Timestamp>,
    /// Whether heads go to the system's log.
    pub syslog: bool,
}

/// Hands heads out and keeps count.
#[derive(Debug, Default)]
pub struct Anchors {
    socket: Option<(UnixDatagram, PathBuf)>,
    pending: VecDeque<Note>,
    open: VecDeque<(u64, Timestamp)>,
    size: u64,
    anchored: u64,
}

impl Anchors {
    /// Sends heads to the system's log from now on. Without a socket there that root owns, nothing is sent: a socket
    /// of the writer's own would prove nothing.
    pub fn use_syslog(&mut self, path: &Path) {
        let genuine =
            std::fs::metadata(path).is_ok_and(|m| m.file_type().is_socket() && m.uid() == 0);
        if genuine {
            self.use_socket(path);
        }
    }

    /// Sends heads to this socket.
    pub fn use_socket(&mut self, path: &Path) {
        self.socket = UnixDatagram::unbound()
            .and_then(|s| s.set_nonblocking(true).map(|()| s))
            .ok()
            .map(|s| (s, path.to_owned()));
    }

    /// Takes a durable head.
    pub fn publish(&mut self, head: &Head, signed: &str, now: Timestamp) {
        if head.size <= self.size && self.size > 0 {
            return;
        }
        self.size = head.size;
        if self.open.len() >= 1024 {
            // Only the oldest time is ever asked for; the rest may be coarse.
            self.open.pop_back();
        }
        self.open.push_back((head.size, now));
        self.confirm(0);
        if self.pending.len() >= MOST_PENDING {
            self.pending.pop_front();
        }
        self.pending.push_back(Note {
            origin: head.origin.clone(),
            size: head.size,
            note: signed.to_owned(),
        });
        self.send_to_log(head.size, signed);
    }

    /// Sends the latest head once more, to a socket that was just named.
    pub fn resend(&mut self) {
        if let Some(note) = self.pending.back().cloned() {
            self.send_to_log(note.size, &note.note);
        }
    }

    fn send_to_log(&mut self, size: u64, signed: &str) {
        let Some((socket, path)) = &self.socket else {
            return;
        };
        let mut text =
            format!("<{PRIORITY}>stanch[{}]: {{\"note\":", std::process::id()).into_bytes();
        write_ascii_string(signed, &mut text);
        text.push(b'}');
        // An anchor that fails shows as distance and stops nothing.
        if socket.send_to(&text, path).is_ok_and(|n| n == text.len()) {
            self.confirm(size);
        }
    }

    /// Leaves a line in the system's log that is no head: what the log itself could not take.
    pub fn tell(&self, line: &[u8]) -> bool {
        let Some((socket, path)) = &self.socket else {
            return false;
        };
        let lead = format!("<{ALARM}>stanch[{}]: ", std::process::id());
        let text = [lead.as_bytes(), line].concat();
        socket.send_to(&text, path).is_ok_and(|n| n == text.len())
    }

    /// Returns heads that were not taken yet, oldest first; a later one covers the earlier ones.
    pub fn take(&mut self) -> Vec<Note> {
        self.pending.drain(..).collect()
    }

    /// Notes that somebody else holds the head over `size` lines.
    pub fn confirm(&mut self, size: u64) {
        self.anchored = self.anchored.max(size);
        while self.open.front().is_some_and(|(s, _)| *s <= self.anchored) {
            self.open.pop_front();
        }
    }

    /// Returns how far anchors reach.
    pub fn state(&self) -> AnchorState {
        AnchorState {
            size: self.size,
            anchored: self.anchored.min(self.size),
            since: self.open.front().map(|(_, since)| *since),
            syslog: self.socket.is_some(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(size: u64) -> Head {
        Head {
            origin: "s/h/a".into(),
            size,
            root: [1; 32],
        }
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn counts_the_distance() {
        let mut anchors = Anchors::default();
        for n in 1..=3 {
            anchors.publish(&head(n * 2), "signed", at(n.cast_signed()));
        }
        let state = |anchored, since: Option<i64>| AnchorState {
            size: 6,
            anchored,
            since: since.map(at),
            syslog: false,
        };
        assert_eq!(anchors.state(), state(0, Some(1)));
        assert_eq!(anchors.take().len(), 3);
        assert!(anchors.take().is_empty());
        anchors.confirm(2);
        assert_eq!(anchors.state(), state(2, Some(2)));
        anchors.confirm(6);
        assert_eq!(anchors.state(), state(6, None));
        anchors.confirm(99);
        assert_eq!(anchors.state(), state(6, None));
    }

    #[test]
    fn hands_every_head_to_the_systems_log_in_ascii() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let server = UnixDatagram::bind(&path).unwrap();
        let mut anchors = Anchors::default();
        anchors.use_socket(&path);
        anchors.publish(&head(7), "text\n\n\u{2014} s/h/a AAAA\n", at(1));
        let mut buffer = [0; 4096];
        let n = server.recv(&mut buffer).unwrap();
        let text = std::str::from_utf8(&buffer[..n]).unwrap();
        assert!(text.starts_with("<86>stanch[") && text.is_ascii(), "{text}");
        assert!(
            text.ends_with(r#"]: {"note":"text\n\n\u2014 s/h/a AAAA\n"}"#),
            "{text}"
        );
        assert_eq!(anchors.state().since, None);
        assert!(anchors.tell(b"{\"v\":1}"));
        let n = server.recv(&mut buffer).unwrap();
        assert!(buffer[..n].starts_with(b"<82>stanch[") && buffer[..n].ends_with(b"]: {\"v\":1}"));
        // Nobody reads any more: the distance grows, and nothing else happens.
        drop(server);
        anchors.publish(&head(9), "x", at(2));
        assert_eq!(
            (anchors.state().anchored, anchors.state().since),
            (7, Some(at(2)))
        );
    }

    #[test]
    fn a_socket_of_anybody_else_is_no_anchor() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("file"), "").unwrap();
        let mut anchors = Anchors::default();
        anchors.use_syslog(&dir.path().join("file"));
        anchors.use_syslog(&dir.path().join("nothing"));
        anchors.publish(&head(9), "x", at(2));
        assert_eq!(anchors.state().anchored, 0);
    }
}
