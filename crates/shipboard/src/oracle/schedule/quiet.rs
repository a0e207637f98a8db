//! Quiet points: all trouble is over, and everybody has to agree, on each other and on what was promised.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use rand::RngExt as _;
use serde_json::json;
use shipboard_core::event::TimelineEntry;

use super::{Instance, PATIENCE, Schedule, Scope, Tally};
use crate::check;
use crate::store::{EnvKey, contract};

impl Schedule<'_> {
    pub(super) async fn poll(&mut self) {
        for truth in &mut self.truths {
            truth.poll(&mut self.raw).await;
        }
    }

    /// Waits until everything asked for is answered.
    pub(super) async fn settle(&mut self) {
        let began = Instant::now();
        loop {
            self.take_answers();
            if self.jobs.is_empty() {
                return;
            }
            assert!(began.elapsed() < PATIENCE, "{} jobs are never answered", self.jobs.len());
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    pub(super) async fn look(&mut self) {
        for instance in self.instances.iter().flatten() {
            let began = Instant::now();
            while let Err(error) = instance.app.boards.check().await {
                assert!(
                    began.elapsed() < PATIENCE,
                    "the boards cannot be compared with the database: {error}"
                );
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
    }

    /// All trouble is over. Everybody comes to hold what the database holds, and it is right.
    pub(super) async fn quiet(&mut self) {
        self.tell("all is quiet");
        self.tally.add("quiet points");
        self.clear_weather();
        if self.chance(0.5) || self.alive().is_none() {
            self.restart().await;
        }
        self.settle().await;
        self.deliver_all();
        // Who looks second sees the epoch that the first one may have renewed.
        self.look().await;
        self.look().await;
        self.is_forked = false;
        self.make_whole().await;
        self.agree(true).await;
        self.keep_promises().await;
        if self.chance(0.6) {
            self.calm().await;
        }
    }

    /// Where nothing goes wrong, the bus alone brings everybody on: nobody needs to look.
    async fn calm(&mut self) {
        self.tally.add("calm stretches");
        for _ in 0..self.random.random_range(1..4) {
            self.report();
            if self.chance(0.5) {
                self.deliver_all();
            }
            self.breathe().await;
        }
        self.settle().await;
        self.agree(false).await;
    }

    /// Waits until every reader is where the database is, and compares all of it.
    async fn agree(&mut self, looking: bool) {
        let began = Instant::now();
        let mut looked = Instant::now();
        loop {
            self.deliver_all();
            let mut behind = None;
            for n in 0..self.readers.len() {
                if self.readers[n].is_off() {
                    let instance = self.alive().unwrap();
                    self.connect_to(n, instance).await;
                }
                self.read_some(n, 1_000).await;
            }
            for n in 0..self.readers.len() {
                behind = behind.or(self.is_behind(n, looking).await);
            }
            let Some(behind) = behind else { break };
            assert!(began.elapsed() < PATIENCE, "{behind}");
            self.instances.iter().flatten().for_each(Instance::beat);
            if looking && looked.elapsed() > Duration::from_millis(300) {
                self.look().await;
                looked = Instant::now();
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        for env in 0..self.truths.len() {
            self.compare_tables(env).await;
        }
    }

    /// How a reader differs from the database, if it does. That an env was born is told by its first event; only
    /// who looks sees it before.
    async fn is_behind(&mut self, n: usize, looking: bool) -> Option<String> {
        let env = self.env_of(n);
        self.poll().await;
        let tables = self.truths[env].tables(&mut self.raw).await;
        let reader = &self.readers[n];
        let name = &reader.name;
        let differs = |what: &str| Some(format!("{name} of instance {}: {what}", reader.instance));
        if !reader.is_on() {
            return differs(&format!("has no stream: {:?}", reader.ended));
        }
        if reader.is_short() {
            self.tally.add("short snapshots");
            self.readers[n].leave();
            return Some(format!("{} is given fewer rows than there are", self.readers[n].name));
        }
        let position = reader.position.as_ref().unwrap();
        if let Scope::Log { id, .. } = &reader.scope {
            let Some(row) = tables.whole.deployments.get(id) else {
                return differs("its deployment is gone");
            };
            let ended =
                ["success", "failed", "cancelled", "skipped"].contains(&row["status"].as_str().unwrap());
            let log = self.raw.log(&reader.key, id).await;
            return self.readers[n].has_log(&log, ended).err().and_then(|error| differs(&error));
        }
        let is_there = tables.epoch.as_ref().is_none_or(|epoch| *epoch == position.epoch)
            || (tables.head == 0 && !looking);
        if !is_there || position.event_id != tables.head {
            return differs(&format!(
                "is at {position:?}, the database at {:?} {}",
                tables.epoch, tables.head
            ));
        }
        if let Err(error) = reader.agrees(&tables.whole) {
            panic!("{name} of instance {} at {position:?}: {error}", reader.instance);
        }
        if let Scope::Details { id } = &reader.scope {
            let read = self.store.deployment(&reader.key, id.parse().unwrap()).await.unwrap();
            // It was told so, and the end of its stream is still to come.
            let Some(read) = read else { return differs("its deployment is gone") };
            let timeline = read.timeline.into_iter().map(TimelineEntry::for_event);
            let timeline: Vec<_> = timeline.map(|entry| json!(entry)).collect();
            // A progress that was held back may have come between the reads.
            let agrees = read.event_id.0 != tables.head || self.readers[n].has_timeline(&timeline);
            assert!(agrees, "{} has another timeline than {timeline:#?}", self.readers[n].name);
        }
        None
    }

    /// The log says what the tables hold, and both what the reports say.
    async fn compare_tables(&mut self, env: usize) {
        let tables = loop {
            let tables = self.truths[env].tables(&mut self.raw).await;
            self.poll().await;
            if self.truths[env].last().0 == tables.head {
                break tables;
            }
        };
        let truth = &self.truths[env];
        assert!(tables.whole == *truth.last().1, "{}: the log and the tables differ", truth.key);
        let found = check::check_env(&self.store, &truth.key).await.unwrap();
        assert!(found.is_empty(), "{}: {found:#?}", truth.key);
    }

    /// A job that failed is done as a whole or not at all; repeated, it is done, and once.
    async fn make_whole(&mut self) {
        for job in std::mem::take(&mut self.unsure) {
            if !job.is_whole {
                continue;
            }
            let key = self.truths[job.env].key.clone();
            let there = self.identities(&key).await;
            let marks: Vec<&String> = job.marks.iter().flatten().collect();
            let done = marks.iter().filter(|mark| there.contains(**mark)).count();
            assert!(done == 0 || done == marks.len(), "{done} of {} are done: {marks:?}", marks.len());
            self.tally.add(if done == 0 { "failed jobs not done" } else { "failed jobs done" });
            let instance = self.alive().unwrap();
            let writers = self.instances[instance].as_ref().unwrap().app.writers.clone();
            let answer = writers.write(&key, job.requests.clone(), Some(contract::birth(&key))).await;
            let answer = answer.unwrap_or_else(|error| panic!("with nothing in the way: {error}"));
            self.answered(&job, &answer);
        }
    }

    /// The external ids of all deployments that are, or were deleted.
    async fn identities(&mut self, key: &EnvKey) -> BTreeSet<String> {
        let (tenant, env) = (&key.tenant, &key.env);
        let mut found = BTreeSet::new();
        for table in ["deployments", "tombstones"] {
            let sql = format!("select external_id from {table} where tenant = '{tenant}' and env = '{env}'");
            found.extend(self.raw.rows(&sql).await.into_iter().filter_map(|mut cells| cells.remove(0)));
        }
        found
    }

    /// What was answered is there, unless its deployment was deleted.
    async fn keep_promises(&mut self) {
        for env in 0..self.truths.len() {
            let key = &self.truths[env].key;
            let of = format!("where tenant = '{}' and env = '{}'", key.tenant, key.env);
            let reports = self.raw.rows(&format!("select report from reports {of}")).await;
            let mut said = BTreeSet::new();
            for report in reports.iter().filter_map(|cells| cells[0].as_ref()) {
                said.extend(report.match_indices("mark-").map(|(at, _)| report[at..at + 11].to_owned()));
            }
            let deleted = self.raw.rows(&format!("select deployment_id from tombstones {of}")).await;
            let deleted: BTreeSet<_> = deleted.into_iter().filter_map(|mut cells| cells.remove(0)).collect();
            for promise in self.promises.iter().filter(|promise| promise.env == env) {
                let is_there = said.contains(&promise.mark) || deleted.contains(&promise.id.to_string());
                assert!(is_there, "{key}: what was answered is not there: {promise:?}");
            }
            self.tally.add_many("promises kept", self.promises.len() as u64);
        }
    }

    /// Stops all instances as a server stops: what they still owed is written.
    pub(super) async fn end(mut self) -> Tally {
        self.readers.clear();
        for instance in self.instances.iter().flatten() {
            instance.app.tasks.stop();
        }
        for instance in self.instances.iter().flatten() {
            assert!(instance.app.tasks.ended(PATIENCE).await, "an instance does not stop");
            instance.app.store.close().await;
            self.tally.merge(&instance.weather.lock().unwrap().tally);
        }
        for env in 0..self.truths.len() {
            self.compare_tables(env).await;
        }
        self.tally.add("schedules");
        self.tally.add_many("events", self.truths.iter().map(|truth| truth.last().0).sum());
        self.store.close().await;
        self.raw.close().await;
        self.tally
    }
}
