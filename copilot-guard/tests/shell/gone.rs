//! The client leaves: upstream is cancelled, and the record ends once.

use copilot_guard::audit::{EventKind, Outcome};
use copilot_guard::testing::SinkMode;
use proptest::prelude::*;

use crate::support::*;

fn chunk(text: &str) -> String {
    format!(
        "data: {{\"id\":\"c\",\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{text}\"}},\"finish_reason\":null}}]}}\n\n"
    )
}

async fn gone(house: &House) {
    assert_eq!(house.model.alive(), 0, "upstream goes on without a client");
    assert_eq!(house.outcome().await, Outcome::ClientGone);
    assert_eq!(
        house.outcome().await,
        Outcome::ClientGone,
        "a second closing event"
    );
}

#[tokio::test]
async fn while_upstream_is_pending() {
    let house = House::new(Model::one(Answer::Silence));
    let mut call = house.call(streamed(CHAT, "hi"));
    while house.model.calls() == 0 {
        assert!(poll_once(&mut call).await.is_pending());
        tokio::task::yield_now().await;
    }
    assert_eq!(house.model.alive(), 1);
    drop(call);
    gone(&house).await;
}

#[tokio::test(start_paused = true)]
async fn while_it_is_held() {
    for stream in [true, false] {
        let house = House::new(Model::one(Answer::Silence));
        let mut call = house.call(post(CHAT, prompt("production", stream)));
        if stream {
            let mut response = call.await.expect("infallible");
            assert!(next_piece(response.body_mut()).await.is_pending());
            tokio::task::yield_now().await;
            assert!(next_piece(response.body_mut()).await.is_ready());
            drop(response);
        } else {
            for _ in 0..50 {
                assert!(poll_once(&mut call).await.is_pending());
                tokio::task::yield_now().await;
            }
            drop(call);
        }
        assert_eq!(house.model.calls(), 0);
        gone(&house).await;
        assert_eq!(house.pending().await.len(), 1, "the approval stays open");
    }
}

#[tokio::test]
async fn while_it_streams() {
    let (feed, answer) = Answer::fed();
    let house = House::new(Model::one(answer));
    let mut response = house.send(streamed(CHAT, "hi")).await;
    feed.send(Ok(chunk("hello").into())).unwrap();
    let mut piece = next_piece(response.body_mut()).await;
    while piece.is_pending() {
        tokio::task::yield_now().await;
        piece = next_piece(response.body_mut()).await;
    }
    assert_eq!(house.model.alive(), 1);
    drop(response);
    assert!(feed.is_closed(), "upstream's body lives on");
    gone(&house).await;
    assert!(delivered(&house.record().await).contains("hello"));
}

#[tokio::test]
async fn before_the_body_is_polled() {
    let house = House::new(Model::one(Answer::sse(chunk("x"))));
    drop(house.send(streamed(CHAT, "hi")).await);
    gone(&house).await;
}

/// The client leaves while the sink still writes the opening event: it is on record that it was opened, so it must
/// be on record that it ended.
#[tokio::test]
async fn while_the_opening_is_being_written() {
    let house = House::new(Model::one(Answer::Silence));
    house.sink.set_mode(SinkMode::Stall);
    let mut call = house.call(streamed(CHAT, "hi"));
    for _ in 0..50 {
        assert!(poll_once(&mut call).await.is_pending());
        tokio::task::yield_now().await;
    }
    drop(call);
    house.sink.set_mode(SinkMode::Store);
    assert_eq!(house.model.calls(), 0);
    gone(&house).await;
}

/// As above, but the sink then fails: either both events get on record, or none.
#[tokio::test(start_paused = true)]
async fn while_the_opening_fails_to_be_written() {
    let house = House::new(Model::one(Answer::Silence));
    house.sink.set_mode(SinkMode::Stall);
    let mut call = house.call(streamed(CHAT, "hi"));
    for _ in 0..50 {
        assert!(poll_once(&mut call).await.is_pending());
        tokio::task::yield_now().await;
    }
    drop(call);
    house.sink.set_mode(SinkMode::Fail);
    tokio::time::sleep(std::time::Duration::from_secs(5)).await;
    house.sink.set_mode(SinkMode::Store);
    tokio::time::sleep(std::time::Duration::from_secs(5)).await;
    house.checked().await;
}

/// Polls the whole way `polls` times, then leaves.
async fn leave_after(polls: usize, text: &str, stream: bool, answer: Answer) -> (House, bool) {
    let house = House::new(Model::one(answer));
    let mut call = house.call(post(CHAT, prompt(text, stream)));
    let mut body = None;
    let mut ended = false;
    for _ in 0..polls {
        match &mut body {
            None => {
                if let std::task::Poll::Ready(response) = poll_once(&mut call).await {
                    body = Some(response.expect("infallible").into_body());
                }
            }
            Some(body) => {
                if next_piece(body).await == std::task::Poll::Ready(None) {
                    ended = true;
                    break;
                }
            }
        }
        if polls.is_multiple_of(2) {
            tokio::task::yield_now().await;
        }
    }
    drop((call, body));
    (house, ended)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 120, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn wherever_the_client_leaves_the_record_has_one_beginning_and_one_end(
        polls in 0usize..60, stream in any::<bool>(), held in any::<bool>(), kind in 0u8..3,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let call = r#"{"index":0,"id":"c","type":"function","function":{"name":"bash","arguments":"deploy now"}}"#;
            let tool = format!(
                "data: {{\"choices\":[{{\"index\":0,\"delta\":{{\"tool_calls\":[{call}]}},\"finish_reason\":\"tool_calls\"}}]}}\n\ndata: [DONE]\n\n"
            );
            let end = "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";
            let answer = match kind {
                0 => Answer::pieces([chunk("a"), chunk("b"), chunk("c"), end.to_owned()]),
                1 => Answer::pieces([chunk("a"), tool]),
                _ => Answer::pieces([chunk("a")]).cut(),
            };
            let text = if held { "production" } else { "hi" };
            let (house, ended) = leave_after(polls, text, stream, answer).await;
            let events = house.checked().await;
            let opened = events.iter().filter(|e| matches!(e.kind, EventKind::Opened(_))).count();
            assert!(opened <= 1);
            let left = closings(&events).iter().any(|c| c.outcome == Outcome::ClientGone);
            assert!(!(left && ended), "closed as gone, but the client read to the end");
            assert_eq!(house.model.alive(), 0);
        });
    }
}
