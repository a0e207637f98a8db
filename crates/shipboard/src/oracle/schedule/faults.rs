//! What goes wrong, and what an operator does about it: weather, kills, renewed epochs, backups and restores.

use std::rc::Rc;
use std::time::Duration;

use rand::RngExt as _;
use rand::rngs::SmallRng;

use super::{Job, Mail, Noise, Promise, Raw, Reader, Schedule, Truth, Whole};
use crate::clock;
use crate::oracle::database::Cells;

/// A copy of the database, as a backup is.
pub(super) struct Backup {
    epochs: Vec<Cells>,
    envs: Vec<(u64, Rc<Whole>)>,
    promises: Vec<Promise>,
}

impl Schedule<'_> {
    pub(super) fn change_weather(&mut self) {
        let bad = |chances: &[f64], random: &mut SmallRng| chances[random.random_range(0..chances.len())];
        if self.chance(0.5) {
            let random = &mut self.random;
            self.noise = Noise {
                lost: bad(&[0.0, 0.2, 1.0], random),
                doubled: bad(&[0.0, 0.3], random),
                stripped: bad(&[0.0, 0.3], random),
                reordered: bad(&[0.0, 0.5], random),
            };
            self.tell(&format!("{:?}", self.noise));
            return;
        }
        let Some(n) = self.alive() else { return };
        let (away, held) =
            (bad(&[0.0, 0.0, 0.3, 1.0], &mut self.random), bad(&[0.0, 0.2, 0.6], &mut self.random));
        self.tell(&format!("instance {n}: away {away}, held {held}"));
        let mut weather = self.instances[n].as_ref().unwrap().weather.lock().unwrap();
        (weather.away, weather.held) = (away, held);
    }

    pub(super) fn clear_weather(&mut self) {
        self.noise = Noise::default();
        self.instances.iter().flatten().for_each(|instance| instance.weather.lock().unwrap().clear());
    }

    pub(super) fn release(&mut self) {
        if let Some(n) = self.alive() {
            let mut weather = self.instances[n].as_ref().unwrap().weather.lock().unwrap();
            for _ in 0..self.random.random_range(1..4) {
                weather.release_one();
            }
        }
    }

    pub(super) fn kill(&mut self) {
        let Some(n) = self.alive() else { return };
        self.tell(&format!("instance {n} is killed"));
        self.tally.add("kills");
        let instance = self.instances[n].take().unwrap();
        instance.kill();
        self.tally.merge(&instance.weather.lock().unwrap().tally);
        self.readers.iter_mut().filter(|reader| reader.instance == n).for_each(Reader::leave);
        self.mail.forget(n);
        self.take_answers();
        let (dead, open) = std::mem::take(&mut self.jobs).into_iter().partition(|job| job.instance == n);
        self.jobs = open;
        self.unsure.extend::<Vec<Job>>(dead);
    }

    pub(super) async fn restart(&mut self) {
        for n in 0..self.instances.len() {
            if self.instances[n].is_none() {
                self.tell(&format!("instance {n} starts"));
                self.start(n).await;
                return;
            }
        }
    }

    /// A server of the database's own stops, and starts again.
    pub(super) async fn bounce(&mut self) {
        if self.origin.bounce() {
            self.tell("the database's server was stopped and started");
            self.tally.add("servers bounced");
            self.raw = Raw::open(&self.database.url).await;
        }
    }

    pub(super) async fn trim(&mut self) {
        if self.is_forked {
            // Boards know another life by the time of their last event. What is trimmed is days old, and they
            // have looked every second.
            return;
        }
        let env = self.env();
        let content = self.content.clone();
        let _alone = content.write().await;
        self.poll().await;
        let keep = self.random.random_range(0..12);
        let key = self.truths[env].key.clone();
        // Only what was recorded: a commit that its instance did not live to see may come in between.
        let Some(before) = self.truths[env].last_ts(&mut self.raw).await else { return };
        let gone = self.store.trim_log(&key, before, keep).await.unwrap();
        self.tell(&format!("{gone} events of {key} are trimmed"));
        self.tally.add_many("events trimmed", gone);
    }

    /// As `shipboard epoch` does.
    pub(super) async fn renew_epochs(&mut self) {
        let content = self.content.clone();
        let _alone = content.write().await;
        self.renew_epochs_alone().await;
    }

    /// Between all verbs, so that it is known to the event what was committed under which epoch.
    async fn renew_epochs_alone(&mut self) {
        self.tell("the epochs are renewed");
        self.tally.add("epochs renewed by command");
        self.poll().await;
        for truth in &self.truths {
            if let Some(env) = self.store.env(&truth.key).await.unwrap() {
                self.store.renew_epoch(&truth.key, &env.epoch, &clock::epoch()).await.unwrap();
            }
        }
        self.poll().await;
    }

    pub(super) async fn copy(&mut self) {
        let content = self.content.clone();
        let _alone = content.write().await;
        self.poll().await;
        self.take_answers();
        self.raw.copy().await;
        let envs = self.truths.iter().map(Truth::last).collect();
        let epochs = self.epochs().await;
        self.backup = Some(Backup { epochs, envs, promises: self.promises.clone() });
        self.tell("a backup is made");
        self.tally.add("backups");
    }

    async fn epochs(&mut self) -> Vec<Cells> {
        self.raw.rows("select env, epoch from envs order by env").await
    }

    /// Puts the backup in place of what is there, under the instances. Either `shipboard epoch` is run with it,
    /// and then anything may be under way; or nobody says a word: then the instances have to find out by
    /// themselves, whatever is reported meanwhile. Nobody can of a backup from an epoch before this one, nor if
    /// what was committed before is told after; as it is when a database server takes another's place.
    pub(super) async fn restore(&mut self, announced: bool) {
        let Some(backup) = &self.backup else { return };
        let epochs = backup.epochs.clone();
        let announced = announced || self.epochs().await != epochs;
        if !announced {
            self.clear_weather();
            self.settle().await;
            self.collect();
            self.mail = Mail::default();
        }
        let content = self.content.clone();
        let _alone = content.write().await;
        let announced = announced || self.epochs().await != epochs;
        self.poll().await;
        self.take_answers();
        let before = clock::now();
        self.raw.restore().await;
        let backup = self.backup.as_ref().unwrap();
        for (truth, (head, whole)) in self.truths.iter_mut().zip(&backup.envs) {
            truth.restored(*head, whole);
        }
        self.promises.clone_from(&backup.promises);
        self.readers.iter_mut().for_each(Reader::forget_claim);
        // What was under way may have been committed before, and be gone.
        self.jobs.iter_mut().for_each(|job| {
            job.marks.iter_mut().for_each(|mark| *mark = None);
            job.is_whole = false;
        });
        self.unsure.clear();
        self.tell(&format!("the backup is restored, announced: {announced}"));
        self.tally.add(if announced { "restores announced" } else { "restores unannounced" });
        if announced {
            self.renew_epochs_alone().await;
            // What was rung in the life before may be heard as late as in this one.
            for _ in 0..self.random.random_range(0..20) {
                self.ring_ancient();
            }
        } else {
            self.is_forked = true;
            self.poll().await;
            // Lives are told apart by milliseconds, and no restore is over within one.
            while clock::now() <= before {
                tokio::time::sleep(Duration::from_micros(100)).await;
            }
        }
    }
}
