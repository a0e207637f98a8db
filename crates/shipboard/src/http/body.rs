//! Bodies and query strings: read within limits, and refused in words.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody as _};
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::header;
use axum::http::request::Parts;
use bytes::BytesMut;
use hyper::body::Frame;
use serde::de::{DeserializeOwned, IgnoredAny};

use super::problem::Problem;
use crate::app::App;
use crate::limits::{Held, Sender};

/// Most bytes of a request's body.
pub const MAX_BODY: usize = 1024 * 1024;
/// Most bytes that are thrown away of one that is longer, for its answer to arrive.
const MAX_DISCARDED: usize = MAX_BODY + 64 * 1024;

/// A body's bytes, at most [`MAX_BODY`], all of them here within `--body-timeout`.
#[derive(Debug)]
pub struct Raw(pub Bytes);

impl FromRequest<Arc<App>> for Raw {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, Problem> {
        let sender = request.extensions().get::<Sender>();
        let held = app.limits.bodies.hold(sender.is_some());
        let payer = sender.and_then(|sender| sender.payer.clone());
        let mut receipt = Receipt { app: app.clone(), payer, bytes: 0 };
        let asks_first = request.headers().contains_key(header::EXPECT);
        let mut body = request.into_body();
        let patience = app.config.body_timeout;
        let read = whole(&mut body, held, patience, &mut receipt.bytes).await;
        if read.as_ref().is_err_and(Problem::is_too_large) && !asks_first {
            // Aside, while it is answered: a socket that is closed with something unread takes back what it has sent.
            app.tasks.spawn_until_stop(async move {
                let _ = tokio::time::timeout(patience, discard(body, receipt)).await;
            });
        }
        read.map(Self)
    }
}

/// What came of a body. It is paid for, however the reading ends: refused, broken, too late, or with the client gone.
struct Receipt {
    app: Arc<App>,
    payer: Option<Arc<str>>,
    bytes: usize,
}

impl Drop for Receipt {
    fn drop(&mut self) {
        if let Some(payer) = &self.payer {
            self.app.limits.charge_bytes(payer, self.bytes);
        }
    }
}

/// Reads a whole body. Without a deadline, a client that stops half way would hold its connection for ever.
async fn whole(body: &mut Body, held: Held, patience: Duration, came: &mut usize) -> Result<Bytes, Problem> {
    // What is told to be too much is not waited for, and nobody is asked to send it.
    if body.size_hint().lower() > MAX_BODY as u64 {
        return Err(too_large());
    }
    tokio::time::timeout(patience, gather(body, held, came)).await.unwrap_or_else(|_| {
        let patience = humantime::format_duration(patience);
        Err(Problem::too_slow(format!("a body must be here within {patience}")))
    })
}

/// A body's bytes in one piece, however small the pieces were that it came in, and the room that it takes.
struct Gathered {
    bytes: BytesMut,
    held: Held,
}

impl AsRef<[u8]> for Gathered {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// Reads a body as far as it may go. The room it takes is given back when nobody has its bytes any more.
async fn gather(body: &mut Body, held: Held, came: &mut usize) -> Result<Bytes, Problem> {
    let mut gathered = Gathered { bytes: BytesMut::new(), held };
    while let Some(data) = piece(body).await {
        let data = data.map_err(|error| Problem::malformed(error.to_string()))?;
        *came += data.len();
        if gathered.bytes.len() + data.len() > MAX_BODY {
            return Err(too_large());
        }
        let full =
            |limit| Problem::too_many(format!("{limit}: too many bodies are being read; come back later"));
        gathered.held.more(data.len()).map_err(full)?;
        gathered.bytes.extend_from_slice(&data);
    }
    Ok(Bytes::from_owner(gathered))
}

/// Throws away what comes of a body that was refused, as far as that is worth it.
async fn discard(mut body: Body, mut receipt: Receipt) {
    let most = receipt.bytes + MAX_DISCARDED;
    while let Some(Ok(data)) = piece(&mut body).await {
        receipt.bytes += data.len();
        if receipt.bytes > most {
            return;
        }
    }
}

/// What comes next of a body.
async fn piece(body: &mut Body) -> Option<Result<Bytes, axum::Error>> {
    loop {
        match poll_fn(|context| Pin::new(&mut *body).poll_frame(context)).await?.map(Frame::into_data) {
            Ok(Ok(data)) => return Some(Ok(data)),
            Ok(Err(_trailers)) => {}
            Err(error) => return Some(Err(error)),
        }
    }
}

fn too_large() -> Problem {
    Problem::too_large(format!("a body may have {MAX_BODY} bytes at most"))
}

/// Reads a JSON object: 400 if it is no JSON, 422 if it is no object or says what cannot be.
pub fn json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let begins = bytes.iter().find(|byte| !byte.is_ascii_whitespace());
    // Serde takes a list for a struct as well, field by field: nobody means that.
    let read = if begins.is_some_and(|byte| *byte != b'{') {
        let other = serde_json::from_slice::<IgnoredAny>(bytes);
        other.and_then(|_| Err(serde::de::Error::custom("the body must be a JSON object")))
    } else {
        serde_json::from_slice(bytes)
    };
    read.map_err(|error| match error.classify() {
        serde_json::error::Category::Data => Problem::invalid(error.to_string()),
        // Serde takes it for bad syntax; JSON itself knows no largest number.
        _ if error.to_string().starts_with("number out of range") => Problem::invalid(error.to_string()),
        _ => Problem::malformed(format!("the body is not JSON: {error}")),
    })
}

/// A JSON body.
#[derive(Debug)]
pub struct Json<T>(pub T);

impl<T: DeserializeOwned> FromRequest<Arc<App>> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, Problem> {
        let Raw(bytes) = Raw::from_request(request, app).await?;
        json(&bytes).map(Self)
    }
}

/// Longest text to search for, in characters: beyond some thousands SQLite refuses the pattern.
pub(super) const MAX_QUERY_CHARS: usize = 255;
/// Most values of a parameter that may be repeated.
const MAX_QUERY_VALUES: usize = 100;

/// A query string's parameters, in order, repeated ones too.
#[derive(Debug, Default)]
pub struct Query(Vec<(String, String)>);

impl<S: Send + Sync> FromRequestParts<S> for Query {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        Ok(Self::parse(parts.uri.query().unwrap_or_default()))
    }
}

impl Query {
    /// Reads a query string.
    pub fn parse(query: &str) -> Self {
        Self(form_urlencoded::parse(query.as_bytes()).into_owned().collect())
    }

    /// A parameter that is there and not empty.
    pub fn get(&self, name: &str) -> Option<&str> {
        let value = self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
        value.filter(|value| !value.is_empty())
    }

    /// A text to search for, of a length that a search may have.
    pub fn text(&self, name: &str) -> Result<Option<&str>, Problem> {
        match self.get(name) {
            Some(text) if text.chars().count() > MAX_QUERY_CHARS || text.contains('\0') => {
                Err(Problem::invalid(format!("{name}: must be at most {MAX_QUERY_CHARS} plain characters")))
            }
            text => Ok(text),
        }
    }

    /// Every value of a parameter that may be repeated or hold a list with commas, parsed.
    pub fn list<T>(&self, name: &str, parse: impl Fn(&str) -> Result<T, Problem>) -> Result<Vec<T>, Problem> {
        let values = self.0.iter().filter(|(key, _)| key == name);
        let values = values.flat_map(|(_, value)| value.split(',')).map(str::trim);
        let values: Vec<&str> = values.filter(|value| !value.is_empty()).take(MAX_QUERY_VALUES + 1).collect();
        if values.len() > MAX_QUERY_VALUES {
            return Err(Problem::invalid(format!("{name}: at most {MAX_QUERY_VALUES} values")));
        }
        values.into_iter().map(parse).collect()
    }

    /// A parameter, parsed; what cannot be parsed is a 422 that names it.
    pub fn parsed<T: std::str::FromStr>(&self, name: &str) -> Result<Option<T>, Problem>
    where
        T::Err: std::fmt::Display,
    {
        let Some(value) = self.get(name) else { return Ok(None) };
        let parsed = value.parse().map_err(|error: T::Err| Problem::invalid(format!("{name}: {error}")))?;
        Ok(Some(parsed))
    }

    /// A limit: `default` unless given, from 1 to `most`.
    pub fn limit(&self, default: usize, most: usize) -> Result<usize, Problem> {
        match self.parsed::<usize>("limit")?.unwrap_or(default) {
            limit if (1..=most).contains(&limit) => Ok(limit),
            _ => Err(Problem::invalid(format!("limit: must be 1 to {most}"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::http::StatusCode;
    use futures_util::StreamExt as _;
    use futures_util::stream::{iter, pending};

    use super::*;
    use crate::limits::Bodies;

    const MINUTE: Duration = Duration::from_mins(1);

    fn room() -> Held {
        Bodies::new(2 * MAX_BODY, 0).hold(true)
    }

    fn of_pieces(pieces: impl futures_util::Stream<Item = Bytes> + Send + 'static) -> Body {
        Body::from_stream(pieces.map(Ok::<_, std::io::Error>))
    }

    #[tokio::test]
    async fn a_body_that_stops_half_way_is_given_up() {
        let mut body = of_pieces(iter([Bytes::from_static(b"{")]).chain(pending()));
        let given_up = whole(&mut body, room(), Duration::from_millis(5), &mut 0).await.unwrap_err();
        assert_eq!(given_up.status(), StatusCode::REQUEST_TIMEOUT);
        let arrived = whole(&mut Body::from("{}"), room(), MINUTE, &mut 0).await;
        assert_eq!(arrived.unwrap(), "{}");
    }

    #[tokio::test]
    async fn a_body_is_too_large_by_what_it_says_or_by_what_comes() {
        let said =
            whole(&mut Body::from(vec![0; MAX_BODY + 1]), Bodies::new(0, 0).hold(true), MINUTE, &mut 0).await;
        assert_eq!(said.unwrap_err().status(), StatusCode::PAYLOAD_TOO_LARGE, "before any room was needed");
        let piece = Bytes::from_static(&[0; 1_024]);
        let came = whole(&mut of_pieces(iter(vec![piece.clone(); 1_025])), room(), MINUTE, &mut 0).await;
        assert_eq!(came.unwrap_err().status(), StatusCode::PAYLOAD_TOO_LARGE);
        let fits = whole(&mut of_pieces(iter(vec![piece; 1_024])), room(), MINUTE, &mut 0).await;
        assert_eq!(fits.map(|bytes| bytes.len()).ok(), Some(MAX_BODY));
    }

    #[tokio::test]
    async fn a_body_takes_room_until_nobody_has_it_any_more_and_one_without_is_refused_at_once() {
        let bodies = Bodies::new(10, 0);
        let read = async |mut body: Body| whole(&mut body, bodies.hold(true), MINUTE, &mut 0).await;
        let held = read(Body::from("12345678")).await.unwrap();
        let part = held.slice(2..4);
        assert_eq!(read(Body::from("123")).await.unwrap_err().status(), StatusCode::TOO_MANY_REQUESTS);
        drop(held);
        assert_eq!(read(Body::from("123")).await.unwrap_err().status(), StatusCode::TOO_MANY_REQUESTS);
        drop(part);
        assert_eq!(read(Body::from("1234567890")).await.unwrap(), "1234567890");
        let broken = iter([Ok(Bytes::from_static(b"12345678")), Err(std::io::Error::other("gone"))]);
        assert_eq!(read(Body::from_stream(broken)).await.unwrap_err().status(), StatusCode::BAD_REQUEST);
        assert_eq!(read(Body::from("1234567890")).await.unwrap(), "1234567890");
    }

    #[tokio::test]
    async fn a_body_that_comes_byte_by_byte_costs_its_bytes() {
        // Each piece keeps what it was cut from, as one that was read from a socket does.
        let source = Bytes::from(vec![b'x'; 100_000]);
        let pieces: Vec<Bytes> = (0..source.len()).map(|n| source.slice(n..=n)).collect();
        let bytes = whole(&mut of_pieces(iter(pieces)), room(), MINUTE, &mut 0).await.unwrap();
        assert_eq!(bytes, source);
        assert!(source.is_unique(), "nothing is kept of the pieces");
    }
}
