//! How refusals of strangers are recorded: the first few of each minute one by one, the rest as a count, so that a
//! flood cannot fill the record.

use crate::clock::Timestamp;

/// Refusals recorded one by one per minute.
const SINGLY: u64 = 20;
const MINUTE: i64 = 60_000;

/// Counts refusals. Pure: time is an argument.
#[derive(Debug, Default)]
pub(crate) struct Refusals {
    minute: i64,
    seen: u64,
    /// Of each code, how many were not recorded singly.
    rest: Vec<(&'static str, u16, u64)>,
}

/// What to record now.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Due {
    /// Record this refusal itself.
    pub(crate) singly: bool,
    /// Summaries of an earlier minute: code, status, count.
    pub(crate) summaries: Vec<(&'static str, u16, u64)>,
}

impl Refusals {
    /// A refusal at `now`.
    pub(crate) fn note(&mut self, code: &'static str, status: u16, now: Timestamp) -> Due {
        let summaries = self.due(now);
        self.seen += 1;
        if self.seen <= SINGLY {
            return Due {
                singly: true,
                summaries,
            };
        }
        match self.rest.iter_mut().find(|(c, s, _)| *c == code && *s == status) {
            Some((_, _, count)) => *count += 1,
            None => self.rest.push((code, status, 1)),
        }
        Due {
            singly: false,
            summaries,
        }
    }

    /// Summaries of minutes that are over.
    pub(crate) fn due(&mut self, now: Timestamp) -> Vec<(&'static str, u16, u64)> {
        let minute = now.as_millis().div_euclid(MINUTE);
        if minute == self.minute {
            return Vec::new();
        }
        self.minute = minute;
        self.seen = 0;
        std::mem::take(&mut self.rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_becomes_a_count() {
        let mut refusals = Refusals::default();
        let at = |s: i64| Timestamp::from_secs(600 + s);
        let singly = (0..1000)
            .filter(|_| refusals.note("expired", 401, at(1)).singly)
            .count();
        assert_eq!(singly, 20);
        assert_eq!(refusals.due(at(59)), []);
        assert_eq!(
            refusals.note("expired", 401, at(61)),
            Due {
                singly: true,
                summaries: vec![("expired", 401, 980)]
            }
        );
    }
}
