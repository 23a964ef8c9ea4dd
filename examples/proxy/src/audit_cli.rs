//! `audit list|show|replay`: the record, read back.

use std::io::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};
use copilot_guard::audit::{
    AuditEvent, AuditReader, EventKind, ExchangeFilter, ExchangeRecord, JsonLinesReader, Outcome,
};
use copilot_guard::clock::Timestamp;
use copilot_guard::decision::Action;
use copilot_guard::id::ExchangeId;
use copilot_guard_sqlite::SqliteStore;

use crate::config::Config;
use crate::config::store::Store;
use crate::failure::Failure;

#[derive(Debug, Subcommand)]
pub(crate) enum AuditCommand {
    /// List exchanges, newest first.
    List(Box<ListArgs>),
    /// Show one exchange whole: who, what, decision, rules, reviewers, prompt, answer as delivered.
    Show {
        #[command(flatten)]
        from: From,
        /// The exchange.
        id: String,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Play one answer back as it was delivered, piece by piece.
    Replay {
        #[command(flatten)]
        from: From,
        /// The exchange.
        id: String,
        /// How fast: 1 is as it was, 10 ten times faster, 0 at once.
        #[arg(long, default_value_t = 0.0)]
        speed: f64,
    },
}

#[derive(Debug, Args)]
pub(crate) struct From {
    /// The gateway's configuration file; its store is read.
    #[arg(long, required_unless_present = "store")]
    config: Option<PathBuf>,
    /// The store: `sqlite:FILE`, or `jsonl:FILE`.
    #[arg(long, conflicts_with = "config")]
    store: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    #[command(flatten)]
    from: From,
    /// Only this subject.
    #[arg(long)]
    user: Option<String>,
    /// Only callers of this group.
    #[arg(long)]
    group: Option<String>,
    /// Only this model.
    #[arg(long)]
    model: Option<String>,
    /// Only this decision: allow, mask, require_approval, block.
    #[arg(long)]
    decision: Option<String>,
    /// Only this outcome, such as completed, blocked, denied, interrupted.
    #[arg(long)]
    outcome: Option<String>,
    /// Only exchanges in which this rule matched.
    #[arg(long)]
    rule: Option<String>,
    /// Only this session of a client.
    #[arg(long)]
    session: Option<String>,
    /// Not before this time (RFC 3339).
    #[arg(long)]
    since: Option<String>,
    /// Before this time (RFC 3339).
    #[arg(long)]
    until: Option<String>,
    /// Only exchanges in whose request or answer this text occurs.
    #[arg(long)]
    text: Option<String>,
    /// At most so many.
    #[arg(long, default_value_t = 1000)]
    limit: usize,
    /// One JSON object per line.
    #[arg(long)]
    json: bool,
}

/// Runs the command. `false`: there is no such exchange.
pub(crate) async fn run(command: AuditCommand) -> Result<bool, Failure> {
    match command {
        AuditCommand::List(args) => list(args).await.map(|()| true),
        AuditCommand::Show { from, id, json } => {
            let Some(events) = events(&from, &id).await? else {
                return Ok(false);
            };
            let record = ExchangeRecord::from_events(&events);
            match (record, json) {
                (Some(record), true) => print_json(&record),
                (Some(record), false) => print!("{}", shown(&record)),
                (None, _) => return Ok(false),
            }
            Ok(true)
        }
        AuditCommand::Replay { from, id, speed } => {
            let Some(events) = events(&from, &id).await? else {
                return Ok(false);
            };
            replay(&events, speed).await?;
            Ok(true)
        }
    }
}

fn reader(from: &From) -> Result<Box<dyn AuditReader>, Failure> {
    let url = match (&from.store, &from.config) {
        (Some(store), _) => store.clone(),
        (None, Some(config)) => match Config::load_for_places(config)?.store {
            Store::Sqlite(path) => format!("sqlite:{}", path.display()),
        },
        (None, None) => String::new(),
    };
    open(&url)
}

/// The store of this address, to read.
pub(crate) fn open(url: &str) -> Result<Box<dyn AuditReader>, Failure> {
    if let Some(path) = url.strip_prefix("sqlite:") {
        let path = path.trim_start_matches("//");
        let store = SqliteStore::open_read_only(path).map_err(|error| {
            Failure::new(
                format!("the store `{path}` cannot be read"),
                error,
                "check the path and its permissions",
            )
        })?;
        return Ok(Box::new(store));
    }
    if let Some(path) = url.strip_prefix("jsonl:") {
        return Ok(Box::new(JsonLinesReader::new(path)));
    }
    Err(Failure::new(
        format!("unknown store `{url}`"),
        "its scheme is not known",
        "write `sqlite:FILE` or `jsonl:FILE`",
    ))
}

/// All events of one exchange; `None` when there is none.
async fn events(from: &From, id: &str) -> Result<Option<Vec<AuditEvent>>, Failure> {
    let id: ExchangeId = id.parse().map_err(|error| {
        Failure::new(
            format!("`{id}` names no exchange"),
            error,
            "copy the id from `audit list`",
        )
    })?;
    match reader(from)?.events(id).await {
        Ok(events) if events.is_empty() => Ok(None),
        Ok(events) => Ok(Some(events)),
        Err(copilot_guard::audit::ReadError::NotFound) => {
            eprintln!("no such exchange in this store");
            Ok(None)
        }
        Err(error) => Err(unreadable(&error)),
    }
}

async fn list(args: Box<ListArgs>) -> Result<(), Failure> {
    let args = *args;
    let reader = reader(&args.from)?;
    let mut filter = ExchangeFilter {
        user: args.user,
        group: args.group,
        model: args.model,
        decision: word::<Action>("decision", args.decision)?,
        outcome: word::<Outcome>("outcome", args.outcome)?,
        rule: args.rule,
        session: args.session,
        since: time("since", args.since)?,
        until: time("until", args.until)?,
        text: args.text,
        limit: Some(args.limit.min(500)),
        cursor: None,
    };
    let mut left = args.limit;
    if !args.json {
        println!(
            "{:36}  {:24}  {:16}  {:11}  {:16}  {:15}  rules",
            "exchange", "started", "subject", "model", "decision", "outcome"
        );
    }
    while left > 0 {
        let page = reader.list(&filter).await.map_err(|e| unreadable(&e))?;
        for record in page.items.iter().take(left) {
            if args.json {
                print_json(record);
            } else {
                println!("{}", row(record));
            }
        }
        left = left.saturating_sub(page.items.len());
        match page.next_cursor {
            Some(cursor) => filter.cursor = Some(cursor),
            None => break,
        }
    }
    Ok(())
}

fn row(record: &ExchangeRecord) -> String {
    let outcome = record.outcome.map_or("open", Outcome::as_str);
    let rules: Vec<_> = record.rules.iter().map(|r| r.id.as_str()).collect();
    format!(
        "{}  {}  {:16}  {:11}  {:16}  {:15}  {}",
        record.id,
        record.started_at,
        record.subject,
        record.model,
        record.decision.as_str(),
        outcome,
        rules.join(",")
    )
}

fn shown(record: &ExchangeRecord) -> String {
    use std::fmt::Write as _;
    let mut out = String::new();
    let mut line = |name: &str, value: &str| {
        if !value.is_empty() {
            // Writing to a String cannot fail.
            let _ = writeln!(out, "{name:14} {value}");
        }
    };
    line("exchange", &record.id.to_string());
    line("started", &record.started_at.to_string());
    line(
        "ended",
        &record.ended_at.map(|t| t.to_string()).unwrap_or_default(),
    );
    line("subject", &record.subject);
    line("issuer", &record.issuer);
    line(
        "groups",
        &record.groups.iter().cloned().collect::<Vec<_>>().join(", "),
    );
    line("session", record.session.as_deref().unwrap_or_default());
    line("upstream", &record.upstream);
    line("dialect", &record.dialect);
    line("model", &record.model);
    line("decision", record.decision.as_str());
    line("outcome", record.outcome.map_or("open", Outcome::as_str));
    line(
        "status",
        &record.status.map(|s| s.to_string()).unwrap_or_default(),
    );
    line("code", record.code.as_deref().unwrap_or_default());
    line("policy", &record.policy_version);
    for rule in &record.rules {
        line(
            "rule",
            &format!("{} ({} on {})", rule.id, rule.action, rule.stage),
        );
    }
    for mask in &record.masks {
        line(
            "mask",
            &format!("{} x{} in {}", mask.rule, mask.count, mask.channel),
        );
    }
    for what in &record.not_scanned {
        line("not scanned", what);
    }
    line(
        "approval",
        &record.approval.map(|a| a.to_string()).unwrap_or_default(),
    );
    for vote in &record.votes {
        line(
            "vote",
            &format!(
                "{} by {} at {}: {}",
                vote.vote, vote.reviewer, vote.at, vote.reason
            ),
        );
    }
    line("request", record.request.as_deref().unwrap_or_default());
    if let Some(response) = &record.response {
        let _ = writeln!(out, "response, as delivered:\n{response}");
    }
    out
}

/// Writes every delivered piece to standard output, with the pauses there were, divided by `speed`.
async fn replay(events: &[AuditEvent], speed: f64) -> Result<(), Failure> {
    let mut last: Option<Timestamp> = None;
    let mut stdout = std::io::stdout();
    for event in events {
        let EventKind::Delivered { text, .. } = &event.kind else {
            continue;
        };
        if let (Some(last), true) = (last, speed > 0.0) {
            tokio::time::sleep(Duration::from_secs_f64(
                event.at.since(last).as_secs_f64() / speed,
            ))
            .await;
        }
        last = Some(event.at);
        let written = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
        written.map_err(|error| {
            Failure::new("the answer cannot be written", error, "check the end of the pipe")
        })?;
    }
    Ok(())
}

fn print_json<T: serde::Serialize>(value: &T) {
    match serde_json::to_string(value) {
        Ok(text) => println!("{text}"),
        Err(error) => eprintln!("error: a record cannot be printed: {error}: report this as a bug"),
    }
}

fn word<T: serde::de::DeserializeOwned>(name: &str, value: Option<String>) -> Result<Option<T>, Failure> {
    value
        .map(|text| {
            serde_json::from_value(serde_json::Value::String(text.clone())).map_err(|_| {
                Failure::new(
                    format!("`{text}` is no {name}"),
                    "the name is not known",
                    "see `audit list --help`",
                )
            })
        })
        .transpose()
}

pub(crate) fn time(name: &str, value: Option<String>) -> Result<Option<Timestamp>, Failure> {
    let parse = |text: String| {
        text.parse().map_err(|error| {
            Failure::new(
                format!("`--{name} {text}`"),
                error,
                "write a time such as 2027-03-31T12:00:00Z",
            )
        })
    };
    value.map(parse).transpose()
}

pub(crate) fn unreadable(error: &copilot_guard::audit::ReadError) -> Failure {
    Failure::new(
        "the record cannot be read",
        error,
        "check the store and its permissions",
    )
}
