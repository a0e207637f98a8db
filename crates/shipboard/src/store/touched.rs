//! Loads the part of an env that a group of requests touches, as [`EnvState`] describes it.
//!
//! Shared text: compiled once per engine. It only reads; `write.rs` holds the lock.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use shipboard_core::decide::{Deployment, DeploymentState, EnvState, KeyUse, Known, Request, WorkflowState};
use shipboard_core::event::{DeploymentRow, WorkflowRow};
use shipboard_core::id::{DeploymentId, Slug};
use shipboard_core::report::{DEFAULT_SOURCE, Report, believed};
use shipboard_core::status::Status;
use shipboard_core::time::Timestamp;
use shipboard_core::workflow::{Brief, EXPECTED_FROM, Link, RECENT};
use sqlx::{Database, QueryBuilder};

use super::{Db, for_each, of_pairs, push_any};
use crate::store::bulk::Asked;
use crate::store::{EnvKey, MAX_DELETED_AT_ONCE, Result, StoreError};

type Connection = <Db as Database>::Connection;

/// Loads into `state` what `requests` touch. `state` comes with head and counts.
pub(in crate::store) async fn load(
    connection: &mut Connection,
    key: &EnvKey,
    requests: &[Request],
    now: Timestamp,
    mut state: EnvState,
) -> Result<EnvState> {
    load_keys(connection, key, requests, &mut state).await?;
    load_identities(connection, key, requests, &mut state).await?;
    load_deployments(connection, key, requests, &mut state).await?;
    load_said(connection, key, requests, &mut state).await?;
    let touched = touched(requests, &state, now);
    state.workflows = load_workflows(connection, key, &touched).await?;
    Ok(state)
}

async fn load_keys(
    connection: &mut Connection,
    key: &EnvKey,
    requests: &[Request],
    state: &mut EnvState,
) -> Result<()> {
    let keys = requests.iter().filter_map(|request| match request {
        Request::Post { key: Some((key, _)), .. } => Some(key.clone()),
        _ => None,
    });
    let keys: Vec<String> = keys.collect();
    if keys.is_empty() {
        return Ok(());
    }
    let mut query = of_env("select key, body, deployment_id from idempotency_keys", key);
    push_any(query.push(" and "), "key", keys);
    let found: Vec<(String, String, String)> = query.build_query_as().fetch_all(&mut *connection).await?;
    for (key, body, id) in found {
        state.keys.insert(key, KeyUse { body, deployment_id: parse(&id)? });
    }
    Ok(())
}

/// The (source, external id) that a report would create a deployment for.
fn identity(report: &Report) -> Option<(&str, &str)> {
    let source = report.source.as_deref().unwrap_or(DEFAULT_SOURCE);
    Some((source, report.external_id.as_deref()?))
}

async fn load_identities(
    connection: &mut Connection,
    key: &EnvKey,
    requests: &[Request],
    state: &mut EnvState,
) -> Result<()> {
    let identities: BTreeSet<(&str, &str)> = requests
        .iter()
        .filter_map(|request| match request {
            Request::Post { report, .. } => identity(report),
            _ => None,
        })
        .collect();
    let identities: Vec<_> = identities.into_iter().map(owned).collect();
    if identities.is_empty() {
        return Ok(());
    }
    for (select, is_tombstone) in [
        ("select source, external_id, id from deployments", false),
        ("select source, external_id, deployment_id from tombstones", true),
    ] {
        let mut query = of_pairs(select, key, "", ["source", "external_id"], identities.clone());
        let found: Vec<(String, String, String)> = query.build_query_as().fetch_all(&mut *connection).await?;
        for (source, external_id, id) in found {
            let known = if is_tombstone { Known::Deleted } else { Known::As(parse(&id)?) };
            state.identities.insert((source, external_id), known);
        }
    }
    Ok(())
}

async fn load_deployments(
    connection: &mut Connection,
    key: &EnvKey,
    requests: &[Request],
    state: &mut EnvState,
) -> Result<()> {
    let mut ids: BTreeSet<DeploymentId> = requests
        .iter()
        .filter_map(|request| match request {
            Request::Patch { id, .. }
            | Request::Lose { id, .. }
            | Request::HasLog { id }
            | Request::Settle { id }
            | Request::Delete { id }
            | Request::Expire { id, .. } => Some(*id),
            Request::Post { .. } | Request::DeleteWorkflow { .. } => None,
        })
        .collect();
    ids.extend(state.identities.values().filter_map(|known| match known {
        Known::As(id) => Some(*id),
        Known::Deleted => None,
    }));
    ids.extend(state.keys.values().map(|used| used.deployment_id));
    for request in requests {
        if let Request::DeleteWorkflow { workflow } = request {
            let mut query = of_env("select id from deployments", key);
            query.push(" and workflow = ").push_bind(workflow.as_str());
            query.push(" order by created_at desc, id desc limit ").push_bind(MAX_DELETED_AT_ONCE as i64);
            let found: Vec<(String,)> = query.build_query_as().fetch_all(&mut *connection).await?;
            for (id,) in found {
                ids.insert(parse(&id)?);
            }
        }
    }
    let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
    if ids.is_empty() {
        return Ok(());
    }
    let mut query = of_env("select row, state, last_heard_at from deployments", key);
    push_any(query.push(" and "), "id", ids.clone());
    let found: Vec<(String, String, i64)> = query.build_query_as().fetch_all(&mut *connection).await?;
    for (row, kept, last_heard_at) in found {
        let row: DeploymentRow = serde_json::from_str(&row)?;
        let mut kept: DeploymentState = serde_json::from_str(&kept)?;
        // The column is later where a log has grown: that takes no lock of the env.
        kept.last_heard_at = kept.last_heard_at.max(Timestamp::from_millis(last_heard_at));
        state.deployments.insert(row.id, Deployment { row: Arc::new(row), state: kept });
    }
    let mut query = of_env("select deployment_id from tombstones", key);
    push_any(query.push(" and "), "deployment_id", ids);
    let found: Vec<(String,)> = query.build_query_as().fetch_all(&mut *connection).await?;
    for (id,) in found {
        state.deleted.insert(parse(&id)?);
    }
    Ok(())
}

/// Which of the dated reports are stored already.
async fn load_said(
    connection: &mut Connection,
    key: &EnvKey,
    requests: &[Request],
    state: &mut EnvState,
) -> Result<()> {
    let mut asked: Vec<(String, String)> = Vec::new();
    for request in requests {
        let Some((deployment, report)) = target(request, state) else { continue };
        if report.occurred_at.is_some() {
            let source = report.source.clone().unwrap_or_else(|| deployment.row.source.clone());
            let digest = Report { source: Some(source), ..report.clone() }.digest();
            asked.push((deployment.row.id.to_string(), digest));
        }
    }
    if asked.is_empty() {
        return Ok(());
    }
    let select = "select deployment_id, attempt, digest from reports";
    let mut query = of_pairs(select, key, "dated and", ["deployment_id", "digest"], asked);
    let found: Vec<(String, i64, String)> = query.build_query_as().fetch_all(&mut *connection).await?;
    for (id, attempt, digest) in found {
        state.said.insert((parse(&id)?, attempt as u32, digest));
    }
    Ok(())
}

/// The known deployment that a request reports on, and what it says.
fn target<'a>(request: &'a Request, state: &'a EnvState) -> Option<(&'a Deployment, &'a Report)> {
    match request {
        Request::Patch { id, report } => Some((state.deployments.get(id)?, report)),
        Request::Post { report, .. } => match state.identities.get(&owned(identity(report)?))? {
            Known::As(id) => Some((state.deployments.get(id)?, report)),
            Known::Deleted => None,
        },
        _ => None,
    }
}

fn owned((source, external_id): (&str, &str)) -> (String, String) {
    (source.to_owned(), external_id.to_owned())
}

/// What a group touches of the workflows' chains.
#[derive(Default)]
struct Touched {
    /// The earliest moment the group tells of, by workflow: places before this stay as they are.
    low: BTreeMap<Slug, Timestamp>,
    /// Workflows whose chains may change. Signs of life alone change no row but their own.
    stirred: BTreeSet<Slug>,
    /// Versions that the group may bring into a chain: of each workflow, and of any.
    versions: BTreeMap<Slug, BTreeSet<String>>,
    versions_of_any: BTreeSet<String>,
    /// How many deployments the group touches, at most: of each workflow, and of any.
    deployments: BTreeMap<Slug, usize>,
    of_any: usize,
}

impl Touched {
    fn asked(&self, workflow: &Slug, low: Timestamp) -> Asked {
        let deployments = self.deployments.get(workflow).copied().unwrap_or(0) + self.of_any;
        let versions = self.versions.get(workflow).into_iter().flatten().chain(&self.versions_of_any);
        Asked {
            workflow: workflow.to_string(),
            at: low.as_millis(),
            limit: (RECENT + deployments) as i64,
            among: versions.cloned().collect(),
        }
    }

    fn count(&mut self, workflow: &Slug) {
        *self.deployments.entry(workflow.clone()).or_default() += 1;
    }

    fn lower(&mut self, workflow: &Slug, at: Timestamp) {
        let low = self.low.entry(workflow.clone()).or_insert(at);
        *low = at.min(*low);
    }
}

/// What a group touches. A moment or a version counts for every workflow that its report might be about:
/// too much is read now and then, too little never.
fn touched(requests: &[Request], state: &EnvState, now: Timestamp) -> Touched {
    let mut touched = Touched::default();
    // Every place that what is known has or had: no attempt of it began before this.
    for deployment in state.deployments.values() {
        let workflow = &deployment.row.workflow_id;
        touched.count(workflow);
        touched.lower(workflow, deployment.row.created_at);
        touched.lower(workflow, deployment.state.fold.earliest().unwrap_or(now));
    }
    let mut anywhere = None;
    let of = |id: &DeploymentId| Some(state.deployments.get(id)?.row.workflow_id.clone());
    for request in requests {
        match request {
            Request::Post { report, .. } | Request::Patch { report, .. } => {
                let at = believed(report.occurred_at, now);
                let known = target(request, state).map(|(deployment, _)| deployment);
                let known_workflow = known.map(|deployment| deployment.row.workflow_id.clone());
                let workflows: BTreeSet<Slug> =
                    known_workflow.iter().chain(&report.workflow).cloned().collect();
                if workflows.is_empty() {
                    // It may be about what another request of this very group makes.
                    anywhere = Some(anywhere.map_or(at, |known: Timestamp| known.min(at)));
                    touched.of_any += 1;
                    touched.versions_of_any.extend(report.details.version.clone());
                }
                for workflow in &workflows {
                    touched.lower(workflow, at);
                    touched.count(workflow);
                    touched
                        .versions
                        .entry(workflow.clone())
                        .or_default()
                        .extend(report.details.version.clone());
                }
                // The moment of a sign of life counts too where the workflow is judged for another reason:
                // it is kept after all if the same group takes its deployment for lost before it.
                if known.is_none_or(|deployment| !deployment.is_heartbeat(report)) {
                    touched.stirred.extend(workflows);
                }
            }
            Request::Lose { id, .. } => {
                if let Some(workflow) = of(id) {
                    // A source's clock may be ahead, and what it told later than this receipt.
                    touched.lower(&workflow, now);
                    touched.stirred.insert(workflow);
                }
            }
            Request::Delete { id } | Request::Expire { id, .. } => touched.stirred.extend(of(id)),
            Request::DeleteWorkflow { workflow } => {
                touched.stirred.insert(workflow.clone());
            }
            Request::HasLog { .. } | Request::Settle { .. } => {}
        }
    }
    if let Some(at) = anywhere {
        touched.low.values_mut().for_each(|low| *low = at.min(*low));
    }
    let Touched { low, stirred, .. } = &mut touched;
    low.retain(|workflow, _| stirred.contains(workflow));
    touched
}

// Each of these is asked for many workflows, with `:workflow` and the moment `:at` from which on it is
// touched; `:n` is which of them it is.
const ROW: &str = "select :n, row from workflows where tenant = $1 and env = $2 and id = :workflow";
const BEFORE: &str = "select :n, row, success_at, removed from deployments
     where tenant = $1 and env = $2 and workflow = :workflow and success_at is not null and success_at < :at
     order by success_at desc, external_id desc, source desc limit 1";
const LINKS: &str = "select :n, row, success_at, removed from deployments
     where tenant = $1 and env = $2 and workflow = :workflow and placed_at >= :at";
const SEEN: &str = "select distinct :n, version from deployments
     where tenant = $1 and env = $2 and workflow = :workflow and success_at is not null and success_at < :at
     and version :among";
const NEWEST: &str = "select :n, created_at, id, status, version from deployments
     where tenant = $1 and env = $2 and workflow = :workflow order by created_at desc, id desc limit :limit";
const DURATIONS: &str = "select :n, duration_ms from deployments
     where tenant = $1 and env = $2 and workflow = :workflow and success_at is not null
     and duration_ms is not null order by success_at desc, external_id desc, source desc limit 20";
const _: () = assert!(EXPECTED_FROM == 20, "the limit of DURATIONS");

async fn load_workflows(
    connection: &mut Connection,
    key: &EnvKey,
    touched: &Touched,
) -> Result<BTreeMap<Slug, WorkflowState>> {
    type Kept = (i64, String, Option<i64>, bool);
    type Newest = (i64, i64, String, String, Option<String>);
    let mut states: BTreeMap<Slug, WorkflowState> = BTreeMap::new();
    let mut slugs: Vec<&Slug> = touched.low.keys().collect();
    let mut asked: Vec<Asked> = touched.low.iter().map(|(slug, low)| touched.asked(slug, *low)).collect();
    let rows: Vec<(i64, String)> = for_each(connection, key, ROW, &asked).await?;
    let rows: BTreeMap<usize, String> = rows.into_iter().map(|(n, row)| (n as usize, row)).collect();
    for (n, slug) in slugs.iter().enumerate() {
        let row: Option<WorkflowRow> = rows.get(&n).map(|row| serde_json::from_str(row)).transpose()?;
        states.insert((*slug).clone(), WorkflowState { row: row.map(Arc::new), ..WorkflowState::default() });
    }
    // Of the others it is the first deployment: there is nothing else of them.
    let known = |n: &usize| rows.contains_key(n);
    slugs = slugs.into_iter().enumerate().filter(|(n, _)| known(n)).map(|(_, slug)| slug).collect();
    asked = asked.into_iter().enumerate().filter(|(n, _)| known(n)).map(|(_, asked)| asked).collect();
    if slugs.is_empty() {
        return Ok(states);
    }
    let mut found: Vec<WorkflowState> =
        slugs.iter().map(|slug| states.remove(slug).unwrap_or_default()).collect();

    let before: Vec<Kept> = for_each(connection, key, BEFORE, &asked).await?;
    for (n, row, success_at, removed) in before {
        found[n as usize].stretch.before = Some(link(&row, success_at, removed)?);
    }
    let links: Vec<Kept> = for_each(connection, key, LINKS, &asked).await?;
    for (n, row, success_at, removed) in links {
        let link = link(&row, success_at, removed)?;
        asked[n as usize].among.extend(link.row.version.clone());
        found[n as usize].stretch.links.push(link);
    }
    for asked in &mut asked {
        asked.among.sort();
        asked.among.dedup();
    }
    let seen: Vec<(i64, String)> = for_each(connection, key, SEEN, &asked).await?;
    for (n, version) in seen {
        found[n as usize].stretch.seen.insert(version);
    }
    let newest: Vec<Newest> = for_each(connection, key, NEWEST, &asked).await?;
    for (n, created_at, id, status, version) in newest {
        let status = Status::parse(&status).ok_or_else(|| unexpected("status", &status))?;
        let created_at = Timestamp::from_millis(created_at);
        found[n as usize].newest.push(Brief { created_at, id: parse(&id)?, status, version });
    }
    let durations: Vec<(i64, i64)> = for_each(connection, key, DURATIONS, &asked).await?;
    for (n, duration) in durations {
        found[n as usize].durations.push(duration);
    }
    states.extend(slugs.into_iter().cloned().zip(found));
    Ok(states)
}

fn link(row: &str, success_at: Option<i64>, removed: bool) -> Result<Link> {
    let success_at = success_at.map(Timestamp::from_millis);
    Ok(Link { row: Arc::new(serde_json::from_str(row)?), success_at, removed })
}

/// A query over one env's rows of a table.
pub(super) fn of_env(select: &str, key: &EnvKey) -> QueryBuilder<Db> {
    let mut query = QueryBuilder::new(select);
    query.push(" where tenant = ").push_bind(key.tenant.as_str().to_owned());
    query.push(" and env = ").push_bind(key.env.as_str().to_owned());
    query
}

/// An id as the database keeps it.
pub(super) fn parse<T: std::str::FromStr>(text: &str) -> Result<T> {
    text.parse().map_err(|_| unexpected("id", text))
}

/// The database holds what this program never writes.
pub(super) fn unexpected(what: &str, found: &str) -> StoreError {
    StoreError::Broken(format!("unexpected {what} `{found}`").into())
}
