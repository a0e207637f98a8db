//! Searches by text: each reads all of an env. So many run at once, of one caller one, and others wait for their turn;
//! not for long.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};

use super::lines::Lines;
use crate::store;

/// Most searches at once; fewer than the connections that requests read by.
pub const SEARCHES: usize = 4;
/// Most of one token with its sessions, or of one person: nobody takes the whole line.
pub const SEARCHES_PER_TOKEN: usize = 1;
/// How long a search waits for its turn.
pub const SEARCH_TURN: Duration = Duration::from_secs(2);

const _: () = assert!(SEARCHES < store::READERS as usize, "who does not search has connections to read by");

/// Searches under way.
#[derive(Debug)]
pub struct Searches {
    /// How long a search waits for its turn.
    patience: Duration,
    turns: Arc<Semaphore>,
    of_subject: Lines,
}

/// A search's turn, given back when dropped.
#[derive(Debug)]
pub struct Turn {
    _of_all: OwnedSemaphorePermit,
    _of_subject: Option<OwnedSemaphorePermit>,
}

impl Searches {
    /// None under way.
    pub fn new(patience: Duration) -> Self {
        Self {
            patience,
            turns: Arc::new(Semaphore::new(SEARCHES)),
            of_subject: Lines::new(SEARCHES_PER_TOKEN),
        }
    }

    /// Waits for a turn, or says which limit is in the way. Only one of a caller's is in the line of all: the others
    /// wait behind it.
    pub async fn turn(&self, subject: Option<&str>) -> Result<Turn, &'static str> {
        let turn = self.wait(subject).await;
        if let Err(limit) = turn {
            metrics::counter!("shipboard_limited_total", "limit" => limit).increment(1);
        }
        turn
    }

    async fn wait(&self, subject: Option<&str>) -> Result<Turn, &'static str> {
        let until = Instant::now() + self.patience;
        let of_subject = match subject {
            Some(subject) => {
                Some(next(self.of_subject.of(subject), until).await.ok_or("searches_per_token")?)
            }
            None => None,
        };
        let of_all = next(self.turns.clone(), until).await.ok_or("searches")?;
        Ok(Turn { _of_all: of_all, _of_subject: of_subject })
    }
}

async fn next(line: Arc<Semaphore>, until: Instant) -> Option<OwnedSemaphorePermit> {
    timeout_at(until, line.acquire_owned()).await.ok()?.ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_caller_has_one_search_under_way_and_the_line_is_for_all() {
        let searches = Searches::new(Duration::ZERO);
        let one = searches.turn(Some("a")).await.unwrap();
        let waiting: Vec<_> = (0..9).map(|_| searches.turn(Some("a"))).collect();
        let refused = futures_util::future::join_all(waiting).await;
        assert!(refused.iter().all(|turn| matches!(turn, Err("searches_per_token"))));
        let others =
            futures_util::future::join_all(["b", "c", "d"].map(|who| searches.turn(Some(who)))).await;
        assert!(others.iter().all(Result::is_ok));
        assert_eq!(searches.turn(Some("e")).await.unwrap_err(), "searches");
        drop(one);
        let again = searches.turn(Some("a")).await;
        assert!(again.is_ok());
    }

    #[tokio::test]
    async fn where_nobody_is_told_apart_all_are_in_one_line() {
        let searches = Searches::new(Duration::ZERO);
        let turns = futures_util::future::join_all((0..SEARCHES).map(|_| searches.turn(None))).await;
        assert!(turns.iter().all(Result::is_ok));
        assert_eq!(searches.turn(None).await.unwrap_err(), "searches");
    }
}
