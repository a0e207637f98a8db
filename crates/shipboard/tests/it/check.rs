//! `shipboard check` finds what does not agree, and nothing else.

use serde_json::json;

use crate::harness::{Server, board};

#[tokio::test]
async fn a_board_that_was_lived_on_agrees_with_its_reports() {
    let server = Server::start();
    for n in 0..12 {
        let row = server
            .report(json!({
                "workflow": if n % 3 == 0 { "api" } else { "web" }, "external_id": format!("{n}"),
                "status": "running", "version": format!("v{}", n % 4),
            }))
            .await;
        let id = row["id"].as_str().unwrap();
        server.update(id, json!({"progress": {"percent": 50}})).await;
        let end = ["success", "failed", "cancelled"][n % 3];
        server.update(id, json!({"status": end})).await;
        if n == 6 {
            server.delete(&board(&format!("/deployments/{id}"))).await;
        }
    }
    server.check();
}

#[tokio::test]
async fn a_row_a_count_and_a_log_that_were_tampered_with_are_found() {
    let mut server = Server::start();
    server.report(json!({"workflow": "web", "status": "success", "version": "v1"})).await;
    server.report(json!({"workflow": "web", "status": "running", "version": "v2"})).await;
    server.kill();
    let pool = sqlx::SqlitePool::connect(&server.database()).await.unwrap();
    for tampering in [
        "update deployments set row = replace(row, '\"version\":\"v1\"', '\"version\":\"v9\"')",
        "update envs set counts = replace(counts, '\"running\":1', '\"running\":2')",
        "delete from events where event_id = 2",
    ] {
        sqlx::query(tampering).execute(&pool).await.unwrap();
    }
    pool.close().await;
    let (found, succeeded) = server.checked();
    assert!(!succeeded);
    for part in ["version is v9", "deployments.running is 2", "event 2 is missing"] {
        assert!(found.contains(part), "{part} is not among:\n{found}");
    }
}
