//! What an operator can set.

use std::time::Duration;

/// Limits and times of a guard. The defaults are what measured clients bear.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Settings {
    /// Largest request body, in bytes. Agents send long histories and images.
    pub max_request_bytes: usize,
    /// How long a client may pause within its request's body.
    pub body_silence: Duration,
    /// Largest plain answer, in bytes.
    pub max_response_bytes: usize,
    /// How long a streaming request is held for a vote. Clients give up at 300 s of silence from the model.
    pub hold_streaming: Duration,
    /// How long a plain request is held: it can only be held silently.
    pub hold_plain: Duration,
    /// How often a held client gets an event that changes nothing.
    pub keep_alive: Duration,
    /// How long an approval waits for votes, and an approved one for its request to come back.
    pub pending_ttl: Duration,
    /// How long later requests may ride on a used approval.
    pub ride_window: Duration,
    /// How many later requests may ride on a used approval.
    pub ride_uses: u32,
    /// How long upstream may take until its head, and then between two pieces of its body.
    pub upstream_silence: Duration,
    /// What a failing audit sink means.
    pub on_audit_failure: OnFailure,
    /// Bytes that may be delivered before they are durable; 0 is strict.
    pub max_undurable: usize,
    /// How a refusal by policy is worded.
    pub refusal: RefusalForm,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            max_request_bytes: 32 << 20,
            body_silence: Duration::from_secs(30),
            max_response_bytes: 32 << 20,
            hold_streaming: Duration::from_secs(240),
            hold_plain: Duration::from_secs(100),
            keep_alive: Duration::from_secs(10),
            pending_ttl: Duration::from_secs(3600),
            ride_window: Duration::from_secs(3600),
            ride_uses: 200,
            upstream_silence: Duration::from_secs(600),
            on_audit_failure: OnFailure::Deny,
            max_undurable: 0,
            refusal: RefusalForm::Error,
        }
    }
}

/// What a failing audit sink means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum OnFailure {
    /// Nothing passes that is not recorded.
    Deny,
    /// Exchanges go on; what could not be recorded is logged as an error and counted.
    BestEffort,
}

/// How a refusal by policy is worded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum RefusalForm {
    /// Status 400 with an error of the caller's dialect.
    Error,
    /// Status 200 with the message as the assistant's text.
    AssistantText,
}
