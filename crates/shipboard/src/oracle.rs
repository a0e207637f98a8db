//! The oracle: schedules drawn from a seed, in which everything goes wrong that may, and after which every
//! client, every board and the database have to agree, with no event missing on the way.
//!
//! Instances run in this process on real stores, with a bus that loses things. Readers go through the route
//! table and parse real bytes; what they hold is compared with the log replayed in plain JSON. Times and
//! threads are the machine's, so a seed repeats what is done, and nearly always what comes of it.
//!
//! `ORACLE_SEED=7` runs one seed alone; `make soak` runs many for as long as told.

mod bus;
mod database;
mod instance;
mod reader;
mod schedule;
mod tally;
mod truth;

use std::ops::Range;
use std::panic::AssertUnwindSafe;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use self::database::Origin;
use self::schedule::{Schedule, Story};
use self::tally::Tally;
use crate::clock;
use crate::config::Span;

/// The envs of a schedule. Most happens in the first.
const ENVS: [&str; 2] = ["production", "staging"];
/// How long a schedule may take, on however busy a machine.
const PATIENCE: Duration = Duration::from_mins(1);

fn variable<T: std::str::FromStr>(name: &str) -> Option<T> {
    std::env::var(name).ok()?.parse().ok()
}

/// Runs one schedule. What it did is told if it fails.
fn run_one(origin: &Origin, seed: u64, story: &Story) -> Result<Tally, String> {
    let database = origin.fresh();
    let mut runtime = if seed.is_multiple_of(4) {
        // With real threads, too: what is not done under one lock may be seen apart.
        let mut runtime = tokio::runtime::Builder::new_multi_thread();
        runtime.worker_threads(2);
        runtime
    } else {
        tokio::runtime::Builder::new_current_thread()
    };
    let runtime = runtime.enable_all().build().unwrap();
    let ran = std::panic::catch_unwind(AssertUnwindSafe(|| {
        runtime.block_on(async {
            let schedule = Schedule::begin(origin, &database, seed, story.clone()).await;
            schedule.run().await
        })
    }));
    runtime.shutdown_background();
    origin.drop(&database);
    ran.map_err(|panic| {
        let said = panic.downcast_ref::<String>().map(String::as_str);
        let said = said.or(panic.downcast_ref::<&str>().copied()).unwrap_or("it panicked");
        format!("{}\n\nORACLE_SEED={seed} fails: {said}", story.lines().join("\n"))
    })
}

/// Runs seeds until there are no more, or it has gone on for long enough.
fn run(origin: &Origin, seeds: Range<u64>, most: Duration) -> Tally {
    let began = Instant::now();
    let next = AtomicU64::new(seeds.start);
    let done = Mutex::new((Tally::default(), Vec::new()));
    let work = || {
        while began.elapsed() < most {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds.end || !done.lock().unwrap().1.is_empty() {
                return;
            }
            let story = Story::default();
            let ran = watched(seed, &story, || run_one(origin, seed, &story));
            match ran {
                Ok(tally) => done.lock().unwrap().0.merge(&tally),
                Err(failure) => done.lock().unwrap().1.push(failure),
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..origin.at_once() {
            scope.spawn(work);
        }
    });
    let (tally, failures) = done.into_inner().unwrap();
    eprintln!("{tally}in {:.1?}", began.elapsed());
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
    tally
}

/// Does something that may never end. Then nothing is left but to say which it was: it cannot be stopped.
fn watched<T>(seed: u64, story: &Story, work: impl FnOnce() -> T) -> T {
    let (ended, watch) = std::sync::mpsc::channel::<()>();
    let story = story.clone();
    let watching = std::thread::spawn(move || {
        if watch.recv_timeout(PATIENCE) == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
            eprintln!("{}\n\nORACLE_SEED={seed} fails: it never ends", story.lines().join("\n"));
            std::process::abort();
        }
    });
    let done = work();
    drop(ended);
    watching.join().unwrap();
    done
}

fn seeds(range: Range<u64>) -> Range<u64> {
    variable("ORACLE_SEED").map_or(range, |seed| seed..seed + 1)
}

macro_rules! tests {
    ($($name:ident: $origin:expr, $seeds:expr;)*) => {$(
        #[test]
        fn $name() {
            run(&$origin, seeds($seeds), Duration::MAX);
        }
    )*};
}

// Many tests, so that they run beside each other.
tests! {
    whatever_befalls_them_all_agree_in_the_end_part_1: Origin::sqlite(false), 0..50;
    whatever_befalls_them_all_agree_in_the_end_part_2: Origin::sqlite(false), 50..100;
    whatever_befalls_them_all_agree_in_the_end_part_3: Origin::sqlite(false), 100..150;
    whatever_befalls_them_all_agree_in_the_end_part_4: Origin::sqlite(false), 150..200;
    whatever_befalls_them_all_agree_in_the_end_part_5: Origin::sqlite(false), 200..250;
    a_board_smaller_than_its_env_agrees_with_the_newest_of_it: Origin::sqlite(true), 300..312;
    whatever_befalls_them_all_agree_in_the_end_over_postgres: Origin::postgres(false), 400..406;
}

/// What a few dozens of schedules have to have tried: an oracle that nothing befalls agrees with everything.
const TRIED: &[&str] = &[
    "appends",
    "backups",
    "calm stretches",
    "details joined",
    "epochs renewed by command",
    "epochs seen to change",
    "events trimmed",
    "failed after it was done",
    "failed before it was done",
    "failed jobs done",
    "failed jobs not done",
    "false positions",
    "first reports watched",
    "kills",
    "losses repeated",
    "moves to a board behind",
    "promises kept",
    "restores announced",
    "restores unannounced",
    "resyncs",
    "rings doubled",
    "rings lost",
    "rings merged",
    "rings of long ago",
    "rings reordered",
    "rings stripped",
    "states compared",
    "streams gone",
    "streams unavailable",
    "verbs held",
    "verbs: renew_epoch",
    "writes under a new epoch",
];

#[test]
fn everything_that_may_befall_them_does() {
    // Some of it is rare, and threads have a say in it: more schedules follow until all has been seen.
    let mut missing = TRIED.to_vec();
    for seeds in (1_000..1_600).step_by(60).map(|first| first..first + 60) {
        let tally = run(&Origin::sqlite(false), seeds, Duration::MAX);
        missing.retain(|what| tally.of(what) == 0);
        if missing.is_empty() {
            return;
        }
    }
    panic!("never tried: {missing:?}");
}

/// For as long as `ORACLE_FOR` says, from `ORACLE_SEED` on, on SQLite or where `ORACLE_DATABASE` says.
#[test]
#[ignore = "runs for as long as told: make soak"]
fn soak() {
    let span: Duration = variable::<Span>("ORACLE_FOR").map_or(Duration::from_mins(1), |span| span.0);
    let first = variable("ORACLE_SEED").unwrap_or_else(|| clock::now().as_millis() as u64);
    let origins = match std::env::var("ORACLE_DATABASE").as_deref() {
        Ok("postgres") => vec![Origin::postgres(false).bouncing()],
        _ => vec![Origin::sqlite(false), Origin::sqlite(true)],
    };
    let share = span / origins.len() as u32;
    origins.iter().for_each(|origin| drop(run(origin, first..u64::MAX, share)));
}
