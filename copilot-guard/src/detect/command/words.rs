//! What every judge of commands hands on: the words of one command, and where it stands.

use super::super::network::Network;

/// Where a command stands.
#[derive(Clone, Copy)]
pub(super) struct Cx<'a> {
    /// What counts as ours.
    pub(super) network: &'a Network,
    /// Scripts within scripts so far: `bash -c`, decoded text, interpreter code.
    pub(super) depth: u8,
}

/// One word of a command, as far as it can be told before the command runs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Word {
    /// What is known of it.
    pub(super) text: String,
    /// A part of it is not known.
    pub(super) dynamic: bool,
}

impl Word {
    /// A word that is known in whole.
    pub(super) fn known(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            dynamic: false,
        }
    }
}
