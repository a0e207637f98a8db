//! Logs that somebody reads: woken by appends here, compared with the database every second.
//!
//! Bytes are read from the database from the reader's own offset; the last piece read is shared, so
//! that many readers of one log cost one read. Log text never enters the ring.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use shipboard_core::event::LogAppend;
use shipboard_core::id::{DeploymentId, Epoch};

use super::{LiveBoard, encode};
use crate::clock;
use crate::store::Result;

/// Most bytes of a log in one block.
const MAX_BLOCK: usize = 64 * 1024;

/// The logs that somebody reads.
#[derive(Debug, Default)]
pub(super) struct Logs {
    lengths: Mutex<HashMap<DeploymentId, (usize, u64)>>,
    last: tokio::sync::Mutex<Option<Piece>>,
}

/// A piece of a log, encoded.
#[derive(Clone, Debug)]
struct Piece {
    epoch: Epoch,
    id: DeploymentId,
    from: u64,
    to: u64,
    length: u64,
    /// The deployment had ended when it was read.
    ended: bool,
    /// It is the last of a log that has ended.
    done: bool,
    frame: Bytes,
}

impl Logs {
    fn lengths(&self) -> MutexGuard<'_, HashMap<DeploymentId, (usize, u64)>> {
        self.lengths.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is next of a log.
#[derive(Debug)]
pub struct LogNext {
    /// The block, if there is anything to tell.
    pub frame: Option<Bytes>,
    /// Where the reader is then.
    pub offset: u64,
    /// The deployment has ended.
    pub done: bool,
}

/// The last of a log, as its snapshot gives it.
#[derive(Debug)]
pub struct LogTail {
    /// The env's epoch before it was read.
    pub(super) epoch: Epoch,
    pub(super) encoded: Bytes,
    /// Where a reader is then.
    pub end: u64,
    /// The deployment has ended, and this is all.
    pub done: bool,
}

/// A reader's hold on a log.
#[derive(Debug)]
pub struct LogReading {
    board: std::sync::Arc<LiveBoard>,
    id: DeploymentId,
}

impl Drop for LogReading {
    fn drop(&mut self) {
        let mut lengths = self.board.logs.lengths();
        if let Some((readers, _)) = lengths.get_mut(&self.id) {
            *readers -= 1;
            if *readers == 0 {
                lengths.remove(&self.id);
            }
        }
    }
}

impl LiveBoard {
    /// Begins to hold a log.
    pub fn open_log(self: &std::sync::Arc<Self>, id: DeploymentId) -> LogReading {
        self.logs.lengths().entry(id).or_default().0 += 1;
        LogReading { board: self.clone(), id }
    }

    /// A log has grown here to this length: its readers wake.
    pub fn log_grew(&self, id: DeploymentId, length: u64) {
        let grew = match self.logs.lengths().get_mut(&id) {
            Some((_, known)) if *known < length => {
                *known = length;
                true
            }
            _ => false,
        };
        if grew {
            self.wake();
        }
    }

    /// Compares the logs being read with the database: another instance may have taken an append.
    pub(super) async fn check_logs(&self) -> Result<()> {
        let ids: Vec<DeploymentId> = self.logs.lengths().keys().copied().collect();
        if ids.is_empty() {
            return Ok(());
        }
        for (id, length) in self.store.log_lengths(&self.key, &ids).await? {
            self.log_grew(id, length);
        }
        Ok(())
    }

    /// The last of a log: from `offset`, or its last [`MAX_BLOCK`] bytes if that is later. `None`: the
    /// deployment is gone, or not held.
    pub async fn log_tail(&self, id: DeploymentId, offset: u64) -> Result<Option<LogTail>> {
        let epoch = self.position().0;
        let Some(end) = self.store.read_log(&self.key, id, u64::MAX, 0).await? else { return Ok(None) };
        let wanted = offset.min(end.length);
        let offset = wanted.max(end.length.saturating_sub(MAX_BLOCK as u64));
        let Some(part) = self.store.read_log(&self.key, id, offset, MAX_BLOCK).await? else {
            return Ok(None);
        };
        let Some(done) = self.is_done(id) else { return Ok(None) };
        // A restored log may be shorter than what was known of it.
        self.logs.lengths().entry(id).and_modify(|(_, known)| *known = part.length);
        // A snapshot that begins in the middle of a letter begins behind it.
        let skipped = part.bytes.iter().take(3).take_while(|byte| **byte & 0xc0 == 0x80).count();
        // Only where it is we who chose where it begins.
        let skipped = if offset == wanted { 0 } else { skipped };
        let whole = part.offset + part.bytes.len() as u64 == part.length;
        let done = done && whole;
        let text = readable(&part.bytes[skipped..], done);
        let offset = part.offset + skipped as u64;
        let encoded = encode::snapshot_state(&encode::LogState { id, offset, text: &text, done });
        Ok(Some(LogTail { epoch, encoded, end: offset + text.len() as u64, done }))
    }

    /// What is next of a log for a reader at `offset` that was told `told_done`. `None`: it is not held, or not
    /// in this epoch any more; in another one the log may be another, too.
    pub async fn log_after(
        &self,
        epoch: &Epoch,
        id: DeploymentId,
        offset: u64,
        told_done: bool,
    ) -> Result<Option<LogNext>> {
        if self.position().0 != *epoch {
            return Ok(None);
        }
        let Some(ended) = self.is_done(id) else { return Ok(None) };
        let known = self.logs.lengths().get(&id).map_or(0, |(_, length)| *length);
        if known <= offset && ended == told_done {
            return Ok(Some(LogNext { frame: None, offset, done: told_done }));
        }
        let mut last = self.logs.last.lock().await;
        let shared = last.as_ref().filter(|piece| {
            (&piece.epoch, piece.id, piece.from, piece.ended) == (epoch, id, offset, ended)
                && piece.length >= known
        });
        if let Some(piece) = shared {
            return Ok(Some(piece.next()));
        }
        let Some(part) = self.store.read_log(&self.key, id, offset, MAX_BLOCK).await? else {
            return Ok(None);
        };
        self.logs.lengths().entry(id).and_modify(|(_, known)| *known = (*known).max(part.length));
        // That it has ended is told with the last of it.
        let done = ended && part.offset + part.bytes.len() as u64 == part.length;
        let text = readable(&part.bytes, done);
        if text.is_empty() && done == told_done {
            // Half a letter: the rest of it will come.
            return Ok(Some(LogNext { frame: None, offset, done }));
        }
        let to = offset + text.len() as u64;
        let (now_in, cursor) = self.position();
        if now_in != *epoch {
            return Ok(None);
        }
        let append = LogAppend { id, offset, text, done };
        let frame = encode::log_append(&self.key, epoch, cursor.event_id, clock::now(), &append);
        let piece = Piece { epoch: now_in, id, from: offset, to, length: part.length, ended, done, frame };
        let next = piece.next();
        *last = Some(piece);
        Ok(Some(next))
    }
}

impl Piece {
    fn next(&self) -> LogNext {
        LogNext { frame: Some(self.frame.clone()), offset: self.to, done: self.done }
    }
}

/// A log's bytes as text of the same length, so that offsets stay true: what is no UTF-8 becomes `?`,
/// byte by byte. Half a letter at the end waits for its rest unless the log is `complete`.
pub(super) fn readable(bytes: &[u8], complete: bool) -> String {
    let mut text = String::with_capacity(bytes.len());
    let mut rest = bytes;
    while !rest.is_empty() {
        match std::str::from_utf8(rest) {
            Ok(valid) => {
                text.push_str(valid);
                break;
            }
            Err(error) => {
                let (valid, invalid) = rest.split_at(error.valid_up_to());
                text.push_str(&String::from_utf8_lossy(valid));
                let Some(length) = error.error_len() else {
                    if complete {
                        text.extend(std::iter::repeat_n('?', invalid.len()));
                    }
                    break;
                };
                text.extend(std::iter::repeat_n('?', length));
                rest = &invalid[length..];
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::readable;

    #[test]
    fn a_log_s_text_is_as_long_as_its_bytes() {
        let check = |bytes: &[u8], complete: bool, text: &str| {
            assert_eq!(readable(bytes, complete), text, "{bytes:?}");
        };
        check(b"plain", false, "plain");
        check("Grüße".as_bytes(), false, "Grüße");
        check(b"a\xffb\xfe", false, "a?b?");
        check(b"gr\xc3", false, "gr");
        check(b"gr\xc3", true, "gr?");
        check(b"\xe2\x82", false, "");
        check(b"\xe2\x28\xa1", false, "?(?");
    }
}
