//! The bus fails: nothing is lost, for it is only a doorbell. Boards are compared with the database once a
//! second.

use std::sync::Arc;
use std::time::Duration;

use reqwest::StatusCode;
use serde_json::json;
use tokio::time::Instant;

use super::follow::{Reporters, all_end_as_rest_says, followers};
use super::{Cluster, Over};
use crate::harness::{Server, eventually};

/// How long the bus is away.
const AWAY: Duration = Duration::from_secs(5);
/// From an answer to every instance's readers, with or without a bus.
const STALE: Duration = Duration::from_millis(1_500);

const CONNECTED: &str = "shipboard_bus_connected";
const CONNECTS: &str = "shipboard_bus_connects_total";
const HEARD: &str = "shipboard_bus_rings_total{direction=\"heard\"}";

/// What `/readyz` says of the bus. Without it, requests may come all the same.
async fn warns(server: &Server) -> bool {
    let response = server.raw(reqwest::Method::GET, "/readyz").send().await.unwrap();
    assert_eq!(response.status(), StatusCode::OK, "a bus that is away is no reason to go elsewhere");
    let body: serde_json::Value = response.json().await.unwrap();
    body["warnings"].as_array().unwrap().contains(&json!("bus"))
}

async fn all_are_connected(instances: &[Arc<Server>]) {
    for server in instances {
        eventually("the bus is connected", async || {
            (server.metric(CONNECTED).await == 1 && !warns(server).await).then_some(())
        })
        .await;
    }
}

/// Reports go on through all instances while the bus fails and when it is back.
async fn nothing_is_lost(over: Over, fail: impl AsyncFnOnce(&mut Cluster)) {
    let mut cluster = Cluster::start(over, &[]);
    cluster.instances[0].report(json!({"workflow": "first"})).await;
    all_are_connected(&cluster.instances).await;
    let followers = followers(&cluster.instances).await;
    // The third instance writes nothing of its own: it is brought on by rings and comparisons alone.
    let reporters = Reporters::through(&cluster.instances[..2]);
    fail(&mut cluster).await;

    all_are_connected(&cluster.instances).await;
    for server in &cluster.instances {
        let heard = server.metric(HEARD).await;
        eventually("rings flow again", async || (server.metric(HEARD).await > heard).then_some(())).await;
    }
    let talk = reporters.stop().await;
    let truth = all_end_as_rest_says(&followers, &cluster.instances[0]).await;
    assert_eq!(truth.deployments.len(), 1 + talk.taken.len());
    followers.iter().for_each(super::follow::Follower::was_undisturbed);
    let found = cluster.instances[2].metric("shipboard_boards_found_behind_total").await;
    assert!(found > 0, "without rings it lives off the comparisons");
    let staleness = talk.staleness(&followers, None);
    assert!(staleness < STALE, "{staleness:?}");
    assert!(talk.refused.is_empty(), "no report waits for the bus: {:?}", talk.refused);
    cluster.instances[2].check();
}

#[tokio::test]
async fn nats_that_is_killed_for_five_seconds_costs_nothing_but_a_second_of_latency() {
    nothing_is_lost(Over::Nats, async |cluster| {
        let broker = cluster.broker.as_mut().unwrap();
        let killed = Instant::now();
        broker.stop();
        for server in &cluster.instances {
            eventually("the bus is told to be away", async || {
                (warns(server).await && server.metric(CONNECTED).await == 0).then_some(())
            })
            .await;
        }
        tokio::time::sleep_until(killed + AWAY).await;
        broker.restart();
        for server in &cluster.instances {
            let again = async || (server.metric(CONNECTS).await == 2).then_some(());
            eventually("the bus connects a second time", again).await;
        }
    })
    .await;
}

#[tokio::test]
async fn nats_that_is_frozen_for_five_seconds_costs_nothing_but_a_second_of_latency() {
    nothing_is_lost(Over::Nats, async |cluster| {
        let broker = cluster.broker.as_mut().unwrap();
        broker.freeze();
        tokio::time::sleep(AWAY).await;
        broker.thaw();
    })
    .await;
}

#[tokio::test]
async fn listeners_that_postgres_cuts_off_for_five_seconds_cost_nothing_but_a_second_of_latency() {
    nothing_is_lost(Over::Postgres, async |cluster| {
        let pool = sqlx::PgPool::connect(&cluster.database.url()).await.unwrap();
        let mut warned = [false; 3];
        let mut cut = 0;
        let began = Instant::now();
        // They come back at once, so they are cut off again and again.
        while began.elapsed() < AWAY {
            let (ended,): (i64,) = sqlx::query_as(
                "select count(*) from (select pg_terminate_backend(pid) from pg_stat_activity
                 where application_name = 'shipboard' and (query ilike 'listen %' or query ilike '%pg_notify%')) cut",
            )
            .fetch_one(&pool)
            .await
            .unwrap();
            cut += ended;
            for (warned, server) in warned.iter_mut().zip(&cluster.instances) {
                *warned = *warned || warns(server).await;
            }
        }
        assert!(cut > 30, "{cut}");
        assert_eq!(warned, [true; 3]);
        for server in &cluster.instances {
            assert!(server.metric(CONNECTS).await > 2);
        }
        pool.close().await;
    })
    .await;
}
