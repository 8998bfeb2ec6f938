//! Who writes: the user, session, terminal and process behind a record.

use std::path::Path;
use std::sync::OnceLock;

use serde_json::{Value, json};

use crate::domain::decision::Process;

use super::merkle::hex;
use super::note::Verifier;
use super::writer::VERSION;

/// What the kernel gives for "never set" in `loginuid` and `sessionid`.
const UNSET: u32 = u32::MAX;

/// The person and process at the keyboard, as far as the system knows them.
#[derive(Clone, Debug)]
pub struct Actor {
    /// Login name of the real user id; `uid-1000` when no name is known.
    pub user: String,
    /// Host name, safe for a path and an origin.
    pub host: String,
    /// The `actor` object of every record.
    pub value: Value,
}

impl Actor {
    /// Asks the system. What it cannot tell is null in the record.
    pub fn current() -> Self {
        let uid = rustix::process::getuid().as_raw();
        let user = user_name(uid);
        let host = host_name();
        let process = process();
        let value = json!({
            "user": user,
            "uid": uid,
            "euid": rustix::process::geteuid().as_raw(),
            "loginuid": audit_number("/proc/self/loginuid"),
            "sessionid": audit_number("/proc/self/sessionid"),
            "host": host,
            "tty": tty(),
            // The environment is the user's to write, hence the word.
            "ssh_from": claimed("SSH_CONNECTION"),
            "sudo_from": claimed("SUDO_USER"),
            "pid": process.pid,
            "start": process.start,
            "boot": process.boot,
        });
        Self { user, host, value }
    }
}

impl Actor {
    /// The `actor` object of a record: with the program's version, the id of the key that signs it, and what the person calls themselves.
    pub fn signing(&self, by: &Verifier, person: Option<&str>) -> Value {
        let mut value = self.value.clone();
        if let Value::Object(map) = &mut value {
            map.insert("version".to_owned(), json!(VERSION));
            map.insert("key".to_owned(), json!(hex(&by.id())));
            // The configuration is the user's to write, hence the word.
            map.insert(
                "person".to_owned(),
                json!(person.map(|p| json!({"claimed": p}))),
            );
        }
        value
    }
}

/// The first word of an environment variable, marked as what it is.
fn claimed(name: &str) -> Option<Value> {
    let text = std::env::var(name).ok()?;
    let word: String = text.split(' ').next()?.chars().take(64).collect();
    Some(json!({"claimed": word}))
}

/// Returns this process, told apart from a later one with the same number. Every intent names it, so the system is asked
/// once.
pub fn process() -> Process {
    static OWN: OnceLock<Process> = OnceLock::new();
    let pid = std::process::id();
    // A child that was forked is another process.
    if let Some(own) = OWN.get().filter(|own| own.pid == pid) {
        return own.clone();
    }
    let own = Process {
        pid,
        start: start_of(pid).map_or(0, |(start, _)| start),
        boot: boot_id(),
    };
    // What could not be read now may be readable the next time.
    if own.start != 0 && !own.boot.is_empty() {
        OWN.get_or_init(|| own.clone());
    }
    own
}

/// Tells whether that process still runs on this host since this boot.
pub fn is_alive(process: &Process) -> bool {
    // A process of another boot is gone whatever has its number now; without a boot id nothing can be told apart.
    !process.boot.is_empty()
        && process.boot == boot_id()
        && start_of(process.pid)
            .is_some_and(|(start, state)| start == process.start && !matches!(state, 'Z' | 'X'))
}

/// Makes a name fit for one path component and one part of an origin: ASCII letters, digits, dot, dash, underscore.
pub fn safe_name(name: &str) -> String {
    let mut safe: String = name
        .chars()
        .take(64)
        .map(|c| {
            if c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_') {
                c
            } else {
                '_'
            }
        })
        .collect();
    // A leading dot would make `.`, `..` or a hidden directory.
    if safe.is_empty() || safe.starts_with('.') {
        safe.insert(0, '_');
    }
    safe
}

/// Returns the login name of a user id: from the password file, else from the name service, else `uid-N`.
pub fn user_name(uid: u32) -> String {
    let local = std::fs::read_to_string("/etc/passwd")
        .ok()
        .and_then(|text| name_in(&text, uid));
    let name = local.or_else(|| {
        // Directory users (SSSD, LDAP) are known to the name service only.
        let out = std::process::Command::new("/usr/bin/getent")
            .args(["passwd", &uid.to_string()])
            .stdin(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .output()
            .ok()?;
        name_in(&String::from_utf8(out.stdout).ok()?, uid)
    });
    name.map_or_else(|| format!("uid-{uid}"), |n| safe_name(&n))
}

fn name_in(passwd: &str, uid: u32) -> Option<String> {
    passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let (name, _, id) = (fields.next()?, fields.next()?, fields.next()?);
        (id.parse() == Ok(uid) && !name.is_empty()).then(|| name.to_owned())
    })
}

/// Returns this host's name, safe for a path.
pub fn host_name() -> String {
    safe_name(&rustix::system::uname().nodename().to_string_lossy())
}

fn audit_number(path: &str) -> Option<u32> {
    let number = std::fs::read_to_string(path).ok()?.trim().parse().ok()?;
    (number != UNSET).then_some(number)
}

fn tty() -> Option<String> {
    let name = rustix::termios::ttyname(rustix::stdio::stdin(), Vec::new()).ok()?;
    Some(name.to_string_lossy().into_owned())
}

fn boot_id() -> String {
    std::fs::read_to_string("/proc/sys/kernel/random/boot_id")
        .map(|id| id.trim().to_owned())
        .unwrap_or_default()
}

/// Start time in clock ticks since boot and state, from `/proc/PID/stat` (proc_pid_stat(5), fields 22 and 3).
fn start_of(pid: u32) -> Option<(u64, char)> {
    let stat =
        std::fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("stat")).ok()?;
    // The command name in parentheses may itself contain spaces and parentheses.
    let rest = stat.get(stat.rfind(')')? + 1..)?;
    let mut fields = rest.split_ascii_whitespace();
    let state = fields.next()?.chars().next()?;
    Some((fields.nth(18)?.parse().ok()?, state))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[test]
    fn this_process_is_alive_and_its_twins_are_not() {
        let me = process();
        assert!(me.start > 0 && is_alive(&me));
        let later = Process {
            start: me.start + 1,
            ..me.clone()
        };
        let other_boot = Process {
            boot: "00000000-0000".into(),
            ..me.clone()
        };
        let nobody = Process {
            boot: String::new(),
            ..me
        };
        assert!(!is_alive(&later) && !is_alive(&other_boot) && !is_alive(&nobody));
    }

    #[test]
    fn a_dead_process_is_not_alive() {
        let mut child = std::process::Command::new("/bin/true").spawn().unwrap();
        let pid = child.id();
        let it = Process {
            pid,
            start: start_of(pid).map_or(1, |s| s.0),
            boot: boot_id(),
        };
        child.wait().unwrap();
        assert!(!is_alive(&it));
    }

    #[rstest]
    #[case("alice", "alice")]
    #[case("../../etc", "_.._.._etc")]
    #[case(".hidden", "_.hidden")]
    #[case("a b+c/d\u{e9}", "a_b_c_d_")]
    #[case("", "_")]
    fn names_are_safe_for_paths(#[case] name: &str, #[case] safe: &str) {
        assert_eq!(safe_name(name), safe);
    }

    #[test]
    fn finds_a_user_by_number() {
        let passwd = "root:x:0:0::/root:/bin/sh\nbad line\nalice:x:1000:1000::/:/bin/sh\n";
        assert_eq!(name_in(passwd, 1000).as_deref(), Some("alice"));
        assert_eq!(name_in(passwd, 1001), None);
    }
}
