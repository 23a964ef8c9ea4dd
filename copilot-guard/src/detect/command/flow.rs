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
    /// It is one of these texts: which, depends on conditions.
    pub(super) choices: Vec<String>,
}

/// Most texts that a stream may be one of.
const MOST_CHOICES: usize = 8;

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
            choices: Vec::new(),
        }
    }

    /// A known text.
    pub(super) fn known(text: String) -> Self {
        Self {
            bits: 0,
            text: Some(text),
            paths: Vec::new(),
            choices: Vec::new(),
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
        self.bits == 0 && self.text.is_none() && self.paths.is_empty() && self.choices.is_empty()
    }

    /// Every text that it may be; none when that is not known.
    pub(super) fn texts(&self) -> impl Iterator<Item = &String> {
        self.text.iter().chain(&self.choices)
    }

    /// This or another: which of them, depends on a condition.
    pub(super) fn either(self, other: Self) -> Self {
        if self == other {
            return self;
        }
        let is_silent = |flow: &Self| flow.bits == 0 && flow.paths.is_empty();
        let is_told = |flow: &Self| flow.texts().next().is_some() || flow.is_empty();
        let mut flow = Self::of(self.bits | other.bits);
        if is_told(&self) && is_told(&other) && is_silent(&self) && is_silent(&other) {
            for side in [&self, &other] {
                flow.choices.extend(side.texts().cloned());
                if side.is_empty() {
                    flow.choices.push(String::new());
                }
            }
            flow.choices.sort();
            flow.choices.dedup();
            if flow.choices.len() > MOST_CHOICES {
                flow = Self::of(flow.bits | Self::DATA);
            }
            return flow;
        }
        if !self.is_empty() && !other.is_empty() || self.texts().next().is_some() {
            flow.add(Self::DATA);
        }
        flow.paths = self.paths;
        let room = MOST_PATHS.saturating_sub(flow.paths.len());
        flow.paths.extend(other.paths.into_iter().take(room));
        flow
    }

    /// This, of which nobody knows how often it comes.
    pub(super) fn repeated(mut self) -> Self {
        if self.texts().any(|text| !text.is_empty()) {
            self.add(Self::DATA);
            self.text = None;
            self.choices.clear();
        }
        self
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
            if !self.choices.is_empty() || !other.choices.is_empty() {
                self.choices.clear();
                self.text = None;
                self.bits |= Self::DATA;
            }
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
