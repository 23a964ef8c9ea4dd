//! Which conditions and actions can hold where. What can never hold, or never act, is a problem.

use crate::decision::{Action, Stage};
use crate::policy::config::{Key, RuleConfig};
use crate::policy::kinds::Kinds;
use crate::policy::reader::{At, Problems};

/// Checks a rule's conditions and action against its stage.
pub(super) fn check(problems: &Problems, kinds: &Kinds, config: &RuleConfig) {
    check_keys(problems, config);
    check_companions(problems, config);
    check_action(problems, config);
    check_reversible(problems, kinds, config);
    if let Some(approvals) = config
        .approvals
        .as_ref()
        .filter(|_| config.action.value != Action::RequireApproval)
    {
        problems.add(
            &approvals.at,
            "`approvals` has no effect here",
            "only a rule with `action = \"require_approval\"` asks for votes",
            "change the action, or leave `approvals` out",
        );
    }
}

fn check_keys(problems: &Problems, config: &RuleConfig) {
    let (matches, stage) = (&config.matches, config.on.value);
    for (key, at) in matches.keys() {
        if !key.stages().contains(&stage) {
            let stages: Vec<_> = key.stages().iter().map(|stage| stage.as_str()).collect();
            let mend = match stages.as_slice() {
                [only] => format!("write `on = \"{only}\"`, or leave the key out"),
                [first, rest @ ..] => format!("use it on {first} or {}, or leave it out", rest.join(" or ")),
                [] => "leave the key out".to_owned(),
            };
            problems.add(
                at,
                format!("`{}` cannot match on {}", key.name(), a(stage)),
                why_not(key, stage),
                mend,
            );
        }
    }
    let at = matches.at.as_ref();
    let is_broken = at.is_some_and(|at| problems.has_below(at));
    if stage != Stage::Request && matches.keys().is_empty() && !is_broken {
        let known: Vec<_> = Key::ALL
            .iter()
            .filter(|key| key.stages().contains(&stage) && **key != Key::Classes)
            .map(|key| key.name())
            .collect();
        problems.add(
            &At {
                line: at.unwrap_or(&config.at).line,
                key: format!("{}.match", config.at.key),
            },
            "the rule has no `match`",
            "only a rule on request may look at nothing but who asks",
            format!("say what to look for: {}", known.join(", ")),
        );
    }
}

fn a(stage: Stage) -> &'static str {
    match stage {
        Stage::Request => "a request",
        Stage::Prompt => "a prompt",
        Stage::ToolResult => "a tool result",
        Stage::Output => "output",
        Stage::ToolCall => "a tool call",
    }
}

fn why_not(key: Key, stage: Stage) -> &'static str {
    match (key, stage) {
        (Key::Commands | Key::Classes, _) => "commands are judged where the model hands them over",
        (Key::Tools, _) => "only a tool call has a tool",
        (Key::Parameters | Key::Routes, _) => "they belong to the request as a whole",
        (_, Stage::Request) => {
            "a request rule looks at who asks and for what, and at the size, never at text"
        }
        (Key::SizeOver | Key::CodeOver, Stage::Output) => {
            "an answer streams, and its size is known when it has gone"
        }
        (Key::Hidden | Key::Intents, Stage::Output) => "it is looked for in what goes to the model",
        (Key::Links, Stage::ToolCall) => "addresses in a call are judged with its commands",
        _ => "it is looked for in other texts",
    }
}

/// Keys that need another one, or bear none beside them.
fn check_companions(problems: &Problems, config: &RuleConfig) {
    let matches = &config.matches;
    if let (Some(classes), None) = (&matches.classes, &matches.commands)
        && !matches.at.as_ref().is_some_and(|at| {
            problems.has_below(&At {
                line: at.line,
                key: format!("{}.commands", at.key),
            })
        })
    {
        problems.add(
            &classes.at,
            "`classes` stands without `commands`",
            "it only narrows what `commands` finds",
            "write `commands = \"approve\"` or `commands = \"block\"` beside it",
        );
    }
    if config.on.value != Stage::Output {
        return;
    }
    // What is found by an engine of its own cannot wait for what another one finds.
    let engines = |key: &Key| match key {
        Key::Regex | Key::Words | Key::Links | Key::Commands => true,
        Key::Secrets => true,
        Key::Encoded => matches.secrets.is_none(),
        _ => false,
    };
    if let Some((key, at)) = matches.keys().into_iter().filter(|(key, _)| engines(key)).nth(1) {
        problems.add(
            at,
            format!("`{}` stands beside another key", key.name()),
            "an answer streams, so that two conditions on output cannot wait for each other",
            "keep one key of `match`, or make two rules",
        );
    }
}

/// Put back is what the person sent: a token that is known again wherever it stands, for it comes again with the answer
/// that it was put into. The rule on prompts is the one that masks it there.
fn check_reversible(problems: &Problems, kinds: &Kinds, config: &RuleConfig) {
    let Some(reversible) = config.reversible.as_ref().filter(|reversible| reversible.value) else {
        return;
    };
    let keys = config.matches.keys();
    let wanted = config.matches.secrets.iter().flat_map(|listed| &listed.items);
    let names: Vec<_> = wanted.map(|item| item.value.as_str()).collect();
    let is_meant = |id: &str| names.iter().any(|name| *name == "*" || *name == id);
    let has_tagged = kinds
        .set
        .rules()
        .iter()
        .any(|info| info.tagged && is_meant(&info.id));
    let (why, mend) = if config.on.value != Stage::Prompt {
        (
            "a rule on prompts says it for the results of tools too",
            "write `on = \"prompt\"`, or leave `reversible` out",
        )
    } else if config.action.value != Action::Mask || config.observe {
        (
            "only what is masked can be put back",
            "write `action = \"mask\"`, or leave `reversible` out",
        )
    } else if config.matches.secrets.is_none() || keys.len() > 1 {
        (
            "only whole secrets can be put back, whatever stands beside them",
            "name their kinds in `secrets`, and nothing else in `match`",
        )
    } else if !has_tagged {
        (
            "none of its kinds is known by its form alone, as tokens of 64 random bits are",
            "name kinds whose marks have a tag, such as `github-pat`",
        )
    } else if !kinds.set.marks().shows_tags() {
        (
            "marks show no tag here, by which one is told from another",
            "write `{tag}` into `tagged` of `[marks]`",
        )
    } else {
        return;
    };
    problems.add(&reversible.at, "`reversible` has no effect here", why, mend);
}

fn check_action(problems: &Problems, config: &RuleConfig) {
    let (at, stage) = (&config.action.at, config.on.value);
    let keys = config.matches.keys();
    let by_text = keys.iter().any(|(key, _)| key.is_text());
    match config.action.value {
        Action::Allow if stage != Stage::Request && !config.observe => problems.add(
            at,
            "`allow` has no effect here",
            "a rule never lowers what another rule asks for",
            "use `[[exceptions]]` to lower a verdict, or `observe = true` to only record",
        ),
        Action::Mask if stage == Stage::Request => problems.add(
            at,
            "`mask` has no effect on a request",
            "a request rule looks at no text",
            "use `on = \"prompt\"`, or another action",
        ),
        Action::Mask if stage == Stage::ToolCall => problems.add(
            at,
            "`mask` cannot be used on a tool call",
            "a call with changed arguments is another call",
            "use `block` or `require_approval`; secrets in arguments are masked by rules on output",
        ),
        Action::Mask if !by_text && stage != Stage::Output => problems.add(
            at,
            "`mask` has nothing to mask",
            "a size is no text",
            "use another action, or match text too",
        ),
        Action::RequireApproval if stage == Stage::Output => problems.add(
            at,
            "`require_approval` cannot be used on output",
            "text that has been read cannot be held",
            "use `block` or `mask`, or ask for approval on prompt, tool_call or request",
        ),
        _ => {}
    }
}
