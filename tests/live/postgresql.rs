//! Containment of a role of a real PostgreSQL, with a session that is open before and ended after.

use std::collections::BTreeMap;
use std::process::{Child, Command, Stdio};

use super::console::{acts, contain, is_whole, plan, requests, states};
use super::desk::{Desk, finding};
use super::server::{self, Secrets};

const PASSWORD: &str = "orders-live-password";

struct Database {
    words: BTreeMap<String, String>,
    secrets: Secrets,
}

/// An open session.
struct Session(Child);

impl Drop for Session {
    fn drop(&mut self) {
        // The server may have ended it already; without this a failing test would keep the server from ending.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Database {
    fn new() -> Self {
        let database = Self {
            words: server::start("postgresql.sh", &[]),
            secrets: Secrets::new(),
        };
        database.sql(&format!(
            "CREATE ROLE readers; CREATE ROLE \"svc-deployer\" LOGIN CREATEDB PASSWORD '{PASSWORD}'; GRANT readers TO \"svc-deployer\";"
        ));
        database
    }

    fn psql(&self, user: &str, password: &str) -> Command {
        let mut psql = Command::new("psql");
        psql.args(["-X", "-q", "-A", "-t", "-d", &self.words["url"]])
            .env("PGUSER", user)
            .env("PGPASSWORD", password)
            .stdin(Stdio::null())
            .stderr(Stdio::null());
        psql
    }

    fn sql(&self, text: &str) -> String {
        let mut psql = self.psql("postgres", &self.words["password"]);
        let output = psql
            .args(["-v", "ON_ERROR_STOP=1", "-c", text])
            .output()
            .unwrap();
        assert!(output.status.success(), "{text}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    fn logs_in(&self) -> bool {
        let mut psql = self.psql("svc-deployer", PASSWORD);
        psql.args(["-c", "SELECT 1"])
            .output()
            .unwrap()
            .status
            .success()
    }

    /// Opens a session that stays.
    fn session(&self) -> Session {
        let mut psql = self.psql("svc-deployer", PASSWORD);
        psql.args(["-c", "SELECT pg_sleep(600)"])
            .stdout(Stdio::null());
        let child = Session(psql.spawn().unwrap());
        for _ in 0..100 {
            if self.sessions() == "1" {
                return child;
            }
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        panic!("the session is never listed");
    }

    fn sessions(&self) -> String {
        self.sql("SELECT count(*) FROM pg_stat_activity WHERE usename = 'svc-deployer'")
    }

    fn desk(&self) -> Desk {
        let password = self.secrets.put("console", &self.words["password"]);
        let connector = format!(
            "[connector.live]\npreset = 'postgresql'\nbase_url = '{}'\nparams = {{ sslmode = 'disable' }}\n\
             auth = {{ kind = 'basic', username = 'postgres', password = 'file:{}' }}\n",
            self.words["url"],
            password.display()
        );
        let card = "[[identity]]\nid = 'live:svc-deployer'\nname = 'svc-deployer'\nkind = 'service_account'\n\
            environment = 'production'\nbusiness_owner = 'Payments'\nconnector = 'live'\nparams = { role = 'svc-deployer' }\n";
        let desk = Desk::configured(&connector, card);
        desk.alert(&finding("f-1", "svc-deployer"));
        desk.run(&["config", "check"]).ends(0);
        desk
    }
}

#[test]
#[ignore = "needs real servers; run: cargo test --test live -- --ignored"]
fn a_role_is_turned_off_its_sessions_end_and_it_comes_back() {
    let database = Database::new();
    let mut session = database.session();
    let desk = database.desk();
    let (digest, planned) = plan(&desk, "isolate-identity");
    let shown = planned.to_string();
    assert!(!shown.contains(&database.words["password"]));
    assert!(
        shown.contains("roles that are members may still SET ROLE to it"),
        "{shown}"
    );
    assert_eq!(
        requests(&planned)[0],
        ("RUN".to_owned(), database.words["url"].clone())
    );
    assert!(database.logs_in(), "a plan changes nothing");
    let done = contain(&desk, &digest);
    let done = done.ends(0);
    assert_eq!(
        states(&done),
        ["proven", "proven", "proven", "handed_off", "handed_off"]
    );
    assert!(
        !session.0.wait().unwrap().success(),
        "the session was ended"
    );
    assert_eq!(database.sessions(), "0");
    assert!(!database.logs_in());

    desk.run(&["undo", &digest, "2"]).ends(0);
    assert!(database.logs_in());
    desk.run(&["undo", &digest, "3"])
        .ends(4)
        .tells(&["irreversible"]);
    assert_eq!(acts(&desk), ["intent", "outcome", "verify"].repeat(4));
    is_whole(&desk, &[&database.words["password"], PASSWORD]);
    rights_go_and_come_back(&database);
}

/// Memberships and attributes; and a name that is SQL is only a name.
fn rights_go_and_come_back(database: &Database) {
    use stanch::app::settings::{AuthSettings, ConnectorSettings, SecretRef};
    use stanch::connect::Connector;
    use stanch::domain::vocabulary::Verb;

    let settings = ConnectorSettings {
        preset: Some("postgresql".to_owned()),
        file: None,
        base_url: database.words["url"].clone(),
        params: BTreeMap::from([("sslmode".to_owned(), "disable".to_owned())]),
        auth: AuthSettings::Basic {
            username: "postgres".to_owned(),
            password: SecretRef::File(database.secrets.put("console", &database.words["password"])),
        },
        ca_file: None,
        timeout_s: 20,
    };
    let connector = Connector::new("live", &settings).unwrap();
    let mut identity = server::identity("svc-deployer", None);
    identity.params = BTreeMap::from([("role".to_owned(), "svc-deployer".to_owned())]);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let read = connector.read_context(&identity).await;
        assert_eq!(read.context.unknown, []);
        let names: Vec<&str> = read.context.scopes.iter().map(|s| s.name.raw()).collect();
        assert_eq!(names, ["CREATEDB", "readers"]);
        let rights = "SELECT pg_has_role('svc-deployer', 'readers', 'member') || ' ' || rolcreatedb FROM pg_roles WHERE rolname = 'svc-deployer'";
        let (bound, _) = server::contain(&connector, &identity, Verb::RestrictPrivilege).await;
        assert_eq!(database.sql(rights), "false false");
        server::undo(&connector, &bound).await;
        assert_eq!(database.sql(rights), "true true");
        for name in ["x'; DROP ROLE readers; --", "x\"; DROP ROLE readers; --", "-c DROP ROLE readers", "\\! id"] {
            identity.params.insert("role".to_owned(), name.to_owned());
            let bound = connector.bind(&identity, &[Verb::DisableIdentity], jiff::Timestamp::now()).await;
            assert!(bound.is_err(), "{name}");
        }
        assert_eq!(database.sql("SELECT count(*) FROM pg_roles WHERE rolname = 'readers'"), "1");
    });
}
