//! Tags of one session: equal on the way up and on the way down, and of no other person or session.

use copilot_guard::detect::TagKey;
use http::Request;
use http_body_util::Full;
use serde_json::json;

use crate::support::*;

fn token() -> String {
    format!("{}p_{}", "gh", "Ab1c2D".repeat(6))
}

/// A question with a tool result that holds the token; the answer repeats it.
fn question(person: &str, session: Option<&str>, stream: bool) -> Request<Full<bytes::Bytes>> {
    let body = json!({"model": "m", "stream": stream, "messages": [
        {"role": "user", "content": "what does it say?"},
        {"role": "tool", "tool_call_id": "c", "content": format!("it says {} and {}", token(), token())}]});
    let mut request = as_person(person, CHAT, body.to_string());
    if let Some(session) = session {
        request
            .headers_mut()
            .insert("x-client-session-id", session.parse().unwrap());
    }
    request
        .headers_mut()
        .insert("x-interaction-id", "turn-1".parse().unwrap());
    request
}

fn answer(stream: bool) -> Answer {
    let text = format!("it says {}", token());
    if stream {
        let chunk = |choices| {
            let chunk = json!({"id": "c", "object": "chat.completion.chunk", "created": 7, "model": "up", "choices": choices});
            format!("data: {chunk}\n\n")
        };
        let mut out = String::new();
        for piece in text.as_bytes().chunks(3) {
            let piece = String::from_utf8(piece.to_vec()).unwrap();
            out += &chunk(json!([{"index": 0, "delta": {"content": piece}, "finish_reason": null}]));
        }
        out += &chunk(json!([{"index": 0, "delta": {}, "finish_reason": "stop"}]));
        return Answer::sse(out + "data: [DONE]\n\n");
    }
    let message = json!({"role": "assistant", "content": text});
    let choices = json!([{"index": 0, "message": message, "finish_reason": "stop"}]);
    let body =
        json!({"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": choices});
    Answer::json(body.to_string())
}

/// Every tag in this text, in order.
fn tags(text: &str) -> Vec<String> {
    let marks = text.split("[REDACTED:github-pat:").skip(1);
    marks.map(|rest| rest[..8].to_owned()).collect()
}

/// The tags that went up, came down and stand in the record; all are one.
async fn one_tag(house: &House, person: &str, session: Option<&str>, stream: bool) -> String {
    house.model.then(answer(stream));
    let got = house.ask(question(person, session, stream)).await;
    assert_eq!(got.status, 200, "{}", got.body);
    let up = house.model.seen().last().unwrap().body.clone();
    let (up, down) = (tags(&up), tags(&got.body));
    assert_eq!((up.len(), down.len()), (2, 1), "{}", got.body);
    assert!(up.iter().all(|tag| *tag == down[0]), "{up:?} {down:?}");
    let opening = house.opening().await;
    assert_eq!(tags(&opening.request).len(), 2);
    down[0].clone()
}

#[tokio::test]
async fn a_session_has_one_tag_for_one_token() {
    for stream in [false, true] {
        let house = House::new(Model::new([]));
        let first = one_tag(&house, "token-ann", Some("s1"), stream).await;
        assert_eq!(one_tag(&house, "token-ann", Some("s1"), stream).await, first);
        assert_ne!(
            one_tag(&house, "token-ann", Some("s2"), stream).await,
            first,
            "another session"
        );
        assert_ne!(
            one_tag(&house, "token-bob", Some("s1"), stream).await,
            first,
            "another person"
        );
        let without = one_tag(&house, "token-ann", None, stream).await;
        assert_eq!(one_tag(&house, "token-ann", None, stream).await, without);
        assert_ne!(without, first);
    }
}

#[tokio::test]
async fn replicas_with_one_key_make_one_tag() {
    let mut seen = Vec::new();
    for key in [[1; 32], [1; 32], [2; 32]] {
        let house = House::keyed(Model::new([]), |builder| builder.with_tag_key(TagKey::new(key)));
        seen.push(one_tag(&house, "token-ann", None, false).await);
    }
    assert_eq!(seen[0], seen[1]);
    assert_ne!(seen[0], seen[2]);
    let random = House::new(Model::new([]));
    assert!(!seen.contains(&one_tag(&random, "token-ann", None, false).await));
}

/// What an approval is bound to does not end with the key of the tags.
#[tokio::test]
async fn an_approval_outlives_the_key_of_the_tags() {
    let mut digests = Vec::new();
    for key in [1, 2] {
        let house = House::keyed(Model::new([]), |b| b.with_tag_key(TagKey::new([key; 32])));
        one_tag(&house, "token-ann", None, false).await;
        digests.push(house.opening().await.digest);
    }
    assert_eq!(digests[0], digests[1]);
}
