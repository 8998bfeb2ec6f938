//! Notices that another process stored something.

use std::ffi::OsStr;
use std::io;
use std::path::Path;

use futures::StreamExt as _;
use inotify::{EventMask, EventStream, Inotify, WatchMask};

/// Room for the notices of one read.
const NOTICE_BYTES: usize = 16 << 10;

/// Change notices of one store.
pub struct Watch {
    stream: EventStream<Vec<u8>>,
}

impl Watch {
    /// Watches the store in `dir` from now on.
    pub fn new(dir: &Path) -> io::Result<Self> {
        let stream = Inotify::init()?.into_event_stream(vec![0; NOTICE_BYTES])?;
        // Every commit writes to the WAL, which comes and goes with the processes that use it.
        let mask = WatchMask::MODIFY | WatchMask::CREATE | WatchMask::DELETE;
        stream.watches().add(dir, mask)?;
        Ok(Self { stream })
    }

    /// Waits until something may have been stored since the last call.
    pub async fn changed(&mut self) -> io::Result<()> {
        loop {
            let Some(event) = self.stream.next().await else {
                return Err(io::ErrorKind::UnexpectedEof.into());
            };
            let event = event?;
            let is_own = event.name.as_deref() == Some(OsStr::new("alerts.db-wal"));
            if is_own || event.mask.contains(EventMask::Q_OVERFLOW) {
                return Ok(());
            }
        }
    }
}
