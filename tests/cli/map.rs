//! `stanch identity map` on real files.

use std::io::Write as _;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::desk::Desk;

const INVENTORY: &str = r#"
[[identity]]
id = "lab:ci"
name = "ci"
kind = "ci_token"
criticality = "high"
environment = "production"
enabled = true
[[identity.credential]]
id = "k1"
kind = "key"
store = "vault"
fingerprint = "SHA256:x"
[[identity]]
id = "lab:copy"
name = "copy"
kind = "api_token"
environment = "test"
[[identity.credential]]
id = "k2"
kind = "key"
fingerprint = "SHA256:x"
[[node]]
id = "release"
kind = "pipeline"
label = "bad \"];evil [label=\\N &lt; \u001b]0;pwned\u0007 \u202e"
criticality = "business_critical"
[[node]]
id = "db"
kind = "resource"
[[node]]
id = "glass"
kind = "recovery_path"
state = "used"
[[edge]]
from = "release"
kind = "depends_on"
to = "lab:ci"
[[edge]]
from = "lab:ci"
kind = "can_reach"
to = "db"
privilege = "admin"
until = 2030-01-01T00:00:00Z
[[edge]]
from = "glass"
kind = "recovers"
to = "lab:ci"
"#;

fn desk() -> Desk {
    Desk::configured("", INVENTORY)
}

fn ids(list: &Value) -> Vec<&str> {
    let list = list.as_array().unwrap();
    list.iter().map(|n| n["id"].as_str().unwrap()).collect()
}

#[test]
fn json_has_every_side() {
    let all = desk()
        .run(&["identity", "map", "ci", "--json"])
        .ends(0)
        .json();
    assert_eq!(all["node"]["id"], "lab:ci");
    assert_eq!(all["node"]["state"], "enabled");
    let counted: Vec<&str> = all["impact"]["nodes"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|n| n["counted"] == true)
        .map(|n| n["id"].as_str().unwrap())
        .collect();
    assert_eq!(counted, ["release", "lab:copy"]);
    assert_eq!(
        all["impact"]["by_environment"],
        json!({"unknown": 1, "test": 1})
    );
    let db = all["exposure"]["nodes"].as_array().unwrap();
    let db = db.iter().find(|n| n["id"] == "db").unwrap();
    assert_eq!(
        (&db["privilege"], &db["until"], &db["from"]),
        (
            &json!("admin"),
            &json!("2030-01-01T00:00:00Z"),
            &json!("lab:ci")
        )
    );
    assert_eq!(ids(&all["siblings"]["nodes"]), ["lab:copy"]);
    assert_eq!(
        all["siblings"]["nodes"][0]["ties"][0]["shares"],
        "credential"
    );
    assert_eq!(ids(&all["recovery"]), ["glass"]);
    assert_eq!(all["recovery"][0]["state"], "used");
    assert_eq!(all["born_in_window"], json!([]));
}

#[test]
fn parts_and_paths() {
    let desk = desk();
    let part = desk
        .run(&["identity", "map", "lab:ci", "--siblings", "--json"])
        .ends(0)
        .json();
    assert!(part["impact"].is_null() && part["exposure"].is_null());
    let path = desk
        .run(&["identity", "map", "release", "--path", "lab:copy", "--json"])
        .ends(0)
        .json();
    assert_eq!(path["paths"][0]["way"], "impact");
    assert_eq!(
        path["paths"][0]["from"], "lab:copy",
        "its copy ends, so ci stops, so the release"
    );
    let text = desk
        .run(&["identity", "map", "ci", "--path", "db"])
        .ends(0)
        .out;
    assert!(
        text.contains("whoever holds ci gets to db: 1 step  admin"),
        "{text}"
    );
    assert!(text.contains("can reach db"), "{text}");
}

#[test]
fn what_is_not_there_is_told() {
    let desk = desk();
    desk.run(&["identity", "map", "nobody"])
        .ends(2)
        .tells(&["not on the map"]);
    desk.run(&["identity", "map", "ci", "--impact", "--exposure"])
        .ends(2);
}

#[test]
fn no_control_character_reaches_the_terminal() {
    let text = desk().run(&["identity", "map", "ci"]).ends(0).out;
    assert!(
        !text
            .chars()
            .any(|c| (c.is_control() && c != '\n') || c == '\u{202e}'),
        "{text:?}"
    );
    assert!(text.contains("USED"), "{text}");
}

/// What an intruder made since the exposure stands on the map.
#[test]
fn what_was_born_in_the_window_is_there() {
    let desk = desk();
    let finding = |uid: &str, pattern: &str, at: i64, resource: &str| {
        json!({
            "class_uid": 2004, "category_uid": 2, "activity_id": 1, "type_uid": 200_401, "time": at, "severity_id": 5,
            "confidence_score": 90, "metadata": {"version": "1.5.0", "product": {"name": "Lab", "vendor_name": "Lab"}},
            "finding_info": {"uid": uid, "title": uid, "types": [pattern], "first_seen_time": 1_790_000_000_000_i64},
            "resources": [{"uid": resource, "type": "OAuth Client"}],
            "evidences": [{"actor": {"user": {"uid": "ci", "name": "ci"}, "idp": {"uid": "lab", "name": "lab"}}}],
        })
        .to_string()
    };
    desk.alert(&finding(
        "a",
        "credential_created_or_added",
        1_790_000_100_000,
        "child",
    ));
    desk.alert(&finding(
        "b",
        "credential_used_anomalously",
        1_790_000_050_000,
        "ci",
    ));
    desk.run(&["alerts", "list"]).ends(0);
    let map = desk
        .run(&["identity", "map", "ci", "--json"])
        .ends(0)
        .json();
    let born = &map["born_in_window"];
    assert_eq!(born.as_array().unwrap().len(), 1, "{map}");
    assert_eq!(
        (&born[0]["node"], &born[0]["kind"]),
        (&json!("lab:child"), &json!("identity"))
    );
    assert!(ids(&map["exposure"]["nodes"]).contains(&"lab:child"));
    let show = desk
        .run(&["identity", "show", "ci", "--json"])
        .ends(0)
        .json();
    assert_eq!(show["born_in_window"], *born);
    let show = desk.run(&["identity", "show", "ci"]).ends(0).out;
    assert!(
        show.contains("born in the window: identity child, "),
        "{show}"
    );
    let text = desk
        .run(&["identity", "map", "ci", "--exposure"])
        .ends(0)
        .out;
    assert!(
        text.contains("child  identity  BORN IN WINDOW, issued by it"),
        "{text}"
    );
}

/// Whatever stands in a name, the picture is well-formed: read by Graphviz where that is installed.
#[test]
fn a_picture_for_graphviz() {
    let desk = desk();
    for part in [
        &["--dot"][..],
        &["--dot", "--siblings"],
        &["--dot", "--path", "db"],
    ] {
        let mut args = vec!["identity", "map", "ci"];
        args.extend_from_slice(part);
        let dot = desk.run(&args).ends(0).out;
        assert!(
            dot.starts_with("digraph map {") && dot.ends_with("}\n"),
            "{dot}"
        );
        let Ok(mut child) = Command::new("dot")
            .arg("-Tsvg")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
        else {
            continue;
        };
        child
            .stdin
            .take()
            .unwrap()
            .write_all(dot.as_bytes())
            .unwrap();
        let done = child.wait_with_output().unwrap();
        let (svg, said) = (
            String::from_utf8_lossy(&done.stdout),
            String::from_utf8_lossy(&done.stderr),
        );
        assert!(done.status.success() && said.is_empty(), "{said}\n{dot}");
        if part.len() == 1 {
            // The label as it is shown, in the words of XML.
            let want = "bad &quot;];evil [label=\\N &amp;lt; \\u{1b}]0;pwned\\u{7} \\u{202e}";
            let spaces = svg.replace("&#160;", " ").replace("&#45;", "-");
            assert!(spaces.contains(want), "{svg}");
        }
    }
}
