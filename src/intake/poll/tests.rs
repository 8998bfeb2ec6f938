mod snapshot;

use rstest::rstest;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use wiremock::matchers::{
    body_partial_json, header, method, path, query_param, query_param_is_missing,
};
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

use super::*;
use crate::app::settings::{AuthSettings, SecretRef};
use crate::intake::store::Store;

fn finding(uid: &str, at: &str) -> Value {
    json!({
        "class_uid": 2004, "activity_id": 1, "severity_id": 5, "time_dt": at,
        "metadata": {"version": "1.4.0"}, "finding_info": {"uid": uid, "title": "Token used elsewhere"},
    })
}

fn ok(body: Value) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_json(body)
}

/// A source that asks a server in this process.
struct Place {
    server: MockServer,
    dir: tempfile::TempDir,
    store: Arc<LockedStore>,
}

impl Place {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Arc::new(LockedStore::new(Store::open(dir.path()).unwrap()));
        Self {
            server: MockServer::builder().start().await,
            dir,
            store,
        }
    }

    async fn on(&self, mock: wiremock::MockBuilder, answer: impl wiremock::Respond + 'static) {
        mock.respond_with(answer).mount(&self.server).await;
    }

    fn settings(
        &self,
        preset: Option<&str>,
        text: &str,
        params: &[(&str, &str)],
    ) -> SourceSettings {
        let file = self.dir.path().join("api.toml");
        std::fs::write(&file, text).unwrap();
        SourceSettings::Poll {
            name: "api".to_owned(),
            preset: preset.map(str::to_owned),
            file: preset.is_none().then_some(file),
            base_url: self.server.uri(),
            params: params
                .iter()
                .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
                .collect(),
            auth: AuthSettings::Bearer {
                token: SecretRef::Cmd(vec!["printf".to_owned(), "t0ken".to_owned()]),
            },
            ca_file: None,
            every_s: None,
            gap_ms: None,
            format: None,
        }
    }

    /// Sweeps once.
    async fn sweep(&self, settings: &SourceSettings) -> Result<(), String> {
        let poller = Poller::new(settings, Decoders::shipped()).unwrap().unwrap();
        let (tx, mut events) = mpsc::channel(1_000);
        let cancel = CancellationToken::new();
        let telling = Telling::new("api".to_owned(), Arc::clone(&self.store), tx, cancel);
        let swept = poller
            .with(Arc::clone(Decoders::shipped()))
            .sweep(&telling)
            .await;
        events.close();
        swept.map_err(|trouble| trouble.to_string())
    }

    fn stored(&self) -> Vec<(String, u64)> {
        let rows = self.store.lock().alerts(1_000).unwrap();
        let mut rows: Vec<_> = rows
            .iter()
            .map(|row| (row.alert.own_id().to_owned(), row.count))
            .collect();
        rows.sort();
        rows
    }

    fn cursor(&self) -> PollCursor {
        match self.store.lock().cursor("api").unwrap() {
            Some(Cursor::Poll(cursor)) => cursor,
            other => panic!("{other:?}"),
        }
    }

    async fn asked(&self) -> Vec<Request> {
        self.server.received_requests().await.unwrap()
    }
}

fn once(ids: &[&str]) -> Vec<(String, u64)> {
    ids.iter().map(|id| ((*id).to_owned(), 1)).collect()
}

/// A description with this paging.
fn api(paging: &str) -> String {
    format!(
        "title = 'Test'\ndoc = 'https://example.org/'\nevery_s = 1\noverlap_s = 60\n\
         [request]\npath = '/alerts'\nquery = {{ since = '{{since}}', page = '{{page}}', first = '{{offset}}' }}\n\
         [answer]\nitems = '.items'\ntime = '.time_dt'\n[paging]\n{paging}\n"
    )
}

fn alerts() -> wiremock::MockBuilder {
    Mock::given(method("GET")).and(path("/alerts"))
}

const TOKEN: &str = "kind = 'token'\nnext = '.next'";

fn aws() -> AuthSettings {
    AuthSettings::AwsSigv4 {
        access_key_id: "AKIDEXAMPLE".to_owned(),
        secret_access_key: SecretRef::Cmd(vec!["printf".to_owned(), "aws-secret".to_owned()]),
        session_token: None,
        region: "eu-west-1".to_owned(),
    }
}

#[tokio::test]
async fn aws_requests_are_signed_and_findings_paged() {
    let place = Place::new().await;
    let finding = |id: &str| {
        json!({
            "SchemaVersion": "2018-10-08", "Id": id, "ProductArn": "arn:aws:securityhub:eu-west-1::product/aws/guardduty",
            "GeneratorId": "g", "AwsAccountId": "123456789012", "Types": ["TTPs/Credential Access"],
            "CreatedAt": "2026-01-01T00:00:00Z", "UpdatedAt": "2026-01-02T00:00:00Z", "Severity": {"Label": "HIGH"},
            "Title": "Key used from elsewhere", "Description": "d",
            "Resources": [{"Type": "AwsIamAccessKey", "Id": "AWS::IAM::AccessKey:AKIAX"}],
        })
    };
    let findings = || Mock::given(method("POST")).and(path("/findings"));
    place
        .on(
            findings().and(body_partial_json(json!({"NextToken": "n1"}))),
            ok(json!({"Findings": [finding("b")]})),
        )
        .await;
    place
        .on(
            findings(),
            ok(json!({"Findings": [finding("a")], "NextToken": "n1"})),
        )
        .await;
    let mut settings = place.settings(Some("aws_securityhub"), "", &[]);
    assert!(
        Poller::new(&settings, Decoders::shipped()).is_err(),
        "a bearer token is no signature"
    );
    if let SourceSettings::Poll { auth, .. } = &mut settings {
        *auth = aws();
    }
    place.sweep(&settings).await.unwrap();
    assert_eq!(place.stored().len(), 2);
    let asked = &place.asked().await[0];
    let proof = asked.headers["authorization"].to_str().unwrap();
    assert!(
        proof.starts_with("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/"),
        "{proof}"
    );
    assert!(
        proof.contains("/eu-west-1/securityhub/aws4_request"),
        "{proof}"
    );
    assert!(!proof.contains("aws-secret"));
}

#[test]
fn shipped_descriptions_can_be_used() {
    let infos = presets().unwrap();
    assert!(infos.len() >= 16);
    for info in infos {
        let params = info.params.iter();
        let settings = SourceSettings::Poll {
            name: "api".to_owned(),
            preset: Some(info.name.to_owned()),
            file: None,
            base_url: "https://api.example.org".to_owned(),
            params: params
                .filter(|(_, default)| default.is_empty())
                .map(|(name, _)| (name.clone(), "x".to_owned()))
                .collect(),
            auth: match info.name.starts_with("aws_") {
                true => aws(),
                false => AuthSettings::None,
            },
            ca_file: None,
            every_s: None,
            gap_ms: None,
            format: None,
        };
        check(&settings, Decoders::shipped()).unwrap_or_else(|e| panic!("{}: {e}", info.name));
    }
}

#[rstest]
#[case("kind = 'token'\nnext = '.next'")]
#[case("kind = 'url'\nnext = 'if .next then \"/alerts?page=\" + .next else empty end'")]
#[tokio::test]
async fn pages_are_followed_to_the_end(#[case] paging: &str) {
    let place = Place::new().await;
    let pages = [
        (
            None,
            json!({"items": [finding("a", "2026-01-02T00:00:00Z")], "next": "p2"}),
        ),
        (Some("p2"), json!({"items": [], "next": "p3"})),
        (
            Some("p3"),
            json!({"items": [finding("b", "2026-01-03T00:00:00Z")], "next": ""}),
        ),
    ];
    for (page, body) in pages {
        let mock = match page {
            Some(page) => alerts().and(query_param("page", page)),
            None => alerts().and(query_param_is_missing("page")),
        };
        // `url` has no empty next page.
        let mut body = body;
        if body["next"] == "" {
            body["next"] = Value::Null;
        }
        place
            .on(mock.and(header("authorization", "Bearer t0ken")), ok(body))
            .await;
    }
    let settings = place.settings(None, &api(paging), &[]);
    place.sweep(&settings).await.unwrap();
    assert_eq!(place.stored(), once(&["a", "b"]));
    let cursor = place.cursor();
    assert_eq!(
        (cursor.since, cursor.next),
        (Some("2026-01-03T00:00:00Z".parse().unwrap()), None)
    );
    // The next sweep reaches back, and what it gets again is the same.
    place.sweep(&settings).await.unwrap();
    assert_eq!(place.stored(), once(&["a", "b"]));
    let asked = place.asked().await;
    let again = asked[3]
        .url
        .query_pairs()
        .find(|(k, _)| k == "since")
        .unwrap()
        .1
        .into_owned();
    assert_eq!(again, "2026-01-02T23:59:00.000Z");
}

#[tokio::test]
async fn counted_pages_and_a_full_last_one() {
    let place = Place::new().await;
    let page = |ids: &[&str]| {
        let items: Vec<Value> = ids
            .iter()
            .map(|id| finding(id, "2026-01-02T00:00:00Z"))
            .collect();
        ok(json!({ "items": items }))
    };
    place
        .on(alerts().and(query_param("first", "0")), page(&["a", "b"]))
        .await;
    place
        .on(alerts().and(query_param("first", "2")), page(&["c", "d"]))
        .await;
    place
        .on(alerts().and(query_param("first", "4")), page(&[]))
        .await;
    let text = api("kind = 'offset'\nsize = 2").replace("page = '{page}', ", "");
    place
        .sweep(&place.settings(None, &text, &[]))
        .await
        .unwrap();
    assert_eq!(place.stored(), once(&["a", "b", "c", "d"]));
}

#[tokio::test]
async fn a_crash_between_pages_goes_on_at_the_next() {
    let place = Place::new().await;
    let first =
        json!({"items": [finding("a", "2026-01-02T00:00:00Z")], "next": {"after": [1, "x"]}});
    place
        .on(alerts().and(query_param_is_missing("page")), ok(first))
        .await;
    place
        .on(
            alerts().and(query_param("page", "{\"after\":[1,\"x\"]}")),
            ResponseTemplate::new(500),
        )
        .await;
    let settings = place.settings(None, &api(TOKEN), &[]);
    assert_eq!(place.sweep(&settings).await.unwrap_err(), "answers 500");
    assert_eq!(place.stored(), once(&["a"]));
    assert_eq!(place.cursor().since, None, "the sweep is not over");
    place.server.reset().await;
    let second = json!({"items": [finding("b", "2026-01-01T00:00:00Z")]});
    place
        .on(
            alerts().and(query_param("page", "{\"after\":[1,\"x\"]}")),
            ok(second),
        )
        .await;
    place.sweep(&settings).await.unwrap();
    assert_eq!(place.stored(), once(&["a", "b"]));
    assert_eq!(
        place.cursor().since,
        Some("2026-01-02T00:00:00Z".parse().unwrap())
    );
}

#[tokio::test]
async fn a_next_page_that_is_forgotten_begins_anew() {
    let place = Place::new().await;
    let cursor = PollCursor {
        page: 7,
        next: Some(Next::Token(json!("old"))),
        ..PollCursor::default()
    };
    let batch = Batch {
        cursor: Some(Cursor::Poll(cursor)),
        ..Batch::default()
    };
    place.store.lock().put("api", &batch).unwrap();
    place
        .on(
            alerts().and(query_param("page", "old")),
            ResponseTemplate::new(410),
        )
        .await;
    let all = json!({"items": [finding("a", "2026-01-02T00:00:00Z")]});
    place
        .on(alerts().and(query_param_is_missing("page")), ok(all))
        .await;
    place
        .sweep(&place.settings(None, &api(TOKEN), &[]))
        .await
        .unwrap();
    assert_eq!(place.stored(), once(&["a"]));
}

#[tokio::test]
async fn okta_keeps_its_link_and_asks_it_again() {
    let place = Place::new().await;
    let event = json!({
        "uuid": "e-1", "published": "2026-01-02T00:00:00.000Z", "eventType": "system.api_token.create", "version": "0",
        "severity": "INFO", "displayMessage": "Create API token",
        "actor": {"id": "00u1", "type": "User", "alternateId": "a@example.org"}, "outcome": {"result": "SUCCESS"},
    });
    let link = |page: &str| {
        let base = place.server.uri();
        format!(
            "<{base}/api/v1/logs?limit=1000>; rel=\"self\", <{base}/api/v1/logs?after={page}>; rel=\"next\""
        )
    };
    let logs = || {
        Mock::given(method("GET"))
            .and(path("/api/v1/logs"))
            .and(header("authorization", "SSWS t0ken"))
    };
    let first = ok(json!([event])).append_header("link", link("p1").as_str());
    place
        .on(logs().and(query_param_is_missing("after")), first)
        .await;
    let empty = ok(json!([])).append_header("link", link("p1").as_str());
    place
        .on(logs().and(query_param("after", "p1")), empty)
        .await;
    let settings = place.settings(Some("okta"), "", &[]);
    for _ in 0..3 {
        place.sweep(&settings).await.unwrap();
    }
    assert_eq!(place.stored(), once(&["e-1"]));
    let asked: Vec<String> = place
        .asked()
        .await
        .iter()
        .map(|r| r.url.query().unwrap_or("").to_owned())
        .collect();
    assert_eq!(asked[1..], ["after=p1", "after=p1", "after=p1"]);
    assert!(matches!(place.cursor().next, Some(Next::Url(url)) if url.ends_with("after=p1")));
}

#[tokio::test]
async fn alertmanager_gives_all_it_has_and_only_changes_count() {
    let place = Place::new().await;
    let alert = |state: &str, updated: &str| {
        ok(json!([{
            "fingerprint": "f1", "startsAt": "2026-01-02T00:00:00Z", "endsAt": updated, "updatedAt": updated,
            "labels": {"alertname": "TokenReuse", "severity": "critical"}, "annotations": {},
            "status": {"state": state, "silencedBy": [], "inhibitedBy": []}, "receivers": [{"name": "x"}],
        }]))
    };
    let settings = place.settings(Some("alertmanager"), "", &[]);
    for (state, updated, count) in [
        ("active", "2026-01-02T00:01:00Z", 1),
        ("active", "2026-01-02T00:02:00Z", 1),
        ("suppressed", "2026-01-02T00:03:00Z", 2),
    ] {
        place.server.reset().await;
        place
            .on(Mock::given(path("/api/v2/alerts")), alert(state, updated))
            .await;
        place.sweep(&settings).await.unwrap();
        let stored = place.stored();
        assert_eq!((stored.len(), stored[0].1), (1, count), "{state}");
    }
}

#[tokio::test]
async fn newest_first_ends_where_everything_is_stored() {
    let place = Place::new().await;
    let alert = |number: u32, at: &str| {
        json!({
            "number": number, "created_at": at, "updated_at": at, "state": "open", "secret_type": "x_token",
            "secret_type_display_name": "X Token", "html_url": format!("https://github.com/o/r/security/secret-scanning/{number}"),
            "url": format!("https://api.github.com/repos/o/r/secret-scanning/alerts/{number}"),
            "repository": {"full_name": "o/r"},
        })
    };
    let list = || {
        Mock::given(path("/orgs/acme%20x/secret-scanning/alerts"))
            .and(query_param("hide_secret", "true"))
    };
    let base = place.server.uri();
    let next = format!(
        "<{base}/orgs/acme%20x/secret-scanning/alerts?hide_secret=true&page=2>; rel=\"next\""
    );
    let recent = (Timestamp::now() - SignedDuration::from_hours(1)).to_string();
    let page = json!([alert(2, &recent), alert(1, "2020-01-01T00:00:00Z")]);
    place
        .on(list(), ok(page).append_header("link", next.as_str()))
        .await;
    let settings = place.settings(Some("github_secrets"), "", &[("org", "acme x")]);
    place.sweep(&settings).await.unwrap();
    assert_eq!(
        place.asked().await.len(),
        1,
        "the second page is older than what is wanted"
    );
    assert_eq!(place.stored().len(), 2);
    let sent = &place.asked().await[0];
    assert_eq!(sent.headers["x-github-api-version"], "2022-11-28");
}

#[tokio::test]
async fn elastic_pages_by_the_sort_values_of_the_last_hit() {
    let place = Place::new().await;
    let hit = |n: usize| {
        json!({"_id": format!("h{n}"), "_index": "i", "sort": [n, format!("u{n}")],
            "_source": {"@timestamp": "2026-01-02T00:00:00Z", "kibana.alert.uuid": format!("u{n}"),
                "kibana.alert.rule.name": "R", "kibana.alert.severity": "high"}})
    };
    let hits = |from, to| ok(json!({"hits": {"hits": (from..to).map(hit).collect::<Vec<_>>()}}));
    let search = || {
        Mock::given(method("POST"))
            .and(path("/.alerts-security.alerts-default/_search"))
            .and(header("authorization", "ApiKey t0ken"))
    };
    place
        .on(
            search().and(body_partial_json(json!({"search_after": [499, "u499"]}))),
            hits(500, 503),
        )
        .await;
    place.on(search(), hits(0, 500)).await;
    place
        .sweep(&place.settings(Some("elastic"), "", &[]))
        .await
        .unwrap();
    assert_eq!(place.stored().len(), 503);
    let first: Value = place.asked().await[0].body_json().unwrap();
    assert_eq!(first.get("search_after"), None, "{first}");
}

#[tokio::test]
async fn splunk_gives_a_line_a_result() {
    let place = Place::new().await;
    let line = |id: &str| {
        json!({"preview": false, "result": {"event_id": id, "rule_title": "R", "search_name": "S - Rule", "urgency": "high",
            "_time": "2026-01-02T00:00:00.000+00:00", "_indextime": "1767312000"}})
    };
    let body = format!(
        "{}\n{}\n{{\"lastrow\":true}}\n",
        line("A@@notable@@1"),
        line("B@@notable@@2")
    );
    place
        .on(
            Mock::given(method("POST")).and(path("/services/search/v2/jobs/export")),
            ResponseTemplate::new(200).set_body_string(body),
        )
        .await;
    place
        .sweep(&place.settings(Some("splunk"), "", &[]))
        .await
        .unwrap();
    assert_eq!(place.stored().len(), 2, "{:?}", place.stored());
    assert_eq!(
        place.cursor().since,
        Some(Timestamp::from_second(1_767_312_000).unwrap())
    );
}

#[tokio::test]
async fn a_time_in_the_future_moves_nothing_past_now() {
    let place = Place::new().await;
    let body = json!({"items": [finding("a", "2999-01-01T00:00:00Z")]});
    place.on(alerts(), ok(body)).await;
    place
        .sweep(&place.settings(None, &api(TOKEN), &[]))
        .await
        .unwrap();
    assert!(place.cursor().since.unwrap() <= Timestamp::now());
}

/// Bad answers, and what is said about them. What was stored before stays, and so does the place.
#[rstest]
#[case::loops(ok(json!({"items": [], "next": "p"})), "its cursor repeats after 2 pages")]
#[case::limit(ResponseTemplate::new(429).insert_header("retry-after", "7"), "answers 429 (too many questions)")]
#[case::broken(ResponseTemplate::new(500), "answers 500")]
#[case::login(ResponseTemplate::new(401), "answers 401 (its `auth` is not accepted)")]
#[case::redirect(ResponseTemplate::new(302).insert_header("location", "https://evil.example/"), "answers 302")]
#[case::not_utf8(ResponseTemplate::new(200).set_body_bytes(b"{\"items\":[\"\xff\"]}".to_vec()), "the answer is not UTF-8 from byte 11 on")]
#[case::no_json(ResponseTemplate::new(200).set_body_string("<html>"), "the answer is no JSON")]
#[case::other_shape(ok(json!({"error": "no"})), "there is no list of items")]
#[case::too_large(ResponseTemplate::new(200).set_body_bytes(vec![b' '; (16 << 20) + 1]), "the answer is larger than what is read of one")]
#[case::deep(ResponseTemplate::new(200).set_body_string("[".repeat(100_000)), "the answer is no JSON: recursion limit")]
#[tokio::test]
async fn bad_answers(#[case] answer: ResponseTemplate, #[case] message: &str) {
    let place = Place::new().await;
    place.on(alerts(), answer).await;
    let trouble = place
        .sweep(&place.settings(None, &api(TOKEN), &[]))
        .await
        .unwrap_err();
    assert!(trouble.contains(message), "{trouble}");
    assert_eq!(place.stored(), []);
    assert!(place.asked().await.len() <= 3);
}

#[tokio::test]
async fn another_host_is_not_asked() {
    let place = Place::new().await;
    let body = json!({"items": [], "next": "https://elsewhere.example/alerts"});
    place.on(alerts(), ok(body)).await;
    let text = api("kind = 'url'\nnext = '.next'");
    let trouble = place
        .sweep(&place.settings(None, &text, &[]))
        .await
        .unwrap_err();
    assert!(trouble.contains("lies on another host"), "{trouble}");
}

#[tokio::test]
async fn what_one_cannot_read_is_kept_and_the_rest_is_stored() {
    let place = Place::new().await;
    let body = json!({"items": [{"hello": 1}, finding("a", "2026-01-02T00:00:00Z"), 7]});
    place.on(alerts(), ok(body)).await;
    place
        .sweep(&place.settings(None, &api(TOKEN), &[]))
        .await
        .unwrap();
    assert_eq!(place.stored(), once(&["a"]));
    assert_eq!(place.store.lock().quarantine(9).unwrap().len(), 2);
}

#[rstest]
#[case(429, Some("7"), 7)]
#[case(503, Some("30"), 30)]
#[case(403, None, 60)]
#[case(404, None, 60)]
#[case(500, None, 0)]
#[tokio::test]
async fn how_long_it_is_left_alone(
    #[case] status: u16,
    #[case] after: Option<&str>,
    #[case] at_least_s: u64,
) {
    let place = Place::new().await;
    let mut answer = ResponseTemplate::new(status);
    if let Some(after) = after {
        answer = answer.insert_header("retry-after", after);
    }
    place.on(alerts(), answer).await;
    let settings = place.settings(None, &api(TOKEN), &[]);
    let poller = Poller::new(&settings, Decoders::shipped())
        .unwrap()
        .unwrap();
    let (tx, _events) = mpsc::channel(9);
    let telling = Telling::new(
        "api".to_owned(),
        Arc::clone(&place.store),
        tx,
        CancellationToken::new(),
    );
    let trouble = poller
        .with(Arc::clone(Decoders::shipped()))
        .sweep(&telling)
        .await
        .unwrap_err();
    let wait = trouble.wait(&mut crate::net::pace::Backoff::default());
    assert!(
        wait >= Duration::from_secs(at_least_s) && wait <= Duration::from_secs(at_least_s + 60),
        "{wait:?}"
    );
}

#[rstest]
#[case("[request]\npath = 'alerts'", "must begin with `/`")]
#[case(
    "[request]\npath = '/a/{nothing}'",
    "mentions `{nothing}`, which is no parameter"
)]
#[case("[request]\npath = '/a'", "asks for everything every time")]
#[case("[request]\npath = '/a/{since'", "has a `{` without its `}`")]
#[case(
    "[request]\npath = '/a/{since}'\n[paging]\nkind = 'token'",
    "`paging.next` belongs to"
)]
#[case(
    "[request]\npath = '/a/{since}'\n[paging]\nkind = 'token'\nnext = '.x'",
    "does not mention `{page}`"
)]
#[case(
    "[request]\npath = '/a/{since}'\n[paging]\nkind = 'offset'",
    "`paging.size` belongs to"
)]
#[case("[request]\npath = '/a/{since}'\nfile = 'x'", "unknown field `file`")]
fn mistakes_in_a_description(#[case] rest: &str, #[case] message: &str) {
    let text = format!(
        "title = 'T'\ndoc = 'https://example.org/'\nevery_s = 1\n[answer]\nitems = '.'\n{rest}\n"
    );
    let error = Api::parse(&text).unwrap_err().to_string();
    assert!(error.contains(message), "{error}");
}

#[rstest]
#[case("<https://h/a>; rel=\"next\"", Some("https://h/a"))]
#[case(
    "<https://h/s>; rel=self, </n?a=1,2>; title=\"x\"; rel=\"prev next\"",
    Some("/n?a=1,2")
)]
#[case("<https://h/a>; rel=\"last\"", None)]
#[case("<https://h/a", None)]
fn links(#[case] header: &str, #[case] next: Option<&str>) {
    assert_eq!(contact::next_of(header).as_deref(), next);
}

mod steps;
