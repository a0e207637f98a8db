//! Events of our own making.

use proptest::prelude::*;
use serde_json::{Value, json};
use shipboard_core::report::Said;
use shipboard_core::status::{Kind, Status};

use super::*;
use crate::hooks::testing::{external_ids, folded, possible, spoilings, spoilt};

fn read_json(event: &Value) -> Vec<EnvReport> {
    read(event.to_string().as_bytes(), None).unwrap()
}

fn event(id: &str, kind: &str, subject: &str, content: &Value) -> Value {
    json!({
        "context": {
            "specversion": "0.5.1", "id": id, "source": "/harbour", "type": format!("dev.cdevents.{kind}"),
            "timestamp": "2026-03-01T10:05:00.5Z",
        },
        "subject": {"id": subject, "source": "/harbour", "content": content},
    })
}

fn service(id: &str, predicate: &str) -> Value {
    let content = json!({"environment": {"id": "Production EU"}, "artifactId": "pkg:oci/crane@1.4.0%2Bb7"});
    event(id, &format!("service.{predicate}.0.3.0"), "harbour/crane", &content)
}

fn run_event(predicate: &str, content: &Value) -> Value {
    event(&format!("run-{predicate}"), &format!("pipelinerun.{predicate}.0.3.0"), "run-7", content)
}

fn task_event(predicate: &str, content: &Value) -> Value {
    let mut content = content.clone();
    content["taskName"] = json!("migrate");
    content["pipelineRun"] = json!({"id": "run-7", "source": "/harbour"});
    event(&format!("task-{predicate}"), &format!("taskrun.{predicate}.0.3.0"), "task-1", &content)
}

fn in_staging(event: &Value) -> EnvReport {
    let mut told = read(event.to_string().as_bytes(), Some("Staging")).unwrap();
    assert_eq!(told.len(), 1, "{event}");
    told.remove(0)
}

#[test]
fn a_service_that_was_deployed_is_a_deployment_that_has_succeeded() {
    let told = read_json(&service("1", "deployed"));
    let [EnvReport { env, env_name, report }] = &told[..] else { panic!("{told:?}") };
    assert_eq!((env.as_str(), env_name.as_str()), ("production-eu", "Production EU"));
    assert_eq!(report.source.as_deref(), Some("cdevents"));
    assert_eq!(report.workflow.as_ref().map(Slug::as_str), Some("harbour-crane"));
    assert_eq!(report.status, Some(Said::Status(Status::Success)));
    assert_eq!(report.occurred_at, Some("2026-03-01T10:05:00.500Z".parse().unwrap()));
    assert_eq!(report.details.version.as_deref(), Some("1.4.0+b7"));
    assert_eq!(report.details.kind, None);
    let state = folded(&[told]);
    assert_eq!((state.status, state.started_at), (Status::Success, None));

    let upgraded = read_json(&service("2", "upgraded"));
    let rolled_back = read_json(&service("3", "rolledback"));
    assert_eq!(rolled_back[0].report.details.kind, Some(Kind::Rollback));
    let again = read_json(&service("1", "deployed"));
    assert_eq!(external_ids(&[read_json(&service("1", "deployed")), again]).len(), 1);
    assert_eq!(external_ids(&[upgraded, rolled_back]).len(), 2);
}

#[test]
fn a_service_that_was_removed_takes_away_what_is_current_of_it() {
    let told = read_json(&service("1", "removed"));
    let [EnvReport { report, .. }] = &told[..] else { panic!("{told:?}") };
    assert_eq!((&report.status, &report.external_id), (&Some(Said::Removed), &None));
    assert_eq!(report.workflow.as_ref().map(Slug::as_str), Some("harbour-crane"));
}

#[test]
fn a_run_is_a_deployment_where_the_hook_s_address_names_an_environment_and_its_tasks_are_its_steps() {
    let content = json!({"pipelineName": "Ship", "uri": "https://ci.example/run-7"});
    let events = [
        run_event("queued", &content),
        run_event("started", &content),
        task_event("started", &json!({})),
        task_event("finished", &json!({"outcome": "success"})),
        run_event("finished", &json!({"outcome": "success"})),
    ];
    for event in &events {
        assert_eq!(read_json(event), [], "without one it is nobody's");
    }
    let told: Vec<EnvReport> = events.iter().map(in_staging).collect();
    assert!(told.iter().all(|told| told.env.as_str() == "staging"));
    assert_eq!(external_ids(std::slice::from_ref(&told)).len(), 1);
    assert_eq!(told[0].report.workflow_name.as_deref(), Some("Ship"));
    assert_eq!(told[0].report.details.url.as_deref(), Some("https://ci.example/run-7"));
    let steps: Vec<_> = told.iter().filter_map(|told| told.report.step.clone()).collect();
    let steps: Vec<_> = steps.iter().map(|step| (step.name.as_str(), step.status.as_deref())).collect();
    assert_eq!(steps, [("migrate", Some("running")), ("migrate", Some("success"))]);
    assert_eq!(folded(&[told]).status, Status::Success);
}

#[test]
fn an_environment_of_its_own_comes_before_the_address_s() {
    let told = read(service("1", "deployed").to_string().as_bytes(), Some("Staging")).unwrap();
    assert_eq!(told[0].env.as_str(), "production-eu");
}

#[test]
fn an_outcome_nobody_told_is_no_success() {
    let check = |outcome: Value, status: Status| {
        let told = in_staging(&run_event("finished", &json!({"pipelineName": "Ship", "outcome": outcome})));
        assert_eq!(told.report.status, Some(Said::Status(status)), "{outcome}");
    };
    check(json!("success"), Status::Success);
    check(json!("failure"), Status::Failed);
    check(json!("error"), Status::Failed);
    check(json!("cancel"), Status::Cancelled);
    check(json!(null), Status::Lost);
    check(json!(""), Status::Lost);
}

#[test]
fn an_event_reads_the_same_in_every_envelope() {
    let bare = service("1", "deployed");
    let structured = json!({
        "specversion": "1.0", "id": "1", "source": "/harbour", "type": "dev.cdevents.service.deployed.0.3.0",
        "datacontenttype": "application/json", "data": bare,
    });
    let as_text = json!({"specversion": "1.0", "data": bare.to_string()});
    assert_eq!(read_json(&structured), read_json(&bare));
    assert_eq!(read_json(&as_text), read_json(&bare));
    let both = json!([structured, service("2", "upgraded")]);
    assert_eq!(read_json(&both).len(), 2);
    assert_eq!(read_json(&json!([])), []);

    let id = |event: &Value| id(event.to_string().as_bytes());
    assert_eq!(id(&bare).as_deref(), Some("/harbour\0").map(|source| format!("{source}1")).as_deref());
    assert_eq!(id(&structured), id(&bare));
    assert_eq!(id(&both), None, "a list has none of its own");
    assert_eq!(super::id(b"{"), None);
}

#[test]
fn older_events_and_their_versions_make_no_difference() {
    let mut older = service("1", "deployed");
    older["context"]["version"] = json!("0.4.1");
    older["context"]["type"] = json!("dev.cdevents.service.deployed.0.2.0");
    older["subject"]["type"] = json!("service");
    assert_eq!(read_json(&older), read_json(&service("1", "deployed")));
}

#[test]
fn a_version_is_read_from_a_package_url() {
    let check =
        |artifact: &str, ours: Option<&str>| assert_eq!(version(artifact).as_deref(), ours, "{artifact}");
    check("pkg:oci/crane@sha256%3A0b31", Some("sha256:0b31"));
    check("pkg:oci/crane@sha256%3A0b31?tag=v1.4", Some("v1.4"));
    check("pkg:npm/%40harbour/crane@1.4.0-rc.1+b7", Some("1.4.0-rc.1+b7"));
    check("pkg:golang/example.com/crane@v1.4#cmd/crane", Some("v1.4"));
    check("pkg:generic/crane", None);
    check("", None);
}

#[test]
fn what_is_not_known_reads_as_nothing_and_what_is_no_event_is_an_error() {
    for kind in ["incident.detected.0.3.0", "change.merged.0.3.0", "service.published.0.3.0", "hatched"] {
        assert_eq!(read_json(&event("1", kind, "crane", &json!({"environment": {"id": "e"}}))), [], "{kind}");
    }
    let mut custom = service("1", "deployed");
    custom["context"]["type"] = json!("dev.cdeventsx.crane-service.deployed.0.1.0");
    assert_eq!(read_json(&custom), []);
    let error = |body: &str| read(body.as_bytes(), None).unwrap_err().to_string();
    assert_eq!(error("{}"), "context.type is missing");
    assert!(error("{").starts_with("the body is not"));
    let task = task_event("started", &json!({})).to_string().replace("run-7", "");
    let orphan = read(task.as_bytes(), Some("staging")).unwrap_err();
    assert_eq!(orphan.to_string(), "subject.content.pipelineRun.id is missing");
}

fn specimens() -> Vec<Value> {
    let content =
        json!({"pipelineName": "Ship", "outcome": "failure", "errors": "tide", "url": "https://ci.example"});
    vec![
        service("1", "rolledback"),
        service("2", "removed"),
        run_event("finished", &content),
        task_event("finished", &json!({"outcome": "success"})),
        json!([{"specversion": "1.0", "data": service("3", "deployed")}]),
    ]
}

proptest! {
    #[test]
    fn no_spoilt_delivery_panics_and_what_reads_is_possible(
        which in 0_usize..5,
        spoilings in spoilings(),
    ) {
        let body = spoilt(specimens().swap_remove(which), spoilings).to_string();
        let _ = id(body.as_bytes());
        possible(read(body.as_bytes(), Some("Staging")))?;
    }

    #[test]
    fn no_bytes_panic(body in any::<Vec<u8>>()) {
        let _ = id(&body);
        possible(read(&body, Some("Staging")))?;
    }

    #[test]
    fn no_cut_delivery_panics(which in 0_usize..5, at in any::<prop::sample::Index>()) {
        let body = specimens().swap_remove(which).to_string();
        prop_assert!(read(&body.as_bytes()[..at.index(body.len())], None).is_err());
    }
}
