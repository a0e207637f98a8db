//! Blocks of the event stream, as bytes. Each event is encoded once per scope kind, and each snapshot
//! once per version; only a snapshot's first line is each reader's own, for it tells the time.

use std::io::Write as _;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use serde::Serialize;
use shipboard_core::counts::Counts;
use shipboard_core::event::{
    Change, DeploymentDelete, DeploymentRow, DeploymentUpsert, EndReason, Envelope, Event, LogAppend,
    StreamEnd, TimelineEntry, WorkflowRow,
};
use shipboard_core::id::{DeploymentId, Epoch, EventId};
use shipboard_core::time::Timestamp;

use super::ring::{Part, Transaction};
use crate::store::EnvKey;

/// Encodes a transaction's events for both kinds of readers.
pub(super) fn transaction(key: &EnvKey, epoch: &Epoch, events: Vec<Event>) -> Option<Transaction> {
    let (first, last) = (events.first()?.event_id, events.last()?.event_id);
    let mut list = Vec::with_capacity(events.len() * 1_024);
    let mut pieces = Vec::with_capacity(events.len());
    for event in &events {
        let start = list.len();
        match &event.change {
            Change::DeploymentUpsert(upsert) if !upsert.entries.is_empty() => {
                let deployment = upsert.deployment.clone();
                let row = Change::DeploymentUpsert(DeploymentUpsert { deployment, entries: Vec::new() });
                block(&mut list, key, epoch, event, &row);
                let mut fuller = Vec::with_capacity(2_048);
                block(&mut fuller, key, epoch, event, &event.change);
                pieces.push((start..list.len(), Some(Bytes::from(fuller))));
            }
            change => {
                block(&mut list, key, epoch, event, change);
                pieces.push((start..list.len(), None));
            }
        }
        metrics::counter!("shipboard_encodes_total", "what" => "event").increment(1);
    }
    let list = Bytes::from(list);
    let parts = events.into_iter().zip(pieces);
    let parts = parts.map(|(event, (range, fuller))| Part { event, plain: list.slice(range), fuller });
    let parts: Vec<Part> = parts.collect();
    // A row takes about as much again as a value; a fuller block comes on top of the list's.
    let bytes = list.len()
        + parts.iter().map(|part| part.fuller.as_ref().unwrap_or(&part.plain).len()).sum::<usize>();
    Some(Transaction { first, last, list, parts, bytes, committed: std::time::Instant::now() })
}

fn block(out: &mut Vec<u8>, key: &EnvKey, epoch: &Epoch, event: &Event, change: &Change) {
    let head = Head { key, event_id: event.event_id, ts: event.ts, kind: change.type_name() };
    match change {
        Change::DeploymentUpsert(payload) => head.write(out, Some(epoch), payload),
        Change::DeploymentProgress(payload) => head.write(out, Some(epoch), payload),
        Change::DeploymentDelete(payload) => head.write(out, Some(epoch), payload),
        Change::WorkflowUpsert(payload) => head.write(out, Some(epoch), payload),
        Change::CountsUpdate(payload) => head.write(out, Some(epoch), payload),
    }
}

/// What every envelope begins with.
struct Head<'a> {
    key: &'a EnvKey,
    event_id: EventId,
    ts: Timestamp,
    kind: &'a str,
}

impl Head<'_> {
    fn write<P: Serialize>(&self, out: &mut Vec<u8>, epoch: Option<&Epoch>, payload: &P) {
        if let Some(epoch) = epoch {
            let _ = writeln!(out, "id: {epoch}.{}", self.event_id);
        }
        let _ = write!(out, "event: {}\ndata: ", self.kind);
        let envelope = Envelope {
            event_id: self.event_id,
            kind: self.kind,
            tenant_id: &self.key.tenant,
            env_id: &self.key.env,
            ts: self.ts,
            payload,
        };
        // Writing plain structs to memory cannot fail.
        let _ = serde_json::to_writer(&mut *out, &envelope);
        out.extend_from_slice(b"\n\n");
    }
}

/// A snapshot's state: everything but the line that tells the time.
#[derive(Serialize)]
pub(super) struct DeploymentsState<'a> {
    pub(super) counts: Counts,
    pub(super) deployments: &'a [Arc<DeploymentRow>],
    pub(super) has_more: bool,
    pub(super) workflows: &'a [Arc<WorkflowRow>],
    pub(super) workflows_more: bool,
}

/// The same of one deployment.
#[derive(Serialize)]
pub(super) struct DetailsState<'a> {
    pub(super) deployment: &'a DeploymentRow,
    pub(super) timeline: &'a std::collections::VecDeque<TimelineEntry>,
    pub(super) timeline_more: bool,
    pub(super) counts: Counts,
}

/// The same of a log.
#[derive(Serialize)]
pub(super) struct LogState<'a> {
    pub(super) id: DeploymentId,
    pub(super) offset: u64,
    pub(super) text: &'a str,
    pub(super) done: bool,
}

/// Encodes a snapshot's shared part: the rest of the payload, the end of the envelope and of the block.
pub(super) fn snapshot_state(state: &impl Serialize) -> Bytes {
    metrics::counter!("shipboard_encodes_total", "what" => "snapshot").increment(1);
    let mut out = serde_json::to_vec(state).unwrap_or_default();
    out.extend_from_slice(b"}\n\n");
    // Without the opening brace, for it follows a payload begun by `snapshot_head`.
    Bytes::from(out).slice(1..)
}

/// Encodes a snapshot's own part, up to where the shared one begins.
pub(super) fn snapshot_head(
    key: &EnvKey,
    epoch: &Epoch,
    event_id: EventId,
    scope: &str,
    now: Timestamp,
) -> Bytes {
    let mut out = BytesMut::with_capacity(256).to_vec();
    let _ = write!(
        out,
        "id: {epoch}.{event_id}\nevent: snapshot\ndata: {{\"event_id\":{event_id},\"type\":\"snapshot\",\
         \"tenant_id\":\"{}\",\"env_id\":\"{}\",\"ts\":\"{now}\",\"payload\":{{\"scope\":\"{scope}\",\
         \"epoch\":\"{epoch}\",\"server_time\":\"{now}\",",
        key.tenant, key.env,
    );
    Bytes::from(out)
}

/// Encodes more of a log.
pub(super) fn log_append(
    key: &EnvKey,
    epoch: &Epoch,
    event_id: EventId,
    ts: Timestamp,
    append: &LogAppend,
) -> Bytes {
    let mut out = Vec::with_capacity(append.text.len() + 256);
    Head { key, event_id, ts, kind: "log.append" }.write(&mut out, Some(epoch), append);
    Bytes::from(out)
}

/// Encodes that a deployment is gone, for a reader that missed when it went.
pub(super) fn deployment_delete(
    key: &EnvKey,
    epoch: &Epoch,
    event_id: EventId,
    ts: Timestamp,
    id: DeploymentId,
) -> Bytes {
    let mut out = Vec::with_capacity(256);
    let kind = "deployment.delete";
    Head { key, event_id, ts, kind }.write(&mut out, Some(epoch), &DeploymentDelete { id });
    Bytes::from(out)
}

/// Encodes the last block of a stream, without an id.
pub fn stream_end(key: &EnvKey, event_id: EventId, ts: Timestamp, reason: EndReason, retry_ms: u64) -> Bytes {
    let mut out = Vec::with_capacity(256);
    let head = Head { key, event_id, ts, kind: "stream.end" };
    head.write(&mut out, None, &StreamEnd { reason, retry_ms });
    Bytes::from(out)
}

/// A comment, and a block that moves the id and fires nothing.
pub fn heartbeat(id: &str) -> Bytes {
    Bytes::from(format!(": heartbeat\nid: {id}\n\n"))
}

/// The line that gives a block its id.
pub fn id_line(id: &str) -> Bytes {
    Bytes::from(format!("id: {id}\n"))
}

/// A block without the line that gives it its id, which is its first if it has one.
pub fn without_id(block: &Bytes) -> Bytes {
    match block.iter().position(|byte| *byte == b'\n') {
        Some(end) if block.starts_with(b"id: ") => block.slice(end + 1..),
        _ => block.clone(),
    }
}

/// The first line of a stream: when to come back if it breaks.
pub fn retry(retry_ms: u64) -> Bytes {
    Bytes::from(format!("retry: {retry_ms}\n\n"))
}
