//! What the fuzz targets play reports on: an env of the model store, with every rule held against it.
//!
//! Whatever was read of foreign bytes is a report like any other. All here panic where a rule is broken.

use std::collections::BTreeMap;

use uuid::Uuid;

use crate::decide::{Decision, Request};
use crate::deployment::Fold;
use crate::id::DeploymentId;
use crate::model::{Model, assert_sound};
use crate::report::{DEFAULT_SOURCE, Report, Said, believed};
use crate::status::Status;
use crate::time::Timestamp;

/// When the reports are received, 2026-01-31T12:00:00Z.
const NOW: Timestamp = Timestamp::from_millis(1_769_860_800_000);
/// Between two groups of reports.
const PAUSE_MS: i64 = 1_000;

/// Plays groups of reports: rows, counts and events agree with what was stored, and what was stored folds alike
/// from either end and any number of times.
pub fn play(groups: &[Vec<Report>]) {
    let mut env = Env::default();
    for group in groups {
        env.take(group);
    }
    for reports in env.model.stored() {
        let fold: Fold = reports.iter().collect();
        assert_eq!(fold, reports.iter().rev().chain(reports).collect(), "the fold is a join");
    }
}

/// Plays a group twice: what was said with its time, and of a deployment that it names, is a repeat.
pub fn repeat(group: &[Report]) {
    let dated = group.iter().filter(|it| it.occurred_at.is_some() && it.external_id.is_some());
    // Without its attempt a report is of the highest, which the group itself may have raised.
    let told = dated.map(|report| Report { attempt: report.attempt.or(Some(1)), ..report.clone() });
    let group: Vec<Report> = told.collect();
    let mut env = Env::default();
    let outcomes = env.take(&group).outcomes;
    let told = env.model.check().0;
    // What was refused may be taken later, when what it is of has been made known.
    let taken =
        group.into_iter().zip(outcomes).filter(|(_, outcome)| outcome.is_ok()).map(|(report, _)| report);
    assert_eq!(env.take(&taken.collect::<Vec<_>>()).reports, [], "nothing new was said");
    assert_eq!(told, env.model.check().0);
}

/// Plays reports that say all of their place, one by one, in this order and in the opposite one: the same rows.
pub fn in_any_order(reports: &[Report]) {
    let placed: Vec<Report> = reports.iter().filter_map(placed).collect();
    let told = |reports: &mut dyn Iterator<Item = &Report>| {
        let mut env = Env::default();
        reports.for_each(|report| drop(env.take(std::slice::from_ref(report))));
        env.model.check().0
    };
    assert_eq!(told(&mut placed.iter()), told(&mut placed.iter().rev()), "order does not matter");
}

/// The report with its gaps filled, if it can be: one that counts wherever it stands. Silence is about receipt, and
/// progress that comes alone is not kept.
fn placed(report: &Report) -> Option<Report> {
    let at = report.occurred_at.filter(|at| believed(Some(*at), NOW) == *at)?;
    let counts = report.status != Some(Said::Status(Status::Lost)) && !report.is_only_progress();
    let external_id = report.external_id.clone()?;
    counts.then(|| Report {
        external_id: Some(external_id),
        // A deployment stays of the workflow that its first report names.
        workflow: "web".parse().ok(),
        workflow_name: None,
        attempt: report.attempt.or(Some(1)),
        sequence: report.sequence.or(Some(0)),
        occurred_at: Some(at),
        progress: None,
        ..report.clone()
    })
}

#[derive(Default)]
struct Env {
    model: Model,
    /// Ids by identity, so that another order gives no other ids.
    ids: BTreeMap<(String, String), DeploymentId>,
    groups: i64,
    serial: u64,
}

impl Env {
    fn take(&mut self, group: &[Report]) -> Decision {
        self.groups += 1;
        let requests: Vec<Request> = group.iter().map(|report| self.request(report)).collect();
        let before = self.model.clone();
        let decision = self.model.take(&requests, NOW.plus_millis(self.groups * PAUSE_MS));
        assert_eq!(decision.outcomes.len(), requests.len());
        assert_sound(&before, &decision, &self.model);
        let (_, found) = self.model.check();
        assert!(found.is_empty(), "{found:#?}");
        decision
    }

    fn request(&mut self, report: &Report) -> Request {
        self.serial += 1;
        let new_id = match &report.external_id {
            None => id_of("", &self.serial.to_string()),
            Some(external_id) => {
                let source = report.source.as_deref().unwrap_or(DEFAULT_SOURCE);
                let identity = (source.to_owned(), external_id.clone());
                *self.ids.entry(identity).or_insert_with(|| id_of(source, external_id))
            }
        };
        Request::Post { report: Box::new(report.clone()), new_id, key: None }
    }
}

/// An id drawn from an identity.
fn id_of(source: &str, external_id: &str) -> DeploymentId {
    let said = Report {
        source: Some(source.to_owned()),
        status: Some(Said::Unmapped(external_id.to_owned())),
        ..Report::default()
    };
    DeploymentId::from_uuid(Uuid::try_parse(&said.digest()).expect("a digest has 32 digits"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(external_id: &str, status: Status, second: i64) -> Report {
        Report {
            external_id: Some(external_id.to_owned()),
            workflow: "api".parse().ok(),
            status: Some(Said::Status(status)),
            occurred_at: Some(NOW.plus_millis(second * 1_000)),
            ..Report::default()
        }
    }

    #[test]
    fn what_the_fuzzer_plays_holds_for_reports_as_they_are() {
        let reports = [
            report("a", Status::Running, -9),
            report("a", Status::Success, -7),
            report("b", Status::Success, -8),
            report("b", Status::Failed, -6),
        ];
        play(&[reports[..2].to_vec(), reports.to_vec(), vec![Report::default()]]);
        repeat(&reports);
        in_any_order(&reports);
    }
}
