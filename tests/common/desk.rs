//! A folder with everything a console needs, and the real program run in it.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

/// A private folder with configuration, alerts, inventory and state.
pub struct Desk(tempfile::TempDir);

/// What a run of the program gave.
#[derive(Debug)]
pub struct Done {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Done {
    /// Asserts the exit code.
    #[track_caller]
    pub fn ends(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{}\n{}", self.out, self.err);
        self
    }

    /// Asserts that standard error tells each of these.
    #[track_caller]
    pub fn tells(self, parts: &[&str]) -> Self {
        for part in parts {
            assert!(self.err.contains(part), "no `{part}` in: {}", self.err);
        }
        self
    }

    /// Reads standard output as one JSON document.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|e| panic!("{e}: {}", self.out))
    }

    /// Reads standard output as JSON lines.
    #[track_caller]
    pub fn rows(&self) -> Vec<Value> {
        self.out
            .lines()
            .map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}")))
            .collect()
    }
}

impl Desk {
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// Writes the configuration: the alert file, the inventory and what is given.
    pub fn configured(connector: &str, inventory: &str) -> Self {
        let desk = Self::new();
        desk.write("alerts.jsonl", "");
        desk.write("inventory.toml", inventory);
        let config = format!(
            "[[source]]\nkind = 'file'\nname = 'siem'\npath = 'alerts.jsonl'\n\n\
             [inventory]\nfiles = ['inventory.toml']\n\n{connector}"
        );
        desk.write("config.toml", &config);
        desk
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn home(&self) -> &Path {
        self.0.path()
    }

    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, text).unwrap();
        path
    }

    /// Adds a line to the alert file, as the tool that writes it would.
    pub fn alert(&self, line: &str) {
        let mut file = fs::OpenOptions::new()
            .append(true)
            .open(self.path("alerts.jsonl"))
            .unwrap();
        writeln!(file, "{line}").unwrap();
    }

    /// Returns the options that make a run work in this folder.
    pub fn options(&self) -> Vec<String> {
        let show = |name| self.path(name).display().to_string();
        vec![
            "--config".into(),
            show("config.toml"),
            "--state-dir".into(),
            show("state"),
        ]
    }

    /// Runs the program on this folder's configuration.
    pub fn run(&self, args: &[&str]) -> Done {
        let options = self.options();
        let options = options.iter().map(String::as_str);
        self.bare(&options.chain(args.iter().copied()).collect::<Vec<_>>())
    }

    /// Runs the program on the drill, in this folder.
    pub fn drill(&self, args: &[&str]) -> Done {
        let state = self.path("state").display().to_string();
        let mut all = vec!["--drill", "--state-dir", state.as_str()];
        all.extend_from_slice(args);
        self.bare(&all)
    }

    /// Runs the program with nothing but these arguments.
    pub fn bare(&self, args: &[&str]) -> Done {
        self.fed(args, Stdio::null())
    }

    /// Runs the program with nothing but these arguments and this standard input.
    pub fn fed(&self, args: &[&str], input: impl Into<Stdio>) -> Done {
        let output = Command::new(env!("CARGO_BIN_EXE_stanch"))
            .args(args)
            .env_clear()
            .env("HOME", self.home())
            .env("PATH", "/usr/bin:/bin")
            .current_dir(self.elsewhere())
            .stdin(input)
            .output()
            .unwrap();
        Done {
            code: output.status.code().expect("ended by a signal"),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// A folder that no path may silently be relative to.
    fn elsewhere(&self) -> PathBuf {
        let path = self.path("elsewhere");
        fs::create_dir_all(&path).unwrap();
        path
    }

    /// Everything the program left behind, for asserting that something is in none of it.
    pub fn left_behind(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let mut found = Vec::new();
        let mut folders = vec![self.path("state")];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                match path.is_dir() {
                    true => folders.push(path),
                    false => found.push((path.clone(), fs::read(&path).unwrap_or_default())),
                }
            }
        }
        found
    }
}

/// An OCSF Detection Finding: somebody else uses a token of this identity.
pub fn finding(uid: &str, native_id: &str) -> String {
    json!({
        "class_uid": 2004,
        "activity_id": 1,
        "time": jiff::Timestamp::now().as_millisecond() - 90_000,
        "severity_id": 5,
        "confidence_id": 3,
        "metadata": {"version": "1.4.0", "product": {"name": "Token Watch", "vendor_name": "Example"}},
        "finding_info": {"uid": uid, "title": "Service token used from a second network", "attacks": [{"technique": {"uid": "T1550.001"}}]},
        "actor": {"user": {"uid": native_id, "name": native_id, "type": "Service", "type_id": 4}},
    })
    .to_string()
}
