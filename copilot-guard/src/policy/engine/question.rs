//! What an engine is asked. Inputs may grow; the kinds of question are exhaustive, so that a new one is not overlooked.

use std::collections::BTreeMap;
use std::fmt;

use crate::clock::Timestamp;
use crate::decision::{Action, RuleHit, Stage};
use crate::detect::Finding;
use crate::identity::Identity;

/// Who asks, for what, by which way.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Asker<'a> {
    /// The verified caller: person, groups, human or program.
    pub identity: &'a Identity,
    /// The model, as the request names it.
    pub model: &'a str,
    /// The configured upstream.
    pub upstream: &'a str,
    /// The path of the route.
    pub path: &'a str,
    /// The wire format, such as `chat` or `messages`.
    pub dialect: &'a str,
    /// When the request came. For a tool call too: all of one exchange is judged as of one time.
    pub now: Timestamp,
}

impl<'a> Asker<'a> {
    /// This caller, asking for this model; upstream, path and dialect are empty.
    pub const fn new(identity: &'a Identity, model: &'a str, now: Timestamp) -> Self {
        Self {
            identity,
            model,
            upstream: "",
            path: "",
            dialect: "",
            now,
        }
    }

    /// The same by this upstream, path and wire format.
    #[must_use]
    pub const fn by(mut self, upstream: &'a str, path: &'a str, dialect: &'a str) -> Self {
        (self.upstream, self.path, self.dialect) = (upstream, path, dialect);
        self
    }
}

/// May this request go up at all?
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct AskedRequest<'a> {
    /// Who asks.
    pub asker: Asker<'a>,
    /// The size of the body in bytes.
    pub size: usize,
    /// Whether the answer is to be streamed.
    pub stream: bool,
    /// The members of the request's root, with their values as JSON. Of a list or object, and of what is longer than 256
    /// bytes, the name alone.
    pub parameters: &'a BTreeMap<String, String>,
    /// Names of the tools that the request offers to the model; of MCP, of those that it calls.
    pub tools: &'a [String],
}

static NO_PARAMETERS: BTreeMap<String, String> = BTreeMap::new();

impl<'a> AskedRequest<'a> {
    /// A request of this size, without parameters and tools.
    pub const fn new(asker: Asker<'a>, size: usize) -> Self {
        Self {
            asker,
            size,
            stream: false,
            parameters: &NO_PARAMETERS,
            tools: &[],
        }
    }
}

/// May this text go up?
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct AskedPart<'a> {
    /// Who asks.
    pub asker: Asker<'a>,
    /// A tool's result, or anything else that goes up.
    pub stage: Stage,
    /// The message's role; `request` for what stands outside of messages.
    pub role: &'a str,
    /// Where it stands, such as `messages[3].content`.
    pub place: &'a str,
    /// The text as it came, secrets included.
    pub text: &'a str,
}

impl<'a> AskedPart<'a> {
    /// This text at this place, in the role of a user.
    pub const fn new(asker: Asker<'a>, stage: Stage, place: &'a str, text: &'a str) -> Self {
        Self {
            asker,
            stage,
            role: "user",
            place,
            text,
        }
    }
}

/// May the client be given this tool call?
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct AskedCall<'a> {
    /// Who asks.
    pub asker: Asker<'a>,
    /// Where it stands, such as `tool_calls[0][1]`.
    pub place: &'a str,
    /// The tool's name.
    pub name: &'a str,
    /// The arguments as the model wrote them: JSON, or any text for tools that take it.
    pub arguments: &'a str,
    /// What the built-in judge of tool calls found; whether the policy acts on it or not.
    pub findings: &'a [Finding],
}

impl<'a> AskedCall<'a> {
    /// This call, without findings.
    pub const fn new(asker: Asker<'a>, name: &'a str, arguments: &'a str) -> Self {
        Self {
            asker,
            place: "tool_calls[0]",
            name,
            arguments,
            findings: &[],
        }
    }
}

/// What an engine is asked.
///
/// Exhaustive: an engine that should judge everything does not compile when a new kind of question comes.
#[derive(Debug, Clone, Copy)]
pub enum Question<'a> {
    /// A request as a whole.
    Request(AskedRequest<'a>),
    /// One text of a request.
    Part(AskedPart<'a>),
    /// A complete tool call of an answer.
    ToolCall(AskedCall<'a>),
}

impl<'a> Question<'a> {
    /// Who asks.
    pub const fn asker(&self) -> &Asker<'a> {
        match self {
            Self::Request(request) => &request.asker,
            Self::Part(part) => &part.asker,
            Self::ToolCall(call) => &call.asker,
        }
    }

    /// Where in an exchange it is asked.
    pub const fn stage(&self) -> Stage {
        match self {
            Self::Request(_) => Stage::Request,
            Self::Part(part) => part.stage,
            Self::ToolCall(_) => Stage::ToolCall,
        }
    }

    /// The place that hits name.
    pub const fn place(&self) -> &'a str {
        match self {
            Self::Request(_) => "request",
            Self::Part(part) => part.place,
            Self::ToolCall(call) => call.place,
        }
    }

    /// A hit of the rule `id` here.
    pub fn hit(&self, id: impl Into<String>, action: Action, reason: impl Into<String>) -> RuleHit {
        RuleHit {
            id: id.into(),
            action,
            stage: self.stage(),
            place: self.place().to_owned(),
            reason: reason.into(),
            observed_only: false,
            severity: None,
            tags: Vec::new(),
        }
    }
}

// What people and models write is in no log line.
impl fmt::Debug for AskedPart<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AskedPart")
            .field("stage", &self.stage)
            .field("place", &self.place)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for AskedCall<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AskedCall")
            .field("place", &self.place)
            .field("findings", &self.findings)
            .finish_non_exhaustive()
    }
}
