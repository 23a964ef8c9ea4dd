//! When to use, fetch, await or refuse an issuer's keys: a state machine without clock, lock or I/O.
//!
//! 1. A known `kid` is used at once, for at most [`MAX_STALE`] after its set was fetched. From 80 % of the set's
//!    time to live on, the answer also asks for a refresh in the background.
//! 2. An unknown `kid` causes a fetch at once, and at most one per [`UNKNOWN_KID_PAUSE`]; in between it is refused.
//!    Fetches of other causes do not count: a key made just after one is known with its first token.
//! 3. A failed or empty fetch keeps the old set. Without a usable set, attempts are spaced by a growing pause.
//! 4. A key that a new set no longer names is gone at once, and so are verdicts that were kept: their generation is
//!    over.
//!
//! Order of calls: [`step`](Rotation::step) for each token; before a fetch [`begin`](Rotation::begin) or
//! [`begin_for_token`](Rotation::begin_for_token), after it [`finish`](Rotation::finish).

use std::sync::Arc;
use std::time::Duration;

use super::jwks::KeySet;
use crate::clock::Timestamp;

/// Issuers that ask for less are asked every five minutes at most.
pub(super) const MIN_TTL: Duration = Duration::from_secs(5 * 60);
/// A file is looked at more often: its owner expects a change to count soon.
pub(super) const FILE_TTL: Duration = Duration::from_secs(60);
/// Issuers that allow more are asked every hour at least, so that a withdrawn key does not live on.
pub(super) const MAX_TTL: Duration = Duration::from_secs(60 * 60);
/// When the issuer does not say.
pub(super) const DEFAULT_TTL: Duration = Duration::from_secs(15 * 60);
/// How long keys outlive the last successful fetch.
pub(super) const MAX_STALE: Duration = Duration::from_secs(24 * 60 * 60);
/// The least time between two fetches for unknown names of keys, and between a fetch and the refresh after it.
pub(super) const UNKNOWN_KID_PAUSE: Duration = Duration::from_secs(30);

/// What to do with a token that names a key.
#[derive(Debug, Clone)]
pub(super) enum Step {
    /// Check the signature with this set, which has the key. Also start a refresh when `refresh` is set.
    Use {
        keys: Arc<KeySet>,
        generation: u64,
        refresh: bool,
    },
    /// Fetch the set, then ask again.
    Fetch,
    /// A fetch is under way: await it, then ask again.
    Wait,
    /// The issuer has no such key.
    Refuse,
    /// There is no usable set and it is too early to try again.
    Unavailable,
}

struct Held {
    keys: Arc<KeySet>,
    fetched_at: Timestamp,
    ttl: Duration,
}

/// The state of one issuer's keys.
pub(super) struct Rotation {
    held: Option<Held>,
    last_attempt: Option<Timestamp>,
    /// The last one that an unknown name caused.
    last_unknown: Option<Timestamp>,
    failures: u32,
    /// Given once and for all: never fetched, never stale.
    fixed: bool,
    min_ttl: Duration,
    /// Grows whenever a set came that verifies other tokens than the one before.
    generation: u64,
}

impl Rotation {
    /// Keys that are fetched.
    pub(super) const fn new() -> Self {
        Self {
            held: None,
            last_attempt: None,
            last_unknown: None,
            failures: 0,
            fixed: false,
            min_ttl: MIN_TTL,
            generation: 0,
        }
    }

    /// Keys of a file that is read again.
    pub(super) const fn file() -> Self {
        let mut state = Self::new();
        state.min_ttl = FILE_TTL;
        state
    }

    /// Keys that were given once and for all.
    pub(super) fn fixed(keys: KeySet) -> Self {
        let held = Held {
            keys: Arc::new(keys),
            fetched_at: Timestamp::from_millis(0),
            ttl: MAX_TTL,
        };
        Self {
            held: Some(held),
            last_attempt: None,
            last_unknown: None,
            failures: 0,
            fixed: true,
            min_ttl: MIN_TTL,
            generation: 0,
        }
    }

    /// What to do at `now` with a token that names `kid`, while a fetch is `in_flight` or not.
    pub(super) fn step(&self, kid: &str, now: Timestamp, in_flight: bool) -> Step {
        match self.usable(now) {
            Some(held) if held.keys.has(kid) => Step::Use {
                keys: Arc::clone(&held.keys),
                generation: self.generation,
                refresh: !in_flight && self.is_due(now),
            },
            Some(_) if self.fixed => Step::Refuse,
            _ if in_flight => Step::Wait,
            Some(_) if has_paused(self.last_unknown, now, UNKNOWN_KID_PAUSE) => Step::Fetch,
            Some(_) => Step::Refuse,
            None if has_paused(self.last_attempt, now, self.retry_pause()) => Step::Fetch,
            None => Step::Unavailable,
        }
    }

    /// Whether there is a set that may still be used.
    pub(super) fn is_ready(&self, now: Timestamp) -> bool {
        self.usable(now).is_some()
    }

    /// Which keys may be used at `now`, as a number that changes with them.
    pub(super) fn generation(&self, now: Timestamp) -> Option<u64> {
        self.usable(now).map(|_| self.generation)
    }

    /// Whether a refresh should start now, with or without a request that needs it.
    pub(super) fn is_due(&self, now: Timestamp) -> bool {
        if self.fixed {
            return false;
        }
        match &self.held {
            Some(held) => {
                let refresh_at = held.ttl.saturating_mul(4) / 5;
                passed(held.fetched_at, now, refresh_at)
                    && has_paused(self.last_attempt, now, UNKNOWN_KID_PAUSE)
            }
            None => has_paused(self.last_attempt, now, self.retry_pause()),
        }
    }

    /// A fetch starts. Counted before its outcome is known, so that a cancelled one is not repeated at once.
    pub(super) fn begin(&mut self, now: Timestamp) {
        self.last_attempt = Some(now);
    }

    /// A fetch starts because [`step`](Self::step) said so: for an unknown name where there is a set, else for want of
    /// one.
    pub(super) fn begin_for_token(&mut self, now: Timestamp) {
        if self.usable(now).is_some() {
            self.last_unknown = Some(now);
        }
        self.begin(now);
    }

    /// The fetch that began at `now` brought a set, with the issuer's word on its age.
    pub(super) fn finish(&mut self, fetched: Option<(KeySet, Option<Duration>)>, now: Timestamp) {
        match fetched {
            Some((keys, max_age)) => {
                let ttl = max_age.unwrap_or(DEFAULT_TTL).clamp(self.min_ttl, MAX_TTL);
                if !self.held.as_ref().is_some_and(|held| held.keys.is_same(&keys)) {
                    self.generation += 1;
                }
                self.held = Some(Held {
                    keys: Arc::new(keys),
                    fetched_at: now,
                    ttl,
                });
                self.failures = 0;
            }
            None => self.failures = self.failures.saturating_add(1),
        }
    }

    fn usable(&self, now: Timestamp) -> Option<&Held> {
        self.held
            .as_ref()
            .filter(|held| self.fixed || !passed(held.fetched_at, now, MAX_STALE))
    }

    /// 1, 2, 4 … 30 seconds: a start before the issuer is up should not cost half a minute.
    fn retry_pause(&self) -> Duration {
        let seconds = 1_u64 << self.failures.saturating_sub(1).min(5);
        Duration::from_secs(seconds).min(UNKNOWN_KID_PAUSE)
    }
}

fn has_paused(last: Option<Timestamp>, now: Timestamp, pause: Duration) -> bool {
    last.is_none_or(|last| passed(last, now, pause))
}

/// Whether the two times are `span` apart. In both directions: after a clock that was ahead is set right, a time in
/// the future must not keep old keys alive or fetches away for ever.
fn passed(then: Timestamp, now: Timestamp, span: Duration) -> bool {
    now.since(then) >= span || then.since(now) >= span
}
