//! Budgets alone, for a gateway that identifies its callers by other means.
//!
//! 1. An outer layer puts an [`Identity`] into the request's extensions. Without one the request is refused: 500.
//! 2. Each request is counted for its person. When the budget is used up, the answer is 400 with the code
//!    `budget_exceeded`: clients retry a 429 in a storm. When the store fails, it is 503.
//! 3. The inner service finds a [`Spending`](crate::budget::Spending) in the request's extensions. While it keeps a
//!    clone, it may tell the tally of tokens and masks; they are counted when the last clone is gone.
//!
//! Inside of a [`Guard`](crate::guard::Guard) none of this is needed: there, budgets are part of the policy.
//!
//! ```
//! use std::sync::Arc;
//! use std::time::Duration;
//! use copilot_guard::budget::{Budget, MemoryBudgets, Spending};
//! use copilot_guard::clock::Timestamp;
//! use copilot_guard::http::BudgetLayer;
//! use copilot_guard::identity::Identity;
//! use http::{Request, Response};
//! use tower::{ServiceBuilder, ServiceExt, service_fn};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let model = service_fn(|request: Request<String>| async move {
//!     if let Some(spending) = request.extensions().get::<Spending>() {
//!         spending.tally().begin();
//!         spending.tally().add_usage(900, 100);
//!         spending.tally().complete();
//!     }
//!     Ok::<_, std::convert::Infallible>(Response::new("hello".to_owned()))
//! });
//! let budget = Budget::new("hourly", Duration::from_secs(3600)).with_tokens(1000);
//! let service = ServiceBuilder::new()
//!     .layer(BudgetLayer::new(Arc::new(MemoryBudgets::new()), budget))
//!     .service(model);
//!
//! let ask = || {
//!     let mut request = Request::new("hi".to_owned());
//!     let who = Identity::new("https://idp.example", "dev", Timestamp::from_secs(2_000_000_000));
//!     request.extensions_mut().insert(who);
//!     service.clone().oneshot(request)
//! };
//! assert_eq!(ask().await?.status(), 200);
//! assert_eq!(ask().await?.status(), 400);
//! # Ok(())
//! # }
//! ```

use std::fmt;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Request, Response, StatusCode};
use tower::ServiceExt;
use tower_layer::Layer;
use tower_service::Service;

use crate::budget::{Budget, BudgetStore, Tally, reserve};
use crate::clock::{Clock, SystemClock};
use crate::guard::catch_async;
use crate::identity::Identity;
use crate::json::quote;

/// Counts each person's requests and refuses those over their budget. See the [module docs](self).
#[derive(Debug, Clone)]
pub struct BudgetLayer {
    store: Arc<dyn BudgetStore>,
    clock: Arc<dyn Clock>,
    budget: Budget,
}

impl BudgetLayer {
    /// This budget for each person, counted in this store.
    pub fn new(store: Arc<dyn BudgetStore>, budget: Budget) -> Self {
        Self {
            store,
            clock: Arc::new(SystemClock),
            budget,
        }
    }

    /// Another clock than the system's.
    #[must_use]
    pub fn with_clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }
}

impl<S> Layer<S> for BudgetLayer {
    type Service = BudgetService<S>;

    fn layer(&self, inner: S) -> BudgetService<S> {
        BudgetService {
            layer: self.clone(),
            inner,
        }
    }
}

/// A service whose callers have a budget. See [`BudgetLayer`].
#[derive(Debug, Clone)]
pub struct BudgetService<S> {
    layer: BudgetLayer,
    inner: S,
}

impl<S, ReqBody, ResBody> Service<Request<ReqBody>> for BudgetService<S>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>> + Clone + Send + 'static,
    S::Future: Send,
    ReqBody: Send + 'static,
    ResBody: From<String> + 'static,
{
    type Response = Response<ResBody>;
    type Error = S::Error;
    type Future = BudgetFuture<ResBody, S::Error>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        // The inner service's readiness is awaited by a request that may go there.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<ReqBody>) -> Self::Future {
        let (layer, inner) = (self.layer.clone(), self.inner.clone());
        BudgetFuture(Box::pin(async move {
            let Some(person) = request
                .extensions()
                .get::<Identity>()
                .map(|who| who.person.clone())
            else {
                let message = "This gateway does not know who asks.";
                return Ok(refusal(StatusCode::INTERNAL_SERVER_ERROR, "no_identity", message));
            };
            let charge = layer.budget.charge(format!("person:{person}"));
            let (observe, message) = (charge.observe, charge.message.clone());
            let reserving = reserve(layer.store, layer.clock, vec![charge], 0, Tally::default());
            match catch_async(AssertUnwindSafe(reserving)).await {
                Some(Ok((_, Some(spending)))) => {
                    request.extensions_mut().insert(spending);
                }
                Some(Ok((_, None))) => {
                    return Ok(refusal(StatusCode::BAD_REQUEST, "budget_exceeded", &message));
                }
                _ if observe => {}
                _ => {
                    let message = "Budgets cannot be checked right now. Try again in a moment.";
                    return Ok(refusal(
                        StatusCode::SERVICE_UNAVAILABLE,
                        "budgets_unavailable",
                        message,
                    ));
                }
            }
            inner.oneshot(request).await
        }))
    }
}

fn refusal<B: From<String>>(status: StatusCode, code: &str, message: &str) -> Response<B> {
    let body = format!(
        r#"{{"error":{{"message":{},"type":"invalid_request_error","param":null,"code":"{code}"}}}}"#,
        quote(message)
    );
    let mut response = Response::new(B::from(body));
    *response.status_mut() = status;
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, json);
    response
}

/// A reply of a [`BudgetService`].
pub struct BudgetFuture<B, E>(Pin<Box<dyn Future<Output = Result<Response<B>, E>> + Send>>);

impl<B, E> Future for BudgetFuture<B, E> {
    type Output = Result<Response<B>, E>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.as_mut().poll(cx)
    }
}

impl<B, E> fmt::Debug for BudgetFuture<B, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BudgetFuture").finish_non_exhaustive()
    }
}
