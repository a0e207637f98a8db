//! A bus that does what a bus may do: it loses, doubles, delays, reorders and merges rings, with or without
//! their events, and now and then rings with one that everybody has forgotten.

use std::collections::HashMap;
use std::sync::Mutex;

use futures_util::FutureExt as _;
use rand::RngExt as _;
use rand::rngs::SmallRng;
use tokio::task::AbortHandle;

use super::tally::Tally;
use crate::bus::outbox::Outbox;
use crate::bus::{Bus, Following, Ring};
use crate::store::EnvKey;
use crate::tasks::Tasks;

/// Most rings that are remembered, to be rung again.
const MEMORY: usize = 64;

/// How all lines of a schedule are: as over PostgreSQL, or as over NATS.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kind {
    pub(super) carries_events: bool,
    pub(super) only_followed: bool,
}

/// One instance's end.
#[derive(Debug)]
pub(super) struct Line {
    kind: Kind,
    outbox: Outbox,
    tasks: Tasks,
    followed: Mutex<HashMap<EnvKey, AbortHandle>>,
}

impl Line {
    pub(super) fn new(kind: Kind, tasks: Tasks) -> Self {
        Self { kind, outbox: Outbox::default(), tasks, followed: Mutex::default() }
    }

    /// What has gathered, merged.
    fn take(&self) -> Vec<Ring> {
        self.outbox.take().now_or_never().unwrap_or_default()
    }

    fn hears_of(&self, key: &EnvKey) -> bool {
        let followed = self.followed.lock().unwrap();
        !self.kind.only_followed || followed.get(key).is_some_and(|following| !following.is_finished())
    }
}

impl Bus for Line {
    fn ring(&self, ring: Ring) {
        self.outbox.put(ring);
    }

    fn carries_events(&self) -> bool {
        self.kind.carries_events
    }

    fn follow(&self, key: &EnvKey) -> Option<Following> {
        if !self.kind.only_followed {
            return None;
        }
        let following = self.tasks.spawn_until_stop(std::future::pending());
        self.followed.lock().unwrap().insert(key.clone(), following.clone());
        Some(Following(following))
    }

    fn is_connected(&self) -> bool {
        true
    }
}

/// How badly rings fare, each a chance.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Noise {
    pub(super) lost: f64,
    pub(super) doubled: f64,
    pub(super) stripped: f64,
    pub(super) reordered: f64,
}

/// Rings on their way, by the instance they go to.
#[derive(Default)]
pub(super) struct Mail {
    waiting: Vec<Vec<Ring>>,
    memory: Vec<Ring>,
}

impl Mail {
    /// Takes what an instance has rung, and sends it to all others.
    pub(super) fn collect(
        &mut self,
        lines: &[Option<&Line>],
        from: usize,
        noise: Noise,
        random: &mut SmallRng,
        tally: &mut Tally,
    ) {
        self.waiting.resize_with(lines.len(), Vec::new);
        let Some(line) = lines[from] else { return };
        for ring in line.take() {
            if ring.transactions.len() > 1 {
                tally.add("rings merged");
            }
            if self.memory.len() == MEMORY {
                self.memory.swap_remove(0);
            }
            self.memory.push(ring.clone());
            for (to, waiting) in self.waiting.iter_mut().enumerate() {
                if to == from || lines[to].is_none() {
                    continue;
                }
                tally.add("rings sent");
                let mut ring = ring.clone();
                if random.random_bool(noise.stripped) {
                    tally.add("rings stripped");
                    ring.transactions.clear();
                }
                if random.random_bool(noise.doubled) {
                    tally.add("rings doubled");
                    waiting.push(ring.clone());
                }
                if random.random_bool(noise.lost) {
                    tally.add("rings lost");
                } else {
                    waiting.push(ring);
                }
            }
        }
    }

    /// The next ring for an instance, if it hears of that env.
    pub(super) fn next(
        &mut self,
        to: usize,
        line: &Line,
        noise: Noise,
        random: &mut SmallRng,
        tally: &mut Tally,
    ) -> Option<Ring> {
        let waiting = self.waiting.get_mut(to).filter(|waiting| !waiting.is_empty())?;
        let place =
            if random.random_bool(noise.reordered) { random.random_range(0..waiting.len()) } else { 0 };
        if place > 0 {
            tally.add("rings reordered");
        }
        Some(waiting.remove(place)).filter(|ring| line.hears_of(&ring.key))
    }

    /// A ring from long ago, perhaps from another life of the database.
    pub(super) fn ancient(&self, random: &mut SmallRng) -> Option<Ring> {
        let at = random.random_range(0..self.memory.len().max(1));
        self.memory.get(at).cloned()
    }

    /// Nothing is on its way to this instance.
    pub(super) fn is_empty(&self, to: usize) -> bool {
        self.waiting.get(to).is_none_or(Vec::is_empty)
    }

    /// It died: what was on its way to it is lost.
    pub(super) fn forget(&mut self, to: usize) {
        if let Some(waiting) = self.waiting.get_mut(to) {
            waiting.clear();
        }
    }
}
