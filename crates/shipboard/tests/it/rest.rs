//! The REST table: what is taken, what is refused, and how.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::harness::{Server, board, eventually};

async fn post(server: &Server, body: Value) -> (StatusCode, Value) {
    server.send(Method::POST, &board("/deployments"), &body).await
}

#[tokio::test]
async fn a_repeated_report_makes_one_deployment_and_changes_nothing() {
    let server = Server::start();
    let body = json!({"workflow": "web", "external_id": "run-1", "status": "running", "message": "go"});
    let (status, first) = post(&server, body.clone()).await;
    assert_eq!(status, StatusCode::CREATED);
    let (status, again) = post(&server, body).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(again["deployment"], first["deployment"]);
    assert_eq!(again["event_id"], first["event_id"]);
}

#[tokio::test]
async fn an_idempotency_key_makes_a_report_without_an_id_safe_to_repeat() {
    let server = Server::start();
    let send = async |workflow: &str| {
        let request = server.raw(Method::POST, &board("/deployments")).header("idempotency-key", "k1");
        let response = request.json(&json!({"workflow": workflow})).send().await.unwrap();
        (response.status(), response.json::<Value>().await.unwrap())
    };
    let (status, first) = send("web").await;
    assert_eq!(status, StatusCode::CREATED);
    let (status, again) = send("web").await;
    assert_eq!((status, &again["deployment"]["id"]), (StatusCode::OK, &first["deployment"]["id"]));
    assert_eq!(send("other").await.0, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(server.get(&board("/counts")).await["counts"]["deployments"]["total"], 1);
}

#[tokio::test]
async fn what_cannot_be_is_refused_with_a_sentence_and_nothing_half_written() {
    let server = Server::start();
    let refused = [
        (json!({}), "workflow"),
        (json!({"workflow": "No Slug"}), "workflow"),
        (json!({"workflow": "web", "progress": {"percent": 101}}), "progress.percent"),
        (json!({"workflow": "web", "attempt": 0}), "attempt"),
        (json!({"workflow": "web", "occurred_at": "tomorrow"}), "occurred_at"),
        (json!({"workflow": "web", "url": "javascript:alert(1)"}), "url"),
        (json!({"workflow": 7}), "invalid type"),
    ];
    for (body, named) in refused {
        let (status, problem) = post(&server, body.clone()).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{body}: {problem}");
        assert_eq!(problem["status"], 422);
        assert!(problem["detail"].as_str().unwrap().contains(named), "{body}: {problem}");
        assert!(problem["request_id"].is_string());
    }
    let malformed = server.raw(Method::POST, &board("/deployments")).body("{").send().await.unwrap();
    assert_eq!(malformed.status(), StatusCode::BAD_REQUEST);
    assert_eq!(malformed.headers()["content-type"], "application/problem+json");
    let large = server.raw(Method::POST, &board("/deployments")).body("x".repeat(1_048_577));
    assert_eq!(large.send().await.unwrap().status(), StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(server.get("/api/v1/tenants").await["items"], json!([]), "not even a tenant was made");
    let status = server.get_status("/api/v1/tenants/Acme/envs/production/counts").await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn a_known_identity_with_another_workflow_is_refused() {
    let server = Server::start();
    server.report(json!({"workflow": "web", "external_id": "1"})).await;
    let (status, problem) = post(&server, json!({"workflow": "api", "external_id": "1"})).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{problem}");
}

#[tokio::test]
async fn a_deleted_deployment_is_gone_for_its_reporters() {
    let server = Server::start();
    let row = server.report(json!({"workflow": "web", "external_id": "1", "status": "success"})).await;
    let path = board(&format!("/deployments/{}", row["id"].as_str().unwrap()));
    assert_eq!(server.delete(&path).await, StatusCode::NO_CONTENT);
    assert_eq!(post(&server, json!({"workflow": "web", "external_id": "1"})).await.0, StatusCode::GONE);
    assert_eq!(server.send(Method::PATCH, &path, &json!({"status": "failed"})).await.0, StatusCode::GONE);
    assert_eq!(server.get_status(&path).await, StatusCode::NOT_FOUND);
    let counts = server.get(&board("/counts")).await;
    assert_eq!(counts["counts"]["workflows"]["total"], 0);
    assert_eq!(server.get(&board("/workflows")).await["items"], json!([]));
}

#[tokio::test]
async fn a_batch_answers_each_report_and_one_bad_one_harms_no_other() {
    let server = Server::start();
    let reports = json!({"reports": [
        {"workflow": "web", "external_id": "1", "status": "success"},
        {"workflow": "Not A Slug"},
        {"workflow": "web", "external_id": "1", "status": "success"},
        {"external_id": "2"},
        {"workflow": "api", "external_id": "3"},
    ]});
    let (status, answer) = server.send(Method::POST, &board("/deployments:batch"), &reports).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    let statuses: Vec<_> = answer["results"]
        .as_array()
        .unwrap()
        .iter()
        .map(|result| result["status"].as_u64().unwrap())
        .collect();
    assert_eq!(statuses, [201, 422, 200, 422, 201]);
    assert!(answer["results"][1]["problem"]["detail"].as_str().unwrap().contains("workflow"));
    assert_eq!(server.get(&board("/counts")).await["counts"]["deployments"]["total"], 2);
    let many = json!({"reports": vec![json!({}); 1_001]});
    let (status, _) = server.send(Method::POST, &board("/deployments:batch"), &many).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn lists_are_filtered_and_paged_on_the_server() {
    let server = Server::start();
    for n in 0..7 {
        let status = if n % 2 == 0 { "success" } else { "failed" };
        server
            .report(json!({
                "workflow": if n < 4 { "web" } else { "api" }, "external_id": format!("run_{n}"), "status": status,
                "version": format!("v{n}"), "actor": "mia", "message": "Fix 100% of it",
                "commit": {"sha": format!("abc0abc0abc0abc{n}def")},
                "occurred_at": format!("2026-01-0{}T12:00:00Z", n + 1),
            }))
            .await;
    }
    let found = async |query: &str| -> Vec<String> {
        let list = server.get(&board(&format!("/deployments?{query}"))).await;
        let items = list["items"].as_array().unwrap().iter();
        items.map(|row| row["external_id"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(found("").await.len(), 7);
    assert_eq!(found("status=failed").await, ["run_5", "run_3", "run_1"]);
    assert_eq!(found("status=failed,success&workflow=api").await, ["run_6", "run_5", "run_4"]);
    assert_eq!(found("status=failed&status=success&workflow=web&actor=mia").await.len(), 4);
    assert_eq!(found("actor=zoe").await.len(), 0);
    assert_eq!(found("q=ABC0ABC0ABC0ABC2").await, ["run_2"], "a sha's beginning");
    assert_eq!(found("q=bc0abc0abc0abc2").await.len(), 0, "not its middle");
    assert_eq!(found("q=V3").await, ["run_3"]);
    assert_eq!(found("q=100%25").await.len(), 7, "a percent sign is a letter like any other");
    assert_eq!(found("q=run_1").await, ["run_1"]);
    assert_eq!(found("q=runx1").await.len(), 0, "an underscore too");
    assert_eq!(found("since=2026-01-06T12:00:00Z").await, ["run_6", "run_5"]);
    assert_eq!(found("until=2026-01-02T12:00:00Z").await, ["run_0"]);

    let first = server.get(&board("/deployments?limit=3")).await;
    let next = first["next"].as_str().unwrap();
    let second = server.get(&board(&format!("/deployments?limit=3&after={next}"))).await;
    assert_eq!(second["items"][0]["external_id"], "run_3");
    assert!(first["event_id"].is_u64());
    let beyond = format!("after={}_0198a6c2-7d1e-7c3a-9f00-1234567890ab", i64::MAX);
    for bad in ["status=great", "since=x", "limit=0", "limit=501", "after=1", &beyond] {
        let status = server.get_status(&board(&format!("/deployments?{bad}"))).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{bad}");
    }
}

#[tokio::test]
async fn the_details_tell_the_whole_story() {
    let server = Server::start();
    let id =
        server.report(json!({"workflow": "web", "status": "queued", "actor": "mia"})).await["id"].clone();
    let id = id.as_str().unwrap();
    server.update(id, json!({"status": "running"})).await;
    server.update(id, json!({"step": {"name": "migrate", "status": "success"}, "message": "42 rows"})).await;
    server.update(id, json!({"status": "exploded"})).await;
    server.update(id, json!({"status": "success"})).await;
    server.update(id, json!({"status": "failed", "message": "smoke test"})).await;
    let details = server.get(&board(&format!("/deployments/{id}"))).await;
    let told: Vec<_> = details["timeline"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| (entry["kind"].as_str().unwrap(), entry["status"].as_str().unwrap()))
        .collect();
    assert_eq!(
        told,
        [
            ("status", "queued"),
            ("status", "running"),
            ("step", "success"),
            ("status", "unmapped"),
            ("status", "success"),
            ("correction", "failed"),
        ]
    );
    assert_eq!(details["deployment"]["status"], "failed");
    assert_eq!(details["deployment"]["standing"], Value::Null);
    assert!(details["event_id"].is_u64());
    assert_eq!(server.get_status(&board("/deployments/no-id")).await, StatusCode::UNPROCESSABLE_ENTITY);
    let unknown = board("/deployments/01890000-0000-7000-8000-000000000000");
    assert_eq!(server.get_status(&unknown).await, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn envs_are_made_by_reports_and_changed_by_admins() {
    let server = Server::start();
    server.report(json!({"workflow": "web"})).await;
    let envs = server.get("/api/v1/tenants/acme/envs").await;
    assert_eq!(
        (&envs["items"][0]["id"], &envs["items"][0]["tier"]),
        (&json!("production"), &json!("production"))
    );
    let path = "/api/v1/tenants/acme/envs/production";
    let (status, env) = server.send(Method::PUT, path, &json!({"name": "Produktion", "position": 7})).await;
    assert_eq!((status, &env["name"], &env["position"]), (StatusCode::OK, &json!("Produktion"), &json!(7)));
    let (status, _) = server.send(Method::PUT, path, &json!({"tier": "best"})).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    let server = Server::with(&["--no-create"]);
    assert_eq!(post(&server, json!({"workflow": "web"})).await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn the_documents_name_every_route_and_every_event() {
    let server = Server::start();
    let openapi = server.get("/api/v1/openapi.json").await;
    for path in
        ["/deployments", "/deployments:batch", "/deployments/{id}", "/stream", "/counts", "/workflows"]
    {
        let path = format!("/api/v1/tenants/{{tenant}}/envs/{{env}}{path}");
        assert!(openapi["paths"][&path].is_object(), "{path}");
    }
    let asyncapi = server.get("/api/v1/asyncapi.json").await;
    for event in ["snapshot", "deployment.upsert", "counts.update", "log.append", "stream.end"] {
        let payload =
            asyncapi["components"]["messages"][event]["payload"]["properties"]["payload"]["$ref"].as_str();
        let schema = payload.unwrap().rsplit('/').next().unwrap();
        assert!(asyncapi["components"]["schemas"][schema].is_object(), "{event}");
    }
}

#[tokio::test]
async fn the_metrics_show_the_board_s_own_counts() {
    let server = Server::start();
    server.report(json!({"workflow": "web", "status": "running"})).await;
    server.report(json!({"workflow": "web", "status": "success"})).await;
    let labels = "tenant=\"acme\",env=\"production\"";
    assert_eq!(server.metric(&format!("shipboard_deployments{{{labels},status=\"running\"}}")).await, 1);
    assert_eq!(server.metric(&format!("shipboard_deployments{{{labels},status=\"success\"}}")).await, 1);
    assert_eq!(server.metric(&format!("shipboard_workflows{{{labels},state=\"total\"}}")).await, 1);
    assert!(server.metric("shipboard_events_total{type=\"deployment.upsert\"}").await >= 2);
}

#[tokio::test]
async fn every_metric_of_the_contract_is_there_and_described() {
    let server = Server::start();
    let id = server.report(json!({"workflow": "web", "status": "running"})).await["id"].clone();
    let mut stream = server.stream(&board("/stream")).await;
    let snapshot = stream.next_of("snapshot").await;
    server.update(id.as_str().unwrap(), json!({"status": "success"})).await;
    stream.next_of("counts.update").await;
    drop(server.stream_after(&board("/stream"), &snapshot.id.unwrap()).await);
    post(&server, json!({"workflow": "No Slug"})).await;
    let ended = "shipboard_streams_ended_total{reason=\"left\"}";
    eventually("a stream ended", async || (server.metric(ended).await > 0).then_some(())).await;
    let text = server.text("/metrics").await;
    for series in [
        "shipboard_streams_open{scope=\"deployments\"}",
        "shipboard_streams_opened_total{scope=\"deployments\"}",
        ended,
        "shipboard_reconnects_total{scope=\"deployments\"}",
        "shipboard_events_total{type=\"deployment.upsert\"}",
        "shipboard_snapshot_seconds_bucket{scope=\"deployments\"",
        "shipboard_snapshot_bytes_bucket{scope=\"deployments\"",
        "shipboard_encodes_total{what=\"event\"}",
        "shipboard_refused_total{reason=\"invalid_report\"}",
        "shipboard_commit_to_write_seconds_bucket",
        "shipboard_commit_seconds_bucket",
        "shipboard_writer_group_size_bucket",
        "shipboard_deployments{tenant=\"acme\",env=\"production\",status=\"success\"} 1",
    ] {
        assert!(text.lines().any(|line| line.starts_with(series)), "{series} is not among:\n{text}");
    }
    let named = text
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE "))
        .filter_map(|rest| rest.split(' ').next());
    for name in named {
        assert!(text.contains(&format!("# HELP {name} ")), "{name} is not described");
    }
}

#[tokio::test]
async fn foreign_pages_and_foreign_hosts_get_nothing_from_open_doors() {
    let server = Server::start();
    let host = server.raw(Method::GET, &board("/counts")).header("host", "evil.example");
    assert_eq!(host.send().await.unwrap().status(), StatusCode::FORBIDDEN);
    let origin = server.raw(Method::POST, &board("/deployments")).header("origin", "http://evil.example");
    let sent = origin.json(&json!({"workflow": "web"})).send().await.unwrap();
    assert_eq!(sent.status(), StatusCode::FORBIDDEN);
    let own = server.raw(Method::POST, &board("/deployments")).header("origin", &server.url);
    assert_eq!(own.json(&json!({"workflow": "web"})).send().await.unwrap().status(), StatusCode::CREATED);
}
