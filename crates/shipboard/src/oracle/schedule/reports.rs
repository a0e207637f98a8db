//! What instances are asked to commit, and what their answers promise.

use rand::RngExt as _;
use serde_json::json;
use shipboard_core::decide::{Outcome, Request};
use shipboard_core::id::DeploymentId;
use tokio::sync::oneshot;

use super::{ENVS, Job, Promise, Schedule, Scope};
use crate::clock;
use crate::store::{Appended, contract};
use crate::writer::Answer;

impl Schedule<'_> {
    pub(super) fn report(&mut self) {
        let Some(instance) = self.alive() else { return };
        let env = self.env();
        let is_whole = self.chance(0.3);
        let count = if self.chance(0.5) { 1 } else { self.random.random_range(1..6) };
        let mut requests = Vec::new();
        let mut marks = Vec::new();
        for _ in 0..count {
            let (request, mark) = if is_whole { self.new_deployment() } else { self.request(env) };
            requests.push(request);
            marks.push(mark);
        }
        self.ask(instance, env, requests, marks, is_whole);
    }

    pub(super) fn mark(&mut self) -> String {
        self.marks += 1;
        format!("mark-{:06}", self.marks)
    }

    /// A deployment that nobody has spoken of.
    fn new_deployment(&mut self) -> (Request, Option<String>) {
        let mark = self.mark();
        let at = contract::second(self.random.random_range(0..900)).to_string();
        let status = ["queued", "running", "success", "failed"][self.below(4)];
        let workflow = format!("w{}", self.below(4));
        let request = contract::post(json!({"external_id": mark, "workflow": workflow, "status": status,
            "occurred_at": at, "message": mark}));
        (request, Some(mark))
    }

    fn request(&mut self, env: usize) -> (Request, Option<String>) {
        if self.chance(0.15) && !self.known[env].is_empty() {
            let at = self.below(self.known[env].len());
            let id = self.known[env][at];
            let body = json!({"progress": {"percent": self.below(100), "phase": "rollout"}});
            return (Request::Patch { id, report: contract::report(body) }, None);
        }
        let mut request = contract::request(&mut self.random, &self.known[env]);
        let mark = self.mark();
        match &mut request {
            Request::Post { report, .. } | Request::Patch { report, .. } if self.random.random_bool(0.5) => {
                report.details.message = Some(mark.clone());
                (request, Some(mark))
            }
            Request::Lose { silent_since, .. } => {
                *silent_since = clock::now().plus_millis(60_000);
                (request, None)
            }
            _ => (request, None),
        }
    }

    pub(super) fn ask(
        &mut self,
        instance: usize,
        env: usize,
        requests: Vec<Request>,
        marks: Vec<Option<String>>,
        is_whole: bool,
    ) {
        self.tell(&format!("instance {instance} is asked for {} requests in {}", requests.len(), ENVS[env]));
        self.tally.add("jobs");
        let app = self.instances[instance].as_ref().unwrap().app.clone();
        let key = self.truths[env].key.clone();
        let (told, answer) = oneshot::channel();
        let asked = requests.clone();
        let birth = contract::birth(&key);
        app.clone().tasks.spawn(async move {
            let _ = told.send(app.writers.write(&key, asked, Some(birth)).await);
        });
        self.jobs.push(Job { instance, env, requests, marks, is_whole, answer });
    }

    pub(super) fn take_answers(&mut self) {
        let mut open = Vec::new();
        for mut job in std::mem::take(&mut self.jobs) {
            match job.answer.try_recv() {
                Err(oneshot::error::TryRecvError::Empty) => open.push(job),
                Ok(Ok(answer)) => self.answered(&job, &answer),
                Ok(Err(_)) | Err(oneshot::error::TryRecvError::Closed) => {
                    self.tally.add("jobs failed");
                    self.unsure.push(job);
                }
            }
        }
        self.jobs = open;
    }

    pub(super) fn answered(&mut self, job: &Job, answer: &Answer) {
        self.tally.add("jobs answered");
        for (outcome, mark) in answer.outcomes.iter().zip(&job.marks) {
            match outcome {
                Ok(Outcome::Created(id) | Outcome::Known(id)) => {
                    if matches!(outcome, Ok(Outcome::Created(_))) {
                        self.known[job.env].push(*id);
                    }
                    if let Some(mark) = mark.clone() {
                        self.promises.push(Promise { env: job.env, mark, id: *id });
                    }
                }
                Ok(Outcome::Deleted) | Err(_) => {}
            }
        }
    }

    pub(super) async fn delete_many(&mut self) {
        let Some(instance) = self.alive() else { return };
        self.poll().await;
        let newest = self.truths[0].last().1;
        let newest = newest.newest();
        if newest.len() < 30 {
            return;
        }
        let most = newest.len() / 6;
        let ids = newest.iter().take(most).map(|row| row["id"].as_str().unwrap().parse().unwrap());
        let requests: Vec<Request> = ids.map(|id| Request::Delete { id }).collect();
        let marks = vec![None; requests.len()];
        self.ask(instance, 0, requests, marks, false);
    }

    pub(super) fn append(&mut self) {
        let Some(instance) = self.alive() else { return };
        let logs: Vec<(usize, String, usize)> = (0..self.readers.len())
            .filter_map(|n| match &self.readers[n].scope {
                Scope::Log { id, .. } => Some((self.env_of(n), id.clone(), n)),
                _ => None,
            })
            .collect();
        if logs.is_empty() {
            return;
        }
        let (env, id, _) = logs[self.below(logs.len())].clone();
        let key = self.truths[env].key.clone();
        let id: DeploymentId = id.parse().unwrap();
        let app = self.instances[instance].as_ref().unwrap().app.clone();
        self.tell(&format!("instance {instance} appends to the log of {id}"));
        self.tally.add("appends");
        let line = format!("line {} \n", self.marks);
        let store = self.store.clone();
        app.clone().tasks.spawn(async move {
            // As the route does; where the log ends is asked of a store that answers.
            let Ok(Some(part)) = store.read_log(&key, id, u64::MAX, 0).await else { return };
            let appended = app.store.append_log(&key, id, part.length, line.as_bytes(), clock::now()).await;
            if let (Ok(Appended::Grown(length)), Some(board)) = (appended, app.boards.get(&key)) {
                board.log_grew(id, length);
            }
        });
    }
}
