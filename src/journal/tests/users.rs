//! T15: three real users and a stranger in one shared store. Needs root, which continuous integration has.

use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt};
use std::process::{Command, Output};

use super::super::actor::host_name;
use super::*;

const ROLE: &str = "STANCH_TEST_USER";
const GROUP: u32 = 61_000;
const USERS: [u32; 3] = [61_001, 61_002, 61_003];
const STRANGER: u32 = 61_004;

/// Not a test by itself: what one user does, as `<what>|<dir>|<text>`.
#[test]
#[ignore = "runs as the child of the test below"]
fn child() {
    let Ok(role) = std::env::var(ROLE) else {
        return;
    };
    let mut parts = role.splitn(3, '|');
    let (what, dir, text) = (
        parts.next().unwrap(),
        parts.next().unwrap(),
        parts.next().unwrap(),
    );
    let uid = rustix::process::geteuid().as_raw();
    let dir = PathBuf::from(dir);
    let store = dir.join("store");
    if what == "write" {
        let config = JournalConfig {
            store,
            site: "soc.example".into(),
            keys: dir.join(format!("home-{uid}/keys")),
            drill: false,
            allow_network_fs: true,
            person: None,
            policy: None,
            fallback: None,
        };
        match Writer::open(config, now()) {
            Err(e) => println!("\nSAYS {e}"),
            Ok((mut writer, opened)) => match writer.append(now(), &[note(text)]) {
                Ok(_) => println!("\nSAYS written {:?} {:?}", opened.damaged, opened.peers),
                Err(e) => println!("\nSAYS {e}"),
            },
        }
    } else {
        let report = verify(std::slice::from_ref(&store), &Options::default());
        let (entries, problems) = super::super::read_store(&store);
        let texts = entries
            .iter()
            .filter(|e| e.body.contains_key("text"))
            .count();
        println!(
            "\nSAYS intact {} texts {texts} problems {}",
            report.intact(),
            problems.len()
        );
    }
}

struct Host {
    dir: TempDir,
    exe: PathBuf,
    cases: usize,
}

impl Host {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let open = |path: &Path, mode| {
            std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
        };
        open(dir.path(), 0o755);
        let exe = dir.path().join("exe");
        std::fs::copy(std::env::current_exe().unwrap(), &exe).unwrap();
        open(&exe, 0o755);
        let store = dir.path().join("store");
        std::fs::create_dir(&store).unwrap();
        std::os::unix::fs::chown(&store, None, Some(GROUP)).unwrap();
        open(&store, 0o2770);
        for uid in USERS.into_iter().chain([STRANGER]) {
            let home = dir.path().join(format!("home-{uid}"));
            std::fs::DirBuilder::new()
                .mode(0o700)
                .create(&home)
                .unwrap();
            std::os::unix::fs::chown(&home, Some(uid), Some(uid)).unwrap();
        }
        Self { dir, exe, cases: 0 }
    }

    fn setpriv(uid: u32) -> Command {
        let mut command = Command::new("setpriv");
        let group = if uid == STRANGER { STRANGER } else { GROUP };
        command.args([
            "--reuid",
            &uid.to_string(),
            "--regid",
            &group.to_string(),
            "--clear-groups",
            "--",
        ]);
        command
    }

    fn run(&mut self, uid: u32, what: &str, text: &str) -> String {
        self.cases += 1;
        let done: Output = Self::setpriv(uid)
            .arg(&self.exe)
            .args([
                "--exact",
                "journal::tests::users::child",
                "--ignored",
                "--nocapture",
            ])
            .env(ROLE, format!("{what}|{}|{text}", self.dir.path().display()))
            .output()
            .unwrap();
        let out = String::from_utf8_lossy(&done.stdout).into_owned();
        let says = out.lines().find_map(|l| l.strip_prefix("SAYS "));
        says.unwrap_or_else(|| panic!("{out}{}", String::from_utf8_lossy(&done.stderr)))
            .to_owned()
    }

    /// Tries something with the shell as a user; tells whether it worked.
    fn may(&mut self, uid: u32, script: &str) -> bool {
        self.cases += 1;
        let mut command = Self::setpriv(uid);
        let done = command
            .args(["sh", "-c", script])
            .current_dir(self.dir.path())
            .output();
        done.unwrap().status.success()
    }

    fn nowhere(uid: u32) -> String {
        format!("store/logs/{}/uid-{uid}", host_name())
    }
}

#[test]
#[ignore = "needs root and setpriv; .ci/run runs it"]
fn users_of_one_store_read_each_other_and_write_only_their_own() {
    assert!(
        rustix::process::geteuid().is_root(),
        "run this as root: it becomes three users"
    );
    let mut host = Host::new();
    for (n, uid) in USERS.into_iter().enumerate() {
        assert_eq!(host.run(uid, "write", "mine"), "written None []", "{uid}");
        let says = host.run(uid, "read", "");
        assert_eq!(says, format!("intact true texts {} problems 0", n + 1));
    }
    let names = std::fs::read_dir(host.dir.path().join("store/logs").join(host_name())).unwrap();
    let names: Vec<String> = names
        .flatten()
        .map(|e| e.file_name().into_string().unwrap())
        .collect();
    assert_eq!(names.len(), 3, "{names:?}");
    let log = |uid: u32| {
        let found = names
            .iter()
            .map(|n| format!("store/logs/{}/{n}", host_name()));
        let mine = |p: &String| host.dir.path().join(p).metadata().unwrap().uid() == uid;
        found
            .into_iter()
            .find(mine)
            .unwrap_or_else(|| Host::nowhere(uid))
    };
    let (a, b) = (log(USERS[0]), log(USERS[1]));
    let segment = format!("{a}/00000000000000000000.jsonl");
    for (path, mode) in [("store/logs", 0o2770), (&*a, 0o750), (&*segment, 0o640)] {
        let found = host.dir.path().join(path).metadata().unwrap();
        assert_eq!(
            (found.mode() & 0o7777, found.gid()),
            (mode, GROUP),
            "{path}"
        );
        host.cases += 1;
    }
    let other = USERS[1];
    assert!(host.may(other, &format!("cat {segment} {a}/checkpoint {a}/vkey")));
    for refused in [
        format!("echo x >> {segment}"),
        format!("rm {segment}"),
        format!("mv {segment} {a}/x"),
        format!("touch {a}/00000000000000000099.jsonl"),
        format!("ln -s /etc/passwd {a}/poisoned"),
        format!("chmod 777 {a}"),
        format!("cat home-{}/keys/*.pem", USERS[0]),
        format!("ls home-{}/keys", USERS[0]),
        format!("touch {a}/blobs/x"),
    ] {
        assert!(!host.may(other, &refused), "{refused}");
    }
    for refused in [
        format!("cat {segment}"),
        "ls store".to_owned(),
        "touch store/logs/x".to_owned(),
    ] {
        assert!(!host.may(STRANGER, &refused), "{refused}");
    }
    assert!(!host.run(STRANGER, "write", "x").starts_with("written"));
    // Somebody of the group plants another analyst's log before that analyst came: nobody takes it for theirs.
    assert!(host.may(
        other,
        &format!("cp -r {b} store/logs/{}/nobody", host_name())
    ));
    assert!(host.run(USERS[2], "read", "").ends_with("problems 1"));
    // A lock that somebody else squats on stops its owner for two seconds, not for ever, and is named.
    let squat = format!("exec 9<{a}/lock; flock -x 9; echo held; sleep 60");
    let mut holder = Host::setpriv(other)
        .args(["sh", "-c", &squat])
        .current_dir(host.dir.path())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = [0; 4];
    std::io::Read::read_exact(holder.stdout.as_mut().unwrap(), &mut said).unwrap();
    assert!(host.run(USERS[0], "write", "later").contains("lock"));
    holder.kill().unwrap();
    holder.wait().unwrap();
    println!("{} cases", host.cases);
    assert!(host.cases >= 25, "{}", host.cases);
}
