//! A model that fails, lies, or falls silent: the client's message ends properly, and its words stay up there.

use copilot_guard::audit::Outcome;
use serde_json::json;

use crate::support::*;

/// What must never come down.
const WORDS: &str = "upstream-internal-name";

fn chunk(text: &str) -> String {
    format!(
        "data: {{\"id\":\"up\",\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{text}\"}},\"finish_reason\":null}}]}}\n\n"
    )
}

fn start() -> String {
    let start = json!({"type": "message_start", "message": {"id": "m", "type": "message", "role": "assistant", "content": [], "model": "m"}});
    let block =
        json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}});
    let delta =
        json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "hello"}});
    [start, block, delta]
        .iter()
        .map(|e| format!("event: {}\ndata: {e}\n\n", e["type"].as_str().unwrap()))
        .collect()
}

fn hello(path: &str) -> String {
    if path == CHAT { chunk("hello") } else { start() }
}

async fn ends_properly(path: &str, answer: Answer, what: &str) -> String {
    let house = House::new(Model::one(answer));
    let got = house.ask(streamed(path, "hi")).await;
    assert_eq!(got.status, 200, "{what}: {got:?}");
    assert!(!got.whole().contains(WORDS), "{what}: {}", got.whole());
    let texts = if path == CHAT {
        chat_texts(&got.body)
    } else {
        message_texts(&got.body)
    };
    assert!(
        texts.values().any(|t| t.contains("[copilot-guard]")),
        "{what}: {texts:?}"
    );
    assert_eq!(house.outcome().await, Outcome::UpstreamFailed, "{what}");
    assert_eq!(house.model.alive(), 0, "{what}: upstream is let go");
    got.body
}

#[tokio::test(start_paused = true)]
async fn broken_streams_end_in_their_format() {
    for path in [CHAT, MESSAGES] {
        let more = |tail: &str| Answer::sse(hello(path) + tail);
        let wrong_name = "event: ping\ndata: {\"type\":\"message_stop\"}\n\n";
        let rows = [
            ("cut", Answer::pieces([hello(path)]).cut()),
            (
                "cut within an event",
                Answer::pieces([hello(path), "data: {\"a\":".to_owned()]).cut(),
            ),
            ("cut before anything", Answer::pieces(Vec::<String>::new()).cut()),
            ("a clean early end", more("")),
            ("nothing at all", Answer::sse("")),
            (
                "an early end within an event",
                more("data: {\"upstream-internal-name"),
            ),
            ("not JSON", more("data: upstream-internal-name\n\n")),
            (
                "duplicate members",
                more("data: {\"type\":\"ping\",\"type\":\"upstream-internal-name\"}\n\n"),
            ),
            ("not an object", more("data: [\"upstream-internal-name\"]\n\n")),
            (
                "not UTF-8",
                Answer::sse([hello(path).as_bytes(), b"data: \xff\xfe\n\n"].concat()),
            ),
            (
                "an error event",
                more(
                    "event: error\ndata: {\"type\":\"error\",\"error\":{\"message\":\"upstream-internal-name\"}}\n\n",
                ),
            ),
            (
                "a body that panics",
                Answer::PanicAfter(vec![Ok(hello(path).into())]),
            ),
            (
                "huge",
                more(&format!("data: {{\"x\":\"{}\"}}\n\n", "y".repeat(17 << 20))),
            ),
        ];
        for (what, answer) in rows {
            let body = ends_properly(path, answer, what).await;
            if !what.contains("nothing") && !what.contains("before") {
                assert!(body.contains("hello"), "{what}: what was good stays");
            }
        }
        if path == MESSAGES {
            ends_properly(path, more(wrong_name), "two names").await;
            ends_properly(path, more("event: x\ndata: {\"no\":\"type\"}\n\n"), "no type").await;
            let other = "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":5,\"delta\":{\"type\":\"text_delta\",\"text\":\"upstream-internal-name\"}}\n\n";
            ends_properly(path, more(other), "a block that is not open").await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn silence_in_mid_stream() {
    let (feed, answer) = Answer::fed();
    feed.send(Ok(chunk("hello").into())).unwrap();
    let began = tokio::time::Instant::now();
    ends_properly(CHAT, answer, "silence").await;
    assert_eq!(began.elapsed().as_secs(), 600);
    drop(feed);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_passed_on_is_a_502() {
    let good = chunk("hello") + "data: [DONE]\n\n";
    let plain = r#"{"choices":[]}"#;
    let rows = [
        ("gzip", Answer::sse(good.clone()).with("content-encoding", "gzip")),
        (
            "gzip as a second field",
            Answer::sse(good.clone())
                .with("content-encoding", "identity")
                .with("content-encoding", "gzip"),
        ),
        (
            "redirect",
            Answer::new(302, "text/html", WORDS).with("location", "https://upstream-internal-name/"),
        ),
        ("html", Answer::new(200, "text/html", WORDS)),
        ("204", Answer::new(204, "application/json", "")),
        ("201", Answer::new(201, "application/json", plain)),
        (
            "500",
            Answer::new(
                500,
                "application/json",
                r#"{"error":{"message":"upstream-internal-name"}}"#,
            ),
        ),
        ("503", Answer::new(503, "text/plain", WORDS)),
        (
            "401",
            Answer::new(
                401,
                "application/json",
                r#"{"error":{"message":"upstream-internal-name","code":"invalid_api_key"}}"#,
            )
            .with("www-authenticate", WORDS),
        ),
        (
            "403",
            Answer::new(403, "application/json", WORDS).with("set-cookie", WORDS),
        ),
        ("inner error", Answer::Error),
        ("inner panic", Answer::Panic),
        ("silence", Answer::Silence),
        ("plain garbage", Answer::json(WORDS)),
        (
            "plain without choices",
            Answer::json(r#"{"message":"upstream-internal-name"}"#),
        ),
        ("plain cut", Answer::json(plain).cut()),
        (
            "plain too large",
            Answer::json(format!("{{\"choices\":[],\"x\":\"{}\"}}", "y".repeat(33 << 20))),
        ),
    ];
    for (what, answer) in rows {
        let house = House::new(Model::one(answer));
        let got = house.ask(streamed(CHAT, "hi")).await;
        assert_eq!(
            (got.status, got.code().as_str()),
            (502, "upstream_failed"),
            "{what}: {got:?}"
        );
        assert!(
            !got.whole().contains(WORDS) && !got.whole().contains(CREDENTIAL),
            "{what}: {}",
            got.whole()
        );
        assert!(!got.header("x-github-request-id").is_empty(), "{what}");
        assert_eq!(house.outcome().await, Outcome::UpstreamFailed, "{what}");
        assert_eq!(house.model.alive(), 0, "{what}");
    }
}

#[tokio::test]
async fn errors_a_client_can_act_on() {
    let body = |code: &str| format!(r#"{{"error":{{"message":"{WORDS} {CREDENTIAL}","code":"{code}"}}}}"#);
    let rows = [
        (400, "context_length_exceeded", 400, "context_length_exceeded"),
        (400, WORDS, 400, "upstream_bad_request"),
        (404, "", 404, "model_not_found"),
        (413, "", 413, "request_too_large"),
        (429, "insufficient_quota", 429, "rate_limit_exceeded"),
    ];
    for (status, code, want, want_code) in rows {
        for path in [CHAT, MESSAGES] {
            let answer = Answer::new(status, "application/json", body(code))
                .with("retry-after", "7")
                .with("server", WORDS);
            let house = House::new(Model::one(answer));
            let got = house.ask(streamed(path, "hi")).await;
            assert_eq!((got.status, got.code().as_str()), (want, want_code), "{got:?}");
            assert!(
                !got.whole().contains(WORDS) && !got.whole().contains(CREDENTIAL),
                "{}",
                got.whole()
            );
            if status == 429 {
                assert_eq!(got.header("retry-after"), "7");
            }
            assert_eq!(house.outcome().await, Outcome::UpstreamFailed);
        }
    }
}

/// After a hold the head has left: every failure is a notice within the message.
#[tokio::test(start_paused = true)]
async fn after_a_hold_failures_are_notices() {
    let answers = [
        Answer::Error,
        Answer::Panic,
        Answer::Silence,
        Answer::new(500, "application/json", WORDS),
        Answer::new(302, "text/html", WORDS),
        Answer::json(r#"{"choices":[]}"#),
        Answer::sse(chunk("x")).with("content-encoding", "gzip"),
    ];
    for answer in answers {
        let house = House::new(Model::one(answer));
        let mut response = house.send(streamed(CHAT, "production")).await;
        let first = one_piece(response.body_mut()).await.unwrap();
        house.vote(true).await;
        let body = first + &read(response).await.body;
        assert!(
            chat_texts(&body)["0.content"].contains("[copilot-guard]"),
            "{body}"
        );
        assert!(!body.contains(WORDS));
        assert_eq!(house.model.calls(), 1);
        assert_eq!(house.outcome().await, Outcome::UpstreamFailed);
    }
}

/// Known headers come down, others do not.
#[tokio::test]
async fn headers_of_the_model() {
    let answer = Answer::sse(chunk("x") + "data: [DONE]\n\n")
        .with("x-request-id", "req_1")
        .with("x-ratelimit-remaining", "5")
        .with("x-ratelimit-note", CREDENTIAL)
        .with("x-quota-snapshot-chat", SECRET)
        .with("set-cookie", WORDS)
        .with("x-copilot-guard-decision", "block")
        .with("x-github-request-id", "gh-1");
    let got = House::new(Model::one(answer)).ask(streamed(CHAT, "hi")).await;
    assert_eq!(
        (got.header("x-request-id"), got.header("x-ratelimit-remaining")),
        ("req_1", "5")
    );
    assert_eq!(
        (
            got.header("x-copilot-guard-decision"),
            got.header("x-github-request-id")
        ),
        ("allow", "gh-1")
    );
    assert!(
        !got.whole().contains(CREDENTIAL) && !got.whole().contains(WORDS) && !got.whole().contains(SECRET)
    );
}
