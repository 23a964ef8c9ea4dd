//! The inspector of one answer: runs the caller's rules over every text and tool call the dialect finds.

use std::collections::{BTreeMap, HashMap};
use std::fmt;

use super::asking::Asking;
use super::scrub::{Scrubber, Scrubbing};
use super::{Notices, Summary};
use crate::audit::MaskCount;
use crate::budget::Tally;
use crate::decision::{Action, Decision, RuleHit, Stage};
use crate::detect::{Mark, MarkFormat, Redactor, RuleIndex, RuleSet, Sink, Span};
use crate::dialect::{Blocked, Channel, Inspector, ToolCall, Verdict};
use crate::json::{Document, Edits, Limits, Value};
use crate::policy::{CallerPolicy, OutputAction, OutputRules};

/// Most channels of one answer; what opens more is stopped.
const MAX_CHANNELS: usize = 512;

/// What a reader is told of a call whose name, or the name of an argument, is (or holds) a secret.
const UNREADABLE: &str = "A tool call's arguments are not valid JSON; it was left out.";
const SIGNED: &str = "The model's signed reasoning held a secret; it was cut off there.";
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
    shown: String,
    scrubber: Option<Scrubber>,
    asking: Option<Asking>,
}

/// What was found so far.
struct Findings {
    masks: BTreeMap<(String, String), u64>,
    hits: Vec<RuleHit>,
    decision: Action,
    /// What a redactor released, before it is text: kept for its memory.
    scratch: Vec<u8>,
    tally: Option<Tally>,
}

impl Findings {
    fn add_masks(&mut self, rule: String, channel: String, count: u64) {
        self.tally.iter().for_each(|tally| tally.add_masks(count));
        *self.masks.entry((rule, channel)).or_default() += count;
    }
}

/// One channel. What is shown comes from `acting`; the others only look, so that no match hides in a group that
/// carries another rule's name.
struct Watched {
    acting: Redactor,
    blocking: Option<Redactor>,
    observing: Option<Redactor>,
    /// How far the text has been shown or masked, in bytes of the channel's own text.
    position: u64,
    /// A carriage return at the end of what was shown last, kept for the next piece: VS Code drops one at the end of
    /// each delta, and would join what stood apart when it was looked at.
    carriage_return: bool,
    /// Comes before all others, which see what it leaves.
    scrubbing: Option<Scrubbing>,
}

impl Watched {
    fn new(rules: &RuleSet, policy: &CallerPolicy, scrubber: Option<&Scrubber>) -> Self {
        let redactor = |mask| rules.redactor_with(mask, policy.scan_options());
        let output = policy.output();
        Self {
            acting: redactor(output.mask()),
            blocking: output.block().map(redactor),
            observing: output.observe().map(redactor),
            position: 0,
            carriage_return: false,
            scrubbing: scrubber.map(Scrubber::stream),
        }
    }

    /// Looks at the next piece, and appends what may be shown. With `is_last` the text ends.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    #[expect(
        clippy::too_many_arguments,
        reason = "one call, from two places, of what they share"
    )]
    fn look(
        &mut self,
        policy: &CallerPolicy,
        findings: &mut Findings,
        place: &dyn fmt::Display,
        signed: bool,
        out: &mut String,
        text: &[u8],
        is_last: bool,
    ) -> Result<(), Box<(String, RuleHit)>> {
        findings.tally.iter().for_each(|tally| tally.add_text(text.len()));
        let Some(mut scrubbing) = self.scrubbing.take() else {
            return self.run(policy, findings, place, signed, out, text, is_last);
        };
        let (clean, count) = scrubbing.run(text, is_last);
        if count > 0 {
            findings.decision = findings.decision.max(Action::Mask);
            let mask = Scrubber::count(place.to_string(), count);
            findings.add_masks(mask.rule, mask.channel, count);
        }
        // A signature holds for the text that was signed.
        let result = if signed && count > 0 {
            Err(Box::new((SIGNED.to_owned(), scrubbed_hit(place))))
        } else {
            self.run(policy, findings, place, signed, out, clean, is_last)
        };
        self.scrubbing = Some(scrubbing);
        result
    }

    /// Runs the redactors over a piece, and appends what may be shown.
    ///
    /// # Errors
    /// The answer ends here: what the reader is told, and the rule.
    #[expect(
        clippy::too_many_arguments,
        reason = "one call, from two places, of what they share"
    )]
    fn run(
        &mut self,
        policy: &CallerPolicy,
        findings: &mut Findings,
        place: &dyn fmt::Display,
        signed: bool,
        out: &mut String,
        piece: &[u8],
        is_last: bool,
    ) -> Result<(), Box<(String, RuleHit)>> {
        let step = |redactor: &mut Redactor, watch: &mut Watch<'_, '_>| {
            if !piece.is_empty() {
                redactor.push(piece, watch);
            }
            if is_last {
                redactor.finish(watch);
            }
        };
        let rules = policy.output();
        if let Some(observing) = &mut self.observing {
            let mut seen = Marks::default();
            step(observing, &mut Watch::Look(&mut seen));
            for (rule, _) in seen.0 {
                let found = rules.hits(rule, &place.to_string());
                found.into_iter().for_each(|hit| add_hit(&mut findings.hits, hit));
            }
        }
        let mut blocked_at = None;
        if let Some(blocking) = &mut self.blocking {
            let mut seen = Marks::default();
            step(blocking, &mut Watch::Look(&mut seen));
            blocked_at = seen
                .0
                .into_iter()
                .find(|(rule, _)| rules.action(*rule) == OutputAction::Block);
        }
        let mut shown = Shown {
            rules,
            marks_as: policy.marks(),
            signed,
            position: self.position,
            until: blocked_at.map(|(_, start)| start),
            text: std::mem::take(&mut findings.scratch),
            marks: Vec::new(),
            stopped: None,
        };
        step(&mut self.acting, &mut Watch::Show(&mut shown));
        self.position = shown.position;
        let Shown {
            mut text,
            marks,
            stopped,
            ..
        } = shown;
        if self.carriage_return && (!text.is_empty() || is_last) {
            self.carriage_return = false;
            out.push('\r');
        }
        if !is_last && text.last() == Some(&b'\r') {
            text.pop();
            self.carriage_return = true;
        }
        // The engine cuts at code points of valid text; what is lossy is the closed form of a fault in it.
        out.push_str(&String::from_utf8_lossy(&text));
        text.clear();
        findings.scratch = text;
        for rule in marks {
            let place = place.to_string();
            findings.decision = findings.decision.max(Action::Mask);
            findings.add_masks(rules.kind(rule).to_owned(), place.clone(), 1);
            add_hit(&mut findings.hits, rules.hit(rule, &place));
        }
        match stopped.or(blocked_at.map(|(rule, _)| rule)) {
            None => Ok(()),
            Some(rule) => {
                let message = if signed && rules.action(rule) != OutputAction::Block {
                    SIGNED
                } else {
                    rules.message(rule)
                };
                let mut hit = rules.hit(rule, &place.to_string());
                hit.action = Action::Block;
                Err(Box::new((message.to_owned(), hit)))
            }
        }
    }
}

impl Judge {
    pub(super) fn new(rules: RuleSet, policy: CallerPolicy, notices: Notices) -> Self {
        Self {
            rules,
            policy,
            notices,
            channels: HashMap::new(),
            stopped: None,
            findings: Findings {
                masks: BTreeMap::new(),
                hits: Vec::new(),
                decision: Action::Allow,
                scratch: Vec::new(),
                tally: None,
            },
            not_scanned: Vec::new(),
            question: None,
            answers: HashMap::new(),
            whole: None,
            shown: String::new(),
            scrubber: None,
            asking: None,
        }
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
        self.whole = None;
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
            let watched = Watched::new(&self.rules, &self.policy, self.scrubber.as_ref());
            self.channels.insert(channel.clone(), watched);
        }
        let Some(watched) = self.channels.get_mut(channel) else {
            return Ok(());
        };
        let stopped = watched.look(
            &self.policy,
            &mut self.findings,
            channel,
            channel.signed,
            out,
            text.as_bytes(),
            is_last,
        );
        stopped.map_err(|stopped| {
            let (message, hit) = *stopped;
            self.stop(&message, Some(hit))
        })
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
                return Ok((self.whole(&call.place, &call.arguments)?, strings));
            }
            return Err(self.stop(UNREADABLE, None));
        };
        let mut edits = Edits::default();
        self.strings(doc.root(), &call.place, &mut strings, &mut edits)?;
        Ok(((!edits.is_empty()).then(|| doc.to_text(&edits)), strings))
    }

    fn strings(
        &mut self,
        value: Value<'_>,
        place: &str,
        strings: &mut Vec<String>,
        edits: &mut Edits,
    ) -> Result<(), Blocked> {
        if let Some(text) = value.as_str() {
            if let Some(changed) = self.whole(place, &text)? {
                edits.set_str(value, &changed);
            }
            strings.push(text.into_owned());
        }
        for item in value.items() {
            self.strings(item, place, strings, edits)?;
        }
        for (name, member) in value.entries() {
            if self.whole(place, &name)?.is_some() {
                return Err(self.stop(UNMASKABLE, None));
            }
            self.strings(member, &format!("{place}.{name}"), strings, edits)?;
            strings.push(name.into_owned());
        }
        Ok(())
    }
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
        if text.is_empty() {
            return Ok(None);
        }
        if let Some(stopped) = &self.stopped {
            return Err(stopped.clone());
        }
        let mut watched = self
            .whole
            .take()
            .unwrap_or_else(|| Watched::new(&self.rules, &self.policy, self.scrubber.as_ref()));
        let mut out = std::mem::take(&mut self.shown);
        out.clear();
        let result = watched.look(
            &self.policy,
            &mut self.findings,
            &place,
            false,
            &mut out,
            text.as_bytes(),
            true,
        );
        match result {
            Err(stopped) => {
                let (message, hit) = *stopped;
                Err(self.stop(&message, Some(hit)))
            }
            Ok(()) => {
                // Its text has ended, and the next begins afresh.
                watched.position = 0;
                self.whole = Some(watched);
                if out != text {
                    return Ok(Some(out));
                }
                self.shown = out;
                Ok(None)
            }
        }
    }

    fn tool_call(&mut self, call: &ToolCall) -> Verdict {
        if let Some(stopped) = &self.stopped {
            return Verdict::Replace(stopped.notice.clone());
        }
        let found = match self.whole(&call.place, &call.name) {
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

/// The hit of a value that was scrubbed where the text may not be changed.
fn scrubbed_hit(place: &dyn fmt::Display) -> RuleHit {
    RuleHit {
        id: Scrubber::ID.to_owned(),
        action: Action::Block,
        stage: Stage::Output,
        place: place.to_string(),
        reason: "the credential that was used upstream".to_owned(),
        observed_only: false,
        severity: None,
        tags: Vec::new(),
    }
}

/// One hit per rule and place: a rule that matches a hundred times is one line of the record.
fn add_hit(hits: &mut Vec<RuleHit>, hit: RuleHit) {
    if hits.len() < 256 && !hits.iter().any(|h| h.id == hit.id && h.place == hit.place) {
        hits.push(hit);
    }
}

/// Takes a redactor's output.
enum Watch<'a, 'r> {
    /// Only the marks count.
    Look(&'a mut Marks),
    /// What is shown.
    Show(&'a mut Shown<'r>),
}

/// Rules that marked, and where in the channel's text.
#[derive(Default)]
struct Marks(Vec<(RuleIndex, u64)>);

struct Shown<'r> {
    rules: &'r OutputRules,
    marks_as: &'r MarkFormat,
    /// Any mark stops: the text may not be changed.
    signed: bool,
    position: u64,
    /// A blocking match begins here: nothing from here on is shown.
    until: Option<u64>,
    text: Vec<u8>,
    marks: Vec<RuleIndex>,
    stopped: Option<RuleIndex>,
}

impl Sink for Watch<'_, '_> {
    fn text(&mut self, released: &[u8]) {
        if let Watch::Show(shown) = self {
            let room = shown
                .until
                .map_or(u64::MAX, |until| until.saturating_sub(shown.position));
            let keep = released.len().min(usize::try_from(room).unwrap_or(usize::MAX));
            if shown.stopped.is_none() {
                shown
                    .text
                    .extend_from_slice(released.get(..keep).unwrap_or_default());
            }
            shown.position += released.len() as u64;
        }
    }

    fn mark(&mut self, mark: Mark) {
        let Mark { rule, start, tag } = mark;
        match self {
            Watch::Look(marks) => marks.0.push((rule, start)),
            Watch::Show(shown) => {
                let past = shown.until.is_some_and(|until| start >= until);
                if shown.stopped.is_some() || past {
                    return;
                }
                if shown.signed || shown.rules.action(rule) == OutputAction::Block {
                    shown.stopped = Some(rule);
                } else {
                    shown.marks.push(rule);
                    let mark = shown.marks_as.render(shown.rules.kind(rule), tag);
                    shown.text.extend_from_slice(mark.as_bytes());
                }
            }
        }
    }

    fn span(&mut self, span: Span) {
        if let Watch::Show(shown) = self {
            shown.position = span.end;
        }
    }
}
