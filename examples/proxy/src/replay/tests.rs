//! A record made by a guard, replayed by the command.

use std::convert::Infallible;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use copilot_guard::audit::{AuditEvent, AuditSink, EventKind};
use copilot_guard::clock::{Clock as _, SystemClock, Timestamp};
use copilot_guard::dialect::{RouteSet, RouteTable};
use copilot_guard::guard::Guard;
use copilot_guard::id::ExchangeId;
use copilot_guard::identity::Identity;
use copilot_guard::policy::PolicyOptions;
use copilot_guard::token::{TokenError, TokenVerifier};
use copilot_guard_sqlite::SqliteStore;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use tower::{Layer as _, ServiceExt as _, service_fn};

use super::*;

const OLD: &str = r#"
version = 1
[[rules]]
id = "no-falcon"
on = "prompt"
match = { words = ["falcon"] }
action = "block"
[[rules]]
id = "watch-osprey"
on = "prompt"
match = { words = ["osprey"] }
action = "block"
observe = true
[[rules]]
id = "no-rm"
on = "tool_call"
match = { regex = ['rm -rf'] }
action = "block"
[[rules]]
id = "secrets-asked"
on = "prompt"
match = { secrets = ["*"] }
action = "mask"
"#;

/// Made here, so that nobody takes it for a leaked one.
fn secret() -> String {
    format!("ghp_{}", "R7kQ2mZx9LpV4tYc".repeat(3).get(..36).unwrap())
}

#[derive(Debug)]
struct Names;

#[async_trait::async_trait]
impl TokenVerifier for Names {
    async fn verify(&self, token: &str, now: Timestamp) -> Result<Identity, TokenError> {
        let group = if token == "ann" { "red" } else { "blue" };
        let until = now.plus(Duration::from_secs(60));
        Ok(Identity::new("https://idp.example", token, until).with_groups([group]))
    }
}

/// Answers with what was said: "call X" by a call of a shell, "say X" by X.
async fn model(request: Request<Full<Bytes>>) -> Result<Response<Full<Bytes>>, Infallible> {
    let body = request.into_body().collect().await.unwrap().to_bytes();
    let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
    let said = body["messages"][0]["content"].as_str().unwrap();
    let is_stream = body["stream"] == true;
    let (name, value) = match said.split_once(' ') {
        Some(("call", command)) => {
            let arguments = serde_json::json!({"command": command}).to_string();
            let function = serde_json::json!({"name": "bash", "arguments": arguments});
            let call = serde_json::json!([{"index": 0, "id": "c", "type": "function", "function": function}]);
            ("tool_calls", call)
        }
        Some(("leak", _)) => ("content", format!("it is {}", secret()).into()),
        _ => ("content", said.replace("say ", "").into()),
    };
    let finish = if name == "content" { "stop" } else { "tool_calls" };
    let message = serde_json::json!({"role": "assistant", name: value});
    let (kind, text) = if is_stream {
        let delta = serde_json::json!({"choices": [{"index": 0, "delta": message, "finish_reason": null}]});
        let end = serde_json::json!({"choices": [{"index": 0, "delta": {}, "finish_reason": finish}]});
        (
            "text/event-stream",
            format!("data: {delta}\n\ndata: {end}\n\ndata: [DONE]\n\n"),
        )
    } else {
        let choice = serde_json::json!({"index": 0, "message": message, "finish_reason": finish});
        (
            "application/json",
            serde_json::json!({ "choices": [choice] }).to_string(),
        )
    };
    let response = Response::builder().header("content-type", kind);
    Ok(response.body(Full::from(text)).unwrap())
}

/// A record of these requests: who, and what they said. Each is asked plain and streamed.
async fn record(path: &Path, requests: &[(&str, &str)]) {
    let now = SystemClock.now();
    let store = Arc::new(SqliteStore::open(path, now).unwrap());
    let mut routes = RouteTable::new();
    routes.add_set("model", RouteSet::OpenAi);
    let options = PolicyOptions::new(now).with_reviewer_groups(["reviewers"]);
    let guard = Guard::builder()
        .with_verifier(Names)
        .with_policy(Policy::parse(OLD, "old", &options).unwrap())
        .with_store(store)
        .with_routes(routes)
        .build()
        .unwrap();
    for (who, said) in requests {
        for stream in [false, true] {
            let body = serde_json::json!({"model": "m", "stream": stream, "messages": [{"role": "user", "content": said}]});
            let request = Request::post("/v1/chat/completions")
                .header("authorization", format!("Bearer {who}"))
                .body(Full::<Bytes>::from(body.to_string()))
                .unwrap();
            let reply = guard
                .layer()
                .layer(service_fn(model))
                .oneshot(request)
                .await
                .unwrap();
            reply.into_body().collect().await.unwrap();
        }
    }
    guard.drain().await;
}

struct Replayed {
    changes: Vec<String>,
    summary: Summary,
}

async fn replay_with(path: &Path, new: &str, filter: ExchangeFilter, limit: Option<usize>) -> Replayed {
    let options = PolicyOptions::new(SystemClock.now()).with_reviewer_groups(["reviewers"]);
    let policy = Policy::parse(new, "new", &options).unwrap();
    let reader = open(&format!("sqlite:{}", path.display())).unwrap();
    let mut changes = Vec::new();
    let show = |change: &Change| {
        let line = change.to_string();
        changes.push(
            line.split_once("  ")
                .unwrap()
                .1
                .split_once("  ")
                .unwrap()
                .1
                .to_owned(),
        );
    };
    let summary = replay(&*reader, &policy, filter, limit, show).await.unwrap();
    Replayed { changes, summary }
}

async fn replayed(path: &Path, new: &str) -> Replayed {
    replay_with(path, new, ExchangeFilter::default(), None).await
}

fn said() -> Vec<(&'static str, String)> {
    vec![
        ("ann", "hello".to_owned()),
        ("ann", "the falcon".to_owned()),
        ("bob", "an osprey".to_owned()),
        ("bob", "call ls -la".to_owned()),
        ("bob", "call rm -rf /".to_owned()),
        ("bob", "say bluebird".to_owned()),
        ("bob", "leak it".to_owned()),
        ("ann", format!("use {}", secret())),
    ]
}

async fn usual(folder: &Path) -> std::path::PathBuf {
    let path = folder.join("guard.db");
    let said = said();
    let said: Vec<_> = said.iter().map(|(who, what)| (*who, what.as_str())).collect();
    record(&path, &said).await;
    path
}

#[tokio::test]
async fn the_same_policy_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = usual(folder.path()).await;
    let same = replayed(&path, OLD).await;
    assert_eq!(same.changes, [""; 0]);
    assert_eq!((same.summary.judged, same.summary.changed), (16, 0));
    // Masked up, masked down, and a call that was taken out: none of it is on record.
    let listed: Vec<_> = same.summary.not_judged.0.keys().map(String::as_str).collect();
    assert_eq!(listed, ["github-pat", "no-rm", "secrets-asked"]);
    assert_eq!((same.summary.answers, same.summary.unreadable_answers), (14, 0));
}

#[tokio::test]
async fn what_would_change() {
    let folder = tempfile::tempdir().unwrap();
    let path = usual(folder.path()).await;
    let of = |old: &str, new: &str| OLD.replace(old, new);
    let output = "[[rules]]\nid = \"no-bluebird\"\non = \"output\"\nmatch = { words = [\"bluebird\"] }\naction = \"block\"\n";
    let denied = of(
        "version = 1",
        "version = 1\ndefault = \"deny\"\n[[rules]]\nid = \"reds\"\ngroups = [\"red\"]\non = \"request\"\naction = \"allow\"",
    );
    for (new, who, change, count) in [
        // A rule less, a rule more, a rule that begins to act, one that is stricter, one that is laxer.
        (
            of("falcon\"]", "eagle\"]"),
            "ann",
            "block -> allow  -no-falcon (block on prompt)",
            2,
        ),
        (
            of("falcon\"]", "falcon\", \"hello\"]"),
            "ann",
            "allow -> block  +no-falcon (block on prompt)",
            2,
        ),
        (
            of("\nobserve = true", ""),
            "bob",
            "allow -> block  +watch-osprey (block on prompt)  -watch-osprey (block on prompt, observed)",
            2,
        ),
        (
            of(
                "action = \"block\"\n[[rules]]\nid = \"watch",
                "action = \"require_approval\"\n[[rules]]\nid = \"watch",
            ),
            "ann",
            "block -> require_approval  +no-falcon (require_approval on prompt)  -no-falcon (block on prompt)",
            2,
        ),
        (
            of("'rm -rf'", "'rm -rf', 'ls -la'"),
            "bob",
            "allow -> block  +no-rm (block on tool_call)",
            2,
        ),
        (
            format!("{OLD}{output}"),
            "bob",
            "allow -> block  +no-bluebird (block on output)",
            2,
        ),
        (denied, "bob", "allow -> block  +default (block on request)", 6),
    ] {
        let replayed = replayed(&path, &new).await;
        let wanted = format!("{who:16}  {change}");
        let found = replayed.changes.iter().filter(|line| **line == wanted).count();
        assert_eq!(found, count, "{change}: {:#?}", replayed.changes);
    }
}

#[tokio::test]
async fn what_is_counted() {
    let folder = tempfile::tempdir().unwrap();
    let path = usual(folder.path()).await;
    let new = OLD.replace("falcon\"]", "hello\"]");
    let summary = replayed(&path, &new).await.summary;
    assert_eq!((summary.judged, summary.changed), (16, 4));
    assert_eq!(summary.decisions.0["allow -> block"], 2);
    assert_eq!(summary.decisions.0["block -> allow"], 2);
    assert_eq!((summary.came.0["no-falcon"], summary.gone.0["no-falcon"]), (2, 2));
    assert_eq!(
        summary.groups.0.iter().collect::<Vec<_>>(),
        [(&"red".to_owned(), &4)]
    );
    let user = |name: &str| ExchangeFilter {
        user: Some(name.to_owned()),
        ..ExchangeFilter::default()
    };
    assert_eq!(
        replay_with(&path, &new, user("bob"), None).await.summary.changed,
        0
    );
    assert_eq!(
        replay_with(&path, &new, user("ann"), None).await.summary.judged,
        6
    );
    assert_eq!(
        replay_with(&path, &new, user("ann"), Some(3))
            .await
            .summary
            .judged,
        3
    );
}

/// What an old or damaged record lacks is said, and nothing of it counts as unchanged.
#[tokio::test]
async fn what_cannot_be_judged_is_counted() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("guard.db");
    record(&path, &[("ann", "hello")]).await;
    let reader = open(&format!("sqlite:{}", path.display())).unwrap();
    let listed = reader.list(&ExchangeFilter::default()).await.unwrap().items;
    let events = reader.events(listed[0].id).await.unwrap();
    let store = SqliteStore::open(&path, SystemClock.now()).unwrap();
    let now = SystemClock.now();
    type Change = fn(&mut copilot_guard::audit::Opening);
    let changes: [Change; 4] = [
        |opening| opening.request = String::new(),
        |opening| opening.request = "[REDACTED:request]".to_owned(),
        |opening| opening.dialect = "models".to_owned(),
        |opening| opening.model = "another".to_owned(),
    ];
    for (n, change) in changes.into_iter().enumerate() {
        let EventKind::Opened(mut opening) = events[0].kind.clone() else {
            panic!("no opening first");
        };
        change(&mut opening);
        let id = ExchangeId::new(now, [u8::try_from(n).unwrap(); 10]);
        let _durable = store
            .append(&[AuditEvent::new(id, 0, now, EventKind::Opened(opening))])
            .await
            .unwrap();
    }
    let refused = EventKind::Refused {
        code: "expired".to_owned(),
        status: 401,
        count: 1,
        from: None,
    };
    let event = AuditEvent::new(ExchangeId::new(now, [9; 10]), 0, now, refused);
    let _durable = store.append(&[event]).await.unwrap();
    let summary = replayed(&path, OLD).await.summary;
    assert_eq!(summary.judged, 2);
    let skipped: u64 = summary.skipped.0.values().sum();
    assert_eq!((skipped, summary.skipped.0.len()), (5, 4), "{summary}");
}

/// The command, from the store's address to its answer.
#[tokio::test]
async fn the_command_says_no_when_something_changes() {
    let folder = tempfile::tempdir().unwrap();
    let path = usual(folder.path()).await;
    for (text, audit, nothing_changes) in [
        (OLD.to_owned(), path.display().to_string(), true),
        (
            OLD.replace("falcon\"]", "hello\"]"),
            format!("sqlite:{}", path.display()),
            false,
        ),
    ] {
        let policy = folder.path().join("new.toml");
        std::fs::write(&policy, text).unwrap();
        let args = ReplayArgs {
            policy,
            audit,
            user: None,
            group: Some("red".to_owned()),
            since: Some("2020-01-01T00:00:00Z".to_owned()),
            until: None,
            limit: None,
            json: true,
        };
        assert_eq!(run(args).await.unwrap(), nothing_changes);
    }
}
