//! `policy replay`: what another policy would have made of what is on record.
//!
//! 1. Exchanges are read one by one, newest first: a record of any size fits.
//! 2. The kept request is read again by its format and judged part by part; the delivered answer is judged again as if a
//!    model had sent it, text and tool calls. Groups, kind of caller, model and time are those of the record.
//! 3. What is not kept cannot be judged again: masked texts, and what was taken out of answers. Rules that matched there
//!    are carried over to both sides, and counted.
//! 4. A record that lacks what is needed is counted by what it lacks.

mod diff;
mod rejudge;
#[cfg(test)]
mod tests;

use std::path::PathBuf;

use clap::Args;
use copilot_guard::audit::{AuditReader, ExchangeFilter};
use copilot_guard::policy::Policy;

use crate::audit_cli::{open, time, unreadable};
use crate::failure::Failure;
use diff::{Change, Summary};
use rejudge::{Compared, compare};

#[derive(Debug, Args)]
pub(crate) struct ReplayArgs {
    /// The policy to try.
    #[arg(long)]
    policy: PathBuf,
    /// The record: `sqlite:FILE`, `jsonl:FILE`, or the path of a SQLite store.
    #[arg(long)]
    audit: String,
    /// Only this subject.
    #[arg(long)]
    user: Option<String>,
    /// Only callers of this group.
    #[arg(long)]
    group: Option<String>,
    /// Not before this time (RFC 3339).
    #[arg(long)]
    since: Option<String>,
    /// Before this time (RFC 3339).
    #[arg(long)]
    until: Option<String>,
    /// At most so many exchanges, the newest.
    #[arg(long)]
    limit: Option<usize>,
    /// One JSON object per line: each exchange that changes, and the summary last.
    #[arg(long)]
    json: bool,
}

/// Runs the command. `false`: something would change.
pub(crate) async fn run(args: ReplayArgs) -> Result<bool, Failure> {
    // Whose votes would be needed changes no verdict: rules that leave it to the configuration are read all the same.
    let reviewers = ["reviewers".to_owned()];
    let policy = crate::serve::load_policy(&args.policy, &reviewers, Vec::new())?;
    let url = match args.audit.split_once(':') {
        Some(("sqlite" | "jsonl", _)) => args.audit.clone(),
        _ => format!("sqlite:{}", args.audit),
    };
    let reader = open(&url)?;
    let filter = ExchangeFilter {
        user: args.user,
        group: args.group,
        since: time("since", args.since)?,
        until: time("until", args.until)?,
        limit: Some(100),
        ..ExchangeFilter::default()
    };
    let json = args.json;
    let show = |change: &Change| match json {
        true => print_json(change),
        false => println!("{change}"),
    };
    let summary = replay(&*reader, &policy, filter, args.limit, show).await?;
    match json {
        true => print_json(&serde_json::json!({ "summary": summary })),
        false => print!("{summary}"),
    }
    Ok(summary.changed == 0)
}

/// Judges every exchange of the record again, and shows those that would change.
async fn replay(
    reader: &dyn AuditReader,
    policy: &Policy,
    mut filter: ExchangeFilter,
    limit: Option<usize>,
    mut show: impl FnMut(&Change),
) -> Result<Summary, Failure> {
    let mut summary = Summary::new(policy.version());
    let mut left = limit.unwrap_or(usize::MAX);
    while left > 0 {
        let page = reader.list(&filter).await.map_err(|e| unreadable(&e))?;
        for listed in page.items.iter().take(left) {
            let events = reader.events(listed.id).await.map_err(|e| unreadable(&e))?;
            match compare(policy, &events) {
                Compared::Skipped(why) => summary.skip(why),
                Compared::Judged(judged) => {
                    let change = Change::of(listed, &judged);
                    summary.add(listed, &judged, change.as_ref());
                    change.iter().for_each(&mut show);
                }
            }
        }
        left = left.saturating_sub(page.items.len());
        match page.next_cursor {
            Some(cursor) => filter.cursor = Some(cursor),
            None => break,
        }
    }
    Ok(summary)
}

fn print_json(value: &impl serde::Serialize) {
    match serde_json::to_string(value) {
        Ok(line) => println!("{line}"),
        Err(error) => eprintln!("error: not writable as JSON: {error}"),
    }
}
