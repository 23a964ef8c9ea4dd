//! What the gateway itself asks of other services: token endpoints and directories.
//!
//! 1. [`HttpClient`] sends; with the feature `fetch` there is `HyperClient`, with `test-util` a scripted one.
//! 2. An [`Endpoint`] is an address that was checked: `https`, or `http` on this machine where that is allowed.
//! 3. What was brought is kept for a while, renewed ahead of its end, and fetched once for many that wait.

mod bounded;
mod endpoint;
mod flight;
mod form;
#[cfg(feature = "fetch")]
mod hyper;
mod keep;
#[cfg(test)]
#[cfg(feature = "fetch")]
pub(crate) mod test_server;

pub(crate) use bounded::Bounded;
pub use endpoint::{Endpoint, InvalidEndpoint};
pub(crate) use flight::Flight;
pub(crate) use form::{Form, percent_encode};
#[cfg(feature = "fetch")]
pub use hyper::HyperClient;
pub(crate) use keep::Fresh;

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response};
use zeroize::Zeroizing;

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

/// Sends with a time limit, as [`HttpClient`] leaves that to its callers.
pub(crate) async fn send_within(
    client: &dyn HttpClient,
    request: Request<Bytes>,
    limit: Duration,
) -> Result<Response<Bytes>, OutboundError> {
    tokio::time::timeout(limit, client.send(request))
        .await
        .map_err(|_| OutboundError::message("it took too long"))?
}

/// A body that is wiped from memory when the last reader drops it.
pub(crate) fn wiped(body: Zeroizing<Vec<u8>>) -> Bytes {
    Bytes::from_owner(body)
}

/// Wipes an answer, where nobody else reads it any more.
pub(crate) fn wipe(body: Bytes) {
    if let Ok(mut body) = body.try_into_mut() {
        zeroize::Zeroize::zeroize(body.as_mut());
    }
}
