//! Tables of links.

use std::sync::Arc;

use super::*;
use crate::detect::Network;

fn network() -> Arc<Network> {
    let network = Network::new(
        [
            "docs.rs",
            "*.acme.example",
            "github.com",
            "camo.githubusercontent.com",
            "www.google.com",
        ],
        ["*.acme.internal"],
        [],
    );
    Arc::new(network.unwrap())
}

fn unescape(text: &str) -> String {
    text.replace("\\\\", "\u{1}")
        .replace("\\n", "\n")
        .replace("\\t", "\t")
        .replace("\\u{200b}", "\u{200b}")
        .replace('\u{1}', "\\")
}

/// What each address of the text is.
fn judged(text: &str) -> Vec<String> {
    let mut watch = LinkWatch::new(network());
    find(text, 0)
        .iter()
        .map(|found| {
            watch
                .judge(text, found)
                .map_or("ours".to_owned(), |f| f.rule.to_owned())
        })
        .collect()
}

fn cases() -> Vec<(&'static str, String)> {
    let cases: Vec<_> = include_str!("cases.txt")
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| line.split_once(" | ").unwrap())
        .map(|(must, text)| (must, unescape(text)))
        .collect();
    assert!(cases.len() >= 80, "the table of links is gone");
    cases
}

#[test]
fn links() {
    let mut wrong = Vec::new();
    for (must, text) in cases() {
        let is = judged(&text).join(" ");
        let is = if is.is_empty() { "none" } else { &is };
        if is != must {
            let places: Vec<_> = find(&text, 0)
                .into_iter()
                .map(|f| text.get(f.range).unwrap_or("?").to_owned())
                .collect();
            wrong.push(format!("{text:?}\n    is {is} and must be {must}: {places:?}"));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of the texts:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

#[test]
fn the_address_alone_is_found() {
    let at = |text: &str| -> Vec<String> {
        find(text, 0)
            .into_iter()
            .map(|f| text.get(f.range).unwrap().to_owned())
            .collect()
    };
    assert_eq!(at("(see https://a.net/x)."), ["https://a.net/x"]);
    assert_eq!(at("[a](https://a.net/x_(y)) b"), ["https://a.net/x_(y)"]);
    assert_eq!(at("https://a.net/x_(y), b"), ["https://a.net/x_(y)"]);
    assert_eq!(at("[a](<https://a.net/x y> \"t\")"), ["https://a.net/x y"]);
    assert_eq!(
        at("\"https://a.net/x\", `https://b.net/`"),
        ["https://a.net/x", "https://b.net/"]
    );
    assert_eq!(
        at("<img srcset=\"a.png 1x, //b.net/c 2x\">"),
        ["a.png", "//b.net/c"]
    );
}

/// What stands before `from` counts as context only.
#[test]
fn the_rest_of_a_text_is_found_as_the_whole() {
    for (_, text) in cases() {
        let whole = find(&text, 0);
        for from in (0..=text.len()).filter(|at| text.is_char_boundary(*at)) {
            let must: Vec<_> = whole.iter().filter(|f| f.range.end > from).cloned().collect();
            assert_eq!(find(&text, from), must, "{text:?} from {from}");
        }
    }
}

/// What opened out of sight is taken for what loads.
#[test]
fn what_was_cut_off_may_be_an_image() {
    let loads = |text: &str, is_cut| -> Vec<bool> {
        let found = search(text, 0, is_cut).found;
        found.into_iter().map(|f| f.loads).collect()
    };
    for (text, known) in [
        ("word](https://docs.rs/a)", vec![false]),
        ("word\" src=\"//docs.rs/a\">", vec![]),
        ("word]: //docs.rs/a", vec![]),
    ] {
        assert_eq!(loads(text, true), [true], "{text:?}");
        assert_eq!(loads(text, false), known, "{text:?}");
        // Not behind the paragraph that was cut.
        assert_ne!(loads(&format!("x\n \n{text}"), true), [true], "{text:?}");
    }
}

#[test]
fn an_address_that_is_not_closed_is_told() {
    for (text, start) in [
        ("<img src=\"a b", Some(10)),
        ("<img src=' ", Some(10)),
        ("[a](<b c", Some(5)),
        ("<img src=\"a b\" alt=\"c ", None),
        ("<img src=\"a b <p", None),
        ("<img src=\"a\n\nb", None),
        ("[a](<b\nc", None),
        ("x = \"a b", None),
    ] {
        let unclosed = search(text, 0, false).unclosed;
        assert_eq!(unclosed.map(|u| u.start), start, "{text:?}");
    }
}

/// In time that grows with the square of the text this would take hours.
#[test]
fn parentheses_do_not_make_it_slow() {
    let text = "https://a)".repeat(100_000);
    assert_eq!(find(&text, 0).len(), 100_000);
}

#[test]
fn many_images_are_too_many() {
    let text: String = (0..9)
        .map(|i| format!("![](https://docs.rs/{}/image.png) ", "abcdefghi".repeat(i + 3)))
        .collect();
    let is = judged(&text);
    assert_eq!(is.iter().filter(|r| *r == "ours").count(), 8);
    assert_eq!(is.last().unwrap(), "exfiltration/many-images");
    // The same picture again says nothing; links are no images.
    let text = "![](https://docs.rs/p/a.png) ".repeat(12);
    assert!(judged(&text).iter().all(|r| r == "ours"));
    let text: String = (0..30).map(|i| format!("[x](https://docs.rs/p/{i}) ")).collect();
    assert!(judged(&text).iter().all(|r| r == "ours"));
    // A text that comes twice is judged twice alike.
    let mut watch = LinkWatch::new(network());
    let text: String = "abcde"
        .chars()
        .map(|c| format!("![](https://docs.rs/p/{c}.png)"))
        .collect();
    let mut shown = || -> Vec<bool> {
        let found = find(&text, 0);
        found.iter().map(|f| watch.judge(&text, f).is_none()).collect()
    };
    assert_eq!(shown(), [true, true, true, false, false]);
    assert_eq!(shown(), [true, true, true, false, false]);
    // A list of references is no list of images, unless one is used.
    let list: String = (0..12)
        .map(|i| format!("[{i}]: https://docs.rs/p/{i}\n"))
        .collect();
    assert!(judged(&list).iter().all(|r| r == "ours"));
    assert!(
        judged(&format!("![a][1]\n\n{list}"))
            .iter()
            .any(|r| r == "exfiltration/spelling-images")
    );
}

proptest::proptest! {
    /// Every range is a part of the text, in order and apart, whatever the text is.
    #[test]
    fn ranges_are_places_of_the_text(text in "([!\\[\\]()<>:/\\\\='\" \\n&#;%.a-z0-9\u{e9}]|https://|src=|\\]\\(|<img |www\\.|url\\(){0,60}") {
        let mut watch = LinkWatch::new(network());
        let mut end = 0;
        for found in find(&text, 0) {
            assert!(found.range.start >= end && found.range.end > found.range.start);
            assert!(text.get(found.range.clone()).is_some());
            end = found.range.end;
            watch.judge(&text, &found);
        }
    }
}
