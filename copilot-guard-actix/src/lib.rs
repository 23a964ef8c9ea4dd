//! [`copilot_guard`] as actix-web middleware, and its admin routes.
//!
//! 1. [`GuardMiddleware`] goes around an app or a scope with `wrap`. Whatever is added to the app, before or after, and
//!    its default service, is inside.
//! 2. A handler asks who calls with `web::ReqData<Identity>`, and for the exchange with `web::ReqData<ExchangeId>`.
//! 3. [`admin_scope`] serves approvals and the record. It belongs on a listener of its own.
//!
//! ```
//! use actix_web::{App, HttpServer, web};
//! use copilot_guard::clock::Timestamp;
//! use copilot_guard::dialect::{RouteSet, RouteTable};
//! use copilot_guard::guard::Guard;
//! use copilot_guard::identity::Identity;
//! use copilot_guard::policy::{Policy, PolicyOptions};
//! use copilot_guard_actix::GuardMiddleware;
//!
//! async fn forward(caller: web::ReqData<Identity>, body: web::Bytes) -> String {
//!     format!("{} bytes from {}, masked and allowed", body.len(), caller.subject)
//! }
//!
//! # #[actix_web::main]
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
//! let server = HttpServer::new(move || {
//!     App::new()
//!         .wrap(GuardMiddleware::new(guard.clone()))
//!         .default_service(web::to(forward))
//! })
//! .bind(("127.0.0.1", 0))?;
//! # drop(server);
//! # Ok(())
//! # }
//! ```
//!
//! Build the guard once, outside the closure that builds an app for each worker: its record and its approvals are for
//! all of them.
//!
//! # Which middleware belongs where
//! In actix-web the `wrap` that stands **last** is outermost. Inside the guard nothing may compress (an encoded answer
//! is refused) or retry. `Compress` outside holds streams back. `NormalizePath` outside is seen by the guard.
//!
//! # When a client leaves
//! actix-web notices it when it writes, and not while it waits for a handler:
//! - **A stream**, also one that is held for a vote, ends with the next piece that cannot be written: upstream's, or the
//!   guard's own no-op every [`keep_alive`](copilot_guard::guard::Settings::keep_alive). Dropping the body drops the
//!   upstream call and closes the exchange as `client_gone`.
//! - **A plain answer**, and a stream whose head has not come yet, runs to its end although nobody waits, and is
//!   recorded as if it had been delivered. What bounds it are
//!   [`hold_plain`](copilot_guard::guard::Settings::hold_plain) and
//!   [`upstream_silence`](copilot_guard::guard::Settings::upstream_silence). Under hyper (axum, tower) it ends at once.
//!
//! # What middleware outside sees
//! - An inner `Err` stays an `Err`, whose response is the guard's recorded 502.
//! - A response to a stream that is held for a vote carries the request that the inner service gets later. Whoever keeps
//!   a clone of it beyond the response makes that call fail: actix-web routes a request only when it has one owner.

mod admin;
mod body;
mod convert;
mod middleware;
mod slot;

pub use admin::admin_scope;
pub use body::GuardBody;
pub use middleware::{GuardMiddleware, GuardedService};
