use rstest::rstest;
use serde_json::json;
use wiremock::matchers::{header, method, path, query_param, query_param_is_missing};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::*;
use crate::app::settings::InventorySettings;
use crate::domain::inventory::Inventory;

fn source(server: &MockServer, path: &str) -> InventorySource {
    InventorySource {
        name: Some("catalog".to_owned()),
        url: Some(format!("{}{path}", server.uri())),
        timeout_s: 2,
        ..InventorySource::default()
    }
}

fn load(source: InventorySource, cache: &Path, now: Timestamp) -> Inventory {
    let settings = InventorySettings {
        source: vec![source],
        ..InventorySettings::default()
    };
    crate::inventory::load(&settings, Some(cache), now)
}

fn later(seconds: i64) -> Timestamp {
    let now = Timestamp::now();
    Timestamp::from_second(now.as_second() + seconds).unwrap()
}

async fn answer(server: &MockServer, at: &str, template: ResponseTemplate, times: u64) {
    Mock::given(method("GET"))
        .and(path(at))
        .respond_with(template)
        .up_to_n_times(times)
        .mount(server)
        .await;
}

#[rstest]
#[case::a_page_to_log_in("<html><body>Please log in</body></html>")]
#[case::cut_off(r#"[{"id": "lab:a", "na"#)]
#[case::nothing("")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_cannot_be_read_pushes_no_good_copy_out(#[case] rubbish: &str) {
    let server = MockServer::start().await;
    let cache = tempfile::tempdir().unwrap();
    let good = ResponseTemplate::new(200).set_body_json(json!([{ "id": "lab:a", "name": "a" }]));
    answer(&server, "/list", good, 1).await;
    let bad = ResponseTemplate::new(200).set_body_string(rubbish);
    answer(&server, "/list", bad, 1).await;
    answer(&server, "/list", ResponseTemplate::new(503), 9).await;
    let source = source(&server, "/list");
    assert_eq!(
        load(source.clone(), cache.path(), later(0))
            .identities()
            .len(),
        1
    );
    // The second is rubbish, the third no answer: each of them another process, which knows only what lies on the disk.
    for seconds in [7_260, 14_520] {
        let inventory = load(source.clone(), cache.path(), later(seconds));
        assert_eq!(inventory.identities().len(), 1, "after {seconds} s");
        let told = inventory.background().sources[0].trouble.clone().unwrap();
        assert!(told.contains("ago is used"), "{told}");
    }
}

/// The runtime of the caller must not matter: the real caller stands in one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_last_good_answer_is_used_with_its_age() {
    let server = MockServer::start().await;
    let cache = tempfile::tempdir().unwrap();
    let good = ResponseTemplate::new(200).set_body_json(json!([{ "id": "lab:a", "name": "a" }]));
    answer(&server, "/list", good, 1).await;
    answer(&server, "/list", ResponseTemplate::new(503), 9).await;
    let source = source(&server, "/list?kind=all");
    let trouble = |inventory: &Inventory| inventory.background().sources[0].trouble.clone();
    let first = load(source.clone(), cache.path(), later(0));
    assert_eq!((first.identities().len(), trouble(&first)), (1, None));
    // Fresh: nobody is asked.
    let second = load(source.clone(), cache.path(), later(60));
    assert_eq!((second.identities().len(), trouble(&second)), (1, None));
    assert_eq!(server.received_requests().await.unwrap().len(), 1);
    // Not fresh, and the address fails.
    let third = load(source.clone(), cache.path(), later(7_260));
    assert_eq!(third.identities().len(), 1);
    let told = trouble(&third).unwrap();
    assert!(told.starts_with("answers 503; what it said 2h0"), "{told}");
    let empty = tempfile::tempdir().unwrap();
    let nothing = load(source, empty.path(), later(0));
    assert_eq!(nothing.identities().len(), 0);
    let told = nothing.background().mistakes[0].to_string();
    assert!(told.ends_with("/list?kind=all: answers 503"), "{told}");
}

#[tokio::test]
async fn pages_are_followed_on_the_same_host_only() {
    let server = MockServer::start().await;
    let cache = tempfile::tempdir().unwrap();
    let page = |id: &str, next: serde_json::Value| {
        let mut page = json!({ "items": [{ "id": id }] });
        page.as_object_mut()
            .unwrap()
            .extend(next.as_object().unwrap().clone());
        ResponseTemplate::new(200).set_body_json(page)
    };
    Mock::given(query_param_is_missing("cursor"))
        .and(query_param("limit", "1"))
        .and(header("authorization", "Bearer s3cret"))
        .respond_with(page(
            "lab:a",
            json!({ "pageInfo": { "nextCursor": "c+1" } }),
        ))
        .mount(&server)
        .await;
    Mock::given(query_param("cursor", "c+1"))
        .and(query_param("limit", "1"))
        .respond_with(page("lab:b", json!({})))
        .mount(&server)
        .await;
    Mock::given(path("/away"))
        .respond_with(page(
            "lab:c",
            json!({ "@odata.nextLink": "http://127.0.0.1:1/x" }),
        ))
        .mount(&server)
        .await;
    let token = cache.path().join("token");
    write_copy(&token, "s3cret\n").unwrap();
    let mut listed = source(&server, "/entities?limit=1");
    listed.auth = AuthSettings::Bearer {
        token: crate::app::settings::SecretRef::File(token),
    };
    let inventory = load(listed, cache.path(), later(0));
    assert_eq!(
        inventory.identities().len(),
        2,
        "{:?}",
        inventory.background()
    );
    let away = load(source(&server, "/away"), cache.path(), later(0));
    let told = away.background().mistakes[0].to_string();
    assert!(
        told.ends_with("its next page is on another host, which is not asked"),
        "{told}"
    );
}

#[rstest]
#[case(ResponseTemplate::new(401), "answers 401 (its `auth` is not accepted)")]
#[case(
    ResponseTemplate::new(302),
    "answers 302 (elsewhere; give the address it really has)"
)]
#[case(ResponseTemplate::new(200).set_body_bytes(vec![b'[', b'\n', 0xff]), "is no UTF-8 from line 2 on; convert it first")]
#[case(ResponseTemplate::new(200).set_body_string("<html>"), "a login page, perhaps; see `auth`")]
#[case(ResponseTemplate::new(200).set_delay(Duration::from_mins(1)), "no answer within 1 s")]
#[tokio::test]
async fn what_is_wrong_is_told(#[case] template: ResponseTemplate, #[case] want: &str) {
    let server = MockServer::start().await;
    let cache = tempfile::tempdir().unwrap();
    answer(&server, "/x", template, 9).await;
    let asked = InventorySource {
        timeout_s: 1,
        ..source(&server, "/x")
    };
    let told = load(asked, cache.path(), later(0)).background().mistakes[0].to_string();
    // The client's own limit may be the first to end it.
    assert!(
        told.ends_with(want) || (want.contains("within") && told.contains("no answer")),
        "{told}"
    );
}

#[rstest]
#[case("http://catalog.example.org/x", "is not https")]
#[case("https://u:p@h/x", "holds a user or password")]
#[case("no address", "is no URL")]
fn only_safe_addresses_are_asked(#[case] address: &str, #[case] want: &str) {
    assert!(parse(address).unwrap_err().contains(want));
}
