//! Device grants: what a laptop keeps in place of a password.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::clock::Timestamp;
use crate::identity::Identity;
use crate::secret::Secret;

/// The longest life of a grant.
pub const MAX_GRANT_LIFETIME: Duration = Duration::from_secs(30 * 24 * 3600);

/// What every grant begins with: GitHub's prefix, since some clients take nothing else, then ours.
const PREFIX: &str = "gho_cgd1";
/// Random bytes of a grant.
const RANDOM: usize = 32;

/// The SHA-256 of a grant, in hex: all that is kept of it. With 256 random bits in a grant no salt is needed.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct GrantHash(String);

impl GrantHash {
    /// The hash of what a caller presents.
    pub fn of(grant: &str) -> Self {
        Self(hex(&Sha256::digest(grant.as_bytes())))
    }

    /// In hex.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A grant as it is kept: nothing of it can be presented anywhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct DeviceGrant {
    /// Its name, for people and for [`Withdrawn::Token`](super::Withdrawn::Token). Says nothing of the grant itself.
    pub id: String,
    /// The hash of what the laptop keeps.
    pub hash: GrantHash,
    /// Who signed in. Its `expires_at` is the grant's end, its `token_ids` hold the grant's id.
    pub identity: Identity,
    /// When it was given.
    pub created_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
}

/// A grant, fresh: the one moment at which it can be read.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct NewGrant {
    /// For the laptop.
    pub secret: Secret,
    /// For the store.
    pub grant: DeviceGrant,
}

impl DeviceGrant {
    /// Whether a token is meant to be a grant. Only a store says that it is one.
    pub fn is_one(token: &str) -> bool {
        token.starts_with(PREFIX)
    }
}

/// A grant for somebody who has just signed in. `random` is fresh; `lifetime` is cut at [`MAX_GRANT_LIFETIME`].
pub fn new_grant(identity: &Identity, random: &[u8; RANDOM], lifetime: Duration, now: Timestamp) -> NewGrant {
    let mut text = zeroize::Zeroizing::new(String::from(PREFIX));
    text.push_str(&zeroize::Zeroizing::new(hex(random)));
    let secret = Secret::new(text.as_str());
    let hash = GrantHash::of(secret.expose());
    // Of the hash, so that it tells nothing of the grant; long enough that no two are the same.
    let id = format!("grant-{}", hash.as_str().get(..24).unwrap_or_default());
    let expires_at = now.plus(lifetime.min(MAX_GRANT_LIFETIME));
    let mut identity = identity.clone();
    identity.expires_at = expires_at;
    // A vote needs a login of its own.
    identity.authenticated_at = None;
    identity.token_ids.push(id.clone());
    let grant = DeviceGrant {
        id,
        hash,
        identity,
        created_at: now,
        expires_at,
    };
    NewGrant { secret, grant }
}

fn hex(bytes: &[u8]) -> String {
    use fmt::Write as _;
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
            // Writing to a String cannot fail.
            let _ = write!(text, "{byte:02x}");
            text
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

    #[test]
    fn nothing_kept_of_a_grant_can_be_presented() {
        let identity = Identity::new("https://idp.example", "dev", NOW.plus(Duration::from_secs(600)));
        let made = new_grant(&identity, &[7; 32], Duration::from_secs(90 * 24 * 3600), NOW);
        let secret = made.secret.expose();
        assert!(
            DeviceGrant::is_one(secret) && secret.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
        );
        assert_eq!(made.grant.expires_at, NOW.plus(MAX_GRANT_LIFETIME));
        assert_eq!(made.grant.hash, GrantHash::of(secret));
        let kept = serde_json::to_string(&made.grant).unwrap();
        assert!(!kept.contains(secret) && !kept.contains(&secret[8..]));
        assert!(!format!("{made:?}").contains(&secret[8..]));
        assert!(made.grant.identity.token_ids.contains(&made.grant.id));
        let other = new_grant(&identity, &[8; 32], Duration::from_secs(60), NOW);
        assert_ne!(
            (other.grant.id, other.grant.hash),
            (made.grant.id, made.grant.hash)
        );
    }
}
