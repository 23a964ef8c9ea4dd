//! The middleware.

use std::fmt;
use std::future::{Ready, poll_fn, ready};
use std::rc::Rc;
use std::task::{Context, Poll};

use actix_web::body::MessageBody;
use actix_web::dev::{Service, ServiceRequest, ServiceResponse, Transform};
use actix_web::error::InternalError;
use actix_web::{Error, HttpMessage};
use bytes::Bytes;
use copilot_guard::guard::{BoxError, Guard, MAX_OWN_BODY, Reply, ReplyBody, UpstreamReply};
use futures_util::future::LocalBoxFuture;
use http::Request;

use crate::body::{DataStream, GuardBody, Unread, read};
use crate::convert;
use crate::slot::Slot;

/// Puts a [`Guard`] around an app or a scope. See the [crate docs](crate).
#[derive(Debug, Clone)]
pub struct GuardMiddleware {
    guard: Guard,
}

impl GuardMiddleware {
    /// The middleware of this guard.
    pub fn new(guard: Guard) -> Self {
        Self { guard }
    }
}

impl<S, B> Transform<S, ServiceRequest> for GuardMiddleware
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
    B: MessageBody + 'static,
{
    type Response = ServiceResponse<GuardBody>;
    type Error = Error;
    type Transform = GuardedService<S>;
    type InitError = ();
    type Future = Ready<Result<GuardedService<S>, ()>>;

    fn new_transform(&self, inner: S) -> Self::Future {
        ready(Ok(GuardedService {
            guard: self.guard.clone(),
            inner: Rc::new(inner),
        }))
    }
}

/// A service behind a [`Guard`]; made by [`GuardMiddleware`].
pub struct GuardedService<S> {
    guard: Guard,
    inner: Rc<S>,
}

impl<S> fmt::Debug for GuardedService<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GuardedService").finish_non_exhaustive()
    }
}

impl<S, B> Service<ServiceRequest> for GuardedService<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
    B: MessageBody + 'static,
{
    type Response = ServiceResponse<GuardBody>;
    type Error = Error;
    type Future = LocalBoxFuture<'static, Result<Self::Response, Error>>;

    /// Always ready: a request that waits for a person must not sit on the inner service's slot. The inner service's
    /// readiness is awaited once a request may be forwarded, and it is called only with a permit.
    fn poll_ready(&self, _cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&self, request: ServiceRequest) -> Self::Future {
        let guard = self.guard.clone();
        let inner = self.inner.clone();
        Box::pin(async move { answer(&guard, inner, request).await })
    }
}

async fn answer<S, B>(
    guard: &Guard,
    inner: Rc<S>,
    mut request: ServiceRequest,
) -> Result<ServiceResponse<GuardBody>, Error>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
    B: MessageBody + 'static,
{
    let parts = convert::head(request.request());
    let refuse = |request: ServiceRequest, response: http::Response<Bytes>| {
        let (head, body) = response.into_parts();
        Ok(request.into_response(convert::response(&head, GuardBody::full(body))))
    };
    if let Some(own) = guard.own_call(&parts) {
        let payload = request.take_payload();
        let silence = guard.settings().body_silence;
        let body = read(payload, &parts.headers, MAX_OWN_BODY, silence).await.ok();
        return refuse(request, guard.answer_own(own, &parts, body).await);
    }
    let identified = match guard.identify(&parts).await {
        Ok(identified) => identified,
        Err(denial) => return refuse(request, denial.into_response()),
    };
    let payload = request.take_payload();
    let settings = guard.settings();
    let body = match read(
        payload,
        &parts.headers,
        settings.max_request_bytes,
        settings.body_silence,
    )
    .await
    {
        Ok(body) => body,
        Err(Unread::TooLarge) => {
            return refuse(request, guard.refuse_too_large(&identified).into_response());
        }
        Err(Unread::Broken) => {
            return refuse(request, guard.refuse_broken_body(&identified).into_response());
        }
    };
    let admission = guard.admit(identified, &parts, body).await;
    let slot = Slot::new(request.into_parts().0);
    let lent = slot.clone();
    let call = move |permitted: Request<Bytes>| async move {
        let request = lent.lend().ok_or("the request has been used already")?;
        let request = convert::permitted(request, permitted)?;
        poll_fn(|cx| inner.poll_ready(cx)).await.map_err(to_box)?;
        let (request, response) = inner.call(request).await.map_err(to_box)?.into_parts();
        lent.give_back(request);
        let (status, headers) = convert::reply_head(&response)?;
        let body = DataStream::new(response.into_body());
        Ok::<_, BoxError>(UpstreamReply {
            status,
            headers,
            body,
        })
    };
    let Reply { head, body } = guard.respond(admission, call).await;
    let request = match &body {
        ReplyBody::Full(_) => slot.take(),
        ReplyBody::Stream(_) => slot.share(),
    };
    let response = convert::response(&head, GuardBody::new(body));
    match request {
        Some(request) => Ok(ServiceResponse::new(request, response)),
        // An inner `Err` has swallowed the request; a response cannot go on without one, an error can.
        None => {
            let response = response.map_into_boxed_body();
            Err(InternalError::from_response("the model endpoint failed", response).into())
        }
    }
}

/// actix-web's errors are not `Send`; what the record and the log need is their text.
fn to_box(error: Error) -> BoxError {
    error.to_string().into()
}
