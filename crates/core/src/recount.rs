//! The recount: rows, standings and counts worked out from the stored reports alone.
//!
//! Written rule by rule from docs/protocol.md, and on purpose without the fold, the chain's stretches and
//! the counts' moves: `shipboard check` and the property tests hold the two against each other. It knows
//! nothing of what lies outside the fold: progress, timelines, names, `updated_at`, `expected_ms`, event ids.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::counts::Counts;
use crate::event::{Commit, CurrentDeployment, DeploymentRow, LatestDeployment, WorkflowRow};
use crate::id::{DeploymentId, Slug};
use crate::report::{Details, MAX_EVENT_MESSAGE_CHARS, Said, StoredReport, cut};
use crate::status::{Kind, Standing, Status};
use crate::time::Timestamp;
use crate::workflow::RECENT;

/// A deployment as it is recounted: who it is, and all that was stored of it.
#[derive(Clone, PartialEq, Debug)]
pub struct Subject {
    /// Its id.
    pub id: DeploymentId,
    /// What it deploys.
    pub workflow: Slug,
    /// Who reported it.
    pub source: String,
    /// Its id there.
    pub external_id: String,
    /// Its stored reports, in any order.
    pub reports: Vec<StoredReport>,
}

/// A deployment's row as its reports have it; the fields are named as in [`DeploymentRow`].
#[derive(Clone, PartialEq, Debug)]
#[allow(missing_docs, reason = "named as in DeploymentRow, which describes each")]
pub struct RecountedDeployment {
    pub id: DeploymentId,
    pub workflow_id: Slug,
    pub source: String,
    pub external_id: String,
    pub attempt: u32,
    pub kind: Kind,
    pub inferred: bool,
    pub status: Status,
    pub standing: Option<Standing>,
    pub reason: Option<String>,
    pub version: Option<String>,
    pub commit: Commit,
    pub actor: Option<String>,
    pub url: Option<String>,
    pub logs_url: Option<String>,
    pub message: Option<String>,
    pub created_at: Timestamp,
    pub queued_at: Option<Timestamp>,
    pub started_at: Option<Timestamp>,
    pub finished_at: Option<Timestamp>,
    pub replaces: Option<DeploymentId>,
}

/// A workflow's row as its deployments have it; the fields are named as in [`WorkflowRow`].
#[derive(Clone, PartialEq, Debug)]
#[allow(missing_docs, reason = "named as in WorkflowRow, which describes each")]
pub struct RecountedWorkflow {
    pub id: Slug,
    pub latest: Option<LatestDeployment>,
    pub current: Option<CurrentDeployment>,
    pub last_success_at: Option<Timestamp>,
    pub active: u64,
    pub recent: Vec<Status>,
}

/// An env as its reports have it.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Recount {
    /// Every deployment that has reports.
    pub deployments: BTreeMap<DeploymentId, RecountedDeployment>,
    /// Every workflow that has deployments.
    pub workflows: BTreeMap<Slug, RecountedWorkflow>,
    /// The env's counts.
    pub counts: Counts,
}

/// Recounts an env from all its deployments.
pub fn recount(subjects: &[Subject]) -> Recount {
    let mut recount = Recount::default();
    let mut workflows: BTreeMap<&Slug, Vec<Judged>> = BTreeMap::new();
    for subject in subjects.iter().filter(|subject| !subject.reports.is_empty()) {
        workflows.entry(&subject.workflow).or_default().push(Judged::of(subject));
    }
    for (slug, mut judged) in workflows {
        judge(&mut judged);
        recount.workflows.insert(slug.clone(), workflow(slug, &judged));
        recount.deployments.extend(judged.into_iter().map(|judged| (judged.row.id, judged.row)));
    }
    recount.counts = count(&recount);
    recount
}

/// A deployment with the two facts beside its row that its chain asks for.
struct Judged {
    row: RecountedDeployment,
    succeeded_at: Option<Timestamp>,
    removed: bool,
    sent_kind: Option<Kind>,
}

impl Judged {
    /// Rules 1 to 8 and 10; `kind`, `standing` and `replaces` wait for rule 9.
    fn of(subject: &Subject) -> Self {
        let reports = &subject.reports;
        // Rule 1: the highest attempt gives status and times.
        let attempt = reports.iter().map(|report| report.attempt).max().unwrap_or(1);
        let of_attempt =
            |attempt: u32| reports.iter().filter(|report| report.attempt == attempt).collect::<Vec<_>>();
        let its = of_attempt(attempt);
        let end = end(&its);
        // Rule 5.
        let earliest = |wanted: Option<Status>| {
            let said = its.iter().filter(|report| wanted.is_none() || status_of(report) == wanted);
            said.map(|report| report.occurred_at).min()
        };
        // Rule 9: the latest successful attempt, which may be an earlier one.
        let attempts: BTreeSet<u32> = reports.iter().map(|report| report.attempt).collect();
        let succeeded_at = attempts.into_iter().rev().find_map(|attempt| {
            let end = self::end(&of_attempt(attempt))?;
            (status_of(end) == Some(Status::Success)).then_some(end.occurred_at)
        });
        let sent_kind = last_said(reports, |details| details.kind.as_ref());
        let text = |of: fn(&Details) -> Option<&String>| last_said(reports, of);
        let row = RecountedDeployment {
            id: subject.id,
            workflow_id: subject.workflow.clone(),
            source: subject.source.clone(),
            external_id: subject.external_id.clone(),
            attempt,
            kind: sent_kind.unwrap_or(Kind::Deploy),
            inferred: sent_kind.is_none(),
            status: status(&its),
            standing: None,
            reason: text(|details| details.reason.as_ref()),
            version: text(|details| details.version.as_ref()),
            commit: Commit {
                sha: text(|details| details.commit.sha.as_ref()),
                reference: text(|details| details.commit.reference.as_ref()),
                message: text(|details| details.commit.message.as_ref()),
                url: text(|details| details.commit.url.as_ref()),
                author: text(|details| details.commit.author.as_ref()),
            },
            actor: text(|details| details.actor.as_ref()),
            url: text(|details| details.url.as_ref()),
            logs_url: text(|details| details.logs_url.as_ref()),
            message: text(|details| details.message.as_ref())
                .map(|message| cut(&message, MAX_EVENT_MESSAGE_CHARS).to_owned()),
            created_at: earliest(None).unwrap_or_default(),
            queued_at: earliest(Some(Status::Queued)),
            started_at: earliest(Some(Status::Running)),
            finished_at: end.map(|end| end.occurred_at),
            replaces: None,
        };
        let removed = reports.iter().any(|report| report.status == Some(Said::Removed));
        Self { row, succeeded_at, removed, sent_kind }
    }

    /// Rule 9: where it stands in its workflow's history.
    fn place(&self) -> (Timestamp, &str, &str) {
        let at = self.succeeded_at.unwrap_or(self.row.created_at);
        (at, &self.row.external_id, &self.row.source)
    }
}

/// The status a report said, if it was one.
fn status_of(report: &StoredReport) -> Option<Status> {
    match report.status {
        Some(Said::Status(status)) => Some(status),
        _ => None,
    }
}

/// Rules 2 and 3: the end that counts among the reports of one attempt. The source that said the
/// earliest end has the say; of what it said the latest counts.
fn end<'a>(reports: &[&'a StoredReport]) -> Option<&'a StoredReport> {
    const WEAKEST_FIRST: [Status; 4] = [Status::Skipped, Status::Success, Status::Cancelled, Status::Failed];
    let rank =
        |report: &StoredReport| WEAKEST_FIRST.iter().position(|status| status_of(report) == Some(*status));
    let ends = || reports.iter().copied().filter(|report| rank(report).is_some());
    let first = ends().min_by_key(|report| (report.occurred_at, report.sequence, &report.source))?;
    ends()
        .filter(|report| report.source == first.source)
        .max_by_key(|report| (report.occurred_at, report.sequence, rank(report)))
}

/// Rules 2, 7 and 10: how an attempt went.
fn status(reports: &[&StoredReport]) -> Status {
    const WEAKEST_FIRST: [Status; 3] = [Status::Queued, Status::Waiting, Status::Running];
    let rank =
        |report: &StoredReport| WEAKEST_FIRST.iter().position(|status| status_of(report) == Some(*status));
    if let Some(end) = end(reports).and_then(status_of) {
        return end;
    }
    let last_received = reports.iter().max_by_key(|report| report.arrival);
    if last_received.is_some_and(|report| status_of(report) == Some(Status::Lost)) {
        return Status::Lost;
    }
    let open = reports.iter().filter(|report| rank(report).is_some());
    let latest = open.max_by_key(|report| (report.occurred_at, report.sequence, rank(report)));
    latest.and_then(|report| status_of(report)).unwrap_or(Status::Queued)
}

/// Rule 8: the value of the greatest report that has one. Where two were said at the very same attempt,
/// moment and sequence, the greater value counts, so that the order of arrival never does.
fn last_said<T: Ord + Clone>(reports: &[StoredReport], of: impl Fn(&Details) -> Option<&T>) -> Option<T> {
    let said = reports.iter().filter_map(|report| {
        let value = of(&report.details)?;
        Some((report.attempt, report.occurred_at, report.sequence, value))
    });
    said.max().map(|(.., value)| value.clone())
}

/// Rule 9 over all deployments of one workflow.
fn judge(deployments: &mut [Judged]) {
    deployments.sort_by(|a, b| a.place().cmp(&b.place()));
    let chain: Vec<usize> =
        (0..deployments.len()).filter(|index| deployments[*index].succeeded_at.is_some()).collect();
    // The first place in the chain at which each version succeeded.
    let mut first: HashMap<String, usize> = HashMap::new();
    for (place, index) in chain.iter().enumerate() {
        if let Some(version) = &deployments[*index].row.version {
            first.entry(version.clone()).or_insert(place);
        }
    }
    for index in 0..deployments.len() {
        let earlier = chain.partition_point(|success| *success < index);
        let predecessor = earlier.checked_sub(1).map(|place| &deployments[chain[place]].row);
        let replaces = predecessor.map(|row| row.id);
        let kind = match (&deployments[index].row.version, predecessor) {
            (Some(version), Some(before)) if before.version.as_ref() == Some(version) => Kind::Redeploy,
            (Some(version), _) if first.get(version).is_some_and(|place| *place < earlier) => Kind::Rollback,
            _ => Kind::Deploy,
        };
        let judged = &mut deployments[index];
        judged.row.replaces = replaces;
        judged.row.kind = judged.sent_kind.unwrap_or(kind);
    }
    for (place, index) in chain.iter().enumerate() {
        let successor = chain.get(place + 1).map(|next| deployments[*next].row.kind);
        let judged = &mut deployments[*index];
        judged.row.standing = Some(match successor {
            Some(Kind::Rollback) => Standing::RolledBack,
            Some(_) => Standing::Superseded,
            None if judged.removed => Standing::Removed,
            None => Standing::Current,
        });
    }
}

/// A workflow's row, from its deployments as judged.
fn workflow(slug: &Slug, deployments: &[Judged]) -> RecountedWorkflow {
    let mut newest: Vec<&RecountedDeployment> = deployments.iter().map(|judged| &judged.row).collect();
    newest.sort_by_key(|row| (row.created_at, row.id));
    let recent = newest.iter().skip(newest.len().saturating_sub(RECENT)).map(|row| row.status).collect();
    let current = deployments.iter().find(|judged| judged.row.standing == Some(Standing::Current));
    let active = |row: &&&RecountedDeployment| {
        matches!(row.status, Status::Queued | Status::Waiting | Status::Running)
    };
    RecountedWorkflow {
        id: slug.clone(),
        latest: newest.last().map(|row| LatestDeployment {
            deployment_id: row.id,
            status: row.status,
            version: row.version.clone(),
            at: row.created_at,
        }),
        current: current.and_then(|judged| {
            let (deployment_id, version) = (judged.row.id, judged.row.version.clone());
            Some(CurrentDeployment { deployment_id, version, since: judged.succeeded_at? })
        }),
        last_success_at: deployments.iter().filter_map(|judged| judged.succeeded_at).max(),
        active: newest.iter().filter(active).count() as u64,
        recent,
    }
}

/// The contract's counts, each counted as its sentence says.
fn count(recount: &Recount) -> Counts {
    let with =
        |status: Status| recount.deployments.values().filter(|row| row.status == status).count() as u64;
    let latest = |status: Status| {
        let rows = recount.workflows.values().filter_map(|row| row.latest.as_ref());
        rows.filter(|latest| latest.status == status).count() as u64
    };
    let mut counts = Counts::default();
    counts.deployments.queued = with(Status::Queued);
    counts.deployments.waiting = with(Status::Waiting);
    counts.deployments.running = with(Status::Running);
    counts.deployments.success = with(Status::Success);
    counts.deployments.failed = with(Status::Failed);
    counts.deployments.cancelled = with(Status::Cancelled);
    counts.deployments.skipped = with(Status::Skipped);
    counts.deployments.lost = with(Status::Lost);
    counts.deployments.total = recount.deployments.len() as u64;
    counts.workflows.total = recount.workflows.len() as u64;
    counts.workflows.active = recount.workflows.values().filter(|row| row.active > 0).count() as u64;
    counts.workflows.success = latest(Status::Success);
    counts.workflows.failed = latest(Status::Failed);
    counts
}

/// Where stored rows and counts say something else than the reports, one readable line each. None: all
/// agree. Both lists of rows must be whole, in any order.
pub fn differences<'a>(
    recount: &Recount,
    deployments: impl IntoIterator<Item = &'a DeploymentRow>,
    workflows: impl IntoIterator<Item = &'a WorkflowRow>,
    counts: &Counts,
) -> Vec<String> {
    let mut found = Vec::new();
    let mut missing: BTreeSet<&DeploymentId> = recount.deployments.keys().collect();
    for row in deployments {
        missing.remove(&row.id);
        match recount.deployments.get(&row.id) {
            Some(said) => compare_deployment(&mut found, row, said),
            None => found.push(format!("deployment {}: has a row and no reports", row.id)),
        }
    }
    found.extend(missing.into_iter().map(|id| format!("deployment {id}: has reports and no row")));

    let mut missing: BTreeSet<&Slug> = recount.workflows.keys().collect();
    for row in workflows {
        missing.remove(&row.id);
        match recount.workflows.get(&row.id) {
            Some(said) => compare_workflow(&mut found, row, said),
            None => found.push(format!("workflow {}: has a row and no deployments", row.id)),
        }
    }
    found.extend(missing.into_iter().map(|id| format!("workflow {id}: has deployments and no row")));

    let (held, said) = (counts.deployments, recount.counts.deployments);
    for ((status, held), (_, said)) in held.by_status().into_iter().zip(said.by_status()) {
        compare(&mut found, "counts", &format!("deployments.{}", status.as_str()), &held, &said);
    }
    compare(&mut found, "counts", "deployments.total", &held.total, &said.total);
    let (held, said) = (counts.workflows, recount.counts.workflows);
    compare(&mut found, "counts", "workflows.total", &held.total, &said.total);
    compare(&mut found, "counts", "workflows.active", &held.active, &said.active);
    compare(&mut found, "counts", "workflows.success", &held.success, &said.success);
    compare(&mut found, "counts", "workflows.failed", &held.failed, &said.failed);
    found
}

fn compare_deployment(found: &mut Vec<String>, row: &DeploymentRow, said: &RecountedDeployment) {
    let of = format!("deployment {}", row.id);
    macro_rules! fields {
        ($($field:ident),* $(,)?) => {
            $(compare(found, &of, stringify!($field), &row.$field, &said.$field);)*
        };
    }
    fields!(
        workflow_id,
        source,
        external_id,
        attempt,
        kind,
        inferred,
        status,
        standing,
        reason,
        version,
        commit,
        actor,
        url,
        logs_url,
        message,
        created_at,
        queued_at,
        started_at,
        finished_at,
        replaces,
    );
}

fn compare_workflow(found: &mut Vec<String>, row: &WorkflowRow, said: &RecountedWorkflow) {
    let of = format!("workflow {}", row.id);
    macro_rules! fields {
        ($($field:ident),* $(,)?) => {
            $(compare(found, &of, stringify!($field), &row.$field, &said.$field);)*
        };
    }
    fields!(latest, current, last_success_at, active, recent);
}

fn compare<T: PartialEq + serde::Serialize>(
    found: &mut Vec<String>,
    of: &str,
    field: &str,
    held: &T,
    said: &T,
) {
    if held != said {
        let (held, said) = (in_words(held), in_words(said));
        found.push(format!("{of}: {field} is {held}, its reports say {said}"));
    }
}

/// A value as it stands on the wire; words without their quotes.
fn in_words<T: serde::Serialize>(value: &T) -> String {
    let text = serde_json::to_string(value).unwrap_or_default();
    match text.strip_prefix('"').and_then(|text| text.strip_suffix('"')) {
        Some(word) => word.to_owned(),
        None => text,
    }
}

#[cfg(test)]
mod tests;
