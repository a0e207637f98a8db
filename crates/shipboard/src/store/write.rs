//! The one transaction that changes state: lock, load, decide, write, number, commit.
//!
//! Shared text: compiled once per engine.

use std::collections::BTreeMap;
use std::sync::Arc;

use shipboard_core::counts::Counts;
use shipboard_core::decide::{Decision, Deployment, EnvState, Outcome, Request, decide};
use shipboard_core::event::DeploymentRow;
use shipboard_core::id::{DeploymentId, Epoch, EventId};
use shipboard_core::time::Timestamp;
use sqlx::Database;

use super::audit::append;
use super::touched::{load, of_env, parse};
use super::{Db, FOR_UPDATE, Pools, insert, push_any, update};
use crate::store::bulk::Rows;
use crate::store::{Birth, EnvKey, Result, Written};

type Connection = <Db as Database>::Connection;

/// The env's row, locked.
struct Locked {
    epoch: Epoch,
    head: EventId,
    clock: Timestamp,
    counts: Counts,
    /// When the event at the head was.
    ts: Option<Timestamp>,
}

/// Applies a group of requests. See [`crate::store::Store::write`].
pub(in crate::store) async fn write(
    pools: &Pools,
    key: &EnvKey,
    requests: &[Request],
    birth: Option<&Birth>,
    now: Timestamp,
) -> Result<Option<Written>> {
    let mut transaction = pools.writer.begin(key).await?;
    let mut locked = lock(&mut transaction, key).await?;
    if locked.is_none()
        && let Some(birth) = birth
    {
        create(&mut transaction, key, birth, now).await?;
        locked = lock(&mut transaction, key).await?;
    }
    let Some(locked) = locked else { return Ok(None) };
    // Receipts never go back within an env, whatever the machine's clock does.
    let (machine_time, now) = (Some(now), now.max(locked.clock));
    let state = EnvState { head: locked.head, counts: locked.counts, machine_time, ..EnvState::default() };
    let state = load(&mut transaction, key, requests, now, state).await?;
    let unchanged: BTreeMap<DeploymentId, Arc<DeploymentRow>> =
        state.deployments.iter().map(|(id, deployment)| (*id, deployment.row.clone())).collect();

    let decision = decide(state, requests, now);
    let rows = answered(&decision, unchanged);
    if decision.deployments.is_empty() && decision.deleted.is_empty() {
        // Nothing was said, or all of it refused: not even an env is made of it.
        transaction.rollback().await?;
        return Ok(Some(Written { decision, epoch: locked.epoch, after: locked.ts, rows }));
    }
    apply(&mut transaction, key, &decision, now).await?;
    transaction.commit().await?;
    Ok(Some(Written { decision, epoch: locked.epoch, after: locked.ts, rows }))
}

/// The rows, as they are now, of the deployments that the requests were taken for.
fn answered(
    decision: &Decision,
    mut rows: BTreeMap<DeploymentId, Arc<DeploymentRow>>,
) -> Vec<Arc<DeploymentRow>> {
    rows.extend(decision.deployments.iter().map(|deployment| (deployment.row.id, deployment.row.clone())));
    let ids = decision.outcomes.iter().flatten().filter_map(|outcome| match outcome {
        Outcome::Created(id) | Outcome::Known(id) => Some(id),
        Outcome::Deleted => None,
    });
    ids.filter_map(|id| rows.get(id).cloned()).collect()
}

async fn lock(connection: &mut Connection, key: &EnvKey) -> Result<Option<Locked>> {
    let mut query = of_env("select epoch, head, clock, counts from envs", key);
    query.push(FOR_UPDATE);
    let found: Option<(String, i64, i64, String)> =
        query.build_query_as().fetch_optional(&mut *connection).await?;
    let Some((epoch, head, clock, counts)) = found else { return Ok(None) };
    // A statement of its own: the one that waited for the lock sees the log as it was before.
    let mut query = of_env("select ts from events", key);
    query.push(" and event_id = ").push_bind(head);
    let ts: Option<(i64,)> = query.build_query_as().fetch_optional(&mut *connection).await?;
    Ok(Some(Locked {
        epoch: parse(&epoch)?,
        head: EventId(head as u64),
        clock: Timestamp::from_millis(clock),
        counts: serde_json::from_str(&counts)?,
        ts: ts.map(|(ts,)| Timestamp::from_millis(ts)),
    }))
}

async fn create(connection: &mut Connection, key: &EnvKey, birth: &Birth, now: Timestamp) -> Result<()> {
    if let Some(record) = &birth.tenant {
        let made = sqlx::query(
            "insert into tenants (tenant, name, created_at) values ($1, $1, $2) on conflict do nothing",
        )
        .bind(key.tenant.as_str())
        .bind(now.as_millis())
        .execute(&mut *connection)
        .await?;
        if made.rows_affected() > 0 {
            append(connection, record).await?;
        }
    }
    insert_env(connection, key, birth).await
}

/// Adds an env that is empty, unless it is there.
pub(super) async fn insert_env(connection: &mut Connection, key: &EnvKey, birth: &Birth) -> Result<()> {
    sqlx::query(
        "insert into envs (tenant, env, name, tier, position, epoch, head, clock, counts)
         select tenant, $2, $3, $4, $5, $6, 0, 0, $7 from tenants where tenant = $1
         on conflict do nothing",
    )
    .bind(key.tenant.as_str())
    .bind(key.env.as_str())
    .bind(birth.name.as_deref().unwrap_or(key.env.as_str()))
    .bind(birth.tier)
    .bind(birth.position)
    .bind(birth.epoch.as_str())
    .bind(serde_json::to_string(&Counts::default())?)
    .execute(connection)
    .await?;
    Ok(())
}

/// Writes all that was decided.
async fn apply(connection: &mut Connection, key: &EnvKey, decision: &Decision, now: Timestamp) -> Result<()> {
    delete(connection, key, decision, now).await?;
    upsert_deployments(connection, key, &decision.deployments).await?;
    update_neighbours(connection, key, &decision.neighbours).await?;
    insert_reports(connection, key, decision).await?;
    write_workflows(connection, key, decision).await?;
    insert_keys(connection, key, decision, now).await?;
    insert_events(connection, key, decision).await?;
    sqlx::query("update envs set head = $3, clock = $4, counts = $5 where tenant = $1 and env = $2")
        .bind(key.tenant.as_str())
        .bind(key.env.as_str())
        .bind(decision.head.0 as i64)
        .bind(now.as_millis())
        .bind(serde_json::to_string(&decision.counts)?)
        .execute(&mut *connection)
        .await?;
    Ok(())
}

async fn delete(
    connection: &mut Connection,
    key: &EnvKey,
    decision: &Decision,
    now: Timestamp,
) -> Result<()> {
    let deleted = || decision.deleted.iter();
    if decision.deleted.is_empty() {
        return Ok(());
    }
    let ids: Vec<String> = deleted().map(|row| row.id.to_string()).collect();
    for (delete, column) in [
        ("delete from deployments", "id"),
        ("delete from reports", "deployment_id"),
        ("delete from logs", "deployment_id"),
        ("delete from log_chunks", "deployment_id"),
    ] {
        let mut query = of_env(delete, key);
        push_any(query.push(" and "), column, ids.clone());
        query.build().execute(&mut *connection).await?;
    }
    let rows = Rows::of(key)
        .text("source", deleted().map(|row| row.source.clone()))
        .text("external_id", deleted().map(|row| row.external_id.clone()))
        .text("deployment_id", ids.into_iter())
        .int("deleted_at", deleted().map(|_| now.as_millis()));
    insert(connection, "tombstones", rows, "on conflict do nothing").await?;
    Ok(())
}

async fn upsert_deployments(
    connection: &mut Connection,
    key: &EnvKey,
    deployments: &[Deployment],
) -> Result<()> {
    if deployments.is_empty() {
        return Ok(());
    }
    let rows = || deployments.iter().map(|deployment| &deployment.row);
    let mut encoded_rows = Vec::with_capacity(deployments.len());
    let mut encoded_states = Vec::with_capacity(deployments.len());
    let mut folded = Vec::with_capacity(deployments.len());
    for deployment in deployments {
        encoded_rows.push(serde_json::to_string(&deployment.row)?);
        encoded_states.push(serde_json::to_string(&deployment.state)?);
        let state = deployment.state.fold.state();
        let removed = state.as_ref().is_some_and(|state| state.removed);
        folded.push((state.and_then(|state| state.success), removed));
    }
    let success_at = |n: usize| folded[n].0.map(|success| success.finished_at.as_millis());
    let all = || 0..deployments.len();
    let written = Rows::of(key)
        .text("id", rows().map(|row| row.id.to_string()))
        .text("workflow", rows().map(|row| row.workflow_id.to_string()))
        .text("source", rows().map(|row| row.source.clone()))
        .text("external_id", rows().map(|row| row.external_id.clone()))
        .text("status", rows().map(|row| row.status.as_str().to_owned()))
        .bool("active", rows().map(|row| row.status.is_active()))
        .maybe_text("version", rows().map(|row| row.version.clone()))
        .maybe_text("actor", rows().map(|row| row.actor.clone()))
        .maybe_text("sha", rows().map(|row| row.commit.sha.as_ref().map(|sha| sha.to_lowercase())))
        .text("haystack", rows().map(|row| haystack(row)))
        .int("created_at", rows().map(|row| row.created_at.as_millis()))
        .maybe_int("success_at", all().map(success_at))
        .maybe_int("duration_ms", all().map(|n| folded[n].0.and_then(|success| success.duration_ms)))
        .int("placed_at", all().map(|n| success_at(n).unwrap_or(deployments[n].row.created_at.as_millis())))
        .bool("removed", folded.iter().map(|(_, removed)| *removed))
        .int("last_heard_at", deployments.iter().map(|known| known.state.last_heard_at.as_millis()))
        .text("row", encoded_rows.into_iter())
        .text("state", encoded_states.into_iter());
    // Written whole: what a row shows and what queries look for in it can then never drift apart.
    let columns = written.columns.iter().skip(1).map(|(column, _)| format!("{column} = excluded.{column}"));
    let update = columns.collect::<Vec<_>>().join(", ");
    let conflict = format!("on conflict (tenant, env, id) do update set {update}");
    insert(connection, "deployments", written, &conflict).await?;
    Ok(())
}

/// What a search by text looks through, in lower case.
fn haystack(row: &DeploymentRow) -> String {
    let id = row.id.to_string();
    let parts = [
        row.version.as_deref(),
        row.message.as_deref(),
        row.commit.message.as_deref(),
        Some(row.external_id.as_str()),
        Some(id.as_str()),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join("\n").to_lowercase()
}

async fn insert_reports(connection: &mut Connection, key: &EnvKey, decision: &Decision) -> Result<()> {
    if decision.reports.is_empty() {
        return Ok(());
    }
    let reports = || decision.reports.iter().map(|(_, report)| report);
    let encoded = reports().map(serde_json::to_string).collect::<serde_json::Result<Vec<_>>>()?;
    let rows = Rows::of(key)
        .text("deployment_id", decision.reports.iter().map(|(id, _)| id.to_string()))
        .int("arrival", reports().map(|report| report.arrival as i64))
        .int("attempt", reports().map(|report| i64::from(report.attempt)))
        .text("digest", reports().map(|report| report.digest.clone()))
        .bool("dated", reports().map(|report| report.dated))
        .int("first_entry", reports().map(|report| report.first_entry as i64))
        .text("report", encoded.into_iter());
    insert(connection, "reports", rows, "").await?;
    Ok(())
}

/// Rows that nothing was said of: only what they show has changed.
async fn update_neighbours(
    connection: &mut Connection,
    key: &EnvKey,
    neighbours: &[Arc<DeploymentRow>],
) -> Result<()> {
    if neighbours.is_empty() {
        return Ok(());
    }
    let mut list = Vec::with_capacity(neighbours.len());
    for row in neighbours {
        list.push((row.id.to_string(), serde_json::to_string(row)?));
    }
    update(connection, key, "deployments", "row", list).await?;
    Ok(())
}

async fn write_workflows(connection: &mut Connection, key: &EnvKey, decision: &Decision) -> Result<()> {
    let gone = decision.workflows.iter().filter(|row| row.latest.is_none());
    let gone: Vec<String> = gone.map(|row| row.id.to_string()).collect();
    if !gone.is_empty() {
        let mut query = of_env("delete from workflows", key);
        push_any(query.push(" and "), "id", gone);
        query.build().execute(&mut *connection).await?;
    }
    let there = || decision.workflows.iter().filter_map(|row| Some((row, row.latest.as_ref()?)));
    let encoded =
        there().map(|(row, _)| serde_json::to_string(row)).collect::<serde_json::Result<Vec<_>>>()?;
    if encoded.is_empty() {
        return Ok(());
    }
    let rows = Rows::of(key)
        .text("id", there().map(|(row, _)| row.id.to_string()))
        .int("latest_at", there().map(|(_, latest)| latest.at.as_millis()))
        .text("row", encoded.into_iter());
    let conflict =
        "on conflict (tenant, env, id) do update set latest_at = excluded.latest_at, row = excluded.row";
    insert(connection, "workflows", rows, conflict).await?;
    Ok(())
}

async fn insert_keys(
    connection: &mut Connection,
    key: &EnvKey,
    decision: &Decision,
    now: Timestamp,
) -> Result<()> {
    if decision.keys.is_empty() {
        return Ok(());
    }
    let keys = || decision.keys.iter();
    let rows = Rows::of(key)
        .text("key", keys().map(|(name, _)| name.clone()))
        .text("body", keys().map(|(_, used)| used.body.clone()))
        .text("deployment_id", keys().map(|(_, used)| used.deployment_id.to_string()))
        .int("created_at", keys().map(|_| now.as_millis()));
    insert(connection, "idempotency_keys", rows, "").await?;
    Ok(())
}

async fn insert_events(connection: &mut Connection, key: &EnvKey, decision: &Decision) -> Result<()> {
    if decision.events.is_empty() {
        return Ok(());
    }
    let events = || decision.events.iter();
    let encoded =
        events().map(|event| serde_json::to_string(&event.change)).collect::<serde_json::Result<Vec<_>>>()?;
    let rows = Rows::of(key)
        .int("event_id", events().map(|event| event.event_id.0 as i64))
        .int("last_id", events().map(|_| decision.head.0 as i64))
        .int("ts", events().map(|event| event.ts.as_millis()))
        .text("change", encoded.into_iter());
    insert(connection, "events", rows, "").await?;
    Ok(())
}
