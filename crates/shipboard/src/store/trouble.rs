//! What may befall a verb between an instance and its database, as a test deals it: it waits before or after
//! it is done, it fails without having been done or although it was, or its instance dies over it.

use std::future::Future;
use std::sync::Arc;

use tokio::sync::RwLock;
use tokio_util::sync::CancellationToken;

use super::{Result, StoreError};

/// An instance's way to its database.
pub(crate) struct Trouble {
    /// Says what befalls a verb, by its name.
    pub(crate) deal: Box<dyn Fn(&'static str) -> Fate + Send + Sync>,
    /// The instance is dead: nothing it has begun goes on, and nothing it was waiting for comes.
    pub(crate) killed: CancellationToken,
    /// Held by each verb while it runs: whoever holds it alone changes the database between all verbs.
    pub(crate) content: Arc<RwLock<()>>,
}

impl std::fmt::Debug for Trouble {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Trouble").finish_non_exhaustive()
    }
}

/// What befalls one verb.
#[derive(Default)]
pub(crate) struct Fate {
    /// It does not begin until this is cancelled.
    pub(crate) held_before: Option<CancellationToken>,
    /// It is done, but what came of it does not return until this is cancelled.
    pub(crate) held_after: Option<CancellationToken>,
    /// The database is away.
    pub(crate) fails: Option<Fails>,
}

/// When it went away.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Fails {
    /// Before the verb: it is not done.
    Before,
    /// Between the verb and its answer: it is done, and nobody knows.
    After,
}

/// Runs a verb and lets befall it what is dealt.
pub(super) async fn beset<T>(
    trouble: Option<&Trouble>,
    verb: &'static str,
    done: impl Future<Output = Result<T>>,
) -> Result<T> {
    let Some(trouble) = trouble else { return done.await };
    let run = async {
        let fate = (trouble.deal)(verb);
        if let Some(held) = &fate.held_before {
            held.cancelled().await;
        }
        if fate.fails == Some(Fails::Before) {
            return Err(away());
        }
        let done = {
            let _shared = trouble.content.read().await;
            done.await
        };
        if let Some(held) = &fate.held_after {
            held.cancelled().await;
        }
        if fate.fails == Some(Fails::After) { Err(away()) } else { done }
    };
    let done = tokio::select! {
        biased;
        () = trouble.killed.cancelled() => None,
        done = run => Some(done),
    };
    match done {
        Some(done) => done,
        None => std::future::pending().await,
    }
}

fn away() -> StoreError {
    StoreError::Unavailable("the test took the database away".into())
}
