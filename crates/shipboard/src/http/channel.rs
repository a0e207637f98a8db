//! One env of a stream: what is carried of its board, and how far its client has been told.
//!
//! A channel is a cursor; it makes blocks when asked, and its [`Reader`](super::reader::Reader) writes them.

use std::time::Duration;

use shipboard_core::event::EndReason;
use shipboard_core::id::{DeploymentId, Epoch, EventId, Position};
use tokio::sync::watch;

use crate::app::App;
use crate::board::{
    Block, Cursor, DetailReading, Interest, LogNext, LogReading, LogTail, Next, OpenError, Reading, View,
};
use crate::clock;
use crate::store::{EnvKey, StoreError};

/// How often a snapshot that raced a board read anew is tried before the stream is given up.
const MAX_TRIES: usize = 3;
/// How long a board may take to be loaded, and to catch up with what a client has already seen.
const CATCH_UP: Duration = Duration::from_secs(3);

/// What a stream carries of an env.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Scope {
    Deployments { limit: usize },
    Details { id: DeploymentId },
    Log { id: DeploymentId, offset: u64 },
}

impl Scope {
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Deployments { .. } => "deployments",
            Self::Details { .. } => "details",
            Self::Log { .. } => "log",
        }
    }

    fn deployment(&self) -> Option<DeploymentId> {
        match self {
            Self::Deployments { .. } => None,
            Self::Details { id } | Self::Log { id, .. } => Some(*id),
        }
    }
}

/// A scope that is carried, and what it holds of the board meanwhile.
#[derive(Debug)]
struct Carried {
    scope: Scope,
    detail: Option<DetailReading>,
    _log: Option<LogReading>,
    /// Its client knows that the log's deployment has ended.
    log_done: bool,
}

/// Why a stream could not be opened, for now.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unable {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the board could not be brought on in time")]
    Behind,
    /// There is no room for its board, by this limit.
    #[error("{0}: no room for another board")]
    Full(&'static str),
}

impl From<OpenError> for Unable {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::Store(error) => Self::Store(error),
            OpenError::Full(limit) => Self::Full(limit),
        }
    }
}

/// What a channel has for its client.
pub(super) enum Advance {
    Nothing,
    /// These, if any: then there may be more.
    Blocks(Vec<Block>),
    Over(EndReason),
}

/// One env of a stream.
pub(super) struct Channel {
    pub(super) key: EnvKey,
    board: Reading,
    pub(super) changes: watch::Receiver<u64>,
    carried: Vec<Carried>,
    interest: Interest,
    cursor: Cursor,
    pub(super) epoch: Epoch,
    /// The last id that its client was told.
    pub(super) told: EventId,
    /// Whose log is looked at next.
    turn: usize,
}

impl Channel {
    /// Opens the env's board, at least as new as what was `reached`, and makes the snapshots. `None`: one of
    /// the deployments is not there. Blocks that come `singly` get ids from the stream.
    pub(super) async fn open(
        app: &App,
        key: EnvKey,
        scopes: Vec<Scope>,
        reached: Option<&Position>,
        singly: bool,
    ) -> Result<Option<(Self, Vec<Block>)>, Unable> {
        let ready = async {
            let board = app.boards.open(&key).await?;
            if let Some(position) = reached {
                board.reach(&position.epoch, position.event_id).await?;
            }
            Ok::<_, Unable>(board)
        };
        let board = tokio::time::timeout(CATCH_UP, ready).await.map_err(|_| Unable::Behind)??;
        let (epoch, cursor) = board.position();
        let carry = |scope: Scope| Carried {
            detail: None,
            _log: match scope {
                Scope::Log { id, .. } => Some(board.open_log(id)),
                Scope::Deployments { .. } | Scope::Details { .. } => None,
            },
            log_done: false,
            scope,
        };
        let mut channel = Self {
            carried: scopes.into_iter().map(carry).collect(),
            interest: Interest { singly, ..Interest::default() },
            changes: board.changes(),
            key,
            board,
            told: cursor.event_id,
            cursor,
            epoch,
            turn: 0,
        };
        let blocks = channel.begin().await?;
        Ok(blocks.map(|blocks| (channel, blocks)))
    }

    /// Nothing is left to carry.
    pub(super) fn is_empty(&self) -> bool {
        self.carried.is_empty()
    }

    /// Where the client is: everything up to here was told, or does not concern it.
    pub(super) fn catch_up(&mut self) {
        self.told = self.cursor.event_id;
    }

    /// Snapshots of all that is carried, at one event. `None`: a deployment is gone.
    async fn begin(&mut self) -> Result<Option<Vec<Block>>, StoreError> {
        for _ in 0..MAX_TRIES {
            if self.board.position().0 != self.epoch {
                // What was told of a log may not be in it any more: the last of it, as it is now.
                for carried in &mut self.carried {
                    if let Scope::Log { offset, .. } = &mut carried.scope {
                        *offset = 0;
                    }
                }
            }
            let mut tails = Vec::new();
            for carried in &mut self.carried {
                if let Some(id) = carried.scope.deployment() {
                    let Some(detail) = self.board.open_detail(id).await? else { return Ok(None) };
                    carried.detail = Some(detail);
                }
                if let Scope::Log { id, offset } = carried.scope {
                    tails.extend(self.board.log_tail(id, offset).await?);
                }
            }
            if let Some(blocks) = self.snapshots(&tails) {
                return Ok(Some(blocks));
            }
        }
        Err(StoreError::Raced)
    }

    /// `None`: what the board held for this channel is gone, and must be opened again.
    fn snapshots(&mut self, tails: &[LogTail]) -> Option<Vec<Block>> {
        let mut logs = tails.iter();
        let views = self.carried.iter().map(|carried| match carried.scope {
            Scope::Deployments { limit } => Some(View::Deployments { limit }),
            Scope::Details { id } => Some(View::Details { id }),
            Scope::Log { .. } => logs.next().map(View::Log),
        });
        let views: Vec<View<'_>> = views.collect::<Option<_>>()?;
        let opened = self.board.snapshots(&views, clock::now())?;
        for (carried, block) in self.carried.iter().zip(&opened.blocks) {
            let bytes = block.bytes.len() + block.rest.len();
            let scope = carried.scope.name();
            metrics::histogram!("shipboard_snapshot_bytes", "scope" => scope).record(bytes as f64);
        }
        let mut logs = tails.iter();
        for carried in &mut self.carried {
            if let Scope::Log { offset, .. } = &mut carried.scope
                && let Some(tail) = logs.next()
            {
                (*offset, carried.log_done) = (tail.end, tail.done);
            }
        }
        (self.cursor, self.epoch, self.told) = (opened.cursor, opened.epoch, opened.cursor.event_id);
        self.attend();
        Some(opened.blocks)
    }

    /// Notes which events are wanted for what is carried.
    fn attend(&mut self) {
        let mut interest = Interest { singly: self.interest.singly, ..Interest::default() };
        for carried in &self.carried {
            match carried.scope {
                Scope::Deployments { .. } => interest.list = true,
                Scope::Details { id } => interest.details.push(id),
                // Alone, a log's stream carries nothing else; it ends when its deployment is gone.
                Scope::Log { id, .. } if interest.singly => interest.logs.push(id),
                Scope::Log { .. } => {}
            }
        }
        self.interest = interest;
    }

    /// Makes blocks of what is new.
    pub(super) async fn advance(&mut self) -> Advance {
        if !self.interest.is_empty() {
            match self.board.after(self.cursor, &self.interest) {
                Next::Nothing => {}
                Next::Blocks { blocks, cursor, committed, gone } => {
                    if let Some(committed) = committed {
                        metrics::histogram!("shipboard_commit_to_write_seconds")
                            .record(committed.elapsed().as_secs_f64());
                    }
                    self.cursor = cursor;
                    if !gone.is_empty() {
                        self.drop_deployments(&gone);
                    }
                    return Advance::Blocks(blocks);
                }
                // Boxed, as below: what an idle reader does not do takes no room in it.
                Next::Resync => return Box::pin(self.resync()).await,
            }
        }
        if self.carried.iter().any(|carried| matches!(carried.scope, Scope::Log { .. })) {
            return Box::pin(self.advance_logs()).await;
        }
        Advance::Nothing
    }

    fn drop_deployments(&mut self, gone: &[DeploymentId]) {
        self.carried.retain(|carried| carried.scope.deployment().is_none_or(|id| !gone.contains(&id)));
        self.attend();
    }

    /// Begins anew, with snapshots. What is gone meanwhile is told to be.
    async fn resync(&mut self) -> Advance {
        for carried in &self.carried {
            metrics::counter!("shipboard_resyncs_total", "scope" => carried.scope.name()).increment(1);
        }
        match self.begin_without_the_gone().await {
            Ok(blocks) => Advance::Blocks(blocks),
            Err(error) => {
                tracing::warn!(env = %self.key, %error, "a stream could not go on");
                Advance::Over(EndReason::Unavailable)
            }
        }
    }

    async fn begin_without_the_gone(&mut self) -> Result<Vec<Block>, StoreError> {
        let mut gone = Vec::new();
        loop {
            if let Some(mut blocks) = self.begin().await? {
                let now = clock::now();
                if self.interest.singly {
                    let told = |id: &DeploymentId| self.board.told_gone(&self.epoch, self.cursor, *id, now);
                    blocks.extend(gone.iter().map(told));
                }
                return Ok(blocks);
            }
            let before = gone.len();
            for id in self.carried.iter().filter_map(|carried| carried.scope.deployment()) {
                if !gone.contains(&id) && self.board.open_detail(id).await?.is_none() {
                    gone.push(id);
                }
            }
            if gone.len() == before {
                return Err(StoreError::Raced);
            }
            self.drop_deployments(&gone);
        }
    }

    /// Looks at one log after the other, so that a busy one does not keep the others waiting.
    async fn advance_logs(&mut self) -> Advance {
        for _ in 0..self.carried.len() {
            let at = self.turn % self.carried.len();
            self.turn = at + 1;
            let Carried { scope: Scope::Log { id, offset }, log_done, .. } = self.carried[at] else {
                continue;
            };
            match self.board.log_after(&self.epoch, id, offset, log_done).await {
                Ok(Some(LogNext { frame: Some(frame), offset, done })) => {
                    self.carried[at].scope = Scope::Log { id, offset };
                    self.carried[at].log_done = done;
                    if self.interest.is_empty() {
                        (self.cursor, self.told) = (self.board.position().1, self.cursor.event_id);
                    }
                    return Advance::Blocks(vec![Block::new(self.told, frame)]);
                }
                Ok(Some(_)) => {}
                // Deleted, read anew or of another epoch: the board's events, or their lack, will tell.
                Ok(None) if !self.interest.is_empty() => {}
                Ok(None) if self.board.position().0 != self.epoch => return self.resync().await,
                Ok(None) => match self.board.open_detail(id).await {
                    Ok(Some(detail)) => {
                        self.carried[at].detail = Some(detail);
                        return Advance::Blocks(Vec::new());
                    }
                    Ok(None) => return Advance::Over(EndReason::Gone),
                    Err(_) => return Advance::Over(EndReason::Unavailable),
                },
                // The database is away: the stream stays, and goes on when it is back.
                Err(error) => tracing::debug!(env = %self.key, %error, "a log could not be read for now"),
            }
        }
        Advance::Nothing
    }
}
