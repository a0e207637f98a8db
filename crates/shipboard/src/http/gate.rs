//! The gate: who asks, and whether they may. Every route of a tenant's goes through it, so that no
//! handler can forget to ask; what is foreign looks like what does not exist.

use std::sync::Arc;

use axum::extract::{FromRequestParts, MatchedPath, RawPathParams};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, header};
use shipboard_core::id::{DeploymentId, Slug};

use super::client::Client;
use super::problem::Problem;
use super::session;
use crate::access::{Caller, Shown};
use crate::app::App;
use crate::audit::Actor;
use crate::clock;
use crate::limits::{Kind, Sender};
use crate::store::{EnvKey, Role};

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

/// An admin of all of this tenant, whatever they ask.
#[derive(Debug)]
pub struct Admin {
    /// Who.
    pub caller: Caller,
    /// Where.
    pub tenant: Slug,
}

/// Whoever makes the request, as the audit log names them.
#[derive(Debug)]
pub struct Acting(pub Actor);

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

/// The secret that a request shows: a bearer token, else the browser's cookie. Two tokens are none.
pub fn shown<'a>(app: &App, headers: &'a HeaderMap) -> Option<Shown<'a>> {
    let mut shown = headers.get_all(header::AUTHORIZATION).iter();
    if let Some(value) = shown.next() {
        if shown.next().is_some() {
            return None;
        }
        let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
        return scheme.eq_ignore_ascii_case("bearer").then(|| Shown::Token(token.trim()));
    }
    cookie(headers, session::cookie_name(&app.config)).map(Shown::Cookie)
}

/// The value of a cookie.
pub fn cookie<'a>(headers: &'a HeaderMap, wanted: &str) -> Option<&'a str> {
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = cookies.flat_map(|cookies| cookies.split(';')).filter_map(|pair| pair.split_once('='));
    pairs.find(|(name, _)| name.trim() == wanted).map(|(_, value)| value.trim())
}

/// Whoever shows this secret, if it is known. One that this instance does not know may be a new one: finding out is
/// a query, and from one address there are only so many. Without a database nobody knows: a client that were told 401
/// would not come back.
pub async fn who(
    app: &App,
    shown: Option<Shown<'_>>,
    Client(address): Client,
) -> Result<Option<Caller>, Problem> {
    let known = app.access.caller(shown, clock::now());
    match (known, shown) {
        (None, Some(shown)) => {
            app.limits.admit_stranger(address)?;
            Ok(app.access.newcomer(shown, clock::now()).await?)
        }
        (known, _) => Ok(known),
    }
}

/// Whoever makes a request.
pub(super) async fn caller(app: &App, parts: &Parts) -> Result<Caller, Problem> {
    let client = Client::of(parts, &app.config);
    who(app, shown(app, &parts.headers), client).await?.ok_or_else(Problem::unauthorized)
}

/// Counts a request of somebody who may make it, before it is looked at any further.
fn count(app: &App, caller: &Caller, parts: &mut Parts) -> Result<(), Problem> {
    let kind = match role_of(&parts.method) {
        Role::Reporter => Kind::Report,
        _ if parts.uri.path().ends_with("/stream") => Kind::Connect,
        _ => Kind::Read,
    };
    app.limits.admit(caller, kind)?;
    let payer = caller.subject().filter(|_| kind == Kind::Report).map(Into::into);
    parts.extensions.insert(Sender { payer });
    Ok(())
}

/// A part of the path, parsed. What cannot be one is a 422 that names it.
pub(super) async fn part<T>(parts: &mut Parts, app: &Arc<App>, name: &str) -> Result<T, Problem>
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
        let caller = caller(app, parts).await?;
        count(app, &caller, parts)?;
        Ok(Self(caller))
    }
}

impl FromRequestParts<Arc<App>> for InTenant {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Problem> {
        let caller = caller(app, parts).await?;
        let tenant: Slug = part(parts, app, "tenant").await?;
        if !caller.is_of(&tenant) {
            return Err(Problem::not_found());
        }
        let role = role_of(&parts.method);
        if !caller.has(&tenant, role) {
            return Err(not_allowed(app, &caller, &tenant, parts, role));
        }
        count(app, &caller, parts)?;
        Ok(Self { caller, tenant })
    }
}

/// It takes this role, which the caller has not got there.
fn not_allowed(app: &App, caller: &Caller, tenant: &Slug, parts: &Parts, role: Role) -> Problem {
    metrics::counter!("shipboard_refused_total", "reason" => "role").increment(1);
    let actor = Actor::new(caller, Client::of(parts, &app.config).0);
    let call = parts.extensions.get::<MatchedPath>().map_or("", MatchedPath::as_str);
    let call = call.strip_prefix("/api/v1/tenants/{tenant}").unwrap_or(call);
    app.refusals.count(actor, Some(tenant), &format!("role {}: {} {call}", role.as_str(), parts.method));
    Problem::forbidden("your role does not allow this")
}

impl FromRequestParts<Arc<App>> for Admin {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Problem> {
        let InTenant { caller, tenant } = InTenant::from_request_parts(parts, app).await?;
        if !caller.has_all_of(&tenant, Role::Admin) {
            return Err(not_allowed(app, &caller, &tenant, parts, Role::Admin));
        }
        Ok(Self { caller, tenant })
    }
}

impl FromRequestParts<Arc<App>> for Acting {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Problem> {
        let caller = caller(app, parts).await?;
        Ok(Self(Actor::new(&caller, Client::of(parts, &app.config).0)))
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
        let role = role_of(&parts.method);
        if !caller.has_in(&tenant, &env, role) {
            return Err(not_allowed(app, &caller, &tenant, parts, role));
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
