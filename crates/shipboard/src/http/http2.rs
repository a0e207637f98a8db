//! A connection of HTTP/2: many requests on one socket, and none of them may hold what it does not use.
//!
//! The socket's own deadline does not see a client that opens no window for one response: the others go on,
//! and hyper no longer asks that response for more. So each response is watched here.

use std::collections::HashMap;
use std::convert::Infallible;
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderValue, Request, Response, header};
use bytes::Bytes;
use hyper::body::{Frame, Incoming, SizeHint};
use hyper::rt::Executor;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior};
use tower_service::Service as _;

use super::accept::Ending;
use super::client::Peer;
use super::socket::MAX_BUFFER;
use crate::app::App;
use crate::tasks::Tasks;

/// Most requests under way on one connection: more than a browser has tabs.
pub(super) const MAX_CONCURRENT: u32 = 256;
/// Longest head of a request, unpacked.
pub(super) const MAX_HEAD: u32 = 16 * 1024;
/// What a client may send of one body, and of all together, before we have read it.
const STREAM_WINDOW: u32 = 256 * 1024;
const CONNECTION_WINDOW: u32 = 1024 * 1024;
/// Requests that a client took back before we came to them, and those that we reset: more end the connection.
pub(super) const MAX_RESET: usize = 64;
/// How often the other end is asked whether it is still there, and how long it may take to answer.
const PING: Duration = Duration::from_secs(20);
/// Most bytes of a body handed over at once, so that a slow client's progress is seen.
const PIECE: usize = 16 * 1024;

/// Where hyper starts the work on each request.
#[derive(Clone)]
struct OnTasks(Tasks);

impl<F: Future<Output = ()> + Send + 'static> Executor<F> for OnTasks {
    fn execute(&self, work: F) {
        self.0.spawn(work);
    }
}

/// Serves a connection to its end.
pub(super) async fn serve<S>(
    app: &Arc<App>,
    socket: S,
    peer: Peer,
    routes: Router,
    ending: &Ending,
    began: Instant,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let exchanges = Arc::new(Exchanges::default());
    let service = {
        let exchanges = exchanges.clone();
        service_fn(move |request| answer(exchanges.clone(), routes.clone(), request, peer))
    };
    let mut builder = http2::Builder::new(OnTasks(app.tasks.clone()));
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(MAX_CONCURRENT)
        .max_header_list_size(MAX_HEAD)
        .max_pending_accept_reset_streams(MAX_RESET)
        .max_local_error_reset_streams(MAX_RESET)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_send_buf_size(MAX_BUFFER)
        .keep_alive_interval(PING)
        .keep_alive_timeout(PING);
    let connection = builder.serve_connection(TokioIo::new(socket), service);
    let served = async {
        let mut connection = pin!(connection);
        let config = &app.config;
        let (head, idle, write) = (config.head_timeout, config.idle_timeout, config.write_timeout);
        let ended = tokio::select! {
            ended = connection.as_mut() => Some(ended),
            // The first head has what the handshake left of its time.
            () = exchanges.over(head.saturating_sub(began.elapsed()), idle, write) => None,
            // What is asked for from now on is asked elsewhere: on another connection.
            () = app.draining.cancelled() => None,
            // As streams end for their age, so that load spreads again after a rollout.
            () = aged(config.max_stream_age) => None,
        };
        if let Some(ended) = ended {
            return ended;
        }
        connection.as_mut().graceful_shutdown();
        tokio::select! {
            ended = connection.as_mut() => ended,
            // It does not leave by itself.
            () = exchanges.over(head, head, write) => Ok(()),
        }
    };
    match ending.unless_over(served).await {
        Some(Ok(())) => {}
        Some(Err(error)) => tracing::debug!(%error, "a connection ended"),
        None => tracing::debug!("a connection was dropped: the server ends"),
    }
}

async fn aged(most: Duration) {
    if most.is_zero() {
        std::future::pending::<()>().await;
    }
    tokio::time::sleep(most).await;
}

async fn answer(
    exchanges: Arc<Exchanges>,
    mut routes: Router,
    mut request: Request<Incoming>,
    peer: Peer,
) -> Result<Response<Watched>, Infallible> {
    let exchange = Exchange::begin(&exchanges);
    request.extensions_mut().insert(peer);
    // The server's name is a part of the address here; everybody behind looks for it in Host.
    let name = request.uri().authority().and_then(|name| HeaderValue::from_str(name.as_str()).ok());
    if let Some(name) = name {
        request.headers_mut().insert(header::HOST, name);
    }
    let response = routes.call(request).await?;
    Ok(response.map(|body| Watched::new(body, exchange)))
}

/// What is under way on one connection.
#[derive(Debug, Default)]
struct Exchanges {
    count: watch::Sender<Count>,
    bodies: Mutex<HashMap<u64, Arc<Mutex<Outgoing>>>>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Count {
    open: usize,
    /// Requests so far, and so the next one's number.
    begun: u64,
}

/// One request until its answer is handed over or given up.
#[derive(Debug)]
struct Exchange {
    all: Arc<Exchanges>,
    number: u64,
}

impl Exchange {
    fn begin(all: &Arc<Exchanges>) -> Self {
        let mut number = 0;
        all.count.send_modify(|count| {
            number = count.begun;
            count.begun += 1;
            count.open += 1;
        });
        Self { all: all.clone(), number }
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        self.all.count.send_modify(|count| count.open -= 1);
    }
}

/// A body as long as somebody takes it.
#[derive(Debug)]
struct Outgoing {
    body: Option<(Body, Exchange)>,
    /// Since when it has not been asked for more, though something was handed out.
    waits_since: Option<Instant>,
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Exchanges {
    /// Waits until the connection is of no use: nothing was asked for within `first`, or nothing has been under
    /// way for `idle`. Gives up responses that nobody takes meanwhile.
    async fn over(&self, first: Duration, idle: Duration, write: Duration) {
        let mut counts = self.count.subscribe();
        // One timer for a connection, whatever is open on it.
        let mut looks = tokio::time::interval(write / 2);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let Count { open, begun } = *counts.borrow_and_update();
            let patience = if begun == 0 { first } else { idle };
            tokio::select! {
                changed = counts.changed() => if changed.is_err() { return },
                () = tokio::time::sleep(patience), if open == 0 => return,
                _ = looks.tick(), if open > 0 => self.give_up(write),
            }
        }
    }

    /// Drops responses that were not asked for more for so long.
    fn give_up(&self, patience: Duration) {
        let all: Vec<_> = lock(&self.bodies).values().cloned().collect();
        for outgoing in all {
            let mut outgoing = lock(&outgoing);
            if outgoing.waits_since.is_some_and(|since| since.elapsed() >= patience) {
                let given_up = outgoing.body.take();
                drop(outgoing);
                if given_up.is_some() {
                    metrics::counter!("shipboard_stalled_connections_total").increment(1);
                    tracing::debug!("a response was given up: nobody took it");
                }
            }
        }
    }
}

/// Nobody took the response for too long.
#[derive(Debug, thiserror::Error)]
#[error("nobody took the response for too long")]
struct GivenUp;

/// A response's body, in pieces, which another may give up while nobody asks for them.
#[derive(Debug)]
struct Watched {
    outgoing: Arc<Mutex<Outgoing>>,
    all: Arc<Exchanges>,
    number: u64,
    /// What was made and is not yet handed out.
    rest: Bytes,
}

impl Watched {
    fn new(body: Body, exchange: Exchange) -> Self {
        let (all, number) = (exchange.all.clone(), exchange.number);
        // From the beginning: it may be that hyper never asks.
        let outgoing = Outgoing { body: Some((body, exchange)), waits_since: Some(Instant::now()) };
        let outgoing = Arc::new(Mutex::new(outgoing));
        lock(&all.bodies).insert(number, outgoing.clone());
        Self { outgoing, all, number, rest: Bytes::new() }
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        lock(&self.all.bodies).remove(&self.number);
    }
}

impl hyper::body::Body for Watched {
    type Data = Bytes;
    type Error = axum::BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let this = self.get_mut();
        let mut outgoing = lock(&this.outgoing);
        outgoing.waits_since = None;
        let Some((body, _)) = outgoing.body.as_mut() else { return Poll::Ready(Some(Err(GivenUp.into()))) };
        if this.rest.is_empty() {
            match ready!(Pin::new(body).poll_frame(context)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => this.rest = data,
                    Err(trailers) => return Poll::Ready(Some(Ok(trailers))),
                },
                Some(Err(error)) => return Poll::Ready(Some(Err(error.into()))),
                None => return Poll::Ready(None),
            }
        }
        let piece = this.rest.split_to(this.rest.len().min(PIECE));
        outgoing.waits_since = Some(Instant::now());
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        let outgoing = lock(&self.outgoing);
        self.rest.is_empty() && outgoing.body.as_ref().is_some_and(|(body, _)| body.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        let outgoing = lock(&self.outgoing);
        match &outgoing.body {
            // Asked for once, before anything is handed out.
            Some((body, _)) if self.rest.is_empty() => body.size_hint(),
            _ => SizeHint::new(),
        }
    }
}
