//! Where one segment ends and the next begins, and the room that is kept behind the end.

use std::fs::File;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::domain::decision::RecordType;

use super::super::error::JournalError;
use super::super::fs::{How, read_from};
use super::super::layout::{POISON_FILE, segment_name};
use super::Writer;

/// Room kept for one outcome, in bytes: the longest line.
const RESERVE_EACH: u64 = 64 * 1024;

/// What was reserved in a segment.
#[derive(Clone, Copy, Debug)]
pub struct Reserved {
    segment: u64,
    /// How long the file was then.
    len: u64,
    /// The offset where it ends.
    until: u64,
}

impl Writer {
    /// Begins a segment when this one is large. An outcome belongs into the room that was reserved for it, so it begins
    /// one only when this one is twice as large, and stands here where that fails: readers refuse larger ones.
    pub(super) fn rotate_if_large(
        &mut self,
        now: Timestamp,
        records: &[(RecordType, Value)],
    ) -> Result<(), JournalError> {
        let happened = records
            .iter()
            .any(|(kind, _)| matches!(kind, RecordType::Outcome | RecordType::Verify));
        let limit = if happened { 2 } else { 1 } * self.limit;
        if self.walk.good.offset <= limit {
            return Ok(());
        }
        let here = self.walk.good.segment;
        match self.begin_segment(now, &json!({"reason": "size"})) {
            Err(_) if happened && self.walk.good.segment == here => Ok(()),
            other => other,
        }
    }

    /// Makes room for the outcomes of `in_flight` acts and one intent, so that a full disk refuses the intent and not
    /// the outcome (fallocate(2)). Not all file systems can promise it (btrfs, ZFS); these answer at once.
    ///
    /// What was reserved before is not asked for again: to the file system every such question is a change, for which the
    /// next wait for the disk takes twice as long.
    pub fn reserve(&mut self, in_flight: usize) -> Result<(), JournalError> {
        let end = self
            .log
            .fs
            .len(&self.segment)
            .map_err(self.failed("look at"))?;
        let room = (in_flight as u64)
            .saturating_add(2)
            .saturating_mul(RESERVE_EACH);
        self.room = room;
        let segment = self.walk.good.segment;
        // Whoever cuts the file gives back what was reserved behind it.
        let promised = self.reserved.is_some_and(|known| {
            known.segment == segment && known.len <= end && end.saturating_add(room) <= known.until
        });
        if !promised {
            self.make_room(&self.segment, end)?;
            self.reserved = Some(Reserved {
                segment,
                len: end,
                until: end.saturating_add(room),
            });
        }
        Ok(())
    }

    fn make_room(&self, segment: &File, end: u64) -> Result<(), JournalError> {
        match self.log.fs.reserve(segment, end, self.room) {
            Err(e) if e.kind() == std::io::ErrorKind::Unsupported => Ok(()),
            other => other.map_err(self.failed("reserve room in")),
        }
    }

    /// Lets segments begin earlier, as nobody wants to wait for large ones.
    #[cfg(test)]
    pub(in super::super) fn limit_segments(&mut self, bytes: u64) {
        self.limit = bytes;
    }

    /// A segment's name must be on the device before the head of what stands in it is published: else a power cut
    /// could leave the head of a log that is not there.
    pub(super) fn sync_names(&self) -> Result<(), JournalError> {
        self.log
            .fs
            .sync_dir(&self.log.dir)
            .map_err(self.log.failed("sync", ""))
    }

    /// Begins the segment that follows the last valid checkpoint.
    pub(in super::super) fn begin_segment(
        &mut self,
        now: Timestamp,
        body: &Value,
    ) -> Result<(), JournalError> {
        // The old segment must be whole on the device before the next one exists.
        if let Ok(old) = self
            .log
            .open(&segment_name(self.walk.good.segment), How::Read)
        {
            self.log.fs.sync(&old).map_err(self.failed("sync"))?;
        }
        let seq = self.walk.good.seq;
        let segment = self.log.open(&segment_name(seq), How::Create)?;
        self.log
            .fs
            .chmod(&segment, self.log.file_mode())
            .map_err(self.failed("set the mode of"))?;
        if self.room > 0
            && let Err(full) = self.make_room(&segment, 0)
        {
            // Acts under way have their room in the old one; an empty file left behind is as good as none.
            let _ = self.log.fs.remove(&self.log.dir, &segment_name(seq));
            return Err(full);
        }
        self.leave_segment();
        self.segment = segment;
        self.walk.good.segment = seq;
        self.walk.good.offset = 0;
        self.sync_names()?;
        self.genesis(now)?;
        self.commit(now, &[(RecordType::Segment, body.clone())])?;
        Ok(())
    }

    /// Begins a new segment when the console before lost its disk: its last pages may be on no device.
    pub(super) fn after_poison(&mut self, now: Timestamp) -> Result<(), JournalError> {
        let Ok(marker) = self.log.open(POISON_FILE, How::Read) else {
            return Ok(());
        };
        let why = read_from(&*self.log.fs, &marker, 0, 1024).unwrap_or_default();
        let why = String::from_utf8_lossy(&why).into_owned();
        self.begin_segment(now, &json!({"reason": "poisoned", "error": why}))?;
        self.log
            .fs
            .remove(&self.log.dir, POISON_FILE)
            .map_err(self.log.failed("remove", POISON_FILE))
    }
}
