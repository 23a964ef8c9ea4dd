//! The upstream credential: who provides it, and the layer next to the HTTP client that adds it.
//!
//! A guard opens no connections and cannot pin them. [`CredentialLayer`] sits right before the client, checks scheme
//! and authority of the final URI, and only then asks a [`CredentialProvider`] and adds the header:
//!
//! | provider | brings |
//! | --- | --- |
//! | [`StaticCredential`] | always the same value |
//! | [`FileCredential`] | what a file holds, read again when it changes |
//! | [`CopilotExchange`] | a short-lived Copilot token for a GitHub token |
//! | [`ClientCredentials`] | a token for the gateway itself (RFC 6749, 4.4) |
//! | [`TokenExchange`] | a token for the caller's own token, or for a workload's (RFC 8693) |
//! | [`ServiceAccount`] | a token for a signed assertion (RFC 7523), as Google's directory wants it |
//! | [`PerGroup`] | what one of these brings, chosen by the caller's groups |
//!
//! Tokens that end are kept until then, renewed ahead of their end, and fetched once for many that wait.
//!
//! # It cannot come down
//! What the layer injects it first adds to the request's [`Scrub`], and the guard masks those values in the answer. Who
//! injects in another way does the same. A value that is known at start may be registered with the policy as well
//! ([`PolicyOptions::with_exact`](crate::policy::PolicyOptions::with_exact)).
//!
//! ```
//! use std::sync::Arc;
//!
//! use copilot_guard::clock::SystemClock;
//! use copilot_guard::credential::{Credential, CredentialLayer, PerGroup, StaticCredential};
//! use copilot_guard::secret::Secret;
//!
//! let of = |value: &str| StaticCredential::bearer(&Secret::new(value)).map(Arc::new);
//! let provider = PerGroup::new()
//!     .with_group("research", of("key-of-research")?)
//!     .with_default(of("key-of-all-others")?);
//! let layer = CredentialLayer::new(Arc::new(provider), Arc::new(SystemClock), "https", "api.example.com");
//! # let _: (CredentialLayer, Option<Credential>) = (layer, None);
//! # Ok::<_, copilot_guard::credential::CredentialError>(())
//! ```

#[cfg(test)]
mod canary;
mod client_credentials;
mod copilot;
mod fixed;
mod layer;
mod oauth;
mod per_group;
mod service_account;
mod source;
mod token_exchange;

pub use crate::secret::{CallerToken, Scrub};
pub use client_credentials::ClientCredentials;
pub use copilot::CopilotExchange;
pub use fixed::{FileCredential, StaticCredential};
pub use layer::{CredentialLayer, CredentialService};
pub use oauth::TokenEndpoint;
pub use per_group::PerGroup;
pub use service_account::{InvalidServiceAccount, ServiceAccount};
pub use source::SecretSource;
pub use token_exchange::{Subject, TokenExchange, TokenKind};

#[cfg(test)]
pub(crate) use service_account::tests as service_account_tests;

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::header::{AUTHORIZATION, HeaderName, HeaderValue};
use zeroize::Zeroizing;

use crate::clock::Timestamp;
use crate::identity::Identity;
use crate::secret::Secret;

/// How long before its end a token is renewed.
const EARLY: Duration = Duration::from_secs(2 * 60);
/// A token that says nothing of its end is kept for so long, and none for longer than a day.
const UNSAID: Duration = Duration::from_secs(5 * 60);
const LONGEST: Duration = Duration::from_secs(24 * 3600);
/// For each request to a token endpoint.
const ASK: Duration = Duration::from_secs(10);
/// The longest wait after failures.
const MAX_WAIT: Duration = Duration::from_secs(8);

const BEARER: &str = "Bearer ";

/// A header that authenticates the gateway upstream. `{:?}` shows the header's name and the end alone.
#[derive(Clone)]
pub struct Credential {
    header: HeaderName,
    /// Its memory is wiped when the last clone is dropped.
    value: HeaderValue,
    expires_at: Option<Timestamp>,
}

impl Credential {
    /// `Authorization: Bearer VALUE`.
    ///
    /// # Errors
    /// The value has characters that no header may hold.
    pub fn bearer(value: &Secret) -> Result<Self, CredentialError> {
        Self::build(AUTHORIZATION, BEARER, value)
    }

    /// `HEADER: VALUE`, such as `x-api-key`. For `authorization` the value gets `Bearer` before it.
    ///
    /// # Errors
    /// The value has characters that no header may hold.
    pub fn header(header: HeaderName, value: &Secret) -> Result<Self, CredentialError> {
        if header == AUTHORIZATION {
            Self::bearer(value)
        } else {
            Self::build(header, "", value)
        }
    }

    fn build(header: HeaderName, scheme: &str, value: &Secret) -> Result<Self, CredentialError> {
        let value = value.expose();
        if value.is_empty() || !value.bytes().all(|b| b == b' ' || b.is_ascii_graphic()) {
            return Err(CredentialError::Unusable);
        }
        let mut text = Zeroizing::new(Vec::with_capacity(scheme.len() + value.len()));
        text.extend_from_slice(scheme.as_bytes());
        text.extend_from_slice(value.as_bytes());
        let mut value =
            HeaderValue::from_maybe_shared(Bytes::from_owner(text)).map_err(|_| CredentialError::Unusable)?;
        // Keeps it out of HPACK's table and of `{:?}`.
        value.set_sensitive(true);
        Ok(Self {
            header,
            value,
            expires_at: None,
        })
    }

    /// The same credential, which ends then.
    #[must_use]
    pub fn with_expiry(mut self, at: Timestamp) -> Self {
        self.expires_at = Some(at);
        self
    }

    /// When it ends, if that is known.
    pub fn expires_at(&self) -> Option<Timestamp> {
        self.expires_at
    }

    /// The value without `Bearer`: what must not come down.
    pub(crate) fn exposed(&self) -> Secret {
        let text = self.value.to_str().unwrap_or_default();
        let is_bearer = self.header == AUTHORIZATION;
        let bare = is_bearer.then(|| text.strip_prefix(BEARER)).flatten();
        Secret::new(bare.unwrap_or(text))
    }

    /// Adds it to a request that the gateway makes itself.
    pub(crate) fn insert_into(&self, headers: &mut http::HeaderMap) {
        headers.insert(self.header.clone(), self.value.clone());
    }

    /// Whether both are the same header with the same value.
    fn is_same(&self, other: &Self) -> bool {
        self.header == other.header && self.value == other.value
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credential")
            .field("header", &self.header)
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}

/// Why no credential was added. The request is not sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CredentialError {
    /// The value cannot stand in a header.
    #[error(
        "the credential is empty or has characters that no header may hold: store it without line breaks"
    )]
    Unusable,
    /// The provider has none right now.
    #[error("no upstream credential is available")]
    Unavailable,
    /// The request goes somewhere else than the credential is for.
    #[error("the request does not go to the endpoint that its credential is for")]
    Misdirected,
}

/// For whom a credential is asked, and when.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct CredentialRequest<'a> {
    /// Who asks, as the guard verified them. Nobody when the gateway asks for itself.
    pub caller: Option<&'a Identity>,
    /// The caller's own token, where the guard was told to hand it on. Never one that the gateway made.
    pub caller_token: Option<&'a Secret>,
    /// Upstream answered 401 to this one: bring another, or fail.
    pub rejected: Option<&'a Credential>,
    /// The time now.
    pub now: Timestamp,
}

impl<'a> CredentialRequest<'a> {
    /// For the gateway itself.
    pub fn new(now: Timestamp) -> Self {
        Self {
            caller: None,
            caller_token: None,
            rejected: None,
            now,
        }
    }

    /// For this caller.
    #[must_use]
    pub fn with_caller(mut self, caller: &'a Identity) -> Self {
        self.caller = Some(caller);
        self
    }

    /// With the caller's own token.
    #[must_use]
    pub fn with_caller_token(mut self, token: &'a Secret) -> Self {
        self.caller_token = Some(token);
        self
    }

    /// After upstream turned this one down.
    #[must_use]
    pub fn with_rejected(mut self, rejected: &'a Credential) -> Self {
        self.rejected = Some(rejected);
        self
    }

    /// Whether it is the one that upstream turned down.
    fn has_rejected(&self, credential: &Credential) -> bool {
        self.rejected.is_some_and(|rejected| rejected.is_same(credential))
    }
}

/// Provides the credential of one upstream.
///
/// # When it is called
/// Once per forwarded request, right before it is sent, and once more when upstream answers 401 to what it brought
/// ([`CredentialRequest::rejected`]). Many requests call at the same time: an implementation that fetches keeps what it
/// got, renews it ahead of its end, and fetches once for all that wait, in a task that survives a client that hangs up.
///
/// # If this fails
/// - An `Err` is a recorded 502; nothing is sent. To a rejected credential it leaves upstream's 401, which is a 502 too.
/// - Blocking blocks the request, which the client may give up.
/// - A wrong value makes upstream refuse (502). The value of another tenant spends that tenant's budget, and upstream's
///   records name the wrong one: choose by [`CredentialRequest::caller`] alone, never by what the request says.
/// - A panic is a 502.
///
/// Neither `{:?}` nor a log line may hold a value.
#[async_trait]
pub trait CredentialProvider: fmt::Debug + Send + Sync + 'static {
    /// The credential to use for this request.
    async fn credential(&self, request: CredentialRequest<'_>) -> Result<Credential, CredentialError>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_what_would_split_a_header() {
        for bad in ["a\r\nb: c", "a\nb", "a\0", "", "\u{e9}"] {
            let refused = Credential::bearer(&Secret::new(bad)).unwrap_err();
            assert_eq!(refused, CredentialError::Unusable, "{bad:?}");
        }
    }

    #[test]
    fn knows_its_bare_value() {
        let secret = Secret::new("Bearer-like value");
        let bearer = Credential::bearer(&secret).unwrap();
        assert_eq!(
            (bearer.value.to_str().unwrap(), bearer.exposed().expose()),
            ("Bearer Bearer-like value", "Bearer-like value")
        );
        let key = Credential::header(HeaderName::from_static("x-api-key"), &secret).unwrap();
        assert_eq!(key.exposed().expose(), "Bearer-like value");
        assert!(key.value.is_sensitive() && !key.is_same(&bearer));
    }
}
