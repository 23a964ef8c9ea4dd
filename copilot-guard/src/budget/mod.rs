//! Budgets: how many requests, tokens and masks a person or a group may have within a sliding time.
//!
//! 1. A request is counted when it is admitted, with an estimate of its tokens ([`BudgetStore::reserve`]).
//! 2. When its answer has ended (or the client has left), what it took is counted ([`BudgetStore::settle`]).
//! 3. A budget that is used up refuses the next request. What is on its way is not cut off: tokens and masks of answers
//!    are known when they have been sent, so that the last requests of a window may go over.
//! 4. The window slides in sixty steps. It is never shorter than it says, and at most one step longer.
//!
//! Counts are kept by a [`BudgetStore`]. [`MemoryBudgets`] keeps them in the process: a restart forgets them, and each of
//! several replicas has counts of its own, so that the limit of all is as many times higher.
//!
//! ```
//! use std::time::Duration;
//! use copilot_guard::budget::{Budget, Counts, Ledger};
//! use copilot_guard::clock::Timestamp;
//!
//! let hourly = Budget::new("hourly", Duration::from_secs(3600)).with_requests(2);
//! let charges = [hourly.charge("dev")];
//! let mut ledger = Ledger::default();
//! let now = Timestamp::from_secs(1_800_000_000);
//! assert!(!ledger.reserve(&charges, Counts::request(), now).is_refused());
//! assert!(!ledger.reserve(&charges, Counts::request(), now).is_refused());
//! assert!(ledger.reserve(&charges, Counts::request(), now).is_refused());
//! let later = now.plus(Duration::from_secs(3700));
//! assert!(!ledger.reserve(&charges, Counts::request(), later).is_refused());
//! ```

mod ledger;
mod model;
mod spending;
mod store;
mod tally;

pub use ledger::Ledger;
pub use model::{Account, Budget, Charge, Counts, Limits, Over, Reserved, Unit};
pub use spending::{Spending, reserve};
pub use store::{BudgetError, BudgetStore, MemoryBudgets, Settlement};
pub use tally::Tally;
