//! What policy says of commands, links and encoded secrets in answers, which other engines find.

use super::{Entry, OutputAction, OutputRules, strictest};
use crate::decision::RuleHit;
use crate::detect::command::CommandJudge;
use crate::detect::{Judgement, Network};

/// What happens to something that was found in an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct OutputVerdict {
    /// The strictest action of all rules that ask.
    pub action: OutputAction,
    /// Every rule that asks, observing ones too.
    pub hits: Vec<RuleHit>,
    /// What the developer is shown; empty when there is nothing to say.
    pub message: String,
}

/// The rules about commands in code blocks of an answer.
#[derive(Debug, Clone, Copy)]
pub struct CommandRules<'o>(pub(super) &'o OutputRules);

/// The rules about links and images in an answer.
#[derive(Debug, Clone, Copy)]
pub struct LinkRules<'o>(pub(super) &'o OutputRules);

impl<'o> CommandRules<'o> {
    /// Judges the commands.
    pub fn judge(&self) -> &'o CommandJudge {
        &self.0.policy.commands
    }

    /// The strictest that any judgement can lead to. While it is [`OutputAction::Observe`], nothing need be held.
    pub fn action(&self) -> OutputAction {
        strictest(&self.0.policy, &self.0.commands).map_or(OutputAction::Observe, |(action, _)| action)
    }

    /// What happens to a block of which this was said; `None` when no rule means it.
    pub fn verdict(&self, judgement: &Judgement, place: &str) -> Option<OutputVerdict> {
        let mut asking = Vec::new();
        for entry in &self.0.commands {
            let (Entry::Rule(n, _) | Entry::Lifted(n, _)) = entry else {
                continue;
            };
            let rule = self.0.policy.rules.get(*n);
            let commands = rule.and_then(|rule| rule.matcher.commands.as_ref());
            let reasons = commands.map(|c| c.of(judgement)).unwrap_or_default();
            if reasons.is_empty() {
                continue;
            }
            asking.push(match entry {
                Entry::Rule(n, _) => Entry::Rule(*n, reasons.join(", ")),
                lifted => lifted.clone(),
            });
        }
        self.0.verdict(&asking, place)
    }
}

impl<'o> LinkRules<'o> {
    /// What counts as ours.
    pub fn network(&self) -> &'o std::sync::Arc<Network> {
        self.0.policy.commands.network()
    }

    /// The strictest of the rules.
    pub fn action(&self) -> OutputAction {
        strictest(&self.0.policy, &self.0.links).map_or(OutputAction::Observe, |(action, _)| action)
    }

    /// What happens to a link whose host is not ours.
    pub fn verdict(&self, place: &str) -> OutputVerdict {
        self.0.verdict(&self.0.links, place).unwrap_or(OutputVerdict {
            action: OutputAction::Observe,
            hits: Vec::new(),
            message: String::new(),
        })
    }

    /// The name that the mark carries: the id of the rule that decides.
    pub fn kind(&self) -> &'o str {
        let rules = self.0;
        match strictest(&rules.policy, &rules.links) {
            Some((_, Entry::Rule(n, _))) => rules.policy.rules.get(*n).map_or("link", |r| r.id.as_str()),
            _ => "link",
        }
    }
}

impl OutputRules {
    /// What rules of the policy ask for together.
    fn verdict(&self, entries: &[Entry], place: &str) -> Option<OutputVerdict> {
        let (action, deciding) = strictest(&self.policy, entries)?;
        let hit = |entry: &Entry| match entry {
            Entry::Rule(n, reason) => Some(self.policy.rules.get(*n)?.hit(place, reason.clone())),
            Entry::Lifted(n, note) => Some(self.policy.rules.get(*n)?.lifted_hit(place, note)),
            Entry::Kind | Entry::LiftedKind(_) => None,
        };
        Some(OutputVerdict {
            action,
            hits: entries.iter().filter_map(hit).collect(),
            message: self.entry_message(deciding).to_owned(),
        })
    }
}
