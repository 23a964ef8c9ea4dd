//! Streams of completions and of ghost text through an exchange: see `common`.
#![no_main]

mod common;

use copilot_guard::dialect::Dialect;
use libfuzzer_sys::fuzz_target;

fuzz_target!(init: common::init(), |data: &[u8]| {
    let is_quiet = data.first().is_some_and(|first| *first >= 128);
    let dialect = if is_quiet { Dialect::GhostText } else { Dialect::Completions };
    common::check(dialect, "own", data);
});
