//! Everything unsafe: an allocator that counts, and the calls of the Hyperscan library.

pub(crate) mod heap;
#[cfg(libhs)]
pub(crate) mod hyperscan;
