//! [`copilot_guard`] around an [`axum`] router, and its admin routes.
//!
//! 1. [`WrapRouter::wrap`] puts a [`Guard`](copilot_guard::guard::Guard) around a **finished** router. What comes out
//!    is a [`Guarded`]: a service, not a router, so that no route or fallback can be added outside the guard.
//! 2. [`CallerIdentity`] and [`Exchange`] tell a handler who asks, and in which exchange.
//! 3. [`admin_router`] serves approvals and the record. It belongs on a listener of its own.
//!
//! ```
//! use axum::{Json, Router, routing::post};
//! use copilot_guard::clock::Timestamp;
//! use copilot_guard::dialect::{RouteSet, RouteTable};
//! use copilot_guard::guard::Guard;
//! use copilot_guard::identity::Identity;
//! use copilot_guard::policy::{Policy, PolicyOptions};
//! use copilot_guard_axum::{CallerIdentity, WrapRouter};
//!
//! async fn forward(CallerIdentity(caller): CallerIdentity, body: String) -> String {
//!     format!("{} bytes from {}, masked and allowed", body.len(), caller.subject)
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let now = Timestamp::from_secs(1_800_000_000);
//! # let mut routes = RouteTable::new();
//! # routes.add_set("model", RouteSet::OpenAi);
//! # let guard = Guard::builder()
//! #     .dangerous()
//! #     .without_identity(Identity::new("example", "everybody", now))
//! #     .with_policy(Policy::allow_all(&PolicyOptions::new(now))?)
//! #     .with_audit(copilot_guard::memory::MemoryStore::new())
//! #     .with_routes(routes)
//! #     .build()?;
//! let app = guard.wrap(Router::new().route("/v1/{*rest}", post(forward)));
//!
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
//! let server = axum::serve(listener, app.into_make_service());
//! # drop(server);
//! # Ok(())
//! # }
//! ```
//!
//! # Why not `Router::layer`
//! `Router::layer` covers only what was added before it: a route or a fallback that somebody adds a line further down
//! is open to everybody. [`copilot_guard::http::GuardLayer`] works with it, but then this is yours to watch.
//!
//! What `wrap` returns takes no route:
//!
//! ```compile_fail
//! # use axum::{Router, routing::get};
//! # use copilot_guard_axum::WrapRouter;
//! # fn open(guard: copilot_guard::guard::Guard) {
//! let app = guard.wrap(Router::new());
//! let app = app.route("/open", get(|| async { "to everybody" }));
//! # }
//! ```
//!
//! # What the router sees
//! The guard knows routes by their exact path, before the router does. A path that the guard's
//! [`RouteTable`](copilot_guard::dialect::RouteTable) does not name is refused with 404, whatever routes the router
//! has. Nesting a [`Guarded`] below a prefix (`nest_service`) strips that prefix before the guard looks: add the
//! remaining path to the table.
//!
//! Request extensions of layers outside do not reach the router; the guard makes the request anew.

mod admin;
mod extract;
mod wrap;

pub use admin::admin_router;
pub use extract::{CallerIdentity, Exchange, NotGuarded};
pub use wrap::{Guarded, GuardedFuture, WrapRouter};
