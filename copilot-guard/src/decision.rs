//! What was decided, and why.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What a rule asks for. Ordered by strictness: the strictest of all matching rules wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Let it pass.
    #[default]
    Allow,
    /// Let it pass with the matched text replaced by a mark.
    Mask,
    /// Hold it until a reviewer has voted.
    RequireApproval,
    /// Refuse it.
    Block,
}

impl Action {
    /// The name used in policy files and records.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Mask => "mask",
            Self::RequireApproval => "require_approval",
            Self::Block => "block",
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Where in an exchange a rule looks (`on` in the policy file).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// The request as a whole: who, which model, how large.
    Request,
    /// Text that goes up and is not a tool's result.
    Prompt,
    /// A tool's result that goes up.
    ToolResult,
    /// Text that comes down.
    Output,
    /// A tool call that comes down.
    ToolCall,
}

impl Stage {
    /// The name used in policy files and records.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Prompt => "prompt",
            Self::ToolResult => "tool_result",
            Self::Output => "output",
            Self::ToolCall => "tool_call",
        }
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One rule that matched, and why. Holds no matched text and no pattern.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleHit {
    /// The rule's id.
    pub id: String,
    /// What the rule asks for.
    pub action: Action,
    /// Where it matched.
    pub stage: Stage,
    /// The place, such as `messages[3].content`, or the channel of an answer.
    pub place: String,
    /// Which condition held, in words: "regex 1 of 2", "secret kind github-pat".
    pub reason: String,
    /// Only recorded, not acted on (`observe = true`).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub observed_only: bool,
    /// The rule's severity, as the policy names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub severity: Option<String>,
    /// The rule's tags.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
}

/// The outcome of asking the policy: the strictest action, every rule that matched, and what to tell the developer.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Decision {
    /// The strictest action of all rules that matched and are not observed only.
    pub action: Action,
    /// Every rule that matched.
    pub hits: Vec<RuleHit>,
    /// The message of the rule that decided; empty when it has none.
    pub message: String,
}

impl Decision {
    /// Adds a hit; the strictest action wins, and on a tie the first message stays.
    pub fn add(&mut self, hit: RuleHit, message: &str) {
        if !hit.observed_only
            && (hit.action > self.action || self.message.is_empty() && hit.action == self.action)
        {
            self.action = hit.action;
            self.message = message.to_owned();
        }
        self.hits.push(hit);
    }

    /// Joins another decision into this one.
    pub fn merge(&mut self, other: Self) {
        if other.action > self.action || self.message.is_empty() && other.action == self.action {
            self.action = other.action;
            self.message = other.message;
        }
        self.hits.extend(other.hits);
    }

    /// Ids of the rules that matched with this action and act (are not observed only), sorted, without repeats.
    pub fn rules_with(&self, action: Action) -> Vec<String> {
        let mut ids: Vec<_> = self
            .hits
            .iter()
            .filter(|h| h.action == action && !h.observed_only)
            .map(|h| h.id.clone())
            .collect();
        ids.sort();
        ids.dedup();
        ids
    }
}
