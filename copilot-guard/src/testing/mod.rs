//! Help for tests: a clock that is set by hand, a sink that can be told to fail, and the **contract suites** that every
//! audit sink, approval store and access store must pass, ours and yours.
//!
//! ```
//! # use copilot_guard::{memory::MemoryStore, testing};
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! testing::audit_sink_contract(|| async { MemoryStore::new() }).await;
//! testing::approval_store_contract(|| async { MemoryStore::new() }).await;
//! # }
//! ```

#[expect(clippy::expect_used, reason = "a suite that fails must panic")]
mod access_contract;
#[expect(clippy::expect_used, reason = "a suite that fails must panic")]
mod approval_contract;
#[expect(clippy::expect_used, reason = "a suite that fails must panic")]
mod audit_contract;
mod clock;
mod http;
pub mod samples;
mod sink;

pub use access_contract::access_store_contract;
pub use approval_contract::{approval_events_contract, approval_store_contract, outbox_contract};
pub use audit_contract::audit_sink_contract;
pub use clock::ManualClock;
pub use http::{Hold, ScriptedClient};
pub use sink::{RecordingSink, SinkMode};

#[cfg(test)]
mod tests;
