//! Reads of rows: what boards load, what pages list. Each is one consistent read.
//!
//! Shared text: compiled once per engine.

use std::sync::Arc;

use shipboard_core::board::{Loaded, MAX_DEPLOYMENTS, MAX_WORKFLOWS, RESERVE};
use shipboard_core::counts::Counts;
use shipboard_core::event::{DeploymentRow, WorkflowRow};
use shipboard_core::id::{DeploymentId, Epoch, EventId, Slug};
use shipboard_core::report::StoredReport;
use shipboard_core::time::Timestamp;
use shipboard_core::timeline;
use sqlx::{Database, QueryBuilder};

use super::touched::{of_env, parse};
use super::{CURRENT_OF_WORKFLOW, Db, LATEST_OF_WORKFLOW, Pools, push_any};
use crate::store::whose::Whose;
use crate::store::{BoardLoad, DeploymentRead, EnvKey, Filter, MAX_TIMELINE, Page, Result};

type Connection = <Db as Database>::Connection;

/// An env's epoch, head and counts, read first: what follows in the transaction is of the same moment.
async fn position(connection: &mut Connection, key: &EnvKey) -> Result<Option<(Epoch, EventId, Counts)>> {
    let mut query = of_env("select epoch, head, counts from envs", key);
    let found: Option<(String, i64, String)> =
        query.build_query_as().fetch_optional(&mut *connection).await?;
    let Some((epoch, head, counts)) = found else { return Ok(None) };
    Ok(Some((parse(&epoch)?, EventId(head as u64), serde_json::from_str(&counts)?)))
}

pub(in crate::store) async fn load_board(pools: &Pools, key: &EnvKey) -> Result<BoardLoad> {
    let mut transaction = pools.own.begin(key).await?;
    let Some((epoch, event_id, counts)) = position(&mut transaction, key).await? else {
        return Ok(BoardLoad { epoch: None, loaded: Loaded::default(), ts: None });
    };
    let rows =
        deployment_rows(&mut transaction, key, &Filter::default(), MAX_DEPLOYMENTS + RESERVE + 1).await?;
    let workflows = workflow_rows(&mut transaction, key, None, MAX_WORKFLOWS + RESERVE + 1).await?;
    let mut query = of_env("select ts from events", key);
    query.push(" and event_id = ").push_bind(event_id.0 as i64);
    let last: Option<(i64,)> = query.build_query_as().fetch_optional(&mut *transaction).await?;
    transaction.commit().await?;
    let ts = last.map(|(ts,)| Timestamp::from_millis(ts));
    Ok(BoardLoad {
        epoch: Some(epoch),
        loaded: Loaded { event_id, counts, deployments: rows, workflows },
        ts,
    })
}

pub(in crate::store) async fn deployments(
    pools: &Pools,
    key: &EnvKey,
    filter: &Filter,
    limit: usize,
) -> Result<Page<Arc<DeploymentRow>>> {
    let mut transaction = pools.readers.begin(key).await?;
    let event_id = position(&mut transaction, key).await?.map_or(EventId(0), |(_, head, _)| head);
    let mut rows = deployment_rows(&mut transaction, key, filter, limit + 1).await?;
    transaction.commit().await?;
    let more = rows.len() > limit;
    rows.truncate(limit);
    Ok(Page { rows, more, event_id })
}

async fn deployment_rows(
    connection: &mut Connection,
    key: &EnvKey,
    filter: &Filter,
    limit: usize,
) -> Result<Vec<Arc<DeploymentRow>>> {
    let mut query = of_env("select row from deployments", key);
    if !filter.statuses.is_empty() {
        let statuses = filter.statuses.iter().map(|status| status.as_str().to_owned());
        push_any(query.push(" and "), "status", statuses.collect());
    }
    if !filter.workflows.is_empty() {
        push_any(query.push(" and "), "workflow", filter.workflows.clone());
    }
    if let Some(actor) = &filter.actor {
        query.push(" and actor = ").push_bind(actor.clone());
    }
    if let Some(text) = &filter.text {
        let escaped = text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
        query.push(" and (sha like ").push_bind(format!("{escaped}%")).push(" escape '\\'");
        query.push(" or haystack like ").push_bind(format!("%{escaped}%")).push(" escape '\\')");
    }
    if let Some(since) = filter.since {
        query.push(" and created_at >= ").push_bind(since.as_millis());
    }
    if let Some(until) = filter.until {
        query.push(" and created_at < ").push_bind(until.as_millis());
    }
    if let Some((created_at, id)) = filter.after {
        query.push(" and (created_at, id) < (").push_bind(created_at.as_millis());
        query.push(", ").push_bind(id.to_string()).push(")");
    }
    query.push(" order by created_at desc, id desc limit ").push_bind(limit as i64);
    decode(query.build_query_as().fetch_all(&mut *connection).await?)
}

fn decode<R: serde::de::DeserializeOwned>(found: Vec<(String,)>) -> Result<Vec<Arc<R>>> {
    found.into_iter().map(|(row,)| Ok(Arc::new(serde_json::from_str(&row)?))).collect()
}

pub(in crate::store) async fn workflows(
    pools: &Pools,
    key: &EnvKey,
    after: Option<&(Timestamp, Slug)>,
    limit: usize,
) -> Result<Page<Arc<WorkflowRow>>> {
    let mut transaction = pools.readers.begin(key).await?;
    let event_id = position(&mut transaction, key).await?.map_or(EventId(0), |(_, head, _)| head);
    let mut rows = workflow_rows(&mut transaction, key, after, limit + 1).await?;
    transaction.commit().await?;
    let more = rows.len() > limit;
    rows.truncate(limit);
    Ok(Page { rows, more, event_id })
}

async fn workflow_rows(
    connection: &mut Connection,
    key: &EnvKey,
    after: Option<&(Timestamp, Slug)>,
    limit: usize,
) -> Result<Vec<Arc<WorkflowRow>>> {
    let mut query = of_env("select row from workflows", key);
    if let Some((at, id)) = after {
        query.push(" and (latest_at < ").push_bind(at.as_millis());
        query.push(" or (latest_at = ").push_bind(at.as_millis());
        query.push(" and id > ").push_bind(id.as_str().to_owned()).push("))");
    }
    query.push(" order by latest_at desc, id limit ").push_bind(limit as i64);
    decode(query.build_query_as().fetch_all(&mut *connection).await?)
}

pub(in crate::store) async fn workflow(
    pools: &Pools,
    key: &EnvKey,
    workflow: &Slug,
) -> Result<Option<(Arc<WorkflowRow>, EventId)>> {
    let mut transaction = pools.readers.begin(key).await?;
    let Some((_, event_id, _)) = position(&mut transaction, key).await? else { return Ok(None) };
    let mut query = of_env("select row from workflows", key);
    query.push(" and id = ").push_bind(workflow.as_str().to_owned());
    let found: Option<(String,)> = query.build_query_as().fetch_optional(&mut *transaction).await?;
    transaction.commit().await?;
    let Some((row,)) = found else { return Ok(None) };
    Ok(Some((Arc::new(serde_json::from_str(&row)?), event_id)))
}

pub(in crate::store) async fn deployment(
    pools: &Pools,
    key: &EnvKey,
    id: DeploymentId,
) -> Result<Option<DeploymentRead>> {
    let mut transaction = pools.readers.begin(key).await?;
    let Some((epoch, event_id, counts)) = position(&mut transaction, key).await? else { return Ok(None) };
    let mut query = of_env("select row from deployments", key);
    query.push(" and id = ").push_bind(id.to_string());
    let found: Option<(String,)> = query.build_query_as().fetch_optional(&mut *transaction).await?;
    let Some((row,)) = found else { return Ok(None) };
    // A report makes two entries at most, and hardly any makes none: this many are enough as a rule.
    let mut query = of_env("select report from reports", key);
    query.push(" and deployment_id = ").push_bind(id.to_string());
    query.push(" order by arrival desc limit ").push_bind(MAX_TIMELINE as i64 + 1);
    let found: Vec<(String,)> = query.build_query_as().fetch_all(&mut *transaction).await?;
    transaction.commit().await?;
    let mut timeline = Vec::new();
    let mut oldest = 1;
    for (report,) in found.iter().rev() {
        let report: StoredReport = serde_json::from_str(report)?;
        if timeline.is_empty() {
            oldest = report.arrival;
        }
        timeline.extend(timeline::entries(&report));
    }
    let excess = timeline.len().saturating_sub(MAX_TIMELINE);
    let timeline_more = excess > 0 || oldest > 1;
    timeline.drain(..excess);
    Ok(Some(DeploymentRead {
        row: Arc::new(serde_json::from_str(&row)?),
        timeline,
        timeline_more,
        event_id,
        epoch,
        counts,
    }))
}

pub(in crate::store) async fn silent(
    pools: &Pools,
    before: Timestamp,
    waiting_before: Timestamp,
    limit: usize,
) -> Result<Vec<(EnvKey, DeploymentId)>> {
    let mut query = QueryBuilder::<Db>::new("select tenant, env, id from deployments where ");
    query.push("active and last_heard_at < ").push_bind(before.as_millis());
    query.push(" and (status <> 'waiting' or last_heard_at < ").push_bind(waiting_before.as_millis());
    query.push(") order by last_heard_at limit ").push_bind(limit as i64);
    // The watchdog looks after all tenants: whose was silent is the answer.
    let mut connection = pools.readers.ask(Whose::Everybodys).await?;
    let found: Vec<(String, String, String)> = query.build_query_as().fetch_all(&mut *connection).await?;
    let found = found
        .into_iter()
        .map(|(tenant, env, id)| Ok((EnvKey { tenant: parse(&tenant)?, env: parse(&env)? }, parse(&id)?)));
    found.collect()
}

pub(in crate::store) async fn outdated(
    pools: &Pools,
    key: &EnvKey,
    before: Timestamp,
    limit: usize,
) -> Result<Vec<DeploymentId>> {
    let mut query = of_env("select id from deployments", key);
    query.push(" and not active and created_at < ").push_bind(before.as_millis());
    query.push(
        " and not exists (select 1 from workflows w where w.tenant = deployments.tenant and w.env = deployments.env
         and w.id = deployments.workflow and deployments.id in (",
    );
    query.push(LATEST_OF_WORKFLOW).push(", ").push(CURRENT_OF_WORKFLOW).push("))");
    query.push(" order by created_at, id limit ").push_bind(limit as i64);
    let mut connection = pools.readers.ask(key).await?;
    let found: Vec<(String,)> = query.build_query_as().fetch_all(&mut *connection).await?;
    found.iter().map(|(id,)| parse(id)).collect()
}
