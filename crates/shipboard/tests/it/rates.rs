//! Limits of what one caller may do: who is over one is told when to come back, and the others go on.

use reqwest::{Method, Response, StatusCode};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::doors::{closed, run, signature, token};
use crate::harness::{Server, board, eventually};
use crate::servers::Service;

fn retry_after(refused: &Response) -> u64 {
    refused.headers()["retry-after"].to_str().unwrap().parse().unwrap()
}

async fn ask(server: &Server, method: Method, path: &str, secret: &str) -> Response {
    let request = server.raw(method.clone(), path).bearer_auth(secret);
    let request = if method == Method::POST { request.json(&json!({"workflow": "web"})) } else { request };
    request.send().await.unwrap()
}

/// A token that the server knows.
async fn known(server: &Server, role: &str) -> String {
    let secret = token(server, "acme", role, &[]);
    eventually("the token is known", async || {
        (ask(server, Method::GET, "/api/v1/session", &secret).await.text().await.unwrap().contains("acme"))
            .then_some(())
    })
    .await;
    secret
}

#[tokio::test]
async fn reports_over_the_rate_are_told_when_to_come_back_while_others_go_on() {
    let server = closed(&["--report-rate", "1"]).await;
    let (eager, calm) = (known(&server, "reporter").await, known(&server, "reporter").await);
    let path = board("/deployments");
    let mut refused = None;
    for n in 0..20 {
        let answer = ask(&server, Method::POST, &path, &eager).await;
        match answer.status() {
            StatusCode::CREATED => {}
            StatusCode::TOO_MANY_REQUESTS => {
                assert!(n >= 10, "ten seconds' worth may come at once: {n}");
                refused = Some(answer);
                break;
            }
            other => panic!("{other}"),
        }
    }
    let refused = refused.expect("the rate holds");
    assert_eq!(retry_after(&refused), 1);
    assert!(refused.text().await.unwrap().contains("report_rate"));
    assert_eq!(ask(&server, Method::POST, &path, &calm).await.status(), StatusCode::CREATED);
    assert_eq!(ask(&server, Method::GET, &path, &eager).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn a_batch_is_taken_whole_and_paid_for_before_the_next_report() {
    let server = closed(&["--report-rate", "10"]).await;
    let secret = known(&server, "reporter").await;
    let batch = json!({"reports": vec![json!({"workflow": "web"}); 1_000]});
    let request = server.raw(Method::POST, &board("/deployments:batch")).bearer_auth(&secret).json(&batch);
    assert_eq!(request.send().await.unwrap().status(), StatusCode::OK);
    let refused = ask(&server, Method::POST, &board("/deployments"), &secret).await;
    assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
    let seconds = retry_after(&refused);
    assert!((60..=91).contains(&seconds), "{seconds}");
}

#[tokio::test]
async fn bytes_over_the_rate_are_refused_before_they_are_read() {
    let server = closed(&["--byte-rate", "10"]).await;
    let secret = known(&server, "reporter").await;
    let post = || server.raw(Method::POST, &board("/deployments")).bearer_auth(&secret);
    let long = json!({"workflow": "web", "message": "x".repeat(1_000)});
    assert_eq!(post().json(&long).send().await.unwrap().status(), StatusCode::CREATED);
    let refused = post().body("no JSON, and nobody looks").send().await.unwrap();
    assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
    assert!((60..=95).contains(&retry_after(&refused)));
}

#[tokio::test]
async fn bytes_of_a_body_that_comes_to_nothing_are_paid_for() {
    let server = closed(&["--byte-rate", "10", "--body-timeout", "300ms"]).await;
    let large = "x".repeat(2 << 20);
    let cases = [
        ("413", format!("Content-Length: {}\r\n\r\n{large}", large.len())),
        ("413", format!("Transfer-Encoding: chunked\r\n\r\n200000\r\n{large}\r\n0\r\n\r\n")),
        ("408", format!("Content-Length: 2000\r\n\r\n{}", &large[..1_000])),
        ("400", format!("Transfer-Encoding: chunked\r\n\r\n3e8\r\n{}\r\nno length\r\n", &large[..1_000])),
    ];
    for (status, body) in cases {
        let secret = known(&server, "reporter").await;
        let mut stream = TcpStream::connect(server.address()).await.unwrap();
        let path = board("/deployments");
        let head = format!("POST {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {secret}\r\n");
        // It may be told before it has sent all of it.
        let _ = stream.write_all(format!("{head}{body}").as_bytes()).await;
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).await.unwrap();
        assert!(answer.ends_with(status.as_bytes()), "{status}: {}", String::from_utf8_lossy(&answer));
        eventually(&format!("what came is paid for: {status}"), async || {
            let next = ask(&server, Method::POST, &path, &secret).await;
            (next.status() == StatusCode::TOO_MANY_REQUESTS && retry_after(&next) > 60).then_some(())
        })
        .await;
    }
}

#[tokio::test]
async fn a_delivery_that_cannot_be_read_is_paid_for_by_its_source() {
    let server = closed(&["--byte-rate", "10"]).await;
    let made = run(&server, &["hook", "create", "--tenant", "acme", "--source", "github"]);
    let secret = made.split_whitespace().last().unwrap().to_owned();
    let body = "x".repeat(1_000);
    let path = "/api/v1/tenants/acme/hooks/github";
    let deliver = async || {
        let request = server.raw(Method::POST, path).header("x-github-event", "deployment_status");
        let request = request.header("x-hub-signature-256", signature(&secret, &body));
        request.header("content-type", "application/json").body(body.clone()).send().await.unwrap()
    };
    eventually("the secret is known", async || {
        (deliver().await.status() == StatusCode::BAD_REQUEST).then_some(())
    })
    .await;
    let refused = deliver().await;
    assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
    assert!(retry_after(&refused) > 60 && refused.text().await.unwrap().contains("byte_rate"));
}

#[tokio::test]
async fn the_metrics_are_read_at_the_rate_of_other_reads() {
    let server = closed(&["--read-rate", "1"]).await;
    let secret = known(&server, "admin").await;
    let mut answers = Vec::new();
    for _ in 0..12 {
        answers.push(ask(&server, Method::GET, "/metrics", &secret).await.status());
    }
    assert_eq!(answers[..5], [StatusCode::OK; 5]);
    assert_eq!(answers.last(), Some(&StatusCode::TOO_MANY_REQUESTS));
}

#[tokio::test]
async fn a_token_has_so_many_streams_and_gets_one_back_when_one_ends() {
    let server = closed(&["--max-streams-per-token", "2"]).await;
    let (wall, other) = (known(&server, "viewer").await, known(&server, "viewer").await);
    let path = board("/stream");
    let one = ask(&server, Method::GET, &path, &wall).await;
    let _two = ask(&server, Method::GET, &path, &wall).await;
    assert_eq!(one.status(), StatusCode::OK);
    let refused = ask(&server, Method::GET, &path, &wall).await;
    assert_eq!((refused.status(), retry_after(&refused)), (StatusCode::TOO_MANY_REQUESTS, 5));
    assert_eq!(ask(&server, Method::GET, &path, &other).await.status(), StatusCode::OK);
    drop(one);
    eventually("the place is given back", async || {
        (ask(&server, Method::GET, &path, &wall).await.status() == StatusCode::OK).then_some(())
    })
    .await;
}

#[tokio::test]
async fn streams_are_opened_at_a_rate_and_reads_are_another_matter() {
    let server = closed(&["--connect-rate", "1"]).await;
    let secret = known(&server, "viewer").await;
    let mut answers = Vec::new();
    for _ in 0..12 {
        answers.push(ask(&server, Method::GET, &board("/stream"), &secret).await.status());
    }
    assert_eq!(answers[..10], [StatusCode::OK; 10]);
    assert!(answers.contains(&StatusCode::TOO_MANY_REQUESTS));
    assert_eq!(ask(&server, Method::GET, &board("/counts"), &secret).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn strangers_from_one_address_are_slowed_down_and_whoever_is_known_there_is_not() {
    let server = closed(&["--failure-rate", "1"]).await;
    let secret = known(&server, "viewer").await;
    let hook = "/api/v1/tenants/acme/hooks/github";
    let mut answers = Vec::new();
    for n in 0..12 {
        let path = if n % 2 == 0 { board("/counts") } else { hook.to_owned() };
        let method = if n % 2 == 0 { Method::GET } else { Method::POST };
        answers.push(ask(&server, method, &path, "nobody's").await.status());
    }
    assert!(answers.contains(&StatusCode::UNAUTHORIZED));
    let refused = ask(&server, Method::GET, &board("/counts"), "nobody's").await;
    assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(retry_after(&refused), 1);
    assert_eq!(ask(&server, Method::GET, &board("/counts"), &secret).await.status(), StatusCode::OK);
    let nobody = server.raw(Method::GET, &board("/counts")).send().await.unwrap();
    assert_eq!(nobody.status(), StatusCode::UNAUTHORIZED, "who shows nothing asks nothing of the database");
}

#[tokio::test]
async fn who_is_over_a_limit_is_refused_without_a_query() {
    let mut database = Service::postgres();
    let instance =
        |limits: &[&str]| Server::instance(&database.url(), &[&["--auth", "required"][..], limits].concat());
    let rates = ["--report-rate", "1", "--read-rate", "1", "--connect-rate", "1", "--failure-rate", "1"];
    let others = ["--max-streams-per-token", "1", "--byte-rate", "200"];
    let server = instance(&[&rates[..], &others].concat());
    let (few, few_of_tenant) =
        (instance(&["--max-streams", "1"]), instance(&["--max-streams-per-tenant", "1"]));
    run(&server, &["tenant", "create", "acme"]);
    let (secret, opens, sends) =
        (known(&server, "reporter").await, known(&server, "viewer").await, known(&server, "reporter").await);
    let stream = board("/stream");
    let mut open = vec![ask(&server, Method::GET, &stream, &secret).await];
    for server in [&few, &few_of_tenant] {
        // It may know the token a moment later than the first instance.
        let opened = eventually("a stream is open", async || {
            let answer = ask(server, Method::GET, &stream, &secret).await;
            (answer.status() == StatusCode::OK).then_some(answer)
        });
        open.push(opened.await);
    }
    let long = json!({"workflow": "web", "message": "x".repeat(40_000)});
    let sent = server.raw(Method::POST, &board("/deployments")).bearer_auth(&sends).json(&long).send().await;
    assert_eq!(sent.unwrap().status(), StatusCode::CREATED);
    let hook = "/api/v1/tenants/acme/hooks/github".to_owned();
    let used_up = [
        ("connect_rate", &server, Method::GET, stream.clone(), opens.as_str()),
        ("failure_rate", &server, Method::POST, hook, "nobody's"),
        ("report_rate", &server, Method::POST, board("/deployments"), &secret),
        ("read_rate", &server, Method::GET, board("/counts"), &secret),
    ];
    for (limit, server, method, path, secret) in &used_up {
        let mut refused = String::new();
        for _ in 0..100 {
            if refused.contains(limit) {
                break;
            }
            let answer = ask(server, method.clone(), path, secret).await;
            refused = if answer.status() == StatusCode::TOO_MANY_REQUESTS {
                answer.text().await.unwrap()
            } else {
                String::new()
            };
        }
        assert!(refused.contains(limit), "{limit}: {refused}");
    }
    let reached = [
        ("byte_rate", &server, Method::POST, board("/deployments"), sends.as_str()),
        ("max_streams_per_token", &server, Method::GET, stream.clone(), &secret),
        ("max_streams", &few, Method::GET, stream.clone(), &secret),
        ("max_streams_per_tenant", &few_of_tenant, Method::GET, stream.clone(), &secret),
    ];
    // Whoever had to wait for it would wait for good.
    database.freeze();
    for (limit, server, method, path, secret) in used_up.into_iter().chain(reached) {
        let refused = ask(server, method, &path, secret).await;
        assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS, "{limit}");
        let told = refused.text().await.unwrap();
        assert!(told.contains(&format!("\"{limit}:")), "{limit}: {told}");
    }
    database.thaw();
}

/// Whether a server that lets an address fail once a second counts by what `X-Forwarded-For` tells.
pub async fn counts_by_what_is_forwarded(ask: impl AsyncFn(&str) -> StatusCode) -> bool {
    let first = eventually("the first address is refused", async || {
        (ask("192.0.2.66, 198.51.100.1").await == StatusCode::TOO_MANY_REQUESTS).then_some(())
    });
    first.await;
    let mut others = Vec::new();
    for _ in 0..5 {
        others.push(ask("192.0.2.66, 198.51.100.2").await);
    }
    others == [StatusCode::UNAUTHORIZED; 5]
}

#[tokio::test]
async fn a_trusted_proxy_tells_who_asks_at_the_front_door_and_behind_it() {
    let flags = ["--auth", "required", "--failure-rate", "1"];
    for (trusted, is_believed) in [(&["--trusted-proxies", "127.0.0.1"][..], true), (&[], false)] {
        // A stream is answered at the front door, all else behind it; each on a server that has counted nothing.
        for path in [board("/stream"), board("/counts")] {
            let server = Server::with(&[&flags[..], trusted].concat());
            let ask = async |forwarded: &str| {
                let request = server.raw(Method::GET, &path).bearer_auth("nobody's");
                request.header("x-forwarded-for", forwarded).send().await.unwrap().status()
            };
            assert_eq!(counts_by_what_is_forwarded(ask).await, is_believed, "{path} {trusted:?}");
        }
    }
}

#[tokio::test]
async fn signing_in_has_a_rate_of_its_own_that_is_asked_before_any_query() {
    let mut database = Service::postgres();
    let limits = ["--sign-in-rate", "1", "--read-rate", "1"];
    let server = Server::instance(&database.url(), &[&["--auth", "required"][..], &limits].concat());
    run(&server, &["tenant", "create", "acme"]);
    let (eager, calm) = (token(&server, "acme", "viewer", &[]), token(&server, "acme", "viewer", &[]));
    let sign_in = async |secret: &str| {
        let request = server.raw(Method::POST, "/api/v1/session").json(&json!({"token": secret}));
        request.send().await.unwrap()
    };
    let mut taken = 0;
    while sign_in(&eager).await.status() == StatusCode::OK {
        taken += 1;
        assert!(taken < 100, "the rate holds");
    }
    assert!(taken >= 10, "ten seconds' worth may come at once: {taken}");
    assert_eq!(sign_in(&calm).await.status(), StatusCode::OK, "another token is not concerned");
    let session = async |method: Method| ask(&server, method, "/api/v1/session", &eager).await;
    while session(Method::GET).await.status() == StatusCode::OK {
        taken += 1;
        assert!(taken < 200, "looking at one's session is a read");
    }
    // Whoever had to wait for it would wait for good.
    database.freeze();
    let refused = sign_in(&eager).await;
    assert_eq!((refused.status(), retry_after(&refused)), (StatusCode::TOO_MANY_REQUESTS, 1));
    assert!(refused.text().await.unwrap().contains("sign_in_rate"));
    for method in [Method::GET, Method::DELETE] {
        let refused = session(method).await;
        assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
        assert!(refused.text().await.unwrap().contains("read_rate"));
    }
    database.thaw();
}

#[tokio::test]
async fn a_tenant_s_own_limit_of_streams_holds_without_a_restart() {
    let server = closed(&[]).await;
    let secret = known(&server, "viewer").await;
    let told = run(&server, &["tenant", "limit", "acme", "--max-streams", "0"]);
    assert_eq!(told.trim(), "acme\tkeep-deployments default\tmax-streams 0");
    let stream = async || ask(&server, Method::GET, &board("/stream"), &secret).await.status();
    eventually("the limit holds", async || (stream().await == StatusCode::TOO_MANY_REQUESTS).then_some(()))
        .await;
    run(&server, &["tenant", "limit", "acme", "--max-streams", "default"]);
    eventually("the limit is gone", async || (stream().await == StatusCode::OK).then_some(())).await;
}

#[tokio::test]
async fn what_is_kept_no_longer_goes_and_what_runs_now_stays() {
    let server = Server::start();
    let old = |external_id: &str, at: &str| {
        json!({"external_id": external_id, "source": "ci", "workflow": "web", "status": "success",
            "version": external_id, "created_at": at, "occurred_at": at})
    };
    for (id, at) in [("one", "2020-01-01T00:00:00Z"), ("two", "2020-01-02T00:00:00Z")] {
        server.report(old(id, at)).await;
    }
    let running = json!({"external_id": "three", "source": "ci", "workflow": "web", "status": "running",
        "created_at": "2020-01-03T00:00:00Z", "occurred_at": "2020-01-03T00:00:00Z"});
    server.report(running).await;
    let mut stream = server.stream(&board("/stream")).await;
    stream.next_of("snapshot").await;
    run(&server, &["tenant", "limit", "acme", "--keep-deployments", "1d"]);
    stream.next_of("deployment.delete").await;
    let list = server.get(&board("/deployments")).await;
    let versions: Vec<_> =
        list["items"].as_array().unwrap().iter().map(|row| row["external_id"].clone()).collect();
    assert_eq!(versions, [json!("three"), json!("two")], "the latest, and what is current");
    let audit = server.get("/api/v1/tenants/acme/audit").await;
    let actions: Vec<_> =
        audit["items"].as_array().unwrap().iter().map(|line| line["action"].clone()).collect();
    assert!(actions.contains(&json!("deployment.expire")), "{audit}");
}

#[tokio::test]
async fn what_was_refused_is_counted_in_the_audit_log_a_line_for_many() {
    let server = closed(&[]).await;
    let (viewer, admin) = (known(&server, "viewer").await, known(&server, "admin").await);
    let path = board("/deployments");
    for _ in 0..3 {
        assert_eq!(ask(&server, Method::POST, &path, &viewer).await.status(), StatusCode::FORBIDDEN);
    }
    let line = eventually("the refusals are written down", async || {
        let answer = ask(&server, Method::GET, "/api/v1/tenants/acme/audit", &admin).await;
        let audit: serde_json::Value = answer.json().await.unwrap();
        audit["items"].as_array().unwrap().iter().find(|line| line["action"] == "refuse").cloned()
    })
    .await;
    assert_eq!(line["subject"], "role reporter: POST /envs/{env}/deployments");
    assert_eq!(line["address"], "127.0.0.1");
    assert!(line["detail"]["times"].as_u64().is_some_and(|times| (1..=3).contains(&times)), "{line}");
}
