//! What is SQLite's own: opening, its pragmas, its errors. The verbs themselves are the shared text.
//!
//! WAL with `synchronous=FULL`: what is answered is on disk. One connection writes, others read.

use std::path::Path;
use std::time::{Duration, Instant};

use sqlx::sqlite::{
    SqliteConnectOptions, SqliteError, SqliteJournalMode, SqlitePoolOptions, SqliteRow, SqliteSynchronous,
};
use sqlx::{AssertSqlSafe, FromRow, QueryBuilder, SqliteConnection};

use self::lane::Lane;
use super::EnvKey;
use super::bulk::{Asked, Rows, Values};

/// Connections that requests read by, beside the one that writes.
pub const READERS: u32 = 6;
/// Connections for what the instance itself asks.
const OWN_CONNECTIONS: u32 = 2;
/// How long a connection reads for whoever has it: as PostgreSQL's readers, shorter than anybody waits. Whoever gives up
/// would otherwise leave the database at work, with the connection taken.
const READ_WITHIN: Duration = Duration::from_millis(3_500);
/// Steps of the database's between two looks at the time: well below a millisecond.
const STEPS: i32 = 10_000;
/// How long a statement waits for another process that holds the write lock: a 503 within 5 s is due.
const BUSY_TIMEOUT: Duration = Duration::from_secs(3);

/// The driver that the shared text is compiled against here.
pub(super) type Db = sqlx::Sqlite;
/// Begins a transaction that will write, and takes the lock at once.
const BEGIN_WRITE: &str = "BEGIN IMMEDIATE";
/// Begins a transaction whose reads all see the same state.
const BEGIN_READ: &str = "BEGIN DEFERRED";
/// It has no time but this machine's.
pub(super) const NOW: &str = "select null";
/// The first read of an env in a writing transaction locks its row; here the whole database is locked.
pub(super) const FOR_UPDATE: &str = "";
/// The ids of the deployments that a workflow's row `w` tells of.
pub(super) const LATEST_OF_WORKFLOW: &str = "w.row ->> '$.latest.deployment_id'";
pub(super) const CURRENT_OF_WORKFLOW: &str = "w.row ->> '$.current.deployment_id'";
/// Most parameters of one statement.
const MAX_BINDS: usize = 32_000;

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
}

impl Pools {
    pub(super) async fn close(&self) {
        self.readers.close().await;
        self.own.close().await;
        self.writer.close().await;
    }
}

/// Opens (or creates) the file and migrates.
pub(super) async fn open(path: &str) -> Result<Pools, Box<dyn std::error::Error + Send + Sync>> {
    // Each connection would have a database of its own.
    if path.is_empty() || path == ":memory:" {
        return Err(Box::new(super::InvalidDatabase("must name a file: sqlite:PATH".to_owned())));
    }
    let options = SqliteConnectOptions::new()
        .filename(Path::new(path))
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(BUSY_TIMEOUT);
    let pool = SqlitePoolOptions::new().acquire_timeout(BUSY_TIMEOUT);
    let writer = pool.clone().max_connections(1).connect_with(options.clone()).await?;
    sqlx::migrate!("migrations/sqlite").run(&writer).await?;
    let options = options.pragma("query_only", "on");
    let reading = |most| within(pool.clone().max_connections(most), READ_WITHIN);
    let readers = reading(READERS).connect_with(options.clone()).await?;
    let own = reading(OWN_CONNECTIONS).connect_with(options).await?;
    let [own, readers] = [own, readers].map(|pool| Lane::new(pool, BEGIN_READ));
    Ok(Pools { writer: Lane::new(writer, BEGIN_WRITE), readers, own })
}

/// Each connection stops whatever it does when whoever it was given to has had it for so long.
fn within(pool: SqlitePoolOptions, patience: Duration) -> SqlitePoolOptions {
    pool.after_connect(move |connection, _| Box::pin(stop_in(connection, patience))).before_acquire(
        move |connection, _| {
            Box::pin(async move {
                stop_in(connection, patience).await?;
                Ok(true)
            })
        },
    )
}

async fn stop_in(connection: &mut SqliteConnection, patience: Duration) -> sqlx::Result<()> {
    let until = Instant::now() + patience;
    connection.lock_handle().await?.set_progress_handler(STEPS, move || Instant::now() < until);
    Ok(())
}

/// Said first in a read that may take as long as it takes.
pub(super) async fn without_limit(connection: &mut SqliteConnection) -> sqlx::Result<()> {
    connection.lock_handle().await?.remove_progress_handler();
    Ok(())
}

/// ` column is one of these`
pub(super) fn push_any(query: &mut QueryBuilder<Db>, column: &str, values: Vec<String>) {
    query.push(column).push(" in (select value from json_each(");
    query.push_bind(serde_json::Value::from(values).to_string()).push("))");
}

/// ` (column, column) is one of these`
pub(super) fn push_any_pair(query: &mut QueryBuilder<Db>, columns: &str, pairs: Vec<(String, String)>) {
    let pairs = pairs.into_iter().map(|(left, right)| serde_json::json!([left, right]));
    query.push(columns).push(" in (select value ->> 0, value ->> 1 from json_each(");
    query.push_bind(pairs.collect::<serde_json::Value>().to_string()).push("))");
}

/// A query over one env's rows whose columns are one of these pairs.
pub(super) fn of_pairs(
    select: &str,
    key: &EnvKey,
    condition: &str,
    [left, right]: [&str; 2],
    pairs: Vec<(String, String)>,
) -> QueryBuilder<Db> {
    let mut query = touched::of_env(select, key);
    push_any_pair(&mut query, &format!(" and {condition} ({left}, {right})"), pairs);
    query
}

/// Asks the same of many workflows, one after the other: there is no way to the database that would be long.
pub(super) async fn for_each<R>(
    connection: &mut SqliteConnection,
    key: &EnvKey,
    select: &str,
    asked: &[Asked],
) -> sqlx::Result<Vec<R>>
where
    R: for<'r> FromRow<'r, SqliteRow> + Send + Unpin,
{
    let select = select.replace(":among", "in (select value from json_each($7))");
    let sql = [(":n", "$3"), (":workflow", "$4"), (":at", "$5"), (":limit", "$6")]
        .into_iter()
        .fold(select, |select, (name, parameter)| select.replace(name, parameter));
    let mut found = Vec::new();
    for (n, asked) in asked.iter().enumerate() {
        let query = sqlx::query_as(AssertSqlSafe(sql.as_str()))
            .bind(key.tenant.as_str())
            .bind(key.env.as_str())
            .bind(n as i64)
            .bind(&asked.workflow)
            .bind(asked.at)
            .bind(asked.limit)
            .bind(serde_json::Value::from(asked.among.as_slice()).to_string());
        found.extend(query.fetch_all(&mut *connection).await?);
    }
    Ok(found)
}

/// Sets a column of many rows of one env, by id, one after the other.
pub(super) async fn update(
    connection: &mut SqliteConnection,
    key: &EnvKey,
    table: &str,
    column: &str,
    list: Vec<(String, String)>,
) -> sqlx::Result<()> {
    let sql = format!("update {table} set {column} = $4 where tenant = $1 and env = $2 and id = $3");
    for (id, text) in list {
        let query = sqlx::query(AssertSqlSafe(sql.as_str())).bind(key.tenant.as_str()).bind(key.env.as_str());
        query.bind(id).bind(text).execute(&mut *connection).await?;
    }
    Ok(())
}

/// Writes many rows. `conflict` is what to do with those that are there.
pub(super) async fn insert(
    connection: &mut SqliteConnection,
    table: &str,
    rows: Rows,
    conflict: &str,
) -> sqlx::Result<()> {
    let count = rows.len();
    let head = format!("insert into {table} ({}) ", rows.names());
    let mut part = 0..0;
    while part.end < count {
        part = part.end..count.min(part.end + MAX_BINDS / (rows.same.len() + rows.columns.len()));
        let mut query = QueryBuilder::<Db>::new(&head);
        query.push_values(part.clone(), |mut row, n| {
            for (_, value) in &rows.same {
                row.push_bind(value);
            }
            for (_, values) in &rows.columns {
                match values {
                    Values::Text(values) => row.push_bind(&values[n]),
                    Values::MaybeText(values) => row.push_bind(&values[n]),
                    Values::Int(values) => row.push_bind(values[n]),
                    Values::MaybeInt(values) => row.push_bind(values[n]),
                    Values::Bool(values) => row.push_bind(values[n]),
                };
            }
        });
        query.push(" ").push(conflict);
        query.build().execute(&mut *connection).await?;
    }
    Ok(())
}

/// It was too much to be done in time.
pub(super) fn is_busy(error: &dyn sqlx::error::DatabaseError) -> bool {
    if error.try_downcast_ref::<SqliteError>().is_none() {
        return false;
    }
    // The one code that says so: SQLITE_INTERRUPT.
    error.code().is_some_and(|code| code == "9")
}

/// Busy, locked, out of memory, read-only, I/O error, full, cannot open: the machine's trouble, not ours.
/// Codes: <https://www.sqlite.org/rescode.html>
pub(super) fn is_unavailable(error: &dyn sqlx::error::DatabaseError) -> bool {
    if error.try_downcast_ref::<SqliteError>().is_none() {
        return false;
    }
    let code = error.code().and_then(|code| code.parse::<u32>().ok());
    code.is_some_and(|code| matches!(code & 0xff, 5 | 6 | 7 | 8 | 10 | 13 | 14))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::StoreError;
    use crate::store::whose::Whose;

    const ENDLESS: &str =
        "with recursive n(x) as (select 1 union all select x + 1 from n) select count(*) from n";

    #[tokio::test]
    async fn a_read_that_takes_too_long_is_ended_by_the_database_and_the_next_is_not() {
        let pool = within(SqlitePoolOptions::new().max_connections(1), Duration::from_millis(20));
        let pool = pool.connect_with(SqliteConnectOptions::new().in_memory(true)).await.unwrap();
        for _ in 0..2 {
            let ended = sqlx::query(ENDLESS).execute(&pool).await.unwrap_err();
            assert!(matches!(StoreError::from(ended), StoreError::Busy(_)));
            sqlx::query("select 1").execute(&pool).await.unwrap();
        }
        // Nobody waits for it any more: it ends all the same, and gives its connection back.
        let left = tokio::time::timeout(Duration::from_millis(5), sqlx::query(ENDLESS).execute(&pool)).await;
        left.unwrap_err();
        sqlx::query("select 1").execute(&pool).await.unwrap();
    }

    #[tokio::test]
    async fn a_read_without_limit_goes_on() {
        let pool = within(SqlitePoolOptions::new().max_connections(1), Duration::from_millis(1));
        let pool = pool.connect_with(SqliteConnectOptions::new().in_memory(true)).await.unwrap();
        let mut transaction = pool.begin().await.unwrap();
        without_limit(&mut transaction).await.unwrap();
        let long = ENDLESS.replace("from n)", "from n where x < 300000)");
        sqlx::query(AssertSqlSafe(long)).execute(&mut *transaction).await.unwrap();
    }

    #[tokio::test]
    async fn what_the_instance_asks_itself_waits_for_no_reader() {
        let directory = tempfile::tempdir().unwrap();
        let pools = open(directory.path().join("board.db").to_str().unwrap()).await.unwrap();
        let mut held = Vec::new();
        for _ in 0..READERS {
            held.push(pools.readers.begin(Whose::Everybodys).await.unwrap());
        }
        pools.own.knock().await.unwrap();
        assert!(pools.readers.knock().await.is_err(), "there is no other reader");
    }
}
