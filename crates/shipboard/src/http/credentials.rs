//! A tenant's tokens, webhooks' secrets and sessions: for its admins. A secret is shown once, in the answer
//! that it is made by.

use std::sync::Arc;

use axum::Json as Answer;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::json;
use shipboard_core::id::Slug;
use shipboard_core::time::Timestamp;

use super::body::Json;
use super::gate::{Acting, Admin};
use super::problem::Problem;
use super::session::{SessionList, refresh};
use crate::access::Caller;
use crate::app::App;
use crate::clock;
use crate::credentials::{self, NewToken};
use crate::store::{Grant, Hook, Role, Token};

/// A token as it is listed.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct TokenRow {
    /// By which it is revoked.
    id: String,
    /// What people call it.
    name: String,
    /// What it allows.
    role: Role,
    /// In which envs; null: in all.
    envs: Option<Vec<Slug>>,
    /// Who made it.
    created_by: String,
    /// Since when.
    #[schema(value_type = String)]
    created_at: Timestamp,
    /// Last shown when, give or take a minute.
    #[schema(value_type = Option<String>)]
    used_at: Option<Timestamp>,
    /// Until when.
    #[schema(value_type = Option<String>)]
    expires_at: Option<Timestamp>,
    /// Taken back when.
    #[schema(value_type = Option<String>)]
    revoked_at: Option<Timestamp>,
}

impl From<Token> for TokenRow {
    fn from(token: Token) -> Self {
        let Token { id, name, grant, created_by, created_at, used_at, expires_at, revoked_at } = token;
        let Grant { role, envs, .. } = grant;
        Self { id, name, role, envs, created_by, created_at, used_at, expires_at, revoked_at }
    }
}

/// Tokens.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct TokenList {
    /// The oldest first.
    items: Vec<TokenRow>,
    /// Always null: there is one page.
    next: Option<String>,
}

/// A token to be made.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
pub struct TokenBody {
    /// What people call it.
    #[serde(default)]
    name: String,
    /// What it allows.
    role: Role,
    /// In which envs; null: in all.
    envs: Option<Vec<Slug>>,
    /// For how many seconds; null: for ever.
    expires_in_s: Option<u64>,
}

/// A token that was just made.
#[derive(Serialize, utoipa::ToSchema)]
pub struct MadeToken {
    /// The token.
    token: TokenRow,
    /// What to show: it is never shown again.
    secret: String,
}

/// A webhook's secret as it is listed.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct HookRow {
    /// By which it is revoked.
    id: String,
    /// The system that signs with it.
    source: String,
    /// Who made it.
    created_by: String,
    /// Since when.
    #[schema(value_type = String)]
    created_at: Timestamp,
    /// Taken back when.
    #[schema(value_type = Option<String>)]
    revoked_at: Option<Timestamp>,
}

impl From<Hook> for HookRow {
    fn from(hook: Hook) -> Self {
        let Hook { id, source, created_by, created_at, revoked_at, .. } = hook;
        Self { id, source, created_by, created_at, revoked_at }
    }
}

/// Webhooks' secrets.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct HookList {
    /// The oldest first.
    items: Vec<HookRow>,
    /// Always null: there is one page.
    next: Option<String>,
}

/// A webhook's secret that was just made.
#[derive(Serialize, utoipa::ToSchema)]
pub struct MadeHook {
    /// The secret's row.
    hook: HookRow,
    /// Where the source delivers to, on this server.
    path: String,
    /// What to sign with: it is never shown again.
    secret: String,
}

/// The tenant's tokens, revoked ones too.
#[utoipa::path(get, path = "/api/v1/tenants/{tenant}/tokens", tag = "access", params(("tenant" = String, Path)),
    responses((status = 200, body = TokenList)))]
pub async fn tokens(
    State(app): State<Arc<App>>,
    Admin { tenant, .. }: Admin,
) -> Result<Answer<TokenList>, Problem> {
    let tokens = app.store.tokens(Some(&tenant)).await?.into_iter();
    let items = tokens.map(|(token, _)| TokenRow::from(token)).collect();
    Ok(Answer(TokenList { items, next: None }))
}

/// Whoever makes a credential has one that holds now. The copy may be a second old, and what is made stays.
async fn must_hold(app: &App, caller: &Caller) -> Result<(), Problem> {
    app.access.refresh().await?;
    let lapse = app.access.lapse(caller, clock::now());
    lapse.map_or(Ok(()), |_| Err(Problem::unauthorized()))
}

/// Makes a token.
#[utoipa::path(post, path = "/api/v1/tenants/{tenant}/tokens", tag = "access", params(("tenant" = String, Path)),
    request_body = TokenBody, responses((status = 201, body = MadeToken), (status = 422)))]
pub async fn make_token(
    State(app): State<Arc<App>>,
    Admin { caller, tenant }: Admin,
    Acting(actor): Acting,
    Json(body): Json<TokenBody>,
) -> Result<(StatusCode, Answer<MadeToken>), Problem> {
    must_hold(&app, &caller).await?;
    credentials::must_exist(&app.store, &tenant).await?.map_err(Problem::invalid)?;
    let new = NewToken {
        name: body.name,
        grant: Grant { tenant, role: body.role, envs: body.envs.filter(|envs| !envs.is_empty()) },
        lifetime: body.expires_in_s.map(std::time::Duration::from_secs),
    };
    let (token, secret) =
        credentials::make_token(&app.store, new, &actor).await?.map_err(Problem::invalid)?;
    refresh(&app).await;
    Ok((StatusCode::CREATED, Answer(MadeToken { token: token.into(), secret })))
}

/// Takes a token back. Streams opened with it end within a heartbeat.
#[utoipa::path(delete, path = "/api/v1/tenants/{tenant}/tokens/{id}", tag = "access",
    params(("tenant" = String, Path), ("id" = String, Path)), responses((status = 204), (status = 404)))]
pub async fn revoke_token(
    State(app): State<Arc<App>>,
    Admin { tenant, .. }: Admin,
    Acting(actor): Acting,
    Path((_, id)): Path<(String, String)>,
) -> Result<StatusCode, Problem> {
    let record = actor.did("token.revoke", Some(&tenant), &id, json!({}));
    if !app.store.revoke_token(&tenant, &id, &record).await? {
        return Err(Problem::not_found());
    }
    refresh(&app).await;
    Ok(StatusCode::NO_CONTENT)
}

/// The tenant's webhooks' secrets, revoked ones too.
#[utoipa::path(get, path = "/api/v1/tenants/{tenant}/hooks", tag = "access", params(("tenant" = String, Path)),
    responses((status = 200, body = HookList)))]
pub async fn hooks(
    State(app): State<Arc<App>>,
    Admin { tenant, .. }: Admin,
) -> Result<Answer<HookList>, Problem> {
    let hooks = app.store.hooks(Some(&tenant)).await?.into_iter();
    let items = hooks.map(HookRow::from).collect();
    Ok(Answer(HookList { items, next: None }))
}

/// Makes another secret of a source's. Those before it hold until they are revoked: so it is rotated.
#[utoipa::path(post, path = "/api/v1/tenants/{tenant}/hooks/{source}/secrets", tag = "access",
    params(("tenant" = String, Path), ("source" = String, Path)),
    responses((status = 201, body = MadeHook), (status = 422)))]
pub async fn make_hook(
    State(app): State<Arc<App>>,
    Admin { caller, tenant }: Admin,
    Acting(actor): Acting,
    Path((_, source)): Path<(String, String)>,
) -> Result<(StatusCode, Answer<MadeHook>), Problem> {
    must_hold(&app, &caller).await?;
    credentials::must_exist(&app.store, &tenant).await?.map_err(Problem::invalid)?;
    let hook =
        credentials::make_hook(&app.store, tenant, &source, &actor).await?.map_err(Problem::invalid)?;
    refresh(&app).await;
    let (path, secret) = (credentials::hook_path(&hook.tenant, &hook.source), hook.secret.clone());
    Ok((StatusCode::CREATED, Answer(MadeHook { hook: hook.into(), path, secret })))
}

/// Takes a webhook's secret back.
#[utoipa::path(delete, path = "/api/v1/tenants/{tenant}/hooks/{source}/secrets/{id}", tag = "access",
    params(("tenant" = String, Path), ("source" = String, Path), ("id" = String, Path)),
    responses((status = 204), (status = 404)))]
pub async fn revoke_hook(
    State(app): State<Arc<App>>,
    Admin { tenant, .. }: Admin,
    Acting(actor): Acting,
    Path((_, source, id)): Path<(String, String, String)>,
) -> Result<StatusCode, Problem> {
    let hooks = app.store.hooks(Some(&tenant)).await?;
    let is_theirs = |hook: &Hook| hook.id == id && hook.source == source;
    let record = actor.did("hook.revoke", Some(&tenant), &id, json!({"source": source}));
    if !hooks.iter().any(is_theirs) || !app.store.revoke_hook(&tenant, &id, &record).await? {
        return Err(Problem::not_found());
    }
    refresh(&app).await;
    Ok(StatusCode::NO_CONTENT)
}

/// The browsers that are signed in with rights in this tenant.
#[utoipa::path(get, path = "/api/v1/tenants/{tenant}/sessions", tag = "access",
    params(("tenant" = String, Path)), responses((status = 200, body = SessionList)))]
pub async fn sessions(State(app): State<Arc<App>>, Admin { caller, tenant }: Admin) -> Answer<SessionList> {
    let mut list = SessionList::new(app.access.sessions_in(&tenant, clock::now()), &caller);
    list.only_of(&tenant);
    Answer(list)
}

/// Ends somebody's session.
#[utoipa::path(delete, path = "/api/v1/tenants/{tenant}/sessions/{id}", tag = "access",
    params(("tenant" = String, Path), ("id" = String, Path)), responses((status = 204), (status = 404)))]
pub async fn end_session(
    State(app): State<Arc<App>>,
    Admin { tenant, .. }: Admin,
    Acting(actor): Acting,
    Path((_, id)): Path<(String, String)>,
) -> Result<StatusCode, Problem> {
    let of_tenant = app.access.sessions_in(&tenant, clock::now());
    let record = actor.did("session.end", Some(&tenant), &id, json!({"by": "admin"}));
    if !of_tenant.iter().any(|session| session.id == id) || !app.store.end_session(&id, &[record]).await? {
        return Err(Problem::not_found());
    }
    refresh(&app).await;
    Ok(StatusCode::NO_CONTENT)
}
