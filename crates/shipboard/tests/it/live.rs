//! The live path under load and under faults: what a reader ends with is what the database holds.

use std::sync::Arc;

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Mirror, Server, board};

/// Deployments over 9 workflows, each with a life of its own, all at once.
pub async fn storm(server: &Arc<Server>, by: &'static str, deployments: usize) {
    let mut lives = tokio::task::JoinSet::new();
    for n in 0..deployments {
        let server = server.clone();
        lives.spawn(async move {
            let (workflow, external_id) = (format!("workflow-{}", n % 9), format!("{by}-{n}"));
            let version = format!("v{}", n % 23);
            let report = |more: Value| {
                let mut body = json!({"workflow": workflow, "external_id": external_id, "source": "ci"});
                body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
                body
            };
            server.report(report(json!({"status": "queued", "version": version}))).await;
            let row = server.report(report(json!({"status": "running"}))).await;
            let id = row["id"].as_str().unwrap().to_owned();
            for percent in [10, 40, 80] {
                server.update(&id, json!({"progress": {"percent": percent, "phase": "rollout"}})).await;
            }
            let end = ["success", "failed", "cancelled", "success"][n % 4];
            server.update(&id, json!({"status": end, "step": {"name": "smoke", "status": end}})).await;
            if n % 40 == 3 {
                server.delete(&board(&format!("/deployments/{id}"))).await;
            }
        });
    }
    while let Some(life) = lives.join_next().await {
        life.unwrap();
    }
}

/// Everything that REST lists, page by page, and the counts.
pub async fn rest(server: &Server) -> Mirror {
    let mut mirror = Mirror::default();
    let mut after = String::new();
    loop {
        let page = server.get(&board(&format!("/deployments?limit=50&after={after}"))).await;
        for row in page["items"].as_array().unwrap() {
            mirror.deployments.insert(row["id"].as_str().unwrap().to_owned(), row.clone());
        }
        match page["next"].as_str() {
            Some(next) => next.clone_into(&mut after),
            None => break,
        }
    }
    for row in server.get(&board("/workflows?limit=1000")).await["items"].as_array().unwrap() {
        mirror.workflows.insert(row["id"].as_str().unwrap().to_owned(), row.clone());
    }
    let counts = server.get(&board("/counts")).await;
    mirror.counts = counts["counts"].clone();
    mirror.event_id = counts["event_id"].as_u64().unwrap();
    mirror
}

fn recount(mirror: &Mirror) -> Value {
    let statuses = ["queued", "waiting", "running", "success", "failed", "cancelled", "skipped", "lost"];
    let with = |status: &str| mirror.deployments.values().filter(|row| row["status"] == status).count();
    let latest = |status: &str| {
        mirror.workflows.values().filter(|workflow| workflow["latest"]["status"] == status).count()
    };
    let mut deployments: serde_json::Map<String, Value> =
        statuses.iter().map(|status| ((*status).to_owned(), json!(with(status)))).collect();
    deployments.insert("total".into(), json!(mirror.deployments.len()));
    let active = mirror.workflows.values().filter(|workflow| workflow["active"].as_u64() > Some(0)).count();
    json!({
        "deployments": deployments,
        "workflows": {
            "total": mirror.workflows.len(), "active": active,
            "success": latest("success"), "failed": latest("failed"),
        },
    })
}

#[tokio::test]
async fn streams_opened_before_during_and_after_a_storm_end_in_the_state_that_rest_gives() {
    let server = Arc::new(Server::start());
    let path = board("/stream?limit=500");
    let mut streams = vec![server.stream(&path).await];
    let mut storming = tokio::task::JoinSet::new();
    storming.spawn({
        let server = server.clone();
        async move { storm(&server, "run", 200).await }
    });
    crate::harness::eventually("the storm is under way", async || {
        let counts = server.get(&board("/counts")).await;
        (counts["counts"]["deployments"]["total"].as_u64() > Some(50)).then_some(())
    })
    .await;
    streams.push(server.stream(&path).await);
    storming.join_next().await.unwrap().unwrap();
    streams.push(server.stream(&path).await);

    let truth = rest(&server).await;
    assert_eq!(truth.deployments.len(), 195);
    assert_eq!(truth.counts, recount(&truth), "the counts equal a recount");
    for mut stream in streams {
        let mut mirror = Mirror::default();
        while mirror.event_id < truth.event_id {
            mirror.apply(&stream.next().await);
        }
        assert_eq!(mirror.counts, truth.counts);
        assert_eq!(mirror.deployments, truth.deployments);
        assert_eq!(mirror.workflows, truth.workflows);
    }
    server.check();
}

#[tokio::test]
async fn what_was_answered_is_there_after_a_kill_and_ids_go_on_without_a_gap() {
    let mut server = Server::start();
    for round in 0..3 {
        let mut answered = Vec::new();
        for n in 0..10 {
            let row = server
                .report(
                    json!({"workflow": "web", "external_id": format!("{round}-{n}"), "status": "running"}),
                )
                .await;
            answered.push(row);
        }
        let before = server.get(&board("/counts")).await;
        server.kill();
        server.restart();
        assert_eq!(server.get(&board("/counts")).await, before);
        for row in answered {
            let id = row["id"].as_str().unwrap();
            let found = server.get(&board(&format!("/deployments/{id}"))).await;
            assert_eq!(found["deployment"]["status"], "running");
        }
        let mut stream = server.stream(&board("/stream")).await;
        let mut mirror = Mirror::default();
        mirror.apply(&stream.next().await);
        assert_eq!(json!(mirror.event_id), before["event_id"]);
        server.report(json!({"workflow": "web", "external_id": format!("{round}-after")})).await;
        mirror.apply(&stream.next().await);
    }
    server.check();
}

#[tokio::test]
async fn a_write_that_its_sender_left_is_done_and_shown_all_the_same() {
    let server = Server::start();
    let mut stream = server.stream(&board("/stream")).await;
    stream.next_of("snapshot").await;
    let request = server
        .raw(Method::POST, &board("/deployments"))
        .json(&json!({"workflow": "web", "external_id": "left"}))
        .timeout(std::time::Duration::from_micros(1));
    let _ = request.send().await;
    // Whether the request got through or not, a repeated one finds or makes it, and the stream shows it.
    server.report(json!({"workflow": "web", "external_id": "left"})).await;
    let upsert = stream.next_of("deployment.upsert").await;
    assert_eq!(upsert.payload()["deployment"]["external_id"], "left");
}

#[tokio::test]
async fn a_deployment_that_nobody_speaks_of_is_lost_and_revived_when_somebody_does() {
    let server = Server::with(&["--lost-after", "1s"]);
    let id = server.report(json!({"workflow": "web", "status": "running"})).await["id"].clone();
    let id = id.as_str().unwrap();
    let mut stream = server.stream(&board("/stream")).await;
    stream.next_of("snapshot").await;
    let lost = stream.next_of("deployment.upsert").await;
    assert_eq!(lost.payload()["deployment"]["status"], "lost");
    let details = server.get(&board(&format!("/deployments/{id}"))).await;
    assert_eq!(details["timeline"][1]["source"], "shipboard");
    let revived = server.update(id, json!({"progress": {"percent": 10}})).await;
    assert_eq!(revived["status"], "running");
    server.check();
}
