//! Judges shell commands by what they would do, not by how they are spelled.

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
        let _ = (shell, command);
        Judgement::default()
    }

    /// Judges a program and its arguments, as `execve` takes them.
    pub fn judge_argv(&self, argv: &[String]) -> Judgement {
        let _ = argv;
        Judgement::default()
    }
}
