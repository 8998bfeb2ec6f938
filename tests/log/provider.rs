//! An OAuth server that counts revocations and is asked to answer them or not, and a folder with a console's world.

use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};

use serde_json::Value;

use super::request::read_request;

/// What the server was asked, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    Introspect,
    Revoke,
    /// The answer to a revocation is in the system's hands.
    Answered,
}

pub struct Provider {
    pub port: u16,
    pub revocations: Arc<AtomicUsize>,
    pub answers: Arc<AtomicBool>,
    /// What introspection says; a revocation ends it where `obeys`.
    pub active: Arc<AtomicBool>,
    pub obeys: Arc<AtomicBool>,
    pub asked: Receiver<Asked>,
}

impl Provider {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let revocations = Arc::new(AtomicUsize::new(0));
        let answers = Arc::new(AtomicBool::new(true));
        let (sender, asked) = channel();
        let (active, obeys) = (
            Arc::new(AtomicBool::new(true)),
            Arc::new(AtomicBool::new(false)),
        );
        let (count, speaks) = (revocations.clone(), answers.clone());
        let (state, ends) = (active.clone(), obeys.clone());
        // Held open: a closed connection would be an answer.
        let held: Arc<Mutex<Vec<TcpStream>>> = Arc::default();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (count, speaks) = (count.clone(), speaks.clone());
                let (state, ends) = (state.clone(), ends.clone());
                let (sender, held) = (sender.clone(), held.clone());
                std::thread::spawn(move || {
                    while let Some(path) = read_request(&stream) {
                        let revokes = path.ends_with("/revoke");
                        if revokes {
                            count.fetch_add(1, Ordering::SeqCst);
                            state.fetch_and(!ends.load(Ordering::SeqCst), Ordering::SeqCst);
                        }
                        let _ = sender.send(if revokes {
                            Asked::Revoke
                        } else {
                            Asked::Introspect
                        });
                        if revokes && !speaks.load(Ordering::SeqCst) {
                            held.lock().unwrap().push(stream);
                            return;
                        }
                        let body = format!("{{\"active\":{}}}", state.load(Ordering::SeqCst));
                        let answer = format!(
                            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
                            body.len()
                        );
                        if (&stream).write_all(answer.as_bytes()).is_err() {
                            return;
                        }
                        if revokes {
                            let _ = sender.send(Asked::Answered);
                        }
                    }
                });
            }
        });
        Self {
            port,
            revocations,
            answers,
            active,
            obeys,
            asked,
        }
    }

    pub fn revocations(&self) -> usize {
        self.revocations.load(Ordering::SeqCst)
    }
}

/// A console's folder, with as many alerts about as many identities.
pub struct World {
    home: tempfile::TempDir,
}

impl World {
    pub fn new(port: u16, alerts: usize) -> Self {
        let memory = Path::new("/dev/shm");
        let home = if memory.is_dir() {
            tempfile::tempdir_in(memory)
        } else {
            tempfile::tempdir()
        };
        let world = Self {
            home: home.unwrap(),
        };
        let (token, console) = (world.secret("token"), world.secret("console"));
        let (mut lines, mut inventory) = (String::new(), String::new());
        for n in 0..alerts {
            lines += &alert(n);
            let one = format!(
                "[[identity]]\nid='as:svc-{n}'\nname='svc-{n}'\nkind='oauth_client'\nconnector='as'\naliases=['svc-{n}']\n\
                 params={{client_id='svc-{n}'}}\n[[identity.credential]]\nid='t1'\nkind='access_token'\nsecret_ref='file:{token}'\n"
            );
            inventory += &one;
        }
        world.write("alerts.jsonl", &lines);
        world.write("inventory.toml", &inventory);
        world.write(
            "stanch.toml",
            &format!(
                "[[source]]\nkind='file'\nname='siem'\npath='alerts.jsonl'\n[inventory]\nfiles=['inventory.toml']\n\
                 [connector.as]\npreset='oauth'\nbase_url='http://127.0.0.1:{port}'\ntimeout_s=60\n\
                 auth={{kind='basic',username='console',password='file:{console}'}}\n"
            ),
        );
        world
    }

    pub fn home(&self) -> &Path {
        self.home.path()
    }

    pub fn store(&self) -> PathBuf {
        self.home().join("state/journal")
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.home().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    fn secret(&self, name: &str) -> String {
        use std::os::unix::fs::PermissionsExt as _;
        let path = self.write(name, "not-a-real-secret\n");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        path.display().to_string()
    }

    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_stanch"));
        command
            .args(args)
            .args(["--config", "stanch.toml", "--state-dir", "state"])
            .current_dir(self.home())
            .env("HOME", self.home());
        command
    }

    pub fn spawn(&self, args: &[&str]) -> Child {
        let mut command = self.command(args);
        command
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap()
    }

    /// Runs to the end: exit code, standard output, standard error.
    pub fn run(&self, args: &[&str]) -> (i32, String, String) {
        let done = self.command(args).output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (
            done.status.code().unwrap_or(-1),
            text(done.stdout),
            text(done.stderr),
        )
    }

    /// Plans to revoke the tokens of identity `n`.
    pub fn plan(&self, n: usize) -> String {
        let alert = format!("siem/f-{n}");
        let args = ["plan", &alert, "--playbook", "cut-live-access", "--json"];
        let (_, out, err) = self.run(&args);
        let plan: Value = serde_json::from_str(&out).unwrap_or_else(|_| panic!("{out}{err}"));
        plan["digest"].as_str().unwrap().to_owned()
    }

    /// Lines of `log show` that are asked for.
    pub fn shown(&self, args: &[&str]) -> Vec<Value> {
        let args: Vec<&str> = ["log", "show", "--json"]
            .iter()
            .chain(args)
            .copied()
            .collect();
        let (code, out, err) = self.run(&args);
        assert_eq!(code, 0, "{err}");
        out.lines()
            .map(|l| serde_json::from_str(l).unwrap())
            .collect()
    }
}

fn alert(n: usize) -> String {
    format!(
        r#"{{"class_uid":2004,"category_uid":2,"activity_id":1,"type_uid":200401,"time":1794000000000,"severity_id":4,"confidence_score":90,"metadata":{{"version":"1.5.0","product":{{"name":"detector","vendor_name":"Example"}}}},"finding_info":{{"uid":"f-{n}","title":"Token of svc-{n} used from elsewhere","types":["token_replay"]}},"evidences":[{{"actor":{{"user":{{"uid":"svc-{n}","name":"svc-{n}","type_id":4}}}}}}]}}"#
    ) + "\n"
}
