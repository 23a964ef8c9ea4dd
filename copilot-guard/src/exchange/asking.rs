//! The engines, asked on behalf of one caller's request.

use std::fmt;
use std::sync::Arc;

use crate::clock::Timestamp;
use crate::decision::{Action, Decision};
use crate::detect::command::CommandJudge;
use crate::detect::tool;
use crate::dialect::{Dialect, ParsedRequest, Part, ToolCall};
use crate::identity::Identity;
use crate::policy::engine::{AskedCall, AskedPart, AskedRequest, Asker, Engines, Question};

/// Engines, asked on behalf of one caller's request. Cheap to clone.
#[derive(Clone)]
pub struct Asking {
    engines: Engines,
    of: Arc<Of>,
}

#[derive(Clone)]
struct Of {
    identity: Arc<Identity>,
    model: String,
    upstream: String,
    path: String,
    dialect: &'static str,
    now: Timestamp,
    commands: CommandJudge,
}

impl Asking {
    /// The engines, asked on behalf of this caller, who asks for this model as of `now`.
    pub fn new(engines: Engines, identity: Arc<Identity>, model: impl Into<String>, now: Timestamp) -> Self {
        Self {
            engines,
            of: Of {
                identity,
                model: model.into(),
                now,
                upstream: String::new(),
                path: String::new(),
                dialect: "",
                commands: CommandJudge::default(),
            }
            .into(),
        }
    }

    /// The same by this upstream, path and wire format.
    #[must_use]
    pub fn by(mut self, upstream: &str, path: &str, dialect: Dialect) -> Self {
        let of = Arc::make_mut(&mut self.of);
        of.upstream = upstream.to_owned();
        of.path = path.to_owned();
        of.dialect = dialect.as_str();
        self
    }

    /// The same with this judge for the calls of tools: it knows whose hosts are ours.
    #[must_use]
    pub fn with_commands(mut self, commands: CommandJudge) -> Self {
        Arc::make_mut(&mut self.of).commands = commands;
        self
    }

    fn asker(&self) -> Asker<'_> {
        let of = &*self.of;
        let asker = Asker::new(&of.identity, &of.model, of.now);
        asker.by(&of.upstream, &of.path, of.dialect)
    }

    /// The request as a whole. `size` is that of its body.
    pub fn request(&self, request: &ParsedRequest, size: usize) -> Decision {
        if self.engines.is_empty() {
            return Decision::default();
        }
        let parameters = request.parameters();
        self.engines.decide(&Question::Request(AskedRequest {
            asker: self.asker(),
            size,
            stream: request.stream,
            parameters: &parameters,
            tools: &request.tools,
        }))
    }

    /// Whether the model may be listed.
    pub fn may_use(&self, model: &str) -> bool {
        let asker = Asker {
            model,
            ..self.asker()
        };
        let question = Question::Request(AskedRequest::new(asker, 0));
        self.engines.decide(&question).action != Action::Block
    }

    /// One text of the request.
    pub fn part(&self, part: &Part) -> Decision {
        self.engines.decide(&Question::Part(AskedPart {
            asker: self.asker(),
            stage: part.stage,
            role: &part.role,
            place: &part.place,
            text: &part.text,
        }))
    }

    /// A complete tool call that comes down.
    pub fn tool_call(&self, call: &ToolCall) -> Decision {
        if self.engines.is_empty() {
            return Decision::default();
        }
        let judged = tool::judge(&self.of.commands, &call.name, &call.arguments);
        self.engines.decide(&Question::ToolCall(AskedCall {
            asker: self.asker(),
            place: &call.place,
            name: &call.name,
            arguments: &call.arguments,
            findings: &judged.findings,
        }))
    }
}

impl fmt::Debug for Asking {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Asking")
            .field("engines", &self.engines)
            .finish_non_exhaustive()
    }
}
