//! The counts of many accounts, in bounded memory: a state machine whose clock is an argument.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use super::model::{Account, Charge, Counts, Over, Reserved};
use super::store::Settlement;
use crate::clock::Timestamp;

/// Steps of a window.
const STEPS: i64 = 60;
/// Most accounts, unless another number is given: about 100 MB when each was in use in every step of its window.
const CAPACITY: usize = 50_000;

/// The counts of many accounts.
///
/// When there are more accounts than it holds, the one that was used longest ago is forgotten: its counting begins anew.
/// Accounts of the request at hand stay, however many they are.
#[derive(Debug)]
pub struct Ledger {
    accounts: HashMap<Arc<Account>, Counted>,
    /// By when they were used last.
    order: BTreeMap<u64, Arc<Account>>,
    uses: u64,
    capacity: usize,
}

#[derive(Debug, Default)]
struct Counted {
    used: u64,
    /// Steps in which anything was counted, in order.
    steps: VecDeque<(i64, Counts)>,
}

impl Default for Ledger {
    fn default() -> Self {
        Self::with_capacity(CAPACITY)
    }
}

impl Ledger {
    /// An empty one that holds so many accounts.
    pub fn with_capacity(capacity: usize) -> Self {
        Self {
            accounts: HashMap::new(),
            order: BTreeMap::new(),
            uses: 0,
            capacity,
        }
    }

    /// How many accounts it holds now.
    pub fn len(&self) -> usize {
        self.accounts.len()
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.accounts.is_empty()
    }

    /// Counts `cost` on all charges, or on none when one of them that acts is used up.
    pub fn reserve(&mut self, charges: &[Charge], cost: Counts, now: Timestamp) -> Reserved {
        let mut reserved = Reserved::default();
        for (n, charge) in charges.iter().enumerate() {
            let used = self.used(&charge.account, now);
            if let Some((unit, limit)) = charge.limits.reached(used, cost) {
                let list = if charge.observe {
                    &mut reserved.observed
                } else {
                    &mut reserved.refused
                };
                list.push(Over {
                    charge: n,
                    unit,
                    limit,
                });
            }
        }
        if !reserved.is_refused() {
            let begin = self.uses;
            for charge in charges {
                self.add(&charge.account, cost, now);
            }
            self.forget(begin);
        }
        reserved
    }

    /// Puts what an answer took in place of what was reserved for it.
    pub fn settle(&mut self, settlement: &Settlement) {
        let begin = self.uses;
        for charge in &settlement.charges {
            let account = &charge.account;
            self.take_back(account, settlement.reserved, settlement.reserved_at);
            self.add(account, settlement.taken, settlement.now);
        }
        self.forget(begin);
    }

    /// What was counted within the window up to now.
    pub fn used(&self, account: &Account, now: Timestamp) -> Counts {
        let Some(counted) = self.accounts.get(account) else {
            return Counts::default();
        };
        // The step that is going on, and sixty before it: no moment of the window is left out.
        let oldest = step(account.window, now).saturating_sub(STEPS);
        let within = counted.steps.iter().filter(|(step, _)| *step >= oldest);
        within.fold(Counts::default(), |all, (_, counts)| all.plus(*counts))
    }

    fn add(&mut self, account: &Account, counts: Counts, now: Timestamp) {
        let number = self.uses;
        self.uses += 1;
        let key = match self.accounts.get_key_value(account) {
            Some((key, counted)) => {
                self.order.remove(&counted.used);
                key.clone()
            }
            None => Arc::new(account.clone()),
        };
        self.order.insert(number, key.clone());
        let counted = self.accounts.entry(key).or_default();
        counted.used = number;
        let now = step(account.window, now);
        match counted.steps.back_mut() {
            // A clock that was set back counts on in the newest step.
            Some((last, known)) if *last >= now => *known = known.plus(counts),
            _ => counted.steps.push_back((now, counts)),
        }
        while let Some((oldest, _)) = counted.steps.front()
            && *oldest < now.saturating_sub(STEPS)
        {
            counted.steps.pop_front();
        }
    }

    /// Takes a reservation back, where it was counted and never below nothing. The request itself stays counted.
    fn take_back(&mut self, account: &Account, reserved: Counts, at: Timestamp) {
        let at = step(account.window, at);
        let Some(counted) = self.accounts.get_mut(account) else {
            return;
        };
        // In no other step: where it was counted elsewhere, or is out of the window, it stays.
        if let Some((_, known)) = counted.steps.iter_mut().find(|(step, _)| *step == at) {
            known.tokens = known.tokens.saturating_sub(reserved.tokens);
            known.masks = known.masks.saturating_sub(reserved.masks);
        }
    }

    /// Forgets who was not used for longest, but nobody who was used since `begin`.
    fn forget(&mut self, begin: u64) {
        while self.accounts.len() > self.capacity
            && let Some(oldest) = self.order.first_entry()
            && *oldest.key() < begin
        {
            let account = oldest.remove();
            self.accounts.remove(&account);
        }
    }
}

fn step(window: Duration, now: Timestamp) -> i64 {
    let window = i64::try_from(window.as_millis()).unwrap_or(i64::MAX);
    let width = (window / STEPS + i64::from(window % STEPS != 0)).max(1);
    now.as_millis().div_euclid(width)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::model::{Budget, Unit};
    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);
    const HOUR: Duration = Duration::from_secs(3600);

    fn at(seconds: u64) -> Timestamp {
        NOW.plus(Duration::from_secs(seconds))
    }

    fn counts(requests: u64, tokens: u64, masks: u64) -> Counts {
        Counts {
            requests,
            tokens,
            masks,
        }
    }

    proptest! {
        /// In no span as long as the window are more requests let through than the limit says; and nobody is refused
        /// who had fewer within the window and one step before it.
        #[test]
        fn a_window_is_a_window(gaps in prop::collection::vec(0_u64..400, 1..200), limit in 1_u64..6, window in 60_u64..4000) {
            let window = Duration::from_secs(window);
            let charges = [Budget::new("b", window).with_requests(limit).charge("p")];
            let width = (window.as_secs() * 1000).div_ceil(60);
            let (mut ledger, mut now, mut passed) = (Ledger::default(), 0, Vec::new());
            for gap in gaps {
                now += gap;
                let since = |span: u64| passed.iter().filter(|t| now * 1000 - **t * 1000 < span).count() as u64;
                let within = since(window.as_secs() * 1000);
                let nearly = since(window.as_secs() * 1000 + width * 2);
                let refused = ledger.reserve(&charges, Counts::request(), at(now)).is_refused();
                if refused {
                    prop_assert!(nearly >= limit, "refused after {nearly} of {limit}");
                } else {
                    prop_assert!(within < limit, "let through after {within} of {limit}");
                    passed.push(now);
                }
            }
        }

        /// However many come, it holds no more than it may; and who is at hand is counted.
        #[test]
        fn memory_is_bounded(people in prop::collection::vec(0_u32..50, 1..300), capacity in 0_usize..8) {
            let budget = Budget::new("b", HOUR).with_requests(1000);
            let mut ledger = Ledger::with_capacity(capacity);
            for (n, person) in people.into_iter().enumerate() {
                let charges = [budget.charge(person.to_string()), budget.charge(format!("group:{}", person % 3))];
                ledger.reserve(&charges, Counts::request(), at(n as u64));
                prop_assert!(ledger.len() <= capacity.max(2));
                prop_assert_eq!(ledger.len(), ledger.order.len());
                for charge in &charges {
                    prop_assert!(ledger.used(&charge.account, at(n as u64)).requests > 0);
                }
            }
        }
    }

    #[test]
    fn all_or_nothing_is_counted() {
        let (wide, narrow) = (
            Budget::new("w", HOUR).with_requests(9),
            Budget::new("n", HOUR).with_requests(1),
        );
        let charges = [wide.charge("p"), narrow.charge("p")];
        let mut ledger = Ledger::default();
        assert!(!ledger.reserve(&charges, Counts::request(), NOW).is_refused());
        let refused = ledger.reserve(&charges, Counts::request(), NOW);
        assert_eq!(
            (refused.refused[0].charge, refused.refused[0].unit),
            (1, Unit::Requests)
        );
        assert_eq!(ledger.used(&charges[0].account, NOW).requests, 1);
        // Another person has a count of their own.
        assert!(
            !ledger
                .reserve(&[narrow.charge("q")], Counts::request(), NOW)
                .is_refused()
        );
    }

    #[test]
    fn tokens_and_masks_refuse_once_they_are_used_up() {
        let charges = [Budget::new("b", HOUR).with_tokens(100).with_masks(3).charge("p")];
        let settle = |ledger: &mut Ledger, reserved, taken| {
            ledger.settle(&Settlement::new(charges.to_vec(), reserved, NOW, taken, NOW));
        };
        let mut ledger = Ledger::default();
        // A large request is let through once; what it was thought to cost holds the next one back until it has ended.
        assert!(!ledger.reserve(&charges, counts(1, 500, 0), NOW).is_refused());
        assert_eq!(
            ledger.reserve(&charges, counts(1, 1, 0), NOW).refused[0].unit,
            Unit::Tokens
        );
        settle(&mut ledger, counts(0, 500, 0), counts(0, 60, 2));
        assert_eq!(ledger.used(&charges[0].account, NOW), counts(1, 60, 2));
        assert_eq!(
            ledger.reserve(&charges, counts(1, 1, 2), NOW).refused[0].unit,
            Unit::Masks
        );
        assert!(!ledger.reserve(&charges, counts(1, 1, 1), NOW).is_refused());
        assert_eq!(
            ledger.reserve(&charges, counts(1, 1, 0), NOW).refused[0].unit,
            Unit::Masks
        );
    }

    #[test]
    fn observed_budgets_count_on() {
        let charges = [Budget::new("b", HOUR).with_requests(1).observed().charge("p")];
        let mut ledger = Ledger::default();
        for n in 0..3 {
            let reserved = ledger.reserve(&charges, Counts::request(), NOW);
            assert_eq!(
                (reserved.is_refused(), reserved.observed.len()),
                (false, usize::from(n > 0))
            );
        }
        assert_eq!(ledger.used(&charges[0].account, NOW).requests, 3);
    }

    /// A clock that jumps back gives nobody anything.
    #[test]
    fn a_clock_that_is_set_back() {
        let charges = [Budget::new("b", HOUR).with_requests(2).charge("p")];
        let mut ledger = Ledger::default();
        assert!(!ledger.reserve(&charges, Counts::request(), at(7200)).is_refused());
        assert!(!ledger.reserve(&charges, Counts::request(), NOW).is_refused());
        assert!(ledger.reserve(&charges, Counts::request(), NOW).is_refused());
        assert!(ledger.reserve(&charges, Counts::request(), at(7200)).is_refused());
    }

    #[test]
    fn numbers_do_not_overflow() {
        let charges = [Budget::new("b", HOUR).with_tokens(u64::MAX).charge("p")];
        let mut ledger = Ledger::default();
        ledger.reserve(&charges, counts(u64::MAX, u64::MAX, u64::MAX), NOW);
        assert!(ledger.reserve(&charges, counts(1, u64::MAX, 1), NOW).is_refused());
    }
}
