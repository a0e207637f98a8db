//! Reports at a steady pace that does not wait for anybody, and those who follow them.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;

use crate::Result;
use crate::load::{Life, Load, Reporter};
use crate::reader::{Arrival, Reader};

/// Time from one report to the next.
pub const PACE: Duration = Duration::from_millis(10);
/// Reporters that take turns.
const REPORTERS: usize = 32;
/// How long the last event may be on its way.
const PATIENCE: Duration = Duration::from_secs(10);

/// A report that was answered.
pub struct Told {
    /// The env's head after it.
    pub event_id: u64,
    /// When it was sent.
    pub sent: Instant,
    /// When its answer was there.
    pub answered: Instant,
}

/// How many reports a time takes.
pub fn reports_in(time: Duration) -> usize {
    (time.as_secs_f64() / PACE.as_secs_f64()) as usize
}

/// Sends so many reports, in whose order they are given, while these readers read: what came to each, in their order.
pub async fn follow(
    load: &Load,
    reports: usize,
    readers: Vec<Reader>,
) -> Result<(Vec<Told>, Vec<Vec<Arrival>>)> {
    let (told, last) = tokio::sync::watch::channel(None);
    let mut reading = JoinSet::new();
    let mut read = vec![Vec::new(); readers.len()];
    for (n, mut reader) in readers.into_iter().enumerate() {
        let mut last = last.clone();
        reading.spawn(async move {
            // Until the last report's event is known, and then until it is here.
            let known = tokio::select! {
                known = last.wait_for(Option::is_some) => known.ok().and_then(|known| *known),
                ended = reader.read_on() => return Err(ended.err().unwrap_or_else(|| "a stream ended".into())),
            };
            let to_the_end = reader.read_to(known.unwrap_or(0));
            tokio::time::timeout(PATIENCE, to_the_end).await.map_err(|_| "an event never came")??;
            Ok::<_, crate::Error>((n, reader.arrivals))
        });
    }
    let reports = send(load, reports).await?;
    let _ = told.send(reports.iter().map(|report| report.event_id).max());
    while let Some(done) = reading.join_next().await {
        let (n, arrivals) = done??;
        read[n] = arrivals;
    }
    Ok((reports, read))
}

/// When each report, in the order of their events, was seen whole by a reader.
pub fn arrivals<'a>(told: &'a [Told], arrivals: &[Arrival]) -> Result<Vec<(&'a Told, Instant)>> {
    let mut arrivals = arrivals.iter().peekable();
    let seen = told.iter().map(|report| {
        while arrivals.next_if(|(id, _)| *id < report.event_id).is_some() {}
        let Some((_, at)) = arrivals.peek() else { return Err("an event is missing".into()) };
        Ok((report, *at))
    });
    seen.collect()
}

/// Sends so many reports at the pace, whatever becomes of those before. In the order of their sending.
async fn send(load: &Load, reports: usize) -> Result<Vec<Told>> {
    let mut idle: VecDeque<(Reporter, Life)> = VecDeque::new();
    for _ in 0..REPORTERS {
        let reporter = Reporter::open(load).await?;
        let life = reporter.begin();
        idle.push_back((reporter, life));
    }
    let mut told = Vec::with_capacity(reports);
    let mut under_way = JoinSet::new();
    let mut ticks = tokio::time::interval(PACE);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let mut sent = 0;
    while told.len() < reports {
        tokio::select! {
            _ = ticks.tick(), if sent < reports => {
                sent += 1;
                let Some((reporter, life)) = idle.pop_front() else {
                    return Err("the server does not keep up with the pace".into());
                };
                under_way.spawn(tell(reporter, life));
            }
            Some(done) = under_way.join_next() => {
                let (reporter, life, report) = done??;
                told.push(report);
                idle.push_back((reporter, life));
            }
        }
    }
    told.sort_by_key(|report| report.sent);
    Ok(told)
}

/// The next report of a life, or the first of the next.
async fn tell(mut reporter: Reporter, mut life: Life) -> Result<(Reporter, Life, Told)> {
    let mut report = life.next(reporter.connection());
    if report.is_none() {
        life = reporter.begin();
        report = life.next(reporter.connection());
    }
    let report = report.ok_or("a life without a report")?;
    let sent = Instant::now();
    let event_id = reporter.tell(&mut life, &report).await?;
    let told = Told { event_id, sent, answered: Instant::now() };
    Ok((reporter, life, told))
}
