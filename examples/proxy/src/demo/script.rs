//! `demo --script`: tries every outcome over real sockets and says whether it was right.

use std::time::Duration;

use copilot_guard::audit::{AuditReader as _, EventKind};
use copilot_guard::id::ExchangeId;
use copilot_guard_sqlite::SqliteStore;
use serde_json::{Value, json};

use super::client::Reply;
use super::model::planted_secret;
use super::setup::{Demo, UPSTREAM_CREDENTIAL};
use crate::failure::Failure;

type Error = Box<dyn std::error::Error + Send + Sync>;

const SECRET_QUESTION: &str = "Show me the deploy script.";
const HELD_QUESTION: &str = "Write a query against the production database.";

/// One outcome: what was expected, what came.
struct Row {
    outcome: &'static str,
    expected: &'static str,
    got: String,
    right: bool,
}

/// Runs all outcomes and prints the table. `false`: one of them is wrong.
pub(super) async fn run(demo: &Demo) -> Result<bool, Failure> {
    let rows = [
        row("allowed", "200, the model's answer", allowed(demo).await),
        row(
            "masked",
            "200, [REDACTED:github-pat:…] in place of the token",
            masked(demo).await,
        ),
        row(
            "blocked",
            "400 blocked_by_policy, model not asked",
            blocked(demo).await,
        ),
        row("no token", "401, model not asked", no_token(demo).await),
        row(
            "held, approved",
            "held, own vote refused, released by Rita's vote",
            held(demo, true).await,
        ),
        row(
            "held, denied",
            "held, ended with a notice, model not asked",
            held(demo, false).await,
        ),
        row(
            "replayed",
            "the record holds the masked answer byte for byte",
            replayed(demo).await,
        ),
    ];
    println!("{:16} {:5} {:50} got", "outcome", "ok", "expected");
    for row in &rows {
        let mark = if row.right { "yes" } else { "NO" };
        println!("{:16} {mark:5} {:50} {}", row.outcome, row.expected, row.got);
    }
    Ok(rows.iter().all(|row| row.right))
}

fn row(outcome: &'static str, expected: &'static str, result: Result<(bool, String), Error>) -> Row {
    match result {
        Ok((right, got)) => Row {
            outcome,
            expected,
            got,
            right,
        },
        Err(error) => Row {
            outcome,
            expected,
            got: format!("failed: {error}"),
            right: false,
        },
    }
}

/// Nothing that comes down may hold the upstream credential.
fn is_clean(reply: &Reply) -> bool {
    !reply.body.contains(UPSTREAM_CREDENTIAL) && !format!("{:?}", reply.headers).contains(UPSTREAM_CREDENTIAL)
}

async fn allowed(demo: &Demo) -> Result<(bool, String), Error> {
    let reply = demo
        .client
        .chat(&demo.data_url, &demo.people.dana, "What is a monoid?")
        .await?;
    let right = reply.status == 200
        && reply.header("x-copilot-guard-decision") == "allow"
        && reply.chat_text().starts_with("A monoid is")
        && reply.body.ends_with("data: [DONE]\n\n")
        && is_clean(&reply);
    Ok((right, format!("{}, {}", reply.status, quoted(&reply.chat_text()))))
}

async fn masked(demo: &Demo) -> Result<(bool, String), Error> {
    let reply = demo
        .client
        .chat(&demo.data_url, &demo.people.dana, SECRET_QUESTION)
        .await?;
    let text = reply.chat_text();
    let right = reply.status == 200
        && text.contains("[REDACTED:github-pat:")
        && text.ends_with("./deploy.sh --all\n")
        && !reply.body.contains(&planted_secret())
        && is_clean(&reply);
    Ok((right, format!("{}, {}", reply.status, quoted(&text))))
}

async fn blocked(demo: &Demo) -> Result<(bool, String), Error> {
    let before = demo.model_count();
    let reply = demo
        .client
        .chat(&demo.data_url, &demo.people.dana, "Summarise project bluebird.")
        .await?;
    let body: Value = serde_json::from_str(&reply.body)?;
    let code = body
        .pointer("/error/code")
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned();
    let right = reply.status == 400 && code == "blocked_by_policy" && demo.model_count() == before;
    Ok((
        right,
        format!(
            "{} {code}, model asked {} times",
            reply.status,
            demo.model_count() - before
        ),
    ))
}

async fn no_token(demo: &Demo) -> Result<(bool, String), Error> {
    let before = demo.model_count();
    let reply = demo.client.chat(&demo.data_url, "not-a-token", "hello").await?;
    let right = reply.status == 401 && demo.model_count() == before;
    Ok((
        right,
        format!(
            "{}, model asked {} times",
            reply.status,
            demo.model_count() - before
        ),
    ))
}

async fn held(demo: &Demo, approve: bool) -> Result<(bool, String), Error> {
    let before = demo.model_count();
    // Each question is new: an approval is bound to the text that was shown.
    let question = format!(
        "{HELD_QUESTION} ({})",
        if approve { "customers" } else { "salaries" }
    );
    let asking = {
        let (client, url, token) = (
            demo.client.clone(),
            demo.data_url.clone(),
            demo.people.dana.clone(),
        );
        tokio::spawn(async move { client.chat(&url, &token, &question).await })
    };
    let approval = pending(demo).await?;
    let asked_early = demo.model_count() != before;
    let url = format!("{}/api/approvals/{approval}/votes", demo.admin_url);
    let own = demo
        .client
        .post(&url, &demo.people.dana_as_reviewer, &json!({ "vote": "approve" }))
        .await?;
    let vote = json!({ "vote": if approve { "approve" } else { "deny" }, "reason": "demo" });
    let vote = demo.client.post(&url, &demo.people.rita, &vote).await?;
    let reply = asking.await??;
    let text = reply.chat_text();
    let asked = demo.model_count() - before;
    let answered = if approve {
        asked == 1 && text.ends_with("SELECT count(*) FROM customers;")
    } else {
        asked == 0 && text.contains("denied")
    };
    let right = !asked_early
        && own.status == 403
        && vote.status == 200
        && reply.status == 200
        && reply.header("x-copilot-guard-decision") == "pending"
        && answered
        && reply.body.ends_with("data: [DONE]\n\n");
    Ok((
        right,
        format!(
            "own vote {}, vote {}, model asked {asked} times, {}",
            own.status,
            vote.status,
            quoted(&text)
        ),
    ))
}

/// The one pending approval.
async fn pending(demo: &Demo) -> Result<String, Error> {
    for _ in 0..200 {
        let reply = demo
            .client
            .get(
                &format!("{}/api/approvals?state=pending", demo.admin_url),
                &demo.people.rita,
            )
            .await?;
        let list: Value = serde_json::from_str(&reply.body)?;
        if let Some(id) = list.pointer("/items/0/id").and_then(Value::as_str) {
            return Ok(id.to_owned());
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    Err("no approval was opened".into())
}

async fn replayed(demo: &Demo) -> Result<(bool, String), Error> {
    let reply = demo
        .client
        .chat(&demo.data_url, &demo.people.dana, SECRET_QUESTION)
        .await?;
    let id: ExchangeId = reply.header("x-copilot-guard-exchange").parse()?;
    let store = SqliteStore::open_read_only(demo.folder.join("guard.db"))?;
    let events = store.events(id).await?;
    let delivered: String = events
        .iter()
        .filter_map(|event| match &event.kind {
            EventKind::Delivered { text, .. } => Some(text.as_str()),
            _ => None,
        })
        .collect();
    let closings = events
        .iter()
        .filter(|e| matches!(e.kind, EventKind::Closed(_)))
        .count();
    let list = demo
        .client
        .get(
            &format!("{}/api/exchanges/{id}", demo.admin_url),
            &demo.people.alex,
        )
        .await?;
    let shown: Value = serde_json::from_str(&list.body)?;
    let right = delivered == reply.body
        && closings == 1
        && !delivered.contains(&planted_secret())
        && shown.get("outcome").and_then(Value::as_str) == Some("completed")
        && shown.get("subject").and_then(Value::as_str) == Some("dana");
    Ok((
        right,
        format!(
            "{} events, {} bytes, exchange {id}",
            events.len(),
            delivered.len()
        ),
    ))
}

fn quoted(text: &str) -> String {
    let short: String = text.chars().take(90).collect();
    format!("{short:?}")
}
