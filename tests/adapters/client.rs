//! A small HTTP/1.1 client, so that what is seen is what is on the wire.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::BOUND;

/// Sends each request on a connection of its own.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    port: u16,
}

/// A whole reply.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Client {
    pub(crate) fn new(port: u16) -> Self {
        Self { port }
    }

    /// Sends a request and leaves the connection open.
    pub(crate) async fn send(&self, method: &str, path: &str, token: Option<&str>, body: &str) -> TcpStream {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).await.unwrap();
        let auth = token.map_or(String::new(), |t| format!("authorization: Bearer {t}\r\n"));
        let length = body.len();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n{auth}x-many: 1\r\nx-many: 2\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(body.as_bytes()).await.unwrap();
        stream
    }

    /// Sends a request and reads the reply to its end.
    pub(crate) async fn request(&self, method: &str, path: &str, token: Option<&str>, body: &str) -> Reply {
        let mut stream = self.send(method, path, token, body).await;
        let mut bytes = Vec::new();
        tokio::time::timeout(BOUND, stream.read_to_end(&mut bytes))
            .await
            .unwrap()
            .unwrap();
        Reply::parse(&bytes)
    }

    pub(crate) async fn post(&self, path: &str, token: &str, body: &str) -> Reply {
        self.request("POST", path, Some(token), body).await
    }

    pub(crate) async fn get(&self, path: &str, token: &str) -> Reply {
        self.request("GET", path, Some(token), "").await
    }
}

/// Reads until `text` has come.
pub(super) async fn read_until(stream: &mut TcpStream, text: &str) {
    let mut seen = Vec::new();
    let reading = async {
        while !String::from_utf8_lossy(&seen).contains(text) {
            let mut piece = [0; 4096];
            let n = stream.read(&mut piece).await.unwrap();
            assert_ne!(n, 0, "ended without {text}: {}", String::from_utf8_lossy(&seen));
            seen.extend_from_slice(&piece[..n]);
        }
    };
    tokio::time::timeout(BOUND, reading).await.unwrap();
}

impl Reply {
    fn parse(bytes: &[u8]) -> Self {
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let head = head.to_ascii_lowercase();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let body = if head.contains("transfer-encoding: chunked") {
            assert!(!head.contains("content-length"), "{head}");
            unchunk(body)
        } else {
            body.to_owned()
        };
        Self { status, head, body }
    }

    /// The values of the stream's events, one JSON text each.
    pub(crate) fn events(&self) -> Vec<serde_json::Value> {
        let data = self.body.lines().filter_map(|line| line.strip_prefix("data: "));
        data.filter(|data| *data != "[DONE]")
            .map(|data| serde_json::from_str(data).unwrap())
            .collect()
    }

    /// What a client joins: every text at `pointer` of every event.
    pub(crate) fn joined(&self, pointer: &str) -> String {
        let events = self.events();
        let texts = events.iter().filter_map(|event| event.pointer(pointer)?.as_str());
        texts.collect()
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

/// Undoes the chunked coding. A missing last chunk fails: the reply was cut off.
fn unchunk(mut body: &str) -> String {
    let mut all = String::new();
    loop {
        let (size, rest) = body.split_once("\r\n").unwrap();
        let size = usize::from_str_radix(size, 16).unwrap();
        if size == 0 {
            return all;
        }
        all.push_str(&rest[..size]);
        body = &rest[size + 2..];
    }
}
