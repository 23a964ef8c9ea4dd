//! What runs on a developer's laptop: `login`, `token`, `logout`, `agent`.
//!
//! 1. `login` signs in at the identity provider (RFC 8628: the browser may be on another device) and swaps what it gets
//!    for a device grant of the gateway. The identity provider's tokens are kept nowhere.
//! 2. `token` swaps the grant for a token of minutes.
//! 3. `agent` does so for clients that cannot run a command, and speaks TLS to the gateway for them.
//! 4. `logout` gives the grant back.

mod agent;
mod grants;
mod http;
mod login;

use std::path::PathBuf;

use clap::Args;

pub(crate) use agent::AgentArgs;

use self::grants::{Grant, Grants};
use self::http::{Gateway, Http};
use crate::failure::Failure;

/// Where the gateway is, and where grants are kept.
#[derive(Debug, Args)]
pub(crate) struct Place {
    /// The gateway's address. Left out: the one that `login` was used with, when it is the only one.
    #[arg(long)]
    gateway: Option<String>,
    /// A file with certificate authorities to trust beside those of the system.
    #[arg(long)]
    ca: Option<PathBuf>,
    /// The folder for grants.
    #[arg(long)]
    state: Option<PathBuf>,
}

impl Place {
    fn grants(&self) -> Result<Grants, Failure> {
        Grants::at(self.state.as_deref())
    }

    fn http(&self) -> Result<Http, Failure> {
        Http::new(self.ca.as_deref())
    }

    /// The gateway that is meant, and its grant.
    fn grant(&self) -> Result<(Gateway, Grant), Failure> {
        let grants = self.grants()?;
        let gateway = match &self.gateway {
            Some(text) => Gateway::parse(text)?,
            None => grants.only_one()?,
        };
        let grant = grants.read(&gateway)?;
        Ok((gateway, grant))
    }
}

/// Signs in, and keeps a grant.
pub(crate) async fn login(place: &Place) -> Result<bool, Failure> {
    let Some(gateway) = &place.gateway else {
        return Err(Failure::new(
            "no gateway is named",
            "`login` cannot guess it",
            "write `--gateway https://copilot.example.com`",
        ));
    };
    let (gateway, http, grants) = (Gateway::parse(gateway)?, place.http()?, place.grants()?);
    let Some(grant) = login::run(&http, &gateway).await? else {
        return Ok(false);
    };
    let earlier = grants.read(&gateway).ok();
    let path = grants.write(&gateway, &grant)?;
    if let Some(earlier) = earlier
        && http.give_back(&gateway, &earlier).await.is_err()
    {
        // Nobody has it any more, and it ends by itself.
        eprintln!("the earlier grant {} could not be given back", earlier.id);
    }
    eprintln!(
        "signed in to {gateway}; the grant {} is kept in {}",
        grant.id,
        path.display()
    );
    Ok(true)
}

/// Prints a fresh token, and nothing else. `false`: the gateway does not take the grant any more.
pub(crate) async fn token(place: &Place) -> Result<bool, Failure> {
    let (gateway, grant) = place.grant()?;
    match place.http()?.fresh_token(&gateway, &grant).await? {
        Some(token) => {
            println!("{}", token.token.expose());
            Ok(true)
        }
        None => Ok(signed_out(&gateway)),
    }
}

/// Gives the grant back and forgets it.
pub(crate) async fn logout(place: &Place) -> Result<bool, Failure> {
    let (gateway, grant) = place.grant()?;
    place.http()?.give_back(&gateway, &grant).await?;
    place.grants()?.remove(&gateway)?;
    eprintln!("signed out of {gateway}");
    Ok(true)
}

/// Runs the helper until it is told to stop.
pub(crate) async fn agent(args: &AgentArgs) -> Result<bool, Failure> {
    let (gateway, grant) = args.place.grant()?;
    let http = args.place.http()?;
    // Said now, not with a client's first request.
    if http.fresh_token(&gateway, &grant).await?.is_none() {
        return Ok(signed_out(&gateway));
    }
    agent::run(args, http, gateway, grant).await
}

fn signed_out(gateway: &Gateway) -> bool {
    let mend = format!("sign in again with `login --gateway {gateway}`");
    eprintln!(
        "{}",
        Failure::new("no token", "the grant has ended or was withdrawn", mend)
    );
    false
}
