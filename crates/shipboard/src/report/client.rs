//! The public HTTP API as a reporter uses it: reports, batches, logs. Nothing here retries; it says
//! whether that would make sense. Tokens travel in a header, never in a URL, and follow no redirect.

use std::time::Duration;

use reqwest::{Method, RequestBuilder, Response, StatusCode, Url, header};
use serde::{Deserialize, Serialize};
use shipboard_core::id::{DeploymentId, Slug};
use shipboard_core::report::{ReportBody, cut};

/// Longest a connection may take to come about.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// Longest a call may take from its first to its last byte.
const CALL_TIMEOUT: Duration = Duration::from_secs(10);
/// Most characters of a server's reason that are shown.
const MAX_REASON_CHARS: usize = 300;

/// Where reports go.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    server: String,
    tenant: Slug,
    token: Option<header::HeaderValue>,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client")
            .field("server", &self.server)
            .field("tenant", &self.tenant)
            .finish_non_exhaustive()
    }
}

/// What became of a report that was taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken {
    /// Its deployment.
    pub id: DeploymentId,
    /// The report made it.
    pub created: bool,
    /// The server holds a log of it already.
    pub has_log: bool,
}

/// What became of one report of a batch.
#[derive(Clone, Debug, Deserialize)]
pub struct BatchResult {
    /// 201 created, 200 known, else why not.
    pub status: u16,
    /// Its deployment.
    pub id: Option<DeploymentId>,
    /// Why it was not taken.
    pub problem: Option<Problem>,
}

/// A problem as RFC 9457 has it, in part.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Problem {
    title: Option<String>,
    detail: Option<String>,
    length: Option<u64>,
}

impl Problem {
    /// The sentence to show, on one line and free of control characters.
    pub fn reason(&self) -> String {
        let text = self.detail.as_deref().or(self.title.as_deref()).unwrap_or("no reason given");
        cut(text, MAX_REASON_CHARS).replace(|c: char| c.is_control(), " ")
    }
}

/// Why a call came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// Nobody answered, or not in time. Perhaps it was done all the same.
    #[error("{server} cannot be reached: {reason}")]
    Unreachable {
        /// Who was called.
        server: String,
        /// What went wrong.
        reason: String,
    },
    /// The server cannot now: 429 or 5xx.
    #[error("the server answered {status}: {reason}")]
    Busy {
        /// The status.
        status: StatusCode,
        /// In the server's words.
        reason: String,
        /// When to come back.
        after: Option<Duration>,
    },
    /// The server will not, however often it is asked.
    #[error("the server answered {status}: {reason}")]
    Refused {
        /// The status.
        status: StatusCode,
        /// In the server's words.
        reason: String,
        /// 409 on a log: how many bytes are held.
        length: Option<u64>,
    },
}

impl CallError {
    /// The same call may succeed later.
    pub fn may_pass(&self) -> bool {
        !matches!(self, Self::Refused { .. })
    }

    /// The status of a refusal.
    pub fn refused_as(&self) -> Option<StatusCode> {
        match self {
            Self::Refused { status, .. } => Some(*status),
            _ => None,
        }
    }
}

/// Why there is no client.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// No http(s) URL.
    #[error("--server: `{0}` is no http:// or https:// URL")]
    Server(String),
    /// A token that no header can carry.
    #[error("the token has characters that no token has")]
    Token,
    /// TLS or the resolver cannot be set up.
    #[error("no HTTP client: {0}")]
    Http(#[from] reqwest::Error),
}

#[derive(Deserialize)]
struct DeploymentAnswer {
    deployment: AnsweredRow,
}

#[derive(Deserialize)]
struct AnsweredRow {
    id: DeploymentId,
    #[serde(default)]
    has_log: bool,
}

#[derive(Deserialize)]
struct BatchAnswer {
    results: Vec<BatchResult>,
}

#[derive(Deserialize)]
struct LogAnswer {
    length: u64,
}

#[derive(Serialize)]
struct Batch<'a> {
    reports: &'a [ReportBody],
}

impl Client {
    /// A client for one tenant. A loopback server is called directly, whatever proxy is set.
    pub fn new(server: &str, tenant: Slug, token: Option<&str>) -> Result<Self, ClientError> {
        let invalid = || ClientError::Server(server.to_owned());
        let url = Url::parse(server.trim()).map_err(|_| invalid())?;
        if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
            return Err(invalid());
        }
        let token = match token.map(str::trim).filter(|token| !token.is_empty()) {
            None => None,
            Some(token) => {
                let value = header::HeaderValue::try_from(format!("Bearer {token}"));
                let mut value = value.map_err(|_| ClientError::Token)?;
                value.set_sensitive(true);
                Some(value)
            }
        };
        // An error here says only that somebody else of this process has installed one.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut http = reqwest::Client::builder()
            .user_agent(concat!("shipboard/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(CALL_TIMEOUT);
        if is_loopback(&url) {
            http = http.no_proxy();
        }
        if url.scheme() == "http" {
            // Plain HTTP must work where no certificates are installed, too.
            http = http.tls_certs_only([]);
        }
        let server = url.as_str().trim_end_matches('/').to_owned();
        Ok(Self { http: http.build()?, server, tenant, token })
    }

    /// Where people see a deployment.
    pub fn page(&self, env: &Slug, id: DeploymentId) -> String {
        format!("{}/t/{}/{env}/d/{id}", self.server, self.tenant)
    }

    /// The server's URL, without a slash at its end.
    pub fn server(&self) -> &str {
        &self.server
    }

    /// Whose deployments these are.
    pub fn tenant(&self) -> &Slug {
        &self.tenant
    }

    /// A report that may create a deployment.
    pub async fn report(
        &self,
        env: &Slug,
        body: &ReportBody,
        idempotency_key: Option<&str>,
    ) -> Result<Taken, CallError> {
        let mut call = self.call(Method::POST, env, "").json(body);
        if let Some(key) = idempotency_key {
            call = call.header("Idempotency-Key", key);
        }
        let response = self.send(call).await?;
        let created = response.status() == StatusCode::CREATED;
        let DeploymentAnswer { deployment } = self.json(response).await?;
        Ok(Taken { id: deployment.id, created, has_log: deployment.has_log })
    }

    /// A report on a known deployment.
    pub async fn update(&self, env: &Slug, id: DeploymentId, body: &ReportBody) -> Result<(), CallError> {
        let call = self.call(Method::PATCH, env, &format!("/{id}")).json(body);
        self.send(call).await.map(drop)
    }

    /// Many reports in one transaction; one result each.
    pub async fn batch(&self, env: &Slug, reports: &[ReportBody]) -> Result<Vec<BatchResult>, CallError> {
        let response = self.send(self.call(Method::POST, env, ":batch").json(&Batch { reports })).await?;
        let BatchAnswer { results } = self.json(response).await?;
        Ok(results)
    }

    /// Appends to a log; how long it is then. Nothing appended just asks.
    pub async fn append_log(
        &self,
        env: &Slug,
        id: DeploymentId,
        offset: u64,
        text: Vec<u8>,
    ) -> Result<u64, CallError> {
        let call = self.call(Method::POST, env, &format!("/{id}/logs?offset={offset}"));
        let call = call.header(header::CONTENT_TYPE, "text/plain; charset=utf-8").body(text);
        let response = self.send(call).await?;
        let LogAnswer { length } = self.json(response).await?;
        Ok(length)
    }

    fn call(&self, method: Method, env: &Slug, rest: &str) -> RequestBuilder {
        // Slugs and ids need no escaping.
        let url = format!("{}/api/v1/tenants/{}/envs/{env}/deployments{rest}", self.server, self.tenant);
        let call = self.http.request(method, url);
        match &self.token {
            Some(token) => call.header(header::AUTHORIZATION, token.clone()),
            None => call,
        }
    }

    async fn send(&self, call: RequestBuilder) -> Result<Response, CallError> {
        let response = call.send().await.map_err(|error| self.unreachable(&error))?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let after = response.headers().get(header::RETRY_AFTER).and_then(|value| value.to_str().ok());
        let after = after.and_then(|seconds| seconds.trim().parse().ok()).map(Duration::from_secs);
        let problem: Problem = response.json().await.unwrap_or_default();
        let reason = problem.reason();
        let may_pass = status.is_server_error()
            || matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT);
        Err(if may_pass {
            CallError::Busy { status, reason, after }
        } else {
            CallError::Refused { status, reason, length: problem.length }
        })
    }

    async fn json<T: serde::de::DeserializeOwned>(&self, response: Response) -> Result<T, CallError> {
        response.json().await.map_err(|error| self.unreachable(&error))
    }

    fn unreachable(&self, error: &reqwest::Error) -> CallError {
        // The innermost cause is the one that helps: "connection refused" rather than "error sending request".
        let mut cause: &dyn std::error::Error = error;
        while let Some(inner) = cause.source() {
            cause = inner;
        }
        let reason = if error.is_timeout() { "no answer in time".to_owned() } else { cause.to_string() };
        CallError::Unreachable { server: self.server.clone(), reason }
    }
}

fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(server: &str, token: Option<&str>) -> Result<Client, ClientError> {
        Client::new(server, "acme".parse().unwrap(), token)
    }

    #[test]
    fn a_server_is_an_http_url_and_loses_its_last_slash() {
        assert_eq!(client("http://127.0.0.1:7700/", None).unwrap().server(), "http://127.0.0.1:7700");
        assert_eq!(
            client("https://ship.example/board", None).unwrap().server(),
            "https://ship.example/board"
        );
        for bad in ["", "ship.example", "ftp://ship.example", "127.0.0.1:7700"] {
            assert!(matches!(client(bad, None), Err(ClientError::Server(_))), "{bad}");
        }
    }

    #[test]
    fn a_token_never_shows() {
        let client = client("http://[::1]:7700", Some("s3cret")).unwrap();
        assert!(!format!("{client:?}").contains("s3cret"));
        assert!(matches!(super::tests::client("http://[::1]", Some("a\nb")), Err(ClientError::Token)));
    }

    #[test]
    fn a_reason_is_one_short_line() {
        let problem =
            Problem { detail: Some(format!("a\nb\u{1b}{}", "x".repeat(999))), ..Problem::default() };
        let reason = problem.reason();
        assert!(reason.starts_with("a b x"), "{reason}");
        assert_eq!(reason.chars().count(), MAX_REASON_CHARS);
    }
}
