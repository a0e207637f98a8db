//! Boards: what each env looks like now, in memory, for as long as somebody looks.
//!
//! A board is loaded once however many ask, fed by the writer after its commits, compared with the
//! database every second, and dropped a while after its last reader. It holds no truth.

mod encode;
mod live;
mod log;
mod ring;
mod state;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use bytes::Bytes;
pub use encode::{heartbeat, retry, stream_end};
pub use live::{DetailReading, LiveBoard, Reading};
pub use log::{LogNext, LogReading};
use shipboard_core::event::Event;
use shipboard_core::id::{Epoch, EventId};

use crate::store::{EnvKey, Result, Store};

/// Every board of this instance.
#[derive(Debug)]
pub struct Boards {
    store: Store,
    boards: Mutex<HashMap<EnvKey, Arc<LiveBoard>>>,
}

/// What a reader has: a life of the board, and the last event it was given.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Cursor {
    generation: u64,
    /// The last event included.
    pub event_id: EventId,
}

/// What a board has for a reader.
#[derive(Debug)]
pub enum Next {
    /// Blocks to write, and where the reader is then.
    Frames {
        /// Shared bytes, in order; none if nothing of it concerns the reader.
        frames: Vec<Bytes>,
        /// The new cursor.
        cursor: Cursor,
        /// The last event among them.
        told: Option<EventId>,
        /// When the oldest of it was committed.
        committed: Option<Instant>,
        /// The deployment read was deleted: nothing follows.
        gone: bool,
    },
    /// The reader is at the head.
    Nothing,
    /// The reader must begin anew, with a snapshot.
    Resync,
}

/// A snapshot, and the cursor that goes with it: taken together, under one lock.
#[derive(Debug)]
pub struct Opened {
    /// Its blocks.
    pub frames: Vec<Bytes>,
    /// Where the reader is then.
    pub cursor: Cursor,
    /// The env's epoch.
    pub epoch: Epoch,
}

impl Boards {
    /// No boards yet.
    pub fn new(store: Store) -> Self {
        Self { store, boards: Mutex::default() }
    }

    fn all(&self) -> MutexGuard<'_, HashMap<EnvKey, Arc<LiveBoard>>> {
        self.boards.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The board of an env, loaded. However many ask at once, it is read once.
    pub async fn open(&self, key: &EnvKey) -> Result<Reading> {
        let reading = {
            // Counted under the lock that `check` drops boards under: an orphan would never be fed again.
            let mut all = self.all();
            let board = all.entry(key.clone());
            let board = board.or_insert_with(|| Arc::new(LiveBoard::new(key.clone(), self.store.clone())));
            Reading::new(board.clone())
        };
        reading.load().await?;
        Ok(reading)
    }

    /// Feeds a committed transaction to the env's board, if it is loaded.
    pub fn offer(&self, key: &EnvKey, epoch: &Epoch, events: Vec<Event>) -> Option<Arc<LiveBoard>> {
        let board = self.all().get(key).cloned()?;
        board.offer(epoch, events).then_some(board)
    }

    /// The epoch that this instance has shown for an env that nobody has reported to.
    pub fn proposed_epoch(&self, key: &EnvKey) -> Option<Epoch> {
        let board = self.all().get(key).cloned()?;
        let state = board.state();
        state.unborn.then(|| state.epoch.clone())
    }

    /// The board of an env, if it is loaded.
    pub fn get(&self, key: &EnvKey) -> Option<Arc<LiveBoard>> {
        self.all().get(key).cloned()
    }

    /// How many boards are loaded.
    pub fn len(&self) -> usize {
        self.all().len()
    }

    /// None is.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Compares every loaded board with the database, and brings on those that are behind. Boards that
    /// nobody has read for a while go.
    pub async fn check(&self) -> Result<()> {
        let boards: Vec<Arc<LiveBoard>> = {
            let mut all = self.all();
            all.retain(|_, board| !board.is_idle());
            all.values().cloned().collect()
        };
        if boards.is_empty() {
            return Ok(());
        }
        let keys: Vec<EnvKey> = boards.iter().map(|board| board.key.clone()).collect();
        let heads: HashMap<EnvKey, (Epoch, EventId)> = self
            .store
            .heads(&keys)
            .await?
            .into_iter()
            .map(|(key, epoch, head)| (key, (epoch, head)))
            .collect();
        for board in boards {
            if let Some((epoch, head)) = heads.get(&board.key)
                && board.is_behind(epoch, *head)
            {
                board.catch_up().await?;
            }
            board.check_logs().await?;
        }
        Ok(())
    }
}
