//! The database, as verbs. A verb is a whole transaction or one consistent read.
//!
//! There is one SQL text for both engines: the rooms below are compiled once per engine, against its
//! driver's types (see `sqlite.rs`), and [`Store`] dispatches. Nothing here knows of HTTP or boards.

mod bulk;
#[cfg(test)]
pub(crate) mod contract;
mod identity;
pub(crate) mod postgres;
mod sqlite;
#[cfg(test)]
pub(crate) mod trouble;
#[cfg(test)]
mod wall;
mod whose;

use shipboard_core::board::Loaded;
use shipboard_core::counts::Counts;
use shipboard_core::decide::{Decision, Request};
use shipboard_core::event::{DeploymentRow, Event, TimelineEntry, WorkflowRow};
use shipboard_core::id::{DeploymentId, Epoch, EventId, Slug};
use shipboard_core::report::StoredReport;
use shipboard_core::status::Status;
use shipboard_core::time::Timestamp;
use std::sync::Arc;
use std::time::Duration;

pub use identity::{Changes, Credentials, Grant, Hook, Record, Role, Session, TenantLimits, Token};
/// Connections that requests read by; PostgreSQL's are more.
pub use sqlite::READERS;

/// Newest timeline entries that a details snapshot carries.
pub const MAX_TIMELINE: usize = 500;
/// Most bytes a log may grow to.
pub const MAX_LOG_BYTES: u64 = 64 * 1024 * 1024;

/// How long a verb may take: whoever asked for it by HTTP is answered within 5 s, come what may.
const WITHIN: Duration = Duration::from_secs(4);
/// How long a group's transaction may take. Who waits for it is told earlier that it may yet be committed.
const WRITE_WITHIN: Duration = Duration::from_secs(10);

/// A limit that is none, within what both engines take for one.
pub const ALL: usize = i64::MAX as usize;

/// Most deployments of a workflow that one transaction deletes: others wait behind it.
pub const MAX_DELETED_AT_ONCE: usize = 500;

/// An environment of a tenant: what everything is kept by.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct EnvKey {
    /// Whose.
    pub tenant: Slug,
    /// Where.
    pub env: Slug,
}

impl std::fmt::Display for EnvKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.tenant, self.env)
    }
}

/// Why the database did not do it.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Somebody else was there first; trying again may go through.
    #[error("the database refused a conflicting change: {0}")]
    Conflict(#[source] sqlx::Error),
    /// It cannot be reached, does not answer in time, is locked, or its disk is full. Nothing is known to be
    /// wrong with the request.
    #[error("the database is not available: {0}")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Others hold what it needs, or it is too much work to be done in time. The database is well.
    #[error("the database is too busy with this: {0}")]
    Busy(#[source] sqlx::Error),
    /// What was read changed faster than it could be read.
    #[error("what was asked for changes too fast to be read now")]
    Raced,
    /// A fault of ours, or a damaged database.
    #[error("the database answered what was not expected: {0}")]
    Broken(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// What a query of the verbs comes to.
pub type Result<T> = std::result::Result<T, StoreError>;

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        match &error {
            sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::WorkerCrashed => Self::Unavailable(Box::new(error)),
            sqlx::Error::Database(database)
                if database.is_unique_violation() || postgres::is_conflict(&**database) =>
            {
                Self::Conflict(error)
            }
            sqlx::Error::Database(database)
                if database.try_downcast_ref().is_some_and(postgres::is_busy)
                    || sqlite::is_busy(&**database) =>
            {
                Self::Busy(error)
            }
            sqlx::Error::Database(database)
                if sqlite::is_unavailable(&**database) || postgres::is_unavailable(&**database) =>
            {
                Self::Unavailable(Box::new(error))
            }
            _ => Self::Broken(Box::new(error)),
        }
    }
}

impl From<tokio::time::error::Elapsed> for StoreError {
    fn from(slow: tokio::time::error::Elapsed) -> Self {
        Self::Unavailable(Box::new(slow))
    }
}

impl From<serde_json::Error> for StoreError {
    fn from(error: serde_json::Error) -> Self {
        Self::Broken(Box::new(error))
    }
}

/// An env as it is listed.
#[derive(Clone, PartialEq, Debug)]
pub struct Env {
    /// Its slug.
    pub slug: Slug,
    /// What people call it.
    pub name: String,
    /// `development`, `testing`, `staging`, `production` or `other`.
    pub tier: String,
    /// Where it stands in the row of envs, lowest first.
    pub position: i64,
    /// Which life its event ids belong to.
    pub epoch: Epoch,
    /// Its last event.
    pub head: EventId,
    /// Its counts.
    pub counts: Counts,
}

/// How an env comes into being, should a report be its first.
#[derive(Clone, Debug)]
pub struct Birth {
    /// What people call it, if that is no slug.
    pub name: Option<String>,
    /// Its tier.
    pub tier: &'static str,
    /// Its place.
    pub position: i64,
    /// The life its event ids belong to.
    pub epoch: Epoch,
    /// The tenant may be created too, and is then written down so.
    pub tenant: Option<Record>,
}

/// A group of requests that was committed.
#[derive(Debug)]
pub struct Written {
    /// What it changed.
    pub decision: Decision,
    /// The env's epoch.
    pub epoch: Epoch,
    /// When the event that it follows was; `None`: there is none, or it was trimmed.
    pub after: Option<Timestamp>,
    /// The rows of deployments that requests named, as they are now.
    pub rows: Vec<Arc<DeploymentRow>>,
}

/// What a board starts from: the env's position and its newest rows, in one consistent read.
#[derive(Debug)]
pub struct BoardLoad {
    /// The env's epoch; `None`: nobody has reported to it yet.
    pub epoch: Option<Epoch>,
    /// The rows.
    pub loaded: Loaded,
    /// When the last event before it was, if the log still has it.
    pub ts: Option<Timestamp>,
}

/// Where an env's log ends.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Head {
    /// In which life.
    pub epoch: Epoch,
    /// The last event.
    pub event_id: EventId,
    /// When that was: with its id it tells one event from another that took its place.
    pub ts: Option<Timestamp>,
}

/// Whole transactions after a position.
#[derive(Debug)]
pub enum Tail {
    /// Each transaction's events, in order. Empty: there is nothing newer.
    Transactions(Vec<Vec<Event>>),
    /// The log does not reach back so far, or belongs to another epoch: load anew.
    Gap,
    /// The head is before the position in the same epoch, or another event stands there: an older state of
    /// the database was restored.
    Back,
}

/// A deployment with the newest part of its timeline, at one event.
#[derive(Clone, Debug)]
pub struct DeploymentRead {
    /// Its row.
    pub row: Arc<DeploymentRow>,
    /// Its newest entries, oldest first, at most [`MAX_TIMELINE`].
    pub timeline: Vec<TimelineEntry>,
    /// There are older entries.
    pub timeline_more: bool,
    /// The env's head at the read.
    pub event_id: EventId,
    /// The env's epoch.
    pub epoch: Epoch,
    /// Its counts.
    pub counts: Counts,
}

/// Which deployments a page lists.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Any of these statuses; empty: all.
    pub statuses: Vec<Status>,
    /// Any of these workflows; empty: all.
    pub workflows: Vec<String>,
    /// Exactly this actor.
    pub actor: Option<String>,
    /// A sha's beginning, or part of a version, message or id; lower case.
    pub text: Option<String>,
    /// Created at this time or later.
    pub since: Option<Timestamp>,
    /// Created before this time.
    pub until: Option<Timestamp>,
    /// Behind this deployment in the order.
    pub after: Option<(Timestamp, DeploymentId)>,
}

/// Rows with the env's head when they were read.
#[derive(Debug)]
pub struct Page<R> {
    /// The rows.
    pub rows: Vec<R>,
    /// There are more behind them.
    pub more: bool,
    /// The env's head at the read; 0 where the env is not known.
    pub event_id: EventId,
}

/// What appending to a log came to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Appended {
    /// The log is this long now.
    Grown(u64),
    /// The bytes begin behind the end of what is held, which is here.
    Gap(u64),
    /// The log would be longer than [`MAX_LOG_BYTES`]; it is this long.
    Full(u64),
    /// There is no such deployment.
    NoDeployment,
}

/// A part of a log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LogPart {
    /// Where it begins.
    pub offset: u64,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// How long the whole log is.
    pub length: u64,
}

/// Everything that `shipboard check` compares, of one env, in one consistent read.
#[derive(Debug)]
pub struct Audit {
    /// The env.
    pub env: Env,
    /// Each deployment's row, its stored reports.
    pub deployments: Vec<(DeploymentRow, Vec<StoredReport>)>,
    /// Each workflow's row.
    pub workflows: Vec<WorkflowRow>,
    /// The events still in the log, with the last id of their transaction.
    pub events: Vec<(Event, EventId)>,
}

/// The database.
#[derive(Clone, Debug)]
pub struct Store {
    engine: Engine,
    #[cfg(test)]
    trouble: Option<Arc<trouble::Trouble>>,
}

#[derive(Clone, Debug)]
enum Engine {
    Sqlite(sqlite::Pools),
    Postgres(Arc<postgres::Server>),
}

/// Calls a verb of the engine in use: `on!(self, room::verb(arguments))`. One that takes too long is given up.
macro_rules! on {
    ($store:ident, $room:ident :: $verb:ident ( $($argument:expr),* )) => {
        on!(WITHIN, $store, $room::$verb($($argument),*))
    };
    ($within:expr, $store:ident, $room:ident :: $verb:ident ( $($argument:expr),* )) => {{
        let done = async {
            match &$store.engine {
                Engine::Sqlite(pools) => {
                    let verb = sqlite::$room::$verb(pools, $($argument),*);
                    tokio::time::timeout($within, verb).await.unwrap_or_else(|slow| Err(slow.into()))
                }
                Engine::Postgres(server) => {
                    let pools = server.pools();
                    let verb = postgres::$room::$verb(&pools, $($argument),*);
                    let done = tokio::time::timeout($within, verb).await;
                    match &done {
                        Ok(done) => pools.heard(done),
                        Err(_) => server.gave_up(&pools),
                    }
                    done.unwrap_or_else(|slow| Err(slow.into()))
                }
            }
        };
        #[cfg(test)]
        let done = trouble::beset($store.trouble.as_deref(), stringify!($verb), Box::pin(done));
        done.await
    }};
}

/// A database's URL that cannot be one.
#[derive(Debug, thiserror::Error)]
#[error("--database: {0}")]
pub struct InvalidDatabase(String);

/// A database's URL is one of PostgreSQL.
pub fn is_postgres(url: &str) -> bool {
    url.starts_with("postgres://") || url.starts_with("postgresql://")
}

impl Store {
    /// Opens the database that a URL names, and brings its tables up to date.
    pub async fn open(url: &str) -> std::result::Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        let engine = if is_postgres(url) {
            Engine::Postgres(Arc::new(postgres::Server::open(url).await?))
        } else if let Some(path) = url.strip_prefix("sqlite:") {
            Engine::Sqlite(sqlite::open(path.trim_start_matches("//")).await?)
        } else {
            // Not the URL itself: it may hold a password.
            return Err(Box::new(InvalidDatabase("must begin with sqlite: or postgres://".to_owned())));
        };
        Ok(Self {
            engine,
            #[cfg(test)]
            trouble: None,
        })
    }

    /// The same database, with what a test does to its verbs.
    #[cfg(test)]
    pub(crate) fn troubled(self, trouble: Arc<trouble::Trouble>) -> Self {
        Self { trouble: Some(trouble), ..self }
    }

    /// Executes a statement as it is, as somebody with the database in their hands may.
    #[cfg(test)]
    pub(crate) async fn execute(&self, statement: &'static str) -> sqlx::Result<()> {
        match &self.engine {
            Engine::Sqlite(pools) => {
                let mut transaction = pools.writer.begin(whose::Whose::Everybodys).await?;
                sqlx::query(statement).execute(&mut *transaction).await?;
                transaction.commit().await
            }
            Engine::Postgres(server) => {
                let mut transaction = server.pools().writer.begin(whose::Whose::Everybodys).await?;
                sqlx::query(statement).execute(&mut *transaction).await?;
                transaction.commit().await
            }
        }
    }

    /// The database itself keeps tenants apart; `None`: it is one that cannot.
    pub fn is_walled(&self) -> Option<bool> {
        match &self.engine {
            Engine::Sqlite(_) => None,
            Engine::Postgres(server) => Some(server.is_walled()),
        }
    }

    /// Waits for running statements and closes.
    pub async fn close(&self) {
        match &self.engine {
            Engine::Sqlite(pools) => pools.close().await,
            Engine::Postgres(server) => server.pools().close().await,
        }
    }

    /// Applies a group of requests: locks the env, loads what they touch, decides, writes, commits.
    /// `None`: the env does not exist, and nothing was asked that would create it.
    pub async fn write(
        &self,
        key: &EnvKey,
        requests: &[Request],
        birth: Option<&Birth>,
        now: Timestamp,
    ) -> Result<Option<Written>> {
        on!(WRITE_WITHIN, self, write::write(key, requests, birth, now))
    }

    /// What a board starts from.
    pub async fn load_board(&self, key: &EnvKey) -> Result<BoardLoad> {
        on!(self, rows::load_board(key))
    }

    /// Whole transactions after `after`, which was `seen` at that time, at most about `limit` events of them.
    pub async fn tail(
        &self,
        key: &EnvKey,
        epoch: &Epoch,
        after: EventId,
        seen: Option<Timestamp>,
        limit: usize,
    ) -> Result<Tail> {
        on!(self, log::tail(key, epoch, after, seen, limit))
    }

    /// The head of every env asked for, in one query.
    pub async fn heads(&self, keys: &[EnvKey]) -> Result<Vec<(EnvKey, Head)>> {
        on!(self, log::heads(keys))
    }

    /// Gives an env another epoch, if it still has this one. False: somebody else has done it, or it is gone.
    pub async fn renew_epoch(&self, key: &EnvKey, epoch: &Epoch, renewed: &Epoch) -> Result<bool> {
        on!(self, log::renew_epoch(key, epoch, renewed))
    }

    /// Removes events of an env older than `before`, but the newest `keep`; a bounded number at a time.
    /// Gives how many went.
    pub async fn trim_log(&self, key: &EnvKey, before: Timestamp, keep: u64) -> Result<u64> {
        on!(WRITE_WITHIN, self, log::trim(key, before, keep))
    }

    /// One deployment with its timeline.
    pub async fn deployment(&self, key: &EnvKey, id: DeploymentId) -> Result<Option<DeploymentRead>> {
        on!(self, rows::deployment(key, id))
    }

    /// A page of deployments, newest first.
    pub async fn deployments(
        &self,
        key: &EnvKey,
        filter: &Filter,
        limit: usize,
    ) -> Result<Page<Arc<DeploymentRow>>> {
        on!(self, rows::deployments(key, filter, limit))
    }

    /// A page of workflows, the most recently active first, behind `after` if given.
    pub async fn workflows(
        &self,
        key: &EnvKey,
        after: Option<&(Timestamp, Slug)>,
        limit: usize,
    ) -> Result<Page<Arc<WorkflowRow>>> {
        on!(self, rows::workflows(key, after, limit))
    }

    /// One workflow, with the env's head.
    pub async fn workflow(
        &self,
        key: &EnvKey,
        workflow: &Slug,
    ) -> Result<Option<(Arc<WorkflowRow>, EventId)>> {
        on!(self, rows::workflow(key, workflow))
    }

    /// One env.
    pub async fn env(&self, key: &EnvKey) -> Result<Option<Env>> {
        on!(self, envs::env(key))
    }

    /// A tenant's envs, in their order.
    pub async fn envs(&self, tenant: &Slug) -> Result<Vec<Env>> {
        on!(self, envs::envs(tenant))
    }

    /// Every env of every tenant, at most `limit`.
    pub async fn all_envs(&self, limit: usize) -> Result<Vec<(Slug, Env)>> {
        on!(self, envs::all_envs(limit))
    }

    /// Creates or changes an env. `epoch` is only used for a new one.
    pub async fn put_env(
        &self,
        key: &EnvKey,
        name: Option<&str>,
        tier: Option<&str>,
        position: Option<i64>,
        birth: &Birth,
    ) -> Result<Env> {
        on!(self, envs::put_env(key, name, tier, position, birth))
    }

    /// A tenant's name.
    pub async fn tenant(&self, tenant: &Slug) -> Result<Option<String>> {
        on!(self, envs::tenant(tenant))
    }

    /// Every tenant's slug and name, by slug.
    pub async fn tenants(&self) -> Result<Vec<(Slug, String)>> {
        on!(self, envs::tenants())
    }

    /// Creates or renames a tenant. True: it is new.
    pub async fn put_tenant(&self, tenant: &Slug, name: Option<&str>, now: Timestamp) -> Result<bool> {
        on!(self, envs::put_tenant(tenant, name, now))
    }

    /// Appends to a deployment's log what it does not hold yet. The deployment is heard of by that.
    pub async fn append_log(
        &self,
        key: &EnvKey,
        id: DeploymentId,
        offset: u64,
        bytes: &[u8],
        now: Timestamp,
    ) -> Result<Appended> {
        on!(self, text::append(key, id, offset, bytes, now))
    }

    /// Up to `limit` bytes of a log from `offset`; `None`: no such deployment.
    pub async fn read_log(
        &self,
        key: &EnvKey,
        id: DeploymentId,
        offset: u64,
        limit: usize,
    ) -> Result<Option<LogPart>> {
        on!(self, text::read(key, id, offset, limit))
    }

    /// How long logs of an env are, of those asked for that have any.
    pub async fn log_lengths(&self, key: &EnvKey, ids: &[DeploymentId]) -> Result<Vec<(DeploymentId, u64)>> {
        on!(self, text::lengths(key, ids))
    }

    /// Deployments under way that were last heard of before these times: (`queued` and `running`, `waiting`).
    pub async fn silent(
        &self,
        before: Timestamp,
        waiting_before: Timestamp,
        limit: usize,
    ) -> Result<Vec<(EnvKey, DeploymentId)>> {
        on!(self, rows::silent(before, waiting_before, limit))
    }

    /// Finished deployments of an env made before this, oldest first: none that its workflow's row tells of.
    pub async fn outdated(&self, key: &EnvKey, before: Timestamp, limit: usize) -> Result<Vec<DeploymentId>> {
        on!(self, rows::outdated(key, before, limit))
    }

    /// The limits of the tenants that have limits of their own.
    pub async fn tenant_limits(&self) -> Result<Vec<(Slug, TenantLimits)>> {
        on!(self, credentials::tenant_limits())
    }

    /// Sets a tenant's own limits, and writes down who did. False: there is no such tenant.
    pub async fn set_tenant_limits(
        &self,
        tenant: &Slug,
        limits: TenantLimits,
        record: &Record,
    ) -> Result<bool> {
        on!(self, credentials::set_tenant_limits(tenant, limits, record))
    }

    /// Forgets Idempotency-Keys first used before this.
    pub async fn forget_keys(&self, before: Timestamp) -> Result<u64> {
        on!(self, envs::forget_keys(before))
    }

    /// A delivery of this source to this tenant is known by one of these keys.
    pub async fn knows_delivery(&self, tenant: &Slug, source: &str, keys: &[String]) -> Result<bool> {
        on!(self, deliveries::is_known(tenant, source, keys))
    }

    /// Keeps the keys of a delivery that was taken. Those that are kept already stay as they are.
    pub async fn keep_delivery(
        &self,
        tenant: &Slug,
        source: &str,
        keys: &[String],
        now: Timestamp,
    ) -> Result<()> {
        on!(self, deliveries::keep(tenant, source, keys, now))
    }

    /// Forgets deliveries taken before this.
    pub async fn forget_deliveries(&self, before: Timestamp) -> Result<u64> {
        on!(self, deliveries::forget(before))
    }

    /// Adds a token by the hash of its secret. False: its tenant has `most` that hold.
    pub async fn add_token(&self, token: &Token, hash: &str, most: usize, record: &Record) -> Result<bool> {
        on!(self, credentials::add_token(token, hash, most, record))
    }

    /// Every token of a tenant, or of all of them, with its hash.
    pub async fn tokens(&self, tenant: Option<&Slug>) -> Result<Vec<(Token, String)>> {
        on!(self, credentials::tokens(tenant))
    }

    /// Takes a token back. False: the tenant has none of this id that was not revoked before.
    pub async fn revoke_token(&self, tenant: &Slug, id: &str, record: &Record) -> Result<bool> {
        on!(self, credentials::revoke_token(tenant, id, record))
    }

    /// Adds a webhook's secret. False: its tenant has `most` that hold for its source.
    pub async fn add_hook(&self, hook: &Hook, most: usize, record: &Record) -> Result<bool> {
        on!(self, credentials::add_hook(hook, most, record))
    }

    /// Every webhook's secret of a tenant, or of all of them.
    pub async fn hooks(&self, tenant: Option<&Slug>) -> Result<Vec<Hook>> {
        on!(self, credentials::hooks(tenant))
    }

    /// Takes a webhook's secret back. False: the tenant has none of this id that was not revoked before.
    pub async fn revoke_hook(&self, tenant: &Slug, id: &str, record: &Record) -> Result<bool> {
        on!(self, credentials::revoke_hook(tenant, id, record))
    }

    /// All that holds now, beside sessions.
    pub async fn credentials(&self, now: Timestamp) -> Result<Credentials> {
        on!(self, credentials::holding(now))
    }

    /// How often credentials have changed.
    pub async fn credential_changes(&self) -> Result<Changes> {
        on!(self, credentials::changes())
    }

    /// Adds a session. Of one subject's the oldest beyond `most` end.
    pub async fn add_session(&self, session: &Session, most: usize, records: &[Record]) -> Result<()> {
        on!(self, sessions::add_session(session, most, records))
    }

    /// Gives a session another secret, if `shown` is the hash of one of its two and it was not done after
    /// `before`. False: it was, or the session is over.
    pub async fn rotate_session(
        &self,
        id: &str,
        shown: &str,
        hash: &str,
        before: Timestamp,
        now: Timestamp,
    ) -> Result<bool> {
        on!(self, sessions::rotate_session(id, shown, hash, before, now))
    }

    /// Ends a session. False: there is none of this id that had not ended.
    pub async fn end_session(&self, id: &str, records: &[Record]) -> Result<bool> {
        on!(self, sessions::end_session(id, records))
    }

    /// Ends every session of a subject; says how many there were.
    pub async fn end_sessions_of(&self, subject: &str, records: &[Record]) -> Result<u64> {
        on!(self, sessions::end_sessions_of(subject, records))
    }

    /// The sessions that have changed after this many changes: added, rotated, used, ended.
    pub async fn sessions_after(&self, change: i64) -> Result<Vec<Session>> {
        on!(self, sessions::sessions_after(change))
    }

    /// Writes down when tokens and sessions were last used, by their ids; and forgets the former secrets of sessions whose
    /// secret in use still has this hash.
    pub async fn note_use(
        &self,
        tokens: &[(String, Timestamp)],
        sessions: &[(String, Timestamp)],
        outlived: &[(String, String)],
    ) -> Result<()> {
        on!(self, sessions::note_use(tokens, sessions, outlived))
    }

    /// Forgets sessions that were over before this.
    pub async fn forget_sessions(&self, before: Timestamp) -> Result<u64> {
        on!(self, sessions::forget_sessions(before))
    }

    /// Adds a line to the audit log.
    pub async fn note(&self, record: &Record) -> Result<()> {
        on!(self, audit::note(record))
    }

    /// The audit log of a tenant, or of the server itself: the newest first, those before an id if one is given.
    pub async fn records(
        &self,
        tenant: Option<&Slug>,
        before: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Record>> {
        on!(self, audit::records(tenant, before, limit))
    }

    /// The database answers; with the time that it has, if it has a clock of its own.
    pub async fn ping(&self) -> Result<Option<Timestamp>> {
        on!(self, envs::ping())
    }

    /// Everything that a check compares, of one env.
    pub async fn audit(&self, key: &EnvKey) -> Result<Option<Audit>> {
        on!(Duration::MAX, self, log::audit(key))
    }
}
