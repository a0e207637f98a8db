//! Webhooks end to end: whose they are, what comes twice, secrets that are changed for others.

use std::collections::BTreeMap;

use base64::Engine as _;
use hmac::{KeyInit as _, Mac as _};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::doors::{closed, delivery, run, signature};
use crate::harness::{Server, eventually};

/// Makes a secret with the command line.
fn secret(server: &Server, tenant: &str, source: &str) -> String {
    let printed = run(server, &["hook", "create", "--tenant", tenant, "--source", source]);
    printed.lines().nth(1).unwrap().to_owned()
}

/// A delivery with these headers.
async fn deliver(server: &Server, hook: &str, headers: &[(&str, &str)], body: &str) -> (StatusCode, Value) {
    let mut request = server.raw(Method::POST, &format!("/api/v1/tenants/{hook}"));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let answer = request.body(body.to_owned()).send().await.unwrap();
    (answer.status(), answer.json().await.unwrap())
}

/// The same, again and again until a secret is known that was made a moment ago.
async fn taken(server: &Server, hook: &str, headers: &[(&str, &str)], body: &str) -> Value {
    eventually("the secret is known", async || {
        let (status, answer) = deliver(server, hook, headers, body).await;
        (status == StatusCode::OK).then_some(answer)
    })
    .await
}

async fn rows(server: &mut Server, env: &str) -> Vec<Value> {
    let admin = run(server, &["token", "create", "--tenant", "acme", "--role", "admin"]);
    crate::doors::known(server, admin.trim()).await;
    let list = server.get(&format!("/api/v1/tenants/acme/envs/{env}/deployments")).await;
    list["items"].as_array().unwrap().clone()
}

fn github<'a>(id: &'a str, signature: &'a str) -> [(&'static str, &'a str); 3] {
    [("x-github-event", "deployment_status"), ("x-github-delivery", id), ("x-hub-signature-256", signature)]
}

fn gitlab_deployment(id: u64) -> String {
    json!({
        "object_kind": "deployment", "status": "success", "status_changed_at": "2026-01-02 03:04:05 UTC",
        "deployment_id": id, "environment": "staging",
        "project": {"id": 9, "path_with_namespace": "acme/web"}, "ref": "v1.2.0",
    })
    .to_string()
}

fn service(id: &str, predicate: &str, at: &str) -> String {
    json!({
        "context": {
            "specversion": "0.5.1", "id": id, "source": "/ci", "timestamp": at,
            "type": format!("dev.cdevents.service.{predicate}.0.3.0"),
        },
        "subject": {"id": "web", "content": {
            "environment": {"id": "staging"}, "artifactId": format!("pkg:oci/web@{id}"),
        }},
    })
    .to_string()
}

#[tokio::test]
async fn a_delivery_is_taken_once_whichever_of_its_id_and_its_bytes_comes_again() {
    let mut server = closed(&[]).await;
    let secret = secret(&server, "acme", "github");
    let body = delivery();
    let signed = signature(&secret, &body);
    let hook = "acme/hooks/github";
    let first = taken(&server, hook, &github("one", &signed), &body).await;
    assert_eq!(first, json!({"taken": 2, "refused": 0, "repeated": false}));
    let repeated = json!({"taken": 0, "refused": 0, "repeated": true});
    let of_id = body.replace("v1.2.0", "v1.3.0");
    for (id, body) in [("one", &body), ("another", &body), ("one", &of_id)] {
        let signed = signature(&secret, body);
        let again = deliver(&server, hook, &github(id, &signed), body).await;
        assert_eq!(again, (StatusCode::OK, repeated.clone()), "{id}");
    }
    let unsigned = deliver(&server, hook, &github("one", "sha256=00"), &body).await;
    assert_eq!(unsigned.0, StatusCode::UNAUTHORIZED, "a repeat must be signed as well");
    let unreadable = signature(&secret, "{");
    for _ in 0..2 {
        let refused = deliver(&server, hook, &github("broken", &unreadable), "{").await;
        assert_eq!(refused.0, StatusCode::BAD_REQUEST, "what cannot be read is not kept in mind");
    }
    let other = body.replace("\"id\":42", "\"id\":43");
    let other_signed = signature(&secret, &other);
    let (_, answer) = deliver(&server, hook, &github("broken", &other_signed), &other).await;
    assert_eq!(answer["taken"], 2, "{answer}");
    assert_eq!(rows(&mut server, "production-eu").await.len(), 2);
}

#[tokio::test]
async fn a_delivery_that_was_written_and_not_kept_in_mind_is_taken_again_and_changes_nothing() {
    let mut server = closed(&[]).await;
    let secret = secret(&server, "acme", "gitlab");
    let hook = "acme/hooks/gitlab";
    let headers = [("x-gitlab-token", secret.as_str()), ("idempotency-key", "one")];
    taken(&server, hook, &headers[..1], r#"{"object_kind": "push"}"#).await;
    let pool = sqlx::SqlitePool::connect(&server.database()).await.unwrap();
    let full = "create trigger full before insert on deliveries begin select raise(abort, 'full'); end";
    sqlx::query(full).execute(&pool).await.unwrap();
    let (status, _) = deliver(&server, hook, &headers, &gitlab_deployment(1)).await;
    assert!(status.is_server_error(), "the sender is to repeat it: {status}");
    let before = rows(&mut server, "staging").await;
    assert_eq!(before.len(), 1, "it was written before");
    sqlx::query("drop trigger full").execute(&pool).await.unwrap();
    pool.close().await;
    let (_, again) = deliver(&server, hook, &headers, &gitlab_deployment(1)).await;
    assert_eq!(again, json!({"taken": 1, "refused": 0, "repeated": false}));
    assert_eq!(rows(&mut server, "staging").await, before);
    let (_, again) = deliver(&server, hook, &headers, &gitlab_deployment(1)).await;
    assert_eq!(again["repeated"], true);
}

#[tokio::test]
async fn a_replay_does_not_revive_what_was_lost_since() {
    let server = Server::with(&["--lost-after", "1s"]);
    run(&server, &["tenant", "create", "acme"]);
    let secret = secret(&server, "acme", "github");
    let mut told: Value = serde_json::from_str(&delivery()).unwrap();
    told["workflow_job"] = json!({
        "run_id": 5, "run_attempt": 1, "workflow_name": "Ship", "name": "deploy", "status": "in_progress",
        "created_at": "2026-01-02T03:00:00Z", "started_at": "2026-01-02T03:01:00Z",
        "steps": [{"name": "Migrate", "number": 1, "status": "in_progress", "started_at": "2026-01-02T03:01:00Z"}],
    });
    let body = told.to_string();
    let signed = signature(&secret, &body);
    let headers = [("x-github-event", "workflow_job"), ("x-hub-signature-256", signed.as_str())];
    let ping = [("x-github-event", "ping")];
    eventually("the secret is known", async || {
        let (status, _) = deliver(&server, "acme/hooks/github", &ping, "{}").await;
        (status == StatusCode::UNAUTHORIZED).then_some(())
    })
    .await;
    let (status, answer) = deliver(&server, "acme/hooks/github", &headers, &body).await;
    assert_eq!((status, &answer["repeated"]), (StatusCode::OK, &json!(false)), "{answer}");
    let list = "/api/v1/tenants/acme/envs/production-eu/deployments";
    let lost = eventually("nobody speaks of it any more", async || {
        let row = server.get(list).await["items"][0].clone();
        (row["status"] == "lost").then_some(row)
    })
    .await;
    let mut replay = headers.to_vec();
    replay.push(("x-github-delivery", "made-up"));
    let (_, answer) = deliver(&server, "acme/hooks/github", &replay, &body).await;
    assert_eq!(answer["repeated"], true);
    assert_eq!(server.get(list).await["items"][0], lost, "not even a sign of life");
    assert_eq!(server.metric("shipboard_hook_repeats_total{source=\"github\"}").await, 1);
    server.check();
}

#[tokio::test]
async fn two_secrets_hold_at_once_and_the_second_goes_on_when_the_first_is_taken_back() {
    let mut server = closed(&[]).await;
    let hook = "acme/hooks/gitlab";
    let first = secret(&server, "acme", "gitlab");
    taken(&server, hook, &[("x-gitlab-token", &first)], &gitlab_deployment(1)).await;
    let second = secret(&server, "acme", "gitlab");
    taken(&server, hook, &[("x-gitlab-token", &second)], &gitlab_deployment(2)).await;
    let (status, _) = deliver(&server, hook, &[("x-gitlab-token", &first)], &gitlab_deployment(3)).await;
    assert_eq!(status, StatusCode::OK, "both hold");

    let list = run(&server, &["hook", "list"]);
    let oldest = list.lines().next().unwrap().split('\t').next().unwrap();
    run(&server, &["hook", "revoke", oldest]);
    eventually("the first is known to be taken back", async || {
        let (status, _) = deliver(&server, hook, &[("x-gitlab-token", &first)], &gitlab_deployment(3)).await;
        (status == StatusCode::UNAUTHORIZED).then_some(())
    })
    .await;
    let (status, answer) =
        deliver(&server, hook, &[("x-gitlab-token", &second)], &gitlab_deployment(4)).await;
    assert_eq!((status, &answer["taken"]), (StatusCode::OK, &json!(1)), "{answer}");
    let (_, answer) = deliver(&server, hook, &[("x-gitlab-token", &second)], &gitlab_deployment(1)).await;
    assert_eq!(answer["repeated"], true, "whichever secret it was signed with the first time");
    assert_eq!(rows(&mut server, "staging").await.len(), 4);
}

#[tokio::test]
async fn a_secret_is_of_one_tenant_and_one_source() {
    let server = closed(&[]).await;
    let body = service("1", "deployed", "2026-01-02T03:04:05Z");
    let mut secrets = BTreeMap::new();
    for hook in ["acme/hooks/argocd", "acme/hooks/cdevents", "other/hooks/cdevents"] {
        let (tenant, source) = hook.split_once("/hooks/").unwrap();
        secrets.insert(hook, secret(&server, tenant, source));
    }
    let bearer = |secret: &str| format!("Bearer {secret}");
    // The one that was made last is known: so are the others.
    let last = bearer(&secrets["other/hooks/cdevents"]);
    taken(&server, "other/hooks/cdevents", &[("authorization", &last)], "[]").await;
    for hook in secrets.keys() {
        for (of, secret) in &secrets {
            let body = if hook.ends_with("argocd") { r#"{"app": {}}"# } else { body.as_str() };
            for header in [
                ("authorization", bearer(secret)),
                ("x-hub-signature-256", signature(secret, body)),
                ("x-gitlab-token", secret.clone()),
            ] {
                let own = hook == of && header.0 != "x-gitlab-token";
                let expected = if own { StatusCode::OK } else { StatusCode::UNAUTHORIZED };
                let (status, answer) = deliver(&server, hook, &[(header.0, &header.1)], body).await;
                assert_eq!(status, expected, "{of} at {hook} in {}: {answer}", header.0);
            }
        }
    }
    for nobody in ["acme/hooks/gitlab", "missing/hooks/cdevents", "acme/hooks/jenkins"] {
        let (status, _) = deliver(&server, nobody, &[("authorization", &last)], &body).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED, "{nobody}");
    }
}

#[tokio::test]
async fn gitlab_s_signature_holds_for_some_minutes_and_its_key_tells_a_retry() {
    let mut server = closed(&[]).await;
    let secret = secret(&server, "acme", "gitlab");
    let hook = "acme/hooks/gitlab";
    let signed = |id: &str, at: i64, body: &str| {
        let mut mac = hmac::Hmac::<sha2::Sha256>::new_from_slice(secret.as_bytes()).unwrap();
        mac.update(format!("{id}.{at}.{body}").as_bytes());
        let mac = base64::engine::general_purpose::STANDARD.encode(mac.finalize().into_bytes());
        [
            ("webhook-id", id.to_owned()),
            ("webhook-timestamp", at.to_string()),
            ("webhook-signature", format!("v1,{mac}")),
        ]
    };
    let now = shipboard::clock::now().as_millis() / 1_000;
    let send = async |headers: [(&'static str, String); 3], body: &str| {
        let headers = headers.each_ref().map(|(name, value)| (*name, value.as_str()));
        deliver(&server, hook, &headers, body).await
    };
    let body = gitlab_deployment(1);
    eventually("the secret is known", async || {
        (send(signed("a", now, &body), &body).await.0 == StatusCode::OK).then_some(())
    })
    .await;
    let (_, again) = send(signed("a", now, &gitlab_deployment(2)), &gitlab_deployment(2)).await;
    assert_eq!(again["repeated"], true, "a retry has the same id");
    let (status, _) = send(signed("b", now - 600, &body), &body).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED, "it is old");
    let [_, at, signature] = signed("b", now, &body);
    let (status, _) = send([("webhook-id", "c".to_owned()), at, signature], &body).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED, "the id is signed too");
    let keyed = [("x-gitlab-token", secret.as_str()), ("idempotency-key", "a")];
    let (_, again) = deliver(&server, hook, &keyed, &gitlab_deployment(3)).await;
    assert_eq!(again["repeated"], true, "the key is the signed one's id");
    assert_eq!(rows(&mut server, "staging").await.len(), 1);
}

#[tokio::test]
async fn a_form_is_signed_as_it_was_sent() {
    let mut server = closed(&[]).await;
    let secret = secret(&server, "acme", "github");
    let form: String =
        form_urlencoded::Serializer::new(String::new()).append_pair("payload", &delivery()).finish();
    let of_form = signature(&secret, &form);
    let headers = |signature: &str| {
        let [event, id, signed] = github("one", signature).map(|(name, value)| (name, value.to_owned()));
        [event, id, signed, ("content-type", "application/x-www-form-urlencoded".to_owned())]
    };
    let borrowed = headers(&of_form);
    let borrowed = borrowed.each_ref().map(|(name, value)| (*name, value.as_str()));
    let answer = taken(&server, "acme/hooks/github", &borrowed, &form).await;
    assert_eq!(answer["taken"], 2, "{answer}");
    let of_json = headers(&signature(&secret, &delivery()));
    let of_json = of_json.each_ref().map(|(name, value)| (*name, value.as_str()));
    let (status, _) = deliver(&server, "acme/hooks/github", &of_json, &form).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED, "what was signed is the form, not the JSON in it");
    assert_eq!(rows(&mut server, "production-eu").await[0]["status"], "success");
}

#[tokio::test]
async fn what_is_taken_away_is_whatever_was_current_then() {
    let server = Server::start();
    let hook = "acme/hooks/cdevents";
    let send = async |id: &str, predicate: &str, at: &str| {
        deliver(&server, hook, &[], &service(id, predicate, at)).await.1
    };
    let workflow = "/api/v1/tenants/acme/envs/staging/workflows/web";
    let current = async || server.get(workflow).await["workflow"]["current"]["version"].clone();
    assert_eq!(send("0", "removed", "2026-01-02T00:00:00Z").await["refused"], 1, "there is nothing there");
    send("1", "deployed", "2026-01-02T01:00:00Z").await;
    assert_eq!(current().await, "1");
    assert_eq!(send("2", "removed", "2026-01-02T02:00:00Z").await["taken"], 1);
    assert_eq!(current().await, Value::Null);
    send("3", "upgraded", "2026-01-02T03:00:00Z").await;
    assert_eq!(current().await, "3");
    assert_eq!(send("2", "removed", "2026-01-02T02:00:00Z").await["refused"], 1, "that was not of this one");
    assert_eq!(current().await, "3");
    send("4", "rolledback", "2026-01-02T04:00:00Z").await;
    let list = server.get("/api/v1/tenants/acme/envs/staging/deployments").await;
    let row = |n: usize| (list["items"][n]["kind"].clone(), list["items"][n]["standing"].clone());
    assert_eq!(row(0), (json!("rollback"), json!("current")));
    assert_eq!(row(1).1, "rolled_back");
    server.check();
}

#[tokio::test]
async fn a_pipeline_s_run_is_counted_where_the_hook_s_address_says() {
    let server = Server::start();
    let event = |kind: &str, id: &str, content: Value| {
        let context = json!({
            "id": format!("{kind}/{id}"), "source": "/ci", "type": format!("dev.cdevents.{kind}.0.2.0"),
            "timestamp": "2026-01-02T03:04:05Z",
        });
        json!({"context": context, "subject": {"id": id, "content": content}})
    };
    let events = json!([
        event("pipelinerun.started", "7", json!({"pipelineName": "Ship"})),
        event("taskrun.started", "t", json!({"taskName": "migrate", "pipelineRun": {"id": "7"}})),
        event("pipelinerun.finished", "7", json!({"outcome": "failure", "errors": "low tide"})),
    ])
    .to_string();
    let (_, nobody_s) = deliver(&server, "acme/hooks/cdevents", &[], &events).await;
    assert_eq!(nobody_s["taken"], 0, "{nobody_s}");
    let (_, told) = deliver(&server, "acme/hooks/cdevents?env=Staging", &[], &events).await;
    assert_eq!(told["taken"], 3, "{told}");
    let list = server.get("/api/v1/tenants/acme/envs/staging/deployments").await;
    let row = &list["items"][0];
    assert_eq!((&row["workflow_id"], &row["status"]), (&json!("ship"), &json!("failed")));
    let id = row["id"].as_str().unwrap();
    let details = server.get(&format!("/api/v1/tenants/acme/envs/staging/deployments/{id}")).await;
    let steps = details["timeline"].as_array().unwrap().iter().filter(|entry| entry["kind"] == "step");
    assert_eq!(steps.map(|entry| entry["step"]["name"].clone()).collect::<Vec<_>>(), ["migrate"]);
    server.check();
}

#[tokio::test]
async fn a_signed_delivery_that_told_nothing_at_one_address_is_taken_at_another() {
    let mut server = closed(&[]).await;
    let bearer = format!("Bearer {}", secret(&server, "acme", "cdevents"));
    let run = json!({
        "context": {"id": "e-1", "source": "/ci", "type": "dev.cdevents.pipelinerun.finished.0.2.0",
            "timestamp": "2026-01-02T03:04:05Z"},
        "subject": {"id": "7", "content": {"pipelineName": "Ship", "outcome": "success"}},
    })
    .to_string();
    let shown = [("authorization", &*bearer)];
    let told = taken(&server, "acme/hooks/cdevents", &shown, &run).await;
    assert_eq!((&told["taken"], &told["repeated"]), (&json!(0), &json!(false)));
    let (_, told) = deliver(&server, "acme/hooks/cdevents?env=staging", &shown, &run).await;
    assert_eq!((&told["taken"], &told["repeated"]), (&json!(1), &json!(false)), "{told}");
    let (_, again) = deliver(&server, "acme/hooks/cdevents?env=production", &shown, &run).await;
    assert_eq!((&again["taken"], &again["repeated"]), (&json!(0), &json!(true)), "{again}");
    assert_eq!(rows(&mut server, "staging").await.len(), 1);
}
