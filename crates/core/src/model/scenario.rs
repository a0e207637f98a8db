//! An env for examples: requests by the short names of deployments, rows and events in a line. Whatever an
//! example does, it also checks that rows and counts equal the recount and that the events are sound.

use std::sync::Arc;

use super::generate::new_id;
use super::notation::{report, second, seconds};
use super::{Model, assert_sound};
use crate::counts::Counts;
use crate::decide::{Decision, Deployment, Outcome, Refusal, Request};
use crate::event::{Change, DeploymentRow, TimelineEntry, WorkflowRow};
use crate::id::DeploymentId;
use crate::report::Report;
use crate::status::{Kind, Standing};
use crate::time::Timestamp;

/// An env of the workflow `web` (or what a report names with `of:`), at a moment.
pub(crate) struct Scenario {
    pub(crate) model: Model,
    pub(crate) now: Timestamp,
    serial: u64,
}

impl Default for Scenario {
    /// Nobody has reported yet; it is the tenth second.
    fn default() -> Self {
        Self { model: Model::default(), now: second(10), serial: 0 }
    }
}

impl Scenario {
    /// A post of the deployment with this external id, by `ci` unless the line says otherwise.
    pub(crate) fn post(&mut self, name: &str, line: &str) -> Request {
        self.serial += 1;
        let said = report(line);
        let workflow = said.workflow.clone().or_else(|| "web".parse().ok());
        let source = said.source.clone().or_else(|| Some("ci".to_owned()));
        let report = Report { external_id: Some(name.to_owned()), source, workflow, ..said };
        Request::Post { report: Box::new(report), new_id: new_id(self.serial), key: None }
    }

    /// A patch of a deployment that exists, or did.
    pub(crate) fn patch(&self, name: &str, line: &str) -> Request {
        Request::Patch { id: self.id(name), report: Box::new(report(line)) }
    }

    /// Takes a group of requests.
    #[track_caller]
    pub(crate) fn take(&mut self, requests: &[Request]) -> Decision {
        let before = self.model.clone();
        let decision = self.model.take(requests, self.now);
        assert_sound(&before, &decision, &self.model);
        let (_, found) = self.model.check();
        assert!(found.is_empty(), "{found:#?}");
        decision
    }

    /// Takes one post a line, `name report…`, each in a group of its own, a second apart.
    #[track_caller]
    pub(crate) fn tell(&mut self, lines: &[&str]) {
        for line in lines {
            let (name, line) = line.split_once(' ').unwrap_or((line, ""));
            let request = self.post(name, line);
            self.now = self.now.plus_millis(1_000);
            let outcome = self.take(&[request]).outcomes.remove(0);
            assert!(outcome.is_ok(), "{line}: {outcome:?}");
        }
    }

    /// What one request comes to.
    #[track_caller]
    pub(crate) fn ask(&mut self, request: Request) -> Result<Outcome, Refusal> {
        self.take(&[request]).outcomes.remove(0)
    }

    /// The id of a deployment, living or deleted.
    pub(crate) fn id(&self, name: &str) -> DeploymentId {
        let living = self.model.deployments.values().map(|held| (&held.row.external_id, held.row.id));
        let gone = self.model.tombstones.iter().map(|((_, external_id), id)| (external_id, *id));
        living.chain(gone).find(|(of, _)| *of == name).map(|(_, id)| id).expect(name)
    }

    pub(crate) fn deployment(&self, name: &str) -> &Deployment {
        &self.model.deployments[&self.id(name)]
    }

    pub(crate) fn row(&self, name: &str) -> &DeploymentRow {
        &self.deployment(name).row
    }

    pub(crate) fn workflow(&self, slug: &str) -> Option<&Arc<WorkflowRow>> {
        self.model.workflows.get(&slug.parse().unwrap())
    }

    pub(crate) fn counts(&self) -> Counts {
        self.model.counts
    }

    /// What the chain says of a deployment, in a line: kind (`?` if inferred), standing, predecessor.
    pub(crate) fn judged(&self, name: &str) -> String {
        let row = self.row(name);
        let kind = match row.kind {
            Kind::Deploy => "deploy",
            Kind::Redeploy => "redeploy",
            Kind::Rollback => "rollback",
        };
        let mut line = format!("{kind}{}", if row.inferred { "?" } else { "" });
        line.extend(row.standing.map(Standing::as_str).map(|standing| format!(" {standing}")));
        line.extend(row.replaces.map(|id| format!(" after {}", self.model.deployments[&id].row.external_id)));
        line
    }

    /// Events in a line each, without their rows' contents.
    pub(crate) fn told(&self, decision: &Decision) -> Vec<String> {
        let name = |id: DeploymentId| {
            let living = self.model.deployments.get(&id).map(|held| held.row.external_id.clone());
            let gone = || self.model.tombstones.iter().find(|(_, gone)| **gone == id);
            living.or_else(|| gone().map(|((_, external_id), _)| external_id.clone())).unwrap()
        };
        let told = |change: &Change| match change {
            Change::DeploymentUpsert(upsert) => {
                let entries = upsert.entries.iter().map(entry).collect::<Vec<_>>();
                [vec![format!("upsert {}", name(upsert.deployment.id))], entries].concat().join(" | ")
            }
            Change::DeploymentProgress(told) => {
                format!("progress {} {:?}", name(told.id), told.progress.percent.unwrap_or_default())
            }
            Change::DeploymentDelete(delete) => format!("delete {}", name(delete.id)),
            Change::WorkflowUpsert(upsert) if upsert.workflow.latest.is_none() => {
                format!("workflow {} goes", upsert.workflow.id)
            }
            Change::WorkflowUpsert(upsert) => format!("workflow {}", upsert.workflow.id),
            Change::CountsUpdate(_) => "counts".to_owned(),
        };
        decision.events.iter().map(|event| told(&event.change)).collect()
    }
}

/// A timeline entry in a line: number, kind, what it says, and whether it was late.
pub(crate) fn entry(entry: &TimelineEntry) -> String {
    let kind = serde_json::to_value(entry.kind).unwrap();
    let mut line = format!("{} {}", entry.seq, kind.as_str().unwrap());
    line.extend(entry.status.as_ref().map(|status| format!(" {status}")));
    line.extend(entry.step.as_ref().map(|step| format!(" step:{}", step.name)));
    line.extend(entry.message.as_ref().map(|message| format!(" says:{message}")));
    let _ = std::fmt::Write::write_fmt(&mut line, format_args!(" @{}", seconds(entry.occurred_at)));
    line.extend(entry.late.then_some(" late"));
    line
}

/// An id that no deployment ever had.
pub(crate) fn unknown_id() -> DeploymentId {
    new_id(u64::MAX)
}
