//! Rules of one's own: asked everywhere, never laxer than the policy.

use std::sync::{Arc, Mutex};

use copilot_guard::audit::{EventKind, Outcome};
use copilot_guard::decision::{Action, Decision, Stage};
use copilot_guard::policy::engine::{EngineFn, PolicyEngine, Question};

use crate::support::*;

const HELLO: &str =
    r#"{"choices":[{"index":0,"message":{"role":"assistant","content":"hello"},"finish_reason":"stop"}]}"#;

fn call_of(name: &str, arguments: &str) -> String {
    let call = serde_json::json!({"id": "c", "type": "function", "function": {"name": name, "arguments": arguments}});
    serde_json::json!({"choices": [{"index": 0, "finish_reason": "tool_calls",
        "message": {"role": "assistant", "content": null, "tool_calls": [call]}}]})
    .to_string()
}

fn house(
    answer: Option<Answer>,
    decide: impl Fn(&Question<'_>) -> Decision + Send + Sync + 'static,
) -> House {
    House::keyed(Model::new(answer), |builder| {
        builder
            .with_engine(Arc::new(()))
            .add_engine(Arc::new(EngineFn::new(decide)))
    })
}

/// Objects to what holds this word, wherever it is asked.
fn objects_to(word: &'static str, action: Action) -> impl Fn(&Question<'_>) -> Decision + Send + Sync {
    move |question| {
        let mut decision = Decision::default();
        let found = match question {
            Question::Request(request) => request.asker.model.contains(word),
            Question::Part(part) => part.text.contains(word),
            Question::ToolCall(call) => call.name.contains(word) || call.arguments.contains(word),
        };
        if found {
            decision.add(
                question.hit("own-rule", action, "a word"),
                "Not by the house's own rules.",
            );
        }
        decision
    }
}

#[tokio::test]
async fn it_is_told_everything() {
    let seen: Arc<Mutex<Vec<String>>> = Arc::default();
    let noted = seen.clone();
    let house = house(
        Some(Answer::json(call_of("bash", r#"{"command":"ls"}"#))),
        move |question| {
            let asker = question.asker();
            assert_eq!((asker.identity.subject.as_str(), asker.model), ("dev", "gpt-5"));
            assert_eq!(
                (asker.upstream, asker.path, asker.dialect),
                ("model", CHAT, "chat")
            );
            assert!(asker.identity.groups.contains("developers") && asker.now == NOW);
            let what = match question {
                Question::Request(r) => format!(
                    "request {:?} {:?} {}",
                    r.tools,
                    r.parameters.get("store"),
                    r.size > 10
                ),
                Question::Part(p) => format!("{} {} {} {}", p.stage, p.role, p.place, p.text),
                Question::ToolCall(c) => format!("call {} {} {}", c.place, c.name, c.arguments),
            };
            noted.lock().unwrap().push(what);
            Decision::default()
        },
    );
    let body = serde_json::json!({"model": "gpt-5", "store": false,
        "tools": [{"type": "function", "function": {"name": "bash"}}],
        "messages": [{"role": "user", "content": "hi"}, {"role": "tool", "tool_call_id": "c", "content": "done"}]});
    assert_eq!(house.ask(post(CHAT, body.to_string())).await.status, 200);
    let mut seen = seen.lock().unwrap().clone();
    assert_eq!(seen.remove(0), r#"request ["bash"] Some("false") true"#);
    for wanted in [
        "prompt user messages[0].content hi",
        "tool_result tool messages[1].content done",
        r#"call choices[0].message.tool_calls[0] bash {"command":"ls"}"#,
    ] {
        assert!(seen.iter().any(|s| s == wanted), "{wanted}: {seen:?}");
    }
    assert_eq!(house.outcome().await, Outcome::Completed);
}

#[tokio::test]
async fn it_blocks_a_part_a_request_and_a_tool_call() {
    for (model, text, stage) in [
        ("bluebird", "hi", Stage::Request),
        ("m", "the bluebird", Stage::Prompt),
    ] {
        let house = house(None, objects_to("bluebird", Action::Block));
        let body = serde_json::json!({"model": model, "messages": [{"role": "user", "content": text}]});
        let got = house.ask(post(CHAT, body.to_string())).await;
        assert_eq!(
            (got.status, got.code().as_str()),
            (400, "blocked_by_policy"),
            "{got:?}"
        );
        assert!(got.body.contains("Not by the house's own rules."));
        assert_eq!(house.model.calls(), 0);
        let hits = house.opening().await.hits;
        assert!(
            hits.iter().any(|h| h.id == "own-rule" && h.stage == stage),
            "{hits:?}"
        );
    }
    for (name, shown) in [("bash", true), ("bluebird", false)] {
        let house = house(
            Some(Answer::json(call_of(name, "{}"))),
            objects_to("bluebird", Action::Block),
        );
        let got = house.ask(post(CHAT, prompt("hi", false))).await;
        assert_eq!(got.body.contains(r#""tool_calls""#), shown, "{}", got.body);
        assert_eq!(got.body.contains("own rules"), !shown);
        let events = house.checked().await;
        let matched = |e: &copilot_guard::audit::AuditEvent| matches!(&e.kind, EventKind::Matched(hit) if hit.id == "own-rule" && hit.stage == Stage::ToolCall);
        assert_eq!(events.iter().any(matched), !shown);
    }
}

/// The negative control: without the engine, the same passes.
#[tokio::test]
async fn without_it_the_same_passes() {
    let house = House::new(Model::new([Answer::json(call_of("bluebird", "{}"))]));
    let got = house.ask(post(CHAT, prompt("the bluebird", false))).await;
    assert!(
        got.status == 200 && got.body.contains(r#""tool_calls""#),
        "{got:?}"
    );
}

#[tokio::test]
async fn it_asks_the_default_reviewers() {
    let house = house(
        Some(Answer::json(HELLO)),
        objects_to("bluebird", Action::RequireApproval),
    );
    let mut asked = house.call(post(CHAT, prompt("the bluebird", true)));
    let response = match poll_once(&mut asked).await {
        std::task::Poll::Ready(response) => response,
        std::task::Poll::Pending => asked.await,
    }
    .unwrap();
    let pending = house.pending().await;
    assert_eq!(
        (pending.len(), pending[0].rules.as_slice()),
        (1, &["own-rule".to_owned()][..])
    );
    assert_eq!(pending[0].requirement.any[0]["security"], 1);
    assert_eq!(house.model.calls(), 0);
    drop(response);
}

/// What the policy refuses stays refused, and the engine's hit is on record beside the policy's.
#[tokio::test]
async fn it_cannot_lower_what_the_policy_says() {
    let house = house(None, |question| {
        let mut decision = Decision::default();
        decision.add(question.hit("all-is-well", Action::Allow, "says so"), "");
        decision
    });
    let got = house.ask(post(CHAT, prompt("falcon", false))).await;
    assert_eq!((got.status, got.code().as_str()), (400, "blocked_by_policy"));
    let ids: Vec<_> = house.opening().await.hits.into_iter().map(|h| h.id).collect();
    assert!(ids.contains(&"no-falcon".to_owned()) && ids.contains(&"all-is-well".to_owned()));
}

#[tokio::test]
async fn a_panic_is_a_refusal() {
    fn panics(in_call: bool) -> impl Fn(&Question<'_>) -> Decision {
        move |question| match question {
            Question::ToolCall(_) if in_call => panic!("told to"),
            Question::Part(_) if !in_call => panic!("told to"),
            _ => Decision::default(),
        }
    }
    let house = house(None, panics(false));
    let got = house.ask(post(CHAT, prompt("hi", false))).await;
    assert_eq!((got.status, got.code().as_str()), (503, "internal_error"));
    assert_eq!(
        (house.model.calls(), house.outcome().await),
        (0, Outcome::Refused)
    );
    for stream in [false, true] {
        let answer = if stream {
            let chunk = serde_json::json!({"choices": [{"index": 0, "delta": {"tool_calls": [{"index": 0, "id": "c",
                "type": "function", "function": {"name": "bash", "arguments": "{\"command\":\"ls\"}"}}]}}]});
            let end = r#"{"choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]}"#;
            Answer::sse(format!("data: {chunk}\n\ndata: {end}\n\ndata: [DONE]\n\n"))
        } else {
            Answer::json(call_of("bash", r#"{"command":"ls"}"#))
        };
        let house = self::house(Some(answer), panics(true));
        let got = house.ask(post(CHAT, prompt("hi", stream))).await;
        assert!(!got.body.contains("command"), "{}", got.body);
        let closing = &house.closings().await[0];
        assert_eq!(closing.code.as_deref(), Some("internal_error"), "{got:?}");
    }
}

#[tokio::test]
async fn its_version_is_on_record() {
    #[derive(Debug)]
    struct Seventh;
    impl PolicyEngine for Seventh {
        fn decide(&self, _: &Question<'_>) -> Decision {
            Decision::default()
        }
        fn version(&self) -> String {
            "seventh".to_owned()
        }
    }
    let house = House::keyed(Model::one(Answer::json(HELLO)), |b| {
        b.with_engine(Arc::new(Seventh))
    });
    house.ask(post(CHAT, prompt("hi", false))).await;
    let version = house.opening().await.policy_version;
    assert_eq!(version, format!("{}+seventh", policy().version()));
}

/// Every event of an exchange says under which policy it came to be, that of an approval too; and a reload in between
/// changes nothing for what has begun.
#[tokio::test]
async fn each_event_names_its_policy() {
    let house = House::keyed(
        Model::new([
            Answer::json(HELLO),
            Answer::json(call_of("bash", r#"{"command":"rm -rf"}"#)),
        ]),
        |b| b,
    );
    house.ask(post(CHAT, prompt("hi", false))).await;
    house.ask(post(CHAT, prompt("hi", false))).await;
    house.ask(post(CHAT, prompt("falcon", false))).await;
    house.ask(post(CHAT, "{}")).await;
    drop(house.send(streamed(CHAT, "production")).await);
    let events = house.checked().await;
    assert!(events.len() > 12, "{events:#?}");
    for event in &events {
        assert_eq!(event.policy.as_deref(), Some(policy().version()), "{event:#?}");
        let json = serde_json::to_value(event).unwrap();
        assert_eq!(json["policy"], policy().version());
        // Records of older versions are read as they are.
        let mut old = json;
        old.as_object_mut().unwrap().remove("policy");
        let old: copilot_guard::audit::AuditEvent = serde_json::from_value(old).unwrap();
        assert_eq!((&old.id, &old.kind, old.policy), (&event.id, &event.kind, None));
    }
}
