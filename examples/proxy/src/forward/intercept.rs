//! Tunnels that are looked into: the TLS handshake, and the requests inside, which go to the same guard as in reverse
//! mode.

use std::convert::Infallible;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use copilot_guard::guard::{ClientAddress, TunnelToken};
use copilot_guard::http::ResponseBody;
use http::{Request, Response};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt as _;

use super::connect::{Refusal, Target, inner_uri};
use super::life::{Activity, End, Life, Running};
use super::{PATIENCE, reply};
use crate::serve::metrics::Metrics;
use crate::serve::{DataPlane, listen};

/// What every request inside is given.
#[derive(Clone)]
pub(super) struct Inside {
    pub(super) target: Target,
    pub(super) token: TunnelToken,
    pub(super) peer: IpAddr,
    pub(super) plane: DataPlane,
    pub(super) metrics: Arc<Metrics>,
}

/// Speaks TLS and HTTP with the client until it leaves or the tunnel's life is over. Then running answers may end within
/// `grace`, and no further request is taken.
pub(super) async fn run<S>(
    client: S,
    tls: Arc<ServerConfig>,
    inside: Inside,
    life: Life,
    grace: Duration,
) -> Option<End>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let handshake = TlsAcceptor::from(tls).accept(client);
    let stream = match tokio::time::timeout(PATIENCE, handshake).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => {
            // A client that does not trust the CA, mostly, or one that asks for another name than it connected to.
            inside.metrics.tunnel_refused("handshake");
            tracing::info!(host = %inside.target.host, %error, "a TLS handshake inside of a tunnel failed");
            return None;
        }
        Err(_) => {
            inside.metrics.tunnel_refused("handshake");
            tracing::info!(host = %inside.target.host, "a TLS handshake inside of a tunnel took too long");
            return None;
        }
    };
    let activity = Activity::default();
    let service = {
        let activity = activity.clone();
        service_fn(move |request| answer(inside.clone(), activity.begin(), request))
    };
    let mut builder = listen::http();
    // Between two requests a tunnel may rest; how long, its life says.
    builder.http1().header_read_timeout(None);
    let connection = builder.serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    let end = tokio::select! {
        result = connection.as_mut() => {
            if let Err(error) = result {
                tracing::debug!(%error, "a tunnel ended with an error");
            }
            return None;
        }
        end = life.over(&activity) => end,
    };
    connection.as_mut().graceful_shutdown();
    // What has not ended by then is cut off; the guard closes its record.
    let _ = tokio::time::timeout(grace, connection).await;
    Some(end)
}

async fn answer(
    inside: Inside,
    running: Running,
    request: Request<Incoming>,
) -> Result<Response<Answer>, Infallible> {
    let (mut head, body) = request.into_parts();
    head.uri = match inner_uri(&inside.target, &head) {
        Ok(uri) => uri,
        Err(refusal) => return Ok(refused(&inside, &refusal, running)),
    };
    head.extensions.insert(inside.token);
    head.extensions.insert(ClientAddress(inside.peer));
    let response = match inside.plane.oneshot(Request::from_parts(head, body)).await {
        Ok(response) => response,
        Err(never) => match never {},
    };
    Ok(response.map(|body| Answer {
        body: Kind::Guard(body),
        _running: running,
    }))
}

fn refused(inside: &Inside, refusal: &Refusal, running: Running) -> Response<Answer> {
    inside.metrics.tunnel_refused(refusal.reason);
    tracing::info!(host = %inside.target.host, reason = refusal.reason, "a request inside of a tunnel was refused");
    reply(refusal).map(|text| Answer {
        body: Kind::Text(Some(text)),
        _running: running,
    })
}

/// A body that keeps its tunnel from being idle.
struct Answer {
    body: Kind,
    _running: Running,
}

enum Kind {
    Guard(ResponseBody),
    Text(Option<Bytes>),
}

impl Body for Answer {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match &mut self.body {
            Kind::Guard(body) => Pin::new(body).poll_frame(cx),
            Kind::Text(text) => Poll::Ready(text.take().map(|text| Ok(Frame::data(text)))),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.body {
            Kind::Guard(body) => body.is_end_stream(),
            Kind::Text(text) => text.is_none(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.body {
            Kind::Guard(body) => body.size_hint(),
            Kind::Text(text) => SizeHint::with_exact(text.as_ref().map_or(0, |t| t.len() as u64)),
        }
    }
}
