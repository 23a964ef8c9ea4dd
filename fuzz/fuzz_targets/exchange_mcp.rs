//! Streams of MCP servers through an exchange: see `common`.
#![no_main]

mod common;

use copilot_guard::dialect::Dialect;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    // Once with the id of the request that is answered, once without.
    common::check(Dialect::Mcp, "1", data);
    common::check(Dialect::Mcp, "own", data);
});
