//! Operations: the metrics, the documents, and the port of their own.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::doors::{closed, known, token};
use crate::harness::{Server, board, eventually};

/// An address that nobody listens on just now.
fn free_address() -> String {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

#[tokio::test]
async fn behind_closed_doors_the_metrics_show_what_their_reader_may_see_and_nothing_of_others() {
    let ops = free_address();
    let mut server = closed(&["--ops-listen", &ops]).await;
    for (tenant, env) in [("acme", "staging"), ("acme", "production"), ("other", "production")] {
        let secret = token(&server, tenant, "reporter", &[]);
        known(&mut server, &secret).await;
        let path = format!("/api/v1/tenants/{tenant}/envs/{env}/deployments");
        let (status, _) = server.send(Method::POST, &path, &json!({"workflow": "web"})).await;
        assert_eq!(status, StatusCode::CREATED);
    }
    let shows = |text: &str, tenant: &str, env: &str| {
        text.contains(&format!("shipboard_deployments{{tenant=\"{tenant}\",env=\"{env}\""))
    };
    let secret = token(&server, "acme", "admin", &["--env", "staging"]);
    known(&mut server, &secret).await;
    let text = server.text("/metrics").await;
    assert!(shows(&text, "acme", "staging"), "{text}");
    assert!(!text.contains("production") && !text.contains("other"), "{text}");
    assert!(!text.contains("_total"), "what sums over all tenants is not a tenant's to see:\n{text}");

    let secret = token(&server, "acme", "admin", &[]);
    known(&mut server, &secret).await;
    let text = server.text("/metrics").await;
    assert!(shows(&text, "acme", "staging") && shows(&text, "acme", "production"), "{text}");
    assert!(!text.contains("tenant=\"other\"") && !text.contains("_total"), "{text}");

    let text = reqwest::get(format!("http://{ops}/metrics")).await.unwrap().text().await.unwrap();
    assert!(shows(&text, "other", "production") && text.contains("shipboard_events_total"), "{text}");
}

#[tokio::test]
async fn the_admin_of_the_only_tenant_sees_the_whole_process() {
    let mut server = Server::start();
    server.report(json!({"workflow": "web"})).await;
    let secret = token(&server, "acme", "admin", &[]);
    known(&mut server, &secret).await;
    let text = server.text("/metrics").await;
    assert!(text.contains("shipboard_events_total") && text.contains("shipboard_deployments{"), "{text}");
}

#[tokio::test]
async fn without_a_database_the_metrics_are_shown_without_counts() {
    let server = Server::start();
    server.report(json!({"workflow": "web"})).await;
    let pool = sqlx::SqlitePool::connect(&server.database()).await.unwrap();
    sqlx::query("alter table envs rename to away").execute(&pool).await.unwrap();
    pool.close().await;
    let response = server.raw(Method::GET, "/metrics").send().await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    let text = response.text().await.unwrap();
    assert!(text.contains("shipboard_events_total"), "{text}");
    assert!(!text.contains("shipboard_deployments{"), "{text}");
}

#[tokio::test]
async fn the_port_for_operations_has_the_documents_and_speaks_in_problems() {
    let ops = free_address();
    let _server = Server::with(&["--ops-listen", &ops]);
    for (path, key) in [("openapi", "openapi"), ("asyncapi", "asyncapi")] {
        let response = reqwest::get(format!("http://{ops}/api/v1/{path}.json")).await.unwrap();
        assert!(response.json::<Value>().await.unwrap()[key].is_string(), "{path}");
    }
    let missing = reqwest::get(format!("http://{ops}{}", board("/counts"))).await.unwrap();
    assert_eq!(missing.status(), StatusCode::NOT_FOUND);
    assert_eq!(missing.headers()["content-type"], "application/problem+json");
    assert!(missing.json::<Value>().await.unwrap()["request_id"].is_string());
    let posted = reqwest::Client::new().post(format!("http://{ops}/healthz")).send().await.unwrap();
    assert_eq!(posted.status(), StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(posted.headers()["content-type"], "application/problem+json");
}

#[tokio::test]
async fn an_env_that_was_not_there_is_created() {
    let server = Server::start();
    let path = "/api/v1/tenants/acme/envs/production";
    let (status, env) = server.send(Method::PUT, path, &json!({"name": "Produktion"})).await;
    assert_eq!((status, &env["name"]), (StatusCode::CREATED, &json!("Produktion")));
    let (status, _) = server.send(Method::PUT, path, &json!({"position": 7})).await;
    assert_eq!(status, StatusCode::OK);
}

#[tokio::test]
async fn no_answer_is_kept_or_taken_for_what_it_is_not() {
    let server = Server::start();
    let row = server.report(json!({"workflow": "web"})).await;
    let log = board(&format!("/deployments/{}/logs", row["id"].as_str().unwrap()));
    for path in [board("/counts"), log, "/metrics".to_owned(), board("/nothing"), board("/stream")] {
        let response = server.raw(Method::GET, &path).send().await.unwrap();
        let header = |name: &str| response.headers().get(name).map_or("", |value| value.to_str().unwrap());
        assert_eq!(header("x-content-type-options"), "nosniff", "{path}");
        assert!(header("cache-control").starts_with("no-store"), "{path}: {}", header("cache-control"));
    }
}

#[tokio::test]
async fn every_answer_says_what_a_browser_may_not_do_with_it() {
    let plain = Server::start();
    let public = Server::with(&["--public-url", "https://ship.example.com"]);
    let paths =
        ["/", "/healthz", &board("/counts"), &board("/nothing"), &board("/stream"), "/assets/none.js"];
    for (server, is_https) in [(&plain, false), (&public, true)] {
        for path in paths {
            let response = server.raw(Method::GET, path).send().await.unwrap();
            let header =
                |name: &str| response.headers().get(name).map_or("", |value| value.to_str().unwrap());
            for name in response.headers().keys() {
                assert_eq!(response.headers().get_all(name).iter().count(), 1, "{path}: {name} comes twice");
            }
            let check = |name: &str, value: &str| assert_eq!(header(name), value, "{path}: {name}");
            check("x-content-type-options", "nosniff");
            check("x-frame-options", "DENY");
            check("referrer-policy", "same-origin");
            check("cross-origin-opener-policy", "same-origin");
            check("cross-origin-resource-policy", "same-origin");
            assert!(header("permissions-policy").contains("camera=()"), "{path}");
            let policy = header("content-security-policy");
            assert!(
                policy.contains("frame-ancestors 'none'") && !policy.contains("unsafe"),
                "{path}: {policy}"
            );
            // A build without the web app inside says that instead of showing a page.
            let is_page = header("content-type").starts_with("text/html");
            let expected = if is_page { "default-src 'self'" } else { "default-src 'none'" };
            assert!(policy.starts_with(expected), "{path}: {policy}");
            assert_eq!(!header("strict-transport-security").is_empty(), is_https, "{path}");
        }
    }
}

#[tokio::test]
async fn an_instance_that_hears_of_no_revocations_says_so_and_when_it_does_again() {
    let server = Server::start();
    let pool = sqlx::SqlitePool::connect(&server.database()).await.unwrap();
    let warnings = async || server.get("/readyz").await["warnings"].clone();
    assert_eq!(warnings().await, json!([]));
    sqlx::query("alter table credential_changes rename to away").execute(&pool).await.unwrap();
    eventually("it is told", async || (warnings().await == json!(["credentials"])).then_some(())).await;
    let text = server.text("/metrics").await;
    let age = text.lines().find_map(|line| line.strip_prefix("shipboard_credentials_age_seconds "));
    assert!(age.unwrap().parse::<f64>().unwrap() > 10.0, "{age:?}");
    sqlx::query("alter table away rename to credential_changes").execute(&pool).await.unwrap();
    eventually("it is over", async || (warnings().await == json!([])).then_some(())).await;
    let told = server.said().into_iter().filter(|line| line.contains("goes unseen")).count();
    assert_eq!(told, 1, "once, not each second");
}
