//! Deliveries of our own making.

mod examples;
mod spoilt;

use serde_json::{Value, json};
use shipboard_core::report::Said;
use shipboard_core::status::Status;

use super::*;
use crate::hooks::testing::{external_ids, folded, statuses};

fn read_json(event: &str, delivery: &Value) -> Vec<EnvReport> {
    read(event, Some("application/json"), delivery.to_string().as_bytes()).unwrap()
}

fn repository() -> Value {
    json!({"id": 77, "full_name": "harbour/crane", "html_url": "https://git.example/harbour/crane"})
}

fn deployment_json() -> Value {
    json!({
        "id": 9001, "sha": "5eaf00d5eaf00d5eaf00d5eaf00d5eaf00d5eaf0", "ref": "refs/heads/main", "task": "deploy",
        "payload": {"version": "2.4.0"}, "environment": "Production EU", "description": null,
        "created_at": "2026-03-01T10:00:00Z", "creator": {"login": "mara"},
    })
}

fn run_json() -> Value {
    json!({
        "id": 500, "name": "Ship", "event": "push", "display_title": "Oil the winch", "run_attempt": 1,
        "html_url": "https://git.example/harbour/crane/actions/runs/500", "triggering_actor": {"login": "joost"},
    })
}

fn status_json(id: i64, state: &str, at: &str) -> Value {
    json!({
        "action": "created", "repository": repository(), "deployment": deployment_json(),
        "deployment_status": {
            "id": id, "state": state, "description": "", "environment": "Production EU", "created_at": at,
            "environment_url": "", "log_url": "https://git.example/log", "target_url": "",
        },
    })
}

fn with(mut delivery: Value, field: &str, value: Value) -> Value {
    delivery[field] = value;
    delivery
}

fn status_of_run(id: i64, state: &str, at: &str) -> Value {
    let delivery = with(status_json(id, state, at), "workflow_run", run_json());
    with(delivery, "check_run", json!({"id": 4, "name": "to production"}))
}

fn job_json(status: &str, conclusion: Option<&str>) -> Value {
    let ended = conclusion.is_some();
    json!({
        "action": "queued", "repository": repository(), "deployment": deployment_json(),
        "sender": {"login": "joost"},
        "workflow_job": {
            "id": 4, "run_id": 500, "run_attempt": 1, "workflow_name": "Ship", "name": "to production",
            "html_url": "https://git.example/job/4", "status": status, "conclusion": conclusion,
            "created_at": "2026-03-01T10:00:00Z", "started_at": "2026-03-01T10:01:00Z",
            "completed_at": ended.then_some("2026-03-01T10:05:00Z"), "steps": [],
        },
    })
}

fn step_json(number: i64, name: &str, conclusion: Option<&str>) -> Value {
    json!({
        "name": name, "number": number, "conclusion": conclusion,
        "status": if conclusion.is_some() { "completed" } else { "in_progress" },
        "started_at": format!("2026-03-01T10:01:{number:02}Z"),
        "completed_at": conclusion.map(|_| format!("2026-03-01T10:02:{number:02}Z")),
    })
}

fn with_steps(mut delivery: Value, steps: Value) -> Value {
    delivery["workflow_job"]["steps"] = steps;
    delivery
}

#[test]
fn a_deployment_made_through_the_api_is_known_by_its_own_id() {
    let delivery = json!({"action": "created", "repository": repository(), "deployment": deployment_json()});
    let told = read_json("deployment", &delivery);
    let [EnvReport { env, env_name, report }] = &told[..] else { panic!("{told:?}") };
    assert_eq!((env.as_str(), env_name.as_str()), ("production-eu", "Production EU"));
    assert_eq!(report.external_id.as_deref(), Some("77/deployment/9001"));
    assert_eq!(report.source.as_deref(), Some("github"));
    assert_eq!(report.workflow.as_ref().map(Slug::as_str), Some("harbour-crane"));
    assert_eq!(report.workflow_name.as_deref(), Some("harbour/crane"));
    assert_eq!(report.status, Some(Said::Status(Status::Queued)));
    assert_eq!(report.occurred_at, Some("2026-03-01T10:00:00Z".parse().unwrap()));
    assert_eq!(report.details.version.as_deref(), Some("2.4.0"));
    assert_eq!(report.details.actor.as_deref(), Some("mara"));
    assert_eq!(report.details.commit.reference.as_deref(), Some("main"));
    let page = "https://git.example/harbour/crane/commit/5eaf00d5eaf00d5eaf00d5eaf00d5eaf00d5eaf0";
    assert_eq!(report.details.commit.url.as_deref(), Some(page));

    let ended = read_json("deployment_status", &status_json(3, "success", "2026-03-01T10:03:00Z"));
    assert_eq!(ended[0], told[0], "a status repeats the opening word for word");
    assert_eq!(external_ids(&[told, ended]), ["77/deployment/9001"]);
}

#[test]
fn another_task_is_another_workflow() {
    let mut delivery = status_json(1, "success", "2026-03-01T10:03:00Z");
    delivery["deployment"]["task"] = json!("deploy:migrations");
    let told = read_json("deployment_status", &delivery);
    assert_eq!(told[0].report.workflow_name.as_deref(), Some("harbour/crane deploy:migrations"));
}

#[test]
fn a_status_brings_its_time_its_order_and_its_links() {
    let told = read_json("deployment_status", &status_of_run(31, "failure", "2026-03-01T10:03:00Z"));
    assert_eq!(statuses(&told), [Status::Queued, Status::Failed]);
    let report = &told[1].report;
    assert_eq!(report.sequence, Some(31));
    assert_eq!(report.occurred_at, Some("2026-03-01T10:03:00Z".parse().unwrap()));
    assert_eq!(report.details.logs_url.as_deref(), Some("https://git.example/log"));
    assert_eq!(
        report.details.url.as_deref(),
        Some("https://git.example/harbour/crane/actions/runs/500"),
        "an empty environment_url is none",
    );
    assert_eq!(report.details.actor.as_deref(), Some("joost"));
    assert_eq!(report.details.commit.message.as_deref(), Some("Oil the winch"));
    assert_eq!(report.details.message, None, "an empty description is none");
}

#[test]
fn a_status_in_another_environment_counts_there() {
    let mut delivery = status_json(1, "success", "2026-03-01T10:03:00Z");
    delivery["deployment_status"]["environment"] = json!("canary");
    assert!(read_json("deployment_status", &delivery).iter().all(|told| told.env.as_str() == "canary"));
}

#[test]
fn inactive_says_nothing_and_a_new_word_changes_nothing() {
    let at = "2026-03-01T10:03:00Z";
    assert_eq!(read_json("deployment_status", &status_json(1, "inactive", at)), []);
    let told = read_json("deployment_status", &status_json(1, "marinating", at));
    assert_eq!(told[1].report.status, Some(Said::Unmapped("marinating".into())));
}

#[test]
fn a_queued_status_right_after_its_deployment_is_not_told_twice() {
    let at_once = read_json("deployment_status", &status_json(1, "queued", "2026-03-01T10:00:01Z"));
    assert_eq!(statuses(&at_once), [Status::Queued]);
    let again = read_json("deployment_status", &status_json(1, "queued", "2026-03-01T10:30:00Z"));
    assert_eq!(statuses(&again), [Status::Queued, Status::Queued], "it was let in after a review");
}

#[test]
fn statuses_and_the_job_of_one_deployment_meet_in_one_identity() {
    let job = with_steps(job_json("in_progress", None), json!([step_json(1, "Set up", None)]));
    let deliveries = [
        read_json("workflow_job", &job_json("queued", None)),
        read_json("deployment_status", &status_of_run(1, "in_progress", "2026-03-01T10:01:01Z")),
        read_json("workflow_job", &job),
        read_json("deployment_status", &status_of_run(2, "success", "2026-03-01T10:05:01Z")),
        read_json("workflow_job", &job_json("completed", Some("success"))),
    ];
    assert_eq!(external_ids(&deliveries), ["77/run/500/to production"]);
    let workflows: Vec<_> = deliveries.iter().flatten().map(|told| &told.report.workflow).collect();
    assert!(workflows.windows(2).all(|pair| pair[0] == pair[1]), "{workflows:?}");
    let state = folded(&deliveries);
    assert_eq!((state.status, state.attempt), (Status::Success, 1));
    assert_eq!(state.started_at, Some("2026-03-01T10:01:00Z".parse().unwrap()));
    assert_eq!(state.queued_at, Some("2026-03-01T10:00:00Z".parse().unwrap()));
}

#[test]
fn two_jobs_of_one_run_into_one_environment_are_two_deployments() {
    let mut plan = job_json("completed", Some("success"));
    plan["workflow_job"]["name"] = json!("plan");
    let apply = job_json("in_progress", None);
    let deliveries = [read_json("workflow_job", &plan), read_json("workflow_job", &apply)];
    assert_eq!(external_ids(&deliveries), ["77/run/500/plan", "77/run/500/to production"]);
}

#[test]
fn a_re_run_is_another_attempt_of_the_same_deployment() {
    let failed = read_json("workflow_job", &job_json("completed", Some("failure")));
    let mut again = job_json("in_progress", None);
    again["workflow_job"]["run_attempt"] = json!(2);
    again["workflow_job"]["id"] = json!(5);
    again["deployment"]["id"] = json!(9002);
    let again = read_json("workflow_job", &again);
    assert!(again.iter().all(|told| told.report.attempt == Some(2)));
    let state = folded(&[failed.clone(), again.clone()]);
    assert_eq!((state.status, state.attempt), (Status::Running, 2));
    assert_eq!(external_ids(&[failed, again]).len(), 1);
}

#[test]
fn the_deployment_event_of_a_run_leaves_the_word_to_its_job_and_statuses() {
    let delivery = json!({
        "action": "created", "repository": repository(), "deployment": deployment_json(),
        "workflow_run": run_json(),
    });
    assert_eq!(read_json("deployment", &delivery), []);
}

#[test]
fn the_body_s_status_counts_and_not_the_action() {
    let waiting = read_json("workflow_job", &job_json("waiting", None));
    assert_eq!(statuses(&waiting), [Status::Queued, Status::Waiting]);
    assert_eq!(folded(&[waiting]).status, Status::Waiting);
}

#[test]
fn the_start_of_a_queued_job_is_no_start() {
    let queued = read_json("workflow_job", &job_json("queued", None));
    assert_eq!(folded(&[queued]).started_at, None);
    let cancelled = read_json("workflow_job", &job_json("completed", Some("cancelled")));
    let state = folded(&[cancelled]);
    assert_eq!((state.status, state.started_at), (Status::Cancelled, None), "it never began");
}

#[test]
fn steps_are_told_in_order_with_their_own_times() {
    let steps = json!([
        step_json(1, "Set up", Some("success")),
        step_json(8, "Migrate", Some("failure")),
        step_json(14, "Post set up", Some("skipped")),
        {"name": "Complete", "status": "queued", "conclusion": null, "number": 15},
    ]);
    let told = read_json("workflow_job", &with_steps(job_json("completed", Some("failure")), steps));
    let steps: Vec<_> = told
        .iter()
        .filter_map(|told| {
            let step = told.report.step.as_ref()?;
            let at = told.report.occurred_at.map(|at| at.to_string())?;
            Some((told.report.sequence?, step.name.as_str(), step.status.as_deref()?, at))
        })
        .collect();
    let at = |second: u8| format!("2026-03-01T10:02:{second:02}.000Z");
    assert_eq!(
        steps,
        [
            (1, "Set up", "success", at(1)),
            (8, "Migrate", "failed", at(8)),
            (14, "Post set up", "skipped", at(14)),
        ]
    );
    assert_eq!(statuses(&told), [Status::Queued, Status::Running, Status::Failed]);
    let end = told.last().unwrap();
    assert_eq!(end.report.details.message.as_deref(), Some("Failed in step “Migrate”"));
}

#[test]
fn progress_counts_steps_and_not_their_numbers() {
    let progress = |steps: Value| {
        let told = read_json("workflow_job", &with_steps(job_json("in_progress", None), steps));
        told.last().and_then(|told| told.report.progress.clone())
    };
    let half = progress(json!([step_json(1, "Set up", Some("success")), step_json(14, "Migrate", None)]));
    let half = half.unwrap();
    assert_eq!((half.percent, half.step.as_deref()), (Some(50.0), Some("Migrate")));
    assert_eq!(progress(json!([step_json(1, "Set up", None)])).unwrap().percent, None);
    assert_eq!(progress(json!([])), None);
}

#[test]
fn what_a_later_delivery_says_again_is_said_in_the_same_words() {
    let steps = |last| json!([step_json(1, "Set up", Some("success")), step_json(2, "Migrate", last)]);
    let first = with_steps(job_json("in_progress", None), steps(None));
    let last = with_steps(job_json("completed", Some("success")), steps(Some("success")));
    let (first, last) = (read_json("workflow_job", &first), read_json("workflow_job", &last));
    let repeated = |told: &&EnvReport| last.contains(told);
    let of_first: Vec<_> = first.iter().filter(repeated).collect();
    assert_eq!(of_first.len(), 3, "opening, running and the first step: {first:#?}");
}

#[test]
fn a_job_without_an_environment_is_nobody_s_deployment() {
    assert_eq!(read_json("workflow_job", &with(job_json("queued", None), "deployment", json!(null))), []);
    let mut blank = job_json("queued", None);
    blank["deployment"]["environment"] = json!(" ");
    assert_eq!(read_json("workflow_job", &blank), []);
}

fn review_json(action: &str) -> Value {
    let job = json!({
        "id": 4, "name": "to production", "environment": "Production EU",
        "html_url": "https://git.example/job/4", "updated_at": "2026-03-01T10:02:00Z",
    });
    json!({
        "action": action, "repository": repository(), "workflow_run": run_json(), "sender": {"login": "ines"},
        "since": "2026-03-01T10:00:30Z", "environment": "Production EU", "workflow_job_run": job,
        "workflow_job_runs": [job], "comment": "tide is high",
        "reviewers": [
            {"type": "Team", "reviewer": {"name": "harbour masters"}},
            {"type": "User", "reviewer": {"login": "ines"}},
        ],
    })
}

#[test]
fn a_review_asked_for_waits_and_its_answer_comes_after() {
    let asked = read_json("deployment_review", &review_json("requested"));
    assert_eq!(statuses(&asked), [Status::Waiting]);
    let message = asked[0].report.details.message.as_deref();
    assert_eq!(message, Some("Waiting for review by harbour masters, ines"));
    assert_eq!(asked[0].report.external_id.as_deref(), Some("77/run/500/to production"));

    let approved = read_json("deployment_review", &review_json("approved"));
    assert_eq!(statuses(&approved), [Status::Queued]);
    assert_eq!(approved[0].report.details.message.as_deref(), Some("Approved by ines: tide is high"));
    assert_eq!(folded(&[approved, asked.clone()]).status, Status::Queued, "in whichever order they come");

    let rejected = read_json("deployment_review", &review_json("rejected"));
    assert_eq!(rejected[0].report.details.reason.as_deref(), Some("rejected"));
    let state = folded(&[asked, rejected]);
    assert_eq!((state.status, state.details.actor.as_deref()), (Status::Failed, Some("joost")));
}

#[test]
fn a_review_without_a_run_is_nobody_s() {
    let delivery = with(review_json("requested"), "workflow_run", json!(null));
    assert_eq!(read_json("deployment_review", &delivery), []);
}

#[test]
fn what_has_no_environment_and_what_is_not_known_reads_as_nothing() {
    for event in ["ping", "workflow_run", "release", "push", "hatched", ""] {
        assert_eq!(read_json(event, &json!({"action": "completed", "release": 1})), [], "{event}");
    }
    for event in ["deployment", "deployment_status"] {
        let delivery = with(status_json(1, "success", "2026-03-01T10:00:00Z"), "action", json!("hatched"));
        assert_eq!(read_json(event, &delivery), [], "{event}");
    }
    assert_eq!(read_json("deployment_review", &review_json("hatched")), []);
}

#[test]
fn a_form_reads_like_its_json() {
    let delivery = json!({"action": "created", "repository": repository(), "deployment": deployment_json()});
    let escaped = format!(
        "%{}",
        hex::encode_upper(delivery.to_string())
            .as_bytes()
            .chunks(2)
            .map(|pair| std::str::from_utf8(pair).unwrap())
            .collect::<Vec<_>>()
            .join("%")
    );
    let form = read(
        "deployment",
        Some("application/x-www-form-urlencoded"),
        format!("payload={escaped}").as_bytes(),
    );
    assert_eq!(form.unwrap(), read_json("deployment", &delivery));
}

#[test]
fn what_cannot_be_read_is_an_error_with_a_reason() {
    let error = |event: &str, body: &str| read(event, None, body.as_bytes()).unwrap_err().to_string();
    for event in ["ping", "deployment", "deployment_status", "workflow_job", "deployment_review", "hatched"] {
        assert!(error(event, "{").starts_with("the body is not"), "{event}");
    }
    assert_eq!(error("deployment", "{}"), "deployment is missing");
    assert_eq!(error("workflow_job", "{}"), "workflow_job is missing");
    let mut delivery = job_json("queued", None);
    delivery["workflow_job"]["run_id"] = json!(null);
    assert_eq!(error("workflow_job", &delivery.to_string()), "workflow_job.run_id is missing");
    let delivery = with(job_json("queued", None), "repository", json!({}));
    assert_eq!(error("workflow_job", &delivery.to_string()), "repository.id is missing");
    let delivery = with(job_json("queued", None), "workflow_job", json!("late"));
    assert!(error("workflow_job", &delivery.to_string()).starts_with("the body is not"));
}

#[test]
fn names_too_long_to_keep_are_cut_and_stay_apart() {
    let read_name = |name: String| {
        let mut delivery = job_json("queued", None);
        delivery["workflow_job"]["name"] = json!(name);
        delivery["workflow_job"]["workflow_name"] = json!("w".repeat(500));
        read_json("workflow_job", &delivery).remove(0)
    };
    let (one, two) = (read_name("j".repeat(5_000) + "1"), read_name("j".repeat(5_000) + "2"));
    assert_ne!(one.report.external_id, two.report.external_id);
    assert_eq!(one.report.workflow_name.map(|name| name.len()), Some(255));
}
