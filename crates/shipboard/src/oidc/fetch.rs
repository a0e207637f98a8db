//! How the provider is asked: over the one HTTP client that this program has, without following redirects, within a
//! time and a size. Whom it may send us to is decided in `provider.rs`.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use openidconnect::url::Url;
use openidconnect::{AsyncHttpClient, HttpRequest, HttpResponse, http};

/// Longest a connection may take to come about.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// Longest a call may take from its first to its last byte.
const CALL_TIMEOUT: Duration = Duration::from_secs(8);
/// Most bytes of an answer: keys and configurations are a few KiB, tokens of people in many groups some more.
const MAX_ANSWER: usize = 512 * 1024;

/// The client.
#[derive(Clone, Debug)]
pub struct Fetch(reqwest::Client);

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// Nobody answered, or not in time, or in no HTTP. The URL is left out: it may hold what is nobody's business.
    #[error("no answer: {0}")]
    Unreachable(#[from] reqwest::Error),
    /// More than is read.
    #[error("an answer of more than {MAX_ANSWER} bytes")]
    TooLarge,
    /// What was read is no response.
    #[error("no response: {0}")]
    Odd(#[from] http::Error),
}

impl Fetch {
    /// A client for this provider. One on this machine is called directly, whatever proxy is set.
    pub fn new(issuer: &Url) -> Result<Self, reqwest::Error> {
        // An error here says only that somebody else of this process has installed one.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut client = reqwest::Client::builder()
            .user_agent(concat!("shipboard/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(CALL_TIMEOUT);
        if issuer.scheme() == "http" {
            // A provider on this machine, where perhaps no certificates are installed.
            client = client.no_proxy().tls_certs_only([]);
        }
        client.build().map(Self)
    }

    async fn ask(&self, request: HttpRequest) -> Result<HttpResponse, FetchError> {
        let without_url = |error: reqwest::Error| FetchError::Unreachable(error.without_url());
        let request = request.try_into().map_err(without_url)?;
        let mut answer = self.0.execute(request).await.map_err(without_url)?;
        let mut response = http::Response::builder().status(answer.status());
        for (name, value) in answer.headers() {
            response = response.header(name, value);
        }
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(without_url)? {
            if body.len() + chunk.len() > MAX_ANSWER {
                return Err(FetchError::TooLarge);
            }
            body.extend_from_slice(&chunk);
        }
        Ok(response.body(body)?)
    }
}

impl<'c> AsyncHttpClient<'c> for Fetch {
    type Error = FetchError;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, FetchError>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(self.ask(request))
    }
}
