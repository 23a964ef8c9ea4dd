//! The one thing that token verification needs from the network.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

/// The largest document that is read.
pub const MAX_DOCUMENT: usize = 1024 * 1024;

/// Gets discovery documents and key sets.
///
/// # When it is called
/// In the background while keys are fresh; in front of a request only when its token's key is unknown or no keys
/// are held. Never twice at once for one issuer. The address comes from the configuration or from the issuer's
/// discovery document, begins with `https://` (or `http://` on this machine, when allowed), and carries nothing of
/// any token.
///
/// # Rules
/// - Follow no redirect: it would let whoever answers choose another host inside the network.
/// - Read at most [`MAX_DOCUMENT`] bytes, and answer within five seconds; a longer call is dropped.
/// - Answer with the body of a 200 only. The content type is not trusted and not needed.
///
/// # If this fails
/// The keys already held stay in use for up to 24 hours; tokens with a new key are refused meanwhile, and with no
/// keys all of the issuer's tokens are (503). An answer that lies lets whoever wrote it name any person.
/// A panic counts as a failure.
#[async_trait]
pub trait KeyFetcher: std::fmt::Debug + Send + Sync + 'static {
    /// Gets the document at `url`.
    async fn get(&self, url: &str) -> Result<Fetched, FetchError>;
}

/// A document and how long it may be kept.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Fetched {
    /// The bytes of the document.
    pub body: Bytes,
    /// `max-age` of `Cache-Control`, if it says; zero for `no-store` and `no-cache`.
    pub max_age: Option<Duration>,
}

impl Fetched {
    /// A document without a word on its age.
    pub fn new(body: impl Into<Bytes>) -> Self {
        Self {
            body: body.into(),
            max_age: None,
        }
    }

    /// The same document, good for `max_age`.
    #[must_use]
    pub fn with_max_age(mut self, max_age: Duration) -> Self {
        self.max_age = Some(max_age);
        self
    }
}

/// Why a document could not be had.
#[derive(Debug, thiserror::Error)]
#[error("could not fetch the document: {what}")]
pub struct FetchError {
    what: &'static str,
    #[source]
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl FetchError {
    /// A failure with a short description and its cause.
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

/// Fetches nothing: for verifiers whose issuers all have their keys from files.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoFetch;

#[async_trait]
impl KeyFetcher for NoFetch {
    async fn get(&self, _: &str) -> Result<Fetched, FetchError> {
        Err(FetchError::message(
            "this verifier has no network: give each issuer its `jwks`",
        ))
    }
}
