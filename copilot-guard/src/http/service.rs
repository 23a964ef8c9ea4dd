//! The service.

use std::convert::Infallible;
use std::marker::PhantomData;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use http::{Request, Response};
use http_body::Body;
use http_body_util::BodyExt;
use tower::ServiceExt;
use tower_service::Service;

use super::future::ResponseFuture;
use super::request_body::RequestBody;
use super::response_body::{DataStream, ResponseBody};
use crate::guard::{BoxError, Guard, MAX_OWN_BODY, Settings, UpstreamReply};

/// A gateway behind a [`Guard`]. See the [module docs](super).
#[derive(Debug)]
pub struct GuardService<S, B> {
    guard: Guard,
    inner: S,
    body: PhantomData<fn() -> B>,
}

impl<S, B> GuardService<S, B> {
    /// This gateway behind this guard.
    pub fn new(guard: Guard, inner: S) -> Self {
        Self {
            guard,
            inner,
            body: PhantomData,
        }
    }
}

impl<S: Clone, B> Clone for GuardService<S, B> {
    fn clone(&self) -> Self {
        Self::new(self.guard.clone(), self.inner.clone())
    }
}

impl<S, B, ReqBody, ResBody> Service<Request<ReqBody>> for GuardService<S, B>
where
    S: Service<Request<B>, Response = Response<ResBody>> + Clone + Send + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send,
    B: From<RequestBody> + Send + 'static,
    ReqBody: Body + Send + 'static,
    ReqBody::Data: Send,
    ResBody: Body + Send + 'static,
    ResBody::Data: Send,
    ResBody::Error: Into<BoxError>,
{
    type Response = Response<ResponseBody>;
    type Error = Infallible;
    type Future = ResponseFuture;

    /// Always ready: a request that waits for a person must not sit on the inner service's slot. The inner service's
    /// readiness is awaited once a request may be forwarded.
    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<ReqBody>) -> ResponseFuture {
        // A clone that has never been polled ready: `oneshot` awaits its readiness itself, so the rule about leaving
        // the ready service in place (tower-rs/tower#547) has nothing to lose here.
        let inner = self.inner.clone();
        let guard = self.guard.clone();
        ResponseFuture::new(async move {
            let (parts, body) = request.into_parts();
            if let Some(own) = guard.own_call(&parts) {
                let body = read(body, MAX_OWN_BODY, guard.settings()).await.ok();
                return guard.answer_own(own, &parts, body).await.map(ResponseBody::full);
            }
            let identified = match guard.identify(&parts).await {
                Ok(identified) => identified,
                Err(denial) => {
                    discard(&parts.headers, body, guard.settings()).await;
                    return denial.into_response().map(ResponseBody::full);
                }
            };
            let limit = guard.settings().max_request_bytes;
            let body = match read(body, limit, guard.settings()).await {
                Ok(body) => body,
                Err(Unread::TooLarge) => {
                    return guard
                        .refuse_too_large(&identified)
                        .into_response()
                        .map(ResponseBody::full);
                }
                Err(Unread::Broken) => {
                    return guard
                        .refuse_broken_body(&identified)
                        .into_response()
                        .map(ResponseBody::full);
                }
            };
            let admission = guard.admit(identified, &parts, body).await;
            let call = move |request: Request<Bytes>| {
                let answer = inner.oneshot(request.map(|body| B::from(RequestBody::new(body))));
                async move {
                    let (head, body) = answer.await.map_err(Into::into)?.into_parts();
                    Ok(UpstreamReply {
                        status: head.status,
                        headers: head.headers,
                        body: DataStream::new(body),
                    })
                }
            };
            let reply = guard.respond(admission, call).await;
            Response::from_parts(reply.head, ResponseBody::new(reply.body))
        })
    }
}

/// Most of a refused request's body that is read and thrown away, and for how long.
const DISCARD: usize = 8 << 20;
const DISCARD_FOR: Duration = Duration::from_secs(5);

/// Reads a refused request's body and keeps nothing of it. A client that still sends when the connection closes sees a
/// broken connection in place of the refusal. One that asked first (`Expect`) has not begun to send.
async fn discard<B: Body>(headers: &http::HeaderMap, body: B, settings: &Settings) {
    let limit = settings.max_request_bytes.min(DISCARD);
    if headers.contains_key(http::header::EXPECT) || body.size_hint().lower() > limit as u64 {
        return;
    }
    let all = async {
        let mut body = std::pin::pin!(body);
        let mut read = 0;
        while let Some(Ok(frame)) = body.frame().await {
            read += frame.data_ref().map_or(0, Buf::remaining);
            if read > limit {
                return;
            }
        }
    };
    let _ = tokio::time::timeout(DISCARD_FOR, all).await;
}

enum Unread {
    TooLarge,
    Broken,
}

/// Reads a whole body, within the limits of size and patience.
async fn read<B: Body>(body: B, limit: usize, settings: &Settings) -> Result<Bytes, Unread> {
    if body.size_hint().lower() > limit as u64 {
        return Err(Unread::TooLarge);
    }
    let mut body = std::pin::pin!(body);
    let mut all = BytesMut::new();
    loop {
        let frame = match tokio::time::timeout(settings.body_silence, body.frame()).await {
            Ok(Some(Ok(frame))) => frame,
            Ok(None) => return Ok(all.freeze()),
            Ok(Some(Err(_))) | Err(_) => return Err(Unread::Broken),
        };
        if let Ok(mut data) = frame.into_data() {
            if all.len() + data.remaining() > limit {
                return Err(Unread::TooLarge);
            }
            all.extend_from_slice(&data.copy_to_bytes(data.remaining()));
        }
    }
}
