//! Many streams at once, each a few bytes further.

use serde_json::json;

use super::super::corpus::Random;
use super::super::engine::Delta;
use super::super::report::Report;
use super::{Bench, events, head, ratios};

const STREAMS: usize = 4096;
const SHORTEST: usize = 4;
const LONGEST: usize = 16;
const TEXT: usize = 16_000_000;

pub(crate) fn run(bench: &Bench<'_>, text: &[u8], report: &mut Report) {
    let text = &text[..text.len().min(TEXT)];
    let deltas = schedule(text.len());
    report.title("4096 streams, deltas of 4 to 16 bytes: ns of CPU time per delta, median (best)");
    let mut entries = bench.entries(true);
    let head = head("deltas", &entries);
    let all = bench.measure(&mut entries, |engine| engine.streams(text, STREAMS, &deltas));
    let mut row = vec![deltas.len().to_string()];
    for series in &all {
        let (median, best) = series.times();
        let each = |ns: f64| ns / deltas.len() as f64;
        row.push(format!("{:.1} ({:.1})", each(median), each(best)));
        report.add(json!({
            "regime": "streams", "engine": series.name, "deltas": deltas.len(), "events": series.events,
            "ns_per_delta_median": each(median), "ns_per_delta_best": each(best), "cpu_ns": series.nanoseconds,
        }));
    }
    row.extend(ratios(&all));
    row.push(events(&all));
    report.table(&head, &[row]);
}

/// Which stream gets how much next: any at random, each from its own part of the text until that ends.
fn schedule(text: usize) -> Vec<Delta> {
    let mut random = Random(0x0dde_17a5);
    let part = text / STREAMS;
    let mut at: Vec<usize> = (0..STREAMS).map(|stream| stream * part).collect();
    let mut live: Vec<usize> = (0..STREAMS).collect();
    let mut deltas = Vec::new();
    // The last few streams alone would not be many at once.
    while live.len() > STREAMS / 2 {
        let i = random.below(live.len());
        let stream = live[i];
        let len = SHORTEST + random.below(LONGEST - SHORTEST + 1);
        if at[stream] + len > (stream + 1) * part {
            live.swap_remove(i);
            continue;
        }
        let fits = (
            u32::try_from(at[stream]),
            u16::try_from(stream),
            u8::try_from(len),
        );
        if let (Ok(start), Ok(number), Ok(short)) = fits {
            deltas.push(Delta {
                start,
                stream: number,
                len: short,
            });
        }
        at[stream] += len;
    }
    deltas
}
