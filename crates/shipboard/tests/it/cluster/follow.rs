//! Readers that never look away and reporters that never give up: what they saw and were told, and when.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::harness::{Block, Mirror, Server, Stream, board, eventually};
use crate::live::rest;

/// How often each reporter reports. A board shows at most 500 deployments, and these tests want to see all.
const PACE: Duration = Duration::from_millis(100);

/// What a reader has seen.
#[derive(Default)]
pub struct Seen {
    pub mirror: Mirror,
    /// Epoch and event of every snapshot.
    pub snapshots: Vec<(String, u64)>,
    /// When each deployment was first shown, by its external id.
    pub shown: HashMap<String, Instant>,
    /// Heartbeats, and the bare ids that came with them.
    pub beats: Vec<(Instant, String)>,
    /// The `stream.end`.
    pub end: Option<(Instant, Block)>,
    pub is_closed: bool,
}

impl Seen {
    fn take(&mut self, block: &Block) {
        let now = Instant::now();
        match block.event.as_deref() {
            None if block.comment.is_some() => self.beats.push((now, block.id.clone().unwrap())),
            None => {}
            Some("stream.end") => self.end = Some((now, block.clone())),
            Some("snapshot") => {
                self.mirror.apply(block);
                self.snapshots
                    .push((block.payload()["epoch"].as_str().unwrap().to_owned(), block.event_id()));
                for row in self.mirror.deployments.values() {
                    let external_id = row["external_id"].as_str().unwrap().to_owned();
                    self.shown.entry(external_id).or_insert(now);
                }
            }
            Some(_) => {
                self.mirror.apply(block);
                if let Some(external_id) = block.payload()["deployment"]["external_id"].as_str() {
                    self.shown.entry(external_id.to_owned()).or_insert(now);
                }
            }
        }
    }

    /// What a client would come back with.
    pub fn last_event_id(&self) -> String {
        format!("{}.{}", self.snapshots.last().unwrap().0, self.mirror.event_id)
    }
}

/// A reader of a board, always reading.
pub struct Follower {
    seen: Arc<Mutex<Seen>>,
    _reading: JoinSet<()>,
}

impl Follower {
    /// Reads the board of acme/production.
    pub async fn of(server: &Server) -> Self {
        Self::reading(server.stream(&board("/stream?limit=500")).await)
    }

    pub fn reading(mut stream: Stream) -> Self {
        let seen = Arc::new(Mutex::new(Seen::default()));
        let theirs = seen.clone();
        let mut reading = JoinSet::new();
        reading.spawn(async move {
            while let Some(block) = stream.block().await {
                theirs.lock().unwrap().take(&block);
            }
            theirs.lock().unwrap().is_closed = true;
        });
        Self { seen, _reading: reading }
    }

    /// What it has seen. An event that breaks the rules fails here.
    pub fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().expect("every event keeps the rules")
    }

    pub async fn reaches(&self, event_id: u64) {
        eventually("a reader comes to an event", async || {
            (self.seen().mirror.event_id >= event_id).then_some(())
        })
        .await;
    }

    /// It was never closed, and never had to begin anew.
    pub fn was_undisturbed(&self) {
        let seen = self.seen();
        assert!(!seen.is_closed && seen.end.is_none(), "closed: {:?}", seen.end);
        assert_eq!(seen.snapshots.len(), 1);
    }
}

/// A follower on each instance.
pub async fn followers(instances: &[Arc<Server>]) -> Vec<Follower> {
    futures_util::future::join_all(instances.iter().map(|server| Follower::of(server))).await
}

/// Every reader ends with what REST gives.
pub async fn all_end_as_rest_says(followers: &[Follower], server: &Server) -> Mirror {
    let truth = rest(server).await;
    for follower in followers {
        follower.reaches(truth.event_id).await;
        let seen = follower.seen();
        assert_eq!(seen.mirror.event_id, truth.event_id);
        assert_eq!(seen.mirror.deployments, truth.deployments);
        assert_eq!(seen.mirror.workflows, truth.workflows);
        assert_eq!(seen.mirror.counts, truth.counts);
    }
    truth
}

/// What reporters were told.
#[derive(Default)]
pub struct Talk {
    /// External ids of reports that were taken, and when that was answered.
    pub taken: Vec<(String, Instant)>,
    /// How long each 503 took.
    pub refused: Vec<Duration>,
}

impl Talk {
    /// Nothing of it is missing anywhere, and the longest that any of it took from its answer to a reader,
    /// counted from `since` at the earliest.
    pub fn staleness(&self, followers: &[Follower], since: Option<Instant>) -> Duration {
        let mut longest = Duration::ZERO;
        for follower in followers {
            let seen = follower.seen();
            for (external_id, answered) in &self.taken {
                let shown = seen.shown.get(external_id).unwrap_or_else(|| panic!("{external_id} is lost"));
                let from = since.map_or(*answered, |since| since.max(*answered));
                longest = longest.max(shown.saturating_duration_since(from));
            }
        }
        eprintln!("figure: {} reports, each shown everywhere within {longest:?}", self.taken.len());
        longest
    }

    pub fn slowest_refusal(&self) -> Duration {
        let slowest = self.refused.iter().max().copied().unwrap_or_default();
        eprintln!("figure: {} times 503, within {slowest:?}", self.refused.len());
        slowest
    }
}

/// Reporters that report until they are stopped, and repeat what is answered 503.
pub struct Reporters {
    stop: Arc<AtomicBool>,
    talking: JoinSet<Talk>,
}

impl Reporters {
    /// One through each instance.
    pub fn through(instances: &[Arc<Server>]) -> Self {
        let mut reporters = Self { stop: Arc::default(), talking: JoinSet::new() };
        for (n, server) in instances.iter().enumerate() {
            let (requests, stop) = (requests(server), reporters.stop.clone());
            reporters.talking.spawn(talk(requests, format!("reporter-{n}"), stop));
        }
        reporters
    }

    /// Lets them finish what they have begun.
    pub async fn stop(self) -> Talk {
        self.stop.store(true, Ordering::Relaxed);
        let mut all = Talk::default();
        for talk in self.talking.join_all().await {
            all.taken.extend(talk.taken);
            all.refused.extend(talk.refused);
        }
        all
    }
}

/// A way to make reports to a server without holding on to it.
fn requests(server: &Server) -> reqwest::RequestBuilder {
    server.raw(Method::POST, &board("/deployments"))
}

/// Reports until it is told to stop, or the server is gone: then the last report was not answered.
async fn talk(request: reqwest::RequestBuilder, by: String, stop: Arc<AtomicBool>) -> Talk {
    let mut talk = Talk::default();
    for n in 0.. {
        let external_id = format!("{by}-{n}");
        let report = json!({"workflow": format!("workflow-{}", n % 7), "external_id": external_id, "status": "running"});
        loop {
            let began = Instant::now();
            let Ok(response) = request.try_clone().unwrap().json(&report).send().await else { return talk };
            if response.status().is_success() {
                talk.taken.push((external_id, Instant::now()));
                break;
            }
            talk.refused.push(began.elapsed());
            assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
            assert_eq!(response.headers()["content-type"], "application/problem+json");
            tokio::time::sleep(PACE).await;
        }
        if stop.load(Ordering::Relaxed) {
            break;
        }
        tokio::time::sleep(PACE).await;
    }
    talk
}
