//! Browsers' sessions: signing in with a token, and out again, here or everywhere.
//!
//! A session is a row in the database; its secret travels in an HttpOnly cookie alone. It is another one at
//! each sign-in and from time to time, and the one before it holds until that one has come.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::Json as Answer;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::json;
use shipboard_core::id::Slug;
use shipboard_core::time::Timestamp;

use super::body::Json;
use super::client::Client;
use super::gate::{Acting, Known, cookie, shown, who};
use super::oidc;
use super::problem::Problem;
use crate::access::{self, Caller, Credential, Shown};
use crate::app::App;
use crate::audit::Actor;
use crate::clock;
use crate::config::{AuthMode, Config};
use crate::limits::Kind;
use crate::oidc::is_subject;
use crate::store::{self, Grant, Record, Role};

/// How long a session's secret is the same, once its page is loaded again.
const ROTATE_AFTER: Duration = Duration::from_hours(1);
/// Most sessions of one subject: the one longest unused ends.
pub(super) const MOST_OF_ONE: usize = 50;

/// Who the browser is to this server.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Session {
    /// `open` or `required`.
    mode: &'static str,
    /// May go on: open mode, or a credential that holds.
    signed_in: bool,
    /// What people call whoever is signed in.
    name: Option<String>,
    /// The tenant, where it is one.
    tenant: Option<Slug>,
    /// The role there.
    role: Option<Role>,
    /// All that may be done where.
    grants: Vec<Grant>,
    /// When the session is over at the latest.
    #[schema(value_type = Option<String>)]
    expires_at: Option<Timestamp>,
    /// What the session was begun with: `token` or `provider`; null: there is no session.
    by: Option<&'static str>,
    /// What people call the provider that they may sign in by, if there is one.
    provider: Option<String>,
    /// The provider's account that was just found to have no access here.
    refused: Option<String>,
}

impl Session {
    fn new(app: &App, caller: Option<&Caller>) -> Self {
        let mode = match app.access.mode() {
            AuthMode::Open => "open",
            AuthMode::Required => "required",
        };
        let known = match caller {
            Some(Caller::Known(credential)) => Some(credential),
            _ => None,
        };
        let begun_by = |credential: &Arc<Credential>| {
            let by = if is_subject(&credential.subject) { "provider" } else { "token" };
            credential.session.as_ref().map(|_| by)
        };
        let grants = known.map(|credential| credential.grants.clone()).unwrap_or_default();
        let only = only_tenant(&grants).cloned();
        Self {
            mode,
            signed_in: caller.is_some(),
            name: known.map(|credential| credential.name.clone()),
            role: only.as_ref().and_then(|_| grants.iter().map(|grant| grant.role).max()),
            tenant: only,
            expires_at: known.and_then(|credential| credential.expires_at),
            by: known.and_then(begun_by),
            provider: app.oidc.as_ref().map(|provider| provider.settings.name.clone()),
            refused: None,
            grants,
        }
    }
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

/// A session as it is listed.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct SessionRow {
    /// By which it is ended.
    pub id: String,
    /// What people call whoever is signed in.
    pub name: String,
    /// What it allows.
    pub grants: Vec<Grant>,
    /// Last used when, give or take a minute.
    #[schema(value_type = Option<String>)]
    pub used_at: Option<Timestamp>,
    /// Over at the latest when.
    #[schema(value_type = Option<String>)]
    pub expires_at: Option<Timestamp>,
    /// It is the one that asks.
    pub current: bool,
}

/// Sessions.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct SessionList {
    /// Those used last first.
    items: Vec<SessionRow>,
    /// Always null: there is one page.
    next: Option<String>,
}

impl SessionList {
    /// As `caller` sees them.
    pub fn new(mut sessions: Vec<Arc<Credential>>, caller: &Caller) -> Self {
        sessions.sort_by_key(|session| (std::cmp::Reverse(session.used_at()), session.id.clone()));
        let is_current =
            |id: &str| matches!(caller, Caller::Known(known) if known.session.is_some() && known.id == id);
        let items = sessions.into_iter().map(|session| SessionRow {
            current: is_current(&session.id),
            id: session.id.clone(),
            name: session.name.clone(),
            grants: session.grants.clone(),
            used_at: session.used_at(),
            expires_at: session.expires_at,
        });
        Self { items: items.collect(), next: None }
    }

    /// Without what the sessions may do in other tenants.
    pub fn only_of(&mut self, tenant: &Slug) {
        self.items.iter_mut().for_each(|session| session.grants.retain(|grant| grant.tenant == *tenant));
    }
}

/// The name of the session's cookie. Behind TLS browsers see to it that only this very host can have set it.
pub fn cookie_name(config: &Config) -> &'static str {
    if config.is_https() { "__Host-shipboard_session" } else { "shipboard_session" }
}

/// Who the browser is. A session whose secret has grown old is given another one.
#[utoipa::path(get, path = "/api/v1/session", tag = "session", responses((status = 200, body = Session)))]
pub async fn get(
    State(app): State<Arc<App>>,
    client: Client,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let now = clock::now();
    let shown = shown(&app, &headers);
    let caller = who(&app, shown, client).await?;
    if let Some(caller) = &caller {
        app.limits.admit(caller, Kind::Read)?;
    }
    let refused = oidc::refused(&app, &headers);
    let answer = Answer(Session { refused, ..Session::new(&app, caller.as_ref()) });
    let (Some(Caller::Known(session)), Some(Shown::Cookie(secret))) = (&caller, shown) else {
        return Ok(answer.into_response());
    };
    let before = now.plus_millis(-(ROTATE_AFTER.as_millis() as i64));
    let is_old = session.session.as_ref().is_some_and(|signed| signed.rotated_at < before);
    let renewed = clock::secret();
    let (shown, hash) = (access::hash(secret), access::hash(&renewed));
    // Whose page is loaded while the database is away goes on with the secret that they have.
    if is_old && app.database_ok.load(Ordering::Relaxed) {
        match app.store.rotate_session(&session.id, &shown, &hash, before, now).await {
            Ok(true) => {
                refresh(&app).await;
                return Ok((set_cookie(&app.config, &renewed, left(session, now)), answer).into_response());
            }
            Ok(false) => {}
            Err(error) => tracing::debug!(%error, "a session keeps its secret for now"),
        }
    }
    Ok(answer.into_response())
}

/// How long a session has left, in seconds.
fn left(session: &Credential, now: Timestamp) -> u64 {
    session.expires_at.map_or(0, |expires_at| expires_at.millis_since(now).max(0) as u64 / 1_000)
}

/// Signs in.
#[utoipa::path(post, path = "/api/v1/session", tag = "session", request_body = SignIn,
    responses((status = 200, body = Session), (status = 401)))]
pub async fn sign_in(
    State(app): State<Arc<App>>,
    client: Client,
    headers: HeaderMap,
    Json(SignIn { token }): Json<SignIn>,
) -> Result<Response, Problem> {
    match who(&app, Some(Shown::Token(token.trim())), client).await? {
        Some(Caller::Known(known)) => {
            app.limits.admit_sign_in(&known.subject)?;
            let who = Who {
                subject: known.subject.clone(),
                name: known.name.clone(),
                token: Some(known.id.clone()),
                grants: known.grants.clone(),
                rules: None,
                expires_at: known.expires_at,
            };
            let actor = Actor::new(&Caller::Known(known), client.0);
            let (cookie, session) = open(&app, &headers, who, &actor).await?;
            Ok((cookie, Answer(Session::new(&app, Some(&Caller::Known(session))))).into_response())
        }
        Some(caller @ Caller::Anybody) => Ok(Answer(Session::new(&app, Some(&caller))).into_response()),
        None => {
            metrics::counter!("shipboard_refused_total", "reason" => "sign_in").increment(1);
            app.refusals.count(Actor::unknown(client.0), None, "sign-in");
            Err(Problem::unauthorized())
        }
    }
}

/// Who signs in.
#[derive(Debug)]
pub struct Who {
    /// Whose session it is.
    pub subject: String,
    /// What people call them.
    pub name: String,
    /// The token that the session is to end with.
    pub token: Option<String>,
    /// What they may do.
    pub grants: Vec<Grant>,
    /// By which of the provider's rules.
    pub rules: Option<String>,
    /// When the session is over at the latest, if that is before its greatest age.
    pub expires_at: Option<Timestamp>,
}

/// A cookie to be set.
pub type SetCookie = [(HeaderName, HeaderValue); 1];

/// Opens a session, ends the one that this browser had, and gives its cookie.
pub async fn open(
    app: &App,
    headers: &HeaderMap,
    who: Who,
    actor: &Actor,
) -> Result<(SetCookie, Arc<Credential>), Problem> {
    let now = clock::now();
    if let Some(former) = cookie(headers, cookie_name(&app.config))
        && let Some(Caller::Known(former)) = app.access.caller(Some(Shown::Cookie(former)), now)
    {
        let records = ended(actor, &former.grants, &former.id, "sign-in");
        app.store.end_session(&former.id, &records).await?;
    }
    let latest = now.plus_millis(app.config.session_max_age.as_millis() as i64);
    let secret = clock::secret();
    let session = store::Session {
        id: clock::short_id(),
        subject: who.subject,
        name: who.name,
        token: who.token,
        grants: who.grants,
        rules: who.rules,
        hash: access::hash(&secret),
        former_hash: None,
        created_at: now,
        rotated_at: now,
        used_at: now,
        expires_at: who.expires_at.map_or(latest, |expires_at| expires_at.min(latest)),
        revoked_at: None,
    };
    let records = in_each(&session.grants, |tenant, grants| {
        let detail = json!({"subject": session.subject, "grants": grants});
        actor.did("session.begin", Some(tenant), &session.id, detail)
    });
    app.store.add_session(&session, MOST_OF_ONE, &records).await?;
    // Or its first request would be a stranger's.
    refresh(app).await;
    let credential = Arc::new(Credential::from(&session));
    let by = if is_subject(&credential.subject) { "provider" } else { "token" };
    metrics::counter!("shipboard_sign_ins_total", "by" => by).increment(1);
    Ok((set_cookie(&app.config, &secret, left(&credential, now)), credential))
}

/// The tenant that all of this is granted in, where it is one.
pub fn only_tenant(grants: &[Grant]) -> Option<&Slug> {
    let first = grants.first().map(|grant| &grant.tenant)?;
    grants.iter().all(|grant| grant.tenant == *first).then_some(first)
}

/// A line in the audit log of each tenant that something is granted in, made of what is granted there: no tenant is told
/// of another.
fn in_each(grants: &[Grant], line: impl Fn(&Slug, &[&Grant]) -> Record) -> Vec<Record> {
    let tenants: BTreeSet<&Slug> = grants.iter().map(|grant| &grant.tenant).collect();
    let there = |tenant: &Slug| grants.iter().filter(|grant| grant.tenant == *tenant).collect::<Vec<_>>();
    tenants.into_iter().map(|tenant| line(tenant, &there(tenant))).collect()
}

/// That somebody's session, or all of them, ended.
fn ended(actor: &Actor, grants: &[Grant], subject: &str, by: &str) -> Vec<Record> {
    in_each(grants, |tenant, _| actor.did("session.end", Some(tenant), subject, json!({"by": by})))
}

/// Signs out: the session is over, whoever else has its cookie.
#[utoipa::path(delete, path = "/api/v1/session", tag = "session", responses((status = 204)))]
pub async fn sign_out(
    State(app): State<Arc<App>>,
    client: Client,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let caller = who(&app, shown(&app, &headers), client).await?;
    if let Some(caller) = &caller {
        app.limits.admit(caller, Kind::Read)?;
    }
    if let Some(caller @ Caller::Known(session)) = &caller
        && session.session.is_some()
    {
        let records = ended(&Actor::new(caller, client.0), &session.grants, &session.id, "sign-out");
        app.store.end_session(&session.id, &records).await?;
        refresh(&app).await;
    }
    Ok((StatusCode::NO_CONTENT, set_cookie(&app.config, "", 0)).into_response())
}

/// The sessions of whoever asks, in other browsers too.
#[utoipa::path(get, path = "/api/v1/sessions", tag = "session", responses((status = 200, body = SessionList)))]
pub async fn list(State(app): State<Arc<App>>, Known(caller): Known) -> Answer<SessionList> {
    let sessions = match &caller {
        Caller::Anybody => Vec::new(),
        Caller::Known(known) => app.access.sessions_of(&known.subject, clock::now()),
    };
    Answer(SessionList::new(sessions, &caller))
}

/// Signs out everywhere: every session of whoever asks is over.
#[utoipa::path(delete, path = "/api/v1/sessions", tag = "session", responses((status = 204)))]
pub async fn sign_out_everywhere(
    State(app): State<Arc<App>>,
    Known(caller): Known,
    Acting(actor): Acting,
) -> Result<Response, Problem> {
    if let Caller::Known(known) = &caller {
        let records = ended(&actor, &known.grants, &known.subject, "sign-out everywhere");
        app.store.end_sessions_of(&known.subject, &records).await?;
        refresh(&app).await;
    }
    Ok((StatusCode::NO_CONTENT, set_cookie(&app.config, "", 0)).into_response())
}

/// What was just changed holds at once on this instance; if it cannot be read now, within seconds.
pub async fn refresh(app: &App) {
    if let Err(error) = app.access.refresh().await {
        tracing::debug!(%error, "the credentials could not be read anew yet");
    }
}

fn set_cookie(config: &Config, value: &str, max_age_s: u64) -> SetCookie {
    cookie_of(config, cookie_name(config), value, max_age_s)
}

/// A cookie for this host alone, that no script reads and that comes along when somebody is sent here. The value has to
/// be plain characters.
pub fn cookie_of(config: &Config, name: &str, value: &str, max_age_s: u64) -> SetCookie {
    let secure = if config.is_https() { "; Secure" } else { "" };
    let cookie = format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax; Max-Age={max_age_s}{secure}");
    let cookie = HeaderValue::from_str(&cookie).expect("cookies are plain text");
    [(header::SET_COOKIE, cookie)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_to_sign_in_with_is_not_shown() {
        let sign_in: SignIn = serde_json::from_str("{\"token\": \"geheim\"}").unwrap();
        assert!(!format!("{sign_in:?}").contains("geheim"), "{sign_in:?}");
    }
}
