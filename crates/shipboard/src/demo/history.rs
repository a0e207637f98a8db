//! The days before the start: dated reports, in batches, as an import would bring them.

use shipboard_core::id::Slug;
use shipboard_core::report::{CommitBody, ProgressBody, ReportBody, StepBody};
use shipboard_core::time::Timestamp;

use super::plan::{End, Planner, Rollout, Try};
use super::world::{ENVS, PEOPLE, SERVICES};
use crate::report::client::{CallError, Client};

/// Most reports in a batch; bodies stay well below 1 MiB.
const BATCH: usize = 500;
/// Releases on a working day, as a mean; at weekends there are few.
const RELEASES_A_DAY: f64 = 46.0;
const WEEKEND: f64 = 0.12;
const DAY_S: f64 = 24.0 * 3_600.0;
/// People release between these hours.
const FIRST_HOUR_S: f64 = 7.5 * 3_600.0;
const LAST_HOUR_S: f64 = 18.5 * 3_600.0;

/// Tells of so many days before `now`.
pub(super) async fn tell(
    client: &Client,
    planner: &mut Planner,
    days: i64,
    now: Timestamp,
) -> Result<(), CallError> {
    let mut told: Vec<Vec<ReportBody>> = vec![Vec::new(); ENVS.len()];
    for (release, began) in moments(planner, days, now) {
        let mut at = began;
        for rollout in &release.rollouts {
            at = later(at, rollout.after_s);
            let (reports, ended) = of_rollout(rollout, at);
            // What would go on into the present is left to the live part.
            if ended > now {
                break;
            }
            told[rollout.env].extend(reports);
            at = ended;
        }
    }
    for (env, reports) in ENVS.iter().zip(told) {
        for batch in reports.chunks(BATCH) {
            client.batch(&Slug::from_foreign(env), batch).await?;
        }
    }
    Ok(())
}

/// Releases and when they begin, oldest first.
fn moments(planner: &mut Planner, days: i64, now: Timestamp) -> Vec<(super::plan::Release, Timestamp)> {
    let day_ms = (DAY_S * 1_000.0) as i64;
    let today = now.as_millis() - now.as_millis().rem_euclid(day_ms);
    let mut moments = Vec::new();
    for day in (0..=days).rev().filter(|_| days > 0) {
        let midnight = Timestamp::from_millis(today - day * day_ms);
        // The first of January 1970 was a Thursday.
        let weekday = (midnight.as_millis() / day_ms + 3).rem_euclid(7);
        let busy = if weekday >= 5 { WEEKEND } else { 1.0 };
        let pause_s = (LAST_HOUR_S - FIRST_HOUR_S) / (RELEASES_A_DAY * busy);
        // Today goes on until now, whatever the hour, so that the board does not begin with a gap.
        let last_s = if day == 0 { DAY_S } else { LAST_HOUR_S };
        let mut at_s = FIRST_HOUR_S.min(now.millis_since(midnight) as f64 / 2_000.0);
        loop {
            at_s += planner.pause() * pause_s;
            let at = later(midnight, at_s);
            if at_s > last_s || at >= now {
                break;
            }
            moments.push((planner.release(), at));
        }
    }
    moments
}

fn later(at: Timestamp, seconds: f64) -> Timestamp {
    at.plus_millis((seconds * 1_000.0) as i64)
}

/// What is said of a deployment at its beginning, whatever becomes of it.
pub(super) fn subject(rollout: &Rollout) -> ReportBody {
    let (login, name) = rollout.who();
    ReportBody {
        external_id: Some(rollout.id.clone()),
        source: Some("fleet".to_owned()),
        workflow: Some(SERVICES[rollout.service].name.to_owned()),
        version: Some(rollout.version.clone()),
        kind: rollout.rollback.map(|_| "rollback".to_owned()),
        reason: rollout.rollback.map(str::to_owned),
        commit: Some(CommitBody {
            sha: Some(rollout.sha.clone()),
            reference: Some("main".to_owned()),
            message: Some(rollout.subject.clone()),
            url: None,
            author: Some(name.to_owned()),
        }),
        actor: Some(login.to_owned()),
        ..ReportBody::default()
    }
}

/// The same deployment, in this attempt, and nothing said of it.
pub(super) fn same(rollout: &Rollout, attempt: i64) -> ReportBody {
    ReportBody {
        external_id: Some(rollout.id.clone()),
        source: Some("fleet".to_owned()),
        workflow: Some(SERVICES[rollout.service].name.to_owned()),
        attempt: Some(attempt),
        ..ReportBody::default()
    }
}

/// How far a deployment is in this part of that step.
pub(super) fn progress(rollout: &Rollout, place: usize, part: f64) -> ProgressBody {
    let steps = SERVICES[rollout.service].steps;
    ProgressBody {
        percent: Some(((place as f64 + part) * 100.0 / steps.len() as f64).floor()),
        phase: Some(steps[place].to_owned()),
        step: Some(format!("{}/{}", place + 1, steps.len())),
    }
}

/// What an approval says.
pub(super) fn approved_by(who: usize) -> String {
    format!("Approved by {}", PEOPLE[who].1)
}

/// Status and message of an end; none for one that is never told.
pub(super) fn told_end(end: End) -> Option<(&'static str, Option<&'static str>)> {
    match end {
        End::Success => Some(("success", None)),
        End::Failed(why) => Some(("failed", Some(why))),
        End::Cancelled(why) => Some(("cancelled", Some(why))),
        End::Silent => None,
    }
}

/// All reports of a deployment that began then, and when it ended.
fn of_rollout(rollout: &Rollout, began: Timestamp) -> (Vec<ReportBody>, Timestamp) {
    let mut reports = Vec::new();
    let mut at = began;
    for (number, attempt) in (1..).zip(&rollout.tries) {
        at = of_try(rollout, number, attempt, at, &mut reports);
        // Somebody looks at it before it is tried again.
        if (number as usize) < rollout.tries.len() {
            at = later(at, 45.0);
        }
    }
    (reports, at)
}

fn of_try(
    rollout: &Rollout,
    number: i64,
    attempt: &Try,
    began: Timestamp,
    reports: &mut Vec<ReportBody>,
) -> Timestamp {
    let mut say = |at: Timestamp, body: ReportBody| {
        reports.push(ReportBody { attempt: Some(number), occurred_at: Some(at.to_string()), ..body });
    };
    let status = |word: &str| ReportBody { status: Some(word.to_owned()), ..same(rollout, number) };
    let mut at = began;
    say(at, ReportBody { status: Some("queued".to_owned()), ..subject(rollout) });
    at = later(at, attempt.queued_s);
    if let Some((who, seconds)) = attempt.approval {
        say(at, ReportBody { message: Some("Waiting for approval".to_owned()), ..status("waiting") });
        at = later(at, seconds);
        say(at, ReportBody { message: Some(approved_by(who)), ..status("running") });
    } else {
        say(at, status("running"));
    }
    let last = attempt.steps.len().saturating_sub(1);
    for (place, step) in attempt.steps.iter().enumerate() {
        at = later(at, step.seconds);
        let how = match told_end(attempt.end) {
            Some((end, _)) if place == last => end,
            None if place == last => continue,
            _ => "success",
        };
        let told = StepBody { name: Some(step.name.to_owned()), status: Some(how.to_owned()) };
        let progress = Some(progress(rollout, place, if how == "success" { 1.0 } else { 0.5 }));
        say(at, ReportBody { step: Some(told), progress, ..same(rollout, number) });
    }
    if let Some((end, message)) = told_end(attempt.end) {
        say(at, ReportBody { message: message.map(str::to_owned), ..status(end) });
    }
    at
}

#[cfg(test)]
mod tests {
    use shipboard_core::report::Report;

    use super::*;

    const NOON: &str = "2026-03-04T12:00:00Z";

    #[test]
    fn history_has_the_rhythm_of_working_days_and_ends_before_now() {
        let now: Timestamp = NOON.parse().unwrap();
        let moments = moments(&mut Planner::new(7), 7, now);
        let on = |day: i64| {
            let from: Timestamp = "2026-03-04T00:00:00Z".parse().unwrap();
            let from = from.plus_millis(-day * 24 * 3_600_000);
            moments.iter().filter(|(_, at)| *at >= from && *at < from.plus_millis(24 * 3_600_000)).count()
        };
        assert!((25..90).contains(&on(1)), "a Tuesday: {}", on(1));
        assert!(on(3) < 25, "a Sunday: {}", on(3));
        assert!(moments.iter().all(|(_, at)| *at < now));
        assert!(moments.windows(2).all(|pair| pair[0].1 <= pair[1].1));
    }

    #[test]
    fn shortly_after_midnight_today_has_begun_too() {
        let now: Timestamp = "2026-03-04T00:40:00Z".parse().unwrap();
        let moments = moments(&mut Planner::new(7), 1, now);
        assert!(!moments.is_empty() && moments.iter().all(|(_, at)| *at < now));
    }

    #[test]
    fn every_report_is_possible_and_dated() {
        let now: Timestamp = NOON.parse().unwrap();
        for (release, at) in moments(&mut Planner::new(7), 7, now) {
            for rollout in &release.rollouts {
                let (reports, ended) = of_rollout(rollout, at);
                assert!(ended >= at);
                for report in reports {
                    assert!(Report::try_from(report).unwrap().occurred_at.is_some());
                }
            }
        }
    }
}
