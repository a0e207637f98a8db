//! `shipboard check`: recounts every env from its reports, and compares what is kept with it: rows,
//! standings, counts, and what the event log says of them.

use std::collections::HashMap;
use std::sync::Arc;

use shipboard_core::event::{Change, DeploymentRow, WorkflowRow};
use shipboard_core::id::{DeploymentId, EventId, Slug};
use shipboard_core::recount::{Subject, differences, recount};

use crate::store::{Audit, EnvKey, Result, Store};

/// How much was compared, and every difference, a line each.
#[derive(Debug, Default)]
pub struct Checked {
    /// Environments.
    pub envs: usize,
    /// Deployments of all of them.
    pub deployments: usize,
    /// What does not agree.
    pub differences: Vec<String>,
}

/// Checks every env of the database. It may be in use: each env is one consistent read.
pub async fn check(store: &Store) -> Result<Checked> {
    let mut checked = Checked::default();
    for (tenant, _) in store.tenants().await? {
        for env in store.envs(&tenant).await? {
            let key = EnvKey { tenant: tenant.clone(), env: env.slug };
            let Some(audit) = store.audit(&key).await? else { continue };
            checked.envs += 1;
            checked.deployments += audit.deployments.len();
            let found = compare(audit).into_iter().map(|difference| format!("{key}: {difference}"));
            checked.differences.extend(found);
        }
    }
    Ok(checked)
}

/// What does not agree in one env.
#[cfg(test)]
pub(crate) async fn check_env(store: &Store, key: &EnvKey) -> Result<Vec<String>> {
    Ok(store.audit(key).await?.map(compare).unwrap_or_default())
}

fn compare(audit: Audit) -> Vec<String> {
    let mut found = log(&audit);
    let (rows, subjects): (Vec<DeploymentRow>, Vec<Subject>) = audit
        .deployments
        .into_iter()
        .map(|(row, reports)| {
            let subject = Subject {
                id: row.id,
                workflow: row.workflow_id.clone(),
                source: row.source.clone(),
                external_id: row.external_id.clone(),
                reports,
            };
            (row, subject)
        })
        .unzip();
    found.extend(differences(&recount(&subjects), &rows, &audit.workflows, &audit.env.counts));
    found
}

/// What the log still holds has no gap up to the head, ends transactions where it says so, and what it
/// said last of a row or of the counts is what is kept.
fn log(audit: &Audit) -> Vec<String> {
    let mut found = Vec::new();
    let head = audit.env.head;
    let mut deployments: HashMap<DeploymentId, Option<Arc<DeploymentRow>>> = HashMap::new();
    let mut workflows: HashMap<&Slug, &Arc<WorkflowRow>> = HashMap::new();
    let mut counts = None;
    let mut expected = audit.events.first().map_or(head.next(), |(event, _)| event.event_id);
    let mut open: Option<EventId> = None;
    for (event, last_id) in &audit.events {
        if event.event_id != expected {
            found.push(format!("log: event {expected} is missing before {}", event.event_id));
        }
        if open.is_some_and(|open| open != *last_id) || *last_id < event.event_id {
            found.push(format!("log: event {} is of no whole transaction", event.event_id));
        }
        open = (*last_id != event.event_id).then_some(*last_id);
        expected = event.event_id.next();
        match &event.change {
            Change::DeploymentUpsert(upsert) => {
                deployments.insert(upsert.deployment.id, Some(upsert.deployment.clone()));
            }
            Change::DeploymentProgress(told) => {
                if let Some(Some(row)) = deployments.get_mut(&told.id) {
                    let row = Arc::make_mut(row);
                    row.progress = told.progress.clone();
                    row.updated_at = told.updated_at;
                    row.event_id = event.event_id;
                }
            }
            Change::DeploymentDelete(delete) => {
                deployments.insert(delete.id, None);
            }
            Change::WorkflowUpsert(upsert) => {
                workflows.insert(&upsert.workflow.id, &upsert.workflow);
            }
            Change::CountsUpdate(update) => counts = Some(update.counts),
        }
    }
    if expected != head.next() {
        found.push(format!("log: the head is {head}, the last event {}", expected.0.saturating_sub(1)));
    }
    if counts.is_some_and(|counts| counts != audit.env.counts) {
        found.push("log: its last counts are not the env's".to_owned());
    }
    for (row, _) in &audit.deployments {
        match deployments.remove(&row.id) {
            Some(Some(said)) if *said != *row => {
                found.push(format!("deployment {}: the log's last word on it is another", row.id));
            }
            Some(None) => found.push(format!("deployment {}: the log says it was deleted", row.id)),
            _ => {}
        }
    }
    let ghosts = deployments.into_iter().filter(|(_, said)| said.is_some());
    found.extend(ghosts.map(|(id, _)| format!("deployment {id}: is in the log and has no row")));
    for row in &audit.workflows {
        if workflows.remove(&row.id).is_some_and(|said| **said != *row) {
            found.push(format!("workflow {}: the log's last word on it is another", row.id));
        }
    }
    let ghosts = workflows.into_values().filter(|said| said.latest.is_some());
    found.extend(ghosts.map(|row| format!("workflow {}: is in the log and has no row", row.id)));
    found
}
