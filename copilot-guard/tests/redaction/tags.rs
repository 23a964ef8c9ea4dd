//! Tags: equal for equal tokens, different for different ones, and the same in every cutting.

use std::sync::Arc;

use copilot_guard::detect::{RuleSet, ScanOptions, Tag, TagKey};
use proptest::prelude::*;

use super::builtin::{RULES, piece};
use super::{Heard, stream};

fn key(n: u8) -> Arc<TagKey> {
    Arc::new(TagKey::new([n; 32]))
}

fn token(n: u32) -> String {
    format!("{}p_7YSH0VJY4edqxYZQtU7VpVQi5w9tLt{n:06}", "gh")
}

fn heard(text: &str, n: u8) -> Heard {
    stream(
        &mut RULES.redactor(&RULES.all()).with_tags(key(n)),
        [text.as_bytes()],
    )
}

fn tags(text: &str) -> Vec<Tag> {
    heard(text, 1).tags.into_iter().map(|tag| tag.unwrap()).collect()
}

#[test]
fn equal_tokens_have_equal_tags() {
    let (a, b) = (token(1), token(2));
    let found = tags(&format!("x={a} y: {b}; again {a}, \"{b}\" {a}"));
    assert_eq!(found.len(), 5);
    assert_eq!([found[0], found[0]], [found[2], found[4]]);
    assert_eq!(found[1], found[3]);
    assert_ne!(found[0], found[1]);
}

#[test]
fn another_key_makes_other_tags_and_none_makes_none() {
    let text = token(1);
    assert_ne!(heard(&text, 1).tags, heard(&text, 2).tags);
    let bare = stream(&mut RULES.redactor(&RULES.all()), [text.as_bytes()]);
    assert_eq!(bare.tags, [None]);
}

/// What follows the shortest match is masked too, and does not count: it may not have come when the mark leaves.
#[test]
fn a_tag_is_of_what_was_certain() {
    assert_eq!(tags(&token(1)), tags(&format!("{}Longer", token(1))));
}

#[test]
fn what_a_tag_would_help_to_guess_has_none() {
    let text = "password = \"correct-7-horse\" and postgres://app:hunter22hunter@db/x";
    let heard = heard(text, 1);
    assert!(!heard.tags.is_empty());
    assert!(heard.tags.iter().all(Option::is_none));
    for rule in RULES.rules().iter().filter(|rule| rule.tagged) {
        assert!(rule.pack.is_none(), "{}: personal data has no tag", rule.id);
    }
    let own = RuleSet::builder()
        .pattern("own", "[0-9]{20}")
        .unwrap()
        .build()
        .unwrap();
    assert!(!own.rules()[0].tagged);
}

#[test]
fn a_name_that_was_inherited_brings_no_tag() {
    // The context's group begins before the token, and the token was certain first.
    let rules = RuleSet::builder()
        .builtin()
        .pattern("wide", "<[^>]{5,80}>")
        .unwrap()
        .build()
        .unwrap();
    let mask = rules.select(|rule| ["wide", "github-pat"].contains(&rule.id.as_str()));
    let text = format!("<{}>", token(1));
    let options = ScanOptions::default().with_tags(key(1));
    let found = rules.scan_with(&mask, &options, text.as_bytes());
    assert_eq!((found.len(), found[0].start, found[0].tag), (1, 0, None));
    let alone = rules.scan_with(&mask, &options, token(1).as_bytes());
    assert!(alone[0].tag.is_some());
}

#[test]
fn marks_show_the_tag() {
    let mut out = Vec::new();
    let mut sink = RULES.marked(&mut out);
    let mut redactor = RULES.redactor(&RULES.all()).with_tags(key(1));
    redactor.push(token(1).as_bytes(), &mut sink);
    redactor.finish(&mut sink);
    let tag = tags(&token(1))[0];
    assert_eq!(
        String::from_utf8(out).unwrap(),
        format!("[REDACTED:github-pat:{tag}]")
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn tags_do_not_depend_on_the_cutting(
        parts in prop::collection::vec(
            prop_oneof![
                2 => piece(),
                2 => (0..3u32, "[a-zA-Z0-9]{0,8}[ ,;\"\n]?").prop_map(|(n, tail)| format!("{}{tail}", token(n)).into_bytes()),
            ],
            1..7,
        ),
        size in 1usize..50,
    ) {
        let text = parts.concat();
        let mut redactor = RULES.redactor(&RULES.all()).with_tags(key(1));
        let whole = stream(&mut redactor, [text.as_slice()]);
        prop_assert_eq!(&stream(&mut redactor, text.chunks(1)), &whole);
        prop_assert_eq!(&stream(&mut redactor, text.chunks(size)), &whole);
        let options = ScanOptions::default().with_tags(key(1));
        let found = RULES.scan_with(&RULES.all(), &options, &text);
        prop_assert_eq!(found.iter().map(|f| f.tag).collect::<Vec<_>>(), whole.tags);
    }
}
