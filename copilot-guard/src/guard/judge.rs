//! What policy says of a request, part by part: decision, masks, what is kept, what a reviewer sees. Pure.

use std::borrow::Cow;

use super::findings::{Found, Known};
use super::resent::Resent;
use crate::approval::{Digest, Shown};
use crate::audit::MaskCount;
use crate::decision::{Action, Decision, RuleHit};
use crate::detect::views::Screen;
use crate::detect::{MarkFormat, RuleSet, ScanOptions};
use crate::dialect::ParsedRequest;
use crate::exchange::{Asking, Reverser};
use crate::policy::{CallerPolicy, MaskSpan, Verdict};

/// What judging a request yields.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Judged {
    pub(super) decision: Decision,
    pub(super) replaced: Vec<(usize, String)>,
    /// The same without tags, where there are any: what an approval is bound to, for tags end with their key.
    pub(super) untagged: Option<Vec<(usize, String)>>,
    pub(super) masks: Vec<MaskCount>,
    /// Texts as they may be kept: every secret masked, whatever policy lets pass.
    pub(super) kept: Vec<(usize, String)>,
    /// A text that cannot be replaced holds a secret: the request is not kept as such.
    pub(super) unkept: bool,
    /// Digests of what asks for approval, and what the reviewer sees of it.
    pub(super) findings: Vec<Digest>,
    pub(super) shown: Vec<Shown>,
}

#[expect(
    clippy::too_many_arguments,
    reason = "one call, of all that a judgement follows from"
)]
pub(super) fn judge(
    request: &ParsedRequest,
    resent: &Resent,
    rules: &RuleSet,
    caller: &CallerPolicy,
    asking: &Asking,
    known: Option<&Known>,
    reverser: &mut Reverser,
    size: usize,
    token: &str,
) -> Judged {
    let marks = rules.marks();
    let mut untagged = Vec::new();
    let mut judged = Judged {
        decision: caller.request(size),
        replaced: Vec::new(),
        untagged: None,
        kept: Vec::new(),
        unkept: false,
        masks: Vec::new(),
        findings: Vec::new(),
        shown: Vec::new(),
    };
    judged.decision.merge(asking.request(request, size));
    let mut secrets = Secrets::new(rules, caller);
    let tokens = (!token.is_empty()).then(|| memchr::memmem::Finder::new(token));
    for (index, part) in request.parts.iter().enumerate() {
        let mut source = resent.text(index, &part.text);
        let mut key = known.map(|known| (known, known.key(part, source)));
        let remembered = key.as_ref().and_then(|(known, key)| known.get(key));
        let mut verdict = match &remembered {
            Some(found) => found.verdict_at(&part.place),
            None => caller.part(part.stage, &part.place, source),
        };
        let to_keep = remembered.is_none().then(|| verdict.clone());
        verdict.decision.merge(asking.part(part));
        if let Some(note) = resent.note(index, &verdict.decision).filter(|_| !part.fixed) {
            source = note;
            verdict = Verdict::default();
            key = None;
        }
        // Most parts are neither copied nor changed.
        let (mut text, mut bare) = (Cow::from(source), Cow::from(source));
        if !verdict.masks.is_empty() {
            if verdict.masks.iter().any(|span| span.reversible) {
                // How long the marks are depends on the whole request, and with them where later secrets stand.
                key = None;
            }
            for span in verdict.masks.iter_mut().filter(|span| span.reversible) {
                let value = source.get(span.start..span.end).unwrap_or_default();
                span.tag = reverser.tag(&span.kind, value).or(span.tag);
            }
            text = mask(marks, source, &verdict.masks, true).into();
            bare = mask(marks, source, &verdict.masks, false).into();
            let mut counts = Vec::new();
            count(&verdict.masks, &part.place, &mut counts);
            judged.masks.append(&mut counts);
        }
        // The caller's own token is a credential of this gateway, wherever it stands.
        if tokens
            .as_ref()
            .is_some_and(|token| token.find(text.as_bytes()).is_some())
        {
            // Another token next time: what was found beside this one is not found again.
            key = None;
            let mark = marks.render("gateway-token", None);
            text = text.replace(token, &mark).into();
            bare = bare.replace(token, &mark).into();
            judged.masks.push(MaskCount {
                rule: "gateway-token".to_owned(),
                channel: part.place.clone(),
                count: 1,
            });
        }
        let asking: Vec<_> = verdict.decision.rules_with(Action::RequireApproval);
        for rule in &asking {
            let fields = [
                rule.as_bytes(),
                part.role.as_bytes(),
                part.stage.as_str().as_bytes(),
                source.as_bytes(),
            ];
            judged.findings.push(Digest::of(&fields));
        }
        // Neither the record nor a reviewer sees a secret that policy lets pass (DESIGN: matched values never).
        let spans = match (&remembered, key) {
            (Some(found), Some(_)) => found.kept.clone(),
            (_, key) => {
                let spans = secrets.find(&text);
                if let (Some((known, key)), Some(verdict)) = (key, to_keep) {
                    let kept = spans.clone();
                    known.put(key, Found { verdict, kept });
                }
                spans
            }
        };
        let kept = (!spans.is_empty()).then(|| mask(marks, &text, &spans, true));
        if !asking.is_empty() && judged.shown.len() < MAX_SHOWN {
            judged.shown.push(shown(part, kept.as_deref().unwrap_or(&text)));
        }
        if part.fixed && kept.is_some() {
            judged.unkept = true;
        } else if let Some(kept) = kept {
            judged.kept.push((index, kept));
        } else if text != part.text {
            judged.kept.push((index, text.clone().into_owned()));
        }
        if text != part.text && part.fixed {
            // What must be masked here cannot be: it does not go up at all.
            let hit = RuleHit {
                id: "cannot-be-masked".to_owned(),
                action: Action::Block,
                stage: part.stage,
                place: part.place.clone(),
                reason: "a mask is needed where the text may not be changed".to_owned(),
                observed_only: false,
                severity: None,
                tags: Vec::new(),
            };
            let message =
                "Signed reasoning or a member's name holds what must not go up. Start a new conversation.";
            judged.decision.add(hit, message);
        } else if text != part.text {
            judged.replaced.push((index, text.into_owned()));
            untagged.push((index, bare.into_owned()));
        }
        judged.decision.merge(verdict.decision);
    }
    judged.untagged = (untagged != judged.replaced).then_some(untagged);
    judged
}

/// Most parts, and the longest text of each, that a reviewer is shown.
pub(super) const MAX_SHOWN: usize = 64;
const MAX_SHOWN_TEXT: usize = 32 << 10;

/// A part for the reviewer. What is too long says so.
pub(super) fn shown(part: &crate::dialect::Part, text: &str) -> Shown {
    let mut end = text.len().min(MAX_SHOWN_TEXT);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let mut shown = text.get(..end).unwrap_or_default().to_owned();
    if end < text.len() {
        shown.push_str(&format!("… ({} bytes more)", text.len() - end));
    }
    Shown {
        place: part.place.clone(),
        role: part.role.clone(),
        text: shown,
    }
}

/// Finds every secret, also those that `[[allow]]` lets through, and those in disguise.
pub(super) struct Secrets<'r> {
    rules: &'r RuleSet,
    /// Between two texts.
    screen: Screen,
}

impl<'r> Secrets<'r> {
    pub(super) fn new(rules: &'r RuleSet, caller: &CallerPolicy) -> Self {
        let mut options = ScanOptions::default();
        options.tags.clone_from(&caller.scan_options().tags);
        Self {
            rules,
            screen: Screen::new(rules, &rules.all(), &options),
        }
    }

    /// The text with every secret masked; `None` when it has none.
    pub(super) fn masked(&mut self, text: &str) -> Option<String> {
        let spans = self.find(text);
        (!spans.is_empty()).then(|| mask(self.rules.marks(), text, &spans, true))
    }

    fn find(&mut self, text: &str) -> Vec<MaskSpan> {
        let rules = self.rules;
        self.screen
            .find(text.as_bytes())
            .into_iter()
            .filter_map(|found| {
                let kind = rules.info(found.rule).map_or("secret", |info| info.id.as_str());
                Some(MaskSpan {
                    start: usize::try_from(found.start).ok()?,
                    end: usize::try_from(found.end).ok()?,
                    kind: kind.to_owned(),
                    tag: found.tag,
                    reversible: false,
                })
            })
            .collect()
    }
}

/// The text with the spans replaced by marks. Spans are in order and do not overlap.
fn mask(marks: &MarkFormat, text: &str, spans: &[MaskSpan], with_tags: bool) -> String {
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    for span in spans {
        out.push_str(text.get(at..span.start).unwrap_or_default());
        out.push_str(&marks.render(&span.kind, span.tag.filter(|_| with_tags)));
        at = span.end;
    }
    out.push_str(text.get(at..).unwrap_or_default());
    out
}

fn count(spans: &[MaskSpan], place: &str, counts: &mut Vec<MaskCount>) {
    for span in spans {
        match counts
            .iter_mut()
            .find(|c| c.rule == span.kind && c.channel == place)
        {
            Some(known) => known.count += 1,
            None => {
                counts.push(MaskCount {
                    rule: span.kind.clone(),
                    channel: place.to_owned(),
                    count: 1,
                });
            }
        }
    }
}
