//! Limits of connections and of memory: what one client may hold of the server.

use nix::sys::signal::Signal;
use reqwest::{Method, StatusCode};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::doors::{closed, known, token};
use crate::harness::{Server, board, eventually};

async fn connect(server: &Server) -> TcpStream {
    TcpStream::connect(server.url.trim_start_matches("http://")).await.unwrap()
}

/// Asks whether the server is alive, on a connection that is kept.
async fn ask(stream: &mut TcpStream) -> String {
    stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"ok\n") {
        assert!(stream.read_buf(&mut answer).await.unwrap() > 0, "the connection was closed");
    }
    String::from_utf8(answer).unwrap()
}

#[tokio::test]
async fn a_head_that_stops_half_way_is_given_up_while_a_kept_connection_stays() {
    let server = Server::start();
    let (mut kept, mut halved) = (connect(&server).await, connect(&server).await);
    ask(&mut kept).await;
    ask(&mut halved).await;
    let began = tokio::time::Instant::now();
    halved.write_all(b"GET /healthz HTTP/1.1\r\nHo").await.unwrap();
    let mut rest = Vec::new();
    // Ends with the connection, about ten seconds on; the kept one has been idle for longer by then.
    let _ = halved.read_to_end(&mut rest).await;
    assert!((9.0..40.0).contains(&began.elapsed().as_secs_f64()), "{:?}", began.elapsed());
    ask(&mut kept).await;
}

#[tokio::test]
async fn a_body_that_stops_half_way_does_not_hold_up_the_end() {
    let mut server = Server::with(&["--drain", "1s"]);
    let mut halved = connect(&server).await;
    let head = format!(
        "POST {} HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 99\r\n\r\n",
        board("/deployments")
    );
    halved.write_all(head.as_bytes()).await.unwrap();
    let mut answer = [0; 12];
    halved.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 100", "the body is being read");
    halved.write_all(b"{").await.unwrap();
    let began = tokio::time::Instant::now();
    server.signal(Signal::SIGTERM);
    assert!(server.ended().await.success());
    assert!(began.elapsed().as_secs_f64() < 8.0, "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_reader_that_has_stalled_does_not_hold_up_the_end() {
    let mut server = Server::with(&["--drain", "1s"]);
    let row = server.report(json!({"workflow": "web"})).await;
    let log = board(&format!("/deployments/{}/logs", row["id"].as_str().unwrap()));
    fill(&server, &log, 8).await;
    let mut stalled = connect(&server).await;
    let request = format!("GET {log} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    stalled.write_all(request.as_bytes()).await.unwrap();
    stalled.readable().await.unwrap();
    let began = tokio::time::Instant::now();
    server.signal(Signal::SIGTERM);
    assert!(server.ended().await.success());
    assert!(began.elapsed().as_secs_f64() < 8.0, "{:?}", began.elapsed());
}

#[tokio::test]
async fn connections_beyond_the_limit_wait_until_there_is_room() {
    let server = Server::with(&["--max-streams", "1"]);
    let mut open = Vec::new();
    for _ in 0..1_001 {
        let mut stream = connect(&server).await;
        ask(&mut stream).await;
        open.push(stream);
    }
    let mut waiting = connect(&server).await;
    waiting.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    // Each of these is answered: the server had time enough for the one that waits.
    for stream in &mut open[..100] {
        ask(stream).await;
    }
    let mut nothing = [0; 1];
    let read = waiting.try_read(&mut nothing);
    assert_eq!(read.unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
    drop(open.pop());
    let mut answer = [0; 15];
    waiting.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200 OK");
}

/// Appends so many MiB of lines to a log.
async fn fill(server: &Server, log: &str, mib: usize) {
    let text = "0123456789abcde\n".repeat(64 * 1024);
    for n in 0..mib {
        let path = format!("{log}?offset={}", n * text.len());
        let sent = server.raw(Method::POST, &path).body(text.clone()).send().await.unwrap();
        assert_eq!(sent.status(), StatusCode::OK);
    }
}

#[tokio::test]
async fn a_log_is_read_in_pieces_however_many_do_not_take_theirs() {
    let server = Server::start();
    let row = server.report(json!({"workflow": "web"})).await;
    let log = board(&format!("/deployments/{}/logs", row["id"].as_str().unwrap()));
    fill(&server, &log, 24).await;
    let whole = server.raw(Method::GET, &log).send().await.unwrap();
    assert_eq!(whole.headers()["shipboard-log-length"], (24 << 20).to_string());
    assert_eq!(whole.content_length(), Some(24 << 20));
    let text = whole.text().await.unwrap();
    assert_eq!(text.len(), 24 << 20);
    assert!(text.lines().all(|line| line == "0123456789abcde"), "in order and without a hole");
    let from = (24 << 20) - 70_001;
    let end = server.text(&format!("{log}?offset={from}")).await;
    assert_eq!(end, text[from..]);

    let before = server.resident_kib();
    let mut stalled = Vec::new();
    for _ in 0..8 {
        let mut stream = connect(&server).await;
        let request = format!("GET {log} HTTP/1.1\r\nHost: localhost\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        stream.readable().await.unwrap();
        stalled.push(stream);
    }
    let grown = server.resident_kib().saturating_sub(before);
    assert!(grown < 40 * 1024, "eight readers that read nothing hold {grown} KiB");
}

#[tokio::test]
async fn one_reader_has_so_many_long_reads_and_gets_one_back_when_one_ends() {
    let mut server = closed(&[]).await;
    let secret = token(&server, "acme", "reporter", &[]);
    known(&mut server, &secret).await;
    let row = server.report(json!({"workflow": "web"})).await;
    let log = board(&format!("/deployments/{}/logs", row["id"].as_str().unwrap()));
    fill(&server, &log, 8).await;
    let read = async |path: &str| server.raw(Method::GET, path).send().await.unwrap();
    let mut held = Vec::new();
    for _ in 0..8 {
        let answer = read(&log).await;
        assert_eq!(answer.status(), StatusCode::OK);
        held.push(answer);
    }
    let refused = read(&log).await;
    assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
    assert!(refused.text().await.unwrap().contains("long_reads_per_token"));
    let end = format!("{log}?offset={}", (8 << 20) - 1_000);
    assert_eq!(read(&end).await.status(), StatusCode::OK, "what is short is not counted");
    drop(held.pop());
    eventually("it is given back", async || (read(&log).await.status() == StatusCode::OK).then_some(()))
        .await;
}

#[tokio::test]
async fn a_page_whose_path_ends_like_a_stream_s_is_a_page() {
    let server = Server::start();
    let mut stream = connect(&server).await;
    let request = b"GET /t/acme/stream HTTP/1.1\r\nHost: localhost\r\n\r\n";
    stream.write_all(request).await.unwrap();
    let head = eventually("a whole head", async || {
        let mut bytes = [0; 4_096];
        let length = stream.peek(&mut bytes).await.unwrap();
        let text = String::from_utf8_lossy(&bytes[..length]).to_lowercase();
        text.contains("\r\n\r\n").then_some(text)
    })
    .await;
    assert!(!head.contains("connection: close"), "the front door is for /api/ alone: {head}");
}

/// A body that says it is of this length, and of which so much comes.
async fn post(server: &Server, path: &str, says: usize, sends: usize) -> TcpStream {
    let mut stream = connect(server).await;
    let head = format!("POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {says}\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(&vec![b' '; sends]).await.unwrap();
    stream
}

/// The beginning of an answer, once it comes.
async fn status(mut stream: TcpStream) -> String {
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).await.unwrap();
    String::from_utf8_lossy(&answer[9..]).into_owned()
}

#[tokio::test]
async fn a_body_that_says_it_is_too_long_is_refused_before_any_of_it_comes() {
    let server = Server::start();
    for path in ["/api/v1/tenants/acme/hooks/github".to_owned(), board("/deployments")] {
        assert_eq!(status(post(&server, &path, (1 << 20) + 1, 0).await).await, "413");
    }
}

#[tokio::test]
async fn bodies_of_strangers_have_so_much_room_and_take_none_from_reports() {
    const MIB: usize = 1 << 20;
    let server = Server::start();
    let hook = "/api/v1/tenants/acme/hooks/github";
    let mut halved = Vec::new();
    for _ in 0..64 {
        halved.push(post(&server, hook, MIB, MIB - 1).await);
    }
    let held = async || server.metric("shipboard_body_bytes{limit=\"unknown_bodies\"}").await;
    eventually("all of it is there", async || (held().await == 64 * (MIB as u64 - 1)).then_some(())).await;
    assert_eq!(status(post(&server, hook, 100, 65).await).await, "429");
    server.report(json!({"workflow": "web"})).await;
    let known = server.metric("shipboard_body_bytes{limit=\"bodies\"}").await;
    assert_eq!(known, 0, "what was read is given back");
    drop(halved);
    eventually("whoever left takes no room", async || (held().await == 0).then_some(())).await;
    assert_eq!(server.metric("shipboard_limited_total{limit=\"unknown_bodies\"}").await, 1);
}

/// An address of this machine's own that is no loopback address, if it has one. Nothing is sent to find out.
fn own_address() -> Option<std::net::IpAddr> {
    let socket = std::net::UdpSocket::bind("0.0.0.0:0").ok()?;
    socket.connect("192.0.2.1:9").ok()?;
    socket.local_addr().ok().map(|address| address.ip()).filter(|address| !address.is_loopback())
}

#[tokio::test]
async fn one_address_has_its_share_of_connections_and_whoever_is_on_the_machine_is_not_counted() {
    let Some(own) = own_address() else { return };
    let server = Server::at("0.0.0.0:0", &["--max-connections-per-address", "2"]);
    let port = server.address().rsplit(':').next().unwrap().parse::<u16>().unwrap();
    let mut open = Vec::new();
    for address in [own, own, std::net::Ipv4Addr::LOCALHOST.into(), std::net::Ipv4Addr::LOCALHOST.into()] {
        let mut stream = TcpStream::connect((address, port)).await.unwrap();
        ask(&mut stream).await;
        open.push(stream);
    }
    let mut refused = TcpStream::connect((own, port)).await.unwrap();
    assert_eq!(refused.read(&mut [0]).await.unwrap_or(0), 0, "it is closed without a word");
    drop(open.remove(0));
    eventually("the place is given back", async || {
        let mut stream = TcpStream::connect((own, port)).await.unwrap();
        let _ = stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
        stream.read(&mut [0; 64]).await.is_ok_and(|read| read > 0).then_some(())
    })
    .await;
}
