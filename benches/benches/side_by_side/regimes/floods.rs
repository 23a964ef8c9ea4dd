//! Text that somebody made to be slow.

use super::super::engine::Counted;
use super::super::report::Report;
use super::{Bench, head, name_of, row};

const UNITS: [&str; 7] = [
    "key=",
    "password = ",
    "eyJ",
    "-----BEGIN",
    "-----BEGIN ",
    "https://",
    "token=\"",
];
const SIZES: [usize; 4] = [65536, 4096, 16, 8];

pub(crate) fn run(bench: &Bench<'_>, report: &mut Report) {
    report.title("Floods: MB/s of CPU time, median (best)");
    let length = if bench.quick { 256 << 10 } else { 2 << 20 };
    let mut entries = bench.entries(false);
    let mut head = head("repeated, piece", &entries);
    head.push("most held B".to_owned());
    let mut rows = Vec::new();
    for unit in UNITS {
        let text = unit.as_bytes().repeat(length / unit.len());
        for size in SIZES {
            let all = bench.measure(&mut entries, |engine| engine.pieces(&text, size));
            let case = format!("`{unit}`, {}", name_of(size));
            let mut row = row(&case, "floods", text.len(), &all, report);
            row.push(most_held(bench, &text, size).to_string());
            rows.push(row);
        }
    }
    report.table(&head, &rows);
}

fn most_held(bench: &Bench<'_>, text: &[u8], size: usize) -> usize {
    let mut redactor = bench.rules.redactor(bench.mask());
    let mut sink = Counted::default();
    let mut most = 0;
    for piece in text.chunks(size) {
        redactor.push(piece, &mut sink);
        most = most.max(redactor.held());
    }
    most
}
