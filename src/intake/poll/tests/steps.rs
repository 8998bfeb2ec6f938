//! APIs of two steps, and those that go on from the last item.

use super::*;

fn guardduty(id: &str, at: &str) -> Value {
    json!({
        "schemaVersion": "2.0", "accountId": "111122223333", "region": "eu-west-1", "partition": "aws", "id": id,
        "type": "Stealth:IAMUser/CloudTrailLoggingDisabled", "severity": 2, "title": "T", "createdAt": at, "updatedAt": at,
        "resource": {"resourceType": "AccessKey"}, "service": {"serviceName": "guardduty"},
    })
}

#[tokio::test]
async fn what_a_list_names_is_asked_for() {
    let place = Place::new().await;
    let list = || Mock::given(method("POST")).and(path("/detector/d1/findings"));
    let get = || Mock::given(method("POST")).and(path("/detector/d1/findings/get"));
    let second = list().and(body_partial_json(json!({"nextToken": "n1"})));
    let answer = json!({"findingIds": ["c"], "nextToken": ""});
    place.on(second, ok(answer)).await;
    let answer = json!({"findingIds": ["a", "b"], "nextToken": "n1"});
    place.on(list(), ok(answer)).await;
    let (first, last) = ("2026-11-20T10:00:00.000Z", "2026-11-20T11:00:00.000Z");
    let ab = get().and(body_partial_json(json!({"findingIds": ["a", "b"]})));
    // One of them is not there any more.
    place
        .on(ab, ok(json!({"findings": [guardduty("a", first)]})))
        .await;
    let c = get().and(body_partial_json(json!({"findingIds": ["c"]})));
    place
        .on(c, ok(json!({"findings": [guardduty("c", last)]})))
        .await;

    let mut settings = place.settings(Some("aws_guardduty"), "", &[("detector", "d1")]);
    if let SourceSettings::Poll { auth, gap_ms, .. } = &mut settings {
        *auth = aws();
        *gap_ms = Some(0);
    }
    place.sweep(&settings).await.unwrap();
    assert_eq!(place.stored(), once(&["a", "c"]));
    assert_eq!(place.cursor().since, last.parse().ok());
    let asked = place.asked().await;
    let paths: Vec<&str> = asked.iter().map(|request| request.url.path()).collect();
    let (list, get) = ("/detector/d1/findings", "/detector/d1/findings/get");
    assert_eq!(paths, [list, get, list, get]);
    let body: Value = asked[0].body_json().unwrap();
    let since = &body["findingCriteria"]["criterion"]["updatedAt"]["greaterThanOrEqual"];
    assert!(since.is_i64() && body.get("nextToken").is_none(), "{body}");
}

#[tokio::test]
async fn auth0_searches_once_and_then_goes_on_from_the_last_entry() {
    let place = Place::new().await;
    let entry = |id: &str| {
        json!({"_id": id, "log_id": id, "date": "2026-11-20T10:00:00.000Z", "type": "sapi", "client_id": "c1",
            "description": "Create a client", "tenant_name": "t"})
    };
    let list = || Mock::given(method("GET")).and(path("/api/v2/logs"));
    let first = list().and(query_param_is_missing("from"));
    place.on(first, ok(json!([entry("1"), entry("2")]))).await;
    let second = list().and(query_param("from", "2"));
    place.on(second, ok(json!([entry("3")]))).await;
    let third = list().and(query_param("from", "3"));
    place.on(third, ok(json!([]))).await;

    let mut settings = place.settings(Some("auth0"), "", &[]);
    if let SourceSettings::Poll { gap_ms, .. } = &mut settings {
        *gap_ms = Some(0);
    }
    place.sweep(&settings).await.unwrap();
    assert_eq!(place.stored(), once(&["1", "2", "3"]));
    place.sweep(&settings).await.unwrap();
    assert_eq!(place.stored(), once(&["1", "2", "3"]));
    let asked = place.asked().await;
    assert_eq!(asked.len(), 4);
    let query = asked[0].url.query().unwrap_or_default();
    assert!(
        query.contains("q=date%3A%5B") && query.contains("sort=date%3A1"),
        "{query}"
    );
    assert!(asked[3].url.query().unwrap_or_default().contains("from=3"));
}
