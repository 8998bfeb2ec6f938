//! Standard input as a source: read once, to its end.

use std::io::{ErrorKind, Read};
use std::sync::Arc;

use jiff::Timestamp;
use tokio::sync::mpsc::Sender;
use tokio_util::sync::CancellationToken;

use super::batch::Builder;
use super::lines::Lines;
use super::{Decoding, IntakeEvent, SourceState, put, tell};
use crate::intake::store::LockedStore;

/// Bytes read at a time. A pipe holds 64 KiB.
const CHUNK: usize = 64 << 10;

/// Batches read ahead of those that were told.
const READ_AHEAD: usize = 2;

/// Reads `input` until it ends or nobody wants more. A blocked read cannot be called off, so it has a thread of its
/// own that ends with its next piece of input or with the process.
pub(super) async fn run(
    input: impl Read + Send + 'static,
    name: String,
    decoding: Decoding,
    store: Arc<LockedStore>,
    tx: Sender<IntakeEvent>,
    cancel: CancellationToken,
) {
    let (batches, mut read) = tokio::sync::mpsc::channel(READ_AHEAD);
    let source = name.clone();
    let reader = std::thread::Builder::new().name("intake-stdin".to_owned());
    let started = reader.spawn(move || {
        let mut state = SourceState::Ended;
        let send = |events: Vec<IntakeEvent>| batches.blocking_send(events).is_ok();
        if let Err(reason) = read_all(input, &source, &decoding, &store, &send) {
            state = SourceState::Failed(reason);
        }
        send(vec![IntakeEvent::Source { source, state }]);
    });
    let state = match started {
        Ok(_) => SourceState::Following,
        Err(error) => SourceState::Failed(format!("start a thread: {error}")),
    };
    let first = IntakeEvent::Source {
        source: name,
        state,
    };
    if !tell(std::iter::once(first), &tx, &cancel).await {
        return;
    }
    loop {
        let events = tokio::select! {
            () = cancel.cancelled() => return,
            events = read.recv() => events,
        };
        let Some(events) = events else { return };
        if !tell(events.into_iter(), &tx, &cancel).await {
            return;
        }
    }
}

/// Reads to the end, storing and sending what each read brought. Stops early when `send` says that nobody listens.
fn read_all(
    mut input: impl Read,
    source: &str,
    decoding: &Decoding,
    store: &LockedStore,
    send: &impl Fn(Vec<IntakeEvent>) -> bool,
) -> Result<(), String> {
    let mut lines = Lines::default();
    let mut chunk = vec![0; CHUNK];
    loop {
        let count = match input.read(&mut chunk) {
            Ok(count) => count,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(format!("standard input: {error}")),
        };
        let mut rest = &chunk[..count];
        loop {
            let builder = Builder::new(source, decoding, Timestamp::now());
            let batch = builder.of_lines(&mut lines, &mut rest, count == 0);
            if !batch.is_empty() {
                let told = put(store, source, batch).map_err(|error| error.to_string())?;
                if !send(told.into_events(source).collect()) {
                    return Ok(());
                }
            }
            if rest.is_empty() {
                break;
            }
        }
        if count == 0 {
            return Ok(());
        }
    }
}
