//! What one answer takes, counted while it goes by.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::model::Counts;
use crate::audit::TokenCount;

/// Bytes of text for one token, where nobody says how many there were.
const BYTES_PER_TOKEN: u64 = 4;

/// Counts what one exchange takes. Clones count together.
#[derive(Debug, Clone, Default)]
pub struct Tally(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    request: u64,
    has_begun: AtomicBool,
    is_whole: AtomicBool,
    /// As upstream says; the highest of what it said.
    input: AtomicU64,
    output: AtomicU64,
    /// Bytes of the answer's texts.
    text: AtomicU64,
    masks: AtomicU64,
}

impl Tally {
    /// For a request of so many bytes.
    pub fn new(request_bytes: usize) -> Self {
        Self(Arc::new(Inner {
            request: u64::try_from(request_bytes).unwrap_or(u64::MAX),
            ..Inner::default()
        }))
    }

    /// Upstream has begun to answer: from now on the request has cost something.
    pub fn begin(&self) {
        self.0.has_begun.store(true, Ordering::Relaxed);
    }

    /// The answer is complete: what upstream says of its tokens is the last word.
    pub fn complete(&self) {
        self.0.is_whole.store(true, Ordering::Relaxed);
    }

    /// Upstream says how many tokens there were so far, up and down.
    pub fn add_usage(&self, input: u64, output: u64) {
        self.0.input.fetch_max(input, Ordering::Relaxed);
        self.0.output.fetch_max(output, Ordering::Relaxed);
    }

    /// So many bytes of text came down.
    pub fn add_text(&self, bytes: usize) {
        self.0.text.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// So many masks were made.
    pub fn add_masks(&self, count: u64) {
        self.0.masks.fetch_add(count, Ordering::Relaxed);
    }

    /// An estimate of the request's tokens, before upstream has said anything.
    pub fn estimate(&self) -> u64 {
        self.0.request.div_ceil(BYTES_PER_TOKEN)
    }

    /// The tokens: as upstream says, or estimated from the bytes of request and answer. Nothing when upstream has not
    /// begun to answer.
    pub fn tokens(&self) -> Option<TokenCount> {
        if !self.0.has_begun.load(Ordering::Relaxed) {
            return None;
        }
        let input = self.0.input.load(Ordering::Relaxed);
        let output = self.0.output.load(Ordering::Relaxed);
        let by_text = self.0.text.load(Ordering::Relaxed).div_ceil(BYTES_PER_TOKEN);
        let is_known = input > 0 || output > 0;
        let is_whole = self.0.is_whole.load(Ordering::Relaxed);
        Some(match (is_known, is_whole) {
            (true, true) => TokenCount {
                input,
                output,
                estimated: false,
            },
            // It broke off: upstream's last word on what it said never came.
            (true, false) => TokenCount {
                input: if input > 0 { input } else { self.estimate() },
                output: output.max(by_text),
                estimated: true,
            },
            (false, _) => TokenCount {
                input: self.estimate(),
                output: by_text,
                estimated: true,
            },
        })
    }

    /// What the answer took, without the request itself.
    pub fn counts(&self) -> Counts {
        let tokens = self.tokens().unwrap_or_default();
        Counts {
            requests: 0,
            tokens: tokens.input.saturating_add(tokens.output),
            masks: self.0.masks.load(Ordering::Relaxed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_upstream_says_or_an_estimate() {
        let tally = Tally::new(10);
        assert_eq!(
            (tally.tokens(), tally.counts().tokens, tally.estimate()),
            (None, 0, 3)
        );
        tally.begin();
        tally.add_text(9);
        let of = |tally: &Tally| tally.tokens().map(|t| (t.input, t.output, t.estimated));
        assert_eq!(of(&tally), Some((3, 3, true)));
        tally.add_usage(7, 1);
        assert_eq!(of(&tally), Some((7, 3, true)));
        tally.complete();
        assert_eq!(of(&tally), Some((7, 1, false)));
        tally.add_usage(7, 20);
        tally.clone().add_masks(2);
        assert_eq!((tally.counts().tokens, tally.counts().masks), (27, 2));
    }
}
