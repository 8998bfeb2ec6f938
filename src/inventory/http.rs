//! Asking addresses for lists: bounded in time and size, page after page, with a copy of the last answer that could be read.
//!
//! A copy is used without asking while it is fresh, so that every subcommand does not ask anew; and with its age said when
//! the address cannot be reached: what was known yesterday is better than nothing at three in the morning.

use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use futures::future::join_all;
use jiff::Timestamp;
use reqwest::Method;
use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderMap, HeaderValue};
use serde::Deserialize;
use url::Url;

use super::utf8;
use crate::app::settings::{AuthSettings, InventorySource};
use crate::domain::alert::age;
use crate::domain::plan::sha256_hex;
use crate::net::auth::Auth;
use crate::net::http::{Exchange, Http, Outgoing, Payload};
use crate::net::place;

/// Most bytes of one answer, and of all pages together.
const MAX_ANSWER: usize = 64 << 20;

/// Most pages that are asked for.
const MOST_PAGES: usize = 1_000;

/// A text, and what is to be said of it.
#[derive(Debug)]
pub(super) struct Fetched {
    /// The text.
    pub text: String,
    /// When its source said so.
    pub at: Option<Timestamp>,
    /// Why it is not what the source says now.
    pub trouble: Option<String>,
    /// Where a copy of it belongs once it could be read, and the copy of before that is there.
    pub copy: Option<Copied>,
}

/// The place of a copy.
#[derive(Debug)]
pub(super) struct Copied {
    path: PathBuf,
    /// What is there, and since when.
    pub before: Option<(String, Timestamp)>,
}

impl Copied {
    /// Puts a text in the place of what is there; says why it could not.
    pub fn keep(&self, text: &str) -> Option<String> {
        let why = write_copy(&self.path, text).err()?;
        let path = self.path.display();
        Some(format!("its copy cannot be kept in {path}: {why}"))
    }
}

/// Asks every source that is an address, all at once; the answers come in the order of the sources. `anew` asks also where
/// a copy is fresh.
pub(super) fn fetch_all(
    sources: &[InventorySource],
    cache: Option<&Path>,
    anew: bool,
    now: Timestamp,
) -> Vec<Result<Fetched, String>> {
    let asked: Vec<&InventorySource> = sources.iter().filter(|s| s.file.is_none()).collect();
    if asked.is_empty() {
        return Vec::new();
    }
    // A thread of its own: the caller may stand in a runtime, in which nobody may wait for another.
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .map_err(|e| e.to_string());
            match runtime {
                Ok(runtime) => {
                    runtime.block_on(join_all(asked.iter().map(|s| fetch(s, cache, anew, now))))
                }
                Err(why) => asked.iter().map(|_| Err(why.clone())).collect(),
            }
        });
        let died = || {
            asked
                .iter()
                .map(|_| Err("a thread died".to_owned()))
                .collect()
        };
        thread.join().unwrap_or_else(|_| died())
    })
}

async fn fetch(
    source: &InventorySource,
    cache: Option<&Path>,
    anew: bool,
    now: Timestamp,
) -> Result<Fetched, String> {
    let kept = cache.map(|dir| kept_at(dir, source));
    let copy = kept.as_deref().and_then(read_copy);
    if let Some((text, at)) = &copy
        && !anew
        && now.as_second() - at.as_second() < source.fresh_s as i64
        && at.as_second() <= now.as_second()
    {
        return Ok(Fetched {
            text: text.clone(),
            at: Some(*at),
            trouble: None,
            copy: None,
        });
    }
    let limit = Duration::from_secs(source.timeout_s);
    let asked = tokio::time::timeout(limit, ask(source)).await;
    let asked = asked.unwrap_or_else(|_| Err(format!("no answer within {} s", source.timeout_s)));
    match (asked, copy) {
        (Ok(text), before) => Ok(Fetched {
            text,
            at: Some(now),
            trouble: None,
            copy: kept.map(|path| Copied { path, before }),
        }),
        (Err(why), Some((text, at))) => Ok(Fetched {
            text,
            at: Some(at),
            trouble: Some(format!("{why}; what it said {} ago is used", age(at, now))),
            copy: None,
        }),
        (Err(why), None) => Err(why),
    }
}

/// Asks for all pages and puts them one after the other.
async fn ask(source: &InventorySource) -> Result<String, String> {
    let address = source.url.as_deref().unwrap_or_default();
    let url = parse(address)?;
    let token_url = match &source.auth {
        AuthSettings::ClientCredentials {
            token_url: Some(text),
            ..
        } => Some(place::parse(text).map_err(|why| format!("`auth.token_url` {why}"))?),
        _ => None,
    };
    let auth = Auth::new(&source.auth, token_url)
        .ok_or("`auth.token_url` must be given for client_credentials")?;
    let limit = Duration::from_secs(source.timeout_s);
    let http = Http::new(limit, source.ca_file.as_deref()).map_err(|e| e.to_string())?;
    let (mut text, mut next) = (String::new(), Some(url.clone()));
    let mut pages = 0;
    while let Some(page) = next {
        pages += 1;
        if pages > MOST_PAGES {
            return Err(format!("more than {MOST_PAGES} pages"));
        }
        if page.origin() != url.origin() {
            return Err("its next page is on another host, which is not asked".to_owned());
        }
        let (body, links) = ask_page(&http, &auth, page.clone()).await?;
        if text.len() + body.len() > MAX_ANSWER {
            return Err("its pages are larger than 64 MiB together".to_owned());
        }
        next = next_page(&page, &body, &links).filter(|n| *n != page);
        text.push_str(&body);
        text.push('\n');
    }
    Ok(text)
}

/// Reads an address; a query may stand in it, which connectors' addresses may not have.
fn parse(address: &str) -> Result<Url, String> {
    let (plain, query) = match address.split_once('?') {
        Some((plain, query)) => (plain, Some(query)),
        None => (address, None),
    };
    let mut url = place::parse(plain).map_err(|why| format!("the address {why}"))?;
    url.set_query(query);
    Ok(url)
}

async fn ask_page(http: &Http, auth: &Auth, url: Url) -> Result<(String, Vec<String>), String> {
    let mut headers = HeaderMap::new();
    headers.insert(
        ACCEPT,
        HeaderValue::from_static("application/json, text/csv;q=0.9, */*;q=0.1"),
    );
    let proof = auth.header(http).await.map_err(|e| e.to_string())?;
    headers.extend(proof.map(|value| (Some(AUTHORIZATION), value)));
    let out = Outgoing {
        method: Method::GET,
        url,
        headers,
        payload: Payload::Empty,
    };
    let mut answer = match http.send_within(out, MAX_ANSWER).await {
        Exchange::NotSent(why) => return Err(format!("cannot be reached: {why}")),
        Exchange::Lost(why, _) => return Err(format!("no answer: {why}")),
        Exchange::Answer(answer) => answer,
    };
    if answer.status != 200 {
        let meaning = match answer.status {
            301..=308 => " (elsewhere; give the address it really has)",
            401 => " (its `auth` is not accepted)",
            403 => " (its `auth` may not read this)",
            404 => " (there is no such path)",
            _ => "",
        };
        return Err(format!("answers {}{meaning}", answer.status));
    }
    let links = std::mem::take(&mut answer.links);
    match &mut answer.body {
        Ok(bytes) => Ok((utf8(std::mem::take(&mut bytes.0))?, links)),
        Err(why) => Err((*why).to_owned()),
    }
}

/// What says where the next page is.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Paging {
    /// OData, of Graph: an address.
    #[serde(rename = "@odata.nextLink")]
    link: Option<String>,
    /// Google's APIs.
    #[serde(rename = "nextPageToken")]
    token: Option<String>,
    /// Backstage.
    #[serde(rename = "pageInfo")]
    info: Info,
    /// Kubernetes.
    metadata: Metadata,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Info {
    #[serde(rename = "nextCursor")]
    cursor: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Metadata {
    #[serde(rename = "continue")]
    go_on: Option<String>,
}

fn next_page(page: &Url, body: &str, links: &[String]) -> Option<Url> {
    if let Some(link) = links.iter().find_map(|header| next_of(header)) {
        return page.join(&link).ok();
    }
    if !body.trim_start().starts_with('{') {
        return None;
    }
    let paging: Paging = serde_json::from_str(body).ok()?;
    let filled = |text: Option<String>| text.filter(|t| !t.is_empty());
    if let Some(link) = filled(paging.link) {
        return Url::parse(&link).ok();
    }
    let (name, value) = [
        ("pageToken", filled(paging.token)),
        ("cursor", filled(paging.info.cursor)),
        ("continue", filled(paging.metadata.go_on)),
    ]
    .into_iter()
    .find_map(|(name, value)| Some((name, value?)))?;
    let mut next = page.clone();
    let others: Vec<(String, String)> = page
        .query_pairs()
        .filter(|(key, _)| key != name)
        .map(|(k, v)| (k.into_owned(), v.into_owned()))
        .collect();
    next.query_pairs_mut()
        .clear()
        .extend_pairs(others)
        .append_pair(name, &value);
    Some(next)
}

/// Finds `<…>; rel="next"` in a `Link` header (RFC 8288 §3).
fn next_of(header: &str) -> Option<String> {
    header.split(',').find_map(|link| {
        let (address, parameters) = link.trim().strip_prefix('<')?.split_once('>')?;
        let is_next = parameters.split(';').any(|p| {
            let p = p.trim().to_ascii_lowercase();
            p == "rel=\"next\"" || p == "rel=next"
        });
        is_next.then(|| address.trim().to_owned())
    })
}

/// Returns where the copy of a source is kept.
fn kept_at(cache: &Path, source: &InventorySource) -> PathBuf {
    let url = source.url.as_deref().unwrap_or_default();
    let name = sha256_hex(format!("{}\n{url}", source.shown_name()).as_bytes());
    let short = name.get(..24).unwrap_or(&name);
    cache.join("inventory").join(short)
}

fn read_copy(path: &Path) -> Option<(String, Timestamp)> {
    let at = std::fs::metadata(path).ok()?.modified().ok()?;
    let text = std::fs::read_to_string(path).ok()?;
    Some((text, Timestamp::try_from(at).ok()?))
}

/// Writes a copy that only its owner can read, whole or not at all.
fn write_copy(path: &Path, text: &str) -> std::io::Result<()> {
    if let Some(dir) = path.parent() {
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(dir)?;
    }
    let new = path.with_extension(format!("{}.tmp", std::process::id()));
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&new)?;
    std::io::Write::write_all(&mut file, text.as_bytes())?;
    std::fs::rename(&new, path)
}

#[cfg(test)]
mod tests;
