//! Records are found through the index as they would be found by reading everything, and whatever is wrong with the index
//! never shows in an answer.

use std::os::unix::fs::MetadataExt as _;

use rstest::rstest;

use super::*;
use crate::domain::wanted::Wanted;
use crate::journal::{Index, Line, read_lines};

fn cache(place: &Place) -> PathBuf {
    place.dir.path().join("cache")
}

fn open(place: &Place) -> Index {
    Index::open(Some(&cache(place)), &[place.store()]).unwrap()
}

/// The file of the index.
fn file(place: &Place) -> PathBuf {
    let files = std::fs::read_dir(cache(place)).unwrap().flatten();
    let mut found = files.filter(|f| f.path().extension().is_some_and(|e| e == "index"));
    found.next().unwrap().path()
}

fn ask(index: &Index, typed: &str) -> Vec<Line> {
    let (mut wanted, wrong) = Wanted::typed(typed, now());
    assert_eq!(wrong, None);
    index.settle(&mut wanted).unwrap();
    let hits = index.search(&wanted, None).unwrap().all().unwrap();
    index.read(&hits).unwrap().lines
}

fn texts(lines: &[Line]) -> Vec<String> {
    let text = |line: &Line| Some(line.entry.body.get("text")?.as_str()?.to_owned());
    lines.iter().filter_map(text).collect()
}

fn intent(n: usize) -> (RecordType, Value) {
    let body = json!({
        "intent": format!("i-{n}"), "digest": "d1", "step": "1", "verb": "revoke_tokens", "identity": format!("p:svc-{n}"),
        "alert": format!("siem/{n}"), "undo": false, "process": {"boot": "b", "pid": 1, "start": 1},
    });
    (RecordType::Intent, body)
}

fn outcome(n: usize, word: &str) -> (RecordType, Value) {
    let body = json!({"intent": format!("i-{n}"), "outcome": word, "attempts": 1});
    (RecordType::Outcome, body)
}

#[rstest]
#[case("alert:siem/1", &["intent", "outcome"])]
#[case("alert:1", &["intent", "outcome"])]
#[case("identity:svc-2", &["intent", "outcome"])]
#[case("identity:SVC", &["intent", "outcome", "intent", "outcome", "intent"])]
#[case("outcome:rejected", &["intent", "outcome"])]
#[case("is:unknown", &["intent"])]
#[case("type:outcome", &["outcome", "outcome"])]
#[case("analyst:alice type:outcome", &["outcome", "outcome"])]
#[case("analyst:bob", &[])]
#[case("\"Revoke_Tokens on p:svc-2\"", &["intent", "outcome"])]
#[case("attempts", &["outcome", "outcome"])]
#[case("until:2020-01-01", &[])]
fn finds_what_is_asked_for(#[case] typed: &str, #[case] kinds: &[&str]) {
    let place = Place::new();
    let (mut writer, _) = place.open();
    writer.append(now(), &[intent(1)]).unwrap();
    writer.append(now(), &[outcome(1, "accepted")]).unwrap();
    let index = open(&place);
    // What comes later changes how an act stands that was taken in before.
    writer.append(now(), &[intent(2)]).unwrap();
    drop(index);
    drop(open(&place));
    writer
        .append(now(), &[outcome(2, "rejected"), intent(3)])
        .unwrap();
    let found = ask(&open(&place), typed);
    let found: Vec<&str> = found.iter().map(|l| l.entry.kind.as_str()).collect();
    assert_eq!(found, kinds);
}

#[test]
fn what_was_read_all_at_once_and_bit_by_bit_is_the_same() {
    let place = Place::new();
    let (mut writer, _) = place.open();
    for n in 0..20 {
        write(&mut writer, &[&format!("one {n}"), &format!("two {n}")]);
        drop(open(&place));
    }
    let (whole, _) = read_lines(&place.store());
    let bits = ask(&open(&place), "");
    std::fs::remove_file(file(&place)).unwrap();
    let at_once = ask(&open(&place), "");
    assert_eq!((&bits, &at_once), (&whole, &whole));
}

#[test]
fn the_newest_come_page_by_page() {
    let place = Place::new();
    let mut others = ["bob", "carol"].map(|user| place.open_user(user));
    for n in 0..30 {
        let at = now() + jiff::SignedDuration::from_mins(n);
        let writer = &mut others[n as usize % 2];
        writer.append(at, &[note(&format!("{n}"))]).unwrap();
    }
    let index = open(&place);
    let mut search = index.search(&Wanted::default(), None).unwrap();
    let (mut pages, mut first) = (Vec::new(), None);
    loop {
        let page = search.before(first.as_ref(), 7).unwrap();
        let Some(oldest) = page.first().cloned() else {
            break;
        };
        first = Some(oldest);
        pages.push(page);
    }
    let hits: Vec<_> = pages.into_iter().rev().flatten().collect();
    let all = index.read(&hits).unwrap().lines;
    let want: Vec<String> = (0..30).map(|n| n.to_string()).collect();
    assert_eq!(texts(&all), want);
}

/// Everything that may be found where the index should be.
#[rstest]
#[case::no_database(&|path: &Path| std::fs::write(path, b"no database at all, but long enough to be looked at").unwrap())]
#[case::cut_short(&|path: &Path| {
    let bytes = std::fs::read(path).unwrap();
    std::fs::write(path, &bytes[..bytes.len() / 2]).unwrap();
})]
#[case::another_version(&|path: &Path| {
    rusqlite::Connection::open(path).unwrap().execute_batch("pragma user_version = 77").unwrap();
})]
#[case::without_a_table(&|path: &Path| {
    rusqlite::Connection::open(path).unwrap().execute_batch("drop table rec").unwrap();
})]
fn a_damaged_index_is_thrown_away_and_said_once(#[case] damage: &dyn Fn(&Path)) {
    let place = Place::new();
    let (mut writer, _) = place.open();
    write(&mut writer, &["one", "two"]);
    drop(open(&place));
    damage(&file(&place));
    write(&mut writer, &["three"]);
    let mut index = open(&place);
    assert_eq!(texts(&ask(&index, "")), ["one", "two", "three"]);
    let said = index.take_said().unwrap();
    assert!(said.contains("thrown away"), "{said}");
    assert_eq!(index.take_said(), None);
    drop(index);
    let mut again = open(&place);
    assert_eq!(
        (again.take_said(), texts(&ask(&again, "")).len()),
        (None, 3)
    );
}

#[test]
fn an_index_that_another_process_holds_is_not_waited_for() {
    let place = Place::new();
    let (mut writer, _) = place.open();
    write(&mut writer, &["one"]);
    drop(open(&place));
    write(&mut writer, &["two"]);
    let other = rusqlite::Connection::open(file(&place)).unwrap();
    other.execute_batch("begin exclusive").unwrap();
    let mut index = open(&place);
    assert_eq!(texts(&ask(&index, "")), ["one", "two"]);
    assert!(index.take_said().unwrap().contains("in use"));
}

#[test]
fn a_directory_that_cannot_be_made_only_costs_time() {
    let place = Place::new();
    write(&mut place.open().0, &["one"]);
    put(&cache(&place), b"a file");
    let mut index = open(&place);
    assert_eq!(texts(&ask(&index, "")), ["one"]);
    assert!(index.take_said().is_some());
}

/// What the index says is never shown: the log's own bytes are, and they have to be those that were signed.
#[test]
fn a_record_that_changed_is_not_shown_and_the_log_is_looked_at_again() {
    let place = Place::new();
    let (mut writer, _) = place.open();
    write(&mut writer, &["one", "two"]);
    let index = open(&place);
    let hits = index
        .search(&Wanted::default(), None)
        .unwrap()
        .all()
        .unwrap();
    let text = std::fs::read_to_string(place.segment()).unwrap();
    put(
        &place.segment(),
        text.replace("\"one\"", "\"eno\"").as_bytes(),
    );
    let error = index.read(&hits).unwrap_err();
    assert!(error.to_string().contains("is not where it was"), "{error}");
    let index = Index::anew(Some(&cache(&place)), &[place.store()], &error).unwrap();
    assert!(index.problems().iter().any(|p| p.grave));
    assert_eq!(texts(&ask(&index, "")), Vec::<String>::new());
    drop(index);
    // It is told every time.
    assert!(open(&place).problems().iter().any(|p| p.grave));
}

#[test]
fn a_log_that_was_put_back_is_read_anew() {
    let place = Place::new();
    let (mut writer, _) = place.open();
    write(&mut writer, &["one"]);
    let early = std::fs::read(place.segment()).unwrap();
    write(&mut writer, &["two"]);
    drop(open(&place));
    put(&place.segment(), &early);
    std::fs::remove_file(place.log().join("checkpoint")).unwrap();
    assert_eq!(texts(&ask(&open(&place), "")), ["one"]);
}

#[test]
fn nobody_else_may_read_the_index() {
    let place = Place::new();
    write(&mut place.open().0, &["one"]);
    drop(open(&place));
    let mode = |path: &Path| path.metadata().unwrap().mode() & 0o777;
    assert_eq!((mode(&cache(&place)), mode(&file(&place))), (0o700, 0o600));
}
