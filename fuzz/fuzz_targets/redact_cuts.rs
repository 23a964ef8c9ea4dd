//! However a text is cut, what leaves is what leaves when it comes in one piece, and redacting it again changes nothing.
#![no_main]

use std::sync::{Arc, LazyLock};

use copilot_guard::detect::{Mark, RuleSet, Sink, Span, TagKey};
use libfuzzer_sys::fuzz_target;

static RULES: LazyLock<RuleSet> =
    LazyLock::new(|| RuleSet::builder().builtin().build().expect("the table is right"));

#[derive(Default, PartialEq, Debug)]
struct Heard {
    out: Vec<u8>,
    marks: Vec<(usize, Mark)>,
    spans: Vec<Span>,
}

impl Sink for Heard {
    fn text(&mut self, released: &[u8]) {
        self.out.extend_from_slice(released);
    }

    fn mark(&mut self, mark: Mark) {
        self.marks.push((self.out.len(), mark));
    }

    fn span(&mut self, span: Span) {
        self.spans.push(span);
    }
}

// The first byte says how many of the following are sizes of pieces; the rest is the text.
fuzz_target!(|data: &[u8]| {
    let Some((&count, rest)) = data.split_first() else {
        return;
    };
    let (sizes, text) = rest.split_at(rest.len().min(usize::from(count % 16)));
    let key = Arc::new(TagKey::new([7; 32]));
    let mut redactor = RULES.redactor(&RULES.all()).with_tags(key);

    let mut whole = Heard::default();
    redactor.push(text, &mut whole);
    redactor.finish(&mut whole);

    let mut cut = Heard::default();
    let mut left = text;
    for size in sizes.iter().cycle().take(text.len() + 16) {
        let (piece, after) = left.split_at(left.len().min(usize::from(*size)));
        redactor.push(piece, &mut cut);
        left = after;
    }
    redactor.push(left, &mut cut);
    redactor.finish(&mut cut);
    assert_eq!(cut, whole);

    let marked = |text: &[u8]| {
        let mut out = Vec::new();
        let mut redactor = RULES.redactor(&RULES.all());
        let mut sink = RULES.marked(&mut out);
        redactor.push(text, &mut sink);
        redactor.finish(&mut sink);
        out
    };
    let once = marked(text);
    assert_eq!(marked(&once), once);
});
