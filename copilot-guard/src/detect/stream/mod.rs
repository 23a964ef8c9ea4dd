//! The engine: bytes in, released text and marks out.
//!
//! 1. [`nodes`]: all rules as one automaton over the first bytes of what they look for, from one starting place.
//! 2. [`seek`]: the places where a rule may have begun. A few bytes go through [`trigger`], one look-up each, which runs
//!    the first four levels of the nodes from every place at once; long texts through [`filter`], which looks at 32 places
//!    at once and may say yes too often. What it says is confirmed by the nodes, and most of it dies there.
//! 3. [`live`]: what survived, followed byte by byte by the [`table`] of its own rule until it dies or matches.
//! 4. [`release`]: how much of the text is decided, and the marks.
//!
//! Steps 2 and 3 do not depend on each other: a place is found from the text alone. So the cut of the text decides which
//! of the two ways finds it, but not what is found.
//!
//! # Cost
//!
//! Each byte is looked at once by step 2; where something may have begun, up to 24 bytes are looked at ahead. Step 3 looks
//! once for each candidate alive. When there are many, those of one rule in one state become one, and those of one class
//! of bytes share a list ([`runs`]). The lint bounds how long a rule may wait until it is certain; what may follow a
//! match, but has not become more of it within 4096 bytes, is masked. So what is held is bounded too.

mod buckets;
pub(super) mod filter;
pub(super) mod live;
pub(super) mod nodes;
mod reading;
mod redactor;
mod release;
mod runs;
mod seek;
mod simd;
pub(super) mod table;
pub(super) mod trigger;

pub use redactor::Redactor;
