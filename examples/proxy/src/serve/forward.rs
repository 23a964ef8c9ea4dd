//! The gateway proper: sends a judged request to its upstream.

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use copilot_guard::clock::SystemClock;
use copilot_guard::credential::CredentialLayer;
use copilot_guard::guard::{BoxError, UpstreamName};
use copilot_guard::outbound::{HttpClient, HyperClient};
use http::{Request, Response, Uri};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tower::util::BoxCloneSyncService;
use tower::{Layer as _, Service, ServiceExt as _};

use super::credentials;
use crate::config::Config;
use crate::failure::Failure;

type Sender = BoxCloneSyncService<Request<Full<Bytes>>, Response<Incoming>, BoxError>;

/// Sends requests upstream, each with its upstream's credential.
#[derive(Clone)]
pub(crate) struct Forward {
    upstreams: Arc<HashMap<String, Upstream>>,
}

struct Upstream {
    base: Uri,
    send: Sender,
}

impl Forward {
    /// Clients for every configured upstream. Nothing is connected yet.
    pub(super) fn new(config: &Config) -> Result<Self, Failure> {
        let mut tcp = HttpConnector::new();
        tcp.set_nodelay(true);
        tcp.enforce_http(false);
        tcp.set_connect_timeout(Some(std::time::Duration::from_secs(10)));
        let tls = hyper_rustls::HttpsConnectorBuilder::new()
            .with_native_roots()
            .map_err(|error| {
                Failure::new(
                    "the system's root certificates cannot be read",
                    error,
                    "install the package ca-certificates",
                )
            })?;
        // Plain HTTP is refused by the configuration but for loopback.
        let connector = tls.https_or_http().enable_all_versions().wrap_connector(tcp);
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(std::time::Duration::from_secs(60))
            .build::<_, Full<Bytes>>(connector);
        let http: Arc<dyn HttpClient> = Arc::new(HyperClient::new().map_err(|error| {
            Failure::new(
                "the client for upstream credentials cannot be made",
                error,
                "install the package ca-certificates",
            )
        })?);
        let mut upstreams = HashMap::new();
        for upstream in &config.upstreams {
            let host = upstream.base_url.host().unwrap_or_default();
            let provider = credentials::provider(&upstream.credential, &http, &upstream.name, host)?;
            let send = match provider {
                None => BoxCloneSyncService::new(client.clone().map_err(Into::into)),
                Some(provider) => {
                    let scheme = upstream.base_url.scheme_str().unwrap_or("https");
                    let authority = upstream.base_url.authority().map_or("", |a| a.as_str());
                    let layer = CredentialLayer::new(provider, Arc::new(SystemClock), scheme, authority);
                    BoxCloneSyncService::new(layer.layer(client.clone()))
                }
            };
            upstreams.insert(
                upstream.name.clone(),
                Upstream {
                    base: upstream.base_url.clone(),
                    send,
                },
            );
        }
        Ok(Self {
            upstreams: Arc::new(upstreams),
        })
    }
}

impl Service<Request<Full<Bytes>>> for Forward {
    type Response = Response<Incoming>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Incoming>, BoxError>> + Send>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<Full<Bytes>>) -> Self::Future {
        let upstreams = self.upstreams.clone();
        Box::pin(async move {
            let name = request
                .extensions()
                .get::<UpstreamName>()
                .map(|n| n.0.clone())
                .unwrap_or_default();
            let upstream = upstreams
                .get(&name)
                .ok_or("the request names no configured upstream")?;
            *request.uri_mut() = target(&upstream.base, request.uri())?;
            *request.version_mut() = http::Version::HTTP_11;
            upstream.send.clone().oneshot(request).await
        })
    }
}

/// The base address with the request's path and query behind its own path.
fn target(base: &Uri, uri: &Uri) -> Result<Uri, BoxError> {
    let prefix = base.path().trim_end_matches('/');
    let rest = uri.path_and_query().map_or("/", |p| p.as_str());
    let builder = Uri::builder()
        .scheme(base.scheme().cloned().ok_or("the base address has no scheme")?)
        .authority(base.authority().cloned().ok_or("the base address has no host")?);
    Ok(builder.path_and_query(format!("{prefix}{rest}")).build()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_the_base_path_as_a_prefix() {
        let uri = |t: &str| t.parse::<Uri>().unwrap();
        let to = |base: &str, path: &str| target(&uri(base), &uri(path)).unwrap().to_string();
        assert_eq!(
            to("https://h", "/v1/messages?beta=true"),
            "https://h/v1/messages?beta=true"
        );
        assert_eq!(to("https://h:8443/api/", "/v1/x"), "https://h:8443/api/v1/x");
        // What the client writes as an authority counts for nothing.
        assert_eq!(to("https://h", "http://evil.test/v1/x"), "https://h/v1/x");
    }
}
