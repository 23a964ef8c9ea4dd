//! The caller's token stays here, the upstream credential stays up there, and nobody prints either.

use copilot_guard::audit::{EventKind, Outcome};
use copilot_guard::guard::{Admission, Guard};
use copilot_guard::secret::Secret;
use http::Request;
use serde_json::json;

use crate::support::*;

const HELLO: &str =
    r#"{"choices":[{"index":0,"message":{"role":"assistant","content":"hello"},"finish_reason":"stop"}]}"#;

fn nothing_above(house: &House, what: &str) {
    for seen in house.model.seen() {
        let all = format!("{} {:?} {}", seen.uri, seen.headers, seen.body);
        assert!(!all.contains(TOKEN), "{what}: the token went up: {all}");
    }
}

#[tokio::test]
async fn the_token_does_not_go_up() {
    for place in ["authorization", "x-api-key", "api-key"] {
        let house = House::new(Model::one(Answer::json(HELLO)));
        let value = if place == "authorization" {
            format!("Bearer {TOKEN}")
        } else {
            TOKEN.to_owned()
        };
        let body = prompt(&format!("my token is {TOKEN}, is it good? {TOKEN}"), false);
        let mut request = Request::post(CHAT)
            .header(place, value)
            .body(http_body_util::Full::from(body))
            .unwrap();
        for name in [
            "x-custom",
            "user-agent",
            "x-client-session-id",
            "cookie",
            "proxy-authorization",
            "referer",
        ] {
            request
                .headers_mut()
                .insert(name, format!("a {TOKEN} b").parse().unwrap());
        }
        let got = house.ask(request).await;
        assert_eq!(got.status, 200, "{got:?}");
        nothing_above(&house, place);
        assert_eq!(house.model.calls(), 1);
        assert!(house.model.seen()[0].body.contains("my token is [REDACTED:"));
        assert!(!got.whole().contains(TOKEN));
        house.checked().await;
    }
}

/// It is masked; where it cannot be, the request is refused.
#[tokio::test]
async fn the_token_in_odd_places_of_the_body() {
    let escaped: String = TOKEN
        .chars()
        .map(|c| format!("\\u{:04x}", u32::from(c)))
        .collect();
    let bodies = [
        json!({"model": TOKEN, "messages": []}).to_string(),
        json!({"model": "m", "messages": [], TOKEN: 1}).to_string(),
        json!({"model": "m", "messages": [], "x": {(format!("a{TOKEN}")): [1]}}).to_string(),
        json!({"model": "m", "messages": [{"role": TOKEN, "content": "x"}]}).to_string(),
        json!({"model": "m", "messages": [{"role": "user", "content": [{"type": TOKEN}]}]}).to_string(),
        json!({"model": "m", "messages": [{"role": "user", "content": [{"type": "thinking", "thinking": TOKEN, "signature": TOKEN}]}]}).to_string(),
        json!({"model": "m", "messages": [{"role": "user", "content": [{"type": "redacted_thinking", "data": TOKEN}]}]}).to_string(),
        json!({"model": "m", "messages": [{"role": "user", "content": format!("data:x;base64,{TOKEN}")}]}).to_string(),
        format!(r#"{{"model":"{escaped}","messages":[]}}"#),
        format!(r#"{{"model":"m","messages":[],"{escaped}":1}}"#),
    ];
    for body in bodies {
        for path in [CHAT, MESSAGES] {
            let house = House::new(Model::one(Answer::json(HELLO)));
            let got = house.ask(post(path, body.clone())).await;
            nothing_above(&house, &body);
            assert!(!got.whole().contains(TOKEN));
            match house.model.seen().first() {
                None => assert_eq!(
                    (got.status, got.code().as_str()),
                    (400, "malformed_request"),
                    "{body}"
                ),
                Some(seen) => assert!(seen.body.contains("[REDACTED:"), "{body}: {}", seen.body),
            }
            house.checked().await;
        }
    }
    // An escape in a text is masked like the text itself.
    let house = House::new(Model::one(Answer::json(HELLO)));
    let body = format!(r#"{{"model":"m","messages":[{{"role":"user","content":"x {escaped}"}}]}}"#);
    assert_eq!(house.ask(post(CHAT, body)).await.status, 200);
    assert!(house.model.seen()[0].body.contains("x [REDACTED:"));
}

#[tokio::test]
async fn the_token_in_the_address() {
    let encoded = TOKEN.replace('-', "%2D").replace('.', "%2e");
    for uri in [
        format!("{CHAT}?key={TOKEN}"),
        format!("{CHAT}?key={encoded}"),
        format!("{CHAT}?{TOKEN}"),
        format!("http://{TOKEN}@gateway{CHAT}"),
        format!("http://{TOKEN}.gateway{CHAT}"),
    ] {
        let house = House::new(Model::one(Answer::json(HELLO)));
        let got = house.ask(post(&uri, prompt("hi", false))).await;
        assert_eq!(
            (got.status, got.code().as_str()),
            (400, "malformed_request"),
            "{uri}: {got:?}"
        );
        assert_eq!(house.model.calls(), 0, "{uri}");
        house.checked().await;
    }
}

#[tokio::test]
async fn two_tokens_are_none() {
    let house = House::new(Model::one(Answer::json(HELLO)));
    let mut request = post(CHAT, prompt("hi", false));
    request.headers_mut().insert("x-api-key", TOKEN.parse().unwrap());
    assert_eq!(house.ask(request).await.status, 401);
    assert_eq!(house.model.calls(), 0);
}

/// Everything that can be printed, printed.
#[tokio::test(start_paused = true)]
async fn nothing_prints_the_token() {
    let house = House::new(Model::new([]));
    let clean = |what: &str, text: String| {
        assert!(
            !text.contains(TOKEN) && !text.contains(CREDENTIAL),
            "{what}: {text}"
        );
        assert!(
            !text.contains("purple elephants"),
            "{what} prints what was asked: {text}"
        );
    };
    clean("Secret", format!("{:?}", Secret::new(TOKEN)));
    clean("Guard", format!("{:?} {:#?}", house.guard, house.guard));
    clean("Policy", format!("{:?}", house.guard.policy()));
    clean("GuardService", format!("{:?}", house.shell));
    clean(
        "GuardLayer",
        format!("{:?}", house.guard.layer::<http_body_util::Full<bytes::Bytes>>()),
    );
    for word in ["", "falcon", "production"] {
        let text = prompt(&format!("purple elephants {word} {TOKEN}"), true);
        let (parts, body) = post(CHAT, "").map(|_| bytes::Bytes::from(text)).into_parts();
        let identified = house.guard.identify(&parts).await.unwrap();
        clean("Identified", format!("{identified:?}"));
        let admission = house.guard.admit(identified, &parts, body).await;
        clean("Admission", format!("{admission:?} {admission:#?}"));
        match &admission {
            Admission::Forward(permit) => clean("Permit", format!("{permit:?}")),
            Admission::Hold(pending) => clean("Pending", format!("{pending:?}")),
            Admission::Refuse(denial) => clean("Denial", format!("{denial:?}")),
            Admission::Reply(_) => panic!("a model's route is not answered here"),
        }
        drop(admission);
    }
    let stranger = post(CHAT, "").into_parts().0;
    let refused = Guard::identify(&house.guard, &{
        let mut parts = stranger;
        parts
            .headers
            .insert("authorization", "Bearer unknown-canary-77".parse().unwrap());
        parts
    })
    .await
    .unwrap_err();
    assert!(!format!("{refused:?}").contains("unknown-canary-77"));
    let call = house.call(streamed(CHAT, "purple elephants in production"));
    clean("ResponseFuture", format!("{call:?}"));
    let response = call.await.unwrap();
    clean("ResponseBody", format!("{:?}", response.body()));
    drop(response);
    for event in house.checked().await {
        let json = serde_json::to_string(&event).unwrap();
        assert!(
            !json.contains(TOKEN) && !json.contains("unknown-canary-77"),
            "{json}"
        );
    }
}

/// The verifier panics: the request is refused, the process lives.
#[tokio::test]
async fn a_verifier_that_panics() {
    let house = House::new(Model::one(Answer::json(HELLO)));
    let got = house
        .ask(as_person("token-panic", CHAT, prompt("hi", false)))
        .await;
    assert_eq!((got.status, house.model.calls()), (503, 0), "{got:?}");
    let events = house.checked().await;
    assert!(matches!(&events[0].kind, EventKind::Refused { status: 503, .. }));
    assert_eq!(house.ask(post(CHAT, prompt("hi", false))).await.status, 200);
}

/// A model that panics: a 502, on record, and the next request goes on.
#[tokio::test]
async fn a_model_that_panics() {
    let house = House::new(Model::new([Answer::Panic, Answer::json(HELLO)]));
    assert_eq!(house.ask(post(CHAT, prompt("hi", false))).await.status, 502);
    assert_eq!(house.outcome().await, Outcome::UpstreamFailed);
    assert_eq!(house.ask(post(CHAT, prompt("hi", false))).await.status, 200);
}
