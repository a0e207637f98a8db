//! Faults of the machine: a locked database, a full disk. A clear 503, nothing half written, and the
//! server lives on.

use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::harness::{Server, board, eventually};

#[tokio::test]
async fn a_locked_database_is_a_503_and_when_it_is_free_all_goes_on() {
    let server = Server::start();
    server.report(json!({"workflow": "web", "external_id": "before"})).await;
    let mut stream = server.stream(&board("/stream")).await;
    stream.next_of("snapshot").await;
    let pool = sqlx::SqlitePool::connect(&server.database()).await.unwrap();
    let lock = pool.begin_with("BEGIN IMMEDIATE").await.unwrap();

    let report = json!({"workflow": "web", "external_id": "during", "status": "running"});
    let began = tokio::time::Instant::now();
    let (status, problem) = server.send(Method::POST, &board("/deployments"), &report).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{problem}");
    assert!(began.elapsed().as_secs_f64() < 5.0, "{:?}", began.elapsed());
    assert!(
        !problem["detail"].as_str().unwrap().contains("sqlite"),
        "a 5xx never shows its inside: {problem}"
    );
    assert_eq!(server.get(&board("/counts")).await["counts"]["deployments"]["total"], 1, "reads go on");

    lock.rollback().await.unwrap();
    pool.close().await;
    let (status, _) = server.send(Method::POST, &board("/deployments"), &report).await;
    assert_eq!(status, StatusCode::CREATED);
    assert!(stream.next().await.is("deployment.upsert"), "the stream was never closed");
    server.check();
}

#[tokio::test]
async fn a_full_disk_is_a_503_and_what_was_answered_is_kept() {
    let server = Server::with_full_disk_at(1_536);
    let mut answered = 0;
    let refused = eventually("the disk is full", async || {
        let report =
            json!({"workflow": "web", "external_id": format!("{answered}"), "message": "x".repeat(2_000)});
        let (status, problem) = server.send(Method::POST, &board("/deployments"), &report).await;
        match status {
            StatusCode::CREATED => {
                answered += 1;
                None
            }
            _ => Some((status, problem)),
        }
    })
    .await;
    assert_eq!(refused.0, StatusCode::SERVICE_UNAVAILABLE, "{}", refused.1);
    assert!(answered > 10, "{answered}");
    assert_eq!(server.get(&board("/counts")).await["counts"]["deployments"]["total"], answered);
    assert_eq!(server.get_status("/healthz").await, StatusCode::OK);
    server.check();
}
