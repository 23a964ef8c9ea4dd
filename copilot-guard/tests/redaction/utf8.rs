//! Whole characters in, whole characters out, and characters that come in halves come out whole.

use copilot_guard::detect::{Mark, RuleSet, Sink};
use proptest::prelude::*;

use super::builtin::{PERSONAL, RULES, piece};
use super::stream;

/// What left, and whether each piece of it was whole characters.
#[derive(Default)]
struct Pieces {
    out: Vec<u8>,
    broken: usize,
}

impl Sink for Pieces {
    fn text(&mut self, released: &[u8]) {
        self.broken += usize::from(std::str::from_utf8(released).is_err());
        self.out.extend_from_slice(released);
    }

    fn mark(&mut self, _mark: Mark) {
        self.out.extend_from_slice("[⋯]".as_bytes());
    }
}

fn push<'t>(rules: &RuleSet, pieces: impl IntoIterator<Item = &'t [u8]>) -> Pieces {
    let mut redactor = rules.redactor(&rules.all());
    let mut heard = Pieces::default();
    for piece in pieces {
        redactor.push(piece, &mut heard);
    }
    redactor.finish(&mut heard);
    heard
}

/// Pieces of whole characters: so many at a time.
fn characters(text: &str, counts: &[usize]) -> Vec<String> {
    let mut rest = text.chars().peekable();
    let mut pieces = Vec::new();
    for count in counts.iter().cycle() {
        if rest.peek().is_none() {
            break;
        }
        pieces.push(rest.by_ref().take(*count).collect());
    }
    pieces
}

const AROUND: [&str; 14] = [
    "🔑",
    "👩‍👩‍👧‍👦",
    "鍵は",
    "密码：",
    "é",
    "e\u{301}",
    "ß=",
    "\u{feff}",
    "\u{10ffff}",
    "„",
    "“",
    "=\"ü",
    "пароль: ",
    "\u{a0}",
];

/// A sample as text; it may have been cut within a character.
fn text() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        piece().prop_map(|bytes| String::from_utf8_lossy(&bytes).into_owned()),
        prop::sample::select(AROUND.to_vec()).prop_map(str::to_owned),
        prop::sample::select(AROUND.to_vec()).prop_map(|c| c.repeat(30)),
    ];
    prop::collection::vec(part, 1..10).prop_map(|parts| parts.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whole_characters_leave_as_whole_characters(
        text in text(),
        counts in prop::collection::vec(1usize..80, 1..5),
        size in 1usize..70,
    ) {
        for rules in [&*RULES, &*PERSONAL] {
            let whole = push(rules, [text.as_bytes()]);
            prop_assert_eq!(whole.broken, 0, "{}", text);
            let masked = String::from_utf8(whole.out);
            prop_assert!(masked.is_ok(), "{}", text);
            let cut = characters(&text, &counts);
            let cut = push(rules, cut.iter().map(|piece| piece.as_bytes()));
            prop_assert_eq!(cut.broken, 0, "{}", text);
            let one = characters(&text, &[1]);
            let one = push(rules, one.iter().map(|piece| piece.as_bytes()));
            prop_assert_eq!(one.broken, 0, "{}", text);
            // Cut anywhere, also within characters.
            let torn = push(rules, text.as_bytes().chunks(size));
            for out in [cut.out, one.out, torn.out] {
                prop_assert_eq!(String::from_utf8(out), masked.clone());
            }
        }
    }
}

/// The control: where characters are torn on the way in, torn pieces are noticed on the way out.
#[test]
fn a_torn_character_would_be_noticed() {
    let text = "鍵は🔑";
    let torn = push(&RULES, text.as_bytes().chunks(1));
    assert!(torn.broken > 0);
    assert_eq!(torn.out, text.as_bytes());
}

#[test]
fn a_secret_between_characters_is_masked_and_they_stay() {
    let token = format!("{}p_7YSH0VJY4edqxYZQtU7VpVQi5w9tLt000001", "gh");
    for before in AROUND {
        for after in AROUND {
            // A letter would be part of the token.
            if after.starts_with(|c: char| c.is_ascii_alphanumeric()) {
                continue;
            }
            let text = format!("{before}{token}{after}");
            for size in 1..=text.len() {
                let out = push(&RULES, text.as_bytes().chunks(size)).out;
                assert_eq!(
                    String::from_utf8(out).unwrap(),
                    format!("{before}[⋯]{after}"),
                    "{size}"
                );
            }
        }
    }
}

#[test]
fn bytes_that_are_no_characters_pass_as_they_are() {
    let text: Vec<u8> = (0..=u8::MAX).rev().cycle().take(600).collect();
    for size in [1, 3, 64, 600] {
        let heard = stream(&mut RULES.redactor(&RULES.all()), text.chunks(size));
        let out: Vec<u8> = heard.out.into_iter().filter_map(Result::ok).collect();
        assert_eq!(out, text, "{size}");
    }
}
