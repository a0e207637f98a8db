//! Credentials as admins and people use them: tokens and secrets made and taken back by REST, sessions that
//! begin, move and end, and the audit log of all that.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::doors::{closed, delivery, known, run, signature, token};
use crate::harness::{Server, binary, board, eventually};
use crate::servers::Service;

const TOKENS: &str = "/api/v1/tenants/acme/tokens";

/// A server with a signed-in admin of acme's.
async fn administered(args: &[&str]) -> Server {
    let mut server = closed(args).await;
    let secret = token(&server, "acme", "admin", &["--name", "the admin"]);
    known(&mut server, &secret).await;
    server
}

/// Signs a browser in: its cookie.
async fn sign_in(server: &Server, token: &str) -> String {
    let request = server.raw(Method::POST, "/api/v1/session").json(&json!({"token": token}));
    let response = request.send().await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    cookie_of(&response)
}

/// A request of somebody else's than the server's own client.
fn with_token(server: &Server, path: &str, token: &str) -> reqwest::RequestBuilder {
    reqwest::Client::new().get(format!("{}{path}", server.url)).bearer_auth(token)
}

fn cookie_of(response: &reqwest::Response) -> String {
    response.headers()["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned()
}

/// Who this cookie is, by whichever server.
async fn status_of(server: &Server, cookie: &str) -> StatusCode {
    as_browser(server, Method::GET, &board("/counts"), cookie).await.status()
}

async fn as_browser(server: &Server, method: Method, path: &str, cookie: &str) -> reqwest::Response {
    let request = reqwest::Client::new().request(method, format!("{}{path}", server.url));
    request.header("cookie", cookie).header("origin", &server.url).send().await.unwrap()
}

#[tokio::test]
async fn an_admin_makes_a_token_sees_its_secret_once_and_takes_it_back() {
    let server = administered(&["--heartbeat", "300ms"]).await;
    let body = json!({"name": "wall", "role": "viewer", "envs": ["production"], "expires_in_s": 3600});
    let (status, made) = server.send(Method::POST, TOKENS, &body).await;
    assert_eq!(status, StatusCode::CREATED, "{made}");
    let secret = made["secret"].as_str().unwrap();
    let id = made["token"]["id"].as_str().unwrap();
    assert_eq!(made["token"]["envs"], json!(["production"]));
    assert!(made["token"]["created_by"].as_str().unwrap().ends_with("(the admin)"), "{made}");

    let list = server.text(TOKENS).await;
    assert!(list.contains(id) && !list.contains(secret), "{list}");
    let mut stream = crate::harness::Stream::open(with_token(&server, &board("/stream"), secret)).await;
    stream.next_of("snapshot").await;
    assert_eq!(server.delete(&format!("{TOKENS}/{id}")).await, StatusCode::NO_CONTENT);
    assert_eq!(stream.next_of("stream.end").await.payload()["reason"], "revoked");
    assert_eq!(
        server.delete(&format!("{TOKENS}/{id}")).await,
        StatusCode::NOT_FOUND,
        "it is revoked already"
    );
    let row = &server.get(TOKENS).await["items"].as_array().unwrap().last().unwrap().clone();
    assert!(row["revoked_at"].is_string(), "{row}");
}

#[tokio::test]
async fn tokens_that_cannot_be_are_refused_and_none_is_made() {
    let server = administered(&[]).await;
    let before = server.get(TOKENS).await;
    let long = "x".repeat(101);
    for body in [
        json!({"role": "owner"}),
        json!({"name": "no role"}),
        json!({"role": "viewer", "name": long}),
        json!({"role": "viewer", "name": "two\nlines"}),
        json!({"role": "viewer", "envs": ["No Slug"]}),
        json!({"role": "viewer", "expires_in_s": 0}),
        json!({"role": "viewer", "expires_in_s": 4_000_000_000_u64}),
    ] {
        let (status, answer) = server.send(Method::POST, TOKENS, &body).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{body}: {answer}");
    }
    let after = server.get(TOKENS).await;
    assert_eq!(after["items"].as_array().unwrap().len(), before["items"].as_array().unwrap().len());
}

#[tokio::test]
async fn whoever_was_revoked_elsewhere_a_moment_ago_makes_nothing_that_stays() {
    let server = administered(&[]).await;
    let list = run(&server, &["token", "list"]);
    let id = list.lines().find(|line| line.ends_with("the admin")).unwrap().split('\t').next().unwrap();
    // Not by this server, which hears of it within a second.
    run(&server, &["token", "revoke", id]);
    for (path, body) in
        [(TOKENS, json!({"role": "admin"})), ("/api/v1/tenants/acme/hooks/github/secrets", json!({}))]
    {
        assert_eq!(server.send(Method::POST, path, &body).await.0, StatusCode::UNAUTHORIZED, "{path}");
    }
    assert_eq!(run(&server, &["token", "list"]).lines().count(), 2);
    assert_eq!(run(&server, &["hook", "list"]), "");
}

#[tokio::test]
async fn who_has_a_thousand_tokens_or_five_secrets_that_hold_gets_no_more() {
    let server = administered(&[]).await;
    let pool = sqlx::SqlitePool::connect(&server.database()).await.unwrap();
    // Two there are already; those that hold no longer do not count.
    let many = "insert into tokens (id, tenant, hash, role, created_at, expires_at, revoked_at)
        with recursive n (n) as (select 1 union all select n + 1 from n where n < 1002)
        select 'many' || n, 'acme', 'many' || n, 'viewer', 1,
            case when n > 1000 then 2 end, case when n between 998 and 1000 then 2 end from n";
    sqlx::query(many).execute(&pool).await.unwrap();
    let make = async || server.send(Method::POST, TOKENS, &json!({"role": "viewer"})).await;
    let refused = |answer: (StatusCode, Value), what: &str| {
        assert_eq!(answer.0, StatusCode::UNPROCESSABLE_ENTITY, "{}", answer.1);
        assert!(answer.1["detail"].as_str().unwrap().contains(what), "{}", answer.1);
    };
    let at_command_line = |args: &[&str]| {
        let output = binary().args(args).args(["--database", &server.database()]).output().unwrap();
        assert!(!output.status.success() && output.stdout.is_empty());
        String::from_utf8(output.stderr).unwrap()
    };
    let (status, last) = make().await;
    assert_eq!(status, StatusCode::CREATED, "{last}");
    refused(make().await, "tenant: at most 1000 tokens");
    let said = at_command_line(&["token", "create", "--tenant", "acme", "--role", "viewer"]);
    assert!(said.contains("--tenant: at most 1000 tokens"), "{said}");
    token(&server, "other", "viewer", &[]);
    let id = last["token"]["id"].as_str().unwrap();
    assert_eq!(server.delete(&format!("{TOKENS}/{id}")).await, StatusCode::NO_CONTENT);
    assert_eq!(make().await.0, StatusCode::CREATED);

    let make = async |source: &str| {
        let path = format!("/api/v1/tenants/acme/hooks/{source}/secrets");
        server.send(Method::POST, &path, &json!({})).await
    };
    let mut secrets = Vec::new();
    for _ in 0..5 {
        let (status, made) = make("github").await;
        assert_eq!(status, StatusCode::CREATED, "{made}");
        secrets.push(made);
    }
    refused(make("github").await, "source: at most 5 secrets");
    let said = at_command_line(&["hook", "create", "--tenant", "acme", "--source", "github"]);
    assert!(said.contains("source: at most 5 secrets"), "{said}");
    assert_eq!(make("gitlab").await.0, StatusCode::CREATED);
    for made in &secrets {
        let signed = signature(made["secret"].as_str().unwrap(), &delivery());
        let request = server.raw(Method::POST, "/api/v1/tenants/acme/hooks/github");
        let request = request.header("x-github-event", "deployment_status").body(delivery());
        let answer = request.header("x-hub-signature-256", signed).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK, "each of them holds");
    }
    let id = secrets[0]["hook"]["id"].as_str().unwrap();
    let path = format!("/api/v1/tenants/acme/hooks/github/secrets/{id}");
    assert_eq!(server.delete(&path).await, StatusCode::NO_CONTENT);
    assert_eq!(make("github").await.0, StatusCode::CREATED);
}

#[tokio::test]
async fn only_admins_of_the_whole_tenant_see_and_change_who_comes_in() {
    let mut server = administered(&[]).await;
    let paths = ["/tokens", "/hooks", "/sessions", "/audit", "/audit.jsonl"];
    let foreign = token(&server, "other", "admin", &[]);
    let narrow = token(&server, "acme", "admin", &["--env", "production"]);
    let reporter = token(&server, "acme", "reporter", &[]);
    for (secret, expected) in [
        (foreign, StatusCode::NOT_FOUND),
        (narrow, StatusCode::FORBIDDEN),
        (reporter, StatusCode::FORBIDDEN),
        ("ship_wrong".to_owned(), StatusCode::UNAUTHORIZED),
    ] {
        server.sign_in(&secret);
        for path in paths {
            let path = format!("/api/v1/tenants/acme{path}");
            assert_eq!(server.get_status(&path).await, expected, "{path}");
        }
        let (status, _) = server.send(Method::POST, TOKENS, &json!({"role": "admin"})).await;
        assert_eq!(status, expected);
    }
}

#[tokio::test]
async fn a_token_of_another_tenant_cannot_be_taken_back_by_its_id() {
    let server = administered(&[]).await;
    let foreign = token(&server, "other", "viewer", &[]);
    let list = run(&server, &["token", "list"]);
    let id = list.lines().find(|line| line.contains("\tother\t")).unwrap().split('\t').next().unwrap();
    assert_eq!(server.delete(&format!("{TOKENS}/{id}")).await, StatusCode::NOT_FOUND);
    let still = with_token(&server, "/api/v1/tenants/other/envs", &foreign);
    assert_eq!(still.send().await.unwrap().status(), StatusCode::OK);
}

#[tokio::test]
async fn a_token_tells_when_it_was_last_used() {
    let server = administered(&["--session-idle", "1s"]).await;
    eventually("the use is written down", async || {
        let list = run(&server, &["token", "list"]);
        list.lines().any(|line| line.contains("\tused 20") && line.ends_with("the admin")).then_some(())
    })
    .await;
    let row = server.get(TOKENS).await["items"].as_array().unwrap().last().unwrap().clone();
    assert_eq!(row["name"], "the admin");
    assert!(row["used_at"].is_string(), "{row}");
}

#[tokio::test]
async fn signing_out_ends_the_session_wherever_its_cookie_is_and_everywhere_all_of_them() {
    let server = closed(&["--heartbeat", "300ms"]).await;
    let secret = token(&server, "acme", "viewer", &[]);
    let (first, second, third) =
        (sign_in(&server, &secret).await, sign_in(&server, &secret).await, sign_in(&server, &secret).await);
    assert_ne!(first, second);
    let answer = as_browser(&server, Method::DELETE, "/api/v1/session", &first).await;
    assert_eq!(answer.status(), StatusCode::NO_CONTENT);
    assert!(answer.headers()["set-cookie"].to_str().unwrap().contains("Max-Age=0"));
    assert_eq!(status_of(&server, &first).await, StatusCode::UNAUTHORIZED, "not even if the cookie was kept");
    assert_eq!(status_of(&server, &second).await, StatusCode::OK);

    let list: Value =
        as_browser(&server, Method::GET, "/api/v1/sessions", &second).await.json().await.unwrap();
    let items = list["items"].as_array().unwrap();
    assert_eq!((items.len(), items.iter().filter(|row| row["current"] == true).count()), (2, 1), "{list}");
    let request = server.raw(Method::GET, &board("/stream")).header("cookie", &third);
    let mut stream = crate::harness::Stream::open(request).await;
    stream.next_of("snapshot").await;
    let answer = as_browser(&server, Method::DELETE, "/api/v1/sessions", &second).await;
    assert_eq!(answer.status(), StatusCode::NO_CONTENT);
    assert_eq!(stream.next_of("stream.end").await.payload()["reason"], "revoked");
    assert_eq!(status_of(&server, &third).await, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_session_ends_with_the_token_that_opened_it() {
    let server = administered(&["--heartbeat", "300ms"]).await;
    let (_, made) = server.send(Method::POST, TOKENS, &json!({"role": "viewer"})).await;
    let cookie = sign_in(&server, made["secret"].as_str().unwrap()).await;
    let request = reqwest::Client::new().get(format!("{}{}", server.url, board("/stream")));
    let mut stream = crate::harness::Stream::open(request.header("cookie", &cookie)).await;
    stream.next_of("snapshot").await;
    server.delete(&format!("{TOKENS}/{}", made["token"]["id"].as_str().unwrap())).await;
    assert_eq!(stream.next_of("stream.end").await.payload()["reason"], "revoked");
    assert_eq!(status_of(&server, &cookie).await, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_session_that_nobody_uses_is_over_and_one_with_an_open_page_is_not() {
    let server = closed(&["--heartbeat", "200ms", "--session-idle", "1s"]).await;
    let secret = token(&server, "acme", "viewer", &[]);
    let (left, watched) = (sign_in(&server, &secret).await, sign_in(&server, &secret).await);
    let request = reqwest::Client::new().get(format!("{}{}", server.url, board("/stream")));
    let mut stream = crate::harness::Stream::open(request.header("cookie", &watched)).await;
    stream.next_of("snapshot").await;
    // Asking about the other one would be a use of it: its list is read by the admin instead.
    let admin = token(&server, "acme", "admin", &[]);
    eventually("the one that nobody uses is over", async || {
        let sessions = with_token(&server, "/api/v1/tenants/acme/sessions", &admin);
        let list: Value = sessions.send().await.unwrap().json().await.unwrap();
        (list["items"].as_array().unwrap().len() == 1).then_some(())
    })
    .await;
    assert_eq!(status_of(&server, &left).await, StatusCode::UNAUTHORIZED);
    assert_eq!(status_of(&server, &watched).await, StatusCode::OK);
}

#[tokio::test]
async fn a_session_is_over_at_its_greatest_age_however_much_it_is_used() {
    let server = closed(&["--heartbeat", "200ms", "--session-max-age", "2s"]).await;
    let secret = token(&server, "acme", "viewer", &[]);
    let cookie = sign_in(&server, &secret).await;
    let request = reqwest::Client::new().get(format!("{}{}", server.url, board("/stream")));
    let mut stream = crate::harness::Stream::open(request.header("cookie", &cookie)).await;
    stream.next_of("snapshot").await;
    assert_eq!(stream.next_of("stream.end").await.payload()["reason"], "expired");
    assert_eq!(status_of(&server, &cookie).await, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_cookie_changes_something_only_from_our_own_pages() {
    let server = administered(&[]).await;
    let (_, made) = server.send(Method::POST, TOKENS, &json!({"role": "admin"})).await;
    let cookie = sign_in(&server, made["secret"].as_str().unwrap()).await;
    let put = async |headers: &[(&str, &str)]| {
        let mut request = reqwest::Client::new().put(format!("{}/api/v1/tenants/acme", server.url));
        request = request.header("cookie", &cookie).json(&json!({"name": "Acme"}));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.send().await.unwrap().status()
    };
    assert_eq!(put(&[("origin", &server.url)]).await, StatusCode::OK);
    assert_eq!(put(&[("sec-fetch-site", "same-origin")]).await, StatusCode::OK);
    assert_eq!(put(&[("origin", "https://evil.example")]).await, StatusCode::FORBIDDEN);
    assert_eq!(put(&[("origin", "null")]).await, StatusCode::FORBIDDEN);
    assert_eq!(put(&[("sec-fetch-site", "cross-site")]).await, StatusCode::FORBIDDEN);
    assert_eq!(put(&[("sec-fetch-site", "same-site")]).await, StatusCode::FORBIDDEN);
    assert_eq!(put(&[]).await, StatusCode::FORBIDDEN, "a browser says where it comes from");
}

/// What makes every session's secret two hours older, and lets instances know.
const GROW_OLD: [&str; 2] = [
    "update credential_changes set sessions = sessions + 1",
    "update sessions set rotated_at = rotated_at - 7200000, change = (select sessions from credential_changes)",
];

#[tokio::test]
async fn a_page_that_is_loaded_while_the_database_is_away_keeps_its_session() {
    let mut database = Service::postgres();
    let instance = || Server::instance(&database.url(), &["--auth", "required"]);
    let first = instance();
    run(&first, &["tenant", "create", "acme"]);
    let cookie = sign_in(&first, &token(&first, "acme", "viewer", &[])).await;
    let pool = sqlx::PgPool::connect(&database.superuser_url()).await.unwrap();
    for statement in GROW_OLD {
        sqlx::query(statement).execute(&pool).await.unwrap();
    }
    // It reads at its start that the secret is due for another one.
    let second = instance();
    database.freeze();
    let answer = as_browser(&second, Method::GET, "/api/v1/session", &cookie).await;
    assert_eq!((answer.status(), answer.headers().get("set-cookie")), (StatusCode::OK, None));
    database.thaw();
    eventually("it gets another one when the database is back", async || {
        let answer = as_browser(&second, Method::GET, "/api/v1/session", &cookie).await;
        answer.headers().contains_key("set-cookie").then_some(())
    })
    .await;
}

/// Makes the sessions of this server's own database old, and asks who one is until its secret is another one.
async fn renewed(server: &Server, cookie: &str) -> String {
    let pool = sqlx::SqlitePool::connect(&server.database()).await.unwrap();
    for statement in GROW_OLD {
        sqlx::query(statement).execute(&pool).await.unwrap();
    }
    eventually("the secret is another one", async || {
        let answer = as_browser(server, Method::GET, "/api/v1/session", cookie).await;
        assert_eq!(answer.status(), StatusCode::OK);
        answer.headers().contains_key("set-cookie").then(|| cookie_of(&answer))
    })
    .await
}

#[tokio::test]
async fn an_old_secret_is_changed_for_another_and_over_when_that_has_come() {
    let server = closed(&[]).await;
    let other = Server::instance(&server.database(), &["--auth", "required"]);
    let old = sign_in(&server, &token(&server, "acme", "viewer", &[])).await;
    let new = renewed(&server, &old).await;
    assert_ne!(new, old);
    let again = as_browser(&server, Method::GET, "/api/v1/session", &old).await;
    assert_eq!(again.headers().get("set-cookie"), None, "once an hour");
    for server in [&server, &other] {
        assert_eq!(status_of(server, &old).await, StatusCode::OK, "the answer may have been lost");
    }
    assert_eq!(status_of(&server, &new).await, StatusCode::OK);
    for server in [&server, &other] {
        eventually("whoever shows the old one is somebody else", async || {
            (status_of(server, &old).await == StatusCode::UNAUTHORIZED).then_some(())
        })
        .await;
        assert_eq!(status_of(server, &new).await, StatusCode::OK);
    }
}

#[tokio::test]
async fn a_new_secret_that_never_came_signs_nobody_out() {
    let server = closed(&[]).await;
    let old = sign_in(&server, &token(&server, "acme", "viewer", &[])).await;
    let lost = renewed(&server, &old).await;
    let new = renewed(&server, &old).await;
    assert_ne!(lost, new);
    assert_eq!(status_of(&server, &lost).await, StatusCode::UNAUTHORIZED);
    assert_eq!(status_of(&server, &old).await, StatusCode::OK);
    assert_eq!(status_of(&server, &new).await, StatusCode::OK);
}

#[tokio::test]
async fn while_nobody_can_tell_who_asks_strangers_are_told_to_come_back() {
    let mut database = Service::postgres();
    let server = Server::instance(&database.url(), &["--auth", "required"]);
    run(&server, &["tenant", "create", "acme"]);
    let made_elsewhere = token(&server, "acme", "viewer", &[]);
    database.freeze();
    let refused = with_token(&server, &board("/counts"), &made_elsewhere).send().await.unwrap();
    assert_eq!(
        (refused.status(), &refused.headers()["retry-after"]),
        (StatusCode::SERVICE_UNAVAILABLE, &"5".parse().unwrap())
    );
    let sign_in = server.raw(Method::POST, "/api/v1/session").json(&json!({"token": made_elsewhere}));
    assert_eq!(sign_in.send().await.unwrap().status(), StatusCode::SERVICE_UNAVAILABLE);
    for path in [board("/stream"), "/api/v1/tenants/acme/stream?s=production,staging".to_owned()] {
        let mut stream = crate::harness::Stream::open(with_token(&server, &path, &made_elsewhere)).await;
        assert_eq!(stream.status, StatusCode::OK, "a browser's EventSource comes back from nothing else");
        assert!(stream.block().await.unwrap().retry.is_some());
        assert_eq!(stream.next().await.payload()["reason"], "unavailable");
        assert_eq!(stream.block().await, None);
    }
    let nobody = reqwest::get(format!("{}{}", server.url, board("/stream"))).await.unwrap();
    assert_eq!(nobody.status(), StatusCode::UNAUTHORIZED, "who shows nothing is nobody");
    database.thaw();
    eventually("it is known when the database is back", async || {
        let answer = with_token(&server, "/api/v1/tenants", &made_elsewhere).send().await.unwrap();
        (answer.status() == StatusCode::OK).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_session_is_no_stranger_to_the_instance_that_began_it() {
    let server = administered(&["--failure-rate", "1", "--sign-in-rate", "0"]).await;
    let (_, made) = server.send(Method::POST, TOKENS, &json!({"role": "viewer"})).await;
    let secret = made["secret"].as_str().unwrap();
    for n in 0..30 {
        let cookie = sign_in(&server, secret).await;
        assert_ne!(status_of(&server, &cookie).await, StatusCode::TOO_MANY_REQUESTS, "session {n}");
    }
}

#[tokio::test]
async fn where_people_come_by_https_a_page_that_came_by_http_changes_nothing() {
    let server = Server::with(&["--auth", "required", "--public-url", "https://ship.example.com"]);
    run(&server, &["tenant", "create", "acme"]);
    let secret = token(&server, "acme", "admin", &[]);
    let put = async |origin: &str, host: &str| {
        let request = reqwest::Client::new().put(format!("{}/api/v1/tenants/acme", server.url));
        let request = request.bearer_auth(&secret).header("origin", origin).header("host", host);
        request.json(&json!({"name": "Acme"})).send().await.unwrap().status()
    };
    for host in ["ship.example.com", server.address()] {
        assert_eq!(put(&format!("https://{host}"), host).await, StatusCode::OK);
        assert_eq!(put(&format!("http://{host}"), host).await, StatusCode::FORBIDDEN);
        assert_eq!(put(host, host).await, StatusCode::FORBIDDEN);
    }
    assert_eq!(put("https://ship.example.com", server.address()).await, StatusCode::OK, "the public one");
}

#[tokio::test]
async fn the_audit_log_says_who_changed_what_and_holds_no_secret() {
    let server = administered(&[]).await;
    let (_, made) = server.send(Method::POST, TOKENS, &json!({"role": "viewer", "name": "wall"})).await;
    let (secret, id) = (made["secret"].as_str().unwrap(), made["token"]["id"].as_str().unwrap());
    let cookie = sign_in(&server, secret).await;
    let (status, hook) =
        server.send(Method::POST, "/api/v1/tenants/acme/hooks/github/secrets", &json!({})).await;
    assert_eq!(status, StatusCode::CREATED);
    assert_eq!(hook["path"], "/api/v1/tenants/acme/hooks/github");
    let row = server.report(json!({"workflow": "web"})).await;
    let deployment = row["id"].as_str().unwrap();
    assert_eq!(server.delete(&board(&format!("/deployments/{deployment}"))).await, StatusCode::NO_CONTENT);
    server.delete(&format!("{TOKENS}/{id}")).await;

    let audit = server.get("/api/v1/tenants/acme/audit?limit=3").await;
    let line = |record: &Value| {
        (record["action"].as_str().unwrap().to_owned(), record["subject"].as_str().unwrap().to_owned())
    };
    let lines: Vec<_> = audit["items"].as_array().unwrap().iter().map(line).collect();
    let hook_id = hook["hook"]["id"].as_str().unwrap();
    assert_eq!(
        lines,
        [("token.revoke", id), ("deployment.delete", deployment), ("hook.create", hook_id)]
            .map(|(action, subject)| (action.to_owned(), subject.to_owned()))
    );
    assert!(audit["items"][0]["actor"].as_str().unwrap().ends_with("(the admin)"), "{audit}");
    let next = audit["next"].as_str().unwrap();
    let more = server.get(&format!("/api/v1/tenants/acme/audit?limit=3&after={next}")).await;
    assert_eq!(more["items"][0]["action"], "session.begin");

    let export = server.text("/api/v1/tenants/acme/audit.jsonl").await;
    let actions: Vec<Value> = export.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(line(&actions[0]), lines[0]);
    let first = actions.last().unwrap();
    assert_eq!((&first["action"], &first["subject"]), (&json!("tenant.put"), &json!("acme")));
    assert!(first["actor"].as_str().unwrap().starts_with("command line ("), "{first}");
    let cookie = cookie.split('=').nth(1).unwrap();
    for canary in [secret, cookie, hook["secret"].as_str().unwrap()] {
        assert!(!export.contains(canary), "{canary} in {export}");
    }
    assert!(!export.contains("\"tenant\":\"other\""), "{export}");
}

#[tokio::test]
async fn a_request_with_two_tokens_is_nobody_s() {
    let server = administered(&[]).await;
    let secret = token(&server, "acme", "viewer", &[]);
    let both = server.raw(Method::GET, "/api/v1/tenants").bearer_auth(secret);
    assert_eq!(both.send().await.unwrap().status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn an_admin_ends_somebody_s_session_and_with_it_their_streams() {
    let server = administered(&["--heartbeat", "300ms"]).await;
    let viewer = token(&server, "acme", "viewer", &["--name", "mia"]);
    let cookie = eventually("the token is known", async || {
        let request = server.raw(Method::POST, "/api/v1/session").json(&json!({"token": viewer}));
        let response = request.send().await.unwrap();
        (response.status() == StatusCode::OK).then(|| cookie_of(&response))
    })
    .await;
    let request = reqwest::Client::new().get(format!("{}{}", server.url, board("/stream")));
    let mut stream = crate::harness::Stream::open(request.header("cookie", &cookie)).await;
    stream.next_of("snapshot").await;
    let list = server.get("/api/v1/tenants/acme/sessions").await;
    let session = list["items"].as_array().unwrap().iter().find(|session| session["name"] == "mia").unwrap();
    let path = format!("/api/v1/tenants/acme/sessions/{}", session["id"].as_str().unwrap());
    assert_eq!(server.delete(&path).await, StatusCode::NO_CONTENT);
    assert_eq!(stream.next_of("stream.end").await.payload()["reason"], "revoked");
    assert_eq!(status_of(&server, &cookie).await, StatusCode::UNAUTHORIZED);
    assert_eq!(server.delete(&path).await, StatusCode::NOT_FOUND, "it has ended already");
}
