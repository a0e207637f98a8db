//! PostgreSQL goes away and comes back: readers stay, reporters are told in time, nothing that was answered
//! is missing.

use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::follow::{Follower, Reporters, all_end_as_rest_says, followers};
use super::{Cluster, Over};
use crate::harness::{Server, board, eventually};

/// Whoever asks is answered within this, come what may.
const ANSWER: Duration = Duration::from_secs(5);
/// When the database is back, every board is current within this.
const CURRENT: Duration = Duration::from_secs(2);
/// Events that were committed when the database went may still be under way to readers for so long.
const UNDER_WAY: Duration = Duration::from_secs(1);

const COLD: &str = "/api/v1/tenants/acme/envs/cold/stream";

/// How the database is away, and for how long.
#[derive(Clone, Copy)]
enum Away {
    /// Connections break, and new ones are refused.
    Stopped(Duration),
    /// Connections stay, new ones are accepted, and nothing comes.
    Frozen(Duration),
}

async fn told_as_unavailable(server: &Server) {
    let began = Instant::now();
    let response = server.raw(Method::GET, &board("/counts")).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(response.headers()["content-type"], "application/problem+json");
    assert!(began.elapsed() < ANSWER, "{:?}", began.elapsed());
    eprintln!("figure: a read was refused within {:?}", began.elapsed());
}

async fn says_so_in_its_readiness(server: &Server) {
    eventually("it is not ready for the database", async || {
        let response = server.raw(Method::GET, "/readyz").send().await.unwrap();
        let is_ready = response.status() == StatusCode::OK;
        let body: Value = response.json().await.unwrap();
        (!is_ready && body["reasons"] == json!(["database"])).then_some(())
    })
    .await;
}

/// A board that is not loaded cannot be shown; a browser would never come back from another status.
async fn sends_new_readers_of_a_cold_board_away(server: &Server) {
    let began = Instant::now();
    let mut stream = server.stream(COLD).await;
    assert_eq!(stream.status, StatusCode::OK);
    assert!(stream.block().await.unwrap().retry.is_some());
    let end = stream.block().await.unwrap();
    assert_eq!((end.event.as_deref(), &end.payload()["reason"]), (Some("stream.end"), &json!("unavailable")));
    assert!(stream.block().await.is_none());
    assert!(began.elapsed() < ANSWER, "{:?}", began.elapsed());
}

/// One that is loaded is shown as it was last.
async fn shows_a_board_it_has(server: &Server) {
    assert!(server.stream(&board("/stream")).await.next().await.is("snapshot"));
}

async fn readers_stay_and_nothing_is_lost(over: Over, away: Away) {
    let mut cluster = Cluster::start(over, &["--heartbeat", "500ms"]);
    cluster.instances[0].report(json!({"workflow": "first"})).await;
    let followers = followers(&cluster.instances).await;
    // Several at once, so that some are under way whenever the database goes. The third instance writes nothing
    // of its own: it is brought on by rings and comparisons alone.
    let crowd: Vec<_> = (0..4).flat_map(|_| cluster.instances[..2].iter().cloned()).collect();
    let reporters = Reporters::through(&crowd);
    drop(crowd);
    followers[0].reaches(60).await;

    let instances = cluster.instances.clone();
    let meanwhile = async |lasts: Duration| {
        let went = Instant::now();
        let asked = instances.iter().map(|server| async move {
            tokio::join!(
                told_as_unavailable(server),
                says_so_in_its_readiness(server),
                sends_new_readers_of_a_cold_board_away(server),
                shows_a_board_it_has(server),
            )
        });
        futures_util::future::join_all(asked).await;
        tokio::time::sleep_until(went + lasts).await;
        went
    };
    let went = match away {
        Away::Stopped(lasts) => {
            cluster.database.stop();
            let went = meanwhile(lasts).await;
            cluster.database.restart();
            went
        }
        Away::Frozen(lasts) => {
            cluster.database.freeze();
            let went = meanwhile(lasts).await;
            cluster.database.thaw();
            went
        }
    };
    let back = Instant::now();

    for server in &cluster.instances {
        eventually("it is ready again", async || {
            (server.get_status("/readyz").await == StatusCode::OK).then_some(())
        })
        .await;
    }
    // Some seconds of reports, for what may go wrong after a return.
    let head = rest_head(&cluster.instances[0]).await;
    for follower in &followers {
        follower.reaches(head + 60).await;
    }
    let talk = reporters.stop().await;
    let truth = all_end_as_rest_says(&followers, &cluster.instances[2]).await;
    assert_eq!(truth.deployments.len(), 1 + talk.taken.len(), "what was repeated made one deployment");
    followers.iter().for_each(Follower::was_undisturbed);
    for follower in &followers {
        let seen = follower.seen();
        let during = seen.beats.iter().filter(|(at, _)| *at > went + UNDER_WAY && *at < back);
        let ids: Vec<&str> = during.map(|(_, id)| id.as_str()).collect();
        assert!(ids.len() >= 4, "heartbeats go on: {ids:?}");
        assert!(ids.windows(2).all(|pair| pair[0] == pair[1]), "bare ids do not move: {ids:?}");
    }
    let current = talk.staleness(&followers, Some(back));
    assert!(current < CURRENT, "{current:?} after its return");
    assert!(!talk.refused.is_empty());
    let slowest = talk.slowest_refusal();
    assert!(slowest < ANSWER, "{slowest:?}");
    cluster.instances[1].check();
}

async fn rest_head(server: &Server) -> u64 {
    server.get(&board("/counts")).await["event_id"].as_u64().unwrap()
}

#[tokio::test]
async fn a_database_stopped_for_five_seconds_loses_no_reader_and_no_answered_report_over_nats() {
    readers_stay_and_nothing_is_lost(Over::Nats, Away::Stopped(Duration::from_secs(5))).await;
}

#[tokio::test]
async fn a_database_stopped_for_five_seconds_loses_no_reader_and_no_answered_report_over_postgres() {
    readers_stay_and_nothing_is_lost(Over::Postgres, Away::Stopped(Duration::from_secs(5))).await;
}

#[tokio::test]
async fn a_database_frozen_for_six_seconds_loses_no_reader_and_no_answered_report_over_nats() {
    readers_stay_and_nothing_is_lost(Over::Nats, Away::Frozen(Duration::from_secs(6))).await;
}

#[tokio::test]
async fn a_database_frozen_for_six_seconds_loses_no_reader_and_no_answered_report_over_postgres() {
    readers_stay_and_nothing_is_lost(Over::Postgres, Away::Frozen(Duration::from_secs(6))).await;
}

#[tokio::test]
async fn a_crowd_before_a_board_that_cannot_be_loaded_does_not_wait_in_a_line() {
    let mut cluster = Cluster::start(Over::Postgres, &[]);
    cluster.database.freeze();
    let server = &cluster.instances[0];
    let crowd = (0..12).map(|_| sends_new_readers_of_a_cold_board_away(server));
    futures_util::future::join_all(crowd).await;
    cluster.database.thaw();
}

#[tokio::test]
async fn whether_an_instance_is_ready_is_known_without_asking_the_database() {
    let mut cluster = Cluster::start(Over::Postgres, &[]);
    let server = &cluster.instances[0];
    cluster.database.freeze();
    let began = Instant::now();
    server.get_status("/readyz").await;
    assert!(began.elapsed() < Duration::from_secs(2), "it waits for nobody: {:?}", began.elapsed());
    says_so_in_its_readiness(server).await;
    cluster.database.thaw();
}

#[tokio::test]
async fn a_report_that_was_refused_while_it_waited_is_not_taken_up_later() {
    let mut cluster = Cluster::start(Over::Postgres, &[]);
    let server = cluster.instances[0].clone();
    server.report(json!({"workflow": "first"})).await;
    cluster.database.freeze();
    // As many as one transaction takes: each of these is a group of its own, and waits for those before.
    let batch = async |name: &str, after: Duration| {
        tokio::time::sleep(after).await;
        let report = |n| json!({"workflow": "web", "external_id": format!("{name}-{n}")});
        let reports: Vec<Value> = (0..1_000).map(report).collect();
        let body = json!({"reports": reports});
        server.send(Method::POST, &board("/deployments:batch"), &body).await.0
    };
    let pause = Duration::from_millis(200);
    let refused =
        tokio::join!(batch("first", Duration::ZERO), batch("second", pause), batch("third", 2 * pause));
    let unavailable = StatusCode::SERVICE_UNAVAILABLE;
    assert_eq!(refused, (unavailable, unavailable, unavailable));
    cluster.database.thaw();
    // What comes afterwards is behind all of them in the writer's line.
    eventually("reports are taken again", async || {
        let body = json!({"workflow": "web", "external_id": "afterwards"});
        let (status, _) = server.send(Method::POST, &board("/deployments"), &body).await;
        status.is_success().then_some(())
    })
    .await;
    let found = server.get(&board("/deployments?q=third-")).await;
    assert_eq!(found["items"].as_array().unwrap().len(), 0);
    server.check();
}

#[tokio::test]
async fn a_crowd_of_slow_searches_takes_nobody_else_s_turn() {
    let cluster = Cluster::start(Over::Postgres, &[]);
    let server = cluster.instances[0].clone();
    server.report(json!({"workflow": "first"})).await;
    let mut stream = cluster.instances[1].stream(&board("/stream")).await;
    stream.next_of("snapshot").await;
    // Whatever reads rows of deployments waits for this, as for a search through millions of them.
    let pool = sqlx::PgPool::connect(&cluster.database.url()).await.unwrap();
    let mut lock = pool.begin().await.unwrap();
    sqlx::query("lock table deployments in access exclusive mode").execute(&mut *lock).await.unwrap();
    let mut searches = tokio::task::JoinSet::new();
    for n in 0..30 {
        let server = server.clone();
        searches.spawn(async move { server.get_status(&board(&format!("/deployments?q=x{n}"))).await });
    }
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(5) {
        let asked = Instant::now();
        assert_eq!(server.get_status("/readyz").await, StatusCode::OK);
        assert_eq!(server.get_status(&board("/counts")).await, StatusCode::OK);
        assert!(asked.elapsed() < Duration::from_secs(1), "{:?}", asked.elapsed());
    }
    while let Some(status) = searches.join_next().await {
        let status = status.unwrap();
        let told = [StatusCode::TOO_MANY_REQUESTS, StatusCode::SERVICE_UNAVAILABLE];
        assert!(told.contains(&status), "{status}");
    }
    assert_eq!(server.metric("shipboard_database_reconnects_total").await, 0, "the server was never silent");
    lock.rollback().await.unwrap();
    server.report(json!({"workflow": "web"})).await;
    stream.next_of("deployment.upsert").await;
}
