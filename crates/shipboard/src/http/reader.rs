//! One open stream: its channels, and how it lives and ends.
//!
//! A reader makes blocks, and whoever owns the socket writes them. Nothing is queued for it, and it has
//! no timer of its own while all is well.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::{select_all, try_join_all};
use shipboard_core::event::EndReason;
use shipboard_core::id::{Position, Slug};
use tokio::sync::watch;
use tokio::time::Instant;

use super::channel::{Advance, Channel, Scope, Unable};
use crate::access::{Caller, Lapse};
use crate::app::App;
use crate::board::{self, Block};
use crate::clock;
use crate::limits::Permit;
use crate::store::EnvKey;

/// When a client comes back after a break, before jitter.
const RETRY_MS: u64 = 2_000;

/// What a stream is asked to carry.
#[derive(Debug)]
pub(super) struct Wanted {
    pub(super) envs: Vec<(EnvKey, Vec<Scope>)>,
    /// It has the address of several scopes: its ids name their envs.
    pub(super) is_shared: bool,
}

impl Wanted {
    /// One scope, at the address of its own.
    pub(super) fn alone(key: EnvKey, scope: Scope) -> Self {
        Self { envs: vec![(key, vec![scope])], is_shared: false }
    }

    /// One more, if it is not wanted yet.
    pub(super) fn add(&mut self, key: EnvKey, scope: Scope) {
        match self.envs.iter_mut().find(|(known, _)| *known == key) {
            Some((_, scopes)) if scopes.contains(&scope) => {}
            Some((_, scopes)) => scopes.push(scope),
            None => self.envs.push((key, vec![scope])),
        }
    }

    /// What the stream is called in metrics.
    pub(super) fn name(&self) -> &'static str {
        match self.envs.as_slice() {
            [(_, scopes)] if !self.is_shared => scopes.first().map_or("", Scope::name),
            _ => "shared",
        }
    }
}

/// One open stream.
pub(super) struct Reader {
    app: Arc<App>,
    caller: Caller,
    channels: Vec<Channel>,
    is_shared: bool,
    _permit: Permit,
    gauge: metrics::Gauge,
    beats: watch::Receiver<u64>,
    /// Which channel is looked at next.
    turn: usize,
    /// When the stream ends for its age, or because the server drains.
    ends_at: Option<Instant>,
    draining: bool,
    /// Blocks made and not yet written.
    pub(super) ready: VecDeque<Bytes>,
    ended: bool,
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.gauge.decrement(1);
        if !self.ended {
            metrics::counter!("shipboard_streams_ended_total", "reason" => "left").increment(1);
        }
    }
}

/// When a client comes back, jittered so that many do not come together.
pub(super) fn retry_ms() -> u64 {
    clock::between(RETRY_MS / 2, RETRY_MS * 3 / 2)
}

impl Reader {
    /// Opens every env's board and makes the snapshots, given what was `reached` of each. `None`: one of the
    /// deployments is not there.
    pub(super) async fn open(
        app: Arc<App>,
        caller: Caller,
        wanted: Wanted,
        permit: Permit,
        reached: impl Fn(&Slug) -> Option<Position>,
    ) -> Result<Option<Self>, Unable> {
        let (name, is_shared) = (wanted.name(), wanted.is_shared);
        // Before the snapshots: a heartbeat that is due while they are made is not missed.
        let mut beats = app.heartbeat();
        beats.mark_unchanged();
        let opening = wanted.envs.into_iter().map(|(key, scopes)| {
            let (app, reached) = (&app, reached(&key.env));
            async move { Channel::open(app, key, scopes, reached.as_ref(), is_shared).await }
        });
        let opened = try_join_all(opening).await?;
        let Some(opened) = opened.into_iter().collect::<Option<Vec<_>>>() else { return Ok(None) };
        let (channels, blocks): (Vec<_>, Vec<_>) = opened.into_iter().unzip();
        let gauge = metrics::gauge!("shipboard_streams_open", "scope" => name);
        gauge.increment(1);
        let age = app.config.max_stream_age.as_millis() as u64;
        let ends_at =
            (age > 0).then(|| Instant::now() + Duration::from_millis(clock::between(age * 4 / 5, age)));
        let mut reader = Self {
            app,
            caller,
            channels,
            is_shared,
            _permit: permit,
            gauge,
            beats,
            turn: 0,
            ends_at,
            draining: false,
            ready: VecDeque::from([board::retry(retry_ms())]),
            ended: false,
        };
        for (at, blocks) in blocks.into_iter().enumerate() {
            reader.tell(at, blocks);
        }
        Ok(Some(reader))
    }

    /// Waits until there are blocks to write. False: the stream is over.
    pub(super) async fn fill(&mut self) -> bool {
        loop {
            if !self.ready.is_empty() {
                return true;
            }
            if self.ended {
                return false;
            }
            // Asked before what is new: on a busy board a slow reader always finds something.
            if self.beats.has_changed().unwrap_or(false) {
                self.beats.mark_unchanged();
                self.beat();
                continue;
            }
            if self.app.draining.is_cancelled() && !self.draining {
                self.drain();
            }
            if self.draining && self.ends_at.is_some_and(|ends_at| ends_at <= Instant::now()) {
                self.end(EndReason::Drain);
            }
            if self.ended || self.advance().await {
                continue;
            }
            let (ends_at, draining) = (self.ends_at, self.draining);
            let app = self.app.clone();
            let beats = self.beats.clone();
            tokio::select! {
                changed = self.changed() => if !changed { self.end(EndReason::Unavailable) },
                // A heartbeat is left unseen, and found above.
                () = beat(beats) => {}
                () = app.draining.cancelled(), if !draining => {}
                () = until(ends_at), if draining => {}
            }
        }
    }

    /// Waits until one of the boards has something. False: one is not there any more.
    async fn changed(&mut self) -> bool {
        match self.channels.as_mut_slice() {
            [only] => only.changes.changed().await.is_ok(),
            // Boxed: of those who wait, most wait for one.
            channels => {
                let all = channels.iter_mut().map(|channel| Box::pin(channel.changes.changed()));
                Box::pin(select_all(all)).await.0.is_ok()
            }
        }
    }

    /// Makes blocks of what is new on one of the boards; they take turns. False: there is nothing new.
    async fn advance(&mut self) -> bool {
        for _ in 0..self.channels.len() {
            let at = self.turn % self.channels.len();
            self.turn = at + 1;
            match self.channels[at].advance().await {
                Advance::Nothing => continue,
                Advance::Blocks(blocks) => self.tell(at, blocks),
                Advance::Over(reason) => {
                    self.end(reason);
                    return true;
                }
            }
            if self.channels[at].is_empty() {
                if self.channels.len() == 1 {
                    self.end(EndReason::Gone);
                } else {
                    self.channels.remove(at);
                }
            }
            return true;
        }
        false
    }

    fn tell(&mut self, at: usize, blocks: Vec<Block>) {
        for Block { event_id, bytes, rest } in blocks {
            self.channels[at].told = event_id;
            if self.is_shared {
                self.ready.extend([board::id_line(&self.id()), board::without_id(&bytes)]);
            } else {
                self.ready.push_back(bytes);
            }
            if !rest.is_empty() {
                self.ready.push_back(rest);
            }
        }
    }

    /// How far the client has been told, as it says it when it comes back.
    fn id(&self) -> String {
        let parts = self.channels.iter().map(|Channel { key, epoch, told, .. }| {
            if self.is_shared { format!("{}={epoch}.{told}", key.env) } else { format!("{epoch}.{told}") }
        });
        parts.collect::<Vec<_>>().join(",")
    }

    /// A heartbeat: whether the stream may go on is asked again, and its id moves.
    fn beat(&mut self) {
        match self.app.access.lapse(&self.caller, clock::now()) {
            Some(Lapse::Expired) => return self.end(EndReason::Expired),
            Some(Lapse::Revoked) => return self.end(EndReason::Revoked),
            None => {}
        }
        if self.ends_at.is_some_and(|ends_at| ends_at <= Instant::now()) {
            return self.end(EndReason::Drain);
        }
        self.channels.iter_mut().for_each(Channel::catch_up);
        self.ready.push_back(board::heartbeat(&self.id()));
    }

    /// Ends some time within the drain window, so that not all come back at once.
    fn drain(&mut self) {
        self.draining = true;
        let window = self.app.config.drain.as_millis() as u64 * 9 / 10;
        self.ends_at = Some(Instant::now() + Duration::from_millis(clock::between(0, window)));
    }

    fn end(&mut self, reason: EndReason) {
        metrics::counter!("shipboard_streams_ended_total", "reason" => reason.as_str()).increment(1);
        if let Some(Channel { key, told, .. }) = self.channels.first() {
            let end = board::stream_end(key, *told, clock::now(), reason, retry_ms());
            self.ready.extend([board::id_line(&self.id()), end]);
        }
        self.ended = true;
    }
}

/// Waits for the next heartbeat.
async fn beat(mut beats: watch::Receiver<u64>) {
    let _ = beats.changed().await;
}

async fn until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}
