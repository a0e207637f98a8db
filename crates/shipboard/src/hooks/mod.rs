//! Webhooks: the bytes another system sends, read as reports. Pure but for the signature check.
//!
//! One room per source, known to [`Source`] alone. What has no environment is nobody's deployment and reads as
//! nothing. There is no state here: what belongs together is joined by giving it the same external id.

mod argocd;
mod cdevents;
mod github;
mod gitlab;
mod signature;
#[cfg(test)]
mod testing;

use sha2::{Digest as _, Sha256};
use shipboard_core::id::Slug;
use shipboard_core::report::{InvalidReport, Report};
use shipboard_core::time::Timestamp;

/// A system that sends webhooks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Source {
    /// GitHub, also one of one's own.
    Github,
    /// GitLab, also one of one's own.
    Gitlab,
    /// Argo CD's notifications.
    Argocd,
    /// Whatever speaks the language of CDEvents.
    Cdevents,
}

/// What was sent: its headers, what its address has after the `?`, and its bytes.
#[derive(Clone, Copy)]
pub struct Delivery<'a> {
    /// A header by its name in lower case.
    pub headers: &'a dyn Fn(&str) -> Option<&'a str>,
    /// The environment of what names none, as the hook's address gives it.
    pub env: Option<&'a str>,
    /// The body as it was received.
    pub body: &'a [u8],
}

impl<'a> Delivery<'a> {
    fn header(&self, name: &str) -> Option<&'a str> {
        (self.headers)(name)
    }
}

impl std::fmt::Debug for Delivery<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Delivery").field("bytes", &self.body.len()).finish_non_exhaustive()
    }
}

impl Source {
    /// All there are.
    pub const ALL: [Self; 4] = [Self::Github, Self::Gitlab, Self::Argocd, Self::Cdevents];

    /// As addresses, commands and reports name it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Github => github::SOURCE,
            Self::Gitlab => gitlab::SOURCE,
            Self::Argocd => argocd::SOURCE,
            Self::Cdevents => cdevents::SOURCE,
        }
    }

    /// The source of this name.
    pub fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|source| source.word() == word)
    }

    /// Whoever sent it knows one of these secrets.
    pub fn is_signed(self, secrets: &[String], delivery: &Delivery<'_>, now: Timestamp) -> bool {
        match self {
            Self::Github => github::is_signed(secrets, delivery),
            Self::Gitlab => gitlab::is_signed(secrets, delivery, now),
            Self::Argocd | Self::Cdevents => {
                let token = delivery.header("authorization").and_then(bearer);
                let signature = delivery.header("x-hub-signature-256");
                signature::is_shown(secrets, token)
                    | signature::is_hub_signed(secrets, signature, delivery.body)
            }
        }
    }

    /// What it tells.
    pub fn read(self, delivery: &Delivery<'_>) -> Result<Vec<EnvReport>, HookError> {
        match self {
            Self::Github => {
                let event = delivery.header("x-github-event");
                let event = event.ok_or(HookError::Missing("X-GitHub-Event"))?;
                github::read(event, delivery.header("content-type"), delivery.body)
            }
            Self::Gitlab => gitlab::read(delivery.body),
            Self::Argocd => argocd::read(delivery.body),
            Self::Cdevents => cdevents::read(delivery.body, delivery.env),
        }
    }

    /// What it is known by should it come again: its id, if it has one, and its bytes. Ids in headers are
    /// not signed, so that one who repeats it can give it another. Hashes, since others choose their length.
    pub fn keys(self, delivery: &Delivery<'_>) -> Vec<String> {
        let id = match self {
            Self::Github => github::id(delivery),
            Self::Gitlab => gitlab::id(delivery),
            Self::Argocd => None,
            Self::Cdevents => cdevents::id(delivery.body),
        };
        let id = id.map(|id| format!("id:{}", hex::encode(Sha256::digest(id))));
        let body = format!("body:{}", hex::encode(Sha256::digest(delivery.body)));
        id.into_iter().chain([body]).collect()
    }
}

fn bearer(header: &str) -> Option<&str> {
    let (scheme, token) = header.trim().split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// A report and the env it is for.
#[derive(Clone, Debug, PartialEq)]
pub struct EnvReport {
    /// The env's slug, made of what the source calls it.
    pub env: Slug,
    /// What the source calls it.
    pub env_name: String,
    /// What is said. Its `workflow` matters when the deployment is new; a source may spell it otherwise
    /// later on. Without an `external_id` it is of whatever is current of that workflow there: a source that
    /// takes something away does not say which deployment had brought it.
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
