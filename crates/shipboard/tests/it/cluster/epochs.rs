//! Epochs: another life of the database is noticed, and no reader mixes two.

use std::time::Duration;

use reqwest::Method;
use serde_json::json;
use sqlx::{AssertSqlSafe, PgPool};
use tokio::time::Instant;

use super::follow::{Follower, Reporters, all_end_as_rest_says, followers};
use super::{Cluster, Over};
use crate::doors::run;
use crate::harness::{Server, board, eventually};

/// All streams have a snapshot of the new epoch within this.
const NOTICED: Duration = Duration::from_secs(2);

fn epoch(follower: &Follower) -> String {
    follower.seen().snapshots.last().unwrap().0.clone()
}

/// Waits until every reader was given another epoch than this one: the same for all.
async fn all_have_another(followers: &[Follower], old: &str) -> String {
    for follower in followers {
        eventually("a snapshot of another epoch", async || (epoch(follower) != old).then_some(())).await;
        let seen = follower.seen();
        assert!(!seen.is_closed, "the stream goes on");
    }
    epoch(&followers[0])
}

async fn a_new_epoch_reaches_every_reader(over: Over) {
    let cluster = Cluster::start(over, &[]);
    cluster.instances[0].report(json!({"workflow": "first"})).await;
    let followers = followers(&cluster.instances).await;
    // The third instance writes nothing, and hears of the epoch by comparing or by a ring.
    let reporters = Reporters::through(&cluster.instances[..2]);
    followers[0].reaches(30).await;
    let old = epoch(&followers[0]);

    assert_eq!(run(&cluster.instances[0], &["epoch"]), "1 environments have a new epoch\n");
    let renewed = Instant::now();
    let new = all_have_another(&followers, &old).await;
    eprintln!("figure: all had the new epoch within {:?}", renewed.elapsed());
    assert!(renewed.elapsed() < NOTICED, "{:?}", renewed.elapsed());
    let talk = reporters.stop().await;
    all_end_as_rest_says(&followers, &cluster.instances[1]).await;
    for follower in &followers {
        let seen = follower.seen();
        assert_eq!(seen.snapshots.len(), 2, "one new snapshot: {:?}", seen.snapshots);
        assert_eq!(seen.snapshots[1].0, new);
    }
    assert!(talk.refused.is_empty());
    cluster.instances[2].check();
}

#[tokio::test]
async fn a_new_epoch_reaches_every_reader_over_nats() {
    a_new_epoch_reaches_every_reader(Over::Nats).await;
}

#[tokio::test]
async fn a_new_epoch_reaches_every_reader_over_postgres() {
    a_new_epoch_reaches_every_reader(Over::Postgres).await;
}

async fn tables(pool: &PgPool) -> Vec<String> {
    // In the order of their making, which is the one of their references.
    let found: Vec<(String,)> = sqlx::query_as(
        "select relname::text from pg_class where relnamespace = 'public'::regnamespace and relkind = 'r'
         and relname <> '_sqlx_migrations' order by oid",
    )
    .fetch_all(pool)
    .await
    .unwrap();
    found.into_iter().map(|(table,)| table).collect()
}

/// Keeps what the database holds now.
async fn back_up(pool: &PgPool) {
    let mut transaction = pool.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ").await.unwrap();
    sqlx::query("create schema backup").execute(&mut *transaction).await.unwrap();
    for table in tables(pool).await {
        let copy = format!("create table backup.{table} as table public.{table}");
        sqlx::query(AssertSqlSafe(copy)).execute(&mut *transaction).await.unwrap();
    }
    transaction.commit().await.unwrap();
}

/// Puts back what was kept, in one moment: no connection breaks, and no instance is warned.
async fn restore(pool: &PgPool) {
    let tables = tables(pool).await;
    let mut transaction = pool.begin().await.unwrap();
    // Whoever restores a database has it in their hands: the audit log's own guard too.
    sqlx::query("alter table audit disable trigger user").execute(&mut *transaction).await.unwrap();
    let truncate = format!("truncate {}", tables.join(", "));
    sqlx::query(AssertSqlSafe(truncate)).execute(&mut *transaction).await.unwrap();
    for table in tables {
        let copy = format!("insert into public.{table} select * from backup.{table}");
        sqlx::query(AssertSqlSafe(copy)).execute(&mut *transaction).await.unwrap();
    }
    sqlx::query("alter table audit enable trigger user").execute(&mut *transaction).await.unwrap();
    transaction.commit().await.unwrap();
}

/// How an older state comes back.
#[derive(Clone, Copy)]
enum Back {
    InOneMoment,
    WithARestart,
}

async fn late(server: &Server) -> Follower {
    Follower::reading(server.stream("/api/v1/tenants/acme/envs/late/stream").await)
}

async fn an_older_state_is_noticed(over: Over, back: Back) {
    let mut cluster = Cluster::start(over, &[]);
    let instances = cluster.instances.clone();
    let [a, b, c] = &instances[..] else { panic!("three instances") };
    let pool = PgPool::connect(&cluster.database.superuser_url()).await.unwrap();
    for n in 0..10 {
        a.report(json!({"workflow": "web", "external_id": format!("kept-{n}"), "status": "running"})).await;
    }
    match back {
        Back::InOneMoment => back_up(&pool).await,
        Back::WithARestart => cluster.database.keep(),
    }
    for n in 0..10 {
        b.report(json!({"workflow": "web", "external_id": format!("undone-{n}"), "status": "failed"})).await;
        a.report(json!({"workflow": "web", "external_id": format!("kept-{n}"), "status": "success"})).await;
    }
    let path = "/api/v1/tenants/acme/envs/late/deployments";
    let (status, _) = c.send(Method::POST, path, &json!({"workflow": "web", "external_id": "late"})).await;
    assert!(status.is_success());
    let board_readers = followers(&cluster.instances).await;
    let mut late_readers = Vec::new();
    for server in &cluster.instances {
        late_readers.push(late(server).await);
    }
    for follower in &late_readers {
        eventually("the late env is shown", async || {
            follower.seen().shown.contains_key("late").then_some(())
        })
        .await;
    }
    let truth = all_end_as_rest_says(&board_readers, a).await;
    let of_the_old_life = board_readers[0].seen().last_event_id();
    let (old, old_late) = (epoch(&board_readers[0]), epoch(&late_readers[0]));

    match back {
        Back::InOneMoment => restore(&pool).await,
        Back::WithARestart => cluster.database.put_back(),
    }
    let restored = Instant::now();
    let new = all_have_another(&board_readers, &old).await;
    all_have_another(&late_readers, &old_late).await;
    eprintln!("figure: the older state was noticed by all within {:?}", restored.elapsed());
    assert!(restored.elapsed() < NOTICED, "{:?}", restored.elapsed());
    for follower in &board_readers {
        assert_eq!(epoch(follower), new, "one epoch for all");
        assert_eq!(follower.seen().mirror.deployments.len(), 10);
        assert!(follower.seen().mirror.event_id < truth.event_id);
    }
    for follower in &late_readers {
        let seen = follower.seen();
        assert_eq!((seen.mirror.event_id, seen.mirror.deployments.len()), (0, 0), "it never was");
    }

    let again = Follower::reading(c.stream_after(&board("/stream?limit=500"), &of_the_old_life).await);
    again.reaches(1).await;
    assert_eq!(epoch(&again), new, "an id of the old life asks for nothing");

    // Life goes on, with ids that the old life had too.
    let reporters = Reporters::through(&cluster.instances);
    board_readers[0].reaches(truth.event_id + 30).await;
    let (status, _) = b.send(Method::POST, path, &json!({"workflow": "web", "external_id": "anew"})).await;
    assert!(status.is_success());
    for follower in &late_readers {
        eventually("the late env is shown", async || {
            follower.seen().shown.contains_key("anew").then_some(())
        })
        .await;
    }
    reporters.stop().await;
    all_end_as_rest_says(&board_readers, b).await;
    all_end_as_rest_says(&[again], b).await;
    a.check();
    pool.close().await;
}

#[tokio::test]
async fn an_older_state_that_is_put_back_in_one_moment_is_a_new_epoch_over_nats() {
    an_older_state_is_noticed(Over::Nats, Back::InOneMoment).await;
}

#[tokio::test]
async fn an_older_state_that_is_put_back_in_one_moment_is_a_new_epoch_over_postgres() {
    an_older_state_is_noticed(Over::Postgres, Back::InOneMoment).await;
}

#[tokio::test]
async fn an_older_state_that_a_restarted_database_comes_with_is_a_new_epoch_over_nats() {
    an_older_state_is_noticed(Over::Nats, Back::WithARestart).await;
}

#[tokio::test]
async fn an_older_state_that_a_restarted_database_comes_with_is_a_new_epoch_over_postgres() {
    an_older_state_is_noticed(Over::Postgres, Back::WithARestart).await;
}

/// The last reports are undone, as by a failover, and others come at once under the same ids: no head is ever
/// seen to go back.
async fn other_events_under_the_same_ids_are_noticed(over: Over, anew: usize) {
    let cluster = Cluster::start(over, &[]);
    let [a, b, c] = &cluster.instances[..] else { panic!("three instances") };
    let pool = PgPool::connect(&cluster.database.superuser_url()).await.unwrap();
    a.report(json!({"workflow": "web", "external_id": "kept", "status": "running"})).await;
    back_up(&pool).await;
    let readers = followers(&cluster.instances).await;
    b.report(json!({"workflow": "web", "external_id": "undone", "status": "failed"})).await;
    let before = all_end_as_rest_says(&readers, c).await;
    let old = epoch(&readers[0]);

    restore(&pool).await;
    for n in 0..anew {
        a.report(json!({"workflow": "web", "external_id": format!("anew-{n}"), "status": "failed"})).await;
    }
    all_have_another(&readers, &old).await;
    let truth = all_end_as_rest_says(&readers, c).await;
    assert!(truth.event_id >= before.event_id, "the head was never seen to go back");
    assert_eq!(truth.deployments.len(), 1 + anew);
    pool.close().await;
}

#[tokio::test]
async fn another_event_in_the_place_of_the_last_is_a_new_epoch_over_nats() {
    other_events_under_the_same_ids_are_noticed(Over::Nats, 1).await;
}

#[tokio::test]
async fn another_event_in_the_place_of_the_last_is_a_new_epoch_over_postgres() {
    other_events_under_the_same_ids_are_noticed(Over::Postgres, 1).await;
}

#[tokio::test]
async fn an_older_state_that_has_overtaken_what_was_shown_is_a_new_epoch_over_nats() {
    other_events_under_the_same_ids_are_noticed(Over::Nats, 3).await;
}

#[tokio::test]
async fn an_older_state_that_has_overtaken_what_was_shown_is_a_new_epoch_over_postgres() {
    other_events_under_the_same_ids_are_noticed(Over::Postgres, 3).await;
}
