//! What is PostgreSQL's own: opening, its settings, its errors, bulk writes. The verbs themselves are the
//! shared text.
//!
//! A writing transaction is READ COMMITTED and locks the env's row first; reads see one snapshot. Lists
//! travel as arrays, so that each statement has one text, which is prepared once on each connection.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, Instant};

use sqlx::postgres::{PgConnectOptions, PgDatabaseError, PgPoolOptions, PgRow};
use sqlx::{
    AssertSqlSafe, ConnectOptions as _, Connection as _, Executor as _, FromRow, PgConnection, QueryBuilder,
};

pub(super) use self::lane::Lane;
use super::bulk::{Asked, Rows, Values};
use super::whose::Whose;
use super::{EnvKey, StoreError};

/// Connections that write, and as many that read: no crowd of readers keeps a writer waiting.
const CONNECTIONS: u32 = 8;
/// Connections for what the instance itself asks.
const OWN_CONNECTIONS: u32 = 2;
/// A server that has answered nobody for so long is away.
const SILENCE: Duration = Duration::from_secs(3);
/// How long to wait for a connection: a 503 within 5 s is due.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(3);

/// What each connection asks the server for: to notice soon who has vanished, and not to ponder over queries
/// that are all small. Without parallel workers the rows of a list come in the list's order.
///
/// Plans are made without regard to the values: in an env that has just filled, statistics are old, and the
/// planner, believing that there is one row, takes "read all of the env" for the cheapest way.
const SETTINGS: [(&str, &str); 6] = [
    ("plan_cache_mode", "force_generic_plan"),
    ("tcp_keepalives_idle", "10"),
    ("tcp_keepalives_interval", "5"),
    ("tcp_keepalives_count", "3"),
    ("max_parallel_workers_per_gather", "0"),
    ("jit", "off"),
];
/// Beside that, for writers: a lock that is not given in time is refused, and whoever holds one without a
/// word loses it, since an instance that vanished must not keep an env from the others.
const OF_WRITERS: [(&str, &str); 3] =
    [("lock_timeout", "4s"), ("statement_timeout", "9s"), ("idle_in_transaction_session_timeout", "10s")];
/// And for readers: the server gives up before we do, so that only a server that is silent is left.
const OF_READERS: [(&str, &str); 2] =
    [("statement_timeout", "3500ms"), ("idle_in_transaction_session_timeout", "10s")];

/// The driver that the shared text is compiled against here.
pub(super) type Db = sqlx::Postgres;
/// Begins a transaction that will write; the env's row is its lock.
pub(super) const BEGIN_WRITE: &str = "BEGIN ISOLATION LEVEL READ COMMITTED";
/// Begins a transaction whose reads all see the same state.
pub(super) const BEGIN_READ: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY";
/// The server's time, in milliseconds.
pub(super) const NOW: &str = "select cast(extract(epoch from clock_timestamp()) * 1000 as bigint)";
/// Whether policies hold for this role.
const WALLED: &str = "select not (rolsuper or rolbypassrls) from pg_roles where rolname = current_user";
/// The first read of an env in a writing transaction locks its row.
pub(super) const FOR_UPDATE: &str = " for update";
/// The ids of the deployments that a workflow's row `w` tells of.
pub(super) const LATEST_OF_WORKFLOW: &str = "w.row::json #>> '{latest,deployment_id}'";
pub(super) const CURRENT_OF_WORKFLOW: &str = "w.row::json #>> '{current,deployment_id}'";

mod lane;

#[path = "audit.rs"]
pub(super) mod audit;
#[path = "credentials.rs"]
pub(super) mod credentials;
#[path = "deliveries.rs"]
pub(super) mod deliveries;
#[path = "envs.rs"]
pub(super) mod envs;
#[path = "log.rs"]
pub(super) mod log;
#[path = "rows.rs"]
pub(super) mod rows;
#[path = "sessions.rs"]
pub(super) mod sessions;
#[path = "text.rs"]
pub(super) mod text;
#[path = "touched.rs"]
pub(super) mod touched;
#[path = "write.rs"]
pub(super) mod write;

/// Connections.
#[derive(Clone, Debug)]
pub(super) struct Pools {
    pub(super) writer: Lane,
    pub(super) readers: Lane,
    /// For what the instance itself asks: no crowd of searches keeps a board from its log, or makes the
    /// database look away.
    pub(super) own: Lane,
    /// When the server last answered on any of them.
    answered: Arc<Mutex<Instant>>,
}

impl Pools {
    /// Connects when the first is needed.
    fn new(options: &PgConnectOptions) -> Self {
        let lane = |connections: u32, settings: &[(&str, &str)], begin| {
            let pool = PgPoolOptions::new().max_connections(connections).acquire_timeout(ACQUIRE_TIMEOUT);
            Lane::new(pool.connect_lazy_with(options.clone().options(settings.iter().copied())), begin)
        };
        Self {
            writer: lane(CONNECTIONS, &OF_WRITERS, BEGIN_WRITE),
            readers: lane(CONNECTIONS, &OF_READERS, BEGIN_READ),
            own: lane(OWN_CONNECTIONS, &OF_READERS, BEGIN_READ),
            answered: Arc::new(Mutex::new(Instant::now())),
        }
    }

    fn answered(&self) -> MutexGuard<'_, Instant> {
        self.answered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A verb came to its end, well or not.
    pub(super) fn heard<T>(&self, done: &Result<T, StoreError>) {
        if !matches!(done, Err(StoreError::Unavailable(_))) {
            *self.answered() = Instant::now();
        }
    }

    pub(super) async fn close(&self) {
        tokio::join!(self.readers.close(), self.own.close(), self.writer.close());
    }
}

/// How to connect by this URL.
pub(crate) fn options(url: &str) -> sqlx::Result<PgConnectOptions> {
    let options: PgConnectOptions = url.parse()?;
    // What fails is told by whoever asked; a statement that is slow has its own metric.
    Ok(options.application_name("shipboard").options(SETTINGS).disable_statement_logging())
}

/// A server, and the connections to it.
pub(super) struct Server {
    options: PgConnectOptions,
    pools: RwLock<Pools>,
    /// Policies hold for the role that we are.
    walled: bool,
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server").field("host", &self.options.get_host()).finish_non_exhaustive()
    }
}

impl Server {
    /// Connects and migrates. Instances that start together wait for each other at the migrations' lock.
    pub(super) async fn open(url: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        let options = options(url)?;
        // On a connection of its own: a migration may take its time.
        // It may also change everybody's rows, which nobody else who says nothing is shown.
        let migrating = options.clone().options([("shipboard.tenant", Whose::Everybodys.word())]);
        let connecting = tokio::time::timeout(ACQUIRE_TIMEOUT, migrating.connect()).await;
        let connected = connecting.unwrap_or_else(|slow| Err(std::io::Error::from(slow).into()));
        let mut connection = connected.map_err(|error| {
            // Names the server, and never a password.
            format!("the database at {}:{}: {error}", options.get_host(), options.get_port())
        })?;
        sqlx::migrate!("migrations/postgres").run(&mut connection).await?;
        let (walled,): (bool,) = sqlx::query_as(WALLED).fetch_one(&mut connection).await?;
        connection.close().await?;
        Ok(Self { pools: RwLock::new(Pools::new(&options)), options, walled })
    }

    /// Row level security holds for the role that we are.
    pub(super) fn is_walled(&self) -> bool {
        self.walled
    }

    /// The connections in use.
    pub(super) fn pools(&self) -> Pools {
        self.pools.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A verb was given up. If the server answered nobody meanwhile, its connections are left to themselves:
    /// one that vanished without a word would hold them for as long as the system retries, a quarter of an
    /// hour by default. What still runs on them ends as it may.
    #[allow(clippy::disallowed_methods, reason = "whether it ends is the server's to say")]
    pub(super) fn gave_up(&self, tried: &Pools) {
        let mut pools = self.pools.write().unwrap_or_else(PoisonError::into_inner);
        if !Arc::ptr_eq(&pools.answered, &tried.answered) || tried.answered().elapsed() < SILENCE {
            return;
        }
        tracing::warn!("the database says nothing; connecting to it anew");
        metrics::counter!("shipboard_database_reconnects_total").increment(1);
        let old = std::mem::replace(&mut *pools, Pools::new(&self.options));
        // Nobody waits for it: a silent server never lets it end.
        tokio::spawn(async move { old.close().await });
    }
}

/// Said first in a read that may take as long as it takes.
pub(super) async fn without_limit(connection: &mut PgConnection) -> sqlx::Result<()> {
    const SAID: &str = "set local statement_timeout = 0; set local idle_in_transaction_session_timeout = 0";
    connection.execute(SAID).await.map(drop)
}

/// ` column is one of these`
pub(super) fn push_any(query: &mut QueryBuilder<Db>, column: &str, values: Vec<String>) {
    query.push(column).push(" = any(").push_bind(values).push(")");
}

/// ` (column, column) is one of these`
pub(super) fn push_any_pair(query: &mut QueryBuilder<Db>, columns: &str, pairs: Vec<(String, String)>) {
    let (left, right): (Vec<String>, Vec<String>) = pairs.into_iter().unzip();
    query.push(columns).push(" in (select * from unnest(").push_bind(left).push("::text[], ");
    query.push_bind(right).push("::text[]))");
}

/// A query over one env's rows whose columns are one of these pairs. Each pair is looked up by itself, which
/// `offset 0` sees to: joined, a planner that knows too little of the table reads all of the env.
pub(super) fn of_pairs(
    select: &str,
    key: &EnvKey,
    condition: &str,
    [left, right]: [&str; 2],
    pairs: Vec<(String, String)>,
) -> QueryBuilder<Db> {
    let (lefts, rights): (Vec<String>, Vec<String>) = pairs.into_iter().unzip();
    let mut query = QueryBuilder::new("select found.* from unnest(");
    query.push_bind(lefts).push("::text[], ").push_bind(rights).push("::text[]) as list (l, r)");
    query.push(" cross join lateral (").push(select);
    query.push(" where tenant = ").push_bind(key.tenant.as_str().to_owned());
    query.push(" and env = ").push_bind(key.env.as_str().to_owned());
    query.push(format!(" and {condition} {left} = list.l and {right} = list.r offset 0) as found"));
    query
}

/// Asks the same of many workflows, all at once; where it asks for versions, of each of them.
pub(super) async fn for_each<R>(
    connection: &mut PgConnection,
    key: &EnvKey,
    select: &str,
    asked: &[Asked],
) -> sqlx::Result<Vec<R>>
where
    R: for<'r> FromRow<'r, PgRow> + Send + Unpin,
{
    let by_version = select.contains(":among");
    let once = [String::new()];
    let mut list = (Vec::new(), Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for (n, asked) in asked.iter().enumerate() {
        for version in if by_version { &asked.among[..] } else { &once } {
            list.0.push(n as i64);
            list.1.push(asked.workflow.as_str());
            list.2.push(asked.at);
            list.3.push(asked.limit);
            list.4.push(version.as_str());
        }
    }
    if list.0.is_empty() {
        return Ok(Vec::new());
    }
    let names = [
        (":among", "= asked.version"),
        (":n", "asked.n"),
        (":workflow", "asked.workflow"),
        (":at", "asked.at"),
        (":limit", "asked.most"),
    ];
    let select =
        names.into_iter().fold(select.to_owned(), |select, (name, column)| select.replace(name, column));
    let sql = format!(
        "select found.* from unnest($3::bigint[], $4::text[], $5::bigint[], $6::bigint[], $7::text[])
             as asked (n, workflow, at, most, version) cross join lateral ({select}) as found"
    );
    sqlx::query_as(AssertSqlSafe(sql))
        .bind(key.tenant.as_str())
        .bind(key.env.as_str())
        .bind(list.0)
        .bind(list.1)
        .bind(list.2)
        .bind(list.3)
        .bind(list.4)
        .fetch_all(connection)
        .await
}

/// Sets a column of many rows of one env, by id.
pub(super) async fn update(
    connection: &mut PgConnection,
    key: &EnvKey,
    table: &str,
    column: &str,
    list: Vec<(String, String)>,
) -> sqlx::Result<()> {
    let (ids, texts): (Vec<String>, Vec<String>) = list.into_iter().unzip();
    let sql = format!(
        "update {table} set {column} = list.text from unnest($3::text[], $4::text[]) as list (id, text)
         where tenant = $1 and env = $2 and {table}.id = list.id"
    );
    let query = sqlx::query(AssertSqlSafe(sql)).bind(key.tenant.as_str()).bind(key.env.as_str());
    query.bind(ids).bind(texts).execute(connection).await.map(drop)
}

/// Writes many rows. `conflict` is what to do with those that are there.
pub(super) async fn insert(
    connection: &mut PgConnection,
    table: &str,
    rows: Rows,
    conflict: &str,
) -> sqlx::Result<()> {
    let mut query = QueryBuilder::<Db>::new(format!("insert into {table} ({}) select ", rows.names()));
    for (_, value) in rows.same {
        query.push_bind(value).push(", ");
    }
    query.push("* from unnest(");
    let mut arrays = query.separated(", ");
    for (_, values) in rows.columns {
        match values {
            Values::Text(values) => arrays.push_bind(values).push_unseparated("::text[]"),
            Values::MaybeText(values) => arrays.push_bind(values).push_unseparated("::text[]"),
            Values::Int(values) => arrays.push_bind(values).push_unseparated("::bigint[]"),
            Values::MaybeInt(values) => arrays.push_bind(values).push_unseparated("::bigint[]"),
            Values::Bool(values) => arrays.push_bind(values).push_unseparated("::boolean[]"),
        };
    }
    query.push(") ").push(conflict);
    query.build().execute(connection).await.map(drop)
}

/// The server is gone, going or not there yet, out of means, or does not give a lock in time: not the
/// request's fault. Codes: <https://www.postgresql.org/docs/current/errcodes-appendix.html>
pub(super) fn is_unavailable(error: &dyn sqlx::error::DatabaseError) -> bool {
    let Some(error) = error.try_downcast_ref::<PgDatabaseError>() else { return false };
    // Connection exceptions, insufficient resources, operator intervention, system errors; a transaction that
    // was ended for its silence; a server that only reads, as a standby does.
    !is_busy(error)
        && (["08", "53", "57", "58"].iter().any(|class| error.code().starts_with(class))
            || ["25P03", "25006"].contains(&error.code()))
}

/// A lock was not given in time, or a statement took too long.
pub(super) fn is_busy(error: &PgDatabaseError) -> bool {
    ["55P03", "57014"].contains(&error.code())
}

/// The transaction lost against another and was undone: it may be repeated as it is.
pub(super) fn is_conflict(error: &dyn sqlx::error::DatabaseError) -> bool {
    let Some(error) = error.try_downcast_ref::<PgDatabaseError>() else { return false };
    ["40001", "40P01"].contains(&error.code())
}
