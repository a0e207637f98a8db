//! The Streams section of the contract, as one instance keeps it.

use std::time::Duration;

use nix::sys::signal::Signal;
use reqwest::StatusCode;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::harness::{Mirror, Server, board, eventually};

#[tokio::test]
async fn a_stream_opens_with_retry_and_a_snapshot_and_the_headers_that_keep_proxies_from_buffering() {
    let server = Server::start();
    server.report(json!({"workflow": "web", "status": "running"})).await;
    let mut stream = server.stream(&board("/stream")).await;
    assert_eq!(stream.header("content-type"), "text/event-stream");
    assert_eq!(stream.header("cache-control"), "no-store, no-transform");
    assert_eq!(stream.header("x-accel-buffering"), "no");
    let retry = stream.block().await.unwrap().retry.unwrap();
    assert!((1_000..3_000).contains(&retry), "{retry}");
    let snapshot = stream.block().await.unwrap();
    assert!(snapshot.is("snapshot"));
    let data = snapshot.data.clone().unwrap();
    let fields: Vec<&String> = data.as_object().unwrap().keys().collect();
    assert_eq!(fields, ["env_id", "event_id", "payload", "tenant_id", "ts", "type"]);
    let payload = snapshot.payload();
    assert_eq!(payload["scope"], "deployments");
    let epoch = payload["epoch"].as_str().unwrap();
    assert_eq!(snapshot.id, Some(format!("{epoch}.{}", snapshot.event_id())));
    assert_eq!(payload["deployments"][0]["status"], "running");
    assert_eq!(payload["has_more"], false);
}

#[tokio::test]
async fn a_stream_is_the_same_on_a_new_connection_and_on_one_that_was_kept() {
    let server = Server::start();
    server.report(json!({"workflow": "web", "external_id": "1"})).await;
    let mut new = server.stream_on_a_new_connection(&board("/stream")).await;
    let mut kept = server.stream(&board("/stream")).await;
    // Told apart by how they end: the front door writes until it closes, hyper in chunks.
    assert_eq!((new.header("connection"), new.header("transfer-encoding")), ("close", ""));
    assert_eq!((kept.header("connection"), kept.header("transfer-encoding")), ("", "chunked"));
    let snapshots = (new.next_of("snapshot").await, kept.next_of("snapshot").await);
    assert_eq!(snapshots.0.payload()["deployments"], snapshots.1.payload()["deployments"]);
    server.report(json!({"workflow": "web", "external_id": "2"})).await;
    for _ in 0..3 {
        assert_eq!(new.next().await, kept.next().await);
    }
    let refused = server.stream_on_a_new_connection(&board("/stream?limit=0")).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(refused.header("content-type"), "application/problem+json");
}

#[tokio::test]
async fn an_env_that_nobody_has_reported_to_is_an_empty_board_that_its_first_report_fills() {
    let server = Server::start();
    let mut stream = server.stream(&board("/stream")).await;
    let snapshot = stream.next_of("snapshot").await;
    assert_eq!(snapshot.event_id(), 0);
    assert_eq!(snapshot.payload()["counts"]["deployments"]["total"], 0);
    server.report(json!({"workflow": "web"})).await;
    let first = stream.next().await;
    assert!(first.is("deployment.upsert"), "{first:?}");
    assert_eq!(first.event_id(), 1);
    assert_eq!(first.id.unwrap(), format!("{}.1", snapshot.payload()["epoch"].as_str().unwrap()));
}

#[tokio::test]
async fn a_snapshot_holds_the_newest_and_tells_of_more() {
    let server = Server::start();
    for n in 0..5 {
        server.report(json!({"workflow": "web", "external_id": format!("{n}")})).await;
    }
    let mut stream = server.stream(&board("/stream?limit=3")).await;
    let snapshot = stream.next_of("snapshot").await;
    let ids: Vec<_> = snapshot.payload()["deployments"].as_array().unwrap().iter().collect();
    let external: Vec<_> = ids.iter().map(|row| row["external_id"].as_str().unwrap()).collect();
    assert_eq!(external, ["4", "3", "2"]);
    assert_eq!(snapshot.payload()["has_more"], true);
    for bad in ["0", "501", "x"] {
        let status = server.get_status(&board(&format!("/stream?limit={bad}"))).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{bad}");
    }
}

#[tokio::test]
async fn progress_is_an_event_of_its_own_and_the_last_of_it_always_comes() {
    let server = Server::start();
    let id = server.report(json!({"workflow": "web", "status": "running"})).await["id"].clone();
    let id = id.as_str().unwrap();
    let mut stream = server.stream(&board("/stream")).await;
    let mut mirror = Mirror::default();
    mirror.apply(&stream.next_of("snapshot").await);
    let updates =
        (1..=30).map(|n| server.update(id, json!({"progress": {"percent": n, "step": format!("{n}/30")}})));
    futures_util::future::join_all(updates).await;
    let mut events = 0;
    while mirror.deployments[id]["progress"]["percent"] != 30.0 {
        let block = stream.next().await;
        assert!(block.is("deployment.progress"), "{block:?}");
        mirror.apply(&block);
        events += 1;
    }
    assert!(events <= 5, "30 reports at once became {events} events");
    let row = server.update(id, json!({"status": "failed"})).await;
    assert_eq!(row["progress"]["percent"], 30.0);
}

#[tokio::test]
async fn a_status_report_takes_waiting_progress_along() {
    let server = Server::start();
    let id = server.report(json!({"workflow": "web", "status": "running"})).await["id"].clone();
    let id = id.as_str().unwrap();
    server.update(id, json!({"progress": {"percent": 10}})).await;
    // Within the pace of the first, so it waits; the status does not.
    let waiting = server.update(id, json!({"progress": {"percent": 50, "phase": "rollout"}}));
    let status = async {
        tokio::task::yield_now().await;
        server.update(id, json!({"status": "failed"})).await
    };
    let (progress, failed) = tokio::join!(waiting, status);
    let row = server.get(&board(&format!("/deployments/{id}"))).await;
    assert_eq!(row["deployment"]["progress"]["percent"], 50.0);
    assert_eq!(progress["progress"]["percent"], 50.0);
    assert_eq!(failed["status"], "failed");
}

#[tokio::test]
async fn the_details_scope_carries_the_timeline_and_only_what_concerns_it() {
    let server = Server::start();
    let id =
        server.report(json!({"workflow": "web", "status": "running", "message": "on its way"})).await["id"]
            .clone();
    let id = id.as_str().unwrap();
    let mut stream = server.stream(&board(&format!("/deployments/{id}/stream"))).await;
    let snapshot = stream.next_of("snapshot").await;
    assert_eq!(snapshot.payload()["scope"], "details");
    assert_eq!(snapshot.payload()["timeline"][0]["message"], "on its way");
    server.report(json!({"workflow": "other", "status": "running"})).await;
    server.update(id, json!({"step": {"name": "migrate", "status": "success"}})).await;
    let counts = stream.next().await;
    assert!(counts.is("counts.update"), "{counts:?}");
    let upsert = stream.next().await;
    assert!(upsert.is("deployment.upsert"), "{upsert:?}");
    assert!(upsert.event_id() > counts.event_id());
    assert_eq!(upsert.payload()["entries"][0]["step"]["name"], "migrate");
    assert_eq!(upsert.payload()["entries"][0]["seq"], 2);
    assert_eq!(server.delete(&board(&format!("/deployments/{id}"))).await, StatusCode::NO_CONTENT);
    assert!(stream.next().await.is("deployment.delete"));
    let end = stream.next_of("stream.end").await;
    assert_eq!(end.payload()["reason"], "gone");
    assert!(stream.block().await.is_none());
    let gone = server.get_status(&board(&format!("/deployments/{id}/stream"))).await;
    assert_eq!(gone, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn the_log_scope_follows_appends_by_offset_and_ends_done() {
    let server = Server::start();
    let id = server.report(json!({"workflow": "web", "status": "running"})).await["id"].clone();
    let id = id.as_str().unwrap();
    let logs = board(&format!("/deployments/{id}/logs"));
    let append = async |offset: usize, text: &str| {
        let request = server.raw(reqwest::Method::POST, &format!("{logs}?offset={offset}"));
        request.body(text.to_owned()).send().await.unwrap().status()
    };
    assert_eq!(append(0, "first\n").await, StatusCode::OK);
    let mut stream = server.stream(&format!("{logs}/stream")).await;
    let snapshot = stream.next_of("snapshot").await;
    assert_eq!((&snapshot.payload()["offset"], &snapshot.payload()["text"]), (&json!(0), &json!("first\n")));
    assert_eq!(append(6, "zweite größer\n").await, StatusCode::OK);
    let more = stream.next_of("log.append").await;
    assert_eq!((&more.payload()["offset"], &more.payload()["text"]), (&json!(6), &json!("zweite größer\n")));
    assert_eq!(append(6, "zweite größer\n").await, StatusCode::OK, "held bytes are acknowledged");
    assert_eq!(append(99, "x").await, StatusCode::CONFLICT, "a gap is refused");
    server.update(id, json!({"status": "success"})).await;
    let done = stream.next_of("log.append").await;
    assert_eq!((&done.payload()["text"], &done.payload()["done"]), (&json!(""), &json!(true)));
    assert_eq!(server.text(&logs).await, "first\nzweite größer\n");
    assert_eq!(server.get(&board(&format!("/deployments/{id}"))).await["deployment"]["has_log"], true);
}

#[tokio::test]
async fn heartbeats_move_the_id_and_fire_nothing() {
    let server = Server::with(&["--heartbeat", "200ms"]);
    server.report(json!({"workflow": "web"})).await;
    let mut stream = server.stream(&board("/stream")).await;
    let snapshot = stream.next_of("snapshot").await;
    for _ in 0..2 {
        let beat = stream.block().await.unwrap();
        assert!(beat.comment.is_some() && beat.event.is_none() && beat.data.is_none(), "{beat:?}");
        assert_eq!(beat.id, snapshot.id);
    }
}

#[tokio::test]
async fn every_connect_is_a_snapshot_whatever_id_it_brings() {
    let server = Server::start();
    server.report(json!({"workflow": "web"})).await;
    let mut first = server.stream(&board("/stream")).await;
    let snapshot = first.next_of("snapshot").await;
    let epoch = snapshot.payload()["epoch"].as_str().unwrap().to_owned();
    let ids =
        [format!("{epoch}.1"), format!("{epoch}.99999"), "other.7".into(), "rubbish".into(), "-1".into()];
    for id in ids {
        let mut stream = server.stream_after(&board("/stream"), &id).await;
        let again = stream.next_of("snapshot").await;
        assert!(again.event_id() >= snapshot.event_id(), "{id}");
    }
    assert!(server.metric("shipboard_reconnects_total{scope=\"deployments\"}").await >= 5);
}

#[tokio::test]
async fn over_a_limit_the_newcomer_is_refused_and_the_connected_goes_on() {
    let server = Server::with(&["--max-streams-per-tenant", "2"]);
    let mut first = server.stream(&board("/stream")).await;
    first.next_of("snapshot").await;
    let second = server.stream(&board("/stream")).await;
    let third = server.stream(&board("/stream")).await;
    assert_eq!(third.status, StatusCode::TOO_MANY_REQUESTS);
    assert!(!third.header("retry-after").is_empty());
    server.report(json!({"workflow": "web"})).await;
    assert!(first.next().await.is("deployment.upsert"));
    drop(second);
    eventually("the permit is given back", async || {
        let stream = server.stream(&board("/stream")).await;
        (stream.status == StatusCode::OK).then_some(())
    })
    .await;
}

#[tokio::test]
async fn on_sigterm_streams_are_told_and_the_server_ends_well() {
    let mut server = Server::with(&["--drain", "1s"]);
    server.report(json!({"workflow": "web"})).await;
    let mut streams = Vec::new();
    for _ in 0..20 {
        let mut stream = server.stream(&board("/stream")).await;
        stream.next_of("snapshot").await;
        streams.push(stream);
    }
    server.signal(Signal::SIGTERM);
    for mut stream in streams {
        let end = stream.next_of("stream.end").await;
        assert_eq!(end.payload()["reason"], "drain");
        assert!(stream.block().await.is_none());
    }
    let told = tokio::time::Instant::now();
    assert!(server.ended().await.success());
    assert!(told.elapsed() < Duration::from_secs(5), "nothing was left to wait for: {:?}", told.elapsed());
}

#[tokio::test]
async fn a_stream_lives_no_longer_than_its_age() {
    let server = Server::with(&["--max-stream-age", "500ms", "--heartbeat", "160ms"]);
    let mut stream = server.stream(&board("/stream")).await;
    stream.next_of("snapshot").await;
    let end = stream.next_of("stream.end").await;
    assert_eq!(end.payload()["reason"], "drain");
    assert!(end.payload()["retry_ms"].as_u64().unwrap() >= 1_000);
}

#[tokio::test]
async fn however_many_read_a_board_is_loaded_once_and_each_frame_and_snapshot_encoded_once() {
    let server = Server::start();
    let id = server.report(json!({"workflow": "web", "status": "running"})).await["id"].clone();
    let path = board("/stream");
    let opened = (0..50).map(|_| async {
        let mut stream = server.stream(&path).await;
        let snapshot = stream.next_of("snapshot").await;
        (stream, snapshot)
    });
    let readers = futures_util::future::join_all(opened).await;
    let (_, first) = &readers[0];
    assert!(
        readers
            .iter()
            .all(|(_, snapshot)| snapshot.payload()["deployments"] == first.payload()["deployments"])
    );
    assert_eq!(server.metric("shipboard_board_loads_total").await, 1);
    assert_eq!(server.metric("shipboard_encodes_total{what=\"snapshot\"}").await, 1);
    let row = server.update(id.as_str().unwrap(), json!({"status": "success"})).await;
    for (mut stream, _) in readers {
        assert_eq!(stream.next().await.payload()["deployment"], row);
        stream.next_of("counts.update").await;
    }
    // The row, its workflow, the counts: three blocks, whoever reads them.
    assert_eq!(server.metric("shipboard_encodes_total{what=\"event\"}").await, 3);
}

/// Opens a stream on a bare socket that reads nothing unless told to.
async fn bare_stream(server: &Server) -> tokio::net::TcpStream {
    let address = server.url.trim_start_matches("http://");
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4_096).unwrap();
    let mut socket = socket.connect(address.parse().unwrap()).await.unwrap();
    let head = format!("GET {} HTTP/1.1\r\nHost: {address}\r\n\r\n", board("/stream"));
    socket.write_all(head.as_bytes()).await.unwrap();
    socket
}

async fn many_events(server: &Server, events: u64) {
    // Each new deployment is three events: the row, its workflow, the counts.
    let reports: Vec<_> =
        (0..500).map(|n| json!({"workflow": "web", "external_id": format!("{n}")})).collect();
    let path = board("/deployments:batch");
    let (status, _) = server.send(reqwest::Method::POST, &path, &json!({"reports": reports})).await;
    assert!(status.is_success());
    let mut flip = 0;
    loop {
        flip += 1;
        let status = if flip % 2 == 0 { "waiting" } else { "running" };
        let reports: Vec<_> = (0..500)
            .map(|n| json!({"workflow": "web", "external_id": format!("{n}"), "status": status, "message": format!("{flip}")}))
            .collect();
        let (status, answer) = server.send(reqwest::Method::POST, &path, &json!({"reports": reports})).await;
        assert!(status.is_success(), "{answer}");
        if answer["event_id"].as_u64().unwrap() >= events {
            return;
        }
    }
}

#[tokio::test]
async fn a_slow_reader_falls_off_the_ring_gets_a_snapshot_and_costs_no_memory() {
    let server = Server::start();
    server.report(json!({"workflow": "web", "external_id": "first"})).await;
    let mut warm = server.stream(&board("/stream")).await;
    warm.next_of("snapshot").await;
    many_events(&server, 5_000).await;
    let before = server.resident_kib();
    let mut slow = Vec::new();
    for _ in 0..20 {
        slow.push(bare_stream(&server).await);
    }
    many_events(&server, 25_000).await;
    let grown = server.resident_kib().saturating_sub(before);
    assert!(grown < 40 * 1_024, "20 readers that read nothing cost {grown} KiB");
    // One of them begins to read: it ends with what is true.
    let truth = server.get(&board("/counts")).await;
    let wanted = format!("\"event_id\":{},", truth["event_id"]);
    let mut reader = slow.pop().unwrap();
    let mut seen = String::new();
    let mut buffer = vec![0; 65_536];
    while !seen.contains(&wanted) {
        let read =
            tokio::time::timeout(crate::harness::PATIENCE, reader.read(&mut buffer)).await.unwrap().unwrap();
        assert!(read > 0, "the stream ended");
        seen.push_str(&String::from_utf8_lossy(&buffer[..read]));
    }
    assert!(seen.matches("event: snapshot").count() >= 2, "it got a new snapshot");
    assert!(server.metric("shipboard_resyncs_total{scope=\"deployments\"}").await >= 1);
}

#[tokio::test]
async fn an_idle_reader_costs_a_few_kibibytes() {
    let server = Server::start();
    server.report(json!({"workflow": "web"})).await;
    let open = "shipboard_streams_open{scope=\"deployments\"}";
    let mut readers = Vec::new();
    let mut connect = async |count: usize| {
        for _ in 0..count {
            readers.push(bare_stream(&server).await);
        }
        let all = readers.len() as u64;
        eventually("all are open", async || (server.metric(open).await == all).then_some(())).await;
    };
    // The first ones pay for what all share.
    connect(100).await;
    let before = server.resident_kib();
    connect(500).await;
    let each = server.resident_kib().saturating_sub(before) as f64 / 500.0;
    assert!(each < 8.0, "an idle reader costs {each:.1} KiB");
}

#[tokio::test]
async fn a_socket_that_takes_no_byte_is_closed_and_its_permit_given_back() {
    let server = Server::with(&["--write-timeout", "500ms"]);
    server.report(json!({"workflow": "web", "external_id": "first"})).await;
    let stalled = bare_stream(&server).await;
    let open = "shipboard_streams_open{scope=\"deployments\"}";
    eventually("the stream is open", async || (server.metric(open).await == 1).then_some(())).await;
    many_events(&server, 8_000).await;
    eventually("the stream is closed", async || (server.metric(open).await == 0).then_some(())).await;
    assert_eq!(server.metric("shipboard_stalled_connections_total").await, 1);
    drop(stalled);
}

#[tokio::test]
async fn a_snapshot_comes_within_200_ms_of_connecting() {
    let server = Server::start();
    many_events(&server, 1_500).await;
    // The machine is busy with other tests: the quickest of a few tells what the server needs.
    let mut quickest = Duration::MAX;
    for _ in 0..5 {
        let began = tokio::time::Instant::now();
        server.stream(&board("/stream?limit=500")).await.next_of("snapshot").await;
        quickest = quickest.min(began.elapsed());
    }
    assert!(quickest < Duration::from_millis(200), "{quickest:?}");
}

#[tokio::test]
async fn a_slow_reader_of_a_busy_board_is_still_given_heartbeats() {
    let server = std::sync::Arc::new(Server::with(&["--heartbeat", "200ms"]));
    server.report(json!({"workflow": "web", "external_id": "first"})).await;
    let mut slow = bare_stream(&server).await;
    let mut busy = tokio::task::JoinSet::new();
    busy.spawn({
        let server = server.clone();
        async move { many_events(&server, 1_000_000).await }
    });
    let mut buffer = vec![0; 4_096];
    let mut seen = String::new();
    eventually("a heartbeat", async || {
        // A request between two reads keeps this reader behind the board.
        server.get_status("/healthz").await;
        let read = slow.read(&mut buffer).await.unwrap();
        assert!(read > 0, "the stream ended");
        seen.push_str(&String::from_utf8_lossy(&buffer[..read]));
        seen.contains(": heartbeat").then_some(())
    })
    .await;
}

#[tokio::test]
async fn progress_that_comes_with_other_things_keeps_its_pace_too() {
    let server = Server::start();
    let id = server.report(json!({"workflow": "web", "external_id": "1", "status": "running"})).await["id"]
        .clone();
    let id = id.as_str().unwrap();
    server.report(json!({"workflow": "web", "external_id": "2", "status": "running"})).await;
    let mut stream = server.stream(&board("/stream")).await;
    stream.next_of("snapshot").await;
    let began = tokio::time::Instant::now();
    for percent in 1..=40 {
        let reports = json!({"reports": [
            {"workflow": "web", "external_id": "1", "progress": {"percent": percent}},
            {"workflow": "web", "external_id": "2", "status": "running"},
        ]});
        let (status, _) = server.send(reqwest::Method::POST, &board("/deployments:batch"), &reports).await;
        assert_eq!(status, StatusCode::OK);
    }
    let mut events = 0;
    loop {
        let block = stream.next_of("deployment.progress").await;
        events += 1;
        if block.payload()["progress"]["percent"] == 40.0 {
            break;
        }
    }
    let most = 2 + began.elapsed().as_millis() / 250;
    assert!(events <= most, "{events} events in {:?}", began.elapsed());
    let row = server.get(&board(&format!("/deployments/{id}"))).await;
    assert_eq!(row["deployment"]["progress"]["percent"], 40.0);
    server.check();
}

#[tokio::test]
async fn a_details_snapshot_says_the_same_whoever_came_first() {
    let server = Server::start();
    let id = server.report(json!({"workflow": "web", "status": "running"})).await["id"].clone();
    let path = board(&format!("/deployments/{}/stream", id.as_str().unwrap()));
    let mut early = server.stream(&path).await;
    early.next_of("snapshot").await;
    server.update(id.as_str().unwrap(), json!({"message": "x".repeat(1_500)})).await;
    early.next_of("deployment.upsert").await;
    let held = server.stream(&path).await.next_of("snapshot").await;
    drop(early);
    let told = held.payload()["timeline"][1]["message"].as_str().unwrap().len();
    assert_eq!(told, 500);
    let rest = server.get(&board(&format!("/deployments/{}", id.as_str().unwrap()))).await;
    assert_eq!(rest["timeline"][1]["message"].as_str().unwrap().len(), 1_500);
}

#[tokio::test]
async fn a_log_is_given_from_the_very_byte_that_was_asked_for_and_done_with_its_last() {
    let server = Server::start();
    let id = server.report(json!({"workflow": "web", "status": "running"})).await["id"].clone();
    let id = id.as_str().unwrap();
    let logs = board(&format!("/deployments/{id}/logs"));
    let mut log = b"a\xff\x80\x80b".to_vec();
    log.resize(200_000, b'.');
    let request = server.raw(reqwest::Method::POST, &format!("{logs}?offset=0")).body(log);
    assert_eq!(request.send().await.unwrap().status(), StatusCode::OK);
    let mut stream = server.stream(&format!("{logs}/stream?offset=199990")).await;
    let snapshot = stream.next_of("snapshot").await;
    assert_eq!(snapshot.payload()["offset"], 199_990);
    let part = server.raw(reqwest::Method::GET, &format!("{logs}?offset=2")).send().await.unwrap();
    assert_eq!(part.bytes().await.unwrap().len(), 199_998);

    let short = server.report(json!({"workflow": "web", "status": "running"})).await["id"].clone();
    let logs = board(&format!("/deployments/{}/logs", short.as_str().unwrap()));
    let append = async |offset: usize, length: usize| {
        let request = server.raw(reqwest::Method::POST, &format!("{logs}?offset={offset}"));
        request.body(vec![0x80; length]).send().await.unwrap().status()
    };
    assert_eq!(append(0, 5).await, StatusCode::OK);
    let mut stream = server.stream(&format!("{logs}/stream?offset=2")).await;
    let snapshot = stream.next_of("snapshot").await;
    assert_eq!((&snapshot.payload()["offset"], &snapshot.payload()["text"]), (&json!(2), &json!("???")));
    assert_eq!(append(5, 200_000).await, StatusCode::OK);
    server.update(short.as_str().unwrap(), json!({"status": "success"})).await;
    let mut end = 5;
    loop {
        let block = stream.next_of("log.append").await;
        assert_eq!(block.payload()["offset"], end);
        end += block.payload()["text"].as_str().unwrap().len();
        if block.payload()["done"] == true {
            break;
        }
    }
    assert_eq!(end, 200_005, "that it has ended is told with the last of it");
}

#[tokio::test]
async fn the_first_heartbeat_comes_within_the_first_period() {
    const PERIOD: Duration = Duration::from_secs(4);
    let server = Server::with(&["--heartbeat", "4s"]);
    // As many as there are beats that share a period, and more: whichever they are given, none waits for a second one.
    let first_heartbeats = (0..24).map(async |_| {
        let mut stream = server.stream_on_a_new_connection(&board("/stream")).await;
        stream.next_of("snapshot").await;
        let opened = tokio::time::Instant::now();
        while stream.block().await.unwrap().comment.is_none() {}
        opened.elapsed()
    });
    for waited in futures_util::future::join_all(first_heartbeats).await {
        assert!(waited < PERIOD * 5 / 4, "{waited:?}");
    }
}
