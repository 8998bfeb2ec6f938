//! `stanch identity` on real files.

use serde_json::Value;

use crate::desk::Desk;

/// Two sources that do not agree, and a third that cannot be read.
fn desk() -> Desk {
    let desk = Desk::new();
    desk.write(
        "config.toml",
        "[inventory]\nunused_after_d = 30\n\
         [[inventory.source]]\nname = 'catalog'\nfile = 'catalog.json'\n\
         [[inventory.source]]\nfile = 'iam.json'\nconnector = 'cloud'\n\
         [[inventory.source]]\nfile = 'lost.csv'\n",
    );
    desk.write(
        "catalog.json",
        r#"{"as_of":"2020-01-01T00:00:00Z","team":[{"id":"payments","contact":"+44 20 7946 0018"}],"identity":[
{"id":"aws:arn:aws:iam::1:user/ci","technical_owner":"payments","environment":"production"},
{"id":"lab:orphan","name":"orphan","technical_owner":"integrations","last_used":"2020-02-02T00:00:00Z"}]}"#,
    );
    desk.write(
        "iam.json",
        r#"{"UserDetailList":[{"UserName":"ci","UserId":"AIDAEXAMPLEEXAMPLE01","Arn":"arn:aws:iam::1:user/ci",
 "Tags":[{"Key":"environment","Value":"staging"}],
 "AttachedManagedPolicies":[{"PolicyName":"AdministratorAccess","PolicyArn":"arn:aws:iam::aws:policy/AdministratorAccess"}]},
 {"UserName":"broken"}]}"#,
    );
    desk
}

#[test]
fn a_list_shows_owners_doubts_sources_and_mistakes() {
    let desk = desk();
    let list = desk.run(&["identity", "list"]).ends(0);
    for part in [
        "aws:arn:aws:iam::1:user/ci",
        "payments",
        "! conflict, stale_owner",
        "! orphaned_owner, unused, stale_owner, stale_record",
        "2 of 2 identities",
        "catalog: 2 identities, stanch, ",
        "iam.json: 1 identities, aws, ",
        "iam.json:4: an entry of UserDetailList needs `Arn` and `UserName`",
        "iam.json:1: environment of `aws:arn:aws:iam::1:user/ci`: `staging` contradicts what is used, which catalog says",
        "lost.csv: cannot be read: No such file",
    ] {
        assert!(list.out.contains(part), "no `{part}` in: {}", list.out);
    }
    let filtered = |args: &[&str]| {
        let mut all = vec!["identity", "list", "--json"];
        all.extend_from_slice(args);
        let rows = desk.run(&all).ends(0).rows();
        let ids = rows[..rows.len() - 1].iter();
        ids.map(|r| r["id"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(filtered(&["--filter", "owner:integ"]), ["lab:orphan"]);
    assert_eq!(
        filtered(&["--filter", "-owner:integ"]),
        ["aws:arn:aws:iam::1:user/ci"]
    );
    assert_eq!(filtered(&["--filter", "age>90d"]), ["lab:orphan"]);
    assert_eq!(
        filtered(&["--flag", "conflict"]),
        ["aws:arn:aws:iam::1:user/ci"]
    );
    assert_eq!(
        filtered(&["--flag", "any", "--filter", "env=production"]).len(),
        1
    );
    desk.run(&["identity", "list", "--filter", "sev>=high"])
        .ends(2)
        .tells(&["only alerts have that"]);
    desk.run(&["identity", "list", "--flag", "red"])
        .ends(2)
        .tells(&["none of any, no_owner"]);
}

#[test]
fn one_identity_is_shown_with_who_said_what() {
    let desk = desk();
    let shown = desk
        .run(&["identity", "show", "AIDAEXAMPLEEXAMPLE01", "--json"])
        .ends(0)
        .json();
    assert_eq!(shown["found_by"], "one of its other ids");
    let environment = &shown["environment"];
    assert_eq!(
        (
            &environment["value"],
            &environment["source"],
            &environment["stale"]
        ),
        (&"production".into(), &"catalog".into(), &true.into())
    );
    assert_eq!(environment["as_of"], "2020-01-01T00:00:00Z");
    let conflict = &environment["conflicts"][0];
    assert_eq!(
        (&conflict["value"], &conflict["line"]),
        (&"staging".into(), &1.into())
    );
    assert_eq!(shown["contact"]["value"], "+44 20 7946 0018");
    assert_eq!(shown["criticality"], Value::Null);
    assert_eq!(shown["scopes"][0]["level"], "admin");
    assert_eq!(shown["scopes"][0]["source"], "iam.json");
    let text = desk.run(&["identity", "show", "ci"]).ends(0).out;
    for part in [
        "(found by: same name)",
        "environment      production",
        "from catalog, ",
        "  but            staging                              says iam.json, ",
        "criticality      unknown",
        "! stale owner: technical owner `payments` is from catalog, ",
        "  ! AdministratorAccess  admin, use unknown",
    ] {
        assert!(text.contains(part), "no `{part}` in: {text}");
    }
    desk.run(&["identity", "show", "nobody"])
        .ends(2)
        .tells(&["no inventory lists `nobody`", "lost.csv"]);
    desk.run(&["identity", "show", "ci", "--live"])
        .ends(2)
        .tells(&["connector `cloud` is not configured"]);
}

#[test]
fn readiness_says_what_is_missing_and_what_to_do() {
    let desk = desk();
    let rows = desk
        .run(&["identity", "readiness", "--json"])
        .ends(0)
        .rows();
    assert_eq!(
        (&rows[0]["id"], &rows[0]["risk"]),
        (&"lab:orphan".into(), &40.into())
    );
    let ci = &rows[1];
    assert_eq!(ci["id"], "aws:arn:aws:iam::1:user/ci");
    assert_eq!((&ci["verdict"], &ci["reach"]), (&"not".into(), &5.into()));
    assert_eq!(ci["gaps"][0]["kind"], "connector_missing");
    assert_eq!(
        ci["gaps"][0]["fix"],
        "add [connector.cloud] to the configuration"
    );
    let text = desk.run(&["identity", "readiness"]).ends(0).out;
    assert!(
        text.contains("2 not containable from here, 0 partly, 0 ready")
            && text.contains("risk = reach x gaps"),
        "{text}"
    );
    let csv = desk.run(&["identity", "readiness", "--csv"]).ends(0).out;
    assert!(
        csv.starts_with("id,name,verdict,risk,reach,gap,weight,what,fix\n"),
        "{csv}"
    );
    let found: Vec<&str> = csv
        .lines()
        .filter(|l| l.starts_with("lab:orphan"))
        .collect();
    assert_eq!(found.len(), 4, "{csv}");
}

#[test]
fn the_drill_is_known_too() {
    let desk = Desk::new();
    let rows = desk.drill(&["identity", "list", "--json"]).ends(0).rows();
    assert_eq!(rows.len(), 7);
    let live = desk
        .drill(&["identity", "show", "svc-deploy", "--live", "--json"])
        .ends(0)
        .json();
    assert_eq!(live["live"]["enabled"], true);
    assert!(!live["live"]["sessions"].as_array().unwrap().is_empty());
    let ready = desk
        .drill(&["identity", "readiness", "--json", "--gaps", "--live"])
        .ends(0)
        .rows();
    assert_eq!(ready[0]["id"], "lab:svc-deploy");
    assert_eq!(ready[0]["gaps"][0]["kind"], "recovery_in_reach");
}

/// A provider that lets the console in and refuses everything.
#[test]
fn readiness_finds_what_the_provider_refuses() {
    let server = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = server.local_addr().unwrap().port();
    std::thread::spawn(move || {
        use std::io::{Read as _, Write as _};
        for connection in server.incoming() {
            let mut connection = connection.unwrap();
            let _ = connection.read(&mut [0; 8192]);
            let answer =
                "HTTP/1.1 403 Forbidden\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}";
            let _ = connection.write_all(answer.as_bytes());
        }
    });
    let card = "[[identity]]\nid = 'p:svc-a'\nname = 'svc-a'\ntechnical_owner = 't'\non_call = 'o'\nconnector = 'kc'\n\
                params = { client_id = 'svc-a' }\nscopes = [{ name = 'x', level = 'read', used = true }]\n";
    let connector = format!(
        "[connector.kc]\npreset = 'keycloak'\nbase_url = 'http://127.0.0.1:{port}'\nparams = {{ realm = 'r' }}\n"
    );
    let desk = Desk::configured(&connector, card);
    let verdict = |args: &[&str]| {
        let rows = desk.run(args).ends(0).rows();
        let gaps = rows[0]["gaps"].as_array().unwrap().clone();
        (rows[0]["verdict"].clone(), gaps)
    };
    let (calm, gaps) = verdict(&["identity", "readiness", "--json"]);
    assert_eq!((calm, gaps.len()), ("ready".into(), 0), "{gaps:?}");
    let (refused, gaps) = verdict(&["identity", "readiness", "--json", "--live"]);
    assert_eq!(refused, "not");
    assert_eq!(gaps[0]["kind"], "no_permission");
    let what = gaps[0]["what"].as_str().unwrap();
    assert!(
        what.contains("status 403; the console's own credential may not read this"),
        "{what}"
    );
}

/// An alert about a service whose ordinary day is known.
fn alerted() -> Desk {
    let card = "[[identity]]\nid = 'lab:svc-a'\nname = 'svc-a'\ntechnical_owner = 'Platform'\non_call = 'rota'\n\
                stop_cost = 'see https://cost.example'\nusual = { origins = ['10.0.0.0/8'], actions = ['deploy'], targets = ['artifacts/a'] }\n";
    let desk = Desk::configured("", card);
    desk.alert(
        &serde_json::json!({
            "class_uid": 2004, "category_uid": 2, "activity_id": 1, "type_uid": 200_401, "time": 1_795_000_000_000_i64,
            "severity_id": 5, "metadata": {"version": "1.5.0", "product": {"name": "L", "vendor_name": "L"}},
            "finding_info": {"uid": "f1", "title": "svc-a read\u{202e} a secret", "types": ["secret_read"]},
            "resources": [{"uid": "prod/db", "type": "Secret"}],
            "evidences": [{"actor": {"user": {"uid": "svc-a", "name": "svc-a", "type_id": 4}, "idp": {"uid": "lab", "name": "lab"}}}],
        })
        .to_string(),
    );
    desk
}

#[test]
fn a_message_to_the_owner_says_what_happened_and_what_is_needed() {
    let desk = alerted();
    let text = desk
        .run(&["identity", "show", "svc-a", "--message", "f1"])
        .ends(0)
        .out;
    for part in [
        "To on call: rota; technical owner: Platform.",
        "about the identity svc-a (lab:svc-a)",
        "\"svc-a read\\u{202e} a secret\" (secret read, on Secret prod/db; severity critical)",
        "Our alert: siem/f1.",
        "a stop costs see https[:]//cost.example.",
        "What is proposed: we can only look from here, so we need you to contain it.",
        "Please send no password, key or token.",
    ] {
        assert!(text.contains(part), "no `{part}` in: {text}");
    }
    let none = desk.run(&["identity", "show", "svc-a", "--message", "--json"]);
    let none = none.ends(0).json();
    assert!(
        none["message"][2]
            .as_str()
            .unwrap()
            .contains("no alert is about it")
    );
    desk.run(&["identity", "show", "else", "--message", "f1"])
        .ends(2)
        .tells(&["alert `siem/f1` is about lab:svc-a, not about `else`"]);
    desk.run(&["identity", "show", "svc-a", "--message", "f2"])
        .ends(2)
        .tells(&["no alert `f2`"]);
}

#[test]
fn what_is_seen_stands_beside_what_is_normal() {
    let desk = alerted();
    // Alerts are taken in by whatever looks at them first.
    desk.run(&["alerts", "list"]).ends(0);
    desk.run(&["identity", "show", "svc-a", "--message", "f1"])
        .ends(0);
    let shown = desk
        .run(&["identity", "show", "svc-a", "--json"])
        .ends(0)
        .json();
    assert_eq!(shown["observed_alert"], "siem/f1");
    let rows = shown["observed"].as_array().unwrap();
    let row = |aspect: &str| rows.iter().find(|r| r["aspect"] == aspect).unwrap();
    assert_eq!(row("target")["normally"][0], "artifacts/a");
    let seen = &row("target")["seen"][0];
    assert_eq!(
        (&seen["text"], &seen["from"], &seen["fits"]),
        (&"prod/db".into(), &"alert".into(), &"unusual".into())
    );
    assert_eq!(row("action")["seen"][0]["fits"], "unusual");
    assert_eq!(row("hours")["seen"][0]["fits"], "not_comparable");
    assert_eq!(row("origin")["seen"], Value::Array(Vec::new()));
    let text = desk.run(&["identity", "show", "svc-a"]).ends(0).out;
    for part in [
        "normal target: artifacts/a\n  ! unusual: prod/db (from the alert)",
        "normal origin: 10.0.0.0/8\n",
    ] {
        assert!(text.contains(part), "no `{part}` in: {text}");
    }
}
