//! Whose rows a verb is about. A connection is only had for somebody's rows (see `lane.rs` of each engine), so
//! that no verb can forget to say whose; PostgreSQL then shows it no others, whatever its queries ask for.

use shipboard_core::id::Slug;

use super::EnvKey;

/// Whose rows are seen and written.
#[derive(Clone, Copy, Debug)]
pub(super) enum Whose<'a> {
    /// One tenant's.
    Tenants(&'a Slug),
    /// Those of signed-in people, who may be of several tenants: sessions, and new lines of anybody's audit log.
    Peoples,
    /// Everybody's: what the instance asks for itself, before it is known or without its mattering whose it is.
    Everybodys,
}

impl<'a> Whose<'a> {
    /// As policies compare it: a tenant, or words that no tenant can be called.
    pub(super) fn word(self) -> &'a str {
        match self {
            Self::Tenants(tenant) => tenant.as_str(),
            Self::Peoples => "@",
            Self::Everybodys => "*",
        }
    }
}

impl<'a> From<&'a Slug> for Whose<'a> {
    fn from(tenant: &'a Slug) -> Self {
        Self::Tenants(tenant)
    }
}

impl<'a> From<&'a EnvKey> for Whose<'a> {
    fn from(key: &'a EnvKey) -> Self {
        Self::Tenants(&key.tenant)
    }
}
