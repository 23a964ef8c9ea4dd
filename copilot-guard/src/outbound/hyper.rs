//! [`HyperClient`]: requests over HTTPS.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};

use super::endpoint::is_encrypted_or_local;
use super::{HttpClient, MAX_ANSWER, OutboundError};

const CONNECT: Duration = Duration::from_secs(5);
const IDLE: Duration = Duration::from_secs(60);

/// Sends over HTTPS with the system's root certificates, by HTTP/1.1 or 2; plain HTTP on this machine only.
///
/// Keeps every rule of [`HttpClient`]. It does not use a proxy; where the way out leads through one, write an
/// `HttpClient` around the client that knows it. Clones share their connections.
#[derive(Clone)]
pub struct HyperClient {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
}

impl std::fmt::Debug for HyperClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("HyperClient")
    }
}

impl HyperClient {
    /// Reads the system's root certificates.
    ///
    /// # Errors
    /// When there are none, as in an image without a `ca-certificates` package.
    pub fn new() -> Result<Self, OutboundError> {
        let mut tcp = HttpConnector::new();
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(CONNECT));
        // `send` lets plain HTTP go to this machine only.
        tcp.enforce_http(false);
        // Named, not taken from the process: another crate may have switched a second provider on.
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let connector = HttpsConnectorBuilder::new()
            .with_provider_and_native_roots(provider)
            .map_err(|e| {
                OutboundError::new("the system has no root certificates: install ca-certificates", e)
            })?
            .https_or_http()
            .enable_http1()
            .enable_http2()
            .wrap_connector(tcp);
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .build(connector);
        Ok(Self { client })
    }
}

#[async_trait]
impl HttpClient for HyperClient {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, OutboundError> {
        if !is_encrypted_or_local(request.uri(), true) {
            return Err(OutboundError::message(
                "the address is neither https nor on this machine",
            ));
        }
        let response = self
            .client
            .request(request.map(Full::new))
            .await
            .map_err(|e| OutboundError::new("the host does not answer", e))?;
        let (head, body) = response.into_parts();
        let body = Limited::new(body, MAX_ANSWER)
            .collect()
            .await
            .map_err(|e| OutboundError::new("the answer broke off or is too large", e))?
            .to_bytes();
        Ok(Response::from_parts(head, body))
    }
}

#[cfg(test)]
mod tests {
    use super::super::test_server::{Server, answer};
    use super::*;

    fn get(uri: &str) -> Request<Bytes> {
        Request::get(uri).body(Bytes::new()).unwrap()
    }

    #[tokio::test]
    async fn sends_and_reads() {
        let server = Server::start([answer("200 OK", b"{}")]);
        let request = Request::post(server.url("/token"))
            .header("x-a", "b")
            .body(Bytes::from_static(b"c=d"))
            .unwrap();
        let response = HyperClient::new().unwrap().send(request).await.unwrap();
        assert_eq!(
            (response.status().as_u16(), &response.body()[..]),
            (200, &b"{}"[..])
        );
        let seen = server.seen().remove(0);
        assert!(
            seen.starts_with("POST /token HTTP/1.1\r\n") && seen.contains("x-a: b\r\n"),
            "{seen}"
        );
        assert!(seen.ends_with("\r\n\r\nc=d"), "{seen}");
    }

    #[tokio::test]
    async fn follows_nothing_and_reads_no_more_than_the_bound() {
        let redirect = answer("302 Found\r\nlocation: http://127.0.0.1:1/", b"");
        let server = Server::start([redirect]);
        let client = HyperClient::new().unwrap();
        assert_eq!(
            client
                .send(get(&server.url("/")))
                .await
                .unwrap()
                .status()
                .as_u16(),
            302
        );
        for broken in [
            answer("200 OK", &vec![b' '; MAX_ANSWER + 1]),
            b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{}".to_vec(),
        ] {
            let server = Server::start([broken]);
            assert!(client.send(get(&server.url("/"))).await.is_err());
        }
        for elsewhere in [
            "http://idp.example/",
            "ftp://127.0.0.1/",
            "http://localhost.example/",
            "/token",
        ] {
            assert!(client.send(get(elsewhere)).await.is_err(), "{elsewhere}");
        }
    }
}
