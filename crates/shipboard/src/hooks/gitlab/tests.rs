//! Deliveries of our own making.

use proptest::prelude::*;
use serde_json::{Value, json};
use shipboard_core::report::Said;
use shipboard_core::status::Status;

use super::*;
use crate::hooks::testing::{external_ids, folded, possible, spoilings, spoilt, statuses};

const SHA: &str = "5eaf00d5eaf00d5eaf00d5eaf00d5eaf00d5eaf0";

fn read_json(delivery: &Value) -> Vec<EnvReport> {
    read(delivery.to_string().as_bytes()).unwrap()
}

fn project() -> Value {
    json!({"id": 77, "path_with_namespace": "harbour/crane", "web_url": "https://git.example/harbour/crane"})
}

fn deployment_json(status: &str, at: &str) -> Value {
    json!({
        "object_kind": "deployment", "status": status, "status_changed_at": at, "deployment_id": 15,
        "deployable_id": 4, "deployable_url": "https://git.example/harbour/crane/-/jobs/4",
        "environment": "Production EU", "environment_external_url": "https://crane.example", "project": project(),
        "short_sha": &SHA[..8], "user": {"username": "mara"}, "commit_title": "Oil the winch", "ref": "main",
        "commit_url": format!("https://git.example/harbour/crane/-/commit/{SHA}"),
    })
}

fn job_json(status: &str, started_at: Option<&str>, finished_at: Option<&str>) -> Value {
    json!({
        "object_kind": "build", "ref": "main", "tag": false, "sha": SHA, "build_id": 4, "build_name": "ship",
        "build_status": status, "build_created_at": "2026-03-01 10:00:00 UTC", "build_started_at": started_at,
        "build_finished_at": finished_at, "build_failure_reason": "script_failure", "pipeline_id": 9,
        "project_id": 77, "user": {"username": "mara"},
        "commit": {"id": 9, "message": "Oil the winch", "author_name": "Mara"},
        "repository": {"homepage": "https://git.example/harbour/crane"},
        "environment": {"name": "Production EU", "action": "start", "deployment_tier": "production"},
    })
}

fn pipeline_json() -> Value {
    let job = |id: i64, status: &str, environment: Value| {
        json!({
            "id": id, "name": "ship", "status": status, "created_at": "2026-03-01 10:00:00 UTC",
            "started_at": "2026-03-01 10:01:00 UTC", "finished_at": "2026-03-01 10:05:00 UTC",
            "failure_reason": null, "user": {"username": "mara"}, "environment": environment,
        })
    };
    json!({
        "object_kind": "pipeline", "project": project(),
        "object_attributes": {"id": 9, "ref": "main", "tag": false, "sha": SHA, "status": "success"},
        "commit": {"message": "Oil the winch", "author": {"name": "Mara"}},
        "builds": [
            job(3, "success", json!(null)),
            job(4, "success", json!({"name": "Production EU", "action": "start"})),
            job(5, "success", json!({"name": "Production EU", "action": "verify"})),
        ],
    })
}

#[test]
fn a_deployment_brings_its_project_its_job_and_its_links() {
    let told = read_json(&deployment_json("success", "2026-03-01 12:05:00 +0200"));
    let [EnvReport { env, env_name, report }] = &told[..] else { panic!("{told:?}") };
    assert_eq!((env.as_str(), env_name.as_str()), ("production-eu", "Production EU"));
    assert_eq!(report.external_id.as_deref(), Some("77/job/4"));
    assert_eq!(report.source.as_deref(), Some("gitlab"));
    assert_eq!(report.workflow.as_ref().map(Slug::as_str), Some("harbour-crane"));
    assert_eq!(report.workflow_name.as_deref(), Some("harbour/crane"));
    assert_eq!(report.status, Some(Said::Status(Status::Success)));
    assert_eq!(report.occurred_at, Some("2026-03-01T10:05:00Z".parse().unwrap()));
    assert_eq!(report.details.version.as_deref(), Some("5eaf00d5"));
    assert_eq!(report.details.commit.sha.as_deref(), Some(SHA));
    assert_eq!(report.details.commit.message.as_deref(), Some("Oil the winch"));
    assert_eq!(report.details.actor.as_deref(), Some("mara"));
    assert_eq!(report.details.url.as_deref(), Some("https://crane.example"));
    assert_eq!(report.details.logs_url.as_deref(), Some("https://git.example/harbour/crane/-/jobs/4"));
}

#[test]
fn a_deployment_without_a_job_is_known_by_its_own_id() {
    let mut delivery = deployment_json("running", "2026-03-01 10:05:00 UTC");
    delivery["deployable_id"] = json!(null);
    assert_eq!(read_json(&delivery)[0].report.external_id.as_deref(), Some("77/deployment/15"));
    delivery["deployment_id"] = json!(null);
    let refused = read(delivery.to_string().as_bytes()).unwrap_err();
    assert_eq!(refused.to_string(), "deployment_id is missing");
}

#[test]
fn deployment_job_and_pipeline_events_meet_in_one_deployment() {
    let started = Some("2026-03-01 10:01:00 UTC");
    let deliveries = [
        read_json(&job_json("created", None, None)),
        read_json(&deployment_json("running", "2026-03-01 10:01:01 UTC")),
        read_json(&job_json("running", started, None)),
        read_json(&job_json("success", started, Some("2026-03-01 10:05:00 UTC"))),
        read_json(&pipeline_json()),
        read_json(&deployment_json("success", "2026-03-01 10:05:01 UTC")),
    ];
    assert_eq!(external_ids(&deliveries), ["77/job/4"]);
    let workflows: Vec<_> = deliveries.iter().flatten().map(|told| &told.report.workflow).collect();
    assert!(workflows.windows(2).all(|pair| pair[0] == pair[1]), "{workflows:?}");
    assert_eq!(
        deliveries[3], deliveries[4],
        "a pipeline says of its job what the job says, in the same words"
    );
    let state = folded(&deliveries);
    assert_eq!(state.status, Status::Success);
    assert_eq!(state.queued_at, Some("2026-03-01T10:00:00Z".parse().unwrap()));
    assert_eq!(state.started_at, Some("2026-03-01T10:01:00Z".parse().unwrap()));
    assert_eq!(state.details.url.as_deref(), Some("https://crane.example"));
    let mut turned = deliveries;
    turned.reverse();
    assert_eq!(folded(&turned).status, Status::Success, "in whichever order they come");
}

#[test]
fn only_a_job_that_failed_says_why() {
    let message = |status: &str| {
        let delivery = job_json(status, Some("2026-03-01 10:01:00 UTC"), Some("2026-03-01 10:02:00 UTC"));
        read_json(&delivery).last().unwrap().report.details.message.clone()
    };
    assert_eq!(message("failed").as_deref(), Some("Failed: script failure"));
    assert_eq!(message("success"), None);
}

#[test]
fn a_manual_job_waits_and_a_skipped_one_never_began() {
    let told = read_json(&job_json("manual", None, None));
    assert_eq!(statuses(&told), [Status::Queued, Status::Waiting]);
    assert_eq!(folded(&[told]).status, Status::Waiting);
    let skipped = folded(&[read_json(&job_json("skipped", None, None))]);
    assert_eq!((skipped.status, skipped.started_at), (Status::Skipped, None));
}

#[test]
fn a_job_that_stops_an_environment_takes_away_what_is_current_there() {
    let mut delivery = job_json("running", Some("2026-03-01 11:00:00 UTC"), Some("2026-03-01 11:01:00 UTC"));
    delivery["environment"]["action"] = json!("stop");
    assert_eq!(read_json(&delivery), [], "not before it is done");
    delivery["build_status"] = json!("success");
    let told = read_json(&delivery);
    let [EnvReport { report, .. }] = &told[..] else { panic!("{told:?}") };
    assert_eq!((&report.status, &report.external_id), (&Some(Said::Removed), &None));
    assert_eq!(report.workflow.as_ref().map(Slug::as_str), Some("harbour-crane"));
    assert_eq!(report.occurred_at, Some("2026-03-01T11:01:00Z".parse().unwrap()));
}

#[test]
fn what_has_no_environment_and_what_is_not_known_reads_as_nothing() {
    for kind in ["push", "release", "tag_push", "hatched"] {
        assert_eq!(read_json(&json!({"object_kind": kind, "environment": 1})), [], "{kind}");
    }
    assert_eq!(read_json(&json!({})), []);
    let mut delivery = deployment_json("success", "2026-03-01 10:05:00 UTC");
    delivery["environment"] = json!(" ");
    assert_eq!(read_json(&delivery), []);
    let mut delivery = job_json("success", None, None);
    delivery["environment"] = json!(null);
    assert_eq!(read_json(&delivery), []);
    delivery["environment"] = json!({"name": null});
    assert_eq!(read_json(&delivery), []);
    assert!(read(b"{").is_err());
}

fn specimens() -> Vec<Value> {
    vec![
        deployment_json("success", "2026-03-01 10:05:00 UTC"),
        job_json("failed", Some("2026-03-01T10:01:00.000Z"), Some("2026-03-01T10:02:00.000Z")),
        pipeline_json(),
    ]
}

proptest! {
    #[test]
    fn no_spoilt_delivery_panics_and_what_reads_is_possible(
        which in 0_usize..3,
        spoilings in spoilings(),
    ) {
        let delivery = spoilt(specimens().swap_remove(which), spoilings);
        possible(read(delivery.to_string().as_bytes()))?;
    }

    #[test]
    fn no_bytes_panic(body in any::<Vec<u8>>()) {
        possible(read(&body))?;
    }

    #[test]
    fn no_cut_delivery_panics(which in 0_usize..3, at in any::<prop::sample::Index>()) {
        let body = specimens().swap_remove(which).to_string();
        prop_assert!(read(&body.as_bytes()[..at.index(body.len())]).is_err());
    }
}
