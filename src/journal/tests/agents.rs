use std::process::{Child, Command, Stdio};

use super::super::agent::{Agent, AgentError, public_line};
use super::super::statement::{self, Signer};
use super::super::trust::Trust;
use super::*;

/// A real ssh-agent with one key per comment.
struct Ssh {
    child: Child,
    socket: PathBuf,
}

impl Drop for Ssh {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Ssh {
    /// `None` where OpenSSH is not installed, which CI does not accept.
    fn start(dir: &Path, keys: &[(&str, &str)]) -> Option<Self> {
        let socket = dir.join("agent");
        let child = Command::new("ssh-agent")
            .arg("-D")
            .arg("-a")
            .arg(&socket)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let Ok(child) = child else {
            assert!(
                std::env::var_os("CI").is_none(),
                "no ssh-agent on this machine: install openssh-client"
            );
            println!("SKIPPED: no ssh-agent on this machine");
            return None;
        };
        let ssh = Self { child, socket };
        let until = std::time::Instant::now() + std::time::Duration::from_secs(20);
        while !ssh.socket.exists() {
            assert!(std::time::Instant::now() < until, "ssh-agent did not start");
            std::thread::yield_now();
        }
        for (kind, comment) in keys {
            let file = dir.join(comment);
            let run = |command: &mut Command| {
                let done = command
                    .env("SSH_AUTH_SOCK", &ssh.socket)
                    .stdin(Stdio::null())
                    .output()
                    .unwrap();
                assert!(done.status.success(), "{done:?}");
            };
            run(Command::new("ssh-keygen")
                .args(["-q", "-t", kind, "-N", "", "-C", comment, "-f"])
                .arg(&file));
            run(Command::new("ssh-add").arg("-q").arg(&file));
        }
        Some(ssh)
    }

    fn signer(&self, wanted: &str) -> Result<Signer, AgentError> {
        Signer::new(Agent::at(&self.socket).unwrap(), wanted)
    }
}

#[test]
fn a_real_agent_signs_and_what_it_signed_is_bound_to_text_and_log() {
    let dir = tempfile::tempdir().unwrap();
    let keys = [("ed25519", "bob@laptop"), ("ecdsa", "old")];
    let Some(ssh) = Ssh::start(dir.path(), &keys) else {
        return;
    };
    // The only key that can be used here is the Ed25519 one; ssh-keygen names it as we do.
    let mut signer = ssh.signer("").unwrap();
    assert_eq!(signer.key().comment, "bob@laptop");
    let listed = Command::new("ssh-keygen")
        .arg("-lf")
        .arg(dir.path().join("bob@laptop.pub"))
        .output()
        .unwrap();
    let listed = String::from_utf8(listed.stdout).unwrap();
    assert!(listed.contains(&signer.key().fingerprint()), "{listed}");
    let line = std::fs::read_to_string(dir.path().join("bob@laptop.pub")).unwrap();
    assert!(line.starts_with(&public_line(&signer.key().key)));

    let text = statement::approval(&"ab".repeat(32), true);
    let signed = signer.sign("s/h/bob", &text).unwrap();
    let key = signer.key().key;
    assert_eq!(statement::check(&signed, "s/h/bob", &text), Some(key));
    assert_eq!(statement::check(&signed, "s/h/eve", &text), None);
    let other = statement::approval(&"ab".repeat(32), false);
    assert_eq!(statement::check(&signed, "s/h/bob", &other), None);
    let mut forged = signed.clone();
    forged["note"] = signed["note"]
        .as_str()
        .unwrap()
        .replace("approve", "reject")
        .into();
    assert_eq!(statement::check(&forged, "s/h/bob", &other), None);
}

#[test]
fn which_key_must_be_clear() {
    let dir = tempfile::tempdir().unwrap();
    let keys = [("ed25519", "one"), ("ed25519", "two")];
    let Some(ssh) = Ssh::start(dir.path(), &keys) else {
        return;
    };
    let says = |wanted: &str| ssh.signer(wanted).unwrap_err().to_string();
    assert!(says("").contains("2 Ed25519 keys"), "{}", says(""));
    assert!(says("three").contains("no Ed25519 key") && says("three").contains("three"));
    let two = ssh.signer("two").unwrap().key().clone();
    assert_eq!(ssh.signer(&two.fingerprint()).unwrap().key(), &two);
    // A key that left between the question and the signature signs nothing.
    let mut signer = ssh.signer("two").unwrap();
    let gone = Command::new("ssh-add")
        .args(["-q", "-D"])
        .env("SSH_AUTH_SOCK", &ssh.socket)
        .status();
    assert!(gone.unwrap().success());
    let refused = signer.sign("s/h/bob", "text\n").unwrap_err();
    assert!(matches!(refused, AgentError::Refused), "{refused}");
}

#[test]
fn a_countersignature_by_agent_counts_for_whom_the_roster_names() {
    let dir = tempfile::tempdir().unwrap();
    let keys = [("ed25519", "bob"), ("ed25519", "mallory")];
    let Some(ssh) = Ssh::start(dir.path(), &keys) else {
        return;
    };
    for (comment, good) in [("bob", true), ("mallory", false)] {
        let place = Place::new();
        drop(place.open());
        std::fs::remove_dir_all(place.config().keys).unwrap();
        let (alice, _) = Writer::open_or_adopt(
            place.config(),
            actor("alice"),
            Arc::new(Real),
            now(),
            Some("lost"),
        )
        .unwrap();
        let old = place.verify().logs[0].keys[0].vkey.clone();
        let mut bob = place.open_user("bob");
        let mut signer = ssh.signer(comment).unwrap();
        let origin = "soc.example/jump1/alice";
        bob.countersign(now(), origin, "I saw it drown", Some(&mut signer))
            .unwrap();
        let roster = format!(
            "[[log]]\norigin = '{origin}'\nkeys = ['{old}']\n[[log]]\norigin = 'soc.example/jump1/bob'\nkeys = ['{}']\n\
             [[person]]\nname = 'Bob'\nkeys = ['{}']\nssh_keys = ['{} bob@laptop']\n",
            bob.vkey(),
            bob.vkey(),
            public_line(&ssh.signer("bob").unwrap().key().key),
        );
        drop(alice);
        // Without a roster it counts as any other, and says by which key.
        let how = place.verify().logs[0].keys[1].how.clone();
        assert!(how.contains("with the ssh key SHA256:"), "{how}");
        let options = Options {
            trust: Some(Trust::parse(&roster).unwrap()),
            ..Options::default()
        };
        let log = &verify(&[place.store()], &options).logs[0];
        let how = &log.keys[1].how;
        let said = format!("{:?}", log.findings);
        if good {
            assert!(how.contains("with the ssh key of Bob"), "{how} {said}");
        } else {
            assert_eq!(how, "UNCONTINUED");
            assert!(said.contains("nobody's on the roster"), "{said}");
        }
    }
}

/// An agent is a program like any other: whatever it answers, nothing panics and nothing waits for ever.
#[test]
fn hostile_answers_are_errors() {
    use std::io::{Read as _, Write as _};
    let dir = tempfile::tempdir().unwrap();
    let answers: [&[u8]; 7] = [
        &[],
        &[0, 0, 0, 0],
        &[255, 255, 255, 255],
        &[0, 0, 0, 1, 5],
        &[0, 0, 0, 5, 12, 255, 255, 255, 255],
        &[0, 0, 0, 9, 12, 0, 0, 0, 1, 255, 255, 255, 255],
        &[0, 0, 0, 4, 12],
    ];
    for (i, answer) in answers.into_iter().enumerate() {
        let socket = dir.path().join(format!("s{i}"));
        let server = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        let thread = std::thread::spawn(move || {
            let (mut stream, _) = server.accept().unwrap();
            let mut request = [0; 5];
            stream.read_exact(&mut request).unwrap();
            stream.write_all(answer).unwrap();
        });
        assert!(Agent::at(&socket).unwrap().keys().is_err(), "answer {i}");
        thread.join().unwrap();
    }
    assert!(Agent::at(&dir.path().join("nobody")).is_err());
}
