//! The redactor and Hyperscan side by side: the same rules, the same text, CPU time of one thread, one run.
//!
//! See `benches/README.md` for how to run it and what the columns mean.
//!
//! 1. Every engine runs in every round, one after the other, so that a change of the machine's speed meets all alike.
//! 2. A ratio is the median of the ratios of the rounds.
//! 3. A rule that Hyperscan refuses is left out of both sides of that comparison, and named.
#![cfg_attr(
    not(libhs),
    expect(
        dead_code,
        reason = "without Hyperscan, what only the comparison needs lies idle"
    )
)]

mod clock;
mod corpus;
mod engine;
mod forms;
mod options;
#[expect(
    unsafe_code,
    reason = "an allocator that counts, and calls of a C library; each block says why it is sound"
)]
mod raw;
mod regimes;
mod report;
mod rules;
mod theirs;

use std::error::Error;
use std::process::ExitCode;

use copilot_guard::detect::RuleSet;

use options::{Options, Regime};
use report::Report;

fn main() -> ExitCode {
    let result = match Options::parse(std::env::args().skip(1)) {
        Ok(Some(options)) if options.child => regimes::ready::child(),
        Ok(Some(options)) => run(&options),
        Ok(None) => Ok(()),
        Err(e) => Err(e),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("side_by_side: {e}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    let report = &mut Report::default();
    report.title("Side by side");

    let rules = RuleSet::builder().builtin().build()?;
    let table = rules::read()?;
    report.line(format!(
        "{} rules of the table are on by default; the library knows {} with those of packs.",
        table.len(),
        rules.rules().len()
    ));
    let theirs = theirs::all(&table, report);
    let bench = regimes::Bench::new(&rules, &table, &theirs, options)?;
    if !regimes::sanity::run(&bench, report) {
        return Err("the redactor misses what it must find".into());
    }
    if options.wants(Regime::Floods) {
        regimes::floods::run(&bench, report);
    }
    if options.wants(Regime::Ready) {
        regimes::ready::run(&bench, report)?;
    }
    let of_text = [Regime::Chunks, Regime::Streams, Regime::Deltas, Regime::State];
    if of_text.into_iter().any(|regime| options.wants(regime)) {
        let text = corpus::gather(options, report)?;
        if options.wants(Regime::Chunks) {
            regimes::chunks::run(&bench, &text, report);
        }
        if options.wants(Regime::Streams) {
            regimes::streams::run(&bench, &text, report);
        }
        if options.wants(Regime::Deltas) {
            regimes::deltas::run(&bench, &text, report);
        }
        if options.wants(Regime::State) {
            regimes::state::run(&bench, &text, report);
        }
    }
    if let Some(file) = &options.json {
        report.write_json(file)?;
    }
    Ok(())
}
