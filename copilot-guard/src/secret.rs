//! A value that must never be seen: wiped from memory, never printed.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use zeroize::Zeroizing;

/// A secret text. `{:?}` prints no part of it and there is no `Display`; memory is wiped on drop.
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes the value over.
    pub fn new(value: impl Into<String>) -> Self {
        Self(Zeroizing::new(value.into()))
    }

    /// The value itself. Every call site is a place to review.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// Values that must not come down in the answer to this request. An extension of the request; clones share the values.
///
/// The guard puts one into each request that it forwards. [`CredentialLayer`](crate::credential::CredentialLayer) adds what it
/// injects **before** it sends, and the guard masks those values in the answer. If you inject in another way, do the same:
///
/// ```
/// # use copilot_guard::secret::{Scrub, Secret};
/// # fn inject(request: &mut http::Request<()>, key: &Secret) -> Result<(), http::header::InvalidHeaderValue> {
/// if let Some(scrub) = request.extensions().get::<Scrub>() {
///     scrub.add(key.clone());
/// }
/// request.headers_mut().insert("x-api-key", key.expose().parse()?);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Default)]
pub struct Scrub(Arc<Mutex<Vec<Secret>>>);

impl Scrub {
    /// No values yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a value: the bare token, without `Bearer`. One that is there already is not added again.
    pub fn add(&self, value: Secret) {
        let mut values = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !values.iter().any(|known| known.expose() == value.expose()) {
            values.push(value);
        }
    }

    /// The values so far.
    pub fn values(&self) -> Vec<Secret> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl fmt::Debug for Scrub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.0.lock().unwrap_or_else(PoisonError::into_inner).len();
        f.debug_struct("Scrub")
            .field("count", &count)
            .finish_non_exhaustive()
    }
}

/// The caller's own token, verified. An extension of the request where the guard was told to hand it on;
/// [`CredentialLayer`](crate::credential::CredentialLayer) takes it out again before it sends.
#[derive(Debug, Clone)]
pub struct CallerToken(Secret);

impl CallerToken {
    /// Only the guard knows that a token was verified.
    #[cfg(feature = "tower")]
    pub(crate) fn new(token: Secret) -> Self {
        Self(token)
    }

    /// The token.
    pub fn token(&self) -> &Secret {
        &self.0
    }
}
