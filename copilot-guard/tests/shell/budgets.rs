//! Budgets: counted per person and group, refused in the caller's format, never open when counts cannot be had.

use std::sync::Arc;
use std::time::Duration;

use copilot_guard::audit::Outcome;
use copilot_guard::budget::{
    Budget, BudgetError, BudgetStore, Charge, Counts, MemoryBudgets, Reserved, Settlement,
};
use copilot_guard::clock::Timestamp;
use copilot_guard::http::BudgetLayer;
use copilot_guard::identity::Identity;
use copilot_guard::policy::{Policy, PolicyOptions};
use http::{Request, Response};
use serde_json::json;
use tower::{Layer, ServiceExt, service_fn};

use crate::support::*;

/// What a house says and costs in each of three formats, with or without upstream's word on tokens.
fn answer(path: &str, stream: bool, usage: bool, text: &str) -> Answer {
    let chat = usage.then(|| json!({"prompt_tokens": 70, "completion_tokens": 30, "total_tokens": 100}));
    let message = json!({"input_tokens": 70, "output_tokens": 30});
    let message = usage.then_some(message);
    let data = |event: &str, value: serde_json::Value| format!("event: {event}\ndata: {value}\n\n");
    match (path, stream) {
        (CHAT, false) => Answer::json(
            json!({"choices": [{"index": 0, "finish_reason": "stop",
                "message": {"role": "assistant", "content": text}}], "usage": chat})
            .to_string(),
        ),
        (CHAT, true) => {
            let delta = json!({"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": null}]});
            let end = json!({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]});
            let last = json!({"choices": [], "usage": chat});
            Answer::sse(format!("data: {delta}\n\ndata: {end}\n\ndata: {last}\n\ndata: [DONE]\n\n"))
        }
        (_, false) => Answer::json(
            json!({"id": "m", "type": "message", "role": "assistant", "stop_reason": "end_turn",
                "content": [{"type": "text", "text": text}], "usage": message})
            .to_string(),
        ),
        (_, true) => Answer::sse(
            [
                data("message_start", json!({"type": "message_start", "message": {"id": "m", "type": "message",
                    "role": "assistant", "content": [], "usage": usage.then(|| json!({"input_tokens": 70, "output_tokens": 1}))}})),
                data("content_block_start", json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}})),
                data("content_block_delta", json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}})),
                data("content_block_stop", json!({"type": "content_block_stop", "index": 0})),
                data("message_delta", json!({"type": "message_delta", "delta": {"stop_reason": "end_turn"},
                    "usage": usage.then(|| json!({"output_tokens": 30}))})),
                data("message_stop", json!({"type": "message_stop"})),
            ]
            .concat(),
        ),
    }
}

/// A house with this budget beside the usual rules.
fn house(answers: Vec<Answer>, budget: &str) -> House {
    limited(House::new(Model::new(answers)), budget)
}

fn limited(house: House, budget: &str) -> House {
    let text = format!("{POLICY}\n{budget}");
    let options = PolicyOptions::new(NOW).with_reviewer_groups(["security"]);
    house
        .guard
        .set_policy(Policy::parse(&text, "policy.toml", &options).unwrap());
    house
}

fn budget(limit: &str) -> String {
    format!(
        "[[budgets]]\nid = \"hourly\"\nper = \"person\"\nwindow = \"1h\"\nmessage = \"Enough for now.\"\n{limit}\n"
    )
}

async fn ask(house: &House, path: &str, stream: bool) -> Got {
    house.ask(post(path, prompt("hi", stream))).await
}

#[tokio::test]
async fn requests_are_refused_in_the_callers_format() {
    for path in [CHAT, MESSAGES] {
        for stream in [false, true] {
            let answers = (0..4).map(|_| answer(path, stream, false, "hello")).collect();
            let house = house(answers, &budget("requests = 2"));
            for _ in 0..2 {
                assert_eq!(ask(&house, path, stream).await.status, 200);
            }
            let got = ask(&house, path, stream).await;
            assert_eq!(
                (got.status, got.code().as_str()),
                (400, "budget_exceeded"),
                "{got:?}"
            );
            assert!(got.body.contains("Enough for now."), "{got:?}");
            assert_eq!(got.header("x-copilot-guard-decision"), "block");
            assert_eq!(house.model.calls(), 2);
            let last = house.closings().await.pop().unwrap();
            assert_eq!(
                (last.outcome, last.code.as_deref()),
                (Outcome::Blocked, Some("budget_exceeded"))
            );
            // What policy refuses is refused by policy, and counted nowhere.
            let got = house.ask(post(path, prompt("falcon", stream))).await;
            assert_eq!(got.code(), "blocked_by_policy");
            // Somebody else goes on, and an hour later everybody does.
            let other = as_person("token-ann", path, prompt("hi", stream));
            assert_eq!(house.ask(other).await.status, 200);
            house.clock.advance(Duration::from_secs(3700));
            assert_eq!(ask(&house, path, stream).await.status, 200);
        }
    }
}

/// The negative control: without the budget, the third passes.
#[tokio::test]
async fn without_a_budget_all_pass() {
    let house = house((0..3).map(|_| answer(CHAT, false, true, "hello")).collect(), "");
    for _ in 0..3 {
        assert_eq!(ask(&house, CHAT, false).await.status, 200);
    }
    assert!(
        house
            .closings()
            .await
            .iter()
            .all(|closing| closing.tokens.is_none())
    );
}

#[tokio::test]
async fn the_record_names_the_budget() {
    let house = house(vec![answer(CHAT, false, false, "hello")], &budget("requests = 1"));
    ask(&house, CHAT, false).await;
    ask(&house, CHAT, false).await;
    let events = house.checked().await;
    let json = serde_json::to_string(&events).unwrap();
    let reason = "the budget of the person is used up: 1 requests in 3600 s";
    assert!(
        json.contains(r#""id":"hourly","action":"block","stage":"request""#) && json.contains(reason),
        "{json}"
    );
}

#[tokio::test]
async fn a_group_shares_one_budget() {
    let shared = "[[budgets]]\nid = \"team\"\ngroups = [\"developers\"]\nper = \"group\"\nwindow = \"1h\"\nrequests = 2";
    let house = house(
        (0..3).map(|_| answer(CHAT, false, false, "hello")).collect(),
        shared,
    );
    for (name, status) in [("ann", 200), ("bob", 200), ("cid", 400)] {
        let request = as_person(&format!("token-{name}"), CHAT, prompt("hi", false));
        assert_eq!(house.ask(request).await.status, status, "{name}");
    }
}

#[tokio::test]
async fn tokens_are_counted_as_upstream_says_or_estimated() {
    for path in [CHAT, MESSAGES] {
        for stream in [false, true] {
            for usage in [true, false] {
                let text = "four".repeat(100);
                let answers = vec![
                    answer(path, stream, usage, &text),
                    answer(path, stream, usage, &text),
                ];
                let house = house(answers, &budget("tokens = 100"));
                assert_eq!(ask(&house, path, stream).await.status, 200);
                let got = ask(&house, path, stream).await;
                assert_eq!(
                    (got.status, got.code().as_str()),
                    (400, "budget_exceeded"),
                    "{path} {stream} {usage}"
                );
                let tokens = house.closings().await[0].tokens.unwrap();
                if usage {
                    assert_eq!(
                        (tokens.input, tokens.output, tokens.estimated),
                        (70, 30, false),
                        "{path} {stream}"
                    );
                } else {
                    // A plain answer is estimated with its frame.
                    assert!(
                        tokens.estimated && tokens.input >= 10,
                        "{path} {stream}: {tokens:?}"
                    );
                    assert!((100..200).contains(&tokens.output), "{path} {stream}: {tokens:?}");
                }
            }
        }
    }
}

/// Leaving before the end costs what was sent until then.
#[tokio::test]
async fn a_client_that_leaves_pays_too() {
    let (feed, streaming) = Answer::fed();
    let house = house(vec![streaming], &budget("tokens = 100"));
    let mut response = house.send(streamed(CHAT, "hi")).await;
    let delta =
        json!({"choices": [{"index": 0, "delta": {"content": "x".repeat(2000)}, "finish_reason": null}]});
    feed.send(Ok(format!("data: {delta}\n\n").into())).unwrap();
    http_body_util::BodyExt::frame(response.body_mut())
        .await
        .unwrap()
        .unwrap();
    drop(response);
    assert_eq!(ask(&house, CHAT, true).await.code(), "budget_exceeded");
    let closing = &house.closings().await[0];
    assert_eq!(closing.outcome, Outcome::ClientGone);
    assert!(closing.tokens.unwrap().estimated && closing.tokens.unwrap().output >= 500);
}

/// Whoever has one secret after another masked, in answers and in what goes up, is stopped.
#[tokio::test]
async fn masks_are_counted_both_ways() {
    for stream in [false, true] {
        let answers = (0..4).map(|_| answer(CHAT, stream, false, SECRET)).collect();
        let house = house(answers, &budget("masks = 3"));
        for _ in 0..3 {
            let got = ask(&house, CHAT, stream).await;
            assert!(got.status == 200 && got.body.contains(MARK), "{got:?}");
        }
        assert_eq!(ask(&house, CHAT, stream).await.code(), "budget_exceeded");
    }
    let house = house(vec![answer(CHAT, false, false, "hello")], &budget("masks = 3"));
    let two = "CUST-123456 and CUST-654321";
    assert_eq!(house.ask(post(CHAT, prompt(two, false))).await.status, 200);
    assert_eq!(
        house.ask(post(CHAT, prompt(two, false))).await.code(),
        "budget_exceeded"
    );
    assert_eq!(house.model.calls(), 1);
}

#[tokio::test]
async fn an_observed_budget_only_records() {
    let answers = (0..2).map(|_| answer(CHAT, false, false, "hello")).collect();
    let house = house(answers, &budget("requests = 1\nobserve = true"));
    for _ in 0..2 {
        assert_eq!(ask(&house, CHAT, false).await.status, 200);
    }
    let json = serde_json::to_string(&house.checked().await).unwrap();
    assert_eq!(json.matches(r#""observed_only":true"#).count(), 1, "{json}");
}

/// Fails or panics.
#[derive(Debug)]
struct Broken(bool);

#[async_trait::async_trait]
impl BudgetStore for Broken {
    async fn reserve(&self, _: &[Charge], _: Counts, _: Timestamp) -> Result<Reserved, BudgetError> {
        assert!(!self.0, "told to");
        Err(BudgetError::message("told to"))
    }

    fn settle(&self, _: Settlement) {
        panic!("told to");
    }
}

#[tokio::test]
async fn a_broken_store_is_not_open() {
    for panics in [false, true] {
        let broken = || {
            let answers = vec![answer(CHAT, false, false, "hello")];
            House::keyed(Model::new(answers), |b| b.with_budgets(Arc::new(Broken(panics))))
        };
        let house = limited(broken(), &budget("requests = 9"));
        let got = ask(&house, CHAT, false).await;
        assert_eq!((got.status, got.code().as_str()), (503, "budgets_unavailable"));
        assert_eq!(
            (house.model.calls(), house.outcome().await),
            (0, Outcome::Refused)
        );
        // Where nothing would be refused anyway, and where nothing is limited, it does not matter.
        let house = limited(broken(), &budget("requests = 9\nobserve = true"));
        assert_eq!(ask(&house, CHAT, false).await.status, 200);
        assert_eq!(ask(&broken(), CHAT, false).await.status, 200);
    }
}

/// Takes everything, and panics when it is told what it took.
#[derive(Debug)]
struct Careless;

#[async_trait::async_trait]
impl BudgetStore for Careless {
    async fn reserve(&self, _: &[Charge], _: Counts, _: Timestamp) -> Result<Reserved, BudgetError> {
        Ok(Reserved::default())
    }

    fn settle(&self, _: Settlement) {
        panic!("told to");
    }
}

#[tokio::test]
async fn a_panic_while_settling_hurts_nobody() {
    let answers = vec![answer(CHAT, true, true, "hello")];
    let house = House::keyed(Model::new(answers), |b| b.with_budgets(Arc::new(Careless)));
    let house = limited(house, &budget("requests = 9"));
    assert_eq!(ask(&house, CHAT, true).await.status, 200);
    assert_eq!(house.outcome().await, Outcome::Completed);
}

/// The layer alone, around a service that knows nothing of the guard.
#[tokio::test]
async fn the_layer_alone() {
    let inner = service_fn(|_: Request<String>| async {
        Ok::<_, std::convert::Infallible>(Response::new("hello".to_owned()))
    });
    let budget = Budget::new("hourly", Duration::from_secs(3600)).with_requests(1);
    let service = BudgetLayer::new(Arc::new(MemoryBudgets::new()), budget.clone()).layer(inner);
    let ask = |name: Option<&str>| {
        let mut request = Request::new(String::new());
        if let Some(name) = name {
            request.extensions_mut().insert(Identity::new("i", name, NOW));
        }
        service.clone().oneshot(request)
    };
    assert_eq!(ask(Some("ann")).await.unwrap().status(), 200);
    let refused = ask(Some("ann")).await.unwrap();
    assert_eq!(refused.status(), 400);
    assert!(refused.body().contains(r#""code":"budget_exceeded""#));
    assert_eq!(ask(Some("bob")).await.unwrap().status(), 200);
    assert_eq!(ask(None).await.unwrap().status(), 500);
    let service = BudgetLayer::new(Arc::new(Broken(true)), budget).layer(inner);
    let mut request = Request::new(String::new());
    request.extensions_mut().insert(Identity::new("i", "ann", NOW));
    assert_eq!(service.oneshot(request).await.unwrap().status(), 503);
}
