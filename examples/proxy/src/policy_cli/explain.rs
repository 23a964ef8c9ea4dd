//! `policy explain`: one request of one person, and what every rule says of it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use clap::Args;
use copilot_guard::approval::Requirement;
use copilot_guard::clock::{Clock as _, SystemClock, Timestamp};
use copilot_guard::decision::{Action, Decision};
use copilot_guard::dialect::{Dialect, ParsedRequest, RouteSet, RouteTable, Traffic};
use copilot_guard::identity::CallerKind;
use copilot_guard::json::Limits;
use copilot_guard::policy::{CallerPolicy, ExceptionTrace, Outcome, Policy, Query, RuleTrace, Seen};
use http::Method;
use serde::Serialize;
use serde_json::Value;

use super::answers::{self, Answer};
use super::claims;
use crate::config::Config;
use crate::failure::Failure;

#[derive(Debug, Args)]
pub(crate) struct ExplainArgs {
    /// The policy file.
    #[arg(long)]
    policy: PathBuf,
    /// The claims of the person's token, as a JSON object.
    #[arg(long)]
    claims: PathBuf,
    /// The request's body.
    #[arg(long)]
    request: PathBuf,
    /// The path that the request goes to. Left out: a usual one of a format that the request looks like.
    #[arg(long)]
    path: Option<String>,
    /// The gateway's configuration: which claims name groups, and who reviews.
    #[arg(long)]
    config: Option<PathBuf>,
    /// A program asks, and no person.
    #[arg(long)]
    machine: bool,
    /// At this time (RFC 3339). Left out: now.
    #[arg(long)]
    at: Option<String>,
    /// As JSON.
    #[arg(long)]
    json: bool,
}

/// All that is to be said.
#[derive(Debug, Serialize)]
pub(super) struct Explanation {
    policy_version: String,
    caller: Caller,
    request: Request,
    exceptions: Vec<ExceptionTrace>,
    pub(super) rules: Vec<RuleTrace>,
    pub(super) outcome: Said,
    /// Answers of the model in the history: what would be said of each, did it come down now.
    pub(super) answers: Vec<AnswerSaid>,
}

#[derive(Debug, Serialize)]
struct Caller {
    groups: BTreeSet<String>,
    kind: CallerKind,
    model: String,
}

#[derive(Debug, Serialize)]
struct Request {
    dialect: Dialect,
    path: String,
    bytes: usize,
    parts: usize,
    parameters: BTreeSet<String>,
    not_scanned: Vec<String>,
}

#[derive(Debug, Serialize)]
pub(super) struct Said {
    pub(super) action: Action,
    message: String,
    /// The rules that decide.
    rules: Vec<String>,
    /// Whose votes it needs.
    #[serde(skip_serializing_if = "Option::is_none")]
    approvals: Option<Requirement>,
}

#[derive(Debug, Serialize)]
pub(super) struct AnswerSaid {
    place: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool: Option<String>,
    pub(super) outcome: Said,
    rules: Vec<RuleTrace>,
}

/// Explains. `false`: the answer is no.
pub(crate) fn run(args: &ExplainArgs) -> Result<bool, Failure> {
    let config = args.config.as_deref().map(Config::load_for_places).transpose()?;
    let policy = super::load(&args.policy, config.as_ref(), true)?;
    let claims = json(&args.claims, "claims")?;
    let groups = claims::groups(&claims, config.as_ref())?;
    let now = match &args.at {
        Some(text) => text.parse().map_err(|error| {
            Failure::new(
                format!("`{text}` is no time"),
                error,
                "write one such as 2027-03-31T12:00:00Z",
            )
        })?,
        None => SystemClock.now(),
    };
    let body = read(&args.request, "request")?;
    let kind = if args.machine {
        CallerKind::Machine
    } else {
        CallerKind::Person
    };
    let explanation = explain(&policy, &groups, kind, now, &body, args.path.as_deref())?;
    if args.json {
        let text = serde_json::to_string_pretty(&explanation).map_err(|error| {
            Failure::new("the explanation cannot be written", error, "report this as a bug")
        })?;
        println!("{text}");
    } else {
        print!("{}", text_of(&explanation));
    }
    Ok(true)
}

/// Asks the policy. Pure.
pub(super) fn explain(
    policy: &Policy,
    groups: &BTreeSet<String>,
    kind: CallerKind,
    now: Timestamp,
    body: &[u8],
    path: Option<&str>,
) -> Result<Explanation, Failure> {
    let unreadable = |why: &dyn std::fmt::Display| {
        let mend = "take a request's body as the client sends it, and its path";
        Failure::new("the request cannot be read", why, mend)
    };
    let value: Value = serde_json::from_slice(body).map_err(|error| unreadable(&error))?;
    let path = path.unwrap_or_else(|| usual_path(&value));
    let (dialect, model) = route(path);
    let request: ParsedRequest = dialect
        .parse_request(body, model.as_deref(), Limits::default())
        .map_err(|error| unreadable(&error))?;
    let query = Query::new(groups, &request.model, now)
        .of(kind)
        .with_route(path)
        .with_parameters(&request.parameters);
    let caller = policy.for_caller(&query);
    let seen: Vec<_> = request
        .parts
        .iter()
        .map(|part| Seen::new(part.stage, &part.place, &part.text))
        .collect();
    let mut decision = caller.request(body.len());
    for part in &request.parts {
        decision.merge(caller.part(part.stage, &part.place, &part.text).decision);
    }
    Ok(Explanation {
        policy_version: policy.version().to_owned(),
        caller: Caller {
            groups: groups.clone(),
            kind,
            model: request.model.clone(),
        },
        request: Request {
            dialect,
            path: path.to_owned(),
            bytes: body.len(),
            parts: request.parts.len(),
            parameters: request.parameters.clone(),
            not_scanned: request.not_scanned.clone(),
        },
        exceptions: caller.exceptions(),
        rules: caller.explain_seen(body.len(), &seen),
        outcome: said(&caller, decision),
        answers: answers::of(&value)
            .iter()
            .map(|answer| of_answer(&caller, answer))
            .collect(),
    })
}

fn of_answer(caller: &CallerPolicy, answer: &Answer) -> AnswerSaid {
    let seen = answer.seen();
    let verdict = match &answer.tool {
        Some(tool) => caller.tool_call(seen.place, tool, seen.text, seen.strings),
        None => caller.part(seen.stage, seen.place, seen.text),
    };
    let rules = caller.explain_seen(0, &[seen]);
    AnswerSaid {
        place: answer.place.clone(),
        tool: answer.tool.clone(),
        outcome: said(caller, verdict.decision),
        rules: rules
            .into_iter()
            .filter(|trace| trace.stage == seen.stage)
            .collect(),
    }
}

fn said(caller: &CallerPolicy, decision: Decision) -> Said {
    let rules = decision.rules_with(decision.action);
    let asks = decision.action == Action::RequireApproval;
    Said {
        action: decision.action,
        approvals: asks.then(|| caller.requirement(&rules)),
        rules,
        message: decision.message,
    }
}

/// The dialect of a path, and the model that it names.
fn route(path: &str) -> (Dialect, Option<String>) {
    let mut table = RouteTable::new();
    for set in [RouteSet::OpenAi, RouteSet::Anthropic, RouteSet::Copilot] {
        // One upstream serves all of them here, so that no path clashes.
        let _ = table.add_set("any", set);
    }
    let route = table.find(&Method::POST, None, path);
    match route.map(|route| (route.traffic, route.model)) {
        Some((Traffic::Model(dialect), model)) => (dialect, model),
        Some((Traffic::Tools, model)) => (Dialect::Mcp, model),
        _ => (RouteTable::dialect_hint(path), None),
    }
}

/// A usual path of the format that a request looks like.
fn usual_path(request: &Value) -> &'static str {
    let has = |name: &str| request.get(name).is_some();
    let is_block = |block: &Value| {
        let kind = block.get("type").and_then(Value::as_str).unwrap_or_default();
        matches!(kind, "tool_use" | "tool_result" | "thinking")
    };
    let messages = request.get("messages").and_then(Value::as_array);
    let is_anthropic = has("system")
        || has("stop_sequences")
        || messages.into_iter().flatten().any(|message| {
            let blocks = message.get("content").and_then(Value::as_array);
            blocks.into_iter().flatten().any(is_block)
        });
    if has("jsonrpc") || request.is_array() {
        "/mcp"
    } else if has("messages") && (is_anthropic || (has("max_tokens") && !has("n") && is_claude(request))) {
        "/v1/messages"
    } else if has("messages") {
        "/v1/chat/completions"
    } else if has("prompt") {
        "/v1/completions"
    } else if has("input") && (has("encoding_format") || has("dimensions") || is_embedding(request)) {
        "/v1/embeddings"
    } else if has("input") {
        "/v1/responses"
    } else {
        "/v1/chat/completions"
    }
}

fn model(request: &Value) -> &str {
    request.get("model").and_then(Value::as_str).unwrap_or_default()
}

fn is_claude(request: &Value) -> bool {
    model(request).contains("claude")
}

fn is_embedding(request: &Value) -> bool {
    model(request).contains("embedding")
}

fn text_of(explanation: &Explanation) -> String {
    let Explanation {
        policy_version,
        caller,
        request,
        exceptions,
        rules,
        outcome,
        answers,
    } = explanation;
    let list = |items: &mut dyn Iterator<Item = &String>| {
        let items: Vec<_> = items.map(String::as_str).collect();
        if items.is_empty() {
            "none".to_owned()
        } else {
            items.join(", ")
        }
    };
    let mut text = format!(
        "policy      version {policy_version}\ncaller      groups: {}; model: {}\nrequest     {} to {}, {} bytes, {} texts; parameters: {}\n",
        list(&mut caller.groups.iter()),
        if caller.model.is_empty() {
            "none"
        } else {
            &caller.model
        },
        request.dialect,
        request.path,
        request.bytes,
        request.parts,
        list(&mut request.parameters.iter()),
    );
    for place in &request.not_scanned {
        text += &format!("not scanned {place}\n");
    }
    for ExceptionTrace {
        reason,
        ends,
        rules,
        kinds,
        ..
    } in exceptions
    {
        text += &format!(
            "exception   {reason} (until {ends}): lifts rules: {}; kinds: {}\n",
            list(&mut rules.iter()),
            list(&mut kinds.iter())
        );
    }
    text += &said_text(outcome);
    text += "\n";
    text += &rules_text(rules);
    for answer in answers {
        let what = answer
            .tool
            .as_ref()
            .map_or_else(String::new, |tool| format!(" (call of {tool})"));
        text += &format!("\nanswer in the history: {}{what}\n", answer.place);
        text += &said_text(&answer.outcome);
        text += &rules_text(&answer.rules);
    }
    text
}

fn said_text(said: &Said) -> String {
    let rules = if said.rules.is_empty() {
        String::new()
    } else {
        format!(" by {}", said.rules.join(", "))
    };
    let mut text = format!("outcome     {}{rules}\n", said.action);
    if !said.message.is_empty() {
        text += &format!("message     {}\n", said.message);
    }
    if let Some(Requirement { any }) = &said.approvals {
        let one = |groups: &std::collections::BTreeMap<String, u32>| {
            let each: Vec<_> = groups
                .iter()
                .map(|(group, n)| format!("{n} of {group}"))
                .collect();
            each.join(" and ")
        };
        let any: Vec<_> = any.iter().map(one).collect();
        text += &format!("votes       {}\n", any.join(", or "));
    }
    text
}

fn rules_text(rules: &[RuleTrace]) -> String {
    let width = rules.iter().map(|trace| trace.id.len()).max().unwrap_or(0);
    let line = |trace: &RuleTrace| {
        let became = match trace.outcome {
            Outcome::Matched if trace.observe => "observed",
            Outcome::Matched => "matched",
            Outcome::DidNotMatch => "no match",
            Outcome::NotForCaller => "not for caller",
            Outcome::NothingToLookAt => "nothing there",
            Outcome::Excepted => "excepted",
            _ => "other",
        };
        format!(
            "  {:width$}  {:11}  {:16}  {became:14}  {}\n",
            trace.id,
            trace.stage.as_str(),
            trace.action.as_str(),
            trace.why
        )
    };
    rules.iter().map(line).collect()
}

fn read(path: &Path, what: &str) -> Result<Vec<u8>, Failure> {
    std::fs::read(path).map_err(|error| {
        let what = format!("the {what} `{}` cannot be read", path.display());
        Failure::new(what, error, "check the path and its permissions")
    })
}

fn json(path: &Path, what: &str) -> Result<Value, Failure> {
    let value: Value = serde_json::from_slice(&read(path, what)?).map_err(|error| {
        let what = format!("the {what} `{}` are no JSON", path.display());
        Failure::new(what, error, "write a JSON object, as a token's payload is one")
    })?;
    if value.is_object() {
        return Ok(value);
    }
    Err(Failure::new(
        format!("the {what} `{}` are no object", path.display()),
        "a token's payload is one",
        "write a JSON object",
    ))
}
