//! Boards: what each env looks like now, in memory, for as long as somebody looks.
//!
//! A board is loaded once however many ask, fed by the writer after its commits, compared with the
//! database every second, and dropped a while after its last reader. It holds no truth.

mod encode;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod live;
mod log;
mod ring;
mod state;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use bytes::Bytes;
pub use encode::{heartbeat, id_line, retry, stream_end, without_id};
use futures_util::StreamExt as _;
pub use live::{DetailReading, LiveBoard, Reading};
pub use log::{LogNext, LogReading, LogTail};
pub use ring::Interest;
use shipboard_core::event::Event;
use shipboard_core::id::{DeploymentId, Epoch, EventId, Slug};
use shipboard_core::time::Timestamp;

use crate::bus::{Bus, MAX_CARRIED, Ring};
use crate::store::{EnvKey, Head, Result, Store, StoreError};
use crate::tasks::Tasks;

/// Most boards brought on at a time.
const AT_ONCE: usize = 4;
/// Most boards in memory, in all and of one tenant: whoever may read may ask for envs that nobody has reported to.
pub const MAX_BOARDS: usize = 5_000;
/// Most boards of one tenant.
pub const MAX_BOARDS_PER_TENANT: usize = 1_000;

/// Why a board cannot be had, for now.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// It could not be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There is no room for another one, by this limit.
    #[error("{0}: no room for another board")]
    Full(&'static str),
}

/// Every board of this instance.
#[derive(Debug)]
pub struct Boards {
    store: Store,
    bus: Arc<dyn Bus>,
    tasks: Tasks,
    loaded: Mutex<HashMap<EnvKey, Arc<LiveBoard>>>,
}

/// What a reader has: a life of the board, and the last event it was given.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Cursor {
    generation: u64,
    /// The last event included.
    pub event_id: EventId,
}

/// One block, or all blocks of a transaction, as bytes that readers share.
#[derive(Clone, Debug)]
pub struct Block {
    /// The last event in it; that of the state, for a snapshot.
    pub event_id: EventId,
    /// It, or what only one reader gets of it.
    pub bytes: Bytes,
    /// The rest of it.
    pub rest: Bytes,
}

impl Block {
    /// One that is shared as a whole.
    pub const fn new(event_id: EventId, bytes: Bytes) -> Self {
        Self { event_id, bytes, rest: Bytes::new() }
    }
}

/// What a board has for a reader.
#[derive(Debug)]
pub enum Next {
    /// Blocks to write, and where the reader is then.
    Blocks {
        /// In order; none if nothing concerns the reader.
        blocks: Vec<Block>,
        /// The new cursor.
        cursor: Cursor,
        /// When the oldest of it was committed.
        committed: Option<Instant>,
        /// Deployments of the reader's interest that were deleted: nothing follows of them.
        gone: Vec<DeploymentId>,
    },
    /// The reader is at the head.
    Nothing,
    /// The reader must begin anew, with a snapshot.
    Resync,
}

/// What a snapshot is of.
#[derive(Debug)]
pub enum View<'a> {
    /// The newest deployments, this many.
    Deployments {
        /// At most.
        limit: usize,
    },
    /// One deployment, which has to be held.
    Details {
        /// Which.
        id: DeploymentId,
    },
    /// The last of a log.
    Log(&'a LogTail),
}

/// Snapshots, and the cursor that goes with them: taken together, under one lock.
#[derive(Debug)]
pub struct Opened {
    /// One for each view, in their order.
    pub blocks: Vec<Block>,
    /// Where the reader is then.
    pub cursor: Cursor,
    /// The env's epoch.
    pub epoch: Epoch,
}

/// The limit that keeps a tenant from having another board.
fn full(all: &HashMap<EnvKey, Arc<LiveBoard>>, tenant: &Slug) -> Option<&'static str> {
    let of_tenant = || all.keys().filter(|key| key.tenant == *tenant).count();
    if all.len() >= MAX_BOARDS {
        return Some("boards");
    }
    (all.len() >= MAX_BOARDS_PER_TENANT && of_tenant() >= MAX_BOARDS_PER_TENANT)
        .then_some("boards_per_tenant")
}

impl Boards {
    /// No boards yet.
    pub fn new(store: Store, bus: Arc<dyn Bus>, tasks: Tasks) -> Self {
        Self { store, bus, tasks, loaded: Mutex::default() }
    }

    fn all(&self) -> MutexGuard<'_, HashMap<EnvKey, Arc<LiveBoard>>> {
        self.loaded.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The board of an env, loaded. However many ask at once, it is read once.
    pub async fn open(&self, key: &EnvKey) -> std::result::Result<Reading, OpenError> {
        let reading = {
            // Counted under the lock that `check` drops boards under: an orphan would never be fed again.
            let mut all = self.all();
            if !all.contains_key(key)
                && let Some(limit) = full(&all, &key.tenant)
            {
                return Err(OpenError::Full(limit));
            }
            // Followed before it is read: what is committed meanwhile is heard of.
            let board = all.entry(key.clone()).or_insert_with(|| {
                let following = self.bus.follow(key);
                Arc::new(LiveBoard::new(key.clone(), self.store.clone(), following))
            });
            Reading::new(board.clone())
        };
        reading.load().await?;
        Ok(reading)
    }

    /// Publishes what this instance has committed: to the env's board if it is loaded, and to the other
    /// instances. `after` is when the event before them was.
    pub fn publish(&self, key: &EnvKey, epoch: &Epoch, after: Option<Timestamp>, events: Vec<Event>) {
        let Some(last) = events.last() else { return };
        let (head, ts) = (last.event_id, last.ts);
        let carried = self.bus.carries_events() && events.len() <= MAX_CARRIED;
        let transactions = if carried { vec![events.clone()] } else { Vec::new() };
        if let Some(board) = self.get(key)
            && board.offer(epoch, after, events)
        {
            board.catch_up_soon(&self.tasks);
        }
        self.bus.ring(Ring { key: key.clone(), epoch: epoch.clone(), head, ts, after, transactions });
    }

    /// Takes what the bus has brought of another instance's commits.
    pub fn hear(&self, ring: Ring) {
        let Some(board) = self.get(&ring.key) else { return };
        let mut after = ring.after;
        for events in ring.transactions {
            let ts = events.last().map(|event| event.ts);
            board.offer(&ring.epoch, after, events);
            after = ts;
        }
        if board.lacks(&ring.epoch, ring.head, ring.ts) {
            board.catch_up_soon(&self.tasks);
        }
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
        let heads: HashMap<EnvKey, Head> = self.store.heads(&keys).await?.into_iter().collect();
        metrics::counter!("shipboard_head_checks_total").increment(1);
        let brought_on = boards.into_iter().map(|board| {
            let differs = board.differs(heads.get(&board.key));
            async move {
                if differs {
                    metrics::counter!("shipboard_boards_found_behind_total").increment(1);
                    board.catch_up().await?;
                }
                board.check_logs().await
            }
        });
        let brought_on = futures_util::stream::iter(brought_on).buffer_unordered(AT_ONCE);
        // One that fails keeps no other from being brought on.
        let failed = brought_on.filter_map(|done| std::future::ready(done.err()));
        failed.collect::<Vec<_>>().await.pop().map_or(Ok(()), Err)
    }
}
