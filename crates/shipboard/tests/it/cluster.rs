//! Many instances, one truth: built binaries on one PostgreSQL, over each bus.

mod bus;
mod credentials;
mod database;
mod epochs;
mod follow;
mod instances;
mod writers;

use std::sync::Arc;

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::json;

use crate::harness::{Mirror, Server, Stream, board};
use crate::live::{rest, storm};
use crate::servers::Service;

/// Three instances of one board, and what they share.
pub struct Cluster {
    pub instances: Vec<Arc<Server>>,
    pub database: Service,
    pub broker: Option<Service>,
}

/// Which bus the instances use.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Over {
    Postgres,
    Nats,
}

impl Cluster {
    pub fn start(over: Over, args: &[&str]) -> Self {
        let database = Service::postgres();
        let broker = (over == Over::Nats).then(Service::nats);
        let bus = broker.as_ref().map(Service::url);
        let mut args = args.to_vec();
        if let Some(bus) = &bus {
            args.extend(["--bus", bus]);
        }
        let instances = (0..3).map(|_| Arc::new(Server::instance(&database.url(), &args))).collect();
        Self { instances, database, broker }
    }
}

/// Reads a stream of the board until it has come to an event. What it has then, and the ids it was given.
async fn read_to(mut stream: Stream, event_id: u64) -> (Mirror, Vec<u64>) {
    let mut mirror = Mirror::default();
    let mut ids = Vec::new();
    while mirror.event_id < event_id {
        let block = stream.next().await;
        ids.push(block.event_id());
        mirror.apply(&block);
    }
    (mirror, ids)
}

async fn every_instance_shows_the_same(over: Over) {
    let cluster = Cluster::start(over, &[]);
    // Of an env that is not there yet, each instance would show an epoch of its own until it is.
    let first = cluster.instances[0].report(json!({"workflow": "first"})).await["event_id"].as_u64().unwrap();
    let page = board("/stream?limit=500");
    let streams = join_all(cluster.instances.iter().map(|server| server.stream(&page))).await;
    let [a, b, c] = &cluster.instances[..] else { panic!("three instances") };
    tokio::join!(storm(a, "a", 60), storm(b, "b", 60), storm(c, "c", 60));

    let truth = rest(&cluster.instances[0]).await;
    let read = streams.into_iter().map(|stream| read_to(stream, truth.event_id));
    for (mirror, ids) in join_all(read).await {
        assert_eq!(mirror.deployments, truth.deployments);
        assert_eq!(mirror.workflows, truth.workflows);
        assert_eq!(mirror.counts, truth.counts);
        let all = ids.first().copied().unwrap()..=truth.event_id;
        assert!(*all.start() >= first && ids.iter().copied().eq(all), "gapless after the snapshot: {ids:?}");
    }
    cluster.instances[1].check();
}

#[tokio::test]
async fn every_instance_shows_the_same_over_postgres() {
    every_instance_shows_the_same(Over::Postgres).await;
}

#[tokio::test]
async fn every_instance_shows_the_same_over_nats() {
    every_instance_shows_the_same(Over::Nats).await;
}

/// A deployment that is reported to one instance is followed on another, its log too.
async fn details_and_log_are_followed_on_another_instance(over: Over) {
    let cluster = Cluster::start(over, &[]);
    let [told, shows, _] = &cluster.instances[..] else { panic!("three instances") };
    let id = told.report(json!({"workflow": "web", "status": "running"})).await["id"].clone();
    let id = id.as_str().unwrap();
    let mut details = shows.stream(&board(&format!("/deployments/{id}/stream"))).await;
    let mut log = shows.stream(&board(&format!("/deployments/{id}/logs/stream"))).await;
    assert_eq!(details.next_of("snapshot").await.payload()["deployment"]["status"], "running");
    assert_eq!(log.next_of("snapshot").await.payload()["text"], "");
    let append = async |offset: usize, text: &str| {
        let path = board(&format!("/deployments/{id}/logs?offset={offset}"));
        let response = told.raw(Method::POST, &path).body(text.to_owned()).send().await.unwrap();
        assert!(response.status().is_success());
    };

    append(0, "first\n").await;
    assert_eq!(log.next_of("log.append").await.payload()["text"], "first\n");
    append(6, "second\n").await;
    let second = log.next_of("log.append").await;
    assert_eq!((&second.payload()["offset"], &second.payload()["text"]), (&json!(6), &json!("second\n")));
    told.update(id, json!({"step": {"name": "migrate", "status": "success"}})).await;
    let mut step = details.next_of("deployment.upsert").await;
    if step.payload()["entries"][0].is_null() {
        // That it has a log is a change of the row.
        assert_eq!(step.payload()["deployment"]["has_log"], true);
        step = details.next_of("deployment.upsert").await;
    }
    assert_eq!(step.payload()["entries"][0]["step"]["name"], "migrate");
    append(13, "the end\n").await;
    told.update(id, json!({"status": "success"})).await;
    let mut text = String::new();
    loop {
        let block = log.next_of("log.append").await;
        text.push_str(block.payload()["text"].as_str().unwrap());
        if block.payload()["done"] == true {
            break;
        }
    }
    assert_eq!(text, "the end\n", "that it has ended is told with the last of it");
    let row = details.next_of("deployment.upsert").await.payload()["deployment"].clone();
    assert_eq!(row, shows.get(&board(&format!("/deployments/{id}"))).await["deployment"]);
    assert_eq!(told.delete(&board(&format!("/deployments/{id}"))).await, reqwest::StatusCode::NO_CONTENT);
    for stream in [&mut details, &mut log] {
        assert_eq!(stream.next_of("stream.end").await.payload()["reason"], "gone");
    }
}

#[tokio::test]
async fn details_and_log_are_followed_on_another_instance_over_postgres() {
    details_and_log_are_followed_on_another_instance(Over::Postgres).await;
}

#[tokio::test]
async fn details_and_log_are_followed_on_another_instance_over_nats() {
    details_and_log_are_followed_on_another_instance(Over::Nats).await;
}
