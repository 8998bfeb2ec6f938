//! Lists that come in pages: read to their end, or not at all.

use rstest::rstest;
use serde_json::{Value, json};
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

use super::Connector;
use super::testing::settings;
use crate::domain::plan::{Body, FormField, NextPage, RenderedRequest};

fn list(base: &str, next: NextPage) -> RenderedRequest {
    let form = matches!(next, NextPage::Form { .. });
    RenderedRequest {
        id: "list".into(),
        method: if form { "POST" } else { "GET" }.into(),
        url: format!("{base}/list?limit=2"),
        headers: Vec::new(),
        body: match form {
            true => Body::Form {
                fields: vec![FormField {
                    name: "Action".into(),
                    value: Some("List".into()),
                    secret: None,
                }],
            },
            false => Body::None,
        },
        expect: vec![200],
        already: Vec::new(),
        accept_if: None,
        capture: None,
        next: Some(next),
    }
}

fn filter(text: &str) -> String {
    text.to_owned()
}

/// Returns the page that a request asks for: its last mark, or 1.
fn page(request: &Request) -> u64 {
    let body = url::form_urlencoded::parse(&request.body).into_owned();
    let marks = request.url.query_pairs().into_owned().chain(body);
    marks
        .filter(|(name, _)| name == "mark")
        .last()
        .map_or(1, |(_, mark)| mark.parse().unwrap())
}

async fn ask(
    next: NextPage,
    answer: impl Fn(&str, u64) -> ResponseTemplate + Send + Sync + 'static,
) -> (Result<(u16, Value), String>, usize) {
    let server = MockServer::start().await;
    let base = server.uri();
    Mock::given(wiremock::matchers::any())
        .respond_with(move |request: &Request| answer(&base, page(request)))
        .mount(&server)
        .await;
    let connector = Connector::new("c", &settings(&server.uri(), "lab")).unwrap();
    let told = connector.ask(&list(&server.uri(), next)).await;
    (told, server.received_requests().await.unwrap().len())
}

#[rstest]
#[case::link(NextPage::Link)]
#[case::url(NextPage::Url { filter: filter(".next") })]
#[case::query(NextPage::Query { filter: filter(".mark"), name: "mark".into() })]
#[case::form(NextPage::Form { filter: filter(".mark"), name: "mark".into() })]
#[tokio::test]
async fn every_page_is_read_once(#[case] next: NextPage) {
    let (told, calls) = ask(next, |base, page| {
        let more = page < 3;
        let url = format!("{base}/list?limit=2&mark={}", page + 1);
        let body =
            json!({"page": page, "next": more.then_some(&url), "mark": more.then_some(page + 1)});
        let answer = ResponseTemplate::new(200).set_body_json(body);
        match more {
            true => answer.insert_header(
                "link",
                format!("<{base}/list>; rel=\"first\", <{url}>; rel=\"next\"").as_str(),
            ),
            false => answer,
        }
    })
    .await;
    let (status, pages) = told.unwrap();
    let numbers: Vec<_> = pages
        .as_array()
        .unwrap()
        .iter()
        .map(|p| p["page"].as_u64().unwrap())
        .collect();
    assert_eq!((status, numbers, calls), (200, vec![1, 2, 3], 3));
}

#[rstest]
#[case::same_mark_again(|_: &str, _: u64| json!({"mark": 7}), "does not end", 2)]
#[case::never_ending(|_: &str, page: u64| json!({"mark": page + 1}), "does not end", 200)]
#[case::mark_is_no_text(|_: &str, _: u64| json!({"mark": {"a": 1}}), "no text", 1)]
#[tokio::test]
async fn a_list_that_does_not_end_is_an_error(
    #[case] body: fn(&str, u64) -> Value,
    #[case] says: &str,
    #[case] most: usize,
) {
    let next = NextPage::Query {
        filter: filter(".mark"),
        name: "mark".into(),
    };
    let (told, calls) = ask(next, move |base, page| {
        ResponseTemplate::new(200).set_body_json(body(base, page))
    })
    .await;
    let why = told.unwrap_err();
    assert!(why.contains(says) && calls <= most, "{why} after {calls}");
}

#[rstest]
#[case("http://127.0.0.1:1/list")]
#[case("https://evil.example/list")]
#[case("//evil.example/list")]
#[case("http://user@{host}/list")]
#[tokio::test]
async fn a_page_elsewhere_gets_no_request(#[case] target: &'static str) {
    let next = NextPage::Url {
        filter: filter(".next"),
    };
    let (told, calls) = ask(next, move |base, _| {
        let host = base.trim_start_matches("http://");
        ResponseTemplate::new(200).set_body_json(json!({"next": target.replace("{host}", host)}))
    })
    .await;
    let why = told.unwrap_err();
    assert!(why.contains("base_url") && calls == 1, "{why}");
}
