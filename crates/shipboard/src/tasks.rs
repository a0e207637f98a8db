//! Where every background task starts: on one tracker, under one stop signal. A stopping server waits
//! for its writers to finish what they have taken.

use std::future::Future;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// The tracker and the signal. Clones are the same.
#[derive(Clone, Debug, Default)]
pub struct Tasks {
    tracker: TaskTracker,
    stop: CancellationToken,
}

impl Tasks {
    /// Starts a task that ends by itself.
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.tracker.spawn(task);
    }

    /// Starts a task that is dropped when the server stops, or earlier by what is given.
    pub fn spawn_until_stop(
        &self,
        task: impl Future<Output = ()> + Send + 'static,
    ) -> tokio::task::AbortHandle {
        let stop = self.stop.clone();
        let task = self.tracker.spawn(async move {
            tokio::select! {
                () = stop.cancelled() => {}
                () = task => {}
            }
        });
        task.abort_handle()
    }

    /// Does something again and again, `every` so often, until the server stops.
    pub fn repeat<F, W>(&self, every: Duration, mut work: F)
    where
        F: FnMut() -> W + Send + 'static,
        W: Future<Output = ()> + Send,
    {
        self.spawn_until_stop(async move {
            let mut ticks = tokio::time::interval(every);
            ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            loop {
                ticks.tick().await;
                work().await;
            }
        });
    }

    /// Tells the tasks to stop.
    pub fn stop(&self) {
        self.stop.cancel();
    }

    /// The signal that `stop` gives.
    pub fn stopping(&self) -> &CancellationToken {
        &self.stop
    }

    /// Waits until all have ended, `patience` at most. False: some had not.
    pub async fn ended(&self, patience: Duration) -> bool {
        self.tracker.close();
        tokio::time::timeout(patience, self.tracker.wait()).await.is_ok()
    }
}
