//! One plain (not streamed) answer.

use super::judge::Judge;
use super::{Asking, CallAnswer, CallQuestion, Notices, Reversals, Scrubber, Summary};
use crate::decision::RuleHit;
use crate::detect::RuleSet;
use crate::dialect::{Dialect, Malformed, Plain};
use crate::policy::CallerPolicy;

/// What became of a plain answer.
#[derive(Debug, PartialEq, Eq)]
pub enum PlainStep {
    /// The body for the client.
    Deliver(String),
    /// Ask a person about this call, then call [`PlainExchange::judge`] again.
    Ask(Box<CallQuestion>),
    /// The answer is withheld; the text says why.
    Blocked(String),
}

/// One plain answer: the whole body in, the whole body out.
pub struct PlainExchange {
    dialect: Dialect,
    judge: Judge,
    rules: RuleSet,
    policy: CallerPolicy,
    notices: Notices,
    answers: Vec<(u32, CallAnswer)>,
    scrubber: Option<Scrubber>,
    asking: Option<Asking>,
    reversals: Option<Reversals>,
}

impl PlainExchange {
    /// An answer to the caller whose rules `policy` holds.
    pub fn new(dialect: Dialect, rules: RuleSet, policy: CallerPolicy, notices: impl Into<Notices>) -> Self {
        let notices = notices.into();
        Self {
            dialect,
            judge: Judge::new(rules.clone(), policy.clone(), notices.clone()),
            rules,
            policy,
            notices,
            answers: Vec::new(),
            scrubber: None,
            asking: None,
            reversals: None,
        }
    }

    /// Takes further values out of every text.
    pub fn scrub(&mut self, scrubber: Scrubber) {
        self.scrubber = Some(scrubber);
    }

    /// Asks these engines too about every tool call.
    pub fn ask(&mut self, asking: Asking) {
        self.asking = Some(asking);
    }

    /// Takes these marks back where the answer is prose: see [`Exchange::restore`](super::Exchange::restore).
    pub fn restore(&mut self, reversals: Reversals) {
        self.reversals = Some(reversals).filter(|_| self.dialect.is_conversation());
    }

    /// Judges the body. After [`PlainStep::Ask`] and [`handle_answer`](Self::handle_answer) it is called again.
    ///
    /// # Errors
    /// The body is not an acceptable answer.
    pub fn judge(&mut self, body: &[u8]) -> Result<PlainStep, Malformed> {
        // From the start each time, with the votes known so far: counts are those of the last run.
        self.judge = Judge::new(self.rules.clone(), self.policy.clone(), self.notices.clone());
        if let Some(scrubber) = &self.scrubber {
            self.judge.scrub(scrubber.clone());
        }
        if let Some(asking) = &self.asking {
            self.judge.ask(asking.clone());
        }
        if let Some(reversals) = &self.reversals {
            self.judge.restore(reversals.clone());
        }
        for (number, answer) in &self.answers {
            self.judge.answer(*number, answer.clone());
        }
        Ok(match self.dialect.plain(body, &mut self.judge)? {
            Plain::Done(body) => PlainStep::Deliver(body),
            Plain::Blocked(notice) => PlainStep::Blocked(notice),
            Plain::Wait => match self.judge.take_question() {
                Some(question) => PlainStep::Ask(Box::new(question)),
                None => return Err(Malformed::new("a call that cannot be judged")),
            },
        })
    }

    /// The answer to [`PlainStep::Ask`] for the call with that number.
    pub fn handle_answer(&mut self, number: u32, answer: CallAnswer) {
        self.answers.push((number, answer));
    }

    /// Rules that matched.
    pub fn take_hits(&mut self) -> Vec<RuleHit> {
        self.judge.take_hits()
    }

    /// What the record needs at the end.
    pub fn summary(&self) -> Summary {
        self.judge.summary()
    }
}
