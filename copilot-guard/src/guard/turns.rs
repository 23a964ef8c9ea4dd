//! One after the other, for each person.

use std::hash::{BuildHasher, RandomState};

use tokio::sync::{Mutex, MutexGuard};

/// So many people do not wait for each other, but for rare chance.
const LANES: usize = 64;

/// Locks by person. Of one process: replicas do not wait for each other.
pub(super) struct Turns {
    hash: RandomState,
    lanes: [Mutex<()>; LANES],
}

impl Default for Turns {
    fn default() -> Self {
        Self {
            hash: RandomState::new(),
            lanes: [const { Mutex::const_new(()) }; LANES],
        }
    }
}

impl Turns {
    /// This person's turn, until what is given back is dropped.
    pub(super) async fn of(&self, person: &str) -> MutexGuard<'_, ()> {
        let lane = usize::try_from(self.hash.hash_one(person)).unwrap_or_default() % LANES;
        match self.lanes.get(lane) {
            Some(lane) => lane.lock().await,
            None => self.lanes[0].lock().await,
        }
    }
}
