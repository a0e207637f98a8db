//! A client, by the contract's rules in their plainest form: it connects through the route table, parses the
//! bytes it is given, keeps rows as JSON, and fails at the first frame that breaks a promise.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use bytes::Bytes;
use futures_util::StreamExt as _;
use serde_json::Value;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::AbortHandle;
use tower_service::Service as _;

use super::tally::Tally;
use super::truth::Whole;
use crate::store::EnvKey;
use crate::tasks::Tasks;

/// What a reader reads.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum Scope {
    Board { limit: usize },
    Details { id: String },
    Log { id: String, offset: usize },
}

/// A connection: a task that takes what the server gives, as many pieces at a time as the reader lets it. What
/// it has begun to take it takes, as a server's own task would.
struct Link {
    taken: mpsc::UnboundedReceiver<Taken>,
    room: Arc<Semaphore>,
    task: AbortHandle,
}

enum Taken {
    Status(StatusCode),
    Bytes(Bytes),
    End,
}

impl Drop for Link {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Where a reader is, as ids say it.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Position {
    pub(super) epoch: String,
    pub(super) event_id: u64,
}

/// What it holds.
#[derive(Default, Debug)]
struct Mirror {
    rows: BTreeMap<String, Value>,
    has_more: bool,
    is_short: bool,
    workflows: BTreeMap<String, Value>,
    counts: Value,
    timeline: Vec<Value>,
    offset: usize,
    text: String,
    done: bool,
}

pub(super) struct Reader {
    pub(super) name: String,
    pub(super) key: EnvKey,
    pub(super) scope: Scope,
    /// Which instance it is connected to.
    pub(super) instance: usize,
    link: Option<Link>,
    buffer: Vec<u8>,
    mirror: Mirror,
    /// Where it is; `None`: it never had a snapshot.
    pub(super) position: Option<Position>,
    /// It had a snapshot on this connection.
    began: bool,
    /// What it told the server to have seen, if that is so.
    claimed: Option<Position>,
    /// The server ended the stream, and why.
    pub(super) ended: Option<String>,
    /// Something came since its state was last compared.
    pub(super) moved: bool,
}

/// What a reader says of where it was.
#[derive(Debug)]
pub(super) enum Claim {
    Nothing,
    Truth,
    /// A text that is no position that it was given.
    Lie(String),
}

impl Reader {
    pub(super) fn new(name: String, key: EnvKey, scope: Scope) -> Self {
        Self {
            name,
            key,
            scope,
            instance: 0,
            link: None,
            buffer: Vec::new(),
            mirror: Mirror::default(),
            position: None,
            began: false,
            claimed: None,
            ended: None,
            moved: false,
        }
    }

    pub(super) fn is_off(&self) -> bool {
        self.link.is_none()
    }

    /// It has a snapshot and may be compared.
    pub(super) fn is_on(&self) -> bool {
        self.link.is_some() && self.began && self.buffer.is_empty()
    }

    /// What it told the server may not be so any more.
    pub(super) fn forget_claim(&mut self) {
        self.claimed = None;
    }

    /// Breaks the connection.
    pub(super) fn leave(&mut self) {
        self.link = None;
    }

    /// Connects. An id beyond the database's own head, which another life of it may have given out, asks for
    /// nothing.
    pub(super) fn connect(
        &mut self,
        instance: usize,
        router: &Router,
        tasks: &Tasks,
        claim: Claim,
        head: u64,
    ) {
        let Self { key, scope, .. } = self;
        let env = format!("/api/v1/tenants/{}/envs/{}", key.tenant, key.env);
        let path = match scope {
            Scope::Board { limit } => format!("{env}/stream?limit={limit}"),
            Scope::Details { id } => format!("{env}/deployments/{id}/stream"),
            Scope::Log { id, offset } => format!("{env}/deployments/{id}/logs/stream?offset={offset}"),
        };
        self.claimed = None;
        let mut request = Request::get(path).header(header::HOST, "localhost");
        match (claim, &self.position) {
            (Claim::Truth, Some(position)) => {
                request =
                    request.header("last-event-id", format!("{}.{}", position.epoch, position.event_id));
                self.claimed = Some(position.clone()).filter(|position| position.event_id <= head);
            }
            (Claim::Lie(text), _) => request = request.header("last-event-id", text),
            _ => {}
        }
        let request = request.body(Body::empty()).unwrap();
        let mut router = router.clone();
        let (take, taken) = mpsc::unbounded_channel();
        let room = Arc::new(Semaphore::new(0));
        let roomy = room.clone();
        let task = tasks.spawn_until_stop(async move {
            let Ok(response) = router.call(request).await;
            let _ = take.send(Taken::Status(response.status()));
            let mut stream = response.into_body().into_data_stream();
            loop {
                roomy.acquire().await.unwrap().forget();
                let Some(bytes) = stream.next().await else { break };
                let _ = take.send(Taken::Bytes(bytes.unwrap()));
            }
            let _ = take.send(Taken::End);
        });
        self.link = Some(Link { taken, room, task });
        self.instance = instance;
        self.began = false;
        self.ended = None;
        self.buffer.clear();
    }

    /// Takes what has come, and lets so many more pieces come.
    pub(super) fn read(&mut self, pieces: usize, tally: &mut Tally) {
        let Some(link) = &mut self.link else { return };
        link.room.forget_permits(usize::MAX);
        link.room.add_permits(pieces);
        while let Some(link) = &mut self.link
            && let Ok(taken) = link.taken.try_recv()
        {
            match taken {
                Taken::Status(StatusCode::OK) => {}
                Taken::Status(StatusCode::NOT_FOUND) if !matches!(self.scope, Scope::Board { .. }) => {
                    self.ended = Some("gone".to_owned());
                    self.link = None;
                }
                Taken::Status(status) => panic!("{}: a stream was answered with {status}", self.name),
                Taken::Bytes(bytes) => {
                    self.buffer.extend_from_slice(&bytes);
                    self.take_blocks(tally);
                }
                Taken::End => {
                    assert!(self.buffer.is_empty(), "{}: a stream ends with a whole block", self.name);
                    assert!(self.ended.is_some(), "{}: a stream ended without a word", self.name);
                    self.link = None;
                }
            }
        }
    }

    fn take_blocks(&mut self, tally: &mut Tally) {
        while let Some(end) = self.buffer.windows(2).position(|pair| pair == b"\n\n") {
            let block: Vec<u8> = self.buffer.drain(..end + 2).collect();
            let block = std::str::from_utf8(&block[..end]).unwrap();
            self.take(block, tally);
        }
    }

    fn take(&mut self, block: &str, tally: &mut Tally) {
        let name = &self.name;
        assert_eq!(self.ended, None, "{name}: nothing follows the end of a stream: {block}");
        let (mut id, mut kind, mut data) = (None, None, None);
        for line in block.lines() {
            match line.split_once(": ") {
                Some(("id", text)) => {
                    let (epoch, event_id) = text.split_once('.').unwrap();
                    id = Some(Position { epoch: epoch.to_owned(), event_id: event_id.parse().unwrap() });
                }
                Some(("event", text)) => kind = Some(text.to_owned()),
                Some(("data", text)) => data = Some(serde_json::from_str::<Value>(text).unwrap()),
                Some(("retry" | "", _)) => {}
                other => panic!("{name}: a line of no block: {other:?}"),
            }
        }
        match (id, kind, data) {
            (None, None, None) => {}
            (Some(id), None, None) => self.beat(id),
            (id, Some(kind), Some(data)) => {
                assert_eq!(data["type"], *kind);
                assert_eq!(
                    (data["tenant_id"].as_str(), data["env_id"].as_str()),
                    (Some(self.key.tenant.as_str()), Some(self.key.env.as_str()))
                );
                let event_id = data["event_id"].as_u64().unwrap();
                if kind == "stream.end" {
                    let reason = data["payload"]["reason"].as_str().unwrap();
                    tally.add(if reason == "gone" { "streams gone" } else { "streams unavailable" });
                    self.ended = Some(reason.to_owned());
                    return;
                }
                let id = id.expect("every event has an id");
                assert_eq!(id.event_id, event_id, "{name}: the envelope's id is the block's");
                if kind == "snapshot" {
                    self.snapshot(id, &data["payload"], tally);
                } else {
                    self.event(&kind, id, &data["payload"]);
                }
                self.moved = true;
            }
            other => panic!("{name}: a block of no kind: {other:?}"),
        }
    }

    /// A bare id: it moves with what was sent, never back and never ahead of it on a board.
    fn beat(&mut self, id: Position) {
        let Self { name, .. } = self;
        assert!(self.began, "{name}: a snapshot is first");
        let held = self.position.as_ref().unwrap();
        if matches!(self.scope, Scope::Log { .. }) {
            return;
        }
        assert_eq!(id.epoch, held.epoch, "{name}: a bare id begins no epoch");
        match self.scope {
            Scope::Board { .. } => {
                assert_eq!(id.event_id, held.event_id, "{name}: a bare id tells nothing new");
            }
            _ => assert!(id.event_id >= held.event_id, "{name}: a bare id goes back"),
        }
        self.position = Some(id);
    }

    fn snapshot(&mut self, id: Position, payload: &Value, tally: &mut Tally) {
        let name = &self.name;
        assert_eq!(payload["epoch"], *id.epoch, "{name}: a snapshot's epoch is its id's");
        let is_log = matches!(self.scope, Scope::Log { .. });
        // Within a connection, and over those where it said where it was, nothing goes back in time.
        let floor = if self.began { self.position.as_ref() } else { self.claimed.as_ref() };
        if let Some(floor) = floor.filter(|floor| floor.epoch == id.epoch && !is_log) {
            assert!(id.event_id >= floor.event_id, "{name}: a snapshot of {id:?} after {floor:?}");
        }
        if self.began {
            tally.add("resyncs");
        }
        if self.position.as_ref().is_some_and(|held| held.epoch != id.epoch) {
            tally.add("epochs seen to change");
        }
        tally.add("snapshots");
        let by_id = |list: &Value| -> BTreeMap<String, Value> {
            let rows = list.as_array().unwrap().iter();
            rows.map(|row| (row["id"].as_str().unwrap().to_owned(), row.clone())).collect()
        };
        self.mirror = Mirror { counts: payload["counts"].clone(), ..Mirror::default() };
        let mirror = &mut self.mirror;
        match &mut self.scope {
            Scope::Board { limit } => {
                assert_eq!(payload["scope"], "deployments");
                mirror.rows = by_id(&payload["deployments"]);
                mirror.has_more = payload["has_more"].as_bool().unwrap();
                mirror.workflows = by_id(&payload["workflows"]);
                assert_eq!(payload["workflows_more"], false);
                assert!(mirror.rows.len() <= *limit, "{name}: more rows than asked for");
                mirror.is_short = mirror.has_more && mirror.rows.len() < *limit;
                let sent: Vec<_> = payload["deployments"].as_array().unwrap().iter().map(key_of).collect();
                assert!(sent.is_sorted_by(|a, b| a > b), "{name}: a snapshot is in order");
            }
            Scope::Details { id } => {
                assert_eq!(payload["scope"], "details");
                mirror.rows.insert(id.clone(), payload["deployment"].clone());
                mirror.timeline = payload["timeline"].as_array().unwrap().clone();
            }
            Scope::Log { offset, .. } => {
                assert_eq!(payload["scope"], "log");
                mirror.offset = payload["offset"].as_u64().unwrap() as usize;
                mirror.text = payload["text"].as_str().unwrap().to_owned();
                mirror.done = payload["done"].as_bool().unwrap();
                *offset = mirror.offset + mirror.text.len();
            }
        }
        self.position = Some(id);
        self.began = true;
    }

    fn event(&mut self, kind: &str, id: Position, payload: &Value) {
        let Self { name, mirror, scope, .. } = self;
        assert!(self.began, "{name}: a snapshot is first, not {kind}");
        let held = self.position.as_ref().unwrap();
        assert_eq!(id.epoch, held.epoch, "{name}: an epoch begins with a snapshot, not with {kind}");
        match scope {
            Scope::Board { .. } => {
                assert_eq!(
                    id.event_id,
                    held.event_id + 1,
                    "{name}: no event is missing and none comes twice"
                );
            }
            Scope::Details { .. } => assert!(id.event_id > held.event_id, "{name}: {id:?} after {held:?}"),
            Scope::Log { .. } => {}
        }
        let of = |row: &Value| row["id"].as_str().unwrap().to_owned();
        match kind {
            "deployment.upsert" => {
                let row = &payload["deployment"];
                if let Scope::Details { id } = scope {
                    assert_eq!(*id, of(row), "{name}: an event of another deployment");
                    mirror.timeline.extend(payload["entries"].as_array().into_iter().flatten().cloned());
                }
                put(mirror, row);
            }
            "deployment.progress" => {
                if let Some(row) = mirror.rows.get_mut(&of(payload)) {
                    row["progress"] = payload["progress"].clone();
                    row["updated_at"] = payload["updated_at"].clone();
                    row["event_id"] = id.event_id.into();
                }
            }
            "deployment.delete" => drop(mirror.rows.remove(&of(payload))),
            "workflow.upsert" => {
                let row = &payload["workflow"];
                if row["latest"].is_null() {
                    mirror.workflows.remove(&of(row));
                } else {
                    mirror.workflows.insert(of(row), row.clone());
                }
            }
            "counts.update" => mirror.counts = payload["counts"].clone(),
            "log.append" => {
                let offset = payload["offset"].as_u64().unwrap() as usize;
                let text = payload["text"].as_str().unwrap();
                assert_eq!(offset, mirror.offset + mirror.text.len(), "{name}: a log goes on where it was");
                mirror.text.push_str(text);
                mirror.done = payload["done"].as_bool().unwrap();
                if let Scope::Log { offset, .. } = scope {
                    *offset = mirror.offset + mirror.text.len();
                }
            }
            other => panic!("{name}: an event of type {other}"),
        }
        self.position = Some(id);
    }

    /// Whether it holds what the env held.
    pub(super) fn agrees(&self, whole: &Whole) -> Result<(), String> {
        let Mirror { rows, has_more, workflows, counts, .. } = &self.mirror;
        match &self.scope {
            Scope::Board { .. } => {
                let newest = whole.newest();
                if rows.len() > newest.len() || (!has_more && rows.len() < newest.len()) {
                    return Err(format!("{} rows of {}, has_more {has_more}", rows.len(), newest.len()));
                }
                for row in &newest[..rows.len()] {
                    let id = row["id"].as_str().unwrap();
                    same(&format!("deployment {id}"), rows.get(id), Some(row))?;
                }
                let ids =
                    |held: &mut dyn Iterator<Item = &String>| held.cloned().collect::<Vec<_>>().join(" ");
                let (held, wanted) = (ids(&mut workflows.keys()), ids(&mut whole.workflows.keys()));
                if held != wanted {
                    return Err(format!("workflows {held}, not {wanted}"));
                }
                for (id, row) in &whole.workflows {
                    same(&format!("workflow {id}"), workflows.get(id), Some(row))?;
                }
                same("counts", Some(counts), Some(&whole.counts))
            }
            Scope::Details { id } => {
                same("the deployment", rows.get(id), whole.deployments.get(id).map(|row| &**row))?;
                same("counts", Some(counts), Some(&whole.counts))
            }
            Scope::Log { .. } => Ok(()),
        }
    }

    /// Its snapshot had fewer rows than asked for and than there were: deletions had used up the reserve.
    pub(super) fn is_short(&self) -> bool {
        self.mirror.is_short
    }

    /// Whether its timeline is this.
    pub(super) fn has_timeline(&self, entries: &[Value]) -> bool {
        self.mirror.timeline == entries
    }

    /// Whether its part of a log is that of this one, to its end.
    pub(super) fn has_log(&self, log: &str, done: bool) -> Result<(), String> {
        let Mirror { offset, text, done: told, .. } = &self.mirror;
        if log.get(*offset..) == Some(text) && *told == done {
            return Ok(());
        }
        Err(format!("from {offset}: {text:?}, done {told}; the log: {log:?}, done {done}"))
    }
}

fn key_of(row: &Value) -> (&str, &str) {
    (row["created_at"].as_str().unwrap(), row["id"].as_str().unwrap())
}

/// A row takes its place. While there are more, what sorts behind all others is not held: it is not known
/// what lies between. One that keeps its place stays.
fn put(mirror: &mut Mirror, row: &Value) {
    let id = row["id"].as_str().unwrap();
    let keeps = mirror.rows.get(id).is_some_and(|held| key_of(held) == key_of(row));
    let held = mirror.rows.remove(id);
    let behind_all = mirror.rows.values().all(|other| key_of(other) > key_of(row));
    if keeps || !mirror.has_more || !behind_all {
        mirror.rows.insert(id.to_owned(), row.clone());
    }
    drop(held);
}

fn same(what: &str, held: Option<&Value>, wanted: Option<&Value>) -> Result<(), String> {
    if held == wanted {
        return Ok(());
    }
    let text = |value: Option<&Value>| value.map_or("nothing".to_owned(), Value::to_string);
    Err(format!("{what} is\n  {}, and should be\n  {}", text(held), text(wanted)))
}
