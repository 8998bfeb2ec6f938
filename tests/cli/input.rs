//! Bad input: alerts that are none, configurations that cannot be used, files that are there already.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt;

use flate2::Compression;
use flate2::write::GzEncoder;
use rstest::rstest;

use super::common::Pty;
use super::desk::{Desk, finding};

const BAD: &str = "{\"class_uid\":2004,\x1b]0;evil\x07";

#[test]
fn malformed_lines_are_kept_and_counted_and_the_feed_goes_on() {
    let desk = Desk::configured("", "");
    desk.alert("nonsense");
    desk.alert(&finding("f-1", "svc-a"));
    desk.alert(BAD);
    desk.alert(&finding("f-2", "svc-b"));

    let listed = desk.run(&["alerts", "list", "--json"]).ends(0);
    let mut ids: Vec<_> = listed.rows().iter().map(|r| r["id"].clone()).collect();
    ids.sort_by_key(ToString::to_string);
    assert_eq!(ids, ["f-1", "f-2"]);
    listed.tells(&["2 pieces of input from siem", "stanch alerts malformed"]);

    let kept = desk.run(&["alerts", "malformed", "--json"]).ends(0).rows();
    assert_eq!(kept.len(), 2, "{kept:?}");
    assert_eq!(kept[0]["source"], "siem");
    assert!(kept[0]["reason"].as_str().unwrap().contains("not JSON"));
    assert_eq!(kept[1]["raw"], "nonsense");
    let text = desk.run(&["alerts", "malformed"]).ends(0).out;
    assert!(
        text.contains(r"\u{1b}]0;evil\u{7}") && !text.contains('\x1b'),
        "{text}"
    );
}

/// What stands before the damage was read; it must not take a second, whole file to get it in.
#[test]
fn what_could_be_read_of_a_damaged_file_is_stored_and_counted() {
    let desk = Desk::configured("", "");
    let lines: Vec<String> = (0..300)
        .map(|n| finding(&format!("d-{n}"), "svc-a"))
        .collect();
    let mut packed = GzEncoder::new(Vec::new(), Compression::none());
    packed.write_all(lines.join("\n").as_bytes()).unwrap();
    let packed = packed.finish().unwrap();
    let file = desk.home().join("cut.jsonl.gz");
    fs::write(&file, &packed[..packed.len() / 2]).unwrap();
    let line = ["alerts", "import", file.to_str().unwrap()];
    let did = desk.run(&line).ends(2);
    let stored = desk
        .run(&["alerts", "list", "--limit", "1000", "--json"])
        .ends(0)
        .rows()
        .len();
    assert!((100..200).contains(&stored), "{stored}");
    did.tells(&[&format!("{stored} new alerts"), "the rest of it"]);
    // Of this one nothing was.
    let nowhere = desk.home().join("nowhere.jsonl.gz");
    let none = desk.run(&["alerts", "import", nowhere.to_str().unwrap()]);
    let none = none.ends(2).err;
    assert!(none.contains("nowhere.jsonl.gz: No such file"), "{none}");
    assert!(!none.contains("new alerts"), "{none}");
}

/// As the help says: the content of standard input may be packed as that of a file.
#[test]
fn packed_standard_input_is_unpacked() {
    let desk = Desk::configured("", "");
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    packed
        .write_all(finding("f-1", "svc-a").as_bytes())
        .unwrap();
    let file = desk.home().join("packed");
    fs::write(&file, packed.finish().unwrap()).unwrap();
    let from = || fs::File::open(&file).unwrap();
    let decoded = desk.fed(&["alerts", "decode", "-"], from()).ends(0).rows();
    assert_eq!(decoded[0]["id"], "f-1");
    let options = desk.options();
    let mut line: Vec<&str> = options.iter().map(String::as_str).collect();
    line.extend(["alerts", "import", "--source", "siem", "-"]);
    desk.fed(&line, from())
        .ends(0)
        .tells(&["1 new alert, 0 stored before"]);
}

#[test]
fn a_reason_that_is_missing_on_the_command_line_names_no_key() {
    let desk = Desk::new();
    let alerts = desk.drill(&["alerts", "list", "--json"]).ends(0).rows();
    let key = alerts[0]["key"].as_str().unwrap();
    let missing = desk.drill(&["alert", "dismiss", key, "--reason", " "]);
    let said = missing.ends(2).err;
    assert!(
        said.contains("a reason is needed") && !said.contains("Esc"),
        "{said}"
    );
}

/// A reason that quotes what is wrong is made of shown text: escaped again wherever it is told, nobody could read it.
#[test]
fn a_reason_that_quotes_is_escaped_once_wherever_it_is_told() {
    const UNKNOWN: &str = r#"{"\u001b[31mred":1}"#;
    const SHOWN: &str = r"(its keys: \u{1b}[31mred)";
    let desk = Desk::configured("", "");
    desk.alert(UNKNOWN);
    let file = desk.home().join("one.jsonl");
    fs::write(&file, UNKNOWN).unwrap();
    let file = file.to_str().unwrap();
    desk.run(&["alerts", "list"]).ends(0).tells(&[SHOWN]);
    let all: [(&[&str], u8); 4] = [
        (&["alerts", "decode", file], 1),
        (&["alerts", "import", file, "--source", "other"], 1),
        (&["alerts", "malformed"], 0),
        (&["alerts", "import", "--quarantine"], 1),
    ];
    for (line, code) in all {
        let did = desk.run(line).ends(code.into());
        let told = format!("{}{}", did.out, did.err);
        assert!(told.contains(SHOWN), "{line:?}: {told}");
    }
    let kept = desk.run(&["alerts", "malformed", "--json"]).ends(0).rows();
    for piece in &kept {
        let reason = piece["reason"].as_str().unwrap();
        assert!(reason.contains(SHOWN), "{reason}");
    }
    assert_eq!(kept.len(), 2);
}

#[test]
fn the_header_counts_malformed_lines_of_now_and_of_before() {
    let desk = Desk::configured("", "");
    desk.alert("nonsense");
    desk.run(&["alerts", "list"]).ends(0);
    let options = desk.options();
    let options: Vec<&str> = options.iter().map(String::as_str).collect();
    let mut pty = Pty::stanch(desk.home(), 100, 30, &options, &[]);
    pty.wait_for("1 malformed kept");
    desk.alert(BAD);
    desk.alert(&finding("f-1", "svc-a"));
    pty.wait_for("2 malformed kept");
    pty.wait_for("svc-a");
    pty.send("q");
    assert_eq!(pty.wait_end(), 0);
}

#[rstest]
#[case("[ui]\ntheem = 'x'\n", &["line 2", "`theem`", "stanch config example"])]
#[case("[journal]\n\nsite = 'a b'\n", &["line 3", "journal.site", "`a b`", "use letters"])]
#[case("[[source]]\nkind = 'file'\nname = 'siem'\n", &["line 1", "path", "stanch config example"])]
#[case("[connector.sso]\npreset = 'keycloak'\nbase_url = 'http://sso.example.org'\n", &["line 1: connector.sso:", "is not https"])]
#[case("[connector.sso]\npreset = 'keyclok'\nbase_url = 'https://sso.example.org'\n", &["line 1: connector.sso:", "`keyclok`", "use one of aws_role", "keycloak"])]
#[case("[connector.sso]\npreset = 'keycloak'\nbase_url = 'https://sso.example.org'\n", &["line 1: connector.sso:", "`realm` is missing"])]
#[case("[inventory]\nunused_after_d = 0\n", &["line 2: inventory.unused_after_d:", "0 is out of range"])]
#[case("[[inventory.source]]\nfile = 'a'\nurl = 'https://h'\n", &["line 3: inventory.source.url:", "exactly one of `file` and `url`"])]
#[case("[inventory]\nsource = [{ file = 'a', fromat = 'aws' }]\n", &["line 2", "unknown field `fromat`"])]
#[case("[playbooks]\nfiles = ['nowhere.toml']\n", &["line 2: playbooks.files:", "nowhere.toml", "No such file"])]
#[case("[[source]]\nkind = 'file'\nname = 'a'\npath = 'a'\nformat = 'osfc'\n", &["line 5: source.format:", "`osfc` is no kind of alert", "`stanch alerts kinds`"])]
#[case("[decoders]\nmappings = ['nowhere.toml']\n", &["line 2: decoders.mappings:", "nowhere.toml", "No such file"])]
#[case("[decoders]\ntoken_keys = 'nowhere.json'\n", &["line 2: decoders.token_keys:", "nowhere.json", "No such file"])]
fn a_broken_configuration_names_file_line_key_and_way_out(
    #[case] config: &str,
    #[case] told: &[&str],
) {
    let desk = Desk::new();
    desk.write("config.toml", config);
    for command in [
        ["config", "check"].as_slice(),
        &["alerts", "list"],
        &["plan", "x"],
    ] {
        let done = desk
            .run(command)
            .ends(2)
            .tells(&["config.toml"])
            .tells(told);
        assert_eq!(done.out, "");
        assert!(
            done.err.matches("No such file").count() <= 1,
            "{}",
            done.err
        );
    }
}

const MAPPING: &str = r#"
kind = "acme_alert"
title = "ACME"
doc = "https://acme.example"
detect = [["acme.id"]]
[fields]
id = ".acme.id"
title = ".acme.name"
identity = ".acme.who"
[[pattern]]
of = ".acme.rule"
table = { "reuse*" = "token_replay" }
[[sample]]
input = '{"acme":{"id":"1","name":"N","rule":"reuse-1"}}'
expect = { id = "1", title = "N", pattern = "token_replay" }
"#;

#[test]
fn a_source_reads_every_kind_and_the_quarantine_after_a_fix() {
    let desk = Desk::new();
    let source =
        "[[source]]\nkind = 'file'\nname = 'mixed'\npath = 'alerts.jsonl'\nformat = 'auto'\n";
    desk.write("config.toml", source);
    let lines = [
        r#"{"acme":{"id":"a1","name":"Reused","rule":"reuse-2","who":"svc-a"}}"#,
        r#"{"auditID":"k1","stage":"ResponseComplete","verb":"create","user":{"username":"system:serviceaccount:ci:runner"},"objectRef":{"resource":"pods","subresource":"exec","name":"p","namespace":"n"}}"#,
        r#"{"DetectorName":"Lab","Verified":true,"Raw":"hunter2-hunter2","SourceMetadata":{"Data":{"Git":{"repository":"lab/api"}}}}"#,
    ];
    desk.write("alerts.jsonl", &(lines.join("\n") + "\n"));
    let rows = desk.run(&["alerts", "list", "--json"]).ends(0).rows();
    let formats: Vec<_> = rows.iter().map(|r| r["format"].as_str().unwrap()).collect();
    assert_eq!(formats, ["trufflehog", "k8s_audit"]);
    let key = rows[0]["key"].as_str().unwrap();
    let shown = desk.run(&["alerts", "show", key]).ends(0).out;
    assert!(
        !shown.contains("hunter2") && shown.contains("not kept"),
        "{shown}"
    );

    desk.run(&["alerts", "import", "--quarantine"])
        .ends(1)
        .tells(&["mixed: no decoder knows this object (its keys: acme)"]);
    desk.write("acme.toml", MAPPING);
    desk.write(
        "config.toml",
        &format!("{source}\n[decoders]\nmappings = ['acme.toml']\n"),
    );
    desk.run(&["config", "check"]).ends(0);
    desk.run(&["alerts", "import", "--quarantine"])
        .ends(0)
        .tells(&["1 new alert, 0 pieces"]);
    let rows = desk.run(&["alerts", "list", "--json"]).ends(0).rows();
    assert_eq!(
        (&rows[0]["key"], &rows[0]["pattern"]),
        (&"mixed/a1".into(), &"token_replay".into())
    );
    let malformed = desk.run(&["alerts", "malformed"]).ends(0).out;
    assert!(
        malformed.contains("everything that arrived could be read"),
        "{malformed}"
    );
}

#[test]
fn a_missing_inventory_fails_the_check_but_the_rest_is_used() {
    for list in [
        "files = ['nowhere.toml', 'b.toml']",
        "source = ['nowhere.toml', { file = 'b.toml', name = 'b' }]",
    ] {
        let desk = Desk::new();
        desk.write("config.toml", &format!("[inventory]\n{list}\n"));
        let card = "[[identity]]\nid = 'p:a'\n[[identity]]\nid = 'p:b'\ndriver = 'demon'\n";
        desk.write("b.toml", card);
        let key = list.split_whitespace().next().unwrap();
        desk.run(&["config", "check"]).ends(2).tells(&[
            &format!("line 2: inventory.{key}:"),
            "nowhere.toml: cannot be read: No such file",
            "b.toml:5: driver: unknown variant `demon`",
        ]);
        desk.run(&["alerts", "list"]).ends(0).tells(&[
            "inventory: ",
            "nowhere.toml: cannot be read",
            "b.toml:5: driver",
        ]);
    }
    let desk = Desk::new();
    desk.write(
        "config.toml",
        "[inventory]\nsource = [{ file = 'b.json', format = 'gwc' }]\n",
    );
    desk.write("b.json", "[]");
    desk.run(&["config", "check"]).ends(2).tells(&[
        "line 2: inventory.source:",
        "`gwc` is no format; use auto, stanch",
    ]);
}

#[test]
fn a_broken_inventory_and_a_broken_playbook_are_named_too() {
    let desk = Desk::configured(
        "",
        "[[identity]]\nid = 'svc-a'\nname = 'svc-a'\nkind = 'oauth_client'\n",
    );
    desk.run(&["config", "check"])
        .ends(2)
        .tells(&["inventory.toml:1: id: `svc-a` is not `provider:native-id`"]);
    let desk = Desk::configured("[playbooks]\nfiles = ['books.toml']\n", "");
    let book = "[[playbook]]\nid = 'cut'\ntitle = 'Cut'\nwhen = {}\nstep = [{ do = 'revoke_everything', team = 'IAM', tier = 'soft' }]\n";
    desk.write("books.toml", book);
    desk.run(&["config", "check"])
        .ends(2)
        .tells(&["books.toml", "revoke_everything"]);
}

#[test]
fn the_check_names_everything_that_is_wrong_at_once() {
    let desk = Desk::new();
    let config = "[inventory]\nfiles = ['nowhere.toml']\n[playbooks]\nfiles = ['no.toml']\n[ui]\ntheme = 'pink'\n\
                  [connector.a]\npreset = 'oath'\nbase_url = 'https://sso.example.org'\n\
                  [connector.b]\npreset = 'oauth'\nbase_url = 'https://sso.example.org'\nauth = { kind = 'bearer', token = 'env:STANCH_NOT_SET' }\n";
    desk.write("config.toml", config);
    desk.run(&["config", "check"]).ends(2).tells(&[
        "line 2: inventory.files:",
        "line 4: playbooks.files:",
        "line 6: ui.theme: there is no theme `pink`; have:",
        "line 7: connector.a:",
        "line 13: connector.b.auth:",
    ]);
}

#[test]
fn without_its_configuration_file_it_says_how_to_get_one() {
    let desk = Desk::new();
    desk.run(&["config", "check"])
        .ends(2)
        .tells(&["config.toml", "stanch init", "--config FILE"]);
}

#[test]
fn the_example_passes_the_check_and_init_overwrites_nothing() {
    let desk = Desk::new();
    let example = desk.bare(&["config", "example"]).ends(0).out;
    desk.write("config.toml", &example);
    desk.run(&["config", "check"]).ends(0);

    let mine = desk.path("mine/stanch.toml").display().to_string();
    desk.bare(&["init", mine.as_str()]).ends(0);
    assert_eq!(
        fs::read_to_string(desk.path("mine/stanch.toml")).unwrap(),
        example
    );
    desk.write("mine/stanch.toml", "mine");
    desk.bare(&["init", mine.as_str()])
        .ends(2)
        .tells(&["mine/stanch.toml", "never overwritten"]);
    assert_eq!(
        fs::read_to_string(desk.path("mine/stanch.toml")).unwrap(),
        "mine"
    );
}

#[test]
fn what_is_built_in_is_printed() {
    let desk = Desk::new();
    let keys = desk.bare(&["keys", "--json"]).ends(0).rows();
    assert!(
        keys.iter()
            .any(|k| k["id"] == "quit" && k["keys"][0] == "q")
    );
    assert!(desk.bare(&["keys"]).ends(0).out.contains("plan"));
    let bash = desk.bare(&["completions", "bash"]).ends(0).out;
    assert!(bash.contains("complete -F") && bash.contains("--state-dir"));
    let man = desk.bare(&["man"]).ends(0).out;
    assert!(
        man.contains(".TH stanch") && man.contains("Exit codes"),
        "{man}"
    );
    assert!(desk.bare(&["themes"]).ends(0).out.contains("terminal"));
    desk.bare(&["plan"]).ends(2).tells(&["<ALERT>"]);
}

const SSO: &str = "[connector.sso]\npreset = 'oauth'\nbase_url = 'http://127.0.0.1:9'\nauth = { kind = 'bearer', token = 'file:secrets/token' }\n";

#[test]
fn the_check_finds_secrets_that_cannot_be_read_and_repeats_none() {
    let desk = Desk::configured(SSO, "");
    fs::create_dir(desk.path("secrets")).unwrap();
    let check = |code| desk.run(&["config", "check"]).ends(code);
    check(2).tells(&[
        "config.toml: line 12: connector.sso.auth:",
        "secrets/token",
        "No such file",
    ]);
    let token = desk.write("secrets/token", "hunter2-hunter2");
    let mode = |bits| fs::set_permissions(&token, PermissionsExt::from_mode(bits)).unwrap();
    mode(0o644);
    let open = check(2).tells(&["chmod 600"]);
    assert!(!open.err.contains("hunter2") && open.out.is_empty());
    mode(0o600);
    check(0);
}

#[test]
fn the_check_notes_identities_that_nothing_can_reach() {
    let card =
        "[[identity]]\nid = 'p:svc-a'\nname = 'svc-a'\nkind = 'oauth_client'\nconnector = 'sso'\n";
    let desk = Desk::configured("", card);
    desk.run(&["config", "check"]).ends(0).tells(&[
        "1 identity names a connector that is not configured",
        "`sso`",
        "p:svc-a",
    ]);
}

#[test]
fn a_relative_secret_is_beside_the_inventory_that_names_it() {
    let card = "[[identity]]\nid = 'p:svc-a'\nname = 'svc-a'\nkind = 'oauth_client'\nconnector = 'sso'\nparams = { client_id = 'svc-a' }\n\
        [[identity.credential]]\nid = 'x'\nkind = 'access_token'\nsecret_ref = 'file:nowhere'\n";
    let connector = "[connector.sso]\npreset = 'oauth'\nbase_url = 'http://127.0.0.1:9'\n";
    let desk = Desk::configured(connector, card);
    desk.alert(&finding("f-1", "svc-a"));
    let beside = desk.path("nowhere").display().to_string();
    desk.run(&["plan", "f-1", "--playbook", "cut-live-access"])
        .ends(1)
        .tells(&[&beside]);
}
