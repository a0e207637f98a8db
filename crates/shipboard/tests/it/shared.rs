//! Several scopes on one stream.

use std::collections::BTreeMap;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::harness::{Block, Mirror, Server, Stream, board, eventually};

fn shared(scopes: &[&str]) -> String {
    format!("/api/v1/tenants/acme/stream?s={}", scopes.join("&s="))
}

/// Reports to an env of acme's and gives the deployment's id.
async fn report(server: &Server, env: &str, body: Value) -> String {
    let path = format!("/api/v1/tenants/acme/envs/{env}/deployments");
    let (status, answer) = server.send(Method::POST, &path, &body).await;
    assert!(status.is_success(), "{status}: {answer}");
    answer["deployment"]["id"].as_str().unwrap().to_owned()
}

/// What an id says of each env: its epoch and number.
fn ids(block: &Block) -> BTreeMap<String, (String, u64)> {
    let parts = block.id.as_ref().unwrap().split(',').map(|part| {
        let (env, position) = part.split_once('=').unwrap();
        let (epoch, number) = position.split_once('.').unwrap();
        (env.to_owned(), (epoch.to_owned(), number.parse().unwrap()))
    });
    parts.collect()
}

async fn snapshots(stream: &mut Stream, count: usize) -> Vec<Block> {
    let mut blocks = Vec::new();
    for _ in 0..count {
        blocks.push(stream.next().await);
        assert!(blocks.last().unwrap().is("snapshot"));
    }
    blocks
}

#[tokio::test]
async fn scopes_of_several_envs_come_on_one_stream_each_with_a_snapshot() {
    let server = Server::start();
    let web = report(&server, "production", json!({"workflow": "web", "status": "running"})).await;
    report(&server, "staging", json!({"workflow": "api"})).await;
    let details = format!("production/d/{web}");
    let log = format!("production/d/{web}/log");
    let mut stream = server.stream(&shared(&["production", "staging", &details, &log])).await;
    assert_eq!(stream.header("content-type"), "text/event-stream");
    let snapshots = snapshots(&mut stream, 4).await;
    let said = |block: &Block| {
        let envelope = block.data.as_ref().unwrap();
        (
            envelope["env_id"].as_str().unwrap().to_owned(),
            block.payload()["scope"].as_str().unwrap().to_owned(),
        )
    };
    let mut what: Vec<_> = snapshots.iter().map(said).collect();
    what.sort();
    let expected = [
        ("production", "deployments"),
        ("production", "details"),
        ("production", "log"),
        ("staging", "deployments"),
    ];
    assert_eq!(what, expected.map(|(env, scope)| (env.to_owned(), scope.to_owned())));
    for snapshot in &snapshots {
        let ids = ids(snapshot);
        assert_eq!(ids.keys().collect::<Vec<_>>(), ["production", "staging"], "each id tells of all envs");
        let env = said(snapshot).0;
        let payload = snapshot.payload();
        assert_eq!(ids[&env], (payload["epoch"].as_str().unwrap().to_owned(), snapshot.event_id()));
    }
    let of_production = snapshots.iter().filter(|block| said(block).0 == "production");
    let numbers: Vec<u64> = of_production.map(Block::event_id).collect();
    assert!(numbers.iter().all(|number| *number == numbers[0]), "one state, {numbers:?}");
}

#[tokio::test]
async fn an_event_that_several_scopes_want_comes_once_and_in_its_fuller_form() {
    let server = Server::start();
    let web = report(&server, "production", json!({"workflow": "web", "status": "running"})).await;
    let api = report(&server, "production", json!({"workflow": "api", "status": "running"})).await;
    let mut stream = server.stream(&shared(&["production", &format!("production/d/{web}")])).await;
    let mut mirror = Mirror::default();
    snapshots(&mut stream, 2)
        .await
        .iter()
        .filter(|block| block.payload()["scope"] == "deployments")
        .for_each(|snapshot| mirror.apply(snapshot));
    for id in [&web, &api] {
        server.update(id, json!({"step": {"name": "migrate", "status": "success"}})).await;
    }
    server.update(&api, json!({"status": "success"})).await;
    server.update(&web, json!({"status": "failed"})).await;
    let mut fuller = BTreeMap::new();
    // Consecutive for the list, so nothing came twice: the mirror sees to that.
    while mirror.deployments[&web]["status"] != "failed" || mirror.counts["deployments"]["failed"] != 1 {
        let block = stream.next().await;
        mirror.apply(&block);
        assert_eq!(ids(&block)["production"].1, block.event_id());
        if block.is("deployment.upsert") {
            let id = block.payload()["deployment"]["id"].as_str().unwrap().to_owned();
            let entries = block.payload()["entries"].as_array().map_or(0, Vec::len);
            *fuller.entry(id).or_insert(0) += entries;
        }
    }
    assert_eq!(fuller[&web], 2, "its step and its end");
    assert_eq!(fuller[&api], 0, "nobody looks at its details");
}

#[tokio::test]
async fn details_and_logs_alone_get_what_concerns_them_and_ids_that_move_with_all() {
    let server = Server::with(&["--heartbeat", "200ms"]);
    let web = report(&server, "production", json!({"workflow": "web", "status": "running"})).await;
    let api = report(&server, "staging", json!({"workflow": "api", "status": "running"})).await;
    let scopes = [format!("production/d/{web}/log"), format!("staging/d/{api}")];
    let mut stream = server.stream(&shared(&[&scopes[0], &scopes[1]])).await;
    snapshots(&mut stream, 2).await;
    report(&server, "production", json!({"workflow": "other"})).await;
    report(&server, "staging", json!({"workflow": "other"})).await;
    let path = board(&format!("/deployments/{web}/logs?offset=0"));
    let appended = server.raw(Method::POST, &path).body("hello\n").send().await.unwrap();
    assert_eq!(appended.status(), StatusCode::OK);
    let log = stream.next_of("log.append").await;
    assert_eq!((&log.payload()["id"], &log.payload()["text"]), (&json!(web), &json!("hello\n")));
    let heads = async |env: &str| {
        let counts = server.get(&format!("/api/v1/tenants/acme/envs/{env}/counts")).await;
        counts["event_id"].as_u64().unwrap()
    };
    let (production, staging) = (heads("production").await, heads("staging").await);
    loop {
        let block = stream.block().await.unwrap();
        if block.event.is_some() {
            assert!(block.is("counts.update"), "{block:?}");
            assert_eq!(block.data.as_ref().unwrap()["env_id"], "staging");
            continue;
        }
        let ids = ids(&block);
        if (ids["production"].1, ids["staging"].1) == (production, staging) {
            break;
        }
    }
}

#[tokio::test]
async fn a_deletion_takes_its_scopes_along_and_the_others_go_on_until_none_is_left() {
    let server = Server::start();
    let web = report(&server, "production", json!({"workflow": "web", "status": "running"})).await;
    let api = report(&server, "staging", json!({"workflow": "api", "status": "running"})).await;
    let scopes =
        [format!("production/d/{web}"), format!("production/d/{web}/log"), format!("staging/d/{api}/log")];
    let mut stream = server.stream(&shared(&[&scopes[0], &scopes[1], &scopes[2]])).await;
    snapshots(&mut stream, 3).await;
    let path = |env: &str, id: &str| format!("/api/v1/tenants/acme/envs/{env}/deployments/{id}");
    assert_eq!(server.delete(&path("production", &web)).await, StatusCode::NO_CONTENT);
    let deleted = stream.next_of("deployment.delete").await;
    assert_eq!(deleted.payload()["id"], json!(web));
    let append = server.raw(Method::POST, &format!("{}/logs?offset=0", path("staging", &api)));
    assert_eq!(append.body("on\n").send().await.unwrap().status(), StatusCode::OK);
    let log = stream.next_of("log.append").await;
    assert_eq!(ids(&log).keys().collect::<Vec<_>>(), ["staging"], "what carries nothing has no id");
    assert_eq!(server.delete(&path("staging", &api)).await, StatusCode::NO_CONTENT);
    assert!(stream.next().await.is("deployment.delete"), "a log's reader is told, too");
    let end = stream.next().await;
    assert_eq!((end.is("stream.end"), &end.payload()["reason"]), (true, &json!("gone")));
    assert!(stream.block().await.is_none());
}

#[tokio::test]
async fn a_shared_stream_counts_as_one() {
    let server = Server::with(&["--max-streams-per-tenant", "1"]);
    let mut stream = server.stream_on_a_new_connection(&shared(&["a", "b", "c", "a"])).await;
    let mut envs: Vec<_> = snapshots(&mut stream, 3).await;
    envs.sort_by_key(|block| block.data.as_ref().unwrap()["env_id"].to_string());
    assert_eq!(ids(&envs[2]).len(), 3, "each env once");
    let refused = server.stream(&shared(&["a"])).await;
    assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(server.metric("shipboard_streams_open{scope=\"shared\"}").await, 1);
    drop(stream);
    eventually("the permit is given back", async || {
        (server.stream(&shared(&["a"])).await.status == StatusCode::OK).then_some(())
    })
    .await;
}

#[tokio::test]
async fn it_comes_back_with_the_ids_of_all_envs() {
    let server = Server::start();
    report(&server, "a", json!({"workflow": "web"})).await;
    let mut stream = server.stream(&shared(&["a", "b"])).await;
    let id = snapshots(&mut stream, 2).await[1].id.clone().unwrap();
    for id in [id.clone(), id.replace('=', ""), "a=x.1,b=,c,=,".to_owned(), format!("{id}9")] {
        let mut again = server.stream_after(&shared(&["a", "b"]), &id).await;
        assert_eq!(snapshots(&mut again, 2).await.len(), 2, "{id}");
    }
    assert_eq!(server.metric("shipboard_reconnects_total{scope=\"shared\"}").await, 4);
}

#[tokio::test]
async fn what_it_cannot_carry_is_refused_as_a_whole() {
    let server = Server::start();
    let web = report(&server, "production", json!({"workflow": "web"})).await;
    let check = async |scopes: &[&str], status: StatusCode| {
        assert_eq!(server.get_status(&shared(scopes)).await, status, "{scopes:?}");
    };
    let unknown = format!("production/d/{}", uuid_of_nobody());
    let many: Vec<String> = (0..33).map(|n| format!("env-{n}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    check(&[""], StatusCode::UNPROCESSABLE_ENTITY).await;
    check(&many, StatusCode::UNPROCESSABLE_ENTITY).await;
    check(&["Production"], StatusCode::UNPROCESSABLE_ENTITY).await;
    check(&["production/d"], StatusCode::UNPROCESSABLE_ENTITY).await;
    check(&["production/d/x"], StatusCode::UNPROCESSABLE_ENTITY).await;
    check(&[&format!("production/d/{web}/logs")], StatusCode::UNPROCESSABLE_ENTITY).await;
    check(&["production", &unknown], StatusCode::NOT_FOUND).await;
    check(&[&format!("staging/d/{web}")], StatusCode::NOT_FOUND).await;
    let status = server.get_status(&format!("{}&limit=0", shared(&["production"]))).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
}

fn uuid_of_nobody() -> &'static str {
    "01890a5d-ac96-774b-bcce-b302099a8057"
}

#[tokio::test]
async fn a_tenant_has_so_many_boards_and_envs_that_are_not_there_keep_none_without_a_reader() {
    let server = Server::start();
    server.report(json!({"workflow": "web"})).await;
    let boards = async || {
        let metrics = server.text("/metrics").await;
        let line = metrics.lines().find_map(|line| line.strip_prefix("shipboard_boards_loaded "));
        line.unwrap().parse::<f64>().unwrap()
    };
    let scopes = |n: usize| (0..25).map(|m| format!("made-up-{n}-{m}")).collect::<Vec<_>>();
    let open = async |n: usize| {
        let scopes = scopes(n);
        let path = shared(&scopes.iter().map(String::as_str).collect::<Vec<_>>());
        server.raw(Method::GET, &path).send().await.unwrap()
    };
    let mut streams = Vec::new();
    for n in 0..40 {
        let stream = open(n).await;
        assert_eq!(stream.status(), StatusCode::OK, "{n}");
        streams.push(stream);
    }
    let refused = open(40).await;
    assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
    assert!(refused.headers().contains_key("retry-after"));
    assert!(refused.text().await.unwrap().contains("boards_per_tenant"));
    let other = server.raw(Method::GET, "/api/v1/tenants/other/envs/production/stream").send().await.unwrap();
    assert_eq!(other.status(), StatusCode::OK, "another tenant's are counted by themselves");
    assert_eq!(open(0).await.status(), StatusCode::OK, "what is loaded is read by whoever comes");
    drop((streams, other));
    eventually("they are let go of", async || (boards().await < 10.0).then_some(())).await;
    assert_eq!(open(40).await.status(), StatusCode::OK);
}
