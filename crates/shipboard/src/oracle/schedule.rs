//! One schedule: what happens, drawn from a seed, to instances, bus, database and readers.

mod faults;
mod quiet;
mod reports;
mod scenes;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rand::rngs::SmallRng;
use rand::{RngExt as _, SeedableRng as _};
use shipboard_core::decide::Request;
use shipboard_core::id::DeploymentId;
use tokio::sync::{RwLock, oneshot};

use self::faults::Backup;
use super::ENVS;
use super::bus::{Kind, Mail, Noise};
use super::database::{Database, Origin, Raw};
use super::instance::Instance;
use super::reader::{Claim, Position, Reader, Scope};
use super::tally::Tally;
use super::truth::{Truth, Whole};
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
    /// The database was restored without a word since all was quiet.
    is_forked: bool,
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
            is_forked: false,
            marks: 0,
            step: 0,
            random,
        };
        for n in 0..schedule.random.random_range(2..5) {
            schedule.instances.push(None);
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
        let content = self.content.clone();
        self.instances[n] = Some(Instance::start(&self.database.url, self.kind, content, seed).await);
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
        self.reader_of(n, env, scope)
    }

    fn reader_of(&self, n: usize, env: usize, scope: Scope) -> Reader {
        let name = format!("reader {n} of {} {scope:?}", ENVS[env]);
        Reader::new(name, self.truths[env].key.clone(), scope)
    }

    fn env_of(&self, reader: usize) -> usize {
        self.truths.iter().position(|truth| truth.key == self.readers[reader].key).unwrap()
    }

    pub(super) async fn run(mut self) -> Tally {
        self.prologue().await;
        let steps = self.random.random_range(50..120);
        for step in 0..steps {
            self.step = step;
            match self.below(100) {
                0..25 => self.report(),
                25..27 => self.scene().await,
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
                95 => {
                    let announced = self.chance(0.5);
                    self.restore(announced).await;
                }
                96 => self.ring_ancient(),
                97 => self.delete_many().await,
                98 => self.bounce().await,
                _ => self.quiet().await,
            }
            self.breathe().await;
            self.take_answers();
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
        let states = self.truths[self.env_of(n)].at(&position.epoch, position.event_id);
        let Some(states) = states else {
            let reigns = self.truths[self.env_of(n)].reigns();
            panic!("{} has the position of nobody: {position:?} of\n{reigns}", reader.name)
        };
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
        let claim = match (self.below(10), &self.readers[n].position) {
            (0, _) => Claim::Nothing,
            (1, Some(position)) => Claim::Lie(format!("{}.{}", position.epoch, position.event_id + 1_000)),
            (2, Some(position)) => Claim::Lie(format!("other.{}", position.event_id)),
            (3, Some(position)) => Claim::Lie(format!("{}.{}", position.epoch, position.event_id / 2)),
            (4, _) => Claim::Lie("nonsense".to_owned()),
            _ => Claim::Truth,
        };
        self.connect_as(n, instance, claim).await;
    }

    async fn connect_as(&mut self, n: usize, instance: usize, claim: Claim) {
        self.poll().await;
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
        app.clone().tasks.spawn(async move { drop(app.boards.check().await) });
    }
}
