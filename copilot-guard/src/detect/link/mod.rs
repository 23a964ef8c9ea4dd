//! Links and images in text: where they stand, and whether their hosts are ours.
//!
//! 1. Found are the addresses of Markdown (inline, by reference, between angle brackets), of HTML (attributes, `srcset`,
//!    `url()` of a style), and those that stand in the text as they are.
//! 2. An address is read as a browser reads it: entities decoded, backslashes as slashes, blanks within removed. What other
//!    programs read differently is nobody's.
//! 3. What a client loads by itself (images) carries its address away before anybody has looked: hosts that pass it on,
//!    long queries, and many images that spell something are findings even where the host is ours.
//! 4. What leads on is judged too: an address of another host in the query of an allowed one, and a mail to somebody else
//!    whose text is written already.
//! 5. Relative addresses, `mailto:` and images that stand in their address are ours.

mod address;
mod find;
mod find_html;
mod scheme;
#[cfg(test)]
mod tests;
mod watch;

use std::ops::Range;
use std::sync::Arc;

use super::network::Network;
pub use watch::LinkWatch;

/// How an address stands in the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Form {
    /// `![…](address)`.
    Image,
    /// `[…](address)`.
    Link,
    /// `[id]: address`, which a link or an image may use.
    Reference,
    /// An attribute of a tag, or `url(address)` of a style.
    Html,
    /// `<address>`.
    Auto,
    /// As it is.
    Bare,
}

/// An address in a text.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Found {
    /// The address as it stands in the text.
    pub range: Range<usize>,
    /// How it stands there.
    pub form: Form,
    /// Whether a client fetches it by itself.
    pub loads: bool,
}

/// What a search found.
#[derive(Debug)]
pub(crate) struct Search {
    /// The addresses, in order and apart.
    pub(crate) found: Vec<Found>,
    /// The place of an address that the text ends within.
    pub(crate) unclosed: Option<Unclosed>,
}

/// An address between signs of which the second has not come: blanks and line ends do not end it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Unclosed {
    /// Where it begins.
    pub(crate) start: usize,
    /// What ends it.
    pub(crate) close: char,
}

/// All addresses that end behind `from`, in order; what stands before `from` is context (`![alt](`, `[id]: `,
/// `<img src="`). Linear in the text behind `from`, and in at most 8 KiB before it.
pub fn find(text: &str, from: usize) -> Vec<Found> {
    find::all(text, from, false).found
}

/// The same for a text that is still arriving. `is_cut`: more stood before it, so that what is open is not in sight.
pub(crate) fn search(text: &str, from: usize, is_cut: bool) -> Search {
    find::all(text, from, is_cut)
}

/// Whether an address may begin with these letters, in lower case.
pub(crate) fn may_begin(letters: &str) -> bool {
    scheme::may_begin(letters)
}

/// Where addresses stand in a whole text that are not ours.
pub fn foreign(network: &Arc<Network>, text: &str) -> Vec<Range<usize>> {
    let mut watch = LinkWatch::new(Arc::clone(network));
    let mut found = find(text, 0);
    found.retain(|link| watch.judge(text, link).is_some());
    found.into_iter().map(|link| link.range).collect()
}
