//! That both sides find the same made-up secrets: the samples of the rule table, each by its rule alone, and then all
//! of them in one text.

use super::super::report::Report;
use super::{Bench, events};

const PIECE: usize = 8;

/// Whether ours finds every sample. What Hyperscan misses is named.
pub(crate) fn run(bench: &Bench<'_>, report: &mut Report) -> bool {
    let mut all_found = true;
    let mut planted = Vec::new();
    let mut found = 0;
    for rule in bench.table {
        let text = line(&rule.sample);
        let mask = bench.rules.select(|r| r.id == rule.id);
        if bench.rules.scan(&mask, &text).is_empty() {
            report.line(format!("Missed by ours: `{}`.", rule.id));
            all_found = false;
        } else {
            found += 1;
        }
        planted.extend(text);
    }
    let mut sides = vec![format!("ours {found} of {}", bench.table.len())];
    for mode in bench.theirs {
        let mut found = 0;
        for (i, rule) in mode.rules.iter().enumerate() {
            let rule = &bench.table[*rule];
            if mode.finds(i, &line(&rule.sample)) {
                found += 1;
            } else {
                report.line(format!("Missed by {}: `{}`.", mode.name, rule.id));
            }
        }
        sides.push(format!("{} {found} of {}", mode.name, mode.rules.len()));
    }
    report.line(format!(
        "Planted secrets, each found by its rule alone: {}.",
        sides.join("; ")
    ));

    let mut entries = bench.entries(false);
    let names: Vec<String> = entries.iter().map(|entry| entry.name.clone()).collect();
    let all = bench.measure(&mut entries, |engine| engine.pieces(&planted, PIECE));
    report.line(format!(
        "All of them in one text, events: {} ({}).",
        events(&all),
        names.join(" / ")
    ));
    all_found
}

/// Hyperscan is not told that a secret may stand at the very end.
fn line(sample: &[u8]) -> Vec<u8> {
    [sample, b"\n"].concat()
}
