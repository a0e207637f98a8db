//! Rule 9 by example, the workflow's row, and expected durations. Each line is a report on the deployment
//! it begins with.

use super::expected_ms;
use crate::decide::{Outcome, Request};
use crate::model::notation::second;
use crate::model::scenario::Scenario;
use crate::status::Status;

/// The reports come to these verdicts, in order of the names.
#[track_caller]
fn check(lines: &[&str], expected: &[&str]) {
    let mut env = Scenario::default();
    env.tell(lines);
    verdicts(&env, expected);
    // All in one group come to the same.
    let mut env = Scenario::default();
    let requests: Vec<Request> = lines
        .iter()
        .map(|line| {
            let (name, line) = line.split_once(' ').unwrap();
            env.post(name, line)
        })
        .collect();
    env.take(&requests);
    verdicts(&env, expected);
}

#[track_caller]
fn verdicts(env: &Scenario, expected: &[&str]) {
    let names: Vec<&str> = expected.iter().map(|line| line.split_once(' ').unwrap().0).collect();
    let judged: Vec<String> = names.iter().map(|name| format!("{name} {}", env.judged(name))).collect();
    assert_eq!(judged, expected);
}

#[test]
fn the_last_success_is_current_and_those_before_it_are_superseded() {
    check(
        &["a success @1 v1", "b success @2 v2", "c success @3 v3"],
        &["a deploy? superseded", "b deploy? superseded after a", "c deploy? current after b"],
    );
}

#[test]
fn the_predecessor_s_version_again_is_a_redeploy_and_one_from_earlier_a_rollback() {
    check(
        &["a success @1 v1", "b success @2 v1", "c success @3 v2", "d success @4 v1", "e success @5 v1"],
        &[
            "a deploy? superseded",
            "b redeploy? superseded after a",
            "c deploy? rolled_back after b",
            "d rollback? superseded after c",
            "e redeploy? current after d",
        ],
    );
}

#[test]
fn a_lower_version_number_proves_nothing() {
    check(&["a success @1 v9", "b success @2 v3"], &["a deploy? superseded", "b deploy? current after a"]);
}

#[test]
fn a_version_that_never_succeeded_was_not_there() {
    check(
        &["a success @1 v1", "b failed @2 v2", "c success @3 v2"],
        &["a deploy? superseded", "b deploy? after a", "c deploy? current after a"],
    );
}

#[test]
fn without_a_version_everything_is_a_deploy_and_hides_nothing() {
    check(
        &["a success @1 v1", "b success @2", "c success @3 v1"],
        &["a deploy? superseded", "b deploy? rolled_back after a", "c rollback? current after b"],
    );
}

#[test]
fn a_kind_that_was_sent_is_not_inferred() {
    check(
        &["a success @1 v1 kind:rollback", "b success @2 v1 kind:deploy", "c success @3 v9 kind:Rollback"],
        &["a rollback superseded", "b deploy rolled_back after a", "c rollback current after b"],
    );
}

#[test]
fn a_success_that_comes_late_takes_its_place_in_the_middle() {
    let mut env = Scenario::default();
    env.tell(&["a success @1 v1", "c success @3 v1"]);
    verdicts(&env, &["a deploy? superseded", "c redeploy? current after a"]);
    env.tell(&["b success @2 v2"]);
    verdicts(&env, &["a deploy? superseded", "b deploy? rolled_back after a", "c rollback? current after b"]);
    // Before all others: the chain begins with it.
    env.tell(&["z success @0 v2"]);
    verdicts(
        &env,
        &[
            "z deploy? superseded",
            "a deploy? rolled_back after z",
            "b rollback? rolled_back after a",
            "c rollback? current after b",
        ],
    );
}

#[test]
fn successes_of_one_moment_go_by_external_id_and_then_by_source() {
    check(&["b success @1 v2", "a success @1 v1"], &["a deploy? superseded", "b deploy? current after a"]);
    let mut env = Scenario::default();
    env.tell(&["a success @1 v1 by:gh", "b success @1 v1"]);
    let other = env.post("b", "success @1 v2 by:api");
    env.take(&[other]);
    let row = env.row("a").id;
    let of_b = env.id("b");
    assert_ne!(row, of_b);
    let current = env.workflow("web").unwrap().current.clone().unwrap();
    assert_eq!(current.version.as_deref(), Some("v1"), "ci's b comes after api's b");
}

#[test]
fn what_has_not_succeeded_is_judged_at_its_creation() {
    check(
        &["a success @1 v1", "c success @3 v2", "b failed @2 v1", "d queued @4 v1"],
        &["a deploy? superseded", "b redeploy? after a", "c deploy? current after a", "d rollback? after c"],
    );
}

#[test]
fn a_re_run_changes_no_standing_until_it_succeeds() {
    let mut env = Scenario::default();
    env.tell(&["a success @1 v1", "b success @2 v2", "a 2: running @3"]);
    verdicts(&env, &["a deploy? superseded", "b deploy? current after a"]);
    env.tell(&["b 2: running @3"]);
    assert_eq!(env.row("b").status, Status::Running);
    verdicts(&env, &["a deploy? superseded", "b deploy? current after a"]);
    env.tell(&["b 2: failed @4", "a 2: success @5"]);
    // The earlier deployment succeeded anew: now it is the last.
    verdicts(&env, &["b deploy? superseded", "a deploy? current after b"]);
}

#[test]
fn a_success_that_is_corrected_leaves_the_chain() {
    let mut env = Scenario::default();
    env.tell(&["a success @1 v1", "b success @2 v2", "b failed @3"]);
    verdicts(&env, &["a deploy? current", "b deploy? after a"]);
    assert_eq!(env.workflow("web").unwrap().last_success_at, Some(second(1)));
}

#[test]
fn a_workflow_whose_last_was_removed_has_no_current() {
    let mut env = Scenario::default();
    env.tell(&["a success @1 v1", "b success @2 v2", "b removed @3"]);
    verdicts(&env, &["a deploy? superseded", "b deploy? removed after a"]);
    let row = env.workflow("web").unwrap();
    assert_eq!((row.current.clone(), row.last_success_at), (None, Some(second(2))));
    // What comes after it supersedes it like any other.
    env.tell(&["c success @4 v3"]);
    verdicts(&env, &["a deploy? superseded", "b deploy? superseded after a", "c deploy? current after b"]);
}

#[test]
fn deleting_the_current_makes_its_predecessor_current() {
    let mut env = Scenario::default();
    env.tell(&["a success @1 v1", "b success @2 v2", "c success @3 v1", "d running @4 v1"]);
    verdicts(
        &env,
        &[
            "a deploy? superseded",
            "b deploy? rolled_back after a",
            "c rollback? current after b",
            "d redeploy? after c",
        ],
    );
    let id = env.id("c");
    assert_eq!(env.ask(Request::Delete { id }), Ok(Outcome::Deleted));
    verdicts(&env, &["a deploy? superseded", "b deploy? current after a", "d rollback? after b"]);
}

#[test]
fn chains_of_different_workflows_do_not_meet() {
    check(&["a success @1 v1", "b success @2 v1 of:api"], &["a deploy? current", "b deploy? current"]);
}

#[test]
fn the_row_shows_the_newest_by_creation_and_at_most_twelve_results() {
    let mut env = Scenario::default();
    for n in 0..15 {
        env.tell(&[&format!("d{n:02} failed @{n}")]);
    }
    env.tell(&["d14 success @20", "d03 2: running @2.5"]);
    let row = env.workflow("web").unwrap();
    assert_eq!(row.latest.as_ref().unwrap().deployment_id, env.id("d14"));
    assert_eq!(row.latest.as_ref().unwrap().status, Status::Success);
    assert_eq!((row.active, row.recent.len()), (1, 12));
    assert_eq!(row.recent[..2], [Status::Running, Status::Failed], "d03 is the twelfth newest now");
    assert_eq!(row.recent[11], Status::Success, "the newest last");
}

#[test]
fn deployments_of_one_moment_go_by_id() {
    let mut env = Scenario::default();
    env.tell(&["a running @1", "b failed @1"]);
    let newest = env.id("a").max(env.id("b"));
    assert_eq!(env.workflow("web").unwrap().latest.as_ref().unwrap().deployment_id, newest);
}

#[test]
fn a_workflow_is_called_by_its_last_name_and_else_by_its_slug() {
    let mut env = Scenario::default();
    env.tell(&["a running @1"]);
    assert_eq!(env.workflow("web").unwrap().name, "web");
    let mut named = env.post("a", "waiting @2");
    if let Request::Post { report, .. } = &mut named {
        report.workflow_name = Some("Web Shop".to_owned());
    }
    env.take(&[named]);
    env.tell(&["a success @3"]);
    assert_eq!(env.workflow("web").unwrap().name, "Web Shop");
}

#[test]
fn an_expected_duration_is_the_median_of_at_least_three_and_at_most_twenty() {
    let check = |durations: &[i64], expected| assert_eq!(expected_ms(durations), expected, "{durations:?}");
    check(&[], None);
    check(&[5, 1], None);
    check(&[5, 1, 9], Some(5));
    check(&[1, 10, 4, 3], Some(3));
    let many: Vec<i64> = (0..20).map(|_| 7).chain((0..50).map(|_| 1_000)).collect();
    check(&many, Some(7));
}

#[test]
fn an_expected_duration_is_set_when_a_deployment_first_runs_and_kept() {
    let mut env = Scenario::default();
    env.tell(&[
        "a running @1",
        "a success @2",
        "b running @2",
        "b success @4",
        "c running @3",
        "c queued @3",
    ]);
    assert_eq!(env.row("c").expected_ms, None, "two are too few");
    env.tell(&["c success @6", "d queued @7"]);
    assert_eq!(env.row("d").expected_ms, None, "it does not run yet");
    env.tell(&["d running @8"]);
    assert_eq!(env.row("d").expected_ms, Some(2_000));
    env.tell(&["e running @8", "e success @20", "f running @8", "f success @30", "g running @31"]);
    assert_eq!(env.row("g").expected_ms, Some(3_000));
    env.tell(&["d failed @32", "d 2: queued @33", "d 2: running @34"]);
    assert_eq!(env.row("d").expected_ms, Some(2_000), "kept over its attempts");
}
