//! copilot-guard: a [`tower`](https://docs.rs/tower) layer between developers and a model endpoint.

pub mod approval;
pub mod audit;
pub mod clock;
pub mod decision;
pub mod id;
pub mod identity;
#[cfg(feature = "tower")]
pub mod memory;
pub mod secret;
#[cfg(feature = "test-util")]
pub mod testing;
pub mod token;
