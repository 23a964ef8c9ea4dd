//! Judges shell commands by what they would do, not by how they are spelled.

mod argv;
mod cmd_exe;
mod code;
mod decode;
mod powershell;
mod windows;
mod words;

use self::argv::judge_argv;
use self::words::{Cx, Word};
use super::judgement::Judgement;
use super::network::Network;

/// The language of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Shell {
    /// POSIX shell and bash.
    Bash,
    /// PowerShell, and `cmd` within it.
    PowerShell,
}

/// Judges commands for one policy's network. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct CommandJudge {
    network: std::sync::Arc<Network>,
}

impl CommandJudge {
    /// A judge for whom these hosts and remotes are ours.
    pub fn new(network: Network) -> Self {
        Self {
            network: network.into(),
        }
    }

    /// What counts as ours.
    pub fn network(&self) -> &std::sync::Arc<Network> {
        &self.network
    }

    /// Judges a command line or script. Never panics; what cannot be told is never allowed.
    pub fn judge(&self, shell: Shell, command: &str) -> Judgement {
        let cx = Cx {
            network: &self.network,
            depth: 0,
        };
        match shell {
            Shell::Bash => Judgement::default(),
            Shell::PowerShell => powershell::judge(&cx, command),
        }
    }

    /// Judges a program and its arguments, as `execve` takes them.
    pub fn judge_argv(&self, argv: &[String]) -> Judgement {
        let cx = Cx {
            network: &self.network,
            depth: 0,
        };
        let words: Vec<Word> = argv.iter().map(Word::known).collect();
        judge_argv(&cx, &words)
    }
}
