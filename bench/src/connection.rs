//! One kept-alive HTTP/1.1 connection that reads no more of an answer than it has to.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::Result;

/// A connection, and the bytes of its last answer.
pub struct Connection {
    socket: TcpStream,
    buffer: Vec<u8>,
    address: SocketAddr,
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
    pub async fn open(address: SocketAddr) -> Result<Self> {
        let socket = TcpStream::connect(address).await?;
        socket.set_nodelay(true)?;
        Ok(Self { socket, buffer: Vec::with_capacity(16_384), address })
    }

    /// A request's bytes.
    pub fn request(&self, method: &str, path: &str, body: &str) -> Vec<u8> {
        let (host, length) = (self.address, body.len());
        format!(
            "{method} {path} HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/json\r\n\
             content-length: {length}\r\n\r\n{body}"
        )
        .into_bytes()
    }

    /// Sends a request and waits for its answer.
    pub async fn send(&mut self, request: &[u8]) -> Result<Answer<'_>> {
        self.socket.write_all(request).await?;
        self.buffer.clear();
        let (start, end) = loop {
            if let Some(head) = find(&self.buffer, b"\r\n\r\n") {
                let end = head + 4 + length(&self.buffer[..head])?;
                if self.buffer.len() >= end {
                    break (head + 4, end);
                }
            }
            if self.socket.read_buf(&mut self.buffer).await? == 0 {
                return Err("the server closed the connection".into());
            }
        };
        let status = std::str::from_utf8(self.buffer.get(9..12).ok_or("no status")?)?.parse()?;
        Ok(Answer { status, body: &self.buffer[start..end] })
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
