//! `tests/evasions/evasions.py` makes the corpus: no whole secret stands in a file.

use std::collections::BTreeMap;
use std::process::Command;

use copilot_guard::detect::ScanOptions;
use copilot_guard::detect::views::Views;
use serde::Deserialize;

use super::{rules, shown};

#[derive(Deserialize)]
struct Case {
    id: String,
    kind: String,
    text: String,
    secrets: Vec<String>,
    verdict: String,
}

/// Kinds that notes call detectable only in part, or that stand openly (`raw-`): counted apart.
const APART: &[&str] = &["uuencode", "append-calls", "tag-spelled", "combining-enclosing"];

fn cases() -> Vec<Case> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/evasions/evasions.py");
    let output = Command::new("python3").arg(script).output();
    let output = output.unwrap_or_else(|e| panic!("python3 makes the corpus and cannot be started: {e}"));
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let lines = String::from_utf8(output.stdout).unwrap();
    lines.lines().map(|l| serde_json::from_str(l).unwrap()).collect()
}

#[test]
fn what_is_disguised_is_masked_and_what_only_looks_so_is_not() {
    let rules = rules();
    let views = Views::new(&rules, &rules.all(), &ScanOptions::default());
    let mut missed: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let (mut masked, mut same) = (0, 0);
    for case in cases() {
        let out = shown(&rules, &case.text, usize::MAX);
        if case.verdict == "same" {
            same += 1;
            if out != case.text {
                missed
                    .entry(format!("changed: {}", case.kind))
                    .or_default()
                    .push(format!("{} {out:?}", case.id));
            }
            continue;
        }
        masked += 1;
        // Nothing that a view shows is left, and none of the secrets stands openly.
        let still = views.find(out.as_bytes()).len() + rules.scan(&rules.all(), out.as_bytes()).len();
        let open = case.secrets.iter().any(|s| out.contains(s.as_str()));
        if !out.contains("[REDACTED:") || still > 0 || open {
            missed
                .entry(format!("left: {}", case.kind))
                .or_default()
                .push(format!("{} {out:?}", case.id));
        }
        if std::env::var_os("SHOW").is_some() {
            println!("{} {:?}\n    {:?}", case.id, case.text, out);
        }
    }
    let mut bad = 0;
    for (kind, cases) in &missed {
        let apart = APART.iter().any(|k| kind.ends_with(k));
        bad += if apart { 0 } else { cases.len() };
        for case in cases {
            println!("{}{kind}: {case}", if apart { "(apart) " } else { "" });
        }
    }
    println!("{masked} evasions, {same} look-alikes, {bad} wrong");
    assert!(masked >= 150 && same >= 100);
    assert_eq!(bad, 0);
}
