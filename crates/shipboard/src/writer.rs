//! The only writer: one task per active env takes all requests that wait and commits them as a group.
//!
//! It answers after the commit, then feeds this instance's board. Its work never depends on a client
//! that is still there. Nothing here decides anything: that is `shipboard_core::decide`.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use shipboard_core::decide::{Outcome, Refusal, Request};
use shipboard_core::event::DeploymentRow;
use shipboard_core::id::{DeploymentId, EventId};
use shipboard_core::progress::PROGRESS_PACE_MS;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use crate::board::Boards;
use crate::clock;
use crate::store::{Birth, EnvKey, Store, StoreError, Written};
use crate::tasks::Tasks;
use crate::watch::Hearing;

/// Most requests in one transaction, unless a single batch brings more.
const MAX_GROUP: usize = 1_000;
/// Most jobs that wait for one env's writer; a reporter beyond that waits for its turn to wait.
const MAX_WAITING: usize = 1_024;
/// Reports of nothing but progress go at most this often; those that come meanwhile are merged.
const PROGRESS_PACE: Duration = Duration::from_millis(PROGRESS_PACE_MS as u64);
/// After a group of so many jobs, the next one waits for as many,
const BUSY: usize = 8;
/// but at most for this part of the time that the last one took, and never longer than this.
const LINGER: u32 = 4;
const MAX_LINGER: Duration = Duration::from_millis(10);
/// A writer with nothing to do for so long ends.
const IDLE: Duration = Duration::from_secs(30);
/// The same when the server is stopping: requests that are under way may still bring something.
const IDLE_AT_THE_END: Duration = Duration::from_millis(50);

/// How long a job's caller waits for its answer.
const ANSWER_WITHIN: Duration = Duration::from_millis(4_500);
/// How often a group that lost against another transaction is tried.
const TRIES: usize = 3;

/// What became of one job's requests.
#[derive(Debug)]
pub struct Answer {
    /// One for each request, in order.
    pub outcomes: Vec<Result<Outcome, Refusal>>,
    /// The rows of the deployments that the requests were taken for.
    pub rows: HashMap<DeploymentId, Arc<DeploymentRow>>,
    /// The env's head after it.
    pub event_id: EventId,
}

/// Why a job was not done.
#[derive(Clone, Debug, thiserror::Error)]
pub enum WriteError {
    /// The env does not exist, and is not created by reports.
    #[error("there is no such environment")]
    NoEnv,
    /// The database did not do it.
    #[error(transparent)]
    Store(#[from] Arc<StoreError>),
    /// The server is going away.
    #[error("the server is stopping")]
    Stopping,
}

/// Requests of one caller: they are committed together.
struct Job {
    requests: Vec<Request>,
    birth: Option<Birth>,
    /// Not begun later than this: whoever asked has been told that it failed, and may have said it elsewhere.
    deadline: Instant,
    answer: oneshot::Sender<Result<Answer, WriteError>>,
}

impl Job {
    /// Publishes progress that was held back. Nobody waits for the answer.
    fn settling(owed: BTreeSet<DeploymentId>) -> Self {
        let requests = owed.into_iter().map(|id| Request::Settle { id }).collect();
        Self { requests, birth: None, deadline: Instant::now() + ANSWER_WITHIN, answer: oneshot::channel().0 }
    }

    /// Nothing but progress: it may wait to be merged with more of the kind.
    fn is_only_progress(&self) -> bool {
        self.requests.iter().all(|request| match request {
            Request::Patch { report, .. } => report.is_only_progress(),
            Request::Post { report, key, .. } => {
                key.is_none() && report.progress.is_some() && report.is_only_progress()
            }
            _ => false,
        })
    }
}

/// The writers of this instance, one for each env that is being written to.
#[derive(Clone)]
pub struct Writers {
    shared: Arc<Shared>,
}

struct Shared {
    store: Store,
    hearing: Arc<Hearing>,
    boards: Arc<Boards>,
    tasks: Tasks,
    queues: Mutex<HashMap<EnvKey, mpsc::Sender<Job>>>,
}

impl Shared {
    /// Forgets a writer that has ended, unless another has taken its place.
    fn forget(&self, key: &EnvKey) {
        let mut queues = self.queues.lock().unwrap_or_else(PoisonError::into_inner);
        if queues.get(key).is_some_and(mpsc::Sender::is_closed) {
            queues.remove(key);
        }
    }
}

impl std::fmt::Debug for Writers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Writers").finish_non_exhaustive()
    }
}

impl Writers {
    /// No writers yet.
    pub fn new(store: Store, boards: Arc<Boards>, tasks: Tasks, hearing: Arc<Hearing>) -> Self {
        Self { shared: Arc::new(Shared { store, hearing, boards, tasks, queues: Mutex::default() }) }
    }

    /// Commits requests, together and in order, and answers after the commit. `birth` tells how the env
    /// comes into being if it is new; without it, it has to be there.
    pub async fn write(
        &self,
        key: &EnvKey,
        requests: Vec<Request>,
        birth: Option<Birth>,
    ) -> Result<Answer, WriteError> {
        let (answer, answered) = oneshot::channel();
        let deadline = Instant::now() + ANSWER_WITHIN;
        let mut job = Job { requests, birth, deadline, answer };
        let done = async {
            // A writer that ends for want of work closes its queue first; the next one takes over.
            loop {
                match self.queue(key).send(job).await {
                    Ok(()) => break,
                    Err(refused) => job = refused.0,
                }
            }
            answered.await.map_err(|_| WriteError::Stopping)?
        };
        // Given up by whoever waits, not by the writer: if it was begun, it may yet be committed.
        match tokio::time::timeout_at(deadline, done).await {
            Ok(answer) => answer,
            Err(slow) => Err(Arc::new(StoreError::from(slow)).into()),
        }
    }

    fn queue(&self, key: &EnvKey) -> mpsc::Sender<Job> {
        let mut queues = self.shared.queues.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(queue) = queues.get(key).filter(|queue| !queue.is_closed()) {
            return queue.clone();
        }
        let (queue, jobs) = mpsc::channel(MAX_WAITING);
        queues.insert(key.clone(), queue.clone());
        let writer = Writer {
            shared: self.shared.clone(),
            key: key.clone(),
            jobs,
            held: Vec::new(),
            owed: BTreeSet::new(),
            due: None,
            last: (0, Duration::ZERO),
        };
        self.shared.tasks.spawn(writer.run());
        queue
    }
}

struct Writer {
    shared: Arc<Shared>,
    key: EnvKey,
    jobs: mpsc::Receiver<Job>,
    /// Progress that waits to be merged.
    held: Vec<Job>,
    /// Deployments whose progress was held back, because some had just been published.
    owed: BTreeSet<DeploymentId>,
    /// When progress may go again; `None`: at once.
    due: Option<Instant>,
    /// How many jobs the last group had, and how long it took.
    last: (usize, Duration),
}

impl Writer {
    async fn run(mut self) {
        loop {
            let due = self.due.filter(|_| !self.held.is_empty() || !self.owed.is_empty());
            let stopping = self.shared.tasks.stopping();
            let idle = if stopping.is_cancelled() { IDLE_AT_THE_END } else { IDLE };
            let wait = due.unwrap_or_else(|| Instant::now() + idle);
            let mut taken = Vec::new();
            tokio::select! {
                job = self.jobs.recv() => match job {
                    Some(job) => taken.push(job),
                    None => break,
                },
                () = tokio::time::sleep_until(wait) => if due.is_none() { self.jobs.close() },
                () = stopping.cancelled(), if !stopping.is_cancelled() => {}
            }
            if !taken.is_empty() {
                self.linger(&mut taken).await;
            }
            let mut size = taken.iter().map(|job| job.requests.len()).sum::<usize>();
            while size < MAX_GROUP
                && let Ok(job) = self.jobs.try_recv()
            {
                size += job.requests.len();
                taken.push(job);
            }
            let group = self.pace(taken);
            if !group.is_empty() {
                let (jobs, began) = (group.len(), Instant::now());
                self.commit(group).await;
                self.last = (jobs, began.elapsed());
            }
        }
        let mut last = std::mem::take(&mut self.held);
        if !self.owed.is_empty() {
            last.push(Job::settling(std::mem::take(&mut self.owed)));
        }
        if !last.is_empty() {
            self.commit(last).await;
        }
        self.shared.forget(&self.key);
    }

    /// Waits a little for those who were just answered, and are about to say the next thing. Without this, half
    /// of them would always come a moment too late, and wait for two transactions instead of one.
    async fn linger(&mut self, taken: &mut Vec<Job>) {
        let (jobs, time) = self.last;
        if jobs < BUSY {
            return;
        }
        let until = Instant::now() + (time / LINGER).min(MAX_LINGER);
        while taken.len() < jobs
            && let Ok(Some(job)) = tokio::time::timeout_at(until, self.jobs.recv()).await
        {
            taken.push(job);
        }
    }

    /// Which jobs go now: all, unless there is nothing but progress and some went just before. Whatever
    /// else goes takes waiting progress along; how often a deployment's is published is `decide`'s to hold.
    fn pace(&mut self, taken: Vec<Job>) -> Vec<Job> {
        let now = Instant::now();
        let is_due = self.due.is_none_or(|due| due <= now);
        let (progress, mut group): (Vec<Job>, Vec<Job>) = taken.into_iter().partition(Job::is_only_progress);
        self.held.extend(progress);
        if group.is_empty() && !is_due {
            return group;
        }
        if !self.held.is_empty() {
            self.due = Some(now + PROGRESS_PACE);
        }
        // Progress first: it was said before what overtakes it here.
        let mut all = std::mem::take(&mut self.held);
        all.append(&mut group);
        if is_due && !self.owed.is_empty() {
            self.due = Some(now + PROGRESS_PACE);
            all.push(Job::settling(std::mem::take(&mut self.owed)));
        }
        all
    }

    async fn commit(&mut self, mut group: Vec<Job>) {
        let now = Instant::now();
        group.retain(|job| now < job.deadline);
        if group.is_empty() {
            return;
        }
        metrics::histogram!("shipboard_writer_group_size")
            .record(group.iter().map(|job| job.requests.len()).sum::<usize>() as f64);
        let requests: Vec<Request> = group.iter().flat_map(|job| job.requests.iter().cloned()).collect();
        let birth = group.iter().find_map(|job| job.birth.clone());
        match self.write(&requests, birth).await {
            Ok(written) => self.answer(group, written),
            Err(error @ (WriteError::NoEnv | WriteError::Stopping)) => refuse(group, &error),
            // The whole database is away: nobody fares better alone.
            Err(error) if is_unavailable(&error) || group.len() == 1 => refuse(group, &error),
            Err(error) => {
                tracing::warn!(env = %self.key, %error, "a group failed; its jobs are tried one by one");
                for job in group {
                    match self.write(&job.requests, job.birth.clone()).await {
                        Ok(written) => self.answer(vec![job], written),
                        Err(error) => refuse(vec![job], &error),
                    }
                }
            }
        }
    }

    async fn write(&self, requests: &[Request], birth: Option<Birth>) -> Result<Written, WriteError> {
        let started = Instant::now();
        let birth = birth.map(|birth| {
            let epoch = self.shared.boards.proposed_epoch(&self.key).unwrap_or(birth.epoch);
            Birth { epoch, ..birth }
        });
        let mut tries = 1;
        let written = loop {
            match self.shared.store.write(&self.key, requests, birth.as_ref(), clock::now()).await {
                // It was undone: nothing is told twice.
                Err(StoreError::Conflict(error)) if tries < TRIES => {
                    tracing::debug!(env = %self.key, %error, "a group lost against another transaction");
                    tries += 1;
                }
                written => break written,
            }
        };
        metrics::histogram!("shipboard_commit_seconds").record(started.elapsed().as_secs_f64());
        if matches!(written, Err(StoreError::Unavailable(_))) {
            self.shared.hearing.failed(clock::now());
        }
        let mut written = written.map_err(Arc::new)?.ok_or(WriteError::NoEnv)?;
        let events = std::mem::take(&mut written.decision.events);
        let lost = written.decision.reports.iter().filter(|(_, report)| report.is_loss()).count();
        metrics::counter!("shipboard_lost_total").increment(lost as u64);
        for event in &events {
            metrics::counter!("shipboard_events_total", "type" => event.change.type_name()).increment(1);
        }
        self.shared.boards.publish(&self.key, &written.epoch, written.after, events);
        Ok(written)
    }

    fn answer(&mut self, group: Vec<Job>, written: Written) {
        self.owed.extend(written.decision.owing.iter().map(|(id, _)| *id));
        if !self.owed.is_empty() && self.due.is_none() {
            self.due = Some(Instant::now() + PROGRESS_PACE);
        }
        let event_id = written.decision.head;
        let rows: HashMap<_, _> = written.rows.into_iter().map(|row| (row.id, row)).collect();
        let mut outcomes = written.decision.outcomes.into_iter();
        for job in group {
            let outcomes: Vec<_> = outcomes.by_ref().take(job.requests.len()).collect();
            let own = outcomes.iter().flatten().filter_map(|outcome| match outcome {
                Outcome::Created(id) | Outcome::Known(id) => Some((*id, rows.get(id)?.clone())),
                Outcome::Deleted => None,
            });
            let rows = own.collect();
            // Whoever asked may have left; what was asked is done all the same.
            let _ = job.answer.send(Ok(Answer { outcomes, rows, event_id }));
        }
    }
}

fn is_unavailable(error: &WriteError) -> bool {
    matches!(error, WriteError::Store(error)
        if matches!(**error, StoreError::Unavailable(_) | StoreError::Busy(_)))
}

fn refuse(group: Vec<Job>, error: &WriteError) {
    for job in group {
        let _ = job.answer.send(Err(error.clone()));
    }
}
