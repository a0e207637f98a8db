//! How many rows a client holds, from the client rules of the contract and the rows' places alone. It
//! knows no row's content: whether what is held is right is for the model to say.

use super::{Page, Step};
use crate::event::{Change, DeploymentRow, Event};
use crate::id::{DeploymentId, Epoch, EventId};
use crate::time::Timestamp;

/// A row's place in the page's order; the greatest comes first.
pub(super) type Key = (Timestamp, DeploymentId);

pub(super) fn key(row: &DeploymentRow) -> Key {
    (row.created_at, row.id)
}

/// The places a client holds, each with the version of the row there.
#[derive(Default)]
pub(super) struct Held {
    pub(super) keys: Vec<(Key, EventId)>,
    pub(super) more: bool,
    pub(super) epoch: Option<Epoch>,
    event_id: EventId,
    snapshot_event_id: EventId,
    awaited: Option<Awaited>,
    /// There was always a row to measure others by.
    pub(super) is_sure: bool,
    /// How often a row left the prefix, a row was not let in, a page was joined, one was joined over
    /// events that came while it was awaited, one was void.
    pub(super) left: u32,
    pub(super) refused: u32,
    pub(super) joined: u32,
    pub(super) raced: u32,
    pub(super) void: u32,
}

struct Awaited {
    after: Key,
    kept: Vec<Event>,
    void: bool,
}

impl Held {
    pub(super) fn awaits(&self) -> Option<Key> {
        self.awaited.as_ref().map(|awaited| awaited.after)
    }

    pub(super) fn last(&self) -> Option<Key> {
        self.keys.last().map(|(key, _)| *key)
    }

    pub(super) fn take(&mut self, step: &Step) {
        match step {
            // "A reconnect marks the state stale": the next snapshot replaces, whatever its number.
            Step::Reconnect => self.event_id = EventId(0),
            Step::Snapshot { event_id, snapshot, .. } => {
                if *event_id < self.event_id {
                    return;
                }
                let other_epoch = self.epoch.as_ref().is_some_and(|epoch| *epoch != snapshot.epoch);
                self.is_sure |= self.epoch.is_none();
                self.epoch = Some(snapshot.epoch.clone());
                (self.event_id, self.snapshot_event_id) = (*event_id, *event_id);
                self.more = snapshot.has_more;
                self.keys = snapshot.deployments.iter().map(|row| (key(row), row.event_id)).collect();
                let hole = |after: Key| self.more && self.last().is_none_or(|last| last > after);
                let hole = self.awaits().is_some_and(hole);
                if let Some(awaited) = &mut self.awaited {
                    awaited.kept.clear();
                    awaited.void |= other_epoch || hole;
                }
            }
            Step::Event(event) => {
                if event.event_id <= self.event_id {
                    return;
                }
                self.event_id = event.event_id;
                if let Some(awaited) = &mut self.awaited {
                    awaited.kept.push(event.clone());
                }
                self.apply(event);
            }
            Step::PageRequest(after) => {
                self.awaited = Some(Awaited { after: *after, kept: Vec::new(), void: false });
            }
            Step::Page(page) => self.join(page),
        }
    }

    fn apply(&mut self, event: &Event) {
        let of = |id: DeploymentId| move |((_, held), _): &(Key, EventId)| *held == id;
        match &event.change {
            Change::DeploymentUpsert(upsert) => self.put(&upsert.deployment),
            Change::DeploymentDelete(delete) => self.keys.retain(|held| !of(delete.id)(held)),
            Change::DeploymentProgress(told) => {
                if let Some((_, version)) = self.keys.iter_mut().find(|held| of(told.id)(held)) {
                    *version = event.event_id.max(*version);
                }
            }
            Change::WorkflowUpsert(_) | Change::CountsUpdate(_) => {}
        }
    }

    fn put(&mut self, row: &DeploymentRow) {
        let held = self.keys.iter().position(|((_, id), _)| *id == row.id);
        let held = held.map(|at| (self.keys[at], at));
        if let Some(((known, version), at)) = held {
            if version >= row.event_id {
                return;
            }
            if known == key(row) {
                self.keys[at].1 = row.event_id;
                return;
            }
            self.keys.remove(at);
        }
        // "A deployment older than the oldest loaded row is not inserted while there is more to load."
        if self.more && self.last().is_none_or(|last| last > key(row)) {
            self.is_sure &= !self.keys.is_empty();
            *(if held.is_some() { &mut self.left } else { &mut self.refused }) += 1;
            return;
        }
        let at = self.keys.partition_point(|(held, _)| *held > key(row));
        self.keys.insert(at, (key(row), row.event_id));
    }

    /// "While a page is awaited, upserts, progress and deletes are kept, and applied over it; a page whose
    /// `event_id` is below the last snapshot's is fetched again."
    fn join(&mut self, page: &Page) {
        let Some(awaited) = self.awaited.take() else { return };
        if awaited.void || page.event_id < self.snapshot_event_id {
            self.void += 1;
            return;
        }
        self.joined += 1;
        let end = page.items.last().map(|row| key(row));
        let reaches_further = end.is_none_or(|end| self.last().is_none_or(|last| last > end));
        let more = if reaches_further { page.next } else { self.more };
        self.more = false;
        let gone = |id: DeploymentId| {
            let gone = |event: &Event| matches!(event.change, Change::DeploymentDelete(it) if it.id == id);
            awaited.kept.iter().any(gone)
        };
        page.items.iter().filter(|row| !gone(row.id)).for_each(|row| self.put(row));
        self.more = more;
        let before = self.keys.clone();
        awaited.kept.iter().for_each(|event| self.apply(event));
        let later = awaited.kept.iter().any(|event| event.event_id > page.event_id);
        self.raced += u32::from(later && before != self.keys);
    }
}
