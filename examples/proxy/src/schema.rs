//! `schema`: the JSON Schemas of both files, for editors.

use std::io::Write as _;

use clap::ValueEnum;

use crate::config;
use crate::failure::Failure;

/// The files that have one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum SchemaOf {
    /// `policy.toml`.
    Policy,
    /// `guard.toml`.
    Config,
}

/// Writes a schema to standard output.
pub(crate) fn print(of: SchemaOf) -> Result<(), Failure> {
    let text = match of {
        SchemaOf::Policy => copilot_guard::policy::schema(),
        SchemaOf::Config => config::schema::schema(),
    };
    std::io::stdout().write_all(text.as_bytes()).map_err(|error| {
        Failure::new(
            "the schema cannot be written",
            error,
            "check where the output goes",
        )
    })
}
