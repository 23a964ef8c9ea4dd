//! Judges complete tool calls: which of their arguments are commands, paths, contents and addresses, and what they do.

use super::command::CommandJudge;
use super::judgement::Judgement;

/// What an argument of a tool is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Role {
    /// A command or a part of one: to change it is to run something else.
    Command,
    /// A path of a file: to change it is to touch another file.
    Path,
    /// An address to fetch.
    Address,
    /// What is written into a file.
    Content,
    /// Anything else.
    Other,
}

/// What the argument at `path` (names and `[]` joined by `.`, such as `edits.[].new_string`) is to the tool `name`.
/// An unknown tool's arguments are told by their names.
pub fn role(name: &str, path: &str) -> Role {
    let _ = (name, path);
    Role::Other
}

/// Judges a call: `arguments` is the JSON text (or free text) that the model wrote.
pub fn judge(commands: &CommandJudge, name: &str, arguments: &str) -> Judgement {
    let _ = (commands, name, arguments);
    Judgement::default()
}
