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

/// The values that were sent upstream with one request, for whoever looks at the answer. Clones share one list.
///
/// A guard puts it into the extensions of every request that it forwards. Who adds a credential adds the bare value here,
/// before the request leaves: then no form of it comes down. [`CredentialLayer`](crate::credential::CredentialLayer) does.
#[derive(Clone, Default)]
pub struct Scrub(Arc<Mutex<Vec<Secret>>>);

impl Scrub {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// One more value.
    pub fn add(&self, value: Secret) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(value);
    }

    /// The values so far.
    pub fn values(&self) -> Vec<Secret> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl fmt::Debug for Scrub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.0.lock().unwrap_or_else(PoisonError::into_inner).len();
        f.debug_tuple("Scrub").field(&count).finish()
    }
}
