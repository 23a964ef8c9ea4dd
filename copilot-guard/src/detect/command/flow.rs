//! What runs through pipes, variables and files of a script, as far as it matters.

use super::words::Word;

/// Most paths that are remembered of one stream.
const MOST_PATHS: usize = 16;

/// What a stream, a variable or a file holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Flow {
    bits: u8,
    /// All of it, when it is known.
    pub(super) text: Option<String>,
    /// Its lines are paths, and these are what they look like: each stands for many.
    pub(super) paths: Vec<Word>,
}

impl Flow {
    /// It came from the network, from a host that is not ours.
    pub(super) const DOWNLOAD: u8 = 1;
    /// It holds credentials.
    pub(super) const SECRET: u8 = 2;
    /// It holds contents of files, or what a program printed.
    pub(super) const DATA: u8 = 4;
    /// It was decoded, and what came out is not known.
    pub(super) const DECODED: u8 = 8;
    /// It says what this machine and its user are, environment included.
    pub(super) const MACHINE: u8 = 16;
    /// It came from the network, from a host of ours.
    pub(super) const FETCHED: u8 = 32;

    /// Nothing known of it but these bits.
    pub(super) const fn of(bits: u8) -> Self {
        Self {
            bits,
            text: None,
            paths: Vec::new(),
        }
    }

    /// A known text.
    pub(super) fn known(text: String) -> Self {
        Self {
            bits: 0,
            text: Some(text),
            paths: Vec::new(),
        }
    }

    /// Whether any of these bits is set.
    pub(super) const fn has(&self, bits: u8) -> bool {
        self.bits & bits != 0
    }

    /// All bits.
    pub(super) const fn bits(&self) -> u8 {
        self.bits
    }

    /// Whether nothing runs here.
    pub(super) fn is_empty(&self) -> bool {
        self.bits == 0 && self.text.is_none() && self.paths.is_empty()
    }

    /// Sets bits.
    pub(super) const fn add(&mut self, bits: u8) {
        self.bits |= bits;
    }

    /// This and another, one behind the other.
    pub(super) fn join(&mut self, other: Self) {
        if self.is_empty() {
            *self = other;
        } else if !other.is_empty() {
            self.bits |= other.bits;
            let room = MOST_PATHS.saturating_sub(self.paths.len());
            self.paths.extend(other.paths.into_iter().take(room));
            match (&mut self.text, other.text) {
                (Some(text), Some(more)) if text.len() + more.len() <= super::bound::LONGEST => {
                    text.push_str(&more)
                }
                (text, _) => *text = None,
            }
        }
    }
}
