//! Links and images in prose that is still arriving: an address is held until it ends.
//!
//! Words pass, but for those that may be the beginning of an address (`h`, `ht`, … `https`). What is no word is held until
//! the next blank, at most [`MOST_HELD`] bytes; then every address in it is judged, and a foreign one is masked or ends the
//! answer.

use std::sync::Arc;

use super::super::watched::{Scene, Stop};
use crate::detect::Network;
use crate::detect::link::{LinkWatch, find};

/// Most bytes that are held.
const MOST_HELD: usize = 4096;
/// How much of what has left is kept as context: `![alt](`, `[id]: `, `<img src="`.
const CONTEXT: usize = 512;
/// How addresses begin.
const BEGINNINGS: &[&str] = &[
    "http",
    "https",
    "www",
    "ftp",
    "ws",
    "wss",
    "file",
    "data",
    "javascript",
    "vscode",
    "command",
    "vbscript",
];

/// The links of one text.
pub(in super::super) struct Links {
    watch: LinkWatch,
    context: String,
    held: String,
    /// The token at hand is an ordinary word so far, and has left.
    in_word: bool,
    /// A foreign address was too long to be held: what follows of it is dropped.
    dropping: bool,
}

impl Links {
    /// For a text of whose addresses these are ours.
    pub(in super::super) fn new(network: &Arc<Network>) -> Self {
        Self {
            watch: LinkWatch::new(Arc::clone(network)),
            context: String::new(),
            held: String::new(),
            in_word: false,
            dropping: false,
        }
    }

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
            if self.dropping && !c.is_whitespace() {
                continue;
            }
            self.dropping = false;
            if c.is_whitespace() {
                self.release(scene, out)?;
                self.in_word = false;
                self.pass(c, out);
            } else if self.in_word && c.is_alphanumeric() {
                self.pass(c, out);
            } else {
                self.held.push(c);
                self.in_word = false;
                if c.is_alphanumeric() && self.held.len() < 16 {
                    self.let_word_go(out);
                }
                if self.held.len() >= MOST_HELD {
                    self.dropping = self.release(scene, out)?;
                }
            }
        }
        if is_last {
            self.release(scene, out)?;
            (self.in_word, self.dropping) = (false, false);
            self.context.clear();
        }
        Ok(())
    }

    /// What is held is letters, and no address begins so.
    fn let_word_go(&mut self, out: &mut String) {
        let is_word = self.held.chars().all(char::is_alphanumeric);
        let may_begin = || {
            let lower = self.held.to_ascii_lowercase();
            BEGINNINGS.iter().any(|b| b.starts_with(&lower))
        };
        if is_word && !may_begin() {
            let word = std::mem::take(&mut self.held);
            word.chars().for_each(|c| self.pass(c, out));
            self.in_word = true;
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
        }
        self.context.push(c);
    }

    /// Judges what is held and lets it go. `true`: it ended within a foreign address.
    fn release(&mut self, scene: &mut Scene<'_>, out: &mut String) -> Result<bool, Box<Stop>> {
        let held = std::mem::take(&mut self.held);
        if held.is_empty() {
            return Ok(false);
        }
        let Some(rules) = scene.policy.output().links() else {
            out.push_str(&held);
            return Ok(false);
        };
        let from = self.context.len();
        let text = format!("{}{held}", self.context);
        let mut done = from;
        let mut open = false;
        for found in find(&text, from) {
            if found.range.start < done || self.watch.judge(&text, &found).is_none() {
                continue;
            }
            let verdict = rules.verdict(&scene.place.to_string());
            let kept = text.get(done..found.range.start).unwrap_or_default();
            match scene.act(&verdict, rules.kind()) {
                Ok(None) => {}
                Ok(Some(mark)) => {
                    out.push_str(kept);
                    out.push_str(&mark);
                    done = found.range.end;
                    open = done == text.len();
                }
                Err(stop) => {
                    out.push_str(kept);
                    return Err(stop);
                }
            }
        }
        out.push_str(text.get(done..).unwrap_or_default());
        held.chars().for_each(|c| self.remember(c));
        Ok(open)
    }
}
