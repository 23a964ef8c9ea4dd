//! The inspector of one answer: runs the caller's rules over every text and tool call the dialect finds.

use std::collections::HashMap;

use super::asking::Asking;
use super::reversal::Reversals;
use super::scrub::Scrubber;
use super::watched::{Findings, Scene, Stop, Watched, add_hit};
use super::{Notices, Summary};
use crate::audit::MaskCount;
use crate::budget::Tally;
use crate::decision::{Action, Decision, RuleHit};
use crate::detect::RuleSet;
use crate::detect::tool::{self, Role};
use crate::dialect::{Blocked, Channel, Inspector, ToolCall, Verdict};
use crate::json::{Document, Edits, Limits, Value};
use crate::policy::CallerPolicy;

/// Most channels of one answer; what opens more is stopped.
const MAX_CHANNELS: usize = 512;

/// Texts of plain answers that a person reads as they are.
const PLACES: [&str; 8] = [
    "choices.message.content",
    "choices.message.content.text",
    "choices.message.refusal",
    "choices.message.reasoning_content",
    "content.text",
    "output.content.text",
    "output.content.refusal",
    "output.summary.text",
];

/// The same of texts that stream: channels.
const PROSE: [&str; 9] = [
    "content",
    "text",
    "refusal",
    "output_text",
    "reasoning",
    "reasoning_content",
    "reasoning_text",
    "reasoning_summary_text",
    "thinking",
];

/// What a reader is told of a call whose name, or the name of an argument, is (or holds) a secret.
const UNREADABLE: &str = "A tool call's arguments are not valid JSON; it was left out.";
const CHANGED: &str = "The model's tool call held a secret in a command, path or address, where a mask would change what it does; it was taken out.";
const UNMASKABLE: &str = "The model's tool call held a secret where it cannot be masked; it was taken out.";

/// A tool call that needs a person's vote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallQuestion {
    /// The call, its arguments masked.
    pub call: ToolCall,
    /// The rules that ask, and why.
    pub decision: Decision,
}

/// What a person (or the lack of one) said of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CallAnswer {
    /// Let it through.
    Approve,
    /// Put this text in its place.
    Refuse(String),
}

pub(super) struct Judge {
    rules: RuleSet,
    policy: CallerPolicy,
    notices: Notices,
    channels: HashMap<Channel, Watched>,
    stopped: Option<Blocked>,
    findings: Findings,
    not_scanned: Vec<String>,
    question: Option<CallQuestion>,
    answers: HashMap<u32, CallAnswer>,
    /// For texts that come whole: redactors between two texts, and what may be shown of one. Kept for their memory.
    whole: Option<Watched>,
    /// The same for strings within the arguments of calls.
    argument: Option<Watched>,
    shown: String,
    scrubber: Option<Scrubber>,
    asking: Option<Asking>,
    reversals: Option<Reversals>,
}

impl Judge {
    pub(super) fn new(rules: RuleSet, policy: CallerPolicy, notices: Notices) -> Self {
        Self {
            rules,
            policy,
            notices,
            channels: HashMap::new(),
            stopped: None,
            findings: Findings::new(),
            not_scanned: Vec::new(),
            question: None,
            answers: HashMap::new(),
            whole: None,
            argument: None,
            shown: String::new(),
            scrubber: None,
            asking: None,
            reversals: None,
        }
    }

    /// These marks are taken back in prose from now on.
    pub(super) fn restore(&mut self, reversals: Reversals) {
        self.reversals = Some(reversals);
    }

    /// Tool calls are judged by these engines too.
    pub(super) fn ask(&mut self, asking: Asking) {
        self.asking = Some(asking);
    }

    /// Text and masks are counted from now on.
    pub(super) fn count(&mut self, tally: Tally) {
        self.findings.tally = Some(tally);
    }

    /// Texts that begin from now on are scrubbed first.
    pub(super) fn scrub(&mut self, scrubber: Scrubber) {
        self.scrubber = Some(scrubber);
        (self.whole, self.argument) = (None, None);
    }

    pub(super) fn notice(&self, message: &str) -> String {
        self.notices.text(message)
    }

    pub(super) fn take_question(&mut self) -> Option<CallQuestion> {
        self.question.take()
    }

    pub(super) fn answer(&mut self, number: u32, answer: CallAnswer) {
        self.answers.insert(number, answer);
    }

    pub(super) fn take_hits(&mut self) -> Vec<RuleHit> {
        std::mem::take(&mut self.findings.hits)
    }

    pub(super) fn decision(&self) -> Action {
        self.findings.decision
    }

    pub(super) fn summary(&self) -> Summary {
        Summary {
            decision: self.findings.decision,
            masks: self.masks(),
            not_scanned: self.not_scanned.clone(),
        }
    }

    fn masks(&self) -> Vec<MaskCount> {
        let count = |((rule, channel), count): (&(String, String), &u64)| MaskCount {
            rule: rule.clone(),
            channel: channel.clone(),
            count: *count,
        };
        self.findings.masks.iter().map(count).collect()
    }

    /// Runs the channel's redactors over a piece; gives what may be shown.
    fn run(&mut self, channel: &Channel, out: &mut String, text: &str, is_last: bool) -> Result<(), Blocked> {
        if let Some(stopped) = &self.stopped {
            return Err(stopped.clone());
        }
        if !self.channels.contains_key(channel) {
            if self.channels.len() >= MAX_CHANNELS {
                return Err(self.stop("The answer has too many parts.", None));
            }
            let mut watched = Watched::new(&self.rules, &self.policy, self.scrubber.as_ref(), true);
            watched.restore(of_channel(&self.reversals, channel));
            self.channels.insert(channel.clone(), watched);
        }
        let Some(watched) = self.channels.get_mut(channel) else {
            return Ok(());
        };
        let mut scene = Scene {
            policy: &self.policy,
            findings: &mut self.findings,
            place: channel,
            signed: channel.signed,
        };
        let stopped = watched.look(&mut scene, out, text, is_last);
        stopped.map_err(|stop| self.end(*stop))
    }

    fn end(&mut self, stop: Stop) -> Blocked {
        self.stop(&stop.message, Some(stop.hit))
    }

    fn stop(&mut self, message: &str, hit: Option<RuleHit>) -> Blocked {
        hit.into_iter()
            .for_each(|hit| add_hit(&mut self.findings.hits, hit));
        self.findings.decision = Action::Block;
        let blocked = Blocked {
            notice: self.notice(message),
        };
        self.stopped = Some(blocked.clone());
        blocked
    }

    /// Masks the strings of an argument text; gives them for judging too, as they came.
    fn arguments(&mut self, call: &ToolCall) -> Result<(Option<String>, Vec<String>), Blocked> {
        let mut strings = Vec::new();
        let Ok(doc) = Document::parse(call.arguments.as_bytes(), Limits::default()) else {
            if call.free_form || call.arguments.trim().is_empty() {
                let changed = self.text(&call.place, &call.arguments, false)?;
                if changed.is_some() && runs(tool::role(&call.name, "")) {
                    return Err(self.stop(CHANGED, None));
                }
                return Ok((changed, strings));
            }
            return Err(self.stop(UNREADABLE, None));
        };
        let mut edits = Edits::default();
        let within = Within {
            tool: &call.name,
            path: String::new(),
            place: call.place.clone(),
        };
        self.strings(doc.root(), &within, &mut strings, &mut edits)?;
        Ok(((!edits.is_empty()).then(|| doc.to_text(&edits)), strings))
    }

    fn strings(
        &mut self,
        value: Value<'_>,
        within: &Within<'_>,
        strings: &mut Vec<String>,
        edits: &mut Edits,
    ) -> Result<(), Blocked> {
        if let Some(text) = value.as_str() {
            if let Some(changed) = self.text(&within.place, &text, false)? {
                if runs(tool::role(within.tool, &within.path)) {
                    return Err(self.stop(CHANGED, None));
                }
                edits.set_str(value, &changed);
            }
            strings.push(text.into_owned());
        }
        let items = within.member("[]", &within.place);
        for item in value.items() {
            self.strings(item, &items, strings, edits)?;
        }
        for (name, member) in value.entries() {
            if self.text(&within.place, &name, false)?.is_some() {
                return Err(self.stop(UNMASKABLE, None));
            }
            let inner = within.member(&name, &format!("{}.{name}", within.place));
            self.strings(member, &inner, strings, edits)?;
            strings.push(name.into_owned());
        }
        Ok(())
    }

    /// Looks at a whole text; `Some` when it must be changed. `prose` says that a person reads it.
    fn text(&mut self, place: &str, text: &str, prose: bool) -> Result<Option<String>, Blocked> {
        if text.is_empty() {
            return Ok(None);
        }
        if let Some(stopped) = &self.stopped {
            return Err(stopped.clone());
        }
        let kept = if prose {
            &mut self.whole
        } else {
            &mut self.argument
        };
        let mut watched = kept
            .take()
            .unwrap_or_else(|| Watched::new(&self.rules, &self.policy, self.scrubber.as_ref(), prose));
        watched.restore(of_place(&self.reversals, place).filter(|_| prose));
        let mut out = std::mem::take(&mut self.shown);
        out.clear();
        let mut scene = Scene {
            policy: &self.policy,
            findings: &mut self.findings,
            place: &place,
            signed: false,
        };
        if let Err(stop) = watched.look(&mut scene, &mut out, text, true) {
            return Err(self.end(*stop));
        }
        watched.rewind();
        *(if prose {
            &mut self.whole
        } else {
            &mut self.argument
        }) = Some(watched);
        if out != text {
            return Ok(Some(out));
        }
        self.shown = out;
        Ok(None)
    }
}

/// The marks that are taken back in a text that streams.
fn of_channel<'r>(reversals: &'r Option<Reversals>, channel: &Channel) -> Option<&'r Reversals> {
    // Further parts of a text are numbered.
    let mut parts = channel.name.split('.');
    let is_prose = parts.next().is_some_and(|name| PROSE.contains(&name))
        && parts.all(|part| part.chars().all(|c| c.is_ascii_digit()));
    reversals.as_ref().filter(|_| is_prose && !channel.signed)
}

/// The same of a text that comes whole, at a place such as `choices[0].message.content`.
fn of_place<'r>(reversals: &'r Option<Reversals>, place: &str) -> Option<&'r Reversals> {
    // Most answers have none, and this is asked often.
    let reversals = reversals.as_ref()?;
    let mut path = String::with_capacity(place.len());
    let mut is_number = false;
    for c in place.chars() {
        is_number = (is_number || c == '[') && c != ']';
        if !is_number && c != ']' {
            path.push(c);
        }
    }
    PLACES.contains(&path.as_str()).then_some(reversals)
}

/// Where in the arguments of a call a string stands.
struct Within<'c> {
    tool: &'c str,
    /// Names and `[]`, as [`tool::role`] takes them.
    path: String,
    place: String,
}

impl Within<'_> {
    fn member(&self, name: &str, place: &str) -> Self {
        let path = if self.path.is_empty() {
            name.to_owned()
        } else {
            format!("{}.{name}", self.path)
        };
        Self {
            tool: self.tool,
            path,
            place: place.to_owned(),
        }
    }
}

/// To change it is to run, touch or fetch something else.
const fn runs(role: Role) -> bool {
    matches!(role, Role::Command | Role::Path | Role::Address)
}

impl Inspector for Judge {
    fn delta(&mut self, channel: &Channel, text: &str, out: &mut String) -> Result<(), Blocked> {
        self.run(channel, out, text, false)
    }

    fn finish(&mut self, channel: &Channel, out: &mut String) -> Result<(), Blocked> {
        let result = self.run(channel, out, "", true);
        self.channels.remove(channel);
        result
    }

    fn whole(&mut self, place: &str, text: &str) -> Result<Option<String>, Blocked> {
        self.text(place, text, true)
    }

    fn tool_call(&mut self, call: &ToolCall) -> Verdict {
        if let Some(stopped) = &self.stopped {
            return Verdict::Replace(stopped.notice.clone());
        }
        let found = match self.text(&call.place, &call.name, false) {
            Ok(None) => self.arguments(call),
            Ok(Some(_)) => Err(self.stop(UNMASKABLE, None)),
            Err(blocked) => Err(blocked),
        };
        let (masked, strings) = match found {
            Ok(found) => found,
            Err(blocked) => {
                // Only the call is stopped; the answer's text may go on.
                self.stopped = None;
                return Verdict::Replace(blocked.notice);
            }
        };
        match self.answers.get(&call.number) {
            Some(CallAnswer::Approve) => return Verdict::Pass(masked),
            Some(CallAnswer::Refuse(text)) => return Verdict::Replace(text.clone()),
            None => {}
        }
        let verdict = self
            .policy
            .tool_call(&call.place, &call.name, &call.arguments, &strings);
        let mut decision = verdict.decision;
        if let Some(asking) = &self.asking {
            decision.merge(asking.tool_call(call));
        }
        for hit in &decision.hits {
            add_hit(&mut self.findings.hits, hit.clone());
        }
        self.findings.decision = self.findings.decision.max(decision.action);
        match decision.action {
            Action::Allow => Verdict::Pass(masked),
            // A mask by rule changes what would run: the call is stopped instead.
            Action::Mask if verdict.masks.is_empty() => Verdict::Pass(masked),
            Action::Mask | Action::Block => {
                self.findings.decision = Action::Block;
                Verdict::Replace(self.notice(&decision.message))
            }
            Action::RequireApproval => {
                let arguments = masked.unwrap_or_else(|| call.arguments.clone());
                self.question = Some(CallQuestion {
                    call: ToolCall {
                        arguments,
                        ..call.clone()
                    },
                    decision,
                });
                Verdict::Wait
            }
        }
    }

    fn not_scanned(&mut self, what: &str) {
        if self.not_scanned.len() < 64 && !self.not_scanned.iter().any(|w| w == what) {
            self.not_scanned.push(what.to_owned());
        }
    }
}
