//! That both sides find the same made-up secrets: the samples of the rule table, each by its rule alone.

use super::super::report::Report;
use super::super::rules::Rule;
use super::Bench;

/// Whether ours finds every sample. What Hyperscan misses is named.
pub(crate) fn run(bench: &Bench<'_>, table: &[Rule], report: &mut Report) -> bool {
    let mut missed = Vec::new();
    let mut found = vec![("ours", 0)];
    for i in &bench.theirs.common {
        let rule = &table[*i];
        // Hyperscan is not told that a secret may stand at the very end.
        let mut text = rule.sample.clone();
        text.push(b'\n');
        let mask = bench.rules.select(|r| r.id == rule.id);
        let mut sides = vec![("ours", !bench.rules.scan(&mask, &text).is_empty())];
        sides.extend(bench.theirs.finds(*i, &text));
        for (side, hit) in sides {
            match found.iter_mut().find(|(name, _)| *name == side) {
                Some((_, count)) => *count += usize::from(hit),
                None => found.push((side, usize::from(hit))),
            }
            if !hit {
                missed.push((side, rule.id.as_str()));
            }
        }
    }
    let total = bench.theirs.common.len();
    let found: Vec<String> = found.iter().map(|(side, n)| format!("{side} {n}")).collect();
    report.line(format!("Planted secrets, one for each of {total} rules, found: {}.", found.join(", ")));
    for (side, rule) in &missed {
        report.line(format!("Missed by {side}: `{rule}`."));
    }
    missed.iter().all(|(side, _)| *side != "ours")
}
