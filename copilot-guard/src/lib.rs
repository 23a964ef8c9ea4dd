//! A [`tower`](https://docs.rs/tower) layer between developers and a model endpoint.
//!
//! It knows **who** asks (OpenID Connect), **decides** by policy and group, asks a **person** when it must, **masks**
//! secrets in the answer while it streams, judges tool calls before a client can run them, hides the upstream
//! credential, and **writes down** what it decided before anything is forwarded. It speaks OpenAI chat completions,
//! completions, Responses and embeddings, ghost text, Anthropic messages, and the tool calls of MCP.
//!
//! ```text
//!               who?        what?         may they?     ask?        on record
//! request ───► [token] ──► [dialect] ──► [policy] ──► [approval] ──► [audit] ──► upstream
//!                                                                                   │
//! reply  ◄─── [dialect] ◄── tool calls held and judged ◄── masks per channel ◄──────┘
//! ```
//!
//! # Features
//!
//! | feature | default | brings |
//! | --- | --- | --- |
//! | `tower` | yes | the engine and the layer: `guard`, `http`, `memory`, [`token`]'s `OidcVerifier`, [`audit`]'s JSON lines |
//! | `axum` | | `From<RequestBody>` for axum's body, so that the layer goes around a router |
//! | `fetch` | | an HTTP client for OIDC discovery and key sets: [`token`]'s `HttpFetcher` |
//! | `test-util` | | `testing`: manual clock, recording sink, contract suites for sinks and stores |
//!
//! Without any of them there is the pure core: no async runtime, no clock, no I/O.
//!
//! # Where to read on
//!
//! - `http`: putting the layer around a gateway, with an example that runs.
//! - `guard`: the builder, the settings, and the engine for other frameworks.
//! - [`policy`]: what may be allowed, masked, held or blocked; [`detect`]: what a secret is, and patterns of your own.
//! - [`approval`] and [`audit`]: the traits of stores and sinks, and what it costs when one fails.
//! - [`exchange`]: the life of one answer, without I/O.

pub mod access;
pub mod approval;
pub mod audit;
pub mod budget;
pub mod clock;
#[cfg(feature = "tower")]
pub mod credential;
pub mod decision;
pub mod detect;
pub mod dialect;
pub mod exchange;
pub mod groups;
#[cfg(feature = "tower")]
pub mod guard;
#[cfg(feature = "tower")]
pub mod http;
pub mod id;
pub mod identity;
pub mod json;
#[cfg(feature = "tower")]
pub mod memory;
#[cfg(feature = "tower")]
pub mod outbound;
pub mod policy;
pub mod secret;
pub mod sse;
#[cfg(feature = "test-util")]
pub mod testing;
pub mod token;
