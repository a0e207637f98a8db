//! HTTP: the route table, what every request passes through, and the accept loop.
//!
//! A noun is a room beside this one. Nothing here knows SQL; what handlers need is in [`App`].

mod body;
mod deployments;
mod front;
mod gate;
mod hooks;
mod logs;
mod openapi;
mod ops;
mod problem;
mod session;
mod socket;
mod stream;
mod tenants;
mod ui;
mod workflows;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
pub use openapi::Api;
use tokio::net::{TcpListener, TcpStream};

use self::problem::Problem;
use self::socket::Socket;
use crate::app::App;
use crate::clock;
use crate::config::AuthMode;

/// How long a client may take to send a request's head.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// Most bytes that wait inside the server for one connection's socket.
const MAX_BUFFER: usize = 64 * 1024;
/// Longest request id that is taken over from a client.
const MAX_REQUEST_ID: usize = 128;
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The route table.
fn router(app: &Arc<App>) -> Router {
    let env = "/api/v1/tenants/{tenant}/envs/{env}";
    let of_env = |path: &str| format!("{env}{path}");
    let routes = Router::new()
        .route("/healthz", get(ops::healthz))
        .route("/readyz", get(ops::readyz))
        .route("/metrics", get(ops::metrics_for_admins))
        .route("/api/v1/openapi.json", get(openapi::openapi))
        .route("/api/v1/asyncapi.json", get(openapi::asyncapi))
        .route("/api/v1/session", get(session::get).post(session::sign_in).delete(session::sign_out))
        .route("/api/v1/tenants", get(tenants::list))
        .route("/api/v1/tenants/{tenant}", put(tenants::put))
        .route("/api/v1/tenants/{tenant}/envs", get(tenants::envs))
        .route("/api/v1/tenants/{tenant}/hooks/github", post(hooks::github))
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
        .layer(DefaultBodyLimit::max(body::MAX_BODY))
        .layer(from_fn_with_state(app.clone(), enter))
        .with_state(app.clone())
}

/// Operations on an address of their own.
fn ops_router(app: &Arc<App>) -> Router {
    Router::new()
        .route("/healthz", get(ops::healthz))
        .route("/readyz", get(ops::readyz))
        .route("/metrics", get(ops::metrics))
        .with_state(app.clone())
}

/// What every request passes through: it gets an id, its Host and Origin are looked at, and a problem
/// becomes its body.
async fn enter(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let id = request_id(request.headers());
    let refused = door(&app, &request);
    let mut response = match refused {
        Some(problem) => problem.into_response(),
        None => next.run(request).await,
    };
    if let Some(problem) = response.extensions_mut().remove::<Problem>() {
        let status = problem.status().as_u16();
        metrics::counter!("shipboard_problems_total", "status" => status.to_string()).increment(1);
        if status >= 500 {
            tracing::warn!(request_id = %id, status, "a request was answered with a problem");
        }
        response = problem.respond(&id);
    }
    if let Ok(id) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    response
}

fn request_id(headers: &HeaderMap) -> String {
    let sent = headers.get(REQUEST_ID).and_then(|id| id.to_str().ok());
    let sent = sent.filter(|id| (1..=MAX_REQUEST_ID).contains(&id.len()));
    sent.filter(|id| id.bytes().all(|byte| byte.is_ascii_graphic()))
        .map_or_else(clock::short_id, str::to_owned)
}

/// With open doors, whoever makes a browser believe that this server is theirs (DNS rebinding) would be
/// admin; and any page could post here on its reader's behalf.
fn door(app: &App, request: &Request) -> Option<Problem> {
    let headers = request.headers();
    let refuse = |reason: &'static str, detail: &str| {
        metrics::counter!("shipboard_refused_total", "reason" => reason).increment(1);
        Some(Problem::forbidden(detail))
    };
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    if app.access.mode() == AuthMode::Open && !is_ours(app, host) {
        return refuse("host", "this server answers to a loopback address or its --public-url only");
    }
    let is_safe = matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    let origin = headers.get(header::ORIGIN).and_then(|origin| origin.to_str().ok());
    if let (false, Some(origin)) = (is_safe, origin) {
        let from = origin.split_once("://").map_or(origin, |(_, host)| host);
        let public = app.config.public_url.as_deref() == Some(origin);
        if from != host && !public {
            return refuse("origin", "requests that change something must come from this server's own pages");
        }
    }
    None
}

fn is_ours(app: &App, host: &str) -> bool {
    let Ok(authority) = host.parse::<Authority>() else { return false };
    let name = authority.host().trim_start_matches('[').trim_end_matches(']');
    let loopback = name.eq_ignore_ascii_case("localhost")
        || name.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
    let public = app.config.public_url.as_deref().and_then(|url| url.split_once("://"));
    loopback || public.is_some_and(|(_, public)| public.split('/').next() == Some(host))
}

/// Serves until the server stops.
pub fn serve(app: &Arc<App>, listener: TcpListener, ops: Option<TcpListener>) {
    let routes = router(app);
    app.tasks.spawn_until_stop(accept(app.clone(), listener, routes));
    if let Some(listener) = ops {
        app.tasks.spawn_until_stop(accept(app.clone(), listener, ops_router(app)));
    }
}

async fn accept(app: Arc<App>, listener: TcpListener, routes: Router) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => match socket::prepare(&stream) {
                Ok(()) => app.tasks.spawn(connection(app.clone(), stream, routes.clone())),
                Err(error) => tracing::debug!(%error, "a connection broke before it began"),
            },
            // Out of files, most likely: those that are open go on, and new ones wait.
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

async fn connection(app: Arc<App>, stream: TcpStream, routes: Router) {
    let Some((stream, first)) = front::enter(&app, stream, &routes, HEAD_TIMEOUT).await else { return };
    let socket = Socket::new(stream, first, app.config.write_timeout);
    let service = TowerToHyperService::new(routes);
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(MAX_BUFFER)
        .serve_connection(TokioIo::new(socket), service);
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = app.tasks.stopping().cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended");
    }
}
