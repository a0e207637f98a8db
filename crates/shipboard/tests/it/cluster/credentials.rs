//! Credentials hold, and cease to hold, on every instance.

use std::time::Duration;

use futures_util::future::join_all;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::{Cluster, Over};
use crate::doors::{run, token};
use crate::harness::{Server, Stream, board, eventually};

/// The longest that a stream may outlive its credential, with heartbeats every 15 s.
const WITHIN: Duration = Duration::from_secs(20);

/// A request of somebody with nothing but this header.
fn request(server: &Server, path: &str, header: (&str, &str)) -> reqwest::RequestBuilder {
    reqwest::Client::new().get(format!("{}{path}", server.url)).header(header.0, header.1)
}

/// Why a stream ends, no later than it may.
async fn end_of(mut stream: Stream, at_latest: Instant) -> Value {
    let end = tokio::time::timeout_at(at_latest, stream.next_of("stream.end")).await;
    end.expect("the stream ends in time").payload()["reason"].clone()
}

async fn credentials_cease_to_hold_on_every_instance(over: Over) {
    let cluster = Cluster::start(over, &["--auth", "required"]);
    let [first, second, _] = &cluster.instances[..] else { panic!("three instances") };
    run(first, &["tenant", "create", "acme"]);
    let admin = token(first, "acme", "admin", &[]);
    let revoked = token(first, "acme", "viewer", &["--name", "to be revoked"]);
    let expiring = token(first, "acme", "viewer", &["--expires", "8s"]);
    let expired = Instant::now() + Duration::from_secs(8);
    // A browser signs in here, and is known there at once.
    let sign_in = first.raw(Method::POST, "/api/v1/session").json(&json!({"token": admin}));
    let cookie = sign_in.send().await.unwrap().headers()["set-cookie"].to_str().unwrap().to_owned();
    let cookie = cookie.split(';').next().unwrap();
    let counts = request(second, &board("/counts"), ("cookie", cookie)).send().await.unwrap();
    assert_eq!(counts.status(), StatusCode::OK);

    let bearer = |secret: &str| format!("Bearer {secret}");
    let shown = [
        ("authorization", bearer(&revoked)),
        ("authorization", bearer(&expiring)),
        ("cookie", cookie.to_owned()),
    ];
    let mut streams = Vec::new();
    for (header, value) in &shown {
        for server in &cluster.instances {
            let mut stream = Stream::open(request(server, &board("/stream"), (header, value))).await;
            stream.next_of("snapshot").await;
            streams.push(stream);
        }
    }
    let list = run(first, &["token", "list"]);
    let id = list.lines().find(|line| line.ends_with("to be revoked")).unwrap().split('\t').next().unwrap();
    let tokens = format!("/api/v1/tenants/acme/tokens/{id}");
    let revoking = reqwest::Client::new().delete(format!("{}{tokens}", first.url)).bearer_auth(&admin);
    assert_eq!(revoking.send().await.unwrap().status(), StatusCode::NO_CONTENT);
    let leaving = reqwest::Client::new().delete(format!("{}/api/v1/session", second.url));
    let leaving = leaving.header("cookie", cookie).header("origin", &second.url);
    assert_eq!(leaving.send().await.unwrap().status(), StatusCode::NO_CONTENT);

    let revoked = Instant::now();
    let ends = [revoked, expired, revoked].into_iter().flat_map(|lapsed| [lapsed + WITHIN; 3]);
    let reasons =
        join_all(streams.into_iter().zip(ends).map(|(stream, at_latest)| end_of(stream, at_latest)));
    assert_eq!(reasons.await, ["revoked", "expired", "revoked"].map(|reason| [reason; 3]).concat());
    for server in &cluster.instances {
        eventually("nobody is let in any more", async || {
            let asked = shown
                .iter()
                .map(|(header, value)| request(server, "/api/v1/tenants", (header, value)).send());
            let answers = join_all(asked).await.into_iter().map(|answer| answer.unwrap().status());
            answers.into_iter().all(|status| status == StatusCode::UNAUTHORIZED).then_some(())
        })
        .await;
    }
}

#[tokio::test]
async fn credentials_cease_to_hold_on_every_instance_over_postgres() {
    credentials_cease_to_hold_on_every_instance(Over::Postgres).await;
}

#[tokio::test]
async fn credentials_cease_to_hold_on_every_instance_over_nats() {
    credentials_cease_to_hold_on_every_instance(Over::Nats).await;
}
