//! The web app, from inside the binary. Any path that is no file is the app's own to show.

use std::borrow::Cow;

use axum::http::{HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
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
    let found = Files::get(path);
    // Built files carry a hash of what is in them in their names: they never change.
    let (file, cache) = match found {
        Some(file) if path.starts_with("assets/") => (Some(file), "public, max-age=31536000, immutable"),
        Some(file) if !path.is_empty() => (Some(file), "no-cache"),
        _ if path.starts_with("assets/") => return StatusCode::NOT_FOUND.into_response(),
        _ => (Files::get("index.html"), "no-cache"),
    };
    let Some(file) = file else {
        return (StatusCode::NOT_FOUND, "This build has no web app inside: run `make build`.\n")
            .into_response();
    };
    let kind = HeaderValue::from_str(file.metadata.mimetype());
    let headers = [
        (header::CONTENT_TYPE, kind.unwrap_or(HeaderValue::from_static("application/octet-stream"))),
        (header::CACHE_CONTROL, HeaderValue::from_static(cache)),
        (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(CSP)),
    ];
    (headers, bytes(file.data)).into_response()
}

/// A file's bytes: those of the binary itself, however many ask for them. Only a debug build reads files.
fn bytes(data: Cow<'static, [u8]>) -> Bytes {
    match data {
        Cow::Borrowed(data) => Bytes::from_static(data),
        Cow::Owned(data) => data.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_the_binary_is_not_copied() {
        static DATA: [u8; 3] = *b"abc";
        assert_eq!(bytes(Cow::Borrowed(&DATA)).as_ptr(), DATA.as_ptr());
        assert_eq!(bytes(Cow::Owned(DATA.to_vec())), DATA.as_slice());
    }
}
