//! The ring: an env's recent transactions, encoded once, shared by every reader.
//!
//! A reader is a cursor, the last event it has; there is no queue per reader. One that falls off the
//! ring's end gets a new snapshot.

use std::collections::VecDeque;

use bytes::Bytes;
use shipboard_core::event::{Change, Event};
use shipboard_core::id::{DeploymentId, EventId};
use shipboard_core::time::Timestamp;

/// Most bytes of frames and events a ring holds, whatever its readers would like.
const MAX_BYTES: usize = 8 * 1024 * 1024;
/// Most transactions a ring holds; few where tests want readers to fall off.
const MAX_TRANSACTIONS: usize = if cfg!(test) { 12 } else { 4_096 };

/// One event and its block.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) event: Event,
    /// As the deployments scope gets it.
    pub(super) plain: Bytes,
    /// With its timeline entries, where it has any: as the details scope gets it.
    pub(super) fuller: Option<Bytes>,
}

impl Part {
    /// The block that such a reader gets of it, if any: the fuller one if one of its scopes wants that.
    pub(super) fn block_for(&self, interest: &Interest) -> Option<&Bytes> {
        let (detailed, wanted) = match &self.event.change {
            Change::DeploymentUpsert(upsert) => (interest.details.contains(&upsert.deployment.id), false),
            Change::DeploymentProgress(told) => (interest.details.contains(&told.id), false),
            Change::DeploymentDelete(delete) => (interest.has_deployment(delete.id), false),
            Change::CountsUpdate(_) => (false, !interest.details.is_empty()),
            Change::WorkflowUpsert(_) => (false, false),
        };
        match &self.fuller {
            Some(fuller) if detailed => Some(fuller),
            _ => (detailed || wanted || interest.list).then_some(&self.plain),
        }
    }
}

/// Which of a board's events a reader gets.
#[derive(Clone, Default, Debug)]
pub struct Interest {
    /// All that the deployments scope gets.
    pub list: bool,
    /// What concerns these deployments, and the counts.
    pub details: Vec<DeploymentId>,
    /// That these deployments are deleted.
    pub logs: Vec<DeploymentId>,
    /// The reader puts ids of its own on the blocks, so each comes by itself.
    pub singly: bool,
}

impl Interest {
    /// No event is wanted.
    pub fn is_empty(&self) -> bool {
        !self.list && self.details.is_empty() && self.logs.is_empty()
    }

    pub(super) fn has_deployment(&self, id: DeploymentId) -> bool {
        self.details.contains(&id) || self.logs.contains(&id)
    }
}

/// One transaction: state exists at its last event only, so it is handed over whole.
#[derive(Debug)]
pub(super) struct Transaction {
    pub(super) first: EventId,
    pub(super) last: EventId,
    /// All its blocks as the deployments scope gets them, in one piece.
    pub(super) list: Bytes,
    pub(super) parts: Vec<Part>,
    /// What all of it takes in memory, about.
    pub(super) bytes: usize,
    /// When its commit was known here.
    pub(super) committed: std::time::Instant,
}

/// What lies behind a cursor.
pub(super) enum After<'a> {
    /// These, the next first; none: the cursor is at the head.
    Transactions(std::collections::vec_deque::Iter<'a, Transaction>),
    /// The ring does not reach back so far.
    FellOff,
}

/// Recent transactions, oldest first, without a gap.
#[derive(Debug, Default)]
pub(super) struct Ring {
    transactions: VecDeque<Transaction>,
    bytes: usize,
}

impl Ring {
    /// Adds the next transaction; the oldest ones leave when the ring is full.
    pub(super) fn push(&mut self, transaction: Transaction) {
        self.bytes += transaction.bytes;
        self.transactions.push_back(transaction);
        while self.bytes > MAX_BYTES || self.transactions.len() > MAX_TRANSACTIONS {
            match self.transactions.pop_front() {
                Some(oldest) => self.bytes -= oldest.bytes,
                None => break,
            }
        }
    }

    /// What came after `cursor`, given that the board is at `head`.
    pub(super) fn after(&self, cursor: EventId, head: EventId) -> After<'_> {
        if cursor >= head {
            return After::Transactions(self.transactions.range(self.transactions.len()..));
        }
        let next = cursor.next();
        match self.transactions.binary_search_by_key(&next, |transaction| transaction.first) {
            Ok(index) => After::Transactions(self.transactions.range(index..)),
            Err(_) => After::FellOff,
        }
    }

    /// When the transaction with this last event was, if it is here.
    pub(super) fn ended_at(&self, last: EventId) -> Option<Timestamp> {
        let index = self.transactions.binary_search_by_key(&last, |transaction| transaction.last).ok()?;
        self.transactions[index].parts.last().map(|part| part.event.ts)
    }

    /// Every event after `event_id`, or `None` where the ring does not reach back so far.
    pub(super) fn events_after(&self, event_id: EventId, head: EventId) -> Option<Vec<&Event>> {
        match self.after(event_id, head) {
            After::FellOff => None,
            After::Transactions(transactions) => Some(
                transactions.flat_map(|transaction| &transaction.parts).map(|part| &part.event).collect(),
            ),
        }
    }
}
