//! TLS of the main address: HTTP/2 with many streams on one connection, certificates that are replaced, and
//! clients that stop half way or do not take what they asked for.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use bytes::Bytes;
use h2::RecvStream;
use h2::client::SendRequest;
use nix::sys::signal::Signal;
use reqwest::{Method, StatusCode};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::harness::{PATIENCE, Server, binary, board, eventually};
use crate::rates::counts_by_what_is_forwarded;

/// A certificate's files, made anew as often as one likes.
struct Files(tempfile::TempDir);

impl Files {
    fn new() -> Self {
        let files = Self(tempfile::tempdir().unwrap());
        files.replace();
        files
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Makes another pair, and puts it in place as careful people do: each file whole.
    fn replace(&self) {
        certify(self.0.path());
        for name in ["certificate.pem", "key.pem"] {
            std::fs::rename(self.path(&format!("new-{name}")), self.path(name)).unwrap();
        }
    }

    fn server(&self, args: &[&str]) -> Server {
        let (cert, key) = (self.path("certificate.pem"), self.path("key.pem"));
        let tls = ["--tls-cert", cert.to_str().unwrap(), "--tls-key", key.to_str().unwrap()];
        Server::with(&[&tls, args].concat())
    }
}

fn certify(directory: &Path) {
    let arguments = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -batch \
        -keyout new-key.pem -out new-certificate.pem -subj /CN=localhost";
    let made =
        Command::new("openssl").current_dir(directory).args(arguments.split_whitespace()).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}

/// Whoever answers is believed; which certificate it showed is looked at afterwards.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

async fn tcp(server: &Server) -> TcpStream {
    TcpStream::connect(server.address()).await.unwrap()
}

/// A connection that offers these protocols.
async fn secured(server: &Server, protocols: &[&str]) -> TlsStream<TcpStream> {
    let provider = Arc::new(ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anybody(provider)))
        .with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
    let name = ServerName::try_from("localhost").unwrap();
    TlsConnector::from(Arc::new(config)).connect(name, tcp(server).await).await.unwrap()
}

fn certificate(stream: &TlsStream<TcpStream>) -> Vec<u8> {
    stream.get_ref().1.peer_certificates().unwrap()[0].to_vec()
}

/// The certificate that a new connection gets.
async fn shown(server: &Server) -> Vec<u8> {
    certificate(&secured(server, &["h2"]).await)
}

/// A connection of HTTP/2.
struct Connection {
    requests: SendRequest<Bytes>,
    host: String,
    /// Drives it; ends when it is closed.
    driver: JoinSet<Result<(), h2::Error>>,
}

impl Connection {
    async fn open(server: &Server) -> Self {
        Self::with_window(server, 65_535).await
    }

    async fn with_window(server: &Server, window: u32) -> Self {
        let stream = secured(server, &["h2", "http/1.1"]).await;
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(b"h2".as_slice()));
        let built = h2::client::Builder::new().initial_window_size(window).handshake(stream).await;
        let (requests, connection) = built.unwrap();
        let mut driver = JoinSet::new();
        driver.spawn(connection);
        Self { requests, host: server.address().to_owned(), driver }
    }

    fn request(&self, method: Method, path: &str) -> axum::http::Request<()> {
        let url = format!("https://{}{path}", self.host);
        axum::http::Request::builder().method(method).uri(url).body(()).unwrap()
    }

    async fn get(&mut self, path: &str) -> axum::http::Response<RecvStream> {
        let request = self.request(Method::GET, path);
        let (response, _) = self.requests.send_request(request, true).unwrap();
        response.await.unwrap()
    }

    async fn stream(&mut self, path: &str) -> Events {
        let response = self.get(path).await;
        assert_eq!(response.status(), StatusCode::OK);
        Events { body: response.into_body(), text: String::new() }
    }

    async fn ended(&mut self) {
        timeout(PATIENCE, self.driver.join_next()).await.expect("the connection is closed");
    }
}

/// A stream's text, block by block.
struct Events {
    body: RecvStream,
    text: String,
}

impl Events {
    /// Reads on until a text has come.
    async fn until(&mut self, wanted: &str) {
        while !self.text.contains(wanted) {
            let read = timeout(PATIENCE, self.body.data()).await.expect("more comes in time");
            let data = read.expect("the stream goes on").unwrap();
            self.body.flow_control().release_capacity(data.len()).unwrap();
            self.text.push_str(std::str::from_utf8(&data).unwrap());
        }
    }
}

async fn whole(response: axum::http::Response<RecvStream>) -> String {
    let mut events = Events { body: response.into_body(), text: String::new() };
    while let Some(data) = events.body.data().await {
        let data = data.unwrap();
        events.body.flow_control().release_capacity(data.len()).unwrap();
        events.text.push_str(std::str::from_utf8(&data).unwrap());
    }
    events.text
}

/// What comes until the other end closes.
async fn rest(stream: &mut (impl tokio::io::AsyncRead + Unpin)) -> String {
    let mut bytes = Vec::new();
    // A connection that is closed without TLS's own farewell is closed too.
    let _ = timeout(PATIENCE, stream.read_to_end(&mut bytes)).await.expect("the connection is closed");
    String::from_utf8_lossy(&bytes).into_owned()
}

async fn stalled(server: &Server) -> u64 {
    server.metric("shipboard_stalled_connections_total").await
}

async fn streams(server: &Server) -> u64 {
    server.metric("shipboard_streams_open{scope=\"deployments\"}").await
}

#[tokio::test]
async fn twenty_streams_on_one_connection_go_on_when_the_certificate_is_replaced() {
    let files = Files::new();
    let server = files.server(&[]);
    assert!(server.url.starts_with("https://"), "{}", server.url);
    let mut connection = Connection::open(&server).await;
    let mut open = Vec::new();
    for _ in 0..20 {
        let mut events = connection.stream(&board("/stream")).await;
        events.until("event: snapshot").await;
        open.push(events);
    }
    assert_eq!(streams(&server).await, 20);
    let before = shown(&server).await;
    files.replace();
    let after = eventually("new connections get the new certificate", async || {
        Some(shown(&server).await).filter(|shown| *shown != before)
    })
    .await;
    server.report(json!({"workflow": "web", "external_id": "after the replacement"})).await;
    for events in &mut open {
        events.until("after the replacement").await;
    }
    assert_eq!(streams(&server).await, 20);
    assert_eq!(shown(&server).await, after);
    assert_eq!(server.metric("shipboard_tls_reloads_total{result=\"taken\"}").await, 1);
}

#[tokio::test]
async fn files_of_no_use_leave_the_certificate_as_it_was() {
    let files = Files::new();
    let server = files.server(&[]);
    let refused = async |times: u64| {
        eventually("what is of no use is refused", async || {
            let refused = server.metric("shipboard_tls_reloads_total{result=\"refused\"}").await;
            (refused == times).then_some(())
        })
        .await;
    };
    let before = shown(&server).await;
    std::fs::write(files.path("certificate.pem"), "-----BEGIN CERTIFICATE-----\nnothing").unwrap();
    refused(1).await;
    assert_eq!(shown(&server).await, before);
    // A certificate whose key has not come.
    certify(files.0.path());
    std::fs::rename(files.path("new-certificate.pem"), files.path("certificate.pem")).unwrap();
    refused(2).await;
    assert_eq!(shown(&server).await, before);
    std::fs::rename(files.path("new-key.pem"), files.path("key.pem")).unwrap();
    eventually("the pair is whole and taken", async || (shown(&server).await != before).then_some(())).await;
}

#[test]
fn a_server_whose_certificate_is_of_no_use_does_not_start_and_says_why() {
    let files = Files::new();
    let (cert, key) = (files.path("certificate.pem"), files.path("key.pem"));
    let other = Files::new();
    let refuses = |cert: &Path, key: &Path, why: &str| {
        let mut command = binary();
        command.current_dir(files.0.path()).args(["serve", "--listen", "127.0.0.1:0"]);
        let output = command.arg("--tls-cert").arg(cert).arg("--tls-key").arg(key).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && said.contains(why), "{said}");
        assert!(!files.path("shipboard.db").exists(), "before anything else is touched");
    };
    refuses(&files.path("none.pem"), &key, "none.pem: No such file");
    refuses(&key, &key, "there is no certificate in it");
    refuses(&cert, &cert, "there is no private key in it");
    refuses(&cert, &other.path("key.pem"), "key");
    let alone = binary().args(["serve", "--tls-cert"]).arg(&cert).output().unwrap();
    assert!(String::from_utf8(alone.stderr).unwrap().contains("one needs the other"));
}

#[tokio::test]
async fn whoever_speaks_plain_http_is_told_that_this_is_https() {
    let files = Files::new();
    let server = files.server(&[]);
    let mut plain = tcp(&server).await;
    plain.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    plain.shutdown().await.unwrap();
    let answer = rest(&mut plain).await;
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    assert!(answer.contains("https://"), "{answer}");
    assert_eq!(server.metric("shipboard_tls_handshakes_total{result=\"plain\"}").await, 1);
}

#[tokio::test]
async fn who_offers_no_http_2_gets_the_same_by_http_1() {
    let files = Files::new();
    let server = files.server(&[]);
    let mut stream = server.stream(&board("/stream")).await;
    stream.next_of("snapshot").await;
    server.report(json!({"workflow": "web"})).await;
    stream.next_of("deployment.upsert").await;
    let mut bare = secured(&server, &[]).await;
    bare.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await.unwrap();
    let answer = rest(&mut bare).await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert!(answer.contains("strict-transport-security: max-age="), "{answer}");
    let signed_out = server.raw(Method::DELETE, "/api/v1/session").send().await.unwrap();
    let cookie = signed_out.headers()["set-cookie"].to_str().unwrap();
    assert!(cookie.starts_with("__Host-") && cookie.ends_with("; Secure"), "{cookie}");
}

#[tokio::test]
async fn the_address_of_operations_stays_plain() {
    let files = Files::new();
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let _server = files.server(&["--ops-listen", &free]);
    let mut plain = TcpStream::connect(&free).await.unwrap();
    plain.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await.unwrap();
    assert!(rest(&mut plain).await.starts_with("HTTP/1.1 200 "));
}

#[tokio::test]
async fn a_name_that_is_not_the_server_s_is_refused_by_http_2_too() {
    let files = Files::new();
    let server = files.server(&[]);
    let mut connection = Connection::open(&server).await;
    assert_eq!(connection.get("/readyz").await.status(), StatusCode::OK);
    connection.host = "evil.example.com".to_owned();
    assert_eq!(connection.get("/readyz").await.status(), StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn a_handshake_that_does_not_end_is_given_up() {
    let files = Files::new();
    let server = files.server(&["--head-timeout", "300ms"]);
    for begun in [b"".as_slice(), b"\x16", b"\x16\x03\x01\x02\x00\x01\x00"] {
        let mut stream = tcp(&server).await;
        stream.write_all(begun).await.unwrap();
        let began = Instant::now();
        assert_eq!(rest(&mut stream).await, "");
        assert!(began.elapsed().as_secs_f64() < 5.0, "{:?}", began.elapsed());
    }
    assert_eq!(server.metric("shipboard_tls_handshakes_total{result=\"late\"}").await, 3);
}

#[tokio::test]
async fn a_head_that_does_not_end_is_given_up_with_tls_and_without() {
    const HALF: &[u8] = b"GET /healthz HTTP/1.1\r\nHo";
    const STREAM: &[u8] = b"GET /api/v1/tenants/acme/envs/production/stream HTTP/1.1\r\nHo";
    // The preface, the settings, and headers that are to go on (RFC 9113, 6.2: no END_HEADERS).
    const FRAMES: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0\0\0\x01\x01\0\0\0\0\x01\x82";
    let files = Files::new();
    let args = ["--head-timeout", "300ms", "--idle-timeout", "1h"];
    let began = Instant::now();
    let server = files.server(&args);
    for (protocols, begun) in [
        (&["http/1.1"][..], HALF),
        (&["http/1.1"], b""),
        (&["h2"], b""),
        (&["h2"], &FRAMES[..9]),
        (&["h2"], FRAMES),
    ] {
        let mut stream = secured(&server, protocols).await;
        stream.write_all(begun).await.unwrap();
        rest(&mut stream).await;
    }
    let server = Server::with(&args);
    for begun in [b"".as_slice(), HALF, STREAM] {
        let mut stream = tcp(&server).await;
        stream.write_all(begun).await.unwrap();
        rest(&mut stream).await;
    }
    assert!(began.elapsed().as_secs_f64() < 15.0, "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_body_that_does_not_end_is_a_408_with_tls_and_without() {
    let files = Files::new();
    let args = ["--body-timeout", "300ms"];
    let (server, plain) = (files.server(&args), Server::with(&args));
    let half =
        format!("POST {} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99\r\n\r\n{{", board("/deployments"));
    let mut stream = tcp(&plain).await;
    stream.write_all(half.as_bytes()).await.unwrap();
    let answer = rest(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    let mut stream = secured(&server, &["http/1.1"]).await;
    stream.write_all(half.as_bytes()).await.unwrap();
    let answer = rest(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    let mut connection = Connection::open(&server).await;
    let request = connection.request(Method::POST, &board("/deployments"));
    let (response, mut body) = connection.requests.send_request(request, false).unwrap();
    body.send_data(Bytes::from_static(b"{"), false).unwrap();
    let response = timeout(PATIENCE, response).await.unwrap().unwrap();
    assert_eq!(response.status(), StatusCode::REQUEST_TIMEOUT);
    assert!(whole(response).await.contains("\"status\":408"));
    // Only that request: the connection goes on.
    assert_eq!(connection.get("/healthz").await.status(), StatusCode::OK);
}

#[tokio::test]
async fn a_connection_of_http_2_is_closed_when_it_is_idle_and_not_while_it_has_a_stream() {
    let files = Files::new();
    let server = files.server(&["--idle-timeout", "300ms"]);
    let (mut idle, mut busy) = (Connection::open(&server).await, Connection::open(&server).await);
    let mut events = busy.stream(&board("/stream")).await;
    assert_eq!(whole(idle.get("/healthz").await).await, "ok\n");
    idle.ended().await;
    server.report(json!({"workflow": "web", "external_id": "still there"})).await;
    events.until("still there").await;
    drop(events);
    busy.ended().await;
    assert_eq!(streams(&server).await, 0);
}

#[tokio::test]
async fn a_stream_whose_window_stays_closed_is_given_up_and_its_neighbour_goes_on() {
    let files = Files::new();
    let server = files.server(&["--write-timeout", "500ms", "--heartbeat", "100ms"]);
    // Room for a snapshot's beginning, and no more unless it is opened again.
    let mut connection = Connection::with_window(&server, 100).await;
    let closed = connection.stream(&board("/stream")).await;
    let mut read = connection.stream(&board("/stream")).await;
    read.until("event: snapshot").await;
    eventually("one of two is left", async || {
        // Its neighbour is read on meanwhile.
        read.text.clear();
        read.until("\n\n").await;
        (stalled(&server).await == 1 && streams(&server).await == 1).then_some(())
    })
    .await;
    server.report(json!({"workflow": "web", "external_id": "for the neighbour"})).await;
    read.until("for the neighbour").await;
    assert_eq!((stalled(&server).await, streams(&server).await), (1, 1));
    drop(closed);
}

#[tokio::test]
async fn a_window_that_was_never_opened_holds_no_stream_either() {
    let files = Files::new();
    let server = files.server(&["--write-timeout", "500ms", "--heartbeat", "100ms"]);
    let mut connection = Connection::with_window(&server, 0).await;
    let _closed = connection.stream(&board("/stream")).await;
    eventually("it is given up", async || {
        (stalled(&server).await == 1 && streams(&server).await == 0).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_stopping_server_sends_the_streams_of_http_2_away_and_ends() {
    let files = Files::new();
    let mut server = files.server(&["--drain", "1s"]);
    let mut connection = Connection::open(&server).await;
    let mut open = Vec::new();
    for _ in 0..5 {
        let mut events = connection.stream(&board("/stream")).await;
        events.until("event: snapshot").await;
        open.push(events);
    }
    let began = Instant::now();
    server.signal(Signal::SIGTERM);
    for events in &mut open {
        events.until("event: stream.end").await;
        assert!(events.text.contains("drain"), "{}", events.text);
    }
    assert!(server.ended().await.success());
    assert!(began.elapsed().as_secs_f64() < 6.0, "{:?}", began.elapsed());
    connection.ended().await;
}

#[tokio::test]
async fn a_trusted_proxy_tells_who_asks_by_http_2_too() {
    let files = Files::new();
    let flags = ["--auth", "required", "--failure-rate", "1"];
    for (trusted, is_believed) in [(&["--trusted-proxies", "127.0.0.1"][..], true), (&[], false)] {
        let server = files.server(&[&flags[..], trusted].concat());
        let connection = Connection::open(&server).await;
        let ask = async |forwarded: &str| {
            let mut request = connection.request(Method::GET, &board("/counts"));
            request.headers_mut().insert("authorization", "Bearer nobody's".parse().unwrap());
            request.headers_mut().insert("x-forwarded-for", forwarded.parse().unwrap());
            let (response, _) = connection.requests.clone().send_request(request, true).unwrap();
            response.await.unwrap().status()
        };
        assert_eq!(counts_by_what_is_forwarded(ask).await, is_believed, "{trusted:?}");
    }
}
