//! What a policy is for one caller follows from which of its rules, exceptions and allowed texts are for them. Made once
//! for each such choice, and kept: there are as many as kinds of callers, not as callers or models.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use sha2::{Digest as _, Sha256};

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
#[derive(Debug)]
pub(super) struct Callers {
    known: RwLock<HashMap<Choice, CallerPolicy>>,
    /// Tells this compiled policy from every other of this process: one text may be compiled with other values.
    number: u64,
}

impl Default for Callers {
    fn default() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self {
            known: RwLock::default(),
            number: NEXT.fetch_add(1, Ordering::Relaxed),
        }
    }
}

impl Callers {
    fn fingerprint(&self, choice: &Choice) -> [u8; 32] {
        let mut hash = Sha256::new();
        hash.update(self.number.to_be_bytes());
        hash.update((choice.rules.len() as u64).to_be_bytes());
        for excluded in choice
            .rules
            .iter()
            .map(Option::is_some)
            .chain(choice.lifted.iter().copied())
        {
            hash.update([u8::from(excluded)]);
        }
        hash.finalize().into()
    }

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
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(made) = known.get(&choice) {
            return made.clone();
        }
        drop(known);
        let made = CallerPolicy::new(policy.clone(), query).known_by(self.fingerprint(&choice));
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if known.len() < MOST {
            known.insert(choice, made.clone());
        }
        made
    }
}
