//! What the tests of all readers do: fold what was read, and spoil what is to be read.

use proptest::prelude::*;
use proptest::test_runner::TestCaseError;
use serde_json::{Value, json};
use shipboard_core::deployment::Fold;
use shipboard_core::id::Slug;
use shipboard_core::report::{MAX_TEXT_CHARS, Said, StoredReport, believed};
use shipboard_core::status::Status;

use super::{EnvReport, HookError};

fn said(report: &EnvReport) -> Option<Status> {
    match report.report.status {
        Some(Said::Status(status)) => Some(status),
        _ => None,
    }
}

pub(super) fn statuses(reports: &[EnvReport]) -> Vec<Status> {
    reports.iter().filter_map(said).collect()
}

pub(super) fn external_ids(deliveries: &[Vec<EnvReport>]) -> Vec<&str> {
    let mut ids: Vec<_> =
        deliveries.iter().flatten().filter_map(|it| it.report.external_id.as_deref()).collect();
    ids.sort_unstable();
    ids.dedup();
    ids
}

/// What the fold makes of deliveries, received in this order.
pub(super) fn folded(deliveries: &[Vec<EnvReport>]) -> shipboard_core::deployment::Folded {
    let received_at = "2026-03-02T00:00:00Z".parse().unwrap();
    let stored = |(arrival, told): (usize, &EnvReport)| {
        let report = told.report.clone();
        StoredReport {
            arrival: arrival as u64 + 1,
            received_at,
            occurred_at: believed(report.occurred_at, received_at),
            sequence: report.sequence.unwrap_or(arrival as i64 + 1),
            attempt: report.attempt.unwrap_or(1),
            source: report.source.clone().unwrap(),
            digest: report.digest(),
            dated: report.occurred_at.is_some(),
            status: report.status,
            details: report.details,
            progress: report.progress,
            step: report.step,
            late: false,
            correction: false,
            first_entry: 0,
        }
    };
    let stored: Vec<_> = deliveries.iter().flatten().enumerate().map(stored).collect();
    stored.iter().collect::<Fold>().state().unwrap()
}

fn any_scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        Just(json!([])),
        Just(json!({})),
        Just(json!([null, {}, 1])),
        Just(json!("9999-12-31T23:59:59Z")),
        Just(json!("-009999-01-01T00:00:00Z")),
        Just(json!("x".repeat(5_000))),
        Just(json!("\u{0}\u{202e}%00")),
    ]
}

/// Replaces, or takes away, the value that a walk through the tree ends at.
fn spoil(place: &mut Value, path: &[usize], with: Option<Value>) {
    let Some((turn, rest)) = path.split_first() else {
        *place = with.unwrap_or(Value::Null);
        return;
    };
    match place {
        Value::Object(fields) if !fields.is_empty() => {
            let key = fields.keys().nth(turn % fields.len()).cloned().unwrap();
            if rest.is_empty() && with.is_none() {
                fields.remove(&key);
            } else {
                spoil(&mut fields[&key], rest, with);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            let turn = turn % items.len();
            spoil(&mut items[turn], rest, with);
        }
        leaf => *leaf = with.unwrap_or(Value::Null),
    }
}

/// What is done to a delivery: walks through its tree, with what is put where each ends.
pub(super) fn spoilings() -> impl Strategy<Value = Vec<(Vec<usize>, Option<Value>)>> {
    let path = prop::collection::vec(any::<usize>(), 1..6);
    prop::collection::vec((path, prop::option::of(any_scalar())), 0..4)
}

pub(super) fn spoilt(mut delivery: Value, spoilings: Vec<(Vec<usize>, Option<Value>)>) -> Value {
    for (path, with) in spoilings {
        spoil(&mut delivery, &path, with);
    }
    delivery
}

/// What was read, if anything was: never what the core would refuse, whether it says so here or later.
pub(super) fn possible(told: Result<Vec<EnvReport>, HookError>) -> Result<Vec<EnvReport>, TestCaseError> {
    if let Err(HookError::Invalid(invalid)) = &told {
        return Err(TestCaseError::fail(format!("the core refuses it: {invalid}")));
    }
    let told = told.unwrap_or_default();
    for EnvReport { env, report, .. } in &told {
        prop_assert_eq!(&env.as_str().parse::<Slug>().unwrap(), env);
        prop_assert!(report.source.is_some());
        let id = report.external_id.as_deref().unwrap_or("current");
        prop_assert!((1..=MAX_TEXT_CHARS).contains(&id.chars().count()));
        let kept = serde_json::to_string(report).unwrap();
        prop_assert_eq!(&serde_json::from_str::<shipboard_core::report::Report>(&kept).unwrap(), report);
    }
    Ok(told)
}
