//! Bodies and query strings: read within limits, and refused in words.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::StatusCode;
use axum::http::request::Parts;
use serde::de::{DeserializeOwned, IgnoredAny};

use super::problem::Problem;
use crate::app::App;
use crate::limits::Payer;

/// Most bytes of a request's body.
pub const MAX_BODY: usize = 1024 * 1024;

/// A body's bytes, at most [`MAX_BODY`], all of them here within `--body-timeout`.
#[derive(Debug)]
pub struct Raw(pub Bytes);

impl FromRequest<Arc<App>> for Raw {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, Problem> {
        let payer = request.extensions().get::<Payer>().cloned();
        let bytes = whole(request, app, app.config.body_timeout).await?;
        if let Some(Payer(payer)) = payer {
            app.limits.charge_bytes(&payer, bytes.len());
        }
        Ok(Self(bytes))
    }
}

/// Reads a whole body. Without a deadline, a client that stops half way would hold its connection for ever.
async fn whole<S: Send + Sync>(request: Request, state: &S, patience: Duration) -> Result<Bytes, Problem> {
    match tokio::time::timeout(patience, Bytes::from_request(request, state)).await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(error)) if error.status() == StatusCode::PAYLOAD_TOO_LARGE => {
            Err(Problem::too_large(format!("a body may have {MAX_BODY} bytes at most")))
        }
        Ok(Err(error)) => Err(Problem::malformed(error.to_string())),
        Err(_) => Err(Problem::too_slow(format!(
            "a body must be here within {}",
            humantime::format_duration(patience)
        ))),
    }
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
    use axum::body::Body;
    use futures_util::StreamExt as _;

    use super::*;

    #[tokio::test]
    async fn a_body_that_stops_half_way_is_given_up() {
        let begun = futures_util::stream::iter([Ok::<_, std::io::Error>(Bytes::from_static(b"{"))]);
        let body = Body::from_stream(begun.chain(futures_util::stream::pending()));
        let given_up = whole(Request::new(body), &(), Duration::from_millis(5)).await.unwrap_err();
        assert_eq!(given_up.status(), StatusCode::REQUEST_TIMEOUT);
        let arrived = whole(Request::new(Body::from("{}")), &(), Duration::from_mins(1)).await;
        assert_eq!(arrived.unwrap(), "{}");
    }
}
