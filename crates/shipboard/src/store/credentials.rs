//! Tokens and webhooks' secrets.
//!
//! Shared text: compiled once per engine.

use shipboard_core::time::Timestamp;

use super::Pools;
use super::touched::parse;
use crate::store::{Hook, Result, Role, Token};

pub(in crate::store) async fn add_token(pools: &Pools, token: &Token, hash: &str) -> Result<()> {
    sqlx::query(
        "insert into tokens (id, tenant, hash, role, envs, created_at, expires_at)
         values ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(&token.id)
    .bind(token.tenant.as_str())
    .bind(hash)
    .bind(role_word(token.role))
    .bind(token.envs.as_ref().map(serde_json::to_string).transpose()?)
    .bind(token.created_at.as_millis())
    .bind(token.expires_at.map(Timestamp::as_millis))
    .execute(&pools.writer)
    .await?;
    Ok(())
}

fn role_word(role: Role) -> &'static str {
    match role {
        Role::Viewer => "viewer",
        Role::Reporter => "reporter",
        Role::Admin => "admin",
    }
}

type TokenColumns = (String, String, String, String, Option<String>, i64, Option<i64>, Option<i64>);

pub(in crate::store) async fn tokens(pools: &Pools) -> Result<Vec<(Token, String)>> {
    let found: Vec<TokenColumns> = sqlx::query_as(
        "select id, tenant, hash, role, envs, created_at, expires_at, revoked_at from tokens order by created_at",
    )
    .fetch_all(&pools.own)
    .await?;
    let found =
        found.into_iter().map(|(id, tenant, hash, role, envs, created_at, expires_at, revoked_at)| {
            let token = Token {
                id,
                tenant: parse(&tenant)?,
                role: serde_json::from_value(role.into())?,
                envs: envs.as_deref().map(serde_json::from_str).transpose()?,
                created_at: Timestamp::from_millis(created_at),
                expires_at: expires_at.map(Timestamp::from_millis),
                revoked_at: revoked_at.map(Timestamp::from_millis),
            };
            Ok((token, hash))
        });
    found.collect()
}

pub(in crate::store) async fn revoke_token(pools: &Pools, id: &str, now: Timestamp) -> Result<bool> {
    let done = sqlx::query("update tokens set revoked_at = $2 where id = $1 and revoked_at is null")
        .bind(id)
        .bind(now.as_millis())
        .execute(&pools.writer)
        .await?;
    Ok(done.rows_affected() > 0)
}

pub(in crate::store) async fn add_hook(pools: &Pools, hook: &Hook) -> Result<()> {
    sqlx::query("insert into hooks (id, tenant, source, secret, created_at) values ($1, $2, $3, $4, $5)")
        .bind(&hook.id)
        .bind(hook.tenant.as_str())
        .bind(&hook.source)
        .bind(&hook.secret)
        .bind(hook.created_at.as_millis())
        .execute(&pools.writer)
        .await?;
    Ok(())
}

pub(in crate::store) async fn hooks(pools: &Pools) -> Result<Vec<Hook>> {
    let found: Vec<(String, String, String, String, i64, Option<i64>)> = sqlx::query_as(
        "select id, tenant, source, secret, created_at, revoked_at from hooks order by created_at",
    )
    .fetch_all(&pools.own)
    .await?;
    let found = found.into_iter().map(|(id, tenant, source, secret, created_at, revoked_at)| {
        Ok(Hook {
            id,
            tenant: parse(&tenant)?,
            source,
            secret,
            created_at: Timestamp::from_millis(created_at),
            revoked_at: revoked_at.map(Timestamp::from_millis),
        })
    });
    found.collect()
}

pub(in crate::store) async fn revoke_hook(pools: &Pools, id: &str, now: Timestamp) -> Result<bool> {
    let done = sqlx::query("update hooks set revoked_at = $2 where id = $1 and revoked_at is null")
        .bind(id)
        .bind(now.as_millis())
        .execute(&pools.writer)
        .await?;
    Ok(done.rows_affected() > 0)
}
