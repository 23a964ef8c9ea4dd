//! Listeners: TLS when configured, HTTP/1.1 and h2, graceful drain.

use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use copilot_guard::guard::ClientAddress;
use http::{Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use tower::{Service, ServiceExt as _};

use crate::config::server::Tls;
use crate::failure::Failure;

/// How long a client may take for its TLS handshake, and for the head of a request.
const PATIENCE: Duration = Duration::from_secs(15);

/// What the data plane speaks in reverse mode; a forward proxy is spoken to in HTTP/1.1 alone.
pub(super) const REVERSE: &[&[u8]] = &[b"h2", b"http/1.1"];
pub(super) const FORWARD: &[&[u8]] = &[b"http/1.1"];

/// Reads certificate chain and key.
pub(super) fn tls(files: &Tls, protocols: &[&[u8]]) -> Result<TlsAcceptor, Failure> {
    let bad = |file: &std::path::Path, error: &dyn std::fmt::Display| {
        Failure::new(
            format!("`{}` cannot be used for TLS", file.display()),
            error,
            "give PEM files of a certificate chain and its private key",
        )
    };
    let chain = CertificateDer::pem_file_iter(&files.cert)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|e| bad(&files.cert, &e))?;
    let key = PrivateKeyDer::from_pem_file(&files.key).map_err(|e| bad(&files.key, &e))?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| bad(&files.cert, &e))?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(|e| bad(&files.key, &e))?;
    config.alpn_protocols = protocols.iter().map(|p| p.to_vec()).collect();
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// Serves until `stopped` says so, then lets open connections end within `drain`.
pub(super) async fn serve<S, B>(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    service: S,
    mut stopped: watch::Receiver<bool>,
    drain: Duration,
) where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let graceful = GracefulShutdown::new();
    loop {
        let (stream, peer) = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => (stream, peer),
                Err(error) => {
                    // Out of file descriptors, mostly: give others time to close some.
                    tracing::warn!(%error, "a connection was not accepted");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            },
            _ = stopped.changed() => break,
        };
        // A delta must not wait for the next one.
        let _ = stream.set_nodelay(true);
        let watcher = graceful.watcher();
        let tls = tls.clone();
        let service = service.clone().map_request(from(peer.ip()));
        tokio::spawn(async move {
            match tls {
                None => connection(stream, service, watcher).await,
                Some(tls) => match handshake(tls, stream).await {
                    Some(stream) => connection(stream, service, watcher).await,
                    None => tracing::debug!("a TLS handshake failed"),
                },
            }
        });
    }
    drop(listener);
    if tokio::time::timeout(drain, graceful.shutdown()).await.is_err() {
        tracing::warn!("connections were still open at the end of the drain");
    }
}

/// Says where a request came from.
pub(crate) fn from<B>(address: IpAddr) -> impl FnMut(Request<B>) -> Request<B> + Clone + Send + 'static {
    move |mut request| {
        request.extensions_mut().insert(ClientAddress(address));
        request
    }
}

async fn handshake(
    tls: TlsAcceptor,
    stream: TcpStream,
) -> Option<tokio_rustls::server::TlsStream<TcpStream>> {
    tokio::time::timeout(PATIENCE, tls.accept(stream))
        .await
        .ok()?
        .ok()
}

async fn connection<I, S, B>(stream: I, service: S, watcher: hyper_util::server::graceful::Watcher)
where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let connection = http()
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(service))
        .into_owned();
    if let Err(error) = watcher.watch(connection).await {
        tracing::debug!(%error, "a connection ended with an error");
    }
}

/// How HTTP is spoken with clients of models.
pub(crate) fn http() -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(PATIENCE);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(Duration::from_secs(30))
        // A token may have 16 KiB, and is not all there is.
        .max_header_list_size(64 << 10);
    // Requests with bodies of tens of megabytes are usual; a window of this size lets them through without stalls.
    builder
        .http2()
        .initial_stream_window_size(1 << 20)
        .initial_connection_window_size(4 << 20);
    builder
}
