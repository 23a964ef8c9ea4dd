//! Credentials that are known for one request alone do not come down with its answer, in no form.

use copilot_guard::http::GuardService;
use copilot_guard::secret::{Scrub, Secret};
use http::Request;
use http_body_util::Full;
use proptest::prelude::*;
use serde_json::json;
use tower::ServiceExt as _;

use crate::support::*;

/// No built-in rule knows its form.
const DYNAMIC: &str = "tid=4711;exp=1800000900;sku=enterprise:0a1b2c3d4e5f6a7b";

/// Asks a model that is sent [`DYNAMIC`] along; with `named`, whoever adds it says so.
async fn ask(house: &House, named: bool, request: Request<Full<bytes::Bytes>>) -> Got {
    let model = house
        .model
        .clone()
        .map_request(move |request: Request<Full<bytes::Bytes>>| {
            if named {
                request
                    .extensions()
                    .get::<Scrub>()
                    .expect("the guard's list")
                    .add(Secret::new(DYNAMIC));
            }
            request
        });
    read(oneshot(GuardService::new(house.guard.clone(), model), request).await).await
}

fn hex(text: &str) -> String {
    text.bytes().map(|b| format!("{b:02x}")).collect()
}

fn base64(text: &str) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(text)
}

fn plain(text: &str) -> Answer {
    let call = json!({"id": "c1", "type": "function", "function": {"name": "run", "arguments": json!({"a": text}).to_string()}});
    let message = json!({"role": "assistant", "content": text, "tool_calls": [call]});
    let body = json!({"choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}]});
    Answer::json(body.to_string())
}

/// In deltas of `size` characters, in the text and in a call's arguments.
fn stream(text: &str, size: usize) -> Answer {
    let pieces = |text: &str| -> Vec<String> {
        let chars: Vec<char> = text.chars().collect();
        chars.chunks(size).map(|c| c.iter().collect()).collect()
    };
    let mut body = String::new();
    let mut event = |delta: serde_json::Value, reason: Option<&str>| {
        let chunk = json!({"id": "c", "choices": [{"index": 0, "delta": delta, "finish_reason": reason}]});
        body.push_str(&format!("data: {chunk}\n\n"));
    };
    for piece in pieces(text) {
        event(json!({ "content": piece }), None);
    }
    event(
        json!({"tool_calls": [{"index": 0, "id": "c1", "type": "function", "function": {"name": "run", "arguments": ""}}]}),
        None,
    );
    for piece in pieces(&json!({ "a": text }).to_string()) {
        event(
            json!({"tool_calls": [{"index": 0, "function": {"arguments": piece}}]}),
            None,
        );
    }
    event(json!({}), Some("tool_calls"));
    body.push_str("data: [DONE]\n\n");
    Answer::new(200, "text/event-stream", body)
}

/// All texts of a stream, one behind the other.
fn joined(body: &str) -> String {
    chat_texts(body).into_values().collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn no_form_of_it_comes_down() {
    let forms = [
        DYNAMIC.to_owned(),
        hex(DYNAMIC),
        base64(DYNAMIC),
        base64(&format!("x{DYNAMIC}y")),
    ];
    for form in &forms {
        let text = format!("look: {form} and so on");
        for streamed in [false, true] {
            for named in [true, false] {
                let answer = if streamed { stream(&text, 7) } else { plain(&text) };
                let house = House::new(Model::one(answer));
                let got = ask(&house, named, post(CHAT, prompt("hi", streamed))).await;
                assert_eq!(got.status, 200, "{got:?}");
                let shown = if streamed {
                    joined(&got.body)
                } else {
                    got.body.clone()
                };
                let inner = &form[4..form.len() - 4];
                // The negative control: whoever does not name it is not helped.
                assert_eq!(!shown.contains(inner), named, "{form} {streamed}: {shown}");
                if named {
                    assert!(!got.whole().contains(inner));
                    let record = serde_json::to_string(&house.checked().await).unwrap();
                    assert!(!record.contains(inner), "{record}");
                    assert!(record.contains("upstream-credential"));
                }
            }
        }
    }
}

#[tokio::test]
async fn nor_in_a_header() {
    for named in [true, false] {
        let Answer::Reply {
            status,
            mut headers,
            pieces,
        } = plain("hello")
        else {
            panic!("a reply")
        };
        headers.push(("x-request-id", format!("id-{DYNAMIC}")));
        let house = House::new(Model::one(Answer::Reply {
            status,
            headers,
            pieces,
        }));
        let got = ask(&house, named, post(CHAT, prompt("hi", false))).await;
        assert_eq!(got.header("x-request-id").is_empty(), named);
    }
}

#[tokio::test]
async fn what_cannot_be_told_from_text_ends_the_answer() {
    let house = House::new(Model::one(plain("hello")));
    let model = house
        .model
        .clone()
        .map_request(|request: Request<Full<bytes::Bytes>>| {
            request
                .extensions()
                .get::<Scrub>()
                .unwrap()
                .add(Secret::new("abc"));
            request
        });
    let service = GuardService::new(house.guard.clone(), model);
    let got = read(oneshot(service, post(CHAT, prompt("hi", false))).await).await;
    assert_eq!(got.status, 502);
    assert_eq!(
        house.closings().await[0].code.as_deref(),
        Some("credential_unscrubbable")
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// However it is cut, and what stands around it comes through.
    #[test]
    fn in_every_cut(size in 1_usize..40, before in "[a-z ]{0,20}", after in "[a-z ]{0,20}") {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let house = House::new(Model::one(stream(&format!("{before}{DYNAMIC}{after}"), size)));
            let got = ask(&house, true, post(CHAT, prompt("hi", true))).await;
            let shown = chat_texts(&got.body)["0.content"].clone();
            assert_eq!(shown, format!("{before}[REDACTED:upstream-credential]{after}"));
        });
    }
}
