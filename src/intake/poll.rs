//! APIs that are asked for alerts again and again, as descriptions say (`spec`).
//!
//! A sweep asks page after page. A page's alerts and the place after it are stored together; only then the next page is
//! asked for, so a crash asks a page again and loses none. What was given before, with the same bytes, is left as it is.
//! Between sweeps the place is a time: the latest that the source gave, never later than now, and each sweep reaches
//! back before it. A page that comes again ends the sweep, for its API would never end.

pub(crate) mod contact;
mod detail;
pub(crate) mod events;
mod page;
mod request;
mod spec;

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use sha2::{Digest as _, Sha256};
use tokio::sync::mpsc::Sender;
use tokio_util::sync::CancellationToken;
use url::Url;

use super::decode::Decoders;
use super::source::{Decoding, IntakeEvent, put};
use super::store::{Batch, Cursor, Listed, LockedStore, Next, PollCursor};
use crate::app::settings::SourceSettings;
use crate::domain::ids::AlertId;
use contact::{Asked, Asking, Contact, Pace, Telling, Trouble};
use page::Page;
use request::Vars;
use spec::{Api, PagingKind};

pub use contact::PollError;
pub use spec::{PresetInfo, SpecError, presets};

/// Most pages of one sweep; the next one goes on.
const MOST_PAGES: usize = 1_000;

/// Most short hashes that are kept of a list.
const MOST_HELD: usize = 20_000;

/// Says what is wrong with the settings of a source that is asked, and with the description that they name.
pub fn check(settings: &SourceSettings, decoders: &Decoders) -> Result<(), PollError> {
    if let SourceSettings::EventsPoll { .. } = settings {
        return events::EventsPoller::new(settings, &Arc::default()).map(drop);
    }
    Poller::new(settings, decoders).map(drop)
}

/// An API with its place.
pub(crate) struct Poller {
    name: String,
    api: Arc<Api>,
    base: Url,
    params: BTreeMap<String, String>,
    every: Duration,
    /// Shortest time between two requests, in milliseconds.
    gap_ms: u64,
    contact: Contact,
    format: Option<String>,
}

impl Poller {
    /// Puts settings and description together; nothing when the settings are another source's.
    pub fn new(settings: &SourceSettings, decoders: &Decoders) -> Result<Option<Self>, PollError> {
        let SourceSettings::Poll {
            name,
            preset,
            file,
            base_url,
            params,
            auth,
            ca_file,
            every_s,
            gap_ms,
            format,
        } = settings
        else {
            return Ok(None);
        };
        let (text, called) = match (preset, file) {
            (Some(preset), _) => {
                let text = spec::preset(preset).ok_or_else(|| PollError::Preset(preset.clone()))?;
                (text.to_owned(), format!("preset `{preset}`"))
            }
            (None, Some(file)) => {
                let called = file.display().to_string();
                let text = std::fs::read_to_string(file).map_err(|error| PollError::File {
                    file: called.clone(),
                    error,
                })?;
                (text, called)
            }
            (None, None) => return Err(PollError::Preset(String::new())),
        };
        let api = Api::parse(&text).map_err(|error| PollError::Spec {
            file: called,
            error,
        })?;
        let params = filled(&api, params)?;
        let base = crate::net::place::parse(base_url).map_err(PollError::Base)?;
        let contact = Contact::new(auth, &base, ca_file.as_deref())?
            .with_token(&api.spec.token.header, &api.spec.token.prefix)?
            .with_aws(auth, api.spec.aws_service.as_deref())?;
        let format = format.clone().or_else(|| api.spec.format.clone());
        if let Some(unknown) = format
            .as_deref()
            .filter(|f| *f != "auto" && !decoders.knows(f))
        {
            return Err(PollError::Format(unknown.to_owned()));
        }
        Ok(Some(Self {
            name: name.clone(),
            every: Duration::from_secs(every_s.unwrap_or(api.spec.every_s)),
            gap_ms: gap_ms.unwrap_or(api.spec.gap_ms),
            base,
            params,
            contact,
            format,
            api: Arc::new(api),
        }))
    }

    /// Asks until cancelled or nobody listens.
    pub async fn run(
        self,
        decoders: Arc<Decoders>,
        store: Arc<LockedStore>,
        tx: Sender<IntakeEvent>,
        cancel: CancellationToken,
    ) {
        let telling = Telling::new(self.name.clone(), store, tx, cancel);
        let every = self.every;
        let sweeper = self.with(decoders);
        contact::again_and_again(&telling, every, Pace::default(), &sweeper).await;
    }

    fn with(self, decoders: Arc<Decoders>) -> Sweeper {
        let decoding = Decoding {
            format: self.format.clone(),
            decoders,
        };
        Sweeper {
            poller: self,
            decoding,
        }
    }
}

/// What the pages of a sweep hold so far.
#[derive(Default)]
struct Held {
    /// Short hashes of what they hold, for APIs that only give whole lists.
    revisions: Vec<u64>,
    /// The alerts in them.
    ids: Vec<AlertId>,
    /// Whether they are all from the first on, and all of them could be read.
    is_whole: bool,
}

/// A poller with what decodes what it gets.
struct Sweeper {
    poller: Poller,
    decoding: Decoding,
}

impl Sweeper {
    async fn read(&self, answer: Asked) -> Result<Page, Trouble> {
        let api = Arc::clone(&self.poller.api);
        let read = tokio::task::spawn_blocking(move || Page::read(&api, &answer));
        read.await
            .map_err(|error| Trouble::Died(error.to_string()))?
            .map_err(Trouble::Unreadable)
    }

    /// Stores a page with the place after it. Returns whether it was the last one.
    async fn take(
        &self,
        telling: &Telling,
        cursor: &mut PollCursor,
        mut page: Page,
        since: Timestamp,
        now: Timestamp,
        held: &mut Held,
    ) -> Result<bool, Trouble> {
        let next = page.next.take();
        let paging = &self.poller.api.spec.paging;
        let is_empty = page.items.is_empty();
        let next = match (paging.kind, next) {
            (PagingKind::Offset, _) => {
                let before = match &cursor.next {
                    Some(Next::Offset(count)) => *count,
                    _ => 0,
                };
                let count = page.items.len() as u64;
                (count >= paging.size).then_some(Next::Offset(before + count))
            }
            (_, next) => next,
        };
        let is_old = paging.ends_when_old && page.oldest.is_some_and(|oldest| oldest < since);
        let is_last = next.is_none() || is_old || (paging.is_kept && is_empty);
        let before = cursor.clone();
        let newest = page.newest.map(|newest| newest.min(now));
        cursor.newest = cursor.newest.max(newest);
        if is_last {
            cursor.since = cursor.since.max(cursor.newest.take());
        }
        cursor.next = if is_last && !paging.is_kept {
            None
        } else {
            // A link that is to be kept stays where an answer has none.
            next.or_else(|| cursor.next.take())
        };
        let mut batch = self.decode(page, &before.held, held, now).await?;
        if is_last && self.poller.api.revision.is_some() {
            held.revisions.sort_unstable();
            held.revisions.dedup();
            cursor.held = match held.revisions.len() {
                0..=MOST_HELD => std::mem::take(&mut held.revisions),
                _ => Vec::new(),
            };
        }
        let is_same = self.poller.api.revision.is_some() && cursor.held == before.held;
        let is_news = !batch.is_empty() || !is_same;
        held.is_whole &= !is_old && held.ids.len() <= MOST_HELD;
        if is_last && is_news && held.is_whole && self.poller.api.spec.answer.is_snapshot {
            let ids = std::mem::take(&mut held.ids);
            batch.listed = Some(Listed { ids, at: now });
        }
        if !batch.is_empty() || *cursor != before {
            cursor.page += 1;
            batch.cursor = Some(Cursor::Poll(cursor.clone()));
            telling.store(batch).await?;
        }
        Ok(is_last)
    }

    async fn keep(&self, telling: &Telling, mut cursor: PollCursor) -> Result<(), Trouble> {
        cursor.page += 1;
        let batch = Batch {
            cursor: Some(Cursor::Poll(cursor)),
            observed: Timestamp::now(),
            ..Batch::default()
        };
        telling.store(batch).await
    }

    async fn decode(
        &self,
        page: Page,
        before: &[u64],
        held: &mut Held,
        now: Timestamp,
    ) -> Result<Batch, Trouble> {
        let known: HashSet<u64> = before.iter().copied().collect();
        let (mut raws, mut as_before) = (Vec::new(), Vec::new());
        for item in page.items {
            match item.revision {
                Some(revision) => {
                    held.revisions.push(revision);
                    let is_known = known.contains(&revision);
                    if is_known { &mut as_before } else { &mut raws }.push(item.raw);
                }
                None => raws.push(item.raw),
            }
        }
        if !self.poller.api.spec.answer.is_snapshot {
            as_before.clear();
        }
        let (name, decoding) = (self.poller.name.clone(), self.decoding.clone());
        let decoded = tokio::task::spawn_blocking(move || {
            let read = |raws| super::source::batch::of_items(&name, &decoding, raws, now);
            let (mut batch, as_before) = (read(raws), read(as_before));
            batch.is_asked_again = true;
            (batch, as_before)
        });
        let decoded = decoded.await;
        let (batch, as_before) = decoded.map_err(|error| Trouble::Died(error.to_string()))?;
        // What cannot be read may be one that was there before.
        held.is_whole &= batch.refused.is_empty() && as_before.refused.is_empty();
        let pieces = batch.accepted.iter().chain(&as_before.accepted);
        let alerts = pieces.flat_map(|piece| &piece.alerts);
        held.ids.extend(alerts.map(|alert| alert.id.clone()));
        Ok(batch)
    }
}

impl Asking for Sweeper {
    async fn sweep(&self, telling: &Telling) -> Result<(), Trouble> {
        let mut cursor = match telling.cursor().await? {
            Some(Cursor::Poll(cursor)) => cursor,
            // A cursor of another kind is what a source of this name left that was no API.
            _ => PollCursor::default(),
        };
        let spec = &self.poller.api.spec;
        let started = Timestamp::now();
        let back = |from: Timestamp, seconds: i64| {
            from.checked_sub(SignedDuration::from_secs(seconds))
                .unwrap_or(from)
        };
        let since = match cursor.since {
            Some(since) => back(since, spec.overlap_s),
            None => back(started, spec.first_s),
        };
        let mut resumed = cursor.next.is_some() && !spec.paging.is_kept;
        let mut asked: HashSet<[u8; 32]> = HashSet::new();
        let mut held = Held {
            is_whole: !resumed,
            ..Held::default()
        };
        for pages in 0.. {
            if pages == MOST_PAGES || telling.is_over() {
                return Ok(());
            }
            let vars = Vars {
                params: &self.poller.params,
                since,
                now: started,
                next: cursor.next.as_ref(),
                ids: None,
            };
            let filled = vars
                .request(spec, &self.poller.base)
                .map_err(Trouble::Elsewhere)?;
            if !asked.insert(digest(&filled)) {
                cursor.next = None;
                self.keep(telling, cursor).await?;
                return Err(Trouble::Loop(pages));
            }
            if pages > 0 && self.poller.gap_ms > 0 {
                tokio::time::sleep(Duration::from_millis(self.poller.gap_ms)).await;
            }
            let answer = match self.poller.contact.ask(filled).await {
                Err(Trouble::Status { status, .. })
                    if resumed
                        && (400..500).contains(&status)
                        && ![401, 403, 429].contains(&status) =>
                {
                    // What pointed at the next page is forgotten by now; the sweep begins again.
                    (cursor.next, resumed) = (None, false);
                    asked.clear();
                    held = Held {
                        is_whole: true,
                        ..Held::default()
                    };
                    continue;
                }
                other => other?,
            };
            let listed = self.read(answer).await?;
            let vars = Vars { next: None, ..vars };
            let page = self.in_full(listed, &vars).await?;
            let is_last = self
                .take(telling, &mut cursor, page, since, started, &mut held)
                .await?;
            if is_last {
                return Ok(());
            }
        }
        Ok(())
    }
}

/// Fills the parameters of a description.
fn filled(
    api: &Api,
    given: &BTreeMap<String, String>,
) -> Result<BTreeMap<String, String>, PollError> {
    let mut params = api.spec.params.clone();
    for (name, value) in given {
        match params.get_mut(name) {
            Some(slot) => slot.clone_from(value),
            None => {
                return Err(PollError::Param(
                    name.clone(),
                    "is none of this API's parameters",
                ));
            }
        }
    }
    match params.iter().find(|(_, value)| value.is_empty()) {
        Some((name, _)) => Err(PollError::Param(name.clone(), "must be given in `params`")),
        None => Ok(params),
    }
}

fn digest(filled: &request::Filled) -> [u8; 32] {
    let mut hasher = Sha256::new_with_prefix(filled.url.as_str());
    if let Some((_, bytes)) = &filled.payload {
        hasher.update([0]);
        hasher.update(bytes);
    }
    hasher.finalize().into()
}

#[cfg(test)]
mod tests;
