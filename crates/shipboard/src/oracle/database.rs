//! The databases that schedules run on, and a way into them past all code that is under test.

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock};

use serde_json::json;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, Row as _};

use crate::clock;
use crate::servers::{Service, superuser};
use crate::store::{Store, contract};

/// Every table whose rows a restore replaces; what others refer to comes first. All there are but the audit log:
/// the database refuses to take lines out of that, and no schedule reads it.
const TABLES: [&str; 15] = [
    "tenants",
    "envs",
    "deployments",
    "tombstones",
    "reports",
    "workflows",
    "events",
    "idempotency_keys",
    "logs",
    "log_chunks",
    "deliveries",
    "tokens",
    "hooks",
    "sessions",
    "credential_changes",
];

/// Deployments of a crowded database: more than a board holds.
pub(super) const CROWD: usize = 660;

/// Schedules under way at a time in one test.
const AT_ONCE: usize = 3;

/// Where a test's databases come from. Each is a copy of one that was made once.
pub(super) struct Origin {
    engine: Engine,
    made: AtomicUsize,
    bounces: bool,
}

enum Engine {
    Sqlite { directory: tempfile::TempDir, template: PathBuf },
    Postgres(Mutex<Service>),
}

/// One schedule's database.
pub(super) struct Database {
    pub(super) url: String,
}

fn block_on<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

/// A directory in memory where there is one: what is on disk after a crash is tested with real kills elsewhere.
fn directory() -> tempfile::TempDir {
    static MEMORY: OnceLock<bool> = OnceLock::new();
    let in_memory = || tempfile::tempdir_in("/dev/shm");
    if *MEMORY.get_or_init(|| in_memory().is_ok()) {
        in_memory().unwrap()
    } else {
        tempfile::tempdir().unwrap()
    }
}

impl Origin {
    pub(super) fn sqlite(crowded: bool) -> Self {
        let directory = directory();
        let template = directory.path().join("template.db");
        let url = format!("sqlite:{}", template.display());
        block_on(prepare(&url, crowded));
        Self { engine: Engine::Sqlite { directory, template }, made: AtomicUsize::new(0), bounces: false }
    }

    pub(super) fn postgres(crowded: bool) -> Self {
        let service = Service::postgres();
        block_on(async {
            administer(&service.superuser_url(), "create database template owner shipboard").await;
            prepare(&of_name(&service.url(), "template"), crowded).await;
        });
        Self { engine: Engine::Postgres(Mutex::new(service)), made: AtomicUsize::new(0), bounces: false }
    }

    /// Schedules that may share it at a time: they wait more than they work, but a server stops for all.
    pub(super) fn at_once(&self) -> usize {
        if matches!(self.engine, Engine::Postgres(_)) { 1 } else { AT_ONCE }
    }

    pub(super) fn fresh(&self) -> Database {
        let n = self.made.fetch_add(1, Ordering::Relaxed);
        match &self.engine {
            Engine::Sqlite { directory, template } => {
                let path = directory.path().join(format!("{n}.db"));
                std::fs::copy(template, &path).unwrap();
                Database { url: format!("sqlite:{}", path.display()) }
            }
            Engine::Postgres(service) => {
                let url = service.lock().unwrap().url();
                let create = format!("create database schedule_{n} template template owner shipboard");
                block_on(administer(&superuser(&url), &create));
                Database { url: of_name(&url, &format!("schedule_{n}")) }
            }
        }
    }

    /// The schedule is over.
    pub(super) fn drop(&self, database: &Database) {
        match &self.engine {
            Engine::Sqlite { .. } => {
                let path = database.url.trim_start_matches("sqlite:");
                for end in ["", "-wal", "-shm"] {
                    let _ = std::fs::remove_file(format!("{path}{end}"));
                }
            }
            Engine::Postgres(service) => {
                let (_, name) = database.url.rsplit_once('/').unwrap();
                let url = service.lock().unwrap().superuser_url();
                block_on(administer(&url, &format!("drop database {name} with (force)")));
            }
        }
    }

    /// Its server stops and starts again now and then.
    pub(super) fn bouncing(self) -> Self {
        Self { bounces: true, ..self }
    }

    /// Stops the server and starts it again, if it is one that does.
    pub(super) fn bounce(&self) -> bool {
        let Engine::Postgres(service) = &self.engine else { return false };
        if !self.bounces {
            return false;
        }
        let mut service = service.lock().unwrap();
        service.stop();
        service.restart();
        true
    }
}

fn of_name(url: &str, name: &str) -> String {
    let (server, _) = url.rsplit_once('/').unwrap();
    format!("{server}/{name}")
}

async fn administer(url: &str, sql: &str) {
    let options: PgConnectOptions = url.parse().unwrap();
    let mut connection = options.connect().await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

/// Makes the tables, those that a restore takes its rows from, and the crowd.
async fn prepare(url: &str, crowded: bool) {
    let store = Store::open(url).await.unwrap();
    if crowded {
        let key = contract::key(super::ENVS[0]);
        let birth = contract::birth(&key);
        let posts = (0..CROWD).map(|n| {
            let at = contract::second(n as i64 / 3).to_string();
            let workflow = format!("w{}", n % 40);
            contract::post(json!({"external_id": format!("crowd-{n}"), "workflow": workflow,
                "status": "success", "occurred_at": at}))
        });
        let posts: Vec<_> = posts.collect();
        for group in posts.chunks(110) {
            store.write(&key, group, Some(&birth), clock::now()).await.unwrap();
        }
    }
    store.close().await;
    let mut raw = Raw::open(url).await;
    let mut tables = raw.tables().await;
    tables.retain(|table| table != "_sqlx_migrations" && table != "audit");
    let mut restored = TABLES.map(str::to_owned);
    restored.sort_unstable();
    assert_eq!(tables, restored, "a restore replaces the rows of all tables");
    for table in TABLES {
        raw.execute(&format!("create table copy_of_{table} as select * from {table} where 1 = 0")).await;
    }
    raw.close().await;
}

/// A row's columns, as text.
pub(super) type Cells = Vec<Option<String>>;

/// A connection of the oracle's own.
pub(super) enum Raw {
    Sqlite(Box<SqliteConnection>),
    Postgres(Box<PgConnection>),
}

impl Raw {
    pub(super) async fn open(url: &str) -> Self {
        if let Some(path) = url.strip_prefix("sqlite:") {
            let options = SqliteConnectOptions::new().filename(path).foreign_keys(true);
            return Self::Sqlite(Box::new(options.connect().await.unwrap()));
        }
        // Who sees the rows of all, whatever an instance is shown.
        let options: PgConnectOptions = superuser(url).parse().unwrap();
        Self::Postgres(Box::new(options.connect().await.unwrap()))
    }

    pub(super) async fn rows(&mut self, sql: &str) -> Vec<Cells> {
        macro_rules! rows {
            ($connection:expr) => {{
                let rows =
                    sqlx::query(AssertSqlSafe(sql.to_owned())).fetch_all(&mut **$connection).await.unwrap();
                rows.iter().map(|row| (0..row.len()).map(|column| row.get(column)).collect()).collect()
            }};
        }
        match self {
            Self::Sqlite(connection) => rows!(connection),
            Self::Postgres(connection) => rows!(connection),
        }
    }

    pub(super) async fn execute(&mut self, sql: &str) {
        let sql = AssertSqlSafe(sql.to_owned());
        match self {
            Self::Sqlite(connection) => drop(sqlx::raw_sql(sql).execute(&mut **connection).await.unwrap()),
            Self::Postgres(connection) => drop(sqlx::raw_sql(sql).execute(&mut **connection).await.unwrap()),
        }
    }

    /// The names of all tables, in order.
    async fn tables(&mut self) -> Vec<String> {
        let sql = match self {
            Self::Sqlite(_) => {
                "select name from sqlite_master where type = 'table' and name not like 'sqlite%' order by name"
            }
            Self::Postgres(_) => {
                "select relname::text from pg_class where relnamespace = 'public'::regnamespace
                 and relkind in ('r', 'p') order by relname"
            }
        };
        self.rows(sql).await.into_iter().filter_map(|mut cells| cells.remove(0)).collect()
    }

    pub(super) async fn begin_read(&mut self) {
        let begin = match self {
            Self::Sqlite(_) => "begin deferred",
            Self::Postgres(_) => "begin isolation level repeatable read, read only",
        };
        self.execute(begin).await;
    }

    pub(super) async fn end(&mut self) {
        self.execute("commit").await;
    }

    async fn begin_write(&mut self) {
        let begin = match self {
            Self::Sqlite(_) => "begin immediate",
            Self::Postgres(_) => "begin",
        };
        self.execute(begin).await;
    }

    /// Keeps a copy of all rows, instead of the one kept before.
    pub(super) async fn copy(&mut self) {
        self.begin_write().await;
        for table in TABLES {
            self.execute(&format!("delete from copy_of_{table}")).await;
            self.execute(&format!("insert into copy_of_{table} select * from {table}")).await;
        }
        self.end().await;
    }

    /// Puts the copy's rows in place of all rows, in one transaction.
    pub(super) async fn restore(&mut self) {
        self.begin_write().await;
        for table in TABLES.iter().rev() {
            self.execute(&format!("delete from {table}")).await;
        }
        for table in TABLES {
            self.execute(&format!("insert into {table} select * from copy_of_{table}")).await;
        }
        self.end().await;
    }

    /// A log's whole text.
    pub(super) async fn log(&mut self, key: &crate::store::EnvKey, id: &str) -> String {
        let text = match self {
            Self::Sqlite(_) => "cast(bytes as text)",
            Self::Postgres(_) => "convert_from(bytes, 'UTF8')",
        };
        let (tenant, env) = (&key.tenant, &key.env);
        let rows = self
            .rows(&format!(
                "select {text} from log_chunks where tenant = '{tenant}' and env = '{env}'
                 and deployment_id = '{id}' order by start"
            ))
            .await;
        rows.into_iter().filter_map(|mut cells| cells.remove(0)).collect()
    }

    pub(super) async fn close(self) {
        match self {
            Self::Sqlite(connection) => connection.close().await.unwrap(),
            Self::Postgres(connection) => connection.close().await.unwrap(),
        }
    }
}
