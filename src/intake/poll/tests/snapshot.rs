//! Lists that hold all that is open: what leaves them is over at its source, if the list was whole.

use super::*;

/// What Alertmanager answers.
enum Answer {
    /// Alerts with these fingerprints.
    List(&'static [&'static str]),
    /// The same with one that cannot be read.
    AndJunk(&'static [&'static str]),
    Fails,
    IsCut,
}

fn answer(given: &Answer) -> ResponseTemplate {
    let alert = |id: &&str| {
        json!({
            "fingerprint": id, "startsAt": "2026-01-02T00:00:00Z", "updatedAt": "2026-01-02T00:01:00Z",
            "labels": {"alertname": "TokenReuse"}, "annotations": {}, "status": {"state": "active"},
        })
    };
    let list = |ids: &[&str]| ids.iter().map(alert).collect::<Vec<Value>>();
    match given {
        Answer::List(ids) => ok(Value::from(list(ids))),
        Answer::AndJunk(ids) => {
            let mut list = list(ids);
            list.push(json!({"fingerprint": 7, "labels": 1, "startsAt": "x"}));
            ok(Value::from(list))
        }
        Answer::Fails => ResponseTemplate::new(503),
        Answer::IsCut => {
            let text = Value::from(list(&["a"])).to_string();
            ResponseTemplate::new(200).set_body_string(&text[..text.len() / 2])
        }
    }
}

use Answer::{AndJunk, Fails, IsCut, List};

#[rstest]
#[case::nothing_left(&[List(&["a", "b"]), List(&["a", "b"])], &[])]
#[case::one_left(&[List(&["a", "b"]), List(&["a"])], &["b"])]
#[case::all_left(&[List(&["a", "b"]), List(&[])], &["a", "b"])]
#[case::it_came_back(&[List(&["a", "b"]), List(&["a"]), List(&["a", "b"])], &[])]
#[case::and_left_again(&[List(&["a"]), List(&[]), List(&["a"]), List(&[])], &["a"])]
#[case::the_question_failed(&[List(&["a", "b"]), Fails], &[])]
#[case::the_answer_was_cut(&[List(&["a", "b"]), IsCut], &[])]
#[case::not_all_could_be_read(&[List(&["a", "b"]), AndJunk(&["a"])], &[])]
#[case::it_was_seen_later(&[List(&["a", "b"]), Fails, AndJunk(&["a"]), List(&["a"])], &["b"])]
#[tokio::test]
async fn what_leaves_a_whole_list_is_over(#[case] answers: &[Answer], #[case] over: &[&str]) {
    let place = Place::new().await;
    let settings = place.settings(Some("alertmanager"), "", &[]);
    for given in answers {
        place.server.reset().await;
        let asked = Mock::given(path("/api/v2/alerts"));
        place.on(asked, answer(given)).await;
        let swept = place.sweep(&settings).await;
        assert_eq!(swept.is_err(), matches!(given, Fails | IsCut), "{swept:?}");
    }
    let rows = place.store.lock().alerts(9).unwrap();
    let mut found: Vec<&str> = rows
        .iter()
        .filter(|row| row.alert.resolved.is_some())
        .map(|row| row.alert.own_id())
        .collect();
    found.sort_unstable();
    assert_eq!(found, over);
    for row in rows {
        if let Some(resolved) = &row.alert.resolved {
            assert!(resolved.reason.contains("does not list it"), "{resolved:?}");
            assert!(resolved.at >= row.first_seen);
        }
    }
}

#[tokio::test]
async fn a_list_that_stays_the_same_is_not_stored_again() {
    let place = Place::new().await;
    let settings = place.settings(Some("alertmanager"), "", &[]);
    let asked = Mock::given(path("/api/v2/alerts"));
    place.on(asked, answer(&List(&["a"]))).await;
    place.sweep(&settings).await.unwrap();
    let before = place.cursor();
    place.sweep(&settings).await.unwrap();
    assert_eq!(place.cursor(), before);
}

#[tokio::test]
async fn other_apis_give_only_what_is_new() {
    let place = Place::new().await;
    let text = api("kind = 'none'");
    let settings = place.settings(None, &text, &[]);
    let lists = [
        json!([finding("a", "2026-01-02T00:00:00Z")]),
        json!([finding("b", "2026-01-02T00:01:00Z")]),
    ];
    for list in lists {
        place.server.reset().await;
        place.on(alerts(), ok(json!({"items": list}))).await;
        place.sweep(&settings).await.unwrap();
    }
    let rows = place.store.lock().alerts(9).unwrap();
    assert_eq!(rows.len(), 2);
    assert!(rows.iter().all(|row| row.alert.resolved.is_none()));
}
