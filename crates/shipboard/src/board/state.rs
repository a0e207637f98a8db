//! What a board holds under its lock: rows, ring, the deployments somebody looks at. Nothing here waits.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use shipboard_core::board::{Board, Loaded};
use shipboard_core::event::{Change, DeploymentRow, Event, TimelineEntry};
use shipboard_core::id::{DeploymentId, Epoch, EventId};
use shipboard_core::time::Timestamp;

use super::ring::Ring;
use super::{Cursor, encode};
use crate::clock;
use crate::store::{BoardLoad, DeploymentRead, EnvKey, MAX_TIMELINE};

/// Most limits that a snapshot is kept encoded for.
const MAX_SNAPSHOTS: usize = 4;

#[derive(Debug)]
#[allow(clippy::struct_excessive_bools, reason = "each is a fact of its own, not a state among others")]
pub(super) struct State {
    pub(super) loaded: bool,
    /// The board was told of events before it was loaded, or could not use them.
    pub(super) behind: bool,
    pub(super) epoch: Epoch,
    /// Nobody has reported to the env yet; the epoch is this instance's own proposal.
    pub(super) unborn: bool,
    pub(super) generation: u64,
    /// What was committed has ids that the board has other events under.
    pub(super) forked: bool,
    /// When the board's last event was.
    pub(super) ts: Option<Timestamp>,
    pub(super) board: Board,
    pub(super) ring: Ring,
    pub(super) details: HashMap<DeploymentId, Detail>,
    /// Shared parts of snapshots by limit, for the event they are of.
    pub(super) snapshots: HashMap<usize, (EventId, Bytes)>,
    pub(super) idle_since: Instant,
}

/// One deployment that somebody looks at.
#[derive(Debug)]
pub(super) struct Detail {
    pub(super) readers: usize,
    pub(super) row: Arc<DeploymentRow>,
    pub(super) timeline: VecDeque<TimelineEntry>,
    pub(super) timeline_more: bool,
    pub(super) snapshot: Option<(EventId, Bytes)>,
}

/// What trying to hold a deployment came to.
pub(super) enum Hold {
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
            // As in events: a snapshot is one, and says the same whoever came first.
            timeline: read.timeline.into_iter().map(TimelineEntry::for_event).collect(),
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
    /// Of a board that was not read yet.
    pub(super) fn unread() -> Self {
        Self {
            loaded: false,
            behind: false,
            epoch: clock::epoch(),
            unborn: true,
            generation: 0,
            forked: false,
            ts: None,
            board: Board::new(Loaded::default()),
            ring: Ring::default(),
            details: HashMap::new(),
            snapshots: HashMap::new(),
            idle_since: Instant::now(),
        }
    }

    /// The board has come further, in the same epoch, than what was read.
    pub(super) fn is_beyond(&self, load: &BoardLoad) -> bool {
        self.loaded
            && load.epoch.as_ref() == Some(&self.epoch)
            && load.loaded.event_id < self.board.event_id()
    }

    /// Begins a new life of the board: every reader gets a new snapshot.
    pub(super) fn begin_anew(&mut self, load: BoardLoad) {
        let BoardLoad { epoch, loaded, ts } = load;
        (self.ts, self.forked) = (ts, false);
        let is_unborn = epoch.is_none();
        match epoch {
            Some(epoch) => self.epoch = epoch,
            // It was there and is no more, as after a restore: what was seen of it did not happen.
            None if !self.unborn => self.epoch = clock::epoch(),
            None => {}
        }
        self.unborn = is_unborn;
        self.generation += 1;
        self.loaded = true;
        self.board = Board::new(loaded);
        self.ring = Ring::default();
        self.snapshots.clear();
        // Details are of the life before; their readers come back for them.
        self.details.clear();
    }

    /// Applies one transaction that follows the head.
    pub(super) fn apply(&mut self, key: &EnvKey, events: Vec<Event>) {
        self.ts = events.last().map(|event| event.ts).or(self.ts);
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
    pub(super) fn hold(&mut self, id: DeploymentId, read: DeploymentRead) -> Hold {
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
    pub(super) fn put_behind(&mut self, epoch: Option<&Epoch>, loaded: Loaded) -> bool {
        let (at, head) = (loaded.event_id, self.board.event_id());
        if epoch != Some(&self.epoch) || at > head {
            return false;
        }
        let Some(events) = self.ring.events_after(at, head) else { return false };
        let mut board = Board::new(loaded);
        events.into_iter().for_each(|event| board.apply(event));
        self.board = board;
        self.snapshots.clear();
        true
    }

    /// What is known to have ended with this event, and is not newer than the board, is not what the board
    /// has there: the database went back in time, and forward again.
    pub(super) fn has_another(&self, last: EventId, ts: Timestamp) -> bool {
        let head = self.board.event_id();
        let here = if last == head { self.ts } else { self.ring.ended_at(last) };
        last > head || here.is_some_and(|here| here != ts)
    }

    /// The newest deployments and all else of the deployments scope's snapshot, encoded once per event.
    pub(super) fn encoded(&mut self, limit: usize) -> Bytes {
        let at = self.board.event_id();
        if let Some((of, encoded)) = self.snapshots.get(&limit)
            && *of == at
        {
            return encoded.clone();
        }
        let (deployments, has_more) = self.board.deployments(limit);
        let (workflows, workflows_more) = self.board.workflows();
        let encoded = encode::snapshot_state(&encode::DeploymentsState {
            counts: self.board.counts(),
            deployments: &deployments,
            has_more,
            workflows: &workflows,
            workflows_more,
        });
        self.snapshots.retain(|_, (of, _)| *of == at);
        if self.snapshots.len() >= MAX_SNAPSHOTS {
            self.snapshots.clear();
        }
        self.snapshots.insert(limit, (at, encoded.clone()));
        encoded
    }

    /// The same of the details scope; `None`: the deployment is not held.
    pub(super) fn encoded_detail(&mut self, id: DeploymentId) -> Option<Bytes> {
        let (at, counts) = (self.board.event_id(), self.board.counts());
        let detail = self.details.get_mut(&id)?;
        if let Some((of, encoded)) = &detail.snapshot
            && *of == at
        {
            return Some(encoded.clone());
        }
        let encoded = encode::snapshot_state(&encode::DetailsState {
            deployment: &detail.row,
            timeline: &detail.timeline,
            timeline_more: detail.timeline_more,
            counts,
        });
        detail.snapshot = Some((at, encoded.clone()));
        Some(encoded)
    }

    pub(super) fn cursor(&self) -> Cursor {
        Cursor { generation: self.generation, event_id: self.board.event_id() }
    }
}
