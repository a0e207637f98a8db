//! What is refused before anything is done: values out of range, bodies of the wrong shape, deliveries
//! that are nobody's.

use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::doors::{closed, delivery, known, run, signature, token};
use crate::harness::{Server, board, eventually};

#[tokio::test]
async fn a_filter_beyond_its_limits_is_a_422_that_names_it() {
    let server = Server::start();
    server.report(json!({"workflow": "web", "actor": "mia"})).await;
    let many = |name: &str, value: &str, count: usize| format!("{name}={}", vec![value; count].join(","));
    let refused = [
        ("q", format!("q={}", "x".repeat(256))),
        ("q", format!("q={}", "_".repeat(25_001))),
        ("q", "q=a%00b".to_owned()),
        ("actor", format!("actor={}", "x".repeat(256))),
        ("status", many("status", "failed", 101)),
        ("workflow", many("workflow", "web", 101)),
        ("workflow", "workflow=No%20Slug".to_owned()),
    ];
    for (named, query) in refused {
        let path = board(&format!("/deployments?{query}"));
        let (status, problem) = server.send(Method::GET, &path, &json!({})).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{named}: {problem}");
        assert!(problem["detail"].as_str().unwrap().starts_with(named), "{problem}");
    }
    let taken = [
        format!("q={}", "%C3%A4".repeat(255)),
        format!("q={}", "%25".repeat(255)),
        format!("actor={}", "x".repeat(255)),
        many("status", "failed", 100),
        many("workflow", "web", 100),
    ];
    for query in taken {
        let status = server.get_status(&board(&format!("/deployments?{query}"))).await;
        assert_eq!(status, StatusCode::OK, "{query}");
    }
}

#[tokio::test]
async fn a_body_that_is_no_object_is_a_422() {
    let server = Server::start();
    for body in [json!(["ext-1", "ci", "web"]), json!("web"), json!(7), json!(null), json!([])] {
        let paths = [
            (Method::POST, board("/deployments")),
            (Method::POST, board("/deployments:batch")),
            (Method::PUT, board("")),
            (Method::PUT, "/api/v1/tenants/acme".to_owned()),
            (Method::POST, "/api/v1/session".to_owned()),
        ];
        for (method, path) in paths {
            let (status, problem) = server.send(method, &path, &body).await;
            assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{path} {body}: {problem}");
        }
    }
    let batch = json!({"reports": [["ext-1", "ci", "web"], {"workflow": "web"}]});
    let (_, answer) = server.send(Method::POST, &board("/deployments:batch"), &batch).await;
    let statuses = [&answer["results"][0]["status"], &answer["results"][1]["status"]];
    assert_eq!(statuses, [&json!(422), &json!(201)], "{answer}");
    for body in ["", "[", "x", "[1,]"] {
        let sent = server.raw(Method::POST, &board("/deployments")).body(body).send().await.unwrap();
        assert_eq!(sent.status(), StatusCode::BAD_REQUEST, "{body:?} is not JSON");
    }
}

#[tokio::test]
async fn a_number_that_no_float_can_hold_is_out_of_range() {
    let server = Server::start();
    let body = r#"{"workflow": "web", "progress": {"percent": 1e400}}"#;
    let sent = server.raw(Method::POST, &board("/deployments")).body(body).send().await.unwrap();
    assert_eq!(sent.status(), StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn a_delivery_to_a_source_or_a_tenant_that_cannot_be_looks_like_one_with_a_wrong_signature() {
    let mut problems = Vec::new();
    for server in [Server::start(), closed(&[]).await] {
        let refused = ["acme/hooks/bitbucket", "acme/hooks/%ff", "%ff/hooks/github", "No-Slug/hooks/github"];
        for path in refused {
            let path = format!("/api/v1/tenants/{path}");
            let request = server.raw(Method::POST, &path).header("x-github-event", "deployment_status");
            let request = request.header("x-hub-signature-256", signature("guess", &delivery()));
            let response = request.body(delivery()).send().await.unwrap();
            assert_eq!(response.status(), StatusCode::UNAUTHORIZED, "{path}");
            assert_eq!(response.headers()["content-type"], "application/problem+json");
            let mut problem: serde_json::Value = response.json().await.unwrap();
            problem.as_object_mut().unwrap().remove("request_id");
            problems.push(problem);
        }
    }
    problems.dedup();
    assert_eq!(problems.len(), 1, "{problems:?}");
}

#[tokio::test]
async fn a_delivery_for_an_env_that_may_not_be_made_is_taken_note_of_and_counted_as_refused() {
    let server = Server::with(&["--no-create"]);
    let (status, _) = server.send(Method::PUT, "/api/v1/tenants/acme", &json!({})).await;
    assert_eq!(status, StatusCode::CREATED);
    let path = "/api/v1/tenants/acme/hooks/github";
    let request = server.raw(Method::POST, path).header("x-github-event", "deployment_status");
    let response = request.header("content-type", "application/json").body(delivery()).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    let answer: serde_json::Value = response.json().await.unwrap();
    assert_eq!(answer["taken"], 0, "{answer}");
    assert!(answer["refused"].as_u64().unwrap() > 0, "{answer}");
    assert_eq!(server.get("/api/v1/tenants/acme/envs").await["items"], json!([]));
}

#[tokio::test]
async fn a_token_for_some_envs_has_no_say_in_what_is_the_whole_tenant_s() {
    let mut server = closed(&[]).await;
    let secret = token(&server, "acme", "admin", &["--env", "staging"]);
    known(&mut server, &secret).await;
    let (status, _) = server.send(Method::PUT, "/api/v1/tenants/acme", &json!({"name": "Mine"})).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    let (status, _) = server.send(Method::PUT, "/api/v1/tenants/acme/envs/staging", &json!({})).await;
    assert_eq!(status, StatusCode::CREATED, "its own envs are its own");
    let secret = token(&server, "acme", "admin", &[]);
    known(&mut server, &secret).await;
    let (status, tenant) = server.send(Method::PUT, "/api/v1/tenants/acme", &json!({"name": "Ours"})).await;
    assert_eq!((status, &tenant["name"]), (StatusCode::OK, &json!("Ours")));
}

#[tokio::test]
async fn what_is_sent_to_the_log_of_a_deleted_deployment_is_gone_wherever_it_begins() {
    let server = Server::start();
    let row = server.report(json!({"workflow": "web"})).await;
    let id = row["id"].as_str().unwrap().to_owned();
    let path = board(&format!("/deployments/{id}"));
    let append = async |offset: u64, text: &'static str| {
        let path = format!("{path}/logs?offset={offset}");
        server.raw(Method::POST, &path).body(text).send().await.unwrap().status()
    };
    assert_eq!(append(0, "").await, StatusCode::OK);
    let row = server.get(&path).await;
    assert_eq!(row["deployment"]["has_log"], false, "nothing was said");
    assert_eq!(append(0, "hello").await, StatusCode::OK);
    assert_eq!(server.get(&path).await["deployment"]["has_log"], true);
    assert_eq!(server.delete(&path).await, StatusCode::NO_CONTENT);
    for offset in [0, 5] {
        assert_eq!(append(offset, "world").await, StatusCode::GONE, "{offset}");
    }
    assert_eq!(server.get_status(&format!("{path}/logs")).await, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_sign_in_that_was_refused_is_in_the_server_s_own_log_which_is_read_beside_the_database() {
    let server = closed(&[]).await;
    let sign_in = server.raw(Method::POST, "/api/v1/session").json(&json!({"token": "nobody's"}));
    assert_eq!(sign_in.send().await.unwrap().status(), StatusCode::UNAUTHORIZED);
    let line = eventually("the refusal is written down", async || {
        run(&server, &["audit"]).lines().next().map(str::to_owned)
    })
    .await;
    let record: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!((&record["action"], &record["subject"]), (&json!("refuse"), &json!("sign-in")));
    assert_eq!((&record["actor"], &record["address"]), (&json!("unknown"), &json!("127.0.0.1")));
    assert!(!run(&server, &["audit", "--tenant", "acme"]).contains("refuse"), "it is no tenant's affair");
}

#[tokio::test]
async fn open_doors_are_told_of_loudly_and_closed_ones_are_not() {
    let loud = |server: &Server| server.said().iter().filter(|line| line.contains("OPEN MODE")).count();
    let server = Server::start();
    eventually("it is said", async || (loud(&server) == 1).then_some(())).await;
    let server = Server::with(&["--auth", "required"]);
    assert_eq!(server.get_status(&board("/counts")).await, StatusCode::UNAUTHORIZED);
    assert_eq!(loud(&server), 0);
}
