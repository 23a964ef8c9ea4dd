//! How much memory a stream takes while it waits for its next delta.

use std::mem::size_of;

use copilot_guard::detect::Redactor;
use serde_json::json;

use super::super::engine::Counted;
use super::super::raw::heap;
use super::super::report::Report;
use super::Bench;

const STREAMS: usize = 1000;
const DELTA: usize = 8;

pub(crate) fn run(bench: &Bench<'_>, text: &[u8], report: &mut Report) {
    report.title("Ours, state of a stream");
    let own = size_of::<Redactor>();
    let mut redactors = Vec::with_capacity(STREAMS);
    let before = heap::live();
    redactors.extend((0..STREAMS).map(|_| bench.rules.redactor(bench.mask())));
    let fresh = (heap::live() - before) / STREAMS;

    let mut sink = Counted::default();
    let part = text.len() / STREAMS;
    let mut idle = Vec::with_capacity(STREAMS);
    for (redactor, part) in redactors.iter_mut().zip(text.chunks(part.max(DELTA))) {
        for piece in part.chunks(DELTA) {
            redactor.push(piece, &mut sink);
        }
        // The sentence is over; nothing can have begun.
        redactor.push(b"; \n\n", &mut sink);
        idle.push(redactor.held() == 0);
    }
    let used = (heap::live().saturating_sub(before)) / STREAMS;
    let rest = idle.iter().filter(|idle| **idle).count();
    report.add(json!({
        "regime": "state", "size_of": own, "heap_fresh": fresh, "heap_after_text": used, "streams": STREAMS,
        "bytes_each": part, "hold_nothing": rest,
    }));
    report.table(
        &[
            "size_of",
            "heap, fresh",
            "heap, after text",
            "idle in all",
            "streams that hold nothing",
        ],
        &[vec![
            format!("{own} B"),
            format!("{fresh} B"),
            format!("{used} B"),
            format!("{} B", own + used),
            format!("{rest} of {STREAMS}, each after {part} B in deltas of 8"),
        ]],
    );
}
