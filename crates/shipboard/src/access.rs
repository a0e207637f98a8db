//! Who may do what: tokens and roles, from a cache of the database that is never older than seconds.
//!
//! No request waits for a query here: a credential the cache does not know is refused, and the cache
//! is refreshed for the next one.

use std::collections::{HashMap, HashSet};
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

    /// May see every env of this tenant, those to come too: what is the tenant's own is theirs.
    pub fn sees_all_of(&self, tenant: &Slug) -> bool {
        self.is_of(tenant)
            && match self {
                Self::Anybody => true,
                Self::Token(token) => token.envs.is_none(),
            }
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
    /// There is a token, or was one.
    is_closed: bool,
    /// Those not taken back, by the hash of their secret.
    tokens: HashMap<String, Arc<Token>>,
    /// The ids of the same.
    valid: HashSet<String>,
    /// Those not taken back.
    hooks: Vec<Hook>,
}

impl Cache {
    fn new(tokens: Vec<(Token, String)>, mut hooks: Vec<Hook>) -> Self {
        let is_closed = !tokens.is_empty();
        let kept = tokens.into_iter().filter(|(token, _)| token.revoked_at.is_none());
        let tokens: HashMap<_, _> = kept.map(|(token, hash)| (hash, Arc::new(token))).collect();
        let valid = tokens.values().map(|token| token.id.clone()).collect();
        hooks.retain(|hook| hook.revoked_at.is_none());
        Self { is_closed, tokens, valid, hooks }
    }
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
        let cache = Cache::new(self.store.tokens().await?, self.store.hooks().await?);
        *self.cache.write().unwrap_or_else(PoisonError::into_inner) = cache;
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
            None if self.loopback && !self.cache().is_closed => AuthMode::Open,
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
        token.expires_at.is_none_or(|expires_at| now < expires_at).then_some(Caller::Token(token))
    }

    /// Whether what a stream was opened with still holds.
    pub fn lapse(&self, caller: &Caller, now: Timestamp) -> Option<Lapse> {
        let Caller::Token(token) = caller else {
            return (self.mode() != AuthMode::Open).then_some(Lapse::Revoked);
        };
        if token.expires_at.is_some_and(|expires_at| now >= expires_at) {
            return Some(Lapse::Expired);
        }
        (!self.cache().valid.contains(&token.id)).then_some(Lapse::Revoked)
    }

    /// The secrets that deliveries of a source to a tenant may be signed with.
    pub fn hook_secrets(&self, tenant: &Slug, source: &str) -> Vec<String> {
        let cache = self.cache();
        let of_it = cache.hooks.iter().filter(|hook| hook.tenant == *tenant && hook.source == source);
        of_it.map(|hook| hook.secret.clone()).collect()
    }
}
