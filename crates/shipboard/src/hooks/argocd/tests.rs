//! Notifications of our own making.

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

/// An operation that began at ten and ended two minutes later, with the application's health at 10:04.
fn notification(phase: &str, health: &str) -> Value {
    let ended = phase != "Running";
    json!({
        "timestamp": "2026-03-01T10:10:00Z", "context": {"argocdUrl": "https://argo.example/"},
        "app": {
            "metadata": {"name": "crane", "namespace": "argocd", "uid": "u-1"},
            "spec": {"destination": {"server": "https://kubernetes.default.svc", "namespace": "harbour"}},
            "status": {
                "health": {"status": health, "lastTransitionTime": "2026-03-01T10:04:00Z"},
                "operationState": {
                    "phase": phase, "message": "all tasks run", "startedAt": "2026-03-01T10:00:00Z",
                    "finishedAt": ended.then_some("2026-03-01T10:02:00Z"),
                    "operation": {"initiatedBy": {"username": "mara"}, "sync": {"revision": SHA}},
                    "syncResult": {"revision": SHA, "resources": [
                        {"status": "Synced"}, {"status": "Synced"}, {"hookPhase": "Running"},
                    ]},
                },
            },
        },
    })
}

#[test]
fn an_operation_under_way_is_a_deployment_that_runs() {
    let told = read_json(&notification("Running", "Progressing"));
    let [opening, progress] = &told[..] else { panic!("{told:?}") };
    assert_eq!(opening.env.as_str(), "harbour");
    let report = &opening.report;
    assert_eq!(report.external_id.as_deref(), Some("u-1/2026-03-01T10:00:00Z"));
    assert_eq!(report.source.as_deref(), Some("argocd"));
    assert_eq!(report.workflow.as_ref().map(Slug::as_str), Some("crane"));
    assert_eq!(report.status, Some(Said::Status(Status::Running)));
    assert_eq!(report.details.version.as_deref(), Some("5eaf00d"));
    assert_eq!(report.details.commit.sha.as_deref(), Some(SHA));
    assert_eq!(report.details.actor.as_deref(), Some("mara"));
    assert_eq!(report.details.url.as_deref(), Some("https://argo.example/applications/argocd/crane"));
    assert_eq!(progress.report.progress.as_ref().unwrap().percent, Some(66.0));
}

#[test]
fn what_was_synced_has_succeeded_when_it_is_healthy() {
    let check = |phase: &str, health: &str, status: Status, at: Option<&str>| {
        let told = read_json(&notification(phase, health));
        assert_eq!(folded(std::slice::from_ref(&told)).status, status, "{phase} {health}");
        let last = told.last().unwrap().report.occurred_at.map(|at| at.to_string());
        assert!(at.is_none() || last.as_deref() == at, "{phase} {health}: {last:?}");
    };
    let (synced, turned) = (Some("2026-03-01T10:02:00.000Z"), Some("2026-03-01T10:04:00.000Z"));
    check("Succeeded", "Healthy", Status::Success, turned);
    check("Succeeded", "Progressing", Status::Running, None);
    check("Succeeded", "Missing", Status::Running, None);
    check("Succeeded", "Suspended", Status::Waiting, turned);
    check("Succeeded", "Degraded", Status::Failed, turned);
    check("Failed", "Healthy", Status::Failed, synced);
    check("Error", "Healthy", Status::Failed, synced);
    check("Running", "Healthy", Status::Running, None);
    check("Terminating", "Healthy", Status::Running, None);
    let deliveries = [("Running", "Healthy"), ("Succeeded", "Progressing"), ("Succeeded", "Healthy")]
        .map(|(phase, health)| read_json(&notification(phase, health)));
    assert_eq!(external_ids(&deliveries).len(), 1);
    assert_eq!(folded(&deliveries).status, Status::Success);
}

#[test]
fn what_becomes_of_it_hours_later_is_no_part_of_the_rollout() {
    let later = |health: &str| {
        let mut delivery = notification("Succeeded", health);
        delivery["app"]["status"]["health"]["lastTransitionTime"] = json!("2026-03-02T10:00:00Z");
        read_json(&delivery)
    };
    assert_eq!(statuses(&later("Degraded")), [Status::Running], "it says nothing new");
    let healthy = later("Healthy");
    assert_eq!(healthy[1].report.occurred_at, Some("2026-03-01T10:02:00Z".parse().unwrap()));
}

#[test]
fn the_environment_is_the_template_s_or_the_namespace_and_its_cluster() {
    let check = |destination: Value, env: &str| {
        let mut delivery = notification("Succeeded", "Healthy");
        delivery["app"]["spec"]["destination"] = destination;
        assert!(read_json(&delivery).iter().all(|told| told.env_name == env), "{env}");
    };
    check(json!({"name": "in-cluster", "namespace": "harbour"}), "harbour");
    check(json!({"namespace": "harbour"}), "harbour");
    check(json!({"name": "eu-1", "namespace": "harbour"}), "eu-1/harbour");
    check(
        json!({"server": "https://eu-1.example:6443/", "namespace": "harbour"}),
        "eu-1.example:6443/harbour",
    );
    check(json!({"name": "eu-1"}), "eu-1");
    let mut delivery = notification("Succeeded", "Healthy");
    delivery["environment"] = json!("Production EU");
    assert!(read_json(&delivery).iter().all(|told| told.env.as_str() == "production-eu"));
    delivery["environment"] = json!("");
    delivery["app"]["spec"]["destination"] = json!({});
    assert_eq!(read_json(&delivery), [], "nobody's deployment");
}

#[test]
fn of_several_sources_the_chart_s_version_counts() {
    let mut delivery = notification("Succeeded", "Healthy");
    delivery["app"]["status"]["operationState"]["syncResult"] =
        json!({"revisions": [SHA, "2.1.0-4-g0ff5e7"]});
    let opening = read_json(&delivery).remove(0).report;
    assert_eq!(opening.details.version.as_deref(), Some("2.1.0-4-g0ff5e7"));
    assert_eq!(opening.details.commit.sha.as_deref(), Some(SHA));
}

#[test]
fn an_application_without_an_operation_is_none_and_its_deletion_takes_it_away() {
    let mut delivery = notification("Succeeded", "Healthy");
    delivery["app"]["metadata"]["deletionTimestamp"] = json!("2026-03-01T11:00:00Z");
    let told = read_json(&delivery);
    let removed = &told.last().unwrap().report;
    assert_eq!((&removed.status, &removed.external_id), (&Some(Said::Removed), &None));
    assert_eq!(statuses(&told), [Status::Running, Status::Success], "what it had come to is told again");
    delivery["app"]["status"]["operationState"] = json!(null);
    assert_eq!(statuses(&read_json(&delivery)), []);
    delivery["app"]["metadata"]["deletionTimestamp"] = json!(null);
    assert_eq!(read_json(&delivery), []);
}

#[test]
fn what_cannot_be_read_is_an_error_with_a_reason() {
    let error = |delivery: &Value| read(delivery.to_string().as_bytes()).unwrap_err().to_string();
    assert_eq!(error(&json!({})), "app is missing");
    let mut delivery = notification("Succeeded", "Healthy");
    delivery["app"]["metadata"]["uid"] = json!(null);
    assert_eq!(error(&delivery), "app.metadata.uid is missing");
    assert!(read(b"{").is_err());
}

proptest! {
    #[test]
    fn no_spoilt_delivery_panics_and_what_reads_is_possible(
        phase in prop::sample::select(vec!["Running", "Succeeded", "Failed"]),
        spoilings in spoilings(),
    ) {
        let mut delivery = notification(phase, "Healthy");
        delivery["app"]["metadata"]["deletionTimestamp"] = json!("2026-03-01T11:00:00Z");
        possible(read(spoilt(delivery, spoilings).to_string().as_bytes()))?;
    }

    #[test]
    fn no_bytes_panic(body in any::<Vec<u8>>()) {
        possible(read(&body))?;
    }

    #[test]
    fn no_cut_delivery_panics(at in any::<prop::sample::Index>()) {
        let body = notification("Running", "Healthy").to_string();
        prop_assert!(read(&body.as_bytes()[..at.index(body.len())]).is_err());
    }
}
