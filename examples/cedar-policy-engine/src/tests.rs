use copilot_guard::decision::{Action, Decision, Stage};
use copilot_guard::policy::engine::{AskedCall, AskedPart, AskedRequest, Asker, PolicyEngine, Question};

use super::*;

const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

fn engine() -> CedarEngine {
    CedarEngine::new(POLICIES, SCHEMA).unwrap()
}

fn ids(decision: &Decision) -> Vec<&str> {
    decision.hits.iter().map(|hit| hit.id.as_str()).collect()
}

fn person(groups: &[&str]) -> Identity {
    Identity::new("https://idp.example", "dev", NOW).with_groups(groups.iter().copied())
}

#[test]
fn groups_models_and_tools() {
    let engine = engine();
    let request = |groups: &[&str], model: &str| {
        let who = person(groups);
        engine.decide(&Question::Request(AskedRequest::new(
            Asker::new(&who, model, NOW),
            1,
        )))
    };
    assert_eq!(request(&[], "gpt-5").action, Action::Allow);
    assert_eq!(request(&["research"], "gpt-5-pro").action, Action::Allow);
    let refused = request(&["developers"], "gpt-5-pro");
    assert_eq!(
        (refused.action, ids(&refused)),
        (Action::Block, vec!["large-models"])
    );
    assert_eq!(refused.message, "The large models are for the research group.");

    let call = |who: &Identity, tool: &str| {
        engine.decide(&Question::ToolCall(AskedCall::new(
            Asker::new(who, "m", NOW),
            tool,
            "{}",
        )))
    };
    let mut machine = person(&[]);
    machine.kind = CallerKind::Machine;
    assert_eq!(call(&person(&[]), "read_file").action, Action::Allow);
    assert_eq!(
        call(&person(&[]), "publish_package").action,
        Action::RequireApproval
    );
    // Both forbid: the strictest counts, and both are named.
    let refused = call(&machine, "publish_package");
    assert_eq!(refused.action, Action::Block);
    assert_eq!(ids(&refused).len(), 2);
}

#[test]
fn text_and_names_are_data() {
    let engine = engine();
    let who = Identity::new("i", r#"x" || true || "Group::"research"#, NOW).with_groups([r#"a"b\"#]);
    for (text, action) in [
        ("about Osprey", Action::Block),
        ("a quote \" and a star * and a backslash \\", Action::Allow),
    ] {
        for stage in [Stage::Prompt, Stage::ToolResult] {
            let part = AskedPart::new(Asker::new(&who, r#"gpt" "5"#, NOW), stage, "messages[0]", text);
            assert_eq!(engine.decide(&Question::Part(part)).action, action, "{text}");
        }
    }
}

/// A schema that knows the action for other things: every question is one that Cedar cannot answer.
#[test]
fn what_cedar_cannot_decide_is_refused() {
    let schema = SCHEMA.replace("resource: Tool,", "resource: Model,");
    let engine = CedarEngine::new("permit(principal, action, resource);", &schema).unwrap();
    let who = person(&[]);
    let call = AskedCall::new(Asker::new(&who, "m", NOW), "ls", "{}");
    let refused = engine.decide(&Question::ToolCall(call));
    assert_eq!(
        (refused.action, ids(&refused)),
        (Action::Block, vec!["cedar-error"])
    );
    // And without any `permit`, nothing is permitted.
    let engine = CedarEngine::new("", SCHEMA).unwrap();
    let refused = engine.decide(&Question::ToolCall(call));
    assert_eq!(
        (refused.action, ids(&refused)),
        (Action::Block, vec!["cedar-default"])
    );
}

#[test]
fn a_policy_that_does_not_fit_is_not_loaded() {
    for policy in [
        "forbid(principal, action == Action::\"sing\", resource);",
        "forbid(principal, action == Action::\"prompt\", resource) when { context.txet like \"*\" };",
        "forbid(",
    ] {
        assert!(CedarEngine::new(policy, SCHEMA).is_err(), "{policy}");
    }
}

#[tokio::test]
async fn through_the_guard() {
    let guard = guard().unwrap();
    for (token, model, text, status, shown) in [
        ("dev", "gpt-5", "hello", 200, "\"hello\""),
        ("dev", "gpt-5-pro", "hello", 400, "research group"),
        ("researcher", "gpt-5-pro", "hello", 200, "\"hello\""),
        ("dev", "gpt-5", "what is Osprey?", 400, "Osprey stays"),
        ("dev", "gpt-5", "call read_file", 200, "tool_calls"),
        ("pipeline", "gpt-5", "call read_file", 200, "run nothing"),
        (
            "dev",
            "gpt-5",
            "call publish_package",
            200,
            "waits for a reviewer",
        ),
        ("stranger", "gpt-5", "hello", 401, "token"),
    ] {
        let (got, answer) = ask(&guard, token, model, text).await.unwrap();
        assert_eq!(got, status, "{token} {model} {text}: {answer}");
        assert!(answer.contains(shown), "{token} {model} {text}: {answer}");
    }
}
