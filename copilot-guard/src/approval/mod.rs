//! Asking a person: what an approval is, how votes change it, and who keeps it.
//!
//! [`state`] is the state machine, with the clock as an argument; an [`ApprovalStore`] keeps approvals and applies it
//! atomically.

mod model;
mod requirement;
pub mod state;
mod store;

pub use model::{Approval, ApprovalState, Digest, Requirement, Shown, Vote};
pub use store::{ApprovalStore, Claim, ClaimError, Joined, ListFilter, StoreError, VoteError};
