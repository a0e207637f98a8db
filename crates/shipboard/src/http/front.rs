//! The front door: reads the first request's head. A stream goes, after the same routing and
//! authorisation as everything else, to a small task that owns the socket; all other requests go to
//! hyper, with the bytes already read. An idle reader here costs a tenth of one there.
//!
//! A stream that comes later on a kept-alive connection takes hyper's path with the same blocks.

use std::collections::VecDeque;
use std::io::{self, IoSlice, Write as _};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Version, header};
use axum::response::Response;
use bytes::{Buf as _, Bytes, BytesMut};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::Instant;
use tower_service::Service as _;

use super::accept::{Ending, Place};
use super::client::Peer;
use super::reader::Reader;
use crate::app::App;
use crate::clock;

/// Longest head of a stream's request.
const MAX_HEAD: usize = 16 * 1024;
/// Most headers of it.
const MAX_HEADERS: usize = 64;
/// Most blocks in one write.
const MAX_SLICES: usize = 64;
/// Most bytes of a response that is no stream, a problem as a rule.
const MAX_ANSWER: usize = 64 * 1024;

/// Where a stream's handler leaves its reader for the front door, which finds it there after routing.
#[derive(Clone, Default)]
pub(super) struct Handover(Arc<Mutex<Option<Reader>>>);

impl Handover {
    pub(super) fn leave(&self, reader: Reader) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(reader);
    }

    fn take(&self) -> Option<Reader> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// What a connection's first bytes turned out to be.
enum First {
    /// A request for a stream, whole.
    Stream(Box<Request>),
    /// Something else, or not to be told: these bytes were read of it.
    Other(Bytes),
    /// Nothing came.
    Nothing,
}

/// Takes a new connection and its place among them. Gives both back, with the bytes already read, if it is
/// not for a stream. `began`: when its first head did.
pub(super) async fn enter(
    app: &Arc<App>,
    mut stream: TcpStream,
    peer: Peer,
    routes: &Router,
    ending: &Ending,
    place: Place,
    began: Instant,
) -> Option<(TcpStream, Bytes, Place)> {
    let first = tokio::select! {
        first = tokio::time::timeout_at(began + app.config.head_timeout, read_first(&mut stream)) => first,
        () = app.tasks.stopping().cancelled() => return None,
    };
    let request = match first {
        Ok(Ok(First::Stream(request))) => request,
        Ok(Ok(First::Other(bytes))) => return Some((stream, bytes, place)),
        Ok(Ok(First::Nothing) | Err(_)) | Err(_) => return None,
    };
    let handover = Handover::default();
    let mut request = *request;
    request.extensions_mut().insert(handover.clone());
    request.extensions_mut().insert(peer);
    let Ok(response) = routes.clone().call(request).await;
    let patience = app.config.write_timeout;
    let ending = ending.clone();
    match handover.take() {
        Some(reader) => {
            // Boxed, or each layer around it would keep room for a copy of it.
            let pump = Box::pin(pump(stream, head(&response, None), reader, patience));
            app.tasks.spawn(async move {
                ending.unless_over(pump).await;
                drop(place);
            });
        }
        None => app.tasks.spawn(async move {
            ending.unless_over(answer(stream, response, patience)).await;
            drop(place);
        }),
    }
    None
}

async fn read_first(stream: &mut TcpStream) -> io::Result<First> {
    let mut bytes = BytesMut::with_capacity(1_024);
    loop {
        if stream.read_buf(&mut bytes).await? == 0 {
            return Ok(if bytes.is_empty() { First::Nothing } else { First::Other(bytes.freeze()) });
        }
        match is_for_a_stream(&bytes) {
            Some(true) => {}
            Some(false) => return Ok(First::Other(bytes.freeze())),
            None => continue,
        }
        match parse(&bytes) {
            Some(Ok(request)) => return Ok(First::Stream(Box::new(request))),
            None if bytes.len() < MAX_HEAD => {}
            Some(Err(())) | None => return Ok(First::Other(bytes.freeze())),
        }
    }
}

/// Whether a head asks for a stream, by its first line; `None`: more of it is needed to tell.
pub(super) fn is_for_a_stream(bytes: &[u8]) -> Option<bool> {
    const GET: &[u8] = b"GET ";
    if !bytes.starts_with(&GET[..bytes.len().min(GET.len())]) {
        return Some(false);
    }
    let target = bytes.get(GET.len()..)?;
    match target.iter().position(|byte| matches!(byte, b' ' | b'?' | b'#' | b'\r' | b'\n')) {
        // Pages may be called so too; their files are not of a size for [`answer`].
        Some(end) => Some(target.starts_with(b"/api/") && target[..end].ends_with(b"/stream")),
        None if bytes.len() >= MAX_HEAD => Some(false),
        None => None,
    }
}

/// The request, once its head is whole. One with a body, pipelined or beyond our limits is hyper's.
pub(super) fn parse(bytes: &[u8]) -> Option<Result<Request, ()>> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut head = httparse::Request::new(&mut headers);
    let length = match head.parse(bytes) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) => return None,
        Err(_) => return Some(Err(())),
    };
    let request = || {
        let mut request = Request::builder().method(Method::GET).uri(head.path?);
        let map: &mut HeaderMap = request.headers_mut()?;
        for field in head.headers.iter() {
            let name = HeaderName::from_bytes(field.name.as_bytes()).ok()?;
            map.append(name, HeaderValue::from_bytes(field.value).ok()?);
        }
        let has_body = map.contains_key(header::TRANSFER_ENCODING)
            || map.get_all(header::CONTENT_LENGTH).iter().any(|length| length != "0");
        let plain = length == bytes.len() && !has_body && !map.contains_key(header::UPGRADE);
        let hosted = map.contains_key(header::HOST) || head.version == Some(0);
        let version = if head.version == Some(0) { Version::HTTP_10 } else { Version::HTTP_11 };
        if plain && hosted { request.version(version).body(Body::empty()).ok() } else { None }
    };
    Some(request().ok_or(()))
}

/// A response's head. Without a length, what follows goes on until the connection is closed.
fn head(response: &Response, length: Option<usize>) -> Bytes {
    let mut out = Vec::with_capacity(512);
    let status = response.status();
    let _ = write!(out, "HTTP/1.1 {} {}\r\n", status.as_u16(), status.canonical_reason().unwrap_or_default());
    for (name, value) in response.headers() {
        if *name != header::CONTENT_LENGTH && *name != header::CONNECTION {
            let _ = write!(out, "{name}: ");
            out.extend_from_slice(value.as_bytes());
            out.extend_from_slice(b"\r\n");
        }
    }
    if let Some(length) = length {
        let _ = write!(out, "content-length: {length}\r\n");
    }
    let _ = write!(out, "date: {}\r\nconnection: close\r\n\r\n", clock::http_date());
    Bytes::from(out)
}

/// Writes a response that is no stream, and closes.
async fn answer(mut stream: TcpStream, response: Response, patience: Duration) {
    let (parts, body) = response.into_parts();
    let Ok(body) = axum::body::to_bytes(body, MAX_ANSWER).await else { return };
    let head = head(&Response::from_parts(parts, Body::empty()), Some(body.len()));
    let mut blocks = VecDeque::from([head, body]);
    if write_all(&stream, &mut blocks, patience).await.is_ok() {
        let _ = stream.shutdown().await;
    }
}

/// Writes a stream until one side leaves.
async fn pump(mut stream: TcpStream, head: Bytes, mut reader: Reader, patience: Duration) {
    reader.ready.push_front(head);
    loop {
        let more = tokio::select! {
            more = reader.fill() => more,
            () = closed(&stream) => return,
        };
        if !more {
            let _ = stream.shutdown().await;
            return;
        }
        if let Err(error) = write_all(&stream, &mut reader.ready, patience).await {
            tracing::debug!(%error, "a stream's connection ended");
            return;
        }
    }
}

/// Waits until the client has closed. What it sends meanwhile is nothing to us.
async fn closed(stream: &TcpStream) {
    loop {
        if stream.readable().await.is_err() {
            return;
        }
        let mut ignored = [0; 512];
        match stream.try_read(&mut ignored) {
            Ok(1..) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Ok(0) | Err(_) => return,
        }
    }
}

/// Writes all blocks, many at a time, without copying them. Fails when the socket takes no byte for
/// `patience`; there is a timer only while it takes none.
async fn write_all(stream: &TcpStream, blocks: &mut VecDeque<Bytes>, patience: Duration) -> io::Result<()> {
    while !blocks.is_empty() {
        let mut slices = [IoSlice::new(&[]); MAX_SLICES];
        let mut used = 0;
        for (slice, block) in slices.iter_mut().zip(blocks.iter()) {
            *slice = IoSlice::new(block);
            used += 1;
        }
        let written = stream.try_write_vectored(&slices[..used]);
        match written {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => advance(blocks, written),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                let Ok(writable) = tokio::time::timeout(patience, stream.writable()).await else {
                    metrics::counter!("shipboard_stalled_connections_total").increment(1);
                    return Err(io::ErrorKind::TimedOut.into());
                };
                writable?;
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn advance(blocks: &mut VecDeque<Bytes>, mut written: usize) {
    while let Some(block) = blocks.front_mut() {
        if written < block.len() {
            block.advance(written);
            return;
        }
        written -= block.len();
        blocks.pop_front();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_told_by_its_first_line() {
        let check =
            |bytes: &str, told: Option<bool>| assert_eq!(is_for_a_stream(bytes.as_bytes()), told, "{bytes}");
        check("G", None);
        check("GET /api/v1/tenants/a/envs/b/str", None);
        check("GET /api/v1/tenants/a/envs/b/stream HTTP/1.1\r\n", Some(true));
        check("GET /api/v1/tenants/a/envs/b/stream?limit=5 HT", Some(true));
        check("GET /api/v1/tenants/a/envs/b/streams HTTP/1.1\r\n", Some(false));
        check("GET /?x=/stream HTTP/1.1\r\n", Some(false));
        check("GET /api/v1/openapi.json#/stream HTTP/1.1\r\n", Some(false));
        check("GET /t/acme/stream HTTP/1.1\r\n", Some(false));
        check("POST /stream HTTP/1.1\r\n", Some(false));
        check("\u{16}\u{3}\u{1}", Some(false));
    }

    #[test]
    fn what_is_no_plain_request_is_hyper_s() {
        let check = |bytes: &str| parse(bytes.as_bytes()).map(|request| request.is_ok());
        assert_eq!(check("GET /x/stream HTTP/1.1\r\nHost: a\r\n"), None);
        assert_eq!(check("GET /x/stream HTTP/1.1\r\nHost: a\r\n\r\n"), Some(true));
        assert_eq!(check("GET /x/stream HTTP/1.0\r\n\r\n"), Some(true));
        assert_eq!(check("GET /x/stream HTTP/1.1\r\n\r\n"), Some(false), "no Host");
        assert_eq!(check("GET /x/stream HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"), Some(false));
        let lengths = "GET /x/stream HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nContent-Length: 3\r\n\r\n";
        assert_eq!(check(lengths), Some(false), "which of them it is, is not ours to say");
        assert_eq!(check("GET /x/stream HTTP/1.1\r\nHost: a\r\n\r\nGET /y HTTP/1.1\r\n"), Some(false));
        assert_eq!(check("GET /x/stream HTTP/1.1\r\nHost: a\r\nUpgrade: h2c\r\n\r\n"), Some(false));
        assert_eq!(check("GET /x/stream HTTP/1.1\r\nbad header\r\n\r\n"), Some(false));
    }

    #[test]
    fn a_partial_write_goes_on_where_it_stopped() {
        let mut blocks = VecDeque::from([Bytes::from("abc"), Bytes::from("defg"), Bytes::from("h")]);
        advance(&mut blocks, 5);
        assert_eq!(blocks, [Bytes::from("fg"), Bytes::from("h")]);
        advance(&mut blocks, 3);
        assert!(blocks.is_empty());
    }
}
