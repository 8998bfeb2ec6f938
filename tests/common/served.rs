//! A running `stanch serve`, or another that runs until it is told to end.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use super::desk::Desk;

/// Longest wait for something that must happen.
const PATIENCE: Duration = Duration::from_secs(30);

pub struct Served {
    child: Child,
    lines: Receiver<String>,
    seen: Vec<String>,
}

/// An address on loopback that nobody listens at.
pub fn free_address() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().to_string()
}

fn hear(from: impl std::io::Read + Send + 'static, sender: Sender<String>) {
    std::thread::spawn(move || {
        for line in BufReader::new(from).split(b'\n').map_while(Result::ok) {
            let line = String::from_utf8_lossy(&line).into_owned();
            if sender.send(line).is_err() {
                return;
            }
        }
    });
}

/// Writes a file that only we can read, and returns the reference to it.
pub fn secret(desk: &Desk, name: &str, text: &str) -> String {
    let path = desk.write(name, text);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    format!("file:{}", path.display())
}

impl Served {
    pub fn start(desk: &Desk) -> Self {
        Self::running(desk, "serve")
    }

    /// Starts what runs on; both its outputs are heard.
    pub fn running(desk: &Desk, what: &str) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_stanch"))
            .args(desk.options())
            .arg(what)
            .env_clear()
            .env("HOME", desk.home())
            .env("PATH", "/usr/bin:/bin")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (sender, lines) = channel();
        hear(child.stderr.take().unwrap(), sender.clone());
        hear(child.stdout.take().unwrap(), sender);
        Self {
            child,
            lines,
            seen: Vec::new(),
        }
    }

    /// Waits until a line holds a text.
    #[track_caller]
    pub fn says(&mut self, text: &str) {
        let end = Instant::now() + PATIENCE;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok(line) => {
                    let found = line.contains(text);
                    self.seen.push(line);
                    if found {
                        return;
                    }
                }
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                    panic!("no line with `{text}` in:\n{}", self.seen.join("\n"))
                }
            }
        }
    }

    /// Waits until it said all of these, whichever first.
    #[track_caller]
    pub fn says_all(&mut self, texts: &[&str]) {
        let begin = self.seen.len();
        for text in texts {
            if !self.seen[begin..].iter().any(|line| line.contains(text)) {
                self.says(text);
            }
        }
    }

    /// Asks it to end, and returns everything that it said.
    pub fn ends_having_said(mut self) -> Vec<String> {
        self.terminate();
        self.child.wait().unwrap();
        let mut all = std::mem::take(&mut self.seen);
        all.extend(self.lines.iter());
        all
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks it to end and returns its exit code.
    pub fn ends(mut self) -> Option<i32> {
        self.terminate();
        self.child.wait().unwrap().code()
    }

    fn terminate(&self) {
        let pid = rustix::process::Pid::from_raw(self.child.id() as i32).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // An error means that it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
