//! The measurements.

pub(crate) mod chunks;
pub(crate) mod deltas;
pub(crate) mod floods;
pub(crate) mod ready;
pub(crate) mod sanity;
pub(crate) mod state;
pub(crate) mod streams;

use copilot_guard::detect::{RuleMask, RuleSet};
use serde_json::json;

use super::engine::{Engine, Ours, Sample};
use super::options::Options;
use super::report::Report;
use super::rules::Rule;
use super::theirs::Mode;

/// What every measurement needs.
pub(crate) struct Bench<'a> {
    pub(crate) rules: &'a RuleSet,
    table: &'a [Rule],
    theirs: &'a [Mode],
    /// What is switched on for ours: all first, then what each mode of Hyperscan takes.
    masks: Vec<RuleMask>,
    rounds: usize,
    quick: bool,
}

/// One column.
struct Entry<'a> {
    name: String,
    /// The place of ours with the same rules.
    rival: Option<usize>,
    engine: Box<dyn Engine + 'a>,
}

/// What one engine took, round by round.
struct Series {
    name: String,
    rival: Option<usize>,
    nanoseconds: Vec<u64>,
    events: u64,
}

impl<'a> Bench<'a> {
    pub(crate) fn new(
        rules: &'a RuleSet,
        table: &'a [Rule],
        theirs: &'a [Mode],
        options: &Options,
    ) -> Result<Self, String> {
        let select = |set: &[usize]| {
            let mask = rules.select(|rule| set.iter().any(|i| table[*i].id == rule.id));
            if mask.len() == set.len() {
                Ok(mask)
            } else {
                Err("the table that was read is not the one that the library was built with")
            }
        };
        let all: Vec<usize> = (0..table.len()).collect();
        let mut masks = vec![select(&all)?];
        for mode in theirs {
            masks.push(select(&mode.rules)?);
        }
        Ok(Self {
            rules,
            table,
            theirs,
            masks,
            rounds: options.rounds,
            quick: options.quick,
        })
    }

    /// All rules that are on by default.
    fn mask(&self) -> &RuleMask {
        &self.masks[0]
    }

    fn ours(&self, name: &str, mask: &'a RuleMask, copies: bool) -> Entry<'a> {
        Entry {
            name: format!("{name} ({})", mask.len()),
            rival: None,
            engine: Box::new(Ours {
                rules: self.rules,
                mask,
                copies,
            }),
        }
    }

    /// Ours with all rules, the same with a copy if that is asked for, then each of Hyperscan's modes, and before it
    /// ours with the same rules if these are not all.
    fn entries(&'a self, copies: bool) -> Vec<Entry<'a>> {
        let mut entries = vec![self.ours("ours", self.mask(), false)];
        if copies {
            entries.push(self.ours("ours, copied", self.mask(), true));
        }
        for (mode, mask) in self.theirs.iter().zip(&self.masks[1..]) {
            let mut rival = 0;
            if mask != self.mask() {
                rival = entries.len();
                entries.push(self.ours("ours", mask, false));
            }
            entries.extend(mode.engine().map(|engine| Entry {
                name: format!("{} ({})", mode.name, mask.len()),
                rival: Some(rival),
                engine,
            }));
        }
        entries
    }

    /// Runs every engine in every round, after one that does not count.
    fn measure(
        &self,
        entries: &mut [Entry<'_>],
        mut run: impl FnMut(&mut dyn Engine) -> Sample,
    ) -> Vec<Series> {
        let mut all: Vec<Series> = entries
            .iter()
            .map(|entry| Series {
                name: entry.name.clone(),
                rival: entry.rival,
                nanoseconds: Vec::new(),
                events: 0,
            })
            .collect();
        for round in 0..=self.rounds {
            for (entry, series) in entries.iter_mut().zip(&mut all) {
                let sample = run(entry.engine.as_mut());
                if round > 0 {
                    series.nanoseconds.push(sample.nanoseconds);
                }
                series.events = sample.events;
            }
        }
        all
    }
}

impl Series {
    /// The median and the best time.
    fn times(&self) -> (f64, f64) {
        let best = self.nanoseconds.iter().min().copied().unwrap_or(u64::MAX);
        (median(self.nanoseconds.iter().map(|ns| *ns as f64)), best as f64)
    }

    /// How many times as fast as the other, in the median round.
    fn ratio_to(&self, other: &Self) -> f64 {
        let pairs = self.nanoseconds.iter().zip(&other.nanoseconds);
        median(pairs.map(|(mine, other)| *other as f64 / *mine as f64))
    }
}

fn median(numbers: impl Iterator<Item = f64>) -> f64 {
    let mut sorted: Vec<f64> = numbers.collect();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}

/// The heads of a table of engines: their speed, then ours over each of Hyperscan's, then the events.
fn head(first: &str, entries: &[Entry<'_>]) -> Vec<String> {
    let mut head = vec![first.to_owned()];
    head.extend(entries.iter().map(|entry| entry.name.clone()));
    let theirs = entries.iter().filter(|entry| entry.rival.is_some());
    head.extend(theirs.map(|entry| format!("ours / {}", entry.name)));
    head.push("events".to_owned());
    head
}

fn ratios(all: &[Series]) -> impl Iterator<Item = String> {
    all.iter().filter_map(|theirs| {
        let ours = all.get(theirs.rival?)?;
        Some(format!("**{:.2}**", ours.ratio_to(theirs)))
    })
}

fn events(all: &[Series]) -> String {
    let events: Vec<String> = all.iter().map(|series| series.events.to_string()).collect();
    events.join(" / ")
}

/// One row of such a table: MB/s in the median (best) round.
fn row(first: &str, regime: &str, bytes: usize, all: &[Series], report: &mut Report) -> Vec<String> {
    let mut row = vec![first.to_owned()];
    for series in all {
        let (median, best) = series.times();
        let speed = |ns: f64| bytes as f64 * 1e3 / ns;
        row.push(format!("{:.0} ({:.0})", speed(median), speed(best)));
        report.add(json!({
            "regime": regime, "case": first, "engine": series.name, "bytes": bytes, "events": series.events,
            "mb_per_s_median": speed(median), "mb_per_s_best": speed(best), "cpu_ns": series.nanoseconds,
        }));
    }
    row.extend(ratios(all));
    row.push(events(all));
    row
}

fn name_of(size: usize) -> String {
    if size >= 1024 {
        format!("{} KiB", size / 1024)
    } else {
        format!("{size} B")
    }
}
