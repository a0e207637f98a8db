//! Webhooks' deliveries that were taken, so that none is taken twice.
//!
//! Shared text: compiled once per engine.

use shipboard_core::id::Slug;
use shipboard_core::time::Timestamp;
use sqlx::QueryBuilder;

use super::{Db, Pools, push_any};
use crate::store::Result;
use crate::store::whose::Whose;

pub(in crate::store) async fn is_known(
    pools: &Pools,
    tenant: &Slug,
    source: &str,
    keys: &[String],
) -> Result<bool> {
    let mut query = QueryBuilder::<Db>::new("select received_at from deliveries where tenant = ");
    query.push_bind(tenant.as_str()).push(" and source = ").push_bind(source);
    push_any(query.push(" and "), "key", keys.to_vec());
    let mut connection = pools.readers.ask(tenant).await?;
    let found: Option<(i64,)> =
        query.push(" limit 1").build_query_as().fetch_optional(&mut *connection).await?;
    Ok(found.is_some())
}

pub(in crate::store) async fn keep(
    pools: &Pools,
    tenant: &Slug,
    source: &str,
    keys: &[String],
    now: Timestamp,
) -> Result<()> {
    let mut transaction = pools.writer.begin(tenant).await?;
    for key in keys {
        sqlx::query(
            "insert into deliveries (tenant, source, key, received_at) values ($1, $2, $3, $4)
             on conflict do nothing",
        )
        .bind(tenant.as_str())
        .bind(source)
        .bind(key)
        .bind(now.as_millis())
        .execute(&mut *transaction)
        .await?;
    }
    transaction.commit().await?;
    Ok(())
}

pub(in crate::store) async fn forget(pools: &Pools, before: Timestamp) -> Result<u64> {
    // Of all tenants: what is old is old, whoever it was delivered to.
    let mut transaction = pools.writer.begin(Whose::Everybodys).await?;
    let done = sqlx::query("delete from deliveries where received_at < $1")
        .bind(before.as_millis())
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await?;
    Ok(done.rows_affected())
}
