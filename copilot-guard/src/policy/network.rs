//! `[network]`, compiled: what counts as ours.

use super::config::NetworkConfig;
use super::reader::Problems;
use crate::detect::Network;
use crate::detect::command::CommandJudge;

/// The judge of commands for this network.
pub(super) fn compile(problems: &Problems, config: &NetworkConfig) -> CommandJudge {
    let texts = |list: &[super::reader::Located<String>]| -> Vec<String> {
        list.iter().map(|item| item.value.clone()).collect()
    };
    let _ = problems;
    let network = Network::new(
        texts(&config.allowed_hosts),
        texts(&config.internal_hosts),
        texts(&config.own_remotes),
    );
    CommandJudge::new(network)
}
