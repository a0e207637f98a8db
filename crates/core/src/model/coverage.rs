//! Proof that the generator reaches every rule of the contract: each run notes what it hit, and a rule
//! that no run ever hit fails the test.

use std::collections::BTreeMap;

use super::Model;
use crate::decide::{Decision, Outcome, Refusal, Request};
use crate::event::{Change, DeploymentRow};
use crate::report::{MAX_AHEAD_MS, Said, StoredReport};
use crate::status::{Kind, Standing, Status};
use crate::time::Timestamp;

/// Every rule that must be hit, by the number of the contract's fold rule where it has one.
const RULES: [&str; 64] = [
    "repeat: undated, equal to the attempt's last",
    "repeat: dated, equal to any stored",
    "1: another workflow is refused",
    "1: a first report without a workflow is refused",
    "1: a higher attempt takes over",
    "1: an earlier attempt is heard of",
    "1: a new id is a new deployment",
    "2: an end beats what is open, though it is earlier",
    "2: a later end wins",
    "2: an earlier end loses",
    "2: ends of one moment go by sequence",
    "2: ends of one moment and sequence go by rank",
    "2: open ones of one moment go by sequence",
    "2: open ones of one moment and sequence go by rank",
    "3: corrected by its source",
    "3: not corrected by another source",
    "4: late and without effect",
    "4: late and fills a gap",
    "5: too far ahead",
    "5: before 2000",
    "5: ended before it began",
    "6: 100 on success",
    "6: 99 at most",
    "6: progress alone",
    "6: never back",
    "6: a new attempt begins anew",
    "6: taken along by a status",
    "7: a first report is an end",
    "7: unmapped",
    "8: absence does not erase",
    "8: a late value loses",
    "9: current",
    "9: superseded",
    "9: rolled back",
    "9: removed",
    "9: removed, and not the last",
    "9: a redeploy is inferred",
    "9: a rollback is inferred",
    "9: a kind is sent",
    "9: a success comes between others",
    "9: two successes of one moment",
    "9: one without success is judged",
    "9: a re-run changes no standing",
    "9: an ended correction leaves the chain",
    "9: the current is deleted, another is",
    "10: lost",
    "10: not lost, something was heard",
    "10: revived by a status",
    "10: revived by a sign of life",
    "deletion: of a deployment",
    "deletion: of a workflow",
    "retention: kept",
    "retention: gone",
    "deletion: later reports are refused",
    "deletion: an unknown id is refused",
    "deletion: made and deleted in one group",
    "key: repeated",
    "key: reused for something else",
    "workflow: latest moves to an older deployment",
    "workflow: more than twelve deployments",
    "expected: a median",
    "log: begins",
    "timeline: an entry alone",
    "group: nothing to tell",
];

/// How often each rule was hit.
#[derive(Debug, Default)]
pub(super) struct Coverage(BTreeMap<&'static str, u64>);

impl Coverage {
    fn hit(&mut self, rule: &'static str, happened: bool) {
        assert!(RULES.contains(&rule), "no such rule: {rule}");
        *self.0.entry(rule).or_default() += u64::from(happened);
    }

    pub(super) fn assert_whole(&self) {
        let missed: Vec<_> =
            RULES.iter().filter(|rule| self.0.get(**rule).copied().unwrap_or_default() == 0).collect();
        assert!(missed.is_empty(), "never hit: {missed:#?}\n{:#?}", self.0);
    }

    /// Notes what one group came to.
    pub(super) fn note(
        &mut self,
        before: &Model,
        requests: &[Request],
        now: Timestamp,
        decision: &Decision,
        after: &Model,
    ) {
        for (request, outcome) in requests.iter().zip(&decision.outcomes) {
            self.note_outcome(before, requests, request, outcome, now, decision);
        }
        for (index, (id, report)) in decision.reports.iter().enumerate() {
            let stored = before.reports.get(id).into_iter().flatten();
            let fresh = decision.reports[..index].iter().filter(|(of, _)| of == id).map(|(_, report)| report);
            let known: Vec<&StoredReport> = stored.chain(fresh).collect();
            let rows = [before, after].map(|model| model.deployments.get(id).map(|held| &*held.row));
            self.note_report(&known, report, rows);
        }
        for held in after.deployments.values() {
            let was = before.deployments.get(&held.row.id);
            if was.is_none_or(|was| was.row != held.row) {
                let removed = held.state.fold.state().is_some_and(|folded| folded.removed);
                self.note_row(was.map(|was| &*was.row), &held.row, removed);
            }
        }
        self.note_events(before, decision, after);
    }

    fn note_outcome(
        &mut self,
        before: &Model,
        requests: &[Request],
        request: &Request,
        outcome: &Result<Outcome, Refusal>,
        now: Timestamp,
        decision: &Decision,
    ) {
        self.hit("1: another workflow is refused", matches!(outcome, Err(Refusal::OtherWorkflow(_))));
        self.hit(
            "1: a first report without a workflow is refused",
            *outcome == Err(Refusal::WorkflowMissing),
        );
        self.hit("1: a new id is a new deployment", matches!(outcome, Ok(Outcome::Created(_))));
        self.hit("deletion: later reports are refused", *outcome == Err(Refusal::Gone));
        self.hit("deletion: an unknown id is refused", *outcome == Err(Refusal::UnknownDeployment));
        self.hit("key: reused for something else", *outcome == Err(Refusal::KeyReused));
        match request {
            Request::Delete { .. } => self.hit("deletion: of a deployment", outcome.is_ok()),
            Request::Expire { id, .. } => {
                self.hit("retention: kept", *outcome == Ok(Outcome::Known(*id)));
                self.hit("retention: gone", *outcome == Ok(Outcome::Deleted));
            }
            Request::DeleteWorkflow { .. } => self.hit("deletion: of a workflow", outcome.is_ok()),
            Request::HasLog { .. } => self.hit("log: begins", outcome.is_ok()),
            // Told by example beside decide: it takes a pace that groups here do not keep.
            Request::Settle { .. } => {}
            Request::Lose { .. } => {
                let alone = requests.len() == 1 && decision.reports.is_empty();
                self.hit("10: not lost, something was heard", outcome.is_ok() && alone);
            }
            Request::Post { report, key, .. } => {
                let used = key.as_ref().and_then(|(key, body)| Some((before.keys.get(key)?, body)));
                self.hit(
                    "key: repeated",
                    outcome.is_ok() && used.is_some_and(|(used, body)| used.body == *body),
                );
                self.note_said(report, outcome, now, requests, used.is_some(), decision);
            }
            Request::Patch { report, .. } => {
                self.note_said(report, outcome, now, requests, false, decision);
            }
        }
    }

    fn note_said(
        &mut self,
        report: &crate::report::Report,
        outcome: &Result<Outcome, Refusal>,
        now: Timestamp,
        requests: &[Request],
        by_key: bool,
        decision: &Decision,
    ) {
        let Ok(Outcome::Known(_) | Outcome::Created(_)) = outcome else { return };
        let ahead = |at: Timestamp| at > now.plus_millis(MAX_AHEAD_MS);
        self.hit("5: too far ahead", report.occurred_at.is_some_and(ahead));
        self.hit("5: before 2000", report.occurred_at.is_some_and(|at| at < Timestamp::YEAR_2000));
        if requests.len() == 1 && decision.reports.is_empty() && !by_key && !report.is_only_progress() {
            let rule = match report.occurred_at {
                None => "repeat: undated, equal to the attempt's last",
                Some(_) => "repeat: dated, equal to any stored",
            };
            self.hit(rule, true);
            self.hit("group: nothing to tell", decision.events.is_empty());
        }
    }

    fn note_report(
        &mut self,
        known: &[&StoredReport],
        report: &StoredReport,
        [was, is]: [Option<&DeploymentRow>; 2],
    ) {
        let status = |report: &StoredReport| match report.status {
            Some(Said::Status(status)) => Some(status),
            _ => None,
        };
        let highest = known.iter().map(|known| known.attempt).max();
        self.hit("1: a higher attempt takes over", highest.is_some_and(|highest| report.attempt > highest));
        self.hit(
            "1: an earlier attempt is heard of",
            highest.is_some_and(|highest| report.attempt < highest),
        );
        self.hit("7: unmapped", matches!(report.status, Some(Said::Unmapped(_))));
        self.hit(
            "7: a first report is an end",
            known.is_empty() && status(report).is_some_and(Status::is_terminal),
        );
        self.hit("10: lost", status(report) == Some(Status::Lost));

        let same_attempt = || known.iter().filter(|known| known.attempt == report.attempt);
        let ends = || same_attempt().filter(|known| status(known).is_some_and(Status::is_terminal));
        let opens = || same_attempt().filter(|known| status(known).is_some_and(Status::is_active));
        let same_moment = |known: &StoredReport| known.occurred_at == report.occurred_at;
        match status(report) {
            Some(status_now) if status_now.is_terminal() => {
                let own = || ends().filter(|known| known.source == report.source);
                self.hit(
                    "2: an end beats what is open, though it is earlier",
                    opens().any(|known| known.occurred_at > report.occurred_at),
                );
                self.hit("2: a later end wins", own().any(|known| known.occurred_at < report.occurred_at));
                self.hit(
                    "2: an earlier end loses",
                    own().any(|known| known.occurred_at > report.occurred_at),
                );
                let same = || own().filter(|known| same_moment(known) && status(known) != Some(status_now));
                self.hit(
                    "2: ends of one moment go by sequence",
                    same().any(|known| known.sequence != report.sequence),
                );
                self.hit(
                    "2: ends of one moment and sequence go by rank",
                    same().any(|known| known.sequence == report.sequence),
                );
                self.hit("3: corrected by its source", report.correction && own().next().is_some());
                let others = || ends().filter(|known| known.source != report.source);
                self.hit(
                    "3: not corrected by another source",
                    own().next().is_none()
                        && others().any(|known| known.occurred_at < report.occurred_at)
                        && !report.correction,
                );
            }
            Some(status_now) if status_now.is_active() => {
                let same = || opens().filter(|known| same_moment(known) && status(known) != Some(status_now));
                self.hit(
                    "2: open ones of one moment go by sequence",
                    same().any(|known| known.sequence != report.sequence),
                );
                self.hit(
                    "2: open ones of one moment and sequence go by rank",
                    same().any(|known| known.sequence == report.sequence),
                );
                if ends().next().is_some() {
                    assert!(report.late, "after the end everything open is late");
                    self.hit("4: late and without effect", true);
                    self.hit(
                        "4: late and fills a gap",
                        status_now == Status::Running
                            && !opens().any(|known| status(known) == Some(Status::Running)),
                    );
                }
            }
            _ => {}
        }
        if let (Some(was), Some(is)) = (was, is) {
            let version = &report.details.version;
            self.hit(
                "8: absence does not erase",
                was.version.is_some() && version.is_none() && was.version == is.version,
            );
            self.hit(
                "8: a late value loses",
                was.version.is_some() && version.is_some() && *version != is.version,
            );
            let revived =
                was.status == Status::Lost && is.status != Status::Lost && was.attempt == is.attempt;
            self.hit("10: revived by a status", revived && report.status.is_some());
            self.hit("10: revived by a sign of life", revived && report.status.is_none());
            self.hit(
                "6: taken along by a status",
                report.status.is_some() && report.progress.is_some() && was.progress != is.progress,
            );
        }
    }

    fn note_row(&mut self, was: Option<&DeploymentRow>, row: &DeploymentRow, removed: bool) {
        self.hit("9: current", row.standing == Some(Standing::Current));
        self.hit("9: superseded", row.standing == Some(Standing::Superseded));
        self.hit("9: rolled back", row.standing == Some(Standing::RolledBack));
        self.hit("9: removed", row.standing == Some(Standing::Removed));
        self.hit(
            "9: removed, and not the last",
            removed && row.standing.is_some_and(|standing| standing != Standing::Removed),
        );
        self.hit("9: a redeploy is inferred", row.inferred && row.kind == Kind::Redeploy);
        self.hit("9: a rollback is inferred", row.inferred && row.kind == Kind::Rollback);
        self.hit("9: a kind is sent", !row.inferred);
        self.hit(
            "9: one without success is judged",
            row.standing.is_none() && row.replaces.is_some() && row.kind != Kind::Deploy,
        );
        let began_late = row.started_at.zip(row.finished_at).is_some_and(|(began, ended)| began > ended);
        self.hit("5: ended before it began", began_late);
        self.hit("6: 100 on success", row.status == Status::Success && row.progress.percent == Some(100.0));
        self.hit("6: 99 at most", row.progress.percent == Some(99.0));
        self.hit("expected: a median", row.expected_ms.is_some());
        if let Some(was) = was {
            let rerun = row.attempt > was.attempt && row.status != Status::Success;
            self.hit(
                "9: a re-run changes no standing",
                rerun && row.standing.is_some() && row.standing == was.standing,
            );
            self.hit(
                "6: a new attempt begins anew",
                row.attempt > was.attempt && was.progress.percent > row.progress.percent,
            );
            self.hit(
                "9: an ended correction leaves the chain",
                was.standing.is_some() && row.standing.is_none(),
            );
            if row.attempt == was.attempt
                && row.status != Status::Success
                && was.status != Status::Success
                && was.progress.percent.is_some()
            {
                assert!(row.progress.percent >= was.progress.percent, "progress never goes back");
            }
        }
    }

    fn note_events(&mut self, before: &Model, decision: &Decision, after: &Model) {
        self.hit(
            "6: progress alone",
            decision.events.iter().any(|event| matches!(event.change, Change::DeploymentProgress(_))),
        );
        for deployment in &decision.deployments {
            let told = before.deployments.get(&deployment.row.id).is_some_and(|was| {
                was.state.progress == deployment.state.progress
                    && was.state.last_heard_at <= deployment.state.last_heard_at
                    && was.row == deployment.row
                    && was.row.progress.percent.is_some()
                    && was.state.arrivals == deployment.state.arrivals
            });
            self.hit("6: never back", told);
            self.hit(
                "timeline: an entry alone",
                before.deployments.get(&deployment.row.id).is_some_and(|was| {
                    was.state.entries < deployment.state.entries
                        && *was.row
                            == DeploymentRow {
                                updated_at: was.row.updated_at,
                                event_id: was.row.event_id,
                                ..(*deployment.row).clone()
                            }
                }),
            );
        }
        let restored = decision.neighbours.iter().any(|row| {
            row.standing == Some(Standing::Current)
                && before.deployments[&row.id].row.standing != Some(Standing::Current)
        });
        self.hit("9: the current is deleted, another is", restored && !decision.deleted.is_empty());
        self.hit(
            "9: a success comes between others",
            decision.neighbours.iter().any(|row| {
                let now_before_it = row.replaces.and_then(|id| after.deployments.get(&id));
                row.standing.is_some()
                    && before.deployments[&row.id].row.replaces != row.replaces
                    && now_before_it.is_some_and(|held| held.row.replaces.is_some())
            }),
        );
        self.hit(
            "deletion: made and deleted in one group",
            decision.deleted.iter().any(|row| !before.deployments.contains_key(&row.id)),
        );
        for row in &decision.workflows {
            let was = before.workflows.get(&row.id).and_then(|row| row.latest.as_ref());
            let older = was.zip(row.latest.as_ref()).is_some_and(|(was, is)| is.at < was.at);
            self.hit("workflow: latest moves to an older deployment", older);
            let all = after.deployments.values().filter(|held| held.row.workflow_id == row.id);
            self.hit("workflow: more than twelve deployments", all.count() > crate::workflow::RECENT);
        }
        let mut ends: Vec<_> = after
            .deployments
            .values()
            .filter_map(|held| Some((&held.row.workflow_id, held.state.fold.state()?.success?.finished_at)))
            .collect();
        let all = ends.len();
        ends.sort_unstable();
        ends.dedup();
        self.hit("9: two successes of one moment", ends.len() < all);
    }
}
