//! The chain of a workflow in an env, and the workflow's row.
//!
//! The chain (rule 9) decides kind, standing and predecessor of its deployments. Judging needs only the
//! part of it from the earliest touched place on, and a few facts about what lies before.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::event::{CurrentDeployment, DeploymentRow, LatestDeployment, WorkflowRow};
use crate::id::{DeploymentId, EventId, Slug};
use crate::status::{Kind, Standing, Status};
use crate::time::Timestamp;

/// How many results a workflow's row shows.
pub const RECENT: usize = 12;
/// How many successes an expected duration is taken from.
pub const EXPECTED_FROM: usize = 20;
/// Fewer successes than this give no expected duration.
pub const EXPECTED_AT_LEAST: usize = 3;

/// A deployment as its workflow's chain sees it.
#[derive(Clone, PartialEq, Debug)]
pub struct Link {
    /// Its row.
    pub row: Arc<DeploymentRow>,
    /// When its latest successful attempt ended; `None`: it never succeeded and is no part of the chain.
    pub success_at: Option<Timestamp>,
    /// A report said that it was taken away.
    pub removed: bool,
}

impl Link {
    /// Its place: the end of its success, or its creation as long as it has none; then its identity.
    pub fn place(&self) -> (Timestamp, &str, &str) {
        let at = self.success_at.unwrap_or(self.row.created_at);
        (at, &self.row.external_id, &self.row.source)
    }

    fn sent_kind(&self) -> Option<Kind> {
        (!self.row.inferred).then_some(self.row.kind)
    }
}

/// What the chain says of one deployment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Verdict {
    /// Sent or found out.
    pub kind: Kind,
    /// Found out.
    pub inferred: bool,
    /// What became of its success.
    pub standing: Option<Standing>,
    /// The success before it.
    pub replaces: Option<DeploymentId>,
}

/// A stretch of a workflow's deployments that reaches to the end, and what is known of those before it.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Stretch {
    /// The last success before the stretch.
    pub before: Option<Link>,
    /// Versions of successes before the stretch, at least those that the stretch itself tells of.
    pub seen: BTreeSet<String>,
    /// Every deployment whose place is in the stretch.
    pub links: Vec<Link>,
}

impl Stretch {
    /// Puts the links in their order. [`Stretch::verdicts`] and [`Stretch::last`] need it.
    pub fn sort(&mut self) {
        self.links.sort_by(|a, b| a.place().cmp(&b.place()));
    }

    /// What the chain says of each link, in order; first of all, of the success before the stretch,
    /// whose standing depends on what follows it.
    pub fn verdicts(&self) -> Vec<(&Link, Verdict)> {
        let mut judged: Vec<(&Link, Verdict)> = Vec::with_capacity(self.links.len() + 1);
        if let Some(link) = &self.before {
            let DeploymentRow { kind, inferred, replaces, .. } = *link.row;
            judged.push((link, Verdict { kind, inferred, standing: None, replaces }));
        }
        let mut previous = self.before.as_ref();
        let mut seen: BTreeSet<&str> = self.seen.iter().map(String::as_str).collect();
        seen.extend(previous.and_then(|link| link.row.version.as_deref()));
        for link in &self.links {
            let sent = link.sent_kind();
            let kind = sent.unwrap_or_else(|| infer(&link.row, previous.map(|link| &*link.row), &seen));
            let replaces = previous.map(|link| link.row.id);
            judged.push((link, Verdict { kind, inferred: sent.is_none(), standing: None, replaces }));
            if link.success_at.is_some() {
                seen.extend(link.row.version.as_deref());
                previous = Some(link);
            }
        }
        // Backwards, each success knows the one after it.
        let mut successor: Option<Kind> = None;
        for (link, verdict) in judged.iter_mut().rev() {
            if link.success_at.is_none() {
                continue;
            }
            verdict.standing = Some(match successor {
                None if link.removed => Standing::Removed,
                None => Standing::Current,
                Some(Kind::Rollback) => Standing::RolledBack,
                Some(_) => Standing::Superseded,
            });
            successor = Some(verdict.kind);
        }
        judged
    }

    /// The end of the chain: the workflow's last success.
    pub fn last(&self) -> Option<&Link> {
        self.links.iter().rev().find(|link| link.success_at.is_some()).or(self.before.as_ref())
    }
}

fn infer(row: &DeploymentRow, previous: Option<&DeploymentRow>, seen: &BTreeSet<&str>) -> Kind {
    let Some(version) = row.version.as_deref() else { return Kind::Deploy };
    match previous.and_then(|previous| previous.version.as_deref()) {
        Some(before) if before == version => Kind::Redeploy,
        _ if seen.contains(version) => Kind::Rollback,
        _ => Kind::Deploy,
    }
}

/// What a workflow's row needs to know of one of its newest deployments.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Brief {
    /// When it was created.
    pub created_at: Timestamp,
    /// Which it is.
    pub id: DeploymentId,
    /// How it is doing.
    pub status: Status,
    /// What it deploys.
    pub version: Option<String>,
}

impl Brief {
    /// The part of a row that its workflow's row shows.
    pub fn of(row: &DeploymentRow) -> Self {
        Self { created_at: row.created_at, id: row.id, status: row.status, version: row.version.clone() }
    }
}

/// The row of a workflow: its newest deployments (newest first, at least [`RECENT`] if there are as
/// many), how many are active, and the end of its chain. The event id is left at 0.
pub fn row(id: Slug, name: String, newest: &[Brief], active: u64, last: Option<&Link>) -> WorkflowRow {
    let latest = newest.first().map(|brief| LatestDeployment {
        deployment_id: brief.id,
        status: brief.status,
        version: brief.version.clone(),
        at: brief.created_at,
    });
    let current = last.filter(|link| !link.removed).and_then(|link| {
        let (deployment_id, version) = (link.row.id, link.row.version.clone());
        Some(CurrentDeployment { deployment_id, version, since: link.success_at? })
    });
    WorkflowRow {
        id,
        name,
        latest,
        current,
        last_success_at: last.and_then(|link| link.success_at),
        active,
        recent: newest.iter().take(RECENT).rev().map(|brief| brief.status).collect(),
        event_id: EventId(0),
    }
}

/// The median of the newest [`EXPECTED_FROM`] durations, newest first, in milliseconds; `None` below
/// [`EXPECTED_AT_LEAST`].
pub fn expected_ms(durations: &[i64]) -> Option<i64> {
    let mut durations = durations.iter().copied().take(EXPECTED_FROM).collect::<Vec<_>>();
    if durations.len() < EXPECTED_AT_LEAST {
        return None;
    }
    durations.sort_unstable();
    let middle = durations.len() / 2;
    Some(if durations.len() % 2 == 1 {
        durations[middle]
    } else {
        i64::midpoint(durations[middle - 1], durations[middle])
    })
}

#[cfg(test)]
mod tests;
