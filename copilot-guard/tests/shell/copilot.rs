//! What Copilot's clients ask beside the model: tokens, the list of models, experiments, tools.

use copilot_guard::audit::Outcome;
use copilot_guard::guard::CopilotEndpoints;
use http::Request;
use http_body_util::Full;
use serde_json::{Value, json};

use crate::support::*;

fn get(path: &str, authorization: &str) -> Request<Full<bytes::Bytes>> {
    let builder = Request::get(path);
    let builder = match authorization {
        "" => builder,
        some => builder.header("authorization", some),
    };
    builder.body(Full::default()).unwrap()
}

fn with_endpoints(model: Model) -> House {
    House::with(model, |s| {
        s.copilot_endpoints = Some(CopilotEndpoints::at("https://gateway.example/"))
    })
}

const PLAIN: &str =
    r#"{"choices":[{"index":0,"message":{"role":"assistant","content":"hello"},"finish_reason":"stop"}]}"#;

#[tokio::test]
async fn a_token_is_exchanged_for_one_of_the_gateways_own() {
    let house = with_endpoints(Model::new([Answer::json(PLAIN)]));
    // Editors write `token`, the CLI `Bearer`.
    let got = house
        .ask(get("/copilot_internal/v2/token", &format!("token {TOKEN}")))
        .await;
    assert_eq!(got.status, 200, "{got:?}");
    assert!(!got.header("x-github-request-id").is_empty());
    let reply = got.json();
    assert_eq!(reply["endpoints"]["api"], "https://gateway.example");
    assert_eq!(reply["endpoints"]["proxy"], "https://gateway.example");
    let token = reply["token"].as_str().unwrap();
    assert!(!got.body.contains(TOKEN));
    // It identifies the same person, and is not on record.
    let answer = house.ask(as_person(token, CHAT, prompt("hi", false))).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let record = serde_json::to_string(&house.checked().await).unwrap();
    assert!(record.contains("token_exchange") && !record.contains(token));
    assert!(
        !house.model.seen()[0]
            .headers
            .values()
            .any(|v| v.to_str().is_ok_and(|v| v.contains(token)))
    );
    // Nobody else's is taken, and no other scheme elsewhere.
    for authorization in ["", "token unknown", "Basic dTp0", "token gho_cg1AAAA"] {
        let got = house.ask(get("/copilot_internal/v2/token", authorization)).await;
        assert_eq!(got.status, 401, "{authorization}");
    }
    let got = house
        .ask(
            Request::post(CHAT)
                .header("authorization", format!("token {TOKEN}"))
                .body(Full::from(prompt("hi", false)))
                .unwrap(),
        )
        .await;
    assert_eq!(got.status, 401);
}

#[tokio::test]
async fn the_same_by_post_and_who_somebody_is() {
    let house = with_endpoints(Model::new([]));
    let got = house.ask(post("/copilot-guard/token", "")).await;
    assert_eq!(
        (got.status, got.json()["token_type"].as_str()),
        (200, Some("Bearer"))
    );
    assert!(got.json()["access_token"].as_str().unwrap().starts_with("gho_"));
    assert_eq!(got.header("cache-control"), "no-store");
    let got = house
        .ask(get("/copilot_internal/user", &format!("Bearer {TOKEN}")))
        .await;
    assert_eq!((got.status, got.json()["login"].as_str()), (200, Some("dev")));
    assert_eq!(got.json()["endpoints"]["api"], "https://gateway.example");
    // Without an address of its own the gateway sends nobody past itself.
    let house = House::new(Model::new([]));
    for path in ["/copilot_internal/v2/token", "/copilot_internal/user"] {
        let got = house.ask(get(path, &format!("Bearer {TOKEN}"))).await;
        assert_eq!((got.status, got.code().as_str()), (404, "no_public_address"));
    }
}

#[tokio::test]
async fn what_is_asked_without_saying_who() {
    let house = House::new(Model::new([]));
    let experiments = house.ask(get("/telemetry", "")).await;
    assert_eq!(
        (
            experiments.status,
            experiments.json()["Configs"].as_array().map(Vec::len)
        ),
        (200, Some(0))
    );
    let agents = house.ask(get("/agents", "")).await;
    assert!(agents.json()["agents"].is_array());
    let report = Request::post("/telemetry")
        .header("content-encoding", "gzip")
        .body(Full::from("secret report"))
        .unwrap();
    let report = house.ask(report).await;
    assert_eq!(report.status, 200);
    assert!(!report.header("x-github-request-id").is_empty());
    assert_eq!(house.model.calls(), 0, "nothing is sent on");
    assert!(house.record().await.is_empty(), "and nothing kept");
}

#[tokio::test]
async fn models_are_listed_without_those_the_caller_may_not_use() {
    let list = json!({"object": "list", "data": [
        {"id": "gpt-5", "supported_endpoints": ["/responses", "ws:/responses"], "vendor": SECRET},
        {"id": "forbidden-1", "supported_endpoints": ["/chat/completions"]},
        {"supported_endpoints": ["/chat/completions"]},
    ]});
    for path in ["/models", "/v1/models"] {
        let house = House::new(Model::new([Answer::json(list.to_string())]));
        let got = house.ask(get(path, &format!("Bearer {TOKEN}"))).await;
        assert_eq!(got.status, 200, "{got:?}");
        let ids: Vec<_> = got.json()["data"]
            .as_array()
            .unwrap()
            .iter()
            .map(|m| m["id"].clone())
            .collect();
        assert_eq!(ids, ["gpt-5"]);
        assert_eq!(
            got.json()["data"][0]["supported_endpoints"],
            json!(["/responses"])
        );
        assert!(!got.body.contains(SECRET) && got.body.contains(MARK));
        assert_eq!(house.outcome().await, Outcome::Completed);
        assert_eq!(house.opening().await.dialect, "models");
    }
    let one = json!({"id": "gpt-5", "supported_endpoints": ["ws:/responses"]});
    let house = House::new(Model::new([Answer::json(one.to_string())]));
    let got = house.ask(get("/models/gpt-5", &format!("Bearer {TOKEN}"))).await;
    assert_eq!(got.json()["supported_endpoints"], json!([]));
    let got = house
        .ask(get("/models/forbidden-1", &format!("Bearer {TOKEN}")))
        .await;
    assert_eq!((got.status, house.model.calls()), (404, 1));
}

#[tokio::test]
async fn what_is_no_list_of_models_does_not_come_down() {
    for body in [
        "{}",
        "[]",
        "{\"data\": 1}",
        "{\"data\": [], \"data\": []}",
        "data",
        "",
    ] {
        let house = House::new(Model::new([Answer::json(body)]));
        let got = house.ask(get("/models", &format!("Bearer {TOKEN}"))).await;
        assert_eq!(got.status, 502, "{body}");
        assert_eq!(house.outcome().await, Outcome::UpstreamFailed);
    }
    let house = House::new(Model::new([]));
    assert_eq!(house.ask(get("/models", "")).await.status, 401);
    // The credential does not go up in an address either.
    let got = house
        .ask(get(&format!("/models?key={TOKEN}"), &format!("Bearer {TOKEN}")))
        .await;
    assert_eq!((got.status, house.model.calls()), (400, 0));
}

#[tokio::test]
async fn ghost_text_is_never_held_and_refused_without_a_word() {
    for word in ["production", "falcon"] {
        let house = House::new(Model::new([]));
        let body = json!({"prompt": format!("// {word}"), "suffix": "", "n": 3, "stream": true}).to_string();
        let got = house
            .ask(post("/v1/engines/gpt-41-copilot/completions", body))
            .await;
        assert_eq!((got.status, got.body.as_str()), (200, "data: [DONE]\n\n"));
        assert_eq!(got.header("x-copilot-guard-decision"), "block");
        assert_eq!(house.model.calls(), 0);
        assert_eq!(house.outcome().await, Outcome::Blocked);
        assert_eq!(house.opening().await.model, "gpt-41-copilot");
        assert!(house.pending().await.is_empty());
    }
}

#[tokio::test]
async fn a_tool_server_may_have_nothing_to_say() {
    let house = House::new(Model::new([Answer::new(202, "application/json", "")]));
    let body = json!({"jsonrpc": "2.0", "method": "notifications/initialized"}).to_string();
    let got = house.ask(post("/mcp/readonly", body)).await;
    assert_eq!((got.status, got.body.as_str()), (202, ""));
    assert_eq!(house.outcome().await, Outcome::Completed);
    let call = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "x", "arguments": {"q": "falcon"}}});
    let got = house.ask(post("/mcp/readonly", call.to_string())).await;
    assert_eq!(got.status, 400);
    let _: Value = got.json();
}
