//! Private PostgreSQL and NATS servers, with the durability they come with: on free ports, in directories of
//! their own, gone with the run that started them, however it ends.
//!
//! Each has a guardian, a shell that starts it and that ends it when its own standard input closes.
//! PostgreSQL never runs as root: then it runs as the user `postgres`.

use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::Duration;

use crate::Result;

const GUARD: &str = r#"
trap '' TERM INT HUP
PATH="$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -n 1):/usr/sbin:$PATH"
mkdir -m 755 "$directory" && cd "$directory" || exit 1
if start >>log 2>&1 </dev/null; then echo "$pid"; read -r _; else tail -n 20 log; fi
stop >/dev/null 2>&1
cd / && rm -rf "$directory"
"#;

/// Durable as it comes: nothing is said of syncing, committing or the size of anything. Statements are
/// neither logged nor counted until a figure asks for it.
const POSTGRES: &str = r"
port=$1 directory=$2
start() {
  initdb --auth=trust --username=postgres --encoding=UTF8 --locale=C.UTF-8 -D data || return 1
  cat >>data/postgresql.conf <<CONF
listen_addresses = '127.0.0.1'
port = $port
unix_socket_directories = ''
max_connections = 200
logging_collector = on
log_destination = 'jsonlog'
log_filename = 'server.log'
shared_preload_libraries = 'pg_stat_statements'
pg_stat_statements.track = none
CONF
  pg_ctl -D data -w -t 60 start && pid=$(head -n 1 data/postmaster.pid)
}
stop() { pg_ctl -D data -w -m immediate stop; }
";

const NATS: &str = r#"
port=$1 directory=$2
start() {
  nats-server --addr 127.0.0.1 --port "$port" & pid=$!
  until (exec 3<>"/dev/tcp/127.0.0.1/$port"); do kill -0 "$pid" || return 1; sleep 0.02; done
}
stop() { kill -KILL "$pid"; wait "$pid"; }
"#;

/// A server of this run's own.
pub struct Private {
    guardian: Child,
    input: Option<ChildStdin>,
    directory: PathBuf,
    port: u16,
    /// The process that all its others descend from.
    pub pid: u32,
}

impl Private {
    fn start(script: &str, user: &str, name: &str) -> Result<Self> {
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let directory = std::env::temp_dir().join(format!("shipboard-bench-{name}-{port}"));
        let by = "[ \"$(id -u)\" = 0 ] && exec runuser -u \"$0\" -- bash -c \"$@\"; exec bash -c \"$@\"";
        let mut guardian = Command::new("bash")
            .args(["-c", by, user, &format!("{script}{GUARD}"), "guardian", &port.to_string()])
            .arg(&directory)
            // In a group of its own: whoever ends the run's group leaves the guardian to clean up.
            .process_group(0)
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut told = String::new();
        if let Some(output) = guardian.stdout.take() {
            BufReader::new(output).read_line(&mut told)?;
        }
        let Ok(pid) = told.trim().parse() else {
            return Err(format!("a private {name} could not be started: {told}").into());
        };
        Ok(Self { input: guardian.stdin.take(), guardian, directory, port, pid })
    }

    /// A broker without anything in it.
    pub fn nats() -> Result<Self> {
        Self::start(NATS, "nobody", "nats")
    }

    /// Where the broker is reached.
    pub fn nats_url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }
}

impl Drop for Private {
    fn drop(&mut self) {
        self.input = None;
        let _ = self.guardian.wait();
    }
}

/// A PostgreSQL, and one database in it.
pub struct Postgres {
    server: Private,
    database: String,
}

impl Postgres {
    /// A new server with an empty database; `settings` are to be tried, as `name=value`.
    pub fn start(settings: &[String]) -> Result<Self> {
        let server = Private::start(POSTGRES, "postgres", "postgres")?;
        let postgres = Self { server, database: "postgres".to_owned() };
        postgres.run("create extension pg_stat_statements")?;
        // No superuser: row level security holds, and costs what it costs.
        postgres.run("create role shipboard login")?;
        postgres.run("alter database postgres owner to shipboard")?;
        for (name, value) in settings.iter().filter_map(|setting| setting.split_once('=')) {
            postgres.set(name, Some(value))?;
        }
        Ok(postgres)
    }

    /// The process that all backends descend from.
    pub fn pid(&self) -> u32 {
        self.server.pid
    }

    /// Where it is reached.
    pub fn url(&self) -> String {
        self.url_of(&self.database)
    }

    /// Where another of its databases is reached.
    pub fn url_of(&self, database: &str) -> String {
        format!("postgres://shipboard@127.0.0.1:{}/{database}", self.server.port)
    }

    /// What it logs, as lines of JSON, while it is asked to.
    pub fn log(&self) -> PathBuf {
        self.server.directory.join("data/log/server.json")
    }

    /// Runs a statement and gives what it returns.
    pub fn ask(&self, sql: &str) -> Result<Vec<Vec<String>>> {
        self.ask_in(&self.database, sql)
    }

    /// The same in another database.
    pub fn ask_in(&self, database: &str, sql: &str) -> Result<Vec<Vec<String>>> {
        let url = self.url_of(database).replace("//shipboard@", "//postgres@");
        let args = ["-X", "-A", "-t", "-q", "-F", "\u{1f}", "-v", "ON_ERROR_STOP=1", "-c", sql];
        let output = program("psql").args(args).arg(url).stderr(Stdio::inherit()).output()?;
        if !output.status.success() {
            return Err(format!("failed: {sql}").into());
        }
        let text = String::from_utf8(output.stdout)?;
        Ok(text.lines().map(|line| line.split('\u{1f}').map(str::to_owned).collect()).collect())
    }

    /// Runs a statement for its effect.
    pub fn run(&self, sql: &str) -> Result<()> {
        self.ask(sql).map(drop)
    }

    /// Changes a setting of all sessions, or gives it its default back.
    pub fn set(&self, name: &str, value: Option<&str>) -> Result<()> {
        match value {
            Some(value) => self.run(&format!("alter system set {name} = '{value}'"))?,
            None => self.run(&format!("alter system reset {name}"))?,
        }
        self.run("select pg_reload_conf()")
    }

    /// Brings tables, statistics and the disk into the state that a run begins with.
    pub fn settle(&self, database: &str) -> Result<()> {
        self.ask_in(database, "vacuum analyze")?;
        self.run("checkpoint")
    }

    /// Counts statements from now on.
    pub async fn count_statements(&self) -> Result<()> {
        self.set("pg_stat_statements.track", Some("all"))?;
        // Sessions read their settings anew when they are next asked something after being told to.
        tokio::time::sleep(Duration::from_millis(500)).await;
        self.run("select pg_stat_statements_reset()")
    }

    /// Stops counting. What took most in this database: calls, ms in all, µs and rows each, the statement.
    pub fn counted_statements(&self, database: &str) -> Result<Vec<Vec<String>>> {
        let found = self.ask(&format!(
            "select calls, round(total_exec_time::numeric, 1), round(mean_exec_time::numeric * 1000, 1),
               round(rows::numeric / calls, 1), regexp_replace(
                 regexp_replace(query, '\\s+', ' ', 'g'), '^(.{{30}}).*(.{{120}})$', '\\1 … \\2')
             from pg_stat_statements join pg_database on pg_database.oid = dbid
             where datname = '{database}' and calls > 10 order by total_exec_time desc limit 25"
        ))?;
        self.set("pg_stat_statements.track", None)?;
        Ok(found)
    }

    /// Which PostgreSQL it is.
    pub fn version(&self) -> Result<String> {
        let found = self.ask("show server_version")?;
        Ok(found.first().and_then(|row| row.first()).cloned().unwrap_or_default())
    }
}

/// A program of PostgreSQL's, wherever it was installed.
pub fn program(name: &str) -> Command {
    let installed = std::fs::read_dir("/usr/lib/postgresql").ok().into_iter().flatten().flatten();
    let newest =
        installed.map(|entry| entry.path().join("bin").join(name)).filter(|path| path.exists()).max();
    Command::new(newest.as_deref().unwrap_or(Path::new(name)))
}
