//! Webhooks' deliveries that were taken, so that none is taken twice.
//!
//! Shared text: compiled once per engine.

use shipboard_core::id::Slug;
use shipboard_core::time::Timestamp;
use sqlx::QueryBuilder;

use super::{BEGIN_WRITE, Db, Pools, begin, push_any};
use crate::store::Result;

pub(in crate::store) async fn is_known(
    pools: &Pools,
    tenant: &Slug,
    source: &str,
    keys: &[String],
) -> Result<bool> {
    let mut query = QueryBuilder::<Db>::new("select received_at from deliveries where tenant = ");
    query.push_bind(tenant.as_str()).push(" and source = ").push_bind(source);
    push_any(query.push(" and "), "key", keys.to_vec());
    let found: Option<(i64,)> =
        query.push(" limit 1").build_query_as().fetch_optional(&pools.readers).await?;
    Ok(found.is_some())
}

pub(in crate::store) async fn keep(
    pools: &Pools,
    tenant: &Slug,
    source: &str,
    keys: &[String],
    now: Timestamp,
) -> Result<()> {
    let mut transaction = begin(&pools.writer, BEGIN_WRITE).await?;
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
    let done = sqlx::query("delete from deliveries where received_at < $1")
        .bind(before.as_millis())
        .execute(&pools.writer)
        .await?;
    Ok(done.rows_affected())
}
