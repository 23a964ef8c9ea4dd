//! One stream, cut into pieces of one size.

use super::super::report::Report;
use super::{Bench, head, name_of, row};

const SIZES: [usize; 6] = [65536, 4096, 256, 16, 8, 4];
/// Small pieces are slow: half of the text is enough.
const SMALL: usize = 16;
const FOR_SMALL: usize = 16_000_000;

pub(crate) fn run(bench: &Bench<'_>, text: &[u8], report: &mut Report) {
    report.title("One stream: MB/s of CPU time, median (best)");
    let mut entries = bench.entries(true);
    let head = head("piece", &entries);
    let mut rows = Vec::new();
    for size in SIZES {
        let text = if size <= SMALL {
            &text[..text.len().min(FOR_SMALL)]
        } else {
            text
        };
        let all = bench.measure(&mut entries, |engine| engine.pieces(text, size));
        rows.push(row(&name_of(size), "chunks", text.len(), &all, report));
    }
    report.table(&head, &rows);
}
