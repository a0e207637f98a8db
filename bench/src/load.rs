//! The load: reporters that tell of one deployment after the other, each on a connection of its own, and
//! each report only when the one before it was answered.
//!
//! A life is three reports: POST queued with version, commit and actor, PATCH running, PATCH success.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use crate::Result;
use crate::connection::{Connection, Door, text_after};

/// How many workflows take turns.
pub const WORKFLOWS: usize = 20;
/// How many reporters report at once.
pub const REPORTERS: usize = 64;
/// The tenant of everything.
pub const TENANT: &str = "bench";

/// Who reports what, where.
#[derive(Clone)]
pub struct Load {
    door: Door,
    env: String,
    lives: Arc<AtomicUsize>,
}

/// What a load came to.
#[derive(Default)]
pub struct Done {
    /// How long each report took from being sent to being answered.
    pub answers: Vec<Duration>,
    /// From the first report to the last answer.
    pub took: Duration,
}

impl Load {
    /// A load on one env.
    pub fn on(door: &Door, env: &str) -> Self {
        Self { door: door.clone(), env: env.to_owned(), lives: Arc::default() }
    }

    /// Reports from that many reporters for a time.
    pub async fn run(&self, reporters: usize, time: Duration) -> Result<Done> {
        let start = Instant::now();
        self.all(reporters, move |_| start.elapsed() < time).await
    }

    /// Lives that many lives, one after the other.
    pub async fn live(&self, lives: usize) -> Result<Done> {
        self.all(1, move |lived| lived < lives).await
    }

    async fn all(
        &self,
        reporters: usize,
        more: impl Fn(usize) -> bool + Clone + Send + 'static,
    ) -> Result<Done> {
        let start = Instant::now();
        let mut running = JoinSet::new();
        for _ in 0..reporters {
            let (load, more) = (self.clone(), more.clone());
            running.spawn(async move {
                let mut reporter = Reporter::open(&load).await?;
                let mut answers = Vec::with_capacity(16_384);
                let mut lived = 0;
                while more(lived) {
                    reporter.life(&mut answers).await?;
                    lived += 1;
                }
                Ok::<_, crate::Error>(answers)
            });
        }
        let mut done = Done::default();
        while let Some(answers) = running.join_next().await {
            done.answers.extend(answers??);
        }
        done.took = start.elapsed();
        Ok(done)
    }
}

/// One who reports.
pub struct Reporter {
    connection: Connection,
    load: Load,
}

impl Reporter {
    /// Connects.
    pub async fn open(load: &Load) -> Result<Self> {
        Ok(Self { connection: Connection::open(&load.door).await?, load: load.clone() })
    }

    async fn life(&mut self, answers: &mut Vec<Duration>) -> Result<()> {
        let mut life = self.begin();
        while let Some(report) = life.next(&self.connection) {
            let sent = Instant::now();
            self.tell(&mut life, &report).await?;
            answers.push(sent.elapsed());
        }
        Ok(())
    }

    /// The next deployment to tell of.
    pub fn begin(&self) -> Life {
        Life::new(&self.load.env, self.load.lives.fetch_add(1, Ordering::Relaxed))
    }

    /// Sends a report of a life; gives the env's head after it.
    pub async fn tell(&mut self, life: &mut Life, report: &[u8]) -> Result<u64> {
        let answer = self.connection.send(report).await?;
        if !matches!(answer.status, 200 | 201) {
            let body = String::from_utf8_lossy(answer.body);
            return Err(format!("a report was answered with {}: {body}", answer.status).into());
        }
        if life.id.is_empty() {
            text_after(answer.body, "\"id\":\"").ok_or("an answer without an id")?.clone_into(&mut life.id);
        }
        let head = answer.body.rsplit(|byte| *byte == b':').next().unwrap_or_default();
        Ok(std::str::from_utf8(head)?.trim_end_matches(['}', '\n']).parse()?)
    }

    /// The connection, to write requests for.
    pub fn connection(&self) -> &Connection {
        &self.connection
    }
}

/// A deployment as its reporter sees it.
pub struct Life {
    path: String,
    n: usize,
    told: usize,
    /// Its id; empty until it is known.
    pub id: String,
}

impl Life {
    fn new(env: &str, n: usize) -> Self {
        let path = format!("/api/v1/tenants/{TENANT}/envs/{env}/deployments");
        Self { path, n, told: 0, id: String::new() }
    }

    /// The id that its source gives it.
    pub fn external_id(&self) -> String {
        format!("run-{:08}", self.n)
    }

    /// The next report, if it has one left.
    pub fn next(&mut self, connection: &Connection) -> Option<Vec<u8>> {
        self.told += 1;
        let known = || format!("{}/{}", self.path, self.id);
        match self.told {
            1 => Some(connection.request("POST", &self.path, &self.first())),
            2 => Some(connection.request("PATCH", &known(), r#"{"status":"running"}"#)),
            3 => Some(connection.request("PATCH", &known(), r#"{"status":"success"}"#)),
            _ => None,
        }
    }

    fn first(&self) -> String {
        let (n, workflow, minor) = (self.n, self.n % WORKFLOWS, self.n / WORKFLOWS);
        let (external_id, sha) =
            (self.external_id(), format!("{:040x}", self.n as u128 * 0x9e37_79b9_7f4a_7c15));
        format!(
            r#"{{"external_id":"{external_id}","source":"ci","workflow":"workflow-{workflow}","status":"queued","version":"1.{minor}.0","commit":{{"sha":"{sha}","ref":"main","message":"Change number {n}: keep the cart when a session expires","author":"Ada"}},"actor":"ada","url":"https://ci.example.com/runs/{n}"}}"#
        )
    }
}
