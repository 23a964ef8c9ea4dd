//! A guard whose policy file has Cedar's rules beside it. See the README beside this file.

mod engine;

use std::convert::Infallible;
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use copilot_guard::clock::{Clock, SystemClock, Timestamp};
use copilot_guard::dialect::{RouteSet, RouteTable};
use copilot_guard::guard::Guard;
use copilot_guard::identity::{CallerKind, Identity};
use copilot_guard::memory::MemoryStore;
use copilot_guard::policy::{Policy, PolicyOptions};
use copilot_guard::token::{TokenError, TokenVerifier};
use http::{Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full};
use tower::{Layer, ServiceExt, service_fn};

use engine::CedarEngine;

const POLICIES: &str = include_str!("../policy/guard.cedar");
const SCHEMA: &str = include_str!("../policy/guard.cedarschema");

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let guard = guard()?;
    for (token, model, text) in [
        ("dev", "gpt-5", "hello"),
        ("dev", "gpt-5-pro", "hello"),
        ("researcher", "gpt-5-pro", "hello"),
        ("dev", "gpt-5", "what is Osprey?"),
        ("dev", "gpt-5", "call read_file"),
        ("pipeline", "gpt-5", "call read_file"),
        // Held for a reviewer: nobody votes here, so that it ends with a notice.
        ("dev", "gpt-5", "call publish_package"),
    ] {
        let (status, answer) = ask(&guard, token, model, text).await?;
        println!("{token} to {model}: {text}\n  {status} {answer}");
    }
    Ok(())
}

fn guard() -> Result<Guard, Box<dyn Error>> {
    let mut routes = RouteTable::new();
    routes.add_set("model", RouteSet::OpenAi);
    let options = PolicyOptions::new(SystemClock.now()).with_reviewer_groups(["reviewers"]);
    let mut settings = copilot_guard::guard::Settings::default();
    settings.hold_plain = Duration::from_millis(100);
    let engine = CedarEngine::new(POLICIES, SCHEMA).map_err(|error| error.to_string())?;
    let guard = Guard::builder()
        .with_verifier(DemoVerifier)
        .with_policy(Policy::allow_all(&options)?)
        .with_store(Arc::new(MemoryStore::new()))
        .with_routes(routes)
        .with_settings(settings)
        .with_engine(Arc::new(engine))
        .build()?;
    Ok(guard)
}

/// One question, and what the developer sees of the answer.
async fn ask(
    guard: &Guard,
    token: &str,
    model: &str,
    text: &str,
) -> Result<(StatusCode, String), Box<dyn Error>> {
    let body = serde_json::json!({"model": model, "messages": [{"role": "user", "content": text}]});
    let request = Request::post("/v1/chat/completions")
        .header(header::AUTHORIZATION, format!("Bearer {token}"))
        .body(Full::<Bytes>::from(body.to_string()))?;
    let reply = guard.layer().layer(service_fn(gateway)).oneshot(request).await?;
    let status = reply.status();
    let body = reply.into_body().collect().await?.to_bytes();
    Ok((status, String::from_utf8_lossy(&body).into_owned()))
}

/// Stands in for the call to the model: whoever says "call TOOL" is answered by a call of that tool.
async fn gateway(request: Request<Full<Bytes>>) -> Result<Response<Full<Bytes>>, Infallible> {
    let Ok(body) = request.into_body().collect().await;
    let body: serde_json::Value = serde_json::from_slice(&body.to_bytes()).unwrap_or_default();
    let said = body
        .pointer("/messages/0/content")
        .and_then(|v| v.as_str())
        .unwrap_or_default();
    let (message, finish) = match said.strip_prefix("call ") {
        Some(tool) => {
            let function = serde_json::json!({"name": tool, "arguments": "{}"});
            let call = serde_json::json!({"id": "call_0", "type": "function", "function": function});
            (
                serde_json::json!({"role": "assistant", "content": null, "tool_calls": [call]}),
                "tool_calls",
            )
        }
        None => (
            serde_json::json!({"role": "assistant", "content": "hello"}),
            "stop",
        ),
    };
    let answer = serde_json::json!({"choices": [{"index": 0, "message": message, "finish_reason": finish}]});
    let mut response = Response::new(Full::from(answer.to_string()));
    let json = header::HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    Ok(response)
}

/// DEMO ONLY, NOT FOR PEOPLE: a name is enough to be let in. Real callers need
/// [`OidcVerifier`](copilot_guard::token::OidcVerifier), which checks tokens of your identity provider.
#[derive(Debug)]
struct DemoVerifier;

#[async_trait::async_trait]
impl TokenVerifier for DemoVerifier {
    async fn verify(&self, token: &str, now: Timestamp) -> Result<Identity, TokenError> {
        let until = now.plus(Duration::from_secs(60));
        let mut identity = Identity::new("demo", token, until);
        match token {
            "dev" => identity = identity.with_groups(["developers"]),
            "researcher" => identity = identity.with_groups(["developers", "research"]),
            "pipeline" => identity.kind = CallerKind::Machine,
            _ => return Err(TokenError::Invalid("not_a_demo_token")),
        }
        Ok(identity)
    }
}

#[cfg(test)]
mod tests;
