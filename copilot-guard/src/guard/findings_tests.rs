//! With what is known and without, the judgement is the same; and nothing is known to anybody else.

use std::collections::BTreeSet;
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::clock::Timestamp;
use crate::dialect::{Dialect, ParsedRequest};
use crate::exchange::{Asking, NoticeKey, Reverser};
use crate::guard::judge::{Judged, judge};
use crate::guard::resent::Resent;
use crate::identity::Identity;
use crate::json::Limits;
use crate::policy::engine::Engines;
use crate::policy::{Policy, PolicyOptions, Query};
use crate::testing::samples;

const POLICY: &str = r#"
version = 1
[[patterns]]
id = "acme-token"
regex = 'ACME-INT-[0-9]{4}'
[[rules]]
id = "no-falcon"
on = "prompt"
match = { words = ["falcon"] }
action = "block"
message = "Falcon stays."
[[rules]]
id = "numbers"
on = "prompt"
match = { regex = ['CUST-[0-9]{3}'] }
action = "mask"
[[rules]]
id = "ask"
on = "tool_result"
match = { words = ["production"] }
action = "require_approval"
[[rules]]
id = "watch"
on = "prompt"
observe = true
match = { words = ["hello"] }
action = "block"
[[exceptions]]
groups = ["research"]
rules = ["no-falcon"]
reason = "studies birds"
expires = "2027-06-01"
"#;

fn policy(text: &str) -> Policy {
    let options = PolicyOptions::new(samples::NOW).with_reviewer_groups(["security"]);
    Policy::parse(text, "policy.toml", &options).unwrap()
}

fn person(name: &str) -> TagKey {
    TagKey::new([7; 32]).derive("person", [name])
}

fn caller(policy: &Policy, name: &str, groups: &[&str], now: Timestamp) -> CallerPolicy {
    let groups: BTreeSet<_> = groups.iter().map(|g| (*g).to_owned()).collect();
    let caller = policy.for_caller(&Query::new(&groups, "m", now));
    caller.with_tags(Arc::new(person(name).derive("session", [b"one"])))
}

fn request(texts: &[(&str, String)]) -> ParsedRequest {
    let messages: Vec<_> = texts
        .iter()
        .map(|(role, text)| serde_json::json!({"role": role, "content": text}))
        .collect();
    let body = serde_json::json!({"model": "m", "messages": messages}).to_string();
    Dialect::Chat
        .parse_request(body.as_bytes(), None, Limits::default())
        .unwrap()
}

fn judged(
    policy: &Policy,
    request: &ParsedRequest,
    caller: &CallerPolicy,
    known: Option<&Known>,
    token: &str,
) -> Judged {
    let key = NoticeKey::of(&TagKey::new([1; 32]), [b"x"]);
    let identity = Identity::new("https://idp.example", "dev", samples::NOW);
    let asking = Asking::new(Engines::new(Vec::new()), Arc::new(identity), "m", samples::NOW);
    let resent = Resent::of(request, &key);
    judge(
        request,
        &resent,
        policy.rule_set(),
        caller,
        &asking,
        known,
        &mut Reverser::new(&TagKey::new([2; 32]), "x", policy.rule_set().marks().clone()),
        100,
        token,
    )
}

fn a_text() -> impl Strategy<Value = String> {
    let word = prop_oneof![
        Just("falcon"),
        Just("ACME-INT-1234"),
        Just("CUST-123"),
        Just("production"),
        Just("hello"),
        Just("é"),
        Just("plain"),
        Just("tok-en-7"),
    ];
    proptest::collection::vec(word, 1..6).prop_map(|words| words.join(" "))
}

#[test]
fn what_is_known_changes_no_judgement() {
    let policy = policy(POLICY);
    let store = FindingStore::default();
    let role = prop_oneof![Just("user"), Just("assistant"), Just("tool"), Just("system")];
    let texts = proptest::collection::vec((role, a_text()), 1..12);
    proptest!(ProptestConfig::with_cases(200), |(texts in texts, token in prop_oneof![Just(""), Just("tok-en-7")])| {
        let request = request(&texts);
        for name in ["ann", "ben"] {
            let caller = caller(&policy, name, &[], samples::NOW);
            let fresh = judged(&policy, &request, &caller, None, token);
            let known = store.known(&person(name), &caller).unwrap();
            for _ in 0..2 {
                let again = judged(&policy, &request, &caller, Some(&known), token);
                prop_assert_eq!(&again, &fresh);
            }
        }
    });
    assert_eq!(store.0.lock().unwrap().known.len(), 2);
}

#[test]
fn another_person_session_policy_stage_or_role_never_hits() {
    let (first, second) = (policy(POLICY), policy(POLICY));
    let store = FindingStore::default();
    let ann = caller(&first, "ann", &[], samples::NOW);
    let known = store.known(&person("ann"), &ann).unwrap();
    let key = known.key_of(Stage::Prompt, "user", "text");
    known.put(key, Found::default());
    assert!(known.get(&key).is_some());
    let same = store
        .known(&person("ann"), &caller(&first, "ann", &[], samples::NOW))
        .unwrap();
    assert!(
        same.get(&same.key_of(Stage::Prompt, "user", "text")).is_some(),
        "the control"
    );
    let other_session = {
        let caller = first.for_caller(&Query::new(&BTreeSet::new(), "m", samples::NOW));
        caller.with_tags(Arc::new(person("ann").derive("session", [b"two"])))
    };
    let ended = samples::NOW.plus(Duration::from_secs(400 * 86_400));
    for (person_key, caller) in [
        (person("ben"), caller(&first, "ben", &[], samples::NOW)),
        // Even under the same name for what is kept.
        (person("ann"), caller(&first, "ben", &[], samples::NOW)),
        (person("ann"), other_session),
        // The same text compiled again may have other values to scrub.
        (person("ann"), caller(&second, "ann", &[], samples::NOW)),
        (person("ann"), caller(&first, "ann", &["research"], samples::NOW)),
    ] {
        let other = store.known(&person_key, &caller).unwrap();
        let key = other.key_of(Stage::Prompt, "user", "text");
        assert!(other.get(&key).is_none());
    }
    for (stage, role, text) in [
        (Stage::ToolResult, "user", "text"),
        (Stage::Prompt, "system", "text"),
        (Stage::Prompt, "usert", "ext"),
    ] {
        assert!(known.get(&known.key_of(stage, role, text)).is_none());
    }
    // Nothing depends on the time but through the exceptions that it ends.
    let later = store
        .known(&person("ann"), &caller(&first, "ann", &[], ended))
        .unwrap();
    assert!(later.get(&key).is_some());
    let bare = first.for_caller(&Query::new(&BTreeSet::new(), "m", samples::NOW));
    assert!(
        store.known(&person("ann"), &bare).is_none(),
        "no key, nothing kept"
    );
}

#[test]
fn nothing_outlives_an_exception() {
    let policy = policy(POLICY);
    let store = FindingStore::default();
    let request = request(&[("user", "tell me of falcon".to_owned())]);
    let at = |now| {
        let caller = caller(&policy, "ann", &["research"], now);
        let known = store.known(&person("ann"), &caller).unwrap();
        judged(&policy, &request, &caller, Some(&known), "")
            .decision
            .action
    };
    let before = samples::NOW;
    let after = samples::NOW.plus(Duration::from_secs(400 * 86_400));
    use crate::decision::Action;
    assert_eq!(
        [at(before), at(before), at(after), at(after), at(before)],
        [
            Action::Allow,
            Action::Allow,
            Action::Block,
            Action::Block,
            Action::Allow
        ]
    );
}

#[test]
fn it_is_bounded() {
    let policy = policy("version = 1\ndefault = \"allow\"\n");
    let store = FindingStore::default();
    for n in 0..MOST_PEOPLE + 10 {
        let name = n.to_string();
        store
            .known(&person(&name), &caller(&policy, &name, &[], samples::NOW))
            .unwrap();
    }
    assert_eq!(store.0.lock().unwrap().known.len(), MOST_PEOPLE);
    let known = store
        .known(&person("ann"), &caller(&policy, "ann", &[], samples::NOW))
        .unwrap();
    let key = |n: usize| known.key_of(Stage::Prompt, "user", &n.to_string());
    for n in 0..3 * HALF {
        known.put(key(n), Found::default());
        // What is asked for again and again stays.
        assert!(known.get(&key(0)).is_some(), "{n}");
    }
    let of_person = known.lock();
    assert!(of_person.young.len() + of_person.old.len() <= 2 * HALF);
    drop(of_person);
    let many = Found {
        kept: vec![
            MaskSpan {
                reversible: false,
                start: 0,
                end: 1,
                kind: "k".into(),
                tag: None
            };
            MOST_PLACES + 1
        ],
        ..Found::default()
    };
    known.put(key(1_000_000), many);
    assert!(known.get(&key(1_000_000)).is_none());
}
