//! Streams of MCP servers through an exchange: see `common`.
#![no_main]

mod common;

use copilot_guard::dialect::Dialect;
use libfuzzer_sys::fuzz_target;

fuzz_target!(init: common::init(), |data: &[u8]| {
    // With the id of the request that is answered, or without.
    let is_known = data.first().is_some_and(|first| *first >= 128);
    common::check(Dialect::Mcp, if is_known { "1" } else { "own" }, data);
});
