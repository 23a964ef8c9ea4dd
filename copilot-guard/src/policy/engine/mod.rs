//! Rules of one's own beside the policy's: an engine is asked the same questions, and can only be stricter.
//!
//! 1. The built-in [`Policy`](super::Policy) is always asked too. Of all answers the strictest counts.
//! 2. Engines are asked for each request as a whole, for each of its parts, and for each complete tool call of an answer.
//! 3. What an engine says is read strictly: see [`PolicyEngine::decide`].
//!
//! ```
//! use copilot_guard::clock::Timestamp;
//! use copilot_guard::decision::{Action, Decision};
//! use copilot_guard::identity::Identity;
//! use copilot_guard::policy::engine::{AskedCall, Asker, EngineFn, PolicyEngine, Question};
//!
//! /// Nobody but the release team publishes.
//! let engine = EngineFn::new(|question: &Question<'_>| {
//!     let mut decision = Decision::default();
//!     if let Question::ToolCall(call) = question
//!         && call.name == "publish"
//!         && !question.asker().identity.groups.contains("release")
//!     {
//!         let hit = question.hit("publish", Action::Block, "not of the release team");
//!         decision.add(hit, "Ask the release team to publish.");
//!     }
//!     decision
//! });
//!
//! let now = Timestamp::from_secs(1_800_000_000);
//! let who = Identity::new("https://idp.example", "dev", now);
//! let call = AskedCall::new(Asker::new(&who, "gpt-5", now), "publish", "{}");
//! assert_eq!(engine.decide(&Question::ToolCall(call)).action, Action::Block);
//! ```

mod engines;
mod question;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;

pub use engines::Engines;
pub use question::{AskedCall, AskedPart, AskedRequest, Asker, Question};

use crate::decision::Decision;

/// Rules of one's own.
///
/// # When it is called
/// On the task of the exchange, before the request goes up and before a tool call comes down: once for each request as a
/// whole, once for each of its parts (agents send the whole conversation again each turn: thousands of parts), and once
/// for each complete tool call. For a list of models it is asked once for each model, with a size of 0. After a vote the
/// same question may come again.
///
/// # What may be assumed
/// The asker's token was verified, and the request was read strictly: these are the texts that go up, before masks.
/// They are hostile all the same. [`Asker::now`] is the time of the request; ask no clock.
///
/// # If this fails
/// - It cannot fail: what it cannot decide it must refuse, by a hit with [`Action::Block`](crate::decision::Action).
/// - A call that blocks or takes long stalls its exchange and a thread of the runtime: what it needs to know it must
///   hold in memory.
/// - Answering "allow" where its rules would not leaves the policy's own rules in force, and no others. It cannot lower
///   what the policy or another engine says, nor admit whom `default = "deny"` refuses.
/// - A panic refuses the request with 503, or ends the answer where it stands.
/// - Reasons, messages and ids are recorded and shown as they are: text of the request in them is kept and shown too.
///
/// Approval is asked from the default reviewers, unless the id of the hit is that of a rule of the policy file: then from
/// that rule's.
pub trait PolicyEngine: fmt::Debug + Send + Sync + 'static {
    /// What the rules say. [`Decision::default`] has no objection; [`Question::hit`] makes a hit.
    ///
    /// Stage and place of hits are set to those of the question. `mask` names no text to mask and counts as `block`. An
    /// action without a hit that asks for it gets one with the id `engine`, and so does a hit whose id is empty. Each hit has
    /// the tag `engine`, first, so that records tell it from a rule of the policy file.
    fn decide(&self, question: &Question<'_>) -> Decision;

    /// What tells these rules from earlier ones, such as a digest: recorded after the policy's own version. Letters,
    /// digits, `-`, `_`, `.`; at most 64.
    fn version(&self) -> String {
        String::new()
    }
}

/// No rules: never objects.
impl PolicyEngine for () {
    fn decide(&self, _question: &Question<'_>) -> Decision {
        Decision::default()
    }
}

impl<E: PolicyEngine + ?Sized> PolicyEngine for Arc<E> {
    fn decide(&self, question: &Question<'_>) -> Decision {
        (**self).decide(question)
    }

    fn version(&self) -> String {
        (**self).version()
    }
}

/// A function as an engine.
pub struct EngineFn<F> {
    decide: F,
}

impl<F> EngineFn<F>
where
    F: Fn(&Question<'_>) -> Decision + Send + Sync + 'static,
{
    /// This function.
    pub const fn new(decide: F) -> Self {
        Self { decide }
    }
}

impl<F> PolicyEngine for EngineFn<F>
where
    F: Fn(&Question<'_>) -> Decision + Send + Sync + 'static,
{
    fn decide(&self, question: &Question<'_>) -> Decision {
        (self.decide)(question)
    }
}

impl<F> fmt::Debug for EngineFn<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EngineFn").finish_non_exhaustive()
    }
}
