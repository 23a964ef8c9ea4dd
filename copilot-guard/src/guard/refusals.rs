//! How refusals of strangers are recorded: of each code and address the first few of a minute one by one, the rest as a
//! count, so that a flood cannot fill the record, and one flood cannot hide what another stranger does.

use std::collections::HashMap;

use crate::clock::Timestamp;

/// Refusals of one code and address that are recorded one by one per minute.
const SINGLY: u64 = 10;
/// Of all codes and addresses together. Beyond it there are counts alone.
const SINGLY_ALL: u64 = 200;
/// Codes and addresses that are told apart within a minute; what is beyond counts by its code.
const MOST: usize = 1000;
const MINUTE: i64 = 60_000;

/// Counts refusals. Pure: time is an argument.
#[derive(Debug, Default)]
pub(crate) struct Refusals {
    minute: i64,
    singly: u64,
    seen: HashMap<(&'static str, u16, Option<String>), Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    all: u64,
    singly: u64,
}

/// Refusals that were not recorded one by one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Summary {
    pub(crate) code: &'static str,
    pub(crate) status: u16,
    /// Nothing when they came from many, or it is not known from where.
    pub(crate) address: Option<String>,
    pub(crate) count: u64,
}

/// What to record now.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Due {
    /// Record this refusal itself.
    pub(crate) singly: bool,
    /// Summaries of an earlier minute.
    pub(crate) summaries: Vec<Summary>,
}

impl Refusals {
    /// A refusal at `now`.
    pub(crate) fn note(
        &mut self,
        code: &'static str,
        status: u16,
        address: Option<&str>,
        now: Timestamp,
    ) -> Due {
        let summaries = self.due(now);
        let mut key = (code, status, address.map(str::to_owned));
        if self.seen.len() >= MOST && !self.seen.contains_key(&key) {
            key.2 = None;
        }
        let seen = self.seen.entry(key).or_default();
        seen.all += 1;
        let singly = seen.singly < SINGLY && self.singly < SINGLY_ALL;
        if singly {
            seen.singly += 1;
            self.singly += 1;
        }
        Due { singly, summaries }
    }

    /// Summaries of minutes that are over.
    pub(crate) fn due(&mut self, now: Timestamp) -> Vec<Summary> {
        let minute = now.as_millis().div_euclid(MINUTE);
        if minute == self.minute {
            return Vec::new();
        }
        self.minute = minute;
        self.flush()
    }

    /// Summaries of all that is not on record yet.
    pub(crate) fn flush(&mut self) -> Vec<Summary> {
        self.singly = 0;
        let mut summaries: Vec<_> = std::mem::take(&mut self.seen)
            .into_iter()
            .filter(|(_, seen)| seen.all > seen.singly)
            .map(|((code, status, address), seen)| Summary {
                code,
                status,
                address,
                count: seen.all - seen.singly,
            })
            .collect();
        // A flood from many addresses is one line for each code: the record is not theirs to fill.
        if summaries.len() > SINGLY_ALL as usize {
            let mut by_code: HashMap<(&'static str, u16), u64> = HashMap::new();
            for summary in summaries.drain(..) {
                *by_code.entry((summary.code, summary.status)).or_default() += summary.count;
            }
            summaries.extend(by_code.into_iter().map(|((code, status), count)| Summary {
                code,
                status,
                address: None,
                count,
            }));
        }
        summaries.sort();
        summaries
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_secs(600 + second)
    }

    fn flood(refusals: &mut Refusals, count: u64, address: &str) -> u64 {
        let note = |_| u64::from(refusals.note("expired", 401, Some(address), at(1)).singly);
        (0..count).map(note).sum()
    }

    #[test]
    fn a_flood_becomes_a_count_and_hides_nobody() {
        let mut refusals = Refusals::default();
        assert_eq!(flood(&mut refusals, 1000, "192.0.2.1"), SINGLY);
        assert_eq!(
            flood(&mut refusals, 3, "192.0.2.2"),
            3,
            "another address has a share of its own"
        );
        assert!(
            refusals
                .note("bad_signature", 401, Some("192.0.2.1"), at(1))
                .singly,
            "and another code"
        );
        assert_eq!(refusals.due(at(59)), []);
        let due = refusals.note("expired", 401, Some("192.0.2.1"), at(61));
        let summary = Summary {
            code: "expired",
            status: 401,
            address: Some("192.0.2.1".into()),
            count: 1000 - SINGLY,
        };
        assert_eq!((due.singly, due.summaries), (true, vec![summary]));
    }

    #[test]
    fn many_addresses_are_one_line_for_each_code() {
        let mut refusals = Refusals::default();
        let singly: u64 = (0..5000)
            .map(|n| flood(&mut refusals, 2, &format!("2001:db8::{n}")))
            .sum();
        assert_eq!(singly, SINGLY_ALL);
        assert!(refusals.seen.len() <= MOST + 1);
        let due = refusals.due(at(61));
        assert_eq!(due.len(), 1, "{due:?}");
        assert_eq!(
            (due[0].address.as_deref(), due[0].count),
            (None, 10_000 - SINGLY_ALL)
        );
    }
}
