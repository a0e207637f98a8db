//! Instances come and go: they start together, are killed, are drained, and a crowd comes to a cold one.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use nix::sys::signal::Signal;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::follow::{Follower, Reporters, all_end_as_rest_says};
use super::{Cluster, Over};
use crate::harness::{Server, binary, board, eventually};
use crate::servers::Service;

/// Beside the wait that `retry` asks for, so long until a reader is current on another instance.
const CURRENT: Duration = Duration::from_secs(2);

fn position(id: &str) -> (&str, u64) {
    let (epoch, event_id) = id.split_once('.').unwrap();
    (epoch, event_id.parse().unwrap())
}

/// Comes with an id to an instance. It is never given anything older.
async fn come_back(server: &Server, last_event_id: &str) -> Follower {
    let follower = Follower::reading(server.stream_after(&board("/stream?limit=500"), last_event_id).await);
    eventually("a snapshot", async || {
        let seen = follower.seen();
        assert!(seen.end.is_none(), "{:?}", seen.end);
        (!seen.snapshots.is_empty()).then_some(())
    })
    .await;
    let (epoch, event_id) = position(last_event_id);
    let given = follower.seen().snapshots[0].clone();
    assert_eq!(given.0, epoch);
    assert!(given.1 >= event_id, "back in time: {} after {event_id}", given.1);
    follower
}

async fn readers_of_a_killed_instance_go_on_elsewhere(over: Over) {
    const ROUNDS: usize = 3;
    const READERS: usize = 12;
    let mut cluster = Cluster::start(over, &[]);
    // It has no bus, so that it is behind by up to a second, and has to catch up before it answers.
    let alone = Server::instance(&cluster.database.url(), &["--bus", "local"]);
    cluster.instances[2].report(json!({"workflow": "first"})).await;
    let keeps_it_loaded = Follower::of(&alone).await;
    let reporters = Reporters::through(&cluster.instances[1..]);
    let mut longest = Duration::ZERO;
    for _ in 0..ROUNDS {
        let readers = join_all((0..READERS).map(|_| Follower::of(&cluster.instances[0]))).await;
        let head = head(&cluster.instances[1]).await;
        join_all(readers.iter().map(|reader| reader.reaches(head + 12))).await;
        Arc::get_mut(&mut cluster.instances[0]).unwrap().kill();
        let killed = Instant::now();
        // At once, not after `retry`: the sooner they come, the likelier is an instance behind them.
        let head = self::head(&cluster.instances[1]).await;
        let elsewhere = readers.iter().enumerate().map(|(n, reader)| {
            let last_event_id = reader.seen().last_event_id();
            let server = if n % 2 == 0 { &alone } else { &*cluster.instances[1] };
            async move {
                let again = come_back(server, &last_event_id).await;
                again.reaches(head).await;
            }
        });
        join_all(elsewhere).await;
        longest = longest.max(killed.elapsed());
        Arc::get_mut(&mut cluster.instances[0]).unwrap().restart();
    }
    eprintln!("figure: current elsewhere {longest:?} after a kill -9");
    assert!(longest < CURRENT, "{longest:?}");
    let talk = reporters.stop().await;
    let truth = all_end_as_rest_says(&[keeps_it_loaded], &cluster.instances[0]).await;
    assert_eq!(truth.deployments.len(), 1 + talk.taken.len());
    cluster.instances[1].check();
}

async fn head(server: &Server) -> u64 {
    server.get(&board("/counts")).await["event_id"].as_u64().unwrap()
}

#[tokio::test]
async fn readers_of_a_killed_instance_are_current_on_another_over_nats() {
    readers_of_a_killed_instance_go_on_elsewhere(Over::Nats).await;
}

#[tokio::test]
async fn readers_of_a_killed_instance_are_current_on_another_over_postgres() {
    readers_of_a_killed_instance_go_on_elsewhere(Over::Postgres).await;
}

#[tokio::test]
async fn a_reader_that_changes_to_an_instance_that_is_behind_is_never_taken_back_in_time() {
    const CHANGES: usize = 200;
    let database = Service::postgres();
    let ahead = [Arc::new(Server::instance(&database.url(), &[]))];
    let behind = Server::instance(&database.url(), &["--bus", "local"]);
    ahead[0].report(json!({"workflow": "first"})).await;
    let reader = Follower::of(&ahead[0]).await;
    let keeps_it_loaded = Follower::of(&behind).await;
    let reporters = Reporters::through(&ahead);
    let mut was_behind = 0;
    for _ in 0..CHANGES {
        let last_event_id = reader.seen().last_event_id();
        was_behind += usize::from(keeps_it_loaded.seen().mirror.event_id < position(&last_event_id).1);
        come_back(&behind, &last_event_id).await;
    }
    eprintln!("figure: {was_behind} of {CHANGES} times the other instance was behind");
    assert!(was_behind > 0, "it was always current: nothing was tried");
    let talk = reporters.stop().await;
    all_end_as_rest_says(&[reader, keeps_it_loaded], &behind).await;
    assert!(talk.refused.is_empty());
}

async fn a_drained_instance_ends_its_streams_over_the_window(over: Over) {
    const READERS: usize = 200;
    /// Nine tenths of `--drain`: the last ones still have time to be written.
    const WINDOW: Duration = Duration::from_millis(2_700);
    let mut cluster = Cluster::start(over, &["--drain", "3s"]);
    cluster.instances[0].report(json!({"workflow": "first"})).await;
    let going = cluster.instances.remove(0);
    let readers = join_all((0..READERS).map(|_| Follower::of(&going))).await;
    let other = Follower::of(&cluster.instances[0]).await;
    let mut instances = vec![going];
    instances.extend(cluster.instances.iter().cloned());
    let reporters = Reporters::through(&instances);
    readers[0].reaches(60).await;

    let told = Instant::now();
    instances[0].signal(Signal::SIGTERM);
    eventually("it is not ready", async || {
        (instances[0].get_status("/readyz").await == StatusCode::SERVICE_UNAVAILABLE).then_some(())
    })
    .await;
    let refused = instances[0].stream(&board("/stream")).await.next().await;
    assert_eq!(
        (refused.event.as_deref(), &refused.payload()["reason"]),
        (Some("stream.end"), &json!("drain"))
    );
    let mut going = Arc::try_unwrap(instances.remove(0)).ok().expect("nobody else holds it");
    let status = going.ended().await;
    assert!(status.success(), "{status}");
    eprintln!("figure: ended {:?} after SIGTERM", told.elapsed());

    let mut ends = Vec::new();
    for reader in &readers {
        eventually("the stream is closed", async || reader.seen().is_closed.then_some(())).await;
        let seen = reader.seen();
        let (at, end) = seen.end.clone().expect("a stream is told why it ends");
        assert_eq!(end.payload()["reason"], "drain");
        assert!(end.payload()["retry_ms"].as_u64().unwrap() >= 1_000);
        assert_eq!(end.id.as_deref(), Some(seen.last_event_id().as_str()), "it repeats the last id");
        ends.push(at - told);
    }
    let fifths = (0..5).map(|fifth| {
        let from = WINDOW * fifth / 5;
        ends.iter().filter(|end| (from..from + WINDOW / 5).contains(end)).count()
    });
    let fifths: Vec<usize> = fifths.collect();
    eprintln!("figure: ends in each fifth of the window: {fifths:?}");
    // Twice the fair share: seven standard deviations away.
    assert!(fifths.iter().all(|ends| *ends <= READERS * 2 / 5), "{fifths:?}");

    cluster.instances[1].report(json!({"workflow": "web", "external_id": "afterwards"})).await;
    let talk = reporters.stop().await;
    let truth = all_end_as_rest_says(&[other], &cluster.instances[1]).await;
    let known: Vec<&Value> = truth.deployments.values().map(|row| &row["external_id"]).collect();
    for (external_id, _) in &talk.taken {
        assert!(known.contains(&&json!(external_id)), "{external_id} was answered and is lost");
    }
    cluster.instances[0].check();
}

#[tokio::test]
async fn a_drained_instance_ends_its_streams_over_the_window_and_loses_nothing_over_nats() {
    a_drained_instance_ends_its_streams_over_the_window(Over::Nats).await;
}

#[tokio::test]
async fn a_drained_instance_ends_its_streams_over_the_window_and_loses_nothing_over_postgres() {
    a_drained_instance_ends_its_streams_over_the_window(Over::Postgres).await;
}

/// The snapshot of a new stream, as it came.
async fn raw_snapshot(server: &Server) -> String {
    let request = server.raw(Method::GET, &board("/stream?limit=500"));
    let mut response = request.header("accept", "text/event-stream").send().await.unwrap();
    let mut text = String::new();
    loop {
        let chunk = response.chunk().await.unwrap().expect("the stream goes on");
        text.push_str(std::str::from_utf8(&chunk).expect("all of it is ASCII here"));
        if chunk.ends_with(b"\n\n")
            && let Some(begin) = text.find("event: snapshot")
            && let Some(length) = text[begin..].find("\n\n")
        {
            return text[begin..begin + length].to_owned();
        }
    }
}

#[tokio::test]
async fn a_crowd_that_comes_at_once_loads_a_cold_board_once_and_all_see_the_same() {
    const CROWD: usize = 300;
    let cluster = Cluster::start(Over::Postgres, &[]);
    let [busy, cold, _] = &cluster.instances[..] else { panic!("three instances") };
    let reports: Vec<_> = (0..500)
        .map(|n| json!({"workflow": format!("workflow-{}", n % 20), "external_id": format!("{n}")}))
        .collect();
    let path = board("/deployments:batch");
    let (status, answer) = busy.send(Method::POST, &path, &json!({"reports": reports})).await;
    assert!(status.is_success(), "{answer}");

    let began = Instant::now();
    let snapshots = join_all((0..CROWD).map(|_| raw_snapshot(cold))).await;
    eprintln!("figure: {CROWD} readers of a cold board had their snapshots within {:?}", began.elapsed());
    assert_eq!(cold.metric("shipboard_board_loads_total").await, 1);
    assert_eq!(cold.metric("shipboard_encodes_total{what=\"snapshot\"}").await, 1);
    // What is each reader's own ends where the state begins: when to come back, and what time it is.
    let state = |snapshot: &str| snapshot[snapshot.find("\"counts\":").unwrap()..].to_owned();
    let first = state(&snapshots[0]);
    assert_eq!(first.matches("\"external_id\":").count(), 500);
    for snapshot in &snapshots {
        assert!(state(snapshot) == first, "a snapshot differs");
    }
}

#[tokio::test]
async fn instances_that_start_at_the_same_moment_on_an_empty_database_all_come_up() {
    let service = Service::postgres();
    let pool = sqlx::PgPool::connect(&service.superuser_url()).await.unwrap();
    for database in ["first", "second", "third"] {
        let create = format!("create database {database} owner shipboard");
        sqlx::query(sqlx::AssertSqlSafe(create)).execute(&pool).await.unwrap();
        let url = service.url().replace("/board", &format!("/{database}"));
        let url = url.as_str();
        let instances: Vec<Server> = std::thread::scope(|scope| {
            let starting: Vec<_> = (0..3).map(|_| scope.spawn(|| Server::instance(url, &[]))).collect();
            starting.into_iter().map(|started| started.join().unwrap()).collect()
        });
        for server in &instances {
            server.report(json!({"workflow": "web"})).await;
        }
        assert_eq!(instances[0].get(&board("/counts")).await["counts"]["deployments"]["total"], 3);
    }
    pool.close().await;
}

#[test]
fn a_database_that_cannot_be_reached_stops_the_start_and_its_password_stays_unsaid() {
    let check = |database: &str, told: &str| {
        let began = std::time::Instant::now();
        let output = binary()
            .current_dir(std::env::temp_dir())
            .args(["serve", "--listen", "127.0.0.1:0", "--database", database])
            .output()
            .unwrap();
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{error}");
        assert!(error.contains(told), "{error}");
        assert!(!error.contains("geheim"), "{error}");
        assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    };
    check("postgres://me:geheim@127.0.0.1:1/board", "127.0.0.1:1");
    check("postgres://me:geheim@there-is-no-such-host.invalid/board", "there-is-no-such-host.invalid");
    let service = Service::postgres();
    let elsewhere = service.url().replace("shipboard@", "nobody:geheim@");
    check(&elsewhere, "nobody");
    check(&service.url().replace("/board", "/nowhere").replace("shipboard@", "shipboard:geheim@"), "nowhere");
}
