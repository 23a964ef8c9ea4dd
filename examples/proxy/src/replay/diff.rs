//! What would change, for people and for programs.

use std::collections::BTreeMap;
use std::fmt;

use copilot_guard::audit::ExchangeRecord;
use copilot_guard::clock::Timestamp;
use copilot_guard::decision::Action;
use copilot_guard::id::ExchangeId;
use serde::Serialize;

use super::rejudge::{Answer, Judged, Seen, decision};

/// One exchange that would go another way, or for other reasons.
#[derive(Debug, Serialize)]
pub(super) struct Change {
    pub(super) exchange: ExchangeId,
    pub(super) at: Timestamp,
    pub(super) subject: String,
    pub(super) model: String,
    pub(super) old: Action,
    pub(super) new: Action,
    /// Rules that match now and did not then.
    pub(super) came: Vec<Seen>,
    /// Rules that matched then and do not now.
    pub(super) gone: Vec<Seen>,
    /// Rules whose text is not on record: they count on both sides.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) not_judged: Vec<Seen>,
}

impl Change {
    /// `None` when everything stays as it was.
    pub(super) fn of(record: &ExchangeRecord, judged: &Judged) -> Option<Self> {
        (judged.old != judged.new).then(|| Self {
            exchange: record.id,
            at: record.started_at,
            subject: record.subject.clone(),
            model: record.model.clone(),
            old: judged.was,
            new: decision(&judged.new),
            came: judged.new.difference(&judged.old).cloned().collect(),
            gone: judged.old.difference(&judged.new).cloned().collect(),
            not_judged: judged.carried.iter().cloned().collect(),
        })
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}  {}  {:16}  {} -> {}",
            self.exchange, self.at, self.subject, self.old, self.new
        )?;
        let came = self.came.iter().map(|seen| ('+', seen));
        for (sign, seen) in came.chain(self.gone.iter().map(|seen| ('-', seen))) {
            let observed = if seen.observed_only { ", observed" } else { "" };
            write!(
                f,
                "  {sign}{} ({} on {}{observed})",
                seen.id, seen.action, seen.stage
            )?;
        }
        Ok(())
    }
}

/// Counts, bounded: a record holds any number of names.
#[derive(Debug, Default, Serialize)]
#[serde(transparent)]
pub(super) struct Counts(pub(super) BTreeMap<String, u64>);

/// Most names that are counted by themselves.
const MAX_NAMES: usize = 10_000;

impl Counts {
    fn add(&mut self, name: &str) {
        let name = match self.0.contains_key(name) || self.0.len() < MAX_NAMES {
            true => name,
            false => "(others)",
        };
        *self.0.entry(name.to_owned()).or_default() += 1;
    }
}

/// All exchanges together.
#[derive(Debug, Default, Serialize)]
pub(super) struct Summary {
    /// The version of the policy that was tried.
    pub(super) policy: String,
    pub(super) judged: u64,
    pub(super) changed: u64,
    /// Old and new decision of those that change.
    pub(super) decisions: Counts,
    pub(super) came: Counts,
    pub(super) gone: Counts,
    /// Groups of the callers of those that change.
    pub(super) groups: Counts,
    /// Exchanges in which a rule saw what is not on record, by rule.
    pub(super) not_judged: Counts,
    /// Exchanges whose answer was judged again, and those where it could not be read.
    pub(super) answers: u64,
    pub(super) unreadable_answers: u64,
    /// Exchanges that could not be judged at all, by what they lack.
    pub(super) skipped: Counts,
}

impl Summary {
    pub(super) fn new(policy: &str) -> Self {
        Self {
            policy: policy.to_owned(),
            ..Self::default()
        }
    }

    pub(super) fn skip(&mut self, why: &str) {
        self.skipped.add(why);
    }

    pub(super) fn add(&mut self, record: &ExchangeRecord, judged: &Judged, change: Option<&Change>) {
        self.judged += 1;
        self.answers += u64::from(judged.answer == Answer::Judged);
        self.unreadable_answers += u64::from(judged.answer == Answer::Unreadable);
        judged
            .carried
            .iter()
            .for_each(|seen| self.not_judged.add(&seen.id));
        let Some(change) = change else {
            return;
        };
        self.changed += 1;
        self.decisions.add(&format!("{} -> {}", change.old, change.new));
        change.came.iter().for_each(|seen| self.came.add(&seen.id));
        change.gone.iter().for_each(|seen| self.gone.add(&seen.id));
        record.groups.iter().for_each(|group| self.groups.add(group));
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "policy {}", self.policy)?;
        writeln!(f, "{} of {} exchanges would change", self.changed, self.judged)?;
        for (title, counts) in [
            ("decisions", &self.decisions),
            ("rules that would match", &self.came),
            ("rules that would no longer match", &self.gone),
            ("groups", &self.groups),
            (
                "rules that saw what is not on record (taken over as they were)",
                &self.not_judged,
            ),
            ("exchanges that could not be judged", &self.skipped),
        ] {
            if !counts.0.is_empty() {
                writeln!(f, "{title}:")?;
            }
            for (name, count) in &counts.0 {
                writeln!(f, "  {count:7}  {name}")?;
            }
        }
        write!(f, "{} answers were judged again", self.answers)?;
        match self.unreadable_answers {
            0 => writeln!(f),
            n => writeln!(f, "; {n} could not be read"),
        }
    }
}
