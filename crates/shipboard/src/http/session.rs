//! Signing in to the pages with a token, which then travels in an HttpOnly cookie.

use std::sync::Arc;

use axum::Json as Answer;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use shipboard_core::id::Slug;

use super::body::Json;
use super::gate::{COOKIE, secret};
use super::problem::Problem;
use crate::access::Caller;
use crate::app::App;
use crate::clock;
use crate::config::AuthMode;
use crate::store::Role;

/// How long a browser keeps the cookie, in seconds. The token's own expiry holds all the same.
const MAX_AGE_S: u64 = 30 * 24 * 3_600;

/// Who the browser is to this server.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Session {
    /// `open` or `required`.
    mode: &'static str,
    /// May go on: open mode, or a valid token.
    signed_in: bool,
    /// The token's tenant.
    tenant: Option<Slug>,
    /// The token's role.
    #[schema(value_type = Option<String>)]
    role: Option<Role>,
}

/// A token to sign in with.
#[derive(Deserialize, utoipa::ToSchema)]
pub struct SignIn {
    /// As `shipboard token create` printed it.
    token: String,
}

impl std::fmt::Debug for SignIn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SignIn")
    }
}

fn session(app: &App, caller: Option<&Caller>) -> Session {
    let mode = match app.access.mode() {
        AuthMode::Open => "open",
        AuthMode::Required => "required",
    };
    let token = match caller {
        Some(Caller::Token(token)) => Some(token),
        _ => None,
    };
    Session {
        mode,
        signed_in: caller.is_some(),
        tenant: token.map(|token| token.tenant.clone()),
        role: token.map(|token| token.role),
    }
}

/// Who the browser is.
#[utoipa::path(get, path = "/api/v1/session", tag = "session", responses((status = 200, body = Session)))]
pub async fn get(State(app): State<Arc<App>>, headers: HeaderMap) -> Answer<Session> {
    let caller = app.access.caller(secret(&headers), clock::now());
    Answer(session(&app, caller.as_ref()))
}

/// Signs in.
#[utoipa::path(post, path = "/api/v1/session", tag = "session", request_body = SignIn,
    responses((status = 200, body = Session), (status = 401)))]
pub async fn sign_in(
    State(app): State<Arc<App>>,
    Json(SignIn { token }): Json<SignIn>,
) -> Result<Response, Problem> {
    let token = token.trim();
    let caller = app.access.caller(Some(token), clock::now()).ok_or_else(Problem::unauthorized)?;
    let answer = Answer(session(&app, Some(&caller)));
    let value = if caller == Caller::Anybody { String::new() } else { token.to_owned() };
    Ok((cookie(&app, &value, MAX_AGE_S)?, answer).into_response())
}

/// Signs out.
#[utoipa::path(delete, path = "/api/v1/session", tag = "session", responses((status = 204)))]
pub async fn sign_out(State(app): State<Arc<App>>) -> Result<Response, Problem> {
    Ok((StatusCode::NO_CONTENT, cookie(&app, "", 0)?).into_response())
}

fn cookie(app: &App, value: &str, max_age_s: u64) -> Result<[(header::HeaderName, HeaderValue); 1], Problem> {
    let secure = app.config.public_url.as_ref().is_some_and(|url| url.starts_with("https://"));
    let secure = if secure { "; Secure" } else { "" };
    let cookie = format!("{COOKIE}={value}; Path=/; HttpOnly; SameSite=Lax; Max-Age={max_age_s}{secure}");
    let cookie = HeaderValue::from_str(&cookie).map_err(|_| Problem::unauthorized())?;
    Ok([(header::SET_COOKIE, cookie)])
}
