//! Concludes a group: judges the chains, writes the rows anew, and numbers what changed.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::work::Work;
use super::{Decision, Deployment, Outcome, Refusal};
use crate::deployment::Success;
use crate::event::{
    Change, CountsUpdate, DeploymentDelete, DeploymentProgress, DeploymentRow, DeploymentUpsert, Event,
    TimelineEntry, WorkflowRow, WorkflowUpsert,
};
use crate::id::{DeploymentId, EventId, Slug};
use crate::progress::PROGRESS_PACE_MS;
use crate::report::{MAX_EVENT_MESSAGE_CHARS, cut};
use crate::time::Timestamp;
use crate::workflow::{self, Brief, Link};

impl Work {
    /// Judges the chains, writes the rows anew, and numbers what changed.
    pub(super) fn conclude(mut self, outcomes: Vec<Result<Outcome, Refusal>>) -> Decision {
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

        let mut numbering = Numbering {
            head: self.state.head,
            ts: self.now,
            machine_time: self.state.machine_time.unwrap_or(self.now),
            events: Vec::new(),
        };
        let mut counts = self.state.counts;
        for row in &self.deleted {
            // What the group itself made and deleted was never counted.
            if matches!(self.before.get(&row.id), Some(Some(_))) {
                counts.move_deployment(Some(row.status), None);
                numbering.push(|_| Change::DeploymentDelete(DeploymentDelete { id: row.id }));
            }
        }
        let mut deployments = Vec::with_capacity(touched.len());
        let mut owing = Vec::new();
        for id in touched {
            let Some(mut deployment) = self.state.deployments.remove(&id) else { continue };
            let before = self.before.remove(&id).flatten();
            counts.move_deployment(before.as_ref().map(|row| row.status), Some(deployment.row.status));
            let entries = self.entries.remove(&id).unwrap_or_default();
            let due = publish(&mut deployment, before.as_ref(), entries, &mut numbering);
            owing.extend(due.map(|due| (id, due)));
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
            owing,
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

/// How far another instance's time of sending may be ahead of this machine's and still be believed.
const MAX_AHEAD_MS: i64 = 1_000;

/// Hands out event ids, without a gap.
struct Numbering {
    head: EventId,
    ts: Timestamp,
    machine_time: Timestamp,
    events: Vec<Event>,
}

impl Numbering {
    fn push(&mut self, change: impl FnOnce(EventId) -> Change) {
        self.head = self.head.next();
        let event_id = self.head;
        self.events.push(Event { event_id, ts: self.ts, change: change(event_id) });
    }
}

/// Numbers a touched deployment's change: an upsert, only its progress, or nothing at all. Progress that
/// comes too soon after some was published is held back; gives when it may go.
fn publish(
    deployment: &mut Deployment,
    before: Option<&Arc<DeploymentRow>>,
    entries: Vec<TimelineEntry>,
    numbering: &mut Numbering,
) -> Option<Timestamp> {
    let now = numbering.ts;
    if entries.is_empty() && before.is_some_and(|before| *before == deployment.row) {
        return None;
    }
    let only_progress = entries.is_empty()
        && before.is_some_and(|before| {
            let progress = before.progress.clone();
            DeploymentRow { progress, ..(*deployment.row).clone() } == **before
        });
    if let Some(before) = before.filter(|_| only_progress) {
        let (sent_at, machine_time) = (deployment.state.progress_sent_at, numbering.machine_time);
        let due = sent_at.plus_millis(PROGRESS_PACE_MS);
        // Long in the future says only that a clock was ahead. A little is another instance's clock, or a
        // request that has waited for the env's lock.
        if (sent_at.plus_millis(-MAX_AHEAD_MS)..due).contains(&machine_time) {
            deployment.row = before.clone();
            return Some(due);
        }
        deployment.state.progress_sent_at = machine_time;
    }
    let row = Arc::make_mut(&mut deployment.row);
    row.updated_at = now;
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
    None
}
