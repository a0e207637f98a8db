//! What a group of requests does to an env: the rules, applied to values.
//!
//! The writer loads an [`EnvState`], calls [`decide`], and stores the [`Decision`] in one transaction.
//! Nothing here knows a database, a clock or a source of ids.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::counts::Counts;
use crate::deployment::{Fold, Success};
use crate::event::{
    Change, CountsUpdate, DeploymentDelete, DeploymentProgress, DeploymentRow, DeploymentUpsert, EntryKind,
    Event, Progress, TimelineEntry, WorkflowRow, WorkflowUpsert,
};
use crate::id::{DeploymentId, EventId, Slug};
use crate::report::{
    DEFAULT_SOURCE, Digest, MAX_EVENT_MESSAGE_CHARS, OWN_SOURCE, Report, ReportedProgress, Said,
    StoredReport, believed, cut,
};
use crate::status::{Kind, Status};
use crate::time::Timestamp;
use crate::workflow::{self, Brief, Link, Stretch};

/// A deployment with what is kept of it beside its row.
#[derive(Clone, PartialEq, Debug)]
pub struct Deployment {
    /// What everybody sees.
    pub row: Arc<DeploymentRow>,
    /// What is kept beside it.
    pub state: DeploymentState,
}

impl Deployment {
    /// The report tells at most how far it has come, of an attempt already known and not taken for lost:
    /// it is merged into the progress and not kept, and no other row depends on it.
    pub fn is_heartbeat(&self, report: &Report) -> bool {
        let fold = &self.state.fold;
        let attempt = report.attempt.or(fold.highest_attempt()).unwrap_or(1);
        report.is_only_progress() && fold.knows_attempt(attempt) && !fold.is_lost(attempt)
    }
}

/// What is kept of a deployment that nobody sees.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct DeploymentState {
    /// Its reports, folded.
    pub fold: Fold,
    /// Its progress as reported, before the rules of showing it.
    pub progress: KnownProgress,
    /// When it was last heard of, heartbeats and repeats included.
    pub last_heard_at: Timestamp,
    /// How many reports of it are stored.
    pub arrivals: u64,
    /// How many timeline entries it has.
    pub entries: u64,
    /// When its progress was last published on its own.
    pub progress_sent_at: Timestamp,
    /// What the last stored report of each attempt said.
    pub last_said: BTreeMap<u32, Digest>,
}

/// Progress of the highest attempt: the greatest percent, the latest phase and step.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct KnownProgress {
    attempt: u32,
    percent: Option<f64>,
    phase: Option<(Timestamp, String)>,
    step: Option<(Timestamp, String)>,
}

impl KnownProgress {
    fn absorb(&mut self, attempt: u32, at: Timestamp, told: &ReportedProgress) {
        if attempt < self.attempt {
            return;
        }
        if attempt > self.attempt {
            *self = Self { attempt, ..Self::default() };
        }
        self.percent = match (self.percent, told.percent) {
            (Some(known), Some(told)) => Some(known.max(told)),
            (known, told) => known.or(told),
        };
        let newer =
            |known: &Option<(Timestamp, String)>| known.as_ref().is_none_or(|(since, _)| *since <= at);
        if let Some(phase) = told.phase.clone().filter(|_| newer(&self.phase)) {
            self.phase = Some((at, phase));
        }
        if let Some(step) = told.step.clone().filter(|_| newer(&self.step)) {
            self.step = Some((at, step));
        }
    }

    /// As shown: 100 on success and only then.
    fn shown(&self, attempt: u32, status: Status) -> Progress {
        let known = (self.attempt == attempt).then_some(self);
        let percent = match status {
            Status::Success => Some(100.0),
            _ => known.and_then(|known| known.percent).map(|percent| percent.min(99.0)),
        };
        let text = |part: &Option<(Timestamp, String)>| part.as_ref().map(|(_, text)| text.clone());
        Progress {
            percent,
            phase: known.and_then(|known| text(&known.phase)),
            step: known.and_then(|known| text(&known.step)),
        }
    }
}

/// The part of a workflow that a group of requests touches.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct WorkflowState {
    /// Its row, if it has one.
    pub row: Option<Arc<WorkflowRow>>,
    /// Its newest deployments, newest first: [`workflow::RECENT`] and one for each deployment the group
    /// touches, or all.
    pub newest: Vec<Brief>,
    /// Its chain from the earliest moment the group tells of: of the deployments named, the beginning
    /// of each one's first attempt; of each report, when it is believed to have happened (the watchdog's:
    /// now). The model store in `model` spells it out.
    pub stretch: Stretch,
    /// Durations of its newest successes, newest first, at most [`workflow::EXPECTED_FROM`].
    pub durations: Vec<i64>,
}

/// What is known of a (source, external id).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Known {
    /// It is this deployment.
    As(DeploymentId),
    /// It was deleted.
    Deleted,
}

/// What an Idempotency-Key was used for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KeyUse {
    /// The request it came with.
    pub body: Digest,
    /// The deployment that request made or changed.
    pub deployment_id: DeploymentId,
}

/// The part of an env that a group of requests touches, as it stood before them.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct EnvState {
    /// The last event.
    pub head: EventId,
    /// The counts.
    pub counts: Counts,
    /// Every deployment a request names, and those it deletes.
    pub deployments: BTreeMap<DeploymentId, Deployment>,
    /// Every identity a request names that is known.
    pub identities: HashMap<(String, String), Known>,
    /// Every deployment a request names by id that was deleted.
    pub deleted: HashSet<DeploymentId>,
    /// Every Idempotency-Key a request brings that was used before.
    pub keys: HashMap<String, KeyUse>,
    /// Dated reports already stored that say what a request says: (deployment, attempt, digest).
    pub said: HashSet<(DeploymentId, u32, Digest)>,
    /// Every workflow of a deployment or report concerned.
    pub workflows: BTreeMap<Slug, WorkflowState>,
}

/// One request, as the writer hands it over.
#[derive(Clone, PartialEq, Debug)]
pub enum Request {
    /// A report that may create a deployment.
    Post {
        /// What it says.
        report: Box<Report>,
        /// The id of the deployment, should it be a new one.
        new_id: DeploymentId,
        /// Its Idempotency-Key and the digest of its body.
        key: Option<(String, Digest)>,
    },
    /// A report on a known deployment.
    Patch {
        /// Which one.
        id: DeploymentId,
        /// What it says.
        report: Box<Report>,
    },
    /// The watchdog's: nothing was heard of the deployment since `silent_since`.
    Lose {
        /// Which one.
        id: DeploymentId,
        /// Holds only if nothing was heard after this.
        silent_since: Timestamp,
    },
    /// The first bytes of a log have come.
    HasLog {
        /// Whose.
        id: DeploymentId,
    },
    /// Removes a deployment.
    Delete {
        /// Which one.
        id: DeploymentId,
    },
    /// Removes a workflow and all its deployments, which [`EnvState::deployments`] must hold.
    DeleteWorkflow {
        /// Which one.
        workflow: Slug,
    },
}

/// What a request came to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// It made this deployment.
    Created(DeploymentId),
    /// It was taken for this deployment; perhaps it said nothing new.
    Known(DeploymentId),
    /// What it named is gone.
    Deleted,
}

/// Why a request was not taken, in the domain's words.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Refusal {
    /// 404
    #[error("there is no such deployment in this environment")]
    UnknownDeployment,
    /// 404
    #[error("there is no such workflow in this environment")]
    UnknownWorkflow,
    /// 410
    #[error("this deployment was deleted; reports of it are no longer taken")]
    Gone,
    /// 422
    #[error("workflow: is needed on the first report of a deployment")]
    WorkflowMissing,
    /// 422
    #[error("workflow: this deployment is of workflow {0}, and stays of it")]
    OtherWorkflow(Slug),
    /// 422
    #[error("Idempotency-Key: was used with another request")]
    KeyReused,
    /// 422
    #[error("source: too many sources have reported an end of this attempt")]
    TooManySources,
}

/// All that a group of requests changes.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Decision {
    /// One for each request, in order.
    pub outcomes: Vec<Result<Outcome, Refusal>>,
    /// Reports to append.
    pub reports: Vec<(DeploymentId, StoredReport)>,
    /// Deployments to write, state and row.
    pub deployments: Vec<Deployment>,
    /// Rows to write whose kind, standing or predecessor changed by what became of others.
    pub neighbours: Vec<Arc<DeploymentRow>>,
    /// Deployments to remove, leaving tombstones.
    pub deleted: Vec<Arc<DeploymentRow>>,
    /// Workflow rows to write; one without a latest deployment is to be removed.
    pub workflows: Vec<Arc<WorkflowRow>>,
    /// Idempotency-Keys to remember.
    pub keys: Vec<(String, KeyUse)>,
    /// The counts after it.
    pub counts: Counts,
    /// The events, in order. Empty if nobody needs to know.
    pub events: Vec<Event>,
    /// The head after it.
    pub head: EventId,
}

/// Applies requests, in order, to an env as it stands at `now` (which never goes back within an env).
pub fn decide(state: EnvState, requests: &[Request], now: Timestamp) -> Decision {
    let mut work = Work::new(state, now);
    let outcomes = requests.iter().map(|request| work.apply(request)).collect();
    work.conclude(outcomes)
}

/// The group under way: the env's state, changed in place, and what it was before.
struct Work {
    state: EnvState,
    now: Timestamp,
    /// Rows as they stood before the group; `None` for those it created.
    before: BTreeMap<DeploymentId, Option<Arc<DeploymentRow>>>,
    /// Deployments that were made, removed, or of which a report was stored: their workflows are judged.
    stirred: BTreeSet<DeploymentId>,
    /// Entries that the group added to timelines.
    entries: BTreeMap<DeploymentId, Vec<TimelineEntry>>,
    /// Names that workflows were called by.
    names: BTreeMap<Slug, String>,
    deleted: Vec<Arc<DeploymentRow>>,
    reports: Vec<(DeploymentId, StoredReport)>,
    keys: Vec<(String, KeyUse)>,
}

impl Work {
    fn new(state: EnvState, now: Timestamp) -> Self {
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

    fn apply(&mut self, request: &Request) -> Result<Outcome, Refusal> {
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
            Request::Delete { id } => {
                self.known(*id)?;
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
            commit: crate::event::Commit::default(),
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
        stored.correction = before.is_some() && after != before;
        stored.late = !state.fold.is_decided_by(&stored);
        state.arrivals = stored.arrival;
        state.last_said.insert(stored.attempt, stored.digest.clone());
        if let Some(told) = &stored.progress {
            state.progress.absorb(stored.attempt, stored.occurred_at, told);
        }
        let entries = timeline_entries(&stored);
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

    /// Judges the chains, writes the rows anew, and numbers what changed.
    fn conclude(mut self, outcomes: Vec<Result<Outcome, Refusal>>) -> Decision {
        let touched: Vec<DeploymentId> = self.before.keys().copied().collect();
        for id in &touched {
            self.refresh(*id);
        }

        let mut neighbours: BTreeMap<DeploymentId, Arc<DeploymentRow>> = BTreeMap::new();
        let slugs = self.workflows_stirred();
        let mut workflows = Vec::with_capacity(slugs.len());
        for slug in slugs {
            let (row, changed) = self.judge(&slug);
            workflows.extend(row);
            neighbours.extend(changed.into_iter().map(|row| (row.id, row)));
        }

        let mut numbering = Numbering { head: self.state.head, ts: self.now, events: Vec::new() };
        let mut counts = self.state.counts;
        for row in &self.deleted {
            // What the group itself made and deleted was never counted.
            if matches!(self.before.get(&row.id), Some(Some(_))) {
                counts.move_deployment(Some(row.status), None);
                numbering.push(|_| Change::DeploymentDelete(DeploymentDelete { id: row.id }));
            }
        }
        let mut deployments = Vec::with_capacity(touched.len());
        for id in touched {
            let Some(mut deployment) = self.state.deployments.remove(&id) else { continue };
            let before = self.before.remove(&id).flatten();
            counts.move_deployment(before.as_ref().map(|row| row.status), Some(deployment.row.status));
            let entries = self.entries.remove(&id).unwrap_or_default();
            publish(&mut deployment, before.as_deref(), entries, &mut numbering);
            deployments.push(deployment);
        }
        for row in neighbours.values_mut() {
            let row = Arc::make_mut(row);
            row.updated_at = numbering.ts;
            numbering.push(|event_id| {
                row.event_id = event_id;
                let deployment = Arc::new(row.clone());
                Change::DeploymentUpsert(DeploymentUpsert { deployment, entries: Vec::new() })
            });
        }
        for (before, row) in &mut workflows {
            counts.move_workflow(before.as_deref(), Some(row));
            let row = Arc::make_mut(row);
            numbering.push(|event_id| {
                row.event_id = event_id;
                Change::WorkflowUpsert(WorkflowUpsert { workflow: Arc::new(row.clone()) })
            });
        }
        if counts != self.state.counts {
            numbering.push(|_| Change::CountsUpdate(CountsUpdate { counts }));
        }
        Decision {
            outcomes,
            reports: self.reports,
            deployments,
            neighbours: neighbours.into_values().collect(),
            deleted: self.deleted,
            workflows: workflows.into_iter().map(|(_, row)| row).collect(),
            keys: self.keys,
            counts,
            events: numbering.events,
            head: numbering.head,
        }
    }

    /// Writes a touched deployment's row anew from its fold, but for what the chain decides.
    fn refresh(&mut self, id: DeploymentId) {
        let Some(deployment) = self.state.deployments.get_mut(&id) else { return };
        let Some(folded) = deployment.state.fold.state() else { return };
        let row = Arc::make_mut(&mut deployment.row);
        if row.started_at.is_none() && folded.started_at.is_some() && row.expected_ms.is_none() {
            let workflow = self.state.workflows.get(&row.workflow_id);
            row.expected_ms = workflow.and_then(|workflow| workflow::expected_ms(&workflow.durations));
        }
        row.progress = deployment.state.progress.shown(folded.attempt, folded.status);
        row.attempt = folded.attempt;
        row.status = folded.status;
        row.created_at = folded.created_at;
        row.queued_at = folded.queued_at;
        row.started_at = folded.started_at;
        row.finished_at = folded.finished_at;
        let details = folded.details;
        row.inferred = details.kind.is_none();
        row.kind = details.kind.unwrap_or(row.kind);
        row.reason = details.reason;
        row.version = details.version;
        row.commit = details.commit;
        row.actor = details.actor;
        row.url = details.url;
        row.logs_url = details.logs_url;
        row.message = details.message.map(|message| cut(&message, MAX_EVENT_MESSAGE_CHARS).to_owned());
    }

    fn workflows_stirred(&self) -> BTreeSet<Slug> {
        let living = self.stirred.iter().filter_map(|id| self.state.deployments.get(id));
        let living = living.map(|deployment| deployment.row.workflow_id.clone());
        living.chain(self.deleted.iter().map(|row| row.workflow_id.clone())).collect()
    }

    /// Judges one workflow's chain. Gives its row (with the one before) if it changed, and the rows of
    /// other deployments that changed; those the group touches are changed in place.
    #[allow(clippy::type_complexity, reason = "used once, right above")]
    fn judge(
        &mut self,
        slug: &Slug,
    ) -> (Option<(Option<Arc<WorkflowRow>>, Arc<WorkflowRow>)>, Vec<Arc<DeploymentRow>>) {
        let mut workflow = self.state.workflows.remove(slug).unwrap_or_default();
        let is_stirred = |id: &DeploymentId| self.stirred.contains(id);
        let stirred: Vec<&Deployment> = self
            .stirred
            .iter()
            .filter_map(|id| self.state.deployments.get(id))
            .filter(|deployment| deployment.row.workflow_id == *slug)
            .collect();

        let stretch = &mut workflow.stretch;
        stretch.links.retain(|link| !is_stirred(&link.row.id));
        stretch.links.extend(stirred.iter().map(|deployment| link_of(deployment)));
        stretch.sort();

        workflow.newest.retain(|brief| !is_stirred(&brief.id));
        workflow.newest.extend(stirred.iter().map(|deployment| Brief::of(&deployment.row)));
        workflow.newest.sort_by_key(|brief| Reverse((brief.created_at, brief.id)));

        let was_active = |row: &Option<Arc<DeploymentRow>>| {
            row.as_ref().is_some_and(|row| row.workflow_id == *slug && row.status.is_active())
        };
        let known = workflow.row.as_ref().map_or(0, |row| row.active);
        let before = self.stirred.iter().filter_map(|id| self.before.get(id));
        let stopped = before.filter(|row| was_active(row)).count() as u64;
        let started = stirred.iter().filter(|deployment| deployment.row.status.is_active()).count() as u64;
        let active = (known + started).saturating_sub(stopped);

        let name = self.names.remove(slug).or_else(|| workflow.row.as_ref().map(|row| row.name.clone()));
        let name = name.unwrap_or_else(|| slug.to_string());
        let mut row = workflow::row(slug.clone(), name, &workflow.newest, active, stretch.last());
        row.event_id = workflow.row.as_ref().map_or(EventId(0), |row| row.event_id);

        let mut changed = Vec::new();
        for (link, verdict) in stretch.verdicts() {
            let judged = |row: &mut DeploymentRow| {
                row.kind = verdict.kind;
                row.inferred = verdict.inferred;
                row.standing = verdict.standing;
                row.replaces = verdict.replaces;
            };
            if let Some(deployment) = self.state.deployments.get_mut(&link.row.id)
                && self.before.contains_key(&link.row.id)
            {
                judged(Arc::make_mut(&mut deployment.row));
                continue;
            }
            let DeploymentRow { kind, inferred, standing, replaces, .. } = *link.row;
            if (kind, inferred, standing, replaces)
                != (verdict.kind, verdict.inferred, verdict.standing, verdict.replaces)
            {
                let mut row = (*link.row).clone();
                judged(&mut row);
                changed.push(Arc::new(row));
            }
        }
        // What the group itself made and deleted leaves no row, and none has to go.
        let is_seen = workflow.row.is_some() || row.latest.is_some();
        let is_new = is_seen && workflow.row.as_deref() != Some(&row);
        (is_new.then(|| (workflow.row, Arc::new(row))), changed)
    }
}

fn link_of(deployment: &Deployment) -> Link {
    let folded = deployment.state.fold.state();
    let success: Option<Success> = folded.as_ref().and_then(|folded| folded.success);
    Link {
        row: deployment.row.clone(),
        success_at: success.map(|success| success.finished_at),
        removed: folded.is_some_and(|folded| folded.removed),
    }
}

/// Hands out event ids, without a gap.
struct Numbering {
    head: EventId,
    ts: Timestamp,
    events: Vec<Event>,
}

impl Numbering {
    fn push(&mut self, change: impl FnOnce(EventId) -> Change) {
        self.head = self.head.next();
        let event_id = self.head;
        self.events.push(Event { event_id, ts: self.ts, change: change(event_id) });
    }
}

/// Numbers a touched deployment's change: an upsert, only its progress, or nothing at all.
fn publish(
    deployment: &mut Deployment,
    before: Option<&DeploymentRow>,
    entries: Vec<TimelineEntry>,
    numbering: &mut Numbering,
) {
    let now = numbering.ts;
    let row = Arc::make_mut(&mut deployment.row);
    if before.is_some_and(|before| before == row) && entries.is_empty() {
        return;
    }
    row.updated_at = now;
    let only_progress = entries.is_empty()
        && before.is_some_and(|before| {
            let (progress, updated_at) = (before.progress.clone(), before.updated_at);
            DeploymentRow { progress, updated_at, ..row.clone() } == *before
        });
    numbering.push(|event_id| {
        row.event_id = event_id;
        if only_progress {
            let DeploymentRow { id, attempt, updated_at, .. } = *row;
            let progress = row.progress.clone();
            return Change::DeploymentProgress(DeploymentProgress { id, attempt, progress, updated_at });
        }
        let entries = entries.into_iter().map(TimelineEntry::for_event).collect();
        Change::DeploymentUpsert(DeploymentUpsert { deployment: Arc::new(row.clone()), entries })
    });
    if only_progress {
        deployment.state.progress_sent_at = now;
    }
}

/// The timeline entries a stored report makes: one for its status, one for its step; a note where it
/// has neither and yet says something.
pub fn timeline_entries(report: &StoredReport) -> Vec<TimelineEntry> {
    let mut entries = Vec::with_capacity(2);
    let mut push = |kind, status: Option<String>, step, message: Option<String>| {
        entries.push(TimelineEntry {
            seq: report.first_entry + entries.len() as u64,
            kind,
            status,
            attempt: report.attempt,
            step,
            message,
            source: report.source.clone(),
            actor: report.details.actor.clone(),
            occurred_at: report.occurred_at,
            received_at: report.received_at,
            late: report.late,
        });
    };
    let message = report.details.message.clone();
    if let Some(said) = &report.status {
        let (word, message) = match said {
            Said::Status(status) => (status.as_str(), message.clone()),
            Said::Removed => ("removed", message.clone()),
            // What was really said is nowhere else to be seen.
            Said::Unmapped(word) => ("unmapped", message.clone().or_else(|| Some(word.clone()))),
        };
        let kind = if report.correction { EntryKind::Correction } else { EntryKind::Status };
        push(kind, Some(word.to_owned()), None, message);
    }
    if let Some(step) = &report.step {
        let message = if report.status.is_none() { message } else { None };
        push(EntryKind::Step, step.status.clone(), Some(step.clone()), message);
    } else if report.status.is_none() && message.is_some() {
        push(EntryKind::Note, None, None, message);
    }
    entries
}

#[cfg(test)]
mod tests;
