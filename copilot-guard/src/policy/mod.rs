//! What is allowed to whom: reads a policy file, and decides.
//!
//! 1. A file is read with **all** its problems at once ([`PolicyError`]); a rule that can never fire is one.
//! 2. What was read becomes a [`Policy`], compiled: expressions, words, secret kinds, whom they are for.
//! 3. [`Policy::for_caller`] narrows it to one caller and model; [`CallerPolicy`] answers for each part.
//! 4. Every matching rule counts and the strictest action wins. Only an exception lowers a verdict, and what it lifts
//!    is recorded with its reason.
//! 5. What a rule looks for is a set of conditions, all of which must hold. Each can hold at some stages only; at
//!    another one it is a problem. What is costly (judging a call, reading a text for intents) is done once, when the
//!    first rule asks for it.
//! 6. Whoever is in a group is in the groups that `[groups]` lists for it too, over all steps.
//!
//! Nothing here reads a clock, a file or the network. No hit holds matched text or a pattern.
//!
//! ```
//! use std::collections::BTreeSet;
//! use copilot_guard::clock::Timestamp;
//! use copilot_guard::decision::{Action, Stage};
//! use copilot_guard::policy::{Policy, PolicyOptions, Query};
//!
//! let now = Timestamp::from_secs(1_800_000_000);
//! let text = r#"
//!     version = 1
//!     [[rules]]
//!     id = "no-falcon"
//!     on = "prompt"
//!     match = { words = ["project falcon"] }
//!     action = "block"
//!     message = "Project Falcon stays in the house."
//! "#;
//! let policy = Policy::parse(text, "policy.toml", &PolicyOptions::new(now))?;
//! let caller = policy.for_caller(&Query::new(&BTreeSet::new(), "gpt-5", now));
//! let verdict = caller.part(Stage::Prompt, "messages[0].content", "What is Project Falcon?");
//! assert_eq!(verdict.decision.action, Action::Block);
//! assert_eq!(verdict.decision.message, "Project Falcon stays in the house.");
//! # Ok::<(), copilot_guard::policy::PolicyError>(())
//! ```

mod allow;
mod budget;
mod callers;
mod code;
mod compile;
mod config;
mod decide;
pub mod engine;
mod exception;
mod explain;
mod groups;
mod judge;
mod kinds;
mod lint;
mod look;
mod masking;
mod matcher;
mod network;
mod output;
mod problem;
pub mod reader;
mod rule;
mod rule_check;
mod schema;
mod scope;
mod streams;
mod values;

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

pub use decide::{CallerPolicy, MaskSpan, Verdict};
pub use explain::{ExceptionTrace, Outcome, RuleTrace, Seen};
pub use output::{CommandRules, LinkRules, OutputAction, OutputRules, OutputVerdict};
pub use problem::{PolicyError, Problem};
pub use schema::schema;

use crate::approval::Requirement;
use crate::budget::Charge;
use crate::clock::Timestamp;
use crate::detect::command::CommandJudge;
use crate::detect::{Network, RuleSet};
use crate::identity::CallerKind;
use crate::secret::Secret;

/// A compiled policy. Cheap to clone.
#[derive(Clone)]
pub struct Policy {
    inner: Arc<compile::Compiled>,
    callers: Arc<callers::Callers>,
}

/// What a policy needs that its file does not say.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct PolicyOptions {
    /// Groups of which any one member may approve, for rules without `approvals` of their own.
    pub reviewer_groups: Vec<String>,
    /// Values that must never reach a client, such as the upstream credential: a name for the mark, and the value.
    pub exact: Vec<(String, Secret)>,
    /// The time now: an exception that has ended is a warning.
    pub now: Timestamp,
    elsewhere: Option<values::Resolver>,
}

/// Who asks, and for what.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Query<'a> {
    /// The caller's groups.
    pub groups: &'a BTreeSet<String>,
    /// The model, as the request names it.
    pub model: &'a str,
    /// The time now: exceptions end.
    pub now: Timestamp,
    /// Whether a human or a program asks.
    pub kind: CallerKind,
    /// The path of the request; empty when it is not known.
    pub route: &'a str,
    /// Names of the parameters of the request that rules may look at.
    pub parameters: &'a BTreeSet<String>,
}

static NO_PARAMETERS: BTreeSet<String> = BTreeSet::new();

/// What stands in for a policy file when there is none.
const ALLOW_ALL: &str = "version = 1\ndefault = \"allow\"\n";

impl PolicyOptions {
    /// No reviewers and no values to scrub.
    pub fn new(now: Timestamp) -> Self {
        Self {
            now,
            ..Self::default()
        }
    }

    /// The same with these default reviewer groups.
    #[must_use]
    pub fn with_reviewer_groups<S: Into<String>>(mut self, groups: impl IntoIterator<Item = S>) -> Self {
        self.reviewer_groups = groups.into_iter().map(Into::into).collect();
        self
    }

    /// The same with this access to files and the environment, for `[[values]]`. The error says why it could not,
    /// without the value. Paths are as the policy has them: relative ones are meant from its folder.
    #[must_use]
    pub fn with_elsewhere(
        mut self,
        fetch: impl Fn(&reader::Elsewhere) -> Result<Secret, String> + Send + Sync + 'static,
    ) -> Self {
        self.elsewhere = Some(values::Resolver::new(fetch));
        self
    }

    /// The same with one more value that must never reach a client.
    #[must_use]
    pub fn with_exact(mut self, id: impl Into<String>, value: Secret) -> Self {
        self.exact.push((id.into(), value));
        self
    }
}

impl<'a> Query<'a> {
    /// A person in these groups, asking for this model.
    pub fn new(groups: &'a BTreeSet<String>, model: &'a str, now: Timestamp) -> Self {
        Self {
            groups,
            model,
            now,
            kind: CallerKind::Person,
            route: "",
            parameters: &NO_PARAMETERS,
        }
    }

    /// The same of this kind of caller.
    #[must_use]
    pub fn of(mut self, kind: CallerKind) -> Self {
        self.kind = kind;
        self
    }

    /// The same of a request to this path.
    #[must_use]
    pub fn with_route(mut self, route: &'a str) -> Self {
        self.route = route;
        self
    }

    /// The same of a request with these parameters.
    #[must_use]
    pub fn with_parameters(mut self, parameters: &'a BTreeSet<String>) -> Self {
        self.parameters = parameters;
        self
    }
}

impl Policy {
    /// Reads a policy. `file` is the name used in problems.
    ///
    /// # Errors
    /// All problems of the file; nothing is compiled unless there are none.
    pub fn parse(text: &str, file: &str, options: &PolicyOptions) -> Result<Self, PolicyError> {
        compile::compile(text, file, options).map(|inner| Self {
            inner: Arc::new(inner),
            callers: Arc::default(),
        })
    }

    /// The policy without a file: built-in secrets are masked in answers and tool results, nothing else.
    ///
    /// # Errors
    /// A value in `options` that cannot be scrubbed.
    pub fn allow_all(options: &PolicyOptions) -> Result<Self, PolicyError> {
        Self::parse(ALLOW_ALL, "(built-in policy)", options)
    }

    /// The SHA-256 of the source text, in hex.
    pub fn version(&self) -> &str {
        &self.inner.version
    }

    /// The rules that find secrets, and those that policy adds for streams.
    pub fn rule_set(&self) -> &RuleSet {
        &self.inner.kinds.set
    }

    /// Whether every answer is scrubbed of this value anyway ([`PolicyOptions::with_exact`]).
    pub fn scrubs(&self, value: &Secret) -> bool {
        self.inner.scrubbed.contains(&compile::sha256_hex(value.expose()))
    }

    /// What counts as ours when commands, links and images are judged.
    pub fn network(&self) -> &Network {
        self.inner.commands.network()
    }

    /// Judges commands, with the policy's network.
    pub fn commands(&self) -> &CommandJudge {
        &self.inner.commands
    }

    /// What is worth a look, yet no reason to refuse the file.
    pub fn warnings(&self) -> &[Problem] {
        &self.inner.warnings
    }

    /// Every group that the policy names, of callers and of reviewers.
    pub fn group_names(&self) -> BTreeSet<String> {
        self.inner.named_groups.names()
    }

    /// What the policy names that none of these groups is: rules and exceptions that nobody meets, reviewers whom nobody
    /// is. `known` are all groups that callers and reviewers have.
    pub fn check_groups(&self, known: &BTreeSet<String>) -> Vec<Problem> {
        let through = self.inner.groups.of(known);
        self.inner.named_groups.unknown(known, &through)
    }

    /// Whose votes are needed when these rules ask for approval; see [`CallerPolicy::requirement`].
    pub fn requirement(&self, rule_ids: &[String]) -> Requirement {
        self.inner.requirement(rule_ids)
    }

    /// What a request of this caller takes from: one charge for each budget of the person, and one for each group of
    /// theirs that has one.
    pub fn budgets(&self, query: &Query<'_>, person: &str) -> Vec<Charge> {
        let groups = self.inner.groups.of(query.groups);
        let query = Query {
            groups: &groups,
            ..*query
        };
        let budgets = self.inner.budgets.iter();
        budgets
            .flat_map(|budget| budget.charges(&query, person))
            .collect()
    }

    /// The policy for one caller and model.
    pub fn for_caller(&self, query: &Query<'_>) -> CallerPolicy {
        let groups = self.inner.groups.of(query.groups);
        let query = Query {
            groups: &groups,
            ..*query
        };
        self.callers.policy_for(&self.inner, &query).asking(&query)
    }
}

impl fmt::Debug for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Policy")
            .field("version", &self.inner.version)
            .finish_non_exhaustive()
    }
}
