//! Budgets of a request that policy lets through.

use std::panic::AssertUnwindSafe;

use super::Guard;
use super::catch::catch_async;
use super::session::Identified;
use crate::audit::MaskCount;
use crate::budget::{Charge, Over, Spending, Tally, reserve};
use crate::decision::{Action, Decision, RuleHit, Stage};
use crate::policy::{Policy, Query};

/// What the budgets say.
#[derive(Default)]
pub(super) struct Spent {
    /// The budgets that are used up, with what they say. Any that blocks refuses the request.
    pub(super) decision: Decision,
    /// Settles what the answer takes.
    pub(super) spending: Option<Spending>,
}

impl Guard {
    /// Takes a request from the budgets that are for its caller.
    ///
    /// # Errors
    /// Counts cannot be had, and a budget acts on them: the request must be refused.
    pub(super) async fn spend(
        &self,
        policy: &Policy,
        identified: &Identified,
        model: &str,
        size: usize,
        masks: &[MaskCount],
    ) -> Result<Spent, ()> {
        let identity = &identified.identity;
        let query = Query::new(&identity.groups, model, identified.now).of(identity.kind);
        let charges = policy.budgets(&query, &identity.person);
        if charges.is_empty() {
            return Ok(Spent::default());
        }
        let (store, clock) = (self.inner.budgets.clone(), self.inner.clock.clone());
        let masks = masks.iter().map(|mask| mask.count).fold(0, u64::saturating_add);
        let reserving = reserve(store, clock, charges.clone(), masks, Tally::new(size));
        let Some(Ok((reserved, spending))) = catch_async(AssertUnwindSafe(reserving)).await else {
            tracing::error!(exchange = %identified.exchange, "budgets cannot be checked");
            return match charges.iter().all(|charge| charge.observe) {
                true => Ok(Spent::default()),
                false => Err(()),
            };
        };
        let mut decision = Decision::default();
        for over in reserved.refused.iter().chain(&reserved.observed) {
            if let Some(charge) = charges.get(over.charge) {
                decision.add(hit(charge, over), &charge.message);
            }
        }
        Ok(Spent { decision, spending })
    }
}

fn hit(charge: &Charge, over: &Over) -> RuleHit {
    let whose = match charge.account.subject.strip_prefix("group:") {
        Some(group) => format!("of group `{group}`"),
        None => "of the person".to_owned(),
    };
    let seconds = charge.account.window.as_secs();
    RuleHit {
        id: charge.account.budget.to_string(),
        action: Action::Block,
        stage: Stage::Request,
        place: "request".to_owned(),
        reason: format!(
            "the budget {whose} is used up: {} {} in {seconds} s",
            over.limit, over.unit
        ),
        observed_only: charge.observe,
        severity: None,
        tags: Vec::new(),
    }
}
