//! Sign-in of people by OpenID Connect: what the provider says of somebody, and what that allows here.
//!
//! The authorisation code flow with PKCE, and nothing else of OpenID Connect. Sessions are not made here, and no
//! token of the provider's is kept: who somebody is and which groups they are in is all that is wanted of it.

mod attempt;
mod exchanges;
mod fetch;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod person;
mod provider;
mod rules;
mod settings;

pub use self::attempt::{Attempt, LIFETIME, return_path};
pub use self::person::Person;
pub use self::provider::{Failure, Provider};
pub use self::rules::{Rule, grants};
pub use self::settings::{OidcArgs, Secret, Settings};

/// Whether a session of this subject was opened here.
pub fn is_subject(subject: &str) -> bool {
    subject.starts_with(SUBJECT)
}

/// What the subjects of sessions opened here begin with.
const SUBJECT: &str = "oidc:";
