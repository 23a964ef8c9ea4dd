//! See the README beside this file.

#[expect(dead_code, reason = "read by `serve` and `check`, which come next")]
mod config;

fn main() {}
