//! One text of an answer on its way to the client: what of it is shown, masked, or ends the answer.
//!
//! Each step sees what the one before left: values that are known for this answer, commands in code blocks, links, the
//! gate of the views, the redactors, and what takes marks back.

use std::collections::BTreeMap;
use std::fmt;

use super::filter::{Code, Links, Restore};
use super::reversal::Reversals;
use super::scrub::{Scrubber, Scrubbing};
use crate::budget::Tally;
use crate::decision::{Action, RuleHit, Stage};
use crate::detect::link::LinkWatch;
use crate::detect::views::{Cover, Gate};
use crate::detect::{Mark, MarkFormat, Redactor, RuleIndex, RuleSet, Sink, Span};
use crate::policy::{CallerPolicy, OutputAction, OutputRules, OutputVerdict};

const SIGNED: &str = "The model's signed reasoning held what must not be shown; it was cut off there.";

/// The answer ends here: what the reader is told, and the rule.
pub(super) struct Stop {
    pub(super) message: String,
    pub(super) hit: RuleHit,
}

/// Where a text stands, whose it is, and where it is noted what was found.
pub(super) struct Scene<'a> {
    pub(super) policy: &'a CallerPolicy,
    pub(super) findings: &'a mut Findings,
    pub(super) place: &'a dyn fmt::Display,
    /// It may pass or be cut off, but never be changed.
    pub(super) signed: bool,
}

/// What was found so far.
pub(super) struct Findings {
    pub(super) masks: BTreeMap<(String, String), u64>,
    pub(super) hits: Vec<RuleHit>,
    pub(super) decision: Action,
    /// What a redactor released, before it is text: kept for its memory.
    scratch: Vec<u8>,
    pub(super) tally: Option<Tally>,
    /// A text ended within something: what follows is no prose for sure.
    pub(super) unsure: bool,
    /// What the answer's links have shown so far, in all of its texts.
    pub(super) links: Option<LinkWatch>,
}

impl Findings {
    pub(super) const fn new() -> Self {
        Self {
            masks: BTreeMap::new(),
            hits: Vec::new(),
            decision: Action::Allow,
            scratch: Vec::new(),
            tally: None,
            unsure: false,
            links: None,
        }
    }

    fn add_masks(&mut self, rule: String, channel: String, count: u64) {
        self.tally.iter().for_each(|tally| tally.add_masks(count));
        *self.masks.entry((rule, channel)).or_default() += count;
    }
}

impl Scene<'_> {
    /// Notes that this happened.
    pub(super) fn note(&mut self, hit: RuleHit) {
        add_hit(&mut self.findings.hits, hit);
    }

    /// Notes what the rules say of something, and gives the mark that takes its place.
    ///
    /// # Errors
    /// It may not pass, or may not be changed and would have to be.
    pub(super) fn act(&mut self, found: &OutputVerdict, kind: &str) -> Result<Option<String>, Box<Stop>> {
        let place = self.place.to_string();
        let is_shown = found.action == OutputAction::Observe;
        for hit in &found.hits {
            add_hit(&mut self.findings.hits, hit.clone());
        }
        if is_shown {
            return Ok(None);
        }
        if found.action == OutputAction::Block || self.signed {
            let message = if found.action == OutputAction::Block {
                found.message.clone()
            } else {
                SIGNED.to_owned()
            };
            return Err(Stop::boxed(message, found, kind, &place));
        }
        self.findings.decision = self.findings.decision.max(Action::Mask);
        self.findings.add_masks(kind.to_owned(), place, 1);
        Ok(Some(self.policy.marks().render(kind, None)))
    }
}

impl Stop {
    fn boxed(message: String, found: &OutputVerdict, kind: &str, place: &str) -> Box<Self> {
        let deciding = found.hits.iter().find(|hit| !hit.observed_only);
        let hit = deciding.cloned().unwrap_or_else(|| RuleHit {
            id: kind.to_owned(),
            action: Action::Block,
            stage: Stage::Output,
            place: place.to_owned(),
            reason: "it may not be shown".to_owned(),
            observed_only: false,
            severity: None,
            tags: Vec::new(),
        });
        Box::new(Self {
            message,
            hit: RuleHit {
                action: Action::Block,
                ..hit
            },
        })
    }
}

/// One channel. What is shown comes from `acting`; the others only look, so that no match hides in a group that
/// carries another rule's name.
pub(super) struct Watched {
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
    /// Of prose alone, and where rules ask for it.
    code: Option<Box<Code>>,
    links: Option<Box<Links>>,
    gate: Gate,
    /// Comes after all others: what it shows has been judged with the mark in its place.
    restore: Option<Box<Restore>>,
    /// What the gate let through of the piece at hand.
    passed: Vec<u8>,
    covers: Vec<Cover>,
}

impl Watched {
    /// The state of one text, or of texts one after the other. `prose` says that a person reads it.
    pub(super) fn new(
        rules: &RuleSet,
        policy: &CallerPolicy,
        scrubber: Option<&Scrubber>,
        prose: bool,
    ) -> Self {
        let redactor = |mask| rules.redactor_with(mask, policy.scan_options());
        let output = policy.output();
        Self {
            acting: redactor(output.mask()),
            blocking: output.block().map(redactor),
            observing: output.observe().map(redactor),
            position: 0,
            carriage_return: false,
            scrubbing: scrubber.map(Scrubber::stream),
            code: (prose && output.commands().is_some()).then(Box::default),
            links: (prose && output.links().is_some()).then(Box::default),
            gate: output.views().gate(),
            restore: None,
            passed: Vec::new(),
            covers: Vec::new(),
        }
    }

    /// The text that begins now is prose, in which these marks are taken back; or they stay.
    pub(super) fn restore(&mut self, reversals: Option<&Reversals>) {
        self.restore = reversals.map(|reversals| Box::new(Restore::new(reversals.clone())));
    }

    /// Its text has ended, and the next begins afresh.
    pub(super) fn rewind(&mut self) {
        self.position = 0;
    }

    /// Looks at the next piece, and appends what may be shown. With `is_last` the text ends.
    ///
    /// # Errors
    /// The answer ends here; `out` holds what may still be shown.
    pub(super) fn look(
        &mut self,
        scene: &mut Scene<'_>,
        out: &mut String,
        text: &str,
        is_last: bool,
    ) -> Result<(), Box<Stop>> {
        let tally = &scene.findings.tally;
        tally.iter().for_each(|tally| tally.add_text(text.len()));
        let Some(mut restore) = self.restore.take() else {
            return self.scrub(scene, out, text, is_last);
        };
        let mut masked = String::new();
        let result = self.scrub(scene, &mut masked, text, is_last);
        restore.run(scene, &masked, is_last || result.is_err(), out);
        self.restore = Some(restore);
        result
    }

    fn scrub(
        &mut self,
        scene: &mut Scene<'_>,
        out: &mut String,
        text: &str,
        is_last: bool,
    ) -> Result<(), Box<Stop>> {
        let Some(mut scrubbing) = self.scrubbing.take() else {
            return self.filter(scene, out, text, is_last);
        };
        let (clean, count) = scrubbing.run(text.as_bytes(), is_last);
        if count > 0 {
            scene.findings.decision = scene.findings.decision.max(Action::Mask);
            let mask = Scrubber::count(scene.place.to_string(), count);
            scene.findings.add_masks(mask.rule, mask.channel, count);
        }
        // A signature holds for the text that was signed.
        let result = if scene.signed && count > 0 {
            Err(Box::new(Stop {
                message: SIGNED.to_owned(),
                hit: scrubbed_hit(scene.place),
            }))
        } else {
            self.filter(scene, out, &String::from_utf8_lossy(clean), is_last)
        };
        self.scrubbing = Some(scrubbing);
        result
    }

    /// Commands and links, then the gate. When one of them stops, what came before it is still looked at.
    fn filter(
        &mut self,
        scene: &mut Scene<'_>,
        out: &mut String,
        text: &str,
        is_last: bool,
    ) -> Result<(), Box<Stop>> {
        if self.code.is_none() && self.links.is_none() {
            return self.pass(scene, out, text, is_last);
        }
        let mut stop = None;
        let mut at_hand = std::borrow::Cow::Borrowed(text);
        if let Some(code) = &mut self.code {
            let mut left = String::new();
            stop = code.run(scene, &at_hand, is_last, &mut left).err();
            at_hand = left.into();
        }
        if let Some(links) = &mut self.links {
            let mut left = String::new();
            let stopped = links.run(scene, &at_hand, is_last || stop.is_some(), &mut left);
            stop = stopped.err().or(stop);
            at_hand = left.into();
        }
        self.pass(scene, out, &at_hand, is_last || stop.is_some())?;
        stop.map_or(Ok(()), Err)
    }

    fn pass(
        &mut self,
        scene: &mut Scene<'_>,
        out: &mut String,
        text: &str,
        is_last: bool,
    ) -> Result<(), Box<Stop>> {
        let (mut passed, mut covers) = (std::mem::take(&mut self.passed), std::mem::take(&mut self.covers));
        passed.clear();
        covers.clear();
        let mut take = |text: &[u8], more: &[Cover]| {
            passed.extend_from_slice(text);
            covers.extend_from_slice(more);
        };
        self.gate.push(text.as_bytes(), &mut take);
        if is_last {
            self.gate.finish(&mut take);
        }
        let result = self.run(scene, out, &passed, &covers, is_last);
        (self.passed, self.covers) = (passed, covers);
        result
    }

    /// Runs the redactors over a piece, and appends what may be shown.
    fn run(
        &mut self,
        scene: &mut Scene<'_>,
        out: &mut String,
        piece: &[u8],
        covers: &[Cover],
        is_last: bool,
    ) -> Result<(), Box<Stop>> {
        let step = |redactor: &mut Redactor, watch: &mut Watch<'_, '_>, covers: &[Cover]| {
            if !piece.is_empty() {
                redactor.push_covered(piece, covers, watch);
            }
            if is_last {
                redactor.finish(watch);
            }
        };
        let rules = scene.policy.output();
        if let Some(observing) = &mut self.observing {
            let mut seen = Marks::default();
            step(observing, &mut Watch::Look(&mut seen), &[]);
            for (rule, _) in seen.0 {
                let found = rules.hits(rule, &scene.place.to_string());
                let hits = &mut scene.findings.hits;
                found.into_iter().for_each(|hit| add_hit(hits, hit));
            }
        }
        let mut blocked_at = None;
        if let Some(blocking) = &mut self.blocking {
            let mut seen = Marks::default();
            step(blocking, &mut Watch::Look(&mut seen), &[]);
            blocked_at = seen
                .0
                .into_iter()
                .find(|(rule, _)| rules.action(*rule) == OutputAction::Block);
        }
        let (acting, stopped_at) = if covers.is_empty() {
            (Vec::new(), None)
        } else {
            Self::disguised(scene, covers)
        };
        let until = blocked_at.map(|(_, start)| start);
        let mut shown = Shown {
            rules,
            marks_as: scene.policy.marks(),
            signed: scene.signed,
            position: self.position,
            until: until
                .into_iter()
                .chain(stopped_at.as_ref().map(|(at, _)| *at))
                .min(),
            text: std::mem::take(&mut scene.findings.scratch),
            marks: Vec::new(),
            stopped: None,
        };
        step(&mut self.acting, &mut Watch::Show(&mut shown), &acting);
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
        scene.findings.scratch = text;
        for rule in marks {
            let place = scene.place.to_string();
            scene.findings.decision = scene.findings.decision.max(Action::Mask);
            scene
                .findings
                .add_masks(rules.kind(rule).to_owned(), place.clone(), 1);
            add_hit(&mut scene.findings.hits, rules.hit(rule, &place));
        }
        match stopped.or(blocked_at.map(|(rule, _)| rule)) {
            None => stopped_at.map_or(Ok(()), |(_, stop)| Err(stop)),
            Some(rule) => {
                let message = if scene.signed && rules.action(rule) != OutputAction::Block {
                    SIGNED
                } else {
                    rules.message(rule)
                };
                let mut hit = rules.hit(rule, &scene.place.to_string());
                hit.action = Action::Block;
                Err(Box::new(Stop {
                    message: message.to_owned(),
                    hit,
                }))
            }
        }
    }

    /// What becomes of secrets in disguise: those to be masked, and where the answer ends.
    fn disguised(scene: &mut Scene<'_>, covers: &[Cover]) -> (Vec<Cover>, Option<(u64, Box<Stop>)>) {
        let rules = scene.policy.output();
        let place = scene.place.to_string();
        let mut acting = Vec::new();
        for cover in covers {
            let found = rules.encoded(cover.rule, &place);
            for hit in &found.hits {
                add_hit(&mut scene.findings.hits, hit.clone());
            }
            match found.action {
                OutputAction::Observe => {}
                OutputAction::Mask => acting.push(*cover),
                OutputAction::Block => {
                    let kind = rules.kind(cover.rule);
                    let stop = Stop::boxed(found.message.clone(), &found, kind, &place);
                    return (acting, Some((cover.start, stop)));
                }
            }
        }
        (acting, None)
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
pub(super) fn add_hit(hits: &mut Vec<RuleHit>, hit: RuleHit) {
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
