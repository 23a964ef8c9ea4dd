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
use super::report::Report;
use super::theirs::Theirs;

/// What every measurement needs.
pub(crate) struct Bench<'a> {
    pub(crate) rules: &'a RuleSet,
    pub(crate) mask: &'a RuleMask,
    pub(crate) theirs: &'a Theirs,
    pub(crate) rounds: usize,
    pub(crate) quick: bool,
}

/// What one engine took, round by round.
struct Series {
    name: &'static str,
    nanoseconds: Vec<u64>,
    events: u64,
}

impl Bench<'_> {
    /// Ours first, then ours with a copy if that is asked for, then Hyperscan.
    fn engines(&self, copies: bool) -> Vec<Box<dyn Engine + '_>> {
        let ours = |copies| -> Box<dyn Engine + '_> {
            Box::new(Ours {
                rules: self.rules,
                mask: self.mask,
                copies,
            })
        };
        let mut engines = self.theirs.engines();
        if copies {
            engines.insert(0, ours(true));
        }
        engines.insert(0, ours(false));
        engines
    }

    /// Runs every engine in every round, after one that does not count.
    fn measure(
        &self,
        engines: &mut [Box<dyn Engine + '_>],
        mut run: impl FnMut(&mut dyn Engine) -> Sample,
    ) -> Vec<Series> {
        let mut all: Vec<Series> = engines
            .iter()
            .map(|engine| Series {
                name: engine.name(),
                nanoseconds: Vec::new(),
                events: 0,
            })
            .collect();
        for round in 0..=self.rounds {
            for (engine, series) in engines.iter_mut().zip(&mut all) {
                let sample = run(engine.as_mut());
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
fn head(first: &str, engines: &[Box<dyn Engine + '_>]) -> Vec<String> {
    let names = || engines.iter().map(|engine| engine.name());
    let mut head = vec![first.to_owned()];
    head.extend(names().map(str::to_owned));
    head.extend(names().filter(|n| is_theirs(n)).map(|n| format!("ours / {n}")));
    head.push("events".to_owned());
    head
}

fn is_theirs(name: &str) -> bool {
    name.starts_with("Hyperscan")
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
    if let Some(ours) = all.first() {
        for theirs in all.iter().filter(|series| is_theirs(series.name)) {
            row.push(format!("**{:.2}**", ours.ratio_to(theirs)));
        }
    }
    let events: Vec<String> = all.iter().map(|series| series.events.to_string()).collect();
    row.push(events.join(" / "));
    row
}

fn name_of(size: usize) -> String {
    if size >= 1024 {
        format!("{} KiB", size / 1024)
    } else {
        format!("{size} B")
    }
}
