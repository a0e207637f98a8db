//! Reports of one thing through several instances at once: one outcome.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::follow::Follower;
use super::{Cluster, Over};
use crate::doors::{run, token};
use crate::harness::{Server, Stream, board, eventually};

/// Progress events up to the one that shows `last`: their times in milliseconds, and what they show.
async fn progress(mut stream: Stream, last: f64) -> Vec<(i64, f64)> {
    let mut events = Vec::new();
    loop {
        let block = stream.next_of("deployment.progress").await;
        let ts: jiff::Timestamp = block.data.as_ref().unwrap()["ts"].as_str().unwrap().parse().unwrap();
        let percent = block.payload()["progress"]["percent"].as_f64().unwrap();
        events.push((ts.as_millisecond(), percent));
        if percent >= last {
            return events;
        }
    }
}

async fn progress_keeps_its_pace(over: Over) {
    const ROUNDS: u64 = 16;
    let cluster = Cluster::start(over, &[]);
    let row = cluster.instances[0].report(json!({"workflow": "web", "status": "running"})).await;
    let id = row["id"].as_str().unwrap();
    let mut reading = Vec::new();
    for server in &cluster.instances {
        let mut stream = server.stream(&board("/stream")).await;
        stream.next_of("snapshot").await;
        reading.push(progress(stream, (3 * ROUNDS - 1) as f64));
    }
    // Each is answered with its event's commit, so each reporter has one under way at any time.
    let reported = cluster.instances.iter().zip(0..).map(|(server, n)| async move {
        for round in 0..ROUNDS {
            server.update(id, json!({"progress": {"percent": 3 * round + n}})).await;
        }
    });
    let began = Instant::now();
    let (read, _) = tokio::join!(join_all(reading), join_all(reported));
    eprintln!("figure: {} reports of progress in {:?}", 3 * ROUNDS, began.elapsed());
    for events in &read {
        assert_eq!(events, &read[0], "the same on every instance");
        assert!(events.len() > 4);
        let fastest = events.windows(5).map(|five| five[4].0 - five[0].0).min();
        assert!(fastest >= Some(1_000), "five within {fastest:?} ms: {events:?}");
        assert!(events.is_sorted_by(|one, next| one.1 <= next.1), "{events:?}");
    }
    let shown = cluster.instances[1].get(&board(&format!("/deployments/{id}"))).await;
    assert_eq!(shown["deployment"]["progress"]["percent"], (3 * ROUNDS - 1) as f64);
    cluster.instances[2].check();
}

#[tokio::test]
async fn progress_through_three_instances_keeps_its_pace_and_the_last_of_it_always_comes_over_nats() {
    progress_keeps_its_pace(Over::Nats).await;
}

#[tokio::test]
async fn progress_through_three_instances_keeps_its_pace_and_the_last_of_it_always_comes_over_postgres() {
    progress_keeps_its_pace(Over::Postgres).await;
}

#[tokio::test]
async fn one_idempotency_key_used_through_two_instances_at_once_is_one_deployment() {
    const KEYS: usize = 20;
    let cluster = Cluster::start(Over::Postgres, &[]);
    let post = async |server: &Arc<Server>, key: String| {
        let request = server.raw(Method::POST, &board("/deployments")).header("idempotency-key", key);
        let response = request.json(&json!({"workflow": "web"})).send().await.unwrap();
        (response.status(), response.json::<Value>().await.unwrap()["deployment"]["id"].clone())
    };
    let [a, b, _] = &cluster.instances[..] else { panic!("three instances") };
    join_all((0..KEYS).map(|n| async move {
        let key = format!("key-{n}");
        let (one, other) = tokio::join!(post(a, key.clone()), post(b, key));
        assert_eq!(one.1, other.1);
        let statuses = BTreeSet::from([one.0, other.0]);
        assert_eq!(statuses, BTreeSet::from([StatusCode::OK, StatusCode::CREATED]), "one of them made it");
    }))
    .await;
    assert_eq!(a.get(&board("/counts")).await["counts"]["deployments"]["total"], KEYS);
    a.check();
}

#[tokio::test]
async fn an_env_that_is_made_through_all_instances_at_once_has_one_epoch() {
    const ENVS: usize = 10;
    let cluster = Cluster::start(Over::Postgres, &[]);
    let instances = &cluster.instances;
    join_all((0..ENVS).map(|n| async move {
        let path = |rest: &str| format!("/api/v1/tenants/acme/envs/env-{n}{rest}");
        // Each instance shows the env that is not there in an epoch of its own.
        let path_of_stream = path("/stream");
        let streams = join_all(instances.iter().map(|server| server.stream(&path_of_stream))).await;
        let readers: Vec<Follower> = streams.into_iter().map(Follower::reading).collect();
        let path_of_reports = path("/deployments");
        let made = instances.iter().enumerate().map(|(m, server)| {
            let path = &path_of_reports;
            async move {
                let report = json!({"workflow": "web", "external_id": format!("{m}")});
                let (status, answer) = server.send(Method::POST, path, &report).await;
                assert_eq!(status, StatusCode::CREATED, "{answer}");
            }
        });
        join_all(made).await;
        for reader in &readers {
            eventually("all three are shown", async || (reader.seen().shown.len() == 3).then_some(())).await;
        }
        let epochs = readers.iter().map(|reader| reader.seen().snapshots.last().unwrap().0.clone());
        assert_eq!(epochs.collect::<BTreeSet<_>>().len(), 1);
    }))
    .await;
    cluster.instances[0].check();
}

#[tokio::test]
async fn a_silent_deployment_is_lost_once_though_three_watchdogs_look() {
    const SILENT: usize = 20;
    let cluster = Cluster::start(Over::Postgres, &["--lost-after", "1s"]);
    let [a, b, c] = &cluster.instances[..] else { panic!("three instances") };
    let mut ids = Vec::new();
    for n in 0..SILENT {
        let row =
            a.report(json!({"workflow": "web", "external_id": format!("{n}"), "status": "running"})).await;
        ids.push(row["id"].as_str().unwrap().to_owned());
    }
    let all_are_lost = async |count: usize| {
        eventually("all are lost", async || {
            let counts = b.get(&board("/counts")).await;
            (counts["counts"]["deployments"]["lost"] == count).then_some(())
        })
        .await;
    };
    all_are_lost(SILENT).await;
    // Until a later one is lost too, each watchdog has looked at least twice more.
    c.report(json!({"workflow": "web", "external_id": "later", "status": "running"})).await;
    all_are_lost(SILENT + 1).await;
    for id in &ids {
        let details = b.get(&board(&format!("/deployments/{id}"))).await;
        let lost = details["timeline"].as_array().unwrap().iter().filter(|entry| entry["status"] == "lost");
        assert_eq!(lost.count(), 1, "{details}");
    }
    a.check();
}

#[tokio::test]
async fn a_revoked_token_ends_its_streams_on_every_instance_within_a_heartbeat() {
    const HEARTBEAT: Duration = Duration::from_millis(500);
    /// Credentials are read anew every second.
    const KNOWN: Duration = Duration::from_secs(1);
    let cluster = Cluster::start(Over::Postgres, &["--heartbeat", "500ms", "--auth", "required"]);
    let first = &cluster.instances[0];
    run(first, &["tenant", "create", "acme"]);
    let secret = token(first, "acme", "viewer", &[]);
    let mut readers = Vec::new();
    for server in &cluster.instances {
        let reader = eventually("the token is known", async || {
            let request = server.raw(Method::GET, &board("/stream")).bearer_auth(&secret);
            let stream = Stream::open(request).await;
            (stream.status == StatusCode::OK).then_some(stream)
        })
        .await;
        readers.push(Follower::reading(reader));
    }
    let list = run(first, &["token", "list"]);
    run(first, &["token", "revoke", list.split('\t').next().unwrap()]);
    let revoked = Instant::now();
    for reader in &readers {
        eventually("the stream is closed", async || reader.seen().is_closed.then_some(())).await;
        let (at, end) = reader.seen().end.clone().unwrap();
        assert_eq!(end.payload()["reason"], "revoked");
        let within = at.saturating_duration_since(revoked);
        eprintln!("figure: a revoked stream ended within {within:?}");
        assert!(within < KNOWN + HEARTBEAT * 2, "{within:?}");
    }
}
