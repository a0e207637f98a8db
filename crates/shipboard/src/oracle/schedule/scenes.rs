//! Scenes: what chance alone would bring about too seldom, each a race or a fault of its own that a board is
//! known to have to stand. Before and after it, anything may happen; what it needs to go well goes well.

use std::time::{Duration, Instant};

use serde_json::json;
use shipboard_core::decide::Request;
use shipboard_core::id::DeploymentId;

use super::{Claim, ENVS, PATIENCE, Position, Reader, Schedule, Scope};
use crate::oracle::database::CROWD;
use crate::store::contract;

/// How long a scene waits for what it needs. If it does not come, something else goes on.
const SOON: Duration = Duration::from_millis(300);
/// More of the newest rows than a board has in reserve.
const TOO_MANY: usize = 110;

impl Schedule<'_> {
    /// What has to be tried while the database is as it was made.
    pub(super) async fn prologue(&mut self) {
        if self.truths[0].last().1.deployments.len() >= CROWD {
            self.use_up_the_reserve().await;
        } else if self.chance(0.4) {
            self.read_before_the_first_report().await;
        }
    }

    pub(super) async fn scene(&mut self) {
        match self.below(4) {
            0 => self.write_while_details_are_read().await,
            1 => self.move_to_a_board_behind().await,
            2 => self.write_under_a_new_epoch().await,
            _ => self.lose_and_repeat().await,
        }
    }

    /// Two instances that the sun shines on; the same one twice if there is only one.
    fn two(&mut self) -> Option<(usize, usize)> {
        let one = self.alive()?;
        let others: Vec<usize> =
            (0..self.instances.len()).filter(|n| *n != one && self.instances[*n].is_some()).collect();
        let other = if others.is_empty() { one } else { others[self.below(others.len())] };
        for n in [one, other] {
            self.instances[n].as_ref().unwrap().weather.lock().unwrap().clear();
        }
        Some((one, other))
    }

    /// Two readers.
    fn pair(&mut self) -> (usize, usize) {
        let one = self.below(self.readers.len());
        (one, (one + 1) % self.readers.len())
    }

    /// Reads until something holds. False: it was too long in coming.
    async fn reads_until(&mut self, n: usize, holds: impl Fn(&Reader) -> bool) -> bool {
        let began = Instant::now();
        while began.elapsed() < SOON {
            self.read_some(n, 100).await;
            if holds(&self.readers[n]) {
                return true;
            }
            tokio::time::sleep(Duration::from_micros(200)).await;
        }
        false
    }

    /// Puts a new reader in this one's place, and has it read its snapshot.
    async fn seat(&mut self, n: usize, instance: usize, env: usize, scope: Scope) -> bool {
        self.readers[n] = self.reader_of(n, env, scope);
        self.connect_as(n, instance, Claim::Nothing).await;
        self.reads_until(n, Reader::is_on).await
    }

    /// Has an instance commit this, and waits for the answer.
    async fn commits(&mut self, instance: usize, env: usize, requests: Vec<Request>) -> bool {
        let mark = self.mark();
        let marks = requests.iter().map(|_| None).chain([Some(mark.clone())]).collect();
        let is_of = |marks: &[Option<String>]| marks.last().is_some_and(|last| last.as_ref() == Some(&mark));
        self.ask(instance, env, requests, marks, false);
        let began = Instant::now();
        while self.jobs.iter().any(|job| is_of(&job.marks)) {
            if began.elapsed() > SOON {
                return false;
            }
            tokio::time::sleep(Duration::from_micros(200)).await;
            self.take_answers();
        }
        self.unsure.iter().all(|job| !is_of(&job.marks))
    }

    fn running(&mut self) -> Vec<Request> {
        let (mark, workflow) = (self.mark(), format!("w{}", self.below(4)));
        vec![contract::post(json!({"external_id": mark, "workflow": workflow, "status": "running"}))]
    }

    /// Every ring is heard as it was rung.
    fn deliver_truly(&mut self) {
        let noise = std::mem::take(&mut self.noise);
        self.deliver_all();
        self.noise = noise;
    }

    fn position_of(&self, n: usize) -> Option<Position> {
        self.readers[n].position.clone()
    }

    /// Deletions take the reserve of a board and more. What its own writer says of them it acts upon, what it
    /// hears of them, in pieces small enough to be carried, at the latest when it looks; then it is whole again.
    async fn use_up_the_reserve(&mut self) {
        let Some((board, writer)) = self.two() else { return };
        self.tell("deletions use up a board's reserve");
        if !self.seat(0, board, 0, Scope::Board { limit: 500 }).await {
            return;
        }
        let writer = if self.chance(0.5) { board } else { writer };
        let newest = self.truths[0].last().1;
        let newest = newest.newest();
        let ids = newest[..TOO_MANY].iter().map(|row| row["id"].as_str().unwrap().parse().unwrap());
        let ids: Vec<DeploymentId> = ids.collect();
        for some in ids.chunks([10, TOO_MANY][self.below(2)]) {
            let requests = some.iter().map(|id| Request::Delete { id: *id }).collect();
            self.commits(writer, 0, requests).await;
            self.deliver_truly();
        }
        self.tally.add("reserves used up");
        let began = Instant::now();
        while !self.seat(1, board, 0, Scope::Board { limit: 500 }).await || self.readers[1].is_short() {
            assert!(began.elapsed() < PATIENCE, "a board stays short of rows: {:?}", self.position_of(1));
            if writer != board {
                self.look().await;
            }
        }
    }

    /// Two instances show an env that nobody has reported to, each under an epoch of its own, and the first report
    /// makes one of them true, or neither. Perhaps it is then forgotten again.
    async fn read_before_the_first_report(&mut self) {
        let (Some((one, other)), env) = (self.two(), self.below(ENVS.len())) else { return };
        self.tell("an env is read before its first report");
        for (n, instance) in [(0, one), (1, other)] {
            if !self.seat(n, instance, env, Scope::Board { limit: 100 }).await {
                return;
            }
        }
        self.copy().await;
        let (request, writer) = (self.running(), if self.chance(0.7) { Some(one) } else { self.alive() });
        if !self.commits(writer.unwrap(), env, request).await {
            return;
        }
        self.tally.add("first reports watched");
        if self.chance(0.5) {
            self.deliver_truly();
        }
        self.reads_until(0, |reader| reader.position.as_ref().is_some_and(|at| at.event_id > 0)).await;
        if self.chance(0.5) {
            self.restore(true).await;
            self.quiet().await;
        }
    }

    /// A deployment is read for its first reader; before what was read arrives, its board is told of more.
    async fn write_while_details_are_read(&mut self) {
        let (Some((instance, _)), (n, details)) = (self.two(), self.pair()) else { return };
        let env = self.env();
        let newest = self.truths[env].last().1;
        let is_read = |id: &str| {
            self.readers.iter().any(|reader| match &reader.scope {
                Scope::Details { id: other } | Scope::Log { id: other, .. } => id == other,
                Scope::Board { .. } => false,
            })
        };
        let newest = newest.newest();
        let mut ids = newest.iter().take(30).map(|row| row["id"].as_str().unwrap());
        let Some(id) = ids.find(|id| !is_read(id)).map(str::to_owned) else { return };
        if !self.seat(n, instance, env, Scope::Board { limit: 100 }).await {
            return;
        }
        self.tell(&format!("instance {instance} is told of {id} while it reads it"));
        let weather = self.instances[instance].as_ref().unwrap().weather.clone();
        weather.lock().unwrap().clear_but_for("deployment");
        self.readers[details] = self.reader_of(details, env, Scope::Details { id: id.clone() });
        self.connect_as(details, instance, Claim::Nothing).await;
        if self.reads_until(details, |_| weather.lock().unwrap().is_holding()).await {
            for _ in 0..=self.below(3) {
                let body = json!({"status": "running", "message": self.mark()});
                let report = contract::report(body);
                self.commits(instance, env, vec![Request::Patch { id: id.parse().unwrap(), report }]).await;
            }
            self.tally.add("details joined");
        }
        weather.lock().unwrap().clear();
        self.reads_until(details, |reader| reader.is_on() || reader.is_off()).await;
    }

    /// A reader moves from a board that is level to one that was told of nothing.
    async fn move_to_a_board_behind(&mut self) {
        let (Some((level, behind)), (n, moving)) = (self.two(), self.pair()) else { return };
        let env = self.env();
        let limit = [1, 8, 100][self.below(3)];
        if !self.seat(n, behind, env, Scope::Board { limit: 100 }).await
            || !self.seat(moving, level, env, Scope::Board { limit }).await
        {
            return;
        }
        self.tell(&format!("instance {level} is ahead of instance {behind}"));
        for _ in 0..=self.below(3) {
            let request = self.running();
            self.commits(level, env, request).await;
        }
        self.poll().await;
        let head = self.truths[env].last().0;
        let is_level = |reader: &Reader| reader.position.as_ref().is_some_and(|at| at.event_id >= head);
        if self.reads_until(moving, is_level).await {
            self.tally.add("moves to a board behind");
            self.connect_as(moving, behind, Claim::Truth).await;
            self.reads_until(moving, |reader| reader.is_on() || reader.is_off()).await;
        }
    }

    /// The first thing that a board is told of a new epoch follows what it has of the old one.
    async fn write_under_a_new_epoch(&mut self) {
        let (Some((instance, writer)), (n, _)) = (self.two(), self.pair()) else { return };
        let env = self.env();
        if !self.seat(n, instance, env, Scope::Board { limit: 100 }).await {
            return;
        }
        self.deliver_truly();
        self.renew_epochs().await;
        let writer = if self.chance(0.6) { instance } else { writer };
        let request = self.running();
        if self.commits(writer, env, request).await {
            self.tally.add("writes under a new epoch");
            self.deliver_truly();
            let before = self.position_of(n);
            self.reads_until(n, |reader| reader.position != before).await;
        }
    }

    /// The database loses what it had just committed, and those who had said it say it again: as many events
    /// as before, under the same ids, of which one board is told and another is not.
    async fn lose_and_repeat(&mut self) {
        let (Some((one, other)), (n, m)) = (self.two(), self.pair()) else { return };
        let env = self.env();
        self.copy().await;
        for (n, instance) in [(n, one), (m, other)] {
            if !self.seat(n, instance, env, Scope::Board { limit: 100 }).await {
                return;
            }
        }
        let lost = 1 + self.below(2);
        for _ in 0..lost {
            let request = self.running();
            self.commits(one, env, request).await;
        }
        if self.chance(0.5) {
            self.deliver_truly();
        }
        for n in [n, m] {
            let before = self.position_of(n);
            self.reads_until(n, |reader| reader.position != before).await;
        }
        self.restore(false).await;
        self.tally.add("losses repeated");
        let again = if self.chance(0.7) { lost } else { self.below(4) };
        for _ in 0..again {
            let request = self.running();
            self.commits(other, env, request).await;
        }
        if self.chance(0.3) {
            self.deliver_truly();
        }
        let before = self.position_of(n);
        let request = self.running();
        self.commits(one, env, request).await;
        self.reads_until(n, |reader| reader.position != before).await;
        self.read_some(m, 100).await;
    }
}
