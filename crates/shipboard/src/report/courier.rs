//! Brings what `shipboard run` has to say to the server, beside the command and never in its way: reports
//! in order, heartbeats, and the log. What fails is tried again; what is left at the end can be kept.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use reqwest::StatusCode;
use shipboard_core::id::{DeploymentId, Slug};
use shipboard_core::report::ReportBody;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::client::{CallError, Client};
use super::log::Log;
use super::spool::{LogRest, Parcel, length};
use super::words::Words;
use crate::clock;

/// How often something is said when there is nothing to say.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// How often the log is looked at.
const LOG_EVERY: Duration = Duration::from_millis(500);
/// The pause after a first failure; it doubles up to the longest.
const FIRST_PAUSE_MS: u64 = 500;
const LONGEST_PAUSE_MS: u64 = 15_000;
/// Longest that a server's `Retry-After` is obeyed.
const LONGEST_RETRY_AFTER: Duration = Duration::from_mins(1);

pub(super) struct Courier {
    client: Client,
    env: Slug,
    words: Words,
    pub(super) log: Log,
    state: Mutex<State>,
    news: Notify,
}

#[derive(Default)]
struct State {
    outbox: VecDeque<ReportBody>,
    id: Option<DeploymentId>,
    /// Where this run's log begins in the deployment's: an earlier try may have left one.
    log_base: Option<u64>,
    /// The server has answered at least once.
    answered: bool,
    /// Something was refused for good.
    refused: bool,
    complained: bool,
}

impl Courier {
    pub(super) fn new(client: Client, env: Slug, words: Words) -> Self {
        let state = Mutex::default();
        Self { client, env, words, log: Log::default(), state, news: Notify::new() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    pub(super) fn env(&self) -> &Slug {
        &self.env
    }

    /// The deployment, once the server has said which it is.
    pub(super) fn id(&self) -> Option<DeploymentId> {
        self.state().id
    }

    pub(super) fn has_been_answered(&self) -> bool {
        self.state().answered
    }

    /// Everything was taken so far, and nothing waits.
    pub(super) fn is_done(&self) -> bool {
        let state = self.state();
        state.outbox.is_empty() && !state.refused && self.log.next().is_none()
    }

    /// Hands a report over.
    pub(super) fn put(&self, report: ReportBody) {
        self.state().outbox.push_back(report);
        self.news.notify_one();
    }

    /// Delivers everything that waits.
    pub(super) async fn deliver(&self) -> Result<(), CallError> {
        let delivered = self.try_deliver().await;
        match &delivered {
            Ok(()) => {}
            Err(error) if error.may_pass() => self.complain(format_args!("{error}; trying again")),
            Err(error) => self.complain(error),
        }
        delivered
    }

    async fn try_deliver(&self) -> Result<(), CallError> {
        loop {
            let Some(report) = self.state().outbox.front().cloned() else { break };
            match self.client.report(&self.env, &report, None).await {
                Ok(taken) => {
                    let mut state = self.state();
                    state.outbox.pop_front();
                    state.answered = true;
                    state.id = Some(taken.id);
                    if !taken.has_log {
                        state.log_base.get_or_insert(0);
                    }
                }
                Err(error) => return Err(self.failed(error, true)),
            }
        }
        let Some(id) = self.id() else { return Ok(()) };
        while let Some((sent, text)) = self.log.next() {
            let known = self.state().log_base;
            let base = match known {
                Some(base) => Ok(base),
                None => length(&self.client, &self.env, id).await,
            };
            let base = base.map_err(|error| self.failed(error, false))?;
            self.state().log_base = Some(base);
            let bytes = text.len();
            match self.client.append_log(&self.env, id, base + sent, text.into_bytes()).await {
                Ok(_) => self.log.acknowledge(bytes),
                Err(error) => return Err(self.failed(error, false)),
            }
        }
        Ok(())
    }

    /// A refusal ends what was refused: the whole report, or the log, or everything.
    fn failed(&self, error: CallError, of_report: bool) -> CallError {
        let Some(status) = error.refused_as() else { return error };
        let mut state = self.state();
        state.answered = true;
        let for_good = matches!(
            status,
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::NOT_FOUND | StatusCode::GONE
        );
        // A log that is too long for the server is no reason to fail, however strict.
        state.refused |= for_good || of_report;
        if for_good {
            state.outbox.clear();
        } else if of_report {
            state.outbox.pop_front();
        }
        if for_good || !of_report {
            self.log.close();
        }
        error
    }

    /// The first trouble is told; the rest is the same story.
    fn complain(&self, trouble: impl std::fmt::Display) {
        if !std::mem::replace(&mut self.state().complained, true) {
            self.words.say(format_args!("reporting: {trouble}"));
        }
    }

    /// Delivers what comes, and heartbeats, until it is dropped.
    pub(super) async fn serve(&self) {
        let mut failures = 0;
        let mut heard_at = Instant::now();
        loop {
            match self.deliver().await {
                Ok(()) => failures = 0,
                Err(error) if error.may_pass() => {
                    failures += 1;
                    tokio::time::sleep(pause(failures, &error)).await;
                    continue;
                }
                Err(_) => continue,
            }
            if heard_at.elapsed() >= HEARTBEAT
                && let Some(id) = self.id()
            {
                // One lost heartbeat matters as little as the next is near.
                let _ = self.client.update(&self.env, id, &ReportBody::default()).await;
                heard_at = Instant::now();
            }
            tokio::select! {
                () = self.news.notified() => {}
                () = tokio::time::sleep(LOG_EVERY) => {}
            }
        }
    }

    /// Delivers what waits, again and again, for so long at most.
    pub(super) async fn settle(&self, patience: Duration) {
        let settled = async {
            let mut failures = 0;
            loop {
                match self.deliver().await {
                    Ok(()) => return,
                    Err(error) if error.may_pass() => {
                        failures += 1;
                        tokio::time::sleep(pause(failures, &error)).await;
                    }
                    Err(_) => {}
                }
            }
        };
        let _ = tokio::time::timeout(patience, settled).await;
    }

    /// What has not been delivered.
    pub(super) fn rest(&self) -> Option<Parcel> {
        let mut state = self.state();
        let reports: Vec<_> = state.outbox.drain(..).collect();
        let log = self.log.rest().map(|(sent, text)| LogRest { base: state.log_base, sent, text });
        if reports.is_empty() && log.is_none() {
            return None;
        }
        Some(Parcel {
            server: self.client.server().to_owned(),
            tenant: self.client.tenant().to_string(),
            env: self.env.to_string(),
            id: state.id,
            reports,
            updates: Vec::new(),
            log,
        })
    }
}

/// Full jitter: a fleet that lost its server does not come back as one.
pub(super) fn pause(failures: u32, error: &CallError) -> Duration {
    if let CallError::Busy { after: Some(after), .. } = error {
        return (*after).min(LONGEST_RETRY_AFTER);
    }
    let longest = FIRST_PAUSE_MS.saturating_mul(1 << failures.min(10)).min(LONGEST_PAUSE_MS);
    Duration::from_millis(clock::between(FIRST_PAUSE_MS / 5, longest))
}
