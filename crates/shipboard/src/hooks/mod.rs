//! Webhooks: the bytes another system sends, read as reports. Pure but for the signature check.
//!
//! One room per source; each offers `verify(secrets, …)` and `read(…) -> Vec<EnvReport>`. What has no
//! environment is nobody's deployment and reads as nothing. There is no state here: what belongs together
//! is joined by giving it the same external id.

pub mod github;

use shipboard_core::id::Slug;
use shipboard_core::report::{InvalidReport, Report};

/// A report and the env it is for.
#[derive(Clone, Debug, PartialEq)]
pub struct EnvReport {
    /// The env's slug, made of what the source calls it.
    pub env: Slug,
    /// What the source calls it.
    pub env_name: String,
    /// What is said. Its `workflow` matters when the deployment is new; a source may spell it otherwise
    /// later on.
    pub report: Report,
}

/// Why a delivery could not be read. The sender made a mistake, or it is not the system we think it is.
#[derive(Debug, thiserror::Error)]
pub enum HookError {
    /// A form without the field that carries the JSON.
    #[error("the form has no field {0}")]
    NoPayload(&'static str),
    /// No JSON, or one of another shape.
    #[error("the body is not as this event's should be: {0}")]
    Malformed(#[from] serde_json::Error),
    /// Something that identifies the deployment is not there.
    #[error("{0} is missing")]
    Missing(&'static str),
    /// It says what no report may say.
    #[error(transparent)]
    Invalid(#[from] InvalidReport),
}
