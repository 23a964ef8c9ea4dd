//! What is limited, for whom, and what was found. Plain data.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// What a budget counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Unit {
    /// Requests that were admitted.
    Requests,
    /// Tokens, up and down.
    Tokens,
    /// Masks, up and down.
    Masks,
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Requests => "requests",
            Self::Tokens => "tokens",
            Self::Masks => "masks",
        })
    }
}

/// How much was, or is to be, taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Requests.
    pub requests: u64,
    /// Tokens.
    pub tokens: u64,
    /// Masks.
    pub masks: u64,
}

impl Counts {
    /// One request, and nothing else.
    pub const fn request() -> Self {
        Self {
            requests: 1,
            tokens: 0,
            masks: 0,
        }
    }

    pub(super) const fn plus(self, other: Self) -> Self {
        Self {
            requests: self.requests.saturating_add(other.requests),
            tokens: self.tokens.saturating_add(other.tokens),
            masks: self.masks.saturating_add(other.masks),
        }
    }
}

/// The most that may be taken within the window; nothing means as much as one likes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Limits {
    /// Of requests.
    pub requests: Option<u64>,
    /// Of tokens.
    pub tokens: Option<u64>,
    /// Of masks.
    pub masks: Option<u64>,
}

impl Limits {
    /// Whether nothing is limited.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The first limit that is reached, or that one more request would go over.
    pub(super) fn reached(&self, used: Counts, next: Counts) -> Option<(Unit, u64)> {
        // Tokens are estimated beforehand: a request is not refused for what it may cost, but for what was used.
        let requests = used.requests.saturating_add(next.requests);
        let masks = used.masks.saturating_add(next.masks);
        [
            (
                Unit::Requests,
                self.requests,
                self.requests.is_some_and(|most| requests > most),
            ),
            (
                Unit::Tokens,
                self.tokens,
                self.tokens.is_some_and(|most| used.tokens >= most),
            ),
            (
                Unit::Masks,
                self.masks,
                self.masks.is_some_and(|most| masks > most || used.masks >= most),
            ),
        ]
        .into_iter()
        .find_map(|(unit, limit, is_reached)| is_reached.then_some((unit, limit?)))
    }
}

/// One budget: what may be taken within which time.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Budget {
    /// Its name.
    pub id: Arc<str>,
    /// The window.
    pub window: Duration,
    /// The most within it.
    pub limits: Limits,
    /// Count and record, but refuse nobody.
    pub observe: bool,
    /// What is said when it is used up.
    pub message: Arc<str>,
}

/// What is said when a budget has no words of its own.
const USED_UP: &str = "Your budget for this assistant is used up for now. Try again later.";

impl Budget {
    /// A budget that limits nothing yet.
    pub fn new(id: impl Into<Arc<str>>, window: Duration) -> Self {
        Self {
            id: id.into(),
            window,
            limits: Limits::default(),
            observe: false,
            message: USED_UP.into(),
        }
    }

    /// The same with this many requests.
    #[must_use]
    pub fn with_requests(mut self, most: u64) -> Self {
        self.limits.requests = Some(most);
        self
    }

    /// The same with this many tokens.
    #[must_use]
    pub fn with_tokens(mut self, most: u64) -> Self {
        self.limits.tokens = Some(most);
        self
    }

    /// The same with this many masks.
    #[must_use]
    pub fn with_masks(mut self, most: u64) -> Self {
        self.limits.masks = Some(most);
        self
    }

    /// The same with these words when it is used up.
    #[must_use]
    pub fn with_message(mut self, message: impl Into<Arc<str>>) -> Self {
        self.message = message.into();
        self
    }

    /// The same, which only records.
    #[must_use]
    pub fn observed(mut self) -> Self {
        self.observe = true;
        self
    }

    /// Takes from it on behalf of this person or group.
    pub fn charge(&self, subject: impl Into<Arc<str>>) -> Charge {
        Charge {
            account: Account {
                budget: self.id.clone(),
                subject: subject.into(),
                window: self.window,
            },
            limits: self.limits,
            observe: self.observe,
            message: self.message.clone(),
        }
    }
}

/// What counts are kept under.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Account {
    /// The budget's id.
    pub budget: Arc<str>,
    /// The person, or `group:NAME`.
    pub subject: Arc<str>,
    /// The budget's window: with another one, counting begins anew.
    pub window: Duration,
}

/// One budget that a request takes from.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Charge {
    /// Whose counts.
    pub account: Account,
    /// The most within the account's window.
    pub limits: Limits,
    /// Only recorded.
    pub observe: bool,
    /// What is said when it is used up.
    pub message: Arc<str>,
}

/// A budget that is used up.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Over {
    /// The place of the charge in what was asked.
    pub charge: usize,
    /// Of what.
    pub unit: Unit,
    /// The limit.
    pub limit: u64,
}

/// What became of a reservation.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Reserved {
    /// Budgets that refuse: nothing was counted.
    pub refused: Vec<Over>,
    /// Budgets that are used up and only observed.
    pub observed: Vec<Over>,
}

impl Reserved {
    /// Whether the request may not go on.
    pub fn is_refused(&self) -> bool {
        !self.refused.is_empty()
    }
}
