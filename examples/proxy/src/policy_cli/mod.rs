//! `policy check` and `policy explain`: what a policy file says, before anybody meets it.

mod answers;
mod claims;
mod explain;
#[cfg(test)]
mod tests;

pub(crate) use explain::run as explain;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use copilot_guard::policy::Policy;

use crate::config::Config;
use crate::failure::Failure;
use crate::serve::load_policy;

#[derive(Debug, Subcommand)]
pub(crate) enum PolicyCommand {
    /// Check one policy file: errors, and what is worth a look.
    Check(CheckArgs),
    /// Say which rules ran, matched and did not, and why a person gets this outcome for this request.
    Explain(explain::ExplainArgs),
    /// Judge what is on record again by another policy, and say what would change. Exits with 1 when anything would.
    Replay(Box<crate::replay::ReplayArgs>),
}

#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    /// The policy file.
    file: PathBuf,
    /// The gateway's configuration: whose reviewers vote, and which groups it names.
    #[arg(long)]
    config: Option<PathBuf>,
    /// All groups that people have, with commas between them. What the policy names beside them is a warning.
    #[arg(long, value_delimiter = ',')]
    groups: Vec<String>,
}

/// Checks a file. `false`: the answer is no.
pub(crate) fn check(args: &CheckArgs) -> Result<bool, Failure> {
    let config = args.config.as_deref().map(Config::load_for_places).transpose()?;
    let policy = load(&args.file, config.as_ref(), false)?;
    let mut warnings = policy.warnings().to_vec();
    if config.is_some() || !args.groups.is_empty() {
        let mut known: BTreeSet<String> = args.groups.iter().map(|group| group.trim().to_owned()).collect();
        if let Some(config) = &config {
            known.extend(claims::named(config));
            // Without a list, whatever an issuer could name may be there.
            if args.groups.is_empty() {
                let names = policy.group_names().into_iter();
                known.extend(names.filter(|name| claims::may_name(config, name)));
            }
        }
        warnings.extend(policy.check_groups(&known));
    }
    warnings.sort_by_key(|warning| warning.line);
    for warning in &warnings {
        eprintln!("warning: {warning}");
    }
    println!("{}: ok, version {}", args.file.display(), policy.version());
    Ok(true)
}

/// Reads a policy with the reviewers of the configuration. With `anybody` somebody votes where there is none.
fn load(file: &Path, config: Option<&Config>, anybody: bool) -> Result<Policy, Failure> {
    let reviewers = match config {
        Some(config) => config.approvals.reviewer_groups.clone(),
        None if anybody => vec!["the reviewers of the configuration".to_owned()],
        None => Vec::new(),
    };
    load_policy(file, &reviewers, Vec::new())
}
