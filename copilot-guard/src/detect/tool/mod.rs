//! Judges complete tool calls: which of their arguments are commands, paths, contents and addresses, and what they do.
//!
//! 1. What the arguments of a known tool are stands in a table; those of others are told by their names.
//! 2. Commands go to the [`CommandJudge`]; so do those within files that are written: scripts, hooks, manifests, workflows.
//! 3. Paths are compared in one form, whatever system spelled them; a spelling that two systems read differently is refused.
//! 4. Addresses are those of the policy's network, or a person looks at them.
//! 5. Of unknown tools every string is walked; one that looks like a command is judged as one.
//! 6. Arguments that are too long, too deep, too many or no JSON are never allowed.

mod call;
mod code;
mod content;
mod extract;
mod extract_json;
mod fetch;
mod files;
mod guess;
mod named;
mod patch;
mod path;
mod run;
mod sql;
mod table;
#[cfg(test)]
mod tests;

use super::command::CommandJudge;
use super::judgement::Judgement;
use table::{Part, Tool};

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
    match Tool::new(name).part(path) {
        Part::Command | Part::Bash | Part::Powershell | Part::Argv | Part::Input | Part::Sql => Role::Command,
        Part::Path | Part::Place => Role::Path,
        Part::Address => Role::Address,
        Part::Content | Part::Patch | Part::Code => Role::Content,
        Part::Prose | Part::Option | Part::Unknown => Role::Other,
    }
}

/// Judges a call: `arguments` is the JSON text (or free text) that the model wrote.
pub fn judge(commands: &CommandJudge, name: &str, arguments: &str) -> Judgement {
    call::judge(commands, name, arguments)
}

/// Judges that a file is read, by its path alone: whether secrets are kept there.
pub fn judge_read(path: &str) -> Judgement {
    files::judge(path, files::Act::Read).0
}

/// Judges that a file is written, by its path alone.
pub fn judge_write(path: &str) -> Judgement {
    files::judge(path, files::Act::Write).0
}
