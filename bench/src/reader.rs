//! A client of a board's stream that keeps nothing but when each event came.

use std::time::Instant;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::Result;
use crate::connection::Door;
use crate::load::TENANT;

/// An event's id, and when it was here.
pub type Arrival = (u64, Instant);

/// Where an env's stream is.
pub fn path(env: &str) -> String {
    format!("/api/v1/tenants/{TENANT}/envs/{env}/stream")
}

/// A stream that is open.
pub struct Reader {
    socket: TcpStream,
    /// What was read after the last whole line.
    rest: Vec<u8>,
    /// All events from the snapshot on.
    pub arrivals: Vec<Arrival>,
}

impl Reader {
    /// Opens a stream of an env, and waits for its snapshot.
    pub async fn open(door: &Door, env: &str) -> Result<Self> {
        let mut socket = TcpStream::connect(door.address).await?;
        socket.write_all(&door.request("GET", &path(env), "")).await?;
        let mut reader = Self { socket, rest: Vec::with_capacity(65_536), arrivals: Vec::new() };
        while reader.arrivals.is_empty() {
            reader.read().await?;
        }
        Ok(reader)
    }

    /// Notes events for as long as they come.
    pub async fn read_on(&mut self) -> Result<()> {
        loop {
            self.read().await?;
        }
    }

    /// Notes the events up to this one.
    pub async fn read_to(&mut self, event_id: u64) -> Result<()> {
        while self.arrivals.last().is_none_or(|(id, _)| *id < event_id) {
            self.read().await?;
        }
        Ok(())
    }

    async fn read(&mut self) -> Result<()> {
        if self.socket.read_buf(&mut self.rest).await? == 0 {
            return Err("a stream ended".into());
        }
        let now = Instant::now();
        let Some(end) = self.rest.iter().rposition(|byte| *byte == b'\n') else { return Ok(()) };
        for line in self.rest[..end].split(|byte| *byte == b'\n') {
            // `id: <epoch>.<event id>`; those of heartbeats say nothing new and do no harm.
            let id = line.strip_prefix(b"id: ").and_then(|id| id.rsplit(|byte| *byte == b'.').next());
            if let Some(id) = id.and_then(|id| std::str::from_utf8(id).ok()?.trim_end().parse().ok()) {
                self.arrivals.push((id, now));
            }
        }
        self.rest.drain(..=end);
        Ok(())
    }
}
