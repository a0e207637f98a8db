//! Tokens, webhooks' secrets, and tenants' own limits.
//!
//! Shared text: compiled once per engine.

use std::time::Duration;

use shipboard_core::id::Slug;
use shipboard_core::time::Timestamp;
use sqlx::{QueryBuilder, Transaction};

use super::audit::append;
use super::touched::parse;
use super::{Db, Pools};
use crate::store::whose::Whose;
use crate::store::{Changes, Credentials, Grant, Hook, Record, Result, TenantLimits, Token};

/// Begins to change a tenant's tokens, webhooks' secrets or limits: one after the other, so that whoever sees the new
/// count sees every change up to it.
async fn begin_change(pools: &Pools, tenant: &Slug) -> Result<Transaction<'static, Db>> {
    let mut transaction = pools.writer.begin(tenant).await?;
    sqlx::query("update credential_changes set kept = kept + 1").execute(&mut *transaction).await?;
    Ok(transaction)
}

pub(in crate::store) async fn changes(pools: &Pools) -> Result<Changes> {
    // Two counts, which are about nobody's rows.
    let mut connection = pools.own.knock().await?;
    let (kept, sessions): (i64, i64) =
        sqlx::query_as("select kept, sessions from credential_changes").fetch_one(&mut *connection).await?;
    Ok(Changes { kept, sessions })
}

pub(in crate::store) async fn add_token(
    pools: &Pools,
    token: &Token,
    hash: &str,
    most: usize,
    record: &Record,
) -> Result<bool> {
    let mut transaction = begin_change(pools, &token.grant.tenant).await?;
    let (holding,): (i64,) = sqlx::query_as(
        "select count(*) from tokens
         where tenant = $1 and revoked_at is null and (expires_at is null or expires_at > $2)",
    )
    .bind(token.grant.tenant.as_str())
    .bind(token.created_at.as_millis())
    .fetch_one(&mut *transaction)
    .await?;
    if holding >= most as i64 {
        return Ok(false);
    }
    sqlx::query(
        "insert into tokens (id, name, tenant, hash, role, envs, created_by, created_at, expires_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    )
    .bind(&token.id)
    .bind(&token.name)
    .bind(token.grant.tenant.as_str())
    .bind(hash)
    .bind(token.grant.role.as_str())
    .bind(token.grant.envs.as_ref().map(serde_json::to_string).transpose()?)
    .bind(&token.created_by)
    .bind(token.created_at.as_millis())
    .bind(token.expires_at.map(Timestamp::as_millis))
    .execute(&mut *transaction)
    .await?;
    append(&mut transaction, record).await?;
    transaction.commit().await?;
    Ok(true)
}

#[derive(sqlx::FromRow)]
struct TokenColumns {
    id: String,
    name: String,
    tenant: String,
    hash: String,
    role: String,
    envs: Option<String>,
    created_by: String,
    created_at: i64,
    used_at: Option<i64>,
    expires_at: Option<i64>,
    revoked_at: Option<i64>,
}

/// A query's end: the rows of one tenant, or of all. Of all for the instance's copy, which has to know whose a
/// secret is before it is known who asks, and for the command line.
fn of_tenant<'a>(query: &mut QueryBuilder<Db>, tenant: Option<&'a Slug>) -> Whose<'a> {
    let Some(tenant) = tenant else { return Whose::Everybodys };
    query.push(" where tenant = ").push_bind(tenant.as_str().to_owned());
    Whose::Tenants(tenant)
}

/// All of a token's columns.
const TOKENS: &str = "select id, name, tenant, hash, role, envs, created_by, created_at, used_at, expires_at,
    revoked_at from tokens";

impl TokenColumns {
    /// With the hash of its secret.
    fn read(self) -> Result<(Token, String)> {
        let token = Token {
            id: self.id,
            name: self.name,
            grant: Grant {
                tenant: parse(&self.tenant)?,
                role: serde_json::from_value(self.role.into())?,
                envs: self.envs.as_deref().map(serde_json::from_str).transpose()?,
            },
            created_by: self.created_by,
            created_at: Timestamp::from_millis(self.created_at),
            used_at: self.used_at.map(Timestamp::from_millis),
            expires_at: self.expires_at.map(Timestamp::from_millis),
            revoked_at: self.revoked_at.map(Timestamp::from_millis),
        };
        Ok((token, self.hash))
    }
}

/// A row, if it can be read. One that cannot, because another version or somebody by hand wrote it, does not hold, and
/// keeps nobody from hearing of the others.
fn readable<T>(what: &'static str, id: &str, read: Result<T>) -> Option<T> {
    read.inspect_err(|error| tracing::error!(what, id, %error, "a row cannot be read, and does not hold"))
        .ok()
}

fn read_tokens(found: Vec<TokenColumns>) -> Vec<(Token, String)> {
    let read = |found: TokenColumns| readable("token", &found.id.clone(), found.read());
    found.into_iter().filter_map(read).collect()
}

pub(in crate::store) async fn tokens(pools: &Pools, tenant: Option<&Slug>) -> Result<Vec<(Token, String)>> {
    let mut query = QueryBuilder::<Db>::new(TOKENS);
    let mut connection = pools.own.ask(of_tenant(&mut query, tenant)).await?;
    query.push(" order by created_at, id");
    Ok(read_tokens(query.build_query_as().fetch_all(&mut *connection).await?))
}

/// What holds, of everybody: whose a secret is has to be known before it is known who asks.
pub(in crate::store) async fn holding(pools: &Pools, now: Timestamp) -> Result<Credentials> {
    let mut connection = pools.own.ask(Whose::Everybodys).await?;
    let mut query = QueryBuilder::<Db>::new(TOKENS);
    query.push(" where revoked_at is null and (expires_at is null or expires_at > ");
    query.push_bind(now.as_millis()).push(")");
    let tokens = query.build_query_as().fetch_all(&mut *connection).await?;
    let mut query = QueryBuilder::<Db>::new(HOOKS);
    query.push(" where revoked_at is null order by created_at, id");
    let hooks = query.build_query_as().fetch_all(&mut *connection).await?;
    let limits = sqlx::query_as(LIMITS).fetch_all(&mut *connection).await?;
    let any: Option<(String,)> =
        sqlx::query_as("select id from tokens limit 1").fetch_optional(&mut *connection).await?;
    Ok(Credentials {
        tokens: read_tokens(tokens),
        hooks: read_hooks(hooks),
        limits: read_limits(limits),
        is_closed: any.is_some(),
    })
}

/// Takes back a tenant's token or webhook's secret.
async fn revoke(
    pools: &Pools,
    table: &'static str,
    tenant: &Slug,
    id: &str,
    record: &Record,
) -> Result<bool> {
    let mut transaction = begin_change(pools, tenant).await?;
    let mut query = QueryBuilder::<Db>::new("update ");
    query.push(table).push(" set revoked_at = ").push_bind(record.at.as_millis());
    query.push(" where revoked_at is null and tenant = ").push_bind(tenant.as_str());
    query.push(" and id = ").push_bind(id);
    if query.build().execute(&mut *transaction).await?.rows_affected() == 0 {
        return Ok(false);
    }
    append(&mut transaction, record).await?;
    transaction.commit().await?;
    Ok(true)
}

pub(in crate::store) async fn revoke_token(
    pools: &Pools,
    tenant: &Slug,
    id: &str,
    record: &Record,
) -> Result<bool> {
    revoke(pools, "tokens", tenant, id, record).await
}

pub(in crate::store) async fn add_hook(
    pools: &Pools,
    hook: &Hook,
    most: usize,
    record: &Record,
) -> Result<bool> {
    let mut transaction = begin_change(pools, &hook.tenant).await?;
    let (holding,): (i64,) =
        sqlx::query_as("select count(*) from hooks where tenant = $1 and source = $2 and revoked_at is null")
            .bind(hook.tenant.as_str())
            .bind(&hook.source)
            .fetch_one(&mut *transaction)
            .await?;
    if holding >= most as i64 {
        return Ok(false);
    }
    sqlx::query(
        "insert into hooks (id, tenant, source, secret, created_by, created_at) values ($1, $2, $3, $4, $5, $6)",
    )
    .bind(&hook.id)
    .bind(hook.tenant.as_str())
    .bind(&hook.source)
    .bind(&hook.secret)
    .bind(&hook.created_by)
    .bind(hook.created_at.as_millis())
    .execute(&mut *transaction)
    .await?;
    append(&mut transaction, record).await?;
    transaction.commit().await?;
    Ok(true)
}

type HookColumns = (String, String, String, String, String, i64, Option<i64>);

/// All of a webhook's columns.
const HOOKS: &str = "select id, tenant, source, secret, created_by, created_at, revoked_at from hooks";

fn read_hooks(found: Vec<HookColumns>) -> Vec<Hook> {
    let read = |(id, tenant, source, secret, created_by, created_at, revoked_at): HookColumns| {
        let tenant = readable("webhook's secret", &id, parse(&tenant))?;
        let created_at = Timestamp::from_millis(created_at);
        let revoked_at = revoked_at.map(Timestamp::from_millis);
        Some(Hook { id, tenant, source, secret, created_by, created_at, revoked_at })
    };
    found.into_iter().filter_map(read).collect()
}

pub(in crate::store) async fn hooks(pools: &Pools, tenant: Option<&Slug>) -> Result<Vec<Hook>> {
    let mut query = QueryBuilder::<Db>::new(HOOKS);
    let mut connection = pools.own.ask(of_tenant(&mut query, tenant)).await?;
    query.push(" order by created_at, id");
    Ok(read_hooks(query.build_query_as().fetch_all(&mut *connection).await?))
}

pub(in crate::store) async fn revoke_hook(
    pools: &Pools,
    tenant: &Slug,
    id: &str,
    record: &Record,
) -> Result<bool> {
    revoke(pools, "hooks", tenant, id, record).await
}

type LimitColumns = (String, Option<i64>, Option<i64>);

/// The limits of the tenants that have limits of their own.
const LIMITS: &str = "select tenant, keep_deployments_ms, max_streams from tenants
    where keep_deployments_ms is not null or max_streams is not null";

fn read_limits(found: Vec<LimitColumns>) -> Vec<(Slug, TenantLimits)> {
    let read = |(tenant, keep, streams): LimitColumns| {
        let keep_deployments = keep.map(|keep| Duration::from_millis(keep.max(0) as u64));
        let max_streams = streams.map(|streams| streams.max(0) as usize);
        let tenant = readable("tenant's own limits", &tenant, parse(&tenant))?;
        Some((tenant, TenantLimits { keep_deployments, max_streams }))
    };
    found.into_iter().filter_map(read).collect()
}

pub(in crate::store) async fn tenant_limits(pools: &Pools) -> Result<Vec<(Slug, TenantLimits)>> {
    let mut connection = pools.own.ask(Whose::Everybodys).await?;
    Ok(read_limits(sqlx::query_as(LIMITS).fetch_all(&mut *connection).await?))
}

pub(in crate::store) async fn set_tenant_limits(
    pools: &Pools,
    tenant: &Slug,
    limits: TenantLimits,
    record: &Record,
) -> Result<bool> {
    let mut transaction = begin_change(pools, tenant).await?;
    let done = sqlx::query("update tenants set keep_deployments_ms = $2, max_streams = $3 where tenant = $1")
        .bind(tenant.as_str())
        .bind(limits.keep_deployments.map(|keep| keep.as_millis() as i64))
        .bind(limits.max_streams.map(|streams| i64::try_from(streams).unwrap_or(i64::MAX)))
        .execute(&mut *transaction)
        .await?;
    if done.rows_affected() == 0 {
        return Ok(false);
    }
    append(&mut transaction, record).await?;
    transaction.commit().await?;
    Ok(true)
}
