//! The same text in every cutting, and everything that is no secret byte for byte.

use super::{rules, shown};

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
