//! Who may do what: credentials and what they grant, from a copy of the database's that is never older than
//! seconds.
//!
//! No request with a known credential waits for a query. One that is unknown may just have been made
//! by another instance: then the copy is compared with the database, once for all who ask meanwhile.

mod kept;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use shipboard_core::id::Slug;
use shipboard_core::time::Timestamp;
use tokio::time::Instant;

use self::kept::Kept;
use crate::clock;
use crate::config::{AuthMode, Config};
use crate::oidc::Settings;
use crate::store::{Grant, Result, Role, Session, Store, TenantLimits, Token};

/// The shortest time between two comparisons that unknown credentials ask for.
const BETWEEN_LOOKS: Duration = Duration::from_millis(50);
/// How long an unknown credential waits for the database.
const LOOK_PATIENCE: Duration = Duration::from_secs(1);
/// How long requests may be under way with a session's former secret when the one in use has come.
const UNDER_WAY: Duration = Duration::from_secs(10);
/// How exactly a credential's last use is written down.
const USE_PRECISION_MS: i64 = 60_000;

/// Whoever makes a request.
#[derive(Clone, Debug)]
pub enum Caller {
    /// Open mode: everybody is admin of everything.
    Anybody,
    /// Somebody we know.
    Known(Arc<Credential>),
}

/// What a caller is known by.
#[derive(Debug)]
pub struct Credential {
    /// The token's id, or the session's.
    pub id: String,
    /// Whose it is: all sessions of one subject are ended together.
    pub subject: String,
    /// What people call it.
    pub name: String,
    /// What it allows.
    pub grants: Vec<Grant>,
    /// Until when at most.
    pub expires_at: Option<Timestamp>,
    /// What only a session has.
    pub session: Option<Signed>,
    /// Last used, and what the database knows of that; in milliseconds, 0: never.
    used: AtomicI64,
    noted: AtomicI64,
    /// When a session's secret in use was first shown here; 0: it was not yet.
    arrived: AtomicI64,
}

/// What only a session has.
#[derive(Clone, Debug)]
pub struct Signed {
    /// The token that it was opened with, and ends with.
    pub token: Option<String>,
    /// Since when its secret is the one that it is.
    pub rotated_at: Timestamp,
    /// The hashes of its secrets: of the one in use, and of the one before.
    hashes: Vec<String>,
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
    fn grants(&self) -> &[Grant] {
        match self {
            Self::Anybody => &[],
            Self::Known(credential) => &credential.grants,
        }
    }

    fn is_granted(&self, tenant: &Slug, holds: impl Fn(&Grant) -> bool) -> bool {
        matches!(self, Self::Anybody)
            || self.grants().iter().any(|grant| grant.tenant == *tenant && holds(grant))
    }

    /// Belongs to this tenant.
    pub fn is_of(&self, tenant: &Slug) -> bool {
        self.is_granted(tenant, |_| true)
    }

    /// May do what this role may somewhere in this tenant.
    pub fn has(&self, tenant: &Slug, role: Role) -> bool {
        self.is_granted(tenant, |grant| grant.role >= role)
    }

    /// May do what this role may in all of this tenant: what is the tenant's own, and in envs to come.
    pub fn has_all_of(&self, tenant: &Slug, role: Role) -> bool {
        self.is_granted(tenant, |grant| grant.role >= role && grant.envs.is_none())
    }

    /// May do what this role may in this env.
    pub fn has_in(&self, tenant: &Slug, env: &Slug, role: Role) -> bool {
        self.is_granted(tenant, |grant| {
            grant.role >= role && grant.envs.as_ref().is_none_or(|envs| envs.contains(env))
        })
    }

    /// May see this env.
    pub fn sees(&self, tenant: &Slug, env: &Slug) -> bool {
        self.has_in(tenant, env, Role::Viewer)
    }

    /// By what they are counted; `None`: nobody is told apart.
    pub fn subject(&self) -> Option<&str> {
        match self {
            Self::Anybody => None,
            Self::Known(credential) => Some(&credential.subject),
        }
    }

    /// As the audit log names them.
    pub fn actor(&self) -> String {
        match self {
            Self::Anybody => "anybody".to_owned(),
            Self::Known(credential) => {
                let name = if credential.name.is_empty() { "unnamed" } else { &credential.name };
                // People choose their names; whose session it is says their provider, or their token.
                match credential.session {
                    Some(_) => format!("session {} of {} ({name})", credential.id, credential.subject),
                    None => format!("token {} ({name})", credential.id),
                }
            }
        }
    }
}

impl Credential {
    fn is_expired(&self, now: Timestamp, idle: Duration) -> bool {
        let is_idle = self.session.is_some()
            && now.as_millis() - self.used.load(Ordering::Relaxed) >= idle.as_millis() as i64;
        is_idle || self.expires_at.is_some_and(|expires_at| now >= expires_at)
    }

    fn note_use(&self, now: Timestamp) {
        self.used.fetch_max(now.as_millis(), Ordering::Relaxed);
    }

    /// Takes the secret of this hash. A session's former one is taken as long as the answer with the one in use may have
    /// been lost, or requests be under way: once the browser has that, whoever shows the former is somebody else.
    fn takes(&self, hash: &str, now: Timestamp) -> bool {
        let Some([in_use, ..]) = self.session.as_ref().map(|signed| &*signed.hashes) else { return true };
        if hash != in_use {
            return !self.is_former_over(now);
        }
        if self.arrived.load(Ordering::Relaxed) == 0 {
            self.arrived.store(now.as_millis(), Ordering::Relaxed);
        }
        true
    }

    fn is_former_over(&self, now: Timestamp) -> bool {
        let arrived = self.arrived.load(Ordering::Relaxed);
        arrived > 0 && now.as_millis() - arrived >= UNDER_WAY.as_millis() as i64
    }

    /// The session's id and its secret's hash, if it has a former one that is over.
    fn outlived(&self, now: Timestamp) -> Option<(String, String)> {
        let [in_use, _] = self.hashes() else { return None };
        self.is_former_over(now).then(|| (self.id.clone(), in_use.clone()))
    }

    fn hashes(&self) -> &[String] {
        self.session.as_ref().map_or(&[], |signed| &signed.hashes)
    }

    /// Last used when, as far as this instance knows.
    pub fn used_at(&self) -> Option<Timestamp> {
        let used = self.used.load(Ordering::Relaxed);
        (used > 0).then(|| Timestamp::from_millis(used))
    }
}

impl From<Token> for Credential {
    fn from(token: Token) -> Self {
        let used = token.used_at.map_or(0, Timestamp::as_millis);
        Self {
            subject: token_subject(&token.id),
            id: token.id,
            name: token.name,
            grants: vec![token.grant],
            expires_at: token.expires_at,
            session: None,
            used: AtomicI64::new(used),
            noted: AtomicI64::new(used),
            arrived: AtomicI64::default(),
        }
    }
}

impl From<&Session> for Credential {
    fn from(session: &Session) -> Self {
        Self {
            id: session.id.clone(),
            subject: session.subject.clone(),
            name: session.name.clone(),
            grants: session.grants.clone(),
            expires_at: Some(session.expires_at),
            session: Some(Signed {
                token: session.token.clone(),
                rotated_at: session.rotated_at,
                hashes: std::iter::once(&session.hash).chain(&session.former_hash).cloned().collect(),
            }),
            used: AtomicI64::new(session.used_at.as_millis()),
            noted: AtomicI64::new(session.used_at.as_millis()),
            arrived: AtomicI64::default(),
        }
    }
}

/// The subject of sessions that a token opened.
pub fn token_subject(id: &str) -> String {
    format!("token:{id}")
}

/// The hash that a secret is kept by.
pub fn hash(secret: &str) -> String {
    hex::encode(Sha256::digest(secret.as_bytes()))
}

/// The credentials, as a copy.
#[derive(Debug)]
pub struct Access {
    store: Store,
    explicit: Option<AuthMode>,
    loopback: bool,
    /// How long a session lives without being used.
    idle: Duration,
    copy: RwLock<Kept>,
    /// Whoever compares the copy holds it.
    looking: tokio::sync::Mutex<()>,
}

impl Access {
    /// Reads the credentials for the first time.
    pub async fn new(store: Store, config: &Config) -> Result<Self> {
        let rules = config.oidc.as_ref().map(Settings::fingerprint);
        let access = Self {
            store,
            explicit: config.said_mode(),
            loopback: config.listen.ip().is_loopback(),
            idle: config.session_idle,
            copy: RwLock::new(Kept { rules, ..Kept::default() }),
            looking: tokio::sync::Mutex::default(),
        };
        access.read_kept().await?;
        access.refresh().await?;
        Ok(access)
    }

    /// Brings the copy to what the database has by now.
    pub async fn refresh(&self) -> Result<()> {
        self.follow(Duration::ZERO).await
    }

    /// Sees to it that the copy is compared after this was asked, and not sooner than `between` after the last time.
    async fn follow(&self, between: Duration) -> Result<()> {
        let asked = Instant::now();
        let _looking = self.looking.lock().await;
        let compared = self.copy().compared;
        // Others who asked at the same time have had it read meanwhile, as a rule.
        if compared.is_some_and(|begun| begun >= asked) {
            return Ok(());
        }
        // Not even a sleep until now, which is rounded up to a millisecond, where nobody wants to wait.
        if let Some(due) = compared.map(|begun| begun + between).filter(|due| *due > Instant::now()) {
            tokio::time::sleep_until(due).await;
        }
        self.look().await
    }

    /// How long ago the copy was compared with the database.
    pub fn age(&self) -> Duration {
        self.copy().compared.map_or(Duration::MAX, |compared| compared.elapsed())
    }

    /// Compares the copy with the database, and reads what has changed.
    async fn look(&self) -> Result<()> {
        let begun = Instant::now();
        let had = self.copy().changes;
        let now = self.store.credential_changes().await?;
        // Counts that went back are those of a database that was restored: then all is read.
        if now.kept != had.kept {
            self.read_kept().await?;
            self.write().changes.kept = now.kept;
        }
        if now.sessions != had.sessions {
            let is_restored = now.sessions < had.sessions;
            let sessions = self.store.sessions_after(if is_restored { 0 } else { had.sessions }).await?;
            let mut copy = self.write();
            if is_restored {
                copy.sessions.clear();
                copy.session_hashes.clear();
            }
            sessions.iter().for_each(|session| copy.keep_session(session));
            copy.changes.sessions = now.sessions;
        }
        self.write().compared = Some(begun);
        Ok(())
    }

    async fn read_kept(&self) -> Result<()> {
        let now = self.store.credentials(clock::now()).await?;
        self.write().keep(now);
        Ok(())
    }

    fn copy(&self) -> RwLockReadGuard<'_, Kept> {
        self.copy.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> std::sync::RwLockWriteGuard<'_, Kept> {
        self.copy.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// The mode in force. Not said, it is open only on a loopback address and as long as there is no
    /// token, revoked ones included: taking the last one back does not open the doors again.
    pub fn mode(&self) -> AuthMode {
        match self.explicit {
            Some(mode) => mode,
            None if self.loopback && !self.copy().is_closed => AuthMode::Open,
            None => AuthMode::Required,
        }
    }

    /// Whoever shows this secret, without a query; `None`: nobody whom this instance knows.
    pub fn caller(&self, shown: Option<Shown<'_>>, now: Timestamp) -> Option<Caller> {
        match (self.mode(), shown) {
            (AuthMode::Open, _) => Some(Caller::Anybody),
            (AuthMode::Required, Some(shown)) => self.known(shown, now).map(Caller::Known),
            (AuthMode::Required, None) => None,
        }
    }

    /// Compares the copy for somebody who is not known, and looks again. If that cannot be done now, nobody can tell.
    pub async fn newcomer(&self, shown: Shown<'_>, now: Timestamp) -> Result<Option<Caller>> {
        tokio::time::timeout(LOOK_PATIENCE, self.follow(BETWEEN_LOOKS)).await??;
        Ok(self.known(shown, now).map(Caller::Known))
    }

    fn known(&self, shown: Shown<'_>, now: Timestamp) -> Option<Arc<Credential>> {
        let copy = self.copy();
        // Looked up by hash: how long that takes says nothing about the secret.
        let (Shown::Token(secret) | Shown::Cookie(secret)) = shown;
        let hash = hash(secret);
        let found = match shown {
            Shown::Token(_) => copy.tokens.get(copy.token_hashes.get(&hash)?),
            Shown::Cookie(_) => copy.sessions.get(copy.session_hashes.get(&hash)?),
        }?;
        if copy.lapse(found, now, self.idle).is_some() || !found.takes(&hash, now) {
            return None;
        }
        found.note_use(now);
        Some(found.clone())
    }

    /// Whether what a stream was opened with still holds. An open stream is a use of it.
    pub fn lapse(&self, caller: &Caller, now: Timestamp) -> Option<Lapse> {
        let Caller::Known(credential) = caller else {
            return (self.mode() != AuthMode::Open).then_some(Lapse::Revoked);
        };
        let copy = self.copy();
        let lapse = copy.lapse(credential, now, self.idle);
        if lapse.is_none() {
            let current = copy.sessions.get(&credential.id).or_else(|| copy.tokens.get(&credential.id));
            current.unwrap_or(credential).note_use(now);
        }
        lapse
    }

    /// Writes down when credentials were last used, of those where that has changed by more than a minute; and which
    /// sessions' former secrets are over.
    pub async fn note_use(&self, now: Timestamp) -> Result<()> {
        let due = |of: &HashMap<String, Arc<Credential>>| -> Vec<Arc<Credential>> {
            let due = of.values().filter(|credential| {
                let noted = credential.noted.load(Ordering::Relaxed);
                credential.used.load(Ordering::Relaxed) - noted >= USE_PRECISION_MS.min(self.precision())
            });
            due.cloned().collect()
        };
        let (tokens, sessions, outlived) = {
            let copy = self.copy();
            let outlived: Vec<_> =
                copy.sessions.values().filter_map(|session| session.outlived(now)).collect();
            (due(&copy.tokens), due(&copy.sessions), outlived)
        };
        let uses = |of: &[Arc<Credential>]| -> Vec<(String, Timestamp)> {
            of.iter().filter_map(|credential| Some((credential.id.clone(), credential.used_at()?))).collect()
        };
        let (of_tokens, of_sessions) = (uses(&tokens), uses(&sessions));
        self.store.note_use(&of_tokens, &of_sessions, &outlived).await?;
        for (credential, (_, at)) in tokens.iter().chain(&sessions).zip(of_tokens.iter().chain(&of_sessions))
        {
            credential.noted.fetch_max(at.as_millis(), Ordering::Relaxed);
        }
        Ok(())
    }

    /// Lets go of sessions that are over.
    pub fn forget(&self, now: Timestamp) {
        let mut copy = self.write();
        let over: Vec<String> = copy
            .sessions
            .values()
            .filter(|session| session.is_expired(now, self.idle))
            .map(|session| session.id.clone())
            .collect();
        for id in over {
            copy.drop_session(&id);
        }
    }

    /// A session's last use is known well enough that no other instance takes it for idle.
    fn precision(&self) -> i64 {
        self.idle.as_millis() as i64 / 4
    }

    /// The sessions that may do anything in a tenant, and last used when; in no order.
    pub fn sessions_in(&self, tenant: &Slug, now: Timestamp) -> Vec<Arc<Credential>> {
        self.sessions(now, |session| session.grants.iter().any(|grant| grant.tenant == *tenant))
    }

    /// The sessions of a subject; in no order.
    pub fn sessions_of(&self, subject: &str, now: Timestamp) -> Vec<Arc<Credential>> {
        self.sessions(now, |session| session.subject == subject)
    }

    fn sessions(&self, now: Timestamp, wanted: impl Fn(&Credential) -> bool) -> Vec<Arc<Credential>> {
        let copy = self.copy();
        let live = copy.sessions.values().filter(|session| wanted(session));
        live.filter(|session| copy.lapse(session, now, self.idle).is_none()).cloned().collect()
    }

    /// Some tenant has limits of its own.
    pub fn has_limits(&self) -> bool {
        !self.copy().limits.is_empty()
    }

    /// What a tenant's own limits are.
    pub fn limits_of(&self, tenant: &Slug) -> TenantLimits {
        self.copy().limits.get(tenant).copied().unwrap_or_default()
    }

    /// The secrets that deliveries of a source to a tenant may be signed with, the newest first.
    pub fn hook_secrets(&self, tenant: &Slug, source: &str) -> Vec<String> {
        let copy = self.copy();
        let of_it = copy.hooks.iter().rev().filter(|hook| hook.tenant == *tenant && hook.source == source);
        of_it.map(|hook| hook.secret.clone()).collect()
    }
}

/// A secret that a request shows.
#[derive(Clone, Copy)]
pub enum Shown<'a> {
    /// A bearer token.
    Token(&'a str),
    /// A browser's cookie.
    Cookie(&'a str),
}

impl std::fmt::Debug for Shown<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Token(_) => "Token(…)",
            Self::Cookie(_) => "Cookie(…)",
        })
    }
}
