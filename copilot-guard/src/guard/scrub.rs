//! Scrubbers for the credentials of single answers: made once for each, and kept while they are used.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use sha2::{Digest as _, Sha256};

use crate::exchange::Scrubber;
use crate::policy::Policy;
use crate::secret::Scrub;

/// Most scrubbers that are kept: a rotating credential has two at a time, one per caller may have thousands.
const MOST: usize = 256;

/// By the digest of the values and of the policy, whose marks they write.
#[derive(Default)]
pub(super) struct Scrubbers(Mutex<HashMap<[u8; 32], Scrubber>>);

/// A value cannot be told from ordinary text, so that the answer cannot be cleaned of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Unscrubbable;

impl Scrubbers {
    /// For what was sent upstream, beside what the policy scrubs anyway. `None`: there is nothing beside it.
    pub(super) fn of(&self, scrub: &Scrub, policy: &Policy) -> Result<Option<Scrubber>, Unscrubbable> {
        let mut values = scrub.values();
        values.retain(|value| !value.expose().is_empty() && !policy.scrubs(value));
        if values.is_empty() {
            return Ok(None);
        }
        let mut hash = Sha256::new_with_prefix(policy.version());
        for value in &values {
            hash.update((value.expose().len() as u64).to_be_bytes());
            hash.update(value.expose());
        }
        let key: [u8; 32] = hash.finalize().into();
        let known = |kept: &HashMap<[u8; 32], Scrubber>| kept.get(&key).cloned();
        if let Some(scrubber) = known(&self.0.lock().unwrap_or_else(PoisonError::into_inner)) {
            return Ok(Some(scrubber));
        }
        let made = Scrubber::new(&values, policy.rule_set().marks()).map_err(|error| {
            // The error names the rule, never the value.
            tracing::error!(%error, "the upstream credential cannot be scrubbed");
            Unscrubbable
        })?;
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= MOST {
            // Rarely, and what is still used is soon made again.
            kept.clear();
        }
        kept.insert(key, made.clone());
        Ok(Some(made))
    }
}
