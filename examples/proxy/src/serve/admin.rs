//! The admin listener: health, metrics, approvals and the record. Never on the data plane.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use copilot_guard::clock::{Clock as _, SystemClock};
use copilot_guard::guard::Guard;
use copilot_guard::guard::admin::MAX_ADMIN_BODY;
use copilot_guard::token::OidcVerifier;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use tokio::sync::watch;
use tower::Service;

use super::metrics::Metrics;

/// Answers the admin plane.
#[derive(Clone)]
pub(super) struct AdminPlane {
    guard: Guard,
    verifiers: Arc<[OidcVerifier; 2]>,
    metrics: Arc<Metrics>,
    stopped: watch::Receiver<bool>,
}

impl AdminPlane {
    pub(super) fn new(
        guard: Guard,
        verifiers: Arc<[OidcVerifier; 2]>,
        metrics: Arc<Metrics>,
        stopped: watch::Receiver<bool>,
    ) -> Self {
        Self {
            guard,
            verifiers,
            metrics,
            stopped,
        }
    }

    /// Ready: identity keys are there, and it is not draining.
    fn readiness(&self) -> (StatusCode, &'static str) {
        let now = SystemClock.now();
        if *self.stopped.borrow() {
            (StatusCode::SERVICE_UNAVAILABLE, "draining\n")
        } else if !self.verifiers.iter().all(|v| v.is_ready(now)) {
            (
                StatusCode::SERVICE_UNAVAILABLE,
                "identity keys are not available\n",
            )
        } else {
            (StatusCode::OK, "ready\n")
        }
    }

    async fn answer(self, request: Request<Incoming>) -> Response<Bytes> {
        match (request.method(), request.uri().path()) {
            (&Method::GET, "/healthz") => text(StatusCode::OK, "ok\n".to_owned()),
            (&Method::GET, "/readyz") => {
                let (status, message) = self.readiness();
                text(status, message.to_owned())
            }
            (&Method::GET, "/metrics") => {
                let mut response = text(StatusCode::OK, self.metrics.text());
                let kind =
                    HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");
                response.headers_mut().insert(CONTENT_TYPE, kind);
                response
            }
            _ => {
                let (parts, body) = request.into_parts();
                match Limited::new(body, MAX_ADMIN_BODY).collect().await {
                    Ok(body) => {
                        self.guard
                            .admin(Request::from_parts(parts, body.to_bytes()))
                            .await
                    }
                    Err(_) => text(
                        StatusCode::PAYLOAD_TOO_LARGE,
                        "the request is too large or broke off\n".to_owned(),
                    ),
                }
            }
        }
    }
}

impl Service<Request<Incoming>> for AdminPlane {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Full<Bytes>>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Incoming>) -> Self::Future {
        let plane = self.clone();
        Box::pin(async move { Ok(plane.answer(request).await.map(Full::new)) })
    }
}

fn text(status: StatusCode, body: String) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(
        CONTENT_TYPE,
        HeaderValue::from_static("text/plain; charset=utf-8"),
    );
    response
}
