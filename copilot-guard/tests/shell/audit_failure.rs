//! What is not recorded does not happen.

use copilot_guard::audit::{EventKind, Outcome};
use copilot_guard::guard::OnFailure;
use copilot_guard::testing::SinkMode;

use crate::support::*;

fn chat_chunk(text: &str, finish: &str) -> String {
    format!(
        "data: {{\"id\":\"c\",\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{text}\"}},\"finish_reason\":{finish}}}]}}\n\n"
    )
}

fn message_event(name: &str, rest: &str) -> String {
    format!("event: {name}\ndata: {{\"type\":\"{name}\"{rest}}}\n\n")
}

/// A messages stream, one piece per event.
fn message_pieces() -> Vec<String> {
    let text = |t: &str| {
        message_event(
            "content_block_delta",
            &format!(r#","index":0,"delta":{{"type":"text_delta","text":"{t}"}}"#),
        )
    };
    vec![
        message_event(
            "message_start",
            r#","message":{"id":"msg_up","type":"message","role":"assistant","model":"m","content":[],"usage":{"input_tokens":1,"output_tokens":1}}"#,
        ),
        message_event(
            "content_block_start",
            r#","index":0,"content_block":{"type":"text","text":""}"#,
        ),
        text("one "),
        text("two "),
        message_event("content_block_stop", r#","index":0"#),
        message_event(
            "content_block_start",
            r#","index":1,"content_block":{"type":"text","text":""}"#,
        ),
        message_event(
            "content_block_delta",
            r#","index":1,"delta":{"type":"text_delta","text":"three "}"#,
        ),
        message_event("content_block_stop", r#","index":1"#),
        message_event(
            "message_delta",
            r#","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":5}"#,
        ),
        message_event("message_stop", ""),
    ]
}

fn chat_pieces() -> Vec<String> {
    vec![
        chat_chunk("one ", "null"),
        chat_chunk("two ", "null"),
        chat_chunk("three ", "\"stop\""),
        "data: [DONE]\n\n".to_owned(),
    ]
}

#[tokio::test]
async fn at_the_opening_nothing_goes_up() {
    for mode in [SinkMode::Fail, SinkMode::Panic] {
        for stream in [true, false] {
            for path in [CHAT, MESSAGES] {
                let house = House::new(Model::new([]));
                house.sink.set_mode(mode);
                let got = house.ask(post(path, prompt("hi", stream))).await;
                assert_eq!(
                    (got.status, got.code().as_str()),
                    (503, "audit_unavailable"),
                    "{got:?}"
                );
                assert_eq!(house.model.calls(), 0, "{mode:?}");
                assert!(house.guard.audit_failures() > 0);
                house.sink.set_mode(SinkMode::Store);
                assert!(house.record().await.is_empty());
            }
        }
    }
}

#[tokio::test]
async fn refusals_wait_for_the_record_too() {
    let house = House::new(Model::new([]));
    house.sink.set_mode(SinkMode::Fail);
    let got = house.ask(post(CHAT, prompt("falcon", false))).await;
    assert_eq!(got.status, 503, "{got:?}");
}

/// A sink that does not answer holds the request; nothing goes up until it does.
#[tokio::test]
async fn while_the_sink_stalls_nothing_goes_up() {
    let house = House::new(Model::one(Answer::pieces(chat_pieces())));
    house.sink.set_mode(SinkMode::Stall);
    let mut call = house.call(streamed(CHAT, "hi"));
    for _ in 0..100 {
        assert!(poll_once(&mut call).await.is_pending());
        tokio::task::yield_now().await;
    }
    assert_eq!(house.model.calls(), 0);
    house.sink.set_mode(SinkMode::Store);
    let got = read(call.await.expect("infallible")).await;
    assert_eq!(got.status, 200);
    assert_eq!(house.outcome().await, Outcome::Completed);
}

/// The sink fails after `n` pieces have been delivered: no later byte comes down, and the message ends in its format.
async fn fails_after(path: &str, pieces: Vec<String>, n: usize, mode: SinkMode) -> Got {
    let house = House::new(Model::one(Answer::spaced(pieces)));
    let mut response = house.send(streamed(path, "hi")).await;
    let mut body = String::new();
    for _ in 0..n {
        body += &one_piece(response.body_mut()).await.expect("a piece");
    }
    house.sink.set_mode(mode);
    let got = read(response).await;
    let before = delivered(&house.sink.events());
    assert_eq!(before, body, "what was delivered is what is on record");
    house.sink.set_mode(SinkMode::Store);
    // The closing event is offered again until the sink takes it.
    tokio::time::sleep(std::time::Duration::from_secs(3)).await;
    let closings = house.closings().await;
    assert_eq!(closings.len(), 1);
    assert_eq!(closings[0].outcome, Outcome::Refused, "{closings:?}");
    assert_eq!(closings[0].code.as_deref(), Some("audit_unavailable"));
    Got {
        body: body + &got.body,
        ..got
    }
}

#[tokio::test(start_paused = true)]
async fn in_the_middle_of_a_chat_stream() {
    let words = ["one ", "two ", "three "];
    for mode in [SinkMode::Fail, SinkMode::Panic] {
        for n in 0..4 {
            let got = fails_after(CHAT, chat_pieces(), n, mode).await;
            for (i, word) in words.iter().enumerate() {
                assert_eq!(got.body.contains(word), i < n, "after {n} pieces: {}", got.body);
            }
            let texts = chat_texts(&got.body);
            if n < 3 {
                assert!(texts["0.content"].contains("could not be recorded"), "{texts:?}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn in_the_middle_of_a_messages_stream() {
    for n in 0..message_pieces().len() {
        let got = fails_after(MESSAGES, message_pieces(), n, SinkMode::Fail).await;
        for (word, piece) in [("one ", 2), ("two ", 3), ("three ", 6)] {
            assert_eq!(
                got.body.contains(word),
                piece < n,
                "after {n} pieces: {}",
                got.body
            );
        }
        let texts = message_texts(&got.body);
        if n < 9 {
            assert!(
                texts.values().any(|t| t.contains("could not be recorded")),
                "after {n}: {texts:?}"
            );
        }
    }
}

/// A whole answer in one piece whose record fails: nothing of it comes down, but an end does.
#[tokio::test(start_paused = true)]
async fn at_the_only_piece() {
    let got = fails_after(CHAT, vec![chat_pieces().concat()], 0, SinkMode::Fail).await;
    assert!(!got.body.contains("one"));
    assert!(chat_texts(&got.body)["0.content"].contains("could not be recorded"));
    let got = fails_after(MESSAGES, vec![message_pieces().concat()], 0, SinkMode::Fail).await;
    assert!(!got.body.contains("one"));
    assert!(
        message_texts(&got.body)
            .values()
            .any(|t| t.contains("could not be recorded"))
    );
}

#[tokio::test(start_paused = true)]
async fn a_plain_answer_is_withheld() {
    let body = r#"{"choices":[{"index":0,"message":{"role":"assistant","content":"hello"},"finish_reason":"stop"}]}"#;
    let (feed, answer) = Answer::fed();
    drop(answer);
    drop(feed);
    let house = House::new(Model::one(Answer::json(body)));
    let mut call = house.call(post(CHAT, prompt("hi", false)));
    while house.model.calls() == 0 {
        assert!(poll_once(&mut call).await.is_pending());
        if house.sink.events().len() == 1 {
            house.sink.set_mode(SinkMode::Fail);
        }
        tokio::task::yield_now().await;
    }
    let got = read(call.await.expect("infallible")).await;
    assert_eq!(
        (got.status, got.code().as_str()),
        (503, "audit_unavailable"),
        "{got:?}"
    );
    assert!(!got.body.contains("hello"));
}

#[tokio::test(start_paused = true)]
async fn best_effort_goes_on() {
    for mode in [SinkMode::Fail, SinkMode::Panic] {
        let house = House::with(Model::one(Answer::pieces(chat_pieces())), |s| {
            s.on_audit_failure = OnFailure::BestEffort;
        });
        house.sink.set_mode(mode);
        let got = house.ask(streamed(CHAT, "hi")).await;
        assert_eq!(chat_texts(&got.body)["0.content"], "one two three ");
        assert!(house.guard.audit_failures() > 0, "it is counted");
    }
}

/// Strict: when a piece is handed out it is on record already, byte for byte.
#[tokio::test]
async fn every_byte_is_on_record_before_it_is_handed_out() {
    for (path, pieces) in [(CHAT, chat_pieces()), (MESSAGES, message_pieces())] {
        let house = House::new(Model::one(Answer::spaced(pieces)));
        let mut response = house.send(streamed(path, "hi")).await;
        let mut body = String::new();
        while let Some(piece) = one_piece(response.body_mut()).await {
            body += &piece;
            assert_eq!(delivered(&house.sink.events()), body);
        }
        assert!(house.sink.events().last().unwrap().kind.is_final());
        assert_eq!(house.outcome().await, Outcome::Completed);
    }
}

/// Some slack: at most so many bytes are handed out before they are on record.
#[tokio::test]
async fn no_more_than_max_undurable_runs_ahead() {
    let pieces: Vec<String> = (0..40)
        .map(|i| chat_chunk(&format!("piece {i:02} "), "null"))
        .collect();
    let house = House::with(Model::one(Answer::spaced(pieces)), |s| s.max_undurable = 1000);
    let mut response = house.send(streamed(CHAT, "hi")).await;
    house.sink.set_mode(SinkMode::Stall);
    let mut ahead = 0;
    for _ in 0..200 {
        if let std::task::Poll::Ready(Some(piece)) = next_piece(response.body_mut()).await {
            ahead += piece.len();
        }
        tokio::task::yield_now().await;
    }
    assert!((1..=1000).contains(&ahead), "{ahead}");
    house.sink.set_mode(SinkMode::Store);
    let rest = read(response).await;
    assert!(rest.body.ends_with("data: [DONE]\n\n"));
    let all = delivered(&house.checked().await);
    assert_eq!(all.len(), ahead + rest.body.len());
    let events = house.record().await;
    assert!(matches!(events.last().unwrap().kind, EventKind::Closed(_)));
}
