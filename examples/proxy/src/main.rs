//! The copilot-guard gateway as a program. See the README at the root of the repository.

mod audit_cli;
mod cli;
mod config;
mod demo;
mod failure;
mod forward;
mod judge;
mod keys;
mod laptop;
mod policy_cli;
mod redact;
mod replay;
mod revoke;
mod schema;
mod serve;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    // Exit codes: 0 done, 1 the answer is no, 2 usage or input error (clap's own).
    let cli = cli::Cli::parse();
    match cli.run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(failure) => {
            eprintln!("{failure}");
            ExitCode::from(2)
        }
    }
}
