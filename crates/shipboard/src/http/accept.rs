//! The accept loop: how many connections there may be, and how long each of them has for what.
//!
//! A connection that is for a stream stays with the front door; all others are hyper's.

use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::Router;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use super::front;
use super::socket::{self, Heads, Socket};
use crate::app::App;

/// How long a client may take to send a request's head.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a connection is kept between two requests: longer than proxies keep theirs (60 s as a rule),
/// for they would send a report into one that is just being closed.
const IDLE_TIMEOUT: Duration = Duration::from_secs(75);
/// Most bytes that wait inside the server for one connection's socket.
const MAX_BUFFER: usize = 64 * 1024;
/// Connections beside those that streams may have. Whoever comes when all are taken waits in the kernel.
const MORE_CONNECTIONS: usize = 1_000;
/// Most connections to the address of operations.
const OPS_CONNECTIONS: usize = 100;
/// What answers under way are given at least when the server stops.
const LAST_ANSWERS: Duration = Duration::from_secs(1);

/// An address that is served.
#[derive(Clone, Debug)]
struct Door {
    app: Arc<App>,
    routes: Router,
    room: Arc<Semaphore>,
    ending: Ending,
}

/// When connections have to have ended, once the server stops.
#[derive(Clone, Debug)]
pub(super) struct Ending {
    app: Arc<App>,
    draining_since: Arc<OnceLock<Instant>>,
}

/// Serves `routes`, and operations on an address of their own, until the server stops.
pub(super) fn serve(app: &Arc<App>, main: (TcpListener, Router), ops: Option<(TcpListener, Router)>) {
    let ending = Ending { app: app.clone(), draining_since: Arc::default() };
    let (noting, draining) = (ending.draining_since.clone(), app.draining.clone());
    app.tasks.spawn_until_stop(async move {
        draining.cancelled().await;
        let _ = noting.set(Instant::now());
    });
    let most = app.config.max_streams.saturating_add(MORE_CONNECTIONS).min(Semaphore::MAX_PERMITS);
    for ((listener, routes), most) in
        std::iter::once((main, most)).chain(ops.map(|ops| (ops, OPS_CONNECTIONS)))
    {
        let room = Arc::new(Semaphore::new(most));
        let door = Door { app: app.clone(), routes, room, ending: ending.clone() };
        app.tasks.spawn_until_stop(accept(door, listener));
    }
}

async fn accept(door: Door, listener: TcpListener) {
    loop {
        // Asked for before the connection is taken: those without a place are not accepted.
        let Ok(place) = door.room.clone().acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, _)) => match socket::prepare(&stream) {
                Ok(()) => door.app.tasks.spawn(connection(door.clone(), stream, place)),
                Err(error) => tracing::debug!(%error, "a connection broke before it began"),
            },
            // Out of files, most likely: those that are open go on, and new ones wait.
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

async fn connection(door: Door, stream: TcpStream, place: OwnedSemaphorePermit) {
    let Door { app, routes, ending, .. } = door;
    let entered = front::enter(&app, stream, &routes, HEAD_TIMEOUT, &ending, place).await;
    // The place is given back when this task ends.
    let Some((stream, first, _place)) = entered else { return };
    let heads = Heads::new(HEAD_TIMEOUT);
    let socket = Socket::new(stream, first, app.config.write_timeout, heads.clone());
    let service = TowerToHyperService::new(routes);
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(heads)
        .header_read_timeout(IDLE_TIMEOUT)
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
