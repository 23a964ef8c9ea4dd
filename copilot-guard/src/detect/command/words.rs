//! What every judge of commands hands on: the words of one command, where it stands, and what is found.

use super::super::judgement::{Class, Danger, Finding, Judgement};
use super::super::network::Network;

/// Where a command stands.
#[derive(Clone, Copy)]
pub(super) struct Cx<'a> {
    /// What counts as ours.
    pub(super) network: &'a Network,
    /// Scripts within scripts so far: `bash -c`, decoded text, interpreter code.
    pub(super) depth: u8,
    /// The folder that the script around it went to; empty where it began.
    pub(super) folder: &'a str,
    /// The script around it set a variable that the machine gives, such as `TMPDIR`.
    pub(super) is_rebound: bool,
}

/// One word of a command, as far as it can be told before the command runs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Word {
    /// What is known of it. [`UNKNOWN`] may stand for a part that is not.
    pub(super) text: String,
    /// A part of it is not known.
    pub(super) dynamic: bool,
}

/// Stands in a word where a part is not known.
pub(super) const UNKNOWN: char = '\u{fffd}';

impl Word {
    /// A word that is known in whole.
    pub(super) fn known(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            dynamic: false,
        }
    }

    /// Whether nothing of it is known.
    pub(super) fn is_blank(&self) -> bool {
        self.dynamic && self.text.chars().all(|c| c == UNKNOWN)
    }
}

/// Findings of a rule: the class stands in its name.
pub(super) trait Note {
    /// A person should look.
    fn approve(&mut self, rule: &'static str, reason: &str);
    /// It should not run.
    fn block(&mut self, rule: &'static str, reason: &str);
}

impl Note for Judgement {
    fn approve(&mut self, rule: &'static str, reason: &str) {
        self.add(Finding::new(rule, class(rule), Danger::Approve, reason));
    }

    fn block(&mut self, rule: &'static str, reason: &str) {
        self.add(Finding::new(rule, class(rule), Danger::Block, reason));
    }
}

/// The class that a rule's name begins with.
pub(super) fn class(rule: &str) -> Class {
    let name = rule.split('/').next().unwrap_or_default();
    Class::ALL
        .iter()
        .copied()
        .find(|class| class.as_str() == name)
        .unwrap_or(Class::Unclear)
}

/// A text without what nobody sees; carriage returns, which are Enter in a terminal, as line ends.
pub(super) fn visible(text: &str, out: &mut Judgement) -> String {
    if text
        .bytes()
        .all(|b| (b' '..0x7f).contains(&b) || matches!(b, b'\n' | b'\t'))
    {
        return text.to_owned();
    }
    let mut clean = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\r' => clean.push('\n'),
            '\n' | '\t' => clean.push(c),
            c if c.is_control() => out.approve("unclear/control-character", "a control character"),
            c if is_invisible(c) => {}
            UNKNOWN => clean.push('?'),
            c => clean.push(c),
        }
    }
    clean
}

/// Characters that are not shown: joiners, directions, tags, variation selectors.
const fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}'
        | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fff8}' | '\u{e0000}'..='\u{e0fff}')
}
