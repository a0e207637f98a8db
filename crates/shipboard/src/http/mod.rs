//! HTTP: the route table, and what every request passes through.
//!
//! A noun is a room beside this one. Nothing here knows SQL; what handlers need is in [`App`].

mod accept;
mod audit;
mod body;
mod channel;
pub mod client;
mod credentials;
mod deployments;
mod front;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod gate;
mod hooks;
mod http2;
mod logs;
mod oidc;
mod openapi;
mod ops;
mod problem;
mod reader;
mod session;
mod socket;
mod stream;
mod tenants;
mod ui;
mod workflows;

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post, put};
pub use openapi::{Api, Documents};
use tokio::net::TcpListener;

use self::problem::Problem;
use crate::app::App;
use crate::clock;
use crate::config::{AuthMode, Config};
use crate::tls::Tls;

/// Longest request id that is taken over from a client.
const MAX_REQUEST_ID: usize = 128;
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What every answer says, so that a browser does no more with it than it is for: logs and names are foreign
/// text on the pages' origin.
const GUARDS: [(HeaderName, HeaderValue); 6] = [
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    (header::REFERRER_POLICY, HeaderValue::from_static("same-origin")),
    (HeaderName::from_static("cross-origin-opener-policy"), HeaderValue::from_static("same-origin")),
    (HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("same-origin")),
    (
        HeaderName::from_static("permissions-policy"),
        HeaderValue::from_static(
            "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()",
        ),
    ),
];
/// What an answer that is no page may do, were it taken for one. Pages and their files say it themselves.
const NOTHING: HeaderValue = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");
/// A year. Of other servers below the same name nothing is said: they are not ours.
const HTTPS_ONLY: HeaderValue = HeaderValue::from_static("max-age=31536000");

/// The route table.
pub(crate) fn router(app: &Arc<App>) -> Router {
    let env = "/api/v1/tenants/{tenant}/envs/{env}";
    let of_env = |path: &str| format!("{env}{path}");
    let routes = Router::new()
        .route("/healthz", get(ops::healthz))
        .route("/readyz", get(ops::readyz))
        .route("/metrics", get(ops::metrics_for_admins))
        .route("/api/v1/openapi.json", get(openapi::openapi))
        .route("/api/v1/asyncapi.json", get(openapi::asyncapi))
        .route("/api/v1/session", get(session::get).post(session::sign_in).delete(session::sign_out))
        .route("/api/v1/session/oidc", get(oidc::begin))
        .route("/api/v1/session/oidc/callback", get(oidc::callback))
        .route("/api/v1/session/oidc/end", get(oidc::end))
        .route("/api/v1/sessions", get(session::list).delete(session::sign_out_everywhere))
        .route("/api/v1/tenants", get(tenants::list))
        .route("/api/v1/tenants/{tenant}", put(tenants::put))
        .route("/api/v1/tenants/{tenant}/envs", get(tenants::envs))
        .route("/api/v1/tenants/{tenant}/tokens", get(credentials::tokens).post(credentials::make_token))
        .route("/api/v1/tenants/{tenant}/tokens/{id}", delete(credentials::revoke_token))
        .route("/api/v1/tenants/{tenant}/sessions", get(credentials::sessions))
        .route("/api/v1/tenants/{tenant}/sessions/{id}", delete(credentials::end_session))
        .route("/api/v1/tenants/{tenant}/audit", get(audit::list))
        .route("/api/v1/tenants/{tenant}/audit.jsonl", get(audit::export))
        .route("/api/v1/tenants/{tenant}/hooks", get(credentials::hooks))
        .route("/api/v1/tenants/{tenant}/hooks/{source}", post(hooks::take))
        .route("/api/v1/tenants/{tenant}/hooks/{source}/secrets", post(credentials::make_hook))
        .route("/api/v1/tenants/{tenant}/hooks/{source}/secrets/{id}", delete(credentials::revoke_hook))
        .route("/api/v1/tenants/{tenant}/stream", get(stream::shared))
        .route(env, put(tenants::put_env))
        .route(&of_env("/stream"), get(stream::deployments))
        .route(&of_env("/counts"), get(workflows::counts))
        .route(&of_env("/workflows"), get(workflows::list))
        .route(&of_env("/workflows/{workflow}"), get(workflows::get).delete(workflows::delete))
        .route(&of_env("/deployments"), get(deployments::list).post(deployments::post))
        .route(&of_env("/deployments:batch"), post(deployments::batch))
        .route(
            &of_env("/deployments/{id}"),
            get(deployments::get).patch(deployments::patch).delete(deployments::delete),
        )
        .route(&of_env("/deployments/{id}/stream"), get(stream::details))
        .route(&of_env("/deployments/{id}/logs"), get(logs::read).post(logs::append))
        .route(&of_env("/deployments/{id}/logs/stream"), get(stream::log))
        .fallback(ui::file)
        .method_not_allowed_fallback(|| async { Problem::method_not_allowed() });
    routes
        .layer(from_fn_with_state(app.clone(), door))
        .layer(from_fn_with_state(app.clone(), enter))
        .with_state(app.clone())
}

/// Operations on an address of their own. Probes come by whatever name they know: there is no door.
fn ops_router(app: &Arc<App>) -> Router {
    Router::new()
        .route("/healthz", get(ops::healthz))
        .route("/readyz", get(ops::readyz))
        .route("/metrics", get(ops::metrics))
        .route("/api/v1/openapi.json", get(openapi::openapi))
        .route("/api/v1/asyncapi.json", get(openapi::asyncapi))
        .fallback(|| async { Problem::not_found() })
        .method_not_allowed_fallback(|| async { Problem::method_not_allowed() })
        .layer(from_fn_with_state(app.clone(), enter))
        .with_state(app.clone())
}

/// What every request passes through: it gets an id, a problem becomes its body, and no answer is kept
/// or taken for another kind of thing than it says.
async fn enter(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let id = request_id(request.headers());
    let mut response = next.run(request).await;
    if let Some(problem) = response.extensions_mut().remove::<Problem>() {
        let status = problem.status().as_u16();
        metrics::counter!("shipboard_problems_total", "status" => status.to_string()).increment(1);
        if status >= 500 {
            tracing::warn!(request_id = %id, status, "a request was answered with a problem");
        }
        response = problem.respond(&id);
    }
    let headers = response.headers_mut();
    if let Ok(id) = HeaderValue::from_str(&id) {
        headers.insert(REQUEST_ID, id);
    }
    for (name, value) in GUARDS {
        headers.insert(name, value);
    }
    headers.entry(header::CONTENT_SECURITY_POLICY).or_insert(NOTHING);
    if app.config.is_https() {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, HTTPS_ONLY);
    }
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

fn request_id(headers: &HeaderMap) -> String {
    let sent = headers.get(REQUEST_ID).and_then(|id| id.to_str().ok());
    let sent = sent.filter(|id| (1..=MAX_REQUEST_ID).contains(&id.len()));
    sent.filter(|id| id.bytes().all(|byte| byte.is_ascii_graphic()))
        .map_or_else(clock::short_id, str::to_owned)
}

/// Looks at Host and Origin.
async fn door(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    match foreign(&app, &request) {
        Some(problem) => problem.into_response(),
        None => next.run(request).await,
    }
}

/// With open doors, whoever makes a browser believe that this server is theirs (DNS rebinding) would be
/// admin; and any page could post here on its reader's behalf.
fn foreign(app: &App, request: &Request) -> Option<Problem> {
    let headers = request.headers();
    let refuse = |reason: &'static str, detail: &str| {
        metrics::counter!("shipboard_refused_total", "reason" => reason).increment(1);
        let client = client::address(request.extensions(), headers, &app.config);
        tracing::debug!(%client, reason, "a request was refused at the door");
        Some(Problem::forbidden(detail))
    };
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    if app.access.mode() == AuthMode::Open && !is_ours(&app.config, host) {
        return refuse("host", "this server answers to a loopback address or its --public-url only");
    }
    if matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS) {
        return None;
    }
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let is_own = match (text(header::ORIGIN), text(HeaderName::from_static("sec-fetch-site"))) {
        (Some(origin), _) => {
            let (scheme, from) = origin.split_once("://").unwrap_or(("", origin));
            // Whoever sits in the network could serve a page as this host's, by http.
            let is_private = scheme == "https" || !app.config.is_https();
            is_private && (from == host || app.config.public_url.as_deref() == Some(origin))
        }
        (None, Some(site)) => matches!(site, "same-origin" | "none"),
        // No browser of today leaves out both; whoever shows no cookie acts on nobody's behalf but their own.
        (None, None) => gate::cookie(headers, session::cookie_name(&app.config)).is_none(),
    };
    if is_own {
        return None;
    }
    refuse("origin", "requests that change something must come from this server's own pages")
}

fn is_ours(config: &Config, host: &str) -> bool {
    let Ok(authority) = host.parse::<Authority>() else { return false };
    let name = authority.host().trim_start_matches('[').trim_end_matches(']');
    let loopback = name.eq_ignore_ascii_case("localhost")
        || name.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
    let public = config.public_url.as_deref().and_then(|url| url.split_once("://"));
    loopback || public.is_some_and(|(_, public)| public.split('/').next() == Some(host))
}

/// The limits of this room, by name, as [`limits::table`](crate::limits::table) wants them.
pub(crate) fn limits(config: &Config) -> Vec<(&'static str, u64)> {
    vec![
        ("connections", accept::most_connections(config) as u64),
        ("ops_connections", accept::OPS_CONNECTIONS as u64),
        ("http2_streams", http2::MAX_CONCURRENT.into()),
        ("http2_resets", http2::MAX_RESET as u64),
        ("head", socket::MAX_BUFFER as u64),
        ("http2_head", http2::MAX_HEAD.into()),
        ("body", body::MAX_BODY as u64),
        ("batch", deployments::MAX_BATCH as u64),
        ("page_deployments", deployments::MAX_PAGE as u64),
        ("page_workflows", workflows::MAX_PAGE as u64),
        ("page_audit", audit::MAX_LIMIT as u64),
        ("scopes", stream::MAX_SCOPES as u64),
        ("search", body::MAX_QUERY_CHARS as u64),
        ("sessions", session::MOST_OF_ONE as u64),
    ]
}

/// Serves until the server stops.
pub(crate) fn serve(app: &Arc<App>, (listener, tls): (TcpListener, Option<Tls>), ops: Option<TcpListener>) {
    accept::serve(app, tls, (listener, router(app)), ops.map(|listener| (listener, ops_router(app))));
}
