//! Access that can be given and taken back: device grants, and what was withdrawn before its time.
//!
//! 1. A [`DeviceGrant`] stays on a laptop for days. It is opaque, kept as a hash, and good for one thing: a gateway token
//!    of minutes.
//! 2. A [`Revocation`] withdraws tokens by their id, session, account or person, also on streams that are open.
//! 3. An [`AccessStore`] keeps both; replicas that share one see each other's within seconds.
//!
//! What is withdrawn is what was issued until then: who signs in again is let in again. Who is to stay out is taken out of
//! the identity provider, or refused by policy.

mod grant;
mod revocation;

use async_trait::async_trait;

pub use crate::approval::StoreError;
pub use grant::{DeviceGrant, GrantHash, MAX_GRANT_LIFETIME, NewGrant, new_grant};
pub use revocation::{Revocation, RevocationList, Withdrawn};

use crate::clock::Timestamp;

/// Keeps device grants and revocations.
///
/// # When it is called
/// For each exchange of a grant ([`find_grant`](Self::find_grant)), every two seconds for the revocations in force
/// (never for a request while that list is fresh), and when access is given or taken.
///
/// # If this fails
/// - An `Err` of the list of revocations for longer than 30 seconds refuses every request (503): nobody could tell what
///   was withdrawn. An `Err` elsewhere refuses that one call.
/// - A store that forgets a revocation lets a stolen token in until it ends by itself; one that forgets a grant makes a
///   developer sign in again.
/// - Blocking blocks the exchange of grants, and with them nothing else.
#[async_trait]
pub trait AccessStore: std::fmt::Debug + Send + Sync + 'static {
    /// Keeps a grant.
    async fn put_grant(&self, grant: &DeviceGrant) -> Result<(), StoreError>;

    /// The grant of this hash, if there is one that has not ended at `now`.
    async fn find_grant(&self, hash: &GrantHash, now: Timestamp) -> Result<Option<DeviceGrant>, StoreError>;

    /// Grants that have not ended at `now`, newest first, at most 1000; of one person only, when one is named.
    async fn grants(&self, person: Option<&str>, now: Timestamp) -> Result<Vec<DeviceGrant>, StoreError>;

    /// Forgets a grant. `false`: there was none.
    async fn remove_grant(&self, hash: &GrantHash) -> Result<bool, StoreError>;

    /// Keeps a revocation. A second one of the same thing stands beside the first.
    async fn revoke(&self, revocation: &Revocation) -> Result<(), StoreError>;

    /// Every revocation in force at `now` ([`Revocation::ends_at`] lies ahead).
    async fn revocations(&self, now: Timestamp) -> Result<Vec<Revocation>, StoreError>;
}
