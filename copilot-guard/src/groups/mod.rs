//! Groups that no token carries: asked for in the organisation's directory.
//!
//! Entra ID leaves long lists out of its tokens, Google names no groups in any. A [`GroupResolver`] asks the directory
//! instead; the names it brings then go through the issuer's mapping as those of a claim do.
//!
//! With the feature `tower` there are resolvers for Microsoft Graph and for Google Workspace, and one around any other
//! that keeps answers and asks once for many that wait.

#[cfg(feature = "tower")]
mod ask;
#[cfg(feature = "tower")]
mod cached;
#[cfg(feature = "tower")]
mod google;
#[cfg(feature = "tower")]
mod graph;

#[cfg(feature = "tower")]
pub use cached::CachedResolver;
#[cfg(feature = "tower")]
pub use google::GoogleResolver;
#[cfg(feature = "tower")]
pub use graph::GraphResolver;

use std::collections::BTreeSet;

use async_trait::async_trait;

use crate::clock::Timestamp;

/// Whose groups are asked for.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct GroupQuery<'a> {
    /// The token's issuer.
    pub issuer: &'a str,
    /// The key of the account in the directory: `oid` for Entra ID, `sub` for Google. Of a signed claim.
    pub key: &'a str,
    /// When the token ends: no answer may be kept for longer.
    pub expires_at: Timestamp,
    /// The time now.
    pub now: Timestamp,
}

impl<'a> GroupQuery<'a> {
    /// Asks for the groups of `key`.
    pub fn new(issuer: &'a str, key: &'a str, expires_at: Timestamp, now: Timestamp) -> Self {
        Self {
            issuer,
            key,
            expires_at,
            now,
        }
    }
}

/// Why groups could not be had.
#[derive(Debug, thiserror::Error)]
#[error("the directory does not tell the groups: {what}")]
pub struct ResolveError {
    what: &'static str,
    #[source]
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl ResolveError {
    /// A failure with its cause. Neither may hold a token or a password.
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

/// Asks a directory for the groups of a caller.
///
/// # When it is called
/// For each request of an issuer that has a resolver, once its token was verified and when the token does not carry the
/// groups (or always, as the issuer says). So an implementation keeps answers for a while, never beyond
/// [`GroupQuery::expires_at`], and asks once for many that wait.
///
/// # Rules
/// - The address comes from the configuration and the key alone, never from a link in a token.
/// - All groups, or an error: a list that was cut off would lift the rules of the groups it lacks.
/// - Answer within two seconds.
///
/// # If this fails
/// The request is a 503; a failure is never taken for "no groups". Blocking blocks the request. A wrong answer gives the
/// caller the rules of others. A panic counts as a failure.
#[async_trait]
pub trait GroupResolver: std::fmt::Debug + Send + Sync + 'static {
    /// The names (or ids) of the groups of one account, as the directory has them.
    async fn resolve(&self, query: GroupQuery<'_>) -> Result<BTreeSet<String>, ResolveError>;
}
