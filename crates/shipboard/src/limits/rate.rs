//! How often somebody may do something: so much a second, and ten seconds' worth of it at once.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// What somebody who was quiet may do at once: as much as in so long.
pub const BURST: Duration = Duration::from_secs(10);
/// Most callers told apart. Those that come when so many are at it are counted as one.
const MAX_CALLERS: usize = 100_000;

/// A rate for each of many callers. What is kept of one is a single moment: when all that it took will have been
/// earned (the *generic cell rate algorithm* of ATM's traffic management).
#[derive(Debug)]
pub struct Rate {
    name: &'static str,
    /// How long one takes to be earned; `None`: there is no limit.
    each: Option<Duration>,
    earned: Mutex<HashMap<Box<str>, Instant>>,
}

/// Too much was asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{limit}: this was too much at once; come back later")]
pub struct Over {
    /// Which limit.
    pub limit: &'static str,
    /// After how long the same will be admitted, if nothing else is asked for until then.
    pub wait: Duration,
}

impl Rate {
    /// So many a second for each caller; 0: as many as they like.
    pub fn new(name: &'static str, per_second: u32) -> Self {
        let each = (per_second > 0).then(|| Duration::from_secs(1) / per_second);
        Self { name, each, earned: Mutex::default() }
    }

    /// Takes one, or says when there will be one. Whoever is refused has taken nothing.
    pub fn take(&self, caller: &str, now: Instant) -> Result<(), Over> {
        let Some(each) = self.each else { return Ok(()) };
        let mut earned = self.earned();
        let earned = moment(&mut earned, caller, now);
        let after = (*earned).max(now) + each;
        let wait = after.saturating_duration_since(now + BURST);
        if wait.is_zero() {
            *earned = after;
            return Ok(());
        }
        metrics::counter!("shipboard_limited_total", "limit" => self.name).increment(1);
        Err(Over { limit: self.name, wait })
    }

    /// Counts more than one, once it is known how many: what was admitted is not stopped half way, and is paid for
    /// before the next.
    pub fn charge(&self, caller: &str, many: usize, now: Instant) {
        let Some(each) = self.each.filter(|_| many > 0) else { return };
        let mut earned = self.earned();
        let earned = moment(&mut earned, caller, now);
        *earned = (*earned).max(now) + each.saturating_mul(u32::try_from(many).unwrap_or(u32::MAX));
    }

    /// Lets go of whoever has earned all that they took: they are as those who never came.
    pub fn forget(&self, now: Instant) {
        self.earned().retain(|_, earned| *earned > now);
    }

    fn earned(&self) -> MutexGuard<'_, HashMap<Box<str>, Instant>> {
        self.earned.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn moment<'a>(earned: &'a mut HashMap<Box<str>, Instant>, caller: &str, now: Instant) -> &'a mut Instant {
    let caller = if earned.len() < MAX_CALLERS || earned.contains_key(caller) { caller } else { "" };
    earned.entry(caller.into()).or_insert(now)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_seconds_worth_may_come_at_once_and_the_next_when_it_is_earned() {
        let (rate, now) = (Rate::new("x", 4), Instant::now());
        for n in 0..40 {
            assert_eq!(rate.take("a", now), Ok(()), "{n}");
        }
        let over = rate.take("a", now).unwrap_err();
        assert_eq!(over, Over { limit: "x", wait: Duration::from_millis(250) });
        assert_eq!(rate.take("b", now), Ok(()), "another caller is not concerned");
        let later = now + over.wait;
        assert!(rate.take("a", later - Duration::from_millis(1)).is_err(), "not before it said");
        assert_eq!(rate.take("a", later), Ok(()), "as it said");
        assert!(rate.take("a", later).is_err(), "one was earned, and no more");
    }

    #[test]
    fn what_was_admitted_is_paid_for_before_the_next() {
        let (rate, now) = (Rate::new("x", 10), Instant::now());
        assert_eq!(rate.take("a", now), Ok(()));
        rate.charge("a", 1_099, now);
        assert_eq!(rate.take("a", now).unwrap_err().wait, Duration::from_millis(100_100));
        assert_eq!(rate.take("a", now + Duration::from_millis(100_100)), Ok(()));
    }

    #[test]
    fn who_has_paid_is_forgotten_and_who_has_not_is_not() {
        let (rate, now) = (Rate::new("x", 1), Instant::now());
        rate.take("a", now).unwrap();
        rate.charge("b", 20, now);
        rate.forget(now + Duration::from_secs(2));
        assert_eq!(rate.earned().keys().map(|key| &**key).collect::<Vec<_>>(), ["b"]);
        assert!(rate.take("b", now + Duration::from_secs(2)).is_err());
    }

    #[test]
    fn no_rate_is_no_limit() {
        let (rate, now) = (Rate::new("x", 0), Instant::now());
        rate.charge("a", usize::MAX, now);
        assert!((0..10_000).all(|_| rate.take("a", now).is_ok()));
        assert!(rate.earned().is_empty());
    }

    #[test]
    fn a_crowd_of_callers_is_counted_as_one_when_it_is_too_large_to_be_told_apart() {
        let (rate, now) = (Rate::new("x", 1), Instant::now());
        for n in 0..MAX_CALLERS {
            rate.take(&n.to_string(), now).unwrap();
        }
        let admitted = (0..100).filter(|n| rate.take(&format!("late {n}"), now).is_ok()).count();
        assert_eq!(admitted, 10, "ten seconds' worth for all of them together");
        assert_eq!(rate.earned().len(), MAX_CALLERS + 1);
        assert_eq!(rate.take("7", now), Ok(()), "those who are known are not concerned");
    }
}
