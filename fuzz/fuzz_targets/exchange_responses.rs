//! Streams of the Responses API through an exchange: see `common`.
#![no_main]

mod common;

use copilot_guard::dialect::Dialect;
use libfuzzer_sys::fuzz_target;

fuzz_target!(init: common::init(), |data: &[u8]| {
    common::check(Dialect::Responses, "own", data);
});
