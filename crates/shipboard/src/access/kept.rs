//! The copy of the credentials: what it holds, and what still holds by it.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use shipboard_core::id::Slug;
use shipboard_core::time::Timestamp;
use tokio::time::Instant;

use super::{Credential, Lapse};
use crate::store::{Changes, Credentials, Hook, Session, TenantLimits};

/// What an instance knows.
#[derive(Debug, Default)]
pub(super) struct Kept {
    /// When it was last compared with the database; `None`: never.
    pub(super) compared: Option<Instant>,
    /// Which changes of the database's it has.
    pub(super) changes: Changes,
    /// There is a token, or was one.
    pub(super) is_closed: bool,
    /// Those that hold, by id; ids of tokens and sessions differ.
    pub(super) tokens: HashMap<String, Arc<Credential>>,
    pub(super) sessions: HashMap<String, Arc<Credential>>,
    /// The ids by the hashes of secrets: of tokens, and of sessions, which may have two.
    pub(super) token_hashes: HashMap<String, String>,
    pub(super) session_hashes: HashMap<String, String>,
    /// Those that hold.
    pub(super) hooks: Vec<Hook>,
    /// Of the tenants that have limits of their own.
    pub(super) limits: HashMap<Slug, TenantLimits>,
}

impl Kept {
    /// Takes over what holds now, beside sessions.
    pub(super) fn keep(&mut self, now: Credentials) {
        let Credentials { tokens, hooks, limits, is_closed } = now;
        self.is_closed = is_closed;
        let former = std::mem::take(&mut self.tokens);
        self.token_hashes.clear();
        for (token, hash) in tokens {
            let credential = Credential::from(token);
            // What was used meanwhile is not written down yet.
            if let Some(former) = former.get(&credential.id) {
                credential.used.fetch_max(former.used.load(Ordering::Relaxed), Ordering::Relaxed);
            }
            self.token_hashes.insert(hash, credential.id.clone());
            self.tokens.insert(credential.id.clone(), Arc::new(credential));
        }
        self.hooks = hooks;
        self.limits = limits.into_iter().collect();
    }

    /// Takes over a session as it is now.
    pub(super) fn keep_session(&mut self, session: &Session) {
        let former = self.drop_session(&session.id);
        if session.revoked_at.is_some() {
            return;
        }
        let credential = Credential::from(session);
        if let Some(former) = former {
            credential.used.fetch_max(former.used.load(Ordering::Relaxed), Ordering::Relaxed);
        }
        for hash in credential.hashes() {
            self.session_hashes.insert(hash.clone(), session.id.clone());
        }
        self.sessions.insert(session.id.clone(), Arc::new(credential));
    }

    pub(super) fn drop_session(&mut self, id: &str) -> Option<Arc<Credential>> {
        let session = self.sessions.remove(id)?;
        for hash in session.hashes() {
            self.session_hashes.remove(hash);
        }
        Some(session)
    }

    /// What has this id and was not taken back; a session's token neither.
    pub(super) fn lapse(&self, credential: &Credential, now: Timestamp, idle: Duration) -> Option<Lapse> {
        let Some(signed) = &credential.session else {
            return match self.tokens.get(&credential.id) {
                _ if credential.is_expired(now, idle) => Some(Lapse::Expired),
                Some(_) => None,
                None => Some(Lapse::Revoked),
            };
        };
        // The one in the copy knows when other instances saw it used.
        let Some(current) = self.sessions.get(&credential.id) else {
            let is_over = credential.is_expired(now, idle);
            return Some(if is_over { Lapse::Expired } else { Lapse::Revoked });
        };
        if current.is_expired(now, idle) {
            return Some(Lapse::Expired);
        }
        let Some(token) = &signed.token else { return None };
        match self.tokens.get(token) {
            Some(token) if token.is_expired(now, idle) => Some(Lapse::Expired),
            Some(_) => None,
            None => Some(Lapse::Revoked),
        }
    }
}
