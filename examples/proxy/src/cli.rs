//! The command line.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

use crate::config::Config;
use crate::failure::Failure;
use crate::policy_cli::PolicyCommand;
use crate::{audit_cli, demo, forward, judge, keys, laptop, policy_cli, redact, schema, serve};

/// A gateway between developers and a model endpoint that sees, stops and proves insider abuse.
#[derive(Debug, Parser)]
#[command(name = "copilot-guard-proxy", version)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run everything on loopback: identity provider, model, gateway. Needs no file and no network.
    Demo {
        /// Try every outcome, print each as a table, and exit with 1 when one is wrong.
        #[arg(long)]
        script: bool,
    },
    /// Run the gateway. SIGTERM drains, SIGHUP reloads the policy.
    Serve {
        /// The configuration file.
        #[arg(long)]
        config: PathBuf,
    },
    /// Make the key file.
    Keys {
        #[command(subcommand)]
        command: KeysCommand,
    },
    /// Make a certificate authority for the forward mode.
    Ca {
        #[command(subcommand)]
        command: CaCommand,
    },
    /// Check configuration and policy without starting.
    Check {
        /// The configuration file.
        #[arg(long)]
        config: PathBuf,
    },
    /// Work on a policy file.
    Policy {
        #[command(subcommand)]
        command: PolicyCommand,
    },
    /// Print the JSON Schema of a file, for editors.
    Schema {
        /// Of which file.
        #[arg(value_enum)]
        file: schema::SchemaOf,
    },
    /// Mask secrets from standard input to standard output, or say where they stand in files.
    Redact(redact::RedactArgs),
    /// Say of commands, one JSON line each, whether they would be allowed, asked about or blocked.
    Judge(judge::JudgeArgs),
    /// Sign in to a gateway from this machine, with a browser here or elsewhere.
    Login(laptop::Place),
    /// Print a fresh token of the gateway, for clients that run a command for their key.
    Token(laptop::Place),
    /// Sign out: give the grant of this machine back.
    Logout(laptop::Place),
    /// Run a helper on loopback that adds fresh tokens to a client's requests.
    Agent(laptop::AgentArgs),
    /// Take access back, by person, account, session or token; open answers end within seconds.
    Revoke(crate::revoke::RevokeArgs),
    /// Read the record.
    Audit {
        #[command(subcommand)]
        command: audit_cli::AuditCommand,
    },
}

#[derive(Debug, Subcommand)]
enum KeysCommand {
    /// Make a new key file, readable by its owner alone. Never overwrites one.
    Init {
        /// Where to.
        #[arg(long, default_value = "guard.keys")]
        out: PathBuf,
    },
}

#[derive(Debug, Subcommand)]
enum CaCommand {
    /// Make a CA that can sign for a few hosts alone: `guard-ca.pem` and `guard-ca.key`. Never overwrites one.
    Init {
        /// The folder.
        #[arg(long, default_value = ".")]
        out: PathBuf,
        /// A host, with all below it, or an address. Left out: the hosts of Copilot, OpenAI and Anthropic.
        #[arg(long)]
        host: Vec<String>,
    },
}

impl Cli {
    /// Runs the command. `false`: the answer is no.
    pub(crate) fn run(self) -> Result<bool, Failure> {
        match self.command {
            Command::Demo { script } => runtime()?.block_on(demo::run(script)),
            Command::Serve { config } => {
                serve::init_logs();
                let config = Config::load(&config)?;
                runtime()?.block_on(serve::run(config)).map(|()| true)
            }
            Command::Keys {
                command: KeysCommand::Init { out },
            } => keys::init(&out).map(|()| true),
            Command::Ca {
                command: CaCommand::Init { out, host },
            } => forward::ca_init::init(&out, &host).map(|()| true),
            Command::Check { config } => check(&config),
            Command::Policy {
                command: PolicyCommand::Replay(args),
            } => runtime()?.block_on(crate::replay::run(*args)),
            Command::Policy {
                command: PolicyCommand::Check(args),
            } => policy_cli::check(&args),
            Command::Policy {
                command: PolicyCommand::Explain(args),
            } => policy_cli::explain(&args),
            Command::Schema { file } => schema::print(file).map(|()| true),
            Command::Redact(args) => redact::run(&args).map(|()| true),
            Command::Judge(args) => judge::run(&args).map(|()| true),
            Command::Login(place) => runtime()?.block_on(laptop::login(&place)),
            Command::Token(place) => runtime()?.block_on(laptop::token(&place)),
            Command::Logout(place) => runtime()?.block_on(laptop::logout(&place)),
            Command::Agent(args) => runtime()?.block_on(laptop::agent(&args)),
            Command::Revoke(args) => runtime()?.block_on(crate::revoke::run(args)),
            Command::Audit { command } => runtime()?.block_on(audit_cli::run(command)),
        }
    }
}

fn check(path: &std::path::Path) -> Result<bool, Failure> {
    let config = Config::load(path)?;
    report(&config.warnings);
    let policy = serve::check(&config)?;
    report(policy.warnings());
    println!(
        "{}: ok: {} upstreams, {} issuers, {} secret rules, policy {}",
        path.display(),
        config.upstreams.len(),
        config.issuers.len(),
        policy.rule_set().rules().len(),
        policy.version()
    );
    Ok(true)
}

fn report(warnings: &[copilot_guard::policy::Problem]) {
    for warning in warnings {
        eprintln!("warning: {warning}");
    }
}

pub(crate) fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| {
            Failure::new(
                "the runtime cannot start",
                error,
                "check the limits on threads and open files",
            )
        })
}
