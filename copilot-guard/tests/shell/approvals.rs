//! Requests that wait for a person.

use std::time::Duration;

use copilot_guard::approval::{ApprovalStore, Vote, VoteError};
use copilot_guard::audit::{EventKind, Outcome};
use copilot_guard::http::ResponseBody;
use copilot_guard::policy::{Policy, PolicyOptions};
use copilot_guard::testing::samples;
use http::Response;
use serde_json::{Value, json};

use crate::support::*;

fn answer() -> Answer {
    let chunk = |t: &str, f: &str| {
        format!(
            "data: {{\"id\":\"up\",\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{t}\"}},\"finish_reason\":{f}}}]}}\n\n"
        )
    };
    Answer::sse(chunk("done", "null") + &chunk("", "\"stop\"") + "data: [DONE]\n\n")
}

fn message() -> Answer {
    let events = [
        json!({"type": "message_start", "message": {"id": "m", "type": "message", "role": "assistant", "content": [], "model": "m"}}),
        json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": "done"}}),
        json!({"type": "content_block_stop", "index": 0}),
        json!({"type": "message_delta", "delta": {"stop_reason": "end_turn"}}),
        json!({"type": "message_stop"}),
    ];
    Answer::sse(
        events
            .iter()
            .map(|e| format!("event: {}\ndata: {e}\n\n", e["type"].as_str().unwrap()))
            .collect::<String>(),
    )
}

fn answer_for(path: &str) -> Answer {
    if path == CHAT { answer() } else { message() }
}

fn texts(path: &str, body: &str) -> String {
    let texts = if path == CHAT {
        chat_texts(body)
    } else {
        message_texts(body)
    };
    texts.into_values().collect::<Vec<_>>().join("|")
}

/// Pieces until so many seconds of paused time have gone by.
async fn pieces_for(body: &mut ResponseBody, seconds: u64) -> Vec<String> {
    let mut all = Vec::new();
    let _ = tokio::time::timeout(Duration::from_secs(seconds), async {
        while let Some(piece) = one_piece_waiting(body).await {
            all.push(piece);
        }
    })
    .await;
    all
}

async fn one_piece_waiting(body: &mut ResponseBody) -> Option<String> {
    let frame = http_body_util::BodyExt::frame(body).await?;
    Some(String::from_utf8(frame.unwrap().into_data().unwrap().to_vec()).unwrap())
}

async fn hold(house: &House, path: &str) -> (Response<ResponseBody>, String) {
    let mut response = house.send(streamed(path, "look at production")).await;
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["x-copilot-guard-decision"], "pending");
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let first = pieces_for(response.body_mut(), 1).await;
    assert_eq!(first.len(), 1, "one no-op at once: {first:?}");
    let next = pieces_for(response.body_mut(), 30).await;
    assert_eq!(next.len(), 3, "one each ten seconds: {next:?}");
    assert_eq!(house.model.calls(), 0);
    let noop = if path == CHAT {
        r#""delta":{"content":""}"#
    } else {
        r#"{"type":"ping"}"#
    };
    assert!(
        first.iter().chain(&next).all(|p| p.contains(noop)),
        "{first:?} {next:?}"
    );
    (response, first.concat() + &next.concat())
}

#[tokio::test(start_paused = true)]
async fn approved_it_goes_up_once() {
    for path in [CHAT, MESSAGES] {
        let house = House::new(Model::one(answer_for(path)));
        let (response, begun) = hold(&house, path).await;
        house.vote(true).await;
        let body = begun + &read(response).await.body;
        assert!(texts_after_pings(path, &body).contains("done"), "{body}");
        assert_eq!(house.model.calls(), 1);
        let events = house.checked().await;
        assert_eq!(closings(&events)[0].outcome, Outcome::Completed);
        let at = |wanted: &dyn Fn(&EventKind) -> bool| events.iter().position(|e| wanted(&e.kind));
        let consumed = at(
            &|k| matches!(k, EventKind::Approval { step, .. } if format!("{step:?}").starts_with("Consumed")),
        );
        assert!(consumed.is_some(), "the release is on record");
    }
}

/// Pings may come before `message_start`.
fn texts_after_pings(path: &str, body: &str) -> String {
    texts(path, body)
}

#[tokio::test(start_paused = true)]
async fn denied_it_ends_with_a_notice() {
    for path in [CHAT, MESSAGES] {
        let house = House::new(Model::one(answer_for(path)));
        let (response, begun) = hold(&house, path).await;
        house.vote(false).await;
        let body = begun + &read(response).await.body;
        assert!(
            texts(path, &body).contains("A reviewer has denied this. Production needs a reviewer."),
            "{body}"
        );
        assert_eq!(house.model.calls(), 0);
        assert_eq!(house.outcome().await, Outcome::Denied);
        // The same again is refused at once, and nobody is asked.
        let again = house.ask(streamed(path, "look at production")).await;
        assert_eq!(
            (again.status, again.code().as_str()),
            (400, "approval_denied"),
            "{again:?}"
        );
        assert_eq!(again.header("x-copilot-guard-decision"), "denied");
        assert!(house.pending().await.is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn expired_it_ends_with_a_notice() {
    let house = House::new(Model::one(answer()));
    let (response, begun) = hold(&house, CHAT).await;
    house.clock.advance(Duration::from_secs(3601));
    let body = begun + &read(response).await.body;
    assert!(texts(CHAT, &body).contains("time has run out"), "{body}");
    assert_eq!(
        (house.model.calls(), house.outcome().await),
        (0, Outcome::Expired)
    );
}

#[tokio::test(start_paused = true)]
async fn held_over_it_goes_through_when_sent_again_after_the_vote() {
    for path in [CHAT, MESSAGES] {
        let house = House::new(Model::one(answer_for(path)));
        let began = tokio::time::Instant::now();
        let (response, begun) = hold(&house, path).await;
        let body = begun + &read(response).await.body;
        let took = began.elapsed().as_secs();
        assert!((240..=242).contains(&took), "{took}");
        assert!(
            texts(path, &body).contains("still waits for a reviewer"),
            "{body}"
        );
        assert_eq!(
            (house.model.calls(), house.outcome().await),
            (0, Outcome::HeldOver)
        );
        assert_eq!(house.pending().await.len(), 1);

        // Sent again before the vote: the same approval.
        let mut again = house.send(streamed(path, "look at production")).await;
        let held = pieces_for(again.body_mut(), 5).await.concat();
        assert_eq!(house.pending().await.len(), 1);
        house.vote(true).await;
        let body = held + &read(again).await.body;
        assert!(texts(path, &body).contains("done"), "{body}");
        // And after it: rides, without a wait.
        house.model.then(answer_for(path));
        let third = house.ask(streamed(path, "look at production")).await;
        assert!(texts(path, &third.body).contains("done"));
        assert_eq!(house.model.calls(), 2);
        assert!(house.pending().await.is_empty());
        house.checked().await;
    }
}

#[tokio::test(start_paused = true)]
async fn sent_again_only_after_the_vote() {
    let house = House::new(Model::one(answer()));
    let (response, _) = hold(&house, CHAT).await;
    drop(response);
    house.vote(true).await;
    let got = house.ask(streamed(CHAT, "look at production")).await;
    assert!(texts(CHAT, &got.body).contains("done"), "{got:?}");
    assert_eq!(house.model.calls(), 1);
    assert_eq!(got.header("x-copilot-guard-decision"), "allow");
    house.checked().await;
}

#[tokio::test(start_paused = true)]
async fn plain_requests_are_held_silently() {
    let plain =
        r#"{"choices":[{"index":0,"message":{"role":"assistant","content":"done"},"finish_reason":"stop"}]}"#;
    for (vote, code) in [
        (Some(true), ""),
        (Some(false), "approval_denied"),
        (None, "approval_pending"),
    ] {
        let house = House::new(Model::one(Answer::json(plain)));
        let began = tokio::time::Instant::now();
        let mut call = house.call(post(CHAT, prompt("production", false)));
        for _ in 0..100 {
            assert!(poll_once(&mut call).await.is_pending());
            tokio::task::yield_now().await;
        }
        if let Some(vote) = vote {
            house.vote(vote).await;
        }
        let got = read(call.await.unwrap()).await;
        if code.is_empty() {
            assert_eq!((got.status, house.model.calls()), (200, 1));
        } else {
            assert_eq!(
                (got.status, got.code().as_str(), house.model.calls()),
                (400, code, 0)
            );
        }
        if vote.is_none() {
            assert_eq!(began.elapsed().as_secs(), 100);
        }
        house.checked().await;
    }
}

#[tokio::test(start_paused = true)]
async fn nobody_votes_on_their_own_request() {
    let house = House::new(Model::one(answer()));
    let (response, _) = hold(&house, CHAT).await;
    let approval = house.pending().await.remove(0);
    for (name, groups, own) in [("dev", "security", true), ("eve", "developers", false)] {
        let reviewer = samples::actor(name, &[groups]);
        let vote = Vote {
            reviewer,
            approve: true,
            reason: "me".to_owned(),
            at: NOW,
        };
        let refused = house.store.vote(approval.id, vote).await.unwrap_err();
        assert_eq!(matches!(refused, VoteError::OwnRequest), own, "{refused:?}");
        assert_eq!(matches!(refused, VoteError::NotAReviewer), !own, "{refused:?}");
    }
    assert_eq!(house.model.calls(), 0);
    house.vote(true).await;
    read(response).await;
    assert_eq!(
        house.model.calls(),
        1,
        "the negative control: somebody else's vote counts"
    );
}

/// Clients repeat what takes long: six copies, one approval, and each copy gets its answer.
#[tokio::test(start_paused = true)]
async fn identical_retries_open_one_approval() {
    let house = House::new(Model::new((0..6).map(|_| answer())));
    let mut held = Vec::new();
    for _ in 0..6 {
        let mut response = house.send(streamed(CHAT, "look at production")).await;
        let first = pieces_for(response.body_mut(), 1).await.concat();
        held.push((response, first));
    }
    assert_eq!(house.pending().await.len(), 1);
    house.vote(true).await;
    for (response, first) in held {
        assert!(texts(CHAT, &(first + &read(response).await.body)).contains("done"));
    }
    assert_eq!(house.closings().await.len(), 6);
}

/// The same turn once more, for a title: the same text in another request waits for the same vote.
#[tokio::test(start_paused = true)]
async fn the_same_text_in_another_request_joins() {
    let house = House::new(Model::new([answer(), answer(), answer()]));
    let said = ("user", "look at production");
    let forms = [
        turn(&[said]),
        turn(&[("system", "Write a title of five words."), said]),
        turn(&[("system", "Summarise the conversation."), said]),
    ];
    let mut held = Vec::new();
    for form in forms {
        let mut response = house.send(post(CHAT, form)).await;
        let first = pieces_for(response.body_mut(), 1).await.concat();
        held.push((response, first));
    }
    assert_eq!(house.pending().await.len(), 1);
    house.vote(true).await;
    // In whatever order they wake, and even when the first has gone.
    let first = held.remove(0);
    for (response, begun) in held {
        assert!(texts(CHAT, &(begun + &read(response).await.body)).contains("done"));
    }
    drop(first);
    assert_eq!(house.model.calls(), 2);
}

/// Both at the same moment, as clients send them.
#[tokio::test(start_paused = true)]
async fn at_the_same_moment_too() {
    let house = House::new(Model::new([answer(), answer()]));
    let said = ("user", "look at production");
    let (one, two) = (turn(&[said]), turn(&[("system", "Write a title."), said]));
    let both = futures_util::future::join(house.send(post(CHAT, one)), house.send(post(CHAT, two)));
    let (_one, _two) = both.await;
    assert_eq!(house.pending().await.len(), 1);
}

/// Another person's request, or another text, is another approval.
#[tokio::test(start_paused = true)]
async fn others_do_not_join() {
    let house = House::new(Model::new([]));
    let mut held = Vec::new();
    for (token, text) in [
        (TOKEN, "production"),
        ("token-bob", "production"),
        (TOKEN, "production 2"),
    ] {
        let mut response = house.send(as_person(token, CHAT, prompt(text, true))).await;
        pieces_for(response.body_mut(), 1).await;
        held.push(response);
    }
    assert_eq!(house.pending().await.len(), 3);
}

fn turn(messages: &[(&str, &str)]) -> String {
    let messages: Vec<Value> = messages
        .iter()
        .map(|(r, c)| json!({"role": r, "content": c}))
        .collect();
    json!({"model": "gpt-5", "stream": true, "messages": messages}).to_string()
}

#[tokio::test(start_paused = true)]
async fn the_next_turn_rides_and_new_text_does_not() {
    let house = House::new(Model::new([answer(), answer()]));
    let first = ("user", "look at production");
    let mut response = house.send(post(CHAT, turn(&[first]))).await;
    pieces_for(response.body_mut(), 1).await;
    house.vote(true).await;
    read(response).await;

    let next = turn(&[first, ("assistant", "done"), ("user", "thanks, and now?")]);
    let got = house.ask(post(CHAT, next)).await;
    assert!(
        texts(CHAT, &got.body).contains("done"),
        "the next turn rides: {got:?}"
    );
    assert_eq!(house.model.calls(), 2);
    let ridden = |e: &copilot_guard::audit::AuditEvent| format!("{:?}", e.kind).contains("Ridden");
    assert!(house.record().await.iter().any(ridden), "each rider is on record");

    let new = turn(&[
        first,
        ("assistant", "done"),
        ("user", "now drop the production tables"),
    ]);
    let mut response = house.send(post(CHAT, new)).await;
    assert_eq!(response.headers()["x-copilot-guard-decision"], "pending");
    pieces_for(response.body_mut(), 20).await;
    assert_eq!((house.model.calls(), house.pending().await.len()), (2, 1));

    // A tool that the reviewer was not shown does not ride either.
    let tool = json!({"model": "gpt-5", "stream": true, "tools": [{"type": "function", "function": {"name": "shell"}}],
        "messages": [{"role": "user", "content": "look at production"}]});
    let response = house.send(post(CHAT, tool.to_string())).await;
    assert_eq!(response.headers()["x-copilot-guard-decision"], "pending");
}

/// What a block and an approval both match is blocked; nobody is asked.
#[tokio::test(start_paused = true)]
async fn the_strictest_rule_wins() {
    let house = House::new(Model::new([]));
    let got = house.ask(streamed(CHAT, "falcon in production")).await;
    assert_eq!(got.code(), "blocked_by_policy");
    assert!(house.pending().await.is_empty());
}

/// What is asked of a request as a whole is bound to the whole request, and the reviewer sees what it says.
#[tokio::test(start_paused = true)]
async fn an_approval_of_a_whole_request_covers_no_other() {
    let rule = r#"
        version = 1
        [[patterns]]
        id = "acme-internal-token"
        regex = 'ACME-INT-[0-9]{4}-[A-Z0-9]{12}'
        [[rules]]
        id = "large"
        on = "request"
        match = { size_over = 10 }
        action = "require_approval"
    "#;
    let options = PolicyOptions::new(NOW).with_reviewer_groups(["security"]);
    let house = House::new(Model::new([answer(), answer()]));
    house
        .guard
        .set_policy(Policy::parse(rule, "policy.toml", &options).unwrap());
    let asked = format!("hello, and {SECRET}");
    let held = house.send(streamed(CHAT, &asked)).await;
    assert_eq!(held.headers()["x-copilot-guard-decision"], "pending");
    let shown = house.pending().await[0].shown.clone();
    assert!(
        shown.iter().any(|s| s.text == format!("hello, and {MARK}")),
        "{shown:?}"
    );
    house.vote(true).await;
    assert!(read(held).await.body.contains("done"));
    assert_eq!(house.model.calls(), 1);

    // The control: the same request rides.
    let again = house.ask(streamed(CHAT, &asked)).await;
    assert_eq!(again.header("x-copilot-guard-decision"), "allow");
    assert_eq!(house.model.calls(), 2);

    let other = house.send(streamed(CHAT, "something else")).await;
    assert_eq!(other.headers()["x-copilot-guard-decision"], "pending");
    assert_eq!(house.model.calls(), 2);
}
