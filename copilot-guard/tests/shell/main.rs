//! The tower shell and everything behind it, end to end, around a scripted model.

#[path = "../support/mod.rs"]
mod support;

mod audit_failure;
mod gone;
mod masking;
mod readiness;
mod tool_calls;
