//! One kept-alive HTTP/1.1 connection that reads no more of an answer than it has to.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::Result;

/// Where a server is, and what is shown there.
#[derive(Clone)]
pub struct Door {
    /// Where it listens.
    pub address: SocketAddr,
    /// The header with a token; empty where the doors are open.
    authorization: String,
}

impl Door {
    /// One that is open.
    pub fn open(address: SocketAddr) -> Self {
        Self { address, authorization: String::new() }
    }

    /// The same with a token.
    pub fn with(&self, token: &str) -> Self {
        Self { address: self.address, authorization: format!("authorization: Bearer {token}\r\n") }
    }

    /// A request's bytes.
    pub fn request(&self, method: &str, path: &str, body: &str) -> Vec<u8> {
        let Self { address, authorization } = self;
        let about_body = match body.len() {
            0 => String::new(),
            length => format!("content-type: application/json\r\ncontent-length: {length}\r\n"),
        };
        format!("{method} {path} HTTP/1.1\r\nhost: {address}\r\n{authorization}{about_body}\r\n{body}")
            .into_bytes()
    }
}

/// A connection, and the bytes of its last answer.
pub struct Connection {
    socket: TcpStream,
    buffer: Vec<u8>,
    door: Door,
}

/// An answer, as long as its connection is not used again.
pub struct Answer<'a> {
    /// Its status.
    pub status: u16,
    /// Its body.
    pub body: &'a [u8],
}

impl Connection {
    /// Connects.
    pub async fn open(door: &Door) -> Result<Self> {
        let socket = TcpStream::connect(door.address).await?;
        socket.set_nodelay(true)?;
        Ok(Self { socket, buffer: Vec::with_capacity(16_384), door: door.clone() })
    }

    /// A request's bytes.
    pub fn request(&self, method: &str, path: &str, body: &str) -> Vec<u8> {
        self.door.request(method, path, body)
    }

    /// Sends a request and waits for its answer.
    pub async fn send(&mut self, request: &[u8]) -> Result<Answer<'_>> {
        let (status, head) = self.send_for_head(request).await?;
        let end = head + length(&self.buffer[..head])?;
        while self.buffer.len() < end {
            self.read().await?;
        }
        Ok(Answer { status, body: &self.buffer[head..end] })
    }

    /// Sends a request and waits for its answer's status, whatever is to follow.
    pub async fn status(&mut self, request: &[u8]) -> Result<u16> {
        self.send_for_head(request).await.map(|(status, _)| status)
    }

    /// The status, and how long the head is.
    async fn send_for_head(&mut self, request: &[u8]) -> Result<(u16, usize)> {
        self.socket.write_all(request).await?;
        self.buffer.clear();
        let head = loop {
            match find(&self.buffer, b"\r\n\r\n") {
                Some(end) => break end + 4,
                None => self.read().await?,
            }
        };
        let status = std::str::from_utf8(self.buffer.get(9..12).ok_or("no status")?)?.parse()?;
        Ok((status, head))
    }

    async fn read(&mut self) -> Result<()> {
        match self.socket.read_buf(&mut self.buffer).await? {
            0 => Err("the server closed the connection".into()),
            _ => Ok(()),
        }
    }
}

fn length(head: &[u8]) -> Result<usize> {
    let name = b"content-length: ";
    let start = find(head, name).ok_or("an answer without a length")? + name.len();
    let digits = head[start..].iter().take_while(|byte| byte.is_ascii_digit());
    Ok(digits.fold(0, |length, digit| length * 10 + usize::from(digit - b'0')))
}

/// Where `wanted` begins.
pub fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

/// The text between `before` and the next quotation mark.
pub fn text_after<'a>(bytes: &'a [u8], before: &str) -> Option<&'a str> {
    let start = find(bytes, before.as_bytes())? + before.len();
    let length = bytes[start..].iter().position(|byte| *byte == b'"')?;
    std::str::from_utf8(&bytes[start..start + length]).ok()
}
