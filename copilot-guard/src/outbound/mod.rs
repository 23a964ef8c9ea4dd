//! What the gateway itself asks of other services: token endpoints and directories.

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response};

/// The largest answer that is read.
pub const MAX_ANSWER: usize = 4 << 20;

/// Sends one request to a service that the configuration names.
///
/// # Rules
/// - Follow no redirect, use no proxy that the environment names, keep no cookies.
/// - Read at most [`MAX_ANSWER`] bytes. The caller sets the time limit and drops the call.
/// - `https`, or `http` on this machine.
/// - Log no header and no body: they hold credentials.
///
/// # If this fails
/// What was asked for cannot be had: no upstream credential (502), no groups (503). An answer that lies gives away what
/// was asked for.
#[async_trait]
pub trait HttpClient: std::fmt::Debug + Send + Sync + 'static {
    /// The answer, whatever its status.
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, OutboundError>;
}

/// Why there was no answer. Says nothing of the request's content.
#[derive(Debug, thiserror::Error)]
#[error("no answer: {what}")]
pub struct OutboundError {
    what: &'static str,
    #[source]
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl OutboundError {
    /// A failure with its cause.
    pub fn new(what: &'static str, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self {
            what,
            source: Some(source.into()),
        }
    }

    /// A failure without a cause.
    pub const fn message(what: &'static str) -> Self {
        Self { what, source: None }
    }
}
