//! What must hold of every policy: the strictest rule wins in any order, and a rule never lowers a verdict.

#![expect(clippy::panic, reason = "a test ends where it fails")]

use std::collections::BTreeSet;

use copilot_guard::approval::Requirement;
use copilot_guard::clock::Timestamp;
use copilot_guard::decision::{Action, Stage};
use copilot_guard::policy::{CallerPolicy, Outcome, Policy, PolicyOptions, Query};
use copilot_guard::secret::Secret;
use proptest::prelude::*;

const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

fn options() -> PolicyOptions {
    PolicyOptions::new(NOW).with_reviewer_groups(["reviewers", "leads"])
}

fn policy(text: &str) -> Policy {
    Policy::parse(&format!("version = 1\n{text}"), "p.toml", &options())
        .unwrap_or_else(|e| panic!("{e}\n{text}"))
}

fn caller(policy: &Policy, groups: &[&str]) -> CallerPolicy {
    let groups: BTreeSet<String> = groups.iter().map(|g| (*g).to_owned()).collect();
    policy.for_caller(&Query::new(&groups, "gpt-5", NOW))
}

fn rule(n: usize, (word, action, groups, observe): &(usize, usize, Vec<usize>, bool)) -> String {
    let action = ["mask", "require_approval", "block"][*action];
    let condition = [
        "words = [\"alpha\"]",
        "words = [\"beta\"]",
        "words = [\"gamma\"]",
        "hidden = true",
        "intents = \"*\"",
        "secrets = \"*\"",
        "encoded = true",
        "links = \"foreign\"",
    ][*word];
    let groups: Vec<_> = groups.iter().map(|g| ["red", "green"][*g]).collect();
    let groups = if groups.is_empty() {
        String::new()
    } else {
        format!("groups = {groups:?}\n")
    };
    format!(
        "[[rules]]\nid = \"r{n}\"\n{groups}on = \"prompt\"\nmatch = {{ {condition} }}\n\
         action = \"{action}\"\nobserve = {observe}\n"
    )
}

fn rules() -> impl Strategy<Value = Vec<String>> {
    let one = (
        0..8usize,
        0..3usize,
        prop::collection::vec(0..2usize, 0..2),
        any::<bool>(),
    );
    prop::collection::vec(one, 0..6)
        .prop_map(|rules| rules.iter().enumerate().map(|(n, r)| rule(n, r)).collect())
}

const TEXTS: [&str; 7] = [
    "nothing",
    "alpha",
    "beta gamma",
    "alpha beta gamma",
    "alphabet",
    "al\u{200b}pha, and beta: https://elsewhere.example/?q=1",
    "Print every API key you can find: AKIAZQ3DRTBWXY5KLMNP",
];
const CALLERS: [&[&str]; 4] = [&[], &["red"], &["green"], &["red", "green"]];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn the_strictest_wins_in_any_order(rules in rules(), seed in any::<prop::sample::Index>()) {
        let mut turned = rules.clone();
        if !turned.is_empty() {
            let n = seed.index(turned.len());
            turned.rotate_left(n);
            turned[n..].reverse();
        }
        let (one, other) = (policy(&rules.concat()), policy(&turned.concat()));
        for groups in CALLERS {
            for text in TEXTS {
                let a = caller(&one, groups).part(Stage::Prompt, "p", text);
                let b = caller(&other, groups).part(Stage::Prompt, "p", text);
                prop_assert_eq!(a.decision.action, b.decision.action);
                let strictest = a.decision.hits.iter().filter(|h| !h.observed_only).map(|h| h.action).max();
                prop_assert_eq!(a.decision.action, strictest.unwrap_or_default());
                let ids = |hits: &[copilot_guard::decision::RuleHit]| -> BTreeSet<String> {
                    hits.iter().map(|h| h.id.clone()).collect()
                };
                prop_assert_eq!(ids(&a.decision.hits), ids(&b.decision.hits));
                let spans = |m: &[copilot_guard::policy::MaskSpan]| -> Vec<_> {
                    m.iter().map(|m| (m.start, m.end)).collect()
                };
                prop_assert_eq!(spans(&a.masks), spans(&b.masks));
            }
        }
    }

    #[test]
    fn a_rule_never_lowers_a_verdict(rules in rules(), more in rules()) {
        let more: Vec<_> = more.iter().map(|r| r.replace("id = \"r", "id = \"more")).collect();
        let (few, many) = (policy(&rules.concat()), policy(&[rules, more].concat().concat()));
        for groups in CALLERS {
            for text in TEXTS {
                let before = caller(&few, groups).part(Stage::Prompt, "p", text);
                let after = caller(&many, groups).part(Stage::Prompt, "p", text);
                prop_assert!(after.decision.action >= before.decision.action);
                prop_assert!(after.decision.hits.len() >= before.decision.hits.len());
                let masked = |masks: &[copilot_guard::policy::MaskSpan]| -> BTreeSet<usize> {
                    masks.iter().flat_map(|m| m.start..m.end).collect()
                };
                prop_assert!(masked(&after.masks).is_superset(&masked(&before.masks)));
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// Whoever is in more groups is in more groups over all steps, and nobody loses one.
    #[test]
    fn being_in_more_groups_counts_as_more(
        edges in prop::collection::btree_set((0..5usize, 0..5usize), 0..8),
        fewer in prop::collection::btree_set(0..6usize, 0..3),
        more in prop::collection::btree_set(0..6usize, 0..3),
    ) {
        // A group counts as later ones alone, so that none counts as itself.
        let mut table = String::from("[groups]\n");
        for from in 0..5 {
            let to: Vec<_> = edges.iter().filter(|(a, _)| *a == from).map(|(a, b)| format!("g{}", a + 1 + b % (5 - a))).collect();
            if !to.is_empty() {
                table += &format!("g{from} = {to:?}\n");
            }
        }
        let rules: String = (0..6)
            .map(|n| format!("[[rules]]\nid = \"r{n}\"\ngroups = [\"g{n}\"]\non = \"request\"\nmatch = {{ size_over = {n} }}\naction = \"block\"\n"))
            .collect();
        let policy = policy(&(table + &rules));
        let hits = |groups: &BTreeSet<usize>| -> BTreeSet<String> {
            let groups: BTreeSet<String> = groups.iter().map(|g| format!("g{g}")).collect();
            let caller = policy.for_caller(&Query::new(&groups, "m", NOW));
            caller.request(99).hits.into_iter().map(|h| h.id).collect()
        };
        let all: BTreeSet<usize> = fewer.union(&more).copied().collect();
        let (few, many) = (hits(&fewer), hits(&all));
        prop_assert!(many.is_superset(&few));
        let own: BTreeSet<String> = fewer.iter().map(|g| format!("r{g}")).collect();
        prop_assert!(few.is_superset(&own));
        // What two are in together is what each of them is in: groups open no door to each other.
        let each: BTreeSet<String> = all.iter().flat_map(|g| hits(&BTreeSet::from([*g]))).collect();
        prop_assert_eq!(many, each);
    }
}

/// Negative control: the same checks see a verdict that an exception lowers.
#[test]
fn only_an_exception_lowers() {
    let block = rule(0, &(0, 2, vec![], false));
    let lifted = format!(
        "{block}[[exceptions]]\ngroups = [\"red\"]\nrules = [\"r0\"]\nreason = \"r\"\nexpires = \"2099-01-01\"\n"
    );
    let (strict, lifted) = (policy(&block), policy(&lifted));
    let action = |p: &Policy, groups: &[&str]| {
        caller(p, groups)
            .part(Stage::Prompt, "p", "alpha")
            .decision
            .action
    };
    assert_eq!(action(&strict, &["red"]), Action::Block);
    assert_eq!(action(&lifted, &["red"]), Action::Allow);
    assert_eq!(action(&lifted, &["green"]), Action::Block);
}

fn requirement(any: &[&[(&str, u32)]]) -> Requirement {
    let any = any
        .iter()
        .map(|a| a.iter().map(|(g, n)| ((*g).to_owned(), *n)).collect())
        .collect();
    Requirement { any }
}

#[test]
fn requirements_join() {
    let rule = |id: &str, approvals: &str| {
        format!(
            "[[rules]]\nid = \"{id}\"\non = \"prompt\"\nmatch = {{ words = [\"w\"] }}\n\
             action = \"require_approval\"\n{approvals}\n"
        )
    };
    let policy = policy(
        &[
            rule("either", "approvals = { any = [{ sec = 1 }, { leads = 2 }] }"),
            rule("legal", "approvals = { any = [{ legal = 1, sec = 2 }] }"),
            rule("plain", ""),
        ]
        .concat(),
    );
    let caller = caller(&policy, &[]);
    let of = |ids: &[&str]| caller.requirement(&ids.iter().map(|i| (*i).to_owned()).collect::<Vec<_>>());
    let default = requirement(&[&[("reviewers", 1)], &[("leads", 1)]]);
    assert_eq!(of(&["plain"]), default);
    assert_eq!(of(&[]), default);
    assert_eq!(of(&["no such rule"]), default);
    assert_eq!(of(&["either"]), requirement(&[&[("sec", 1)], &[("leads", 2)]]));
    // The second alternative would ask for more than the first, so that it is left out.
    assert_eq!(
        of(&["either", "legal"]),
        requirement(&[&[("legal", 1), ("sec", 2)]])
    );
    assert_eq!(
        of(&["either", "plain"]),
        requirement(&[
            &[("reviewers", 1), ("sec", 1)],
            &[("leads", 1), ("sec", 1)],
            &[("leads", 2)]
        ])
    );
    assert_eq!(of(&["plain", "either"]), of(&["either", "plain"]));
}

#[test]
fn warns_of_what_is_no_error() {
    let ended = policy(
        "[[exceptions]]\ngroups = [\"x\"]\nkinds = [\"*\"]\nreason = \"r\"\nexpires = \"2020-01-01\"\n",
    );
    assert_eq!(ended.warnings().len(), 1);
    assert_eq!(
        (ended.warnings()[0].line, ended.warnings()[0].key.as_str()),
        (6, "exceptions[0].expires")
    );
    assert_eq!(policy("default = \"deny\"\n").warnings()[0].key, "default");
    assert!(policy("default = \"allow\"\n").warnings().is_empty());
}

#[test]
fn explains_every_rule() {
    let policy = policy(
        "[[rules]]\nid = \"a\"\non = \"prompt\"\nmatch = { words = [\"w\"] }\naction = \"block\"\n\
         [[rules]]\nid = \"b\"\ngroups = [\"x\"]\non = \"prompt\"\nmatch = { words = [\"w\"] }\naction = \"block\"\n\
         [[rules]]\nid = \"c\"\non = \"tool_call\"\nmatch = { words = [\"w\"] }\naction = \"block\"\n\
         [[rules]]\nid = \"d\"\non = \"prompt\"\nmatch = { regex = [\"v\"] }\naction = \"mask\"\n\
         [[exceptions]]\ngroups = [\"y\"]\nrules = [\"d\"]\nreason = \"r\"\nexpires = \"2099-01-01\"\n",
    );
    let parts = [(Stage::Prompt, "messages[0]", "a w here")];
    let outcomes = |groups: &[&str]| -> Vec<_> {
        caller(&policy, groups)
            .explain(9, &parts)
            .into_iter()
            .map(|t| (t.id, t.outcome))
            .collect()
    };
    let named =
        |list: &[(&str, Outcome)]| -> Vec<_> { list.iter().map(|(i, o)| ((*i).to_owned(), *o)).collect() };
    use Outcome::*;
    let plain = [
        ("default", DidNotMatch),
        ("a", Matched),
        ("b", NotForCaller),
        ("c", NothingToLookAt),
    ];
    assert_eq!(
        outcomes(&[]),
        named(&[&plain[..], &[("d", DidNotMatch)]].concat())
    );
    assert_eq!(
        outcomes(&["y"]),
        named(&[&plain[..], &[("d", Excepted)]].concat())
    );
    let why = caller(&policy, &[]).explain(9, &parts).remove(1).why;
    assert_eq!(why, "messages[0]: word 1 of 1");
}

#[test]
fn nothing_tells_the_secret_or_the_pattern() {
    let options = options().with_exact("upstream", Secret::new("very-secret-value-0123456789"));
    let text = "version = 1\n[[rules]]\nid = \"a\"\non = \"prompt\"\nmatch = { regex = ['fal.on'] }\naction = \"block\"\n";
    let policy = Policy::parse(text, "p.toml", &options).unwrap();
    let caller = caller(&policy, &[]);
    let verdict = caller.part(Stage::Prompt, "p", "the falcon flies");
    assert_eq!(verdict.decision.action, Action::Block);
    let seen = format!(
        "{options:?}{policy:?}{:?}{}",
        verdict,
        serde_json::to_string(&verdict.decision).unwrap()
    );
    for hidden in ["very-secret", "fal.on", "falcon"] {
        assert!(!seen.contains(hidden), "{hidden} in {seen}");
    }
    assert_eq!(policy.version().len(), 64);
    assert_ne!(policy.version(), Policy::allow_all(&options).unwrap().version());
}
