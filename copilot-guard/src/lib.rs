//! copilot-guard: a [`tower`](https://docs.rs/tower) layer between developers and a model endpoint.

pub mod approval;
pub mod audit;
pub mod clock;
pub mod decision;
pub mod detect;
pub mod id;
pub mod identity;
pub mod policy;
pub mod secret;
pub mod token;
