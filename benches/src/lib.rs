//! Benchmarks of the hot path; see `benches/`. Run them with `cargo bench -p copilot-guard-benches`.
//!
//! Machines are shared and noisy: compare rows of one run, never runs.
