//! Rules 1 to 8 and 10 of the fold by example. A line is a report, in the notation of `model::notation`.

use super::{Fold, MAX_TERMINAL_SOURCES};
use crate::id::Slug;
use crate::model::notation::{seconds, stored};
use crate::recount::{Subject, recount};
use crate::report::StoredReport;

/// What the fold comes to, in a line: attempt, status, and the times that are known.
fn shown(fold: &Fold) -> String {
    let state = fold.state().unwrap();
    let mut line =
        format!("{}: {} created@{}", state.attempt, state.status.as_str(), seconds(state.created_at));
    let times = [
        ("queued", state.queued_at),
        ("started", state.started_at),
        ("finished", state.finished_at),
        ("succeeded", state.success.map(|success| success.finished_at)),
    ];
    for (name, at) in times {
        line.extend(at.map(|at| format!(" {name}@{}", seconds(at))));
    }
    line.extend(state.details.version.map(|version| format!(" {version}")));
    line.extend(state.removed.then_some(" removed"));
    line
}

/// The reports come to this, whatever order they are folded in; and the recount finds the same status.
#[track_caller]
fn check(reports: &[&str], expected: &str) {
    let reports = stored(reports);
    assert_eq!(shown(&reports.iter().collect()), expected);
    let backwards: Vec<&StoredReport> = reports.iter().rev().chain(&reports).collect();
    assert_eq!(shown(&backwards.into_iter().collect()), expected, "backwards, then once more");
    let workflow: Slug = "web".parse().unwrap();
    let id = "0190a000-0000-7000-8000-000000000001".parse().unwrap();
    let (source, external_id) = ("ci".into(), "1".into());
    let recount = recount(&[Subject { id, workflow, source, external_id, reports }]);
    let row = &recount.deployments[&id];
    let began = format!("{}: {} created@{}", row.attempt, row.status.as_str(), seconds(row.created_at));
    assert!(expected.starts_with(&began), "the recount says {began}");
}

#[test]
fn rule_1_the_highest_attempt_gives_status_and_times() {
    check(&["1: failed @1", "2: running @3"], "2: running created@3 started@3");
    check(&["2: queued @3", "1: success @4"], "2: queued created@3 queued@3 succeeded@4");
    check(&["3: success @1", "2: failed @9"], "3: success created@1 finished@1 succeeded@1");
}

#[test]
fn rule_2_an_end_beats_what_is_open_whenever_that_was() {
    check(&["failed @2", "running @3"], "1: failed created@2 started@3 finished@2");
    check(&["running @3", "skipped @2"], "1: skipped created@2 started@3 finished@2");
}

#[test]
fn rule_2_the_latest_end_wins_then_the_sequence_then_the_worse() {
    check(&["failed @2", "success @3"], "1: success created@2 finished@3 succeeded@3");
    check(&["success @3", "failed @2"], "1: success created@2 finished@3 succeeded@3");
    check(&["failed @2 #1", "success @2 #2"], "1: success created@2 finished@2 succeeded@2");
    check(&["failed @2 #1", "cancelled @2 #1"], "1: failed created@2 finished@2");
    check(&["cancelled @2 #1", "success @2 #1"], "1: cancelled created@2 finished@2");
    check(&["success @2 #1", "skipped @2 #1"], "1: success created@2 finished@2 succeeded@2");
}

#[test]
fn rule_2_the_latest_open_status_wins_then_the_sequence_then_the_further() {
    check(&["running @2", "waiting @3"], "1: waiting created@2 started@2");
    check(&["running @2 #1", "queued @2 #2"], "1: queued created@2 queued@2 started@2");
    check(&["running @2 #1", "waiting @2 #1"], "1: running created@2 started@2");
    check(&["waiting @2 #1", "queued @2 #1"], "1: waiting created@2 queued@2");
}

#[test]
fn rule_3_only_the_source_that_ended_an_attempt_corrects_its_end() {
    check(&["failed @2", "success @3 by:gate"], "1: failed created@2 finished@2");
    check(&["failed @2", "success @3"], "1: success created@2 finished@3 succeeded@3");
    // Who ended it first is told by the moment, not by the arrival.
    check(&["success @3 by:gate", "failed @2"], "1: failed created@2 finished@2");
    check(&["success @2 #1 by:gate", "failed @2 #1"], "1: failed created@2 finished@2");
    // Another attempt is another matter.
    check(&["failed @2", "2: success @3 by:gate"], "2: success created@3 finished@3 succeeded@3");
}

#[test]
fn rule_4_a_late_open_status_fills_gaps_and_changes_no_status() {
    check(&["success @4", "running @2"], "1: success created@2 started@2 finished@4 succeeded@4");
    check(&["waiting @4", "queued @1"], "1: waiting created@1 queued@1");
}

#[test]
fn rule_5_each_time_is_the_earliest_of_its_kind_in_the_attempt() {
    check(
        &["running @3", "running @2", "queued @1", "queued @5", "says:hello @0"],
        "1: queued created@0 queued@1 started@2",
    );
    check(&["running @1", "2: success @5"], "2: success created@5 finished@5 succeeded@5");
}

#[test]
fn rule_5_a_duration_is_never_negative() {
    let check = |reports: &[&str], duration_ms: Option<i64>| {
        let fold: Fold = stored(reports).iter().collect();
        assert_eq!(fold.state().unwrap().success.unwrap().duration_ms, duration_ms, "{reports:?}");
    };
    check(&["running @1", "success @4"], Some(3_000));
    check(&["running @4", "success @1"], Some(0));
    check(&["success @4"], None);
}

#[test]
fn rule_5_a_time_too_far_ahead_or_before_2000_is_the_receipt() {
    // Receipt is at second 10; five minutes later is 310.
    check(&["running @310"], "1: running created@310 started@310");
    check(&["running @310.001"], "1: running created@10 started@10");
    check(&["running @-900000000"], "1: running created@10 started@10");
}

#[test]
fn rule_7_a_first_report_may_be_an_end_and_an_unknown_word_changes_nothing() {
    check(&["failed @3"], "1: failed created@3 finished@3");
    check(&["exploded @3"], "1: queued created@3");
    check(&["running @1", "exploded @3"], "1: running created@1 started@1");
    check(&["STOPPED @3"], "1: cancelled created@3 finished@3");
}

#[test]
fn rule_8_a_field_has_its_latest_value_and_absence_never_erases() {
    check(&["running @1 v1", "success @2"], "1: success created@1 started@1 finished@2 succeeded@2 v1");
    check(&["running @2 v2", "queued @1 v1"], "1: running created@1 queued@1 started@2 v2");
    check(&["running @2 #1 v2", "waiting @2 #2 v1"], "1: waiting created@2 started@2 v1");
    check(&["2: running @1 v2", "1: failed @5 v1"], "2: running created@1 started@1 v2");
    // The very same stamp: the greater value, so that arrival does not decide.
    check(&["running @1 #1 v1", "running @1 #1 v2"], "1: running created@1 started@1 v2");
    check(&["running @1 #1 v2", "running @1 #1 v1"], "1: running created@1 started@1 v2");
}

#[test]
fn rule_8_each_part_of_a_commit_is_a_field_of_its_own() {
    let fold: Fold = stored(&["running @1 sha:abc", "says:done @2"]).iter().collect();
    let details = fold.state().unwrap().details;
    assert_eq!(details.commit.sha.as_deref(), Some("abc"));
    assert_eq!(details.message.as_deref(), Some("done"));
}

#[test]
fn rule_9_what_counts_is_the_latest_successful_attempt_even_if_a_later_one_fails() {
    check(&["success @2", "2: failed @4"], "2: failed created@4 finished@4 succeeded@2");
    check(&["success @2", "2: success @4", "3: running @5"], "3: running created@5 started@5 succeeded@4");
    // A success that was corrected is none.
    check(&["success @2", "failed @3"], "1: failed created@2 finished@3");
}

#[test]
fn rule_9_removal_stays_whatever_is_said_after_it() {
    check(
        &["success @1", "removed @2", "running @3"],
        "1: success created@1 started@3 finished@1 succeeded@1 removed",
    );
    check(&["removed @2"], "1: queued created@2 removed");
}

#[test]
fn rule_10_lost_counts_until_anything_more_of_the_attempt_is_received() {
    check(&["running @1", "lost"], "1: lost created@1 started@1");
    // Whatever is received later revives it, also what happened before.
    check(&["running @2", "lost", "waiting @1"], "1: running created@1 started@2");
    check(&["running @2", "lost", "50%"], "1: running created@2 started@2");
    check(&["running @2", "lost", "exploded @1"], "1: running created@1 started@2");
    check(&["running @2", "lost", "50%", "lost"], "1: lost created@2 started@2");
    // Another attempt's reports say nothing about this one.
    check(&["2: running @2", "2: lost", "1: failed @3"], "2: lost created@2 started@2");
    check(&["1: running @2", "1: lost", "2: queued @3"], "2: queued created@3 queued@3");
    // An end beats silence, in either order.
    check(&["running @1", "lost", "failed @3"], "1: failed created@1 started@1 finished@3");
    check(&["failed @1", "lost"], "1: failed created@1 finished@1");
}

#[test]
fn the_sources_that_may_end_an_attempt_are_bounded_and_known_ones_stay_welcome() {
    let lines: Vec<String> = (0..MAX_TERMINAL_SOURCES).map(|n| format!("failed @1 by:s{n}")).collect();
    let fold: Fold = stored(&lines.iter().map(String::as_str).collect::<Vec<_>>()).iter().collect();
    assert!(fold.has_enough_ends(1, "another"));
    assert!(!fold.has_enough_ends(1, "s3"));
    assert!(!fold.has_enough_ends(2, "another"));
}
