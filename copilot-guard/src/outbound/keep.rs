//! What was fetched, when it is renewed and when it ends: a state machine that is told the time.

use std::time::Duration;

use crate::clock::Timestamp;

/// A value that somebody turned down brings one more fetch, but only so often: whoever turns everything down must not
/// make us ask without end.
const TURNED_DOWN: Duration = Duration::from_secs(30);
/// So much earlier than the fetch a request's time may be. Beyond that the clock was set back, and nobody knows for how
/// long the value would be used.
const EARLIER: Duration = Duration::from_secs(60);
/// The wait after a first failure; it doubles.
const FIRST_WAIT: Duration = Duration::from_secs(1);

/// A value and how long it lasts.
#[derive(Debug, Clone)]
pub(crate) struct Fresh<T> {
    pub(crate) value: T,
    /// From then on a request renews it on the side.
    pub(crate) refresh_at: Timestamp,
    /// From then on it is not used.
    pub(crate) ends: Timestamp,
}

impl<T> Fresh<T> {
    /// Renewed `early` before it ends; of a short life, at half of it.
    pub(crate) fn renewed_early(value: T, early: Duration, ends: Timestamp, now: Timestamp) -> Self {
        let half = ends.since(now) / 2;
        Self {
            value,
            refresh_at: ends.minus(early.min(half)),
            ends,
        }
    }
}

/// What to do for a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step<T> {
    /// Use it; and renew it on the side.
    Use(T, bool),
    /// Nothing usable: fetch, or wait for whoever does.
    Fetch,
    /// Nothing usable, and it is too early to ask again.
    Fail,
}

/// One kept value.
pub(crate) struct Keep<T> {
    /// With the time of its fetch.
    held: Option<(Timestamp, Fresh<T>)>,
    /// The time of the last failure, and how many came in a row.
    failed: Option<(Timestamp, u32)>,
    /// When a held value was last fetched anew because it was turned down.
    turned_down: Option<Timestamp>,
    /// How many fetches have ended.
    ended: u64,
    max_wait: Duration,
}

impl<T: Clone> Keep<T> {
    pub(crate) fn new(max_wait: Duration) -> Self {
        Self {
            held: None,
            failed: None,
            turned_down: None,
            ended: 0,
            max_wait,
        }
    }

    /// What to do at `now`. `is_rejected` says of a value that whoever it is for does not take it.
    pub(crate) fn step(&self, is_rejected: impl Fn(&T) -> bool, now: Timestamp) -> Step<T> {
        let waits = self.waits(now);
        match self.usable(now) {
            Some(held) if is_rejected(&held.value) => {
                let lately = self
                    .turned_down
                    .is_some_and(|at| at <= now && now < at.plus(TURNED_DOWN));
                if lately || waits { Step::Fail } else { Step::Fetch }
            }
            Some(held) => Step::Use(held.value.clone(), now >= held.refresh_at && !waits),
            None if waits => Step::Fail,
            None => Step::Fetch,
        }
    }

    /// A fetch begins. `usable`: there is a value that would do, had it not been turned down.
    pub(crate) fn begin(&mut self, now: Timestamp, turned_down: bool) {
        if turned_down && self.is_usable(now) {
            self.turned_down = Some(now);
        }
    }

    /// A fetch has ended. After a failure the old value stays until it ends.
    pub(crate) fn finish(&mut self, fetched: Option<Fresh<T>>, now: Timestamp) {
        self.ended = self.ended.wrapping_add(1);
        match fetched {
            Some(fresh) => {
                self.held = Some((now, fresh));
                self.failed = None;
            }
            None => {
                let before = self.failed.map_or(0, |(_, times)| times);
                self.failed = Some((now, before.saturating_add(1)));
            }
        }
    }

    /// How many fetches have ended: one that ended while a request waited was made for it too.
    pub(crate) fn ended(&self) -> u64 {
        self.ended
    }

    /// Whether the last fetch failed.
    pub(crate) fn has_failed(&self) -> bool {
        self.failed.is_some()
    }

    /// Whether there is a value that has not ended.
    pub(crate) fn is_usable(&self, now: Timestamp) -> bool {
        self.usable(now).is_some()
    }

    fn usable(&self, now: Timestamp) -> Option<&Fresh<T>> {
        let (from, held) = self.held.as_ref()?;
        (*from <= now.plus(EARLIER) && now < held.ends).then_some(held)
    }

    /// Whether it is too early after a failure. A clock that was set back does not prolong the wait.
    fn waits(&self, now: Timestamp) -> bool {
        self.failed.is_some_and(|(at, times)| {
            let wait = FIRST_WAIT * 2_u32.saturating_pow(times.saturating_sub(1).min(8));
            at <= now && now < at.plus(wait.min(self.max_wait))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_secs(secs)
    }

    fn fresh(value: &'static str, from: i64, ends: i64) -> Fresh<&'static str> {
        Fresh::renewed_early(value, Duration::from_secs(120), at(ends), at(from))
    }

    fn never(_: &&'static str) -> bool {
        false
    }

    #[test]
    fn is_renewed_ahead_and_ends_on_time() {
        let mut keep = Keep::new(Duration::from_secs(8));
        assert_eq!(keep.step(never, at(0)), Step::Fetch);
        keep.begin(at(0), false);
        keep.finish(Some(fresh("a", 0, 1000)), at(0));
        let rows = [
            (0, Step::Use("a", false)),
            (879, Step::Use("a", false)),
            (880, Step::Use("a", true)),
            (999, Step::Use("a", true)),
            (1000, Step::Fetch),
        ];
        for (now, step) in rows {
            assert_eq!(keep.step(never, at(now)), step, "{now}");
        }
        keep.finish(Some(fresh("a", 500, 1000)), at(500));
        assert_eq!(keep.step(never, at(440)), Step::Use("a", false), "a slow request");
        assert_eq!(keep.step(never, at(439)), Step::Fetch, "the clock was set back");
        // Of a short life, at half of it.
        keep.finish(Some(fresh("b", 0, 60)), at(0));
        assert_eq!(keep.step(never, at(29)), Step::Use("b", false));
        assert_eq!(keep.step(never, at(30)), Step::Use("b", true));
    }

    #[test]
    fn a_failure_leaves_the_old_one_and_slows_down() {
        let mut keep = Keep::new(Duration::from_secs(8));
        keep.finish(Some(fresh("a", 0, 1000)), at(0));
        keep.finish(None, at(900));
        assert_eq!(keep.step(never, at(900)), Step::Use("a", false), "waits a second");
        assert_eq!(keep.step(never, at(901)), Step::Use("a", true));
        for (times, wait) in [(1, 1), (2, 2), (3, 4), (4, 8), (5, 8), (60, 8)] {
            let mut keep = Keep::<&str>::new(Duration::from_secs(8));
            for _ in 0..times {
                keep.finish(None, at(2000));
            }
            assert_eq!(keep.step(never, at(2000 + wait - 1)), Step::Fail, "{times}");
            assert_eq!(keep.step(never, at(2000 + wait)), Step::Fetch, "{times}");
            assert_eq!(
                keep.step(never, at(1999)),
                Step::Fetch,
                "a clock that was set back"
            );
        }
    }

    #[test]
    fn one_that_is_turned_down_is_fetched_anew_now_and_then() {
        let mut keep = Keep::new(Duration::from_secs(8));
        keep.finish(Some(fresh("a", 0, 1000)), at(0));
        let is_a = |value: &&'static str| *value == "a";
        assert_eq!(keep.step(is_a, at(10)), Step::Fetch);
        keep.begin(at(10), true);
        keep.finish(Some(fresh("a", 10, 1000)), at(10));
        assert_eq!(keep.step(is_a, at(39)), Step::Fail);
        assert_eq!(keep.step(is_a, at(40)), Step::Fetch);
        keep.begin(at(40), true);
        keep.finish(Some(fresh("b", 40, 1000)), at(40));
        // Others that were turned down with the old one simply get the new one.
        assert_eq!(keep.step(is_a, at(41)), Step::Use("b", false));
    }
}
