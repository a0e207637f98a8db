//! What requests come to, by example: repeats, progress, timelines, silence, deletion, keys, events. The
//! fold's and the chain's own rules are told beside them.

use crate::decide::{Outcome, Refusal, Request};
use crate::event::Change;
use crate::id::EventId;
use crate::model::notation::{report, second};
use crate::model::scenario::{Scenario, entry};
use crate::report::{Digest, Report};
use crate::status::{Standing, Status};

fn env(lines: &[&str]) -> Scenario {
    let mut env = Scenario::default();
    env.tell(lines);
    env
}

/// After the first reports, this one on `a` is a repeat, or is not.
#[track_caller]
fn check_repeat(lines: &[&str], line: &str, repeats: bool) {
    let mut env = env(lines);
    let before = (env.row("a").clone(), env.deployment("a").state.arrivals);
    env.now = env.now.plus_millis(1_000);
    let decision = env.take(&[env.patch("a", line)]);
    assert_eq!(decision.outcomes, [Ok(Outcome::Known(env.id("a")))], "a repeat is welcome");
    let state = &env.deployment("a").state;
    assert_eq!(state.last_heard_at, env.now, "and a sign of life");
    assert_eq!(decision.events.is_empty(), repeats, "{line}: {:?}", env.told(&decision));
    assert_eq!((env.row("a").clone(), state.arrivals) == before, repeats, "{line}");
}

#[test]
fn an_undated_report_repeats_the_last_one_of_its_attempt_only() {
    check_repeat(&["a running"], "running", true);
    check_repeat(&["a running v1"], "running", false);
    check_repeat(&["a running", "a waiting"], "running", false);
    check_repeat(&["a running"], "running by:gate", false);
    check_repeat(&["a running"], "running #1", false);
    check_repeat(&["a 1: running", "a 2: running"], "1: running", true);
    check_repeat(&["a 1: running"], "2: running", false);
    check_repeat(&["a 1: running", "a 2: queued"], "running", false);
    // Progress that was merged in between is no report.
    check_repeat(&["a running", "a 40%"], "running", true);
}

#[test]
fn a_dated_report_repeats_any_stored_one_of_its_attempt() {
    check_repeat(&["a running @1", "a success @3"], "running @1", true);
    check_repeat(&["a running @1", "a success @3"], "running @2", false);
    check_repeat(&["a 1: running @1", "a 2: running @3"], "running @1", true);
    check_repeat(&["a 1: running @1", "a 2: running @3"], "1: running @1", true);
    check_repeat(&["a 1: running @1", "a 2: running @3"], "2: running @1", false);
    check_repeat(&["a running"], "running @11", false);
}

#[test]
fn within_one_group_repeats_are_repeats_too() {
    let mut env = Scenario::default();
    let requests = [env.post("a", "running @1"), env.post("a", "running @1"), env.post("a", "running @1 v1")];
    let decision = env.take(&requests);
    assert_eq!(decision.reports.len(), 2);
    let id = env.id("a");
    assert_eq!(decision.outcomes, [Ok(Outcome::Created(id)), Ok(Outcome::Known(id)), Ok(Outcome::Known(id))]);
}

#[test]
fn a_known_identity_stays_of_its_workflow_and_a_new_one_needs_one() {
    let mut env = env(&["a running"]);
    let other = env.post("a", "success of:api");
    assert_eq!(env.ask(other), Err(Refusal::OtherWorkflow("web".parse().unwrap())));
    let Request::Post { report, new_id, key } = env.post("b", "running") else { unreachable!() };
    let report = Box::new(Report { workflow: None, ..*report });
    assert_eq!(env.ask(Request::Post { report, new_id, key }), Err(Refusal::WorkflowMissing));
}

#[test]
fn the_same_external_id_of_another_source_is_another_deployment() {
    let mut env = env(&["a running"]);
    let other = env.post("a", "running by:gh");
    assert!(matches!(env.ask(other), Ok(Outcome::Created(_))));
    assert_eq!(env.counts().deployments.running, 2);
}

#[test]
fn without_an_external_id_each_post_makes_a_deployment_named_after_itself() {
    let mut env = Scenario::default();
    let post = |env: &mut Scenario| match env.post("", "running") {
        Request::Post { report, new_id, key } => {
            let report = Box::new(Report { external_id: None, ..*report });
            (Request::Post { report, new_id, key }, new_id)
        }
        other => unreachable!("{other:?}"),
    };
    let ((one, id), (two, other)) = (post(&mut env), post(&mut env));
    assert_eq!(env.take(&[one, two]).outcomes, [Ok(Outcome::Created(id)), Ok(Outcome::Created(other))]);
    assert_eq!(env.row(&id.to_string()).id, id);
}

/// The timeline that these reports on `a` make.
#[track_caller]
fn check_timeline(lines: &[&str], expected: &[&str]) {
    let mut env = Scenario::default();
    let requests: Vec<Request> = lines.iter().map(|line| env.post("a", line)).collect();
    let decision = env.take(&requests);
    let Change::DeploymentUpsert(upsert) = &decision.events[0].change else {
        panic!("an upsert comes first")
    };
    assert_eq!(upsert.entries.iter().map(entry).collect::<Vec<_>>(), expected);
}

#[test]
fn a_report_makes_an_entry_for_its_status_and_one_for_its_step_and_else_a_note() {
    check_timeline(&["queued @1 says:go"], &["1 status queued says:go @1"]);
    check_timeline(
        &["running @1 step:migrate says:go", "step:seed @2 says:on"],
        &["1 status running says:go @1", "2 step step:migrate @1", "3 step step:seed says:on @2"],
    );
    check_timeline(&["queued @1", "says:hello @2"], &["1 status queued @1", "2 note says:hello @2"]);
    // A label, a value or a percentage is no entry.
    check_timeline(&["queued @1", "phase:build @2", "v2 @3"], &["1 status queued @1"]);
}

#[test]
fn words_nobody_knows_are_visible_as_unmapped() {
    check_timeline(&["Exploded @1"], &["1 status unmapped says:Exploded @1"]);
    check_timeline(&["Exploded @1 says:bang"], &["1 status unmapped says:bang @1"]);
    check_timeline(&["success @1", "removed @2"], &["1 status success @1", "2 status removed @2"]);
}

#[test]
fn what_replaces_an_end_is_a_correction_and_what_changes_no_status_is_late() {
    check_timeline(
        &["failed @2", "success @3", "running @1"],
        &["1 status failed @2", "2 correction success @3", "3 status running @1 late"],
    );
    check_timeline(&["running @2", "queued @1"], &["1 status running @2", "2 status queued @1 late"]);
    check_timeline(&["2: running @2", "1: failed @3"], &["1 status running @2", "2 status failed @3 late"]);
    check_timeline(
        &["success @2", "success @4 says:again"],
        &["1 status success @2", "2 status success says:again @4"],
    );
    check_timeline(&["success @2", "lost @4"], &["1 status success @2", "2 status lost @4 late"]);
}

#[test]
fn another_source_s_end_is_stored_and_changes_nothing() {
    let mut env = env(&["a failed @2"]);
    let decision = env.take(&[env.patch("a", "success @3 by:gate")]);
    assert_eq!(env.told(&decision), ["upsert a | 2 status success @3"]);
    assert_eq!(env.row("a").status, Status::Failed);
}

#[test]
fn a_long_message_is_cut_in_rows_and_events_and_whole_in_the_report() {
    let mut env = Scenario::default();
    let post = env.post("a", &format!("running says:{}", "é".repeat(3_000)));
    let decision = env.take(&[post]);
    let length = |text: &Option<String>| text.as_ref().unwrap().chars().count();
    let Change::DeploymentUpsert(upsert) = &decision.events[0].change else {
        panic!("an upsert comes first")
    };
    assert_eq!(length(&upsert.entries[0].message), 500);
    assert_eq!(length(&upsert.deployment.message), 500);
    assert_eq!(length(&decision.reports[0].1.details.message), 2_000);
}

/// These reports on `a` show this percent.
#[track_caller]
fn check_percent(lines: &[&str], expected: Option<f64>) {
    assert_eq!(env(lines).row("a").progress.percent, expected, "{lines:?}");
}

#[test]
fn progress_is_the_greatest_of_the_attempt_99_at_most_and_100_on_success() {
    check_percent(&["a running"], None);
    check_percent(&["a running", "a 40%", "a 30%"], Some(40.0));
    check_percent(&["a running 60%", "a 40%"], Some(60.0));
    check_percent(&["a running", "a 100%"], Some(99.0));
    check_percent(&["a running", "a 99.5%"], Some(99.0));
    check_percent(&["a running 40%", "a failed"], Some(40.0));
    check_percent(&["a running 100%", "a failed"], Some(99.0));
    check_percent(&["a success"], Some(100.0));
    check_percent(&["a success @1", "a failed @2"], None);
    check_percent(&["a running 100%", "a success"], Some(100.0));
}

#[test]
fn progress_begins_anew_with_an_attempt_and_earlier_ones_no_longer_count() {
    check_percent(&["a running 60%", "a 2: queued"], None);
    check_percent(&["a running 60%", "a 2: 10%"], Some(10.0));
    check_percent(&["a running 60%", "a 2: 10%", "a 1: 90%"], Some(10.0));
    check_percent(&["a running 60%", "a 2: queued", "a 1: 90%"], None);
}

#[test]
fn signs_of_life_are_merged_and_not_kept() {
    let mut env = env(&["a running"]);
    let beats = ["10%", "30% phase:build", "20% phase:rollout", ""];
    let requests: Vec<Request> = beats.iter().map(|line| env.patch("a", line)).collect();
    let decision = env.take(&requests);
    assert_eq!(env.told(&decision), ["progress a 30.0"]);
    assert_eq!(decision.reports, []);
    assert_eq!(env.row("a").progress.phase.as_deref(), Some("rollout"));
    assert_eq!(env.deployment("a").state.progress_sent_at, env.now);
    // Nothing new: heard, and nothing told.
    env.now = env.now.plus_millis(5);
    let decision = env.take(&[env.patch("a", "5%")]);
    assert_eq!(decision.events, []);
    assert_eq!(env.deployment("a").state.last_heard_at, env.now);
}

#[test]
fn progress_that_comes_too_soon_is_held_back_and_published_when_it_is_due() {
    let mut env = env(&["a running", "a 10%"]);
    let sent = env.deployment("a").state.progress_sent_at;
    env.now = sent.plus_millis(100);
    let decision = env.take(&[env.patch("a", "20%")]);
    assert_eq!(decision.events, []);
    assert_eq!(decision.owing, [(env.id("a"), sent.plus_millis(250))]);
    assert_eq!(env.row("a").progress.percent, Some(10.0));
    env.now = sent.plus_millis(250);
    let decision = env.take(&[Request::Settle { id: env.id("a") }]);
    assert_eq!(env.told(&decision), ["progress a 20.0"]);
    // A status does not wait, and takes along what was held back.
    env.now = env.now.plus_millis(10);
    env.take(&[env.patch("a", "30%")]);
    let decision = env.take(&[env.patch("a", "failed")]);
    assert_eq!(env.row("a").progress.percent, Some(30.0));
    assert_eq!(decision.owing, []);
}

#[test]
fn progress_goes_on_while_receipts_stand_still_because_a_clock_was_ahead() {
    let mut env = env(&["a running", "a 10%"]);
    let machine = env.now.plus_millis(-600_000);
    let mut told = |after: i64, percent: &str| {
        env.model.machine_time = Some(machine.plus_millis(after));
        let decision = env.take(&[env.patch("a", percent)]);
        env.told(&decision)
    };
    assert_eq!(told(0, "20%"), ["progress a 20.0"], "that the last went in the future holds nothing back");
    assert_eq!(told(100, "30%"), [""; 0]);
    assert_eq!(told(250, "40%"), ["progress a 40.0"]);
}

#[test]
fn a_status_takes_waiting_progress_along() {
    let mut env = env(&["a queued"]);
    let requests = [env.patch("a", "40%"), env.patch("a", "running")];
    let decision = env.take(&requests);
    assert_eq!(env.told(&decision)[0], "upsert a | 2 status running @11");
    assert_eq!(env.row("a").progress.percent, Some(40.0));
    let progress = |change: &Change| matches!(change, Change::DeploymentProgress(_));
    assert!(!decision.events.iter().any(|event| progress(&event.change)));
}

#[test]
fn silence_makes_lost_only_if_it_still_holds() {
    let mut env = env(&["a running"]);
    let (id, heard) = (env.id("a"), env.now);
    env.now = env.now.plus_millis(60_000);
    let silent_since = heard.plus_millis(-1);
    assert_eq!(env.ask(Request::Lose { id, silent_since }), Ok(Outcome::Known(id)));
    assert_eq!(env.row("a").status, Status::Running, "it was heard after that");
    let decision = env.take(&[Request::Lose { id, silent_since: heard }]);
    assert_eq!(env.row("a").status, Status::Lost);
    assert_eq!(env.told(&decision), ["upsert a | 2 status lost @71", "workflow web", "counts"]);
    assert_eq!(decision.reports[0].1.source, "shipboard");
    assert_eq!(env.deployment("a").state.last_heard_at, heard, "the watchdog is not its reporter");
    // Lost, or ended: the watchdog leaves it alone.
    assert_eq!(env.take(&[Request::Lose { id, silent_since: env.now }]).events, []);
}

#[test]
fn a_repeat_of_a_dated_report_does_not_revive_and_anything_new_does() {
    let lost = |lines: &[&str]| {
        let mut env = env(lines);
        let id = env.id("a");
        env.ask(Request::Lose { id, silent_since: env.now }).unwrap();
        assert_eq!(env.row("a").status, Status::Lost);
        env
    };
    let mut env = lost(&["a running @1"]);
    env.take(&[env.patch("a", "running @1")]);
    assert_eq!(env.row("a").status, Status::Lost);
    for line in ["", "40%", "running", "queued @0", "says:hello", "step:migrate", "exploded"] {
        let mut env = lost(&["a running @1"]);
        let decision = env.take(&[env.patch("a", line)]);
        assert_eq!(env.row("a").status, Status::Running, "{line:?}");
        assert_eq!(decision.reports.len(), 1, "what revives is kept: {line:?}");
    }
    let mut env = lost(&["a 1: running @1", "a 2: running @2"]);
    env.take(&[env.patch("a", "1: failed @3")]);
    assert_eq!(env.row("a").status, Status::Lost, "another attempt's");
}

#[test]
fn a_sign_of_life_in_the_group_that_takes_it_for_lost_counts_at_its_own_moment() {
    let mut env = env(&["a running @5", "b success @2"]);
    let id = env.id("a");
    let requests = [Request::Lose { id, silent_since: env.now }, env.patch("a", "40% @1")];
    env.take(&requests);
    assert_eq!(env.row("a").status, Status::Running);
    assert_eq!(env.row("a").created_at, second(1));
    assert_eq!(env.judged("a"), "deploy?");
}

#[test]
fn a_second_report_on_what_the_group_makes_may_take_it_before_what_is_there() {
    let mut env = env(&["b success @2 v1", "c success @3 v2"]);
    let first = env.post("a", "running @5 v2");
    // It names no workflow, and the database knows no deployment of its name yet.
    let second = match env.post("a", "success @1") {
        Request::Post { report, new_id, key } => {
            Request::Post { report: Box::new(Report { workflow: None, ..*report }), new_id, key }
        }
        other => unreachable!("{other:?}"),
    };
    env.take(&[first, second]);
    let judged = ["a", "b", "c"].map(|name| env.judged(name));
    assert_eq!(judged, ["deploy? superseded", "deploy? rolled_back after a", "rollback? current after b"]);
}

#[test]
fn deletion_leaves_a_tombstone_and_its_events() {
    let mut env = env(&["a success @1 v1", "b running @2"]);
    let id = env.id("b");
    let decision = env.take(&[Request::Delete { id }]);
    assert_eq!(env.told(&decision), ["delete b", "workflow web", "counts"]);
    assert_eq!(env.ask(env.patch("b", "success")), Err(Refusal::Gone));
    let post = env.post("b", "success");
    assert_eq!(env.ask(post), Err(Refusal::Gone));
    assert_eq!(env.ask(Request::Delete { id }), Err(Refusal::Gone));
    let id = crate::model::scenario::unknown_id();
    assert_eq!(env.ask(Request::Delete { id }), Err(Refusal::UnknownDeployment));
}

#[test]
fn what_is_kept_no_longer_goes_only_if_nothing_has_come_of_it_meanwhile() {
    let started = || env(&["a success @1", "b failed @2", "c failed @3", "d success @4", "e failed @5"]);
    let expire = |env: &mut Scenario, name: &str, made_before: i64| {
        let request = Request::Expire { id: env.id(name), made_before: second(made_before) };
        env.ask(request)
    };
    let mut env = started();
    for (name, made_before, goes) in
        [("a", 1, false), ("a", 2, true), ("b", 9, true), ("d", 9, false), ("e", 9, false)]
    {
        let id = env.id(name);
        let expected = if goes { Outcome::Deleted } else { Outcome::Known(id) };
        assert_eq!(expire(&mut env, name, made_before), Ok(expected), "{name} before {made_before}");
    }
    // Tried again, in the same group and before.
    let mut env = started();
    let id = env.id("b");
    let expiring = Request::Expire { id, made_before: second(9) };
    let again = env.patch("b", "2: running @6");
    env.take(&[again, expiring.clone()]);
    assert_eq!(env.row("b").status, Status::Running);
    assert_eq!(env.ask(expiring), Ok(Outcome::Known(id)));
    // What is current goes in the same group, and it would be the one that is.
    let mut env = started();
    let id = env.id("a");
    let removing = env.patch("d", "failed @4");
    env.take(&[removing, Request::Expire { id, made_before: second(9) }]);
    assert_eq!(env.row("a").standing, Some(Standing::Current));
    // Others that expire with it are no reason to keep it.
    let mut env = started();
    let ids = ["a", "b", "c"].map(|name| env.id(name));
    let decision = env.take(&ids.map(|id| Request::Expire { id, made_before: second(9) }));
    assert_eq!(decision.deleted.len(), 3);
}

#[test]
fn deleting_the_last_deployment_or_the_workflow_lets_its_row_go() {
    let mut one = env(&["a success @1"]);
    let decision = one.take(&[Request::Delete { id: one.id("a") }]);
    assert_eq!(one.told(&decision), ["delete a", "workflow web goes", "counts"]);
    assert_eq!(one.workflow("web"), None);

    let mut env = env(&["a success @1", "b running @2", "c running @2 of:api"]);
    let workflow = "web".parse().unwrap();
    let decision = env.take(&[Request::DeleteWorkflow { workflow }]);
    assert_eq!(decision.deleted.len(), 2);
    assert_eq!((env.counts().deployments.total, env.counts().workflows.total), (1, 1));
    let workflow = "web".parse().unwrap();
    assert_eq!(env.ask(Request::DeleteWorkflow { workflow }), Err(Refusal::UnknownWorkflow));
}

#[test]
fn what_one_group_makes_and_deletes_nobody_sees_and_its_identity_is_spoken_for() {
    let mut env = Scenario::default();
    let post = env.post("a", "running");
    let Request::Post { new_id: id, .. } = post else { unreachable!() };
    let again = env.post("a", "success");
    let decision = env.take(&[post, Request::Delete { id }, again]);
    assert_eq!(decision.outcomes, [Ok(Outcome::Created(id)), Ok(Outcome::Deleted), Err(Refusal::Gone)]);
    assert_eq!((decision.events, decision.head), (Vec::new(), EventId(0)));
    let again = env.post("a", "success");
    assert_eq!(env.ask(again), Err(Refusal::Gone));
}

#[test]
fn an_idempotency_key_answers_for_its_request_and_no_other() {
    let mut env = Scenario::default();
    let keyed = |env: &mut Scenario, name: &str, body: &str| match env.post(name, "running") {
        Request::Post { report, new_id, .. } => {
            let key = Some(("key".to_owned(), Digest::from(body)));
            Request::Post { report: Box::new(Report { external_id: None, ..*report }), new_id, key }
        }
        other => unreachable!("{other:?}"),
    };
    let first = keyed(&mut env, "", "one");
    let Request::Post { new_id, .. } = first else { unreachable!() };
    let (second, third) = (keyed(&mut env, "", "one"), keyed(&mut env, "", "two"));
    // In the same group and later alike.
    let decision = env.take(&[first, second.clone()]);
    assert_eq!(decision.outcomes, [Ok(Outcome::Created(new_id)), Ok(Outcome::Known(new_id))]);
    assert_eq!(decision.keys.len(), 1);
    env.now = env.now.plus_millis(1_000);
    assert_eq!(env.ask(second.clone()), Ok(Outcome::Known(new_id)));
    assert_eq!(env.deployment(&new_id.to_string()).state.last_heard_at, env.now);
    assert_eq!(env.ask(third), Err(Refusal::KeyReused));
    env.ask(Request::Delete { id: new_id }).unwrap();
    assert_eq!(env.ask(second), Err(Refusal::Gone));
}

#[test]
fn a_request_that_is_refused_leaves_no_key_behind() {
    let mut env = env(&["a running"]);
    let Request::Post { report, new_id, .. } = env.post("a", "success of:api") else { unreachable!() };
    let key = Some(("key".to_owned(), Digest::from("body")));
    let decision = env.take(&[Request::Post { report, new_id, key }]);
    assert_eq!((decision.keys.len(), decision.events.len()), (0, 0));
}

#[test]
fn the_first_bytes_of_a_log_are_told_once() {
    let mut env = env(&["a running"]);
    let id = env.id("a");
    let decision = env.take(&[Request::HasLog { id }]);
    assert_eq!(env.told(&decision), ["upsert a"]);
    assert!(env.row("a").has_log);
    assert_eq!(env.take(&[Request::HasLog { id }]).events, []);
    env.tell(&["a success"]);
    assert!(env.row("a").has_log);
}

#[test]
fn events_go_from_deployments_to_neighbours_to_workflows_to_counts() {
    let mut env = env(&["a success @1 v1", "c success @3 v1", "d running @4 of:api"]);
    let head = env.row("d").event_id;
    let requests = [
        env.post("b", "success @2 v2"),
        Request::Delete { id: env.id("d") },
        env.post("e", "queued @5 of:jobs"),
    ];
    let decision = env.take(&requests);
    let mut told = env.told(&decision);
    assert_eq!(told.remove(0), "delete d");
    let counts = told.pop();
    assert_eq!(counts.as_deref(), Some("counts"));
    let at = |what: &str| told.iter().position(|line| line.starts_with(what)).expect(what);
    let [b, e, c] = ["upsert b", "upsert e", "upsert c"].map(at);
    assert!(b.max(e) < c, "{told:?}");
    let [api, jobs, web] = ["workflow api goes", "workflow jobs", "workflow web"].map(at);
    assert!(c < api && api < jobs && jobs < web, "{told:?}");
    assert!(env.row("c").event_id > head, "the neighbour's row has the number of its event");
    assert_eq!(env.row("c").updated_at, env.now);
    assert!(env.row("a").event_id < head, "what b changed nothing about is left alone");
}

#[test]
fn counts_are_told_only_if_a_counter_changed() {
    let mut env = env(&["a running @1"]);
    let decision = env.take(&[env.patch("a", "says:hello")]);
    assert_eq!(env.told(&decision), ["upsert a | 2 note says:hello @11"]);
    let decision = env.take(&[env.patch("a", "waiting @2")]);
    assert_eq!(env.told(&decision), ["upsert a | 3 status waiting @2", "workflow web", "counts"]);
}

#[test]
fn a_heartbeat_is_progress_of_a_known_attempt_that_is_not_lost() {
    let mut env = env(&["a 2: running"]);
    let is = |env: &Scenario, line: &str| env.deployment("a").is_heartbeat(&report(line));
    assert!(is(&env, "") && is(&env, "40%") && is(&env, "2: phase:build @1"));
    assert!(!is(&env, "1: 40%") && !is(&env, "3: 40%") && !is(&env, "running") && !is(&env, "says:hello"));
    let id = env.id("a");
    env.ask(Request::Lose { id, silent_since: env.now }).unwrap();
    assert!(!is(&env, "40%"));
}
