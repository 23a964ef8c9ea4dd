//! The tower shell and everything behind it, end to end, around a scripted model.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests"
)]

#[path = "../support/mod.rs"]
mod support;

mod access;
mod approvals;
mod audit_failure;
mod broken_store;
mod budgets;
mod copilot;
mod credentials;
mod engine;
mod gone;
mod identity;
mod masking;
mod masking_plain;
mod pieces;
mod prompts;
mod readiness;
mod resent;
mod reversible;
mod scrub;
mod tags;
mod tool_calls;
mod tunnel;
mod upstream;
mod upstream_credential;
