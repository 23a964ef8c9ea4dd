use std::sync::Arc;

use super::*;
use crate::clock::Timestamp;
use crate::decision::{Action, RuleHit, Stage};
use crate::identity::Identity;

const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

fn who() -> Identity {
    Identity::new("https://idp.example", "dev", NOW).with_groups(["developers"])
}

fn said(decision: Decision) -> Decision {
    let who = who();
    let call = AskedCall::new(Asker::new(&who, "m", NOW), "bash", "{}");
    let engine = EngineFn::new(move |_: &Question<'_>| decision.clone());
    Engines::new([Arc::new(engine) as Arc<dyn PolicyEngine>]).decide(&Question::ToolCall(call))
}

fn hit(id: &str, action: Action) -> RuleHit {
    RuleHit {
        id: id.to_owned(),
        action,
        stage: Stage::Prompt,
        place: "somewhere else".to_owned(),
        reason: "because".to_owned(),
        observed_only: false,
        severity: None,
        tags: Vec::new(),
    }
}

fn decision(action: Action, hits: Vec<RuleHit>) -> Decision {
    Decision {
        action,
        hits,
        message: "No.".to_owned(),
    }
}

#[test]
fn what_it_says_is_read_strictly() {
    // An action without a hit, and a hit that asks for more than the action says.
    for (action, hits, expected, id) in [
        (Action::Block, vec![], Action::Block, "engine"),
        (Action::RequireApproval, vec![], Action::RequireApproval, "engine"),
        (Action::Allow, vec![hit("x", Action::Block)], Action::Block, "x"),
        (Action::Allow, vec![hit("x", Action::Mask)], Action::Block, "x"),
        (Action::Mask, vec![], Action::Block, "engine"),
        (
            Action::Block,
            vec![hit("x", Action::RequireApproval)],
            Action::Block,
            "engine",
        ),
        (
            Action::Block,
            vec![hit("", Action::Block)],
            Action::Block,
            "engine",
        ),
        (
            Action::Block,
            vec![hit("a b\n/ü", Action::Block)],
            Action::Block,
            "a-b---",
        ),
    ] {
        let decision = said(decision(action, hits));
        assert_eq!(decision.action, expected, "{decision:?}");
        assert_eq!(decision.message, "No.");
        assert_eq!(decision.rules_with(expected), [id], "{decision:?}");
        let places = decision.hits.iter().map(|hit| (hit.stage, hit.place.as_str()));
        assert!(
            places
                .into_iter()
                .all(|p| p == (Stage::ToolCall, "tool_calls[0]"))
        );
    }
}

/// The strictest of a thousand hits is among those that are kept.
#[test]
fn the_strictest_hit_is_never_cut_off() {
    let mut hits: Vec<_> = (0..1000).map(|n| hit(&format!("a{n}"), Action::Allow)).collect();
    hits.push(hit("last", Action::Block));
    let decision = said(decision(Action::Allow, hits));
    assert_eq!(decision.action, Action::Block);
    assert!(decision.hits.len() <= 32 && decision.hits.iter().any(|hit| hit.id == "last"));
}

#[test]
fn observed_hits_are_recorded_and_do_nothing() {
    let mut observed = hit("x", Action::Block);
    observed.observed_only = true;
    let decision = said(decision(Action::Allow, vec![observed]));
    assert_eq!((decision.action, decision.hits.len()), (Action::Allow, 1));
}

#[test]
fn long_words_are_cut_at_characters() {
    let mut long = hit(&"i".repeat(100), Action::Block);
    long.reason = "ü".repeat(1000);
    let decision = said(decision(Action::Block, vec![long]));
    assert_eq!(decision.hits[0].id.len(), 64);
    assert!(decision.hits[0].reason.len() <= 200);
}

#[test]
fn the_strictest_engine_wins_and_no_engine_lowers() {
    let of = |action| -> Arc<dyn PolicyEngine> {
        Arc::new(EngineFn::new(move |question: &Question<'_>| {
            let mut decision = Decision::default();
            decision.add(
                question.hit(action_id(action), action, "told to"),
                action_id(action),
            );
            decision
        }))
    };
    fn action_id(action: Action) -> &'static str {
        action.as_str()
    }
    let who = who();
    let question = Question::Request(AskedRequest::new(Asker::new(&who, "m", NOW), 1));
    let actions = [Action::Allow, Action::RequireApproval, Action::Block];
    for a in actions {
        for b in actions {
            let engines = Engines::new([of(a), Arc::new(()) as Arc<dyn PolicyEngine>, of(b)]);
            let decision = engines.decide(&question);
            assert_eq!(decision.action, a.max(b));
            assert_eq!(decision.message, a.max(b).as_str());
            assert_eq!(decision.hits.len(), 2);
        }
    }
}

#[test]
fn versions_are_joined() {
    #[derive(Debug)]
    struct Numbered(&'static str);
    impl PolicyEngine for Numbered {
        fn decide(&self, _: &Question<'_>) -> Decision {
            Decision::default()
        }
        fn version(&self) -> String {
            self.0.to_owned()
        }
    }
    let engines = |versions: &[&'static str]| {
        let engines = versions
            .iter()
            .map(|v| Arc::new(Numbered(v)) as Arc<dyn PolicyEngine>);
        Engines::new(engines).version_with("abc")
    };
    assert_eq!(engines(&[]), "abc");
    assert_eq!(engines(&["", "7 x", "9"]), "abc+7-x+9");
}
