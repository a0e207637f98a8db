//! A connection whose writes have a deadline, and the clock that its requests' heads have theirs by.
//!
//! A server that waits for a stalled reader's socket no longer asks the response for more, so no
//! deadline inside the response would ever fire: it has to be here.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use hyper::rt;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep};

/// Most bytes the kernel keeps for one slow reader before writes to it wait.
const SEND_BUFFER: usize = 128 * 1024;

/// Most bytes that wait inside the server for one connection's socket, or one response of several on it.
pub(super) const MAX_BUFFER: usize = 64 * 1024;

/// Sets what every connection has: no waiting to fill packets, and little kept for a slow reader.
pub(super) fn prepare(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    socket2::SockRef::from(stream).set_send_buffer_size(SEND_BUFFER)
}

/// A socket that fails when it takes no byte for `patience`.
#[derive(Debug)]
pub(super) struct Socket {
    stream: TcpStream,
    /// What was read of it before it came here.
    first: Bytes,
    patience: Duration,
    /// Runs only while a write waits.
    stalled: Option<Pin<Box<Sleep>>>,
    /// Is told when a head begins to come.
    heads: Heads,
}

impl Socket {
    pub(super) fn new(stream: TcpStream, first: Bytes, patience: Duration, heads: Heads) -> Self {
        Self { stream, first, patience, stalled: None, heads }
    }

    fn watch(
        &mut self,
        context: &mut Context<'_>,
        written: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        if written.is_ready() {
            self.stalled = None;
            return written;
        }
        let patience = self.patience;
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(tokio::time::sleep(patience)));
        ready!(stalled.as_mut().poll(context));
        metrics::counter!("shipboard_stalled_connections_total").increment(1);
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

/// The timer that hyper waits for a connection's heads by. It knows one limit only, for the time between
/// two requests and for the head together; with this one a head that has begun has a shorter one, and so has
/// the first.
#[derive(Clone, Debug)]
pub(super) struct Heads {
    awaited: Arc<Mutex<Head>>,
    within: Duration,
    /// From when on the first has its time: it may have begun to come before hyper waits for it.
    began: Instant,
}

/// What hyper waits for.
#[derive(Debug, Default)]
struct Head {
    /// When the first byte came after hyper began to wait.
    begun: Option<Instant>,
    /// One has come before.
    is_another: bool,
}

impl Heads {
    pub(super) fn new(within: Duration, began: Instant) -> Self {
        Self { awaited: Arc::default(), within, began }
    }

    fn lock(&self) -> MutexGuard<'_, Head> {
        self.awaited.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begun(&self) {
        self.lock().begun.get_or_insert_with(Instant::now);
    }
}

impl rt::Timer for Heads {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn rt::Sleep>> {
        self.sleep_until((Instant::now() + duration).into_std())
    }

    fn sleep_until(&self, deadline: std::time::Instant) -> Pin<Box<dyn rt::Sleep>> {
        let mut head = self.lock();
        head.begun = (!head.is_another).then_some(self.began);
        head.is_another = true;
        drop(head);
        let sleep = Box::pin(tokio::time::sleep_until(Instant::from_std(deadline)));
        Box::pin(Awaited { heads: self.clone(), sleep, has_begun: false })
    }

    fn now(&self) -> std::time::Instant {
        Instant::now().into_std()
    }
}

/// A head that hyper waits for. Polled whenever more of it has come.
struct Awaited {
    heads: Heads,
    sleep: Pin<Box<Sleep>>,
    has_begun: bool,
}

impl rt::Sleep for Awaited {}

impl Future for Awaited {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if !self.has_begun {
            let begun = self.heads.lock().begun;
            if let Some(begun) = begun {
                let deadline = begun + self.heads.within;
                self.sleep.as_mut().reset(deadline);
                self.has_begun = true;
            }
        }
        self.sleep.as_mut().poll(context)
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        if self.first.is_empty() {
            ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        } else {
            let length = self.first.len().min(buffer.remaining());
            buffer.put_slice(&self.first.split_to(length));
        }
        if buffer.filled().len() > before {
            self.heads.begun();
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.watch(context, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.watch(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use hyper::rt::Timer as _;

    use super::*;

    #[tokio::test]
    async fn the_first_head_has_its_time_from_when_it_began_and_the_next_from_its_own_first_byte() {
        let within = Duration::from_millis(20);
        let heads = Heads::new(within, Instant::now() - within);
        let long = Duration::from_hours(1);
        tokio::time::timeout(Duration::from_secs(1), heads.sleep(long))
            .await
            .expect("its time was used before");
        let mut next = heads.sleep(long);
        tokio::time::timeout(2 * within, &mut next).await.expect_err("there is no head yet");
        heads.begun();
        next.await;
    }
}
