//! Redaction against an oracle: the same secrets are masked however the text is cut, and nothing waits without need.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test stops at the first thing that is not as it should be"
)]

mod allow;
mod bounds;
mod builtin;
mod fields;
mod lint;
mod long;
mod oracle;
mod tags;
mod toy;
mod utf8;
mod values;
mod witness;

use copilot_guard::detect::{Mark, Redactor, RuleIndex, RuleMask, RuleSet, Sink, Span, Tag};

/// Everything a redactor said, in a form that does not depend on how the text was cut.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
struct Heard {
    /// Released bytes; a mark is `Err`.
    out: Vec<Result<u8, (RuleIndex, u64)>>,
    spans: Vec<Span>,
    tags: Vec<Option<Tag>>,
}

impl Sink for Heard {
    fn text(&mut self, released: &[u8]) {
        assert!(!released.is_empty());
        self.out.extend(released.iter().map(|b| Ok(*b)));
    }

    fn mark(&mut self, mark: Mark) {
        self.out.push(Err((mark.rule, mark.start)));
        self.tags.push(mark.tag);
    }

    fn span(&mut self, span: Span) {
        assert!(
            self.out.contains(&Err((span.rule, span.start))),
            "a span that no mark announced"
        );
        self.spans.push(span);
    }
}

impl Heard {
    fn groups(&self) -> Vec<(usize, usize)> {
        self.spans
            .iter()
            .map(|s| (s.start as usize, s.end as usize))
            .collect()
    }

    /// What must have left, if these groups are masked.
    fn expected(text: &[u8], spans: &[Span]) -> Self {
        let mut heard = Self {
            out: Vec::new(),
            spans: spans.to_vec(),
            tags: Vec::new(),
        };
        let mut at = 0;
        for span in spans {
            heard.text_or_nothing(&text[at..span.start as usize]);
            heard.mark(Mark {
                rule: span.rule,
                start: span.start,
                tag: None,
            });
            at = span.end as usize;
        }
        heard.text_or_nothing(&text[at..]);
        heard
    }

    fn text_or_nothing(&mut self, text: &[u8]) {
        self.out.extend(text.iter().map(|b| Ok(*b)));
    }
}

fn stream<'t>(redactor: &mut Redactor, pieces: impl IntoIterator<Item = &'t [u8]>) -> Heard {
    let mut heard = Heard::default();
    for piece in pieces {
        redactor.push(piece, &mut heard);
    }
    redactor.finish(&mut heard);
    assert_eq!(redactor.held(), 0);
    heard
}

fn redact(rules: &RuleSet, mask: &RuleMask, text: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut sink = rules.marked(&mut out);
    let mut redactor = rules.redactor(mask);
    redactor.push(text, &mut sink);
    redactor.finish(&mut sink);
    out
}

/// The pieces that a set of cuts makes: bit `i` cuts after byte `i`.
fn pieces(text: &[u8], cuts: u64) -> Vec<&[u8]> {
    let mut all = Vec::new();
    let mut from = 0;
    for i in 0..text.len() {
        if cuts >> i & 1 == 1 {
            all.push(&text[from..=i]);
            from = i + 1;
        }
    }
    all.push(&text[from..]);
    all
}
