//! Many values that must never leave.

use copilot_guard::detect::{RuleSet, RuleSource};
use copilot_guard::secret::Secret;

use super::stream;

fn values(count: u32) -> Vec<Secret> {
    let value = |n: u32| format!("{:08x}-{:x}+(secret)", n.wrapping_mul(0x9e37_79b9), n);
    (0..count).map(|n| Secret::new(value(n))).collect()
}

#[test]
fn thousands_of_values_are_found_and_nothing_else() {
    let values = values(2000);
    let rules = RuleSet::builder()
        .builtin()
        .exact_values("vault", &values)
        .build()
        .unwrap();
    let none = rules.select(|_| false);
    assert!(
        rules
            .rules()
            .iter()
            .filter(|r| r.source == RuleSource::Exact)
            .all(|r| r.id == "vault")
    );
    for value in values.iter().step_by(7) {
        let value = value.expose();
        let text = format!("x{value}y {}", &value[1..]);
        let mut redactor = rules.redactor(&none);
        let heard = stream(&mut redactor, [text.as_bytes()]);
        assert_eq!(heard.groups(), [(1, 1 + value.len())]);
        assert_eq!(stream(&mut redactor, text.as_bytes().chunks(3)), heard);
    }
    assert!(!format!("{rules:?}").contains("secret)"));
}

#[test]
fn a_value_that_begins_another_is_masked_to_the_longest() {
    let values = ["abcd-1234", "abcd-1234-5678", "1234-5678-9"].map(Secret::new);
    let rules = RuleSet::builder().exact_values("v", &values).build().unwrap();
    assert_eq!(
        stream(
            &mut rules.redactor(&rules.all()),
            [b"abcd-1234-5678-9".as_slice()]
        )
        .groups(),
        [(0, 16)]
    );
    assert_eq!(
        stream(&mut rules.redactor(&rules.all()), [b"abcd-1234-567".as_slice()]).groups(),
        [(0, 9)]
    );
    let short = ["abcd-1234", "abc"].map(Secret::new);
    let error = RuleSet::builder().exact_values("v", &short).build().unwrap_err();
    assert!(
        error.to_string().contains("shorter") && !error.to_string().contains("abc"),
        "{error}"
    );
}
