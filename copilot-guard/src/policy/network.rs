//! `[network]`, compiled: what counts as ours.

use super::config::NetworkConfig;
use super::reader::{Located, Problems};
use crate::detect::command::CommandJudge;
use crate::detect::{BadEntry, Network};

/// The judge of commands for this network. Every entry that can mean nothing is a problem.
pub(super) fn compile(problems: &Problems, config: &NetworkConfig) -> CommandJudge {
    let texts =
        |list: &[Located<String>]| -> Vec<String> { list.iter().map(|item| item.value.clone()).collect() };
    let network = Network::new(
        texts(&config.allowed_hosts),
        texts(&config.internal_hosts),
        texts(&config.own_remotes),
    );
    match network {
        Ok(network) => CommandJudge::new(network),
        Err(error) => {
            for bad in &error.entries {
                report(problems, config, bad);
            }
            CommandJudge::default()
        }
    }
}

fn report(problems: &Problems, config: &NetworkConfig, bad: &BadEntry) {
    let list = match bad.list {
        "allowed_hosts" => &config.allowed_hosts,
        "internal_hosts" => &config.internal_hosts,
        _ => &config.own_remotes,
    };
    for item in list.iter().filter(|item| item.value == bad.entry) {
        // The same entry twice is told twice by the network already.
        if !problems.has_below(&item.at) {
            let what = format!("the entry {} cannot be used", item.shown());
            problems.add(&item.at, what, bad.why, bad.help);
        }
    }
}
