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
use sqlx::{Database, QueryBuilder};

use super::touched::{among, load, of_env, parse};
use super::{BEGIN_WRITE, Db, FOR_UPDATE, MAX_BINDS, Pools};
use crate::store::{Birth, EnvKey, Result, Written};

type Connection = <Db as Database>::Connection;

/// The env's row, locked.
struct Locked {
    epoch: Epoch,
    head: EventId,
    clock: Timestamp,
    counts: Counts,
}

/// Applies a group of requests. See [`crate::store::Store::write`].
pub(in crate::store) async fn write(
    pools: &Pools,
    key: &EnvKey,
    requests: &[Request],
    birth: Option<&Birth>,
    now: Timestamp,
) -> Result<Option<Written>> {
    let mut transaction = pools.writer.begin_with(BEGIN_WRITE).await?;
    let mut locked = lock(&mut transaction, key).await?;
    if locked.is_none()
        && let Some(birth) = birth
    {
        create(&mut transaction, key, birth, now).await?;
        locked = lock(&mut transaction, key).await?;
    }
    let Some(locked) = locked else { return Ok(None) };
    // Receipts never go back within an env, whatever the machine's clock does.
    let now = now.max(locked.clock);
    let state = EnvState { head: locked.head, counts: locked.counts, ..EnvState::default() };
    let state = load(&mut transaction, key, requests, now, state).await?;
    let unchanged: BTreeMap<DeploymentId, Arc<DeploymentRow>> =
        state.deployments.iter().map(|(id, deployment)| (*id, deployment.row.clone())).collect();

    let decision = decide(state, requests, now);
    let rows = answered(&decision, unchanged);
    if decision.deployments.is_empty() && decision.deleted.is_empty() {
        // Nothing was said, or all of it refused: not even an env is made of it.
        transaction.rollback().await?;
        return Ok(Some(Written { decision, epoch: locked.epoch, rows }));
    }
    apply(&mut transaction, key, &decision, now).await?;
    transaction.commit().await?;
    Ok(Some(Written { decision, epoch: locked.epoch, rows }))
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
    Ok(Some(Locked {
        epoch: parse(&epoch)?,
        head: EventId(head as u64),
        clock: Timestamp::from_millis(clock),
        counts: serde_json::from_str(&counts)?,
    }))
}

async fn create(connection: &mut Connection, key: &EnvKey, birth: &Birth, now: Timestamp) -> Result<()> {
    if birth.with_tenant {
        sqlx::query(
            "insert into tenants (tenant, name, created_at) values ($1, $1, $2) on conflict do nothing",
        )
        .bind(key.tenant.as_str())
        .bind(now.as_millis())
        .execute(&mut *connection)
        .await?;
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
    for row in &decision.neighbours {
        sqlx::query("update deployments set row = $4 where tenant = $1 and env = $2 and id = $3")
            .bind(key.tenant.as_str())
            .bind(key.env.as_str())
            .bind(row.id.to_string())
            .bind(serde_json::to_string(row)?)
            .execute(&mut *connection)
            .await?;
    }
    insert_reports(connection, key, decision).await?;
    write_workflows(connection, key, decision).await?;
    for (name, used) in &decision.keys {
        sqlx::query(
            "insert into idempotency_keys (tenant, env, key, body, deployment_id, created_at)
             values ($1, $2, $3, $4, $5, $6)",
        )
        .bind(key.tenant.as_str())
        .bind(key.env.as_str())
        .bind(name)
        .bind(&used.body)
        .bind(used.deployment_id.to_string())
        .bind(now.as_millis())
        .execute(&mut *connection)
        .await?;
    }
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
    let ids: Vec<String> = decision.deleted.iter().map(|row| row.id.to_string()).collect();
    for part in ids.chunks(MAX_BINDS - 2) {
        for (delete, column) in [
            ("delete from deployments", "id"),
            ("delete from reports", "deployment_id"),
            ("delete from logs", "deployment_id"),
            ("delete from log_chunks", "deployment_id"),
        ] {
            let mut query = of_env(delete, key);
            among(&mut query, column, part.iter().map(String::as_str));
            query.build().execute(&mut *connection).await?;
        }
    }
    for part in decision.deleted.chunks(MAX_BINDS / 6) {
        let mut query = QueryBuilder::<Db>::new(
            "insert into tombstones (tenant, env, source, external_id, deployment_id, deleted_at) ",
        );
        query.push_values(part, |mut values, row| {
            values
                .push_bind(key.tenant.as_str())
                .push_bind(key.env.as_str())
                .push_bind(&row.source)
                .push_bind(&row.external_id)
                .push_bind(row.id.to_string())
                .push_bind(now.as_millis());
        });
        query.push(" on conflict do nothing");
        query.build().execute(&mut *connection).await?;
    }
    Ok(())
}

const COLUMNS: [&str; 19] = [
    "tenant",
    "env",
    "id",
    "workflow",
    "source",
    "external_id",
    "status",
    "version",
    "actor",
    "sha",
    "haystack",
    "created_at",
    "success_at",
    "duration_ms",
    "placed_at",
    "removed",
    "last_heard_at",
    "row",
    "state",
];

async fn upsert_deployments(
    connection: &mut Connection,
    key: &EnvKey,
    deployments: &[Deployment],
) -> Result<()> {
    // Written whole: what a row shows and what queries look for in it can then never drift apart.
    let update = COLUMNS[3..].iter().map(|column| format!("{column} = excluded.{column}"));
    let update = update.collect::<Vec<_>>().join(", ");
    for part in deployments.chunks(MAX_BINDS / COLUMNS.len()) {
        let mut encoded = Vec::with_capacity(part.len());
        for deployment in part {
            let row = serde_json::to_string(&deployment.row)?;
            encoded.push((deployment, row, serde_json::to_string(&deployment.state)?));
        }
        let mut query = QueryBuilder::<Db>::new(format!("insert into deployments ({}) ", COLUMNS.join(", ")));
        query.push_values(encoded, |mut values, (deployment, encoded_row, encoded_state)| {
            let row = &deployment.row;
            let folded = deployment.state.fold.state();
            let success = folded.as_ref().and_then(|folded| folded.success);
            let success_at = success.map(|success| success.finished_at);
            values
                .push_bind(key.tenant.as_str())
                .push_bind(key.env.as_str())
                .push_bind(row.id.to_string())
                .push_bind(row.workflow_id.as_str())
                .push_bind(&row.source)
                .push_bind(&row.external_id)
                .push_bind(row.status.as_str())
                .push_bind(&row.version)
                .push_bind(&row.actor)
                .push_bind(row.commit.sha.as_ref().map(|sha| sha.to_lowercase()))
                .push_bind(haystack(row))
                .push_bind(row.created_at.as_millis())
                .push_bind(success_at.map(Timestamp::as_millis))
                .push_bind(success.and_then(|success| success.duration_ms))
                .push_bind(success_at.unwrap_or(row.created_at).as_millis())
                .push_bind(folded.is_some_and(|folded| folded.removed))
                .push_bind(deployment.state.last_heard_at.as_millis())
                .push_bind(encoded_row)
                .push_bind(encoded_state);
        });
        query.push(" on conflict (tenant, env, id) do update set ").push(&update);
        query.build().execute(&mut *connection).await?;
    }
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
    for part in decision.reports.chunks(MAX_BINDS / 9) {
        let mut encoded = Vec::with_capacity(part.len());
        for (id, report) in part {
            encoded.push((id.to_string(), report, serde_json::to_string(report)?));
        }
        let mut query = QueryBuilder::<Db>::new(
            "insert into reports (tenant, env, deployment_id, arrival, attempt, digest, dated, first_entry, report) ",
        );
        query.push_values(encoded, |mut values, (id, report, encoded)| {
            values
                .push_bind(key.tenant.as_str())
                .push_bind(key.env.as_str())
                .push_bind(id)
                .push_bind(report.arrival as i64)
                .push_bind(i64::from(report.attempt))
                .push_bind(&report.digest)
                .push_bind(report.dated)
                .push_bind(report.first_entry as i64)
                .push_bind(encoded);
        });
        query.build().execute(&mut *connection).await?;
    }
    Ok(())
}

async fn write_workflows(connection: &mut Connection, key: &EnvKey, decision: &Decision) -> Result<()> {
    for row in &decision.workflows {
        let (tenant, env, id) = (key.tenant.as_str(), key.env.as_str(), row.id.as_str());
        let Some(latest) = &row.latest else {
            sqlx::query("delete from workflows where tenant = $1 and env = $2 and id = $3")
                .bind(tenant)
                .bind(env)
                .bind(id)
                .execute(&mut *connection)
                .await?;
            continue;
        };
        sqlx::query(
            "insert into workflows (tenant, env, id, latest_at, row) values ($1, $2, $3, $4, $5)
             on conflict (tenant, env, id) do update set latest_at = excluded.latest_at, row = excluded.row",
        )
        .bind(tenant)
        .bind(env)
        .bind(id)
        .bind(latest.at.as_millis())
        .bind(serde_json::to_string(row)?)
        .execute(&mut *connection)
        .await?;
    }
    Ok(())
}

async fn insert_events(connection: &mut Connection, key: &EnvKey, decision: &Decision) -> Result<()> {
    for part in decision.events.chunks(MAX_BINDS / 6) {
        let mut encoded = Vec::with_capacity(part.len());
        for event in part {
            encoded.push((event, serde_json::to_string(&event.change)?));
        }
        let mut query =
            QueryBuilder::<Db>::new("insert into events (tenant, env, event_id, last_id, ts, change) ");
        query.push_values(encoded, |mut values, (event, change)| {
            values
                .push_bind(key.tenant.as_str())
                .push_bind(key.env.as_str())
                .push_bind(event.event_id.0 as i64)
                .push_bind(decision.head.0 as i64)
                .push_bind(event.ts.as_millis())
                .push_bind(change);
        });
        query.build().execute(&mut *connection).await?;
    }
    Ok(())
}
