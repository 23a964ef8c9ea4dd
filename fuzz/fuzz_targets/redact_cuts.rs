//! However a text is cut, what leaves is what leaves byte by byte, tags included, and redacting it again changes nothing.
#![no_main]

use std::sync::{Arc, LazyLock};

use copilot_guard::detect::{Mark, Redactor, RuleSet, Sink, Span, TagKey};
use libfuzzer_sys::fuzz_target;

static RULES: LazyLock<RuleSet> =
    LazyLock::new(|| RuleSet::builder().builtin().build().expect("the table is right"));

/// Long pieces are read in parts of at most 4 KiB: texts are made to go over that.
const LONG: usize = 12 << 10;

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

fn hear<'t>(redactor: &mut Redactor, pieces: impl IntoIterator<Item = &'t [u8]>) -> Heard {
    let mut heard = Heard::default();
    for piece in pieces {
        redactor.push(piece, &mut heard);
    }
    redactor.finish(&mut heard);
    heard
}

/// Pieces of these sizes, over and over; a size is one byte, or that byte times 16, so that the long way is taken too.
fn cut<'t>(text: &'t [u8], sizes: &[u8]) -> Vec<&'t [u8]> {
    let mut pieces = Vec::new();
    let mut left = text;
    for size in sizes.iter().cycle().take(text.len() + 16) {
        let size = match size {
            0..128 => usize::from(*size),
            _ => usize::from(*size - 127) * 16,
        };
        let (piece, after) = left.split_at(left.len().min(size));
        pieces.push(piece);
        left = after;
    }
    pieces.push(left);
    pieces
}

fn check(text: &[u8], sizes: &[u8]) -> Heard {
    let key = Arc::new(TagKey::new([7; 32]));
    let mut redactor = RULES.redactor(&RULES.all()).with_tags(key);
    let slow = hear(&mut redactor, text.chunks(1));
    assert_eq!(hear(&mut redactor, [text]), slow);
    assert_eq!(hear(&mut redactor, cut(text, sizes)), slow);
    slow
}

// The first byte says how many of the following are sizes of pieces, and how often the text is repeated; the rest is the text.
fuzz_target!(|data: &[u8]| {
    let Some((&count, rest)) = data.split_first() else {
        return;
    };
    let (sizes, text) = rest.split_at(rest.len().min(usize::from(count % 16)));
    let heard = check(text, sizes);

    // The same as a long text, with room between, so that it stands at other places of the parts it is read in.
    if count >= 128 && !text.is_empty() {
        let mut long = Vec::new();
        for room in 0.. {
            long.extend_from_slice(text);
            long.resize(long.len() + room % 67, b' ');
            if long.len() >= LONG {
                break;
            }
        }
        check(&long, sizes);
    }

    // A mark ends where a word may begin: what follows it without a gap stood within a word before.
    let opens_a_word = |span: &Span| {
        let after = text.get(usize::try_from(span.end).unwrap_or(usize::MAX));
        after.is_some_and(|b| b.is_ascii_alphanumeric() || *b == b'_')
    };
    if heard.spans.iter().any(opens_a_word) {
        return;
    }
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
