//! A host with four people: Ada asks, Mira agrees, Cleo commands, Olaf looks on.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::Ordering;

use portable_pty::CommandBuilder;
use serde_json::Value;

use super::common::Pty;
use super::provider::Provider;

const GROUP: u32 = 61_000;
pub const ADA: u32 = 61_001;
pub const MIRA: u32 = 61_002;
pub const CLEO: u32 = 61_003;
pub const OLAF: u32 = 61_004;
const PEOPLE: [(u32, &str, &str, &str); 4] = [
    (ADA, "ada", "analyst", "soc"),
    (MIRA, "mira", "approver", "iam"),
    (CLEO, "cleo", "commander", "soc"),
    (OLAF, "olaf", "observer", "soc"),
];

pub struct Host {
    dir: tempfile::TempDir,
    pub provider: Provider,
}

impl Host {
    /// Makes the host; `rules` stand in `[authority]`.
    pub fn new(rules: &str) -> Self {
        let host = Self::bare(rules);
        host.write("roster.toml", "");
        let mut roster = String::new();
        for (uid, name, role, team) in PEOPLE {
            // The first start makes the key and the log.
            let (code, out, err) = host.run(uid, &["alerts", "list"]);
            assert_eq!(code, 0, "{out}{err}");
            let key = host.key(uid);
            let person = format!(
                "[[person]]\nname = '{name}'\nkeys = ['{key}']\nuids = [{uid}]\nrole = '{role}'\nteams = ['{team}']\n"
            );
            roster.push_str(&person);
        }
        host.write("roster.toml", &roster);
        host
    }

    /// Makes another host with the same people and their keys, and nothing else in common.
    pub fn with_people(other: &Self, rules: &str) -> Self {
        let host = Self::bare(rules);
        let roster = std::fs::read_to_string(other.dir().join("roster.toml")).unwrap();
        host.write("roster.toml", &roster);
        for (uid, ..) in PEOPLE {
            let keys = format!("home-{uid}/.config");
            let copy = Command::new("cp")
                .args(["-a"])
                .args([other.dir().join(&keys), host.dir().join(&keys)])
                .status();
            assert!(copy.unwrap().success());
            // What she saw of logs was on the other host.
            let seen = host.dir().join(&keys).join("stanch/keys/seen-heads");
            std::fs::remove_file(seen).unwrap();
        }
        host
    }

    fn bare(rules: &str) -> Self {
        assert!(
            rustix::process::geteuid().is_root(),
            "run this as root: it becomes four users"
        );
        let dir = tempfile::tempdir().unwrap();
        let provider = Provider::start();
        provider.obeys.store(true, Ordering::SeqCst);
        let host = Self { dir, provider };
        open(host.dir(), 0o755);
        std::fs::copy(env!("CARGO_BIN_EXE_stanch"), host.exe()).unwrap();
        open(&host.exe(), 0o755);
        std::fs::copy(std::env::current_exe().unwrap(), host.test_exe()).unwrap();
        open(&host.test_exe(), 0o755);
        let state = host.dir().join("state");
        std::fs::create_dir(&state).unwrap();
        std::os::unix::fs::chown(&state, None, Some(GROUP)).unwrap();
        open(&state, 0o2770);
        for (uid, ..) in PEOPLE {
            let home = host.dir().join(format!("home-{uid}"));
            std::fs::create_dir(&home).unwrap();
            open(&home, 0o700);
            std::os::unix::fs::chown(&home, Some(uid), Some(GROUP)).unwrap();
        }
        host.write("alerts.jsonl", ALERT);
        host.write(
            "inventory.toml",
            "[[identity]]\nid='as:svc-0'\nname='svc-0'\nkind='oauth_client'\nconnector='as'\naliases=['svc-0']\nparams={client_id='svc-0'}\n\
             [[identity.credential]]\nid='t1'\nkind='access_token'\nsecret_ref='env:TOKEN'\n",
        );
        host.write(
            "stanch.toml",
            &format!(
                "[[source]]\nkind='file'\nname='siem'\npath='alerts.jsonl'\n[inventory]\nfiles=['inventory.toml']\n\
                 [connector.as]\npreset='oauth'\nbase_url='http://127.0.0.1:{}'\nauth={{kind='basic',username='console',password='env:TOKEN'}}\n\
                 [authority]\nroster='roster.toml'\n{rules}\n",
                host.provider.port
            ),
        );
        host
    }

    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    pub fn exe(&self) -> PathBuf {
        self.dir().join("stanch")
    }

    pub fn test_exe(&self) -> PathBuf {
        self.dir().join("test")
    }

    pub fn options(&self) -> String {
        let dir = self.dir().display();
        format!("--config {dir}/stanch.toml --state-dir {dir}/state")
    }

    pub fn write(&self, name: &str, text: &str) {
        let path = self.dir().join(name);
        std::fs::write(&path, text).unwrap();
        open(&path, 0o644);
    }

    /// The token lives again.
    pub fn awaken(&self) {
        self.provider.active.store(true, Ordering::SeqCst);
    }

    /// A program as a user.
    pub fn setpriv(&self, uid: u32, program: &Path) -> Command {
        let mut command = Command::new("setpriv");
        let (user, group) = (uid.to_string(), GROUP.to_string());
        command
            .args(["--reuid", &user, "--regid", &group, "--clear-groups", "--"])
            .arg(program)
            .env_clear()
            .env("HOME", self.dir().join(format!("home-{uid}")))
            .env("PATH", "/usr/bin:/bin")
            .env("TOKEN", "not-a-real-secret")
            // What somebody writes there makes nobody somebody else.
            .env("USER", "mira")
            .env("LOGNAME", "mira")
            .env("SUDO_USER", "mira")
            .current_dir(self.dir());
        command
    }

    /// Runs the program as a user to its end.
    pub fn run(&self, uid: u32, args: &[&str]) -> (i32, String, String) {
        let done = self
            .setpriv(uid, &self.exe())
            .args(args)
            .args(self.options().split(' '))
            .output()
            .unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (
            done.status.code().unwrap_or(-1),
            text(&done.stdout),
            text(&done.stderr),
        )
    }

    /// Opens the console of a user on a terminal.
    pub fn console(&self, uid: u32) -> Pty {
        let mut command = CommandBuilder::new("setpriv");
        let (user, group) = (uid.to_string(), GROUP.to_string());
        command.args(["--reuid", &user, "--regid", &group, "--clear-groups", "--"]);
        command.arg(self.exe());
        command.args(self.options().split(' '));
        command.env_clear();
        for (key, value) in [
            ("PATH", "/usr/bin:/bin"),
            ("TERM", "xterm-256color"),
            ("LANG", "C.UTF-8"),
            ("TOKEN", "not-a-real-secret"),
        ] {
            command.env(key, value);
        }
        command.env("HOME", self.dir().join(format!("home-{uid}")));
        command.cwd(self.dir());
        Pty::start(command, 120, 40)
    }

    /// Plans to end what lives of the identity.
    pub fn plan(&self, uid: u32) -> String {
        let args = [
            "plan",
            "siem/f-0",
            "--playbook",
            "cut-live-access",
            "--json",
        ];
        let (_, out, err) = self.run(uid, &args);
        let plan: Value = serde_json::from_str(&out).unwrap_or_else(|_| panic!("{out}{err}"));
        plan["digest"].as_str().unwrap().to_owned()
    }

    /// Verifies all logs, as somebody who knows the roster.
    pub fn verify(&self) -> (i32, String, String) {
        let roster = self.dir().join("roster.toml");
        self.run(
            CLEO,
            &["log", "verify", "--trust", roster.to_str().unwrap()],
        )
    }

    /// The line that pins a user's key.
    pub fn key(&self, uid: u32) -> String {
        let logs = self.dir().join("state/journal/logs");
        let hosts = std::fs::read_dir(logs).unwrap().flatten();
        let mut users = hosts.flat_map(|host| std::fs::read_dir(host.path()).unwrap().flatten());
        let own = users.find(|user| user.metadata().unwrap().uid() == uid);
        let text = std::fs::read_to_string(own.unwrap().path().join("vkey")).unwrap();
        text.trim().to_owned()
    }
}

fn open(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

const ALERT: &str = concat!(
    r#"{"class_uid":2004,"category_uid":2,"activity_id":1,"type_uid":200401,"time":1794000000000,"severity_id":4,"confidence_score":90,"metadata":{"version":"1.5.0","product":{"name":"detector","vendor_name":"Example"}},"finding_info":{"uid":"f-0","title":"Token of svc-0 used from elsewhere","types":["token_replay"]},"evidences":[{"actor":{"user":{"uid":"svc-0","name":"svc-0","type_id":4}}}]}"#,
    "\n"
);
