//! Who may come in, as it is kept: tokens, webhooks' secrets, sessions; and the record of who changed what.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use shipboard_core::id::Slug;
use shipboard_core::time::Timestamp;

/// What a credential allows.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Read.
    Viewer,
    /// Read and report.
    Reporter,
    /// Everything within the tenant.
    Admin,
}

impl Role {
    /// As it is written everywhere.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Reporter => "reporter",
            Self::Admin => "admin",
        }
    }
}

impl std::str::FromStr for Role {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "viewer" => Ok(Self::Viewer),
            "reporter" => Ok(Self::Reporter),
            "admin" => Ok(Self::Admin),
            _ => Err("must be viewer, reporter or admin"),
        }
    }
}

/// What may be done where.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Grant {
    /// In which tenant.
    #[schema(value_type = String)]
    pub tenant: Slug,
    /// What.
    pub role: Role,
    /// In which envs; null: in all of the tenant's, those to come too.
    #[schema(value_type = Option<Vec<String>>)]
    pub envs: Option<Vec<Slug>>,
}

/// A token as it is kept. Its secret is not: only a hash of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Token {
    /// By which it is listed and revoked.
    pub id: String,
    /// What people call it; may be empty.
    pub name: String,
    /// What it allows.
    pub grant: Grant,
    /// Who made it.
    pub created_by: String,
    /// Since when.
    pub created_at: Timestamp,
    /// Last shown when, give or take a minute.
    pub used_at: Option<Timestamp>,
    /// Until when.
    pub expires_at: Option<Timestamp>,
    /// Taken back when.
    pub revoked_at: Option<Timestamp>,
}

/// A webhook's secret.
#[derive(Clone, PartialEq, Eq)]
pub struct Hook {
    /// By which it is listed and revoked.
    pub id: String,
    /// Whose.
    pub tenant: Slug,
    /// `github`, …
    pub source: String,
    /// What deliveries are signed with.
    pub secret: String,
    /// Who made it.
    pub created_by: String,
    /// Since when.
    pub created_at: Timestamp,
    /// Taken back when.
    pub revoked_at: Option<Timestamp>,
}

impl std::fmt::Debug for Hook {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hook").field("id", &self.id).field("source", &self.source).finish_non_exhaustive()
    }
}

/// A signed-in browser as it is kept.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Session {
    /// By which it is listed and revoked.
    pub id: String,
    /// Who signed in: all sessions of one subject are ended together.
    pub subject: String,
    /// What people call them.
    pub name: String,
    /// The token that it was opened with, and ends with.
    pub token: Option<String>,
    /// What it allows.
    pub grants: Vec<Grant>,
    /// The hash of the secret in its cookie.
    pub hash: String,
    /// The hash of the secret before that one: a request may have been under way with it.
    pub former_hash: Option<String>,
    /// Since when.
    pub created_at: Timestamp,
    /// Since when its secret is the one that it is.
    pub rotated_at: Timestamp,
    /// Last used when, give or take a minute.
    pub used_at: Timestamp,
    /// Until when at most.
    pub expires_at: Timestamp,
    /// Ended when.
    pub revoked_at: Option<Timestamp>,
}

/// What a tenant's own limits are; `None`: as the server's flags say.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct TenantLimits {
    /// How long finished deployments are kept; zero: for ever.
    pub keep_deployments: Option<Duration>,
    /// Most streams open at once, on each instance.
    pub max_streams: Option<usize>,
}

/// All that holds at a time, of all tenants, beside sessions: what an instance keeps a copy of.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Credentials {
    /// Tokens, with the hashes of their secrets.
    pub tokens: Vec<(Token, String)>,
    /// Webhooks' secrets, the oldest first.
    pub hooks: Vec<Hook>,
    /// Of the tenants that have limits of their own.
    pub limits: Vec<(Slug, TenantLimits)>,
    /// There is a token, or was one.
    pub is_closed: bool,
}

/// How often credentials have changed, since the database was made.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Changes {
    /// Tokens, webhooks' secrets, and tenants' own limits.
    pub kept: i64,
    /// Sessions.
    pub sessions: i64,
}

/// A line of the audit log: who did what to what, and from where. It holds no secret.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, utoipa::ToSchema)]
pub struct Record {
    /// Ids sort by time.
    pub id: String,
    /// When.
    #[schema(value_type = String)]
    pub at: Timestamp,
    /// Whose affair; null: the server's own.
    #[schema(value_type = Option<String>)]
    pub tenant: Option<Slug>,
    /// Who: `token ID (name)`, `session ID (name)`, `command line (user)`, `anybody`.
    pub actor: String,
    /// From which address, as far as it is known.
    pub address: Option<String>,
    /// What, e.g. `token.create`.
    pub action: String,
    /// To what, e.g. a token's id.
    pub subject: String,
    /// More about it, by action.
    #[schema(value_type = Object)]
    pub detail: serde_json::Value,
}
