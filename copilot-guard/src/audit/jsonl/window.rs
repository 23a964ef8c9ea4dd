//! Which events were written lately: of exchanges that are open, and of the last that ended.

use std::collections::{HashMap, HashSet, VecDeque};

use super::Line;
use crate::id::ExchangeId;

/// A repeat comes after a failure or a lost answer, from one task that works in order: soon. So the memory is bounded.
const ENDED: usize = 10_000;

#[derive(Debug, Default)]
pub(super) struct Window {
    exchanges: HashMap<ExchangeId, Seen>,
    ended: VecDeque<ExchangeId>,
}

#[derive(Debug, Default)]
struct Seen {
    ids: HashSet<String>,
    ended: bool,
}

impl Window {
    /// Whether the line is to be written: no repeat, and no second last event.
    pub(super) fn is_new(&self, line: &Line) -> bool {
        self.exchanges
            .get(&line.exchange)
            .is_none_or(|seen| !(seen.ids.contains(&line.id) || line.is_final && seen.ended))
    }

    pub(super) fn add(&mut self, line: &Line) {
        let seen = self.exchanges.entry(line.exchange).or_default();
        seen.ids.insert(line.id.clone());
        if line.is_final && !seen.ended {
            seen.ended = true;
            self.ended.push_back(line.exchange);
            if self.ended.len() > ENDED
                && let Some(oldest) = self.ended.pop_front()
            {
                self.exchanges.remove(&oldest);
            }
        }
    }
}
