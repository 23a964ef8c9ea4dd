//! What the guard knows, for handlers behind it.

use axum::extract::FromRequestParts;
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use copilot_guard::id::ExchangeId;
use copilot_guard::identity::Identity;

/// Who asks, as the guard has verified it.
///
/// # If this fails
/// 500 with [`NotGuarded`]: the handler is reachable without the guard, which is a mistake in the set-up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallerIdentity(pub Identity);

/// The exchange that the guard has opened for this request; it fails as [`CallerIdentity`] does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exchange(pub ExchangeId);

/// The handler does not stand behind a guard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct NotGuarded;

impl std::fmt::Display for NotGuarded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(
            "this handler is not behind the guard: wrap the finished router with `guard.wrap(router)`",
        )
    }
}

impl std::error::Error for NotGuarded {}

impl IntoResponse for NotGuarded {
    fn into_response(self) -> Response {
        (StatusCode::INTERNAL_SERVER_ERROR, self.to_string()).into_response()
    }
}

impl<S: Sync> FromRequestParts<S> for CallerIdentity {
    type Rejection = NotGuarded;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, NotGuarded> {
        parts.extensions.get().cloned().map(Self).ok_or(NotGuarded)
    }
}

impl<S: Sync> FromRequestParts<S> for Exchange {
    type Rejection = NotGuarded;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, NotGuarded> {
        parts.extensions.get().copied().map(Self).ok_or(NotGuarded)
    }
}
