//! The state machine of an approval: pure functions over [`Approval`](super::Approval).
