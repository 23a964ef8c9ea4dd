//! Forward mode: a proxy that opens tunnels (`CONNECT`) and looks into those that lead to a model.
//!
//! ```text
//! CONNECT ─► who? (Proxy-Authorization) ─► listed? ─┬─► upstream's host: TLS with our own leaf ─► the guard, as in reverse mode
//!                                                   ├─► `tunnel`: resolve once, check, connect, copy bytes
//!                                                   └─► any other: 403
//! ```
//! 1. Nothing but `CONNECT` is answered, and no tunnel is opened for somebody unknown. Refusals of strangers are on
//!    record; other refusals are logged and counted.
//! 2. A tunnel speaks for one host: `CONNECT`, the name in the handshake and each request inside agree.
//! 3. A tunnel ends with its token: no request is taken after it, and running answers have half a minute.

mod address;
mod ca;
pub(crate) mod ca_init;
mod connect;
mod intercept;
mod leaves;
mod life;
#[cfg(test)]
mod tests;
mod tunnel;

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use copilot_guard::clock::{Clock as _, SystemClock};
use copilot_guard::guard::Guard;
use http::header::{CONNECTION, CONTENT_TYPE, HeaderValue};
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};
use tokio_rustls::TlsAcceptor;

use crate::config::Config;
use crate::failure::Failure;
use crate::serve::DataPlane;
use crate::serve::metrics::Metrics;
use ca::Ca;
use connect::{Decision, Refusal, Rules, Target};
use intercept::Inside;
use leaves::Leaves;
use life::{End, Life};
use tunnel::{Dial, System};

/// How long a client may take for a head, and for a handshake.
const PATIENCE: Duration = Duration::from_secs(15);
/// How long running answers have after their tunnel's end.
const GRACE: Duration = Duration::from_secs(30);
/// From when on a CA's end is warned of.
const SOON: Duration = Duration::from_secs(30 * 86_400);

/// What a configuration says of the forward mode, checked.
pub(crate) struct Plan {
    rules: Rules,
    leaves: Leaves,
    dial: Arc<dyn Dial>,
    max_tunnels: usize,
    idle: Duration,
}

impl Plan {
    /// Nothing in reverse mode.
    ///
    /// # Errors
    /// A CA that cannot sign for every host that is intercepted; no such host; an upstream that is this proxy itself.
    pub(crate) fn new(config: &Config) -> Result<Option<Self>, Failure> {
        let Some(forward) = &config.forward else {
            return Ok(None);
        };
        let now = SystemClock.now();
        let mut intercept = Vec::new();
        for upstream in &config.upstreams {
            if leads_to(&upstream.base_url, config.server.listen) {
                return Err(Failure::new(
                    format!("the upstream `{}` is this proxy itself", upstream.name),
                    "its `base_url` is the address of `listen`, and requests would go round",
                    "give the model's own address",
                ));
            }
            intercept.extend(upstream.hosts.iter().cloned());
        }
        if intercept.is_empty() {
            return Err(Failure::new(
                "nothing is intercepted",
                "no upstream has a host that clients could ask for",
                "give an upstream `routes` or `hosts`",
            ));
        }
        let ca = Ca::load(&forward.ca, now)?;
        if ca.not_after() <= now.plus(SOON) {
            tracing::warn!(until = %ca.not_after(), "the CA ends soon");
        }
        for host in intercept
            .iter()
            .filter_map(crate::config::hosts::HostPattern::sample)
        {
            ca.check(&host, now)?;
        }
        Ok(Some(Self {
            rules: Rules {
                intercept,
                tunnel: forward.tunnel.clone(),
                own_hosts: forward.own_hosts.clone(),
                own: Vec::new(),
            },
            leaves: Leaves::new(ca),
            dial: Arc::new(System),
            max_tunnels: forward.max_tunnels,
            idle: forward.idle_timeout,
        }))
    }
}

fn leads_to(base_url: &http::Uri, listen: SocketAddr) -> bool {
    let https = base_url.scheme_str() == Some("https");
    let port = base_url.port_u16().unwrap_or(if https { 443 } else { 80 });
    let host = base_url.host().unwrap_or_default().trim_matches(['[', ']']);
    let is_there = match host.parse::<std::net::IpAddr>() {
        Ok(ip) => ip == listen.ip() || (listen.ip().is_unspecified() && ip.is_loopback()),
        Err(_) => {
            host.eq_ignore_ascii_case("localhost")
                && (listen.ip().is_loopback() || listen.ip().is_unspecified())
        }
    };
    port == listen.port() && is_there
}

/// A running forward proxy.
pub(crate) struct Proxy {
    plan: Plan,
    guard: Guard,
    plane: DataPlane,
    metrics: Arc<Metrics>,
    slots: Arc<Semaphore>,
    stopped: watch::Receiver<bool>,
    drain: Duration,
}

impl Proxy {
    /// `own`: where this gateway listens.
    pub(crate) fn new(
        mut plan: Plan,
        own: Vec<SocketAddr>,
        guard: Guard,
        plane: DataPlane,
        metrics: Arc<Metrics>,
        stopped: watch::Receiver<bool>,
        drain: Duration,
    ) -> Self {
        plan.rules.own = own;
        Self {
            slots: Arc::new(Semaphore::new(plan.max_tunnels)),
            plan,
            guard,
            plane,
            metrics,
            stopped,
            drain,
        }
    }

    /// Serves until it is told to stop, then lets tunnels end within the time of the drain.
    pub(crate) async fn serve(self, listener: TcpListener, tls: Option<TlsAcceptor>) {
        let drain = self.drain;
        let mut stopped = self.stopped.clone();
        let proxy = Arc::new(self);
        // Every connection and tunnel holds a sender; the channel closes when the last of them is gone.
        let (open, mut all_closed) = mpsc::channel::<Infallible>(1);
        loop {
            let (stream, peer) = tokio::select! {
                accepted = listener.accept() => match accepted {
                    Ok((stream, peer)) => (stream, peer),
                    Err(error) => {
                        tracing::warn!(%error, "a connection was not accepted");
                        tokio::time::sleep(Duration::from_millis(50)).await;
                        continue;
                    }
                },
                () = life::told(&mut stopped) => break,
            };
            let _ = stream.set_nodelay(true);
            tokio::spawn(accepted(
                proxy.clone(),
                stream,
                peer.ip(),
                tls.clone(),
                open.clone(),
            ));
        }
        drop(listener);
        drop(open);
        if tokio::time::timeout(drain, all_closed.recv()).await.is_err() {
            tracing::warn!("tunnels were still open at the end of the drain");
        }
    }

    /// Answers a `CONNECT`; the tunnel itself goes on in a task of its own.
    async fn answer(
        self: Arc<Self>,
        mut request: Request<Incoming>,
        peer: IpAddr,
        open: Open,
    ) -> Response<Full<Bytes>> {
        let target = match connect::target(request.method(), request.uri()) {
            Ok(target) => target,
            Err(refusal) => {
                let mut response = self.refuse(None, &refusal);
                // What follows such a request is not meant for a proxy either.
                response
                    .headers_mut()
                    .insert(CONNECTION, HeaderValue::from_static("close"));
                return response;
            }
        };
        let tunnel = match self.guard.identify_tunnel(request.headers(), Some(peer)).await {
            Ok(tunnel) => tunnel,
            Err(denial) => {
                self.metrics.tunnel_refused(denial.code());
                return denial.into_response().map(Full::new);
            }
        };
        let (slot, way) = match self.way(&target).await {
            Ok(way) => way,
            Err(refusal) => return self.refuse(Some(&target), &refusal),
        };
        let life = Life {
            left: tunnel.expires_at.since(SystemClock.now()),
            idle: self.plan.idle,
            stopped: self.stopped.clone(),
            withdrawn: Box::pin(tunnel.withdrawn()),
        };
        let kind = match way {
            Way::Inside(_) => "intercepted",
            Way::Through(_) => "blind",
        };
        self.metrics.tunnel_opened(kind);
        tracing::debug!(host = %target.host, port = target.port, kind, "a tunnel was opened");
        let upgrade = hyper::upgrade::on(&mut request);
        tokio::spawn(async move {
            let _held = (slot, open);
            let client = match tokio::time::timeout(PATIENCE, upgrade).await {
                Ok(Ok(client)) => TokioIo::new(client),
                // The client left before it had the answer.
                _ => return,
            };
            let host = target.host.clone();
            let end = match way {
                Way::Inside(tls) => {
                    let inside = Inside {
                        target,
                        token: tunnel.token,
                        peer,
                        plane: self.plane.clone(),
                        metrics: self.metrics.clone(),
                    };
                    intercept::run(client, tls, inside, life, GRACE).await
                }
                Way::Through(server) => tunnel::pump(client, server, life, self.drain).await,
            };
            let end = end.map_or("closed", End::as_str);
            tracing::debug!(%host, kind, end, "a tunnel ended");
        });
        Response::new(Full::default())
    }

    /// What is at the other end of a tunnel, if there may be one.
    async fn way(&self, target: &Target) -> Result<(OwnedSemaphorePermit, Way), Refusal> {
        let decision = match self.plan.rules.decide(target) {
            Decision::Refuse(refusal) => return Err(refusal),
            decision => decision,
        };
        let slot = self.slots.clone().try_acquire_owned().map_err(|_| {
            Refusal::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "too_many_tunnels",
                "This proxy has as many tunnels open as it may. Try again in a moment.",
            )
        })?;
        let way = match decision {
            Decision::Intercept(host) => {
                let config = self
                    .plan
                    .leaves
                    .config(&host, SystemClock.now())
                    .map_err(|error| {
                        tracing::error!(%host, %error, "no certificate can be made");
                        let message = format!(
                            "This proxy cannot make a certificate for {host}. Tell your administrator."
                        );
                        Refusal::new(StatusCode::BAD_GATEWAY, "no_certificate", message)
                    })?;
                Way::Inside(config)
            }
            _ => Way::Through(tunnel::open(&self.plan.dial, target, &self.plan.rules.own).await?),
        };
        Ok((slot, way))
    }

    fn refuse(&self, target: Option<&Target>, refusal: &Refusal) -> Response<Full<Bytes>> {
        self.metrics.tunnel_refused(refusal.reason);
        match target {
            Some(Target { host, port }) => {
                tracing::info!(%host, port, reason = refusal.reason, "a tunnel was refused");
            }
            None => tracing::info!(reason = refusal.reason, "a tunnel was refused"),
        }
        reply(refusal).map(Full::new)
    }
}

/// Held by whatever is open.
type Open = mpsc::Sender<Infallible>;

/// What is at the other end of a tunnel.
enum Way {
    Inside(Arc<ServerConfig>),
    Through(TcpStream),
}

async fn accepted(proxy: Arc<Proxy>, stream: TcpStream, peer: IpAddr, tls: Option<TlsAcceptor>, open: Open) {
    match tls {
        None => connection(proxy, stream, peer, open).await,
        Some(tls) => match tokio::time::timeout(PATIENCE, tls.accept(stream)).await {
            Ok(Ok(stream)) => connection(proxy, stream, peer, open).await,
            _ => tracing::debug!("a TLS handshake failed"),
        },
    }
}

/// One connection of a client, until it has become a tunnel.
async fn connection<S>(proxy: Arc<Proxy>, stream: S, peer: IpAddr, open: Open)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut stopped = proxy.stopped.clone();
    let service = service_fn(move |request| {
        let (proxy, open) = (proxy.clone(), open.clone());
        async move { Ok::<_, Infallible>(proxy.answer(request, peer, open).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(PATIENCE)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    let mut connection = std::pin::pin!(connection);
    let result = tokio::select! {
        result = connection.as_mut() => result,
        () = life::told(&mut stopped) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = result {
        tracing::debug!(%error, "a connection ended with an error");
    }
}

/// A refusal as a person reads it.
fn reply(refusal: &Refusal) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(format!("{}\n", refusal.message)));
    *response.status_mut() = refusal.status;
    let kind = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}
