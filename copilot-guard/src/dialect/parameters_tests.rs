//! Each name, each endpoint, and what genuine clients send.

use super::*;
use crate::dialect::ParsedRequest;
use crate::json::Limits;

fn parse(dialect: Dialect, body: &str) -> Result<ParsedRequest, Malformed> {
    dialect.parse_request(body.as_bytes(), None, Limits::default())
}

fn names(dialect: Dialect, members: &str) -> Vec<String> {
    let texts = match dialect {
        Dialect::Responses => r#""input":"x""#,
        Dialect::Completions | Dialect::GhostText => r#""prompt":"x""#,
        _ => r#""messages":[]"#,
    };
    let comma = if members.is_empty() { "" } else { "," };
    let body = format!(r#"{{"model":"m",{texts}{comma}{members}}}"#);
    let request = parse(dialect, &body).unwrap_or_else(|e| panic!("{body}: {e}"));
    request.parameters.into_iter().collect()
}

#[test]
fn each_parameter_has_a_name() {
    use Dialect::{Chat, Completions, GhostText, Messages, Responses};
    for (dialect, members, expected) in [
        (Chat, "", &[][..]),
        (
            Chat,
            r#""n":1,"store":false,"logprobs":false,"top_logprobs":0,"background":null,"max_tokens":32768"#,
            &[],
        ),
        (Chat, r#""n":2"#, &["n"]),
        (Chat, r#""n":1.5"#, &["n"]),
        (Chat, r#""store":true"#, &["store"]),
        (Chat, r#""store":"yes""#, &["store"]),
        (Chat, r#""logprobs":true"#, &["logprobs"]),
        (Chat, r#""top_logprobs":3"#, &["logprobs"]),
        (Chat, r#""max_completion_tokens":32769"#, &["large_max_tokens"]),
        (Chat, r#""max_tokens":1e9"#, &["large_max_tokens"]),
        (Chat, r#""web_search_options":{}"#, &["hosted_tool"]),
        (Chat, r#""modalities":["text"]"#, &[]),
        (
            Chat,
            r#""modalities":["text","audio"],"audio":{"voice":"v"}"#,
            &["media"],
        ),
        (
            Completions,
            r#""best_of":3,"echo":true,"suffix":"}","logprobs":0"#,
            &["echo", "logprobs", "n", "suffix"],
        ),
        (GhostText, r#""suffix":"}""#, &["suffix"]),
        (Responses, "", &["store"]),
        (Responses, r#""store":false"#, &[]),
        (Responses, r#""store":false,"background":true"#, &["background"]),
        (
            Responses,
            r#""store":false,"previous_response_id":"r","conversation":"c""#,
            &["conversation", "previous_response_id"],
        ),
        (
            Responses,
            r#""store":false,"prompt":{"id":"p"}"#,
            &["stored_prompt"],
        ),
        (
            Responses,
            r#""store":false,"include":["message.output_text.logprobs"]"#,
            &["logprobs"],
        ),
        (
            Responses,
            r#""store":false,"include":["reasoning.encrypted_content"]"#,
            &[],
        ),
        (
            Responses,
            r#""store":false,"tools":[{"type":"mcp","server_label":"l","server_url":"https://m.example","headers":{"api_key":"x"}}]"#,
            &["remote_mcp"],
        ),
        (
            Responses,
            r#""store":false,"tools":[{"type":"web_search_preview"},{"type":"function","name":"f"}]"#,
            &["hosted_tool"],
        ),
        (
            Responses,
            r#""store":false,"tools":[{"type":"function","name":"web_search"}]"#,
            &[],
        ),
        (
            Messages,
            r#""max_tokens":64000,"mcp_servers":[{"type":"url","url":"https://m.example","name":"m"}]"#,
            &["large_max_tokens", "remote_mcp"],
        ),
        (
            Messages,
            r#""tools":[{"type":"code_execution_20250522","name":"code_execution"}]"#,
            &["hosted_tool"],
        ),
    ] {
        assert_eq!(names(dialect, members), expected, "{dialect:?} {members}");
    }
    for (kind, expected) in [
        ("image_url", &["media"][..]),
        ("input_audio", &["media"]),
        ("file", &["file"]),
        ("text", &[]),
    ] {
        let body = format!(
            r#"{{"model":"m","messages":[{{"role":"user","content":[{{"type":"{kind}","text":"t"}}]}}]}}"#
        );
        let found: Vec<_> = parse(Dialect::Chat, &body)
            .unwrap()
            .parameters
            .into_iter()
            .collect();
        assert_eq!(found, expected, "{kind}");
    }
}

#[test]
fn an_endpoint_of_its_own_is_refused_at_any_depth() {
    for name in [
        "api_base",
        "base_url",
        "baseUrl",
        "baseURL",
        "BASE_URL",
        "apiBase",
        "api_url",
        "endpoint",
        "azure_endpoint",
        "proxy",
        "webhook",
        "webhook_url",
        "callback_url",
        "api_key",
        "apiKey",
        "organization",
        "server_url",
        "extra_headers",
        "api\\u005fbase",
    ] {
        for around in [
            r#""messages":[],"@":"https://a.example""#,
            r#""messages":[],"x":{"y":[{"@":"https://a.example"}]}"#,
            r#""messages":[],"@":{"url":"https://a.example"}"#,
            r#""messages":[],"@":["https://a.example"]"#,
            r#""messages":[],"tools":[{"type":"function","function":{"name":"f","@":"x"}}]"#,
            r#""messages":[],"tools":[{"type":"web_search","@":"x"}]"#,
            r#""messages":[{"role":"user","content":"x","@":"x"}]"#,
            r#""messages":[],"parameters":{"@":"x"}"#,
        ] {
            let body = format!(r#"{{"model":"m",{}}}"#, around.replace('@', name));
            let error = parse(Dialect::Chat, &body).expect_err(&body).to_string();
            assert!(error.contains("endpoint"), "{error}");
            // What it is called is said, where it points to is not.
            assert!(!error.contains("a.example"), "{error}");
        }
    }
    let body = r#"{"model":"m","messages":[],"metadata":{"api_base":"https://a.example"}}"#;
    assert!(parse(Dialect::Chat, body).is_err());
    for (dialect, body) in [
        (
            Dialect::Messages,
            r#"{"model":"m","messages":[],"x":[[{"base_url":"u"}]]}"#,
        ),
        (
            Dialect::Responses,
            r#"{"model":"m","input":"x","tools":[{"type":"file_search","base_url":"u"}]}"#,
        ),
        (
            Dialect::Completions,
            r#"{"model":"m","prompt":"x","api_base":"u"}"#,
        ),
        (Dialect::Embeddings, r#"{"model":"m","input":"x","api_base":"u"}"#),
    ] {
        assert!(parse(dialect, body).is_err(), "{body}");
    }
}

#[test]
fn what_a_tool_or_a_person_calls_so_is_none() {
    for (dialect, body) in [
        (
            Dialect::Chat,
            r#"{"model":"m","messages":[],"api_base":null,"proxy":false,"endpoint":"","base_url":{}}"#,
        ),
        (
            Dialect::Chat,
            r#"{"model":"m","messages":[{"role":"user","content":"set base_url to https://a.example"}]}"#,
        ),
        (
            Dialect::Chat,
            r#"{"model":"m","messages":[],"metadata":{"organization":"ACME","endpoint":"chat"}}"#,
        ),
        (
            Dialect::Chat,
            r#"{"model":"m","messages":[],"tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object","properties":{"base_url":{"type":"string"},"api_key":{"default":"x"}}}}}]}"#,
        ),
        (
            Dialect::Chat,
            r#"{"model":"m","messages":[],"response_format":{"type":"json_schema","json_schema":{"name":"s","schema":{"properties":{"endpoint":{"type":"string"}}}}}}"#,
        ),
        (
            Dialect::Messages,
            r#"{"model":"m","messages":[{"role":"assistant","content":[{"type":"tool_use","id":"t","name":"f","input":{"base_url":"https://a.example"}}]}],"tools":[{"name":"f","input_schema":{"properties":{"webhook":{"type":"string"}}}}]}"#,
        ),
        (
            Dialect::Responses,
            r#"{"model":"m","input":[{"type":"function_call","name":"f","call_id":"c","arguments":"{\"api_base\":\"u\"}"},{"type":"computer_call","action":{"proxy":"x"}},{"type":"mcp_list_tools","tools":[{"name":"t","input_schema":{"properties":{"endpoint":{"type":"string"}}}}]}]}"#,
        ),
        (
            Dialect::Mcp,
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"f","arguments":{"base_url":"https://a.example"}}}"#,
        ),
    ] {
        assert!(
            parse(dialect, body).is_ok(),
            "{body}: {:?}",
            parse(dialect, body).err()
        );
    }
}

/// Bodies of genuine clients, cut down to their members: none of these names an endpoint.
#[test]
fn genuine_clients_name_no_endpoint() {
    let mut seen = 0;
    for line in include_str!("genuine.jsonl").lines() {
        let (dialect, body) = line.split_once('\t').unwrap();
        let dialect = match dialect {
            "messages" => Dialect::Messages,
            "responses" => Dialect::Responses,
            "ghost_text" => Dialect::GhostText,
            _ => Dialect::Chat,
        };
        let model = (dialect == Dialect::GhostText).then_some("m");
        let request = dialect.parse_request(body.as_bytes(), model, Limits::default());
        let request = request.unwrap_or_else(|e| panic!("{e}: {body}"));
        let named: Vec<_> = request.parameters.iter().map(String::as_str).collect();
        let usual = ["large_max_tokens", "n", "suffix"];
        assert!(named.iter().all(|name| usual.contains(name)), "{named:?}: {body}");
        seen += 1;
    }
    assert!(seen >= 10, "{seen}");
}
