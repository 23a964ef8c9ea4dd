//! How much of a text is decided, and the marks that take the place of secrets.

use crate::detect::sink::{Mark, Sink, Span};
use crate::detect::tag::Tag;

use super::live::{Counted, Live};
use super::reading::Reading;

/// Lets go of everything that is decided.
///
/// `released` is where what has left ends, `read` where what was read ends, `beginning` where a secret that nothing
/// follows yet may have begun. `open` is the last group that began, while it may still grow. Gives the new `released`.
pub(super) fn release(
    live: &mut Live,
    reading: &Reading<'_>,
    open: &mut Option<Span>,
    (released, beginning, read): (u64, u64, u64),
    sink: &mut impl Sink,
) -> u64 {
    // Where two groups touch, a live candidate from before that point may yet make one of them.
    let (undecided, earliest) = live.undecided(reading, beginning);
    let settled = live.counted.len();
    let mut spans: Vec<(Counted, bool)> = Vec::new();
    if settled > 0 || live.growing().next().is_some() {
        spans.extend(live.counted.drain(..).map(|c| (c, true)));
        spans.extend(live.growing().map(|c| (c, false)));
        // Of spans with one start, the first to be certain names the group.
        spans.sort_unstable_by_key(|(c, _)| (c.start, c.since, c.rule));
    }
    let mut spans = spans.into_iter().peekable();
    let mut at = released;
    loop {
        if let Some(group) = open.as_mut() {
            while let Some((next, _)) = spans.next_if(|(c, _)| c.start < group.end) {
                group.end = group.end.max(next.end);
            }
            at = at.max(group.end);
        }
        let next = spans.peek().map(|(c, _)| *c);
        match next.filter(|c| c.start <= at) {
            Some(first) => {
                if let Some(group) = *open {
                    if group.end == at && earliest < at {
                        break;
                    }
                    sink.span(group);
                }
                sink.mark(Mark {
                    rule: first.rule,
                    start: first.start,
                    tag: tag(reading, &first),
                });
                *open = Some(Span {
                    start: first.start,
                    end: first.end,
                    rule: first.rule,
                });
                spans.next();
            }
            None => {
                let until = next.map_or(read, |c| c.start);
                let plain = until.min(undecided);
                if plain <= at {
                    break;
                }
                if let Some(group) = open.take() {
                    sink.span(group);
                }
                reading.window.pieces(at, plain, |piece| sink.text(piece));
                at = plain;
                if plain < until {
                    break;
                }
            }
        }
    }
    // What still grows comes again with the next piece.
    live.counted
        .extend(spans.filter(|(_, settled)| *settled).map(|(c, _)| c));
    at
}

/// The tag of a mark whose group begins with this span. The bytes are still in the window: they have not left.
fn tag(reading: &Reading<'_>, first: &Counted) -> Option<Tag> {
    let key = reading.options.tags.as_deref()?;
    let info = reading.rules.infos.get(first.rule.as_usize())?;
    if !info.tagged {
        return None;
    }
    let mut tagging = key.begin(&info.id);
    tagging.update(&reading.window.text(first.start, first.certain));
    Some(tagging.finish())
}
