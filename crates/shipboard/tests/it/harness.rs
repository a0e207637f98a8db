//! The one harness: starts the built binary on a free port, speaks to it, and reads its streams.
//!
//! Nothing here sleeps to be safe: whatever is awaited is a condition, with one poller and one patience.

use std::collections::VecDeque;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

/// How long anything may take before the test gives up on it.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// A running server, killed when dropped.
pub struct Server {
    child: Child,
    pub url: String,
    directory: tempfile::TempDir,
    database: String,
    args: Vec<String>,
    client: reqwest::Client,
    token: Option<String>,
    said: Said,
}

/// What a server has said on standard error.
type Said = Arc<Mutex<Vec<String>>>;

impl Server {
    /// A server with a new database.
    pub fn start() -> Self {
        Self::with(&[])
    }

    /// The same, with more flags.
    pub fn with(args: &[&str]) -> Self {
        Self::by(binary(), args)
    }

    /// A server whose disk is full as soon as a file of its has this many KiB.
    pub fn with_full_disk_at(kib: u32) -> Self {
        let mut shell = Command::new("bash");
        let limited = format!("trap '' XFSZ; ulimit -f {kib}; exec \"$0\" \"$@\"");
        shell.args(["-c", &limited, env!("CARGO_BIN_EXE_shipboard")]);
        Self::by(shell, &[])
    }

    fn by(command: Command, args: &[&str]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let database = format!("sqlite:{}", directory.path().join("board.db").display());
        Self::on(command, directory, database, args)
    }

    /// A server that listens elsewhere than most tests' do.
    pub fn at(listen: &str, args: &[&str]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let database = format!("sqlite:{}", directory.path().join("board.db").display());
        Self::listening(binary(), directory, database, listen, args)
    }

    /// One of the instances that share a database, with more flags.
    pub fn instance(database: &str, args: &[&str]) -> Self {
        Self::on(binary(), tempfile::tempdir().unwrap(), database.to_owned(), args)
    }

    /// A server that logs all it can, with a new database unless one is named, and with more variables.
    pub fn verbose(database: Option<&str>, args: &[&str], variables: &[(&str, &str)]) -> Self {
        let mut command = binary();
        command.env("RUST_LOG", "trace,async_nats::connector=trace").envs(variables.iter().copied());
        match database {
            None => Self::by(command, args),
            Some(database) => Self::on(command, tempfile::tempdir().unwrap(), database.to_owned(), args),
        }
    }

    fn on(command: Command, directory: tempfile::TempDir, database: String, args: &[&str]) -> Self {
        Self::listening(command, directory, database, "127.0.0.1:0", args)
    }

    fn listening(
        command: Command,
        directory: tempfile::TempDir,
        database: String,
        listen: &str,
        args: &[&str],
    ) -> Self {
        let mut all = vec!["--database".to_owned(), database.clone()];
        all.extend(args.iter().map(|arg| (*arg).to_owned()));
        let said = Said::default();
        let (child, url) = spawn(command, directory.path(), &all, listen, &said);
        Self { child, url, directory, database, args: all, client: client(), token: None, said }
    }

    /// Where it listens.
    pub fn address(&self) -> &str {
        self.url.split_once("://").unwrap().1
    }

    pub fn database(&self) -> String {
        self.database.clone()
    }

    /// The lines of its own log.
    pub fn said(&self) -> Vec<String> {
        self.said.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whoever asks from now on shows this token.
    pub fn sign_in(&mut self, token: &str) {
        self.token = Some(token.to_owned());
    }

    /// kill -9.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Starts again where it was killed or stopped: same address, same database.
    pub fn restart(&mut self) {
        let address = self.address().to_owned();
        let (child, url) = spawn(binary(), self.directory.path(), &self.args, &address, &self.said);
        self.child = child;
        // Connections to the one that was killed are of no use any more.
        self.client = client();
        assert_eq!(url, self.url);
    }

    pub fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id() as i32), signal).unwrap();
    }

    /// Waits for the process to end by itself.
    pub async fn ended(&mut self) -> std::process::ExitStatus {
        eventually("the server ends", async || self.child.try_wait().unwrap()).await
    }

    /// Waits for the process to end, and gives all it has said.
    pub async fn last_words(&mut self) -> Vec<String> {
        self.ended().await;
        // Whoever listens holds what was said as long as there may be more.
        eventually("the last word is heard", async || (Arc::strong_count(&self.said) == 1).then_some(()))
            .await;
        self.said()
    }

    /// The files of its own database, one after the other.
    pub fn database_bytes(&self) -> Vec<u8> {
        let files = std::fs::read_dir(self.directory.path()).unwrap().map(|entry| entry.unwrap().path());
        files.flat_map(|file| std::fs::read(file).unwrap()).collect()
    }

    /// Recounts the database with `shipboard check`: all has to agree.
    pub fn check(&self) {
        let (found, succeeded) = self.checked();
        assert!(succeeded, "{found}");
    }

    /// What `shipboard check` prints, and whether it found all in order.
    pub fn checked(&self) -> (String, bool) {
        let output = binary().args(["check", "--database", &self.database()]).output().unwrap();
        (String::from_utf8(output.stdout).unwrap(), output.status.success())
    }

    /// Resident memory in KiB.
    pub fn resident_kib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let request = self.client.request(method, format!("{}{path}", self.url));
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    pub async fn send(&self, method: Method, path: &str, body: &Value) -> (StatusCode, Value) {
        answer(self.request(method, path).json(body)).await
    }

    pub async fn get(&self, path: &str) -> Value {
        let (status, body) = answer(self.request(Method::GET, path)).await;
        assert_eq!(status, StatusCode::OK, "{path}: {body}");
        body
    }

    pub async fn get_status(&self, path: &str) -> StatusCode {
        answer(self.request(Method::GET, path)).await.0
    }

    pub async fn delete(&self, path: &str) -> StatusCode {
        answer(self.request(Method::DELETE, path)).await.0
    }

    pub async fn text(&self, path: &str) -> String {
        self.request(Method::GET, path).send().await.unwrap().text().await.unwrap()
    }

    pub fn raw(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.request(method, path)
    }

    /// Posts a report to acme/production and gives the row; it has to be taken.
    pub async fn report(&self, body: Value) -> Value {
        let (status, body) = self.send(Method::POST, &board("/deployments"), &body).await;
        assert!(status.is_success(), "{status}: {body}");
        body["deployment"].clone()
    }

    /// Reports on a known deployment of acme/production; it has to be taken.
    pub async fn update(&self, id: &str, body: Value) -> Value {
        let (status, body) = self.send(Method::PATCH, &board(&format!("/deployments/{id}")), &body).await;
        assert!(status.is_success(), "{status}: {body}");
        body["deployment"].clone()
    }

    pub async fn stream(&self, path: &str) -> Stream {
        Stream::open(self.request(Method::GET, path)).await
    }

    /// A stream on a connection of its own.
    pub async fn stream_on_a_new_connection(&self, path: &str) -> Stream {
        Stream::open(client().get(format!("{}{path}", self.url))).await
    }

    /// A stream that was connected before and has seen this id.
    pub async fn stream_after(&self, path: &str, last_event_id: &str) -> Stream {
        Stream::open(self.request(Method::GET, path).header("last-event-id", last_event_id)).await
    }

    /// The value of a metric, by its name with labels; 0 if it is not there.
    pub async fn metric(&self, series: &str) -> u64 {
        let text = self.text("/metrics").await;
        let line =
            text.lines().find(|line| line.strip_prefix(series).is_some_and(|rest| rest.starts_with(' ')));
        line.map_or(0, |line| line.rsplit(' ').next().unwrap().parse().unwrap())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A path of the board that most tests use.
pub fn board(path: &str) -> String {
    format!("/api/v1/tenants/acme/envs/production{path}")
}

fn spawn(
    mut command: Command,
    directory: &Path,
    args: &[String],
    listen: &str,
    said: &Said,
) -> (Child, String) {
    let mut child = command
        .current_dir(directory)
        .args(["serve", "--listen", listen])
        .args(args)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let mut heard = Vec::new();
    let url = loop {
        let Some(Ok(line)) = lines.next() else { panic!("the server did not start: {heard:#?}") };
        match line.strip_prefix("listening on ") {
            Some(url) => break url.to_owned(),
            None => heard.push(line),
        }
    };
    said.lock().unwrap_or_else(PoisonError::into_inner).extend(heard);
    // What it says later is shown with the test's own output, and its pipe never fills.
    let said = said.clone();
    std::thread::spawn(move || {
        lines.map_while(Result::ok).for_each(|line| {
            eprintln!("server: {line}");
            said.lock().unwrap_or_else(PoisonError::into_inner).push(line);
        });
    });
    (child, url)
}

/// The built binary, with nothing of this environment's own configuration.
pub fn binary() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_shipboard"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("SHIPBOARD_")) {
        command.env_remove(name);
    }
    command
}

fn client() -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    // Certificates of these tests are nobody's.
    reqwest::Client::builder().no_proxy().tls_danger_accept_invalid_certs(true).build().unwrap()
}

async fn answer(request: reqwest::RequestBuilder) -> (StatusCode, Value) {
    let response = request.send().await.unwrap();
    let status = response.status();
    let bytes = response.bytes().await.unwrap();
    let body = serde_json::from_slice(&bytes).unwrap_or_else(|_| json!(String::from_utf8_lossy(&bytes)));
    (status, body)
}

/// Polls until there is something; panics when patience is over.
pub async fn eventually<T>(what: &str, mut check: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    loop {
        if let Some(found) = check().await {
            return found;
        }
        assert!(tokio::time::Instant::now() < deadline, "waited {PATIENCE:?} in vain: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// One block of a stream.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Block {
    pub id: Option<String>,
    pub event: Option<String>,
    pub data: Option<Value>,
    pub retry: Option<u64>,
    pub comment: Option<String>,
}

impl Block {
    pub fn event_id(&self) -> u64 {
        self.data.as_ref().unwrap()["event_id"].as_u64().unwrap()
    }

    pub fn is(&self, event: &str) -> bool {
        self.event.as_deref() == Some(event)
    }

    pub fn payload(&self) -> &Value {
        &self.data.as_ref().unwrap()["payload"]
    }
}

/// An open stream, read block by block.
pub struct Stream {
    response: reqwest::Response,
    buffer: String,
    blocks: VecDeque<Block>,
    pub status: StatusCode,
}

impl Stream {
    pub async fn open(request: reqwest::RequestBuilder) -> Self {
        let response = request.header("accept", "text/event-stream").send().await.unwrap();
        let status = response.status();
        Self { response, buffer: String::new(), blocks: VecDeque::new(), status }
    }

    pub fn header(&self, name: &str) -> &str {
        self.response.headers().get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The next block, whatever it is; `None`: the stream has ended.
    pub async fn block(&mut self) -> Option<Block> {
        loop {
            if let Some(block) = self.blocks.pop_front() {
                return Some(block);
            }
            let chunk = tokio::time::timeout(PATIENCE, self.response.chunk()).await.expect("a block in time");
            let chunk = chunk.ok().flatten()?;
            self.buffer
                .push_str(std::str::from_utf8(&chunk).expect("frames are cut at letters in these tests"));
            while let Some(end) = self.buffer.find("\n\n") {
                let text: String = self.buffer.drain(..end + 2).collect();
                self.blocks.push_back(parse(&text));
            }
        }
    }

    /// The next block with an event, heartbeats passed over.
    pub async fn next(&mut self) -> Block {
        loop {
            let block = self.block().await.expect("the stream goes on");
            if block.event.is_some() {
                return block;
            }
        }
    }

    pub async fn next_of(&mut self, event: &str) -> Block {
        loop {
            let block = self.next().await;
            if block.is(event) {
                return block;
            }
        }
    }
}

fn parse(text: &str) -> Block {
    let mut block = Block::default();
    for line in text.lines() {
        match line.split_once(": ") {
            Some(("id", id)) => block.id = Some(id.to_owned()),
            Some(("event", event)) => block.event = Some(event.to_owned()),
            Some(("data", data)) => block.data = Some(serde_json::from_str(data).unwrap()),
            Some(("retry", retry)) => block.retry = Some(retry.parse().unwrap()),
            Some(("", comment)) => block.comment = Some(comment.to_owned()),
            _ => assert!(line.is_empty(), "an unexpected line in a stream: {line:?}"),
        }
    }
    block
}

/// A board as a client holds it, kept by the contract's rules in their plainest form. What it ends as
/// is compared with what REST gives.
#[derive(Default)]
pub struct Mirror {
    pub event_id: u64,
    pub deployments: std::collections::BTreeMap<String, Value>,
    pub workflows: std::collections::BTreeMap<String, Value>,
    pub counts: Value,
}

impl Mirror {
    pub fn apply(&mut self, block: &Block) {
        let payload = block.payload();
        if block.is("snapshot") {
            let by_id = |rows: &Value| {
                let rows = rows.as_array().unwrap().iter();
                rows.map(|row| (row["id"].as_str().unwrap().to_owned(), row.clone())).collect()
            };
            self.deployments = by_id(&payload["deployments"]);
            self.workflows = by_id(&payload["workflows"]);
            self.counts = payload["counts"].clone();
            self.event_id = block.event_id();
            return;
        }
        assert_eq!(block.event_id(), self.event_id + 1, "ids after a snapshot are consecutive");
        self.event_id = block.event_id();
        let id = |value: &Value| value.as_str().unwrap().to_owned();
        match block.event.as_deref().unwrap() {
            "deployment.upsert" => {
                self.deployments.insert(id(&payload["deployment"]["id"]), payload["deployment"].clone());
            }
            "deployment.progress" => {
                let row = self.deployments.get_mut(payload["id"].as_str().unwrap()).unwrap();
                row["progress"] = payload["progress"].clone();
                row["updated_at"] = payload["updated_at"].clone();
                row["event_id"] = json!(block.event_id());
            }
            "deployment.delete" => {
                self.deployments.remove(payload["id"].as_str().unwrap());
            }
            "workflow.upsert" if payload["workflow"]["latest"].is_null() => {
                self.workflows.remove(payload["workflow"]["id"].as_str().unwrap());
            }
            "workflow.upsert" => {
                self.workflows.insert(id(&payload["workflow"]["id"]), payload["workflow"].clone());
            }
            "counts.update" => self.counts = payload["counts"].clone(),
            other => panic!("an event that nobody knows: {other}"),
        }
    }
}
