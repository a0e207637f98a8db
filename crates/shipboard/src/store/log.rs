//! The event log: whole transactions after a position, the heads of envs, and what a check reads.
//!
//! Shared text: compiled once per engine.

use std::collections::HashMap;

use shipboard_core::event::{Change, DeploymentRow, Event, WorkflowRow};
use shipboard_core::id::{Epoch, EventId};
use shipboard_core::report::StoredReport;
use shipboard_core::time::Timestamp;
use sqlx::QueryBuilder;

use super::touched::{of_env, parse};
use super::{Db, Pools, envs, push_any_pair, without_limit};
use crate::store::whose::Whose;
use crate::store::{Audit, EnvKey, Head, Result, Tail};

/// An env's epoch and head beside an event of its log, if there is one.
type Tailed = (String, i64, Option<i64>, Option<i64>, Option<i64>, Option<String>);

pub(in crate::store) async fn tail(
    pools: &Pools,
    key: &EnvKey,
    epoch: &Epoch,
    after: EventId,
    seen: Option<Timestamp>,
    limit: usize,
) -> Result<Tail> {
    // One statement, which sees one moment: the env beside the page of its log that begins with `after` itself.
    let mut query = QueryBuilder::<Db>::new("with page as (select last_id from events where tenant = ");
    query.push_bind(key.tenant.as_str()).push(" and env = ").push_bind(key.env.as_str());
    query.push(" and event_id > ").push_bind(after.0 as i64);
    query.push(" order by event_id limit ").push_bind(limit as i64);
    query.push(") select epoch, head, event_id, last_id, ts, change from envs left join events on ");
    query.push("events.tenant = envs.tenant and events.env = envs.env and event_id >= ");
    // `coalesce` inside: PostgreSQL takes it for something that may leak, and would not look it up in an index.
    query.push_bind(after.0 as i64).push(" and event_id <= (select coalesce(max(last_id), ");
    query.push_bind(after.0 as i64).push(") from page) where envs.tenant = ").push_bind(key.tenant.as_str());
    query.push(" and envs.env = ").push_bind(key.env.as_str()).push(" order by event_id");
    let mut connection = pools.own.ask(key).await?;
    let found: Vec<Tailed> = query.build_query_as().fetch_all(&mut *connection).await?;
    drop(connection);
    let Some((_, head, ..)) = found.first().filter(|(known, ..)| known == epoch.as_str()) else {
        return Ok(Tail::Gap);
    };
    let head = *head as u64;
    if head < after.0 {
        return Ok(Tail::Back);
    }
    let mut transactions: Vec<Vec<Event>> = Vec::new();
    let mut expected = after;
    let mut last = 0;
    for (_, _, event_id, last_id, ts, change) in found {
        let (Some(event_id), Some(last_id), Some(ts), Some(change)) = (event_id, last_id, ts, change) else {
            continue;
        };
        if event_id as u64 == after.0 {
            // The log may have gone back, and forward again with other events under the same ids.
            if seen.is_some_and(|seen| seen.as_millis() != ts) {
                return Ok(Tail::Back);
            }
            continue;
        }
        expected = expected.next();
        if expected.0 != event_id as u64 {
            return Ok(Tail::Gap);
        }
        let event = decode(event_id, ts, &change)?;
        match transactions.last_mut() {
            Some(transaction) if last == last_id => transaction.push(event),
            _ => transactions.push(vec![event]),
        }
        last = last_id;
    }
    // The head is ahead of what the log holds: its beginning was trimmed away.
    Ok(if transactions.is_empty() && head > after.0 { Tail::Gap } else { Tail::Transactions(transactions) })
}

fn decode(event_id: i64, ts: i64, change: &str) -> Result<Event> {
    let change: Change = serde_json::from_str(change)?;
    Ok(Event { event_id: EventId(event_id as u64), ts: Timestamp::from_millis(ts), change })
}

pub(in crate::store) async fn heads(pools: &Pools, keys: &[EnvKey]) -> Result<Vec<(EnvKey, Head)>> {
    let mut query = QueryBuilder::<Db>::new(
        "select tenant, env, epoch, head, (select ts from events
           where events.tenant = envs.tenant and events.env = envs.env and event_id = head) from envs where ",
    );
    let keys = keys.iter().map(|key| (key.tenant.to_string(), key.env.to_string()));
    push_any_pair(&mut query, "(tenant, env)", keys.collect());
    // Of all boards at once, each second: one question for each tenant would be as many as there are tenants.
    let mut connection = pools.own.ask(Whose::Everybodys).await?;
    let found: Vec<(String, String, String, i64, Option<i64>)> =
        query.build_query_as().fetch_all(&mut *connection).await?;
    let found = found.into_iter().map(|(tenant, env, epoch, head, ts)| {
        let key = EnvKey { tenant: parse(&tenant)?, env: parse(&env)? };
        let ts = ts.map(Timestamp::from_millis);
        Ok((key, Head { epoch: parse(&epoch)?, event_id: EventId(head as u64), ts }))
    });
    found.collect()
}

pub(in crate::store) async fn renew_epoch(
    pools: &Pools,
    key: &EnvKey,
    epoch: &Epoch,
    renewed: &Epoch,
) -> Result<bool> {
    let mut transaction = pools.writer.begin(key).await?;
    let done = sqlx::query("update envs set epoch = $4 where tenant = $1 and env = $2 and epoch = $3")
        .bind(key.tenant.as_str())
        .bind(key.env.as_str())
        .bind(epoch.as_str())
        .bind(renewed.as_str())
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await?;
    Ok(done.rows_affected() > 0)
}

/// Most events removed at a time: writers wait behind it on SQLite's one write lock.
const TRIM_AT_ONCE: i64 = 2_000;

pub(in crate::store) async fn trim(pools: &Pools, key: &EnvKey, before: Timestamp, keep: u64) -> Result<u64> {
    // Asked of a reader first: as a rule there is nothing to remove, and nobody should wait for that.
    let mut query = of_env("select event_id, ts from events", key);
    query.push(" order by event_id limit 1");
    let mut reading = pools.readers.ask(key).await?;
    let oldest: Option<(i64, i64)> = query.build_query_as().fetch_optional(&mut *reading).await?;
    let mut query = of_env("select head from envs", key);
    let head: Option<(i64,)> = query.build_query_as().fetch_optional(&mut *reading).await?;
    drop(reading);
    let (Some((oldest, ts)), Some((head,))) = (oldest, head) else { return Ok(0) };
    let last = (head - keep as i64).min(oldest + TRIM_AT_ONCE - 1);
    if last < oldest || ts >= before.as_millis() {
        return Ok(0);
    }
    let mut query = of_env("delete from events", key);
    query.push(" and event_id <= ").push_bind(last).push(" and ts < ").push_bind(before.as_millis());
    let mut transaction = pools.writer.begin(key).await?;
    let done = query.build().execute(&mut *transaction).await?;
    transaction.commit().await?;
    Ok(done.rows_affected())
}

pub(in crate::store) async fn audit(pools: &Pools, key: &EnvKey) -> Result<Option<Audit>> {
    let mut transaction = pools.readers.begin(key).await?;
    without_limit(&mut transaction).await?;
    let Some(env) = envs::env_in(&mut transaction, key).await? else { return Ok(None) };

    let mut query = of_env("select deployment_id, report from reports", key);
    query.push(" order by deployment_id, arrival");
    let found: Vec<(String, String)> = query.build_query_as().fetch_all(&mut *transaction).await?;
    let mut reports: HashMap<String, Vec<StoredReport>> = HashMap::new();
    for (id, report) in found {
        reports.entry(id).or_default().push(serde_json::from_str(&report)?);
    }
    let mut query = of_env("select row from deployments", key);
    let found: Vec<(String,)> = query.build_query_as().fetch_all(&mut *transaction).await?;
    let mut deployments = Vec::with_capacity(found.len());
    for (row,) in found {
        let row: DeploymentRow = serde_json::from_str(&row)?;
        let reports = reports.remove(&row.id.to_string()).unwrap_or_default();
        deployments.push((row, reports));
    }
    let mut query = of_env("select row from workflows", key);
    let found: Vec<(String,)> = query.build_query_as().fetch_all(&mut *transaction).await?;
    let mut workflows: Vec<WorkflowRow> = Vec::with_capacity(found.len());
    for (row,) in found {
        workflows.push(serde_json::from_str(&row)?);
    }
    let mut query = of_env("select event_id, last_id, ts, change from events", key);
    query.push(" order by event_id");
    let found: Vec<(i64, i64, i64, String)> = query.build_query_as().fetch_all(&mut *transaction).await?;
    transaction.commit().await?;
    let events = found
        .into_iter()
        .map(|(id, last, ts, change)| Ok((decode(id, ts, &change)?, EventId(last as u64))))
        .collect::<Result<_>>()?;
    Ok(Some(Audit { env, deployments, workflows, events }))
}
