//! Runs the tables in `tests/policy/`: who gets which verdict, and which files are refused why.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test ends where it fails")]

use std::collections::BTreeSet;
use std::path::Path;

use copilot_guard::clock::Timestamp;
use copilot_guard::decision::{Action, Decision, Stage};
use copilot_guard::policy::{CallerPolicy, MaskSpan, OutputAction, Policy, PolicyOptions, Query};
use copilot_guard::secret::Secret;
use serde::Deserialize;

const NOW: &str = "2026-11-22T12:00:00Z";
const SCRUBBED: &str = "upstream-credential-0123456789";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Decisions {
    suite: Vec<Suite>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Suite {
    name: String,
    policy: String,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    #[serde(default)]
    groups: BTreeSet<String>,
    #[serde(default = "model")]
    model: String,
    now: Option<Timestamp>,
    #[serde(default = "prompt")]
    stage: Stage,
    #[serde(default)]
    text: String,
    #[serde(default)]
    size: usize,
    #[serde(default)]
    tool: String,
    #[serde(default)]
    strings: Vec<String>,
    action: Action,
    hits: BTreeSet<String>,
    #[serde(default)]
    observed: BTreeSet<String>,
    reason: Option<String>,
    message: Option<String>,
    masked: Option<String>,
}

fn model() -> String {
    "gpt-5".to_owned()
}

fn prompt() -> Stage {
    Stage::Prompt
}

fn options() -> PolicyOptions {
    PolicyOptions::new(NOW.parse().unwrap())
        .with_reviewer_groups(["reviewers"])
        .with_exact("upstream", Secret::new(SCRUBBED))
}

fn data(name: &str) -> String {
    std::fs::read_to_string(
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/policy")
            .join(name),
    )
    .unwrap()
}

fn parse(text: &str) -> Policy {
    Policy::parse(text, "policy.toml", &options()).unwrap_or_else(|e| panic!("{e}"))
}

fn mask(text: &str, masks: &[MaskSpan]) -> String {
    let (mut out, mut at) = (String::new(), 0);
    for m in masks {
        out.push_str(&text[at..m.start]);
        out.push_str(&format!("[REDACTED:{}]", m.kind));
        at = m.end;
    }
    out + &text[at..]
}

fn output(policy: &Policy, caller: &CallerPolicy, text: &str) -> Decision {
    let rules = caller.output();
    let mut decision = Decision::default();
    let scans = [Some(rules.mask()), rules.block(), rules.observe()];
    for span in scans
        .into_iter()
        .flatten()
        .flat_map(|m| policy.rule_set().scan(m, text.as_bytes()))
    {
        for hit in rules.hits(span.rule, "choices[0].content") {
            if !decision.hits.contains(&hit) {
                decision.add(hit, "");
            }
        }
        let action = match rules.action(span.rule) {
            OutputAction::Observe => Action::Allow,
            OutputAction::Mask => Action::Mask,
            OutputAction::Block => Action::Block,
        };
        assert_eq!(
            rules.hit(span.rule, "").action.max(Action::Mask),
            action.max(Action::Mask)
        );
        if action == decision.action {
            decision.message = rules.message(span.rule).to_owned();
        }
    }
    decision
}

fn run(file: &str) {
    let Decisions { suite } = toml::from_str(&data(file)).unwrap();
    for Suite { name, policy, cases } in suite {
        let policy = parse(&policy);
        for case in cases {
            let at = format!("{name} / {}", case.name);
            let now = case.now.unwrap_or_else(|| NOW.parse().unwrap());
            let caller = policy.for_caller(&Query::new(&case.groups, &case.model, now));
            let (decision, masks) = match case.stage {
                Stage::Request => (caller.request(case.size), Vec::new()),
                Stage::Output => {
                    // As an engine asks while it streams, and as a whole.
                    let streamed = output(&policy, &caller, &case.text);
                    let whole = caller.part(Stage::Output, "choices[0].content", &case.text);
                    assert_eq!(streamed.action, whole.decision.action, "{at}: streamed and whole");
                    assert_eq!(streamed.hits, whole.decision.hits, "{at}: streamed and whole");
                    (whole.decision, whole.masks)
                }
                Stage::ToolCall => {
                    let v = caller.tool_call("choices[0]", &case.tool, &case.text, &case.strings);
                    (v.decision, v.masks)
                }
                stage => {
                    let v = caller.part(stage, "messages[0].content", &case.text);
                    (v.decision, v.masks)
                }
            };
            let ids = |observed| -> BTreeSet<String> {
                decision
                    .hits
                    .iter()
                    .filter(|h| h.observed_only == observed)
                    .map(|h| h.id.clone())
                    .collect()
            };
            assert_eq!(ids(false), case.hits, "{at}: hits");
            assert_eq!(ids(true), case.observed, "{at}: observed");
            assert_eq!(decision.action, case.action, "{at}: action");
            if let Some(masked) = &case.masked {
                assert_eq!(mask(&case.text, &masks), *masked, "{at}: masks");
            }
            if let Some(message) = &case.message {
                assert_eq!(decision.message, *message, "{at}: message");
            }
            if let Some(reason) = &case.reason {
                assert!(
                    decision.hits.iter().any(|h| h.reason == *reason),
                    "{at}: {:?}",
                    decision.hits
                );
            }
            assert!(
                decision
                    .hits
                    .iter()
                    .all(|h| h.stage == case.stage && !h.place.is_empty()),
                "{at}: place"
            );
        }
    }
}

#[test]
fn who() {
    run("who.toml");
}

#[test]
fn text() {
    run("text.toml");
}

#[test]
fn answers() {
    run("output.toml");
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LoadErrors {
    case: Vec<LoadError>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LoadError {
    name: String,
    policy: String,
    #[serde(default)]
    without_reviewers: bool,
    /// Line, key, a word of what is wrong, a word of the mend.
    problems: Vec<(usize, String, String, String)>,
}

#[test]
fn refused_files() {
    let LoadErrors { case } = toml::from_str(&data("refused.toml")).unwrap();
    let mut failures = Vec::new();
    for LoadError {
        name,
        policy,
        without_reviewers,
        problems,
    } in case
    {
        let options = if without_reviewers {
            PolicyOptions::new(NOW.parse().unwrap())
        } else {
            options()
        };
        let found = match Policy::parse(&policy, "policy.toml", &options) {
            Ok(_) => Vec::new(),
            Err(e) => e.problems,
        };
        let fits = found.len() == problems.len()
            && found.iter().zip(&problems).all(|(f, (line, key, what, mend))| {
                f.line == *line
                    && f.key == *key
                    && f.what.contains(what.as_str())
                    && f.mend.contains(mend.as_str())
            });
        if !fits {
            let found: Vec<_> = found.iter().map(ToString::to_string).collect();
            failures.push(format!("{name}: expected {problems:#?}, found {found:#?}"));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn says_where_why_and_what_to_do() {
    let error = Policy::parse("version = 1\ndefualt = \"deny\"\n", "p.toml", &options()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "p.toml:2: defualt: unknown key `defualt`: the file knows no such key: did you mean `default`?"
    );
}
