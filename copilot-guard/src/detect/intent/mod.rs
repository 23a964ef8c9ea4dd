//! High-risk requests: what people and injected texts ask for.

use std::ops::Range;

/// The ids of all intents.
pub fn ids() -> impl Iterator<Item = &'static str> {
    std::iter::empty()
}

/// The intents in a text, and where.
pub fn find(text: &str) -> Vec<(&'static str, Range<usize>)> {
    let _ = text;
    Vec::new()
}
