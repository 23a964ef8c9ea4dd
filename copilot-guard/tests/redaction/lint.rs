//! What is refused, and that it is said how to mend it.

use copilot_guard::detect::{LintError, RuleSet, RuleSource};
use copilot_guard::secret::Secret;

fn refused(regex: &str) -> LintError {
    RuleSet::builder()
        .pattern("mine", regex)
        .err()
        .unwrap_or_else(|| panic!("{regex} was taken"))
}

#[test]
fn what_cannot_be_bounded_is_refused() {
    for (regex, problem) in [
        ("a*", "empty text"),
        (r"key=(\w+);", "no bound"),
        (r"\bsk-\w{20,}\b", "no bound"),
        ("a+b", "no bound"),
        ("a{5000}", "4096"),
        (r"a\bb", "looks around"),
        ("^abc", "looks around"),
        ("abc$", "looks around"),
        ("(a)(b)", "more than one capture"),
        ("(?:x(a))", "inside another"),
        ("(a)bc", "more than one byte"),
        ("(a)b?", "single bytes"),
        ("(a", "not a regular expression"),
        (r"[a&&b]x", "never match"),
        ("[ab]{1,40}a[ab]{20}c", "too large"),
    ] {
        let e = refused(regex);
        assert!(e.to_string().contains(problem), "{regex}: {e}");
        assert_eq!(e.rule(), "mine");
        assert!(!e.mend().is_empty());
    }
    assert!(RuleSet::builder().pattern("not a kind]", "abcd").is_err());
}

#[test]
fn a_users_pattern_masks_its_group() {
    let rules = RuleSet::builder()
        .pattern("staff-no", r"(?i)\bstaff[ -]no[.:] ?(\d{6,8})\b")
        .unwrap()
        .build()
        .unwrap();
    let text = b"Staff-No: 1234567, staff no. 12345, staff-no:123456789, STAFF NO.654321";
    let masked = super::redact(&rules, &rules.all(), text);
    assert_eq!(
        masked.escape_ascii().to_string(),
        "Staff-No: [REDACTED:staff-no], staff no. 12345, staff-no:123456789, STAFF NO.[REDACTED:staff-no]"
    );
}

#[test]
fn exact_values_are_always_active() {
    let value = Secret::new("s.p(e)c*ial");
    let rules = RuleSet::builder()
        .exact("own", &value)
        .pattern("p", "[0-9]{4}")
        .unwrap()
        .build()
        .unwrap();
    let none = rules.select(|_| false);
    assert_eq!(none.len(), 1);
    assert_eq!(
        super::redact(&rules, &none, b"xs.p(e)c*ial1234"),
        b"x[REDACTED:own]1234"
    );
    assert_eq!(rules.rules()[0].source, RuleSource::Exact);
    assert!(!format!("{rules:?}").contains("ial"));
    assert!(
        RuleSet::builder()
            .exact("own", &Secret::new("abc"))
            .build()
            .is_err()
    );
}

#[test]
fn classes_take_whole_characters() {
    let rules = RuleSet::builder()
        .pattern("quoted", "=\"([^\"]{3,20})\"")
        .unwrap()
        .build()
        .unwrap();
    let masked = super::redact(&rules, &rules.all(), "é=\"äöü\" 名=\"秘密の値\"".as_bytes());
    assert_eq!(
        String::from_utf8(masked).unwrap(),
        "é=\"[REDACTED:quoted]\" 名=\"[REDACTED:quoted]\""
    );
}
