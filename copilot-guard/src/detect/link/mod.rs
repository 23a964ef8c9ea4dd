//! Links and images in text: where they stand, and whether their hosts are ours.

use std::ops::Range;

use super::network::Network;

/// Where links and images stand whose hosts are not ours.
pub fn foreign(network: &Network, text: &str) -> Vec<Range<usize>> {
    let _ = (network, text);
    Vec::new()
}
