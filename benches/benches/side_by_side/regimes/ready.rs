//! How long a fresh process takes until it can redact, and what that keeps on the heap.

use std::env;
use std::error::Error;
use std::process::Command;

use copilot_guard::detect::RuleSet;
use serde_json::{Value, json};

use super::super::clock;
use super::super::raw::heap;
use super::super::report::Report;
use super::{Bench, median};

pub(crate) fn run(bench: &Bench<'_>, report: &mut Report) -> Result<(), Box<dyn Error>> {
    report.title("Ours, a fresh process until it is ready");
    let mut runs: Vec<Value> = Vec::new();
    for _ in 0..bench.rounds {
        let output = Command::new(env::current_exe()?)
            .arg("--measure-ready")
            .output()?;
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).into());
        }
        runs.push(serde_json::from_slice(&output.stdout)?);
    }
    let all = |key: &str| -> Vec<f64> { runs.iter().filter_map(|run| run[key].as_f64()).collect() };
    let ms = |key: &str| {
        let times = all(key);
        let best = times.iter().copied().fold(f64::INFINITY, f64::min);
        format!("{:.0} ({:.0})", median(times.into_iter()) / 1e6, best / 1e6)
    };
    let mb = |key: &str| format!("{:.2}", median(all(key).into_iter()) / 1e6);
    let rules = median(all("rules").into_iter());
    report.table(
        &[
            "rules",
            "CPU ms, median (best)",
            "wall ms",
            "kept on the heap, MB",
            "most while building, MB",
        ],
        &[vec![
            rules.to_string(),
            ms("cpu_ns"),
            ms("wall_ns"),
            mb("kept"),
            mb("most"),
        ]],
    );
    report.add(json!({ "regime": "ready", "runs": runs }));
    Ok(())
}

/// Measures in this process, which has done nothing before.
pub(crate) fn child() -> Result<(), Box<dyn Error>> {
    let before = heap::live();
    let (cpu, wall) = (clock::cpu(), clock::wall());
    let rules = RuleSet::builder().builtin().build()?;
    let (cpu, wall) = (clock::cpu() - cpu, clock::wall() - wall);
    let (kept, most) = (heap::live() - before, heap::most() - before);
    let run = json!({
        "cpu_ns": cpu, "wall_ns": wall, "kept": kept, "most": most, "rules": rules.rules().len(),
    });
    println!("{run}");
    Ok(())
}
