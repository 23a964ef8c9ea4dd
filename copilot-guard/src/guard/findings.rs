//! What was found in texts that come again: agents send the whole conversation with every turn, and only what is new
//! in it needs a look.
//!
//! 1. Kept are findings of one part: which rules matched, and where. Never a decision on a request: what concerns it as
//!    a whole is asked each time, and so are the engines beside the policy.
//! 2. A key is a MAC under the key of the person's session, over all that a finding follows from: the compiled policy
//!    and which of its rules, exceptions and allowed texts are for this caller now; stage, role, and the text. So
//!    nothing outlives an exception, and one person's texts say nothing of another's.
//! 3. Bounded for each person and for all. What was found in very many places is not kept.
//! 4. It holds no text and nothing of one: places, ids of rules, and their reasons.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::decision::Stage;
use crate::detect::TagKey;
use crate::dialect::Part;
use crate::policy::{CallerPolicy, MaskSpan, Verdict};

/// Most people whose findings are kept: whoever was away longest makes room.
const MOST_PEOPLE: usize = 256;
/// Half of what is kept for one person, in parts.
const HALF: usize = 2048;
/// What has more hits or spans than this is looked at again.
const MOST_PLACES: usize = 64;

type Key = [u8; 32];

/// What one part yielded: independent of the place where it stands.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Found {
    pub(super) verdict: Verdict,
    /// Secrets of the text as it is after masking, for the record.
    pub(super) kept: Vec<MaskSpan>,
}

impl Found {
    fn is_small(&self) -> bool {
        let places = self.verdict.decision.hits.len() + self.verdict.masks.len() + self.kept.len();
        places <= MOST_PLACES
    }

    /// The verdict on a part that stands there.
    pub(super) fn verdict_at(&self, place: &str) -> Verdict {
        let mut verdict = self.verdict.clone();
        for hit in &mut verdict.decision.hits {
            place.clone_into(&mut hit.place);
        }
        verdict
    }
}

/// What is kept of one person: what was asked for lately, and what was before.
#[derive(Debug, Default)]
struct OfPerson {
    young: HashMap<Key, Arc<Found>>,
    old: HashMap<Key, Arc<Found>>,
}

impl OfPerson {
    fn get(&mut self, key: &Key) -> Option<Arc<Found>> {
        if let Some(found) = self.young.get(key) {
            return Some(found.clone());
        }
        let found = self.old.remove(key)?;
        self.put(*key, found.clone());
        Some(found)
    }

    fn put(&mut self, key: Key, found: Arc<Found>) {
        if self.young.len() >= HALF {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(key, found);
    }
}

#[derive(Debug, Default)]
struct People {
    known: HashMap<Key, (u64, Arc<Mutex<OfPerson>>)>,
    turn: u64,
}

/// What is kept of everybody.
#[derive(Debug, Default)]
pub(super) struct FindingStore(Mutex<People>);

impl FindingStore {
    /// What is known to this caller, whose tags are made with `session`. Nothing is without such a key.
    pub(super) fn known(&self, person: &TagKey, caller: &CallerPolicy) -> Option<Known> {
        let session = caller.scan_options().tags.as_ref()?;
        let key = session.derive("findings", [caller.fingerprint()?]);
        let id = person.digest("findings of", [b""]);
        let mut people = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        people.turn += 1;
        let turn = people.turn;
        if !people.known.contains_key(&id) && people.known.len() >= MOST_PEOPLE {
            let oldest = people.known.iter().min_by_key(|(_, (turn, _))| *turn);
            if let Some(oldest) = oldest.map(|(id, _)| *id) {
                people.known.remove(&oldest);
            }
        }
        let (last, of_person) = people.known.entry(id).or_default();
        *last = turn;
        Some(Known {
            key,
            of_person: of_person.clone(),
        })
    }
}

/// What is known to the sender of one request.
#[derive(Debug)]
pub(super) struct Known {
    key: TagKey,
    of_person: Arc<Mutex<OfPerson>>,
}

impl Known {
    pub(super) fn key(&self, part: &Part, text: &str) -> Key {
        self.key_of(part.stage, &part.role, text)
    }

    fn key_of(&self, stage: Stage, role: &str, text: &str) -> Key {
        self.key.digest("part", [stage.as_str(), role, text])
    }

    pub(super) fn get(&self, key: &Key) -> Option<Arc<Found>> {
        self.lock().get(key)
    }

    pub(super) fn put(&self, key: Key, found: Found) {
        if found.is_small() {
            self.lock().put(key, Arc::new(found));
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, OfPerson> {
        self.of_person.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
#[path = "findings_tests.rs"]
mod findings_tests;
