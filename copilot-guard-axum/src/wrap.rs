//! The guard around a finished router.

use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::extract::connect_info::IntoMakeServiceWithConnectInfo;
use axum::response::Response;
use axum::routing::IntoMakeService;
use axum::{ServiceExt, extract::Request};
use copilot_guard::guard::{ClientAddress, Guard};
use copilot_guard::http::{GuardService, ResponseFuture};
use tower_service::Service;

/// Wraps a router in a [`Guard`]. See the [crate docs](crate).
pub trait WrapRouter {
    /// Puts the guard around `router`: all its routes, and its fallbacks, are inside. Call it last, when the router is
    /// finished; what is returned cannot be added to.
    #[must_use = "the router itself is not changed: serve what is returned"]
    fn wrap(&self, router: Router) -> Guarded;
}

impl WrapRouter for Guard {
    fn wrap(&self, router: Router) -> Guarded {
        Guarded {
            service: GuardService::new(self.clone(), router),
        }
    }
}

/// A router behind a [`Guard`]: a service to serve, to which no route can be added. See the [crate docs](crate).
#[derive(Debug, Clone)]
pub struct Guarded {
    service: GuardService<Router, Body>,
}

impl Guarded {
    /// For [`axum::serve()`].
    pub fn into_make_service(self) -> IntoMakeService<Self> {
        ServiceExt::<Request>::into_make_service(self)
    }

    /// For [`axum::serve()`], with `C` of the connection as an extension that layers between the server and the guard
    /// can read. It does not reach the router. With `SocketAddr` as `C` the record of refusals names the address.
    pub fn into_make_service_with_connect_info<C>(self) -> IntoMakeServiceWithConnectInfo<Self, C> {
        ServiceExt::<Request>::into_make_service_with_connect_info(self)
    }

    /// The tower service, for servers and layers outside axum.
    pub fn into_service(self) -> GuardService<Router, Body> {
        self.service
    }
}

impl<B> Service<Request<B>> for Guarded
where
    B: http_body::Body + Send + 'static,
    B::Data: Send,
{
    type Response = Response;
    type Error = Infallible;
    type Future = GuardedFuture;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Service::<Request<B>>::poll_ready(&mut self.service, cx)
    }

    fn call(&mut self, mut request: Request<B>) -> GuardedFuture {
        // What `into_make_service_with_connect_info::<SocketAddr>` brings, for the record of refusals.
        // A layer outside that knows better stays right.
        if request.extensions().get::<ClientAddress>().is_none()
            && let Some(ConnectInfo(peer)) = request.extensions().get::<ConnectInfo<SocketAddr>>()
        {
            let address = ClientAddress(peer.ip());
            request.extensions_mut().insert(address);
        }
        GuardedFuture {
            inner: self.service.call(request),
        }
    }
}

/// The future of [`Guarded`]. Dropping it cancels the exchange, which is recorded.
pub struct GuardedFuture {
    inner: ResponseFuture,
}

impl Future for GuardedFuture {
    type Output = Result<Response, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let response = ready!(Pin::new(&mut self.inner).poll(cx))?;
        Poll::Ready(Ok(response.map(Body::new)))
    }
}

impl fmt::Debug for GuardedFuture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GuardedFuture").finish_non_exhaustive()
    }
}
