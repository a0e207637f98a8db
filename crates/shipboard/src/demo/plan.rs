//! What happens in the fleet, drawn from a seed: releases, how each goes through its envs, and how it ends.
//!
//! No clock here: a plan has lengths of time only, in seconds as they would really pass.

use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{RngExt as _, SeedableRng as _};

use super::world::{
    BOT, CANCELLATIONS, ENVS, FAILURES, LOG_LINES, PARTS, PEOPLE, ROLLBACK_REASONS, SERVICES, SUBJECTS,
    SWEEPS, Service, Versions,
};

/// Out of a thousand releases: how many go on to staging, and from there to production.
const TO_STAGING: u32 = 740;
const TO_PRODUCTION: u32 = 940;
/// Out of a thousand rollouts: how many are cancelled, and how many fall silent.
const CANCELLED: u32 = 25;
const SILENT: u32 = 5;
/// Out of a thousand that failed: how many are tried again.
const TRIED_AGAIN: u32 = 450;
/// Out of a thousand successes in production: how many turn out to be bad, and are rolled back.
const REGRETTED: u32 = 45;
/// Out of a thousand moments: how many begin a sweep over several services at once.
const SWEEP: u32 = 25;
/// Seconds from one env's success to the next env, at the median: production is nine minutes behind
/// integration, rollouts included.
const PROMOTION_S: f64 = 75.0;

/// A version of a service on its way.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Release {
    pub(super) service: usize,
    pub(super) version: String,
    pub(super) sha: String,
    pub(super) subject: String,
    pub(super) actor: usize,
    /// One after the other, each after the one before has succeeded.
    pub(super) rollouts: Vec<Rollout>,
}

/// One deployment.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Rollout {
    pub(super) id: String,
    pub(super) env: usize,
    pub(super) service: usize,
    pub(super) version: String,
    pub(super) sha: String,
    pub(super) subject: String,
    pub(super) actor: usize,
    /// Why it is made, if it is a rollback.
    pub(super) rollback: Option<&'static str>,
    /// Seconds after the one before it.
    pub(super) after_s: f64,
    pub(super) tries: Vec<Try>,
}

impl Rollout {
    /// It ended well at last.
    pub(super) fn succeeds(&self) -> bool {
        self.tries.last().is_some_and(|last| last.end == End::Success)
    }
}

/// One attempt.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Try {
    pub(super) queued_s: f64,
    /// Who let it in, and after how long.
    pub(super) approval: Option<(usize, f64)>,
    pub(super) steps: Vec<Step>,
    /// How the last step ends.
    pub(super) end: End,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Step {
    pub(super) name: &'static str,
    pub(super) seconds: f64,
    pub(super) log: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum End {
    Success,
    Failed(&'static str),
    Cancelled(&'static str),
    /// Whoever reported it has died.
    Silent,
}

/// Draws one release after the other.
#[derive(Debug)]
pub(super) struct Planner {
    random: StdRng,
    seed: u64,
    next_id: u64,
    versions: Vec<Versions>,
    /// The version and commit that runs, by env and service, as planned.
    current: Vec<Vec<Option<(String, String)>>>,
    /// Services of a sweep that are still to come.
    sweep: Vec<usize>,
    swept: &'static str,
}

impl Planner {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            random: StdRng::seed_from_u64(seed),
            seed,
            next_id: 0,
            versions: SERVICES.iter().map(|service| service.versions).collect(),
            current: vec![vec![None; SERVICES.len()]; ENVS.len()],
            sweep: Vec::new(),
            swept: "",
        }
    }

    fn happens(&mut self, in_a_thousand: u32) -> bool {
        self.random.random_range(0..1_000) < in_a_thousand
    }

    fn any<T: Copy>(&mut self, of: &[T]) -> T {
        *of.choose(&mut self.random).expect("the world's lists are not empty")
    }

    /// A length of time around this one, now and then a much longer one.
    fn around(&mut self, seconds: f64) -> f64 {
        let spread: f64 = self.random.random_range(-1.0..1.0) + self.random.random_range(-0.6..0.6);
        seconds * (spread * 0.55).exp()
    }

    /// Part of a mean pause until the next release: none within a sweep.
    pub(super) fn pause(&mut self) -> f64 {
        if !self.sweep.is_empty() {
            return 0.003;
        }
        let even: f64 = self.random.random_range(0.02..1.0);
        -even.ln()
    }

    /// The next release.
    pub(super) fn release(&mut self) -> Release {
        if self.sweep.is_empty() && self.happens(SWEEP) {
            let several = self.random.random_range(3..=SERVICES.len());
            self.sweep =
                (0..SERVICES.len()).collect::<Vec<_>>().sample(&mut self.random, several).copied().collect();
            self.swept = self.any(SWEEPS);
        }
        let (service, subject, actor) = if let Some(service) = self.sweep.pop() {
            (service, self.swept.to_owned(), BOT)
        } else {
            let subject = self.any(SUBJECTS).replace("{}", self.any(PARTS));
            (self.service(), subject, self.random.random_range(0..BOT))
        };
        let (version, sha) = (self.version(service), self.sha());
        let mut release = Release { service, version, sha, subject, actor, rollouts: Vec::new() };
        for env in 0..ENVS.len() {
            let goes_on = match env {
                0 => true,
                1 => self.happens(TO_STAGING),
                _ => self.happens(TO_PRODUCTION),
            };
            if !goes_on {
                break;
            }
            let rollout = self.rollout(&release, env);
            let succeeds = rollout.succeeds();
            release.rollouts.push(rollout);
            let before = self.current[env][service].clone();
            if succeeds {
                self.current[env][service] = Some((release.version.clone(), release.sha.clone()));
            }
            let last = env + 1 == ENVS.len();
            if last && let Some(rollback) = self.rollback(&release, env, before, succeeds) {
                self.current[env][service] = Some((rollback.version.clone(), rollback.sha.clone()));
                release.rollouts.push(rollback);
            }
            if !succeeds {
                break;
            }
        }
        release
    }

    fn service(&mut self) -> usize {
        let all: u32 = SERVICES.iter().map(|service| service.weight).sum();
        let mut drawn = self.random.random_range(0..all);
        SERVICES
            .iter()
            .position(|service| {
                let found = drawn < service.weight;
                drawn = drawn.saturating_sub(service.weight);
                found
            })
            .unwrap_or(0)
    }

    fn version(&mut self, service: usize) -> String {
        let minor = self.happens(300);
        match &mut self.versions[service] {
            Versions::Counted(number) => {
                *number += 1;
                format!("v{number}")
            }
            Versions::Semantic(major, patch) => {
                // The patch counts through a hundred of them to the next minor one, or jumps there.
                *patch += if minor { 100 - *patch % 100 } else { 1 };
                format!("{major}.{}.{}", *patch / 100, *patch % 100)
            }
            Versions::Dated(number) => {
                *number += 1;
                format!("2026.{number}")
            }
        }
    }

    fn sha(&mut self) -> String {
        let bytes: [u8; 20] = self.random.random();
        hex::encode(bytes)
    }

    fn id(&mut self) -> String {
        self.next_id += 1;
        format!("fleet-{}-{}", self.seed, self.next_id)
    }

    fn rollout(&mut self, release: &Release, env: usize) -> Rollout {
        let service = &SERVICES[release.service];
        let mut tries = vec![self.attempt(service, env)];
        if matches!(tries[0].end, End::Failed(_)) && self.happens(TRIED_AGAIN) {
            tries.push(self.attempt(service, env));
        }
        Rollout {
            id: self.id(),
            env,
            service: release.service,
            version: release.version.clone(),
            sha: release.sha.clone(),
            subject: release.subject.clone(),
            actor: release.actor,
            rollback: None,
            after_s: if env == 0 { 0.0 } else { self.around(PROMOTION_S) },
            tries,
        }
    }

    /// Back to what ran before, after a success in production that is regretted.
    fn rollback(
        &mut self,
        release: &Release,
        env: usize,
        before: Option<(String, String)>,
        succeeded: bool,
    ) -> Option<Rollout> {
        let regretted = succeeded && self.happens(REGRETTED);
        let (version, sha) = before.filter(|_| regretted)?;
        let mut again = self.attempt(&SERVICES[release.service], env);
        again.end = End::Success;
        again.approval = None;
        Some(Rollout {
            id: self.id(),
            env,
            service: release.service,
            subject: format!("Back to {version}"),
            version,
            sha,
            actor: self.random.random_range(0..BOT),
            rollback: Some(self.any(ROLLBACK_REASONS)),
            after_s: self.around(240.0),
            tries: vec![again],
        })
    }

    fn attempt(&mut self, service: &Service, env: usize) -> Try {
        let end = match self.random.random_range(0..1_000) {
            n if n < SILENT => End::Silent,
            n if n < SILENT + CANCELLED => End::Cancelled(self.any(CANCELLATIONS)),
            n if n < SILENT + CANCELLED + service.failures => End::Failed(self.any(FAILURES)),
            _ => End::Success,
        };
        let of = service.steps.len();
        let reached = if end == End::Success { of } else { self.random.random_range(1..=of) };
        // Production goes more slowly, on purpose.
        let scale = if env + 1 == ENVS.len() { 1.0 } else { 0.6 };
        let step = |planner: &mut Self, name| {
            let lines = planner.random.random_range(2..9);
            let log = (0..lines).map(|_| planner.log_line()).collect();
            Step { name, seconds: planner.around(service.seconds * scale / of as f64), log }
        };
        let steps = service.steps[..reached].iter().map(|name| step(self, *name)).collect();
        let asks = service.approved && env + 1 == ENVS.len();
        let approval = asks.then(|| (self.random.random_range(0..BOT), self.around(300.0)));
        Try { queued_s: self.around(6.0), approval, steps, end }
    }

    fn log_line(&mut self) -> String {
        let number = self.random.random_range(2..400).to_string();
        self.any(LOG_LINES).replace("{}", &number)
    }
}

impl Rollout {
    pub(super) fn who(&self) -> (&'static str, &'static str) {
        PEOPLE[self.actor]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn releases(seed: u64, count: usize) -> Vec<Release> {
        let mut planner = Planner::new(seed);
        (0..count).map(|_| planner.release()).collect()
    }

    #[test]
    fn the_same_seed_is_the_same_story_and_another_is_another() {
        assert_eq!(releases(7, 200), releases(7, 200));
        assert_ne!(releases(7, 20), releases(8, 20));
    }

    #[test]
    fn everything_that_a_board_can_show_happens() {
        let releases = releases(7, 2_000);
        let rollouts: Vec<_> = releases.iter().flat_map(|release| &release.rollouts).collect();
        let tries = || rollouts.iter().flat_map(|rollout| &rollout.tries);
        let ends = |wanted: fn(&End) -> bool| tries().filter(|it| wanted(&it.end)).count();
        assert!(ends(|end| *end == End::Silent) > 5);
        assert!(ends(|end| matches!(end, End::Cancelled(_))) > 20);
        assert!(ends(|end| matches!(end, End::Failed(_))) > 100);
        assert!(rollouts.iter().filter(|it| it.rollback.is_some()).count() > 10);
        assert!(rollouts.iter().filter(|it| it.tries.len() == 2).count() > 20);
        assert!(tries().filter(|it| it.approval.is_some()).count() > 100);
        assert!(SERVICES.iter().enumerate().all(|(at, _)| releases.iter().any(|it| it.service == at)));
    }

    #[test]
    fn fewer_releases_reach_each_further_env() {
        let releases = releases(7, 2_000);
        let reached =
            |env| releases.iter().filter(|release| release.rollouts.iter().any(|it| it.env == env)).count();
        let (first, second, third) = (reached(0), reached(1), reached(2));
        assert_eq!(first, 2_000);
        assert!((1_200..1_600).contains(&second), "{second}");
        assert!((1_000..second).contains(&third), "{third}");
    }

    #[test]
    fn a_service_never_has_the_same_version_twice() {
        let releases = releases(7, 1_000);
        let mut versions: Vec<_> =
            releases.iter().map(|release| (release.service, &release.version)).collect();
        versions.sort_unstable();
        versions.dedup();
        assert_eq!(versions.len(), 1_000);
    }

    #[test]
    fn a_rollback_goes_to_a_version_that_was_there() {
        let releases = releases(7, 2_000);
        for (at, release) in releases.iter().enumerate() {
            for rollback in release.rollouts.iter().filter(|it| it.rollback.is_some()) {
                let earlier = releases[..at].iter().filter(|it| it.service == release.service);
                assert!(earlier.clone().any(|it| it.version == rollback.version), "{rollback:?}");
            }
        }
    }
}
