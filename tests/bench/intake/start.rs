//! How long the real console takes to its first picture over a store that is full, and until all of it is in the queue.

use std::io::Read as _;
use std::path::Path;
use std::time::{Duration, Instant};

use portable_pty::{CommandBuilder, PtySize, native_pty_system};

use super::goals::{Goals, Must};
use super::{fill, memory};

/// Longest wait for the whole queue.
const PATIENCE: Duration = Duration::from_mins(2);

/// Starts the console on a store of `n` alerts three times, and prints how long it took.
pub fn run(dir: &Path, n: usize, goals: &mut Goals) {
    let state = dir.join("state");
    drop(fill(&state, n));
    let config = dir.join("config.toml");
    std::fs::write(&config, "source = []\n").unwrap();
    let mut pictures = Vec::new();
    println!("start: the console over a store of {n} alerts");
    for _ in 0..3 {
        let size = PtySize {
            rows: 40,
            cols: 120,
            pixel_width: 0,
            pixel_height: 0,
        };
        let pair = native_pty_system().openpty(size).unwrap();
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_stanch"));
        command.args(["--config".as_ref(), config.as_os_str()]);
        command.args(["--state-dir".as_ref(), state.as_os_str()]);
        command.env_clear();
        command.env("HOME", dir);
        command.env("TERM", "xterm-256color");
        command.env("LANG", "C.UTF-8");
        let mut reader = pair.master.try_clone_reader().unwrap();
        let began = Instant::now();
        let mut child = pair.slave.spawn_command(command).unwrap();
        drop(pair.slave);
        let (sender, bytes) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let mut chunk = vec![0; 1 << 16];
            while let Ok(count @ 1..) = reader.read(&mut chunk) {
                if sender
                    .send((Instant::now(), chunk[..count].to_vec()))
                    .is_err()
                {
                    return;
                }
            }
        });
        let (rows, cols) = (40.try_into().unwrap(), 120.try_into().unwrap());
        let mut screen = vt100::Parser::new(rows, cols, 0);
        let (mut first, mut alerts, mut whole) = (None, None, None);
        let wanted = format!("{n} open");
        while whole.is_none() && began.elapsed() < PATIENCE {
            let Ok((at, chunk)) = bytes.recv_timeout(PATIENCE) else {
                break;
            };
            screen.process(&chunk);
            let text = screen.screen().contents();
            let took = at.duration_since(began);
            if text.contains("Alerts ") {
                first.get_or_insert(took);
            }
            if text.contains("svc-") {
                alerts.get_or_insert(took);
            }
            if text.contains(&wanted) {
                whole = Some(took);
            }
        }
        let pid = child.process_id().unwrap_or(0);
        let anonymous = memory(pid, "RssAnon");
        child.kill().unwrap();
        child.wait().unwrap();
        let ms = |d: Option<Duration>| d.map_or(f64::NAN, |d| d.as_secs_f64() * 1e3);
        println!(
            "  first picture {:.0} ms, first alerts {:.0} ms, all {:.0} ms; {} B of memory an alert",
            ms(first),
            ms(alerts),
            ms(whole),
            anonymous / n.max(1)
        );
        pictures.push(ms(first));
    }
    pictures.sort_by(f64::total_cmp);
    // What fzf takes over as many lines.
    goals.add(
        3,
        "first picture over a full store, median",
        Must::Most(37.0),
        pictures[1],
        "ms",
    );
}
