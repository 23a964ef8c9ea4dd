//! Small rules over three letters, where everything can be tried.

use std::collections::HashMap;

use copilot_guard::detect::RuleSet;
use proptest::prelude::*;

use super::oracle::{Oracle, Rule};
use super::{Heard, pieces, stream};

const LETTERS: [u8; 3] = *b"ab=";

fn rules() -> (RuleSet, Oracle) {
    let rules = RuleSet::builder()
        .pattern("plain", "aab")
        .unwrap()
        .pattern("context", "=b(a{1,3})b")
        .unwrap()
        .pattern("bounded", r"\bbb\b")
        .unwrap()
        .pattern("tail", r"=(=b[ab]*)")
        .unwrap()
        .pattern("either", "ba(?:=a)?")
        .unwrap()
        .build()
        .unwrap();
    let oracle = Oracle::toy(vec![
        Rule::new("plain", false, "", "aab", None),
        Rule::new("context", false, "=b", "a{1,3}", Some("b")),
        Rule::new("bounded", true, "", "bb", Some(r"[^0-9A-Za-z_]")),
        Rule::new("tail", false, "=", "=b[ab]*", None),
        Rule::new("either", false, "", "ba(?:=a)?", None),
    ]);
    (rules, oracle)
}

fn texts(longest: usize) -> Vec<Vec<u8>> {
    let mut all = vec![Vec::new()];
    let mut from = 0;
    for _ in 0..longest {
        let to = all.len();
        for i in from..to {
            for letter in LETTERS {
                let mut text: Vec<u8> = all[i].clone();
                text.push(letter);
                all.push(text);
            }
        }
        from = to;
    }
    all
}

#[test]
fn every_text_in_every_cutting_is_what_the_oracle_says() {
    let (rules, oracle) = rules();
    let mut redactor = rules.redactor(&rules.all());
    for text in texts(7) {
        let whole = stream(&mut redactor, [text.as_slice()]);
        assert_eq!(whole.groups(), oracle.groups(&text), "{}", text.escape_ascii());
        assert_eq!(
            whole,
            Heard::expected(&text, &whole.spans),
            "{}",
            text.escape_ascii()
        );
        for cuts in 1..1u64 << text.len().saturating_sub(1) {
            assert_eq!(
                stream(&mut redactor, pieces(&text, cuts)),
                whole,
                "{} cut {cuts:b}",
                text.escape_ascii()
            );
        }
    }
}

/// The control: a redactor that looks at each piece alone does not pass the test above.
#[test]
fn redacting_piece_by_piece_would_be_noticed() {
    let (rules, oracle) = rules();
    let broken = |text: &[u8], cuts: u64| {
        let mut spans = Vec::new();
        let mut at = 0;
        for piece in pieces(text, cuts) {
            spans.extend(
                rules
                    .scan(&rules.all(), piece)
                    .iter()
                    .map(|s| (at + s.start as usize, at + s.end as usize)),
            );
            at += piece.len();
        }
        spans
    };
    let noticed = texts(4)
        .iter()
        .filter(|text| (1..8).any(|cuts| broken(text, cuts) != oracle.groups(text)))
        .count();
    assert!(noticed > 40, "{noticed}");
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Fate {
    Plain,
    Begins,
    Inside,
}

fn fates(oracle: &Oracle, text: &[u8]) -> Vec<Fate> {
    let mut fates = vec![Fate::Plain; text.len()];
    for (a, b) in oracle.groups(text) {
        fates[a..b].fill(Fate::Inside);
        fates[a] = Fate::Begins;
    }
    fates
}

/// A byte is held exactly as long as two continuations of the text disagree about it.
#[test]
fn nothing_waits_that_is_decided() {
    let (rules, oracle) = rules();
    let known: HashMap<Vec<u8>, Vec<Fate>> = texts(9)
        .into_iter()
        .map(|t| (t.clone(), fates(&oracle, &t)))
        .collect();
    let futures = texts(4);
    let mut redactor = rules.redactor(&rules.all());
    for text in texts(5) {
        let mut decided = text.len();
        for future in &futures {
            let whole = &known[&[text.as_slice(), future].concat()];
            let agree = known[&text].iter().zip(whole).take_while(|(a, b)| a == b).count();
            decided = decided.min(agree);
        }
        let mut heard = Heard::default();
        for byte in &text {
            redactor.push(&[*byte], &mut heard);
        }
        assert_eq!(
            redactor.held(),
            text.len() - decided,
            "after {}",
            text.escape_ascii()
        );
        redactor.finish(&mut heard);
    }
}

#[test]
fn what_left_is_the_beginning_of_what_leaves_later() {
    let (rules, _) = rules();
    for text in texts(7).into_iter().filter(|t| t.len() == 7) {
        let mut redactor = rules.redactor(&rules.all());
        let mut before = Heard::default();
        for byte in &text {
            let mut longer = before.clone();
            redactor.push(&[], &mut longer);
            assert_eq!(longer, before, "an empty piece says nothing");
            redactor.push(&[*byte], &mut longer);
            assert!(longer.out.starts_with(&before.out));
            before = longer;
        }
        redactor.finish(&mut before);
        let said = before.clone();
        redactor.finish(&mut before);
        assert_eq!(before, said, "a second end says nothing");
    }
}

fn crowded() -> (RuleSet, Oracle) {
    let rules = RuleSet::builder()
        .pattern("swallow", "=(a[ab]{3}[ab=]*)")
        .unwrap()
        .pattern("wide", "[ab]{5,70}=")
        .unwrap()
        .pattern("pair", "b=[ab]{2}[ab]*")
        .unwrap()
        .pattern("every", "[ab]{2}[ab=]{90}")
        .unwrap()
        .build()
        .unwrap();
    let oracle = Oracle::toy(vec![
        Rule::new("swallow", false, "=", "a[ab]{3}[ab=]*", None),
        Rule::new("wide", false, "", "[ab]{5,70}=", None),
        Rule::new("pair", false, "", "b=[ab]{2}[ab]*", None),
        Rule::new("every", false, "", "[ab]{2}[ab=]{90}", None),
    ]);
    (rules, oracle)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    /// Enough candidates at once that those with one future are merged.
    #[test]
    fn crowds_of_candidates_are_what_the_oracle_says(
        text in prop::collection::vec(prop::sample::select(b"aaabbb=".to_vec()), 0..160),
        cuts in any::<u64>(),
    ) {
        let (rules, oracle) = crowded();
        let mut redactor = rules.redactor(&rules.all());
        let whole = stream(&mut redactor, [text.as_slice()]);
        prop_assert_eq!(whole.groups(), oracle.groups(&text));
        prop_assert_eq!(&whole, &Heard::expected(&text, &whole.spans));
        prop_assert_eq!(&stream(&mut redactor, text.chunks(1)), &whole);
        let (front, back) = text.split_at(text.len().min(60));
        let mut cut = pieces(front, cuts);
        cut.push(back);
        prop_assert_eq!(&stream(&mut redactor, cut), &whole);
    }

    #[test]
    fn a_further_rule_uncovers_nothing(
        text in prop::collection::vec(prop::sample::select(LETTERS.to_vec()), 0..40),
        left_out in 0usize..5,
    ) {
        let (rules, _) = rules();
        let id = rules.rules()[left_out].id.clone();
        let fewer = rules.scan(&rules.select(|r| r.id != id), &text);
        let all = rules.scan(&rules.all(), &text);
        for span in fewer {
            prop_assert!(all.iter().any(|s| s.start <= span.start && span.end <= s.end));
        }
    }
}
