//! Where counts are kept.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use super::ledger::Ledger;
use super::model::{Charge, Counts, Reserved};
use crate::clock::Timestamp;

/// Why counts could not be had.
#[derive(Debug, thiserror::Error)]
#[error("the budget store failed: {what}")]
pub struct BudgetError {
    what: &'static str,
    #[source]
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl BudgetError {
    /// A failure with a short description and its cause.
    pub fn new(what: &'static str, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self {
            what,
            source: Some(source.into()),
        }
    }

    /// A failure without a cause.
    pub const fn message(what: &'static str) -> Self {
        Self { what, source: None }
    }
}

/// The end of an exchange: what it took in place of what was reserved.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Settlement {
    /// What it was charged to.
    pub charges: Vec<Charge>,
    /// What was reserved beside the request itself, and is to be taken back.
    pub reserved: Counts,
    /// When it was reserved.
    pub reserved_at: Timestamp,
    /// What it took beside the request itself.
    pub taken: Counts,
    /// The time now.
    pub now: Timestamp,
}

impl Settlement {
    /// What an exchange took in place of what was reserved.
    pub fn new(
        charges: Vec<Charge>,
        reserved: Counts,
        reserved_at: Timestamp,
        taken: Counts,
        now: Timestamp,
    ) -> Self {
        Self {
            charges,
            reserved,
            reserved_at,
            taken,
            now,
        }
    }
}

/// Keeps the counts of budgets.
///
/// # When it is called
/// [`reserve`](Self::reserve) once for each request that policy lets through and that any budget is for, before anything
/// is forwarded; [`settle`](Self::settle) once for each reservation that was not refused.
///
/// # If this fails
/// - An `Err` or a panic of `reserve` refuses the request with 503, unless all of its budgets only observe.
/// - A call that does not return holds its request: give it a time limit of its own.
/// - Counting too little lets people have more than their budget; nothing else depends on it.
/// - A panic of `settle` is logged, and what the answer took is lost.
#[async_trait]
pub trait BudgetStore: fmt::Debug + Send + Sync + 'static {
    /// Counts `cost` on all charges in one step, or on none when one of them that acts is used up.
    /// [`Ledger::reserve`] is the definition of correct.
    async fn reserve(
        &self,
        charges: &[Charge],
        cost: Counts,
        now: Timestamp,
    ) -> Result<Reserved, BudgetError>;

    /// Counts what an exchange took. Called where nothing can be awaited, also when a client has left: it must not block.
    /// A store elsewhere puts it into a queue.
    fn settle(&self, settlement: Settlement);
}

/// Counts in memory, bounded: see [`Ledger`]. They end with the process, and are not shared between replicas.
#[derive(Debug, Default)]
pub struct MemoryBudgets(Mutex<Ledger>);

impl MemoryBudgets {
    /// Without counts.
    pub fn new() -> Self {
        Self::default()
    }

    /// With this ledger.
    pub fn with_ledger(ledger: Ledger) -> Self {
        Self(Mutex::new(ledger))
    }

    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl BudgetStore for MemoryBudgets {
    async fn reserve(
        &self,
        charges: &[Charge],
        cost: Counts,
        now: Timestamp,
    ) -> Result<Reserved, BudgetError> {
        Ok(self.ledger().reserve(charges, cost, now))
    }

    fn settle(&self, settlement: Settlement) {
        self.ledger().settle(&settlement);
    }
}
