//! Room for alerts on their way to the console: one that is slower than its sources holds them back, in the end the
//! sources, and not in memory.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;

use crate::app::msg::Held;

/// Lots of alerts that may be on their way: as many as a batch of a file, so that the next one is there when the console has
/// taken it in. More would be memory, and no faster.
const AHEAD: usize = 8;

/// How long a console that takes nothing in is waited for, a lot: it may stand still for other reasons.
const PATIENCE: Duration = Duration::from_secs(1);

/// Counts what is on its way.
pub(super) struct Room(Arc<Semaphore>);

impl Room {
    pub fn new() -> Self {
        Self(Arc::new(Semaphore::new(AHEAD)))
    }

    /// Waits until there is room for one more lot, and returns what is to be given up when that was taken in. Nothing when
    /// the console stands still.
    pub async fn enter(&self) -> Option<Held> {
        let permit = Arc::clone(&self.0).acquire_owned();
        let permit = tokio::time::timeout(PATIENCE, permit).await.ok()?.ok()?;
        Some(Box::new(permit))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_is_far_ahead_waits_until_something_was_taken_in() {
        let room = Room::new();
        let mut on_their_way = Vec::new();
        for _ in 0..AHEAD {
            on_their_way.extend(room.enter().await);
        }
        assert_eq!(on_their_way.len(), AHEAD);
        let mut next = std::pin::pin!(room.enter());
        assert!(futures::poll!(&mut next).is_pending());
        on_their_way.pop();
        let kept = next.await;
        assert!(kept.is_some());
        assert!(
            room.enter().await.is_none(),
            "one that stands still stops nobody"
        );
    }
}
