//! Reads: one request, or a list to its last page.

use std::collections::BTreeSet;

use serde_json::Value;
use url::Url;

use super::connector::{Connector, MAY_NOT_READ};
use super::http::{Answer, Exchange, Way};
use super::jq;
use crate::domain::plan::{Body, FormField, NextPage, RenderedRequest};

/// Most pages of one list.
const MAX_PAGES: usize = 200;

impl Connector {
    /// Asks and expects one of the request's status codes with a JSON body. A list that comes in pages is read to its end;
    /// its body is the array of its pages, and a list that does not end is an error: what stands on a page that nobody
    /// read would be missed.
    pub(super) async fn ask(&self, request: &RenderedRequest) -> Result<(u16, Value), String> {
        let Some(next) = &request.next else {
            let (answer, body) = self.ask_once(request).await?;
            return Ok((answer.status, body));
        };
        let mut page = request.clone();
        let mut seen = BTreeSet::new();
        let mut pages = Vec::new();
        loop {
            let (answer, body) = self.ask_once(&page).await?;
            let mark = mark_of(next, &answer, &body)?;
            pages.push(body);
            let Some(mark) = mark else {
                return Ok((answer.status, Value::Array(pages)));
            };
            if pages.len() >= MAX_PAGES || !seen.insert(mark.clone()) {
                return Err(format!("the list does not end after {} pages", pages.len()));
            }
            page = turn(request, next, &mark)?;
        }
    }

    async fn ask_once(&self, request: &RenderedRequest) -> Result<(Answer, Value), String> {
        let exchange = self
            .exchange(request, None, Way::Shared)
            .await
            .map_err(|e| e.to_string())?;
        let answer: Answer = match exchange {
            Exchange::NotSent(why) => {
                let origin = origin_of(&request.url);
                return Err(format!("{origin} cannot be reached: {why}"));
            }
            Exchange::Lost(why, _) => return Err(format!("no usable answer: {why}")),
            Exchange::Answer(answer) => answer,
        };
        let status = answer.status;
        if !request.expect.contains(&status) {
            let hint = match status {
                401 | 403 => MAY_NOT_READ,
                404 => "it does not exist there",
                429 | 503 => "the provider asks to come back later",
                300..=399 => "redirects are not followed",
                _ => return Err(format!("status {status}")),
            };
            return Err(format!("status {status}; {hint}"));
        }
        let body = answer.json()?;
        Ok((answer, body))
    }
}

/// Finds the mark of the next page.
fn mark_of(next: &NextPage, answer: &Answer, body: &Value) -> Result<Option<String>, String> {
    let filter = match next {
        NextPage::Link => return Ok(answer.links.iter().find_map(|l| next_link(l))),
        NextPage::Url { filter }
        | NextPage::Query { filter, .. }
        | NextPage::Form { filter, .. } => filter,
    };
    match jq::first(filter, body).map_err(|e| e.to_string())? {
        Value::String(text) if !text.is_empty() => Ok(Some(text)),
        Value::Number(n) => Ok(Some(n.to_string())),
        Value::Null | Value::String(_) | Value::Bool(false) => Ok(None),
        _ => Err("what should name the next page is no text".to_owned()),
    }
}

/// Returns the request for the page that a mark names. Whether its URL still belongs to the provider is checked before it
/// is sent, like that of any request.
fn turn(first: &RenderedRequest, next: &NextPage, mark: &str) -> Result<RenderedRequest, String> {
    let mut page = first.clone();
    let url =
        |text: &str| Url::parse(text).map_err(|_| "the next page has no usable URL".to_owned());
    match next {
        NextPage::Link | NextPage::Url { .. } => {
            let base = url(&first.url)?;
            page.url = base
                .join(mark)
                .map_err(|_| "the next page has no usable URL".to_owned())?
                .into();
        }
        NextPage::Query { name, .. } => {
            let mut url = url(&first.url)?;
            url.query_pairs_mut().append_pair(name, mark);
            page.url = url.into();
        }
        NextPage::Form { name, .. } => {
            if let Body::Form { fields } = &mut page.body {
                fields.push(FormField {
                    name: name.clone(),
                    value: Some(mark.to_owned()),
                    secret: None,
                });
            }
        }
    }
    Ok(page)
}

/// Finds the target of `rel="next"` in a `Link` header (RFC 8288 §3).
fn next_link(header: &str) -> Option<String> {
    header.split(',').find_map(|link| {
        let (target, rest) = link.trim().strip_prefix('<')?.split_once('>')?;
        let is_next = rest.split(';').any(|part| {
            let part = part.trim().to_ascii_lowercase();
            part == "rel=\"next\"" || part == "rel=next"
        });
        is_next.then(|| target.to_owned())
    })
}

/// Returns scheme, host and port; paths hold ids that others chose.
fn origin_of(url: &str) -> String {
    Url::parse(url).map_or_else(
        |_| "the provider".to_owned(),
        |url| url.origin().ascii_serialization(),
    )
}
