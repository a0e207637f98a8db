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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::scenario::Scenario;

    /// After these reports the counts are these: of deployments those that are not 0, and of workflows
    /// total/active/success/failed.
    #[track_caller]
    fn check(lines: &[&str], deployments: &[(Status, u64)], workflows: [u64; 4]) {
        let mut env = Scenario::default();
        env.tell(lines);
        let counts = env.counts();
        let some = counts.deployments.by_status().into_iter().filter(|(_, count)| *count > 0);
        assert_eq!(some.collect::<Vec<_>>(), deployments);
        assert_eq!(counts.deployments.total, deployments.iter().map(|(_, count)| count).sum::<u64>());
        let WorkflowCounts { total, active, success, failed } = counts.workflows;
        assert_eq!([total, active, success, failed], workflows);
    }

    #[test]
    fn each_deployment_counts_by_the_status_it_has_now() {
        check(&[], &[], [0, 0, 0, 0]);
        check(
            &["a running @1", "b running @2", "a failed @3", "c skipped @3"],
            &[(Status::Running, 1), (Status::Failed, 1), (Status::Skipped, 1)],
            [1, 1, 0, 0],
        );
        check(&["a success @1", "a 2: waiting @2"], &[(Status::Waiting, 1)], [1, 1, 0, 0]);
    }

    #[test]
    fn a_workflow_counts_by_its_latest_deployment_and_as_active_by_any() {
        check(&["a success @2", "b failed @1"], &[(Status::Success, 1), (Status::Failed, 1)], [1, 0, 1, 0]);
        check(&["a success @1", "b failed @2"], &[(Status::Success, 1), (Status::Failed, 1)], [1, 0, 0, 1]);
        check(&["a running @1", "b failed @2"], &[(Status::Running, 1), (Status::Failed, 1)], [1, 1, 0, 1]);
        check(
            &["a success @1", "b failed @1 of:api", "c queued @1 of:jobs", "d cancelled @1 of:docs"],
            &[(Status::Queued, 1), (Status::Success, 1), (Status::Failed, 1), (Status::Cancelled, 1)],
            [4, 1, 1, 1],
        );
    }

    #[test]
    fn a_lost_deployment_is_not_active() {
        check(&["a running @1", "a lost"], &[(Status::Lost, 1)], [1, 0, 0, 0]);
    }

    #[test]
    fn an_earlier_report_that_moves_the_latest_moves_the_counts() {
        let mut env = Scenario::default();
        env.tell(&["a success @3", "b failed @4"]);
        assert_eq!((env.counts().workflows.success, env.counts().workflows.failed), (0, 1));
        env.tell(&["b queued @2"]);
        assert_eq!((env.counts().workflows.success, env.counts().workflows.failed), (1, 0));
    }

    #[test]
    fn a_count_never_goes_below_nothing() {
        let mut counts = Counts::default();
        counts.move_deployment(Some(Status::Running), None);
        assert_eq!(counts, Counts::default());
    }
}
