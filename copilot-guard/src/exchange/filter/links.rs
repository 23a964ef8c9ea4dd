//! Links and images in prose that is still arriving: an address is held until it ends.
//!
//! 1. Words pass, but for those that may be the beginning of an address (`h`, `ht`, … `https`).
//! 2. What is no word is held until the next blank, and an address between quotes or angle brackets until these close; at
//!    most [`MOST_HELD`] bytes. Then every address in it is judged, and a foreign one is masked or ends the answer.
//! 3. Of a longer text without a blank leaves what cannot be part of an address that goes on. An address that is longer
//!    itself is taken for foreign: what it says at its end was not seen.

use super::super::watched::{Scene, Stop};
use crate::detect::link::{Found, LinkWatch, Search, Unclosed, may_begin, search};

/// Most bytes that are held.
const MOST_HELD: usize = 4096;
/// How much of what has left is kept as context: `![alt](`, `[id]: `, `<img src="`.
const CONTEXT: usize = 512;
/// So near to the end an address may begin, or go on, that is none yet.
const TAIL: usize = 24;

/// The links of one text.
#[derive(Default)]
pub(in super::super) struct Links {
    context: String,
    /// More stood before the context.
    is_cut: bool,
    held: String,
    /// The address at hand is held until this closes it.
    close: Option<char>,
    /// The token at hand is an ordinary word so far, and has left.
    in_word: bool,
    passing: Passing,
}

/// What becomes of the rest of a token.
#[derive(Default, Clone, Copy, PartialEq, Eq)]
enum Passing {
    #[default]
    Judged,
    /// A foreign address was too long to be held: what follows of it is dropped.
    Dropped,
    /// The letters of an image that stands in its address.
    Image,
}

impl Links {
    /// Takes the next piece and appends what may pass.
    ///
    /// # Errors
    /// The answer ends here.
    pub(in super::super) fn run(
        &mut self,
        scene: &mut Scene<'_>,
        text: &str,
        is_last: bool,
        out: &mut String,
    ) -> Result<(), Box<Stop>> {
        for c in text.chars() {
            self.take(scene, c, out)?;
        }
        if is_last {
            self.release(scene, Until::End, out)?;
            *self = Self::default();
        }
        Ok(())
    }

    fn take(&mut self, scene: &mut Scene<'_>, c: char, out: &mut String) -> Result<(), Box<Stop>> {
        match self.passing {
            Passing::Dropped if !c.is_whitespace() => return Ok(()),
            Passing::Image if is_base64(c) => {
                self.pass(c, out);
                return Ok(());
            }
            _ => self.passing = Passing::Judged,
        }
        if let Some(close) = self.close {
            self.held.push(c);
            if self.held.len() >= MOST_HELD {
                return self.release(scene, Until::Full, out);
            }
            // A tag or a blank line ends it too.
            let is_end = c == close || c == '<' || c == '\n' && (close == '>' || self.is_blank_line());
            return if is_end {
                self.close = None;
                self.release(scene, Until::Blank, out)
            } else {
                Ok(())
            };
        }
        if c.is_whitespace() {
            self.release(scene, Until::Blank, out)?;
            self.in_word = false;
            if self.close.is_some() {
                self.held.push(c);
            } else {
                self.pass(c, out);
            }
        } else if self.in_word && c.is_ascii_alphanumeric() {
            self.pass(c, out);
        } else {
            self.held.push(c);
            self.in_word = false;
            if c.is_alphanumeric() && self.held.len() < 16 {
                self.let_word_go(out);
            }
            if self.held.len() >= MOST_HELD {
                self.release(scene, Until::Full, out)?;
            }
        }
        Ok(())
    }

    /// Whether what is held ends with a blank line.
    fn is_blank_line(&self) -> bool {
        let mut lines = self.held.rsplit('\n').skip(1);
        lines.next().is_some_and(|line| line.trim().is_empty()) && lines.next().is_some()
    }

    /// What is held is letters, and no address begins so.
    fn let_word_go(&mut self, out: &mut String) {
        let is_word = self.held.chars().all(char::is_alphanumeric);
        if is_word && !may_begin(&self.held.to_ascii_lowercase()) {
            // Behind a letter of another script an address may begin.
            self.in_word = self.held.ends_with(|c: char| c.is_ascii());
            let word = std::mem::take(&mut self.held);
            word.chars().for_each(|c| self.pass(c, out));
        }
    }

    fn pass(&mut self, c: char, out: &mut String) {
        out.push(c);
        self.remember(c);
    }

    fn remember(&mut self, c: char) {
        if self.context.len() >= 2 * CONTEXT {
            let from = self.context.len() - CONTEXT;
            let from = (from..=self.context.len()).find(|n| self.context.is_char_boundary(*n));
            self.context.drain(..from.unwrap_or_default());
            self.is_cut = true;
        }
        self.context.push(c);
    }

    /// Judges what is held, and lets go of what is known by now.
    fn release(&mut self, scene: &mut Scene<'_>, until: Until, out: &mut String) -> Result<(), Box<Stop>> {
        let held = std::mem::take(&mut self.held);
        self.close = None;
        if held.is_empty() {
            return Ok(());
        }
        if scene.policy.output().links().is_none() {
            out.push_str(&held);
            return Ok(());
        }
        let from = self.context.len();
        let text = format!("{}{held}", self.context);
        let Search { found, unclosed } = search(&text, from, self.is_cut);
        let keep = keep_from(&text, from, until, &found, unclosed);
        if keep == Keep::TooLong {
            return self.too_long(scene, &held, out);
        }
        let to = match keep {
            Keep::Nothing | Keep::TooLong => text.len(),
            Keep::From(at) => at,
            Keep::Close(at, close) => {
                self.close = Some(close);
                at
            }
        };
        let mut done = from;
        for found in &found {
            let start = found.range.start.max(done);
            if found.range.end <= done || start >= to || !is_foreign(scene, &text, found, from) {
                continue;
            }
            let kept = text.get(done..start).unwrap_or_default();
            match foreign(scene) {
                Ok(None) => {}
                Ok(Some(mark)) => {
                    out.push_str(kept);
                    out.push_str(&mark);
                    done = found.range.end;
                }
                Err(stop) => {
                    out.push_str(kept);
                    return Err(stop);
                }
            }
        }
        let to = to.max(done);
        out.push_str(text.get(done..to).unwrap_or_default());
        let left = text.get(from..to).unwrap_or_default();
        left.chars().for_each(|c| self.remember(c));
        text.get(to..).unwrap_or_default().clone_into(&mut self.held);
        Ok(())
    }

    /// What is held is one address, and goes on.
    fn too_long(&mut self, scene: &mut Scene<'_>, held: &str, out: &mut String) -> Result<(), Box<Stop>> {
        let mark = if is_in_itself(held) {
            self.passing = Passing::Image;
            None
        } else {
            foreign(scene)?
        };
        match mark {
            Some(mark) => {
                out.push_str(&mark);
                self.passing = Passing::Dropped;
            }
            None => out.push_str(held),
        }
        held.chars().for_each(|c| self.remember(c));
        Ok(())
    }
}

/// Why something is released.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Until {
    /// A blank follows, or the end of an address.
    Blank,
    /// There is no room for more.
    Full,
    /// The text has ended.
    End,
}

/// What stays held.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Keep {
    Nothing,
    From(usize),
    /// From here, until this sign comes.
    Close(usize, char),
    /// Nothing could leave: what is held is one address that goes on.
    TooLong,
}

fn keep_from(text: &str, from: usize, until: Until, found: &[Found], unclosed: Option<Unclosed>) -> Keep {
    let unclosed = unclosed.map(|u| (u.start.max(from), u.close));
    match (until, unclosed) {
        (Until::End, _) => Keep::Nothing,
        (Until::Blank, Some((start, close))) => Keep::Close(start, close),
        (Until::Blank, None) => Keep::Nothing,
        // It has been held for so long already.
        (Until::Full, Some((start, _))) if start == from => Keep::TooLong,
        (Until::Full, Some((start, close))) => Keep::Close(start, close),
        (Until::Full, None) => {
            let tail = text.len().saturating_sub(TAIL);
            let tail = (tail..text.len()).find(|at| text.is_char_boundary(*at));
            let last = found.last().filter(|found| reaches_end(text, found));
            match last.map(|found| found.range.start) {
                Some(start) if start <= from => Keep::TooLong,
                Some(start) => Keep::From(start.min(tail.unwrap_or(start))),
                None => tail.map_or(Keep::Nothing, Keep::From),
            }
        }
    }
}

/// Whether an address may go on behind the text: it ends with it, or but for signs that are not taken for part of it yet.
fn reaches_end(text: &str, found: &Found) -> bool {
    found.range.end + TAIL >= text.len()
}

/// An image whose bytes stand in its address: it may be long, and leads nowhere.
fn is_in_itself(address: &str) -> bool {
    let is = |from: usize, to: usize, what: &str| {
        let part = address.get(from..to);
        part.is_some_and(|part| part.eq_ignore_ascii_case(what))
    };
    is(0, 11, "data:image/") && !is(11, 14, "svg")
}

const fn is_base64(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '=' | '-' | '_' | '%')
}

/// Whether an address is not ours. What began before `from` was counted when it did.
fn is_foreign(scene: &mut Scene<'_>, text: &str, found: &Found, from: usize) -> bool {
    let Some(rules) = scene.policy.output().links() else {
        return false;
    };
    let network = rules.network();
    let watch = scene
        .findings
        .links
        .get_or_insert_with(|| LinkWatch::new(network.clone()));
    if found.range.start < from {
        watch.clone().judge(text, found).is_some()
    } else {
        watch.judge(text, found).is_some()
    }
}

/// What the rules say of one that is not: the mark that takes its place.
fn foreign(scene: &mut Scene<'_>) -> Result<Option<String>, Box<Stop>> {
    match scene.policy.output().links() {
        Some(rules) => {
            let verdict = rules.verdict(&scene.place.to_string());
            scene.act(&verdict, rules.kind())
        }
        None => Ok(None),
    }
}
