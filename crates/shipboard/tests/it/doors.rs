//! The doors: tokens, roles, tenants, signed hooks, sign-in of browsers.

use hmac::{KeyInit as _, Mac as _};
use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::harness::{Server, binary, board, eventually};

/// Runs the built binary on the server's database, and gives what it printed.
pub fn run(server: &Server, args: &[&str]) -> String {
    let output = binary().args(args).args(["--database", &server.database()]).output().unwrap();
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

pub fn token(server: &Server, tenant: &str, role: &str, more: &[&str]) -> String {
    let args = [&["token", "create", "--tenant", tenant, "--role", role], more].concat();
    run(server, &args).trim().to_owned()
}

/// A server behind closed doors, with two tenants.
pub async fn closed(args: &[&str]) -> Server {
    let server = Server::with(args);
    run(&server, &["tenant", "create", "acme"]);
    run(&server, &["tenant", "create", "other"]);
    token(&server, "acme", "viewer", &[]);
    eventually("the first token closes the doors", async || {
        (server.get_status(&board("/counts")).await == StatusCode::UNAUTHORIZED).then_some(())
    })
    .await;
    server
}

pub async fn known(server: &mut Server, token: &str) {
    server.sign_in(token);
    let server = &*server;
    eventually("the token is known", async || {
        (server.get_status("/api/v1/tenants").await == StatusCode::OK).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_role_allows_what_it_allows_and_a_foreign_tenant_is_not_there() {
    let mut server = closed(&[]).await;
    let roles = [
        ("viewer", StatusCode::FORBIDDEN, StatusCode::FORBIDDEN),
        ("reporter", StatusCode::CREATED, StatusCode::FORBIDDEN),
        ("admin", StatusCode::CREATED, StatusCode::NO_CONTENT),
    ];
    let mut made = String::new();
    for (role, reports, deletes) in roles {
        let secret = token(&server, "acme", role, &[]);
        known(&mut server, &secret).await;
        assert_eq!(server.get_status(&board("/counts")).await, StatusCode::OK);
        let (status, body) =
            server.send(Method::POST, &board("/deployments"), &json!({"workflow": "web"})).await;
        assert_eq!(status, reports, "{role}");
        if status == StatusCode::CREATED {
            made = body["deployment"]["id"].as_str().unwrap().to_owned();
        }
        let path = board(&format!("/deployments/{made}"));
        if !made.is_empty() {
            assert_eq!(server.delete(&path).await, deletes, "{role}");
        }
        let foreign = "/api/v1/tenants/other/envs/production";
        for path in ["/counts", "/deployments", "/stream", "/workflows"] {
            assert_eq!(
                server.get_status(&format!("{foreign}{path}")).await,
                StatusCode::NOT_FOUND,
                "{role} {path}"
            );
        }
        let missing = server.get_status("/api/v1/tenants/missing/envs/production/counts").await;
        assert_eq!(missing, StatusCode::NOT_FOUND);
        assert_eq!(server.get("/api/v1/tenants").await["items"].as_array().unwrap().len(), 1);
    }
    server.sign_in("ship_wrong");
    assert_eq!(server.get_status(&board("/counts")).await, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_token_for_some_envs_sees_no_others() {
    let mut server = closed(&[]).await;
    let secret = token(&server, "acme", "reporter", &["--env", "staging"]);
    known(&mut server, &secret).await;
    let staging = "/api/v1/tenants/acme/envs/staging/deployments";
    let (status, _) = server.send(Method::POST, staging, &json!({"workflow": "web"})).await;
    assert_eq!(status, StatusCode::CREATED);
    let (status, _) = server.send(Method::POST, &board("/deployments"), &json!({"workflow": "web"})).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    let envs = server.get("/api/v1/tenants/acme/envs").await;
    assert_eq!(envs["items"].as_array().unwrap().len(), 1);
    let shared = "/api/v1/tenants/acme/stream?s=staging";
    let mut stream = server.stream(shared).await;
    assert_eq!(stream.next().await.data.unwrap()["env_id"], "staging");
    assert_eq!(server.get_status(&format!("{shared}&s=production")).await, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_revoked_token_ends_its_streams_and_an_expired_one_too() {
    let mut server = closed(&["--heartbeat", "300ms"]).await;
    let secret = token(&server, "acme", "viewer", &[]);
    known(&mut server, &secret).await;
    let mut revoked = server.stream(&board("/stream")).await;
    revoked.next_of("snapshot").await;
    let list = run(&server, &["token", "list"]);
    let id = list.lines().last().unwrap().split('\t').next().unwrap().to_owned();
    run(&server, &["token", "revoke", &id]);
    assert_eq!(revoked.next_of("stream.end").await.payload()["reason"], "revoked");
    assert_eq!(server.get_status(&board("/counts")).await, StatusCode::UNAUTHORIZED);

    let secret = token(&server, "acme", "viewer", &["--expires", "4s"]);
    known(&mut server, &secret).await;
    let mut expired = server.stream(&board("/stream")).await;
    expired.next_of("snapshot").await;
    assert_eq!(expired.next_of("stream.end").await.payload()["reason"], "expired");
}

#[tokio::test]
async fn taking_the_last_token_back_does_not_open_the_doors_again() {
    let server = closed(&[]).await;
    let list = run(&server, &["token", "list"]);
    run(&server, &["token", "revoke", list.split('\t').next().unwrap()]);
    // Two heads checks later at the latest, the cache has been read anew.
    let mut looks = 0;
    eventually("the cache is read anew", async || {
        looks += 1;
        assert_eq!(server.get_status(&board("/counts")).await, StatusCode::UNAUTHORIZED);
        (looks > 200).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_browser_signs_in_with_a_token_and_carries_it_in_a_cookie_no_script_can_read() {
    let server = closed(&[]).await;
    let secret = token(&server, "acme", "viewer", &[]);
    let sign_in = async |token: &str| {
        let request = server.raw(Method::POST, "/api/v1/session").json(&json!({"token": token}));
        request.send().await.unwrap()
    };
    assert_eq!(sign_in("ship_wrong").await.status(), StatusCode::UNAUTHORIZED);
    let response = eventually("the token is known", async || {
        let response = sign_in(&secret).await;
        (response.status() == StatusCode::OK).then_some(response)
    })
    .await;
    let cookie = response.headers()["set-cookie"].to_str().unwrap().to_owned();
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax"), "{cookie}");
    let pair = cookie.split(';').next().unwrap();
    let with = |path: &str| server.raw(Method::GET, path).header("cookie", pair).send();
    assert_eq!(with(&board("/counts")).await.unwrap().status(), StatusCode::OK);
    assert!(!pair.contains(&secret), "the token itself stays out of the browser");
    let session: serde_json::Value = with("/api/v1/session").await.unwrap().json().await.unwrap();
    assert_eq!(session["mode"], "required");
    assert_eq!((&session["tenant"], &session["role"]), (&json!("acme"), &json!("viewer")));
    assert_eq!(session["grants"], json!([{"tenant": "acme", "role": "viewer", "envs": null}]));
    let out = server.raw(Method::DELETE, "/api/v1/session").send().await.unwrap();
    assert!(out.headers()["set-cookie"].to_str().unwrap().contains("Max-Age=0"));
}

pub fn signature(secret: &str, body: &str) -> String {
    let mut mac = hmac::Hmac::<sha2::Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(body.as_bytes());
    format!("sha256={}", hex::encode(mac.finalize().into_bytes()))
}

/// An environment deployment as GitHub would tell of it, with only what matters.
pub fn delivery() -> String {
    json!({
        "action": "created",
        "deployment_status": {
            "id": 7, "state": "success", "description": "", "environment": "Production EU",
            "created_at": "2026-01-02T03:04:05Z", "updated_at": "2026-01-02T03:04:05Z",
        },
        "deployment": {
            "id": 42, "sha": "0123456789abcdef0123456789abcdef01234567", "ref": "v1.2.0", "task": "deploy",
            "environment": "Production EU", "created_at": "2026-01-02T03:00:00Z", "payload": {},
            "creator": {"login": "mia"},
        },
        "repository": {"id": 9, "name": "web", "full_name": "acme/web", "html_url": "https://git.example/acme/web"},
        "sender": {"login": "mia"},
    })
    .to_string()
}

async fn deliver(server: &Server, tenant: &str, signature: Option<&str>) -> StatusCode {
    let path = format!("/api/v1/tenants/{tenant}/hooks/github");
    let mut request = server.raw(Method::POST, &path).header("x-github-event", "deployment_status");
    if let Some(signature) = signature {
        request = request.header("x-hub-signature-256", signature);
    }
    request.header("content-type", "application/json").body(delivery()).send().await.unwrap().status()
}

#[tokio::test]
async fn an_open_hook_takes_unsigned_deliveries_until_it_has_a_secret() {
    let server = Server::start();
    assert_eq!(deliver(&server, "acme", None).await, StatusCode::OK);
    let envs = server.get("/api/v1/tenants/acme/envs").await;
    let env = &envs["items"][0];
    assert_eq!((&env["id"], &env["name"]), (&json!("production-eu"), &json!("Production EU")));
    let list = server.get("/api/v1/tenants/acme/envs/production-eu/deployments").await;
    assert_eq!(list["items"][0]["status"], "success");
    assert_eq!(list["items"][0]["source"], "github");
    // Again: nothing changes.
    assert_eq!(deliver(&server, "acme", None).await, StatusCode::OK);
    let again = server.get("/api/v1/tenants/acme/envs/production-eu/deployments").await;
    assert_eq!(again, list);

    let printed = run(&server, &["hook", "create", "--tenant", "acme", "--source", "github"]);
    let mut lines = printed.lines();
    assert!(lines.next().unwrap().ends_with("/api/v1/tenants/acme/hooks/github"));
    let secret = lines.next().unwrap();
    eventually("the secret is known", async || {
        (deliver(&server, "acme", None).await == StatusCode::UNAUTHORIZED).then_some(())
    })
    .await;
    assert_eq!(
        deliver(&server, "acme", Some(&signature("wrong", &delivery()))).await,
        StatusCode::UNAUTHORIZED
    );
    assert_eq!(deliver(&server, "acme", Some(&signature(secret, &delivery()))).await, StatusCode::OK);
}

#[tokio::test]
async fn behind_closed_doors_a_hook_without_a_secret_and_a_tenant_that_is_not_there_look_the_same() {
    let server = closed(&[]).await;
    let signature = signature("guess", &delivery());
    for tenant in ["acme", "missing", "No-Slug"] {
        assert_eq!(deliver(&server, tenant, None).await, StatusCode::UNAUTHORIZED, "{tenant}");
        assert_eq!(deliver(&server, tenant, Some(&signature)).await, StatusCode::UNAUTHORIZED, "{tenant}");
    }
}
