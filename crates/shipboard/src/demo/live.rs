//! The fleet at work: each deployment is a task that reports what happens to it as it happens.
//!
//! A workflow has one rollout at a time in an env, and an env only so many runners: whatever comes
//! meanwhile is queued. A report that is not taken is not repeated; it is only a demo.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use shipboard_core::id::{DeploymentId, Slug};
use shipboard_core::report::{ReportBody, StepBody};
use shipboard_core::time::Timestamp;
use tokio::sync::{Mutex, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::history::{approved_by, progress, same, subject, told_end};
use super::plan::{Planner, Release, Rollout, Step, Try};
use super::world::{ENVS, SERVICES};
use crate::report::client::Client;

/// Mean time between releases at normal speed: ten minutes of a working day.
const PAUSE: Duration = Duration::from_secs(9);
/// How much faster than in reality a rollout goes.
const ROLLOUT_SPEED: f64 = 10.0;
/// How often progress is told.
const TICK: Duration = Duration::from_millis(800);
/// How often a deployment that does not move says that it is still there.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// Releases that begin at once, so that there is something to see from the first moment.
const AT_ONCE: usize = 3;
/// Rollouts at once in an env.
const RUNNERS: usize = 4;

struct Fleet {
    client: Client,
    speed: f64,
    now: fn() -> Timestamp,
    runners: Vec<Semaphore>,
    /// Whoever holds it is rolling out this service in this env.
    lanes: Vec<Vec<Mutex<()>>>,
}

/// Releases until `stop`.
pub(super) async fn go_on(
    client: &Client,
    planner: &mut Planner,
    speed: f64,
    now: fn() -> Timestamp,
    stop: &CancellationToken,
) {
    let fleet = Arc::new(Fleet {
        client: client.clone(),
        speed,
        now,
        runners: ENVS.iter().map(|_| Semaphore::new(RUNNERS)).collect(),
        lanes: ENVS.iter().map(|_| SERVICES.iter().map(|_| Mutex::default()).collect()).collect(),
    });
    let tasks = TaskTracker::new();
    for number in 0_usize.. {
        let release = planner.release();
        let (fleet, stopped) = (fleet.clone(), stop.clone());
        tasks.spawn(async move {
            tokio::select! {
                () = stopped.cancelled() => {}
                () = fleet.release(&release) => {}
            }
        });
        let pause = PAUSE.mul_f64(planner.pause() / speed);
        tokio::select! {
            () = stop.cancelled() => break,
            () = tokio::time::sleep(if number < AT_ONCE { Duration::ZERO } else { pause }) => {}
        }
    }
    tasks.close();
    tasks.wait().await;
}

impl Fleet {
    async fn release(&self, release: &Release) {
        for rollout in &release.rollouts {
            self.pass(rollout.after_s).await;
            if self.rollout(rollout).await.is_none() {
                return;
            }
        }
    }

    /// Lets so many real seconds of a rollout pass.
    async fn pass(&self, seconds: f64) {
        tokio::time::sleep(self.shortened(seconds)).await;
    }

    fn shortened(&self, seconds: f64) -> Duration {
        Duration::from_secs_f64((seconds / ROLLOUT_SPEED / self.speed).max(0.0))
    }

    /// None: nobody heard how it ended.
    async fn rollout(&self, rollout: &Rollout) -> Option<()> {
        let env = Slug::from_foreign(ENVS[rollout.env]);
        let mut told = 0;
        for (number, attempt) in (1..).zip(&rollout.tries) {
            let opening = ReportBody { attempt: Some(number), ..self.said("queued", subject(rollout)) };
            let id = self.client.report(&env, &opening, None).await.ok()?.id;
            let deployment = Deployment { fleet: self, env: &env, id, rollout, number };
            let turn = async {
                let lane = self.lanes[rollout.env][rollout.service].lock().await;
                let runner = self.runners[rollout.env].acquire().await;
                self.pass(attempt.queued_s).await;
                (lane, runner)
            };
            let _turn = deployment.still_there(turn).await;
            deployment.go_through(attempt, &mut told).await?;
        }
        Some(())
    }

    fn said(&self, status: &str, body: ReportBody) -> ReportBody {
        ReportBody { status: Some(status.to_owned()), occurred_at: Some((self.now)().to_string()), ..body }
    }
}

/// A deployment under way.
struct Deployment<'a> {
    fleet: &'a Fleet,
    env: &'a Slug,
    id: DeploymentId,
    rollout: &'a Rollout,
    number: i64,
}

impl Deployment<'_> {
    async fn say(&self, body: ReportBody) {
        let body = ReportBody { attempt: Some(self.number), ..body };
        let _ = self.fleet.client.update(self.env, self.id, &body).await;
    }

    async fn say_status(&self, status: &str, message: Option<String>) {
        let body = ReportBody { message, ..same(self.rollout, self.number) };
        self.say(self.fleet.said(status, body)).await;
    }

    /// Waits, and says now and then that it does.
    async fn still_there<T>(&self, waiting: impl Future<Output = T>) -> T {
        let mut waiting: Pin<&mut _> = std::pin::pin!(waiting);
        loop {
            match tokio::time::timeout(HEARTBEAT, &mut waiting).await {
                Ok(done) => return done,
                Err(_) => self.say(ReportBody::default()).await,
            }
        }
    }

    async fn go_through(&self, attempt: &Try, logged: &mut u64) -> Option<()> {
        let mut message = None;
        if let Some((who, seconds)) = attempt.approval {
            self.say_status("waiting", Some("Waiting for approval".to_owned())).await;
            self.still_there(self.fleet.pass(seconds)).await;
            message = Some(approved_by(who));
        }
        self.say_status("running", message).await;
        let end = told_end(attempt.end);
        for (place, step) in attempt.steps.iter().enumerate() {
            let last = place + 1 == attempt.steps.len();
            self.go_through_step(step, place, last && end.is_none(), logged).await;
            let how = match end {
                Some((end, _)) if last => end,
                None if last => return None,
                _ => "success",
            };
            let told = StepBody { name: Some(step.name.to_owned()), status: Some(how.to_owned()) };
            let occurred_at = Some((self.fleet.now)().to_string());
            self.say(ReportBody { step: Some(told), occurred_at, ..ReportBody::default() }).await;
        }
        let (end, why) = end?;
        if let Some(why) = why {
            self.log(logged, &format!("\u{1b}[31merror:\u{1b}[0m {why}\n")).await;
        }
        self.say_status(end, why.map(str::to_owned)).await;
        Some(())
    }

    /// Progress and log of one step. A deployment that falls silent does so in the middle of one.
    async fn go_through_step(&self, step: &Step, place: usize, silenced: bool, logged: &mut u64) {
        self.log(logged, &format!("\u{1b}[1m==> {}\u{1b}[0m\n", step.name)).await;
        let whole = self.fleet.shortened(step.seconds);
        let ticks = (whole.as_secs_f64() / TICK.as_secs_f64()).ceil().max(1.0) as usize;
        let ticks_told = if silenced { ticks / 2 } else { ticks };
        for tick in 0..ticks_told {
            let part = (tick as f64 + 0.5) / ticks as f64;
            let progress = progress(self.rollout, place, part);
            self.say(ReportBody { progress: Some(progress), ..ReportBody::default() }).await;
            let lines = |tick: usize| step.log.len() * tick / ticks;
            let text: Vec<&str> =
                step.log[lines(tick)..lines(tick + 1)].iter().flat_map(|it| [it, "\n"]).collect();
            self.log(logged, &text.concat()).await;
            tokio::time::sleep(whole / ticks as u32).await;
        }
    }

    async fn log(&self, logged: &mut u64, text: &str) {
        if text.is_empty() {
            return;
        }
        let sent = self.fleet.client.append_log(self.env, self.id, *logged, text.as_bytes().to_vec()).await;
        if let Ok(length) = sent {
            *logged = length;
        }
    }
}
