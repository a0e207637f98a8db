//! Deployments' logs: bytes by offset. They are no part of the event log, and take no lock of the env.
//!
//! Shared text: compiled once per engine.

use shipboard_core::id::DeploymentId;
use shipboard_core::time::Timestamp;
use sqlx::{Database, QueryBuilder};

use super::touched::{of_env, parse};
use super::{Db, FOR_UPDATE, Pools, push_any};
use crate::store::{Appended, EnvKey, LogPart, MAX_LOG_BYTES, Result};

/// Longest chunk: as long as the longest body.
const MAX_CHUNK: usize = 1024 * 1024;

type Connection = <Db as Database>::Connection;

pub(in crate::store) async fn append(
    pools: &Pools,
    key: &EnvKey,
    id: DeploymentId,
    offset: u64,
    bytes: &[u8],
    now: Timestamp,
) -> Result<Appended> {
    let mut transaction = pools.writer.begin(key).await?;
    let id = id.to_string();
    // A log that grows is a sign of life: this is what the watchdog asks by. The writer keeps its own record.
    let heard = sqlx::query(
        "update deployments set last_heard_at = case when last_heard_at < $4 then $4 else last_heard_at end
         where tenant = $1 and env = $2 and id = $3",
    )
    .bind(key.tenant.as_str())
    .bind(key.env.as_str())
    .bind(&id)
    .bind(now.as_millis())
    .execute(&mut *transaction)
    .await?;
    if heard.rows_affected() == 0 {
        return Ok(Appended::NoDeployment);
    }
    sqlx::query(
        "insert into logs (tenant, env, deployment_id, length) values ($1, $2, $3, 0) on conflict do nothing",
    )
    .bind(key.tenant.as_str())
    .bind(key.env.as_str())
    .bind(&id)
    .execute(&mut *transaction)
    .await?;
    let mut query = of_env("select length from logs", key);
    query.push(" and deployment_id = ").push_bind(&id).push(FOR_UPDATE);
    let (length,): (i64,) = query.build_query_as().fetch_one(&mut *transaction).await?;
    let length = length as u64;
    if offset > length {
        return Ok(Appended::Gap(length));
    }
    let held = ((length - offset) as usize).min(bytes.len());
    let new = &bytes[held..];
    if new.is_empty() {
        return Ok(Appended::Grown(length));
    }
    let grown = length + new.len() as u64;
    if grown > MAX_LOG_BYTES {
        return Ok(Appended::Full(length));
    }
    let mut start = length;
    for chunk in new.chunks(MAX_CHUNK) {
        sqlx::query(
            "insert into log_chunks (tenant, env, deployment_id, start, length, bytes)
             values ($1, $2, $3, $4, $5, $6)",
        )
        .bind(key.tenant.as_str())
        .bind(key.env.as_str())
        .bind(&id)
        .bind(start as i64)
        .bind(chunk.len() as i64)
        .bind(chunk)
        .execute(&mut *transaction)
        .await?;
        start += chunk.len() as u64;
    }
    sqlx::query("update logs set length = $4 where tenant = $1 and env = $2 and deployment_id = $3")
        .bind(key.tenant.as_str())
        .bind(key.env.as_str())
        .bind(&id)
        .bind(grown as i64)
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await?;
    Ok(Appended::Grown(grown))
}

async fn exists(connection: &mut Connection, key: &EnvKey, id: DeploymentId) -> Result<bool> {
    let mut query = of_env("select id from deployments", key);
    query.push(" and id = ").push_bind(id.to_string());
    let found: Option<(String,)> = query.build_query_as().fetch_optional(connection).await?;
    Ok(found.is_some())
}

pub(in crate::store) async fn read(
    pools: &Pools,
    key: &EnvKey,
    id: DeploymentId,
    offset: u64,
    limit: usize,
) -> Result<Option<LogPart>> {
    let mut transaction = pools.readers.begin(key).await?;
    if !exists(&mut transaction, key, id).await? {
        return Ok(None);
    }
    let id = id.to_string();
    let mut query = of_env("select length from logs", key);
    query.push(" and deployment_id = ").push_bind(&id);
    let length: Option<(i64,)> = query.build_query_as().fetch_optional(&mut *transaction).await?;
    let length = length.map_or(0, |(length,)| length as u64);
    let offset = offset.min(length);
    let end = length.min(offset + limit as u64);
    let (from, to) = (offset as i64, end as i64);
    // Of each chunk only what is wanted: one of a whole body would be read as often as it has pieces.
    let mut query = QueryBuilder::<Db>::new("select substr(bytes, cast(case when start < ");
    query.push_bind(from).push(" then ").push_bind(from + 1).push(" - start else 1 end as integer), cast(");
    query.push_bind(to).push(" - case when start < ").push_bind(from).push(" then ").push_bind(from);
    query.push(" else start end as integer)) from log_chunks where tenant = ").push_bind(key.tenant.as_str());
    query.push(" and env = ").push_bind(key.env.as_str());
    query.push(" and deployment_id = ").push_bind(&id);
    // From the chunk on that the offset is in: it is looked up, for one that was appended byte by byte has a million
    // before it that might be.
    query.push(" and start >= (select start from log_chunks where tenant = ").push_bind(key.tenant.as_str());
    query.push(" and env = ").push_bind(key.env.as_str());
    query.push(" and deployment_id = ").push_bind(&id);
    query.push(" and start <= ").push_bind(from).push(" order by start desc limit 1)");
    query.push(" and start < ").push_bind(to).push(" order by start");
    let mut bytes = Vec::with_capacity((end - offset) as usize);
    if offset < end {
        let chunks: Vec<(Vec<u8>,)> = query.build_query_as().fetch_all(&mut *transaction).await?;
        chunks.into_iter().for_each(|(chunk,)| bytes.extend_from_slice(&chunk));
    }
    transaction.commit().await?;
    Ok(Some(LogPart { offset, bytes, length }))
}

pub(in crate::store) async fn lengths(
    pools: &Pools,
    key: &EnvKey,
    ids: &[DeploymentId],
) -> Result<Vec<(DeploymentId, u64)>> {
    let mut query = of_env("select deployment_id, length from logs", key);
    push_any(query.push(" and "), "deployment_id", ids.iter().map(ToString::to_string).collect());
    let mut connection = pools.own.ask(key).await?;
    let found: Vec<(String, i64)> = query.build_query_as().fetch_all(&mut *connection).await?;
    found.into_iter().map(|(id, length)| Ok((parse(&id)?, length as u64))).collect()
}
