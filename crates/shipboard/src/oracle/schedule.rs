//! One schedule: what happens, drawn from a seed, to instances, bus, database and readers.

mod quiet;
mod reports;

use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rand::rngs::SmallRng;
use rand::{RngExt as _, SeedableRng as _};
use shipboard_core::decide::Request;
use shipboard_core::id::{DeploymentId, EventId};
use tokio::sync::{RwLock, oneshot};

use super::ENVS;
use super::bus::{Kind, Mail, Noise};
use super::database::{Cells, Database, Origin, Raw};
use super::instance::Instance;
use super::reader::{Claim, Reader, Scope};
use super::tally::Tally;
use super::truth::{Truth, Whole};
use crate::clock;
use crate::store::{Store, contract};
use crate::writer::{Answer, WriteError};

/// How long everybody may take to agree once all trouble is over.
const PATIENCE: Duration = Duration::from_secs(10);
/// Most lines of a schedule that are kept to be told when it fails.
const MAX_TOLD: usize = 150;

/// What has happened so far.
#[derive(Clone, Default)]
pub(super) struct Story(Arc<Mutex<VecDeque<String>>>);

impl Story {
    fn tell(&self, line: String) {
        let mut lines = self.0.lock().unwrap();
        if lines.len() == MAX_TOLD {
            lines.pop_front();
        }
        lines.push_back(line);
    }

    pub(super) fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap().iter().cloned().collect()
    }
}

/// Requests that an instance was asked to commit together.
struct Job {
    instance: usize,
    env: usize,
    requests: Vec<Request>,
    /// What each says and no other, if it says such a thing.
    marks: Vec<Option<String>>,
    /// Made only of new deployments: all of it is there, or nothing.
    is_whole: bool,
    answer: oneshot::Receiver<Result<Answer, WriteError>>,
}

/// What an answer has promised.
#[derive(Clone, Debug)]
struct Promise {
    env: usize,
    mark: String,
    id: DeploymentId,
}

/// A copy of the database, as a backup is.
struct Backup {
    epochs: Vec<Cells>,
    envs: Vec<(u64, Rc<Whole>)>,
    promises: Vec<Promise>,
}

pub(super) struct Schedule<'a> {
    origin: &'a Origin,
    database: &'a Database,
    random: SmallRng,
    story: Story,
    tally: Tally,
    kind: Kind,
    noise: Noise,
    mail: Mail,
    content: Arc<RwLock<()>>,
    instances: Vec<Option<Instance>>,
    readers: Vec<Reader>,
    raw: Raw,
    /// A store that nothing befalls.
    store: Store,
    truths: Vec<Truth>,
    jobs: Vec<Job>,
    promises: Vec<Promise>,
    /// Jobs that failed or that nobody answered, and are made whole at the next quiet point.
    unsure: Vec<Job>,
    known: Vec<Vec<DeploymentId>>,
    backup: Option<Backup>,
    /// No report gets through: the database was restored, and not every instance has looked since.
    closed: Arc<AtomicBool>,
    looked: Vec<Arc<AtomicBool>>,
    marks: u64,
    step: usize,
}

impl<'a> Schedule<'a> {
    pub(super) async fn begin(origin: &'a Origin, database: &'a Database, seed: u64, story: Story) -> Self {
        let mut random = SmallRng::seed_from_u64(seed);
        let mut raw = Raw::open(&database.url).await;
        let mut truths = Vec::new();
        for env in ENVS {
            truths.push(Truth::new(contract::key(env), &mut raw).await);
        }
        let kind = Kind { carries_events: random.random_bool(0.6), only_followed: random.random_bool(0.5) };
        let mut schedule = Self {
            origin,
            database,
            story,
            tally: Tally::default(),
            kind,
            noise: Noise::default(),
            mail: Mail::default(),
            content: Arc::default(),
            instances: Vec::new(),
            readers: Vec::new(),
            raw,
            store: Store::open(&database.url).await.unwrap(),
            truths,
            jobs: Vec::new(),
            promises: Vec::new(),
            unsure: Vec::new(),
            known: vec![Vec::new(); ENVS.len()],
            backup: None,
            closed: Arc::default(),
            looked: Vec::new(),
            marks: 0,
            step: 0,
            random,
        };
        for n in 0..schedule.random.random_range(2..5) {
            schedule.instances.push(None);
            schedule.looked.push(Arc::default());
            schedule.start(n).await;
        }
        for n in 0..schedule.random.random_range(3..7) {
            let reader = schedule.new_reader(n);
            schedule.readers.push(reader);
        }
        schedule.tell(&format!("{kind:?}, {} instances", schedule.instances.len()));
        schedule
    }

    fn tell(&self, line: &str) {
        self.story.tell(format!("{:>4} {line}", self.step));
    }

    fn chance(&mut self, chance: f64) -> bool {
        self.random.random_bool(chance)
    }

    fn below(&mut self, end: usize) -> usize {
        self.random.random_range(0..end)
    }

    fn env(&mut self) -> usize {
        usize::from(self.random.random_bool(0.2))
    }

    fn alive(&mut self) -> Option<usize> {
        let alive: Vec<usize> = (0..self.instances.len()).filter(|n| self.instances[*n].is_some()).collect();
        if alive.is_empty() { None } else { Some(alive[self.below(alive.len())]) }
    }

    async fn start(&mut self, n: usize) {
        let seed = self.random.random();
        let (content, closed) = (self.content.clone(), self.closed.clone());
        self.instances[n] = Some(Instance::start(&self.database.url, self.kind, content, closed, seed).await);
        // It remembers nothing that could be of another life.
        self.looked[n] = Arc::new(AtomicBool::new(true));
    }

    fn new_reader(&mut self, n: usize) -> Reader {
        let env = self.env();
        let newest = self.truths[env].last().1;
        let newest = newest.newest();
        let scope = if newest.is_empty() || self.chance(0.6) {
            // Fewer rows than there are, about as many, and more.
            let limits = [1, 3, 8, 12, 100, 500];
            Scope::Board { limit: limits[self.below(limits.len())] }
        } else {
            let id = newest[self.below(newest.len().min(30))]["id"].as_str().unwrap().to_owned();
            if self.chance(0.7) { Scope::Details { id } } else { Scope::Log { id, offset: 0 } }
        };
        let name = format!("reader {n} of {} {scope:?}", ENVS[env]);
        Reader::new(name, self.truths[env].key.clone(), scope)
    }

    fn env_of(&self, reader: usize) -> usize {
        self.truths.iter().position(|truth| truth.key == self.readers[reader].key).unwrap()
    }

    pub(super) async fn run(mut self) -> Tally {
        let steps = self.random.random_range(50..120);
        for step in 0..steps {
            self.step = step;
            match self.below(100) {
                0..27 => self.report(),
                27..41 => self.deliver(),
                41..58 => self.read().await,
                58..68 => self.connect().await,
                68..73 => self.compare_heads(),
                73..78 => self.change_weather(),
                78..82 => self.release(),
                82..84 => self.kill(),
                84..87 => self.restart().await,
                87..90 => self.append(),
                90..92 => self.beat(),
                92 => self.trim().await,
                93 => self.renew_epochs().await,
                94 => self.copy().await,
                95 => self.restore().await,
                96 => self.ring_ancient(),
                97 => self.delete_many().await,
                98 => self.bounce().await,
                _ => self.quiet().await,
            }
            self.breathe().await;
            self.take_answers();
            self.open_doors();
        }
        self.step = steps;
        self.quiet().await;
        self.end().await
    }

    /// Lets what was begun go on, for a moment or until something comes of it.
    async fn breathe(&mut self) {
        match self.below(10) {
            0..3 => {}
            3..6 => {
                for _ in 0..self.below(12) {
                    tokio::task::yield_now().await;
                }
            }
            _ => {
                if let Some(job) = self.jobs.last_mut() {
                    // What comes of it is found again by `take_answers`.
                    let _ = tokio::time::timeout(Duration::from_millis(4), async {
                        while job.answer.is_empty() && !job.answer.is_terminated() {
                            tokio::time::sleep(Duration::from_micros(200)).await;
                        }
                    })
                    .await;
                }
            }
        }
    }

    fn collect(&mut self) {
        let lines: Vec<_> = self.instances.iter().map(|n| n.as_ref().map(|n| &*n.line)).collect();
        for from in 0..lines.len() {
            self.mail.collect(&lines, from, self.noise, &mut self.random, &mut self.tally);
        }
    }

    fn deliver(&mut self) {
        // What an instance rings meanwhile gathers in its outbox.
        if self.random.random_bool(0.7) {
            self.collect();
        }
        for _ in 0..self.random.random_range(1..6) {
            let Some(to) = self.alive() else { return };
            self.deliver_to(to);
        }
    }

    fn deliver_to(&mut self, to: usize) {
        let Some(instance) = &self.instances[to] else { return };
        if let Some(ring) = self.mail.next(to, &instance.line, self.noise, &mut self.random, &mut self.tally)
        {
            instance.app.boards.hear(ring);
            self.tally.add("rings heard");
        }
    }

    fn deliver_all(&mut self) {
        self.collect();
        for to in 0..self.instances.len() {
            while !self.mail.is_empty(to) && self.instances[to].is_some() {
                self.deliver_to(to);
            }
        }
    }

    fn ring_ancient(&mut self) {
        let (Some(to), Some(ring)) = (self.alive(), self.mail.ancient(&mut self.random)) else { return };
        self.tell(&format!("instance {to} hears once more of {} {}", ring.epoch, ring.head));
        self.tally.add("rings of long ago");
        self.instances[to].as_ref().unwrap().app.boards.hear(ring);
    }

    async fn read(&mut self) {
        let n = self.below(self.readers.len());
        let pieces = [1, 2, 5, 100][self.below(4)];
        self.read_some(n, pieces).await;
    }

    /// Reads, and holds what it has against what the database had at that event.
    async fn read_some(&mut self, n: usize, pieces: usize) {
        self.readers[n].read(pieces, &mut self.tally);
        let reader = &self.readers[n];
        if reader.is_on() && reader.moved {
            self.poll().await;
            self.compare(n);
        }
        if self.readers[n].is_off() && self.readers[n].ended.as_deref() == Some("gone") {
            let reader = self.new_reader(n);
            self.readers[n] = reader;
        }
    }

    fn compare(&mut self, n: usize) {
        let reader = &mut self.readers[n];
        reader.moved = false;
        let reader = &self.readers[n];
        if matches!(reader.scope, Scope::Log { .. }) {
            return;
        }
        let position = reader.position.as_ref().unwrap();
        let states = self.truths[self.env_of(n)].at(position.event_id);
        if states.is_empty() && matches!(reader.scope, Scope::Details { .. }) {
            // The rest of the transaction is still to come: it is sent event by event here.
            return;
        }
        let agreed: Vec<_> = states.iter().map(|whole| reader.agrees(whole)).collect();
        assert!(
            agreed.iter().any(Result::is_ok),
            "{} at {position:?} holds what was never there: {}",
            reader.name,
            agreed
                .into_iter()
                .find_map(Result::err)
                .unwrap_or_else(|| "no transaction ends there".to_owned())
        );
        self.tally.add("states compared");
    }

    async fn connect(&mut self) {
        let n = self.below(self.readers.len());
        let Some(instance) = self.alive() else { return };
        if !self.readers[n].is_off() && self.chance(0.2) {
            self.tally.add("streams left");
            self.readers[n].leave();
            return;
        }
        if self.chance(0.15) {
            let reader = self.new_reader(n);
            self.readers[n] = reader;
        }
        self.connect_to(n, instance).await;
    }

    async fn connect_to(&mut self, n: usize, instance: usize) {
        self.poll().await;
        let claim = match (self.below(10), &self.readers[n].position) {
            (0, _) => Claim::Nothing,
            (1, Some(position)) => Claim::Lie(format!("{}.{}", position.epoch, position.event_id + 1_000)),
            (2, Some(position)) => Claim::Lie(format!("other.{}", position.event_id)),
            (3, Some(position)) => Claim::Lie(format!("{}.{}", position.epoch, position.event_id / 2)),
            (4, _) => Claim::Lie("nonsense".to_owned()),
            _ => Claim::Truth,
        };
        if matches!(claim, Claim::Lie(_)) {
            self.tally.add("false positions");
        }
        self.tally.add("connects");
        self.tell(&format!("{} connects to instance {instance}, {claim:?}", self.readers[n].name));
        let env = self.env_of(n);
        let Instance { router, app, .. } = self.instances[instance].as_ref().unwrap();
        let head = self.truths[env].last().0;
        self.readers[n].connect(instance, router, &app.tasks, claim, head);
    }

    fn beat(&mut self) {
        if let Some(n) = self.alive() {
            self.instances[n].as_ref().unwrap().beat();
        }
    }

    /// What each instance does every second.
    fn compare_heads(&mut self) {
        let Some(n) = self.alive() else { return };
        let app = self.instances[n].as_ref().unwrap().app.clone();
        let looked = self.looked[n].clone();
        app.clone().tasks.spawn(async move {
            if app.boards.check().await.is_ok() {
                looked.store(true, Ordering::Relaxed);
            }
        });
    }

    fn change_weather(&mut self) {
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

    fn release(&mut self) {
        if let Some(n) = self.alive() {
            let mut weather = self.instances[n].as_ref().unwrap().weather.lock().unwrap();
            for _ in 0..self.random.random_range(1..4) {
                weather.release_one();
            }
        }
    }

    fn kill(&mut self) {
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

    async fn restart(&mut self) {
        for n in 0..self.instances.len() {
            if self.instances[n].is_none() {
                self.tell(&format!("instance {n} starts"));
                self.start(n).await;
                return;
            }
        }
    }

    /// A server of the database's own stops, and starts again.
    async fn bounce(&mut self) {
        if self.origin.bounce() {
            self.tell("the database's server was stopped and started");
            self.tally.add("servers bounced");
            self.raw = Raw::open(&self.database.url).await;
        }
    }

    async fn trim(&mut self) {
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
    async fn renew_epochs(&mut self) {
        self.tell("the epochs are renewed");
        self.tally.add("epochs renewed by command");
        for truth in &self.truths {
            if let Some(env) = self.store.env(&truth.key).await.unwrap() {
                let beyond = EventId(u64::MAX);
                self.store.renew_epoch(&truth.key, &env.epoch, beyond, &clock::epoch()).await.unwrap();
            }
        }
    }

    async fn copy(&mut self) {
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
    /// looking, and reports come again when they have. One that went on writing before it looked could go
    /// beyond what was seen, and nobody would know; nor would they of a backup from an epoch before this one.
    async fn restore(&mut self) {
        let Some(backup) = &self.backup else { return };
        let epochs = backup.epochs.clone();
        let announced = self.chance(0.5) || self.epochs().await != epochs;
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
        self.raw.restore().await;
        let backup = self.backup.as_ref().unwrap();
        for (truth, (head, whole)) in self.truths.iter_mut().zip(&backup.envs) {
            truth.restored(*head, whole);
        }
        self.promises.clone_from(&backup.promises);
        // What was under way may have been committed before, and be gone.
        self.jobs.iter_mut().for_each(|job| {
            job.marks.iter_mut().for_each(|mark| *mark = None);
            job.is_whole = false;
        });
        self.unsure.clear();
        self.tell(&format!("the backup is restored, announced: {announced}"));
        self.tally.add(if announced { "restores announced" } else { "restores unannounced" });
        if announced {
            self.renew_epochs().await;
            // What was rung in the life before may be heard as late as in this one.
            for _ in 0..self.random.random_range(0..20) {
                self.ring_ancient();
            }
        } else {
            self.closed.store(true, Ordering::Relaxed);
            self.looked.iter().for_each(|looked| looked.store(false, Ordering::Relaxed));
        }
    }

    /// Lets reports in again when all instances have looked at the database since it was restored.
    fn open_doors(&mut self) {
        let all = self.instances.iter().zip(&self.looked);
        if all.filter(|(instance, _)| instance.is_some()).all(|(_, looked)| looked.load(Ordering::Relaxed)) {
            self.closed.store(false, Ordering::Relaxed);
        }
    }

    fn clear_weather(&mut self) {
        self.noise = Noise::default();
        self.instances.iter().flatten().for_each(|instance| instance.weather.lock().unwrap().clear());
    }
}
