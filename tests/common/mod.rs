//! A real terminal for the real program: a pty, its bytes, and the screen they make.

use std::io::{Read, Write};
use std::num::NonZero;
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};

/// Longest wait for something that should happen.
const PATIENCE: Duration = Duration::from_secs(30);

/// A program in a pty.
pub struct Pty {
    master: Box<dyn MasterPty + Send>,
    child: Box<dyn Child + Send + Sync>,
    writer: Box<dyn Write + Send>,
    bytes: Receiver<Vec<u8>>,
    /// Everything the program wrote.
    pub raw: Vec<u8>,
    parser: vt100::Parser,
}

fn nonzero(n: u16) -> NonZero<u16> {
    NonZero::new(n).expect("a terminal has rows and columns")
}

fn size(cols: u16, rows: u16) -> PtySize {
    PtySize {
        rows,
        cols,
        pixel_width: 0,
        pixel_height: 0,
    }
}

impl Pty {
    /// Starts the console with its folders below `home`.
    pub fn stanch(home: &Path, cols: u16, rows: u16, args: &[&str], env: &[(&str, &str)]) -> Self {
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_stanch"));
        command.args(args);
        command.env_clear();
        command.env("HOME", home);
        command.env("PATH", "/usr/bin:/bin");
        command.env("TERM", "xterm-256color");
        command.env("LANG", "C.UTF-8");
        for (key, value) in env {
            command.env(key, value);
        }
        command.cwd(home);
        Self::start(command, cols, rows)
    }

    /// Starts any program.
    pub fn start(command: CommandBuilder, cols: u16, rows: u16) -> Self {
        let pair = native_pty_system().openpty(size(cols, rows)).unwrap();
        let child = pair.slave.spawn_command(command).unwrap();
        drop(pair.slave);
        let mut reader = pair.master.try_clone_reader().unwrap();
        let writer = pair.master.take_writer().unwrap();
        let (sender, bytes) = channel();
        std::thread::spawn(move || {
            let mut chunk = [0; 8_192];
            while let Ok(n @ 1..) = reader.read(&mut chunk) {
                if sender.send(chunk[..n].to_vec()).is_err() {
                    return;
                }
            }
        });
        let parser = vt100::Parser::new(nonzero(rows), nonzero(cols), 0);
        Self {
            master: pair.master,
            child,
            writer,
            bytes,
            raw: Vec::new(),
            parser,
        }
    }

    /// Takes in what was written within `wait`; returns whether there was anything.
    pub fn read_for(&mut self, wait: Duration) -> bool {
        match self.bytes.recv_timeout(wait) {
            Ok(chunk) => {
                self.parser.process(&chunk);
                self.raw.extend(chunk);
                true
            }
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => false,
        }
    }

    /// Returns the screen as text.
    pub fn text(&self) -> String {
        self.parser.screen().contents()
    }

    /// Returns the screen.
    pub fn screen(&self) -> &vt100::Screen {
        self.parser.screen()
    }

    /// Waits until the screen satisfies `wanted`.
    pub fn wait(&mut self, what: &str, wanted: impl Fn(&Self) -> bool) {
        let end = Instant::now() + PATIENCE;
        while !wanted(self) {
            assert!(
                Instant::now() < end,
                "waited for {what}; the screen shows:\n{}",
                self.text()
            );
            self.read_for(Duration::from_millis(50));
        }
    }

    /// Waits until a text is on the screen.
    pub fn wait_for(&mut self, text: &str) {
        self.wait(text, |pty| pty.text().contains(text));
    }

    /// Sends bytes as a keyboard would.
    pub fn send(&mut self, bytes: &str) {
        self.writer.write_all(bytes.as_bytes()).unwrap();
        self.writer.flush().unwrap();
    }

    /// Gives the terminal another size.
    pub fn resize(&mut self, cols: u16, rows: u16) {
        self.parser
            .screen_mut()
            .set_size(nonzero(rows), nonzero(cols));
        self.master.resize(size(cols, rows)).unwrap();
    }

    /// Returns the process id.
    pub fn pid(&self) -> i32 {
        self.child.process_id().unwrap() as i32
    }

    /// Sends a signal.
    pub fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_raw(self.pid()).unwrap();
        rustix::process::kill_process(pid, signal).unwrap();
    }

    /// Waits until the program has ended; returns its exit code.
    pub fn wait_end(&mut self) -> u32 {
        let end = Instant::now() + PATIENCE;
        loop {
            self.read_for(Duration::from_millis(50));
            if let Some(status) = self.child.try_wait().unwrap() {
                while self.read_for(Duration::from_millis(100)) {}
                return status.exit_code();
            }
            assert!(
                Instant::now() < end,
                "the program does not end; the screen shows:\n{}",
                self.text()
            );
        }
    }

    /// Returns the process state letter of Linux, `T` when stopped.
    pub fn state(&self) -> char {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.pid())).unwrap();
        stat.rsplit(") ").next().unwrap().chars().next().unwrap()
    }

    /// Asserts that every mode the program set is put back.
    pub fn assert_restored(&self) {
        let screen = self.screen();
        assert!(!screen.alternate_screen(), "still on the alternate screen");
        assert!(!screen.hide_cursor(), "the cursor is still hidden");
        assert!(!screen.bracketed_paste(), "bracketed paste is still on");
    }
}

impl Drop for Pty {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sequences that ask the terminal something; none may ever be sent.
pub fn assert_no_query(raw: &[u8]) {
    for query in [
        "\x1b[6n",
        "\x1b[c",
        "\x1b[0c",
        "\x1b[>c",
        "\x1b[>q",
        "\x1b]10;?",
        "\x1b]11;?",
        "\x1b[?u",
        "\x1b[18t",
    ] {
        let found = raw.windows(query.len()).any(|w| w == query.as_bytes());
        assert!(!found, "the terminal was asked {query:?}");
    }
}
