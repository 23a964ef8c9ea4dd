//! A reservation that settles itself, whatever becomes of its exchange.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use super::model::{Charge, Counts, Reserved};
use super::store::{BudgetError, BudgetStore, Settlement};
use super::tally::Tally;
use crate::clock::{Clock, Timestamp};

/// A reservation. When the last clone is dropped, what its [`Tally`] has counted is settled.
#[derive(Clone)]
pub struct Spending(Arc<Open>);

struct Open {
    store: Arc<dyn BudgetStore>,
    clock: Arc<dyn Clock>,
    charges: Vec<Charge>,
    reserved: Counts,
    at: Timestamp,
    tally: Tally,
}

/// Reserves one request, its estimated tokens and the masks that were made in it. `None`: it is refused.
///
/// # Errors
/// The store failed: the request must be refused, unless all charges only observe.
pub async fn reserve(
    store: Arc<dyn BudgetStore>,
    clock: Arc<dyn Clock>,
    charges: Vec<Charge>,
    masks: u64,
    tally: Tally,
) -> Result<(Reserved, Option<Spending>), BudgetError> {
    let now = clock.now();
    let reserved = Counts {
        requests: 0,
        tokens: tally.estimate(),
        masks: 0,
    };
    let cost = Counts {
        requests: 1,
        masks,
        ..reserved
    };
    let found = store.reserve(&charges, cost, now).await?;
    let spending = (!found.is_refused()).then(|| {
        Spending(Arc::new(Open {
            store,
            clock,
            charges,
            reserved,
            at: now,
            tally,
        }))
    });
    Ok((found, spending))
}

impl Spending {
    /// Counts what the exchange takes.
    pub fn tally(&self) -> &Tally {
        &self.0.tally
    }

    /// Whether any of its budgets limits tokens.
    pub fn limits_tokens(&self) -> bool {
        self.0.charges.iter().any(|charge| charge.limits.tokens.is_some())
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        let charges = std::mem::take(&mut self.charges);
        let settled = catch_unwind(AssertUnwindSafe(|| {
            let (taken, now) = (self.tally.counts(), self.clock.now());
            let settlement = Settlement::new(charges, self.reserved, self.at, taken, now);
            self.store.settle(settlement);
        }));
        if settled.is_err() {
            tracing::error!("the budget store panicked: what an answer took is not counted");
        }
    }
}

impl fmt::Debug for Spending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Spending")
            .field("tally", &self.0.tally)
            .finish_non_exhaustive()
    }
}
