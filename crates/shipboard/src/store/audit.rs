//! The audit log: appended to, never changed; the database itself refuses that.
//!
//! Shared text: compiled once per engine.

use shipboard_core::id::Slug;
use shipboard_core::time::Timestamp;
use sqlx::{Database, QueryBuilder};

use super::touched::parse;
use super::{Db, Pools};
use crate::store::whose::Whose;
use crate::store::{Record, Result};

/// Appends a line within a transaction: what it tells of is committed with it, or neither.
pub(super) async fn append(connection: &mut <Db as Database>::Connection, record: &Record) -> Result<()> {
    sqlx::query(
        "insert into audit (tenant, id, at, actor, address, action, subject, detail)
         values ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(record.tenant.as_ref().map_or("", Slug::as_str))
    .bind(&record.id)
    .bind(record.at.as_millis())
    .bind(&record.actor)
    .bind(record.address.as_deref())
    .bind(&record.action)
    .bind(&record.subject)
    .bind(record.detail.to_string())
    .execute(connection)
    .await?;
    Ok(())
}

/// Whose affair a line is. The server's own are nobody's else: no tenant is shown them, and who is shown all is.
fn whose(tenant: Option<&Slug>) -> Whose<'_> {
    tenant.map_or(Whose::Everybodys, Whose::Tenants)
}

pub(in crate::store) async fn note(pools: &Pools, record: &Record) -> Result<()> {
    let mut transaction = pools.writer.begin(whose(record.tenant.as_ref())).await?;
    append(&mut transaction, record).await?;
    transaction.commit().await?;
    Ok(())
}

type Columns = (String, String, i64, String, Option<String>, String, String, String);

pub(in crate::store) async fn records(
    pools: &Pools,
    tenant: Option<&Slug>,
    before: Option<&str>,
    limit: usize,
) -> Result<Vec<Record>> {
    let mut query = QueryBuilder::<Db>::new(
        "select tenant, id, at, actor, address, action, subject, detail from audit where tenant = ",
    );
    query.push_bind(tenant.map_or("", Slug::as_str));
    if let Some(before) = before {
        query.push(" and id < ").push_bind(before);
    }
    query.push(" order by id desc limit ").push_bind(limit as i64);
    let mut connection = pools.readers.ask(whose(tenant)).await?;
    let found: Vec<Columns> = query.build_query_as().fetch_all(&mut *connection).await?;
    let found = found.into_iter().map(|(tenant, id, at, actor, address, action, subject, detail)| {
        Ok(Record {
            id,
            at: Timestamp::from_millis(at),
            tenant: if tenant.is_empty() { None } else { Some(parse(&tenant)?) },
            actor,
            address,
            action,
            subject,
            detail: serde_json::from_str(&detail)?,
        })
    });
    found.collect()
}
