//! The gate: who asks, and whether they may. Every route of a tenant's goes through it, so that no
//! handler can forget to ask; what is foreign looks like what does not exist.

use std::sync::Arc;

use axum::extract::{FromRequestParts, RawPathParams};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, header};
use shipboard_core::id::{DeploymentId, Slug};

use super::problem::Problem;
use crate::access::Caller;
use crate::app::App;
use crate::clock;
use crate::store::{EnvKey, Role};

/// The cookie that a signed-in browser shows its token in.
pub const COOKIE: &str = "shipboard_token";

/// Somebody we know, whatever they ask for.
#[derive(Debug)]
pub struct Known(pub Caller);

/// A caller who may do what they ask in this tenant.
#[derive(Debug)]
pub struct InTenant {
    /// Who.
    pub caller: Caller,
    /// Where.
    pub tenant: Slug,
}

/// A caller who may do what they ask in this env.
#[derive(Debug)]
pub struct InEnv {
    /// Who.
    pub caller: Caller,
    /// Where.
    pub key: EnvKey,
}

/// The same, of one deployment.
#[derive(Debug)]
pub struct OfDeployment {
    /// Who.
    pub caller: Caller,
    /// Where.
    pub key: EnvKey,
    /// Which.
    pub id: DeploymentId,
}

/// What a method asks for: reading, reporting, or more.
fn role_of(method: &Method) -> Role {
    match *method {
        Method::GET | Method::HEAD => Role::Viewer,
        Method::POST | Method::PATCH => Role::Reporter,
        _ => Role::Admin,
    }
}

/// The secret that a request shows: a bearer token, else the browser's cookie.
pub fn secret(headers: &HeaderMap) -> Option<&str> {
    if let Some(value) = headers.get(header::AUTHORIZATION) {
        let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
        return scheme.eq_ignore_ascii_case("bearer").then(|| token.trim());
    }
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = cookies.flat_map(|cookies| cookies.split(';')).filter_map(|pair| pair.split_once('='));
    pairs.find(|(name, _)| name.trim() == COOKIE).map(|(_, value)| value.trim())
}

fn caller(app: &App, headers: &HeaderMap) -> Result<Caller, Problem> {
    app.access.caller(secret(headers), clock::now()).ok_or_else(Problem::unauthorized)
}

/// A part of the path, parsed. What cannot be one is a 422 that names it.
async fn part<T>(parts: &mut Parts, app: &Arc<App>, name: &str) -> Result<T, Problem>
where
    T: std::str::FromStr,
    T::Err: std::fmt::Display,
{
    let params = RawPathParams::from_request_parts(parts, app).await;
    let params = params.map_err(|error| Problem::invalid(error.to_string()))?;
    let value = params.iter().find(|(key, _)| *key == name).map(|(_, value)| value.to_owned());
    let value = value.ok_or_else(Problem::not_found)?;
    value.parse().map_err(|error: T::Err| Problem::invalid(format!("{name}: `{value}` {error}")))
}

impl FromRequestParts<Arc<App>> for Known {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Problem> {
        caller(app, &parts.headers).map(Self)
    }
}

impl FromRequestParts<Arc<App>> for InTenant {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Problem> {
        let caller = caller(app, &parts.headers)?;
        let tenant: Slug = part(parts, app, "tenant").await?;
        if !caller.is_of(&tenant) {
            return Err(Problem::not_found());
        }
        if !caller.has(&tenant, role_of(&parts.method)) {
            return Err(Problem::forbidden("your token's role does not allow this"));
        }
        Ok(Self { caller, tenant })
    }
}

impl FromRequestParts<Arc<App>> for InEnv {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Problem> {
        let InTenant { caller, tenant } = InTenant::from_request_parts(parts, app).await?;
        let env: Slug = part(parts, app, "env").await?;
        if !caller.sees(&tenant, &env) {
            return Err(Problem::not_found());
        }
        Ok(Self { caller, key: EnvKey { tenant, env } })
    }
}

impl FromRequestParts<Arc<App>> for OfDeployment {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Problem> {
        let InEnv { caller, key } = InEnv::from_request_parts(parts, app).await?;
        let id = part(parts, app, "id").await?;
        Ok(Self { caller, key, id })
    }
}
