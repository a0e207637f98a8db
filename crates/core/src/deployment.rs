//! The fold: what a set of stored reports says of one deployment.
//!
//! A [`Fold`] is a join: absorbing reports in any order, any number of times, ends in the same value.
//! It holds no more than the answers need, so that the millionth report costs what the first did.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::report::{Details, Said, StoredReport};
use crate::status::{Kind, Status};
use crate::time::Timestamp;

/// Most sources that may report an end of one attempt. Only one of them counts (rule 3); more than a
/// few are a mistake at the reporters'.
pub const MAX_TERMINAL_SOURCES: usize = 16;

/// When something was said: by attempt, moment and order within it. The greatest says what holds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
struct Stamp(u32, Timestamp, i64);

/// The latest value said of a field. Two values said at the very same stamp: the greater one.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(transparent)]
struct Latest<T>(Option<(Stamp, T)>);

impl<T> Default for Latest<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T: Ord + Clone> Latest<T> {
    fn absorb(&mut self, stamp: Stamp, value: Option<&T>) {
        let Some(value) = value else { return };
        let newer = self.0.as_ref().is_none_or(|(at, known)| (*at, known) < (stamp, value));
        if newer {
            self.0 = Some((stamp, value.clone()));
        }
    }

    fn get(&self) -> Option<T> {
        self.0.as_ref().map(|(_, value)| value.clone())
    }

    fn is_none(&self) -> bool {
        self.0.is_none()
    }
}

/// A status said at a moment. Greater claims win.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
struct Claim {
    at: Timestamp,
    sequence: i64,
    status: Status,
}

impl Ord for Claim {
    fn cmp(&self, other: &Self) -> Ordering {
        let key = |claim: &Self| (claim.at, claim.sequence, claim.status.rank());
        key(self).cmp(&key(other))
    }
}

impl PartialOrd for Claim {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// What is known of one attempt.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
struct Attempt {
    created_at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    queued_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    started_at: Option<Timestamp>,
    /// The greatest claim that is not an end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    open: Option<Claim>,
    /// The earliest end said, and by whom: only that source may correct it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ended_by: Option<(Timestamp, i64, String)>,
    /// The greatest end said by each source.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    ends: BTreeMap<String, Claim>,
    /// Arrival of the last report that was not `lost`, and of the last that was.
    heard: u64,
    #[serde(default)]
    lost: u64,
}

impl Attempt {
    fn new(at: Timestamp) -> Self {
        Self {
            created_at: at,
            queued_at: None,
            started_at: None,
            open: None,
            ended_by: None,
            ends: BTreeMap::new(),
            heard: 0,
            lost: 0,
        }
    }

    fn absorb(&mut self, report: &StoredReport) {
        let at = report.occurred_at;
        self.created_at = self.created_at.min(at);
        if report.status == Some(Said::Status(Status::Lost)) {
            self.lost = self.lost.max(report.arrival);
            return;
        }
        self.heard = self.heard.max(report.arrival);
        let Some(Said::Status(status)) = report.status else { return };
        let claim = Claim { at, sequence: report.sequence, status };
        match status {
            Status::Queued => self.queued_at = Some(earliest(self.queued_at, at)),
            Status::Running => self.started_at = Some(earliest(self.started_at, at)),
            _ => {}
        }
        if !status.is_terminal() {
            self.open = self.open.max(Some(claim));
            return;
        }
        let first = (at, report.sequence, report.source.clone());
        if self.ended_by.as_ref().is_none_or(|known| first < *known) {
            self.ended_by = Some(first);
        }
        let known = self.ends.entry(report.source.clone()).or_insert(claim);
        *known = claim.max(*known);
    }

    /// The end that counts: the greatest one said by the source that said the earliest.
    fn end(&self) -> Option<Claim> {
        let (_, _, source) = self.ended_by.as_ref()?;
        self.ends.get(source).copied()
    }

    fn winner(&self) -> Option<Claim> {
        self.end().or(self.open)
    }

    fn status(&self) -> Status {
        match self.end() {
            Some(end) => end.status,
            None if self.lost > self.heard => Status::Lost,
            None => self.open.map_or(Status::Queued, |open| open.status),
        }
    }
}

fn earliest(known: Option<Timestamp>, at: Timestamp) -> Timestamp {
    known.map_or(at, |known| known.min(at))
}

/// Everything the reports of one deployment say, order-independent and idempotent.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Fold {
    attempts: BTreeMap<u32, Attempt>,
    #[serde(skip_serializing_if = "Latest::is_none")]
    kind: Latest<Kind>,
    #[serde(skip_serializing_if = "Latest::is_none")]
    reason: Latest<String>,
    #[serde(skip_serializing_if = "Latest::is_none")]
    version: Latest<String>,
    #[serde(skip_serializing_if = "Latest::is_none")]
    sha: Latest<String>,
    #[serde(skip_serializing_if = "Latest::is_none")]
    reference: Latest<String>,
    #[serde(skip_serializing_if = "Latest::is_none")]
    commit_message: Latest<String>,
    #[serde(skip_serializing_if = "Latest::is_none")]
    commit_url: Latest<String>,
    #[serde(skip_serializing_if = "Latest::is_none")]
    author: Latest<String>,
    #[serde(skip_serializing_if = "Latest::is_none")]
    actor: Latest<String>,
    #[serde(skip_serializing_if = "Latest::is_none")]
    url: Latest<String>,
    #[serde(skip_serializing_if = "Latest::is_none")]
    logs_url: Latest<String>,
    #[serde(skip_serializing_if = "Latest::is_none")]
    message: Latest<String>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    removed: bool,
}

/// The latest successful attempt of a deployment: its place in the chain.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Success {
    /// When it ended.
    pub finished_at: Timestamp,
    /// How long it ran, in milliseconds; null if its start was never told.
    pub duration_ms: Option<i64>,
}

/// What a [`Fold`] comes to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Folded {
    /// The highest attempt.
    pub attempt: u32,
    /// How it went.
    pub status: Status,
    /// The earliest thing known of it.
    pub created_at: Timestamp,
    /// Its earliest `queued`.
    pub queued_at: Option<Timestamp>,
    /// Its earliest `running`.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// The latest attempt that succeeded, which may be an earlier one.
    pub success: Option<Success>,
    /// A report said that it was taken away.
    pub removed: bool,
    /// The latest value of each other field; `kind` only where it was sent.
    pub details: Details,
}

impl Fold {
    /// Takes one report in. Order does not matter, nor does taking it twice.
    pub fn absorb(&mut self, report: &StoredReport) {
        let attempt = self.attempts.entry(report.attempt);
        attempt.or_insert_with(|| Attempt::new(report.occurred_at)).absorb(report);
        self.removed |= report.status == Some(Said::Removed);

        let stamp = Stamp(report.attempt, report.occurred_at, report.sequence);
        let Details { kind, reason, version, commit, actor, url, logs_url, message } = &report.details;
        self.kind.absorb(stamp, kind.as_ref());
        self.reason.absorb(stamp, reason.as_ref());
        self.version.absorb(stamp, version.as_ref());
        self.sha.absorb(stamp, commit.sha.as_ref());
        self.reference.absorb(stamp, commit.reference.as_ref());
        self.commit_message.absorb(stamp, commit.message.as_ref());
        self.commit_url.absorb(stamp, commit.url.as_ref());
        self.author.absorb(stamp, commit.author.as_ref());
        self.actor.absorb(stamp, actor.as_ref());
        self.url.absorb(stamp, url.as_ref());
        self.logs_url.absorb(stamp, logs_url.as_ref());
        self.message.absorb(stamp, message.as_ref());
    }

    /// The highest attempt heard of; `None` before the first report.
    pub fn highest_attempt(&self) -> Option<u32> {
        self.attempts.last_key_value().map(|(attempt, _)| *attempt)
    }

    /// Anything at all was heard of this attempt.
    pub fn knows_attempt(&self, attempt: u32) -> bool {
        self.attempts.contains_key(&attempt)
    }

    /// The earliest moment any attempt tells of: a lower bound of every place in the chain this
    /// deployment has had.
    pub fn earliest(&self) -> Option<Timestamp> {
        self.attempts.values().map(|attempt| attempt.created_at).min()
    }

    /// So many sources have ended this attempt that another one is refused.
    pub fn has_enough_ends(&self, attempt: u32, source: &str) -> bool {
        self.attempts.get(&attempt).is_some_and(|attempt| {
            attempt.ends.len() >= MAX_TERMINAL_SOURCES && !attempt.ends.contains_key(source)
        })
    }

    /// The attempt is taken for lost.
    pub fn is_lost(&self, attempt: u32) -> bool {
        self.attempts.get(&attempt).is_some_and(|attempt| attempt.status() == Status::Lost)
    }

    /// The end that counts for an attempt, as (moment, status).
    pub fn end_of(&self, attempt: u32) -> Option<(Timestamp, Status)> {
        self.attempts.get(&attempt)?.end().map(|end| (end.at, end.status))
    }

    /// The status this report said changes none: something newer is known of its attempt, an end of it
    /// that no other status undoes, or a later attempt.
    pub fn is_late(&self, report: &StoredReport) -> bool {
        let Some(Said::Status(status)) = report.status else { return false };
        let Some((highest, attempt)) = self.attempts.last_key_value() else { return false };
        if *highest != report.attempt {
            return true;
        }
        if status == Status::Lost {
            return attempt.status() != Status::Lost;
        }
        let claim = Claim { at: report.occurred_at, sequence: report.sequence, status };
        attempt.winner().is_some_and(|winner| {
            let ended = winner.status.is_terminal() && !status.is_terminal();
            ended || (winner != claim && claim < winner)
        })
    }

    /// What it all comes to; `None` before the first report.
    pub fn state(&self) -> Option<Folded> {
        let (number, attempt) = self.attempts.last_key_value()?;
        let success = self.attempts.values().rev().find_map(|attempt| {
            let end = attempt.end().filter(|end| end.status == Status::Success)?;
            let duration_ms = attempt.started_at.map(|started| end.at.millis_since(started));
            Some(Success { finished_at: end.at, duration_ms })
        });
        Some(Folded {
            attempt: *number,
            status: attempt.status(),
            created_at: attempt.created_at,
            queued_at: attempt.queued_at,
            started_at: attempt.started_at,
            finished_at: attempt.end().map(|end| end.at),
            success,
            removed: self.removed,
            details: Details {
                kind: self.kind.get(),
                reason: self.reason.get(),
                version: self.version.get(),
                commit: crate::event::Commit {
                    sha: self.sha.get(),
                    reference: self.reference.get(),
                    message: self.commit_message.get(),
                    url: self.commit_url.get(),
                    author: self.author.get(),
                },
                actor: self.actor.get(),
                url: self.url.get(),
                logs_url: self.logs_url.get(),
                message: self.message.get(),
            },
        })
    }
}

impl<'a> FromIterator<&'a StoredReport> for Fold {
    fn from_iter<I: IntoIterator<Item = &'a StoredReport>>(reports: I) -> Self {
        let mut fold = Self::default();
        reports.into_iter().for_each(|report| fold.absorb(report));
        fold
    }
}

#[cfg(test)]
mod tests;
