//! See the README beside this file.
fn main() {}
