//! The receiver: one listener to which senders of alerts post. A sender is told that its alerts arrived only after they
//! are on the disk.
//!
//! Plain HTTP/1.1, one request a connection: what is open is bounded in number and in time, whoever opens it. Webhooks
//! come to `/hooks/NAME` (`hook`), security events to `/events/NAME` (`events`, RFC 8935).

mod body;
mod events;
mod hook;
mod sender;

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::sync::mpsc::Sender;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::decode::Decoders;
use super::source::{IntakeEvent, Told, put, tell};
use super::store::{Batch, LockedStore, StoreError};
use crate::app::settings::{ReceiverSettings, SourceSettings};
use crate::net::secret::SecretError;

pub use body::BodyError;
pub use sender::Refusal;

/// Connections that are served at once; others wait.
const MOST_CONNECTIONS: usize = 64;

/// Most bytes of a request's line and headers.
const MOST_HEAD: usize = 32 << 10;

/// Longest life of a connection beyond what its body may take: storing may have to wait for another process.
const LONGEST_LIFE: Duration = Duration::from_secs(30);

/// Shortest time between two notices about one source: whoever is turned away may come back at any rate.
const NOTICE_GAP: Duration = Duration::from_secs(10);

/// How long to wait after the system refused a connection for lack of something.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// An answer to a sender.
type Answer = Response<Full<Bytes>>;

/// Why nobody is listened to.
#[derive(Debug, thiserror::Error)]
pub enum ReceiverError {
    /// The address is no address.
    #[error("`receiver.listen` `{0}` is no address and port; write `127.0.0.1:8460`")]
    Address(String),
    /// The address cannot be listened at.
    #[error("cannot listen at {address}: {error}; set `receiver.listen` to a free address")]
    Listen {
        /// Which address.
        address: SocketAddr,
        /// What the system said.
        error: std::io::Error,
    },
    /// Without its secret a source is open to everybody.
    #[error("source {name} is not listened for without its secret: {error}")]
    Secret {
        /// Which source.
        name: String,
        /// Why it cannot be read.
        error: SecretError,
    },
    /// Without keys every token would be believed.
    #[error("source {0} is not listened for without keys; set `decoders.token_keys`")]
    Keys(String),
}

/// What a request goes to.
#[derive(Debug)]
enum Route {
    Hook(hook::Hook),
    Events(events::Events),
}

/// A listener with everything it needs to tell senders apart.
#[derive(Debug)]
pub struct Receiver {
    listener: TcpListener,
    routes: BTreeMap<String, (Route, Mutex<Muffled>)>,
    patience: Duration,
}

/// How often somebody was turned away since the last notice of it.
#[derive(Debug, Default)]
struct Muffled {
    last: Option<Instant>,
    unsaid: u64,
}

/// What a request needs besides itself.
struct Desk {
    receiver: Receiver,
    store: Arc<LockedStore>,
    tx: Sender<IntakeEvent>,
    cancel: CancellationToken,
}

impl Receiver {
    /// Reads every secret and begins to listen. Fails when one cannot be read: a source without a secret takes in what
    /// anybody sends.
    pub async fn bind(
        settings: &ReceiverSettings,
        sources: &[SourceSettings],
        decoders: &Arc<Decoders>,
    ) -> Result<Self, ReceiverError> {
        let mut routes = BTreeMap::new();
        for source in sources {
            let name = source.name();
            let secret = |error| ReceiverError::Secret {
                name: name.to_owned(),
                error,
            };
            let (path, route) = match source {
                SourceSettings::Webhook { .. } => {
                    let hook = hook::Hook::new(source, decoders).await.map_err(secret)?;
                    (format!("/hooks/{name}"), hook.map(Route::Hook))
                }
                SourceSettings::EventsPush { .. } => {
                    if !decoders.have_keys() {
                        return Err(ReceiverError::Keys(name.to_owned()));
                    }
                    let events = events::Events::new(source, decoders)
                        .await
                        .map_err(secret)?;
                    (format!("/events/{name}"), events.map(Route::Events))
                }
                _ => continue,
            };
            routes.extend(route.map(|route| (path, (route, Mutex::default()))));
        }
        let address: SocketAddr = settings
            .listen
            .parse()
            .map_err(|_| ReceiverError::Address(settings.listen.clone()))?;
        let listener = TcpListener::bind(address)
            .await
            .map_err(|error| ReceiverError::Listen { address, error })?;
        Ok(Self {
            listener,
            routes,
            patience: Duration::from_secs(settings.patience_s.clamp(1, 300)),
        })
    }

    /// Returns where it listens.
    pub fn address(&self) -> Option<SocketAddr> {
        self.listener.local_addr().ok()
    }

    /// Serves until cancelled; then requests that have begun are answered.
    pub async fn run(
        self,
        store: Arc<LockedStore>,
        tx: Sender<IntakeEvent>,
        cancel: CancellationToken,
    ) {
        let desk = Arc::new(Desk {
            receiver: self,
            store,
            tx,
            cancel: cancel.clone(),
        });
        let room = Arc::new(Semaphore::new(MOST_CONNECTIONS));
        let tasks = TaskTracker::new();
        loop {
            let accepted = async {
                let permit = Arc::clone(&room).acquire_owned().await;
                (permit, desk.receiver.listener.accept().await)
            };
            tokio::select! {
                () = cancel.cancelled() => break,
                (permit, accepted) = accepted => match accepted {
                    Ok((stream, peer)) => {
                        let desk = Arc::clone(&desk);
                        tasks.spawn(async move {
                            serve(desk, stream, peer).await;
                            drop(permit);
                        });
                    }
                    Err(error) => {
                        tracing::warn!("a connection could not be accepted: {error}");
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                    }
                },
            }
        }
        tasks.close();
        tasks.wait().await;
    }
}

async fn serve(desk: Arc<Desk>, stream: TcpStream, peer: SocketAddr) {
    let patience = desk.receiver.patience;
    let service = service_fn(move |request| {
        let desk = Arc::clone(&desk);
        async move { Ok::<_, Infallible>(desk.answer(request, peer.ip()).await) }
    });
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(patience)
        .max_buf_size(MOST_HEAD)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service);
    // What is wrong with a connection is the business of whoever opened it.
    let _ = tokio::time::timeout(patience * 2 + LONGEST_LIFE, connection).await;
}

/// What came of a request.
struct Outcome {
    answer: Answer,
    /// What the analyst is told about it, if anything.
    notice: Option<String>,
}

impl From<Answer> for Outcome {
    fn from(answer: Answer) -> Self {
        Self {
            answer,
            notice: None,
        }
    }
}

impl Outcome {
    /// An answer with a reason that the analyst hears too.
    fn refused(status: StatusCode, reason: &str) -> Self {
        Self {
            answer: answer(status, &json!({ "error": reason })),
            notice: Some(reason.to_owned()),
        }
    }
}

impl Desk {
    async fn answer(&self, request: Request<Incoming>, peer: IpAddr) -> Answer {
        let path = request.uri().path();
        let Some((route, muffled)) = self.receiver.routes.get(path) else {
            let text = "nothing is received here; webhooks go to /hooks/NAME, security events to /events/NAME";
            return answer(StatusCode::NOT_FOUND, &json!({ "error": text }));
        };
        let (name, outcome) = match route {
            Route::Hook(hook) => (hook.name(), hook.take(self, request).await),
            Route::Events(events) => (events.name(), events.take(self, request).await),
        };
        if let Some(text) = outcome.notice.and_then(|text| muffled_text(muffled, text)) {
            let text = format!("a sender at {peer} was turned away: {text}");
            self.note(name, text).await;
        }
        outcome.answer
    }

    /// Keeps and tells something about a source.
    async fn note(&self, source: &str, text: String) {
        let (store, source, kept) = (Arc::clone(&self.store), source.to_owned(), text.clone());
        let name = source.clone();
        let noted = tokio::task::spawn_blocking(move || {
            store
                .lock()
                .note_contact(&source, jiff::Timestamp::now(), Err(&kept))
        });
        if let Ok(Err(error)) = noted.await {
            tracing::warn!("what a source was told cannot be kept: {error}");
        }
        let event = IntakeEvent::Notice { source: name, text };
        tell(std::iter::once(event), &self.tx, &self.cancel).await;
    }

    /// Stores a batch and tells the console. Returns what it came to.
    async fn store(&self, source: &str, batch: Batch) -> Result<Arrived, StoreError> {
        let (store, name) = (Arc::clone(&self.store), source.to_owned());
        let accepted = batch.accepted.iter().map(|a| a.alerts.len() as u64).sum();
        let reason = batch.refused.last().map(|r| r.reason.clone());
        let refused = batch.refused.len() as u64;
        let put = tokio::task::spawn_blocking(move || put(&store, &name, batch));
        let told: Told = put.await.unwrap_or_else(|error| {
            Err(StoreError::Damaged {
                what: format!("the storing thread died: {error}"),
            })
        })?;
        let arrived = Arrived {
            new: told.new,
            accepted,
            refused,
            reason,
            is_replay: told.replayed,
        };
        tell(told.into_events(source), &self.tx, &self.cancel).await;
        Ok(arrived)
    }
}

/// What storing a body came to.
struct Arrived {
    /// Alerts that were not there before.
    new: u64,
    /// Alerts in it.
    accepted: u64,
    /// Pieces that could not be read and are kept.
    refused: u64,
    /// What is wrong with the last of these.
    reason: Option<String>,
    /// Whether this very body was stored before.
    is_replay: bool,
}

/// Returns a notice unless there was one a moment ago.
fn muffled_text(muffled: &Mutex<Muffled>, text: String) -> Option<String> {
    let mut muffled = muffled.lock().unwrap_or_else(PoisonError::into_inner);
    if muffled.last.is_some_and(|last| last.elapsed() < NOTICE_GAP) {
        muffled.unsaid += 1;
        return None;
    }
    muffled.last = Some(Instant::now());
    match std::mem::take(&mut muffled.unsaid) {
        0 => Some(text),
        n => Some(format!("{text} ({n} more since the last notice)")),
    }
}

fn answer(status: StatusCode, body: &Value) -> Answer {
    let mut answer = Response::new(Full::new(Bytes::from(format!("{body}\n"))));
    *answer.status_mut() = status;
    let json = HeaderValue::from_static("application/json");
    answer.headers_mut().insert(CONTENT_TYPE, json);
    answer
}

fn with(mut answer: Answer, name: HeaderName, value: &'static str) -> Answer {
    let value = HeaderValue::from_static(value);
    answer.headers_mut().insert(name, value);
    answer
}

/// Says that what came could not be stored, so that the sender comes again.
fn not_stored(error: &StoreError) -> Outcome {
    let text = "not stored; send it again";
    let again = answer(StatusCode::SERVICE_UNAVAILABLE, &json!({ "error": text }));
    Outcome {
        answer: with(again, RETRY_AFTER, "5"),
        notice: Some(format!("{text}: {error}")),
    }
}

fn only_post() -> Outcome {
    let text = "only POST is received here";
    let refused = answer(StatusCode::METHOD_NOT_ALLOWED, &json!({ "error": text }));
    with(refused, ALLOW, "POST").into()
}

#[cfg(test)]
mod tests;
