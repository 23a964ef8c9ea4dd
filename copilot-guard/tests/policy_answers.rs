//! What policy says of commands, links and encoded secrets in answers, which other engines find.

#![expect(clippy::panic, reason = "a test ends where it fails")]

use std::collections::BTreeSet;

use copilot_guard::clock::Timestamp;
use copilot_guard::decision::Stage;
use copilot_guard::detect::{Class, Danger, Finding, Judgement};
use copilot_guard::policy::{CallerPolicy, OutputAction, OutputVerdict, Policy, PolicyOptions, Query};

const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

const POLICY: &str = r#"
version = 1
[[patterns]]
id = "badge"
regex = '\bbadge-[0-9]{4}\b'
[[patterns]]
id = "ticket"
regex = '\bticket-[0-9]{4}\b'
[[rules]]
id = "dangerous"
on = "output"
match = { commands = "block" }
action = "block"
message = "Not this command."
[[rules]]
id = "odd"
groups = ["strict"]
on = "output"
match = { commands = "approve", classes = ["exfiltration", "remote-code"] }
action = "mask"
[[rules]]
id = "watched"
on = "output"
match = { commands = "approve" }
action = "block"
observe = true
[[rules]]
id = "foreign"
groups = ["strict"]
on = "output"
match = { links = "foreign" }
action = "mask"
message = "Links stay in the house."
[[rules]]
id = "encoded"
on = "output"
match = { secrets = ["badge"], encoded = true }
action = "block"
message = "Not even in disguise."
[[rules]]
id = "plain"
on = "output"
match = { secrets = ["ticket"] }
action = "block"
[[rules]]
id = "a-word"
on = "output"
match = { words = ["falcon"] }
action = "block"
[[exceptions]]
groups = ["research"]
rules = ["dangerous", "encoded"]
reason = "they test it"
expires = "2099-01-01"
"#;

fn policy() -> Policy {
    Policy::parse(POLICY, "p.toml", &PolicyOptions::new(NOW)).unwrap_or_else(|e| panic!("{e}"))
}

fn caller(policy: &Policy, groups: &[&str]) -> CallerPolicy {
    let groups: BTreeSet<String> = groups.iter().map(|g| (*g).to_owned()).collect();
    policy.for_caller(&Query::new(&groups, "m", NOW))
}

fn judged(findings: &[(&'static str, Class, Danger)]) -> Judgement {
    let mut judgement = Judgement::default();
    for (rule, class, danger) in findings {
        judgement.add(Finding::new(rule, *class, *danger, "a reason"));
    }
    judgement
}

fn ids(verdict: &OutputVerdict, observed: bool) -> Vec<&str> {
    let hits = verdict.hits.iter().filter(|hit| hit.observed_only == observed);
    hits.map(|hit| hit.id.as_str()).collect()
}

#[test]
fn commands_by_danger_and_class() {
    let policy = policy();
    let download = judged(&[("remote-code/download-to-shell", Class::RemoteCode, Danger::Block)]);
    let unclear = judged(&[("unclear/parse", Class::Unclear, Danger::Approve)]);
    let push = judged(&[(
        "exfiltration/foreign-remote",
        Class::Exfiltration,
        Danger::Approve,
    )]);
    let verdict = |groups: &[&str], judgement: &Judgement| {
        let caller = caller(&policy, groups);
        caller
            .output()
            .commands()
            .unwrap()
            .verdict(judgement, "choices[0].content")
    };
    let blocked = verdict(&[], &download).unwrap();
    assert_eq!(
        (blocked.action, blocked.message.as_str()),
        (OutputAction::Block, "Not this command.")
    );
    assert_eq!(
        (ids(&blocked, false), ids(&blocked, true)),
        (vec!["dangerous"], vec!["watched"])
    );
    assert_eq!(blocked.hits[0].reason, "command remote-code/download-to-shell");
    let watched = verdict(&[], &unclear).unwrap();
    assert_eq!(
        (watched.action, ids(&watched, false)),
        (OutputAction::Observe, vec![])
    );
    let masked = verdict(&["strict"], &push).unwrap();
    assert_eq!(
        (masked.action, ids(&masked, false)),
        (OutputAction::Mask, vec!["odd"])
    );
    assert_eq!(
        verdict(&["strict"], &unclear).unwrap().action,
        OutputAction::Observe
    );
    assert_eq!(verdict(&[], &judged(&[])), None);
    // What is lifted is on record, with the reason.
    let lifted = verdict(&["research"], &download).unwrap();
    assert_eq!(lifted.action, OutputAction::Observe);
    assert_eq!(ids(&lifted, true), ["watched", "dangerous"]);
    assert_eq!(lifted.hits[1].reason, "lifted by an exception: they test it");
}

#[test]
fn the_strictest_says_what_must_be_held() {
    let policy = policy();
    let action = |groups: &[&str]| caller(&policy, groups).output().commands().unwrap().action();
    assert_eq!(action(&[]), OutputAction::Block);
    assert_eq!(action(&["research"]), OutputAction::Observe);
    let without = Policy::allow_all(&PolicyOptions::new(NOW)).unwrap();
    assert!(caller(&without, &[]).output().commands().is_none());
    assert!(caller(&without, &[]).output().links().is_none());
}

#[test]
fn links() {
    let policy = policy();
    assert!(caller(&policy, &[]).output().links().is_none());
    let caller = caller(&policy, &["strict"]);
    let links = caller.output().links().unwrap();
    let verdict = links.verdict("choices[0].content");
    assert_eq!(
        (links.action(), links.kind(), verdict.action),
        (OutputAction::Mask, "foreign", OutputAction::Mask)
    );
    assert_eq!(verdict.message, "Links stay in the house.");
    assert_eq!(verdict.hits[0].reason, "link to a foreign host");
    assert_eq!(verdict.hits[0].stage, Stage::Output);
}

#[test]
fn encoded_secrets() {
    let policy = policy();
    let verdict = |groups: &[&str], kind: &str| {
        let rules = policy.rule_set();
        let index = (0..rules.rules().len())
            .find(|n| rules.rules()[*n].id == kind)
            .unwrap();
        let found = rules.scan(&rules.all(), format!(" {kind}-1234 ").as_bytes());
        assert_eq!(found[0].rule.as_usize(), index);
        caller(&policy, groups)
            .output()
            .encoded(found[0].rule, "choices[0].content")
    };
    let badge = verdict(&[], "badge");
    assert_eq!(
        (badge.action, badge.message.as_str()),
        (OutputAction::Block, "Not even in disguise.")
    );
    assert_eq!(ids(&badge, false), ["badge", "encoded"]);
    assert_eq!(badge.hits[1].reason, "secret kind badge, encoded");
    // What blocks the secret itself blocks its disguise.
    assert_eq!(verdict(&[], "ticket").action, OutputAction::Block);
    // Without the rule it is masked, as for everybody.
    let lifted = verdict(&["research"], "badge");
    assert_eq!(
        (lifted.action, ids(&lifted, false), ids(&lifted, true)),
        (OutputAction::Mask, vec!["badge"], vec!["encoded"])
    );
}

/// A rule about the encoded form alone leaves the plain one as it is.
#[test]
fn plain_secrets_are_not_meant_by_encoded() {
    let verdict = caller(&policy(), &[]).part(Stage::Output, "choices[0].content", "a badge-1234 ");
    assert_eq!(verdict.decision.action, copilot_guard::decision::Action::Mask);
    assert!(verdict.decision.hits.iter().all(|hit| hit.id == "badge"));
}
