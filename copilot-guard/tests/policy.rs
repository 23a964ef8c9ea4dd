//! Runs the tables in `tests/policy/`: who gets which verdict, and which files are refused why.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test ends where it fails")]

use std::collections::BTreeSet;
use std::path::Path;

use copilot_guard::clock::Timestamp;
use copilot_guard::decision::{Action, Decision, Stage};
use copilot_guard::detect::RuleSet;
use copilot_guard::identity::CallerKind;
use copilot_guard::policy::reader::Elsewhere;
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
    #[serde(default)]
    caller: CallerKind,
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
    #[serde(default)]
    route: String,
    #[serde(default)]
    parameters: BTreeSet<String>,
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
        .with_elsewhere(|place| {
            let text = match place {
                Elsewhere::File(path) if path == "values.txt" => {
                    "# the vault\nalpha-beta-gamma\n\n  delta-epsilon \r\n"
                }
                Elsewhere::File(path) if path == "short.txt" => "alpha-beta-gamma\nno-more\nhush\n",
                Elsewhere::File(path) if path == "empty.txt" => "# nothing\n\n",
                Elsewhere::Env(name) if name == "ONE" => "zeta-eta-theta",
                Elsewhere::Env(name) if name == "SHORT" => "psst",
                _ => return Err("it is not there".to_owned()),
            };
            Ok(Secret::new(text))
        })
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
    for span in scans.into_iter().flatten().flat_map(|m| {
        policy
            .rule_set()
            .scan_with(m, caller.scan_options(), text.as_bytes())
    }) {
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
        let hit = rules.hit(span.rule, "");
        assert!(hit.observed_only || hit.action.max(Action::Mask) == action.max(Action::Mask));
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
            let query = Query::new(&case.groups, &case.model, now)
                .of(case.caller)
                .with_route(&case.route)
                .with_parameters(&case.parameters);
            let caller = policy.for_caller(&query);
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
fn conditions() {
    run("conditions.toml");
}

#[test]
fn judged_by_others() {
    run("judged.toml");
}

#[test]
fn groups_of_groups() {
    run("groups.toml");
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
        for problem in &found {
            let text = problem.to_string();
            assert!(
                !["no-more", "hush", "psst", "alpha-beta"]
                    .iter()
                    .any(|v| text.contains(v)),
                "{text}"
            );
        }
        if !fits {
            let found: Vec<_> = found.iter().map(ToString::to_string).collect();
            failures.push(format!("{name}: expected {problems:#?}, found {found:#?}"));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Lints {
    case: Vec<Lint>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Lint {
    name: String,
    policy: String,
    /// The groups that people have, when they are known.
    groups: Option<BTreeSet<String>>,
    /// Line, key, a word of what is worth a look, a word of the mend.
    warnings: Vec<(usize, String, String, String)>,
}

#[test]
fn warnings() {
    let Lints { case } = toml::from_str(&data("warnings.toml")).unwrap();
    let mut failures = Vec::new();
    for Lint {
        name,
        policy,
        groups,
        warnings,
    } in case
    {
        let policy = parse(&policy);
        let mut found = policy.warnings().to_vec();
        if let Some(groups) = groups {
            found.extend(policy.check_groups(&groups));
        }
        found.sort_by_key(|f| f.line);
        let fits = found.len() == warnings.len()
            && found.iter().zip(&warnings).all(|(f, (line, key, what, mend))| {
                (f.line, f.key.as_str()) == (*line, key.as_str())
                    && f.file == "policy.toml"
                    && f.what.contains(what.as_str())
                    && f.mend.contains(mend.as_str())
            });
        if !fits {
            let found: Vec<_> = found.iter().map(ToString::to_string).collect();
            failures.push(format!("{name}: expected {warnings:#?}, found {found:#?}"));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn explains_what_is_let_through() {
    let policy = parse(
        "version = 1\n[[patterns]]\nid = \"badge\"\nregex = '\\bbadge-\\d{4}\\b'\n[[allow]]\nvalues = [\"badge-0000\"]\nreason = \"r\"\n",
    );
    let caller = policy.for_caller(&Query::new(&BTreeSet::new(), "m", NOW.parse().unwrap()));
    let explain = |text| caller.explain(9, &[(Stage::ToolResult, "messages[0].content", text)]);
    let last = explain("badge-0000 badge-1234").pop().unwrap();
    assert_eq!(
        (last.id.as_str(), last.why.as_str()),
        ("allow", "messages[0].content: secret kind badge may be shown")
    );
    assert!(explain("badge-1234").iter().all(|trace| trace.id != "allow"));
}

#[test]
fn marks_are_written_as_the_policy_says() {
    let policy = parse("version = 1\n[marks]\nformat = \"«gone: {kind}»\"\n");
    let text = format!("{}p_{}!", "gh", "Ab1c2D".repeat(6));
    let mut out = Vec::new();
    let (rules, mut sink) = (policy.rule_set(), policy.rule_set().marked(&mut out));
    let mut redactor = rules.redactor(&rules.all());
    redactor.push(text.as_bytes(), &mut sink);
    redactor.finish(&mut sink);
    assert_eq!(String::from_utf8(out).unwrap(), "«gone: github-pat»!");
    let again = "password = \"«gone: github-pat»\"";
    assert!(rules.scan(&rules.all(), again.as_bytes()).is_empty());
    let caller = policy.for_caller(&Query::new(&BTreeSet::new(), "m", NOW.parse().unwrap()));
    assert_eq!(caller.marks(), rules.marks());
}

/// A kind of a pack is known, and looked for only when the pack is on.
#[test]
fn packs_are_off_until_they_are_asked_for() {
    let text = |packs: &str, kind: &str| {
        format!(
            "version = 1\n{packs}\n[[rules]]\nid = \"r\"\non = \"prompt\"\nmatch = {{ secrets = [\"{kind}\"] }}\naction = \"block\"\n"
        )
    };
    for rule in RuleSet::built_in_rules().unwrap() {
        let Some(pack) = rule.pack else { continue };
        let on = format!("packs = [\"{}\"]", pack.name());
        let error = Policy::parse(&text("", &rule.id), "p.toml", &options()).unwrap_err();
        assert!(error.to_string().contains(&on), "{error}");
        let policy = parse(&text(&on, &rule.id));
        assert!(policy.rule_set().rules().iter().any(|known| known.id == rule.id));
    }
    let (with, without) = (
        parse("version = 1\npacks = [\"personal-data\"]\n"),
        parse("version = 1\n"),
    );
    let count = |policy: &Policy| {
        policy
            .rule_set()
            .rules()
            .iter()
            .filter(|r| r.pack.is_some())
            .count()
    };
    assert_eq!(count(&without), 0);
    let all = RuleSet::built_in_rules()
        .unwrap()
        .filter(|r| r.pack.is_some())
        .count();
    assert_eq!(count(&with), all);
}

/// As many values as a vault may hold.
#[test]
fn thousands_of_values_from_one_file() {
    let value = |n: u32| {
        format!(
            "{:08x}/{n:05}/{:08x}",
            n.wrapping_mul(0x9e37_79b9),
            n.wrapping_mul(0x85eb_ca6b)
        )
    };
    let file: String = (0..2000).map(|n| value(n) + "\n").collect();
    let options =
        PolicyOptions::new(NOW.parse().unwrap()).with_elsewhere(move |_| Ok(Secret::new(file.as_str())));
    let text = "version = 1\n[[values]]\nid = \"vault\"\nfile = \"v\"\n";
    let policy = Policy::parse(text, "p.toml", &options).unwrap_or_else(|e| panic!("{e}"));
    let caller = policy.for_caller(&Query::new(&BTreeSet::new(), "m", NOW.parse().unwrap()));
    for n in [0, 77, 1999] {
        let text = format!("x={};", value(n));
        let verdict = caller.part(Stage::ToolResult, "messages[0].content", &text);
        assert_eq!(mask(&text, &verdict.masks), "x=[REDACTED:vault];");
    }
    let without = PolicyOptions::new(NOW.parse().unwrap());
    let error = Policy::parse(text, "p.toml", &without).unwrap_err();
    assert!(error.to_string().contains("with_elsewhere"), "{error}");
}

#[test]
fn says_where_why_and_what_to_do() {
    let error = Policy::parse("version = 1\ndefualt = \"deny\"\n", "p.toml", &options()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "p.toml:2: defualt: unknown key `defualt`: the file knows no such key: did you mean `default`?"
    );
}
