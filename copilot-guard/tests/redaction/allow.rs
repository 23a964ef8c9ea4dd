//! What is let through: the same in every cutting, and what the oracle says.

use std::sync::Arc;

use copilot_guard::detect::{AllowEntry, AllowList, RuleSet, ScanOptions};
use copilot_guard::secret::Secret;
use proptest::prelude::*;

use super::oracle::{Oracle, Rule};
use super::{Heard, pieces, stream};

fn rules() -> RuleSet {
    RuleSet::builder()
        .pattern("plain", "a{2,3}b?")
        .unwrap()
        .pattern("after", r"\bb(?:a=?){1,3}\b")
        .unwrap()
        .pattern("tail", "=(=[ab]{2}[ab]*)")
        .unwrap()
        .build()
        .unwrap()
}

fn allowing() -> (RuleSet, ScanOptions, Oracle) {
    let rules = rules();
    let entry = |id: &'static str, values: &[&str]| {
        let entry = AllowEntry::new(&rules, |rule| rule.id == id);
        Arc::new(values.iter().fold(entry, |entry, value| entry.with_value(value)))
    };
    let list = AllowList::new([
        entry("plain", &["aab"]),
        entry("after", &["baa", "ba=a"]),
        entry("tail", &["=abb", "=bb"]),
    ]);
    let oracle = Oracle::toy(vec![
        Rule::new("plain", false, "", "a{2,3}b?", None).allowing(&["aab"]),
        Rule::new("after", true, "", "b(?:a=?){1,3}", Some("[^0-9A-Za-z_]")).allowing(&["baa", "ba=a"]),
        Rule::new("tail", false, "=", "=[ab]{2}[ab]*", None).allowing(&["=abb", "=bb"]),
    ]);
    let options = ScanOptions::default().with_allow(Arc::new(list));
    (rules, options, oracle)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_let_through_is_what_the_oracle_says(
        text in prop::collection::vec(prop::sample::select(b"aab==".to_vec()), 0..30),
        cuts in any::<u64>(),
    ) {
        let (rules, options, oracle) = allowing();
        let mut redactor = rules.redactor_with(&rules.all(), &options);
        let whole = stream(&mut redactor, [text.as_slice()]);
        prop_assert_eq!(whole.groups(), oracle.groups(&text), "{}", text.escape_ascii());
        prop_assert_eq!(&whole, &Heard::expected(&text, &whole.spans));
        prop_assert_eq!(&stream(&mut redactor, text.chunks(1)), &whole);
        prop_assert_eq!(&stream(&mut redactor, pieces(&text, cuts)), &whole);
    }
}

/// A crowd of candidates with one future is merged only where all of them have been asked.
#[test]
fn merging_forgets_nobody_who_was_not_asked() {
    let rules = RuleSet::builder()
        .pattern("every", "[ab]{2}[ab=]{90}")
        .unwrap()
        .build()
        .unwrap();
    let text = format!("{}{}", "ab".repeat(100), "=".repeat(100));
    let allowed = &text[..92];
    let entry = AllowEntry::new(&rules, |_| true).with_value(allowed);
    let options = ScanOptions::default().with_allow(Arc::new(AllowList::new([Arc::new(entry)])));
    let found = rules.scan_with(&rules.all(), &options, text.as_bytes());
    // Every second start is let through until the text differs; the first that is not begins the one group.
    assert_eq!((found.len(), found[0].start), (1, 1));
}

#[test]
fn each_kind_of_entry_lets_through_what_it_names() {
    let rules = RuleSet::builder()
        .pattern("badge", r"\bbadge-[a-z0-9]{4,20}\b")
        .unwrap()
        .pattern("other", r"\bother-[0-9]{4}\b")
        .unwrap()
        .exact("own", &Secret::new("badge-0000"))
        .build()
        .unwrap();
    let entry = || AllowEntry::new(&rules, |rule| rule.id == "badge");
    let every = || AllowEntry::new(&rules, |_| true);
    for (name, entry, let_through, longer) in [
        (
            "value",
            entry().with_value("badge-1111"),
            "badge-1111",
            "badge-1111x",
        ),
        (
            "regex",
            entry().with_regex("badge-9+").unwrap(),
            "badge-99999",
            "badge-99999x",
        ),
        (
            "word",
            entry().with_word("EXAMPLE"),
            "badge-example1",
            "badge-exampl1",
        ),
        (
            "another kind",
            entry().with_word("34"),
            "badge-3456",
            "other-1234",
        ),
        (
            "all kinds",
            every().with_word("other"),
            "other-1234",
            "badge-1234",
        ),
    ] {
        let options = ScanOptions::default().with_allow(Arc::new(AllowList::new([Arc::new(entry)])));
        let find = |text: &str| rules.scan_with(&rules.all(), &options, text.as_bytes()).len();
        assert_eq!(find(let_through), 0, "{name}");
        assert_eq!(
            find(&format!("{let_through} {longer}")),
            1,
            "{name}: {longer} is another"
        );
    }
    let all = AllowEntry::new(&rules, |_| true).with_value("badge-0000");
    let options = ScanOptions::default().with_allow(Arc::new(AllowList::new([Arc::new(all)])));
    let found = rules.scan_with(&rules.all(), &options, b"badge-0000");
    assert_eq!(
        found.len(),
        1,
        "a value that must never leave is never let through"
    );
}
