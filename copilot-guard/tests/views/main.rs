//! Disguised secrets: a corpus of evasions and look-alikes, and what must hold for every text.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test ends where it fails")]

mod corpus;
mod properties;

use copilot_guard::detect::views::Screen;
use copilot_guard::detect::{RuleSet, ScanOptions};

/// The text as a client would see it, cut into pieces of this size.
fn shown(rules: &RuleSet, text: &str, piece: usize) -> String {
    let mut screen = Screen::new(rules, &rules.all(), &ScanOptions::default());
    let mut out = Vec::new();
    for piece in text.as_bytes().chunks(piece.max(1)) {
        screen.push(piece, &mut rules.marked(&mut out));
    }
    screen.finish(&mut rules.marked(&mut out));
    String::from_utf8(out).unwrap()
}

fn rules() -> RuleSet {
    RuleSet::builder().builtin().build().unwrap()
}
