//! What a policy is for one caller follows from which of its rules, exceptions and allowed texts are for them. Made once
//! for each such choice, and kept: there are as many as kinds of callers, not as callers or models.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use super::Query;
use super::compile::Compiled;
use super::decide::CallerPolicy;

/// Most choices that are kept. What comes beyond is made anew each time.
const MOST: usize = 64;

/// Which rules are not for a caller and why, then which exceptions and allowed texts are.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Choice {
    rules: Vec<Option<&'static str>>,
    lifted: Vec<bool>,
}

/// The choices that were met so far.
#[derive(Debug, Default)]
pub(super) struct Callers(RwLock<HashMap<Choice, CallerPolicy>>);

impl Callers {
    pub(super) fn policy_for(&self, policy: &Arc<Compiled>, query: &Query<'_>) -> CallerPolicy {
        let choice = Choice {
            rules: policy.rules.iter().map(|rule| rule.who.excludes(query)).collect(),
            lifted: policy
                .exceptions
                .iter()
                .map(|exception| exception.is_for(query))
                .chain(policy.allow.iter().map(|allow| allow.is_for(query)))
                .collect(),
        };
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(made) = known.get(&choice) {
            return made.clone();
        }
        drop(known);
        let made = CallerPolicy::new(policy.clone(), query);
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if known.len() < MOST {
            known.insert(choice, made.clone());
        }
        made
    }
}
