//! The proxies' configurations in `deploy/`, each run by the real proxy before real instances.
//!
//! What runs is the committed text. Exchanged are only addresses, certificates, paths that need root and, where
//! a test says so, the time-outs; a text to be exchanged that is not there fails the test. Reloads are not tested
//! here, and of HTTP/2 only that it is offered.

use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::harness::{PATIENCE, Server, Stream, board, eventually};
use crate::servers::Service;

/// The name in the committed files. Instances in open mode answer to no other, so every answer shows that
/// the proxy passes it on.
const NAME: &str = "ship.example.com";
/// What makes an instance answer to it.
const PUBLIC: [&str; 2] = ["--public-url", "https://ship.example.com"];
/// The instances in the committed files.
const INSTANCES: [&str; 3] = ["10.0.0.11:7700", "10.0.0.12:7700", "10.0.0.13:7700"];
/// What the committed time-outs become where a test waits for them.
const IDLE: Duration = Duration::from_secs(1);
/// How soon a stream has to begin and an event to come, at best.
const AT_ONCE: Duration = Duration::from_millis(100);

/// Where a proxy runs, and how.
struct Place<'a> {
    directory: &'a Path,
    https: u16,
    http: u16,
    /// Whether the longest silence is [`IDLE`].
    is_hasty: bool,
}

impl Place<'_> {
    fn file(&self, name: &str) -> String {
        self.directory.join(name).display().to_string()
    }
}

/// A text of a committed file, and what stands for it in the test.
type Exchange = (&'static str, String);

/// One of the three.
struct Kind {
    program: &'static str,
    configuration: &'static str,
    arguments: fn(&str) -> Vec<String>,
    exchanges: fn(&Place<'_>) -> Vec<Exchange>,
    time_outs: fn() -> Vec<Exchange>,
    /// The signal that ends it at once: nginx has workers, which only it can end; the others wait for streams.
    stop: &'static str,
}

const NGINX: Kind = Kind {
    program: "nginx",
    configuration: "nginx/nginx.conf",
    arguments: |file| ["-e", "stderr", "-g", "daemon off;", "-c", file].map(str::to_owned).to_vec(),
    exchanges: |place| {
        let folders = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
        let folders = folders.map(|name| format!("{name}_temp_path {};", place.file(name))).concat();
        vec![
            ("pid /run/nginx.pid;", format!("pid {};", place.file("pid"))),
            ("error_log /var/log/nginx/error.log warn;", "error_log stderr warn;".to_owned()),
            ("access_log /var/log/nginx/access.log;", format!("access_log off; {folders}")),
            ("listen 80;", format!("listen 127.0.0.1:{};", place.http)),
            ("listen 443 ssl http2;", format!("listen 127.0.0.1:{} ssl http2;", place.https)),
            ("/etc/ssl/ship.example.com.pem", place.file("certificate.pem")),
            ("/etc/ssl/ship.example.com.key", place.file("key.pem")),
        ]
    },
    time_outs: || vec![("proxy_read_timeout 60s;", format!("proxy_read_timeout {}s;", IDLE.as_secs()))],
    stop: "TERM",
};

const CADDY: Kind = Kind {
    program: "caddy",
    configuration: "caddy/Caddyfile",
    arguments: |file| ["run", "--adapter", "caddyfile", "--config", file].map(str::to_owned).to_vec(),
    exchanges: |place| {
        let ports = format!("admin off\nhttp_port {}\nhttps_port {}\n", place.http, place.https);
        let tls = format!("tls {} {}", place.file("certificate.pem"), place.file("key.pem"));
        vec![
            ("grace_period 3s", format!("grace_period 3s\ndefault_bind 127.0.0.1\n{ports}")),
            ("\tencode {", format!("{tls}\nencode {{")),
        ]
    },
    time_outs: || {
        let idle = IDLE.as_secs();
        vec![
            ("read_timeout 60s", format!("read_timeout {idle}s")),
            ("keepalive 30s", "keepalive 500ms".into()),
        ]
    },
    stop: "KILL",
};

const HAPROXY: Kind = Kind {
    program: "haproxy",
    configuration: "haproxy/haproxy.cfg",
    arguments: |file| ["-db", "-f", file].map(str::to_owned).to_vec(),
    exchanges: |place| {
        let certificate = format!("bind 127.0.0.1:{} ssl crt {}", place.https, place.file("both.pem"));
        vec![
            ("user haproxy\n", "\n".to_owned()),
            ("group haproxy\n", "\n".to_owned()),
            ("chroot /var/lib/haproxy\n", "\n".to_owned()),
            // Its open files would be more than everybody may have.
            ("maxconn 12000", "maxconn 200".to_owned()),
            ("bind :80", format!("bind 127.0.0.1:{}", place.http)),
            ("bind :443 ssl crt /etc/haproxy/ship.example.com.pem", certificate),
        ]
    },
    time_outs: || {
        let idle = IDLE.as_secs();
        vec![
            ("timeout server 60s", format!("timeout server {idle}s")),
            ("timeout client 60s", format!("timeout client {idle}s")),
        ]
    },
    stop: "KILL",
};

/// A running proxy, ended when dropped, and also when the test dies.
struct Proxy {
    shell: Child,
    _directory: tempfile::TempDir,
    address: SocketAddr,
    plain: SocketAddr,
}

impl Proxy {
    /// Before these instances; fewer than three are named again.
    async fn before(kind: &Kind, instances: &[&Server]) -> Self {
        Self::start(kind, instances, false).await
    }

    /// The same, with time-outs that a test can wait for.
    async fn hasty_before(kind: &Kind, instances: &[&Server]) -> Self {
        Self::start(kind, instances, true).await
    }

    async fn start(kind: &Kind, instances: &[&Server], is_hasty: bool) -> Self {
        // Between looking for a free port and taking it, somebody else may.
        for _ in 0..5 {
            if let Some(proxy) = Self::try_start(kind, instances, is_hasty).await {
                return proxy;
            }
        }
        panic!("{} does not start; what it said is above", kind.program);
    }

    async fn try_start(kind: &Kind, instances: &[&Server], is_hasty: bool) -> Option<Self> {
        let directory = tempfile::tempdir().unwrap();
        // nginx's workers are another user's if its master is root.
        std::fs::set_permissions(directory.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        certify(directory.path());
        let (https, http) = free_ports();
        let place = Place { directory: directory.path(), https, http, is_hasty };
        let file = directory.path().join("configuration");
        std::fs::write(&file, configuration(kind, &place, instances)).unwrap();
        let shell = supervised(kind, &file, directory.path());
        let at = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let mut proxy = Self { shell, _directory: directory, address: at(https), plain: at(http) };
        eventually("the proxy answers or ends", async || {
            if proxy.shell.try_wait().unwrap().is_some() {
                return Some(false);
            }
            let answer = proxy.request(&client(&proxy), Method::GET, "/healthz").send().await;
            answer.is_ok_and(|answer| answer.status() == StatusCode::OK).then_some(true)
        })
        .await
        .then_some(proxy)
    }

    fn request(&self, client: &reqwest::Client, method: Method, path: &str) -> reqwest::RequestBuilder {
        let url = format!("https://{NAME}:{}{path}", self.address.port());
        // As on the port that users have, where no port is said.
        client.request(method, url).header("host", NAME)
    }

    /// A request on a connection of its own, as a browser would make it.
    fn anew(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.request(&client(self), method, path).header("accept-encoding", "gzip")
    }

    async fn stream(&self) -> Stream {
        let request = self.anew(Method::GET, &board("/stream"));
        tokio::time::timeout(PATIENCE, Stream::open(request)).await.expect("a stream begins")
    }

    async fn report(&self, body: Value) -> StatusCode {
        self.anew(Method::POST, &board("/deployments")).json(&body).send().await.unwrap().status()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // The shell ends the proxy, and then itself.
        drop(self.shell.stdin.take());
        let _ = self.shell.wait();
    }
}

/// The proxy, under a shell that ends it when the test lets go of the shell's input, be it by dying.
fn supervised(kind: &Kind, file: &Path, directory: &Path) -> Child {
    let script = "exec 3<&0; \"$@\" </dev/null 3<&- & proxy=$!; \
        { read -r _ <&3; kill -s \"$STOP\" $proxy; } 2>&- & \
        wait $proxy";
    let mut shell = Command::new("sh");
    shell
        .args(["-c", script, "sh"])
        .arg(program(kind.program))
        .args((kind.arguments)(&file.display().to_string()));
    // Caddy keeps things at home, and would go to an instance through a proxy of the environment's.
    shell.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("HOME", directory);
    shell.env("STOP", kind.stop).current_dir(directory);
    let mut shell =
        shell.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let said: [Box<dyn Read + Send>; 2] =
        [Box::new(shell.stdout.take().unwrap()), Box::new(shell.stderr.take().unwrap())];
    for said in said {
        let name = kind.program;
        let lines = BufReader::new(said).lines();
        std::thread::spawn(move || lines.map_while(Result::ok).for_each(|line| eprintln!("{name}: {line}")));
    }
    shell
}

/// Debian keeps servers where only root's PATH looks.
fn program(name: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(["/usr/sbin".into(), "/usr/local/sbin".into()]);
    let found = folders.map(|folder| folder.join(name)).find(|path| path.is_file());
    found.unwrap_or_else(|| panic!("{name} is not installed: `make servers` says what to do"))
}

/// A certificate for the name that nobody knows, and its key.
fn certify(directory: &Path) {
    let arguments = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -batch \
        -keyout key.pem -out certificate.pem";
    let made = Command::new(program("openssl"))
        .current_dir(directory)
        .args(arguments.split_whitespace())
        .args(["-subj", &format!("/CN={NAME}"), "-addext", &format!("subjectAltName=DNS:{NAME}")])
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let read = |name| std::fs::read_to_string(directory.join(name)).unwrap();
    std::fs::write(directory.join("both.pem"), read("certificate.pem") + &read("key.pem")).unwrap();
}

fn free_ports() -> (u16, u16) {
    let listeners = [(); 2].map(|()| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap());
    let [https, http] = listeners.map(|listener| listener.local_addr().unwrap().port());
    (https, http)
}

fn configuration(kind: &Kind, place: &Place<'_>, instances: &[&Server]) -> String {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy").join(kind.configuration);
    let mut text = std::fs::read_to_string(&file).unwrap();
    let addresses = instances.iter().map(|instance| instance.url.trim_start_matches("http://").to_owned());
    let mut exchanges: Vec<Exchange> = INSTANCES.into_iter().zip(addresses.cycle()).collect();
    exchanges.extend((kind.exchanges)(place));
    if place.is_hasty {
        exchanges.extend((kind.time_outs)());
    }
    for (committed, ours) in exchanges {
        assert!(text.contains(committed), "{}: there is no `{committed}` to exchange", file.display());
        text = text.replace(committed, &ours);
    }
    text
}

fn client(proxy: &Proxy) -> reqwest::Client {
    reqwest::Client::builder()
        .no_proxy()
        .tls_danger_accept_invalid_certs(true)
        .redirect(reqwest::redirect::Policy::none())
        .resolve(NAME, proxy.address)
        .build()
        .unwrap()
}

fn instance(args: &[&str]) -> Server {
    Server::with(&[&PUBLIC, args].concat())
}

/// Readers that an instance has now.
async fn readers(server: &Server) -> u64 {
    server.metric("shipboard_streams_open{scope=\"deployments\"}").await
}

async fn begins_and_goes_on_at_once(kind: &Kind) {
    let server = instance(&[]);
    let proxy = Proxy::before(kind, &[&server]).await;
    // Buffering would cost each of them more than this; a machine that is busy does not.
    let (mut first, mut event) = (Duration::MAX, Duration::MAX);
    for n in 0..5 {
        let began = Instant::now();
        let mut stream = proxy.stream().await;
        assert!(stream.block().await.unwrap().retry.is_some());
        first = first.min(began.elapsed());
        assert!(stream.next().await.is("snapshot"));
        let told = Instant::now();
        let (status, heard) = tokio::join!(
            proxy.report(json!({"workflow": "web", "external_id": format!("{n}")})),
            stream.next_of("deployment.upsert")
        );
        event = event.min(told.elapsed());
        assert_eq!(status, StatusCode::CREATED);
        assert_eq!(heard.payload()["deployment"]["external_id"], format!("{n}"));
    }
    eprintln!("{}: first byte after {first:?}, event after {event:?}", kind.program);
    assert!(first < AT_ONCE && event < AT_ONCE, "first byte after {first:?}, event after {event:?}");
}

async fn compresses_answers_and_not_streams(kind: &Kind) {
    let server = instance(&[]);
    let proxy = Proxy::before(kind, &[&server]).await;
    let text = "the same words again and again ".repeat(10);
    for n in 0..20 {
        server.report(json!({"workflow": "web", "external_id": format!("{n}"), "message": text})).await;
    }
    let list = board("/deployments");
    let plain = proxy.request(&client(&proxy), Method::GET, &list).send().await.unwrap();
    assert_eq!(plain.headers().get("content-encoding"), None);
    let plain = plain.bytes().await.unwrap();
    let answer = proxy.anew(Method::GET, &list).send().await.unwrap();
    assert_eq!(answer.headers()["content-encoding"], "gzip");
    let compressed = answer.bytes().await.unwrap();
    assert!(compressed.len() < plain.len() / 4, "{} bytes of {}", compressed.len(), plain.len());
    let mut stream = proxy.stream().await;
    assert_eq!(stream.header("content-type"), "text/event-stream");
    assert_eq!(stream.header("content-encoding"), "");
    assert_eq!(stream.next().await.payload()["deployments"].as_array().unwrap().len(), 20);
}

async fn outlives_three_time_outs(kind: &Kind) {
    let server = instance(&["--heartbeat", "200ms"]);
    let proxy = Proxy::hasty_before(kind, &[&server]).await;
    let mut stream = proxy.stream().await;
    stream.next_of("snapshot").await;
    let began = Instant::now();
    while began.elapsed() < 3 * IDLE + IDLE / 2 {
        let heartbeat = stream.block().await.expect("the stream goes on");
        assert!(heartbeat.comment.is_some() && heartbeat.event.is_none(), "{heartbeat:?}");
    }
    assert_eq!(proxy.report(json!({"workflow": "web"})).await, StatusCode::CREATED);
    assert!(stream.next().await.is("deployment.upsert"));
}

async fn cuts_what_is_silent(kind: &Kind) {
    let server = instance(&["--heartbeat", "1h"]);
    let proxy = Proxy::hasty_before(kind, &[&server]).await;
    let mut stream = proxy.stream().await;
    stream.next_of("snapshot").await;
    assert_eq!(stream.block().await, None, "without a heartbeat the proxy takes the instance for dead");
}

async fn lets_go_of_readers_that_left(kind: &Kind) {
    let server = instance(&[]);
    let proxy = Proxy::before(kind, &[&server]).await;
    let mut stream = proxy.stream().await;
    stream.next_of("snapshot").await;
    assert_eq!(readers(&server).await, 1);
    drop(stream);
    eventually("the instance is free of the reader", async || (readers(&server).await == 0).then_some(()))
        .await;
}

async fn passes_names_and_bodies_on(kind: &Kind) {
    let server = instance(&[]);
    let proxy = Proxy::before(kind, &[&server]).await;
    let post = |origin: &'static str| {
        let request = proxy.anew(Method::POST, &board("/deployments")).header("origin", origin);
        request.json(&json!({"workflow": "web"})).send()
    };
    assert_eq!(post("https://ship.example.com").await.unwrap().status(), StatusCode::CREATED);
    assert_eq!(post("https://elsewhere.example.com").await.unwrap().status(), StatusCode::FORBIDDEN);

    // One that asks under a foreign name: nginx and HAProxy pass it on and the instance refuses, Caddy has
    // no such site and an empty answer.
    let foreign = client(&proxy).get(format!("https://{NAME}:{}{}", proxy.address.port(), board("/counts")));
    let foreign = foreign.header("host", "elsewhere.example.com").send().await.unwrap();
    let status = foreign.status();
    assert!(status == StatusCode::FORBIDDEN || foreign.bytes().await.unwrap().is_empty(), "{status}");

    let batch = |bytes: usize| {
        let mut body = br#"{"reports": [{"workflow": "web"}]}"#.to_vec();
        body.resize(bytes, b' ');
        let request = proxy.anew(Method::POST, &board("/deployments:batch"));
        request.header("content-type", "application/json").body(body).send()
    };
    assert_eq!(batch(1 << 20).await.unwrap().status(), StatusCode::OK);
    let refused = batch((1 << 20) + 1).await.unwrap();
    assert_eq!(refused.status(), StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(refused.headers()["content-type"], "application/problem+json", "the server's own words");

    let url = format!("http://{}/t/acme/production", proxy.plain);
    let moved = client(&proxy).get(url).header("host", NAME).send().await.unwrap();
    assert_eq!(moved.status(), StatusCode::PERMANENT_REDIRECT);
    let target = moved.headers()["location"].to_str().unwrap();
    assert!(
        target.starts_with("https://ship.example.com") && target.ends_with("/t/acme/production"),
        "{target}"
    );
}

fn offers_http2(proxy: &Proxy) {
    let mut handshake = Command::new(program("openssl"));
    handshake.args(["s_client", "-alpn", "h2,http/1.1", "-servername", NAME, "-connect"]);
    let handshake = handshake.arg(proxy.address.to_string());
    let mut handshake =
        handshake.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    handshake.stdin.take().unwrap().write_all(b"Q\n").unwrap();
    let said = handshake.wait_with_output().unwrap().stdout;
    // After the handshake come the proxy's first bytes of HTTP/2, which are no text.
    assert!(String::from_utf8_lossy(&said).contains("ALPN protocol: h2\n"));
}

async fn shows_one_board_and_does_not_miss_an_instance(kind: &Kind) {
    let postgres = Service::postgres();
    let mut servers = [(); 3].map(|()| Server::instance(&postgres.url(), &PUBLIC));
    let proxy = Proxy::before(kind, &servers.each_ref()).await;
    offers_http2(&proxy);
    // Of an env that is not there yet, each instance would show an epoch of its own until it is.
    assert_eq!(proxy.report(json!({"workflow": "web"})).await, StatusCode::CREATED);
    let mut streams = Vec::new();
    for _ in 0..6 {
        let mut stream = proxy.stream().await;
        stream.next_of("snapshot").await;
        streams.push(stream);
    }
    for server in &servers {
        assert_eq!(readers(server).await, 2, "the streams are shared out evenly");
    }
    connects(&proxy, "one for all").await;
    for stream in &mut streams {
        let event = stream.next_of("deployment.upsert").await;
        assert_eq!(event.payload()["deployment"]["external_id"], "one for all");
    }

    servers[0].kill();
    let mut slowest = Duration::ZERO;
    for n in 0..20 {
        slowest = slowest.max(connects(&proxy, &format!("one gone, {n}")).await);
    }
    // Those of the one that was killed have ended, the others have it all.
    let mut ended = 0;
    for stream in &mut streams {
        ended += usize::from(!gets(stream, "one gone, 19").await);
    }
    assert_eq!(ended, 2);

    servers[1].kill();
    for n in 0..20 {
        slowest = slowest.max(connects(&proxy, &format!("two gone, {n}")).await);
    }
    eprintln!("{}: the slowest connect beside a killed instance took {slowest:?}", kind.program);

    servers[0].restart();
    let mut kept = Vec::new();
    eventually("the instance that came back gets streams", async || {
        kept.push(proxy.stream().await);
        (readers(&servers[0]).await > 0).then_some(())
    })
    .await;
}

/// Whether a stream comes to this deployment before it ends.
async fn gets(stream: &mut Stream, external_id: &str) -> bool {
    while let Some(block) = stream.block().await {
        if block.is("deployment.upsert") && block.payload()["deployment"]["external_id"] == external_id {
            return true;
        }
    }
    false
}

/// A stream and a report through the proxy, and how long the stream took to begin.
async fn connects(proxy: &Proxy, external_id: &str) -> Duration {
    let began = Instant::now();
    let mut stream = proxy.stream().await;
    assert_eq!(stream.status, StatusCode::OK);
    assert!(stream.next().await.is("snapshot"));
    let took = began.elapsed();
    let status = proxy.report(json!({"workflow": "web", "external_id": external_id})).await;
    assert_eq!(status, StatusCode::CREATED);
    took
}

macro_rules! behind {
    ($name:ident, $kind:ident) => {
        mod $name {
            use super::*;

            #[tokio::test]
            async fn a_stream_begins_at_once_and_events_come_at_once() {
                begins_and_goes_on_at_once(&$kind).await;
            }

            #[tokio::test]
            async fn answers_are_compressed_and_streams_are_not() {
                compresses_answers_and_not_streams(&$kind).await;
            }

            #[tokio::test]
            async fn a_stream_outlives_three_idle_time_outs_by_its_heartbeats() {
                outlives_three_time_outs(&$kind).await;
            }

            #[tokio::test]
            async fn a_stream_without_heartbeats_is_cut() {
                cuts_what_is_silent(&$kind).await;
            }

            #[tokio::test]
            async fn a_reader_that_leaves_is_let_go_of() {
                lets_go_of_readers_that_left(&$kind).await;
            }

            #[tokio::test]
            async fn host_and_origin_and_large_bodies_get_through() {
                passes_names_and_bodies_on(&$kind).await;
            }

            #[tokio::test]
            async fn three_instances_show_one_board_and_one_that_is_killed_is_not_missed() {
                shows_one_board_and_does_not_miss_an_instance(&$kind).await;
            }
        }
    };
}

behind!(nginx, NGINX);
behind!(caddy, CADDY);
behind!(haproxy, HAPROXY);
