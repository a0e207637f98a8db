//! The counting rules, each written once: what moves when a row changes.
//!
//! A recount is the same rule applied from nothing to everything ([`Counts::recount`]).

use serde::{Deserialize, Serialize};

use crate::event::{DeploymentRow, WorkflowRow};
use crate::status::Status;

/// The authoritative numbers of one env. Page, API and metrics show these and no others.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Counts {
    /// Deployments by status.
    pub deployments: DeploymentCounts,
    /// Workflows by how they are doing.
    pub workflows: WorkflowCounts,
}

/// How many deployments of the env have each status now.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[allow(missing_docs, reason = "each counts the deployments of the status it is named after")]
pub struct DeploymentCounts {
    pub queued: u64,
    pub waiting: u64,
    pub running: u64,
    pub success: u64,
    pub failed: u64,
    pub cancelled: u64,
    pub skipped: u64,
    pub lost: u64,
    /// The sum of the others.
    pub total: u64,
}

/// How many workflows of the env are doing what.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct WorkflowCounts {
    /// With at least one deployment in this env.
    pub total: u64,
    /// With at least one deployment queued, waiting or running.
    pub active: u64,
    /// Whose latest deployment (greatest `created_at`, then id) has status `success`.
    pub success: u64,
    /// Whose latest deployment has status `failed`.
    pub failed: u64,
}

impl DeploymentCounts {
    fn of(&mut self, status: Status) -> &mut u64 {
        match status {
            Status::Queued => &mut self.queued,
            Status::Waiting => &mut self.waiting,
            Status::Running => &mut self.running,
            Status::Success => &mut self.success,
            Status::Failed => &mut self.failed,
            Status::Cancelled => &mut self.cancelled,
            Status::Skipped => &mut self.skipped,
            Status::Lost => &mut self.lost,
        }
    }

    /// Each status with its number, in the contract's order.
    pub fn by_status(mut self) -> [(Status, u64); 8] {
        Status::ALL.map(|status| (status, *self.of(status)))
    }
}

impl Counts {
    /// One deployment's status went from `before` to `after`; `None` is "was not" or "is no more".
    pub fn move_deployment(&mut self, before: Option<Status>, after: Option<Status>) {
        let counts = &mut self.deployments;
        if let Some(status) = before {
            step_down(counts.of(status));
            step_down(&mut counts.total);
        }
        if let Some(status) = after {
            *counts.of(status) += 1;
            counts.total += 1;
        }
    }

    /// One workflow's row went from `before` to `after`; `None` or a row without a latest deployment is
    /// "has no deployment here".
    pub fn move_workflow(&mut self, before: Option<&WorkflowRow>, after: Option<&WorkflowRow>) {
        let counts = &mut self.workflows;
        let part = |row: Option<&WorkflowRow>| {
            let (row, latest) = row.and_then(|row| Some((row, row.latest.as_ref()?.status)))?;
            Some((row.active > 0, latest == Status::Success, latest == Status::Failed))
        };
        if let Some((active, success, failed)) = part(before) {
            step_down(&mut counts.total);
            [(active, &mut counts.active), (success, &mut counts.success), (failed, &mut counts.failed)]
                .into_iter()
                .filter(|(was, _)| *was)
                .for_each(|(_, count)| step_down(count));
        }
        if let Some((active, success, failed)) = part(after) {
            counts.total += 1;
            counts.active += u64::from(active);
            counts.success += u64::from(success);
            counts.failed += u64::from(failed);
        }
    }

    /// The counts of an env that holds just these rows.
    pub fn recount<'a>(
        deployments: impl IntoIterator<Item = &'a DeploymentRow>,
        workflows: impl IntoIterator<Item = &'a WorkflowRow>,
    ) -> Self {
        let mut counts = Self::default();
        deployments.into_iter().for_each(|row| counts.move_deployment(None, Some(row.status)));
        workflows.into_iter().for_each(|row| counts.move_workflow(None, Some(row)));
        counts
    }
}

/// A count never goes below nothing; that it would is a fault `shipboard check` reports.
fn step_down(count: &mut u64) {
    *count = count.saturating_sub(1);
}
