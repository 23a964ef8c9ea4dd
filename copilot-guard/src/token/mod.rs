//! Who asks: bearer extraction, strict JWT checks, claim mapping and key sets.
//!
//! 1. [`credential`] takes exactly one token out of the headers; [`proxy_credential`] out of those of a `CONNECT`.
//! 2. The token is taken apart by strict rules and its signature checked with a key of the one issuer it names.
//! 3. The signed claims are checked by the rules of that issuer ([`IssuerConfig`]) and mapped to an [`Identity`]. Its
//!    groups stand in the issuer's namespace.
//! 4. Groups that the token does not carry are asked for in the issuer's [directory](crate::groups). Where they cannot
//!    be had, the request is refused.
//! 5. Keys are fetched ahead of need and kept through outages, but never for more than 24 hours. They may stand in a
//!    file, which is read again.
//! 6. Good tokens are remembered for a minute, by their digest; never beyond their end, nor their key's.
//!
//! Decisions are pure functions of the bytes and the time; [`OidcVerifier`] joins them with a [`KeyFetcher`] that does
//! the I/O. Each refusal has a stable code ([`TokenError::code`]). A [`Profile`] knows what is particular to a provider.
//!
//! ```
//! use std::sync::Arc;
//! use copilot_guard::token::{IssuerConfig, NoFetch, OidcVerifier, Profile, SyntheticGroup};
//!
//! let mut ci = IssuerConfig::of(
//!     Profile::GithubActions,
//!     "https://token.actions.githubusercontent.com",
//!     ["copilot-guard"],
//! );
//! ci.required.insert("repository_owner_id".into(), "1234".into());
//! ci.synthetic_groups = vec![SyntheticGroup::new("ci-main", [("ref", "refs/heads/main"), ("event_name", "push")])];
//! let verifier = OidcVerifier::builder(Arc::new(NoFetch)).issuer(ci).build()?;
//! # let _ = verifier;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod algorithm;
mod bearer;
#[cfg(feature = "tower")]
mod cache;
mod claims;
mod compile;
mod config;
#[cfg(feature = "tower")]
mod directory;
#[cfg(feature = "fetch")]
mod fetch;
mod fetcher;
mod gateway;
#[cfg(feature = "tower")]
mod issuer;
#[cfg_attr(
    not(feature = "tower"),
    expect(dead_code, reason = "its caller is `OidcVerifier`")
)]
mod jwks;
#[cfg_attr(
    not(feature = "tower"),
    expect(dead_code, reason = "its caller is `OidcVerifier`")
)]
mod jwt;
#[cfg_attr(
    not(feature = "tower"),
    expect(dead_code, reason = "its caller is `OidcVerifier`")
)]
mod logout;
#[cfg_attr(
    not(feature = "tower"),
    expect(dead_code, reason = "its caller is `OidcVerifier`")
)]
mod mapping;
#[cfg(feature = "tower")]
mod oidc;
mod profile;
mod proxy;
#[cfg_attr(
    not(feature = "tower"),
    expect(dead_code, reason = "its caller is `OidcVerifier`")
)]
mod rotation;
#[cfg_attr(
    not(feature = "tower"),
    expect(dead_code, reason = "its caller is `OidcVerifier`")
)]
mod rules;
mod strict_json;
#[cfg(test)]
#[cfg(feature = "tower")]
mod tests;
mod url;

pub use algorithm::{Algorithm, UnknownAlgorithm};
pub use bearer::{credential, exchange_credential};
pub use claims::Expected;
pub use config::{IssuerConfig, IssuerConfigError, MachineMark, Resolve};
#[cfg(feature = "fetch")]
pub use fetch::HttpFetcher;
pub use fetcher::{FetchError, Fetched, KeyFetcher, MAX_DOCUMENT, NoFetch};
pub use gateway::{GatewayTokens, Issued};
pub use logout::LogoutToken;
pub use mapping::{GroupSource, Shape, SyntheticGroup};
#[cfg(feature = "tower")]
pub use oidc::{OidcVerifier, OidcVerifierBuilder};
pub use profile::Profile;
pub use proxy::proxy_credential;

use async_trait::async_trait;

use crate::clock::Timestamp;
use crate::identity::Identity;

/// Checks a bearer token and says whom it names.
///
/// # When it is called
/// Once per request, before a byte of the body is read, and once per tunnel. `token` is what stood behind `Bearer ` (or
/// in `x-api-key`, `api-key`; in `Proxy-Authorization` of a tunnel; behind `token ` where one is exchanged), without
/// blanks around it, at most 16 KiB. Tokens of the gateway's own do not come here.
///
/// # If this fails
/// An `Err` refuses the request (401, a tunnel 407; 400 for [`TokenError::GroupsOverage`], 503 for
/// [`TokenError::Unavailable`]); nothing is forwarded. A false accept
/// lets a stranger spend the upstream credential; a false refuse stops a developer's work. Blocking blocks every
/// request behind it. A panic refuses the request.
#[async_trait]
pub trait TokenVerifier: std::fmt::Debug + Send + Sync + 'static {
    /// Verifies `token` at the time `now`.
    async fn verify(&self, token: &str, now: Timestamp) -> Result<Identity, TokenError>;

    /// Whether a request without any token is refused before [`verify`](Self::verify) is asked. `false` is for
    /// verifiers that know the caller by other means; they then get an empty token.
    fn needs_token(&self) -> bool {
        true
    }

    /// The same caller, as the provider knows them at `now`: asked when a token is given for a device grant, whose
    /// login may be days old. Without a directory to ask, the caller stays as they were.
    ///
    /// # Errors
    /// The caller is refused: their issuer is not configured any more, or their groups cannot be had.
    async fn renew(&self, identity: Identity, _now: Timestamp) -> Result<Identity, TokenError> {
        Ok(identity)
    }

    /// Verifies a logout token (OpenID Connect Back-Channel Logout 1.0) at the time `now`. It is asked for what an
    /// issuer posts, unasked and without a credential of its own; that no token counts twice is the caller's to see to,
    /// by [`LogoutToken::id`].
    ///
    /// # Errors
    /// The token is not acceptable, or this verifier knows no logout tokens. A false accept lets a stranger end
    /// somebody's session; a false refuse lets a session go on until its token ends.
    async fn verify_logout(&self, _token: &str, _now: Timestamp) -> Result<LogoutToken, TokenError> {
        Err(TokenError::Invalid("logout_unsupported"))
    }
}

/// Why a token was not accepted. Of an [`Invalid`](Self::Invalid) or [`Missing`](Self::Missing) one the client learns
/// only that; the code goes into the record.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// No token, or more than one.
    #[error("no usable credential: {0}")]
    Missing(&'static str),
    /// The token is not acceptable; a stable code such as `bad_signature` or `expired` says which rule it broke.
    #[error("token refused: {0}")]
    Invalid(&'static str),
    /// The identity provider marks the group list as cut off.
    #[error("the token's group list is cut off (overage)")]
    GroupsOverage,
    /// No usable keys: the identity provider cannot be reached.
    #[error("identity keys are not available")]
    Unavailable,
    /// What was withdrawn cannot be told.
    #[error("revocations are not available")]
    RevocationsUnavailable,
    /// The directory that knows the caller's groups cannot be asked. Never taken for "no groups".
    #[error("the caller's groups cannot be had")]
    GroupsUnavailable,
}

impl TokenError {
    /// Whether it is the gateway that cannot tell, and not the token that is at fault.
    pub fn is_unavailable(&self) -> bool {
        matches!(
            self,
            Self::Unavailable | Self::GroupsUnavailable | Self::RevocationsUnavailable
        )
    }

    /// A stable code for records and metrics.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Missing(code) | Self::Invalid(code) => code,
            Self::GroupsOverage => "groups_overage",
            Self::Unavailable => "keys_unavailable",
            Self::RevocationsUnavailable => "revocations_unavailable",
            Self::GroupsUnavailable => "groups_unavailable",
        }
    }
}
