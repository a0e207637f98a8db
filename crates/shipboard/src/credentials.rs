//! Making tokens and webhooks' secrets: the same for the commands and for the admin's page.

use std::time::Duration;

use serde_json::json;
use shipboard_core::id::Slug;

use crate::audit::Actor;
use crate::config::MAX_SPAN;
use crate::hooks::Source;
use crate::store::{Grant, Hook, Result, Store, Token};
use crate::{access, clock};

/// Most tokens of a tenant that hold at a time: every instance keeps them in memory.
pub const MOST_TOKENS: usize = 1_000;
/// Most secrets of a tenant's source that hold at a time. So many are tried of every delivery, whosever it is.
pub const MOST_SECRETS: usize = 5;
/// Longest name of a token, in characters.
pub const MAX_NAME: usize = 100;
/// Most envs that a token names.
pub const MAX_ENVS: usize = 100;

/// A token to be made.
#[derive(Clone, Debug)]
pub struct NewToken {
    /// What people call it; may be empty.
    pub name: String,
    /// What it is to allow.
    pub grant: Grant,
    /// For how long; `None`: for ever.
    pub lifetime: Option<Duration>,
}

/// What is wrong with what was asked for, in words.
type Wrong = String;

/// The tenant is there: nothing is made for one that is not.
pub async fn must_exist(store: &Store, tenant: &Slug) -> Result<std::result::Result<(), Wrong>> {
    let is_there = store.tenant(tenant).await?.is_some();
    Ok(is_there.then_some(()).ok_or_else(|| {
        format!("there is no tenant {tenant}; make it with `shipboard tenant create {tenant}`")
    }))
}

/// Makes a token, and gives it with its secret.
pub async fn make_token(
    store: &Store,
    new: NewToken,
    actor: &Actor,
) -> Result<std::result::Result<(Token, String), Wrong>> {
    let name = new.name.trim();
    if name.chars().count() > MAX_NAME || name.chars().any(char::is_control) {
        return Ok(Err(format!("name: must be at most {MAX_NAME} plain characters")));
    }
    if new.grant.envs.as_ref().is_some_and(|envs| envs.len() > MAX_ENVS) {
        return Ok(Err(format!("envs: at most {MAX_ENVS}")));
    }
    if new.lifetime.is_some_and(|lifetime| !(Duration::from_secs(1)..=MAX_SPAN).contains(&lifetime)) {
        return Ok(Err("expires: must be from 1 s to 100 years; without it a token is for ever".to_owned()));
    }
    let now = clock::now();
    let secret = format!("ship_{}", clock::secret());
    let token = Token {
        id: clock::short_id(),
        name: name.to_owned(),
        grant: new.grant,
        created_by: actor.name().to_owned(),
        created_at: now,
        used_at: None,
        expires_at: new.lifetime.map(|lifetime| now.plus_millis(lifetime.as_millis() as i64)),
        revoked_at: None,
    };
    let Grant { tenant, role, envs } = &token.grant;
    let detail = json!({"name": token.name, "role": role, "envs": envs, "expires_at": token.expires_at});
    let record = actor.did("token.create", Some(tenant), &token.id, detail);
    if !store.add_token(&token, &access::hash(&secret), MOST_TOKENS, &record).await? {
        return Ok(Err(format!(
            "tenant: at most {MOST_TOKENS} tokens of one hold at a time; revoke some first"
        )));
    }
    Ok(Ok((token, secret)))
}

/// Where a source delivers to.
pub fn hook_path(tenant: &Slug, source: &str) -> String {
    format!("/api/v1/tenants/{tenant}/hooks/{source}")
}

/// Makes another secret of a source's; those before it go on to hold.
pub async fn make_hook(
    store: &Store,
    tenant: Slug,
    source: &str,
    actor: &Actor,
) -> Result<std::result::Result<Hook, Wrong>> {
    if Source::of(source).is_none() {
        return Ok(Err(format!("source: must be one of {}", Source::ALL.map(Source::word).join(", "))));
    }
    let hook = Hook {
        id: clock::short_id(),
        tenant,
        source: source.to_owned(),
        secret: clock::secret(),
        created_by: actor.name().to_owned(),
        created_at: clock::now(),
        revoked_at: None,
    };
    let record = actor.did("hook.create", Some(&hook.tenant), &hook.id, json!({"source": source}));
    if !store.add_hook(&hook, MOST_SECRETS, &record).await? {
        return Ok(Err(format!(
            "source: at most {MOST_SECRETS} secrets of one hold at a time; revoke one first"
        )));
    }
    Ok(Ok(hook))
}
