//! However a text is cut, its views show the same; what is delivered is the text but for what is covered; PowerShell and
//! links are judged without a panic beside it.
#![no_main]

use std::sync::LazyLock;

use copilot_guard::detect::command::{CommandJudge, Shell};
use copilot_guard::detect::views::{Cover, Gate, MOST_HELD, Views};
use copilot_guard::detect::{RuleSet, ScanOptions, link};
use libfuzzer_sys::fuzz_target;

static VIEWS: LazyLock<Views> = LazyLock::new(|| {
    let rules = RuleSet::builder().builtin().build().expect("the table is right");
    Views::new(&rules, &rules.all(), &ScanOptions::default())
});

fn hear<'t>(gate: &mut Gate, pieces: impl IntoIterator<Item = &'t [u8]>) -> (Vec<u8>, Vec<Cover>) {
    let (mut out, mut covers) = (Vec::new(), Vec::new());
    let mut take = |text: &[u8], more: &[Cover]| {
        for cover in more {
            assert!(cover.start >= out.len() as u64 && cover.end <= (out.len() + text.len()) as u64);
        }
        out.extend_from_slice(text);
        covers.extend_from_slice(more);
    };
    for piece in pieces {
        gate.push(piece, &mut take);
        assert!(gate.held() <= MOST_HELD + 4);
    }
    gate.finish(&mut take);
    (out, covers)
}

fuzz_target!(|data: &[u8]| {
    let Some((size, text)) = data.split_first() else {
        return;
    };
    let mut gate = VIEWS.gate();
    let whole = hear(&mut gate, [text]);
    assert_eq!(whole.0, text);
    assert_eq!(hear(&mut gate, text.chunks(usize::from(*size).max(1))), whole);
    assert_eq!(hear(&mut gate, text.chunks(1)), whole);
    if let Ok(text) = std::str::from_utf8(text) {
        CommandJudge::default().judge(Shell::PowerShell, text);
        link::find(text, 0);
    }
});
