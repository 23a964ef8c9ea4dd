//! What is held stays bounded on hostile text, and does not grow with its length.
//!
//! That the work is linear follows from the bound on live candidates, which cannot be seen from outside, and nothing
//! here counts work: a test with a clock would say more about the machine. `benches` measures it.

use copilot_guard::detect::RuleSet;

use super::builtin::RULES;
use super::{Heard, stream};

/// As the documentation of the crate promises for the built-in rules.
const BOUND: usize = 4096;

const UNITS: [&str; 22] = [
    "key=",
    "key=\"",
    "API_KEY=",
    "API_KEY: ",
    "password = '",
    "token=\"",
    "token=\"a",
    "secret\\\":\\\"",
    "Authorization: Bearer ",
    "curl ",
    "curl -u a:",
    "curl -H \"",
    "-----BEGIN",
    "-----BEGIN ",
    "-----BEGIN PRIVATE KEY-----",
    "-----BEGIN PRIVATE KEY-----\\n",
    "eyJ",
    "eyJhbGciOiJ.",
    "https://a:",
    "postgres://u:",
    "gh",
    "=",
];

/// The most that was held, and what was heard.
fn peak(text: &[u8], size: usize) -> (usize, Heard) {
    let mut redactor = RULES.redactor(&RULES.all());
    let mut heard = Heard::default();
    let mut peak = 0;
    for piece in text.chunks(size) {
        redactor.push(piece, &mut heard);
        peak = peak.max(redactor.held());
    }
    redactor.finish(&mut heard);
    (peak, heard)
}

#[test]
fn what_is_held_is_bounded_and_does_not_grow_with_the_text() {
    let mut seen = 0;
    for unit in UNITS {
        let text = unit.repeat(16_384 / unit.len() + 1);
        let (short, _) = peak(&text.as_bytes()[..8192], 1);
        let (long, heard) = peak(text.as_bytes(), 1);
        assert!(long <= BOUND, "{unit}: {long}");
        assert_eq!(short, long, "{unit}: it grows");
        seen = seen.max(long);
        for size in [7, 4096] {
            let (held, same) = peak(text.as_bytes(), size);
            // Between two pieces no more is held than between two bytes.
            assert!(held <= long, "{unit} {size}: {held} {long}");
            assert_eq!(same, heard, "{unit} {size}");
        }
    }
    // The control: the units do make it wait, or the bound would be tested with nothing.
    assert!(seen >= 64, "{seen}");
}

/// Units one after the other, so that candidates of many rules are alive at once.
#[test]
fn a_mixture_is_held_within_bounds_too() {
    let mut text = Vec::new();
    for (i, first) in UNITS.iter().enumerate() {
        for second in &UNITS[i..] {
            text.extend_from_slice(first.as_bytes());
            text.extend_from_slice(second.as_bytes());
        }
    }
    let text = text.repeat(8_192 / text.len() + 1);
    let (long, heard) = peak(&text, 1);
    assert!(long <= BOUND, "{long}");
    for size in [7, 4096] {
        let (held, same) = peak(&text, size);
        assert!(held <= long, "{size}");
        assert_eq!(same, heard, "{size}");
    }
    assert_eq!(
        stream(&mut RULES.redactor(&RULES.all()), [text.as_slice()]),
        heard
    );
}

/// What may follow a match is not held without end either.
#[test]
fn what_may_follow_a_match_does_not_pile_up() {
    let rules = RuleSet::builder()
        .pattern("more", "abc(?:-+d)?")
        .unwrap()
        .build()
        .unwrap();
    for chunk in [1, 7, 4096, 60_000] {
        let text = format!("abc{}", "-".repeat(50_000));
        let mut redactor = rules.redactor(&rules.all());
        let mut heard = Heard::default();
        for piece in text.as_bytes().chunks(chunk) {
            redactor.push(piece, &mut heard);
            assert!(redactor.held() <= 4097, "{}", redactor.held());
        }
        redactor.finish(&mut heard);
        assert_eq!(heard, stream(&mut redactor, text.as_bytes().chunks(1)));
    }
}
