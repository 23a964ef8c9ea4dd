//! `revoke`: takes access back from the command line, in the store that the gateway reads.

use std::path::PathBuf;

use clap::Args;
use copilot_guard::access::{AccessStore as _, Revocation, Withdrawn};
use copilot_guard::audit::{AuditEvent, AuditSink as _, EventKind, Withdrawal};
use copilot_guard::clock::{Clock as _, SystemClock};
use copilot_guard::id::ExchangeId;
use copilot_guard_sqlite::SqliteStore;

use crate::config::Config;
use crate::config::store::Store;
use crate::failure::Failure;

/// What `revoke` is told.
#[derive(Debug, Args)]
pub(crate) struct RevokeArgs {
    /// The gateway's configuration file.
    #[arg(long)]
    config: PathBuf,
    #[command(flatten)]
    what: What,
    /// The account's name within its issuer.
    #[arg(long, requires = "issuer")]
    subject: Option<String>,
    /// Why; it goes on record.
    #[arg(long)]
    reason: String,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct What {
    /// All tokens and grants of a person, as the record names them.
    #[arg(long)]
    person: Option<String>,
    /// One token (`jti`), or a device grant by its id.
    #[arg(long)]
    token_id: Option<String>,
    /// One login session (`sid`).
    #[arg(long)]
    session: Option<String>,
    /// The issuer of an account, with `--subject`.
    #[arg(long, requires = "subject")]
    issuer: Option<String>,
}

/// Revokes; running gateways see it within seconds.
pub(crate) async fn run(args: RevokeArgs) -> Result<bool, Failure> {
    let What {
        person,
        token_id,
        session,
        issuer,
    } = args.what;
    let what = match (person, token_id, session, issuer, args.subject) {
        (Some(person), ..) => Withdrawn::Person { person },
        (_, Some(id), ..) => Withdrawn::Token { id },
        (_, _, Some(session), ..) => Withdrawn::Session { session },
        (_, _, _, Some(issuer), Some(subject)) => Withdrawn::Account { issuer, subject },
        _ => {
            return Err(Failure::new(
                "nothing is named",
                "there is neither person, token, session nor account",
                "write `--person`, `--token-id`, `--session`, or `--issuer` with `--subject`",
            ));
        }
    };
    if args.reason.trim().is_empty() || what.to_string().is_empty() {
        return Err(Failure::new(
            "an argument is empty",
            "the record must say what was withdrawn and why",
            "write it out",
        ));
    }
    let config = Config::load_for_places(&args.config)?;
    let Store::Sqlite(path) = &config.store;
    let now = SystemClock.now();
    let fail = |error: &dyn std::fmt::Display| {
        Failure::new(
            format!("the store `{}` cannot be changed", path.display()),
            error,
            "check the path and its permissions",
        )
    };
    // Opening makes a file that is not there: no gateway would ever look into that.
    if !path.exists() {
        return Err(fail(&"there is no such file"));
    }
    let store = SqliteStore::open(path, now).map_err(|e| fail(&e))?;
    let (kind, name) = (what.kind(), what.to_string());
    store
        .revoke(&Revocation::new(what, now, now).because(args.reason.as_str()))
        .await
        .map_err(|e| fail(&e))?;
    let mut entropy = copilot_guard::id::Entropy::default();
    aws_lc_rs::rand::fill(&mut entropy).map_err(|_| fail(&"the system has no randomness"))?;
    let withdrawal = Withdrawal {
        what: kind.to_owned(),
        name: name.clone(),
        issued_until: now,
        reason: args.reason,
        by: None,
        through: "command".to_owned(),
    };
    let event = EventKind::Revoked(Box::new(withdrawal));
    let event = AuditEvent::new(ExchangeId::new(now, entropy), 0, now, event);
    let _durable = store.append(&[event]).await.map_err(|e| fail(&e))?;
    println!("revoked: {kind} {name}: what was issued until {now}");
    Ok(true)
}
