//! What `policy explain` says.

use std::collections::BTreeSet;

use copilot_guard::clock::Timestamp;
use copilot_guard::decision::Action;
use copilot_guard::identity::CallerKind;
use copilot_guard::policy::{Outcome, Policy, PolicyOptions};
use serde_json::json;

use super::answers;
use super::explain::{Explanation, explain};

const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

const POLICY: &str = r#"
version = 1
[[rules]]
id = "no-falcon"
on = "prompt"
match = { words = ["falcon"] }
action = "block"
message = "Not this one."
[[rules]]
id = "ask-push"
on = "tool_call"
match = { tools = ["bash"], words = ["git push"] }
action = "require_approval"
[[rules]]
id = "no-answers"
on = "output"
match = { words = ["heron"] }
action = "block"
[[rules]]
id = "no-embeddings"
on = "request"
match = { routes = ["*/embeddings"] }
action = "block"
[[exceptions]]
groups = ["research"]
rules = ["no-falcon"]
reason = "they build it"
expires = "2099-01-01"
"#;

fn explained(groups: &[&str], request: &serde_json::Value, path: Option<&str>) -> Explanation {
    let options = PolicyOptions::new(NOW).with_reviewer_groups(["reviewers"]);
    let policy = Policy::parse(POLICY, "policy.toml", &options).unwrap();
    let groups: BTreeSet<String> = groups.iter().map(|g| (*g).to_owned()).collect();
    let body = serde_json::to_vec(request).unwrap();
    explain(&policy, &groups, CallerKind::Person, NOW, &body, path).unwrap()
}

fn outcome(explanation: &Explanation, id: &str) -> Outcome {
    explanation
        .rules
        .iter()
        .find(|trace| trace.id == id)
        .unwrap()
        .outcome
}

#[test]
fn says_what_decides_and_what_lifts_it() {
    let request = json!({"model": "m", "messages": [{"role": "user", "content": "the falcon"}]});
    let plain = explained(&[], &request, None);
    assert_eq!(plain.outcome.action, Action::Block);
    assert_eq!(outcome(&plain, "no-falcon"), Outcome::Matched);
    assert_eq!(outcome(&plain, "ask-push"), Outcome::NothingToLookAt);
    let lifted = explained(&["research"], &request, None);
    assert_eq!(lifted.outcome.action, Action::Allow);
    assert_eq!(outcome(&lifted, "no-falcon"), Outcome::Excepted);
    let text = serde_json::to_string(&lifted).unwrap();
    assert!(
        text.contains("they build it") && !text.contains("the falcon"),
        "{text}"
    );
}

#[test]
fn answers_in_the_history_are_shown_at_their_stage() {
    let chat = json!({"model": "m", "messages": [
        {"role": "user", "content": "go"},
        {"role": "assistant", "content": "a heron", "tool_calls": [
            {"id": "1", "type": "function", "function": {"name": "bash", "arguments": "{\"command\":\"git push\"}"}}]},
        {"role": "tool", "tool_call_id": "1", "content": "done"}]});
    let messages = json!({"model": "claude-x", "max_tokens": 9, "messages": [
        {"role": "user", "content": "go"},
        {"role": "assistant", "content": [
            {"type": "text", "text": "a heron"},
            {"type": "tool_use", "id": "1", "name": "bash", "input": {"command": "git push"}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "1", "content": "done"}]}]});
    let responses = json!({"model": "m", "input": [
        {"type": "message", "role": "user", "content": "go"},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "a heron"}]},
        {"type": "function_call", "call_id": "1", "name": "bash", "arguments": "{\"command\":\"git push\"}"},
        {"type": "function_call_output", "call_id": "1", "output": "done"}]});
    for request in [chat, messages, responses] {
        let explanation = explained(&[], &request, None);
        assert_eq!(explanation.outcome.action, Action::Allow, "{request}");
        let actions: Vec<_> = explanation.answers.iter().map(|a| a.outcome.action).collect();
        assert_eq!(actions, [Action::Block, Action::RequireApproval], "{request}");
    }
}

#[test]
fn the_path_counts() {
    let request = json!({"model": "text-embedding-3", "input": ["a"]});
    assert_eq!(explained(&[], &request, None).outcome.action, Action::Block);
    let other = json!({"model": "m", "input": "a"});
    assert_eq!(explained(&[], &other, None).outcome.action, Action::Allow);
    assert_eq!(
        explained(&[], &other, Some("/embeddings")).outcome.action,
        Action::Block
    );
}

#[test]
fn free_text_and_shells_are_calls_too() {
    let request = json!({"input": [
        {"type": "custom_tool_call", "name": "apply_patch", "input": "*** Begin Patch"},
        {"type": "local_shell_call", "action": {"command": ["ls", "-l"]}}]});
    let found = answers::of(&request);
    let tools: Vec<_> = found.iter().map(|a| a.tool.as_deref().unwrap()).collect();
    assert_eq!(tools, ["apply_patch", "local_shell"]);
    assert_eq!(found[0].text, "*** Begin Patch");
}
