//! Secrets of one class of bytes, up to the first byte that is not of it.
//!
//! All that begin within one such run of text end together, so they need no automaton each: a list of starts is enough,
//! and a flood of them (`key=key=key=`) costs no more for each byte than one.

use std::collections::VecDeque;

use crate::detect::rule::RuleIndex;
use crate::detect::set::Run;

use super::live::Counted;
use super::reading::Reading;

/// For each rule of this shape that has begun, where it has; earliest first.
#[derive(Default)]
pub(super) struct Runs {
    all: Vec<(RuleIndex, VecDeque<u64>)>,
    /// How many of the lists are not empty.
    open: usize,
}

impl Runs {
    #[inline]
    pub(super) const fn are_empty(&self) -> bool {
        self.open == 0
    }

    pub(super) fn capacity(&self) -> usize {
        self.all.iter().map(|(_, starts)| starts.capacity() + 4).sum()
    }

    /// Where the first of each list began.
    pub(super) fn first(&self) -> impl Iterator<Item = u64> {
        self.all.iter().filter_map(|(_, starts)| starts.front().copied())
    }

    /// A secret of this rule may begin at `start`, and has not ended by now.
    pub(super) fn begin(&mut self, rule: RuleIndex, start: u64) {
        let known = self.all.iter().position(|(r, _)| *r == rule);
        let place = known.unwrap_or_else(|| {
            self.all.push((rule, VecDeque::new()));
            self.all.len() - 1
        });
        let starts = &mut self.all[place].1;
        self.open += usize::from(starts.is_empty());
        // Mostly the latest; a rule that several ways lead to may begin at one place twice.
        if let Err(at) = starts.binary_search(&start) {
            starts.insert(at, start);
        }
    }

    /// Reads the byte at offset `at`.
    pub(super) fn step(&mut self, reading: &Reading<'_>, byte: u8, at: u64, counted: &mut Vec<Counted>) {
        if self.open == 0 {
            return;
        }
        for (rule, starts) in &mut self.all {
            if starts.is_empty() {
                continue;
            }
            let (compiled, rule) = (reading.rule(*rule), *rule);
            let Some(run) = &compiled.run else { continue };
            if run.class.contains(byte) {
                while starts.front().is_some_and(|start| at + 1 - start > run.most) {
                    starts.pop_front();
                }
            } else {
                if compiled.after.is_some_and(|after| after.contains(byte)) {
                    counted.extend(ended(reading, (rule, run), starts, at, at + 1));
                }
                starts.clear();
            }
            self.open -= usize::from(starts.is_empty());
        }
    }

    /// Reads bytes from `at` on, as far as it is worth while, and says how far that was. Nothing else is alive.
    pub(super) fn advance(
        &mut self,
        reading: &Reading<'_>,
        text: &[u8],
        at: usize,
        base: u64,
        counted: &mut Vec<Counted>,
    ) -> usize {
        let mut read = at;
        for byte in &text[at..] {
            if self.open == 0 {
                break;
            }
            self.step(reading, *byte, base + read as u64, counted);
            read += 1;
        }
        read
    }

    /// The text has ended at `now`.
    pub(super) fn end(&mut self, reading: &Reading<'_>, now: u64, counted: &mut Vec<Counted>) {
        // An empty list may be left from another stream, and name a rule of another set.
        for (rule, starts) in self.all.iter_mut().filter(|(_, starts)| !starts.is_empty()) {
            if let Some(run) = &reading.rule(*rule).run {
                counted.extend(ended(reading, (*rule, run), starts, now, now + 1));
            }
            starts.clear();
        }
        self.open = 0;
    }
}

/// The span of the first start that counts, now that the run has ended: those of later ones are parts of it.
fn ended(
    reading: &Reading<'_>,
    (index, run): (RuleIndex, &Run),
    starts: &VecDeque<u64>,
    end: u64,
    now: u64,
) -> Option<Counted> {
    let rule = reading.rule(index);
    let long_enough = starts.iter().take_while(|start| end - **start >= run.least);
    long_enough
        .copied()
        .find(|start| reading.counts(index, rule, *start, end))
        .map(|start| Counted {
            start,
            end,
            since: now,
            certain: end,
            rule: index,
        })
}
