//! Private PostgreSQL and NATS servers for tests, from Debian's packages: on free ports, in directories of
//! their own, gone with the test that started them, however it ends.
//!
//! Each has a guardian, a shell that starts and stops it when told by a line on its standard input, and that
//! ends it when that input closes. PostgreSQL never runs as root: then it runs as the user `postgres`.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// What a guardian does with the commands it reads. The functions are the service's own.
const GUARD: &str = r#"
trap '' TERM INT HUP
pids() { echo "$pid" $(cat "/proc/$pid/task/$pid/children" 2>/dev/null); }
# The parent first, and until it has stopped, or it could have another child that goes on.
freeze() {
  kill -STOP "$pid"
  until grep -q '^State:.*stopped' "/proc/$pid/status"; do sleep 0.01; done
  kill -STOP $(pids)
}
thaw() { kill -CONT $(pids); }
while read -r command; do
  if $command >>"$directory/log" 2>&1 </dev/null; then echo done; else echo "$command failed"; tail -n 20 "$directory/log"; fi
done
thaw 2>/dev/null; destroy >/dev/null 2>&1
rm -rf "$directory"
"#;

const POSTGRES: &str = r#"
port=$1
bin=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -n 1)
[ -n "$bin" ] && PATH="$bin:$PATH"
directory=$(mktemp -d "${TMPDIR:-/tmp}/shipboard-postgres.XXXXXX")
cd "$directory"
# A cluster is made once and copied: that is ten times as fast. Servers use it as a role that owns the database
# and is no superuser, as it should be everywhere: row level security then holds.
template="${TMPDIR:-/tmp}/shipboard-postgres-owned-template-$(id -u)-$(postgres --version | tr -dc 0-9.)"
create() {
  exec 9>"$template.lock"; flock 9
  if [ ! -d "$template" ]; then
    rm -rf "$template.new"
    initdb --no-sync --auth=trust --username=postgres --encoding=UTF8 --locale=C.UTF-8 --wal-segsize=1 -D "$template.new"
    postgres --single -D "$template.new" postgres <<SQL
create role shipboard login
create database board owner shipboard
SQL
    mv "$template.new" "$template"
  fi
  exec 9>&-
  cp -r "$template" "$directory/data"
  cat >>"$directory/data/postgresql.conf" <<CONF
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
shared_buffers = 16MB
max_connections = 120
fsync = off
CONF
}
start() {
  [ -d data ] || create
  pg_ctl -D data -s -w -t 30 -o "-p $port" start && pid=$(head -n 1 data/postmaster.pid)
}
stop() { pg_ctl -D data -s -w -m fast stop; }
keep() { stop && cp -r data kept && start; }
put_back() { stop && rm -rf data && cp -r kept data && start; }
destroy() { pg_ctl -D data -s -w -m immediate stop; }
"#;

const NATS: &str = r#"
port=$1
PATH="$PATH:/usr/sbin"
directory=$(mktemp -d "${TMPDIR:-/tmp}/shipboard-nats.XXXXXX")
start() {
  nats-server --addr 127.0.0.1 --port "$port" & pid=$!
  until (exec 3<>"/dev/tcp/127.0.0.1/$port"); do kill -0 "$pid" || return 1; sleep 0.02; done
}
stop() { kill -KILL "$pid"; wait "$pid"; true; }
destroy() { stop; }
"#;

/// The same place of a PostgreSQL, as its superuser.
pub fn superuser(url: &str) -> String {
    url.replace("//shipboard@", "//postgres@")
}

/// A server that runs beside the test.
pub struct Service {
    guardian: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    url: String,
}

impl Service {
    /// A PostgreSQL with an empty database.
    pub fn postgres() -> Self {
        Self::start(POSTGRES, "postgres", |port| format!("postgres://shipboard@127.0.0.1:{port}/board"))
    }

    /// A NATS without anything in it.
    pub fn nats() -> Self {
        Self::start(NATS, "nobody", |port| format!("nats://127.0.0.1:{port}"))
    }

    fn start(script: &str, user: &str, url: impl Fn(u16) -> String) -> Self {
        // Between finding a free port and taking it, somebody else may: then another one is found.
        for _ in 0..5 {
            let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            let mut service = Self::guarded(&format!("{script}{GUARD}"), user, port, url(port));
            match service.ask("start") {
                Ok(()) => return service,
                Err(complaint) => eprintln!("{complaint}"),
            }
        }
        panic!("a private server could not be started; see above");
    }

    fn guarded(script: &str, user: &str, port: u16, url: String) -> Self {
        let mut command = Command::new("bash");
        let by = "[ \"$(id -u)\" = 0 ] && exec runuser -u \"$0\" -- bash -c \"$@\"; exec bash -c \"$@\"";
        command.args(["-c", by, user, script, "guardian", &port.to_string()]);
        // In a group of its own: a test runner that ends the test's group leaves the guardian to clean up.
        command.process_group(0).current_dir("/").stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut guardian = command.spawn().expect("bash is there");
        let output = BufReader::new(guardian.stdout.take().unwrap());
        Self { input: guardian.stdin.take(), guardian, output, url }
    }

    /// Where it is reached.
    pub fn url(&self) -> String {
        self.url.clone()
    }

    /// Where PostgreSQL is reached as its superuser, who is shown every tenant's rows.
    pub fn superuser_url(&self) -> String {
        superuser(&self.url)
    }

    /// Tells the guardian what to do, and waits until it is done.
    fn ask(&mut self, command: &str) -> Result<(), String> {
        writeln!(self.input.as_ref().unwrap(), "{command}").map_err(|error| error.to_string())?;
        let mut complaint = String::new();
        while self.output.read_line(&mut complaint).unwrap_or(0) > 0 {
            if complaint == "done\n" {
                return Ok(());
            }
            if complaint.ends_with(" failed\n") {
                // What it printed follows until it is told the next thing: that never comes.
                self.input = None;
            }
        }
        Err(complaint)
    }

    fn tell(&mut self, command: &str) {
        if let Err(complaint) = self.ask(command) {
            panic!("{command}: {complaint}");
        }
    }

    /// Stops it: its connections break.
    pub fn stop(&mut self) {
        self.tell("stop");
    }

    /// Starts it again where it was, with what it had.
    pub fn restart(&mut self) {
        self.tell("start");
    }

    /// Keeps a copy of all it holds, as a backup of its files does: it is stopped for that.
    pub fn keep(&mut self) {
        self.tell("keep");
    }

    /// Puts back what was kept, and starts it.
    pub fn put_back(&mut self) {
        self.tell("put_back");
    }

    /// Stops it in the middle of whatever it does: connections stay, and nothing comes any more.
    pub fn freeze(&mut self) {
        self.tell("freeze");
    }

    /// Lets it go on.
    pub fn thaw(&mut self) {
        self.tell("thaw");
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.input = None;
        let _ = self.guardian.wait();
    }
}
