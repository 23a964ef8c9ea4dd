//! What one short delta costs and how much of it waits.

use serde_json::json;

use super::super::engine::{Counted, Engine, Ours};
use super::super::report::Report;
use super::{Bench, median};

const DELTA: usize = 8;
const TEXT: usize = 16_000_000;

pub(crate) fn run(bench: &Bench<'_>, text: &[u8], report: &mut Report) {
    report.title("Ours, deltas of 8 bytes");
    let text = &text[..text.len().min(TEXT)];
    let deltas = text.len().div_ceil(DELTA);
    let mut ours = Ours {
        rules: bench.rules,
        mask: bench.mask(),
        copies: false,
    };
    let times: Vec<f64> = (0..bench.rounds)
        .map(|_| ours.pieces(text, DELTA).nanoseconds as f64 / deltas as f64)
        .collect();
    let best = times.iter().copied().fold(f64::INFINITY, f64::min);
    let each = median(times.iter().copied());

    let mut redactor = bench.rules.redactor(bench.mask());
    let mut sink = Counted::default();
    let (mut held, mut none, mut most) = (0, 0, 0);
    for piece in text.chunks(DELTA) {
        redactor.push(piece, &mut sink);
        held += redactor.held();
        none += usize::from(redactor.held() == 0);
        most = most.max(redactor.held());
    }
    let mean = held as f64 / deltas as f64;
    let share = none as f64 * 100.0 / deltas as f64;
    report.add(json!({
        "regime": "deltas", "ns_per_delta_median": each, "ns_per_delta_best": best, "mean_held": mean,
        "percent_that_hold_nothing": share, "most_held": most, "marks": sink.marks,
    }));
    report.table(
        &[
            "ns per delta, median (best)",
            "mean held B",
            "hold nothing",
            "most held B",
            "marks",
        ],
        &[vec![
            format!("{each:.1} ({best:.1})"),
            format!("{mean:.3}"),
            format!("{share:.1} %"),
            most.to_string(),
            sink.marks.to_string(),
        ]],
    );
}
