//! The tower shell: a [`GuardLayer`] around any gateway that is a `tower::Service` of HTTP requests.
//!
//! A request reaches the gateway only if all of the following hold:
//! 1. its path is a route, and its token is accepted;
//! 2. it is read whole, strictly, and policy allows it (after a vote, if policy says so);
//! 3. that it is opened is on record.
//!
//! The gateway gets the request rewritten: masked, without the client's credential, `Accept-Encoding: identity`.
//! What it answers is rewritten too; an `Err` of it is a recorded 502.
//!
//! ```
//! use copilot_guard::dialect::{RouteSet, RouteTable};
//! use copilot_guard::guard::Guard;
//! use copilot_guard::identity::Identity;
//! use copilot_guard::clock::Timestamp;
//! use copilot_guard::http::RequestBody;
//! use copilot_guard::policy::{Policy, PolicyOptions};
//! use http::{Request, Response};
//! use http_body_util::Full;
//! use tower::{ServiceBuilder, ServiceExt, service_fn};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let now = Timestamp::from_secs(1_800_000_000);
//! let mut routes = RouteTable::new();
//! routes.add_set("model", RouteSet::OpenAi);
//! let guard = Guard::builder()
//!     .dangerous()
//!     .without_identity(Identity::new("example", "everybody", now))
//!     .with_policy(Policy::allow_all(&PolicyOptions::new(now))?)
//!     .with_shared_audit(std::sync::Arc::new(copilot_guard::memory::MemoryStore::new()))
//!     .with_routes(routes)
//!     .build()?;
//!
//! let gateway = service_fn(|_request: Request<Full<bytes::Bytes>>| async {
//!     let body = r#"{"choices":[{"index":0,"message":{"role":"assistant","content":"hello"},"finish_reason":"stop"}]}"#;
//!     let reply = Response::builder().header("content-type", "application/json").body(Full::<bytes::Bytes>::from(body));
//!     Ok::<_, std::convert::Infallible>(reply.unwrap_or_default())
//! });
//! let service = ServiceBuilder::new().layer(guard.layer()).service(gateway);
//!
//! let request = Request::post("/v1/chat/completions")
//!     .body(Full::<bytes::Bytes>::from(r#"{"model":"m","messages":[{"role":"user","content":"hi"}]}"#))?;
//! let reply = service.oneshot(request).await?;
//! assert_eq!(reply.status(), 200);
//! assert!(reply.headers().contains_key("x-copilot-guard-exchange"));
//! # Ok(())
//! # }
//! ```
//!
//! # Which layers belong where
//! - **Outside** (they see the client's side): TLS, connection limits, tracing without bodies.
//! - **Inside** (between the guard and the model): load balancing, concurrency limits, metrics of the model.
//! - **Never**: response compression inside, retries around or inside a streamed call, caches of answers, timeouts
//!   outside that are shorter than [`hold_streaming`](crate::guard::Settings::hold_streaming).

pub mod budget;
mod future;
mod layer;
mod request_body;
mod response_body;
mod service;

pub use budget::{BudgetFuture, BudgetLayer, BudgetService};
pub use future::ResponseFuture;
pub use layer::GuardLayer;
pub use request_body::RequestBody;
pub use response_body::ResponseBody;
pub use service::GuardService;
