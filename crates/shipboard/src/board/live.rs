//! One env's board: loaded once, fed by the writer, caught up from the log, read by cursors.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use shipboard_core::event::{Change, Event};
use shipboard_core::id::{DeploymentId, Epoch, EventId};
use shipboard_core::time::Timestamp;
use tokio::sync::watch;

use super::ring::After;
use super::state::{Hold, State};
use super::{Block, Cursor, Interest, Next, Opened, View, encode, log};
use crate::bus::Following;
use crate::clock;
use crate::store::{EnvKey, Head, Result, Store, StoreError, Tail};
use crate::tasks::Tasks;

/// How long a board stays loaded after its last reader has left; tests want to see it go.
const KEEP: Duration = if cfg!(test) { Duration::from_millis(20) } else { Duration::from_mins(1) };
/// Most events read from the log at a time when catching up; few where tests want many reads.
const CATCH_UP: usize = if cfg!(test) { 8 } else { 2_000 };
/// Most transactions handed to a reader at a time; it comes back for more.
const READ_AT_ONCE: usize = if cfg!(test) { 4 } else { 64 };
/// No further transaction is handed over beyond this many bytes: what a slow reader holds is its own cost.
const READ_BYTES: usize = 128 * 1024;
/// How often a read that raced a very busy board is tried before it is given up.
const MAX_TRIES: usize = 8;

/// One env's board.
#[derive(Debug)]
pub struct LiveBoard {
    pub(super) key: EnvKey,
    pub(super) store: Store,
    pub(super) state: Mutex<State>,
    /// Held while reading the database for this board, so that one does it and the others wait.
    pub(super) loading: tokio::sync::Mutex<()>,
    changed: watch::Sender<u64>,
    readers: AtomicUsize,
    pub(super) logs: log::Logs,
    /// It is going to catch up: what is heard until it begins needs no further round.
    catching_up: AtomicBool,
    /// How often it has begun to compare itself with the database, and how often it could not be loaded:
    /// who waits for `loading` sees by them whether somebody else has just done it.
    comparisons: AtomicUsize,
    failed_loads: AtomicUsize,
    _following: Option<Following>,
}

/// A reader's hold on a board: while it lives, the board stays.
#[derive(Debug)]
pub struct Reading {
    pub(super) board: Arc<LiveBoard>,
}

impl Reading {
    pub(super) fn new(board: Arc<LiveBoard>) -> Self {
        board.readers.fetch_add(1, Ordering::Relaxed);
        Self { board }
    }
}

impl std::ops::Deref for Reading {
    type Target = Arc<LiveBoard>;

    fn deref(&self) -> &Arc<LiveBoard> {
        &self.board
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        self.board.state().idle_since = Instant::now();
        self.board.readers.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A reader's hold on one deployment of a board.
#[derive(Debug)]
pub struct DetailReading {
    pub(super) board: Arc<LiveBoard>,
    id: DeploymentId,
    /// Holds are of one life of the board: in the next one, others hold.
    generation: u64,
}

impl Drop for DetailReading {
    fn drop(&mut self) {
        let mut state = self.board.state();
        if state.generation != self.generation {
            return;
        }
        if let Some(detail) = state.details.get_mut(&self.id) {
            detail.readers = detail.readers.saturating_sub(1);
            if detail.readers == 0 {
                state.details.remove(&self.id);
            }
        }
    }
}

impl LiveBoard {
    pub(super) fn new(key: EnvKey, store: Store, following: Option<Following>) -> Self {
        Self {
            key,
            store,
            state: Mutex::new(State::unread()),
            loading: tokio::sync::Mutex::default(),
            changed: watch::Sender::new(0),
            readers: AtomicUsize::new(0),
            logs: log::Logs::default(),
            catching_up: AtomicBool::new(false),
            comparisons: AtomicUsize::new(0),
            failed_loads: AtomicUsize::new(0),
            _following: following,
        }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whose board it is.
    pub fn key(&self) -> &EnvKey {
        &self.key
    }

    /// Wakes whenever there may be something new.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    pub(super) fn wake(&self) {
        self.changed.send_modify(|version| *version += 1);
    }

    /// Nobody reads it, for a while; of an env that is not there, nobody.
    pub(super) fn is_idle(&self) -> bool {
        let is_over = |state: &State| state.unborn || state.idle_since.elapsed() > KEEP;
        self.readers.load(Ordering::Relaxed) == 0 && is_over(&self.state())
    }

    /// It differs from what the database has; `None`: the env is not there.
    pub(super) fn differs(&self, head: Option<&Head>) -> bool {
        let state = self.state();
        state.loaded
            && match head {
                Some(head) => {
                    state.behind
                        || state.board.is_short()
                        || state.epoch != head.epoch
                        || state.board.event_id() != head.event_id
                        || state.ts.zip(head.ts).is_some_and(|(own, theirs)| own != theirs)
                }
                None => !state.unborn,
            }
    }

    /// There is something, by what another instance says, that it has not, or has another of.
    pub(super) fn lacks(&self, epoch: &Epoch, head: EventId, ts: Timestamp) -> bool {
        let state = self.state();
        state.loaded && (state.epoch != *epoch || state.forked || state.has_another(head, ts))
    }

    pub(super) async fn load(&self) -> Result<()> {
        if self.state().loaded {
            return Ok(());
        }
        let failed = self.failed_loads.load(Ordering::Acquire);
        let _one = self.loading.lock().await;
        if self.state().loaded {
            return Ok(());
        }
        if self.failed_loads.load(Ordering::Acquire) != failed {
            // Whoever waited in the same line need not find out for themselves, one after the other.
            return Err(StoreError::Unavailable("the board could not be loaded just now".into()));
        }
        let loaded = match self.read_anew().await {
            Ok(()) => self.catch_up_locked().await,
            failed => failed,
        };
        if loaded.is_err() {
            self.failed_loads.fetch_add(1, Ordering::Release);
        }
        loaded
    }

    /// Reads the whole board and begins a new generation: every reader gets a new snapshot. Whoever
    /// calls it holds `loading`.
    async fn read_anew(&self) -> Result<()> {
        for _ in 0..MAX_TRIES {
            let load = self.store.load_board(&self.key).await?;
            metrics::counter!("shipboard_board_loads_total").increment(1);
            let mut state = self.state();
            // Fed beyond it meanwhile: its readers have seen more, and are not taken back.
            if !state.is_beyond(&load) {
                state.begin_anew(load);
                drop(state);
                self.wake();
                return Ok(());
            }
        }
        Err(StoreError::Raced)
    }

    /// Takes a committed transaction, and when the event before it was: another one may have had its place. True:
    /// it could not be used, and the board must catch up.
    pub(super) fn offer(&self, epoch: &Epoch, after: Option<Timestamp>, events: Vec<Event>) -> bool {
        let (Some(first), Some(last)) = (events.first(), events.last()) else { return false };
        let (first, last, ts) = (first.event_id, last.event_id, last.ts);
        let mut state = self.state();
        let head = state.board.event_id();
        if state.unborn && state.epoch == *epoch {
            state.unborn = false;
        }
        if !state.loaded || state.epoch != *epoch || first > head.next() {
            state.behind = true;
            return state.loaded;
        }
        let follows = first == head.next();
        if follows && state.ts.zip(after).is_none_or(|(own, theirs)| own == theirs) {
            state.apply(&self.key, events);
            let short = state.board.is_short();
            drop(state);
            self.wake();
            return short;
        }
        if follows || state.has_another(last, ts) {
            (state.forked, state.behind) = (true, true);
        }
        state.forked
    }

    /// Brings the board to the database's head: the log after its own position, or all of it anew.
    pub async fn catch_up(&self) -> Result<()> {
        let _one = self.loading.lock().await;
        self.catch_up_locked().await
    }

    /// Has it catch up by itself, unless it is about to.
    pub(super) fn catch_up_soon(self: &Arc<Self>, tasks: &Tasks) {
        if self.catching_up.swap(true, Ordering::AcqRel) {
            return;
        }
        let board = self.clone();
        tasks.spawn(async move {
            let _one = board.loading.lock().await;
            // What is heard from here on may not be seen by the reads below.
            board.catching_up.store(false, Ordering::Release);
            if let Err(error) = board.catch_up_locked().await {
                tracing::warn!(env = %board.key, %error, "a board could not catch up yet");
            }
        });
    }

    async fn catch_up_locked(&self) -> Result<()> {
        self.comparisons.fetch_add(1, Ordering::Release);
        loop {
            let (epoch, head, ts, unborn, short, forked) = {
                let mut state = self.state();
                state.behind = false;
                let (head, short) = (state.board.event_id(), state.board.is_short());
                (state.epoch.clone(), head, state.ts, state.unborn, short, state.forked)
            };
            if short {
                self.refill().await?;
                continue;
            }
            if unborn {
                if self.store.heads(std::slice::from_ref(&self.key)).await?.is_empty() {
                    return Ok(());
                }
                // In whatever epoch: if it is another one the log has a gap for this board.
                self.state().unborn = false;
            }
            let tail = if forked {
                Tail::Back
            } else {
                self.store.tail(&self.key, &epoch, head, ts, CATCH_UP).await?
            };
            match tail {
                Tail::Gap => self.read_anew().await?,
                Tail::Back => {
                    // What clients hold of this epoch did not happen: in another one they let go of it.
                    if self.store.renew_epoch(&self.key, &epoch, &clock::epoch()).await? {
                        tracing::warn!(env = %self.key, "the database went back in time: a new epoch begins");
                    }
                    self.read_anew().await?;
                }
                Tail::Transactions(transactions) if transactions.is_empty() => return Ok(()),
                Tail::Transactions(transactions) => {
                    metrics::counter!("shipboard_board_catch_ups_total").increment(1);
                    self.apply(transactions);
                }
            }
        }
    }

    fn apply(&self, transactions: Vec<Vec<Event>>) {
        let mut state = self.state();
        for events in transactions {
            // The writer may have fed some of them meanwhile.
            if events.first().is_some_and(|first| first.event_id == state.board.event_id().next()) {
                state.apply(&self.key, events);
            }
        }
        drop(state);
        self.wake();
    }

    /// Reads the rows anew behind a board whose reserve was used up, keeping its ring and readers.
    async fn refill(&self) -> Result<()> {
        let load = self.store.load_board(&self.key).await?;
        metrics::counter!("shipboard_board_loads_total").increment(1);
        if self.state().put_behind(load.epoch.as_ref(), load.loaded) {
            return Ok(());
        }
        // The read is newer than the board: its readers begin anew.
        self.read_anew().await
    }

    /// Everything a client with this position may be given is at least that new, if the database is.
    /// An id beyond the database's own head, or of an epoch that is not the database's, asks for nothing.
    pub async fn reach(&self, epoch: &Epoch, event_id: EventId) -> Result<()> {
        let may_be_behind = {
            let state = self.state();
            state.epoch != *epoch || state.board.event_id() < event_id
        };
        if !may_be_behind {
            return Ok(());
        }
        let begun = self.comparisons.load(Ordering::Acquire);
        let _one = self.loading.lock().await;
        // However many come with ids that are not known here, they are looked for once.
        if self.comparisons.load(Ordering::Acquire) == begun { self.catch_up_locked().await } else { Ok(()) }
    }

    /// Snapshots of several views, all of them at one event. `None`: a deployment is not held any more, or
    /// a log was read in another epoch; both must be opened again.
    pub fn snapshots(&self, views: &[View<'_>], now: Timestamp) -> Option<Opened> {
        let mut state = self.state();
        let (cursor, epoch) = (state.cursor(), state.epoch.clone());
        let mut blocks = Vec::with_capacity(views.len());
        for view in views {
            let (scope, rest) = match view {
                View::Deployments { limit } => ("deployments", state.encoded(*limit)),
                View::Details { id } => ("details", state.encoded_detail(*id)?),
                View::Log(tail) if tail.epoch == epoch => ("log", tail.encoded.clone()),
                View::Log(_) => return None,
            };
            let bytes = encode::snapshot_head(&self.key, &epoch, cursor.event_id, scope, now);
            blocks.push(Block { event_id: cursor.event_id, bytes, rest });
        }
        Some(Opened { blocks, cursor, epoch })
    }

    /// What has come after a reader.
    pub fn after(&self, cursor: Cursor, interest: &Interest) -> Next {
        let state = self.state();
        if cursor.generation != state.generation {
            return Next::Resync;
        }
        let head = state.board.event_id();
        if cursor.event_id == head {
            return Next::Nothing;
        }
        let After::Transactions(transactions) = state.ring.after(cursor.event_id, head) else {
            return Next::Resync;
        };
        let mut next = cursor;
        let (mut blocks, mut gone) = (Vec::new(), Vec::new());
        let mut committed = None;
        let mut bytes = 0;
        for transaction in transactions.take(READ_AT_ONCE) {
            next.event_id = transaction.last;
            if interest.list && !interest.singly {
                blocks.push(Block::new(transaction.last, transaction.list.clone()));
                bytes += transaction.list.len();
            } else {
                for part in &transaction.parts {
                    let Some(block) = part.block_for(interest) else { continue };
                    blocks.push(Block::new(part.event.event_id, block.clone()));
                    bytes += block.len();
                    if let Change::DeploymentDelete(delete) = &part.event.change
                        && interest.has_deployment(delete.id)
                    {
                        gone.push(delete.id);
                    }
                }
            }
            if !blocks.is_empty() {
                committed = committed.or(Some(transaction.committed));
            }
            if bytes >= READ_BYTES {
                break;
            }
        }
        Next::Blocks { blocks, cursor: next, committed, gone }
    }

    /// Begins to hold one deployment's details. `None`: there is no such deployment.
    pub async fn open_detail(self: &Arc<Self>, id: DeploymentId) -> Result<Option<DetailReading>> {
        for _ in 0..MAX_TRIES {
            {
                let mut state = self.state();
                let generation = state.generation;
                if let Some(detail) = state.details.get_mut(&id) {
                    detail.readers += 1;
                    return Ok(Some(DetailReading { board: self.clone(), id, generation }));
                }
            }
            let _one = self.loading.lock().await;
            if self.state().details.contains_key(&id) {
                continue;
            }
            let Some(read) = self.store.deployment(&self.key, id).await? else { return Ok(None) };
            let behind = {
                let state = self.state();
                state.epoch != read.epoch || state.board.event_id() < read.event_id
            };
            if behind {
                self.catch_up_locked().await?;
            }
            match self.state().hold(id, read) {
                Hold::Held(generation) => {
                    return Ok(Some(DetailReading { board: self.clone(), id, generation }));
                }
                Hold::Gone => return Ok(None),
                Hold::Raced => {}
            }
        }
        Err(StoreError::Raced)
    }

    /// That a deployment is gone, for a reader that is at this cursor and missed when it went.
    pub fn told_gone(&self, epoch: &Epoch, cursor: Cursor, id: DeploymentId, now: Timestamp) -> Block {
        let bytes = encode::deployment_delete(&self.key, epoch, cursor.event_id, now, id);
        Block::new(cursor.event_id, bytes)
    }

    /// The env's epoch, and a cursor at the board's head.
    pub fn position(&self) -> (Epoch, Cursor) {
        let state = self.state();
        (state.epoch.clone(), state.cursor())
    }

    /// The deployment held has ended; `None`: it is not held.
    pub(super) fn is_done(&self, id: DeploymentId) -> Option<bool> {
        self.state().details.get(&id).map(|detail| detail.row.status.is_terminal())
    }
}
