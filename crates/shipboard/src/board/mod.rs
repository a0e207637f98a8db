//! Boards: what each env looks like now, in memory, for as long as somebody looks.
//!
//! A board is loaded once however many ask, fed by the writer after its commits, compared with the
//! database every second, and dropped a while after its last reader. It holds no truth.

mod encode;
mod log;
mod ring;

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
pub use encode::{heartbeat, retry, stream_end};
pub use log::{LogNext, LogReading};
use shipboard_core::board::{Board, Loaded};
use shipboard_core::event::{Change, DeploymentRow, Event, TimelineEntry};
use shipboard_core::id::{DeploymentId, Epoch, EventId};
use shipboard_core::time::Timestamp;
use tokio::sync::watch;

use self::ring::{After, Ring};
use crate::clock;
use crate::store::{DeploymentRead, EnvKey, MAX_TIMELINE, Result, Store, Tail};

/// How long a board stays loaded after its last reader has left.
const KEEP: Duration = Duration::from_mins(1);
/// Most events read from the log at a time when catching up.
const CATCH_UP: usize = 2_000;
/// Most transactions handed to a reader at a time; it comes back for more.
const READ_AT_ONCE: usize = 64;
/// How often a read that raced a very busy board is tried before it is given up.
const MAX_TRIES: usize = 8;

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

/// One env's board.
#[derive(Debug)]
pub struct LiveBoard {
    key: EnvKey,
    store: Store,
    state: Mutex<State>,
    /// Held while reading the database for this board, so that one does it and the others wait.
    loading: tokio::sync::Mutex<()>,
    changed: watch::Sender<u64>,
    readers: AtomicUsize,
    logs: log::Logs,
}

#[derive(Debug)]
struct State {
    loaded: bool,
    /// The board was told of events before it was loaded, or could not use them.
    behind: bool,
    epoch: Epoch,
    /// Nobody has reported to the env yet; the epoch is this instance's own proposal.
    unborn: bool,
    generation: u64,
    board: Board,
    ring: Ring,
    details: HashMap<DeploymentId, Detail>,
    /// Shared parts of snapshots by limit, for the event they are of.
    snapshots: HashMap<usize, (EventId, Bytes)>,
    idle_since: Instant,
}

/// One deployment that somebody looks at.
#[derive(Debug)]
struct Detail {
    readers: usize,
    row: Arc<DeploymentRow>,
    timeline: VecDeque<TimelineEntry>,
    timeline_more: bool,
    snapshot: Option<(EventId, Bytes)>,
}

/// What trying to hold a deployment came to.
enum Hold {
    Held(u64),
    Gone,
    /// The board has moved on too far since the read.
    Raced,
}

impl Detail {
    fn new(read: DeploymentRead) -> Self {
        Self {
            readers: 0,
            row: read.row,
            timeline: read.timeline.into(),
            timeline_more: read.timeline_more,
            snapshot: None,
        }
    }

    fn apply(&mut self, event: &Event) {
        match &event.change {
            Change::DeploymentUpsert(upsert) if upsert.deployment.id == self.row.id => {
                if event.event_id <= self.row.event_id {
                    return;
                }
                self.row = upsert.deployment.clone();
                self.timeline.extend(upsert.entries.iter().cloned());
                while self.timeline.len() > MAX_TIMELINE {
                    self.timeline.pop_front();
                    self.timeline_more = true;
                }
            }
            Change::DeploymentProgress(told) if told.id == self.row.id => {
                if event.event_id <= self.row.event_id {
                    return;
                }
                let row = Arc::make_mut(&mut self.row);
                row.progress = told.progress.clone();
                row.updated_at = told.updated_at;
                row.event_id = event.event_id;
            }
            _ => {}
        }
    }
}

impl State {
    /// Applies one transaction that follows the head.
    fn apply(&mut self, key: &EnvKey, events: Vec<Event>) {
        for event in &events {
            self.board.apply(event);
            let concerned = match &event.change {
                Change::DeploymentUpsert(upsert) => self.details.get_mut(&upsert.deployment.id),
                Change::DeploymentProgress(told) => self.details.get_mut(&told.id),
                Change::DeploymentDelete(delete) => {
                    self.details.remove(&delete.id);
                    None
                }
                Change::WorkflowUpsert(_) | Change::CountsUpdate(_) => None,
            };
            if let Some(detail) = concerned {
                detail.apply(event);
            }
        }
        if let Some(transaction) = encode::transaction(key, &self.epoch, events) {
            self.ring.push(transaction);
        }
    }

    /// Begins to hold a deployment that was read. What the board has applied since the read is applied
    /// to the read as well.
    fn hold(&mut self, id: DeploymentId, read: DeploymentRead) -> Hold {
        let (at, head) = (read.event_id, self.board.event_id());
        if read.epoch != self.epoch || head < at {
            return Hold::Raced;
        }
        let Some(events) = self.ring.events_after(at, head) else { return Hold::Raced };
        let mut detail = Detail::new(read);
        for event in events {
            if matches!(&event.change, Change::DeploymentDelete(delete) if delete.id == id) {
                return Hold::Gone;
            }
            detail.apply(event);
        }
        detail.readers = 1;
        self.details.insert(id, detail);
        Hold::Held(self.generation)
    }

    /// Replaces the rows by ones read at an event that the ring still reaches back to. False: it cannot.
    fn put_behind(&mut self, epoch: Option<&Epoch>, loaded: Loaded) -> bool {
        let (at, head) = (loaded.event_id, self.board.event_id());
        if epoch != Some(&self.epoch) || at > head {
            return false;
        }
        let Some(events) = self.ring.events_after(at, head) else { return false };
        let mut board = Board::new(loaded);
        events.into_iter().for_each(|event| board.apply(event));
        self.board = board;
        true
    }

    fn cursor(&self) -> Cursor {
        Cursor { generation: self.generation, event_id: self.board.event_id() }
    }
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
        let board = self
            .all()
            .entry(key.clone())
            .or_insert_with(|| Arc::new(LiveBoard::new(key.clone(), self.store.clone())))
            .clone();
        // Counted before it is loaded, so that it is not dropped in between.
        let reading = Reading::new(board);
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

/// A reader's hold on a board: while it lives, the board stays.
#[derive(Debug)]
pub struct Reading {
    board: Arc<LiveBoard>,
}

impl Reading {
    fn new(board: Arc<LiveBoard>) -> Self {
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
    board: Arc<LiveBoard>,
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
    fn new(key: EnvKey, store: Store) -> Self {
        let state = State {
            loaded: false,
            behind: false,
            epoch: clock::epoch(),
            unborn: true,
            generation: 0,
            board: Board::new(Loaded::default()),
            ring: Ring::default(),
            details: HashMap::new(),
            snapshots: HashMap::new(),
            idle_since: Instant::now(),
        };
        Self {
            key,
            store,
            state: Mutex::new(state),
            loading: tokio::sync::Mutex::default(),
            changed: watch::Sender::new(0),
            readers: AtomicUsize::new(0),
            logs: log::Logs::default(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
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

    fn wake(&self) {
        self.changed.send_modify(|version| *version += 1);
    }

    fn is_idle(&self) -> bool {
        self.readers.load(Ordering::Relaxed) == 0 && self.state().idle_since.elapsed() > KEEP
    }

    fn is_behind(&self, epoch: &Epoch, head: EventId) -> bool {
        let state = self.state();
        state.loaded && (state.behind || state.epoch != *epoch || state.board.event_id() != head)
    }

    async fn load(&self) -> Result<()> {
        if self.state().loaded {
            return Ok(());
        }
        let _one = self.loading.lock().await;
        if self.state().loaded {
            return Ok(());
        }
        self.read_anew().await?;
        self.catch_up_locked().await
    }

    /// Reads the whole board and begins a new generation: every reader gets a new snapshot. Whoever
    /// calls it holds `loading`.
    async fn read_anew(&self) -> Result<()> {
        let load = self.store.load_board(&self.key).await?;
        metrics::counter!("shipboard_board_loads_total").increment(1);
        let mut state = self.state();
        state.unborn = load.epoch.is_none();
        if let Some(epoch) = load.epoch {
            state.epoch = epoch;
        }
        state.generation += 1;
        state.loaded = true;
        state.board = Board::new(load.loaded);
        state.ring = Ring::default();
        state.snapshots.clear();
        // Details are of another life; their readers come back for them.
        state.details.clear();
        drop(state);
        self.wake();
        Ok(())
    }

    /// Takes a committed transaction. True: it could not be used, and the board must catch up.
    fn offer(&self, epoch: &Epoch, events: Vec<Event>) -> bool {
        let Some(first) = events.first().map(|event| event.event_id) else { return false };
        let mut state = self.state();
        let head = state.board.event_id();
        if state.unborn && state.epoch == *epoch {
            state.unborn = false;
        }
        if !state.loaded || state.epoch != *epoch || first > head.next() {
            state.behind = true;
            return state.loaded;
        }
        if first == head.next() {
            state.apply(&self.key, events);
            let short = state.board.is_short();
            state.behind |= short;
            drop(state);
            self.wake();
            return short;
        }
        false
    }

    /// Brings the board to the database's head: the log after its own position, or all of it anew.
    pub async fn catch_up(&self) -> Result<()> {
        let _one = self.loading.lock().await;
        self.catch_up_locked().await
    }

    async fn catch_up_locked(&self) -> Result<()> {
        loop {
            let (epoch, head, unborn, short) = {
                let mut state = self.state();
                state.behind = false;
                (state.epoch.clone(), state.board.event_id(), state.unborn, state.board.is_short())
            };
            if short {
                self.refill().await?;
                continue;
            }
            if unborn {
                let heads = self.store.heads(std::slice::from_ref(&self.key)).await?;
                let Some((_, born, _)) = heads.first() else { return Ok(()) };
                if *born != epoch {
                    self.read_anew().await?;
                    continue;
                }
                self.state().unborn = false;
            }
            match self.store.tail(&self.key, &epoch, head, CATCH_UP).await? {
                Tail::Gap => self.read_anew().await?,
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
    /// An id of another epoch, or beyond the database's own head, asks for nothing.
    pub async fn reach(&self, epoch: &Epoch, event_id: EventId) -> Result<()> {
        let behind = {
            let state = self.state();
            state.epoch == *epoch && state.board.event_id() < event_id
        };
        if behind { self.catch_up().await } else { Ok(()) }
    }

    /// A snapshot of the deployments scope.
    pub fn snapshot(&self, limit: usize, now: Timestamp) -> Opened {
        let mut state = self.state();
        let cursor = state.cursor();
        let shared = match state.snapshots.get(&limit) {
            Some((at, shared)) if *at == cursor.event_id => shared.clone(),
            _ => {
                let (deployments, has_more) = state.board.deployments(limit);
                let (workflows, workflows_more) = state.board.workflows();
                let counts = state.board.counts();
                let shared = encode::snapshot_state(&encode::DeploymentsState {
                    counts,
                    deployments: &deployments,
                    has_more,
                    workflows: &workflows,
                    workflows_more,
                });
                state.snapshots.retain(|_, (at, _)| *at == cursor.event_id);
                state.snapshots.insert(limit, (cursor.event_id, shared.clone()));
                shared
            }
        };
        let head = encode::snapshot_head(&self.key, &state.epoch, cursor.event_id, "deployments", now);
        Opened { frames: vec![head, shared], cursor, epoch: state.epoch.clone() }
    }

    /// What has come after a reader of the deployments scope.
    pub fn after(&self, cursor: Cursor) -> Next {
        self.read(cursor, None)
    }

    /// What has come after a reader of one deployment.
    pub fn after_of(&self, cursor: Cursor, id: DeploymentId) -> Next {
        self.read(cursor, Some(id))
    }

    fn read(&self, cursor: Cursor, of: Option<DeploymentId>) -> Next {
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
        let mut frames = Vec::new();
        let mut committed = None;
        let mut gone = false;
        for transaction in transactions.take(READ_AT_ONCE) {
            next.event_id = transaction.last;
            match of {
                None => frames.push(transaction.list.clone()),
                Some(id) => {
                    for part in transaction.parts.iter().filter(|part| part.concerns(id)) {
                        frames.push(part.frame.clone());
                        gone |= matches!(part.event.change, Change::DeploymentDelete(_));
                    }
                }
            }
            if !frames.is_empty() {
                committed = committed.or(Some(transaction.committed));
            }
        }
        Next::Frames { frames, cursor: next, committed, gone }
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
            let behind = { self.state().board.event_id() < read.event_id };
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
        Ok(None)
    }

    /// A snapshot of the details scope; `None`: the deployment is gone, or must be opened again.
    pub fn detail_snapshot(&self, id: DeploymentId, now: Timestamp) -> Option<Opened> {
        let mut state = self.state();
        let cursor = state.cursor();
        let counts = state.board.counts();
        let epoch = state.epoch.clone();
        let detail = state.details.get_mut(&id)?;
        let shared = match &detail.snapshot {
            Some((at, shared)) if *at == cursor.event_id => shared.clone(),
            _ => encode::snapshot_state(&encode::DetailsState {
                deployment: &detail.row,
                timeline: &detail.timeline,
                timeline_more: detail.timeline_more,
                counts,
            }),
        };
        detail.snapshot = Some((cursor.event_id, shared.clone()));
        let head = encode::snapshot_head(&self.key, &epoch, cursor.event_id, "details", now);
        Some(Opened { frames: vec![head, shared], cursor, epoch })
    }

    /// The env's epoch, and a cursor at the board's head.
    pub fn position(&self) -> (Epoch, Cursor) {
        let state = self.state();
        (state.epoch.clone(), state.cursor())
    }

    /// The deployment held has ended; `None`: it is not held.
    fn is_done(&self, id: DeploymentId) -> Option<bool> {
        self.state().details.get(&id).map(|detail| detail.row.status.is_terminal())
    }
}
