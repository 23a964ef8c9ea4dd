//! A map that cannot grow without end.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// A SHA-256: no key can be found in memory, and none needs more room than another.
pub(crate) type Key = [u8; 32];

/// Keeps at most so many entries. When it is full, those that are dead go, then the eighth that was used least lately.
pub(crate) struct Bounded<T> {
    most: usize,
    entries: Mutex<Entries<T>>,
}

struct Entries<T> {
    map: HashMap<Key, (T, u64)>,
    uses: u64,
}

impl<T> std::fmt::Debug for Bounded<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Bounded")
            .field("most", &self.most)
            .finish_non_exhaustive()
    }
}

impl<T: Clone> Bounded<T> {
    pub(crate) fn new(most: usize) -> Self {
        Self {
            most: most.max(1),
            entries: Mutex::new(Entries {
                map: HashMap::new(),
                uses: 0,
            }),
        }
    }

    /// The entry of that key; made when there is none.
    pub(crate) fn entry(&self, key: Key, is_alive: impl Fn(&T) -> bool, make: impl FnOnce() -> T) -> T {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.uses += 1;
        let uses = entries.uses;
        if let Some((entry, used)) = entries.map.get_mut(&key) {
            *used = uses;
            return entry.clone();
        }
        if entries.map.len() >= self.most {
            entries.map.retain(|_, (entry, _)| is_alive(entry));
        }
        if entries.map.len() >= self.most {
            let mut times: Vec<u64> = entries.map.values().map(|(_, used)| *used).collect();
            let (_, &mut last, _) = times.select_nth_unstable(self.most / 8);
            entries.map.retain(|_, (_, used)| *used > last);
        }
        let entry = make();
        entries.map.insert(key, (entry.clone(), uses));
        entry
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.entries
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .map
            .len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn does_not_grow_and_keeps_what_is_used() {
        let map = Bounded::new(16);
        for n in 0..200_u8 {
            assert_eq!(map.entry([0; 32], |_| true, || 99_u8), 99, "the busy one stays");
            map.entry([n.max(1); 32], |_| true, || n);
            assert!(map.len() <= 16);
        }
        let dead = Bounded::new(2);
        for n in 1..=3_u8 {
            dead.entry([n; 32], |n| *n != 1, || n);
        }
        assert_eq!(dead.len(), 2);
        assert_eq!(dead.entry([2; 32], |_| true, || 0), 2);
        let one = Bounded::new(1);
        for n in 0..5_u8 {
            assert_eq!(one.entry([n; 32], |_| true, || n), n);
        }
        assert_eq!(one.len(), 1);
    }
}
