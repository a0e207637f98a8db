//! Who may do what: tokens and roles, from a cache of the database that is never older than seconds.
//!
//! No request waits for a query here: a credential the cache does not know is refused, and the cache
//! is refreshed for the next one.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use sha2::{Digest as _, Sha256};
use shipboard_core::id::Slug;
use shipboard_core::time::Timestamp;

use crate::config::{AuthMode, Config};
use crate::store::{Hook, Result, Role, Store, Token};

/// Whoever makes a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Caller {
    /// Open mode: everybody is admin of everything.
    Anybody,
    /// Somebody with a token.
    Token(Arc<Token>),
}

/// Why a credential no longer holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Lapse {
    /// Its time is over.
    Expired,
    /// It was taken back, or the doors were closed.
    Revoked,
}

impl Caller {
    /// May do what this role may, in this tenant.
    pub fn has(&self, tenant: &Slug, role: Role) -> bool {
        match self {
            Self::Anybody => true,
            Self::Token(token) => token.tenant == *tenant && token.role >= role,
        }
    }

    /// Belongs to this tenant.
    pub fn is_of(&self, tenant: &Slug) -> bool {
        self.has(tenant, Role::Viewer)
    }

    /// May see this env of its tenant.
    pub fn sees(&self, tenant: &Slug, env: &Slug) -> bool {
        self.is_of(tenant)
            && match self {
                Self::Anybody => true,
                Self::Token(token) => token.envs.as_ref().is_none_or(|envs| envs.contains(env)),
            }
    }
}

/// The credentials, cached.
#[derive(Debug)]
pub struct Access {
    store: Store,
    explicit: Option<AuthMode>,
    loopback: bool,
    cache: RwLock<Cache>,
}

#[derive(Debug, Default)]
struct Cache {
    tokens: HashMap<String, Arc<Token>>,
    hooks: Vec<Hook>,
}

/// The hash that a token's secret is kept by.
pub fn hash(secret: &str) -> String {
    hex::encode(Sha256::digest(secret.as_bytes()))
}

impl Access {
    /// Reads the credentials for the first time.
    pub async fn new(store: Store, config: &Config) -> Result<Self> {
        let access = Self {
            store,
            explicit: config.auth,
            loopback: config.listen.ip().is_loopback(),
            cache: RwLock::default(),
        };
        access.refresh().await?;
        Ok(access)
    }

    /// Reads the credentials anew.
    pub async fn refresh(&self) -> Result<()> {
        let tokens = self.store.tokens().await?;
        let tokens = tokens.into_iter().map(|(token, hash)| (hash, Arc::new(token))).collect();
        let hooks = self.store.hooks().await?;
        *self.cache.write().unwrap_or_else(PoisonError::into_inner) = Cache { tokens, hooks };
        Ok(())
    }

    fn cache(&self) -> std::sync::RwLockReadGuard<'_, Cache> {
        self.cache.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The mode in force. Not said, it is open only on a loopback address and as long as there is no
    /// token, revoked ones included: taking the last one back does not open the doors again.
    pub fn mode(&self) -> AuthMode {
        match self.explicit {
            Some(mode) => mode,
            None if self.loopback && self.cache().tokens.is_empty() => AuthMode::Open,
            None => AuthMode::Required,
        }
    }

    /// Whoever shows this secret; `None`: nobody we know, or no longer.
    pub fn caller(&self, secret: Option<&str>, now: Timestamp) -> Option<Caller> {
        if self.mode() == AuthMode::Open {
            return Some(Caller::Anybody);
        }
        // Looked up by hash: how long that takes says nothing about the secret.
        let token = self.cache().tokens.get(&hash(secret?)).cloned()?;
        let valid = token.revoked_at.is_none() && token.expires_at.is_none_or(|expires_at| now < expires_at);
        valid.then_some(Caller::Token(token))
    }

    /// Whether what a stream was opened with still holds.
    pub fn lapse(&self, caller: &Caller, now: Timestamp) -> Option<Lapse> {
        let Caller::Token(token) = caller else {
            return (self.mode() != AuthMode::Open).then_some(Lapse::Revoked);
        };
        if token.expires_at.is_some_and(|expires_at| now >= expires_at) {
            return Some(Lapse::Expired);
        }
        let known = self.cache().tokens.values().find(|known| known.id == token.id).cloned();
        known.is_none_or(|known| known.revoked_at.is_some()).then_some(Lapse::Revoked)
    }

    /// The secrets that deliveries of a source to a tenant may be signed with.
    pub fn hook_secrets(&self, tenant: &Slug, source: &str) -> Vec<String> {
        let cache = self.cache();
        let valid = cache.hooks.iter().filter(|hook| hook.revoked_at.is_none());
        let of_it = valid.filter(|hook| hook.tenant == *tenant && hook.source == source);
        of_it.map(|hook| hook.secret.clone()).collect()
    }
}
