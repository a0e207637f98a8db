//! Problems as RFC 9457 writes them. Status codes of refusals are chosen here alone.
//!
//! A 5xx never shows its inside; it is logged, with the request's id, where it becomes a problem.

use std::time::Duration;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use shipboard_core::decide::Refusal;

use crate::limits::Over;
use crate::store::StoreError;
use crate::writer::WriteError;

/// Seconds after which a client that was refused for want of room may come back.
const RETRY_AFTER_S: u64 = 5;

/// Why a request was not done.
#[derive(Clone, Debug)]
pub struct Problem {
    status: StatusCode,
    detail: String,
    /// How long a log is that was appended to at the wrong place.
    length: Option<u64>,
    /// When to come back, where it is known better than as a rule.
    wait: Option<Duration>,
}

/// A problem as it is sent.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Problem)]
pub struct ProblemBody {
    /// Always `about:blank`: the status says which problem it is.
    #[serde(rename = "type")]
    kind: &'static str,
    /// The status in words.
    title: String,
    /// The HTTP status.
    status: u16,
    /// A sentence that helps.
    detail: String,
    /// By which the request is found in the logs.
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<String>,
    /// 409 on a log: how many bytes of it are held.
    #[serde(skip_serializing_if = "Option::is_none")]
    length: Option<u64>,
}

impl Problem {
    fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self { status, detail: detail.into(), length: None, wait: None }
    }

    /// 400: the body is no JSON.
    pub fn malformed(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, detail)
    }

    /// 401
    pub fn unauthorized() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "a valid token is needed: Authorization: Bearer …")
    }

    /// 401 of a webhook: the same words for a wrong signature and for a tenant or source that is not there.
    pub fn unsigned() -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "the delivery is not signed with a secret of this tenant's for this source",
        )
    }

    /// 403
    pub fn forbidden(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, detail)
    }

    /// 404; the same words for what does not exist and for what is not the caller's.
    pub fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "there is nothing here, or nothing that you may see")
    }

    /// 405
    pub fn method_not_allowed() -> Self {
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "this method is not available here")
    }

    /// 408: the rest of the body did not come.
    pub fn too_slow(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::REQUEST_TIMEOUT, detail)
    }

    /// 409: bytes of a log are missing before these.
    pub fn log_gap(length: u64) -> Self {
        let detail = format!("the log is held up to byte {length}; send what follows it");
        Self { length: Some(length), ..Self::new(StatusCode::CONFLICT, detail) }
    }

    /// 413
    pub fn too_large(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, detail)
    }

    /// 422: out of range, or not parsable.
    pub fn invalid(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, detail)
    }

    /// 429
    pub fn too_many(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::TOO_MANY_REQUESTS, detail)
    }

    /// 502: whom we asked answers what cannot be.
    pub fn bad_gateway(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_GATEWAY, detail)
    }

    /// 503: whom we asked does not answer.
    pub fn unavailable(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, detail)
    }

    /// The HTTP status.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// What was sent, or would be kept, is too much.
    pub fn is_too_large(&self) -> bool {
        self.status == StatusCode::PAYLOAD_TOO_LARGE
    }

    /// As it is sent.
    pub fn body(&self, request_id: Option<String>) -> ProblemBody {
        ProblemBody {
            kind: "about:blank",
            title: self.status.canonical_reason().unwrap_or_default().to_owned(),
            status: self.status.as_u16(),
            detail: self.detail.clone(),
            request_id,
            length: self.length,
        }
    }

    /// The response, with the id of the request it answers.
    pub fn respond(&self, request_id: &str) -> Response {
        let body = serde_json::to_vec(&self.body(Some(request_id.to_owned()))).unwrap_or_default();
        let mut response = (self.status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        match self.status {
            StatusCode::UNAUTHORIZED => {
                headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
                // In whole seconds, and not before: who comes as told is not refused again.
                let seconds = self.wait.map_or(RETRY_AFTER_S, |wait| wait.as_millis().div_ceil(1_000) as u64);
                headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds.max(1)));
            }
            _ => {}
        }
        response
    }
}

impl IntoResponse for Problem {
    /// Leaves the problem to the outermost layer, which knows the request's id.
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let status = match refusal {
            Refusal::UnknownDeployment | Refusal::UnknownWorkflow => StatusCode::NOT_FOUND,
            Refusal::Gone => StatusCode::GONE,
            Refusal::WorkflowMissing
            | Refusal::OtherWorkflow(_)
            | Refusal::KeyReused
            | Refusal::TooManySources => StatusCode::UNPROCESSABLE_ENTITY,
        };
        Self::new(status, refusal.to_string())
    }
}

impl From<&StoreError> for Problem {
    fn from(error: &StoreError) -> Self {
        match error {
            StoreError::Unavailable(_) | StoreError::Busy(_) | StoreError::Conflict(_) => {
                tracing::warn!(%error, "a request could not be done");
                Self::new(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "the database is not available; the request may have been done all the same: repeat it",
                )
            }
            StoreError::Raced => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "this changes too fast to be read now; try again")
            }
            StoreError::Broken(_) => {
                tracing::error!(%error, "a request failed");
                Self::new(StatusCode::INTERNAL_SERVER_ERROR, "a fault of the server's; it was logged")
            }
        }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        Self::from(&error)
    }
}

impl From<Over> for Problem {
    fn from(over: Over) -> Self {
        Self { wait: Some(over.wait), ..Self::too_many(over.to_string()) }
    }
}

impl From<WriteError> for Problem {
    fn from(error: WriteError) -> Self {
        match error {
            WriteError::NoEnv => Self::not_found(),
            WriteError::Store(error) => Self::from(&*error),
            WriteError::Stopping => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "the server is stopping; repeat the request")
            }
        }
    }
}
