//! The same text in every cutting, and everything that is no secret byte for byte.

use std::sync::LazyLock;

use copilot_guard::detect::views::Screen;
use copilot_guard::detect::{RuleSet, ScanOptions};
use proptest::prelude::*;

use super::{rules, shown};

static RULES: LazyLock<RuleSet> = LazyLock::new(rules);

#[test]
fn the_cuts_change_nothing() {
    let rules = rules();
    let token = format!("ghp_{}", "aB3dE6gH9jK2mN5pQ8sT1vW4yZ7bC0eF3hJ6");
    let encoded: String = token.bytes().map(|b| format!("{b:02x}")).collect();
    let spaced: Vec<_> = token.chars().map(String::from).collect();
    let turned: String = token.chars().rev().collect();
    for text in [
        format!("The key is {encoded}, and That is all."),
        format!("A list: {} end", spaced.join(" ")),
        format!("Read {turned} from its end; Then go on."),
        format!("'{}' + '{}'", &token[..10], &token[10..]),
        format!("The ключ is gh\u{200B}p_{} и всё", &token[4..]),
        "I am. A b C d, it's Well-known: 日本語 — ok? 1, 2, 3".to_owned(),
    ] {
        let whole = shown(&rules, &text, usize::MAX);
        for piece in 1..16 {
            assert_eq!(shown(&rules, &text, piece), whole, "{piece} {text}");
        }
    }
}

/// Pieces of what disguises are made of, in any order.
fn text() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "ghp_",
        "aB3dE6gH9jK2mN5pQ8sT1vW4yZ7bC0eF3hJ6",
        "AKIA",
        "234567ABCDEFGHIJ",
        " ",
        "\n",
        "A ",
        "b ",
        "The ",
        "word",
        "I",
        "1. ",
        "65, ",
        "0x41 ",
        "%41",
        "\\x41",
        "&#65;",
        "'",
        "\"",
        " + ",
        "<b>",
        "</b>",
        "<span ",
        "**",
        "`",
        "é",
        "А",
        "К",
        "日",
        "👩\u{200D}",
        "\u{200B}",
        "QUtJ",
        "QVFBQkNERUZHSElKS0xNTk9QUVJTVFVWV1hZWg==",
        "=\n",
        "\r",
        "-",
        "_",
        "/",
        ".",
        "chr(65)",
        "H4sIAAAA",
        "5a5a5a5a5a5a",
    ]);
    prop::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn no_cut_changes_what_is_shown(text in text(), sizes in prop::collection::vec(1..40_usize, 1..8)) {
        let whole = shown(&RULES, &text, usize::MAX);
        let mut screen = Screen::new(&RULES, &RULES.all(), &ScanOptions::default());
        let mut out = Vec::new();
        let mut rest = text.as_bytes();
        for size in sizes.iter().cycle() {
            let (piece, more) = rest.split_at(rest.len().min(*size));
            screen.push(piece, &mut RULES.marked(&mut out));
            rest = more;
            if rest.is_empty() {
                break;
            }
        }
        screen.finish(&mut RULES.marked(&mut out));
        prop_assert_eq!(String::from_utf8_lossy(&out), whole.as_str());
        prop_assert_eq!(shown(&RULES, &text, 1), whole);
    }
}
