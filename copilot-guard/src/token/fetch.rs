//! [`HttpFetcher`]: key documents over HTTPS.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::header::{ACCEPT, CACHE_CONTROL, HeaderMap, USER_AGENT};
use http::{Request, StatusCode, Uri};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

use super::fetcher::MAX_DOCUMENT;
use super::{FetchError, Fetched, KeyFetcher, url};

const TIMEOUT: Duration = Duration::from_secs(5);

/// Fetches over HTTPS with the system's root certificates, by HTTP/1.1 or 2; plain HTTP on this machine only.
///
/// Keeps every rule of [`KeyFetcher`]. It does not use a proxy; where the way out leads through one, write a
/// `KeyFetcher` around the client that knows it.
#[derive(Clone)]
pub struct HttpFetcher {
    client: Client<HttpsConnector<HttpConnector>, Empty<Bytes>>,
}

impl std::fmt::Debug for HttpFetcher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("HttpFetcher")
    }
}

impl HttpFetcher {
    /// Reads the system's root certificates.
    ///
    /// # Errors
    /// When there are none, as in an image without a `ca-certificates` package.
    pub fn new() -> Result<Self, FetchError> {
        // Named, not taken from the process: another crate may have switched a second provider on.
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let connector = HttpsConnectorBuilder::new()
            .with_provider_and_native_roots(provider)
            .map_err(|e| FetchError::new("the system has no root certificates: install ca-certificates", e))?
            .https_or_http()
            .enable_http1()
            .enable_http2()
            .build();
        Ok(Self {
            client: Client::builder(TokioExecutor::new()).build(connector),
        })
    }

    async fn fetch(&self, uri: Uri) -> Result<Fetched, FetchError> {
        let request = Request::get(uri)
            .header(ACCEPT, "application/json")
            .header(USER_AGENT, concat!("copilot-guard/", env!("CARGO_PKG_VERSION")))
            .body(Empty::new())
            .map_err(|e| FetchError::new("the request could not be built", e))?;
        let response = self
            .client
            .request(request)
            .await
            .map_err(|e| FetchError::new("the host does not answer", e))?;
        if response.status() != StatusCode::OK {
            let status = format!("status {}", response.status().as_u16());
            return Err(FetchError::new(
                "the answer is not a 200; redirects are not followed",
                status,
            ));
        }
        let max_age = max_age(response.headers());
        let body = Limited::new(response.into_body(), MAX_DOCUMENT)
            .collect()
            .await
            .map_err(|e| FetchError::new("the body broke off or has more than 1 MiB", e))?
            .to_bytes();
        Ok(Fetched { body, max_age })
    }
}

#[async_trait]
impl KeyFetcher for HttpFetcher {
    async fn get(&self, url: &str) -> Result<Fetched, FetchError> {
        url::check(url, true).map_err(|why| FetchError::new("the address is not acceptable", why))?;
        let uri = url
            .parse()
            .map_err(|e: http::uri::InvalidUri| FetchError::new("not an address", e))?;
        tokio::time::timeout(TIMEOUT, self.fetch(uri))
            .await
            .map_err(|_| FetchError::message("no answer within 5 s"))?
    }
}

fn max_age(headers: &HeaderMap) -> Option<Duration> {
    let mut age = None;
    let values = headers
        .get_all(CACHE_CONTROL)
        .iter()
        .filter_map(|value| value.to_str().ok());
    for directive in values.flat_map(|value| value.split(',')).map(str::trim) {
        if directive.eq_ignore_ascii_case("no-store") || directive.eq_ignore_ascii_case("no-cache") {
            return Some(Duration::ZERO);
        }
        if let Some((name, seconds)) = directive.split_once('=')
            && name.eq_ignore_ascii_case("max-age")
        {
            age = seconds.trim_matches('"').parse().ok().map(Duration::from_secs);
        }
    }
    age
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;

    use super::*;

    /// Answers one connection with `answer` and says where.
    fn serve(answer: Vec<u8>) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = [0; 2048];
            let _ = stream.read(&mut request);
            let _ = stream.write_all(&answer);
        });
        format!("http://{address}/keys")
    }

    fn answer(head: &str, body: &[u8]) -> Vec<u8> {
        let mut bytes = format!("HTTP/1.1 {head}\r\ncontent-length: {}\r\n\r\n", body.len()).into_bytes();
        bytes.extend_from_slice(body);
        bytes
    }

    #[tokio::test]
    async fn reads_a_document_and_its_age() {
        let url = serve(answer("200 OK\r\ncache-control: public, max-age=600", b"{}"));
        let fetched = HttpFetcher::new().unwrap().get(&url).await.unwrap();
        assert_eq!(&fetched.body[..], b"{}");
        assert_eq!(fetched.max_age, Some(Duration::from_secs(600)));
    }

    #[tokio::test]
    async fn refuses_redirects_errors_and_size() {
        let fetcher = HttpFetcher::new().unwrap();
        let rows = [
            (
                "redirect",
                answer("302 Found\r\nlocation: http://127.0.0.1:1/", b""),
            ),
            ("error", answer("500 Oops", b"{}")),
            ("size", answer("200 OK", &vec![b' '; MAX_DOCUMENT + 1])),
            (
                "cut off",
                b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{}".to_vec(),
            ),
        ];
        for (name, answer) in rows {
            assert!(fetcher.get(&serve(answer)).await.is_err(), "{name}");
        }
        for url in [
            "http://idp.example/keys",
            "ftp://127.0.0.1/",
            "http://localhost.example/",
            "/keys",
        ] {
            assert!(fetcher.get(url).await.is_err(), "{url}");
        }
    }

    #[test]
    fn reads_cache_control() {
        let rows = [
            ("max-age=60", Some(60)),
            ("public, Max-Age=\"61\"", Some(61)),
            ("max-age=62, no-cache", Some(0)),
            ("no-store", Some(0)),
            ("max-age=-1", None),
            ("s-maxage=9", None),
        ];
        for (value, seconds) in rows {
            let headers = HeaderMap::from_iter([(CACHE_CONTROL, value.parse().unwrap())]);
            assert_eq!(max_age(&headers), seconds.map(Duration::from_secs), "{value}");
        }
    }
}
