//! Tenants, envs and Idempotency-Keys.
//!
//! Shared text: compiled once per engine.

use shipboard_core::id::{EventId, Slug};
use shipboard_core::time::Timestamp;
use sqlx::{Database, QueryBuilder};

use super::touched::{of_env, parse, unexpected};
use super::write::insert_env;
use super::{Db, NOW, Pools};
use crate::store::whose::Whose;
use crate::store::{Birth, Env, EnvKey, Result};

type Connection = <Db as Database>::Connection;
type EnvColumns = (String, String, String, i64, String, i64, String);

const ENV: &str = "select env, name, tier, position, epoch, head, counts from envs";

fn env_of((slug, name, tier, position, epoch, head, counts): EnvColumns) -> Result<Env> {
    let (slug, epoch) = (parse(&slug)?, parse(&epoch)?);
    let counts = serde_json::from_str(&counts)?;
    Ok(Env { slug, name, tier, position, epoch, head: EventId(head as u64), counts })
}

pub(super) async fn env_in(connection: &mut Connection, key: &EnvKey) -> Result<Option<Env>> {
    let mut query = of_env(ENV, key);
    let found: Option<EnvColumns> = query.build_query_as().fetch_optional(connection).await?;
    found.map(env_of).transpose()
}

pub(in crate::store) async fn env(pools: &Pools, key: &EnvKey) -> Result<Option<Env>> {
    let mut connection = pools.readers.ask(key).await?;
    env_in(&mut connection, key).await
}

pub(in crate::store) async fn envs(pools: &Pools, tenant: &Slug) -> Result<Vec<Env>> {
    let mut query = QueryBuilder::<Db>::new(ENV);
    query.push(" where tenant = ").push_bind(tenant.as_str()).push(" order by position, env");
    let mut connection = pools.readers.ask(tenant).await?;
    let found: Vec<EnvColumns> = query.build_query_as().fetch_all(&mut *connection).await?;
    found.into_iter().map(env_of).collect()
}

pub(in crate::store) async fn all_envs(pools: &Pools, limit: usize) -> Result<Vec<(Slug, Env)>> {
    type Columns = (String, String, String, String, i64, String, i64, String);
    // For the metrics and commands of the instance, which are about all of it.
    let mut connection = pools.readers.ask(Whose::Everybodys).await?;
    let found: Vec<Columns> = sqlx::query_as(
        "select tenant, env, name, tier, position, epoch, head, counts from envs order by tenant, env limit $1",
    )
    .bind(limit as i64)
    .fetch_all(&mut *connection)
    .await?;
    let found = found.into_iter().map(|(tenant, slug, name, tier, position, epoch, head, counts)| {
        Ok((parse(&tenant)?, env_of((slug, name, tier, position, epoch, head, counts))?))
    });
    found.collect()
}

pub(in crate::store) async fn put_env(
    pools: &Pools,
    key: &EnvKey,
    name: Option<&str>,
    tier: Option<&str>,
    position: Option<i64>,
    birth: &Birth,
) -> Result<Env> {
    let mut transaction = pools.writer.begin(key).await?;
    insert_env(&mut transaction, key, birth).await?;
    sqlx::query(
        "update envs set name = coalesce($3, name), tier = coalesce($4, tier), position = coalesce($5, position)
         where tenant = $1 and env = $2",
    )
    .bind(key.tenant.as_str())
    .bind(key.env.as_str())
    .bind(name)
    .bind(tier)
    .bind(position)
    .execute(&mut *transaction)
    .await?;
    let env = env_in(&mut transaction, key).await?.ok_or_else(|| unexpected("env", key.env.as_str()))?;
    transaction.commit().await?;
    Ok(env)
}

pub(in crate::store) async fn tenant(pools: &Pools, tenant: &Slug) -> Result<Option<String>> {
    let mut connection = pools.readers.ask(tenant).await?;
    let query = sqlx::query_as("select name from tenants where tenant = $1").bind(tenant.as_str());
    let found: Option<(String,)> = query.fetch_optional(&mut *connection).await?;
    Ok(found.map(|(name,)| name))
}

pub(in crate::store) async fn tenants(pools: &Pools) -> Result<Vec<(Slug, String)>> {
    // Which tenants there are is no tenant's own: whoever answers with it leaves out what the caller may not see.
    let mut connection = pools.readers.ask(Whose::Everybodys).await?;
    let query = sqlx::query_as("select tenant, name from tenants order by tenant");
    let found: Vec<(String, String)> = query.fetch_all(&mut *connection).await?;
    found.into_iter().map(|(tenant, name)| Ok((parse(&tenant)?, name))).collect()
}

pub(in crate::store) async fn put_tenant(
    pools: &Pools,
    tenant: &Slug,
    name: Option<&str>,
    now: Timestamp,
) -> Result<bool> {
    let mut transaction = pools.writer.begin(tenant).await?;
    let made = sqlx::query(
        "insert into tenants (tenant, name, created_at) values ($1, coalesce($2, $1), $3) on conflict do nothing",
    )
    .bind(tenant.as_str())
    .bind(name)
    .bind(now.as_millis())
    .execute(&mut *transaction)
    .await?;
    let is_new = made.rows_affected() > 0;
    if !is_new {
        sqlx::query("update tenants set name = coalesce($2, name) where tenant = $1")
            .bind(tenant.as_str())
            .bind(name)
            .execute(&mut *transaction)
            .await?;
    }
    transaction.commit().await?;
    Ok(is_new)
}

pub(in crate::store) async fn forget_keys(pools: &Pools, before: Timestamp) -> Result<u64> {
    // Of all tenants: what is old is old, whoever has used it.
    let mut transaction = pools.writer.begin(Whose::Everybodys).await?;
    let done = sqlx::query("delete from idempotency_keys where created_at < $1")
        .bind(before.as_millis())
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await?;
    Ok(done.rows_affected())
}

pub(in crate::store) async fn ping(pools: &Pools) -> Result<Option<Timestamp>> {
    let mut connection = pools.own.knock().await?;
    let (now,): (Option<i64>,) = sqlx::query_as(NOW).fetch_one(&mut *connection).await?;
    Ok(now.map(Timestamp::from_millis))
}
