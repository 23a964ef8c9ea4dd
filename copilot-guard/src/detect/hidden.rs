//! Characters that nobody sees and a model reads.

use std::ops::Range;

/// Where hidden characters stand that no script and no emoji needs: in order, apart from each other.
pub fn find(text: &str) -> Vec<Range<usize>> {
    let places = text.match_indices('\u{200b}');
    places.map(|(start, found)| start..start + found.len()).collect()
}
