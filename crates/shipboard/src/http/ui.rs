//! The web app, from inside the binary. Any path that is no file is the app's own to show.

use axum::http::{HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use rust_embed::RustEmbed;

use super::problem::Problem;

#[derive(RustEmbed)]
#[folder = "../../web/dist/"]
#[allow_missing = true]
struct Files;

/// Nothing but our own files, no inline script or style, in nobody's frame.
const CSP: &str = "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; \
    frame-ancestors 'none'";

/// Serves a file, or the app's page.
pub async fn file(method: Method, uri: Uri) -> Response {
    let path = uri.path().trim_start_matches('/');
    if path.starts_with("api/") {
        return Problem::not_found().into_response();
    }
    if method != Method::GET && method != Method::HEAD {
        return Problem::method_not_allowed().into_response();
    }
    // Built files carry a hash of what is in them in their names: they never change.
    let (name, cache) = match Files::get(path) {
        Some(_) if path.starts_with("assets/") => (path, "public, max-age=31536000, immutable"),
        Some(_) if !path.is_empty() => (path, "no-cache"),
        _ if path.starts_with("assets/") => return StatusCode::NOT_FOUND.into_response(),
        _ => ("index.html", "no-cache"),
    };
    let Some(file) = Files::get(name) else {
        return (StatusCode::NOT_FOUND, "This build has no web app inside: run `make build`.\n")
            .into_response();
    };
    let kind = HeaderValue::from_str(file.metadata.mimetype());
    let headers = [
        (header::CONTENT_TYPE, kind.unwrap_or(HeaderValue::from_static("application/octet-stream"))),
        (header::CACHE_CONTROL, HeaderValue::from_static(cache)),
        (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(CSP)),
    ];
    (headers, file.data.into_owned()).into_response()
}
