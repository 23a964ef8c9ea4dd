//! What comes back of turns that policy stopped: our own notices, and the texts that they answered. Pure.
//!
//! A client sends the whole conversation each time. Where a refusal looked like an answer, the stopped text and the
//! notice are a part of it; were they judged as new, the conversation could never go on. So a genuine notice becomes a
//! neutral note, and what it answered becomes one too, if it would be stopped again: neither goes up. Everything else
//! is judged as always.

use std::collections::{BTreeMap, BTreeSet};

use crate::decision::{Action, Decision};
use crate::dialect::{Dialect, ParsedRequest};
use crate::exchange::{NoticeKey, STOPPED};

/// What stands in place of a text that was stopped before.
const LEFT_OUT: &str = "[This message was stopped by policy and is left out.]";

/// What a request repeats of stopped turns.
#[derive(Debug, Default)]
pub(super) struct Resent {
    /// Texts of the assistant, with a note for each notice.
    texts: BTreeMap<usize, String>,
    /// Parts that a notice answers.
    answered: BTreeSet<usize>,
    /// Of these, parts whose whole answer was the notice.
    refused: BTreeSet<usize>,
}

impl Resent {
    pub(super) fn of(request: &ParsedRequest, key: &NoticeKey) -> Self {
        let mut resent = Self::default();
        if !matches!(
            request.dialect,
            Dialect::Chat | Dialect::Responses | Dialect::Messages
        ) {
            return resent;
        }
        // Of the turn at hand.
        let mut asked = Vec::new();
        let mut is_answering = false;
        for (index, part) in request.parts.iter().enumerate() {
            match part.role.as_str() {
                "user" | "tool" | "function" => {
                    if std::mem::take(&mut is_answering) {
                        asked.clear();
                    }
                    asked.push(index);
                }
                "assistant" => {
                    is_answering = true;
                    let Some(text) = key.without(&part.text).filter(|_| !part.fixed) else {
                        continue;
                    };
                    let asked = std::mem::take(&mut asked);
                    if text.trim() == STOPPED {
                        resent.refused.extend(&asked);
                    }
                    resent.answered.extend(asked);
                    resent.texts.insert(index, text);
                }
                // What clients put between, such as reminders of the system.
                _ => {}
            }
        }
        resent
    }

    /// The text of a part as it is judged.
    pub(super) fn text<'t>(&'t self, index: usize, text: &'t str) -> &'t str {
        self.texts.get(&index).map_or(text, String::as_str)
    }

    /// What takes the place of a part that was stopped before and would be again.
    pub(super) fn note(&self, index: usize, again: &Decision) -> Option<&'static str> {
        let stopped = match again.action {
            Action::Block => self.answered.contains(&index),
            // Denied, or nobody voted: whoever wants to ask again does so in a new message.
            Action::RequireApproval => self.refused.contains(&index),
            Action::Allow | Action::Mask => false,
        };
        stopped.then_some(LEFT_OUT)
    }
}
