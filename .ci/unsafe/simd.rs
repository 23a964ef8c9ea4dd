//! The one module with `unsafe`, and what it needs, alone. `.ci/run` tries it with a sanitizer, and with Miri if there is one.
#![allow(
    dead_code,
    unused_imports,
    reason = "the rest of the crate, which uses all of this, is not here"
)]

#[path = "../../copilot-guard/src/detect/bytes.rs"]
mod bytes;
#[path = "../../copilot-guard/src/detect/stream/simd.rs"]
mod simd;

mod detect {
    pub(crate) use super::bytes;
}

/// Without it the tests would compare the plain form with itself.
#[cfg(all(test, target_arch = "x86_64"))]
#[test]
fn this_is_the_fast_form() {
    assert!(simd::is_fast());
}
