//! Verdicts on tokens that were good a moment ago.
//!
//! 1. The key is the SHA-256 of the token's bytes: the token itself is not kept. Refusals are not kept either.
//! 2. A verdict counts for a minute, never beyond the token's end, and only while its issuer's keys are those that it
//!    was made with.
//! 3. It holds what the token says. Groups of a directory are asked for after it.
//! 4. Its size is bounded: the longer a caller's groups, the more of it they take.

use std::sync::Arc;
use std::time::Duration;

use quick_cache::Weighter;
use quick_cache::sync::Cache;
use sha2::{Digest as _, Sha256};

use super::issuer::Issuer;
use super::rules::Admitted;
use crate::clock::Timestamp;
use crate::identity::Identity;

const TTL: Duration = Duration::from_secs(60);
/// What one ordinary entry takes.
const UNIT: usize = 1024;

/// The SHA-256 of a token.
pub(super) type Key = [u8; 32];

/// A token that was good.
#[derive(Debug)]
pub(super) struct Verdict {
    pub(super) issuer: Arc<Issuer>,
    pub(super) admitted: Admitted,
    pub(super) generation: u64,
    pub(super) checked_at: Timestamp,
}

impl Verdict {
    /// Whether it still counts.
    fn holds(&self, now: Timestamp) -> bool {
        // A clock that was set back makes it not older, but unknown.
        now >= self.checked_at
            && now.since(self.checked_at) < TTL
            && !self
                .issuer
                .rules()
                .is_over(self.admitted.identity.expires_at, now)
            && self.issuer.generation(now) == Some(self.generation)
    }
}

/// The verdicts of one verifier.
pub(super) struct Verdicts {
    entries: Cache<Key, Arc<Verdict>, ByGroups>,
}

impl Verdicts {
    /// For about so many callers.
    pub(super) fn new(entries: usize) -> Self {
        let weight = u64::try_from(entries).unwrap_or(u64::MAX);
        Self {
            entries: Cache::with_weighter(entries, weight, ByGroups),
        }
    }

    pub(super) fn key(token: &str) -> Key {
        Sha256::digest(token.as_bytes()).into()
    }

    pub(super) fn get(&self, key: &Key, now: Timestamp) -> Option<Arc<Verdict>> {
        let verdict = self.entries.get(key)?;
        if verdict.holds(now) {
            return Some(verdict);
        }
        self.entries.remove(key);
        None
    }

    pub(super) fn insert(&self, key: Key, verdict: Verdict) {
        self.entries.insert(key, Arc::new(verdict));
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }
}

impl std::fmt::Debug for Verdicts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Verdicts")
            .field("entries", &self.entries.len())
            .finish()
    }
}

#[derive(Debug, Clone)]
struct ByGroups;

impl Weighter<Key, Arc<Verdict>> for ByGroups {
    fn weight(&self, _: &Key, verdict: &Arc<Verdict>) -> u64 {
        u64::try_from(size(&verdict.admitted.identity) / UNIT + 1).unwrap_or(u64::MAX)
    }
}

/// About how many bytes an identity takes.
fn size(identity: &Identity) -> usize {
    // A name in a set costs about this much beside its bytes.
    const NAME: usize = 48;
    identity
        .groups
        .iter()
        .map(|group| group.len() + NAME)
        .sum::<usize>()
}
