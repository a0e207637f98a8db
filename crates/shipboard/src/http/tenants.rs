//! Tenants and their environments.

use std::sync::Arc;

use axum::Json as Answer;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::json;
use shipboard_core::counts::Counts;
use shipboard_core::id::{EventId, Slug};

use super::body::Json;
use super::gate::{Acting, Admin, InEnv, InTenant, Known};
use super::problem::Problem;
use super::session;
use crate::access::Caller;
use crate::app::App;
use crate::store::Env;
use crate::{clock, envs};

/// A tenant.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Tenant {
    /// Its slug.
    id: Slug,
    /// What people call it.
    name: String,
}

/// Tenants.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct TenantList {
    /// By slug.
    items: Vec<Tenant>,
    /// Always null: there is one page.
    next: Option<String>,
}

/// What may be said of a tenant.
#[derive(Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(default)]
pub struct TenantBody {
    /// What people call it.
    name: Option<String>,
}

/// An environment.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct EnvAnswer {
    /// Its slug.
    id: Slug,
    /// What people call it.
    name: String,
    /// `development`, `testing`, `staging`, `production` or `other`.
    tier: String,
    /// Its place among the envs, lowest first.
    position: i64,
    /// Its counts.
    counts: Counts,
    /// Its head when it was read.
    event_id: EventId,
}

/// Environments.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct EnvList {
    /// In their order.
    items: Vec<EnvAnswer>,
    /// Always null: there is one page.
    next: Option<String>,
}

/// What may be said of an environment.
#[derive(Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(default)]
pub struct EnvBody {
    /// What people call it.
    name: Option<String>,
    /// `development`, `testing`, `staging`, `production` or `other`.
    tier: Option<String>,
    /// Its place among the envs, lowest first.
    position: Option<i64>,
}

impl From<Env> for EnvAnswer {
    fn from(env: Env) -> Self {
        let Env { slug, name, tier, position, head, counts, .. } = env;
        Self { id: slug, name, tier, position, counts, event_id: head }
    }
}

/// The tenants that the caller may see.
#[utoipa::path(get, path = "/api/v1/tenants", tag = "tenants", responses((status = 200, body = TenantList)))]
pub async fn list(State(app): State<Arc<App>>, Known(caller): Known) -> Result<Answer<TenantList>, Problem> {
    let of_one = match &caller {
        Caller::Anybody => None,
        Caller::Known(known) => session::only_tenant(&known.grants),
    };
    // Whoever is of one tenant is shown what the database shows that tenant.
    let tenants = match of_one {
        Some(tenant) => {
            app.store.tenant(tenant).await?.map(|name| (tenant.clone(), name)).into_iter().collect()
        }
        None => app.store.tenants().await?,
    };
    let tenants = tenants.into_iter().filter(|(slug, _)| caller.is_of(slug));
    let items = tenants.map(|(id, name)| Tenant { id, name }).collect();
    Ok(Answer(TenantList { items, next: None }))
}

/// Creates or changes a tenant.
#[utoipa::path(put, path = "/api/v1/tenants/{tenant}", tag = "tenants", params(("tenant" = String, Path)),
    request_body = TenantBody, responses((status = 200, body = Tenant), (status = 201, body = Tenant)))]
pub async fn put(
    State(app): State<Arc<App>>,
    Admin { tenant, .. }: Admin,
    Acting(actor): Acting,
    Json(body): Json<TenantBody>,
) -> Result<(StatusCode, Answer<Tenant>), Problem> {
    let name = envs::name(body.name.as_deref()).map_err(Problem::invalid)?;
    let record = actor.did("tenant.put", Some(&tenant), tenant.as_str(), json!({"name": name}));
    app.store.note(&record).await?;
    let is_new = app.store.put_tenant(&tenant, name, clock::now()).await?;
    let name = app.store.tenant(&tenant).await?.ok_or_else(Problem::not_found)?;
    let status = if is_new { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, Answer(Tenant { id: tenant, name })))
}

/// A tenant's environments.
#[utoipa::path(get, path = "/api/v1/tenants/{tenant}/envs", tag = "tenants",
    params(("tenant" = String, Path)), responses((status = 200, body = EnvList)))]
pub async fn envs(
    State(app): State<Arc<App>>,
    InTenant { caller, tenant }: InTenant,
) -> Result<Answer<EnvList>, Problem> {
    let envs = app.store.envs(&tenant).await?.into_iter();
    let seen = envs.filter(|env| caller.sees(&tenant, &env.slug));
    Ok(Answer(EnvList { items: seen.map(EnvAnswer::from).collect(), next: None }))
}

/// Creates or changes an environment.
#[utoipa::path(put, path = "/api/v1/tenants/{tenant}/envs/{env}", tag = "tenants",
    params(("tenant" = String, Path), ("env" = String, Path)), request_body = EnvBody,
    responses((status = 200, body = EnvAnswer), (status = 201, body = EnvAnswer)))]
pub async fn put_env(
    State(app): State<Arc<App>>,
    InEnv { key, caller }: InEnv,
    Acting(actor): Acting,
    Path(_): Path<(String, String)>,
    Json(body): Json<EnvBody>,
) -> Result<(StatusCode, Answer<EnvAnswer>), Problem> {
    let name = envs::name(body.name.as_deref()).map_err(Problem::invalid)?;
    let tier = body.tier.as_deref().map(envs::tier).transpose().map_err(Problem::invalid)?;
    let proposed = app.boards.proposed_epoch(&key).unwrap_or_else(clock::epoch);
    let birth = envs::Guess::of(&key.env).birth(name, proposed, None);
    let said = json!({"name": name, "tier": tier, "position": body.position});
    app.store.note(&actor.did("env.put", Some(&key.tenant), key.env.as_str(), said)).await?;
    if matches!(caller, Caller::Anybody) && app.store.tenant(&key.tenant).await?.is_none() {
        let record =
            actor.did("tenant.put", Some(&key.tenant), key.tenant.as_str(), json!({"by": "env.put"}));
        app.store.note(&record).await?;
        app.store.put_tenant(&key.tenant, None, clock::now()).await?;
    }
    let was_there = app.store.env(&key).await?.is_some();
    let env = app.store.put_env(&key, name, tier, body.position, &birth).await?;
    // Of two who come at once, only one finds its epoch in what was made.
    let is_new = !was_there && env.epoch == birth.epoch;
    let status = if is_new { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, Answer(env.into())))
}
