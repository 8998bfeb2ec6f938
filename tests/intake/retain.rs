//! Old alerts go, at the start of whoever takes alerts in, and the log says so.

use jiff::{Timestamp, ToSpan as _};
use stanch::intake::decode::decode;
use stanch::intake::store::{Accepted, Batch, Store};

use super::desk::{Desk, finding};
use super::served::Served;

/// Stores an alert as if it had come some days ago.
fn stored(store: &mut Store, id: &str, days: i64) {
    let came = Timestamp::now().checked_sub((days * 24).hours()).unwrap();
    let raw = finding(id, "svc-a").into_bytes();
    let alerts = decode(None, &raw, "siem", came).unwrap();
    let batch = Batch {
        accepted: vec![Accepted {
            raw: raw.into(),
            alerts,
        }],
        observed: came,
        ..Batch::default()
    };
    store.put("siem", &batch).unwrap();
}

fn ids(desk: &Desk) -> Vec<String> {
    let rows = desk.run(&["alerts", "list", "--json"]).ends(0).rows();
    let mut ids: Vec<String> = rows
        .iter()
        .map(|row| row["id"].as_str().unwrap().to_owned())
        .collect();
    ids.sort();
    ids
}

#[test]
fn old_alerts_are_deleted_unless_somebody_has_them() {
    let desk = Desk::configured("", "");
    let mut store = Store::open(&desk.path("state")).unwrap();
    for (id, days) in [("old", 100), ("taken", 100), ("done", 100), ("young", 80)] {
        stored(&mut store, id, days);
    }
    desk.run(&["alert", "claim", "taken"]).ends(0);
    desk.run(&["alert", "dismiss", "done", "--reason", "a test"])
        .ends(0);
    let mut served = Served::start(&desk);
    served.says("2 old alerts (2 for their age) were deleted");
    assert_eq!(ids(&desk), ["taken", "young"]);

    // The source gives it again: it is known, and no news.
    desk.alert(&finding("new", "svc-a"));
    served.says("alert siem/new");
    assert_eq!(ids(&desk), ["new", "taken", "young"]);
    let done = desk.run(&["alerts", "show", "siem/old"]).ends(1);
    done.tells(&["was deleted on"]);
    let rows = desk.run(&["alerts", "sources", "--json"]).ends(0).rows();
    assert_eq!(rows[0]["store"]["keep_s"], 90 * 86_400);
    assert_eq!(rows[0]["store"]["last_deletion"]["by_age"], 2);
    assert!(rows[0]["store"]["bytes"].as_u64().unwrap() > 0);
    assert_eq!(served.ends(), Some(0));

    let done = desk
        .run(&["log", "show", "--type", "retention", "--json"])
        .ends(0);
    let records = done.rows();
    assert_eq!(records.len(), 1, "{}", done.out);
    let text = records[0].to_string();
    for part in ["\"alerts\":2", "\"by_age\":2", "\"oldest\":", "\"newest\":"] {
        assert!(text.contains(part), "no {part} in {text}");
    }
    desk.run(&["log", "verify"]).ends(0);
    // Once is enough.
    let mut served = Served::start(&desk);
    served.says("this process takes the alerts in");
    assert_eq!(served.ends(), Some(0));
    let done = desk
        .run(&["log", "show", "--type", "retention", "--json"])
        .ends(0);
    assert_eq!(done.rows().len(), 1);
}
