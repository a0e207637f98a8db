//! The accept loop: how many connections there may be, and how long each of them has for what.
//!
//! A plain connection that is for a stream stays with the front door; all others, and all with TLS, are hyper's.

use std::future::Future;
use std::io;
use std::pin::pin;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::Router;
use axum::http::Request;
use bytes::BytesMut;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;
use tokio_rustls::server::TlsStream;
use tower_service::Service as _;

use super::client::Peer;
use super::socket::{self, Heads, MAX_BUFFER, Socket};
use super::{front, http2};
use crate::app::App;
use crate::config::Config;
use crate::limits::{self, Connections};
use crate::tls::{HTTP_2, Tls};

/// What every TLS connection begins with: a record of the handshake's.
const HANDSHAKE: u8 = 0x16;
/// What a client gets that speaks plain HTTP where TLS is spoken.
const NOT_PLAIN: &str = "This address speaks HTTPS: https://, not http://.\n";
/// Most bytes of a plain request that are read, for its answer to arrive.
const MAX_PLAIN: u64 = 64 * 1024;
/// Connections beside those that streams may have. Whoever comes when all are taken waits in the kernel.
const MORE_CONNECTIONS: usize = 1_000;
/// Most connections to the address of operations.
pub(super) const OPS_CONNECTIONS: usize = 100;
/// What answers under way are given at least when the server stops.
const LAST_ANSWERS: Duration = Duration::from_secs(1);

/// An address that is served.
#[derive(Clone, Debug)]
struct Door {
    app: Arc<App>,
    routes: Router,
    tls: Option<Tls>,
    room: Arc<Semaphore>,
    /// By whom connections are counted, where strangers come.
    connections: Option<Arc<Connections>>,
    ending: Ending,
}

/// A connection's place among all, and among its network's.
#[derive(Debug)]
pub(super) struct Place {
    _of_all: OwnedSemaphorePermit,
    _of_network: Option<limits::Place>,
}

/// When connections have to have ended, once the server stops.
#[derive(Clone, Debug)]
pub(super) struct Ending {
    app: Arc<App>,
    draining_since: Arc<OnceLock<Instant>>,
}

/// Serves `routes`, and operations on an address of their own, until the server stops. Operations are for
/// inside: there is no TLS for them.
pub(super) fn serve(
    app: &Arc<App>,
    tls: Option<Tls>,
    main: (TcpListener, Router),
    ops: Option<(TcpListener, Router)>,
) {
    let ending = Ending { app: app.clone(), draining_since: Arc::default() };
    let (noting, draining) = (ending.draining_since.clone(), app.draining.clone());
    app.tasks.spawn_until_stop(async move {
        draining.cancelled().await;
        let _ = noting.set(Instant::now());
    });
    let most = most_connections(&app.config);
    let main = (main, tls, most, Some(app.limits.connections.clone()));
    let ops = ops.map(|ops| (ops, None, OPS_CONNECTIONS, None));
    for ((listener, routes), tls, most, connections) in std::iter::once(main).chain(ops) {
        let room = Arc::new(Semaphore::new(most));
        let door = Door { app: app.clone(), routes, tls, room, connections, ending: ending.clone() };
        app.tasks.spawn_until_stop(accept(door, listener));
    }
}

/// Most connections to the main address.
pub(super) fn most_connections(config: &Config) -> usize {
    config.max_streams.saturating_add(MORE_CONNECTIONS).min(Semaphore::MAX_PERMITS)
}

async fn accept(door: Door, listener: TcpListener) {
    loop {
        // Asked for before the connection is taken: those without a place are not accepted.
        let Ok(of_all) = door.room.clone().acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, peer)) => {
                let peer = Peer::from(peer);
                let Some(place) = door.place(of_all, peer) else { continue };
                match socket::prepare(&stream) {
                    Ok(()) if door.tls.is_some() => {
                        door.app.tasks.spawn(secured(door.clone(), stream, peer, place));
                    }
                    Ok(()) => door.app.tasks.spawn(plain(door.clone(), stream, peer, place)),
                    Err(error) => tracing::debug!(%error, "a connection broke before it began"),
                }
            }
            // Out of files, most likely: those that are open go on, and new ones wait.
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

impl Door {
    /// A place among its network's connections for one that has a place among all. None: it is closed without a word,
    /// which costs the least.
    fn place(&self, of_all: OwnedSemaphorePermit, Peer(address): Peer) -> Option<Place> {
        match self.connections.as_ref().map(|connections| connections.enter(address)).transpose() {
            Ok(of_network) => Some(Place { _of_all: of_all, _of_network: of_network }),
            Err(reason) => {
                metrics::counter!("shipboard_connections_refused_total", "reason" => reason).increment(1);
                tracing::debug!(%address, reason, "a connection was refused");
                None
            }
        }
    }
}

/// A connection without TLS.
async fn plain(door: Door, stream: TcpStream, peer: Peer, place: Place) {
    let began = Instant::now();
    let entered = front::enter(&door.app, stream, peer, &door.routes, &door.ending, place, began).await;
    // The place is given back when this task ends.
    let Some((stream, first, _place)) = entered else { return };
    let heads = Heads::new(door.app.config.head_timeout, began);
    let socket = Socket::new(stream, first, door.app.config.write_timeout, heads.clone());
    http1(door, socket, heads, peer).await;
}

/// A connection with TLS, whose socket has the same deadlines below it.
async fn secured(door: Door, stream: TcpStream, peer: Peer, _place: Place) {
    let Some(tls) = &door.tls else { return };
    let began = Instant::now();
    let heads = Heads::new(door.app.config.head_timeout, began);
    let begun = tokio::select! {
        begun = tokio::time::timeout(door.app.config.head_timeout, shake_hands(&door, tls, stream, &heads)) => begun,
        () = door.app.tasks.stopping().cancelled() => return,
    };
    let result = match &begun {
        Ok(Ok(Begun::Secured(_))) => "done",
        Ok(Ok(Begun::Plain)) => "plain",
        Ok(Err(_)) => "failed",
        Err(_) => "late",
    };
    metrics::counter!("shipboard_tls_handshakes_total", "result" => result).increment(1);
    let stream = match begun {
        Ok(Ok(Begun::Secured(stream))) => *stream,
        Ok(Ok(Begun::Plain)) | Err(_) => return,
        Ok(Err(error)) => return tracing::debug!(%error, "a TLS handshake failed"),
    };
    if stream.get_ref().1.alpn_protocol() == Some(HTTP_2) {
        http2::serve(&door.app, stream, peer, door.routes, &door.ending, began).await;
    } else {
        http1(door, stream, heads, peer).await;
    }
}

/// What a connection to an address with TLS turned out to be.
enum Begun {
    Secured(Box<TlsStream<Socket>>),
    Plain,
}

async fn shake_hands(door: &Door, tls: &Tls, mut stream: TcpStream, heads: &Heads) -> io::Result<Begun> {
    let mut first = BytesMut::with_capacity(1_024);
    if stream.read_buf(&mut first).await? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    if first[0] != HANDSHAKE {
        refuse_plain(stream).await?;
        return Ok(Begun::Plain);
    }
    let socket = Socket::new(stream, first.freeze(), door.app.config.write_timeout, heads.clone());
    Ok(Begun::Secured(Box::new(tls.acceptor().accept(socket).await?)))
}

/// Tells a person who has typed `http://` what is wrong.
async fn refuse_plain(mut stream: TcpStream) -> io::Result<()> {
    let answer = format!(
        "HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain\r\ncontent-length: {}\r\nconnection: close\r\n\r\n\
         {NOT_PLAIN}",
        NOT_PLAIN.len()
    );
    stream.write_all(answer.as_bytes()).await?;
    stream.shutdown().await?;
    // A socket that is closed with something unread takes back what it has sent.
    tokio::io::copy(&mut stream.take(MAX_PLAIN), &mut tokio::io::sink()).await.map(drop)
}

/// Serves a connection of HTTP/1.1 to its end.
async fn http1<S>(door: Door, socket: S, heads: Heads, peer: Peer)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let Door { app, routes, ending, .. } = door;
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(peer);
        routes.clone().call(request)
    });
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(heads)
        .header_read_timeout(app.config.idle_timeout)
        .max_buf_size(MAX_BUFFER)
        .serve_connection(TokioIo::new(socket), service);
    let mut connection = pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => Some(ended),
        () = app.tasks.stopping().cancelled() => {
            connection.as_mut().graceful_shutdown();
            ending.in_time(connection).await
        }
    };
    match ended {
        Some(Ok(())) => {}
        Some(Err(error)) => tracing::debug!(%error, "a connection ended"),
        None => tracing::debug!("a connection was dropped: the server ends"),
    }
}

impl Ending {
    /// Does something to its end, if that comes before the end of the server.
    pub(super) async fn unless_over<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        let mut work = pin!(work);
        tokio::select! {
            done = work.as_mut() => Some(done),
            () = self.app.tasks.stopping().cancelled() => self.in_time(work).await,
        }
    }

    /// The server stops: what is under way has the rest of the drain window. It may be over.
    async fn in_time<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        let now = Instant::now();
        let window = *self.draining_since.get().unwrap_or(&now) + self.app.config.drain;
        tokio::time::timeout_at(window.max(now + LAST_ANSWERS), work).await.ok()
    }
}
