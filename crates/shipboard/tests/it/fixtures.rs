//! Real data that others wrote, from beside the project. Where it is absent each test says so, and the
//! same behaviours are tested on the project's own inputs elsewhere.

use std::collections::BTreeMap;
use std::path::PathBuf;

use rand::SeedableRng as _;
use rand::seq::SliceRandom as _;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::harness::{Server, board};

/// A folder of the data, or `None`, which is said by name.
fn fixtures(test: &str, folder: &str) -> Option<PathBuf> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/fixtures").join(folder);
    if path.exists() {
        return Some(path);
    }
    eprintln!("SKIPPED {test}: {} is not beside the project", path.display());
    None
}

#[tokio::test]
async fn every_delivery_of_github_s_examples_is_taken_and_those_of_deployments_become_deployments() {
    let Some(folder) = fixtures("github examples", "github/examples") else { return };
    let server = Server::start();
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let mut told = 0;
    for file in &files {
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        let event = name.split('.').next().unwrap().to_owned();
        let sent = server
            .raw(Method::POST, "/api/v1/tenants/acme/hooks/github")
            .header("x-github-event", event)
            .header("content-type", "application/json")
            .body(std::fs::read(file).unwrap())
            .send()
            .await
            .unwrap();
        assert_eq!(sent.status(), StatusCode::OK, "{name}");
        let answer: Value = sent.json().await.unwrap();
        assert_eq!(answer["refused"], 0, "{name}: {answer}");
        told += usize::from(answer["taken"].as_u64() > Some(0));
    }
    let envs = server.get("/api/v1/tenants/acme/envs").await;
    let mut deployments = 0;
    for env in envs["items"].as_array().unwrap() {
        let path = format!("/api/v1/tenants/acme/envs/{}/deployments", env["id"].as_str().unwrap());
        for row in server.get(&path).await["items"].as_array().unwrap() {
            assert_eq!(row["source"], "github");
            deployments += 1;
        }
    }
    eprintln!("{} deliveries taken; {told} told of {deployments} deployments", files.len());
    assert!(told >= 9 && deployments >= 3, "{told} told of {deployments}");
    server.check();
}

/// Delivers every file of a folder, each to a tenant of its own, and gives what became of each: the envs with their
/// deployments' workflow, status and standing.
async fn delivered(folder: PathBuf, source: &str) -> BTreeMap<String, Vec<String>> {
    let server = Server::start();
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let files = files.filter(|file| file.extension().is_some_and(|extension| extension == "json"));
    let mut told = BTreeMap::new();
    for file in files {
        let name = file.file_stem().unwrap().to_string_lossy().into_owned();
        let tenant = format!("/api/v1/tenants/{}", name.replace('_', "-"));
        let sent = server.raw(Method::POST, &format!("{tenant}/hooks/{source}"));
        let sent = sent.body(std::fs::read(&file).unwrap()).send().await.unwrap();
        assert_eq!(sent.status(), StatusCode::OK, "{name}");
        let answer: Value = sent.json().await.unwrap();
        let mut rows = Vec::new();
        if answer["taken"].as_u64() > Some(0) {
            for env in server.get(&format!("{tenant}/envs")).await["items"].as_array().unwrap() {
                let env = env["id"].as_str().unwrap();
                let list = server.get(&format!("{tenant}/envs/{env}/deployments")).await;
                rows.extend(list["items"].as_array().unwrap().iter().map(|row| {
                    assert_eq!(row["source"], source);
                    format!("{env} {} {} {}", row["workflow_id"], row["status"], row["standing"])
                        .replace('"', "")
                }));
            }
        }
        told.insert(name, rows);
    }
    server.check();
    eprintln!("{source}: {told:#?}");
    told
}

/// Those that became something, and what; all others became nothing.
fn became(told: &BTreeMap<String, Vec<String>>) -> Vec<(&str, &str)> {
    let rows = told.iter().flat_map(|(name, rows)| rows.iter().map(|row| (name.as_str(), row.as_str())));
    rows.collect()
}

#[tokio::test]
async fn gitlab_s_examples_become_what_they_say() {
    let Some(folder) = fixtures("gitlab examples", "gitlab") else { return };
    let told = delivered(folder, "gitlab").await;
    assert_eq!(
        became(&told),
        [
            ("deployment", "staging root-test-deployment-webhooks success current"),
            ("job", "production jsmithy2-release-tools-fake success current"),
            ("pipeline", "production gitlab-org-gitlab-test skipped null"),
        ]
    );
}

#[tokio::test]
async fn argo_cd_s_notifications_become_what_they_say() {
    let Some(folder) = fixtures("argocd notifications", "argocd") else { return };
    let told = delivered(folder, "argocd").await;
    // Healthy for long before it was synced, synced but a moment ago, and applications without an operation.
    assert_eq!(
        became(&told),
        [
            ("001", "cdviz-dev aaaaa-aaaaaaa success current"),
            ("002", "aaaaaaaa-aaaaaaa aaaaaaaa-aaaaaaa success current"),
            ("007_sync_podinfo_1_1", "argocd aaaaaaaaa running null"),
            ("008_sync_podinfo_1_2", "argocd aaaaaaaaa success current"),
            ("009_sync_podinfo_1_3", "aaaaaaa aaaaaaa running null"),
            ("017_sync_podinfo_3_4", "aaaaaaa aaaaaaa success current"),
        ]
    );
    assert_eq!(told.len(), 9);
}

#[tokio::test]
async fn cdevents_conformance_files_become_what_they_say() {
    let Some(folder) = fixtures("cdevents conformance", "cdevents/v0.4.1/conformance") else { return };
    let told = delivered(folder, "cdevents").await;
    assert_eq!(told.len(), 45);
    assert_eq!(
        became(&told),
        [
            ("service_deployed", "test123 mysubject123 success current"),
            ("service_rolledback", "test123 mysubject123 success current"),
            ("service_upgraded", "test123 mysubject123 success current"),
        ]
    );
}

/// The runs as reports: each begins, and ends as it ended.
fn runs(folder: &std::path::Path) -> Vec<Value> {
    let mut reports = Vec::new();
    let mut file = csv::Reader::from_path(folder.join("deploy-runs.csv")).unwrap();
    for run in file.deserialize::<std::collections::HashMap<String, String>>() {
        let run = run.unwrap();
        let created: jiff::Timestamp = run["created_at"].parse().unwrap();
        let seconds: i64 = run["duration_seconds"].parse().unwrap();
        let ended = created + jiff::SignedDuration::from_secs(seconds);
        let end = match run["conclusion"].as_str() {
            "success" => "success",
            "failure" | "startup_failure" => "failed",
            "cancelled" => "cancelled",
            other => other,
        };
        let common = json!({
            "workflow": "main-pipeline", "source": "actions", "external_id": run["run_id"], "attempt": 1,
            "version": run["commit_sha"], "commit": {"sha": run["commit_sha"], "message": run["commit_message"]},
        });
        for (sequence, status, at) in [(1, "queued", created), (2, "running", created), (3, end, ended)] {
            let mut report = common.clone();
            report["status"] = status.into();
            report["occurred_at"] = at.to_string().into();
            report["sequence"] = sequence.into();
            reports.push(report);
        }
    }
    reports
}

/// What is within the fold: the same whatever the order of arrival.
fn folded(list: &Value) -> Vec<Value> {
    let rows = list["items"].as_array().unwrap().iter().map(|row| {
        let mut row = row.clone();
        let outside = ["id", "event_id", "updated_at", "expected_ms", "progress", "replaces"];
        outside.iter().for_each(|field| {
            row.as_object_mut().unwrap().remove(*field);
        });
        row
    });
    let mut rows: Vec<Value> = rows.collect();
    rows.sort_by_key(|row| row["external_id"].as_str().map(str::to_owned));
    rows
}

#[tokio::test]
async fn rate_ukma_s_runs_in_any_order_give_the_same_board() {
    let Some(folder) = fixtures("rate-ukma", "history/rate-ukma") else { return };
    let reports = runs(&folder);
    let mut boards = Vec::new();
    for seed in 0..3 {
        let mut reports = reports.clone();
        if seed > 0 {
            reports.shuffle(&mut rand::rngs::SmallRng::seed_from_u64(seed));
        }
        let server = Server::start();
        for part in reports.chunks(37) {
            let (status, answer) =
                server.send(Method::POST, &board("/deployments:batch"), &json!({"reports": part})).await;
            assert_eq!(status, StatusCode::OK, "{answer}");
            assert!(answer["results"].as_array().unwrap().iter().all(|result| result["problem"].is_null()));
        }
        let list = server.get(&board("/deployments?limit=500")).await;
        let counts = server.get(&board("/counts")).await["counts"].clone();
        server.check();
        boards.push((folded(&list), counts));
    }
    eprintln!("{} reports of {} runs, {}", reports.len(), boards[0].0.len(), boards[0].1["deployments"]);
    assert_eq!(boards[0].0.len(), 140);
    assert_eq!(boards[0], boards[1]);
    assert_eq!(boards[0], boards[2]);
}

#[tokio::test]
async fn govuk_s_history_is_imported_and_imported_again_without_a_change() {
    let Some(folder) = fixtures("govuk", "history/govuk") else { return };
    let server = Server::start();
    let file = folder.join("govuk-image-tags-last-90-days.csv");
    let import = || {
        let output = crate::harness::binary()
            .args(["import", file.to_str().unwrap(), "--server", &server.url, "--tenant", "govuk", "--json"])
            .args(["--rename", "environment=env", "--rename", "application=workflow"])
            .args(["--rename", "requested_at=occurred_at", "--rename", "commit_sha=external_id"])
            .args(["--set", "status=success", "--set", "source=govuk"])
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice::<Value>(&output.stdout).unwrap()
    };
    let first = import();
    let heads = async || {
        let envs = server.get("/api/v1/tenants/govuk/envs").await;
        let envs = envs["items"].as_array().unwrap().iter();
        envs.map(|env| (env["id"].clone(), env["event_id"].clone(), env["counts"].clone()))
            .collect::<Vec<_>>()
    };
    let before = heads().await;
    let again = import();
    assert_eq!(heads().await, before, "the second time changes nothing");
    eprintln!("first {first}\nagain {again}\n{before:?}");
    assert_eq!(first["created"], 7_456);
    assert_eq!(again["known"], 7_456);
    server.check();
}
