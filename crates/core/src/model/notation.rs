//! Reports and rows in a line, so that examples read as tables: `2: running @3 #1 by:gate v1 40%` is a
//! report on attempt 2 that says `running`, dated the third second, with sequence 1, source, version and
//! percent. `@` is always in seconds after the same beginning. What is not written is not said.

use super::generate::moment;
use crate::report::{
    CommitBody, OWN_SOURCE, ProgressBody, Report, ReportBody, StepBody, StoredReport, believed,
};
use crate::time::Timestamp;

/// The moment so many seconds after the beginning.
pub(crate) fn second(second: i64) -> Timestamp {
    moment(second * 1_000)
}

/// Seconds after the beginning.
pub(crate) fn seconds(at: Timestamp) -> f64 {
    (at.as_millis() - moment(0).as_millis()) as f64 / 1_000.0
}

/// Reads a report.
pub(crate) fn report(line: &str) -> Report {
    let mut body = ReportBody::default();
    let mut progress = ProgressBody::default();
    for token in line.split_whitespace() {
        let some = |text: &str| Some(text.to_owned());
        if let Some(attempt) = token.strip_suffix(':') {
            body.attempt = attempt.parse().ok();
        } else if let Some(percent) = token.strip_suffix('%') {
            progress.percent = percent.parse().ok();
        } else if let Some(at) = token.strip_prefix('@') {
            let millis = (at.parse::<f64>().unwrap() * 1_000.0) as i64;
            body.occurred_at = Some(moment(millis).to_string());
        } else if let Some(sequence) = token.strip_prefix('#') {
            body.sequence = sequence.parse().ok();
        } else if let Some((key, value)) = token.split_once(':') {
            match key {
                "by" => body.source = some(value),
                "of" => body.workflow = some(value),
                "kind" => body.kind = some(value),
                "actor" => body.actor = some(value),
                "says" => body.message = some(value),
                "phase" => progress.phase = some(value),
                "sha" => body.commit = Some(CommitBody { sha: some(value), ..CommitBody::default() }),
                "step" => body.step = Some(StepBody { name: some(value), status: None }),
                _ => panic!("what is {token}?"),
            }
        } else if token.strip_prefix('v').is_some_and(|rest| rest.parse::<u32>().is_ok()) {
            body.version = some(token);
        } else {
            body.status = some(token);
        }
    }
    body.progress = Some(progress).filter(|progress| *progress != ProgressBody::default());
    Report::try_from(body).unwrap()
}

/// Reads reports as stored in this order, one a second from the tenth on. What names no source is of `ci`,
/// and `lost` of Shipboard itself; what names no attempt is of the first.
pub(crate) fn stored(lines: &[&str]) -> Vec<StoredReport> {
    let stored = |(index, line): (usize, &&str)| {
        let said = report(line);
        let arrival = index as u64 + 1;
        let received_at = second(10 + index as i64);
        let source = if line.contains("lost") { OWN_SOURCE } else { "ci" };
        StoredReport {
            arrival,
            received_at,
            occurred_at: believed(said.occurred_at, received_at),
            sequence: said.sequence.unwrap_or(arrival as i64),
            attempt: said.attempt.unwrap_or(1),
            source: said.source.clone().unwrap_or_else(|| source.to_owned()),
            digest: said.digest(),
            dated: said.occurred_at.is_some(),
            status: said.status,
            details: said.details,
            progress: said.progress,
            step: said.step,
            late: false,
            correction: false,
            first_entry: arrival,
        }
    };
    lines.iter().enumerate().map(stored).collect()
}
