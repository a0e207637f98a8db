//! Signed-in browsers, and when credentials were last used. A person may be of several tenants, so that these
//! verbs are about people: they see sessions, append to the audit log, and are shown nothing of any tenant's.
//!
//! Shared text: compiled once per engine.

use std::collections::BTreeSet;

use serde_json::json;
use shipboard_core::id::Slug;
use shipboard_core::time::Timestamp;
use sqlx::{QueryBuilder, Transaction};

use super::audit::append;
use super::{Db, Pools};
use crate::store::whose::Whose;
use crate::store::{Grant, Record, Result, Session};

/// Begins to change sessions, one change after the other; gives the change's number.
async fn begin_change(pools: &Pools) -> Result<(Transaction<'static, Db>, i64)> {
    let mut transaction = pools.writer.begin(Whose::Peoples).await?;
    let (change,): (i64,) =
        sqlx::query_as("update credential_changes set sessions = sessions + 1 returning sessions")
            .fetch_one(&mut *transaction)
            .await?;
    Ok((transaction, change))
}

pub(in crate::store) async fn add_session(
    pools: &Pools,
    session: &Session,
    most: usize,
    records: &[Record],
) -> Result<()> {
    let (mut transaction, change) = begin_change(pools).await?;
    let ended: Vec<(String, String)> = sqlx::query_as(
        "update sessions set revoked_at = $2, change = $3 where id in (
             select id from sessions where subject = $1 and revoked_at is null
             order by used_at desc, id limit $5 offset $4)
         returning id, grants",
    )
    .bind(&session.subject)
    .bind(session.created_at.as_millis())
    .bind(change)
    .bind(most.saturating_sub(1) as i64)
    .bind(i64::MAX)
    .fetch_all(&mut *transaction)
    .await?;
    sqlx::query(
        "insert into sessions (id, subject, name, token, grants, rules, hash, created_at, rotated_at, used_at,
             expires_at, change)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
    )
    .bind(&session.id)
    .bind(&session.subject)
    .bind(&session.name)
    .bind(session.token.as_deref())
    .bind(serde_json::to_string(&session.grants)?)
    .bind(session.rules.as_deref())
    .bind(&session.hash)
    .bind(session.created_at.as_millis())
    .bind(session.rotated_at.as_millis())
    .bind(session.used_at.as_millis())
    .bind(session.expires_at.as_millis())
    .bind(change)
    .execute(&mut *transaction)
    .await?;
    for record in records.iter().cloned().chain(one_too_many(records, &ended)) {
        append(&mut transaction, &record).await?;
    }
    transaction.commit().await?;
    Ok(())
}

/// That sessions ended because another one began, beside what is recorded of that one.
fn one_too_many(records: &[Record], ended: &[(String, String)]) -> Vec<Record> {
    let tenants = ended.iter().flat_map(|(id, grants)| {
        // What cannot be read is of nobody that could be told.
        let grants: Vec<Grant> = serde_json::from_str(grants).unwrap_or_default();
        let tenants: BTreeSet<Slug> = grants.into_iter().map(|grant| grant.tenant).collect();
        tenants.into_iter().map(move |tenant| (id.clone(), tenant))
    });
    let records =
        records.iter().take(1).cycle().zip(tenants).enumerate().map(|(n, (record, (id, tenant)))| Record {
            id: format!("{}.{n}", record.id),
            tenant: Some(tenant),
            action: "session.end".to_owned(),
            subject: id,
            detail: json!({"by": "limit"}),
            ..record.clone()
        });
    records.collect()
}

pub(in crate::store) async fn rotate_session(
    pools: &Pools,
    id: &str,
    shown: &str,
    hash: &str,
    before: Timestamp,
    now: Timestamp,
) -> Result<bool> {
    let (mut transaction, change) = begin_change(pools).await?;
    let done = sqlx::query(
        "update sessions set former_hash = $2, hash = $3, rotated_at = $5, change = $6
         where id = $1 and (hash = $2 or former_hash = $2) and rotated_at < $4 and revoked_at is null",
    )
    .bind(id)
    .bind(shown)
    .bind(hash)
    .bind(before.as_millis())
    .bind(now.as_millis())
    .bind(change)
    .execute(&mut *transaction)
    .await?;
    transaction.commit().await?;
    Ok(done.rows_affected() > 0)
}

/// Ends the sessions whose `column` is this.
async fn end(pools: &Pools, column: &'static str, value: &str, records: &[Record]) -> Result<u64> {
    let (mut transaction, change) = begin_change(pools).await?;
    let at = records.iter().map(|record| record.at).max().unwrap_or_default();
    let mut query = QueryBuilder::<Db>::new("update sessions set revoked_at = ");
    query.push_bind(at.as_millis()).push(", change = ").push_bind(change);
    query.push(" where revoked_at is null and ").push(column).push(" = ").push_bind(value);
    let ended = query.build().execute(&mut *transaction).await?.rows_affected();
    if ended > 0 {
        for record in records {
            append(&mut transaction, record).await?;
        }
        transaction.commit().await?;
    }
    Ok(ended)
}

pub(in crate::store) async fn end_session(pools: &Pools, id: &str, records: &[Record]) -> Result<bool> {
    Ok(end(pools, "id", id, records).await? > 0)
}

pub(in crate::store) async fn end_sessions_of(
    pools: &Pools,
    subject: &str,
    records: &[Record],
) -> Result<u64> {
    end(pools, "subject", subject, records).await
}

#[derive(sqlx::FromRow)]
struct SessionColumns {
    id: String,
    subject: String,
    name: String,
    token: Option<String>,
    grants: String,
    rules: Option<String>,
    hash: String,
    former_hash: Option<String>,
    created_at: i64,
    rotated_at: i64,
    used_at: i64,
    expires_at: i64,
    revoked_at: Option<i64>,
}

impl SessionColumns {
    /// What cannot be read has ended: it must not keep anybody from hearing of the others.
    fn read(self) -> Session {
        let grants = serde_json::from_str(&self.grants).inspect_err(
            |error| tracing::error!(id = self.id, %error, "a session cannot be read, and does not hold"),
        );
        let ended = self.revoked_at.or(grants.is_err().then_some(self.used_at));
        Session {
            id: self.id,
            subject: self.subject,
            name: self.name,
            token: self.token,
            grants: grants.unwrap_or_default(),
            rules: self.rules,
            hash: self.hash,
            former_hash: self.former_hash,
            created_at: Timestamp::from_millis(self.created_at),
            rotated_at: Timestamp::from_millis(self.rotated_at),
            used_at: Timestamp::from_millis(self.used_at),
            expires_at: Timestamp::from_millis(self.expires_at),
            revoked_at: ended.map(Timestamp::from_millis),
        }
    }
}

pub(in crate::store) async fn sessions_after(pools: &Pools, change: i64) -> Result<Vec<Session>> {
    let mut connection = pools.own.ask(Whose::Peoples).await?;
    let found: Vec<SessionColumns> = sqlx::query_as(
        "select id, subject, name, token, grants, rules, hash, former_hash, created_at, rotated_at, used_at,
             expires_at, revoked_at
         from sessions where change > $1",
    )
    .bind(change)
    .fetch_all(&mut *connection)
    .await?;
    Ok(found.into_iter().map(SessionColumns::read).collect())
}

pub(in crate::store) async fn note_use(
    pools: &Pools,
    tokens: &[(String, Timestamp)],
    sessions: &[(String, Timestamp)],
    outlived: &[(String, String)],
) -> Result<()> {
    // A token's last use is only looked at, a session's decides when it is over: caches are told of it.
    if !sessions.is_empty() || !outlived.is_empty() {
        let (mut transaction, change) = begin_change(pools).await?;
        for (id, at) in sessions {
            sqlx::query("update sessions set used_at = $2, change = $3 where id = $1 and used_at < $2")
                .bind(id)
                .bind(at.as_millis())
                .bind(change)
                .execute(&mut *transaction)
                .await?;
        }
        for (id, hash) in outlived {
            sqlx::query("update sessions set former_hash = null, change = $3 where id = $1 and hash = $2")
                .bind(id)
                .bind(hash)
                .bind(change)
                .execute(&mut *transaction)
                .await?;
        }
        transaction.commit().await?;
    }
    if !tokens.is_empty() {
        // One batch of whatever tenants' tokens were used: the ids are from the instance's own copy.
        let mut transaction = pools.writer.begin(Whose::Everybodys).await?;
        for (id, at) in tokens {
            sqlx::query("update tokens set used_at = $2 where id = $1 and (used_at is null or used_at < $2)")
                .bind(id)
                .bind(at.as_millis())
                .execute(&mut *transaction)
                .await?;
        }
        transaction.commit().await?;
    }
    Ok(())
}

pub(in crate::store) async fn forget_sessions(pools: &Pools, before: Timestamp) -> Result<u64> {
    let mut transaction = pools.writer.begin(Whose::Peoples).await?;
    let done = sqlx::query("delete from sessions where expires_at < $1 or revoked_at < $1")
        .bind(before.as_millis())
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await?;
    Ok(done.rows_affected())
}
