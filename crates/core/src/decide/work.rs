//! Takes requests in, one by one: resolves what they mean, recognises repeats, folds reports.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{Deployment, DeploymentState, EnvState, KeyUse, Known, Outcome, Refusal, Request};
use crate::deployment::Folded;
use crate::event::{Commit, DeploymentRow, Progress, TimelineEntry, WorkflowRow};
use crate::id::{DeploymentId, EventId, Slug};
use crate::report::{DEFAULT_SOURCE, Digest, OWN_SOURCE, Report, Said, StoredReport, believed};
use crate::status::{Kind, Status};
use crate::time::Timestamp;
use crate::timeline;

/// The group under way: the env's state, changed in place, and what it was before.
pub(super) struct Work {
    pub(super) state: EnvState,
    pub(super) now: Timestamp,
    /// Rows as they stood before the group; `None` for those it created.
    pub(super) before: BTreeMap<DeploymentId, Option<Arc<DeploymentRow>>>,
    /// Deployments that were made, removed, or of which a report was stored: their workflows are judged.
    pub(super) stirred: BTreeSet<DeploymentId>,
    /// Entries that the group added to timelines.
    pub(super) entries: BTreeMap<DeploymentId, Vec<TimelineEntry>>,
    /// Names that workflows were called by.
    pub(super) names: BTreeMap<Slug, String>,
    pub(super) deleted: Vec<Arc<DeploymentRow>>,
    pub(super) reports: Vec<(DeploymentId, StoredReport)>,
    pub(super) keys: Vec<(String, KeyUse)>,
}

impl Work {
    pub(super) fn new(state: EnvState, now: Timestamp) -> Self {
        Self {
            state,
            now,
            before: BTreeMap::new(),
            stirred: BTreeSet::new(),
            entries: BTreeMap::new(),
            names: BTreeMap::new(),
            deleted: Vec::new(),
            reports: Vec::new(),
            keys: Vec::new(),
        }
    }

    pub(super) fn apply(&mut self, request: &Request) -> Result<Outcome, Refusal> {
        match request {
            Request::Post { report, new_id, key } => self.post(report, *new_id, key.as_ref()),
            Request::Patch { id, report } => {
                self.known(*id)?;
                self.report(*id, report).map(|()| Outcome::Known(*id))
            }
            Request::Lose { id, silent_since } => self.lose(*id, *silent_since),
            Request::HasLog { id } => {
                self.known(*id)?;
                let deployment = self.touch(*id);
                Arc::make_mut(&mut deployment.row).has_log = true;
                Ok(Outcome::Known(*id))
            }
            Request::Settle { id } => {
                self.known(*id)?;
                self.touch(*id);
                Ok(Outcome::Known(*id))
            }
            Request::Delete { id } => {
                self.known(*id)?;
                self.delete(*id);
                Ok(Outcome::Deleted)
            }
            Request::Expire { id, made_before } => {
                self.known(*id)?;
                if self.is_kept(*id, *made_before) {
                    return Ok(Outcome::Known(*id));
                }
                self.delete(*id);
                Ok(Outcome::Deleted)
            }
            Request::DeleteWorkflow { workflow } => {
                let of_it = |deployment: &&Deployment| deployment.row.workflow_id == *workflow;
                let ids: Vec<_> = self
                    .state
                    .deployments
                    .values()
                    .filter(of_it)
                    .map(|deployment| deployment.row.id)
                    .collect();
                if ids.is_empty() {
                    return Err(Refusal::UnknownWorkflow);
                }
                for id in ids {
                    self.delete(id);
                }
                Ok(Outcome::Deleted)
            }
        }
    }

    fn known(&self, id: DeploymentId) -> Result<(), Refusal> {
        match self.state.deployments.contains_key(&id) {
            true => Ok(()),
            false if self.state.deleted.contains(&id) => Err(Refusal::Gone),
            false => Err(Refusal::UnknownDeployment),
        }
    }

    /// The deployment, about to change: its row is remembered as it was.
    fn touch(&mut self, id: DeploymentId) -> &mut Deployment {
        let deployment = self.state.deployments.get_mut(&id).expect("callers have found it");
        self.before.entry(id).or_insert_with(|| Some(deployment.row.clone()));
        deployment
    }

    fn post(
        &mut self,
        report: &Report,
        new_id: DeploymentId,
        key: Option<&(String, Digest)>,
    ) -> Result<Outcome, Refusal> {
        if let Some((key, body)) = key
            && let Some(used) = self.state.keys.get(key)
        {
            if used.body != *body {
                return Err(Refusal::KeyReused);
            }
            let id = used.deployment_id;
            self.known(id)?;
            self.touch(id).state.last_heard_at = self.now;
            return Ok(Outcome::Known(id));
        }
        let source = report.source.clone().unwrap_or_else(|| DEFAULT_SOURCE.to_owned());
        let external_id = report.external_id.clone().unwrap_or_else(|| new_id.to_string());
        let identity = (source, external_id);
        let outcome = match self.state.identities.get(&identity) {
            Some(Known::Deleted) => return Err(Refusal::Gone),
            Some(Known::As(id)) => {
                let id = *id;
                self.report(id, report)?;
                Outcome::Known(id)
            }
            None => {
                let workflow = report.workflow.clone().ok_or(Refusal::WorkflowMissing)?;
                self.create(new_id, workflow, identity);
                self.report(new_id, report)?;
                Outcome::Created(new_id)
            }
        };
        if let (Some((key, body)), Outcome::Created(id) | Outcome::Known(id)) = (key, &outcome) {
            let used = KeyUse { body: body.clone(), deployment_id: *id };
            self.state.keys.insert(key.clone(), used.clone());
            self.keys.push((key.clone(), used));
        }
        Ok(outcome)
    }

    fn create(&mut self, id: DeploymentId, workflow: Slug, identity: (String, String)) {
        let (source, external_id) = identity.clone();
        let row = DeploymentRow {
            id,
            workflow_id: workflow,
            source,
            external_id,
            attempt: 1,
            kind: Kind::Deploy,
            inferred: true,
            status: Status::Queued,
            standing: None,
            reason: None,
            version: None,
            commit: Commit::default(),
            actor: None,
            url: None,
            logs_url: None,
            has_log: false,
            progress: Progress::default(),
            message: None,
            created_at: self.now,
            queued_at: None,
            started_at: None,
            finished_at: None,
            updated_at: self.now,
            expected_ms: None,
            replaces: None,
            event_id: EventId(0),
        };
        self.before.insert(id, None);
        self.state.identities.insert(identity, Known::As(id));
        let deployment = Deployment { row: Arc::new(row), state: DeploymentState::default() };
        self.state.deployments.insert(id, deployment);
    }

    /// Takes one report of a deployment that exists.
    fn report(&mut self, id: DeploymentId, report: &Report) -> Result<(), Refusal> {
        let now = self.now;
        let deployment = &self.state.deployments[&id];
        let workflow = deployment.row.workflow_id.clone();
        if report.workflow.as_ref().is_some_and(|named| *named != workflow) {
            return Err(Refusal::OtherWorkflow(workflow));
        }
        let fold = &deployment.state.fold;
        let attempt = report.attempt.or(fold.highest_attempt()).unwrap_or(1);
        let source = report.source.clone().unwrap_or_else(|| deployment.row.source.clone());
        if matches!(report.status, Some(Said::Status(status)) if status.is_terminal())
            && fold.has_enough_ends(attempt, &source)
        {
            return Err(Refusal::TooManySources);
        }
        if let Some(name) = &report.workflow_name {
            self.names.insert(workflow, name.clone());
        }
        let digest = Report { source: Some(source.clone()), ..report.clone() }.digest();
        let repeat = self.is_repeat(id, report, attempt, &digest);
        let deployment = self.touch(id);
        deployment.state.last_heard_at = now;
        if repeat {
            return Ok(());
        }
        let occurred_at = believed(report.occurred_at, now);
        if deployment.is_heartbeat(report) {
            if let Some(told) = &report.progress {
                deployment.state.progress.absorb(attempt, occurred_at, told);
            }
            return Ok(());
        }
        let arrival = deployment.state.arrivals + 1;
        let stored = StoredReport {
            arrival,
            received_at: now,
            occurred_at,
            sequence: report.sequence.unwrap_or(arrival as i64),
            attempt,
            source,
            status: report.status.clone(),
            details: report.details.clone(),
            progress: report.progress.clone(),
            step: report.step.clone(),
            late: false,
            correction: false,
            first_entry: deployment.state.entries + 1,
            digest,
            dated: report.occurred_at.is_some(),
        };
        self.store(id, stored);
        Ok(())
    }

    fn is_repeat(&self, id: DeploymentId, report: &Report, attempt: u32, digest: &Digest) -> bool {
        if report.occurred_at.is_none() {
            return self.state.deployments[&id].state.last_said.get(&attempt) == Some(digest);
        }
        let said = |attempt: u32| self.state.said.contains(&(id, attempt, digest.clone()));
        match report.attempt {
            Some(attempt) => said(attempt),
            None => self.state.deployments[&id].state.last_said.keys().any(|attempt| said(*attempt)),
        }
    }

    /// Folds a report in and keeps it.
    fn store(&mut self, id: DeploymentId, mut stored: StoredReport) {
        let deployment = self.touch(id);
        let state = &mut deployment.state;
        let before = state.fold.end_of(stored.attempt);
        state.fold.absorb(&stored);
        let after = state.fold.end_of(stored.attempt);
        // The same end told again, by another event of the same source, corrects nothing.
        let word = |end: Option<(Timestamp, Status)>| end.map(|(_, status)| status);
        stored.correction = before.is_some() && word(after) != word(before);
        stored.late = state.fold.is_late(&stored);
        state.arrivals = stored.arrival;
        state.last_said.insert(stored.attempt, stored.digest.clone());
        if let Some(told) = &stored.progress {
            state.progress.absorb(stored.attempt, stored.occurred_at, told);
        }
        let entries = timeline::entries(&stored);
        state.entries += entries.len() as u64;
        if stored.dated {
            self.state.said.insert((id, stored.attempt, stored.digest.clone()));
        }
        self.stirred.insert(id);
        self.entries.entry(id).or_default().extend(entries);
        self.reports.push((id, stored));
    }

    fn lose(&mut self, id: DeploymentId, silent_since: Timestamp) -> Result<Outcome, Refusal> {
        self.known(id)?;
        let now = self.now;
        let deployment = &self.state.deployments[&id];
        let folded = deployment.state.fold.state();
        let active = folded.as_ref().is_some_and(|folded| folded.status.is_active());
        if !active || deployment.state.last_heard_at > silent_since {
            return Ok(Outcome::Known(id));
        }
        let arrival = deployment.state.arrivals + 1;
        let report = Report { status: Some(Said::Status(Status::Lost)), ..Report::default() };
        let stored = StoredReport {
            arrival,
            received_at: now,
            occurred_at: now,
            sequence: arrival as i64,
            attempt: folded.map_or(1, |folded| folded.attempt),
            source: OWN_SOURCE.to_owned(),
            digest: report.digest(),
            status: report.status,
            details: report.details,
            progress: None,
            step: None,
            late: false,
            correction: false,
            first_entry: deployment.state.entries + 1,
            dated: false,
        };
        self.store(id, stored);
        Ok(Outcome::Known(id))
    }

    /// It is too young to expire, under way, or what its workflow's row tells of. What the others of the group make of
    /// that row is not known yet: then it is kept until the next look.
    fn is_kept(&self, id: DeploymentId, made_before: Timestamp) -> bool {
        let deployments = &self.state.deployments;
        let deployment = &deployments[&id];
        let is_young = |folded: Folded| folded.status.is_active() || folded.created_at >= made_before;
        let workflow = &deployment.row.workflow_id;
        let row = self.state.workflows.get(workflow).and_then(|workflow| workflow.row.as_ref());
        let is_told_of = |row: &Arc<WorkflowRow>| {
            row.latest.as_ref().is_some_and(|latest| latest.deployment_id == id)
                || row.current.as_ref().is_some_and(|current| current.deployment_id == id)
        };
        deployment.state.fold.state().is_none_or(is_young)
            || row.is_none_or(is_told_of)
            || self.stirred.iter().any(|stirred| {
                deployments.get(stirred).is_some_and(|stirred| stirred.row.workflow_id == *workflow)
            })
    }

    fn delete(&mut self, id: DeploymentId) {
        self.touch(id);
        let Some(deployment) = self.state.deployments.remove(&id) else { return };
        // Made and deleted within one group: nobody has seen it, but its identity is spoken for.
        let row = match self.before.get(&id) {
            Some(Some(row)) => row.clone(),
            _ => deployment.row,
        };
        self.state.identities.insert((row.source.clone(), row.external_id.clone()), Known::Deleted);
        self.state.deleted.insert(id);
        self.stirred.insert(id);
        self.entries.remove(&id);
        self.reports.retain(|(of, _)| *of != id);
        self.deleted.push(row);
    }
}
