//! copilot-guard: a [`tower`](https://docs.rs/tower) layer between developers and a model endpoint.

pub mod approval;
pub mod audit;
pub mod clock;
pub mod credential;
pub mod decision;
pub mod detect;
pub mod dialect;
pub mod exchange;
#[cfg(feature = "tower")]
pub mod guard;
#[cfg(feature = "tower")]
pub mod http;
pub mod id;
pub mod identity;
pub mod json;
#[cfg(feature = "tower")]
pub mod memory;
pub mod policy;
pub mod secret;
pub mod sse;
#[cfg(feature = "test-util")]
pub mod testing;
pub mod token;
