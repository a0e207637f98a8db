//! The model store: an env kept in plain maps, loaded for [`decide`] exactly as the real store must load
//! it. It is the executable specification of the SQL behind [`EnvState`]; what is not handed over here,
//! `decide` does not need. Concurrency, tenants and trimming of the log are absent on purpose.

#![allow(clippy::unwrap_used, reason = "of tests, and of what fuzzing plays on")]
#![cfg_attr(not(test), allow(dead_code, reason = "fuzzing plays reports and nothing else"))]

#[cfg(test)]
mod coverage;
#[cfg(test)]
mod generate;
#[cfg(test)]
pub(crate) mod notation;
#[cfg(test)]
mod properties;
#[cfg(test)]
pub(crate) mod scenario;
#[cfg(test)]
mod vectors;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use crate::board::Loaded;
use crate::counts::Counts;
use crate::decide::{Decision, Deployment, EnvState, KeyUse, Known, Request, WorkflowState, decide};
use crate::event::{Change, DeploymentRow, Event, WorkflowRow};
use crate::id::{DeploymentId, EventId, Slug};
use crate::recount::{Recount, Subject, differences, recount};
use crate::report::{DEFAULT_SOURCE, Report, StoredReport, believed};
use crate::time::Timestamp;
use crate::workflow::{Brief, EXPECTED_FROM, Link, RECENT, Stretch};

/// An env at rest: what tables would hold of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Model {
    head: EventId,
    counts: Counts,
    deployments: BTreeMap<DeploymentId, Deployment>,
    reports: BTreeMap<DeploymentId, Vec<StoredReport>>,
    tombstones: HashMap<(String, String), DeploymentId>,
    keys: HashMap<String, KeyUse>,
    workflows: BTreeMap<Slug, Arc<WorkflowRow>>,
    log: Vec<Event>,
    /// What the machine's clock says, if it is not what receipts say.
    pub(crate) machine_time: Option<Timestamp>,
}

/// Who a report is about, as a post names it.
fn identity(report: &Report, new_id: DeploymentId) -> (String, String) {
    let source = report.source.clone().unwrap_or_else(|| DEFAULT_SOURCE.to_owned());
    (source, report.external_id.clone().unwrap_or_else(|| new_id.to_string()))
}

/// A stored deployment as a link of its chain. A store keeps `success_at`, the success's duration and
/// `removed` as columns beside the row, written with it, so that a link needs no fold.
fn link(deployment: &Deployment) -> Link {
    let folded = deployment.state.fold.state().expect("a stored deployment has reports");
    Link {
        row: deployment.row.clone(),
        success_at: folded.success.map(|success| success.finished_at),
        removed: folded.removed,
    }
}

impl Model {
    fn id_of(&self, identity: &(String, String)) -> Option<DeploymentId> {
        let is_it = |row: &DeploymentRow| (&row.source, &row.external_id) == (&identity.0, &identity.1);
        self.deployments.values().find(|deployment| is_it(&deployment.row)).map(|held| held.row.id)
    }

    /// The deployment a request names, living or not: by identity, by Idempotency-Key, or by id.
    fn named(&self, request: &Request) -> Vec<DeploymentId> {
        match request {
            Request::Post { report, new_id, key } => {
                let by_key = key.as_ref().and_then(|(key, _)| self.keys.get(key));
                // A key that is known decides alone; loading what the identity names as well does no harm.
                let by_key = by_key.map(|used| used.deployment_id);
                by_key.into_iter().chain(self.id_of(&identity(report, *new_id))).collect()
            }
            Request::Patch { id, .. }
            | Request::Lose { id, .. }
            | Request::HasLog { id }
            | Request::Settle { id }
            | Request::Delete { id }
            | Request::Expire { id, .. } => vec![*id],
            Request::DeleteWorkflow { workflow } => {
                let of_it = self.deployments.values().filter(|held| held.row.workflow_id == *workflow);
                of_it.map(|held| held.row.id).collect()
            }
        }
    }

    /// The part of the env that these requests touch.
    fn load(&self, requests: &[Request], now: Timestamp) -> EnvState {
        let mut state = EnvState {
            head: self.head,
            counts: self.counts,
            machine_time: self.machine_time,
            ..EnvState::default()
        };
        // Per workflow: the earliest moment the group tells of it. Nothing before it can change.
        let mut low: BTreeMap<Slug, Timestamp> = BTreeMap::new();
        let mut lower = |workflow: &Slug, at: Timestamp| {
            let low = low.entry(workflow.clone()).or_insert(at);
            *low = at.min(*low);
        };
        let mut anywhere = Timestamp::from_millis(i64::MAX);
        // Workflows that may have to be judged. Signs of life alone change no row but their own.
        let mut stirred: BTreeSet<Slug> = BTreeSet::new();
        // Versions the group may bring into a chain, beside those of the links themselves.
        let mut versions: BTreeSet<String> = BTreeSet::new();

        for request in requests {
            let named = self.named(request);
            for id in &named {
                let Some(deployment) = self.deployments.get(id) else {
                    // Named by id or by key, and gone.
                    if self.tombstones.values().any(|gone| gone == id) {
                        state.deleted.insert(*id);
                    }
                    continue;
                };
                // 1: every place it has or had: no attempt of it began before this.
                let workflow = &deployment.row.workflow_id;
                lower(workflow, deployment.row.created_at);
                lower(workflow, deployment.state.fold.earliest().expect("a stored deployment has reports"));
                state.deployments.insert(*id, deployment.clone());
            }
            let (Request::Post { report, .. } | Request::Patch { report, .. }) = request else {
                let held = named.iter().filter_map(|id| self.deployments.get(id));
                let theirs: BTreeSet<Slug> = held.map(|held| held.row.workflow_id.clone()).collect();
                // A watchdog's report happens at its receipt, and that may be before what it is about: a
                // source's clock may be ahead.
                if matches!(request, Request::Lose { .. }) {
                    for workflow in &theirs {
                        lower(workflow, now);
                    }
                }
                if !matches!(request, Request::HasLog { .. } | Request::Settle { .. }) {
                    stirred.extend(theirs);
                }
                continue;
            };
            versions.extend(report.details.version.clone());
            // 2: every place it may get: where the report says it happened. A report takes no deployment
            // to another workflow, so it concerns the one it names and those of what it names. One that
            // names neither may be about what another request of this very group makes: it may concern
            // any of them.
            let at = believed(report.occurred_at, now);
            let theirs = named.iter().filter_map(|id| self.deployments.get(id));
            let theirs = theirs.map(|held| &held.row.workflow_id).chain(&report.workflow);
            let theirs: BTreeSet<Slug> = theirs.cloned().collect();
            if theirs.is_empty() {
                anywhere = anywhere.min(at);
            }
            // The moment of a sign of life counts too, where the workflow is judged for another reason: if
            // the same group takes its deployment for lost before, it is kept after all.
            for workflow in &theirs {
                lower(workflow, at);
            }
            let held = || named.iter().filter_map(|id| self.deployments.get(id));
            if held().next().is_none() || held().any(|held| !held.is_heartbeat(report)) {
                stirred.extend(theirs);
            }
            if let Request::Post { new_id, key, .. } = request {
                let identity = identity(report, *new_id);
                if let Some(id) = self.id_of(&identity) {
                    state.identities.insert(identity, Known::As(id));
                } else if self.tombstones.contains_key(&identity) {
                    state.identities.insert(identity, Known::Deleted);
                }
                if let Some((key, used)) = key.as_ref().and_then(|(key, _)| self.keys.get_key_value(key)) {
                    state.keys.insert(key.clone(), used.clone());
                }
            }
            // The digest is over the report with the source it will have: its own, else the deployment's.
            for id in &named {
                let Some(held) = self.deployments.get(id) else { continue };
                let source = report.source.clone().unwrap_or_else(|| held.row.source.clone());
                let digest = Report { source: Some(source), ..(**report).clone() }.digest();
                let same = self.reports[id].iter().filter(|stored| stored.dated && stored.digest == digest);
                state.said.extend(same.map(|stored| (*id, stored.attempt, digest.clone())));
            }
        }
        for (workflow, low) in low.into_iter().filter(|(workflow, _)| stirred.contains(workflow)) {
            let low = low.min(anywhere);
            let loaded =
                self.load_workflow(&workflow, low, &versions, state.deployments.len() + requests.len());
            state.workflows.insert(workflow, loaded);
        }
        state
    }

    /// One workflow from `low` on.
    fn load_workflow(
        &self,
        slug: &Slug,
        low: Timestamp,
        versions: &BTreeSet<String>,
        touched: usize,
    ) -> WorkflowState {
        let of_it = || self.deployments.values().filter(|held| held.row.workflow_id == *slug);
        let mut chain: Vec<(Link, Option<i64>)> = of_it()
            .map(|held| (link(held), held.state.fold.state().and_then(|it| it.success?.duration_ms)))
            .collect();
        chain.sort_by(|(a, _), (b, _)| a.place().cmp(&b.place()));

        let links: Vec<Link> =
            chain.iter().map(|(link, _)| link).filter(|link| link.place().0 >= low).cloned().collect();
        let earlier = || {
            let successes = chain.iter().map(|(link, _)| link);
            successes.filter(move |link| link.success_at.is_some_and(|at| at < low))
        };
        let told: BTreeSet<&String> =
            versions.iter().chain(links.iter().filter_map(|link| link.row.version.as_ref())).collect();
        let seen = earlier().filter_map(|link| link.row.version.as_ref());
        let seen = seen.filter(|version| told.contains(version)).cloned().collect();

        let mut newest: Vec<Brief> = of_it().map(|held| Brief::of(&held.row)).collect();
        newest.sort_by_key(|brief| std::cmp::Reverse((brief.created_at, brief.id)));
        newest.truncate(RECENT + touched);

        let successes = chain.iter().rev().filter(|(link, _)| link.success_at.is_some());
        let durations = successes.filter_map(|(_, duration_ms)| *duration_ms).take(EXPECTED_FROM).collect();
        WorkflowState {
            row: self.workflows.get(slug).cloned(),
            newest,
            stretch: Stretch { before: earlier().next_back().cloned(), seen, links },
            durations,
        }
    }

    /// Loads, decides, and keeps what was decided, as a transaction would.
    pub(crate) fn take(&mut self, requests: &[Request], now: Timestamp) -> Decision {
        let decision = decide(self.load(requests, now), requests, now);
        self.keep(&decision);
        decision
    }

    fn keep(&mut self, decision: &Decision) {
        for deployment in &decision.deployments {
            // Through JSON, as the database keeps it.
            let state = serde_json::to_string(&deployment.state).unwrap();
            let row = serde_json::to_string(&deployment.row).unwrap();
            let deployment = Deployment {
                row: Arc::new(serde_json::from_str(&row).unwrap()),
                state: serde_json::from_str(&state).unwrap(),
            };
            self.deployments.insert(deployment.row.id, deployment);
        }
        for row in &decision.neighbours {
            let held = self.deployments.get_mut(&row.id).expect("a neighbour is stored");
            held.row = row.clone();
        }
        for (id, report) in &decision.reports {
            self.reports.entry(*id).or_default().push(report.clone());
        }
        for row in &decision.deleted {
            self.deployments.remove(&row.id);
            self.reports.remove(&row.id);
            self.tombstones.insert((row.source.clone(), row.external_id.clone()), row.id);
        }
        for row in &decision.workflows {
            match row.latest {
                Some(_) => self.workflows.insert(row.id.clone(), row.clone()),
                None => self.workflows.remove(&row.id),
            };
        }
        self.keys.extend(decision.keys.iter().cloned());
        self.counts = decision.counts;
        self.log.extend(decision.events.iter().cloned());
        self.head = decision.head;
    }

    fn subjects(&self) -> Vec<Subject> {
        let subject = |held: &Deployment| Subject {
            id: held.row.id,
            workflow: held.row.workflow_id.clone(),
            source: held.row.source.clone(),
            external_id: held.row.external_id.clone(),
            reports: self.reports.get(&held.row.id).cloned().unwrap_or_default(),
        };
        self.deployments.values().map(subject).collect()
    }

    /// What `shipboard check` would say.
    pub(crate) fn check(&self) -> (Recount, Vec<String>) {
        let recount = recount(&self.subjects());
        let rows = self.deployments.values().map(|held| &*held.row);
        let found = differences(&recount, rows, self.workflows.values().map(|row| &**row), &self.counts);
        (recount, found)
    }

    /// What is stored, deployment by deployment.
    pub(crate) fn stored(&self) -> impl Iterator<Item = &Vec<StoredReport>> {
        self.reports.values()
    }

    /// All deployments, in the page's order.
    fn deployments_in_order(&self) -> Vec<Arc<DeploymentRow>> {
        let mut rows: Vec<_> = self.deployments.values().map(|held| held.row.clone()).collect();
        rows.sort_by_key(|row| std::cmp::Reverse((row.created_at, row.id)));
        rows
    }

    /// All workflows, in the page's order.
    fn workflows_in_order(&self) -> Vec<Arc<WorkflowRow>> {
        let mut rows: Vec<_> = self.workflows.values().cloned().collect();
        let at = |row: &WorkflowRow| row.latest.as_ref().map(|latest| latest.at);
        rows.sort_by(|a, b| at(b).cmp(&at(a)).then_with(|| a.id.cmp(&b.id)));
        rows
    }

    /// What a board of these capacities is loaded from: as many rows, and one to know of more.
    fn loaded(&self, deployments: usize, workflows: usize) -> Loaded {
        Loaded {
            event_id: self.head,
            counts: self.counts,
            deployments: self.deployments_in_order().into_iter().take(deployments + 1).collect(),
            workflows: self.workflows_in_order().into_iter().take(workflows + 1).collect(),
        }
    }
}

/// What must hold of any decision, whatever was asked.
pub(crate) fn assert_sound(before: &Model, decision: &Decision, after: &Model) {
    let ids: Vec<u64> = decision.events.iter().map(|event| event.event_id.0).collect();
    let wanted: Vec<u64> = (before.head.0 + 1..=decision.head.0).collect();
    assert_eq!(ids, wanted, "event ids are gapless and end at the head");

    let counts = decision.events.iter().position(|event| matches!(event.change, Change::CountsUpdate(_)));
    assert!(counts.is_none_or(|at| at + 1 == ids.len()), "counts.update comes once and last");
    assert_eq!(counts.is_some(), before.counts != decision.counts, "counts.update comes if they changed");

    let mut told: BTreeSet<DeploymentId> = BTreeSet::new();
    for event in &decision.events {
        match &event.change {
            Change::DeploymentUpsert(upsert) => {
                let row = &upsert.deployment;
                assert!(told.insert(row.id), "one event a deployment and group");
                assert_eq!(after.deployments[&row.id].row, *row, "the event carries the row as stored");
                assert_eq!(row.event_id, event.event_id);
                let held = &after.deployments[&row.id].state;
                for (seq, entry) in (1..=held.entries).rev().zip(upsert.entries.iter().rev()) {
                    assert_eq!(entry.seq, seq, "entries are the newest, numbered without a gap");
                }
            }
            Change::DeploymentProgress(told_of) => {
                assert!(told.insert(told_of.id), "one event a deployment and group");
                let row = &after.deployments[&told_of.id].row;
                assert_eq!(row.event_id, event.event_id, "progress moves the row's version as well");
                let was = before.deployments[&told_of.id].row.clone();
                let moved = DeploymentRow {
                    progress: told_of.progress.clone(),
                    updated_at: told_of.updated_at,
                    event_id: event.event_id,
                    ..(*was).clone()
                };
                assert_eq!(**row, moved, "a progress event says all that changed");
                assert_ne!(was.progress, row.progress);
            }
            Change::DeploymentDelete(delete) => {
                assert!(told.insert(delete.id), "one event a deployment and group");
                assert!(before.deployments.contains_key(&delete.id), "only what was seen is deleted");
                assert!(!after.deployments.contains_key(&delete.id));
            }
            Change::WorkflowUpsert(upsert) => {
                let row = &upsert.workflow;
                assert_eq!(row.event_id, event.event_id);
                assert_eq!(after.workflows.get(&row.id), row.latest.as_ref().map(|_| row));
                let known = before.workflows.contains_key(&row.id) || row.latest.is_some();
                assert!(known, "a workflow that nobody has seen does not go");
            }
            Change::CountsUpdate(update) => assert_eq!(update.counts, after.counts),
        }
    }
    for (id, _) in &decision.reports {
        assert!(after.deployments.contains_key(id), "no report is stored of what is not");
    }
    // Nothing changes unseen: whoever applies the events knows every row.
    for (id, held) in &after.deployments {
        let was = before.deployments.get(id);
        let changed = was.is_none_or(|was| was.row != held.row);
        assert_eq!(changed, told.contains(id), "a row changes if and only if an event says so: {id}");
        assert!(held.row.event_id <= after.head);
    }
    for (id, reports) in &after.reports {
        let arrivals: Vec<u64> = reports.iter().map(|report| report.arrival).collect();
        assert_eq!(arrivals, (1..=reports.len() as u64).collect::<Vec<_>>());
        assert_eq!(after.deployments[id].state.arrivals, reports.len() as u64);
    }
}
